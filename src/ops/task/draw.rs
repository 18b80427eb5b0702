//! Drawing the next task: by whom it is held is decided where all drivers meet, on the state of the hub, so that no two of
//! them do the same.

use super::{Keeper, Queue, Queued, Stand};
use crate::{
    base::id::{InstanceId, TaskId},
    host::beads::Issue,
    model::{
        claim::{Claim, Mode},
        instance::Doing,
        op::Action,
        scope::Scope,
        view::View,
    },
    ops::{Confirm, Error, Session, Target, claim::Terms, sync::Standing},
    store::Snapshot,
};

/// What came of it.
#[derive(Debug, Clone)]
pub enum Drawn {
    /// This is to be done, and it is held.
    Task {
        /// The task.
        task: Box<Queued>,
        /// Whether it was held before: whoever was interrupted goes on with it.
        held_before: bool,
    },
    /// None is ready.
    Nothing(Nothing),
}

/// Why none is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nothing {
    /// How many others are at.
    pub held: usize,
    /// How many wait for others to be done first.
    pub waiting: usize,
}

/// What a task is drawn for.
struct Draw<'d> {
    me: &'d InstanceId,
    keeper: Option<Keeper>,
    /// Whether one that is held already is not enough.
    another: bool,
    /// The issues of Beads, once they were asked for.
    issues: Option<&'d [(Keeper, Issue)]>,
}

/// What was chosen on some state.
struct Choice {
    id: TaskId,
    held_before: bool,
}

/// What to do about a task that the hub could not be asked for.
const AGAIN: &str = "ask for the next task again when the hub can be reached";

impl Session {
    /// Takes the first task that is ready, by priority and then by age, or tells which one is held already. Where a hub is
    /// named, that is decided on what the hub has, and confirmed by it.
    ///
    /// # Errors
    /// [`Error::NotConfirmed`] when the hub can't be reached, and nothing was taken.
    pub fn next_task(&self, another: bool, keeper: Option<Keeper>) -> Result<Drawn, Error> {
        if self.settings.confirm == Confirm::Strict && !self.has_hub() {
            return Err(Error::NotConfirmed {
                message: "aio.confirm is strict, and no hub is named that could confirm a task".into(),
                hint: Some("name one with `git aio init --remote <remote>`, or set aio.confirm to lazy".into()),
            });
        }
        let me = self.acting()?;
        // Beads is asked only when nothing of our own is left: it is another program, and may take its time. But whoever
        // is at one of its issues goes on with that.
        let first_own = match keeper {
            None => another || !self.is_at_an_issue(&me)?,
            Some(keeper) => keeper == Keeper::Own,
        };
        if first_own {
            let drawn = self.draw(&Draw { me: &me, keeper, another, issues: None })?;
            if matches!(drawn, Drawn::Task { .. }) || self.beads(keeper)?.is_none() {
                return Ok(drawn);
            }
        }
        let issues = self.issues(keeper, &self.queue_of(&self.snapshot()?)?)?;
        self.draw(&Draw { me: &me, keeper, another, issues: Some(&issues) })
    }

