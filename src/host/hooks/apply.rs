//! Does what a plan says.

use super::{
    Act, ConfigChange, FileChange, HookError, Plan, Site,
    manifest::{Before, ConfigFile, FileRecord, Manifest, encode, keep_bytes},
    node::{Node, digest, read_file},
};
use std::path::Path;

/// Carries out `plan`, and records how to undo it.
///
/// It refuses where a file or setting is no longer as the plan saw it. The record is written first: after a crash an
/// undo restores everything, and another plan completes it. A plan that is empty leaves the record that `init` was here.
pub(super) fn apply(site: &Site, plan: &Plan) -> Result<(), HookError> {
    let recorded = Manifest::read(site)?;
    if plan.is_empty() && recorded.is_some() {
        return Ok(());
    }
    check(site, plan)?;
    let mut manifest = recorded.unwrap_or_else(Manifest::new);
    for change in &plan.files {
        record_folder(&mut manifest, site, &change.path);
        if change.act != Act::SetAside {
            let record = record(&manifest, site, change)?;
            manifest.set_file(record);
        }
    }
    if let Some(folder) = &plan.dispatches {
        manifest.set_dispatches(folder);
    }
    let keeps_config = keep_config(&mut manifest, site, plan)?;
    plan.config.iter().for_each(|change| manifest.set_config(change));
    manifest.write(site)?;

    for change in &plan.files {
        site.make_folder_of(&change.path)?;
        change.after.write(&change.path)?;
    }
    plan.config.iter().try_for_each(|change| set(site, change))?;
    if let Some(backup) = keeps_config {
        let after = digest(&read_config(site)?);
        manifest.config_file = Some(ConfigFile { backup, after });
        manifest.write(site)?;
    }
    Ok(())
}

fn check(site: &Site, plan: &Plan) -> Result<(), HookError> {
    for change in &plan.files {
        if Node::read(&change.path)? != change.before {
            return Err(HookError::Changed { what: change.path.display().to_string() });
        }
    }
    for change in &plan.config {
        if site.git.config_local(&change.key)? != change.before {
            return Err(HookError::Changed { what: format!("the setting {}", change.key) });
        }
    }
    Ok(())
}

/// What an undo brings back stays what it was at first, as long as the file is as we left it.
fn record(manifest: &Manifest, site: &Site, change: &FileChange) -> Result<FileRecord, HookError> {
    let known = manifest.file(site, &change.path).filter(|record| record.after == change.before.seal());
    let before = match known {
        Some(record) => record.before.clone(),
        None => Before::keep(site, change.restore.as_ref().unwrap_or(&change.before))?,
    };
    let aside = match &change.act {
        Act::Replace(aside) => Some(encode(site, aside)),
        _ => known.and_then(|record| record.aside.clone()),
    };
    Ok(FileRecord { path: encode(site, &change.path), before, after: change.after.seal(), aside })
}

/// Remembers the folder of `path` where it doesn't exist yet. Those under our own are no matter: they go as a whole.
fn record_folder(manifest: &mut Manifest, site: &Site, path: &Path) {
    let Some(folder) = path.parent().filter(|folder| !folder.exists() && !folder.starts_with(site.own_dir())) else {
        return;
    };
    let folder = encode(site, folder);
    if !manifest.folders.contains(&folder) {
        manifest.folders.push(folder);
    }
}

/// Keeps the whole file of settings before its first change, and as long as nobody else has written to it since.
fn keep_config(manifest: &mut Manifest, site: &Site, plan: &Plan) -> Result<Option<String>, HookError> {
    if plan.config.is_empty() {
        return Ok(None);
    }
    let bytes = read_config(site)?;
    match manifest.config_file.take() {
        Some(kept) if kept.after == digest(&bytes) => Ok(Some(kept.backup)),
        None if manifest.config.is_empty() => keep_bytes(site, &bytes).map(Some),
        _ => Ok(None),
    }
}

pub(super) fn read_config(site: &Site) -> Result<Vec<u8>, HookError> {
    let path = config_path(site);
    read_file(&path).map_err(HookError::io(&path))
}

pub(super) fn config_path(site: &Site) -> std::path::PathBuf {
    site.common_dir.join("config")
}

fn set(site: &Site, change: &ConfigChange) -> Result<(), HookError> {
    let added = match change.after.strip_prefix(change.before.as_slice()) {
        Some(added) => added,
        None => {
            // In one step: between taking out and putting in, git would run no hook at all, and after a failure there
            // would be nothing of the user's left.
            let [first, others @ ..] = change.after.as_slice() else {
                return Ok(site.git.config_unset(&change.key, None)?);
            };
            site.git.config_set(&change.key, first)?;
            others
        }
    };
    added.iter().try_for_each(|value| Ok(site.git.config_append(&change.key, value)?))
}
