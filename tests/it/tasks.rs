//! The queue of tasks: put in, listed, drawn, done, and handed on.

#[cfg(unix)]
mod beads;
mod hostile;
mod hub;
mod kill;
mod named;
mod race;
mod show;

use crate::env::{Ended, Repo, TestEnvironment};
use serde_json::Value;

/// Puts a task called `id` into the queue.
fn put(repo: &Repo<'_>, me: &str, id: &str, more: &[&str]) {
    repo.ok_as(me, &[&["tasks", "new", &format!("do {id}"), "--id", id], more].concat());
}

/// The task that an instance draws.
fn next(repo: &Repo<'_>, me: &str) -> String {
    repo.ok_as(me, &["tasks", "next"]).trim().to_owned()
}

/// All tasks that there are, as `id state`.
fn listed(repo: &Repo<'_>, me: &str) -> Vec<String> {
    let answer = repo.json_as(me, &["tasks", "list", "--all"]);
    let tasks = answer["tasks"].as_array().unwrap_or_else(|| panic!("{answer:#}"));
    let word = |task: &Value, key: &str| task[key].as_str().unwrap().to_owned();
    tasks.iter().map(|task| format!("{} {}", word(task, "id"), word(task, "state"))).collect()
}

/// How often the history says that `task` was done.
fn times_done(repo: &Repo<'_>, task: &str) -> usize {
    let log = repo.git(&["log", "--format=%s", "refs/aio/state"]);
    log.lines().filter(|line| line.starts_with(&format!("finish-task: {task} by"))).count()
}

fn assert_refused(ended: &Ended, code: i32, says: &str) {
    assert_eq!(ended.code, code, "{ended:?}");
    assert!(ended.stderr.contains(says), "{says}: {ended:?}");
}

#[test]
fn a_session() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    let at = "2026-11-21T10:00:00Z";
    let turns: &[(&str, &[&str])] = &[
        (&claude, &["tasks"]),
        (&claude, &["tasks", "new", "Fix the login", "--id", "LOGIN", "--text", "It fails.", "--path", "src/auth"]),
        (&claude, &["tasks", "new", "Test the login", "--id", "TEST", "--needs", "LOGIN"]),
        (&claude, &["tasks", "new", "Look at the logs", "--id", "LOGS", "--priority", "3"]),
        (&claude, &["tasks", "list"]),
        (&codex, &["tasks", "next"]),
        (&codex, &["tasks", "next"]),
        (&claude, &["tasks", "list"]),
        (&claude, &["tasks", "next"]),
        (&claude, &["tasks", "done", "LOGIN"]),
        (&codex, &["tasks", "done", "LOGIN", "--result", "It works."]),
        (&codex, &["tasks", "done", "LOGIN"]),
        (&claude, &["tasks", "done", "LOGIN"]),
        (&claude, &["tasks", "list", "--all"]),
        (&claude, &["tasks", "list", "--ready"]),
        (&claude, &["status"]),
    ];
    let seen = repo.turns(at, turns);
    insta::assert_snapshot!(seen, @r#"
    claude-1$ git aio tasks
    no tasks
    claude-1$ git aio tasks new Fix the login --id LOGIN --text It fails. --path src/auth
    LOGIN
    claude-1$ git aio tasks new Test the login --id TEST --needs LOGIN
    TEST
    claude-1$ git aio tasks new Look at the logs --id LOGS --priority 3
    LOGS
    claude-1$ git aio tasks list
    LOGIN  ready: "Fix the login"
    TEST  waits for LOGIN: "Test the login"
    LOGS  ready, priority 3: "Look at the logs"
    codex-2$ git aio tasks next
    LOGIN
    ! "Fix the login"
    ! It fails.
    codex-2$ git aio tasks next
    LOGIN
    ! "Fix the login" (you hold it already)
    ! It fails.
    claude-1$ git aio tasks list
    LOGIN  held by codex-2, claimed 0s ago, token 7: "Fix the login"
    TEST  waits for LOGIN: "Test the login"
    LOGS  ready, priority 3: "Look at the logs"
    claude-1$ git aio tasks next
    LOGS
    ! "Look at the logs"
    claude-1$ git aio tasks done LOGIN
    ! error: the task LOGIN is held by codex-2
    ! hint: whoever holds it says that it is done; a person may do so for them, by --force
    [exit 3]
    codex-2$ git aio tasks done LOGIN --result It works.
    done LOGIN
    codex-2$ git aio tasks done LOGIN
    LOGIN was done already, by you
    claude-1$ git aio tasks done LOGIN
    ! error: the task LOGIN is done already, by codex-2
    ! hint: take another: `git aio tasks next`
    [exit 3]
    claude-1$ git aio tasks list --all
    TEST  ready: "Test the login"
    LOGS  held by you, claimed 0s ago, token 9, priority 3: "Look at the logs"
    LOGIN  done by codex-2 0s ago: "Fix the login"
    claude-1$ git aio tasks list --ready
    TEST  ready: "Test the login"
    claude-1$ git aio status
    demo after 11 operations

    claude-1 live, seen 0s ago: "Look at the logs" [LOGS] (you)
      HEX  LOGS (task), claimed 0s ago

    codex-2 live, seen 0s ago

    2 tasks to be done, 1 ready
      LOGS  held by you, claimed 0s ago, token 9, priority 3: "Look at the logs"
    "#);
}

