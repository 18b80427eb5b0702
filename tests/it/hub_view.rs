//! What is seen of the hub at the terminal: how sure a claim is, what was lost and to whom, what could not be sent.

use crate::env::{Refs, Repo, TestEnvironment, run};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// Two clones of a project, and the hub between them.
struct Clones<'e> {
    one: Repo<'e>,
    two: Repo<'e>,
    hub: PathBuf,
}

const FILES: &[(&str, &str)] = &[("README.md", "# demo\n"), ("src/auth.rs", "fn auth() {}\n"), ("src/main.rs", "\n")];

impl<'e> Clones<'e> {
    fn new(env: &'e TestEnvironment) -> Self {
        let hub = env.path().join("hub.git");
        let one = env.repo_with("one", Refs::Files, "sha1", FILES);
        let url = format!("file://{}", hub.display());
        one.git(&["init", "-q", "--bare", "-b", "main", "../hub.git"]);
        one.git(&["remote", "add", "origin", &url]);
        one.git(&["push", "-q", "origin", "main"]);
        one.git(&["clone", "-q", &url, "../two"]);
        let two = Repo { env, dir: env.path().join("two") };
        for repo in [&one, &two] {
            for (key, value) in [("aio.fsync", "false"), ("aio.remote", "origin"), ("aio.backgroundSync", "false")] {
                repo.git(&["config", key, value]);
            }
        }
        Clones { one, two, hub }
    }

    /// Registers an instance in each clone, a claude and a codex.
    fn registered(&self) -> (String, String) {
        let id = |repo: &Repo<'_>, tool| repo.aio_at(TEN, "", &["register", tool]).stdout.trim().to_owned();
        (id(&self.one, "claude"), id(&self.two, "codex"))
    }

    /// A terminal session in which instances of both clones take turns: the minute after ten, who, what it runs.
    fn turns(&self, turns: &[(u32, &str, &[&str])]) -> String {
        let mut text = String::new();
        for (minute, who, args) in turns {
            let repo = if who.starts_with("claude") { &self.one } else { &self.two };
            let ended = repo.aio_at(&at(*minute), who, args);
            let _ = write!(text, "{who}$ git aio {}\n{}", args.join(" "), ended.shown());
        }
        self.one.steady(&text)
    }

    /// Moves the hub away, or back.
    fn move_hub(&self, away: bool) {
        let elsewhere = self.hub.with_extension("away");
        let (from, to) = if away { (&self.hub, &elsewhere) } else { (&elsewhere, &self.hub) };
        fs::rename(from, to).unwrap();
    }
}

const TEN: &str = "2026-03-01T10:00:00Z";

fn at(minute: u32) -> String {
    format!("2026-03-01T10:{minute:02}:00Z")
}

fn json_at(repo: &Repo<'_>, minute: u32, who: &str, args: &[&str]) -> Value {
    let ended = repo.aio_at(&at(minute), who, &[args, &["--json"]].concat());
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {ended:?}"))
}

