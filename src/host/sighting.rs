//! What a work tree looked like at one moment: what differed from HEAD, and how.
//!
//! It is kept in `<git-common-dir>/aio/sightings`, one file for each instance, and replaced by the next: it serves to
//! tell afterwards what a command has changed.

use super::git::WorkStatus;
use crate::{
    base::{id::InstanceId, path::RepoPath},
    disk::{self, Sharing},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

const VERSION: u32 = 1;

/// The largest sighting that is kept and read, in bytes. A work tree with more changes than go in there is not watched.
const MAX_FILE: usize = 4 * 1024 * 1024;

/// What a work tree looked like.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    v: u32,
    /// What differed from HEAD, by path as in JSON, and the mark of the file that was there.
    dirty: BTreeMap<String, Option<Mark>>,
}

/// By what a file is known to be as it was: its size, and the nanoseconds of its last change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark(u64, u128);

impl Sighting {
    /// What the work tree at `root` looks like, of which git says this.
    pub fn of(root: &Path, status: WorkStatus) -> Sighting {
        let paths = status.dirty.iter().filter_map(|path| RepoPath::from_bytes(path).ok());
        let seen = |path: RepoPath| (path.encoded(), path.to_os().and_then(|path| Mark::of(&root.join(path))));
        Sighting { v: VERSION, dirty: paths.map(seen).collect() }
    }

    /// The paths that are not as they were `before`.
    pub fn changed_since(&self, before: &Sighting) -> Vec<RepoPath> {
        let paths = self.dirty.keys().chain(before.dirty.keys().filter(|path| !self.dirty.contains_key(*path)));
        let changed = paths.filter(|path| self.dirty.get(*path) != before.dirty.get(*path));
        changed.filter_map(|path| RepoPath::decode(path).ok()).collect()
    }

    /// Keeps it for `instance`, in place of the last.
    pub fn remember(&self, common_dir: &Path, sharing: Sharing, instance: &InstanceId) -> io::Result<()> {
        let path = file_of(common_dir, instance);
        let bytes = serde_json::to_vec(self)?;
        if bytes.len() > MAX_FILE {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "too much has changed in the work tree"));
        }
        let folder = path.parent().unwrap_or(common_dir);
        sharing.make_folders(folder)?;
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
        file.write_all(&bytes)?;
        sharing.share(file.as_file())?;
        file.persist(&path)?;
        Ok(())
    }

    /// What was kept last for `instance`; nothing where that can't be read.
    pub fn remembered(common_dir: &Path, instance: &InstanceId) -> Option<Sighting> {
        let bytes = disk::read(&file_of(common_dir, instance), MAX_FILE).ok()?;
        serde_json::from_slice(&bytes).ok().filter(|sighting: &Sighting| sighting.v == VERSION)
    }

    /// Forgets what was kept for `instance`.
    pub fn forget(common_dir: &Path, instance: &InstanceId) {
        let _ = std::fs::remove_file(file_of(common_dir, instance));
    }
}

impl Mark {
    fn of(path: &Path) -> Option<Mark> {
        let found = path.symlink_metadata().ok()?;
        let changed = found.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Some(Mark(found.len(), changed.as_nanos()))
    }
}

fn file_of(common_dir: &Path, instance: &InstanceId) -> PathBuf {
    common_dir.join("aio").join("sightings").join(instance.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_has_changed_since_is_told() {
        let root = tempfile::tempdir().expect("a folder");
        let status = |paths: &[&str]| WorkStatus {
            dirty: paths.iter().map(|path| path.as_bytes().to_owned()).collect(),
            ..WorkStatus::default()
        };
        let write = |name: &str, text: &str| fs::write(root.path().join(name), text).expect("written");
        write("same", "1");
        write("grows", "1");
        let before = Sighting::of(root.path(), status(&["same", "grows", "committed", "deleted"]));
        let id: InstanceId = "claude-1707084123-a3f2".parse().expect("an id");
        before.remember(root.path(), Sharing::Umask, &id).expect("kept");
        write("grows", "12");
        write("new", "");
        let after = Sighting::of(root.path(), status(&["same", "grows", "new", "deleted"]));
        let kept = Sighting::remembered(root.path(), &id).expect("there");
        assert_eq!(kept, before);
        let changed = after.changed_since(&kept);
        let names: Vec<_> = changed.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["grows", "new", "committed"]);
        Sighting::forget(root.path(), &id);
        assert_eq!(Sighting::remembered(root.path(), &id), None);
    }
}
