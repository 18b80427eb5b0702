//! What a run is linked to: the claims of those who work for it, which name the run as their reason.

use super::RunBook;
use crate::model::{claim::Holder, run::Step, view::View as _};

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
