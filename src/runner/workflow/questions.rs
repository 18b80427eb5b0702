//! What a run asks, what it takes for an answer, and whether somebody has given one.

use super::{Kept, Ready, WorkflowError, begun, kept};
use crate::{
    base::id::{RunId, StepPath},
    model::run::{Run, RunStatus, Step, StepStatus},
    ops::{Error, Session, run::ShownRun},
    runner::{
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
    /// Whether there is an answer, which is heard when the run goes on.
    pub is_answered: bool,
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
        text: journal::question(session, id, &step.path).ok().flatten(),
        wants: ready.as_ref().and_then(|ready| wanted(ready, &step.path)),
        is_answered: journal::is_answered(session, id, &step.path).is_ok_and(|is| is),
    };
    steps.into_iter().map(question).collect()
}

/// All that the steps of a run have asked, answered or not, as far as it is kept in this clone.
pub fn asked(session: &Session, shown: &ShownRun) -> Vec<(StepPath, String)> {
    let asks = shown.steps.iter().filter(|step| step.kind == "ask").map(|step| &step.path);
    let question = |path: &StepPath| journal::question(session, &shown.run.id, path).ok().flatten();
    asks.filter_map(|path| Some((path.clone(), question(path)?))).collect()
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
    if !shown.steps.iter().filter(is_open).any(|step| step.path == *path) {
        return Err(Error::NotFound {
            message: format!("{path} of {id} waits for no answer"),
            hint: Some("`git aio run show` tells which step does".into()),
        });
    }
    let answer = match as_it_was(session, id) {
        Ok(ready) => fitting(&ready, path, words, meant)?,
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
fn fitting(ready: &Ready, path: &StepPath, words: &str, meant: Answer) -> Result<Answer, Error> {
    let action = action(&ready.workflow.steps, path);
    let Some((action, form)) = action.and_then(|action| Some((action, action.shape()?))) else { return Ok(meant) };
    let is_named = matches!(&**form, Form::Word(known) if known.iter().any(|word| word == words));
    // Of what was lost it is told so that it is done.
    if meant == Answer::Yes && !matches!(action, Action::Ask { .. }) && !is_named {
        return Ok(meant);
    }
    let hint = asking::takes(form).map(|takes| format!("{path} {takes}"));
    asking::taken(form, words, meant).map_err(|message| Error::Usage { message, hint })
}

/// What is wanted of an answer to a step.
fn wanted(ready: &Ready, path: &StepPath) -> Option<String> {
    match action(&ready.workflow.steps, path)? {
        Action::Ask { shape, .. } => shape.as_ref()?.wanted(),
        _ => None,
    }
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
