//! An operation: one act, with everything needed to do it again on another state.
//!
//! Times and other observations are part of it, and what it evicts is named by claim and grant, so that
//! [`apply`](super::apply::apply) is a pure function and every clone that replays it comes to the same result.

use super::{
    claim::{EndReason, GrantRef, Mode, Origin, Rival},
    handoff::Handoff,
    instance::{Doing, Instance},
    note::Note,
    scope::Scope,
    task::Task,
};
use crate::base::{
    id::{ClaimId, CloneId, Domain, HandoffId, InstanceId, OpId, TaskId},
    path::RepoPath,
    world::Time,
};

/// One act of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Op {
    /// Its name, which it keeps wherever it is replayed.
    pub id: OpId,
    /// When it was done.
    pub at: Time,
    /// Who did it; `None` for what needs no instance (creating the store, mending it).
    pub by: Option<InstanceId>,
    /// What was done.
    pub action: Action,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Begins a store.
    Create {
        /// The project it belongs to.
        domain: Domain,
        /// Whether paths that differ only in case are one.
        folds_case: bool,
    },
    /// Registers an instance, or one that had ended again.
    Register(Instance),
    /// Says what the instance is doing.
    SetTask(Option<Doing>),
    /// Takes instances off the register: one that leaves, or those found stale.
    End(Vec<Departure>),
    /// Claims scopes, all or none.
    Claim {
        /// What is wanted.
        wants: Vec<Want>,
        /// Claims that may be ended where they are in the way.
        evict: Vec<Eviction>,
        /// What one clone had granted and the hub did not, since somebody else was there first.
        lost: Vec<Loss>,
    },
    /// Gives claims back, or ends another's.
    Release {
        /// Which.
        claims: Vec<GrantRef>,
        /// Own claims that were lost, and are let go of.
        ended: Vec<ClaimId>,
        /// Set when a person ends the claims of a living holder: why.
        forced: Option<String>,
    },
    /// Writes a note.
    Note(Note),
    /// Makes a handoff, which takes over the named claims.
    Handoff {
        /// The handoff, open.
        handoff: Box<Handoff>,
        /// Claims of the maker.
        claims: Vec<GrantRef>,
    },
    /// Accepts, declines or finishes a handoff.
    Settle {
        /// Which.
        handoff: HandoffId,
        /// How.
        how: Settlement,
        /// The claims that move with it.
        claims: Vec<GrantRef>,
    },
    /// Puts a task into the queue.
    NewTask(Box<Task>),
    /// Says that a task is done. The claim on it ends with that.
    FinishTask {
        /// Which.
        task: TaskId,
        /// What came of it.
        result: Option<String>,
        /// By what right.
        right: Right,
    },
    /// Records that somebody went round a fence.
    Bypass {
        /// The fence.
        fence: String,
        /// The paths it would have judged, as many as are worth keeping.
        paths: Vec<RepoPath>,
        /// How many there were.
        count: u64,
    },
    /// Begins a new epoch: the history before it is let go of, the state stays.
    Compact {
        /// The last operation of each clone that was done before it, the newest first. What a clone did up to its own
        /// is done, though no history shows it any more.
        last: Vec<(CloneId, OpId)>,
    },
    /// Begins a new epoch after the hub lost what it had taken.
    Recover,
    /// Records that the store was mended; the tree of the commit is the mended state.
    Repair {
        /// What was done.
        summary: Vec<String>,
    },
}

/// An instance that goes, or is found gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// Which.
    pub instance: InstanceId,
    /// Its claims.
    pub claims: Vec<GrantRef>,
    /// Whether it was found gone rather than said so itself. Then it is told of each claim when it comes back.
    pub stale: bool,
}

/// A scope that somebody wants to claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// The id the claim gets if it is granted.
    pub id: ClaimId,
    /// What.
    pub scope: Scope,
    /// Whether others are shut out.
    pub mode: Mode,
    /// Who asked.
    pub origin: Origin,
    /// When it ends by itself.
    pub until: Option<Time>,
    /// Why, in words.
    pub why: Option<String>,
}

/// A scope that was granted in one clone, and lost when the hub was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// What was wanted.
    pub want: Want,
    /// Who has it.
    pub rival: Rival,
}

/// A claim that may be ended, because it was seen that its holder is gone or its time is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eviction {
    /// Which grant.
    pub claim: GrantRef,
    /// What was seen.
    pub reason: EndReason,
}

/// By what right somebody says that a task is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    /// By this grant of an own claim on it.
    Held(GrantRef),
    /// A person says so, whoever holds it, for this reason.
    Force(String),
}

/// How a handoff is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// The actor goes on with it, and gets its claims.
    Accept,
    /// It goes back, and its claims with it.
    Decline,
    /// It is finished, and its claims are free.
    Done,
}

impl Settlement {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Settlement::Accept => "accept",
            Settlement::Decline => "decline",
            Settlement::Done => "done",
        }
    }
}

impl Action {
    /// The word that stands first in the log.
    pub fn verb(&self) -> &'static str {
        match self {
            Action::Create { .. } => "create",
            Action::Register(_) => "register",
            Action::SetTask(_) => "task",
            Action::End(gone) if gone.iter().any(|d| d.stale) => "cleanup",
            Action::End(_) => "unregister",
            Action::Claim { .. } => "claim",
            Action::Release { .. } => "release",
            Action::Note(_) => "note",
            Action::Handoff { .. } => "handoff",
            Action::Settle { how, .. } => how.as_str(),
            Action::NewTask(_) => "new-task",
            Action::FinishTask { .. } => "finish-task",
            Action::Bypass { .. } => "bypass",
            Action::Compact { .. } => "compact",
            Action::Recover => "recover",
            Action::Repair { .. } => "repair",
        }
    }
}
