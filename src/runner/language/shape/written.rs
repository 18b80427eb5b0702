//! Shapes that are written as a JSON Schema, in a file of their own: those that an example could say as well.
//!
//! What is held against answers has to be all that the schema says. So a keyword that is not known here is refused, but for
//! those that only tell something to people.

use super::{Field, Form, MAX_DEPTH};
use crate::base::text;
use serde_json::{Map, Value};

/// Keywords that say nothing of a value.
const SILENT: [&str; 7] = ["$schema", "$id", "$comment", "title", "description", "examples", "default"];

/// Keywords that are understood, for telling of a slip.
const KNOWN: [&str; 8] =
    ["type", "enum", "items", "properties", "required", "additionalProperties", "minimum", "maximum"];

impl Form {
    /// What a schema stands for.
    ///
    /// # Errors
    /// What of it is not understood, and where in it.
    pub fn of_schema(schema: &Value) -> Result<Form, String> {
        read_whole(schema, "the schema", 0)
    }
}

/// The form of what may not be null: only a key of an object can be left out.
fn read_whole(schema: &Value, place: &str, depth: usize) -> Result<Form, String> {
    match read(schema, place, depth)? {
        (form, false) => Ok(form),
        (_, true) => Err(format!("{place} can't be null: only a property can, which is left out then")),
    }
}

/// The form, and whether it may be null.
fn read(schema: &Value, place: &str, depth: usize) -> Result<(Form, bool), String> {
    if depth > MAX_DEPTH {
        return Err(format!("{place} is more than {MAX_DEPTH} deep"));
    }
    let Some(schema) = schema.as_object() else { return Err(format!("{place} has to be an object")) };
    let (kind, is_optional) = kind(schema, place)?;
    let allowed: &[&str] = match kind {
        "object" => &["properties", "required", "additionalProperties"],
        "array" => &["items"],
        "string" => &["enum"],
        "number" => &["minimum", "maximum"],
        _ => &[],
    };
    let odd = schema.keys().find(|key| {
        let key = key.as_str();
        key != "type" && !allowed.contains(&key) && !SILENT.contains(&key)
    });
    if let Some(odd) = odd {
        let meant = text::nearest(odd, KNOWN).filter(|near| *near != odd).map(|near| format!("; did you mean {near}?"));
        let odd = text::one_line(odd, 60);
        return Err(format!(
            "{place}: '{odd}' of a value of type {kind} can't be checked{}",
            meant.unwrap_or_default()
        ));
    }
    let form = match kind {
        "object" => table(schema, place, depth)?,
        "array" => {
            let items = schema.get("items").ok_or_else(|| format!("{place}: a list has to say what its items are"))?;
            Form::List(Box::new(read_whole(items, &format!("{place}[]"), depth + 1)?))
        }
        "string" => words(schema, place)?,
        "integer" => Form::Integer,
        "number" => range(schema, place)?,
        _ => Form::Boolean,
    };
    Ok((form, is_optional))
}

/// The type, and whether null is as good.
fn kind<'s>(schema: &'s Map<String, Value>, place: &str) -> Result<(&'s str, bool), String> {
    let known = |word: &&str| ["object", "array", "string", "integer", "number", "boolean"].contains(word);
    let found = match schema.get("type") {
        Some(Value::String(word)) => Some((word.as_str(), false)),
        Some(Value::Array(words)) => match &words[..] {
            [Value::String(word), Value::String(null)] if null == "null" => Some((word.as_str(), true)),
            _ => None,
        },
        _ => None,
    };
    let told = || format!("{place} needs one type, such as \"string\", or [\"string\", \"null\"]");
    found.filter(|(word, _)| known(word)).ok_or_else(told)
}

