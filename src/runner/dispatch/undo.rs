//! Undoing, when a step has failed for good: everything that was done and says how it is undone, in the reverse order of its
//! completion, one after the other. One that fails is told, and the rest go on.
//!
//! It happens where a failure goes no further: at a step that allows it, of what is inside of that step, and else at the run.
//! That a driver dies or is interrupted is no failure.

use super::{
    Run, Told,
    drive::{caught, guarded},
    event::Event,
    fill,
    record::{Answer, Change, Outcome},
    steps::job,
    tree::{Phase, ROOT, UnitId},
};
use crate::{
    model::run::{Failure, FailureKind, RunStatus, StepStatus},
    runner::{
        language::{
            UNDO,
            workflow::{Action, Compensate},
        },
        step::Left,
    },
};
use std::{cell::RefCell, sync::mpsc, thread};

/// Something that can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Undo {
    /// When it ended; of what is inside of it, the first.
    order: u64,
    /// How deep it is inside of others: what is inside is undone first.
    depth: usize,
    unit: UnitId,
}

impl Undo {
    /// What is undone.
    pub(super) fn unit(&self) -> UnitId {
        self.unit
    }
}

impl<'w> Run<'w, '_> {
    /// Notes how a unit is undone, if it is to be.
    pub(super) fn register_undo(&mut self, id: UnitId, outcome: &Outcome) {
        let Some(step) = self.units[id].step.filter(|_| !self.units[id].is_many()) else { return };
        let is_due = match &step.flow.compensate {
            None => false,
            Some(Compensate::Job { from_start: true, .. }) => {
                matches!(outcome.status, StepStatus::Ok | StepStatus::MaxIterationsReached | StepStatus::Failed)
            }
            Some(_) => matches!(outcome.status, StepStatus::Ok | StepStatus::MaxIterationsReached),
        };
        if !is_due || !self.registered.insert(id) {
            return;
        }
        let inner = self.undos.iter().filter(|undo| self.is_within(undo.unit, id)).map(|undo| undo.order).min();
        let depth = std::iter::successors(Some(id), |unit| self.units[*unit].parent).count();
        self.undos.push(Undo { order: inner.unwrap_or(outcome.order), depth, unit: id });
    }

    pub(super) fn is_within(&self, inner: UnitId, outer: UnitId) -> bool {
        std::iter::successors(Some(inner), |unit| self.units[*unit].parent).any(|unit| unit == outer)
    }

    /// Begins to undo what was done inside of a unit that failed. Tells whether there is anything.
    pub(super) fn begin_undoing(&mut self, id: UnitId, outcome: &Outcome) -> bool {
        let mut left: Vec<Undo> = self.undos.iter().copied().filter(|undo| self.is_within(undo.unit, id)).collect();
        if left.is_empty() {
            return false;
        }
        self.undos.retain(|undo| !left.contains(undo));
        // The last is taken first: of two with the same order the one that is deeper inside.
        left.sort_unstable();
        let error = outcome.failure.as_ref().map(|failure| failure.text.clone()).unwrap_or_default();
        (self.tell)(&Event::Compensating { error, compensating: true });
        if id == ROOT {
            self.change(Change::Run(RunStatus::Compensating));
            (self.tell)(&Event::Run { status: RunStatus::Compensating.as_str() });
        }
        let left = left.into_iter().map(|undo| undo.unit).collect();
        self.units[id].phase = Phase::Undoing { outcome: Box::new(outcome.clone()), left };
        self.undoing.push(id);
        true
    }

    /// Everything that was done is undone, since somebody said so: what was at work and came to no end first, as far as there is
    /// anything of it.
    pub(super) fn cancel(&mut self) {
        // What was done, by the word of somebody who was asked, is undone as well.
        for id in self.half_done() {
            let answer = self.units[id].path.as_ref().and_then(|path| self.given.recorded.answers.get(path));
            if let Some(answer) = answer.filter(|answer| **answer != Answer::Rerun).cloned() {
                self.answered(id, answer);
            }
        }
        if !matches!(self.units[ROOT].phase, Phase::Inside { .. }) {
            return;
        }
        let failure = Failure { kind: FailureKind::Reported, text: "the run was cancelled".to_owned() };
        let mut stuck = Vec::new();
        for id in self.half_done() {
            match self.take_back(id) {
                Ok(Left::Nothing) => {}
                Ok(Left::Changes) => self.undone.push(true),
                Ok(Left::Done(done)) => {
                    let outcome = self.outcome_of(id, *done);
                    self.end_alone(id, outcome);
                }
                Err(failure) => stuck.push((id, failure)),
            }
        }
        let outcome = self.ended_with(ROOT, Outcome::failed(failure.clone()));
        self.cut_inside(ROOT, &failure);
        stuck.into_iter().for_each(|(id, failure)| self.undone(id, Err(failure)));
        self.conclude(ROOT, outcome);
    }

    /// What was begun before this driver and came to no end, the last first.
    fn half_done(&self) -> Vec<UnitId> {
        let is_half_done = |id: &UnitId| matches!(self.units[*id].phase, Phase::Ready) && self.was_at_work(*id);
        (0..self.units.len()).rev().filter(is_half_done).collect()
    }

    /// Takes back what there is of a step that a driver before this one has begun.
    fn take_back(&mut self, id: UnitId) -> Result<Left, Failure> {
        let (Some(job), Some(path)) = (self.units[id].step.and_then(job), self.units[id].path.clone()) else {
            return Ok(Left::Nothing);
        };
        let name = path.to_string();
        let work = self.work(id, job, path, None);
        let work = work.map_err(|text| Failure { kind: FailureKind::Internal, text })?;
        let said = RefCell::new(Vec::new());
        let tell = |moment| said.borrow_mut().push(moment);
        let left = caught(|| self.executor.take_back(&work, &tell)).unwrap_or_else(Err);
        said.into_inner().iter().for_each(|moment| (self.tell)(&Event::of(&name, moment)));
        left
    }

    /// Hands the next that is to be undone over to a thread, one at a time.
    pub(super) fn start_undoing<'s, 'e: 's>(&mut self, scope: &'s thread::Scope<'s, 'e>, tx: &mpsc::Sender<Told>)
    where
        'w: 'e,
    {
        while self.can_undo() {
            let Some(id) = self.undoing.last().copied() else { return };
            let Phase::Undoing { outcome, left } = &mut self.units[id].phase else { return };
            match left.pop() {
                Some(next) => self.undo(next, scope, tx),
                None => {
                    let outcome = (**outcome).clone();
                    self.undoing.pop();
                    self.settle(id, outcome);
                    self.settle_all();
                }
            }
        }
    }

    fn undo<'s, 'e: 's>(&mut self, id: UnitId, scope: &'s thread::Scope<'s, 'e>, tx: &mpsc::Sender<Told>)
    where
        'w: 'e,
    {
        let (Some(step), Some(path)) = (self.units[id].step, self.units[id].path.clone()) else { return };
        if let Some(known) = self.given.recorded.undone.get(&path).cloned() {
            self.undone.push(known.is_none());
            // Its driver may have died before it had written down that the step stands so.
            return self.change(Change::Undone { path, failure: known });
        }
        let (executor, stop, tx) = (self.executor, self.stop.clone(), tx.clone());
        match &step.flow.compensate {
            Some(Compensate::Job { job: how, .. }) => {
                let place = path.join(UNDO).map_err(|error| error.to_string());
                let record = self.record_of_undone(id);
                let work = place.and_then(|place| self.work(id, how, place, Some(record)));
                let mut work = match work {
                    Ok(work) => work,
                    Err(text) => return self.undone(id, Err(Failure { kind: FailureKind::Internal, text })),
                };
                if let (true, Action::Work(done)) = (work.scope.is_empty(), &step.action) {
                    // What undoes a step may write what the step wrote.
                    let texts: Vec<_> = done.scope.0.iter().collect();
                    work.scope = done.scope.fill(self.engine(id), &self.names(id, &texts)).unwrap_or_default();
                }
                self.begin_undo(id);
                scope.spawn(move || {
                    let tell = |moment| drop(tx.send(Told::Undoing(id, moment)));
                    let done = guarded(|| executor.run(&work, &tell, &stop));
                    let failed = || {
                        done.failure
                            .clone()
                            .unwrap_or(Failure { kind: FailureKind::Lost, text: "it came to no end".into() })
                    };
                    let result = if done.status == StepStatus::Ok { Ok(()) } else { Err(failed()) };
                    drop(tx.send(Told::Undone(id, result)));
                });
            }
            Some(Compensate::Revert) => {
                let scope_of = job(step).map(|job| {
                    let texts: Vec<_> = job.scope.0.iter().collect();
                    job.scope.fill(self.engine(id), &self.names(id, &texts)).unwrap_or_default()
                });
                self.begin_undo(id);
                scope.spawn(move || {
                    let result = executor.revert(&path, &scope_of.unwrap_or_default(), &stop);
                    drop(tx.send(Told::Undone(id, result)));
                });
            }
            None => {}
        }
    }

    /// What may be read of a step that is undone, which may not have come to its end yet.
    fn record_of_undone(&self, id: UnitId) -> minijinja::Value {
        let unit = &self.units[id];
        match &unit.phase {
            Phase::Ended(_) => unit.record.clone(),
            Phase::Undoing { outcome, .. } => fill::record(unit, outcome, &[]),
            _ => fill::record(unit, &Outcome::of(StepStatus::Failed), &[]),
        }
    }

    /// Whether there is something that can be undone now.
    pub(super) fn can_undo(&self) -> bool {
        if self.is_undoing || self.stop.is_set() || self.unrecorded.is_some() {
            return false;
        }
        let Some(Phase::Undoing { left, .. }) = self.undoing.last().map(|id| &self.units[*id].phase) else {
            return false;
        };
        left.last().is_none_or(|next| self.has_room(*next))
    }

    fn begin_undo(&mut self, id: UnitId) {
        self.enter(id);
        self.is_undoing = true;
    }

    /// One is undone, or can't be.
    pub(super) fn undone(&mut self, id: UnitId, result: Result<(), Failure>) {
        self.is_undoing = false;
        if result.is_err() && self.stop.is_set() {
            // It was interrupted: it is undone when the run goes on.
            return;
        }
        self.undone.push(result.is_ok());
        let failure = result.err();
        if let Some(path) = self.units[id].path.clone() {
            let told = failure.as_ref().map(|failure| failure.text.clone());
            (self.tell)(&Event::Undone { step: path.to_string(), failure: told });
            self.change(Change::Undone { path, failure });
        }
    }
}
