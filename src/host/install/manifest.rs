//! The record of what `init` changed: `init.json` in the folder of a [`Place`], with the bytes that were there before in
//! `backup/` beside it.
//!
//! It is written before anything is changed, so that a crash in between can be undone. Paths inside the git directory
//! and in the work tree around it are kept relative to it, since a repository may move. Those of other work trees are
//! absolute: one record serves them all.

use super::{
    ConfigChange, InstallError, Node, Part, Place,
    node::{digest, read_file},
};
use crate::base::path;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const VERSION: u32 = 1;

/// What was changed, and what was there before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::host) struct Manifest {
    v: u32,
    pub(in crate::host) files: Vec<FileRecord>,
    pub(in crate::host) config: Vec<ConfigRecord>,
    /// The whole file of settings, for as long as nobody else writes to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::host) config_file: Option<ConfigFile>,
    /// The folder whose hooks our dispatchers run.
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatches: Option<String>,
    /// Folders that were made, outermost first.
    #[serde(default)]
    pub(in crate::host) folders: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::host) struct FileRecord {
    pub(in crate::host) path: String,
    /// What of the file is ours.
    #[serde(default)]
    pub(in crate::host) part: Part,
    pub(in crate::host) before: Before,
    /// The seal of what we left there.
    pub(in crate::host) after: String,
    /// Where the hook that was here is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::host) aside: Option<String>,
}

/// What there was, its bytes being in a backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::host) enum Before {
    Absent,
    File { backup: String, mode: u32 },
    Link { target: String },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::host) struct ConfigRecord {
    pub(in crate::host) key: String,
    pub(in crate::host) before: Vec<String>,
    pub(in crate::host) after: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::host) struct ConfigFile {
    pub(in crate::host) backup: String,
    /// The digest of what we left there.
    pub(in crate::host) after: String,
}

impl Manifest {
    pub(in crate::host) fn new() -> Manifest {
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
    pub(in crate::host) fn read(place: &Place) -> Result<Option<Manifest>, InstallError> {
        let path = Manifest::path(place);
        let Node::File { bytes, .. } = Node::read(&path)? else { return Ok(None) };
        let damaged = |reason: String| InstallError::Record { path: path.clone(), reason };
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        match manifest.v {
            VERSION => Ok(Some(manifest)),
            other => Err(damaged(format!("version {other} is not known"))),
        }
    }

    pub(in crate::host) fn write(&self, place: &Place) -> Result<(), InstallError> {
        let path = Manifest::path(place);
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| InstallError::Record { path: path.clone(), reason: error.to_string() })?;
        bytes.push(b'\n');
        write_own(place, &path, bytes, 0o644)
    }

    pub(in crate::host) fn path(place: &Place) -> PathBuf {
        place.own.join("init.json")
    }

    /// The record of the file at `path`.
    pub(in crate::host) fn file(&self, place: &Place, path: &Path) -> Option<&FileRecord> {
        let path = encode(place, path);
        self.files.iter().find(|record| record.path == path)
    }

    /// Adds a record, or puts it in the place of an older one of the same file.
    pub(in crate::host) fn set_file(&mut self, record: FileRecord) {
        match self.files.iter_mut().find(|old| old.path == record.path) {
            Some(old) => *old = record,
            None => self.files.push(record),
        }
    }

    /// Takes a change of the settings in. What was there before stays what it was, unless somebody else has changed it
    /// since.
    pub(in crate::host) fn set_config(&mut self, change: &ConfigChange) {
        let ConfigChange { key, before, after } = change.clone();
        match self.config.iter_mut().find(|old| old.key == key) {
            Some(old) if old.after == before => old.after = after,
            Some(old) => *old = ConfigRecord { key, before, after },
            None => self.config.push(ConfigRecord { key, before, after }),
        }
    }

    pub(in crate::host) fn dispatches(&self) -> Option<PathBuf> {
        self.dispatches.as_deref().map(decode_path)
    }

    pub(in crate::host) fn set_dispatches(&mut self, folder: &Path) {
        self.dispatches = Some(encode_path(folder));
    }
}

impl Before {
    /// Keeps what is in `node`, its bytes in a file named after them.
    pub(in crate::host) fn keep(place: &Place, node: &Node) -> Result<Before, InstallError> {
        Ok(match node {
            Node::Absent => Before::Absent,
            Node::Link(target) => Before::Link { target: encode_path(target) },
            Node::File { bytes, mode } => Before::File { backup: keep_bytes(place, bytes)?, mode: *mode },
        })
    }

    /// What was kept.
    pub(in crate::host) fn restore(&self, place: &Place) -> Result<Node, InstallError> {
        Ok(match self {
            Before::Absent => Node::Absent,
            Before::Link { target } => Node::Link(decode_path(target)),
            Before::File { backup, mode } => Node::File { bytes: kept_bytes(place, backup)?, mode: *mode },
        })
    }
}

/// Keeps bytes under their digest, which also tells later whether they are still the same.
pub(in crate::host) fn keep_bytes(place: &Place, bytes: &[u8]) -> Result<String, InstallError> {
    let name = digest(bytes);
    write_own(place, &backup_dir(place).join(&name), bytes.to_owned(), 0o600)?;
    Ok(name)
}

/// Writes a file of ours, which in a shared repository has to serve the others too.
fn write_own(place: &Place, path: &Path, bytes: Vec<u8>, mode: u32) -> Result<(), InstallError> {
    place.make_folder_of(path)?;
    Node::File { bytes, mode: place.sharing.of_file(mode) }.write(path)
}

/// The bytes kept under this name.
pub(in crate::host) fn kept_bytes(place: &Place, name: &str) -> Result<Vec<u8>, InstallError> {
    let path = backup_dir(place).join(name);
    let bytes = read_file(&path).map_err(InstallError::io(&path))?;
    if digest(&bytes) == name { Ok(bytes) } else { Err(InstallError::Record { path, reason: "it was altered".into() }) }
}

pub(in crate::host) fn backup_dir(place: &Place) -> PathBuf {
    place.own.join("backup")
}

/// A path as it stands in the record.
pub(in crate::host) fn encode(place: &Place, path: &Path) -> String {
    if let Ok(inside) = path.strip_prefix(&place.base) {
        return encode_path(inside);
    }
    let beside = place.base.parent().and_then(|around| path.strip_prefix(around).ok());
    encode_path(&beside.map_or_else(|| path.to_owned(), |beside| Path::new("..").join(beside)))
}

/// The path that stands so in the record.
pub(in crate::host) fn decode(place: &Place, text: &str) -> PathBuf {
    let path = decode_path(text);
    match (path.strip_prefix(".."), place.base.parent()) {
        (Ok(beside), Some(around)) => around.join(beside),
        _ => place.base.join(path),
    }
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
