//! Which task a word means: the same wherever one is named. And a claim by hand is the one by which `tasks next` takes one.

use super::{assert_refused, listed, next, put};
use crate::env::{Repo, TestEnvironment, run};

/// What an instance holds, by the targets.
fn held(repo: &Repo<'_>, me: &str) -> Vec<String> {
    let status = repo.json_as(me, &["status"]);
    let claims = status["claims"].as_array().unwrap_or_else(|| panic!("{status:#}"));
    claims.iter().map(|claim| claim["target"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_beginning_of_an_id_means_its_task_in_every_command() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (me, other) = (repo.register("claude"), repo.register("codex"));
    let id = repo.ok_as(&me, &["tasks", "new", "one"]).trim().to_owned();
    let short = &id[..6];
    repo.ok_as(&me, &["claim", "task", short]);
    assert_eq!(held(&repo, &me), [&id[..]]);
    assert_eq!(repo.json_as(&other, &["check", "task", short])["paths"][0]["available"], false);
    assert_refused(&repo.aio_as(&other, &["claim", "task", &id[..8]]), 3, &format!("{id} is held by {me}"));
    let again = repo.aio_as(&me, &["tasks", "next"]);
    assert_eq!(again.stdout.trim(), id, "{again:?}");
    assert!(again.stderr.contains("you hold it already"), "{again:?}");
    repo.ok_as(&me, &["task", "at work on it", short]);
    assert_eq!(repo.json_as(&me, &["whoami"])["instance"]["task"]["id"], id.as_str());
    repo.ok_as(&me, &["tasks", "done", short]);
    assert_eq!(listed(&repo, &me), [format!("{id} done")]);
    assert!(repo.json_as(&me, &["whoami"])["instance"]["task"].is_null());
}

#[test]
fn a_beginning_of_several_means_none_and_what_is_no_task_is_an_issue_of_its_own() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let me = repo.register("claude");
    ["t-0123456789ab", "t-0123456789cd"].iter().for_each(|id| put(&repo, &me, id, &[]));
    for args in [&["claim", "task", "t-01234567"][..], &["check", "task", "t-01234567"], &["task", "x", "t-0123"]] {
        assert_refused(&repo.aio_as(&me, args), 2, "is the beginning of 2 tasks");
    }
    assert_refused(&repo.aio_as(&me, &["claim", "task", "no such id"]), 2, "invalid task id");
    repo.ok_as(&me, &["claim", "task", "AI-1"]);
    assert_eq!(held(&repo, &me), ["AI-1"]);
    assert_refused(&repo.aio_as(&me, &["tasks", "new", "x", "--id=-x"]), 2, "begins like an option");
}

#[test]
fn a_claim_that_is_shared_is_no_work_and_whoever_shares_it_with_nobody_may_take_it() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (me, other) = (repo.register("claude"), repo.register("codex"));
    put(&repo, &me, "a", &[]);
    put(&repo, &me, "b", &["--needs", "a"]);
    ["a", "b"].iter().for_each(|id| drop(repo.ok_as(&me, &["claim", "--shared", "task", id])));
    assert!(repo.ok_as(&me, &["tasks", "list"]).contains("a  held by you, shared, claimed"));
    repo.ok_as(&other, &["claim", "--shared", "task", "a"]);
    for who in [&me, &other] {
        assert_refused(&repo.aio_as(who, &["tasks", "next"]), 8, "2 are held");
        assert_refused(&repo.aio_as(who, &["tasks", "done", "a"]), 3, "held by");
    }
    repo.ok_as(&other, &["release", "all"]);
    assert_refused(&repo.aio_as(&other, &["tasks", "next"]), 8, "2 are held");
    assert_refused(&repo.aio_as(&me, &["tasks", "done", "a"]), 3, "you don't hold the task a alone");
    let taken = repo.aio_as(&me, &["tasks", "next"]);
    assert!(taken.stdout == "a\n" && !taken.stderr.contains("already"), "{taken:?}");
    assert_refused(&repo.aio_as(&other, &["claim", "--shared", "task", "a"]), 3, "a is held by");
    repo.ok_as(&me, &["tasks", "done", "a"]);
    assert_eq!(next(&repo, &me), "b");
}

