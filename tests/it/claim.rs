//! Claiming: what is meant by what is typed, who is refused, and for how long.

use crate::env::{Ended, Refs, Repo, TestEnvironment, ended, run};
use insta::assert_snapshot;
use serde_json::Value;
use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    process::Stdio,
    time::{Duration, Instant},
};

const TEN: &str = "2026-03-01T10:00:00Z";
const NOON: &str = "2026-03-01T12:00:00Z";
const FIVE: &str = "2026-03-01T17:00:00Z";
const SEVEN: &str = "2026-03-01T19:00:00Z";

/// Each claim of the answer as `kind target`.
fn granted(repo: &Repo<'_>, instance: &str, args: &[&str]) -> Vec<String> {
    let answer = repo.json_as(instance, &[&["claim"], args].concat());
    let claims = answer["claims"].as_array().unwrap_or_else(|| panic!("{args:?}: {answer}"));
    claims.iter().map(|claim| format!("{} {}", text(&claim["kind"]), text(&claim["target"]))).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// What `instance` holds, as `kind target`.
fn held_by(repo: &Repo<'_>, instance: &str) -> Vec<String> {
    let status = repo.json_as("", &["status"]);
    let claims = status["claims"].as_array().unwrap().iter().filter(|claim| claim["holder"] == instance);
    claims.map(|claim| format!("{} {}", text(&claim["kind"]), text(&claim["target"]))).collect()
}

#[test]
fn what_is_typed_says_of_which_kind_it_is() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.write("task", "a file\n");
    repo.write("pattern/x", "in a folder\n");
    repo.write("odd[1].rs", "named like a pattern\n");
    let claude = repo.register("claude");
    for (typed, meant) in [
        (&["README.md"][..], "file README.md"),
        (&["not-yet.rs"], "file not-yet.rs"),
        (&["src"], "directory src"),
        (&["src/"], "directory src"),
        (&["not-yet/"], "directory not-yet"),
        (&["."], "directory ."),
        (&["*.test.ts"], "pattern **/*.test.ts"),
        (&["src/**/*.rs"], "pattern src/**/*.rs"),
        (&["src/*.{rs,toml}"], "pattern src/*.{rs,toml}"),
        (&["odd[1].rs"], "file odd[1].rs"),
        (&["./task"], "file task"),
        (&["./pattern"], "directory pattern"),
        (&["file", "src/auth.rs"], "file src/auth.rs"),
        (&["file", "*.rs"], "file *.rs"),
        (&["directory", "not-yet"], "directory not-yet"),
        (&["dir", "src"], "directory src"),
        (&["pattern", "src/main.rs"], "pattern src/main.rs"),
        (&["task", "bd-a1.2"], "task bd-a1.2"),
    ] {
        assert_eq!(granted(&repo, &claude, typed), [meant], "{typed:?}");
    }
    assert_eq!(granted(&repo, &claude, &["file", "a", "b"]), ["file a", "file b"]);
}

#[test]
fn what_looks_like_a_slip_is_asked_about_or_told() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.write("notes.txt", "not added\n");
    let claude = repo.register("claude");
    let session = repo.session(
        Some(&claude),
        &[
            &["claim", "file", "src"],
            &["claim", "file", "."],
            &["claim", "fiel", "src/main.rs"],
            &["claim", "folder", "src"],
            &["check", "tsk", "T-1"],
            &["claim", "./fiel", "src/main.rs"],
            &["claim", "fiel"],
            &["claim", "notes.txt", "README.md"],
            &["claim", "notes.txt"],
            &["claim", "README.md", "--why", " "],
            &["register", "codex", "--task", ""],
        ],
    );
    assert_snapshot!(session, @r"
    $ git aio claim file src
    ! error: src is a folder, not a file
    ! hint: claim it with `git aio claim directory src`
    [exit 2]
    $ git aio claim file .
    ! error: the root of the repository is a folder, not a file
    ! hint: claim the root with `git aio claim directory .`
    [exit 2]
    $ git aio claim fiel src/main.rs
    ! error: 'fiel' is no kind of claim; did you mean file?
    ! hint: write `file`, or ./fiel for a file of that name
    [exit 2]
    $ git aio claim folder src
    ! error: 'folder' is no kind of claim; did you mean directory?
    ! hint: write `directory`, or ./folder for a file of that name
    [exit 2]
    $ git aio check tsk T-1
    ! error: 'tsk' is no kind of claim; did you mean task?
    ! hint: write `task`, or ./tsk for a file of that name
    [exit 2]
    $ git aio claim ./fiel src/main.rs
    claimed HEX  fiel (file)
    claimed HEX  src/main.rs (file)
    ! fiel does not exist yet
    $ git aio claim fiel
    already yours HEX  fiel (file)
    $ git aio claim notes.txt README.md
    claimed HEX  notes.txt (file)
    claimed HEX  README.md (file)
    $ git aio claim notes.txt
    already yours HEX  notes.txt (file)
    $ git aio claim README.md --why  
    ! error: the reason is empty
    ! hint: say why, or leave --why out
    [exit 2]
    $ git aio register codex --task 
    ! error: the task is empty
    ! hint: say what it is, or leave it out
    [exit 2]
    ");
    repo.write("fiel", "a file of that name\n");
    assert_eq!(granted(&repo, &claude, &["fiel", "README.md"]), ["file fiel", "file README.md"]);
}

