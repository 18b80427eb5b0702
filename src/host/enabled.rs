//! Which workflows this user has enabled in this clone, so that events start them.
//!
//! Each is a file in `<git-common-dir>/aio/enabled`, named by the user and the workflow. Nothing in the work tree can make
//! one, and no clone brings one along. One that another user of a shared repository wrote counts for nothing. It is no wall
//! against programs that run as the same user: they could write the file, too.

use super::trust::{is_ours, user};
use crate::{
    base::world::Time,
    disk::{self, Sharing},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

const VERSION: u32 = 1;

/// The largest file that is read, in bytes.
const MAX_FILE: usize = 64 * 1024;

/// What a user has said of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enabling {
    /// The events that start it.
    pub events: Vec<String>,
    /// What the workflow was then: a name for all that it is made of.
    pub binding: String,
    /// When it was said.
    pub at: Time,
}

/// What is in a file.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    v: u32,
    workflow: String,
    enabling: Enabling,
}

/// What this user has enabled in one clone.
#[derive(Debug)]
pub struct Enablings {
    folder: PathBuf,
}

impl Enablings {
    /// Those in the repository with this common directory.
    pub fn of(common_dir: &Path) -> Enablings {
        Enablings { folder: common_dir.join("aio").join("enabled") }
    }

    /// All of them, by the name of the workflow. What can't be read enables nothing.
    pub fn all(&self) -> BTreeMap<String, Enabling> {
        let Ok(entries) = self.folder.read_dir() else { return BTreeMap::new() };
        let ours = format!("{}-", user());
        let named = entries.filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().to_str()?.strip_prefix(&ours)?.to_owned();
            Some((name, entry.path()))
        });
        named.filter_map(|(name, path)| Some((name.clone(), read(&name, &path)?))).collect()
    }

    /// Enables a workflow. What was said of it before counts no more.
    ///
    /// # Errors
    /// When that can't be written down.
    pub fn set(&self, workflow: &str, enabling: Enabling, sharing: Sharing) -> io::Result<()> {
        sharing.make_folders(&self.folder)?;
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.folder)?;
        // The user's own word: nobody else may write it, however the repository is shared.
        file.write_all(&serde_json::to_vec(&Kept { v: VERSION, workflow: workflow.to_owned(), enabling })?)?;
        file.persist(self.path(workflow))?;
        Ok(())
    }

    /// Takes that back, and tells whether it was enabled.
    ///
    /// # Errors
    /// When that can't be written down.
    pub fn remove(&self, workflow: &str) -> io::Result<bool> {
        match std::fs::remove_file(self.path(workflow)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn path(&self, workflow: &str) -> PathBuf {
        self.folder.join(format!("{}-{workflow}", user()))
    }
}

fn read(workflow: &str, path: &Path) -> Option<Enabling> {
    if !is_ours(path) {
        return None;
    }
    let kept: Kept = serde_json::from_slice(&disk::read(path, MAX_FILE).ok()?).ok()?;
    (kept.v == VERSION && kept.workflow == workflow).then_some(kept.enabling)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_enabled_is_that_workflow_and_no_other() {
        let root = tempfile::tempdir().expect("a folder");
        let enablings = Enablings::of(root.path());
        let enabling = |event: &str| Enabling {
            events: vec![event.to_owned()],
            binding: "b".into(),
            at: "2026-11-21T00:00:00Z".parse().expect("a time"),
        };
        assert!(enablings.all().is_empty() && !enablings.remove("on-event").expect("asked"));
        enablings.set("on-event", enabling("a"), Sharing::Umask).expect("written");
        enablings.set("on-event", enabling("b"), Sharing::Umask).expect("written again");
        assert_eq!(enablings.all(), BTreeMap::from([("on-event".to_owned(), enabling("b"))]));
        std::fs::copy(enablings.path("on-event"), enablings.path("other")).expect("copied");
        std::fs::write(enablings.path("third"), "{").expect("written");
        assert_eq!(enablings.all().len(), 1, "a copy speaks of another workflow");
        assert!(enablings.remove("on-event").expect("removed") && enablings.all().is_empty());
    }
}
