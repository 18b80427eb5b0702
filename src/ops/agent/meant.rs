//! Whom `AIO_INSTANCE` means where the hook of an agent finds it. Every program inherits it: that of the shell that an
//! agent was started in, and that of the agent that started it.

use crate::{
    base::id::InstanceId,
    host::{
        env::AgentSession,
        live::{Live, Seen},
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
}
