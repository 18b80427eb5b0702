//! What the fence adds to `git commit`.

use crate::{
    machine::{Machine, Repo, file},
    measure::{Report, Subject, in_pairs},
};
use std::{fs, process::Command};

const TRACKED: usize = 5000;
const STAGED: usize = 1000;
const CLAIMS: usize = 1000;

/// The fence as `git aio init` installs it.
const HOOK: &str = include_str!("../../hooks/pre-commit");

pub fn run(report: &mut Report) {
    let machine = Machine::new();
    report.note("1,000 staged files in an index of 5,000, 1,000 claims");

    let mixed = stage(&machine, "mixed");
    let (committer, other) = (mixed.register("codex"), mixed.register("claude"));
    mixed.claim_all(&committer, (0..CLAIMS / 5).map(|nth| staged(nth * 5)));
    mixed.claim_all(&other, (0..CLAIMS - CLAIMS / 5).map(|nth| file(nth * (TRACKED / STAGED) + 1, TRACKED)));
    let name = "git commit, a fifth of it claimed, others hold its neighbours";
    measure(report, name, &mixed, &committer, Some(20.0));

    let own = stage(&machine, "own");
    let committer = own.register("codex");
    own.claim_all(&committer, (0..CLAIMS).map(staged));
    measure(report, "git commit, every file of it claimed by itself", &own, &committer, None);
    own.git(&["gc", "-q"]);
    measure(report, "the same after git gc", &own, &committer, None);
}

/// A repository with changes to some of its files in the index.
fn stage(machine: &Machine, name: &str) -> Repo {
    let repo = machine.repo(name);
    (0..TRACKED).for_each(|nth| repo.write(&file(nth, TRACKED), &format!("file {nth}\n")));
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-q", "-m", "files"]);
    (0..STAGED).for_each(|nth| repo.write(&staged(nth), &format!("file {nth}, changed\n")));
    repo.git(&["add", "-A"]);
    fs::create_dir(repo.dir.join("no-hooks")).unwrap();
    let hook = repo.dir.join(".git/hooks/pre-commit");
    fs::write(&hook, HOOK).unwrap();
    make_executable(&hook);
    repo
}

/// The `nth` path that is changed, spread over the whole tree.
fn staged(nth: usize) -> String {
    file(nth * (TRACKED / STAGED), TRACKED)
}

fn measure(report: &mut Report, name: &str, repo: &Repo, committer: &str, most: Option<f64>) {
    let commit = |args: &[&str]| -> Command {
        let mut command = repo.git_command(args);
        command.args(["commit", "-q", "-m", "change"]).env("AIO_INSTANCE", committer);
        command
    };
    let undo = |_| {
        repo.git(&["reset", "-q", "--soft", "HEAD~1"]);
    };
    let pairs = in_pairs(
        report.pairs(40),
        &mut Subject { name: "with", make: &mut |_| commit(&[]), after: &mut undo.clone() },
        &mut Subject {
            name: "without",
            make: &mut |_| commit(&["-c", "core.hooksPath=no-hooks"]),
            after: &mut undo.clone(),
        },
    );
    report.difference(&format!("{name}: with the fence / without"), &pairs, most);
}

#[cfg(unix)]
fn make_executable(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// git for Windows runs hooks whatever their mode.
#[cfg(not(unix))]
fn make_executable(_: &std::path::Path) {}
