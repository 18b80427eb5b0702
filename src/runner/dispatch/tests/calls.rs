//! Workflows that are called are held to their own limits, besides those of whoever calls them.

use super::*;
use crate::runner::{
    language::{load, tests::Given as Files},
    work::Cap,
};

/// A workflow that calls `inner`, and goes on after that.
fn calling(inner: &str, flow: &str) -> Arc<Workflow> {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let files = Files(vec![file("flow", flow), file("inner", inner)]);
    load("flow", &files).unwrap_or_else(|error| panic!("{error}\n{inner}"))
}

const FLOW: &str = "
[[step]]
id = 'before'
run = 'true'
[[step]]
id = 'call'
workflow = 'inner'
allow_failure = true
[[step]]
id = 'after'
run = 'echo {{ steps.call.status }}'
";

fn failure(recorded: &Recorded, path: &str) -> (FailureKind, String) {
    let path: StepPath = path.parse().expect("a path");
    let failure = recorded.ended.get(&path).and_then(|outcome| outcome.failure.clone());
    failure.map_or_else(|| panic!("{path} has not failed: {recorded:#?}"), |failure| (failure.kind, failure.text))
}

#[test]
fn a_call_begins_no_more_steps_than_its_workflow_may() {
    let inner = "[limits]\nmax_steps = 2\n[[step]]\nid = 'a'\nrepeat = { until = 'iteration == 4', max = 4 }\n[[step.step]]\nid = 'b'\nrun = 'true'\n";
    let (workflow, fake) = (calling(inner, FLOW), Fake::default());
    let (ended, recorded) = drive(&workflow, &fake, Recorded::default(), usize::MAX);
    assert_eq!(ended.status, RunStatus::Complete);
    assert_eq!(fake.begun(), ["before", "call/a/1/b", "call/a/2/b", "after"]);
    assert_eq!(fake.text("after"), "echo failed");
    let told = "2 steps of the workflow inner were done, and no more may be: see max_steps in [limits]";
    assert_eq!(failure(&recorded, "call/a/3/b").1, told);
    // Another call of it may do as many, and all of them count for the run.
    let items = "id = 'call'\nfor_each = ['x', 'y']\nmax_parallel = 1\n";
    let flow = FLOW.replace("id = 'call'\n", items).replace("allow_failure = true\n", "");
    let twice = format!("[limits]\nmax_steps = 4\n{flow}");
    let (workflow, fake) = (calling(&inner.replace("== 4", "== 2"), &twice), Fake::default());
    let (ended, recorded) = drive(&workflow, &fake, Recorded::default(), usize::MAX);
    assert_eq!(ended.status, RunStatus::Failed);
    assert_eq!(fake.begun(), ["before", "call/1/a/1/b", "call/1/a/2/b", "call/2/a/1/b"]);
    assert!(failure(&recorded, "call/2/a/2/b").1.starts_with("4 steps were done"));
    // What is surely too much is not begun: of neither the workflow that is called, nor the run.
    let inner = "[limits]\nmax_steps = 2\n[[step]]\nid = 'a'\nfor_each = [1, 2, 3]\nrun = 'true'\n";
    let (workflow, fake) = (calling(inner, FLOW), Fake::default());
    let (_, recorded) = drive(&workflow, &fake, Recorded::default(), usize::MAX);
    assert_eq!(fake.begun(), ["before", "after"]);
    let told = "there are 3 items, and 2 of 2 steps of the workflow inner are left: see max_steps in [limits]";
    assert_eq!(failure(&recorded, "call/a").1, told);
    let (workflow, fake) = (
        calling(&inner.replace("[1, 2, 3]", "[1]").replace("'true'", "'x'"), &twice.replace("4", "1")),
        Fake::default(),
    );
    drive(&workflow, &fake, Recorded::default(), usize::MAX);
    assert_eq!(fake.begun(), ["before"]);
}

#[test]
fn a_call_uses_no_more_money_than_its_workflow_may() {
    let inner = "[limits]\nbudget_usd = 0.02\n[[step]]\nid = 'a'\nrun = '1'\n[[step]]\nid = 'b'\nrun = '2'\n[[step]]\nid = 'c'\nrun = '3'\n";
    let (workflow, fake) = (calling(inner, FLOW), Fake { cost: Some(10_000), ..Fake::default() });
    let (ended, recorded) = drive(&workflow, &fake, Recorded::default(), usize::MAX);
    assert_eq!(ended.status, RunStatus::Complete, "what was used before does not count for it");
    assert_eq!(fake.begun(), ["before", "call/a", "call/b", "after"]);
    assert_eq!(failure(&recorded, "call/c").1, "the budget of the workflow inner of 0.02 US dollars is used up");
    let (workflow, fake) = (
        calling(inner, &format!("[limits]\nbudget_usd = 0.02\n{FLOW}")),
        Fake { cost: Some(10_000), ..Fake::default() },
    );
    drive(&workflow, &fake, Recorded::default(), usize::MAX);
    assert_eq!(fake.begun(), ["before", "call/a"], "and all of it counts for the run");
}

const LATE: &str = "
[limits]
timeout = '1s'
max_parallel = 2
[[step]]
id = 'first'
run = 'x'
compensate = { run = 'undo' }
[[step]]
id = 'slow'
run = 'x'
allow_failure = true
compensate = { run = 'undo {{ self.status }}', after = 'start' }
[[step]]
id = 'block'
needs = ['first']
[[step.step]]
id = 'inside'
ask = 'Go?'
[[step]]
id = 'never'
needs = ['slow', 'block']
run = 'x'
";

