//! A claim: somebody's right to change what a scope covers.

use super::scope::Scope;
use crate::base::{
    id::{ClaimId, HandoffId, InstanceId, OpId},
    world::Time,
};
use chrono::TimeDelta;
use std::fmt;

/// A claim in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its name.
    pub id: ClaimId,
    /// What it covers.
    pub scope: Scope,
    /// Whether others may hold what overlaps it.
    pub mode: Mode,
    /// Whether somebody asked for it or a fence made it.
    pub origin: Origin,
    /// Who holds it.
    pub holder: Holder,
    /// The fencing token: the sequence number of the operation that granted it. A later grant has a higher one.
    pub token: u64,
    /// The operation that granted it, which stays the same when a token is renumbered.
    pub grant: OpId,
    /// When it was granted.
    pub since: Time,
    /// When it ends by itself.
    pub until: Option<Time>,
    /// Why, in the holder's words.
    pub why: Option<String>,
}

/// Whether a claim shuts others out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nobody else may hold anything that overlaps.
    Exclusive,
    /// Others may hold overlapping claims that are shared too.
    Shared,
}

/// Where a claim came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Somebody asked for it.
    Explicit,
    /// A fence made it at the first edit.
    Auto,
}

/// Who holds a claim.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Holder {
    /// A running agent or a person.
    Instance(InstanceId),
    /// An open handoff, which keeps the claims of its maker until somebody accepts.
    Handoff(HandoffId),
}

/// Names one grant of one claim: the claim may have been granted anew since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRef {
    /// The claim.
    pub claim: ClaimId,
    /// The operation that granted it.
    pub grant: OpId,
}

/// A claim that ended without its holder's doing. It is kept for the holder, whose commits on the scope are refused
/// until it claims or releases it again: it may not know yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The claim as it was.
    pub claim: Claim,
    /// Why it ended.
    pub reason: EndReason,
    /// When it ended.
    pub at: Time,
    /// Whose operation ended it.
    pub by: Option<InstanceId>,
    /// What that one said.
    pub why: Option<String>,
    /// The claim that was there first, where the hub decided.
    pub rival: Option<Rival>,
}

/// The claim to which another was lost, as it stood then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rival {
    /// Who holds it.
    pub holder: Holder,
    /// What it covers.
    pub scope: Scope,
    /// Its fencing token.
    pub token: u64,
    /// When it was granted.
    pub since: Time,
}

/// Why a claim ended without its holder's doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Its holder was stale, and somebody else claimed or cleaned up.
    Stale,
    /// Its time was up.
    Expired,
    /// A person ended it.
    Forced,
    /// The hub gave the scope to another clone.
    Lost,
}

/// How long a person's claim lasts if nothing else is said: nobody can tell whether a person is still there.
pub const PERSON_TTL: TimeDelta = TimeDelta::hours(8);

/// Longest reason, in bytes.
pub const MAX_WHY: usize = 1024;

impl Claim {
    /// The name of this grant.
    pub fn grant_ref(&self) -> GrantRef {
        GrantRef { claim: self.id.clone(), grant: self.grant.clone() }
    }

    /// The claim, as the one who lost to it is told.
    pub fn as_rival(&self) -> Rival {
        Rival { holder: self.holder.clone(), scope: self.scope.clone(), token: self.token, since: self.since }
    }

    /// Where it stands in a list: by what it covers, and of several on the same by their grants.
    pub fn place(&self) -> (String, u64, ClaimId) {
        (self.scope.target(), self.token, self.id.clone())
    }

    /// Whether the time of the claim was up at `now`.
    pub fn is_expired(&self, now: Time) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Whether `instance` holds it.
    pub fn is_held_by(&self, instance: &InstanceId) -> bool {
        matches!(&self.holder, Holder::Instance(holder) if holder == instance)
    }
}

impl Mode {
    /// Whether claims of these modes by two holders may overlap.
    pub fn admits(self, other: Mode) -> bool {
        self == Mode::Shared && other == Mode::Shared
    }

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Exclusive => "exclusive",
            Mode::Shared => "shared",
        }
    }
}

impl Origin {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Explicit => "explicit",
            Origin::Auto => "auto",
        }
    }
}

impl EndReason {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            EndReason::Stale => "stale",
            EndReason::Expired => "expired",
            EndReason::Forced => "forced",
            EndReason::Lost => "lost",
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Instance(id) => id.fmt(f),
            Holder::Handoff(id) => id.fmt(f),
        }
    }
}
