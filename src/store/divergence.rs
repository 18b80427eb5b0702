//! How two chains of ours relate: where they part, what each has that the other hasn't.
//!
//! Both are linear and number their commits, so they are walked down side by side, whichever is ahead: the cost is how
//! far they are apart, not how long they are.

use super::{
    Repository,
    error::StoreError,
    layout,
    log::{OurCommit, Trailers},
};
use crate::{
    base::{id::OpId, oid::Oid},
    model::op::{Action, Op},
};
use std::collections::HashSet;

/// How many commits of a chain are looked at of which nothing is known.
const UNKNOWN: u32 = 64;

/// A commit of a chain: where it stands, and what was before it.
#[derive(Debug, Clone)]
pub struct Link {
    /// The commit.
    pub oid: Oid,
    /// Its number, the fencing token of what it granted.
    pub seq: u64,
    /// How often the chain had been cut before it.
    pub epoch: u64,
    /// The commit before it; `None` for the first one, and the first after a cut.
    pub parent: Option<Oid>,
    /// The tip that was cut off, in the first commit of an epoch.
    pub cut_from: Option<Oid>,
    op_id: OpId,
    /// Whether it mends what was lost, and so may leave numbers out.
    mends: bool,
}

/// How one chain relates to another.
#[derive(Debug, Clone, Default)]
pub struct Divergence {
    /// The operations of the first that the second lacks, oldest first.
    pub ours: Vec<Oid>,
    /// How many operations of the second the first lacks.
    pub theirs: u64,
    /// The newest commit that both have.
    pub common: Option<Oid>,
    /// Whether the first was cut since, and what is told of it was found before that cut.
    pub cut: bool,
    /// The number of the operation that begins the first anew, where what was before it can't be read and may be
    /// lacking in the second.
    pub hidden_before: Option<u64>,
}

impl Repository {
    /// The commit `oid` of a chain.
    ///
    /// # Errors
    /// When it is missing or none of ours.
    pub fn chain_link(&self, oid: &Oid) -> Result<Link, StoreError> {
        let OurCommit { trailers, parents, .. } = self.our_commit(oid)?;
        if parents.len() > 1 {
            return Err(StoreError::Tip(format!("commit {oid} has more than one parent")));
        }
        let parent = parents.into_iter().next();
        let Trailers { op_id, seq, epoch, cut_from, mends } = trailers;
        Ok(Link { oid: oid.clone(), seq, epoch, parent, cut_from, op_id, mends })
    }

    /// Whether `old` is `new` or before it, on the same chain.
    ///
    /// # Errors
    /// When a commit between them can't be read.
    pub fn descends(&self, new: &Oid, old: &Oid) -> Result<bool, StoreError> {
        let seq = self.chain_link(old)?.seq;
        let mut at = self.chain_link(new)?;
        while at.seq > seq {
            let Some(parent) = &at.parent else { return Ok(false) };
            at = self.chain_link(parent)?;
        }
        Ok(at.oid == *old)
    }

    /// What `ours` has that `theirs` hasn't. Where `theirs` was cut since, what `ours` has up to and including `base`
    /// is known there, and so is what it has up to the commit that was cut off, or to an operation that the cut names.
    /// Where `ours` was cut, what it let go of is its own too, as far as it is still there.
    ///
    /// # Errors
    /// When a commit of either can't be read.
    pub fn divergence(&self, ours: &Oid, theirs: &Oid, base: Option<&Oid>) -> Result<Divergence, StoreError> {
        let (mut here, mut there) = (Some(self.chain_link(ours)?), Some(self.chain_link(theirs)?));
        let (mut pending, mut known, mut count) = (Vec::new(), HashSet::new(), 0);
        let (mut cut_from, mut let_go) = (None, HashSet::new());
        let mut end = Divergence::default();
        let common = loop {
            match (&here, &there) {
                (Some(a), Some(b)) if a.oid == b.oid => break Some(a.oid.clone()),
                (Some(a), Some(b)) if a.seq >= b.seq => {
                    let next = self.before(a, base, &mut end)?;
                    pending.extend(std::mem::replace(&mut here, next));
                }
                (Some(_) | None, Some(b)) => {
                    known.insert(b.op_id.clone());
                    count += 1;
                    cut_from.clone_from(&b.cut_from);
                    let next = self.parent_of(b)?;
                    if next.is_none() {
                        let_go = self.let_go_by(b);
                    }
                    there = next;
                }
                // What was cut off was known to whoever cut it.
                (Some(a), None) if base == Some(&a.oid) || cut_from.as_ref() == Some(&a.oid) => break None,
                // So was what it names of it: all of a clone's that is before such an operation went to the hub with it.
                (Some(a), None) if let_go.contains(&a.op_id) => break None,
                (Some(a), None) => {
                    let next = self.before(a, base, &mut end)?;
                    pending.extend(std::mem::replace(&mut here, next));
                }
                (None, None) => break None,
            }
        };
        pending.retain(|link| !known.contains(&link.op_id));
        let ours = pending.into_iter().rev().map(|link| link.oid).collect();
        Ok(Divergence { ours, theirs: count, common, ..end })
    }

