//! Runs and steps as they are named.

use super::*;

/// Two runs: of a workflow that is named like a step of the one that was run after it.
fn two<'e>(env: &'e TestEnvironment) -> (Repo<'e>, String, String) {
    let build = "about = \"x\"\n[[step]]\nid = \"all\"\nrun = \"true\"\n";
    let flow = "about = \"x\"\n[[step]]\nid = \"build\"\nfor_each = [1]\nrun = \"echo built >>../log\"\n";
    let (_, repo) = place(env, &[("build", build), ("flow", flow)]);
    let run = |name: &str| {
        let (told, code) = told(&repo, &[name]);
        assert_eq!(code, 0, "{told:#}");
        told["run"]["id"].as_str().unwrap().to_owned()
    };
    let ids = (run("build"), run("flow"));
    (repo, ids.0, ids.1)
}

#[test]
fn what_is_done_again_is_the_step_of_the_newest_run_though_a_run_is_named_like_it() {
    let env = TestEnvironment::new();
    let (repo, build, _) = two(&env);
    let built = || lines(&repo.dir.join("../log")).len();
    repo.ok(&["run", "retry", "build"]);
    assert_eq!(built(), 2);
    repo.ok(&["run", "retry", "build/1"]);
    assert_eq!(built(), 3);
    repo.ok(&["run", "retry", "build/all"]);
    repo.ok(&["run", "retry", &format!("{build}/all")]);
    assert_eq!(built(), 3, "the other run has that step");
    let none = repo.aio(&["run", "retry", &build]);
    assert!(none.code == 2 && none.stderr.contains("no step is named"), "{none:?}");
}

#[test]
fn what_may_be_a_run_or_a_step_is_asked_for_by_both_names() {
    let env = TestEnvironment::new();
    let (repo, build, flow) = two(&env);
    let either = repo.aio(&["run", "diff", "build"]);
    assert_eq!(either.code, 2, "{either:?}");
    for part in
        [format!("the run {build}"), format!("the step build of {flow}"), format!("by {build}, or"), "/build".into()]
    {
        assert!(either.stderr.contains(&part), "{part}: {either:?}");
    }
    for named in [&build[..], "/build", "flow", "flow/build", "build/1", "build/all"] {
        assert_eq!(repo.aio(&["run", "diff", named]).code, 0, "{named}");
    }
    let answer = repo.aio(&["run", "answer", "build", "yes"]);
    assert!(answer.code == 2 && answer.stderr.contains("can be the run"), "{answer:?}");
}
