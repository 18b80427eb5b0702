//! Amp, by way of the plugin in `hooks/amp-plugin.ts`, which hands on what Amp tells it and returns what we answer.
//! After the API of 2026-09-23, which `amp plugins show-docs` prints.

use super::{
    Answer, Call, Moment, Told, Unclear, Use, claude,
    headless::{Act, Errand, Stream, Words},
    patch, path_at, text_at,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

#[derive(Deserialize)]
struct Payload {
    event: String,
    thread: Option<String>,
    cwd: Option<PathBuf>,
    #[serde(default)]
    tool: String,
    #[serde(default)]
    input: Map<String, Value>,
    /// What Amp's own helper says that the call changes.
    #[serde(default)]
    files: Vec<PathBuf>,
}

pub(super) fn read(payload: &[u8]) -> serde_json::Result<Told> {
    let payload: Payload = serde_json::from_slice(payload)?;
    let moment = match payload.event.as_str() {
        "session.start" => Moment::SessionStart,
        "agent.start" => Moment::Prompt,
        "agent.end" => Moment::Pause,
        "tool.call" => Moment::Before(use_of(&payload)),
        "tool.result" => Moment::After(use_of(&payload)),
        _ => Moment::Other,
    };
    Ok(Told { session: payload.thread, dir: payload.cwd, moment, event: payload.event })
}

fn use_of(payload: &Payload) -> Use {
    let input = &payload.input;
    let mut used = match payload.tool.as_str() {
        "edit_file" | "create_file" | "undo_edit" => Use::edit(path_at(input, &["path"])),
        "apply_patch" => {
            Use::edit(text_at(input, &["patch", "patchText", "input"]).map(patch::touched).unwrap_or_default())
        }
        "Bash" | "shell_command" => text_at(input, &["cmd", "command"]).map_or_else(Use::default, Use::shell),
        _ => Use::default(),
    };
    used.edits.extend(payload.files.iter().filter(|file| !used.edits.contains(file)).cloned().collect::<Vec<_>>());
    used.unclear = used.unclear.filter(|unclear| *unclear != Unclear::Unnamed || used.edits.is_empty());
    used
}

pub(super) fn reply(call: &Call, answer: &Answer) -> Value {
    match (answer, &call.moment) {
        (Answer::Refuse(reason), Moment::Before(_)) => json!({ "action": "reject-and-continue", "message": reason }),
        // The plugin keeps the message, which Amp takes at no such moment, until it can be told.
        (Answer::Tell(text), Moment::Before(_)) => json!({ "action": "allow", "message": text }),
        (_, Moment::Before(_)) => json!({ "action": "allow" }),
        (Answer::Tell(text) | Answer::Refuse(text), _) => json!({ "message": text }),
        (Answer::Pass, _) => json!({}),
    }
}

/// How it is started without a person. It asks nothing, and has no way to say that it may only read.
pub(super) fn start(errand: &Errand<'_>) -> Words {
    let thread = errand.resume.map(|thread| ["threads", "continue", thread]);
    Words::new(thread.into_iter().flatten()).and(["-x", "--stream-json"])
}

/// An event of its stream, which has the shape of Claude Code's; its tools have other names.
pub(super) fn hear(stream: &mut Stream, event: &Value) -> Option<Act> {
    let act = claude::hear(stream, event)?;
    let Act::Use(tool) = &act else { return Some(act) };
    let blocks = event["message"]["content"].as_array()?;
    let input = &blocks.iter().rfind(|block| block["name"] == tool.as_str())?["input"];
    let with = |act, keys: &[&str]| Act::with(act, tool, input, keys);
    Some(match tool.as_str() {
        "edit_file" | "create_file" => with(Act::Edit, &["path"]),
        "shell_command" => with(Act::Run, &["cmd", "command"]),
        "Bash" => with(Act::Run, &["cmd", "command"]),
        "web_search" => with(Act::SearchWeb, &["objective", "query"]),
        "read_web_page" => with(Act::Fetch, &["url"]),
        _ => act,
    })
}
