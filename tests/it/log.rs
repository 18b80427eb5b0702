//! The audit trail.

use crate::env::TestEnvironment;
use insta::assert_snapshot;

const TEN: &str = "2026-03-01T10:00:00Z";

#[test]
fn every_operation_says_in_a_line_what_was_done_and_by_whom() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.aio_at(TEN, "", &["register", "claude"]).stdout.trim().to_owned();
    let codex = repo.aio_at(TEN, "", &["register", "codex"]).stdout.trim().to_owned();
    for (who, args) in [
        (&claude, &["task", "port the parser", "T-1"][..]),
        (&claude, &["claim", "a", "b", "c", "d/", "--why", "so"]),
        (&claude, &["claim", "task", "T-1"]),
        (&claude, &["claim", "a", "--shared"]),
        (&claude, &["context", "warning", "it bites\nand more"]),
        (&claude, &["handoff", "new", "go on", "--to", "codex"]),
        (&codex, &["context", "get"]),
        (&codex, &["check", "src"]),
        (&codex, &["claim", "README.md"]),
        (&codex, &["release", "all"]),
        (&claude, &["unregister"]),
    ] {
        let ended = repo.aio_at(TEN, who, args);
        assert_eq!(ended.code, 0, "{args:?} {ended:?}");
    }
    let session = repo.turns(TEN, &[("", &["log"]), ("", &["log", "-n", "2"]), ("", &["log", "-n", "0"])]);
    assert_snapshot!(session, @r"
    $ git aio log
       12 2026-03-01T10:00:00Z unregister: claude-1 by claude-1
       11 2026-03-01T10:00:00Z release: README.md (file) by codex-2
       10 2026-03-01T10:00:00Z claim: README.md (file) by codex-2
        9 2026-03-01T10:00:00Z handoff: handoff-HEX: go on by claude-1
        8 2026-03-01T10:00:00Z note: warning: it bites\nand more by claude-1
        7 2026-03-01T10:00:00Z claim: a (file), now shared by claude-1
        6 2026-03-01T10:00:00Z claim: T-1 (task) by claude-1
        5 2026-03-01T10:00:00Z claim: a (file), b (file), c (file) and 1 more by claude-1
        4 2026-03-01T10:00:00Z task: port the parser by claude-1
        3 2026-03-01T10:00:00Z register: codex-2 in demo by codex-2
        2 2026-03-01T10:00:00Z register: claude-1 in demo by claude-1
        1 2026-03-01T10:00:00Z create: store HEX
    $ git aio log -n 2
       12 2026-03-01T10:00:00Z unregister: claude-1 by claude-1
       11 2026-03-01T10:00:00Z release: README.md (file) by codex-2
    $ git aio log -n 0
    ");
    let subjects = repo.git(&["log", "--reverse", "--format=%s", "refs/aio/state"]);
    let log = repo.json_as("", &["log"]);
    let told: Vec<&str> =
        log["entries"].as_array().unwrap().iter().rev().map(|entry| entry["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects.lines().collect::<Vec<_>>(), told, "git's own log says the same");
}

#[test]
fn a_path_has_a_history_of_its_own() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok_as(&claude, &["claim", "src/auth/"]);
    repo.ok_as(&codex, &["claim", "README.md"]);
    repo.ok_as(&claude, &["context", "decision", "tokens", "--path", "src/auth/token.rs"]);
    repo.ok_as(&claude, &["context", "decision", "nothing of it"]);
    repo.ok_as(&claude, &["handoff", "new", "go on"]);
    let handoff = repo.json_as("", &["handoff", "list"])["handoffs"][0]["id"].as_str().unwrap().to_owned();
    repo.ok_as(&codex, &["handoff", "accept", &handoff]);
    repo.ok_as(&codex, &["release", "all"]);
    let verbs = |args: &[&str]| -> Vec<String> {
        let log = repo.json_as("", &[&["log"], args].concat());
        log["entries"].as_array().unwrap().iter().map(|entry| entry["op"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(verbs(&["--path", "src/auth/token.rs"]), ["release", "accept", "handoff", "note", "claim"]);
    assert_eq!(
        verbs(&["--path", "src"]),
        ["release", "accept", "handoff", "note", "claim"],
        "a folder, with all in it"
    );
    assert_eq!(verbs(&["--path", "README.md"]), ["release", "claim"]);
    assert_eq!(verbs(&["--path", "README.md", "-n", "1"]), ["release"]);
    assert_eq!(verbs(&["--path", "docs"]), [""; 0]);
    let nothing = repo.aio(&["log", "--path", "docs"]);
    assert_eq!((nothing.stdout.as_str(), nothing.stderr.as_str()), ("", "no operation concerns docs\n"));
    assert_eq!(repo.aio(&["log", "--path", "../outside"]).code, 2);
}

#[test]
fn a_claim_that_is_renewed_is_told_with_what_is_new_about_it() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    for args in [
        &["claim", "src/"][..],
        &["claim", "src/", "--shared"],
        &["claim", "src/", "--shared", "--ttl", "2h"],
        &["claim", "src/", "--why", "sessions"],
        &["claim", "src/", "README.md"],
        &["claim", "docs/", "--shared"],
    ] {
        assert_eq!(repo.aio_at(TEN, &claude, args).code, 0, "{args:?}");
    }
    assert_snapshot!(repo.turns(TEN, &[(&claude, &["log", "-n", "6"])]), @r"
    claude-1$ git aio log -n 6
        8 2026-03-01T10:00:00Z claim: docs (directory, shared) by claude-1
        7 2026-03-01T10:00:00Z claim: src (directory), held before, README.md (file) by claude-1
        6 2026-03-01T10:00:00Z claim: src (directory), now exclusive, for 'sessions' by claude-1
        5 2026-03-01T10:00:00Z claim: src (directory), until 2026-03-01T12:00:00Z by claude-1
        4 2026-03-01T10:00:00Z claim: src (directory), now shared by claude-1
        3 2026-03-01T10:00:00Z claim: src (directory) by claude-1
    ");
}

#[test]
fn a_repository_without_a_store_has_an_empty_log() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    assert_snapshot!(repo.session(None, &[&["log"], &["log", "--json"], &["status"]]), @r#"
    $ git aio log
    $ git aio log --json
    {
      "schema": 1,
      "entries": []
    }
    $ git aio status
    demo: nothing is coordinated here yet; begin with `git aio init`
    "#);
}
