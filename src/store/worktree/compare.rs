//! What has changed between two moments, whether it was committed meanwhile, staged, or neither.

use super::{Capture, EntryKind, Held, to_id, to_oid};
use crate::{
    base::{oid::Oid, path::RepoPath},
    store::{Repository, error::StoreError},
};
use gix::ObjectId;
use std::collections::{BTreeMap, BTreeSet};

/// A path at which two captures differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub path: RepoPath,
    /// How.
    pub kind: ChangeKind,
    /// Whether it is, or was, another repository within the work tree. Nobody looks into it or puts it back.
    pub is_repository: bool,
}

/// How a path has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It wasn't there.
    Added,
    /// It has other content, or is of another kind.
    Modified,
    /// It is gone.
    Deleted,
    /// Its content is the same; only whether it can be run has changed.
    Mode,
}

impl ChangeKind {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeKind::Added => "added",
            ChangeKind::Modified => "modified",
            ChangeKind::Deleted => "deleted",
            ChangeKind::Mode => "mode",
        }
    }
}

impl Repository {
    /// What has changed from `before` to `after`, by path.
    ///
    /// # Errors
    /// When a tree can't be read.
    pub fn changes(&self, before: &Capture, after: &Capture) -> Result<Vec<Change>, StoreError> {
        let mut paths = BTreeSet::new();
        self.differing(&[], Some(to_id(&before.tree)?), Some(to_id(&after.tree)?), &mut paths)?;
        let raw =
            before.raw.iter().filter(|(path, raw)| after.raw.get(path).is_some_and(|after| after.bytes != raw.bytes));
        paths.extend(raw.map(|(path, _)| path.clone()));
        paths.extend(before.repositories.keys().chain(after.repositories.keys()).cloned());
        let mut changes = Vec::with_capacity(paths.len());
        for path in paths {
            let (was, is) = (self.held(before, &path)?, self.held(after, &path)?);
            if let Some(kind) = kind_of(&was, &is) {
                let is_repository = [&was, &is].into_iter().any(|held| matches!(held, Held::Repository(_)));
                changes.push(Change { path, kind, is_repository });
            }
        }
        Ok(changes)
    }

    /// `before` as a tree, with `paths` taken from `after`: what differs between the two is what has changed there. The
    /// objects are written.
    ///
    /// # Errors
    /// When a tree can't be read or written.
    pub fn with_paths_of(&self, before: &Capture, after: &Capture, paths: &[RepoPath]) -> Result<Oid, StoreError> {
        let mut edits = BTreeMap::new();
        for path in paths {
            let entry = self.entry(to_id(&after.tree)?, path)?.filter(|(kind, _)| *kind != EntryKind::Tree);
            edits.insert(path.clone(), entry);
        }
        to_oid(&self.tree_with(to_id(&before.tree)?, &edits)?)
    }

    /// Adds the paths below `at` that are not the same in both trees.
    fn differing(
        &self,
        at: &[u8],
        old: Option<ObjectId>,
        new: Option<ObjectId>,
        paths: &mut BTreeSet<RepoPath>,
    ) -> Result<(), StoreError> {
        if old == new {
            return Ok(());
        }
        let entries = |tree: Option<ObjectId>| tree.map_or_else(|| Ok(Default::default()), |tree| self.entries(tree));
        let (old, new) = (entries(old)?, entries(new)?);
        for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            let (was, is) = (old.get(name), new.get(name));
            if was == is {
                continue;
            }
            let path = if at.is_empty() { name.clone() } else { [at, b"/", name].concat() };
            let folder = |entry: Option<&(EntryKind, ObjectId)>| {
                entry.filter(|(kind, _)| *kind == EntryKind::Tree).map(|(_, tree)| *tree)
            };
            let is_leaf = |entry: Option<&(EntryKind, ObjectId)>| entry.is_some() && folder(entry).is_none();
            if is_leaf(was) || is_leaf(is) {
                paths.insert(RepoPath::from_bytes(&path).map_err(StoreError::read)?);
            }
            self.differing(&path, folder(was), folder(is), paths)?;
        }
        Ok(())
    }
}

fn kind_of(was: &Held, is: &Held) -> Option<ChangeKind> {
    let is_file = |kind: EntryKind| matches!(kind, EntryKind::Blob | EntryKind::BlobExecutable);
    match (was, is) {
        (was, is) if was.is(is) => None,
        (Held::Nothing, _) => Some(ChangeKind::Added),
        (_, Held::Nothing) => Some(ChangeKind::Deleted),
        (Held::File { kind, .. }, Held::File { kind: its_kind, .. }) if is_file(*kind) && is_file(*its_kind) => {
            let as_before = matches!(is, Held::File { blob, raw, .. }
                if was.is(&Held::File { kind: *kind, blob: *blob, raw: *raw }));
            Some(if as_before { ChangeKind::Mode } else { ChangeKind::Modified })
        }
        _ => Some(ChangeKind::Modified),
    }
}
