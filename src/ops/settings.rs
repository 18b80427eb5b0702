//! The `aio.*` keys of git's configuration.

use super::Error;
use crate::{
    base::text,
    model::liveness::Patience,
    store::{Durability, Repository},
};
use chrono::TimeDelta;

/// Configuration, with its defaults filled in.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `aio.staleAfter`, `aio.idleAfter`: how long silence is taken for life.
    pub patience: Patience,
    /// `aio.fsync`: whether a write waits for the disk.
    pub durability: Durability,
    /// `aio.guard`: what the fences do about a path that somebody else holds.
    pub guard: Guard,
    /// `aio.guardPerson`: whether they block a person too.
    pub guard_person: PersonGuard,
    /// `aio.requireClaim`: what they do about a path that an instance has not claimed.
    pub require_claim: RequireClaim,
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
        let fsync = repository
            .config_bool("aio.fsync")
            .map_err(|_| invalid("aio.fsync", &repository.config("aio.fsync").unwrap_or_default(), "true or false"))?;
        Ok(Settings {
            patience: Patience {
                stale_after: duration(repository, "aio.staleAfter")?.unwrap_or(TimeDelta::minutes(5)),
                idle_after: duration(repository, "aio.idleAfter")?.unwrap_or(TimeDelta::hours(2)),
            },
            durability: if fsync.unwrap_or(true) { Durability::Synced } else { Durability::Unsynced },
            guard: [Guard::Block, Guard::Warn, Guard::Off][word("aio.guard", &["block", "warn", "off"])?.unwrap_or(0)],
            guard_person: [PersonGuard::Block, PersonGuard::Warn]
                [word("aio.guardPerson", &["block", "warn"])?.unwrap_or(0)],
            require_claim: [RequireClaim::Off, RequireClaim::Warn, RequireClaim::Block]
                [word("aio.requireClaim", &["off", "warn", "block"])?.unwrap_or(1)],
        })
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
