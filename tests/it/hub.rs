//! Several clones on one machine, and the bare repository that decides between them.

use crate::{
    env::{Ended, Refs, Repo, TestEnvironment, run},
    http::Server,
};
use serde_json::Value;
use std::{collections::BTreeSet, path::PathBuf};

/// How the clones reach the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `file://`, so that git takes it for another machine's.
    File,
    /// Smart http on loopback.
    Http,
}

/// How the hub and its clones are laid out.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// How the clones reach the hub.
    pub way: Way,
    /// How the hub keeps refs.
    pub hub_refs: Refs,
    /// How the clones do.
    pub clone_refs: Refs,
    /// How all of them name objects.
    pub format: &'static str,
}

impl Default for Layout {
    fn default() -> Self {
        Layout { way: Way::File, hub_refs: Refs::Files, clone_refs: Refs::Files, format: "sha1" }
    }
}

/// The bare repository, with one commit of a few files on `main`.
pub struct Hub<'e> {
    /// The machine.
    pub env: &'e TestEnvironment,
    /// Where it is.
    pub dir: PathBuf,
    /// What the clones call it.
    pub url: String,
    /// What serves it, unless it is reached by its path.
    pub server: Option<Server>,
    layout: Layout,
}

/// The files of `main`.
const FILES: [(&str, &str); 5] = [
    ("README.md", "# demo\n"),
    ("src/auth/login.rs", "fn login() {}\n"),
    ("src/auth/token.rs", "fn token() {}\n"),
    ("src/deep/x.test.ts", "test\n"),
    ("src/main.rs", "fn main() {}\n"),
];

impl<'e> Hub<'e> {
    /// A hub that is reached in this `way`.
    pub fn new(env: &'e TestEnvironment, way: Way) -> Hub<'e> {
        Hub::with(env, Layout { way, ..Layout::default() })
    }

    /// A hub of this layout.
    pub fn with(env: &'e TestEnvironment, layout: Layout) -> Hub<'e> {
        Hub::called(env, "hub.git", layout)
    }

    /// A hub of this name and layout.
    pub fn called(env: &'e TestEnvironment, name: &str, layout: Layout) -> Hub<'e> {
        let dir = env.path().join(name);
        let seed = env.repo_with(&format!("seed of {name}"), layout.clone_refs, layout.format, &FILES);
        let (refs, format) = (ref_format(layout.hub_refs), format!("--object-format={}", layout.format));
        seed.git(&["init", "-q", "--bare", "-b", "main", refs, &format, &dir.display().to_string()]);
        let server = (layout.way == Way::Http).then(|| Server::start(env, &env.path()));
        let url = server.as_ref().map_or_else(|| format!("file://{}", dir.display()), |server| server.url(name));
        let hub = Hub { env, dir, url, server, layout };
        hub.git(&["config", "http.receivepack", "true"]);
        // A push that has enough of them packs the objects of the hub, which has to be over before anybody looks at it.
        hub.git(&["config", "gc.autoDetach", "false"]);
        hub.git(&["config", "maintenance.autoDetach", "false"]);
        seed.git(&["push", "-q", &hub.dir.display().to_string(), "main"]);
        hub
    }

    /// A clone of it that names it its hub, and syncs when it is told to.
    pub fn clone(&self, name: &str) -> Repo<'e> {
        let seed = Repo { env: self.env, dir: self.env.path() };
        let dir = self.env.path().join(name);
        seed.git(&["clone", "-q", ref_format(self.layout.clone_refs), &self.url, &dir.display().to_string()]);
        let clone = Repo { env: self.env, dir };
        clone.git(&["config", "aio.fsync", "false"]);
        clone.git(&["config", "aio.backgroundSync", "false"]);
        clone.git(&["config", "aio.remote", "origin"]);
        clone
    }

    /// Two clones, each with an instance.
    pub fn two(&self) -> [Member<'e>; 2] {
        [self.member("one", "claude"), self.member("two", "codex")]
    }

    /// The same, when both have synced: the second has what the first pushed, and the first lacks what the second did.
    pub fn two_in_step(&self) -> [Member<'e>; 2] {
        let members = self.two();
        members.iter().for_each(|member| drop(member.sync()));
        members
    }

    /// A clone with one instance of `tool`.
    pub fn member(&self, name: &str, tool: &str) -> Member<'e> {
        let repo = self.clone(name);
        let me = repo.register(tool);
        Member { repo, me }
    }

    /// The hub as a repository.
    pub fn repo(&self) -> Repo<'e> {
        Repo { env: self.env, dir: self.dir.clone() }
    }

