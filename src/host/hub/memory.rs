//! What this clone remembers of its hub, in a file of its own outside git's objects.
//!
//! Only the one who syncs writes it, and only under the lock of the sync. Lost, it costs that the hub is believed
//! whatever it says, as by a new clone.

use crate::base::{oid::Oid, world::Time};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write as _},
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
    /// Below what its refs were when they were last seen, as `aio.refPrefix` then said.
    #[serde(default)]
    pub prefix: Option<String>,
    /// When it was last asked with success.
    #[serde(default)]
    pub synced: Option<Time>,
    /// When something was last pushed.
    #[serde(default)]
    pub pushed: Option<Time>,
    /// The last failure, gone with the next success.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// What was seen of the other clones.
    #[serde(default)]
    pub watch: Watch,
    /// What the other clones say of who is there, and since when it is the same, by clone.
    #[serde(default)]
    pub presences: BTreeMap<String, Unchanged>,
    /// What was last told of this one.
    #[serde(default)]
    pub told: Option<Told>,
    /// What the host was found to allow.
    #[serde(default)]
    pub probe: Option<Probe>,
    /// That it did not take runs, till it does.
    #[serde(default)]
    pub runs_refused: Option<RunsRefused>,
}

/// That the hub took none of the runs that it was offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunsRefused {
    /// When it was last asked.
    pub at: Time,
    /// How often in a row.
    pub times: u32,
    /// Why, in words.
    pub why: String,
}

/// What one clone says of who is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unchanged {
    /// The commit.
    pub oid: String,
    /// When it was first seen here, by our clock.
    pub since: Time,
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

/// What was seen of the other clones, timed by our own clock alone: theirs may show anything. All moments are seconds
/// of one boot of this machine, and say nothing after the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Which boot of this machine.
    pub boot: String,
    /// The first look.
    pub since: u64,
    /// The last look: a fetch that succeeded.
    pub looked: u64,
    /// The number of the newest operation that was looked at.
    pub through: u64,
    /// The clones that have anybody on the register.
    #[serde(default)]
    pub clones: BTreeMap<String, Sighting>,
    /// The times of claims of others that were seen to be granted.
    #[serde(default)]
    pub terms: BTreeMap<String, Term>,
}

/// What was seen of another clone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The commit of its presence, the last that could be read.
    #[serde(default)]
    pub presence: Option<String>,
    /// The number of its last operation that was seen.
    #[serde(default)]
    pub operation: Option<u64>,
    /// The look that first found these two.
    pub since: u64,
    /// How many looks have found them.
    pub times: u32,
    /// Its instances that it said were idle.
    #[serde(default)]
    pub idle: BTreeSet<String>,
    /// Its instances on the register that it did not name.
    #[serde(default)]
    pub unnamed: BTreeMap<String, Unnamed>,
}

/// An instance that its own clone does not name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unnamed {
    /// The look that first found it so.
    pub since: u64,
    /// How many different presences there were.
    pub times: u32,
}

/// How long a claim lasts, from when we first saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// When it ends by the clock of its holder, which tells one term from the next.
    pub until: Time,
    /// How long it was granted for, in seconds.
    pub lasts: u64,
    /// The look that first found it.
    pub since: u64,
}

/// What the hub was last told of who is here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The boot of this machine during which that was.
    pub boot: String,
    /// When, in seconds since that boot.
    pub at: u64,
    /// The number of it; each is one more than the last.
    pub counter: u64,
    /// Why the hub did not take it, in words, if it didn't.
    #[serde(default)]
    pub refused: Option<String>,
    /// How often in a row it did not, where it gave an answer at all.
    #[serde(default)]
    pub refusals: u32,
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

    /// The projects whose stores were synced with any hub of that clone.
    pub fn domains(common_dir: &Path) -> Vec<String> {
        let files = fs::read_dir(common_dir.join("aio").join("hub")).into_iter().flatten().flatten();
        let memories = files.map(|file| MemoryFile { path: file.path() }.read());
        memories.filter_map(|memory| memory.domain).collect()
    }

    /// Remembers.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write(&self, memory: &Memory) -> io::Result<()> {
        let dir = self.path.parent().ok_or(io::ErrorKind::NotFound)?;
        fs::create_dir_all(dir)?;
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(dir)?;
        // In one piece: written as it comes, each sign would be a call of the system.
        file.write_all(&serde_json::to_vec_pretty(memory)?)?;
        file.persist(&self.path)?;
        Ok(())
    }
}
