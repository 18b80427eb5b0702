//! What the work tree held before some work and after it: what has changed, what it looks like, and putting it back.
//!
//! git is asked what differs and how files are converted, and the store keeps and compares. No question and no answer
//! touches the user's index, a stash, a ref, or a path that was not named.

use super::{Error, Session, Target};
use crate::{
    base::{oid::Oid, path::RepoPath, text},
    host::{
        aside::{Aside, Use},
        fault,
        git::{Git, GitError},
    },
    store::{Durability, Plan, RefBackend},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

mod committed;
mod isolated;

pub use isolated::{Cleared, Isolated, Landed, Removed};

pub use crate::store::{Capture, Change, ChangeKind, LeftAlone, PutBack};

/// How often a work tree is looked at again because a file went away while it was read.
const TRIES: u32 = 4;

/// Where git is told how files are converted.
const ATTRIBUTES: &str = ".gitattributes";

/// Most bytes of a diff that are shown.
const MAX_DIFF: usize = 1024 * 1024;

/// How a work tree has changed, as people read it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    /// As `git diff` prints it. It is somebody else's text, to be cleaned before a terminal sees it.
    pub text: String,
    /// Whether there is more of it.
    pub is_cut: bool,
    /// The lines that were added to each file and deleted from it; `None` where it is no text.
    pub stat: Vec<(RepoPath, Option<(u64, u64)>)>,
    /// The sum: `2 files changed, 3 insertions(+), 1 deletion(-)`. Empty where nothing differs.
    pub summary: String,
}

/// What is checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedOut {
    /// The branch, by the whole name of its ref; `None` where HEAD is detached.
    pub branch: Option<String>,
    /// The commit; `None` before the first one.
    pub commit: Option<Oid>,
}

impl CheckedOut {
    /// The branch, for people.
    pub fn name(&self) -> String {
        let name = |name: &String| text::one_line(name.strip_prefix("refs/heads/").unwrap_or(name), 100);
        self.branch.as_ref().map_or_else(|| "a detached HEAD".to_owned(), name)
    }
}

impl Session {
    /// What is checked out in the work tree of this session.
    ///
    /// # Errors
    /// When HEAD can't be read, or git can't be asked where only git can read it.
    pub fn checked_out(&self) -> Result<CheckedOut, Error> {
        if self.repository.ref_backend() == RefBackend::Files {
            return Ok(CheckedOut { branch: self.repository.branch()?, commit: self.repository.head()? });
        }
        let git = self.git_here()?;
        let branch = git.run_unless(1, ["symbolic-ref", "--quiet", "HEAD"])?;
        let branch = branch.map(|name| String::from_utf8_lossy(&name).trim_end().to_owned());
        Ok(CheckedOut { branch, commit: git.head()? })
    }

    /// What the work tree holds now: what is staged, what is not, and what git doesn't know yet, without what is ignored.
    ///
    /// # Errors
    /// When there is no work tree, a file in it can't be read or is larger than 1 GiB, or objects can't be written.
    pub fn capture(&self) -> Result<Capture, Error> {
        self.capture_with(&[])
    }

    /// The same, after `before` was seen: what git was told to ignore since is there all the same.
    ///
    /// # Errors
    /// As for [`capture`](Self::capture).
    pub fn capture_after(&self, before: &Capture) -> Result<Capture, Error> {
        self.capture_with(&before.read_paths().cloned().collect::<Vec<_>>())
    }

