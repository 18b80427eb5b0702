//! One exchange with the hub, from the lock to what is remembered of it.
//!
//! Killed anywhere, it leaves a local chain that is whole: before the local ref moved, the old one; afterwards one on
//! top of what the hub has. What the hub took and we didn't hear of is recognised by its operation's id next time.

use super::{PATIENCE, Phase, Synced, hub::HubName};
use crate::{
    base::{
        id::{InstanceId, OpId},
        oid::Oid,
    },
    host::{
        fault,
        hub::{
            Answer, Hub, HubError, Update,
            memory::{Base, Failure, Memory, MemoryFile},
        },
    },
    model::{
        apply::{Applied, Change, Outcome, Refusal, apply},
        op::{Action, Op},
        replay::{Replayed, replay},
        view::View as _,
    },
    ops::{Error, Notice, Session},
    store::{Snapshot, StoreError, Transaction, layout},
};
use std::{
    fs::{File, OpenOptions, TryLockError},
    thread,
    time::{Duration, Instant},
};

/// How often an exchange is tried because others were quicker.
const TRIES: u32 = 32;

/// How often the hub may refuse what we have on top of one and the same state of it: whatever it says, then it isn't
/// others who were quicker.
const STUCK: u32 = 6;

/// How many times as long as a try took the pause before the second one is at most, doubled with each further one up to
/// [`LONGEST_PAUSE`]. Were it shorter than a try takes, those who collide would again: 8 clones needed 4.5 tries for
/// each operation with pauses from 40 ms.
const FIRST_PAUSE: u32 = 2;
const LONGEST_PAUSE: u32 = 8;

/// The part of the time that is left which a pause may take.
const SHARE_OF_PAUSE: u32 = 4;

/// How often the local ref is moved again because a local writer was quicker.
const LOCAL_TRIES: u32 = 16;

/// Whose operations the hub may lack, where its history can't tell.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those of this clone.
    Own,
    /// Also those of others that came to this clone: the hub lost them.
    Anybodys,
}

/// What a command wants the hub to confirm, decided on the state that the hub has.
pub(in crate::ops) struct Request<'p> {
    /// Who wants it.
    pub(in crate::ops) by: Option<&'p InstanceId>,
    /// Decides; `None` when there is nothing to do.
    pub(in crate::ops) plan: &'p mut dyn FnMut(&Snapshot<'_>) -> Result<Option<Action>, Error>,
}

/// An exchange under way. It holds the lock of the clone's syncs.
pub(in crate::ops) struct Exchange<'s> {
    pub(super) session: &'s Session,
    pub(super) hub: Hub,
    file: MemoryFile,
    pub(super) memory: Memory,
    deadline: Instant,
    synced: Synced,
    /// Whether it is being found out what is requested.
    deciding: bool,
    progress: &'s mut dyn FnMut(Phase),
    _lock: File,
}

impl Session {
    /// Begins an exchange with the hub, alone: whoever else wants to waits.
    pub(in crate::ops) fn exchange<'s>(
        &'s self,
        name: HubName,
        deadline: Instant,
        progress: &'s mut dyn FnMut(Phase),
    ) -> Result<Exchange<'s>, Error> {
        let lock = self.sync_lock(deadline.min(Instant::now() + PATIENCE), progress)?;
        let file = self.memory_file(&name);
        Ok(Exchange {
            session: self,
            hub: self.hub(&name, deadline),
            memory: file.read(),
            file,
            deadline,
            synced: Synced::default(),
            deciding: false,
            progress,
            _lock: lock,
        })
    }

    fn sync_lock(&self, until: Instant, progress: &mut dyn FnMut(Phase)) -> Result<File, Error> {
        let failed = |source| Error::File { what: "can't lock the sync of this clone".into(), source };
        let dir = self.repository.common_dir().join("aio");
        std::fs::create_dir_all(&dir).map_err(failed)?;
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join("sync.lock"));
        let file = file.map_err(failed)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                // A file system without locks: the hub decides between us as between clones.
                Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                    return Err(Error::Busy("another sync of this clone is still under way".into()));
                }
                Err(TryLockError::WouldBlock) => {
                    progress(Phase::Waiting);
                    thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }
}

