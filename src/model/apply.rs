//! The rules: what an operation does to a state.
//!
//! Pure, so that a clone which replays an operation on the hub's state comes to the same answer as everybody else.
//! Exclusion rests on this file alone: of two overlapping claims by two holders, not both shared, the second is
//! refused, unless the operation names the first one's grant as ended (its holder gone, its time up).

pub(super) mod claim;
mod handoff;
pub(super) mod task;

use claim::evict_claim;
pub use handoff::kept_beside;
use handoff::{hand_off, settle};

use super::{
    claim::{Claim, EndReason, Ended, GrantRef, Holder},
    handoff::Handoff,
    instance::Instance,
    note::Note,
    op::{Action, Departure, Op},
    scope::Scope,
    task::Task,
    view::View,
};
use crate::base::id::{ClaimId, Domain, HandoffId, InstanceId, TaskId};

/// What has to be written for an operation to have happened. All of it, in one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The store begins.
    Create(Domain, bool),
    /// A registration, new or changed.
    PutInstance(Instance),
    /// A registration is gone.
    DropInstance(InstanceId),
    /// A claim, new or changed.
    PutClaim(Claim),
    /// A claim is gone.
    DropClaim(Claim),
    /// An instance lost a claim and has to be told.
    PutEnded(InstanceId, Ended),
    /// It has been told, and has claimed or let go.
    DropEnded(InstanceId, ClaimId),
    /// A note.
    PutNote(Note),
    /// A handoff, new or changed.
    PutHandoff(Handoff),
    /// A task, new or done.
    PutTask(Task),
    /// A task that need not be remembered any more.
    DropTask(TaskId),
}

/// What an operation came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// What has to be written. Empty: everything was so already, and there is nothing to record.
    pub changes: Vec<Change>,
    /// The claims that were asked for, as they now stand, in the order they were asked for.
    pub granted: Vec<Claim>,
    /// Claims of others that ended for it.
    pub evicted: Vec<Ended>,
    /// Claims that were given back.
    pub released: Vec<Claim>,
}

/// Why an operation can't happen. Nothing of it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody else holds what overlaps.
    Held(Vec<Conflict>),
    /// The actor or the named instance is not registered.
    NotRegistered(Option<InstanceId>),
    /// A claim is not what the operation took it for: gone, granted anew, or another's.
    ClaimChanged(ClaimId),
    /// There is no such handoff.
    NoSuchHandoff(HandoffId),
    /// The handoff is past that.
    HandoffSettled(Box<Handoff>),
    /// There is no such task in our queue.
    NoSuchTask(TaskId),
    /// Another task has that id.
    TaskExists(TaskId),
    /// The task is not done yet, and letting go of it would have it done once more.
    TaskOpen(TaskId),
    /// The task is done already.
    TaskDone(Box<Task>),
    /// The task is not to be done before these, which are not done, or of which nothing is known.
    TaskWaits(TaskId, Vec<TaskId>),
    /// Another instance has that id.
    InstanceExists(InstanceId),
    /// There is a store already.
    Exists,
}

/// One reason why a scope was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// What was wanted.
    pub scope: Scope,
    /// What is in the way.
    pub claim: Claim,
}

/// What came of an operation.
pub type Outcome = Result<Applied, Refusal>;

/// Applies `op` to the state seen through `view`. The result belongs to that state only.
///
/// # Errors
/// What the view says when it can't answer. A refusal is an outcome, not an error.
pub fn apply<V: View>(view: &V, op: &Op) -> Result<Outcome, V::Error> {
    match &op.action {
        Action::Create { domain, folds_case } => {
            Ok(if view.seq() > 0 { Err(Refusal::Exists) } else { done([Change::Create(domain.clone(), *folds_case)]) })
        }
        Action::Register(instance) => Ok(match view.instance(&instance.id)? {
            // Two that drew the same id: the second has to draw again, or they would share each other's claims.
            Some(other) if (&other.clone, other.since) != (&instance.clone, instance.since) => {
                Err(Refusal::InstanceExists(instance.id.clone()))
            }
            _ => done([Change::PutInstance(instance.clone())]),
        }),
        Action::SetTask(task) => with_actor(view, op, |mut me| {
            me.task = task.clone();
            Ok(done([Change::PutInstance(me)]))
        }),
        Action::End(departures) => end(view, op, departures),
        Action::Claim { wants, evict, lost } => with_actor(view, op, |me| match task::first_done(view, wants)? {
            Some(done) => Ok(Err(Refusal::TaskDone(Box::new(done)))),
            None => claim::claim(view, op, &me.id, wants, evict, lost),
        }),
        Action::Release { claims, ended, forced } => release(view, op, claims, ended, forced.as_deref()),
        Action::Note(note) => Ok(done([Change::PutNote(note.clone())])),
        Action::Handoff { handoff, claims } => with_actor(view, op, |me| hand_off(view, &me.id, handoff, claims)),
        Action::Settle { handoff, how, claims } => {
            with_actor(view, op, |me| settle(view, op, &me.id, handoff, *how, claims))
        }
        Action::NewTask(task) => task::put_task(view, task),
        Action::FinishTask { task: id, result, right } => {
            with_actor(view, op, |me| task::finish(view, op, me, id, result.as_ref(), right))
        }
        // What these record is the commit itself.
        Action::Bypass { .. } | Action::Repair { .. } | Action::Compact { .. } | Action::Recover => {
            Ok(Ok(Applied::default()))
        }
    }
}

