//! Codex CLI, as seen in 0.169.0. Its reference: <https://developers.openai.com/codex/hooks>.
//!
//! It throws an answer away in which one key is unknown to it, and lets the edit pass: nothing may be added to the shapes
//! below.

use super::{
    Answer, Call, Moment, Told, Use, claude,
    headless::{Act, Errand, Stream, Words, text},
    patch, path_at, payload, text_at,
};
use crate::{disk, host::env::Homes};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use toml_edit::DocumentMut;

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

/// The largest configuration of its that is read, in bytes.
const MAX_CONFIG: usize = 1024 * 1024;

/// The largest file that stands in the place of a git directory, in bytes.
const MAX_LINK: usize = 64 * 1024;

/// How it is started without a person. Its sandbox is what holds it; without leave for the git directory it could neither
/// commit nor claim. That of a linked work tree has to be named by itself: it is kept from being written although it lies
/// in the other.
pub(super) fn start(errand: &Errand<'_>) -> Words {
    let sandbox = if errand.may_write { "workspace-write" } else { "read-only" };
    let words = Words::new(["exec", "--json", "--sandbox", sandbox]);
    let words = match errand.may_write {
        true => {
            let own = own_git_dir(errand.dir);
            let roots = [Some(errand.git_dir), own.as_deref()].into_iter().flatten();
            let roots: toml_edit::Array = roots.map(|root| root.to_string_lossy().into_owned()).collect();
            words.and(["-c", &format!("sandbox_workspace_write.writable_roots={roots}")])
        }
        false => words,
    };
    // It gives its servers nothing of its environment.
    let words = match has_server(errand.dir) {
        true => words.and(["-c", &server(errand.instance)]),
        false => words,
    };
    let words = match errand.schema {
        Some(schema) => words.and(["--output-schema".as_ref(), schema.as_os_str()]),
        None => words,
    };
    match errand.resume {
        Some(session) => words.and(["resume", session, "-"]),
        None => words.and(["-"]),
    }
}

/// Our server, told whom it serves. All of it has to be said: where the project that names it isn't trusted, it is not
/// known otherwise, and half of it is an error.
fn server(instance: &str) -> String {
    let instance = quoted(instance);
    format!("mcp_servers.aio={{command=\"git-aio\",args=[\"mcp\"],env={{AIO_INSTANCE={instance}}}}}")
}

/// Whether the user, or the project in `dir`, has our server.
fn has_server(dir: &Path) -> bool {
    let has = |path: &Path| {
        let text = disk::read(path, MAX_CONFIG).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let config = text.and_then(|text| text.parse::<DocumentMut>().ok());
        config.is_some_and(|config| config.get("mcp_servers").is_some_and(|servers| servers.get("aio").is_some()))
    };
    has(&dir.join(".codex/config.toml")) || Homes::read().is_some_and(|homes| has(&homes.codex.join("config.toml")))
}

/// The git directory of the linked work tree that `dir` lies in, if it is one.
fn own_git_dir(dir: &Path) -> Option<PathBuf> {
    let root = dir.ancestors().find(|folder| folder.join(".git").exists())?;
    let link = disk::read(&root.join(".git"), MAX_LINK).ok()?;
    let link = String::from_utf8(link).ok()?;
    Some(root.join(link.strip_prefix("gitdir: ")?.trim_end_matches(['\n', '\r'])))
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

/// An event of its stream. An error is one only if the turn fails: it also tells of connections that it makes again.
pub(super) fn hear(stream: &mut Stream, event: &Value) -> Option<Act> {
    stream.session(event, "thread_id");
    let told = &mut stream.told;
    match text(&event["type"])? {
        "item.started" => act(&event["item"]),
        "item.completed" => {
            let item = &event["item"];
            match text(&item["type"])? {
                "agent_message" => stream.say(text(&item["text"])?, None),
                kind if item["status"] == "declined" => told.denied.push(kind.to_owned()),
                _ => {}
            }
            None
        }
        "turn.completed" => {
            let count = |key: &str| event["usage"][key].as_u64();
            told.error = None;
            told.usage.input = count("input_tokens");
            told.usage.cached = count("cached_input_tokens");
            told.usage.output = count("output_tokens");
            None
        }
        "turn.failed" => {
            let why = text(&event["error"]["message"]).unwrap_or("the turn failed");
            told.fail(why, status(why));
            None
        }
        "error" => {
            told.error = text(&event["message"]).map(str::to_owned);
            None
        }
        _ => None,
    }
}

/// The status in `… last status: 429 Too Many Requests` and `unexpected status 401 Unauthorized: …`.
fn status(why: &str) -> Option<u64> {
    why.split_once("status").and_then(|(_, rest)| {
        rest.trim_start_matches([':', ' ']).split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    })
}

fn act(item: &Value) -> Option<Act> {
    Some(match text(&item["type"])? {
        "file_change" => Act::Edit(text(&item["changes"][0]["path"])?.to_owned()),
        "command_execution" => Act::Run(inner(text(&item["command"])?)),
        "web_search" => Act::with(Act::SearchWeb, "web_search", item, &["query"]),
        "mcp_tool_call" => Act::Use(format!("{} {}", text(&item["server"])?, text(&item["tool"])?)),
        _ => return None,
    })
}

/// The command that `/bin/bash -lc 'command'` runs.
fn inner(command: &str) -> String {
    match shlex::split(command).as_deref() {
        Some([_, flag, inner]) if flag == "-lc" || flag == "-c" => inner.clone(),
        _ => command.to_owned(),
    }
}

/// What an exit code of its means.
pub(super) fn meaning(exit: i32) -> Option<&'static str> {
    (exit == 2).then_some("this version of codex takes other options")
}
