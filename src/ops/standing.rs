//! Whether a claim stands: whether somebody is behind it who has to be asked.
//!
//! A holder of another clone is judged by what that clone lets us see, and only the hub may end its claim. An open
//! handoff stands for as long as it is open.

use super::{Confirm, Error, Held, Session, Target};
use crate::{
    base::id::{InstanceId, RunId},
    model::{
        apply::Conflict,
        claim::{Claim, EndReason, Holder},
        liveness::{Observed, Presence},
        op::Eviction,
        overlap::Overlap,
        view::View,
    },
    store::Snapshot,
};
use std::collections::HashMap;

impl Session {
    /// Which of `claims` may be passed over by `me`: their holder is gone, or their time is up.
    pub(super) fn evictions(
        &self,
        claims: &[Claim],
        me: &InstanceId,
        snapshot: &Snapshot<'_>,
    ) -> Result<Vec<Eviction>, Error> {
        let mut evictions = Vec::new();
        for claim in claims {
            if let Some(reason) = self.end_reason(claim, me, snapshot)? {
                evictions.push(Eviction { claim: claim.grant_ref(), reason });
            }
        }
        Ok(evictions)
    }

    fn end_reason(&self, claim: &Claim, me: &InstanceId, snapshot: &Snapshot<'_>) -> Result<Option<EndReason>, Error> {
        if claim.is_held_by(me) { Ok(None) } else { self.fallen(claim, snapshot) }
    }

    /// Why a claim need not be respected, if it need not be.
    pub(super) fn fallen(&self, claim: &Claim, snapshot: &Snapshot<'_>) -> Result<Option<EndReason>, Error> {
        let Holder::Instance(holder) = &claim.holder else { return Ok(None) };
        let instance = snapshot.instance(holder)?;
        let elsewhere = instance.is_some_and(|instance| self.is_elsewhere(&instance));
        Ok(match () {
            () if self.is_expired(claim, elsewhere) => Some(EndReason::Expired),
            () if self.is_gone(holder, snapshot)? => Some(EndReason::Stale),
            () => None,
        })
    }

    /// Whether the time of a claim is up. That of another clone is counted from when we first saw it: when it ends by
    /// the clock over there says nothing here.
    pub(super) fn is_expired(&self, claim: &Claim, elsewhere: bool) -> bool {
        if elsewhere { self.is_over_elsewhere(claim) } else { claim.is_expired(self.now()) }
    }

    /// Whether a claim of somebody else has to be respected.
    pub(super) fn binds(&self, claim: &Claim, snapshot: &Snapshot<'_>) -> Result<bool, Error> {
        Ok(self.fallen(claim, snapshot)?.is_none())
    }

    /// Of `claims`, those of `me` and those that have to be respected.
    pub(super) fn binding(
        &self,
        claims: Vec<Claim>,
        me: Option<&InstanceId>,
        snapshot: &Snapshot<'_>,
    ) -> Result<Vec<Claim>, Error> {
        // Few hold many: whether a holder is there is looked up once.
        let mut lasting = HashMap::new();
        let mut binding = Vec::with_capacity(claims.len());
        for claim in claims {
            let mine = me.is_some_and(|me| claim.is_held_by(me));
            let binds = match lasting.get(&claim.holder) {
                _ if mine => true,
                Some(lasts) if claim.until.is_none() => *lasts,
                _ => self.binds(&claim, snapshot)?,
            };
            if claim.until.is_none() {
                lasting.insert(claim.holder.clone(), binds);
            }
            if binds {
                binding.push(claim);
            }
        }
        Ok(binding)
    }

