//! The copies of the work tree on which isolated blocks work: where they are, and how they come back.

use super::Crew;
use crate::{
    base::{id::StepPath, path::RepoPath, text},
    model::run::{Failure, FailureKind, StepStatus},
    ops::{
        Error, Session,
        run::copy_of_block,
        verify::Interrupts,
        worktree::{Capture, Isolated},
    },
    runner::{
        copy::made_ready, dispatch::Outcome, landed, landing::Landing, language::Engine, library::Seen, recorder::When,
        work::MAX_DIFF,
    },
};
use std::{
    path::PathBuf,
    sync::{Arc, MutexGuard, PoisonError},
};

/// A block that works on a copy.
pub(super) struct IsolatedBlock {
    path: StepPath,
    copy: Isolated,
}

/// What came back: the files, and how they have changed.
type Landed = (Vec<RepoPath>, String);

impl Crew {
    /// Makes a copy for a block, and tells what fills in there.
    pub(super) fn isolate_block(&self, path: &StepPath, interrupts: &Interrupts) -> Result<Arc<Engine>, Failure> {
        let make = || {
            let session = self.session()?;
            let run = self.site.recorder.run();
            landed::keep(&session, &self.site.recorder, path)?;
            Landing::begin(&session, &self.site.recorder, path)?;
            let name = copy_of_block(run, path);
            let make_ready = |_: &Isolated, there: Session| {
                if let Some(line) = session.setup_of_work_trees()? {
                    there.set_up(&line, interrupts)?;
                }
                Ok(Seen { files: there.work_files(), roster: session.roster()? })
            };
            let (main, acting_as) = (session.capture()?, self.site.acting_as.clone());
            let (copy, seen) = made_ready(&session, &name, &main, acting_as, make_ready)?;
            self.isolated().push(IsolatedBlock { path: path.clone(), copy });
            Ok(Arc::new(Engine::new(Arc::new(seen))))
        };
        make().map_err(|error: Error| failure(&error))
    }

    /// Lets go of the copy of a block that ends so; where all is well its changes come back before.
    pub(super) fn land_block(&self, path: &StepPath, outcome: &Outcome) -> Result<Landed, Failure> {
        let Some(copy) = self.take_isolated(path) else { return Ok(Landed::default()) };
        let session = self.session().map_err(|error| failure(&error))?;
        let work = session.capture_isolated(&copy).map_err(|error| failure(&error))?;
        let landed = match outcome.status {
            StepStatus::Ok => self.land(&session, path, &copy, &work, outcome),
            _ => Ok(Landed::default()),
        };
        // What stays there is told by `git aio doctor`.
        let _ = session.remove_isolated(copy, &work);
        landed
    }

    /// Lets go of all copies that are left: of blocks that came to no end, which begin anew when the run goes on.
    pub fn end_all_isolated(&self) {
        let left: Vec<StepPath> = self.isolated().iter().map(|block| block.path.clone()).collect();
        let nothing = Outcome::of(StepStatus::Waiting);
        left.iter().for_each(|path| drop(self.land_block(path, &nothing)));
    }

    /// Where a step works: in the copy of the block that it is inside of, if that has one.
    pub(super) fn root_of(&self, step: &StepPath) -> PathBuf {
        let blocks = self.isolated();
        let found = blocks.iter().find(|block| step.is_inside(&block.path));
        found.map_or_else(|| self.site.root.clone(), |block| block.copy.dir().to_owned())
    }

    fn land(
        &self,
        session: &Session,
        path: &StepPath,
        copy: &Isolated,
        work: &Capture,
        outcome: &Outcome,
    ) -> Result<Landed, Failure> {
        let note = || -> Result<(Landing, String), Error> {
            let changes = session.changed_between(copy.base(), work)?;
            let files: Vec<RepoPath> = changes.into_iter().map(|change| change.path).collect();
            let diff = session.diff_of(copy.base(), work, Some(&files))?;
            let diff = text::head(&diff.text, MAX_DIFF).to_owned();
            let landing = Landing { before: copy.main().clone(), after: work.clone(), files };
            let ends = Outcome { files: landing.files.clone(), diff: diff.clone(), ..outcome.clone() };
            let entries = landing.entries(session, path.as_str(), Some(&ends))?;
            self.site.recorder.keep(entries, format!("{path}: comes back"), When::Durably)?;
            Ok((landing, diff))
        };
        let (landing, diff) = note().map_err(|error| failure(&error))?;
        landing.land(session, false)?;
        Ok((landing.files, diff))
    }

    fn take_isolated(&self, path: &StepPath) -> Option<Isolated> {
        let mut blocks = self.isolated();
        let at = blocks.iter().position(|block| block.path == *path)?;
        Some(blocks.remove(at).copy)
    }

    fn isolated(&self) -> MutexGuard<'_, Vec<IsolatedBlock>> {
        self.isolated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failure(error: &Error) -> Failure {
    Failure { kind: FailureKind::Internal, text: error.to_string() }
}
