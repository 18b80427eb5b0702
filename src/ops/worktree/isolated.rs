//! Work in a work tree of its own: it begins as the main one is, with all that is not committed, and what comes of it is
//! taken back path by path.
//!
//! Nothing of the user's is touched on the way there: no branch is made, no configuration written, and no hook runs. On the
//! way back a path is written only where the main tree is still as it was when the work began. Where one is not, or can't
//! be written, none of them stays written, and what was committed meanwhile is left alone. Git removes the work tree, and
//! only once what is in it is known. What git won't remove stays, and it is told where.

use super::{Capture, LeftAlone, PutBack};
use crate::{
    base::{oid::Oid, path::RepoPath, process::Aliveness},
    host::worktree::{self as host, Making, Owned, Owner},
    ops::{Error, Session},
};
use std::path::{Path, PathBuf};

/// A work tree in which a run works apart from everybody else.
#[derive(Debug)]
#[must_use = "it stays until it is removed"]
pub struct Isolated {
    owned: Owned,
    /// What the main tree held when this was made.
    main: Capture,
    /// What this held then.
    base: Capture,
    /// What git ignored in it then.
    given: Vec<RepoPath>,
}

/// What came of having work land.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landed {
    /// All of it is in the main tree.
    Done(PutBack),
    /// It can't be there.
    Conflict {
        /// At these paths the main tree is no longer as it was, or can't be written.
        left: Vec<(RepoPath, LeftAlone)>,
        /// What may have landed at these could not be put back. All else is as it was.
        stays: Vec<(RepoPath, LeftAlone)>,
    },
}

/// What came of removing a work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// It is gone, and with it what git ignored in it and was not put there at the beginning.
    Gone {
        /// What that was: a folder stands for all that is in it.
        ignored: Vec<RepoPath>,
    },
    /// It is still there.
    Left {
        /// Where.
        dir: PathBuf,
        /// Why.
        why: String,
    },
}

/// A work tree that nobody works in any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleared {
    /// The run that worked in it.
    pub run: String,
    /// What it held at the end, unless it could not be read.
    pub work: Option<Capture>,
    /// What came of removing it.
    pub removed: Removed,
}

impl Isolated {
    /// The root of it.
    pub fn dir(&self) -> &Path {
        &self.owned.dir
    }

    /// The run that works in it.
    pub fn run(&self) -> &str {
        &self.owned.owner.run
    }

    /// What it held at the beginning.
    pub fn base(&self) -> &Capture {
        &self.base
    }

    /// What the main tree held at the beginning.
    pub fn main(&self) -> &Capture {
        &self.main
    }
}

impl Session {
    /// Makes a work tree for `run` that begins with what `main` has, a capture of this one. What `.worktreeinclude` says
    /// is taken along.
    ///
    /// # Errors
    /// When git can't make it, or what is to be taken along can't be copied. Then nothing of it stays.
    pub fn isolate(&self, run: &str, main: &Capture) -> Result<Isolated, Error> {
        let root = self.root_of_work_tree()?;
        let message = format!("The work tree as {run} found it\n");
        let seconds = self.now().timestamp();
        let commit = self.repository.commit_capture(main, &message, seconds, self.is_durable())?;
        let common = self.repository.common_dir();
        let turn = self.turn_of_work_trees()?;
        let dir = host::place(self.env.cache_home.as_deref(), common, &root, run, self.random());
        let dir = dir.map_err(|why| Error::Failed(format!("there is no room for a work tree: {why}")))?;
        let owned = Owned { dir, owner: Owner::of(run, commit) };
        self.git_here()?.add_work_tree(&owned)?;
        drop(turn);
        match self.furnish(&owned.dir) {
            Ok((base, given)) => Ok(Isolated { owned, main: main.clone(), base, given }),
            Err(error) => {
                // Nobody has worked in it.
                let _ = self.remove_by_git(&owned);
                Err(error)
            }
        }
    }

    /// Takes along what there is to be, and looks at what is there.
    fn furnish(&self, dir: &Path) -> Result<(Capture, Vec<RepoPath>), Error> {
        self.git_here()?.take_along(dir)?;
        let there = self.within(dir)?;
        Ok((there.capture()?, there.ignored()?))
    }

