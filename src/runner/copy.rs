//! A copy of the work tree, made ready to be worked in: for a step, or for a block.

use crate::ops::{
    Error, Session,
    worktree::{Capture, Isolated},
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
