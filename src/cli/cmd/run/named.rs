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

/// A run and a step of it, as `run/step`, or as a step of the newest run.
pub(super) fn run_and_step(session: &Session, word: &str) -> anyhow::Result<(RunId, Option<StepPath>)> {
    let (first, rest) = word.split_once('/').map_or((word, None), |(first, rest)| (first, Some(rest)));
    // As /step too, one is of the newest.
    match session.find_run(Some(first).filter(|first| !first.is_empty())) {
        Ok(id) => Ok((id, rest.map(step_path).transpose()?)),
        Err(error) => {
            let newest = session.find_run(None)?;
            let known = session.shown_run(&newest)?.steps.iter().any(|step| step.path.as_str() == word);
            match (known, error) {
                (true, _) => Ok((newest, Some(step_path(word)?))),
                // It may have been meant as either.
                (false, Error::NotFound { .. }) if rest.is_none() => Err(not_found(
                    format!("there is no run {0}, and no step {0} of the newest run", text::one_line(word, 60)),
                    "`git aio run show` lists the steps of the newest run, `git aio run list` the runs there are",
                )),
                (false, error) => Err(error.into()),
            }
        }
    }
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
