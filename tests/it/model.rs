//! A model that follows a script, in the wire formats that the agent CLIs speak: it makes the n-th call of the script
//! when n tools have answered, and when there is none left it is done. It remembers what it was told.

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

struct Shared {
    script: Vec<ToolCall>,
    /// The longest conversation, as it was last sent.
    longest: Mutex<Conversation>,
}

#[derive(Default)]
struct Conversation {
    results: usize,
    said: Value,
}

impl Model {
    /// Starts one that follows this script.
    pub fn start(script: Vec<ToolCall>) -> Model {
        let shared = Arc::new(Shared { script, longest: Mutex::default() });
        let serving = Arc::clone(&shared);
        Model { loopback: Loopback::serve(move |stream| serving.answer(stream)), shared }
    }

    /// Its address, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.loopback.address)
    }

    /// All that it was told till the end, a text after the other; not which tools there are.
    pub fn heard(&self) -> String {
        let mut heard = String::new();
        collect_texts(&self.shared.longest.lock().unwrap().said, &mut heard);
        heard
    }

    /// How many calls of its script were answered.
    pub fn calls_answered(&self) -> usize {
        self.shared.longest.lock().unwrap().results
    }
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
        let (kind, answer) = match (wire(&request.path), serde_json::from_slice(&request.body)) {
            (Some(wire), Ok(body)) => ("text/event-stream", self.turn(wire, body)),
            // Which models there are, how many tokens something has: nobody insists on knowing.
            _ => ("application/json", "{}".into()),
        };
        let length = answer.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close");
        write!(stream, "{head}\r\n\r\n{answer}")
    }

    fn turn(&self, wire: &Wire, mut body: Value) -> String {
        let results = (wire.results)(&body);
        let does = match self.script.get(results) {
            _ if !(wire.offers_tools)(&body) => Does::Say("A title"),
            Some(call) => Does::Call(call),
            None => Does::Say(DONE),
        };
        let mut out = String::new();
        for (name, data) in (wire.events)(&body, results, does) {
            let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
            let _ = write!(out, "{name}data: {data}\n\n");
        }
        let mut longest = self.longest.lock().unwrap();
        if (wire.offers_tools)(&body) && results >= longest.results {
            *longest = Conversation { results, said: body[wire.conversation].take() };
        }
        out
    }
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
