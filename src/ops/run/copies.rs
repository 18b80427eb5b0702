//! The copies of the work tree that a killed driver has left: what was done there is kept with the run, and they go.

use super::RunBook;
use crate::{
    base::id::{InstanceId, RunId, StepPath},
    model::run::{Attempt, Stage, Step},
    ops::{
        Error, Notice, Private, Session,
        worktree::{Capture, Removed},
    },
};

impl Session {
    /// Keeps what was done on the copies of a run by attempts that came to no end, and removes them: nobody goes on there.
    /// What can't be kept, or not be removed, stays and is told.
    ///
    /// # Errors
    /// When git can't be asked which there are.
    pub(super) fn keep_copies(&self, book: &mut RunBook<'_>, steps: &mut [Step]) -> Result<(), Error> {
        let run = book.run().id.clone();
        let is_its = |name: &str| name.strip_prefix(run.as_str()).is_some_and(|rest| rest.starts_with('-'));
        let cleared = self.clear_isolated(is_its, &mut |name, work| keep(self, book, steps, name, work))?;
        for cleared in cleared {
            if let Removed::Left { dir, why } = cleared.removed {
                self.notice(Notice::CopyLeft(dir, why));
            }
        }
        Ok(())
    }
}

/// The name of the copy on which a worker of a run works.
pub fn copy_of_worker(run: &RunId, worker: &InstanceId) -> String {
    format!("{run}-{worker}")
}

/// The name of the copy on which the steps of a block work.
pub fn copy_of_block(run: &RunId, block: &StepPath) -> String {
    format!("{run}-{}", block.as_str().replace('/', "-"))
}

fn keep(
    session: &Session,
    book: &mut RunBook<'_>,
    steps: &mut [Step],
    name: &str,
    work: &Capture,
) -> Result<(), Error> {
    let run = book.run().id.clone();
    let blocks: Vec<StepPath> = steps.iter().map(|step| step.path.clone()).collect();
    let block = blocks.iter().find(|path| copy_of_block(&run, path) == name);
    for step in steps {
        let path = step.path.clone();
        let is_inside = block.is_some_and(|block| path.is_inside(block));
        let Some(attempt) = step.attempts.last_mut().filter(|last| {
            let worker = last.instance.as_ref();
            last.stage != Stage::Settled
                && last.after.is_none()
                && (is_inside || worker.is_some_and(|worker| copy_of_worker(&run, worker) == name))
        }) else {
            continue;
        };
        if keep_attempt(session, book, &path, attempt, work)? {
            book.record(&[step], &format!("{path}: what was done on its copy"))?;
        }
    }
    Ok(())
}

/// Whether there is anything to be kept.
fn keep_attempt(
    session: &Session,
    book: &mut RunBook<'_>,
    path: &StepPath,
    attempt: &mut Attempt,
    work: &Capture,
) -> Result<bool, Error> {
    let Some(before) = &attempt.before else { return Ok(false) };
    let before = session.capture_from_tree(before)?;
    let kept = session.capture_to_tree(work)?;
    attempt.files = session.changed_between(&before, work)?.into_iter().map(|change| change.path).collect();
    attempt.after = Some(kept.clone());
    let entry = (format!("snap/{path}.{}/after", attempt.number), Private::Tree(kept));
    book.keep(vec![entry], &format!("{path}: what was done on its copy"), false)?;
    Ok(true)
}
