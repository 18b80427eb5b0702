//! A model that follows a script, in the wire formats that the agent CLIs speak: it makes the n-th call of the script
//! when n tools have answered, and when there is none left it is done. It remembers what it was told. It may have several
//! scripts, and follow one or the other by what it is told.

mod anthropic;
mod chat;
mod gemini;
mod responses;

use crate::http::{Loopback, Request};
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    io::{self, Write as _},
    net::TcpStream,
    sync::{Arc, Mutex},
};

/// What the model says when there is nothing left to do.
pub const DONE: &str = "All is done.";

/// In a call, the file that the model was told to find its task in.
pub const TASK_FILE: &str = "<the file with the task>";

/// One call of a tool.
#[derive(Debug, Clone)]
pub struct ToolCall {
    /// The tool.
    pub tool: &'static str,
    /// What it is given. A text and no object goes to a tool that takes just that.
    pub input: Value,
}

impl ToolCall {
    /// Calls `tool` with this.
    pub fn new(tool: &'static str, input: impl Into<Value>) -> ToolCall {
        ToolCall { tool, input: input.into() }
    }
}

/// How one family of models is spoken to. All of them stream their answers as server-sent events.
struct Wire {
    /// Where a request has the conversation.
    conversation: &'static str,
    /// How many tools have answered in a conversation.
    results: fn(&Value) -> usize,
    /// Whether it offers tools to the model. The others ask for a title and the like.
    offers_tools: fn(&Value) -> bool,
    /// The events that say what the model does in this turn of a conversation: a call, or a text.
    events: fn(&Value, usize, Does<'_>) -> Vec<Event>,
}

/// What the model does in one turn.
#[derive(Clone, Copy)]
enum Does<'s> {
    Call(&'s ToolCall),
    Say(&'s str),
}

/// A server-sent event, with its name where the format has one beside the data.
type Event = (Option<&'static str>, Value);

/// A model on loopback. It ends with the test.
pub struct Model {
    loopback: Loopback,
    shared: Arc<Shared>,
}

/// What a model does that was told certain words: these calls, and then it says this.
struct Script {
    told: &'static str,
    calls: Vec<ToolCall>,
    says: &'static str,
}

struct Shared {
    scripts: Vec<Script>,
    /// The status that it answers with instead.
    refuses: Option<u16>,
    /// For each script the longest conversation, as it was last sent.
    longest: Mutex<Vec<Conversation>>,
}

#[derive(Clone, Default)]
struct Conversation {
    results: usize,
    said: Value,
    tools: Value,
}

impl Model {
    /// Starts one that follows this script.
    pub fn start(script: Vec<ToolCall>) -> Model {
        Model::start_with(vec![("", script)])
    }

    /// Starts one that follows the last of these scripts whose words it was told.
    pub fn start_with(scripts: Vec<(&'static str, Vec<ToolCall>)>) -> Model {
        Model::start_saying(scripts.into_iter().map(|(told, calls)| (told, calls, DONE)).collect())
    }

    /// The same, each with what it says in the end.
    pub fn start_saying(scripts: Vec<(&'static str, Vec<ToolCall>, &'static str)>) -> Model {
        let script = |(told, calls, says)| Script { told, calls, says };
        Model::serve(scripts.into_iter().map(script).collect(), None)
    }

    /// Starts one whose server refuses whatever it is asked, with this status.
    pub fn refusing(status: u16) -> Model {
        Model::serve(vec![Script { told: "", calls: Vec::new(), says: DONE }], Some(status))
    }

    fn serve(scripts: Vec<Script>, refuses: Option<u16>) -> Model {
        let longest = Mutex::new(vec![Conversation::default(); scripts.len()]);
        let shared = Arc::new(Shared { scripts, refuses, longest });
        let serving = Arc::clone(&shared);
        Model { loopback: Loopback::serve(move |stream| serving.answer(stream)), shared }
    }

    /// Its address, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.loopback.address)
    }

    /// All that it was told till the end, a text after the other; not which tools there are.
    pub fn heard(&self) -> String {
        self.heard_in(0)
    }

    /// All that it was told while it followed this one of its scripts.
    pub fn heard_in(&self, script: usize) -> String {
        texts(&self.shared.longest.lock().unwrap()[script].said)
    }

    /// The tools that it was offered while it followed this one of its scripts: all texts in which they are described.
    pub fn offered_in(&self, script: usize) -> String {
        texts(&self.shared.longest.lock().unwrap()[script].tools)
    }

    /// How many calls of its script were answered.
    pub fn calls_answered(&self) -> usize {
        self.calls_answered_in(0)
    }

    /// How many calls of this one of its scripts were answered.
    pub fn calls_answered_in(&self, script: usize) -> usize {
        self.shared.longest.lock().unwrap()[script].results
    }
}

fn texts(value: &Value) -> String {
    let mut texts = String::new();
    collect_texts(value, &mut texts);
    texts
}

fn collect_texts(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => out.extend([text.as_str(), "\n"]),
        Value::Array(values) => values.iter().for_each(|value| collect_texts(value, out)),
        Value::Object(values) => values.values().for_each(|value| collect_texts(value, out)),
        _ => {}
    }
}

impl Shared {
    fn answer(&self, mut stream: &TcpStream) -> io::Result<()> {
        let request = Request::read(stream)?;
        let (status, kind, answer) = match (wire(&request.path), serde_json::from_slice(&request.body), self.refuses) {
            (Some(_), Ok(_), Some(status)) => (status, "application/json", refusal(status)),
            (Some(wire), Ok(body), None) => (200, "text/event-stream", self.turn(wire, body)),
            // Which models there are, how many tokens something has: nobody insists on knowing.
            _ => (200, "application/json", "{}".into()),
        };
        let length = answer.len();
        let head =
            format!("HTTP/1.1 {status} So\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close");
        write!(stream, "{head}\r\n\r\n{answer}")
    }

    fn turn(&self, wire: &Wire, mut body: Value) -> String {
        let (results, told) = ((wire.results)(&body), texts(&body[wire.conversation]));
        let followed = self.scripts.iter().rposition(|script| told.contains(script.told)).unwrap_or(0);
        let script = &self.scripts[followed];
        let call = script.calls.get(results).map(|call| call.for_whom_was(&told));
        let does = match &call {
            _ if !(wire.offers_tools)(&body) => Does::Say("A title"),
            Some(call) => Does::Call(call),
            None => Does::Say(script.says),
        };
        let mut out = String::new();
        for (name, data) in (wire.events)(&body, results, does) {
            let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
            let _ = write!(out, "{name}data: {data}\n\n");
        }
        let longest = &mut self.longest.lock().unwrap()[followed];
        if (wire.offers_tools)(&body) && results >= longest.results {
            *longest = Conversation { results, tools: body["tools"].take(), said: body[wire.conversation].take() };
        }
        out
    }
}

impl ToolCall {
    /// The call, with the file of the task as the model was `told` it.
    fn for_whom_was(&self, told: &str) -> ToolCall {
        let file = told.split_once("Your task is in the file ").and_then(|(_, rest)| rest.split_once(". Read all"));
        let filled = |text: &str| text.replace(TASK_FILE, file.map_or(TASK_FILE, |(file, _)| file));
        let mut input = self.input.clone();
        match &mut input {
            Value::String(text) => *text = filled(text),
            Value::Object(values) => values.values_mut().for_each(|value| {
                if let Value::String(text) = value {
                    *text = filled(text);
                }
            }),
            _ => {}
        }
        ToolCall { tool: self.tool, input }
    }
}

/// What the servers of models say when they refuse, all of them at once.
fn refusal(status: u16) -> String {
    let error = json!({ "code": status, "type": "invalid_request_error", "status": "REFUSED", "message": "not today" });
    json!({ "type": "error", "error": error }).to_string()
}

fn wire(path: &str) -> Option<&'static Wire> {
    match path {
        path if path.ends_with("/messages") => Some(&anthropic::WIRE),
        path if path.ends_with("/responses") => Some(&responses::WIRE),
        path if path.ends_with(":streamGenerateContent") => Some(&gemini::WIRE),
        path if path.ends_with("/chat/completions") => Some(&chat::WIRE),
        _ => None,
    }
}

/// The elements of what should be an array.
fn elements(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Whether there is a list of tools where most formats have one.
fn has_tools(body: &Value) -> bool {
    elements(&body["tools"]).next().is_some()
}

#[test]
fn a_script_is_followed_in_every_format() {
    let call = ToolCall::new("write", json!({ "path": "a.txt" }));
    let wires = [
        (&anthropic::WIRE, json!({ "role": "user", "content": [{ "type": "tool_result" }] })),
        (&responses::WIRE, json!({ "type": "function_call_output", "output": "written" })),
        (&gemini::WIRE, json!({ "parts": [{ "functionResponse": {} }] })),
        (&chat::WIRE, json!({ "role": "tool", "content": "written" })),
    ];
    for (wire, result) in wires {
        let list = wire.conversation;
        let tools = json!([{ "name": "write" }]);
        let says = |does| {
            (wire.events)(&json!({ "tools": tools }), 0, does)
                .iter()
                .map(|(_, data)| data.to_string())
                .collect::<String>()
        };
        assert!(says(Does::Call(&call)).contains("a.txt") && says(Does::Say(DONE)).contains(DONE), "{list}");
        assert_eq!((wire.results)(&json!({ list: [] })), 0);
        assert_eq!((wire.results)(&json!({ list: [result, { "role": "user", "content": "more" }] })), 1, "{list}");
        assert!(
            (wire.offers_tools)(&json!({ list: [], "tools": tools })) && !(wire.offers_tools)(&json!({ list: [] }))
        );
    }
}