#[test]
fn an_answer_that_can_not_be_written_does_not_hide_that_the_claim_was_made() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    for (target, json) in [("README.md", ""), ("src/main.rs", "--json")] {
        let line = format!("git-aio claim {target} {json} >/dev/full");
        let ended = run(repo.env.command("sh", &repo.dir).args(["-c", &line]).env("AIO_INSTANCE", &claude));
        assert_eq!(ended.code, 1, "{ended:?}");
        let told = "error: the claim was made, but the answer could not be written to standard output: ";
        assert!(ended.stderr.starts_with(told), "{ended:?}");
    }
    assert_eq!(held_by(&repo, &claude), ["file README.md", "file src/main.rs"]);
}

#[test]
fn what_can_not_be_meant_is_refused_and_says_why() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    let before = repo.operations();
    let session = repo.session(
        Some(&claude),
        &[
            &["claim"],
            &["claim", ""],
            &["claim", "task"],
            &["claim", "file", "."],
            &["claim", "task", "two words"],
            &["claim", "pattern", "src/[a"],
            &["claim", "/etc/passwd"],
            &["claim", "../elsewhere"],
            &["claim", "src/../../elsewhere"],
            &["claim", ".git/config"],
            &["claim", "src/.GIT/x"],
            &["claim", "pattern", ".git/*"],
            &["claim", "../*.rs"],
            &["claim", "README.md", "--ttl", "soon"],
            &["claim", "README.md", "--ttl", "0s"],
            &["claim", "README.md", "--wait=soon"],
        ],
    );
    assert_snapshot!(session, @r"
    $ git aio claim
    ! error: the following required arguments were not provided:
    !   <[KIND] TARGET>...
    ! 
    ! Usage: git aio claim <[KIND] TARGET>...
    ! 
    ! For more information, try '--help'.
    [exit 2]
    $ git aio claim 
    ! error: the target is empty
    ! hint: name a file, a folder, a pattern or a task
    [exit 2]
    $ git aio claim task
    ! error: no target after the kind 'task'
    ! hint: name one; a path of that name is written ./task
    [exit 2]
    $ git aio claim file .
    ! error: the root of the repository is a folder, not a file
    ! hint: claim the root with `git aio claim directory .`
    [exit 2]
    $ git aio claim task two words
    ! error: invalid task id 'two words': use 1 to 128 of letters, digits and . _ : # @ + -
    ! hint: `git aio tasks list` shows those there are
    [exit 2]
    $ git aio claim pattern src/[a
    ! error: 'src/[a' is not a pattern: a '[' is not closed; write \[ for the character
    ! hint: see `git aio claim --help`
    [exit 2]
    $ git aio claim /etc/passwd
    ! error: /etc/passwd is outside the repository at ~/demo
    ! hint: name a path inside it, or run the command in the repository that has it
    [exit 2]
    $ git aio claim ../elsewhere
    ! error: ../elsewhere is outside the repository at ~/demo
    ! hint: name a path inside it, or run the command in the repository that has it
    [exit 2]
    $ git aio claim src/../../elsewhere
    ! error: src/../../elsewhere is outside the repository at ~/demo
    ! hint: name a path inside it, or run the command in the repository that has it
    [exit 2]
    $ git aio claim .git/config
    ! error: '.git/config' is not a path inside the repository: it lies inside .git
    ! hint: see `git aio claim --help`
    [exit 2]
    $ git aio claim src/.GIT/x
    ! error: 'src/.GIT/x' is not a path inside the repository: it lies inside .git
    ! hint: see `git aio claim --help`
    [exit 2]
    $ git aio claim pattern .git/*
    ! error: '.git/*' is not a path inside the repository: it lies inside .git
    ! hint: see `git aio claim --help`
    [exit 2]
    $ git aio claim ../*.rs
    ! error: ../* is outside the repository at ~/demo
    ! hint: name a path inside it, or run the command in the repository that has it
    [exit 2]
    $ git aio claim README.md --ttl soon
    ! error: invalid value 'soon' for '--ttl <TIME>': expected number at 0; write it like 0s, 2h or 1d
    ! 
    ! For more information, try '--help'.
    [exit 2]
    $ git aio claim README.md --ttl 0s
    ! error: the time to live is shorter than a second
    ! hint: write it like 0s, 2h or 1d
    [exit 2]
    $ git aio claim README.md --wait=soon
    ! error: invalid value 'soon' for '--wait[=<TIME>]': expected number at 0; write it like 0s, 2h or 1d
    ! 
    ! For more information, try '--help'.
    [exit 2]
    ");
    assert_eq!(repo.operations(), before);
}

#[test]
fn kinds_that_overlap_exclude_each_other_and_others_do_not() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    for (first, second, overlap) in [
        (["file", "src/main.rs"], ["file", "src/main.rs"], true),
        (["file", "src/main.rs"], ["file", "src/auth/login.rs"], false),
        (["file", "src/main.rs"], ["directory", "src"], true),
        (["file", "src/main.rs"], ["directory", "src/auth"], false),
        (["file", "src/main.rs"], ["pattern", "*.rs"], true),
        (["file", "src/main.rs"], ["pattern", "/*.rs"], false),
        (["file", "src/main.rs"], ["directory", "."], true),
        (["directory", "src"], ["directory", "src/auth"], true),
        (["directory", "src"], ["directory", "src-old"], false),
        (["directory", "src"], ["pattern", "*.test.ts"], true),
        (["directory", "src"], ["pattern", "docs/**/*.md"], false),
        (["directory", "src"], ["pattern", "{docs,src}/*"], true),
        (["pattern", "src/**/*.test.ts"], ["pattern", "src/deep/*"], true),
        (["pattern", "*.ts"], ["pattern", "*.rs"], false),
        (["pattern", "src/[a-m]*"], ["pattern", "src/[n-z]*"], false),
        (["task", "T-1"], ["task", "T-1"], true),
        (["task", "T-1"], ["task", "T-2"], false),
        (["task", "src"], ["directory", "."], false),
    ] {
        for (mine, theirs) in [(first, second), (second, first)] {
            repo.ok_as(&claude, &[&["claim"], &mine[..]].concat());
            let ended = repo.aio_as(&codex, &[&["claim"], &theirs[..]].concat());
            assert_eq!(ended.code, if overlap { 3 } else { 0 }, "{mine:?} and {theirs:?}: {ended:?}");
            repo.ok_as(&claude, &["release", "all"]);
            repo.ok_as(&codex, &["release", "all"]);
        }
    }
}

#[test]
fn a_held_pattern_keeps_others_from_a_folder_and_from_a_commit_in_it() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.write("src/deep/x.test.ts", "changed\n");
    repo.git(&["add", "-A"]);
    let session = repo.turns(
        TEN,
        &[
            (&claude, &["claim", "*.test.ts", "--why", "new test runner"]),
            (&codex, &["claim", "src/"]),
            (&codex, &["check", "--staged"]),
            (&codex, &["hook", "pre-commit"]),
        ],
    );
    assert_snapshot!(session, @r#"
    claude-1$ git aio claim *.test.ts --why new test runner
    claimed HEX  **/*.test.ts (pattern), 1 tracked file: "new test runner"
    ! a pattern without a slash matches at any depth: **/*.test.ts
    codex-2$ git aio claim src/
    ! already claimed: src is held by claude-1 through pattern **/*.test.ts, claimed 0s ago: "new test runner"
    ! hint: wait for it (claim --wait), claim something narrower, or ask the holder by `git aio handoff new`
    [exit 3]
    codex-2$ git aio check --staged
    held src/deep/x.test.ts
      HEX  **/*.test.ts (pattern) by claude-1, claimed 0s ago: "new test runner"
    [exit 3]
    codex-2$ git aio hook pre-commit
    ! already claimed: src/deep/x.test.ts is held by claude-1 through pattern **/*.test.ts, claimed 0s ago: "new test runner"
    ! commit refused
    ! hint: unstage these paths (git restore --staged <path>), wait for their holder, or ask by `git aio handoff new`
    [exit 3]
    "#);
}

#[test]
fn several_targets_are_claimed_all_or_none() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.aio_at(TEN, &claude, &["claim", "README.md", "src/auth/"]);
    let before = repo.operations();
    let session = repo
        .turns(TEN, &[(&codex, &["claim", "src/main.rs", "README.md", "src/auth/token.rs"]), (&codex, &["status"])]);
    assert_snapshot!(session, @r"
    codex-1$ git aio claim src/main.rs README.md src/auth/token.rs
    ! already claimed: README.md is held by claude-2, claimed 0s ago
    !                  src/auth/token.rs is held by claude-2 through directory src/auth, claimed 0s ago
    ! hint: wait for it (claim --wait), claim something narrower, or ask the holder by `git aio handoff new`
    [exit 3]
    codex-1$ git aio status
    demo after 4 operations

    claude-2 live, seen 0s ago
      HEX  README.md (file), claimed 0s ago
      HEX  src/auth (directory), claimed 0s ago

    codex-1 live, seen 0s ago (you)
    ");
    assert_eq!(repo.operations(), before);
    repo.ok_as(&codex, &["claim", "src/main.rs", "src/deep/", "task.md"]);
    assert_eq!(repo.operations(), before + 1, "several are one operation");
    assert_eq!(held_by(&repo, &codex), ["directory src/deep", "file src/main.rs", "file task.md"]);
}

#[test]
fn the_same_target_twice_in_one_command_is_one_claim() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    repo.ok_as(&claude, &["claim", "README.md", "./README.md", "src", "src/"]);
    assert_eq!(held_by(&repo, &claude), ["file README.md", "directory src"]);
}

#[test]
fn shared_claims_admit_each_other_and_nothing_else() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let [claude, codex, gemini] = ["claude", "codex", "gemini"].map(|tool| repo.register(tool));
    repo.ok_as(&claude, &["claim", "--shared", "src/"]);
    repo.ok_as(&codex, &["claim", "--shared", "src/auth/"]);
    assert_eq!(repo.aio_as(&gemini, &["claim", "src/auth/login.rs"]).code, 3);
    assert!(repo.ok_as(&codex, &["check", "src/auth/login.rs"]).starts_with("available"));
    assert_eq!(repo.aio_as(&gemini, &["check", "src/auth/login.rs"]).code, 3, "who has no share may not change it");
    repo.ok_as(&codex, &["release", "all"]);
    repo.ok_as(&claude, &["release", "all"]);
    repo.ok_as(&gemini, &["claim", "src/auth/login.rs"]);
    assert_eq!(repo.aio_as(&codex, &["claim", "--shared", "src/"]).code, 3);
}

#[test]
fn what_is_held_already_is_granted_again_and_nothing_is_written() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    let first = repo.json_as(&claude, &["claim", "src/", "README.md"]);
    let before = repo.operations();
    assert_eq!(repo.json_as(&claude, &["claim", "src/", "README.md"]), first);
    assert!(repo.ok_as(&claude, &["claim", "src/"]).starts_with("already yours"));
    assert_eq!(repo.operations(), before);
    let part = repo.json_as(&claude, &["claim", "src/main.rs"]);
    assert_eq!(part["claims"][0]["target"], "src/main.rs", "a part of what is held may be claimed beside it");
}

#[test]
fn a_renewal_keeps_the_grant_and_a_change_of_mode_is_a_new_one() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    let one = |args: &[&str]| repo.json_as(&claude, &[&["claim", "src/"], args].concat())["claims"][0].clone();
    let first = one(&["--shared"]);
    let renewed = one(&["--shared", "--why", "reading", "--ttl", "1h"]);
    assert_eq!(
        (&renewed["id"], &renewed["token"], &renewed["since"]),
        (&first["id"], &first["token"], &first["since"])
    );
    assert_eq!((&renewed["why"], renewed["until"].is_string()), (&"reading".into(), true));
    let raised = one(&[]);
    assert_eq!((&raised["id"], &raised["mode"]), (&first["id"], &"exclusive".into()));
    assert!(raised["token"].as_u64() > first["token"].as_u64(), "{raised}");
    assert_eq!(raised["until"], Value::Null);
    let lowered = one(&["--shared"]);
    assert!(lowered["token"].as_u64() > raised["token"].as_u64(), "{lowered}");
}

#[test]
fn a_share_becomes_exclusive_only_when_no_other_is_left() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok_as(&claude, &["claim", "--shared", "src/"]);
    repo.ok_as(&codex, &["claim", "--shared", "src/main.rs"]);
    assert_eq!(repo.aio_as(&claude, &["claim", "src/"]).code, 3);
    let status = repo.json_as("", &["status"]);
    assert!(
        status["claims"].as_array().unwrap().iter().all(|claim| claim["mode"] == "shared"),
        "nothing is lost by it"
    );
    repo.ok_as(&codex, &["release", "all"]);
    repo.ok_as(&claude, &["claim", "src/"]);
    assert_eq!(repo.aio_as(&codex, &["claim", "--shared", "src/main.rs"]).code, 3);
}

#[test]
fn a_claim_ends_when_its_time_is_up_and_is_renewed_by_claiming_again() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    let session = repo
        .turns(TEN, &[(&claude, &["claim", "src/auth/", "--ttl", "3h"]), (&codex, &["claim", "src/auth/login.rs"])]);
    assert_snapshot!(session, @r"
    claude-1$ git aio claim src/auth/ --ttl 3h
    claimed HEX  src/auth (directory), 2 tracked files, for 3h more
    codex-2$ git aio claim src/auth/login.rs
    ! already claimed: src/auth/login.rs is held by claude-1 through directory src/auth, claimed 0s ago, for 3h more
    ! hint: wait for it (claim --wait), claim something narrower, or ask the holder by `git aio handoff new`
    [exit 3]
    ");
    let until = |now| {
        let answer = repo.aio_at(now, &claude, &["claim", "src/auth/", "--ttl", "3h", "--json"]).stdout;
        serde_json::from_str::<Value>(&answer).unwrap()["claims"][0]["until"].clone()
    };
    assert_eq!(until(NOON), "2026-03-01T15:00:00Z");
    repo.aio_at(FIVE, &claude, &["heartbeat"]);
    let session = repo.turns(
        FIVE,
        &[(&codex, &["check", "src/auth/login.rs"]), (&codex, &["claim", "src/auth/login.rs"]), (&claude, &["whoami"])],
    );
    assert_snapshot!(session, @r"
    codex-1$ git aio check src/auth/login.rs
    available src/auth/login.rs
      HEX  src/auth (directory) by claude-2, claimed 7h ago, expired; the next claim takes it over
    codex-1$ git aio claim src/auth/login.rs
    claimed HEX  src/auth/login.rs (file)
    ! src/auth: taken over from claude-2, expired
    claude-2$ git aio whoami
    claude-2 live, seen 0s ago
    ! warning: your claim on src/auth was ended 0s ago by codex-1, because its time was up
    ");
}

#[test]
fn a_persons_claim_ends_after_eight_hours_and_not_by_silence() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claimed = repo.aio_at(TEN, "", &["claim", "src/auth/", "--json"]);
    let claimed: Value = serde_json::from_str(&claimed.stdout).unwrap();
    assert_eq!(claimed["claims"][0]["until"], "2026-03-01T18:00:00Z");
    let codex = repo.register("codex");
    assert_eq!(repo.aio_at(FIVE, &codex, &["claim", "src/"]).code, 3, "seven hours of silence");
    let taken = repo.aio_at(SEVEN, &codex, &["claim", "src/auth/"]);
    assert_eq!(taken.code, 0, "{taken:?}");
    assert!(
        taken.stderr.contains("src/auth: taken over from person-") && taken.stderr.contains(", expired"),
        "{taken:?}"
    );
}

#[test]
fn waiting_ends_when_the_claim_is_released() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok_as(&claude, &["claim", "src/"]);
    let mut waiting = repo.command(&["claim", "src/main.rs", "--wait=60s"]);
    waiting.env("AIO_INSTANCE", &codex).stdout(Stdio::piped()).stderr(Stdio::piped());
    let began = Instant::now();
    let waiting = waiting.spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    repo.ok_as(&claude, &["release", "all"]);
    let waited = ended(&waiting.wait_with_output().unwrap());
    assert_eq!(waited.code, 0, "{waited:?}");
    assert!(waited.stderr.starts_with("waiting: src/main.rs is held by claude-"), "{waited:?}");
    assert_eq!(waited.stderr.lines().count(), 1, "without a terminal it is said once: {waited:?}");
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn waiting_in_vain_is_a_refusal() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok_as(&claude, &["claim", "src/"]);
    for wait in ["--wait=200ms", "--wait=0s"] {
        let waited = repo.aio_as(&codex, &["claim", "src/main.rs", wait]);
        assert_eq!(waited.code, 3, "{waited:?}");
        assert!(waited.stderr.contains("\nalready claimed: ") || waited.stderr.starts_with("already claimed: "));
    }
    let answer = repo.json_as(&codex, &["claim", "src/main.rs", "--wait=200ms"]);
    assert_eq!(answer["error"]["kind"], "conflict");
}

#[test]
fn a_reason_has_a_limit_and_no_power_over_a_terminal() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    assert_eq!(repo.aio_as(&claude, &["claim", "a", "--why", &"x".repeat(1025)]).code, 2);
    assert_eq!(repo.aio_as(&claude, &["claim", "a", "--why", &"x".repeat(1024)]).code, 0);
    repo.ok_as(&claude, &["claim", "b", "--why", "\u{1b}]0;owned\u{7}\nalready \u{202e}yours"]);
    let refused = repo.aio_as(&codex, &["claim", "b"]);
    let words = refused.stderr.lines().next().unwrap();
    assert!(words.ends_with(r#": "\u{1b}]0;owned\u{7}\nalready \u{202e}yours""#), "{words}");
    let answer = repo.json_as(&codex, &["claim", "b"]);
    assert_eq!(answer["error"]["conflicts"][0]["claim"]["why"], "\u{1b}]0;owned\u{7}\nalready \u{202e}yours");
}

#[test]
fn a_claim_tells_how_much_it_covers() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    let session = repo.turns(
        TEN,
        &[
            (&claude, &["claim", "src/"]),
            (&claude, &["claim", "src/auth/"]),
            (&claude, &["claim", "*.md"]),
            (&claude, &["claim", "/*.md"]),
            (&claude, &["claim", "docs/"]),
            (&claude, &["claim", "."]),
        ],
    );
    assert_snapshot!(session, @r"
    claude-1$ git aio claim src/
    claimed HEX  src (directory), 4 tracked files
    ! warning: src covers 4 of 5 tracked files: claim less if you can
    claude-1$ git aio claim src/auth/
    claimed HEX  src/auth (directory), 2 tracked files
    claude-1$ git aio claim *.md
    claimed HEX  **/*.md (pattern), 1 tracked file
    ! a pattern without a slash matches at any depth: **/*.md
    claude-1$ git aio claim /*.md
    claimed HEX  /*.md (pattern), 1 tracked file
    claude-1$ git aio claim docs/
    claimed HEX  docs (directory), 0 tracked files
    ! docs covers no tracked file yet
    claude-1$ git aio claim .
    claimed HEX  . (directory), 5 tracked files
    ! warning: . covers 5 of 5 tracked files: claim less if you can
    ");
    let covers = repo.json_as(&claude, &["claim", "src/"])["claims"][0]["covers"].clone();
    assert_eq!(covers, serde_json::json!({"covered": 4, "tracked": 5}));
}

#[test]
fn a_path_has_one_normal_form_wherever_and_however_it_is_typed() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    symlink("src", repo.dir.join("link")).unwrap();
    symlink("src/main.rs", repo.dir.join("link.rs")).unwrap();
    symlink("nowhere", repo.dir.join("dangling")).unwrap();
    symlink(&repo.dir, env.path().join("outside-link")).unwrap();
    repo.git(&["worktree", "add", "-q", "../side", "-b", "side"]);
    let claude = repo.register("claude");
    let at = |path: &str| repo.dir.join(path).display().to_string();
    let side = env.path().join("side/src/main.rs").display().to_string();
    let linked = env.path().join("outside-link/src/main.rs").display().to_string();
    for (dir, typed, meant) in [
        ("", "./src/main.rs", "file src/main.rs"),
        ("", "src//main.rs", "file src/main.rs"),
        ("", "src/auth/../main.rs", "file src/main.rs"),
        ("", "not/there/../../src/main.rs", "file src/main.rs"),
        ("src", "main.rs", "file src/main.rs"),
        ("src", "./auth", "directory src/auth"),
        ("src/auth", "../main.rs", "file src/main.rs"),
        ("src/auth", ".", "directory src/auth"),
        ("src/auth", "../..", "directory ."),
        ("", &at("src/main.rs"), "file src/main.rs"),
        ("src", &at("README.md"), "file README.md"),
        ("", "link/main.rs", "file src/main.rs"),
        ("", "link/not-yet.rs", "file src/not-yet.rs"),
        ("", "link.rs", "file link.rs"),
        ("", "link", "file link"),
        ("", "dangling", "file dangling"),
        ("", &linked, "file src/main.rs"),
        ("", &side, "file src/main.rs"),
        ("src", "*.rs", "pattern src/**/*.rs"),
        ("src", "auth/*.rs", "pattern src/auth/*.rs"),
        ("src", "/*.md", "pattern /*.md"),
        ("src/auth", "../*.rs", "pattern src/*.rs"),
        ("src", "./*.rs", "pattern src/*.rs"),
        ("", "src/auth/../*.rs", "pattern src/*.rs"),
        ("", "link/**/*.rs", "pattern src/**/*.rs"),
        ("", &at("src/*.rs"), "pattern src/*.rs"),
        ("src", "/link/*.rs", "pattern src/*.rs"),
    ] {
        let below = Repo { env: &env, dir: repo.dir.join(dir) };
        assert_eq!(granted(&below, &claude, &[typed]), [meant], "{typed} below {dir:?}");
    }
    assert_eq!(granted(&repo, &claude, &["-C", "src", "main.rs"]), ["file src/main.rs"]);
    let side = Repo { env: &env, dir: env.path().join("side/src") };
    assert_eq!(granted(&side, &claude, &["main.rs"]), ["file src/main.rs"], "in another worktree");
}

