//! Objects that are written ahead of the ref that is to lead to them: those of operations that come one on top of the
//! other, of which only the last becomes a tip. They wait for the disk together and once, and what tidies up beside us
//! may take them for garbage until the ref has moved.

use super::{Durability, Repository, error::StoreError, layout, objects::Batch, transaction::moved};
use crate::base::{
    oid::Oid,
    refs::{RefLogLine, RefStorage},
    world::Time,
};

/// How many bytes of objects are kept, so that they can be written again.
const KEPT: usize = 64 * 1024 * 1024;

/// Objects of ours to which no ref leads yet.
pub struct Ahead<'r> {
    batch: Batch<'r>,
    bytes: usize,
    /// How many of them are known to be on the disk.
    durable: usize,
    durability: Durability,
}

impl<'r> Ahead<'r> {
    /// None so far; what comes is made durable as `durability` says.
    pub fn new(repository: &'r Repository, durability: Durability) -> Self {
        Ahead { batch: Batch::new(repository), bytes: 0, durable: 0, durability }
    }

    /// Writes the objects of `batch`, without waiting for the disk.
    pub(super) fn write(&mut self, batch: Batch<'r>) -> Result<(), StoreError> {
        batch.write(false)?;
        self.bytes += batch.size();
        self.batch.append(batch);
        if self.bytes > KEPT {
            self.make_durable()?;
            self.clear();
        }
        Ok(())
    }

    /// Waits until all that was written is on the disk, where that is asked for.
    ///
    /// # Errors
    /// When the disk fails to take it.
    pub fn make_durable(&mut self) -> Result<(), StoreError> {
        if self.durability == Durability::Synced {
            self.batch.sync_from(self.durable)?;
        }
        self.durable = self.batch.len();
        Ok(())
    }

    /// Writes again what is gone; whether there was anything.
    fn restore_missing(&self) -> Result<bool, StoreError> {
        self.batch.restore_missing(self.durability == Durability::Synced)
    }

    /// Lets go of them: a ref leads to them now, or they are too many to be kept.
    fn clear(&mut self) {
        self.batch.clear();
        (self.bytes, self.durable) = (0, 0);
    }
}

impl Repository {
    /// Moves `refs/aio/state` to `tip`, a commit that is there already, if it still is what was `expected`. What of it
    /// was written `ahead` is on the disk before, and there afterwards. Tells why it may not last, where it isn't as
    /// certain as was asked for.
    ///
    /// # Errors
    /// [`RefError::Moved`](crate::base::refs::RefError::Moved) when somebody else was first. In any case of failure it
    /// has not moved.
    pub fn adopt(
        &self,
        refs: &dyn RefStorage,
        expected: Option<&Oid>,
        tip: &Oid,
        why: &str,
        at: Time,
        ahead: &mut Ahead<'_>,
    ) -> Result<Vec<String>, StoreError> {
        let line = RefLogLine { who: self.committer(), seconds: at.timestamp(), message: why.to_owned() };
        ahead.make_durable()?;
        let doubts = moved(|| ahead.restore_missing(), || refs.compare_and_swap(layout::STATE, expected, tip, &line))?;
        ahead.clear();
        Ok(doubts)
    }
}
