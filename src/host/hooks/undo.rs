//! Takes back what `init` did.

use super::{
    HookError, Lock, Node, Site,
    apply::{config_path, read_config},
    manifest::{self, Before, ConfigRecord, FileRecord, Manifest, backup_dir, decode, kept_bytes},
    node::digest,
    script,
};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

/// What an undo did with one thing. It reads as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// The file is as it was before.
    Restored(PathBuf),
    /// The file, which was not there before, is gone.
    Removed(PathBuf),
    /// Somebody has changed the file since; only our part was taken out.
    TakenOut(PathBuf),
    /// Somebody has changed the file since, and there is nothing of ours in it.
    Left(PathBuf),
    /// A hook of the user's stays where we moved it: the one that ran it was changed by somebody.
    StaysAside(PathBuf),
    /// What was there before is kept here, since not all of it went back.
    BackupKept(PathBuf),
    /// The file of settings is as it was before.
    ConfigRestored,
    /// Somebody has changed the settings since; only our values of this one were taken out.
    ConfigTakenOut(String),
}

impl fmt::Display for Undone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Undone::Restored(path) => write!(f, "Restored {}", path.display()),
            Undone::BackupKept(path) => write!(f, "Kept what was there before in {}", path.display()),
            Undone::Removed(path) => write!(f, "Removed {}", path.display()),
            Undone::TakenOut(path) => {
                write!(f, "Took only our part out of {}, which has changed since", path.display())
            }
            Undone::Left(path) => write!(f, "Left {} alone, which has changed since", path.display()),
            Undone::StaysAside(path) => {
                write!(f, "Left your hook at {}, since what ran it has changed", path.display())
            }
            Undone::ConfigRestored => f.write_str("Restored the repository's settings"),
            Undone::ConfigTakenOut(key) => {
                write!(f, "Took our values of {key} out of the settings, which have changed since")
            }
        }
    }
}

/// Takes back what plans changed, and tells what it did; nothing where there was no `init`.
///
/// A file that is as we left it gets back its bytes and its mode. From one that somebody has changed since only our part
/// is taken. After a crash it can be run again.
pub fn undo(site: &Site) -> Result<Vec<Undone>, HookError> {
    if Manifest::read(site)?.is_none() {
        return Ok(Vec::new());
    }
    let _lock = Lock::take(site)?;
    let Some(manifest) = Manifest::read(site)? else { return Ok(Vec::new()) };
    // First the settings: a dispatcher must not go while git is still pointed at it.
    let mut done = undo_config(site, &manifest)?;
    let mut superseded = false;
    for record in &manifest.files {
        let undone = undo_file(site, record)?;
        if matches!(undone, Some(Undone::TakenOut(_) | Undone::Left(_))) {
            superseded |= is_disabled(&record.before.restore(site)?);
        }
        done.extend(undone);
    }
    for folder in manifest.folders.iter().rev() {
        remove_if_empty(&decode(site, folder))?;
    }
    let dispatchers = site.dispatchers();
    absent_is_fine(fs::remove_dir_all(&dispatchers)).map_err(HookError::io(&dispatchers))?;
    let backup = backup_dir(site);
    if superseded {
        // Ours stood in for a hook that git ignored, and somebody has changed ours since: what was there is only here.
        done.push(Undone::BackupKept(backup));
    } else {
        absent_is_fine(fs::remove_dir_all(&backup)).map_err(HookError::io(&backup))?;
    }
    Node::Absent.write(&Manifest::path(site))?;
    remove_if_empty(&site.own_dir())?;
    Ok(done)
}

/// Whether git takes the file for no hook.
fn is_disabled(node: &Node) -> bool {
    matches!(node, Node::File { mode, .. } if mode & 0o111 == 0)
}

