//! One queue for several clones: the hub decides who takes a task, and that it is done.

use super::{assert_refused, listed, put, race::drained, times_done};
use crate::{
    env::TestEnvironment,
    hub::{Hub, Member, Way, assert_same},
};
use std::{fs, thread};

/// Two clones, both with the tasks of these names.
fn two_with<'e>(hub: &Hub<'e>, tasks: &[&str]) -> [Member<'e>; 2] {
    let members = hub.two_in_step();
    tasks.iter().for_each(|task| put(&members[0].repo, &members[0].me, task, &[]));
    members.iter().for_each(|member| drop(member.sync()));
    members
}

fn list(member: &Member<'_>) -> Vec<String> {
    let mut tasks = listed(&member.repo, &member.me);
    tasks.sort();
    tasks
}

#[test]
fn what_one_clone_takes_the_other_does_not_though_it_has_not_synced() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = two_with(&hub, &["a", "b"]);
    let first = one.ok(&["tasks", "next"]);
    let second = two.ok(&["tasks", "next"]);
    assert_ne!(first, second);
    assert_eq!(
        one.aio(&["tasks", "done", first.trim()]).stdout,
        format!("done {} (confirmed by the hub)\n", first.trim())
    );
    assert_refused(&one.aio(&["tasks", "next"]), 8, "1 is held");
    two.ok(&["tasks", "done", second.trim()]);
    assert_refused(&one.aio(&["tasks", "next"]), 8, "none is left");
    [&one, &two].iter().for_each(|member| drop(member.sync()));
    assert_eq!(list(&one), ["a done", "b done"]);
    assert_eq!(list(&two), list(&one));
    hub.assert_linear();
    assert_same(&hub, &[one, two]);
}

#[test]
fn whether_what_a_task_needs_is_done_is_decided_on_what_the_hub_has() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = two_with(&hub, &["a"]);
    put(&one.repo, &one.me, "b", &["--needs", "a"]);
    one.ok(&["claim", "task", "b"]);
    one.sync();
    assert_refused(&one.aio(&["tasks", "done", "b"]), 3, "the task b needs what is not done: a");
    assert_eq!(two.ok(&["tasks", "next"]).trim(), "a");
    assert_refused(&one.aio(&["tasks", "next"]), 8, "1 is held, 1 is waiting for others");
    two.ok(&["tasks", "done", "a"]);
    // Though this clone has not heard of it.
    assert!(list(&one).contains(&"a held".to_owned()), "{:?}", list(&one));
    assert_eq!(one.ok(&["tasks", "done", "b"]), "done b (confirmed by the hub)\n");
    [&one, &two].iter().for_each(|member| drop(member.sync()));
    assert_eq!(list(&one), ["a done", "b done"]);
    assert_same(&hub, &[one, two]);
}

#[test]
fn drivers_in_two_clones_do_every_task_once() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let tasks: Vec<String> = (0..10).map(|n| format!("T-{n}")).collect();
    let [one, two] = two_with(&hub, &tasks.iter().map(String::as_str).collect::<Vec<_>>());
    let mut done: Vec<String> = thread::scope(|scope| {
        let at_work = [&one, &two].map(|member| scope.spawn(|| drained(&member.repo, &member.me)));
        at_work.into_iter().flat_map(|one| one.join().unwrap()).collect()
    });
    done.sort();
    assert_eq!(done, tasks);
    [&one, &two, &one].iter().for_each(|member| drop(member.sync()));
    tasks.iter().for_each(|task| assert_eq!(times_done(&hub.repo(), task), 1, "{task}"));
    hub.assert_linear();
}

#[test]
fn without_the_hub_nothing_new_is_taken_or_done_and_what_is_held_is_gone_on_with() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = two_with(&hub, &["a", "b"]);
    assert_eq!(one.ok(&["tasks", "next"]), "a\n");
    fs::rename(&hub.dir, hub.dir.with_extension("away")).unwrap();
    assert_refused(&two.aio(&["tasks", "next"]), 7, "no task was taken");
    assert_eq!(one.ok(&["tasks", "next"]), "a\n", "it is surely held");
    assert_refused(&one.aio(&["tasks", "next", "--another"]), 7, "no task was taken");
    assert_refused(&one.aio(&["tasks", "done", "a"]), 7, "the task is not done");
    put(&one.repo, &one.me, "c", &[]);
    fs::rename(hub.dir.with_extension("away"), &hub.dir).unwrap();
    one.ok(&["tasks", "done", "a"]);
    two.sync();
    assert_eq!(list(&two), ["a done", "b ready", "c ready"]);
}

#[test]
fn of_two_tasks_of_one_name_the_first_stands_and_the_other_is_a_note() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = hub.two_in_step();
    one.ok(&["tasks", "new", "Fix the parser", "--id", "AI-1"]);
    one.ok(&["tasks", "new", "The same", "--id", "AI-2"]);
    two.ok(&["tasks", "new", "Fix the lexer", "--id", "AI-1", "--text", "It is slow."]);
    two.ok(&["tasks", "new", "The same", "--id", "AI-2"]);
    one.sync();
    let told = two.aio(&["sync"]);
    assert_refused(&told, 0, "another clone made the task AI-1 first");
    assert!(!told.stderr.contains("AI-2"), "who says the same loses nothing: {told:?}");
    one.sync();
    for member in [&one, &two] {
        assert_eq!(list(member), ["AI-1 ready", "AI-2 ready"]);
        assert!(member.ok(&["tasks", "list"]).contains("Fix the parser"));
        let warned = member.ok(&["context", "get", "warning"]);
        assert!(warned.contains("Fix the lexer") && warned.contains("It is slow."), "{warned}");
    }
    assert_same(&hub, &[one, two]);
}

