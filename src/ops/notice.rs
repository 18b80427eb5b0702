//! Things a command has to tell besides its answer.

use crate::{base::id::InstanceId, model::claim::Ended};
use std::path::PathBuf;

/// Something the one who runs the command should know.
#[derive(Debug, Clone)]
pub enum Notice {
    /// The agent had not registered, and now is.
    Registered(InstanceId),
    /// The instance had ended, and is registered again.
    Revived(InstanceId),
    /// A claim of the one who asks ended without its doing.
    Lost(Box<Ended>),
    /// The repository had no store, and now has one. There is no fence before `init`.
    StoreCreated,
    /// The commit fence had been removed by another tool, and is back.
    FenceHealed(String),
    /// The commit fence is gone, and could not be put back.
    FenceMissing(String),
    /// The fence could not be put up in this other worktree, and why.
    WorktreeUnfenced(String, String),
    /// Hooks don't find the program; it is here.
    NotOnPath(Option<PathBuf>),
    /// The targets belong to a repository inside this one, whose store answers.
    NestedRepository(String),
}
