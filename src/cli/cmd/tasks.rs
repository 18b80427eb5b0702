mod show;

use self::show::Show;
use super::{Context, done, message};
use crate::{
    base::{id::InvalidName, text},
    cli::{
        error::usage,
        exit::Exit,
        format,
        json::{Damage, QueuedTask, TaskAnswer, TaskDoneAnswer, TasksAnswer},
    },
    model::task::Priority,
    ops::{
        self, Session,
        task::{Draft, Drawn, Finish, Keeper, Listed, Nothing, Queued, Stand},
    },
};
use clap::{Subcommand, ValueEnum};
use std::path::PathBuf;

/// Share a queue of tasks: put them in, see who is at which, take the next one
///
/// Several drivers, on one machine or on many, draw from the same queue, and each task is done once. Where the repository
/// has issues of Beads and `bd` or `br` is installed, those that it calls ready stand behind our own. Without a command
/// the tasks are listed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(Box<New>),
    List(List),
    Show(Show),
    Next(Next),
    Done(Done),
}

/// Put a task into the queue, and print its id
#[derive(Debug, clap::Args)]
pub(crate) struct New {
    /// What is to be done, in one line
    pub(crate) title: String,
    /// All that is to be said of it; - reads standard input
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// A path that it will change, with / at its end a folder; may be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Vec<PathBuf>,
    /// A task that has to be done before it; may be repeated
    #[arg(long, value_name = "ID")]
    pub(crate) needs: Vec<String>,
    /// How much it matters: from 0, which comes first, to 4; 2 unless given
    #[arg(long, value_name = "NUMBER")]
    pub(crate) priority: Option<u8>,
    /// Its id; a random one unless given
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
}

/// List the tasks that are not done, the next one first
#[derive(Debug, Default, clap::Args)]
pub(crate) struct List {
    /// Those that are done too
    #[arg(long)]
    pub(crate) all: bool,
    /// Only those that can be taken
    #[arg(long, conflicts_with = "all")]
    pub(crate) ready: bool,
    /// Only those of this keeper
    #[arg(long, value_name = "KEEPER")]
    pub(crate) from: Option<From>,
}

/// Take the next task that is ready, and print its id
///
/// By priority, then by age. It is held by a claim then; where a hub is named the hub has confirmed that. Whoever holds
/// one already gets the same one again. If none is ready, it ends with 8.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Next {
    /// One more, although one is held already
    #[arg(long)]
    pub(crate) another: bool,
    /// Only one of this keeper
    #[arg(long, value_name = "KEEPER")]
    pub(crate) from: Option<From>,
    /// Print a line of JSON with its id, title, text, paths and holder, and nothing else: for workflows
    #[arg(long)]
    pub(crate) brief: bool,
}

/// Say that a task is done; the claim on it ends with that
///
/// One that needs others is not done before them.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Done {
    /// The task; of a random id the beginning is enough
    pub(crate) id: String,
    /// What came of it; - reads standard input
    #[arg(long, value_name = "TEXT")]
    pub(crate) result: Option<String>,
    /// Although somebody else holds it, or nobody; for a person only
    #[arg(long, requires = "why")]
    pub(crate) force: bool,
    /// Why; whoever holds it will read it, and it stands with the task where no result is said
    #[arg(long, value_name = "TEXT", requires = "force")]
    pub(crate) why: Option<String>,
    /// Who keeps it, where that is not plain
    #[arg(long, value_name = "KEEPER")]
    pub(crate) from: Option<From>,
}

/// Who keeps a task.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum From {
    /// The store of git-aio
    Own,
    /// Beads, by the program bd
    Bd,
    /// Beads, by the program br
    Br,
}

impl std::convert::From<From> for Keeper {
    fn from(from: From) -> Keeper {
        match from {
            From::Own => Keeper::Own,
            From::Bd => Keeper::Bd,
            From::Br => Keeper::Br,
        }
    }
}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        match self.command {
            Some(Command::New(new)) => New { text: words(new.text.clone())?, ..*new }.run(cx, &session),
            Some(Command::List(list)) => list.run(cx, &session),
            Some(Command::Show(show)) => show.run(cx, &session),
            Some(Command::Next(next)) => next.run(cx, &session),
            Some(Command::Done(done)) => Done { result: words(done.result.clone())?, ..done }.run(cx, &session),
            None => List::default().run(cx, &session),
        }
    }
}

impl New {
    pub(crate) fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        let id = self.id.map(|id| id.parse()).transpose();
        let id = id.map_err(|error: InvalidName| usage(error.to_string(), "leave --id out for a random one"))?;
        let priority = self.priority.map_or(Ok(Priority::default()), |number| {
            let hint = format!("0 comes first, and {} last", Priority::LAST);
            Priority::new(number).ok_or_else(|| usage(format!("there is no priority {number}"), hint))
        })?;
        let paths = self.path.iter().map(|path| session.task_path(path)).collect::<Result<_, _>>()?;
        let text = self.text.unwrap_or_default();
        let made = session.new_task(&Draft { id, title: self.title, text, paths, needs: self.needs, priority });
        cx.tell_notices(session);
        let made = made?;
        let answered = cx.ui.answer(|| TaskAnswer::new(QueuedTask::new(&made)), |out| writeln!(out, "{}", made.id));
        done("the task was made", answered)?;
        Ok(Exit::Done)
    }
}

