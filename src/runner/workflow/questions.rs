//! What a run asks, what it takes for an answer, and whether somebody has given one.

use super::{Kept, Ready, WorkflowError, begun, kept};
use crate::{
    base::{
        id::{RunId, StepPath},
        text,
    },
    model::run::{Run, RunStatus, Step, StepStatus},
    ops::{Error, Session, run::ShownRun},
    runner::{
        delegation::DELEGATION,
        dispatch::{Answer, asking},
        journal,
        language::{
            shape::Form,
            workflow::{Action, Step as Written},
        },
        recorder::{Book, Recorder},
    },
};

/// A step that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Which.
    pub step: StepPath,
    /// What is asked, where that is known in this clone.
    pub text: Option<String>,
    /// What the answer has to be, where not any is as good: `ship|stop`, `a whole number`.
    pub wants: Option<String>,
    /// What is taken for an answer besides.
    pub takes: Takes,
    /// Whether there is an answer, which is heard when the run goes on.
    pub is_answered: bool,
}

/// What a step takes for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Yes, no, or words: it asks.
    Words,
    /// That it is done, or can't be, or what came of it: the task is the caller's.
    Outcome,
    /// That it was done, that it failed, or that it is to be done again: its driver died meanwhile.
    Fate,
    /// That it is done, or can't be, and then what came of it: it is a delegation.
    OutcomeAndResult,
}

impl Takes {
    fn of(run: &Run, step: &Step) -> Takes {
        match (&*step.kind, step.status) {
            ("ask", _) => Takes::Words,
            (_, StepStatus::Asked) if run.workflow == DELEGATION => Takes::OutcomeAndResult,
            (_, StepStatus::Asked) => Takes::Outcome,
            _ => Takes::Fate,
        }
    }

    /// In words, as they are written behind `git aio run answer <run>/<step>`.
    pub fn as_str(self) -> &'static str {
        match self {
            Takes::Words => "yes|no|\"<words>\"",
            Takes::Outcome => "ok|failed|\"<result>\"",
            Takes::Fate => "ok|failed|rerun",
            Takes::OutcomeAndResult => "ok|failed \"<result>\"",
        }
    }
}

/// What the steps of a run wait for. Nothing that can't be read keeps the rest from being told.
pub fn questions(session: &Session, shown: &ShownRun) -> Vec<Question> {
    let id = &shown.run.id;
    let waits = |step: &&Step| matches!(step.status, StepStatus::Asked | StepStatus::Lost);
    let steps: Vec<&Step> = shown.steps.iter().filter(waits).collect();
    if steps.is_empty() || shown.run.status.is_final() {
        return Vec::new();
    }
    let ready = as_it_was(session, id).ok();
    let question = |step: &Step| Question {
        step: step.path.clone(),
        text: match step.status {
            StepStatus::Lost => Some(asking::LOST.to_owned()),
            _ => journal::question(session, id, &step.path).ok().flatten(),
        },
        wants: ready.as_ref().filter(|_| step.status == StepStatus::Asked).and_then(|ready| wanted(ready, &step.path)),
        takes: Takes::of(&shown.run, step),
        is_answered: journal::is_answered(session, id, &step.path).is_ok_and(|is| is),
    };
    steps.into_iter().map(question).collect()
}

/// All that the steps of a run have asked, answered or not, as far as it is kept in this clone.
pub fn asked(session: &Session, shown: &ShownRun) -> Vec<(StepPath, String)> {
    let mut known = journal::all_questions(session, &shown.run.id).unwrap_or_default();
    shown.steps.iter().filter_map(|step| known.remove_entry(&step.path)).collect()
}

