//! A repository with a store in it, and ways to hurt it.

use super::super::{Check, Session};
use crate::{
    base::{
        id::{CloneId, InstanceId, OpId},
        oid::Oid,
    },
    host::{git::Git, scratch::Scratch},
    model::{
        claim::{Claim, Mode, Origin},
        instance::Instance,
        op::{Action, Want},
        scope::Scope,
        view::View as _,
    },
    store::Extent,
};
use std::{fs, path::PathBuf};

pub(super) const STATE: &str = "refs/aio/state";
pub(super) const CODEX: &str = "codex-1700000000-a3f2";
pub(super) const CLAUDE: &str = "claude-1700000000-b4e3";

/// What is found where nothing is wrong, but for the fence, which is not put up.
pub(super) const SOUND: [&str; 10] =
    ["git", "repository format", "store", "history", "records", "index", "exclusion", "reflog", "locks", "liveness"];

pub(super) struct Patient {
    pub(super) repo: Scratch,
}

impl Patient {
    /// A repository in which two instances are registered and each holds a folder.
    pub(super) fn new() -> Patient {
        Patient::of(Scratch::new())
    }

    pub(super) fn of(repo: Scratch) -> Patient {
        for (key, value) in [("user.name", "Ada"), ("user.email", "ada@example.org"), ("aio.fsync", "false")] {
            repo.git.config_set(key, value).expect("a setting");
        }
        let patient = Patient { repo };
        for id in [CODEX, CLAUDE] {
            patient.act(id, Action::Register(instance(id)));
        }
        patient.claim(CODEX, "directory", "src/auth");
        patient.claim(CLAUDE, "file", "docs/guide.md");
        patient
    }

    pub(super) fn session(&self) -> Session {
        Session::open_other(self.repo.git.dir(), None).expect("a session")
    }

    pub(super) fn act(&self, by: &str, action: Action) {
        let by: InstanceId = by.parse().expect("an id");
        self.session().perform(Some(&by), |_| Ok(Some(action.clone()))).expect("done");
    }

    pub(super) fn claim(&self, by: &str, kind: &str, target: &str) {
        let id = format!("{:016x}", self.number() + 0x7b30).parse().expect("an id");
        let scope = Scope::parse(kind, target).expect("a scope");
        let want = Want { id, scope, mode: Mode::Exclusive, origin: Origin::Explicit, until: None, why: None };
        self.act(by, Action::Claim { wants: vec![want], evict: vec![], lost: vec![] });
    }

    pub(super) fn number(&self) -> u64 {
        self.session().snapshot().expect("a state").seq()
    }

    pub(super) fn claims(&self) -> Vec<Claim> {
        let mut claims =
            self.session().snapshot().expect("a state").claims(Extent::All, |_| true).expect("claims").records;
        claims.sort_by_key(|claim| claim.token);
        claims
    }

    pub(super) fn targets(&self) -> Vec<String> {
        self.claims().iter().map(|claim| claim.scope.target()).collect()
    }

    pub(super) fn git(&self, args: &[&str]) -> String {
        text(&self.repo.git, args)
    }

    pub(super) fn tip(&self) -> Oid {
        self.git(&["rev-parse", STATE]).parse().expect("a name")
    }

    pub(super) fn common(&self, path: &str) -> PathBuf {
        self.repo.path(".git").join(path)
    }

    pub(super) fn blob(&self, content: &str) -> String {
        let file = self.repo.outside().join("content");
        fs::write(&file, content).expect("written");
        self.git(&["hash-object", "-w", file.to_str().expect("text")])
    }

    /// Writes a next state by hand: at each path a blob, or nothing.
    pub(super) fn edit(&self, edits: &[(&str, Option<&str>)]) {
        let index = self.repo.outside().join("index");
        let git = self.repo.git.clone().with("GIT_INDEX_FILE", &index);
        text(&git, &["read-tree", STATE]);
        for (path, blob) in edits {
            match blob {
                Some(blob) => text(&git, &["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{path}")]),
                None => text(&git, &["update-index", "--force-remove", path]),
            };
        }
        let tree = text(&git, &["write-tree"]);
        self.commit(&tree, Some(&self.tip()), self.number() + 1);
    }

    pub(super) fn commit(&self, tree: &str, parent: Option<&Oid>, number: u64) {
        let random = OpId::random(self.session().random());
        let message =
            format!("note: by hand\n\n\n\nAio-Op: note\nAio-Op-Id: {random}\nAio-Seq: {number}\nAio-Epoch: 1\n");
        let mut args = vec!["commit-tree", tree, "-m", &message];
        args.extend(parent.map(|parent| ["-p", parent.as_str()]).into_iter().flatten());
        let commit = self.git(&args);
        self.git(&["update-ref", "-m", "note: by hand", STATE, &commit]);
    }

    pub(super) fn lose(&self, object: &str) {
        let oid = self.git(&["rev-parse", object]);
        fs::remove_file(self.common(&format!("objects/{}/{}", &oid[..2], &oid[2..]))).expect("it was there");
    }

    /// The names of the checks that fail, but for those of the fence.
    pub(super) fn complaints(&self) -> Vec<&'static str> {
        let failed = self.session().doctor().into_iter().filter(|check| !check.is_ok()).map(|check| check.name);
        failed.filter(|name| SOUND.contains(name)).collect()
    }

    pub(super) fn check(&self, name: &str) -> Check {
        self.session().doctor().into_iter().find(|check| check.name == name).expect("a check of that name")
    }

    pub(super) fn repair(&self) -> Vec<String> {
        self.session().repair().expect("mended")
    }

    /// Everything is in order, git finds nothing amiss, and there is nothing left to mend.
    pub(super) fn assert_sound(&self) {
        assert_eq!(self.complaints(), [""; 0], "{:#?}", self.session().doctor());
        self.git(&["fsck", "--strict", "--no-dangling"]);
        self.git(&["gc", "--quiet"]);
        let tip = self.tip();
        assert_eq!(self.repair(), [""; 0]);
        assert_eq!(self.tip(), tip);
        self.claim(CODEX, "file", "new");
    }
}

pub(super) fn text(git: &Git, args: &[&str]) -> String {
    String::from_utf8_lossy(&git.run(args).expect("git works")).trim().to_owned()
}

pub(super) fn instance(id: &str) -> Instance {
    let id: InstanceId = id.parse().expect("an id");
    Instance {
        tool: id.tool().parse().expect("a tool"),
        id,
        clone: CloneId::random([1; 8]),
        project: "demo".into(),
        worktree: None,
        task: None,
        since: crate::base::world::Time::UNIX_EPOCH,
        parent: None,
    }
}

pub(super) fn record_path(claim: &Claim) -> String {
    format!("claims/{}/{}.json", &claim.id.as_str()[..2], claim.id)
}
