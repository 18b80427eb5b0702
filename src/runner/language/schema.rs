//! The format of workflow files as a JSON Schema, for editors: what can stand where, and what it means.

use super::file::{ACTIONS, HEADER, LIMITS, keys_of};
use serde_json::{Map, Value, json};

/// What a key means, and what it is made of.
fn described(key: &str) -> (Value, &'static str) {
    let text = || json!({ "type": "string" });
    let texts = || json!({ "type": ["string", "array"], "items": { "type": "string" } });
    let duration = || json!({ "type": "string", "examples": ["30s", "10m"] });
    let number = || json!({ "type": "integer", "minimum": 1 });
    match key {
        "id" => (json!({ "type": "string", "pattern": "^[a-z][a-z0-9_]*$" }), "Its name"),
        "prompt" => (text(), "A task for an agent"),
        "run" => (text(), "A line of shell; values that are put in are quoted"),
        "ask" => (text(), "A question to a person or to the session that began the run"),
        "workflow" => (text(), "Another workflow, run as this step"),
        "with" => (json!({ "type": "object" }), "What the other workflow is given"),
        "step" => (json!({ "type": "array", "items": { "$ref": "#/$defs/step" } }), "Steps inside of this one"),
        "agent" => (texts(), "Who does it, the first choice first: codex, implementer, codex/implementer, caller"),
        "accept" => (texts(), "What has to be true in the end"),
        "avoid" => (texts(), "What is to be left alone"),
        "stdin" => (text(), "What the process reads"),
        "env" => (json!({ "type": "object", "additionalProperties": text() }), "Variables for its processes"),
        "needs" => (texts(), "The steps above it that have to have ended; all of them unless it is said"),
        "if" => (text(), "An expression; where it does not hold the step is skipped"),
        "for_each" => {
            (json!({ "type": ["string", "array"] }), "A list, or an expression that gives one: once for each item")
        }
        "max_parallel" => (number(), "The most at once"),
        "allow_failure" => (json!({ "type": "boolean" }), "Whether what needs it is done although it failed"),
        "compensate" => (
            json!({ "type": ["string", "object"] }),
            "How it is undone when a later step fails: \"revert\", or run or prompt",
        ),
        "repeat" => (
            json!({ "type": "object", "properties": { "until": text(), "max": number() }, "required": ["until"], "additionalProperties": false }),
            "Do the steps inside of it again, till the expression holds",
        ),
        "result" => (text(), "An expression: what it comes to; the result of the last step unless it is said"),
        "retry" => (
            json!({ "type": ["integer", "object"], "properties": {
                "max": { "type": "integer" }, "delay": duration(), "backoff": { "type": "number" }, "split": { "type": "boolean" }
            }, "additionalProperties": false }),
            "How often it is tried again",
        ),
        "timeout" => (duration(), "The most time"),
        "stall" => (duration(), "The most time without a sign of life"),
        "scope" => (texts(), "The paths that may be written, claimed as long as it works; none unless it is said"),
        "isolate" => (
            json!({ "enum": ["claims", "worktree"] }),
            "Where it works, if that is not to be decided by who writes at the same time",
        ),
        "save" => (text(), "A file that the result is written to"),
        "output" => (json!({ "type": ["string", "array", "object"] }), "The result, as an example of its shape"),
        "output_schema" => (text(), "The shape of the result, as a file with a JSON Schema beside the workflow"),
        "verify" => (texts(), "Checks after it: commands, or names such as @default"),
        "about" => (text(), "What the workflow does, in a line"),
        "on" => (texts(), "The events that it handles"),
        "inputs" => (
            json!({ "type": "object" }),
            "What it is given; the type of a value is that of its default, and {} is a text that has to be given",
        ),
        "vars" => (json!({ "type": "object" }), "What it knows"),
        "limits" => (
            json!({ "type": "object", "properties": properties(&LIMITS), "additionalProperties": false }),
            "How far a run may go",
        ),
        "max_steps" => (number(), "The most steps in all, items and rounds counted"),
        "budget_usd" => (json!({ "type": "number" }), "The most money, as far as agents tell what they cost"),
        _ => (json!({}), ""),
    }
}

fn properties(keys: &[&str]) -> Map<String, Value> {
    let one = |key: &&str| {
        let (mut schema, about) = described(key);
        schema["description"] = json!(about);
        ((*key).to_owned(), schema)
    };
    keys.iter().map(one).collect()
}

/// The schema.
pub fn schema() -> Value {
    let steps = ACTIONS.map(|action| {
        json!({
            "type": "object",
            "properties": properties(&keys_of(action)),
            "required": ["id", action],
            "additionalProperties": false,
        })
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A workflow of git-aio",
        "type": "object",
        "properties": properties(&HEADER),
        "required": ["step"],
        "additionalProperties": false,
        "$defs": { "step": { "anyOf": steps } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_can_be_written_is_described() {
        let keys = ACTIONS.iter().flat_map(|action| keys_of(action)).chain(HEADER).chain(LIMITS);
        for key in keys {
            assert_ne!(described(key).1, "", "{key}");
        }
        assert_eq!(schema()["$defs"]["step"]["anyOf"].as_array().map(Vec::len), Some(5));
    }
}
