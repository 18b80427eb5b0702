//! A run is ended that nobody drives, and it is told what of its copies had come back by then.

use super::landing::Landing;
use crate::{
    base::{id::RunId, path::RepoPath, text},
    model::run::{Stage, Step},
    ops::{Error, Session},
};

/// Most paths that are named of each kind.
const NAMED: usize = 10;

/// Ends a run that nobody drives. What had come back of a copy stays as it is, and which files that are is kept with the run,
/// where others of that copy had not.
///
/// # Errors
/// When somebody drives it, or it can't be read or written.
pub fn cancel(session: &Session, id: &RunId) -> Result<(), Error> {
    let open = session.shown_run(id)?.steps;
    let open = open.iter().filter(|step| !step.status.is_final());
    let told: Vec<String> =
        open.filter_map(|step| came_in_part(session, id, step).transpose()).collect::<Result<_, _>>()?;
    session.cancel_run(id, (!told.is_empty()).then(|| told.join("\n")))
}

/// What has come back of the copy that a step worked on, where it was about to when its driver was gone.
fn came_in_part(session: &Session, id: &RunId, step: &Step) -> Result<Option<String>, Error> {
    let name = match step.attempts.last() {
        Some(attempt) if attempt.stage == Stage::Settled => return Ok(None),
        Some(attempt) => format!("{}.{}", step.path, attempt.number),
        None => step.path.to_string(),
    };
    let Some((Landing { before, after, files }, _)) = Landing::known(session, id, &name)? else { return Ok(None) };
    let now = session.capture_after(&before)?;
    let changed = |from, to| -> Result<Vec<RepoPath>, Error> {
        Ok(session.changed_between(from, to)?.into_iter().map(|change| change.path).collect())
    };
    let (touched, missing) = (changed(&before, &now)?, changed(&now, &after)?);
    let (here, others): (Vec<&RepoPath>, Vec<&RepoPath>) =
        files.iter().partition(|path| touched.contains(path) && !missing.contains(path));
    let rest = match others.as_slice() {
        _ if here.is_empty() => return Ok(None),
        [] => "all of it".to_owned(),
        others => format!("and not {}", named(others)),
    };
    Ok(Some(format!(
        "{}: its driver was gone while its copy came back, and this is here: {}; {rest}",
        step.path,
        named(&here)
    )))
}

fn named(paths: &[&RepoPath]) -> String {
    let first: Vec<String> = paths.iter().take(NAMED).map(|path| text::one_line(&path.to_string(), 200)).collect();
    match paths.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{}, and {more} more", first.join(", ")),
    }
}
