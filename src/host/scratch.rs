//! A repository for one test, with its own home, in which git sees nothing of this machine.

use super::git::Git;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A throwaway repository. It is gone with the value.
pub(crate) struct Scratch {
    dir: tempfile::TempDir,
    /// git in its work tree.
    pub(crate) git: Git,
}

impl Scratch {
    /// An empty repository with the branch `main`.
    pub(crate) fn new() -> Scratch {
        Scratch::with_format("files").expect("git init works")
    }

    /// One whose refs are in a reftable, or `None` where git knows no such thing.
    pub(crate) fn with_reftable() -> Option<Scratch> {
        Scratch::with_format("reftable")
    }

    fn with_format(format: &str) -> Option<Scratch> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let tree = dir.path().join("work tree");
        fs::create_dir(&tree).expect("a folder");
        let git = Git::at(&tree)
            .with("HOME", dir.path())
            .with("GIT_CONFIG_NOSYSTEM", "1")
            .with("GIT_CONFIG_GLOBAL", dir.path().join("gitconfig"));
        let git = ["AUTHOR", "COMMITTER"].iter().fold(git, |git, role| {
            git.with(format!("GIT_{role}_NAME"), "Ada").with(format!("GIT_{role}_EMAIL"), "ada@example.org")
        });
        let format = (format != "files").then(|| format!("--ref-format={format}"));
        let init = ["init", "-q", "-b", "main"].map(str::to_owned);
        git.run(init.into_iter().chain(format)).ok()?;
        Some(Scratch { dir, git })
    }

    /// A path in the work tree.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.git.dir().join(path)
    }

    /// A folder outside the repository, which is also the home.
    pub(crate) fn outside(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file of the work tree.
    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    /// Commits everything.
    pub(crate) fn commit(&self, message: &str) {
        self.git.run(["add", "-A"]).expect("add");
        self.git.run(["commit", "-q", "-m", message]).expect("commit");
    }
}
