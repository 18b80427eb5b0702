//! How one thing follows from another: a step is begun when those it needs have ended, is done, and ends; then those that
//! wait for it are looked at.

use super::{
    Run,
    bounds::OF_RUN,
    event::Event,
    fill,
    record::{Answer, Change, Outcome},
    tree::{Phase, ROOT, Scope, UnitId},
};
use crate::{
    model::run::{Failure, FailureKind, StepStatus},
    runner::{
        language::{
            filename,
            workflow::{Action, Job, Step},
        },
        work::{Done, Shape},
    },
};
use serde_json::Value;

impl<'w> Run<'w, '_> {
    /// An executor is done with a step.
    pub(super) fn done(&mut self, id: UnitId, done: Done) {
        self.count(id, 0, done.usage.cost);
        let outcome = self.outcome_of(id, done);
        match outcome.status {
            StepStatus::Asked => {
                if let Some(path) = self.units[id].path.clone() {
                    self.change(Change::Stands { path, status: StepStatus::Asked });
                }
                (self.tell)(&Event::Asked { step: self.units[id].name(), question: "the task is yours".into() });
                self.units[id].phase = Phase::Asked;
            }
            StepStatus::Ok => self.finish(id, outcome),
            StepStatus::Failed if !self.stop_of(id).is_set() => self.finish(id, outcome),
            // It was interrupted: nothing is known of it, and it is done again when the run goes on.
            _ if self.stop_of(id).is_set() => self.units[id].phase = Phase::Ready,
            // It has heard of that before we have; or somebody else holds what it needs.
            StepStatus::Waiting => {
                self.held = self.held.take().or(outcome.failure.map(|held| (id, held)));
                self.bounds[OF_RUN].stop();
                self.units[id].phase = Phase::Ready;
            }
            _ => self.fail(id, FailureKind::Internal, "it came to no end"),
        }
    }

    /// What an executor made of a step.
    pub(super) fn outcome_of(&self, id: UnitId, done: Done) -> Outcome {
        Outcome {
            status: done.status,
            out: done.out,
            exit: done.exit,
            agent: done.attempts.last().map(|attempt| attempt.agent.clone()),
            attempts: done.attempts.len() as u32,
            files: done.files,
            diff: done.diff,
            usage: done.usage,
            failure: done.failure,
            key: self.units[id].record.as_str().unwrap_or_default().to_owned(),
            order: 0,
        }
    }

    /// Somebody answered.
    pub(super) fn answered(&mut self, id: UnitId, answer: Answer) {
        let Some(step) = self.units[id].step else { return };
        let shape = step.action.shape().cloned();
        let of_text = |text: String| match (&shape, serde_json::from_str::<Value>(&text)) {
            (None, _) => Ok(Value::String(text)),
            (Some(shape), Ok(value)) => shape.check(value),
            (Some(shape), Err(_)) => shape.check(Value::String(text)),
        };
        // Where yes or no is what was asked for, either is a good answer.
        let of_word = |word: bool| shape.as_ref().and_then(|shape| shape.check(Value::Bool(word)).ok());
        let ok = |out| Outcome { out, attempts: 1, ..Outcome::of(StepStatus::Ok) };
        match answer {
            Answer::Yes | Answer::No if let Some(out) = of_word(answer == Answer::Yes) => self.finish(id, ok(out)),
            Answer::Yes => self.finish(id, ok(Value::String("yes".into()))),
            Answer::No => self.fail(id, FailureKind::Reported, "the answer was no"),
            Answer::Text(text) => match of_text(text) {
                Ok(out) => self.finish(id, ok(out)),
                Err(why) => self.fail(id, FailureKind::Shape, &why),
            },
            Answer::Rerun => self.fail(id, FailureKind::Internal, "it was not begun, and can't be done again"),
        }
    }

    pub(super) fn fail(&mut self, id: UnitId, kind: FailureKind, text: &str) {
        self.finish(id, Outcome::failed(Failure { kind, text: text.to_owned() }));
    }

    /// A unit has come to its end, and that is written down: of a block that works on a copy, once that is gone.
    pub(super) fn finish(&mut self, id: UnitId, outcome: Outcome) {
        if self.begin_landing(id, &outcome) {
            return;
        }
        let outcome = self.ended_with(id, outcome);
        self.conclude(id, outcome);
    }

    /// It has ended: what was done in it is undone first, where its failure goes no further.
    pub(super) fn conclude(&mut self, id: UnitId, outcome: Outcome) {
        let unit = &self.units[id];
        let is_absorbed = id == ROOT || unit.allows_failure() && !unit.is_many();
        self.register_undo(id, &outcome);
        if outcome.status == StepStatus::Failed && is_absorbed && self.begin_undoing(id, &outcome) {
            return;
        }
        self.settle(id, outcome);
    }

    /// With its place in the order in which things ended; that which was written down, where it was.
    pub(super) fn ordered(&mut self, id: UnitId, mut outcome: Outcome) -> Outcome {
        let known = self.units[id].path.as_ref().and_then(|path| self.given.recorded.ended.get(path));
        match known.filter(|known| !self.given.is_updated && known.status == outcome.status) {
            Some(known) => outcome.order = known.order,
            None => {
                self.order += 1;
                outcome.order = self.order;
            }
        }
        outcome
    }

    /// It has ended: what follows from that.
    pub(super) fn settle(&mut self, id: UnitId, outcome: Outcome) {
        self.tell_end(id, &outcome);
        let is_in_isolated = self.is_in_isolated(id);
        for file in outcome.files.iter().filter(|_| !is_in_isolated) {
            if !self.files.contains(file) {
                self.files.push(file.clone());
            }
        }
        self.has_reached_max |= outcome.status == StepStatus::MaxIterationsReached;
        let items: Vec<_> = match &self.units[id].phase {
            Phase::Items { units, .. } => units
                .iter()
                .map(|item| &self.units[*item])
                .filter_map(|unit| unit.item.as_ref().map(|(_, item)| (item.clone(), unit.outcome())))
                .collect(),
            _ => Vec::new(),
        };
        self.units[id].record = fill::record(&self.units[id], &outcome, &items);
        let failed = outcome.status == StepStatus::Failed;
        self.units[id].phase = Phase::Ended(Box::new(outcome));
        let Some(parent) = self.units[id].parent else { return };
        if self.units[id].item.is_some() {
            self.settle_item(id, parent, failed);
            return;
        }
        self.settle_in_frame(id, failed && !self.units[id].allows_failure());
    }

    /// An item has ended. Of items that are done one after the other the next is looked at, unless this one failed.
    fn settle_item(&mut self, id: UnitId, parent: UnitId, failed: bool) {
        let Phase::Items { units, open } = &mut self.units[parent].phase else { return };
        *open -= 1;
        let next = units.iter().position(|unit| *unit == id).and_then(|at| units.get(at + 1)).copied();
        if let (Some(next), true) = (next, self.units[id].step.is_some_and(is_in_order)) {
            if failed {
                let Phase::Items { units, open } = &mut self.units[parent].phase else { return };
                *open = 0;
                let rest: Vec<UnitId> = units.iter().copied().skip_while(|unit| *unit != next).collect();
                rest.into_iter().for_each(|unit| self.units[unit].phase = Phase::Stopped);
            } else {
                self.todo.push_back(next);
            }
        }
        if matches!(self.units[parent].phase, Phase::Items { open: 0, .. }) {
            self.finish_items(parent);
        }
    }

    /// Those that wait for it are looked at; where it failed they are never begun, nor those that wait for them.
    fn settle_in_frame(&mut self, id: UnitId, is_bad: bool) {
        let frame_id = self.units[id].frame;
        let frame = &mut self.frames[frame_id];
        if is_bad {
            frame.failed = frame.failed.or(Some(id));
        }
        let mut settled = vec![(self.units[id].index, is_bad)];
        while let Some((index, is_bad)) = settled.pop() {
            frame.open -= 1;
            for waiting in frame.waiting[index].clone() {
                let unit = &mut self.units[frame.units[waiting]];
                if !matches!(unit.phase, Phase::Waiting) {
                    continue;
                }
                frame.waits[waiting] -= 1;
                if is_bad {
                    unit.phase = Phase::Stopped;
                    settled.push((waiting, true));
                } else if frame.waits[waiting] == 0 {
                    self.todo.push_back(frame.units[waiting]);
                }
            }
        }
        if frame.open == 0 {
            let owner = frame.owner;
            self.finish_frame(owner, frame_id);
        }
    }

    /// All items have ended.
    pub(super) fn finish_items(&mut self, id: UnitId) {
        let Phase::Items { units, .. } = &self.units[id].phase else { return };
        let outcomes: Vec<&Outcome> = units.iter().filter_map(|item| self.units[*item].outcome()).collect();
        let usable = outcomes
            .iter()
            .filter(|outcome| matches!(outcome.status, StepStatus::Ok | StepStatus::MaxIterationsReached));
        let mut whole = Outcome {
            out: usable.map(|outcome| outcome.out.clone()).collect(),
            attempts: 1,
            key: fill::digest(&outcomes.iter().map(|outcome| outcome.key.as_str()).collect::<Vec<_>>().join(" ")),
            files: outcomes.iter().flat_map(|outcome| outcome.files.clone()).collect(),
            diff: outcomes.iter().map(|outcome| outcome.diff.as_str()).collect(),
            ..Outcome::of(StepStatus::Ok)
        };
        whole.files.dedup();
        let failed = outcomes.iter().filter(|outcome| outcome.status == StepStatus::Failed);
        if let Some(first) = failed.clone().next() {
            let kind = first.failure.as_ref().map_or(FailureKind::Internal, |failure| failure.kind);
            let told = first.failure.as_ref().map(|failure| failure.text.as_str()).unwrap_or_default();
            let text = format!("{} of {} failed: {told}", failed.count(), outcomes.len());
            whole = Outcome { status: StepStatus::Failed, failure: Some(Failure { kind, text }), ..whole };
        }
        self.finish(id, whole);
    }

    /// All steps of a frame have ended, or are never begun.
    fn finish_frame(&mut self, owner: UnitId, frame: usize) {
        let Phase::Inside { round } = self.units[owner].phase else { return };
        let inner: Vec<&Outcome> =
            self.frames[frame].units.iter().filter_map(|unit| self.units[*unit].outcome()).collect();
        let last = self.frames[frame].units.last().and_then(|unit| self.units[*unit].outcome());
        let mut whole = Outcome {
            out: last.map(|last| last.out.clone()).unwrap_or_default(),
            attempts: round,
            files: inner.iter().flat_map(|outcome| outcome.files.clone()).collect(),
            diff: inner.iter().map(|outcome| outcome.diff.as_str()).collect(),
            key: fill::digest(&inner.iter().map(|outcome| outcome.key.as_str()).collect::<Vec<_>>().join(" ")),
            ..Outcome::of(StepStatus::Ok)
        };
        whole.files.sort();
        whole.files.dedup();
        let has_reached_max = inner.iter().any(|outcome| outcome.status == StepStatus::MaxIterationsReached);
        if let Some(failed) = self.frames[frame].failed {
            let failure = self.units[failed].outcome().and_then(|outcome| outcome.failure.clone());
            let kind = failure.as_ref().map_or(FailureKind::Internal, |failure| failure.kind);
            let told = failure.map(|failure| failure.text).unwrap_or_default();
            let text =
                if owner == ROOT { told } else { format!("the step {} failed: {told}", self.units[failed].name()) };
            return self
                .finish(owner, Outcome { status: StepStatus::Failed, failure: Some(Failure { kind, text }), ..whole });
        }
        if owner == ROOT && self.given.is_cancelled {
            // All was done but the word of it, and is to be undone.
            return;
        }
        let action = self.units[owner].step.map(|step| &step.action);
        if let Some(Action::Block { steps, repeat: Some(repeat), .. }) = action {
            // What it was repeated till may read files, and these have changed since.
            match self.known(owner).cloned() {
                Some(known) if round < known.attempts => return self.next_round(owner, frame, steps, round + 1),
                Some(known) => return self.finish(owner, known),
                None => {}
            }
            let names = self.names_inside(frame, &[&repeat.until]);
            match repeat.until.value(self.engine(owner), &names) {
                Err(why) => return self.fail(owner, FailureKind::Internal, &format!("until can't be told: {why}")),
                Ok(value) if value.is_true() => {
                    (self.tell)(&Event::Complete { step: self.units[owner].name(), iterations: round });
                }
                Ok(_) if round < repeat.max && !self.is_stopped() => {
                    return self.next_round(owner, frame, steps, round + 1);
                }
                Ok(_) if round < repeat.max => return,
                Ok(_) => whole.status = StepStatus::MaxIterationsReached,
            }
        } else if has_reached_max {
            whole.status = StepStatus::MaxIterationsReached;
        }
        if let Some(result) = self.result_of(owner) {
            let names = self.names_inside(frame, &[result]);
            // That of the run is for whoever reads it, and others are for steps.
            let kept = |value| if owner == ROOT { Ok(filename::told(&value)) } else { filename::kept(&value) };
            match result.value(self.engine(owner), &names).and_then(kept) {
                Ok(out) => whole.out = out,
                Err(why) => return self.fail(owner, FailureKind::Internal, &format!("result can't be told: {why}")),
            }
        }
        self.finish(owner, whole);
    }

    fn result_of(&self, owner: UnitId) -> Option<&'w crate::runner::language::template::Text> {
        match self.units[owner].step.map(|step| &step.action) {
            Some(Action::Block { result, .. }) => result.as_ref(),
            Some(Action::Call { workflow, .. }) => workflow.result.as_ref(),
            Some(_) => None,
            None => self.workflow.result.as_ref(),
        }
    }

    fn next_round(&mut self, owner: UnitId, frame: usize, steps: &'w [Step], round: u32) {
        let before = &self.frames[frame];
        let records = before.steps.iter().zip(&before.units);
        let prev = records.map(|(step, unit)| (step.id.clone(), self.units[*unit].record.clone()));
        let scope = Scope { round: Some((round, minijinja::Value::from_pairs(prev))), ..before.scope.clone() };
        (self.tell)(&Event::Round { step: self.units[owner].name(), iteration: round });
        self.open_frame(owner, steps, scope, round);
    }

    pub(super) fn tell_end(&mut self, id: UnitId, outcome: &Outcome) {
        if id == ROOT {
            return;
        }
        let step = self.units[id].name();
        if outcome.is_ok() && !outcome.out.is_null() {
            match &self.units[id].item {
                Some((_, item)) => {
                    let (item, out) = (item.clone(), outcome.out.clone());
                    (self.tell)(&Event::ItemResult { step: step.clone(), item, out });
                }
                None => (self.tell)(&Event::Result { step: step.clone(), out: outcome.out.clone() }),
            }
            if let Some(issues) = outcome.out.get("issues") {
                (self.tell)(&Event::Issues { step: step.clone(), issues: issues.clone() });
            }
            if let Some(score) = outcome.out.get("score").or_else(|| outcome.out.get("quality_score")) {
                (self.tell)(&Event::Score { step: step.clone(), score: score.clone() });
            }
        }
        let failure = outcome.failure.as_ref().map(|failure| failure.text.clone());
        (self.tell)(&Event::Step { step, status: outcome.status.as_str(), agent: outcome.agent.clone(), failure });
    }
}

/// Whether its items are done one after the other, and no more of them once one has failed.
pub(super) fn is_in_order(step: &Step) -> bool {
    step.flow.max_parallel == Some(1) && !step.flow.allow_failure
}

/// The job of a step that is done by one executor.
pub(super) fn job(step: &Step) -> Option<&Job> {
    match &step.action {
        Action::Work(job) => Some(job),
        _ => None,
    }
}
