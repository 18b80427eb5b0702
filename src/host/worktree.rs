//! A work tree as git sees it: what differs in it, what its files are to git, and what git would check out.
//!
//! git is asked for all that its own rules decide: what is ignored, what is sparse, what is a submodule, and how a file is
//! converted when it is taken in and when it is checked out. None of it touches the user's index, and none runs a hook.

use super::git::{Git, GitError, failure};
use crate::base::{
    oid::Oid,
    worktree::{Look, Sight},
};
use std::{
    ffi::OsString,
    io::{self, Seek, Write},
    path::Path,
    process::Stdio,
};

/// What no question of ours may start: a monitor, whose word might be wrong too, and the user's hooks.
const ALONE: [&str; 4] = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"];

/// The mode of a submodule.
const SUBMODULE: &str = "160000";

impl Git {
    /// What differs from HEAD in the work tree.
    ///
    /// # Errors
    /// When git can't be asked.
    pub fn look(&self) -> Result<Look, GitError> {
        let args = [
            "status",
            "--porcelain=v2",
            "--branch",
            "-z",
            "--untracked-files=all",
            "--no-renames",
            "--ignore-submodules=dirty",
        ];
        let out = self.run(ALONE.iter().chain(&args))?;
        let mut look = parse(&out).ok_or_else(|| GitError::Unclear { command: args.join(" ") })?;
        for (path, sight) in &mut look.sights {
            if let Sight::Repository(head) = sight {
                *head = self.head_within(path);
            }
        }
        Ok(look)
    }

    /// The commit at the HEAD of a repository within the work tree, as far as there is one.
    fn head_within(&self, path: &[u8]) -> Option<Oid> {
        let dir = self.dir().join(to_path(path)?);
        // Without a repository of its own, it is ours that would answer.
        dir.join(".git").symlink_metadata().ok()?;
        self.clone().in_work_tree(dir).head().ok().flatten()
    }

    /// The names that the files at `paths` have as objects once they are converted as for a commit. With `write` the
    /// objects are written.
    ///
    /// # Errors
    /// When git can't be asked, or one of the files is gone, can't be read or converted.
    pub fn as_committed(&self, paths: &[&[u8]], write: bool) -> Result<Vec<Oid>, GitError> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let mut args: Vec<OsString> = ["-c", "core.safecrlf=false"].map(OsString::from).to_vec();
        args.push("hash-object".into());
        args.extend(write.then(|| "-w".into()));
        args.push("--stdin-paths".into());
        let list: Vec<u8> = paths.iter().flat_map(|path| quoted(path)).collect();
        let out = self.fed(&args, &list)?;
        let oids = String::from_utf8_lossy(&out).lines().map(str::parse).collect::<Result<Vec<Oid>, _>>();
        let oids = oids.ok().filter(|oids| oids.len() == paths.len());
        oids.ok_or_else(|| GitError::Unclear { command: "hash-object --stdin-paths".into() })
    }

    /// Checks `paths` of `tree` out into the empty folder `into`, as they would be in the work tree. `beside` is a folder
    /// for what is needed meanwhile. The git directory is that of `git_dir`.
    ///
    /// What is converted is decided by the attributes of `tree`, since there are none in the folder.
    ///
    /// # Errors
    /// When git can't be asked, or can't check one of them out.
    pub fn check_out_to(
        &self,
        into: &Path,
        beside: &Path,
        git_dir: &Path,
        tree: &Oid,
        paths: &[&[u8]],
    ) -> Result<(), GitError> {
        let git = self.clone().in_work_tree(into);
        let git = git.with("GIT_DIR", git_dir).with("GIT_WORK_TREE", into);
        let git = git.with("GIT_INDEX_FILE", beside.join("index"));
        let own = || ALONE.into_iter().chain(["-c", "core.sparseCheckout=false"]);
        git.run(own().chain(["read-tree", tree.as_str()]))?;
        let args: Vec<OsString> = own().chain(["checkout-index", "-z", "--stdin"]).map(OsString::from).collect();
        let list: Vec<u8> = paths.iter().flat_map(|path| [path, &b"\0"[..]].concat()).collect();
        git.fed(&args, &list).map(drop)
    }

    /// Runs a command that reads `input`.
    pub(super) fn fed(&self, args: &[OsString], input: &[u8]) -> Result<Vec<u8>, GitError> {
        let failed = |source: io::Error| GitError::NotStarted { dir: self.dir().to_owned(), source };
        // A file, which needs nobody to write while git answers.
        let mut file = tempfile::tempfile().map_err(failed)?;
        file.write_all(input).and_then(|()| file.rewind()).map_err(failed)?;
        let output = self.command(args).stdin(Stdio::from(file)).output().map_err(failed)?;
        if output.status.success() { Ok(output.stdout) } else { Err(failure(args, &output)) }
    }
}

