//! What the hooks of an agent ask: may it edit this, who else is here, what has its command changed.
//!
//! The fence at the edit judges by the same rule as the one at the commit. It stands where the repository has a store;
//! elsewhere the hooks have nothing to say.

mod automatic;
mod briefing;
mod command;
mod edit;
mod leave;

pub use crate::host::agents::{Agent, Answer, BadPayload, Call, Moment, Use};
pub use briefing::Briefing;

use super::{Error, OpenError, Session, Settings};
use crate::{
    host::env::{AgentSession, Env},
    store::Location,
};
use std::path::Path;

impl Session {
    /// The repository that the agent which makes this call works in, with the agent as the one who asks; `None` where it
    /// works in none, or in one that nobody has made a store in.
    ///
    /// # Errors
    /// When there is one that can't be opened.
    pub fn called_by(call: &Call, dir: &Path, acting_as: Option<String>) -> Result<Option<Self>, Error> {
        let dir = call.dir.as_deref().filter(|dir| dir.is_dir()).unwrap_or(dir);
        let caller = AgentSession { tool: call.agent.as_str(), session: call.session.clone() };
        match Self::of_agent(caller, dir, acting_as) {
            Ok(session) => Ok(if session.snapshot()?.exists() { Some(session) } else { None }),
            Err(Error::Open(OpenError::NotFound(_))) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes the call as a sign of life, of an agent that is registered.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn hear(&self) -> Result<(), Error> {
        self.asking(&self.snapshot()?).map(|_| ())
    }

    /// The repository around `dir`, worked in by `caller`, whatever the environment says of either.
    fn of_agent(caller: AgentSession, dir: &Path, acting_as: Option<String>) -> Result<Self, Error> {
        let env = Env { git_dir: None, git_work_tree: None, git_index_file: None, git_common_dir: None, ..Env::read() };
        let mut session = Self::at(&Location::Around(dir.to_owned()), dir, env, acting_as, Settings::read)?;
        session.caller = Some(caller);
        Ok(session)
    }
}
