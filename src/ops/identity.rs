//! Who runs this command.
//!
//! First that answers: `--as`, `AIO_INSTANCE`; the innermost agent's own session; a registered process among our
//! ancestors; else the person whose git identity this is. One identity for two sessions would share claims that
//! exclude each other, and two for one would refuse them to their own holder: so an agent that is not registered is
//! never taken for the one that started it. For the same reason the hooks of an agent heed `AIO_INSTANCE` only where it
//! means that session of it, and so do the commands of one whose hooks have registered it: every program inherits it.

use super::{Error, Notice, Session};
use crate::{
    base::{
        id::{InstanceId, Tool},
        process::{Aliveness, ProcessMark},
        text,
    },
    host::{
        env::{AgentSession, innermost, session_digest, variables_of},
        live::{Live, Seen},
        process::{self, Ancestor},
    },
    model::{claim::Ended, instance::Instance, liveness::Presence, op::Action, scope::Scope, view::View},
    store::{Snapshot, StoreError},
};
use std::sync::{Mutex, PoisonError};

/// Held by the thread that registers whoever runs this process.
static REGISTERING: Mutex<()> = Mutex::new(());

/// Who runs this command.
#[derive(Debug, Clone)]
pub enum Who {
    /// An instance that is registered, or was and can be again.
    Instance(InstanceId),
    /// Somebody who is not registered.
    Stranger {
        /// What kind of program, or a person.
        tool: Tool,
        /// By what it is known again.
        session: Option<String>,
    },
}

impl Who {
    /// The instance, if it is one.
    pub fn instance(&self) -> Option<&InstanceId> {
        match self {
            Who::Instance(id) => Some(id),
            Who::Stranger { .. } => None,
        }
    }

    /// Whether a human being runs this, with no agent above.
    pub fn is_person(&self) -> bool {
        match self {
            Who::Instance(id) => id.tool() == "person",
            Who::Stranger { tool, .. } => tool.is_person(),
        }
    }
}

impl Session {
    /// Who runs this command.
    ///
    /// # Errors
    /// When an instance is named that never was one here.
    pub fn who(&self, snapshot: &Snapshot<'_>) -> Result<Who, Error> {
        if let Some(named) = &self.acting_as {
            return self.named(named, snapshot).map(Who::Instance);
        }
        if let Some(named) = &self.env.instance {
            let own = self.own_rather_than(named)?;
            return own.map_or_else(|| self.named(named, snapshot), Ok).map(Who::Instance);
        }
        let census = self.live.all().map_err(Error::file("can't read who is here"))?.instances;
        // Most calls of a hook come from a session that is known. To look who is above would take as long as the rest.
        if let Some(id) = self.known_caller(&census) {
            return Ok(Who::Instance(id));
        }
        let ancestors = process::ancestors(self.env.top);
        if let Some((tool, session, process)) = self.agent_above(&ancestors) {
            // One process may have several sessions, at once or one after the other.
            // It may have registered one of another kind, to start that.
            let is_it = |id: &InstanceId, seen: &Seen| {
                id.tool() == tool.as_str()
                    && match (&session, &seen.live.session) {
                        (Some(session), Some(other)) => session == other,
                        _ => process.is_some() && seen.live.agent && seen.live.process.as_ref() == process,
                    }
            };
            let inside = ancestors.iter().take_while(|ancestor| ancestor.agent.is_none());
            // A session that nobody has registered is nobody's, whatever is registered in the shell around it.
            let around = || if session.is_some() { None } else { registered(&census, inside) };
            let found = newest(&census, is_it).or_else(around);
            return Ok(found.map_or_else(|| Who::Stranger { tool, session }, Who::Instance));
        }
        if let Some(id) = registered(&census, ancestors.iter()) {
            return Ok(Who::Instance(id));
        }
        let session = self.person();
        let found = newest(&census, |_, seen| seen.live.session == session);
        Ok(found.map_or_else(|| Who::Stranger { tool: Tool::person(), session }, Who::Instance))
    }

    /// The instance of the session that calls, if it has one that has not ended.
    fn known_caller(&self, census: &[(InstanceId, Seen)]) -> Option<InstanceId> {
        let AgentSession { tool, session } = self.caller.as_ref().filter(|caller| caller.session.is_some())?;
        newest(census, |id, seen| id.tool() == *tool && seen.live.ended.is_none() && seen.live.session == *session)
    }