impl List {
    pub(crate) fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        let listed = match (self.all, self.ready) {
            (true, _) => Listed::All,
            (false, true) => Listed::Ready,
            (false, false) => Listed::Open,
        };
        let (tasks, damaged) = session.tasks(listed, self.from.map(Keeper::from))?;
        cx.tell_notices(session);
        cx.ui.answer(
            || {
                let damaged = damaged.iter().map(|d| Damage { path: d.path.clone(), reason: d.reason.clone() });
                TasksAnswer::new(tasks.iter().map(QueuedTask::new).collect(), damaged.collect())
            },
            |out| {
                let now = session.now();
                tasks.iter().try_for_each(|task| writeln!(out, "{}", format::task(task, now)))?;
                if tasks.is_empty() { writeln!(out, "no tasks") } else { Ok(()) }
            },
        )?;
        cx.warn_of_damage(&damaged);
        Ok(Exit::Done)
    }
}

/// Most characters of the text of a task that are shown: more than there can be, whatever has to be escaped.
const MAX_SHOWN: usize = 128 * 1024;

impl Next {
    pub(crate) fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        let drawn = session.next_task(self.another, self.from.map(Keeper::from));
        cx.tell_notices(session);
        let (task, held_before) = match drawn? {
            Drawn::Task { task, held_before } => (task, held_before),
            Drawn::Nothing(nothing) => return Err(none_ready(nothing).into()),
        };
        let line = if self.brief { brief(&task, session)? } else { task.id.to_string() };
        let answered = cx.ui.answer(|| TaskAnswer::new(QueuedTask::new(&task)), |out| writeln!(out, "{line}"));
        done("the task was taken", answered)?;
        if self.brief {
            return Ok(Exit::Done);
        }
        let before = if held_before { " (you hold it already)" } else { "" };
        cx.ui.say(format!("{}{before}", format::quoted(&task.title)));
        if !task.text.is_empty() {
            cx.ui.say(text::block(&task.text, MAX_SHOWN));
        }
        Ok(Exit::Done)
    }
}

/// What a workflow has to know of a task. It holds what it is given to a shape, so that nothing may be added here.
fn brief(task: &Queued, session: &Session) -> anyhow::Result<String> {
    #[derive(serde::Serialize)]
    struct Brief<'t> {
        id: &'t str,
        title: &'t str,
        text: &'t str,
        paths: Vec<String>,
        holder: String,
    }
    let holder = match &task.stand {
        Stand::Held(seen) => seen.claim.holder.to_string(),
        _ => String::new(),
    };
    let paths = task.paths.iter().map(|path| session.scope_word(path)).collect();
    let brief = Brief { id: task.id.as_str(), title: &task.title, text: &task.text, paths, holder };
    Ok(serde_json::to_string(&brief)?)
}

fn none_ready(nothing: Nothing) -> ops::Error {
    let why = match (nothing.held, nothing.waiting) {
        (0, 0) => "none is left".to_owned(),
        (held, 0) => format!("{} held", are(held)),
        (0, waiting) => format!("{} waiting for what nobody is at", are(waiting)),
        (held, waiting) => format!("{} held, {} waiting for others", are(held), are(waiting)),
    };
    let hint = match nothing {
        Nothing { held: 0, waiting: 0 } => "`git aio tasks new` puts one into the queue",
        _ => "`git aio tasks list` shows them",
    };
    ops::Error::NotFound { message: format!("no task is ready: {why}"), hint: Some(hint.into()) }
}

fn are(count: usize) -> String {
    format!("{count} {}", if count == 1 { "is" } else { "are" })
}

impl Done {
    pub(crate) fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        let forced = self.why.filter(|_| self.force);
        let finish = Finish { result: self.result, forced, keeper: self.from.map(Keeper::from) };
        let finished = session.finish_task(&self.id, &finish);
        cx.tell_notices(session);
        let (id, task, again) = finished?;
        let confirmed = if session.has_hub() && task.is_some() && !again { " (confirmed by the hub)" } else { "" };
        let answered = cx.ui.answer(
            || TaskDoneAnswer::new(id.to_string(), again, task.as_ref().map(QueuedTask::new)),
            |out| match again {
                true => writeln!(out, "{id} was done already, by you"),
                false => writeln!(out, "done {id}{confirmed}"),
            },
        );
        done("the task is done", answered)?;
        Ok(Exit::Done)
    }
}

/// What was given, or standard input for `-`. A tool has none to give.
fn words(given: Option<String>) -> anyhow::Result<Option<String>> {
    match given.as_deref() {
        Some("-") => Ok(Some(message(&["-".to_owned()])?).filter(|words| !words.is_empty())),
        _ => Ok(given),
    }
}
