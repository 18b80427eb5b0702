//! What the user is about to commit, and how much of the work tree a scope covers: the index, read.

use super::{Repository, error::StoreError};
use crate::base::{oid::Oid, path::RepoPath};
use gix::{
    ObjectId,
    bstr::ByteSlice,
    index::{
        Entry, State,
        entry::{Flags, Stage},
        extension::Tree as Noted,
    },
    objs::{Kind, TreeRefIter, tree::EntryKind},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// What a tree has, by name.
type Children = BTreeMap<Vec<u8>, (EntryKind, ObjectId)>;

/// What the index has at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracked {
    /// Nothing.
    No,
    /// A file, a link or a submodule.
    Entry,
    /// Files below it.
    Folder,
}

/// How many tracked files a scope covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    /// Files it covers.
    pub covered: usize,
    /// Files there are.
    pub tracked: usize,
}

impl Repository {
    /// The paths that a commit of the index at `index` (or the usual one) would change, against every one of
    /// `parents`: for a merge only what differs from all of them, as the rest is somebody's commit already. Both sides
    /// of a rename, deletions and changes of mode count. No parents: everything in the index.
    ///
    /// # Errors
    /// When the index or a parent can't be read.
    pub fn staged(&self, index: Option<&Path>, parents: &[Oid]) -> Result<Vec<RepoPath>, StoreError> {
        let index = self.index_at(index)?;
        let mut changed: Option<BTreeSet<Vec<u8>>> = None;
        let trees = match parents {
            [] => vec![None],
            parents => parents.iter().map(|parent| self.tree_of(parent).map(Some)).collect::<Result<_, _>>()?,
        };
        for tree in trees {
            let mut differing = Differing { repository: self, index: &index, paths: BTreeSet::new() };
            differing.compare(&mut Vec::new(), index.entries(), index.tree(), tree)?;
            let differing = differing.paths;
            changed = Some(match changed {
                Some(before) => before.intersection(&differing).cloned().collect(),
                None => differing,
            });
        }
        let changed = changed.unwrap_or_default();
        changed.iter().map(|path| RepoPath::from_bytes(path).map_err(StoreError::read)).collect()
    }

    /// What is tracked at `path`.
    ///
    /// # Errors
    /// When the index can't be read.
    pub fn tracked(&self, path: &RepoPath) -> Result<Tracked, StoreError> {
        let index = self.index_at(None)?;
        let below = [path.as_bytes(), b"/"].concat();
        Ok(match () {
            () if index.entry_by_path(path.as_bytes().into()).is_some() => Tracked::Entry,
            () if index.prefixed_entries(below[..].into()).is_some() => Tracked::Folder,
            () => Tracked::No,
        })
    }

    /// Of `paths` those that git doesn't ignore, if files are there: what is tracked is never ignored.
    ///
    /// # Errors
    /// When the index or what is to be ignored can't be read.
    pub fn not_ignored(&self, paths: Vec<RepoPath>) -> Result<Vec<RepoPath>, StoreError> {
        let index = self.index_at(None)?;
        let (mut kept, mut excludes) = (Vec::with_capacity(paths.len()), None);
        for path in paths {
            let name = path.as_bytes().as_bstr();
            let is_kept = index.entry_by_path(name).is_some() || {
                let excludes = match &mut excludes {
                    Some(excludes) => excludes,
                    None => {
                        excludes.insert(self.gix.excludes(&index, None, Default::default()).map_err(StoreError::read)?)
                    }
                };
                let mode = Some(gix::index::entry::Mode::FILE);
                !excludes.at_entry(name, mode).map_err(StoreError::read)?.is_excluded()
            };
            if is_kept {
                kept.push(path);
            }
        }
        Ok(kept)
    }

    /// How many tracked files `covers` says yes to.
    ///
    /// # Errors
    /// When the index can't be read.
    pub fn coverage(&self, covers: impl Fn(&RepoPath) -> bool) -> Result<Coverage, StoreError> {
        let index = self.gix.index_or_empty().map_err(StoreError::read)?;
        let (mut covered, mut tracked) = (0, 0);
        for entry in index.entries() {
            tracked += 1;
            if RepoPath::from_bytes(entry.path(&index)).is_ok_and(|path| covers(&path)) {
                covered += 1;
            }
        }
        Ok(Coverage { covered, tracked })
    }

    /// Whether the index has a path that is such a one.
    ///
    /// # Errors
    /// When the index can't be read.
    pub fn has_staged(&self, is_such: impl Fn(&RepoPath) -> bool) -> Result<bool, StoreError> {
        let index = self.index_at(None)?;
        let paths = index.entries().iter().filter_map(|entry| RepoPath::from_bytes(entry.path(&index)).ok());
        Ok(paths.into_iter().any(|path| is_such(&path)))
    }

    /// The index, without adding its checksum up: git does not do that either before it commits.
    pub(super) fn index_at(&self, index: Option<&Path>) -> Result<gix::index::File, StoreError> {
        let path = index.filter(|path| path.exists()).map_or_else(|| self.gix.index_path(), Path::to_owned);
        let hash = self.gix.object_hash();
        let options = gix::index::decode::Options { thread_limit: Some(1), ..Default::default() };
        gix::index::File::at_or_default(path, hash, true, options).map_err(StoreError::read)
    }

    pub(super) fn tree_of(&self, commit: &Oid) -> Result<ObjectId, StoreError> {
        let id = ObjectId::from_hex(commit.as_str().as_bytes()).map_err(StoreError::read)?;
        let commit = self.look(|gix| gix.find_commit(id)).map_err(StoreError::read)?;
        Ok(commit.tree_id().map_err(StoreError::read)?.detach())
    }

