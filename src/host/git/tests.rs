use super::*;
use crate::host::scratch::Scratch;

#[test]
fn status_tells_commit_branch_and_every_dirty_path() {
    let repo = Scratch::new();
    assert_eq!(repo.git.status().expect("status").commit, None);
    repo.write("kept", "1");
    repo.write("gone", "1");
    repo.commit("first");
    let head = repo.git.head().expect("head");
    assert!(head.is_some());
    std::fs::remove_file(repo.path("gone")).expect("removed");
    repo.write("kept", "2");
    repo.write("dir/ new\nline", "1");
    let status = repo.git.status().expect("status");
    assert_eq!((status.commit, status.branch.as_deref()), (head, Some("main")));
    assert_eq!(status.dirty, [&b"gone"[..], b"kept", b"dir/ new\nline"]);
}

#[test]
fn renames_are_both_paths() {
    let out = b"# branch.oid (initial)\x002 R. N... 100644 100644 100644 aa bb R100 to here\0from there\0";
    let status = parse_status(out).expect("valid");
    assert_eq!(status.dirty, [&b"to here"[..], b"from there"]);
    assert_eq!(parse_status(b"1 too short"), None);
}

#[test]
fn settings_are_read_and_written() {
    let repo = Scratch::new();
    let (git, key) = (&repo.git, "aio.test");
    assert_eq!(git.config_local(key).expect("read"), [""; 0]);
    git.config_set(key, "a b").expect("set");
    git.config_append(key, "c.*").expect("append");
    assert_eq!(git.config_local(key).expect("read"), ["a b", "c.*"]);
    git.config_unset(key, Some("c.*")).expect("unset");
    assert_eq!(git.config_get(key).expect("read").as_deref(), Some("a b"));
    git.config_unset(key, None).expect("unset");
    git.config_unset(key, None).expect("unset twice");
    assert_eq!(git.config_get(key).expect("read"), None);
}

#[test]
fn a_failure_names_the_command_and_gits_words() {
    let repo = Scratch::new();
    let error = repo.git.run(["cat-file", "-t", "nothing"]).expect_err("no such object");
    assert_eq!(error.code(), Some(128));
    assert!(error.to_string().starts_with("`git cat-file -t nothing` failed with exit code 128: fatal:"), "{error}");
}

#[test]
fn the_callers_repository_counts_only_when_asked_for() {
    let (here, there) = (Scratch::new(), Scratch::new());
    let env = Env { git_dir: Some(there.path(".git")), ..Env::default() };
    let top = |git: Git| text(&git.run(["rev-parse", "--absolute-git-dir"]).expect("a repository"));
    assert_ne!(top(here.git.clone()), top(here.git.clone().inheriting(&env)));
    assert_eq!(top(there.git.clone()), top(here.git.clone().inheriting(&env)));
}