    /// The same, before work that may write in `scope`: files there that git holds for unchanged and would check out with
    /// other line ends are kept as they are. That is looked for where git is told to convert, by its configuration or by
    /// attributes in a folder above the scope or in one below it.
    ///
    /// # Errors
    /// As for [`capture`](Self::capture).
    pub fn capture_before(&self, scope: &[Target]) -> Result<Capture, Error> {
        let root = self.root_of_work_tree()?;
        let automatic = self.repository.config("core.autocrlf").map(|value| value.to_lowercase());
        let as_crlf = matches!(automatic.as_deref(), Some("true" | "yes" | "on" | "1"));
        let paths: Vec<RepoPath> = scope.iter().filter_map(|target| target.scope.path()).collect();
        let is_told = |path: &RepoPath| {
            let mut folders = path.to_os().into_iter().flat_map(Path::ancestors);
            folders.any(|folder| root.join(folder).join(ATTRIBUTES).exists())
        };
        let converts = as_crlf
            || automatic.as_deref() == Some("input")
            || root.join(ATTRIBUTES).exists()
            || self.repository.common_dir().join("info").join("attributes").exists()
            || paths.iter().any(is_told);
        let is_below = |file: &RepoPath| {
            let folder = file.parent().filter(|_| file.components().last() == Some(ATTRIBUTES.as_bytes()));
            folder.is_some_and(|folder| paths.iter().any(|path| folder.is_within(path)))
        };
        if !converts && !self.repository.has_staged(is_below)? {
            let capture = self.capture()?;
            // What git doesn't know yet counts as well.
            if !capture.read_paths().any(is_below) {
                return Ok(capture);
            }
        }
        let named: Option<Vec<&str>> =
            paths.iter().map(|path| path.to_os()?.to_str().filter(|path| !path.is_empty())).collect();
        // The root has no name, and all is looked at.
        let own = self.git().with_own_line_ends(&named.unwrap_or_default(), as_crlf)?;
        let own: Vec<RepoPath> = own.iter().filter_map(|path| RepoPath::from_bytes(path).ok()).collect();
        self.capture_with(&own)
    }

    fn capture_with(&self, known: &[RepoPath]) -> Result<Capture, Error> {
        let mut tries = TRIES;
        loop {
            match self.try_capture(&self.git_here()?, known, None) {
                Err(Error::Git(GitError::Failed { .. })) if tries > 1 => tries -= 1,
                done => return done,
            }
        }
    }

    /// As [`capture_after`](Self::capture_after), where git can't read the index: what is there is held against HEAD, and
    /// the index stays as it is.
    ///
    /// # Errors
    /// As for [`capture`](Self::capture).
    pub fn capture_past_index(&self, before: &Capture) -> Result<Capture, Error> {
        self.past_index(&before.read_paths().cloned().collect::<Vec<_>>())
    }

    fn past_index(&self, known: &[RepoPath]) -> Result<Capture, Error> {
        let aside = self.aside(Use::Index)?;
        let index = aside.path().join("index");
        let git = self.git_here()?.with("GIT_INDEX_FILE", &index);
        git.run(["read-tree", if git.head()?.is_some() { "HEAD" } else { "--empty" }])?;
        self.try_capture(&git, known, Some(&index))
    }

    fn try_capture(&self, git: &Git, known: &[RepoPath], index: Option<&Path>) -> Result<Capture, Error> {
        let read = self.repository.read_work_tree(git.look()?, known.iter(), index)?;
        let files: Vec<&[u8]> = read.files().map(RepoPath::as_bytes).collect();
        let says = git.as_committed(&files, false)?;
        // Their bytes are kept already, and most are just those that git would store.
        let converted: Vec<&[u8]> = read.converted(&says).into_iter().map(RepoPath::as_bytes).collect();
        git.as_committed(&converted, true)?;
        Ok(self.repository.capture(read, &says)?)
    }

    /// What has changed between two moments, whether it was committed meanwhile, staged, or neither.
    ///
    /// # Errors
    /// When the captures can't be read.
    pub fn changed_between(&self, before: &Capture, after: &Capture) -> Result<Vec<Change>, Error> {
        Ok(self.repository.changes(before, after)?)
    }

