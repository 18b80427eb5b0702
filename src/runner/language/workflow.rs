//! A workflow as it is meant: every name in it leads somewhere, and every step knows what it waits for.

use super::{
    shape::Form,
    template::{Data, Text, Texts},
};
use crate::{
    base::toml::At,
    runner::work::{Isolation, Retry},
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// A workflow.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// What it is called.
    pub name: String,
    /// What it is called where something in it is wrong: its file, where it has one.
    pub file: String,
    /// What it does, in a line.
    pub about: String,
    /// The events that it handles.
    pub on: Vec<String>,
    /// What it is given.
    pub inputs: Vec<Input>,
    /// What it knows.
    pub vars: Value,
    /// How far it may go.
    pub limits: Limits,
    /// What all of it may write, claimed for the whole run; nothing is said where it is empty.
    pub scope: Texts,
    /// What it comes to; the result of its last step where that is not said.
    pub result: Option<Text>,
    /// What it does.
    pub steps: Vec<Step>,
}

/// Something that a workflow is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// What it is unless it is given; its type is that of all values. Without one it is a text that has to be given.
    pub default: Option<Value>,
}

/// How far a run may go.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// The most steps at once.
    pub max_parallel: Option<usize>,
    /// The most steps in all, items and rounds counted.
    pub max_steps: Option<usize>,
    /// The most time.
    pub timeout: Option<Duration>,
    /// The most money, in millionths of a US dollar, as far as agents tell what they cost.
    pub budget: Option<u64>,
}

/// A step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name.
    pub id: String,
    /// Where it stands in the file.
    pub at: At<()>,
    /// What it does.
    pub action: Action,
    /// The steps of its block, all above it, that have to have ended.
    pub needs: Vec<usize>,
    /// When, how often, and what if it fails.
    pub flow: Flow,
}

/// When a step is done, how often, and what if it fails.
#[derive(Debug, Clone, Default)]
pub struct Flow {
    /// It is skipped unless this holds.
    pub condition: Option<Text>,
    /// It is done once for each of these.
    pub for_each: Option<Data>,
    /// The most of these at once.
    pub max_parallel: Option<usize>,
    /// Whether what needs it is done although it failed.
    pub allow_failure: bool,
    /// How it is undone.
    pub compensate: Option<Compensate>,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Something that one executor does.
    Work(Box<Job>),
    /// Somebody is asked.
    Ask {
        /// What.
        question: Text,
        /// What the answer has to be like; any text where there is none.
        shape: Option<Arc<Form>>,
    },
    /// Another workflow is run.
    Call {
        /// Which.
        workflow: Arc<Workflow>,
        /// What it is given.
        with: Vec<(String, Data)>,
    },
    /// Steps inside of it are done.
    Block {
        /// Which.
        steps: Vec<Step>,
        /// Whether they are done again.
        repeat: Option<Repeat>,
        /// What it comes to; the result of its last step where that is not said.
        result: Option<Text>,
        /// Whether they are done on a copy of the work tree, which comes back when all has ended well.
        is_isolated: bool,
    },
}

/// How often a block is done.
#[derive(Debug, Clone)]
pub struct Repeat {
    /// Till this holds.
    pub until: Text,
    /// The most rounds.
    pub max: u32,
}

/// Work that is not filled in yet.
#[derive(Debug, Clone)]
pub struct Job {
    /// What is to be done.
    pub task: Task,
    /// What it may write.
    pub scope: Texts,
    /// What its process reads.
    pub stdin: Option<Text>,
    /// Variables for its processes.
    pub env: Vec<(String, Text)>,
    /// What shows that it is done; `None` for what the repository says.
    pub verify: Option<Texts>,
    /// How often it is tried.
    pub retry: Retry,
    /// The most time for an attempt.
    pub timeout: Option<Duration>,
    /// The most time without a sign of life.
    pub stall: Option<Duration>,
    /// Where it works, if that is said.
    pub isolation: Option<Isolation>,
    /// The file that its result goes to.
    pub save: Option<Text>,
    /// What its result is like; any text where there is none.
    pub shape: Option<Arc<Form>>,
}

/// What a job is.
#[derive(Debug, Clone)]
pub enum Task {
    /// A task for an agent.
    Prompt {
        /// Who does it, the first choice first; whoever the repository says where there is none.
        agents: Texts,
        /// The task.
        text: Text,
        /// What is to be left alone.
        avoid: Texts,
        /// What has to be true in the end.
        accept: Texts,
    },
    /// A line of shell.
    Run(Text),
}

/// How a step is undone.
#[derive(Debug, Clone)]
pub enum Compensate {
    /// The files of its scope are put back.
    Revert,
    /// This is done.
    Job {
        /// What.
        job: Box<Job>,
        /// Whether also when the step failed half-way.
        from_start: bool,
    },
}

impl Action {
    /// What kind of step it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Action::Work(job) => match job.task {
                Task::Prompt { .. } => "prompt",
                Task::Run(_) => "run",
            },
            Action::Ask { .. } => "ask",
            Action::Call { .. } => "workflow",
            Action::Block { .. } => "block",
        }
    }

    /// What its result is like, if that is said.
    pub fn shape(&self) -> Option<&Arc<Form>> {
        match self {
            Action::Work(job) => job.shape.as_ref(),
            Action::Ask { shape, .. } => shape.as_ref(),
            Action::Block { steps, result: None, .. } => {
                steps.last().filter(|step| step.flow.for_each.is_none()).and_then(|step| step.action.shape())
            }
            Action::Call { workflow, .. } if workflow.result.is_none() => {
                let last = workflow.steps.last().filter(|step| step.flow.for_each.is_none());
                last.and_then(|step| step.action.shape())
            }
            _ => None,
        }
    }
}

/// All steps that are written down, those inside of others and of called workflows too.
pub fn count(steps: &[Step]) -> usize {
    let inner = |step: &Step| match &step.action {
        Action::Block { steps, .. } => count(steps),
        Action::Call { workflow, .. } => count(&workflow.steps),
        Action::Work(_) | Action::Ask { .. } => 1,
    };
    steps.iter().map(inner).sum()
}
