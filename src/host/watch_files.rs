//! What changes in a work tree, as the system tells it.
//!
//! Every folder that git doesn't ignore is watched by itself where the system wants that, and all of the tree at once where
//! it does so better. What was heard of is gathered by a thread of its own till somebody asks for it, so that nothing is
//! missed while something else goes on; it is bounded, and where more came than can be kept, or the system itself has lost
//! something, that is told. What git ignores, what is git's own, and repositories inside of this one are no part of it.

mod folders;

use super::git::{Git, GitError};
use crate::{
    base::{
        path::RepoPath,
        world::{Clock, Time},
    },
    disk,
};
use folders::{Folders, ignored};
use notify::{
    EventKind, RecommendedWatcher,
    event::{ModifyKind, RenameMode},
};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

/// Most paths that are kept till somebody asks for them.
const MOST: usize = 20_000;

/// Most bytes of a file of which it is looked whether it has changed at all.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// After so many times the quiet that is waited for, changes are handed over though there was none.
const LONGEST: u32 = 20;

/// How often somebody who waits looks whether that is over.
const ASK: Duration = Duration::from_millis(20);

/// What has changed.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The files, each with when it was first and last heard of.
    pub paths: BTreeMap<RepoPath, Seen>,
    /// Whether there may be more: the system, or we, could not keep up.
    pub is_incomplete: bool,
    /// Why git could not tell what it ignores, where that is so: then what it ignores is among them.
    pub unsorted: Option<String>,
}

/// When a file was heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// First.
    pub first: Time,
    /// Last.
    pub last: Time,
    /// Whether it was made since it was heard of first.
    is_new: bool,
}

/// Why a work tree can't be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The system watches no more folders.
    #[error("the system watches no more than it does already: {0} folders of this work tree are left")]
    TooMany(usize),
    /// The work tree is gone.
    #[error("the work tree is gone")]
    Gone,
    /// git can't tell what it ignores.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// Watches a work tree as long as it lives.
pub struct Watcher {
    git: Git,
    root: PathBuf,
    heard: Arc<Heard>,
    tx: Sender<Told>,
    pump: Option<thread::JoinHandle<()>>,
    count: usize,
    /// What files that were told of were like then.
    like: Mutex<HashMap<RepoPath, Likeness>>,
}

/// What a file is like, so far as to know whether it has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    Gone,
    /// The digest of what is in it, or of where it leads.
    Holds([u8; 32]),
    /// It can't be read, or is too large for that.
    Unknown,
}

/// What the thread is told.
enum Told {
    Event(notify::Result<notify::Event>, Time),
    Over,
}

/// What was heard of, for whoever asks.
#[derive(Default)]
struct Heard {
    changes: Mutex<Pending>,
    more: Condvar,
}

#[derive(Default)]
struct Pending {
    changes: Changes,
    /// When something was heard of first, and last, since somebody took it.
    since: Option<(Instant, Instant)>,
}

impl Heard {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, path: RepoPath, at: Time, is_new: bool) {
        let mut pending = self.pending();
        if pending.changes.paths.len() >= MOST && !pending.changes.paths.contains_key(&path) {
            pending.changes.is_incomplete = true;
        } else {
            let seen = pending.changes.paths.entry(path).or_insert(Seen { first: at, last: at, is_new });
            seen.last = at;
        }
        self.note(pending);
    }

    fn lose(&self) {
        let mut pending = self.pending();
        pending.changes.is_incomplete = true;
        self.note(pending);
    }

    fn note(&self, mut pending: MutexGuard<'_, Pending>) {
        let now = Instant::now();
        let since = pending.since.map_or(now, |(since, _)| since);
        pending.since = Some((since, now));
        self.more.notify_all();
    }
}

