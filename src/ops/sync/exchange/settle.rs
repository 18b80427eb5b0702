//! Bringing the local chain on top of what the hub has, by doing our operations again.

use super::{Exchange, Whose};
use crate::{
    base::{
        id::{InstanceId, OpId},
        oid::Oid,
    },
    host::fault,
    model::{
        apply::{Applied, Change, apply},
        claim::Ended,
        op::{Action, Op},
        replay::{Replayed, replay},
        view::View as _,
    },
    ops::{Error, Notice},
    store::{Snapshot, StoreError, Transaction, layout},
};

/// How often the local ref is moved again because a local writer was quicker.
const LOCAL_TRIES: u32 = 16;

impl Exchange<'_> {
    /// Brings the local chain on top of `theirs`, and tells its tip.
    pub(in crate::ops::sync) fn settle(&mut self, theirs: Option<&Oid>) -> Result<Option<Oid>, Error> {
        let session = self.session;
        let _turn = session.repository.take_turn();
        for _ in 0..LOCAL_TRIES {
            let refs = session.refs();
            let ours = refs.read(layout::STATE).map_err(StoreError::from)?;
            let (Some(theirs), lost) = (theirs, self.synced.lost.len()) else { return Ok(ours) };
            let (tip, received) = match &ours {
                Some(ours) => self.replayed(ours, theirs, self.tip().as_ref(), Whose::Own)?,
                None => (theirs.clone(), session.repository.chain_link(theirs)?.seq),
            };
            if Some(&tip) == ours.as_ref() {
                self.remember(theirs)?;
                return Ok(Some(tip));
            }
            fault::at(&session.env, "sync-replayed");
            let adopted = session.repository.adopt(&*refs, ours.as_ref(), &tip, "sync", session.now());
            match adopted.map_err(Error::from) {
                Ok(swapped) => {
                    swapped.doubt.into_iter().for_each(|doubt| session.notice(Notice::Doubtful(doubt)));
                    fault::at(&session.env, "sync-adopted");
                    self.synced.received += received;
                    // Only now: what the local chain doesn't stand on would make what does stand there look confirmed.
                    self.remember(theirs)?;
                    return Ok(Some(tip));
                }
                Err(error) if error.is_moved() => self.synced.lost.truncate(lost),
                Err(error) => return Err(error),
            }
        }
        Err(Error::Contended(LOCAL_TRIES))
    }

    /// The tip of `ours` on top of `theirs`: the very same commits where nothing diverged, else new ones. And how many
    /// operations are new to us. Where the hub's history was cut, it knows what we have up to `base`.
    pub(in crate::ops::sync) fn replayed(
        &mut self,
        ours: &Oid,
        theirs: &Oid,
        base: Option<&Oid>,
        whose: Whose,
    ) -> Result<(Oid, u64), Error> {
        let repository = &self.session.repository;
        let apart = repository.divergence(ours, theirs, base)?;
        if let Some(number) = apart.hidden_before {
            return Err(Error::NotConfirmed {
                message: format!(
                    "what this clone did before operation {number} can't be read any more, and the hub {} may lack it",
                    self.hub.name()
                ),
                hint: Some(
                    "nothing has changed; keep `git aio doctor --dump`, then `git update-ref -d refs/aio/state` and sync \
                     to go on with what the hub has"
                        .into(),
                ),
            });
        }
        // A cut of our own does not go forward from what the hub has: what it let go of is done again there.
        if apart.common.as_ref() == Some(theirs) && !apart.cut {
            return Ok((ours.clone(), 0));
        }
        let mut tip = theirs.clone();
        // Where the hub's history was cut, not all that it knew of ours can be seen: surely what others did, who were
        // the ones to send it there.
        let only_own = whose == Whose::Own && apart.common.is_none();
        for oid in &apart.ours {
            let Some(op) = repository.operation(oid)? else {
                let link = repository.chain_link(oid)?;
                return Err(Error::usage(
                    format!("the operation {} is one of a newer git-aio", link.seq),
                    "update git-aio",
                ));
            };
            let was = match repository.chain_link(oid)?.parent {
                Some(parent) => repository.snapshot_at(parent)?,
                None => repository.empty_snapshot(),
            };
            if only_own && self.is_anothers(&op, &was)? {
                continue;
            }
            match replay(&repository.snapshot_at(tip.clone())?, &op, &was)? {
                Replayed::Nothing => {}
                Replayed::Clash(id) => self.session.notice(Notice::Clash(id)),
                Replayed::Op { revive, op, lost } => {
                    let beside = |action| Op { id: OpId::random(self.session.random()), action, ..(*op).clone() };
                    let before = revive.map(|instance| beside(Action::Register(*instance)));
                    let told = || Action::Claim { wants: Vec::new(), evict: Vec::new(), lost: lost.clone() };
                    let after = (!lost.is_empty()).then(|| beside(told()));
                    for op in before.iter().chain([&*op]).chain(&after) {
                        tip = self.again(&tip, op)?;
                    }
                }
            }
        }
        Ok((tip, apart.theirs))
    }

    /// Whether an instance of another clone did `op`, on the state `was`.
    fn is_anothers(&self, op: &Op, was: &Snapshot<'_>) -> Result<bool, Error> {
        let who = match (&op.action, &op.by) {
            (Action::Register(instance), _) => Some(instance.clone()),
            (_, Some(by)) => was.instance(by)?,
            (Action::End(departures), None) => {
                departures.first().map(|departure| was.instance(&departure.instance)).transpose()?.flatten()
            }
            _ => None,
        };
        let here = self.session.clone_id()?;
        Ok(who.is_some_and(|who| who.clone != *here))
    }

    /// Does `op` on the state of the commit `tip`, and tells the commit that records it.
    fn again(&mut self, tip: &Oid, op: &Op) -> Result<Oid, Error> {
        let view = self.session.repository.snapshot_at(tip.clone())?;
        let applied = match apply(&view, op)? {
            Ok(applied) => applied,
            // Somebody else's doing has taken its meaning from it.
            Err(_) => return Ok(tip.clone()),
        };
        self.synced.lost.extend(lost(&applied));
        Ok(Transaction::new(&view, op, &applied)?.write(self.session.settings.durability)?.oid)
    }
}

fn lost(applied: &Applied) -> impl Iterator<Item = (InstanceId, Ended)> {
    applied.changes.iter().filter_map(|change| match change {
        Change::PutEnded(id, ended) if ended.rival.is_some() => Some((id.clone(), ended.clone())),
        _ => None,
    })
}
