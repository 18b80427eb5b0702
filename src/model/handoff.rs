//! A handoff: a task passed on, with what is needed to go on with it.
//!
//! While it is open it holds the claims of its maker itself, so that nothing can slip in between the one who stops
//! and the one who goes on.

use crate::base::{
    id::{ClaimId, HandoffId, InstanceId, RunId, Tool},
    oid::Oid,
    path::RepoPath,
    world::Time,
};

/// A handoff and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handoff {
    /// Its name.
    pub id: HandoffId,
    /// The task.
    pub document: Document,
    /// Who made it.
    pub from: InstanceId,
    /// The tool it is meant for; `None` for whoever comes.
    pub to: Option<Tool>,
    /// When it was made.
    pub at: Time,
    /// Where it stands.
    pub state: HandoffState,
    /// The claims it was made with.
    pub claims: Vec<ClaimId>,
    /// The work tree it was made in.
    pub tree: WorkTreeMark,
    /// The run that its maker was a part of.
    pub run: Option<RunId>,
}

/// The task document, in the seven sections of the delegation guide.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// `# Task:`
    pub title: String,
    /// Background the next one needs.
    pub context: String,
    /// Scope: the files.
    pub files: Vec<String>,
    /// Scope: what not to touch.
    pub boundaries: Vec<String>,
    /// What is to be done, each with its acceptance criterion.
    pub requirements: Vec<String>,
    /// Existing patterns to follow.
    pub patterns: Vec<String>,
    /// Commands that show it is done.
    pub verification: Vec<String>,
    /// Anything else.
    pub notes: String,
}

/// Where a handoff stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandoffState {
    /// Nobody has taken it.
    Open,
    /// Somebody goes on with it.
    Accepted(Settled),
    /// It was turned down or withdrawn.
    Declined(Settled),
    /// The task is done.
    Done(Settled),
}

/// Who settled a handoff, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Who.
    pub by: InstanceId,
    /// When.
    pub at: Time,
}

/// The state of the work tree that a handoff was made in, so that its taker can tell whether it has that work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkTreeMark {
    /// The commit that was checked out.
    pub commit: Option<Oid>,
    /// The branch that was checked out.
    pub branch: Option<String>,
    /// Paths with changes that were not committed.
    pub dirty: Vec<RepoPath>,
    /// How many more of them there were than are listed.
    pub more_dirty: u64,
}

/// Longest document, in bytes of its texts together.
pub const MAX_DOCUMENT: usize = 32 * 1024;

impl HandoffState {
    /// The word.
    pub fn as_str(&self) -> &'static str {
        match self {
            HandoffState::Open => "open",
            HandoffState::Accepted(_) => "accepted",
            HandoffState::Declined(_) => "declined",
            HandoffState::Done(_) => "done",
        }
    }

    /// Who settled it and when, unless it is open.
    pub fn settled(&self) -> Option<&Settled> {
        match self {
            HandoffState::Open => None,
            HandoffState::Accepted(s) | HandoffState::Declined(s) | HandoffState::Done(s) => Some(s),
        }
    }
}

impl Document {
    /// How many bytes its texts have together.
    pub fn len(&self) -> usize {
        let lists = [&self.files, &self.boundaries, &self.requirements, &self.patterns, &self.verification];
        self.title.len()
            + self.context.len()
            + self.notes.len()
            + lists.into_iter().flatten().map(String::len).sum::<usize>()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
