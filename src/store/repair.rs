//! Mending a store, and the way back to the last state that was whole.
//!
//! Nothing is thrown away that is there: a damaged record goes to `quarantine/` as it is, a claim that contradicts an
//! earlier one is kept for its holder in `ended/`, and the index, which holds nothing of its own, is made anew. What
//! is done becomes one operation like any other, so that the log tells of it; where the state itself is lost, that
//! operation follows on the last whole one, and the ref goes to it in one step.

use super::{
    Durability, Repository, Snapshot, Survey, Transaction,
    error::StoreError,
    layout::{self, STATE},
    objects::Batch,
    transaction::{Committed, Descent, Edit, GivenOut, WriteStep},
    whole::Inspector,
    wire::Meta,
};
use crate::{
    base::{oid::Oid, refs::RefStorage},
    model::{
        apply::{Applied, Change},
        claim::{EndReason, Ended, Holder},
        op::Op,
        view::View,
    },
};
use std::collections::{HashMap, HashSet};

/// Most things of one kind that are listed one by one.
const LISTED: usize = 100;

/// What the ref of the store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// An object name, or nothing.
    Value(Option<Oid>),
    /// Something else, and what was said of it.
    Unreadable(String),
}

/// The last state that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayBack {
    /// Its commit.
    pub to: Oid,
    /// The operations that came after it, newest first.
    pub lost: Vec<LostOp>,
}

/// An operation whose outcome is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostOp {
    /// Its commit, which may be lost too.
    pub oid: Oid,
    /// Its line for people, from the commit or from the reflog.
    pub subject: Option<String>,
}

/// What is to be done about the history of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// It can be walked, and goes on.
    Kept,
    /// It can't, and begins anew with this state.
    Cut,
}

impl Repository {
    /// What the ref of the store holds.
    pub fn found(&self, refs: &dyn RefStorage) -> Found {
        refs.read(STATE).map_or_else(|error| Found::Unreadable(error.to_string()), Found::Value)
    }

    /// Looks for the last whole state: the present one, or one that the reflog remembers, or one before those.
    /// `None` where there is no trace of any state.
    ///
    /// # Errors
    /// When there are traces and no state is whole, or they can't be read.
    pub fn last_whole(&self, refs: &dyn RefStorage) -> Result<Option<WayBack>, StoreError> {
        let steps = self.trail(refs)?;
        let mut inspector = Inspector::new(self);
        for (at, step) in steps.iter().enumerate() {
            if inspector.state(&step.oid).is_ok() {
                let mut lost = steps[..at].to_vec();
                lost.retain(|step| !self.is_foreign(&step.oid));
                return Ok(Some(WayBack { to: step.oid.clone(), lost }));
            }
        }
        if steps.is_empty() { Ok(None) } else { Err(StoreError::Tip("no state before this one is whole".into())) }
    }

    /// Values of the ref, newest first, and what lies before the oldest of them that can be read.
    fn trail(&self, refs: &dyn RefStorage) -> Result<Vec<LostOp>, StoreError> {
        let current = match self.found(refs) {
            Found::Value(value) => value,
            Found::Unreadable(_) => None,
        };
        let mut steps: Vec<LostOp> = Vec::new();
        let mut known = HashMap::new();
        for (oid, message) in current.map(|oid| (oid, None)).into_iter().chain(refs.told_history(STATE)?) {
            let at = *known.entry(oid.clone()).or_insert_with(|| {
                steps.push(self.step(oid));
                steps.len() - 1
            });
            let step = &mut steps[at];
            step.subject = step.subject.take().or(message.filter(|text| !text.is_empty()));
        }
        let readable = steps.iter().rev().find_map(|step| self.link(&step.oid).ok());
        let mut before = readable.and_then(|(_, parent)| parent);
        while let Some(oid) = before.filter(|oid| !known.contains_key(oid)) {
            before = self.link(&oid).ok().and_then(|(_, parent)| parent);
            known.insert(oid.clone(), steps.len());
            steps.push(self.step(oid));
        }
        Ok(steps)
    }

    /// The highest number that was given to an operation, as far as the ref, its reflog and what lies before tell. One
    /// that is lost counts as the next after those before it.
    ///
    /// # Errors
    /// When the reflog can't be read.
    pub fn numbers_given_out(&self, refs: &dyn RefStorage) -> Result<u64, StoreError> {
        let mut highest = 0;
        for step in self.trail(refs)?.iter().rev() {
            match self.link(&step.oid) {
                Ok((trailers, _)) if trailers.seq < layout::MOST_OPERATIONS => highest = highest.max(trailers.seq),
                Ok(_) => {}
                Err(_) if self.is_foreign(&step.oid) => {}
                Err(_) => highest += 1,
            }
        }
        Ok(highest)
    }

    fn step(&self, oid: Oid) -> LostOp {
        let subject = self.log(&oid).next().and_then(Result::ok).map(|entry| entry.subject);
        LostOp { oid, subject }
    }

    /// Whether an object is there and readable that is no commit of ours, such as one of the user's.
    fn is_foreign(&self, oid: &Oid) -> bool {
        let id = gix::ObjectId::from_hex(oid.as_str().as_bytes());
        id.is_ok_and(|id| self.gix.find_object(id).is_ok()) && self.link(oid).is_err()
    }

