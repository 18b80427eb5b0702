//! The queue of tasks: put into, looked at, and drawn from.
//!
//! Beside our own tasks stand the issues that `bd` or `br` calls ready, where the repository has some. Both are held by
//! claims on tasks, ours as any others, so that whoever is stale loses them in the usual way.

mod draw;
mod finish;

pub use draw::{Drawn, Nothing};
pub use finish::Finish;

use super::{Error, Notice, Session, check::Seen, sync::Confirmed};
use crate::{
    base::{
        id::{InstanceId, RunId, TaskId},
        path::RepoPath,
        text,
        world::Time,
    },
    host::beads::{Beads, Issue},
    model::{
        claim::Claim,
        op::Action,
        scope::Scope,
        task::{Finished, MAX_LISTED, MAX_TEXT, MAX_TITLE, Priority, Task},
        view::View,
    },
    store::{Damage, Extent, Snapshot},
};
use std::collections::HashSet;

/// Who keeps a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    /// The store.
    Own,
    /// Beads, by the program `bd`.
    Bd,
    /// Beads, by the program `br`.
    Br,
}

impl Keeper {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Keeper::Own => "own",
            Keeper::Bd => "bd",
            Keeper::Br => "br",
        }
    }
}

/// A task that is to be put into the queue.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// Its id; a random one unless chosen.
    pub id: Option<TaskId>,
    /// What is to be done, in one line.
    pub title: String,
    /// All that is to be said of it.
    pub text: String,
    /// The paths that it will change.
    pub paths: Vec<RepoPath>,
    /// The tasks that have to be done before it, by id or prefix.
    pub needs: Vec<String>,
    /// How much it matters.
    pub priority: Priority,
}

/// A task as it stands.
#[derive(Debug, Clone)]
pub struct Queued {
    /// Its id.
    pub id: TaskId,
    /// The same, as short as it is unique.
    pub short_id: String,
    /// Who keeps it.
    pub keeper: Keeper,
    /// What is to be done.
    pub title: String,
    /// All that is said of it.
    pub text: String,
    /// How much it matters.
    pub priority: Priority,
    /// Who made it, where that is known.
    pub by: Option<InstanceId>,
    /// When it was made, where that is known.
    pub at: Option<Time>,
    /// The paths that it will change.
    pub paths: Vec<RepoPath>,
    /// The tasks that have to be done before it.
    pub needs: Vec<TaskId>,
    /// The run in which it was made.
    pub run: Option<RunId>,
    /// How it stands.
    pub stand: Stand,
}

/// How a task stands.
#[derive(Debug, Clone)]
pub enum Stand {
    /// Whoever comes may take it.
    Ready,
    /// These have to be done first.
    Waits(Vec<TaskId>),
    /// Somebody is at it.
    Held(Box<Seen>),
    /// It is done.
    Done(Finished),
}

impl Stand {
    /// The word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Stand::Ready => "ready",
            Stand::Waits(_) => "open",
            Stand::Held(_) => "held",
            Stand::Done(_) => "done",
        }
    }
}

/// The tasks of a state, with the claims on them.
struct Queue {
    /// Our own, by their places.
    tasks: Vec<Task>,
    /// Their ids, in order.
    ids: Vec<TaskId>,
    /// Those that are done.
    done: HashSet<TaskId>,
    claims: Vec<Claim>,
    confirmed: Option<Confirmed>,
    damaged: Vec<Damage>,
}

impl Session {
    /// Puts a task into the queue.
    ///
    /// # Errors
    /// When its words are none or too many, its id is taken, or what it needs is not known.
    pub fn new_task(&self, draft: &Draft) -> Result<Queued, Error> {
        check(draft)?;
        let by = self.acting()?;
        let id = draft.id.clone().unwrap_or_else(|| TaskId::random(self.random()));
        let at = self.now();
        let mut made = None;
        self.perform(Some(&by), |snapshot| {
            let needs = self.needed(&id, &draft.needs, snapshot)?;
            let Draft { title, text, paths, priority, .. } = draft.clone();
            let (id, by, run) = (id.clone(), by.clone(), self.current_run());
            let task = Task { id, title, text, by, at, priority, paths, needs, run, done: None };
            made = Some(task.clone());
            Ok(Some(Action::NewTask(Box::new(task))))
        })?;
        let made = made.ok_or_else(|| Error::not_found("the task was not made", "try again"))?;
        let snapshot = self.snapshot()?;
        let queue = self.queue_of(&snapshot)?;
        self.queued(made, &queue, &by, &snapshot)
    }

