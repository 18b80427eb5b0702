mod hints;
mod named;
mod show;
pub(super) mod start;
mod takeover;

use self::{
    named::{known_step, run_and_step, run_or_step, step_path},
    show::{Diff, Log, Show, list},
    start::{Start, go_on, meant},
};
use super::{
    Context,
    delegate::{answer as tell_delegation, is_delegation},
};
use crate::{
    base::id::RunId,
    cli::{error::usage, exit::Exit, format, json::RunsAnswer, live::Live},
    model::run::{RunStatus, Step, StepStatus},
    ops::{Error, Session},
    runner::{
        cancel::{cancel, cancel_delegation},
        delegation::{self, Driving, STEP, Which, delegate},
        dispatch::{Answer as Meant, Event},
        work::Moment,
        workflow::{Resumption, answer},
    },
};
use clap::Subcommand;
use std::time::Duration;

/// Run a workflow, see what runs did, and go on with them
///
/// `git aio run <workflow>` prints the plan and carries it out. A run is named by its id, by the beginning of it, or by its
/// last digits; without one the newest that has begun is meant. A workflow that is named like one of the commands is written
/// with its file: ./list.toml
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(flatten)]
    start: Start,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List runs, the newest first
    List,
    Show(Show),
    Log(Log),
    Diff(Diff),
    Resume(Resume),
    Retry(Retry),
    Answer(Answer),
    Cancel(Cancel),
    Prune(Prune),
}

/// Go on with a run that was stopped, or whose driver is gone
///
/// A run of another clone is taken over, where `aio.syncRuns` is `full`, nobody works on it there, and the hub confirms it.
#[derive(Debug, clap::Args)]
struct Resume {
    /// The run; one of another clone has to be named
    run: Option<String>,
    /// Read the workflow anew, and keep what came of steps that are still the same
    #[arg(long)]
    updated: bool,
    /// Do this step again, with all that came after it
    #[arg(long, value_name = "STEP")]
    rerun: Option<String>,
    /// Say yes to the commands that a run of another clone is checked by, as a person who has seen them
    #[arg(long)]
    yes: bool,
    /// How long the run and its steps wait for what somebody else holds [default: as when it was begun]
    #[arg(long, value_name = "TIME", value_parser = super::duration)]
    wait: Option<Duration>,
    /// Print the events as lines of JSON
    #[arg(long, conflicts_with = "json")]
    jsonl: bool,
}

/// Do a step again, with all that came after it
///
/// A delegation that has failed is tried once more, with what it was asked for: its one step is `task`.
#[derive(Debug, clap::Args)]
struct Retry {
    /// The step, perhaps with its run: step, or run/step
    step: String,
    /// Print the events as lines of JSON
    #[arg(long, conflicts_with = "json")]
    jsonl: bool,
}

/// Answer what a run waits for; `git aio run resume` then goes on
#[derive(Debug, clap::Args)]
struct Answer {
    /// The run, with the step where several wait: run, or run/step
    run: String,
    /// ok or yes; failed or no; or what was asked for. Of a step whose driver died, ok, failed or rerun. Of the work of a
    /// delegation, ok and then its result; - reads standard input
    #[arg(required = true)]
    answer: Vec<String>,
}

/// End a run that was stopped or waits
///
/// What it did stays as it is. What had come back of a copy in part, since its driver was killed then, is put back.
#[derive(Debug, clap::Args)]
struct Cancel {
    /// The run
    run: Option<String>,
    /// Undo what it did, where its steps say how; what came to no end is put back
    #[arg(long)]
    undo: bool,
}

/// Let go of runs that ended long ago
#[derive(Debug, clap::Args)]
struct Prune {
    /// Those that ended before this long
    #[arg(long, value_name = "TIME", value_parser = super::duration, default_value = "30d")]
    older_than: Duration,
    /// Keep at least so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    keep: usize,
}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        let Some(command) = self.command else {
            return match self.start.workflow.clone() {
                Some(name) => self.start.run(cx, &session, &name),
                None => Err(usage(
                    "no workflow is named",
                    "`git aio workflow list` shows those there are; `git aio run list` shows runs",
                )),
            };
        };
        match command {
            Command::List => list(cx, &session),
            Command::Show(show) => show.run(cx, &session),
            Command::Log(log) => log.run(cx, &session),
            Command::Diff(diff) => diff.run(cx, &session),
            Command::Resume(resume) => resume.run(cx, &session),
            Command::Retry(retry) => retry.run(cx, &session),
            Command::Answer(answer) => answer.run(cx, &session),
            Command::Cancel(cancel) => cancel.run(cx, &session),
            Command::Prune(prune) => prune.run(cx, &session),
        }
    }
}

