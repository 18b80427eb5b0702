//! Claims that should not both be in force.
//!
//! The rules let no such pair come about. This finds one that damage, or a hand in the store, brought about all the
//! same, and says which of the two stands.

use super::{
    claim::{Claim, Holder},
    overlap::Overlap,
    scope::Place,
};
use std::collections::HashMap;

/// A claim that overlaps an earlier one of another holder, though not both are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contest {
    /// The one that stands: somebody is behind it, and it was granted first.
    pub stands: Claim,
    /// The one that has to go.
    pub falls: Claim,
}

impl Contest {
    /// The one that stands, in words that follow on "contradicts".
    pub fn rival(&self) -> String {
        let earlier = if self.stands.token < self.falls.token { "the earlier claim" } else { "the claim" };
        format!("{earlier} of {} on {}", self.stands.holder, self.stands.scope)
    }
}

/// All claims of `claims` that have to go for the rest to be free of contradiction. First go those whose holder
/// `is_there` says no to, then those with the higher tokens. With `fold`, paths are compared as a case-insensitive file
/// system sees them.
pub fn contests(claims: &[Claim], fold: bool, is_there: impl Fn(&Holder) -> bool) -> Vec<Contest> {
    let mut in_order: Vec<&Claim> = claims.iter().collect();
    in_order.sort_by_cached_key(|claim| (!is_there(&claim.holder), claim.token, claim.id.clone()));
    let mut standing = Standing::default();
    let mut contests = Vec::new();
    for claim in in_order {
        match standing.rival(claim, fold) {
            Some(rival) => contests.push(Contest { stands: rival.clone(), falls: claim.clone() }),
            None => standing.add(claim, fold),
        }
    }
    contests
}

/// Claims that don't contradict each other, found by where they are filed rather than one by one.
#[derive(Default)]
struct Standing<'c> {
    at: HashMap<Place, Vec<&'c Claim>>,
    /// The same claims under every place above theirs.
    below: HashMap<Place, Vec<&'c Claim>>,
}

impl<'c> Standing<'c> {
    fn add(&mut self, claim: &'c Claim, fold: bool) {
        let place = claim.scope.place(fold);
        for above in place.above() {
            self.below.entry(above).or_default().push(claim);
        }
        self.at.entry(place).or_default().push(claim);
    }

    fn rival(&self, claim: &Claim, fold: bool) -> Option<&'c Claim> {
        let place = claim.scope.place(fold);
        let overlap = Overlap::new(&claim.scope, fold);
        let above = place.above();
        let at = above.iter().chain([&place]).filter_map(|place| self.at.get(place)).flatten();
        let mut near = at.chain(self.below.get(&place).into_iter().flatten());
        let excludes = |other: &Claim| other.holder != claim.holder && !other.mode.admits(claim.mode);
        near.find(|other| excludes(other) && overlap.with(&other.scope)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::world::Time,
        model::{
            claim::{Mode, Origin},
            scope::Scope,
        },
    };

    fn claim(token: u64, holder: &str, kind: &str, target: &str) -> Claim {
        Claim {
            id: format!("{token:016x}").parse().expect("an id"),
            scope: Scope::parse(kind, target).expect("a scope"),
            mode: Mode::Exclusive,
            origin: Origin::Explicit,
            holder: Holder::Instance(format!("{holder}-1700000000-a3f2").parse().expect("an id")),
            token,
            grant: format!("{token:032x}").parse().expect("an id"),
            since: Time::UNIX_EPOCH,
            until: None,
            why: None,
        }
    }

    fn falling(claims: &[Claim]) -> Vec<(u64, u64)> {
        contests(claims, false, |_| true).iter().map(|c| (c.stands.token, c.falls.token)).collect()
    }

    #[test]
    fn the_lowest_token_stands_in_whichever_order_and_direction() {
        let mut claims = vec![
            claim(5, "codex", "file", "src/auth/login.rs"),
            claim(3, "claude", "directory", "src"),
            claim(4, "gemini", "pattern", "*.rs"),
            claim(2, "amp", "task", "AI-1"),
            claim(6, "codex", "task", "AI-1"),
            claim(7, "claude", "file", "src/main.rs"),
        ];
        let expected = [(3, 4), (3, 5), (2, 6)];
        assert_eq!(falling(&claims), expected);
        claims.reverse();
        assert_eq!(falling(&claims), expected);
    }

    #[test]
    fn a_claim_with_nobody_behind_it_gives_way() {
        let claims = [
            claim(1, "amp", "directory", "src"),
            claim(2, "codex", "file", "src/a"),
            claim(3, "gemini", "file", "src/a"),
        ];
        let found = contests(&claims, false, |holder| holder != &claims[0].holder);
        let found: Vec<_> = found.iter().map(|c| (c.stands.token, c.falls.token)).collect();
        assert_eq!(found, [(2, 3), (2, 1)]);
    }

    #[test]
    fn what_is_filed_below_is_found_from_above() {
        let claims = [claim(1, "codex", "file", "a/b/c"), claim(2, "claude", "directory", ".")];
        assert_eq!(falling(&claims), [(1, 2)]);
    }

    #[test]
    fn one_that_fell_makes_no_other_fall() {
        let claims = [claim(1, "a", "file", "x/1"), claim(2, "b", "directory", "x"), claim(3, "c", "file", "x/2")];
        assert_eq!(falling(&claims), [(1, 2)]);
    }

    #[test]
    fn shared_claims_and_those_of_one_holder_get_along() {
        let shared = |token, holder| Claim { mode: Mode::Shared, ..claim(token, holder, "directory", "src") };
        assert_eq!(falling(&[shared(1, "a"), shared(2, "b")]), []);
        assert_eq!(falling(&[shared(1, "a"), claim(2, "b", "file", "src/x")]), [(1, 2)]);
        assert_eq!(falling(&[claim(1, "a", "directory", "src"), claim(2, "a", "file", "src/x")]), []);
    }

    #[test]
    fn case_counts_unless_it_is_folded() {
        let claims = [claim(1, "a", "file", "Src/X"), claim(2, "b", "file", "src/x")];
        assert_eq!(contests(&claims, false, |_| true), []);
        assert_eq!(contests(&claims, true, |_| true).len(), 1);
    }
}
