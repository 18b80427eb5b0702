//! What runs were and are: shown, and nothing changed.

use super::{
    super::Context,
    named::{known_attempt, known_step, run_or_step},
};
use crate::{
    base::{id::RunId, text},
    cli::{
        error::usage,
        exit::Exit,
        format,
        json::{RunAnswer, RunsAnswer},
        live::{reasons, row},
        ui::{BAD, DIM, GOOD, ODD},
    },
    model::{
        run::{Attempt, Run, RunStatus, Step, StepStatus},
        verify::{Outcome, Verdict},
    },
    ops::{Session, note::Found, run::ShownRun},
    runner::{
        ledger,
        workflow::{Question, asked, questions, with_pending},
    },
};
use anstyle::Style;
use std::io::Write;

/// Most characters of a question that are shown; the rest is in `--json`.
pub(super) const QUESTION: usize = 20_000;

/// Most claims that are named.
const NAMED: usize = 8;

/// Show a run: its steps, who tried them, how they were checked, and why what failed did
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The run
    run: Option<String>,
    /// Print its ledger: what is completed, in progress and pending
    #[arg(long)]
    ledger: bool,
}

/// Show what an agent printed and a step asked, and what happened in a run
#[derive(Debug, clap::Args)]
pub(super) struct Log {
    /// The run
    run: Option<String>,
    /// Show the changes of its state, the newest first, and not what was printed
    #[arg(long)]
    events: bool,
}

/// Show what an attempt changed, also one that was not usable and is taken back
#[derive(Debug, clap::Args)]
pub(super) struct Diff {
    /// The run, and perhaps a step of it and an attempt: run, run/step, run/step@1; step@1 of the newest run
    run: Option<String>,
}

pub(super) fn list(cx: &Context, session: &Session) -> anyhow::Result<Exit> {
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
        RunStatus::Failed | RunStatus::Refused | RunStatus::UndoFailed | RunStatus::Lost => BAD,
        _ => ODD,
    }
}

impl Show {
    pub(super) fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        let id = session.find_run_or_refused(self.run.as_deref())?;
        let shown = session.shown_run(&id)?;
        if self.ledger {
            cx.refuse_json("the ledger is Markdown")?;
            cx.ui.print(&ledger::render_asking(session, &shown.run, &with_pending(session, &shown)))?;
            return Ok(Exit::Done);
        }
        answer(cx, session, &shown)
    }
}

/// Tells how a run stands, and what came of it beside its result.
pub(super) fn answer(cx: &Context, session: &Session, shown: &ShownRun) -> anyhow::Result<Exit> {
    let left = session.left_by_run(&shown.run.id)?;
    let questions = questions(session, shown);
    cx.ui.answer(
        || RunAnswer::new(shown, verdict(&shown.steps), Vec::new()).with_left(&left).with_questions(&questions),
        |out| write_run(out, shown, &questions, &left),
    )?;
    Ok(Exit::Done)
}

fn write_run(out: &mut dyn Write, shown: &ShownRun, questions: &[Question], left: &Found) -> std::io::Result<()> {
    let run = &shown.run;
    let style = style(run.status);
    writeln!(out, "{}  {style}{}{style:#}  {}", run.id, run.status, text::one_line(&run.title, 200))?;
    run.why.iter().try_for_each(|why| writeln!(out, "  {}", text::block(why, 4000).replace('\n', "\n  ")))?;
    if run.status == RunStatus::Refused {
        writeln!(out, "  {}", how_to_begin(&run.id))?;
    }
    for step in &shown.steps {
        writeln!(out, "{}", step_row(step))?;
        for attempt in &step.attempts {
            write_attempt(out, attempt)?;
        }
        // Where the last attempt failed it has told why.
        let is_told = step.attempts.last().is_some_and(|last| last.failure.is_some());
        if let Some(failure) = step.failure.as_ref().filter(|_| !is_told) {
            writeln!(out, "    {}", reasons(failure).replace('\n', "\n    "))?;
        }
        questions
            .iter()
            .filter(|asked| asked.step == step.path)
            .try_for_each(|asked| write_question(out, run, asked))?;
    }
    shown.damaged.iter().try_for_each(|damage| writeln!(out, "{BAD}damaged{BAD:#} {}", text::one_line(damage, 200)))?;
    if !run.links.is_empty() {
        let links: Vec<String> = run.links.iter().take(NAMED).map(|link| text::one_line(link, 40)).collect();
        let more = if run.links.len() > NAMED { " and more" } else { "" };
        writeln!(out, "{DIM}claims{DIM:#} {}{more}", links.join(" "))?;
    }
    for handoff in left.handoffs.iter().take(NAMED) {
        writeln!(out, "{DIM}handoff{DIM:#} {}  {}", handoff.id, text::one_line(&handoff.document.title, 120))?;
    }
    for note in left.notes.iter().take(NAMED) {
        let words = text::one_line(&note.text, 120);
        writeln!(out, "{DIM}note{DIM:#} {} {}  {words}", &note.id.as_str()[..8], note.category.as_str())?;
    }
    if shown.is_elsewhere {
        writeln!(out, "it is driven in the clone {}; this is what was last heard of it", run.driver.clone)?;
    }
    if !shown.is_here {
        writeln!(out, "what it was asked and what it said is in the clone where it ran")?;
    }
    Ok(())
}

