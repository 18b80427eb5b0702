//! Records of one kind, all together.
//!
//! A store may hold more than anybody wants to wait for or to keep in memory, by accident or by malice. That is no
//! reason to fail: a listing then has the newest, and says how many it left out. What somebody does with records of
//! their own is never cut.

use super::{
    Damage, Snapshot,
    error::StoreError,
    layout,
    wire::{self, Wire, WireClaim, WireHandoff, WireInstance, WireNote, WireTask},
};
use crate::{
    base::{
        id::{HandoffId, TaskId},
        world::Time,
    },
    model::{claim::Claim, handoff::Handoff, instance::Instance, note::Note, task::Task},
};
use gix::{ObjectId, objs::tree::EntryKind};
use std::collections::BTreeMap;

/// Records, and what can be said of those that are not among them.
#[derive(Debug, Clone)]
pub struct Listing<M> {
    /// The records.
    pub records: Vec<M>,
    /// Those that can't be read.
    pub damaged: Vec<Damage>,
    /// How many more there are, all of them older.
    pub unread: usize,
}

/// How much of what is asked for is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The newest of it, as far as 20 MiB go.
    Newest,
    /// All of it.
    All,
}

/// How the records of a kind are kept.
struct Kept<M> {
    folder: &'static str,
    /// When a record was made.
    made: fn(&M) -> Time,
    /// Whether the folders below have names in the order of time.
    by_time: bool,
    /// Whether each is looked for by its name again, which is at the top of the folder.
    is_looked_up: bool,
    /// By what its file has to be named, where whatever else it says would be believed.
    name: Option<fn(&M) -> &str>,
}

impl<M> Kept<M> {
    fn is_named(&self, record: &M, file: &[u8]) -> bool {
        self.name.is_none_or(|name| file.strip_suffix(b".json") == Some(name(record).as_bytes()))
    }
}

