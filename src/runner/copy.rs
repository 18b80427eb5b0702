//! A copy of the work tree, made ready to be worked in: for a step, or for a block.

use crate::{
    base::id::{InstanceId, RunId},
    model::run::{Attempt, Stage},
    ops::{
        Error, Session,
        worktree::{Capture, Cleared, Isolated},
    },
};

/// Makes a copy that begins with what `main` has, and does with it what makes it ready. It is named by `name`, and worked in
/// by `acting_as`.
///
/// # Errors
/// Why it can't be made, or not be made ready. Then it is gone.
pub(super) fn made_ready<T>(
    session: &Session,
    name: &str,
    main: &Capture,
    acting_as: Option<String>,
    make_ready: impl FnOnce(&Isolated, Session) -> Result<T, Error>,
) -> Result<(Isolated, T), Error> {
    let copy = session.isolate(name, main)?;
    match Session::open_other(copy.dir(), acting_as).and_then(|there| make_ready(&copy, there)) {
        Ok(ready) => Ok((copy, ready)),
        Err(error) => {
            session.abandon_isolated(copy);
            Err(error)
        }
    }
}

/// The name of the copy that a worker of a run works on.
pub(super) fn name_of(run: &RunId, worker: &InstanceId) -> String {
    format!("{run}-{worker}")
}

/// What was done on the copy of an attempt whose driver was gone before it had answered, where the copy is among those that
/// were removed: how it began, and how it was then.
pub(super) fn work_of(
    session: &Session,
    run: &RunId,
    attempt: &Attempt,
    removed: &[Cleared],
) -> Result<Option<(Capture, Capture)>, Error> {
    let (Stage::Working, Some(worker), Some(before)) = (attempt.stage, &attempt.instance, &attempt.before) else {
        return Ok(None);
    };
    let name = name_of(run, worker);
    let work = removed.iter().find(|copy| copy.run == name).and_then(|copy| copy.work.clone());
    work.map(|work| Ok((session.capture_from_tree(before)?, work))).transpose()
}