impl Action {
    /// Whether the operation is worth a commit even if it changes no record, because the log is its purpose.
    pub fn is_for_the_log(&self) -> bool {
        matches!(self, Action::Bypass { .. } | Action::Repair { .. } | Action::Compact { .. } | Action::Recover)
    }
}

fn done<const N: usize>(changes: [Change; N]) -> Outcome {
    Ok(Applied { changes: changes.into(), ..Applied::default() })
}

fn with_actor<V: View>(
    view: &V,
    op: &Op,
    then: impl FnOnce(Instance) -> Result<Outcome, V::Error>,
) -> Result<Outcome, V::Error> {
    let Some(by) = &op.by else { return Ok(Err(Refusal::NotRegistered(None))) };
    match view.instance(by)? {
        Some(instance) => then(instance),
        None => Ok(Err(Refusal::NotRegistered(Some(by.clone())))),
    }
}

fn release<V: View>(
    view: &V,
    op: &Op,
    claims: &[GrantRef],
    ended: &[ClaimId],
    forced: Option<&str>,
) -> Result<Outcome, V::Error> {
    let mut applied = Applied::default();
    for grant in claims {
        let Some(claim) = granted(view, grant)? else { return Ok(Err(Refusal::ClaimChanged(grant.claim.clone()))) };
        match (forced, &claim.holder) {
            (Some(why), Holder::Instance(holder)) => {
                let reason = EndReason::Forced;
                let ended = Ended {
                    claim: claim.clone(),
                    reason,
                    at: op.at,
                    by: op.by.clone(),
                    why: Some(why.to_owned()),
                    rival: None,
                };
                applied.changes.push(Change::PutEnded(holder.clone(), ended.clone()));
                applied.evicted.push(ended);
            }
            (None, holder) if op.by.as_ref().is_none_or(|by| *holder != Holder::Instance(by.clone())) => {
                return Ok(Err(Refusal::ClaimChanged(claim.id)));
            }
            _ => {}
        }
        applied.changes.push(Change::DropClaim(claim.clone()));
        applied.released.push(claim);
    }
    if let Some(me) = &op.by {
        applied.changes.extend(ended.iter().map(|id| Change::DropEnded(me.clone(), id.clone())));
    }
    Ok(Ok(applied))
}

fn granted<V: View>(view: &V, grant: &GrantRef) -> Result<Option<Claim>, V::Error> {
    Ok(view.claim(&grant.claim)?.filter(|claim| claim.grant == grant.grant))
}

fn end<V: View>(view: &V, op: &Op, departures: &[Departure]) -> Result<Outcome, V::Error> {
    let mut applied = Applied::default();
    for departure in departures {
        if view.instance(&departure.instance)?.is_none() {
            return Ok(Err(Refusal::NotRegistered(Some(departure.instance.clone()))));
        }
        for grant in &departure.claims {
            match granted(view, grant)?.filter(|claim| claim.is_held_by(&departure.instance)) {
                None => return Ok(Err(Refusal::ClaimChanged(grant.claim.clone()))),
                Some(claim) if departure.stale => {
                    applied.released.push(claim.clone());
                    evict_claim(&mut applied, op, claim, EndReason::Stale);
                }
                Some(claim) => {
                    applied.changes.push(Change::DropClaim(claim.clone()));
                    applied.released.push(claim);
                }
            }
        }
        applied.changes.push(Change::DropInstance(departure.instance.clone()));
    }
    Ok(Ok(applied))
}

#[cfg(test)]
mod tests;
