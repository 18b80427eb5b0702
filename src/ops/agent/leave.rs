//! The end of an agent's session, and its return.

use crate::{
    base::{id::InstanceId, path::RepoPath},
    host::sighting::Sighting,
    model::{
        apply::kept_beside,
        claim::{Claim, GrantRef, Holder},
        handoff::{Document, Handoff, HandoffState},
        op::Action,
        overlap::Overlap,
        scope::Scope,
        view::View as _,
    },
    ops::{
        Error, Session,
        handoff::{Shown, Take},
    },
    store::{Extent, Snapshot},
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
        if self.env.run.is_some() && self.env.instance.as_deref() == Some(me.as_str()) {
            // Whoever has started it checks what it did, and ends it.
            return Ok(None);
        }
        if snapshot.instance(&me)?.is_none() {
            return Ok(None);
        }
        Sighting::forget(self.repository.common_dir(), &me);
        let claims = snapshot.claims_of(&Holder::Instance(me.clone()))?;
        let handed_on = match self.unfinished(&claims, &me, &snapshot) {
            Ok(unfinished) if unfinished.is_empty() => None,
            Ok(unfinished) => {
                let ids = unfinished.iter().map(|claim| claim.id.to_string()).collect();
                // What is claimed may change until then. Whatever it is, all of it can be handed on.
                match self.hand_on(&Take::Some(ids)).or_else(|_| self.hand_on(&Take::All)) {
                    Ok(shown) => Some(shown),
                    Err(error) => {
                        // The instance stays, with what is not to be free; the rest has no reason to wait for it.
                        self.release_others(&me, &unfinished)?;
                        return Err(error);
                    }
                }
            }
            // What can't be told to be committed is kept.
            Err(_) if claims.iter().any(is_of_paths) => Some(self.hand_on(&Take::All)?),
            Err(error) => return Err(error),
        };
        self.unregister()?;
        Ok(handed_on)
    }

    /// Of `claims` those that cover something that is not committed, and what can't be parted from them: two may not
    /// hold what one may.
    fn unfinished(&self, claims: &[Claim], me: &InstanceId, snapshot: &Snapshot<'_>) -> Result<Vec<Claim>, Error> {
        if !claims.iter().any(is_of_paths) {
            return Ok(Vec::new());
        }
        let dirty: HashSet<RepoPath> = self.dirty_anywhere(snapshot.folds_case())?;
        let is_dirty = |claim: &&Claim| {
            let overlap = Overlap::new(&claim.scope, snapshot.folds_case());
            is_of_paths(claim) && dirty.iter().any(|path| overlap.with(&Scope::File(path.clone())))
        };
        let mut unfinished: Vec<Claim> = claims.iter().filter(is_dirty).cloned().collect();
        let mut grants: Vec<GrantRef> = unfinished.iter().map(Claim::grant_ref).collect();
        let mut at = 0;
        while let Some(claim) = unfinished.get(at) {
            let beside = kept_beside(snapshot, me, claim, &grants)?;
            grants.extend(beside.iter().map(Claim::grant_ref));
            unfinished.extend(beside);
            at += 1;
        }
        Ok(unfinished)
    }

    fn hand_on(&self, take: &Take) -> Result<Shown, Error> {
        self.hand_off(Document { title: UNFINISHED.into(), ..Document::default() }, None, take, None)
    }

    /// Releases what `me` holds and is not among the `unfinished`.
    fn release_others(&self, me: &InstanceId, unfinished: &[Claim]) -> Result<(), Error> {
        self.perform(Some(me), |snapshot: &Snapshot<'_>| {
            let mut others = snapshot.claims_of(&Holder::Instance(me.clone()))?;
            others.retain(|claim| unfinished.iter().all(|kept| kept.id != claim.id));
            let claims: Vec<_> = others.iter().map(Claim::grant_ref).collect();
            Ok((!claims.is_empty()).then(|| Action::Release { claims, ended: Vec::new(), forced: None }))
        })?;
        Ok(())
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

fn is_of_paths(claim: &Claim) -> bool {
    !matches!(claim.scope, Scope::Task(_))
}
