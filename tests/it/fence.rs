//! The fence at the commit, by real commits.

use crate::env::{Ended, Refs, Repo, TestEnvironment, path_without_us, run};
use insta::assert_snapshot;
use std::{
    ffi::OsStr,
    fs::{self, File},
    os::unix::ffi::OsStrExt,
    process::Command,
    time::{Duration, SystemTime},
};

/// A repository with the fence up and two instances: `a`, who holds things, and `b`, who commits.
struct Fenced<'e> {
    repo: Repo<'e>,
    a: String,
    b: String,
}

const FILES: &[(&str, &str)] = &[
    ("README.md", "# demo\n"),
    ("docs/guide.md", "guide\n"),
    ("src/auth/login.rs", "fn login() {}\n"),
    ("src/auth/token.rs", "fn token() {}\n"),
    ("src/deep/x.test.ts", "test\n"),
    ("src/main.rs", "fn main() {}\n"),
];

impl<'e> Fenced<'e> {
    fn new(env: &'e TestEnvironment) -> Self {
        Self::with(env, Refs::Files, "sha1")
    }

    fn with(env: &'e TestEnvironment, refs: Refs, format: &str) -> Self {
        Self::around(env.repo_with("demo", refs, format, FILES))
    }

    fn around(repo: Repo<'e>) -> Self {
        // What is not claimed has a test of its own.
        repo.git(&["config", "aio.requireClaim", "off"]);
        repo.ok(&["init"]);
        let (a, b) = (repo.register("claude"), repo.register("codex"));
        Fenced { repo, a, b }
    }

    /// `a` claims.
    fn held(&self, targets: &[&str]) {
        self.repo.ok_as(&self.a, &[&["claim"], targets].concat());
    }

    fn released(&self) {
        self.repo.ok_as(&self.a, &["release", "all"]);
    }

    fn head(&self) -> String {
        self.repo.try_git(&["rev-parse", "-q", "--verify", "HEAD"]).stdout
    }

    /// `b` runs git in a folder of the work tree.
    fn git_in(&self, dir: &str, args: &[&str]) -> Ended {
        run(self.repo.env.command("git", &self.repo.dir.join(dir)).env("AIO_INSTANCE", &self.b).args(args))
    }

    /// `b` can't make this commit, and is told which path is in the way.
    fn refused(&self, path: &str, args: &[&str]) {
        self.refused_in(".", path, args);
    }

    fn refused_in(&self, dir: &str, path: &str, args: &[&str]) {
        let before = self.head();
        let end = self.git_in(dir, args);
        assert_ne!(end.code, 0, "git {args:?} passed");
        let words = format!("already claimed: {path} is held by {}", self.a);
        assert!(end.stderr.contains(&words), "git {args:?} said {}{}", end.stdout, end.stderr);
        assert!(end.stderr.contains("commit refused"), "{}", end.stderr);
        assert_eq!(self.head(), before, "nothing was committed");
    }

    /// `b` can make this commit, and the fence says nothing.
    fn passes(&self, args: &[&str]) {
        self.passes_in(".", args);
    }

    fn passes_in(&self, dir: &str, args: &[&str]) {
        let before = self.head();
        let end = self.git_in(dir, args);
        assert_eq!(end.code, 0, "git {args:?}: {}", end.stderr);
        assert!(!end.stderr.contains("claim"), "git {args:?} said {}", end.stderr);
        assert_ne!(self.head(), before, "something was committed");
    }

    /// What is held can't be committed, and can after its release.
    fn refused_until_released(&self, path: &str, args: &[&str]) {
        self.refused(path, args);
        self.released();
        self.passes(args);
    }
}

const COMMIT: &[&str] = &["commit", "-q", "-m", "x"];
const COMMIT_ALL: &[&str] = &["commit", "-q", "-a", "-m", "x"];

#[test]
fn a_commit_of_what_another_holds_waits_for_the_release() {
    for (refs, format) in [(Refs::Files, "sha1"), (Refs::Files, "sha256"), (Refs::Reftable, "sha1")] {
        let env = TestEnvironment::new();
        let f = Fenced::with(&env, refs, format);
        f.held(&["src/auth/"]);
        f.repo.write("src/auth/login.rs", "mine now\n");
        f.repo.write("src/main.rs", "other\n");
        f.repo.git(&["add", "-A"]);
        assert_eq!(f.repo.aio_as(&f.b, &["hook", "pre-commit"]).code, 3);
        f.refused_until_released("src/auth/login.rs", COMMIT);
    }
}

