//! A capture as one tree, from which everything it needs is reached: whoever refers to that tree keeps all of it.
//!
//! ```text
//! capture.json    what the rest means
//! tree/           the work tree as git would store it
//! raw/<object>    the bytes of the files that differed from the index
//! ```

use super::{Capture, Entries, Raw, to_id, to_oid};
use crate::{
    base::{oid::Oid, path::RepoPath},
    store::{Repository, error::StoreError, layout, objects::Batch, transaction::signature},
};
use gix::{
    ObjectId,
    objs::{
        Commit, Kind, Tree,
        tree::{Entry, EntryKind},
    },
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const RECORD: &str = "capture.json";
const TREE: &str = "tree";
const RAW: &str = "raw";

/// The format that is written, and the newest that is read.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<String>,
    /// Paths as `RepoPath::encoded` gives them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    raw: BTreeMap<String, WireRaw>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    repositories: BTreeMap<String, Option<String>>,
}

#[derive(Serialize, Deserialize)]
struct WireRaw {
    /// The object that has the bytes.
    bytes: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mode: Option<u32>,
}

impl Repository {
    /// Writes `capture` as one tree. With `durable` everything of it is on the disk before this returns.
    ///
    /// # Errors
    /// When it can't be written, or a git that tidies up has removed something of it since it was made.
    pub fn capture_to_tree(&self, capture: &Capture, durable: bool) -> Result<Oid, StoreError> {
        let text = |oid: &Oid| oid.to_string();
        let wire = Wire {
            v: VERSION,
            head: capture.head.as_ref().map(text),
            raw: capture.raw.iter().map(|(path, raw)| (path.encoded(), raw_to_wire(raw))).collect(),
            repositories: capture
                .repositories
                .iter()
                .map(|(path, head)| (path.encoded(), head.as_ref().map(text)))
                .collect(),
        };
        let mut batch = Batch::new(self);
        let record = serde_json::to_vec(&wire).map_err(|error| StoreError::Write(error.to_string()))?;
        if record.len() > layout::MAX_LISTING {
            let (what, size) = (RECORD.to_owned(), record.len());
            return Err(StoreError::TooLarge { what, size, limit: layout::MAX_LISTING });
        }
        let record = batch.add(Kind::Blob, record)?;
        let kept: BTreeSet<ObjectId> = capture.raw.values().map(|raw| raw.bytes).collect();
        if let Some(gone) = kept.iter().find(|raw| self.look(|gix| gix.find_header(**raw)).is_err()) {
            return Err(StoreError::Write(format!("a git that tidies up has removed {gone} meanwhile")));
        }
        let kept = kept.into_iter().map(|raw| entry(&raw.to_string(), EntryKind::Blob, raw)).collect();
        let entries_of_raw = batch.add_object(&Tree { entries: kept })?;
        // In the order of their names.
        let entries = vec![
            entry(RECORD, EntryKind::Blob, record),
            entry(RAW, EntryKind::Tree, entries_of_raw),
            entry(TREE, EntryKind::Tree, to_id(&capture.tree)?),
        ];
        let whole = batch.add_object(&Tree { entries })?;
        batch.write(false)?;
        if durable {
            self.sync_capture(capture, [record, entries_of_raw, whole])?;
        }
        to_oid(&whole)
    }

