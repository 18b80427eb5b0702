//! A hub on this machine. Whether anything has changed there is looked up where it lies: git's own fetch starts four
//! processes to find that nothing has, and over so short a way they are all that it costs.

use super::Hub;
use crate::{
    base::oid::Oid,
    host::{bounded, git::Git},
};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    time::Instant,
};

/// What a hub has of ours at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Glance {
    /// The newest commit of its store.
    pub state: Option<Oid>,
    /// What each clone says of who is there, by the ref that has it here once it is fetched.
    pub presences: BTreeMap<String, Oid>,
    /// The runs, in the same way.
    pub runs: BTreeMap<String, Oid>,
}

impl Hub {
    /// The same hub, which lies in this folder.
    #[must_use]
    pub fn lying_in(self, folder: Option<PathBuf>) -> Hub {
        Hub { folder, ..self }
    }

    /// What it has now, as far as that can be told without a fetch: of a hub on this machine that git opens for us.
    pub fn glance(&self) -> Option<Glance> {
        let folder = self.folder.as_deref()?;
        let presence = format!("{}-presence", self.prefix);
        let args = ["for-each-ref", "--format=%(objectname) %(refname)", &self.prefix, &presence];
        let mut args: Vec<OsString> = args.map(OsString::from).into();
        if self.private_runs {
            args.push(self.private_run("").into());
        }
        // What lies around that folder is another repository.
        let git = Git::at(folder).with("GIT_CEILING_DIRECTORIES", folder.parent().unwrap_or(Path::new("/")));
        let left = self.deadline.saturating_duration_since(Instant::now());
        let ran = bounded::run(git.command(&args), left).ok()?;
        if !ran.status?.success() {
            return None;
        }
        self.read_glance(std::str::from_utf8(&ran.stdout).ok()?)
    }

    fn read_glance(&self, text: &str) -> Option<Glance> {
        let mut glance = Glance::default();
        for line in text.lines() {
            let (oid, name) = line.split_once(' ')?;
            let oid: Oid = oid.parse().ok()?;
            let rest = name.strip_prefix(&self.prefix)?;
            if rest == "/state" {
                glance.state = Some(oid);
            } else if let Some(clone) = rest.strip_prefix("-presence/") {
                glance.presences.insert(self.tracking(&format!("presence/{clone}")), oid);
            } else if let Some(run) = rest.strip_prefix("/runs/") {
                glance.runs.insert(self.tracking(&format!("runs/{run}")), oid);
            } else if let Some(run) = rest.strip_prefix("-local/runs/") {
                glance.runs.insert(self.tracking(&format!("local/runs/{run}")), oid);
            }
        }
        Some(glance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::scratch::Scratch;
    use std::time::Duration;

    fn hub(folder: PathBuf) -> Hub {
        let deadline = Instant::now() + Duration::from_secs(60);
        Hub::new(Git::at(&folder), "origin", "origin", "refs/aio", deadline).lying_in(Some(folder))
    }

    #[test]
    fn what_a_hub_has_is_told_by_where_a_fetch_would_put_it() {
        let repo = Scratch::new();
        repo.git.run(["commit", "-q", "--allow-empty", "-m", "one"]).expect("a commit");
        let oid = repo.git.head().expect("git").expect("a commit");
        for name in [
            "refs/aio/state",
            "refs/aio/other",
            "refs/aio/presence/x",
            "refs/aio-presence/ab",
            "refs/aiox/y",
            "refs/aio/runs/r",
            "refs/aio-local/runs/r",
        ] {
            repo.git.run(["update-ref", name, oid.as_str()]).expect("a ref");
        }
        let glance = hub(repo.git.dir().to_owned()).glance().expect("a look");
        let names: Vec<&String> = glance.presences.keys().collect();
        assert_eq!(glance.state, Some(oid));
        assert_eq!(names, ["refs/aio-sync/origin/presence/ab"]);
        assert_eq!(glance.runs.keys().collect::<Vec<_>>(), ["refs/aio-sync/origin/runs/r"]);
        let all = hub(repo.git.dir().to_owned()).with_private_runs(true).glance().expect("a look");
        let names: Vec<&String> = all.runs.keys().collect();
        assert_eq!(names, ["refs/aio-sync/origin/local/runs/r", "refs/aio-sync/origin/runs/r"]);
    }

    #[test]
    fn where_no_repository_lies_nothing_is_told_of_the_one_around() {
        let repo = Scratch::new();
        let inside = repo.path("inside");
        std::fs::create_dir(&inside).expect("a folder");
        assert_eq!(hub(inside).glance(), None);
        assert_eq!(hub(repo.path("nowhere")).glance(), None);
    }
}
