//! Setting a repository up and taking that back, at the terminal.

use crate::{
    env::{PROGRAM, Refs, Repo, TestEnvironment, path_without_us, run},
    together::together,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

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
make the store in refs/aio/state
$ git aio init
nothing to do: all is in place
$ git aio init --dry-run
nothing to do: all is in place
$ git aio init --undo
Removed ~/demo/.git/hooks/pre-commit
Removed ~/demo/.git/hooks/pre-merge-commit
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

/// Every file that `init` is about, with its bytes and whether it can be run: hooks, settings, our own record of it.
fn put_up(repo: &Repo<'_>) -> Vec<(String, Vec<u8>)> {
    let files =
        repo.env.command("find", &repo.dir.join(".git")).args(["hooks", "config", "aio", "-type", "f"]).output();
    let files = String::from_utf8(files.unwrap().stdout).unwrap();
    let ours = |name: &&str| {
        !name.starts_with("aio/") || ["aio/init", "aio/backup", "aio/hooks"].iter().any(|own| name.starts_with(own))
    };
    let mut found: Vec<_> = files
        .lines()
        .filter(ours)
        .map(|name| {
            let path = repo.dir.join(".git").join(name);
            (format!("{name} {:?}", fs::metadata(&path).unwrap().permissions()), fs::read(path).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// A repository with a hook and a setting of its own, and a linked worktree beside it.
fn lived_in<'e>(env: &'e TestEnvironment, name: &str) -> (Repo<'e>, PathBuf) {
    let repo = env.repo_with(name, Refs::Files, "sha1", &[("a", "1\n"), ("hooks/commit-msg", "#!/bin/sh\n")]);
    repo.git(&["config", "core.hooksPath", "hooks"]);
    repo.git(&["config", "log.excludeDecoration", "refs/notes/*"]);
    let linked = env.path().join(format!("{name}-linked"));
    repo.git(&["worktree", "add", "-q", linked.to_str().unwrap()]);
    (repo, linked)
}

#[test]
fn many_inits_at_once_are_one() {
    let env = TestEnvironment::new();
    let (alone, _) = lived_in(&env, "alone");
    alone.ok(&["init"]);
    let (repo, linked) = lived_in(&env, "crowded");
    let before = put_up(&repo);
    let inits = (0..8).map(|nth| {
        let mut init = repo.command(&["init"]);
        init.current_dir(if nth % 2 == 0 { &repo.dir } else { &linked });
        init
    });
    let ends = together(inits.collect());
    assert!(ends.iter().all(|end| end.code == 0), "{ends:#?}");
    let did_nothing = ends.iter().filter(|end| end.stdout == "nothing to do: all is in place\n").count();
    assert!(did_nothing >= 6, "{did_nothing} of 8 found all in place; the hooks and the store may have had two makers");
    // Dispatchers name the repository, and our record holds digests of them.
    let hooks = |repo: &Repo<'_>| {
        let files = put_up(repo).into_iter().filter(|(name, _)| !name.starts_with("aio/init"));
        files
            .map(|(name, bytes)| (name, String::from_utf8(bytes).unwrap().replace("crowded", "alone")))
            .collect::<Vec<_>>()
    };
    assert_eq!(hooks(&repo), hooks(&alone));
    assert_eq!(repo.operations(), 1, "one store was made");
    repo.ok(&["init", "--undo"]);
    assert_eq!(put_up(&repo), before);
}

#[test]
fn a_fence_that_is_put_back_beside_an_undo_is_gone_or_was_never_back() {
    let env = TestEnvironment::new();
    let (repo, _) = lived_in(&env, "demo");
    let before = put_up(&repo);
    let codex = repo.register("codex");
    for round in 0..8 {
        repo.ok(&["init"]);
        fs::remove_file(repo.dir.join(".git/aio/hooks/pre-commit")).unwrap();
        let mut commands: Vec<_> = (0..3)
            .map(|nth| {
                let mut claim = repo.command(&["claim", &format!("{round}/{nth}")]);
                claim.env("AIO_INSTANCE", &codex);
                claim
            })
            .collect();
        commands.push(repo.command(&["init", "--undo"]));
        let ends = together(commands);
        assert!(ends.iter().all(|end| end.code == 0), "{ends:#?}");
        assert!(ends.iter().all(|end| !end.stderr.contains("can't be put back")), "{ends:#?}");
        assert_eq!(put_up(&repo), before, "round {round}: {ends:#?}");
    }
}

#[test]
fn a_program_that_hooks_will_not_find_is_told() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let inited = run(repo.command(&["init"]).env("PATH", path_without_us())).stderr;
    let folder = Path::new(PROGRAM).parent().unwrap().display().to_string();
    let warning =
        format!("warning: hooks don't find git-aio, and the fence lets everything pass: add {folder} to PATH");
    assert!(inited.starts_with(&warning), "{inited}");
}

#[test]
fn a_worktree_that_can_not_be_fenced_is_named() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.write(".husky/_/.gitignore", "*\n");
    repo.git(&["config", "core.hooksPath", ".husky/_"]);
    let linked = env.path().join("linked");
    repo.git(&["worktree", "add", "-q", linked.to_str().unwrap()]);
    let inited = repo.aio(&["init"]);
    let named = format!(
        "warning: the worktree {} has no fence: pre-commit: there is no such hook where git looks for it; \
         `git aio init` puts it up when it is run there\n",
        linked.display()
    );
    assert_eq!((inited.code, inited.stderr), (0, named));
    let told = repo.ok(&["doctor"]);
    assert!(
        told.contains(&format!("odd     worktrees          no fence before the first claim in {}", linked.display()))
    );
    assert_eq!(run(repo.command(&["init"]).current_dir(&linked)).code, 0);
    assert!(repo.ok(&["doctor"]).contains("ok      worktrees          1 worktree more"));
}
