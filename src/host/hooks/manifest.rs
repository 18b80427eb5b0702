//! The record of what `init` changed: `<git-common-dir>/aio/init.json`, with the bytes that were there before in
//! `<git-common-dir>/aio/backup/`.
//!
//! It is written before anything is changed, so that a crash in between can be undone. Paths inside the git directory
//! are kept relative to it, since a repository may move.

use super::{
    ConfigChange, HookError, Node, Site,
    node::{digest, read_file},
};
use crate::base::path;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const VERSION: u32 = 1;

/// What was changed, and what was there before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Manifest {
    v: u32,
    pub(super) files: Vec<FileRecord>,
    pub(super) config: Vec<ConfigRecord>,
    /// The whole file of settings, for as long as nobody else writes to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) config_file: Option<ConfigFile>,
    /// The folder whose hooks our dispatchers run.
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatches: Option<String>,
    /// Folders that were made, outermost first.
    #[serde(default)]
    pub(super) folders: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FileRecord {
    pub(super) path: String,
    pub(super) before: Before,
    /// The seal of what we left there.
    pub(super) after: String,
    /// Where the hook that was here is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) aside: Option<String>,
}

/// What there was, its bytes being in a backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Before {
    Absent,
    File { backup: String, mode: u32 },
    Link { target: String },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ConfigRecord {
    pub(super) key: String,
    pub(super) before: Vec<String>,
    pub(super) after: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ConfigFile {
    pub(super) backup: String,
    /// The digest of what we left there.
    pub(super) after: String,
}

impl Manifest {
    pub(super) fn new() -> Manifest {
        Manifest {
            v: VERSION,
            files: Vec::new(),
            config: Vec::new(),
            config_file: None,
            dispatches: None,
            folders: Vec::new(),
        }
    }

    /// The record, or `None` where there was no `init`.
    pub(super) fn read(site: &Site) -> Result<Option<Manifest>, HookError> {
        let path = Manifest::path(site);
        let Node::File { bytes, .. } = Node::read(&path)? else { return Ok(None) };
        let damaged = |reason: String| HookError::Manifest { path: path.clone(), reason };
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        match manifest.v {
            VERSION => Ok(Some(manifest)),
            other => Err(damaged(format!("version {other} is not known"))),
        }
    }

    pub(super) fn write(&self, site: &Site) -> Result<(), HookError> {
        let path = Manifest::path(site);
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| HookError::Manifest { path: path.clone(), reason: error.to_string() })?;
        bytes.push(b'\n');
        write_own(site, &path, bytes, 0o644)
    }

    pub(super) fn path(site: &Site) -> PathBuf {
        site.own_dir().join("init.json")
    }

    /// The record of the file at `path`.
    pub(super) fn file(&self, site: &Site, path: &Path) -> Option<&FileRecord> {
        let path = encode(site, path);
        self.files.iter().find(|record| record.path == path)
    }

    /// Adds a record, or puts it in the place of an older one of the same file.
    pub(super) fn set_file(&mut self, record: FileRecord) {
        match self.files.iter_mut().find(|old| old.path == record.path) {
            Some(old) => *old = record,
            None => self.files.push(record),
        }
    }

    /// Takes a change of the settings in. What was there before stays what it was, unless somebody else has changed it
    /// since.
    pub(super) fn set_config(&mut self, change: &ConfigChange) {
        let ConfigChange { key, before, after } = change.clone();
        match self.config.iter_mut().find(|old| old.key == key) {
            Some(old) if old.after == before => old.after = after,
            Some(old) => *old = ConfigRecord { key, before, after },
            None => self.config.push(ConfigRecord { key, before, after }),
        }
    }

    pub(super) fn dispatches(&self) -> Option<PathBuf> {
        self.dispatches.as_deref().map(decode_path)
    }

    pub(super) fn set_dispatches(&mut self, folder: &Path) {
        self.dispatches = Some(encode_path(folder));
    }
}

impl Before {
    /// Keeps what is in `node`, its bytes in a file named after them.
    pub(super) fn keep(site: &Site, node: &Node) -> Result<Before, HookError> {
        Ok(match node {
            Node::Absent => Before::Absent,
            Node::Link(target) => Before::Link { target: encode_path(target) },
            Node::File { bytes, mode } => Before::File { backup: keep_bytes(site, bytes)?, mode: *mode },
        })
    }

    /// What was kept.
    pub(super) fn restore(&self, site: &Site) -> Result<Node, HookError> {
        Ok(match self {
            Before::Absent => Node::Absent,
            Before::Link { target } => Node::Link(decode_path(target)),
            Before::File { backup, mode } => Node::File { bytes: kept_bytes(site, backup)?, mode: *mode },
        })
    }
}

/// Keeps bytes under their digest, which also tells later whether they are still the same.
pub(super) fn keep_bytes(site: &Site, bytes: &[u8]) -> Result<String, HookError> {
    let name = digest(bytes);
    write_own(site, &backup_dir(site).join(&name), bytes.to_owned(), 0o600)?;
    Ok(name)
}

/// Writes a file of ours, which in a shared repository has to serve the others too.
fn write_own(site: &Site, path: &Path, bytes: Vec<u8>, mode: u32) -> Result<(), HookError> {
    site.make_folder_of(path)?;
    Node::File { bytes, mode: site.sharing.of_file(mode) }.write(path)
}

/// The bytes kept under this name.
pub(super) fn kept_bytes(site: &Site, name: &str) -> Result<Vec<u8>, HookError> {
    let path = backup_dir(site).join(name);
    let bytes = read_file(&path).map_err(HookError::io(&path))?;
    if digest(&bytes) == name { Ok(bytes) } else { Err(HookError::Manifest { path, reason: "it was altered".into() }) }
}

pub(super) fn backup_dir(site: &Site) -> PathBuf {
    site.own_dir().join("backup")
}

/// A path as it stands in the record.
pub(super) fn encode(site: &Site, path: &Path) -> String {
    encode_path(path.strip_prefix(&site.common_dir).unwrap_or(path))
}

/// The path that stands so in the record.
pub(super) fn decode(site: &Site, text: &str) -> PathBuf {
    site.common_dir.join(decode_path(text))
}

fn encode_path(path: &Path) -> String {
    path::encode(path.as_os_str().as_encoded_bytes())
}

#[cfg(unix)]
fn decode_path(text: &str) -> PathBuf {
    PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(path::decode(text)))
}

#[cfg(not(unix))]
fn decode_path(text: &str) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(&path::decode(text)).into_owned())
}