#[test]
fn a_path_belongs_to_the_innermost_repository() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let inner = env.repo_with("demo/vendor/inner", Refs::Files, "sha1", &[("lib/a.rs", "a\n")]);
    let source = env.repo_with("source", Refs::Files, "sha1", &[("b.rs", "b\n")]);
    let url = source.dir.display().to_string();
    repo.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "sub"]);
    let submodule = Repo { env: &env, dir: repo.dir.join("sub") };
    let vars = [("CLAUDE_CODE_SESSION_ID", "one")];
    let aio = |of: &Repo<'_>, args: &[&str]| run(of.command(args).envs(vars));

    let claimed = aio(&repo, &["claim", "vendor/inner/lib/a.rs"]);
    assert_eq!(claimed.code, 0, "{claimed:?}");
    assert!(claimed.stdout.contains("lib/a.rs (file)") && !claimed.stdout.contains("vendor"), "{claimed:?}");
    assert!(claimed.stderr.contains("this belongs to the repository at "), "{claimed:?}");
    assert!(aio(&inner, &["check", "lib/a.rs"]).stdout.starts_with("yours"));
    assert!(aio(&repo, &["check", "vendor/inner/lib/a.rs"]).stdout.starts_with("yours"), "asked from outside too");

    let claimed = aio(&repo, &["claim", "sub/b.rs"]);
    assert_eq!(claimed.code, 0, "{claimed:?}");
    assert!(aio(&submodule, &["check", "b.rs"]).stdout.starts_with("yours"));

    let gitlink = aio(&repo, &["claim", "sub", "--json"]);
    let gitlink: Value = serde_json::from_str(&gitlink.stdout).unwrap();
    assert_eq!((&gitlink["claims"][0]["kind"], &gitlink["claims"][0]["target"]), (&"file".into(), &"sub".into()));

    let pattern = aio(&repo, &["claim", "vendor/inner/lib/*.rs"]);
    assert_eq!(pattern.code, 0, "{pattern:?}");
    assert!(pattern.stdout.contains("lib/*.rs (pattern)") && !pattern.stdout.contains("vendor"), "{pattern:?}");

    let mixed = aio(&repo, &["claim", "README.md", "sub/b.rs"]);
    assert_eq!(mixed.code, 2, "{mixed:?}");
    assert_eq!(repo.json_as("", &["status"])["claims"].as_array().unwrap().len(), 1, "only the gitlink");
}

