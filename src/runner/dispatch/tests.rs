use super::*;
use crate::model::run::{FailureKind, StepStatus};
use crate::runner::{
    language::{Engine, engine::tests::Few, tests::loaded, workflow::Workflow},
    work::Action,
};
use serde_json::json;
use std::{collections::BTreeMap, sync::Mutex, time::Duration};

mod calls;
mod copies;
mod generated;
mod isolated;
mod saga;

/// One that does what it is told to by the path of a step, and remembers what was asked of it.
#[derive(Default)]
pub(super) struct Fake {
    /// What steps answer, by path, or by their last word.
    pub(super) out: BTreeMap<String, Value>,
    /// The steps that fail, in the same way.
    pub(super) fails: Vec<String>,
    /// Those that the caller is to do.
    pub(super) asks: Vec<String>,
    /// What each of them costs, in millionths of a US dollar.
    pub(super) cost: Option<u64>,
    pub(super) log: Mutex<Log>,
}

#[derive(Default)]
pub(super) struct Log {
    pub(super) begun: Vec<String>,
    pub(super) texts: BTreeMap<String, String>,
    pub(super) within: BTreeMap<String, Vec<crate::runner::work::Cap>>,
    pub(super) at_work: usize,
    pub(super) most: usize,
}

impl Fake {
    fn find<'f, T>(&self, path: &str, among: impl Iterator<Item = (&'f String, T)>) -> Option<T> {
        let last = path.rsplit('/').find(|part| part.parse::<u32>().is_err()).unwrap_or(path);
        let mut by_word = None;
        for (name, value) in among {
            if name == path {
                return Some(value);
            }
            if name == last && !path.ends_with("/undo") {
                by_word = Some(value);
            }
        }
        by_word
    }

    pub(super) fn begun(&self) -> Vec<String> {
        self.log.lock().expect("not poisoned").begun.clone()
    }

    pub(super) fn text(&self, path: &str) -> String {
        self.log.lock().expect("not poisoned").texts.get(path).cloned().unwrap_or_default()
    }
}

pub(super) fn done(status: StepStatus, out: Value) -> Done {
    Done {
        status,
        out,
        exit: Some(0),
        attempts: Vec::new(),
        files: Vec::new(),
        diff: String::new(),
        usage: Default::default(),
        failure: (status == StepStatus::Failed)
            .then(|| Failure { kind: FailureKind::Exit, text: "exit code 1".into() }),
    }
}

impl Execute for Fake {
    fn run(&self, work: &Work, tell: &dyn Fn(Moment), stop: &Stop) -> Done {
        let path = work.path.to_string();
        {
            let mut log = self.log.lock().expect("not poisoned");
            log.begun.push(path.clone());
            log.at_work += 1;
            log.most = log.most.max(log.at_work);
            let text = match &work.action {
                Action::Prompt { task, .. } => task.text.clone(),
                Action::Run { line } => line.clone(),
            };
            log.texts.insert(path.clone(), text);
            log.within.insert(path.clone(), work.within.clone());
        }
        tell(Moment::Status(StepStatus::Running));
        let is_slow = path.rsplit('/').next() == Some("slow");
        if is_slow {
            while !stop.is_set() {
                thread::sleep(Duration::from_millis(1));
            }
        }
        thread::yield_now();
        self.log.lock().expect("not poisoned").at_work -= 1;
        if stop.is_set() && is_slow {
            return done(StepStatus::Waiting, Value::Null);
        }
        if self.find(&path, self.asks.iter().map(|name| (name, ()))).is_some() {
            return done(StepStatus::Asked, Value::Null);
        }
        if self.find(&path, self.fails.iter().map(|name| (name, ()))).is_some() {
            return done(StepStatus::Failed, Value::Null);
        }
        let out = self.find(&path, self.out.iter()).cloned();
        let mut done = done(StepStatus::Ok, out.unwrap_or_else(|| json!(format!("out of {path}"))));
        done.usage.cost = self.cost;
        done
    }

    fn revert(&self, path: &StepPath, _: &[String], _: &Stop) -> Result<(), Failure> {
        self.log.lock().expect("not poisoned").begun.push(format!("{path}/revert"));
        Ok(())
    }
}

/// One that remembers, and dies after so many changes.
pub(super) struct Memory {
    pub(super) recorded: Recorded,
    pub(super) dies_after: usize,
}

impl Journal for Memory {
    fn record(&mut self, change: &Change) -> Result<(), String> {
        if self.dies_after == 0 {
            return Err("killed".into());
        }
        self.dies_after -= 1;
        self.recorded.apply(change);
        Ok(())
    }
}

pub(super) fn given(workflow: &Workflow, recorded: Recorded) -> Given {
    let inputs = workflow.inputs.iter().filter_map(|input| Some((input.name.clone(), input.default.clone()?)));
    Given {
        id: "flow-1-abcd".parse().expect("an id"),
        dir: "/".into(),
        engine: Arc::new(Engine::new(Arc::new(Few(Vec::new())))),
        inputs: inputs.collect(),
        event: None,
        isolation: HashMap::new(),
        max_parallel: None,
        recorded,
        is_updated: false,
        is_cancelled: false,
    }
}

