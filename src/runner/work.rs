//! One step, with everything in it known: nothing is left to be looked up or filled in.

use crate::{
    base::{
        id::{InstanceId, StepPath},
        path::RepoPath,
    },
    model::run::{Attempt, Failure, ReviewVerdict, StepStatus, Usage},
    ops::workflow::Roster,
};
use serde_json::Value;
use std::{path::PathBuf, sync::Arc, time::Duration};

/// The person or session that began the run, as one who can be given work.
pub const CALLER: &str = "caller";

/// What the word of a reviewer is called among the checks, before who that is.
pub const REVIEW: &str = "review by ";

/// Most bytes of a diff that a result carries, so that it can go into the next task.
pub const MAX_DIFF: usize = 256 * 1024;

/// What a step is to do.
#[derive(Debug, Clone)]
pub struct Work {
    /// Which step.
    pub path: StepPath,
    /// What it does.
    pub action: Action,
    /// Paths that it may write, from the root, in the words of the workflow: claimed as long as it works. Nothing may be
    /// written where there are none.
    pub scope: Vec<String>,
    /// What shows that it is done.
    pub contract: Contract,
    /// How often it is tried.
    pub retry: Retry,
    /// The most time one attempt may take.
    pub timeout: Option<Duration>,
    /// The most time without any sign of life.
    pub stall: Option<Duration>,
    /// Where it works.
    pub isolation: Isolation,
    /// A file that its result is written to, from the root.
    pub save: Option<RepoPath>,
    /// Variables for its processes.
    pub env: Vec<(String, String)>,
    /// What its process reads.
    pub stdin: Option<String>,
    /// What the workflows that it is inside of let it write at most, besides that of the run.
    pub within: Vec<Cap>,
}

/// What the steps of a workflow may write at most, where it is called by another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cap {
    /// The workflow.
    pub workflow: String,
    /// Paths, from the root, in the words of the workflow.
    pub scope: Vec<String>,
}

/// What is done.
#[derive(Debug, Clone)]
pub enum Action {
    /// A task is given to an agent; to the next one where that comes to nothing.
    Prompt {
        /// Who may do it, the first choice first. There is one at least.
        agents: Vec<Who>,
        /// The task.
        task: Task,
    },
    /// A line of shell is run.
    Run {
        /// The line, everything in it quoted.
        line: String,
    },
}

/// The task of an agent, as what the handoff document is made of.
#[derive(Debug, Clone, Default)]
pub struct Task {
    /// In a line.
    pub title: String,
    /// All of it, in Markdown.
    pub text: String,
    /// What is not to be touched or done.
    pub avoid: Vec<String>,
    /// What has to be true in the end.
    pub accept: Vec<String>,
    /// Whether `text` says already what went wrong in the attempt before. Where it doesn't, that is told after it.
    pub tells_failure: bool,
    /// How `text` comes out for each attempt, where it is not the same for all; `text` is that of the first.
    pub anew: Option<Anew>,
}

/// A text that is put together anew for each attempt.
#[derive(Clone)]
pub struct Anew(Arc<Telling>);

/// Given the number of an attempt, from 1, and what went wrong in the one before, the text for it; or why there is none.
type Telling = dyn Fn(u32, Option<&str>) -> Result<String, String> + Send + Sync;

impl Anew {
    /// One that is told in this way.
    pub fn new(telling: impl Fn(u32, Option<&str>) -> Result<String, String> + Send + Sync + 'static) -> Anew {
        Anew(Arc::new(telling))
    }

    /// The text for an attempt, the first of which is 1, after one that failed for this.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub fn text(&self, attempt: u32, failure: Option<&str>) -> Result<String, String> {
        (self.0)(attempt, failure)
    }
}

impl std::fmt::Debug for Anew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Anew")
    }
}

/// Who is to do something: `codex/implementer`, `codex`, `implementer`, or the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// An agent CLI, with the brief of an agent.
    Agent {
        /// The tool; `None` for the first that the agent's configuration names.
        tool: Option<String>,
        /// Whose brief goes before the task.
        persona: Option<String>,
    },
    /// Whoever began the run.
    Caller,
}

/// What shows that a step is done.
#[derive(Clone, Default)]
pub struct Contract {
    /// The shape of the result; any text where there is none.
    pub shape: Option<Arc<dyn Shape>>,
    /// The checks: `@name` or a line of shell. `None` for what the repository says, where the step may write.
    pub verify: Option<Vec<String>>,
    /// An agent that reviews the change.
    pub review: Option<Who>,
    /// Whether what was changed is to be committed in the end.
    pub commit: bool,
}

