//! A run as it goes on, for whoever watches: what has ended stays, and what goes on stands below it. Without a terminal
//! it is a line for each thing that happens, and for a program that asks a line of JSON.

use super::{
    format,
    json::{RunAnswer, RunEnd, RunEvent},
    ui::{BAD, BOLD, DIM, GOOD, ODD, Ui},
};
use crate::{
    base::text,
    model::{
        run::{Failure, FailureKind, StepStatus},
        verify::Outcome,
    },
    ops,
    runner::dispatch::Event,
};
use anstyle::Style;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    cell::RefCell,
    collections::HashMap,
    time::{Duration, Instant},
};

/// Most characters of a line that is somebody's.
const LINE: usize = 200;

/// Most lines of why something failed.
const LINES: usize = 12;

/// After so long without a word it is said that nothing is heard.
const SLOW: Duration = Duration::from_secs(60);

/// Tells what happens.
pub(crate) struct Live<'u> {
    ui: &'u Ui,
    lines: bool,
    /// Whether what goes on stands below.
    watched: bool,
    all: MultiProgress,
    steps: RefCell<HashMap<String, Shown>>,
}

/// A step that goes on.
struct Shown {
    bar: ProgressBar,
    began: Instant,
    agent: String,
    doing: String,
    heard: Instant,
    slow: bool,
    /// What its last attempt failed for, as that was told.
    failed: Option<String>,
}

impl<'u> Live<'u> {
    /// For whoever watches `ui`; with `lines`, lines of JSON on standard output.
    pub(crate) fn new(ui: &'u Ui, lines: bool) -> Self {
        let watched = ui.is_watched() && !lines;
        let target = if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Live { ui, lines, watched, all: MultiProgress::with_draw_target(target), steps: RefCell::default() }
    }

    /// Tells what happens.
    pub(crate) fn tell(&self, event: &Event) {
        if self.lines {
            if let Ok(line) = serde_json::to_string(&RunEvent::new(ops::now(), event)) {
                let _ = self.ui.print(&format!("{line}\n"));
            }
            return;
        }
        if let Some(step) = step_of(event) {
            self.note(step, event);
        }
        if let Some(line) = self.line(event) {
            self.say(&line);
        }
        if let Event::Step { step, status, .. } = event
            && is_over(status)
        {
            self.ends(step);
        }
    }

    /// The last line of those in JSON.
    ///
    /// # Errors
    /// When it can't be printed.
    pub(crate) fn answer(&self, answer: RunAnswer) -> anyhow::Result<()> {
        let line = serde_json::to_string(&RunEnd::new(ops::now(), answer))?;
        self.ui.print(&format!("{line}\n"))
    }

    /// Something that isn't of one step.
    pub(crate) fn say(&self, line: &str) {
        self.all.suspend(|| self.ui.say(line));
    }

    /// By which a question may have the terminal.
    pub(crate) fn pause(&self) -> Pause {
        Pause(self.watched.then(|| self.all.clone()))
    }

    /// Nothing goes on any more in this step.
    pub(crate) fn ends(&self, step: &str) -> Duration {
        let shown = self.steps.borrow_mut().remove(step);
        shown.map_or(Duration::ZERO, |shown| {
            shown.bar.finish_and_clear();
            shown.began.elapsed()
        })
    }

    /// Keeps what stands below up to date.
    fn note(&self, step: &str, event: &Event) {
        let mut steps = self.steps.borrow_mut();
        let shown = steps.entry(step.to_owned()).or_insert_with(|| Shown {
            bar: self.bar(),
            began: Instant::now(),
            agent: String::new(),
            doing: String::new(),
            heard: Instant::now(),
            slow: false,
            failed: None,
        });
        match event {
            Event::Alive { .. } => shown.slow = shown.heard.elapsed() > SLOW,
            _ => {
                shown.heard = Instant::now();
                shown.slow = false;
            }
        }
        match event {
            Event::Step { status, .. } => shown.doing = (*status).to_owned(),
            Event::Attempt { agent, .. } | Event::Next { agent, .. } => shown.agent.clone_from(agent),
            Event::Failed { text, .. } => shown.failed = Some(text.clone()),
            Event::Doing { text: words, .. } => shown.doing = text::one_line(words, LINE),
            Event::Checking { check, .. } => shown.doing = format!("checking {}", text::one_line(check, 80)),
            Event::Blocked { holders, .. } => shown.doing = text::one_line(&holders.join("; "), LINE),
            _ => {}
        }
        let slow = if shown.slow { "SLOW " } else { "" };
        shown.bar.set_message(format!("{slow}{step}  {}  {}", text::one_line(&shown.agent, 60), shown.doing));
    }

