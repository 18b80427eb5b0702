//! What a run is linked to: the claims of those who work for it, which name the run as their reason, and the notes and
//! handoffs that they leave, which name it too.

use super::RunBook;
use crate::{
    base::{around::RunsAround, id::RunId},
    host::process,
    model::{
        claim::Holder,
        run::{Run, RunStatus, Step},
        view::View as _,
    },
    ops::{Error, Session},
    store::{StoreError, layout},
};

/// Most claims that a run is linked to: its record has room for them.
const MOST_LINKS: usize = 500;

/// Most runs that are looked through for those that go on.
const MOST_RUNS: usize = 100;

impl RunBook<'_> {
    /// Links the run to the claims of those who have just begun to work for it. That they can't be read is no reason not to
    /// record what happens.
    pub(super) fn link(&mut self, steps: &[&Step]) {
        let working = steps.iter().filter_map(|step| step.attempts.last()?.instance.as_ref());
        for worker in working {
            if self.run.links.len() >= MOST_LINKS || !self.linked.insert(worker.clone()) {
                continue;
            }
            let claims = self.session.snapshot().and_then(|snapshot| {
                let holder = Holder::Instance(worker.clone());
                Ok(snapshot.claims_of(&holder)?)
            });
            let known = &mut self.run.links;
            for claim in claims.unwrap_or_default().into_iter().map(|claim| claim.id.to_string()) {
                if known.len() < MOST_LINKS && !known.contains(&claim) {
                    known.push(claim);
                }
            }
        }
    }
}

impl Session {
    /// The run that the caller is a part of: of several, one inside of the other, the innermost that is one of this
    /// repository. Whoever works for a run elsewhere may write a note here as well.
    ///
    /// # Errors
    /// When the refs can't be read.
    pub(in crate::ops) fn run_around(&self) -> Result<Option<RunId>, Error> {
        for run in self.env.run.iter().flat_map(RunsAround::innermost_first) {
            if self.run_tip(layout::RUNS, run)?.is_some() {
                return Ok(Some(run.clone()));
            }
        }
        Ok(None)
    }

    /// The runs of this clone that go on and are driven by a process above this one, whatever the environment says: of the
    /// newest ones, as many as are looked through.
    ///
    /// # Errors
    /// When the refs can't be read.
    pub(in crate::ops) fn runs_above(&self) -> Result<usize, Error> {
        let above: Vec<_> = process::ancestors(self.env.top).into_iter().map(|ancestor| ancestor.mark).collect();
        let names = self.refs().listed(&[layout::RUNS]).map_err(StoreError::from)?;
        let mut ids: Vec<RunId> =
            names.keys().filter_map(|name| name.strip_prefix(layout::RUNS)?.parse().ok()).collect();
        ids.sort_by_key(|id| std::cmp::Reverse(id.began()));
        let runs = ids.iter().take(MOST_RUNS).filter_map(|id| self.shown_run(id).ok()).map(|shown| shown.run);
        let is_at_work = |run: &Run| matches!(run.status, RunStatus::Running | RunStatus::Compensating);
        let drivers = runs.filter(is_at_work).filter_map(|run| run.driver.process);
        Ok(drivers.filter(|driver| above.contains(driver)).count())
    }

    /// The runs that this is surely a command of, and none of their workers: their drivers have started it, and no agent
    /// stands in between. What the environment says alone anybody can say.
    pub(in crate::ops) fn runs_commanding(&self) -> Vec<RunId> {
        if self.env.run.is_none() || self.env.instance.is_some() || self.acting_as.is_some() {
            return Vec::new();
        }
        let ancestors = process::ancestors(self.env.top);
        let above: Vec<_> = ancestors.iter().take_while(|ancestor| ancestor.agent.is_none()).collect();
        let named = self.env.run.iter().flat_map(RunsAround::innermost_first);
        let drives = |run: &&RunId| {
            let driver = self.shown_run(run).ok().and_then(|shown| shown.run.driver.process);
            driver.is_some_and(|driver| above.iter().any(|ancestor| ancestor.mark == driver))
        };
        named.filter(drives).cloned().collect()
    }
}
