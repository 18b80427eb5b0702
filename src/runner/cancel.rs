//! A run is ended that nobody drives. What it did stays as it is; but a copy comes back as a whole or not at all, so that what
//! had come back of one in part goes again, and that is told.

use super::{
    copy::work_of,
    landing::{Landing, name_of_attempt, told},
};
use crate::{
    base::{
        id::RunId,
        path::{RepoPath, named},
    },
    model::run::{Run, Stage, Step},
    ops::{Error, Private, Session, run::RunBook, worktree::Cleared},
};

/// Ends a run that nobody drives. What there is to say of copies that were on their way back is kept with it.
///
/// # Errors
/// When somebody drives it, or it can't be read or written.
pub fn cancel(session: &Session, id: &RunId) -> Result<(), Error> {
    session.cancel_run(id, |book, steps| {
        let removed = session.clear_isolated(|_| false)?;
        let mut said = Vec::new();
        for step in steps.iter_mut().filter(|step| !step.status.is_final()) {
            said.extend(settle(session, book.run(), step)?);
            keep_work(session, book, step, &removed)?;
        }
        Ok((!said.is_empty()).then(|| said.join("\n")))
    })
}

/// Keeps what was done on a copy that is gone.
fn keep_work(session: &Session, book: &mut RunBook<'_>, step: &mut Step, removed: &[Cleared]) -> Result<(), Error> {
    let Some(attempt) = step.attempts.last_mut() else { return Ok(()) };
    let Some((before, work)) = work_of(session, &book.run().id, attempt, removed)? else { return Ok(()) };
    let kept = session.capture_to_tree(&work)?;
    attempt.files = session.changed_between(&before, &work)?.into_iter().map(|change| change.path).collect();
    attempt.after = Some(kept.clone());
    let name = name_of_attempt(&step.path, attempt.number);
    let entry = (format!("snap/{name}/after"), Private::Tree(kept));
    book.keep(vec![entry], &format!("{}: what was done on its copy", step.path), false)
}

/// Settles what was on its way back from the copy that a step worked on when its driver was gone: all of it stays, a part
/// goes again. What became of it, where anything had come.
fn settle(session: &Session, run: &Run, step: &Step) -> Result<Option<String>, Error> {
    let name = match step.attempts.last() {
        Some(attempt) if attempt.stage == Stage::Settled => return Ok(None),
        Some(attempt) => name_of_attempt(&step.path, attempt.number),
        None => step.path.to_string(),
    };
    let Some((landing, _)) = Landing::known(session, &run.id, &name)? else { return Ok(None) };
    let now = session.capture_after(&landing.before)?;
    let changed = |from, to| -> Result<Vec<RepoPath>, Error> {
        Ok(session.changed_between(from, to)?.into_iter().map(|change| change.path).collect())
    };
    let (touched, missing) = (changed(&landing.before, &now)?, changed(&now, &landing.after)?);
    let (here, others): (Vec<RepoPath>, Vec<RepoPath>) =
        landing.files.iter().cloned().partition(|path| touched.contains(path) && !missing.contains(path));
    let became = match (here.as_slice(), others.as_slice()) {
        ([], _) => return Ok(None),
        (here, []) => format!("all of it is here: {}", named(here)),
        (here, _) => {
            let free = session.held_by_none_but(run, here)?;
            let stays = landing.unland(session, &free);
            let theirs: Vec<RepoPath> = here.iter().filter(|path| !free.contains(path)).cloned().collect();
            let held = (!theirs.is_empty()).then(|| format!("; others hold these now: {}", named(&theirs)));
            let stays = (!stays.is_empty()).then(|| format!("; left as it is: {}", told(&stays)));
            let rest = held.unwrap_or_default() + &stays.unwrap_or_default();
            format!("what was here of it is put back: {}{rest}", named(here))
        }
    };
    Ok(Some(format!("{}: its driver was gone while its copy came back, and {became}", step.path)))
}
