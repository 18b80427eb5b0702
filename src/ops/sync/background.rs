//! The sync that follows a write by itself: a process that a command leaves behind, and that ends when the hub has
//! all of it. At most one of a clone at a time, so that a burst of writes is one push; what it fails at is remembered,
//! and told by `status` and `doctor`.

use super::hub::HubName;
use crate::{
    host::background,
    ops::{Confirm, Error, Session},
};
use chrono::TimeDelta;
use std::{
    fs::{File, OpenOptions, TryLockError},
    thread,
    time::{Duration, Instant},
};

/// How long a burst of writes is given to come together.
const BURST: Duration = Duration::from_millis(100);

/// What the process we start must not take for its own. Were it marked as the work of an agent or of a check in which
/// something was written, it would be ended with that.
const NOT_INHERITED: &[&str] =
    &["AIO_INSTANCE", "AIO_RUN", "AIO_CHECK", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX"];

impl Session {
    /// After a write: starts a sync, unless there is one, or none is wanted.
    pub(in crate::ops) fn sync_soon(&self) {
        let wanted = self.settings.background_sync && self.settings.confirm != Confirm::Local;
        // One that has just been started has not looked yet at what there is to send.
        let just_started = || self.sync_started.get().is_some_and(|at| at.elapsed() < BURST / 2);
        let Some(name) = self.hub_name().filter(|_| wanted && !just_started()) else { return };
        // After a failure the next one waits as long as after a success: a hub that is gone is not asked all the time.
        let failed = self.memory_file(&name).read().failure;
        if failed.is_some_and(|failure| self.is_within_interval(failure.at)) || self.background_lock().is_none() {
            return;
        }
        // That it can't be started is no reason to fail: the next command will, or the user's own sync.
        let _ = background::start(self.repository.common_dir(), ["sync", "--background"], NOT_INHERITED);
        self.sync_started.set(Some(Instant::now()));
    }

    /// After a sign of life: starts a sync where the hub is due to be told who is here.
    pub(in crate::ops) fn tell_presence_soon(&self) {
        let wanted = self.settings.background_sync && self.settings.confirm != Confirm::Local;
        let Some(name) = self.hub_name().filter(|_| wanted) else { return };
        if self.is_presence_due(self.memory_file(&name).read().told.as_ref()) {
            self.sync_soon();
        }
    }

    fn is_within_interval(&self, at: crate::base::world::Time) -> bool {
        let since = self.now().signed_duration_since(at);
        since >= TimeDelta::zero() && since < self.settings.sync_interval
    }

    /// Syncs until nothing is pending, alone; without a word.
    ///
    /// # Errors
    /// As for [`sync`](Self::sync).
    pub fn sync_in_background(&self) -> Result<(), Error> {
        let Some(name) = self.hub_name() else { return Ok(()) };
        let mut offered = Vec::new();
        // Whoever writes after we looked for the last time finds the lock free and starts the next one.
        while let Some(lock) = self.background_lock() {
            thread::sleep(self.time_to_next(&name).max(BURST));
            self.sync(None, &mut |_| {})?;
            drop(lock);
            // What the hub doesn't take is not offered to it again and again.
            let runs = self.unsent_runs(&name, &self.memory_file(&name).read())?;
            if self.pending(&name)? == 0 && (runs.is_empty() || runs == offered) {
                break;
            }
            offered = runs;
        }
        Ok(())
    }

    fn time_to_next(&self, name: &HubName) -> Duration {
        let Some(pushed) = self.memory_file(name).read().pushed else { return Duration::ZERO };
        let next = pushed + self.settings.sync_interval;
        let wait = next.signed_duration_since(self.now()).min(self.settings.sync_interval);
        wait.to_std().unwrap_or_default()
    }

    /// How many operations the hub has not been shown.
    pub(in crate::ops) fn pending(&self, name: &HubName) -> Result<u64, Error> {
        let snapshot = self.snapshot()?;
        let through = self.confirmed_through(name, &self.memory_file(name).read(), &snapshot);
        Ok(crate::model::view::View::seq(&snapshot).saturating_sub(through))
    }

    /// Whether a sync in the background is at work, or about to be.
    pub(in crate::ops) fn is_background_at_work(&self) -> bool {
        let lock = File::open(self.repository.common_dir().join("aio/background.lock"));
        lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
    }

    /// The lock of the background sync; `None` if there is one at work.
    fn background_lock(&self) -> Option<File> {
        let dir = self.repository.common_dir().join("aio");
        std::fs::create_dir_all(&dir).ok()?;
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).open(dir.join("background.lock")).ok()?;
        file.try_lock().ok().map(|()| file)
    }
}
