//! Blocks that work on a copy, and what goes on meanwhile.

use super::{
    copies::{Copies, Disk},
    *,
};
use std::time::Instant;

/// One whose copies come and go only once something else has happened.
#[derive(Default)]
struct Slow {
    fake: Fake,
    is_landing: AtomicBool,
}

impl Slow {
    /// Waits for something, though not for ever.
    fn wait(what: &str, is_there: impl Fn() -> bool) -> Result<(), Failure> {
        let began = Instant::now();
        while !is_there() {
            if began.elapsed() > Duration::from_secs(20) {
                return Err(Failure { kind: FailureKind::Internal, text: format!("no {what} meanwhile") });
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn wait_for_step(&self, path: &str) -> Result<(), Failure> {
        Slow::wait(path, || self.fake.begun().contains(&path.to_owned()))
    }
}

impl Execute for Slow {
    fn run(&self, work: &Work, tell: &dyn Fn(Moment), stop: &Stop) -> Done {
        let done = self.fake.run(work, tell, stop);
        let is_beside = work.path.as_str() == "beside";
        let waited = if is_beside { Slow::wait("end", || self.is_landing.load(Ordering::SeqCst)) } else { Ok(()) };
        waited.map_or_else(Done::failed, |()| done)
    }

    fn revert(&self, path: &StepPath, scope: &[String], stop: &Stop) -> Result<(), Failure> {
        self.fake.revert(path, scope, stop)
    }

    fn isolate(&self, _: &StepPath, _: &Stop) -> Result<Option<Arc<Engine>>, Failure> {
        self.wait_for_step("beside").map(|()| None)
    }

    fn land(&self, _: &StepPath, _: &Outcome) -> Result<Landed, Failure> {
        self.is_landing.store(true, Ordering::SeqCst);
        self.wait_for_step("later").map(|()| None)
    }
}

const BLOCK: &str = "
[[step]]
id = 'fix'
isolate = 'worktree'
  [[step.step]]
  id = 'write'
  run = 'true'
[[step]]
id = 'beside'
needs = []
run = 'true'
[[step]]
id = 'later'
needs = ['beside']
run = 'true'
";

#[test]
fn others_go_on_while_a_copy_is_made_and_while_it_comes_back() {
    let (workflow, slow) = (loaded(BLOCK), Slow::default());
    let mut memory = Memory { recorded: Recorded::default(), dies_after: usize::MAX };
    let given = given(&workflow, Recorded::default());
    let ended = run(&workflow, &given, &slow, &mut memory, &Stop::default(), &mut |_| ());
    assert_eq!((ended.status, ended.failure), (RunStatus::Complete, None));
    assert_eq!(slow.fake.begun(), ["beside", "fix/write", "later"]);
}

#[test]
fn a_step_on_a_copy_never_asks_the_caller() {
    let text = "
[inputs]
who = ['claude', 'caller']
[[step]]
id = 'fix'
isolate = 'worktree'
  [[step.step]]
  id = 'write'
  agent = '{{ inputs.who }}'
  prompt = 'x'
";
    let fake = Fake::default();
    let (ended, _) = run_through(text, &fake);
    let (step, failure) = ended.failure.expect("a failure");
    assert_eq!((ended.status, step.as_str(), fake.begun()), (RunStatus::Failed, "fix/write", Vec::new()));
    assert!(failure.text.contains("it asks the caller"), "{}", failure.text);
}

#[test]
fn what_never_had_its_copy_is_not_begun_without_one_when_the_run_goes_on() {
    let text = "
[[step]]
id = 's1'
isolate = 'worktree'
allow_failure = true
  [[step.step]]
  id = 'write'
  run = 'true'
[[step]]
id = 'go'
ask = 'Go on?'
";
    let (workflow, isolated) = (loaded(text), ["s1".to_owned()]);
    let mut known = Recorded::default();
    for _ in 0..2 {
        let fake = Fake { fails: isolated.to_vec(), ..Fake::default() };
        let copies = Copies::on(Disk::default(), fake, &isolated);
        let mut memory = Memory { recorded: known.clone(), dies_after: usize::MAX };
        let given = given(&workflow, known);
        let ended = run(&workflow, &given, &copies, &mut memory, &Stop::default(), &mut |_| ());
        assert_eq!((ended.status, copies.fake.begun()), (RunStatus::Waiting, Vec::new()));
        known = memory.recorded;
    }
}
