//! The fence at the push: what `git push` is about to give away, held against what was lost, and refs of ours against
//! what would harm them.
//!
//! Whoever held a path while working on it and has lost it since may not know yet; a push is the last moment at which
//! that can be said. A path that somebody holds only now is no reason to refuse work that was finished before.

use super::Held;
use crate::{
    base::{id::InstanceId, oid::Oid, path::RepoPath},
    host::history::Known,
    model::{
        apply::Conflict,
        claim::{Claim, Ended, Holder},
        guard::{Matter, findings},
        scope::Scope,
        view::View as _,
    },
    ops::{Error, Guard, PersonGuard, PushOffline, Session, Who},
    store::Snapshot,
};
use std::collections::{BTreeSet, HashMap};

/// The hook.
const FENCE: &str = "pre-push";

/// Most commits that are looked at.
const MOST: usize = 10_000;

/// Refs that are of use to one clone only.
const PRIVATE: [&str; 2] = ["refs/aio-local/", "refs/aio-sync/"];

/// What the fence says of a push.
#[derive(Debug, Clone, Default)]
pub struct PushVerdict {
    /// Why it is refused; empty: it may pass.
    pub refused: Vec<PushObjection>,
    /// What is said although it may pass.
    pub warned: Vec<PushObjection>,
    /// Set when somebody went round the fence: how many paths it would have judged.
    pub bypassed: Option<u64>,
}

/// What is the matter with a push.
#[derive(Debug, Clone)]
pub enum PushObjection {
    /// The ref is of use to this clone only.
    Private(String),
    /// The ref of ours would lose what the remote has.
    Rewound(String),
    /// The ref of ours would be gone.
    Deleted(String),
    /// A commit changes a path that was lost, and that has not been settled.
    Lost {
        /// The path.
        path: RepoPath,
        /// The commit.
        commit: Oid,
        /// What was lost.
        ended: Box<Ended>,
        /// Who lost it, if that is not the one who pushes.
        loser: Option<InstanceId>,
    },
    /// A commit changes a path that somebody else holds now.
    Held {
        /// The commit.
        commit: Oid,
        /// The path, and what is on it.
        held: Box<Held>,
    },
    /// The hub could not be asked, and why.
    Unasked(String),
    /// There were more commits than so many, which are all that was looked at.
    Unseen(usize),
}

/// One ref that is to be changed, as git tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Update {
    /// Its name here, or whatever was given in its place.
    from: String,
    /// `None` to delete it.
    new: Option<Oid>,
    /// Its name there.
    to: String,
    /// What it is there; `None` where it is new.
    old: Option<Oid>,
}

impl Session {
    /// Judges what is about to be pushed to `remote`, a name or a URL. `told` is what git tells its hook.
    ///
    /// # Errors
    /// When it can't be judged. The caller has to block then, and name the way round; unless somebody is going it,
    /// which could not be recorded then.
    pub fn guard_push(&self, remote: &str, told: &[u8]) -> Result<PushVerdict, Error> {
        let updates = parse(told)?;
        if self.env.bypass {
            return self.push_bypassed(remote, &updates);
        }
        let mut verdict = PushVerdict::default();
        if self.settings.guard == Guard::Off {
            return Ok(verdict);
        }
        for update in &updates {
            if let Some(objection) = self.harm(update)? {
                verdict.add(objection, self.settings.guard == Guard::Block);
            }
        }
        let work = self.work(&updates);
        if work.is_empty() || !verdict.refused.is_empty() {
            return Ok(verdict);
        }
        if let Err(error) = self.catch_up() {
            let block = self.settings.push_offline == PushOffline::Block && self.settings.guard == Guard::Block;
            verdict.add(PushObjection::Unasked(error.to_string()), block);
        }
        let snapshot = self.snapshot()?;
        if !snapshot.exists() {
            self.warn_of_lost_store(&snapshot)?;
        } else {
            self.judge_push(remote, &work, &snapshot, &mut verdict)?;
        }
        Ok(verdict)
    }

    /// What an update would do to refs of ours, if anything bad.
    fn harm(&self, update: &Update) -> Result<Option<PushObjection>, Error> {
        let to = update.to.clone();
        // What an earlier push left there may be cleaned up.
        let Some(new) = &update.new else {
            return Ok(self.is_shared(&to).then_some(PushObjection::Deleted(to)));
        };
        if PRIVATE.iter().any(|place| update.from.starts_with(place) || to.starts_with(place)) {
            return Ok(Some(PushObjection::Private(to)));
        }
        Ok(match &update.old {
            Some(old) if self.is_shared(&to) && !self.git().is_behind(old, new)? => Some(PushObjection::Rewound(to)),
            _ => None,
        })
    }

