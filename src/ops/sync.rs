//! Syncing: the operations of this clone and those of the others come into one order, the hub's.
//!
//! The hub is any git repository. Its own rule, that a push which is not forced only moves a ref forward, decides
//! between two clones: whoever is second fetches, does its operations again on what the first one pushed, and tries
//! again. Nobody is asked but the hub, and no clock.

mod background;
mod catch_up;
mod epoch;
mod exchange;
mod gone;
mod hub;
mod locks;
mod partial;
mod presence;
mod probe;
mod runs;
mod takeover;
mod watch;

pub use epoch::Compacted;
pub(super) use hub::Confirmed;
pub use hub::{HubState, Standing};
pub(in crate::ops) use probe::Tried;
pub(in crate::ops) use watch::Watching;

use super::{Error, Session};
use crate::{
    base::id::InstanceId,
    model::{
        apply::{Applied, Change, Outcome, Refusal},
        claim::{Claim, Ended, Holder},
        op::Action,
        view::View as _,
    },
    store::Snapshot,
};
use std::time::{Duration, Instant};

/// What a sync came to.
#[derive(Debug, Clone, Default)]
pub struct Synced {
    /// How many operations of this clone the hub has taken.
    pub pushed: u64,
    /// How many operations of other clones came.
    pub received: u64,
    /// Claims of this clone that others were granted first.
    pub lost: Vec<(InstanceId, Ended)>,
    /// The newest operation of the store.
    pub tip: Option<crate::base::oid::Oid>,
    /// How often it was tried because others were quicker.
    pub tries: u32,
    /// How many runs of this clone the hub has taken, as they are now.
    pub runs_pushed: u64,
    /// How many runs of other clones are new, or have gone on.
    pub runs_received: u64,
    /// Runs of this clone that another one has taken over.
    pub overtaken: Vec<crate::base::id::RunId>,
    /// How many runs the hub has that can't be read, or not as such. They are left there.
    pub odd_runs: u64,
    /// Why the hub takes no runs, where it doesn't.
    pub runs_refused: Option<String>,
}

/// What a sync is doing, for progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Another sync of this clone is waited for.
    Waiting,
    /// Fetching from the hub.
    Fetching,
    /// Pushing so many operations.
    Pushing(u64),
    /// Others were quicker; trying again.
    Retrying(u32),
}

impl Session {
    /// Syncs with the hub: the one that the configuration names, or `remote`.
    ///
    /// # Errors
    /// [`Error::NotConfirmed`] when the hub can't be reached or doesn't take what we have; what was done locally stays
    /// as it is.
    pub fn sync(&self, remote: Option<&str>, progress: &mut dyn FnMut(Phase)) -> Result<Synced, Error> {
        let deadline = Instant::now() + self.settings.sync_timeout;
        let hub = self.hub_named(remote)?;
        let mut exchange = self.exchange(hub, deadline, progress)?;
        let result = exchange.run(None);
        exchange.finish(result).map(|(synced, _)| synced)
    }

    /// As [`perform`](Self::perform), but what the hub doesn't confirm has not happened: it is decided on what the hub
    /// has, and pushed before anything is written here. Without a hub the same as that.
    ///
    /// # Errors
    /// As for [`perform`](Self::perform) and [`sync`](Self::sync).
    pub(super) fn perform_confirmed(
        &self,
        by: Option<&InstanceId>,
        mut plan: impl FnMut(&Snapshot<'_>) -> Result<Option<Action>, Error>,
    ) -> Result<Applied, Error> {
        if self.hub_name().is_none() {
            return self.perform(by, plan);
        }
        let mut decided = self.confirm(by, &mut plan)?;
        if let (Err(Refusal::NotRegistered(Some(gone))), Some(by)) = (&decided, by)
            && gone == by
            && self.revive(by)?
        {
            decided = self.confirm(Some(by), &mut plan)?;
        }
        decided.map_err(Error::from_refusal)
    }

    /// Whether a change ends what another clone has, which only the hub may decide.
    pub(super) fn is_for_the_hub(&self, applied: &Applied, snapshot: &Snapshot<'_>) -> Result<bool, Error> {
        if self.hub_name().is_none() {
            return Ok(false);
        }
        let here = self.clone_id()?;
        for change in &applied.changes {
            let whose = match change {
                Change::DropInstance(id) | Change::PutEnded(id, _) => Some(id.clone()),
                Change::DropClaim(Claim { holder: Holder::Instance(id), .. }) => Some(id.clone()),
                Change::DropClaim(Claim { holder: Holder::Handoff(id), .. }) => {
                    snapshot.handoff(id)?.map(|handoff| handoff.from)
                }
                _ => None,
            };
            let whose = whose.map(|id| snapshot.instance(&id)).transpose()?.flatten();
            if whose.is_some_and(|whose| whose.clone != *here) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Has the hub decide. A refusal is an outcome.
    pub(super) fn confirm(
        &self,
        by: Option<&InstanceId>,
        plan: &mut dyn FnMut(&Snapshot<'_>) -> Result<Option<Action>, Error>,
    ) -> Result<Outcome, Error> {
        let deadline = Instant::now() + self.settings.sync_timeout;
        let mut unseen = |_| {};
        let mut exchange = self.exchange(self.hub_named(None)?, deadline, &mut unseen)?;
        let result = exchange.run(Some(exchange::Request { by, plan }));
        exchange.finish(result).map(|(_, outcome)| outcome)
    }
}

/// How long one who wants to sync waits for another who does: it may be waiting for a slow hub.
const PATIENCE: Duration = Duration::from_secs(60);
