//! Folders in the git directory for what is needed only while something is done.
//!
//! Who is done removes its own. Who is killed leaves it, and nobody else looks into it any more. So that such a one is known
//! for certain, each has a file that names the process that made it, which keeps that file locked. A process that goes on
//! when its maker is killed, and still reads there, is handed the lock and keeps it.

use super::{
    git::{Git, GitError, failure},
    process,
};
use crate::{
    base::process::{Aliveness, ProcessMark},
    disk,
};
use std::{
    ffi::OsString,
    fs::{self, File, Metadata, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

/// The file that tells whose a folder is.
const OWNER: &str = "owner";

/// Most bytes of it.
const MAX_OWNER: usize = 1024;

/// Most bytes of another file of ours there.
const MAX_READ: usize = 1024 * 1024;

/// How old a folder is before it is nobody's, where it can't be told whether its maker runs: it was another start of the
/// machine, or another machine. Nothing that we do takes as long.
const LONG_OVER: Duration = Duration::from_secs(24 * 60 * 60);

/// What a folder is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// What is to be committed.
    Commit,
    /// An index that takes the place of the user's.
    Index,
    /// What is to be written to the work tree.
    PutBack,
}

impl Use {
    const ALL: [Use; 3] = [Use::Commit, Use::Index, Use::PutBack];

    /// What the names of such folders begin with.
    fn prefix(self) -> &'static str {
        match self {
            Use::Commit => "aio-commit-",
            Use::Index => "aio-index-",
            Use::PutBack => "aio-put-back-",
        }
    }
}

/// A folder in the git directory. It is gone with the value.
#[derive(Debug)]
pub struct Aside {
    folder: tempfile::TempDir,
    owner: File,
}

impl Aside {
    /// Makes one in `git_dir`. Those that others have left there are removed first.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn make(git_dir: &Path, for_what: Use) -> io::Result<Aside> {
        left_in(git_dir).iter().for_each(|folder| drop(remove(folder)));
        let folder = tempfile::Builder::new().prefix(for_what.prefix()).tempdir_in(git_dir)?;
        // To be read, too, by whoever is handed it for its standard input: it stands at its end.
        let mut owner = OpenOptions::new().read(true).write(true).create_new(true).open(folder.path().join(OWNER))?;
        hold(&owner);
        // Only now: what says nothing is left alone.
        owner.write_all(&told(process::own_mark().as_ref()))?;
        Ok(Aside { folder, owner })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Git {
    /// As [`run`](Self::run), for a command that reads what is in `aside`: that stays there till the command has ended,
    /// also when this process is killed.
    ///
    /// # Errors
    /// As for `run`.
    pub fn run_reading(&self, aside: &Aside, args: &[OsString]) -> Result<(), GitError> {
        let failed = |source: io::Error| GitError::NotStarted { dir: self.dir().to_owned(), source };
        // It finds nothing to read there, but it has it open, and with it the lock.
        let held = aside.owner.try_clone().map_err(failed)?;
        let output = self.command(args).stdin(Stdio::from(held)).output().map_err(failed)?;
        if output.status.success() { Ok(()) } else { Err(failure(args, &output)) }
    }
}

/// The folders whose makers were killed, in all git directories of the clone with this common one.
pub fn left(common_dir: &Path) -> Vec<PathBuf> {
    let mut left: Vec<PathBuf> = git_dirs(common_dir).iter().flat_map(|dir| left_in(dir)).collect();
    left.sort();
    left
}

/// Removes them, and tells how many are gone.
pub fn clear(common_dir: &Path) -> usize {
    left(common_dir).iter().filter(|folder| remove(folder).is_ok()).count()
}

/// Whether a process goes on that reads in a folder of this use, whose maker was killed, and which has a `file` with this line. A
/// folder whose maker may live still counts as well, where it can't be told. Where nothing can be locked there is none.
pub fn is_read_still(common_dir: &Path, for_what: Use, file: &str, line: &str) -> bool {
    let has_line = |folder: &Path| {
        let told = disk::open_to_read(&folder.join(file)).and_then(|file| disk::read_from(&file, MAX_READ));
        told.is_ok_and(|told| told.split(|byte| *byte == b'\n').any(|one| one == line.as_bytes()))
    };
    let is_read = |folder: &PathBuf| has_line(folder) && is_held_by_others(folder).unwrap_or_default();
    git_dirs(common_dir).iter().flat_map(|dir| named_in(dir, &[for_what])).any(|folder| is_read(&folder))
}

fn is_held_by_others(folder: &Path) -> io::Result<bool> {
    let owner = disk::open_to_read(&folder.join(OWNER))?;
    if !matches!(owner.try_lock(), Err(TryLockError::WouldBlock)) {
        return Ok(false);
    }
    let Some(maker) = maker(&disk::read_from(&owner, MAX_OWNER)?) else { return Ok(false) };
    Ok(maker.as_ref().map_or(Aliveness::Unknown, process::aliveness) != Aliveness::Alive)
}

fn left_in(git_dir: &Path) -> Vec<PathBuf> {
    named_in(git_dir, &Use::ALL).into_iter().filter(|folder| is_left(folder).unwrap_or_default()).collect()
}

fn named_in(git_dir: &Path, uses: &[Use]) -> Vec<PathBuf> {
    let entries = fs::read_dir(git_dir).into_iter().flatten().flatten();
    let is_named = |name: &str| uses.iter().any(|use_| name.starts_with(use_.prefix()));
    let named = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_named));
    // A link leads to what is somebody else's.
    named.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

