//! What a verification is of: the scope of the work, what has changed in it, and what has changed beside it.
//!
//! Git does not tell who changed a file. What is not committed and lies outside of the scope counts against the work,
//! unless somebody else holds it. What was committed meanwhile may be anybody's: it is told and counts against nothing.

use super::{Checked, Planned, typed};
use crate::{
    base::{id::InstanceId, oid::Oid, path::RepoPath, text, world::Time},
    model::{
        claim::{Claim, Holder, Origin},
        handoff::{Handoff, HandoffState},
        overlap::Overlap,
        scope::{Pattern, Scope},
        view::View as _,
    },
    ops::{Error, Session},
    store::Snapshot,
};
use chrono::TimeDelta;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The work that is verified.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    /// What it is called: `handoff-0a1b2c3d4e5f`, or `the claim on src/auth`.
    pub(super) words: String,
    /// What may be changed.
    allowed: Vec<Scope>,
    /// What should be.
    focus: Vec<Scope>,
    /// Who does it, as the holder of claims.
    holders: Vec<Holder>,
    since: Option<Since>,
    /// Commands that show that it is done, in the words of whoever handed it on.
    pub(super) commands: Vec<String>,
}

impl Subject {
    /// Whether it is known what may be changed.
    pub(super) fn has_scope(&self) -> bool {
        !self.allowed.is_empty()
    }
}

/// When the work began.
#[derive(Debug, Clone)]
enum Since {
    Commit(Oid),
    Time(Time),
}

/// What differs from HEAD, or from the commit that the work began at.
pub(super) struct Changes {
    /// What is not committed.
    dirty: Vec<RepoPath>,
    /// In words, with how much of each file.
    stat: String,
    pub(super) kept: Option<KeptDiff>,
}

/// A diff in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDiff {
    /// The file.
    pub path: PathBuf,
    /// What is in it: `2 files changed, 3 insertions(+)`.
    pub summary: String,
}

/// How many diffs are kept; the oldest go first.
const KEPT: usize = 20;

/// Most paths that are named in one finding.
const NAMED: usize = 20;

impl Session {
    /// The work that is meant: a claim or handoff that is named, or, where it `needs_scope`, all that one holds.
    pub(super) fn subject(&self, named: Option<&str>, needs_scope: bool) -> Result<Option<Subject>, Error> {
        if named.is_none() && !needs_scope {
            return Ok(None);
        }
        let snapshot = self.snapshot()?;
        let who = self.asking(&snapshot)?;
        let Some(named) = named else {
            return who.instance().map(|me| self.own_work(me, &snapshot)).transpose();
        };
        let claims =
            if named.is_empty() { Vec::new() } else { snapshot.claims_by_prefix(&named.to_ascii_lowercase())? };
        let is_handoff = || self.handoff(named).map(|shown| shown.handoff);
        match (claims.as_slice(), snapshot.handoffs_by_prefix(named)?.is_empty()) {
            ([id], true) => match snapshot.claim(id)? {
                Some(claim) => self.claimed_work(&claim, &snapshot).map(Some),
                None => Err(no_such(named)),
            },
            ([], _) if named.is_empty() => Err(no_such(named)),
            ([], _) => match is_handoff() {
                Ok(handoff) => self.handed_on_work(&handoff, &snapshot).map(Some),
                Err(Error::NotFound { .. }) => Err(no_such(named)),
                Err(other) => Err(other),
            },
            _ => Err(Error::usage(
                format!("{} is the beginning of several ids", typed(named)),
                "give more digits of the one you mean",
            )),
        }
    }

    fn own_work(&self, me: &InstanceId, snapshot: &Snapshot<'_>) -> Result<Subject, Error> {
        let holder = Holder::Instance(me.clone());
        let claims = paths_of(snapshot.claims_of(&holder)?);
        Ok(Subject {
            words: "your claims".into(),
            since: claims.iter().map(|claim| claim.since).min().map(Since::Time),
            allowed: claims.iter().map(|claim| claim.scope.clone()).collect(),
            focus: claims.into_iter().map(|claim| claim.scope).collect(),
            holders: vec![holder],
            commands: Vec::new(),
        })
    }

