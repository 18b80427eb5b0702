//! The dispatcher: one loop that owns all that is known of a run, and is told one thing at a time.
//!
//! Threads do the work and decide nothing. Whatever changes is written into the [`Journal`] before anything follows from it,
//! so that a run whose driver died is gone on with from there: results that are written down are taken as they are, and
//! the rest is done. That a driver dies undoes nothing; that a step fails does.

pub mod event;
mod fill;
pub mod record;
mod steps;
#[cfg(test)]
mod tests;
mod tree;
mod undo;

pub use event::Event;
pub use record::{Answer, Change, Journal, Outcome, Recorded};

use super::{
    language::{Engine, workflow},
    work::{Done, Isolation, Moment, Work},
};
use crate::{
    base::{
        id::{RunId, StepPath},
        path::RepoPath,
    },
    model::run::{Failure, FailureKind, RunStatus, StepStatus},
};
use serde_json::{Map, Value};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};
use tree::{Frame, ROOT, Scope, Unit, UnitId};

/// The most steps at once, and in all, unless a workflow says otherwise.
pub const MAX_PARALLEL: usize = 8;
/// The most steps in all, unless a workflow says otherwise.
pub const MAX_STEPS: usize = 200;

/// Whoever carries out single steps.
pub trait Execute: Send + Sync {
    /// Does it, and comes back when that is over. It ends early when it is told to stop, with the status `Waiting`.
    fn run(&self, work: &Work, tell: &dyn Fn(Moment), stop: &Stop) -> Done;

    /// Puts the files of a step that was done back to what they were before.
    ///
    /// # Errors
    /// When that can't be done.
    fn revert(&self, path: &StepPath, scope: &[String], stop: &Stop) -> Result<(), Failure>;

    /// Asks whoever is there. `None` where nobody is, so that the run waits for an answer.
    fn ask(&self, _path: &StepPath, _question: &str, _stop: &Stop) -> Option<Answer> {
        None
    }

    /// What these files have become since the run began, as a diff of limited size.
    fn diff(&self, _files: &[RepoPath]) -> String {
        String::new()
    }
}

/// The word to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    own: Arc<AtomicBool>,
    outer: Option<Arc<AtomicBool>>,
}

impl Stop {
    /// Says it.
    pub fn stop(&self) {
        self.own.store(true, Ordering::SeqCst);
    }

    /// Whether it was said.
    pub fn is_set(&self) -> bool {
        self.own.load(Ordering::SeqCst) || self.outer.as_ref().is_some_and(|outer| outer.load(Ordering::SeqCst))
    }

    /// One that is heard by fewer: it is set when this one is, and can be set by itself.
    fn inner(&self) -> Stop {
        Stop { own: Arc::default(), outer: Some(Arc::clone(&self.own)) }
    }
}

/// What a run is given.
pub struct Given {
    /// Its name.
    pub id: RunId,
    /// Where it works.
    pub dir: String,
    /// What fills in.
    pub engine: Arc<Engine>,
    /// The inputs, complete.
    pub inputs: Map<String, Value>,
    /// The event that it handles, if it handles one: its type, and details.
    pub event: Option<(String, Option<String>)>,
    /// Where steps work, by their place in the plan.
    pub isolation: HashMap<String, Isolation>,
    /// The most steps at once, whatever the workflow says.
    pub max_parallel: Option<usize>,
    /// What is known of it, if it was begun before.
    pub recorded: Recorded,
    /// Whether results are kept only where the step is still the same, since the workflow may be another by now.
    pub is_updated: bool,
    /// Whether nothing more is done, and what was done is undone.
    pub is_cancelled: bool,
}

/// How a run came to its end, or to a halt.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// In a word.
    pub status: RunStatus,
    /// What came of it.
    pub out: Value,
    /// The step that failed, and why.
    pub failure: Option<(String, Failure)>,
    /// The steps that wait for an answer.
    pub asked: Vec<StepPath>,
    /// Why nothing more could be written down, if that is why it came to a halt.
    pub unrecorded: Option<String>,
}

