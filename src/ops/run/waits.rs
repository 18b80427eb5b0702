//! Runs that wait for each other: each keeps what it has changed till it ends, and none ever would.

use crate::{
    base::id::RunId,
    model::run::RunStatus,
    ops::{Held, Session},
};

/// Most runs that are looked at in one go.
const MOST: usize = 100;

impl Session {
    /// The runs for which those work who are in the way.
    pub fn runs_in_the_way(&self, held: &[Held]) -> Vec<RunId> {
        let why = held.iter().filter_map(|held| held.conflict.claim.why.as_ref());
        let mut runs: Vec<RunId> = why.filter_map(|why| why.parse().ok()).collect();
        runs.sort();
        runs.dedup();
        runs
    }

    /// A run that waits, over others perhaps, for `run`, which waits for `others`, where `run` is the one of them that gives
    /// way: the one that began last. The others go on then.
    pub fn waits_in_turn(&self, run: &RunId, others: &[RunId]) -> Option<RunId> {
        let rank = |run: &RunId| (run.began(), run.to_string());
        let mut seen: Vec<RunId> = Vec::new();
        // Only by runs that began before it: where one of them began later, that one gives way.
        let mut open: Vec<RunId> = others.iter().filter(|other| rank(other) < rank(run)).cloned().collect();
        while let Some(next) = open.pop() {
            if seen.contains(&next) || seen.len() >= MOST {
                continue;
            }
            let waits_for = match self.shown_run(&next) {
                Ok(shown) if matches!(shown.run.status, RunStatus::Running) => shown.run.waits_for,
                _ => Vec::new(),
            };
            if waits_for.contains(run) {
                return Some(next);
            }
            open.extend(waits_for.into_iter().filter(|other| rank(other) < rank(run)));
            seen.push(next);
        }
        None
    }
}