    /// The work under a claim: its holder may change what it claims. Claims that a fence made by itself cover whatever was
    /// edited and would excuse everything, so beside a claim that was asked for they do not count.
    fn claimed_work(&self, claim: &Claim, snapshot: &Snapshot<'_>) -> Result<Subject, Error> {
        let mut claims = paths_of(snapshot.claims_of(&claim.holder)?);
        if claim.origin == Origin::Explicit {
            claims.retain(|claim| claim.origin == Origin::Explicit);
        }
        Ok(Subject {
            words: format!("the claim on {}", text::one_line(&claim.scope.target(), 200)),
            allowed: claims.into_iter().map(|claim| claim.scope).collect(),
            focus: vec![claim.scope.clone()],
            holders: vec![claim.holder.clone()],
            since: Some(Since::Time(claim.since)),
            commands: Vec::new(),
        })
    }

    /// The work of a handoff: its files, whoever has gone on with it.
    fn handed_on_work(&self, handoff: &Handoff, snapshot: &Snapshot<'_>) -> Result<Subject, Error> {
        let mut allowed: Vec<Scope> = handoff.document.files.iter().filter_map(|file| scope_of(file)).collect();
        for id in &handoff.claims {
            allowed
                .extend(snapshot.claim(id)?.map(|claim| claim.scope).filter(|scope| !matches!(scope, Scope::Task(_))));
        }
        let taker = match &handoff.state {
            HandoffState::Accepted(settled) | HandoffState::Done(settled) => Holder::Instance(settled.by.clone()),
            HandoffState::Open | HandoffState::Declined(_) => Holder::Instance(handoff.from.clone()),
        };
        let commit = handoff.tree.commit.clone().filter(|commit| self.repository.has(commit));
        Ok(Subject {
            words: handoff.id.to_string(),
            focus: allowed.clone(),
            allowed,
            holders: vec![Holder::Handoff(handoff.id.clone()), taker],
            since: Some(commit.map_or(Since::Time(handoff.at), Since::Commit)),
            commands: handoff.document.verification.clone(),
        })
    }

    /// What has changed, kept for review.
    pub(super) fn changes(&self, subject: Option<&Subject>) -> Result<Changes, Error> {
        let status = self.git().status()?;
        let folder = self.repository.common_dir().join("aio").join("verify");
        let unwritten = || Error::file("the diff can't be kept");
        self.repository.sharing().make_folders(&folder).map_err(unwritten())?;
        let base = subject.and_then(|subject| match &subject.since {
            Some(Since::Commit(commit)) => Some(commit),
            _ => None,
        });
        let review = self.git().review(base, &status.dirty, &folder)?;
        let summary = review.summary()?;
        let kept = if summary.is_empty() {
            None
        } else {
            let name = format!("{}-{:04x}.diff", self.now().timestamp(), u16::from_be_bytes(self.random()));
            let path = folder.join(name);
            review.write(&path)?;
            forget_oldest(&folder);
            Some(KeptDiff { path, summary })
        };
        let dirty = self.as_claimed(status.dirty.iter().filter_map(|path| RepoPath::from_bytes(path).ok()).collect());
        Ok(Changes { dirty, stat: review.stat()?, kept })
    }

