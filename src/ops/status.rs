//! Who is here, what they hold, what waits: the state at one moment.

use super::{Error, Session, check::Seen, instance::Known, sync::HubState, task::Overview};
use crate::{
    base::id::{ClaimId, InstanceId},
    model::{
        claim::{Claim, EndReason, Ended, Holder},
        handoff::{Handoff, HandoffState},
        liveness::Presence,
    },
    store::{Damage, Extent, Snapshot},
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
    /// Our own tasks that are not done.
    pub tasks: Overview,
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
        let (mut instances, mut damaged) = self.listed("instances", snapshot.instances(Extent::Newest, |_| true)?);
        instances.sort_by(|a, b| (a.since, &a.id).cmp(&(b.since, &b.id)));
        let (claims, more) = self.listed("claims", snapshot.claims(Extent::Newest, |_| true)?);
        damaged.extend(more);
        let waits = |handoff: &Handoff| handoff.state == HandoffState::Open;
        let (mut handoffs, more) = self.listed("handoffs", snapshot.handoffs(Extent::Newest, waits)?);
        damaged.extend(more);
        handoffs.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        let instances = instances.into_iter().map(|i| self.known(i)).collect::<Result<Vec<_>, _>>()?;
        let claims = self.seen_claims(claims, &instances, me.as_ref(), &snapshot);
        let lost = self.losses(me.as_ref(), &snapshot)?;
        let (tasks, more) = self.overview(me.as_ref(), &snapshot)?;
        damaged.extend(more);
        if let Some(me) = &me {
            damaged.extend(snapshot.losses(me)?.1.into_iter().map(|illegible| illegible.damage));
        }
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
            tasks,
        })
    }
}

impl Session {
    fn seen_claims(
        &self,
        mut claims: Vec<Claim>,
        known: &[Known],
        me: Option<&InstanceId>,
        snapshot: &Snapshot<'_>,
    ) -> Vec<Seen> {
        let confirmed = self.confirmed(snapshot);
        let mut ids: Vec<ClaimId> = claims.iter().map(|claim| claim.id.clone()).collect();
        ids.sort();
        // Of all ids in order, those beside it have most in common with one.
        let short = |id: &ClaimId| {
            let at = ids.partition_point(|other| other < id);
            id.short_among(&ids[at.saturating_sub(1)..ids.len().min(at + 2)]).to_owned()
        };
        claims.sort_by_cached_key(Claim::place);
        let seen = |claim: Claim| {
            let holder = known.iter().find(|known| claim.is_held_by(&known.instance.id));
            let mine = me.is_some_and(|me| claim.is_held_by(me));
            Seen {
                short_id: short(&claim.id),
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
        let elsewhere = holder.is_some_and(|known| known.elsewhere);
        match (&claim.holder, holder) {
            (Holder::Handoff(_), _) => None,
            _ if self.is_expired(claim, elsewhere) => Some(EndReason::Expired),
            (Holder::Instance(_), Some(known)) => (known.presence == Presence::Stale).then_some(EndReason::Stale),
            (Holder::Instance(_), None) => Some(EndReason::Stale),
        }
    }
}
