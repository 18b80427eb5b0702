//! Whoever is killed at a write of the queue says the same again, and it has happened once.

use super::{listed, next, put, times_done};
use crate::env::{TestEnvironment, run};

const STEPS: [&str; 7] =
    ["objects-written", "ref-about-to-move", "value-noted", "ref-locked", "log-written", "ref-renamed", "ref-moved"];

const KILLED: i32 = 128 + 9;

#[test]
fn a_kill_at_any_step_makes_nothing_happen_twice() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (me, other) = (repo.register("claude"), repo.register("codex"));
    for step in STEPS {
        let killed = |args: &[&str]| {
            let ended = run(repo.command(args).env("AIO_INSTANCE", &me).env("AIO_TEST_KILL_AT", step));
            assert_eq!(ended.code, KILLED, "{step} {args:?} {ended:?}");
        };
        put(&repo, &me, step, &[]);
        killed(&["tasks", "next"]);
        assert_eq!(next(&repo, &me), step);
        assert_eq!(repo.aio_as(&other, &["tasks", "next"]).code, 8, "{step}");
        killed(&["tasks", "done", step]);
        repo.ok_as(&me, &["tasks", "done", step]);
        assert_eq!(times_done(&repo, step), 1, "{step}");
    }
    assert_eq!(listed(&repo, &me).len(), STEPS.len());
    assert!(listed(&repo, &me).iter().all(|task| task.ends_with(" done")));
}
