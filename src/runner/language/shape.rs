//! Shapes of results: written as an example of the value, told to agents as a strict JSON Schema, and held against what
//! they answer.
//!
//! `"string"`, `"integer"`, `"number"`, `"boolean"`, `"low|high"`, `"0..10"`, `[shape]`, `{ key = shape }`. A `?` behind a
//! key or a word lets the key be left out. All other keys are required, and no others allowed: what services that answer in
//! a given schema demand, and what lets a condition rely on a field.

mod wanted;
mod written;

use crate::runner::work::Shape;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What a result is made of.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A number within these, both included.
    Range(f64, f64),
    /// Yes or no.
    Boolean,
    /// One of these words.
    Word(Vec<String>),
    /// Any number of these.
    List(Box<Form>),
    /// A field each.
    Table(BTreeMap<String, Field>),
}

/// A field of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// What it is made of.
    pub form: Form,
    /// Whether it may be left out.
    pub is_optional: bool,
}

/// The most forms inside of each other.
const MAX_DEPTH: usize = 8;

/// The key under which a result goes that is no table: services take nothing else for a whole answer.
const WRAPPED: &str = "value";

impl Form {
    /// What an example stands for.
    ///
    /// # Errors
    /// What is wrong with it: the word, and why.
    pub fn parse(example: &Value) -> Result<Form, (String, String)> {
        Form::read(example, 0).map(|(form, _)| form)
    }

    /// The form, and whether it may be left out.
    fn read(example: &Value, depth: usize) -> Result<(Form, bool), (String, String)> {
        if depth > MAX_DEPTH {
            return Err((String::new(), format!("the shape is more than {MAX_DEPTH} deep")));
        }
        match example {
            Value::String(word) => match word.strip_suffix('?') {
                Some(word) => Ok((Form::word(word)?, true)),
                None => Ok((Form::word(word)?, false)),
            },
            Value::Array(items) => match &items[..] {
                [item] => Ok((Form::List(Box::new(Form::read(item, depth + 1)?.0)), false)),
                _ => Err((String::new(), "a list in a shape holds one shape, that of every item".into())),
            },
            Value::Object(fields) => {
                let field = |(key, example): (&String, &Value)| {
                    let (form, optional) = Form::read(example, depth + 1)?;
                    let name = key.strip_suffix('?').unwrap_or(key);
                    if !super::is_id(name) {
                        return Err((key.clone(), format!("'{key}' can't be a key of a shape: {}", super::ID)));
                    }
                    Ok((name.to_owned(), Field { form, is_optional: optional || name != key }))
                };
                Ok((Form::Table(fields.iter().map(field).collect::<Result<_, _>>()?), false))
            }
            other => {
                Err((other.to_string(), format!("{other} is no shape; write the kind of value, such as \"integer\"")))
            }
        }
    }

    fn word(word: &str) -> Result<Form, (String, String)> {
        let bounds = word.split_once("..").and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
        match (word, bounds) {
            ("string", _) => Ok(Form::Text),
            ("integer", _) => Ok(Form::Integer),
            ("number", _) => Ok(Form::Number),
            ("boolean", _) => Ok(Form::Boolean),
            (_, Some((low, high))) if low < high => Ok(Form::Range(low, high)),
            _ if word.contains('|') && word.split('|').all(|one| !one.is_empty() && one.trim() == one) => {
                Ok(Form::Word(word.split('|').map(str::to_owned).collect()))
            }
            _ => Err((
                word.to_owned(),
                format!("'{word}' is no shape; there are string, integer, number, boolean, \"a|b\" and \"0..10\""),
            )),
        }
    }