    /// Which of `oids` git can't follow all the way: a commit, one before it or something in its tree is lost. A
    /// reflog that names such a one makes git's gc or fsck fail.
    pub fn broken(&self, oids: &[Oid]) -> HashSet<Oid> {
        let (mut inspector, mut rooted) = (Inspector::new(self), HashMap::new());
        let mut is_whole = |oid: &Oid| inspector.state(oid).is_ok() && self.is_rooted(oid, &mut rooted);
        oids.iter().filter(|oid| !is_whole(oid) && !self.is_foreign(oid)).cloned().collect()
    }

    /// Whether every commit before this one is there; what was found for others is in `known`.
    fn is_rooted(&self, oid: &Oid, known: &mut HashMap<Oid, bool>) -> bool {
        let (mut walked, mut next) = (Vec::new(), Some(oid.clone()));
        let rooted = loop {
            let Some(oid) = next else { break true };
            if let Some(rooted) = known.get(&oid) {
                break *rooted;
            }
            let Ok((_, parent)) = self.link(&oid) else { break false };
            walked.push(oid);
            next = parent;
        };
        known.extend(walked.into_iter().map(|oid| (oid, rooted)));
        rooted
    }
}

impl Survey {
    /// What a repair does about it, in words.
    pub fn remedies(&self) -> Vec<String> {
        let damaged = self.damaged.iter().map(|d| format!("set aside {}: {}", d.path, d.reason));
        let index = self.index.iter().map(|d| format!("put the index right at {}: {}", d.path, d.reason));
        let contests = self.contests.iter().map(|contest| {
            let falls = &contest.falls;
            format!("ended the claim of {} on {}, which contradicts {}", falls.holder, falls.scope, contest.rival())
        });
        let lists: [Vec<String>; 3] = [contests.collect(), damaged.collect(), index.collect()];
        lists.into_iter().flat_map(shortened).collect()
    }
}

/// The first of many, and how many more there are: the list becomes part of a commit's message.
pub fn shortened(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(LISTED);
    lines.truncate(LISTED);
    if more > 0 {
        lines.push(format!("and {more} more of this kind"));
    }
    lines
}

impl<'s, 'r> Transaction<'s, 'r> {
    /// Prepares to mend `snapshot`, of which `survey` tells what is wrong. Numbers up to `given_out` are not given again.
    ///
    /// # Errors
    /// When the store is not ours to write.
    pub fn mending(
        snapshot: &'s Snapshot<'r>,
        survey: &Survey,
        op: &Op,
        history: History,
        given_out: u64,
    ) -> Result<Self, StoreError> {
        snapshot.check_writable()?;
        let mut batch = Batch::new(snapshot.repository);
        let tree = mended_tree(snapshot, survey, op, history, &mut batch)?;
        let descent = if history == History::Cut { Descent::Cut } else { Descent::Continued };
        let given_out = GivenOut { seq: given_out, ..GivenOut::default() };
        Transaction::with_tree(snapshot, op, &Applied::default(), batch, tree, descent, given_out)
    }

    /// Makes the change in place of what was `found` in the ref, which may be no state at all.
    ///
    /// # Errors
    /// As for [`commit`](Self::commit).
    pub fn commit_over(
        self,
        found: &Found,
        refs: &dyn RefStorage,
        durability: Durability,
        observe: &dyn Fn(WriteStep),
    ) -> Result<Committed, StoreError> {
        self.commit_by(durability, observe, |new, line| match found {
            Found::Value(value) => refs.compare_and_swap(STATE, value.as_ref(), new, line),
            Found::Unreadable(_) => refs.replace_unreadable(STATE, new, line),
        })
    }
}

fn mended_tree(
    snapshot: &Snapshot<'_>,
    survey: &Survey,
    op: &Op,
    history: History,
    batch: &mut Batch<'_>,
) -> Result<gix::ObjectId, StoreError> {
    let mut edit = Edit::new(snapshot, batch)?;
    for (path, kind, oid) in &survey.strays {
        edit.drop(path)?;
        edit.file_as(&layout::quarantine(path), *kind, *oid)?;
    }
    if !survey.index.is_empty() {
        edit.drop(&layout::index())?;
        for (claim, blob) in &survey.claims {
            edit.file(&layout::index_entry(&claim.scope, &claim.id, snapshot.folds_case()), *blob)?;
        }
    }
    for contest in &survey.contests {
        let falls = &contest.falls;
        edit.change(&Change::DropClaim(falls.clone()))?;
        let holder = match &falls.holder {
            Holder::Instance(id) => Some(id.clone()),
            // A handoff can't be told anything; the one who made it can.
            Holder::Handoff(id) => snapshot.handoff(id).ok().flatten().map(|handoff| handoff.from),
        };
        if let Some(holder) = holder {
            let why = format!("it contradicted {}", contest.rival());
            let ended = Ended {
                claim: falls.clone(),
                reason: EndReason::Lost,
                at: op.at,
                by: op.by.clone(),
                why: Some(why),
                rival: None,
            };
            edit.change(&Change::PutEnded(holder, ended))?;
        }
    }
    if history == History::Cut {
        let tip_epoch = snapshot.tip.as_ref().map_or(0, |tip| tip.trailers.epoch);
        let meta = Meta { epoch: tip_epoch + 1, ..snapshot.meta.clone() };
        edit.put(&layout::meta(), &meta)?;
    }
    edit.finish()
}
