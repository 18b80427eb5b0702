//! Doing an operation again on the state of the hub, after it was done on one that the hub had moved past.
//!
//! The hub's order decides, and nothing else: no clock, no priority. What an operation says about a claim that somebody
//! else was granted first is dropped from it, and its maker is told; the rest of it stands. What comes out is an
//! operation of the same id that [`apply`](super::apply::apply) accepts, so that everybody who meets it later comes to
//! the same state.

mod task;

use super::{
    apply::{self, Refusal},
    claim::{Claim, Ended, GrantRef, Holder, Mode, Rival},
    handoff::{Handoff, HandoffState},
    instance::Instance,
    op::{Action, Departure, Eviction, Loss, Op, Settlement, Want},
    scope::Scope,
    view::View,
};
use crate::base::id::{HandoffId, InstanceId};

/// What is left of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// This, to be applied; first the registration of its actor, where that is gone.
    Op {
        /// An instance that the hub found stale, and that goes on.
        revive: Option<Box<Instance>>,
        /// The operation, without what was lost.
        op: Box<Op>,
        /// What its actor has to be told besides, in an operation of its own.
        lost: Vec<Loss>,
    },
    /// Nothing: it is done already, or has no meaning there.
    Nothing,
    /// Nothing, since its actor is somebody else there: two clones drew the same id, and the other was first.
    Clash(InstanceId),
}

/// What is left of `op`, which was done on the state `was`, when it is done on the state `view` instead.
///
/// # Errors
/// What either view says when it can't answer.
pub fn replay<V: View, W: View<Error = V::Error>>(view: &V, op: &Op, was: &W) -> Result<Replayed, V::Error> {
    let mut revive = None;
    if let Some(by) = &op.by {
        let known = match &op.action {
            Action::Register(instance) if instance.id == *by => Some(instance.clone()),
            _ => was.instance(by)?,
        };
        match (known, view.instance(by)?) {
            (Some(known), Some(there)) if !is_same(&known, &there) => return Ok(Replayed::Clash(by.clone())),
            (Some(known), None) if needs_actor(&op.action) => revive = Some(Box::new(known)),
            _ => {}
        }
    }
    let action = match &op.action {
        Action::Create { .. } | Action::Compact { .. } | Action::Recover => return Ok(Replayed::Nothing),
        Action::Claim { wants, evict, lost } => claim(view, was, op, wants, evict, lost)?,
        Action::Release { claims, ended, forced } => {
            let by = op.by.clone().map(Holder::Instance).filter(|_| forced.is_none());
            let claims = still_held(view, claims, by.as_ref())?;
            Action::Release { claims, ended: ended.clone(), forced: forced.clone() }
        }
        Action::End(departures) => Action::End(departing(view, was, departures)?),
        Action::Handoff { handoff, claims } => {
            if view.handoff(&handoff.id)?.is_some() {
                return Ok(Replayed::Nothing);
            }
            hand_off(view, op, handoff, claims)?
        }
        Action::Settle { handoff, how, claims } => match settle(view, was, op, handoff, *how, claims)? {
            Some(action) => action,
            None => return Ok(Replayed::Nothing),
        },
        Action::NewTask(made) => match task::put(view, op, made)? {
            Some(action) => action,
            None => return Ok(Replayed::Nothing),
        },
        Action::FinishTask { task: id, right, result } => match task::finish(view, op, id, right, result.as_deref())? {
            Some(action) => action,
            None => return Ok(Replayed::Nothing),
        },
        Action::Register(_) | Action::SetTask(_) | Action::Note(_) | Action::Bypass { .. } | Action::Repair { .. } => {
            op.action.clone()
        }
    };
    let lost = untold(view, was, op)?;
    // What became a note needs nobody to come back for it.
    let revive = revive.filter(|_| needs_actor(&action));
    Ok(Replayed::Op { revive, op: Box::new(Op { action, ..op.clone() }), lost })
}

fn is_same(a: &Instance, b: &Instance) -> bool {
    (&a.clone, a.since) == (&b.clone, b.since)
}

fn needs_actor(action: &Action) -> bool {
    matches!(
        action,
        Action::SetTask(_)
            | Action::Claim { .. }
            | Action::Handoff { .. }
            | Action::Settle { .. }
            | Action::FinishTask { .. }
    )
}

