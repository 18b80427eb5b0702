//! The progress ledger: what is done, what is being done, and what is still to be done, for whoever likes to read a file.

use super::{journal, plan::Plan, work::Moment};
use crate::{
    base::{id::RunId, text},
    model::run::{Run, Step, StepStatus},
    ops::Session,
};
use std::{fmt::Write as _, path::Path};

/// Most characters of a question that are told.
const QUESTION: usize = 4000;

/// The ledger of a run, in Markdown.
pub fn render(run: &Run, steps: &[Step]) -> String {
    written(run, steps, &|_| None)
}

/// The same, with what steps ask that wait for an answer, as far as that is kept in this clone.
pub fn render_asking(session: &Session, run: &Run, steps: &[Step]) -> String {
    written(run, steps, &|step| {
        let waits = step.status == StepStatus::Asked;
        waits.then(|| journal::question(session, &run.id, &step.path).ok().flatten()).flatten()
    })
}

fn written(run: &Run, steps: &[Step], question: &dyn Fn(&Step) -> Option<String>) -> String {
    let mut out = format!("# Progress: {}\n\n{}, {}\n", text::one_line(&run.title, 200), run.id, run.status);
    let is_done = |step: &&Step| step.status.is_final();
    let is_new = |step: &&Step| matches!(step.status, StepStatus::Waiting);
    section(&mut out, "Completed", steps.iter().filter(is_done), question);
    section(&mut out, "In Progress", steps.iter().filter(|step| !is_done(step) && !is_new(step)), question);
    section(&mut out, "Pending", steps.iter().filter(is_new), question);
    out
}

/// The steps of a run, and behind them those that its plan has and that have not begun. What is inside of others is known
/// once these have.
pub fn with_pending(steps: &[Step], plan: &Plan) -> Vec<Step> {
    let mut all = steps.to_vec();
    for planned in &plan.steps {
        let is_known = steps.iter().any(|step| step.path.as_str() == planned.place);
        if let Ok(path) = planned.place.parse()
            && !is_known
            && !planned.place.contains('/')
        {
            all.push(Step::new(path, planned.kind));
        }
    }
    all
}

/// Keeps the ledger of a run with this plan in `file`, as its record stands. It is for whoever likes to look: that it can't
/// be written is no reason to stop.
pub fn keep(session: &Session, file: &str, run: &RunId, plan: &Plan) {
    if let Ok(shown) = session.shown_run(run) {
        let steps = with_pending(&shown.steps, plan);
        let _ = session.write_ledger(Path::new(file), &render_asking(session, &shown.run, &steps));
    }
}

fn section<'s>(
    out: &mut String,
    title: &str,
    steps: impl Iterator<Item = &'s Step>,
    question: &dyn Fn(&Step) -> Option<String>,
) {
    let _ = write!(out, "\n## {title}\n\n");
    let mut any = false;
    for step in steps {
        any = true;
        let mark = if step.status == StepStatus::Ok { "x" } else { " " };
        let agent = step.agent().map(|agent| format!(" ({})", text::one_line(agent, 80))).unwrap_or_default();
        let _ = writeln!(out, "- [{mark}] {}{agent}{}", step.path, how(step));
        for line in question(step).iter().flat_map(|asked| quoted(asked)) {
            let _ = writeln!(out, "  {line}");
        }
    }
    if !any {
        out.push_str("none\n");
    }
}

/// Somebody's words as lines of a quotation, which none of them ends.
fn quoted(words: &str) -> Vec<String> {
    text::block(words.trim_end(), QUESTION).lines().map(|line| format!("> {line}").trim_end().to_owned()).collect()
}

/// How a step stands, where its place in the ledger doesn't say it.
fn how(step: &Step) -> String {
    match step.status {
        StepStatus::Ok => format!(": {}", step.size()),
        StepStatus::Waiting => String::new(),
        StepStatus::Failed => ": Failed (0 bytes)".to_owned(),
        status => format!(": {status}"),
    }
}

/// Has a step follow what is told of it; whether the ledger is another one now.
pub fn follow(step: &mut Step, moment: &Moment) -> bool {
    match moment {
        Moment::Status(status) if step.status != *status => {
            step.status = *status;
            true
        }
        _ => false,
    }
}
