//! The `aio.*` keys of git's configuration.

use super::Error;
use crate::{
    base::text,
    host::hub,
    model::liveness::Patience,
    store::{Durability, Repository},
};
use chrono::TimeDelta;

/// Configuration, with its defaults filled in.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `aio.staleAfter`, `aio.idleAfter`, `aio.staleElsewhere`: how long silence is taken for life.
    pub patience: Patience,
    /// `aio.fsync`: whether a write waits for the disk.
    pub durability: Durability,
    /// `aio.guard`: what the fences do about a path that somebody else holds.
    pub guard: Guard,
    /// `aio.guardPerson`: whether they block a person too.
    pub guard_person: PersonGuard,
    /// `aio.requireClaim`: what they do about a path that an instance has not claimed.
    pub require_claim: RequireClaim,
    /// `aio.remote`: the hub, a remote of the repository or a URL.
    pub remote: Option<String>,
    /// `aio.confirm`: when a claim counts as granted.
    pub confirm: Confirm,
    /// `aio.backgroundSync`: whether a command that wrote starts a sync in the background.
    pub background_sync: bool,
    /// `aio.syncInterval`: how long the background syncs wait between two pushes.
    pub sync_interval: TimeDelta,
    /// `aio.presenceInterval`: how often at most the hub is told who is here.
    pub presence_interval: TimeDelta,
    /// `aio.syncTimeout`: how long the hub is waited for.
    pub sync_timeout: std::time::Duration,
    /// `aio.pushOffline`: what the fence at the push does when the hub can't be reached.
    pub push_offline: PushOffline,
    /// `aio.refPrefix`: where our refs are on the hub.
    pub ref_prefix: String,
}

/// `aio.confirm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirm {
    /// When it is written here; nothing is sent by itself.
    Local,
    /// When it is written here; the hub is asked afterwards, and it is tentative till then.
    Lazy,
    /// When the hub has it.
    Strict,
}

/// `aio.pushOffline`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushOffline {
    /// Say so and let it pass.
    Warn,
    /// Refuse.
    Block,
}

/// `aio.guard`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Refuse.
    Block,
    /// Say so and let it pass.
    Warn,
    /// Say nothing.
    Off,
}

/// `aio.guardPerson`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonGuard {
    /// A person is refused by claims that somebody asked for, and warned of those that a fence made by itself.
    Block,
    /// A person is only warned.
    Warn,
}

/// `aio.requireClaim`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequireClaim {
    /// Say nothing.
    Off,
    /// Say so and let it pass.
    Warn,
    /// Refuse.
    Block,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// When a value is none that the key takes.
    pub fn read(repository: &Repository) -> Result<Self, Error> {
        let word = |key: &str, allowed: &[&str]| match repository.config(key) {
            None => Ok(None),
            Some(value) => match allowed.iter().position(|word| value.eq_ignore_ascii_case(word)) {
                Some(at) => Ok(Some(at)),
                None => Err(invalid(key, &value, &format!("one of {}", allowed.join(", ")))),
            },
        };
        let fsync = boolean(repository, "aio.fsync")?;
        Ok(Settings {
            patience: Patience {
                stale_after: duration(repository, "aio.staleAfter")?.unwrap_or(TimeDelta::minutes(5)),
                idle_after: duration(repository, "aio.idleAfter")?.unwrap_or(TimeDelta::hours(2)),
                stale_elsewhere: duration(repository, "aio.staleElsewhere")?.unwrap_or(TimeDelta::minutes(30)),
            },
            durability: if fsync.unwrap_or(true) { Durability::Synced } else { Durability::Unsynced },
            guard: [Guard::Block, Guard::Warn, Guard::Off][word("aio.guard", &["block", "warn", "off"])?.unwrap_or(0)],
            guard_person: [PersonGuard::Block, PersonGuard::Warn]
                [word("aio.guardPerson", &["block", "warn"])?.unwrap_or(0)],
            require_claim: [RequireClaim::Off, RequireClaim::Warn, RequireClaim::Block]
                [word("aio.requireClaim", &["off", "warn", "block"])?.unwrap_or(1)],
            remote: repository.config("aio.remote").filter(|remote| !remote.is_empty()),
            confirm: [Confirm::Local, Confirm::Lazy, Confirm::Strict]
                [word("aio.confirm", &["local", "lazy", "strict"])?.unwrap_or(1)],
            background_sync: boolean(repository, "aio.backgroundSync")?.unwrap_or(true),
            sync_interval: duration(repository, "aio.syncInterval")?.unwrap_or(TimeDelta::seconds(10)),
            presence_interval: duration(repository, "aio.presenceInterval")?.unwrap_or(TimeDelta::minutes(3)),
            sync_timeout: duration(repository, "aio.syncTimeout")?
                .and_then(|d| d.to_std().ok())
                .unwrap_or(std::time::Duration::from_secs(30)),
            push_offline: [PushOffline::Warn, PushOffline::Block]
                [word("aio.pushOffline", &["warn", "block"])?.unwrap_or(0)],
            ref_prefix: ref_prefix(repository)?,
        })
    }
}

fn boolean(repository: &Repository, key: &str) -> Result<Option<bool>, Error> {
    let wrong = |_| invalid(key, &repository.config(key).unwrap_or_default(), "true or false");
    repository.config_bool(key).map_err(wrong)
}

fn ref_prefix(repository: &Repository) -> Result<String, Error> {
    let Some(value) = repository.config("aio.refPrefix") else { return Ok(hub::PREFIX.to_owned()) };
    let prefix = value.trim_end_matches('/');
    let fine = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-'])
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            && !part.contains("..")
            && !part.ends_with(".lock")
    };
    match prefix.strip_prefix("refs/") {
        Some(rest) if rest.contains('/') || rest == "aio" => {
            if rest.split('/').all(fine) {
                Ok(prefix.to_owned())
            } else {
                Err(invalid("aio.refPrefix", &value, "the beginning of a ref"))
            }
        }
        _ => Err(invalid("aio.refPrefix", &value, "a place below refs/, such as refs/heads/aio")),
    }
}

fn duration(repository: &Repository, key: &str) -> Result<Option<TimeDelta>, Error> {
    let Some(value) = repository.config(key) else { return Ok(None) };
    let parsed = humantime::parse_duration(&value).ok().and_then(|d| TimeDelta::from_std(d).ok());
    parsed.map(Some).ok_or_else(|| invalid(key, &value, "a duration such as 5m or 2h"))
}

fn invalid(key: &str, value: &str, wanted: &str) -> Error {
    Error::usage(
        format!("the configuration key {key} is '{}', which is not {wanted}", text::one_line(value, 60)),
        format!("change it with `git config {key} <value>`"),
    )
}