    fn needed(&self, id: &TaskId, needs: &[String], snapshot: &Snapshot<'_>) -> Result<Vec<TaskId>, Error> {
        let mut ids = Vec::new();
        for need in needs {
            if need == id.as_str() {
                return Err(Error::usage(
                    format!("the task {id} would need itself"),
                    "name tasks that have to be done before it",
                ));
            }
            let need = self.find_task(need, snapshot)?.id;
            if !ids.contains(&need) {
                ids.push(need);
            }
        }
        Ok(ids)
    }

    /// The run that this command is a part of.
    fn current_run(&self) -> Option<RunId> {
        self.env.run.as_ref()?.innermost().cloned()
    }

    /// All tasks that are not done, by their places, and those of Beads behind them in its order; where `all`, those that
    /// are done too, at the end.
    ///
    /// # Errors
    /// When the store can't be read, or the program that was named is not there or fails.
    pub fn tasks(&self, all: bool, keeper: Option<Keeper>) -> Result<(Vec<Queued>, Vec<Damage>), Error> {
        let snapshot = self.snapshot()?;
        let who = self.asking(&snapshot)?;
        let queue = self.queue_of(&snapshot)?;
        let mut listed = Vec::new();
        if keeper.is_none_or(|keeper| keeper == Keeper::Own) {
            let (done, open): (Vec<&Task>, Vec<&Task>) = queue.tasks.iter().partition(|task| task.done.is_some());
            let done = done.into_iter().filter(|_| all);
            for task in open.into_iter().chain(done) {
                listed.push(self.queued(task.clone(), &queue, who.instance(), &snapshot)?);
            }
        }
        match self.issues(keeper) {
            Ok(issues) => {
                let beside = issues.into_iter().filter(|(_, issue)| queue.find(&issue.id).is_none());
                for (keeper, issue) in beside {
                    listed.push(self.queued_issue(keeper, issue, &queue, who.instance(), &snapshot)?);
                }
            }
            // Our own are told all the same, where nobody asked for others.
            Err(error) if keeper.is_none() => self.notice(Notice::NoIssues(error.to_string())),
            Err(error) => return Err(error),
        }
        Ok((listed, queue.damaged))
    }

    /// Our own tasks, by their places.
    pub(super) fn own_tasks(
        &self,
        me: Option<&InstanceId>,
        snapshot: &Snapshot<'_>,
    ) -> Result<(Vec<Queued>, Vec<Damage>), Error> {
        let queue = self.queue_of(snapshot)?;
        let own = queue.tasks.iter().map(|task| self.queued(task.clone(), &queue, me, snapshot));
        Ok((own.collect::<Result<_, _>>()?, queue.damaged))
    }

    /// The issues that Beads calls ready, unless only our own tasks are wanted.
    fn issues(&self, keeper: Option<Keeper>) -> Result<Vec<(Keeper, Issue)>, Error> {
        let Some((keeper, beads)) = self.beads(keeper)? else { return Ok(Vec::new()) };
        let issues = beads.ready()?;
        Ok(issues.into_iter().map(|issue| (keeper, issue)).collect())
    }

    /// The program that keeps issues here.
    fn beads(&self, keeper: Option<Keeper>) -> Result<Option<(Keeper, Beads)>, Error> {
        let names: &[&'static str] = match keeper {
            Some(Keeper::Own) => return Ok(None),
            Some(Keeper::Bd) => &["bd"],
            Some(Keeper::Br) => &["br"],
            None => &["bd", "br"],
        };
        let found = self.repository.work_tree().and_then(|root| Beads::at(&root, names));
        match (found, keeper) {
            (Some(beads), _) => Ok(Some((if beads.name == "br" { Keeper::Br } else { Keeper::Bd }, beads))),
            (None, None) => Ok(None),
            (None, Some(keeper)) => Err(Error::not_found(
                format!("no issues of {} are here", keeper.as_str()),
                "it takes a folder .beads at the root of the work tree, and the program on PATH",
            )),
        }
    }

    fn queue_of(&self, snapshot: &Snapshot<'_>) -> Result<Queue, Error> {
        let (mut tasks, damaged) = self.listed("tasks", snapshot.tasks(Extent::Newest, |_| true)?);
        tasks.sort_by_cached_key(Task::place);
        let (claims, confirmed) = (snapshot.claims_on_tasks()?, self.confirmed(snapshot));
        let mut ids: Vec<TaskId> = tasks.iter().map(|task| task.id.clone()).collect();
        ids.sort();
        let done = tasks.iter().filter(|task| task.done.is_some()).map(|task| task.id.clone()).collect();
        Ok(Queue { tasks, ids, done, claims, confirmed, damaged })
    }

