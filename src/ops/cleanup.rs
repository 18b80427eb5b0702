//! Taking stale instances and their claims off the register, and what killed processes have left in the git directory.

use super::{Error, Session};
use crate::{
    base::id::{ClaimId, InstanceId},
    host::{aside, sighting::Sighting},
    model::{
        claim::{Claim, Holder},
        instance::Instance,
        liveness::Presence,
        op::{Action, Departure},
    },
    store::{Extent, Snapshot},
};
use chrono::TimeDelta;
use std::collections::BTreeSet;

/// How long it is remembered that an instance once was, so that a command of it can revive it.
const REMEMBERED: TimeDelta = TimeDelta::days(30);

/// What a cleanup ended.
#[derive(Debug, Clone, Default)]
pub struct Cleaned {
    /// Instances.
    pub ended: Vec<InstanceId>,
    /// Their claims.
    pub released: Vec<ClaimId>,
    /// How many folders were removed that processes had left in the git directory when they were killed.
    pub folders: usize,
}

impl Session {
    /// Ends all instances that are stale, with their claims: those of this clone, and after them those of others, which
    /// only the hub may end. What killed processes have left in the git directory goes too.
    ///
    /// # Errors
    /// When the store can't be read or written, and when the hub does not confirm the end of those of other clones.
    pub fn cleanup(&self) -> Result<Cleaned, Error> {
        let snapshot = self.snapshot()?;
        // Whoever cleans up is not to be found stale for it.
        let me = self.asking(&snapshot)?.instance().cloned();
        let mut cleaned = self.end_gone(me.as_ref(), false)?;
        for id in &cleaned.ended {
            Sighting::forget(self.repository.common_dir(), id);
            if let Some(mut seen) = self.seen(id) {
                // Its last sign of life stays what it was: from then on it is counted how long it is remembered.
                seen.live.ended = Some(self.now());
                let _ = self.live.write(id, &seen.live, seen.last_seen);
            }
        }
        self.forget_long_ended();
        cleaned.folders = aside::clear(self.repository.common_dir());
        let elsewhere = self.end_gone(me.as_ref(), true).map_err(|error| match error {
            Error::NotConfirmed { message, hint } if !cleaned.ended.is_empty() => {
                let message =
                    format!("what was stale in this clone has ended, what is so in others has not: {message}");
                Error::NotConfirmed { message, hint }
            }
            error => error,
        })?;
        cleaned.ended.extend(elsewhere.ended);
        cleaned.released.extend(elsewhere.released);
        Ok(cleaned)
    }

    /// Ends the stale instances of other clones or of this one.
    fn end_gone(&self, me: Option<&InstanceId>, elsewhere: bool) -> Result<Cleaned, Error> {
        let mut ended = Vec::new();
        let applied = self.perform(me, |snapshot| {
            let gone = self.gone(me, elsewhere, snapshot)?;
            let theirs = |claim: &Claim| matches!(&claim.holder, Holder::Instance(id) if gone.contains(id));
            let claims = snapshot.claims(Extent::All, theirs)?.records;
            let departures: Vec<Departure> = gone.iter().map(|id| departure(id.clone(), &claims, true)).collect();
            ended = departures.iter().map(|departure| departure.instance.clone()).collect();
            Ok((!departures.is_empty()).then_some(Action::End(departures)))
        })?;
        let released = applied.released.into_iter().map(|claim| claim.id).collect();
        Ok(Cleaned { ended, released, folders: 0 })
    }

    /// The stale instances of other clones or of this one, `me` left out.
    fn gone(
        &self,
        me: Option<&InstanceId>,
        elsewhere: bool,
        snapshot: &Snapshot<'_>,
    ) -> Result<BTreeSet<InstanceId>, Error> {
        let is_gone = |instance: &Instance| {
            let asked_for = Some(&instance.id) != me && self.is_elsewhere(instance) == elsewhere;
            asked_for && self.presence(instance) == Presence::Stale
        };
        let gone = snapshot.instances(Extent::All, is_gone)?.records;
        Ok(gone.into_iter().map(|instance| instance.id).collect())
    }

    fn forget_long_ended(&self) {
        let limit = self.now() - REMEMBERED;
        for (id, seen) in self.live.all().unwrap_or_default().instances {
            if seen.live.ended.is_some() && seen.last_seen < limit {
                let _ = self.live.remove(&id);
                Sighting::forget(self.repository.common_dir(), &id);
            }
        }
    }
}

/// An instance that goes, with all of its claims.
pub(super) fn departure(instance: InstanceId, claims: &[Claim], stale: bool) -> Departure {
    let holder = Holder::Instance(instance.clone());
    let claims = claims.iter().filter(|claim| claim.holder == holder).map(Claim::grant_ref).collect();
    Departure { instance, claims, stale }
}
