//! The commit of a run: by what it is known, and what is done where its driver was killed while it was at its hooks.

use crate::{
    base::id::RunId,
    ops::{Error, Session, verify::Interrupts},
};

/// By which it is known what made a commit.
pub(super) fn trailer(run: &RunId) -> String {
    format!("Aio-Run: {run}")
}

/// Waits for the commit that a killed driver has left at its hooks: git goes on with it, so that nothing of the run may be
/// judged, and none of its files changed, before that has ended. It comes before the run is taken up, whose worker the hooks may
/// ask for. `tell` hears that it is waited for.
///
/// # Errors
/// When somebody stops that. Then nothing was done.
pub(super) fn wait_for_left(
    session: &Session,
    run: &RunId,
    interrupts: &Interrupts,
    tell: impl FnOnce(String),
) -> Result<(), Error> {
    let waits = || tell("its driver is gone, and its commit is still at its hooks: waiting for them".into());
    let is_over = session.wait_for_commit(&trailer(run), || interrupts.count() > 0, waits);
    match is_over {
        true => Ok(()),
        false => Err(Error::Busy(format!("a commit of {run} is still at its hooks, and nothing was done"))),
    }
}
