//! Objects that are made ahead of the ref that is to lead to them: those of operations that come one on top of the
//! other, of which only the last becomes a tip. They are written together, once they are needed: a push sends them, or a
//! ref is about to move. Before that nothing of them is there for a kill or a failure of power to leave behind. And what
//! tidies up beside us may take them for garbage until the ref has moved.

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
    /// How many of them are written.
    written: usize,
    durable: bool,
}

impl<'r> Ahead<'r> {
    /// None so far. Whether it waits for the disk when they are written is what `durability` says.
    pub fn new(repository: &'r Repository, durability: Durability) -> Self {
        Ahead { batch: Batch::new(repository), bytes: 0, written: 0, durable: durability == Durability::Synced }
    }

    /// Takes in the objects of `batch`.
    pub(super) fn take(&mut self, batch: Batch<'r>) -> Result<(), StoreError> {
        self.bytes += batch.size();
        self.batch.read_ahead(batch);
        if self.bytes > KEPT {
            self.write()?;
            self.clear();
        }
        Ok(())
    }

    /// Writes all that are not written yet.
    ///
    /// # Errors
    /// When the disk fails to take them.
    pub fn write(&mut self) -> Result<(), StoreError> {
        self.written = self.batch.write_from(self.written, self.durable)?;
        Ok(())
    }

    /// Lets go of them: a ref leads to them now, or they are too many to be kept.
    fn clear(&mut self) {
        self.batch.clear();
        (self.bytes, self.written) = (0, 0);
    }
}

impl Repository {
    /// Moves `refs/aio/state` to `tip`, a commit that is there already, if it still is what was `expected`. What of it
    /// was made `ahead` is on the disk before, and there afterwards. Tells why it may not last, where it isn't as
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
        ahead.write()?;
        let doubts = moved(
            || ahead.batch.restore_missing(ahead.durable),
            || refs.compare_and_swap(layout::STATE, expected, tip, &line),
        )?;
        ahead.clear();
        Ok(doubts)
    }
}
