//! Folders in the git directory that killed processes have left.

use super::{Finding, Seen, count, some};
use crate::{host::aside, ops::Session};

impl Session {
    /// They take up room, and nothing fails for them.
    pub(super) fn check_folders(&self) -> Finding<Seen> {
        let left = aside::left(self.repository.common_dir());
        if left.is_empty() {
            return Ok("none left behind".into());
        }
        let named = some(left.iter().map(|folder| folder.display().to_string()).collect());
        let told = format!("{} of killed processes: {named}", count(left.len(), "folder"));
        Ok(Seen::odd(format!("{told}; `git aio cleanup` removes them")))
    }
}
