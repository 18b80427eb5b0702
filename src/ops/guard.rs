//! The fence at the commit: what `git commit` is about to change, held against what is claimed.

mod push;

pub use push::{PushObjection, PushVerdict};

use super::{Error, Guard, Held, PersonGuard, RequireClaim, Session, Who};
use crate::{
    base::{id::RunId, oid::Oid, path::RepoPath},
    model::{
        apply::Conflict,
        claim::{Claim, Ended, Origin},
        guard::{Matter, findings},
        op::Action,
        scope::Scope,
        view::View,
    },
    store::{RefBackend, Snapshot},
};
use std::collections::HashSet;

/// Most bytes of paths that the record of a bypass lists.
const MAX_BYPASS_PATHS: usize = 16 * 1024;

/// The hook that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// `pre-commit`.
    Commit,
    /// `pre-merge-commit`, for a merge without conflicts.
    Merge,
}

impl Fence {
    fn as_str(self) -> &'static str {
        match self {
            Fence::Commit => "pre-commit",
            Fence::Merge => "pre-merge-commit",
        }
    }
}

/// What the fence says.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Why the commit is refused; empty: it may pass.
    pub refused: Vec<Objection>,
    /// What is said although it may pass.
    pub warned: Vec<Objection>,
    /// Set when somebody went round the fence: how many paths it would have judged.
    pub bypassed: Option<u64>,
    /// How many free files would have been claimed and were not, since they are too many.
    pub left_unclaimed: usize,
}

impl Verdict {
    /// Takes in what was said of other paths.
    pub(super) fn join(&mut self, other: Verdict) {
        self.refused.extend(other.refused);
        self.warned.extend(other.warned);
        self.left_unclaimed += other.left_unclaimed;
        let counts = [self.bypassed, other.bypassed];
        self.bypassed = counts.into_iter().flatten().reduce(|a, b| a + b);
    }
}

/// One path and what is the matter with it.
#[derive(Debug, Clone)]
pub enum Objection {
    /// Somebody else holds it.
    Held(RepoPath, Box<Held>),
    /// The committer held it, lost it, and has not settled that.
    Lost(RepoPath, Box<Ended>),
    /// The committer has not claimed it.
    Unclaimed(RepoPath),
    /// A run has started the one who edits, and it is not in the scope of that.
    BesideScope(RepoPath),
}

impl Session {
    /// Whether an edit may be refused at all.
    pub fn blocks_edits(&self) -> bool {
        self.settings.guard == Guard::Block && !self.env.bypass
    }

    /// Whether an edit is at most warned of.
    pub fn warns_of_edits(&self) -> bool {
        self.settings.guard == Guard::Warn && !self.env.bypass
    }

    /// Judges what is staged.
    ///
    /// # Errors
    /// When it can't be judged. The caller has to block then, and name the way round; unless somebody is going it,
    /// which could not be recorded then.
    pub fn guard_commit(&self, fence: Fence) -> Result<Verdict, Error> {
        let snapshot = self.snapshot()?;
        if !snapshot.exists() {
            self.warn_of_lost_store(&snapshot)?;
            return Ok(Verdict::default());
        }
        if self.env.bypass {
            return self.bypassed(fence);
        }
        if self.settings.guard == Guard::Off {
            return Ok(Verdict::default());
        }
        let paths = self.staged(fence)?;
        if paths.is_empty() {
            return Ok(Verdict::default());
        }
        let who = self.who(&snapshot)?;
        let (mut verdict, unclaimed) = self.judge(&paths, &who, &snapshot)?;
        self.object_to_unclaimed(&who, unclaimed, &mut verdict);
        Ok(verdict)
    }

    /// What is the matter with `paths`, changed by `who`, as all fences see it; and which of them nobody has claimed.
    pub(super) fn judge(
        &self,
        paths: &[RepoPath],
        who: &Who,
        snapshot: &Snapshot<'_>,
    ) -> Result<(Verdict, Vec<RepoPath>), Error> {
        let (mut verdict, mut unclaimed) = (Verdict::default(), Vec::new());
        // Of losses the fence speaks itself, where they matter.
        who.instance().into_iter().for_each(|id| self.heard_of(id));
        let mut claims = self.binding(snapshot.claims_covering(paths)?, who.instance(), snapshot)?;
        self.leave_out_own_run(&mut claims);
        let folds_case = snapshot.folds_case();
        let lost = self.losses_of(who.instance(), snapshot, |lost| lost.covers_any(paths, folds_case))?;
        for finding in findings(paths, &claims, &lost, who.instance(), folds_case) {
            let path = finding.path.clone();
            match finding.matter {
                Matter::Held(claim) => {
                    let conflict = Conflict { scope: Scope::File(path.clone()), claim: claim.clone() };
                    let held = self.held_by(conflict, snapshot);
                    let list = if self.blocks(who, claim.origin) { &mut verdict.refused } else { &mut verdict.warned };
                    list.push(Objection::Held(path, Box::new(held)));
                }
                Matter::Lost(ended) => {
                    let list =
                        if self.settings.guard == Guard::Block { &mut verdict.refused } else { &mut verdict.warned };
                    list.push(Objection::Lost(path, Box::new(ended.clone())));
                }
                Matter::Unclaimed => unclaimed.push(path),
            }
        }
        Ok((verdict, unclaimed))
    }

