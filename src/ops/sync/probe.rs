//! Finding out what the host of the hub allows, by trying it on refs of no other use.
//!
//! A host may take some refs only, or forbid to move them elsewhere or to delete them; and whether it decides between
//! two who push at once, on which all rests, shows only when two do.

use super::exchange::Exchange;
use crate::{
    base::{id::ClaimId, oid::Oid},
    host::{
        git::Git,
        hub::{Answer, HubError, Update, memory::Probe},
    },
    ops::{Error, Session},
};
use std::time::Instant;

/// What became of one thing that was tried; `None` if it was not, since something before it failed.
pub(in crate::ops) type Tried = Option<Result<(), String>>;

/// What a host allows.
#[derive(Debug, Default)]
pub(in crate::ops) struct Trial {
    /// The hub, by name.
    pub(in crate::ops) hub: String,
    /// The refs on which it was tried.
    pub(in crate::ops) refs: Vec<String>,
    /// Whether refs can be created.
    pub(in crate::ops) create: Tried,
    /// Whether they can be moved forward.
    pub(in crate::ops) update: Tried,
    /// Whether who was overtaken is refused.
    pub(in crate::ops) refuses_stale: Tried,
    /// Whether they can be moved elsewhere with a lease.
    pub(in crate::ops) lease: Tried,
    /// Whether they can be deleted.
    pub(in crate::ops) delete: Tried,
    /// Why the hub gave no answer, if it didn't.
    pub(in crate::ops) silence: Option<String>,
}

/// The commits that refs are moved to. They are the same ones in every probe.
struct Commits {
    first: Oid,
    /// One that follows it.
    next: Oid,
    /// Two that follow that one, and exclude each other.
    rivals: [Oid; 2],
    /// One that follows none.
    other: Oid,
}

impl Session {
    /// Tries what the host of the hub allows, and remembers it.
    ///
    /// # Errors
    /// When no hub is named, or nothing can be written here. That the hub doesn't answer is part of the trial.
    pub(in crate::ops) fn try_host(&self, remote: Option<&str>) -> Result<Trial, Error> {
        let name = self.hub_named(remote)?;
        let commits = Commits::make(&self.bare_git())?;
        // Eight questions, each of which may take as long as a sync's.
        let deadline = Instant::now() + self.settings.sync_timeout * 4;
        let mut unseen = |_| {};
        let mut exchange = self.exchange(name, deadline, &mut unseen)?;
        let mut trial = Trial { hub: exchange.hub.name(), ..Trial::default() };
        if let Err(error) = exchange.try_all(&commits, &mut trial) {
            trial.silence = Some(error.to_string());
            return Ok(trial);
        }
        let allowed = |tried: &Tried| matches!(tried, Some(Ok(())));
        exchange.memory.probe = Some(Probe {
            at: self.now(),
            prefix: self.settings.ref_prefix.clone(),
            create: allowed(&trial.create),
            update: allowed(&trial.update),
            refuses_stale: allowed(&trial.refuses_stale),
            lease: allowed(&trial.lease),
            delete: allowed(&trial.delete),
        });
        exchange.file.write(&exchange.memory).map_err(Error::file("can't remember what the host allows"))?;
        Ok(trial)
    }
}

impl Exchange<'_> {
    fn try_all(&self, commits: &Commits, trial: &mut Trial) -> Result<(), HubError> {
        let name = format!("probe-{}", ClaimId::random(self.session.random()));
        let refs = [self.hub.shared(&name), self.hub.presence(&name)];
        trial.refs = refs.to_vec();
        let mut made: Vec<&String> = Vec::new();
        trial.create = Some(Ok(()));
        for name in &refs {
            match self.ask(name, Some(&commits.first), None)? {
                Ok(()) => made.push(name),
                refused => trial.create = Some(refused),
            }
        }
        let tried = if made.len() == refs.len() { self.try_moves(commits, &refs, trial) } else { Ok(()) };
        // Whatever happened meanwhile, nothing is to be left there.
        for name in made {
            let deleted = self.ask(name, None, None)?;
            trial.delete = Some(trial.delete.take().unwrap_or(Ok(())).and(deleted));
        }
        tried
    }

    fn try_moves(&self, commits: &Commits, refs: &[String; 2], trial: &mut Trial) -> Result<(), HubError> {
        let [state, presence] = refs;
        let (next, [early, late]) = (&commits.next, &commits.rivals);
        let updated = self.ask(state, Some(next), None)?;
        let is_next = updated.is_ok();
        trial.update = Some(updated);
        let mut now = if is_next { next } else { &commits.first };
        if is_next {
            let scratch = tempfile::tempdir()?;
            let overtaken = Update { new: Some(late.clone()), name: state.clone(), lease: None };
            let answer = self.hub.push_overtaken(&overtaken, early, scratch.path())?;
            let taken = answer == Answer::Taken;
            let wrong = || Err(format!("{state}: it was moved over what another had just pushed"));
            trial.refuses_stale = Some(if taken { wrong() } else { Ok(()) });
            now = if taken { late } else { early };
        }
        let moved = self.ask(state, Some(&commits.other), Some(now))?;
        let moved_too = self.ask(presence, Some(&commits.other), Some(&commits.first))?;
        trial.lease = Some(moved.and(moved_too));
        Ok(())
    }

    /// Asks for one update; where it is refused, the words are those of the host.
    fn ask(&self, name: &str, new: Option<&Oid>, lease: Option<&Oid>) -> Result<Result<(), String>, HubError> {
        let update =
            Update { new: new.cloned(), name: name.into(), lease: lease.map(|expected| Some(expected.clone())) };
        let answer = self.hub.push(&[update])?.into_iter().next();
        Ok(match answer {
            Some(Answer::Refused(words)) => Err(format!("{name}: {words}")),
            Some(Answer::Taken) | None => Ok(()),
        })
    }
}

impl Commits {
    fn make(git: &Git) -> Result<Commits, Error> {
        let git = ["AUTHOR", "COMMITTER"].iter().fold(git.clone(), |git, role| {
            git.with(format!("GIT_{role}_NAME"), "git-aio")
                .with(format!("GIT_{role}_EMAIL"), "git-aio@localhost")
                .with(format!("GIT_{role}_DATE"), "@0 +0000")
        });
        let line = |out: Vec<u8>| String::from_utf8_lossy(&out).trim().to_owned();
        let tree = line(git.run(["mktree"])?);
        let commit = |words: &str, parent: Option<&Oid>| -> Result<Oid, Error> {
            let message = format!("probe of git-aio: {words}");
            let parent = parent.map(|parent| ["-p", parent.as_str()]);
            let args = ["commit-tree", "-m", &message, &tree].into_iter().chain(parent.into_iter().flatten());
            line(git.run(args)?).parse().map_err(|_| Error::usage("git made no commit", "`git fsck` may say more"))
        };
        let first = commit("first", None)?;
        let next = commit("next", Some(&first))?;
        let rivals = [commit("early", Some(&next))?, commit("late", Some(&next))?];
        Ok(Commits { other: commit("other", None)?, first, next, rivals })
    }
}
