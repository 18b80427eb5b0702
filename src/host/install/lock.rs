//! One at a time: whoever puts fences up, back or takes them down looks first and writes later, and in between nobody
//! else may.
//!
//! An advisory lock on `init.lock` in the folder of the record, which all worktrees share and the kernel ends with the
//! process. The file is there only while somebody works: an undo leaves nothing behind.

use super::{InstallError, Place, node::sweep};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How long the others are waited for. One of them needs a few dozen milliseconds, and git may be slow to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long between two looks whether the others are done.
const PAUSE: Duration = Duration::from_millis(5);

/// The right to change what a record is about, until dropped.
#[must_use = "the lock ends when it is dropped"]
pub(in crate::host) struct Lock {
    path: PathBuf,
    /// `None` where files can't be locked.
    held: Option<File>,
}

impl Lock {
    /// Waits until nobody else is changing anything.
    ///
    /// Where nothing can be written or locked it goes on without: then an [`apply`](super::apply) refuses what is no
    /// longer as it was planned.
    pub(in crate::host) fn take(place: &Place) -> Result<Lock, InstallError> {
        let path = place.own.join("init.lock");
        let deadline = Instant::now() + PATIENCE;
        loop {
            match try_take(&path) {
                Ok(Some(file)) => {
                    sweep(&place.own);
                    return Ok(Lock { path, held: Some(file) });
                }
                Ok(None) if Instant::now() < deadline => thread::sleep(PAUSE),
                Ok(None) => return Err(InstallError::Busy { lock: path }),
                Err(_) => return Ok(Lock { path, held: None }),
            }
        }
    }
}

/// The lock, or `None` while somebody else has it.
fn try_take(path: &Path) -> io::Result<Option<File>> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    let file = match OpenOptions::new().create(true).truncate(false).write(true).open(path) {
        // The last one took the folder away.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    match file.try_lock() {
        // Whoever had it has removed the file, and somebody may have locked a new one.
        Ok(()) if !is_at(&file, path) => Ok(None),
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |meta: fs::Metadata| (meta.dev(), meta.ino());
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(file), Ok(path)) => identity(file) == identity(path),
        _ => false,
    }
}

/// A file that is open keeps its name here.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.held.is_some() {
            // Before it is unlocked: then it is nobody else's.
            let _ = fs::remove_file(&self.path);
            // It stays if there is anything in it.
            let _ = self.path.parent().map(fs::remove_dir);
        }
    }
}
