//! What is at a path, so that it can be compared, recorded and put back.

use super::InstallError;
use crate::disk;
use sha2::{Digest, Sha256};
use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// A file, a symbolic link, or nothing.
#[derive(Clone, PartialEq, Eq)]
pub enum Node {
    /// Nothing.
    Absent,
    /// A file with its permissions (which are always 0755 where there are none like Unix's).
    File {
        /// What is in it.
        bytes: Vec<u8>,
        /// The permission bits.
        mode: u32,
    },
    /// A symbolic link and its target.
    Link(PathBuf),
}

/// The permissions of a hook.
pub(in crate::host) const EXECUTABLE: u32 = 0o755;

/// How the name of a file begins that is not finished.
const UNFINISHED: &str = ".git-aio-";

/// The largest hook that is read, in bytes: some are programs.
const MAX_FILE: usize = 64 * 1024 * 1024;

/// What is in a file that may be anybody's.
pub(in crate::host) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    disk::read(path, MAX_FILE)
}

/// The text in such a file; `None` where it can't be read.
pub(in crate::host) fn read_text(path: &Path) -> Option<String> {
    String::from_utf8(read_file(path).ok()?).ok()
}

impl Node {
    /// A hook that git will run.
    pub(in crate::host) fn hook(bytes: impl Into<Vec<u8>>) -> Node {
        Node::File { bytes: bytes.into(), mode: EXECUTABLE }
    }

    /// What is at `path` now; links are not followed.
    pub(in crate::host) fn read(path: &Path) -> Result<Node, InstallError> {
        let read = || match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_symlink() => fs::read_link(path).map(Node::Link),
            Ok(meta) => Ok(Node::File { bytes: read_file(path)?, mode: mode(&meta) }),
            Err(error) if is_absence(&error) => Ok(Node::Absent),
            Err(error) => Err(error),
        };
        read().map_err(InstallError::io(path))
    }

    /// Puts this at `path`, in one step as seen by others.
    pub(in crate::host) fn write(&self, path: &Path) -> Result<(), InstallError> {
        self.write_by_way_of(path, folder(path))
    }

    /// The same, made ready in the folder `workshop` where it can be moved from there: whoever is killed at it leaves
    /// nothing beside the user's files.
    pub(in crate::host) fn write_by_way_of(&self, path: &Path, workshop: &Path) -> Result<(), InstallError> {
        let dir = folder(path);
        let write = || match self {
            Node::Absent => match fs::remove_file(path) {
                Err(error) if is_absence(&error) => Ok(()),
                result => result,
            },
            Node::File { bytes, mode } => {
                fs::create_dir_all(dir)?;
                let there = |in_folder: &Path| {
                    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(in_folder)?;
                    file.write_all(bytes)?;
                    set_mode(file.as_file(), *mode)?;
                    file.persist(path).map(drop).map_err(|error| error.error)
                };
                match there(if are_of_one_file_system(workshop, dir) { workshop } else { dir }) {
                    // Two mounts may be of one file system, and nothing be moved between them.
                    Err(error) if error.kind() == io::ErrorKind::CrossesDevices => there(dir),
                    result => result,
                }
            }
            Node::Link(target) => {
                fs::create_dir_all(dir)?;
                link(target, path)
            }
        };
        write().map_err(InstallError::io(path))
    }

    /// Whether git would run it as a hook.
    pub(in crate::host) fn is_executable(&self) -> bool {
        matches!(self, Node::File { mode, .. } if mode & 0o111 != 0)
    }

    /// A short text that is equal for equal nodes.
    pub(in crate::host) fn seal(&self) -> String {
        match self {
            Node::Absent => "absent".into(),
            Node::Link(target) => format!("link {}", target.display()),
            Node::File { bytes, mode } => format!("file {mode:o} {}", digest(bytes)),
        }
    }
}

/// Not the bytes, of which there may be many and any.
impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Node::File { bytes, mode } => write!(f, "File({mode:o}, {:?})", String::from_utf8_lossy(bytes)),
            Node::Link(target) => write!(f, "Link({target:?})"),
            Node::Absent => f.write_str("Absent"),
        }
    }
}

/// `path` with the links in it resolved, as far down as it exists.
pub(in crate::host) fn real(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(real), _, _) => real,
        (Err(_), Some(parent), Some(name)) => real(parent).join(name),
        _ => path.to_owned(),
    }
}

/// The SHA-256 of `bytes`, in hex.
pub(in crate::host) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Removes what somebody who was killed left unfinished in the folder `workshop`. Nobody else may be at work there.
pub(super) fn sweep(workshop: &Path) {
    let entries = fs::read_dir(workshop).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED)) {
        let _ = fs::remove_file(entry.path());
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

#[cfg(unix)]
fn are_of_one_file_system(a: &Path, b: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|meta| std::os::unix::fs::MetadataExt::dev(&meta));
    matches!((device(a), device(b)), (Ok(a), Ok(b)) if a == b)
}

#[cfg(not(unix))]
fn are_of_one_file_system(_: &Path, _: &Path) -> bool {
    false
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(unix)]
fn mode(meta: &fs::Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o7777
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> u32 {
    EXECUTABLE
}

#[cfg(unix)]
fn set_mode(file: &fs::File, mode: u32) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &fs::File, _: u32) -> io::Result<()> {
    Ok(())
}

/// A link can't be made over what is there, so it is made beside it and moved.
#[cfg(unix)]
fn link(target: &Path, path: &Path) -> io::Result<()> {
    let beside = path.with_added_extension("git-aio-new");
    match fs::remove_file(&beside) {
        Err(error) if !is_absence(&error) => return Err(error),
        _ => {}
    }
    std::os::unix::fs::symlink(target, &beside)?;
    fs::rename(&beside, path)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "symbolic links are not handled on this system"))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finished_is_kept_apart_and_swept_away() {
        let root = tempfile::tempdir().expect("a folder");
        let (workshop, tree) = (root.path().join("workshop"), root.path().join("tree"));
        fs::create_dir(&workshop).expect("a folder");
        let file = Node::File { bytes: b"x".to_vec(), mode: 0o640 };
        file.write_by_way_of(&tree.join("a/b"), &workshop).expect("written");
        assert_eq!(Node::read(&tree.join("a/b")).expect("read"), file);
        assert!(are_of_one_file_system(&workshop, &tree) && !are_of_one_file_system(&workshop, Path::new("/proc")));
        file.write_by_way_of(&tree.join("c"), &root.path().join("nowhere")).expect("written beside it");
        fs::write(workshop.join(".git-aio-abc"), "half").expect("written");
        fs::write(workshop.join("init.json"), "{}").expect("written");
        sweep(&workshop);
        let left: Vec<_> =
            fs::read_dir(&workshop).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left, ["init.json"]);
    }
}