    fn bar(&self) -> ProgressBar {
        let bar = self.all.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("    run  [{elapsed:>7}] {msg}") {
            bar.set_style(style);
        }
        if self.watched {
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        bar
    }

    /// The line that stays, where something has come to an end.
    fn line(&self, event: &Event) -> Option<String> {
        let agent = |agent: &str| text::one_line(agent, 80);
        let one = |words: &str| text::one_line(words, LINE);
        let (style, word, rest) = match event {
            Event::Attempt { attempt, agent: who, instance, .. } => {
                let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
                let id = instance.as_ref().map(|id| format!(" as {id}")).unwrap_or_default();
                (DIM, "start", format!("{}{id}{again}", agent(who)))
            }
            Event::Document { path, .. } => (DIM, "task", format!("written to {}", one(path))),
            Event::Blocked { holders, .. } => (ODD, "wait", one(&holders.join("; "))),
            // Who watches sees it below.
            Event::Doing { text, .. } if !self.watched => (DIM, "", one(text)),
            Event::Text { text, .. } => (DIM, "note", one(text)),
            Event::Checked { check, outcome, why, .. } => {
                let style = [(Outcome::Passed, GOOD), (Outcome::Failed, BAD)];
                let style = style.into_iter().find(|(known, _)| known.as_str() == *outcome);
                let why = why.as_ref().map(|why| format!(": {}", one(why))).unwrap_or_default();
                (style.map_or(ODD, |(_, style)| style), *outcome, format!("{}{why}", one(check)))
            }
            Event::Reviewed { verdict, text, .. } => (ODD, *verdict, format!("says the reviewer: {}", one(text))),
            Event::Failed { agent: who, text, .. } => (BAD, "failed", format!("{}: {}", agent(who), lines(text))),
            Event::Again { seconds, .. } if *seconds > 0.0 => (ODD, "retry", format!("in {seconds} s")),
            Event::Again { .. } => (ODD, "retry", String::new()),
            Event::Next { agent: who, .. } => (ODD, "next", agent(who)),
            Event::Split { .. } => (ODD, "split", "its scope is halved".into()),
            Event::Step { status, .. } if *status == StepStatus::Queued.as_str() => {
                (DIM, "queue", "its turn comes: others of its tool are at work, or were started just now".into())
            }
            Event::Step { failure: Some(_), .. } if self.has_told(event) => return None,
            Event::Step { status, agent: who, failure, .. } if is_over(status) => {
                let style = if *status == StepStatus::Ok.as_str() { GOOD } else { ODD };
                let style = if *status == StepStatus::Failed.as_str() { BAD } else { style };
                let who = who.as_deref().map(agent).unwrap_or_default();
                let why = failure.as_ref().map(|why| format!("  {}", lines(why))).unwrap_or_default();
                (style, *status, format!("{who}{why}"))
            }
            Event::Items { count, .. } => (DIM, "items", count.to_string()),
            Event::Round { iteration, .. } => (DIM, "round", iteration.to_string()),
            Event::Complete { iterations, .. } => {
                (GOOD, "complete", format!("after {}", format::count(*iterations as usize, "round")))
            }
            // All of it is told in the end, where the run waits for an answer.
            Event::Asked { question, .. } => {
                let mut all = question.trim().lines();
                let first = one(all.next().unwrap_or_default());
                (ODD, "asks", if all.next().is_some() { format!("{first} …") } else { first })
            }
            Event::Score { score, .. } => (DIM, "score", one(&score.to_string())),
            Event::Issues { issues, .. } => (DIM, "issues", one(&issues.to_string())),
            Event::Compensating { error, .. } => (BAD, "compensating", lines(error)),
            Event::Undone { failure: None, .. } => (GOOD, "undone", String::new()),
            Event::Undone { failure: Some(why), .. } => (BAD, "undo_failed", lines(why)),
            Event::Doing { .. } | Event::Step { .. } | Event::Alive { .. } | Event::Checking { .. } => return None,
            Event::Run { .. } | Event::Result { .. } | Event::ItemResult { .. } => return None,
        };
        let step = step_of(event).unwrap_or_default();
        Some(row(style, word, self.elapsed(step), step, &rest))
    }

    /// Whether a step ends with what was told of its last attempt already.
    fn has_told(&self, event: &Event) -> bool {
        let Event::Step { step, failure, .. } = event else { return false };
        self.steps.borrow().get(step).is_some_and(|shown| shown.failed.is_some() && shown.failed == *failure)
    }

    fn elapsed(&self, step: &str) -> Duration {
        self.steps.borrow().get(step).map_or(Duration::ZERO, |shown| shown.began.elapsed())
    }
}

/// Keeps what goes on from being drawn over a question, and over the answer as it is typed.
pub(crate) struct Pause(Option<MultiProgress>);

impl Pause {
    /// Does what needs the terminal. What goes on stands there again afterwards.
    pub(crate) fn hold<T>(&self, asks: impl FnOnce() -> T) -> T {
        let Some(all) = &self.0 else { return asks() };
        let _ = all.clear();
        all.set_draw_target(ProgressDrawTarget::hidden());
        let answer = asks();
        all.set_draw_target(ProgressDrawTarget::stderr());
        answer
    }
}

/// A line of the display.
pub(crate) fn row(style: Style, word: &str, took: Duration, step: &str, rest: &str) -> String {
    format!("{style}{word:>8}{style:#} {DIM}[{:>7}]{DIM:#} {BOLD}{step}{BOLD:#}  {rest}", elapsed(took))
        .trim_end()
        .to_owned()
}

fn elapsed(took: Duration) -> String {
    match took.as_secs() {
        seconds @ 0..60 => format!("{:.1}s", seconds as f64 + f64::from(took.subsec_millis()) / 1000.0),
        seconds => format!("{}m {:02}s", seconds / 60, seconds % 60),
    }
}

/// Whether nothing more comes of a step that stands so.
fn is_over(status: &str) -> bool {
    StepStatus::ALL.iter().any(|known| known.is_final() && known.as_str() == status)
}

/// The step that something happened in.
fn step_of(event: &Event) -> Option<&str> {
    match event {
        Event::Run { .. } | Event::Compensating { .. } => None,
        Event::Step { step, .. }
        | Event::Items { step, .. }
        | Event::Round { step, .. }
        | Event::Complete { step, .. }
        | Event::Asked { step, .. }
        | Event::Result { step, .. }
        | Event::ItemResult { step, .. }
        | Event::Issues { step, .. }
        | Event::Score { step, .. }
        | Event::Undone { step, .. }
        | Event::Blocked { step, .. }
        | Event::Attempt { step, .. }
        | Event::Failed { step, .. }
        | Event::Again { step, .. }
        | Event::Next { step, .. }
        | Event::Split { step }
        | Event::Doing { step, .. }
        | Event::Text { step, .. }
        | Event::Alive { step }
        | Event::Document { step, .. }
        | Event::Checking { step, .. }
        | Event::Checked { step, .. }
        | Event::Reviewed { step, .. } => Some(step),
    }
}

/// Why something is not usable: the first and last lines of what is told.
pub(crate) fn reasons(failure: &Failure) -> String {
    if failure.text.trim().is_empty() { failure.kind.to_string() } else { lines(&failure.text) }
}

/// The first line of a text, and below it the last of the others.
fn lines(all: &str) -> String {
    let all = text::block(all, 20_000);
    let lines: Vec<&str> = all.lines().filter(|line| !line.trim().is_empty()).collect();
    let mut out = lines.first().map_or_else(String::new, |line| text::one_line(line, LINE));
    let rest = lines.get(1..).unwrap_or_default();
    let left_out = rest.len().saturating_sub(LINES);
    if left_out > 0 {
        out.push_str(&format!("\n  {DIM}| {} before this{DIM:#}", format::count(left_out, "line")));
    }
    for line in &rest[left_out..] {
        out.push_str(&format!("\n  {DIM}|{DIM:#} {}", text::one_line(line, LINE)));
    }
    out
}

/// What is the likely cause of the failure of an agent, for whoever has to do something about it.
pub(crate) fn likely_cause(kind: FailureKind, is_delegation: bool) -> Option<&'static str> {
    Some(match kind {
        FailureKind::Check | FailureKind::Missed if !is_delegation => {
            "the task does not say all that is required: name it by `accept` in the workflow"
        }
        FailureKind::Wrong if !is_delegation => {
            "the approach: say in the workflow how it is to be done, and what not to touch by `avoid`"
        }
        FailureKind::Absent => "the tool is not installed, or not on the PATH of this shell",
        FailureKind::Exit | FailureKind::Reported => "the prompt, the account or the network of the agent: see its log",
        FailureKind::Empty => "file access: an agent that is asked for permission and gets none may end without a word",
        FailureKind::TimedOut | FailureKind::Stalled => {
            "the scope is too broad: give it less at once, or have it split"
        }
        FailureKind::Scope => "the scope is too narrow for the task, or the task too broad for the scope",
        FailureKind::Check | FailureKind::Missed => "the task does not say all that is required: name it by --accept",
        FailureKind::Wrong => "the approach: say how it is to be done, and what not to touch by --avoid",
        FailureKind::Shape => "the prompt asks for another answer than the shape",
        FailureKind::ClaimLost
        | FailureKind::Held
        | FailureKind::Conflict
        | FailureKind::Lost
        | FailureKind::Internal => {
            return None;
        }
    })
}
