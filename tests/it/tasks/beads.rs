//! The issues of Beads beside our own tasks, by a stand-in for its program.

use super::{assert_refused, next, put};
use crate::env::{Repo, TestEnvironment};
use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

/// A `bd` that answers `ready` with a file, takes what is closed off the list, and notes how it was called.
const PROGRAM: &str = r#"#!/bin/sh
echo "$*" >>"$HOME/calls"
[ -e "$HOME/silent" ] && exit 5
[ -e "$HOME/broken" ] && { echo "database is locked" >&2; exit 1; }
case $1 in
  ready) if [ -e "$HOME/many" ]; then sh "$HOME/many" "$4"; else cat "$HOME/ready"; fi ;;
  close) [ -e "$HOME/on-close" ] && sh "$HOME/on-close"; echo "$2" >>"$HOME/closed"; echo '[]' >"$HOME/ready" ;;
  show) if grep -qx "$2" "$HOME/closed"; then s=closed; else s=open; fi; echo "[{\"id\":\"$2\",\"status\":\"$s\"}]" ;;
esac
"#;

const READY: &str = r#"[
  {"id":"AI-1","title":"Fix the parser","description":"It \u001b[31mfails.","status":"open","priority":1,"issue_type":"bug"},
  {"id":"AI-2","title":"Then this","priority":2},
  {"id":"--all","title":"an option"}
]"#;

struct Tracker<'e> {
    repo: Repo<'e>,
    home: PathBuf,
}

impl<'e> Tracker<'e> {
    fn new(env: &'e TestEnvironment, name: &str) -> Tracker<'e> {
        let repo = env.repo();
        fs::create_dir(repo.dir.join(".beads")).unwrap();
        let (bin, home) = (env.path().join("bin"), env.path().join("home"));
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join(name), PROGRAM).unwrap();
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(home.join("ready"), READY).unwrap();
        Tracker { repo, home }
    }

