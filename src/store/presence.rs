//! What a clone lets the others see of who works in it: a commit of its own, without a parent, whose tree holds one
//! small record. Each replaces the last, so that nothing of them piles up in any history.
//!
//! Anybody who can push can write one. What can't be read within the limits says nothing.

use super::{
    Repository,
    error::StoreError,
    layout::{MAX_MESSAGE, MAX_RECORD},
    objects::Batch,
    transaction::{Durability, signature},
    wire,
};
use crate::{
    base::{
        id::{CloneId, InstanceId},
        oid::Oid,
        world::Time,
    },
    model::liveness::Presence,
};
use gix::{
    ObjectId,
    objs::{
        Commit, CommitRef, Kind, Tree, TreeRefIter,
        tree::{self, EntryKind},
    },
};
use serde::{Deserialize, Serialize};

/// The one entry of the tree.
const NAME: &str = "presence.json";

/// The version that we write, and the only one that we read.
const VERSION: u64 = 1;

/// Most instances that are named. Whoever names as many may have more.
pub const MOST_NAMED: usize = 500;

/// Who works in a clone, by its own word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClonePresence {
    /// The clone.
    pub clone: CloneId,
    /// One more than that of the presence before.
    pub counter: u64,
    /// Its instances that are there, live or idle.
    pub instances: Vec<(InstanceId, Presence)>,
}

#[derive(Serialize, Deserialize)]
struct WirePresence {
    v: u64,
    clone: String,
    counter: u64,
    instances: Vec<WireNamed>,
}

#[derive(Serialize, Deserialize)]
struct WireNamed {
    id: String,
    state: String,
}

impl Repository {
    /// Writes the commit of a presence, of which at most [`MOST_NAMED`] instances are named. No ref is moved to it.
    ///
    /// # Errors
    /// When the objects can't be written.
    pub fn write_presence(
        &self,
        presence: &ClonePresence,
        at: Time,
        durability: Durability,
    ) -> Result<Oid, StoreError> {
        let named = presence.instances.iter().take(MOST_NAMED);
        let record = WirePresence {
            v: VERSION,
            clone: presence.clone.to_string(),
            counter: presence.counter,
            instances: named
                .map(|(id, state)| WireNamed { id: id.to_string(), state: state.as_str().into() })
                .collect(),
        };
        let mut batch = Batch::new(self);
        let oid = batch.add(Kind::Blob, wire::render(NAME, &record, None)?)?;
        let entry = tree::Entry { mode: EntryKind::Blob.into(), filename: NAME.into(), oid };
        let tree = batch.add_object(&Tree { entries: vec![entry] })?;
        let commit = Commit {
            tree,
            parents: Default::default(),
            author: signature(self, at.timestamp()),
            // As with the chain: a date so old that no list of real commits is mixed with these.
            committer: signature(self, i64::try_from(presence.counter).unwrap_or(i64::MAX)),
            encoding: None,
            message: format!("presence of {}\n", presence.clone).into(),
            extra_headers: Vec::new(),
        };
        let commit = batch.add_object(&commit)?;
        batch.write(durability == Durability::Synced)?;
        commit.to_string().parse().map_err(StoreError::tip)
    }

    /// The presence that the commit `oid` holds.
    ///
    /// # Errors
    /// When it is missing, too large, or not such a commit.
    pub fn read_presence(&self, oid: &Oid) -> Result<ClonePresence, StoreError> {
        let damaged = |reason: &dyn std::fmt::Display| StoreError::damaged(NAME, reason);
        let id = ObjectId::from_hex(oid.as_str().as_bytes()).map_err(|error| damaged(&error))?;
        let read = |id, kind, limit| {
            let object = self.object(id, limit).map_err(|error| damaged(&error))?;
            if object.kind == kind { Ok(object.bytes) } else { Err(damaged(&format_args!("{id} is no {kind}"))) }
        };
        let commit = read(id, Kind::Commit, MAX_MESSAGE)?;
        let tree = CommitRef::from_bytes(&commit, id.kind()).map_err(|error| damaged(&error))?.tree();
        let tree = read(tree, Kind::Tree, MAX_RECORD)?;
        let entries = TreeRefIter::from_bytes(&tree, id.kind()).filter_map(Result::ok);
        let entry = entries.into_iter().find(|entry| entry.filename == NAME && entry.mode.kind() == EntryKind::Blob);
        let entry = entry.ok_or_else(|| damaged(&"it is missing"))?;
        let bytes = read(entry.oid.to_owned(), Kind::Blob, MAX_RECORD)?;
        wire::check_limits(&bytes, MAX_RECORD).map_err(|reason| damaged(&reason))?;
        let record: WirePresence = serde_json::from_slice(&bytes).map_err(|error| damaged(&error))?;
        record.into_model().map_err(|reason| damaged(&reason))
    }
}

impl WirePresence {
    fn into_model(self) -> Result<ClonePresence, String> {
        if self.v != VERSION {
            return Err(format!("version {} is not known", self.v));
        }
        if self.instances.len() > MOST_NAMED {
            return Err(format!("it names {} instances; {MOST_NAMED} is the limit", self.instances.len()));
        }
        let named = |WireNamed { id, state }: WireNamed| {
            let state = [Presence::Live, Presence::Idle].into_iter().find(|known| known.as_str() == state);
            Ok((id.parse().map_err(|error| format!("{error}"))?, state.unwrap_or(Presence::Live)))
        };
        Ok(ClonePresence {
            clone: self.clone.parse().map_err(|error| format!("{error}"))?,
            counter: self.counter,
            instances: self.instances.into_iter().map(named).collect::<Result<_, String>>()?,
        })
    }
}
