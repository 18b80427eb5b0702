//! Claiming, checking and releasing.

use super::{Error, Held, Session, Target, Who};
use crate::{
    base::{
        id::{ClaimId, InstanceId, OpId},
        path::RepoPath,
        world::Time,
    },
    model::{
        apply::Conflict,
        claim::{Claim, EndReason, Ended, GrantRef, Holder, MAX_WHY, Mode, Origin, PERSON_TTL},
        guard::{self, Matter},
        liveness::Presence,
        op::{Action, Eviction, Want},
        overlap::Overlap,
        scope::Scope,
        view::View,
    },
    store::{Coverage, Snapshot},
};
use chrono::TimeDelta;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// How often a waiting claim looks whether anything has changed.
const POLL: Duration = Duration::from_millis(100);

/// How often it looks again although nothing has: a holder may have become stale in silence.
const RECHECK: Duration = Duration::from_secs(1);

/// What is asked for, beside the targets.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Whether others may hold overlapping claims that are shared too.
    pub shared: bool,
    /// How long it lasts; `None` for until released (a person's: eight hours).
    pub ttl: Option<TimeDelta>,
    /// Why, in words.
    pub why: Option<String>,
    /// How long to wait for what somebody else holds.
    pub wait: Option<Duration>,
}

/// What a claim came to.
#[derive(Debug, Clone)]
pub struct Granted {
    /// What was granted.
    pub claims: Vec<Grant>,
    /// Claims of holders who are gone, which ended for it.
    pub taken_over: Vec<Ended>,
}

/// One granted claim and what to know about it.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The claim.
    pub claim: Claim,
    /// Its id, as short as it is unique.
    pub short_id: String,
    /// Whether it was held before, as it is now.
    pub held_before: bool,
    /// How much of the repository it covers; `None` where it is one file, or a task.
    pub coverage: Option<Coverage>,
    /// Whether the pattern was typed without a slash, and so matches at any depth.
    pub any_depth: bool,
}

/// A moment of waiting, for progress.
#[derive(Debug)]
pub struct Waiting<'a> {
    /// What is in the way.
    pub held: &'a [Held],
    /// For how long so far.
    pub waited: Duration,
}

/// What a check found about one target.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What was asked about.
    pub scope: Scope,
    /// Whether the one who asks may change it.
    pub available: bool,
    /// The claims on it, the asker's own too.
    pub claims: Vec<Seen>,
}

/// A claim as somebody else sees it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The claim.
    pub claim: Claim,
    /// Its id, as short as it is unique.
    pub short_id: String,
    /// Whether its holder is there; `None` for a handoff, and for a holder that is not on the register.
    pub presence: Option<Presence>,
    /// Whether the asker holds it.
    pub mine: bool,
    /// Whether the asker held it, lost it, and has not settled that.
    pub lost: bool,
}

/// What a release came to.
#[derive(Debug, Clone, Default)]
pub struct Released {
    /// Claims that are free now.
    pub claims: Vec<Claim>,
    /// Lost claims that are settled now.
    pub settled: Vec<ClaimId>,
}

