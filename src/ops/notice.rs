//! Things a command has to tell besides its answer.

use crate::{
    base::id::{HandoffId, InstanceId, StepPath, TaskId, Tool},
    model::claim::Ended,
};
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
    /// An instance of another clone drew the same id first.
    Clash(InstanceId),
    /// A task of another clone had the same id first, and the words of ours are in a note now.
    TaskTaken(TaskId),
    /// The hub does not count the task as done here, and what was said of that is in a note now.
    TaskNotDone(TaskId),
    /// The hub does not count the handoff as done: it holds a task there that is open.
    HandoffNotDone(HandoffId),
    /// So many more tasks are not told: those that come last.
    MoreTasks(usize),
    /// The tracker beside our own tasks could not be asked, and why.
    NoIssues(String),
    /// An attempt of this step came to no end, and these files that it may have changed are left as they are.
    LeftChanged(StepPath, String),
    /// The work tree in which a run worked apart is left here, and why.
    CopyLeft(PathBuf, String),
    /// The change was made, and for this reason it may not last.
    Doubtful(String),
    /// The repository had no store, and now has one. There is no fence before `init`.
    StoreCreated,
    /// There was a store, and its ref is gone.
    StoreGone,
    /// The commit fence had been removed by another tool, and is back.
    FenceHealed(String),
    /// The commit fence is gone, and could not be put back.
    FenceMissing(String),
    /// A handoff is for a tool of which no instance was ever seen in this clone.
    NobodyOf {
        /// The tool.
        tool: Tool,
        /// Whether one is registered in another clone.
        elsewhere: bool,
    },
    /// There are too many records of a kind to list all. What was left out is older than what wasn't.
    Unread {
        /// The kind.
        what: &'static str,
        /// How many.
        count: usize,
    },
    /// The fence could not be put up in this other worktree, and why.
    WorktreeUnfenced(String, String),
    /// Hooks don't find the program; it is here.
    NotOnPath(Option<PathBuf>),
    /// The hub that was named is to lie in a folder of this machine, and no repository does.
    NoHub(String),
    /// The targets belong to a repository inside this one, whose store answers.
    NestedRepository(String),
}
