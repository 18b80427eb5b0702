//! What a hub may not do unnoticed: lose what it took, go back, or turn out to be another project's.

use super::Exchange;
use crate::{
    base::oid::Oid,
    host::hub::memory::{Base, MemoryFile},
    ops::Error,
    store::{Snapshot, StoreError, layout},
};

/// Why what the hub has is not followed.
#[derive(Debug)]
pub(in crate::ops::sync) enum Distrust {
    /// It lost something that it had taken.
    Lost(Error),
    /// What it has is no store of ours, or a damaged one.
    NoStore(Error),
    /// Anything else.
    Other(Error),
}

impl From<Distrust> for Error {
    fn from(distrust: Distrust) -> Error {
        match distrust {
            Distrust::Lost(error) | Distrust::NoStore(error) | Distrust::Other(error) => error,
        }
    }
}

impl From<Error> for Distrust {
    fn from(error: Error) -> Distrust {
        Distrust::Other(error)
    }
}

impl From<StoreError> for Distrust {
    fn from(error: StoreError) -> Distrust {
        Distrust::Other(error.into())
    }
}

impl Exchange<'_> {
    /// Makes sure that the hub still has all that it took: nothing protects these refs from a forced push.
    pub(in crate::ops::sync) fn trust(&self, theirs: Option<&Oid>) -> Result<(), Distrust> {
        let repository = &self.session.repository;
        let lost = |what: &str| {
            let hint =
                "find out who did that and why; `git aio sync --recover` gives the hub what it lost from this clone";
            let message = format!("the hub {} {what}", self.hub.name());
            Distrust::Lost(Error::NotConfirmed { message, hint: Some(hint.into()) })
        };
        let Some(theirs) = theirs else {
            return match (&self.memory.base, &self.memory.prefix) {
                (None, _) => Ok(()),
                (Some(_), Some(before)) if before != self.hub.prefix() => Err(self.moved(before)),
                (Some(_), _) => Err(lost("has lost the whole store that it had")),
            };
        };
        let base = self.memory.base.as_ref().and_then(Base::oid).filter(|oid| repository.chain_link(oid).is_ok());
        let snapshot = repository.snapshot_at(theirs.clone()).map_err(|error| self.unusable(error))?;
        snapshot.check_writable()?;
        if self.is_of_another_project(&snapshot)? {
            return Err(Distrust::Other(Error::not_allowed(
                format!("the store on the hub {} belongs to another project", self.hub.name()),
                "name the right hub with `git config aio.remote`",
            )));
        }
        let link = repository.chain_link(theirs).map_err(|error| self.unusable(error))?;
        if let Some(known) = &self.memory.base {
            if link.epoch < known.epoch || link.epoch == known.epoch && link.seq < known.seq {
                return Err(lost("has gone back behind what it had taken"));
            }
            let descends = |base: &Oid| repository.descends(theirs, base).unwrap_or(false);
            if link.epoch == known.epoch && base.as_ref().is_some_and(|base| !descends(base)) {
                return Err(lost("has another history than the one it had taken"));
            }
        }
        if let Some(known) = &self.memory.base
            && let Some(root) = repository.cut_after(theirs, known.epoch).map_err(|error| self.unusable(error))?
        {
            // Whoever cuts goes on counting, so that this one lets go of less than the hub had.
            if root.seq <= known.seq {
                return Err(lost("has gone back behind what it had taken"));
            }
            if (root.seq - known.seq).max(root.epoch - known.epoch) > layout::MOST_LEFT_OUT {
                let reason = format!("operation {} does not follow operation {}", root.seq, known.seq);
                return Err(self.unusable(StoreError::Tip(reason)));
            }
        }
        repository.check_chain(theirs, base.as_ref()).map_err(|error| self.unusable(error))
    }

    /// That there is no store where the setting says now, and that it was elsewhere `before`.
    fn moved(&self, before: &str) -> Distrust {
        let now = self.hub.prefix();
        let message = format!(
            "the hub {} has no store below {now}; when this clone last synced, aio.refPrefix was {before}",
            self.hub.name()
        );
        let hint = format!(
            "set it back with `git config aio.refPrefix {before}`; to move the store for all clones, push it there by `git push \
             {} {}:{now}/state` and set aio.refPrefix in each",
            self.hub.name(),
            layout::STATE
        );
        Distrust::Lost(Error::NotConfirmed { message, hint: Some(hint) })
    }

    /// Whether the hub's store is that of another project than ours. One that has never been synced is of none yet.
    fn is_of_another_project(&self, theirs: &Snapshot<'_>) -> Result<bool, Error> {
        if let Some(domain) = &self.memory.domain {
            return Ok(domain != theirs.domain());
        }
        let ours = self.session.snapshot()?;
        let differs = ours.exists() && ours.domain() != theirs.domain();
        let synced = || MemoryFile::domains(self.session.repository.common_dir());
        Ok(differs && synced().iter().any(|domain| domain == ours.domain()))
    }

    /// What is wrong with what the hub has. Nothing of it has been taken over.
    fn unusable(&self, error: StoreError) -> Distrust {
        let message = match error {
            StoreError::Tip(reason) => {
                format!("the hub {} has what is no store of git-aio's: {reason}", self.hub.name())
            }
            StoreError::Damaged { path, reason } => {
                format!("the store on the hub {} is damaged: {path}: {reason}", self.hub.name())
            }
            error => return error.into(),
        };
        let hint = "find out who pushed that and why; nothing of it was taken over";
        Distrust::NoStore(Error::NotConfirmed { message, hint: Some(hint.into()) })
    }
}