    /// The form of what is found by these keys, if they lead somewhere. Behind a list nothing is known by name.
    ///
    /// # Errors
    /// The key that there is none of, with those there are.
    pub fn at<'f>(&'f self, keys: &[String]) -> Result<&'f Form, (String, Vec<&'f str>)> {
        let [key, rest @ ..] = keys else { return Ok(self) };
        match self {
            Form::Table(fields) => match fields.get(key) {
                Some(field) => field.form.at(rest),
                None => Err((key.clone(), fields.keys().map(String::as_str).collect())),
            },
            _ => Err((key.clone(), Vec::new())),
        }
    }

    /// Whether values of it have an order that a number fits into.
    pub fn is_number(&self) -> bool {
        matches!(self, Form::Integer | Form::Number | Form::Range(..))
    }

    /// It as a JSON Schema.
    fn schema(&self, is_optional: bool) -> Value {
        let kind = |name: &str| if is_optional { json!([name, "null"]) } else { json!(name) };
        match self {
            Form::Text => json!({ "type": kind("string") }),
            Form::Integer => json!({ "type": kind("integer") }),
            Form::Number => json!({ "type": kind("number") }),
            Form::Range(low, high) => json!({ "type": kind("number"), "minimum": low, "maximum": high }),
            Form::Boolean => json!({ "type": kind("boolean") }),
            Form::Word(words) => {
                let mut words: Vec<Value> = words.iter().map(|word| json!(word)).collect();
                words.extend(is_optional.then_some(Value::Null));
                json!({ "type": kind("string"), "enum": words })
            }
            Form::List(item) => json!({ "type": kind("array"), "items": item.schema(false) }),
            Form::Table(fields) => {
                let properties = fields.iter().map(|(key, field)| (key.clone(), field.form.schema(field.is_optional)));
                json!({
                    "type": kind("object"),
                    "properties": properties.collect::<Map<_, _>>(),
                    "required": fields.keys().collect::<Vec<_>>(),
                    "additionalProperties": false,
                })
            }
        }
    }

    /// The value, if it is of this form; what is optional and null is left out.
    fn hold(&self, value: Value, place: &str) -> Result<Value, String> {
        let wrong =
            |wanted: &str, value: &Value| Err(format!("{place} has to be {wanted}, and is {}", described(value)));
        let number = value.as_f64();
        match (self, value) {
            (Form::Text, value @ Value::String(_)) | (Form::Boolean, value @ Value::Bool(_)) => Ok(value),
            // A service may write a whole number as 3.0.
            (Form::Integer, Value::Number(_)) if number.is_some_and(|n| n.fract() == 0.0 && n.abs() < 9e15) => {
                Ok(json!(number.unwrap_or_default() as i64))
            }
            (Form::Number, value @ Value::Number(_)) => Ok(value),
            (Form::Range(low, high), value @ Value::Number(_))
                if number.is_some_and(|n| (*low..=*high).contains(&n)) =>
            {
                Ok(value)
            }
            (Form::Word(words), Value::String(word)) if words.contains(&word) => Ok(Value::String(word)),
            (Form::List(form), Value::Array(items)) => {
                let items = items.into_iter().enumerate();
                let items = items.map(|(index, item)| form.hold(item, &format!("{place}[{index}]")));
                items.collect::<Result<_, _>>().map(Value::Array)
            }
            (Form::Table(fields), Value::Object(given)) => table(fields, given, place).map(Value::Object),
            (Form::Text, value) => wrong("a text", &value),
            (Form::Boolean, value) => wrong("true or false", &value),
            (Form::Integer, value) => wrong("a whole number", &value),
            (Form::Number, value) => wrong("a number", &value),
            (Form::Range(low, high), value) => wrong(&format!("a number from {low} to {high}"), &value),
            (Form::Word(words), value) => wrong(&format!("one of {}", words.join(", ")), &value),
            (Form::List(_), value) => wrong("a list", &value),
            (Form::Table(_), value) => wrong("an object", &value),
        }
    }
}

