//! The folders of a work tree that are watched: all but those that git ignores, those that are git's, and those of other
//! repositories.

use super::{WatchError, place};
use crate::{
    base::path::RepoPath,
    host::git::{Git, GitError},
};
use notify::{ErrorKind, RecursiveMode};
use std::{
    collections::{BTreeSet, HashSet},
    ffi::OsString,
    path::PathBuf,
};

/// Whether the system watches a whole tree as one.
const WHOLE: bool = cfg!(any(target_os = "macos", windows));

/// Whether a folder is to be watched.
type Wanted = dyn Fn(&RepoPath) -> bool + Send;

/// The folders that are watched.
pub(super) struct Folders<W> {
    watcher: W,
    root: PathBuf,
    git: Git,
    wanted: Box<Wanted>,
    known: BTreeSet<RepoPath>,
    /// Whether all have been watched once.
    is_begun: bool,
}

impl<W: notify::Watcher> Folders<W> {
    /// None yet, of the work tree at `root`.
    pub(super) fn new(watcher: W, root: PathBuf, git: Git, wanted: Box<Wanted>) -> Folders<W> {
        Folders { watcher, root, git, wanted, known: BTreeSet::new(), is_begun: false }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether this one is watched.
    pub(super) fn has(&self, folder: &RepoPath) -> bool {
        self.known.contains(folder)
    }

    /// Watches all that are not.
    pub(super) fn add_all(&mut self) -> Result<(), WatchError> {
        self.add(&RepoPath::root())?;
        self.is_begun = true;
        Ok(())
    }

    /// Watches a folder and all below it that are to be, and tells what files are in them.
    pub(super) fn add(&mut self, folder: &RepoPath) -> Result<Vec<RepoPath>, WatchError> {
        let (mut files, mut level) = (Vec::new(), vec![folder.clone()]);
        // A level at a time, so that git is asked once for each.
        while !level.is_empty() {
            level.retain(|folder| folder.is_root() || (self.wanted)(folder));
            let wanted: Vec<&RepoPath> = level.iter().filter(|folder| !folder.is_root()).collect();
            let ignored = match ignored(&self.git, &wanted) {
                // Rather too much is watched than too little, till git can tell it again.
                Err(_) if self.is_begun => HashSet::new(),
                answer => answer?,
            };
            level.retain(|folder| !ignored.contains(folder.as_bytes()) && !self.is_another_repository(folder));
            let mut next = Vec::new();
            for (done, folder) in level.iter().enumerate() {
                self.watch(folder).map_err(|error| match error.kind {
                    ErrorKind::MaxFilesWatch => WatchError::TooMany(level.len() - done + next.len()),
                    _ => WatchError::Failed(error.to_string()),
                })?;
                let Some(path) = self.path(folder) else { continue };
                // One that has gone meanwhile has nothing in it.
                for entry in path.read_dir().into_iter().flatten().flatten() {
                    let Some(place) = place(&self.root, &entry.path()) else { continue };
                    let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                    if is_folder { next.push(place) } else { files.push(place) }
                }
            }
            level = next;
        }
        Ok(files)
    }

    /// What is gone, or no folder any more, is watched no longer, nor is what was below it.
    pub(super) fn forget(&mut self, gone: &RepoPath) {
        if !self.known.contains(gone) {
            return;
        }
        let below: Vec<RepoPath> = self.known.iter().filter(|folder| folder.is_within(gone)).cloned().collect();
        for folder in below {
            self.known.remove(&folder);
            if let (false, Some(path)) = (WHOLE, self.path(&folder)) {
                let _ = self.watcher.unwatch(&path);
            }
        }
    }

    fn watch(&mut self, folder: &RepoPath) -> notify::Result<()> {
        if !self.known.insert(folder.clone()) || (WHOLE && !folder.is_root()) {
            return Ok(());
        }
        let Some(path) = self.path(folder) else { return Ok(()) };
        let mode = if WHOLE { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
        match self.watcher.watch(&path, mode) {
            // It was there a moment ago.
            Err(_) if !path.is_dir() => {
                self.known.remove(folder);
                Ok(())
            }
            watched => watched,
        }
    }

    fn is_another_repository(&self, folder: &RepoPath) -> bool {
        !folder.is_root() && self.path(folder).is_some_and(|path| path.join(".git").symlink_metadata().is_ok())
    }

    fn path(&self, folder: &RepoPath) -> Option<PathBuf> {
        folder.to_os().map(|inner| if folder.is_root() { self.root.clone() } else { self.root.join(inner) })
    }
}

/// Which of these paths git ignores. What git knows as a file of another repository is ignored, too.
///
/// # Errors
/// When git can't tell it of any path, such as where its index is damaged.
pub(super) fn ignored(git: &Git, paths: &[&RepoPath]) -> Result<HashSet<Vec<u8>>, GitError> {
    if paths.is_empty() {
        return Ok(HashSet::new());
    }
    match asked(git, paths) {
        Err(error) if error.code() == Some(128) => {
            // Where it fails without any path as well, it is none of them.
            asked(git, &[])?;
            by_halves(git, paths)
        }
        answer => answer,
    }
}

/// The same where git fails because of some of them: they lie in a submodule, or behind a link.
fn by_halves(git: &Git, paths: &[&RepoPath]) -> Result<HashSet<Vec<u8>>, GitError> {
    let (first, second) = match paths {
        [] => return Ok(HashSet::new()),
        [one] => return Ok(HashSet::from([one.as_bytes().to_vec()])),
        paths => paths.split_at(paths.len() / 2),
    };
    let mut all = HashSet::new();
    for half in [first, second] {
        match asked(git, half) {
            Err(error) if error.code() == Some(128) => all.extend(by_halves(git, half)?),
            answer => all.extend(answer?),
        }
    }
    Ok(all)
}

fn asked(git: &Git, paths: &[&RepoPath]) -> Result<HashSet<Vec<u8>>, GitError> {
    let args: Vec<OsString> = ["check-ignore", "-z", "--stdin"].map(OsString::from).to_vec();
    let list: Vec<u8> = paths.iter().flat_map(|path| [b"./", path.as_bytes(), b"\0"].concat()).collect();
    match git.fed(&args, &list) {
        Ok(out) => {
            Ok(out.split(|byte| *byte == 0).filter_map(|path| path.strip_prefix(b"./")).map(<[u8]>::to_vec).collect())
        }
        Err(error) if error.code() == Some(1) => Ok(HashSet::new()),
        Err(error) => Err(error),
    }
}
