//! Reading the files that differ, and making a capture of them.

use super::{Capture, Raw, to_id, to_oid};
use crate::{
    base::{
        oid::Oid,
        path::RepoPath,
        worktree::{Look, Sight},
    },
    store::{Repository, error::StoreError, objects::Batch},
};
use gix::{
    ObjectId,
    index::entry::{Flags, Mode},
    objs::{Kind, Write as _, tree::EntryKind},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, Metadata},
    io,
    path::{Path, PathBuf},
};

/// The largest file that is kept, in bytes.
const MAX_FILE: u64 = 1024 * 1024 * 1024;

/// The largest file that is read in one piece, in bytes.
const IN_ONE_PIECE: u64 = 64 * 1024 * 1024;

/// How much is collected before it is written, in bytes, and in objects.
const TOGETHER: (usize, usize) = (32 * 1024 * 1024, 256);

/// The files of a work tree that differ, read. It lacks what they are to git, which only git can say where files are
/// converted.
#[derive(Debug)]
#[must_use = "it is not a capture yet"]
pub struct ReadTree {
    head: Option<Oid>,
    edits: BTreeMap<RepoPath, Option<(EntryKind, ObjectId)>>,
    raw: BTreeMap<RepoPath, Raw>,
    repositories: BTreeMap<RepoPath, Option<Oid>>,
}

impl ReadTree {
    /// The files of which git has to say what they are to it.
    pub fn files(&self) -> impl Iterator<Item = &RepoPath> {
        self.raw.keys()
    }

    /// Those of the files that git would store otherwise than they are, as it `says` for each.
    pub fn converted(&self, says: &[Oid]) -> Vec<&RepoPath> {
        let files = self.raw.iter().zip(says);
        files.filter(|((_, raw), says)| to_id(says).ok() != Some(raw.bytes)).map(|((path, _), _)| path).collect()
    }
}

impl Repository {
    /// Reads what `look` has found to differ, and whatever else there is at `known`, and keeps the bytes as objects. What
    /// the index is told not to look at is looked at here: an agent can say so too.
    ///
    /// # Errors
    /// When a file can't be read or is larger than 1 GiB, or its bytes can't be kept.
    pub fn read_work_tree<'p>(
        &self,
        look: Look,
        known: impl Iterator<Item = &'p RepoPath>,
        index: Option<&Path>,
    ) -> Result<ReadTree, StoreError> {
        let root = self.work_tree().ok_or_else(|| StoreError::Read("there is no work tree".into()))?;
        let index = self.index_at(index)?;
        let mut reader = Reader { repository: self, root, index: &index, batch: Batch::new(self) };
        let mut read =
            ReadTree { head: look.head, edits: BTreeMap::new(), raw: BTreeMap::new(), repositories: BTreeMap::new() };
        let mut open = BTreeSet::new();
        for (path, sight) in look.sights {
            let path = RepoPath::from_bytes(&path).map_err(StoreError::read)?;
            open.remove(&path);
            match sight {
                Sight::AsStaged(entry) => drop(read.edits.insert(path, entry.map(staged).transpose()?)),
                Sight::Repository(head) => {
                    let commit = head.as_ref().map(to_id).transpose()?;
                    read.edits.insert(path.clone(), commit.map(|commit| (EntryKind::Commit, commit)));
                    read.repositories.insert(path, head);
                }
                Sight::Differs => drop(open.insert(path)),
            }
        }
        let told = |path: &RepoPath| read.edits.contains_key(path) || read.repositories.contains_key(path);
        // One that is not there git has told of, if it was tracked and is not outside of a sparse checkout.
        open.extend(known.filter(|path| !told(path) && reader.has(path)).cloned());
        open.extend(reader.unwatched().filter(|path| !told(path)));
        for path in open {
            let found = reader.read(&path)?;
            if let Some((kind, bytes, mode)) = found
                && kind != EntryKind::Link
            {
                read.raw.insert(path.clone(), Raw { bytes, mode });
            }
            read.edits.insert(path, found.map(|(kind, bytes, _)| (kind, bytes)));
        }
        reader.batch.write(false)?;
        Ok(read)
    }

    /// The capture of what was read, where git `says` of each of its files what it is to it.
    ///
    /// # Errors
    /// When the tree at HEAD can't be read, or a tree can't be written.
    pub fn capture(&self, mut read: ReadTree, says: &[Oid]) -> Result<Capture, StoreError> {
        for (path, says) in read.raw.keys().zip(says) {
            if let Some(Some((_, oid))) = read.edits.get_mut(path) {
                *oid = to_id(says)?;
            }
        }
        let base = match &read.head {
            Some(head) => self.tree_of(head)?,
            None => ObjectId::empty_tree(self.gix.object_hash()),
        };
        let tree = self.tree_with(base, &read.edits)?;
        Ok(Capture { head: read.head, tree: to_oid(&tree)?, raw: read.raw, repositories: read.repositories })
    }
}