    /// The same repository in the work tree at `dir`.
    fn within(&self, dir: &Path) -> Result<Session, Error> {
        let there = Session::open_other(dir, None)?;
        // Without what ties it to its repository, the next one above it would be found.
        let is_it = there.repository.common_dir() == self.repository.common_dir()
            && there.repository.work_tree().as_deref() == std::fs::canonicalize(dir).ok().as_deref();
        match is_it {
            true => Ok(there),
            false => Err(Error::not_found(
                format!("{} is no work tree of this repository any more", dir.display()),
                "look at what is in it, and remove it yourself",
            )),
        }
    }

    fn ignored(&self) -> Result<Vec<RepoPath>, Error> {
        let found = self.git_here()?.ignored()?;
        Ok(found.iter().filter_map(|path| RepoPath::from_bytes(path).ok()).collect())
    }

    /// What `isolated` holds now.
    ///
    /// # Errors
    /// As for [`capture`](Self::capture).
    pub fn capture_isolated(&self, isolated: &Isolated) -> Result<Capture, Error> {
        self.within(isolated.dir())?.capture_after(&isolated.base)
    }

    /// Has `paths` land in this work tree: from what it held when the work began, `main`, they come to what `work` has. Either
    /// all of them do, or none. With `is_begun` a driver that is gone may have had some of them land already.
    ///
    /// # Errors
    /// When the work tree can't be looked at, or git can't check out what was committed where the work was done.
    pub fn land(&self, main: &Capture, work: &Capture, paths: &[RepoPath], is_begun: bool) -> Result<Landed, Error> {
        let now = self.capture_with(paths)?;
        let plan = self.repository.plan_put_back(work, main, &now, paths)?;
        if !plan.leaves_none() {
            let stays = if is_begun { self.unland(main, work, paths) } else { Vec::new() };
            return Ok(Landed::Conflict { left: plan.into_left(), stays });
        }
        let done = self.put_back(plan, work)?;
        if done.left.is_empty() {
            return Ok(Landed::Done(done));
        }
        let written: Vec<RepoPath> = done.written.into_iter().chain(done.removed).collect();
        let stays = self.unland(main, work, if is_begun { paths } else { &written });
        Ok(Landed::Conflict { left: done.left, stays })
    }

    /// Has what has landed of `paths` go again, as far as nobody has changed it since, or committed it. What could not be
    /// put back is told.
    #[must_use = "what could not be put back is to be told"]
    pub fn unland(&self, main: &Capture, work: &Capture, paths: &[RepoPath]) -> Vec<(RepoPath, LeftAlone)> {
        let free = self.not_committed(main, work, paths);
        match free.and_then(|free| self.restore(main, work, &free)) {
            // What somebody has changed is theirs.
            Ok(done) => done.left.into_iter().filter(|(_, why)| *why != LeftAlone::ChangedSince).collect(),
            Err(error) => paths.iter().map(|path| (path.clone(), LeftAlone::Failed(error.to_string()))).collect(),
        }
    }

    /// Removes `isolated`, in which nothing was done but to make it ready.
    pub fn abandon_isolated(&self, isolated: Isolated) {
        let _ = match self.capture_isolated(&isolated) {
            Ok(work) => self.remove_isolated(isolated, &work).map(drop),
            Err(_) => self.remove_by_git(&isolated.owned),
        };
    }

    /// Removes `isolated`, if all it holds is in `work`, its capture. What differs from that would be lost, and stays.
    ///
    /// # Errors
    /// When the captures can't be compared.
    pub fn remove_isolated(&self, isolated: Isolated, work: &Capture) -> Result<Removed, Error> {
        let left = |why: String| Removed::Left { dir: isolated.owned.dir.clone(), why };
        let now = match self.capture_isolated(&isolated) {
            Ok(now) => now,
            Err(error) => return Ok(left(error.to_string())),
        };
        let changes = self.changed_between(work, &now)?;
        if let Some(change) = changes.first() {
            return Ok(left(format!("it has changed since, at {}", change.path)));
        }
        let there = match self.within(isolated.dir()) {
            Ok(there) => there,
            Err(error) => return Ok(left(error.to_string())),
        };
        Ok(self.remove_owned(&isolated.owned, &there, &now, &isolated.given))
    }

