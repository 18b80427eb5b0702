//! Objects of one operation: collected, then written together, then made durable.

use super::{error::StoreError, refs::sync_folder};
use gix::{
    ObjectId,
    objs::{Kind, Write as _, WriteTo},
};
use std::{
    collections::BTreeSet,
    fs::OpenOptions,
    path::{Path, PathBuf},
};

/// How often a write is begun whose folder is removed meanwhile.
const TRIES: u32 = 16;

/// Objects that are not yet written.
pub(super) struct Batch<'r> {
    gix: &'r gix::Repository,
    objects: Vec<(ObjectId, Kind, Vec<u8>)>,
}

impl<'r> Batch<'r> {
    pub(super) fn new(gix: &'r gix::Repository) -> Self {
        Batch { gix, objects: Vec::new() }
    }

    /// Takes an object in, and tells its name.
    pub(super) fn add(&mut self, kind: Kind, bytes: Vec<u8>) -> Result<ObjectId, StoreError> {
        let id = gix::objs::compute_hash(self.gix.object_hash(), kind, &bytes).map_err(StoreError::read)?;
        if !self.objects.iter().any(|(known, ..)| *known == id) {
            self.objects.push((id, kind, bytes));
        }
        Ok(id)
    }

    /// As [`add`](Self::add), for an object that can write itself.
    pub(super) fn add_object(&mut self, object: &impl WriteTo) -> Result<ObjectId, StoreError> {
        let mut bytes = Vec::with_capacity(object.size() as usize);
        object.write_to(&mut bytes).map_err(|error| StoreError::Write(error.to_string()))?;
        self.add(object.kind(), bytes)
    }

    /// Writes all of them; with `durable` they are on the disk before this returns. git itself does not wait for that,
    /// and a tip that points at a lost object would break the user's own fetch and gc.
    pub(super) fn write(&self, durable: bool) -> Result<(), StoreError> {
        for object in &self.objects {
            self.write_one(object)?;
        }
        if durable { self.sync() } else { Ok(()) }
    }

    /// Writes again what is not where it was written. Until the ref points at them our objects are garbage to a git
    /// that tidies up beside us: `git prune` removes them, and `git gc` moves them to a pack of garbage, which a
    /// `git repack` that began before the ref moved is about to remove. So being in a pack proves nothing.
    pub(super) fn restore_missing(&self, durable: bool) -> Result<(), StoreError> {
        let mut restored = false;
        for object in &self.objects {
            if !self.loose_path(&object.0).exists() {
                self.write_one(object)?;
                restored = true;
            }
        }
        if restored && durable { self.sync() } else { Ok(()) }
    }

    fn write_one(&self, (id, kind, bytes): &(ObjectId, Kind, Vec<u8>)) -> Result<(), StoreError> {
        for tries_left in (0..TRIES).rev() {
            match self.gix.objects.write_buf_with_known_id(*kind, bytes, *id) {
                Ok(_) => break,
                // A gc beside us removes folders of objects as they become empty, so also one just made for this.
                Err(error) if error.is_not_found() && tries_left > 0 => {}
                Err(error) => return Err(StoreError::Write(format!("{error:#}"))),
            }
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        let failed = |error: std::io::Error| StoreError::Write(error.to_string());
        let mut folders = BTreeSet::new();
        for (id, ..) in &self.objects {
            let path = self.loose_path(id);
            match sync_file(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                synced => synced.map_err(failed)?,
            }
            folders.extend(path.parent().map(Path::to_owned));
        }
        folders.iter().try_for_each(|folder| sync_folder(folder)).map_err(failed)
    }

    fn loose_path(&self, id: &ObjectId) -> PathBuf {
        let hex = id.to_string();
        self.gix.common_dir().join("objects").join(&hex[..2]).join(&hex[2..])
    }
}

/// Objects are read-only files. Unix makes those durable too; elsewhere that takes the right to write, and what the
/// system does by itself has to do.
fn sync_file(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new().read(true).open(path)?;
    if cfg!(unix) { file.sync_all() } else { Ok(()) }
}
