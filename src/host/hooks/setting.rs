//! Settings that `init` makes besides the fences, recorded and taken back like those.

use super::{ConfigChange, HookError, Lock, Plan, Site, apply::apply};

/// A setting in the repository's own file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub key: String,
    /// Values that it is to have.
    pub values: Vec<String>,
    /// Whether it keeps those that it has besides.
    pub besides: bool,
}

/// What would have to change for the settings to be as wanted. It looks and changes nothing.
///
/// # Errors
/// When git fails.
pub fn plan_settings(site: &Site, wanted: &[Wanted]) -> Result<Plan, HookError> {
    let mut plan = Plan::default();
    for Wanted { key, values, besides } in wanted {
        let before = site.git.config_local(key)?;
        let kept = if *besides { before.as_slice() } else { &[] };
        let added = values.iter().filter(|value| !kept.contains(value));
        let after: Vec<String> = kept.iter().chain(added).cloned().collect();
        if before != after {
            plan.config.push(ConfigChange { key: key.clone(), before, after });
        }
    }
    Ok(plan)
}

/// Makes the settings as wanted, and tells what that took.
///
/// # Errors
/// When settings can't be read or written, or somebody else doesn't finish.
pub fn set(site: &Site, wanted: &[Wanted]) -> Result<Plan, HookError> {
    if wanted.is_empty() {
        return Ok(Plan::default());
    }
    let _lock = Lock::take(&site.place())?;
    let plan = plan_settings(site, wanted)?;
    if !plan.is_empty() {
        apply(site, &plan)?;
    }
    Ok(plan)
}