    /// Runs git in it, which has to succeed.
    pub fn git(&self, args: &[&str]) -> String {
        self.repo().git(args)
    }

    /// Its newest operation; empty if it has none.
    pub fn tip(&self) -> String {
        self.git(&["for-each-ref", "--format=%(objectname)", "refs/aio/state"]).trim().to_owned()
    }

    /// Installs a hook of it.
    pub fn hook(&self, name: &str, script: &str) {
        let path = self.dir.join("hooks").join(name);
        // Another process writes it: what this one has open for writing, a fork in another test has open too for a
        // moment, and the hook could not be started.
        let write = "mkdir -p \"${2%/*}\" && printf '#!/bin/sh\\n%s\\n' \"$1\" >\"$2\" && chmod +x \"$2\"";
        let ended = run(self.env.command("sh", &self.dir).args(["-c", write, "sh", script]).arg(&path));
        assert_eq!(ended.code, 0, "{}", ended.stderr);
    }

    /// Every operation is there once, in one line, with its number.
    pub fn assert_linear(&self) {
        assert_linear(&self.repo());
        assert_eq!(self.git(&["fsck", "--strict", "--no-dangling"]), "");
    }
}

/// A clone and an instance in it.
pub struct Member<'e> {
    /// The clone.
    pub repo: Repo<'e>,
    /// The instance.
    pub me: String,
}

impl Member<'_> {
    /// Runs a command of ours, however it ends.
    pub fn aio(&self, args: &[&str]) -> Ended {
        self.repo.aio_as(&self.me, args)
    }

    /// Runs a command of ours that has to succeed.
    pub fn ok(&self, args: &[&str]) -> String {
        self.repo.ok_as(&self.me, args)
    }

    /// Runs a command of ours, killed at `step`.
    pub fn killed_at(&self, step: &str, args: &[&str]) -> Ended {
        run(self.repo.command(args).env("AIO_INSTANCE", &self.me).env("AIO_TEST_KILL_AT", step))
    }

    /// Syncs, which has to succeed.
    pub fn sync(&self) -> Value {
        let ended = self.aio(&["--json", "sync"]);
        assert_eq!(ended.code, 0, "sync: {}{}", ended.stdout, ended.stderr);
        serde_json::from_str(&ended.stdout).unwrap()
    }

    /// Its newest operation.
    pub fn tip(&self) -> String {
        self.repo.git(&["rev-parse", "refs/aio/state"]).trim().to_owned()
    }

    /// All claims in force, as it sees them: what, and by whom.
    pub fn claims(&self) -> BTreeSet<(String, String)> {
        let answer: Value = serde_json::from_str(&self.ok(&["--json", "status"])).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let claims = answer["claims"].as_array().unwrap();
        claims.iter().map(|claim| (text(&claim["target"]), text(&claim["holder"]))).collect()
    }

    /// Stages a change of `path` and tries to commit it, through the fence.
    pub fn commit(&self, path: &str) -> Ended {
        self.repo.write(path, "changed\n");
        self.repo.git(&["add", "-A", "--", path]);
        self.repo.try_git_as(&self.me, &["commit", "-qm", "change", "--", path])
    }
}

/// All members have the same history, and it is the hub's.
pub fn assert_same(hub: &Hub<'_>, members: &[Member<'_>]) {
    for member in members {
        assert_eq!(member.tip(), hub.tip(), "{}", member.repo.dir.display());
    }
}

/// The history is one line, numbered without a gap, and no operation is there twice.
pub fn assert_linear(repo: &Repo<'_>) {
    let format = "%(trailers:key=Aio-Seq,valueonly,separator=) %(trailers:key=Aio-Op-Id,valueonly,separator=) %P";
    let log = repo.git(&["log", &format!("--format={format}"), "refs/aio/state"]);
    let commits: Vec<Vec<&str>> = log.lines().map(|line| line.split_whitespace().collect()).collect();
    let mut seen = BTreeSet::new();
    for (commit, seq) in commits.iter().zip((1..=commits.len()).rev()) {
        assert_eq!(commit[0], seq.to_string(), "numbers without a gap");
        assert!(seen.insert(commit[1]), "the operation {} is there twice", commit[1]);
        assert_eq!(commit.len() - 2, usize::from(seq > 1), "one parent, but the first has none");
    }
}

fn ref_format(refs: Refs) -> &'static str {
    match refs {
        Refs::Files => "--ref-format=files",
        Refs::Reftable => "--ref-format=reftable",
    }
}
