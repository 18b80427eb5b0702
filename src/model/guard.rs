//! What a fence finds: which of some changed paths their author may not change.
//!
//! The same rule serves every fence (edit, commit, push), so that they never disagree.

use super::{
    claim::{Claim, Ended, Mode},
    overlap::Overlap,
    scope::{Pattern, Scope},
};
use crate::base::{id::InstanceId, path::RepoPath};
use globset::{Candidate, GlobSet, GlobSetBuilder};
use std::collections::HashMap;

/// What was found about one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding<'a> {
    /// The path.
    pub path: &'a RepoPath,
    /// What about it.
    pub matter: Matter<'a>,
}

/// What is the matter with a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matter<'a> {
    /// Somebody else holds it.
    Held(&'a Claim),
    /// The author held it, lost it, and has not claimed or released it since.
    Lost(&'a Ended),
    /// The author has not claimed it.
    Unclaimed,
}

/// What is the matter with `paths`, changed by `me` (`None`: by somebody who holds no claims at all), where `claims`
/// are the claims of anybody that may cover them and `ended` is what `me` lost. At most one finding a path: the
/// gravest.
pub fn findings<'a>(
    paths: &'a [RepoPath],
    claims: &'a [Claim],
    ended: &'a [Ended],
    me: Option<&InstanceId>,
    folds_case: bool,
) -> Vec<Finding<'a>> {
    let (mine, others): (Vec<&Claim>, Vec<&Claim>) =
        claims.iter().partition(|claim| me.is_some_and(|me| claim.is_held_by(me)));
    let mine_cover = Cover::new(mine.iter().map(|claim| &claim.scope), folds_case);
    let others_cover = Cover::new(others.iter().map(|claim| &claim.scope), folds_case);
    let ended_cover = Cover::new(ended.iter().map(|ended| &ended.claim.scope), folds_case);
    let matter = |path| {
        let own: Vec<&Claim> = mine_cover.of(path).into_iter().map(|at| mine[at]).collect();
        let sharing = own.iter().any(|claim| claim.mode == Mode::Shared);
        let held = others_cover.of(path).into_iter().map(|at| others[at]);
        if let Some(claim) = held.into_iter().find(|claim| !(sharing && claim.mode == Mode::Shared)) {
            return Some(Matter::Held(claim));
        }
        let newest = own.iter().map(|claim| claim.token).max();
        let lost = ended_cover.of(path).into_iter().map(|at| &ended[at]);
        match lost.into_iter().find(|ended| newest.is_none_or(|newest| newest < ended.claim.token)) {
            Some(ended) => Some(Matter::Lost(ended)),
            None if own.is_empty() => Some(Matter::Unclaimed),
            None => None,
        }
    };
    paths.iter().filter_map(|path| Some(Finding { path, matter: matter(path)? })).collect()
}

/// Which of many scopes cover a path. Plain paths are looked up, and all patterns become one automaton: asked one by
/// one, a thousand claims would cost a thousand paths a tenth of a second.
struct Cover {
    plain: HashMap<RepoPath, Vec<(usize, Reach)>>,
    patterns: GlobSet,
    pattern_at: Vec<usize>,
    /// Patterns that are too much for one automaton together.
    intricate: Vec<(usize, Overlap)>,
    folds_case: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Itself,
    Below,
}

impl Cover {
    fn new<'a>(scopes: impl Iterator<Item = &'a Scope>, folds_case: bool) -> Self {
        let (mut plain, mut patterns) = (HashMap::<_, Vec<_>>::new(), Vec::new());
        for (at, scope) in scopes.enumerate() {
            match scope {
                Scope::File(path) => plain.entry(cased(path, folds_case)).or_default().push((at, Reach::Itself)),
                Scope::Directory(path) => plain.entry(cased(path, folds_case)).or_default().push((at, Reach::Below)),
                Scope::Pattern(pattern) => patterns.push((at, pattern)),
                Scope::Task(_) => {}
            }
        }
        let mut set = GlobSetBuilder::new();
        for glob in patterns.iter().filter_map(|(_, pattern)| pattern.compile(folds_case).ok()) {
            set.add(glob);
        }
        match set.build() {
            Ok(set) if set.len() == patterns.len() => {
                let pattern_at = patterns.into_iter().map(|(at, _)| at).collect();
                Cover { plain, patterns: set, pattern_at, intricate: Vec::new(), folds_case }
            }
            _ => {
                let one =
                    |(at, pattern): (usize, &Pattern)| (at, Overlap::new(&Scope::Pattern(pattern.clone()), folds_case));
                let intricate = patterns.into_iter().map(one).collect();
                Cover { plain, patterns: GlobSet::empty(), pattern_at: Vec::new(), intricate, folds_case }
            }
        }
    }

    /// The places of the scopes that cover `path`, in the order they were given.
    fn of(&self, path: &RepoPath) -> Vec<usize> {
        if self.plain.is_empty() && self.patterns.is_empty() && self.intricate.is_empty() {
            return Vec::new();
        }
        let path = cased(path, self.folds_case);
        let mut found: Vec<usize> = Vec::new();
        let mut above = Some(path.clone());
        while let Some(folder) = above {
            let here = self.plain.get(&folder).into_iter().flatten();
            found.extend(here.filter(|(_, reach)| *reach == Reach::Below || folder == path).map(|(at, _)| *at));
            above = folder.parent();
        }
        let matches = self.patterns.matches_candidate(&Candidate::from_bytes(path.as_bytes()));
        found.extend(matches.into_iter().map(|at| self.pattern_at[at]));
        let file = Scope::File(path);
        found.extend(self.intricate.iter().filter(|(_, pattern)| pattern.with(&file)).map(|(at, _)| *at));
        found.sort_unstable();
        found
    }
}

fn cased(path: &RepoPath, folds_case: bool) -> RepoPath {
    if folds_case { path.folded() } else { path.clone() }
}