/// The git directories of the clone with this common one.
fn git_dirs(common_dir: &Path) -> Vec<PathBuf> {
    let linked = fs::read_dir(common_dir.join("worktrees")).into_iter().flatten().flatten().map(|entry| entry.path());
    linked.chain([common_dir.to_owned()]).collect()
}

/// Keeps the file locked, as soon as those let go of it who look for a moment whether it is locked.
fn hold(owner: &File) {
    // Where nothing can be locked it is the process alone that counts.
    while owner.lock().is_err_and(|error| error.kind() == ErrorKind::Interrupted) {}
}

/// Whether a folder is one of ours, and surely nobody's any more.
fn is_left(folder: &Path) -> io::Result<bool> {
    let owner = match disk::open_to_read(&folder.join(OWNER)) {
        // Its maker was killed before it had one, or who removed the folder after that.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(fs::read_dir(folder)?.next().is_none() && age(&fs::metadata(folder)?)? > LONG_OVER);
        }
        opened => opened?,
    };
    if matches!(owner.try_lock(), Err(TryLockError::WouldBlock)) {
        return Ok(false);
    }
    let age = age(&owner.metadata()?)?;
    let Some(maker) = maker(&disk::read_from(&owner, MAX_OWNER)?) else { return Ok(false) };
    Ok(match maker.as_ref().map_or(Aliveness::Unknown, process::aliveness) {
        Aliveness::Alive => false,
        Aliveness::Dead => true,
        Aliveness::Unknown => age > LONG_OVER,
    })
}

fn age(meta: &Metadata) -> io::Result<Duration> {
    Ok(meta.modified()?.elapsed().unwrap_or_default())
}

fn remove(folder: &Path) -> io::Result<()> {
    // Last what tells whose it is, so that the rest is known for ours till it is gone.
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false if entry.file_name() != OWNER => fs::remove_file(entry.path())?,
            false => {}
        }
    }
    match fs::remove_file(folder.join(OWNER)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => fs::remove_dir(folder),
    }
}

/// What the first line of the file is.
const TITLE: &str = "made by git-aio";

fn told(maker: Option<&ProcessMark>) -> Vec<u8> {
    let lines = maker.map(|mark| format!("{}\n{}\n{}\n{}\n", mark.pid, mark.start, mark.boot, mark.namespace));
    format!("{TITLE}\n{}", lines.unwrap_or_default()).into_bytes()
}

