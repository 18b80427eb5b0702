//! What becomes of tasks: the first to give one a name, and the first to do it, are those whom the hub took first.

use super::granted;
use crate::{
    base::{
        id::{InstanceId, NoteId, TaskId},
        text,
    },
    model::{
        claim::{Holder, Rival},
        note::{Category, MAX_NOTE, Note},
        op::{Action, Op, Right, Want},
        scope::Scope,
        task::Task,
        view::View,
    },
};

/// The making of a task. Where another has its name, its words become a note, which tells its maker and keeps them.
pub(super) fn put<V: View>(view: &V, op: &Op, made: &Task) -> Result<Option<Action>, V::Error> {
    if let Some(other) = view.task(&made.id)? {
        return Ok(if made.is_same_as(&other) { None } else { told(op, made).map(Action::Note) });
    }
    // One that isn't known there was done so long ago that it is forgotten.
    let mut needs = Vec::new();
    for need in &made.needs {
        if view.task(need)?.is_some() {
            needs.push(need.clone());
        }
    }
    Ok(Some(Action::NewTask(Box::new(Task { needs, ..made.clone() }))))
}

/// A note of the name of the operation, so that it is the same whoever does it again.
fn told(op: &Op, made: &Task) -> Option<Note> {
    let id: NoteId = op.id.as_str().get(..16)?.parse().ok()?;
    let words = format!(
        "The task {} was made in another clone first, and that one stands. What was meant here was not put into the \
         queue: {}\n{}",
        made.id, made.title, made.text
    );
    let text = text::head(&words, MAX_NOTE).to_owned();
    let (by, at) = (made.by.clone(), op.at);
    Some(Note { id, category: Category::Warning, text, by, at, paths: made.paths.clone(), to: None, run: None })
}

/// Whether the task is still to be done, and by the one who says that it has.
pub(super) fn can_be_finished<V: View>(view: &V, op: &Op, id: &TaskId, right: &Right) -> Result<bool, V::Error> {
    if view.task(id)?.is_none_or(|task| task.done.is_some()) {
        return Ok(false);
    }
    let Right::Held(grant) = right else {
        // Of what an open handoff holds by now, whoever accepts it decides.
        let scope = Scope::Task(id.clone());
        let mut claims = view.claims_near(&scope)?.into_iter().filter(|claim| claim.scope == scope);
        return Ok(claims.all(|claim| matches!(claim.holder, Holder::Instance(_))));
    };
    let holder = op.by.clone().map(Holder::Instance);
    Ok(granted(view, grant)?.is_some_and(|claim| Some(claim.holder) == holder))
}

/// Of `wants` the tasks that others have done meanwhile, each with who did it; of one that is forgotten since, whoever
/// asks stands in for them.
pub(super) fn none_left_to_claim<V: View, W: View<Error = V::Error>>(
    view: &V,
    was: &W,
    op: &Op,
    me: &InstanceId,
    wants: &[Want],
) -> Result<Vec<Rival>, V::Error> {
    let mut done = Vec::new();
    for want in wants {
        let Scope::Task(id) = &want.scope else { continue };
        let rival = |by: &InstanceId, token, since| Rival {
            holder: Holder::Instance(by.clone()),
            scope: want.scope.clone(),
            token,
            since,
        };
        match view.task(id)? {
            Some(task) => done.extend(task.done.map(|done| rival(&done.by, done.token, done.at))),
            None if was.task(id)?.is_some() => done.push(rival(me, view.seq(), op.at)),
            None => {}
        }
    }
    Ok(done)
}