    fn draw(&self, draw: &Draw<'_>) -> Result<Drawn, Error> {
        let (mut chosen, mut nothing) = (None, Nothing { held: 0, waiting: 0 });
        let plan = |snapshot: &Snapshot<'_>| {
            let queue = self.queue_of(snapshot)?;
            chosen = self.pick(draw, &queue, snapshot, &mut nothing)?;
            let Some(Choice { id, held_before: false }) = &chosen else { return Ok(None) };
            let target = Target { scope: Scope::Task(id.clone()), any_depth: false };
            let claims: Vec<Claim> = queue.claims_on(id).cloned().collect();
            let evict = self.evictions(&claims, draw.me, snapshot)?;
            Ok(Some(Action::Claim {
                wants: vec![self.want(draw.me, &target, &Terms::default())],
                evict,
                lost: Vec::new(),
            }))
        };
        match self.perform_confirmed(Some(draw.me), plan).map_err(|error| error.undone("no task was taken", AGAIN)) {
            Ok(_) => {}
            // What is surely held needs nobody's word to go on with.
            Err(error @ (Error::NotConfirmed { .. } | Error::Unanswered(_) | Error::Busy(_))) => {
                chosen = self.surely_held(draw)?;
                if chosen.is_none() {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        let Some(Choice { id, held_before }) = chosen else { return Ok(Drawn::Nothing(nothing)) };
        let task = self.drawn(&id, draw)?;
        self.say_doing(draw.me, &task)?;
        Ok(Drawn::Task { task: Box::new(task), held_before })
    }

    /// The task to take on this state, and what of others is in the way.
    fn pick(
        &self,
        draw: &Draw<'_>,
        queue: &Queue,
        snapshot: &Snapshot<'_>,
        nothing: &mut Nothing,
    ) -> Result<Option<Choice>, Error> {
        *nothing = Nothing { held: 0, waiting: 0 };
        let (mut ready, mut held) = (None, None);
        for task in self.candidates(draw.keeper, draw.issues.unwrap_or_default(), queue, Some(draw.me), snapshot)? {
            match &task.stand {
                Stand::Ready => ready = ready.or(Some(task.id)),
                // Whoever has claimed one by hand before its time keeps it, and begins when all that it needs is done.
                Stand::Held(seen) if task.waits && self.does(&seen.claim, draw.me) => nothing.waiting += 1,
                Stand::Held(seen) if self.does(&seen.claim, draw.me) && !draw.another => held = held.or(Some(task.id)),
                // A claim that is shared is no work yet. Whoever shares it with nobody may have it alone.
                Stand::Held(seen) if !task.waits && self.shares(&seen.claim, draw.me) => {
                    ready = ready.or(Some(task.id))
                }
                Stand::Held(_) => nothing.held += 1,
                Stand::Waits(_) => nothing.waiting += 1,
                Stand::Done(_) => {}
            }
        }
        let choice = |id: &TaskId, held_before| Choice { id: id.clone(), held_before };
        Ok(held.map(|id| choice(id, true)).or_else(|| ready.map(|id| choice(id, false))))
    }

    /// Whether a claim is held by whoever asks, for the run that asks: one person may have several at work.
    fn is_own(&self, claim: &Claim, me: &InstanceId) -> bool {
        let run = claim.why.as_ref().and_then(|why| why.parse().ok());
        claim.is_held_by(me) && run == self.current_run()
    }

    /// Whether whoever asks is at the task of this claim, alone.
    fn does(&self, claim: &Claim, me: &InstanceId) -> bool {
        claim.mode == Mode::Exclusive && self.is_own(claim, me)
    }

    /// Whether whoever asks lets others hold the task of this claim too.
    fn shares(&self, claim: &Claim, me: &InstanceId) -> bool {
        claim.mode == Mode::Shared && self.is_own(claim, me)
    }

    /// Whether whoever asks is at what is no task of our own.
    fn is_at_an_issue(&self, me: &InstanceId) -> Result<bool, Error> {
        let snapshot = self.snapshot()?;
        for claim in snapshot.claims_on_tasks()?.into_iter().filter(|claim| self.does(claim, me)) {
            if let Scope::Task(id) = &claim.scope
                && snapshot.task(id)?.is_none()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is held here already, and known to be so by the hub.
    fn surely_held(&self, draw: &Draw<'_>) -> Result<Option<Choice>, Error> {
        let snapshot = self.snapshot()?;
        let queue = self.queue_of(&snapshot)?;
        let held = self.pick(draw, &queue, &snapshot, &mut Nothing { held: 0, waiting: 0 })?;
        let confirmed = self.confirmed(&snapshot);
        let is_sure = |choice: &Choice| {
            let mut claims = queue.claims_on(&choice.id).filter(|claim| claim.is_held_by(draw.me));
            claims.any(|claim| self.standing(claim, confirmed.as_ref(), &snapshot) == Standing::Confirmed)
        };
        Ok(held.filter(|choice| choice.held_before && is_sure(choice)))
    }

    /// A task as it stands now.
    fn drawn(&self, id: &TaskId, draw: &Draw<'_>) -> Result<Queued, Error> {
        let snapshot = self.snapshot()?;
        if let Some(own) = snapshot.task(id)?.filter(|_| draw.keeper.is_none_or(|keeper| keeper == Keeper::Own)) {
            let queue = self.queue_about(&own, &snapshot)?;
            return self.queued(own, &queue, Some(draw.me), &snapshot);
        }
        let queue = self.queue_of(&snapshot)?;
        let issues = draw.issues.unwrap_or_default();
        let candidates = self.candidates(draw.keeper, issues, &queue, Some(draw.me), &snapshot)?;
        let found = candidates.into_iter().find(|task| task.id == id);
        let found = found.ok_or_else(|| Error::not_found(format!("the task {id} is gone"), "ask for the next one"))?;
        self.read_task(found, &queue, &snapshot)
    }

    /// Says that the instance is doing this task.
    fn say_doing(&self, me: &InstanceId, task: &Queued) -> Result<(), Error> {
        let doing = Doing { text: task.title.clone(), id: Some(task.id.clone()) };
        self.perform(Some(me), |snapshot| {
            let says = snapshot.instance(me)?.and_then(|instance| instance.task);
            Ok((says.as_ref() != Some(&doing)).then(|| Action::SetTask(Some(doing.clone()))))
        })?;
        Ok(())
    }
}
