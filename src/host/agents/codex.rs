//! Codex CLI, as seen in 0.169.0. Its reference: <https://developers.openai.com/codex/hooks>.
//!
//! It throws an answer away in which one key is unknown to it, and lets the edit pass: nothing may be added to the shapes
//! below.

use super::{Answer, Call, Moment, Told, Use, claude, patch, path_at, payload, text_at};
use serde_json::{Map, Value, json};

pub(super) fn read(payload: &[u8]) -> serde_json::Result<Told> {
    payload::read(payload, &claude::EVENTS, use_of)
}

fn use_of(tool: &str, input: &Map<String, Value>) -> Use {
    match tool {
        "apply_patch" | "Edit" | "Write" => match text_at(input, &["command", "input", "patch"]) {
            Some(patch) => Use::edit(patch::touched(patch)),
            None => Use::edit(path_at(input, &["file_path", "path"])),
        },
        "Bash" | "shell" | "exec_command" => text_at(input, &["command"]).map_or_else(Use::default, Use::shell),
        _ => Use::default(),
    }
}

pub(super) fn reply(call: &Call, answer: &Answer) -> Option<Value> {
    // Here no answer at all counts as a failure.
    let silent = || matches!(call.event.as_str(), "Stop" | "SubagentStop").then(|| json!({}));
    match (answer, &call.moment) {
        (Answer::Refuse(reason), Moment::Before(_)) => Some(payload::deny(&call.event, reason)),
        (_, Moment::SessionEnd | Moment::Pause | Moment::Other) | (Answer::Pass, _) => silent(),
        (Answer::Tell(text) | Answer::Refuse(text), _) => Some(payload::context(&call.event, text)),
    }
}
