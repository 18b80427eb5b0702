//! A workflow is begun, or gone on with.

use super::{
    super::{Context, duration},
    hints::{hints, left_out, tell_asked},
};
use crate::{
    base::{
        id::{RunId, StepPath},
        text,
    },
    cli::{
        error::usage,
        exit::Exit,
        format,
        json::RunAnswer,
        live::{Live, Pause, reasons},
        outcome,
        ui::{BAD, BOLD, GOOD, ODD},
    },
    model::run::{Run, RunStatus, StepStatus},
    ops::{Error, Session},
    runner::{
        crew::Ask,
        delegation::Driving,
        dispatch::{Answer, Asking},
        language::LoadError,
        library::Workflows,
        step::text_of,
        workflow::{Finished, Order, Ready, Resumption, WorkflowError, ready, resume, start},
    },
};
use std::{
    cell::OnceCell,
    io::{BufRead as _, IsTerminal as _, Write as _},
    path::Path,
    time::Duration,
};

/// What a run is begun with.
#[derive(Debug, clap::Args)]
pub(crate) struct Start {
    /// The workflow: a name, or a file that ends in .toml
    pub(super) workflow: Option<String>,
    /// An input; may be repeated
    #[arg(long, short, value_name = "NAME=VALUE")]
    input: Vec<String>,
    /// Print the plan, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Begin it, and go on with it in the background
    #[arg(long, conflicts_with_all = ["dry_run", "jsonl"])]
    detach: bool,
    /// The most steps at once
    #[arg(long, value_name = "N")]
    max_parallel: Option<usize>,
    /// How long the run and its steps wait for what somebody else holds [default: 30m for a step]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    wait: Option<Duration>,
    /// Print the events as lines of JSON
    #[arg(long, conflicts_with = "json")]
    jsonl: bool,
    /// Say yes to checks that are guessed from the kind of project, as a person who has seen them
    #[arg(long)]
    yes: bool,
}

impl Start {
    pub(super) fn run(self, cx: &Context, session: &Session, name: &str) -> anyhow::Result<Exit> {
        let (name, library) = library(session, name)?;
        let ready = ready(&name, &library, session).map_err(told)?;
        let inputs = ready.inputs(&self.input).map_err(told)?;
        if self.max_parallel == Some(0) {
            return Err(usage("nothing can be done with --max-parallel 0", "give it 1 at least"));
        }
        let plan = text::block(&ready.plan.to_string(), 100_000);
        if self.dry_run {
            cx.refuse_json("a plan is text")?;
            cx.ui.print(&plan)?;
            return Ok(Exit::Done);
        }
        let order = Order {
            name,
            inputs,
            max_parallel: self.max_parallel,
            consents: self.consents(cx, session)?,
            ..Order::default()
        };
        let driving = Driving { acting_as: cx.acting_as.clone(), wait: self.wait };
        if !self.jsonl {
            cx.ui.say(plan.trim_end());
        }
        begin(cx, session, &ready, order, &driving, self.jsonl, self.detach)
    }

    /// Guessed checks are shown when they are asked for, once for all steps.
    fn consents(&self, cx: &Context, session: &Session) -> anyhow::Result<bool> {
        let says_yes = self.yes && cx.ui.can_ask() && session.cannot_consent()?.is_none();
        Ok(says_yes)
    }
}

/// The workflows there are to be run, and what the one is called that is meant by a word.
pub(in crate::cli::cmd) fn library(session: &Session, word: &str) -> anyhow::Result<(String, Workflows)> {
    let library = Workflows::to_run(session.workflow_texts()?);
    let path = Path::new(word);
    if !word.ends_with(".toml") {
        return Ok((word.to_owned(), library));
    }
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    if !crate::ops::workflow::is_name(&name) {
        return Err(usage(
            format!("{} can't be a workflow", format::target(word)),
            "its name has to be of small letters, digits and -, and end in .toml",
        ));
    }
    let text = session.named_text(path, crate::runner::language::MAX_FILE)?;
    Ok((name.clone(), library.with(&name, word, text)))
}

/// Begins a run, and tells how it ended.
pub(in crate::cli::cmd) fn begin(
    cx: &Context,
    session: &Session,
    ready: &Ready,
    order: Order,
    driving: &Driving,
    lines: bool,
    detach: bool,
) -> anyhow::Result<Exit> {
    if detach {
        let id = crate::runner::workflow::begin_detached(session, ready, order, driving).map_err(told)?;
        let shown = session.shown_run(&id)?;
        cx.ui.answer(|| RunAnswer::new(&shown, None, Vec::new()), |out| writeln!(out, "{id}"))?;
        return Ok(Exit::Done);
    }
    let live = Live::new(&cx.ui, lines);
    let finished = carry_out(cx, session, ready, order, driving, &live, lines)?;
    answer(cx, &live, &finished, lines)
}

