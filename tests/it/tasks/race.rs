//! Many who draw at once.

use super::{listed, put, times_done};
use crate::env::{Repo, TestEnvironment};
use std::{collections::BTreeMap, thread};

/// Draws and does tasks until none is ready; which these were.
pub(super) fn drained(repo: &Repo<'_>, me: &str) -> Vec<String> {
    let mut done = Vec::new();
    loop {
        let drawn = repo.aio_as(me, &["tasks", "next"]);
        match drawn.code {
            0 => {
                let id = drawn.stdout.trim().to_owned();
                repo.ok_as(me, &["tasks", "done", &id]);
                done.push(id);
            }
            // Somebody was always quicker: once more.
            75 => {}
            8 => return done,
            _ => panic!("{drawn:?}"),
        }
    }
}

#[test]
fn of_many_processes_each_takes_another_task() {
    const PROCESSES: usize = 16;
    const TASKS: usize = 40;
    let env = TestEnvironment::new();
    let repo = env.repo();
    let first = repo.register("claude");
    (0..TASKS).for_each(|n| put(&repo, &first, &format!("T-{n}"), &[]));
    let instances: Vec<String> = (0..PROCESSES).map(|_| repo.register("codex")).collect();
    let done: Vec<(String, String)> = thread::scope(|scope| {
        let at_work: Vec<_> = instances
            .iter()
            .map(|me| scope.spawn(|| drained(&repo, me).into_iter().map(|id| (id, me.clone())).collect::<Vec<_>>()))
            .collect();
        at_work.into_iter().flat_map(|one| one.join().unwrap()).collect()
    });
    let by_task: BTreeMap<&String, &String> = done.iter().map(|(id, who)| (id, who)).collect();
    assert_eq!((done.len(), by_task.len()), (TASKS, TASKS), "{done:?}");
    assert!(listed(&repo, &first).iter().all(|task| task.ends_with(" done")));
    (0..TASKS).for_each(|n| assert_eq!(times_done(&repo, &format!("T-{n}")), 1, "T-{n}"));
}
