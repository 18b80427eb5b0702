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
use std::collections::HashSet;

impl Session {
    /// Gives back the automatic claims on what was just committed.
    ///
    /// # Errors
    /// When the store can't be read or written, or git can't tell what was committed.
    pub fn release_committed(&self) -> Result<(), Error> {
        let snapshot = self.snapshot()?;
        let Some(me) = self.who(&snapshot)?.instance().cloned() else { return Ok(()) };
        if automatic(&me, &snapshot)?.is_empty() {
            return Ok(());
        }
        let committed: HashSet<RepoPath> = self.committed()?.into_iter().collect();
        self.release_automatic(&me, |path| committed.contains(path))
    }

    /// Gives back the automatic claims on files that are as they were committed, in every work tree: while its agent
    /// waits, no edit is on its way.
    ///
    /// # Errors
    /// As for [`release_committed`](Self::release_committed).
    pub fn release_unchanged(&self) -> Result<(), Error> {
        let snapshot = self.snapshot()?;
        let Some(me) = self.who(&snapshot)?.instance().cloned() else { return Ok(()) };
        if automatic(&me, &snapshot)?.is_empty() {
            return Ok(());
        }
        let dirty = self.dirty_anywhere()?;
        self.release_automatic(&me, |path| !dirty.contains(path))
    }

    fn release_automatic(&self, me: &InstanceId, is_over: impl Fn(&RepoPath) -> bool) -> Result<(), Error> {
        self.perform(Some(me), |snapshot| {
            let over = automatic(me, snapshot)?.into_iter().filter(|(_, path)| is_over(path));
            let claims: Vec<_> = over.map(|(claim, _)| claim.grant_ref()).collect();
            Ok((!claims.is_empty()).then(|| Action::Release { claims, ended: Vec::new(), forced: None }))
        })?;
        Ok(())
    }

    /// The paths of the commit at HEAD that differ from its first parent.
    fn committed(&self) -> Result<Vec<RepoPath>, Error> {
        Ok(self.as_claimed(paths(&self.git().committed()?)))
    }

    /// What differs from HEAD or is not tracked, in any work tree of the repository.
    pub(super) fn dirty_anywhere(&self) -> Result<HashSet<RepoPath>, Error> {
        let git = self.git();
        let mut dirty = git.status()?.dirty;
        for tree in git.other_work_trees()? {
            dirty.extend(git.clone().in_work_tree(tree).status()?.dirty);
        }
        Ok(self.as_claimed(paths(&dirty)).into_iter().collect())
    }
}

fn paths(found: &[Vec<u8>]) -> Vec<RepoPath> {
    found.iter().filter_map(|path| RepoPath::from_bytes(path).ok()).collect()
}

/// The files that a fence claimed for `me`.
fn automatic(me: &InstanceId, snapshot: &Snapshot<'_>) -> Result<Vec<(Claim, RepoPath)>, Error> {
    let claims = snapshot.claims_of(&Holder::Instance(me.clone()))?;
    let automatic = claims.into_iter().filter(|claim| claim.origin == Origin::Auto);
    let files = automatic.filter_map(|claim| match claim.scope.clone() {
        Scope::File(path) => Some((claim, path)),
        _ => None,
    });
    Ok(files.collect())
}
