//! What the rules say of tasks: none takes the name of another, none is done twice, none is done by somebody who doesn't
//! hold it, and none before what it needs, unless a person says so.

use super::{Applied, Change, Conflict, Outcome, Refusal, claim::evict_claim, done, granted};
use crate::{
    base::id::TaskId,
    model::{
        claim::{Claim, EndReason, GrantRef, Holder, Mode},
        instance::Instance,
        op::{Op, Right, Want},
        scope::Scope,
        task::{Finished, Task},
        view::View,
    },
};

pub(super) fn put_task<V: View>(view: &V, task: &Task) -> Result<Outcome, V::Error> {
    if view.task(&task.id)?.is_some() {
        return Ok(Err(Refusal::TaskExists(task.id.clone())));
    }
    for need in &task.needs {
        if view.task(need)?.is_none() {
            return Ok(Err(Refusal::NoSuchTask(need.clone())));
        }
    }
    Ok(done([Change::PutTask(Task { done: None, ..task.clone() })]))
}

pub(super) fn finish<V: View>(
    view: &V,
    op: &Op,
    mut me: Instance,
    id: &TaskId,
    result: Option<&String>,
    right: &Right,
) -> Result<Outcome, V::Error> {
    let Some(task) = view.task(id)? else { return Ok(Err(Refusal::NoSuchTask(id.clone()))) };
    if task.done.is_some() {
        return Ok(Err(Refusal::TaskDone(Box::new(task))));
    }
    let scope = Scope::Task(id.clone());
    let mut claims = view.claims_near(&scope)?;
    claims.retain(|claim| claim.scope == scope);
    let (mut applied, token) = match right {
        Right::Held(grant) => match held(view, &me, grant, &scope, claims)? {
            Ok(claim) => match left_of(view, &task)? {
                left if left.is_empty() => (given_back(claim.clone()), claim.token),
                left => return Ok(Err(Refusal::TaskWaits(task.id, left))),
            },
            Err(refusal) => return Ok(Err(refusal)),
        },
        Right::Force(why) => match in_a_handoff(&scope, &claims) {
            None => (ended_by_force(op, &me, why, claims), view.seq() + 1),
            Some(conflict) => return Ok(Err(Refusal::Held(vec![conflict]))),
        },
    };
    let finished = Finished { by: me.id.clone(), at: op.at, result: result.cloned(), token };
    applied.changes.push(Change::PutTask(Task { done: Some(finished), ..task }));
    if me.task.as_ref().is_some_and(|doing| doing.id.as_ref() == Some(id)) {
        me.task = None;
        applied.changes.push(Change::PutInstance(me));
    }
    Ok(Ok(applied))
}

/// The one claim on a task, if it is that which its holder means, and shuts others out.
fn held<V: View>(
    view: &V,
    me: &Instance,
    grant: &GrantRef,
    scope: &Scope,
    claims: Vec<Claim>,
) -> Result<Result<Claim, Refusal>, V::Error> {
    let mine = granted(view, grant)?.filter(|claim| claim.is_held_by(&me.id) && claim.scope == *scope);
    let Some(mine) = mine else { return Ok(Err(Refusal::ClaimChanged(grant.claim.clone()))) };
    let others = claims.into_iter().filter(|claim| claim.id != mine.id);
    let conflicts: Vec<Conflict> = others.map(|claim| Conflict { scope: scope.clone(), claim }).collect();
    Ok(if conflicts.is_empty() && mine.mode == Mode::Exclusive {
        Ok(mine)
    } else {
        Err(Refusal::Held(if conflicts.is_empty() {
            vec![Conflict { scope: scope.clone(), claim: mine }]
        } else {
            conflicts
        }))
    })
}

/// What a task needs and is not done, or nothing is known of.
pub(in crate::model) fn left_of<V: View>(view: &V, task: &Task) -> Result<Vec<TaskId>, V::Error> {
    let mut left = Vec::new();
    for need in &task.needs {
        if view.task(need)?.is_none_or(|needed| needed.done.is_none()) {
            left.push(need.clone());
        }
    }
    Ok(left)
}

fn given_back(claim: Claim) -> Applied {
    Applied { changes: vec![Change::DropClaim(claim.clone())], released: vec![claim], ..Applied::default() }
}

/// The claim of an open handoff, which not even force ends: whoever accepts it goes on from there, and could not be told.
fn in_a_handoff(scope: &Scope, claims: &[Claim]) -> Option<Conflict> {
    let held = claims.iter().find(|claim| matches!(claim.holder, Holder::Handoff(_)));
    held.map(|claim| Conflict { scope: scope.clone(), claim: claim.clone() })
}

fn ended_by_force(op: &Op, me: &Instance, why: &str, claims: Vec<Claim>) -> Applied {
    let mut applied = Applied::default();
    for claim in claims {
        if claim.is_held_by(&me.id) {
            applied.changes.push(Change::DropClaim(claim.clone()));
            applied.released.push(claim);
        } else {
            evict_claim(&mut applied, op, claim, EndReason::Forced);
        }
    }
    for change in &mut applied.changes {
        if let Change::PutEnded(_, ended) = change {
            ended.why = Some(why.to_owned());
        }
    }
    applied
}

/// The first of `wants` that is a task which is done: there is nothing to claim of it.
pub(super) fn first_done<V: View>(view: &V, wants: &[Want]) -> Result<Option<Task>, V::Error> {
    for want in wants {
        if let Scope::Task(id) = &want.scope
            && let Some(task) = view.task(id)?.filter(|task| task.done.is_some())
        {
            return Ok(Some(task));
        }
    }
    Ok(None)
}

/// Whether a handoff may not be called done: it holds a task of the queue that is open, which would be free for anybody
/// to do once more.
pub(in crate::model) fn unfinished<V: View>(
    view: &V,
    claims: &[GrantRef],
    holder: &Holder,
) -> Result<Option<TaskId>, V::Error> {
    for grant in claims {
        if let Some(Claim { scope: Scope::Task(id), .. }) =
            granted(view, grant)?.filter(|claim| claim.holder == *holder)
            && view.task(&id)?.is_some_and(|task| task.done.is_none())
        {
            return Ok(Some(id));
        }
    }
    Ok(None)
}
