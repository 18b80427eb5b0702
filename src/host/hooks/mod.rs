//! Fences in git's hooks: put up, looked after, taken down.
//!
//! A hook that exists keeps running, after ours, with its name, its arguments and its input; it is chained, never
//! replaced. Everything is first a [`Plan`], which changes nothing and can be shown. What a plan changed is recorded in
//! `<git-common-dir>/aio/init.json`, from which [`undo`] restores the bytes and modes that were there.
//!
//! We write only inside the git directory, or to an ignored hook inside the work tree (as husky has them). A folder of
//! hooks that is versioned or lies outside the repository is left alone: git is then pointed at dispatchers of ours,
//! each of which runs the hook of that folder.

mod apply;
mod config;
mod decoration;
mod plan;
mod script;
mod setting;
mod undo;

use apply::apply;
pub use plan::plan;
pub use setting::{Wanted, plan_settings, set};
pub use undo::undo;

use super::{
    git::{Git, GitError},
    install::{Act, ConfigChange, FileChange, InstallError, Lock, Node, Place, manifest::Manifest, shell::has_block},
};
use crate::disk::Sharing;
use std::path::{Path, PathBuf};

/// The setting that names the folder of hooks.
pub const HOOKS_PATH: &str = "core.hooksPath";

/// A repository as far as its hooks are concerned.
#[derive(Debug, Clone)]
pub struct Site {
    /// git, run at the root of the work tree.
    pub git: Git,
    /// The git directory that all work trees share.
    pub common_dir: PathBuf,
    /// Who may use what is made in it.
    pub sharing: Sharing,
}

/// What `init` would change. Empty where all is in place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Files, in the order in which they are written.
    pub files: Vec<FileChange>,
    /// Settings in the repository's own file.
    pub config: Vec<ConfigChange>,
    /// The folder, as `core.hooksPath` gave it, whose hooks our dispatchers run; `None` where there are none of those.
    dispatches: Option<PathBuf>,
}

/// Whether the fences stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FenceState {
    /// git runs them.
    Installed,
    /// They were put up, but git doesn't run this one any more. A new [`plan`] chains it again.
    Missing {
        /// The hook.
        hook: &'static str,
        /// Why it isn't run.
        reason: &'static str,
    },
    /// They were never put up here.
    NotInited,
}

/// Why hooks could not be looked at or changed.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file can't be read, written or recorded.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// A hook would have to be set aside where another one was set aside before.
    #[error("{} can't be set aside: {} was set aside before it", hook.display(), aside.display())]
    AlreadyAside {
        /// The hook.
        hook: PathBuf,
        /// What stands where it would go.
        aside: PathBuf,
    },
    /// A path can't be written into git's settings.
    #[error("{} is not UTF-8, which a path in git's settings has to be", path.display())]
    NotText {
        /// The path.
        path: PathBuf,
    },
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.config.is_empty()
    }
}

impl Site {
    /// The folder in which git looks for hooks, given the effective value of `core.hooksPath`.
    fn hooks_dir(&self, hooks_path: Option<&Path>) -> PathBuf {
        match hooks_path {
            // A relative one is relative to where hooks run: the root of the work tree.
            Some(path) => self.git.dir().join(path),
            None => self.common_dir.join("hooks"),
        }
    }

    /// Where changes in this repository are recorded.
    pub fn place(&self) -> Place {
        Place { base: self.common_dir.clone(), own: self.common_dir.join("aio"), sharing: self.sharing }
    }

    /// The same repository in its other work trees.
    fn others(&self) -> Result<Vec<Site>, HookError> {
        let trees = self.git.other_work_trees()?;
        let site = |tree| Site { git: self.git.clone().in_work_tree(tree), ..self.clone() };
        Ok(trees.into_iter().map(site).collect())
    }

    fn dispatchers(&self) -> PathBuf {
        self.place().own.join("hooks")
    }
}

/// Puts the fences up, and tells what that took. Of several at once, one does it and the others find it done.
///
/// # Errors
/// When hooks or settings can't be read or written, or somebody else doesn't finish.
pub fn put_up(site: &Site) -> Result<Plan, HookError> {
    let _lock = Lock::take(&site.place())?;
    let plan = plan(site)?;
    apply(site, &plan)?;
    Ok(plan)
}

/// Puts the fences back where they were put up and are missing, and tells how they stand then; `None` where there was
/// nothing to put back, after all: somebody else did, or took them down on purpose.
///
/// # Errors
/// As for [`put_up`].
pub fn put_back(site: &Site) -> Result<Option<FenceState>, HookError> {
    let _lock = Lock::take(&site.place())?;
    // git is asked anew, and for what its files say: they may be what changed, and a setting in the environment of this
    // one command is no fence taken down.
    let state = || Ok(fence_state(site, site.git.config_path(HOOKS_PATH)?.as_deref()));
    match state()? {
        FenceState::Missing { .. } => {
            apply(site, &plan(site)?)?;
            state().map(Some)
        }
        FenceState::Installed | FenceState::NotInited => Ok(None),
    }
}

/// Other work trees in which git doesn't run our fences, though they were put up: each with the hook and the reason. A
/// relative folder of hooks is one in each work tree.
///
/// # Errors
/// When git fails.
pub fn unfenced(site: &Site) -> Result<Vec<(PathBuf, FenceState)>, HookError> {
    let mut found = Vec::new();
    for other in site.others()? {
        let state = fence_state(&other, other.git.config_path(HOOKS_PATH)?.as_deref());
        if matches!(state, FenceState::Missing { .. }) {
            found.push((other.git.dir().to_owned(), state));
        }
    }
    Ok(found)
}

/// Whether git runs our fences, given the effective value of `core.hooksPath`. It reads a few files and starts nothing.
pub fn fence_state(site: &Site, hooks_path: Option<&Path>) -> FenceState {
    let first = script::FENCES[0].name;
    match Manifest::read(&site.place()) {
        Ok(None) => return FenceState::NotInited,
        Err(_) => return FenceState::Missing { hook: first, reason: "the record of init is damaged" },
        Ok(Some(_)) => {}
    }
    let dir = site.hooks_dir(hooks_path);
    let gap = |fence: &script::Fence| gap(&dir, fence.name).map(|reason| (fence.name, reason));
    match script::FENCES.iter().find_map(gap) {
        Some((hook, reason)) => FenceState::Missing { hook, reason },
        None => FenceState::Installed,
    }
}

/// Why the fence of this name in `dir` is not run, if it isn't.
fn gap(dir: &Path, name: &str) -> Option<&'static str> {
    let path = dir.join(name);
    match Node::read(&path) {
        Ok(Node::Absent) => Some("there is no such hook where git looks for it"),
        Ok(Node::Link(_)) => Some("the hook is a link that is not ours"),
        Ok(node) if !node.is_executable() => Some("the hook is not executable"),
        Ok(Node::File { bytes, .. }) if has_block(&bytes) || plan::runs_legacy(&path, &bytes) => None,
        Ok(Node::File { .. }) => Some("another program has written the hook anew"),
        Err(_) => Some("the hook can't be read"),
    }
}

#[cfg(test)]
mod tests;