#[test]
fn what_is_claimed_by_hand_within_a_run_is_what_that_run_goes_on_with() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let me = repo.register("claude");
    ["a", "b"].iter().for_each(|id| put(&repo, &me, id, &[]));
    let within = |run_id: &str, args: &[&str]| {
        let ended = run(repo.command(args).env("AIO_INSTANCE", &me).env("AIO_RUN", run_id));
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.stdout.trim().to_owned()
    };
    within("spokes-1-abcd.next.1", &["claim", "task", "b"]);
    assert_eq!(within("spokes-1-abcd.next.1", &["tasks", "next"]), "b");
    assert_eq!(within("spokes-2-abcd.next.1", &["tasks", "next"]), "a");
}

#[test]
fn what_a_workflow_is_told_of_a_path_means_the_one_file_that_is_called_so() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let me = repo.register("claude");
    repo.write("pages/{now}.ts", "");
    put(&repo, &me, "a", &["--path", "pages/[id].ts", "--path", "pages/{now}.ts", "--path", "100%41.txt"]);
    let told = repo.ok_as(&me, &["tasks", "next", "--brief"]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["paths"], serde_json::json!([r"./pages/\[id\].ts", "pages/{now}.ts", "100%41.txt"]));
    let asked = repo.json_as(&me, &["check", r"./pages/\[id\].ts"]);
    assert_eq!(asked["paths"][0]["path"], "pages/[[]id].ts");
}

#[test]
fn a_path_that_was_called_a_folder_is_one_before_it_is_there() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let me = repo.register("claude");
    put(&repo, &me, "a", &["--path", "new/", "--path", "[id]/", "--path", "src/", "--path", "src", "--path", "./"]);
    let told = repo.json_as(&me, &["tasks", "show", "a"]);
    assert_eq!(told["task"]["paths"], serde_json::json!(["new/", "[id]/", "src/", "src", "."]), "{told:#}");
    assert!(repo.ok_as(&me, &["tasks", "show", "a"]).contains("changes  new/\n"));
    let brief: serde_json::Value = serde_json::from_str(&repo.ok_as(&me, &["tasks", "next", "--brief"])).unwrap();
    assert_eq!(brief["paths"], serde_json::json!(["new/", r"./\[id\]/**", "src/", "src", "./"]));
    for path in brief["paths"].as_array().unwrap() {
        let asked = repo.json_as(&me, &["check", path.as_str().unwrap()]);
        assert_ne!(asked["paths"][0]["kind"], "file", "{path}: {asked:#}");
    }
}

#[test]
fn one_that_was_claimed_before_its_time_is_neither_given_nor_done_till_all_it_needs_is() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (me, other) = (repo.register("claude"), repo.register("codex"));
    ["a", "b"].iter().for_each(|id| put(&repo, &me, id, &[]));
    put(&repo, &me, "c", &["--needs", "a", "--needs", "b", "--priority", "0"]);
    repo.ok_as(&me, &["claim", "task", "c"]);
    assert_eq!(next(&repo, &other), "a");
    assert_eq!(next(&repo, &me), "b", "what is ready, and not what waits");
    let before = repo.operations();
    let early = repo.aio_as(&me, &["tasks", "done", "c"]);
    assert_refused(&early, 3, "the task c needs what is not done: a, b");
    assert_refused(&early, 3, "git aio release");
    assert_eq!(repo.operations(), before);
    repo.ok_as(&me, &["tasks", "done", "b"]);
    assert_refused(&repo.aio_as(&me, &["tasks", "done", "c"]), 3, "what is not done: a\n");
    assert_refused(&repo.aio_as(&me, &["tasks", "next"]), 8, "1 is held, 1 is waiting for others");
    repo.ok_as(&other, &["tasks", "done", "a"]);
    let taken = repo.aio_as(&me, &["tasks", "next"]);
    assert!(taken.stdout == "c\n" && taken.stderr.contains("you hold it already"), "{taken:?}");
    repo.ok_as(&me, &["tasks", "done", "c"]);
    // A person may say so all the same.
    put(&repo, &me, "d", &[]);
    put(&repo, &me, "e", &["--needs", "d"]);
    repo.ok(&["tasks", "done", "e", "--force", "--why", "it is of no use any more"]);
}