impl Session {
    /// Claims `targets`, all or none.
    ///
    /// # Errors
    /// [`Error::Held`] when somebody else holds what overlaps one of them, after waiting if that was asked for.
    pub fn claim(
        &self,
        targets: &[Target],
        terms: &Terms,
        mut progress: impl FnMut(&Waiting<'_>),
    ) -> Result<Granted, Error> {
        if terms.why.as_ref().is_some_and(|why| why.len() > MAX_WHY) {
            return Err(Error::usage(
                format!("the reason is longer than {MAX_WHY} bytes"),
                "write a note for the rest",
            ));
        }
        let me = self.acting()?;
        let began = Instant::now();
        loop {
            let held = match self.claim_now(&me, targets, terms) {
                Err(Error::Held(held)) if terms.wait.is_some_and(|wait| began.elapsed() < wait) => held,
                result => return result,
            };
            progress(&Waiting { held: &held, waited: began.elapsed() });
            self.await_change(began, terms.wait.unwrap_or_default(), |waited| {
                progress(&Waiting { held: &held, waited });
            })?;
            let _ = self.live.beat(&me, self.now());
        }
    }

    fn claim_now(&self, me: &InstanceId, targets: &[Target], terms: &Terms) -> Result<Granted, Error> {
        let wants: Vec<Want> = targets.iter().map(|target| self.want(me, target, terms)).collect();
        let mut before = Vec::new();
        let performed = self.perform(Some(me), |snapshot| {
            let mut evict = Vec::new();
            before.clear();
            for want in &wants {
                let near = snapshot.claims_near(&want.scope)?;
                before.extend(near.iter().filter(|claim| claim.is_held_by(me)).map(|claim| claim.grant.clone()));
                evict.extend(self.evictions(&near, me, snapshot)?);
            }
            Ok(Some(Action::Claim { wants: wants.clone(), evict }))
        })?;
        let snapshot = self.snapshot()?;
        let grant = |claim: &Claim| {
            let target = targets.iter().find(|target| target.scope == claim.scope);
            Ok(Grant {
                short_id: snapshot.short_claim_id(&claim.id),
                held_before: before.contains(&claim.grant),
                coverage: self.coverage(&claim.scope, &snapshot)?,
                any_depth: target.is_some_and(|target| target.any_depth),
                claim: claim.clone(),
            })
        };
        let claims = performed.applied.granted.iter().map(grant).collect::<Result<_, Error>>()?;
        Ok(Granted { claims, taken_over: performed.applied.evicted })
    }

    fn want(&self, me: &InstanceId, target: &Target, terms: &Terms) -> Want {
        let ttl = terms.ttl.or((me.tool() == "person").then_some(PERSON_TTL));
        Want {
            id: ClaimId::random(self.random()),
            scope: target.scope.clone(),
            mode: if terms.shared { Mode::Shared } else { Mode::Exclusive },
            origin: Origin::Explicit,
            until: ttl.map(|ttl| self.now() + ttl),
            why: terms.why.clone(),
        }
    }

    /// Which of `claims` may be passed over by `me`: their holder is gone, or their time is up. Only a holder of this
    /// clone is judged; of another clone we see neither the process nor the clock.
    pub(super) fn evictions(
        &self,
        claims: &[Claim],
        me: &InstanceId,
        snapshot: &Snapshot<'_>,
    ) -> Result<Vec<Eviction>, Error> {
        let mut evictions = Vec::new();
        for claim in claims {
            if let Some(reason) = self.end_reason(claim, me, snapshot)? {
                evictions.push(Eviction { claim: claim.grant_ref(), reason });
            }
        }
        Ok(evictions)
    }

    fn end_reason(&self, claim: &Claim, me: &InstanceId, snapshot: &Snapshot<'_>) -> Result<Option<EndReason>, Error> {
        let Holder::Instance(holder) = &claim.holder else { return Ok(None) };
        if holder == me {
            return Ok(None);
        }
        let elsewhere = snapshot.instance(holder)?.is_some_and(|i| self.clone_id().is_ok_and(|here| *here != i.clone));
        Ok(match () {
            () if !elsewhere && claim.is_expired(self.now()) => Some(EndReason::Expired),
            () if self.is_gone(holder, snapshot)? => Some(EndReason::Stale),
            () => None,
        })
    }

    /// Whether a claim of somebody else has to be respected.
    pub(super) fn binds(&self, claim: &Claim, snapshot: &Snapshot<'_>) -> Result<bool, Error> {
        let Holder::Instance(holder) = &claim.holder else { return Ok(true) };
        let elsewhere = snapshot.instance(holder)?.is_some_and(|i| self.clone_id().is_ok_and(|here| *here != i.clone));
        Ok(!(!elsewhere && claim.is_expired(self.now()) || self.is_gone(holder, snapshot)?))
    }

    /// Of `claims`, those of `me` and those that have to be respected.
    pub(super) fn binding(
        &self,
        claims: Vec<Claim>,
        me: Option<&InstanceId>,
        snapshot: &Snapshot<'_>,
    ) -> Result<Vec<Claim>, Error> {
        // Few hold many: whether a holder is there is looked up once.
        let mut lasting = HashMap::new();
        let mut binding = Vec::with_capacity(claims.len());
        for claim in claims {
            let mine = me.is_some_and(|me| claim.is_held_by(me));
            let binds = match lasting.get(&claim.holder) {
                _ if mine => true,
                Some(lasts) if claim.until.is_none() => *lasts,
                _ => self.binds(&claim, snapshot)?,
            };
            if claim.until.is_none() {
                lasting.insert(claim.holder.clone(), binds);
            }
            if binds {
                binding.push(claim);
            }
        }
        Ok(binding)
    }

    pub(super) fn held(&self, conflicts: Vec<Conflict>, snapshot: &Snapshot<'_>) -> Error {
        let held = conflicts.into_iter().map(|conflict| Held {
            short_id: snapshot.short_claim_id(&conflict.claim.id),
            presence: self.presence_of(&conflict.claim.holder, snapshot),
            conflict,
        });
        Error::Held(held.collect())
    }

    pub(super) fn presence_of(&self, holder: &Holder, snapshot: &Snapshot<'_>) -> Option<Presence> {
        let Holder::Instance(id) = holder else { return None };
        Some(self.presence(&snapshot.instance(id).ok().flatten()?))
    }

    fn coverage(&self, scope: &Scope, snapshot: &Snapshot<'_>) -> Result<Option<Coverage>, Error> {
        if !matches!(scope, Scope::Directory(_) | Scope::Pattern(_)) {
            return Ok(None);
        }
        let overlap = Overlap::new(scope, snapshot.folds_case());
        Ok(Some(self.repository.coverage(|path| overlap.with(&Scope::File(path.clone())))?))
    }

    /// Returns when the store has changed, or it is time to look again anyway.
    fn await_change(&self, began: Instant, wait: Duration, mut tick: impl FnMut(Duration)) -> Result<(), Error> {
        let refs = self.refs();
        let tip = refs.read(crate::store::layout::STATE).map_err(crate::store::StoreError::from)?;
        let paused = Instant::now();
        while paused.elapsed() < RECHECK && began.elapsed() < wait {
            std::thread::sleep(POLL.min(wait.saturating_sub(began.elapsed())).max(Duration::from_millis(5)));
            tick(began.elapsed());
            if refs.read(crate::store::layout::STATE).map_err(crate::store::StoreError::from)? != tip {
                break;
            }
        }
        Ok(())
    }

    /// What is known about `targets`, at one moment; its sequence number comes with it.
    ///
    /// # Errors
    /// When the store can't be trusted on the way to one of them.
    pub fn check(&self, targets: &[Target]) -> Result<(u64, Vec<Checked>), Error> {
        let snapshot = self.snapshot()?;
        let mut asker = None;
        let mut checked = Vec::with_capacity(targets.len());
        for Target { scope, .. } in targets {
            let mut claims = snapshot.claims_near(scope)?;
            if !claims.is_empty() {
                let overlap = Overlap::new(scope, snapshot.folds_case());
                claims.retain(|claim| overlap.with(&claim.scope));
            }
            checked.push(self.judge(scope, claims, &mut asker, &snapshot)?);
        }
        if asker.is_none() && self.has_losses(&snapshot)? {
            self.asking(&snapshot)?;
        }
        Ok((snapshot.seq(), checked))
    }

    /// Who asks takes longer to find out than anything else here, so only where the answer depends on it.
    fn judge(
        &self,
        scope: &Scope,
        claims: Vec<Claim>,
        asker: &mut Option<Who>,
        snapshot: &Snapshot<'_>,
    ) -> Result<Checked, Error> {
        let mut checked = Checked { scope: scope.clone(), available: true, claims: Vec::new() };
        if claims.is_empty() {
            return Ok(checked);
        }
        let who = match asker {
            Some(who) => who,
            None => asker.insert(self.asking(snapshot)?),
        };
        let me = who.instance();
        let sharing = claims.iter().any(|c| me.is_some_and(|me| c.is_held_by(me)) && c.mode == Mode::Shared);
        for claim in claims {
            let mine = me.is_some_and(|me| claim.is_held_by(me));
            if !(mine || sharing && claim.mode == Mode::Shared) && self.binds(&claim, snapshot)? {
                checked.available = false;
            }
            checked.claims.push(Seen {
                short_id: snapshot.short_claim_id(&claim.id),
                presence: self.presence_of(&claim.holder, snapshot),
                mine,
                lost: false,
                claim,
            });
        }
        Ok(checked)
    }

    fn has_losses(&self, snapshot: &Snapshot<'_>) -> Result<bool, Error> {
        Ok(snapshot.has_ended()?)
    }

    /// Which of `paths` the one who asks may not change, as the fence at the commit will say.
    ///
    /// # Errors
    /// As for [`check`](Self::check).
    pub fn check_paths(&self, paths: &[RepoPath]) -> Result<(u64, Vec<Checked>), Error> {
        let snapshot = self.snapshot()?;
        let who = self.asking(&snapshot)?;
        let claims = self.binding(snapshot.claims_covering(paths)?, who.instance(), &snapshot)?;
        let ended = self.losses(who.instance(), &snapshot)?;
        let found = guard::findings(paths, &claims, &ended, who.instance(), snapshot.folds_case());
        let mut checked: Vec<Checked> = paths
            .iter()
            .map(|path| Checked { scope: Scope::File(path.clone()), available: true, claims: Vec::new() })
            .collect();
        for finding in found {
            let claim = match finding.matter {
                Matter::Held(claim) => claim,
                Matter::Lost(ended) => &ended.claim,
                Matter::Unclaimed => continue,
            };
            let lost = matches!(finding.matter, Matter::Lost(_));
            if let Some(of) = checked.iter_mut().find(|c| matches!(&c.scope, Scope::File(p) if p == finding.path)) {
                of.available = false;
                of.claims.push(Seen {
                    short_id: snapshot.short_claim_id(&claim.id),
                    presence: self.presence_of(&claim.holder, &snapshot),
                    mine: false,
                    lost,
                    claim: claim.clone(),
                });
            }
        }
        Ok((snapshot.seq(), checked))
    }

    /// Gives back own claims, by id or prefix, and lets go of lost ones.
    ///
    /// # Errors
    /// When there is no such claim, or it is another's.
    pub fn release(&self, ids: &[String]) -> Result<Released, Error> {
        let me = self.acting()?;
        self.write_release(&me, None, |snapshot| {
            let mut chosen = Chosen::default();
            for id in ids {
                self.choose(id, Some(&me), snapshot, &mut chosen)?;
            }
            Ok(chosen)
        })
    }

    /// Gives back all own claims, and lets go of all lost ones.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub fn release_all(&self) -> Result<Released, Error> {
        let me = self.acting()?;
        self.write_release(&me, None, |snapshot| {
            let claims = snapshot.claims_of(&Holder::Instance(me.clone()))?;
            let ended = snapshot.ended(&me)?;
            Ok(Chosen {
                claims: claims.iter().map(Claim::grant_ref).collect(),
                ended: ended.into_iter().map(|ended| ended.claim.id).collect(),
            })
        })
    }

