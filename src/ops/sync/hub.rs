//! Which hub there is, and what it has confirmed.

use crate::{
    base::{id::InstanceId, oid::Oid, world::Time},
    host::hub::{
        Hub,
        memory::{Base, Memory, MemoryFile},
        without_secrets,
    },
    model::{
        claim::{Claim, Ended, Holder},
        view::View,
    },
    ops::{Error, Session, SyncRuns},
    store::{Durability, Snapshot},
};
use std::{path::PathBuf, time::Instant};

/// Whether a claim is sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is: the hub has it, or there is no hub to ask.
    Confirmed,
    /// It was granted in this clone and the hub has not been asked: another clone may turn out to have been first.
    Tentative,
}

/// The hub as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ops) struct HubName {
    /// What git is told: the name of a remote, or a URL.
    pub(in crate::ops) remote: String,
    /// The folder of its tracking refs below `refs/aio-sync`, and the name of what is remembered of it.
    pub(in crate::ops) place: String,
}

/// What this clone knows of what the hub has.
pub(in crate::ops) struct Confirmed {
    /// The number of the newest operation that is known to be there.
    through: u64,
}

/// What is known here of the hub, without asking it.
#[derive(Debug, Clone)]
pub struct HubState {
    /// The hub by name, without secrets.
    pub remote: String,
    /// How many operations of this clone it is not known to have.
    pub pending: u64,
    /// How many claims of this clone were lost to others and are not settled.
    pub lost: u64,
    /// When it was last asked with success.
    pub synced: Option<Time>,
    /// The last failure and when that was, unless a success followed.
    pub failure: Option<(Time, String)>,
}

impl Session {
    /// Whether a hub is named.
    pub fn has_hub(&self) -> bool {
        self.hub_name().is_some()
    }

    /// What is known of the hub here; `None` where there is none.
    pub(in crate::ops) fn hub_state(&self, snapshot: &Snapshot<'_>) -> Result<Option<HubState>, Error> {
        let Some(name) = self.hub_name() else { return Ok(None) };
        let memory = self.memory_file(&name).read();
        let mut lost = self.lost_to_others(snapshot)?;
        lost.retain(|(loser, _)| self.works_here(loser, snapshot).unwrap_or(true));
        Ok(Some(HubState {
            remote: without_secrets(self.settings.remote.as_deref().unwrap_or(&name.remote)),
            pending: snapshot.seq().saturating_sub(self.confirmed_through(&name, &memory, snapshot)),
            lost: lost.len() as u64,
            synced: memory.synced,
            failure: memory.failure.map(|failure| (failure.at, failure.reason)),
        }))
    }

    /// The claims that were lost to another clone and are not settled, with who lost them, in the order of their loss.
    pub(in crate::ops) fn lost_to_others(&self, snapshot: &Snapshot<'_>) -> Result<Vec<(InstanceId, Ended)>, Error> {
        if !snapshot.has_ended()? {
            return Ok(Vec::new());
        }
        let mut lost = snapshot.all_losses()?.records;
        lost.retain(|(_, ended)| ended.rival.is_some());
        lost.sort_by_cached_key(|(loser, ended)| (loser.clone(), ended.at, ended.claim.scope.target()));
        Ok(lost)
    }

    /// The last sign of life of the one to whom a claim was lost, where one is known that is later than its claim.
    pub fn rival_seen(&self, ended: &Ended) -> Option<Time> {
        let rival = ended.rival.as_ref()?;
        self.seen_since(&rival.holder, rival.since, &self.snapshot().ok()?)
    }

    /// The last sign of life of `holder`, where one is known that is later than `since`.
    pub(in crate::ops) fn seen_since(&self, holder: &Holder, since: Time, snapshot: &Snapshot<'_>) -> Option<Time> {
        Some(self.observed(holder, snapshot)?.last_seen).filter(|seen| *seen > since)
    }

    /// The hub, if one is named.
    pub(in crate::ops) fn hub_name(&self) -> Option<HubName> {
        self.settings.remote.as_deref().map(|remote| self.place_of(remote))
    }

    /// The hub that `remote` names; without it, the one that the configuration does.
    pub(in crate::ops) fn hub_named(&self, remote: Option<&str>) -> Result<HubName, Error> {
        let named = remote.map(|remote| self.place_of(remote)).or_else(|| self.hub_name());
        named.ok_or_else(|| {
            Error::usage(
                "no hub is named, so there is nothing to sync with",
                "name one with `git config aio.remote <remote>`, or `git aio sync --remote <remote>`",
            )
        })
    }

    fn place_of(&self, remote: &str) -> HubName {
        let url = self.repository.config(&format!("remote.{remote}.url"));
        // A remote that is pushed to elsewhere than it is fetched from can't decide: what is pushed has to be seen.
        let pushed_to = self.repository.config(&format!("remote.{remote}.pushurl"));
        let place = match url {
            Some(_) => remote.to_owned(),
            None => crate::host::env::session_digest("url", remote).replace(':', "-"),
        };
        HubName { remote: pushed_to.unwrap_or_else(|| remote.to_owned()), place }
    }

