//! The workflows of a repository, and what they include: all texts below `.aio/workflows`. They are to be approved with the
//! rest of what it declares, since a workflow runs commands.

use super::{ConfigError, MAX_WORKFLOW, WORKFLOWS, read_text};
use crate::host::trust::Content;
use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    path::Path,
};

/// Most files, most bytes in all, and the most folders inside of each other.
const MAX_FILES: usize = 200;
const MAX_BYTES: usize = 2 * 1024 * 1024;
const MAX_DEPTH: usize = 4;

/// Texts by their paths below a folder, and why others there can't be read.
pub(super) type Texts = (BTreeMap<String, String>, BTreeMap<String, String>);

/// The texts, by their paths below the folder. `content` gets them as well. One that can't be read keeps none of the others
/// from being used.
pub(super) fn read(root: &Path, content: &mut Content) -> Result<Texts, ConfigError> {
    let mut paths = Vec::new();
    find(&root.join(WORKFLOWS), "", 0, &mut paths).map_err(super::unreadable(WORKFLOWS))?;
    paths.sort();
    let (mut texts, mut unreadable, mut bytes) = (BTreeMap::new(), BTreeMap::new(), 0);
    for path in paths {
        let whole = format!("{WORKFLOWS}/{path}");
        let text = match read_text(root, &whole, MAX_WORKFLOW) {
            Ok(text) => text,
            Err(error) => {
                unreadable.insert(path, error.to_string());
                continue;
            }
        };
        bytes += text.len();
        if bytes > MAX_BYTES {
            let source = io::Error::other(format!("its files have more than {MAX_BYTES} bytes"));
            return Err(super::unreadable(WORKFLOWS)(source));
        }
        content.insert(&whole, text.clone());
        texts.insert(path, text);
    }
    Ok((texts, unreadable))
}

/// The texts of a folder that is the user's own, of which nothing has to be approved.
///
/// # Errors
/// When it can't be told which there are.
pub fn read_own(folder: &Path) -> io::Result<Texts> {
    let mut paths = Vec::new();
    find(folder, "", 0, &mut paths)?;
    let text = |path: &str| -> io::Result<String> {
        let bytes = crate::disk::read(&folder.join(path), MAX_WORKFLOW)?;
        String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is no text in UTF-8"))
    };
    let (mut texts, mut unreadable) = Texts::default();
    for path in paths {
        match text(&path) {
            Ok(text) => drop(texts.insert(path, text)),
            Err(error) => drop(unreadable.insert(path, error.to_string())),
        }
    }
    Ok((texts, unreadable))
}

/// What is in a file of at most `limit` bytes.
///
/// # Errors
/// When it can't be read, or has more.
pub fn read_bytes(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    crate::disk::read(path, limit)
}

fn find(folder: &Path, below: &str, depth: usize, paths: &mut Vec<String>) -> io::Result<()> {
    let entries = match folder.read_dir() {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries.filter_map(Result::ok) {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        // A link to a folder is not followed: it might lead round in a circle.
        if entry.file_type()?.is_dir() {
            if depth < MAX_DEPTH {
                find(&entry.path(), &path, depth + 1, paths)?;
            }
        } else if [".toml", ".md", ".txt", ".json"].iter().any(|end| name.ends_with(end)) {
            paths.push(path);
        }
        if paths.len() > MAX_FILES {
            return Err(io::Error::other(format!("there are more than {MAX_FILES} files")));
        }
    }
    Ok(())
}
