mod named;
pub(super) mod start;
mod takeover;

use self::{
    named::{known_step, run_and_step, step_path},
    start::{Start, go_on, meant},
};
use super::{
    Context,
    delegate::{answer as tell_delegation, is_delegation},
};
use crate::{
    base::{id::RunId, text},
    cli::{
        error::usage,
        exit::Exit,
        format,
        json::{RunAnswer, RunsAnswer},
        live::{Live, at, reasons, row},
        ui::{BAD, DIM, GOOD, ODD},
    },
    model::{
        run::{Attempt, RunStatus, Step, StepStatus},
        verify::{Outcome, Verdict},
    },
    ops::{Session, run::ShownRun},
    runner::{
        delegation::{Driving, STEP, resume},
        dispatch::Answer as Meant,
        dispatch::Event,
        ledger,
        work::Moment,
        workflow::{Resumption, answer},
    },
};
use anstyle::Style;
use clap::Subcommand;
use std::{io::Write, time::Duration};

/// Most claims that are named.
const NAMED: usize = 8;

/// Run a workflow, see what runs did, and go on with them
///
/// `git aio run <workflow>` prints the plan and carries it out. A run is named by its id, by the beginning of it, or by its
/// last digits; without one the newest is meant. A workflow that is named like one of the commands is written with its
/// file: ./list.toml
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

/// Show a run: its steps, who tried them, how they were checked, and why what failed did
#[derive(Debug, clap::Args)]
struct Show {
    /// The run
    run: Option<String>,
    /// Print its ledger: what is completed, in progress and pending
    #[arg(long)]
    ledger: bool,
}

/// Show what an agent printed, and what happened in a run
#[derive(Debug, clap::Args)]
struct Log {
    /// The run
    run: Option<String>,
    /// Show the changes of its state, the newest first, and not what was printed
    #[arg(long)]
    events: bool,
}

/// Show what an attempt changed, also one that was not usable and is taken back
#[derive(Debug, clap::Args)]
struct Diff {
    /// The run, and perhaps a step of it and an attempt: run, run/step, run/step@1
    run: Option<String>,
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
    /// Print the events as lines of JSON
    #[arg(long, conflicts_with = "json")]
    jsonl: bool,
}

/// Do a step again, with all that came after it
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
    /// ok or yes; failed or no; rerun, for a step that was lost; or what was asked for. Of the work of a delegation, ok and then
    /// its result; - reads standard input
    #[arg(required = true)]
    answer: Vec<String>,
}

/// End a run that was stopped or waits
#[derive(Debug, clap::Args)]
struct Cancel {
    /// The run
    run: Option<String>,
    /// Undo what it did, where its steps say how
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

fn list(cx: &Context, session: &Session) -> anyhow::Result<Exit> {
    let (runs, damaged) = session.runs()?;
    let now = session.now();
    cx.ui.answer(
        || RunsAnswer::new(&runs, damaged),
        |out| {
            for ShownRun { run, is_elsewhere, .. } in &runs {
                let elsewhere = if *is_elsewhere { ", elsewhere" } else { "" };
                let style = style(run.status);
                let began = format::ago(run.began, now);
                let title = text::one_line(&run.title, 80);
                writeln!(
                    out,
                    "{style}{:<12}{style:#} {}  {DIM}{began}{elsewhere}{DIM:#}  {title}",
                    run.status.as_str(),
                    run.id
                )?;
            }
            if runs.is_empty() {
                writeln!(out, "no runs")?;
            }
            Ok(())
        },
    )?;
    if damaged > 0 {
        cx.ui.warn(format!("{} can't be read", format::count(damaged, "run")));
    }
    Ok(Exit::Done)
}

fn style(status: RunStatus) -> Style {
    match status {
        RunStatus::Complete | RunStatus::AllTransactionsComplete => GOOD,
        RunStatus::Failed | RunStatus::UndoFailed | RunStatus::Lost => BAD,
        _ => ODD,
    }
}

impl Show {
    fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        let id = session.find_run(self.run.as_deref())?;
        let shown = session.shown_run(&id)?;
        if self.ledger {
            cx.refuse_json("the ledger is Markdown")?;
            cx.ui.print(&ledger::render(&shown.run, &shown.steps))?;
            return Ok(Exit::Done);
        }
        cx.ui.answer(|| RunAnswer::new(&shown, verdict(&shown.steps), Vec::new()), |out| write_run(out, &shown))?;
        Ok(Exit::Done)
    }
}

fn write_run(out: &mut dyn Write, shown: &ShownRun) -> std::io::Result<()> {
    let run = &shown.run;
    let style = style(run.status);
    writeln!(out, "{}  {style}{}{style:#}  {}", run.id, run.status, text::one_line(&run.title, 200))?;
    for step in &shown.steps {
        writeln!(out, "{}", step_row(step))?;
        for attempt in &step.attempts {
            write_attempt(out, attempt)?;
        }
    }
    shown.damaged.iter().try_for_each(|damage| writeln!(out, "{BAD}damaged{BAD:#} {}", text::one_line(damage, 200)))?;
    if !run.links.is_empty() {
        let links: Vec<String> = run.links.iter().take(NAMED).map(|link| text::one_line(link, 40)).collect();
        let more = if run.links.len() > NAMED { " and more" } else { "" };
        writeln!(out, "{DIM}claims{DIM:#} {}{more}", links.join(" "))?;
    }
    if shown.is_elsewhere {
        writeln!(out, "it is driven in the clone {}; this is what was last heard of it", run.driver.clone)?;
    }
    if !shown.is_here {
        writeln!(out, "what it was asked and what it said is in the clone where it ran")?;
    }
    Ok(())
}

