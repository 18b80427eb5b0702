//! What becomes of a result that is usable: it is saved, comes back from its own work tree, and is committed.

use super::{Doer, internal, judge::Judged, place::Place, send::Edited, text_of, trace::Traces, with_hint};
use crate::{
    base::{id::InstanceId, oid::Oid, path::RepoPath, text},
    model::{
        run::{Failure, FailureKind, Stage},
        verify::Verdict,
    },
    ops::{Error, Private, Session},
    runner::{
        commit::trailer,
        landing::{name_of_attempt, not_put_back},
        recorder::{Unrecorded, When},
        work::{Action, Isolation, MAX_DIFF, Moment},
    },
};
use serde_json::Value;

impl Doer<'_> {
    /// What the usable attempts have changed, as a diff.
    pub(super) fn diff(&self) -> String {
        let usable = self.step.attempts.iter().filter(|attempt| attempt.failure.is_none());
        let diffs = usable.filter_map(|attempt| -> Option<String> {
            let (before, after) = (attempt.before.as_ref()?, attempt.after.as_ref()?);
            if attempt.files.is_empty() {
                return None;
            }
            let before = self.session.capture_from_tree(before).ok()?;
            let after = self.session.capture_from_tree(after).ok()?;
            Some(self.session.diff_of(&before, &after, Some(&attempt.files)).ok()?.text)
        });
        let diff = diffs.collect::<Vec<String>>().concat();
        text::head(&diff, MAX_DIFF).to_owned()
    }

    /// Records that it is usable, where more is to come of it than being told: that is not to be done twice.
    pub(super) fn judged(&mut self, judged: &Judged, place: &Place, traces: &Traces) -> Result<(), Unrecorded> {
        let comes_to_more =
            self.work.contract.commit || self.work.save.is_some() || self.work.isolation == Isolation::Worktree;
        if !comes_to_more {
            return Ok(());
        }
        self.note_landing(place, traces)?;
        if let Some(attempt) = self.step.attempts.last_mut() {
            attempt.stage = Stage::Judged;
            attempt.checks.clone_from(&judged.checks);
            attempt.review.clone_from(&judged.review);
        }
        self.record(&format!("attempt {} is usable", self.number()))
    }

    /// What is about to come back from a work tree of its own.
    fn note_landing(&self, place: &Place, traces: &Traces) -> Result<(), Unrecorded> {
        let Some(landing) = place.landing(traces) else { return Ok(()) };
        let entries = landing.entries(&self.session, &self.name_of_attempt(self.number()), None);
        let entries = entries.map_err(|error| Unrecorded(error.to_string()))?;
        self.site.recorder.keep(entries, format!("{}: comes back", self.step.path), When::Durably)
    }

    /// What is kept of an attempt of this step is called so.
    pub(super) fn name_of_attempt(&self, number: u32) -> String {
        name_of_attempt(&self.step.path, number)
    }

    /// What is to become of a usable result beside being told: saved, brought back, committed.
    pub(super) fn put_to_use(&mut self, value: &Value, place: &Place, traces: &mut Traces) -> Result<(), Failure> {
        if self.work.save.is_none() {
            return self.land_and_commit(value, place, traces);
        }
        let failed = |error: Error| Failure { kind: FailureKind::Conflict, text: with_hint(&error) };
        self.save(self.session_in(place), value)?;
        // The result is a change like those of whoever worked for it.
        *traces = self.traces(place, &Edited::new()).map_err(failed)?;
        self.note_landing(place, traces).map_err(internal)?;
        self.note_changes(traces.kept.clone(), &traces.inside).map_err(internal)?;
        self.land_and_commit(value, place, traces)
    }

    /// What comes back from a work tree of its own and can't be committed goes again.
    fn land_and_commit(&self, value: &Value, place: &Place, traces: &Traces) -> Result<(), Failure> {
        let commit = || self.commit_if_wanted(value, &traces.inside, &place.worker.id);
        let Some(landing) = place.landing(traces) else { return commit() };
        let landed = landing.land(&self.session, false)?;
        commit().map_err(|failure| not_put_back(failure, &landing.unland(&self.session, &landed)))
    }

    /// Takes into the record what has changed since it answered.
    pub(super) fn note_changes(&mut self, kept: Oid, files: &[RepoPath]) -> Result<(), Unrecorded> {
        let path = format!("snap/{}.{}/after", self.step.path, self.number());
        let entry = (path, Private::Tree(kept.clone()));
        self.site.recorder.keep(vec![entry], format!("{}: saved", self.step.path), When::Now)?;
        if let Some(attempt) = self.step.attempts.last_mut() {
            attempt.after = Some(kept);
            attempt.files = files.to_vec();
        }
        Ok(())
    }

    /// Saves the result, where it is to be saved. To do it again changes nothing.
    pub(super) fn save(&self, there: &Session, value: &Value) -> Result<(), Failure> {
        let Some(save) = &self.work.save else { return Ok(()) };
        let written = there.save(save, text_of(value).as_bytes());
        written.map_err(|error| Failure { kind: FailureKind::Conflict, text: with_hint(&error) })
    }

    /// Commits, where that is wanted. To do it again changes nothing.
    pub(super) fn commit_if_wanted(&self, value: &Value, files: &[RepoPath], by: &InstanceId) -> Result<(), Failure> {
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

    /// By which it is known what made a commit.
    pub(super) fn trailer(&self) -> String {
        trailer(self.site.recorder.run())
    }

    fn commit(&self, files: &[RepoPath], value: &Value, by: &InstanceId) -> Result<(), Failure> {
        let title = match &self.work.action {
            Action::Prompt { task, .. } => text::one_line(&task.title, 72),
            Action::Run { line } => text::one_line(line, 72),
        };
        let body = text::block(text::head(&text_of(value), 4000), 4000);
        let message = format!("{title}\n\n{body}\n\n{}\n", self.trailer());
        let committed = self.session.commit_only(files, &message, by);
        committed.map_err(|error| Failure { kind: FailureKind::Check, text: with_hint(&error) })
    }
}
