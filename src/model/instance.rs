//! An instance: one running agent CLI, or a person.

use crate::base::{
    id::{CloneId, InstanceId, TaskId, Tool},
    world::Time,
};

/// The registration of an instance. It holds no heartbeat: a beat is far too frequent to be a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its name.
    pub id: InstanceId,
    /// What kind of program it is.
    pub tool: Tool,
    /// The clone it works in; only that clone can see its process.
    pub clone: CloneId,
    /// The name of the project, as a reader would call it.
    pub project: String,
    /// The linked worktree it registered from, by its name; `None` for the main one.
    pub worktree: Option<String>,
    /// What it is doing.
    pub task: Option<Doing>,
    /// When it registered.
    pub since: Time,
    /// The instance that started it.
    pub parent: Option<InstanceId>,
}

/// What an instance says it is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doing {
    /// In words.
    pub text: String,
    /// The issue it belongs to.
    pub id: Option<TaskId>,
}

/// Longest task text, in bytes.
pub const MAX_TASK: usize = 1024;