#[test]
fn case_is_folded_where_the_file_system_folds_it() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.git(&["config", "core.ignorecase", "true"]);
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok_as(&claude, &["claim", "src/auth/", "*.MD"]);
    for target in ["SRC/Auth/Login.rs", "Src/AUTH", "readme.md", "SRC/**/L*.RS"] {
        assert_eq!(repo.aio_as(&codex, &["claim", target]).code, 3, "{target}");
        assert_eq!(repo.aio_as(&codex, &["check", target]).code, 3, "{target}");
    }
    let other = env.repo_with("other", Refs::Files, "sha1", &[]);
    let (claude, codex) = (other.register("claude"), other.register("codex"));
    other.ok_as(&claude, &["claim", "src/auth/"]);
    assert_eq!(other.aio_as(&codex, &["claim", "SRC/auth/login.rs"]).code, 0, "elsewhere it makes a difference");
}

#[test]
fn a_path_may_have_any_bytes() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    let claim = |instance: &str, path: &[u8]| -> Ended {
        run(repo.command(&["claim"]).arg(OsStr::from_bytes(path)).env("AIO_INSTANCE", instance))
    };
    for path in [
        &b"with space.rs"[..],
        b"it's \"quoted\".rs",
        b"two\nlines.rs",
        b"tab\t.rs",
        b"\xff\xfe.rs",
        b"100%.rs",
        b"50%41.rs",
        "ä/ö.rs".as_bytes(),
    ] {
        fs::create_dir_all(repo.dir.join(OsStr::from_bytes("ä".as_bytes()))).unwrap();
        fs::write(repo.dir.join(OsStr::from_bytes(path)), "x").unwrap();
        let claimed = claim(&claude, path);
        assert_eq!(claimed.code, 0, "{claimed:?}");
        assert_eq!(claimed.stdout.lines().count(), 1, "one line, whatever is in the name: {claimed:?}");
        assert_eq!(claim(&codex, path).code, 3);
        let mut staged = repo.command(&["check", "-z", "--stdin"]);
        let mut asked =
            staged.env("AIO_INSTANCE", &codex).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut asked.stdin.take().unwrap(), &[path, b"\0"].concat()).unwrap();
        assert_eq!(asked.wait_with_output().unwrap().status.code(), Some(3));
    }
    repo.git(&["add", "-A"]);
    assert_eq!(repo.aio_as(&codex, &["hook", "pre-commit"]).code, 3);
    assert_eq!(repo.aio_as(&claude, &["hook", "pre-commit"]).code, 0);
    let targets = held_by(&repo, &claude);
    assert!(targets.contains(&"file %FF%FE.rs".to_owned()), "what is no text is escaped in JSON: {targets:?}");
    assert!(targets.contains(&"file 50%2541.rs".to_owned()), "and so is what escapes: {targets:?}");
}

