//! Work trees of our own, in which somebody works apart from everybody else.
//!
//! Each is made anew, outside of the repository, and locked. Its lock says whose it is, in git's own record, so that it
//! is known from the moment it is there and nothing of ours has to be kept beside it. It is removed by git or not at all.

use super::{ALONE, to_path};
use crate::{
    base::{
        oid::Oid,
        process::{Aliveness, ProcessMark},
        text::hex,
    },
    disk::Sharing,
    host::{
        git::{Git, GitError},
        process,
    },
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// What the reasons of our locks begin with.
const REASON: &str = "git-aio run ";

/// How long others are waited for who are making one. With a large repository it takes git some seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long between two looks whether they are done.
const PAUSE: Duration = Duration::from_millis(5);

/// Whose a work tree is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The run that works in it.
    pub run: String,
    /// The commit that it began with.
    pub base: Oid,
    /// The process that made it, where that is known.
    pub process: Option<ProcessMark>,
}

/// A work tree of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// Where it is.
    pub dir: PathBuf,
    /// Whose it is.
    pub owner: Owner,
}

/// The form of an owner in the reason of a lock.
#[derive(Serialize, Deserialize)]
struct Wire {
    run: String,
    base: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    process: Option<WireProcess>,
}

#[derive(Serialize, Deserialize)]
struct WireProcess {
    pid: u32,
    start: String,
    boot: String,
    namespace: String,
}

impl Owner {
    /// This process, for a run that begins with the commit `base`.
    pub fn of(run: &str, base: Oid) -> Owner {
        Owner { run: run.to_owned(), base, process: process::own_mark() }
    }

    /// Whether its process still runs.
    pub fn aliveness(&self) -> Aliveness {
        self.process.as_ref().map_or(Aliveness::Unknown, process::aliveness)
    }

    /// As the reason of a lock.
    pub(crate) fn reason(&self) -> String {
        let process = self.process.clone().map(|mark| {
            let ProcessMark { pid, start, boot, namespace } = mark;
            WireProcess { pid, start, boot, namespace }
        });
        let wire = Wire { run: self.run.clone(), base: self.base.to_string(), process };
        format!("{REASON}{}", serde_json::to_string(&wire).unwrap_or_default())
    }

    fn parse(reason: &str) -> Option<Owner> {
        let wire: Wire = serde_json::from_str(reason.strip_prefix(REASON)?).ok()?;
        let process = wire.process.map(|process| {
            let WireProcess { pid, start, boot, namespace } = process;
            ProcessMark { pid, start, boot, namespace }
        });
        Some(Owner { run: wire.run, base: wire.base.parse().ok()?, process })
    }
}

/// The right to make or remove a work tree, until dropped: several at once fall over each other in git's own files.
#[derive(Debug)]
#[must_use = "the lock ends when it is dropped"]
pub struct Making {
    /// `None` where files can't be locked.
    _file: Option<File>,
}

impl Making {
    /// Waits until nobody else makes or removes one in the repository whose shared git directory is `common_dir`. Where nothing can
    /// be locked it goes on without.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] where somebody takes too long.
    pub fn take(common_dir: &Path, sharing: Sharing) -> io::Result<Making> {
        let folder = common_dir.join("aio");
        let opened = sharing.make_folders(&folder).and_then(|()| {
            let file =
                OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("worktrees.lock"))?;
            sharing.share(&file).map(|()| file)
        });
        let Ok(file) = opened else { return Ok(Making { _file: None }) };
        let deadline = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Making { _file: Some(file) }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::TimedOut.into()),
                Err(TryLockError::Error(_)) => return Ok(Making { _file: None }),
            }
        }
    }
}

