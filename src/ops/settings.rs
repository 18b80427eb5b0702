//! The `aio.*` keys of git's configuration.

use super::Error;
use crate::{
    base::text,
    host::hub,
    model::liveness::Patience,
    store::{Durability, Repository, SetIn},
};
use chrono::TimeDelta;
use std::fmt;

/// The section that is ours.
const SECTION: &str = "aio";

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
    /// `aio.autoClaim`: whether the first edit of a free file claims it for the agent.
    pub auto_claim: bool,
    /// `aio.remote`: the hub, a remote of the repository or a URL; where it is not set, the `hub` of the repository's own
    /// configuration once that is approved.
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
    /// `aio.syncRuns`: what of runs travels.
    pub sync_runs: SyncRuns,
}

/// `aio.syncRuns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncRuns {
    /// What others may see: how they stand, their steps and checks.
    Light,
    /// All of them: what was asked and answered, and what the files were like.
    Full,
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

/// All keys.
const KEYS: [&str; 17] = [
    "aio.guard",
    "aio.guardPerson",
    "aio.requireClaim",
    "aio.autoClaim",
    "aio.staleAfter",
    "aio.idleAfter",
    "aio.staleElsewhere",
    "aio.fsync",
    "aio.remote",
    "aio.confirm",
    "aio.backgroundSync",
    "aio.syncInterval",
    "aio.presenceInterval",
    "aio.syncTimeout",
    "aio.pushOffline",
    "aio.refPrefix",
    "aio.syncRuns",
];

/// A value that its key doesn't take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadValue {
    /// The key.
    pub key: &'static str,
    /// Its value.
    pub value: String,
    /// What it takes.
    pub wanted: String,
    /// Where the value is set.
    pub set_in: Option<SetIn>,
}

/// A key of ours that there is none of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKey {
    /// The key, in lower case as far as git makes no difference.
    pub key: String,
    /// Where it is set.
    pub set_in: SetIn,
    /// The key that was meant, perhaps.
    pub nearest: Option<&'static str>,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// When a value is none that the key takes.
    pub fn read(repository: &Repository) -> Result<Self, Error> {
        let (settings, bad) = Self::read_what_can_be(repository);
        match bad.into_iter().next() {
            Some(bad) => Err(bad.into()),
            None => Ok(settings),
        }
    }

    /// Reads them, with the default where a value is none that the key takes, and tells which those are.
    pub fn read_what_can_be(repository: &Repository) -> (Self, Vec<BadValue>) {
        let mut values = Values { repository, bad: Vec::new() };
        let guard = [("block", Guard::Block), ("warn", Guard::Warn), ("off", Guard::Off)];
        let guard_person = [("block", PersonGuard::Block), ("warn", PersonGuard::Warn)];
        let require_claim = [("off", RequireClaim::Off), ("warn", RequireClaim::Warn), ("block", RequireClaim::Block)];
        let confirm = [("local", Confirm::Local), ("lazy", Confirm::Lazy), ("strict", Confirm::Strict)];
        let push_offline = [("warn", PushOffline::Warn), ("block", PushOffline::Block)];
        let sync_runs = [("light", SyncRuns::Light), ("full", SyncRuns::Full)];
        let settings = Settings {
            patience: Patience {
                stale_after: values.duration("aio.staleAfter").unwrap_or(TimeDelta::minutes(5)),
                idle_after: values.duration("aio.idleAfter").unwrap_or(TimeDelta::hours(2)),
                stale_elsewhere: values.duration("aio.staleElsewhere").unwrap_or(TimeDelta::minutes(30)),
            },
            durability: match values.boolean("aio.fsync") {
                Some(false) => Durability::Unsynced,
                _ => Durability::Synced,
            },
            guard: values.word("aio.guard", guard).unwrap_or(Guard::Block),
            guard_person: values.word("aio.guardPerson", guard_person).unwrap_or(PersonGuard::Block),
            require_claim: values.word("aio.requireClaim", require_claim).unwrap_or(RequireClaim::Warn),
            auto_claim: values.boolean("aio.autoClaim").unwrap_or(false),
            remote: repository.config("aio.remote").filter(|remote| !remote.is_empty()),
            confirm: values.word("aio.confirm", confirm).unwrap_or(Confirm::Lazy),
            background_sync: values.boolean("aio.backgroundSync").unwrap_or(true),
            sync_interval: values.duration("aio.syncInterval").unwrap_or(TimeDelta::seconds(10)),
            presence_interval: values.duration("aio.presenceInterval").unwrap_or(TimeDelta::minutes(3)),
            sync_timeout: values
                .duration("aio.syncTimeout")
                .and_then(|timeout| timeout.to_std().ok())
                .unwrap_or(std::time::Duration::from_secs(30)),
            push_offline: values.word("aio.pushOffline", push_offline).unwrap_or(PushOffline::Warn),
            ref_prefix: values.ref_prefix("aio.refPrefix").unwrap_or_else(|| hub::PREFIX.to_owned()),
            sync_runs: values.word("aio.syncRuns", sync_runs).unwrap_or(SyncRuns::Light),
        };
        (settings, values.bad)
    }

    /// Keys in our section that mean nothing to us.
    pub fn unknown(repository: &Repository) -> Vec<UnknownKey> {
        let known = |key: &str| KEYS.iter().any(|known| known.eq_ignore_ascii_case(key));
        let set = repository.settings(SECTION).into_iter().filter(|(key, _)| !known(key));
        set.map(|(key, set_in)| UnknownKey { nearest: nearest(&key), key, set_in }).collect()
    }
}

