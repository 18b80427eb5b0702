//! Whom `AIO_INSTANCE` means where an agent's hooks and commands find it. Every program inherits it: that of the shell that an
//! agent was started in, and that of the agent that started it.

use crate::{
    base::id::InstanceId,
    host::{
        client::Client,
        env::AgentSession,
        live::{Live, Seen},
        process::{self, Ancestor},
    },
    model::view::View as _,
    ops::{Error, Session},
};

impl Session {
    /// Forgets `AIO_INSTANCE` where it doesn't mean the session of the caller. One that `binds` makes an instance its own
    /// that is no other session's.
    pub(super) fn heed_instance(&mut self, binds: bool) -> Result<(), Error> {
        let is_meant = match &self.env.instance {
            Some(named) => self.is_meant(named, binds)?,
            None => true,
        };
        if !is_meant {
            self.env.instance = None;
        }
        Ok(())
    }

    fn is_meant(&self, named: &str, binds: bool) -> Result<bool, Error> {
        let (Some(AgentSession { tool, session }), Ok(id)) = (&self.caller, named.parse::<InstanceId>()) else {
            return Ok(false);
        };
        if id.tool() != *tool {
            return Ok(false);
        }
        if self.seen(&id).is_none() {
            match self.snapshot()?.instance(&id)? {
                Some(instance) if instance.clone == *self.clone_id()? => self.heard_of(&id),
                _ => return Ok(false),
            }
        }
        let Some(Seen { live, .. }) = self.seen(&id) else { return Ok(false) };
        if session.is_some() && live.session == *session {
            return Ok(true);
        }
        if self.own_of(tool, session.as_ref())?.is_some() {
            return Ok(false);
        }
        // Where an agent has registered one of another kind, to start it, the session is its own and not that one's.
        let is_anothers = live.session.as_ref().is_some_and(|bound| bound.split(':').next() == Some(tool));
        if !binds || (is_anothers && live.ended.is_none()) {
            return Ok(false);
        }
        if session.is_some() {
            let bound = Live { session: session.clone(), ..live };
            self.live.write(&id, &bound, self.now()).map_err(Error::file("can't record the instance"))?;
        }
        Ok(true)
    }

    /// Forgets `AIO_INSTANCE` where it was not meant for the agent that calls our server. A server is handed on the whole
    /// environment of its client, and that of whoever started the client. For a client that is not known it is all that
    /// tells who it is.
    pub(super) fn heed_instance_of_server(&mut self, client: &Client) -> Result<(), Error> {
        let (Some(named), Some(tool)) = (&self.env.instance, client.tool()) else { return Ok(()) };
        if !self.is_meant_for(named, tool, client.told_session(&self.env).as_ref())? {
            self.env.instance = None;
        }
        Ok(())
    }

    /// Whether `named` is an instance of `tool` that no other session than this has, as far as that can be told.
    fn is_meant_for(&self, named: &str, tool: &str, session: Option<&String>) -> Result<bool, Error> {
        let Ok(id) = named.parse::<InstanceId>() else { return Ok(false) };
        if id.tool() != tool {
            return Ok(false);
        }
        let Some(Seen { live, .. }) = self.seen(&id) else {
            let known = self.snapshot()?.instance(&id)?;
            return Ok(known.is_some_and(|known| !self.is_elsewhere(&known)));
        };
        let bound = live.session.as_ref().filter(|bound| bound.split(':').next() == Some(tool) && live.ended.is_none());
        match (session, bound) {
            (Some(session), Some(bound)) if session == bound => Ok(true),
            (Some(_), Some(_)) => Ok(false),
            (session, None) => Ok(self.own_of(tool, session)?.is_none()),
            // Its hooks may have made it its own. Then it lives in the agent that calls, or around that.
            (None, Some(_)) => {
                let ancestors = process::ancestors(self.env.top);
                Ok(near(&ancestors).any(|ancestor| Some(&ancestor.mark) == live.process.as_ref()))
            }
        }
    }

    /// The instance of the agent's session that this command runs inside, where it has one of its own and what
    /// `AIO_INSTANCE` names was registered neither for that session nor in it. What its hooks have claimed for it would be
    /// another's to its commits otherwise. Who calls says who it is, and what it was told stays as it is.
    pub(in crate::ops) fn own_rather_than(&self, named: &str) -> Result<Option<InstanceId>, Error> {
        if self.caller.is_some() || self.env.sessions.is_empty() {
            return Ok(None);
        }
        let ancestors = process::ancestors(self.env.top);
        let Some((tool, session @ Some(_), _)) = self.agent_above(&ancestors) else { return Ok(None) };
        let named = named.parse().ok().and_then(|id| self.seen(&id));
        if named.is_some_and(|seen| seen.live.session == session) {
            return Ok(None);
        }
        self.own_of(tool.as_str(), session.as_ref())
    }

    /// The instance of a session that goes on.
    fn own_of(&self, tool: &str, session: Option<&String>) -> Result<Option<InstanceId>, Error> {
        let census = self.live.all().map_err(Error::file("can't read who is here"))?.instances;
        let own = census.into_iter().find(|(id, seen)| {
            id.tool() == tool && seen.live.ended.is_none() && session.is_some() && seen.live.session.as_ref() == session
        });
        Ok(own.map(|(id, _)| id))
    }
}

/// The agent among `ancestors` and what is around it, up to the next agent. Gemini starts itself once more, so that two of
/// the same right above each other are one.
fn near(ancestors: &[Ancestor]) -> impl Iterator<Item = &Ancestor> {
    let inside = ancestors.iter().take_while(|ancestor| ancestor.agent.is_none()).count();
    let agent = ancestors.get(inside).and_then(|ancestor| ancestor.agent);
    let own = ancestors[inside..].iter().take_while(|ancestor| ancestor.agent == agent).count();
    let outer = ancestors[inside + own..].iter().take_while(|ancestor| ancestor.agent.is_none());
    ancestors[..inside + own].iter().chain(outer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::process::ProcessMark;

    #[test]
    fn an_agent_that_has_started_itself_once_more_is_one() {
        let near_pids = |agents: &[Option<&'static str>]| {
            let mark = |pid| ProcessMark { pid, start: String::new(), boot: String::new(), namespace: String::new() };
            let ancestors: Vec<Ancestor> = (1..)
                .zip(agents)
                .map(|(pid, agent)| Ancestor { mark: mark(pid), agent: *agent, name: String::new(), transient: false })
                .collect();
            near(&ancestors).map(|ancestor| ancestor.mark.pid).collect::<Vec<_>>()
        };
        let (gemini, claude) = (Some("gemini"), Some("claude"));
        assert_eq!(near_pids(&[None, gemini, gemini, None, claude, None]), [1, 2, 3, 4]);
        assert_eq!(near_pids(&[gemini, None, gemini]), [1, 2], "the outer one is another");
        assert_eq!(near_pids(&[claude, gemini]), [1]);
        assert_eq!(near_pids(&[None, None]), [1, 2]);
    }
}
