//! What was done is undone when a step fails, and not when a driver dies.

use super::*;

const SAGA: &str = "
[[step]]
id = 't1'
run = 'true'
compensate = { run = 'undo {{ self.out }}' }
[[step]]
id = 't2'
run = 'true'
compensate = { run = 'undo' }
[[step]]
id = 't3'
run = 'true'
compensate = { run = 'undo', after = 'start' }
[[step]]
id = 't4'
run = 'true'
compensate = { run = 'undo' }
";

#[test]
fn what_was_done_is_undone_in_reverse_though_one_undo_fails() {
    let fake = Fake { fails: vec!["t3".into(), "t2/undo".into()], ..Fake::default() };
    let (ended, recorded) = run_through(SAGA, &fake);
    assert_eq!(ended.status, RunStatus::UndoFailed);
    assert_eq!(fake.begun(), ["t1", "t2", "t3", "t3/undo", "t2/undo", "t1/undo"]);
    assert_eq!(fake.text("t1/undo"), "undo 'out of t1'");
    assert_eq!(ended.failure.expect("a failure").0, "t3");
    assert_eq!(recorded.undone.values().filter(|failure| failure.is_some()).count(), 1);
    assert_eq!(run_through(SAGA, &Fake::default()).0.status, RunStatus::AllTransactionsComplete);
}

#[test]
fn that_a_driver_dies_undoes_nothing() {
    for changes in 0..20 {
        let fake = Fake { fails: vec!["t3".into()], ..Fake::default() };
        let workflow = loaded(SAGA);
        let (ended, mut recorded) = drive(&workflow, &fake, Recorded::default(), changes);
        if ended.status.is_final() {
            continue;
        }
        assert_eq!(ended.status, RunStatus::Interrupted);
        recorded.answers = recorded.begun.iter().map(|path| (path.clone(), Answer::Rerun)).collect();
        let again = Fake { fails: vec!["t3".into()], ..Fake::default() };
        let (ended, after) = drive(&workflow, &again, recorded, usize::MAX);
        assert_eq!(ended.status, RunStatus::Undone, "after {changes}");
        assert_eq!(after.undone.len(), 3);
        let undone: Vec<_> = again.begun().into_iter().filter(|path| path.ends_with("undo")).collect();
        assert!(["t3/undo", "t2/undo", "t1/undo"].ends_with(&undone.iter().map(String::as_str).collect::<Vec<_>>()));
    }
}

#[test]
fn a_command_that_was_lost_waits_for_somebody_to_say_what_became_of_it() {
    let workflow = loaded("[[step]]\nid = 'a'\nrun = 'pay'\n[[step]]\nid = 'b'\nrun = 'true'\n");
    let (_, recorded) = drive(&workflow, &Fake::default(), Recorded::default(), 2);
    let fake = Fake::default();
    let (ended, recorded) = drive(&workflow, &fake, recorded, usize::MAX);
    assert_eq!((ended.status, fake.begun().len()), (RunStatus::Waiting, 0));
    let path = ended.asked[0].clone();
    let answer = |answer: Answer| {
        let recorded = Recorded { answers: [(path.clone(), answer)].into(), ..recorded.clone() };
        let fake = Fake::default();
        (drive(&workflow, &fake, recorded, usize::MAX).0.status, fake.begun())
    };
    assert_eq!(answer(Answer::Yes), (RunStatus::Complete, vec!["b".to_owned()]));
    assert_eq!(answer(Answer::Rerun), (RunStatus::Complete, vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(answer(Answer::No), (RunStatus::Failed, vec![]));
}

#[test]
fn a_failure_that_is_allowed_undoes_what_is_inside_of_it_and_no_more() {
    let text = "
[[step]]
id = 'outer'
run = 'true'
compensate = { run = 'undo' }
[[step]]
id = 'try'
allow_failure = true
  [[step.step]]
  id = 'one'
  run = 'true'
  compensate = { run = 'undo' }
  [[step.step]]
  id = 'two'
  run = 'true'
[[step]]
id = 'after'
if = 'not steps.try.ok'
run = 'true'
";
    let fake = Fake { fails: vec!["two".into()], ..Fake::default() };
    let (ended, _) = run_through(text, &fake);
    assert_eq!(fake.begun(), ["outer", "try/one", "try/two", "try/one/undo", "after"]);
    assert_eq!(ended.status, RunStatus::AllTransactionsComplete);
}

#[test]
fn items_one_at_a_time_end_with_the_first_that_fails() {
    let text = "
[[step]]
id = 't'
for_each = [1, 2, 3, 4]
max_parallel = 1
run = 'true'
compensate = { run = 'undo {{ item }}' }
";
    let fake = Fake { fails: vec!["t/3".into()], ..Fake::default() };
    assert_eq!(run_through(text, &fake).0.status, RunStatus::Undone);
    assert_eq!(fake.begun(), ["t/1", "t/2", "t/3", "t/2/undo", "t/1/undo"]);
    assert_eq!(fake.text("t/2/undo"), "undo 2");
}

#[test]
fn what_is_cancelled_is_undone() {
    let workflow = loaded(SAGA);
    let (_, recorded) = drive(&workflow, &Fake::default(), Recorded::default(), 6);
    let fake = Fake::default();
    let mut memory = Memory { recorded: recorded.clone(), dies_after: usize::MAX };
    let given = Given { is_cancelled: true, ..given(&workflow, recorded) };
    let ended = run(&workflow, &given, &fake, &mut memory, &Stop::default(), &mut |_| ());
    assert_eq!(ended.status, RunStatus::Undone);
    assert!(fake.begun().iter().all(|path| path.ends_with("undo")), "{:?}", fake.begun());
}

#[test]
fn a_run_that_is_interrupted_undoes_nothing_and_is_gone_on_with() {
    let text = SAGA.replace("id = 't3'\nrun", "id = 'slow'\nretry = 1\nrun");
    let (workflow, fake, stop) = (loaded(&text), Fake::default(), Stop::default());
    let mut memory = Memory { recorded: Recorded::default(), dies_after: usize::MAX };
    let asked = stop.clone();
    let mut tell = |event: &Event| {
        if matches!(event, Event::Step { step, status: "running", .. } if step == "slow") {
            asked.stop();
        }
    };
    let ended = run(&workflow, &given(&workflow, Recorded::default()), &fake, &mut memory, &stop, &mut tell);
    assert_eq!(
        (ended.status, fake.begun()),
        (RunStatus::Interrupted, ["t1", "t2", "slow"].map(str::to_owned).to_vec())
    );
    let recorded = Recorded { status: None, ..memory.recorded };
    let again = Fake { fails: vec!["t4".into()], ..Fake::default() };
    // What is slow is so till it is told to stop, and is answered for here.
    let path: StepPath = "slow".parse().expect("a path");
    let recorded = Recorded { answers: [(path, Answer::Yes)].into(), ..recorded };
    let (ended, _) = drive(&workflow, &again, recorded, usize::MAX);
    assert_eq!(ended.status, RunStatus::Undone);
    assert_eq!(again.begun(), ["t4", "slow/undo", "t2/undo", "t1/undo"]);
}

#[test]
fn what_undoes_a_step_that_failed_reads_how_that_went() {
    let text = "
[[step]]
id = 'a'
run = 'true'
allow_failure = true
compensate = { run = 'undo {{ self.status }} {{ self.failure }}', after = 'start' }
";
    let fake = Fake { fails: vec!["a".into()], ..Fake::default() };
    assert_eq!(run_through(text, &fake).0.status, RunStatus::Complete);
    assert_eq!(fake.text("a/undo"), "undo failed 'exit code 1'");
}
