//! Asking who holds what.

use super::{
    Error, Session, Target, Who,
    sync::{Confirmed, Standing},
};
use crate::{
    base::{path::RepoPath, world::Time},
    model::{
        apply::Refusal,
        claim::{Claim, EndReason, Ended, Mode},
        guard::{self, Matter},
        liveness::Presence,
        overlap::Overlap,
        scope::Scope,
        view::View,
    },
    store::Snapshot,
};
use std::collections::HashMap;

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
    /// Why it binds nobody any more, if it doesn't: the next claim takes it over.
    pub fallen: Option<EndReason>,
    /// Whether it is sure, or the hub has yet to be asked.
    pub standing: Standing,
    /// How the asker, who held it, lost it, until that is settled.
    pub lost: Option<Box<Ended>>,
}

/// Which state an answer is about.
#[derive(Debug, Clone, Copy)]
pub struct AsOf {
    /// The number of operations the store had seen.
    pub seq: u64,
    /// When it was last in step with the hub; `None` where there is none, or it never was.
    pub synced: Option<Time>,
}

impl Session {
    /// What is known about `targets`, at one moment; which that was comes with it.
    ///
    /// # Errors
    /// When the store can't be trusted on the way to one of them, and when one is a task that is done: nobody can claim it.
    pub fn check(&self, targets: &[Target]) -> Result<(AsOf, Vec<Checked>), Error> {
        let snapshot = self.snapshot()?;
        self.warn_of_lost_store(&snapshot)?;
        // Who asks takes longer to find out than anything else here, so only where the answer depends on it.
        let mut asker = if snapshot.has_ended()? { Some(self.asking(&snapshot)?) } else { None };
        let confirmed = self.confirmed(&snapshot);
        let mut checked = Vec::with_capacity(targets.len());
        for Target { scope, .. } in targets {
            if let Scope::Task(id) = scope
                && let Some(task) = snapshot.task(id)?.filter(|task| task.done.is_some())
            {
                return Err(Error::from_refusal(Refusal::TaskDone(Box::new(task))));
            }
            checked.push(self.check_one(scope, &mut asker, confirmed.as_ref(), &snapshot)?);
        }
        Ok((self.as_of(&snapshot), checked))
    }

    fn as_of(&self, snapshot: &Snapshot<'_>) -> AsOf {
        let synced = self.hub_name().and_then(|name| self.memory_file(&name).read().synced);
        AsOf { seq: snapshot.seq(), synced }
    }

    fn check_one(
        &self,
        scope: &Scope,
        asker: &mut Option<Who>,
        confirmed: Option<&Confirmed>,
        snapshot: &Snapshot<'_>,
    ) -> Result<Checked, Error> {
        let mut checked = Checked { scope: scope.clone(), available: true, claims: Vec::new() };
        let mut claims = snapshot.claims_near(scope)?;
        if claims.is_empty() && asker.is_none() {
            return Ok(checked);
        }
        let overlap = Overlap::new(scope, snapshot.folds_case());
        claims.retain(|claim| overlap.with(&claim.scope));
        let who = match asker {
            Some(who) => who,
            None if claims.is_empty() => return Ok(checked),
            None => asker.insert(self.asking(snapshot)?),
        };
        let me = who.instance();
        let is_mine = |claim: &Claim| me.is_some_and(|me| claim.is_held_by(me));
        let sharing = claims.iter().any(|claim| is_mine(claim) && claim.mode == Mode::Shared);
        let newest = claims.iter().filter(|claim| is_mine(claim)).map(|claim| claim.token).max();
        for claim in claims {
            let mine = is_mine(&claim);
            let fallen = if mine { None } else { self.fallen(&claim, snapshot)? };
            if !(mine || sharing && claim.mode == Mode::Shared || fallen.is_some()) {
                checked.available = false;
            }
            let standing = self.standing(&claim, confirmed, snapshot);
            checked.claims.push(Seen { mine, fallen, standing, ..self.seen_claim(claim, snapshot) });
        }
        let lost = self.losses_of(me, snapshot, |lost| overlap.with(lost))?;
        for ended in lost.into_iter().filter(|ended| overlap.with(&ended.claim.scope)) {
            if newest.is_none_or(|newest| newest < ended.claim.token) {
                checked.available = false;
                checked.claims.push(self.seen_lost(ended, snapshot));
            }
        }
        Ok(checked)
    }

    pub(super) fn seen_claim(&self, claim: Claim, snapshot: &Snapshot<'_>) -> Seen {
        Seen {
            short_id: snapshot.short_claim_id(&claim.id),
            presence: self.presence_of(&claim.holder, snapshot),
            mine: false,
            fallen: None,
            standing: Standing::Confirmed,
            lost: None,
            claim,
        }
    }

    fn seen_lost(&self, ended: Ended, snapshot: &Snapshot<'_>) -> Seen {
        Seen { lost: Some(Box::new(ended.clone())), ..self.seen_claim(ended.claim, snapshot) }
    }

    /// Which of `paths` the one who asks may not change, as the fence at the commit will say.
    ///
    /// # Errors
    /// As for [`check`](Self::check).
    pub fn check_paths(&self, paths: &[RepoPath]) -> Result<(AsOf, Vec<Checked>), Error> {
        let snapshot = self.snapshot()?;
        self.warn_of_lost_store(&snapshot)?;
        let who = self.asking(&snapshot)?;
        let claims = self.binding(snapshot.claims_covering(paths)?, who.instance(), &snapshot)?;
        let ended = self.losses_of(who.instance(), &snapshot, |lost| lost.covers_any(paths, snapshot.folds_case()))?;
        let found = guard::findings(paths, &claims, &ended, who.instance(), snapshot.folds_case());
        let mut matters: HashMap<&RepoPath, Matter<'_>> = found.into_iter().map(|f| (f.path, f.matter)).collect();
        let confirmed = self.confirmed(&snapshot);
        let checked = paths.iter().map(|path| {
            let seen = match matters.remove(path) {
                Some(Matter::Held(claim)) => {
                    let standing = self.standing(claim, confirmed.as_ref(), &snapshot);
                    Some(Seen { standing, ..self.seen_claim(claim.clone(), &snapshot) })
                }
                Some(Matter::Lost(ended)) => Some(self.seen_lost(ended.clone(), &snapshot)),
                Some(Matter::Unclaimed) | None => None,
            };
            let claims: Vec<Seen> = seen.into_iter().collect();
            Checked { scope: Scope::File(path.clone()), available: claims.is_empty(), claims }
        });
        let checked = checked.collect();
        Ok((self.as_of(&snapshot), checked))
    }
}
