//! The end of claims that a fence made: with the commit of what they were for, or when there is nothing left to commit.

use crate::{
    base::{id::InstanceId, path::RepoPath},
    model::{
        claim::{Claim, Holder, Origin},
        op::Action,
        scope::Scope,
        view::View as _,
    },
    ops::{Error, Session},
    store::Snapshot,
};
use chrono::TimeDelta;
use std::collections::HashSet;

/// How long an edit may take to come after its claim. An agent that waits may have others at work for it.
const ON_ITS_WAY: TimeDelta = TimeDelta::minutes(2);

impl Session {
    /// Gives back the automatic claims on what was just committed, as far as nothing of it is left to commit.
    ///
    /// # Errors
    /// When the store can't be read or written, or git can't tell what was committed.
    pub fn release_committed(&self) -> Result<(), Error> {
        let Some((me, folds_case)) = self.holds_automatically()? else { return Ok(()) };
        let (committed, dirty) = (self.committed(folds_case)?, self.dirty_anywhere(folds_case)?);
        self.release_automatic(&me, |_, path| committed.contains(path) && !dirty.contains(path))
    }

    /// Gives back the automatic claims on files that are as they were committed, in every work tree. The agent waits: but
    /// for what it was granted a moment ago, no edit is on its way.
    ///
    /// # Errors
    /// As for [`release_committed`](Self::release_committed).
    pub fn release_unchanged(&self) -> Result<(), Error> {
        if let Some(me) = self.who(&self.snapshot()?)?.instance() {
            self.stop_looking(me);
        }
        let Some((me, folds_case)) = self.holds_automatically()? else { return Ok(()) };
        let (dirty, long_ago) = (self.dirty_anywhere(folds_case)?, self.now() - ON_ITS_WAY);
        self.release_automatic(&me, |claim, path| claim.since <= long_ago && !dirty.contains(path))
    }

    /// Who asks, where a fence has claimed something for them, and whether the store takes two cases of a path for one.
    fn holds_automatically(&self) -> Result<Option<(InstanceId, bool)>, Error> {
        let snapshot = self.snapshot()?;
        let Some(me) = self.who(&snapshot)?.instance().cloned() else { return Ok(None) };
        let holds = !automatic(&me, &snapshot)?.is_empty();
        Ok(holds.then(|| (me, snapshot.folds_case())))
    }

    fn release_automatic(&self, me: &InstanceId, is_over: impl Fn(&Claim, &RepoPath) -> bool) -> Result<(), Error> {
        self.perform(Some(me), |snapshot| {
            let over = automatic(me, snapshot)?.into_iter().filter(|(claim, path)| is_over(claim, path));
            let claims: Vec<_> = over.map(|(claim, _)| claim.grant_ref()).collect();
            Ok((!claims.is_empty()).then(|| Action::Release { claims, ended: Vec::new(), forced: None }))
        })?;
        Ok(())
    }

    /// The paths of the commit at HEAD that differ from its first parent.
    fn committed(&self, folds_case: bool) -> Result<HashSet<RepoPath>, Error> {
        Ok(self.comparable(&self.git().committed()?, folds_case))
    }

    /// What differs from HEAD or is not tracked, in any work tree of the repository.
    pub(super) fn dirty_anywhere(&self, folds_case: bool) -> Result<HashSet<RepoPath>, Error> {
        let git = self.git();
        let mut dirty = git.status()?.dirty;
        for tree in git.other_work_trees()? {
            dirty.extend(git.clone().in_work_tree(tree).status()?.dirty);
        }
        Ok(self.comparable(&dirty, folds_case))
    }

    /// Paths as git has them, in the form in which all spellings of one are the same.
    fn comparable(&self, found: &[Vec<u8>], folds_case: bool) -> HashSet<RepoPath> {
        let paths = self.as_claimed(found.iter().filter_map(|path| RepoPath::from_bytes(path).ok()).collect());
        paths.into_iter().map(|path| cased(path, folds_case)).collect()
    }
}

fn cased(path: RepoPath, folds_case: bool) -> RepoPath {
    if folds_case { path.folded() } else { path }
}

/// What a fence claimed for `me`, and the file in the form in which all its spellings are the same.
fn automatic(me: &InstanceId, snapshot: &Snapshot<'_>) -> Result<Vec<(Claim, RepoPath)>, Error> {
    let folds_case = snapshot.folds_case();
    let claims = snapshot.claims_of(&Holder::Instance(me.clone()))?;
    let automatic = claims.into_iter().filter(|claim| claim.origin == Origin::Auto);
    let files = automatic.filter_map(|claim| match claim.scope.clone() {
        Scope::File(path) => Some((claim, cased(path, folds_case))),
        _ => None,
    });
    Ok(files.collect())
}