    /// Who runs this command, registered if it wasn't and heard of now: for commands that write. Tells what it lost.
    ///
    /// # Errors
    /// As for [`who`](Self::who), and when the registration can't be written.
    pub fn acting(&self) -> Result<InstanceId, Error> {
        let who = self.who(&self.snapshot()?)?;
        self.act_as(who)
    }

    /// As [`acting`](Self::acting), for one who is known.
    pub(super) fn act_as(&self, who: Who) -> Result<InstanceId, Error> {
        let id = match who {
            Who::Instance(id) => id,
            Who::Stranger { .. } => {
                // A server may be called several times at once, and all the calls are one instance's.
                let _alone = REGISTERING.lock().unwrap_or_else(PoisonError::into_inner);
                match self.who(&self.snapshot()?)? {
                    Who::Instance(id) => id,
                    Who::Stranger { tool, session } => {
                        let id = self.register_as(tool, session, None)?.id;
                        self.notice(Notice::Registered(id.clone()));
                        return Ok(id);
                    }
                }
            }
        };
        let mut snapshot = self.snapshot()?;
        if snapshot.instance(&id)?.is_none() && self.revive(&id)? {
            snapshot = self.snapshot()?;
        }
        self.heard_of(&id);
        self.tell_losses(&id, &snapshot);
        Ok(id)
    }

    /// Who runs this command, heard of now, without registering anybody: for commands that read. Tells what it lost.
    ///
    /// # Errors
    /// As for [`who`](Self::who).
    pub fn asking(&self, snapshot: &Snapshot<'_>) -> Result<Who, Error> {
        let who = self.who(snapshot)?;
        if let Some(id) = who.instance() {
            self.heard_of(id);
            self.tell_losses(id, snapshot);
        }
        Ok(who)
    }

    /// Whether an agent runs this command, registered or not.
    pub fn is_inside_agent(&self, who: &Who) -> bool {
        self.taken_for_agent(who).is_some()
    }

    /// What shows that an agent runs this command, in words; `None` where a person does.
    pub(super) fn taken_for_agent(&self, who: &Who) -> Option<String> {
        let ancestors = process::ancestors(self.env.top);
        let inside = self.agent_above(&ancestors).map(|agent| match agent {
            (tool, _, Some(process)) => format!("this runs inside {tool}, the process {}", process.pid),
            (tool, _, None) => {
                let variables = variables_of(tool.as_str()).join(" or ");
                format!("this runs inside {tool}, as {variables} in the environment tells")
            }
        });
        let named = |id: &InstanceId| match (&self.acting_as, &self.env.instance) {
            (Some(_), _) => format!("you act as {id} by --as"),
            (None, Some(_)) => format!("AIO_INSTANCE says that you are {id}"),
            (None, None) => format!("the shell that this runs in is registered as {id}"),
        };
        inside.or_else(|| who.instance().filter(|_| !who.is_person()).map(named))
    }

    fn named(&self, named: &str, snapshot: &Snapshot<'_>) -> Result<InstanceId, Error> {
        let id: InstanceId = named.parse().map_err(|error: crate::base::id::InvalidName| {
            Error::usage(error.to_string(), "`git aio status` lists the instances; `git aio register` makes one")
        })?;
        match snapshot.instance(&id)? {
            Some(instance) if instance.clone != *self.clone_id()? => {
                return Err(Error::not_allowed(
                    format!("the instance {id} works in another clone"),
                    "register one of this clone with `git aio register <tool>`, or unset AIO_INSTANCE",
                ));
            }
            Some(_) => return Ok(id),
            None if self.seen(&id).is_some() => return Ok(id),
            None => {}
        }
        Err(Error::not_found(
            format!("no instance {} is registered here", text::one_line(named, 60)),
            "`git aio status` lists the instances; `git aio register` makes one",
        ))
    }

