//! What the rules say of handoffs: their claims go with them, whole, so that nothing can slip in between.

use super::{Applied, Change, Conflict, Outcome, Refusal, granted, task::unfinished};
use crate::{
    base::{
        id::{HandoffId, InstanceId},
        world::Time,
    },
    model::{
        claim::{Claim, GrantRef, Holder, PERSON_TTL},
        handoff::{Handoff, HandoffState, Settled},
        op::{Op, Settlement},
        overlap::Overlap,
        view::View,
    },
};

pub(super) fn hand_off<V: View>(
    view: &V,
    me: &InstanceId,
    handoff: &Handoff,
    claims: &[GrantRef],
) -> Result<Outcome, V::Error> {
    let mut applied = Applied::default();
    let mut conflicts = Vec::new();
    for grant in claims {
        match granted(view, grant)?.filter(|claim| claim.is_held_by(me)) {
            None => return Ok(Err(Refusal::ClaimChanged(grant.claim.clone()))),
            // The time limit was the person's; a handoff waits for as long as it is open.
            Some(claim) => {
                let kept = kept_beside(view, me, &claim, claims)?;
                conflicts.extend(
                    kept.into_iter().map(|claim_kept| Conflict { scope: claim.scope.clone(), claim: claim_kept }),
                );
                applied.changes.push(Change::PutClaim(Claim {
                    holder: Holder::Handoff(handoff.id.clone()),
                    until: None,
                    ..claim
                }));
            }
        }
    }
    if !conflicts.is_empty() {
        return Ok(Err(Refusal::Held(conflicts)));
    }
    applied.changes.push(Change::PutHandoff(handoff.clone()));
    Ok(Ok(applied))
}

/// What `me` holds beside `claim` that excludes it, and that is not among `claims`: one holder may have both, two may
/// not.
///
/// # Errors
/// What the view says when it can't answer.
pub fn kept_beside<V: View>(
    view: &V,
    me: &InstanceId,
    claim: &Claim,
    claims: &[GrantRef],
) -> Result<Vec<Claim>, V::Error> {
    let overlap = Overlap::new(&claim.scope, view.folds_case());
    let mut near = view.claims_near(&claim.scope)?;
    near.retain(|other| {
        let kept = other.is_held_by(me) && !claims.contains(&other.grant_ref());
        kept && !other.mode.admits(claim.mode) && overlap.with(&other.scope)
    });
    Ok(near)
}

pub(super) fn settle<V: View>(
    view: &V,
    op: &Op,
    me: &InstanceId,
    id: &HandoffId,
    how: Settlement,
    claims: &[GrantRef],
) -> Result<Outcome, V::Error> {
    let Some(mut handoff) = view.handoff(id)? else { return Ok(Err(Refusal::NoSuchHandoff(id.clone()))) };
    let settled = Settled { by: me.clone(), at: op.at };
    let next = match (&handoff.state, how) {
        (HandoffState::Open, Settlement::Accept) => HandoffState::Accepted(settled),
        (HandoffState::Open, Settlement::Decline) => HandoffState::Declined(settled),
        (HandoffState::Open | HandoffState::Accepted(_), Settlement::Done) => HandoffState::Done(settled),
        _ => return Ok(Err(Refusal::HandoffSettled(Box::new(handoff)))),
    };
    let holder = match &handoff.state {
        HandoffState::Accepted(by) => Holder::Instance(by.by.clone()),
        _ => Holder::Handoff(id.clone()),
    };
    if how == Settlement::Done
        && let Some(task) = unfinished(view, claims, &holder)?
    {
        return Ok(Err(Refusal::TaskOpen(task)));
    }
    let mut applied = Applied::default();
    for grant in claims {
        let Some(claim) = granted(view, grant)?.filter(|claim| claim.holder == holder) else {
            return Ok(Err(Refusal::ClaimChanged(grant.claim.clone())));
        };
        move_claim(view, op, &mut applied, &handoff, how, claim)?;
    }
    handoff.state = next;
    applied.changes.push(Change::PutHandoff(handoff));
    Ok(Ok(applied))
}

fn move_claim<V: View>(
    view: &V,
    op: &Op,
    applied: &mut Applied,
    handoff: &Handoff,
    how: Settlement,
    claim: Claim,
) -> Result<(), V::Error> {
    match (how, &op.by) {
        (Settlement::Accept, Some(me)) => {
            let holder = Holder::Instance(me.clone());
            let token = view.seq() + 1;
            let until = person_until(me, op);
            let moved = Claim { holder, token, grant: op.id.clone(), since: op.at, until, ..claim };
            applied.changes.push(Change::PutClaim(moved.clone()));
            applied.granted.push(moved);
        }
        (Settlement::Decline, _) if view.instance(&handoff.from)?.is_some() => {
            let (holder, until) = (Holder::Instance(handoff.from.clone()), person_until(&handoff.from, op));
            // A grant like any other: somebody may have been given it in another clone meanwhile.
            let token = view.seq() + 1;
            applied.changes.push(Change::PutClaim(Claim { holder, token, grant: op.id.clone(), until, ..claim }));
        }
        _ => {
            applied.changes.push(Change::DropClaim(claim.clone()));
            applied.released.push(claim);
        }
    }
    Ok(())
}

/// When a claim ends that comes to its holder with a handoff.
fn person_until(holder: &InstanceId, op: &Op) -> Option<Time> {
    (holder.tool() == "person").then(|| op.at + PERSON_TTL)
}