/// What the checks of what is done showed; `None` where nothing was to be checked.
fn verdict(steps: &[Step]) -> Option<Verdict> {
    let done = steps.iter().filter(|step| step.status == StepStatus::Ok);
    let mut checks = done.filter_map(|step| step.attempts.last()).flat_map(|last| &last.checks).peekable();
    checks.peek()?;
    Some(Verdict::of(checks.map(|check| (check.source, check.outcome))))
}

fn step_row(step: &Step) -> String {
    let style = match step.status {
        StepStatus::Ok => GOOD,
        StepStatus::Failed | StepStatus::UndoFailed | StepStatus::Lost => BAD,
        _ => ODD,
    };
    let took = step.began.zip(step.ended).and_then(|(began, ended)| (ended - began).to_std().ok()).unwrap_or_default();
    let verdict = verdict(std::slice::from_ref(step)).map(|verdict| format!(", {}", verdict.as_str()));
    let said = match step.status {
        StepStatus::Ok => format!("{} bytes{}", step.bytes, verdict.unwrap_or_default()),
        _ => String::new(),
    };
    row(style, step.status.as_str(), took, step.path.as_str(), &said)
}

fn write_attempt(out: &mut dyn Write, attempt: &Attempt) -> std::io::Result<()> {
    let how = attempt.failure.as_ref().map_or_else(|| attempt.stage.to_string(), |failure| failure.kind.to_string());
    let took = attempt.took.map(|took| format!(", {:.1}s", took.as_secs_f64())).unwrap_or_default();
    let files = match attempt.files.len() {
        0 => String::new(),
        count => format!(", {}", format::count(count, "file")),
    };
    let who = text::one_line(&attempt.agent, 80);
    let session =
        attempt.session.as_ref().map(|id| format!(", session {}", text::one_line(id, 60))).unwrap_or_default();
    writeln!(out, "    @{} {who}: {how}{took}{files}{session}{}", attempt.number, usage_words(attempt))?;
    for check in &attempt.checks {
        let word = check.outcome.as_str();
        let style = match check.outcome {
            Outcome::Passed => GOOD,
            Outcome::Failed => BAD,
            Outcome::NotRun => ODD,
        };
        let why = check.why.as_ref().map(|why| format!(": {}", text::one_line(why, 200))).unwrap_or_default();
        writeln!(out, "       {style}{word:<7}{style:#} {}{why}", text::one_line(&check.name, 200))?;
    }
    if let Some((verdict, notes)) = &attempt.review {
        writeln!(out, "       {ODD}{verdict:<7}{ODD:#} review: {}", text::one_line(notes, 500))?;
    }
    match &attempt.failure {
        Some(failure) => writeln!(out, "       {}", reasons(failure).replace('\n', "\n     ")),
        None => Ok(()),
    }
}

fn usage_words(attempt: &Attempt) -> String {
    let tokens = attempt.usage.input.zip(attempt.usage.output);
    let tokens = tokens.map(|(input, output)| format!(", {input} tokens in, {output} out")).unwrap_or_default();
    let cost = attempt.usage.cost.map(|cost| format!(", ${:.4}", cost as f64 / 1e6)).unwrap_or_default();
    format!("{tokens}{cost}")
}

impl Log {
    fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        cx.refuse_json("a log is text")?;
        let id = session.find_run(self.run.as_deref())?;
        if self.events {
            for event in session.run_events(&id)? {
                cx.ui.print(&format!("{DIM}{}{DIM:#} {}\n", at(event.at), text::one_line(&event.subject, 200)))?;
            }
            return Ok(Exit::Done);
        }
        let logs = session.logs_of_run(&id)?;
        if logs.is_empty() {
            cx.ui.say(format!("{id} has no log in this clone"));
        }
        for (path, bytes) in logs {
            cx.ui.print(&format!("{DIM}{}{DIM:#}\n", text::one_line(&path.to_string_lossy(), 400)))?;
            cx.ui.print(&format!("{}\n", text::block(&String::from_utf8_lossy(&bytes), usize::MAX).trim_end()))?;
        }
        Ok(Exit::Done)
    }
}

