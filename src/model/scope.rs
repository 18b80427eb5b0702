//! What a claim covers.
//!
//! A scope is read as a *set of file paths*, whether or not the files exist: a claim on a file that is yet to be
//! written counts as much as one on a file that is there. Whether two scopes meet is told by [`super::overlap`].

mod pattern;

pub use pattern::{InvalidPattern, Pattern};
pub(super) use pattern::{fold_glob, to_regex};

use crate::base::{
    id::{InvalidName, TaskId},
    path::{InvalidPath, RepoPath},
    text::one_line,
};
use std::fmt;

/// A part of the repository, or a task, that can be claimed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One file.
    File(RepoPath),
    /// A directory with everything below it, and its own path, should a file take its place.
    Directory(RepoPath),
    /// The files whose path a glob matches.
    Pattern(Pattern),
    /// An issue of somebody's tracker. It covers no path.
    Task(TaskId),
}

impl Scope {
    /// The path it is about: of a pattern the folder in which it begins; `None` for a task.
    pub fn path(&self) -> Option<RepoPath> {
        match self.place(false) {
            Place::Path(path) => Some(path),
            Place::Task(_) => None,
        }
    }
}

/// Where a scope is filed, so that those it may overlap are found: they are in the same place, above it or below it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// At a path. All that the scope covers is there or below.
    Path(RepoPath),
    /// At a task, with nothing above it or below.
    Task(TaskId),
}

impl Place {
    /// The places above this one, the root first.
    pub fn above(&self) -> Vec<Place> {
        let Place::Path(path) = self else { return Vec::new() };
        let mut above: Vec<Place> = std::iter::successors(path.parent(), RepoPath::parent).map(Place::Path).collect();
        above.reverse();
        above
    }
}

/// Why a kind and a target make no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScope {
    /// There is no such kind.
    #[error("'{}' is no kind of claim: use file, directory, pattern or task", one_line(.0, 60))]
    Kind(String),
    /// The root of the work tree was given as a file.
    #[error("the root of the repository is a directory, not a file")]
    RootAsFile,
    /// The target is empty.
    #[error("the target is empty; the root of the repository is written '.'")]
    Empty,
    /// The target is no path inside the repository.
    #[error(transparent)]
    Path(#[from] InvalidPath),
    /// The target is no pattern.
    #[error(transparent)]
    Pattern(#[from] InvalidPattern),
    /// The target is no task id.
    #[error(transparent)]
    Task(#[from] InvalidName),
}

impl Scope {
    /// The kind in one word: `file`, `directory`, `pattern` or `task`.
    pub fn kind(&self) -> &'static str {
        match self {
            Scope::File(_) => "file",
            Scope::Directory(_) => "directory",
            Scope::Pattern(_) => "pattern",
            Scope::Task(_) => "task",
        }
    }

    /// The path, pattern or task id as text, both for people and for records; the root directory is `.`.
    pub fn target(&self) -> String {
        match self {
            Scope::File(path) | Scope::Directory(path) => path.to_string(),
            Scope::Pattern(pattern) => pattern.to_string(),
            Scope::Task(id) => id.to_string(),
        }
    }

    /// The scope that has this [`kind`](Self::kind) and [`target`](Self::target). A target that is valid but not in
    /// normal form is taken and brought into it.
    pub fn parse(kind: &str, target: &str) -> Result<Scope, InvalidScope> {
        match kind {
            "file" => match parse_path(target)? {
                root if root.is_root() => Err(InvalidScope::RootAsFile),
                path => Ok(Scope::File(path)),
            },
            "directory" => Ok(Scope::Directory(parse_path(target)?)),
            "pattern" => Ok(Scope::Pattern(Pattern::parse(target)?)),
            "task" => Ok(Scope::Task(target.parse()?)),
            other => Err(InvalidScope::Kind(other.to_owned())),
        }
    }

    /// Where the scope is filed; with `fold`, as a case-insensitive file system sees it.
    pub fn place(&self, fold: bool) -> Place {
        let path = match self {
            Scope::File(path) | Scope::Directory(path) => path.clone(),
            Scope::Pattern(pattern) => pattern.literal_prefix(),
            Scope::Task(id) => return Place::Task(id.clone()),
        };
        Place::Path(if fold { path.folded() } else { path })
    }

    /// Whether all that `other` covers is surely covered by this, too. Of two patterns that is known only where they are the
    /// same, or where this one is all of a folder, as `src/**` is.
    pub fn includes(&self, other: &Scope, fold: bool) -> bool {
        let folder = match (self, other) {
            (_, Scope::File(path)) => return self.covers_any(std::slice::from_ref(path), fold),
            (Scope::Directory(folder), Scope::Directory(_) | Scope::Pattern(_)) => Some(folder.clone()),
            (Scope::Pattern(pattern), Scope::Directory(_) | Scope::Pattern(_)) => all_of(pattern),
            _ => None,
        };
        let folder = folder.map(|folder| if fold { folder.folded() } else { folder });
        let is_within = |folder| matches!(other.place(fold), Place::Path(path) if path.is_within(&folder));
        self == other || folder.is_some_and(is_within)
    }

    /// Whether the file `path` belongs to the scope; with `fold`, as a case-insensitive file system sees it.
    ///
    /// That is the same as whether the scope overlaps with that one file, and costs as much: to ask one scope about
    /// many paths, keep an [`Overlap`](super::overlap::Overlap).
    #[cfg(test)]
    pub(super) fn covers(&self, path: &RepoPath, fold: bool) -> bool {
        super::overlap::overlaps(self, &Scope::File(path.clone()), fold)
    }

    /// Whether any of `paths` belongs to the scope.
    pub fn covers_any(&self, paths: &[RepoPath], fold: bool) -> bool {
        let overlap = super::overlap::Overlap::new(self, fold);
        paths.iter().any(|path| overlap.with(&Scope::File(path.clone())))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.target())
    }
}

