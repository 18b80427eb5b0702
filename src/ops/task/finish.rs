//! Saying that a task is done. The claim on it ends in the same operation, so that nobody finds it free and open.

use super::{Keeper, Queued, check_words, find::claims_at};
use crate::{
    base::{
        id::{InstanceId, TaskId},
        text,
    },
    model::{
        apply::Refusal,
        claim::{Claim, GrantRef, Holder, MAX_WHY, Mode},
        handoff::Handoff,
        op::{Action, Right},
        view::View,
    },
    ops::{Error, Session},
    store::Snapshot,
};

/// What there is to say beside that it is done.
#[derive(Debug, Clone, Default)]
pub struct Finish {
    /// What came of it.
    pub result: Option<String>,
    /// Set where a person says so, whoever holds it: why.
    pub forced: Option<String>,
    /// Who keeps it, where that was said.
    pub keeper: Option<Keeper>,
}

/// What to do about a task that the hub could not be told of.
const AGAIN: &str = "it is held still; say so again when the hub can be reached";

impl Session {
    /// Says that a task is done. That it is said twice by the same one changes nothing. The task, and whether it was done
    /// before; `None` for one of another tracker.
    ///
    /// # Errors
    /// When the one who says so doesn't hold it, somebody else has done it, or the hub doesn't confirm it.
    pub fn finish_task(&self, prefix: &str, finish: &Finish) -> Result<(TaskId, Option<Queued>, bool), Error> {
        check_words("the result", finish.result.as_deref().unwrap_or_default())?;
        if let Some(why) = &finish.forced {
            self.check_force(why)?;
        }
        let snapshot = self.snapshot()?;
        let own = self.find_task(prefix, &snapshot);
        let me = self.acting()?;
        match (own, finish.keeper) {
            (Ok(task), None | Some(Keeper::Own)) => {
                self.finish_own(&me, &task.id, finish).map(|(task, again)| (task.id.clone(), Some(task), again))
            }
            // A claim of ours can't say which of the two it means.
            (Ok(task), Some(_)) if task.id.as_str() == prefix => {
                Err(Error::usage(format!("the task {} is our own", task.id), "leave --from out"))
            }
            (Ok(_), _) => self.finish_issue(&me, prefix, finish, None),
            (Err(error @ Error::NotFound { .. }), _) => self.finish_issue(&me, prefix, finish, Some(error)),
            (Err(error), _) => Err(error),
        }
    }

    /// Closes an issue of Beads, and then gives the claim on it back.
    fn finish_issue(
        &self,
        me: &InstanceId,
        named: &str,
        finish: &Finish,
        unknown: Option<Error>,
    ) -> Result<(TaskId, Option<Queued>, bool), Error> {
        let (Some((_, beads)), Ok(id), false) = (self.beads(finish.keeper)?, named.parse(), named.starts_with('-'))
        else {
            return Err(
                unknown.unwrap_or_else(|| Error::not_found("no such issue", "name one of `git aio tasks list`"))
            );
        };
        let holds = |snapshot: &Snapshot<'_>| self.own_claim_on(&id, me, snapshot).map(|_| None);
        self.perform_confirmed(Some(me), holds).map_err(|error| error.undone("nothing was closed", AGAIN))?;
        let reason = finish.result.clone().unwrap_or_else(|| format!("done by {me}"));
        beads.close(&id, &reason)?;
        self.let_go_of(me, &id)?;
        Ok((id, None, false))
    }

    fn check_force(&self, why: &str) -> Result<(), Error> {
        let who = self.who(&self.snapshot()?)?;
        if let Some(agent) = self.taken_for_agent(&who) {
            return Err(Error::not_allowed(
                format!("only a person may call somebody else's task done, and {agent}"),
                "leave it to who holds it; a person does it from a terminal of their own, in which AIO_INSTANCE is not set",
            ));
        }
        if why.trim().is_empty() || why.len() > MAX_WHY {
            return Err(Error::usage(
                format!("the reason has to have 1 to {MAX_WHY} bytes"),
                "say why: whoever holds it will read it",
            ));
        }
        Ok(())
    }

