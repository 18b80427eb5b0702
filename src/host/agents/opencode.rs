//! OpenCode, by way of the plugin in `hooks/opencode-plugin.ts`, which hands on what OpenCode tells it and does what we
//! answer. As seen in 1.18.34; <https://opencode.ai/docs/plugins>.

use super::{
    Answer, Moment, Told, Use,
    headless::{Act, Errand, Stream, Words, text},
    patch, path_at, text_at,
};
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

/// How it is started without a person. What would be asked is refused then; its agent for plans still runs commands.
pub(super) fn start(errand: &Errand<'_>) -> Words {
    let words = Words::new(["run", "--format", "json"]);
    let words = match errand.may_write {
        true => words,
        false => words.with("OPENCODE_PERMISSION", r#"{"edit":"deny","bash":"deny"}"#),
    };
    match errand.resume {
        Some(session) => words.and(["--session", session]),
        None => words,
    }
}

/// An event of its stream, which has no last one: the last text is the answer. A tool is told of when it is done.
pub(super) fn hear(stream: &mut Stream, event: &Value) -> Option<Act> {
    stream.session(event, "sessionID");
    let part = &event["part"];
    match text(&event["type"])? {
        "text" => stream.say(text(&part["text"])?, text(&part["messageID"])),
        "tool_use" => {
            let (tool, state) = (text(&part["tool"])?, &part["state"]);
            // That is what it calls the use of a tool that isn't there, as one is that was denied from the beginning.
            if tool == "invalid" {
                stream.told.denied.extend(text(&state["input"]["tool"]).map(str::to_owned));
                return None;
            }
            let refused = text(&state["error"]).filter(|error| error.contains("prevents you from using"));
            stream.told.denied.extend(refused.map(|_| tool.to_owned()));
            return Some(act(tool, &state["input"]));
        }
        "step_finish" => {
            let usage = &mut stream.told.usage;
            let tokens = |path: &str| part["tokens"].pointer(path).and_then(Value::as_u64);
            let add =
                |sum: &mut Option<u64>, more: Option<u64>| *sum = more.map(|more| sum.unwrap_or(0) + more).or(*sum);
            add(&mut usage.input, tokens("/input"));
            add(&mut usage.input, tokens("/cache/read"));
            add(&mut usage.cached, tokens("/cache/read"));
            add(&mut usage.output, tokens("/output"));
            add(&mut usage.turns, Some(1));
            usage.cost_usd = part["cost"].as_f64().map(|cost| usage.cost_usd.unwrap_or(0.0) + cost).or(usage.cost_usd);
        }
        "error" => {
            let (error, status) = (&event["error"], event["error"]["data"]["statusCode"].as_u64());
            let why = text(&error["data"]["message"]).or_else(|| text(&error["name"])).unwrap_or("it failed");
            stream.told.fail(why, status);
        }
        _ => {}
    }
    None
}

fn act(tool: &str, input: &Value) -> Act {
    let with = |act, keys: &[&str]| Act::with(act, tool, input, keys);
    match tool {
        "edit" | "write" | "multiedit" => with(Act::Edit, &["filePath"]),
        "apply_patch" | "patch" => {
            let files = text(&input["patchText"]).map(patch::touched).unwrap_or_default();
            let file = files.first().map(|file| Act::Edit(file.display().to_string()));
            file.unwrap_or_else(|| Act::Use(tool.to_owned()))
        }
        "read" => with(Act::Read, &["filePath"]),
        "bash" => with(Act::Run, &["command"]),
        "grep" | "glob" => with(Act::Search, &["pattern"]),
        "websearch" => with(Act::SearchWeb, &["query"]),
        "webfetch" => with(Act::Fetch, &["url"]),
        tool => Act::Use(tool.to_owned()),
    }
}
