//! Runs the user's git: the one place that does.
//!
//! It runs in a folder we name and not in a repository that a variable of the caller names, unless asked to; it never
//! waits for somebody to type, speaks English, and takes no lock for a mere look. What fails is told by the command's
//! words and git's own, never by the environment, which holds secrets.

use super::env::Env;
use crate::base::oid::Oid;
use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// What ties git to one repository or changes its settings, as `git rev-parse --local-env-vars` lists it. Some agents
/// set `GIT_CONFIG_COUNT` in their shell to turn hooks off.
pub(super) const TIES: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// git, run in one folder.
#[derive(Debug, Clone)]
pub struct Git {
    dir: PathBuf,
    vars: Vec<(OsString, OsString)>,
}

/// Why a git command gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It could not be started.
    #[error("git can't be started in {}", dir.display())]
    NotStarted {
        /// The folder, which may be what is missing.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It ended with an error.
    #[error("`git {command}` failed{}: {stderr}", code.map_or(" by a signal".into(), |code| format!(" with exit code {code}")))]
    Failed {
        /// The arguments.
        command: String,
        /// The exit code; `None` where a signal ended it.
        code: Option<i32>,
        /// What it said.
        stderr: String,
    },
    /// It said something that we don't understand.
    #[error("`git {command}` gave an answer that makes no sense")]
    Unclear {
        /// The arguments.
        command: String,
    },
}

impl GitError {
    /// What git said.
    pub fn stderr(&self) -> &str {
        if let GitError::Failed { stderr, .. } = self { stderr } else { "" }
    }

    /// The exit code, if there is one.
    pub fn code(&self) -> Option<i32> {
        if let GitError::Failed { code, .. } = self { *code } else { None }
    }
}

/// The state of a work tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkStatus {
    /// The commit at HEAD; `None` before the first one.
    pub commit: Option<Oid>,
    /// The branch; `None` where HEAD is detached.
    pub branch: Option<String>,
    /// Paths that differ from HEAD or are untracked, relative to the root of the work tree, in git's order. A nested
    /// repository ends in `/`.
    pub dirty: Vec<Vec<u8>>,
}

impl Git {
    /// git in `dir`, whatever repository the caller's environment names.
    pub fn at(dir: impl Into<PathBuf>) -> Git {
        Git { dir: dir.into(), vars: Vec::new() }
    }

    /// The same, in the repository and with the index that the caller's environment names, as a hook must.
    pub fn inheriting(self, env: &Env) -> Git {
        let inherited = [
            ("GIT_DIR", &env.git_dir),
            ("GIT_WORK_TREE", &env.git_work_tree),
            ("GIT_INDEX_FILE", &env.git_index_file),
            ("GIT_COMMON_DIR", &env.git_common_dir),
        ];
        inherited.into_iter().fold(self, |git, (name, value)| match value {
            Some(value) => git.with(name, value),
            None => git,
        })
    }

