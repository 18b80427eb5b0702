//! One exchange with the hub, from the lock to what is remembered of it.
//!
//! Killed anywhere, it leaves a local chain that is whole: before the local ref moved, the old one; afterwards one on
//! top of what the hub has. What the hub took and we didn't hear of is recognised by its operation's id next time.

use super::{PATIENCE, Phase, Synced, hub::HubName};
use crate::{
    base::{
        id::{InstanceId, OpId},
        oid::Oid,
        world::Entropy as _,
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
    },
    ops::{Error, Notice, Session},
    store::{Snapshot, Transaction, layout},
};
use std::{
    fs::{File, OpenOptions, TryLockError},
    thread,
    time::{Duration, Instant},
};

/// How often an exchange is tried because others were quicker.
const TRIES: u32 = 32;

/// The longest pause before the second try, doubled with each further one up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(40);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How often the local ref is moved again because a local writer was quicker.
const LOCAL_TRIES: u32 = 16;

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
    pub(super) file: MemoryFile,
    pub(super) memory: Memory,
    deadline: Instant,
    synced: Synced,
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
        for tried in 1..=TRIES {
            self.synced.tries = tried;
            let theirs = self.fetch()?;
            let mut tip = self.settle(theirs.as_ref())?;
            let mut applied = Applied::default();
            if let Some(Request { by, plan }) = &mut request {
                let op = |action| Op { id: id.clone(), at, by: by.cloned(), action };
                let (prepared, outcome) = self.prepare(tip, op, plan)?;
                (tip, applied) = match outcome {
                    Ok(applied) => (prepared, applied),
                    refused => return Ok(refused),
                };
            }
            self.synced.tip.clone_from(&tip);
            if self.push(tip.as_ref(), theirs.as_ref())? {
                // What was written locally meanwhile goes on top.
                let tip = self.settle(tip.as_ref())?;
                self.synced.tip = tip;
                return Ok(Ok(applied));
            }
            if !self.pause(tried) {
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
            Err(error @ Error::NotConfirmed { .. }) => {
                self.memory.failure = Some(Failure { at: now, reason: error.to_string() });
            }
            Err(_) => {}
        }
        let kept = self.file.write(&self.memory).map_err(Error::file("can't remember what the hub has"));
        let outcome = result?;
        kept?;
        Ok((self.synced, outcome))
    }

    /// What the hub has now.
    pub(super) fn fetch(&mut self) -> Result<Option<Oid>, Error> {
        let theirs = self.fetch_untrusted()?;
        self.trust(theirs.as_ref())?;
        Ok(theirs)
    }

    /// What the hub has now, whatever it had before.
    pub(super) fn fetch_untrusted(&mut self) -> Result<Option<Oid>, Error> {
        (self.progress)(Phase::Fetching);
        let refs = self.session.refs();
        let ours = refs.read(layout::STATE).map_err(crate::store::StoreError::from)?;
        let tracking = self.hub.tracking("state");
        let before = refs.read(&tracking).ok().flatten();
        let tips: Vec<Oid> = ours.into_iter().chain(before).collect();
        self.hub.fetch(&tips).map_err(unreached)?;
        self.complete(&tracking)?;
        fault::at(&self.session.env, "sync-fetched");
        Ok(refs.read(&tracking).map_err(crate::store::StoreError::from)?)
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
        let snapshot = repository.snapshot_at(theirs.clone())?;
        snapshot.check_writable()?;
        if self.memory.domain.as_ref().is_some_and(|domain| domain != snapshot.domain()) {
            return Err(Error::not_allowed(
                format!("the store on the hub {} belongs to another project", self.hub.name()),
                "name the right hub with `git config aio.remote`",
            ));
        }
        let Some(base) = &self.memory.base else { return Ok(()) };
        let link = repository.chain_link(theirs)?;
        if link.epoch < base.epoch || link.epoch == base.epoch && link.seq < base.seq {
            return Err(lost("has gone back behind what it had taken"));
        }
        let known = base.oid().filter(|oid| repository.chain_link(oid).is_ok());
        if link.epoch == base.epoch && known.is_some_and(|base| !repository.descends(theirs, &base).unwrap_or(false)) {
            return Err(lost("has another history than the one it had taken"));
        }
        Ok(())
    }

    /// Brings the local chain on top of `theirs`, and tells its tip.
    pub(super) fn settle(&mut self, theirs: Option<&Oid>) -> Result<Option<Oid>, Error> {
        let session = self.session;
        let _turn = session.repository.take_turn();
        for _ in 0..LOCAL_TRIES {
            let refs = session.refs();
            let ours = refs.read(layout::STATE).map_err(crate::store::StoreError::from)?;
            let (Some(theirs), lost) = (theirs, self.synced.lost.len()) else { return Ok(ours) };
            let (tip, received) = match &ours {
                Some(ours) => self.replayed(ours, theirs, self.tip().as_ref())?,
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
    pub(super) fn replayed(&mut self, ours: &Oid, theirs: &Oid, base: Option<&Oid>) -> Result<(Oid, u64), Error> {
        let repository = &self.session.repository;
        let apart = repository.divergence(ours, theirs, base)?;
        if apart.common.as_ref() == Some(theirs) {
            return Ok((ours.clone(), 0));
        }
        let mut tip = theirs.clone();
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
            match replay(&repository.snapshot_at(tip.clone())?, &op, &was)? {
                Replayed::Nothing => {}
                Replayed::Clash(id) => self.session.notice(Notice::Clash(id)),
                Replayed::Op { revive, op } => {
                    if let Some(instance) = revive {
                        let action = Action::Register(*instance);
                        let id = OpId::random(self.session.entropy.bytes());
                        tip = self.again(&tip, &Op { id, action, ..(*op).clone() })?;
                    }
                    tip = self.again(&tip, &op)?;
                }
            }
        }
        Ok((tip, apart.theirs))
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

    /// Offers `tip` to the hub. Whether it was taken.
    fn push(&mut self, tip: Option<&Oid>, theirs: Option<&Oid>) -> Result<bool, Error> {
        let Some(tip) = tip else { return Ok(true) };
        if Some(tip) == theirs {
            self.remember(tip)?;
            return Ok(true);
        }
        let link = self.session.repository.chain_link(tip)?;
        let before = theirs.map(|theirs| self.session.repository.chain_link(theirs)).transpose()?;
        let count = link.seq.saturating_sub(before.map_or(0, |before| before.seq));
        (self.progress)(Phase::Pushing(count));
        fault::at(&self.session.env, "sync-about-to-push");
        let answer = self.offer(tip, None)?;
        fault::at(&self.session.env, "sync-pushed");
        if answer != Answer::Taken {
            return Ok(false);
        }
        self.synced.pushed += count;
        self.memory.pushed = Some(self.session.now());
        self.remember(tip)?;
        Ok(true)
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

    /// Waits a little, each one differently long, so that those who collided don't again. `false` when the time is up.
    fn pause(&mut self, tried: u32) -> bool {
        (self.progress)(Phase::Retrying(tried));
        let most = (FIRST_PAUSE * 2u32.saturating_pow(tried - 1)).min(LONGEST_PAUSE);
        let share = f64::from(u32::from_be_bytes(self.session.random())) / f64::from(u32::MAX);
        let pause = most.mul_f64(share);
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left <= pause {
            return false;
        }
        thread::sleep(pause);
        true
    }
}

fn lost(applied: &Applied) -> impl Iterator<Item = (InstanceId, crate::model::claim::Ended)> {
    applied.changes.iter().filter_map(|change| match change {
        Change::PutEnded(id, ended) if ended.rival.is_some() => Some((id.clone(), ended.clone())),
        _ => None,
    })
}

/// Before anything was pushed: nothing is there that was not.
pub(super) fn unreached(error: HubError) -> Error {
    Error::not_confirmed(error.to_string())
}

/// After a push without an answer.
fn unclear(error: HubError) -> Error {
    Error::NotConfirmed {
        message: format!("{error}; whether it took the push is not known"),
        hint: Some("the next `git aio sync` tells, and nothing is done twice".into()),
    }
}
