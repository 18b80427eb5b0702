//! The files of runs in the git directory that are no part of their record: logs, and what was let go of.

use crate::disk;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The most of a log that is read, in bytes. None is as large.
const MAX_LOG: usize = 8 * 1024 * 1024;

/// The file, beside the folders of runs, that notes what was let go of.
const PRUNED: &str = "pruned";

/// The folder that has a folder for each run, in the clone with this common git directory.
pub fn folder(common_dir: &Path) -> PathBuf {
    common_dir.join("aio").join("runs")
}

/// What a process of a run printed.
///
/// # Errors
/// When the file can't be read, or is none of ours.
pub fn read_log(path: &Path) -> io::Result<Vec<u8>> {
    disk::read(path, MAX_LOG)
}

/// When the newest of the runs began that were let go of in this clone, in seconds since the epoch; 0 where none was.
pub fn pruned_through(common_dir: &Path) -> u64 {
    let noted = disk::read(&folder(common_dir).join(PRUNED), 64).ok();
    noted.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.trim().parse().ok()).unwrap_or_default()
}

/// Notes that. The folder has to be there.
///
/// # Errors
/// When the file can't be written.
pub fn note_pruned(common_dir: &Path, newest: u64) -> io::Result<()> {
    fs::write(folder(common_dir).join(PRUNED), format!("{newest}\n"))
}
