//! Blocks whose steps work on a copy of the files: it is made when the block begins, and comes back when all of it has ended
//! well. What comes to another end leaves nothing behind.
//!
//! Both take their time, and are done by threads like all other work: the block is at work till they tell.

use super::{
    Landed, Run, Told,
    drive::caught,
    record::Outcome,
    tree::{Phase, UnitId},
};
use crate::{
    base::id::StepPath,
    model::run::{Failure, StepStatus},
    runner::language::{
        Engine,
        workflow::{Action, Compensate},
    },
};
use std::{
    iter::successors,
    sync::{Arc, mpsc},
    thread,
};

/// The copy that an isolated block has while it is at work.
pub(super) struct Isolated {
    /// What fills in there; what fills in everywhere, where that is nothing else.
    engine: Option<Arc<Engine>>,
}

impl<'w> Run<'w, '_> {
    /// What fills in where a unit stands.
    pub(super) fn engine(&self, id: UnitId) -> &Arc<Engine> {
        let mut around = successors(Some(id), |unit| self.units[*unit].parent);
        let own = around.find_map(|unit| self.units[unit].isolated.as_ref()?.engine.as_ref());
        own.unwrap_or(&self.given.engine)
    }

    /// Whether a unit is a block that works on a copy.
    pub(super) fn is_isolated(&self, id: UnitId) -> bool {
        let unit = &self.units[id];
        !unit.is_many() && matches!(unit.step.map(|step| &step.action), Some(Action::Block { is_isolated: true, .. }))
    }

    /// Whether a unit is inside of one.
    pub(super) fn is_in_isolated(&self, id: UnitId) -> bool {
        successors(self.units[id].parent, |unit| self.units[*unit].parent).any(|unit| self.is_isolated(unit))
    }

    /// Whether a unit needs a copy before what is in it begins: it works on one, and not all of that was done before.
    pub(super) fn needs_isolating(&self, id: UnitId) -> bool {
        self.is_isolated(id) && self.known(id).is_none()
    }

    /// How a block ended before this driver that was to work on a copy and never had one: nothing in it was begun, and must
    /// not be begun now, where it would work on the files of everybody.
    pub(super) fn known_without_copy(&self, id: UnitId) -> Option<Outcome> {
        let known = self.known(id).filter(|_| self.is_isolated(id))?;
        let (path, recorded) = (self.units[id].path.as_ref()?, &self.given.recorded);
        let mut inside = recorded.ended.keys().chain(&recorded.begun).chain(recorded.items.keys());
        (!inside.any(|inner| inner.is_inside(path))).then(|| known.clone())
    }

    /// Has a thread make the copy that a block works on.
    pub(super) fn start_isolating<'s, 'e: 's>(
        &mut self,
        id: UnitId,
        path: StepPath,
        scope: &'s thread::Scope<'s, 'e>,
        tx: &mpsc::Sender<Told>,
    ) where
        'w: 'e,
    {
        self.enter(id);
        self.units[id].phase = Phase::Working;
        let (executor, stop, tx) = (self.executor, self.stop_of(id).clone(), tx.clone());
        scope.spawn(move || {
            let isolated = caught(|| executor.isolate(&path, &stop)).unwrap_or_else(Err);
            drop(tx.send(Told::Isolated(id, isolated)));
        });
    }

    /// The copy is made, or can't be.
    pub(super) fn isolated(&mut self, id: UnitId, isolated: Result<Option<Arc<Engine>>, Failure>) {
        let is_over = self.stop_of(id).is_set();
        match isolated {
            Ok(engine) => {
                self.units[id].isolated = Some(Isolated { engine });
                match is_over {
                    // It is let go of with whatever the block is inside of.
                    true => self.units[id].phase = Phase::Ready,
                    false => self.open_block(id),
                }
            }
            Err(_) if is_over => self.units[id].phase = Phase::Ready,
            Err(failure) => self.finish(id, Outcome::failed(failure)),
        }
    }

    /// Notes that the copy of a block is to be let go of before it has ended so. Tells whether there is one.
    pub(super) fn begin_landing(&mut self, id: UnitId, outcome: &Outcome) -> bool {
        if self.units[id].isolated.take().is_none() {
            return false;
        }
        self.enter(id);
        self.units[id].phase = Phase::Working;
        self.landing.push((id, self.known_end(id).unwrap_or_else(|| outcome.clone())));
        true
    }

    /// Has threads take back what was done on the copies of blocks that have ended.
    pub(super) fn start_landing<'s, 'e: 's>(&mut self, scope: &'s thread::Scope<'s, 'e>, tx: &mpsc::Sender<Told>)
    where
        'w: 'e,
    {
        for (id, outcome) in std::mem::take(&mut self.landing) {
            let Some(path) = self.units[id].path.clone() else { continue };
            let (executor, tx) = (self.executor, tx.clone());
            scope.spawn(move || {
                let landed = caught(|| executor.land(&path, &outcome)).unwrap_or_else(Err);
                drop(tx.send(Told::Landed(id, Box::new(outcome), landed)));
            });
        }
    }

    /// The copy of a block is gone, which ends with what came of that.
    pub(super) fn landed(&mut self, id: UnitId, outcome: Outcome, landed: Result<Landed, Failure>) {
        let outcome = self.with_landed(id, outcome, landed);
        let outcome = self.written(id, outcome);
        self.conclude(id, outcome);
    }

    /// The end of a unit with what is known of a copy of it. One that is cut short has its copy still.
    pub(super) fn let_go_of_isolated(&mut self, id: UnitId, mut outcome: Outcome) -> Outcome {
        let Some(path) = self.units[id].path.clone().filter(|_| self.is_isolated(id)) else { return outcome };
        if self.units[id].isolated.take().is_some() {
            let landed = self.executor.land(&path, &outcome);
            return self.with_landed(id, outcome, landed);
        }
        if let Some(known) = self.given.recorded.ended.get(&path) {
            (outcome.files, outcome.diff) = (known.files.clone(), known.diff.clone());
        }
        self.with_landed(id, outcome, Ok(None))
    }

    fn with_landed(&mut self, id: UnitId, mut outcome: Outcome, landed: Result<Landed, Failure>) -> Outcome {
        match landed {
            Ok(Some((files, diff))) => (outcome.files, outcome.diff) = (files, diff),
            Ok(None) => {}
            Err(failure) => outcome = outcome.not_landed(failure),
        }
        if outcome.status != StepStatus::Ok {
            self.forget_reverts(id);
        }
        outcome
    }

    /// What was done on a copy that is gone can't be put back, and need not be.
    fn forget_reverts(&mut self, id: UnitId) {
        let undos = std::mem::take(&mut self.undos);
        let is_revert = |unit: UnitId| {
            let compensate = self.units[unit].step.and_then(|step| step.flow.compensate.as_ref());
            matches!(compensate, Some(Compensate::Revert))
        };
        let stays = undos.into_iter().filter(|undo| !(self.is_within(undo.unit(), id) && is_revert(undo.unit())));
        self.undos = stays.collect();
    }
}