/// The same for one of several runs, whose answers are given together.
pub(in crate::cli::cmd) fn one_of_many(
    cx: &Context,
    session: &Session,
    ready: &Ready,
    order: Order,
    driving: &Driving,
) -> anyhow::Result<(RunAnswer, Exit)> {
    let live = Live::new(&cx.ui, false);
    let finished = carry_out(cx, session, ready, order, driving, &live, false)?;
    live.say(&report(&finished));
    tell_asked(&live, &finished);
    let answer = RunAnswer::new(&finished.run, None, hints(&finished)).with_questions(&finished.questions);
    let answer = answer.with_result(finished.ended.out.clone());
    Ok((answer, exit_of(&finished)))
}

fn carry_out(
    cx: &Context,
    session: &Session,
    ready: &Ready,
    order: Order,
    driving: &Driving,
    live: &Live<'_>,
    lines: bool,
) -> anyhow::Result<Finished> {
    let driven = OnceCell::new();
    let began = |run: &Run| {
        let _ = driven.set(run.id.clone());
        if !lines {
            live.say(&format!("{}  {}", run.id, text::one_line(&run.title, 100)))
        }
    };
    let ask = asking(cx, session, live.pause())?;
    let finished = start(session, ready, order, driving, ask, &began, &mut |event| live.tell(event));
    let finished = finished.map_err(|error| came_to_nothing(session, live, lines, driven.get(), error))?;
    cx.tell_notices(session);
    Ok(finished)
}

/// Why a run could not begin, or go on. Where lines of JSON are asked for, the last tells how it stands.
fn came_to_nothing(
    session: &Session,
    live: &Live<'_>,
    lines: bool,
    driven: Option<&RunId>,
    error: WorkflowError,
) -> anyhow::Error {
    let shown = driven.filter(|_| lines).and_then(|id| session.shown_run(id).ok());
    if let Some(shown) = shown {
        // Why it came to nothing is to be told in any case.
        let _ = live.answer(RunAnswer::new(&shown, None, Vec::new()));
    }
    told(error)
}

/// Goes on with a run of a workflow.
pub(super) fn go_on(
    cx: &Context,
    session: &Session,
    id: &RunId,
    how: &Resumption,
    wait: Option<Duration>,
    lines: bool,
) -> anyhow::Result<Exit> {
    let live = Live::new(&cx.ui, lines);
    let driving = Driving { acting_as: cx.acting_as.clone(), wait };
    let library = Workflows::to_run(session.workflow_texts()?);
    let ask = asking(cx, session, live.pause())?;
    let tell = &mut |event: &crate::runner::dispatch::Event| live.tell(event);
    let driven = OnceCell::new();
    let began = |run: &Run| drop(driven.set(run.id.clone()));
    let finished = resume(session, id, &library, how, &driving, ask, &began, tell);
    let finished = finished.map_err(|error| came_to_nothing(session, &live, lines, driven.get(), error))?;
    cx.tell_notices(session);
    answer(cx, &live, &finished, lines)
}

/// Asks a person at a terminal; nobody else.
fn asking(cx: &Context, session: &Session, live: Pause) -> anyhow::Result<Box<Ask>> {
    let is_person = cx.ui.can_ask() && session.cannot_consent()?.is_none();
    Ok(Box::new(move |step: &StepPath, asking: &Asking<'_>| match is_person && std::io::stdin().is_terminal() {
        true => live.hold(|| ask(step, asking)),
        false => None,
    }))
}

/// Asks till there is an answer that can be taken; `None` where there comes none any more.
fn ask(step: &StepPath, asking: &Asking<'_>) -> Option<Answer> {
    let mut err = anstream::stderr();
    let _ = writeln!(err, "\n{BOLD}{step}{BOLD:#}: {}", text::block(asking.question, 20_000));
    let wants = asking.wanted();
    let wants = text::one_line(wants.as_deref().unwrap_or("yes/no, or words"), 200);
    loop {
        let _ = write!(err, "[{wants}] ");
        let _ = err.flush();
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).ok().filter(|count| *count > 0)?;
        let words = line.trim();
        // What is asked for the first time can't be done again.
        let meant = Some(meant(words)).filter(|meant| *meant != Answer::Rerun);
        match asking.taken(words, meant.unwrap_or_else(|| Answer::Text(words.to_owned()))) {
            Ok(answer) => return Some(answer),
            Err(_) if asking.is_over() => return None,
            Err(why) => drop(writeln!(err, "{}", text::one_line(&why, 400))),
        }
    }
}

/// What an answer means.
pub(super) fn meant(words: &str) -> Answer {
    match words.to_ascii_lowercase().as_str() {
        "y" | "yes" | "ok" => Answer::Yes,
        "n" | "no" | "failed" => Answer::No,
        "rerun" => Answer::Rerun,
        _ => Answer::Text(words.to_owned()),
    }
}

/// That there is no workflow of a name.
pub(in crate::cli::cmd) fn unknown(message: String) -> anyhow::Error {
    Error::NotFound { message, hint: Some("`git aio workflow list` shows those there are".into()) }.into()
}

