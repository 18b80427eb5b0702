//! What the user is about to commit, and how much of the work tree a scope covers: the index, read.

use super::{Repository, error::StoreError};
use crate::base::{oid::Oid, path::RepoPath};
use gix::ObjectId;
use std::{collections::BTreeSet, ops::ControlFlow, path::Path};

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
            [] => vec![ObjectId::empty_tree(self.gix.object_hash())],
            parents => parents.iter().map(|parent| self.tree_of(parent)).collect::<Result<_, _>>()?,
        };
        for tree in trees {
            let differing = self.differing(&index, tree)?;
            changed = Some(match changed {
                Some(before) => before.intersection(&differing).cloned().collect(),
                None => differing,
            });
        }
        let changed = changed.unwrap_or_default();
        changed.iter().map(|path| RepoPath::from_bytes(path).map_err(StoreError::read)).collect()
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

    fn index_at(&self, index: Option<&Path>) -> Result<gix::index::File, StoreError> {
        let Some(path) = index.filter(|path| path.exists()) else {
            return match self.gix.try_index().map_err(StoreError::read)? {
                Some(index) => Ok(gix::index::File::clone(&index)),
                None => {
                    let empty = gix::index::State::new(self.gix.object_hash());
                    Ok(gix::index::File::from_state(empty, self.gix.index_path()))
                }
            };
        };
        gix::index::File::at(path, self.gix.object_hash(), false, Default::default()).map_err(StoreError::read)
    }

    fn tree_of(&self, commit: &Oid) -> Result<ObjectId, StoreError> {
        let id = ObjectId::from_hex(commit.as_str().as_bytes()).map_err(StoreError::read)?;
        let commit = self.look(|gix| gix.find_commit(id)).map_err(StoreError::read)?;
        Ok(commit.tree_id().map_err(StoreError::read)?.detach())
    }

    fn differing(&self, index: &gix::index::State, tree: ObjectId) -> Result<BTreeSet<Vec<u8>>, StoreError> {
        let mut paths = BTreeSet::new();
        self.gix
            .tree_index_status(&tree, index, None, gix::status::tree_index::TrackRenames::Disabled, |change, _, _| {
                paths.insert(change.location().to_vec());
                Ok(ControlFlow::Continue(()))
            })
            .map_err(StoreError::read)?;
        Ok(paths)
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

    /// The other parents of the merge that is under way: what `MERGE_HEAD` of this worktree lists.
    pub fn merge_heads(&self) -> Vec<Oid> {
        let text = std::fs::read_to_string(self.gix.git_dir().join("MERGE_HEAD")).unwrap_or_default();
        text.lines().filter_map(|line| line.trim().parse().ok()).collect()
    }
}
