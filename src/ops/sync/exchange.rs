//! One exchange with the hub, from the lock to what is remembered of it.
//!
//! Killed anywhere, it leaves a local chain that is whole: before the local ref moved, the old one; afterwards one on
//! top of what the hub has. What the hub took and we didn't hear of is recognised by its operation's id next time.

mod settle;
mod trust;

pub(super) use settle::Again;
pub(super) use trust::Distrust;

use super::{PATIENCE, Phase, Synced, hub::HubName, runs::Unsent};
use crate::{
    base::{
        id::{InstanceId, OpId},
        oid::Oid,
    },
    host::{
        fault,
        hub::{
            Answer, Glance, Hub, HubError, Update,
            memory::{Base, Failure, Memory, MemoryFile},
        },
    },
    model::{
        apply::{Applied, Outcome, Refusal, apply},
        op::{Action, Op},
    },
    ops::{Error, Notice, Session, SyncRuns},
    store::{Ahead, Snapshot, StoreError, Transaction, layout},
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
    pub(super) name: HubName,
    pub(super) hub: Hub,
    pub(super) file: MemoryFile,
    pub(super) memory: Memory,
    /// What was made and is not yet part of the local chain.
    pub(super) ahead: Ahead<'s>,
    deadline: Instant,
    pub(super) synced: Synced,
    /// Whether it is being found out what is requested.
    pub(super) deciding: bool,
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
            name,
            memory: file.read(),
            file,
            ahead: Ahead::new(&self.repository, self.settings.durability),
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
        let mut offered: Option<(Oid, Applied)> = None;
        for tried in 1..=TRIES {
            self.synced.tries = tried;
            let began = Instant::now();
            let theirs = self.fetch()?;
            let mut tip = self.settle(theirs.as_ref())?;
            // Whoever waits for an answer doesn't wait for runs.
            let runs = if request.is_none() { self.exchange_runs() } else { Vec::new() };
            // What was refused may have been taken all the same, and somebody else have come on top of it since.
            if let (Some((offered, applied)), Some(theirs)) = (&offered, &theirs)
                && self.session.repository.descends(theirs, offered)?
            {
                self.synced.tip.clone_from(&tip);
                return Ok(Ok(applied.clone()));
            }
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
            let Some(tip) = tip else { return Ok(Ok(applied)) };
            if Some(&tip) == theirs.as_ref() {
                self.tell_beside(&tip, &runs);
                return Ok(Ok(applied));
            }
            match self.push(&tip, theirs.as_ref(), &runs)? {
                Answer::Taken => {
                    // What was written locally meanwhile goes on top. If that fails, it has happened nonetheless.
                    match self.settle(Some(&tip)) {
                        Ok(tip) => self.synced.tip = tip,
                        Err(error) => self.session.notice(Notice::Doubtful(format!(
                            "the hub has it, and this clone will with its next sync: {error}"
                        ))),
                    }
                    return Ok(Ok(applied));
                }
                Answer::Refused(why) => {
                    offered = Some((tip, applied));
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
        if result.is_ok() {
            self.forget_the_gone();
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
        let tracking = self.hub.tracking("state");
        if let Some(state) = self.known_all() {
            self.complete(&tracking)?;
            return Ok(state);
        }
        let ours = refs.read(layout::STATE).map_err(StoreError::from)?;
        let before = refs.read(&tracking).ok().flatten();
        let tips: Vec<Oid> = ours.into_iter().chain(before).chain(self.tips_of_runs()).collect();
        self.hub.fetch(&tips).map_err(|error| self.session.locked_or(&self.name.place, unreached(error)))?;
        self.complete(&tracking)?;
        fault::at(&self.session.env, "sync-fetched");
        Ok(refs.read(&tracking).map_err(StoreError::from)?)
    }

    /// What a hub on this machine has, where a fetch would bring nothing new: all of its refs are as they were when last
    /// fetched, or as we pushed them since.
    fn known_all(&self) -> Option<Option<Oid>> {
        let repository = &self.session.repository;
        let Glance { state, presences, runs } = self.hub.glance()?;
        let refs = self.session.refs();
        let fetched = refs.read(&self.hub.tracking("state")).ok()?;
        // What presence there is of this clone it will want to tell anew.
        let is_known = fetched == state || state.is_some() && state == self.tip();
        let is_here = state.as_ref().is_none_or(|state| repository.has(state));
        let folders = ["presence/", "runs/", "local/runs/"].map(|folder| self.hub.tracking(folder));
        let folders = folders.each_ref().map(String::as_str);
        let wanted = if self.session.settings.sync_runs == SyncRuns::Full { &folders[..] } else { &folders[..2] };
        let tracked = refs.listed(wanted).ok()?;
        let there = presences.into_iter().chain(runs).collect();
        (is_known && is_here && tracked == there).then_some(state)
    }

    /// Decides what is requested on the state of `tip`, and writes it without moving the local ref: what the hub
    /// doesn't take has never been.
    fn prepare(
        &mut self,
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
        let written = Transaction::new(&view, &op, &applied)?.make(&mut self.ahead)?;
        Ok((Some(written), Ok(applied)))
    }

    /// Offers `tip` to the hub, and these runs with it.
    fn push(&mut self, tip: &Oid, theirs: Option<&Oid>, runs: &[Unsent]) -> Result<Answer, Error> {
        let link = self.session.repository.chain_link(tip)?;
        let before = theirs.map(|theirs| self.session.repository.chain_link(theirs)).transpose()?;
        let count = link.seq.saturating_sub(before.map_or(0, |before| before.seq));
        (self.progress)(Phase::Pushing(count));
        self.ahead.write()?;
        fault::at(&self.session.env, "sync-about-to-push");
        let state = Update { new: Some(tip.clone()), name: self.hub.shared("state"), lease: None };
        let answer = self.push_with_others(state, tip, runs).map_err(unclear)?;
        fault::at(&self.session.env, "sync-pushed");
        if answer == Answer::Taken {
            self.synced.pushed += count;
            self.memory.pushed = Some(self.session.now());
        }
        Ok(answer)
    }

    pub(super) fn remember(&mut self, tip: &Oid) -> Result<(), Error> {
        let link = self.session.repository.chain_link(tip)?;
        let base = Base { oid: tip.to_string(), seq: link.seq, epoch: link.epoch };
        self.memory.prefix = Some(self.hub.prefix().to_owned());
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
    pub(super) fn offer(&mut self, tip: &Oid, lease: Option<Option<Oid>>) -> Result<Answer, Error> {
        self.ahead.write()?;
        let update = Update { new: Some(tip.clone()), name: self.hub.shared("state"), lease };
        let answers = self.hub.push(&[update]).map_err(unclear)?;
        Ok(answers.into_iter().next().unwrap_or_else(|| Answer::Refused("no answer".into())))
    }

    /// The newest operation that is here and on the hub.
    pub(super) fn tip(&self) -> Option<Oid> {
        self.memory.base.as_ref().and_then(Base::oid)
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

/// Before anything was pushed: nothing is there that was not.
pub(super) fn unreached(error: HubError) -> Error {
    Error::not_confirmed(error.to_string())
}

/// After a push without an answer.
pub(super) fn unclear(error: HubError) -> Error {
    Error::Unanswered(error.to_string())
}
