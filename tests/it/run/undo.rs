//! Steps that say how they are undone.

use super::*;

const SAGA: &str = r#"
about = "Three, and the third fails."

[[step]]
id = "one"
run = "echo one >>log"
scope = ["log"]
verify = []
compensate = { run = "echo undo one >>log" }

[[step]]
id = "two"
run = "echo two >>log"
scope = ["log"]
verify = []
compensate = { run = "echo undo two >>log; exit 1" }

[[step]]
id = "three"
run = "echo three >>log"
scope = ["log"]
verify = []
compensate = { run = "echo undo three >>log" }

[[step]]
id = "four"
run = "echo four >>../four; exit 1"
compensate = { run = "echo undo four >>../four", after = "start" }
"#;

#[test]
fn one_that_cannot_be_undone_keeps_none_of_the_others_from_it() {
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("three", SAGA)]);
    let ended = repo.aio(&["run", "three", "--jsonl"]);
    let (events, last) = events(&ended);
    let undone: Vec<_> = events.iter().filter(|event| event["event"] == "undone").map(|event| &event["step"]).collect();
    assert_eq!(undone, ["four", "three", "two", "one"], "{ended:?}");
    let log = lines(&repo.dir.join("log"));
    assert_eq!(log, ["one", "two", "three", "undo three", "undo one"], "a command that fails is put back");
    assert_eq!(lines(&repo.dir.join("../four")), ["four", "undo four"]);
    assert_eq!((ended.code, status(&last)), (1, "undo_failed"), "{last:#}");
    let steps = steps(&last);
    assert_eq!((&steps["one"][..], &steps["two"][..], &steps["three"][..]), ("undone", "undo_failed", "undone"));
    let words: Vec<_> = events.iter().filter(|event| event["event"] == "run").map(|event| &event["status"]).collect();
    assert_eq!(words, ["running", "compensating", "undo_failed"]);
    assert_free(&repo);
}

#[test]
fn transactions_are_undone_in_reverse_and_that_is_told_by_the_exit_code() {
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[]);
    let one = |name: &str, action: &str| {
        format!(r#"{{"action":"echo {name} >>../log{action}","compensate":"echo undo {name} >>../log"}}"#)
    };
    let all = |last: &str| format!("transactions=[{},{},{}]", one("a", ""), one("b", ""), one("c", last));
    let (first, code) = told(&repo, &["saga", "-i", &all("; exit 3")]);
    assert_eq!((code, status(&first)), (6, "undone"), "{first:#}");
    assert_eq!(lines(&repo.dir.join("../log")), ["a", "b", "c", "undo b", "undo a"]);
    let (second, code) = told(&repo, &["saga", "-i", &all("")]);
    assert_eq!((code, status(&second)), (0, "all_transactions_complete"), "{second:#}");
    assert_free(&repo);
}

#[test]
fn a_migration_is_switched_back_and_taken_back_when_its_smoke_test_fails() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    let plan = r#"{"name":"add","steps":["add it"],"risk":"high"}"#;
    agents.plays_when("claude", "Plan an expand", &[Do::Say(plan)]);
    let write =
        [Do::Edit("migrations/add/up.sql", "up\n"), Do::Edit("migrations/add/down.sql", "down\n"), Do::Say("Written.")];
    agents.plays_when("claude", "Write migrations", &write);
    let log = |name: &str, word: &str| format!("{name}=echo {word} $(cat \"$1\") >>../log");
    let args = [
        "migrate",
        "-i",
        "change=A column",
        "-i",
        &log("apply", "apply"),
        "-i",
        "backup=echo kept >\"$1\"",
        "-i",
        "switch=echo switch >>../log",
        "-i",
        "switch_back=echo back >>../log",
        "-i",
        "smoke=exit 1",
    ];
    let (first, code) = told(&repo, &args);
    assert_eq!((code, status(&first)), (5, "waiting"), "{first:#}");
    assert_eq!(lines(&repo.dir.join("migrations/add/up.sql")), ["up"]);
    let id = first["run"]["id"].as_str().unwrap().to_owned();
    repo.ok(&["run", "answer", &id, "no"]);
    let (last, code) = answer(&repo.aio(&["run", "resume", "--json"]));
    assert_eq!((code, status(&last)), (6, "undone"), "{last:#}");
    assert!(!repo.dir.join("migrations/add/up.sql").exists());
    assert!(lines(&repo.dir.join("../log")).is_empty());
    assert_free(&repo);
}

#[test]
fn a_run_that_waits_can_be_cancelled_and_undone() {
    let flow = "about = \"x\"\n[[step]]\nid = \"a\"\nscope = [\"src/main.rs\"]\nagent = \"claude\"\nprompt = \"Do it\"\ncompensate = \"revert\"\n\
                [[step]]\nid = \"b\"\nask = \"Go on?\"\n";
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[("flow", flow)]);
    agents.plays("claude", &[Do::Edit("src/main.rs", "changed\n"), Do::Say("Done.")]);
    for undo in [false, true] {
        assert_eq!(repo.aio(&["run", "flow"]).code, 5);
        assert_eq!(lines(&repo.dir.join("src/main.rs")), ["changed"]);
        let args: &[&str] = if undo { &["run", "cancel", "--undo"] } else { &["run", "cancel"] };
        let ended = repo.aio(args);
        assert_eq!(ended.code, if undo { 6 } else { 0 }, "{ended:?}");
        assert!(!undo || ended.stderr.contains("the run was cancelled, and what it did is undone"), "{ended:?}");
        let expected = if undo { "fn main() {}" } else { "changed" };
        assert_eq!(lines(&repo.dir.join("src/main.rs")), [expected]);
        repo.write("src/main.rs", "fn main() {}\n");
        assert_eq!(repo.aio(&["run", "resume"]).code, 2);
        assert_free(&repo);
    }
}
