//! What steps ask, and what was answered: `asked/<step>.txt` and `answer/<step>.json`.

use super::named;
use crate::{
    base::id::{RunId, StepPath},
    ops::{Error, Private, Session},
    runner::{
        dispatch::Answer,
        recorder::{Recorder, Unrecorded, When},
    },
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What somebody answered, as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeptAnswer {
    Yes,
    No,
    Rerun,
    Text(String),
}

/// Keeps what a step asks, for whoever is to answer. It is there before anything tells of it.
///
/// # Errors
/// When it can't be written.
pub fn ask(recorder: &Recorder, path: &StepPath, question: String) -> Result<(), Unrecorded> {
    let asked = (format!("asked/{path}.txt"), Private::Bytes(question.into_bytes()));
    // What was answered before a step was done again is no answer to what it asks now.
    let answer = (format!("answer/{path}.json"), Private::Bytes(b"null".to_vec()));
    recorder.keep(vec![asked, answer], format!("{path}: asks"), When::WithNext)
}

/// Keeps an answer for a run that waits, for whoever goes on with it.
///
/// # Errors
/// When it can't be written.
pub fn answer(recorder: &Recorder, path: &StepPath, answer: &Answer) -> Result<(), Unrecorded> {
    let kept = match answer {
        Answer::Yes => KeptAnswer::Yes,
        Answer::No => KeptAnswer::No,
        Answer::Rerun => KeptAnswer::Rerun,
        Answer::Text(text) => KeptAnswer::Text(text.clone()),
    };
    let bytes = serde_json::to_vec(&kept).map_err(|error| Unrecorded(error.to_string()))?;
    let entry = (format!("answer/{path}.json"), Private::Bytes(bytes));
    recorder.keep(vec![entry], format!("{path}: answered"), When::Now)
}

/// What a step asks; `None` where it asks nothing, or that is not kept in this clone.
///
/// # Errors
/// When it can't be read.
pub fn question(session: &Session, id: &RunId, path: &StepPath) -> Result<Option<String>, Error> {
    let kept = session.kept_of_run(id, &format!("asked/{path}.txt"))?;
    Ok(kept.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// All that steps have asked, by the step.
///
/// # Errors
/// When it can't be read.
pub fn all_questions(session: &Session, id: &RunId) -> Result<HashMap<StepPath, String>, Error> {
    let of_step = |(name, bytes): (String, Vec<u8>)| {
        Some((name.strip_suffix(".txt")?.parse().ok()?, String::from_utf8_lossy(&bytes).into_owned()))
    };
    Ok(session.files_of_run(id, "asked")?.into_iter().filter_map(of_step).collect())
}

/// Whether somebody has answered a step.
///
/// # Errors
/// When it can't be read.
pub fn is_answered(session: &Session, id: &RunId, path: &StepPath) -> Result<bool, Error> {
    let kept = session.kept_of_run(id, &format!("answer/{path}.json"))?;
    Ok(kept.is_some_and(|bytes| serde_json::from_slice::<KeptAnswer>(&bytes).is_ok()))
}

/// What somebody has answered, by the step.
pub(super) fn answers(session: &Session, id: &RunId) -> Result<Vec<(StepPath, Answer)>, Error> {
    let answer = |bytes: &[u8]| match serde_json::from_slice(bytes).ok()? {
        KeptAnswer::Yes => Some(Answer::Yes),
        KeptAnswer::No => Some(Answer::No),
        KeptAnswer::Rerun => Some(Answer::Rerun),
        KeptAnswer::Text(text) => Some(Answer::Text(text)),
    };
    Ok(named(session, id, "answer")?.into_iter().filter_map(|(path, bytes)| Some((path, answer(&bytes)?))).collect())
}