#[test]
fn the_holder_itself_is_not_stopped() {
    let env = TestEnvironment::new();
    let f = Fenced::new(&env);
    f.held(&["src/auth/"]);
    f.repo.write("src/auth/login.rs", "mine\n");
    let end = f.repo.try_git_as(&f.a, COMMIT_ALL);
    assert_eq!((end.code, end.stderr.as_str()), (0, ""));
}

#[test]
fn deletions_changes_of_mode_and_both_sides_of_a_rename_count() {
    let env = TestEnvironment::new();
    let f = Fenced::new(&env);
    f.held(&["src/auth/login.rs"]);
    f.repo.git(&["mv", "src/auth/login.rs", "src/auth/moved.rs"]);
    f.refused("src/auth/login.rs", COMMIT);
    f.repo.git(&["reset", "-q", "--hard"]);
    f.repo.git(&["mv", "-f", "src/auth/token.rs", "src/auth/login.rs"]);
    f.refused("src/auth/login.rs", COMMIT);
    f.repo.git(&["reset", "-q", "--hard"]);
    f.repo.git(&["rm", "-q", "src/auth/login.rs"]);
    f.refused("src/auth/login.rs", COMMIT);
    f.repo.git(&["reset", "-q", "--hard"]);
    f.repo.git(&["update-index", "--chmod=+x", "src/auth/login.rs"]);
    f.refused_until_released("src/auth/login.rs", COMMIT);
}

#[test]
fn every_way_to_commit_is_judged_by_what_it_commits() {
    let env = TestEnvironment::new();
    let f = Fenced::new(&env);
    f.held(&["src/auth/login.rs"]);
    f.repo.write("src/auth/login.rs", "changed\n");
    f.repo.write("src/main.rs", "changed\n");
    f.refused("src/auth/login.rs", COMMIT_ALL);
    f.refused("src/auth/login.rs", &["commit", "-q", "-m", "x", "src/auth/login.rs"]);
    f.refused("src/auth/login.rs", &["commit", "-q", "-m", "x", "--include", "src"]);
    // Staged, but not part of this commit.
    f.repo.git(&["add", "src/auth/login.rs"]);
    f.passes(&["commit", "-q", "-m", "x", "--only", "src/main.rs"]);
    f.refused("src/auth/login.rs", &["commit", "-q", "--amend", "--no-edit"]);
    f.repo.git(&["reset", "-q"]);
    f.passes(&["commit", "-q", "--amend", "-m", "other words"]);
    f.refused_until_released("src/auth/login.rs", COMMIT_ALL);
}

#[test]
fn a_commit_from_a_subdirectory_is_judged_the_same() {
    let env = TestEnvironment::new();
    let f = Fenced::new(&env);
    f.held(&["src/auth/login.rs"]);
    f.repo.write("src/auth/login.rs", "changed\n");
    f.repo.write("src/auth/token.rs", "changed\n");
    f.refused_in("src/auth", "src/auth/login.rs", &["commit", "-q", "-m", "x", "login.rs"]);
    f.refused_in("src/deep", "src/auth/login.rs", COMMIT_ALL);
    f.passes_in("src/auth", &["commit", "-q", "-m", "x", "token.rs"]);
}

#[test]
fn the_first_commit_is_judged_too() {
    for refs in [Refs::Files, Refs::Reftable] {
        let env = TestEnvironment::new();
        let f = Fenced::with(&env, refs, "sha1");
        f.held(&["src/auth/login.rs"]);
        f.repo.git(&["checkout", "-q", "--orphan", "fresh"]);
        f.refused("src/auth/login.rs", COMMIT);
        f.repo.git(&["rm", "-q", "--cached", "src/auth/login.rs"]);
        f.passes(COMMIT);
    }
}

