//! The language of workflows: a file is read, its names are resolved, and what comes out can't refer to what is not there.
//!
//! [`file`] reads what is written, [`resolve`] holds it together, and [`workflow`] is what is meant. Whatever is wrong is told
//! with its place and the word that was meant, before anything runs. Nothing here reads a file: texts come from a
//! [`Library`].

mod cap;
pub mod engine;
mod file;
pub mod filename;
mod include;
pub mod inputs;
mod names;
pub mod plain;
mod quoting;
mod read;
pub(in crate::runner) mod resolve;
pub mod schema;
pub mod shape;
pub mod template;
mod value;
pub mod workflow;

pub use engine::{Engine, Surroundings};
pub use resolve::load;

#[cfg(test)]
pub(in crate::runner) mod tests;

use crate::base::toml::Mistake;

/// The most steps in one list of a file.
const MAX_STEPS_WRITTEN: usize = 5000;

/// The most bytes of a file.
pub const MAX_FILE: usize = 1024 * 1024;

/// What an id is like.
pub const ID: &str = "use a small letter, then small letters, digits and _";

/// The part of a path under which the undoing of a step is recorded.
pub const UNDO: &str = "undo";

/// Whether a step, an input or a field can have this name: one that is read as a name in an expression.
pub fn is_id(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    name.len() <= 40 && name.bytes().all(plain) && name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Where workflows are found by name.
pub trait Library {
    /// The text of a workflow, and what it is called when something in it is wrong: a path.
    ///
    /// # Errors
    /// When there is one, and it can't be used.
    fn workflow(&self, name: &str) -> Result<Option<(String, String)>, Withheld>;

    /// A text that the workflow includes, from its folder.
    ///
    /// # Errors
    /// When it can't be read.
    fn include(&self, workflow: &str, path: &str) -> Result<String, String>;

    /// All names, for telling of a slip.
    fn names(&self) -> Vec<String>;
}

/// Why the text of a workflow is not to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Withheld {
    /// Nobody has approved it: what is to be approved.
    NotApproved(String),
    /// It can't be read: the file, and why not.
    Unreadable(String, String),
}

/// Why a workflow can't be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// There is none of this name.
    #[error("there is no workflow '{name}'{}", meant(.nearest))]
    Unknown {
        /// The name.
        name: String,
        /// What was meant, perhaps.
        nearest: Option<String>,
    },
    /// A person has to approve it first.
    #[error("the workflow {name} can't be used: {why}")]
    NotApproved {
        /// The name.
        name: String,
        /// What is to be approved, and how.
        why: String,
    },
    /// It can't be read.
    #[error("the workflow {name} can't be used: {why}")]
    Unusable {
        /// The name.
        name: String,
        /// Why not.
        why: String,
    },
    /// Its file can't be read.
    #[error("{file} can't be read: {why}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why not.
        why: String,
    },
    /// Something in it is wrong.
    #[error("{file}:{mistake}")]
    Mistake {
        /// The file.
        file: String,
        /// What, and where.
        mistake: Mistake,
    },
}

fn meant(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default()
}