/// A line for a command that reads paths by lines: in quotes, in which any byte can be said.
fn quoted(path: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(path.len() + 3);
    line.push(b'"');
    for byte in path {
        match byte {
            b'"' | b'\\' => line.extend([b'\\', *byte]),
            b' '..=b'~' => line.push(*byte),
            _ => line.extend(format!("\\{byte:03o}").into_bytes()),
        }
    }
    line.extend(b"\"\n");
    line
}

/// Reads `git status --porcelain=v2 --branch -z`.
fn parse(out: &[u8]) -> Option<Look> {
    let mut look = Look::default();
    let mut untracked = Vec::new();
    for record in out.split(|byte| *byte == 0).filter(|record| !record.is_empty()) {
        let rest = record.get(2..)?;
        match record[0] {
            b'#' => {
                if let Some(oid) = std::str::from_utf8(rest).ok().and_then(|header| header.strip_prefix("branch.oid "))
                {
                    look.head = oid.parse().ok();
                }
            }
            b'1' => {
                let (fields, path) = fields::<7>(rest)?;
                look.sights.push((path.to_owned(), tracked(fields)?));
            }
            b'u' => look.sights.push((fields::<9>(rest)?.1.to_owned(), Sight::Differs)),
            b'?' => untracked.push(match rest.strip_suffix(b"/") {
                Some(path) => (path.to_owned(), Sight::Repository(None)),
                None => (rest.to_owned(), Sight::Differs),
            }),
            _ => return None,
        }
    }
    // What is no longer tracked may be there all the same.
    look.sights.append(&mut untracked);
    Some(look)
}

/// `XY sub mH mI mW hH hI`.
fn tracked([changed, submodule, _, staged, there, _, oid]: [&str; 7]) -> Option<Sight> {
    let mode = u32::from_str_radix(staged, 8).ok()?;
    Some(match changed.as_bytes().get(1)? {
        b'.' if mode == 0 => Sight::AsStaged(None),
        b'.' => Sight::AsStaged(Some((mode, oid.parse().ok()?))),
        _ if submodule.starts_with('S') && there == SUBMODULE => Sight::Repository(None),
        _ => Sight::Differs,
    })
}

/// The first fields of a record, and the path after them.
fn fields<const COUNT: usize>(record: &[u8]) -> Option<([&str; COUNT], &[u8])> {
    let mut parts = record.splitn(COUNT + 1, |byte| *byte == b' ');
    let mut fields = [""; COUNT];
    for field in &mut fields {
        *field = std::str::from_utf8(parts.next()?).ok()?;
    }
    Some((fields, parts.next()?))
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere there may be none")]
fn to_path(bytes: &[u8]) -> Option<&Path> {
    Some(Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes)))
}

#[cfg(not(unix))]
fn to_path(bytes: &[u8]) -> Option<&Path> {
    std::str::from_utf8(bytes).ok().map(Path::new)
}

mod diff;
mod ends;
mod include;
mod isolated;

pub use diff::{FileStat, TreeDiff};
pub use isolated::{Making, Owned, Owner, name_of, place};
