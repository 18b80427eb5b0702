//! What was to be committed, and may have been by now: a driver that was killed can't say.

use super::Capture;
use crate::{
    base::{oid::Oid, path::RepoPath},
    host::aside::{self, Use},
    ops::{
        Error, Session,
        outcome::{ASK, MESSAGE},
    },
};
use std::{slice, thread, time::Instant};

/// Most commits that are looked at.
const MOST: usize = 100;

impl Session {
    /// Waits till git has ended that a killed driver has left at its commit, whose message has the line `words`, however long
    /// its hooks take. `waits` is called where there is something to wait for. Then what it has left in the git directory is
    /// removed. Tells whether it has ended; it may go on where somebody `stops` that.
    pub fn wait_for_commit(&self, words: &str, stops: impl Fn() -> bool, waits: impl FnOnce()) -> bool {
        let is_at_it = || aside::is_read_still(self.repository.common_dir(), Use::Commit, MESSAGE, words);
        if is_at_it() {
            waits();
            while is_at_it() {
                if stops() {
                    return false;
                }
                thread::sleep(ASK);
            }
        }
        aside::clear(self.repository.common_dir());
        true
    }

    /// Whether `paths` have been committed as `after` has them, since `before` was seen: by a commit whose message has
    /// `words`, whatever came after that, or so that HEAD has them now. A commit that says so and changes nothing but these
    /// may have them as a hook has left them, where nothing of them is left to be committed; then the index doesn't take that
    /// back any more. Whoever has locked the index is waited for, for a moment.
    ///
    /// # Errors
    /// When HEAD can't be read, or git can't tell.
    pub fn is_committed(
        &self,
        words: &str,
        before: &Capture,
        after: &Capture,
        paths: &[RepoPath],
    ) -> Result<bool, Error> {
        self.wait_for_index(Instant::now());
        let Some(head) = self.checked_out()?.commit.filter(|head| Some(head) != before.head()) else {
            return Ok(false);
        };
        if paths.is_empty() {
            return Ok(false);
        }
        if self.has_all(&head, after, paths)? && self.not_committed(before, after, paths)?.len() < paths.len() {
            return Ok(true);
        }
        let commits = self.bare_git().commits_that_say(&head, before.head(), words, MOST)?;
        for commit in &commits {
            if self.has_all(commit, after, paths)? {
                return Ok(true);
            }
            if self.is_of_these(commit, &head, paths)? {
                // Whoever made it may have been killed before that. What was staged since is somebody's own.
                let _ = self.settle_index(&self.repository.staged_as(after, paths)?);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a commit changes some of `paths` and nothing else, while the work tree has the others as `head` has them.
    fn is_of_these(&self, commit: &Oid, head: &Oid, paths: &[RepoPath]) -> Result<bool, Error> {
        let changed = self.bare_git().changed_by(slice::from_ref(commit))?;
        let (done, others): (Vec<RepoPath>, _) =
            paths.iter().cloned().partition(|path| changed.contains_key(path.as_bytes()));
        if done.is_empty() || done.len() < changed.len() {
            return Ok(false);
        }
        Ok(others.is_empty() || self.has_all(head, &self.capture_with(&others)?, &others)?)
    }

    fn has_all(&self, commit: &Oid, capture: &Capture, paths: &[RepoPath]) -> Result<bool, Error> {
        for path in paths {
            if !self.repository.has_as(commit, capture, path)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Those of `paths` that have not come to be at HEAD as `after` has them, since `before` was seen.
    ///
    /// # Errors
    /// When HEAD can't be read.
    pub fn not_committed(&self, before: &Capture, after: &Capture, paths: &[RepoPath]) -> Result<Vec<RepoPath>, Error> {
        let head = self.checked_out()?.commit.filter(|head| Some(head) != before.head());
        let Some(head) = head else { return Ok(paths.to_vec()) };
        // A commit that is gone had nothing.
        let had = |path| before.head().is_some_and(|base| self.repository.has_as(base, after, path).unwrap_or(false));
        let mut left = Vec::new();
        for path in paths {
            if !self.repository.has_as(&head, after, path)? || had(path) {
                left.push(path.clone());
            }
        }
        Ok(left)
    }
}