    fn finish_own(&self, me: &InstanceId, id: &TaskId, finish: &Finish) -> Result<(Queued, bool), Error> {
        let mut again = false;
        let plan = |snapshot: &Snapshot<'_>| {
            let task = snapshot.task(id)?;
            again = task.is_some_and(|task| task.done.is_some_and(|done| done.by == *me));
            if again {
                return Ok(None);
            }
            let right = match &finish.forced {
                Some(why) => Right::Force(why.clone()),
                None => Right::Held(self.own_claim_on(id, me, snapshot)?.grant_ref()),
            };
            // Where nobody held it nobody is told why, and it stands with the task alone.
            let result = finish.result.clone().or_else(|| finish.forced.clone());
            Ok(Some(Action::FinishTask { task: id.clone(), result, right }))
        };
        self.perform_confirmed(Some(me), plan).map_err(|error| error.undone("the task is not done", AGAIN))?;
        let snapshot = self.snapshot()?;
        let task = self.find_task(id.as_str(), &snapshot)?;
        let queue = self.queue_about(&task, &snapshot)?;
        Ok((self.queued(task, &queue, Some(me), &snapshot)?, again))
    }

    /// The open handoff by which `me` has handed the task on that `prefix` means.
    pub(in crate::ops) fn handed_on(&self, prefix: &str, me: &InstanceId) -> Result<Option<Handoff>, Error> {
        let snapshot = self.snapshot()?;
        let Ok(id) = self.meant_task(prefix, &snapshot) else { return Ok(None) };
        for claim in claims_at(&id, &snapshot)? {
            if let Holder::Handoff(handoff) = &claim.holder
                && let Some(open) = snapshot.handoff(handoff)?.filter(|handoff| handoff.from == *me)
            {
                return Ok(Some(open));
            }
        }
        Ok(None)
    }

    /// The claim of `me` on the task that `prefix` means.
    pub(in crate::ops) fn held_task(
        &self,
        prefix: &str,
        me: &InstanceId,
        snapshot: &Snapshot<'_>,
    ) -> Result<Claim, Error> {
        self.own_claim_on(&self.meant_task(prefix, snapshot)?, me, snapshot)
    }

    /// The claim by which `me` does the task, alone.
    fn own_claim_on(&self, id: &TaskId, me: &InstanceId, snapshot: &Snapshot<'_>) -> Result<Claim, Error> {
        if let Some(task) = snapshot.task(id)?.filter(|task| task.done.is_some()) {
            return Err(Error::from_refusal(Refusal::TaskDone(Box::new(task))));
        }
        let mut claims = claims_at(id, snapshot)?;
        let mine = claims.iter().position(|claim| claim.is_held_by(me) && claim.mode == Mode::Exclusive);
        if let Some(at) = mine {
            return Ok(claims.swap_remove(at));
        }
        Err(match claims.iter().find(|claim| !claim.is_held_by(me)) {
            Some(claim) => Error::not_allowed(
                format!("the task {id} is held by {}", claim.holder),
                "whoever holds it says that it is done; a person may do so for them, by --force",
            ),
            None => Error::not_allowed(
                format!("you don't hold the task {} alone", text::one_line(id.as_str(), 60)),
                "take it by `git aio claim task`, or the next one by `git aio tasks next`",
            ),
        })
    }

    /// Gives what is held of an issue back, which is closed: of whatever is left of it meanwhile.
    fn let_go_of(&self, me: &InstanceId, id: &TaskId) -> Result<(), Error> {
        let release = |snapshot: &Snapshot<'_>| {
            let mine = claims_at(id, snapshot)?.into_iter().filter(|claim| claim.is_held_by(me));
            let claims: Vec<GrantRef> = mine.map(|claim| claim.grant_ref()).collect();
            Ok((!claims.is_empty()).then_some(Action::Release { claims, ended: Vec::new(), forced: None }))
        };
        self.perform(Some(me), release)?;
        self.perform(Some(me), |snapshot| {
            let says = snapshot.instance(me)?.and_then(|instance| instance.task);
            Ok(says.filter(|doing| doing.id.as_ref() == Some(id)).map(|_| Action::SetTask(None)))
        })?;
        Ok(())
    }
}
