//! What a run asks, and what it takes for an answer.

use super::*;
use crate::together::together;

/// Asks, and does nothing else.
const FLOW: &str = "about = \"x\"\n[[step]]\nid = \"go\"\nask = \"Go on?\"\n";

/// A run of that which waits.
fn waiting(env: &TestEnvironment) -> Repo<'_> {
    let (_, repo) = place(env, &[("flow", FLOW)]);
    assert_eq!(repo.aio(&["run", "flow"]).code, 5);
    repo
}

#[test]
fn what_is_asked_and_whether_it_is_answered_stands_in_what_is_shown() {
    let env = TestEnvironment::new();
    let flow = "about = \"x\"\n[[step]]\nid = \"go\"\nask = \"Which of them?\\nReally?\"\n";
    let (_, repo) = place(&env, &[("flow", flow)]);
    let (first, code) = told(&repo, &["flow"]);
    assert_eq!((code, &first["run"]["steps"][0]["question"]), (5, &"Which of them?\nReally?".into()), "{first:#}");
    let id = first["run"]["id"].as_str().unwrap();
    let shown = repo.ok(&["run", "show"]);
    for part in ["    Which of them?\n    Really?\n", &format!("`git aio run answer {id}/go yes|no|\"<words>\"`")] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let (shown, _) = told(&repo, &["show"]);
    let step = &shown["run"]["steps"][0];
    assert_eq!((&step["question"], &step["answered"]), (&"Which of them?\nReally?".into(), &false.into()), "{step:#}");
    let answered = repo.ok(&["run", "answer", id, "the first"]);
    assert!(answered.contains(&format!("answered: `git aio run resume {id}` goes on")), "{answered}");
    assert_eq!(told(&repo, &["show"]).0["run"]["steps"][0]["answered"], true);
    repo.ok(&["run", "resume"]);
    let (shown, _) = told(&repo, &["show"]);
    assert!(shown["run"]["steps"][0].get("answered").is_none(), "nothing waits any more: {shown:#}");
}

#[test]
fn a_step_that_is_done_again_asks_again() {
    let env = TestEnvironment::new();
    let repo = waiting(&env);
    repo.ok(&["run", "answer", "/go", "yes"]);
    repo.ok(&["run", "resume"]);
    assert_eq!(repo.aio(&["run", "retry", "go"]).code, 5);
    assert_eq!(told(&repo, &["show"]).0["run"]["steps"][0]["answered"], false);
    assert_eq!(repo.aio(&["run", "resume"]).code, 5, "what was answered before is no answer to it");
}

#[test]
fn why_a_step_failed_is_shown_where_no_attempt_tells_it() {
    let env = TestEnvironment::new();
    let repo = waiting(&env);
    repo.ok(&["run", "answer", "/go", "no"]);
    assert_eq!(repo.aio(&["run", "resume"]).code, 1);
    let shown = repo.ok(&["run", "show"]);
    assert!(shown.contains("\n    the answer was no\n"), "{shown}");
    assert_eq!(repo.aio(&["run", "flow"]).code, 5);
    let cancelled = repo.ok(&["run", "cancel"]);
    assert!(cancelled.contains("\n    the run was cancelled\n"), "{cancelled}");
}

#[test]
fn a_run_that_has_ended_waits_for_no_answer() {
    let env = TestEnvironment::new();
    let flow = "about = \"x\"\n[[step]]\nid = \"go\"\nrun = \"exit 3\"\n";
    let (_, repo) = place(&env, &[("flow", flow)]);
    assert_eq!(repo.aio(&["run", "flow"]).code, 1);
    let id = repo.ok(&["run", "show"]).split_whitespace().next().unwrap().to_owned();
    let refused = repo.aio(&["run", "answer", &id, "yes"]);
    assert!(refused.code == 8 && refused.stderr.contains("waits for no answer: it is failed"), "{refused:?}");
}

#[test]
fn to_cancel_what_says_of_nothing_how_it_is_undone_is_no_failure() {
    let env = TestEnvironment::new();
    let repo = waiting(&env);
    let ended = repo.aio(&["run", "cancel", "--undo"]);
    assert!(ended.code == 0 && ended.stderr.contains("the run was cancelled; nothing"), "{ended:?}");
    assert!(!ended.stderr.contains("Pipeline failed"), "{ended:?}");
    assert_free(&repo);
}