#[test]
fn tasks_are_drawn_by_priority_and_age_and_never_before_what_they_need() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let me = repo.register("claude");
    for (at, id, more) in [
        ("01", "old", &[][..]),
        ("02", "young", &[]),
        ("03", "low", &["--priority", "4"]),
        ("04", "urgent", &["--priority", "0", "--needs", "young"]),
    ] {
        let args = [&["tasks", "new", id, "--id", id], more].concat();
        let made = repo.aio_at(&format!("2026-11-21T10:00:{at}Z"), &me, &args);
        assert_eq!((made.code, made.stdout.trim()), (0, id), "{made:?}");
    }
    let mut drawn = Vec::new();
    for _ in 0..4 {
        drawn.push(next(&repo, &me));
        repo.ok_as(&me, &["tasks", "done", drawn.last().unwrap()]);
    }
    assert_eq!(drawn, ["old", "young", "urgent", "low"]);
    let none = repo.aio_as(&me, &["tasks", "next"]);
    assert_refused(&none, 8, "no task is ready: none is left");
    assert_eq!(repo.json_as(&me, &["tasks", "next"])["error"]["kind"], "not-found");
}

#[test]
fn ids_are_random_and_shortened_or_chosen_and_never_given_twice() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let me = repo.register("claude");
    let id = repo.ok_as(&me, &["tasks", "new", "one"]).trim().to_owned();
    assert!(id.len() == 14 && id.starts_with("t-"), "{id}");
    let task = &repo.json_as(&me, &["tasks", "list"])["tasks"][0];
    assert_eq!((&task["id"], &task["short_id"]), (&id.as_str().into(), &id[..6].into()));
    put(&repo, &me, "two", &["--needs", &id[..6]]);
    assert_eq!(next(&repo, &me), id);
    repo.ok_as(&me, &["tasks", "done", &id[..6]]);
    let again = repo.aio_as(&me, &["tasks", "new", "other", "--id", "two"]);
    assert_refused(&again, 2, "there is a task two already");
    put(&repo, &me, "two-more", &[]);
    assert_eq!(next(&repo, &me), "two", "what is named in full is meant");
}

