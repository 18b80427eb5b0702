//! OpenAI's chat completions, which Copilot CLI and OpenCode speak with models of one's own.

use super::{Does, Event, ToolCall, Wire, elements, has_tools};
use serde_json::{Value, json};

pub(super) const WIRE: Wire = Wire { conversation: "messages", results, offers_tools: has_tools, events };

fn results(body: &Value) -> usize {
    elements(&body["messages"]).filter(|message| message["role"] == "tool").count()
}

fn events(body: &Value, turn: usize, does: Does<'_>) -> Vec<Event> {
    let id = format!("call_{turn}");
    let (delta, finish) = match does {
        Does::Say(text) => (json!({ "role": "assistant", "content": text }), "stop"),
        Does::Call(ToolCall { tool, input }) => {
            let call = match input {
                Value::String(text) => json!({ "type": "custom", "custom": { "name": tool, "input": text } }),
                input => json!({ "type": "function", "function": { "name": tool, "arguments": input.to_string() } }),
            };
            let mut delta = json!({ "role": "assistant", "content": null, "tool_calls": [call] });
            delta["tool_calls"][0]["index"] = 0.into();
            delta["tool_calls"][0]["id"] = id.into();
            (delta, "tool_calls")
        }
    };
    let chunk = |delta: Value, finish: Value| {
        json!({
            "id": format!("chatcmpl-{turn}"), "object": "chat.completion.chunk", "created": 1, "model": body["model"],
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }],
            "usage": { "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 },
        })
    };
    vec![(None, chunk(delta, Value::Null)), (None, chunk(json!({}), finish.into()))]
}
