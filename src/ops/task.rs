//! The queue of tasks: put into, looked at, and drawn from.
//!
//! Beside our own tasks stand the issues that `bd` or `br` calls ready, where the repository has some. Both are held by
//! claims on tasks, ours as any others, so that whoever is stale loses them in the usual way.

mod draw;
mod find;
mod finish;
mod path;
mod queue;

pub use draw::{Drawn, Nothing};
pub use find::Told;
pub use finish::Finish;

use super::{Error, Notice, Session, check::Seen};
use crate::{
    base::{
        id::{InstanceId, RunId, TaskId},
        world::Time,
    },
    host::beads::{Beads, Issue},
    model::{
        op::Action,
        task::{Finished, MAX_LISTED, MAX_TEXT, MAX_TITLE, Priority, Task, TaskPath},
    },
    store::{Damage, Extent, Snapshot, layout},
};
use queue::Queue;

/// How many issues of Beads are asked for beside those that somebody may be at.
const MOST_ISSUES: usize = 200;

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
    pub paths: Vec<TaskPath>,
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
    pub paths: Vec<TaskPath>,
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
            Stand::Waits(_) => "waiting",
            Stand::Held(_) => "held",
            Stand::Done(_) => "done",
        }
    }
}

/// Which tasks are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Listed {
    /// All that are not done.
    #[default]
    Open,
    /// Those that can be taken.
    Ready,
    /// Those that are done too.
    All,
}

/// The tasks of our own that are not done, for a glance at the whole.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// How many wait for others.
    pub waiting: usize,
    /// How many anybody may take.
    pub ready: usize,
    /// Those that somebody is at, by their places.
    pub held: Vec<Queued>,
}

impl Session {
    /// Puts a task into the queue.
    ///
    /// # Errors
    /// When its words are none or too many, its id is taken, or what it needs is not known.
    pub fn new_task(&self, draft: &Draft) -> Result<Queued, Error> {
        check(draft)?;
        let id = draft.id.clone().unwrap_or_else(|| TaskId::random(self.random()));
        // What can't be is said before anybody is registered for it.
        self.needed(&id, &draft.needs, &self.snapshot()?)?;
        let by = self.acting()?;
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
        let queue = self.queue_about(&made, &snapshot)?;
        self.queued(made, &queue, Some(&by), &snapshot)
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
    pub(super) fn current_run(&self) -> Option<RunId> {
        self.env.run.as_ref()?.innermost().cloned()
    }

    /// Tasks, by their places, and those of Beads behind them in its order; those that are done at the end. Of more than
    /// 20 MiB those that come last are left out, and told of.
    ///
    /// # Errors
    /// When the store can't be read, or the program that was named is not there or fails.
    pub fn tasks(&self, listed: Listed, keeper: Option<Keeper>) -> Result<(Vec<Queued>, Vec<Damage>), Error> {
        let snapshot = self.snapshot()?;
        let who = self.asking(&snapshot)?;
        let queue = self.queue_of(&snapshot)?;
        let issues = match self.issues(keeper, &queue) {
            Ok(issues) => issues,
            // Our own are told all the same, where nobody asked for others.
            Err(error) if keeper.is_none() => {
                self.notice(Notice::NoIssues(error.to_string()));
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        let mut open = self.candidates(keeper, &issues, &queue, who.instance(), &snapshot)?;
        open.retain(|task| listed == Listed::Open || listed == Listed::All || matches!(task.stand, Stand::Ready));
        let (mut tasks, mut size, mut unread) = (Vec::new(), 0, 0);
        for candidate in open {
            if size > layout::MAX_LISTING {
                unread += 1;
                continue;
            }
            let task = self.read_task(candidate, &queue, &snapshot)?;
            size += task.size();
            tasks.push(task);
        }
        if unread > 0 {
            self.notice(Notice::MoreTasks(unread));
        }
        if listed == Listed::All && keeper.is_none_or(|keeper| keeper == Keeper::Own) {
            let (mut done, _) = self.listed("tasks", snapshot.tasks(Extent::Newest, |task| task.done.is_some())?);
            done.sort_by_cached_key(Task::place);
            for task in done {
                tasks.push(self.queued(task, &queue, who.instance(), &snapshot)?);
            }
        }
        Ok((tasks, queue.damaged))
    }

    /// All tasks of our own, by their places.
    pub(super) fn own_tasks(&self, snapshot: &Snapshot<'_>) -> Result<(Vec<Queued>, Vec<Damage>), Error> {
        let queue = self.queue_of(snapshot)?;
        let mut tasks = snapshot.tasks(Extent::All, |_| true)?.records;
        tasks.sort_by_cached_key(Task::place);
        let own = tasks.into_iter().map(|task| self.queued(task, &queue, None, snapshot));
        Ok((own.collect::<Result<_, _>>()?, queue.damaged))
    }

    /// How those of our own stand that are not done.
    pub(super) fn overview(
        &self,
        me: Option<&InstanceId>,
        snapshot: &Snapshot<'_>,
    ) -> Result<(Overview, Vec<Damage>), Error> {
        let queue = self.queue_of(snapshot)?;
        let mut overview = Overview::default();
        for candidate in self.candidates(Some(Keeper::Own), &[], &queue, me, snapshot)? {
            match candidate.stand {
                Stand::Waits(_) => overview.waiting += 1,
                Stand::Ready => overview.ready += 1,
                Stand::Held(_) => overview.held.push(self.read_task(candidate, &queue, snapshot)?),
                Stand::Done(_) => {}
            }
        }
        Ok((overview, queue.damaged))
    }

    /// The issues that Beads calls ready, unless only our own tasks are wanted.
    fn issues(&self, keeper: Option<Keeper>, queue: &Queue) -> Result<Vec<(Keeper, Issue)>, Error> {
        let Some((keeper, beads)) = self.beads(keeper)? else { return Ok(Vec::new()) };
        // However many of them are held, there are some behind these.
        let issues = beads.ready(MOST_ISSUES + queue.held())?;
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
}

impl Queued {
    /// About how many bytes it takes.
    fn size(&self) -> usize {
        let listed = self.paths.len() + self.needs.len();
        self.title.len()
            + self.text.len()
            + self.paths.iter().map(|path| path.path.as_bytes().len()).sum::<usize>()
            + 32 * listed
    }
}

fn check(draft: &Draft) -> Result<(), Error> {
    if let Some(id) = draft.id.as_ref().filter(|id| id.as_str().starts_with('-')) {
        return Err(Error::usage(
            format!("the id {id} begins like an option"),
            "let it begin with anything but -, or leave --id out for a random one",
        ));
    }
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