/// The folder of which a pattern covers all, where that is what it says: that of `src/**` is `src`.
fn all_of(pattern: &Pattern) -> Option<RepoPath> {
    let folder = pattern.literal_prefix();
    let rest = pattern.glob().as_bytes().strip_prefix(folder.as_bytes())?;
    (rest == b"/**" || folder.is_root() && rest == b"**").then_some(folder)
}

fn parse_path(target: &str) -> Result<RepoPath, InvalidScope> {
    match target {
        "" => Err(InvalidScope::Empty),
        "." => Ok(RepoPath::root()),
        path => Ok(RepoPath::decode(path)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scope(kind: &str, target: &str) -> Scope {
        Scope::parse(kind, target).expect(target)
    }

    fn path(text: &str) -> RepoPath {
        RepoPath::from_bytes(text.as_bytes()).expect(text)
    }

    #[test]
    fn what_is_surely_included_is_told_and_no_more() {
        let scope = |kind, target| Scope::parse(kind, target).expect("a scope");
        let (src, lib, glob) =
            (scope("directory", "src"), scope("file", "src/lib.rs"), scope("pattern", "src/**/*.rs"));
        for (outer, inner, includes) in [
            (&src, &lib, true),
            (&src, &glob, true),
            (&src, &scope("directory", "src/a"), true),
            (&src, &scope("directory", "srcs"), false),
            (&glob, &lib, true),
            (&glob, &glob, true),
            (&glob, &src, false),
            (&scope("pattern", "src/**"), &glob, true),
            (&scope("pattern", "src/**"), &scope("directory", "src/a"), true),
            (&scope("pattern", "src/**"), &scope("directory", "srcs"), false),
            (&scope("pattern", "**"), &glob, true),
            (&scope("pattern", "s*/**"), &glob, false),
            (&glob, &scope("pattern", "src/a/*.rs"), false),
            (&lib, &src, false),
        ] {
            assert_eq!(outer.includes(inner, false), includes, "{outer:?} {inner:?}");
        }
    }

    #[test]
    fn a_scope_is_a_set_of_paths() {
        for (kind, target, inside, outside) in [
            ("file", "src/a.rs", &["src/a.rs"][..], &["src", "src/a.rs/x", "src/A.rs"][..]),
            ("directory", "src", &["src", "src/a", "src/a/b"], &["src-old/a", "a/src", "Src/a"]),
            ("directory", ".", &["a", "a/b"], &[]),
            ("pattern", "*.md", &["a.md", "x/y/.md"], &["a.md/x", "a.mdx", "A.MD"]),
            ("task", "T-1", &[], &["T-1", "a"]),
        ] {
            let scope = scope(kind, target);
            assert!(inside.iter().all(|p| scope.covers(&path(p), false)), "{scope} covers {inside:?}");
            assert!(!outside.iter().any(|p| scope.covers(&path(p), false)), "{scope} covers none of {outside:?}");
        }
    }

    #[test]
    fn case_is_ignored_where_the_store_says_so() {
        for (kind, target, inside) in [
            ("file", "src/A.rs", "SRC/a.RS"),
            ("directory", "Straße", "STRASSE/x"),
            ("pattern", "DOCS/*.[M]d", "docs/ReadMe.mD"),
            ("pattern", "*Σ", "x/ΝΟΜΟΣ"),
        ] {
            assert!(scope(kind, target).covers(&path(inside), true), "{kind} {target} covers {inside}");
            assert!(!scope(kind, target).covers(&path(inside.to_lowercase().as_str()), false));
        }
        assert!(!scope("pattern", "[!A]").covers(&path("a"), true));
    }

    #[test]
    fn what_is_no_scope_says_why() {
        for (kind, target, why) in [
            ("folder", "src", "'folder' is no kind of claim: use file, directory, pattern or task"),
            ("file", ".", "the root of the repository is a directory, not a file"),
            ("directory", "", "the target is empty; the root of the repository is written '.'"),
            ("file", "a/../b", "'a/../b' is not a path inside the repository: it contains '.' or '..'"),
            ("task", "a b", "invalid task id 'a b': use 1 to 128 of letters, digits and . _ : # @ + -"),
        ] {
            assert_eq!(Scope::parse(kind, target).expect_err(target).to_string(), why);
        }
    }

    #[test]
    fn the_anchor_is_above_all_that_is_covered() {
        let at = |text: &str| Place::Path(path(text));
        assert_eq!(scope("file", "src/A.rs").place(false), at("src/A.rs"));
        assert_eq!(scope("file", "src/A.rs").place(true), at("src/a.rs"));
        assert_eq!(scope("directory", ".").place(false), at(""));
        assert_eq!(scope("pattern", "src/**/*.rs").place(false), at("src"));
        assert_eq!(at("a/b/c").above(), [at(""), at("a"), at("a/b")]);
        assert_eq!(scope("directory", ".").place(false).above(), []);
        assert_eq!(scope("task", "T-1").place(false).above(), []);
    }

    proptest! {
        #[test]
        fn kind_and_target_round_trip(bytes in proptest::collection::vec(any::<u8>(), 1..30), kind in 0..4_usize) {
            let kind = ["file", "directory", "pattern", "task"][kind];
            let target = crate::base::path::encode(&bytes);
            if let Ok(scope) = Scope::parse(kind, &target) {
                prop_assert_eq!(scope.kind(), kind);
                prop_assert_eq!(Scope::parse(scope.kind(), &scope.target()), Ok(scope));
            }
        }
    }
}
