//! What is known of the hub without asking it, and whether a sync in the background may be at work.

use super::{Check, Finding, check, count, say};
use crate::{
    base::world::Time,
    host::hub::without_secrets,
    model::view::View as _,
    ops::{Confirm, Session},
};
use std::time::Duration;

/// The setting by which git pushes to another place than it fetches from.
const PUSH: &str = "pushInsteadOf";

impl Session {
    pub(super) fn check_hub(&self) -> Vec<Check> {
        let Some(remote) = self.settings.remote.as_deref() else {
            return vec![check("hub", Finding::Ok("none is named: nothing is sent anywhere".to_owned()))];
        };
        let hub = self.check_hub_settings(remote).and_then(|()| self.check_last_sync());
        vec![check("hub", hub), check("background", Finding::Ok(self.check_background()))]
    }

    /// Whether what the configuration names can decide: one repository, which is pushed to and fetched from.
    fn check_hub_settings(&self, remote: &str) -> Result<(), String> {
        let key = |key: &str| self.repository.config(&format!("remote.{remote}.{key}"));
        let named = without_secrets(remote);
        let Some(url) = key("url") else {
            let is_place = remote.contains([':', '/', '\\']);
            return if is_place {
                self.check_pushed_to(remote)
            } else {
                Err(format!("aio.remote is {named}, and there is no remote of that name; `git remote -v` lists them"))
            };
        };
        match key("pushurl") {
            Some(push) if place(&push) != place(&url) => Err(format!(
                "{named} is fetched from {} and pushed to {}: name the one that decides, by its URL, as aio.remote",
                without_secrets(&url),
                without_secrets(&push)
            )),
            Some(push) => self.check_pushed_to(&push),
            None => self.check_pushed_to(&url),
        }
    }

    /// Whether git pushes to this `url`, too.
    fn check_pushed_to(&self, url: &str) -> Result<(), String> {
        match self.pushed_instead_of(url) {
            Some((key, push)) if place(&push) != place(url) => Err(format!(
                "{} is fetched from, and by {key} git pushes to {push} instead, of which nothing is seen here: name that as \
                 aio.remote, or take the setting out",
                without_secrets(url),
                key = without_secrets(&key),
                push = without_secrets(&push)
            )),
            _ => Ok(()),
        }
    }

    /// Where git pushes to instead of `url`, and the setting that says so: the longest beginning that fits counts.
    fn pushed_instead_of(&self, url: &str) -> Option<(String, String)> {
        let rule = |(key, _): (String, _)| {
            let (base, name) = key.strip_prefix("url.")?.rsplit_once('.')?;
            let replaced = self.repository.config(&key).filter(|_| name.eq_ignore_ascii_case(PUSH))?;
            let pushed = format!("{base}{}", url.strip_prefix(&replaced)?);
            Some((replaced.len(), (key, pushed)))
        };
        self.repository.settings("url").into_iter().filter_map(rule).max_by_key(|(length, _)| *length).map(|(_, r)| r)
    }

    fn check_last_sync(&self) -> Finding {
        let snapshot = self.snapshot().map_err(say)?;
        let Some(state) = self.hub_state(&snapshot).map_err(say)? else { return Ok(String::new()) };
        let domain = self.hub_name().and_then(|name| self.memory_file(&name).read().domain);
        if domain.as_ref().is_some_and(|domain| snapshot.exists() && domain != snapshot.domain()) {
            return Err(format!("the store on {} belongs to another project than this one", state.remote));
        }
        let pending = match state.pending {
            0 => format!("has all {}", count(snapshot.seq() as usize, "operation")),
            pending => format!("{} pending", count(pending as usize, "operation")),
        };
        let synced = match state.synced {
            Some(synced) => format!("last synced {}", self.ago(synced)),
            None => "never synced".to_owned(),
        };
        let project = domain.map(|domain| format!(", project {}", domain.get(..8).unwrap_or(&domain)));
        let known = format!("{}: {pending}, {synced}{}", state.remote, project.unwrap_or_default());
        match state.failure {
            None => Ok(known),
            Some((at, reason)) => Err(format!("{known}; the last sync failed {}: {reason}", self.ago(at))),
        }
    }

    fn check_background(&self) -> String {
        if !self.settings.background_sync {
            return "off, since aio.backgroundSync is false".into();
        }
        if self.settings.confirm == Confirm::Local {
            return "off, since aio.confirm is local".into();
        }
        match self.is_background_at_work() {
            true => "a sync is at work".into(),
            false => "starts with the next write; none is at work".into(),
        }
    }

    fn ago(&self, then: Time) -> String {
        let seconds = self.now().signed_duration_since(then).num_seconds().max(0).unsigned_abs();
        format!("{} ago", humantime::format_duration(Duration::from_secs(seconds)))
    }
}

/// The repository that a URL means, whatever protocol and user lead to it: `host/path`.
fn place(url: &str) -> String {
    let url = url.trim_end_matches('/');
    let url = url.strip_suffix(".git").unwrap_or(url);
    let (has_scheme, rest) = match url.split_once("://") {
        Some((_, rest)) => (true, rest),
        None => (false, url),
    };
    let rest = match rest.split_once('@') {
        Some((user, rest)) if !user.contains('/') => rest,
        _ => rest,
    };
    match rest.split_once(':') {
        Some((host, path)) if !has_scheme && !host.contains('/') => format!("{host}/{}", path.trim_start_matches('/')),
        _ => rest.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn a_repository_is_the_same_by_whatever_protocol() {
        let same = ["https://host/a/b.git", "git@host:a/b.git", "ssh://git@host/a/b", "https://me:pw@host/a/b/"];
        assert!(same.iter().all(|url| place(url) == "host/a/b"), "{:?}", same.map(place));
        assert_ne!(place("https://host/a/b"), place("https://host/fork/b"));
        assert_eq!(place("/srv/hub.git"), "/srv/hub");
    }
}
