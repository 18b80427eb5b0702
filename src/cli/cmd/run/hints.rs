//! What can be done about a run that has ended, or waits.

use super::show::{QUESTION, how_to_answer};
use crate::{
    base::text,
    cli::{live::Live, outcome, ui::BOLD},
    model::{
        run::{CheckRecord, Failure, RunStatus, StepStatus},
        verify::{Outcome, Source},
    },
    runner::workflow::Finished,
};

/// What is to be read before it can be answered: a task, or a question of several lines. Of others there is the line that
/// told of them.
pub(super) fn tell_asked(live: &Live<'_>, finished: &Finished) {
    for asked in finished.questions.iter().filter(|asked| !asked.is_answered) {
        let Some(question) = asked.text.as_ref().filter(|text| text.trim().contains('\n')) else { continue };
        let question = text::block(question.trim_end(), QUESTION).replace('\n', "\n  ");
        live.say(&format!("\n{BOLD}{}{BOLD:#} asks\n  {question}\n", asked.step));
    }
}

/// A check that was to be made of work which is done, and was not, with why.
pub(super) fn left_out(finished: &Finished) -> Option<String> {
    let done = finished.run.steps.iter().filter(|step| step.status == StepStatus::Ok);
    let usable = done.flat_map(|step| step.attempts.iter().map(move |attempt| (step, attempt)));
    let mut checks = usable
        .filter(|(_, attempt)| attempt.failure.is_none())
        .flat_map(|(step, attempt)| attempt.checks.iter().map(move |check| (step, check)));
    // What a workflow wants unchecked is left out by its own word.
    let is_missing = |check: &CheckRecord| check.outcome == Outcome::NotRun && check.source != Source::Caller;
    let (step, check) = checks.find(|(_, check)| is_missing(check))?;
    let why = check.why.as_deref().unwrap_or("it was not run");
    let name = text::one_line(&check.name, 200);
    Some(format!("unverified: {name} was not run of {}: {}", step.path, text::one_line(why, 1000)))
}

/// The ways on, in the order in which they are to be read.
pub(super) fn hints(finished: &Finished) -> Vec<String> {
    let id = &finished.run.run.id;
    let mut hints = Vec::new();
    for asked in finished.questions.iter().filter(|asked| !asked.is_answered) {
        hints.push(format!("{} waits: {}", asked.step, how_to_answer(id, asked)));
    }
    match finished.ended.status {
        RunStatus::Complete | RunStatus::AllTransactionsComplete => hints.extend(left_out(finished)),
        RunStatus::Waiting => hints.push(format!("then `git aio run resume {id}` goes on")),
        RunStatus::Interrupted => hints.push(match finished.ended.failure {
            None => outcome::interrupted(id),
            Some(_) => outcome::held(id),
        }),
        RunStatus::Failed | RunStatus::Undone | RunStatus::UndoFailed => {
            if let Some((step, failure)) = &finished.ended.failure {
                hints.extend(outcome::cause(&finished.run, step, failure.kind));
                let again = || {
                    let is_step = finished.run.steps.iter().any(|known| known.path.as_str() == step);
                    is_step.then(|| outcome::again(id, step))
                };
                hints.extend(wants_event(finished, failure).or_else(again));
            }
            hints.push(format!("`git aio run log {id}` shows what was said, `git aio run show {id}` how it went"));
        }
        _ => {}
    }
    if let Some(why) = &finished.ended.unrecorded {
        hints.push(format!("nothing more could be recorded: {}", text::one_line(why, 500)));
    }
    hints
}

/// How a run has the event without which it has failed. What is read of one that there isn't is told as not being there.
fn wants_event(finished: &Finished, failure: &Failure) -> Option<String> {
    let event = finished.unheard.first()?;
    let name = &finished.run.run.workflow;
    let is_why = failure.text.contains("event.") && failure.text.contains("is not there");
    is_why.then(|| {
        format!(
            "{name} handles an event, and there was none: `git aio emit {event}` starts it with one, once \
             `git aio workflow enable {name}` was said"
        )
    })
}
