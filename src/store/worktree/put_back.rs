//! Putting paths of a work tree back to what they were at a moment.
//!
//! What is written is only what was named, and only where it is still as the caller has seen it: who has changed it
//! meanwhile keeps the change. Nothing is written through a link, and nothing is removed that was not looked at. Each
//! file is made whole elsewhere and then takes its place, one path at a time, so that a kill in between leaves some
//! paths as they were and none half written.

use super::{
    Capture, EntryKind, Held, Raw,
    read::{is_absence, mode_of},
    to_id,
};
use crate::{
    base::path::RepoPath,
    store::{Repository, error::StoreError},
};
use gix::ObjectId;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

/// What came of putting paths back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutBack {
    /// What was written.
    pub written: Vec<RepoPath>,
    /// What was removed.
    pub removed: Vec<RepoPath>,
    /// What was left as it is, each with why.
    pub left: Vec<(RepoPath, LeftAlone)>,
}

/// Why a path was left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeftAlone {
    /// It is no longer as it was seen last.
    #[error("somebody has changed it meanwhile")]
    ChangedSince,
    /// It is another repository, or was.
    #[error("it is a repository of its own")]
    Repository,
    /// A folder stands in its place, or a link or a file in the place of a folder above it.
    #[error("something else is in its place, or above it")]
    InTheWay,
    /// The system refused.
    #[error("{0}")]
    Failed(String),
}

/// What is to be done, decided and not yet done.
#[derive(Debug)]
#[must_use = "nothing is put back yet"]
pub struct Plan {
    want: ObjectId,
    remove: BTreeSet<RepoPath>,
    write: BTreeMap<RepoPath, Wanted>,
    left: Vec<(RepoPath, LeftAlone)>,
}

#[derive(Debug)]
struct Wanted {
    source: Source,
    /// Whether there was something at the path.
    replaces: bool,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    Bytes {
        raw: Raw,
        runs: bool,
    },
    /// What git checks out.
    CheckedOut {
        runs: bool,
    },
    Link {
        target: ObjectId,
    },
}

impl Plan {
    /// The files that git has to check out.
    pub fn to_check_out(&self) -> impl Iterator<Item = &RepoPath> {
        let written = self.write.iter();
        written.filter(|(_, wanted)| matches!(wanted.source, Source::CheckedOut { .. })).map(|(path, _)| path)
    }

    /// Whether every path can be put back as far as is known.
    pub fn leaves_none(&self) -> bool {
        self.left.is_empty()
    }

    /// What will be left as it is.
    pub fn into_left(self) -> Vec<(RepoPath, LeftAlone)> {
        self.left
    }
}

impl Repository {
    /// How `paths` get to what `want` has, where they are `now` still as `seen`.
    ///
    /// # Errors
    /// When a capture can't be read.
    pub fn plan_put_back(
        &self,
        want: &Capture,
        seen: &Capture,
        now: &Capture,
        paths: &[RepoPath],
    ) -> Result<Plan, StoreError> {
        let mut plan =
            Plan { want: to_id(&want.tree)?, remove: BTreeSet::new(), write: BTreeMap::new(), left: Vec::new() };
        for path in paths.iter().collect::<BTreeSet<_>>() {
            let (want, seen, now) = (self.held(want, path)?, self.held(seen, path)?, self.held(now, path)?);
            if want.is(&now) {
                continue;
            }
            let source = match want {
                _ if matches!(now, Held::Repository(_)) => Err(LeftAlone::Repository),
                Held::Repository(_) => Err(LeftAlone::Repository),
                _ if !now.is(&seen) => Err(LeftAlone::ChangedSince),
                Held::Nothing => Ok(None),
                Held::File { kind: EntryKind::Link, blob, .. } => Ok(Some(Source::Link { target: blob })),
                Held::File { kind, raw, .. } => {
                    let runs = kind == EntryKind::BlobExecutable;
                    Ok(Some(raw.map_or(Source::CheckedOut { runs }, |raw| Source::Bytes { raw, runs })))
                }
            };
            match source {
                Err(why) => plan.left.push((path.clone(), why)),
                Ok(None) => drop(plan.remove.insert(path.clone())),
                Ok(Some(source)) => {
                    let replaces = now != Held::Nothing;
                    plan.write.insert(path.clone(), Wanted { source, replaces });
                }
            }
        }
        Ok(plan)
    }

    /// Does what was planned. What git had to check out is in the folder `checked_out`, and `scratch` is a folder for
    /// what is made here. `observe` is told how many paths have been come to, after each of them.
    ///
    /// # Errors
    /// When there is no work tree.
    pub fn put_back(
        &self,
        plan: Plan,
        checked_out: &Path,
        scratch: &Path,
        observe: impl Fn(usize),
    ) -> Result<PutBack, StoreError> {
        let root = self.work_tree().ok_or_else(|| StoreError::Read("there is no work tree".into()))?;
        let mut done = PutBack { left: plan.left, ..PutBack::default() };
        let paths = plan.remove.len();
        // What is deepest first, and before anything is written: a folder may have to make room for a file.
        for (at, path) in plan.remove.iter().rev().enumerate() {
            match remove(&root, path) {
                Ok(()) => {
                    self.remove_emptied(&root, path, plan.want);
                    done.removed.push(path.clone());
                }
                Err(why) => done.left.push((path.clone(), why)),
            }
            observe(at + 1);
        }
        done.removed.reverse();
        for (at, (path, wanted)) in plan.write.into_iter().enumerate() {
            let made = self.make(&path, wanted.source, checked_out, &scratch.join("file"));
            match made.and_then(|made| place(&root, &path, &made, &wanted)) {
                Ok(()) => done.written.push(path),
                Err(why) => done.left.push((path, why)),
            }
            observe(paths + at + 1);
        }
        done.left.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(done)
    }

