//! Who is asked when one agent comes to nothing, and whose turn it is in the end.

use super::*;

#[test]
fn one_agent_after_the_other_is_asked_and_in_the_end_the_caller() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("codex", &[Do::Complain("I have no credentials.")]);
    agents.plays("claude", &[Do::Error("overloaded")]);
    let before = snapshot(&repo);
    let ended = delegate(&repo, &["--agent", "codex,claude,caller", "--scope", "src/auth/", "--retry", "0"]);
    assert_eq!((ended.code, &ended.stdout[..]), (5, ""), "{ended:?}");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let at =
        |part: &str| lines.iter().position(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}: {lines:#?}"));
    let order = [
        "failed [",
        "I have no credentials.",
        "next [",
        "claude: overloaded",
        "task  caller",
        "all agents failed: codex, claude",
        "likely cause: the prompt, the account or the network of the agent",
        "it is yours now",
    ];
    assert!(order.map(at).is_sorted(), "{lines:#?}");
    assert_eq!(agents.calls("claude").len(), 1);
    assert_eq!(snapshot(&repo), before);
    assert_free(&repo);
    let (list, _) = answer(&repo.aio(&["run", "list", "--json"]));
    let id = list["runs"][0]["id"].as_str().unwrap();
    assert_eq!(list["runs"][0]["status"], "waiting");
    // Nobody else is asked by going on: it is the caller's turn still.
    let resumed = repo.aio(&["run", "resume"]);
    assert!(resumed.code == 5 && resumed.stderr.contains("it is yours now"), "{resumed:?}");
    assert_eq!((agents.calls("codex").len(), agents.calls("claude").len()), (1, 1));
    let (answered, code) = answer(&repo.aio(&["run", "answer", id, "ok", "Did it myself.", "--json"]));
    assert_eq!(
        (code, &answered["run"]["status"], &answered["run"]["steps"][0]["status"]),
        (0, &"complete".into(), &"ok".into())
    );
    let again = repo.aio(&["run", "answer", id, "ok"]);
    assert!(again.code == 8 && again.stderr.contains("waits for no answer: it is complete"), "{again:?}");
}

#[test]
fn the_caller_may_answer_that_it_cannot_be_done() {
    let env = TestEnvironment::new();
    let (_, repo) = checked(&env);
    let ended = delegate(&repo, &["--agent", "caller"]);
    assert!(ended.code == 5 && !ended.stderr.contains("all agents failed"), "{ended:?}");
    let shown = repo.ok(&["run", "show"]);
    for part in ["# Task: ", "/task ok|failed \"<result>\"`"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let (list, _) = answer(&repo.aio(&["run", "list", "--json"]));
    let id = list["runs"][0]["id"].as_str().unwrap();
    let (answered, code) = answer(&repo.aio(&["run", "answer", id, "failed", "--json"]));
    assert_eq!((code, &answered["run"]["status"]), (0, &"failed".into()), "{answered:#}");
}

#[test]
fn the_next_agent_begins_with_the_scope_as_it_was_and_knows_why() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays(
        "codex",
        &[Do::Edit("src/auth/login.rs", "BROKEN\n"), Do::Edit("src/auth/more.rs", "x\n"), Do::Say("Done.")],
    );
    agents.plays("claude", &[Do::Run("cat src/auth/* >src/auth/seen.rs"), Do::Say("Done.")]);
    let (told, code) = told(&repo, &["--agent", "codex/implementer,claude", "--scope", "src/auth/", "--retry", "0"]);
    assert_eq!(
        (code, tries(&told)),
        (0, vec!["codex/implementer check".to_owned(), "claude ok".to_owned()]),
        "{told:#}"
    );
    assert_eq!(fs::read_to_string(repo.dir.join("src/auth/seen.rs")).unwrap(), "fn login() {}\nfn token() {}\n");
    assert!(agents.calls("claude")[0].prompt.contains("it is broken in many ways"));
    let brief = &agents.calls("codex")[0].prompt;
    assert!(
        brief.find("---").unwrap() < brief.find("# Task: Fix the login.").unwrap(),
        "the brief goes before: {brief}"
    );
}