/// A shape that a result has to have.
pub trait Shape: Send + Sync {
    /// It as a JSON Schema, strict: all keys required, no others.
    fn schema(&self) -> Value;

    /// The value, if it has the shape.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    fn check(&self, value: Value) -> Result<Value, String>;
}

/// How often something is tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// How often each agent may try again after its first attempt.
    pub max: u32,
    /// How long to wait before that.
    pub delay: Duration,
    /// What that is multiplied with each time.
    pub backoff: f64,
    /// Whether the scope is halved when it was too much: after a stall, a timeout, or a write outside of it.
    pub split: bool,
}

/// Where a step works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// In the work tree that everybody works in, under its claims.
    #[default]
    Claims,
    /// In a work tree of its own, from which its changes come back at the end.
    Worktree,
}

/// What happens in a step, as it happens.
#[derive(Debug, Clone)]
pub enum Moment {
    /// It stands so now.
    Status(StepStatus),
    /// It can't go on, since these hold what it wants to write.
    Blocked(Vec<String>),
    /// An attempt begins.
    Tries {
        /// Which, from 1.
        attempt: u32,
        /// Who: `codex/implementer`.
        agent: String,
        /// The instance that holds its claims.
        instance: Option<InstanceId>,
    },
    /// A document for the agent lies here, since it is too long to be handed over.
    Document(PathBuf),
    /// The agent is doing something, in words.
    Doing(String),
    /// It said something.
    Said(String),
    /// It goes on, silently.
    Alive,
    /// A check begins.
    Checks(String),
    /// A check has ended.
    Checked(crate::ops::verify::Checked),
    /// The reviewer has judged.
    Reviewed(ReviewVerdict, String),
    /// An attempt is over and was not usable. What comes next is told by itself.
    Failed {
        /// Which.
        attempt: u32,
        /// Who.
        agent: String,
        /// Why.
        failure: Failure,
    },
    /// The same agent tries again.
    Again {
        /// After so long.
        after: Duration,
    },
    /// The next agent is asked: escalation.
    Next {
        /// Who.
        agent: String,
    },
    /// Its scope is halved.
    Split,
}

/// How a step ended.
#[derive(Debug, Clone)]
pub struct Done {
    /// Well or not: `Ok`, `Failed`, `Asked` where the caller is to do it, or `Waiting` where it was interrupted.
    pub status: StepStatus,
    /// What was answered: the text, or the value in JSON where a shape was asked for.
    pub out: Value,
    /// The exit code of the last process.
    pub exit: Option<i32>,
    /// What was tried.
    pub attempts: Vec<Attempt>,
    /// What changed in the end.
    pub files: Vec<RepoPath>,
    /// That, as a diff of limited size.
    pub diff: String,
    /// What all attempts used.
    pub usage: Usage,
    /// Why it failed.
    pub failure: Option<Failure>,
}

impl std::fmt::Debug for Contract {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contract")
            .field("shape", &self.shape.as_ref().map(|shape| shape.schema()))
            .field("verify", &self.verify)
            .field("review", &self.review)
            .field("commit", &self.commit)
            .finish()
    }
}

impl Default for Retry {
    fn default() -> Self {
        Retry { max: 0, delay: Duration::ZERO, backoff: 1.0, split: false }
    }
}

impl Who {
    /// Who is meant by a word: `codex/implementer`, `codex`, `implementer`, `caller`. Of a tool and an agent of the same name
    /// it is the tool, and of neither that is in `roster`, too.
    pub fn named(word: &str, roster: &Roster) -> Who {
        let has = |known: &[String]| known.iter().any(|one| one == word);
        let (tool, persona) = match word.split_once('/') {
            _ if word == CALLER => return Who::Caller,
            Some((tool, persona)) => (Some(tool), Some(persona)),
            None if has(&roster.agents) && !has(&roster.tools) => (None, Some(word)),
            None => (Some(word), None),
        };
        Who::Agent { tool: tool.map(str::to_owned), persona: persona.map(str::to_owned) }
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Who::Agent { tool: Some(tool), persona: Some(persona) } => write!(f, "{tool}/{persona}"),
            Who::Agent { tool: Some(one), persona: None } | Who::Agent { tool: None, persona: Some(one) } => {
                f.write_str(one)
            }
            Who::Agent { tool: None, persona: None } => f.write_str("any"),
            Who::Caller => f.write_str(CALLER),
        }
    }
}
