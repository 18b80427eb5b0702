//! What is known of a run: every change of it as a value, and what it comes to when all of them are put together.

use crate::{
    base::{id::StepPath, path::RepoPath},
    model::run::{Failure, RunStatus, StepStatus, Usage},
    runner::work::Work,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How a step ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// In a word.
    pub status: StepStatus,
    /// What came of it: a text, a value of its shape, or a list of these for a step with items.
    pub out: Value,
    /// The exit code of its last process.
    pub exit: Option<i32>,
    /// Who did it.
    pub agent: Option<String>,
    /// How often it was tried; the rounds of a block with `repeat`.
    pub attempts: u32,
    /// What it changed.
    pub files: Vec<RepoPath>,
    /// That, as a diff of limited size.
    pub diff: String,
    /// What it used.
    pub usage: Usage,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// By which it is known whether it would come out the same again.
    pub key: String,
    /// When it ended, among the steps of the run.
    pub order: u64,
}

impl Outcome {
    /// One of which nothing came.
    pub fn of(status: StepStatus) -> Outcome {
        Outcome {
            status,
            out: Value::Null,
            exit: None,
            agent: None,
            attempts: 0,
            files: Vec::new(),
            diff: String::new(),
            usage: Usage::default(),
            failure: None,
            key: status.as_str().to_owned(),
            order: 0,
        }
    }

    /// One that failed.
    pub fn failed(failure: Failure) -> Outcome {
        Outcome { failure: Some(failure), ..Outcome::of(StepStatus::Failed) }
    }

    /// The same, where what was done on a copy can't come back.
    #[must_use]
    pub fn not_landed(self, failure: Failure) -> Outcome {
        let (status, failure) = (StepStatus::Failed, Some(failure));
        Outcome { status, failure, files: Vec::new(), diff: String::new(), ..self }
    }

    /// Whether it is done, and all is well.
    pub fn is_ok(&self) -> bool {
        self.status == StepStatus::Ok
    }
}

/// A change in a run.
#[derive(Debug, Clone)]
pub enum Change {
    /// The run stands so now.
    Run(RunStatus),
    /// A step is done once for each of these.
    Items {
        /// Which.
        path: StepPath,
        /// The items.
        items: Vec<Value>,
    },
    /// A step begins.
    Began {
        /// Which.
        path: StepPath,
        /// What it is: `prompt`, `run`, `ask`, `workflow`, `block`.
        kind: &'static str,
        /// What is to be done, where that is one executor's.
        work: Option<Box<Work>>,
        /// By which it is known whether it would come out the same again.
        key: String,
    },
    /// A step stands so now.
    Stands {
        /// Which.
        path: StepPath,
        /// How.
        status: StepStatus,
    },
    /// Somebody is asked.
    Asked {
        /// By which step.
        path: StepPath,
        /// What.
        question: String,
    },
    /// A step has ended.
    Ended {
        /// Which.
        path: StepPath,
        /// How.
        outcome: Box<Outcome>,
    },
    /// A step was undone, or could not be.
    Undone {
        /// Which.
        path: StepPath,
        /// Why not.
        failure: Option<Failure>,
    },
}

/// Where changes are written down before anything else is done.
pub trait Journal {
    /// Writes down a change.
    ///
    /// # Errors
    /// When that can't be done, or somebody else drives the run by now. Nothing more is begun then.
    fn record(&mut self, change: &Change) -> Result<(), String>;
}

/// What somebody answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Go on; of a lost step, that it was done.
    Yes,
    /// Don't; of a lost step, that it failed.
    No,
    /// Something else: what was asked for.
    Text(String),
    /// A lost step is to be done again.
    Rerun,
}

/// All that is known of a run that was begun before.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recorded {
    /// Where it stood.
    pub status: Option<RunStatus>,
    /// The steps that have ended.
    pub ended: BTreeMap<StepPath, Outcome>,
    /// The steps that were begun and have not ended.
    pub begun: BTreeSet<StepPath>,
    /// The items of steps.
    pub items: BTreeMap<StepPath, Vec<Value>>,
    /// The steps that were undone, with why not.
    pub undone: BTreeMap<StepPath, Option<Failure>>,
    /// What was answered since.
    pub answers: BTreeMap<StepPath, Answer>,
}

impl Recorded {
    /// Takes a change in.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Run(status) => self.status = Some(*status),
            Change::Items { path, items } => {
                self.items.insert(path.clone(), items.clone());
            }
            Change::Began { path, .. } => {
                self.begun.insert(path.clone());
            }
            Change::Ended { path, outcome } => {
                self.begun.remove(path);
                self.ended.insert(path.clone(), (**outcome).clone());
            }
            Change::Undone { path, failure } => {
                self.undone.insert(path.clone(), failure.clone());
            }
            Change::Stands { .. } | Change::Asked { .. } => {}
        }
    }

    /// Forgets all that is inside of a step, so that it begins anew.
    pub fn forget_inside(&mut self, outer: &StepPath) {
        self.ended.retain(|path, _| !path.is_inside(outer));
        self.begun.retain(|path| !path.is_inside(outer));
        self.items.retain(|path, _| !path.is_inside(outer));
        self.undone.retain(|path, _| !path.is_inside(outer));
        self.answers.retain(|path, _| !path.is_inside(outer));
    }

    /// Forgets what was undone with all that is inside of it: nothing of it is there any more.
    pub fn forget_undone(&mut self) {
        let undone = self.undone.iter().filter(|(_, failure)| failure.is_none());
        for path in undone.map(|(path, _)| path.clone()).collect::<Vec<_>>() {
            self.forget_inside(&path);
            self.ended.remove(&path);
            self.undone.remove(&path);
        }
    }

    /// Forgets a step with all that is inside of it, what it is inside of, and whatever ended after it: they are done anew.
    pub fn forget(&mut self, path: &StepPath) {
        let is_within = |inner: &StepPath, outer: &StepPath| inner == outer || inner.is_inside(outer);
        let since =
            self.ended.iter().filter(|(known, _)| is_within(known, path)).map(|(_, outcome)| outcome.order).min();
        let since = since.unwrap_or(u64::MAX);
        let goes = |known: &StepPath, order: u64| is_within(known, path) || is_within(path, known) || order > since;
        let ended = std::mem::take(&mut self.ended);
        let (gone, kept): (BTreeMap<_, _>, _) =
            ended.into_iter().partition(|(known, outcome)| goes(known, outcome.order));
        self.ended = kept;
        self.begun.retain(|known| !goes(known, 0));
        self.undone.retain(|known, _| !gone.contains_key(known));
        self.items.retain(|known, _| !gone.contains_key(known) && !is_within(known, path));
        self.answers.retain(|known, _| !gone.contains_key(known) && !is_within(known, path));
        self.status = None;
    }
}
