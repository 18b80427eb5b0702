//! Claiming.

use super::{Confirm, Error, Held, Session, Target, sync::Standing};
use crate::{
    base::id::{ClaimId, InstanceId},
    model::{
        claim::{Claim, Ended, MAX_WHY, Mode, Origin, PERSON_TTL},
        op::{Action, Want},
        overlap::Overlap,
        scope::Scope,
        view::View,
    },
    store::{Coverage, Snapshot, Tracked},
};
use chrono::TimeDelta;
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

/// How often a waiting claim looks whether anything has changed.
const POLL: Duration = Duration::from_millis(100);

/// How often it looks again although nothing has: a holder may have become stale in silence.
const RECHECK: Duration = Duration::from_secs(1);

/// What to do about a claim that the hub could not be asked for.
const AGAIN: &str = "claim again when the hub can be reached";

/// What is asked for, beside the targets.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Whether others may hold overlapping claims that are shared too.
    pub shared: bool,
    /// How long it lasts; `None` for until released (a person's: eight hours).
    pub ttl: Option<TimeDelta>,
    /// Why, in words.
    pub why: Option<String>,
    /// Whether the hub has to confirm it before it counts.
    pub strict: bool,
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
    /// Whether it is sure.
    pub standing: Standing,
    /// Whether it was held before, as it is now.
    pub held_before: bool,
    /// How much of the repository it covers; `None` where it is one file, or a task.
    pub coverage: Option<Coverage>,
    /// Whether it is a file that is neither there nor known to git.
    pub absent: bool,
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

impl Session {
    /// Claims `targets`, all or none. Who waits for one is told so now and then, and may give up.
    ///
    /// # Errors
    /// [`Error::Held`] when somebody else holds what overlaps one of them, after waiting if that was asked for.
    pub fn claim(
        &self,
        targets: &[Target],
        terms: &Terms,
        mut progress: impl FnMut(&Waiting<'_>) -> ControlFlow<()>,
    ) -> Result<Granted, Error> {
        if terms.why.as_ref().is_some_and(|why| why.trim().is_empty()) {
            return Err(Error::usage("the reason is empty", "say why, or leave --why out"));
        }
        if terms.why.as_ref().is_some_and(|why| why.len() > MAX_WHY) {
            return Err(Error::usage(
                format!("the reason is longer than {MAX_WHY} bytes"),
                "write a note for the rest",
            ));
        }
        if terms.strict && !self.has_hub() {
            return Err(Error::usage(
                "no hub is named that could confirm a claim",
                "name one with `git config aio.remote <remote>`, or leave --strict out",
            ));
        }
        if self.settings.confirm == Confirm::Strict && !self.has_hub() {
            return Err(Error::NotConfirmed {
                message: "aio.confirm is strict, and no hub is named that could confirm a claim".into(),
                hint: Some("name one with `git aio init --remote <remote>`, or set aio.confirm to lazy".into()),
            });
        }
        let me = self.acting()?;
        let began = Instant::now();
        loop {
            let held = match self.claim_now(&me, targets, terms) {
                Err(Error::Held(held)) if terms.wait.is_some_and(|wait| began.elapsed() < wait) => held,
                result => return result,
            };
            let mut tell = |waited| progress(&Waiting { held: &held, waited });
            if tell(began.elapsed()).is_break()
                || self.await_change(began, terms.wait.unwrap_or_default(), tell)?.is_break()
            {
                return Err(Error::Held(held));
            }
            self.heard_of(&me);
            self.look_again();
        }
    }

    pub(super) fn claim_now(&self, me: &InstanceId, targets: &[Target], terms: &Terms) -> Result<Granted, Error> {
        let wants: Vec<Want> = targets.iter().map(|target| self.want(me, target, terms)).collect();
        let mut before = Vec::new();
        let plan = |snapshot: &Snapshot<'_>| {
            let mut evict = Vec::new();
            before.clear();
            for want in &wants {
                let near = snapshot.claims_near(&want.scope)?;
                before.extend(near.iter().filter(|claim| claim.is_held_by(me)).map(|claim| claim.grant.clone()));
                evict.extend(self.evictions(&near, me, snapshot)?);
            }
            Ok(Some(Action::Claim { wants: wants.clone(), evict, lost: Vec::new() }))
        };
        let strict = terms.strict || self.settings.confirm == Confirm::Strict;
        let applied = if strict {
            self.perform_confirmed(Some(me), plan).map_err(|error| error.undone("nothing was claimed", AGAIN))?
        } else {
            self.perform(Some(me), plan)?
        };
        let snapshot = self.snapshot()?;
        let confirmed = self.confirmed(&snapshot);
        let grant = |claim: &Claim| {
            let target = targets.iter().find(|target| target.scope == claim.scope);
            let held_before = before.contains(&claim.grant);
            Ok(Grant {
                short_id: snapshot.short_claim_id(&claim.id),
                held_before,
                standing: self.standing(claim, confirmed.as_ref(), &snapshot),
                coverage: self.coverage(&claim.scope, &snapshot)?,
                absent: !held_before && self.is_absent(&claim.scope)?,
                any_depth: target.is_some_and(|target| target.any_depth),
                claim: claim.clone(),
            })
        };
        let claims = applied.granted.iter().map(grant).collect::<Result<_, Error>>()?;
        Ok(Granted { claims, taken_over: applied.evicted })
    }

