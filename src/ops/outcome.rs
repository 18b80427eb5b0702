//! What becomes of a usable result: a file with it, or a commit.

use super::{
    Error, Session,
    config::Configured,
    verify::{Interrupts, Planned},
};
use crate::{
    base::{id::InstanceId, path::RepoPath},
    host::aside::{Aside, Use},
    model::verify::Outcome,
    store::Tracked,
};
use std::{
    collections::HashSet,
    ffi::OsString,
    io::Write as _,
    thread,
    time::{Duration, Instant},
};

/// How long a commit waits for the index, which somebody else's git has locked: its hooks may take as long.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether it is free.
pub(super) const ASK: Duration = Duration::from_millis(50);

/// The file with the message of a commit, while that is made.
pub(super) const MESSAGE: &str = "message";

impl Session {
    /// Writes a result to a file of the work tree, whole or not at all.
    ///
    /// # Errors
    /// When a folder on the way is none or is a link, or it can't be written.
    pub fn save(&self, path: &RepoPath, bytes: &[u8]) -> Result<(), Error> {
        let shown = crate::base::text::one_line(&path.to_string(), 200);
        let failed = |error| Error::file(format!("the result can't be saved to {shown}"))(error);
        let (Some(root), Some(below)) = (self.repository.work_tree(), path.to_os()) else {
            return Err(Error::usage(format!("{shown} can't be a file here"), "name another file"));
        };
        let target = root.join(below);
        let folder = target.parent().unwrap_or(&root).to_owned();
        std::fs::create_dir_all(&folder).map_err(failed)?;
        // Through a link the result would be written to wherever that leads.
        let real = folder.canonicalize().map_err(failed)?;
        if real != root.canonicalize().map_err(failed)?.join(below.parent().unwrap_or(below)) {
            return Err(Error::not_allowed(
                format!("a folder above {shown} is a link"),
                "name a file that is in this work tree",
            ));
        }
        let mut file = tempfile::Builder::new().prefix(".git-aio-").tempfile_in(&folder).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        if !bytes.ends_with(b"\n") && !bytes.is_empty() {
            file.write_all(b"\n").map_err(failed)?;
        }
        self.repository.sharing().share(file.as_file()).map_err(failed)?;
        file.persist(&target).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// What makes a new work tree ready to be worked in, where the repository says that.
    ///
    /// # Errors
    /// When the configuration is invalid.
    pub fn setup_of_work_trees(&self) -> Result<Option<String>, Error> {
        Ok(match self.configured()? {
            Configured::Approved(declared) => declared.config.setup,
            Configured::Waiting(_) | Configured::Nothing => None,
        })
    }

    /// Runs that in this work tree.
    ///
    /// # Errors
    /// When it fails.
    pub fn set_up(&self, line: &str, interrupts: &Interrupts) -> Result<(), Error> {
        let mark = u64::from_be_bytes(self.random()).to_string();
        let checked = self.make_check(&Planned::of_line("set up", line), &mark, interrupts, || {});
        if checked.outcome == Outcome::Passed {
            return Ok(());
        }
        let said = crate::base::text::tail(checked.output.trim(), 2000).to_owned();
        Err(Error::Usage {
            message: format!("the new work tree can't be set up by `{line}`: {said}"),
            hint: Some("see [worktree] setup in .aio/config.toml".into()),
        })
    }

    /// Has git ignore a file of ours in this clone, where it doesn't yet: the first folder of its path, in `info/exclude`.
    ///
    /// # Errors
    /// When that can't be written.
    pub fn exclude(&self, path: &RepoPath) -> Result<(), Error> {
        let is_ignored = self.repository.not_ignored(vec![path.clone()])?.is_empty();
        if is_ignored || self.repository.tracked(path)? == Tracked::Entry {
            return Ok(());
        }
        let top = path.components().next().unwrap_or_default();
        let is_folder = path.components().count() > 1;
        let line = format!("/{}{}", String::from_utf8_lossy(top), if is_folder { "/" } else { "" });
        let file = self.repository.common_dir().join("info").join("exclude");
        let failed = |error| Error::file(format!("can't write {}", file.display()))(error);
        let before = std::fs::read_to_string(&file).unwrap_or_default();
        if before.lines().any(|known| known == line) {
            return Ok(());
        }
        let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut open = std::fs::OpenOptions::new().create(true).append(true).open(&file).map_err(failed)?;
        open.write_all(format!("{gap}{line}\n").as_bytes()).map_err(failed)
    }

    /// Commits exactly `paths` as they are in the work tree, in the name of the instance that holds them: what else is
    /// staged stays staged, and the user's hooks run. What is committed already is not committed again.
    ///
    /// # Errors
    /// When git, or a hook of the user, refuses. Then the index is as it was.
    pub fn commit_only(&self, paths: &[RepoPath], message: &str, by: &InstanceId) -> Result<(), Error> {
        let began = Instant::now();
        loop {
            let committed = self.try_to_commit_only(paths, message, by);
            if committed.is_ok() || !self.is_index_locked() || began.elapsed() > PATIENCE {
                return committed;
            }
            self.wait_for_index(began);
        }
    }

    fn is_index_locked(&self) -> bool {
        self.repository.git_dir().join("index.lock").exists()
    }

    /// Waits as long as somebody's git is at work on the index, and no longer than is patient since it `began`. It may be at
    /// the very commit of a driver that was killed.
    pub(super) fn wait_for_index(&self, began: Instant) {
        while self.is_index_locked() && began.elapsed() <= PATIENCE {
            thread::sleep(ASK);
        }
    }

    fn try_to_commit_only(&self, paths: &[RepoPath], message: &str, by: &InstanceId) -> Result<(), Error> {
        let look = self.git().look()?;
        let differs = |path: &&RepoPath| look.sights.iter().any(|(sight, _)| sight == path.as_bytes());
        let mut paths: Vec<&RepoPath> = paths.iter().filter(differs).collect();
        if paths.is_empty() {
            return Ok(());
        }
        let replaced = self.entries_replaced_by(&paths)?;
        // A file that has become a folder goes with what is in that; git takes no name for it.
        let folders = folders_of(&paths);
        paths.retain(|path| !(folders.contains(path.as_bytes()) && self.is_folder(path)));
        let mut unknown: Vec<&RepoPath> = Vec::new();
        for path in &paths {
            if self.repository.tracked(path)? != Tracked::Entry {
                unknown.push(path);
            }
        }
        let aside = self.aside(Use::Commit)?;
        let text = aside.path().join(MESSAGE);
        let failed = |error| Error::file("can't write what is to be committed")(error);
        std::fs::write(&text, message).map_err(failed)?;
        let (all, new) = (listed(&aside, "paths", &paths)?, listed(&aside, "new", &unknown)?);
        let git = self.git().with("GIT_LITERAL_PATHSPECS", "1").with("AIO_INSTANCE", by.as_str());
        // git commits no file that it doesn't know; this makes them known and stages nothing of them.
        if !unknown.is_empty() {
            git.run(with(&["add", "--intent-to-add", "--pathspec-file-nul"], &[&new]))?;
        }
        let words = ["commit", "--quiet", "--only", "--pathspec-file-nul", "--file"];
        // It goes on when this process is killed, and its hooks may take long.
        let committed = git.run_reading(&aside, &with(&words, &[&text.into_os_string(), &all]));
        if committed.is_err() && !unknown.is_empty() {
            let forget = ["rm", "--quiet", "--cached", "--force", "--ignore-unmatch", "--pathspec-file-nul"];
            git.run(with(&forget, &[&new]))?;
            if !replaced.is_empty() {
                git.run(with(&["update-index", "--add"], &replaced.iter().collect::<Vec<_>>()))?;
            }
        }
        committed?;
        // The commit is made, whatever comes of this.
        let _ = self.settle_index(&paths);
        Ok(())
    }

    /// After a commit of `paths`: where a hook has changed what was committed, it has changed the index of that commit alone,
    /// and the user's would take it back. It gets what HEAD has there.
    ///
    /// # Errors
    /// When git refuses.
    pub(super) fn settle_index(&self, paths: &[&RepoPath]) -> Result<(), Error> {
        let git = self.git().with("GIT_LITERAL_PATHSPECS", "1");
        let staged = git.run(["diff-index", "--cached", "--name-only", "--no-renames", "-z", "HEAD"])?;
        let staged: HashSet<&[u8]> = staged.split(|byte| *byte == 0).collect();
        let behind: Vec<&RepoPath> = paths.iter().copied().filter(|path| staged.contains(path.as_bytes())).collect();
        if behind.is_empty() {
            return Ok(());
        }
        let aside = self.aside(Use::Commit)?;
        let behind = listed(&aside, "paths", &behind)?;
        git.run(with(&["reset", "--quiet", "--pathspec-file-nul"], &[&behind]))?;
        Ok(())
    }

    /// The entries of the index whose place others take, since a file has become a folder or a folder a file; as git takes
    /// them back.
    fn entries_replaced_by(&self, paths: &[&RepoPath]) -> Result<Vec<OsString>, Error> {
        let (folders, names): (_, HashSet<&[u8]>) =
            (folders_of(paths), paths.iter().map(|path| path.as_bytes()).collect());
        let is_replaced =
            |path: &[u8]| folders.contains(path) || folders_above(path).any(|folder| names.contains(folder));
        if !names.iter().any(|name| is_replaced(name)) {
            return Ok(Vec::new());
        }
        let listed = self.git().run(["ls-files", "--stage", "-z"])?;
        let entry = |line: &[u8]| -> Option<[OsString; 2]> {
            let (of, path) = line.split_at(line.iter().position(|byte| *byte == b'\t')?);
            let path = RepoPath::from_bytes(&path[1..]).ok().filter(|path| is_replaced(path.as_bytes()))?;
            let [mode, oid, _] = std::str::from_utf8(of).ok()?.split(' ').collect::<Vec<_>>()[..] else { return None };
            let mut entry = OsString::from(format!("{mode},{oid},"));
            entry.push(path.to_os()?);
            Some([OsString::from("--cacheinfo"), entry])
        };
        Ok(listed.split(|byte| *byte == 0).filter_map(entry).flatten().collect())
    }

    fn is_folder(&self, path: &RepoPath) -> bool {
        let there = self.repository.work_tree().zip(path.to_os()).map(|(root, path)| root.join(path));
        there.and_then(|there| there.symlink_metadata().ok()).is_some_and(|there| there.is_dir())
    }
}

/// Writes paths to a file of this name, by which git is told them.
fn listed(aside: &Aside, name: &str, paths: &[&RepoPath]) -> Result<OsString, Error> {
    let list = aside.path().join(name);
    let named: Vec<u8> = paths.iter().flat_map(|path| [path.as_bytes(), b"\0"].concat()).collect();
    std::fs::write(&list, named).map_err(Error::file("can't write what is to be committed"))?;
    let mut from = OsString::from("--pathspec-from-file=");
    from.push(&list);
    Ok(from)
}

fn with(words: &[&str], rest: &[&OsString]) -> Vec<OsString> {
    words.iter().map(OsString::from).chain(rest.iter().map(|word| (*word).clone())).collect()
}

/// All folders that something of `paths` is in.
fn folders_of<'p>(paths: &[&'p RepoPath]) -> HashSet<&'p [u8]> {
    paths.iter().flat_map(|path| folders_above(path.as_bytes())).collect()
}

fn folders_above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &path[..at])
}