    /// The same, with a variable set.
    pub fn with(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Git {
        self.vars.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The same, in another folder.
    pub fn in_dir(self, dir: impl Into<PathBuf>) -> Git {
        Git { dir: dir.into(), ..self }
    }

    /// The same, in another work tree of the repository: one that the caller named is left behind.
    pub fn in_work_tree(mut self, dir: impl Into<PathBuf>) -> Git {
        self.vars.retain(|(name, _)| !TIES.iter().any(|tie| name == tie));
        self.in_dir(dir)
    }

    /// The folder it runs in.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs a command to its end and returns what it printed.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Result<Vec<u8>, GitError> {
        let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let output = self.output(&args)?;
        if output.status.success() { Ok(output.stdout) } else { Err(failure(&args, &output)) }
    }

    /// Like [`run`](Self::run), for commands that say "there is none" by an exit code: that is `None`.
    pub fn run_unless<S: AsRef<OsStr>>(
        &self,
        none: i32,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Option<Vec<u8>>, GitError> {
        match self.run(args) {
            Err(error) if error.code() == Some(none) => Ok(None),
            result => result.map(Some),
        }
    }

    /// Runs a command to its end, for callers who judge for themselves how it ended.
    pub(super) fn output(&self, args: &[OsString]) -> Result<Output, GitError> {
        let output = self.command(args).output();
        output.map_err(|source| GitError::NotStarted { dir: self.dir.clone(), source })
    }

    /// The command, not yet run.
    pub(super) fn command(&self, args: &[OsString]) -> Command {
        #[expect(clippy::disallowed_methods, reason = "the one place that starts git")]
        let mut command = Command::new("git");
        for name in TIES {
            command.env_remove(name);
        }
        command.args(args).current_dir(&self.dir).stdin(Stdio::null());
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0");
        command.envs(self.vars.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The commit at HEAD, or `None` before the first one.
    pub fn head(&self) -> Result<Option<Oid>, GitError> {
        self.resolve("HEAD")
    }

    /// The object that `name` points at. The object itself need not exist.
    pub(super) fn resolve(&self, name: &str) -> Result<Option<Oid>, GitError> {
        let args = ["rev-parse", "--verify", "--quiet", "--end-of-options", name];
        let Some(out) = self.run_unless(1, args)? else { return Ok(None) };
        text(&out).parse().map(Some).map_err(|_| GitError::Unclear { command: words(&args) })
    }

    /// What is checked out and what differs from it, at one moment.
    pub fn status(&self) -> Result<WorkStatus, GitError> {
        let args = ["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--no-renames"];
        parse_status(&self.run(args)?).ok_or_else(|| GitError::Unclear { command: words(&args) })
    }

    /// The paths that the commit at HEAD changed, against its first parent.
    pub fn committed(&self) -> Result<Vec<Vec<u8>>, GitError> {
        let args = [
            "diff-tree",
            "-r",
            "-z",
            "--root",
            "--no-commit-id",
            "--name-only",
            "--no-renames",
            "-m",
            "--first-parent",
            "HEAD",
        ];
        let out = self.run(args)?;
        Ok(out.split(|b| *b == 0).filter(|path| !path.is_empty()).map(<[u8]>::to_vec).collect())
    }

    /// The value of a setting, from whichever file holds it.
    pub fn config_get(&self, key: &str) -> Result<Option<String>, GitError> {
        Ok(self.run_unless(1, ["config", "-z", "--get", key])?.map(|out| text(&out)))
    }

    /// The value of a setting that is a path, with `~` resolved.
    pub fn config_path(&self, key: &str) -> Result<Option<PathBuf>, GitError> {
        Ok(self.run_unless(1, ["config", "-z", "--type=path", "--get", key])?.map(|out| path(&out)))
    }

    /// All values of a setting, from every file that holds it.
    pub fn config_get_all(&self, key: &str) -> Result<Vec<String>, GitError> {
        self.run_unless(1, ["config", "-z", "--get-all", key]).map(values)
    }

    /// All values that a setting has in the repository's own file.
    pub fn config_local(&self, key: &str) -> Result<Vec<String>, GitError> {
        self.run_unless(1, ["config", "--local", "-z", "--get-all", key]).map(values)
    }

    /// Gives a setting one value in the repository's own file.
    pub fn config_set(&self, key: &str, value: &str) -> Result<(), GitError> {
        self.run(["config", "--local", "--replace-all", key, value]).map(drop)
    }

    /// Gives a setting one more value in the repository's own file.
    pub fn config_append(&self, key: &str, value: &str) -> Result<(), GitError> {
        self.run(["config", "--local", "--add", key, value]).map(drop)
    }

    /// Takes one value, or all, of a setting out of the repository's own file; it may be gone already.
    pub fn config_unset(&self, key: &str, value: Option<&str>) -> Result<(), GitError> {
        let args = ["config", "--local", "--fixed-value", "--unset-all", key];
        let args: Vec<&str> = match value {
            Some(value) => args.into_iter().chain([value]).collect(),
            None => args.into_iter().filter(|arg| *arg != "--fixed-value").collect(),
        };
        self.run_unless(5, args).map(drop)
    }

    /// The first two numbers of its version.
    pub fn version(&self) -> Result<(u32, u32), GitError> {
        let out = text(&self.run(["version"])?);
        let mut numbers = out.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok());
        numbers.next().zip(numbers.next()).ok_or_else(|| GitError::Unclear { command: "version".into() })
    }

    /// The folders of the other work trees of the repository, those that are there.
    pub fn other_work_trees(&self) -> Result<Vec<PathBuf>, GitError> {
        let here = self.dir.canonicalize().ok();
        let out = self.run(["worktree", "list", "--porcelain", "-z"])?;
        let mut trees: Vec<PathBuf> = Vec::new();
        for line in out.split(|b| *b == 0) {
            match line.strip_prefix(b"worktree ") {
                Some(tree) => trees.push(path(tree)),
                // The repository itself, which has none.
                None if line == b"bare" => drop(trees.pop()),
                None => {}
            }
        }
        trees.retain(|tree| tree.canonicalize().is_ok_and(|tree| Some(&tree) != here.as_ref()));
        Ok(trees)
    }

    /// Runs a hook of the repository, if it has it.
    pub fn hook_run(&self, name: &str, args: &[&OsStr]) -> Result<Vec<u8>, GitError> {
        let mut words: Vec<&OsStr> = ["hook", "run", "--ignore-missing", name, "--"].map(OsStr::new).to_vec();
        words.extend(args);
        self.run(words)
    }
}

pub(super) fn failure(args: &[OsString], output: &Output) -> GitError {
    let command = args.iter().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" ");
    GitError::Failed { command, code: output.status.code(), stderr: text(&output.stderr) }
}

fn words(args: &[&str]) -> String {
    args.join(" ")
}

/// What git printed, without the end of the line.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_matches(['\n', '\r', '\0']).trim_end().to_owned()
}

fn values(out: Option<Vec<u8>>) -> Vec<String> {
    out.unwrap_or_default().split_inclusive(|b| *b == 0).map(text).collect()
}

/// A path that git printed, ended by a NUL.
fn path(bytes: &[u8]) -> PathBuf {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    #[cfg(unix)]
    return PathBuf::from(<OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes));
    #[cfg(not(unix))]
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

/// Reads `git status --porcelain=v2 --branch -z`: headers that start with `#`, then an entry for each path.
fn parse_status(out: &[u8]) -> Option<WorkStatus> {
    let mut status = WorkStatus::default();
    let mut records = out.split(|b| *b == 0).filter(|record| !record.is_empty());
    while let Some(record) = records.next() {
        let (kind, rest) = (record[0], record.get(2..)?);
        match kind {
            b'#' => parse_header(&mut status, &String::from_utf8_lossy(rest))?,
            b'?' => status.dirty.push(rest.to_owned()),
            b'1' => status.dirty.push(after_fields(rest, 7)?),
            b'u' => status.dirty.push(after_fields(rest, 9)?),
            b'2' => {
                status.dirty.push(after_fields(rest, 8)?);
                status.dirty.push(records.next()?.to_owned());
            }
            _ => {}
        }
    }
    Some(status)
}

fn parse_header(status: &mut WorkStatus, header: &str) -> Option<()> {
    match header.split_once(' ') {
        Some(("branch.oid", "(initial)")) | Some(("branch.head", "(detached)")) => {}
        Some(("branch.oid", oid)) => status.commit = Some(oid.parse().ok()?),
        Some(("branch.head", name)) => status.branch = Some(name.to_owned()),
        _ => {}
    }
    Some(())
}

/// What follows `count` fields that are separated by single spaces.
fn after_fields(record: &[u8], count: usize) -> Option<Vec<u8>> {
    record.splitn(count + 1, |b| *b == b' ').nth(count).map(<[u8]>::to_owned)
}

mod review;
#[cfg(test)]
mod tests;

pub use review::Review;
