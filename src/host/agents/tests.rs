//! What each agent tells is understood, and what it is answered has its shape. The payloads are cut down; recorded ones
//! are put through the whole program in `tests/it`.

use super::*;
use serde_json::json;

fn read(agent: Agent, payload: &Value) -> Call {
    agent.read(payload.to_string().as_bytes()).expect("a call")
}

fn edits(call: &Call) -> Vec<&str> {
    match &call.moment {
        Moment::Before(used) | Moment::After(used) => used.edits.iter().filter_map(|path| path.to_str()).collect(),
        other => panic!("{other:?}"),
    }
}

fn refuse(call: &Call) -> Value {
    serde_json::from_str(&call.reply(&Answer::Refuse("held".into()))).expect("JSON")
}

fn classic(event: &str, tool: &str, input: &Value) -> Value {
    json!({ "session_id": "s", "cwd": "/r", "hook_event_name": event, "tool_name": tool, "tool_input": input })
}

#[test]
fn claude_names_its_files() {
    let call = read(Agent::Claude, &classic("PreToolUse", "Edit", &json!({ "file_path": "/r/a.txt" })));
    assert_eq!((call.dir.as_deref(), edits(&call)), (Some(std::path::Path::new("/r")), vec!["/r/a.txt"]));
    assert_eq!(call.session, Some(session_digest("claude", "s")));
    let told = json!({
        "hookSpecificOutput":
            { "hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": "held" }
    });
    assert_eq!(refuse(&call), told);
    assert_eq!(call.reply(&Answer::Pass), "");
    let call = read(Agent::Claude, &classic("PostToolUse", "NotebookEdit", &json!({ "notebook_path": "/r/a.ipynb" })));
    assert_eq!(edits(&call), ["/r/a.ipynb"]);
    assert!(edits(&read(Agent::Claude, &classic("PreToolUse", "Read", &json!({ "file_path": "/r/a" })))).is_empty());
    let start =
        read(Agent::Claude, &json!({ "session_id": "s", "hook_event_name": "SessionStart", "source": "startup" }));
    assert_eq!(start.moment, Moment::SessionStart);
    assert!(start.reply(&Answer::Tell("hello".into())).contains(r#""additionalContext":"hello""#));
}

#[test]
fn codex_writes_patches_into_tools_and_into_shells() {
    let patch = "*** Begin Patch\n*** Update File: a.txt\n*** Move to: sub/b.txt\n@@\n-*** Add File: no.txt\n+two\n\
                 *** Add File: new.txt\n+hello\n*** Delete File: old.txt\n*** End Patch\n*** Add File: after.txt\n";
    let all = ["a.txt", "sub/b.txt", "new.txt", "old.txt"];
    let call = read(Agent::Codex, &classic("PreToolUse", "apply_patch", &json!({ "command": patch })));
    assert_eq!(edits(&call), all);
    let command = format!("apply_patch <<'EOF'\n{patch}EOF\n");
    let call = read(Agent::Codex, &classic("PreToolUse", "Bash", &json!({ "command": command })));
    assert_eq!(edits(&call), all);
    for (cd, first) in [("cd /r &&", "/r/a.txt"), ("cd 'a b'; cd c &&", "a b/c/a.txt"), ("ls; echo c;", "a.txt")] {
        let command = json!({ "command": format!("{cd} {command}") });
        assert_eq!(edits(&read(Agent::Codex, &classic("PreToolUse", "Bash", &command)))[0], first, "{cd}");
    }
    let keys: Vec<String> = refuse(&call)["hookSpecificOutput"].as_object().expect("keys").keys().cloned().collect();
    assert_eq!(keys, ["hookEventName", "permissionDecision", "permissionDecisionReason"], "any other voids the answer");
    let stop = read(Agent::Codex, &json!({ "session_id": "s", "hook_event_name": "Stop" }));
    assert_eq!(stop.reply(&Answer::Pass), "{}\n", "silence is a failure there");
}

/// What a command with this before and after a patch of `a.txt` is taken for.
fn typed(before: &str, after: &str) -> (Vec<String>, bool) {
    let patch = "*** Begin Patch\n*** Update File: a.txt\n@@\n-one\n+two\n*** End Patch\n";
    let input = json!({ "command": format!("{before}{patch}{after}") });
    match read(Agent::Codex, &classic("PreToolUse", "Bash", &input)).moment {
        Moment::Before(used) => {
            (used.edits.iter().map(|path| path.display().to_string()).collect(), used.unclear.is_some())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_patch_typed_where_the_folder_is_not_sure_is_unclear() {
    for before in [
        "(cd src && apply_patch <<'EOF'\n",
        "bash -lc \"cd src && apply_patch <<'EOF'\n",
        "pushd src && apply_patch <<EOF\n",
        "cd -- src && apply_patch <<EOF\n",
        "cd - && apply_patch <<EOF\n",
        "cd && apply_patch <<EOF\n",
        "cd $HOME && apply_patch <<EOF\n",
        "cd \"$(git rev-parse --show-toplevel)\" && apply_patch <<EOF\n",
        "cd src || cd lib && apply_patch <<EOF\n",
        "cd src && cd ~/x && apply_patch <<EOF\n",
        "env -C src apply_patch <<EOF\n",
        "set -e\ncd src\napply_patch <<EOF\n",
    ] {
        assert!(typed(before, "EOF\n").1, "{before}");
    }
    assert!(typed("apply_patch <<EOF\n", "EOF\ncd src && apply_patch <<EOF\n*** Begin Patch\n").1);
    assert!(typed("apply_patch '", "' && cd src && apply_patch '*** Begin Patch\n").1);
    for (before, files) in [
        ("apply_patch <<EOF\n", &["a.txt"][..]),
        ("ls *; apply_patch '", &["a.txt"]),
        ("(apply_patch <<EOF\n", &["a.txt"]),
        ("cd src && apply_patch <<EOF\n", &["src/a.txt"]),
        ("cd src && cd /r/lib && apply_patch <<EOF\n", &["/r/lib/a.txt"]),
        ("cd src; apply_patch <<EOF\n", &["src/a.txt", "a.txt"]),
        ("cd src\napply_patch <<EOF\n", &["src/a.txt", "a.txt"]),
        ("cd src && ls; apply_patch <<EOF\n", &["src/a.txt", "a.txt"]),
    ] {
        assert_eq!(typed(before, "EOF\n"), (files.iter().map(|&file| file.to_owned()).collect(), false), "{before}");
    }
    assert!(!typed("pushd src && cat >x <<EOF\n", "EOF\n").1, "that applies none");
}

#[test]
fn an_indented_header_names_a_file_all_the_same() {
    let patch = "*** Begin Patch\n *** Add File: b.txt\n+x\n\t*** Update File: a.txt\n@@\n-one\n+two\n+*** End Patch\n \
                 *** Delete File:c.txt\n*** End Patch\n";
    let call = read(Agent::Codex, &classic("PreToolUse", "apply_patch", &json!({ "command": patch })));
    assert_eq!(edits(&call), ["b.txt", "a.txt", "c.txt"]);
}

#[test]
fn gemini_gets_the_hooks_of_git_back() {
    let call = read(Agent::Gemini, &classic("BeforeTool", "write_file", &json!({ "file_path": "rel.txt" })));
    assert_eq!(edits(&call), ["rel.txt"]);
    assert_eq!(refuse(&call), json!({ "decision": "deny", "reason": "held" }));
    let shell = |command: &str| {
        let call = read(Agent::Gemini, &classic("BeforeTool", "run_shell_command", &json!({ "command": command })));
        let reply = call.reply(&Answer::Pass);
        (!reply.is_empty()).then(|| serde_json::from_str::<Value>(&reply).expect("JSON"))
    };
    let rewritten = shell("git commit -m x").expect("a rewritten command");
    assert_eq!(
        rewritten["hookSpecificOutput"]["tool_input"]["command"],
        json!("unset GIT_CONFIG_COUNT GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM GIT_CONFIG_NOSYSTEM; git commit -m x")
    );
    assert!(shell("(cd sub;git push)").is_some());
    assert_eq!(shell("ls digits"), None);
}

#[test]
fn plugins_hand_on_what_they_are_told() {
    let amp = json!({ "event": "tool.call", "thread": "T-1", "cwd": "/r", "tool": "edit_file",
        "input": { "path": "/r/a.txt" }, "files": ["/r/a.txt", "/r/b.txt"] });
    let call = read(Agent::Amp, &amp);
    assert_eq!(edits(&call), ["/r/a.txt", "/r/b.txt"]);
    assert_eq!(refuse(&call), json!({ "action": "reject-and-continue", "message": "held" }));
    assert_eq!(call.reply(&Answer::Pass), "{\"action\":\"allow\"}\n");
    assert_eq!(call.reply(&Answer::Tell("mind".into())), "{\"action\":\"allow\",\"message\":\"mind\"}\n");
    let opencode = json!({ "event": "tool.execute.before", "sessionID": "ses_1", "cwd": "/r", "tool": "write",
        "args": { "filePath": "a.txt" } });
    let call = read(Agent::OpenCode, &opencode);
    assert_eq!(edits(&call), ["a.txt"]);
    assert_eq!(refuse(&call), json!({ "deny": "held" }));
}

#[test]
fn copilot_does_not_name_the_event() {
    let call = |payload: &Value| read(Agent::Copilot, payload);
    let before = call(&json!({ "sessionId": "s", "cwd": "/r", "toolName": "create", "toolArgs": { "path": "/r/a" } }));
    assert_eq!(edits(&before), ["/r/a"]);
    assert_eq!(refuse(&before), json!({ "permissionDecision": "deny", "permissionDecisionReason": "held" }));
    let text = json!({ "path": "/r/b" }).to_string();
    assert_eq!(edits(&call(&json!({ "toolName": "edit", "toolArgs": text }))), ["/r/b"]);
    let patch = "*** Begin Patch\n*** Update File: c\n*** End Patch\n";
    assert_eq!(edits(&call(&json!({ "toolName": "apply_patch", "toolArgs": patch }))), ["c"]);
    let after = call(&json!({ "toolName": "edit", "toolArgs": {}, "toolResult": {} }));
    assert!(matches!(after.moment, Moment::After(_)));
    let cut =
        br#"{"toolName":"bash","toolArgs":{},"toolResult":{"text":"\ud83d"},"source":"\udc00","prompt":"\ud83d"}"#;
    assert!(matches!(Agent::Copilot.read(cut).expect("a call").moment, Moment::After(_)));
    assert_eq!(call(&json!({ "source": "new" })).moment, Moment::SessionStart);
    assert_eq!(call(&json!({ "reason": "complete" })).moment, Moment::SessionEnd);
}

#[test]
fn what_is_no_call_is_an_error_and_what_is_new_is_none() {
    for agent in Agent::ALL {
        assert!(agent.read(b"").is_err());
        assert!(agent.read(b"[]").is_err() || agent == Agent::Copilot);
        let unknown = json!({ "hook_event_name": "Sunrise", "event": "sunrise", "colour": "red" });
        let call = read(agent, &unknown);
        assert_eq!(call.moment, Moment::Other, "{agent:?}");
        assert!(!call.asks());
    }
}

/// The keys that a CLI knows in an answer, as its reference has them, and those in `hookSpecificOutput`.
fn known_keys(agent: Agent) -> (&'static [&'static str], &'static [&'static str]) {
    match agent {
        Agent::Claude | Agent::Codex => (
            &["hookSpecificOutput"],
            &["hookEventName", "permissionDecision", "permissionDecisionReason", "additionalContext"],
        ),
        Agent::Gemini => (
            &["decision", "reason", "systemMessage", "hookSpecificOutput"],
            &["hookEventName", "additionalContext", "tool_input"],
        ),
        Agent::Amp => (&["action", "message"], &[]),
        Agent::OpenCode => (&["deny", "context"], &[]),
        Agent::Copilot => (&["permissionDecision", "permissionDecisionReason", "additionalContext"], &[]),
    }
}

#[test]
fn no_answer_has_a_key_that_its_reader_does_not_know() {
    let used = || Use::shell("git status");
    let moments = [
        ("SessionStart", Moment::SessionStart),
        ("UserPromptSubmit", Moment::Prompt),
        ("PreToolUse", Moment::Before(used())),
        ("PostToolUse", Moment::After(used())),
        ("Stop", Moment::Pause),
        ("SessionEnd", Moment::SessionEnd),
        ("SubagentStop", Moment::Other),
    ];
    for agent in Agent::ALL {
        let (known, inside) = known_keys(agent);
        for (event, moment) in &moments {
            let call = Call { agent, session: None, dir: None, moment: moment.clone(), event: (*event).into() };
            for answer in [Answer::Pass, Answer::Tell("a".into()), Answer::Refuse("b".into())] {
                let reply = call.reply(&answer);
                if reply.is_empty() {
                    continue;
                }
                let reply: Map<String, Value> = serde_json::from_str(&reply).expect("an object");
                let of_hook = reply.get("hookSpecificOutput").and_then(Value::as_object);
                assert!(reply.keys().all(|key| known.contains(&key.as_str())), "{agent:?} {event}: {reply:?}");
                let mut nested = of_hook.into_iter().flat_map(Map::keys);
                assert!(nested.all(|key| inside.contains(&key.as_str())), "{agent:?} {event}: {reply:?}");
            }
        }
    }
}