/// How a run begins that was refused.
fn how_to_begin(id: &RunId) -> String {
    format!("`git aio run resume {id}` begins it, once that is free")
}

/// What a step asks, and whether somebody has answered.
fn write_question(out: &mut dyn Write, run: &Run, asked: &Question) -> std::io::Result<()> {
    if let Some(text) = &asked.text {
        writeln!(out, "    {}", text::block(text, QUESTION).trim_end().replace('\n', "\n    "))?;
    }
    let id = &run.id;
    if asked.is_answered {
        return writeln!(out, "    {GOOD}answered{GOOD:#}: `git aio run resume {id}` goes on");
    }
    writeln!(out, "    {ODD}waits{ODD:#}: {}", how_to_answer(id, asked))
}

/// How somebody answers what a step asks.
pub(super) fn how_to_answer(id: &RunId, asked: &Question) -> String {
    let words = asked.wants.as_ref().map(|wants| match wants.contains(' ') {
        true => format!("\"<{}>\"", text::one_line(wants, 200)),
        false => text::one_line(wants, 200),
    });
    format!("`git aio run answer {id}/{} {}`", asked.step, words.as_deref().unwrap_or(asked.takes.as_str()))
}

/// What the checks of what is done showed; `None` where nothing was to be checked.
pub(super) fn verdict(steps: &[Step]) -> Option<Verdict> {
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
        StepStatus::Ok => format!("{}{}", step.size(), verdict.unwrap_or_default()),
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
    pub(super) fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        cx.refuse_json("a log is text")?;
        let id = session.find_run_or_refused(self.run.as_deref())?;
        if self.events {
            for event in session.run_events(&id)? {
                cx.ui.print(&format!(
                    "{DIM}{}{DIM:#} {}\n",
                    format::rfc3339(event.at),
                    text::one_line(&event.subject, 200)
                ))?;
            }
            return Ok(Exit::Done);
        }
        let logs = session.logs_of_run(&id)?;
        let shown = session.shown_run(&id)?;
        let asked = asked(session, &shown);
        let Run { status, why, .. } = shown.run;
        if let Some(why) = why {
            cx.ui.print(&format!("{status}: {}\n", text::block(&why, 4000)))?;
            if status == RunStatus::Refused {
                cx.ui.print(&format!("{}\n", how_to_begin(&id)))?;
            }
        } else if logs.is_empty() && asked.is_empty() {
            cx.ui.say(format!("{id} has no log in this clone"));
        }
        for (step, question) in asked {
            let question = text::block(question.trim_end(), QUESTION).replace('\n', "\n  ");
            cx.ui.print(&format!("{DIM}{step} asks{DIM:#}\n  {question}\n"))?;
        }
        for (path, bytes) in logs {
            cx.ui.print(&format!("{DIM}{}{DIM:#}\n", text::one_line(&path.to_string_lossy(), 400)))?;
            cx.ui.print(&format!("{}\n", text::block(&String::from_utf8_lossy(&bytes), usize::MAX).trim_end()))?;
        }
        Ok(Exit::Done)
    }
}

impl Diff {
    pub(super) fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        cx.refuse_json("a diff is text")?;
        let named = self.run.unwrap_or_default();
        let (named, number) = match named.rsplit_once('@') {
            Some((named, number)) => (named.to_owned(), Some(attempt_number(number)?)),
            None => (named, None),
        };
        let (id, step) = run_or_step(session, &named)?;
        let shown = session.shown_run(&id)?;
        step.as_ref().map_or(Ok(()), |step| known_step(&shown, step))?;
        let is_meant = |shown: &&Step| step.as_ref().is_none_or(|step| shown.path == *step);
        let steps: Vec<&Step> = shown.steps.iter().filter(is_meant).collect();
        number.map_or(Ok(()), |number| known_attempt(&id, &steps, number))?;
        let is_unseen =
            |attempt: &Attempt| attempt.before.is_some() && attempt.after.is_none() && attempt.took.is_some();
        let unseen = steps.iter().any(|step| step.attempts.last().is_some_and(is_unseen));
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
            // A line of a diff may be a single space, which has to stay for whoever applies it.
            cx.ui.print(&format!("{}\n", text::block(&diff.text, usize::MAX).trim_end_matches('\n')))?;
            if diff.is_cut {
                cx.ui.warn("there is more of it than is shown");
            }
        }
        if !any {
            cx.ui.say(if unseen { "what was changed could not be seen" } else { "nothing was changed" });
        }
        Ok(Exit::Done)
    }
}

fn attempt_number(text: &str) -> anyhow::Result<u32> {
    text.parse().map_err(|_| {
        usage(format!("'@{}' is no attempt", format::target(text)), "attempts are counted from 1: run/step@1")
    })
}
