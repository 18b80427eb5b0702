//! Who is here, what they hold, what waits: the state at one moment.

use super::{Error, Session, check::Seen, instance::Known, sync::HubState};
use crate::{
    base::id::InstanceId,
    model::{
        claim::{Claim, EndReason, Ended, Holder},
        handoff::{Handoff, HandoffState},
        liveness::Presence,
    },
    store::{Damage, Snapshot},
};

/// The state at one moment.
#[derive(Debug, Clone)]
pub struct Status {
    /// Who asks, if registered.
    pub me: Option<InstanceId>,
    /// The name of the project.
    pub project: String,
    /// Whether there is a store.
    pub exists: bool,
    /// How many operations the store has seen.
    pub seq: u64,
    /// Everybody, oldest first.
    pub instances: Vec<Known>,
    /// All claims, by path.
    pub claims: Vec<Seen>,
    /// Handoffs that wait.
    pub handoffs: Vec<Handoff>,
    /// What the one who asks lost and has not settled.
    pub lost: Vec<Ended>,
    /// What anybody lost to another clone and has not settled, with who lost it.
    pub lost_to_others: Vec<(InstanceId, Ended)>,
    /// Records that can't be read.
    pub damaged: Vec<Damage>,
    /// The hub, if one is named.
    pub hub: Option<HubState>,
}

impl Session {
    /// The state now.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn status(&self) -> Result<Status, Error> {
        use crate::model::view::View as _;
        let snapshot = self.snapshot()?;
        self.warn_of_lost_store(&snapshot)?;
        let me = self.asking(&snapshot)?.instance().cloned();
        let (mut instances, mut damaged) = snapshot.instances()?;
        instances.sort_by(|a, b| (a.since, &a.id).cmp(&(b.since, &b.id)));
        let (claims, more) = snapshot.claims()?;
        damaged.extend(more);
        let (mut handoffs, more) = snapshot.handoffs()?;
        damaged.extend(more);
        handoffs.retain(|handoff| handoff.state == HandoffState::Open);
        handoffs.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        let instances = instances.into_iter().map(|i| self.known(i)).collect::<Result<Vec<_>, _>>()?;
        let claims = self.listed(claims, &instances, me.as_ref(), &snapshot);
        let lost = self.losses(me.as_ref(), &snapshot)?;
        Ok(Status {
            me,
            project: self.project(),
            exists: snapshot.exists(),
            seq: snapshot.seq(),
            instances,
            claims,
            handoffs,
            lost,
            lost_to_others: self.lost_to_others(&snapshot)?,
            damaged,
            hub: self.hub_state(&snapshot)?,
        })
    }
}

impl Session {
    fn listed(
        &self,
        mut claims: Vec<Claim>,
        known: &[Known],
        me: Option<&InstanceId>,
        snapshot: &Snapshot<'_>,
    ) -> Vec<Seen> {
        let confirmed = self.confirmed(snapshot);
        let mut ids: Vec<String> = claims.iter().map(|claim| claim.id.to_string()).collect();
        ids.sort();
        claims.sort_by_cached_key(Claim::place);
        let seen = |claim: Claim| {
            let holder = known.iter().find(|known| claim.is_held_by(&known.instance.id));
            let mine = me.is_some_and(|me| claim.is_held_by(me));
            Seen {
                short_id: short(claim.id.as_str(), &ids),
                presence: holder.map(|known| known.presence),
                mine,
                fallen: if mine { None } else { self.fallen_of(&claim, holder) },
                standing: self.standing(&claim, confirmed.as_ref(), snapshot),
                lost: None,
                claim,
            }
        };
        claims.into_iter().map(seen).collect()
    }

    /// As [`fallen`](Self::fallen), for a claim whose holder has been looked at.
    fn fallen_of(&self, claim: &Claim, holder: Option<&Known>) -> Option<EndReason> {
        let elsewhere = holder.is_some_and(|known| self.clone_id().map_or(true, |here| *here != known.instance.clone));
        match (&claim.holder, holder) {
            (Holder::Handoff(_), _) => None,
            _ if !elsewhere && claim.is_expired(self.now()) => Some(EndReason::Expired),
            (Holder::Instance(_), Some(known)) => (known.presence == Presence::Stale).then_some(EndReason::Stale),
            (Holder::Instance(_), None) => Some(EndReason::Stale),
        }
    }
}

/// The shortest prefix of `id` that no other of the sorted `ids` has, at least four digits.
fn short(id: &str, ids: &[String]) -> String {
    let at = ids.partition_point(|other| other.as_str() < id);
    let neighbours = [at.checked_sub(1).and_then(|before| ids.get(before)), ids.get(at + 1)];
    let shared = |other: &String| other.bytes().zip(id.bytes()).take_while(|(a, b)| a == b).count();
    let longest = neighbours.into_iter().flatten().map(shared).max().unwrap_or(0);
    id[..(longest + 1).clamp(4, id.len())].to_owned()
}