#[test]
fn a_claim_says_how_sure_it_is() {
    let env = TestEnvironment::new();
    let clones = Clones::new(&env);
    let (claude, _) = clones.registered();
    assert_snapshot!(clones.turns(&[
        (0, &claude, &["claim", "src/"]),
        (1, &claude, &["status"]),
        (1, &claude, &["check", "src/main.rs"]),
        (2, &claude, &["sync"]),
        (3, &claude, &["sync"]),
        (3, &claude, &["claim", "src/"]),
        (3, &claude, &["claim", "README.md", "--strict"]),
        (4, &claude, &["status"]),
    ]), @r"
    claude-1$ git aio claim src/
    claimed HEX  src (directory), 2 tracked files (tentative: the hub has not confirmed it)
    ! warning: src covers 2 of 3 tracked files: claim less if you can
    claude-1$ git aio status
    one after 3 operations
    hub origin: 3 operations pending, never synced

    claude-1 live, seen 0s ago (you)
      HEX  src (directory, tentative), claimed 1m ago
    claude-1$ git aio check src/main.rs
    yours src/main.rs
      HEX  src (directory, tentative) by you, claimed 1m ago
    claude-1$ git aio sync
    pushed 3 operations
    claude-1$ git aio sync
    nothing new
    claude-1$ git aio claim src/
    already yours HEX  src (directory), 2 tracked files (confirmed by the hub)
    ! warning: src covers 2 of 3 tracked files: claim less if you can
    claude-1$ git aio claim README.md --strict
    claimed HEX  README.md (file) (confirmed by the hub)
    claude-1$ git aio status
    one after 4 operations
    hub origin: nothing pending, last synced 1m ago

    claude-1 live, seen 0s ago (you)
      HEX  README.md (file), claimed 1m ago
      HEX  src (directory), claimed 4m ago
    ");
    let tentative = json_at(&clones.one, 4, &claude, &["claim", "task", "T-1"]);
    assert_eq!(tentative["claims"][0]["state"], "tentative");
    let strict = json_at(&clones.one, 4, &claude, &["claim", "task", "T-2", "--strict"]);
    assert_eq!(strict["claims"][0]["state"], "held");
    let status = json_at(&clones.one, 4, &claude, &["status"]);
    // The strict one took the other along.
    let hub = json!({"remote": "origin", "pending": 0, "lost": 0, "last_error": null, "last_error_at": null, "synced": at(4)});
    assert_eq!(status["hub"], hub);
    json_at(&clones.one, 5, &claude, &["claim", "x.rs"]);
    let checked = json_at(&clones.one, 5, &claude, &["check", "x.rs", "src/main.rs"]);
    assert_eq!(checked["as_of"]["synced"], at(4));
    assert_eq!(checked["paths"][0]["claims"][0]["state"], "tentative");
    assert_eq!(checked["paths"][1]["claims"][0]["state"], "held");
    assert_eq!(json_at(&clones.one, 5, &claude, &["status"])["hub"]["pending"], 1);
}

#[test]
fn who_loses_a_claim_is_told_to_whom_and_stopped_until_it_is_settled() {
    let env = TestEnvironment::new();
    let clones = Clones::new(&env);
    let (claude, codex) = clones.registered();
    clones.two.ok_as(&codex, &["init", "--quiet"]);
    assert_snapshot!(clones.turns(&[
        (0, &claude, &["claim", "src/", "--why", "the parser"]),
        (1, &codex, &["claim", "src/main.rs", "README.md"]),
        (2, &claude, &["sync"]),
        (3, &codex, &["sync"]),
        (3, &codex, &["status"]),
        (3, &codex, &["check", "src/main.rs", "README.md"]),
        (3, &codex, &["claim", "src/main.rs"]),
        (3, &codex, &["log", "-n", "1"]),
    ]), @r#"
    claude-1$ git aio claim src/ --why the parser
    claimed HEX  src (directory), 2 tracked files: "the parser" (tentative: the hub has not confirmed it)
    ! warning: src covers 2 of 3 tracked files: claim less if you can
    codex-2$ git aio claim src/main.rs README.md
    claimed HEX  src/main.rs (file) (tentative: the hub has not confirmed it)
    claimed HEX  README.md (file) (tentative: the hub has not confirmed it)
    claude-1$ git aio sync
    pushed 3 operations
    codex-2$ git aio sync
    pushed 2 operations, received 3 operations
    lost HEX  src/main.rs (file) of codex-2 to claude-1 of another clone: directory src, token 3, claimed 3m ago
    codex-2$ git aio status
    two after 5 operations
    hub origin: nothing pending, last synced 0s ago

    claude-1 live elsewhere, seen 0s ago
      HEX  src (directory), claimed 3m ago: "the parser"

    codex-2 live, seen 0s ago (you)
      HEX  README.md (file), claimed 2m ago
      HEX  src/main.rs (file), lost to claude-1 of another clone: directory src, token 3, claimed 3m ago
    ! warning: your claim on src/main.rs was lost to claude-1 of another clone: directory src, token 3, claimed 3m ago, last seen 0s ago
    codex-2$ git aio check src/main.rs README.md
    held src/main.rs
      HEX  src (directory) by claude-1, claimed 3m ago: "the parser"
      HEX  src/main.rs (file), which you held and lost to claude-1 of another clone: directory src, token 3, claimed 3m ago; claim or release it first
    yours README.md
      HEX  README.md (file) by you, claimed 2m ago
    ! warning: your claim on src/main.rs was lost to claude-1 of another clone: directory src, token 3, claimed 3m ago, last seen 0s ago
    [exit 3]
    codex-2$ git aio claim src/main.rs
    ! warning: your claim on src/main.rs was lost to claude-1 of another clone: directory src, token 3, claimed 3m ago, last seen 0s ago
    ! already claimed: src/main.rs is held by claude-1 of another clone through directory src, token 3, claimed 3m ago, last seen 0s ago: "the parser"
    ! hint: wait for it (claim --wait), claim something narrower, or ask the holder by `git aio handoff new`
    [exit 3]
    codex-2$ git aio log -n 1
        5 2026-03-01T10:01:00Z claim: README.md (file); src/main.rs (file) lost to claude-1 by codex-2
    ! warning: your claim on src/main.rs was lost to claude-1 of another clone: directory src, token 3, claimed 3m ago, last seen 0s ago
    "#);
    let error = json_at(&clones.two, 3, &codex, &["claim", "src/main.rs"]);
    let conflict = &error["error"]["conflicts"][0]["claim"];
    assert_eq!((&conflict["holder"], &conflict["since"]), (&json!(claude), &json!(at(0))));
    let status = json_at(&clones.two, 3, &codex, &["status"]);
    assert_eq!(status["hub"]["lost"], 1);
    let lost = &status["lost"][0];
    assert_eq!((&lost["target"], &lost["state"]), (&json!("src/main.rs"), &json!("lost")));
    let rival = json!({"holder": claude, "holds": "directory src", "token": conflict["token"], "since": at(0)});
    assert_eq!(lost["lost_to"], rival);

    // As long as it is held, that is what is said of it; the loss stays when it is free.
    let commit = |minute| {
        clones.two.write("src/main.rs", "mine\n");
        clones.two.git(&["add", "-A"]);
        let mut commit = env.command("git", &clones.two.dir);
        commit.env("AIO_INSTANCE", &codex).env("AIO_TEST_NOW", at(minute)).args(["commit", "-q", "-m", "x"]);
        clones.one.steady(&run(&mut commit).shown())
    };
    assert_snapshot!(commit(3), @r#"
    ! already claimed: src/main.rs is held by claude-1 of another clone through directory src, token 3, claimed 3m ago, last seen 0s ago: "the parser"
    ! commit refused
    ! hint: unstage these paths (git restore --staged <path>), wait for their holder, or ask by `git aio handoff new`
    [exit 1]
    "#);
    clones.turns(&[(4, &claude, &["release", "all"]), (4, &claude, &["sync"]), (4, &codex, &["sync"])]);
    assert_snapshot!(commit(4), @r"
    ! src/main.rs: your claim on src/main.rs was lost to claude-1 of another clone: directory src, token 3, claimed 4m ago, last seen 0s ago; claim or release it first (HEX)
    ! commit refused
    ! hint: unstage these paths (git restore --staged <path>), wait for their holder, or ask by `git aio handoff new`
    [exit 1]
    ");
    let checked = json_at(&clones.two, 4, &codex, &["check", "src/main.rs"]);
    assert_eq!(checked["paths"][0]["available"], false);
    assert_eq!(checked["paths"][0]["claims"][0]["lost_to"]["holder"], json!(claude));
    let id = lost["id"].as_str().unwrap();
    assert_snapshot!(clones.turns(&[(4, &codex, &["release", &id[..8]]), (4, &codex, &["check", "src/main.rs"])]), @r"
    codex-1$ git aio release HEX
    let go of the lost claim HEX
    ! warning: your claim on src/main.rs was lost to claude-2 of another clone: directory src, token 3, claimed 4m ago, last seen 0s ago
    codex-1$ git aio check src/main.rs
    available src/main.rs
    ");
    assert_eq!(commit(4), "! warning: src/main.rs is changed but not claimed by you\n");
}

#[test]
fn a_lost_claim_is_settled_by_claiming_again() {
    let env = TestEnvironment::new();
    let clones = Clones::new(&env);
    let (claude, codex) = clones.registered();
    clones.turns(&[
        (0, &claude, &["claim", "src/"]),
        (1, &codex, &["claim", "src/main.rs"]),
        (2, &claude, &["sync"]),
        (3, &codex, &["sync"]),
        (4, &claude, &["release", "all"]),
        (4, &claude, &["sync"]),
        (4, &codex, &["sync"]),
    ]);
    assert_eq!(json_at(&clones.two, 5, &codex, &["check", "src/main.rs"])["paths"][0]["available"], false);
    assert_snapshot!(clones.turns(&[
        (5, &codex, &["claim", "src/main.rs", "--strict", "--quiet"]),
        (5, &codex, &["check", "src/main.rs"]),
        (5, &codex, &["log", "--path", "src", "-n", "3"]),
    ]), @r"
    codex-1$ git aio claim src/main.rs --strict --quiet
    claimed HEX  src/main.rs (file) (confirmed by the hub)
    ! warning: your claim on src/main.rs was lost to claude-2 of another clone: directory src, token 3, claimed 5m ago, last seen 1m ago
    codex-1$ git aio check src/main.rs
    yours src/main.rs
      HEX  src/main.rs (file) by you, claimed 0s ago
    codex-1$ git aio log --path src -n 3
        7 2026-03-01T10:05:00Z claim: src/main.rs (file) by codex-1
        6 2026-03-01T10:04:00Z release: src (directory) by claude-2
        5 2026-03-01T10:01:00Z claim: src/main.rs (file) lost to claude-2 by codex-1
    ");
    assert_eq!(json_at(&clones.two, 5, &codex, &["status"])["lost"], json!([]));
}

#[test]
fn what_the_hub_did_not_confirm_was_not_claimed_and_why_is_remembered() {
    let env = TestEnvironment::new();
    let clones = Clones::new(&env);
    let (claude, codex) = clones.registered();
    clones.turns(&[(0, &claude, &["sync"])]);
    clones.move_hub(true);
    let before = clones.one.operations();
    let told = clones.turns(&[
        (1, &claude, &["claim", "src/", "--strict"]),
        (2, &claude, &["status"]),
        (2, &claude, &["claim", "README.md"]),
    ]);
    assert_snapshot!(told, @r"
    claude-1$ git aio claim src/ --strict
    ! error: nothing was claimed: the hub origin can't be reached: fatal: '~/hub.git' does not appear to be a git repository; fatal: Could not read from remote repository.
    ! hint: claim again when the hub can be reached
    [exit 7]
    claude-1$ git aio status
    one after 2 operations
    hub origin: nothing pending, last synced 2m ago
      the last sync failed 1m ago: the hub origin can't be reached: fatal: '~/hub.git' does not appear to be a git repository; fatal: Could not read from remote repository.

    claude-1 live, seen 0s ago (you)
    claude-1$ git aio claim README.md
    claimed HEX  README.md (file) (tentative: the hub has not confirmed it)
    ");
    assert_eq!(clones.one.operations(), before + 1, "only what is tentative was claimed");
    let error = json_at(&clones.one, 3, &claude, &["claim", "src/", "--strict"]);
    assert_eq!(error["error"]["kind"], "not-confirmed");
    let hub = &json_at(&clones.one, 4, &claude, &["status"])["hub"];
    assert_eq!((&hub["pending"], &hub["last_error_at"], &hub["synced"]), (&json!(1), &json!(at(3)), &json!(at(0))));
    let looked = clones.one.aio_at(&at(4), &claude, &["doctor"]);
    assert_eq!(looked.code, 1);
    let hub: Vec<&str> = looked.stdout.lines().filter(|line| line.contains(" hub ")).collect();
    assert!(
        hub[0].starts_with("failed  hub ") && hub[0].contains("the last sync failed 1m ago: the hub origin"),
        "{hub:?}"
    );

    clones.move_hub(false);
    assert_snapshot!(clones.turns(&[(5, &claude, &["sync"]), (5, &claude, &["status"])]), @r"
    claude-1$ git aio sync
    pushed 1 operation
    claude-1$ git aio status
    one after 3 operations
    hub origin: nothing pending, last synced 0s ago

    claude-1 live, seen 0s ago (you)
      HEX  README.md (file), claimed 3m ago
    ");

    clones.two.git(&["config", "--unset", "aio.remote"]);
    assert_snapshot!(clones.turns(&[(5, &codex, &["claim", "src/", "--strict"]), (5, &codex, &["sync"])]), @r"
    codex-1$ git aio claim src/ --strict
    ! error: no hub is named that could confirm a claim
    ! hint: name one with `git config aio.remote <remote>`, or leave --strict out
    [exit 2]
    codex-1$ git aio sync
    ! error: no hub is named, so there is nothing to sync with
    ! hint: name one with `git config aio.remote <remote>`, or `git aio sync --remote <remote>`
    [exit 2]
    ");
}

#[test]
fn a_hub_that_went_back_is_told_of() {
    let env = TestEnvironment::new();
    let clones = Clones::new(&env);
    let (claude, _) = clones.registered();
    clones.turns(&[(0, &claude, &["claim", "src/"]), (0, &claude, &["sync"])]);
    let old = clones.one.git(&["rev-parse", "refs/aio/state~1"]);
    clones.one.git(&["push", "-q", "-f", "origin", &format!("{}:refs/aio/state", old.trim())]);
    assert_snapshot!(clones.turns(&[(1, &claude, &["sync"]), (2, &claude, &["status"])]), @r"
    claude-1$ git aio sync
    ! error: the hub origin has gone back behind what it had taken
    ! hint: find out who did that and why; `git aio sync --recover` gives the hub what it lost from this clone
    [exit 7]
    claude-1$ git aio status
    one after 3 operations
    hub origin: nothing pending, last synced 2m ago
      the last sync failed 1m ago: the hub origin has gone back behind what it had taken

    claude-1 live, seen 0s ago (you)
      HEX  src (directory), claimed 2m ago
    ");
}

#[test]
fn a_handoff_goes_on_only_where_its_work_is() {
    let env = TestEnvironment::new();
    let clones = Clones::new(&env);
    let (claude, codex) = clones.registered();
    clones.one.write("src/auth.rs", "half done\n");
    clones.one.git(&["commit", "-q", "-a", "-m", "not pushed"]);
    clones.one.write("src/main.rs", "half done\n");
    clones.turns(&[(0, &claude, &["claim", "src/"])]);
    let made = json_at(&clones.one, 0, &claude, &["handoff", "new", "finish it"]);
    let id = made["handoff"]["id"].as_str().unwrap();
    assert_eq!(made["handoff"].get("missing"), None);
    clones.turns(&[(1, &claude, &["sync"])]);
    let commit = clones.one.git(&["rev-parse", "HEAD"]);
    assert_snapshot!(clones.turns(&[
        (1, &codex, &["handoff", "accept", id]),
        (1, &codex, &["sync"]),
        (1, &codex, &["handoff", "accept", id]),
    ]), @r"
    codex-1$ git aio handoff accept handoff-HEX
    ! error: no handoff handoff-HEX
    ! hint: `git aio handoff list` shows those there are; `git aio sync` brings those of other clones
    [exit 8]
    codex-1$ git aio sync
    pushed 1 operation, received 4 operations
    codex-1$ git aio handoff accept handoff-HEX
    ! error: handoff-HEX goes on from what this clone lacks: the commit HEX and changes that were not committed where it was made (src/main.rs)
    ! hint: let its maker commit and push them and hand on anew, or go on without them by --force
    [exit 3]
    ");
    let shown = json_at(&clones.two, 1, &codex, &["handoff", "show", id]);
    assert_eq!(shown["handoff"]["missing"], json!({"commit": commit.trim(), "dirty": ["src/main.rs"]}));
    let shown = clones.turns(&[(1, &codex, &["handoff", "show", id])]);
    let head: Vec<&str> = shown.lines().filter(|line| line.starts_with("> - ")).collect();
    assert_snapshot!(head.join("\n"), @r"
    > - Made at commit HEX on `main`
    > - Not committed: `src/main.rs`
    > - Not in this clone: commit HEX
    > - Not in this clone: what was not committed
    > - Claim HEX: `src` (directory), held by handoff-HEX
    ");

    // The commit can be fetched, what was not committed can't.
    clones.one.git(&["push", "-q", "origin", "main"]);
    clones.two.git(&["fetch", "-q"]);
    assert_snapshot!(clones.turns(&[
        (2, &codex, &["handoff", "accept", id]),
        (2, &codex, &["handoff", "accept", id, "--force"]),
        (2, &claude, &["handoff", "accept", id]),
    ]), @r"
    codex-1$ git aio handoff accept handoff-HEX
    ! error: handoff-HEX goes on from what this clone lacks: changes that were not committed where it was made (src/main.rs)
    ! hint: let its maker commit and push them and hand on anew, or go on without them by --force
    [exit 3]
    codex-1$ git aio handoff accept handoff-HEX --force
    accepted handoff-HEX (confirmed by the hub)
      you hold src (directory)
    claude-2$ git aio handoff accept handoff-HEX
    ! error: handoff-HEX is accepted already, by codex-1
    [exit 3]
    ");
}

#[test]
fn a_handoff_whose_work_was_pushed_is_accepted() {
    let env = TestEnvironment::new();
    let clones = Clones::new(&env);
    let (claude, codex) = clones.registered();
    clones.turns(&[(0, &claude, &["claim", "src/"]), (0, &claude, &["handoff", "new", "finish it"])]);
    clones.turns(&[(1, &claude, &["sync"]), (1, &codex, &["sync"])]);
    let id = json_at(&clones.two, 1, &codex, &["handoff", "list"])["handoffs"][0]["id"].as_str().unwrap().to_owned();
    // Out of reach, it is nobody's yet.
    clones.move_hub(true);
    let refused = clones.two.aio_at(&at(2), &codex, &["handoff", "accept", &id]);
    assert_eq!(refused.code, 7);
    assert!(refused.stderr.starts_with("error: nothing was accepted: the hub origin can't be reached"), "{refused:?}");
    clones.move_hub(false);
    assert_snapshot!(clones.turns(&[(2, &codex, &["handoff", "accept", &id])]), @r"
    codex-1$ git aio handoff accept handoff-HEX
    accepted handoff-HEX (confirmed by the hub)
      you hold src (directory)
    ");
}

#[test]
fn doctor_looks_at_the_settings_of_the_hub() {
    let env = TestEnvironment::new();
    let clones = Clones::new(&env);
    let (claude, _) = clones.registered();
    let look = || {
        let text = clones.one.aio_at(&at(2), &claude, &["doctor"]).stdout;
        let ours = text.lines().filter(|line| line.contains(" hub ") || line.contains(" background "));
        clones.one.steady(&ours.collect::<Vec<_>>().join("\n"))
    };
    assert_snapshot!(look(), @r"
    ok      hub                origin: 2 operations pending, never synced
    ok      background         off, since aio.backgroundSync is false
    ");
    clones.one.git(&["config", "aio.backgroundSync", "true"]);
    clones.one.git(&["config", "aio.confirm", "local"]);
    clones.turns(&[(1, &claude, &["sync"])]);
    assert_snapshot!(look(), @r"
    ok      hub                origin: has all 2 operations, last synced 1m ago, project HEX
    ok      background         off, since aio.confirm is local
    ");
    clones.one.git(&["config", "aio.confirm", "lazy"]);
    clones.one.git(&["config", "remote.origin.pushurl", "git@elsewhere.example:a/b.git"]);
    assert_snapshot!(look(), @r"
    failed  hub                origin is fetched from file://~/hub.git and pushed to git@elsewhere.example:a/b.git: name the one that decides, by its URL, as aio.remote
    ok      background         starts with the next write; none is at work
    ");
    clones.one.git(&["config", "--unset", "remote.origin.pushurl"]);
    clones.one.git(&["config", "url.git@elsewhere.example:.pushInsteadOf", "file://"]);
    let told = look();
    assert!(
        told.contains("by url.git@elsewhere.example:.pushInsteadOf git pushes to git@elsewhere.example:"),
        "{told}"
    );
    clones.one.git(&["config", "--unset", "url.git@elsewhere.example:.pushInsteadOf"]);
    clones.one.git(&["config", "aio.remote", "upstream"]);
    assert_snapshot!(look(), @r"
    failed  hub                aio.remote is upstream, and there is no remote of that name; `git remote -v` lists them
    ok      background         starts with the next write; none is at work
    ");
    clones.one.git(&["config", "--unset", "aio.remote"]);
    assert_snapshot!(look(), @"ok      hub                none is named: nothing is sent anywhere");
}

#[test]
fn a_prefix_that_was_changed_is_told_from_a_store_that_is_lost() {
    let env = TestEnvironment::new();
    let clones = Clones::new(&env);
    let claude = clones.one.register("claude");
    clones.one.ok_as(&claude, &["sync"]);
    clones.one.git(&["config", "aio.refPrefix", "refs/heads/aio"]);
    let told = clones.one.aio_as(&claude, &["sync"]);
    assert_eq!(told.code, 7, "{told:?}");
    assert!(told.stderr.contains("when this clone last synced, aio.refPrefix was refs/aio"), "{}", told.stderr);
    clones.one.git(&["push", "-q", "--no-verify", "origin", "refs/aio/state:refs/heads/aio/state"]);
    clones.one.ok_as(&claude, &["sync"]);
    clones.one.git(&["config", "aio.refPrefix", "refs/aio"]);
    clones.one.ok_as(&claude, &["sync"]);
}

/// Waits until `is_so`, and fails when that takes too long.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(unix)]
#[test]
fn a_write_is_followed_by_one_sync_in_the_background() {
    use std::os::unix::fs::PermissionsExt as _;
    let env = TestEnvironment::new();
    let clones = Clones::new(&env);
    let repo = &clones.one;
    let claude = repo.register("claude");
    repo.ok_as(&claude, &["sync"]);
    repo.git(&["config", "aio.backgroundSync", "true"]);
    repo.git(&["config", "aio.syncInterval", "1s"]);
    // The hub notes each push, and takes it when it is allowed to.
    let (began, go) = (clones.hub.join("began"), clones.hub.join("go"));
    let hook = clones.hub.join("hooks/pre-receive");
    let script =
        format!("#!/bin/sh\necho x >>{}\nwhile [ ! -e {} ]; do sleep 0.02; done\n", began.display(), go.display());
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, script).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let pushes = || fs::read_to_string(&began).map_or(0, |text| text.lines().count());
    let hub_has = || run(env.command("git", &clones.hub).args(["rev-parse", "refs/aio/state"])).stdout;
    let pending = || repo.json_as(&claude, &["status"])["hub"]["pending"].as_u64().unwrap();
    let doctor = || repo.aio_as(&claude, &["doctor"]).stdout;

    let first = repo.aio_as(&claude, &["claim", "src/auth.rs"]);
    assert_eq!((first.code, first.stderr.as_str()), (0, ""), "{first:?}");
    assert!(first.stdout.contains("(tentative: the hub has not confirmed it)"), "{first:?}");
    until("the background push begins", || pushes() == 1);
    assert!(doctor().contains("a sync is at work"));
    for name in ["a", "b", "c"] {
        let more = repo.aio_as(&claude, &["claim", name]);
        assert_eq!(more.code, 0, "the hub is busy, and nobody waits for it: {more:?}");
    }
    assert_eq!((pushes(), pending()), (1, 4), "one at a time");
    fs::write(&go, "").unwrap();
    until("the hub has it all", || pending() == 0);
    assert_eq!(hub_has(), repo.git(&["rev-parse", "refs/aio/state"]));
    assert_eq!(pushes(), 2, "what was written meanwhile is one push");
    until("it has ended", || doctor().contains("none is at work"));

    clones.move_hub(true);
    let quiet = repo.aio_as(&claude, &["claim", "d"]);
    assert_eq!((quiet.code, quiet.stderr.lines().count()), (0, 1), "of the failure nothing is said: {quiet:?}");
    until("the failure is remembered", || repo.json_as(&claude, &["status"])["hub"]["last_error"].is_string());
    assert!(repo.ok_as(&claude, &["status"]).contains("the last sync failed "));
    assert!(doctor().lines().any(|line| line.starts_with("failed  hub ") && line.contains("can't be reached")));
    until("it has ended", || doctor().contains("none is at work"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_sync_that_follows_what_a_command_of_a_run_wrote_is_not_ended_with_that() {
    use std::os::unix::fs::PermissionsExt as _;
    let env = TestEnvironment::new();
    let clones = Clones::new(&env);
    let repo = &clones.one;
    repo.ok(&["sync"]);
    repo.git(&["config", "aio.backgroundSync", "true"]);
    repo.git(&["config", "aio.syncInterval", "1s"]);
    // The hub notes each push, and keeps it waiting while it is told to.
    let (began, stay) = (clones.hub.join("began"), clones.hub.join("stay"));
    let hook = clones.hub.join("hooks/pre-receive");
    let script =
        format!("#!/bin/sh\necho x >>{}\nwhile [ -e {} ]; do sleep 0.02; done\n", began.display(), stay.display());
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, script).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    // What the run itself has started comes to its end before.
    let lines = format!(
        "until git aio doctor | grep -q 'none is at work'; do sleep 0.02; done\ntouch {1}\nrm -f {0}\n\
         git aio context learning found\nwhile [ ! -e {0} ]; do sleep 0.02; done\n",
        began.display(),
        stay.display()
    );
    fs::write(repo.dir.join("write.sh"), lines).unwrap();
    let flow = "about = \"x\"\n[[step]]\nid = \"a\"\nrun = \"sh write.sh\"\ntimeout = \"60s\"\n";
    fs::write(repo.dir.join("flow.toml"), flow).unwrap();
    let ended = repo.aio(&["run", "./flow.toml"]);
    assert!(ended.code == 0 && !ended.stderr.contains("left behind"), "{ended:?}");
    fs::remove_file(&stay).unwrap();
    until("the hub has it all", || repo.json_as("", &["status"])["hub"]["pending"].as_u64() == Some(0));
    until("it has ended", || repo.aio(&["doctor"]).stdout.contains("none is at work"));
}