#[test]
fn who_took_a_task_without_the_hub_loses_it_to_who_has_done_it() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = two_with(&hub, &["a", "b"]);
    one.repo.git(&["config", "--unset", "aio.remote"]);
    assert_eq!(one.ok(&["tasks", "next"]), "a\n");
    assert_eq!(two.ok(&["tasks", "next"]), "a\n");
    two.ok(&["tasks", "done", "a", "--result", "by two"]);
    one.repo.git(&["config", "aio.remote", "origin"]);
    one.sync();
    assert_refused(&one.aio(&["tasks", "done", "a"]), 3, &format!("done already, by {}", two.me));
    assert_eq!(one.ok(&["tasks", "next"]), "b\n");
    assert_eq!(times_done(&hub.repo(), "a"), 1);
    let lost = one.ok(&["--json", "status"]);
    assert!(lost.contains("\"lost\""), "{lost}");
}

#[test]
fn who_has_done_a_task_without_the_hub_is_told_where_somebody_else_has_it() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = two_with(&hub, &["a"]);
    one.repo.git(&["config", "--unset", "aio.remote"]);
    assert_eq!(one.ok(&["tasks", "next"]), "a\n");
    one.ok(&["tasks", "done", "a", "--result", "The cookie was never set."]);
    assert_eq!(two.ok(&["tasks", "next"]), "a\n");
    one.repo.git(&["config", "aio.remote", "origin"]);
    assert_refused(&one.aio(&["sync"]), 0, "the hub does not take it that the task a was done here");
    assert_eq!(list(&one), ["a held"], "the hub gave it to the other");
    let kept = one.ok(&["context", "get", "warning"]);
    assert!(kept.contains("The cookie was never set.") && kept.contains("somebody else has it"), "{kept}");
    two.ok(&["tasks", "done", "a"]);
    assert_eq!(times_done(&hub.repo(), "a"), 1);
}

#[test]
fn who_has_called_a_handoff_done_is_told_that_its_task_is_open_on_the_hub() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = hub.two_in_step();
    one.ok(&["claim", "task", "AI-1"]);
    one.ok(&["handoff", "new", "go on", "--task", "AI-1"]);
    one.sync();
    let listed = one.repo.json_as(&one.me, &["handoff", "list"]);
    let handoff = listed["handoffs"][0]["id"].as_str().unwrap_or_else(|| panic!("{listed:#}")).to_owned();
    one.repo.git(&["config", "--unset", "aio.remote"]);
    two.sync();
    put(&two.repo, &two.me, "AI-1", &[]);
    two.sync();
    one.ok(&["handoff", "done", &handoff]);
    one.repo.git(&["config", "aio.remote", "origin"]);
    assert_refused(&one.aio(&["sync"]), 0, &format!("the hub does not take it that {handoff} is done"));
    assert_eq!(one.repo.json_as(&one.me, &["handoff", "list"])["handoffs"][0]["state"], "open");
    let kept = one.ok(&["context", "get", "warning"]);
    assert!(kept.contains("holds the task AI-1, which is to be done"), "{kept}");
}

#[test]
fn a_kill_at_any_step_of_an_exchange_does_nothing_twice() {
    const STEPS: [&str; 8] = [
        "sync-fetched",
        "sync-replayed",
        "sync-adopted",
        "sync-about-to-push",
        "sync-pushed",
        "sync-remembered",
        "sync-about-to-finish",
        "ref-moved",
    ];
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = two_with(&hub, &STEPS);
    for _ in STEPS {
        let mut drawn = Vec::new();
        for step in STEPS {
            let killed = one.killed_at(step, &["tasks", "next"]);
            assert!([0, 128 + 9].contains(&killed.code), "{step}: {killed:?}");
            drawn.push(one.ok(&["tasks", "next"]).trim().to_owned());
        }
        drawn.dedup();
        assert_eq!(drawn.len(), 1, "it goes on with its own: {drawn:?}");
        let theirs = two.aio(&["tasks", "next"]);
        assert_ne!(theirs.stdout.trim(), drawn[0]);
        for step in STEPS {
            let killed = one.killed_at(step, &["tasks", "done", &drawn[0]]);
            assert!([0, 128 + 9].contains(&killed.code), "{step}: {killed:?}");
        }
        one.ok(&["tasks", "done", &drawn[0]]);
        if theirs.code == 0 {
            two.ok(&["tasks", "done", theirs.stdout.trim()]);
        }
        one.sync();
        if list(&one).iter().all(|task| task.ends_with("done")) {
            break;
        }
    }
    [&one, &two].iter().for_each(|member| drop(member.sync()));
    STEPS.iter().for_each(|task| assert_eq!(times_done(&hub.repo(), task), 1, "{task}"));
    hub.assert_linear();
}
