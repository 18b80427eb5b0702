//! Taking turns to write.
//!
//! An advisory lock that makes racing writers queue instead of retrying: without it 64 of them needed 6.75 tries an
//! operation, with it one. Where it can't be had (a file system without locks, a writer that hangs) the write goes on;
//! the compare-and-swap of the ref is what makes it safe.
//!
//! Whoever has the turn knows besides that no other writer of ours is at work. On that rests what is done about a lock
//! of the ref that a killed one left: see [`lock`](super::lock). Without the turn, such a lock is left alone.

use super::Repository;
use crate::{
    base::turn::Turns,
    disk::{self, Sharing},
};
use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
    sync::mpsc,
    thread,
    time::Duration,
};

/// How long a writer waits for its turn before it goes on without.
const DEADLINE: Duration = Duration::from_secs(2);

/// This process's turn, until dropped. The kernel ends it with the process, however that ends.
#[must_use = "the turn ends when it is dropped"]
pub struct Turn<'r> {
    repository: &'r Repository,
    lock: Option<File>,
}

impl Repository {
    /// Waits for this process's turn to write, at most two seconds.
    pub fn take_turn(&self) -> Turn<'_> {
        let mut turn = Turn { repository: self, lock: None };
        turn.insist();
        turn
    }
}

impl Turn<'_> {
    /// Waits once more, if the turn did not come. For one who went on without and found that others were quicker: the
    /// queue moves, and in it he is served, while outside of it he may be overtaken for ever.
    pub fn insist(&mut self) {
        if self.lock.is_none() {
            let file = self.repository.common_dir.join("aio").join("lock");
            self.lock = match self.repository.turns {
                Turns::Taken => lock(&file, self.repository.sharing),
                Turns::Off => None,
                Turns::Lying => open(&file, self.repository.sharing),
            };
            self.repository.turn.set(self.lock.is_some());
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.repository.turn.set(false);
    }
}

fn open(path: &Path, sharing: Sharing) -> Option<File> {
    sharing.make_folders(path.parent()?).ok()?;
    let file = disk::open(path, OpenOptions::new().create(true).truncate(false).write(true)).ok()?;
    // It may be somebody else's, who has shared it already.
    let _ = sharing.share(&file);
    Some(file)
}

fn lock(path: &Path, sharing: Sharing) -> Option<File> {
    let file = open(path, sharing)?;
    match file.try_lock() {
        Ok(()) => return Some(file),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(_)) => return None,
    }
    // The kernel queues those who block, and polling would not; but a blocked call has no deadline, so a thread
    // blocks in our place, and is left behind when the deadline passes.
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let locked = file.lock().is_ok().then_some(file);
        let _ = send.send(locked);
    });
    receive.recv_timeout(DEADLINE).ok().flatten()
}
