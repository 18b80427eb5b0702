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
use std::time::Instant;

/// How often the local ref is moved again because a local writer was quicker.
const LOCAL_TRIES: u32 = 16;

/// What was done again so far: where a local writer was quicker, only what it added is left to do.
pub(in crate::ops::sync) struct Again {
    /// The newest operation that the hub has.
    theirs: Oid,
    /// The operations that were done again on top of that, as they were.
    done: Vec<Oid>,
    /// What came of them.
    tip: Oid,
    /// What was lost by that.
    lost: Vec<(InstanceId, Ended)>,
}

impl Again {
    /// Nothing so far, on top of `theirs`.
    pub(in crate::ops::sync) fn on(theirs: &Oid) -> Self {
        Again { theirs: theirs.clone(), done: Vec::new(), tip: theirs.clone(), lost: Vec::new() }
    }
}

impl Exchange<'_> {
    /// Brings the local chain on top of `theirs`, and tells its tip.
    pub(in crate::ops::sync) fn settle(&mut self, theirs: Option<&Oid>) -> Result<Option<Oid>, Error> {
        let session = self.session;
        let refs = session.refs();
        let read = || refs.read(layout::STATE).map_err(StoreError::from);
        let mut turn = session.repository.take_turn();
        let Some(theirs) = theirs else { return Ok(read()?) };
        let mut again = Again::on(theirs);
        for tried in 1..=LOCAL_TRIES {
            let ours = read()?;
            let (tip, received) = match &ours {
                Some(ours) => self.replayed(ours, self.tip().as_ref(), Whose::Own, &mut again)?,
                None => (theirs.clone(), session.repository.chain_link(theirs)?.seq),
            };
            if Some(&tip) == ours.as_ref() {
                self.remember(theirs)?;
                return Ok(Some(tip));
            }
            fault::at(&session.env, "sync-replayed");
            let adopted = session.repository.adopt(&*refs, ours.as_ref(), &tip, "sync", session.now(), &mut self.ahead);
            match adopted.map_err(Error::from) {
                Ok(doubts) => {
                    doubts.into_iter().for_each(|doubt| session.notice(Notice::Doubtful(doubt)));
                    fault::at(&session.env, "sync-adopted");
                    self.synced.received += received;
                    self.lost_by(again);
                    // Only now: what the local chain doesn't stand on would make what does stand there look confirmed.
                    self.remember(theirs)?;
                    return Ok(Some(tip));
                }
                Err(error) if error.is_moved() && Instant::now() < self.deadline => turn.insist(),
                Err(error) if error.is_moved() => return Err(Error::Contended(tried)),
                Err(error) => return Err(error),
            }
        }
        Err(Error::Contended(LOCAL_TRIES))
    }

    /// The tip of `ours` on top of what the hub has: the very same commits where nothing diverged, else new ones, beyond
    /// those that were made `again` already. And how many operations are new to us. Where the hub's history was cut, it
    /// knows what we have up to `base`.
    pub(in crate::ops::sync) fn replayed(
        &mut self,
        ours: &Oid,
        base: Option<&Oid>,
        whose: Whose,
        again: &mut Again,
    ) -> Result<(Oid, u64), Error> {
        let repository = &self.session.repository;
        let apart = repository.divergence(ours, &again.theirs, base)?;
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
        if apart.common.as_ref() == Some(&again.theirs) && !apart.cut {
            return Ok((ours.clone(), 0));
        }
        if !apart.ours.starts_with(&again.done) {
            *again = Again::on(&again.theirs);
        }
        // Where the hub's history was cut, not all that it knew of ours can be seen: surely what others did, who were
        // the ones to send it there.
        let only_own = whose == Whose::Own && apart.common.is_none();
        for oid in &apart.ours[again.done.len()..] {
            self.replay(oid, only_own, again)?;
            again.done.push(oid.clone());
        }
        Ok((again.tip.clone(), apart.theirs))
    }

    /// Does what the commit `oid` records on top of what was done `again`; what another clone did not, where `only_own`.
    fn replay(&mut self, oid: &Oid, only_own: bool, again: &mut Again) -> Result<(), Error> {
        let repository = &self.session.repository;
        let link = repository.chain_link(oid)?;
        let Some(op) = repository.operation(oid)? else {
            return Err(Error::usage(
                format!("the operation {} is one of a newer git-aio", link.seq),
                "update git-aio",
            ));
        };
        let was = match link.parent {
            Some(parent) => repository.snapshot_at(parent)?,
            None => repository.empty_snapshot(),
        };
        if only_own && self.is_anothers(&op, &was)? {
            return Ok(());
        }
        let left = replay(&repository.snapshot_at(again.tip.clone())?, &op, &was)?;
        if let Replayed::Op { op: told, .. } = &left
            && matches!(told.action, Action::Note(_))
            && let Some(notice) = instead_of(&op.action)
        {
            self.session.notice(notice);
        }
        match left {
            Replayed::Nothing => {}
            Replayed::Clash(id) => self.session.notice(Notice::Clash(id)),
            Replayed::Op { revive, op, lost } => {
                let beside = |action| Op { id: OpId::random(self.session.random()), action, ..(*op).clone() };
                let before = revive.map(|instance| beside(Action::Register(*instance)));
                let told = || Action::Claim { wants: Vec::new(), evict: Vec::new(), lost: lost.clone() };
                let after = (!lost.is_empty()).then(|| beside(told()));
                for op in before.iter().chain([&*op]).chain(&after) {
                    self.apply_to(again, op)?;
                }
            }
        }
        Ok(())
    }

    /// Tells what was lost when operations were done `again`, which has come to something.
    pub(in crate::ops::sync) fn lost_by(&mut self, again: Again) {
        self.synced.lost.extend(again.lost);
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

    /// Does `op` on top of what was done `again`.
    fn apply_to(&mut self, again: &mut Again, op: &Op) -> Result<(), Error> {
        let view = self.session.repository.snapshot_at(again.tip.clone())?;
        // Where it is refused, somebody else's doing has taken its meaning from it.
        let Ok(applied) = apply(&view, op)? else { return Ok(()) };
        match Transaction::new(&view, op, &applied) {
            Err(StoreError::TooLarge { .. }) if can_be_divided(op) => {
                let (first, rest) = divided(op, OpId::random(self.session.random()));
                self.apply_to(again, &first)?;
                self.apply_to(again, &rest)
            }
            transaction => {
                again.lost.extend(lost(&applied));
                again.tip = transaction?.make(&mut self.ahead)?;
                Ok(())
            }
        }
    }
}

