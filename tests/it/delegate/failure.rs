//! Not usable has one meaning, whatever it comes from.

use super::*;
use crate::terminal::Terminal;

#[test]
fn whatever_keeps_an_answer_from_being_usable_is_told_by_its_word() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    let quick: &[&str] = &["--stall", "1s"];
    let cases: &[(&[Do<'_>], &[&str], &str, &str)] = &[
        (&[Do::Exit(3)], &[], "exit", "it ended with exit code 3"),
        (&[Do::Say("All is well."), Do::Exit(1)], &[], "exit", "it ended with exit code 1"),
        (&[Do::Error("the service is overloaded")], &[], "reported", "the service is overloaded"),
        (&[Do::Error("the service is overloaded"), Do::Exit(1)], &[], "reported", "the service is overloaded"),
        (&[Do::Say("")], &[], "empty", "its answer is empty"),
        (&[Do::Say(" \n\n ")], &[], "empty", "its answer is empty"),
        (&[Do::Complain("no credentials")], &[], "empty", "no credentials"),
        (&[Do::BreakOff], &[], "empty", "its answer is empty"),
        (&[Do::SayMuch(5_000_000)], &[], "reported", "too much output to be kept"),
        (&[Do::Stall], quick, "stalled", "it fell silent"),
        (&[Do::Chatter], &["--timeout", "1s"], "timed_out", "it took too long"),
    ];
    for name in CLIS {
        for (acts, args, kind, words) in cases {
            agents.plays(name, acts);
            let (told, code) = told(&repo, &[&["--agent", name, "--retry", "0"], *args].concat());
            let failure = &told["run"]["steps"][0]["failure"];
            assert_eq!((code, &failure["kind"]), (1, &(*kind).into()), "{acts:?}: {told:#}");
            assert!(failure["text"].as_str().unwrap().contains(words), "{acts:?}: {failure}");
            assert_eq!((&told["run"]["status"], &told["result"]), (&"failed".into(), &Value::Null));
        }
        assert_eq!(agents.calls(name).len(), cases.len());
    }
}

#[test]
fn what_is_not_installed_is_told_and_nothing_started() {
    let env = TestEnvironment::new();
    let (_, repo) = checked(&env);
    let (told, code) = told(&repo, &["--agent", "amp"]);
    assert_eq!((code, tries(&told)), (1, vec!["amp absent".to_owned()]), "{told:#}");
    let hints = told["hints"].to_string();
    assert!(hints.contains("all agents failed: amp") && hints.contains("not installed, or not on the PATH"), "{hints}");
}

#[test]
fn the_same_agent_tries_again_and_is_told_why() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Error("overloaded by so many")]);
    agents.plays("claude", &[Do::Say("Here it is.")]);
    let (told, code) = told(&repo, &["--agent", "claude"]);
    assert_eq!((code, tries(&told)), (0, vec!["claude reported".to_owned(), "claude ok".to_owned()]), "{told:#}");
    let calls = agents.calls("claude");
    assert!(!calls[0].prompt.contains("overloaded") && calls[1].prompt.contains("overloaded by so many"));
}

#[test]
fn what_would_end_in_the_same_way_is_not_tried_again() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    // Its CLI says by this that nobody is signed in.
    agents.plays("gemini", &[Do::Exit(41)]);
    let (told, code) = told(&repo, &["--agent", "gemini", "--retry", "5"]);
    assert_eq!((code, tries(&told)), (1, vec!["gemini reported".to_owned()]), "{told:#}");
    assert!(told.to_string().contains("gemini is not signed in"), "{told:#}");
}

#[test]
fn what_goes_to_standard_error_is_no_result() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Complain("a warning of its own"), Do::Say("The answer.")]);
    let ended = delegate(&repo, &["--agent", "claude"]);
    assert_eq!((ended.code, &ended.stdout[..]), (0, "The answer.\n"));
    assert!(!ended.stderr.contains("a warning of its own"), "{}", ended.stderr);
    assert!(repo.ok(&["run", "log"]).contains("a warning of its own"));
}

#[test]
fn a_long_answer_is_kept_whole() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::SayMuch(300_000)]);
    let ended = delegate(&repo, &["--agent", "claude"]);
    assert_eq!((ended.code, ended.stdout.trim_end().len()), (0, 300_000));
    assert!(ended.stderr.contains("300000 bytes"), "{}", ended.stderr);
}

/// As would change the title, ring the bell, clear the screen and turn the text.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31mred\u{202e}\rgone\u{9b}2J";

#[test]
fn nothing_that_an_agent_says_reaches_a_terminal_as_it_is() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    let edit = format!("{HOSTILE}\n");
    agents.plays("claude", &[Do::Complain(HOSTILE), Do::Run(HOSTILE), Do::Error(HOSTILE)]);
    agents.plays("claude", &[Do::Complain(HOSTILE), Do::Exit(2)]);
    agents.plays("claude", &[Do::Edit("src/\u{1b}[2Jodd.rs", &edit), Do::Say(HOSTILE)]);
    let args =
        ["delegate", HOSTILE, "--agent", "claude", "--retry", "2", "--scope", "src/", "--verify", "printf '\\033[2J'"];
    let seen = Terminal::typing(repo.command(&args)).end();
    seen.assert_harmless();
    assert_eq!(seen.code, 0, "{}", seen.raw);
    assert!(seen.raw.contains("red") && seen.raw.contains("gone"), "{}", seen.raw);
    for args in [
        &["run", "show"][..],
        &["run", "log"],
        &["run", "log", "--events"],
        &["run", "list"],
        &["run", "diff"],
        &["run", "show", "--ledger"],
    ] {
        let seen = Terminal::typing(repo.command(args)).end();
        seen.assert_harmless();
        assert_eq!(seen.code, 0, "{args:?}: {}", seen.raw);
    }
}

#[test]
fn on_a_terminal_it_shows_what_goes_on() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Run("true"), Do::WaitFor("go"), Do::Say("Done.")]);
    let terminal = Terminal::typing(repo.command(&["delegate", "Look.", "--agent", "claude"]));
    terminal.wait_for("running true");
    repo.write("go", "");
    let seen = terminal.end();
    seen.assert_harmless();
    assert!(seen.code == 0 && seen.lines().iter().any(|line| line == "Done."), "{:#?}", seen.lines());
}
