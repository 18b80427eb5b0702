//! The queue as it is drawn from: all that is open, by its place, however long it is. The words of a task are read when it
//! is told, and not before, so that many long ones need little memory and none of them is left out.

use super::{Keeper, Queued, Stand, find::claims_at};
use crate::{
    base::{
        id::{InstanceId, TaskId},
        world::Time,
    },
    host::beads::Issue,
    model::{
        claim::Claim,
        scope::Scope,
        task::{Priority, Task},
        view::View,
    },
    ops::{Error, Session, StoreError, check::Seen, sync::Confirmed},
    store::{Damage, Extent, Snapshot},
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The tasks of a state, with the claims on them.
pub(super) struct Queue {
    /// Our own that are open, by their places.
    open: Vec<Open>,
    /// The ids of all of our own, in order.
    ids: Vec<TaskId>,
    /// Those that are done.
    done: HashSet<TaskId>,
    claims: HashMap<TaskId, Vec<Claim>>,
    pub(super) confirmed: Option<Confirmed>,
    pub(super) damaged: Vec<Damage>,
}

/// What has to be known of an open task to draw it.
struct Open {
    place: (Priority, Time, TaskId),
    needs: Vec<TaskId>,
}

/// A task that is not done.
pub(super) struct Candidate<'q> {
    pub(super) id: &'q TaskId,
    pub(super) stand: Stand,
    /// Whether something has to be done first, whoever holds it.
    pub(super) waits: bool,
    pub(super) kept: Kept<'q>,
}

/// By whom it is kept.
pub(super) enum Kept<'q> {
    /// By the store.
    Own,
    /// By Beads.
    Issue(Keeper, &'q Issue),
}

impl Session {
    pub(super) fn queue_of(&self, snapshot: &Snapshot<'_>) -> Result<Queue, Error> {
        let (mut open, mut ids, mut done) = (Vec::new(), Vec::new(), HashSet::new());
        let listing = snapshot.tasks(Extent::All, |task| {
            ids.push(task.id.clone());
            if task.done.is_some() {
                done.insert(task.id.clone());
            } else {
                open.push(Open { place: task.place(), needs: task.needs.clone() });
            }
            false
        })?;
        open.sort_by(|a, b| a.place.cmp(&b.place));
        ids.sort();
        let (claims, confirmed) = (by_task(snapshot.claims_on_tasks()?), self.confirmed(snapshot));
        Ok(Queue { open, ids, done, claims, confirmed, damaged: listing.damaged })
    }

    /// What each open task needs that is not done, where that is anything.
    pub(in crate::ops) fn needs_left(&self, snapshot: &Snapshot<'_>) -> Result<BTreeMap<TaskId, Vec<TaskId>>, Error> {
        let queue = self.queue_of(snapshot)?;
        let left = queue.open.iter().map(|open| (open.place.2.clone(), queue.left_of(&open.needs)));
        Ok(left.filter(|(_, left)| !left.is_empty()).collect())
    }

