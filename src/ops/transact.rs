//! Deciding and writing, again and again until nobody was quicker.

use super::{Error, Notice, Session};
use crate::{
    base::id::{Domain, InstanceId, OpId},
    host::fault,
    model::{
        apply::{Applied, Refusal, apply},
        op::{Action, Op},
    },
    store::{Committed, Snapshot, Transaction, WriteStep},
};

#[cfg(test)]
mod tests;

/// How often a decision is made anew because somebody else was quicker.
const TRIES: u32 = 16;

/// What came of an operation.
#[derive(Debug, Clone, Default)]
pub(super) struct Performed {
    /// What it changed; nothing, if there was nothing to do.
    pub(super) applied: Applied,
}

impl Session {
    /// Decides by `plan` on the present state and writes what the rules make of it; where somebody else was quicker,
    /// decides anew. `None` from the plan means that there is nothing to do.
    ///
    /// # Errors
    /// What the plan says, what the rules refuse, and when the store can't be written.
    pub(super) fn perform(
        &self,
        by: Option<&InstanceId>,
        mut plan: impl FnMut(&Snapshot<'_>) -> Result<Option<Action>, Error>,
    ) -> Result<Performed, Error> {
        let id = OpId::random(self.random());
        let at = self.now();
        let mut turn = self.repository.take_turn();
        for _ in 0..TRIES {
            let snapshot = self.snapshot()?;
            let Some(action) = plan(&snapshot)? else { return Ok(Performed::default()) };
            if !snapshot.exists() {
                if self.create_store(&snapshot)? {
                    self.notice(Notice::StoreCreated);
                }
                continue;
            }
            match self.attempt(&snapshot, &Op { id: id.clone(), at, by: by.cloned(), action }) {
                Err(error) if error.is_moved() => turn.insist(),
                result => return result,
            }
        }
        Err(Error::Contended(TRIES))
    }

    fn attempt(&self, snapshot: &Snapshot<'_>, op: &Op) -> Result<Performed, Error> {
        let applied = match apply(snapshot, op)? {
            Ok(applied) => applied,
            Err(Refusal::Held(conflicts)) => return Err(self.held(conflicts, snapshot)),
            Err(refusal) => return Err(Error::from_refusal(refusal)),
        };
        if applied.changes.is_empty() && !op.action.is_for_the_log() {
            return Ok(Performed { applied });
        }
        let transaction = Transaction::new(snapshot, op, &applied)?;
        let observe = |step: WriteStep| fault::at(&self.env, step.as_str());
        self.made(transaction.commit(&*self.refs(), self.settings.durability, &observe)?);
        Ok(Performed { applied })
    }

    /// Tells what is not certain about a change that was made.
    pub(super) fn made(&self, committed: Committed) {
        committed.doubts.into_iter().for_each(|doubt| self.notice(Notice::Doubtful(doubt)));
    }

    /// Begins the store of this repository, which is `empty`. Whether it was us: that somebody else did so first is as
    /// good.
    pub(super) fn create_store(&self, empty: &Snapshot<'_>) -> Result<bool, Error> {
        let folds_case = self.repository.config_bool("core.ignorecase")?.unwrap_or(false);
        let action = Action::Create { domain: Domain::random(self.random()), folds_case };
        let op = Op { id: OpId::random(self.random()), at: self.now(), by: None, action };
        match self.attempt(empty, &op) {
            Err(error) if error.is_moved() => Ok(false),
            created => created.map(|_| true),
        }
    }
}
