//! Gemini CLI, as seen in 0.61.0. Its reference: <https://geminicli.com/docs/hooks/reference>.
//!
//! From 0.56 on its shell tool runs git with `core.hooksPath` empty and without the user's configuration, so that no
//! hook of the user's repository runs, and no fence either. The command is given back what was taken from it.

use super::{
    Agent, Answer, Call, Moment, Told, Use,
    headless::{Act, Errand, Stream, Words, text},
    path_at,
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

/// How it is started without a person. Where the user has not trusted the folder it refuses to, and says so.
pub(super) fn start(errand: &Errand<'_>) -> Words {
    let mode = if errand.may_write { "yolo" } else { "plan" };
    let words = Words::new(["--output-format", "stream-json", "--approval-mode", mode]);
    let words = match errand.inherits_trust(Agent::Gemini) {
        true => words.with("GEMINI_CLI_TRUST_WORKSPACE", "true"),
        false => words,
    };
    match errand.resume {
        Some(session) => words.and(["--resume", session]),
        None => words,
    }
}

/// An event of its stream. What it says comes in parts, of which a tool in between begins a new one.
pub(super) fn hear(stream: &mut Stream, event: &Value) -> Option<Act> {
    stream.session(event, "session_id");
    match text(&event["type"])? {
        "message" if event["role"] == "assistant" => {
            stream.say(text(&event["content"])?, Some("parts"));
            None
        }
        "tool_use" => {
            stream.message = None;
            Some(act(text(&event["tool_name"])?, &event["parameters"]))
        }
        "tool_result" => {
            let refused = matches!(text(&event["error"]["type"])?, "policy_violation" | "tool_not_registered");
            stream.told.denied.extend(text(&event["error"]["message"]).filter(|_| refused).map(str::to_owned));
            None
        }
        "error" if event["severity"] == "error" => {
            stream.told.error = text(&event["message"]).map(str::to_owned);
            None
        }
        "result" => {
            end(stream, event);
            None
        }
        _ => None,
    }
}

fn end(stream: &mut Stream, event: &Value) {
    let told = &mut stream.told;
    if event["status"] == "error" {
        let why = text(&event["error"]["message"]).unwrap_or("it failed");
        told.fail(why, status(why));
    }
    let count = |key: &str| event["stats"][key].as_u64();
    told.usage.input = count("input_tokens");
    told.usage.cached = count("cached");
    told.usage.output = count("output_tokens");
}

/// The status in `[API Error: {"error":{"code":400,…}}]`.
fn status(why: &str) -> Option<u64> {
    let json = why.get(why.find('{')?..=why.rfind('}')?)?;
    serde_json::from_str::<Value>(json).ok()?["error"]["code"].as_u64()
}

fn act(tool: &str, input: &Value) -> Act {
    let with = |act, keys: &[&str]| Act::with(act, tool, input, keys);
    match tool {
        "write_file" | "replace" | "edit" => with(Act::Edit, &["file_path", "path"]),
        "read_file" => with(Act::Read, &["file_path", "absolute_path", "path"]),
        "run_shell_command" => with(Act::Run, &["command"]),
        "grep_search" | "search_file_content" | "glob" => with(Act::Search, &["pattern"]),
        "google_web_search" => with(Act::SearchWeb, &["query"]),
        "web_fetch" => with(Act::Fetch, &["url", "prompt"]),
        tool => Act::Use(tool.to_owned()),
    }
}

/// What an exit code of its means, where another try changes nothing. Of the others most are a status of the model's
/// server.
pub(super) fn meaning(exit: i32) -> Option<&'static str> {
    match exit {
        41 => Some("gemini is not signed in"),
        42 => Some("gemini doesn't take what it was given"),
        44 => Some("gemini has no sandbox here"),
        52 => Some("gemini can't read its settings"),
        53 => Some("gemini has reached its limit of turns"),
        55 => Some(
            "gemini doesn't trust this folder: start it there once and say yes, or set GEMINI_CLI_TRUST_WORKSPACE=true",
        ),
        _ => None,
    }
}
