//! One state of the store, read whole: everything a snapshot answers belongs to one commit.
//!
//! A check costs the depth of its path, not the number of claims: the index is walked down the path, and only a claim
//! on a folder or pattern has to look at what lies below. Records come from the object database alone and are
//! believed only within limits. A record that can't be read is reported and the rest works; but an index entry that
//! can't be trusted is an error, since a check that guessed might grant what somebody holds.

use super::{
    Extent, Repository,
    error::StoreError,
    layout::{self, TreePath},
    log::{OurCommit, Trailers},
    wire::{self, Meta, Wire, WireClaim, WireHandoff, WireInstance, WireTask},
};
use crate::{
    base::{
        id::{ClaimId, HandoffId, InstanceId, TaskId},
        oid::Oid,
        path::RepoPath,
        refs::RefStorage,
    },
    model::{
        claim::{Claim, Ended, Holder},
        handoff::Handoff,
        instance::Instance,
        scope::Scope,
        task::Task,
        view::View,
    },
};
use gix::{
    ObjectId,
    objs::{Kind, TreeRefIter, tree::EntryKind},
};
use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    rc::Rc,
};

/// The store as one commit left it.
pub struct Snapshot<'r> {
    pub(super) repository: &'r Repository,
    pub(super) tip: Option<Tip>,
    pub(super) meta: Meta,
    claim_folders: RefCell<HashMap<TreePath, Option<ObjectId>>>,
    /// The records of tasks, once all of them were gone through: to look for each in a folder of many took its square.
    pub(super) task_entries: RefCell<Option<ByName>>,
}

/// What is in a folder, by name.
pub(super) type ByName = HashMap<Vec<u8>, (EntryKind, ObjectId)>;

/// The commit of a snapshot.
pub(super) struct Tip {
    pub(super) oid: Oid,
    pub(super) tree: ObjectId,
    pub(super) trailers: Trailers,
}

/// A record that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// Where it is in the tree of the store.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

/// An entry of a tree.
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) kind: EntryKind,
    pub(super) oid: ObjectId,
}

impl Repository {
    /// The state that `refs` has now. A repository without a store has an empty one.
    ///
    /// # Errors
    /// When the tip is damaged or the ref can't be read.
    pub fn snapshot(&self, refs: &dyn RefStorage) -> Result<Snapshot<'_>, StoreError> {
        match refs.read(layout::STATE)? {
            Some(oid) => self.snapshot_at(oid),
            None => Ok(self.empty_snapshot()),
        }
    }

    /// The state before there was any.
    pub fn empty_snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            repository: self,
            tip: None,
            meta: Meta::of_none(),
            claim_folders: RefCell::default(),
            task_entries: RefCell::default(),
        }
    }

    /// The state that commit `oid` made.
    ///
    /// # Errors
    /// When the commit is missing or is none of ours.
    pub fn snapshot_at(&self, oid: Oid) -> Result<Snapshot<'_>, StoreError> {
        let OurCommit { tree, trailers, .. } = self.our_commit(&oid)?;
        let mut snapshot = Snapshot { tip: Some(Tip { oid, tree, trailers }), ..self.empty_snapshot() };
        snapshot.meta = snapshot.read_meta()?;
        Ok(snapshot)
    }
}

