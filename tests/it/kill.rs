//! What is left when a process is killed, and what a lock does that somebody else left.

use crate::env::{Ended, Refs, Repo, TestEnvironment, ended, run};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::Stdio,
    thread,
    time::{Duration, Instant, SystemTime},
};

/// The steps of a write, each with whether the ref has moved by then.
const STEPS: [(&str, bool); 7] = [
    ("objects-written", false),
    ("ref-about-to-move", false),
    ("value-noted", false),
    ("ref-locked", false),
    ("log-written", false),
    ("ref-renamed", true),
    ("ref-moved", true),
];

/// Those of them that are ours where git moves the ref.
const STEPS_AROUND_GIT: [(&str, bool); 3] =
    [("objects-written", false), ("ref-about-to-move", false), ("ref-moved", true)];

const KILLED: i32 = 128 + 9;

fn claims(repo: &Repo<'_>) -> BTreeSet<String> {
    let answer: serde_json::Value = serde_json::from_str(&repo.ok(&["--json", "status"])).unwrap();
    answer["claims"].as_array().unwrap().iter().map(|claim| claim["target"].as_str().unwrap().to_owned()).collect()
}

fn lock(repo: &Repo<'_>) -> PathBuf {
    repo.dir.join(".git/refs/aio/state.lock")
}

/// Nothing of ours waits for a person, and git finds nothing wrong.
fn assert_tidy(repo: &Repo<'_>) {
    assert!(!lock(repo).exists(), "a lock is left");
    assert!(!repo.dir.join(".git/aio/writing").exists(), "a note is left");
    assert_eq!(repo.git(&["fsck", "--strict", "--no-dangling"]), "");
}

fn killed_at(repo: &Repo<'_>, me: &str, step: &str, args: &[&str]) -> Ended {
    run(repo.command(args).env("AIO_INSTANCE", me).env("AIO_TEST_KILL_AT", step))
}

#[test]
fn a_kill_at_any_step_loses_nothing_and_stops_nobody() {
    for (refs, steps) in [(Refs::Files, &STEPS[..]), (Refs::Reftable, &STEPS_AROUND_GIT)] {
        let env = TestEnvironment::new();
        let repo = env.repo_with("demo", refs, "sha1", &[]);
        let (me, other) = (repo.register("claude"), repo.register("codex"));
        let mut held = BTreeSet::new();
        for (step, moved) in steps {
            let (lost, next) = (format!("{step}.rs"), format!("after-{step}.rs"));
            assert_eq!(killed_at(&repo, &me, step, &["claim", &lost]).code, KILLED, "{step}");
            assert_eq!(claims(&repo).contains(&lost), *moved, "{step}");
            // It would fail if the lock could not be proved to be ours.
            repo.ok_as(&other, &["claim", &next]);
            held.extend(moved.then_some(lost).into_iter().chain([next]));
            assert_eq!(claims(&repo), held, "{step}");
            assert_tidy(&repo);
        }
    }
}

/// The value is first written to a file of ours that becomes the ref. The next writer must not write over it.
#[test]
fn the_file_that_became_the_ref_is_not_written_over() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let me = repo.register("claude");
    assert_eq!(killed_at(&repo, &me, "ref-renamed", &["claim", "a"]).code, KILLED);
    let tip = repo.git(&["rev-parse", "refs/aio/state"]);
    assert_eq!(fs::read_to_string(repo.dir.join(".git/aio/writing")).unwrap(), tip);
    assert_eq!(killed_at(&repo, &me, "value-noted", &["claim", "b"]).code, KILLED);
    assert_eq!(repo.git(&["rev-parse", "refs/aio/state"]), tip);
}

#[test]
fn the_first_write_of_a_store_may_be_killed_too() {
    for (step, _) in STEPS {
        let env = TestEnvironment::new();
        let repo = env.repo();
        assert_eq!(run(repo.command(&["register", "claude"]).env("AIO_TEST_KILL_AT", step)).code, KILLED, "{step}");
        let me = repo.register("claude");
        repo.ok_as(&me, &["claim", "a"]);
        assert_tidy(&repo);
    }
}