impl Repository {
    /// The other repositories that there are in this work tree, which `now` holds: those that git knows of and those that
    /// it doesn't.
    ///
    /// # Errors
    /// When the index can't be read.
    pub fn repositories_within(&self, now: &Capture) -> Result<Vec<RepoPath>, StoreError> {
        let root = self.work_tree().ok_or_else(|| StoreError::Read("there is no work tree".into()))?;
        let index = self.index_at(None)?;
        let known = index.entries().iter().filter(|entry| entry.mode.is_submodule());
        let mut paths: BTreeSet<RepoPath> =
            known.filter_map(|entry| RepoPath::from_bytes(entry.path(&index)).ok()).collect();
        paths.extend(now.repositories.keys().cloned());
        let is_there = |path: &RepoPath| path.to_os().is_some_and(|path| root.join(path).join(".git").exists());
        paths.retain(is_there);
        Ok(paths.into_iter().collect())
    }

    /// Whether `commit` has at `path` what `capture` has there, as git stores it.
    ///
    /// # Errors
    /// When one of them can't be read.
    pub fn has_as(&self, commit: &Oid, capture: &Capture, path: &RepoPath) -> Result<bool, StoreError> {
        let held = |tree| -> Result<_, StoreError> {
            Ok(self.entry(tree, path)?.filter(|(kind, _)| *kind != EntryKind::Tree))
        };
        Ok(held(self.tree_of(commit)?)? == held(to_id(&capture.tree)?)?)
    }

    /// Those of `paths` at which the index has what `capture` has there, as git stores it.
    ///
    /// # Errors
    /// When one of them can't be read.
    pub fn staged_as<'p>(&self, capture: &Capture, paths: &'p [RepoPath]) -> Result<Vec<&'p RepoPath>, StoreError> {
        let (index, tree) = (self.index_at(None)?, to_id(&capture.tree)?);
        let mut same = Vec::new();
        for path in paths {
            let entry = index.entry_by_path(path.as_bytes().into());
            let staged = entry.and_then(|entry| Some((entry.mode.to_tree_entry_mode()?.kind(), entry.id)));
            if staged == self.entry(tree, path)?.filter(|(kind, _)| *kind != EntryKind::Tree) {
                same.push(path);
            }
        }
        Ok(same)
    }

    /// The commit that `commit` has of the submodule at `path`, if it has one there.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn submodule_at(&self, commit: &Oid, path: &RepoPath) -> Result<Option<Oid>, StoreError> {
        match self.entry(self.tree_of(commit)?, path)? {
            Some((EntryKind::Commit, oid)) => to_oid(&oid).map(Some),
            _ => Ok(None),
        }
    }
}

fn staged((mode, oid): (u32, Oid)) -> Result<(EntryKind, ObjectId), StoreError> {
    let kind = match mode {
        0o100_755 => EntryKind::BlobExecutable,
        0o120_000 => EntryKind::Link,
        0o160_000 => EntryKind::Commit,
        _ => EntryKind::Blob,
    };
    Ok((kind, to_id(&oid)?))
}

/// What a file is to git, its bytes and its permissions.
type Found = (EntryKind, ObjectId, Option<u32>);

struct Reader<'r> {
    repository: &'r Repository,
    root: PathBuf,
    index: &'r gix::index::State,
    batch: Batch<'r>,
}