    /// The file that is to stand at `path`, made elsewhere.
    fn make(&self, path: &RepoPath, source: Source, checked_out: &Path, file: &Path) -> Result<PathBuf, LeftAlone> {
        let bytes = |oid: ObjectId| {
            let found = self.look(|gix| gix.find_object(oid)).map_err(|error| LeftAlone::Failed(error.to_string()));
            found.map(|mut object| std::mem::take(&mut object.data))
        };
        match source {
            Source::CheckedOut { .. } => Ok(checked_out.join(path.to_os().ok_or_else(no_name)?)),
            Source::Bytes { raw, .. } => fs::write(file, bytes(raw.bytes)?).map_err(failed).map(|()| file.to_owned()),
            Source::Link { target } => link(&bytes(target)?, file).map_err(failed).map(|()| file.to_owned()),
        }
    }

    /// Removes the folders that have become empty because of `path`, as far as `tree` has none there.
    fn remove_emptied(&self, root: &Path, path: &RepoPath, tree: ObjectId) {
        let mut at = path.parent();
        while let Some(folder) = at.filter(|folder| !folder.is_root()) {
            let is_wanted = matches!(self.entry(tree, &folder), Ok(Some((EntryKind::Tree, _))) | Err(_));
            if is_wanted || folder.to_os().is_none_or(|folder| fs::remove_dir(root.join(folder)).is_err()) {
                break;
            }
            at = folder.parent();
        }
    }
}

fn failed(error: io::Error) -> LeftAlone {
    LeftAlone::Failed(error.to_string())
}

fn no_name() -> LeftAlone {
    LeftAlone::Failed("this system can't have such a name".into())
}

fn remove(root: &Path, path: &RepoPath) -> Result<(), LeftAlone> {
    folders_above(root, path, false)?;
    let at = root.join(path.to_os().ok_or_else(no_name)?);
    match at.symlink_metadata() {
        Ok(meta) if meta.is_dir() => Err(LeftAlone::InTheWay),
        Ok(_) => fs::remove_file(at).map_err(failed),
        Err(error) if is_absence(&error) => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// Puts the file `made` in its place.
fn place(root: &Path, path: &RepoPath, made: &Path, wanted: &Wanted) -> Result<(), LeftAlone> {
    folders_above(root, path, true)?;
    let at = root.join(path.to_os().ok_or_else(no_name)?);
    let there = match at.symlink_metadata() {
        Ok(meta) if meta.is_dir() || !wanted.replaces => return Err(LeftAlone::InTheWay),
        Ok(meta) => Some(meta),
        Err(error) if is_absence(&error) => None,
        Err(error) => return Err(failed(error)),
    };
    let there = there.filter(fs::Metadata::is_file);
    let mode = match wanted.source {
        Source::Bytes { raw, runs } => Some((raw.mode, runs)),
        Source::CheckedOut { runs } => Some((there.as_ref().and_then(mode_of), runs)),
        Source::Link { .. } => None,
    };
    if let Some((mode, runs)) = mode {
        set_mode(made, mode, runs).map_err(failed)?;
    }
    match fs::rename(made, &at) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => copy(made, &at).map_err(failed),
        renamed => renamed.map_err(failed),
    }
}

/// Makes sure that all above `path` are folders, and no links to any; with `make`, makes those that are missing.
fn folders_above(root: &Path, path: &RepoPath, make: bool) -> Result<(), LeftAlone> {
    let Some(above) = path.parent() else { return Err(LeftAlone::InTheWay) };
    let mut at = root.to_owned();
    let above = above.to_os().ok_or_else(no_name)?;
    for name in above.components() {
        at.push(name);
        match at.symlink_metadata() {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(LeftAlone::InTheWay),
            Err(error) if error.kind() == io::ErrorKind::NotFound && make => fs::create_dir(&at).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

/// The same, to another file system: next to its place first, since only that can be done in one step.
fn copy(made: &Path, at: &Path) -> io::Result<()> {
    let mut beside = at.as_os_str().to_owned();
    beside.push(".git-aio-new");
    let beside = PathBuf::from(beside);
    let meta = made.symlink_metadata()?;
    let copied = match meta.is_symlink() {
        true => fs::read_link(made).and_then(|target| make_link(&target, &beside)),
        false => fs::copy(made, &beside).map(drop),
    };
    copied.and_then(|()| fs::rename(&beside, at)).inspect_err(|_| drop(fs::remove_file(&beside)))
}

/// Gives a file permissions, as far as they let its owner read it, and those to run it as it should have them.
#[cfg(unix)]
fn set_mode(made: &Path, mode: Option<u32>, runs: bool) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let own = made.symlink_metadata()?.permissions().mode() & 0o777;
    let kept = mode.filter(|mode| mode & 0o400 != 0).unwrap_or(own);
    let wanted = if runs { kept | (kept & 0o444) >> 2 } else { kept & !0o111 };
    if wanted == own { Ok(()) } else { fs::set_permissions(made, fs::Permissions::from_mode(wanted)) }
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: Option<u32>, _: bool) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn link(target: &[u8], at: &Path) -> io::Result<()> {
    make_link(Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(target)), at)
}

/// As git does where it is told not to make links.
#[cfg(not(unix))]
fn link(target: &[u8], at: &Path) -> io::Result<()> {
    fs::write(at, target)
}

#[cfg(unix)]
fn make_link(target: &Path, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, at)
}

#[cfg(not(unix))]
fn make_link(target: &Path, at: &Path) -> io::Result<()> {
    fs::write(at, target.to_string_lossy().as_bytes())
}
