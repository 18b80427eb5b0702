//! The dispatcher: one loop that owns all that is known of a run, and is told one thing at a time.
//!
//! Threads do the work and decide nothing. Whatever changes is written into the [`Journal`] before anything follows from it,
//! so that a run whose driver died is gone on with from there: results that are written down are taken as they are, and
//! the rest is done. That a driver dies undoes nothing; that a step fails does.

pub mod asking;
mod begin;
mod bounds;
mod drive;
pub mod event;
mod fill;
mod isolated;
pub mod record;
mod steps;
#[cfg(test)]
mod tests;
mod tree;
mod undo;

pub use asking::Asking;
pub use event::Event;
pub use record::{Answer, Change, Journal, Outcome, Recorded};

use super::{
    language::{Engine, workflow},
    step::Left,
    work::{Done, Isolation, Moment, Work},
};
use crate::{
    base::{
        id::{RunId, StepPath},
        path::RepoPath,
    },
    model::run::{Failure, RunStatus},
};
use bounds::Bounds;
use serde_json::{Map, Value};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};
use tree::{Frame, Unit, UnitId};

/// The most steps at once, and in all, unless a workflow says otherwise.
pub const MAX_PARALLEL: usize = 8;
/// The most steps in all, unless a workflow says otherwise.
pub const MAX_STEPS: usize = 200;

/// The files that came back with a copy, and how they have changed; `None` where the steps know that themselves.
pub type Landed = Option<(Vec<RepoPath>, String)>;

/// Whoever carries out single steps.
pub trait Execute: Send + Sync {
    /// Does it, and comes back when that is over. It ends early when it is told to stop, with the status `Waiting`.
    fn run(&self, work: &Work, tell: &dyn Fn(Moment), stop: &Stop) -> Done;

    /// Takes back what a driver before this one has begun of a step that is not gone on with.
    ///
    /// # Errors
    /// When that can't be done.
    fn take_back(&self, _work: &Work, _tell: &dyn Fn(Moment)) -> Result<Left, Failure> {
        Ok(Left::Nothing)
    }

    /// Puts the files of a step that was done back to what they were before.
    ///
    /// # Errors
    /// When that can't be done.
    fn revert(&self, path: &StepPath, scope: &[String], stop: &Stop) -> Result<(), Failure>;

    /// Makes a copy of the files, on which everything inside of this step is done, unless it is told to stop. What fills in
    /// there, where that is not what does elsewhere.
    ///
    /// # Errors
    /// When there can be none.
    fn isolate(&self, _path: &StepPath, _stop: &Stop) -> Result<Option<Arc<Engine>>, Failure> {
        Ok(None)
    }

    /// Lets go of that copy. Where all is well by its `outcome`, what was done there comes back before: a driver that dies
    /// meanwhile has not to do it again, since both are written down first.
    ///
    /// # Errors
    /// When it can't come back. Then nothing of it does.
    fn land(&self, _path: &StepPath, _outcome: &Outcome) -> Result<Landed, Failure> {
        Ok(None)
    }

    /// Asks whoever is there. `None` where nobody is, so that the run waits for an answer.
    fn ask(&self, _path: &StepPath, _asking: &Asking<'_>) -> Option<Answer> {
        None
    }

    /// Nothing more is done: whoever is kept for what may come yet is let go of, before it is written down how it ended.
    fn close(&self) {}

    /// What these files have become since the run began, as a diff of limited size.
    fn diff(&self, _files: &[RepoPath]) -> String {
        String::new()
    }
}

/// The word to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    own: Arc<AtomicBool>,
    outer: Vec<Arc<AtomicBool>>,
}

impl Stop {
    /// Says it.
    pub fn stop(&self) {
        self.own.store(true, Ordering::SeqCst);
    }

    /// Whether it was said.
    pub fn is_set(&self) -> bool {
        self.outer.iter().chain([&self.own]).any(|said| said.load(Ordering::SeqCst))
    }

    /// One that is heard by fewer: it is set when this one is, and can be set by itself.
    fn inner(&self) -> Stop {
        Stop { own: Arc::default(), outer: self.outer.iter().chain([&self.own]).cloned().collect() }
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
    pub event: Option<(String, Option<Value>)>,
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
    /// The step that failed, and why; or that can't go on now.
    pub failure: Option<(String, Failure)>,
    /// The steps that wait for an answer.
    pub asked: Vec<StepPath>,
    /// Why nothing more could be written down, if that is why it came to a halt.
    pub unrecorded: Option<String>,
}

impl Ended {
    /// Of a run that somebody interrupted before it came to any of its steps.
    pub fn interrupted() -> Ended {
        Ended { status: RunStatus::Interrupted, out: Value::Null, failure: None, asked: Vec::new(), unrecorded: None }
    }
}

/// What the loop is told.
enum Told {
    Moment(UnitId, Moment),
    Done(UnitId, Box<Done>),
    /// The copy of a block is made, or can't be.
    Isolated(UnitId, Result<Option<Arc<Engine>>, Failure>),
    /// The copy of a block that ends so is gone.
    Landed(UnitId, Box<Outcome>, Result<Landed, Failure>),
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
    /// The blocks whose copies are to be let go of, with how they end.
    landing: Vec<(UnitId, Outcome)>,
    at_work: usize,
    is_asking: bool,
    /// How far the run may go, and what is called in it. What works hears the word to stop of where it is inside of: the run's
    /// own is said as well when its time is up, and undoing goes on then.
    bounds: Vec<Bounds<'w>>,
    files: Vec<RepoPath>,
    order: u64,
    undos: Vec<undo::Undo>,
    /// The units that are being undone, the innermost last.
    undoing: Vec<UnitId>,
    is_undoing: bool,
    registered: HashSet<UnitId>,
    undone: Vec<bool>,
    has_reached_max: bool,
    /// What somebody else holds that a step needs before anything can go on.
    held: Option<(UnitId, Failure)>,
    stop: Stop,
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
    let most = workflow::count(&workflow.steps).max(MAX_STEPS);
    let limits = workflow::Limits { max_steps: workflow.limits.max_steps.or(Some(most)), ..workflow.limits };
    let mut run = Run {
        workflow,
        given,
        executor,
        units: Vec::new(),
        frames: Vec::new(),
        todo: VecDeque::new(),
        ready: VecDeque::new(),
        landing: Vec::new(),
        at_work: 0,
        is_asking: false,
        bounds: vec![Bounds::of_run(workflow, limits, stop)],
        files: Vec::new(),
        order: given.recorded.ended.values().map(|outcome| outcome.order).max().unwrap_or(0),
        undos: Vec::new(),
        undoing: Vec::new(),
        is_undoing: false,
        registered: HashSet::new(),
        undone: Vec::new(),
        has_reached_max: false,
        held: None,
        stop: stop.clone(),
        journal,
        unrecorded: None,
        tell,
    };
    run.plant(workflow);
    let (tx, rx) = mpsc::channel();
    thread::scope(|scope| run.drive(scope, &tx, &rx))
}
