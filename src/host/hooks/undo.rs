//! Takes back what `init` did in a repository: the fences in git's hooks, and what it put into the files of agents.

use super::{HookError, Lock, Site, config};
use crate::host::install::{
    InstallError, Undone,
    manifest::Manifest,
    undo::{forget, undo_files},
};
use std::{fs, io};

/// Takes back what plans changed, and tells what it did; nothing where there was no `init`.
///
/// A file that is as we left it gets back its bytes and its mode. From one that somebody has changed since only our part
/// is taken. After a crash it can be run again.
///
/// # Errors
/// When hooks or settings can't be written, or somebody else doesn't finish.
pub fn undo(site: &Site) -> Result<Vec<Undone>, HookError> {
    let place = site.place();
    if Manifest::read(&place)?.is_none() {
        return Ok(Vec::new());
    }
    let _lock = Lock::take(&place)?;
    let Some(manifest) = Manifest::read(&place)? else { return Ok(Vec::new()) };
    // First the settings: a dispatcher must not go while git is still pointed at it.
    let mut done = config::undo(site, &manifest)?;
    done.extend(undo_files(&place, &manifest)?);
    let dispatchers = site.dispatchers();
    match fs::remove_dir_all(&dispatchers) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(InstallError::io(&dispatchers)(error).into());
        }
        _ => {}
    }
    forget(&place, &mut done)?;
    Ok(done)
}
