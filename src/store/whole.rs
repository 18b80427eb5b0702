//! Whether all of a state is there: every object behind it present, intact and readable.
//!
//! After a power failure, or in a repository that lost objects, a commit may be there and half of its tree be gone.
//! Reading a record here and there would not notice; git's own fetch and gc fail on it.

use super::{
    Repository, Snapshot,
    error::StoreError,
    layout,
    log::{OurCommit, Trailers},
};
use crate::{base::oid::Oid, model::view::View};
use gix::{
    ObjectId,
    objs::{Kind, TreeRefIter, tree::EntryKind},
};
use std::collections::HashSet;

/// The way from a state back to the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// How many commits there are.
    pub length: u64,
    /// How often the history was cut, the beginning counted.
    pub epoch: u64,
}

/// Looks at objects, each only once however many states share it.
pub(super) struct Inspector<'r> {
    repository: &'r Repository,
    whole: HashSet<ObjectId>,
}

impl<'r> Inspector<'r> {
    pub(super) fn new(repository: &'r Repository) -> Self {
        Inspector { repository, whole: HashSet::new() }
    }

    /// The state that commit `oid` made, if it is one and all of it is there.
    pub(super) fn state(&mut self, oid: &Oid) -> Result<Snapshot<'r>, StoreError> {
        let snapshot = self.repository.snapshot_at(oid.clone())?;
        if let Some(tip) = &snapshot.tip {
            self.tree(tip.tree)?;
        }
        Ok(snapshot)
    }

    fn tree(&mut self, root: ObjectId) -> Result<(), StoreError> {
        let (mut open, mut seen) = (vec![(root, Kind::Tree)], HashSet::new());
        while let Some((id, kind)) = open.pop() {
            if self.whole.contains(&id) || !seen.insert(id) {
                continue;
            }
            let data = self.object(id, kind)?;
            if kind == Kind::Tree {
                for entry in TreeRefIter::from_bytes(&data, id.kind()) {
                    let entry = entry.map_err(|error| StoreError::Tip(format!("tree {id}: {error}")))?;
                    match entry.mode.kind() {
                        EntryKind::Tree => open.push((entry.oid.to_owned(), Kind::Tree)),
                        EntryKind::Commit => {} // of another repository
                        _ => open.push((entry.oid.to_owned(), Kind::Blob)),
                    }
                }
            }
        }
        self.whole.extend(seen);
        Ok(())
    }

    /// The bytes of an object, after a look whether they are what its name says. What is too large to be a record is
    /// not read, and is a matter of the records.
    fn object(&self, id: ObjectId, kind: Kind) -> Result<Vec<u8>, StoreError> {
        let repository = self.repository;
        let lost = |reason: String| StoreError::Tip(format!("{kind} {id}: {reason}"));
        let header = repository.look(|gix| gix.find_header(id)).map_err(|error| lost(format!("{error}")))?;
        if header.kind() != kind {
            return Err(lost(format!("it is a {}", header.kind())));
        }
        if header.size() > layout::MAX_LISTING as u64 {
            return if kind == Kind::Blob { Ok(Vec::new()) } else { Err(lost("it is too large".into())) };
        }
        let object = repository.look(|gix| gix.find_object(id)).map_err(|error| lost(format!("{error}")))?;
        let data = object.detach().data;
        let name = gix::objs::compute_hash(repository.gix.object_hash(), kind, &data)
            .map_err(|error| lost(error.to_string()))?;
        if name == id { Ok(data) } else { Err(lost("its bytes are not those it was named for".into())) }
    }
}

impl Snapshot<'_> {
    /// Makes sure that every object of this state is there.
    ///
    /// # Errors
    /// Says which is not.
    pub fn check_whole(&self) -> Result<(), StoreError> {
        self.tip.as_ref().map_or(Ok(()), |tip| Inspector::new(self.repository).tree(tip.tree))
    }

    /// Walks the commits back to the first one. Each is ours, has one parent at most, and follows on that by one. Only a
    /// repair may leave numbers out: those that were given to operations which it took back.
    ///
    /// # Errors
    /// Says where the way ends.
    pub fn chain(&self) -> Result<Chain, StoreError> {
        let Some(tip) = &self.tip else { return Ok(Chain { length: 0, epoch: 0 }) };
        let (mut next, mut expected, mut length) = (Some(tip.oid.clone()), self.seq(), 0);
        let mut leaves_out = false;
        while let Some(oid) = next {
            let (trailers, parent) = self.repository.link(&oid)?;
            if trailers.seq > expected || trailers.seq < expected && !leaves_out {
                let reason = format!("commit {oid} has the number {}, and {expected} is due", trailers.seq);
                return Err(StoreError::Tip(reason));
            }
            if parent.is_none() && trailers.seq > 1 && trailers.epoch < 2 {
                return Err(StoreError::Tip(format!(
                    "commit {oid} has the number {}, and none before it",
                    trailers.seq
                )));
            }
            (next, expected, length) = (parent, trailers.seq.saturating_sub(1), length + 1);
            leaves_out = trailers.mends;
        }
        Ok(Chain { length, epoch: tip.trailers.epoch })
    }
}

impl Repository {
    /// What a commit of ours says about itself, and its parent.
    pub(super) fn link(&self, oid: &Oid) -> Result<(Trailers, Option<Oid>), StoreError> {
        let OurCommit { trailers, mut parents, .. } = self.our_commit(oid)?;
        let parent = parents.pop();
        if parents.is_empty() {
            Ok((trailers, parent))
        } else {
            Err(StoreError::Tip(format!("commit {oid} has more than one parent")))
        }
    }
}
