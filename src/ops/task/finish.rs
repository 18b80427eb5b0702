//! Saying that a task is done. The claim on it ends in the same operation, so that nobody finds it free and open.

use super::{Keeper, Queued, check_words};
use crate::{
    base::{
        id::{InstanceId, TaskId},
        text,
    },
    model::{
        claim::{Claim, Holder, MAX_WHY, Mode},
        handoff::Handoff,
        op::{Action, Right},
        scope::Scope,
        task::Task,
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
        let own = match self.find_task(prefix, &snapshot) {
            Ok(task) if finish.keeper.is_none_or(|keeper| keeper == Keeper::Own) => Ok(task),
            Ok(task) => Err(Error::not_found(format!("the task {} is our own", task.id), "leave --from out")),
            Err(error) => Err(error),
        };
        let me = self.acting()?;
        match own {
            Ok(task) => {
                self.finish_own(&me, &task.id, finish).map(|(task, again)| (task.id.clone(), Some(task), again))
            }
            Err(error @ Error::NotFound { .. }) => match (self.beads(finish.keeper)?, prefix.parse::<TaskId>()) {
                (Some((_, beads)), Ok(id)) if !prefix.starts_with('-') => {
                    let holds = |snapshot: &Snapshot<'_>| self.own_claim_on(&id, &me, snapshot).map(|_| None);
                    self.perform_confirmed(Some(&me), holds)
                        .map_err(|error| error.undone("nothing was closed", AGAIN))?;
                    let reason = finish.result.clone().unwrap_or_else(|| format!("done by {me}"));
                    beads.close(&id, &reason)?;
                    self.let_go_of(&me, &id)?;
                    Ok((id, None, false))
                }
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
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
            Ok(Some(Action::FinishTask { task: id.clone(), result: finish.result.clone(), right }))
        };
        self.perform_confirmed(Some(me), plan).map_err(|error| error.undone("the task is not done", AGAIN))?;
        let snapshot = self.snapshot()?;
        let queue = self.queue_of(&snapshot)?;
        let task = self.find_task(id.as_str(), &snapshot)?;
        Ok((self.queued(task, &queue, me, &snapshot)?, again))
    }

    /// The open handoff by which `me` has handed the task on that `prefix` means.
    pub(in crate::ops) fn handed_on(&self, prefix: &str, me: &InstanceId) -> Result<Option<Handoff>, Error> {
        let snapshot = self.snapshot()?;
        let Ok(id) = self.meant_task(prefix, &snapshot) else { return Ok(None) };
        let scope = Scope::Task(id);
        for claim in snapshot.claims_near(&scope)?.into_iter().filter(|claim| claim.scope == scope) {
            if let Holder::Handoff(handoff) = &claim.holder
                && let Some(open) = snapshot.handoff(handoff)?.filter(|handoff| handoff.from == *me)
            {
                return Ok(Some(open));
            }
        }
        Ok(None)
    }

    /// The id of one of our own tasks, or of another tracker's.
    fn meant_task(&self, prefix: &str, snapshot: &Snapshot<'_>) -> Result<TaskId, Error> {
        match self.find_task(prefix, snapshot) {
            Ok(task) => Ok(task.id),
            Err(error) => prefix.parse().map_err(|_| error),
        }
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
        if let Some(Task { done: Some(done), .. }) = snapshot.task(id)? {
            return Err(Error::not_allowed(
                format!("the task {id} is done already, by {}", done.by),
                "take another: `git aio tasks next`",
            ));
        }
        let scope = Scope::Task(id.clone());
        let mut claims = snapshot.claims_near(&scope)?;
        claims.retain(|claim| claim.scope == scope);
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

    /// Gives the claim on an issue back, which is closed.
    fn let_go_of(&self, me: &InstanceId, id: &TaskId) -> Result<(), Error> {
        let release = |snapshot: &Snapshot<'_>| {
            let claim = self.own_claim_on(id, me, snapshot)?;
            Ok(Some(Action::Release { claims: vec![claim.grant_ref()], ended: Vec::new(), forced: None }))
        };
        self.perform(Some(me), release)?;
        self.perform(Some(me), |snapshot| {
            let says = snapshot.instance(me)?.and_then(|instance| instance.task);
            Ok(says.filter(|doing| doing.id.as_ref() == Some(id)).map(|_| Action::SetTask(None)))
        })?;
        Ok(())
    }
}
