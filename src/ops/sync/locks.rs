//! Locks that a killed git left on what is known of the hub. Whose they are nobody can tell, so they are named and left.

use crate::{
    base::refs::RefError,
    ops::{Error, Session},
    store::StoreError,
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Where git keeps what was fetched.
const TRACKING: &str = "refs/aio-sync";

/// How deep the refs of a hub lie there at most, and how many entries are looked at.
const DEPTH: usize = 6;
const MOST: usize = 10_000;

impl Session {
    /// The locks on what was fetched from the hub at `place`, from all hubs if none is named.
    pub(in crate::ops) fn locks_of_tracking(&self, place: Option<&str>) -> Vec<PathBuf> {
        let common = self.repository.common_dir();
        let folder = common.join(TRACKING);
        let folder = place.map_or(folder.clone(), |place| folder.join(place));
        let (mut found, mut seen) = (Vec::new(), 0);
        collect(&folder, DEPTH, &mut seen, &mut found);
        found.sort();
        found
    }

    /// What a fetch from the hub at `place` failed for: a lock, where there is one, or else `error`.
    pub(super) fn locked_or(&self, place: &str, error: Error) -> Error {
        let table = self.repository.common_dir().join("reftable/tables.list.lock");
        let locks = self.locks_of_tracking(Some(place)).into_iter().chain([table]);
        let mut held = locks.filter_map(|lock| age(&lock).map(|age| (lock, age)));
        held.next().map_or(error, |(lock, age)| StoreError::from(RefError::Locked { lock, age }).into())
    }
}

fn collect(folder: &Path, depth: usize, seen: &mut usize, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        *seen += 1;
        if *seen > MOST {
            return;
        }
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => collect(&path, depth - 1, seen, found),
            Ok(kind) if kind.is_file() && path.extension().is_some_and(|end| end == "lock") => found.push(path),
            _ => {}
        }
    }
}

/// How long a file has been there; `None` where it is not.
fn age(path: &Path) -> Option<Duration> {
    Some(path.metadata().ok()?.modified().ok()?.elapsed().unwrap_or_default())
}