impl Snapshot<'_> {
    /// The claims in force that are `wanted`.
    ///
    /// # Errors
    /// When a tree can't be read.
    pub fn claims(&self, extent: Extent, wanted: impl FnMut(&Claim) -> bool) -> Result<Listing<Claim>, StoreError> {
        let kept = Kept {
            folder: "claims",
            made: |claim: &Claim| claim.since,
            by_time: false,
            is_looked_up: false,
            name: None,
        };
        self.list::<Claim, WireClaim>(&kept, extent, wanted)
    }

    /// The registered instances that are `wanted`. Errors as for [`claims`](Self::claims).
    pub fn instances(
        &self,
        extent: Extent,
        wanted: impl FnMut(&Instance) -> bool,
    ) -> Result<Listing<Instance>, StoreError> {
        let kept = Kept {
            folder: "instances",
            made: |instance: &Instance| instance.since,
            by_time: false,
            is_looked_up: false,
            name: None,
        };
        self.list::<Instance, WireInstance>(&kept, extent, wanted)
    }

    /// The handoffs that are `wanted`. Errors as for [`claims`](Self::claims).
    pub fn handoffs(
        &self,
        extent: Extent,
        wanted: impl FnMut(&Handoff) -> bool,
    ) -> Result<Listing<Handoff>, StoreError> {
        let kept = Kept {
            folder: "handoffs",
            made: |handoff: &Handoff| handoff.at,
            by_time: false,
            is_looked_up: false,
            name: None,
        };
        self.list::<Handoff, WireHandoff>(&kept, extent, wanted)
    }

    /// The notes that are `wanted`. Errors as for [`claims`](Self::claims).
    pub fn notes(&self, extent: Extent, wanted: impl FnMut(&Note) -> bool) -> Result<Listing<Note>, StoreError> {
        let kept =
            Kept { folder: "notes", made: |note: &Note| note.at, by_time: true, is_looked_up: false, name: None };
        self.list::<Note, WireNote>(&kept, extent, wanted)
    }

    /// The tasks that are `wanted`. Errors as for [`claims`](Self::claims).
    pub fn tasks(&self, extent: Extent, wanted: impl FnMut(&Task) -> bool) -> Result<Listing<Task>, StoreError> {
        let kept = Kept {
            folder: "tasks",
            made: |task: &Task| task.at,
            by_time: false,
            is_looked_up: true,
            name: Some(|task| task.id.as_str()),
        };
        self.list::<Task, WireTask>(&kept, extent, wanted)
    }

    /// Ids of handoffs whose digits begin with `digits`.
    ///
    /// # Errors
    /// When a tree can't be read.
    pub fn handoffs_by_prefix(&self, digits: &str) -> Result<Vec<HandoffId>, StoreError> {
        let Some(tree) = self.tree_at(&[b"handoffs".to_vec()])? else { return Ok(Vec::new()) };
        let ids = self.entries(tree)?.into_iter().filter_map(|entry| layout::id_of::<HandoffId>(&entry.name));
        Ok(ids.filter(|id| id.digits().starts_with(digits)).collect())
    }

    /// The ids of all tasks.
    ///
    /// # Errors
    /// When a tree can't be read.
    pub fn task_ids(&self) -> Result<Vec<TaskId>, StoreError> {
        let Some(tree) = self.tree_at(&[b"tasks".to_vec()])? else { return Ok(Vec::new()) };
        Ok(self.entries(tree)?.into_iter().filter_map(|entry| layout::id_of::<TaskId>(&entry.name)).collect())
    }

    fn list<M, W: Wire<M>>(
        &self,
        kept: &Kept<M>,
        extent: Extent,
        mut wanted: impl FnMut(&M) -> bool,
    ) -> Result<Listing<M>, StoreError> {
        let limit = if extent == Extent::All { usize::MAX } else { layout::MAX_LISTING };
        let (mut found, mut size) = (BTreeMap::new(), 0);
        let mut listing = Listing { records: Vec::new(), damaged: Vec::new(), unread: 0 };
        for (folder, tree) in self.folders(kept.folder)? {
            let entries = self.entries(tree)?;
            let is_top = folder == kept.folder;
            if is_top && kept.is_looked_up {
                let looked_up = entries.iter().map(|entry| (entry.name.clone(), (entry.kind, entry.oid)));
                *self.task_entries.borrow_mut() = Some(looked_up.collect());
            }
            if kept.by_time && listing.unread > 0 {
                listing.unread += entries.len();
                continue;
            }
            for entry in entries {
                let path = format!("{folder}/{}", String::from_utf8_lossy(&entry.name));
                if entry.kind == EntryKind::Tree && is_top {
                    continue;
                }
                let read = self.blob(&path, &entry);
                match read.and_then(|bytes| Ok((wire::parse::<M, W>(&path, &bytes)?, bytes.len()))) {
                    Ok((record, _)) if !kept.is_named(&record, &entry.name) || kept.is_looked_up && !is_top => {
                        let reason = "not where a record of this name belongs".into();
                        listing.damaged.push(Damage { path, reason });
                    }
                    Ok((record, length)) if wanted(&record) => {
                        found.insert(((kept.made)(&record), path), (record, length));
                        size += length;
                    }
                    Ok(_) => {}
                    Err(StoreError::Damaged { path, reason }) => listing.damaged.push(Damage { path, reason }),
                    Err(error) => return Err(error),
                }
                while size > limit
                    && let Some((_, (_, length))) = found.pop_first()
                {
                    size -= length;
                    listing.unread += 1;
                }
            }
        }
        listing.records = found.into_values().map(|(record, _)| record).collect();
        listing.damaged.sort();
        Ok(listing)
    }

    /// A folder of the tree and those in it, the last by name first.
    fn folders(&self, folder: &str) -> Result<Vec<(String, ObjectId)>, StoreError> {
        let Some(root) = self.tree_at(&[folder.into()])? else { return Ok(Vec::new()) };
        let mut folders = vec![(folder.to_owned(), root)];
        for entry in self.entries(root)?.into_iter().rev().filter(|entry| entry.kind == EntryKind::Tree) {
            folders.push((format!("{folder}/{}", String::from_utf8_lossy(&entry.name)), entry.oid));
        }
        Ok(folders)
    }
}
