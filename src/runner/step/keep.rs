//! What becomes of a result that is usable: it is saved, taken back, and committed.

use super::{
    Doer,
    judge::Judged,
    place::{Place, Traces},
    text_of, with_hint,
};
use crate::{
    base::{id::InstanceId, path::RepoPath, text},
    model::{
        run::{Failure, FailureKind, Stage},
        verify::Verdict,
    },
    ops::Private,
    runner::{
        recorder::Unrecorded,
        work::{Action, Isolation, Moment},
    },
};
use serde_json::Value;

/// The folder in which agents leave files for each other.
const SHARED: &str = ".context";

impl Doer<'_> {
    /// Records that it is usable, where more is to come of it than being told: that is not to be done twice.
    pub(super) fn judged(&mut self, judged: &Judged) -> Result<(), Unrecorded> {
        let comes_to_more =
            self.work.contract.commit || self.work.save.is_some() || self.work.isolation == Isolation::Worktree;
        if !comes_to_more {
            return Ok(());
        }
        if let Some(attempt) = self.step.attempts.last_mut() {
            attempt.stage = Stage::Judged;
            attempt.checks.clone_from(&judged.checks);
            attempt.review.clone_from(&judged.review);
        }
        self.record(&format!("attempt {} is usable", self.number()))
    }

    /// What is to become of a usable result beside being told: saved, taken back, committed.
    pub(super) fn put_to_use(&self, value: &Value, place: &Place, traces: &Traces) -> Result<(), Failure> {
        self.take_back(place, traces)?;
        self.save_and_commit(value, &traces.inside, &place.worker.id)
    }

    /// What is claimed: the scope, and the file that the result is saved to.
    pub(super) fn with_save(&self, scope: &[String]) -> Vec<String> {
        let save = self.work.save.as_ref().and_then(|path| path.to_os()?.to_str().map(|path| format!("./{path}")));
        scope.iter().cloned().chain(save.filter(|save| !scope.contains(save))).collect()
    }

    /// Once the result is saved, it is a part of what the attempt has changed.
    pub(super) fn saved(&mut self, place: &Place) -> Result<(), Unrecorded> {
        let Some(save) = &self.work.save else { return Ok(()) };
        let Ok(traces) = self.traces(place) else { return Ok(()) };
        let number = self.number();
        let entry = (format!("snap/{}.{number}/after", self.step.path), Private::Tree(traces.kept.clone()));
        self.site.recorder.keep(vec![entry], format!("{}: saved", self.step.path))?;
        if let Some(attempt) = self.step.attempts.last_mut() {
            attempt.after = Some(traces.kept);
            attempt.files = traces.inside;
            if !attempt.files.contains(save) {
                attempt.files.push(save.clone());
            }
        }
        Ok(())
    }

    /// All but the first of these, which change nothing where they were done before.
    pub(super) fn save_and_commit(&self, value: &Value, files: &[RepoPath], by: &InstanceId) -> Result<(), Failure> {
        if let Some(save) = &self.work.save {
            // What agents leave there for each other is nobody's to commit.
            if save.components().next() == Some(SHARED.as_bytes()) {
                let _ = self.session.exclude(save);
            }
            let written = self.session.save(save, text_of(value).as_bytes());
            written.map_err(|error| Failure { kind: FailureKind::Conflict, text: with_hint(&error) })?;
        }
        match self.work.contract.commit {
            true if self.may_be_committed() => self.commit(files, value, by),
            true => {
                (self.tell)(Moment::Said("not committed, since nothing shows that it is in order".into()));
                Ok(())
            }
            false => Ok(()),
        }
    }

    /// What is not verified is committed only where whoever asked for it wanted no check.
    fn may_be_committed(&self) -> bool {
        let is_left_out = self.work.contract.verify.as_ref().is_some_and(Vec::is_empty);
        let checks = self.step.attempts.last().map_or(&[][..], |last| &last.checks);
        is_left_out || Verdict::of(checks.iter().map(|check| (check.source, check.outcome))) == Verdict::Passed
    }

    fn commit(&self, files: &[RepoPath], value: &Value, by: &InstanceId) -> Result<(), Failure> {
        let title = match &self.work.action {
            Action::Prompt { task, .. } => text::one_line(&task.title, 72),
            Action::Run { line } => text::one_line(line, 72),
        };
        let body = text::block(text::head(&text_of(value), 4000), 4000);
        let message = format!("{title}\n\n{body}\n\nAio-Run: {}\n", self.site.recorder.run());
        let committed = self.session.commit_only(files, &message, by);
        committed.map_err(|error| Failure { kind: FailureKind::Check, text: with_hint(&error) })
    }
}