#[test]
fn who_drives_a_run_is_named_with_how_that_is_stopped() {
    let env = TestEnvironment::new();
    let flow = "about = \"x\"\n[[step]]\nid = \"go\"\nrun = \"while ! test -e ../go; do sleep 0.05; done\"\n";
    let (_, repo) = place(&env, &[("flow", flow)]);
    let mut child = start(&repo, &["flow"]);
    wait_for("the run", || repo.ok(&["run", "list"]).starts_with("running"));
    for word in ["cancel", "resume"] {
        let refused = repo.aio(&["run", word]);
        assert!(refused.code == 75 && refused.stderr.contains(&format!("SIGTERM to {}", child.id())), "{refused:?}");
    }
    fs::write(repo.dir.join("../go"), "").unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn an_answer_that_is_not_of_the_shape_is_refused_at_once() {
    let flow = "about = \"x\"\n[[step]]\nid = \"many\"\nfor_each = [1]\n[[step.step]]\nid = \"go\"\nask = \"Which?\"\n";
    for (output, wrong, right, wanted) in [
        ("ship|stop", &["shop", "yes"][..], "ship", "ship|stop"),
        ("ok|later", &["yes"], "ok", "ok|later"),
        ("boolean", &["perhaps"], "yes", "yes|no"),
        ("integer", &["many", "2.5"], "2", "\"<a whole number>\""),
    ] {
        let env = TestEnvironment::new();
        let (_, repo) = place(&env, &[("flow", &format!("{flow}output = \"{output}\"\n"))]);
        let waits = repo.aio(&["run", "flow"]);
        let id = repo.ok(&["run", "show"]).split_whitespace().next().unwrap().to_owned();
        let how = format!("`git aio run answer {id}/many/1/go {wanted}`");
        assert!(waits.code == 5 && waits.stderr.contains(&how), "{waits:?}");
        for wrong in wrong {
            let refused = repo.aio(&["run", "answer", &id, wrong]);
            assert_eq!(refused.code, 2, "{refused:?}");
            assert!(refused.stderr.contains(wanted.trim_matches(['"', '<', '>'])), "{refused:?}");
            assert_eq!(told(&repo, &["show"]).0["run"]["steps"][1]["answered"], false);
        }
        repo.ok(&["run", "answer", &id, right]);
        let ended = repo.aio(&["run", "resume"]);
        assert!(ended.code == 0 && (right == "yes" || ended.stdout.contains(right)), "{ended:?}");
    }
}

#[cfg(unix)]
#[test]
fn at_a_terminal_an_answer_that_is_not_of_the_shape_is_asked_for_again() {
    use crate::terminal::Terminal;
    for (output, typed) in [
        ("ok|later", &[("yes", "it takes ok|later; no has it fail"), ("later", "later")][..]),
        ("integer", &[("rerun", "it takes a whole number; no has it fail"), ("2.5", "is 2.5: it takes"), ("7", "7")]),
        ("boolean", &[("perhaps", "it takes yes|no"), ("no", "false")]),
    ] {
        let env = TestEnvironment::new();
        let flow = format!("about = \"x\"\n[[step]]\nid = \"go\"\nask = \"Which?\"\noutput = \"{output}\"\n");
        let (_, repo) = place(&env, &[("flow", &flow)]);
        let terminal = Terminal::typing(repo.command(&["run", "flow"]));
        terminal.wait_for("Which?");
        // As long as it takes to read it: what goes on is not drawn over it.
        thread::sleep(Duration::from_millis(600));
        terminal.wait_for("go: Which?[");
        for (words, then) in typed {
            words.bytes().chain([b'\r']).for_each(|key| terminal.press(key));
            terminal.wait_for(then);
        }
        let seen = terminal.end();
        seen.assert_harmless();
        assert!(seen.code == 0 && !seen.raw.contains("Pipeline failed"), "{output}: {}", seen.raw);
    }
    // Nothing more is typed: then it waits, as where nobody is.
    let env = TestEnvironment::new();
    let (_, repo) =
        place(&env, &[("flow", "about = \"x\"\n[[step]]\nid = \"go\"\nask = \"Which?\"\noutput = \"a|b\"\n")]);
    let terminal = Terminal::typing(repo.command(&["run", "flow"]));
    terminal.wait_for("Which?");
    b"c\r".iter().for_each(|key| terminal.press(*key));
    terminal.wait_for("it takes a|b");
    terminal.press(4);
    let seen = terminal.end();
    assert_eq!(seen.code, 5, "{}", seen.raw);
    repo.ok(&["run", "answer", "/go", "b"]);
    assert_eq!(repo.ok(&["run", "resume"]).trim(), "b");
}

#[test]
fn the_log_and_the_ledger_tell_what_is_asked() {
    let env = TestEnvironment::new();
    let long = "x".repeat(30_000);
    let flow = format!(
        "about = \"x\"\n[[step]]\nid = \"go\"\nask = \"Which of them?\\n# Really\\u001b[2J?\"\n\
         [[step]]\nid = \"on\"\nask = \"{long}\"\n"
    );
    let (_, repo) = place(&env, &[("flow", &flow)]);
    assert_eq!(repo.aio(&["run", "flow"]).code, 5);
    let log = repo.ok(&["run", "log"]);
    assert_eq!(log, "go asks\n  Which of them?\n  # Really\\u{1b}[2J?\n");
    let ledger = repo.ok(&["run", "show", "--ledger"]);
    let asked = "- [ ] go: asked\n  > Which of them?\n  > # Really\\u{1b}[2J?\n";
    assert!(ledger.contains(asked) && ledger.contains("## Pending\n\n- [ ] on\n"), "{ledger}");
    repo.ok(&["run", "answer", "/go", "the first"]);
    assert_eq!(repo.aio(&["run", "resume"]).code, 5);
    let ledger = repo.ok(&["run", "show", "--ledger"]);
    assert!(!ledger.contains("Which of them?") && ledger.contains("  > xxx") && ledger.len() < 5000, "{ledger}");
    let log = repo.ok(&["run", "log"]);
    assert!(log.starts_with("go asks\n") && log.contains("on asks\n  xxx") && log.len() < 25_000, "{log}");
}

#[test]
fn a_task_of_the_caller_is_shown_with_all_that_an_agent_would_be_told() {
    let env = TestEnvironment::new();
    let flow = "about = \"x\"\n[[step]]\nid = \"fix\"\nprompt = \"Mend the login.\\nIt is slow\\u001b[2J.\"\n\
                agent = [\"claude\", \"caller\"]\nscope = [\"src/auth/\"]\naccept = [\"it takes a second\"]\n\
                avoid = [\"the tokens\"]\nverify = [\"true\"]\n";
    let (agents, repo) = place(&env, &[("flow", flow)]);
    agents.plays("claude", &[Do::Exit(9)]);
    let parts = ["# Task: Mend the login.", "It is slow\\u{1b}[2J.", "`src/auth/`", "it takes a second", "the tokens"];
    let ended = repo.aio(&["run", "flow"]);
    assert_eq!(ended.code, 5, "{ended:?}");
    for shown in [&ended.stderr, &repo.ok(&["run", "show"]), &repo.ok(&["run", "log"])] {
        for part in parts.iter().chain(&["exit code 9"]) {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(!shown.contains('\u{1b}') && !shown.contains("claimed for you"), "{shown}");
    }
    let how = ended.stderr.lines().find(|line| line.starts_with("fix waits: ")).unwrap_or_else(|| panic!("{ended:?}"));
    assert!(how.ends_with("/fix ok|failed|\"<result>\"`"), "{how}");
    let (shown, _) = told(&repo, &["show"]);
    let question = shown["run"]["steps"][0]["question"].as_str().unwrap_or_else(|| panic!("{shown:#}"));
    assert!(question.contains("It is slow\u{1b}[2J.") && question.contains("the tokens"), "{question}");
    let refused = repo.aio(&["run", "answer", "/fix", "rerun"]);
    assert!(refused.code == 2 && refused.stderr.contains("the caller's to do"), "{refused:?}");
    repo.ok(&["run", "answer", "/fix", "Mended."]);
    assert_eq!(repo.ok(&["run", "resume"]), "Mended.\n");
    // What is done again is asked again.
    assert_eq!(repo.aio(&["run", "retry", "fix"]).code, 5);
    assert_eq!(repo.aio(&["run", "resume"]).code, 5, "what was answered before is no answer to it");
}

#[test]
fn a_question_is_not_answered_by_having_it_done_again() {
    let env = TestEnvironment::new();
    let repo = waiting(&env);
    let refused = repo.aio(&["run", "answer", "/go", "rerun"]);
    assert!(refused.code == 2 && refused.stderr.contains("nothing of it to be done again"), "{refused:?}");
    assert_eq!(told(&repo, &["show"]).0["run"]["steps"][0]["answered"], false);
    repo.ok(&["run", "answer", "/go", "yes"]);
    assert_eq!(repo.ok(&["run", "resume"]).trim(), "yes");
}

#[test]
fn of_several_that_go_on_with_a_run_at_once_all_but_one_are_told_that_somebody_does() {
    let env = TestEnvironment::new();
    let flow =
        "about = \"x\"\n[[step]]\nid = \"go\"\nask = \"Go on?\"\n[[step]]\nid = \"b\"\nrun = \"sleep 1; echo done\"\n";
    let (_, repo) = place(&env, &[("flow", flow)]);
    for _ in 0..3 {
        assert_eq!(repo.aio(&["run", "flow"]).code, 5);
        let id = repo.ok(&["run", "show"]).split_whitespace().next().unwrap().to_owned();
        repo.ok(&["run", "answer", &id, "yes"]);
        let ended = together((0..6).map(|_| repo.command(&["run", "resume", &id])).collect());
        let mut codes: Vec<i32> = ended.iter().map(|ended| ended.code).collect();
        codes.sort_unstable();
        assert_eq!(codes, [0, 75, 75, 75, 75, 75], "{ended:?}");
    }
}
