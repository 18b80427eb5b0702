//! Runs that are stopped or killed, and gone on with.

use super::*;

/// A bit of everything: an agent that edits, items, a round, a condition, and something that is read at the end.
const FLOW: &str = r#"
about = "A bit of everything."

[[step]]
id = "edit"
agent = "claude"
scope = ["src/main.rs"]
prompt = "Add a line"

[[step]]
id = "each"
for_each = ["a", "b"]
max_parallel = 1
retry = 1
run = "echo {{ item }} >>../each; echo {{ item }}"

[[step]]
id = "rounds"
repeat = { until = "steps.look.out.score >= 2", max = 3 }

  [[step.step]]
  id = "look"
  agent = "claude"
  prompt = "Look, round {{ iteration }}"
  output = { score = "0..10" }

[[step]]
id = "never"
if = "not steps.edit.ok"
run = "echo never >>../each"

[[step]]
id = "report"
agent = "claude"
prompt = "Report {{ steps.each.out | join('+') }}"
save = ".context/report.md"
"#;

fn scene<'e>(env: &'e TestEnvironment) -> (Agents, Repo<'e>) {
    let (agents, repo) = place(env, &[("flow", FLOW)]);
    agents.plays_when("claude", "Add a line", &[Do::Run("echo more >>src/main.rs"), Do::Say("added")]);
    agents.plays_when("claude", "Look, round 1", &[Do::Say(r#"{"score":1}"#)]);
    agents.plays_when("claude", "Look, round 2", &[Do::Say(r#"{"score":2}"#)]);
    agents.plays_when("claude", "Report a+b", &[Do::Say("a and b")]);
    (agents, repo)
}

/// Kills the driver after so many writes of its run, and goes on; whether there were so many.
fn killed_after(write: usize) -> bool {
    let env = TestEnvironment::new();
    let (agents, repo) = scene(&env);
    let (told, before) = match killed_and_resumed(&repo, &agents, write, "a and b") {
        Ok(resumed) => resumed,
        Err(is_killed) => return is_killed,
    };
    let steps = steps(&told);
    let not_done: Vec<_> = steps.iter().filter(|(_, status)| *status != "ok").map(|(step, _)| &step[..]).collect();
    assert_eq!((status(&told), not_done, steps.len()), ("complete", vec!["never"], 9), "{write}: {told:#}");
    assert_eq!(lines(&repo.dir.join("src/main.rs")), ["fn main() {}", "more"], "{write}");
    assert_eq!(lines(&repo.dir.join(".context/report.md")), ["a and b"], "{write}");
    let each = lines(&repo.dir.join("../each"));
    assert!(each.len() <= 3 && each.iter().any(|line| line == "a") && each.last().unwrap() == "b", "{write}: {each:?}");
    // At most the one that was at work is asked again.
    let calls = agents.calls("claude").len();
    assert!(calls <= 5 && calls >= before.max(4), "{write}: asked {calls} times");
    assert_free(&repo);
    true
}

#[test]
fn a_driver_may_be_killed_anywhere_and_what_was_done_is_not_done_again() {
    // Each kill is a run of its own: every third write is enough to meet each kind of them.
    at_every_write(1, 3, 5, killed_after);
}

pub(super) fn interrupt(child: Child) -> Ended {
    let pid = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    crate::env::ended(&child.wait_with_output().unwrap())
}

#[test]
fn an_interrupt_stops_a_run_that_can_be_gone_on_with() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[("flow", FLOW)]);
    agents.plays_when("claude", "Add a line", &[Do::Run("echo more >>src/main.rs"), Do::Stall]);
    agents.plays_when("claude", "Add a line", &[Do::Run("echo more >>src/main.rs"), Do::Say("added")]);
    agents.plays_when("claude", "Look", &[Do::Say(r#"{"score":2}"#)]);
    agents.plays_when("claude", "Report a+b", &[Do::Say("a and b")]);
    let child = start(&repo, &["flow"]);
    wait_for("the edit", || lines(&repo.dir.join("src/main.rs")).len() == 2);
    let ended = interrupt(child);
    assert!(ended.code == 130 && ended.stderr.contains("interrupted: `git aio run resume flow-"), "{ended:?}");
    assert_eq!(lines(&repo.dir.join("src/main.rs")), ["fn main() {}"], "its scope is as it was");
    assert!(repo.ok(&["run", "list"]).starts_with("interrupted "));
    assert_free(&repo);
    let (told, code) = answer(&repo.aio(&["run", "resume", "--json"]));
    assert_eq!((code, status(&told), &told["result"]), (0, "complete", &"a and b".into()), "{told:#}");
    assert_eq!(lines(&repo.dir.join("src/main.rs")), ["fn main() {}", "more"]);
    assert_free(&repo);
}

#[test]
fn a_command_that_may_not_be_run_twice_is_asked_about_when_its_driver_died() {
    let flow = "about = \"x\"\n[[step]]\nid = \"pay\"\nrun = \"echo paid >>../paid; sleep 600; echo paid\"\n\
                [[step]]\nid = \"after\"\nrun = \"echo {{ steps.pay.status }}\"\n";
    for (word, code, out) in [("yes", 0, "ok\n"), ("no", 1, "")] {
        let env = TestEnvironment::new();
        let (_, repo) = place(&env, &[("flow", flow)]);
        let mut child = start(&repo, &["flow"]);
        wait_for("the command", || lines(&repo.dir.join("../paid")).len() == 1);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(repo.ok(&["run", "list"]).starts_with("lost "));
        let asked = repo.aio(&["run", "resume"]);
        assert!(asked.code == 5 && asked.stderr.contains("it can't be told whether it was done"), "{asked:?}");
        let (shown, _) = answer(&repo.aio(&["run", "show", "--json"]));
        assert_eq!((status(&shown), &steps(&shown)["pay"][..]), ("waiting", "lost"), "{shown:#}");
        let refused = repo.aio(&["run", "answer", "/pay", "maybe"]);
        assert!(refused.code == 2 && refused.stderr.contains("rerun to have it done again"), "{refused:?}");
        assert!(repo.ok(&["run", "show"]).contains("/pay ok|failed|rerun`"));
        repo.ok(&["run", "answer", shown["run"]["id"].as_str().unwrap(), word]);
        let ended = repo.aio(&["run", "resume"]);
        assert_eq!((ended.code, &ended.stdout[..]), (code, out), "{ended:?}");
        assert_eq!(lines(&repo.dir.join("../paid")).len(), 1);
    }
}

#[test]
fn a_step_is_done_again_with_all_that_came_after_it() {
    let flow = "about = \"x\"\n[[step]]\nid = \"a\"\nrun = \"echo a >>../log; echo a\"\n[[step]]\nid = \"b\"\nrun = \"echo b >>../log; test -e ../may; echo b\"\n\
                [[step]]\nid = \"c\"\nrun = \"echo c >>../log; echo {{ steps.b.out }}c\"\n";
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("flow", flow)]);
    let log = || lines(&repo.dir.join("../log")).concat();
    assert_eq!(repo.aio(&["run", "flow"]).code, 0, "the last command of a line decides");
    let ended = repo.aio(&["run", "retry", "b"]);
    assert_eq!((ended.code, &ended.stdout[..], &log()[..]), (0, "bc\n", "abcbc"), "{ended:?}");
    let (shown, _) = answer(&repo.aio(&["run", "show", "--json"]));
    assert!(steps(&shown).values().all(|status| status == "ok") && status(&shown) == "complete", "{shown:#}");
    let unknown = repo.aio(&["run", "retry", "/nothing"]);
    assert_eq!(unknown.code, 8, "{unknown:?}");
    assert_eq!(log(), "abcbc");

    // What is still the same is kept, and what has changed is done.
    repo.write(".aio/workflows/flow.toml", &flow.replace("echo b >>", "echo B >>"));
    repo.ok(&["trust", "--yes"]);
    let ended = repo.aio(&["run", "resume", "--updated"]);
    assert_eq!((ended.code, &ended.stdout[..], &log()[..]), (0, "bc\n", "abcbcBc"), "{ended:?}");
}

#[test]
fn a_run_that_failed_goes_on_from_the_step_that_is_tried_again() {
    let flow = "about = \"x\"\n[[step]]\nid = \"a\"\nrun = \"echo a >>../log; echo a\"\n[[step]]\nid = \"b\"\nrun = \"echo b >>../log; test -e ../may && echo b\"\n\
                [[step]]\nid = \"c\"\nrun = \"echo {{ steps.b.out }}c\"\n";
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("flow", flow)]);
    let ended = repo.aio(&["run", "flow"]);
    assert!(ended.code == 1 && ended.stderr.contains("Pipeline failed: b"), "{ended:?}");
    fs::write(repo.dir.join("../may"), "").unwrap();
    let ended = repo.aio(&["run", "retry", "b"]);
    assert_eq!((ended.code, &ended.stdout[..]), (0, "bc\n"), "{ended:?}");
    assert_eq!(lines(&repo.dir.join("../log")).concat(), "abb");
    let (shown, _) = answer(&repo.aio(&["run", "show", "--json"]));
    assert!(steps(&shown).values().all(|status| status == "ok") && status(&shown) == "complete", "{shown:#}");
}

/// Edits a workflow while its run waits, reads it anew, and kills the driver after so many writes; whether there were so many.
fn killed_while_updated(write: usize) -> bool {
    let step =
        |id: &str, rest: &str| format!("[[step]]\nid = \"{id}\"\nretry = 1\nrun = \"echo {id} >>../log; {rest}\"\n");
    let (one, go) = (step("one", "echo 1"), "[[step]]\nid = \"go\"\nask = \"Go?\"\n");
    let each = "[[step]]\nid = \"each\"\nfor_each = [\"x\", \"y\"]\nmax_parallel = 1\nretry = 1\nrun = \"echo each{{ item }} >>../log; echo {{ item }}\"\n";
    let end = step("end", "echo old {{ steps.each.out | join('+') }}");
    let flow = ["about = \"x\"\n", &one, each, go, &end].concat();
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("flow", &flow)]);
    assert_eq!(repo.aio(&["run", "flow"]).code, 5);
    let id = tip_of_runs(&repo);
    repo.ok(&["run", "answer", &id, "yes"]);
    let updated = flow.replace("echo old", "echo new").replace("[\"x\", \"y\"]", "[\"x\", \"y\", \"z\"]");
    repo.write(".aio/workflows/flow.toml", &updated);
    repo.ok(&["trust", "--yes", "--quiet"]);
    let mut resume = repo.command(&["run", "resume", "--updated"]);
    let ended = run(resume.env("AIO_TEST_KILL_AT", format!("run-after-{write}")));
    if ended.code != KILLED {
        assert_eq!((ended.code, &ended.stdout[..]), (0, "new x+y+z\n"), "{ended:?}");
        return false;
    }
    // From the moment that it is written down, the file is of no use any more.
    let spec = repo.git(&["show", &format!("refs/aio-local/runs/{id}:spec/workflow.json")]);
    let is_new = spec.contains("echo new");
    fs::remove_file(repo.dir.join(".aio/workflows/flow.toml")).unwrap();
    let resumed = repo.aio(&["run", "resume"]);
    if resumed.code == 2 {
        assert!(resumed.stderr.contains("has ended: complete"), "{write}: {resumed:?}");
    } else {
        let out = if is_new { "new x+y+z\n" } else { "old x+y\n" };
        assert_eq!((resumed.code, &resumed.stdout[..]), (0, out), "{write}: {resumed:?}");
    }
    let log = lines(&repo.dir.join("../log"));
    let count = |line: &str| log.iter().filter(|known| *known == line).count();
    assert_eq!(["one", "eachx", "eachy"].map(count), [1, 1, 1], "{write}: what is the same is kept: {log:?}");
    // At most what was at work is done again.
    let (last, end) = (count("eachz"), count("end"));
    assert!(last >= usize::from(is_new) && end >= 1 && last + end <= 3, "{write}: {log:?}");
    assert!(is_new || write < 4, "{write}: it is written down before anything is done");
    assert_free(&repo);
    true
}

/// The only run that there is.
fn tip_of_runs(repo: &Repo<'_>) -> String {
    let names = repo.git(&["for-each-ref", "--format=%(refname)", "refs/aio/runs/"]);
    names.trim().strip_prefix("refs/aio/runs/").unwrap_or_else(|| panic!("one run: {names}")).to_owned()
}

#[test]
fn a_driver_that_had_read_the_files_anew_may_be_killed_and_what_goes_on_is_what_it_had_read() {
    at_every_write(1, 2, 3, killed_while_updated);
}

#[test]
fn a_lock_that_a_killed_driver_left_stops_nobody() {
    let env = TestEnvironment::new();
    let flow = "about = \"x\"\n[[step]]\nid = \"go\"\nask = \"Go?\"\n[[step]]\nid = \"b\"\nrun = \"echo gone\"\n";
    let (_, repo) = place(&env, &[("flow", flow)]);
    assert_eq!(repo.aio(&["run", "flow"]).code, 5);
    repo.ok(&["run", "answer", "/go", "yes"]);
    let killed = run(repo.command(&["run", "resume"]).env("AIO_TEST_KILL_AT", "ref-locked"));
    assert_eq!(killed.code, KILLED, "{killed:?}");
    let id = tip_of_runs(&repo);
    assert!(repo.dir.join(format!(".git/refs/aio/runs/{id}.lock")).exists());
    let ended = repo.aio(&["run", "resume"]);
    assert_eq!((ended.code, &ended.stdout[..]), (0, "gone\n"), "{ended:?}");
}

#[test]
fn a_command_whose_driver_died_is_ended_before_the_run_is_cancelled_undone_or_answered() {
    let flow = "about = \"x\"\n[[step]]\nid = \"late\"\n\
                run = \"echo $$ >../pid; while ! test -e ../go; do sleep 0.05; done; echo late >>../log\"\n\
                compensate = { run = \"echo undone >>../log\", after = \"start\" }\n";
    for (args, log) in [
        (&["run", "cancel"][..], &[][..]),
        (&["run", "cancel", "--undo"], &["undone"]),
        (&["run", "answer", "late", "no"], &[]),
        (&["run", "answer", "late", "yes"], &[]),
    ] {
        let env = TestEnvironment::new();
        let (_, repo) = place(&env, &[("flow", flow)]);
        let mut child = start(&repo, &["flow"]);
        wait_for("the command", || lines(&repo.dir.join("../pid")).len() == 1);
        child.kill().unwrap();
        child.wait().unwrap();
        let id = answer(&repo.aio(&["run", "show", "--json"])).0["run"]["id"].as_str().unwrap().to_owned();
        let step = format!("{id}/late");
        let args: Vec<&str> = args.iter().map(|arg| if *arg == "late" { &step[..] } else { arg }).collect();
        let ended = repo.aio(&args);
        let pid = lines(&repo.dir.join("../pid")).concat();
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        fs::write(repo.dir.join("../go"), "").unwrap();
        assert!(state.is_empty() || state.contains(") Z "), "{args:?}: {state}: {ended:?}");
        assert_eq!(lines(&repo.dir.join("../log")), log, "{args:?}: {ended:?}");
        if args[1] == "answer" {
            assert_eq!(ended.code, 0, "{ended:?}");
            repo.aio(&["run", "resume"]);
            assert!(!lines(&repo.dir.join("../log")).contains(&"late".to_owned()), "{args:?}");
        }
        assert_free(&repo);
    }
}