    /// Whether a ref of the hub is one that clones share.
    fn is_shared(&self, name: &str) -> bool {
        let within = |prefix: &str| {
            let rest = name.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.starts_with('/') || rest.starts_with("-presence/"))
        };
        within(crate::host::hub::PREFIX) || within(&self.settings.ref_prefix)
    }

    /// The updates that give away work.
    fn work<'u>(&self, updates: &'u [Update]) -> Vec<&'u Update> {
        updates.iter().filter(|update| update.new.is_some() && !self.is_shared(&update.to)).collect()
    }

    fn judge_push(
        &self,
        remote: &str,
        work: &[&Update],
        snapshot: &Snapshot<'_>,
        verdict: &mut PushVerdict,
    ) -> Result<(), Error> {
        if !snapshot.has_claims()? && !snapshot.has_ended()? {
            return Ok(());
        }
        // Of losses the fence speaks itself, where they matter.
        let who = self.who(snapshot)?;
        who.instance().into_iter().for_each(|id| self.heard_of(id));
        let losers = self.losers(&who, snapshot)?;
        if losers.is_empty() && !snapshot.has_claims()? {
            return Ok(());
        }
        let (changed, all) = self.given_away(remote, work)?;
        if !all {
            verdict.warned.push(PushObjection::Unseen(MOST));
        }
        let paths: Vec<RepoPath> = changed.keys().cloned().collect();
        let folds_case = snapshot.folds_case();
        let mut lost = Vec::new();
        for loser in &losers {
            let of = self.losses_of(Some(loser), snapshot, |lost| lost.covers_any(&paths, folds_case))?;
            lost.extend(of.into_iter().map(|ended| (loser.clone(), ended)));
        }
        let ended: Vec<Ended> = lost.iter().map(|(_, ended)| ended.clone()).collect();
        let claims = snapshot.claims_covering(&paths)?;
        let (own, others) = self.divided(claims, &who, snapshot)?;
        let mut kept = Vec::new();
        for finding in findings(&paths, &own, &ended, who.instance(), folds_case) {
            let Matter::Lost(ended) = finding.matter else {
                kept.push(finding.path.clone());
                continue;
            };
            let loser = lost.iter().find(|(_, lost)| lost == ended).map(|(loser, _)| loser.clone());
            let loser = loser.filter(|loser| who.instance() != Some(loser));
            let (path, commit) = (finding.path.clone(), changed[finding.path].clone());
            let objection = PushObjection::Lost { path, commit, ended: Box::new(ended.clone()), loser };
            verdict.add(objection, self.stops(&who));
        }
        for finding in findings(&kept, &others, &[], None, folds_case) {
            let Matter::Held(claim) = finding.matter else { continue };
            let conflict = Conflict { scope: Scope::File(finding.path.clone()), claim: claim.clone() };
            let held = self.held_by(conflict, snapshot);
            let commit = changed[finding.path].clone();
            verdict.warned.push(PushObjection::Held { commit, held: Box::new(held) });
        }
        verdict.sort();
        Ok(())
    }

    /// For whose losses `who` answers, of those who have any: an instance for its own, a person for those of anybody in
    /// this clone.
    fn losers(&self, who: &Who, snapshot: &Snapshot<'_>) -> Result<BTreeSet<InstanceId>, Error> {
        if !who.is_person() {
            let me = who.instance().cloned().into_iter();
            return Ok(me.filter(|me| snapshot.lost_ids(me).map_or(true, |lost| !lost.is_empty())).collect());
        }
        let mut losers = BTreeSet::new();
        for loser in snapshot.losers()? {
            if self.works_here(&loser, snapshot)? {
                losers.insert(loser);
            }
        }
        Ok(losers)
    }

    /// Whether an instance is, or was, one of this clone.
    pub(in crate::ops) fn works_here(&self, id: &InstanceId, snapshot: &Snapshot<'_>) -> Result<bool, Error> {
        Ok(match snapshot.instance(id)? {
            Some(instance) => instance.clone == *self.clone_id()?,
            None => self.seen(id).is_some(),
        })
    }

    /// The claims of `who`, and those of others that have to be respected. What anybody in this clone holds is nothing
    /// that a person has to be told of.
    fn divided(
        &self,
        claims: Vec<Claim>,
        who: &Who,
        snapshot: &Snapshot<'_>,
    ) -> Result<(Vec<Claim>, Vec<Claim>), Error> {
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for claim in self.binding(claims, who.instance(), snapshot)? {
            match &claim.holder {
                Holder::Instance(id) if who.instance() == Some(id) => own.push(claim),
                Holder::Instance(id) if who.is_person() && self.works_here(id, snapshot)? => {}
                _ => others.push(claim),
            }
        }
        Ok((own, others))
    }

    fn stops(&self, who: &Who) -> bool {
        let warned = who.is_person() && self.settings.guard_person == PersonGuard::Warn;
        self.settings.guard == Guard::Block && !warned
    }

    /// The paths that are changed by commits which `remote` is not known to have, each with the newest such commit; and
    /// whether all of the commits were looked at. Of a remote of which nothing is known, what any other has is taken
    /// for known: it was given away before.
    fn given_away(&self, remote: &str, work: &[&Update]) -> Result<(HashMap<RepoPath, Oid>, bool), Error> {
        let git = self.git();
        let tips: Vec<&Oid> = work.iter().filter_map(|update| update.new.as_ref()).collect();
        let known: Vec<&Oid> = work.iter().filter_map(|update| update.old.as_ref()).collect();
        let known: Vec<&Oid> = known.into_iter().filter(|oid| self.repository.has(oid)).collect();
        let named = self.repository.config(&format!("remote.{remote}.url")).is_some();
        let seen = if named && git.has_seen(remote)? { Known::On(remote) } else { Known::Anywhere };
        let mut commits = git.commits_ahead(&tips, &known, seen, MOST + 1)?;
        let all = commits.len() <= MOST;
        commits.truncate(MOST);
        let changed = git.changed_by(&commits)?.into_iter();
        let changed = changed.filter_map(|(path, commit)| Some((RepoPath::from_bytes(&path).ok()?, commit)));
        Ok((changed.collect(), all))
    }

    /// Records that somebody goes round the fence.
    fn push_bypassed(&self, remote: &str, updates: &[Update]) -> Result<PushVerdict, Error> {
        let snapshot = self.snapshot()?;
        if !snapshot.exists() {
            return Ok(PushVerdict::default());
        }
        let judges = snapshot.has_claims()? || snapshot.has_ended()?;
        let changed = if judges { self.given_away(remote, &self.work(updates)).ok() } else { None };
        let mut paths: Vec<RepoPath> = changed.map(|(changed, _)| changed.into_keys().collect()).unwrap_or_default();
        paths.sort();
        let count = self.record_bypass(FENCE, &paths)?;
        Ok(PushVerdict { bypassed: Some(count), ..PushVerdict::default() })
    }
}

