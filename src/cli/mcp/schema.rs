//! What a tool takes and gives, as JSON Schema: in its newest dialect, which is the one meant where none is named. It is
//! not named, since there are clients that give up a schema whose dialect they don't know by name.

use super::tool::Tool;
use crate::cli::json::ErrorAnswer;
use rmcp::model::JsonObject;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};
use std::sync::Arc;

/// The key that an answer has beside those that the command gives it with `--json`.
pub(super) const NOTICES: &str = "notices";

/// What a tool is for, in words, and what it takes.
///
/// The schema is as plain as can be: it goes to a model through its vendor's own idea of JSON Schema, and some of these
/// know no references and no types in the plural.
pub(super) fn takes<T: Tool>() -> (String, Arc<JsonObject>) {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    mend(&mut schema, &|keys| {
        without_formats(keys);
        in_one_line(keys);
        without_null(keys);
    });
    let mut schema = object(schema);
    let told = match schema.remove("description") {
        Some(Value::String(told)) => told,
        _ => String::new(),
    };
    schema.remove("$schema");
    schema.remove("title");
    // Where there are none to name, some look for the key all the same.
    schema.entry("properties").or_insert_with(|| json!({}));
    (told, Arc::new(schema))
}

/// What a tool answers: what the command does with `--json`, or that it failed. Clients hold both against this schema,
/// some of them also where the call is marked as failed.
pub(super) fn gives<T: Tool>() -> Arc<JsonObject> {
    let mut schemas = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut answers = T::answers(&mut schemas);
    answers.push(schemas.subschema_for::<ErrorAnswer>());
    let mut schema = json!({
        "type": "object",
        "anyOf": answers,
        "properties": {
            NOTICES: {
                "description": "What there is to know besides; left out where there is nothing",
                "type": "array",
                "items": { "type": "string" },
            },
        },
        "$defs": schemas.take_definitions(true),
    });
    mend(&mut schema, &without_formats);
    Arc::new(object(schema))
}

/// Does something to a schema and all that are in it.
fn mend(schema: &mut Value, mending: &impl Fn(&mut JsonObject)) {
    match schema {
        Value::Object(keys) => {
            mending(keys);
            keys.values_mut().for_each(|value| mend(value, mending));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| mend(value, mending)),
        _ => {}
    }
}

/// The formats are those of Rust's numbers, and what reads schemas strictly stumbles over a format that it doesn't know.
fn without_formats(keys: &mut JsonObject) {
    keys.remove("format");
}

fn in_one_line(keys: &mut JsonObject) {
    if let Some(Value::String(words)) = keys.get_mut("description") {
        *words = words.replace('\n', " ");
    }
}

/// What need not be given may be left out; that it may be `null` as well is not said.
fn without_null(keys: &mut JsonObject) {
    if let Some(Value::Array(types)) = keys.get_mut("type") {
        types.retain(|one| one != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            keys.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(choices)) = keys.get_mut("enum") {
        choices.retain(|choice| !choice.is_null());
    }
}

fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(object) => object,
        _ => JsonObject::default(),
    }
}