#[test]
fn a_linked_worktree_has_the_same_fence() {
    for refs in [Refs::Files, Refs::Reftable] {
        let env = TestEnvironment::new();
        let f = Fenced::with(&env, refs, "sha1");
        f.repo.git(&["worktree", "add", "-q", "../linked"]);
        f.held(&["src/auth/login.rs"]);
        let linked =
            Fenced { repo: Repo { env: &env, dir: env.path().join("linked") }, a: f.a.clone(), b: f.b.clone() };
        linked.repo.write("src/auth/login.rs", "changed\n");
        linked.repo.write("src/main.rs", "changed\n");
        linked.refused_in("src/deep", "src/auth/login.rs", COMMIT_ALL);
        linked.refused("src/auth/login.rs", &["commit", "-q", "-m", "x", "src/auth/login.rs"]);
        linked.passes_in("src", &["commit", "-q", "-m", "x", "main.rs"]);
        linked.refused_until_released("src/auth/login.rs", COMMIT_ALL);
    }
}

/// Two branches that both changed other files, so that a merge of them has no conflict.
fn diverged(f: &Fenced<'_>) {
    f.repo.git(&["checkout", "-q", "-b", "side"]);
    f.repo.write("src/auth/login.rs", "from the side\n");
    f.repo.git(&["commit", "-q", "-a", "--no-verify", "-m", "side"]);
    f.repo.git(&["checkout", "-q", "main"]);
    f.repo.write("src/main.rs", "from main\n");
    f.repo.git(&["commit", "-q", "-a", "--no-verify", "-m", "main"]);
}

#[test]
fn a_merge_may_bring_in_what_others_hold_and_have_committed() {
    for refs in [Refs::Files, Refs::Reftable] {
        let env = TestEnvironment::new();
        let f = Fenced::with(&env, refs, "sha1");
        diverged(&f);
        f.held(&["src/"]);
        f.passes(&["merge", "-q", "--no-edit", "side"]);
        f.repo.git(&["reset", "-q", "--hard", "HEAD^"]);
        // Stopped before the commit, it is an ordinary one with two parents.
        assert_eq!(f.git_in(".", &["merge", "-q", "--no-commit", "side"]).code, 0);
        f.passes(COMMIT);
    }
}

/// Our git library reads no index that is sparse; git itself does.
#[test]
fn a_merge_in_a_sparse_index_is_judged_as_any_other() {
    let env = TestEnvironment::new();
    let f = Fenced::new(&env);
    diverged(&f);
    f.repo.git(&["config", "index.sparse", "true"]);
    f.repo.git(&["sparse-checkout", "set", "--cone", "src"]);
    assert!(f.repo.git(&["ls-files", "--sparse"]).contains("docs/\n"), "the index is sparse");
    f.held(&["src/"]);
    f.passes(&["merge", "-q", "--no-edit", "side"]);
}

#[test]
fn a_merge_is_judged_by_what_differs_from_every_parent() {
    let env = TestEnvironment::new();
    let f = Fenced::new(&env);
    // Both changed one file, in places far apart: the merged file is neither's.
    let lines = |first: &str, last: &str| format!("{first}\n{}{last}\n", "same\n".repeat(20));
    f.repo.write("src/auth/login.rs", &lines("a", "b"));
    f.repo.git(&["commit", "-q", "-a", "--no-verify", "-m", "long"]);
    f.repo.git(&["checkout", "-q", "-b", "side"]);
    f.repo.write("src/auth/login.rs", &lines("a", "side"));
    f.repo.git(&["commit", "-q", "-a", "--no-verify", "-m", "side"]);
    f.repo.git(&["checkout", "-q", "main"]);
    f.repo.write("src/auth/login.rs", &lines("main", "b"));
    f.repo.git(&["commit", "-q", "-a", "--no-verify", "-m", "main"]);
    f.held(&["src/auth/login.rs"]);
    f.refused("src/auth/login.rs", &["merge", "-q", "--no-edit", "side"]);
    // git left the merge to be completed by hand.
    f.refused_until_released("src/auth/login.rs", COMMIT);
}

