//! Whether the repository's own configuration is valid, and whether it counts here.

use super::{Check, Seen, Session, check, say};
use crate::{
    base::text,
    host::config::{PATH, WORKFLOWS},
    ops::config::{Configured, declared_or_unreadable},
};

impl Session {
    /// Nothing is said where a repository declares nothing.
    pub(super) fn check_config(&self) -> Option<Check> {
        if let Some((path, why)) = self.first_unreadable() {
            let told = text::one_line(&format!("{WORKFLOWS}/{path} can't be read: {why}"), 400);
            return Some(check("configuration", Ok(Seen::odd(told))));
        }
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

    /// The first workflow that can't be read, and why.
    fn first_unreadable(&self) -> Option<(String, String)> {
        declared_or_unreadable(&self.repository).ok()??.unreadable.into_iter().next()
    }
}
