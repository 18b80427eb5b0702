//! What a run is linked to: the claims of those who work for it, which name the run as their reason, and the notes and
//! handoffs that they leave, which name it too.

use super::RunBook;
use crate::{
    base::id::RunId,
    model::{claim::Holder, run::Step, view::View as _},
    ops::{Error, Session},
    store::layout,
};

/// Most claims that a run is linked to: its record has room for them.
const MOST_LINKS: usize = 500;

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
        for mark in self.env.run.iter().flat_map(|runs| runs.rsplit('/')) {
            // What follows the first dot says which attempt of it, see `runner/step/attempt.rs`.
            let Some(Ok(run)) = mark.split('.').next().map(str::parse::<RunId>) else { continue };
            if self.run_tip(layout::RUNS, &run)?.is_some() {
                return Ok(Some(run));
            }
        }
        Ok(None)
    }
}