#[test]
fn a_chosen_id_is_named_in_full_and_never_meant_by_another() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let me = repo.register("claude");
    put(&repo, &me, "T-12", &[]);
    assert_eq!(next(&repo, &me), "T-12");
    let before = repo.operations();
    assert_refused(&repo.aio_as(&me, &["tasks", "done", "T-1"]), 8, "no task T-1; did you mean T-12?");
    let needs = ["tasks", "new", "b", "--id", "b", "--needs", "T-1"];
    assert_refused(&repo.aio_as(&me, &needs), 8, "no task T-1; did you mean T-12?");
    assert_refused(&repo.aio_as(&me, &["tasks", "done", "t-"]), 8, "no task t-");
    assert_eq!(repo.operations(), before);
}

/// More than a listing has room for: 16 KiB and more each.
#[test]
fn however_much_has_been_done_the_oldest_open_task_is_drawn_and_knows_what_is_done() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let me = repo.register("claude");
    let words = "x".repeat(8 * 1024);
    for (at, args) in [("00", &["first", "--id", "first"][..]), ("01", &["low", "--id", "low", "--needs", "first"])] {
        let made = repo.aio_at(&format!("2026-01-01T00:00:{at}Z"), &me, &[&["tasks", "new"], args].concat());
        assert_eq!(made.code, 0, "{made:?}");
    }
    let done = |at: usize| {
        let record = format!(
            r#"{{"v":1,"id":"d-{at}","title":"x","text":"{words}","by":"{me}","at":"2026-02-01T00:00:00Z","priority":2,"paths":[],
            "needs":[],"run":null,"state":"done","done":{{"by":"{me}","at":"2026-02-02T00:00:00Z","result":"{words}","token":1}}}}"#
        );
        (format!("tasks/d-{at}.json"), record)
    };
    let records: Vec<(String, String)> = (0..1300).map(done).collect();
    let records: Vec<(&str, String)> = records.iter().map(|(path, record)| (&path[..], record.clone())).collect();
    hostile::slip_in(&repo, &records);
    assert_eq!(next(&repo, &me), "first");
    repo.ok_as(&me, &["tasks", "done", "first"]);
    assert_eq!(repo.ok_as(&me, &["tasks", "list"]), "low  ready: \"low\"\n");
    assert_eq!(next(&repo, &me), "low");
    let status = repo.json_as(&me, &["status"]);
    assert_eq!((&status["tasks"]["waiting"], &status["tasks"]["ready"]), (&0.into(), &0.into()));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let me = repo.register("claude");
    put(&repo, &me, "LOGIN", &[]);
    let before = repo.operations();
    let long = "x".repeat(9000);
    for (args, code, says) in [
        (&["a", "--needs", "LOGINN"][..], 8, "no task LOGINN; did you mean LOGIN?"),
        (&["a", "--needs", "x"], 8, "no task x"),
        (&["a", "--id", "a", "--needs", "a"], 2, "would need itself"),
        (&["", "--id", "a"], 2, "no title"),
        (&["two\nlines"], 2, "one line"),
        (&["a", "--text", &long], 2, "8192 is the most"),
        (&["a", "--priority", "5"], 2, "no priority 5"),
        (&["a", "--id", "a b"], 2, "invalid task id"),
        (&["a", "--path", "../outside"], 2, "outside"),
    ] {
        assert_refused(&repo.aio_as(&me, &[&["tasks", "new"], args].concat()), code, says);
    }
    assert_refused(&repo.aio_as(&me, &["tasks", "done", "nothing"]), 8, "no task nothing");
    let stranger = repo.aio(&["tasks", "new", "a", "--needs", "x"]);
    assert!(stranger.code == 8 && !stranger.stderr.contains("registered as"), "{stranger:?}");
    assert_refused(&repo.aio_as(&me, &["tasks", "list", "--from", "bd"]), 8, "no issues of bd are here");
    assert_eq!(repo.operations(), before);
}

