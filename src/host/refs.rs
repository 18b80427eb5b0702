//! Moves refs through the user's git: for repositories whose refs are in a reftable, which our git library can't write.
//!
//! What git says when it refuses is only a hint. After every failure the ref is read again, and where it points decides.

use super::git::{Git, GitError};
use crate::base::{
    oid::Oid,
    refs::{RefError, RefLogLine, RefStorage, Swapped},
};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// How long a ref may stay locked by others.
const PATIENCE: Duration = Duration::from_secs(2);

/// How far back the history goes, and how much of it is asked for in one process.
const HISTORY: usize = 1000;
const HISTORY_AT_ONCE: usize = 250;

/// Refs as git itself reads and writes them.
#[derive(Debug, Clone)]
pub struct GitRefs {
    git: Git,
    lock: PathBuf,
    patience: Duration,
    at_once: usize,
}

impl GitRefs {
    /// The refs of the repository that `git` runs in and whose common git directory is `common_dir`.
    pub fn new(git: Git, common_dir: impl Into<PathBuf>) -> GitRefs {
        let lock = common_dir.into().join("reftable").join("tables.list.lock");
        GitRefs { git, lock, patience: PATIENCE, at_once: HISTORY_AT_ONCE }
    }

    fn update(&self, name: &str, old: &Oid, new: &Oid, line: &RefLogLine) -> Result<(), GitError> {
        let (who, email) = split_identity(&line.who);
        let git = self.git.clone().with("GIT_COMMITTER_NAME", who).with("GIT_COMMITTER_EMAIL", email);
        // git keeps the log of the ref in the committer's name and at the committer's time.
        let git = git.with("GIT_COMMITTER_DATE", format!("@{} +0000", line.seconds));
        git.run(["update-ref", "--create-reflog", "-m", &line.message, name, new.as_str(), old.as_str()]).map(drop)
    }

    fn locked(&self) -> RefError {
        let age = self.lock.metadata().and_then(|lock| lock.modified()).ok().and_then(|since| since.elapsed().ok());
        RefError::Locked { lock: self.lock.clone(), age: age.unwrap_or_default() }
    }
}

impl RefStorage for GitRefs {
    fn read(&self, name: &str) -> Result<Option<Oid>, RefError> {
        self.git.resolve(name).map_err(|error| failed(name, "read", &error))
    }

    fn compare_and_swap(
        &self,
        name: &str,
        expected: Option<&Oid>,
        new: &Oid,
        message: &RefLogLine,
    ) -> Result<Swapped, RefError> {
        let old = expected.cloned().unwrap_or_else(|| new.null_of_same_kind());
        let deadline = Instant::now() + self.patience;
        let mut pause = Pause::default();
        loop {
            let Err(error) = self.update(name, &old, new, message) else { return Ok(Swapped::default()) };
            let now = self.read(name)?;
            // It failed after the deed, killed or over something else: every commit of ours is unlike all others, so
            // what stands there is ours.
            let compared = ["but expected", "already exists"].iter().any(|words| error.stderr().contains(words));
            if !compared && now.as_ref() == Some(new) {
                return Ok(Swapped::default());
            }
            if now.as_ref() != expected {
                return Err(RefError::Moved { name: name.to_owned() });
            }
            if !error.stderr().contains("lock") {
                return Err(failed(name, "written", &error));
            }
            if Instant::now() >= deadline {
                return Err(self.locked());
            }
            pause.sleep();
        }
    }

    fn listed(&self, folders: &[&str]) -> Result<BTreeMap<String, Oid>, RefError> {
        let words = ["for-each-ref", "--format=%(objectname) %(refname)"];
        let args: Vec<OsString> = words.iter().chain(folders).map(OsString::from).collect();
        let listed = self.git.run(&args).map_err(|error| failed(folders.first().unwrap_or(&""), "read", &error))?;
        let listed = String::from_utf8_lossy(&listed);
        let pair = |line: &str| line.split_once(' ').and_then(|(oid, name)| Some((name.to_owned(), oid.parse().ok()?)));
        Ok(listed.lines().filter_map(pair).collect())
    }

