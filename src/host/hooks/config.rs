//! Changes of the repository's settings, and how they are taken back.

use super::{ConfigChange, HookError, Plan, Site};
use crate::host::install::{
    InstallError, Node, Undone,
    manifest::{ConfigFile, ConfigRecord, Manifest, keep_bytes, kept_bytes},
    node::{digest, read_file},
};
use std::path::PathBuf;

/// Refuses where a setting is no longer as the plan saw it.
pub(super) fn check(site: &Site, changes: &[ConfigChange]) -> Result<(), HookError> {
    for change in changes {
        if site.git.config_local(&change.key)? != change.before {
            return Err(InstallError::Changed { what: format!("the setting {}", change.key) }.into());
        }
    }
    Ok(())
}

/// Keeps the whole file of settings before its first change, and as long as nobody else has written to it since.
pub(super) fn keep(manifest: &mut Manifest, site: &Site, plan: &Plan) -> Result<Option<String>, HookError> {
    if plan.config.is_empty() {
        return Ok(None);
    }
    let bytes = read_config(site)?;
    match manifest.config_file.take() {
        Some(kept) if kept.after == digest(&bytes) => Ok(Some(kept.backup)),
        None if manifest.config.is_empty() => Ok(keep_bytes(&site.place(), &bytes).map(Some)?),
        _ => Ok(None),
    }
}

/// Remembers the whole file as we left it, beside the one that was kept.
pub(super) fn seal(manifest: &mut Manifest, site: &Site, backup: String) -> Result<(), HookError> {
    let after = digest(&read_config(site)?);
    manifest.config_file = Some(ConfigFile { backup, after });
    Ok(())
}

fn read_config(site: &Site) -> Result<Vec<u8>, HookError> {
    let path = config_path(site);
    Ok(read_file(&path).map_err(InstallError::io(&path))?)
}

fn config_path(site: &Site) -> PathBuf {
    site.common_dir.join("config")
}

/// Writes one setting.
pub(super) fn set(site: &Site, change: &ConfigChange) -> Result<(), HookError> {
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

/// Takes our settings back.
pub(super) fn undo(site: &Site, manifest: &Manifest) -> Result<Vec<Undone>, HookError> {
    if let Some(kept) = &manifest.config_file
        && digest(&read_config(site)?) == kept.after
    {
        let path = config_path(site);
        let bytes = kept_bytes(&site.place(), &kept.backup)?;
        let restored = match Node::read(&path)? {
            Node::File { mode, .. } => Node::File { bytes, mode },
            // A link to a file elsewhere stays one: the key-wise way below writes through it, as git does.
            _ => return undo_keys(site, manifest),
        };
        restored.write(&path)?;
        return Ok(vec![Undone::ConfigRestored]);
    }
    undo_keys(site, manifest)
}

fn undo_keys(site: &Site, manifest: &Manifest) -> Result<Vec<Undone>, HookError> {
    let mut done = Vec::new();
    for record in &manifest.config {
        if undo_key(site, record)? {
            done.push(Undone::ConfigTakenOut(record.key.clone()));
        }
    }
    Ok(done)
}

/// Takes our values out, and puts those back that they replaced. Whether there were any.
fn undo_key(site: &Site, record: &ConfigRecord) -> Result<bool, HookError> {
    let now = site.git.config_local(&record.key)?;
    let ours = |value: &&String| record.after.contains(value) && !record.before.contains(value);
    if now.is_empty() && !record.before.is_empty() {
        // A change that was cut off had taken the user's values out and put nothing in.
        record.before.iter().try_for_each(|value| site.git.config_append(&record.key, value))?;
        return Ok(true);
    }
    if !now.iter().any(|value| ours(&value)) {
        return Ok(false);
    }
    for value in now.iter().filter(ours) {
        site.git.config_unset(&record.key, Some(value))?;
    }
    if now.iter().all(|value| ours(&value)) {
        record.before.iter().try_for_each(|value| site.git.config_append(&record.key, value))?;
    }
    Ok(true)
}
