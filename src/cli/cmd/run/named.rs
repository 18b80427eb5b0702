//! Runs and steps as they are named on the command line.

use crate::{
    base::{
        id::{RunId, StepPath},
        text,
    },
    cli::error::usage,
    ops::{Session, run::ShownRun},
};

/// A step can be done again only where it was come to.
pub(super) fn known_step(shown: &ShownRun, path: &StepPath) -> anyhow::Result<()> {
    if shown.steps.iter().any(|step| step.path == *path) {
        return Ok(());
    }
    let names = shown.steps.iter().map(|step| step.path.as_str());
    let meant = text::nearest(path.as_str(), names).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
    Err(usage(format!("{} has no step {path}{meant}", shown.run.id), "`git aio run show` lists its steps"))
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
            if known { Ok((newest, Some(step_path(word)?))) } else { Err(error.into()) }
        }
    }
}

/// A step, by its path.
pub(super) fn step_path(word: &str) -> anyhow::Result<StepPath> {
    word.parse().map_err(|error: crate::base::id::InvalidName| {
        usage(error.to_string(), "`git aio run show` lists the steps of a run")
    })
}