pub(super) fn drive(workflow: &Workflow, fake: &Fake, recorded: Recorded, dies_after: usize) -> (Ended, Recorded) {
    let mut memory = Memory { recorded: recorded.clone(), dies_after };
    let given = given(workflow, recorded);
    let ended = run(workflow, &given, fake, &mut memory, &Stop::default(), &mut |_| ());
    (ended, memory.recorded)
}

pub(super) fn run_through(text: &str, fake: &Fake) -> (Ended, Recorded) {
    drive(&loaded(text), fake, Recorded::default(), usize::MAX)
}

fn status(recorded: &Recorded, path: &str) -> String {
    let path: StepPath = path.parse().expect("a path");
    recorded.ended.get(&path).map(|outcome| outcome.status.to_string()).unwrap_or_default()
}

const REFINE: &str = "
[[step]]
id = 'refine'
repeat = { until = '(steps.review.out.score | default(0)) >= 8', max = 5 }
  [[step.step]]
  id = 'write'
  prompt = '{{ iteration }}{% if prev %} after {{ prev.review.out.score | default(0) }}{% endif %}'
  [[step.step]]
  id = 'review'
  prompt = 'x'
  output = { score = '0..10?' }
[[step]]
id = 'after'
run = 'echo {{ steps.refine.status }}'
";

#[test]
fn a_loop_ends_at_its_goal_and_no_score_counts_as_none() {
    let scores = [json!({ "score": 7 }), json!({}), json!({ "score": 8 })];
    let out = scores.into_iter().enumerate().map(|(at, score)| (format!("refine/{}/review", at + 1), score));
    let fake = Fake { out: out.collect(), ..Fake::default() };
    let (ended, recorded) = run_through(REFINE, &fake);
    assert_eq!((ended.status, ended.failure), (RunStatus::Complete, None));
    assert_eq!(recorded.ended[&"refine".parse().expect("a path")].attempts, 3);
    assert_eq!(fake.text("refine/2/write"), "2 after 7");
    assert_eq!(fake.text("refine/3/write"), "3 after 0");
}

#[test]
fn a_loop_at_its_limit_is_a_status_and_no_failure() {
    let fake = Fake { out: [("review".into(), json!({}))].into(), ..Fake::default() };
    let (ended, recorded) = run_through(REFINE, &fake);
    assert_eq!(ended.status, RunStatus::MaxIterationsReached);
    assert_eq!(fake.begun().iter().filter(|path| path.ends_with("write")).count(), 5);
    assert_eq!(fake.text("after"), "echo max_iterations_reached");
    assert_eq!(status(&recorded, "after"), "ok");
}

#[test]
fn items_are_done_each_and_failed_ones_are_data() {
    let text = "
[[step]]
id = 'map'
for_each = ['a', 'b', 'c']
allow_failure = true
max_parallel = 2
run = 'look {{ item }} {{ index }}'
[[step]]
id = 'reduce'
run = \"echo {{ steps.map.failed }} {{ steps.map.results | map(attribute='ok') | list }} {{ steps.map.out }}\"
[[step]]
id = 'none'
for_each = []
run = 'true'
";
    let fake = Fake { fails: vec!["map/2".into()], ..Fake::default() };
    let (ended, recorded) = run_through(text, &fake);
    assert_eq!(ended.status, RunStatus::Complete);
    assert_eq!(fake.text("map/3"), "look c 3");
    assert_eq!(fake.text("reduce"), "echo b true false true 'out of map/1' 'out of map/3'");
    assert!(fake.log.lock().expect("not poisoned").most <= 2);
    assert_eq!((status(&recorded, "map"), status(&recorded, "none")), ("failed".into(), "ok".into()));
    let strict = Fake { fails: vec!["map/2".into()], ..Fake::default() };
    let (ended, _) = run_through(&text.replace("allow_failure = true", ""), &strict);
    assert_eq!(ended.status, RunStatus::Failed);
    assert!(!strict.begun().contains(&"reduce".to_owned()), "what needs it is not done");
    assert!(strict.begun().contains(&"map/3".to_owned()), "its siblings are");
}

#[test]
fn a_skipped_step_stops_nothing_and_reads_as_not_run() {
    let text = "
[inputs]
go = false
[[step]]
id = 'a'
if = 'inputs.go'
run = 'true'
[[step]]
id = 'b'
if = 'not steps.a.ran'
run = 'echo {{ steps.a.status }} {{ steps.a.files | length }}'
";
    let fake = Fake::default();
    assert_eq!(run_through(text, &fake).0.status, RunStatus::Complete);
    assert_eq!((fake.begun(), fake.text("b")), (vec!["b".to_owned()], "echo skipped 0".to_owned()));
}