#[test]
fn an_octopus_and_a_squash_are_judged_by_their_own_parents() {
    let env = TestEnvironment::new();
    let f = Fenced::new(&env);
    diverged(&f);
    f.repo.git(&["checkout", "-q", "-b", "third", "main~1"]);
    f.repo.write("docs/guide.md", "third\n");
    f.repo.git(&["commit", "-q", "-a", "--no-verify", "-m", "third"]);
    f.repo.git(&["checkout", "-q", "main"]);
    f.held(&["src/", "docs/"]);
    f.passes(&["merge", "-q", "--no-edit", "side", "third"]);
    f.repo.git(&["reset", "-q", "--hard", "HEAD^"]);
    // A squash has one parent: all it brings in is this commit's own doing.
    assert_eq!(f.git_in(".", &["merge", "-q", "--squash", "side"]).code, 0);
    f.refused_until_released("src/auth/login.rs", COMMIT);
}

#[test]
fn a_resolved_conflict_is_judged_by_what_was_resolved() {
    let env = TestEnvironment::new();
    let f = Fenced::new(&env);
    diverged(&f);
    f.repo.write("src/auth/login.rs", "from main\n");
    f.repo.git(&["commit", "-q", "-a", "--no-verify", "-m", "conflict"]);
    f.held(&["src/auth/"]);
    assert_ne!(f.git_in(".", &["merge", "-q", "--no-edit", "side"]).code, 0);
    // One side as it is belongs to somebody's commit already.
    f.repo.git(&["checkout", "-q", "--theirs", "src/auth/login.rs"]);
    f.repo.git(&["add", "-A"]);
    assert_eq!(f.repo.aio_as(&f.b, &["hook", "pre-commit"]).code, 0);
    f.repo.write("src/auth/login.rs", "from both\n");
    f.repo.git(&["add", "-A"]);
    f.refused_until_released("src/auth/login.rs", &["commit", "-q", "--no-edit"]);
}

#[test]
fn a_gitlink_is_a_path_of_the_superproject() {
    let env = TestEnvironment::new();
    let library = env.repo_with("library", Refs::Files, "sha1", &[("lib.rs", "1\n")]);
    let f = Fenced::new(&env);
    let library_dir = library.dir.display().to_string();
    f.repo.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &library_dir, "lib"]);
    f.repo.git(&["commit", "-q", "--no-verify", "-m", "add the library"]);
    f.held(&["file", "lib"]);
    let inside = Repo { env: &env, dir: f.repo.dir.join("lib") };
    inside.write("lib.rs", "2\n");
    inside.git(&["commit", "-q", "-a", "-m", "inside"]);
    f.repo.git(&["config", "diff.ignoreSubmodules", "all"]);
    f.repo.git(&["add", "lib"]);
    f.refused_until_released("lib", COMMIT);
}

/// Commits of paths of any bytes.
#[test]
fn paths_of_any_bytes_are_guarded() {
    let names: [&[u8]; 5] = [
        b"with space.rs",
        b"with \"quotes\" and 'more'.rs",
        b"two\nlines.rs",
        b"not \xff utf-8.rs",
        "ünïcödé.rs".as_bytes(),
    ];
    for name in names {
        let env = TestEnvironment::new();
        let f = Fenced::new(&env);
        let name = OsStr::from_bytes(name);
        let claimed = run(f.repo.command(&["claim", "file"]).arg(name).env("AIO_INSTANCE", &f.a));
        assert_eq!(claimed.code, 0, "{name:?}: {}", claimed.stderr);
        fs::write(f.repo.dir.join(name), "x").unwrap();
        f.repo.git(&["add", "-A"]);
        let end = f.git_in(".", COMMIT);
        assert_ne!(end.code, 0, "{name:?} was committed");
        assert!(end.stderr.contains("already claimed: "), "{}", end.stderr);
        f.released();
        f.passes(COMMIT);
    }
}