    /// What was before `link` in a chain of ours, also where that was let go of: what it recorded is nowhere else. Where
    /// it can't be read, that is noted in `end`, unless it is known to whoever knows `base`.
    fn before(&self, link: &Link, base: Option<&Oid>, end: &mut Divergence) -> Result<Option<Link>, StoreError> {
        let before = match (&link.parent, &link.cut_from) {
            (None, None) if link.seq == 1 => return Ok(None),
            (Some(parent), _) => self.chain_link(parent),
            (None, Some(cut_from)) => {
                end.cut = true;
                self.chain_link(cut_from)
            }
            (None, None) => Err(StoreError::Tip(format!("what was before operation {} is gone", link.seq))),
        };
        match before {
            Ok(before) => Ok(Some(before)),
            Err(error) if link.parent.is_some() && !end.cut => Err(error),
            Err(_) => {
                let known = |base: &Oid| {
                    link.cut_from.as_ref() == Some(base)
                        || self.chain_link(base).is_ok_and(|base| base.seq + 1 >= link.seq)
                };
                if !base.is_some_and(known) {
                    end.hidden_before = Some(link.seq);
                }
                Ok(None)
            }
        }
    }

    /// The last operations of the clones before a cut, where `link` is one.
    fn let_go_by(&self, link: &Link) -> HashSet<OpId> {
        match self.operation(&link.oid) {
            Ok(Some(Op { action: Action::Compact { last }, .. })) => last.into_iter().map(|(_, op)| op).collect(),
            _ => HashSet::new(),
        }
    }

    fn parent_of(&self, link: &Link) -> Result<Option<Link>, StoreError> {
        link.parent.as_ref().map(|parent| self.chain_link(parent)).transpose()
    }

    /// The first commit of the chain that ends at `tip`, where that chain was cut in an epoch after `epoch`.
    ///
    /// # Errors
    /// When a commit of those epochs can't be read.
    pub fn cut_after(&self, tip: &Oid, epoch: u64) -> Result<Option<Link>, StoreError> {
        let mut at = self.chain_link(tip)?;
        while at.epoch > epoch {
            match self.parent_of(&at)? {
                Some(before) => at = before,
                None => return Ok(Some(at)),
            }
        }
        Ok(None)
    }

    /// Makes sure that the chain that ends at `tip` is one as we write it, each commit numbered after the one before
    /// it: down to `known`, or as far as is worth while where nothing is known of it.
    ///
    /// # Errors
    /// When it is not, or a commit can't be read.
    pub fn check_chain(&self, tip: &Oid, known: Option<&Oid>) -> Result<(), StoreError> {
        let mut at = self.chain_link(tip)?;
        let mut steps = 0;
        while Some(&at.oid) != known && (known.is_some() || steps < UNKNOWN) {
            let Some(before) = self.parent_of(&at)? else { break };
            let few = |now: u64, before: u64| now > before && now - before <= layout::MOST_LEFT_OUT;
            let follows = if at.epoch == before.epoch {
                at.seq == before.seq + 1 || at.mends && few(at.seq, before.seq)
            } else {
                let next = at.epoch == before.epoch + 1 || at.mends && few(at.epoch, before.epoch);
                next && few(at.seq, before.seq)
            };
            if !follows {
                let reason = format!("operation {} does not follow operation {}", at.seq, before.seq);
                return Err(StoreError::Tip(reason));
            }
            (at, steps) = (before, steps + 1);
        }
        Ok(())
    }

    /// The operation that the commit `oid` records.
    ///
    /// # Errors
    /// When the commit can't be read. `None` where the operation is one of a newer git-aio.
    pub fn operation(&self, oid: &Oid) -> Result<Option<Op>, StoreError> {
        match self.log(oid).next() {
            Some(entry) => Ok(entry?.op),
            None => Ok(None),
        }
    }
}
