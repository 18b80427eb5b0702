//! Runs: work that is given to agents, step by step, and what is known of it at every moment.
//!
//! A delegation is a run of one step. What stands here is the part that others may see; what was asked, what came back
//! and what the files were like is kept apart, since it may hold what nobody meant to publish.

use super::verify::{Outcome, Source};
use crate::base::{
    id::{CloneId, InstanceId, RunId, StepPath},
    oid::Oid,
    path::RepoPath,
    process::ProcessMark,
    world::Time,
};
use std::{fmt, time::Duration};

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its name.
    pub id: RunId,
    /// What is run: `delegation`, or the name of a workflow.
    pub workflow: String,
    /// What it is about, in a line.
    pub title: String,
    /// Who began it.
    pub by: Option<InstanceId>,
    /// When.
    pub began: Time,
    /// When it ended, if it has.
    pub ended: Option<Time>,
    /// Where it stands.
    pub status: RunStatus,
    /// Who drives it.
    pub driver: Driver,
    /// The run that called it, where it is a part of one.
    pub parent: Option<RunId>,
    /// The instance that holds what all of its steps may write, where its workflow claims that at once.
    pub holder: Option<InstanceId>,
    /// What it is linked to: claims, a handoff, notes, by id.
    pub links: Vec<String>,
    /// The runs that hold what steps of it wait for.
    pub waits_for: Vec<RunId>,
    /// Why it did not begin, can't go on, or waits before its first step: somebody's words.
    pub why: Option<String>,
}

/// The process that drives a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver {
    /// The clone it works in.
    pub clone: CloneId,
    /// The process, as far as the system tells what it is.
    pub process: Option<ProcessMark>,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$of])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// The word.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Where a run stands.
    RunStatus {
        /// It was handed over to a process in the background, which has not taken hold of it yet.
        Starting = "starting",
        /// It goes on.
        Running = "running",
        /// It waits for somebody's answer.
        Waiting = "waiting",
        /// It came to its end, and all is well.
        Complete = "complete",
        /// The same, of one whose steps could have been undone.
        AllTransactionsComplete = "all_transactions_complete",
        /// What was done is being undone.
        Compensating = "compensating",
        /// It came to its end, and a loop in it did not reach its goal.
        MaxIterationsReached = "max_iterations_reached",
        /// A step failed.
        Failed = "failed",
        /// It never began, since somebody else holds what it is to write.
        Refused = "refused",
        /// A step failed, and what had been done is undone.
        Undone = "undone",
        /// A step failed, and not all that had been done could be undone.
        UndoFailed = "undo_failed",
        /// Somebody stopped it; it can be resumed.
        Interrupted = "interrupted",
        /// Its driver is gone; it can be resumed.
        Lost = "lost",
    }
}

impl RunStatus {
    /// Whether nothing more happens by itself or by resuming.
    pub fn is_final(self) -> bool {
        use RunStatus::*;
        matches!(
            self,
            Complete | AllTransactionsComplete | MaxIterationsReached | Failed | Refused | Undone | UndoFailed
        )
    }

    /// Whether nothing of it was begun: not by its driver, or not yet.
    pub fn is_unbegun(self) -> bool {
        matches!(self, RunStatus::Starting | RunStatus::Refused)
    }
}

words! {
    /// Where a step stands.
    StepStatus {
        /// What it needs has not ended.
        Waiting = "waiting",
        /// Somebody else holds what it is to write.
        Blocked = "blocked",
        /// It is about to claim what it is to write.
        Claiming = "claiming",
        /// It waits for its turn: as many as may run are running.
        Queued = "queued",
        /// It is at work.
        Running = "running",
        /// What it did is being checked.
        Verifying = "verifying",
        /// It waits for somebody's answer.
        Asked = "asked",
        /// It is done, and all is well.
        Ok = "ok",
        /// It was not to be done.
        Skipped = "skipped",
        /// It failed.
        Failed = "failed",
        /// A loop that did not reach its goal.
        MaxIterationsReached = "max_iterations_reached",
        /// Whoever drove it is gone.
        Lost = "lost",
        /// It was done, and is undone.
        Undone = "undone",
        /// It was done, and could not be undone.
        UndoFailed = "undo_failed",
    }
}

impl StepStatus {
    /// Whether nothing more comes of it.
    pub fn is_final(self) -> bool {
        use StepStatus::*;
        matches!(self, Ok | Skipped | Failed | MaxIterationsReached | Undone | UndoFailed)
    }
}

words! {
    /// Why what an agent did is not usable.
    FailureKind {
        /// There is no such program on this machine.
        Absent = "absent",
        /// The process ended with an exit code, or by a signal.
        Exit = "exit",
        /// The agent itself reported an error, whatever its exit code.
        Reported = "reported",
        /// It answered nothing.
        Empty = "empty",
        /// Its time was up.
        TimedOut = "timed_out",
        /// It was silent for too long.
        Stalled = "stalled",
        /// Its answer has not the shape that was asked for.
        Shape = "shape",
        /// It wrote outside of its scope.
        Scope = "scope",
        /// A check failed.
        Check = "check",
        /// A reviewer says that something is missing.
        Missed = "missed",
        /// A reviewer says that the approach is wrong.
        Wrong = "wrong",
        /// Somebody else holds what it is to write.
        Held = "held",
        /// The claim on its scope was lost while it worked.
        ClaimLost = "claim_lost",
        /// What it changed can't be taken over, since somebody else has changed the same meanwhile.
        Conflict = "conflict",
        /// Its driver was gone before it ended.
        Lost = "lost",
        /// git-aio could not do its own part.
        Internal = "internal",
    }
}

