//! A pattern that can be matched and compared. What that takes is built at first need.

use super::automaton::Dfa;
use crate::{
    base::path::{RepoPath, fold},
    model::scope::{Pattern, fold_glob, to_regex},
};
use regex_automata::{
    Anchored, Input,
    nfa::thompson::{NFA, WhichCaptures, pikevm::PikeVM},
    util::syntax,
};
use std::sync::OnceLock;

/// A pattern prepared for paths that are folded if it is.
#[derive(Debug)]
pub(super) struct Glob {
    text: String,
    fold: bool,
    prefix: RepoPath,
    suffix: Vec<u8>,
    recursive: bool,
    // `None` once built: it couldn't be. A parsed pattern has a matcher always, and a DFA within limits.
    matcher: OnceLock<Option<PikeVM>>,
    dfa: OnceLock<Option<Dfa>>,
}

impl Glob {
    pub(super) fn new(pattern: &Pattern, ignore_case: bool) -> Self {
        let (text, prefix, suffix) = (pattern.glob(), pattern.literal_prefix(), pattern.literal_suffix().as_bytes());
        let (text, prefix, suffix) = match ignore_case {
            true => (fold_glob(text), prefix.folded(), fold(suffix)),
            false => (text.to_owned(), prefix, suffix.to_owned()),
        };
        Glob {
            text,
            fold: ignore_case,
            prefix,
            suffix,
            recursive: pattern.is_recursive(),
            matcher: OnceLock::new(),
            dfa: OnceLock::new(),
        }
    }

    /// The text that is matched. Globs of the same text match the same paths.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// A directory that all matches are below.
    pub(super) fn prefix(&self) -> &RepoPath {
        &self.prefix
    }

    /// Whether the glob applies in every directory below its prefix.
    pub(super) fn is_recursive(&self) -> bool {
        self.recursive
    }

    /// Whether the glob matches the file `path`. The root is none.
    pub(super) fn is_match(&self, path: &RepoPath) -> bool {
        if path.is_root() || !path.is_within(&self.prefix) || !path.as_bytes().ends_with(&self.suffix) {
            return false;
        }
        // A simulation of the NFA has no size to outgrow, so that this answer is exact for every pattern.
        self.matcher().is_none_or(|matcher| {
            matcher.is_match(&mut matcher.create_cache(), Input::new(path.as_bytes()).anchored(Anchored::Yes))
        })
    }

    /// Whether the literal beginnings and ends of both globs leave room for a common match.
    pub(super) fn ends_fit(&self, other: &Glob) -> bool {
        (self.prefix.is_within(&other.prefix) || other.prefix.is_within(&self.prefix))
            && (self.suffix.ends_with(&other.suffix) || other.suffix.ends_with(&self.suffix))
    }

    /// The automaton of exactly the paths that match, or `None` if it would be too large.
    pub(super) fn dfa(&self) -> Option<&Dfa> {
        self.dfa.get_or_init(|| Dfa::from_nfa(self.matcher()?.get_nfa())).as_ref()
    }

    fn matcher(&self) -> Option<&PikeVM> {
        let build = || PikeVM::new_from_nfa(compile(&to_regex(&self.text, self.fold).ok()?)?).ok();
        self.matcher.get_or_init(build).as_ref()
    }
}

/// Compiles the way globset does, so that the regex means what globset means by it.
fn compile(regex: &str) -> Option<NFA> {
    NFA::compiler()
        .syntax(syntax::Config::new().utf8(false).dot_matches_new_line(true))
        .configure(NFA::config().utf8(false).which_captures(WhichCaptures::None))
        .build(regex)
        .ok()
}
