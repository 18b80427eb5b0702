//! What has changed, for whoever reviews it: files that git doesn't know yet too, which `git diff` leaves out.

use super::{Git, GitError, text};
use crate::base::{oid::Oid, world::Time};
use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

/// How the work tree differs from a commit. It looks through an index of its own, a copy of the user's, which is never
/// touched; that goes when this does.
#[derive(Debug)]
pub struct Review {
    git: Git,
    base: OsString,
    _folder: tempfile::TempDir,
}

/// How a diff is made, whatever the user's settings: no program of theirs runs, and no colour.
const PLAIN: [&str; 4] = ["diff", "--no-ext-diff", "--no-textconv", "--no-color"];

impl Git {
    /// How the work tree differs from `base`, or from HEAD. `dirty` is what [`status`](Self::status) tells, and `folder`
    /// a place for what is needed in between.
    ///
    /// # Errors
    /// When git can't be asked.
    pub fn review(&self, base: Option<&Oid>, dirty: &[Vec<u8>], folder: &Path) -> Result<Review, GitError> {
        let base = match base {
            Some(base) => base.to_string(),
            None if self.head()?.is_some() => "HEAD".to_owned(),
            // Before the first commit: the tree that has nothing, of which git reads the list from standard input.
            None => text(&self.run(["mktree"])?),
        };
        let made = tempfile::Builder::new().prefix(".new-").tempdir_in(folder);
        let failed = |source| GitError::NotStarted { dir: folder.to_owned(), source };
        let made = made.map_err(failed)?;
        let index = made.path().join("index");
        let users = PathBuf::from(text(&self.run(["rev-parse", "--path-format=absolute", "--git-path", "index"])?));
        match fs::copy(&users, &index) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let git = self.clone().with("GIT_INDEX_FILE", &index).with("GIT_LITERAL_PATHSPECS", "1");
        let list = made.path().join("paths");
        // A nested repository ends in a slash and is nobody's change here.
        let files: Vec<&[u8]> = dirty.iter().map(Vec::as_slice).filter(|path| !path.ends_with(b"/")).collect();
        fs::write(&list, files.join(&0)).map_err(failed)?;
        if !files.is_empty() {
            let from = format!("--pathspec-from-file={}", list.display());
            // Of one that is gone, or that can't be read, the diff tells or doesn't.
            let _ = git.run(["add", "--intent-to-add", "--ignore-errors", "--pathspec-file-nul", &from]);
        }
        Ok(Review { git, base: base.into(), _folder: made })
    }

    /// The paths that differ between the commit `base` and HEAD.
    ///
    /// # Errors
    /// When git can't be asked.
    pub fn committed_since(&self, base: &Oid) -> Result<Vec<Vec<u8>>, GitError> {
        let base = base.to_string();
        Ok(paths(&self.run(["diff", "--name-only", "--no-renames", "--no-ext-diff", "-z", &base, "HEAD", "--"])?))
    }

    /// The paths that commits since `time` have changed, as far as HEAD has them.
    ///
    /// # Errors
    /// When git can't be asked.
    pub fn committed_after(&self, time: Time) -> Result<Vec<Vec<u8>>, GitError> {
        if self.head()?.is_none() {
            return Ok(Vec::new());
        }
        let since = format!("--since={}", time.to_rfc3339());
        let args = ["log", "--format=", "--name-only", "--no-renames", "--no-ext-diff", "-z", &since, "HEAD", "--"];
        let mut changed = paths(&self.run(args)?);
        changed.sort();
        changed.dedup();
        Ok(changed)
    }
}

impl Review {
    /// Writes the diff into a file.
    ///
    /// # Errors
    /// When git can't be asked, or can't write there.
    pub fn write(&self, file: &Path) -> Result<(), GitError> {
        let mut output = OsString::from("--output=");
        output.push(file);
        self.run(&[output]).map(drop)
    }

    /// The files, with how much of each has changed, and a sum.
    ///
    /// # Errors
    /// When git can't be asked.
    pub fn stat(&self) -> Result<String, GitError> {
        self.run(&["--stat=100".into(), "--stat-count=50".into()])
    }

    /// The sum alone: empty where nothing differs.
    ///
    /// # Errors
    /// When git can't be asked.
    pub fn summary(&self) -> Result<String, GitError> {
        self.run(&["--shortstat".into()]).map(|summary| summary.trim().to_owned())
    }

    fn run(&self, options: &[OsString]) -> Result<String, GitError> {
        let mut args: Vec<OsString> = PLAIN.map(OsString::from).to_vec();
        args.extend(options.iter().cloned());
        args.extend([self.base.clone(), "--".into()]);
        self.git.run(args).map(|out| text(&out))
    }
}

fn paths(out: &[u8]) -> Vec<Vec<u8>> {
    // A log begins what a commit has with a line end.
    let paths = out.split(|byte| *byte == 0).map(|path| path.strip_prefix(b"\n").unwrap_or(path));
    paths.filter(|path| !path.is_empty()).map(<[u8]>::to_vec).collect()
}
