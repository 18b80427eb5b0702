//! What can't be meant is refused before anything begins.

use super::*;

#[test]
fn what_cannot_be_meant_is_refused_and_nothing_begins() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Say("Done.")]);
    let long = "x".repeat(300_000);
    repo.write("long.md", &long);
    repo.write("empty.md", "\n\n");
    let cases: &[(&[&str], i32, &str)] = &[
        (&["Fix it.", "--agent", "cluade"], 8, "did you mean claude?"),
        (&["Fix it.", "--agent", "claude/implementor"], 8, "implementer"),
        (&["Fix it.", "--agent", "claude", "--review", "revewer"], 8, "did you mean reviewer?"),
        (&[" ", "--agent", "claude"], 2, "the task is empty"),
        (&["--handoff", "empty.md", "--agent", "claude"], 2, "the task is empty"),
        (&["--agent", "claude"], 2, "<TASK>"),
        (&["--handoff", "none.md", "--agent", "claude"], 8, "there is no file"),
        (&["--handoff", "long.md", "--agent", "claude"], 2, "262144 is the most"),
        (&["Fix it.", "--agent", "claude", "--scope", "../elsewhere"], 2, "outside"),
        (&["Fix it.", "--agent", "claude", "--scope", "/etc/passwd"], 2, "outside"),
        (&["Fix it.", "--agent", "claude", "--commit"], 2, "--scope"),
        (&["Fix it.", "--agent", "claude", "--isolate"], 2, "--scope"),
        (&["Fix it.", "--agent", "claude", "--no-verify", "--verify", "true"], 2, "cannot be used with"),
        (&["Fix it.", "--agent", "claude", "--timeout", "soon"], 2, "--timeout"),
        (&["Fix it.", "--agent", "claude", "--timeout", "0s"], 2, "a second or more"),
        (&["Fix it.", "--agent", "claude", "--stall", "500ms"], 2, "a second or more"),
        (&["Fix it.", "--agent", "claude", "--json", "--jsonl"], 2, "cannot be used with"),
    ];
    for (args, code, words) in cases {
        let ended = repo.aio(&[&["delegate"], *args].concat());
        assert!(
            ended.code == *code && ended.stderr.contains(words) || ended.stdout.contains(words),
            "{args:?}: {ended:?}"
        );
    }
    assert!(agents.calls("claude").is_empty());
    assert_eq!(repo.ok(&["run", "list"]), "no runs\n");
}

#[test]
fn a_scope_is_meant_from_the_folder_of_the_command() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Edit("src/auth/login.rs", "x\n"), Do::Say("Done.")]);
    let mut command = repo.command(&["delegate", "Fix it.", "--agent", "claude", "--scope", "auth/*.rs"]);
    let ended = run(command.current_dir(repo.dir.join("src")));
    assert_eq!((ended.code, ended.stdout), (0, "Done.\n".into()), "{}", ended.stderr);
    assert_eq!(agents.calls("claude")[0].dir, repo.dir);
}

#[test]
fn what_is_named_as_a_run_has_to_be_one() {
    let env = TestEnvironment::new();
    let (_, repo) = checked(&env);
    let missing = repo.aio(&["delegate", "--handoff", "no.md"]);
    assert!(missing.code == 8 && missing.stderr.contains("hint: name one that exists"), "{missing:?}");
    for args in [&["run", "show"][..], &["run", "resume"], &["run", "log"], &["run", "diff"]] {
        let ended = repo.aio(args);
        assert!(ended.code == 8 && ended.stderr.contains("there is no run yet"), "{args:?}: {ended:?}");
    }
    delegate(&repo, &["--agent", "caller"]);
    for named in ["delegation-9", "x", "../x", "refs/heads/main"] {
        let ended = repo.aio(&["run", "show", named]);
        assert!(ended.code == 8 && ended.stderr.contains("there is no run "), "{named}: {ended:?}");
    }
    for named in ["@x", "/task@x"] {
        assert_eq!(repo.aio(&["run", "diff", named]).code, 2, "{named}");
    }
    for (named, told) in [
        ("/none", " has no step none"),
        ("/task@7", "task of delegation-"),
        ("task@0", " has 0 attempts, and no @0"),
        ("@7", " has 0 attempts, and no @7"),
        ("nope@1", "there is no run nope, and no step nope of the newest run"),
    ] {
        let ended = repo.aio(&["run", "diff", named]);
        assert!(ended.code == 8 && ended.stderr.contains(told), "{named}: {ended:?}");
    }
    for args in [["run", "retry", "review"], ["run", "retry", "/review"]] {
        let ended = repo.aio(&args);
        assert!(ended.code == 8 && ended.stderr.contains("no step review"), "{ended:?}");
        assert!(ended.stderr.contains("`git aio run show"), "{ended:?}");
    }
}