impl Diff {
    fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        cx.refuse_json("a diff is text")?;
        let named = self.run.unwrap_or_default();
        let (named, number) = match named.rsplit_once('@') {
            Some((named, number)) => (named.to_owned(), Some(attempt_number(number)?)),
            None => (named, None),
        };
        let (run, step) = match named.split_once('/') {
            Some((run, step)) => (run.to_owned(), Some(step.to_owned())),
            None => (named, None),
        };
        let id = session.find_run(Some(run.as_str()).filter(|run| !run.is_empty()))?;
        let shown = session.shown_run(&id)?;
        let steps: Vec<&Step> = match &step {
            Some(step) => shown.steps.iter().filter(|shown| shown.path.as_str() == step).collect(),
            None => shown.steps.iter().collect(),
        };
        if steps.is_empty() {
            return Err(usage(format!("{id} has no such step"), "`git aio run show` lists its steps"));
        }
        let mut any = false;
        for step in steps {
            let meant = match number {
                Some(number) => step.attempts.iter().find(|attempt| attempt.number == number),
                None => step.attempts.iter().rev().find(|attempt| !attempt.files.is_empty()),
            };
            let Some(diff) = meant.map(|attempt| session.diff_of_attempt(attempt)).transpose()?.flatten() else {
                continue;
            };
            any = true;
            cx.ui.print(&format!("{}\n", text::block(&diff.text, usize::MAX).trim_end()))?;
            if diff.is_cut {
                cx.ui.warn("there is more of it than is shown");
            }
        }
        if !any {
            cx.ui.say("nothing was changed");
        }
        Ok(Exit::Done)
    }
}

fn attempt_number(text: &str) -> anyhow::Result<u32> {
    text.parse().map_err(|_| {
        usage(format!("'@{}' is no attempt", format::target(text)), "attempts are counted from 1: run/step@1")
    })
}

impl Resume {
    fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        let id = session.find_run(self.run.as_deref())?;
        let shown = session.shown_run(&id)?;
        let again = self.updated || self.rerun.is_some();
        if shown.run.status.is_final() && !again {
            return Err(usage(
                format!("{id} has ended: {}", shown.run.status),
                "`git aio run show` tells how; `git aio run retry <step>` does a step again",
            ));
        }
        if !is_delegation(&shown.run.workflow) {
            let rerun = self.rerun.as_deref().map(step_path).transpose()?;
            rerun.iter().try_for_each(|step| known_step(&shown, step))?;
            let how = Resumption { updated: self.updated, rerun, cancel: false };
            return go_on(cx, session, &id, &how, self.jsonl);
        }
        if again {
            return Err(usage(format!("{id} is a delegation of one step"), "delegate the task again"));
        }
        if shown.is_elsewhere {
            if self.run.is_none() {
                return Err(usage(
                    format!("{id} is driven in another clone"),
                    "name it, if this clone is to take it over",
                ));
            }
            if !takeover::take_over(cx, session, &id, self.yes)? {
                return Ok(Exit::Conflict);
            }
        }
        let live = Live::new(&cx.ui, self.jsonl);
        let driving = Driving { acting_as: cx.acting_as.clone(), patience: Duration::ZERO };
        let tell = &|moment: Moment| live.tell(&Event::of(STEP, &moment));
        let finished = resume(session, &id, &driving, &|_| {}, tell)?;
        cx.tell_notices(session);
        tell_delegation(cx, &live, &finished, self.jsonl)
    }
}

impl Retry {
    fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        let (id, step) = run_and_step(session, &self.step)?;
        let Some(step) = step else {
            return Err(usage("no step is named", "name one as run/step; `git aio run show` lists them"));
        };
        known_step(&session.shown_run(&id)?, &step)?;
        let how = Resumption { rerun: Some(step), ..Resumption::default() };
        go_on(cx, session, &id, &how, self.jsonl)
    }
}

impl Answer {
    fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        let (id, step) = run_and_step(session, &self.run)?;
        let known = session.shown_run(&id)?;
        if is_delegation(&known.run.workflow) {
            let result = super::message(&self.answer[1..])?;
            match meant(&self.answer[0]) {
                Meant::Yes => session.answer_run(&id, true, &result)?,
                Meant::No => session.answer_run(&id, false, &result)?,
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
            (None, several) => {
                let names: Vec<&str> = several.iter().map(|step| step.path.as_str()).collect();
                return Err(usage(
                    format!("{} steps of {id} wait for an answer", several.len()),
                    format!("name one as run/step: {}", names.join(", ")),
                ));
            }
        };
        let words = super::message(&self.answer)?;
        answer(session, &id, &step, &meant(&words), cx.acting_as.clone())?;
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
            return go_on(cx, session, &id, &how, false);
        }
        session.cancel_run(&id)?;
        shown(cx, session, &id)
    }
}

fn shown(cx: &Context, session: &Session, id: &RunId) -> anyhow::Result<Exit> {
    let shown = session.shown_run(id)?;
    cx.tell_notices(session);
    cx.ui.answer(|| RunAnswer::new(&shown, verdict(&shown.steps), Vec::new()), |out| write_run(out, &shown))?;
    Ok(Exit::Done)
}

impl Prune {
    fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        let gone = session.prune_runs(self.older_than, self.keep)?;
        cx.ui.answer(
            || RunsAnswer::new(&gone, 0),
            |out| writeln!(out, "{} let go of", format::count(gone.len(), "run")),
        )?;
        Ok(Exit::Done)
    }
}
