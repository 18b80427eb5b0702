//! Runs and steps as they are named on the command line.

use crate::{
    base::{
        id::{RunId, StepPath},
        text,
    },
    cli::{error::usage, format::count},
    model::run::Step,
    ops::{Error, Session, run::ShownRun},
};

/// A step can be done again only where it was come to.
pub(super) fn known_step(shown: &ShownRun, path: &StepPath) -> anyhow::Result<()> {
    if shown.steps.iter().any(|step| step.path == *path) {
        return Ok(());
    }
    let names = shown.steps.iter().map(|step| step.path.as_str());
    let meant = text::nearest(path.as_str(), names).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
    let id = &shown.run.id;
    Err(not_found(format!("{id} has no step {path}{meant}"), format!("`git aio run show {id}` lists its steps")))
}

/// A step, as `step` of the newest run or as `run/step`, for a command that can do nothing with a run alone. So the name of
/// a step is one though a run begins with it.
pub(super) fn run_and_step(session: &Session, word: &str) -> anyhow::Result<(RunId, Option<StepPath>)> {
    named(session, word, true)
}

/// A run, or a step as `run/step` or `step` of the newest run, for a command to which a run is enough.
pub(super) fn run_or_step(session: &Session, word: &str) -> anyhow::Result<(RunId, Option<StepPath>)> {
    named(session, word, false)
}

fn named(session: &Session, word: &str, is_a_step: bool) -> anyhow::Result<(RunId, Option<StepPath>)> {
    let (first, rest) = word.split_once('/').map_or((word, None), |(first, rest)| (first, Some(rest)));
    // As /step too, one is of the newest.
    let run = session.find_run(Some(first).filter(|first| !first.is_empty()));
    let is_exact = |id: &RunId| first.is_empty() || id.as_str() == first;
    let step = match &run {
        Ok(id) if is_exact(id) => None,
        _ => of_newest(session, word)?,
    };
    let (id, newest, path) = match (run, step) {
        (Ok(id), None) => return Ok((id, rest.map(step_path).transpose()?)),
        (Ok(id), Some((newest, path))) => (id, newest, path),
        (Err(_), Some((newest, path))) => return Ok((newest, Some(path))),
        // It may have been meant as either.
        (Err(Error::NotFound { .. }), None) if rest.is_none() => {
            return Err(not_found(
                format!("there is no run {0}, and no step {0} of the newest run", text::one_line(word, 60)),
                "`git aio run show` lists the steps of the newest run, `git aio run list` the runs there are",
            ));
        }
        (Err(error), None) => return Err(error.into()),
    };
    let may_be_run = match rest {
        Some(rest) => has_step(session, &id, rest)?,
        None => !is_a_step,
    };
    match may_be_run {
        false => Ok((newest, Some(path))),
        true if rest.is_none() && id == newest => Ok((id, None)),
        true => {
            let rest = rest.map(|rest| format!("/{rest}")).unwrap_or_default();
            let other = if rest.is_empty() { format!("the run {id}") } else { format!("{id}{rest}") };
            Err(usage(
                format!("{path} can be {other}, or the step {path} of {newest}"),
                format!("name the one by {id}{rest}, or the other by /{path}"),
            ))
        }
    }
}

/// The step of the newest run that is called so.
fn of_newest(session: &Session, word: &str) -> Result<Option<(RunId, StepPath)>, Error> {
    let newest = session.find_run(None)?;
    let known = has_step(session, &newest, word)?;
    Ok(word.parse().ok().filter(|_| known).map(|path| (newest, path)))
}

fn has_step(session: &Session, id: &RunId, word: &str) -> Result<bool, Error> {
    Ok(session.shown_run(id)?.steps.iter().any(|step| step.path.as_str() == word))
}

/// That what is named is not there, with the way on.
fn not_found(message: String, hint: impl Into<String>) -> anyhow::Error {
    Error::NotFound { message, hint: Some(hint.into()) }.into()
}

/// Whether any of these steps was tried a `number`th time.
pub(super) fn known_attempt(id: &RunId, steps: &[&Step], number: u32) -> anyhow::Result<()> {
    if steps.iter().flat_map(|step| &step.attempts).any(|attempt| attempt.number == number) {
        return Ok(());
    }
    let message = match steps {
        [one] => format!("{} of {id} has {}, and no @{number}", one.path, count(one.attempts.len(), "attempt")),
        _ => format!("no step of {id} has an attempt @{number}"),
    };
    Err(not_found(message, format!("`git aio run show {id}` lists the attempts of its steps")))
}

/// A step, by its path.
pub(super) fn step_path(word: &str) -> anyhow::Result<StepPath> {
    word.parse().map_err(|error: crate::base::id::InvalidName| {
        usage(error.to_string(), "`git aio run show` lists the steps of a run")
    })
}