#[test]
fn indexes_of_every_kind_are_read() {
    let kinds: [&[&[&str]]; 5] = [
        &[&["update-index", "--split-index"]],
        &[&["update-index", "--index-version", "4"]],
        &[&["config", "index.skipHash", "true"]],
        &[&["config", "core.untrackedCache", "true"], &["config", "feature.manyFiles", "true"]],
        &[&["config", "index.sparse", "true"], &["sparse-checkout", "set", "--cone", "src"]],
    ];
    for kind in kinds {
        let env = TestEnvironment::new();
        let f = Fenced::new(&env);
        kind.iter().for_each(|command| drop(f.repo.git(command)));
        f.held(&["src/auth/login.rs", "docs/"]);
        f.repo.write("src/auth/token.rs", "changed\n");
        f.passes(COMMIT_ALL);
        f.repo.write("src/auth/login.rs", "changed\n");
        f.refused_until_released("src/auth/login.rs", COMMIT_ALL);
    }
}

#[test]
fn one_path_in_the_way_among_a_thousand_is_found() {
    let env = TestEnvironment::new();
    let f = Fenced::new(&env);
    f.held(&["many/777.rs"]);
    for nth in 0..1_000 {
        f.repo.write(&format!("many/{nth}.rs"), "x\n");
    }
    f.repo.git(&["add", "-A"]);
    f.refused_until_released("many/777.rs", COMMIT);
}

#[test]
fn a_pattern_without_a_slash_blocks_at_any_depth() {
    let env = TestEnvironment::new();
    let f = Fenced::new(&env);
    f.held(&["pattern", "*.test.ts"]);
    f.repo.write("src/deep/x.test.ts", "changed\n");
    assert_eq!(f.repo.aio_as(&f.b, &["claim", "src/"]).code, 3);
    f.refused_until_released("src/deep/x.test.ts", COMMIT_ALL);
}

#[test]
fn who_shares_a_claim_may_commit_and_who_does_not_may_not() {
    let env = TestEnvironment::new();
    let f = Fenced::new(&env);
    f.held(&["--shared", "src/auth/"]);
    f.repo.write("src/auth/login.rs", "changed\n");
    f.refused("src/auth/login.rs", COMMIT_ALL);
    f.repo.ok_as(&f.b, &["claim", "--shared", "src/auth/login.rs"]);
    f.passes(COMMIT_ALL);
}

/// Makes it look as if `instance` had been silent for ten minutes.
fn silent(repo: &Repo<'_>, instance: &str) {
    let live = File::options().write(true).open(repo.dir.join(".git/aio/live").join(instance)).unwrap();
    live.set_modified(SystemTime::now() - Duration::from_secs(600)).unwrap();
}

#[test]
fn a_stale_holder_blocks_nobody_and_hides_nobody() {
    let env = TestEnvironment::new();
    let f = Fenced::new(&env);
    let third = f.repo.register("gemini");
    f.repo.ok_as(&third, &["claim", "--shared", "src/auth/"]);
    f.held(&["--shared", "src/auth/login.rs"]);
    f.repo.write("src/auth/login.rs", "changed\n");
    silent(&f.repo, &third);
    f.refused("src/auth/login.rs", COMMIT_ALL);
    silent(&f.repo, &f.a);
    f.passes(COMMIT_ALL);
}

#[test]
fn who_lost_a_claim_settles_that_before_the_next_commit() {
    let env = TestEnvironment::new();
    let f = Fenced::new(&env);
    let lose = |path: &str| {
        f.repo.ok_as(&f.b, &["claim", path]);
        silent(&f.repo, &f.b);
        f.repo.ok_as(&f.a, &["claim", path]);
        f.released();
    };
    let lost = |path: &str| {
        let end = f.git_in(".", COMMIT_ALL);
        assert_ne!(end.code, 0);
        assert!(end.stderr.contains("claim or release it first"), "{}", end.stderr);
        assert!(end.stderr.contains(path), "{}", end.stderr);
    };
    f.repo.write("src/main.rs", "changed\n");
    lose("src/main.rs");
    lost("src/main.rs");
    f.repo.ok_as(&f.b, &["claim", "src/main.rs"]);
    f.passes(COMMIT_ALL);
    f.repo.ok_as(&f.b, &["release", "all"]);
    f.repo.write("README.md", "changed\n");
    lose("README.md");
    lost("README.md");
    f.repo.ok_as(&f.b, &["release", "all"]);
    f.passes(COMMIT_ALL);
}

