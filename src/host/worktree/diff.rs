//! How two trees differ, for people.

use crate::{
    base::oid::Oid,
    host::git::{Git, GitError},
};
use std::{
    ffi::OsString,
    io::{self, Read},
    process::Stdio,
};

/// How a diff is made, whatever the user's settings: no program of theirs runs.
const PLAIN: [&str; 9] = [
    "diff",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--no-renames",
    "--no-relative",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--submodule=short",
];

/// How two trees differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TreeDiff {
    /// As `git diff` prints it. It is somebody else's text.
    pub text: String,
    /// Whether there is more of it.
    pub is_cut: bool,
    /// How much of each file has changed.
    pub stat: Vec<FileStat>,
}

/// How much of a file has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStat {
    /// Where it is, as git has it.
    pub path: Vec<u8>,
    /// Lines that were added and lines that were deleted; `None` for a file that is no text.
    pub lines: Option<(u64, u64)>,
}

impl TreeDiff {
    /// The sum: `2 files changed, 3 insertions(+), 1 deletion(-)`. Empty where nothing differs.
    pub fn summary(&self) -> String {
        let count = |count: u64, one: &str, more: &str| match count {
            0 => String::new(),
            1 => format!("1 {one}"),
            count => format!("{count} {more}"),
        };
        let lines = |which: fn((u64, u64)) -> u64| self.stat.iter().filter_map(|file| file.lines).map(which).sum();
        let parts = [
            count(self.stat.len() as u64, "file changed", "files changed"),
            count(lines(|(added, _)| added), "insertion(+)", "insertions(+)"),
            count(lines(|(_, deleted)| deleted), "deletion(-)", "deletions(-)"),
        ];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }
}

impl Git {
    /// How the tree `after` differs from `before`, of which at most `limit` bytes are kept.
    ///
    /// # Errors
    /// When git can't be asked, or one of the trees is missing.
    pub fn tree_diff(&self, before: &Oid, after: &Oid, limit: usize) -> Result<TreeDiff, GitError> {
        let args = |how: &[&str]| -> Vec<OsString> {
            let trees = [before.as_str(), after.as_str(), "--"];
            PLAIN.iter().chain(how).chain(&trees).map(OsString::from).collect()
        };
        let stat = parse_stat(&self.run(args(&["--numstat", "-z"]))?);
        let stat = stat.ok_or_else(|| GitError::Unclear { command: "diff --numstat".into() })?;
        if stat.is_empty() {
            return Ok(TreeDiff::default());
        }
        let (bytes, is_cut) = self.beginning_of(&args(&["--unified=3"]), limit)?;
        Ok(TreeDiff { text: String::from_utf8_lossy(&bytes).into_owned(), is_cut, stat })
    }

    /// The first `limit` bytes of what a command prints, and whether there are more.
    fn beginning_of(&self, args: &[OsString], limit: usize) -> Result<(Vec<u8>, bool), GitError> {
        let failed = |source: io::Error| GitError::NotStarted { dir: self.dir().to_owned(), source };
        let mut child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(failed)?;
        let mut bytes = Vec::new();
        if let Some(out) = child.stdout.take() {
            out.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        }
        let is_cut = bytes.len() > limit;
        if is_cut {
            // Nobody reads on, which it would notice by itself sooner or later.
            let _ = child.kill();
            bytes.truncate(limit);
        }
        child.wait().map_err(failed)?;
        Ok((bytes, is_cut))
    }
}

fn parse_stat(out: &[u8]) -> Option<Vec<FileStat>> {
    let records = out.split(|byte| *byte == 0).filter(|record| !record.is_empty());
    let stat = records.map(|record| {
        let mut parts = record.splitn(3, |byte| *byte == b'\t');
        let mut number = || std::str::from_utf8(parts.next()?).ok().map(|text| text.parse::<u64>().ok());
        let lines = number()?.zip(number()?);
        Some(FileStat { path: parts.next()?.to_owned(), lines })
    });
    stat.collect()
}
