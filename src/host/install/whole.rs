//! A file that is written where there is none, and that is its user's from then on.

use super::{Act, FileChange, InstallError, Node, Part, Place, apply::carry_out};
use std::path::Path;

/// The permissions of a file that is not run.
const PLAIN: u32 = 0o644;

/// What would write `text` to `path`: nothing where something is there, whatever it is.
///
/// # Errors
/// When what is there can't be read.
pub fn plan_new(path: &Path, text: &str) -> Result<Vec<FileChange>, InstallError> {
    let before = Node::read(path)?;
    if before != Node::Absent {
        return Ok(Vec::new());
    }
    let after = Node::File { bytes: text.as_bytes().to_owned(), mode: PLAIN };
    let part = Part::Whole { template: text.to_owned() };
    Ok(vec![FileChange { part, ..FileChange::new(path.to_owned(), before, after, Act::Create) }])
}

/// Writes it, and tells what that took.
///
/// # Errors
/// As for [`plan_new`], and when it can't be written.
pub fn write_new(place: &Place, path: &Path, text: &str) -> Result<Vec<FileChange>, InstallError> {
    carry_out(place, || plan_new(path, text))
}