fn table(
    fields: &BTreeMap<String, Field>,
    mut given: Map<String, Value>,
    place: &str,
) -> Result<Map<String, Value>, String> {
    let mut held = Map::new();
    for (key, field) in fields {
        let inner = format!("{place}.{key}");
        match given.remove(key) {
            Some(Value::Null) | None if field.is_optional => {}
            Some(value) => {
                held.insert(key.clone(), field.form.hold(value, &inner)?);
            }
            None => return Err(format!("{inner} is missing")),
        }
    }
    match given.keys().next() {
        Some(odd) => Err(format!("{place} has a key '{odd}', which there is none of")),
        None => Ok(held),
    }
}

/// A value in a few words.
fn described(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".into(),
        Value::Array(_) => "a list".into(),
        Value::String(text) => format!("the text '{}'", crate::base::text::one_line(text, 60)),
        other => other.to_string(),
    }
}

impl Shape for Form {
    fn schema(&self) -> Value {
        match self {
            Form::Table(_) => Form::schema(self, false),
            other => json!({
                "type": "object",
                "properties": { WRAPPED: other.schema(false) },
                "required": [WRAPPED],
                "additionalProperties": false,
            }),
        }
    }

    fn check(&self, value: Value) -> Result<Value, String> {
        match (self, value) {
            (Form::Table(_), value) => self.hold(value, "the answer"),
            (_, Value::Object(mut wrapped)) if wrapped.len() == 1 && wrapped.contains_key(WRAPPED) => {
                self.hold(wrapped.remove(WRAPPED).unwrap_or_default(), "the answer")
            }
            (_, value) => self.hold(value, "the answer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(example: Value) -> Form {
        Form::parse(&example).expect("a shape")
    }

    #[test]
    fn an_example_is_a_schema_and_a_check() {
        let review = form(
            json!({ "score": "0..10?", "verdict": "ship|stop", "issues": [{ "line": "integer", "what": "string" }] }),
        );
        let schema = Shape::schema(&review);
        assert_eq!(schema["required"], json!(["issues", "score", "verdict"]), "a strict schema requires all of them");
        assert_eq!(schema["properties"]["score"]["type"], json!(["number", "null"]));
        assert_eq!(schema["properties"]["issues"]["items"]["additionalProperties"], json!(false));
        let good = json!({ "score": null, "verdict": "ship", "issues": [{ "line": 3.0, "what": "x" }] });
        assert_eq!(review.check(good), Ok(json!({ "verdict": "ship", "issues": [{ "line": 3, "what": "x" }] })));
        for (bad, told) in [
            (json!({ "verdict": "ship" }), "the answer.issues is missing"),
            (
                json!({ "issues": [], "verdict": "go" }),
                "the answer.verdict has to be one of ship, stop, and is the text 'go'",
            ),
            (
                json!({ "issues": [{ "line": "3", "what": "" }], "verdict": "ship" }),
                "the answer.issues[0].line has to be a whole number, and is the text '3'",
            ),
            (
                json!({ "score": 11, "issues": [], "verdict": "ship" }),
                "the answer.score has to be a number from 0 to 10, and is 11",
            ),
            (
                json!({ "issues": [], "verdict": "ship", "more": 1 }),
                "the answer has a key 'more', which there is none of",
            ),
        ] {
            assert_eq!(review.check(bad), Err(told.to_owned()));
        }
    }

    #[test]
    fn a_result_that_is_no_table_is_asked_for_as_one() {
        let list = form(json!(["string"]));
        assert_eq!(Shape::schema(&list)["required"], json!(["value"]));
        assert_eq!(list.check(json!({ "value": ["a"] })), Ok(json!(["a"])));
        assert_eq!(list.check(json!(["a"])), Ok(json!(["a"])));
    }

    #[test]
    fn what_is_no_example_is_told() {
        for (bad, word) in
            [(json!("sting"), "sting"), (json!({ "a b": "string" }), "a b"), (json!(3), "3"), (json!("10..0"), "10..0")]
        {
            assert_eq!(Form::parse(&bad).expect_err("no shape").0, word);
        }
    }
}