    pub(super) fn want(&self, me: &InstanceId, target: &Target, terms: &Terms) -> Want {
        let ttl = terms.ttl.or((me.tool() == "person").then_some(PERSON_TTL));
        Want {
            id: ClaimId::random(self.random()),
            scope: target.scope.clone(),
            mode: if terms.shared { Mode::Shared } else { Mode::Exclusive },
            origin: Origin::Explicit,
            until: ttl.map(|ttl| self.now() + ttl),
            why: terms.why.clone().or_else(|| self.done_for(&target.scope)),
        }
    }

    /// Why a task is claimed where nobody says why: within a run it is that, by which `tasks next` knows it again.
    fn done_for(&self, scope: &Scope) -> Option<String> {
        matches!(scope, Scope::Task(_)).then(|| self.current_run().map(|run| run.to_string())).flatten()
    }

    /// Whether a file is neither there nor known to git. Only of one that is not there git is asked: its index may be
    /// large, and is read whole.
    fn is_absent(&self, scope: &Scope) -> Result<bool, Error> {
        let Scope::File(path) = scope else { return Ok(false) };
        if self.repository.work_tree().is_none() || self.on_disk(path).is_some() {
            return Ok(false);
        }
        Ok(self.repository.tracked(path)? != Tracked::Entry)
    }

    fn coverage(&self, scope: &Scope, snapshot: &Snapshot<'_>) -> Result<Option<Coverage>, Error> {
        if !matches!(scope, Scope::Directory(_) | Scope::Pattern(_)) {
            return Ok(None);
        }
        let overlap = Overlap::new(scope, snapshot.folds_case());
        Ok(Some(self.repository.coverage(|path| overlap.with(&Scope::File(path.clone())))?))
    }

    /// Returns when the store has changed, or it is time to look again anyway; or when `tick` gives up.
    fn await_change(
        &self,
        began: Instant,
        wait: Duration,
        mut tick: impl FnMut(Duration) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        let refs = self.refs();
        let tip = refs.read(crate::store::layout::STATE).map_err(crate::store::StoreError::from)?;
        let paused = Instant::now();
        while paused.elapsed() < RECHECK && began.elapsed() < wait {
            std::thread::sleep(POLL.min(wait.saturating_sub(began.elapsed())).max(Duration::from_millis(5)));
            if tick(began.elapsed()).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if refs.read(crate::store::layout::STATE).map_err(crate::store::StoreError::from)? != tip {
                break;
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
