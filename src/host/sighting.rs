//! What a work tree looked like at one moment: what differed from HEAD, and how.
//!
//! It is kept in `<git-common-dir>/aio/sightings`, one file for each instance, and replaced by the next: it serves to
//! tell afterwards what a command has changed.

use super::git::WorkStatus;
use crate::{
    base::{
        id::InstanceId,
        path::{RepoPath, encode},
    },
    disk::{self, Sharing},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

const VERSION: u32 = 2;

/// The largest sighting that is kept and read, in bytes. A work tree with more changes than go in there is not watched.
const MAX_FILE: usize = 4 * 1024 * 1024;

/// What a work tree looked like.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    v: u32,
    /// The root of the work tree, as in JSON: a repository may have several.
    root: String,
    /// The commit that was checked out.
    head: Option<String>,
    /// What differed from HEAD, by path as in JSON, and the mark of the file that was there.
    dirty: BTreeMap<String, Option<Mark>>,
    /// How many commands have begun since, and not ended.
    running: u32,
}

/// What is not as it was in a work tree.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What differs from HEAD now, and did not before, or in another way.
    pub dirty: Vec<RepoPath>,
    /// What differed from HEAD before and does not any more, though no commit was made that could have taken it in.
    pub restored: Vec<RepoPath>,
}

/// By what a file is known to be as it was: its size, and the nanoseconds of its last change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark(u64, u128);

impl Sighting {
    /// What the work tree at `root` looks like, of which git says this.
    pub fn of(root: &Path, status: &WorkStatus) -> Sighting {
        let paths = status.dirty.iter().filter_map(|path| RepoPath::from_bytes(path).ok());
        let seen = |path: RepoPath| (path.encoded(), path.to_os().and_then(|path| Mark::of(&root.join(path))));
        Sighting {
            v: VERSION,
            root: encode(root.as_os_str().as_encoded_bytes()),
            head: status.commit.as_ref().map(ToString::to_string),
            dirty: paths.map(seen).collect(),
            running: 0,
        }
    }

    /// What is not as it was `before`; nothing where that was another work tree.
    pub fn changes_since(&self, before: &Sighting) -> Changes {
        if self.root != before.root {
            return Changes::default();
        }
        let decoded = |path: &String| RepoPath::decode(path).ok();
        let dirty = self.dirty.iter().filter(|(path, mark)| before.dirty.get(*path) != Some(*mark));
        let restored = before.dirty.keys().filter(|path| self.head == before.head && !self.dirty.contains_key(*path));
        Changes {
            dirty: dirty.filter_map(|(path, _)| decoded(path)).collect(),
            restored: restored.filter_map(decoded).collect(),
        }
    }

    /// The same, where one more command runs.
    pub fn with_one_more_running(self) -> Sighting {
        Sighting { running: self.running.saturating_add(1), ..self }
    }

    /// The same, seen while all but one of the commands run on that ran `before`.
    pub fn with_one_fewer_running(self, before: &Sighting) -> Sighting {
        Sighting { running: before.running.saturating_sub(1), ..self }
    }

    /// Whether it is of the work tree at `root`, and a command runs that it was taken for: what that does must show in
    /// it, and not be taken in by another.
    pub fn is_in_use(&self, root: &Path) -> bool {
        self.running > 0 && self.root == encode(root.as_os_str().as_encoded_bytes())
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

    fn status(paths: &[&str]) -> WorkStatus {
        WorkStatus { dirty: paths.iter().map(|path| path.as_bytes().to_owned()).collect(), ..WorkStatus::default() }
    }

    fn names(paths: &[RepoPath]) -> Vec<String> {
        paths.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_has_changed_since_is_told() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| fs::write(root.path().join(name), text).expect("written");
        write("same", "1");
        write("grows", "1");
        let before = Sighting::of(root.path(), &status(&["same", "grows", "restored", "deleted"]));
        let id: InstanceId = "claude-1707084123-a3f2".parse().expect("an id");
        before.remember(root.path(), Sharing::Umask, &id).expect("kept");
        write("grows", "12");
        write("new", "");
        let dirty = status(&["same", "grows", "new", "deleted"]);
        let after = Sighting::of(root.path(), &dirty);
        let kept = Sighting::remembered(root.path(), &id).expect("there");
        assert_eq!(kept, before);
        let changes = after.changes_since(&kept);
        assert_eq!(
            (names(&changes.dirty), names(&changes.restored)),
            (vec!["grows".into(), "new".into()], vec!["restored".into()])
        );

        let commit = "e9ed8233abb7f80cf1c3d9766f42c620244c192f".parse().expect("an id");
        let committed = Sighting::of(root.path(), &WorkStatus { commit: Some(commit), ..dirty.clone() });
        assert_eq!(committed.changes_since(&kept).restored, [], "it may have been committed");
        let elsewhere = Sighting::of(&root.path().join("other"), &dirty);
        assert_eq!(elsewhere.changes_since(&kept), Changes::default(), "another work tree tells nothing of this one");
        Sighting::forget(root.path(), &id);
        assert_eq!(Sighting::remembered(root.path(), &id), None);
    }

    #[test]
    fn it_serves_all_commands_that_run_at_once() {
        let root = Path::new("/r");
        let first = Sighting::of(root, &status(&[])).with_one_more_running();
        assert!(first.is_in_use(root) && !first.is_in_use(Path::new("/other")));
        let both = first.with_one_more_running();
        let one = Sighting::of(root, &status(&["a"])).with_one_fewer_running(&both);
        assert!(one.is_in_use(root));
        assert!(!Sighting::of(root, &status(&["a"])).with_one_fewer_running(&one).is_in_use(root));
    }
}
