//! Google's `streamGenerateContent`, which Gemini CLI speaks.

use super::{Does, Event, Wire, elements, has_tools};
use serde_json::{Value, json};

pub(super) const WIRE: Wire = Wire { conversation: "contents", results, offers_tools: has_tools, events };

fn results(body: &Value) -> usize {
    let parts = elements(&body["contents"]).flat_map(|content| elements(&content["parts"]));
    parts.filter(|part| part.get("functionResponse").is_some()).count()
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