/// The claim, without the scopes that somebody else has by now.
fn claim<V: View, W: View<Error = V::Error>>(
    view: &V,
    was: &W,
    op: &Op,
    wants: &[Want],
    evict: &[Eviction],
    lost: &[Loss],
) -> Result<Action, V::Error> {
    let Some(me) = &op.by else { return Ok(op.action.clone()) };
    let conflicts = match apply::claim::claim(view, op, me, wants, evict, &[])? {
        Err(Refusal::Held(conflicts)) => conflicts,
        _ => Vec::new(),
    };
    let done = task::none_left_to_claim(view, was, op, me, wants)?;
    let rival = |scope: &Scope| {
        let in_the_way = conflicts.iter().find(|conflict| conflict.scope == *scope);
        done.iter().find(|rival| rival.scope == *scope).cloned().or_else(|| in_the_way.map(|c| c.claim.as_rival()))
    };
    let told = view.ended(me)?;
    // What it has lost or been deprived of since, and could not know.
    let known = if told.is_empty() { Vec::new() } else { was.ended(me)? };
    let news: Vec<&Ended> =
        told.iter().filter(|ended| !known.iter().any(|known| known.claim.id == ended.claim.id)).collect();
    let (mut kept, mut lost) = (Vec::new(), lost.to_vec());
    for want in wants {
        let near = if news.is_empty() { Vec::new() } else { was.claims_near(&want.scope)? };
        let mut held = near.iter().filter(|held| held.is_held_by(me) && held.scope == want.scope);
        if held.any(|held| news.iter().any(|ended| ended.claim.id == held.id)) {
            // To renew what has ended meanwhile is not to claim it anew: it is told of that first.
            continue;
        }
        match rival(&want.scope) {
            // One that is renewed after it was lost is not lost again.
            Some(_) if told.iter().any(|ended| ended.rival.is_some() && ended.claim.scope == want.scope) => {}
            Some(rival) => lost.push(Loss { want: want.clone(), rival }),
            None => kept.push(want.clone()),
        }
    }
    // To claim something more is to have been told what was lost of it; but not where that could not be known: what is
    // claimed may shut out less, or be given back before the rest.
    for ended in &news {
        let same = |want: &Want| {
            want.scope == ended.claim.scope && (want.mode == ended.claim.mode || want.mode == Mode::Exclusive)
        };
        let covers = |want: &Want| apply::claim::contains(&want.scope, &ended.claim.scope);
        if kept.iter().any(covers) && !kept.iter().any(same) {
            lost.push(Loss { want: wanted(ended.claim.clone()), rival: whoever_ended(ended) });
        }
    }
    Ok(Action::Claim { wants: kept, evict: evict.to_vec(), lost })
}

fn still_held<V: View>(view: &V, claims: &[GrantRef], by: Option<&Holder>) -> Result<Vec<GrantRef>, V::Error> {
    let mut held = Vec::new();
    for grant in claims {
        let claim = granted(view, grant)?;
        if claim.is_some_and(|claim| by.is_none_or(|by| claim.holder == *by)) {
            held.push(grant.clone());
        }
    }
    Ok(held)
}

/// The handoff, with what it can't be without: a claim that was granted anew meanwhile, and overlaps one that goes.
fn hand_off<V: View>(view: &V, op: &Op, handoff: &Handoff, claims: &[GrantRef]) -> Result<Action, V::Error> {
    let by = op.by.clone().map(Holder::Instance);
    let (mut handoff, mut claims) = (handoff.clone(), still_held(view, claims, by.as_ref())?);
    let mut at = 0;
    while let (Some(grant), Some(me)) = (claims.get(at), &op.by) {
        if let Some(claim) = granted(view, grant)? {
            for beside in apply::kept_beside(view, me, &claim, &claims)? {
                handoff.claims.push(beside.id.clone());
                claims.push(beside.grant_ref());
            }
        }
        at += 1;
    }
    Ok(Action::Handoff { handoff: Box::new(handoff), claims })
}

fn granted<V: View>(view: &V, grant: &GrantRef) -> Result<Option<Claim>, V::Error> {
    Ok(view.claim(&grant.claim)?.filter(|claim| claim.grant == grant.grant))
}

