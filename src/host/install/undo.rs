//! Takes back what `init` did.

use super::{
    InstallError, Lock, Node, Part, Place,
    manifest::{Before, FileRecord, Manifest, backup_dir, decode},
    part::Rest,
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

/// Takes back what was changed at `place`, and tells what that was; nothing where nothing is recorded.
///
/// A file that is as we left it gets back its bytes and its mode. From one that somebody has changed since only our part
/// is taken. After a crash it can be run again.
///
/// # Errors
/// When a file can't be read or written, or somebody else doesn't finish.
pub fn undo(place: &Place) -> Result<Vec<Undone>, InstallError> {
    if Manifest::read(place)?.is_none() {
        return Ok(Vec::new());
    }
    let _lock = Lock::take(place)?;
    let Some(manifest) = Manifest::read(place)? else { return Ok(Vec::new()) };
    let mut done = undo_files(place, &manifest)?;
    forget(place, &mut done)?;
    Ok(done)
}

/// Takes back the changes of files, and removes the folders that were made for them.
pub(in crate::host) fn undo_files(place: &Place, manifest: &Manifest) -> Result<Vec<Undone>, InstallError> {
    let mut done = Vec::new();
    for record in &manifest.files {
        let undone = undo_file(place, record)?;
        if matches!(undone, Some(Undone::TakenOut(_) | Undone::Left(_))) && is_disabled(place, record)? {
            // Ours stood in for a hook that git ignored, and somebody has changed ours since: what was there is only in
            // the backup.
            done.push(Undone::BackupKept(backup_dir(place)));
        }
        done.extend(undone);
    }
    for folder in manifest.folders.iter().rev() {
        remove_if_empty(&decode(place, folder))?;
    }
    Ok(done)
}

/// Removes the record, and the backup unless something was kept in it.
pub(in crate::host) fn forget(place: &Place, done: &mut Vec<Undone>) -> Result<(), InstallError> {
    let backup = backup_dir(place);
    let kept = Undone::BackupKept(backup.clone());
    match done.contains(&kept) {
        true => {
            done.retain(|undone| *undone != kept);
            done.push(kept);
        }
        false => absent_is_fine(fs::remove_dir_all(&backup)).map_err(InstallError::io(&backup))?,
    }
    Node::Absent.write(&Manifest::path(place))?;
    remove_if_empty(&place.own)
}

/// Whether the record is of a hook that git took for none.
fn is_disabled(place: &Place, record: &FileRecord) -> Result<bool, InstallError> {
    let before = record.before.restore(place)?;
    Ok(record.part == Part::Shell && matches!(before, Node::File { mode, .. } if mode & 0o111 == 0))
}

fn undo_file(place: &Place, record: &FileRecord) -> Result<Option<Undone>, InstallError> {
    let path = decode(place, &record.path);
    let aside = record.aside.as_deref().map(|aside| decode(place, aside));
    let before = record.before.restore(place)?;
    if path.is_dir() {
        return Ok(Some(Undone::Left(path)));
    }
    let now = Node::read(&path)?;
    if now == before || now == Node::Absent && record.part != Part::Shell {
        // Nothing was done yet, or it has been undone; what was copied aside is a copy. And a file that is in one branch
        // or one work tree may well not be in another.
        aside.map_or(Ok(()), |aside| Node::Absent.write(&aside))?;
        return Ok(None);
    }
    if record.is_as_left(&now) {
        restore(place, &path, &before, aside.as_deref())?;
        return Ok(Some(if record.before_is_absent() { Undone::Removed(path) } else { Undone::Restored(path) }));
    }
    let taken_out = take_out(place, &path, &now, record, &before)?;
    let aside = aside.filter(|aside| !matches!(Node::read(aside), Ok(Node::Absent)));
    Ok(Some(match aside {
        Some(aside) => Undone::StaysAside(aside),
        None => taken_out,
    }))
}

/// Puts back what there was. A hook that was set aside comes back as it is now: the user may have worked on it there.
fn restore(place: &Place, path: &Path, before: &Node, aside: Option<&Path>) -> Result<(), InstallError> {
    match (before, aside) {
        (Node::File { .. }, Some(aside)) if aside.is_file() => fs::rename(aside, path).map_err(InstallError::io(aside)),
        (_, aside) => {
            before.write_by_way_of(path, &place.own)?;
            aside.map_or(Ok(()), |aside| Node::Absent.write(aside))
        }
    }
}

/// Takes our part out of a file, if it is in there.
fn take_out(
    place: &Place,
    path: &Path,
    now: &Node,
    record: &FileRecord,
    before: &Node,
) -> Result<Undone, InstallError> {
    let path = path.to_owned();
    let Some(rest) = record.without_ours(now, before) else { return Ok(Undone::Left(path)) };
    rest.write_by_way_of(&path, &place.own)?;
    Ok(if rest == Node::Absent { Undone::Removed(path) } else { Undone::TakenOut(path) })
}

impl FileRecord {
    fn before_is_absent(&self) -> bool {
        matches!(self.before, Before::Absent)
    }

    /// What is left of `now` without our part, where `before` is what there was; `None` where nothing of ours is in it.
    pub(in crate::host) fn without_ours(&self, now: &Node, before: &Node) -> Option<Node> {
        let Node::File { bytes, mode } = now else { return None };
        let was = match before {
            Node::File { bytes, .. } => Some(bytes.as_slice()),
            _ => None,
        };
        let rest = match (self.part.without(bytes, was), was) {
            (Rest::Untouched, _) => return None,
            (Rest::Nothing, None) => return Some(Node::Absent),
            (Rest::Nothing, Some(was)) => was.to_owned(),
            (Rest::Text(rest), _) => rest,
        };
        Some(Node::File { bytes: rest, mode: *mode })
    }

    /// Whether nobody has changed it since. Of what may be versioned only the bytes count: git makes files anew.
    pub(in crate::host) fn is_as_left(&self, now: &Node) -> bool {
        let digest = |seal: &str| seal.rsplit(' ').next().map(str::to_owned);
        let seal = now.seal();
        seal == self.after || self.part != Part::Shell && digest(&seal) == digest(&self.after)
    }
}

/// Removes a folder that we made, if nobody else has put anything there.
fn remove_if_empty(folder: &Path) -> Result<(), InstallError> {
    match fs::remove_dir(folder) {
        // Where somebody has put a file, ours is gone.
        Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory) => Ok(()),
        result => absent_is_fine(result).map_err(InstallError::io(folder)),
    }
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
