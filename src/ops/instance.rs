//! Registering, staying alive, leaving.

use super::{Error, Session, Who, cleanup::departure};
use crate::{
    base::id::{ClaimId, InstanceId, TaskId, Tool},
    model::{
        claim::Holder,
        instance::{Doing, Instance, MAX_TASK},
        liveness::Presence,
        op::Action,
        view::View,
    },
};

/// An instance and what is known of it.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its registration; what it last was, if it ended.
    pub instance: Instance,
    /// Whether it is there.
    pub presence: Presence,
    /// Its last sign of life.
    pub last_seen: crate::base::world::Time,
    /// Whether it works in another clone.
    pub elsewhere: bool,
}

impl Session {
    /// Registers the agent that runs this as an instance of `tool`. An agent session that is registered already stays
    /// what it is.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn register(&self, tool: Tool, task: Option<String>) -> Result<Known, Error> {
        let task = task.map(|text| checked_task(text, None)).transpose()?;
        if tool.is_person() {
            self.refuse_agent_as_person()?;
        }
        if tool == Tool::of_run() {
            return Err(Error::usage(
                "`run` is what holds the scope of a workflow, as long as a run of that goes on",
                "register by the name of the tool, such as codex",
            ));
        }
        let instance = match self.registered_as(&tool)? {
            Some(id) => {
                self.act_as(Who::Instance(id.clone()))?;
                match task {
                    Some(task) => self.put_task(&id, Some(task))?,
                    None => self.instance(&id)?,
                }
            }
            None => self.register_as(tool, self.agent_session(), task)?,
        };
        self.known(instance)
    }

    /// What only a person may do, an agent must not be able to by calling itself one.
    fn refuse_agent_as_person(&self) -> Result<(), Error> {
        let who = self.who(&self.snapshot()?)?;
        self.taken_for_agent(&who).map_or(Ok(()), |agent| {
            Err(Error::not_allowed(
                format!("only a person registers as one, and {agent}"),
                "register by the name of the tool, such as codex",
            ))
        })
    }

    /// The instance that the one who runs this is already, as far as that can be told: an agent session and a person
    /// are one instance each, but a shell may be registered any number of times, since it says nothing of who works
    /// in it.
    fn registered_as(&self, tool: &Tool) -> Result<Option<InstanceId>, Error> {
        if self.acting_as.is_none() && self.env.instance.is_some() {
            return Ok(None);
        }
        let known_again = self.acting_as.is_some() || self.agent_session().is_some() || tool.is_person();
        let who = self.who(&self.snapshot()?)?;
        Ok(who.instance().filter(|id| known_again && id.tool() == tool.as_str()).cloned())
    }

    /// Who runs this command, as it is registered.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not.
    pub fn whoami(&self) -> Result<Known, Error> {
        let snapshot = self.snapshot()?;
        match self.asking(&snapshot)? {
            Who::Instance(id) => match snapshot.instance(&id)? {
                Some(instance) => self.known(instance),
                None => self.ended(&id),
            },
            Who::Stranger { tool, .. } => Err(Error::not_found(
                match tool.is_person() {
                    true => "you are not registered here".to_owned(),
                    false => format!("this {tool} session is not registered here"),
                },
                "`git aio register <tool>` registers it; a first claim does too",
            )),
        }
    }

    /// Says that the instance is alive.
    ///
    /// # Errors
    /// When the one who says so is not registered.
    pub fn heartbeat(&self) -> Result<Known, Error> {
        let snapshot = self.snapshot()?;
        if let Who::Stranger { .. } = self.who(&snapshot)? {
            return self.whoami();
        }
        let id = self.acting()?;
        self.known(self.instance(&id)?)
    }

    /// Leaves: the instance and its claims are off the register. The claims that are free for it; `None` if it had left
    /// before.
    ///
    /// # Errors
    /// When the one who leaves is not registered.
    pub fn unregister(&self) -> Result<(Known, Option<Vec<ClaimId>>), Error> {
        let known = self.whoami()?;
        if known.presence == Presence::Ended {
            return Ok((known, None));
        }
        let id = known.instance.id.clone();
        let applied = self.perform(Some(&id), |snapshot| {
            let claims = snapshot.claims_of(&Holder::Instance(id.clone()))?;
            Ok(Some(Action::End(vec![departure(id.clone(), &claims, false)])))
        })?;
        let now = self.now();
        if let Some(mut seen) = self.seen(&id) {
            seen.live.ended = Some(now);
            self.live.write(&id, &seen.live, now).map_err(Error::file("can't record the end"))?;
        }
        let released = applied.released.into_iter().map(|claim| claim.id).collect();
        Ok((Known { presence: Presence::Ended, ..known }, Some(released)))
    }

    /// Says what the instance is doing; an empty text says that it does nothing in particular.
    ///
    /// # Errors
    /// When the text is too long.
    pub fn task(&self, text: String, id: Option<TaskId>) -> Result<Known, Error> {
        let task = if text.trim().is_empty() { None } else { Some(checked_task(text, id)?) };
        let me = self.acting()?;
        let instance = self.put_task(&me, task)?;
        self.known(instance)
    }

    fn put_task(&self, id: &InstanceId, task: Option<Doing>) -> Result<Instance, Error> {
        self.perform(Some(id), |_| Ok(Some(Action::SetTask(task.clone()))))?;
        self.instance(id)
    }

    fn instance(&self, id: &InstanceId) -> Result<Instance, Error> {
        let instance = self.snapshot()?.instance(id)?;
        instance.ok_or_else(|| {
            Error::not_found(format!("no instance {id} is registered"), "`git aio status` lists the instances")
        })
    }

    pub(super) fn known(&self, instance: Instance) -> Result<Known, Error> {
        let observed = self.observe(&instance);
        let presence = observed.judge(self.now(), self.settings.patience);
        let elsewhere = self.is_elsewhere(&instance);
        Ok(Known { instance, presence, last_seen: observed.last_seen, elsewhere })
    }

    fn ended(&self, id: &InstanceId) -> Result<Known, Error> {
        let seen = self.seen(id);
        let registered = seen.as_ref().map_or_else(|| self.now(), |seen| seen.live.registered);
        let instance = Instance {
            id: id.clone(),
            tool: id.tool().parse().map_err(|error| Error::usage(format!("{error}"), "register anew"))?,
            clone: self.clone_id()?.clone(),
            project: self.project(),
            worktree: None,
            task: None,
            since: registered,
            parent: None,
        };
        let last_seen = seen.map_or(registered, |seen| seen.last_seen);
        Ok(Known { instance, presence: Presence::Ended, last_seen, elsewhere: false })
    }
}

fn checked_task(text: String, id: Option<TaskId>) -> Result<Doing, Error> {
    if text.trim().is_empty() {
        return Err(Error::usage("the task is empty", "say what it is, or leave it out"));
    }
    if text.len() > MAX_TASK {
        let message = format!("the task has {} bytes; {MAX_TASK} is the most", text.len());
        return Err(Error::usage(message, "write the rest as a note"));
    }
    Ok(Doing { text, id })
}
