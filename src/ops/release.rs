//! Giving claims back, and ending them.

use super::{Error, Session};
use crate::{
    base::{
        id::{ClaimId, InstanceId},
        text,
    },
    model::{
        claim::{Claim, GrantRef, Holder, MAX_WHY},
        op::Action,
        view::View,
    },
    store::Snapshot,
};

/// What a release came to.
#[derive(Debug, Clone, Default)]
pub struct Released {
    /// Claims that are free now.
    pub claims: Vec<Claim>,
    /// Lost claims that are settled now.
    pub settled: Vec<ClaimId>,
}

#[derive(Default)]
struct Chosen {
    claims: Vec<GrantRef>,
    ended: Vec<ClaimId>,
}

impl Session {
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
            Ok(Chosen { claims: claims.iter().map(Claim::grant_ref).collect(), ended: snapshot.lost_ids(&me)? })
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
                format!("no claim {}", text::one_line(prefix, 40)),
                "`git aio status` shows the claims there are",
            )
        };
        if prefix.is_empty() || !prefix.bytes().all(|b| b.is_ascii_hexdigit()) || prefix.len() > 16 {
            return Err(none());
        }
        let prefix = prefix.to_ascii_lowercase();
        let lost = owner.map_or_else(|| Ok(Vec::new()), |owner| snapshot.lost_ids(owner))?;
        let lost = lost.into_iter().filter(|id| id.as_str().starts_with(&prefix));
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
