//! Who is here, what they hold, what waits: the state at one moment.

use super::{Error, Session, check::Seen, instance::Known};
use crate::{
    base::id::{ClaimId, InstanceId},
    model::{
        claim::{Claim, Ended, Holder},
        handoff::{Handoff, HandoffState},
    },
    store::{Damage, Extent},
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
    /// Records that can't be read.
    pub damaged: Vec<Damage>,
}

impl Session {
    /// The state now.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn status(&self) -> Result<Status, Error> {
        use crate::model::view::View as _;
        let snapshot = self.snapshot()?;
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
        let claims = seen(claims, &instances, me.as_ref());
        let lost = self.losses(me.as_ref(), &snapshot)?;
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
            damaged,
        })
    }
}

fn seen(mut claims: Vec<Claim>, known: &[Known], me: Option<&InstanceId>) -> Vec<Seen> {
    let mut ids: Vec<ClaimId> = claims.iter().map(|claim| claim.id.clone()).collect();
    ids.sort();
    // Of all ids in order, those beside it have most in common with one.
    let short = |id: &ClaimId| {
        let at = ids.partition_point(|other| other < id);
        id.short_among(&ids[at.saturating_sub(1)..ids.len().min(at + 2)]).to_owned()
    };
    claims.sort_by(|a, b| (a.scope.target(), &a.id).cmp(&(b.scope.target(), &b.id)));
    let presence = |holder: &Holder| match holder {
        Holder::Instance(id) => known.iter().find(|k| k.instance.id == *id).map(|k| k.presence),
        Holder::Handoff(_) => None,
    };
    claims
        .into_iter()
        .map(|claim| Seen {
            short_id: short(&claim.id),
            presence: presence(&claim.holder),
            lost: false,
            mine: me.is_some_and(|me| claim.is_held_by(me)),
            claim,
        })
        .collect()
}
