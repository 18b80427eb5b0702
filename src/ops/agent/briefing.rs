//! What an agent is told when its session begins: who else is here, what they hold, what waits for it, what it should
//! know.

use crate::{
    base::id::InstanceId,
    model::{
        claim::Ended, handoff::Handoff, liveness::Presence, note::Note, overlap::Overlap, scope::Scope, view::View as _,
    },
    ops::{Error, Session, check::Seen, instance::Known, note::Filter, status::Status},
};

/// Most of each that an agent is told of.
const MAX_OTHERS: usize = 10;
const MAX_CLAIMS: usize = 20;
const MAX_HANDOFFS: usize = 5;
const MAX_NOTES: usize = 10;

/// What an agent is told when its session begins, the nearest and newest first, and how much more there is.
#[derive(Debug, Clone)]
pub struct Briefing {
    /// Who the agent is.
    pub me: InstanceId,
    /// Who else is here, and is not known to be gone.
    pub others: Few<Known>,
    /// What they hold.
    pub claims: Few<Seen>,
    /// Handoffs that wait for a tool like this one, or for anybody.
    pub handoffs: Few<Handoff>,
    /// Notes that concern the folder it works in.
    pub notes: Few<Note>,
    /// What it lost.
    pub lost: Vec<Ended>,
}

/// The first few of something.
#[derive(Debug, Clone)]
pub struct Few<T> {
    /// These.
    pub first: Vec<T>,
    /// How many more there are.
    pub more: usize,
}

impl<T> Few<T> {
    fn of(mut all: Vec<T>, most: usize) -> Self {
        let more = all.len().saturating_sub(most);
        all.truncate(most);
        Few { first: all, more }
    }
}

impl Session {
    /// Registers the agent, if it wasn't, and tells it what it should know.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub fn brief(&self) -> Result<Briefing, Error> {
        let me = self.acting()?;
        self.come_back(&me)?;
        let Status { instances, mut claims, mut handoffs, lost, .. } = self.status()?;
        let here = self.repo_path(std::path::Path::new(".")).ok().filter(|path| !path.is_root());
        let mut others: Vec<Known> = instances;
        others.retain(|known| known.instance.id != me && !known.instance.tool.is_person());
        others.retain(|known| known.presence != Presence::Stale);
        others.sort_by_key(|known| std::cmp::Reverse(known.last_seen));
        claims.retain(|seen| !seen.mine && seen.fallen.is_none());
        // What lies around the folder that it works in concerns it first, and then what is newest.
        let folds_case = self.snapshot()?.folds_case();
        let near = here.clone().map(|here| Overlap::new(&Scope::Directory(here), folds_case));
        let is_far = |seen: &Seen| near.as_ref().is_some_and(|near| !near.with(&seen.claim.scope));
        claims.sort_by_cached_key(|seen| (is_far(seen), std::cmp::Reverse(seen.claim.since)));
        let mine = |handoff: &Handoff| handoff.to.as_ref().is_none_or(|to| to.as_str() == me.tool());
        handoffs.retain(mine);
        handoffs.reverse();
        let notes = self.context(&Filter { path: here, ..Filter::default() })?.notes;
        Ok(Briefing {
            others: Few::of(others, MAX_OTHERS),
            claims: Few::of(claims, MAX_CLAIMS),
            handoffs: Few::of(handoffs, MAX_HANDOFFS),
            notes: Few::of(notes, MAX_NOTES),
            lost,
            me,
        })
    }
}