/// Why there is no place for a work tree, with what to do about it, in few words: it is told in one line.
#[derive(Debug, thiserror::Error)]
pub enum NoRoom {
    /// All folders that are known lie in the repository.
    #[error("set XDG_CACHE_HOME to a folder outside of the repository")]
    Nowhere,
    /// This should be a folder.
    #[error("{} is no folder; set XDG_CACHE_HOME to one outside of the repository", .0.display())]
    NoFolder(PathBuf),
    /// The folder can't be made.
    #[error("set XDG_CACHE_HOME to a folder in which you may write; {} can't be made: {source}", .folder.display())]
    Other {
        /// The folder that is wanted.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl NoRoom {
    fn at(folder: &Path, source: io::Error) -> NoRoom {
        let there = folder.ancestors().find(|path| path.symlink_metadata().is_ok());
        match there.filter(|path| !path.is_dir()) {
            Some(blocked) => NoRoom::NoFolder(blocked.to_owned()),
            None => NoRoom::Other { folder: folder.to_owned(), source },
        }
    }
}

/// Where a work tree for the repository goes: in the user's `cache`, or among temporary files where that lies within
/// `work_tree` or there is none. `random` keeps it apart from all others. The folder above it is made.
///
/// # Errors
/// When that can't be made.
pub fn place(
    cache: Option<&Path>,
    common_dir: &Path,
    work_tree: &Path,
    run: &str,
    random: [u8; 4],
) -> Result<PathBuf, NoRoom> {
    let outside = |dir: &PathBuf| !dir.starts_with(work_tree) && !dir.starts_with(common_dir);
    let homes = [cache.map(Path::to_owned), Some(std::env::temp_dir())];
    let home = homes.into_iter().flatten().find(outside);
    let home = home.ok_or(NoRoom::Nowhere)?;
    let above = home.join("git-aio").join("worktrees").join(name_of(common_dir));
    let real =
        make_private(&above).and_then(|()| fs::canonicalize(&above)).map_err(|source| NoRoom::at(&above, source))?;
    // git names its record of the work tree after the folder, too.
    let name: String = run.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
    Ok(real.join(format!("{name}-{}", hex(&random))))
}

/// What tells the repository whose shared git directory is `common_dir` from all others on this machine, in a word. Its
/// copies have the same id of a clone, and another word.
pub fn name_of(common_dir: &Path) -> String {
    hex(&Sha256::digest(common_dir.as_os_str().as_encoded_bytes())[..6])
}

/// Makes folders that only their owner may enter.
fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

impl Git {
    /// Makes a work tree of ours, with its base checked out and on no branch.
    ///
    /// # Errors
    /// When git can't make it.
    pub fn add_work_tree(&self, owned: &Owned) -> Result<(), GitError> {
        let (reason, base) = (owned.owner.reason(), owned.owner.base.as_str());
        let options = ["worktree", "add", "--quiet", "--detach", "--lock", "--reason", &reason];
        let words = ALONE.iter().chain(&options).map(OsStr::new);
        self.run(words.chain([owned.dir.as_os_str(), OsStr::new(base)])).map(drop)
    }

    /// The work trees of ours, whoever made them.
    ///
    /// # Errors
    /// When git can't be asked.
    pub fn owned_work_trees(&self) -> Result<Vec<Owned>, GitError> {
        let out = self.run(["worktree", "list", "--porcelain", "-z"])?;
        let (mut owned, mut dir) = (Vec::new(), None);
        for line in out.split(|byte| *byte == 0) {
            if let Some(path) = line.strip_prefix(b"worktree ") {
                dir = to_path(path).map(Path::to_owned);
            } else if let Some(reason) = line.strip_prefix(b"locked ")
                && let Some(owner) = Owner::parse(&String::from_utf8_lossy(reason))
                && let Some(dir) = dir.take()
            {
                owned.push(Owned { dir, owner });
            }
        }
        Ok(owned)
    }

    /// Removes a work tree of ours, with whatever is in it. Where git refuses, it stays, locked as it was.
    ///
    /// # Errors
    /// When git refuses.
    pub fn remove_work_tree(&self, owned: &Owned) -> Result<(), GitError> {
        let git = |words: &[&str]| self.run(words.iter().map(OsStr::new).chain([owned.dir.as_os_str()])).map(drop);
        git(&["worktree", "unlock"])?;
        git(&["worktree", "remove", "--force"]).inspect_err(|_| {
            let _ = git(&["worktree", "lock", "--reason", &owned.owner.reason()]);
        })?;
        // The last one takes the folder of the repository with it.
        let _ = owned.dir.parent().map(fs::remove_dir);
        Ok(())
    }
}