/// Who is told to be the maker: `None` where something is told that is none of ours, and `Some(None)` where the system knew of
/// no process, or the maker was killed before it could tell.
#[expect(clippy::option_option, reason = "two kinds of not knowing, of which one is none of ours")]
fn maker(told: &[u8]) -> Option<Option<ProcessMark>> {
    let lines: Vec<&str> = std::str::from_utf8(told).ok()?.lines().collect();
    match lines.as_slice() {
        [] | [TITLE] => Some(None),
        [TITLE, pid, start, boot, namespace] => {
            let [start, boot, namespace] = [start, boot, namespace].map(|part| (*part).to_owned());
            Some(Some(ProcessMark { pid: pid.parse().ok()?, start, boot, namespace }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{thread, time::SystemTime};

    /// A folder as one who was killed leaves it.
    fn left_by(git_dir: &Path, name: &str, maker: Option<&ProcessMark>) -> PathBuf {
        let folder = git_dir.join(name);
        fs::create_dir_all(folder.join("tree/src")).expect("a folder");
        fs::write(folder.join("tree/src/a"), "a").expect("written");
        fs::write(folder.join(OWNER), told(maker)).expect("written");
        folder
    }

    fn dead() -> ProcessMark {
        ProcessMark { start: "1".into(), ..process::own_mark().expect("we run") }
    }

    #[test]
    fn one_is_there_as_long_as_it_is_needed() {
        let git_dir = tempfile::tempdir().expect("a folder");
        for for_what in Use::ALL {
            let aside = Aside::make(git_dir.path(), for_what).expect("made");
            fs::write(aside.path().join("file"), "a").expect("written");
            let other = Aside::make(git_dir.path(), for_what).expect("made");
            assert_eq!(clear(git_dir.path()), 0);
            assert!(aside.path().join("file").exists() && other.path().exists());
        }
        assert_eq!(fs::read_dir(git_dir.path()).expect("read").count(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_one_who_was_killed_has_left_goes_with_the_next_and_when_it_is_asked_for() {
        let git_dir = tempfile::tempdir().expect("a folder");
        let linked = git_dir.path().join("worktrees/other");
        let here = left_by(git_dir.path(), "aio-put-back-abcdef", Some(&dead()));
        let there = left_by(&linked, "aio-index-abcdef", Some(&dead()));
        assert_eq!(left(git_dir.path()), [here.clone(), there.clone()]);
        drop(Aside::make(git_dir.path(), Use::Commit).expect("made"));
        assert!(!here.exists() && there.exists());
        assert_eq!((clear(git_dir.path()), there.exists(), linked.exists()), (1, false, true));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_may_be_at_work_or_is_none_of_ours_stays() {
        let git_dir = tempfile::tempdir().expect("a folder");
        let alive = process::own_mark().expect("we run");
        let other = ProcessMark { boot: "other".into(), ..alive.clone() };
        left_by(git_dir.path(), "aio-commit-alive", Some(&alive));
        let unknown = left_by(git_dir.path(), "aio-commit-unknown", Some(&other));
        let unnamed = left_by(git_dir.path(), "aio-commit-unnamed", None);
        left_by(git_dir.path(), "of-the-user", Some(&dead()));
        fs::write(left_by(git_dir.path(), "aio-commit-backup", None).join(OWNER), "me\n").expect("written");
        fs::write(left_by(git_dir.path(), "aio-commit-mark", None).join(OWNER), "made by git-aio\n1\n")
            .expect("written");
        fs::remove_file(left_by(git_dir.path(), "aio-index-backup", None).join(OWNER)).expect("removed");
        fs::create_dir(git_dir.path().join("aio-index-empty")).expect("a folder");
        let untold = left_by(git_dir.path(), "aio-put-back-untold", None);
        fs::write(untold.join(OWNER), "").expect("written");
        assert!(!is_read_still(git_dir.path(), Use::Commit, "tree/src/a", "a"));
        // One that goes on reads there still.
        let read = left_by(git_dir.path(), "aio-commit-read", Some(&dead()));
        let reader = File::open(read.join(OWNER)).expect("opened");
        reader.try_lock().expect("locked");
        let outside = left_by(git_dir.path(), "outside", Some(&dead()));
        std::os::unix::fs::symlink(&outside, git_dir.path().join("aio-commit-link")).expect("a link");
        assert!(left(git_dir.path()).is_empty());
        let is_read = |for_what, line| is_read_still(git_dir.path(), for_what, "tree/src/a", line);
        assert!(is_read(Use::Commit, "a") && !is_read(Use::Commit, "b") && !is_read(Use::Index, "a"));
        drop(reader);
        assert!(!is_read(Use::Commit, "a"));
        // Long after that.
        for entry in fs::read_dir(git_dir.path()).expect("read").map(|entry| entry.expect("read").path()) {
            let owner = File::open(entry.join(OWNER)).or_else(|_| File::open(entry)).expect("opened");
            owner.set_modified(SystemTime::now() - LONG_OVER - Duration::from_secs(60)).expect("set");
        }
        let empty = git_dir.path().join("aio-index-empty");
        assert_eq!(left(git_dir.path()), [read, unknown, unnamed, empty, untold]);
        assert_eq!(clear(git_dir.path()), 5);
        assert!(left(git_dir.path()).is_empty());
    }

    #[test]
    fn one_who_looks_whether_it_is_left_keeps_no_maker_from_the_lock() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let looks = File::open(file.path()).expect("opened");
        looks.try_lock().expect("locked");
        let looking = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            drop(looks);
        });
        hold(file.as_file());
        looking.join().expect("looked");
        let next = File::open(file.path()).expect("opened");
        assert!(matches!(next.try_lock(), Err(TryLockError::WouldBlock)));
    }
}
