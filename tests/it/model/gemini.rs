//! Google's `streamGenerateContent`, which Gemini CLI speaks.

use super::{Does, Event, Wire, elements, has_tools};
use serde_json::{Value, json};
use std::collections::HashSet;

pub(super) const WIRE: Wire = Wire { conversation: "contents", results, offers_tools: has_tools, events };

fn results(body: &Value) -> usize {
    let parts = elements(&body["contents"]).flat_map(|content| elements(&content["parts"]));
    // A session that goes on has some of them twice.
    let ids: HashSet<_> = parts.filter_map(|part| Some(part.get("functionResponse")?["id"].as_str())).collect();
    ids.len()
}

fn events(_: &Value, _: usize, does: Does<'_>) -> Vec<Event> {
    let part = match does {
        Does::Call(call) => json!({ "functionCall": { "name": call.tool, "args": call.input } }),
        Does::Say(text) => json!({ "text": text }),
    };
    let content = json!({ "role": "model", "parts": [part] });
    let answer = json!({
        "candidates": [{ "content": content, "finishReason": "STOP", "index": 0 }],
        "usageMetadata": { "promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2 },
    });
    vec![(None, answer)]
}
