//! What of a repository's own configuration its user has approved: by content, in this clone, for this user.
//!
//! An approval is a file in `<git-common-dir>/aio/trusted`, named by the user and the digest of all that was approved; the
//! content itself is in it, to show later what has changed. Nothing in the work tree can make one, and what is approved
//! in one branch stays so when another is checked out. One that another user of a shared repository wrote counts for
//! nothing. It is no wall against programs that run as the same user: they could write the file, too.

use crate::{
    base::world::Time,
    disk::{self, Sharing},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write},
    path::{Path, PathBuf},
};

const VERSION: u32 = 1;

/// The largest approval that is read, in bytes.
const MAX_FILE: usize = 4 * 1024 * 1024;

/// How many approvals of a user are kept; the oldest go first.
const KEPT: usize = 20;

/// Files of a work tree by their paths from its root, with their text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content(BTreeMap<String, String>);

impl Content {
    /// Adds a file.
    pub(super) fn insert(&mut self, path: &str, text: String) {
        self.0.insert(path.to_owned(), text);
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The paths, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The text of a file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// A name for all of it. Lengths are part of it, so that no text can pass for the next path.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for part in self.0.iter().flat_map(|(path, text)| [path, text]) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().iter().fold(String::new(), |mut digest, byte| {
            let _ = write!(digest, "{byte:02x}");
            digest
        })
    }
}

/// What is in the file of an approval.
#[derive(Debug, Serialize, Deserialize)]
struct Approval {
    v: u32,
    at: Time,
    files: Content,
}

/// The approvals of this user in one clone.
#[derive(Debug)]
pub struct Approvals {
    folder: PathBuf,
}

impl Approvals {
    /// Those in the repository with this common directory.
    pub fn of(common_dir: &Path) -> Approvals {
        Approvals { folder: common_dir.join("aio").join("trusted") }
    }

    /// Whether exactly this was approved.
    pub fn has(&self, content: &Content) -> bool {
        let path = self.path(content);
        is_ours(&path) && read(&path).is_some_and(|approval| approval.files == *content)
    }

    /// What was approved last.
    pub fn last(&self) -> Option<Content> {
        let approvals = self.files().into_iter().filter_map(|path| read(&path));
        approvals.max_by_key(|approval| approval.at).map(|approval| approval.files)
    }

    /// Approves `content`.
    ///
    /// # Errors
    /// When that can't be written down.
    pub fn add(&self, content: &Content, sharing: Sharing, at: Time) -> io::Result<()> {
        sharing.make_folders(&self.folder)?;
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.folder)?;
        // The user's own word: nobody else may write it, however the repository is shared.
        file.write_all(&serde_json::to_vec(&Approval { v: VERSION, at, files: content.clone() })?)?;
        file.persist(self.path(content))?;
        self.forget_oldest();
        Ok(())
    }

    fn forget_oldest(&self) {
        let read = self.files().into_iter().map(|path| (read(&path).map(|approval| approval.at), path));
        let mut files: Vec<_> = read.collect();
        files.sort();
        for (_, path) in files.iter().take(files.len().saturating_sub(KEPT)) {
            let _ = std::fs::remove_file(path);
        }
    }

    /// The files of this user.
    fn files(&self) -> Vec<PathBuf> {
        let Ok(entries) = self.folder.read_dir() else { return Vec::new() };
        let ours = format!("{}-", user());
        let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&ours));
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| named(path) && is_ours(path)).collect()
    }

    fn path(&self, content: &Content) -> PathBuf {
        self.folder.join(format!("{}-{}", user(), content.digest()))
    }
}

fn read(path: &Path) -> Option<Approval> {
    let approval: Approval = serde_json::from_slice(&disk::read(path, MAX_FILE).ok()?).ok()?;
    (approval.v == VERSION).then_some(approval)
}

/// Who runs this, as the file system knows them.
#[cfg(unix)]
pub(super) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
pub(super) fn user() -> u32 {
    0
}

/// Whether it is a file of whoever runs this.
#[cfg(unix)]
pub(super) fn is_ours(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == user())
}

#[cfg(not(unix))]
pub(super) fn is_ours(path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(files: &[(&str, &str)]) -> Content {
        Content(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }

    #[test]
    fn what_is_approved_is_that_content_and_no_other() {
        let root = tempfile::tempdir().expect("a folder");
        let approvals = Approvals::of(root.path());
        let (first, second) = (content(&[("a", "1")]), content(&[("a", "1"), ("b", "2")]));
        assert!(!approvals.has(&first) && approvals.last().is_none());
        let at = |day: u32| format!("2026-11-{day:02}T00:00:00Z").parse().expect("a time");
        approvals.add(&second, Sharing::Umask, at(2)).expect("written");
        approvals.add(&first, Sharing::Umask, at(1)).expect("written");
        assert!(approvals.has(&first) && approvals.has(&second) && !approvals.has(&content(&[("a", "2")])));
        assert_eq!(approvals.last(), Some(second), "by when it was said");
        for day in 3..28 {
            approvals.add(&content(&[("a", &day.to_string())]), Sharing::Umask, at(day)).expect("written");
        }
        assert_eq!(approvals.files().len(), KEPT);
        assert!(!approvals.has(&first) && approvals.has(&content(&[("a", "27")])));
    }

    #[test]
    fn an_approval_that_was_tampered_with_is_none() {
        let root = tempfile::tempdir().expect("a folder");
        let approvals = Approvals::of(root.path());
        let (good, other) = (content(&[("a", "1")]), content(&[("a", "2")]));
        approvals.add(&good, Sharing::Umask, "2026-11-21T00:00:00Z".parse().expect("a time")).expect("written");
        std::fs::rename(approvals.path(&good), approvals.path(&other)).expect("renamed");
        assert!(!approvals.has(&good) && !approvals.has(&other));
    }

    #[test]
    fn no_text_passes_for_another_file() {
        assert_ne!(content(&[("a", "1b2")]).digest(), content(&[("a", "1"), ("b", "2")]).digest());
        assert_ne!(content(&[("ab", "")]).digest(), content(&[("a", "b")]).digest());
    }
}
