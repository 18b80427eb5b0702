//! Who is on the register, and of whom nothing else is left.

use super::{Finding, Seen, say, some};
use crate::{
    model::{instance::Instance, liveness::Presence},
    ops::Session,
    store::Extent,
};

impl Session {
    /// Nothing is wrong with a stale instance: its claims block nobody. Those of one that can't be judged do, for ever.
    pub(super) fn check_instances(&self) -> Finding<Seen> {
        let snapshot = self.snapshot().map_err(say)?;
        let instances = snapshot.instances(Extent::All, |_| true).map_err(say)?.records;
        let here = self.clone_id().map_err(say)?;
        let (ours, others): (Vec<_>, Vec<_>) = instances.iter().partition(|instance| instance.clone == *here);
        let names = |found: Vec<&Instance>| some(found.iter().map(|instance| instance.id.to_string()).collect());
        let told =
            |found: Vec<&Instance>, words: &str| (!found.is_empty()).then(|| format!("{words}: {}", names(found)));
        let (unseen, stale): (Vec<_>, Vec<_>) = ours
            .iter()
            .filter(|instance| self.presence(instance) == Presence::Stale || self.seen(&instance.id).is_none())
            .partition(|instance| self.seen(&instance.id).is_none());
        // Where there is a hub, it decides about them.
        let (decided, undecided) = if self.has_hub() { (others, Vec::new()) } else { (Vec::new(), others) };
        let odd: Vec<String> = [told(
            unseen,
            "with no file in aio/live of the git directory, so taken to be silent since they registered",
        )]
        .into_iter()
        .flatten()
        .collect();
        let good = [Some(format!("{} registered", ours.len())), told(stale, "stale"), told(decided, "of other clones")];
        let detail = good.into_iter().flatten().chain(odd.iter().cloned()).collect::<Vec<_>>().join("; ");
        Ok(if odd.is_empty() { detail.into() } else { Seen::odd(detail) })
    }
}
