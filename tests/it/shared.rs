//! Repositories that several users share: what we make in one is open to the same people as what git makes.
#![cfg(unix)]

use crate::env::{Ended, PROGRAM, Repo, TestEnvironment, run};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Everything in a folder, with its permissions.
fn modes(folder: &Path) -> BTreeMap<PathBuf, u32> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten() {
            let (path, meta) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
            found.insert(path.clone(), meta.permissions().mode());
            open.extend(meta.is_dir().then_some(path));
        }
    }
    found
}

/// The permissions of what is in `after` and not in `before`: of its folders and of its files.
fn made(before: &BTreeMap<PathBuf, u32>, after: &BTreeMap<PathBuf, u32>) -> (Vec<u32>, Vec<u32>) {
    let made = after.iter().filter(|(path, _)| !before.contains_key(*path));
    let (mut folders, mut files): (Vec<_>, Vec<_>) = made.map(|(_, mode)| *mode).partition(|mode| mode & 0o40000 != 0);
    for modes in [&mut folders, &mut files] {
        modes.iter_mut().for_each(|mode| *mode &= 0o7777);
        modes.sort();
        modes.dedup();
    }
    (folders, files)
}

/// A user whom nobody else may look at.
fn closed(repo: &Repo<'_>, program: &str, args: &[&str]) -> Ended {
    let words = ["-c", "umask 077; exec \"$0\" \"$@\"", program];
    let ended = run(repo.env.command("sh", &repo.dir).args(words).args(args).env("AIO_INSTANCE", instance(repo)));
    assert_eq!(ended.code, 0, "{program} {args:?}: {}", ended.stderr);
    ended
}

fn instance(repo: &Repo<'_>) -> String {
    let live = fs::read_dir(repo.dir.join(".git/aio/live")).into_iter().flatten();
    live.map(|entry| entry.unwrap().file_name().into_string().unwrap()).next().unwrap_or_default()
}

#[test]
fn what_we_make_is_open_to_those_whom_git_lets_in() {
    for setting in ["group", "all", "0640", "0660", "umask"] {
        let env = TestEnvironment::new();
        let repo = env.repo();
        repo.git(&["config", "core.sharedRepository", setting]);
        let git_dir = repo.dir.join(".git");
        let all = || ["objects", "refs", "logs"].map(|folder| modes(&git_dir.join(folder)));

        let before = all();
        for text in ["1", "2", "3"] {
            repo.write(text, text);
            closed(&repo, "git", &["hash-object", "-w", text]);
        }
        closed(&repo, "git", &["update-ref", "--create-reflog", "refs/other/name", "HEAD"]);
        let after = all();
        let gits = [0, 1, 2].map(|at| made(&before[at], &after[at]));

        for args in
            [&["register", "claude"][..], &["claim", "src/"], &["context", "decision", "x"], &["release", "all"]]
        {
            closed(&repo, PROGRAM, args);
        }
        let ours = all();
        for (at, what) in ["objects", "refs", "logs"].into_iter().enumerate() {
            assert_eq!(made(&after[at], &ours[at]), gits[at], "{what} with {setting}: folders and files");
        }

        closed(&repo, PROGRAM, &["init"]);
        let own = modes(&git_dir.join("aio"));
        let folder = made(&before[1], &after[1]).0[0];
        for (path, mode) in own {
            let is_folder = mode & 0o40000 != 0;
            let wanted = if is_folder { folder } else { folder & 0o666 };
            // In a repository of one's own, what need not be hidden is open as far as the umask lets it.
            assert_eq!(mode & wanted, wanted, "{} with {setting}: {mode:o}", path.display());
        }
    }
}

#[test]
fn a_value_that_git_refuses_is_refused() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    fs::write(repo.dir.join(".git/config"), "[core]\nrepositoryformatversion = 0\nsharedRepository = 0440\n").unwrap();
    assert_ne!(repo.try_git(&["status"]).code, 0);
    let ended = repo.aio(&["status"]);
    assert!(ended.code != 0 && ended.stderr.contains("'0440' is no value of core.sharedRepository"), "{ended:?}");
}