    /// Looks whether what somebody else holds is in the way of whoever is not registered yet, and claims nothing. What another
    /// clone holds may be free by now: where only the hub grants claims it is asked for that, and else soon.
    ///
    /// # Errors
    /// [`Error::Held`] when something is.
    pub(super) fn look_for_others(&self, scope: &[Target]) -> Result<(), Error> {
        self.look_again();
        let (mut found, is_elsewhere) = self.others_in(scope)?;
        match self.settings.confirm {
            Confirm::Strict if is_elsewhere && self.has_hub() => match self.sync(None, &mut |_| {}) {
                Ok(_) => found = self.others_in(scope)?.0,
                // What the hub says of the claim is what counts.
                Err(_) => return Ok(()),
            },
            _ if is_elsewhere => self.sync_soon(),
            _ => {}
        }
        if found.is_empty() { Ok(()) } else { Err(Error::Held(found)) }
    }

    /// What others hold of `scope`, and whether any of that is held in another clone.
    fn others_in(&self, scope: &[Target]) -> Result<(Vec<Held>, bool), Error> {
        let snapshot = self.snapshot()?;
        let mut found = Vec::new();
        for Target { scope, .. } in scope {
            let overlap = Overlap::new(scope, snapshot.folds_case());
            let mut claims = snapshot.claims_near(scope)?;
            claims.retain(|claim| overlap.with(&claim.scope));
            let conflicts = self.binding(claims, None, &snapshot)?.into_iter();
            let conflicts = conflicts.map(|claim| Conflict { scope: scope.clone(), claim });
            found.extend(conflicts.map(|conflict| self.held_by(conflict, &snapshot)));
        }
        let is_elsewhere = found.iter().any(|held| held.elsewhere);
        Ok((found, is_elsewhere))
    }

    pub(super) fn held(&self, conflicts: Vec<Conflict>, snapshot: &Snapshot<'_>) -> Error {
        Error::Held(conflicts.into_iter().map(|conflict| self.held_by(conflict, snapshot)).collect())
    }

    /// What is in the way, with what is known of its holder.
    pub(super) fn held_by(&self, conflict: Conflict, snapshot: &Snapshot<'_>) -> Held {
        let claim = &conflict.claim;
        let observed = self.observed(&claim.holder, snapshot);
        Held {
            short_id: snapshot.short_claim_id(&claim.id),
            presence: observed.as_ref().map(|observed| observed.judge(self.now(), self.settings.patience)),
            elsewhere: self.is_held_elsewhere(&claim.holder, snapshot),
            abandoned: self.abandoned(&claim.holder, snapshot),
            last_seen: observed.map(|observed| observed.last_seen).filter(|seen| *seen > claim.since),
            conflict,
        }
    }

    /// The run that a holder works for, where it does so without its driver.
    fn abandoned(&self, holder: &Holder, snapshot: &Snapshot<'_>) -> Option<RunId> {
        let Holder::Instance(id) = holder else { return None };
        let instance = snapshot.instance(id).ok().flatten()?;
        if self.is_elsewhere(&instance) { None } else { self.run_of_abandoned(&instance) }
    }

    /// Whether what holds a claim is of another clone, as far as that is on the register.
    fn is_held_elsewhere(&self, holder: &Holder, snapshot: &Snapshot<'_>) -> bool {
        let id = match holder {
            Holder::Instance(id) => Some(id.clone()),
            Holder::Handoff(id) => snapshot.handoff(id).ok().flatten().map(|handoff| handoff.from),
        };
        id.is_some_and(|id| !self.works_here(&id, snapshot).unwrap_or(true))
    }

    pub(super) fn presence_of(&self, holder: &Holder, snapshot: &Snapshot<'_>) -> Option<Presence> {
        Some(self.observed(holder, snapshot)?.judge(self.now(), self.settings.patience))
    }

    /// What can be seen of a holder; nothing of one that is not on the register.
    pub(super) fn observed(&self, holder: &Holder, snapshot: &Snapshot<'_>) -> Option<Observed> {
        let Holder::Instance(id) = holder else { return None };
        Some(self.observe(&snapshot.instance(id).ok().flatten()?))
    }
}