    /// Leaves out the claims of the run that this is a command of: what a run does by itself, such as to commit, it does for
    /// all of its steps.
    fn leave_out_own_run(&self, claims: &mut Vec<Claim>) {
        let run_of = |claim: &Claim| claim.why.as_ref().and_then(|why| why.parse::<RunId>().ok());
        if !claims.iter().any(|claim| run_of(claim).is_some()) {
            return;
        }
        let own = self.runs_commanding();
        claims.retain(|claim| !run_of(claim).is_some_and(|run| own.contains(&run)));
    }

    /// Objects, as far as `aio.requireClaim` says so, that an instance changes what it has not claimed.
    pub(super) fn object_to_unclaimed(&self, who: &Who, unclaimed: Vec<RepoPath>, verdict: &mut Verdict) {
        let objections = unclaimed.into_iter().filter(|_| !who.is_person()).map(Objection::Unclaimed);
        match self.settings.require_claim {
            RequireClaim::Off => {}
            RequireClaim::Warn => verdict.warned.extend(objections),
            RequireClaim::Block => verdict.refused.extend(objections),
        }
    }

    /// A person is stopped by what somebody asked for, and only told of what a fence claimed by itself.
    fn blocks(&self, who: &Who, origin: Origin) -> bool {
        let person = who.is_person() && (origin == Origin::Auto || self.settings.guard_person == PersonGuard::Warn);
        self.settings.guard == Guard::Block && !person
    }

    /// Records that somebody goes round the fence.
    fn bypassed(&self, fence: Fence) -> Result<Verdict, Error> {
        let count = self.record_bypass(fence.as_str(), &self.staged(fence).unwrap_or_default())?;
        Ok(Verdict { bypassed: Some(count), ..Verdict::default() })
    }

    /// Records that somebody goes round the fence of this name, which would have judged `paths`, and how many those
    /// are.
    pub(super) fn record_bypass(&self, fence: &str, paths: &[RepoPath]) -> Result<u64, Error> {
        let mut size = 0;
        let listed = paths.iter().take_while(|path| {
            size += path.encoded().len();
            size < MAX_BYPASS_PATHS
        });
        let count = paths.len() as u64;
        let action = Action::Bypass { fence: fence.into(), paths: listed.cloned().collect(), count };
        let me = self.snapshot().and_then(|snapshot| self.who(&snapshot)).ok();
        let me = me.and_then(|who| who.instance().cloned());
        self.perform(me.as_ref(), |_| Ok(Some(action.clone())))?;
        Ok(count)
    }

    /// The paths that the commit under way would change.
    ///
    /// # Errors
    /// When neither we nor git can tell.
    pub fn staged(&self, fence: Fence) -> Result<Vec<RepoPath>, Error> {
        let mut parents: Vec<Oid> = self.head()?.into_iter().collect();
        parents.extend(self.repository.merge_heads());
        if fence == Fence::Merge {
            parents.extend(self.env.merging.iter().cloned());
        }
        let index = self.env.git_index_file.as_deref();
        let staged = match self.repository.staged(index, &parents) {
            // An index of a kind that we can't read, git can.
            Err(_) => self.staged_by_git(&parents)?,
            Ok(staged) => staged,
        };
        // What was committed elsewhere may be spelled in another way than git does here.
        Ok(self.as_claimed(staged))
    }

    fn head(&self) -> Result<Option<Oid>, Error> {
        match self.repository.ref_backend() {
            RefBackend::Files => Ok(self.repository.head()?),
            RefBackend::Git => Ok(self.git().head()?),
        }
    }

    fn staged_by_git(&self, parents: &[Oid]) -> Result<Vec<RepoPath>, Error> {
        let Some((first, others)) = parents.split_first() else { return self.differing_by_git(None) };
        let mut staged = self.differing_by_git(Some(first))?;
        for other in others {
            let differing: HashSet<RepoPath> = self.differing_by_git(Some(other))?.into_iter().collect();
            staged.retain(|path| differing.contains(path));
        }
        Ok(staged)
    }

    /// The paths at which the index differs from `parent`, or from nothing at all.
    fn differing_by_git(&self, parent: Option<&Oid>) -> Result<Vec<RepoPath>, Error> {
        let diff =
            ["diff", "--cached", "--name-only", "--no-renames", "--no-ext-diff", "--ignore-submodules=none", "-z"];
        let out = self.git().run(diff.into_iter().chain(parent.map(Oid::as_str)))?;
        let paths = out.split(|b| *b == 0).filter(|path| !path.is_empty());
        paths
            .map(|path| RepoPath::from_bytes(path).map_err(|error| Error::usage(error.to_string(), "unstage it")))
            .collect()
    }
}
