//! The end of an agent's session, and its return.

use crate::{
    base::{id::InstanceId, path::RepoPath},
    host::sighting::Sighting,
    model::{
        claim::{Claim, Holder},
        handoff::{Document, Handoff, HandoffState},
        overlap::Overlap,
        scope::Scope,
        view::View as _,
    },
    ops::{
        Error, Session,
        handoff::{Shown, Take},
    },
    store::Extent,
};
use std::collections::HashSet;

/// The title of the handoff that is made at the end of a session. By this it is known, too.
const UNFINISHED: &str = "Unfinished: changes that were not committed when the session ended";

impl Session {
    /// Ends the session of an agent. What it holds is free, unless there are changes in it that are not committed: that
    /// goes into an open handoff, which keeps it for whoever goes on. Nothing if the agent was not registered.
    ///
    /// # Errors
    /// When the store can't be read or written, or git can't tell what is changed.
    pub fn leave(&self) -> Result<Option<Shown>, Error> {
        let snapshot = self.snapshot()?;
        let Some(me) = self.who(&snapshot)?.instance().cloned() else { return Ok(None) };
        if snapshot.instance(&me)?.is_none() {
            return Ok(None);
        }
        Sighting::forget(self.repository.common_dir(), &me);
        let claims = snapshot.claims_of(&Holder::Instance(me))?;
        let unfinished = if claims.is_empty() { Vec::new() } else { self.unfinished(claims)? };
        let handed_on = if unfinished.is_empty() { None } else { Some(self.hand_on(&unfinished)?) };
        self.unregister()?;
        Ok(handed_on)
    }

    /// Of `claims` those that cover something that is not committed.
    fn unfinished(&self, mut claims: Vec<Claim>) -> Result<Vec<Claim>, Error> {
        let folds_case = self.snapshot()?.folds_case();
        let dirty: HashSet<RepoPath> = self.dirty_anywhere(folds_case)?;
        claims.retain(|claim| {
            let overlap = Overlap::new(&claim.scope, folds_case);
            !matches!(claim.scope, Scope::Task(_)) && dirty.iter().any(|path| overlap.with(&Scope::File(path.clone())))
        });
        Ok(claims)
    }

    fn hand_on(&self, unfinished: &[Claim]) -> Result<Shown, Error> {
        let document = Document { title: UNFINISHED.into(), ..Document::default() };
        let ids = unfinished.iter().map(|claim| claim.id.to_string()).collect();
        self.hand_off(document, None, &Take::Some(ids))
    }

    /// Takes back what was handed on when the session of `me` ended: it goes on, and nobody has taken it meanwhile.
    pub(super) fn come_back(&self, me: &InstanceId) -> Result<(), Error> {
        let is_own = |handoff: &Handoff| {
            handoff.state == HandoffState::Open && handoff.from == *me && handoff.document.title == UNFINISHED
        };
        let snapshot = self.snapshot()?;
        let (own, _) = self.listed("handoffs", snapshot.handoffs(Extent::Newest, is_own)?);
        for handoff in own {
            // Somebody may be quicker even now. Then it is theirs, and no reason not to begin.
            drop(self.decline(handoff.id.as_str()));
        }
        Ok(())
    }
}
