//! Asking: what is available, what is held, and the answer's shape.

use crate::env::{Ended, Repo, TestEnvironment, ended};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::{io::Write, process::Stdio};

const TEN: &str = "2026-03-01T10:00:00Z";

/// `check` with `input` on its standard input.
fn asked(repo: &Repo<'_>, instance: &str, args: &[&str], input: &[u8]) -> Ended {
    let mut command = repo.command(&[&["check"], args].concat());
    command.env("AIO_INSTANCE", instance).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    process.stdin.take().unwrap().write_all(input).unwrap();
    ended(&process.wait_with_output().unwrap())
}

/// Each path of an answer with whether it is available.
fn paths(answer: &str) -> Vec<(String, bool)> {
    let answer: Value = serde_json::from_str(answer).unwrap();
    let paths = answer["paths"].as_array().unwrap().iter();
    paths.map(|path| (path["path"].as_str().unwrap().into(), path["available"].as_bool().unwrap())).collect()
}

#[test]
fn a_check_tells_what_is_free_what_is_yours_and_what_is_held() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    let session = repo.turns(
        TEN,
        &[
            (&claude, &["claim", "src/auth/", "--why", "sessions"]),
            (&claude, &["claim", "task", "T-1"]),
            (&codex, &["check", "README.md"]),
            (&codex, &["check", "src/auth/login.rs", "README.md"]),
            (&codex, &["check", "src"]),
            (&codex, &["check", "pattern", "*.rs"]),
            (&codex, &["check", "task", "T-1"]),
            (&claude, &["check", "src/auth/login.rs"]),
            ("", &["check", "src/auth/new.rs"]),
        ],
    );
    assert_snapshot!(session, @r#"
    claude-1$ git aio claim src/auth/ --why sessions
    claimed HEX  src/auth (directory), 2 tracked files: "sessions"
    claude-1$ git aio claim task T-1
    claimed HEX  T-1 (task)
    codex-2$ git aio check README.md
    available README.md
    codex-2$ git aio check src/auth/login.rs README.md
    held src/auth/login.rs
      HEX  src/auth (directory) by claude-1, claimed 0s ago: "sessions"
    available README.md
    [exit 3]
    codex-2$ git aio check src
    held src
      HEX  src/auth (directory) by claude-1, claimed 0s ago: "sessions"
    [exit 3]
    codex-2$ git aio check pattern *.rs
    held **/*.rs
      HEX  src/auth (directory) by claude-1, claimed 0s ago: "sessions"
    [exit 3]
    codex-2$ git aio check task T-1
    held T-1
      HEX  T-1 (task) by claude-1, claimed 0s ago
    [exit 3]
    claude-1$ git aio check src/auth/login.rs
    yours src/auth/login.rs
      HEX  src/auth (directory) by you, claimed 0s ago: "sessions"
    $ git aio check src/auth/new.rs
    held src/auth/new.rs
      HEX  src/auth (directory) by claude-1, claimed 0s ago: "sessions"
    [exit 3]
    "#);
}

#[test]
fn a_check_tells_what_is_shared_and_what_binds_nobody_any_more() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let [a, b] = ["claude", "codex"].map(|tool| repo.aio_at(TEN, "", &["register", tool]).stdout.trim().to_owned());
    repo.aio_at(TEN, &a, &["claim", "src/auth/", "--shared"]);
    repo.aio_at(TEN, &a, &["claim", "README.md", "--ttl", "1m"]);
    let later = "2026-03-01T10:02:00Z";
    let gone = "2026-03-01T10:30:00Z";
    let session = repo.turns(later, &[(&b, &["check", "src/auth/login.rs", "README.md"])])
        + &repo.turns(gone, &[(&b, &["check", "src/auth/login.rs"])]);
    assert_snapshot!(session, @r"
    codex-1$ git aio check src/auth/login.rs README.md
    shared src/auth/login.rs
      HEX  src/auth (directory, shared) by claude-2, claimed 2m ago
    available README.md
      HEX  README.md (file) by claude-2, claimed 2m ago, expired; the next claim takes it over
    [exit 3]
    codex-1$ git aio check src/auth/login.rs
    available src/auth/login.rs
      HEX  src/auth (directory, shared) by claude-2 (stale), claimed 30m ago; the next claim takes it over
    ");
    let states = |now: &str, command: &[&str], list: &str| -> Vec<String> {
        let answer = repo.aio_at(now, &b, &[command, &["--json"]].concat()).stdout;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let claims = answer.pointer(list).unwrap().as_array().unwrap().iter();
        claims
            .map(|claim| format!("{} {}", claim["mode"].as_str().unwrap(), claim["state"].as_str().unwrap()))
            .collect()
    };
    repo.aio_at(later, &a, &["heartbeat"]);
    assert_eq!(states(later, &["check", "src/auth"], "/paths/0/claims"), ["shared held"]);
    assert_eq!(states(later, &["check", "README.md"], "/paths/0/claims"), ["exclusive expired"]);
    assert_eq!(states(gone, &["check", "src/auth"], "/paths/0/claims"), ["shared stale"]);
    assert_eq!(states(gone, &["status"], "/claims"), ["exclusive expired", "shared stale"]);
}

#[test]
fn the_answer_has_the_same_shape_also_when_it_is_no() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    let free = repo.aio_as(&codex, &["check", "src/main.rs", "--json"]);
    let free_answer: Value = serde_json::from_str(&free.stdout).unwrap();
    assert_eq!(free.code, 0);
    let seq = repo.operations();
    assert_eq!(
        free_answer,
        json!({
            "schema": 1,
            "as_of": {"seq": seq, "synced": null},
            "paths": [{"path": "src/main.rs", "available": true, "claims": []}],
        })
    );
    let claim = repo.json_as(&claude, &["claim", "src/main.rs"])["claims"][0].clone();
    let held = repo.aio_as(&codex, &["check", "src/main.rs", "--json"]);
    let held_answer: Value = serde_json::from_str(&held.stdout).unwrap();
    assert_eq!((held.code, held.stderr.as_str()), (3, ""));
    assert_eq!(
        held_answer,
        json!({
            "schema": 1,
            "as_of": {"seq": seq + 1, "synced": null},
            "paths": [{"path": "src/main.rs", "available": false, "claims": [claim]}],
        })
    );
}

#[test]
fn what_is_staged_is_judged_as_the_fence_will() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok_as(&claude, &["claim", "src/auth/", "docs/"]);
    assert_eq!(paths(&repo.aio_as(&codex, &["check", "--staged", "--json"]).stdout), []);
    repo.write("README.md", "changed\n");
    repo.git(&["add", "README.md"]);
    assert_eq!(repo.aio_as(&codex, &["check", "--staged"]).code, 0);
    repo.git(&["mv", "src/auth/login.rs", "src/login.rs"]);
    repo.git(&["rm", "-q", "src/auth/token.rs"]);
    repo.write("docs/new.md", "new\n");
    repo.git(&["add", "docs"]);
    repo.write("src/main.rs", "not staged\n");
    let answer = repo.aio_as(&codex, &["check", "--staged", "--json"]);
    assert_eq!(answer.code, 3);
    let mut found = paths(&answer.stdout);
    found.sort();
    let expected = [
        ("README.md", true),
        ("docs/new.md", false),
        ("src/auth/login.rs", false),
        ("src/auth/token.rs", false),
        ("src/login.rs", true),
    ];
    assert_eq!(found, expected.map(|(path, available)| (path.to_owned(), available)));
    assert_eq!(repo.aio_as(&codex, &["hook", "pre-commit"]).code, 3);
    assert_eq!(repo.aio_as(&claude, &["check", "--staged"]).code, 0, "the holder may");
}

#[test]
fn paths_can_come_on_standard_input() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok_as(&claude, &["claim", "two\nlines", "a b", "*.ts"]);
    let lines = asked(&repo, &codex, &["--stdin", "--json"], b"a b\nREADME.md\n\nsrc/deep/x.test.ts");
    assert_eq!(lines.code, 3, "{lines:?}");
    let expected = [("a b", false), ("README.md", true), ("src/deep/x.test.ts", false)];
    assert_eq!(paths(&lines.stdout), expected.map(|(path, available)| (path.to_owned(), available)));
    let nul = asked(&repo, &codex, &["-z", "--stdin", "--json"], b"two\nlines\0README.md\0");
    assert_eq!(paths(&nul.stdout), [("two\nlines".to_owned(), false), ("README.md".to_owned(), true)]);
    assert_eq!(asked(&repo, &codex, &["--stdin"], b"").code, 0, "nothing asked, nothing held");
    assert_eq!(asked(&repo, &codex, &["--stdin"], b"../outside\n").code, 2);
    let below = Repo { env: &env, dir: repo.dir.join("src/deep") };
    assert_eq!(asked(&below, &codex, &["--stdin"], b"x.test.ts\n").code, 3, "as typed in the folder of the command");
}

#[test]
fn ways_to_ask_exclude_each_other() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    for args in [
        &["check"][..],
        &["check", "--staged", "a"],
        &["check", "--staged", "--stdin"],
        &["check", "-z", "a"],
        &["check", ""],
    ] {
        assert_eq!(repo.aio(args).code, 2, "{args:?}");
    }
}

#[test]
fn a_check_writes_nothing_but_a_sign_of_life() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok_as(&claude, &["claim", "src/"]);
    let before = (repo.git(&["rev-parse", "refs/aio/state"]), repo.git(&["count-objects"]));
    repo.aio_as(&codex, &["check", "src/main.rs"]);
    repo.aio(&["check", "src/main.rs"]);
    repo.aio_as(&claude, &["check", "--staged"]);
    assert_eq!((repo.git(&["rev-parse", "refs/aio/state"]), repo.git(&["count-objects"])), before);
}

#[test]
fn many_paths_are_asked_about_at_once() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok_as(&claude, &["claim", "f/0999"]);
    let input: String = (0..1000).map(|number| format!("f/{number:04}\n")).collect();
    let answer = asked(&repo, &codex, &["--stdin", "--json"], input.as_bytes());
    let held: Vec<_> = paths(&answer.stdout).into_iter().filter(|(_, available)| !available).collect();
    assert_eq!(held, [("f/0999".to_owned(), false)]);
}

#[test]
fn a_claim_of_somebody_gone_hides_no_other() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let later = "2026-03-01T10:06:00Z";
    let [gone, here, me] = ["claude", "codex", "gemini"].map(|tool| {
        let ended = repo.aio_at(TEN, "", &["register", tool]);
        ended.stdout.trim().to_owned()
    });
    repo.write("README.md", "changed\n");
    repo.git(&["add", "-A"]);
    for (first, second) in [(&gone, &here), (&here, &gone)] {
        repo.aio_at(TEN, first, &["claim", "--shared", "README.md"]);
        repo.aio_at(TEN, second, &["claim", "--shared", "README.md"]);
        repo.aio_at(later, &here, &["heartbeat"]);
        assert_eq!(repo.aio_at(later, &me, &["check", "--staged"]).code, 3);
        assert_eq!(repo.aio_at(later, &me, &["check", "README.md"]).code, 3);
        assert_eq!(repo.aio_at(later, &me, &["hook", "pre-commit"]).code, 3);
        repo.aio_at(TEN, &gone, &["release", "all"]);
        repo.aio_at(TEN, &here, &["release", "all"]);
    }
    repo.aio_at(TEN, &me, &["claim", "README.md"]);
    repo.aio_at(later, &gone, &["claim", "README.md"]);
    let much_later = "2026-03-01T10:20:00Z";
    assert_eq!(repo.aio_at(much_later, &me, &["hook", "pre-commit"]).code, 3, "it was lost, whoever took it");
}

#[test]
fn a_damaged_name_has_no_power_over_a_terminal() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    let id = repo.json_as(&claude, &["claim", "file", "a\u{1b}[2J\u{202e}"])["claims"][0]["id"].clone();
    for args in [
        &["release", id.as_str().unwrap()][..],
        &["check", "a\u{1b}[2J\u{202e}"],
        &["claim", "a\u{1b}[2J\u{202e}"],
        &["claim", "../\u{1b}[2J"],
        &["whoami", "--as", "\u{1b}[2J"],
        &["claim", "task", "\u{1b}[2J"],
        &["status"],
        &["log"],
    ] {
        let ended = repo.aio_as(&codex, args);
        let words = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!words.contains(['\u{1b}', '\u{202e}']), "{args:?}: {words:?}");
    }
}
