//! A run as it goes on, for whoever watches: what has ended stays, and what goes on stands below it. Without a terminal
//! it is a line for each thing that happens, and for a program that asks a line of JSON.

use super::{
    format,
    json::RunEvent,
    ui::{BAD, BOLD, DIM, GOOD, ODD, Ui},
};
use crate::{
    base::{text, world::Time},
    model::{
        run::{Failure, FailureKind, StepStatus},
        verify::Outcome,
    },
    ops,
    runner::work::Moment,
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
}

impl<'u> Live<'u> {
    /// For whoever watches `ui`; with `lines`, lines of JSON on standard output.
    pub(crate) fn new(ui: &'u Ui, lines: bool) -> Self {
        let watched = ui.is_watched() && !lines;
        let target = if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Live { ui, lines, all: MultiProgress::with_draw_target(target), steps: RefCell::default() }
    }

    /// Tells what happens in a step.
    pub(crate) fn tell(&self, step: &str, moment: &Moment) {
        if self.lines {
            let event = RunEvent::new(ops::now(), step, moment);
            if let Ok(line) = serde_json::to_string(&event) {
                let _ = self.ui.print(&format!("{line}\n"));
            }
            return;
        }
        self.note(step, moment);
        if let Some(line) = self.line(step, moment) {
            self.say(&line);
        }
    }

    /// Something that isn't of one step.
    pub(crate) fn say(&self, line: &str) {
        self.all.suspend(|| self.ui.say(line));
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
    fn note(&self, step: &str, moment: &Moment) {
        let mut steps = self.steps.borrow_mut();
        let shown = steps.entry(step.to_owned()).or_insert_with(|| Shown {
            bar: self.bar(),
            began: Instant::now(),
            agent: String::new(),
            doing: String::new(),
            heard: Instant::now(),
            slow: false,
        });
        match moment {
            Moment::Alive => shown.slow = shown.heard.elapsed() > SLOW,
            _ => {
                shown.heard = Instant::now();
                shown.slow = false;
            }
        }
        match moment {
            Moment::Status(status) => shown.doing = status.to_string(),
            Moment::Tries { agent, .. } | Moment::Next { agent } => shown.agent.clone_from(agent),
            Moment::Doing(words) => shown.doing = text::one_line(words, LINE),
            Moment::Checks(name) => shown.doing = format!("checking {}", text::one_line(name, 80)),
            Moment::Blocked(by) => shown.doing = text::one_line(&by.join("; "), LINE),
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
        if !self.all.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        bar
    }

    /// The line that stays, where something has come to an end.
    fn line(&self, step: &str, moment: &Moment) -> Option<String> {
        let words = |style: Style, word: &str, rest: String| Some(row(style, word, self.elapsed(step), step, &rest));
        let agent = |agent: &str| text::one_line(agent, 80);
        match moment {
            Moment::Tries { attempt, agent: who, instance } => {
                let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
                let id = instance.as_ref().map(|id| format!(" as {id}")).unwrap_or_default();
                words(DIM, "start", format!("{}{id}{again}", agent(who)))
            }
            Moment::Document(path) => {
                words(DIM, "task", format!("written to {}", text::one_line(&path.to_string_lossy(), LINE)))
            }
            Moment::Blocked(by) => words(ODD, "wait", text::one_line(&by.join("; "), LINE)),
            // Who watches sees it below.
            Moment::Doing(doing) if self.all.is_hidden() => words(DIM, "", text::one_line(doing, LINE)),
            Moment::Said(said) => words(DIM, "note", text::one_line(said, LINE)),
            Moment::Checked(checked) => {
                let style = match checked.outcome {
                    Outcome::Passed => GOOD,
                    Outcome::Failed => BAD,
                    Outcome::NotRun => ODD,
                };
                let why =
                    checked.why.as_ref().map(|why| format!(": {}", text::one_line(why, LINE))).unwrap_or_default();
                words(style, checked.outcome.as_str(), format!("{}{why}", text::one_line(&checked.name, LINE)))
            }
            Moment::Reviewed(verdict, notes) => {
                words(ODD, verdict.as_str(), format!("says the reviewer: {}", text::one_line(notes, LINE)))
            }
            Moment::Failed { agent: who, failure, .. } => {
                words(BAD, "failed", format!("{}: {}", agent(who), reasons(failure)))
            }
            Moment::Again { after } if after.is_zero() => words(ODD, "retry", String::new()),
            Moment::Again { after } => words(ODD, "retry", format!("in {}", humantime::format_duration(*after))),
            Moment::Next { agent: who } => words(ODD, "next", agent(who)),
            Moment::Split => words(ODD, "split", "its scope is halved".into()),
            Moment::Status(StepStatus::Queued) => words(DIM, "queue", "it was started elsewhere just now".into()),
            Moment::Doing(_) | Moment::Status(_) | Moment::Alive | Moment::Checks(_) => None,
        }
    }

    fn elapsed(&self, step: &str) -> Duration {
        self.steps.borrow().get(step).map_or(Duration::ZERO, |shown| shown.began.elapsed())
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

/// Why something is not usable: the word, and the first and last lines of what is told.
pub(crate) fn reasons(failure: &Failure) -> String {
    let all = text::block(&failure.text, 20_000);
    let lines: Vec<&str> = all.lines().filter(|line| !line.trim().is_empty()).collect();
    let mut out = lines.first().map_or_else(|| failure.kind.to_string(), |line| text::one_line(line, LINE));
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

/// What is the likely cause of a failure, for whoever has to do something about it.
pub(crate) fn likely_cause(kind: FailureKind) -> Option<&'static str> {
    Some(match kind {
        FailureKind::Absent => "the tool is not installed, or not on the PATH of this shell",
        FailureKind::Exit | FailureKind::Reported => "the prompt, the account or the network of the agent: see its log",
        FailureKind::Empty => "file access: an agent that is asked for permission and gets none may end without a word",
        FailureKind::TimedOut | FailureKind::Stalled => "the scope is too broad: give it less at once, or --split",
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

/// The moment that something happened, for the log.
pub(crate) fn at(time: Time) -> String {
    format::rfc3339(time)
}
