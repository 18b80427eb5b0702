//! A task, told whole.

use super::{assert_refused, put};
use crate::env::TestEnvironment;

#[test]
fn a_task_is_told_with_who_has_it_what_it_needs_and_what_came_of_it() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    let at = "2026-11-21T10:00:00Z";
    let long = "It fails.\nresult\n  \u{1b}[2Jnot ours";
    let turns: &[(&str, &[&str])] = &[
        (&claude, &["tasks", "new", "Look", "--id", "LOOK"]),
        (&claude, &["tasks", "new", "Log", "--id", "LOG"]),
        (&claude, &["tasks", "new", "Fix", "--id", "FIX", "--needs", "LOOK", "--needs", "LOG", "--path", "src/auth"]),
        (&claude, &["claim", "task", "LOG"]),
        (&claude, &["tasks", "done", "LOG", "--result", "One.\nTwo."]),
        (&codex, &["claim", "task", "FIX", "--why", "now"]),
        (&claude, &["tasks", "show", "FIX"]),
        (&claude, &["tasks", "show", "LOG"]),
        (&claude, &["tasks", "show", "NOTHING"]),
    ];
    repo.aio_at(at, &claude, &["tasks", "new", "Odd", "--id", "t-0123456789ab", "--text", long]);
    let seen = repo.turns(at, turns);
    insta::assert_snapshot!(seen, @r#"
    claude-1$ git aio tasks new Look --id LOOK
    LOOK
    claude-1$ git aio tasks new Log --id LOG
    LOG
    claude-1$ git aio tasks new Fix --id FIX --needs LOOK --needs LOG --path src/auth
    FIX
    claude-1$ git aio claim task LOG
    claimed HEX  LOG (task)
    claude-1$ git aio tasks done LOG --result One.
    Two.
    done LOG
    codex-2$ git aio claim task FIX --why now
    claimed HEX  FIX (task): "now"
    claude-1$ git aio tasks show FIX
    FIX  held by codex-2, claimed 0s ago, token 10: "Fix"
    made     by claude-1, 0s ago
    changes  src/auth
    needs    LOOK, not done
    needs    LOG, done
    claim    HEX  FIX (task) by codex-2, claimed 0s ago: "now"
    claude-1$ git aio tasks show LOG
    LOG  done by claude-1 0s ago: "Log"
    made     by claude-1, 0s ago
    result
      One.
      Two.
    claude-1$ git aio tasks show NOTHING
    ! error: no task NOTHING
    ! hint: `git aio tasks list` shows those there are
    [exit 8]
    "#);
    let odd = repo.aio_at(at, &claude, &["tasks", "show", "t-0123"]);
    // No line of it can be taken for one of ours, and none acts on the terminal.
    let odd = repo.steady(&odd.stdout);
    assert!(odd.contains("\nid       t-0123456789ab\n"), "{odd}");
    assert!(odd.ends_with("\ntext\n  It fails.\n  result\n    \\u{1b}[2Jnot ours\n"), "{odd}");
}

#[test]
fn a_task_in_a_handoff_is_told_with_that_and_in_json_all_of_it() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    put(&repo, &claude, "a", &["--text", "all of it"]);
    repo.ok_as(&codex, &["tasks", "next"]);
    let made = repo.json_as(&codex, &["handoff", "new", "go on", "--task", "a"]);
    let told = repo.json_as(&claude, &["tasks", "show", "a"]);
    assert_eq!(told["handoff"]["id"], made["handoff"]["id"], "{told:#}");
    assert_eq!(told["task"]["claim"]["holder"], made["handoff"]["id"], "{told:#}");
    assert_eq!((&told["task"]["text"], &told["task"]["state"]), (&"all of it".into(), &"held".into()));
    let words = repo.ok_as(&claude, &["tasks", "show", "a"]);
    assert!(words.contains(&format!("open, from {codex}")) && words.contains("\ntext\n  all of it\n"), "{words}");
    assert_refused(&repo.aio_as(&claude, &["tasks", "show", ""]), 8, "no task");
}
