//! Who carries out the steps of a workflow, in the work tree of whoever began it.

mod isolated;

use super::{
    dispatch::{Answer, Asking, Execute, Landed, Outcome, Recorded, Stop},
    language::Engine,
    recorder::When,
    step::{Left, Site, as_it_ended, carry_out, take_back},
    work::{Done, MAX_DIFF, Moment, Work},
};
use crate::{
    base::{
        id::{RunId, StepPath},
        oid::Oid,
        path::RepoPath,
        text,
    },
    model::run::{Attempt, Failure, FailureKind, Step},
    ops::{Error, Private, Session},
};
use isolated::IsolatedBlock;
use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    sync::{Arc, Mutex},
};

/// What the files were like when the run began, among what is kept of it.
const BASE: &str = "snap/base";

/// Asks whoever is there what a step asks; `None` where nobody is.
pub type Ask = dyn Fn(&StepPath, &Asking<'_>) -> Option<Answer> + Send + Sync;

/// Carries out steps.
pub struct Crew {
    site: Site,
    /// The steps that a driver before this one has begun.
    known: HashMap<StepPath, Step>,
    /// Those of them that it came to no end with, and that are gone on with.
    begun: BTreeSet<StepPath>,
    base: Option<Oid>,
    /// What the steps may write at most; anything where nothing is said.
    cap: Vec<String>,
    /// The blocks that work on a copy.
    isolated: Mutex<Vec<IsolatedBlock>>,
    ask: Box<Ask>,
}

impl Crew {
    /// One at this site. Where a step `writes`, what the files are like now is kept, unless that was done before.
    ///
    /// # Errors
    /// When it can't be told what the files are like.
    pub fn at(
        site: Site,
        session: &Session,
        steps: Vec<Step>,
        recorded: &Recorded,
        writes: bool,
        ask: Box<Ask>,
    ) -> Result<Crew, Error> {
        let known = steps.into_iter().map(|step| (step.path.clone(), step)).collect();
        let mut base = session.tree_of_run(site.recorder.run(), BASE)?;
        if base.is_none() && writes {
            let tree = session.capture_to_tree(&session.capture()?)?;
            let entry = (BASE.into(), Private::Tree(tree.clone()));
            site.recorder.keep(vec![entry], "the files as they are", When::Now)?;
            base = Some(tree);
        }
        Ok(Crew { site, known, begun: recorded.begun.clone(), base, cap: Vec::new(), isolated: Mutex::default(), ask })
    }

    /// One whose steps may write within `cap` only: who chooses a scope may be an agent.
    #[must_use]
    pub fn within(self, cap: Vec<String>) -> Crew {
        Crew { cap, ..self }
    }

    /// Why a step may not be done, where its scope is not within that of the workflow.
    fn objection(&self, work: &Work) -> Option<Failure> {
        if work.scope.is_empty() {
            return None;
        }
        let own = Some(("the workflow".to_owned(), &self.cap)).filter(|(_, cap)| !cap.is_empty());
        let called = work.within.iter().map(|cap| (format!("the workflow {}", cap.workflow), &cap.scope));
        own.into_iter().chain(called).find_map(|(whose, cap)| {
            let beyond = self.session().and_then(|session| session.beyond(cap, &work.scope));
            let text = match beyond {
                Ok(None) => return None,
                Ok(Some(word)) => format!(
                    "{} is not within the scope of {whose}: {}",
                    text::one_line(&word, 200),
                    text::one_line(&cap.join(", "), 400)
                ),
                Err(error) => error.to_string(),
            };
            Some(Failure { kind: FailureKind::Scope, text })
        })
    }

    /// Where it works.
    pub fn site(&self) -> &Site {
        &self.site
    }

    fn session(&self) -> Result<Session, Error> {
        Session::open_other(&self.site.root, self.site.acting_as.clone())
    }

    fn put_back(&self, path: &StepPath) -> Result<(), Error> {
        let session = Session::open_other(&self.root_of(path), self.site.acting_as.clone())?;
        let shown = session.shown_run(self.site.recorder.run())?;
        let step = shown.steps.iter().find(|step| step.path == *path);
        let usable =
            step.map_or(&[][..], |step| &step.attempts).iter().rev().filter(|attempt| attempt.failure.is_none());
        usable.filter(|attempt| !attempt.files.is_empty()).try_for_each(|attempt| revert(&session, attempt))
    }

    fn diff_since(&self, files: &[RepoPath]) -> Result<String, Error> {
        let Some(base) = self.base.as_ref().filter(|_| !files.is_empty()) else { return Ok(String::new()) };
        let session = self.session()?;
        let before = session.capture_from_tree(base)?;
        let now = session.capture_after(&before)?;
        let diff = session.diff_of(&before, &now, Some(files))?;
        Ok(text::head(&diff.text, MAX_DIFF).to_owned())
    }
}

/// Puts the files of an attempt back to what they were, each as far as nobody has changed it since.
fn revert(session: &Session, attempt: &Attempt) -> Result<(), Error> {
    let (Some(before), Some(after)) = (&attempt.before, &attempt.after) else { return Ok(()) };
    let (before, after) = (session.capture_from_tree(before)?, session.capture_from_tree(after)?);
    let put_back = session.restore(&before, &after, &attempt.files)?;
    match put_back.left.first() {
        None => Ok(()),
        Some((path, why)) => Err(Error::Failed(format!(
            "{} of {} files are left as they are: {path}: {why}",
            put_back.left.len(),
            attempt.files.len()
        ))),
    }
}

impl Execute for Crew {
    fn run(&self, work: &Work, tell: &dyn Fn(Moment), stop: &Stop) -> Done {
        if let Some(failure) = self.objection(work) {
            return Done::failed(failure);
        }
        let stop = stop.clone();
        let interrupts = Arc::new(self.site.interrupts.or(move || stop.is_set()));
        let site = Site { interrupts, root: self.root_of(&work.path), ..self.site.clone() };
        let known = self.known.get(&work.path);
        // Its driver may have died between the end of the step and the moment at which the run took note of it.
        let ended = known.filter(|_| self.begun.contains(&work.path)).and_then(|known| as_it_ended(&site, work, known));
        ended.unwrap_or_else(|| carry_out(&site, work, known.cloned(), tell))
    }

    fn take_back(&self, work: &Work, tell: &dyn Fn(Moment)) -> Result<Left, Failure> {
        // What was done on the copy of a block has gone with that.
        self.known.get(&work.path).map_or(Ok(Left::Nothing), |known| take_back(&self.site, work, known, tell))
    }

    fn revert(&self, path: &StepPath, _scope: &[String], _stop: &Stop) -> Result<(), Failure> {
        self.put_back(path).map_err(|error| Failure { kind: FailureKind::Conflict, text: error.to_string() })
    }

    fn isolate(&self, path: &StepPath, stop: &Stop) -> Result<Option<Arc<Engine>>, Failure> {
        let word = stop.clone();
        let made = self.isolate_block(path, &self.site.interrupts.or(move || word.is_set()));
        if self.site.interrupts.count() > 0 {
            // Whoever watches for that may not have said it yet, and it is no failure.
            stop.stop();
        }
        made.map(Some)
    }

    fn land(&self, path: &StepPath, outcome: &Outcome) -> Result<Landed, Failure> {
        self.land_block(path, outcome).map(Some)
    }

    fn ask(&self, path: &StepPath, asking: &Asking<'_>) -> Option<Answer> {
        (self.ask)(path, asking)
    }

    fn close(&self) {
        // Whoever could not be let go of is tried again when the run is over, and then that is told.
        let _ = self.session().and_then(|session| self.site.dismiss_keepers(&session));
    }

    fn diff(&self, files: &[RepoPath]) -> String {
        self.diff_since(files).unwrap_or_default()
    }
}

/// The folder in which files of a run are that are no part of its record.
pub fn folder_of(session: &Session, run: &RunId) -> String {
    let folder: &Path = &session.run_folder(run);
    folder.to_string_lossy().into_owned()
}