    /// As much of the queue as has to be known to tell how one task stands. However many there are, of the others only those
    /// that it needs are read.
    pub(super) fn queue_about(&self, task: &Task, snapshot: &Snapshot<'_>) -> Result<Queue, Error> {
        let mut done = HashSet::new();
        for need in &task.needs {
            match snapshot.task(need) {
                Ok(needed) => done.extend(needed.filter(|needed| needed.done.is_some()).map(|needed| needed.id)),
                Err(StoreError::Damaged { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut ids = snapshot.task_ids()?;
        ids.sort();
        let (claims, confirmed) = (by_task(claims_at(&task.id, snapshot)?), self.confirmed(snapshot));
        Ok(Queue { open: Vec::new(), ids, done, claims, confirmed, damaged: Vec::new() })
    }

    /// All that is not done: our own by their places, unless another keeper is named, and behind them these `issues`.
    pub(super) fn candidates<'q>(
        &self,
        keeper: Option<Keeper>,
        issues: &'q [(Keeper, Issue)],
        queue: &'q Queue,
        me: Option<&InstanceId>,
        snapshot: &Snapshot<'_>,
    ) -> Result<Vec<Candidate<'q>>, Error> {
        let with_own = keeper.is_none_or(|keeper| keeper == Keeper::Own);
        let own = queue.open.iter().filter(|_| with_own).map(|open| (&open.place.2, &open.needs[..], Kept::Own));
        let beside = issues.iter().filter(|(_, issue)| !queue.has(&issue.id));
        let beside = beside.map(|(keeper, issue)| (&issue.id, &[][..], Kept::Issue(*keeper, issue)));
        own.chain(beside)
            .map(|(id, needs, kept)| {
                let left = queue.left_of(needs);
                Ok(Candidate { id, stand: self.stand(id, &left, queue, me, snapshot)?, waits: !left.is_empty(), kept })
            })
            .collect()
    }

    /// A candidate with all that is said of it.
    pub(super) fn read_task(
        &self,
        candidate: Candidate<'_>,
        queue: &Queue,
        snapshot: &Snapshot<'_>,
    ) -> Result<Queued, Error> {
        let Candidate { id, stand, kept, .. } = candidate;
        match kept {
            Kept::Own => {
                let gone = || Error::not_found(format!("the task {id} is gone"), "ask for it again");
                Ok(with_stand(snapshot.task(id)?.ok_or_else(gone)?, stand, queue))
            }
            Kept::Issue(keeper, issue) => {
                let Issue { id, title, text, priority, at } = issue.clone();
                let priority = Priority::new(priority).unwrap_or_default();
                let (short_id, paths, needs, by, run) = (id.to_string(), Vec::new(), Vec::new(), None, None);
                Ok(Queued { id, short_id, keeper, title, text, priority, by, at, paths, needs, run, stand })
            }
        }
    }

    /// A task of our own as it stands.
    pub(super) fn queued(
        &self,
        mut task: Task,
        queue: &Queue,
        me: Option<&InstanceId>,
        snapshot: &Snapshot<'_>,
    ) -> Result<Queued, Error> {
        let stand = match task.done.take() {
            Some(done) => Stand::Done(done),
            None => self.stand(&task.id, &queue.left_of(&task.needs), queue, me, snapshot)?,
        };
        Ok(with_stand(task, stand, queue))
    }

    /// How one that is not done stands.
    fn stand(
        &self,
        id: &TaskId,
        waits: &[TaskId],
        queue: &Queue,
        me: Option<&InstanceId>,
        snapshot: &Snapshot<'_>,
    ) -> Result<Stand, Error> {
        let mut holds = None;
        for claim in queue.claims_on(id) {
            let mine = me.is_some_and(|me| claim.is_held_by(me));
            if mine || self.binds(claim, snapshot)? {
                let standing = self.standing(claim, queue.confirmed.as_ref(), snapshot);
                let seen = Seen { mine, standing, ..self.seen_claim(claim.clone(), snapshot) };
                // Of several that share it, those of others keep whoever asks from doing it alone.
                if !mine || holds.is_none() {
                    holds = Some(Stand::Held(Box::new(seen)));
                }
            }
        }
        if let Some(held) = holds {
            return Ok(held);
        }
        Ok(if waits.is_empty() { Stand::Ready } else { Stand::Waits(waits.to_vec()) })
    }
}

fn by_task(claims: Vec<Claim>) -> HashMap<TaskId, Vec<Claim>> {
    let mut by_task: HashMap<TaskId, Vec<Claim>> = HashMap::new();
    for claim in claims {
        if let Scope::Task(id) = &claim.scope {
            by_task.entry(id.clone()).or_default().push(claim);
        }
    }
    by_task
}

fn with_stand(task: Task, stand: Stand, queue: &Queue) -> Queued {
    let short_id = queue.short(&task.id).to_owned();
    let Task { id, title, text, by, at, priority, paths, needs, run, .. } = task;
    let (by, at, keeper) = (Some(by), Some(at), Keeper::Own);
    Queued { id, short_id, keeper, title, text, priority, by, at, paths, needs, run, stand }
}

impl Queue {
    /// Whether a task of our own has this id.
    fn has(&self, id: &TaskId) -> bool {
        self.ids.binary_search(id).is_ok()
    }

    pub(super) fn claims_on(&self, id: &TaskId) -> impl Iterator<Item = &Claim> {
        self.claims.get(id).into_iter().flatten()
    }

    /// How many tasks somebody holds.
    pub(super) fn held(&self) -> usize {
        self.claims.len()
    }

    /// What is not done of `needs`, or nothing is known of.
    pub(super) fn left_of(&self, needs: &[TaskId]) -> Vec<TaskId> {
        needs.iter().filter(|need| !self.done.contains(*need)).cloned().collect()
    }

    /// An id as short as it is unique: of all in order, those beside it have most in common with one.
    fn short<'t>(&self, id: &'t TaskId) -> &'t str {
        let at = self.ids.partition_point(|other| other < id);
        id.short_among(&self.ids[at.saturating_sub(1)..self.ids.len().min(at + 2)])
    }
}