/// What is wrong with a workflow, as wrong use.
pub(in crate::cli::cmd) fn told(error: WorkflowError) -> anyhow::Error {
    match error {
        WorkflowError::Other(error) => error.into(),
        WorkflowError::Load(error @ LoadError::NotApproved { .. }) => Error::NotAllowed {
            message: error.to_string(),
            hint: Some("a person looks at it, and approves it by `git aio trust`".into()),
        }
        .into(),
        WorkflowError::Load(error @ LoadError::Unknown { .. }) => unknown(error.to_string()),
        WorkflowError::Given { message, workflow, needed } => {
            let give: String = needed.iter().map(|name| format!(" -i {name}=…")).collect();
            let show = format!("`git aio workflow show {workflow}` shows its inputs");
            let hint = if give.is_empty() { show } else { format!("`git aio run {workflow}{give}`; {show}") };
            usage(message, hint)
        }
        error => {
            usage(error.to_string(), "`git aio workflow list` shows the workflows, docs/workflows.md the language")
        }
    }
}

fn answer(cx: &Context, live: &Live<'_>, finished: &Finished, lines: bool) -> anyhow::Result<Exit> {
    let exit = exit_of(finished);
    let hints = hints(finished);
    let result = text_of(&finished.ended.out);
    let answer = || {
        let answer = RunAnswer::new(&finished.run, None, hints.clone()).with_questions(&finished.questions);
        answer.with_result(finished.ended.out.clone())
    };
    if lines {
        live.answer(answer())?;
        return Ok(exit);
    }
    live.say(&report(finished));
    tell_asked(live, finished);
    cx.ui.answer(answer, |out| match exit {
        Exit::Done | Exit::Unreached | Exit::Unverified if !result.is_empty() => {
            writeln!(out, "{}", text::block(&result, usize::MAX))
        }
        _ => Ok(()),
    })?;
    if !cx.ui.json {
        hints.iter().for_each(|hint| cx.ui.say(hint));
    }
    Ok(exit)
}

/// Each step with the bytes of its result, and how the run stands.
fn report(finished: &Finished) -> String {
    let mut out = String::new();
    for step in &finished.run.steps {
        let (style, mark) = match step.status {
            StepStatus::Ok => (GOOD, "✓"),
            StepStatus::Failed | StepStatus::UndoFailed => (BAD, "✗"),
            _ => (ODD, "·"),
        };
        out.push_str(&format!("{style}{mark}{style:#} {}  {}\n", step.path, outcome::said(step)));
    }
    let status = finished.ended.status;
    let style = if exit_of(finished) == Exit::Done { GOOD } else { BAD };
    out.push_str(&format!("{style}{status}{style:#}"));
    if let Some(words) = cancelled(finished) {
        out.push_str(&format!("\n{words}"));
    } else if let (RunStatus::Interrupted, Some((step, held))) = (status, &finished.ended.failure) {
        out.push_str(&format!("\n{} can't go on: {}", text::one_line(step, 200), reasons(held)));
    } else if let Some((step, failure)) = &finished.ended.failure {
        // What has failed as a whole is no step.
        let step = if step.is_empty() { String::new() } else { text::one_line(step, 200) + ": " };
        out.push_str(&format!("\nPipeline failed: {step}{}", reasons(failure)));
    }
    out
}

/// What came of it that the run was to be cancelled; `None` where it was not, or had failed already.
fn cancelled(finished: &Finished) -> Option<&'static str> {
    let is_own = finished.ended.failure.as_ref().is_some_and(|(step, _)| step.is_empty());
    match finished.ended.status {
        _ if !finished.is_cancelled || !is_own => None,
        RunStatus::Failed => Some("the run was cancelled; nothing that it did says how it is undone"),
        RunStatus::Undone => Some("the run was cancelled, and what it did is undone"),
        RunStatus::UndoFailed => Some("the run was cancelled, and not all that it did could be undone"),
        _ => None,
    }
}

fn exit_of(finished: &Finished) -> Exit {
    let failure = finished.ended.failure.as_ref().map(|(_, failure)| failure.kind);
    match finished.ended.status {
        RunStatus::Complete | RunStatus::AllTransactionsComplete if left_out(finished).is_some() => Exit::Unverified,
        RunStatus::Complete | RunStatus::AllTransactionsComplete => Exit::Done,
        RunStatus::MaxIterationsReached => Exit::Unreached,
        RunStatus::Waiting => Exit::Waiting,
        RunStatus::Undone => Exit::Undone,
        RunStatus::Interrupted if failure.is_none() => Exit::Interrupted,
        RunStatus::UndoFailed => Exit::Failed,
        // As for a run that is cancelled without that.
        RunStatus::Failed if cancelled(finished).is_some() => Exit::Done,
        _ => outcome::exit_of(failure),
    }
}