#[test]
fn a_refusal_names_the_holder_and_no_way_to_break_the_claim() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok_as(&claude, &["claim", "src/"]);
    repo.ok_as(&codex, &["claim", "README.md"]);
    let refused = [
        repo.aio_as(&codex, &["claim", "src/main.rs"]),
        repo.aio_as(&codex, &["check", "src/main.rs"]),
        repo.aio_as(&codex, &["claim", "src/main.rs", "--json"]),
    ];
    for refused in refused {
        assert_eq!(refused.code, 3);
        let words = format!("{}{}", refused.stdout, refused.stderr);
        assert!(words.contains(&claude), "{words}");
        for breaks in ["release", "--force", "cleanup", "unregister", "AIO_BYPASS", "--no-verify", "update-ref"] {
            assert!(!words.contains(breaks), "{words}");
        }
    }
}

#[test]
fn a_name_that_git_itself_treats_specially_can_be_claimed() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    for name in [".gitmodules", ".gitattributes", "src/.gitignore", "@", "=x", "a/-dash", "claims/aio.json"] {
        repo.ok_as(&claude, &["claim", "--", name]);
        assert_eq!(repo.aio_as(&codex, &["claim", "--", name]).code, 3, "{name}");
    }
    assert_eq!(repo.git(&["fsck", "--strict"]), "");
}