    /// What HEAD points at, in a repository with the files backend; `None` where no commit is checked out.
    ///
    /// # Errors
    /// When it can't be told, as in a repository whose refs only git can read.
    pub fn head(&self) -> Result<Option<Oid>, StoreError> {
        let mut head = self.gix.head().map_err(StoreError::read)?;
        match head.try_peel_to_id().map_err(StoreError::read)? {
            Some(id) => Ok(Some(id.to_string().parse().map_err(StoreError::read)?)),
            None => Ok(None),
        }
    }

    /// The branch that is checked out, by the whole name of its ref, in a repository with the files backend; `None` where HEAD
    /// is detached. There need be no commit on it yet.
    ///
    /// # Errors
    /// As for [`head`](Self::head).
    pub fn branch(&self) -> Result<Option<String>, StoreError> {
        let name = self.gix.head_name().map_err(StoreError::read)?;
        Ok(name.map(|name| name.as_bstr().to_string()))
    }

    /// The other parents of the merge that is under way: what `MERGE_HEAD` of this worktree lists.
    pub fn merge_heads(&self) -> Vec<Oid> {
        let text = std::fs::read_to_string(self.gix.git_dir().join("MERGE_HEAD")).unwrap_or_default();
        text.lines().filter_map(|line| line.trim().parse().ok()).collect()
    }
}

/// Where an index and a tree differ.
///
/// gix can tell too, by making an index of the whole tree first. But just before git calls us it has noted in the index
/// which tree each folder would become, and where that is the tree there is, nothing below has to be looked at: what
/// this costs is what is changed, not what there is.
struct Differing<'a> {
    repository: &'a Repository,
    index: &'a State,
    paths: BTreeSet<Vec<u8>>,
}

impl Differing<'_> {
    /// Compares `entries`, which are all that the index has below the folder `at` (which ends in a slash, or is empty
    /// for the root), with `tree`. `noted` is what the index says of this folder.
    fn compare(
        &mut self,
        at: &mut Vec<u8>,
        entries: &[Entry],
        noted: Option<&Noted>,
        tree: Option<ObjectId>,
    ) -> Result<(), StoreError> {
        if noted.is_some_and(|noted| noted.num_entries.is_some() && Some(noted.id) == tree) {
            return Ok(());
        }
        let mut there = self.children(tree)?;
        let mut rest = entries;
        while let Some(entry) = rest.first() {
            let name = &entry.path(self.index)[at.len()..];
            let Some(end) = name.find_byte(b'/').filter(|_| !entry.mode.is_sparse()) else {
                self.compare_entry(at, entry, &mut there)?;
                rest = &rest[1..];
                continue;
            };
            let above = at.len();
            at.extend_from_slice(&name[..=end]);
            let within = rest.partition_point(|entry| entry.path(self.index).starts_with(at));
            let noted = noted.and_then(|noted| noted.children.iter().find(|child| child.name[..] == name[..end]));
            let below = match there.get(&name[..end]) {
                Some((EntryKind::Tree, tree)) => Some(*tree),
                _ => None,
            };
            if below.is_some() {
                there.remove(&name[..end]);
            }
            self.compare(at, &rest[..within], noted, below)?;
            at.truncate(above);
            rest = &rest[within..];
        }
        // What the index has not.
        for (name, (kind, oid)) in there {
            self.add_all(&[at, &name[..]].concat(), kind, oid)?;
        }
        Ok(())
    }

    fn compare_entry(&mut self, at: &[u8], entry: &Entry, there: &mut Children) -> Result<(), StoreError> {
        let path = entry.path(self.index);
        let name = path[at.len()..].strip_suffix(b"/").unwrap_or(&path[at.len()..]);
        // It is only meant to be added: what is committed has nothing there.
        if entry.flags.contains(Flags::INTENT_TO_ADD) {
            return Ok(());
        }
        let kind = entry.mode.to_tree_entry_mode().map(|mode| mode.kind());
        let same = entry.stage() == Stage::Unconflicted
            && there.get(name).is_some_and(|(its_kind, oid)| Some(*its_kind) == kind && *oid == entry.id);
        if same {
            there.remove(name);
        } else if entry.mode.is_sparse() {
            return Err(StoreError::Read("a folder outside the sparse checkout is staged".into()));
        } else {
            self.paths.insert(path.to_vec());
        }
        Ok(())
    }

    fn children(&self, tree: Option<ObjectId>) -> Result<Children, StoreError> {
        let mut children = Children::new();
        let Some(tree) = tree.filter(|tree| !tree.is_empty_tree()) else { return Ok(children) };
        let bytes = self.repository.object_of(tree, Kind::Tree)?;
        for entry in TreeRefIter::from_bytes(&bytes, tree.kind()) {
            let entry = entry.map_err(|error| StoreError::Read(format!("tree {tree}: {error}")))?;
            children.insert(entry.filename.to_vec(), (entry.mode.kind(), entry.oid.to_owned()));
        }
        Ok(children)
    }

    /// Adds a path, or all below it if it is a folder.
    fn add_all(&mut self, path: &[u8], kind: EntryKind, oid: ObjectId) -> Result<(), StoreError> {
        if kind != EntryKind::Tree {
            self.paths.insert(path.to_vec());
            return Ok(());
        }
        for (name, (kind, oid)) in self.children(Some(oid))? {
            self.add_all(&[path, b"/", &name[..]].concat(), kind, oid)?;
        }
        Ok(())
    }
}
