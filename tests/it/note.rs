//! Knowledge left for the others.

use crate::env::{Ended, Refs, Repo, TestEnvironment, ended};
use insta::assert_snapshot;
use std::{io::Write, process::Stdio};

const TEN: &str = "2026-03-01T10:00:00Z";
const NEXT_WEEK: &str = "2026-03-08T10:00:00Z";

/// Runs a command with `input` on its standard input.
fn fed(repo: &Repo<'_>, instance: &str, args: &[&str], input: &[u8]) -> Ended {
    let mut command = repo.command(args);
    command.env("AIO_INSTANCE", instance).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    // It may have read enough before all is written.
    let _ = process.stdin.take().unwrap().write_all(input);
    ended(&process.wait_with_output().unwrap())
}

fn texts(repo: &Repo<'_>, args: &[&str]) -> Vec<String> {
    let found = repo.json_as("", &[&["context", "get"], args].concat());
    let notes = found["notes"].as_array().unwrap().iter().map(|note| note["text"].as_str().unwrap().to_owned());
    let handoffs = found["handoffs"].as_array().unwrap().iter();
    notes.chain(handoffs.map(|handoff| handoff["title"].as_str().unwrap().to_owned())).collect()
}

#[test]
fn notes_of_all_categories_are_left_and_found() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    let session = repo.turns(
        TEN,
        &[
            (&claude, &["context", "decision", "JWT over sessions", "--path", "src/auth/"]),
            (&claude, &["context", "learning", "the", "parser", "is", "slow"]),
            (&claude, &["context", "warning", "do not touch the cache", "--to", "codex"]),
            (&claude, &["context", "pattern", "errors are enums"]),
            (&claude, &["context", "handoff", "tests are missing"]),
            (&claude, &["context", "get", "decision"]),
            (&claude, &["context", "get", "warning"]),
            (&claude, &["context", "get", "handoff"]),
            (&claude, &["context", "get", "rumour"]),
        ],
    );
    assert_snapshot!(session, @r#"
    claude-1$ git aio context decision JWT over sessions --path src/auth/
    noted decision HEX
    claude-1$ git aio context learning the parser is slow
    noted learning HEX
    claude-1$ git aio context warning do not touch the cache --to codex
    noted warning HEX
    claude-1$ git aio context pattern errors are enums
    noted pattern HEX
    claude-1$ git aio context handoff tests are missing
    left handoff-HEX
    claude-1$ git aio context get decision
    decision by claude-1 on src/auth, 0s ago
      JWT over sessions
    claude-1$ git aio context get warning
    warning by claude-1 to codex, 0s ago
      do not touch the cache
    claude-1$ git aio context get handoff
    handoff-HEX open, from claude-1, 0s ago: "tests are missing"
    claude-1$ git aio context get rumour
    ! error: invalid value 'rumour' for '[CATEGORY]'
    !   [possible values: decision, learning, warning, pattern, handoff]
    ! 
    ! For more information, try '--help'.
    [exit 2]
    "#);
    assert_eq!(texts(&repo, &[]).len(), 5);
    assert_eq!(repo.json_as("", &["status"])["handoffs"][0]["claims"], serde_json::json!([]));
}

#[test]
fn notes_are_found_by_path_by_words_and_by_time() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    repo.aio_at(TEN, &claude, &["context", "decision", "Tokens expire", "--path", "src/auth/token.rs"]);
    repo.aio_at(TEN, &claude, &["context", "learning", "all of auth", "--path", "src/auth", "--path", "docs"]);
    repo.aio_at(NEXT_WEEK, &claude, &["context", "learning", "everywhere"]);
    repo.aio_at(NEXT_WEEK, &claude, &["context", "handoff", "finish TOKENS", "--path", "src/auth/token.rs"]);
    assert_eq!(texts(&repo, &["--for", "src/auth/token.rs"]).len(), 4, "on it, above it, on nothing in particular");
    assert_eq!(texts(&repo, &["--for", "src/auth/login.rs"]), ["everywhere", "all of auth"]);
    assert_eq!(texts(&repo, &["--for", "src"]).len(), 4, "a folder, with what is in it");
    assert_eq!(texts(&repo, &["--for", "README.md"]), ["everywhere"]);
    assert_eq!(texts(&repo, &["--search", "tokens"]), ["Tokens expire", "finish TOKENS"]);
    assert_eq!(texts(&repo, &["decision", "--search", "tokens"]), ["Tokens expire"]);
    assert_eq!(texts(&repo, &["--since", "2026-03-05"]), ["everywhere", "finish TOKENS"]);
    assert_eq!(texts(&repo, &["--since", "2026-03-01T10:00:00Z"]).len(), 4);
    assert_eq!(texts(&repo, &["--since", "2026-03-01T11:00:01+01:00"]).len(), 2);
    let span = |span: &str| {
        let found = repo.aio_at(NEXT_WEEK, "", &["context", "get", "--since", span, "--json"]).stdout;
        serde_json::from_str::<serde_json::Value>(&found).unwrap()["notes"].as_array().unwrap().len()
    };
    assert_eq!((span("6d"), span("7d"), span("1w 1d"), span("1000000years")), (1, 3, 3, 3));
    let session =
        repo.session(None, &[&["context", "get", "--since", "yesterday"], &["context", "get", "--search", "nowhere"]]);
    assert_snapshot!(session, @r"
    $ git aio context get --since yesterday
    ! error: 'yesterday' is neither a span nor a date
    ! hint: write it like 2d, 2026-11-21 or 2026-11-21T10:00:00Z
    [exit 2]
    $ git aio context get --search nowhere
    nothing found
    ");
}

