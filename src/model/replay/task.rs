//! What becomes of tasks: the first to give one a name, and the first to do it, are those whom the hub took first.

use super::granted;
use crate::{
    base::{
        id::{HandoffId, InstanceId, NoteId, TaskId},
        text,
    },
    model::{
        apply::task::left_of,
        claim::{Holder, Rival},
        note::{Category, MAX_NOTE, Note},
        op::{Action, Op, Right, Want},
        scope::Scope,
        task::{Finished, Task},
        view::View,
    },
};

/// The making of a task. Where another has its name, its words become a note, which tells its maker and keeps them.
pub(super) fn put<V: View>(view: &V, op: &Op, made: &Task) -> Result<Option<Action>, V::Error> {
    if let Some(other) = view.task(&made.id)? {
        return Ok(if made.is_same_as(&other) { None } else { not_made(op, made).map(Action::Note) });
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

fn not_made(op: &Op, made: &Task) -> Option<Note> {
    let words = format!(
        "The task {} was made in another clone first, and that one stands. What was meant here was not put into the \
         queue: {}\n{}",
        made.id, made.title, made.text
    );
    Some(Note { paths: made.paths.iter().map(|path| path.path.clone()).collect(), ..told(op, &made.by, &words)? })
}

/// What `by` is told, in a note of the name of the operation, so that it is the same whoever does it again.
fn told(op: &Op, by: &InstanceId, words: &str) -> Option<Note> {
    let id: NoteId = op.id.as_str().get(..16)?.parse().ok()?;
    let (text, by, at) = (text::head(words, MAX_NOTE).to_owned(), by.clone(), op.at);
    Some(Note { id, category: Category::Warning, text, by, at, paths: Vec::new(), to: None, run: None })
}

/// The end of a task. Where it is done already, or somebody else has it, what came of it becomes a note, which tells
/// whoever said so and keeps the words.
pub(super) fn finish<V: View>(
    view: &V,
    op: &Op,
    id: &TaskId,
    right: &Right,
    result: Option<&str>,
) -> Result<Option<Action>, V::Error> {
    let there = view.task(id)?;
    let done = there.as_ref().and_then(|task| task.done.as_ref());
    let is_known = |done: &Finished| Some(&done.by) == op.by.as_ref() && done.result.as_deref() == result;
    let left = match (&there, right) {
        (Some(task), Right::Held(_)) => left_of(view, task)?,
        _ => Vec::new(),
    };
    if there.is_some() && done.is_none() && left.is_empty() && can_be_finished(view, op, id, right)? {
        return Ok(Some(op.action.clone()));
    }
    let Some(by) = op.by.as_ref().filter(|_| !done.is_some_and(is_known)) else { return Ok(None) };
    let how = match (&there, done) {
        (None, _) => "it was done so long ago that it is forgotten".to_owned(),
        (_, Some(done)) => format!("{} had done it first", done.by),
        (_, None) if !left.is_empty() => "what it needs is not done there, and it is to be done after that".to_owned(),
        (_, None) => "somebody else has it there, and it is to be done".to_owned(),
    };
    let result = result.map(|result| format!(" What came of it here: {result}")).unwrap_or_default();
    let words = format!("That the task {id} was done by {by} did not count: {how}.{result}");
    Ok(told(op, by, &words).map(Action::Note))
}

/// What is told where a handoff is not done, since a task that it holds is open.
pub(super) fn keeps_open(op: &Op, handoff: &HandoffId, task: &TaskId) -> Option<Note> {
    let words = format!("That {handoff} was done did not count: it holds the task {task}, which is to be done.");
    told(op, op.by.as_ref()?, &words)
}

/// Whether a task that is open is done by the one who says so.
fn can_be_finished<V: View>(view: &V, op: &Op, id: &TaskId, right: &Right) -> Result<bool, V::Error> {
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
