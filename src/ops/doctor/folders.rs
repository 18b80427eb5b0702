//! What killed processes have left: folders in the git directory, and copies of the work tree.

use super::{Finding, Seen, count, say, some};
use crate::{
    base::process::Aliveness,
    host::{aside, worktree::Owned},
    ops::{Session, run::ShownRun},
};

impl Session {
    /// They take up room, and nothing fails for them.
    pub(super) fn check_folders(&self) -> Finding<Seen> {
        let left = aside::left(self.repository.common_dir());
        if left.is_empty() {
            return Ok("none left behind".into());
        }
        let named = some(left.iter().map(|folder| folder.display().to_string()).collect());
        let told = format!("{} of killed processes: {named}", count(left.len(), "folder"));
        Ok(Seen::odd(format!("{told}; `git aio cleanup` removes them")))
    }

    /// Copies on which runs worked. Whoever goes on with the run, or cancels it, removes its own; one of a run that is over
    /// holds something that would be lost.
    pub(super) fn check_copies(&self) -> Finding<Seen> {
        let mut owned = self.bare_git().owned_work_trees().map_err(say)?;
        owned.retain(|owned| owned.owner.aliveness() == Aliveness::Dead);
        if owned.is_empty() {
            return Ok("none left behind".into());
        }
        let (runs, _) = self.runs().map_err(say)?;
        let told = some(owned.iter().map(|owned| left(owned, &runs)).collect());
        Ok(Seen::odd(format!("{} of killed runs: {told}", count(owned.len(), "work tree"))))
    }
}

/// A copy with the way to be rid of it.
fn left(owned: &Owned, runs: &[ShownRun]) -> String {
    // It is called after its run, and after what worked on it.
    let is_its = |shown: &&ShownRun| owned.owner.run.starts_with(&format!("{}-", shown.run.id));
    let way = match runs.iter().find(is_its).map(|shown| &shown.run) {
        Some(run) if !run.status.is_final() => {
            format!("`git aio run resume {0}` or `git aio run cancel {0}` removes it", run.id)
        }
        _ => "its run is over: look at it, then `git worktree remove -f -f` it".to_owned(),
    };
    format!("{} ({way})", owned.dir.display())
}