    /// Whether nothing has changed beside what may be changed.
    pub(super) fn check_scope(
        &self,
        planned: &Planned,
        subject: Option<&Subject>,
        changes: &Changes,
    ) -> Result<Checked, Error> {
        let Some(subject) = subject else { return Ok(planned.not_run("there is no scope")) };
        let snapshot = self.snapshot()?;
        let fold = snapshot.folds_case();
        let outside = beside(&subject.allowed, &changes.dirty, fold);
        let mut theirs = snapshot.claims_covering(&outside)?;
        theirs.retain(|claim| !subject.holders.contains(&claim.holder));
        let held: Vec<Scope> = theirs.into_iter().map(|claim| claim.scope).collect();
        let strays = beside(&held, &outside, fold);
        let of_others: Vec<RepoPath> = outside.into_iter().filter(|path| !strays.contains(path)).collect();
        let committed = beside(&subject.allowed, &self.committed_meanwhile(subject)?, fold);
        let mut output = String::new();
        let mut tell = |what: &str, paths: &[RepoPath]| {
            if !paths.is_empty() {
                output.push_str(&format!("{what}: {}\n", named(paths)));
            }
        };
        tell(&format!("changed outside of {}", subject.words), &strays);
        tell("changed too, and held by others", &of_others);
        tell("committed since, outside of it, by whomever", &committed);
        output.push_str(&changes.stat);
        Ok(planned.looked(strays.is_empty(), output))
    }

    /// Whether anything has changed that should have.
    pub(super) fn check_changed(
        &self,
        planned: &Planned,
        subject: Option<&Subject>,
        changes: &Changes,
    ) -> Result<Checked, Error> {
        let Some(subject) = subject else { return Ok(planned.not_run("there is no scope")) };
        let fold = self.snapshot()?.folds_case();
        let mut paths = changes.dirty.clone();
        paths.extend(self.committed_meanwhile(subject)?);
        paths.sort();
        paths.dedup();
        let beside = beside(&subject.focus, &paths, fold);
        paths.retain(|path| !beside.contains(path));
        Ok(match paths.is_empty() {
            true => planned.looked(false, format!("nothing has changed in {}", subject.words)),
            false => planned.looked(true, named(&paths)),
        })
    }

    /// What was committed since the work began, by whomever.
    fn committed_meanwhile(&self, subject: &Subject) -> Result<Vec<RepoPath>, Error> {
        let paths = match &subject.since {
            None => Vec::new(),
            Some(Since::Commit(commit)) => self.git().committed_since(commit)?,
            // A commit knows its time to the second: one of the same second may have been before.
            Some(Since::Time(time)) => self.git().committed_after(*time + TimeDelta::seconds(1))?,
        };
        Ok(self.as_claimed(paths.iter().filter_map(|path| RepoPath::from_bytes(path).ok()).collect()))
    }
}

fn no_such(named: &str) -> Error {
    Error::not_found(
        format!("there is neither a claim nor a handoff {}", typed(named)),
        "`git aio status` shows the claims there are, `git aio handoff list` the handoffs",
    )
}

fn paths_of(mut claims: Vec<Claim>) -> Vec<Claim> {
    claims.retain(|claim| !matches!(claim.scope, Scope::Task(_)));
    claims
}

/// A line of a handoff's files, as a scope. A folder need not end in a slash there, so that each is taken for one; a folder
/// covers its own path, should it be a file.
fn scope_of(file: &str) -> Option<Scope> {
    match file.contains(['*', '?', '[', '{']) {
        true => Pattern::parse(file).ok().map(Scope::Pattern),
        false => Scope::parse("directory", file.strip_prefix("./").unwrap_or(file)).ok(),
    }
}

/// Those of `paths` that none of `scopes` covers.
fn beside(scopes: &[Scope], paths: &[RepoPath], fold: bool) -> Vec<RepoPath> {
    let overlaps: Vec<Overlap> = scopes.iter().map(|scope| Overlap::new(scope, fold)).collect();
    let covered = |path: &RepoPath| overlaps.iter().any(|overlap| overlap.with(&Scope::File(path.clone())));
    paths.iter().filter(|path| !covered(path)).cloned().collect()
}

fn named(paths: &[RepoPath]) -> String {
    let names = paths.iter().take(NAMED).map(|path| text::one_line(&path.to_string(), 200)).collect::<Vec<_>>();
    let more = paths.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

/// The names begin with the time, so that the oldest come first.
fn forget_oldest(folder: &Path) {
    let Ok(entries) = folder.read_dir() else { return };
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut diffs: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "diff")).collect();
    diffs.sort();
    for path in diffs.iter().take(diffs.len().saturating_sub(KEPT)) {
        let _ = fs::remove_file(path);
    }
}
