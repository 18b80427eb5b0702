//! What a driver that was killed has left: agents and commands that go on without it, and what they have changed.

use crate::{
    base::{
        id::{RunId, StepPath},
        path::RepoPath,
        process::Aliveness,
    },
    host::{live::Seen, process, supervise, verify},
    model::{
        claim::Holder,
        instance::Instance,
        overlap::Overlap,
        run::{Attempt, Failure, FailureKind, Stage, Step},
        scope::Scope,
        view::View as _,
    },
    ops::{Error, Notice, Session},
};

impl Session {
    /// Ends whatever is left of attempts that came to no end: their agents and commands, their checks, their reviews.
    /// It comes before all else that is done with their run, since what goes on could undo that.
    pub(super) fn end_what_is_left(&self, run: &RunId, steps: &[Step]) {
        let attempts = steps.iter().flat_map(|step| step.attempts.iter().map(|attempt| (&step.path, attempt)));
        for (step, attempt) in attempts.filter(|(_, attempt)| attempt.stage != Stage::Settled) {
            let mark = self.mark_of_attempt(run, step, attempt.number);
            supervise::end_marked(&mark);
            verify::end_marked(&mark);
            supervise::end_marked(&Session::mark_of_review(&mark));
        }
    }

    /// The run of a worker whose driver is gone, and which still works; `None` for any other instance.
    pub(in crate::ops) fn run_of_abandoned(&self, instance: &Instance) -> Option<RunId> {
        let driver = self.seen(&instance.id).and_then(|seen| agent_aliveness(&seen));
        self.run_without_driver(instance, driver)
    }

    /// Whether the agent of an instance lives, as far as its process tells. That of a worker is its driver, and an agent
    /// whose driver was killed goes on: as long as anything runs that was started as this worker, it lives.
    pub(in crate::ops) fn life_of(&self, instance: &Instance, seen: Option<&Seen>) -> Option<Aliveness> {
        let known = seen.and_then(agent_aliveness);
        self.run_without_driver(instance, known).map_or(known, |_| Some(Aliveness::Alive))
    }

    fn run_without_driver(&self, instance: &Instance, driver: Option<Aliveness>) -> Option<RunId> {
        if matches!(driver, Some(Aliveness::Alive | Aliveness::Unknown)) {
            return None;
        }
        let run = instance.task.as_ref()?.text.split_once(": ")?.0.parse().ok()?;
        process::is_any_started_as(instance.id.as_str()).then_some(run)
    }

    /// Settles an attempt whose driver was gone before it ended, with what it has changed where it may write. That stays as it
    /// is, and is told.
    pub(super) fn settle_left(&self, step: &StepPath, attempt: &mut Attempt) {
        let text = match self.changed_by(attempt) {
            Ok(changed) if changed.is_empty() => None,
            Ok(changed) => {
                let names: Vec<String> = changed.iter().map(ToString::to_string).collect();
                if attempt.after.is_none() {
                    attempt.files = changed;
                }
                Some(names.join(", "))
            }
            Err(error) => Some(format!("what it changed can't be told: {error}")),
        };
        if let Some(text) = text {
            self.notice(Notice::LeftChanged(step.clone(), text));
        }
        attempt.stage = Stage::Settled;
        let text = "its driver was gone before it ended".to_owned();
        attempt.failure = Some(Failure { kind: FailureKind::Lost, text });
    }

    /// What has changed since an attempt began, of what its worker holds. Where it is known how that left the files, it is
    /// what is so here still: it may have worked on a copy.
    fn changed_by(&self, attempt: &Attempt) -> Result<Vec<RepoPath>, Error> {
        let (Some(before), Some(worker)) = (&attempt.before, &attempt.instance) else { return Ok(Vec::new()) };
        let snapshot = self.snapshot()?;
        let claims = snapshot.claims_of(&Holder::Instance(worker.clone()))?;
        let held: Vec<Overlap> = claims.iter().map(|claim| Overlap::new(&claim.scope, snapshot.folds_case())).collect();
        let before = self.capture_from_tree(before)?;
        let now = self.capture_after(&before)?;
        let mut changed: Vec<RepoPath> =
            self.changed_between(&before, &now)?.into_iter().map(|change| change.path).collect();
        if let Some(after) = &attempt.after {
            let others = self.changed_between(&self.capture_from_tree(after)?, &now)?;
            changed.retain(|path| !others.iter().any(|other| other.path == *path));
        }
        changed.retain(|path| held.iter().any(|held| held.with(&Scope::File(path.clone()))));
        Ok(changed)
    }
}

fn agent_aliveness(seen: &Seen) -> Option<Aliveness> {
    let mark = seen.live.process.as_ref().filter(|_| seen.live.agent)?;
    Some(process::aliveness(mark))
}
