//! Which task a word means, and all that is known of it. Wherever a task is named, this is what decides.

use super::Queued;
use crate::{
    base::{
        id::{InstanceId, InvalidName, TaskId},
        text,
    },
    model::{
        claim::{Claim, Holder},
        scope::Scope,
        task::Task,
        view::View,
    },
    ops::{Error, Session, handoff::Shown},
    store::Snapshot,
};

/// Where the ids are.
const LISTED: &str = "`git aio tasks list` shows those there are";

/// A task, with what only who asks for it alone is told.
#[derive(Debug, Clone)]
pub struct Told {
    /// The task.
    pub task: Queued,
    /// Those that it needs and that are not done, whoever holds it.
    pub left: Vec<TaskId>,
    /// The open handoff that holds it.
    pub handoff: Option<Shown>,
}

impl Session {
    /// The task that `named` means: one of our own, or an issue of Beads among those that it calls ready.
    ///
    /// # Errors
    /// When there is none, or several begin with that.
    pub fn told_task(&self, named: &str) -> Result<Told, Error> {
        let snapshot = self.snapshot()?;
        let who = self.asking(&snapshot)?;
        let (task, left) = match self.find_task(named, &snapshot) {
            Ok(task) => {
                let queue = self.queue_about(&task, &snapshot)?;
                let left = queue.left_of(&task.needs);
                (self.queued(task, &queue, who.instance(), &snapshot)?, left)
            }
            Err(unknown @ Error::NotFound { .. }) => {
                (self.issue(named, who.instance(), &snapshot)?.ok_or(unknown)?, Vec::new())
            }
            Err(error) => return Err(error),
        };
        let handoff = match claims_at(&task.id, &snapshot)?.into_iter().next().map(|claim| claim.holder) {
            Some(Holder::Handoff(id)) => snapshot.handoff(&id)?.map(|held| self.shown(held, &snapshot)).transpose()?,
            _ => None,
        };
        Ok(Told { task, left, handoff })
    }

    /// The issue of Beads that is called so.
    fn issue(&self, named: &str, me: Option<&InstanceId>, snapshot: &Snapshot<'_>) -> Result<Option<Queued>, Error> {
        if self.beads(None)?.is_none() {
            return Ok(None);
        }
        let queue = self.queue_of(snapshot)?;
        let issues = self.issues(None, &queue)?;
        let mut candidates = self.candidates(None, &issues, &queue, me, snapshot)?;
        candidates.retain(|candidate| candidate.id.as_str() == named);
        candidates.pop().map(|found| self.read_task(found, &queue, snapshot)).transpose()
    }

    /// The id that `named` means: that of a task of our own, if it is one or the beginning of one, or else of another tracker's.
    ///
    /// # Errors
    /// When it is the beginning of several, or no id.
    pub fn task_id(&self, named: &str) -> Result<TaskId, Error> {
        self.meant_task(named, &self.snapshot()?)
    }

    /// The same, on a state.
    pub(super) fn meant_task(&self, named: &str, snapshot: &Snapshot<'_>) -> Result<TaskId, Error> {
        let id: TaskId = named.parse().map_err(|error: InvalidName| Error::usage(error.to_string(), LISTED))?;
        Ok(self.known_task(named, snapshot)?.map_or(id, |task| task.id))
    }

    /// The task whose id is `named`, or, if it is a random one, begins with that.
    pub(super) fn find_task(&self, named: &str, snapshot: &Snapshot<'_>) -> Result<Task, Error> {
        if let Some(task) = self.known_task(named, snapshot)? {
            return Ok(task);
        }
        let (shown, known) = (text::one_line(named, 60), snapshot.task_ids()?);
        Err(match text::nearest(named, known.iter().map(TaskId::as_str)) {
            Some(near) => Error::not_found(format!("no task {shown}; did you mean {near}?"), LISTED),
            None => Error::not_found(format!("no task {shown}"), LISTED),
        })
    }

    fn known_task(&self, named: &str, snapshot: &Snapshot<'_>) -> Result<Option<Task>, Error> {
        let Ok(exactly) = named.parse() else { return Ok(None) };
        if let Some(task) = snapshot.task(&exactly)? {
            return Ok(Some(task));
        }
        let mut begin = snapshot.task_ids()?;
        begin.retain(|id| id.is_meant_by(named));
        match begin.as_slice() {
            [] => Ok(None),
            [id] => Ok(snapshot.task(id)?),
            several => Err(Error::usage(
                format!("{} is the beginning of {} tasks", text::one_line(named, 60), several.len()),
                "give more of the one you mean",
            )),
        }
    }
}

/// The claims on a task.
pub(super) fn claims_at(id: &TaskId, snapshot: &Snapshot<'_>) -> Result<Vec<Claim>, Error> {
    let scope = Scope::Task(id.clone());
    let mut claims = snapshot.claims_near(&scope)?;
    claims.retain(|claim| claim.scope == scope);
    Ok(claims)
}