    pub(super) fn hub(&self, name: &HubName, deadline: Instant) -> Hub {
        // A URL that is a relative path is so to the root of the work tree.
        let dir = self.repository.work_tree().unwrap_or_else(|| self.repository.common_dir().to_owned());
        let git = self.bare_git().in_dir(dir);
        let git = match self.ssh_command() {
            Some(command) => git.with("GIT_SSH_COMMAND", command),
            None => git,
        };
        let hub = Hub::new(git, &name.remote, &name.place, &self.settings.ref_prefix, deadline);
        let hub = hub.with_private_runs(self.settings.sync_runs == SyncRuns::Full);
        hub.durable(self.settings.durability == Durability::Synced).lying_in(self.folder_of_hub(&name.remote))
    }

    /// The folder that the hub lies in, where git would go straight there: it may be told to go elsewhere, or to have
    /// another program look.
    fn folder_of_hub(&self, remote: &str) -> Option<PathBuf> {
        if !self.repository.settings("url").is_empty() {
            return None;
        }
        let settings = self.repository.settings("remote");
        let count = |name: &str| {
            let wanted = format!("remote.{remote}.{name}");
            settings.iter().filter(|(key, _)| key.eq_ignore_ascii_case(&wanted)).count()
        };
        let url = match count("url") {
            0 => remote.to_owned(),
            1 => self.repository.config(&format!("remote.{remote}.url"))?,
            _ => return None,
        };
        let led_elsewhere = count("uploadpack") + count("vcs") > 0;
        let path = PathBuf::from(url.strip_prefix("file://").filter(|path| !path.contains('%')).unwrap_or(&url));
        (!led_elsewhere && path.is_absolute() && path.is_dir()).then_some(path)
    }

    /// How git is to call ssh: as the user has it, but so that it fails where it would ask for a password. `None` where
    /// the user has something else than OpenSSH.
    fn ssh_command(&self) -> Option<String> {
        let command = self.env.ssh_command.clone().or_else(|| self.repository.config("core.sshCommand"));
        let command = match command {
            None if self.env.ssh_program => return None,
            None => "ssh".to_owned(),
            Some(command) => command,
        };
        let program = command.split_whitespace().next()?;
        (program.rsplit('/').next() == Some("ssh")).then(|| format!("{command} -o BatchMode=yes"))
    }

    pub(in crate::ops) fn memory_file(&self, name: &HubName) -> MemoryFile {
        MemoryFile::new(self.repository.common_dir(), &name.place)
    }

    /// What is known to be confirmed of `snapshot`; `None` where there is no hub.
    pub(in crate::ops) fn confirmed(&self, snapshot: &Snapshot<'_>) -> Option<Confirmed> {
        let name = self.hub_name()?;
        let memory = self.memory_file(&name).read();
        Some(Confirmed { through: self.confirmed_through(&name, &memory, snapshot) })
    }

    pub(super) fn confirmed_through(&self, name: &HubName, memory: &Memory, snapshot: &Snapshot<'_>) -> u64 {
        let Some(tip) = snapshot.oid() else { return 0 };
        // Only what the local chain stands on, which it may not do yet. What the user fetched by hand counts too.
        let stands_on = |oid: Oid| self.repository.descends(tip, &oid).is_ok_and(|stands| stands).then_some(oid);
        let seq = |oid: &Oid| self.repository.chain_link(oid).map_or(0, |link| link.seq);
        let base = memory.base.as_ref().and_then(Base::oid);
        let fetched = self.refs().read(&format!("refs/aio-sync/{}/state", name.place)).ok().flatten();
        let fetched = fetched.filter(|fetched| Some(fetched) != base.as_ref());
        [base, fetched].into_iter().flatten().filter_map(stands_on).map(|oid| seq(&oid)).max().unwrap_or(0)
    }

    /// Whether `holder` works in this clone.
    fn is_ours(&self, holder: &InstanceId, snapshot: &Snapshot<'_>) -> bool {
        let instance = snapshot.instance(holder).ok().flatten();
        instance.is_none_or(|instance| self.clone_id().is_ok_and(|here| *here == instance.clone))
    }

    /// Whether `claim` is sure.
    pub(in crate::ops) fn standing(
        &self,
        claim: &Claim,
        confirmed: Option<&Confirmed>,
        snapshot: &Snapshot<'_>,
    ) -> Standing {
        let Some(Confirmed { through }) = confirmed else { return Standing::Confirmed };
        let ours = match &claim.holder {
            Holder::Instance(id) => self.is_ours(id, snapshot),
            Holder::Handoff(_) => true,
        };
        if claim.token > *through && ours { Standing::Tentative } else { Standing::Confirmed }
    }
}
