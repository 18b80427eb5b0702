//! What `.worktreeinclude` asks to be taken along: files that git ignores and that work needs, such as `.env`.

use super::to_path;
use crate::{
    base::text,
    disk,
    host::git::{Git, GitError},
};
use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
};

/// The file that says what is taken along, in the words of `.gitignore`.
const LIST: &str = ".worktreeinclude";

/// The largest such file, in bytes.
const MAX_LIST: usize = 64 * 1024;

impl Git {
    /// Copies into the work tree at `to` what `.worktreeinclude` says, as far as it is not there.
    ///
    /// # Errors
    /// When git can't be asked, or a file can't be copied: then the work there would fail for want of it.
    pub fn take_along(&self, to: &Path) -> Result<(), GitError> {
        let list = self.dir().join(LIST);
        match disk::read(&list, MAX_LIST) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(GitError::NotStarted { dir: list, source }),
        }
        let from = format!("--exclude-from={LIST}");
        for path in self.paths_of(&["ls-files", "--others", "--ignored", &from, "-z"])? {
            let Some(path) = to_path(&path).filter(|_| !path.ends_with(b"/")) else { continue };
            copy(&self.dir().join(path), to, path).map_err(|source| {
                let named = text::one_line(&path.to_string_lossy(), 200);
                GitError::Failed { command: format!("copy {named}"), code: None, stderr: source.to_string() }
            })?;
        }
        Ok(())
    }

    /// What is in the work tree that git ignores; a folder of which all is ignored stands for what is in it.
    ///
    /// # Errors
    /// When git can't be asked.
    pub fn ignored(&self) -> Result<Vec<Vec<u8>>, GitError> {
        let args = ["ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "--no-empty-directory"];
        self.paths_of(&[&args[..], &["-z"]].concat())
    }

    fn paths_of(&self, args: &[&str]) -> Result<Vec<Vec<u8>>, GitError> {
        let out = self.run(super::ALONE.iter().chain(args))?;
        Ok(out.split(|byte| *byte == 0).filter(|path| !path.is_empty()).map(<[u8]>::to_vec).collect())
    }
}

/// Copies `from` to `path` below `root`, unless something is there. Links are copied as such, and none is followed.
fn copy(from: &Path, root: &Path, path: &Path) -> io::Result<()> {
    let to = root.join(path);
    let mut above = root.to_owned();
    for name in path.parent().into_iter().flat_map(Path::components) {
        above.push(name);
        match above.symlink_metadata() {
            Ok(meta) if meta.is_dir() => {}
            // Something else is there by this name.
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => fs::create_dir(&above)?,
            Err(error) => return Err(error),
        }
    }
    let meta = from.symlink_metadata()?;
    match to.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        there => return there.map(drop),
    }
    match meta.file_type() {
        kind if kind.is_symlink() => copy_link(&fs::read_link(from)?, &to),
        kind if kind.is_file() => fs::copy(from, &to).map(drop),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn copy_link(target: &Path, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, at)
}

#[cfg(not(unix))]
fn copy_link(target: &Path, at: &Path) -> io::Result<()> {
    fs::write(at, target.to_string_lossy().as_bytes())
}