#[test]
fn a_call_whose_time_is_up_has_failed_and_what_was_done_in_it_is_undone() {
    let (workflow, fake) = (calling(LATE, FLOW), Fake::default());
    let (ended, recorded) = drive(&workflow, &fake, Recorded::default(), usize::MAX);
    assert_eq!((ended.status, ended.asked), (RunStatus::Complete, Vec::new()));
    let late = (FailureKind::TimedOut, "the time of the workflow inner was up".to_owned());
    for path in ["call", "call/slow", "call/block", "call/block/inside"] {
        assert_eq!(failure(&recorded, path), late, "{path}");
    }
    assert!(recorded.begun.is_empty() && status(&recorded, "call/never").is_empty(), "{recorded:#?}");
    let begun = fake.begun();
    assert_eq!(begun, ["before", "call/first", "call/slow", "call/slow/undo", "call/first/undo", "after"]);
    assert_eq!((fake.text("call/slow/undo"), fake.text("after")), ("undo failed".into(), "echo failed".into()));
}

#[test]
fn a_call_that_was_late_is_not_begun_again_whenever_its_driver_dies() {
    let workflow = calling(LATE, FLOW);
    let (ended, recorded) = drive(&workflow, &Fake::default(), Recorded::default(), usize::MAX);
    let result = |ended: &Ended, recorded: &Recorded| {
        let ends: Vec<_> = recorded.ended.iter().map(|(path, outcome)| (path.clone(), outcome.status)).collect();
        (ended.status, ends, recorded.undone.clone(), recorded.begun.clone())
    };
    let killed_after = &|changes| {
        let (first, mut known) = drive(&workflow, &Fake::default(), Recorded::default(), changes);
        if first.unrecorded.is_none() {
            return false;
        }
        known.answers = known.begun.iter().map(|path| (path.clone(), Answer::Rerun)).collect();
        known.answers.retain(|path, _| !path.as_str().ends_with("inside"));
        let was_over = known.ended.contains_key(&"call".parse().expect("a path"));
        let fake = Fake::default();
        let (again, after) = drive(&workflow, &fake, known, usize::MAX);
        assert_eq!(result(&again, &after), result(&ended, &recorded), "after {changes}");
        assert!(!was_over || !fake.begun().contains(&"call/slow".to_owned()), "after {changes}: {:?}", fake.begun());
        true
    };
    // Each of them waits till the time is up, so they do it together.
    let kills = thread::scope(|scope| {
        let all: Vec<_> = (0..30).map(|changes| scope.spawn(move || killed_after(changes))).collect();
        all.into_iter().map(|one| one.join().expect("it is the same")).filter(|killed| *killed).count()
    });
    assert!((15..30).contains(&kills), "{kills}");
}

#[test]
fn the_time_of_a_call_is_nothing_to_the_rest_and_ends_what_is_called_in_it() {
    let flow = "
[[step]]
id = 'call'
workflow = 'inner'
allow_failure = true
[[step]]
id = 'beside'
needs = []
ask = 'Go?'
[[step]]
id = 'after'
run = 'true'
";
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let inner = "[limits]\ntimeout = '50ms'\n[[step]]\nid = 'deep'\nworkflow = 'deep'\n";
    let deep = "[limits]\ntimeout = '1h'\n[[step]]\nid = 'slow'\nrun = 'x'\n[[step]]\nid = 'never'\nrun = 'x'\n";
    let files = Files(vec![file("flow", flow), file("inner", inner), file("deep", deep)]);
    let (workflow, fake) = (load("flow", &files).expect("loaded"), Fake::default());
    let (ended, recorded) = drive(&workflow, &fake, Recorded::default(), usize::MAX);
    assert_eq!(
        (ended.status, ended.asked.len(), fake.begun()),
        (RunStatus::Waiting, 1, vec!["call/deep/slow".to_owned()])
    );
    for path in ["call", "call/deep", "call/deep/slow"] {
        assert_eq!(failure(&recorded, path).1, "the time of the workflow inner was up", "{path}");
    }
    // By the time that somebody answers nothing of it is done again.
    let answers = [("beside".parse().expect("a path"), Answer::Yes)].into();
    let fake = Fake::default();
    let (ended, _) = drive(&workflow, &fake, Recorded { answers, ..recorded }, usize::MAX);
    assert_eq!((ended.status, fake.begun()), (RunStatus::Complete, vec!["after".to_owned()]));
}

#[test]
fn what_a_step_may_write_is_within_what_all_that_it_is_called_by_may() {
    let inner = "
scope = ['{{ inputs.folder }}/**', '{{ vars.more }}']
[inputs]
folder = 'src'
[vars]
more = 'README.md'
[[step]]
id = 'a'
run = 'true'
";
    let flow = "scope = ['**']\n[[step]]\nid = 'call'\nworkflow = 'inner'\nwith = { folder = 'docs' }\n[[step]]\nid = 'b'\nrun = 'true'\n";
    let fake = Fake::default();
    drive(&calling(inner, flow), &fake, Recorded::default(), usize::MAX);
    let within = fake.log.lock().expect("not poisoned").within.clone();
    let cap = Cap { workflow: "inner".into(), scope: vec!["docs/**".into(), "README.md".into()] };
    assert_eq!(within, [("b".to_owned(), vec![]), ("call/a".to_owned(), vec![cap])].into());
}
