//! Does what a plan says.

use super::{HookError, Plan, Site, config};
use crate::host::install::{apply as files, manifest::Manifest};

/// Carries out `plan`, and records how to undo it.
///
/// It refuses where a file or setting is no longer as the plan saw it. The record is written first: after a crash an
/// undo restores everything, and another plan completes it. A plan that is empty leaves the record that `init` was here.
pub(super) fn apply(site: &Site, plan: &Plan) -> Result<(), HookError> {
    let place = site.place();
    let recorded = Manifest::read(&place)?;
    if plan.is_empty() && recorded.is_some() {
        return Ok(());
    }
    files::check(&plan.files)?;
    config::check(site, &plan.config)?;
    let mut manifest = recorded.unwrap_or_else(Manifest::new);
    files::record(&mut manifest, &place, &plan.files)?;
    if let Some(folder) = &plan.dispatches {
        manifest.set_dispatches(folder);
    }
    let keeps_config = config::keep(&mut manifest, site, plan)?;
    plan.config.iter().for_each(|change| manifest.set_config(change));
    manifest.write(&place)?;

    files::write(&place, &plan.files)?;
    plan.config.iter().try_for_each(|change| config::set(site, change))?;
    if let Some(backup) = keeps_config {
        config::seal(&mut manifest, site, backup)?;
        manifest.write(&place)?;
    }
    Ok(())
}
