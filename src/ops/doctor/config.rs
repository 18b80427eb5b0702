//! Whether the repository's own configuration is valid, and whether it counts here.

use super::{Check, Seen, Session, check, say};
use crate::{host::config::PATH, ops::config::Configured};

impl Session {
    /// Nothing is said where a repository declares nothing.
    pub(super) fn check_config(&self) -> Option<Check> {
        let finding = match self.configured() {
            Ok(Configured::Nothing) => return None,
            Ok(Configured::Approved(_)) => Ok(Seen::from(format!("{PATH} is approved as it is"))),
            Ok(Configured::Waiting(_)) => Ok(Seen::odd(format!(
                "{PATH} or a brief beside it is not approved, so none of it counts; `git aio trust` shows and approves it"
            ))),
            Err(error) => Err(say(error)),
        };
        Some(check("configuration", finding))
    }
}
