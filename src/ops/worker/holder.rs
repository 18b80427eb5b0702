//! What a run may write as a whole, where its workflow says so: held by one instance, as which all of its steps work.
//!
//! It stays held while the run waits for an answer, and when its driver has died: whoever goes on with the run takes it on.
//! It ends with the run. The record of the run names it: what it says that it does anybody could say, and a command of a step
//! says another thing for it. What a step claims beside it, such as the file that its result is saved to, is held as long.

use super::Worker;
use crate::{
    base::{
        id::{InstanceId, RunId, Tool},
        path::RepoPath,
    },
    model::{claim::Holder, instance::Instance, overlap::Overlap, run::Run, scope::Scope, view::View as _},
    ops::{Error, Session, Target, claim::Terms, run::ShownRun},
};
use std::collections::BTreeSet;

/// What the holder says that it does, as long as no command of a step says another thing for it.
pub(super) fn task_of(run: &RunId) -> String {
    format!("{run}, all of it")
}

impl Session {
    /// Has a run hold `scope`, all or none, by an instance that its record has to name then. One that held it before holds it
    /// still.
    ///
    /// # Errors
    /// [`Error::Held`] when somebody else holds what overlaps it. Then nothing has changed.
    pub fn hold_for_run(&self, run: &Run, scope: &[Target]) -> Result<Worker, Error> {
        let known = self.holder_of_run(run)?;
        let run = &run.id;
        let holder = match &known {
            Some(known) => known.clone(),
            None => {
                self.look_for_others(scope)?;
                self.register_worker(Tool::of_run(), &task_of(run))?
            }
        };
        let terms = Terms { why: Some(run.to_string()), ..Terms::default() };
        match self.claim_now(&holder, scope, &terms) {
            Ok(_) => self.worker_of(holder, None),
            Err(error) => {
                if known.is_none() {
                    let _ = self.dismiss(&holder);
                }
                Err(error)
            }
        }
    }

    /// A worker that writes `scope` as the holder of what its run may write. What of it is not held yet is claimed.
    ///
    /// # Errors
    /// [`Error::Held`] when somebody else holds what overlaps that.
    pub fn work_as(&self, holder: &Worker, run: &RunId, scope: &[Target]) -> Result<Worker, Error> {
        let snapshot = self.snapshot()?;
        let fold = snapshot.folds_case();
        let held = snapshot.claims_of(&Holder::Instance(holder.id.clone()))?;
        let is_held = |target: &&Target| held.iter().any(|claim| claim.scope.includes(&target.scope, fold));
        let beside: Vec<Target> = scope.iter().filter(|target| !is_held(target)).cloned().collect();
        if !beside.is_empty() {
            let terms = Terms { why: Some(run.to_string()), ..Terms::default() };
            self.claim_now(&holder.id, &beside, &terms)?;
        }
        self.worker_of(holder.id.clone(), Some(scope.iter().map(|target| target.scope.clone()).collect()))
    }

    fn worker_of(&self, id: InstanceId, within: Option<Vec<Scope>>) -> Result<Worker, Error> {
        let snapshot = self.snapshot()?;
        let claims = snapshot.claims_of(&Holder::Instance(id.clone()))?;
        Ok(Worker { id, claims, within, folds_case: snapshot.folds_case(), since: snapshot.oid().cloned() })
    }

    /// Whether two scopes have anything in common.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn overlap(&self, one: &[Target], other: &[Target]) -> Result<bool, Error> {
        let fold = self.snapshot()?.folds_case();
        let overlaps = |one: &Target| {
            let one = Overlap::new(&one.scope, fold);
            other.iter().any(|other| one.with(&other.scope))
        };
        Ok(one.iter().any(overlaps))
    }

    /// Ends what a run holds as a whole.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub fn release_run(&self, run: &RunId) -> Result<(), Error> {
        let run = self.shown_run(run)?.run;
        self.holder_of_run(&run)?.map_or(Ok(()), |holder| self.dismiss(&holder))
    }

    /// Whether an instance holds what a run may write that has not ended: silence says nothing of it, while the run waits for
    /// an answer or to be gone on with. Its claims name the run, and the run names it.
    pub(in crate::ops) fn is_held_by_run(&self, instance: &Instance) -> bool {
        self.run_held_by(instance).is_some_and(|shown| !shown.run.status.is_final())
    }

    /// Whether an instance held what a run may write that another clone has taken over since: it goes over to whoever drives
    /// the run now, at once and whether the clone that had it is there or not.
    pub(in crate::ops) fn is_left_by_run(&self, instance: &Instance) -> bool {
        self.run_held_by(instance).is_some_and(|shown| shown.run.driver.clone != instance.clone)
    }

    /// The run that an instance holds all of, if it is such a one.
    fn run_held_by(&self, instance: &Instance) -> Option<ShownRun> {
        if instance.tool != Tool::of_run() {
            return None;
        }
        let snapshot = self.snapshot().ok()?;
        let claims = snapshot.claims_of(&Holder::Instance(instance.id.clone())).ok()?;
        let runs: BTreeSet<RunId> = claims.iter().filter_map(|claim| claim.why.as_ref()?.parse().ok()).collect();
        let mut shown = runs.iter().filter_map(|run| self.shown_run(run).ok());
        shown.find(|shown| shown.run.holder.as_ref() == Some(&instance.id))
    }

    /// The instance that holds what a run may write, if one of this clone does.
    fn holder_of_run(&self, run: &Run) -> Result<Option<InstanceId>, Error> {
        let Some(holder) = &run.holder else { return Ok(None) };
        let known = self.snapshot()?.instance(holder)?;
        Ok(known.filter(|instance| !self.is_elsewhere(instance)).map(|instance| instance.id))
    }
}

impl Worker {
    /// Whether another step of its run may write a path, where they all work as one instance.
    pub fn shares(&self, path: &RepoPath) -> bool {
        let file = Scope::File(path.clone());
        self.within.is_some() && self.claims.iter().any(|claim| Overlap::new(&claim.scope, self.folds_case).with(&file))
    }
}