    /// The task whose id is, or begins with, `prefix`.
    fn find_task(&self, prefix: &str, snapshot: &Snapshot<'_>) -> Result<Task, Error> {
        let shown = text::one_line(prefix, 60);
        let hint = "`git aio tasks list` shows those there are";
        let none = || match snapshot.tasks_by_prefix("") {
            Ok(known) => match text::nearest(prefix, known.iter().map(TaskId::as_str)) {
                Some(near) => Error::not_found(format!("no task {shown}; did you mean {near}?"), hint),
                None => Error::not_found(format!("no task {shown}"), hint),
            },
            Err(error) => error.into(),
        };
        let exactly = prefix.parse().ok().map(|id: TaskId| snapshot.task(&id)).transpose()?.flatten();
        if let Some(task) = exactly {
            return Ok(task);
        }
        let found = if prefix.is_empty() { Vec::new() } else { snapshot.tasks_by_prefix(prefix)? };
        match found.as_slice() {
            [] => Err(none()),
            [id] => snapshot.task(id)?.ok_or_else(none),
            several => Err(Error::usage(
                format!("{shown} is the beginning of {} tasks", several.len()),
                "give more of the one you mean",
            )),
        }
    }

    fn queued<'m>(
        &self,
        task: Task,
        queue: &Queue,
        me: impl Into<Option<&'m InstanceId>>,
        snapshot: &Snapshot<'_>,
    ) -> Result<Queued, Error> {
        let stand = match task.done.clone() {
            Some(done) => Stand::Done(done),
            None => self.stand(&task.id, &queue.waits_for(&task), queue, me.into(), snapshot)?,
        };
        let short_id = queue.short(&task.id).to_owned();
        let Task { id, title, text, by, at, priority, paths, needs, run, .. } = task;
        let (by, at, keeper) = (Some(by), Some(at), Keeper::Own);
        Ok(Queued { id, short_id, keeper, title, text, priority, by, at, paths, needs, run, stand })
    }

    fn queued_issue(
        &self,
        keeper: Keeper,
        issue: Issue,
        queue: &Queue,
        me: Option<&InstanceId>,
        snapshot: &Snapshot<'_>,
    ) -> Result<Queued, Error> {
        let stand = self.stand(&issue.id, &[], queue, me, snapshot)?;
        let Issue { id, title, text, priority, at } = issue;
        let priority = Priority::new(priority).unwrap_or_default();
        let (short_id, paths, needs) = (id.to_string(), Vec::new(), Vec::new());
        Ok(Queued { id, short_id, keeper, title, text, priority, by: None, at, paths, needs, run: None, stand })
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
        for claim in queue.claims_on(id) {
            let mine = me.is_some_and(|me| claim.is_held_by(me));
            if mine || self.binds(claim, snapshot)? {
                let standing = self.standing(claim, queue.confirmed.as_ref(), snapshot);
                return Ok(Stand::Held(Box::new(Seen { mine, standing, ..self.seen_claim(claim.clone(), snapshot) })));
            }
        }
        Ok(if waits.is_empty() { Stand::Ready } else { Stand::Waits(waits.to_vec()) })
    }
}

impl Queue {
    fn find(&self, id: &TaskId) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == *id)
    }

    fn claims_on(&self, id: &TaskId) -> impl Iterator<Item = &Claim> {
        self.claims.iter().filter(move |claim| matches!(&claim.scope, Scope::Task(on) if on == id))
    }

    /// What a task needs that is not done, or that nothing is known of.
    fn waits_for(&self, task: &Task) -> Vec<TaskId> {
        task.needs.iter().filter(|need| !self.done.contains(*need)).cloned().collect()
    }

    /// An id as short as it is unique: of all in order, those beside it have most in common with one.
    fn short<'t>(&self, id: &'t TaskId) -> &'t str {
        let at = self.ids.partition_point(|other| other < id);
        id.short_among(&self.ids[at.saturating_sub(1)..self.ids.len().min(at + 2)])
    }
}

fn check(draft: &Draft) -> Result<(), Error> {
    if draft.title.trim().is_empty() {
        return Err(Error::usage("the task has no title", "say in a few words what is to be done"));
    }
    if draft.title.contains(['\n', '\r']) || draft.title.len() > MAX_TITLE {
        return Err(Error::usage(
            format!("the title of a task is one line of at most {MAX_TITLE} bytes"),
            "say the rest by --text",
        ));
    }
    check_words("the text of the task", &draft.text)?;
    if draft.needs.len().max(draft.paths.len()) > MAX_LISTED {
        return Err(Error::usage(
            format!("a task names at most {MAX_LISTED} paths and as many tasks"),
            "name folders, or divide the task",
        ));
    }
    Ok(())
}

fn check_words(what: &str, words: &str) -> Result<(), Error> {
    if words.len() > MAX_TEXT {
        let message = format!("{what} has {} bytes; {MAX_TEXT} is the most", words.len());
        return Err(Error::usage(message, "put the rest into a file of the repository and name it"));
    }
    Ok(())
}
