//! How one ref is read and moved. Declared here because the two implementations live in layers that don't see each
//! other: `store` has the one for the files backend, `host` the one that asks git where the repository uses reftable.

use super::oid::Oid;
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// Storage of refs, of which we use a handful with flat names of our own.
pub trait RefStorage {
    /// What `name` points at, or `None` where there is no such ref.
    fn read(&self, name: &str) -> Result<Option<Oid>, RefError>;

    /// Moves `name` from `expected` (`None`: it must not exist) to `new`, in one step, and writes the reflog line
    /// `message`. An error leaves the ref as it was; what goes wrong once it has moved is no error but a doubt.
    fn compare_and_swap(
        &self,
        name: &str,
        expected: Option<&Oid>,
        new: &Oid,
        message: &RefLogLine,
    ) -> Result<Swapped, RefError>;

    /// All refs in `folders`, each of which ends in a slash, and what they point at. One that can't be read is left out.
    fn listed(&self, folders: &[&str]) -> Result<BTreeMap<String, Oid>, RefError>;

    /// The values `name` had, newest first, as far as the reflog remembers.
    fn history(&self, name: &str) -> Result<Vec<Oid>, RefError>;

    /// As [`history`](Self::history), each value with the message of its reflog line where that can be had.
    fn told_history(&self, name: &str) -> Result<Vec<(Oid, Option<String>)>, RefError> {
        Ok(self.history(name)?.into_iter().map(|oid| (oid, None)).collect())
    }

    /// Gives `name` the value `new` where [`read`](Self::read) can't make sense of what is there, as after a power
    /// failure. For repairs only: nothing is compared but that, and a value that can be read is not touched
    /// ([`RefError::Moved`]).
    fn replace_unreadable(&self, name: &str, new: &Oid, message: &RefLogLine) -> Result<Swapped, RefError> {
        let (_, _) = (new, message);
        let reason = "what is there can't be read, and only git itself could mend that".into();
        Err(RefError::Failed { name: name.into(), verb: "written", reason })
    }
}

/// A ref has its new value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swapped {
    /// Why it may lose it again in a power failure, where that is so against what was asked for.
    pub doubt: Option<String>,
}

/// Who moved a ref, when and why, as the reflog keeps it.
#[derive(Debug, Clone)]
pub struct RefLogLine {
    /// `Name <email>` of the user.
    pub who: String,
    /// Seconds since the epoch.
    pub seconds: i64,
    /// One line.
    pub message: String,
}

/// Why a ref did not move or could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RefError {
    /// Somebody else moved it first: look again and retry.
    #[error("the ref {name} was moved by somebody else")]
    Moved {
        /// The ref.
        name: String,
    },
    /// It stayed locked.
    #[error("{} is locked since {} s", lock.display(), age.as_secs())]
    Locked {
        /// The lock file.
        lock: PathBuf,
        /// How long the lock file has existed.
        age: Duration,
    },
    /// It can't be read or written.
    #[error("the ref {name} can't be {verb}: {reason}")]
    Failed {
        /// The ref.
        name: String,
        /// What was tried: `read` or `written`.
        verb: &'static str,
        /// What the system or git said.
        reason: String,
    },
}
