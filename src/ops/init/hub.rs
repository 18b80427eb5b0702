//! Naming the hub, and what git itself fetches from it.

use super::{InitPlan, Wishes};
use crate::{
    base::text,
    host::{
        git::Git,
        hooks::{Plan, Wanted},
    },
    ops::{Error, Notice, Session},
};
use std::path::Path;

/// The setting that names the hub.
const REMOTE: &str = "aio.remote";

/// A setting by which a plain `git fetch` writes to `refs/aio`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overwriting {
    /// Its name.
    pub key: String,
    /// Its value, or one of several.
    pub refspec: String,
}

impl Session {
    /// What git's settings have to say for the hub that is wished for.
    pub(super) fn hub_settings(&self, wishes: &Wishes) -> Result<Vec<Wanted>, Error> {
        let mut wanted = Vec::new();
        let named = wishes.remote.as_deref().map(|given| self.hub_given(given)).transpose()?;
        if let Some(hub) = &named {
            wanted.push(Wanted { key: REMOTE.to_owned(), values: vec![hub.clone()], besides: false });
        }
        if wishes.fetch_with_git {
            let hub = named.or_else(|| self.settings.remote.clone()).filter(|hub| self.is_remote(hub));
            let hub = hub.ok_or_else(|| {
                Error::usage(
                    "git fetches by itself only from a remote of the repository, and no such hub is named",
                    "name one with --remote; `git remote -v` lists them",
                )
            })?;
            let values = self.tracking_refspecs(&hub).into();
            wanted.push(Wanted { key: format!("remote.{hub}.fetch"), values, besides: true });
        }
        Ok(wanted)
    }

    /// The hub as it goes into the settings.
    fn hub_given(&self, given: &str) -> Result<String, Error> {
        let is_url = given.contains(':') || Path::new(given).is_absolute();
        if self.is_remote(given) || is_url && !given.starts_with('-') {
            return Ok(given.to_owned());
        }
        // A path is meant from where the command is run, and has to mean the same from everywhere.
        let there = std::fs::canonicalize(self.dir.join(given)).ok();
        let there = there.filter(|_| !given.is_empty()).and_then(|path| path.to_str().map(str::to_owned));
        there.ok_or_else(|| {
            Error::usage(
                format!("there is no remote '{}'", text::one_line(given, 200)),
                "`git remote -v` lists those there are; it may also be a URL or the path of a repository",
            )
        })
    }

    /// Warns of a hub that is to lie in a folder of this machine and doesn't, which can be seen without asking anybody.
    pub(super) fn tell_missing_hub(&self, given: &str) {
        let url = self.repository.config(&format!("remote.{given}.url")).unwrap_or_else(|| given.to_owned());
        let path = url.strip_prefix("file://").filter(|path| !path.contains('%')).unwrap_or(&url);
        let root = self.repository.work_tree().unwrap_or_else(|| self.repository.common_dir().to_owned());
        let folder = root.join(path);
        // What has a colon before its first slash is another machine's, or the protocol of something else.
        let is_path = path.split('/').next().is_some_and(|first| !first.contains(':')) || Path::new(path).is_absolute();
        let is_there = |folder: &Path| folder.join("HEAD").exists() || folder.join(".git").exists();
        let rewritten = !self.repository.settings("url").is_empty();
        if is_path && !rewritten && !is_there(&folder) && !is_there(&folder.with_added_extension("git")) {
            self.notice(Notice::NoHub(path.to_owned()));
        }
    }

    fn is_remote(&self, name: &str) -> bool {
        self.repository.config(&format!("remote.{name}.url")).is_some()
    }

    /// What makes git's own fetches fill the tracking refs. All that a sync keeps there is named: `git fetch --prune`
    /// takes away what nothing does.
    fn tracking_refspecs(&self, remote: &str) -> [String; 2] {
        let prefix = &self.settings.ref_prefix;
        let here = format!("refs/aio-sync/{remote}");
        [format!("+{prefix}/*:{here}/*"), format!("+{prefix}-presence/*:{here}/presence/*")]
    }

    /// The one remote that could be the hub, where none is named.
    pub(super) fn possible_hub(&self, git: &Git, plan: &Plan) -> Result<Option<String>, Error> {
        if plan.config.iter().any(|change| change.key == REMOTE) || self.settings.remote.is_some() {
            return Ok(None);
        }
        let out = git.run(["remote"])?;
        let mut remotes = out.split(|b| *b == b'\n').filter(|name| !name.is_empty());
        let only = remotes.next().filter(|_| remotes.next().is_none());
        Ok(only.map(|name| String::from_utf8_lossy(name).into_owned()))
    }

    /// Settings by which a plain `git fetch` overwrites what was not synced yet, and with `--prune` deletes it.
    ///
    /// # Errors
    /// When git can't be asked.
    pub(in crate::ops) fn overwriting_refspecs(&self) -> Result<Vec<Overwriting>, Error> {
        let git = self.bare_git();
        let out = git.run_unless(1, ["config", "-z", "--get-regexp", r"^remote\..*\.fetch$"])?.unwrap_or_default();
        let out = String::from_utf8_lossy(&out);
        let pairs = out.split('\0').filter_map(|entry| entry.split_once('\n'));
        let found = pairs.filter(|(_, refspec)| writes_ours(refspec));
        Ok(found.map(|(key, refspec)| Overwriting { key: key.to_owned(), refspec: refspec.to_owned() }).collect())
    }
}

impl Overwriting {
    /// What it does and how it is mended, in words.
    pub fn words(&self) -> String {
        format!(
            "{key} has {refspec}: a plain `git fetch` overwrites what was not synced yet, and with --prune deletes it; \
             `git config --fixed-value --unset-all {key} '{refspec}'` takes it out",
            key = text::one_line(&self.key, 200),
            refspec = text::one_line(&self.refspec, 200),
        )
    }
}

impl InitPlan {
    /// Whether it names a hub.
    pub fn names_hub(&self) -> bool {
        self.settings.iter().any(|edit| edit.key == REMOTE)
    }
}

/// Whether a fetch by this refspec writes to a ref below `refs/aio/`.
fn writes_ours(refspec: &str) -> bool {
    const OURS: &str = "refs/aio/";
    let Some((_, to)) = refspec.split_once(':') else { return false };
    to.starts_with(OURS) || to.split_once('*').is_some_and(|(stem, _)| OURS.starts_with(stem))
}

#[cfg(test)]
mod tests {
    use super::writes_ours;

    #[test]
    fn what_writes_to_our_refs_is_told_from_what_does_not() {
        for refspec in ["+refs/aio/*:refs/aio/*", "refs/aio/state:refs/aio/state", "+refs/*:refs/*", "x:refs/aio*"] {
            assert!(writes_ours(refspec), "{refspec}");
        }
        let harmless =
            ["+refs/heads/*:refs/remotes/origin/*", "+refs/aio/*:refs/aio-sync/origin/*", "^refs/aio/*", "x"];
        for refspec in harmless {
            assert!(!writes_ours(refspec), "{refspec}");
        }
    }
}
