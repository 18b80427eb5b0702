//! Deciding and writing, again and again until nobody was quicker.

use super::{Error, Notice, Session};
use crate::{
    base::id::{Domain, InstanceId, OpId},
    host::{
        fault,
        hooks::{FenceState, HOOKS_PATH, fence_state},
    },
    model::{
        apply::{Applied, Outcome, Refusal, apply},
        op::{Action, Op},
    },
    store::{Committed, Snapshot, StoreError, Transaction, WriteStep, layout::STATE},
};

#[cfg(test)]
mod tests;

/// Why a change has to wait for the hub.
const ONLY_THE_HUB: &str =
    "try again when the hub can be reached: it is about another clone, so only the hub decides it";

/// How often a decision is made anew because somebody else was quicker.
const TRIES: u32 = 16;

impl Session {
    /// Decides by `plan` on the present state and writes what the rules make of it; where somebody else was quicker,
    /// decides anew. `None` from the plan means that there is nothing to do. An instance that was taken off the
    /// register since it was last heard of is put back on it, once.
    ///
    /// # Errors
    /// What the plan says, what the rules refuse, and when the store can't be written.
    pub(super) fn perform(
        &self,
        by: Option<&InstanceId>,
        mut plan: impl FnMut(&Snapshot<'_>) -> Result<Option<Action>, Error>,
    ) -> Result<Applied, Error> {
        let mut decided = self.decide(by, &mut plan)?;
        if let (Err(Refusal::NotRegistered(Some(gone))), Some(by)) = (&decided, by)
            && gone == by
            && self.revive(by)?
        {
            self.tell_losses(by, &self.snapshot()?);
            decided = self.decide(Some(by), &mut plan)?;
        }
        decided.map_err(Error::from_refusal)
    }

    /// As [`perform`](Self::perform), with the refusals that need no look at the state to be told.
    fn decide(
        &self,
        by: Option<&InstanceId>,
        plan: &mut impl FnMut(&Snapshot<'_>) -> Result<Option<Action>, Error>,
    ) -> Result<Outcome, Error> {
        let id = OpId::random(self.random());
        let at = self.now();
        let mut turn = self.repository.take_turn();
        for _ in 0..TRIES {
            let snapshot = self.snapshot()?;
            let Some(action) = plan(&snapshot)? else { return Ok(Ok(Applied::default())) };
            if !snapshot.exists() {
                // The fence came with a store. To begin anew is for `init` to do, which somebody calls who knows.
                if self.is_inited() && !self.lost_store()? {
                    return Err(Error::not_found(
                        format!("{STATE} is gone, and its reflog with it"),
                        "`git aio init` begins a new store; what was claimed and noted is not known any more",
                    ));
                }
                if self.create_store(&snapshot)? {
                    self.notice(Notice::StoreCreated);
                }
                continue;
            }
            let op = Op { id: id.clone(), at, by: by.cloned(), action };
            let applied = match apply(&snapshot, &op)? {
                Ok(applied) => applied,
                Err(Refusal::Held(conflicts)) => return Err(self.held(conflicts, &snapshot)),
                refused => return Ok(refused),
            };
            if self.is_for_the_hub(&applied, &snapshot)? {
                drop(turn);
                let undone = "nothing was changed";
                return self.confirm(by, plan).map_err(|error| error.undone(undone, ONLY_THE_HUB));
            }
            match self.write(&snapshot, &op, &applied) {
                Err(error) if error.is_moved() => turn.insist(),
                written => return written.map(|()| Ok(applied)),
            }
        }
        Err(Error::Contended(TRIES))
    }

    fn write(&self, snapshot: &Snapshot<'_>, op: &Op, applied: &Applied) -> Result<(), Error> {
        if applied.changes.is_empty() && !op.action.is_for_the_log() {
            return Ok(());
        }
        let transaction = Transaction::new(snapshot, op, applied)?;
        let observe = |step: WriteStep| fault::at(&self.env, step.as_str());
        self.made(transaction.commit(&*self.refs(), self.settings.durability, &observe)?);
        self.sync_soon();
        Ok(())
    }

    /// Tells what is not certain about a change that was made.
    pub(super) fn made(&self, committed: Committed) {
        committed.doubts.into_iter().for_each(|doubt| self.notice(Notice::Doubtful(doubt)));
    }

    /// Begins the store of this repository, which is `empty`. Whether it was us: that somebody else did so first is as
    /// good.
    ///
    /// # Errors
    /// Where there was a store and it is gone: to begin anew would bury what its claims were.
    pub(super) fn create_store(&self, empty: &Snapshot<'_>) -> Result<bool, Error> {
        if self.lost_store()? {
            return Err(StoreError::Tip("it is gone, and its reflog shows that it was in use".into()).into());
        }
        let folds_case = self.repository.config_bool("core.ignorecase")?.unwrap_or(false);
        let action = Action::Create { domain: Domain::random(self.random()), folds_case };
        let op = Op { id: OpId::random(self.random()), at: self.now(), by: None, action };
        let applied = apply(empty, &op)?.map_err(Error::from_refusal)?;
        match self.write(empty, &op, &applied) {
            Err(error) if error.is_moved() => Ok(false),
            created => created.map(|()| true),
        }
    }

    /// Whether there is no store although there was one that somebody used, as the reflog shows.
    fn lost_store(&self) -> Result<bool, Error> {
        let refs = self.refs();
        let Some(last) = refs.history(STATE).map_err(StoreError::from)?.into_iter().next() else { return Ok(false) };
        // One that had only just begun, perhaps by somebody who was killed at it, held nothing yet.
        let began = self.repository.log(&last).next().and_then(Result::ok).is_some_and(|entry| entry.seq <= 1);
        // The line of the reflog is written before the ref moves, and somebody may have made both since we looked.
        Ok(!began && refs.read(STATE).map_err(StoreError::from)?.is_none())
    }

    /// Warns where nothing is coordinated any more although it was: the ref is gone and its reflog is not, or `init`
    /// put the fence up. Where nothing ever was, nothing is said.
    pub(super) fn warn_of_lost_store(&self, snapshot: &Snapshot<'_>) -> Result<(), Error> {
        if !snapshot.exists() && self.is_store_gone()? {
            self.notice(Notice::StoreGone);
        }
        Ok(())
    }

    /// Whether there should be a store, where there is none.
    pub(super) fn is_store_gone(&self) -> Result<bool, Error> {
        Ok(self.lost_store()? || self.is_inited())
    }

    /// Whether `init` put the fence up here.
    pub(super) fn is_inited(&self) -> bool {
        let hooks_path = self.repository.config_path(HOOKS_PATH);
        self.site().is_some_and(|site| fence_state(&site, hooks_path.as_deref()) != FenceState::NotInited)
    }
}
