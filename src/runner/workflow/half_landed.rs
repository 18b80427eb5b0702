//! What was about to come back from the copies of blocks when the driver of their run was gone: it comes back before
//! anything else is done, and the block has ended by that.

use crate::{
    base::{
        id::{RunId, StepPath, Tool},
        path::RepoPath,
    },
    model::{run::Step, scope::Scope},
    ops::{Error, Session, Target},
    runner::{
        dispatch::{Change, Journal as _, Outcome, Recorded},
        journal::RunJournal,
        landing::Landing,
        recorder::{Recorder, Unrecorded},
        step::Holding,
    },
};
use std::collections::BTreeSet;

/// Has what was about to come back do so, where it had not been written down that it had. Nothing of these blocks is done
/// again. `blocks` are those that have worked on a copy.
///
/// # Errors
/// [`Error::Held`] when somebody else holds one of the files by now. Then nothing is written.
pub(super) fn land_begun(
    session: &Session,
    recorder: &Recorder,
    blocks: &BTreeSet<StepPath>,
    recorded: &mut Recorded,
    steps: &[Step],
    holding: Option<&Holding>,
) -> Result<(), Error> {
    let blocks: Vec<StepPath> = blocks.intersection(&recorded.begun).cloned().collect();
    for path in blocks {
        let Some((landing, Some(outcome))) = Landing::known(session, recorder.run(), path.as_str())? else { continue };
        let land = || Ok(landing.land(session, true));
        let landed = with_files_held(session, recorder.run(), holding, &landing.files, "brings a copy back", land)?;
        let order = recorded.ended.values().map(|outcome| outcome.order).max().unwrap_or(0) + 1;
        let outcome = Outcome { order, ..outcome };
        let outcome = landed.map_or_else(|failure| outcome.clone().not_landed(failure), |_| outcome.clone());
        let change = Change::Ended { path, outcome: Box::new(outcome) };
        RunJournal::new(recorder.clone(), steps).record(&change).map_err(Unrecorded)?;
        recorded.apply(&change);
    }
    Ok(())
}

/// Does something with files that nobody else may be writing meanwhile. `holding` holds what the steps of the run write, where
/// the run says that.
///
/// # Errors
/// [`Error::Held`] when somebody else holds one of them, and what comes of the work.
pub(super) fn with_files_held<T>(
    session: &Session,
    run: &RunId,
    holding: Option<&Holding>,
    files: &[RepoPath],
    task: &str,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let target = |path: &RepoPath| Target { scope: Scope::File(path.clone()), any_depth: false };
    let targets: Vec<Target> = files.iter().map(target).collect();
    match holding {
        _ if targets.is_empty() => work(),
        Some(holding) => {
            session.work_as(holding.worker(), run, &targets)?;
            work()
        }
        None => {
            let worker = session.hire(Tool::of_run().as_str(), run, task, &targets)?;
            let done = work();
            session.dismiss(&worker.id)?;
            done
        }
    }
}
