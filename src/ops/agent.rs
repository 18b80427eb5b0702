//! What the hooks of an agent ask: may it edit this, who else is here, what has its command changed. And whom our server
//! works for, when an agent calls it.
//!
//! The fence at the edit judges by the same rule as the one at the commit. It stands where the repository has a store;
//! elsewhere the hooks have nothing to say.

mod automatic;
mod briefing;
mod command;
mod edit;
mod leave;
mod meant;
mod reach;

pub use crate::host::{
    agents::{Agent, Answer, BadPayload, Call, Moment, Unclear, Use},
    client::Client,
};
pub use briefing::Briefing;

use super::{Error, Session, Settings};
use crate::{
    host::{
        env::{AgentSession, Env},
        process,
    },
    store::{Location, Repository},
};
use reach::{folder_of, written_through};
use std::path::Path;

/// What there is where an agent works.
pub enum Found {
    /// A repository with a store.
    Store(Box<Session>),
    /// One whose store is gone: nothing of what is held is known any more.
    Gone,
    /// No repository, or one that nobody has made a store in.
    Nothing,
}

impl Session {
    /// The repository that the agent which makes this call works in, with the agent as the one who asks. If it is about to
    /// write into another that has a store, that one.
    ///
    /// # Errors
    /// When there is one that can't be opened.
    pub fn called_by(call: &Call, dir: &Path, acting_as: Option<String>) -> Result<Found, Error> {
        let dir = call.dir.as_deref().filter(|dir| dir.is_dir()).unwrap_or(dir);
        let caller = AgentSession { tool: call.agent.as_str(), session: call.session.clone() };
        let around = |dir: &Path| Self::with_store(&caller, dir, acting_as.clone());
        let edits = match &call.moment {
            Moment::Before(used) => used.edits.as_slice(),
            _ => &[],
        };
        let mut found = around(dir)?;
        for file in edits.iter().flat_map(|file| written_through(dir.join(file))) {
            if !matches!(found, Found::Nothing) {
                break;
            }
            found = folder_of(&file).map_or(Ok(Found::Nothing), around)?;
        }
        if let Found::Store(session) = &mut found {
            dir.clone_into(&mut session.dir);
            session.heed_instance(call.moment != Moment::SessionEnd)?;
        }
        Ok(found)
    }

    /// The repository around `dir`, with the `client` that calls our server as the one who asks.
    ///
    /// # Errors
    /// When there is none, or it can't be opened.
    pub fn called_through(client: &Client, dir: &Path, acting_as: Option<String>) -> Result<Self, Error> {
        let env = Env::read();
        let caller = client.caller(&env, &process::ancestors(env.top));
        let mut session = Self::of_agent(caller, dir, acting_as, Settings::read)?;
        session.heed_instance_of_server(client)?;
        if !client.tells_session() && session.is_over()? {
            session.caller = session.caller.map(|caller| AgentSession { session: None, ..caller });
        }
        Ok(session)
    }

    /// Whether the session of the caller has ended and its process goes on with another: a server lives as long as the
    /// process, and its environment tells of the session that there was when it was started.
    fn is_over(&self) -> Result<bool, Error> {
        let Some(AgentSession { tool, session: Some(session) }) = &self.caller else { return Ok(false) };
        let ancestors = process::ancestors(self.env.top);
        let Some(process) = ancestors.iter().find(|ancestor| ancestor.agent == Some(tool)) else { return Ok(false) };
        let census = self.live.all().map_err(Error::file("can't read who is here"))?.instances;
        let has_ended =
            census.iter().any(|(_, seen)| seen.live.ended.is_some() && seen.live.session.as_ref() == Some(session));
        let has_next = census.iter().any(|(_, seen)| {
            seen.live.ended.is_none() && seen.live.agent && seen.live.process.as_ref() == Some(&process.mark)
        });
        Ok(has_ended && has_next)
    }

    /// Takes the call as a sign of life, of an agent that is registered.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn hear(&self) -> Result<(), Error> {
        self.asking(&self.snapshot()?).map(|_| ())
    }

    /// The repository around `dir`, worked in by `caller`, whatever the environment says of either; without a `caller`, by
    /// whoever the environment says.
    fn of_agent(
        caller: Option<AgentSession>,
        dir: &Path,
        acting_as: Option<String>,
        read: impl FnOnce(&Repository) -> Result<Settings, Error>,
    ) -> Result<Self, Error> {
        let env = Env { git_dir: None, git_work_tree: None, git_index_file: None, git_common_dir: None, ..Env::read() };
        let mut session = Self::at(&Location::Around(dir.to_owned()), dir, env, acting_as, read)?;
        session.caller = caller;
        Ok(session)
    }
}