    /// Writes a commit of what `capture` holds, on top of its HEAD, `seconds` after 1970. With `durable` all of that is on
    /// the disk before this returns.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn commit_capture(
        &self,
        capture: &Capture,
        message: &str,
        seconds: i64,
        durable: bool,
    ) -> Result<Oid, StoreError> {
        let signature = signature(self, seconds);
        let commit = Commit {
            tree: to_id(&capture.tree)?,
            parents: capture.head.iter().map(to_id).collect::<Result<_, _>>()?,
            author: signature.clone(),
            committer: signature,
            encoding: None,
            message: message.into(),
            extra_headers: Vec::new(),
        };
        let mut batch = Batch::new(self);
        let commit = batch.add_object(&commit)?;
        batch.write(false)?;
        if durable {
            self.sync_capture(capture, [commit])?;
        }
        to_oid(&commit)
    }

    /// Waits until all objects of `capture` that HEAD doesn't have are on the disk, and `more` with them: at once, since a
    /// disk takes as long for many as for one.
    fn sync_capture(&self, capture: &Capture, more: impl IntoIterator<Item = ObjectId>) -> Result<(), StoreError> {
        let head = capture.head.as_ref().map(|head| self.tree_of(head)).transpose()?;
        let mut objects: BTreeSet<ObjectId> = more.into_iter().collect();
        self.collect_new(head, to_id(&capture.tree)?, &mut objects)?;
        objects.extend(capture.raw.values().map(|raw| raw.bytes));
        let objects: Vec<ObjectId> = objects.into_iter().collect();
        self.sync_objects(&objects).map_err(|error| StoreError::Write(error.to_string()))
    }

    /// Collects the objects below and at `tree` that are not at the same place in `old`.
    fn collect_new(
        &self,
        old: Option<ObjectId>,
        tree: ObjectId,
        objects: &mut BTreeSet<ObjectId>,
    ) -> Result<(), StoreError> {
        if old == Some(tree) {
            return Ok(());
        }
        objects.insert(tree);
        let old = old.map_or_else(|| Ok(Entries::new()), |old| self.entries(old))?;
        for (name, (kind, oid)) in self.entries(tree)? {
            let was = old.get(&name).filter(|(was, _)| *was == kind).map(|(_, oid)| *oid);
            match kind {
                EntryKind::Tree => self.collect_new(was, oid, objects)?,
                EntryKind::Commit => {}
                _ if was == Some(oid) => {}
                _ => drop(objects.insert(oid)),
            }
        }
        Ok(())
    }

    /// The capture that [`capture_to_tree`](Self::capture_to_tree) has written as `tree`.
    ///
    /// # Errors
    /// When it is none, or a newer git-aio wrote it.
    pub fn capture_from_tree(&self, tree: &Oid) -> Result<Capture, StoreError> {
        let damaged = |reason: &str| StoreError::damaged(format!("capture {tree}"), reason);
        let mut entries = self.entries(to_id(tree)?)?;
        let mut part = |name: &str| entries.remove(name.as_bytes()).map(|(_, oid)| oid);
        let (record, tree_of_all) = part(RECORD).zip(part(TREE)).ok_or_else(|| damaged("it has no record"))?;
        let bytes = self.object(record, layout::MAX_LISTING).map_err(|error| damaged(&error.to_string()))?.bytes;
        let wire: Wire = serde_json::from_slice(&bytes).map_err(|error| damaged(&error.to_string()))?;
        if wire.v > VERSION {
            return Err(StoreError::Newer { needed: wire.v.into(), ours: VERSION.into() });
        }
        let oid = |text: &str| text.parse::<Oid>().map_err(|error| damaged(&error.to_string()));
        let path = |text: &str| RepoPath::decode(text).map_err(|error| damaged(&error.to_string()));
        let raw = wire.raw.iter().map(|(at, raw)| {
            let mode = raw.mode.map(|mode| mode & 0o777);
            Ok((path(at)?, Raw { bytes: to_id(&oid(&raw.bytes)?)?, mode }))
        });
        let repositories =
            wire.repositories.iter().map(|(at, head)| Ok((path(at)?, head.as_deref().map(oid).transpose()?)));
        Ok(Capture {
            head: wire.head.as_deref().map(oid).transpose()?,
            tree: to_oid(&tree_of_all)?,
            raw: raw.collect::<Result<_, StoreError>>()?,
            repositories: repositories.collect::<Result<_, StoreError>>()?,
        })
    }
}

fn raw_to_wire(raw: &Raw) -> WireRaw {
    WireRaw { bytes: raw.bytes.to_string(), mode: raw.mode }
}

fn entry(name: &str, kind: EntryKind, oid: ObjectId) -> Entry {
    Entry { mode: kind.into(), filename: name.into(), oid }
}