#[test]
fn a_handoff_of_a_pattern_is_found_by_what_the_pattern_covers() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    repo.ok_as(&claude, &["claim", "src/**/*.test.ts"]);
    repo.ok_as(&claude, &["handoff", "new", "the tests"]);
    let found = |path: &str| {
        let found = repo.json_as("", &["context", "get", "handoff", "--for", path]);
        found["handoffs"].as_array().unwrap().len()
    };
    assert_eq!(found("src/deep/x.test.ts"), 1);
    assert_eq!(found("src/deep/not-yet.test.ts"), 1);
    assert_eq!(found("src/deep"), 1, "a folder, with what is in it");
    assert_eq!((found("src/main.rs"), found("README.md")), (0, 0));
}

#[test]
fn all_of_it_is_exported_as_markdown() {
    let env = TestEnvironment::new();
    let (repo, other) = (env.repo(), env.repo_with("other", Refs::Files, "sha1", &[]));
    let claude = repo.aio_at(TEN, "", &["register", "claude"]).stdout.trim().to_owned();
    for args in [
        &["context", "warning", "# not a heading\n> nor a quotation\n```\nnor code", "--to", "codex"][..],
        &["context", "decision", "JWT over sessions", "--path", "src/auth/", "--path", "a`b"],
        &["handoff", "new", "go on", "--context", "much to do\n## Decisions"],
    ] {
        assert_eq!(repo.aio_at(TEN, &claude, args).code, 0, "{args:?}");
    }
    let session = repo.turns(TEN, &[("", &["context", "export"])]);
    assert_snapshot!(session, @r"
    $ git aio context export
    # Context of demo

    ## Decisions

    **2026-03-01T10:00:00Z by claude-1, on `src/auth`, `a'b`**

    > JWT over sessions

    ## Warnings

    **2026-03-01T10:00:00Z by claude-1, to codex**

    > # not a heading
    > > nor a quotation
    > ```
    > nor code

    ## Handoffs

    **2026-03-01T10:00:00Z by claude-1, open** (`handoff-HEX`)

    > go on
    >
    > much to do
    > ## Decisions
    ");
    assert_eq!(other.ok(&["context", "export", "../demo"]), repo.ok(&["context", "export"]));
    let empty = run_named(&other, "aio-context", &["export"]);
    assert_eq!((empty.code, empty.stdout.as_str()), (0, "# Context of other\n"));
}

/// Runs one of the other names of the program.
fn run_named(repo: &Repo<'_>, name: &str, args: &[&str]) -> Ended {
    crate::env::run(repo.env.command(name, &repo.dir).args(args))
}

#[test]
fn the_program_that_is_called_aio_context_is_this_command() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let noted = run_named(&repo, "aio-context", &["learning", "two names"]);
    assert_eq!(noted.code, 0, "{noted:?}");
    assert!(run_named(&repo, "aio-context", &["get", "learning"]).stdout.contains("two names"));
    assert_eq!(run_named(&repo, "aio", &["context", "get"]).stdout, repo.ok(&["context", "get"]));
}

#[test]
fn a_note_can_come_on_standard_input_up_to_a_limit() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    let noted = fed(&repo, &claude, &["context", "learning", "-"], b"two\nlines\n");
    assert_eq!(noted.code, 0, "{noted:?}");
    assert_eq!(texts(&repo, &[]), ["two\nlines"]);
    let before = (repo.operations(), repo.git(&["count-objects"]));
    let refused = fed(&repo, &claude, &["context", "learning", "-"], &[b'x'; 1024 * 1024]);
    assert_eq!(refused.code, 2);
    assert_snapshot!(refused.stderr, @r"
    error: the note has 1048576 bytes; 16384 is the most
    hint: put the rest into a file of the repository and name it in the note
    ");
    assert_eq!(fed(&repo, &claude, &["context", "learning", "-"], &[b'x'; 3 * 1024 * 1024]).code, 2);
    assert_eq!(fed(&repo, &claude, &["context", "learning", "-"], &[b'x'; 16 * 1024 + 1]).code, 2);
    assert_eq!(fed(&repo, &claude, &["context", "learning", "-"], b" \n").code, 2);
    assert_ne!(fed(&repo, &claude, &["context", "learning", "-"], b"\xff\xfe").code, 0);
    assert_eq!(repo.aio_as(&claude, &["context", "learning", ""]).code, 2);
    assert_eq!((repo.operations(), repo.git(&["count-objects"])), before, "nothing of it was kept");
    assert_eq!(fed(&repo, &claude, &["context", "learning", "-"], &[b'x'; 16 * 1024]).code, 0);
    // A control character takes six bytes in JSON, where a record may have no more than 64 KiB.
    let hostile = fed(&repo, &claude, &["context", "learning", "-"], &[1; 16 * 1024]);
    assert_eq!(hostile.code, 2, "{hostile:?}");
}

#[test]
fn foreign_characters_are_escaped_for_people_and_intact_for_programs() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    let words = "a\u{1b}[31mb\u{202e}c\u{200b}d\u{9b}e\r\tf\ng\u{feff}";
    repo.ok_as(&claude, &["context", "warning", words]);
    assert_eq!(texts(&repo, &[]), [words]);
    for args in [&["context", "get"][..], &["context", "export"], &["log"]] {
        let shown = repo.ok(args);
        let acts = |c: char| c.is_control() && c != '\n' && c != '\t' || "\u{202e}\u{200b}\u{feff}".contains(c);
        assert!(!shown.contains(acts), "{args:?}: {shown:?}");
        assert!(shown.contains(r"a\u{1b}[31mb\u{202e}c\u{200b}d\u{9b}e\r"), "{args:?}: {shown:?}");
    }
    let subject = repo.git(&["log", "-1", "--format=%s", "refs/aio/state"]);
    assert!(!subject.contains(['\u{1b}', '\u{202e}']), "git's own log is no way round: {subject:?}");
}
