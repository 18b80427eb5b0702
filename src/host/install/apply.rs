//! Writes files, and records how to undo that.

use super::{
    Act, FileChange, InstallError, Lock, Place,
    manifest::{Before, FileRecord, Manifest, encode},
    node::Node,
};
use std::path::Path;

/// Looks what there is to do, by `plan`, and does it, while nobody else does. The changes are told.
pub(in crate::host) fn carry_out(
    place: &Place,
    plan: impl FnOnce() -> Result<Vec<FileChange>, InstallError>,
) -> Result<Vec<FileChange>, InstallError> {
    let _lock = Lock::take(place)?;
    let changes = plan()?;
    if changes.is_empty() {
        return Ok(changes);
    }
    check(&changes)?;
    let mut manifest = Manifest::read(place)?.unwrap_or_else(Manifest::new);
    record(&mut manifest, place, &changes)?;
    manifest.write(place)?;
    write(place, &changes)?;
    Ok(changes)
}

/// Refuses where a file is no longer as the plan saw it.
pub(in crate::host) fn check(changes: &[FileChange]) -> Result<(), InstallError> {
    for change in changes {
        if Node::read(&change.path)? != change.before {
            return Err(InstallError::Changed { what: change.path.display().to_string() });
        }
    }
    Ok(())
}

/// Takes the changes into the record, and keeps what they replace.
pub(in crate::host) fn record(
    manifest: &mut Manifest,
    place: &Place,
    changes: &[FileChange],
) -> Result<(), InstallError> {
    for change in changes {
        record_folders(manifest, place, &change.path);
        if change.act != Act::SetAside {
            let record = record_of(manifest, place, change)?;
            manifest.set_file(record);
        }
    }
    Ok(())
}

/// Writes the files.
pub(in crate::host) fn write(place: &Place, changes: &[FileChange]) -> Result<(), InstallError> {
    for change in changes {
        place.make_folder_of(&change.path)?;
        change.after.write_by_way_of(&change.path, &place.own)?;
    }
    Ok(())
}

/// What an undo brings back stays what it was at first, as long as the file is as we left it.
fn record_of(manifest: &Manifest, place: &Place, change: &FileChange) -> Result<FileRecord, InstallError> {
    let known = manifest.file(place, &change.path).filter(|record| record.is_as_left(&change.before));
    let before = match known {
        Some(record) => record.before.clone(),
        None => Before::keep(place, change.restore.as_ref().unwrap_or(&change.before))?,
    };
    let aside = match &change.act {
        Act::Replace(aside) => Some(encode(place, aside)),
        _ => known.and_then(|record| record.aside.clone()),
    };
    let (path, part) = (encode(place, &change.path), change.part.clone());
    Ok(FileRecord { path, part, before, after: change.after.seal(), aside })
}

/// Remembers the folders of `path` that don't exist yet, outermost first. Those under our own are no matter: they go as
/// a whole.
fn record_folders(manifest: &mut Manifest, place: &Place, path: &Path) {
    let missing = path.ancestors().skip(1).take_while(|folder| !folder.exists() && !folder.starts_with(&place.own));
    let missing: Vec<&Path> = missing.collect();
    for folder in missing.into_iter().rev() {
        let folder = encode(place, folder);
        if !manifest.folders.contains(&folder) {
            manifest.folders.push(folder);
        }
    }
}