/// What the whole state tells.
impl Snapshot<'_> {
    /// Whether there is a store at all.
    pub fn exists(&self) -> bool {
        self.tip.is_some()
    }

    /// The project that the store belongs to.
    pub fn domain(&self) -> &str {
        &self.meta.domain
    }

    /// The commit.
    pub fn oid(&self) -> Option<&Oid> {
        self.tip.as_ref().map(|tip| &tip.oid)
    }

    /// How often the history was cut.
    pub fn epoch(&self) -> u64 {
        self.meta.epoch
    }

    /// Makes sure that we may write.
    ///
    /// # Errors
    /// Where a newer git-aio has shut older writers out.
    pub fn check_writable(&self) -> Result<(), StoreError> {
        if self.meta.min_writer > layout::FORMAT {
            return Err(StoreError::Newer { needed: self.meta.min_writer, ours: layout::FORMAT });
        }
        Ok(())
    }

    /// The claims that may cover any of `paths`.
    ///
    /// # Errors
    /// When an entry of the index on the way can't be trusted.
    pub fn claims_covering(&self, paths: &[RepoPath]) -> Result<Vec<Claim>, StoreError> {
        let mut paths: Vec<Vec<u8>> = paths
            .iter()
            .map(|path| if self.folds_case() { path.folded().as_bytes().to_vec() } else { path.as_bytes().to_vec() })
            .collect();
        // By components, so that all that share a folder stand together, also `a` and `a/b` with `a-b` among them.
        let slash = |byte: &u8| *byte == b'/';
        paths.sort_unstable_by(|a, b| a.split(slash).cmp(b.split(slash)));
        let paths: Vec<&[u8]> = paths.iter().map(|path| &path[..]).collect();
        self.index_root()?.map_or(Ok(Vec::new()), |root| self.filed_over(root, &paths))
    }

    /// Ids of claims in force that begin with `prefix`.
    ///
    /// # Errors
    /// When the tree can't be read.
    pub fn claims_by_prefix(&self, prefix: &str) -> Result<Vec<ClaimId>, StoreError> {
        let mut ids = Vec::new();
        let Some(claims) = self.tree_at(&[b"claims".to_vec()])? else { return Ok(ids) };
        for fan in self.entries(claims)? {
            let shared = fan.name.len().min(prefix.len());
            if fan.kind == EntryKind::Tree && fan.name[..shared] == prefix.as_bytes()[..shared] {
                let of = self.entries(fan.oid)?.into_iter().filter_map(|e| layout::id_of::<ClaimId>(&e.name));
                ids.extend(of.filter(|id| id.as_str().starts_with(prefix)));
            }
        }
        Ok(ids)
    }

    /// The shortest prefix of `id` that names no other claim, at least four digits.
    pub fn short_claim_id(&self, id: &ClaimId) -> String {
        let others = self.claims_by_prefix(&id.as_str()[..2]).unwrap_or_default();
        id.short_among(&others).to_owned()
    }

    /// Whether anybody holds anything.
    ///
    /// # Errors
    /// When the tree can't be read.
    pub fn has_claims(&self) -> Result<bool, StoreError> {
        Ok(self.tree_at(&[b"claims".to_vec()])?.is_some())
    }

    /// All claims on tasks.
    ///
    /// # Errors
    /// When an entry of the index can't be trusted.
    pub fn claims_on_tasks(&self) -> Result<Vec<Claim>, StoreError> {
        let (folder, mut found) = (layout::index_of_tasks(), Vec::new());
        let Some(root) = self.index_root()? else { return Ok(found) };
        if let Some(tree) = self.index_in(root, &folder[1])? {
            self.filed_below(&folder, tree, &mut found)?;
        }
        Ok(found)
    }
}