fn undo_config(site: &Site, manifest: &Manifest) -> Result<Vec<Undone>, HookError> {
    if let Some(kept) = &manifest.config_file
        && digest(&read_config(site)?) == kept.after
    {
        let path = config_path(site);
        let bytes = kept_bytes(site, &kept.backup)?;
        let restored = match Node::read(&path)? {
            Node::File { mode, .. } => Node::File { bytes, mode },
            // A link to a file elsewhere stays one: the key-wise way below writes through it, as git does.
            _ => return undo_keys(site, manifest),
        };
        return restored.write(&path).map(|()| vec![Undone::ConfigRestored]);
    }
    undo_keys(site, manifest)
}

fn undo_keys(site: &Site, manifest: &Manifest) -> Result<Vec<Undone>, HookError> {
    let mut done = Vec::new();
    for record in &manifest.config {
        if undo_key(site, record)? {
            done.push(Undone::ConfigTakenOut(record.key.clone()));
        }
    }
    Ok(done)
}

/// Takes our values out, and puts those back that they replaced. Whether there were any.
fn undo_key(site: &Site, record: &ConfigRecord) -> Result<bool, HookError> {
    let now = site.git.config_local(&record.key)?;
    let ours = |value: &&String| record.after.contains(value) && !record.before.contains(value);
    if now.is_empty() && !record.before.is_empty() {
        // A change that was cut off had taken the user's values out and put nothing in.
        record.before.iter().try_for_each(|value| site.git.config_append(&record.key, value))?;
        return Ok(true);
    }
    if !now.iter().any(|value| ours(&value)) {
        return Ok(false);
    }
    for value in now.iter().filter(ours) {
        site.git.config_unset(&record.key, Some(value))?;
    }
    if now.iter().all(|value| ours(&value)) {
        record.before.iter().try_for_each(|value| site.git.config_append(&record.key, value))?;
    }
    Ok(true)
}

fn undo_file(site: &Site, record: &FileRecord) -> Result<Option<Undone>, HookError> {
    let path = decode(site, &record.path);
    let aside = record.aside.as_deref().map(|aside| manifest::decode(site, aside));
    let before = record.before.restore(site)?;
    let now = Node::read(&path)?;
    if now == before {
        // Nothing was done yet, or it has been undone; what was copied aside is a copy.
        aside.map_or(Ok(()), |aside| Node::Absent.write(&aside))?;
        return Ok(None);
    }
    if now.seal() == record.after {
        restore(&path, &before, aside.as_deref())?;
        return Ok(Some(if record.before_is_absent() { Undone::Removed(path) } else { Undone::Restored(path) }));
    }
    let taken_out = take_out(&path, now)?;
    let aside = aside.filter(|aside| !matches!(Node::read(aside), Ok(Node::Absent)));
    Ok(Some(match aside {
        Some(aside) => Undone::StaysAside(aside),
        None if taken_out => Undone::TakenOut(path),
        None => Undone::Left(path),
    }))
}

/// Puts back what there was. A hook that was set aside comes back as it is now: the user may have worked on it there.
fn restore(path: &Path, before: &Node, aside: Option<&Path>) -> Result<(), HookError> {
    match (before, aside) {
        (Node::File { .. }, Some(aside)) if aside.is_file() => fs::rename(aside, path).map_err(HookError::io(aside)),
        (_, aside) => {
            before.write(path)?;
            aside.map_or(Ok(()), |aside| Node::Absent.write(aside))
        }
    }
}

/// Takes our block out of a file, if it is in there.
fn take_out(path: &Path, now: Node) -> Result<bool, HookError> {
    let Node::File { bytes, mode } = now else { return Ok(false) };
    match script::without_block(&bytes) {
        Some(bytes) => Node::File { bytes, mode }.write(path).map(|()| true),
        None => Ok(false),
    }
}

impl FileRecord {
    fn before_is_absent(&self) -> bool {
        matches!(self.before, Before::Absent)
    }
}

/// Removes a folder that we made, if nobody else has put anything there.
fn remove_if_empty(folder: &Path) -> Result<(), HookError> {
    match fs::remove_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        result => absent_is_fine(result).map_err(HookError::io(folder)),
    }
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