#[test]
fn all_that_failed_is_told_with_the_likely_cause() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    for (acts, cause) in [
        (&[Do::Say("")][..], "likely cause: file access"),
        (&[Do::Stall], "likely cause: the scope is too broad"),
        (&[Do::Exit(9)], "likely cause: the prompt, the account"),
        (&[Do::Run("echo x >>odd.txt"), Do::Say("Done.")], "likely cause: the scope is too narrow"),
        (&[Do::Edit("src/auth/login.rs", "BROKEN\n"), Do::Say("Done.")], "likely cause: the task does not say all"),
    ] {
        agents.plays("codex", acts);
        agents.plays("claude", acts);
        let ended =
            delegate(&repo, &["--agent", "codex,claude", "--scope", "src/auth/", "--retry", "0", "--stall", "1s"]);
        for part in ["all agents failed: codex, claude", cause, "Failed (0 bytes)", "`git aio run log delegation-"] {
            assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
        }
        let _ = fs::remove_file(repo.dir.join("odd.txt"));
    }
}

#[test]
fn a_scope_that_was_too_much_is_halved() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays_when("claude", "`./src/auth/`", &[Do::Edit("src/auth/login.rs", "half\n"), Do::Stall]);
    agents.plays_when("claude", "`./src/auth/login.rs`", &[Do::Edit("src/auth/login.rs", "one\n"), Do::Say("One.")]);
    agents.plays_when("claude", "`./src/auth/token.rs`", &[Do::Edit("src/auth/token.rs", "two\n"), Do::Say("Two.")]);
    let args = ["--agent", "claude", "--scope", "src/auth/", "--split", "--stall", "1s"];
    let (halved, code) = told(&repo, &args);
    assert_eq!(
        (code, tries(&halved)),
        (0, ["claude stalled", "claude ok", "claude ok"].map(str::to_owned).to_vec()),
        "{halved:#}"
    );
    assert_eq!(halved["result"], "One.\n\nTwo.");
    assert_eq!(halved["run"]["steps"][0]["files"], Value::from(vec!["src/auth/login.rs", "src/auth/token.rs"]));
    assert_free(&repo);
    let diff = repo.ok(&["run", "diff"]);
    assert!(diff.contains("+one") || diff.contains("+two"), "{diff}");
    // So it is after a write outside of it, and when its time was up.
    for (acts, kind) in [(&[Do::Run("echo x >>odd.txt"), Do::Say("Done.")][..], "scope"), (&[Do::Chatter], "timed_out")]
    {
        agents.plays_when("codex", "`./src/auth/`", acts);
        agents.plays_when("codex", "`./src/auth/login.rs`", &[Do::Say("One.")]);
        agents.plays_when("codex", "`./src/auth/token.rs`", &[Do::Say("Two.")]);
        let (halved, _) = told(&repo, &["--agent", "codex", "--scope", "src/auth/", "--split", "--timeout", "2s"]);
        assert_eq!(tries(&halved), [format!("codex {kind}"), "codex ok".into(), "codex ok".into()], "{halved:#}");
        let _ = fs::remove_file(repo.dir.join("odd.txt"));
    }
    // Where one half fails in the end, the other does not stay alone.
    agents.plays_when("claude", "`./src/auth/login.rs`", &[Do::Edit("src/auth/login.rs", "other\n"), Do::Say("One.")]);
    agents.plays_when("claude", "`./src/auth/token.rs`", &[Do::Exit(1)]);
    let before = snapshot(&repo);
    let (failed, code) = told(&repo, &[&args[..], &["--retry", "0"]].concat());
    assert_eq!(
        (code, tries(&failed)),
        (1, ["claude stalled", "claude ok", "claude exit"].map(str::to_owned).to_vec()),
        "{failed:#}"
    );
    assert_eq!(snapshot(&repo), before);
    assert_free(&repo);
}