/// What to tell where nothing but a note came of it.
fn instead_of(action: &Action) -> Option<Notice> {
    match action {
        Action::NewTask(task) => Some(Notice::TaskTaken(task.id.clone())),
        Action::FinishTask { task, .. } => Some(Notice::TaskNotDone(task.clone())),
        Action::Settle { handoff, .. } => Some(Notice::HandoffNotDone(handoff.clone())),
        _ => None,
    }
}

/// What is lost is told with who has it, and so takes more room than to claim it did.
fn can_be_divided(op: &Op) -> bool {
    matches!(&op.action, Action::Claim { wants, lost, .. } if lost.len() > usize::from(wants.is_empty()))
}

/// A claim with half of what is lost by it, and the other half as an operation of its own, called `id`.
fn divided(op: &Op, id: OpId) -> (Op, Op) {
    let (mut first, mut rest) = (op.clone(), Op { id, ..op.clone() });
    if let (Action::Claim { lost: kept, .. }, Action::Claim { wants, evict, lost }) =
        (&mut first.action, &mut rest.action)
    {
        *lost = kept.split_off(kept.len() / 2);
        (*wants, *evict) = (Vec::new(), Vec::new());
    }
    (first, rest)
}

fn lost(applied: &Applied) -> impl Iterator<Item = (InstanceId, Ended)> {
    applied.changes.iter().filter_map(|change| match change {
        Change::PutEnded(id, ended) if ended.rival.is_some() => Some((id.clone(), ended.clone())),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        host::scratch::Scratch,
        model::instance::{Doing, Instance},
        ops::{Session, sync::hub::HubName},
        store::{FileRefs, WriteStep},
    };
    use std::{fs, time::Duration};

    fn session(repo: &Scratch) -> Session {
        Session::open_other(repo.git.dir(), None).expect("a session")
    }

    fn tip(session: &Session) -> Oid {
        session.refs().read(layout::STATE).expect("read").expect("a store")
    }

    fn works_on(session: &Session, by: &InstanceId, text: &str) -> Oid {
        let task = Some(Doing { text: text.into(), id: None });
        session.perform(Some(by), |_| Ok(Some(Action::SetTask(task.clone())))).expect("done");
        tip(session)
    }

    /// What this clone did twice, and what somebody else did meanwhile: took its instance off the register.
    fn apart(repo: &Scratch) -> ([Oid; 2], Oid) {
        let session = session(repo);
        let me: Instance = session.register_as("claude".parse().expect("a tool"), None, None).expect("registered");
        let before = tip(&session);
        let ours = ["one", "two"].map(|text| works_on(&session, &me.id, text));
        repo.git.run(["update-ref", layout::STATE, before.as_str()]).expect("moved back");
        let departure = crate::ops::cleanup::departure(me.id, &[], true);
        session.perform(None, |_| Ok(Some(Action::End(vec![departure.clone()])))).expect("cleaned up");
        (ours, tip(&session))
    }

    fn with_exchange(session: &Session, test: impl FnOnce(&mut Exchange<'_>)) {
        let name = HubName { remote: "nowhere".into(), place: "nowhere".into() };
        let mut unseen = |_| {};
        test(&mut session.exchange(name, Instant::now() + Duration::from_secs(60), &mut unseen).expect("begun"));
    }

    /// Whoever comes back is registered by an operation of a new name: done anew, it would be another commit.
    #[test]
    fn what_was_done_again_is_not_done_once_more_for_what_a_local_writer_adds() {
        let repo = Scratch::new();
        let ([first, second], theirs) = apart(&repo);
        let session = session(&repo);
        with_exchange(&session, |exchange| {
            let mut again = Again::on(&theirs);
            let mut replayed =
                |ours, again: &mut Again| exchange.replayed(ours, None, Whose::Own, again).expect("replayed").0;
            let one = replayed(&first, &mut again);
            let both = replayed(&second, &mut again);
            assert_eq!(again.done, [first.clone(), second.clone()]);
            assert_eq!(session.repository.chain_link(&both).expect("read").parent, Some(one.clone()));

            // What is no longer there was not done.
            let other = replayed(&first, &mut again);
            assert_eq!(again.done, [first]);
            assert!(other != one && session.repository.descends(&other, &theirs).expect("read"));
        });
    }

    #[test]
    fn what_a_prune_took_before_the_ref_moved_is_written_again() {
        let repo = Scratch::new();
        let ([ours, _], theirs) = apart(&repo);
        let session = session(&repo);
        with_exchange(&session, |exchange| {
            let (tip, _) = exchange.replayed(&ours, None, Whose::Own, &mut Again::on(&theirs)).expect("replayed");
            let object = |oid: &Oid| repo.path(".git/objects").join(&oid.as_str()[..2]).join(&oid.as_str()[2..]);
            let prune = |step| {
                if step == WriteStep::RefLocked {
                    fs::remove_file(object(&tip)).expect("there until now");
                }
            };
            let refs = FileRefs::new(&session.repository, true, prune);
            let now = session.now();
            let adopted = session.repository.adopt(&refs, Some(&theirs), &tip, "sync", now, &mut exchange.ahead);
            assert_eq!(adopted.expect("moved"), [""; 0]);
            assert!(object(&tip).exists());
        });
    }

    #[test]
    fn what_is_done_again_is_written_when_it_is_needed() {
        let repo = Scratch::new();
        let ([ours, _], theirs) = apart(&repo);
        let session = session(&repo);
        with_exchange(&session, |exchange| {
            let (tip, _) = exchange.replayed(&ours, None, Whose::Own, &mut Again::on(&theirs)).expect("replayed");
            let object = repo.path(".git/objects").join(&tip.as_str()[..2]).join(&tip.as_str()[2..]);
            assert!(!object.exists(), "nothing is left behind by a kill");
            exchange.ahead.write().expect("written");
            assert!(object.exists());
        });
    }
}
