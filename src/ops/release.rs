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
        overlap::Overlap,
        view::View,
    },
    store::Snapshot,
};

/// Most claims on a path that are named where an id was meant.
const MAX_NAMED: usize = 5;

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

/// Whose claims are meant.
#[derive(Clone, Copy)]
enum Whose<'a> {
    /// Those of the one who asks; nobody's, if that one is not registered.
    Own(Option<&'a InstanceId>),
    /// Anybody's.
    Anybodys,
}

impl Session {
    /// Gives back own claims, by id or prefix, and lets go of lost ones.
    ///
    /// # Errors
    /// When there is no such claim, or it is another's.
    pub fn release(&self, ids: &[String]) -> Result<Released, Error> {
        let snapshot = self.snapshot()?;
        let who = self.who(&snapshot)?;
        who.instance().into_iter().for_each(|id| self.heard_of(id));
        // What can't be is said before anybody is registered for it.
        self.chosen(ids, Whose::Own(who.instance()), &snapshot)?;
        let me = self.act_as(who)?;
        self.write_release(&me, None, |snapshot| self.chosen(ids, Whose::Own(Some(&me)), snapshot))
    }

    /// Gives back all own claims, and lets go of all lost ones, by path. Who is not registered has none.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub fn release_all(&self) -> Result<Released, Error> {
        let who = self.who(&self.snapshot()?)?;
        if who.instance().is_none() {
            return Ok(Released::default());
        }
        let me = self.act_as(who)?;
        self.write_release(&me, None, |snapshot| {
            let mut claims = snapshot.claims_of(&Holder::Instance(me.clone()))?;
            claims.sort_by_cached_key(Claim::place);
            Ok(Chosen { claims: claims.iter().map(Claim::grant_ref).collect(), ended: snapshot.lost_ids(&me)? })
        })
    }

    /// Ends claims of a living holder. For a person only, and never without a reason: the holder is told it.
    ///
    /// # Errors
    /// [`Error::NotAllowed`] inside an agent; when there is no such claim.
    pub fn release_by_force(&self, ids: &[String], why: &str) -> Result<Released, Error> {
        let snapshot = self.snapshot()?;
        let who = self.who(&snapshot)?;
        if let Some(agent) = self.taken_for_agent(&who) {
            return Err(Error::not_allowed(
                format!("only a person may end somebody else's claim, and {agent}"),
                "ask the holder by a handoff, wait for the claim, or work on something else; a person does it from a \
                 terminal of their own, in which AIO_INSTANCE is not set",
            ));
        }
        if why.trim().is_empty() || why.len() > MAX_WHY {
            return Err(Error::usage(
                format!("the reason has to have 1 to {MAX_WHY} bytes"),
                "say why: the holder will read it",
            ));
        }
        self.chosen(ids, Whose::Anybodys, &snapshot)?;
        let me = self.act_as(who)?;
        self.write_release(&me, Some(why.to_owned()), |snapshot| self.chosen(ids, Whose::Anybodys, snapshot))
    }

    fn write_release(
        &self,
        me: &InstanceId,
        forced: Option<String>,
        mut choose: impl FnMut(&Snapshot<'_>) -> Result<Chosen, Error>,
    ) -> Result<Released, Error> {
        let mut settled = Vec::new();
        let applied = self.perform(Some(me), |snapshot| {
            let Chosen { claims, ended } = choose(snapshot)?;
            settled.clone_from(&ended);
            let nothing = claims.is_empty() && ended.is_empty();
            Ok((!nothing).then(|| Action::Release { claims, ended, forced: forced.clone() }))
        })?;
        Ok(Released { claims: applied.released, settled })
    }

    /// The claims that are meant by `ids`, each once.
    fn chosen(&self, ids: &[String], whose: Whose<'_>, snapshot: &Snapshot<'_>) -> Result<Chosen, Error> {
        let mut chosen = Chosen::default();
        for id in ids {
            self.choose(id, whose, snapshot, &mut chosen)?;
        }
        Ok(chosen)
    }

    /// Finds the claim that `prefix` means: one in force, or one that the one who asks has lost.
    fn choose(
        &self,
        prefix: &str,
        whose: Whose<'_>,
        snapshot: &Snapshot<'_>,
        chosen: &mut Chosen,
    ) -> Result<(), Error> {
        if prefix.trim().is_empty() {
            return Err(Error::usage(
                "the id of the claim is empty",
                "`git aio status` shows the ids; `all` means all",
            ));
        }
        if !prefix.bytes().all(|b| b.is_ascii_hexdigit()) || prefix.len() > 16 {
            return Err(self.no_claim(prefix, whose, snapshot));
        }
        let digits = prefix.to_ascii_lowercase();
        let lost = match whose {
            Whose::Own(me) => me.map_or_else(|| Ok(Vec::new()), |me| snapshot.lost_ids(me))?,
            Whose::Anybodys => Vec::new(),
        };
        let lost = lost.into_iter().filter(|id| id.as_str().starts_with(&digits));
        let mut all: Vec<ClaimId> = lost.chain(snapshot.claims_by_prefix(&digits)?).collect();
        all.sort();
        all.dedup();
        match all.as_slice() {
            [] => Err(self.no_claim(prefix, whose, snapshot)),
            [id] => choose_one(id, whose, snapshot, chosen),
            several => Err(Error::usage(
                format!("{digits} is the beginning of {} claims", several.len()),
                "give more digits of the one you mean",
            )),
        }
    }

    /// That there is no such claim; and if a path was given instead of an id, which claims are on it.
    fn no_claim(&self, typed: &str, whose: Whose<'_>, snapshot: &Snapshot<'_>) -> Error {
        let hint = match self.claims_on(typed, snapshot).as_deref() {
            None | Some([]) => "`git aio status` shows the claims there are".to_owned(),
            Some(claims) => {
                let named = claims.iter().map(|claim| {
                    let id = snapshot.short_claim_id(&claim.id);
                    let holder = match whose {
                        Whose::Own(Some(me)) if claim.is_held_by(me) => "you".to_owned(),
                        _ => claim.holder.to_string(),
                    };
                    format!("{id} on {}, held by {holder}", text::one_line(&claim.scope.to_string(), 200))
                });
                let named: Vec<String> = named.collect();
                format!("claims are named by their ids, and that path is covered by {}", named.join("; "))
            }
        };
        Error::not_found(format!("no claim {}", text::one_line(typed, 40)), hint)
    }

    /// The claims that cover a path, if it is one.
    fn claims_on(&self, typed: &str, snapshot: &Snapshot<'_>) -> Option<Vec<Claim>> {
        let scope = self.scope_typed(typed.as_ref()).ok()?;
        let overlap = Overlap::new(&scope, snapshot.folds_case());
        let mut claims = snapshot.claims_near(&scope).ok()?;
        claims.retain(|claim| overlap.with(&claim.scope));
        claims.sort_by_cached_key(Claim::place);
        claims.truncate(MAX_NAMED);
        Some(claims)
    }
}

fn choose_one(id: &ClaimId, whose: Whose<'_>, snapshot: &Snapshot<'_>, chosen: &mut Chosen) -> Result<(), Error> {
    let Some(claim) = snapshot.claim(id)? else {
        if !chosen.ended.contains(id) {
            chosen.ended.push(id.clone());
        }
        return Ok(());
    };
    if let Whose::Own(me) = whose
        && !me.is_some_and(|me| claim.is_held_by(me))
    {
        return Err(Error::not_allowed(
            format!("the claim {} on {} is held by {}", id, claim.scope.target(), claim.holder),
            "wait for it, claim something narrower, or ask its holder by a handoff",
        ));
    }
    if matches!(claim.holder, Holder::Handoff(_)) {
        return Err(Error::not_allowed(
            format!("the claim {id} belongs to the open {}", claim.holder),
            "settle the handoff: accept, decline or done",
        ));
    }
    let grant = claim.grant_ref();
    if !chosen.claims.contains(&grant) {
        chosen.claims.push(grant);
    }
    Ok(())
}
