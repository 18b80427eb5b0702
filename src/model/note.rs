//! A note: something one instance knows and the others should.

use crate::base::{
    id::{InstanceId, NoteId, RunId, Tool},
    path::RepoPath,
    world::Time,
};

/// A note, never changed after it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Its name.
    pub id: NoteId,
    /// What kind of knowledge it is.
    pub category: Category,
    /// The words.
    pub text: String,
    /// Who wrote it.
    pub by: InstanceId,
    /// When.
    pub at: Time,
    /// The paths it concerns; none means the whole repository.
    pub paths: Vec<RepoPath>,
    /// The tool it is meant for.
    pub to: Option<Tool>,
    /// The run that its writer was a part of.
    pub run: Option<RunId>,
}

/// What kind of knowledge a note is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// An architectural choice that was made.
    Decision,
    /// A general insight.
    Learning,
    /// A pitfall to avoid.
    Warning,
    /// A useful pattern in the code.
    Pattern,
}

/// Longest note, in bytes.
pub const MAX_NOTE: usize = 16 * 1024;

impl Category {
    /// All of them, in the order they are listed.
    pub const ALL: [Category; 4] = [Category::Decision, Category::Learning, Category::Warning, Category::Pattern];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Category::Decision => "decision",
            Category::Learning => "learning",
            Category::Warning => "warning",
            Category::Pattern => "pattern",
        }
    }
}
