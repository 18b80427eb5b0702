//! OpenAI's Responses, which Codex speaks.

use super::{Does, Event, ToolCall, Wire, elements, has_tools};
use serde_json::{Value, json};

pub(super) const WIRE: Wire = Wire { conversation: "input", results, offers_tools, events };

fn results(body: &Value) -> usize {
    let kinds = elements(&body["input"]).filter_map(|item| item["type"].as_str());
    kinds.filter(|kind| matches!(*kind, "function_call_output" | "custom_tool_call_output")).count()
}

fn offers_tools(body: &Value) -> bool {
    has_tools(body) || writes_scripts(body)
}

/// Whether the tools are to be called from JavaScript that Codex runs, as its newest models do.
fn writes_scripts(body: &Value) -> bool {
    elements(&body["input"]).any(|item| item["type"] == "additional_tools")
}

fn events(body: &Value, turn: usize, does: Does<'_>) -> Vec<Event> {
    let item = match does {
        Does::Say(text) => {
            let content = json!([{ "type": "output_text", "text": text, "annotations": [] }]);
            json!({ "type": "message", "role": "assistant", "id": format!("msg_{turn}"), "content": content })
        }
        Does::Call(ToolCall { tool, input }) if writes_scripts(body) => {
            let mut call = custom(turn, "exec", &format!("text(await tools.{tool}({input}));"));
            call["namespace"] = "functions".into();
            call
        }
        Does::Call(ToolCall { tool, input: Value::String(text) }) => custom(turn, tool, text),
        Does::Call(ToolCall { tool, input }) => {
            let mut call = json!({
                "type": "function_call", "id": format!("fc_{turn}"), "call_id": format!("call_{turn}"), "name": tool,
                "arguments": input.to_string(),
            });
            // The tools of a server are in a namespace of its own.
            if let Some((namespace, name)) = tool.rsplit_once("__") {
                (call["namespace"], call["name"]) = (namespace.into(), name.into());
            }
            call
        }
    };
    let usage = json!({
        "input_tokens": 1, "input_tokens_details": { "cached_tokens": 0 },
        "output_tokens": 1, "output_tokens_details": { "reasoning_tokens": 0 }, "total_tokens": 2,
    });
    let response = |status: &str, output: Value| json!({ "id": format!("resp_{turn}"), "object": "response", "status": status, "output": output, "usage": usage });
    let events = [
        ("response.created", json!({ "response": response("in_progress", json!([])) })),
        ("response.output_item.added", json!({ "output_index": 0, "item": item })),
        ("response.output_item.done", json!({ "output_index": 0, "item": item })),
        ("response.completed", json!({ "response": response("completed", json!([item])) })),
    ];
    let typed = events.map(|(name, mut data)| {
        data["type"] = name.into();
        (Some(name), data)
    });
    typed.into()
}

/// A call of a tool that takes a text.
fn custom(turn: usize, tool: &str, input: &str) -> Value {
    json!({
        "type": "custom_tool_call", "id": format!("ctc_{turn}"), "call_id": format!("call_{turn}"), "name": tool,
        "input": input,
    })
}
