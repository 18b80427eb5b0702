//! What can't be judged is said to be so, and does not pass in silence.

use super::{EDITS, call, context, hook, recorded, refusal};
use crate::env::TestEnvironment;
use serde_json::{Value, json};

/// A recorded edit without anything that says what it edits.
fn unnamed(mut call: Value) -> Value {
    for key in ["tool_input", "toolArgs", "input", "args"] {
        if call.get(key).is_some() {
            call[key] = json!({ "old_string": "one", "new_string": "two" });
        }
    }
    call
}

#[test]
fn an_edit_that_names_no_file_is_refused() {
    let env = TestEnvironment::new();
    let repo = recorded(&env);
    for (agent, name) in EDITS.iter().filter(|(_, name)| !name.contains("Bash")) {
        let edit = unnamed(call(&repo, agent, name, "s1"));
        let reason = refusal(agent, &hook(&repo, agent, &edit)).unwrap_or_else(|| panic!("{agent}: {edit}"));
        assert!(reason.contains("this edit names no file"), "{agent}: {reason}");
    }
    let edit = unnamed(call(&repo, "claude", "PreToolUse-Edit", "s1"));
    repo.git(&["config", "aio.guard", "warn"]);
    assert!(context(&hook(&repo, "claude", &edit)).contains("this edit names no file"));
    repo.git(&["config", "aio.guard", "off"]);
    assert_eq!(hook(&repo, "claude", &edit), "");
}

#[test]
fn a_tool_that_edits_nothing_needs_no_name() {
    let env = TestEnvironment::new();
    let repo = recorded(&env);
    let mut read = unnamed(call(&repo, "claude", "PreToolUse-Edit", "s1"));
    read["tool_name"] = "Read".into();
    assert_eq!(hook(&repo, "claude", &read), "");
}

#[test]
fn that_the_store_is_gone_is_told_to_the_agent() {
    let env = TestEnvironment::new();
    let repo = recorded(&env);
    for (agent, name) in EDITS.iter().filter(|(agent, _)| *agent != "gemini") {
        let edit = call(&repo, agent, name, "s1");
        hook(&repo, agent, &edit);
        let state = repo.git(&["rev-parse", "refs/aio/state"]);
        repo.git(&["update-ref", "-d", "refs/aio/state"]);
        let answer = hook(&repo, agent, &edit);
        assert!(refusal(agent, &answer).is_none(), "{agent}: {answer}");
        assert!(context(&answer).contains("refs/aio/state is gone"), "{agent}: {answer}");
        repo.git(&["update-ref", "refs/aio/state", state.trim()]);
        repo.ok_as(&super::claims(&repo, "a.txt")[0].0, &["release", "all"]);
    }
    // Its person sees what it can't be told at this moment.
    repo.git(&["update-ref", "-d", "refs/aio/state"]);
    let answer = hook(&repo, "gemini", &call(&repo, "gemini", "BeforeTool-replace", "s1"));
    assert!(answer.contains("systemMessage") && answer.contains("refs/aio/state is gone"), "{answer}");
}

#[test]
fn where_there_never_was_a_store_nothing_is_said() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    assert_eq!(hook(&repo, "claude", &call(&repo, "claude", "PreToolUse-Edit", "s1")), "");
}

#[test]
fn what_a_command_changed_beyond_measure_is_judged_and_not_claimed() {
    let env = TestEnvironment::new();
    let repo = recorded(&env);
    let holder = repo.register("aider");
    repo.ok_as(&holder, &["claim", "many/7.txt"]);
    hook(&repo, "claude", &call(&repo, "claude", "PreToolUse-Edit", "s1"));
    let changed_by = |count: usize| {
        hook(&repo, "claude", &call(&repo, "claude", "PreToolUse-Bash", "s1"));
        for nth in 0..count {
            repo.write(&format!("many/{nth}.txt"), &format!("{count}\n"));
        }
        context(&hook(&repo, "claude", &call(&repo, "claude", "PostToolUse-Bash", "s1")))
    };
    let told = changed_by(202);
    assert!(told.contains(&format!("many/7.txt is held by {holder}")), "{told}");
    assert!(told.contains("201 files changed that nobody holds, too many to be claimed one by one"), "{told}");
    assert_eq!(super::claims(&repo, "many/8.txt"), []);
    let told = changed_by(201);
    assert!(!told.contains("too many"), "{told}");
    assert_eq!(super::claims(&repo, "many/8.txt").len(), 1);
}
