//! What of the work that a handoff hands on is not here.

use crate::{
    base::{oid::Oid, path::RepoPath, text},
    model::handoff::{Handoff, HandoffState, WorkTreeMark},
    ops::{Error, Session},
    store::Snapshot,
};

/// What of the work that a handoff hands on is not in this clone: whoever goes on here goes on without it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// The commit it was made at.
    pub commit: Option<Oid>,
    /// Paths with changes that were not committed in the clone where it was made.
    pub dirty: Vec<RepoPath>,
    /// How many more of them there were than are listed.
    pub more_dirty: u64,
}

impl Missing {
    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.commit.is_none() && self.dirty.is_empty() && self.more_dirty == 0
    }
}

impl Session {
    /// What this clone lacks of the work that is handed on. Of one that is finished nothing is needed any more.
    pub(super) fn missing(&self, handoff: &Handoff, snapshot: &Snapshot<'_>) -> Result<Missing, Error> {
        if !matches!(handoff.state, HandoffState::Open | HandoffState::Accepted(_)) {
            return Ok(Missing::default());
        }
        let WorkTreeMark { commit, dirty, more_dirty, .. } = &handoff.tree;
        let commit = commit.clone().filter(|commit| !self.repository.has(commit));
        Ok(match self.works_here(&handoff.from, snapshot)? {
            true => Missing { commit, ..Missing::default() },
            false => Missing { commit, dirty: dirty.clone(), more_dirty: *more_dirty },
        })
    }
}

/// Most paths that are named where work is missing.
const MAX_NAMED: usize = 5;

/// That a handoff can't be accepted here, since work that it hands on is not here.
pub(super) fn lacking(handoff: &Handoff, missing: &Missing) -> Error {
    let named = missing.dirty.iter().take(MAX_NAMED).map(|path| text::one_line(&path.to_string(), 200));
    let named: Vec<String> = named.collect();
    let more = missing.dirty.len() as u64 + missing.more_dirty - named.len() as u64;
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let dirty = (!named.is_empty())
        .then(|| format!("changes that were not committed where it was made ({}{more})", named.join(", ")));
    let commit = missing.commit.as_ref().map(|commit| format!("the commit {commit}"));
    let lacks: Vec<String> = commit.into_iter().chain(dirty).collect();
    let hint = match missing.dirty.is_empty() {
        true => "fetch that commit first, or go on without it by --force",
        false => "let its maker commit and push them and hand on anew, or go on without them by --force",
    };
    Error::not_allowed(format!("{} goes on from what this clone lacks: {}", handoff.id, lacks.join(" and ")), hint)
}
