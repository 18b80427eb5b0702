//! How far the fence at the edit reaches: every repository with a store, from wherever it is written to.

use crate::{
    base::path::RepoPath,
    host::env::AgentSession,
    ops::{Error, OpenError, Session, Settings, agent::Found},
    store::{Repository, layout},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Most links of one chain that are followed: as many as Linux does.
const MAX_LINKS: usize = 40;

impl Session {
    /// The repository around `dir`, worked in by `caller`.
    ///
    /// Whether there is a store is looked for first. One that never asked for us is none of our business, whatever is
    /// wrong with it.
    pub(super) fn with_store(caller: &AgentSession, dir: &Path, acting_as: Option<String>) -> Result<Found, Error> {
        let mut bad = Vec::new();
        let lenient = |repository: &Repository| {
            let (settings, found) = Settings::read_what_can_be(repository);
            bad = found;
            Ok(settings)
        };
        let session = match Self::of_agent(Some(caller.clone()), dir, acting_as, lenient) {
            Err(Error::Open(OpenError::NotFound(_))) => return Ok(Found::Nothing),
            Err(Error::Open(_)) if !shows_store(dir) => return Ok(Found::Nothing),
            opened => opened?,
        };
        if !session.snapshot()?.exists() {
            return Ok(if session.is_store_gone()? { Found::Gone } else { Found::Nothing });
        }
        bad.into_iter().next().map_or_else(|| Ok(Found::Store(Box::new(session))), |bad| Err(bad.into()))
    }

    /// The repository with a store that `file` lies in, and its path there; `None` if nobody's claims are about it.
    pub(super) fn around(&self, file: &Path) -> Result<Option<(Self, RepoPath)>, Error> {
        let (Some(folder), Some(caller)) = (folder_of(file), &self.caller) else { return Ok(None) };
        let Found::Store(mut other) = Self::with_store(caller, folder, self.acting_as.clone())? else {
            return Ok(None);
        };
        other.heed_instance(true)?;
        match other.repo_path(file) {
            Ok(path) => Ok(Some((*other, path))),
            Err(_) if other.is_gits_own(file, folder) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether a file, in the existing `folder` or below it, is git's and not the user's: no commit will have it.
    fn is_gits_own(&self, file: &Path, folder: &Path) -> bool {
        let (Ok(real), Ok(rest)) = (fs::canonicalize(folder), file.strip_prefix(folder)) else { return false };
        let real = real.join(rest);
        let inside = self.repository.work_tree().and_then(|root| real.strip_prefix(root).ok().map(Path::to_owned));
        match inside {
            Some(inside) => inside.iter().any(|name| name.eq_ignore_ascii_case(".git")),
            None => {
                let git_dir = fs::canonicalize(self.repository.git_dir());
                real.starts_with(self.repository.common_dir()) || git_dir.is_ok_and(|dir| real.starts_with(dir))
            }
        }
    }
}

/// The innermost folder above `file` that exists.
pub(super) fn folder_of(file: &Path) -> Option<&Path> {
    file.ancestors().skip(1).find(|above| above.is_dir())
}

/// A file as it was named, and what it is a link to, link after link: whoever writes to the first writes to the last,
/// whether that is there yet or not.
pub(super) fn written_through(file: PathBuf) -> Vec<PathBuf> {
    let mut written = vec![file];
    while let Some(last) = written.last().filter(|_| written.len() <= MAX_LINKS) {
        let (Ok(target), Some(folder)) = (fs::read_link(last), last.parent()) else { break };
        written.push(folder.join(target));
    }
    written
}

/// Whether the files of a repository around `dir`, which can't be opened, show that it has a store or had one.
fn shows_store(dir: &Path) -> bool {
    let Some(git_dir) = dir.ancestors().find_map(git_dir_at) else { return false };
    let told = fs::read_to_string(git_dir.join("commondir"));
    let common_dir = told.map_or_else(|_| git_dir.clone(), |told| git_dir.join(told.trim_end()));
    let is_packed = || {
        let packed = fs::read_to_string(common_dir.join("packed-refs")).unwrap_or_default();
        packed.lines().any(|line| line.split(' ').nth(1) == Some(layout::STATE))
    };
    common_dir.join(layout::STATE).exists() || common_dir.join("aio").exists() || is_packed()
}

/// The git directory of the repository with its root at `folder`, or the folder itself if it is one.
fn git_dir_at(folder: &Path) -> Option<PathBuf> {
    let named = folder.join(".git");
    let told = fs::read_to_string(&named).ok();
    let linked = told.as_deref().and_then(|told| told.strip_prefix("gitdir:")).map(|at| folder.join(at.trim()));
    let is_one = |dir: &PathBuf| dir.join("HEAD").symlink_metadata().is_ok();
    let bare = || Some(folder.to_owned()).filter(|dir| dir.join("objects").is_dir() && dir.join("refs").is_dir());
    linked.or(Some(named)).filter(is_one).or_else(|| bare().filter(is_one))
}