/// What the loop is told.
enum Told {
    Moment(UnitId, Moment),
    Done(UnitId, Box<Done>),
    Answered(UnitId, Option<Answer>),
    Undone(UnitId, Result<(), Failure>),
    /// A step that undoes tells something.
    Undoing(UnitId, Moment),
}

/// A run while it is driven.
struct Run<'w, 'r> {
    workflow: &'w workflow::Workflow,
    given: &'w Given,
    executor: &'w dyn Execute,
    units: Vec<Unit<'w>>,
    frames: Vec<Frame<'w>>,
    /// What can be looked at now, and what can be begun as soon as there is room.
    todo: VecDeque<UnitId>,
    ready: VecDeque<UnitId>,
    at_work: usize,
    is_asking: bool,
    limits: workflow::Limits,
    steps_begun: usize,
    cost: u64,
    files: Vec<RepoPath>,
    order: u64,
    undos: Vec<undo::Undo>,
    /// The units that are being undone, the innermost last.
    undoing: Vec<UnitId>,
    is_undoing: bool,
    registered: HashSet<UnitId>,
    undone: Vec<bool>,
    has_reached_max: bool,
    deadline: Option<Instant>,
    stop: Stop,
    /// Set as well when the time of the run is up: undoing goes on then.
    stop_work: Stop,
    is_late: bool,
    journal: &'r mut dyn Journal,
    unrecorded: Option<String>,
    tell: &'r mut dyn FnMut(&Event),
}

/// Runs a workflow till it ends, waits for an answer, or is stopped.
pub fn run(
    workflow: &workflow::Workflow,
    given: &Given,
    executor: &dyn Execute,
    journal: &mut dyn Journal,
    stop: &Stop,
    tell: &mut dyn FnMut(&Event),
) -> Ended {
    let limits = workflow.limits;
    let mut run = Run {
        workflow,
        given,
        executor,
        units: Vec::new(),
        frames: Vec::new(),
        todo: VecDeque::new(),
        ready: VecDeque::new(),
        at_work: 0,
        is_asking: false,
        limits,
        steps_begun: 0,
        cost: 0,
        files: Vec::new(),
        order: given.recorded.ended.values().map(|outcome| outcome.order).max().unwrap_or(0),
        undos: Vec::new(),
        undoing: Vec::new(),
        is_undoing: false,
        registered: HashSet::new(),
        undone: Vec::new(),
        has_reached_max: false,
        deadline: limits.timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
        stop: stop.clone(),
        stop_work: stop.inner(),
        is_late: false,
        journal,
        unrecorded: None,
        tell,
    };
    run.plant(workflow);
    let (tx, rx) = mpsc::channel();
    thread::scope(|scope| run.drive(scope, &tx, &rx))
}