/// Reading trees and records.
impl Snapshot<'_> {
    fn read_meta(&self) -> Result<Meta, StoreError> {
        let bytes = self.record_bytes(&layout::meta())?.ok_or_else(|| StoreError::Tip("aio.json is missing".into()))?;
        wire::check_limits(&bytes, layout::MAX_RECORD).map_err(StoreError::tip)?;
        serde_json::from_slice(&bytes).map_err(|error| StoreError::Tip(format!("aio.json: {error}")))
    }

    /// The bytes of the record at `path`.
    pub(super) fn record_bytes(&self, path: &[Vec<u8>]) -> Result<Option<Rc<[u8]>>, StoreError> {
        match self.entry_at(path)? {
            Some(entry) => self.blob(&layout::display(path), &entry).map(Some),
            None => Ok(None),
        }
    }

    fn record<M, W: Wire<M>>(&self, path: &[Vec<u8>]) -> Result<Option<M>, StoreError> {
        let bytes = self.record_bytes(path)?;
        bytes.map(|bytes| wire::parse::<M, W>(&layout::display(path), &bytes)).transpose()
    }

    pub(super) fn blob(&self, path: &str, entry: &Entry) -> Result<Rc<[u8]>, StoreError> {
        if entry.kind != EntryKind::Blob {
            return Err(StoreError::damaged(path, "not a plain file"));
        }
        let object = self.repository.object(entry.oid, layout::MAX_RECORD);
        let object = object.map_err(|error| StoreError::damaged(path, error))?;
        match object.kind {
            Kind::Blob => Ok(object.bytes),
            other => Err(StoreError::damaged(path, format!("a {other}, not a blob"))),
        }
    }

    pub(super) fn entries(&self, tree: ObjectId) -> Result<Vec<Entry>, StoreError> {
        let bytes = self.repository.object_of(tree, Kind::Tree)?;
        let entries = TreeRefIter::from_bytes(&bytes, tree.kind());
        entries
            .map(|entry| {
                let entry = entry.map_err(|error| StoreError::Tip(format!("tree {tree}: {error}")))?;
                Ok(Entry { name: entry.filename.to_vec(), kind: entry.mode.kind(), oid: entry.oid.to_owned() })
            })
            .collect()
    }

    fn entry_in(&self, tree: ObjectId, name: &[u8]) -> Result<Option<Entry>, StoreError> {
        let bytes = self.repository.object_of(tree, Kind::Tree)?;
        let damaged = |reason: &dyn std::fmt::Display| StoreError::Tip(format!("tree {tree}: {reason}"));
        // An entry is `<mode> <name>`, a NUL and the object id. Those on the way are only stepped over: to take each
        // apart, as gix does, cost ten times as much, and each claim that is met looks into the folder of all.
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let after = |from: &[u8], end: u8| from.iter().position(|byte| *byte == end);
            let start = after(rest, b' ').ok_or_else(|| damaged(&"it ends too early"))? + 1;
            let end = start + after(&rest[start..], 0).ok_or_else(|| damaged(&"it ends too early"))?;
            if rest[start..end] == *name {
                let entry = TreeRefIter::from_bytes(rest, tree.kind()).next();
                let entry = entry.transpose().map_err(|error| damaged(&error))?;
                return Ok(entry.map(|entry| Entry {
                    name: name.to_vec(),
                    kind: entry.mode.kind(),
                    oid: entry.oid.to_owned(),
                }));
            }
            rest = rest.get(end + 1 + tree.kind().len_in_bytes()..).ok_or_else(|| damaged(&"it ends too early"))?;
        }
        Ok(None)
    }

    fn entry_at(&self, path: &[Vec<u8>]) -> Result<Option<Entry>, StoreError> {
        let (Some(tip), Some((last, folders))) = (&self.tip, path.split_last()) else { return Ok(None) };
        let mut tree = tip.tree;
        for folder in folders {
            match self.entry_in(tree, folder)? {
                Some(entry) if entry.kind == EntryKind::Tree => tree = entry.oid,
                _ => return Ok(None),
            }
        }
        self.entry_in(tree, last)
    }

    /// The index, unless nothing is claimed.
    fn index_root(&self) -> Result<Option<ObjectId>, StoreError> {
        let Some(tip) = &self.tip else { return Ok(None) };
        match self.index_in(tip.tree, b"paths")? {
            None if self.entry_in(tip.tree, b"claims")?.is_some() => {
                Err(StoreError::damaged("paths", "the index is missing"))
            }
            index => Ok(index),
        }
    }

    /// The folder `name` of the index in `tree`. What stands in its place and is none might hide claims.
    fn index_in(&self, tree: ObjectId, name: &[u8]) -> Result<Option<ObjectId>, StoreError> {
        match self.entry_in(tree, name)? {
            Some(entry) if entry.kind != EntryKind::Tree => {
                let path = format!("paths/…/{}", String::from_utf8_lossy(name));
                Err(StoreError::damaged(path, "not a folder of the index"))
            }
            entry => Ok(entry.map(|entry| entry.oid)),
        }
    }

    pub(super) fn tree_at(&self, path: &[Vec<u8>]) -> Result<Option<ObjectId>, StoreError> {
        Ok(self.entry_at(path)?.filter(|entry| entry.kind == EntryKind::Tree).map(|entry| entry.oid))
    }

    /// The claims filed in one folder of the index.
    fn filed_in(&self, folder: &[Vec<u8>], tree: ObjectId, found: &mut Vec<Claim>) -> Result<(), StoreError> {
        for entry in self.entries(tree)? {
            if entry.name.starts_with(b"@") {
                found.push(self.filed(folder, &entry)?);
            }
        }
        Ok(())
    }

    /// The claims filed in the folder `root` of the index and on the way from there to each of `paths`, sorted by
    /// their components. All of them walk down together, level by level: each folder is looked up once, one that
    /// doesn't exist rules out what is in it, and what a level needs is read at once.
    fn filed_over(&self, root: ObjectId, paths: &[&[u8]]) -> Result<Vec<Claim>, StoreError> {
        let mut entries = Vec::new();
        let mut level = vec![(layout::index(), root, paths.to_vec())];
        while !level.is_empty() {
            self.repository.warm(level.iter().map(|(_, tree, _)| *tree));
            let mut next = Vec::new();
            for (folder, tree, paths) in level {
                let filed = self.entries(tree)?.into_iter().filter(|entry| entry.name.starts_with(b"@"));
                entries.extend(filed.map(|entry| (folder.clone(), entry)));
                let mut rest = &paths[..];
                while let Some(first) = rest.first() {
                    let name = first.split(|byte| *byte == b'/').next().unwrap_or_default();
                    let below = |path: &[u8]| path.strip_prefix(name).is_some_and(|p| p.is_empty() || p[0] == b'/');
                    let (here, others) = rest.split_at(rest.iter().take_while(|path| below(path)).count().max(1));
                    rest = others;
                    let component = layout::index_component(name);
                    if !name.is_empty()
                        && let Some(tree) = self.index_in(tree, &component)?
                    {
                        let inside = here.iter().filter_map(|path| path.get(name.len() + 1..)).collect();
                        next.push(([&folder[..], &[component]].concat(), tree, inside));
                    }
                }
            }
            level = next;
        }
        self.warm_records(&entries)?;
        entries.iter().map(|(folder, entry)| self.filed(folder, entry)).collect()
    }

    /// Reads what [`filed`](Self::filed) needs of many entries at once.
    fn warm_records(&self, entries: &[(TreePath, Entry)]) -> Result<(), StoreError> {
        self.repository.warm(entries.iter().map(|(_, entry)| entry.oid));
        if entries.len() > 1
            && let Some(claims) = self.tree_at(&[b"claims".to_vec()])?
        {
            let used: HashSet<Option<&[u8]>> = entries.iter().map(|(_, entry)| entry.name.get(1..3)).collect();
            let fans = self.entries(claims)?.into_iter().filter(|fan| used.contains(&Some(&fan.name)));
            self.repository.warm(fans.map(|fan| fan.oid));
        }
        Ok(())
    }

    /// The claims filed below a folder of the index, at any depth.
    fn filed_below(&self, folder: &[Vec<u8>], tree: ObjectId, found: &mut Vec<Claim>) -> Result<(), StoreError> {
        let mut open = vec![(folder.to_vec(), tree)];
        while let Some((folder, tree)) = open.pop() {
            for entry in self.entries(tree)? {
                if entry.name.starts_with(b"=") {
                    let mut below = folder.clone();
                    below.push(entry.name);
                    if entry.kind != EntryKind::Tree {
                        return Err(StoreError::damaged(layout::display(&below), "not a folder of the index"));
                    }
                    self.filed_in(&below, entry.oid, found)?;
                    open.push((below, entry.oid));
                }
            }
        }
        Ok(())
    }

    /// The record of a claim. The folder it is in is remembered: for each claim that is met on a path this would
    /// otherwise look through the 256 of them.
    fn claim_entry(&self, id: &ClaimId) -> Result<Option<Entry>, StoreError> {
        let path = layout::claim(id);
        let [folders @ .., name] = &path[..] else { return Ok(None) };
        let known = self.claim_folders.borrow().get(folders).copied();
        let folder = match known {
            Some(folder) => folder,
            None => {
                let folder = self.tree_at(folders)?;
                self.claim_folders.borrow_mut().insert(folders.to_vec(), folder);
                folder
            }
        };
        folder.map_or(Ok(None), |folder| self.entry_in(folder, name))
    }

    /// The claim behind an entry of the index, if the entry can be trusted: the record is there, is the same blob,
    /// and is filed where it belongs.
    fn filed(&self, folder: &[Vec<u8>], entry: &Entry) -> Result<Claim, StoreError> {
        let mut path = folder.to_vec();
        path.push(entry.name.clone());
        let path = layout::display(&path);
        let id: ClaimId =
            layout::id_of(&entry.name[1..]).ok_or_else(|| StoreError::damaged(&path, "not named by a claim id"))?;
        let record = self.claim_entry(&id)?;
        if record.is_none_or(|record| record.oid != entry.oid) {
            return Err(StoreError::damaged(path, "the index and the record differ"));
        }
        let claim = wire::parse::<Claim, WireClaim>(&path, &self.blob(&path, entry)?)?;
        if claim.id != id || layout::index_folder(&claim.scope, self.folds_case()) != folder {
            return Err(StoreError::damaged(path, "filed in the wrong place"));
        }
        Ok(claim)
    }
}

