//! Beginning a new epoch: to let go of a long history, or to go on after the hub lost what it had taken.

use super::{
    Phase, Synced,
    exchange::{Again, Distrust, Exchange, Whose},
};
use crate::{
    base::{
        id::{CloneId, InstanceId, OpId},
        oid::Oid,
    },
    host::{
        fault,
        hub::{Answer, memory::MemoryFile},
    },
    model::{
        apply::{Change, Outcome},
        op::{Action, Op},
        task,
    },
    ops::{Error, Notice, Session},
    store::{Ahead, Extent, GivenOut, Snapshot, StoreError, Transaction, layout},
};
use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

/// How often the local ref is moved again because a local writer was quicker.
const TRIES: u32 = 16;

/// How many numbers a recovery leaves out: the hub may have given them to operations that it lost and that are not
/// known here.
const LEFT_OUT: u64 = 1000;

/// The same of epochs: the hub may have been cut since this clone last looked.
const EPOCHS_LEFT_OUT: u64 = 10;

/// Of how many clones a cut names the last operation.
const MOST_CLONES: usize = 4096;

/// What a compaction came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compacted {
    /// How many commits were let go of.
    pub let_go: u64,
    /// The epoch that began.
    pub epoch: u64,
    /// The commit that begins it.
    pub tip: Oid,
}

impl Session {
    /// Begins a new epoch: the state stays, but for tasks that were done long ago, and the history before it is let go of,
    /// here and on the hub.
    ///
    /// # Errors
    /// [`Error::NotConfirmed`] when the hub doesn't allow it, and nothing has changed; [`Error::NotFound`] where there
    /// is no store.
    pub fn compact(&self, progress: &mut dyn FnMut(Phase)) -> Result<Compacted, Error> {
        if !self.snapshot()?.exists() {
            return Err(Error::not_found("there is no store here", "a first claim begins one"));
        }
        let Some(name) = self.hub_name() else { return self.compact_here() };
        let deadline = Instant::now() + self.settings.sync_timeout;
        let mut exchange = self.exchange(name, deadline, progress)?;
        let mut compacted = None;
        let result = exchange.run(None).and_then(|outcome| {
            compacted = Some(exchange.cut()?);
            Ok(outcome)
        });
        exchange.finish(result).map(drop)?;
        compacted.ok_or_else(|| Error::not_found("there is no store here", "a first claim begins one"))
    }

    fn compact_here(&self) -> Result<Compacted, Error> {
        let synced = MemoryFile::domains(self.repository.common_dir());
        let snapshot = self.snapshot()?;
        if synced.iter().any(|domain| domain == snapshot.domain()) {
            return Err(Error::usage(
                "this store was synced with a hub, and none is named now: the hub would not know the shorter history",
                "name it with `git config aio.remote <remote>`; to leave it for good, remove the folder `aio/hub` in the \
                 git directory",
            ));
        }
        let mut turn = self.repository.take_turn();
        let mut ahead = Ahead::new(&self.repository, self.settings.durability);
        for _ in 0..TRIES {
            let snapshot = self.snapshot()?;
            let Some(tip) = snapshot.oid().cloned() else { continue };
            let compact = Action::Compact { last: self.last_of_clones(&tip)? };
            let (written, let_go) = self.write_epoch(&tip, compact, false, GivenOut::default(), &mut ahead)?;
            let adopted = self.repository.adopt(&*self.refs(), Some(&tip), &written, "compact", self.now(), &mut ahead);
            match adopted.map_err(Error::from) {
                Ok(doubts) => {
                    doubts.into_iter().for_each(|doubt| self.notice(Notice::Doubtful(doubt)));
                    return Ok(Compacted { let_go, epoch: self.repository.chain_link(&written)?.epoch, tip: written });
                }
                Err(error) if error.is_moved() => turn.insist(),
                Err(error) => return Err(error),
            }
        }
        Err(Error::Contended(TRIES))
    }

    /// Gives the hub what it lost of what it had taken, and begins an epoch, so that every other clone goes on from
    /// there: what the hub held and this clone doesn't have is pending again where it was done.
    ///
    /// # Errors
    /// When a person is asked to do so: inside an agent it is not allowed. And as for [`sync`](Self::sync).
    pub fn recover(&self, remote: Option<&str>, progress: &mut dyn FnMut(Phase)) -> Result<Synced, Error> {
        let who = self.who(&self.snapshot()?)?;
        if self.is_inside_agent(&who) {
            return Err(Error::not_allowed(
                "an agent may not decide that the hub has lost something",
                "leave `git aio sync --recover` to a person, who can find out what happened to the hub",
            ));
        }
        let deadline = Instant::now() + self.settings.sync_timeout;
        let mut exchange = self.exchange(self.hub_named(remote)?, deadline, progress)?;
        let result = exchange.recover();
        exchange.finish(result).map(|(synced, _)| synced)
    }

    /// The last operation of each clone up to the commit `tip`, the newest first. A clone that was killed before it heard
    /// that the hub had taken its push finds its own there.
    fn last_of_clones(&self, tip: &Oid) -> Result<Vec<(CloneId, OpId)>, Error> {
        let mut clone_of: HashMap<InstanceId, CloneId> = HashMap::new();
        let (mut done, mut before, mut first) = (Vec::new(), Vec::new(), tip.clone());
        for entry in self.repository.log(tip) {
            let entry = entry?;
            first = entry.oid;
            let Some(op) = entry.op else { continue };
            match op.action {
                Action::Register(instance) => drop(clone_of.insert(instance.id, instance.clone)),
                // Only the first can be one.
                Action::Compact { last } => before = last,
                _ => {}
            }
            done.extend(op.by.map(|by| (by, op.id)));
        }
        // Those who were there already when the history begins.
        let registered = self.repository.snapshot_at(first)?.instances(Extent::All, |_| true)?.records;
        clone_of.extend(registered.into_iter().map(|instance| (instance.id, instance.clone)));
        let done = done.into_iter().filter_map(|(by, op)| Some((clone_of.get(&by)?.clone(), op)));
        let mut seen = HashSet::new();
        let last = done.chain(before).filter(|(clone, _)| seen.insert(clone.clone()));
        Ok(last.take(MOST_CLONES).collect())
    }