#[test]
fn a_person_is_blocked_unless_only_warned() {
    let env = TestEnvironment::new();
    let f = Fenced::new(&env);
    f.held(&["src/main.rs"]);
    f.repo.write("src/main.rs", "changed\n");
    let end = f.repo.try_git(COMMIT_ALL);
    assert_ne!(end.code, 0);
    assert!(end.stderr.contains("already claimed: src/main.rs"), "{}", end.stderr);
    f.repo.git(&["config", "aio.guardPerson", "warn"]);
    let end = f.repo.try_git(COMMIT_ALL);
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert!(end.stderr.contains("src/main.rs is held by"), "{}", end.stderr);
}

#[test]
fn the_guard_blocks_warns_or_is_silent_as_configured() {
    for (guard, passes, says) in [("block", false, true), ("warn", true, true), ("off", true, false)] {
        let env = TestEnvironment::new();
        let f = Fenced::new(&env);
        f.repo.git(&["config", "aio.guard", guard]);
        f.held(&["src/main.rs"]);
        f.repo.write("src/main.rs", "changed\n");
        let end = f.git_in(".", COMMIT_ALL);
        assert_eq!(end.code == 0, passes, "{guard}: {}", end.stderr);
        assert_eq!(end.stderr.contains("src/main.rs is held by"), says, "{guard}: {}", end.stderr);
    }
}

#[test]
fn what_is_not_claimed_blocks_warns_or_is_silent_as_configured() {
    for (require, passes, says) in [("block", false, true), ("warn", true, true), ("off", true, false)] {
        let env = TestEnvironment::new();
        let f = Fenced::new(&env);
        f.repo.git(&["config", "aio.requireClaim", require]);
        f.repo.write("src/main.rs", "changed\n");
        let end = f.git_in(".", COMMIT_ALL);
        assert_eq!(end.code == 0, passes, "{require}: {}", end.stderr);
        assert_eq!(end.stderr.contains("src/main.rs is changed but not claimed"), says, "{require}: {}", end.stderr);
        f.repo.ok_as(&f.b, &["claim", "README.md"]);
        f.repo.write("README.md", "claimed\n");
        f.passes(&["commit", "-q", "-m", "x", "README.md"]);
        f.repo.write("docs/guide.md", "a person\n");
        let person = f.repo.try_git(&["commit", "-q", "-m", "x", "docs/guide.md"]);
        assert_eq!((person.code, person.stderr.as_str()), (0, ""), "a person need not claim");
    }
}

fn bypassing<'c>(f: &Fenced<'_>, command: &'c mut Command) -> &'c mut Command {
    command.env("AIO_INSTANCE", &f.b).env("AIO_BYPASS", "1")
}

#[test]
fn the_way_round_is_recorded() {
    let env = TestEnvironment::new();
    let f = Fenced::new(&env);
    f.held(&["src/main.rs"]);
    f.repo.write("src/main.rs", "changed\n");
    let end = run(bypassing(&f, &mut env.command("git", &f.repo.dir)).args(COMMIT_ALL));
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_eq!(end.stderr, "git aio: fence bypassed for 1 path, and recorded\n");
    let log = f.repo.ok(&["log"]);
    assert!(log.lines().next().unwrap().contains("bypass"), "{log}");
    f.repo.write("src/main.rs", "changed again\n");
    let operations = f.repo.operations();
    f.passes(&["commit", "-q", "-a", "--no-verify", "-m", "x"]);
    assert_eq!(f.repo.operations(), operations, "git does not even ask");
}

/// Cuts the store off: its tip is a commit that is none of ours.
fn corrupt(repo: &Repo<'_>) {
    repo.git(&["update-ref", "refs/aio/state", "HEAD"]);
}

#[test]
fn a_fence_that_cannot_judge_blocks_and_names_the_way_round() {
    let env = TestEnvironment::new();
    let f = Fenced::new(&env);
    f.repo.write("src/main.rs", "changed\n");
    let blocked = || {
        let end = f.git_in(".", COMMIT_ALL);
        assert_ne!(end.code, 0);
        assert!(end.stderr.contains("could not judge this commit"), "{}", end.stderr);
        assert!(end.stderr.contains("AIO_BYPASS=1"), "{}", end.stderr);
    };
    let goes_round = |nth: u32| {
        f.repo.write("src/main.rs", &format!("changed {nth}\n"));
        let end = run(bypassing(&f, &mut env.command("git", &f.repo.dir)).args(COMMIT_ALL));
        assert_eq!(end.code, 0, "{}", end.stderr);
        assert!(end.stderr.contains("fence bypassed"), "{}", end.stderr);
    };
    f.repo.git(&["config", "aio.guard", "sometimes"]);
    blocked();
    goes_round(1);
    f.repo.git(&["config", "aio.guard", "block"]);
    f.repo.write("src/main.rs", "changed\n");
    corrupt(&f.repo);
    blocked();
    goes_round(2);
}