/// Keeps an answer for a step that waits for one. It is heard when the run is resumed. `meant` is what `words` mean where
/// no word is wanted that is written as they are.
///
/// # Errors
/// When the run or the step doesn't wait, the run is being driven, or the step takes no such answer.
pub fn answer(
    session: &Session,
    id: &RunId,
    path: &StepPath,
    words: &str,
    meant: Answer,
    acting_as: Option<String>,
) -> Result<(), Error> {
    let shown = session.run_to_answer(id, &[RunStatus::Waiting, RunStatus::Interrupted, RunStatus::Lost])?;
    let is_open = |step: &&Step| step.began.is_some() && !step.status.is_final();
    let Some(step) = shown.steps.iter().filter(is_open).find(|step| step.path == *path) else {
        return Err(Error::NotFound {
            message: format!("{path} of {id} waits for no answer"),
            hint: Some("`git aio run show` tells which step does".into()),
        });
    };
    let answer = match as_it_was(session, id) {
        Ok(ready) => fitting(&ready, (step, Takes::of(&shown.run, step)), words, meant)?,
        // Whoever goes on with it can't, either, and is told why.
        Err(_) => meant,
    };
    let (recorder, recording, ..) = Recorder::start(&session.root()?, acting_as, Book::Known(id.clone()))?;
    journal::answer(&recorder, path, &answer)?;
    let waits = |run: &mut Run| run.status = RunStatus::Waiting;
    recorder.change(waits, format!("{path}: answered"))?;
    drop(recording);
    Ok(())
}

/// The workflow of a run, as it was when that began.
fn as_it_was(session: &Session, id: &RunId) -> Result<Ready, WorkflowError> {
    let Kept { order, texts, .. } = kept(session, id)?;
    begun(&order.name, &texts, session)
}

/// The answer, if it is what the step wants.
fn fitting(ready: &Ready, (step, takes): (&Step, Takes), words: &str, meant: Answer) -> Result<Answer, Error> {
    let path = &step.path;
    let form = action(&ready.workflow.steps, path).and_then(Action::shape);
    let is_named =
        form.is_some_and(|form| matches!(&**form, Form::Word(known) if known.iter().any(|word| word == words)));
    let is_taken = match (&meant, takes) {
        _ if is_named => true,
        (Answer::Rerun, takes) => takes == Takes::Fate,
        (Answer::Text(_), Takes::Fate) => form.is_some(),
        _ => true,
    };
    if !is_taken {
        return Err(not_taken(step, takes, words));
    }
    // Of what is done by somebody else it is told so that it is done.
    let is_settled = matches!(meant, Answer::Yes) && takes != Takes::Words && !is_named;
    let Some(form) = form.filter(|_| !is_settled) else { return Ok(meant) };
    let hint = asking::takes(form).map(|takes| format!("{path} {takes}"));
    asking::taken(form, words, meant).map_err(|message| Error::Usage { message, hint })
}

/// That words are no answer, with those that are.
fn not_taken(step: &Step, takes: Takes, words: &str) -> Error {
    let path = &step.path;
    let (message, hint) = match takes {
        Takes::Fate => (
            format!("{} is no answer for {path}, whose driver died while it was at work", text::one_line(words, 60)),
            "say ok (or yes) where it was done, failed (or no) where it was not, and rerun to have it done again",
        ),
        Takes::Words => (
            format!("{path} asks, and there is nothing of it to be done again"),
            "answer yes, no, or in words; `git aio run cancel` ends the run",
        ),
        Takes::Outcome | Takes::OutcomeAndResult => (
            format!("{path} is the caller's to do, and not to be done again"),
            "answer ok or failed, or with what came of it",
        ),
    };
    Error::Usage { message, hint: Some(hint.into()) }
}

/// What is wanted of an answer to a step.
fn wanted(ready: &Ready, path: &StepPath) -> Option<String> {
    action(&ready.workflow.steps, path)?.shape()?.wanted()
}

/// What a step does. The parts of a path that are numbers are items and rounds, and the same is done in each.
fn action<'w>(steps: &'w [Written], path: &StepPath) -> Option<&'w Action> {
    let mut parts = path.as_str().split('/').filter(|part| part.parse::<u32>().is_err());
    let first = parts.next()?;
    let named = |steps: &'w [Written], id: &str| steps.iter().find(|step| step.id == id).map(|step| &step.action);
    parts.try_fold(named(steps, first)?, |outer, part| match outer {
        Action::Block { steps, .. } => named(steps, part),
        Action::Call { workflow, .. } => named(&workflow.steps, part),
        Action::Work(_) | Action::Ask { .. } => None,
    })
}
