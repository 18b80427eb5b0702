//! What can go wrong with the store. A refusal by the rules is no error and is not here.

use crate::base::refs::RefError;

/// The store can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A record, or an entry of the index, is not what it should be. The rest of the store works.
    #[error("damaged record {path}: {reason}")]
    Damaged {
        /// Where it is in the tree of `refs/aio/state`.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The tip of the store can't be understood: nothing can be said before it is mended.
    #[error("refs/aio/state is damaged: {0}")]
    Tip(String),
    /// A newer git-aio wrote the store in a way that this one would spoil.
    #[error("the store needs a git-aio that writes format {needed}; this one writes format {ours}")]
    Newer {
        /// What the store asks of a writer.
        needed: u64,
        /// What we are.
        ours: u64,
    },
    /// A record to be written is larger than readers accept.
    #[error("{what} has {size} bytes; {limit} is the most a record may have")]
    TooLarge {
        /// What is written.
        what: String,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The ref did not move or can't be read.
    #[error(transparent)]
    Ref(#[from] RefError),
    /// Objects can't be written: no space, no permission.
    #[error("can't write objects: {0}")]
    Write(String),
    /// The repository can't be read.
    #[error("can't read the repository: {0}")]
    Read(String),
}

impl StoreError {
    pub(super) fn read(error: impl std::fmt::Display) -> Self {
        StoreError::Read(error.to_string())
    }

    pub(super) fn tip(error: impl std::fmt::Display) -> Self {
        StoreError::Tip(error.to_string())
    }

    pub(super) fn damaged(path: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        StoreError::Damaged { path: path.into(), reason: reason.to_string() }
    }
}