    /// Puts `paths` back to what `before` has, each only where it is still as `after` saw it. The index stays as it is,
    /// and so does every other path.
    ///
    /// # Errors
    /// When the work tree can't be looked at, or git can't check out what has no bytes in `before`. What has failed for
    /// one path is told in the answer.
    pub fn restore(&self, before: &Capture, after: &Capture, paths: &[RepoPath]) -> Result<PutBack, Error> {
        let now = self.capture_with(paths).or_else(|error| self.past_index(paths).map_err(|_| error))?;
        let plan = self.repository.plan_put_back(before, after, &now, paths)?;
        self.put_back(plan, before)
    }

    /// Does what was planned, to get to what `want` has.
    fn put_back(&self, plan: Plan, want: &Capture) -> Result<PutBack, Error> {
        let aside = self.aside(Use::PutBack)?;
        let checked_out = aside.path().join("tree");
        let files: Vec<&[u8]> = plan.to_check_out().map(RepoPath::as_bytes).collect();
        if !files.is_empty() {
            self.check_out(&checked_out, aside.path(), want, &files)?;
        }
        let observe = |done: usize| fault::at(&self.env, &format!("put-back-{done}"));
        Ok(self.repository.put_back(plan, &checked_out, aside.path(), observe)?)
    }

    /// A folder in the git directory of this work tree, for as long as it is held.
    pub(super) fn aside(&self, for_what: Use) -> Result<Aside, Error> {
        let aside = Aside::make(self.repository.git_dir(), for_what);
        aside.map_err(Error::file("can't make a folder in the git directory"))
    }

    fn check_out(&self, into: &Path, beside: &Path, capture: &Capture, files: &[&[u8]]) -> Result<(), Error> {
        fs::create_dir(into).map_err(Error::file("can't make a folder in the git directory"))?;
        let git_dir = self.repository.git_dir();
        Ok(self.git_here()?.check_out_to(into, beside, git_dir, capture.tree(), files)?)
    }

    /// How `after` differs from `before`, as people read it: everywhere, or only at `paths`.
    ///
    /// # Errors
    /// When the captures can't be read.
    pub fn diff_of(&self, before: &Capture, after: &Capture, paths: Option<&[RepoPath]>) -> Result<Diff, Error> {
        let meant = match paths {
            // A tree of its own, which may be told any number of paths by any names.
            Some(paths) => self.repository.with_paths_of(before, after, paths)?,
            None => after.tree().clone(),
        };
        let diff = self.bare_git().tree_diff(before.tree(), &meant, MAX_DIFF)?;
        let summary = diff.summary();
        let stat = diff.stat.into_iter().filter_map(|file| Some((RepoPath::from_bytes(&file.path).ok()?, file.lines)));
        Ok(Diff { stat: stat.collect(), summary, is_cut: diff.is_cut, text: diff.text })
    }

    /// The capture as one tree: whoever refers to that tree keeps all that [`restore`](Self::restore) needs.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn capture_to_tree(&self, capture: &Capture) -> Result<Oid, Error> {
        Ok(self.repository.capture_to_tree(capture, self.is_durable())?)
    }

    /// The capture that was written as `tree`.
    ///
    /// # Errors
    /// When it is none.
    pub fn capture_from_tree(&self, tree: &Oid) -> Result<Capture, Error> {
        Ok(self.repository.capture_from_tree(tree)?)
    }

    /// git in the work tree of this session, whichever index its caller may have named: a hook has one of its own, and
    /// git would write another work tree's entries into it.
    fn git_here(&self) -> Result<Git, Error> {
        let root = self.root_of_work_tree()?;
        Ok(Git::at(&root).with("GIT_DIR", self.repository.git_dir()).with("GIT_WORK_TREE", root))
    }

    fn root_of_work_tree(&self) -> Result<PathBuf, Error> {
        let hint = "go to a work tree of it: `git worktree list` shows those there are";
        self.repository.work_tree().ok_or_else(|| Error::usage("this repository has no work tree", hint))
    }

    fn is_durable(&self) -> bool {
        self.settings.durability == Durability::Synced
    }
}

#[cfg(test)]
mod tests;
