//! Whether a claim stands: whether somebody is behind it who has to be asked.
//!
//! A holder of another clone is judged by what that clone lets us see, and only the hub may end its claim. An open
//! handoff stands for as long as it is open.

use super::{Error, Held, Session};
use crate::{
    base::id::{InstanceId, RunId},
    model::{
        apply::Conflict,
        claim::{Claim, EndReason, Holder},
        liveness::{Observed, Presence},
        op::Eviction,
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