impl Exchange<'_> {
    /// Exchanges until the hub has what we have and we what it has, and what is requested with it.
    pub(in crate::ops) fn run(&mut self, mut request: Option<Request<'_>>) -> Result<Outcome, Error> {
        let id = OpId::random(self.session.random());
        let at = self.session.now();
        let mut stuck = (None, 0);
        for tried in 1..=TRIES {
            self.synced.tries = tried;
            let began = Instant::now();
            let theirs = self.fetch()?;
            let mut tip = self.settle(theirs.as_ref())?;
            let mut applied = Applied::default();
            if let Some(Request { by, plan }) = &mut request {
                let op = |action| Op { id: id.clone(), at, by: by.cloned(), action };
                self.deciding = true;
                let (prepared, outcome) = self.prepare(tip, op, plan)?;
                self.deciding = false;
                (tip, applied) = match outcome {
                    Ok(applied) => (prepared, applied),
                    refused => return Ok(refused),
                };
            }
            self.synced.tip.clone_from(&tip);
            match self.push(tip.as_ref(), theirs.as_ref())? {
                Answer::Taken => {
                    // What was written locally meanwhile goes on top.
                    let tip = self.settle(tip.as_ref())?;
                    self.synced.tip = tip;
                    return Ok(Ok(applied));
                }
                Answer::Refused(why) => {
                    stuck = if stuck.0 == theirs { (theirs, stuck.1 + 1) } else { (theirs, 1) };
                    if stuck.1 >= STUCK {
                        return Err(Error::not_confirmed(format!(
                            "the hub {} does not take the push, though nobody else was quicker: {why}",
                            self.hub.name()
                        )));
                    }
                }
            }
            if !self.pause(tried, began.elapsed()) {
                break;
            }
        }
        Err(Error::not_confirmed(format!(
            "the hub {} was changed by others {} times while this was tried",
            self.hub.name(),
            self.synced.tries
        )))
    }

    /// Remembers what came of it, and lets the next one sync.
    pub(in crate::ops) fn finish(mut self, result: Result<Outcome, Error>) -> Result<(Synced, Outcome), Error> {
        let now = self.session.now();
        match &result {
            Ok(_) => (self.memory.synced, self.memory.failure) = (Some(now), None),
            // What was wanted could not be; of the hub that says nothing.
            Err(_) if self.deciding => {}
            Err(error) => self.memory.failure = Some(Failure { at: now, reason: error.to_string() }),
        }
        fault::at(&self.session.env, "sync-about-to-finish");
        let kept = self.file.write(&self.memory).map_err(Error::file("can't remember what the hub has"));
        let outcome = result?;
        kept?;
        Ok((self.synced, outcome))
    }

    /// What the hub has now.
    pub(super) fn fetch(&mut self) -> Result<Option<Oid>, Error> {
        let theirs = self.fetch_untrusted()?;
        self.trust(theirs.as_ref())?;
        self.look(theirs.as_ref());
        Ok(theirs)
    }

    /// What the hub has now, whatever it had before.
    pub(super) fn fetch_untrusted(&mut self) -> Result<Option<Oid>, Error> {
        (self.progress)(Phase::Fetching);
        let refs = self.session.refs();
        let ours = refs.read(layout::STATE).map_err(StoreError::from)?;
        let tracking = self.hub.tracking("state");
        let before = refs.read(&tracking).ok().flatten();
        let tips: Vec<Oid> = ours.into_iter().chain(before).collect();
        self.hub.fetch(&tips).map_err(unreached)?;
        fault::at(&self.session.env, "sync-fetched");
        Ok(refs.read(&tracking).map_err(StoreError::from)?)
    }

    /// Makes sure that the hub still has all that it took: nothing protects these refs from a forced push.
    pub(super) fn trust(&self, theirs: Option<&Oid>) -> Result<(), Error> {
        let repository = &self.session.repository;
        let lost = |what: &str| Error::NotConfirmed {
            message: format!("the hub {} {what}", self.hub.name()),
            hint: Some(
                "find out who did that and why; `git aio sync --recover` gives the hub what it lost from this clone"
                    .into(),
            ),
        };
        let Some(theirs) = theirs else {
            return if self.memory.base.is_some() { Err(lost("has lost the whole store that it had")) } else { Ok(()) };
        };
        let base = self.memory.base.as_ref().and_then(Base::oid).filter(|oid| repository.chain_link(oid).is_ok());
        let snapshot = repository.snapshot_at(theirs.clone()).map_err(|error| self.unusable(error))?;
        snapshot.check_writable()?;
        if self.is_of_another_project(&snapshot)? {
            return Err(Error::not_allowed(
                format!("the store on the hub {} belongs to another project", self.hub.name()),
                "name the right hub with `git config aio.remote`",
            ));
        }
        let link = repository.chain_link(theirs).map_err(|error| self.unusable(error))?;
        if let Some(known) = &self.memory.base {
            if link.epoch < known.epoch || link.epoch == known.epoch && link.seq < known.seq {
                return Err(lost("has gone back behind what it had taken"));
            }
            let descends = |base: &Oid| repository.descends(theirs, base).unwrap_or(false);
            if link.epoch == known.epoch && base.as_ref().is_some_and(|base| !descends(base)) {
                return Err(lost("has another history than the one it had taken"));
            }
        }
        repository.check_chain(theirs, base.as_ref()).map_err(|error| self.unusable(error))
    }

    /// Whether the hub's store is that of another project than ours. One that has never been synced is of none yet.
    fn is_of_another_project(&self, theirs: &Snapshot<'_>) -> Result<bool, Error> {
        if let Some(domain) = &self.memory.domain {
            return Ok(domain != theirs.domain());
        }
        let ours = self.session.snapshot()?;
        let differs = ours.exists() && ours.domain() != theirs.domain();
        let synced = || MemoryFile::domains(self.session.repository.common_dir());
        Ok(differs && synced().iter().any(|domain| domain == ours.domain()))
    }

    /// What is wrong with what the hub has. Nothing of it has been taken over.
    fn unusable(&self, error: StoreError) -> Error {
        match error {
            StoreError::Tip(reason) => Error::NotConfirmed {
                message: format!("the hub {} has what is no store of git-aio's: {reason}", self.hub.name()),
                hint: Some("find out who pushed that and why; nothing of it was taken over".into()),
            },
            StoreError::Damaged { path, reason } => Error::NotConfirmed {
                message: format!("the store on the hub {} is damaged: {path}: {reason}", self.hub.name()),
                hint: Some("find out who pushed that and why; nothing of it was taken over".into()),
            },
            error => error.into(),
        }
    }

    /// Brings the local chain on top of `theirs`, and tells its tip.
    pub(super) fn settle(&mut self, theirs: Option<&Oid>) -> Result<Option<Oid>, Error> {
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
                return Ok(Some(tip));
            }
            fault::at(&session.env, "sync-replayed");
            let adopted = session.repository.adopt(&*refs, ours.as_ref(), &tip, "sync", session.now());
            match adopted.map_err(Error::from) {
                Ok(swapped) => {
                    swapped.doubt.into_iter().for_each(|doubt| session.notice(Notice::Doubtful(doubt)));
                    fault::at(&session.env, "sync-adopted");
                    self.synced.received += received;
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
    pub(super) fn replayed(
        &mut self,
        ours: &Oid,
        theirs: &Oid,
        base: Option<&Oid>,
        whose: Whose,
    ) -> Result<(Oid, u64), Error> {
        let repository = &self.session.repository;
        let apart = repository.divergence(ours, theirs, base)?;
        if apart.common.as_ref() == Some(theirs) {
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

    /// Decides what is requested on the state of `tip`, and writes it without moving the local ref: what the hub
    /// doesn't take has never been.
    fn prepare(
        &self,
        tip: Option<Oid>,
        op: impl FnOnce(Action) -> Op,
        plan: &mut dyn FnMut(&Snapshot<'_>) -> Result<Option<Action>, Error>,
    ) -> Result<(Option<Oid>, Outcome), Error> {
        let session = self.session;
        let view = match &tip {
            Some(tip) => session.repository.snapshot_at(tip.clone())?,
            None => session.repository.empty_snapshot(),
        };
        let Some(action) = plan(&view)? else { return Ok((tip, Ok(Applied::default()))) };
        let op = op(action);
        let applied = match apply(&view, &op)? {
            Ok(applied) => applied,
            Err(Refusal::Held(conflicts)) => return Err(session.held(conflicts, &view)),
            refused => return Ok((tip, refused)),
        };
        if applied.changes.is_empty() && !op.action.is_for_the_log() {
            return Ok((tip, Ok(applied)));
        }
        let written = Transaction::new(&view, &op, &applied)?.write(session.settings.durability)?;
        Ok((Some(written.oid), Ok(applied)))
    }

    /// Offers `tip` to the hub.
    fn push(&mut self, tip: Option<&Oid>, theirs: Option<&Oid>) -> Result<Answer, Error> {
        let Some(tip) = tip else { return Ok(Answer::Taken) };
        if Some(tip) == theirs {
            self.remember(tip)?;
            self.tell_presence(tip);
            return Ok(Answer::Taken);
        }
        let link = self.session.repository.chain_link(tip)?;
        let before = theirs.map(|theirs| self.session.repository.chain_link(theirs)).transpose()?;
        let count = link.seq.saturating_sub(before.map_or(0, |before| before.seq));
        (self.progress)(Phase::Pushing(count));
        fault::at(&self.session.env, "sync-about-to-push");
        let state = Update { new: Some(tip.clone()), name: self.hub.shared("state"), lease: None };
        let answer = self.push_with_presence(state, tip).map_err(unclear)?;
        fault::at(&self.session.env, "sync-pushed");
        if answer == Answer::Taken {
            self.synced.pushed += count;
            self.memory.pushed = Some(self.session.now());
            self.remember(tip)?;
        }
        Ok(answer)
    }

    pub(super) fn remember(&mut self, tip: &Oid) -> Result<(), Error> {
        let link = self.session.repository.chain_link(tip)?;
        let base = Base { oid: tip.to_string(), seq: link.seq, epoch: link.epoch };
        if self.memory.domain.is_none() {
            self.memory.domain = Some(self.session.repository.snapshot_at(tip.clone())?.domain().to_owned());
        }
        if self.memory.base.as_ref() != Some(&base) {
            self.memory.base = Some(base);
            self.file.write(&self.memory).map_err(Error::file("can't remember what the hub has"))?;
        }
        fault::at(&self.session.env, "sync-remembered");
        Ok(())
    }

    /// Offers a commit to the hub; with a lease it need not be ahead of what is there.
    pub(super) fn offer(&self, tip: &Oid, lease: Option<Option<Oid>>) -> Result<Answer, Error> {
        let update = Update { new: Some(tip.clone()), name: self.hub.shared("state"), lease };
        let answers = self.hub.push(&[update]).map_err(unclear)?;
        Ok(answers.into_iter().next().unwrap_or_else(|| Answer::Refused("no answer".into())))
    }

    /// The newest operation that is here and on the hub.
    pub(super) fn tip(&self) -> Option<Oid> {
        self.memory.base.as_ref().and_then(Base::oid)
    }

    /// The highest number that the hub is known to have given out.
    pub(super) fn highest(&self) -> u64 {
        self.memory.base.as_ref().map_or(0, |base| base.seq)
    }

    /// Waits a little after a try that `took` so long, each one differently, so that those who collided don't again.
    /// `false` when the time is up.
    fn pause(&mut self, tried: u32, took: Duration) -> bool {
        (self.progress)(Phase::Retrying(tried));
        let left = self.deadline.saturating_duration_since(Instant::now());
        let times = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(tried - 1)).min(LONGEST_PAUSE);
        let most = (took * times).min(left / SHARE_OF_PAUSE);
        let share = f64::from(u32::from_be_bytes(self.session.random())) / f64::from(u32::MAX);
        thread::sleep(most.mul_f64(share));
        !left.is_zero()
    }
}

fn lost(applied: &Applied) -> impl Iterator<Item = (InstanceId, crate::model::claim::Ended)> {
    applied.changes.iter().filter_map(|change| match change {
        Change::PutEnded(id, ended) if ended.rival.is_some() => Some((id.clone(), ended.clone())),
        _ => None,
    })
}

/// Before anything was pushed: nothing is there that was not.
fn unreached(error: HubError) -> Error {
    Error::not_confirmed(error.to_string())
}

/// After a push without an answer.
fn unclear(error: HubError) -> Error {
    Error::Unanswered(error.to_string())
}