#[test]
fn whoever_holds_one_gets_it_again_and_another_only_by_asking_for_it() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (me, other) = (repo.register("claude"), repo.register("codex"));
    ["a", "b", "c"].iter().for_each(|id| put(&repo, &me, id, &["--text", "all of it"]));
    let first = next(&repo, &me);
    let before = repo.operations();
    let again = repo.aio_as(&me, &["tasks", "next"]);
    assert_eq!((again.stdout.trim(), repo.operations()), (&first[..], before), "{again:?}");
    assert!(again.stderr.contains("you hold it already") && again.stderr.contains("all of it"), "{again:?}");
    let more = repo.ok_as(&me, &["tasks", "next", "--another"]).trim().to_owned();
    let theirs = next(&repo, &other);
    let mut all = [first.clone(), more, theirs];
    all.sort();
    assert_eq!(all, ["a", "b", "c"]);
    assert_refused(&repo.aio_as(&repo.register("amp"), &["tasks", "next"]), 8, "3 are held");
    // What it says it is doing is the task, and no longer when that is done.
    let whoami = repo.json_as(&other, &["whoami"]);
    assert_eq!(whoami["instance"]["task"]["id"], all.iter().find(|id| **id == next(&repo, &other)).unwrap().as_str());
    repo.ok_as(&other, &["tasks", "done", &next(&repo, &other)]);
    assert!(repo.json_as(&other, &["whoami"])["instance"]["task"].is_null());
    // One that is given back is there for others.
    repo.ok_as(&me, &["release", "all"]);
    assert_eq!(next(&repo, &other), first);
}

#[test]
fn only_who_holds_a_task_says_that_it_is_done_and_says_so_once() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (me, other) = (repo.register("claude"), repo.register("codex"));
    ["a", "b", "c"].iter().for_each(|id| put(&repo, &me, id, &[]));
    assert_refused(&repo.aio_as(&me, &["tasks", "done", "a"]), 3, "you don't hold the task a alone");
    repo.ok_as(&me, &["claim", "task", "a"]);
    assert_refused(&repo.aio_as(&other, &["tasks", "done", "a"]), 3, &format!("held by {me}"));
    let before = repo.operations();
    assert_eq!(repo.ok_as(&me, &["tasks", "done", "a"]), "done a\n");
    assert_eq!(repo.operations(), before + 1, "the claim ends with it, in one operation");
    assert_eq!(repo.ok_as(&me, &["tasks", "done", "a"]), "a was done already, by you\n");
    assert_refused(&repo.aio_as(&other, &["tasks", "done", "a"]), 3, &format!("done already, by {me}"));
    assert_refused(&repo.aio_as(&other, &["claim", "task", "a"]), 3, "done already");
    // A person may, with a reason, and whoever held it is told.
    repo.ok_as(&me, &["claim", "task", "b"]);
    let force = ["tasks", "done", "b", "--force", "--why", "of no use"];
    assert_refused(&repo.aio_as(&other, &force), 3, "only a person");
    assert_eq!(repo.aio(&["tasks", "done", "b", "--force"]).code, 2);
    let done = repo.ok(&force);
    assert!(done.contains("of no use") || repo.ok(&["tasks", "show", "b"]).contains("of no use"), "{done}");
    let told = repo.aio_as(&me, &["whoami"]);
    assert!(told.stderr.contains("your claim on b was ended") && told.stderr.contains("of no use"), "{told:?}");
    assert_eq!(listed(&repo, &me), ["c ready", "a done", "b done"]);
    assert_eq!(times_done(&repo, "a"), 1);
}

#[test]
fn what_a_stale_instance_held_is_ready_again() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (gone, me) = (repo.register("codex"), repo.register("claude"));
    put(&repo, &me, "a", &[]);
    assert_eq!(next(&repo, &gone), "a");
    let later = (chrono::Utc::now() + chrono::TimeDelta::minutes(10)).to_rfc3339();
    let listed = repo.aio_at(&later, &me, &["tasks", "list"]);
    assert!(listed.stdout.contains("a  ready"), "{listed:?}");
    let taken = repo.aio_at(&later, &me, &["tasks", "next"]);
    assert_eq!((taken.code, taken.stdout.trim()), (0, "a"), "{taken:?}");
    let late = repo.aio_at(&later, &gone, &["tasks", "done", "a"]);
    assert_refused(&late, 3, &format!("held by {me}"));
}