/// The key that is spelled most like `key`, if any is.
fn nearest(key: &str) -> Option<&'static str> {
    // The section is the same in all of them, which would make them all somewhat alike.
    fn name(key: &str) -> &str {
        key.get(SECTION.len()..).unwrap_or_default()
    }
    let nearest = text::nearest(name(key), KEYS.map(name))?;
    KEYS.into_iter().find(|key| name(key) == nearest)
}

/// The values of the keys, as they are read.
struct Values<'r> {
    repository: &'r Repository,
    bad: Vec<BadValue>,
}

impl Values<'_> {
    fn word<T: Copy, const N: usize>(&mut self, key: &'static str, allowed: [(&str, T); N]) -> Option<T> {
        let value = self.repository.config(key)?;
        let meant = allowed.iter().find(|(word, _)| value.eq_ignore_ascii_case(word)).map(|(_, meant)| *meant);
        let words = || format!("one of {}", allowed.map(|(word, _)| word).join(", "));
        self.taken(key, meant, words)
    }

    fn duration(&mut self, key: &'static str) -> Option<TimeDelta> {
        let value = self.repository.config(key)?;
        let meant = humantime::parse_duration(&value).ok().and_then(|d| TimeDelta::from_std(d).ok());
        self.taken(key, meant, || "a duration such as 5m or 2h".to_owned())
    }

    fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let meant = self.repository.config_bool(key).transpose()?.ok();
        self.taken(key, meant, || "true or false".to_owned())
    }

    fn ref_prefix(&mut self, key: &'static str) -> Option<String> {
        let value = self.repository.config(key)?;
        let prefix = value.trim_end_matches('/');
        let is_name = |part: &str| {
            let plain = part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
            let odd = part.is_empty() || part.starts_with(['.', '-']) || part.contains("..") || part.ends_with(".lock");
            plain && !odd
        };
        let below = prefix.strip_prefix("refs/").filter(|rest| *rest == "aio" || rest.contains('/'));
        let meant = below.is_some_and(|rest| rest.split('/').all(is_name)).then(|| prefix.to_owned());
        self.taken(key, meant, || "a place for refs, such as refs/heads/aio".to_owned())
    }

    /// What was meant; if nothing was, that is noted.
    fn taken<T>(&mut self, key: &'static str, meant: Option<T>, wanted: impl FnOnce() -> String) -> Option<T> {
        if meant.is_none() {
            let value = text::one_line(&self.repository.config(key).unwrap_or_default(), 60);
            let set = self.repository.settings(SECTION).into_iter().rev();
            let set_in = set.into_iter().find(|(set, _)| set.eq_ignore_ascii_case(key)).map(|(_, set_in)| set_in);
            self.bad.push(BadValue { key, value, wanted: wanted(), set_in });
        }
        meant
    }
}

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is '{}', which is not {}", self.key, self.value, self.wanted)
    }
}

impl From<BadValue> for Error {
    fn from(bad: BadValue) -> Error {
        let hint = match &bad.set_in {
            Some(set_in @ (SetIn::CommandLine | SetIn::Environment)) => format!("it comes from {}", place(set_in)),
            Some(set_in) => format!("change it with `git config {} <value>`; it is set in {}", bad.key, place(set_in)),
            None => format!("change it with `git config {} <value>`", bad.key),
        };
        Error::usage(format!("the configuration key {bad}"), hint)
    }
}

/// Where a setting is made.
pub(super) fn place(set_in: &SetIn) -> String {
    match set_in {
        SetIn::File(path) => path.display().to_string(),
        SetIn::CommandLine => "the command line (git -c)".to_owned(),
        SetIn::Environment => "the environment (GIT_CONFIG_COUNT)".to_owned(),
    }
}