    /// It asks for `ref@{0}`, `ref@{1}` …, which git answers from the log alone: `git reflog` would stop at the first
    /// commit that is missing, and it is just then that the history is wanted.
    fn history(&self, name: &str) -> Result<Vec<Oid>, RefError> {
        let mut history = Vec::new();
        while history.len() < HISTORY {
            let entries = (history.len()..history.len() + self.at_once).map(|at| format!("{name}@{{{at}}}"));
            let args: Vec<OsString> = ["rev-parse".to_owned()].into_iter().chain(entries).map(OsString::from).collect();
            // It prints what there is and then fails, in one voice for "no more" and for "no such ref".
            let output = self.git.output(&args).map_err(|error| failed(name, "read", &error))?;
            let text = String::from_utf8_lossy(&output.stdout);
            let found: Vec<Oid> = text.lines().map_while(|line| line.parse().ok()).collect();
            let more = found.len() == self.at_once;
            history.extend(found);
            if !more {
                break;
            }
        }
        if history.is_empty() {
            // Tells a ref that isn't there from a repository that can't be read.
            history.extend(self.read(name)?);
        }
        Ok(history)
    }
}

/// Waits that get longer and differ between those who wait.
#[derive(Default)]
struct Pause {
    turn: u32,
}

impl Pause {
    fn sleep(&mut self) {
        let mut random = [0; 1];
        // Without randomness the waits are merely alike.
        let _ = getrandom::fill(&mut random);
        self.turn = (self.turn + 1).min(8);
        thread::sleep(Duration::from_micros(u64::from(self.turn) * (500 + 40 * u64::from(random[0]))));
    }
}

/// `Name <email>` in its parts. git takes no empty name.
fn split_identity(who: &str) -> (&str, &str) {
    let (name, email) = who.split_once('<').unwrap_or((who, ""));
    let name = if name.trim().is_empty() { "git-aio" } else { name.trim() };
    (name, email.trim_end_matches('>').trim())
}

