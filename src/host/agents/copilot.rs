//! GitHub Copilot CLI, as seen in 1.0.102. Its reference: <https://docs.github.com/en/copilot/reference/hooks-configuration>.
//!
//! A payload doesn't name its event: that is told by what it has.

use super::{
    Agent, Answer, Moment, Told, Use,
    headless::{Act, Errand, Stream, Words, text},
    patch, path_at, text_at,
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    session_id: Option<String>,
    cwd: Option<PathBuf>,
    tool_name: Option<String>,
    #[serde(default)]
    tool_args: Value,
    // What is not needed is not read: an output may be cut in the middle of a character.
    tool_result: Option<IgnoredAny>,
    source: Option<IgnoredAny>,
    prompt: Option<IgnoredAny>,
    reason: Option<IgnoredAny>,
    stop_reason: Option<IgnoredAny>,
}

pub(super) fn read(payload: &[u8]) -> serde_json::Result<Told> {
    let payload: Payload = serde_json::from_slice(payload)?;
    let moment = match &payload {
        Payload { tool_name: Some(tool), tool_result: Some(_), .. } => Moment::After(use_of(tool, &payload.tool_args)),
        Payload { tool_name: Some(tool), .. } => Moment::Before(use_of(tool, &payload.tool_args)),
        Payload { source: Some(_), .. } => Moment::SessionStart,
        Payload { prompt: Some(_), .. } => Moment::Prompt,
        Payload { stop_reason: Some(_), .. } => Moment::Pause,
        Payload { reason: Some(_), .. } => Moment::SessionEnd,
        _ => Moment::Other,
    };
    Ok(Told { session: payload.session_id, dir: payload.cwd, moment, event: String::new() })
}

fn use_of(tool: &str, args: &Value) -> Use {
    // Some versions write the arguments as a text that is JSON.
    let parsed = args.as_str().and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
    let empty = Map::new();
    // The patch of a model of OpenAI is all that there is, and no JSON.
    let patch = args.as_str().filter(|_| tool == "apply_patch" && parsed.is_none());
    if let Some(patch) = patch {
        return Use::edit(patch::touched(patch));
    }
    let args = parsed.as_ref().or(args.as_object()).unwrap_or(&empty);
    match tool {
        "create" | "edit" | "str_replace_editor" => Use::edit(path_at(args, &["path"])),
        "apply_patch" => Use::edit(text_at(args, &["patch", "input"]).map(patch::touched).unwrap_or_default()),
        "bash" | "powershell" => text_at(args, &["command"]).map_or_else(Use::default, Use::shell),
        _ => Use::default(),
    }
}

pub(super) fn reply(answer: &Answer) -> Option<Value> {
    match answer {
        Answer::Pass => None,
        Answer::Tell(text) => Some(json!({ "additionalContext": text })),
        Answer::Refuse(reason) => Some(json!({ "permissionDecision": "deny", "permissionDecisionReason": reason })),
    }
}

/// How it is started without a person. It wants leave for all tools, of which some are then taken away. Hooks of a folder
/// that the user has not trusted don't run.
pub(super) fn start(errand: &Errand<'_>) -> Words {
    let words = Words::new(["--output-format", "json", "--no-ask-user", "--allow-all-tools"]);
    let words = match errand.may_write {
        true => words,
        false => words.and(["--deny-tool", "write", "--deny-tool", "shell"]),
    };
    match errand.resume {
        // There it takes no word of trust.
        Some(session) => words.and([format!("--resume={session}")]),
        None if errand.inherits_trust(Agent::Copilot) => words.and(["--trust-folder"]),
        None => words,
    }
}

/// An event of its stream.
pub(super) fn hear(stream: &mut Stream, event: &Value) -> Option<Act> {
    let data = &event["data"];
    match text(&event["type"])? {
        "tool.execution_start" => return Some(act(text(&data["toolName"])?, &data["arguments"])),
        "tool.execution_complete" if data["error"]["code"] == "denied" => {
            stream.told.denied.extend(text(&data["error"]["message"]).map(str::to_owned));
        }
        "assistant.turn_start" => stream.told.usage.turns = Some(stream.told.usage.turns.unwrap_or(0) + 1),
        "assistant.message" => stream.say(text(&data["content"])?, None),
        "session.error" => stream.told.fail(text(&data["message"])?, data["statusCode"].as_u64()),
        "result" => stream.session(event, "sessionId"),
        _ => {}
    }
    None
}

fn act(tool: &str, input: &Value) -> Act {
    let with = |act, keys: &[&str]| Act::with(act, tool, input, keys);
    match tool {
        "create" | "edit" | "str_replace_editor" => with(Act::Edit, &["path"]),
        // The patch of a model of OpenAI is all that there is, and no object.
        "apply_patch" => {
            let files = input.as_str().map(patch::touched).unwrap_or_default();
            let file = files.first().map(|file| Act::Edit(file.display().to_string()));
            file.unwrap_or_else(|| Act::Use(tool.to_owned()))
        }
        "view" => with(Act::Read, &["path"]),
        "bash" | "powershell" => with(Act::Run, &["command"]),
        "grep" | "glob" | "rg" => with(Act::Search, &["pattern"]),
        "web_search" => with(Act::SearchWeb, &["query"]),
        "web_fetch" => with(Act::Fetch, &["url"]),
        tool => Act::Use(tool.to_owned()),
    }
}
