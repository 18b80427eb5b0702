//! Claude Code, as seen in 2.1.329. Its reference: <https://code.claude.com/docs/en/hooks>.

use super::{
    Answer, Call, Moment, Told, Use,
    headless::{Act, Errand, Stream, Words, text},
    path_at,
    payload::{self, Events},
    text_at,
};
use serde_json::{Map, Value};
use std::{fs, io};

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

/// The tools that change nothing, those that look things up on the web among them. Its mode for plans is no such limit:
/// there another model decides which commands may be run.
const READS: &str = "Read,Grep,Glob,WebSearch,WebFetch";

/// How it is started without a person. Our own tools need leave like any other.
pub(super) fn start(errand: &Errand<'_>) -> io::Result<Words> {
    let words = Words::new(["-p", "--output-format", "stream-json", "--verbose"]);
    let words = match errand.may_write {
        true => {
            // Without leave to read it would read nothing outside of its folder, such as a task that is told by its file.
            let allowed = "Bash,Read,WebSearch,WebFetch,mcp__aio";
            words.and(["--permission-mode", "acceptEdits", "--allowedTools", allowed])
        }
        false => words
            .and(["--permission-mode", "dontAsk", "--tools", READS, "--allowedTools", &format!("{READS},mcp__aio")])
            .and(["--disallowedTools", "Bash,Edit,Write,NotebookEdit"]),
    };
    let words = match errand.resume {
        Some(session) => words.and(["--resume", session]),
        None => words,
    };
    Ok(match errand.schema {
        Some(schema) => words.and(["--json-schema", &fs::read_to_string(schema)?]),
        None => words,
    })
}

/// An event of its stream. The last one is the result, and `is_error` alone says how it ended: an error of the model's
/// server is called a success too.
pub(super) fn hear(stream: &mut Stream, event: &Value) -> Option<Act> {
    stream.session(event, "session_id");
    match (text(&event["type"])?, text(&event["subtype"])) {
        ("assistant", _) => {
            let blocks = event["message"]["content"].as_array()?;
            let uses = blocks.iter().filter(|block| block["type"] == "tool_use");
            uses.filter_map(|used| Some(act(text(&used["name"])?, &used["input"]))).next_back()
        }
        ("system", Some("permission_denied")) => {
            stream.told.denied.extend(text(&event["message"]).map(str::to_owned));
            None
        }
        ("result", kind) => {
            end(stream, event, kind.unwrap_or_default());
            None
        }
        _ => None,
    }
}

fn end(stream: &mut Stream, event: &Value, kind: &str) {
    let result = text(&event["result"]);
    stream.say(result.unwrap_or_default(), None);
    let told = &mut stream.told;
    told.error = None;
    if event["is_error"] == true {
        let errors = event["errors"].as_array().into_iter().flatten();
        let why = errors.filter_map(text).chain(text(&event["error"])).next().or(result).unwrap_or(kind);
        told.fail(why, event["api_error_status"].as_u64());
        told.result = String::new();
    }
    if let Some(structured) = event.get("structured_output") {
        told.structured = Some(structured.clone());
    }
    if told.denied.is_empty() {
        let denials = event["permission_denials"].as_array().into_iter().flatten();
        told.denied.extend(denials.filter_map(|denied| text(&denied["tool_name"])).map(str::to_owned));
    }
    let count = |key: &str| event["usage"][key].as_u64();
    told.usage.cached = count("cache_read_input_tokens");
    let read = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"];
    told.usage.input = read.iter().filter_map(|key| count(key)).reduce(|a, b| a + b);
    told.usage.output = count("output_tokens");
    told.usage.cost_usd = event["total_cost_usd"].as_f64();
    told.usage.turns = event["num_turns"].as_u64();
}

fn act(tool: &str, input: &Value) -> Act {
    let with = |act, keys: &[&str]| Act::with(act, tool, input, keys);
    match tool {
        "Edit" | "MultiEdit" | "Write" | "NotebookEdit" => with(Act::Edit, &["file_path", "notebook_path"]),
        "Read" => with(Act::Read, &["file_path"]),
        "Bash" => with(Act::Run, &["command"]),
        "Grep" | "Glob" => with(Act::Search, &["pattern"]),
        "WebSearch" => with(Act::SearchWeb, &["query"]),
        "WebFetch" => with(Act::Fetch, &["url"]),
        tool => Act::Use(tool.to_owned()),
    }
}