    /// The tasks that were done long ago, as what is let go of.
    fn forgotten_tasks(&self, snapshot: &Snapshot<'_>) -> Result<Vec<Change>, Error> {
        let tasks = snapshot.tasks(Extent::All, |_| true)?.records;
        Ok(task::forgotten(&tasks, self.now()).into_iter().map(|task| Change::DropTask(task.id.clone())).collect())
    }

    /// The first commit of a new epoch with the state of `tip`, numbered above what was `given_out`. It is made, and no
    /// ref is moved. And how many commits were before it.
    fn write_epoch<'s>(
        &'s self,
        tip: &Oid,
        action: Action,
        keeps_history: bool,
        given_out: GivenOut,
        ahead: &mut Ahead<'s>,
    ) -> Result<(Oid, u64), Error> {
        let snapshot = self.repository.snapshot_at(tip.clone())?;
        let let_go = if keeps_history { Vec::new() } else { self.forgotten_tasks(&snapshot)? };
        let op = Op { id: OpId::random(self.random()), at: self.now(), by: None, action };
        let written = Transaction::new_epoch(&snapshot, &op, keeps_history, given_out, &let_go)?.make(ahead)?;
        let length = if keeps_history { 0 } else { snapshot.chain()?.length };
        Ok((written, length))
    }
}

impl Exchange<'_> {
    /// Cuts the history of the hub, which has just been synced with: the one push that doesn't only go forward.
    fn cut(&mut self) -> Result<Compacted, Error> {
        let Some(tip) = self.tip() else {
            return Err(Error::not_found("there is no store on the hub", "a first claim begins one"));
        };
        let compact = Action::Compact { last: self.session.last_of_clones(&tip)? };
        let (written, let_go) = self.session.write_epoch(&tip, compact, false, GivenOut::default(), &mut self.ahead)?;
        fault::at(&self.session.env, "sync-about-to-cut");
        match self.offer(&written, Some(Some(tip)))? {
            Answer::Taken => {}
            Answer::Refused(reason) => {
                return Err(Error::NotConfirmed {
                    message: format!("the hub did not take the shorter history: {reason}"),
                    hint: Some(
                        "nothing has changed; if it forbids to move refs anywhere but forward, leave it long".into(),
                    ),
                });
            }
        }
        fault::at(&self.session.env, "sync-cut");
        self.settle(Some(&written))?;
        Ok(Compacted { let_go, epoch: self.session.repository.chain_link(&written)?.epoch, tip: written })
    }

    fn recover(&mut self) -> Result<Outcome, Error> {
        let session = self.session;
        let theirs = self.fetch_untrusted()?;
        // Whatever else is wrong is not mended by giving it what we have, least of all to another project.
        let lease = match self.trust(theirs.as_ref()) {
            Ok(()) => return self.run(None),
            Err(Distrust::Lost(_)) => None,
            // What stands in the place of the store is none: it has to go, if it is still that.
            Err(Distrust::NoStore(_)) if self.memory.base.is_some() => Some(theirs.clone()),
            Err(distrust) => return Err(distrust.into()),
        };
        let theirs = theirs.filter(|_| lease.is_none());
        let refs = session.refs();
        let ours = refs.read(layout::STATE).map_err(StoreError::from)?;
        // All that this clone knows, on top of what is left there.
        let tip = match (&ours, &theirs) {
            (Some(ours), Some(theirs)) => {
                let mut again = Again::on(theirs);
                let (tip, _) = self.replayed(ours, None, Whose::Anybodys, &mut again)?;
                self.lost_by(again);
                tip
            }
            (Some(tip), None) | (None, Some(tip)) => tip.clone(),
            (None, None) => {
                return Err(Error::not_found("neither this clone nor the hub has a store", "a first claim begins one"));
            }
        };
        // Also what the hub gave out and then lost: some clone may know it.
        let known =
            ours.iter().chain(&theirs).map(|tip| session.repository.chain_link(tip)).collect::<Result<Vec<_>, _>>()?;
        let numbers = known.iter().map(|link| (link.seq, link.epoch));
        let numbers = numbers.chain(self.memory.base.iter().map(|base| (base.seq, base.epoch)));
        let given_out = numbers.fold(GivenOut::default(), |highest, (seq, epoch)| GivenOut {
            seq: highest.seq.max(seq + LEFT_OUT),
            epoch: highest.epoch.max(epoch + EPOCHS_LEFT_OUT),
        });
        let (written, _) = session.write_epoch(&tip, Action::Recover, true, given_out, &mut self.ahead)?;
        fault::at(&session.env, "sync-about-to-recover");
        match self.offer(&written, lease)? {
            Answer::Taken => {}
            Answer::Refused(reason) => {
                return Err(Error::not_confirmed(format!("the hub did not take what it had lost: {reason}")));
            }
        }
        self.settle(Some(&written))?;
        Ok(Ok(Default::default()))
    }
}