    /// The innermost agent CLI that this command runs inside: what it is, its session, its process.
    pub(super) fn agent_above<'a>(
        &self,
        ancestors: &'a [Ancestor],
    ) -> Option<(Tool, Option<String>, Option<&'a ProcessMark>)> {
        if let Some(AgentSession { tool, session }) = &self.caller {
            let process = ancestors.iter().find(|ancestor| ancestor.agent == Some(tool));
            return Some((tool.parse().ok()?, session.clone(), process.map(|process| &process.mark)));
        }
        let process = ancestors.iter().find(|ancestor| ancestor.agent.is_some());
        let trace = innermost(&self.env.sessions, ancestors);
        let tool = process.and_then(|process| process.agent).or(trace.map(|trace| trace.tool))?;
        Some((tool.parse().ok()?, trace.and_then(|trace| trace.session.clone()), process.map(|process| &process.mark)))
    }

    /// The session of the agent that this command runs inside, by which it is known again.
    pub(super) fn agent_session(&self) -> Option<String> {
        self.agent_above(&process::ancestors(self.env.top))?.1
    }

    fn person(&self) -> Option<String> {
        let email = self.repository.user().map_or_else(String::new, |(_, email)| email);
        Some(session_digest("person", &email))
    }

    /// Registers a new instance that is known again by `session` and by the process it belongs to.
    pub(super) fn register_as(
        &self,
        tool: Tool,
        session: Option<String>,
        task: Option<crate::model::instance::Doing>,
    ) -> Result<Instance, Error> {
        let now = self.now();
        let ancestors = process::ancestors(self.env.top);
        let parent = match self.env.instance.as_ref().and_then(|named| named.parse().ok()) {
            Some(parent) => Some(parent),
            None => self.worker_around().map_or_else(|| self.outer_instance(&ancestors), |worker| Ok(Some(worker)))?,
        };
        let registrant = process::registrant(&ancestors);
        let person = tool.is_person();
        let live = Live {
            process: registrant.filter(|_| !person).map(|process| process.mark.clone()),
            agent: !person && registrant.is_some_and(|process| process.agent.is_some()),
            session: session.or_else(|| person.then(|| self.person()).flatten()),
            registered: now,
            ended: None,
        };
        let instance = Instance {
            id: self.new_id(&tool, &live)?,
            clone: self.clone_id()?.clone(),
            project: self.project(),
            worktree: self.repository.worktree_name(),
            task,
            since: now,
            parent: parent.filter(|_| !person),
            tool,
        };
        let done = self.perform(Some(&instance.id), |_| Ok(Some(Action::Register(instance.clone()))));
        if done.is_err() && !self.may_be_registered(&instance.id) {
            let _ = self.live.remove(&instance.id);
        }
        done.map(|_| instance)
    }

    /// Whether an instance is on the register, or that can't be told.
    pub(super) fn may_be_registered(&self, id: &InstanceId) -> bool {
        match self.snapshot() {
            Ok(snapshot) => snapshot.instance(id).map_or(true, |found| found.is_some()),
            Err(error) => matches!(error, Error::Store(StoreError::Ref(_))),
        }
    }

    /// Draws an id that nobody in this clone has, and records who it is: an instance on the register that nobody is
    /// would block others, so the record comes first.
    pub(super) fn new_id(&self, tool: &Tool, live: &Live) -> Result<InstanceId, Error> {
        loop {
            let id = InstanceId::new(tool, live.registered.timestamp(), u16::from_be_bytes(self.random()));
            if self.live.create(&id, live, live.registered).map_err(Error::file("can't record the instance"))? {
                return Ok(id);
            }
        }
    }

    /// The instance around the agent we run in: the one that started it.
    fn outer_instance(&self, ancestors: &[Ancestor]) -> Result<Option<InstanceId>, Error> {
        let census = self.live.all().map_err(Error::file("can't read who is here"))?.instances;
        let outside = ancestors.iter().skip_while(|ancestor| ancestor.agent.is_none()).skip(1);
        Ok(registered(&census, outside))
    }

    /// Registers an instance again, under the same id, that had ended. Whether it is one that once was here.
    pub(super) fn revive(&self, id: &InstanceId) -> Result<bool, Error> {
        let Some(Seen { mut live, .. }) = self.seen(id) else { return Ok(false) };
        live.ended = None;
        let instance = Instance {
            id: id.clone(),
            tool: id.tool().parse().map_err(|error| Error::usage(format!("{error}"), "register anew"))?,
            clone: self.clone_id()?.clone(),
            project: self.project(),
            worktree: self.repository.worktree_name(),
            task: None,
            since: live.registered,
            parent: None,
        };
        self.live.write(id, &live, self.now()).map_err(Error::file("can't record the instance"))?;
        self.perform(Some(id), |_| Ok(Some(Action::Register(instance.clone()))))?;
        self.notice(Notice::Revived(id.clone()));
        Ok(true)
    }

    /// Every command is a sign of life. One that can't be recorded is no reason to fail.
    pub(super) fn heard_of(&self, id: &InstanceId) {
        let unknown = Live { process: None, agent: false, session: None, registered: self.now(), ended: None };
        let _ = match self.live.read(id) {
            Ok(Some(seen)) => match self.moved_on(id, &seen.live) {
                Some(live) => self.live.write(id, &live, self.now()),
                None => self.live.beat(id, self.now()),
            },
            Ok(None) => self.live.write(id, &unknown, self.now()),
            // Somebody else's, or a newer program's: not ours to write over.
            Err(_) => self.live.beat(id, self.now()),
        };
        self.tell_presence_soon();
    }

    /// What is known of an instance whose agent has ended and which is heard of all the same: the session was resumed
    /// in another process. Without one to be seen, silence will tell when it ends.
    fn moved_on(&self, id: &InstanceId, live: &Live) -> Option<Live> {
        let old = live.process.as_ref().filter(|_| live.agent)?;
        if process::aliveness(old) != Aliveness::Dead {
            return None;
        }
        let ancestors = process::ancestors(self.env.top);
        let agent = process::registrant(&ancestors).filter(|process| process.agent == Some(id.tool()));
        let process = agent.map(|agent| agent.mark.clone());
        Some(Live { agent: process.is_some(), process, ..live.clone() })
    }

    pub(super) fn tell_losses(&self, id: &InstanceId, snapshot: &Snapshot<'_>) {
        for ended in self.losses(Some(id), snapshot).unwrap_or_default() {
            self.notice(Notice::Lost(Box::new(ended)));
        }
    }

    /// What `id` lost and has not settled, in the order in which it was lost.
    pub(super) fn losses(&self, id: Option<&InstanceId>, snapshot: &Snapshot<'_>) -> Result<Vec<Ended>, Error> {
        let mut lost = id.map_or_else(|| Ok(Vec::new()), |id| snapshot.ended(id))?;
        lost.sort_by_cached_key(|ended| (ended.at, ended.claim.scope.target()));
        Ok(lost)
    }

    /// As [`losses`](Self::losses), for one who is about to say of something whether it was lost.
    ///
    /// # Errors
    /// When a record can't be read and is of something that this `concerns`, as far as can be told.
    pub(super) fn losses_of(
        &self,
        id: Option<&InstanceId>,
        snapshot: &Snapshot<'_>,
        concerns: impl Fn(&Scope) -> bool,
    ) -> Result<Vec<Ended>, Error> {
        let illegible = id.map_or_else(|| Ok(Vec::new()), |id| snapshot.losses(id).map(|(_, illegible)| illegible))?;
        match illegible.into_iter().find(|illegible| illegible.scope.as_ref().is_none_or(&concerns)) {
            Some(illegible) => Err(StoreError::from(illegible).into()),
            None => self.losses(id, snapshot),
        }
    }

    /// Whether the holder of claims may be passed over.
    pub(super) fn is_gone(&self, id: &InstanceId, snapshot: &Snapshot<'_>) -> Result<bool, Error> {
        Ok(match snapshot.instance(id)? {
            Some(instance) => self.presence(&instance) == Presence::Stale,
            // A claim whose holder is not on the register has nobody behind it.
            None => true,
        })
    }
}