    /// Removes a work tree of which everything is known that `now` can hold: a repository in it is more than that, unless
    /// it is the submodule that was there at the beginning.
    fn remove_owned(&self, owned: &Owned, there: &Session, now: &Capture, given: &[RepoPath]) -> Removed {
        let left = |error: Error| Removed::Left { dir: owned.dir.clone(), why: error.to_string() };
        let ignored = match there.ignored() {
            Ok(ignored) => ignored.into_iter().filter(|path| !given.contains(path)).collect(),
            Err(error) => return left(error),
        };
        match there.repository_of_its_own(&owned.owner.base, now) {
            Ok(None) => {}
            Ok(Some(path)) => {
                let why = format!("{path} in it is a repository of its own, with work that is nowhere else");
                return Removed::Left { dir: owned.dir.clone(), why };
            }
            Err(error) => return left(error),
        }
        match self.remove_by_git(owned) {
            Ok(()) => Removed::Gone { ignored },
            Err(error) => left(error),
        }
    }

    fn remove_by_git(&self, owned: &Owned) -> Result<(), Error> {
        let _turn = self.turn_of_work_trees()?;
        Ok(self.bare_git().remove_work_tree(owned)?)
    }

    fn turn_of_work_trees(&self) -> Result<Making, Error> {
        let turn = Making::take(self.repository.common_dir(), self.repository.sharing());
        turn.map_err(Error::file("somebody else takes too long to make or remove a work tree"))
    }

    /// A repository in this work tree that holds something beyond the commit that `base` has of it.
    fn repository_of_its_own(&self, base: &Oid, now: &Capture) -> Result<Option<RepoPath>, Error> {
        let root = self.root_of_work_tree()?;
        for path in self.repository.repositories_within(now)? {
            let Some(dir) = path.to_os().map(|path| root.join(path)) else { return Ok(Some(path)) };
            let status = self.git_here()?.in_work_tree(dir).status()?;
            let known = self.repository.submodule_at(base, &path)?;
            if known.is_none() || known != status.commit || !status.dirty.is_empty() {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// Removes the work trees that are called as `is_meant` says, but for those whose makers live. What one held is handed to
    /// `keep` first; where that can't keep it, it stays.
    ///
    /// # Errors
    /// When git can't be asked which there are.
    pub fn clear_isolated(
        &self,
        is_meant: impl Fn(&str) -> bool,
        keep: &mut dyn FnMut(&str, &Capture) -> Result<(), Error>,
    ) -> Result<Vec<Cleared>, Error> {
        let mut owned = self.bare_git().owned_work_trees()?;
        owned.retain(|owned| is_meant(&owned.owner.run) && owned.owner.aliveness() != Aliveness::Alive);
        Ok(owned.into_iter().map(|owned| self.clear(&owned, keep)).collect())
    }

    fn clear(&self, owned: &Owned, keep: &mut dyn FnMut(&str, &Capture) -> Result<(), Error>) -> Cleared {
        let run = owned.owner.run.clone();
        let left = |error: Error| Removed::Left { dir: owned.dir.clone(), why: error.to_string() };
        if !owned.dir.exists() {
            // Only git's record of it is left.
            let removed = self.remove_by_git(owned);
            let removed = removed.map_or_else(left, |()| Removed::Gone { ignored: Vec::new() });
            return Cleared { run, work: None, removed };
        }
        let looked = self.within(&owned.dir).and_then(|there| {
            let work = there.capture()?;
            keep(&run, &work)?;
            Ok((work, there))
        });
        match looked {
            Ok((work, there)) => {
                let removed = self.remove_owned(owned, &there, &work, &[]);
                Cleared { run, work: Some(work), removed }
            }
            Err(error) => Cleared { run, work: None, removed: left(error) },
        }
    }
}