fn failed(name: &str, verb: &'static str, error: &GitError) -> RefError {
    let reason = if error.stderr().is_empty() { error.to_string() } else { error.stderr().to_owned() };
    RefError::Failed { name: name.to_owned(), verb, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::scratch::Scratch;
    use std::{fs, sync::Barrier};

    const NAME: &str = "refs/aio/state";

    struct Fixture {
        repo: Scratch,
        refs: GitRefs,
    }

    /// `None`, said aloud, where git is too old for reftable.
    #[expect(clippy::print_stderr, reason = "a test that is skipped must say so")]
    fn fixture() -> Option<Fixture> {
        let Some(repo) = Scratch::with_reftable() else {
            eprintln!("skipped: this git has no reftable");
            return None;
        };
        let refs = GitRefs::new(repo.git.clone(), repo.path(".git"));
        Some(Fixture { repo, refs })
    }

    impl Fixture {
        fn commit(&self, message: &str) -> Oid {
            let tree = self.repo.git.run(["mktree"]).expect("an empty tree");
            let tree = String::from_utf8_lossy(&tree).trim().to_owned();
            let commit = self.repo.git.run(["commit-tree", "-m", message, &tree]).expect("a commit");
            String::from_utf8_lossy(&commit).trim().parse().expect("an object name")
        }
    }

    fn line(message: &str) -> RefLogLine {
        RefLogLine { who: "Ada <ada@example.org>".into(), seconds: 1_700_000_000, message: message.into() }
    }

    #[test]
    fn a_ref_moves_only_from_where_it_is_expected() {
        let Some(f) = fixture() else { return };
        let (a, b) = (f.commit("a"), f.commit("b"));
        assert_eq!(f.refs.read(NAME).expect("read"), None);
        assert!(matches!(f.refs.compare_and_swap(NAME, Some(&a), &b, &line("x")), Err(RefError::Moved { .. })));
        f.refs.compare_and_swap(NAME, None, &a, &line("create")).expect("created");
        assert!(matches!(f.refs.compare_and_swap(NAME, None, &a, &line("x")), Err(RefError::Moved { .. })));
        assert!(matches!(f.refs.compare_and_swap(NAME, Some(&b), &a, &line("x")), Err(RefError::Moved { .. })));
        f.refs.compare_and_swap(NAME, Some(&a), &b, &line("move")).expect("moved");
        assert_eq!(f.refs.read(NAME).expect("read"), Some(b));
    }

    #[test]
    fn the_log_has_the_real_time_and_name() {
        let Some(f) = fixture() else { return };
        f.refs.compare_and_swap(NAME, None, &f.commit("a"), &line("claim: src")).expect("created");
        let log = f.repo.git.run(["reflog", "show", "--date=unix", "--format=%gD|%gn|%ge|%gs", NAME]).expect("a log");
        assert_eq!(String::from_utf8_lossy(&log).trim(), "refs/aio/state@{1700000000}|Ada|ada@example.org|claim: src");
    }

    #[test]
    fn the_history_outlives_the_newest_commit() {
        let Some(f) = fixture() else { return };
        assert_eq!(f.refs.history(NAME).expect("no history"), []);
        let commits: Vec<Oid> = (0..3).map(|n| f.commit(&n.to_string())).collect();
        for (at, commit) in commits.iter().enumerate() {
            let expected = at.checked_sub(1).map(|before| &commits[before]);
            f.refs.compare_and_swap(NAME, expected, commit, &line("op")).expect("moved");
        }
        let (folder, file) = commits[2].as_str().split_at(2);
        fs::remove_file(f.repo.path(&format!(".git/objects/{folder}/{file}"))).expect("the object is lost");
        let newest_first: Vec<Oid> = commits.into_iter().rev().collect();
        assert_eq!(f.refs.history(NAME).expect("a history"), newest_first);
        assert_eq!(f.refs.read(NAME).expect("read"), Some(newest_first[0].clone()));
    }

    #[test]
    fn a_long_history_is_read_in_parts() {
        let Some(mut f) = fixture() else { return };
        let commits: Vec<Oid> = (0..5).map(|n| f.commit(&n.to_string())).collect();
        for (at, commit) in commits.iter().enumerate() {
            let expected = at.checked_sub(1).map(|before| &commits[before]);
            f.refs.compare_and_swap(NAME, expected, commit, &line("op")).expect("moved");
        }
        for at_once in [1, 2, 5, 6] {
            f.refs.at_once = at_once;
            assert_eq!(f.refs.history(NAME).expect("a history").len(), 5, "{at_once} at once");
        }
    }

    #[test]
    fn a_lock_that_stays_is_named_with_its_age() {
        let Some(mut f) = fixture() else { return };
        f.refs.patience = Duration::from_millis(50);
        fs::write(&f.refs.lock, "").expect("locked");
        match f.refs.compare_and_swap(NAME, None, &f.commit("a"), &line("x")) {
            Err(RefError::Locked { lock, .. }) => assert!(lock.ends_with("reftable/tables.list.lock")),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_race_and_no_lock_is_a_failure() {
        let Some(f) = fixture() else { return };
        let missing = "1".repeat(40).parse().expect("an object name");
        let error = f.refs.compare_and_swap(NAME, None, &missing, &line("x")).expect_err("no such object");
        assert!(matches!(&error, RefError::Failed { reason, .. } if reason.contains("nonexistent object")), "{error}");
        fs::remove_dir_all(f.repo.path(".git")).expect("the repository is gone");
        assert!(matches!(f.refs.read(NAME), Err(RefError::Failed { verb: "read", .. })));
        assert!(matches!(f.refs.history(NAME), Err(RefError::Failed { verb: "read", .. })));
    }

    /// Eight writers, each of whom replaces the value it has read: no update may be lost.
    #[test]
    fn racing_writers_lose_nothing() {
        const WRITERS: usize = 8;
        const ROUNDS: usize = 5;
        let Some(f) = fixture() else { return };
        let start = Barrier::new(WRITERS);
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (f, start) = (&f, &start);
                scope.spawn(move || {
                    let commits: Vec<Oid> = (0..ROUNDS).map(|n| f.commit(&format!("{writer} {n}"))).collect();
                    start.wait();
                    for commit in &commits {
                        loop {
                            let now = f.refs.read(NAME).expect("read");
                            match f.refs.compare_and_swap(NAME, now.as_ref(), commit, &line("race")) {
                                Ok(_) => break,
                                Err(RefError::Moved { .. }) => {}
                                Err(error) => panic!("{error}"),
                            }
                        }
                    }
                });
            }
        });
        assert_eq!(f.refs.history(NAME).expect("a history").len(), WRITERS * ROUNDS);
    }
}
