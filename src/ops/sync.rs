//! Syncing: the operations of this clone and those of the others come into one order, the hub's.
//!
//! The hub is any git repository. Its own rule, that a push which is not forced only moves a ref forward, decides
//! between two clones: whoever is second fetches, does its operations again on what the first one pushed, and tries
//! again. Nobody is asked but the hub, and no clock.

mod exchange;
mod hub;

pub use hub::Standing;

use super::{Error, Session};
use crate::{base::id::InstanceId, model::claim::Ended};
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
}

/// How long one who wants to sync waits for another who does: it may be waiting for a slow hub.
const PATIENCE: Duration = Duration::from_secs(60);