fn departing<V: View, W: View<Error = V::Error>>(
    view: &V,
    was: &W,
    departures: &[Departure],
) -> Result<Vec<Departure>, V::Error> {
    let mut departing = Vec::new();
    for departure in departures {
        let (known, there) = (was.instance(&departure.instance)?, view.instance(&departure.instance)?);
        if known.zip(there).is_some_and(|(known, there)| is_same(&known, &there)) {
            // Also what came back to it meanwhile, with a handoff that was declined: nobody else could let go of it.
            let held = view.claims_of(&Holder::Instance(departure.instance.clone()))?;
            let claims = held.iter().map(Claim::grant_ref).collect();
            departing.push(Departure { claims, ..departure.clone() });
        }
    }
    Ok(departing)
}

/// A settlement holds if nobody was quicker. To accept what somebody else has accepted is to lose the claims of it.
fn settle<V: View, W: View<Error = V::Error>>(
    view: &V,
    was: &W,
    op: &Op,
    id: &HandoffId,
    how: Settlement,
    claims: &[GrantRef],
) -> Result<Option<Action>, V::Error> {
    let (Some(before), Some(there)) = (was.handoff(id)?, view.handoff(id)?) else { return Ok(None) };
    if before.state == there.state {
        let holder = match &there.state {
            HandoffState::Accepted(by) => Holder::Instance(by.by.clone()),
            _ => Holder::Handoff(id.clone()),
        };
        // All that is its own there, under whatever name: what stayed behind nobody could let go of.
        let mut claims = view.claims_of(&holder)?;
        claims.retain(|claim| there.claims.contains(&claim.id));
        let claims: Vec<GrantRef> = claims.iter().map(Claim::grant_ref).collect();
        if how == Settlement::Done
            && let Some(open) = apply::task::unfinished(view, &claims, &holder)?
        {
            return Ok(task::keeps_open(op, id, &open).map(Action::Note));
        }
        return Ok(Some(Action::Settle { handoff: id.clone(), how, claims }));
    }
    if how != Settlement::Accept {
        return Ok(None);
    }
    let mut lost = Vec::new();
    for grant in claims {
        let (Some(claim), there) = (granted(was, grant)?, view.claim(&grant.claim)?) else { continue };
        let rival = there.map_or_else(|| claim.as_rival(), |there| there.as_rival());
        lost.push(Loss { want: wanted(claim), rival });
    }
    Ok((!lost.is_empty()).then_some(Action::Claim { wants: Vec::new(), evict: Vec::new(), lost }))
}

/// What the taker of a handoff got with it, and the maker had lost: the maker is told of it already.
fn untold<V: View, W: View<Error = V::Error>>(view: &V, was: &W, op: &Op) -> Result<Vec<Loss>, V::Error> {
    let Action::Settle { handoff: id, how: Settlement::Accept, claims } = &op.action else { return Ok(Vec::new()) };
    let Some(handoff) = view.handoff(id)?.filter(|handoff| handoff.state == HandoffState::Open) else {
        return Ok(Vec::new());
    };
    let told = view.ended(&handoff.from)?;
    let mut lost = Vec::new();
    for grant in claims {
        let ended = told.iter().find(|ended| ended.claim.id == grant.claim);
        if let (Some(ended), Some(claim)) = (ended, granted(was, grant)?)
            && view.claim(&grant.claim)?.is_none_or(|there| there.holder != Holder::Handoff(id.clone()))
        {
            lost.push(Loss { rival: whoever_ended(ended), want: wanted(claim) });
        }
    }
    Ok(lost)
}

/// To whom a claim was lost, also where it was taken from its holder rather than given to somebody else.
fn whoever_ended(ended: &Ended) -> Rival {
    let by =
        ended.by.clone().map(|by| Rival { holder: Holder::Instance(by), since: ended.at, ..ended.claim.as_rival() });
    ended.rival.clone().or(by).unwrap_or_else(|| ended.claim.as_rival())
}

fn wanted(claim: Claim) -> Want {
    let Claim { id, scope, mode, origin, until, why, .. } = claim;
    Want { id, scope, mode, origin, until, why }
}

#[cfg(test)]
mod tests;
