//! Anthropic's Messages, which Claude Code speaks.

use super::{Does, Event, Wire, elements, has_tools};
use serde_json::{Value, json};

pub(super) const WIRE: Wire = Wire { conversation: "messages", results, offers_tools: has_tools, events };

fn results(body: &Value) -> usize {
    let blocks = elements(&body["messages"]).flat_map(|message| elements(&message["content"]));
    blocks.filter(|block| block["type"] == "tool_result").count()
}

fn events(body: &Value, turn: usize, does: Does<'_>) -> Vec<Event> {
    let (block, delta, stop) = match does {
        Does::Call(call) => (
            json!({ "type": "tool_use", "id": format!("toolu_{turn}"), "name": call.tool, "input": {} }),
            json!({ "type": "input_json_delta", "partial_json": call.input.to_string() }),
            "tool_use",
        ),
        Does::Say(text) => {
            (json!({ "type": "text", "text": "" }), json!({ "type": "text_delta", "text": text }), "end_turn")
        }
    };
    let message = json!({
        "id": format!("msg_{turn}"), "type": "message", "role": "assistant", "model": body["model"], "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": { "input_tokens": 1, "output_tokens": 1 },
    });
    let end = json!({ "stop_reason": stop, "stop_sequence": null });
    let events = [
        json!({ "type": "message_start", "message": message }),
        json!({ "type": "content_block_start", "index": 0, "content_block": block }),
        json!({ "type": "content_block_delta", "index": 0, "delta": delta }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": end, "usage": { "output_tokens": 1 } }),
        json!({ "type": "message_stop" }),
    ];
    let names = [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    names.map(Some).into_iter().zip(events).collect()
}
