//! A step whose driver is gone: what it had begun is brought to an end, so that nothing is done twice that may not be.
//!
//! An agent that was at work has been ended by then. What it did so far is kept, and its scope is put back. One that had answered is
//! treated in the same way, since nothing of what it said was checked. One whose work was found to be usable has done it:
//! what was to become of that is done now, as far as it wasn't, and none is asked again. Whether a command that was at work
//! may be run again is for whoever drives the run to say, before the step is begun anew.

use super::{Doer, End, internal, joined, place::named};
use crate::{
    base::path::RepoPath,
    model::run::{Attempt, Failure, FailureKind, Stage, StepStatus},
    ops::{
        Error, Private,
        worktree::{Capture, Removed},
    },
    runner::{
        recorder::{Unrecorded, When},
        work::{Isolation, Moment},
    },
};
use serde_json::Value;

impl Doer<'_> {
    /// Brings to an end what a driver before this one has begun. How the step ends, where that is clear from it.
    pub(super) fn recover(&mut self) -> Result<Option<End>, Unrecorded> {
        self.clear_places();
        let Some(last) = self.step.attempts.last().cloned() else { return Ok(None) };
        if last.stage == Stage::Judged
            && let Some(value) = self.put_to_use_again(&last)
        {
            if let Some(attempt) = self.step.attempts.last_mut() {
                attempt.stage = Stage::Settled;
            }
            return Ok(Some(End::Usable(value)));
        }
        let recovered = match last.stage {
            Stage::Settled => Ok(()),
            Stage::Working | Stage::Answered | Stage::Judged => self.undo_begun(&last),
        };
        if let Err(error) = recovered {
            return Ok(Some(End::Failed(internal(error))));
        }
        if last.stage == Stage::Settled {
            return Ok(None);
        }
        if let Some(attempt) = self.step.attempts.last_mut() {
            attempt.stage = Stage::Settled;
            let text = "its driver was gone before it ended".to_owned();
            attempt.failure = Some(Failure { kind: FailureKind::Lost, text });
        }
        self.record("lost")?;
        Ok(None)
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

    /// Does with the work of an attempt that is usable what its driver was about to do, and what may have been done in part:
    /// `None` where that can't be.
    fn put_to_use_again(&mut self, attempt: &Attempt) -> Option<Value> {
        let value = self.answer_of(attempt)?;
        let (before, after) = (attempt.before.as_ref()?, attempt.after.as_ref()?);
        let before = self.session.capture_from_tree(before).ok()?;
        let after = self.session.capture_from_tree(after).ok()?;
        let scope = self.with_result(&self.work.scope);
        let tool = attempt.instance.as_ref().map_or(super::attempt::SHELL, |instance| instance.tool()).to_owned();
        let worker = self.hire(&tool, "", &scope).ok()?;
        let files = self.put_to_use_as(attempt, &value, &before, &after);
        let done = files.is_some_and(|files| self.commit_if_wanted(&value, &files, &worker.id).is_ok());
        self.let_go(&worker.id);
        done.then_some(value)
    }

    /// The files that an attempt has changed, when all of them and its result are where they are to be.
    fn put_to_use_as(
        &mut self,
        attempt: &Attempt,
        value: &Value,
        before: &Capture,
        after: &Capture,
    ) -> Option<Vec<RepoPath>> {
        self.restore(after, before, &attempt.files).ok()?;
        let Some(save) = self.work.save.clone() else { return Some(attempt.files.clone()) };
        self.save(&self.session, value).ok()?;
        let now = self.session.capture_after(before).ok()?;
        let mut files = attempt.files.clone();
        let is_seen = self.session.changed_between(before, &now).ok()?.iter().any(|change| change.path == save);
        if is_seen && !files.contains(&save) {
            files.push(save);
        }
        let kept = self.session.capture_to_tree(&now).ok()?;
        self.note_changes(kept, &files).ok()?;
        Some(files)
    }

    /// Removes the work trees in which this run worked apart. What was done in them goes with them.
    fn clear_places(&self) {
        if self.work.isolation == Isolation::Claims {
            return;
        }
        for cleared in self.session.clear_isolated(|_| false).into_iter().flatten() {
            if let Removed::Left { dir, why } = cleared.removed {
                (self.tell)(Moment::Said(format!("a work tree is left at {}: {why}", dir.display())));
            }
        }
    }

    /// Puts back what an attempt did before its driver was gone, and keeps it.
    fn undo_begun(&mut self, attempt: &Attempt) -> Result<(), Error> {
        // What was done in a work tree of its own has gone with that, and what it took back is named by its files.
        let Some(before) = attempt.before.as_ref().filter(|_| self.work.isolation == Isolation::Claims) else {
            return Ok(());
        };
        let path = self.step.path.clone();
        let before = self.session.capture_from_tree(before)?;
        let now = self.session.capture_after(&before)?;
        let kept = self.session.capture_to_tree(&now)?;
        let changed = self.session.changed_between(&before, &now)?;
        let scope = self.session.scopes(&self.work.scope)?;
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
        // Somebody may have claimed it since, and then it is theirs.
        let free = self.session.not_held_by_others(&inside, attempt.instance.as_ref())?;
        if let Err(left) = self.restore(&before, &now, &free) {
            (self.tell)(Moment::Said(left));
        }
        Ok(())
    }
}
