//! What this clone remembers of its hub, in a file of its own outside git's objects.
//!
//! Only the one who syncs writes it, and only under the lock of the sync. Lost, it costs that the hub is believed
//! whatever it says, as by a new clone.

use crate::base::{oid::Oid, world::Time};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// What is remembered of a hub.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The project that its store belongs to.
    #[serde(default)]
    pub domain: Option<String>,
    /// The newest commit that is known to be there: it may not be without it again.
    #[serde(default)]
    pub base: Option<Base>,
    /// When it was last asked with success.
    #[serde(default)]
    pub synced: Option<Time>,
    /// When something was last pushed.
    #[serde(default)]
    pub pushed: Option<Time>,
    /// The last failure, gone with the next success.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// What was seen of the presence of other clones.
    #[serde(default)]
    pub clones: BTreeMap<String, Sighting>,
    /// What the host was found to allow.
    #[serde(default)]
    pub probe: Option<Probe>,
}

/// A commit that the hub has taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The commit.
    pub oid: String,
    /// Its number.
    pub seq: u64,
    /// Its epoch.
    pub epoch: u64,
}

/// Why a sync failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// When.
    pub at: Time,
    /// Why, in words.
    pub reason: String,
}

/// What was seen of another clone, timed by our own clock alone: theirs may show anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// What its presence was, by the name of the commit, with the last operation of it that was seen.
    pub mark: String,
    /// The boot of this machine during which the mark was first seen.
    pub boot: String,
    /// When that was, in seconds since that boot.
    pub since: u64,
    /// How many successful fetches have found it unchanged since.
    pub unchanged: u32,
    /// Its instances that it said were there.
    #[serde(default)]
    pub instances: Vec<String>,
    /// Its instances on the register that it did not name, and for how many different presences of it.
    #[serde(default)]
    pub missing: BTreeMap<String, u32>,
}

/// What a host allows on refs of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// When it was tried.
    pub at: Time,
    /// Where the refs are.
    #[serde(default)]
    pub prefix: String,
    /// Whether refs can be created.
    pub create: bool,
    /// Whether they can be moved forward.
    pub update: bool,
    /// Whether it refuses to move one that somebody else has moved.
    pub refuses_stale: bool,
    /// Whether they can be moved elsewhere with a lease.
    pub lease: bool,
    /// Whether they can be deleted.
    pub delete: bool,
}

impl Base {
    /// The commit.
    pub fn oid(&self) -> Option<Oid> {
        self.oid.parse().ok()
    }
}

/// The file of one hub.
#[derive(Debug, Clone)]
pub struct MemoryFile {
    path: PathBuf,
}

impl MemoryFile {
    /// The file of the hub whose tracking refs are at `place`, in the clone with this common git directory.
    pub fn new(common_dir: &Path, place: &str) -> MemoryFile {
        let name = place.replace('%', "%25").replace('/', "%2F");
        MemoryFile { path: common_dir.join("aio").join("hub").join(format!("{name}.json")) }
    }

    /// What is remembered; nothing, where nothing or nothing readable is.
    pub fn read(&self) -> Memory {
        fs::read(&self.path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Remembers.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write(&self, memory: &Memory) -> io::Result<()> {
        let dir = self.path.parent().ok_or(io::ErrorKind::NotFound)?;
        fs::create_dir_all(dir)?;
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(dir)?;
        serde_json::to_writer_pretty(&mut file, memory)?;
        file.persist(&self.path)?;
        Ok(())
    }
}