impl Resume {
    fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        let id = session.find_run(self.run.as_deref())?;
        let shown = session.shown_run(&id)?;
        let again = self.updated || self.rerun.is_some();
        // One that was refused is begun.
        if shown.run.status.is_final() && !shown.run.status.is_unbegun() && !again {
            let hint = match (is_delegation(&shown.run.workflow), shown.run.status) {
                (false, _) => {
                    format!("`git aio run show {id}` tells how; `git aio run retry {id}/<step>` does a step again")
                }
                (true, RunStatus::Failed) => {
                    format!("`git aio run show {id}` tells how; `git aio run retry {id}/{STEP}` tries once more")
                }
                (true, _) => format!("`git aio run show {id}` tells how"),
            };
            return Err(usage(format!("{id} has ended: {}", shown.run.status), hint));
        }
        if shown.is_elsewhere {
            takeover::take_over(cx, session, &shown, self.run.is_some(), self.yes)?;
        }
        if !is_delegation(&shown.run.workflow) {
            let rerun = self.rerun.as_deref().map(step_path).transpose()?;
            rerun.iter().try_for_each(|step| known_step(&shown, step))?;
            let how = Resumption { updated: self.updated, rerun, cancel: false };
            return go_on(cx, session, &id, &how, self.wait, self.jsonl);
        }
        if again {
            let hint = format!("`git aio run retry {id}/{STEP}` tries once more, where it has failed");
            return Err(usage(format!("{id} is a delegation of one step"), hint));
        }
        go_on_with_delegation(cx, session, Which::GoOn(&id), self.wait, self.jsonl)
    }
}

fn go_on_with_delegation(
    cx: &Context,
    session: &Session,
    which: Which<'_>,
    wait: Option<Duration>,
    lines: bool,
) -> anyhow::Result<Exit> {
    let live = Live::new(&cx.ui, lines);
    let driving = Driving { acting_as: cx.acting_as.clone(), wait };
    let tell = &|moment: Moment| live.tell(&Event::of(STEP, &moment));
    let finished = delegate(session, which, &driving, &|_| {}, tell)?;
    cx.tell_notices(session);
    tell_delegation(cx, &live, &finished, lines)
}

impl Retry {
    fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        let (id, step) = run_and_step(session, &self.step)?;
        let Some(step) = step else {
            return Err(usage("no step is named", "name one as run/step; `git aio run show` lists them"));
        };
        let shown = session.shown_run(&id)?;
        known_step(&shown, &step)?;
        if is_delegation(&shown.run.workflow) {
            return go_on_with_delegation(cx, session, Which::Retry(&id), None, self.jsonl);
        }
        let how = Resumption { rerun: Some(step), ..Resumption::default() };
        go_on(cx, session, &id, &how, None, self.jsonl)
    }
}

impl Answer {
    fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        let (id, step) = run_or_step(session, &self.run)?;
        let known = session.shown_run(&id)?;
        if is_delegation(&known.run.workflow) {
            let result = super::message(&self.answer[1..])?;
            match meant(&self.answer[0]) {
                Meant::Yes => delegation::answer(session, &id, true, &result)?,
                Meant::No => delegation::answer(session, &id, false, &result)?,
                Meant::Text(_) | Meant::Rerun => {
                    return Err(usage("a delegation is answered by ok or failed", "give its result after that"));
                }
            }
            return shown(cx, session, &id);
        }
        let waits = |step: &&Step| matches!(step.status, StepStatus::Asked | StepStatus::Lost);
        let waiting: Vec<&Step> = known.steps.iter().filter(waits).collect();
        let step = match (step, waiting.as_slice()) {
            (Some(step), _) => step,
            (None, [one]) => one.path.clone(),
            (None, []) => {
                return Err(Error::NotFound {
                    message: format!("{id} waits for no answer: it is {}", known.run.status),
                    hint: Some(format!("`git aio run show {id}` tells how it stands")),
                }
                .into());
            }
            (None, several) => {
                let names: Vec<&str> = several.iter().map(|step| step.path.as_str()).collect();
                return Err(usage(
                    format!("{} steps of {id} wait for an answer", several.len()),
                    format!("name one as run/step: {}", names.join(", ")),
                ));
            }
        };
        let words = super::message(&self.answer)?;
        answer(session, &id, &step, &words, meant(&words), cx.acting_as.clone())?;
        shown(cx, session, &id)
    }
}

impl Cancel {
    fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        let id = session.find_run(self.run.as_deref())?;
        let known = session.shown_run(&id)?;
        if known.run.status.is_final() {
            return Err(usage(format!("{id} has ended: {}", known.run.status), "`git aio run show` tells how"));
        }
        if self.undo && !is_delegation(&known.run.workflow) {
            let how = Resumption { cancel: true, ..Resumption::default() };
            return go_on(cx, session, &id, &how, None, false);
        }
        if self.undo {
            let live = Live::new(&cx.ui, false);
            let driving = Driving { acting_as: cx.acting_as.clone(), wait: None };
            let tell = &|moment: Moment| live.tell(&Event::of(STEP, &moment));
            let left = cancel_delegation(session, &id, &driving, tell)?;
            let exit = shown(cx, session, &id)?;
            return left.map_or(Ok(exit), |left| Err(Error::Failed(format!("not all is undone: {left}")).into()));
        }
        cancel(session, &id, &|words| cx.ui.say(words))?;
        shown(cx, session, &id)
    }
}

fn shown(cx: &Context, session: &Session, id: &RunId) -> anyhow::Result<Exit> {
    let shown = session.shown_run(id)?;
    cx.tell_notices(session);
    show::answer(cx, session, &shown)
}

impl Prune {
    fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        let gone = session.prune_runs(self.older_than, self.keep)?;
        let kept = match self.keep {
            0 => String::new(),
            keep => format!(
                "; the newest {} kept in any case (--keep)",
                if keep == 1 { "one is".into() } else { format!("{keep} are") }
            ),
        };
        cx.ui.answer(
            || RunsAnswer::new(&gone, 0),
            |out| writeln!(out, "{} let go of{kept}", format::count(gone.len(), "run")),
        )?;
        Ok(Exit::Done)
    }
}
