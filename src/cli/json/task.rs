//! Tasks of the queue.

use super::{Claim, rfc3339};
use crate::ops::task::{Overview, Queued, Stand};
use schemars::JsonSchema;
use serde::Serialize;

/// A task of the queue.
#[derive(Debug, Serialize, JsonSchema)]
pub struct QueuedTask {
    id: String,
    /// The id, as short as it is unique
    short_id: String,
    /// Who keeps it: `own`, `bd` or `br`
    from: String,
    title: String,
    text: String,
    /// From 0, which comes first, to 4
    priority: u8,
    paths: Vec<String>,
    /// The tasks that have to be done before it
    needs: Vec<String>,
    /// Those of them that are not done
    waits_for: Vec<String>,
    /// `waiting` (for others to be done), `ready`, `held` or `done`
    state: String,
    by: Option<String>,
    at: Option<String>,
    /// The run in which it was made
    run: Option<String>,
    /// By what it is held
    claim: Option<Claim>,
    done: Option<TaskDone>,
}

/// That a task is done.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TaskDone {
    by: String,
    at: String,
    result: Option<String>,
    /// The token of the claim under which it was done
    token: u64,
}

/// How many tasks there are that are not done.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TaskCounts {
    /// How many wait for others to be done
    waiting: usize,
    /// How many anybody may take
    ready: usize,
    /// Those that somebody is at
    held: Vec<QueuedTask>,
}

impl QueuedTask {
    pub(in crate::cli) fn new(task: &Queued) -> Self {
        let ids = |ids: &[crate::base::id::TaskId]| ids.iter().map(ToString::to_string).collect();
        QueuedTask {
            id: task.id.to_string(),
            short_id: task.short_id.clone(),
            from: task.keeper.as_str().into(),
            title: task.title.clone(),
            text: task.text.clone(),
            priority: task.priority.number(),
            paths: task.paths.iter().map(ToString::to_string).collect(),
            needs: ids(&task.needs),
            waits_for: if let Stand::Waits(waits) = &task.stand { ids(waits) } else { Vec::new() },
            state: task.stand.as_str().into(),
            by: task.by.as_ref().map(ToString::to_string),
            at: task.at.map(rfc3339),
            run: task.run.as_ref().map(ToString::to_string),
            claim: if let Stand::Held(seen) = &task.stand { Some(Claim::seen(seen)) } else { None },
            done: if let Stand::Done(done) = &task.stand {
                let (by, at, result) = (done.by.to_string(), rfc3339(done.at), done.result.clone());
                Some(TaskDone { by, at, result, token: done.token })
            } else {
                None
            },
        }
    }
}

impl TaskCounts {
    pub(in crate::cli) fn new(tasks: &Overview) -> Self {
        let Overview { waiting, ready, held } = tasks;
        TaskCounts { waiting: *waiting, ready: *ready, held: held.iter().map(QueuedTask::new).collect() }
    }
}
