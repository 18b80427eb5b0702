//! What a work tree holds at a moment, kept as objects, so that it can be compared with another moment and put back.
//!
//! A [`Capture`] is the tree that a commit of everything would have: what is staged, what is not, and what git doesn't
//! know yet, without what is ignored. In it, files are as git would store them, with line ends and filters converted.
//! That is right for comparing and not enough for putting back, so that the bytes of every file that differed from the
//! index are kept besides. A file that didn't differ has no bytes of its own: it is what a checkout makes of its object.
//!
//! What git takes for unchanged counts as unchanged, and a new file that git is told to ignore is not seen. A repository
//! within the work tree is not looked into: it is known by its path and the commit at its HEAD.
//!
//! The user's index is read and never written, and no ref moves. The objects are garbage to git, and may not be on the disk
//! yet, until a capture is written as one tree, by [`Repository::capture_to_tree`], and somebody refers to that.

mod compare;
mod put_back;
mod read;
mod record;

pub use compare::{Change, ChangeKind};
pub use put_back::{LeftAlone, Plan, PutBack};
pub use read::ReadTree;

use super::{Repository, error::StoreError, objects::Batch};
use crate::base::{oid::Oid, path::RepoPath};
use gix::{
    ObjectId,
    bstr::BStr,
    objs::{
        Find, Kind, Tree, TreeRef, TreeRefIter,
        tree::{Editor, EntryKind},
    },
};
use std::collections::BTreeMap;

/// What a work tree held at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    head: Option<Oid>,
    tree: Oid,
    /// The files that differed from the index, as they were.
    raw: BTreeMap<RepoPath, Raw>,
    /// The repositories in it that are not what HEAD has, each with the commit at its own HEAD.
    repositories: BTreeMap<RepoPath, Option<Oid>>,
}

/// A file as it was on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Raw {
    /// Its bytes, as a blob.
    bytes: ObjectId,
    /// Its permissions, where the system has such as git knows: `0o644`.
    mode: Option<u32>,
}

/// What there is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Held {
    Nothing,
    /// A file or a link.
    File {
        kind: EntryKind,
        /// What git would store.
        blob: ObjectId,
        /// The bytes, where they are known to be others than a checkout makes, or might be.
        raw: Option<Raw>,
    },
    /// Another repository.
    Repository(Option<Oid>),
}

impl Held {
    /// Whether both are the same, as far as can be told.
    fn is(&self, other: &Held) -> bool {
        match (self, other) {
            (Held::File { kind, blob, raw }, Held::File { kind: its_kind, blob: its_blob, raw: its_raw }) => {
                let differ =
                    raw.as_ref().zip(its_raw.as_ref()).is_some_and(|(raw, its_raw)| raw.bytes != its_raw.bytes);
                kind == its_kind && blob == its_blob && !differ
            }
            (one, other) => one == other,
        }
    }
}

/// What a tree has, by name.
type Entries = BTreeMap<Vec<u8>, (EntryKind, ObjectId)>;

impl Capture {
    /// The commit at HEAD; `None` before the first one.
    pub fn head(&self) -> Option<&Oid> {
        self.head.as_ref()
    }

    /// The whole work tree as a tree, in which files are as git would store them.
    pub fn tree(&self) -> &Oid {
        &self.tree
    }

    /// The files that were read, since they differed from the index.
    pub fn read_paths(&self) -> impl Iterator<Item = &RepoPath> {
        self.raw.keys()
    }
}

impl Repository {
    /// What `capture` has at `path`.
    fn held(&self, capture: &Capture, path: &RepoPath) -> Result<Held, StoreError> {
        if let Some(head) = capture.repositories.get(path) {
            return Ok(Held::Repository(head.clone()));
        }
        Ok(match self.entry(to_id(&capture.tree)?, path)? {
            None | Some((EntryKind::Tree, _)) => Held::Nothing,
            Some((EntryKind::Commit, oid)) => Held::Repository(Some(to_oid(&oid)?)),
            Some((kind, blob)) => Held::File { kind, blob, raw: capture.raw.get(path).copied() },
        })
    }

    /// What `tree` has at `path`.
    fn entry(&self, tree: ObjectId, path: &RepoPath) -> Result<Option<(EntryKind, ObjectId)>, StoreError> {
        let mut found = (EntryKind::Tree, tree);
        let mut bytes = Vec::new();
        for name in path.components() {
            if found.0 != EntryKind::Tree {
                return Ok(None);
            }
            bytes.clear();
            self.read_tree(found.1, &mut bytes)?;
            let mut entries = TreeRefIter::from_bytes(&bytes, tree.kind()).filter_map(|entry| entry.ok());
            match entries.find(|entry| entry.filename == name) {
                Some(entry) => found = (entry.mode.kind(), entry.oid.to_owned()),
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }

    fn entries(&self, tree: ObjectId) -> Result<Entries, StoreError> {
        let mut bytes = Vec::new();
        self.read_tree(tree, &mut bytes)?;
        let entries = TreeRefIter::from_bytes(&bytes, tree.kind()).map(|entry| {
            let entry = entry.map_err(|error| StoreError::Read(format!("tree {tree}: {error}")))?;
            Ok((entry.filename.to_vec(), (entry.mode.kind(), entry.oid.to_owned())))
        });
        entries.collect()
    }

    fn read_tree(&self, tree: ObjectId, bytes: &mut Vec<u8>) -> Result<(), StoreError> {
        if tree.is_empty_tree() {
            return Ok(());
        }
        let missing = || StoreError::Read(format!("the tree {tree} is missing"));
        let found = self.try_find(&tree, bytes).map_err(StoreError::read)?.ok_or_else(missing)?;
        if found.kind == Kind::Tree { Ok(()) } else { Err(StoreError::Read(format!("{tree} is no tree"))) }
    }

    /// `tree` with some paths changed: each to what is given, or to nothing. The objects are written.
    fn tree_with(
        &self,
        tree: ObjectId,
        edits: &BTreeMap<RepoPath, Option<(EntryKind, ObjectId)>>,
    ) -> Result<ObjectId, StoreError> {
        // The tree without anything may not be there as an object.
        if edits.is_empty() && !tree.is_empty_tree() {
            return Ok(tree);
        }
        let mut bytes = Vec::new();
        self.read_tree(tree, &mut bytes)?;
        let hash = self.gix.object_hash();
        let root = Tree::from(TreeRef::from_bytes(&bytes, hash).map_err(StoreError::read)?);
        let mut editor = Editor::new(root, self, hash);
        // What goes first: where a folder becomes a file, or a file a folder, its name must be free.
        for path in edits.iter().filter(|(_, entry)| entry.is_none()).map(|(path, _)| path) {
            editor.remove(path.components().map(BStr::new)).map_err(StoreError::read)?;
        }
        for (path, (kind, oid)) in edits.iter().filter_map(|(path, entry)| Some((path, (*entry)?))) {
            editor.upsert(path.components().map(BStr::new), kind, oid).map_err(StoreError::read)?;
        }
        let mut batch = Batch::new(self);
        let written = editor.write(|tree| batch.add_object(tree))?;
        batch.write(false)?;
        Ok(written)
    }
}

/// Both are the same digits.
fn to_oid(id: &ObjectId) -> Result<Oid, StoreError> {
    id.to_string().parse().map_err(StoreError::read)
}

fn to_id(oid: &Oid) -> Result<ObjectId, StoreError> {
    ObjectId::from_hex(oid.as_str().as_bytes()).map_err(StoreError::read)
}