    fn calls(&self) -> Vec<String> {
        fs::read_to_string(self.home.join("calls")).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

#[test]
fn what_beads_calls_ready_stands_behind_our_own_and_is_closed_when_it_is_done() {
    for name in ["bd", "br"] {
        let env = TestEnvironment::new();
        let tracker = Tracker::new(&env, name);
        let repo = &tracker.repo;
        let (me, other) = (repo.register("claude"), repo.register("codex"));
        put(repo, &me, "own", &["--priority", "4"]);
        let listed = repo.aio_as(&me, &["tasks", "list"]);
        let expected = format!(
            "own  ready, priority 4: \"do own\"\nAI-1  ready, priority 1: \"Fix the parser\" [{name}]\nAI-2  ready: \"Then this\" [{name}]\n"
        );
        assert_eq!((listed.stdout, listed.code), (expected, 0));
        let before = tracker.calls().len();
        assert_eq!(next(repo, &me), "own");
        assert_eq!(tracker.calls().len(), before, "nobody is asked as long as there are our own");
        let taken = repo.aio_as(&other, &["tasks", "next"]);
        assert_eq!((taken.stdout.trim(), taken.code), ("AI-1", 0), "{taken:?}");
        assert!(taken.stderr.contains("fails.") && !taken.stderr.contains('\u{1b}'), "{taken:?}");
        put(repo, &me, "new", &["--priority", "0"]);
        assert_eq!(next(repo, &other), "AI-1", "the same again");
        assert_refused(&repo.aio_as(&me, &["tasks", "done", "AI-1"]), 3, &format!("held by {other}"));
        let done = repo.json_as(&other, &["tasks", "done", "AI-1", "--result", "fixed"]);
        assert_eq!((&done["done"], &done["task"]), (&"AI-1".into(), &serde_json::Value::Null));
        assert!(tracker.calls().contains(&"close AI-1 --reason=fixed".to_owned()), "{:?}", tracker.calls());
        assert!(!repo.ok_as(&me, &["tasks", "list"]).contains("AI-1"));
        assert_eq!(repo.json_as(&me, &["status"])["claims"].as_array().unwrap().len(), 1);
        assert_eq!(next(repo, &other), "new");
    }
}

#[test]
fn a_tracker_that_fails_keeps_the_claim_and_hides_nothing_of_our_own() {
    let env = TestEnvironment::new();
    let tracker = Tracker::new(&env, "bd");
    let repo = &tracker.repo;
    let me = repo.register("claude");
    assert_eq!(repo.ok_as(&me, &["tasks", "next", "--from", "bd"]).trim(), "AI-1");
    fs::write(tracker.home.join("broken"), "").unwrap();
    assert_refused(&repo.aio_as(&me, &["tasks", "done", "AI-1"]), 1, "bd failed: database is locked");
    assert_eq!(repo.json_as(&me, &["status"])["claims"][0]["target"], "AI-1");
    put(repo, &me, "own", &[]);
    let listed = repo.aio_as(&me, &["tasks", "list"]);
    assert_eq!((listed.stdout.lines().count(), listed.code), (1, 0), "{listed:?}");
    assert!(listed.stderr.contains("only our own tasks are told: bd failed"), "{listed:?}");
    assert_refused(&repo.aio_as(&me, &["tasks", "next", "--from", "bd"]), 1, "bd failed");
    fs::write(tracker.home.join("silent"), "").unwrap();
    let silent = repo.aio_as(&me, &["tasks", "next", "--from", "bd"]);
    assert_refused(&silent, 1, "bd failed: exit status: 5, and it said nothing");
    assert!(silent.stderr.contains("hint: `bd ready --json`"), "{silent:?}");
    fs::remove_file(tracker.home.join("silent")).unwrap();
    // Killed after it was closed, it is said again.
    fs::remove_file(tracker.home.join("broken")).unwrap();
    repo.ok_as(&me, &["tasks", "done", "AI-1"]);
    fs::write(tracker.home.join("ready"), "words").unwrap();
    assert_refused(&repo.aio_as(&me, &["tasks", "list", "--from", "bd"]), 1, "something else than a list of issues");
    fs::write(tracker.home.join("ready"), r#"{"schema_version":1,"data":[{"id":"AI-9","title":"new"}]}"#).unwrap();
    assert_eq!(repo.ok_as(&me, &["tasks", "list", "--from", "bd"]), "AI-9  ready: \"new\" [bd]\n");
}

#[test]
fn without_the_folder_or_the_program_nobody_is_asked() {
    let env = TestEnvironment::new();
    let tracker = Tracker::new(&env, "bd");
    fs::remove_dir(tracker.repo.dir.join(".beads")).unwrap();
    let me = tracker.repo.register("claude");
    assert_refused(&tracker.repo.aio_as(&me, &["tasks", "next"]), 8, "none is left");
    assert_eq!(tracker.calls(), [""; 0]);
}

/// As many as it is asked for of 300 issues, each with a long description.
const MANY: &str = r#"
long=$(head -c 20000 /dev/zero | tr '\\0' x)
n=1; printf '['
while [ "$n" -le "$1" ] && [ "$n" -le 300 ]; do
  [ "$n" -gt 1 ] && printf ,
  printf '{"id":"M-%s","title":"t","description":"%s"}' "$n" "$long"
  n=$((n + 1))
done
printf ']'"#;

#[test]
fn a_long_list_is_read_and_what_is_held_hides_nothing_behind_it() {
    let env = TestEnvironment::new();
    let tracker = Tracker::new(&env, "bd");
    let repo = &tracker.repo;
    fs::write(tracker.home.join("many"), MANY).unwrap();
    let (me, other) = (repo.register("claude"), repo.register("codex"));
    let held: Vec<String> = (1..=210).map(|n| format!("M-{n}")).collect();
    repo.ok_as(&other, &[&["claim", "task"][..], &held.iter().map(String::as_str).collect::<Vec<_>>()].concat());
    assert_eq!(next(repo, &me), "M-211");
}

#[test]
fn an_issue_is_done_though_its_claim_went_meanwhile_and_never_in_place_of_our_own() {
    let env = TestEnvironment::new();
    let tracker = Tracker::new(&env, "bd");
    let repo = &tracker.repo;
    let me = repo.register("claude");
    assert_eq!(next(repo, &me), "AI-1");
    fs::write(tracker.home.join("on-close"), format!("git aio --as {me} release all >/dev/null")).unwrap();
    assert_eq!(repo.ok_as(&me, &["tasks", "done", "AI-1"]), "done AI-1\n");
    fs::remove_file(tracker.home.join("on-close")).unwrap();
    put(repo, &me, "AI-2", &[]);
    assert_eq!(next(repo, &me), "AI-2");
    let calls = tracker.calls().len();
    assert_refused(&repo.aio_as(&me, &["tasks", "done", "AI-2", "--from", "bd"]), 2, "the task AI-2 is our own");
    assert_eq!(tracker.calls().len(), calls);
    assert_eq!(repo.json_as(&me, &["status"])["claims"][0]["target"], "AI-2");
}