impl PushVerdict {
    fn add(&mut self, objection: PushObjection, refuse: bool) {
        if refuse { self.refused.push(objection) } else { self.warned.push(objection) }
    }

    /// Puts what is about paths in their order.
    fn sort(&mut self) {
        let place = |objection: &PushObjection| match objection {
            PushObjection::Lost { path, .. } => Some((0, path.as_bytes().to_vec())),
            PushObjection::Held { held, .. } => Some((1, held.conflict.scope.target().into_bytes())),
            _ => None,
        };
        self.refused.sort_by_cached_key(place);
        self.warned.sort_by_cached_key(place);
    }
}

/// Reads what git tells: a line for each ref, in which only the first of four parts may have spaces in it.
fn parse(told: &[u8]) -> Result<Vec<Update>, Error> {
    let line = |line: &[u8]| {
        let line = String::from_utf8_lossy(line).into_owned();
        let mut parts = line.rsplitn(4, ' ');
        let (old, to, new) = (parts.next()?.parse().ok()?, parts.next()?.to_owned(), parts.next()?.parse().ok()?);
        let real = |oid: Oid| (oid != oid.null_of_same_kind()).then_some(oid);
        Some(Update { from: parts.next()?.to_owned(), new: real(new), to, old: real(old) })
    };
    let lines = told.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    let updates: Option<Vec<Update>> = lines.map(line).collect();
    updates.ok_or_else(|| {
        Error::usage("what is to be pushed can't be understood", "this is for git, which tells it on standard input")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_tells_is_read_from_its_end() {
        let (a, b, none) = ("a".repeat(40), "b".repeat(40), "0".repeat(40));
        let told = format!(
            "refs/heads/x {a} refs/heads/y {b}\nHEAD^{{/a word}} {a} refs/heads/z {none}\n(delete) {none} refs/tags/t {b}\n"
        );
        let update = |from: &str, new: &str, to: &str, old: &str| Update {
            from: from.into(),
            new: new.parse().ok(),
            to: to.into(),
            old: old.parse().ok(),
        };
        let expected = [
            update("refs/heads/x", &a, "refs/heads/y", &b),
            update("HEAD^{/a word}", &a, "refs/heads/z", ""),
            update("(delete)", "", "refs/tags/t", &b),
        ];
        assert_eq!(parse(told.as_bytes()).expect("read"), expected);
        let long = "c".repeat(64);
        assert_eq!(parse(format!("x {long} y {}", "0".repeat(64)).as_bytes()).expect("read")[0].old, None);
        assert_eq!(parse(b"\n").expect("nothing"), []);
        assert!(parse(b"refs/heads/x refs/heads/y\n").is_err());
    }
}
