//! Gemini CLI, as seen in 0.61.0. Its reference: <https://geminicli.com/docs/hooks/reference>.
//!
//! From 0.56 on its shell tool runs git with `core.hooksPath` empty and without the user's configuration, so that no
//! hook of the user's repository runs, and no fence either. The command is given back what was taken from it.

use super::{
    Answer, Call, Moment, Told, Use, path_at,
    payload::{self, Events},
    text_at,
};
use serde_json::{Map, Value, json};

const EVENTS: Events =
    Events { before: "BeforeTool", after: &["AfterTool"], prompt: "BeforeAgent", pause: &["AfterAgent"] };

/// What the shell tool sets to keep git from running hooks.
const OVERRIDES: &str = "unset GIT_CONFIG_COUNT GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM GIT_CONFIG_NOSYSTEM";

pub(super) fn read(payload: &[u8]) -> serde_json::Result<Told> {
    payload::read(payload, &EVENTS, use_of)
}

fn use_of(tool: &str, input: &Map<String, Value>) -> Use {
    match tool {
        "write_file" | "replace" | "edit" => Use::edit(path_at(input, &["file_path", "path"])),
        "run_shell_command" => text_at(input, &["command"]).map_or_else(Use::default, Use::shell),
        _ => Use::default(),
    }
}

pub(super) fn reply(call: &Call, answer: &Answer) -> Option<Value> {
    match (answer, &call.moment) {
        (Answer::Refuse(reason), Moment::Before(_)) => Some(json!({ "decision": "deny", "reason": reason })),
        // Before a tool the agent itself can be told nothing, but whoever watches it can.
        (answer, Moment::Before(used)) => with_hooks(used, &call.event, answer),
        (_, Moment::SessionEnd | Moment::Pause | Moment::Other) | (Answer::Pass, _) => None,
        (Answer::Tell(text) | Answer::Refuse(text), _) => Some(payload::context(&call.event, text)),
    }
}

/// Lets a command of the shell run git as the user does.
fn with_hooks(used: &Use, event: &str, answer: &Answer) -> Option<Value> {
    let command = used.command.as_deref().filter(|command| may_run_git(command));
    let mut reply = match command {
        Some(command) => json!({
            "decision": "allow",
            "hookSpecificOutput": { "hookEventName": event, "tool_input": { "command": format!("{OVERRIDES}; {command}") } },
        }),
        None => json!({}),
    };
    if let Answer::Tell(text) = answer {
        reply["systemMessage"] = json!(text);
    }
    (reply != json!({})).then_some(reply)
}

/// Whether a command is worth rewriting: the agent is told each time that it was.
fn may_run_git(command: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    !command.starts_with(OVERRIDES) && command.split(|c| !is_part(c)).any(|word| word == "git")
}
