//! Keeps our refs out of the names that `git log` puts beside commits.
//!
//! Since 2.39 git shows only branches, tags and the like there, unless told otherwise; and any value of
//! `log.excludeDecoration` counts as telling it otherwise: it would bring out refs that were hidden. So the setting is
//! made only where ours would be seen.

use super::ConfigChange;
use crate::host::git::{Git, GitError};

const EXCLUDE: &str = "log.excludeDecoration";

/// All of our refs, shared and local.
const OURS: &str = "refs/aio*";

/// The change of the settings that hides our refs, if they aren't hidden.
pub(super) fn change(git: &Git) -> Result<Option<ConfigChange>, GitError> {
    let excluded = git.config_get_all(EXCLUDE)?;
    if excluded.iter().any(|pattern| pattern == OURS) || !shows_all(git, &excluded)? {
        return Ok(None);
    }
    let before = git.config_local(EXCLUDE)?;
    let after = before.iter().cloned().chain([OURS.to_owned()]).collect();
    Ok(Some(ConfigChange { key: EXCLUDE.into(), before, after }))
}

fn shows_all(git: &Git, excluded: &[String]) -> Result<bool, GitError> {
    let told = !excluded.is_empty() || git.config_get("log.initialDecorationSet")?.as_deref() == Some("all");
    Ok(told || git.version()? < (2, 39))
}