#[test]
fn a_file_that_is_called_a_folder_is_refused() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    assert_snapshot!(repo.session(
        Some(&claude),
        &[&["claim", "README.md/"], &["claim", "directory", "README.md"], &["check", "README.md/"], &["claim", "new/"]]
    ), @r"
    $ git aio claim README.md/
    ! error: README.md is a file, not a folder
    ! hint: claim it with `git aio claim file README.md`
    [exit 2]
    $ git aio claim directory README.md
    ! error: README.md is a file, not a folder
    ! hint: claim it with `git aio claim file README.md`
    [exit 2]
    $ git aio check README.md/
    ! error: README.md is a file, not a folder
    ! hint: claim it with `git aio claim file README.md`
    [exit 2]
    $ git aio claim new/
    claimed HEX  new (directory), 0 tracked files
    ! new covers no tracked file yet
    ");
}

#[test]
fn two_spellings_of_a_name_are_one_where_git_takes_them_for_one() {
    let (composed, decomposed) = ("caf\u{e9}.txt", "cafe\u{301}.txt");
    let env = TestEnvironment::new();
    for (precomposes, code) in [("true", 3), ("false", 0)] {
        let repo = env.repo_with(precomposes, Refs::Files, "sha1", &[("a", "1\n")]);
        repo.git(&["config", "core.precomposeUnicode", precomposes]);
        repo.ok(&["init"]);
        let (claude, codex) = (repo.register("claude"), repo.register("codex"));
        repo.ok_as(&claude, &["claim", decomposed]);
        assert_eq!(repo.aio_as(&codex, &["check", composed]).code, code);
        assert_eq!(repo.aio_as(&codex, &["claim", "pattern", "**/cafe\u{301}.*"]).code, 3);
        assert_eq!(repo.aio_as(&codex, &["claim", "pattern", "**/caf\u{e9}.*"]).code, code);
        repo.aio_as(&codex, &["release", "all"]);
        // As if it had been added where git doesn't compose.
        for spelling in [composed, decomposed] {
            repo.git(&["-c", "core.precomposeUnicode=false", "read-tree", "HEAD"]);
            repo.write(spelling, "1\n");
            repo.git(&["-c", "core.precomposeUnicode=false", "add", spelling]);
            let committed = repo.try_git_as(&codex, &["commit", "-q", "-m", "x"]);
            let refused = committed.stderr.contains("already claimed");
            assert_eq!(refused, precomposes == "true" || spelling == decomposed, "{spelling}: {committed:?}");
            fs::remove_file(repo.dir.join(spelling)).unwrap();
        }
    }
}