fn table(schema: &Map<String, Value>, place: &str, depth: usize) -> Result<Form, String> {
    if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
        return Err(format!("{place}: additionalProperties has to be false, so that all keys are known"));
    }
    let required: Vec<&str> = match schema.get("required") {
        None => Vec::new(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(_) => return Err(format!("{place}: required has to be a list of keys")),
    };
    let properties = schema.get("properties").and_then(Value::as_object);
    let properties = properties.ok_or_else(|| format!("{place}: an object has to say its properties"))?;
    if let Some(missing) = required.iter().find(|name| !properties.contains_key(**name)) {
        return Err(format!("{place}: '{}' is required, and there is no such property", text::one_line(missing, 60)));
    }
    let field = |(key, schema): (&String, &Value)| {
        if !super::super::is_id(key) {
            return Err(format!("{place}: '{}' can't be a key: {}", text::one_line(key, 60), super::super::ID));
        }
        let (form, may_be_null) = read(schema, &format!("{place}.{key}"), depth + 1)?;
        Ok((key.clone(), Field { form, is_optional: may_be_null || !required.contains(&key.as_str()) }))
    };
    properties.iter().map(field).collect::<Result<_, _>>().map(Form::Table)
}

fn words(schema: &Map<String, Value>, place: &str) -> Result<Form, String> {
    let Some(words) = schema.get("enum") else { return Ok(Form::Text) };
    let words: Option<Vec<String>> = words.as_array().map(|words| {
        words.iter().filter(|word| !word.is_null()).map(|word| word.as_str().unwrap_or_default().to_owned()).collect()
    });
    let words = words.filter(|words| !words.is_empty() && words.iter().all(|word| !word.is_empty()));
    words.map(Form::Word).ok_or_else(|| format!("{place}: enum has to be a list of words"))
}

fn range(schema: &Map<String, Value>, place: &str) -> Result<Form, String> {
    let bound = |name: &str| schema.get(name).map(|bound| bound.as_f64());
    match (bound("minimum"), bound("maximum")) {
        (None, None) => Ok(Form::Number),
        (Some(Some(low)), Some(Some(high))) if low < high => Ok(Form::Range(low, high)),
        _ => Err(format!("{place}: a number has both minimum and maximum, or none of them")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::work::Shape;
    use serde_json::json;

    #[test]
    fn a_schema_says_what_an_example_says() {
        let example = json!({
            "score": "0..10?", "verdict": "ship|stop", "ok": "boolean", "issues": [{ "line": "integer", "what": "string" }]
        });
        let form = Form::parse(&example).expect("a shape");
        assert_eq!(Form::of_schema(&form.schema(false)), Ok(form.clone()));
        let mut schema = Shape::schema(&form);
        schema["title"] = json!("A review");
        schema["required"] = json!(["ok", "issues", "verdict"]);
        schema["properties"]["score"]["type"] = json!("number");
        assert_eq!(Form::of_schema(&schema), Ok(form));
    }

    #[test]
    fn what_could_not_be_checked_is_refused() {
        for (schema, told) in [
            (json!(true), "the schema has to be an object"),
            (json!({ "type": "null" }), "the schema needs one type"),
            (json!({ "anyOf": [] }), "the schema needs one type"),
            (json!({ "type": "string", "pattern": "a" }), "'pattern' of a value of type string can't be checked"),
            (json!({ "type": "array", "item": {} }), "did you mean items?"),
            (json!({ "type": "array" }), "what its items are"),
            (json!({ "type": ["string", "null"] }), "the schema can't be null"),
            (json!({ "type": "array", "items": { "type": ["string", "null"] } }), "the schema[] can't be null"),
            (json!({ "type": "number", "minimum": 1 }), "both minimum and maximum"),
            (json!({ "type": "object", "properties": {} }), "additionalProperties has to be false"),
            (
                json!({ "type": "object", "properties": { "a b": {} }, "additionalProperties": false }),
                "'a b' can't be a key",
            ),
            (json!({ "type": "string", "enum": [3] }), "enum has to be a list of words"),
        ] {
            let error = Form::of_schema(&schema).expect_err("no shape");
            assert!(error.contains(told), "{error}");
        }
    }
}
