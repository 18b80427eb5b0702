//! The lock of a ref as git knows it: `<ref>.lock`, which becomes the ref when it is renamed.
//!
//! The new value is first written to a file of our own, and the lock is made as a second name for that file. So a lock
//! of ours holds its value from the moment it is there, and what a killed writer left can be told from what anybody
//! else did: nobody else's lock, which is empty at first, ever holds the value that a writer of ours has noted.

use super::{Repository, WriteStep};
use crate::{
    base::oid::Oid,
    disk::{self, Sharing},
};
use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

/// How long a lock that somebody else holds is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a lock of ours has to have been there to be taken for one that was left behind. A writer renames its lock
/// within a few milliseconds.
const OLD: Duration = Duration::from_millis(500);

/// The longest wait between two looks at it.
const LONGEST_PAUSE: Duration = Duration::from_millis(32);

/// The largest file that is read here, in bytes: a lock or a note holds an object name.
pub(super) const MAX_VALUE: usize = 1024;

/// A ref that is locked, its new value written. Dropped without [`commit`](Self::commit), it is as it was.
pub(super) struct RefLock {
    target: PathBuf,
    lock: PathBuf,
    /// What the lock holds if it is ours.
    value: Vec<u8>,
    /// Whether the lock is there still.
    held: bool,
    _note: Option<Note>,
}

/// Why there is no lock.
pub(super) enum LockError {
    /// Somebody else has it.
    Busy {
        lock: PathBuf,
        /// How long the file has been there.
        age: Duration,
    },
    Io(io::Error),
}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> Self {
        LockError::Io(error)
    }
}

impl RefLock {
    /// Locks the ref whose file is `target`, which is to hold `value`.
    ///
    /// With a `note`, by the name of its file, a lock that a killed writer of ours left is taken away first. Without one
    /// there is no telling whether that writer is gone, so then nothing is noted and nothing taken away.
    pub(super) fn acquire(
        repository: &Repository,
        target: PathBuf,
        note: Option<&str>,
        value: &Oid,
        durable: bool,
        observe: &dyn Fn(WriteStep),
    ) -> Result<Self, LockError> {
        let text = format!("{value}\n");
        let lock = lock_path(&target);
        let sharing = repository.sharing;
        let note = note.map(|note| Note::replace(repository, note, &lock, &text, durable)).transpose()?.flatten();
        observe(WriteStep::ValueNoted);
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(1);
        loop {
            let made = match &note {
                Some(note) => note.link(&lock, &text).or_else(|error| match error.kind() {
                    ErrorKind::AlreadyExists => Err(error),
                    ErrorKind::NotFound if note.says(&text) => Err(error),
                    // A file system that gives a file no second name, or a note that another writer has replaced.
                    _ => write_new(&lock, &text, durable, sharing),
                }),
                None => write_new(&lock, &text, durable, sharing),
            };
            match made {
                Ok(()) => return Ok(RefLock { target, lock, value: text.into_bytes(), held: true, _note: note }),
                // git removes folders of refs as they become empty.
                Err(error) if error.kind() == ErrorKind::NotFound && Instant::now() < deadline => {
                    lock.parent().map_or(Ok(()), |folder| sharing.make_folders(folder))?;
                }
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
                Err(_) if Instant::now() >= deadline => {
                    let age = age(&lock);
                    return Err(LockError::Busy { lock, age });
                }
                Err(_) => {
                    thread::sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Makes the new value the ref's. The note of it goes when this is dropped.
    pub(super) fn commit(&mut self) -> io::Result<()> {
        match disk::read(&self.lock, MAX_VALUE) {
            Ok(held) if held == self.value => {}
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            // Two who both believed it was their turn: the lock is now the other's, or was.
            _ => {
                self.held = false;
                return Err(io::Error::new(ErrorKind::AlreadyExists, "the lock of the ref was taken away"));
            }
        }
        match fs::rename(&self.lock, &self.target) {
            // A failed git command may leave a folder of that name; git removes it if it is empty, too.
            Err(error) if error.kind() == ErrorKind::IsADirectory => {
                remove_empty_folders(&self.target)?;
                fs::rename(&self.lock, &self.target)?;
            }
            renamed => renamed?,
        }
        self.held = false;
        Ok(())
    }
}

impl Drop for RefLock {
    fn drop(&mut self) {
        if self.held {
            let _ = fs::remove_file(&self.lock);
        }
    }
}

/// The value that somebody is about to lock a ref for, who is alone with it: whoever has the turn, or the driver of a run.
struct Note(PathBuf);

impl Note {
    /// Takes the place of the note of a writer that was killed, and of the lock that it may have left.
    ///
    /// Proof that the lock is that writer's: it holds the noted value, a name that is random to the bit. Proof that the
    /// writer is gone: whoever writes a note is alone, and now we are. Where file locks are granted and mean
    /// nothing (a folder mounted by two machines) that proves nothing, so the lock has to be older than any writer
    /// needs, and a writer looks once more before the rename whether the lock is still its own. There another writer's
    /// note may stand in the way of ours: then there is none.
    fn replace(
        repository: &Repository,
        name: &str,
        lock: &Path,
        text: &str,
        durable: bool,
    ) -> io::Result<Option<Note>> {
        let folder = repository.common_dir.join("aio");
        repository.sharing.make_folders(&folder)?;
        let path = folder.join(name);
        let noted = disk::read(&path, MAX_VALUE);
        if let Ok(noted) = &noted {
            loop {
                let missing = OLD.saturating_sub(age(lock));
                let is_its = !noted.is_empty() && disk::read(lock, MAX_VALUE).is_ok_and(|held| held == *noted);
                if is_its && missing.is_zero() {
                    let _ = fs::remove_file(lock);
                }
                if !is_its || missing.is_zero() {
                    break;
                }
                thread::sleep(missing.min(LONGEST_PAUSE));
            }
        }
        // Never written over: it may be a second name of what is now the ref.
        if !noted.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        match write_new(&path, text, durable, repository.sharing) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
            written => written.map(|()| Some(Note(path))),
        }
    }

    /// Makes the lock as a second name for this note, if it is still this one: the lock holds `text`.
    fn link(&self, lock: &Path, text: &str) -> io::Result<()> {
        fs::hard_link(&self.0, lock)?;
        if disk::read(lock, MAX_VALUE)? == text.as_bytes() {
            return Ok(());
        }
        // Nobody waits behind a lock that no writer knows to be its own.
        fs::remove_file(lock)?;
        Err(ErrorKind::InvalidData.into())
    }

    fn says(&self, text: &str) -> bool {
        disk::read(&self.0, MAX_VALUE).is_ok_and(|noted| noted == text.as_bytes())
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Removes a folder in which there is nothing but folders.
fn remove_empty_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_empty_folders(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

fn write_new(path: &Path, text: &str, durable: bool, sharing: Sharing) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = sharing.share(&file).and_then(|()| file.write_all(text.as_bytes()));
    let written = written.and_then(|()| if durable { file.sync_all() } else { Ok(()) });
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".lock");
    name.into()
}

fn age(path: &Path) -> Duration {
    let modified = fs::metadata(path).and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    modified.elapsed().unwrap_or_default()
}
