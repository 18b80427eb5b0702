//! A step whose driver is gone: what it had begun is brought to an end, so that nothing is done twice that may not be.
//!
//! An agent that was at work is ended, what it did so far is kept, and its scope is put back. One that had answered is
//! treated in the same way, since nothing of what it said was checked. Whether a command that was at work may be run again
//! is for whoever drives the run to say, before the step is begun anew.

use super::{Doer, End, internal};
use crate::{
    model::run::{Attempt, Failure, FailureKind, Stage},
    ops::{Error, Private},
    runner::{recorder::Unrecorded, work::Moment},
};

impl Doer<'_> {
    /// Brings to an end what a driver before this one has begun. How the step ends, where that is clear from it.
    pub(super) fn recover(&mut self) -> Result<Option<End>, Unrecorded> {
        let Some(last) = self.step.attempts.last().cloned() else { return Ok(None) };
        let mark =
            format!("{}.{}.{}", self.site.recorder.run(), self.step.path.as_str().replace('/', "."), last.number);
        self.session.end_left(&mark);
        let recovered = match last.stage {
            Stage::Settled => Ok(()),
            Stage::Working | Stage::Answered | Stage::Judged => self.undo_begun(&last),
        };
        if let Some(instance) = &last.instance {
            // It is gone, and what it held with it.
            let _ = self.session.dismiss(instance);
        }
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

    /// Puts back what an attempt did before its driver was gone, and keeps it.
    fn undo_begun(&mut self, attempt: &Attempt) -> Result<(), Error> {
        let Some(before) = &attempt.before else { return Ok(()) };
        let path = self.step.path.clone();
        let before = self.session.capture_from_tree(before)?;
        let now = self.session.capture_after(&before)?;
        let kept = self.session.capture_to_tree(&now)?;
        let changed = self.session.changed_between(&before, &now)?;
        let scope = self.session.scopes(&self.work.scope)?;
        let inside = self.session.covered(&scope, changed.into_iter().map(|change| change.path))?;
        let entry = (format!("snap/{path}.{}/after", attempt.number), Private::Tree(kept.clone()));
        let subject = format!("{path}: what was left of attempt {}", attempt.number);
        if let Err(error) = self.site.recorder.keep(vec![entry], subject) {
            return Err(Error::Busy(error.to_string()));
        }
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
