//! Claude Code, as seen in 2.1.329. Its reference: <https://code.claude.com/docs/en/hooks>.

use super::{
    Answer, Call, Moment, Told, Use, path_at,
    payload::{self, Events},
    text_at,
};
use serde_json::{Map, Value};

pub(super) const EVENTS: Events = Events {
    before: "PreToolUse",
    after: &["PostToolUse", "PostToolUseFailure"],
    prompt: "UserPromptSubmit",
    // When a subagent stops, those beside it may still be at work.
    pause: &["Stop"],
};

pub(super) fn read(payload: &[u8]) -> serde_json::Result<Told> {
    payload::read(payload, &EVENTS, use_of)
}

fn use_of(tool: &str, input: &Map<String, Value>) -> Use {
    match tool {
        "Edit" | "MultiEdit" | "Write" | "NotebookEdit" => Use::edit(path_at(input, &["file_path", "notebook_path"])),
        "Bash" => text_at(input, &["command"]).map_or_else(Use::default, Use::shell),
        _ => Use::default(),
    }
}

pub(super) fn reply(call: &Call, answer: &Answer) -> Option<Value> {
    match (answer, &call.moment) {
        (Answer::Refuse(reason), Moment::Before(_)) => Some(payload::deny(&call.event, reason)),
        // These take no words for the agent.
        (_, Moment::SessionEnd | Moment::Pause | Moment::Other) | (Answer::Pass, _) => None,
        (Answer::Tell(text) | Answer::Refuse(text), _) => Some(payload::context(&call.event, text)),
    }
}
