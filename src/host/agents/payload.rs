//! The shape that Claude Code gave its payloads, and Codex and Gemini CLI took over.

use super::{Moment, Told, Use};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

#[derive(Deserialize)]
pub(super) struct Payload {
    session_id: Option<String>,
    cwd: Option<PathBuf>,
    hook_event_name: String,
    #[serde(default)]
    tool_name: String,
    #[serde(default)]
    tool_input: Value,
}

/// What the events of one CLI are called.
pub(super) struct Events {
    pub(super) before: &'static str,
    pub(super) after: &'static [&'static str],
    pub(super) prompt: &'static str,
    pub(super) pause: &'static [&'static str],
}

/// Reads a payload; `use_of` tells what a tool of that name would do with such an input.
pub(super) fn read(
    payload: &[u8],
    events: &Events,
    use_of: impl Fn(&str, &Map<String, Value>) -> Use,
) -> serde_json::Result<Told> {
    let Payload { session_id, cwd, hook_event_name: event, tool_name, tool_input } = serde_json::from_slice(payload)?;
    let used = || use_of(&tool_name, tool_input.as_object().unwrap_or(&Map::new()));
    let moment = match event.as_str() {
        "SessionStart" => Moment::SessionStart,
        "SessionEnd" => Moment::SessionEnd,
        name if name == events.before => Moment::Before(used()),
        name if events.after.contains(&name) => Moment::After(used()),
        name if name == events.prompt => Moment::Prompt,
        name if events.pause.contains(&name) => Moment::Pause,
        _ => Moment::Other,
    };
    Ok(Told { session: session_id, dir: cwd, moment, event })
}

/// Something for the agent to hear at this event.
pub(super) fn context(event: &str, text: &str) -> Value {
    json!({ "hookSpecificOutput": { "hookEventName": event, "additionalContext": text } })
}

/// That the agent may not use the tool, in Claude Code's shape.
pub(super) fn deny(event: &str, reason: &str) -> Value {
    json!({
        "hookSpecificOutput": {
            "hookEventName": event,
            "permissionDecision": "deny",
            "permissionDecisionReason": reason,
        }
    })
}