impl Reader<'_> {
    /// Whether there is anything at `path`.
    fn has(&self, path: &RepoPath) -> bool {
        self.place(path).is_some_and(|place| place.symlink_metadata().is_ok())
    }

    /// Where `path` is; `None` where what is above it is not all folders. Behind a link is another place.
    fn place(&self, path: &RepoPath) -> Option<PathBuf> {
        let path = path.to_os()?;
        let is_folder = |folder: &Path| self.root.join(folder).symlink_metadata().is_ok_and(|meta| meta.is_dir());
        path.ancestors().skip(1).all(is_folder).then(|| self.root.join(path))
    }

    /// The files that git is told not to look at: those it shall take for unchanged, and those outside of a sparse
    /// checkout that are there nevertheless.
    fn unwatched(&self) -> impl Iterator<Item = RepoPath> {
        let entries = self.index.entries().iter().filter(|entry| !entry.mode.is_sparse() && !entry.mode.is_submodule());
        let unwatched = entries.filter_map(move |entry| {
            let (assumed, skipped) =
                (entry.flags.contains(Flags::ASSUME_VALID), entry.flags.contains(Flags::SKIP_WORKTREE));
            if !assumed && !skipped {
                return None;
            }
            let path = RepoPath::from_bytes(entry.path(self.index)).ok()?;
            (!skipped || self.has(&path)).then_some(path)
        });
        unwatched.collect::<Vec<_>>().into_iter()
    }

    /// What there is at `path`, its bytes kept, and its permissions; `None` for nothing, or for what git doesn't keep.
    fn read(&mut self, path: &RepoPath) -> Result<Option<Found>, StoreError> {
        let unreadable = |error: io::Error| StoreError::Read(format!("{path}: {error}"));
        let Some(os) = self.place(path) else { return Ok(None) };
        let meta = match os.symlink_metadata() {
            Ok(meta) => meta,
            Err(error) if is_absence(&error) => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        if meta.is_symlink() {
            let target = fs::read_link(&os).map_err(unreadable)?;
            let blob = self.batch.add(Kind::Blob, target_bytes(&target))?;
            return Ok(Some((EntryKind::Link, blob, None)));
        }
        if !meta.is_file() {
            return Ok(None);
        }
        let kind = self.kind(path, &meta);
        let file = match open(&os) {
            Ok(file) => file,
            Err(error) if is_absence(&error) => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let oid = if meta.len() > IN_ONE_PIECE {
            self.stream(path, file, meta.len())?
        } else {
            let bytes = crate::disk::read_from(&file, MAX_FILE as usize).map_err(unreadable)?;
            self.add(bytes)?
        };
        Ok(Some((kind, oid, mode_of(&meta))))
    }

    fn add(&mut self, bytes: Vec<u8>) -> Result<ObjectId, StoreError> {
        let hash = self.repository.gix.object_hash();
        let id = gix::objs::compute_hash(hash, Kind::Blob, &bytes).map_err(StoreError::read)?;
        if self.repository.was_just_written(&id) {
            return Ok(id);
        }
        let id = self.batch.add(Kind::Blob, bytes)?;
        if self.batch.size() > TOGETHER.0 || self.batch.len() > TOGETHER.1 {
            let full = std::mem::replace(&mut self.batch, Batch::new(self.repository));
            full.write(false)?;
        }
        Ok(id)
    }

    /// Keeps a file that is too large to be held in memory.
    fn stream(&self, path: &RepoPath, mut file: File, size: u64) -> Result<ObjectId, StoreError> {
        if size > MAX_FILE {
            let (size, limit) = (usize::try_from(size).unwrap_or(usize::MAX), MAX_FILE as usize);
            return Err(StoreError::TooLarge { what: path.to_string(), size, limit });
        }
        let failed = |error: &dyn std::fmt::Display| StoreError::Read(format!("{path}: {error}"));
        self.repository.gix.objects.write_stream(Kind::Blob, size, &mut file).map_err(|error| failed(&error))
    }

    /// What git takes the file for: where it doesn't trust the file system, what it is in the index.
    fn kind(&self, path: &RepoPath, meta: &Metadata) -> EntryKind {
        let config = self.repository.gix.config_snapshot();
        let staged = || self.index.entry_by_path(path.as_bytes().into()).map(|entry| entry.mode);
        if config.boolean("core.symlinks") == Some(false) && staged() == Some(Mode::SYMLINK) {
            return EntryKind::Link;
        }
        let runs = match mode_of(meta) {
            Some(mode) if config.boolean("core.fileMode") != Some(false) => mode & 0o100 != 0,
            _ => staged() == Some(Mode::FILE_EXECUTABLE),
        };
        if runs { EntryKind::BlobExecutable } else { EntryKind::Blob }
    }
}

/// Whether there is nothing at a path, or what is above it is no folder.
pub(super) fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Opens a file that may have become a link or a pipe since it was looked at: it is neither followed nor waited for.
fn open(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NOCTTY;
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.bits().cast_signed());
    }
    options.open(path)
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere the system has none")]
pub(super) fn mode_of(meta: &Metadata) -> Option<u32> {
    Some(std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777)
}

#[cfg(not(unix))]
pub(super) fn mode_of(_: &Metadata) -> Option<u32> {
    None
}

#[cfg(unix)]
fn target_bytes(target: &Path) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(target.as_os_str()).to_vec()
}

#[cfg(not(unix))]
fn target_bytes(target: &Path) -> Vec<u8> {
    target.to_string_lossy().replace('\\', "/").into_bytes()
}