impl<'w> Run<'w, '_> {
    /// The run itself and its first steps.
    fn plant(&mut self, workflow: &'w workflow::Workflow) {
        let max_steps = workflow::count(&workflow.steps).max(MAX_STEPS);
        self.limits.max_steps = Some(self.limits.max_steps.unwrap_or(max_steps));
        let cap = self.given.max_parallel.or(self.limits.max_parallel).unwrap_or(MAX_PARALLEL);
        self.units.push(Unit {
            path: None,
            place: String::new(),
            step: None,
            frame: 0,
            index: 0,
            parent: None,
            item: None,
            cap: Some(cap),
            working: 0,
            phase: tree::Phase::Waiting,
            record: minijinja::Value::default(),
        });
        let event = self.given.event.as_ref();
        let event = event.map(|(kind, details)| serde_json::json!({ "type": kind, "details": details }));
        let value = crate::runner::language::engine::value_of;
        let mut event = event.unwrap_or_else(|| serde_json::json!({}));
        if let Some(fields) = event.as_object_mut() {
            // What is not known is as if it weren't there, so that a template can say what stands for it.
            fields.retain(|_, field| !field.is_null());
        }
        let scope = Scope {
            outer: None,
            inputs: value(&Value::Object(self.given.inputs.clone())),
            vars: value(&workflow.vars),
            event: value(&event),
            item: None,
            round: None,
        };
        self.open_frame(ROOT, &workflow.steps, scope, 1);
    }

    fn drive<'s, 'e: 's>(
        &mut self,
        scope: &'s thread::Scope<'s, 'e>,
        tx: &mpsc::Sender<Told>,
        rx: &mpsc::Receiver<Told>,
    ) -> Ended
    where
        'w: 'e,
    {
        self.change(Change::Run(RunStatus::Running));
        (self.tell)(&Event::Run { status: RunStatus::Running.as_str() });
        loop {
            self.settle_all();
            if self.given.is_cancelled && self.at_work == 0 {
                self.cancel();
            }
            self.start_undoing(scope, tx);
            self.start_ready(scope, tx);
            if self.can_undo() {
                continue;
            }
            if self.at_work == 0 && self.todo.is_empty() {
                if !self.is_late || !self.end_late() {
                    break;
                }
                continue;
            }
            match self.hear(rx) {
                Some(told) => self.take(told),
                None => self.late(),
            }
        }
        self.ended()
    }

    /// What is told next; nothing when the time of the run is up first.
    fn hear(&self, rx: &mpsc::Receiver<Told>) -> Option<Told> {
        const LONG: Duration = Duration::from_secs(3600);
        loop {
            let wait = match self.deadline.filter(|_| !self.is_late) {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => LONG,
            };
            match rx.recv_timeout(wait.min(LONG)) {
                Ok(told) => return Some(told),
                Err(_) if self.deadline.is_some_and(|deadline| !self.is_late && Instant::now() >= deadline) => {
                    return None;
                }
                Err(_) => {}
            }
        }
    }

    fn take(&mut self, told: Told) {
        match told {
            Told::Moment(id, moment) => self.moment(id, &moment),
            Told::Done(id, done) => {
                self.leave(id);
                self.done(id, *done);
            }
            Told::Answered(id, answer) => {
                self.leave(id);
                self.is_asking = false;
                match answer {
                    Some(answer) => self.answered(id, answer),
                    None => self.units[id].phase = tree::Phase::Asked,
                }
            }
            Told::Undoing(id, moment) => {
                let name = format!("{}/{}", self.units[id].name(), crate::runner::language::UNDO);
                (self.tell)(&Event::of(&name, &moment));
            }
            Told::Undone(id, result) => {
                self.leave(id);
                self.undone(id, result);
            }
        }
    }

    fn moment(&mut self, id: UnitId, moment: &Moment) {
        if let (Moment::Status(status), Some(path)) = (moment, self.units[id].path.clone()) {
            self.change(Change::Stands { path, status: *status });
        }
        (self.tell)(&Event::of(&self.units[id].name(), moment));
    }

    /// Begins what can be begun, in the order in which it became ready.
    fn start_ready<'s, 'e: 's>(&mut self, scope: &'s thread::Scope<'s, 'e>, tx: &mpsc::Sender<Told>)
    where
        'w: 'e,
    {
        let mut passed = VecDeque::new();
        while let Some(id) = self.ready.pop_front() {
            if self.is_stopped() || self.units[ROOT].working >= self.units[ROOT].cap.unwrap_or(usize::MAX) {
                passed.push_back(id);
                break;
            }
            if !self.has_room(id) {
                passed.push_back(id);
                continue;
            }
            self.start(id, scope, tx);
            // What ended at once, such as what is kept from before, may have made others ready.
            self.settle_all();
        }
        passed.append(&mut self.ready);
        self.ready = passed;
    }

    /// Whether one more may be at work wherever the unit is inside of.
    fn has_room(&self, id: UnitId) -> bool {
        // Somebody who is asked takes no room of those who work.
        if self.units[id].kind() == "ask" {
            return !self.is_asking;
        }
        let mut above = Some(id);
        while let Some(at) = above {
            let unit = &self.units[at];
            if unit.cap.is_some_and(|cap| unit.working >= cap) {
                return false;
            }
            above = unit.parent;
        }
        true
    }

    fn enter(&mut self, id: UnitId) {
        self.at_work += 1;
        self.count_working(id, |working| *working += 1);
    }

    fn leave(&mut self, id: UnitId) {
        self.at_work -= 1;
        self.count_working(id, |working| *working -= 1);
    }

    fn count_working(&mut self, id: UnitId, change: fn(&mut usize)) {
        let mut above = Some(id).filter(|id| self.units[*id].kind() != "ask");
        while let Some(at) = above {
            change(&mut self.units[at].working);
            above = self.units[at].parent;
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop_work.is_set() || self.unrecorded.is_some() || self.given.is_cancelled
    }

    fn change(&mut self, change: Change) {
        if self.unrecorded.is_none()
            && let Err(why) = self.journal.record(&change)
        {
            self.unrecorded = Some(why);
            self.stop_work.stop();
        }
    }

    /// The time of the run is up: what is at work is ended, and then the run has failed.
    fn late(&mut self) {
        self.is_late = true;
        self.stop_work.stop();
    }

    fn end_late(&mut self) -> bool {
        if self.stop.is_set()
            || self.unrecorded.is_some()
            || !matches!(self.units[ROOT].phase, tree::Phase::Inside { .. })
        {
            return false;
        }
        self.register_half_done();
        let text = "the time of the run was up".to_owned();
        self.finish(ROOT, Outcome::failed(Failure { kind: FailureKind::TimedOut, text }));
        true
    }

    fn ended(&mut self) -> Ended {
        let asked = self.units.iter().filter(|unit| matches!(unit.phase, tree::Phase::Asked));
        let asked: Vec<StepPath> = asked.filter_map(|unit| unit.path.clone()).collect();
        let outcome = self.units[ROOT].outcome().cloned();
        let status = match &outcome {
            None if self.stop.is_set() || self.unrecorded.is_some() || asked.is_empty() => RunStatus::Interrupted,
            None => RunStatus::Waiting,
            Some(outcome) if outcome.status == StepStatus::Failed => {
                match (self.undone.is_empty(), self.undone.iter().all(|is| *is)) {
                    (true, _) => RunStatus::Failed,
                    (false, true) => RunStatus::Undone,
                    (false, false) => RunStatus::UndoFailed,
                }
            }
            Some(_) if self.has_reached_max => RunStatus::MaxIterationsReached,
            Some(_) if !self.undos.is_empty() => RunStatus::AllTransactionsComplete,
            Some(_) => RunStatus::Complete,
        };
        self.change(Change::Run(status));
        (self.tell)(&Event::Run { status: status.as_str() });
        let failure = outcome.as_ref().and_then(|outcome| outcome.failure.clone());
        Ended {
            status,
            failure: failure.map(|failure| (self.failed_step(), failure)),
            out: outcome.map(|outcome| outcome.out).unwrap_or_default(),
            asked,
            unrecorded: self.unrecorded.clone(),
        }
    }

    /// The step whose failure is that of the run.
    fn failed_step(&self) -> String {
        let mut frame = self.frames.first();
        let mut name = String::new();
        while let Some(failed) = frame.and_then(|frame| frame.failed) {
            name = self.units[failed].name();
            frame = self.frames.iter().rev().find(|inner| inner.owner == failed && inner.failed.is_some());
        }
        name
    }
}

/// What an executor comes to, whatever happens in it: the loop waits for a word of it.
fn guarded(run: impl FnOnce() -> Done) -> Done {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Done {
        status: StepStatus::Failed,
        out: Value::Null,
        exit: None,
        attempts: Vec::new(),
        files: Vec::new(),
        diff: String::new(),
        usage: Default::default(),
        failure: Some(Failure { kind: FailureKind::Internal, text: "git-aio itself failed in this step".into() }),
    })
}
