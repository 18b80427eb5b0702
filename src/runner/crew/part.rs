//! The copies of the work tree on which blocks work: where they are, and how they come back.

use super::Crew;
use crate::{
    base::{id::StepPath, path::RepoPath, text},
    model::run::{Failure, FailureKind},
    ops::{
        Error, Session,
        verify::Interrupts,
        worktree::{Isolated, TakenBack},
    },
    runner::{language::Engine, library::Seen, work::MAX_DIFF},
};
use std::{
    path::PathBuf,
    sync::{Arc, MutexGuard, PoisonError},
};

/// A copy, and the block that works on it.
pub(super) struct Part {
    block: StepPath,
    isolated: Isolated,
}

/// What came back: the files, and how they have changed.
type Landed = (Vec<RepoPath>, String);

impl Crew {
    /// Makes a copy for a block, and tells what fills in there.
    pub(super) fn make_part(&self, block: &StepPath, interrupts: &Interrupts) -> Result<Arc<Engine>, Failure> {
        let make = || {
            let session = self.session()?;
            // Those of drivers that are gone.
            let _ = session.clear_isolated(|_| false);
            let name = format!("{}-{}", self.site.recorder.run(), block.as_str().replace('/', "-"));
            let isolated = session.isolate(&name, &session.capture()?)?;
            let there = Session::open_other(isolated.dir(), self.site.acting_as.clone())?;
            let set_up = match session.setup_of_work_trees()? {
                Some(line) => there.set_up(&line, interrupts),
                None => Ok(()),
            };
            if let Err(error) = set_up {
                let work = session.capture_isolated(&isolated)?;
                let _ = session.remove_isolated(isolated, &work);
                return Err(error);
            }
            let seen = Seen { files: there.work_files(), roster: session.roster()? };
            self.parts().push(Part { block: block.clone(), isolated });
            Ok(Arc::new(Engine::new(Arc::new(seen))))
        };
        make().map_err(|error: Error| failure(&error))
    }

    /// Lets go of the copy of a block; where it `lands` its changes come back before.
    pub(super) fn end_part(&self, block: &StepPath, lands: bool) -> Result<Landed, Failure> {
        let part = {
            let mut parts = self.parts();
            let at = parts.iter().position(|part| part.block == *block);
            at.map(|at| parts.remove(at))
        };
        let Some(Part { isolated, .. }) = part else { return Ok(Landed::default()) };
        let session = self.session().map_err(|error| failure(&error))?;
        let work = session.capture_isolated(&isolated).map_err(|error| failure(&error))?;
        let landed = if lands { take_back(&session, &isolated, &work) } else { Ok(Landed::default()) };
        // What stays there is told by `git aio doctor`.
        let _ = session.remove_isolated(isolated, &work);
        landed
    }

    /// Lets go of all copies that are left: of blocks that came to no end, which begin anew when the run goes on.
    pub fn end_parts(&self) {
        let left: Vec<StepPath> = self.parts().iter().map(|part| part.block.clone()).collect();
        left.iter().for_each(|block| drop(self.end_part(block, false)));
    }

    /// Where a step works: in the copy of the block that it is inside of, if that has one.
    pub(super) fn root_of(&self, step: &StepPath) -> PathBuf {
        let found =
            self.parts().iter().find(|part| step.is_inside(&part.block)).map(|part| part.isolated.dir().to_owned());
        found.unwrap_or_else(|| self.site.root.clone())
    }

    fn parts(&self) -> MutexGuard<'_, Vec<Part>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take_back(session: &Session, isolated: &Isolated, work: &crate::ops::worktree::Capture) -> Result<Landed, Failure> {
    let conflict = |text| Failure { kind: FailureKind::Conflict, text };
    let changes = session.changed_between(isolated.base(), work).map_err(|error| failure(&error))?;
    let files: Vec<RepoPath> = changes.into_iter().map(|change| change.path).collect();
    let diff = session.diff_of(isolated.base(), work, Some(&files)).map_err(|error| failure(&error))?;
    let left = match session.take_back(isolated, work, &files).map_err(|error| failure(&error))? {
        TakenBack::Done(put_back) => put_back.left,
        TakenBack::Conflict(left) => left,
    };
    match left.first() {
        None => Ok((files, text::head(&diff.text, MAX_DIFF).to_owned())),
        Some((path, why)) => Err(conflict(format!(
            "what was done on the copy can't come back, for {} of {} files: {path}: {why}",
            left.len(),
            files.len()
        ))),
    }
}

fn failure(error: &Error) -> Failure {
    Failure { kind: FailureKind::Internal, text: error.to_string() }
}
