//! The fence at the edit.

use crate::{
    base::{id::ClaimId, path::RepoPath},
    model::{
        claim::{Mode, Origin},
        op::{Action, Want},
        scope::Scope,
        view::View as _,
    },
    ops::{
        Error, Guard, OpenError, Session, Who,
        guard::{Objection, Verdict},
    },
    store::{Snapshot, Tracked},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

impl Session {
    /// Judges what an agent is about to edit. What is free it claims for it, where `aio.autoClaim` says so.
    ///
    /// A file of another repository is judged there, and one of no repository by nobody.
    ///
    /// # Errors
    /// When it can't be judged. The caller has to block then, and name the way round.
    pub fn guard_edit(&self, files: &[PathBuf]) -> Result<Verdict, Error> {
        let (mut verdict, mut here) = (Verdict::default(), Vec::new());
        for file in files.iter().flat_map(|file| self.written_through(file)) {
            match self.repo_path(&file) {
                Ok(path) => here.push(path),
                Err(_) => verdict.join(self.guard_edit_elsewhere(&file)?),
            }
        }
        verdict.join(self.guard_edit_here(&here)?);
        Ok(verdict)
    }

    /// A file as it was named, and what it is a link to: whoever writes to the one writes to the other.
    fn written_through(&self, file: &Path) -> Vec<PathBuf> {
        let file = self.dir.join(file);
        let linked = fs::symlink_metadata(&file).is_ok_and(|found| found.is_symlink());
        let target = linked.then(|| fs::canonicalize(&file).ok()).flatten();
        [Some(file), target].into_iter().flatten().collect()
    }

    fn guard_edit_elsewhere(&self, file: &Path) -> Result<Verdict, Error> {
        let (Some(folder), Some(caller)) = (file.ancestors().skip(1).find(|above| above.is_dir()), &self.caller) else {
            return Ok(Verdict::default());
        };
        let other = match Session::of_agent(Some(caller.clone()), folder, self.acting_as.clone()) {
            Ok(other) => other,
            Err(Error::Open(OpenError::NotFound(_))) => return Ok(Verdict::default()),
            Err(error) => return Err(error),
        };
        match other.repo_path(file) {
            Ok(path) => other.guard_edit_here(&[path]),
            // It lies in the git directory itself.
            Err(_) => Ok(Verdict::default()),
        }
    }

    fn guard_edit_here(&self, paths: &[RepoPath]) -> Result<Verdict, Error> {
        let snapshot = self.snapshot()?;
        if paths.is_empty() || !snapshot.exists() {
            return Ok(Verdict::default());
        }
        if self.env.bypass {
            let count = self.record_bypass("edit", paths)?;
            return Ok(Verdict { bypassed: Some(count), ..Verdict::default() });
        }
        if self.settings.guard == Guard::Off {
            return Ok(Verdict::default());
        }
        let who = self.who(&snapshot)?;
        let (mut verdict, unclaimed) = self.judge(paths, &who, &snapshot)?;
        // Of an edit that is refused nothing is claimed: it does not happen.
        if verdict.refused.is_empty() && self.settings.auto_claim && !who.is_person() {
            let wanted = self.worth_claiming(unclaimed)?;
            verdict.refused.extend(self.claim_automatically(who, &wanted)?);
        } else {
            self.object_to_unclaimed(&who, unclaimed, &mut verdict);
        }
        Ok(verdict)
    }

    /// Of `paths` those that others may come to edit, too: what git ignores is nobody's work.
    pub(super) fn worth_claiming(&self, paths: Vec<RepoPath>) -> Result<Vec<RepoPath>, Error> {
        let mut worth = Vec::with_capacity(paths.len());
        for path in paths {
            if self.repository.tracked(&path)? == Tracked::Entry || !self.repository.is_ignored(&path)? {
                worth.push(path);
            }
        }
        Ok(worth)
    }

    /// Claims files at the first edit, all or none; what is in the way, if somebody was quicker.
    ///
    /// A hub is not waited for here, whatever `aio.confirm` says: an edit is not worth a network's time, and what turns
    /// out to be another's is refused at the commit.
    pub(super) fn claim_automatically(&self, who: Who, paths: &[RepoPath]) -> Result<Vec<Objection>, Error> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let me = self.act_as(who)?;
        let want = |path: &RepoPath| Want {
            id: ClaimId::random(self.random()),
            scope: Scope::File(path.clone()),
            mode: Mode::Exclusive,
            origin: Origin::Auto,
            until: None,
            why: None,
        };
        let wants: Vec<Want> = paths.iter().map(want).collect();
        let claimed = self.perform(Some(&me), |snapshot: &Snapshot<'_>| {
            let mut evict = Vec::new();
            for want in &wants {
                evict.extend(self.evictions(&snapshot.claims_near(&want.scope)?, &me, snapshot)?);
            }
            Ok(Some(Action::Claim { wants: wants.clone(), evict, lost: Vec::new() }))
        });
        match claimed {
            Ok(_) => Ok(Vec::new()),
            Err(Error::Held(held)) => {
                let on = |held: &crate::ops::Held| match &held.conflict.scope {
                    Scope::File(path) => path.clone(),
                    _ => RepoPath::root(),
                };
                Ok(held.into_iter().map(|held| Objection::Held(on(&held), Box::new(held))).collect())
            }
            Err(error) => Err(error),
        }
    }
}
