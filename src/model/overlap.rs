//! Whether two scopes can cover the same file.
//!
//! The answer is about all paths there can be, not about the files there are, and it is never "no" for two scopes that
//! cover a path in common. It is exact, but for patterns so intricate that their automata outgrow a fixed size, and for
//! patterns that match no path at all (`{..}/a`): these may be said to overlap with what they don't.
//!
//! Paths and directories are compared as text. Patterns are compared as automata: each is compiled to a DFA, and the
//! product of the two is searched for a path that both accept. Most pairs never get so far, because their literal
//! beginnings or ends differ.

mod automaton;
mod glob;
#[cfg(test)]
mod tests;

use super::scope::Scope;
use crate::base::{id::TaskId, path::RepoPath};
use automaton::Below;
use glob::Glob;

/// Whether a path, or a task, can belong to both scopes; with `fold`, as a case-insensitive file system sees paths.
pub fn overlaps(a: &Scope, b: &Scope, fold: bool) -> bool {
    Overlap::new(a, fold).with(b)
}

/// One scope, to be compared with many: what has to be compiled for it is compiled at first need and kept.
#[derive(Debug)]
pub struct Overlap {
    scope: Prepared,
    fold: bool,
}

/// A scope with its case folded where that is asked for.
#[derive(Debug)]
enum Prepared {
    File(RepoPath),
    Directory(RepoPath),
    Pattern(Box<Glob>),
    Task(TaskId),
}

impl Overlap {
    /// Prepares to compare `scope`. Nothing is compiled yet.
    pub fn new(scope: &Scope, fold: bool) -> Self {
        let cased = |path: &RepoPath| if fold { path.folded() } else { path.clone() };
        let scope = match scope {
            Scope::File(path) => Prepared::File(cased(path)),
            Scope::Directory(path) => Prepared::Directory(cased(path)),
            Scope::Pattern(pattern) => Prepared::Pattern(Box::new(Glob::new(pattern, fold))),
            Scope::Task(id) => Prepared::Task(id.clone()),
        };
        Overlap { scope, fold }
    }

    /// Whether a path, or a task, can belong both to this scope and to `other`.
    pub fn with(&self, other: &Scope) -> bool {
        self.scope.meets(&Overlap::new(other, self.fold).scope)
    }
}

impl Prepared {
    fn meets(&self, other: &Prepared) -> bool {
        use Prepared::*;
        match (self, other) {
            (Task(a), Task(b)) => a == b,
            (Task(_), _) | (_, Task(_)) => false,
            (File(path), scope) | (scope, File(path)) => scope.covers(path),
            (Directory(a), Directory(b)) => a.is_within(b) || b.is_within(a),
            (Directory(dir), Pattern(glob)) | (Pattern(glob), Directory(dir)) => enters(glob, dir),
            (Pattern(a), Pattern(b)) => share_a_path(a, b),
        }
    }

    fn covers(&self, path: &RepoPath) -> bool {
        match self {
            Prepared::File(own) => own == path,
            Prepared::Directory(dir) => path.is_within(dir),
            Prepared::Pattern(glob) => glob.is_match(path),
            Prepared::Task(_) => false,
        }
    }
}

/// Whether `glob` matches `dir` or something below it.
fn enters(glob: &Glob, dir: &RepoPath) -> bool {
    if glob.prefix().is_within(dir) {
        return true;
    }
    dir.is_within(glob.prefix())
        && (glob.is_recursive()
            || glob.dfa().is_none_or(|dfa| !matches!(automaton::joint_path(dfa, &Below::new(dir)), Ok(None))))
}

fn share_a_path(a: &Glob, b: &Glob) -> bool {
    if a.text() == b.text() {
        return true;
    }
    a.ends_fit(b)
        && match (a.dfa(), b.dfa()) {
            (Some(a), Some(b)) => !matches!(automaton::joint_path(a, b), Ok(None)),
            _ => true,
        }
}