#[test]
fn a_question_stops_what_needs_its_answer_and_nothing_else() {
    let text = "
[[step]]
id = 'ask'
ask = 'Go?'
[[step]]
id = 'other'
needs = []
run = 'true'
[[step]]
id = 'after'
run = 'echo {{ steps.ask.out }}'
";
    let workflow = loaded(text);
    let fake = Fake::default();
    let (ended, recorded) = drive(&workflow, &fake, Recorded::default(), usize::MAX);
    assert_eq!((ended.status, fake.begun()), (RunStatus::Waiting, vec!["other".to_owned()]));
    let path = ended.asked[0].clone();
    let answered = |answer| Recorded { answers: [(path.clone(), answer)].into(), ..recorded.clone() };
    let fake = Fake::default();
    let (ended, _) = drive(&workflow, &fake, answered(Answer::Text("maybe".into())), usize::MAX);
    assert_eq!(
        (ended.status, fake.begun(), fake.text("after")),
        (RunStatus::Complete, vec!["after".to_owned()], "echo maybe".into())
    );
    assert_eq!(drive(&workflow, &Fake::default(), answered(Answer::No), usize::MAX).0.status, RunStatus::Failed);
}

#[test]
fn work_for_the_caller_waits_for_it_and_takes_its_shape() {
    let workflow = loaded("[[step]]\nid = 'a'\nprompt = 'x'\nagent = 'caller'\noutput = { n = 'integer' }\n");
    let fake = Fake { asks: vec!["a".into()], ..Fake::default() };
    let (ended, recorded) = drive(&workflow, &fake, Recorded::default(), usize::MAX);
    assert_eq!(ended.status, RunStatus::Waiting);
    let answered = |text: &str| {
        let answers = [("a".parse().expect("a path"), Answer::Text(text.into()))].into();
        drive(&workflow, &Fake::default(), Recorded { answers, ..recorded.clone() }, usize::MAX).0
    };
    assert_eq!(answered("{\"n\": 3}").out, json!({ "n": 3 }));
    assert_eq!(answered("three").status, RunStatus::Failed);
}

#[test]
fn a_run_goes_no_further_than_its_limits() {
    let many = "[limits]\nmax_steps = 3\n[[step]]\nid = 'a'\nfor_each = [1, 2, 3, 4, 5]\nrun = 'true'\n";
    let fake = Fake::default();
    let (ended, _) = run_through(many, &fake);
    let told = "there are 5 items, and 3 of 3 steps are left: see max_steps in [limits]";
    assert_eq!((ended.failure.expect("a failure").1.text, fake.begun().len()), (told.to_owned(), 0));
    let rounds = "[limits]\nmax_steps = 3\n[[step]]\nid = 'a'\nrepeat = { until = 'false' }\n[[step.step]]\nid = 'b'\nrun = 'true'\n";
    let fake = Fake::default();
    let (ended, _) = run_through(rounds, &fake);
    assert_eq!((ended.status, fake.begun().len()), (RunStatus::Failed, 3));
    let slow = "[limits]\ntimeout = '500ms'\n[[step]]\nid = 'first'\nrun = 'x'\ncompensate = { run = 'undo' }\n[[step]]\nid = 'slow'\nrun = 'x'\n";
    let fake = Fake::default();
    let (ended, _) = run_through(slow, &fake);
    assert_eq!(ended.status, RunStatus::Undone);
    assert_eq!(ended.failure.expect("a failure").1.kind, FailureKind::TimedOut);
    assert_eq!(fake.begun(), ["first", "slow", "first/undo"]);
}

#[test]
fn results_are_kept_where_the_step_is_still_the_same() {
    let text = "[[step]]\nid = 'a'\nrun = 'one'\n[[step]]\nid = 'b'\nrun = 'two'\n[[step]]\nid = 'c'\nneeds = ['a']\nrun = 'three'\n";
    let (_, recorded) = run_through(text, &Fake::default());
    let updated = |text: &str| {
        let (workflow, fake) = (loaded(text), Fake::default());
        let mut memory = Memory { recorded: recorded.clone(), dies_after: usize::MAX };
        let given = Given { is_updated: true, ..given(&workflow, recorded.clone()) };
        run(&workflow, &given, &fake, &mut memory, &Stop::default(), &mut |_| ());
        fake.begun()
    };
    assert_eq!(updated(text), Vec::<String>::new());
    assert_eq!(updated(&text.replace("two", "else")), ["b"]);
    let mut all = updated(&text.replace("one", "else"));
    all.sort();
    assert_eq!(all, ["a", "b", "c"]);
}

#[test]
fn a_step_that_is_done_again_takes_with_it_what_came_after() {
    let text = "[[step]]\nid = 'a'\nrun = 'one'\n[[step]]\nid = 'b'\nrun = 'two'\n[[step]]\nid = 'c'\nrun = 'three'\n";
    let (workflow, fake) = (loaded(text), Fake { fails: vec!["b".into()], ..Fake::default() });
    let (_, mut recorded) = drive(&workflow, &fake, Recorded::default(), usize::MAX);
    recorded.forget(&"b".parse().expect("a path"));
    let fake = Fake::default();
    assert_eq!(drive(&workflow, &fake, recorded, usize::MAX).0.status, RunStatus::Complete);
    assert_eq!(fake.begun(), ["b", "c"]);
}