impl Watcher {
    /// Begins to watch the work tree at `root`, in which `git` runs: the folders that are `wanted`, which is asked of a folder
    /// only where all above it are.
    ///
    /// # Errors
    /// When the system doesn't watch, or not as many folders as there are.
    pub fn begin(
        root: &Path,
        git: Git,
        clock: impl Clock + Send + 'static,
        wanted: impl Fn(&RepoPath) -> bool + Send + 'static,
    ) -> Result<Watcher, WatchError> {
        let root = root.canonicalize().map_err(|_| WatchError::Gone)?;
        let (tx, rx) = mpsc::channel();
        let teller = tx.clone();
        let inner = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.as_ref().map_or(true, is_meant) {
                drop(teller.send(Told::Event(event, clock.now())));
            }
        });
        let inner = inner.map_err(|error| WatchError::Failed(error.to_string()))?;
        let mut folders = Folders::new(inner, root.clone(), git.clone(), Box::new(wanted));
        folders.add_all()?;
        let count = folders.len();
        let heard: Arc<Heard> = Arc::default();
        let pump = Pump { folders, heard: Arc::clone(&heard), root: root.clone() };
        let pump = thread::Builder::new().name("watch-files".into()).spawn(move || pump.run(&rx));
        let pump = pump.map_err(|error: io::Error| WatchError::Failed(error.to_string()))?;
        Ok(Watcher { git, root, heard, tx, pump: Some(pump), count, like: Mutex::default() })
    }

    /// How many folders are watched at the beginning.
    pub fn folders(&self) -> usize {
        self.count
    }

    /// What has changed, once nothing was heard of for as long as `quiet`; without end it is not waited for that. `None` when
    /// it `is_over` before.
    ///
    /// # Errors
    /// When the work tree is gone.
    pub fn changes(&self, quiet: Duration, is_over: &dyn Fn() -> bool) -> Result<Option<Changes>, WatchError> {
        loop {
            let Some(changes) = self.raw(quiet, is_over)? else { return Ok(None) };
            let changes = self.without_noise(changes)?;
            if !changes.paths.is_empty() || changes.is_incomplete {
                return Ok(Some(changes));
            }
        }
    }

    fn raw(&self, quiet: Duration, is_over: &dyn Fn() -> bool) -> Result<Option<Changes>, WatchError> {
        let mut pending = self.heard.pending();
        loop {
            if is_over() {
                return Ok(None);
            }
            let is_ready = |(since, last): (Instant, Instant)| {
                last.elapsed() >= quiet || since.elapsed() >= quiet.saturating_mul(LONGEST)
            };
            if pending.since.is_some_and(is_ready) {
                return Ok(Some(std::mem::take(&mut *pending).changes));
            }
            if !self.root.is_dir() {
                return Err(WatchError::Gone);
            }
            let waited = self.heard.more.wait_timeout(pending, ASK);
            pending = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Without folders, without what came and went, without what git ignores, and without what was written anew as it was
    /// when it was told of last.
    fn without_noise(&self, mut changes: Changes) -> Result<Changes, WatchError> {
        changes.paths.retain(|path, seen| {
            let there = path.to_os().and_then(|path| self.root.join(path).symlink_metadata().ok());
            there.map_or(!seen.is_new, |meta| !meta.is_dir())
        });
        let paths: Vec<&RepoPath> = changes.paths.keys().collect();
        let ignored = match ignored(&self.git, &paths) {
            Ok(ignored) => ignored,
            Err(_) if !self.root.is_dir() => return Err(WatchError::Gone),
            Err(error) => {
                changes.unsorted = Some(error.to_string());
                HashSet::new()
            }
        };
        let mut like = self.like.lock().unwrap_or_else(PoisonError::into_inner);
        if like.len() > MOST {
            like.clear();
        }
        changes.paths.retain(|path, _| {
            let now = if ignored.contains(path.as_bytes()) { return false } else { self.likeness(path) };
            let before = like.insert(path.clone(), now);
            now == Likeness::Unknown || before != Some(now)
        });
        Ok(changes)
    }

    fn likeness(&self, path: &RepoPath) -> Likeness {
        let Some(path) = path.to_os().map(|path| self.root.join(path)) else { return Likeness::Unknown };
        let bytes = match path.symlink_metadata() {
            Ok(meta) if meta.is_symlink() => path.read_link().map(|to| to.as_os_str().as_encoded_bytes().to_vec()),
            Ok(_) => disk::read(&path, MOST_BYTES),
            Err(_) => return Likeness::Gone,
        };
        bytes.map_or(Likeness::Unknown, |bytes| Likeness::Holds(Sha256::digest(&bytes).into()))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.tx.send(Told::Over);
        if let Some(pump) = self.pump.take() {
            let _ = pump.join();
        }
    }
}

/// Whether something has changed by it: that a file is opened or read is nothing, nor when it was touched last.
fn is_meant(event: &notify::Event) -> bool {
    event.need_rescan() || !matches!(event.kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)))
}

/// Takes in what the system tells, and has new folders watched.
struct Pump<W = RecommendedWatcher> {
    folders: Folders<W>,
    heard: Arc<Heard>,
    root: PathBuf,
}

impl<W: notify::Watcher> Pump<W> {
    fn run(mut self, rx: &Receiver<Told>) {
        while let Ok(Told::Event(event, at)) = rx.recv() {
            match event {
                Ok(event) => self.take(&event, at),
                Err(_) => self.heard.lose(),
            }
        }
    }

    fn take(&mut self, event: &notify::Event, at: Time) {
        if event.need_rescan() {
            // What was made meanwhile is watched from now on, at least.
            let _ = self.folders.add_all();
            self.heard.lose();
        }
        let is_made = matches!(event.kind, EventKind::Create(_));
        let is_gone =
            matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)));
        for path in &event.paths {
            let Some(place) = place(&self.root, path) else { continue };
            let is_folder = path.symlink_metadata().is_ok_and(|meta| meta.is_dir());
            if is_gone || !is_folder {
                // There may be another of the same name by now.
                self.folders.forget(&place);
            }
            if !is_folder {
                self.heard.add(place, at, is_made);
            } else if !self.folders.has(&place) {
                // What is in it already may have been made before it was watched.
                match self.folders.add(&place) {
                    Ok(files) => files.into_iter().for_each(|file| self.heard.add(file, at, true)),
                    Err(_) => self.heard.lose(),
                }
            }
        }
    }
}

/// A path from the root of the work tree; `None` for what lies outside of it, for the root, and for what is git's own.
fn place(root: &Path, path: &Path) -> Option<RepoPath> {
    let parts: Vec<&[u8]> =
        path.strip_prefix(root).ok()?.components().map(|part| part.as_os_str().as_encoded_bytes()).collect();
    RepoPath::from_bytes(&parts.join(&b'/')).ok().filter(|path| !path.is_root())
}

#[cfg(all(test, unix))]
mod tests;