#[test]
fn where_git_aio_is_not_found_commits_pass_with_a_warning() {
    let env = TestEnvironment::new();
    let f = Fenced::new(&env);
    f.held(&["src/main.rs"]);
    f.repo.write("src/main.rs", "changed\n");
    let mut commit = env.command("git", &f.repo.dir);
    let end = run(commit.env("PATH", path_without_us()).env("AIO_INSTANCE", &f.b).args(COMMIT_ALL));
    let passes = "warning: git-aio is not in PATH, and its fence lets this commit pass\n";
    assert_eq!((end.code, end.stderr.as_str()), (0, passes));
}

#[test]
fn where_the_store_was_taken_away_commits_pass_and_that_is_said() {
    let env = TestEnvironment::new();
    let f = Fenced::new(&env);
    f.repo.git(&["update-ref", "-d", "refs/aio/state"]);
    f.repo.write("src/main.rs", "changed\n");
    let end = f.repo.try_git(COMMIT_ALL);
    assert_eq!(end.code, 0);
    assert!(end.stderr.starts_with("warning: refs/aio/state is gone"), "{end:?}");
    assert_ne!(f.repo.try_git(&["rev-parse", "-q", "--verify", "refs/aio/state"]).code, 0, "none was begun");
}

#[test]
fn a_store_that_is_gone_is_not_passed_over_in_silence() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.ok(&["init"]);
    let claude = repo.register("claude");
    repo.ok_as(&claude, &["claim", "src/"]);
    fs::remove_file(repo.dir.join(".git/refs/aio/state")).unwrap();
    repo.write("src/main.rs", "changed\n");
    repo.git(&["add", "-A"]);
    let session = repo.session(
        Some(&claude),
        &[&["hook", "pre-commit"], &["check", "src/main.rs"], &["claim", "README.md"], &["init"]],
    );
    assert_snapshot!(session, @r"
    $ git aio hook pre-commit
    ! warning: refs/aio/state is gone, and no claim is known: `git aio doctor --repair` brings back what is left of it, and where nothing is, `git aio init` begins anew
    $ git aio check src/main.rs
    available src/main.rs
    ! warning: refs/aio/state is gone, and no claim is known: `git aio doctor --repair` brings back what is left of it, and where nothing is, `git aio init` begins anew
    $ git aio claim README.md
    ! error: refs/aio/state is damaged: it is gone, and its reflog shows that it was in use
    ! hint: `git aio doctor` says more, and `git aio doctor --repair` mends it
    [exit 1]
    $ git aio init
    ! error: refs/aio/state is damaged: it is gone, and its reflog shows that it was in use
    ! hint: `git aio doctor` says more, and `git aio doctor --repair` mends it
    [exit 1]
    ");
    assert!(repo.try_git(&["rev-parse", "--verify", "-q", "refs/aio/state"]).code != 0, "nothing is begun anew");
    repo.ok(&["doctor", "--repair"]);
    assert!(repo.ok(&["status"]).contains("src (directory)"));
    assert_eq!(repo.aio_as(&repo.register("codex"), &["hook", "pre-commit"]).code, 3);
}

#[test]
fn where_nothing_was_ever_coordinated_the_fence_says_nothing() {
    for refs in [Refs::Files, Refs::Reftable] {
        let env = TestEnvironment::new();
        let repo = env.repo_with("demo", refs, "sha1", &[]);
        let passed = repo.aio(&["hook", "pre-commit"]);
        assert_eq!((passed.code, passed.stdout.as_str(), passed.stderr.as_str()), (0, "", ""));
        repo.register("claude");
    }
}
