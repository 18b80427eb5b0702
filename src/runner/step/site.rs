//! What all steps of a run have in common.

use super::Holding;
use crate::{
    base::id::{InstanceId, RunId, StepPath},
    ops::{Error, Session, verify::Interrupts},
    runner::recorder::{Recorder, Unrecorded},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// What all steps of a run have in common.
#[derive(Clone)]
pub struct Site {
    /// The root of the work tree.
    pub root: PathBuf,
    /// `--as`.
    pub acting_as: Option<String>,
    /// Who writes the run down.
    pub recorder: Recorder,
    /// Whether a person has said yes to checks that were guessed.
    pub consents: bool,
    /// How long a scope is waited for that somebody else holds.
    pub patience: Duration,
    /// Ctrl-C.
    pub interrupts: Arc<Interrupts>,
    /// Workers whose work is done and who keep what they changed until the run ends.
    pub keepers: Arc<Mutex<Vec<InstanceId>>>,
    /// The steps that wait for what other runs hold, and for which runs.
    pub waits: Arc<Mutex<BTreeMap<StepPath, Vec<RunId>>>>,
    /// The file that the ledger is kept in, from the root, as it was settled when the run was begun.
    pub ledger: Option<String>,
    /// What the run holds for all of its steps, where its workflow says so.
    pub holding: Option<Arc<Holding>>,
}

impl Site {
    /// Whether somebody wants to stop.
    pub fn is_stopped(&self) -> bool {
        self.interrupts.count() > 0
    }

    /// Writes down for which runs a step waits, so that those which wait for this one see it; none where it goes on.
    ///
    /// # Errors
    /// When it can't be written.
    pub(super) fn note_wait(&self, step: &StepPath, runs: &[RunId]) -> Result<(), Unrecorded> {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        let all =
            |waits: &BTreeMap<StepPath, Vec<RunId>>| -> BTreeSet<RunId> { waits.values().flatten().cloned().collect() };
        let before = all(&waits);
        match runs {
            [] => drop(waits.remove(step)),
            runs => drop(waits.insert(step.clone(), runs.to_vec())),
        }
        let now = all(&waits);
        if now == before {
            return Ok(());
        }
        let subject = if now.is_empty() { "waits for no other run" } else { "waits for other runs" };
        self.recorder.change(move |run| run.waits_for = now.into_iter().collect(), subject)
    }

    /// Ends the workers of steps that are done, with what they kept from others.
    ///
    /// # Errors
    /// When the store can't be written. Whoever could not be let go of is kept in mind, and all others are gone.
    pub fn dismiss_keepers(&self, session: &Session) -> Result<(), Error> {
        let Ok(mut keepers) = self.keepers.lock() else { return Ok(()) };
        let fails = |keeper: InstanceId| session.dismiss(&keeper).err().map(|error| (keeper, error));
        let (left, errors): (Vec<_>, Vec<_>) = keepers.drain(..).filter_map(fails).unzip();
        *keepers = left;
        errors.into_iter().next().map_or(Ok(()), Err)
    }
}
