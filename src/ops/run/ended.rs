//! What a run leaves: its logs, what its attempts changed, its answer by somebody else, and its end.

use super::{ShownRun, no_run};
use crate::{
    base::{id::RunId, text},
    host::{background, runs},
    model::run::{Attempt, Failure, FailureKind, Run, RunStatus, Stage, Step, StepStatus},
    ops::{Error, Session, worktree::Diff},
    store::{StoreError, layout},
};
use std::{path::PathBuf, time::Duration};

/// Where else something of a run may be referred to.
const BESIDE: [&str; 3] = ["refs/aio-local/overtaken/", "refs/aio-local/overtaken-private/", "refs/aio-local/taking/"];

impl Session {
    /// The run, as one that is to be given an answer and can be given one while it stands so.
    ///
    /// # Errors
    /// When it stands otherwise, or can't be read.
    pub fn run_to_answer(&self, id: &RunId, while_it_is: &[RunStatus]) -> Result<ShownRun, Error> {
        let shown = self.shown_run(id)?;
        match while_it_is.contains(&shown.run.status) {
            true => Ok(shown),
            false => Err(Error::not_found(
                format!("{id} waits for no answer: it is {}", shown.run.status),
                format!("`git aio run show {id}` tells how it stands"),
            )),
        }
    }

    /// The logs of a run: all that its processes printed, by file.
    ///
    /// # Errors
    /// When one can't be read.
    pub fn logs_of_run(&self, id: &RunId) -> Result<Vec<(PathBuf, Vec<u8>)>, Error> {
        let Ok(entries) = self.run_folder(id).read_dir() else { return Ok(Vec::new()) };
        let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut logs: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
        logs.sort_by(|a, b| text::in_order(&a.to_string_lossy(), &b.to_string_lossy()));
        let read = |path: PathBuf| {
            let bytes = runs::read_log(&path).map_err(Error::file(format!("can't read {}", path.display())))?;
            Ok((path, bytes))
        };
        logs.into_iter().map(read).collect()
    }

    /// What an attempt has changed; `None` for one that could not, or whose trees are not in this clone.
    ///
    /// # Errors
    /// When the trees can't be read.
    pub fn diff_of_attempt(&self, attempt: &Attempt) -> Result<Option<Diff>, Error> {
        let (Some(before), Some(after)) = (&attempt.before, &attempt.after) else { return Ok(None) };
        if !self.repository.has(before) || !self.repository.has(after) {
            return Ok(None);
        }
        let (before, after) = (self.capture_from_tree(before)?, self.capture_from_tree(after)?);
        self.diff_of(&before, &after, Some(&attempt.files)).map(Some)
    }

    /// Goes on with a run in a process that nobody waits for.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn resume_in_background(&self, id: &RunId) -> Result<(), Error> {
        let unset = ["GIT_INDEX_FILE", "GIT_DIR", "GIT_WORK_TREE", "GIT_PREFIX"];
        let started = background::start(&self.root()?, ["run", "resume", id.as_str()], &unset);
        started.map_err(Error::file("can't go on with it in the background"))
    }

    /// Ends a run that nobody drives. What is still at work in it is ended; what it did stays as it is, and of an attempt that
    /// came to no end it is told. `settle` comes before, when nobody else can take the run any more: it tells what there is
    /// to say of its end.
    ///
    /// # Errors
    /// When somebody drives it, or it can't be written; and those of `settle`.
    pub fn cancel_run(
        &self,
        id: &RunId,
        settle: impl FnOnce(&Run, &[Step]) -> Result<Option<String>, Error>,
    ) -> Result<(), Error> {
        let (mut book, mut steps) = self.take_up(id, |status| !status.is_final())?;
        let now = self.now();
        let why = settle(book.run(), &steps)?;
        let mut open: Vec<_> = steps.iter_mut().filter(|step| !step.status.is_final()).collect();
        for step in &mut open {
            step.status = StepStatus::Failed;
            step.ended = Some(now);
            let text = "the run was cancelled".to_owned();
            step.failure.get_or_insert(Failure { kind: FailureKind::Reported, text });
            for attempt in step.attempts.iter_mut().filter(|attempt| attempt.stage != Stage::Settled) {
                self.settle_left(&step.path, attempt);
            }
            for instance in step.attempts.iter().filter_map(|attempt| attempt.instance.as_ref()) {
                self.dismiss(instance)?;
            }
        }
        self.dismiss_workers_of(book.run())?;
        let change = |run: &mut Run| {
            run.status = RunStatus::Failed;
            run.why = why;
            run.ended = Some(now);
        };
        book.change(change, &open.iter().map(|step| &**step).collect::<Vec<_>>(), "cancelled")?;
        self.release_run(id)
    }

    /// Lets go of runs of this clone that ended longer ago than `older`, and keeps the newest `keep` of all: their refs, and
    /// their files. git's own gc takes the rest.
    ///
    /// # Errors
    /// When git can't be asked to remove a ref.
    pub fn prune_runs(&self, older: Duration, keep: usize) -> Result<Vec<ShownRun>, Error> {
        let limit = chrono::TimeDelta::from_std(older).unwrap_or(chrono::TimeDelta::MAX);
        let now = self.now();
        let is_old =
            |shown: &ShownRun| shown.run.status.is_final() && shown.run.ended.is_some_and(|ended| now - ended > limit);
        let (all, _) = self.runs()?;
        let gone: Vec<ShownRun> = all.into_iter().skip(keep).filter(is_old).collect();
        let newest = gone.iter().map(|shown| shown.run.id.began()).max();
        if let Some(newest) = newest.filter(|newest| *newest > self.pruned_through()) {
            // First, so that a sync doesn't bring back what is about to go.
            let common_dir = self.repository.common_dir();
            let made = self.repository.sharing().make_folders(&runs::folder(common_dir));
            let noted = made.and_then(|()| runs::note_pruned(common_dir, newest));
            noted.map_err(Error::file("can't note what was let go of"))?;
        }
        for shown in &gone {
            self.forget_run(&shown.run.id)?;
        }
        Ok(gone)
    }

    /// When the newest of the runs began that were let go of here, in seconds since the epoch. What the hub has of those
    /// and of older ones isn't taken in again.
    pub(in crate::ops) fn pruned_through(&self) -> u64 {
        runs::pruned_through(self.repository.common_dir())
    }

    fn forget_run(&self, id: &RunId) -> Result<(), Error> {
        // Through git, which removes a ref wherever it is kept, and only if it is still what was looked at.
        let refs = self.refs();
        for folder in [layout::RUNS, layout::PRIVATE_RUNS].into_iter().chain(BESIDE) {
            let name = format!("{folder}{id}");
            match refs.read(&name).map_err(StoreError::from)? {
                Some(tip) => drop(self.bare_git().run(["update-ref", "-d", &name, tip.as_str()])?),
                None if folder == layout::RUNS => return Err(no_run(id.as_str())),
                None => {}
            }
        }
        let folder = self.run_folder(id);
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file(format!("can't remove {}", folder.display()))(error))
            }
            _ => Ok(()),
        }
    }
}