/// Why an attempt is not usable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// In a word.
    pub kind: FailureKind,
    /// What is to be told, to a person and to whoever tries next: may be several lines, and anybody's words.
    pub text: String,
}

/// What a step did so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub path: StepPath,
    /// Where it stands.
    pub status: StepStatus,
    /// What it is: `prompt`, `run`, `ask`, `workflow`, `block`.
    pub kind: String,
    /// When it began, if it has.
    pub began: Option<Time>,
    /// When it ended, if it has.
    pub ended: Option<Time>,
    /// What was tried, in order.
    pub attempts: Vec<Attempt>,
    /// The files that it changed in the end.
    pub files: Vec<RepoPath>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Bytes of its result.
    pub bytes: u64,
    /// By which it is known whether a result can be kept when the workflow has changed.
    pub key: Option<String>,
}

/// One try of one agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// Who: `codex/implementer`, `claude`, or `sh` for a command.
    pub agent: String,
    /// The instance that claimed and worked.
    pub instance: Option<InstanceId>,
    /// When it began.
    pub began: Time,
    /// How long it took, verification included.
    pub took: Option<Duration>,
    /// How far it came.
    pub stage: Stage,
    /// Its exit code.
    pub exit: Option<i32>,
    /// The session of the agent CLI, by which it can be resumed there.
    pub session: Option<String>,
    /// What it used.
    pub usage: Usage,
    /// Bytes of what it answered.
    pub bytes: u64,
    /// The work tree before, as a tree of git.
    pub before: Option<Oid>,
    /// The work tree after.
    pub after: Option<Oid>,
    /// What it changed.
    pub files: Vec<RepoPath>,
    /// How it was checked.
    pub checks: Vec<CheckRecord>,
    /// Why it is not usable.
    pub failure: Option<Failure>,
    /// What the reviewer said, if one was asked: the verdict, and the words.
    pub review: Option<(ReviewVerdict, String)>,
}

words! {
    /// How far an attempt came. Whoever takes a run over goes on from there.
    Stage {
        /// The agent is at work, or was when nobody looked any more.
        Working = "working",
        /// It has answered, and nothing of that is checked.
        Answered = "answered",
        /// It is checked, and either usable or not.
        Judged = "judged",
        /// What it left is as it is to stay: kept, or restored.
        Settled = "settled",
    }
}

words! {
    /// What a reviewer says of a change.
    ReviewVerdict {
        /// It is as asked for.
        Pass = "pass",
        /// Small things are to be fixed, directly.
        Minor = "minor",
        /// A requirement is not met: the task is given again, with that named.
        Missed = "missed",
        /// The approach is wrong: the change is taken back.
        Wrong = "wrong",
    }
}

/// What an agent used, as far as it says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens it read.
    pub input: Option<u64>,
    /// Tokens of these that were cached.
    pub cached: Option<u64>,
    /// Tokens it wrote.
    pub output: Option<u64>,
    /// What it cost, in millionths of a US dollar.
    pub cost: Option<u64>,
}

/// A check and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRecord {
    /// Its name, or the command.
    pub name: String,
    /// Who says that it is one.
    pub source: Source,
    /// How it ended.
    pub outcome: Outcome,
    /// The exit code.
    pub exit: Option<i32>,
    /// How long it took.
    pub took: Option<Duration>,
    /// Why it was not made.
    pub why: Option<String>,
    /// The SHA-256 of what it printed, in hex.
    pub digest: Option<String>,
}

impl Usage {
    /// Both together. What neither says stays unsaid.
    #[must_use]
    pub fn and(self, other: Usage) -> Usage {
        let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
        };
        Usage {
            input: sum(self.input, other.input),
            cached: sum(self.cached, other.cached),
            output: sum(self.output, other.output),
            cost: sum(self.cost, other.cost),
        }
    }
}

impl Step {
    /// How much it answered, in words: `1 byte`, `20 bytes`.
    pub fn size(&self) -> String {
        format!("{} byte{}", self.bytes, if self.bytes == 1 { "" } else { "s" })
    }

    /// A step that has not begun.
    pub fn new(path: StepPath, kind: &str) -> Step {
        Step {
            path,
            status: StepStatus::Waiting,
            kind: kind.to_owned(),
            began: None,
            ended: None,
            attempts: Vec::new(),
            files: Vec::new(),
            failure: None,
            bytes: 0,
            key: None,
        }
    }

    /// Who did it, or tried last.
    pub fn agent(&self) -> Option<&str> {
        self.attempts.last().map(|attempt| attempt.agent.as_str())
    }
}
