//! Claiming: what is granted, what it ends, what stands in the way.

use super::{Applied, Change, Conflict, Outcome, Refusal};
use crate::{
    base::id::{ClaimId, InstanceId},
    model::{
        claim::{Claim, EndReason, Ended, Holder, Origin},
        op::{Eviction, Loss, Op, Want},
        overlap::Overlap,
        scope::Scope,
        view::View,
    },
};

pub(in crate::model) fn claim<V: View>(
    view: &V,
    op: &Op,
    me: &InstanceId,
    wants: &[Want],
    evict: &[Eviction],
    lost: &[Loss],
) -> Result<Outcome, V::Error> {
    let mut applied = Applied::default();
    let mut conflicts = Vec::new();
    for (at, want) in wants.iter().enumerate() {
        if wants[..at].iter().any(|earlier| earlier.scope == want.scope) {
            continue;
        }
        let mut mine = None;
        let overlap = Overlap::new(&want.scope, view.folds_case());
        for other in view.claims_near(&want.scope)? {
            if other.is_held_by(me) {
                if other.scope == want.scope {
                    mine = Some(other);
                }
            } else if other.mode.admits(want.mode) || !overlap.with(&other.scope) {
                // Nothing in the way.
            } else if let Some(reason) = evictable(&other, evict) {
                evict_claim(&mut applied, op, other, reason);
            } else {
                conflicts.push(Conflict { scope: want.scope.clone(), claim: other });
            }
        }
        grant(&mut applied, view.seq() + 1, op, me, want, mine);
    }
    if !conflicts.is_empty() {
        return Ok(Err(Refusal::Held(conflicts)));
    }
    forget_regained(view, me, &mut applied)?;
    applied
        .changes
        .extend(lost.iter().map(|loss| Change::PutEnded(me.clone(), as_ended(loss, view.seq() + 1, op, me))));
    Ok(Ok(applied))
}

/// What the loser of a claim is told, as if it had held it for a moment.
fn as_ended(loss: &Loss, token: u64, op: &Op, me: &InstanceId) -> Ended {
    let Loss { want, rival } = loss;
    let by = match &rival.holder {
        Holder::Instance(by) => Some(by.clone()),
        Holder::Handoff(_) => None,
    };
    let claim = granted_anew(want, want.id.clone(), token, op, me);
    Ended { claim, reason: EndReason::Lost, at: op.at, by, why: None, rival: Some(rival.clone()) }
}

fn granted_anew(want: &Want, id: ClaimId, token: u64, op: &Op, me: &InstanceId) -> Claim {
    Claim {
        id,
        scope: want.scope.clone(),
        mode: want.mode,
        origin: want.origin,
        holder: Holder::Instance(me.clone()),
        token,
        grant: op.id.clone(),
        since: op.at,
        until: want.until,
        why: want.why.clone(),
    }
}

fn evictable(claim: &Claim, evict: &[Eviction]) -> Option<EndReason> {
    evict.iter().find(|e| e.claim == claim.grant_ref()).map(|e| e.reason)
}

pub(super) fn evict_claim(applied: &mut Applied, op: &Op, claim: Claim, reason: EndReason) {
    if applied.evicted.iter().any(|e| e.claim.id == claim.id) {
        return;
    }
    let ended = Ended { claim: claim.clone(), reason, at: op.at, by: op.by.clone(), why: None, rival: None };
    if let Holder::Instance(holder) = &claim.holder {
        applied.changes.push(Change::PutEnded(holder.clone(), ended.clone()));
    }
    applied.changes.push(Change::DropClaim(claim));
    applied.evicted.push(ended);
}

/// Own claims are idempotent: the same scope again keeps its id. It keeps its token too, unless its mode changes,
/// which is a grant like any other.
fn grant(applied: &mut Applied, token: u64, op: &Op, me: &InstanceId, want: &Want, mine: Option<Claim>) {
    let renewed = match mine {
        Some(held) if held.mode == want.mode => {
            let renewed = Claim {
                // Said again without a time it keeps the one it has.
                until: want.until.or(held.until),
                // What somebody asked for stays asked for when a fence sees it again.
                origin: if want.origin == Origin::Explicit { want.origin } else { held.origin },
                why: want.why.clone().or_else(|| held.why.clone()),
                ..held.clone()
            };
            if renewed == held {
                applied.granted.push(held);
                return;
            }
            renewed
        }
        held => {
            let why = held.as_ref().and_then(|held| held.why.clone());
            let anew = granted_anew(want, held.map_or_else(|| want.id.clone(), |held| held.id), token, op, me);
            Claim { why: anew.why.clone().or(why), ..anew }
        }
    };
    applied.changes.push(Change::PutClaim(renewed.clone()));
    applied.granted.push(renewed);
}

/// Whoever holds a scope again has been told that it was lost.
fn forget_regained<V: View>(view: &V, me: &InstanceId, applied: &mut Applied) -> Result<(), V::Error> {
    for ended in view.ended(me)? {
        if applied.granted.iter().any(|granted| contains(&granted.scope, &ended.claim.scope)) {
            applied.changes.push(Change::DropEnded(me.clone(), ended.claim.id));
        }
    }
    Ok(())
}

/// Whether `outer` covers all of `inner`, as far as that is plain to see.
pub(in crate::model) fn contains(outer: &Scope, inner: &Scope) -> bool {
    match (outer, inner) {
        (Scope::Directory(dir), Scope::File(path) | Scope::Directory(path)) => path.is_within(dir),
        _ => outer == inner,
    }
}