    /// Ends claims of a living holder. For a person only, and never without a reason: the holder is told it.
    ///
    /// # Errors
    /// [`Error::NotAllowed`] inside an agent; when there is no such claim.
    pub fn release_by_force(&self, ids: &[String], why: &str) -> Result<Released, Error> {
        let who = self.who(&self.snapshot()?)?;
        if self.is_inside_agent(&who) {
            return Err(Error::not_allowed(
                "only a person may end somebody else's claim",
                "ask the holder by a handoff, wait for the claim, or work on something else",
            ));
        }
        if why.trim().is_empty() || why.len() > MAX_WHY {
            return Err(Error::usage(
                format!("the reason has to have 1 to {MAX_WHY} bytes"),
                "say why: the holder will read it",
            ));
        }
        let me = self.acting()?;
        self.write_release(&me, Some(why.to_owned()), |snapshot| {
            let mut chosen = Chosen::default();
            for id in ids {
                self.choose(id, None, snapshot, &mut chosen)?;
            }
            Ok(chosen)
        })
    }

    fn write_release(
        &self,
        me: &InstanceId,
        forced: Option<String>,
        mut choose: impl FnMut(&Snapshot<'_>) -> Result<Chosen, Error>,
    ) -> Result<Released, Error> {
        let mut settled = Vec::new();
        let performed = self.perform(Some(me), |snapshot| {
            let Chosen { claims, ended } = choose(snapshot)?;
            settled.clone_from(&ended);
            let nothing = claims.is_empty() && ended.is_empty();
            Ok((!nothing).then(|| Action::Release { claims, ended, forced: forced.clone() }))
        })?;
        Ok(Released { claims: performed.applied.released, settled })
    }

    /// Finds the claim that `prefix` means: one in force that `owner` holds (anybody's, if `None`), or a lost one.
    fn choose(
        &self,
        prefix: &str,
        owner: Option<&InstanceId>,
        snapshot: &Snapshot<'_>,
        chosen: &mut Chosen,
    ) -> Result<(), Error> {
        let none = || {
            Error::not_found(
                format!("no claim {}", crate::base::text::one_line(prefix, 40)),
                "`git aio status` shows the claims there are",
            )
        };
        if prefix.is_empty() || !prefix.bytes().all(|b| b.is_ascii_hexdigit()) || prefix.len() > 16 {
            return Err(none());
        }
        let prefix = prefix.to_ascii_lowercase();
        let lost: Vec<Ended> = match owner {
            Some(owner) => snapshot.ended(owner)?,
            None => Vec::new(),
        };
        let lost = lost.into_iter().map(|ended| ended.claim.id).filter(|id| id.as_str().starts_with(&prefix));
        let held = snapshot.claims_by_prefix(&prefix)?;
        let mut all: Vec<ClaimId> = lost.chain(held).collect();
        all.dedup();
        match all.as_slice() {
            [] => Err(none()),
            [id] => self.choose_one(id, owner, snapshot, chosen),
            several => Err(Error::usage(
                format!("{prefix} is the beginning of {} claims", several.len()),
                "give more digits of the one you mean",
            )),
        }
    }

    fn choose_one(
        &self,
        id: &ClaimId,
        owner: Option<&InstanceId>,
        snapshot: &Snapshot<'_>,
        chosen: &mut Chosen,
    ) -> Result<(), Error> {
        match (snapshot.claim(id)?, owner) {
            (None, _) => chosen.ended.push(id.clone()),
            (Some(claim), Some(owner)) if !claim.is_held_by(owner) => {
                return Err(Error::not_allowed(
                    format!("the claim {} on {} is held by {}", id, claim.scope.target(), claim.holder),
                    "wait for it, claim something narrower, or ask its holder by a handoff",
                ));
            }
            (Some(claim), _) if matches!(claim.holder, Holder::Handoff(_)) => {
                return Err(Error::not_allowed(
                    format!("the claim {id} belongs to the open {}", claim.holder),
                    "settle the handoff: accept, decline or done",
                ));
            }
            (Some(claim), _) => chosen.claims.push(claim.grant_ref()),
        }
        Ok(())
    }
}

#[derive(Default)]
struct Chosen {
    claims: Vec<GrantRef>,
    ended: Vec<ClaimId>,
}

impl Granted {
    /// The operations that made the claims, for those who want to find them in the log.
    pub fn grants(&self) -> impl Iterator<Item = (&OpId, Time)> {
        self.claims.iter().map(|grant| (&grant.claim.grant, grant.claim.since))
    }
}