/// The instance that registered last among those that `is_it` says yes to.
fn newest(census: &[(InstanceId, Seen)], is_it: impl Fn(&InstanceId, &Seen) -> bool) -> Option<InstanceId> {
    let found = census.iter().filter(|(id, seen)| is_it(id, seen));
    found.max_by_key(|(_, seen)| (seen.live.ended.is_none(), seen.live.registered)).map(|(id, _)| id.clone())
}

/// The instance tied to the innermost of `ancestors` that any is tied to. One that ended doesn't count: its shell is
/// free for the next.
fn registered<'a>(
    census: &[(InstanceId, Seen)],
    mut ancestors: impl Iterator<Item = &'a Ancestor>,
) -> Option<InstanceId> {
    ancestors.find_map(|ancestor| {
        let is_it = |seen: &Seen| seen.live.ended.is_none() && seen.live.process.as_ref() == Some(&ancestor.mark);
        // An agent tied to a process that is none is a worker, and the process drives it: what else that starts is not its.
        let is_tied = |seen: &Seen| is_it(seen) && (!seen.live.agent || ancestor.agent.is_some());
        // An agent whose process was not seen is tied to its shell, which stays that of who registered without a session.
        let by_hand = newest(census, |_, seen| is_tied(seen) && seen.live.session.is_none());
        by_hand.or_else(|| newest(census, |_, seen| is_tied(seen)))
    })
}