#[test]
fn a_handoff_carries_a_task_to_the_hub_which_accepts_or_declines_it() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (spoke, hub) = (repo.register("codex"), repo.register("claude"));
    put(&repo, &hub, "a", &[]);
    repo.ok_as(&spoke, &["claim", "src/main.rs"]);
    assert_eq!(next(&repo, &spoke), "a");
    let hand_on = || {
        let made = repo.json_as(&spoke, &["handoff", "new", "a is done", "--task", "a", "--to", "claude"]);
        made["handoff"]["id"].as_str().unwrap_or_else(|| panic!("{made:#}")).to_owned()
    };
    let handoff = hand_on();
    assert_eq!(hand_on(), handoff, "made again it is the same");
    let line = repo.ok_as(&hub, &["tasks", "list"]);
    assert!(line.contains(&format!("a  held by {handoff}")), "{line}");
    // It would be free for anybody to do once more.
    assert_refused(&repo.aio_as(&spoke, &["handoff", "done", &handoff]), 3, "holds the task a, which is not done");
    assert_refused(&repo.aio_as(&spoke, &["tasks", "done", "a"]), 3, &format!("held by {handoff}"));
    assert_refused(&repo.aio_as(&hub, &["tasks", "next"]), 8, "1 is held");
    repo.ok_as(&hub, &["handoff", "decline", &handoff]);
    assert_eq!(next(&repo, &spoke), "a", "it is back");
    let handoff = hand_on();
    repo.ok_as(&hub, &["handoff", "accept", &handoff]);
    assert_eq!(repo.ok_as(&hub, &["tasks", "done", "a", "--result", "fine"]), "done a\n");
    repo.ok_as(&hub, &["handoff", "done", &handoff]);
    assert_eq!(listed(&repo, &hub), ["a done"]);
}

#[test]
fn a_store_with_tasks_is_written_by_those_who_know_them_and_one_without_by_all() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let me = repo.register("claude");
    let meta = || serde_json::from_str::<Value>(&repo.git(&["show", "refs/aio/state:aio.json"])).unwrap();
    assert_eq!((&meta()["format"], &meta()["min_writer"]), (&1.into(), &1.into()));
    repo.ok_as(&me, &["claim", "task", "AI-1"]);
    assert_eq!(meta()["min_writer"], 1);
    put(&repo, &me, "a", &[]);
    assert_eq!((&meta()["format"], &meta()["min_writer"]), (&2.into(), &2.into()));
    let doctor = repo.aio(&["doctor"]);
    assert!(doctor.stdout.contains("records            3 records readable"), "{doctor:?}");
}

#[test]
fn what_was_done_long_ago_is_let_go_of_with_the_history() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let at = |now: &str, me: &str, args: &[&str]| {
        let ended = repo.aio_at(now, me, args);
        assert_eq!(ended.code, 0, "{args:?} {ended:?}");
    };
    let me = repo.register("claude");
    put(&repo, &me, "old", &[]);
    put(&repo, &me, "needed", &[]);
    put(&repo, &me, "young", &[]);
    put(&repo, &me, "open", &["--needs", "needed"]);
    for (now, id) in
        [("2026-01-01T00:00:00Z", "old"), ("2026-01-01T00:00:00Z", "needed"), ("2026-01-20T00:00:00Z", "young")]
    {
        at(now, &me, &["claim", "task", id]);
        at(now, &me, &["tasks", "done", id]);
    }
    at("2026-02-10T00:00:00Z", &me, &["compact"]);
    let mut left = listed(&repo, &me);
    left.sort();
    assert_eq!(left, ["needed done", "open ready", "young done"]);
}
