//! OpenCode, by way of the plugin in `hooks/opencode-plugin.ts`, which hands on what OpenCode tells it and does what we
//! answer. As seen in 1.18.34; <https://opencode.ai/docs/plugins>.

use super::{Answer, Moment, Told, Use, patch, path_at, text_at};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

#[derive(Deserialize)]
struct Payload {
    event: String,
    #[serde(rename = "sessionID")]
    session: Option<String>,
    cwd: Option<PathBuf>,
    #[serde(default)]
    tool: String,
    #[serde(default)]
    args: Map<String, Value>,
}

pub(super) fn read(payload: &[u8]) -> serde_json::Result<Told> {
    let payload: Payload = serde_json::from_slice(payload)?;
    let used = || use_of(&payload.tool, &payload.args);
    let moment = match payload.event.as_str() {
        "session.created" => Moment::SessionStart,
        "session.idle" => Moment::Pause,
        "session.deleted" => Moment::SessionEnd,
        "tool.execute.before" => Moment::Before(used()),
        "tool.execute.after" => Moment::After(used()),
        _ => Moment::Other,
    };
    Ok(Told { session: payload.session, dir: payload.cwd, moment, event: payload.event })
}

fn use_of(tool: &str, args: &Map<String, Value>) -> Use {
    match tool {
        "edit" | "write" | "multiedit" => Use::edit(path_at(args, &["filePath"])),
        "apply_patch" | "patch" => Use::edit(text_at(args, &["patchText"]).map(patch::touched).unwrap_or_default()),
        "bash" => text_at(args, &["command"]).map_or_else(Use::default, Use::shell),
        _ => Use::default(),
    }
}

pub(super) fn reply(answer: &Answer) -> Value {
    match answer {
        Answer::Pass => json!({}),
        Answer::Tell(text) => json!({ "context": text }),
        Answer::Refuse(reason) => json!({ "deny": reason }),
    }
}
