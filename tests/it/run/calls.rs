//! Workflows that call others: what is called is held to its own limits, and goes on after a kill like any other.

use super::*;

/// Calls `inner`, and tells how that went.
const FLOW: &str = r#"
about = "Calls another."

[[step]]
id = "call"
workflow = "inner"
allow_failure = true

[[step]]
id = "after"
run = "echo {{ steps.call.failure }}"
"#;

/// The result of a run of [`FLOW`] with this `inner`, the answer in JSON, and how the repository is left.
fn calls(inner: &str, look: impl FnOnce(&str, &Value, &Agents, &Repo<'_>)) {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[("flow", FLOW), ("inner", inner)]);
    agents.plays_when("claude", "Look", &[Do::Say("seen")]);
    let (told, code) = told(&repo, &["flow"]);
    assert_eq!((code, status(&told)), (0, "complete"), "{told:#}");
    look(told["result"].as_str().unwrap().trim(), &told, &agents, &repo);
    assert_free(&repo);
}

#[test]
fn a_call_does_no_more_steps_than_its_workflow_says() {
    let inner = "about = \"x\"\n[limits]\nmax_steps = 2\n[[step]]\nid = \"a\"\nrepeat = { until = \"false\" }\n\
                 [[step.step]]\nid = \"b\"\nrun = \"echo {{ iteration }} >>../log\"\n";
    calls(inner, |result, _, _, repo| {
        assert!(result.contains("2 steps of the workflow inner were done"), "{result}");
        assert_eq!(lines(&repo.dir.join("../log")), ["1", "2"]);
    });
}

#[test]
fn a_call_uses_no_more_than_the_budget_of_its_workflow() {
    let inner = "about = \"x\"\n[limits]\nbudget_usd = 0.02\n[[step]]\nid = \"a\"\nfor_each = [1, 2, 3]\nmax_parallel = 1\n\
                 agent = \"claude\"\nprompt = \"Look {{ item }}\"\n";
    calls(inner, |result, _, agents, _| {
        assert!(result.contains("the budget of the workflow inner of 0.02 US dollars is used up"), "{result}");
        assert_eq!(agents.calls("claude").len(), 2, "each of them costs a cent");
    });
}

#[test]
fn what_a_call_has_at_work_ends_when_its_time_is_up() {
    let inner = "about = \"x\"\n[limits]\ntimeout = \"8s\"\n[[step]]\nid = \"one\"\nscope = [\"log\"]\nverify = []\n\
                 run = \"echo one >>log\"\ncompensate = \"revert\"\n[[step]]\nid = \"long\"\nscope = [\"src/main.rs\"]\nverify = []\n\
                 run = \"echo $$ >../pid; echo half >src/main.rs; exec sleep 600\"\n[[step]]\nid = \"never\"\nrun = \"touch ../never\"\n";
    calls(inner, |result, told, _, repo| {
        assert_eq!(result, "the time of the workflow inner was up");
        let all = steps(told);
        assert_eq!((&all["call"][..], &all["call/one"][..], &all["call/long"][..]), ("failed", "undone", "failed"));
        assert!(!all.contains_key("call/never") && !repo.dir.join("../never").exists(), "{told:#}");
        let long = told["run"]["steps"].as_array().unwrap().iter().find(|step| step["id"] == "call/long").unwrap();
        assert_eq!(long["failure"]["kind"], "timed_out", "{long:#}");
        assert_eq!(lines(&repo.dir.join("src/main.rs")), ["fn main() {}"], "its scope is as it was");
        assert!(!repo.dir.join("log").exists());
        let pid: i32 = lines(&repo.dir.join("../pid"))[0].parse().unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        assert!(rustix::process::test_kill_process(pid).is_err(), "it has ended");
    });
}

#[test]
fn the_steps_of_a_call_write_within_the_scope_of_its_workflow_and_of_its_caller() {
    let inner = "about = \"x\"\nscope = [\"{{ inputs.where }}\"]\n[inputs]\nwhere = \"src/**\"\n\
                 [[step]]\nid = \"in\"\nscope = [\"src/in\"]\nverify = []\nrun = \"echo in >src/in\"\n\
                 [[step]]\nid = \"out\"\nscope = [\"docs/out\"]\nverify = []\nrun = \"mkdir -p docs; echo out >docs/out\"\n";
    calls(inner, |result, _, _, repo| {
        assert!(result.contains("docs/out is not within the scope of the workflow inner: src/**"), "{result}");
        assert!(repo.dir.join("src/in").exists() && !repo.dir.join("docs/out").exists());
    });
    let env = TestEnvironment::new();
    let flow = FLOW.replace(
        "[[step]]\nid = \"call\"\n",
        "scope = [\"{{ vars.top }}\"]\n[vars]\ntop = \"src/**\"\n[[step]]\nid = \"call\"\nwith = { where = \"**\" }\n",
    );
    let (_, repo) = place(&env, &[("flow", &flow), ("inner", inner)]);
    let (told, _) = told(&repo, &["flow"]);
    let result = told["result"].as_str().unwrap();
    assert!(result.contains("docs/out is not within the scope of the workflow: src/**"), "{told:#}");
    assert_free(&repo);
}

/// Two teams, one after the other, of which each asks an agent, counts, and edits a file of its own.
const TEAMS: &str = r#"
about = "Two teams."

[[step]]
id = "teams"
for_each = ["one", "two"]
max_parallel = 1
workflow = "team"
with = { name = "{{ item }}" }

[[step]]
id = "report"
agent = "claude"
prompt = "Report {{ steps.teams.out | join('+') }}"
"#;

const TEAM: &str = r#"
about = "A team."
scope = ["src/**"]
result = "steps.count.out"

[limits]
max_steps = 3
budget_usd = 1
timeout = "10m"

[inputs]
name = {}

[[step]]
id = "research"
agent = "claude"
prompt = "Research {{ inputs.name }}"

[[step]]
id = "edit"
agent = "claude"
scope = ["src/{{ inputs.name }}.rs"]
verify = []
prompt = "Edit for {{ inputs.name }} after {{ steps.research.out }}"

[[step]]
id = "count"
retry = 1
run = "echo {{ inputs.name }} >>../counted; echo counted-{{ inputs.name }}"
"#;

/// Kills the driver after so many writes of its run, and goes on; whether there were so many.
fn killed_after(write: usize) -> bool {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[("flow", TEAMS), ("team", TEAM)]);
    for name in ["one", "two"] {
        agents.plays_when("claude", &format!("Research {name}"), &[Do::Say(&format!("found-{name}"))]);
        let edit = format!("echo edited >>src/{name}.rs");
        agents.plays_when(
            "claude",
            &format!("Edit for {name} after found-{name}"),
            &[Do::Run(&edit), Do::Say("edited")],
        );
    }
    agents.plays_when("claude", "Report counted-one+counted-two", &[Do::Say("both")]);
    let (told, before) = match killed_and_resumed(&repo, &agents, write, "both") {
        Ok(resumed) => resumed,
        Err(is_killed) => return is_killed,
    };
    let steps = steps(&told);
    assert!(steps.values().all(|status| status == "ok"), "{write}: {told:#}");
    let inside = ["research", "edit", "count"].map(|step| format!("teams/1/{step}"));
    assert!(steps.len() == 10 && inside.iter().all(|step| steps.contains_key(step)), "{write}: {told:#}");
    assert!(repo.ok(&["run", "show"]).contains("teams/1/research"));
    for name in ["one", "two"] {
        assert_eq!(lines(&repo.dir.join(format!("src/{name}.rs"))), ["edited"], "{write}");
    }
    // At most what was at work is done again.
    let counted = lines(&repo.dir.join("../counted"));
    assert!(
        counted.len() <= 3 && counted.first().unwrap() == "one" && counted.last().unwrap() == "two",
        "{write}: {counted:?}"
    );
    let calls = agents.calls("claude").len();
    assert!(calls <= 6 && calls >= before.max(5), "{write}: asked {calls} times");
    assert_free(&repo);
    true
}

#[test]
fn a_driver_may_be_killed_inside_of_a_call_and_what_was_done_is_not_done_again() {
    at_every_write(2, 4, 3, killed_after);
}