impl View for Snapshot<'_> {
    type Error = StoreError;

    fn folds_case(&self) -> bool {
        self.meta.folds_case
    }

    fn seq(&self) -> u64 {
        self.tip.as_ref().map_or(0, |tip| tip.trailers.seq)
    }

    fn instance(&self, id: &InstanceId) -> Result<Option<Instance>, StoreError> {
        self.record::<Instance, WireInstance>(&layout::instance(id))
    }

    fn claim(&self, id: &ClaimId) -> Result<Option<Claim>, StoreError> {
        self.record::<Claim, WireClaim>(&layout::claim(id))
    }

    fn claims_near(&self, scope: &Scope) -> Result<Vec<Claim>, StoreError> {
        let folder = layout::index_folder(scope, self.folds_case());
        let mut found = Vec::new();
        let Some(mut tree) = self.index_root()? else { return Ok(found) };
        self.filed_in(&folder[..1], tree, &mut found)?;
        for (depth, name) in (2..).zip(&folder[1..]) {
            match self.index_in(tree, name)? {
                Some(below) => tree = below,
                None => return Ok(found),
            }
            self.filed_in(&folder[..depth], tree, &mut found)?;
        }
        if matches!(scope, Scope::Directory(_) | Scope::Pattern(_)) {
            self.filed_below(&folder, tree, &mut found)?;
        }
        Ok(found)
    }

    fn claims_of(&self, holder: &Holder) -> Result<Vec<Claim>, StoreError> {
        Ok(self.claims(Extent::All, |claim| claim.holder == *holder)?.records)
    }

    fn ended(&self, instance: &InstanceId) -> Result<Vec<Ended>, StoreError> {
        Ok(self.losses(instance)?.0)
    }

    fn handoff(&self, id: &HandoffId) -> Result<Option<Handoff>, StoreError> {
        self.record::<Handoff, WireHandoff>(&layout::handoff(id))
    }

    fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        let path = layout::task(id);
        let entry = match &*self.task_entries.borrow() {
            Some(entries) => {
                entries.get(&path[1]).map(|(kind, oid)| Entry { name: path[1].clone(), kind: *kind, oid: *oid })
            }
            None => self.entry_at(&path)?,
        };
        let shown = layout::display(&path);
        let task = entry.map(|entry| wire::parse::<Task, WireTask>(&shown, &self.blob(&shown, &entry)?)).transpose()?;
        match task {
            Some(task) if task.id != *id => Err(StoreError::damaged(shown, "not where a record of this name belongs")),
            task => Ok(task),
        }
    }
}
