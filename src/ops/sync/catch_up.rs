//! Learning what the hub has without giving it anything, for a fence that can't wait long.

use super::exchange::Exchange;
use crate::{
    model::apply::{Applied, Outcome},
    ops::{Error, Session},
};
use std::time::{Duration, Instant};

/// How long the hub is waited for at most.
const PATIENCE: Duration = Duration::from_secs(5);

impl Session {
    /// Brings this clone up to what the hub has, where there is one. What is pending stays so, on top of that.
    ///
    /// # Errors
    /// As for [`sync`](Self::sync).
    pub(in crate::ops) fn catch_up(&self) -> Result<(), Error> {
        let Some(name) = self.hub_name() else { return Ok(()) };
        let deadline = Instant::now() + PATIENCE.min(self.settings.sync_timeout);
        let mut unseen = |_| {};
        let mut exchange = self.exchange(name, deadline, &mut unseen)?;
        let result = exchange.take_in();
        exchange.finish(result).map(drop)
    }
}

impl Exchange<'_> {
    fn take_in(&mut self) -> Result<Outcome, Error> {
        let theirs = self.fetch()?;
        self.settle(theirs.as_ref())?;
        Ok(Ok(Applied::default()))
    }
}
