//! Setting a repository up and taking that back, at the terminal.

use crate::env::TestEnvironment;
use std::fs;

#[test]
fn a_dry_run_shows_a_diff_that_git_takes_and_writes_nothing() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let shown = repo.ok(&["init", "--dry-run"]);
    assert!(shown.starts_with(
        "diff --git a/.git/hooks/pre-commit b/.git/hooks/pre-commit\nnew file mode 100755\n--- /dev/null\n\
         +++ b/.git/hooks/pre-commit\n"
    ));
    assert!(!repo.dir.join(".git/hooks/pre-commit").exists());
    assert!(!repo.dir.join(".git/aio").exists());
    assert_ne!(repo.try_git(&["rev-parse", "--verify", "-q", "refs/aio/state"]).code, 0);
}

#[test]
fn init_undone_leaves_the_repository_as_it_was_but_for_the_records() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let config = fs::read(repo.dir.join(".git/config")).unwrap();
    let commands: &[&[&str]] =
        &[&["init"], &["init"], &["init", "--dry-run"], &["init", "--undo"], &["init", "--undo"]];
    let told = repo.session(None, commands);
    let expected = "\
$ git aio init
write .git/hooks/pre-commit
write .git/hooks/pre-merge-commit
write .git/hooks/pre-push
make the store in refs/aio/state
$ git aio init
nothing to do: all is in place
$ git aio init --dry-run
nothing to do: all is in place
$ git aio init --undo
Removed ~/demo/.git/hooks/pre-commit
Removed ~/demo/.git/hooks/pre-merge-commit
Removed ~/demo/.git/hooks/pre-push
! claims and notes stay in refs/aio/state; docs/storage.md says how they are kept
$ git aio init --undo
nothing to take back: init has changed nothing here
! claims and notes stay in refs/aio/state; docs/storage.md says how they are kept
";
    assert_eq!(told, expected);
    assert_eq!(fs::read(repo.dir.join(".git/config")).unwrap(), config);
}

#[test]
fn a_fence_that_was_removed_is_back_at_the_next_claim() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.ok(&["init"]);
    let codex = repo.register("codex");
    fs::remove_file(repo.dir.join(".git/hooks/pre-commit")).unwrap();
    let claimed = repo.aio_as(&codex, &["claim", "src/main.rs"]);
    assert_eq!(claimed.code, 0);
    assert!(claimed.stderr.contains("the fence at the commit was gone and is back"), "{}", claimed.stderr);
    assert!(repo.dir.join(".git/hooks/pre-commit").exists());
}
