//! What `init` changes: files that get a part of ours, and how each is put back.
//!
//! Everything is first a [`FileChange`], which can be shown and does nothing. What was changed is recorded in the folder
//! of a [`Place`], before it is changed: in a repository that is `<git-common-dir>/aio`, for what is the user's own a
//! folder in the home. From the record an undo restores the bytes and modes that were there; from a file that somebody
//! has changed since it takes only our [`Part`].

pub mod agent;
pub(super) mod apply;
mod json;
mod lock;
pub(super) mod manifest;
mod markdown;
pub(super) mod node;
mod part;
pub(super) mod shell;
mod toml;
pub(super) mod undo;
mod whole;

pub(super) use lock::Lock;
pub use node::Node;
pub use part::{Dialect, Part};
pub use undo::{Undone, undo};
pub use whole::{plan_new, write_new};

use crate::disk::Sharing;
use std::{
    io,
    path::{Path, PathBuf},
};

/// Where changes are recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What the paths in the record are relative to: things may be moved together.
    pub base: PathBuf,
    /// The folder of the record, which is ours alone.
    pub own: PathBuf,
    /// Who may use what is made here.
    pub sharing: Sharing,
}

/// A file before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Where.
    pub path: PathBuf,
    /// What is there.
    pub before: Node,
    /// What will be there.
    pub after: Node,
    /// What this does.
    pub act: Act,
    /// What of it is ours.
    pub part: Part,
    /// What an undo brings back where it differs from `before`: a file that has an old part of ours in it.
    pub(super) restore: Option<Node>,
}

/// What a change of a file does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Writes a file where there is none.
    Create,
    /// Puts our part into a file of the user's.
    Chain,
    /// Writes a file of ours in place of an older one.
    Renew,
    /// Moves a hook, which is no shell script or no plain file, out of the way; the hook that takes its place runs it.
    SetAside,
    /// Writes the hook that runs the one set aside at this path.
    Replace(PathBuf),
    /// Writes a hook in place of one that git doesn't run, since it isn't executable. It will not run either.
    Supersede,
    /// Writes a hook that runs the one of the folder that `core.hooksPath` named before.
    Dispatch,
}

/// A setting in the repository's own file, which may have several values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChange {
    /// Its name.
    pub key: String,
    /// The values it has.
    pub before: Vec<String>,
    /// The values it will have.
    pub after: Vec<String>,
}

/// Why something could not be looked at or changed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// A file can't be read or written.
    #[error("{} can't be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or setting is no longer as the plan saw it.
    #[error("{what} has changed since it was looked at")]
    Changed {
        /// The file or setting.
        what: String,
    },
    /// Somebody else is changing things, and doesn't come to an end.
    #[error("another git-aio is at work here and holds {}", lock.display())]
    Busy {
        /// The file that it holds.
        lock: PathBuf,
    },
    /// The record of what was changed can't be understood.
    #[error("the record {} is damaged: {reason}", path.display())]
    Record {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of the user's is not what it should be, and nothing can be put into it.
    #[error("{} can't be changed: {reason}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        reason: String,
    },
}

impl InstallError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> InstallError {
        let path = path.to_owned();
        |source| InstallError::Io { path, source }
    }
}

impl FileChange {
    pub(super) fn new(path: PathBuf, before: Node, after: Node, act: Act) -> FileChange {
        FileChange { path, before, after, act, part: Part::Shell, restore: None }
    }
}

impl Place {
    /// Makes the folder that the file at `path` is to lie in, as far as it is ours to make: elsewhere that is nobody's
    /// business but the umask's.
    pub(super) fn make_folder_of(&self, path: &Path) -> Result<(), InstallError> {
        match path.parent().filter(|folder| folder.starts_with(&self.base)) {
            Some(folder) => self.sharing.make_folders(folder).map_err(InstallError::io(folder)),
            None => Ok(()),
        }
    }
}
