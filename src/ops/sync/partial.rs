//! Partial clones. Our own fetches bring everything of ours, whatever the clone leaves out of the rest. A fetch that the
//! user typed doesn't, and git then takes for here what is only promised.

use super::exchange::{Exchange, unreached};
use crate::{ops::Error, store::StoreError};

impl Exchange<'_> {
    /// Fetches anew what the ref `tracking` needs and is not here.
    pub(super) fn complete(&self, tracking: &str) -> Result<(), Error> {
        let repository = &self.session.repository;
        let remotes = repository.settings("remote");
        if !remotes.iter().any(|(key, _)| key.to_ascii_lowercase().ends_with(".promisor")) {
            return Ok(());
        }
        let Some(tip) = self.session.refs().read(tracking).map_err(StoreError::from)? else { return Ok(()) };
        let known = self.memory.base.as_ref().is_some_and(|base| base.oid == tip.as_str());
        let whole = || repository.snapshot_at(tip.clone()).and_then(|snapshot| snapshot.check_whole());
        if known || whole().is_ok() { Ok(()) } else { self.hub.fetch_anew().map_err(unreached) }
    }
}
