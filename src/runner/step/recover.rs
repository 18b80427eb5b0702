//! A step whose driver is gone: what it had begun is brought to an end, so that nothing is done twice that may not be.
//!
//! An agent that was at work has been ended by then. What it did so far is kept, and its scope is put back. So it is with one
//! that had answered, since nothing of its answer was checked. One whose work was found to be usable has done it: what was
//! to become of that is done now, as far as it wasn't, and what was committed is done. Whether a command that was at work
//! may be run again is for whoever drives the run to say, before the step is begun anew.

use super::{Doer, End, Left, internal, joined};
use crate::{
    base::path::{RepoPath, named},
    model::run::{Attempt, Failure, FailureKind, Stage, StepStatus},
    ops::{Error, Private},
    runner::{
        landing::{Landing, TakenBack},
        recorder::{Unrecorded, When},
        work::{Isolation, Moment},
    },
};
use serde_json::Value;

impl Doer<'_> {
    /// Brings to an end what a driver before this one has begun. How the step ends, where that is clear from it.
    pub(super) fn recover(&mut self) -> Result<Option<End>, Unrecorded> {
        let Some(last) = self.begun() else { return Ok(None) };
        let mut failure = lost();
        if last.stage == Stage::Judged {
            match self.put_to_use_again(&last) {
                Ok(value) => return Ok(Some(self.settled_as(value))),
                // Nothing is lost by that: as soon as they let go of it, it can be gone on with.
                Err(Some(why)) if why.kind == FailureKind::Held => {
                    return Ok(Some(if self.site.is_stopped() { End::Stopped } else { End::Held(why) }));
                }
                Err(why) => failure = why.unwrap_or(failure),
            }
        }
        match self.undo_begun(&last) {
            Ok(put_back) => {
                put_back.rest().into_iter().for_each(|rest| (self.tell)(Moment::Said(rest)));
                self.settle_lost(failure).map(|()| None)
            }
            Err(error) => Ok(Some(End::Failed(internal(error)))),
        }
    }

    /// Brings to an end what a driver before this one has begun, where nobody goes on with it: what was committed is done, and
    /// all else that was changed is put back.
    pub(super) fn take_back(mut self) -> Result<Left, Failure> {
        let Some(last) = self.begun() else { return Ok(Left::Nothing) };
        if last.stage == Stage::Judged
            && let Some(value) = self.answer_of(&last)
            && let Some(files) = self.committed_by(&last)
        {
            self.note_files(files);
            let end = self.settled_as(value);
            return Ok(Left::Done(Box::new(self.finish(end))));
        }
        let put_back = self.undo_begun(&last).map_err(internal)?;
        self.settle_lost(lost()).map_err(internal)?;
        match put_back.rest() {
            Some(text) => Err(Failure { kind: FailureKind::Conflict, text }),
            None if put_back.gone.is_empty() => Ok(Left::Nothing),
            None => Ok(Left::Changes),
        }
    }

    /// The attempt that came to no end.
    fn begun(&self) -> Option<Attempt> {
        self.step.attempts.last().filter(|last| last.stage != Stage::Settled).cloned()
    }

    fn settled_as(&mut self, value: Value) -> End {
        if let Some(attempt) = self.step.attempts.last_mut() {
            attempt.stage = Stage::Settled;
        }
        End::Usable(value)
    }

    fn settle_lost(&mut self, failure: Failure) -> Result<(), Unrecorded> {
        if let Some(attempt) = self.step.attempts.last_mut() {
            attempt.stage = Stage::Settled;
            attempt.failure = Some(failure);
        }
        self.record("lost")
    }

    fn note_files(&mut self, files: Vec<RepoPath>) {
        if let Some(attempt) = self.step.attempts.last_mut() {
            attempt.files = files;
        }
    }

    /// How the step has ended by its record.
    pub(super) fn known_end(&self) -> Option<End> {
        match self.step.status {
            StepStatus::Ok => {
                let usable = self.step.attempts.iter().filter(|attempt| attempt.failure.is_none());
                let mut answers: Vec<Value> = usable.filter_map(|attempt| self.answer_of(attempt)).collect();
                let is_one = answers.len() == 1;
                Some(End::Usable(if is_one { answers.remove(0) } else { joined(answers) }))
            }
            StepStatus::Asked => Some(End::Asked),
            StepStatus::Failed => Some(End::Failed(self.step.failure.clone().unwrap_or_else(|| internal("it failed")))),
            _ => None,
        }
    }

    /// What an attempt has answered, as it was kept.
    fn answer_of(&self, attempt: &Attempt) -> Option<Value> {
        let path = format!("out/{}.{}.txt", self.step.path, attempt.number);
        let kept = self.session.kept_of_run(self.site.recorder.run(), &path).ok().flatten()?;
        self.shaped(None, &String::from_utf8_lossy(&kept)).ok()
    }

    /// Does with the work of an attempt that is usable what its driver was about to do, and what may have been done in part.
    /// Where that can't be, perhaps why.
    fn put_to_use_again(&mut self, attempt: &Attempt) -> Result<Value, Option<Failure>> {
        let value = self.answer_of(attempt).ok_or(None)?;
        if let Some(files) = self.committed_by(attempt) {
            self.note_files(files);
            return Ok(value);
        }
        let scope = self.with_result(&self.work.scope);
        let tool = attempt.instance.as_ref().map_or(super::attempt::SHELL, |instance| instance.tool()).to_owned();
        let worker = self.hire(&tool, "", &scope).map_err(Some)?;
        let done = match self.landing_of(attempt) {
            Some(landing) => landing.land(&self.session, true).map(|_| landing).map_err(Some),
            None => self.left_by(attempt).filter(|left| self.is_here(left)).ok_or(None),
        };
        let done = done.and_then(|landing| self.save_again(&landing, &value).ok_or(None));
        let done = done.and_then(|files| {
            self.commit_if_wanted(&value, &files, &worker.id).map_err(Some)?;
            self.note_files(files);
            Ok(value)
        });
        self.let_go(&worker.id);
        done
    }

    /// What was about to come back from the work tree of an attempt, as far as the step may write it.
    fn landing_of(&self, attempt: &Attempt) -> Option<Landing> {
        let name = self.name_of_attempt(attempt.number);
        let (landing, _) = Landing::known(&self.session, self.site.recorder.run(), &name).ok()??;
        let scope = self.session.scopes(&self.with_result(&self.work.scope)).ok()?;
        let files = self.session.covered(&scope, landing.files.iter().cloned()).ok()?;
        Some(Landing { files, ..landing })
    }

    /// The files that an attempt has changed, where all of that was committed. Whatever became of them since is somebody
    /// else's.
    fn committed_by(&self, attempt: &Attempt) -> Option<Vec<RepoPath>> {
        if !self.work.contract.commit {
            return None;
        }
        let Landing { before, after, files } = self.landing_of(attempt).or_else(|| self.left_by(attempt))?;
        let is_committed = self.session.is_committed(&self.trailer(), &before, &after, &files);
        is_committed.ok()?.then_some(files)
    }

    /// What an attempt has done here.
    fn left_by(&self, attempt: &Attempt) -> Option<Landing> {
        let before = self.session.capture_from_tree(attempt.before.as_ref()?).ok()?;
        // The record may not know yet that the result was saved.
        let kept = format!("snap/{}/after", self.name_of_attempt(attempt.number));
        let kept = self.session.tree_of_run(self.site.recorder.run(), &kept).ok()?;
        let after = self.session.capture_from_tree(kept.as_ref().or(attempt.after.as_ref())?).ok()?;
        // Of many files its record names some.
        let scope = self.session.scopes(&self.with_result(&self.work.scope)).ok()?;
        let changed = self.session.changed_between(&before, &after).ok()?;
        let files = self.session.covered(&scope, changed.into_iter().map(|change| change.path)).ok()?;
        Some(Landing { before, after, files })
    }

    /// Whether all that an attempt has done here is still so, or can be so again.
    fn is_here(&self, left: &Landing) -> bool {
        self.restore(&left.after, &left.before, &left.files).is_ok()
    }

    /// The files that an attempt has changed, when its result is where that is to be.
    fn save_again(&mut self, landing: &Landing, value: &Value) -> Option<Vec<RepoPath>> {
        let mut files = landing.files.clone();
        let Some(save) = self.work.save.clone() else { return Some(files) };
        self.save(&self.session, value).ok()?;
        let now = self.session.capture_after(&landing.before).ok()?;
        let changed = self.session.changed_between(&landing.before, &now).ok()?;
        if changed.iter().any(|change| change.path == save) && !files.contains(&save) {
            files.push(save);
        }
        let kept = self.session.capture_to_tree(&now).ok()?;
        self.note_changes(kept, &files).ok()?;
        Some(files)
    }

    /// Puts back what an attempt did before its driver was gone, and keeps it.
    fn undo_begun(&mut self, attempt: &Attempt) -> Result<TakenBack, Error> {
        let put_back = match self.landing_of(attempt) {
            // What was done in a work tree of its own has gone with that, but for what had come back.
            Some(landing) => self.unland(&landing, attempt)?,
            None if self.work.isolation == Isolation::Worktree => TakenBack::default(),
            None => self.put_back_begun(attempt)?,
        };
        if !put_back.gone.is_empty() {
            let (run, step, number) = (self.site.recorder.run(), &self.step.path, attempt.number);
            let diff = format!("`git aio run diff {run}/{step}@{number}` shows how they were");
            (self.tell)(Moment::Said(format!("put back: {}; {diff}", named(&put_back.gone))));
        }
        Ok(put_back)
    }

    fn unland(&self, landing: &Landing, attempt: &Attempt) -> Result<TakenBack, Error> {
        let (here, _) = landing.here(&self.session)?;
        let free = self.session.not_held_by_others(&here, attempt.instance.as_ref())?;
        let left = landing.unland(&self.session, &free);
        Ok(TakenBack::of(here, &free, left))
    }

    fn put_back_begun(&mut self, attempt: &Attempt) -> Result<TakenBack, Error> {
        let Some(before) = &attempt.before else { return Ok(TakenBack::default()) };
        let path = self.step.path.clone();
        let before = self.session.capture_from_tree(before)?;
        let now = self.session.capture_after(&before)?;
        let kept = self.session.capture_to_tree(&now)?;
        let changed = self.session.changed_between(&before, &now)?;
        let scope = self.session.scopes(&self.with_result(&self.work.scope))?;
        if scope.is_empty() && !changed.is_empty() {
            // It was to change nothing, and who did can't be told any more.
            let changed: Vec<RepoPath> = changed.iter().map(|change| change.path.clone()).collect();
            (self.tell)(Moment::Said(format!("changed since it began, and left as it is: {}", named(&changed))));
        }
        let inside = self.session.covered(&scope, changed.into_iter().map(|change| change.path))?;
        let entry = (format!("snap/{path}.{}/after", attempt.number), Private::Tree(kept.clone()));
        let subject = format!("{path}: what was left of attempt {}", attempt.number);
        self.site.recorder.keep(vec![entry], subject, When::Now)?;
        if let Some(attempt) = self.step.attempts.last_mut() {
            attempt.after = Some(kept);
            attempt.files.clone_from(&inside);
        }
        let inside = match attempt.stage == Stage::Judged && self.work.contract.commit {
            // It may have been committed in part, or as a hook has changed it.
            true => self.session.not_committed(&before, &now, &inside)?,
            false => inside,
        };
        // Somebody may have claimed it since, and then it is theirs.
        let free = self.session.not_held_by_others(&inside, attempt.instance.as_ref())?;
        let left = self.session.restore(&before, &now, &free)?.left;
        Ok(TakenBack::of(inside, &free, left))
    }
}

/// Why an attempt came to nothing whose driver is gone.
fn lost() -> Failure {
    Failure { kind: FailureKind::Lost, text: "its driver was gone before it ended".to_owned() }
}
