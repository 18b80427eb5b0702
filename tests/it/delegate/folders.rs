//! Folders in the git directory that a driver leaves when it is killed.

use super::*;
use std::process::Stdio;

/// The names of those there are.
fn folders(repo: &Repo<'_>) -> Vec<String> {
    let entries = fs::read_dir(repo.dir.join(".git")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name.starts_with("aio-"));
    names.sort();
    names
}

/// A delegation whose driver was killed while its work came back.
fn killed(env: &TestEnvironment) -> Repo<'_> {
    let (agents, repo) = checked(env);
    agents.plays(
        "claude",
        &[Do::Edit("src/auth/login.rs", "done\n"), Do::Edit("src/auth/new.rs", "x\n"), Do::Say("Ok.")],
    );
    let args = ["delegate", "Fix it.", "--agent", "claude", "--scope", "src/auth/", "--isolate"];
    let ended = run(repo.command(&args).env("AIO_TEST_KILL_AT", "put-back-1"));
    assert_eq!((ended.code, folders(&repo).len()), (128 + 9, 1), "{ended:?}");
    repo
}

#[test]
fn going_on_removes_them() {
    let env = TestEnvironment::new();
    let repo = killed(&env);
    repo.ok(&["run", "resume"]);
    assert_eq!(folders(&repo), [""; 0]);
}

#[test]
fn the_doctor_tells_of_them_and_a_cleanup_removes_them() {
    let env = TestEnvironment::new();
    let repo = killed(&env);
    fs::create_dir(repo.dir.join(".git/aio-put-back-backup")).unwrap();
    let told = repo.aio(&["doctor"]).stdout;
    let line = told.lines().find(|line| line.contains("folders")).unwrap();
    assert!(line.starts_with("odd") && line.contains("1 folder of killed processes: "), "{told}");
    let copies = told.lines().find(|line| line.contains("copies")).unwrap();
    let ways = ["1 work tree of killed runs: ", "`git aio run resume delegation-", "`git aio run cancel delegation-"];
    assert!(copies.starts_with("odd") && ways.iter().all(|way| copies.contains(way)), "{told}");
    assert!(repo.ok(&["cleanup"]).ends_with("removed 1 folder of killed processes\n"));
    assert_eq!(folders(&repo), ["aio-put-back-backup"], "what is none of ours stays");
    assert!(!repo.ok(&["cleanup"]).contains("folder"));
    repo.ok(&["run", "cancel"]);
    let told = repo.aio(&["doctor"]).stdout;
    assert!(!told.contains("of killed"), "{told}");
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_commit_still_reads_stays_till_it_has_ended() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Edit("src/auth/login.rs", "done\n"), Do::Say("Done.")]);
    let hook = repo.dir.join(".git/hooks/pre-commit");
    let waits = "#!/bin/sh\n: >\"$HOME/began\"\nwhile ! test -e \"$HOME/go\"; do sleep 0.05; done\n";
    fs::write(&hook, waits).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let args = ["delegate", "Fix it.", "--agent", "claude", "--scope", "src/auth/", "--commit"];
    let mut child = repo.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("the hook", || exists(&env.path(), "home/began"));
    child.kill().unwrap();
    child.wait().unwrap();
    repo.ok(&["cleanup"]);
    assert_eq!(folders(&repo).len(), 1, "git reads the message when the hook has ended");
    fs::write(env.path().join("home/go"), "").unwrap();
    wait_for("the commit", || repo.git(&["rev-list", "--count", "HEAD"]).trim() == "2");
    wait_for("the end of git", || {
        repo.ok(&["cleanup"]);
        folders(&repo).is_empty()
    });
    assert!(repo.git(&["log", "-1", "--format=%B"]).contains("Fix it."));
}
