//! Objects that are written ahead of the ref that is to lead to them: those of operations that come one on top of the
//! other, of which only the last becomes a tip. They wait for the disk together and once, and what tidies up beside us
//! may take them for garbage until the ref has moved.

use super::{Durability, Repository, error::StoreError, objects::Batch};

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
    pub(super) fn restore_missing(&self) -> Result<bool, StoreError> {
        self.batch.restore_missing(self.durability == Durability::Synced)
    }

    /// A ref leads to them now.
    pub(super) fn clear(&mut self) {
        self.batch.clear();
        (self.bytes, self.durable) = (0, 0);
    }
}
