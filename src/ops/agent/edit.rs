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
        Error, Guard, Session, Who,
        agent::reach::written_through,
        guard::{Objection, Verdict},
    },
    store::Snapshot,
};
use std::path::PathBuf;

impl Session {
    /// Judges what an agent is about to edit. What is free it claims for it, where `aio.autoClaim` says so.
    ///
    /// A file of another repository is judged there, and one of no repository by nobody.
    ///
    /// # Errors
    /// When it can't be judged. The caller has to block then, and name the way round.
    pub fn guard_edit(&self, files: &[PathBuf]) -> Result<Verdict, Error> {
        let mut places: Vec<(Option<Session>, Vec<RepoPath>)> = vec![(None, Vec::new())];
        for file in files.iter().flat_map(|file| written_through(self.dir.join(file))) {
            let known = places.iter_mut().find_map(|(other, paths)| {
                let path = other.as_ref().unwrap_or(self).repo_path(&file).ok()?;
                Some((paths, path))
            });
            match known {
                Some((paths, path)) => paths.push(path),
                None => places.extend(self.around(&file)?.map(|(other, path)| (Some(other), vec![path]))),
            }
        }
        let (mut verdict, mut free) = (Verdict::default(), Vec::new());
        for (other, paths) in &places {
            let session = other.as_ref().unwrap_or(self);
            free.extend(session.judge_edit(paths, &mut verdict)?.map(|(who, paths)| (session, who, paths)));
        }
        // Of an edit that is refused nothing is claimed, in none of the repositories: it does not happen.
        for (session, who, paths) in free {
            if verdict.refused.is_empty() {
                let wanted = session.worth_claiming(paths)?;
                verdict.refused.extend(session.claim_automatically(who, &wanted)?);
            } else {
                session.object_to_unclaimed(&who, paths, &mut verdict);
            }
        }
        Ok(verdict)
    }

    /// Adds to the `verdict` what is to be said of `paths`. What is left is free and to be claimed, by whom.
    fn judge_edit(&self, paths: &[RepoPath], verdict: &mut Verdict) -> Result<Option<(Who, Vec<RepoPath>)>, Error> {
        let snapshot = self.snapshot()?;
        if paths.is_empty() || !snapshot.exists() {
            return Ok(None);
        }
        if self.env.bypass {
            let count = self.record_bypass("edit", paths)?;
            verdict.join(Verdict { bypassed: Some(count), ..Verdict::default() });
            return Ok(None);
        }
        if self.settings.guard == Guard::Off {
            return Ok(None);
        }
        let who = self.who(&snapshot)?;
        let (judged, unclaimed) = self.judge(paths, &who, &snapshot)?;
        verdict.join(judged);
        if self.is_in_run(&who) {
            verdict.refused.extend(self.beside_scope(unclaimed)?);
            return Ok(None);
        }
        if self.settings.auto_claim && !who.is_person() {
            return Ok(Some((who, unclaimed)));
        }
        self.object_to_unclaimed(&who, unclaimed, verdict);
        Ok(None)
    }

    /// Whether a run has started the one who asks: then what it may write was claimed for it, and nothing else is.
    pub(super) fn is_in_run(&self, who: &Who) -> bool {
        self.env.run.is_some() && !who.is_person()
    }

    pub(super) fn beside_scope(&self, unclaimed: Vec<RepoPath>) -> Result<Vec<Objection>, Error> {
        Ok(self.worth_claiming(unclaimed)?.into_iter().map(Objection::BesideScope).collect())
    }

    /// Of `paths` those that others may come to edit, too: what git ignores is nobody's work.
    pub(super) fn worth_claiming(&self, paths: Vec<RepoPath>) -> Result<Vec<RepoPath>, Error> {
        // What is edited there, if anything, is no file.
        let is_folder = |path: &RepoPath| path.is_root() || self.on_disk(path).is_some_and(|found| found.is_dir());
        let files: Vec<RepoPath> = paths.into_iter().filter(|path| !is_folder(path)).collect();
        if files.is_empty() { Ok(files) } else { Ok(self.repository.not_ignored(files)?) }
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
