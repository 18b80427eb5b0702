//! Blocks whose steps work on a copy of the files: it is made when the block begins, and comes back when all of it has ended
//! well. What comes to another end leaves nothing behind.

use super::{Run, record::Outcome, tree::UnitId};
use crate::{
    model::run::{Failure, StepStatus},
    runner::language::{
        Engine,
        workflow::{Action, Compensate},
    },
};
use std::{iter::successors, sync::Arc};

/// The copy that a block has while it is at work.
pub(super) struct Copy {
    /// What fills in there; what fills in everywhere, where that is nothing else.
    engine: Option<Arc<Engine>>,
}

impl Run<'_, '_> {
    /// What fills in where a unit stands.
    pub(super) fn engine(&self, id: UnitId) -> &Arc<Engine> {
        let mut around = successors(Some(id), |unit| self.units[*unit].parent);
        let own = around.find_map(|unit| self.units[unit].copy.as_ref()?.engine.as_ref());
        own.unwrap_or(&self.given.engine)
    }

    /// Whether a unit is a block that works on a copy.
    fn is_apart(&self, id: UnitId) -> bool {
        let unit = &self.units[id];
        !unit.is_many() && matches!(unit.step.map(|step| &step.action), Some(Action::Block { is_apart: true, .. }))
    }

    /// Whether a unit is inside of one.
    pub(super) fn is_on_copy(&self, id: UnitId) -> bool {
        successors(self.units[id].parent, |unit| self.units[*unit].parent).any(|unit| self.is_apart(unit))
    }

    /// Makes the copy that a block works on, unless all of that was done before.
    ///
    /// # Errors
    /// Why there can be none.
    pub(super) fn part(&mut self, id: UnitId) -> Result<(), Failure> {
        let Some(path) = self.units[id].path.clone().filter(|_| self.is_apart(id)) else { return Ok(()) };
        if !self.given.is_updated && self.given.recorded.ended.contains_key(&path) {
            return Ok(());
        }
        let engine = self.executor.part(&path)?;
        self.units[id].copy = Some(Copy { engine });
        Ok(())
    }

    /// The end of a block, once it is known what becomes of its copy.
    pub(super) fn rejoined(&mut self, id: UnitId, mut outcome: Outcome) -> Outcome {
        let Some(path) = self.units[id].path.clone().filter(|_| self.is_apart(id)) else { return outcome };
        let is_own = self.units[id].copy.take().is_some();
        let lands = outcome.status == StepStatus::Ok;
        match self.given.recorded.ended.get(&path).filter(|_| !is_own) {
            Some(known) => (outcome.files, outcome.diff) = (known.files.clone(), known.diff.clone()),
            None if !is_own => {}
            None => match self.executor.rejoin(&path, lands) {
                Ok(Some((files, diff))) => (outcome.files, outcome.diff) = (files, diff),
                Ok(None) => {}
                Err(failure) => {
                    outcome = Outcome { failure: Some(failure), files: Vec::new(), diff: String::new(), ..outcome };
                    outcome.status = StepStatus::Failed;
                }
            },
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