/// Kills claims at whatever moment it happens to be, spread over the time that one takes.
#[test]
fn kills_at_random_moments_lose_nothing_that_was_granted() {
    const KILLS: u32 = 60;
    for refs in [Refs::Files, Refs::Reftable] {
        let env = TestEnvironment::new();
        let repo = env.repo_with("demo", refs, "sha1", &[]);
        let me = repo.register("claude");
        let begun = Instant::now();
        repo.ok_as(&me, &["claim", "first"]);
        let usual = begun.elapsed();
        let (mut granted, mut kills, mut tries) = (BTreeSet::from(["first".to_owned()]), 0, 0);
        while kills < KILLS {
            let path = format!("src/{tries}.rs");
            let mut claim = repo.command(&["claim", &path]);
            let mut claim =
                claim.env("AIO_INSTANCE", &me).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            thread::sleep(usual.mul_f64(f64::from((tries * 37) % 100) / 100.0));
            claim.kill().unwrap();
            let end = ended(&claim.wait_with_output().unwrap());
            match end.code {
                0 => drop(granted.insert(path)),
                KILLED => kills += 1,
                code => panic!("{code}: {}", end.stderr),
            }
            tries += 1;
        }
        repo.ok_as(&me, &["claim", "last"]);
        let held = claims(&repo);
        assert!(granted.is_subset(&held), "granted but not there: {:?}", granted.difference(&held));
        assert_tidy(&repo);
    }
}

#[test]
fn a_lock_that_somebody_else_left_is_named_and_stays() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let me = repo.register("claude");
    // A writer of ours that was killed has noted what it was about to write: that makes no lock its own.
    for note in [false, true] {
        for content in ["", "1111111111111111111111111111111111111111\n"] {
            if note {
                assert_eq!(killed_at(&repo, &me, "value-noted", &["claim", "x"]).code, KILLED);
            }
            fs::write(lock(&repo), content).unwrap();
            let made = SystemTime::now() - Duration::from_secs(3_600);
            File::options().write(true).open(lock(&repo)).unwrap().set_modified(made).unwrap();
            // Twice, because what the first try leaves must not make the second one bold.
            for _ in 0..2 {
                let end = repo.aio_as(&me, &["claim", "src/main.rs"]);
                assert_eq!(end.code, 75, "{}", end.stderr);
                assert!(end.stderr.contains("refs/aio/state.lock is locked since 360"), "{}", end.stderr);
                assert_eq!(fs::read_to_string(lock(&repo)).unwrap(), content, "it is as it was");
            }
            assert_eq!(repo.aio(&["check", "src/main.rs"]).code, 0, "reading needs no lock");
            fs::remove_file(lock(&repo)).unwrap();
        }
    }
    repo.ok_as(&me, &["claim", "src/main.rs"]);
    assert_tidy(&repo);
}

#[test]
fn a_lock_that_git_holds_for_a_moment_is_waited_for() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let me = repo.register("claude");
    let mut git = env.command("git", &repo.dir);
    let mut git = git.args(["update-ref", "--stdin"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut say, answer) = (git.stdin.take().unwrap(), git.stdout.take().unwrap());
    let tip = repo.git(&["rev-parse", "refs/aio/state"]);
    write!(say, "start\nverify refs/aio/state {tip}prepare\n").unwrap();
    let mut answer = BufReader::new(answer).lines();
    assert_eq!(answer.next().unwrap().unwrap(), "start: ok");
    assert_eq!(answer.next().unwrap().unwrap(), "prepare: ok");
    assert!(lock(&repo).exists());
    thread::scope(|scope| {
        let claim = scope.spawn(|| repo.aio_as(&me, &["claim", "src/main.rs"]));
        thread::sleep(Duration::from_millis(300));
        assert!(!claim.is_finished());
        drop(say);
        let end = claim.join().unwrap();
        assert_eq!(end.code, 0, "{}", end.stderr);
    });
    git.wait().unwrap();
    assert_tidy(&repo);
}

#[test]
fn a_lock_in_one_repository_stops_no_other() {
    let env = TestEnvironment::new();
    let (one, two) = (env.repo_with("one", Refs::Files, "sha1", &[]), env.repo_with("two", Refs::Files, "sha1", &[]));
    let (me, other) = (one.register("claude"), two.register("claude"));
    fs::write(lock(&one), "").unwrap();
    assert_eq!(two.aio_as(&other, &["claim", "src/main.rs"]).code, 0);
    assert_eq!(one.aio_as(&other, &["claim", "src/main.rs"]).code, 8, "it is registered in the other one");
    assert_eq!(one.aio_as(&me, &["claim", "src/main.rs"]).code, 75);
    assert_eq!(claims(&two).len(), 1);
}

#[test]
fn linked_worktrees_have_one_store_and_one_lock() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.git(&["worktree", "add", "-q", "../linked"]);
    let linked = Repo { env: &env, dir: env.path().join("linked") };
    let (me, other) = (repo.register("claude"), linked.register("codex"));
    repo.ok_as(&me, &["claim", "src/main.rs"]);
    assert_eq!(linked.aio_as(&other, &["claim", "src/main.rs"]).code, 3);
    assert_eq!(killed_at(&linked, &other, "ref-locked", &["claim", "README.md"]).code, KILLED);
    assert!(lock(&repo).exists());
    repo.ok_as(&me, &["claim", "README.md"]);
    assert_eq!(claims(&linked), claims(&repo));
    assert_tidy(&repo);
}
