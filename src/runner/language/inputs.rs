//! What a workflow is given: every value has the type of its default, or is told to be wrong before anything runs.

use super::workflow::{Input, Workflow};
use crate::base::text;
use serde_json::{Map, Value};

/// The inputs of a run, from words such as `feature=rate limiting`.
///
/// # Errors
/// When one is not known, given twice, has another type, or is missing: that has to be given, and says nothing.
pub fn parse(workflow: &Workflow, given: &[String]) -> Result<Map<String, Value>, String> {
    let mut values = Map::new();
    for word in given {
        let Some((name, value)) = word.split_once('=') else {
            return Err(format!("'{}' is no input: write it as name=value", text::one_line(word, 60)));
        };
        let input = known(workflow, name)?;
        if input.default.is_none() && value.trim().is_empty() {
            return Err(format!("{} needs the input {name}, and what is given is empty", workflow.name));
        }
        if values.insert(name.to_owned(), of_word(input, value)?).is_some() {
            return Err(format!("the input {name} is given twice"));
        }
    }
    complete(workflow, values)
}

/// The same, from values.
///
/// # Errors
/// As for [`parse`].
pub fn fit(workflow: &Workflow, given: Map<String, Value>) -> Result<Map<String, Value>, String> {
    for (name, value) in &given {
        hold(known(workflow, name)?, value)?;
    }
    complete(workflow, given)
}

/// Whether an input may have this value.
///
/// # Errors
/// When it has another type.
pub(super) fn hold(input: &Input, value: &Value) -> Result<(), String> {
    if is_like(input.default.as_ref(), value) {
        return Ok(());
    }
    let value = text::one_line(&value.to_string(), 60);
    Err(format!("the input {} has to be {}, and is {value}", input.name, kind(input)))
}

fn complete(workflow: &Workflow, mut values: Map<String, Value>) -> Result<Map<String, Value>, String> {
    for input in &workflow.inputs {
        match (values.get_mut(&input.name), &input.default) {
            (Some(given), Some(default)) => fill(given, default),
            (Some(_), None) => {}
            (None, Some(default)) => drop(values.insert(input.name.clone(), default.clone())),
            (None, None) => return Err(format!("{} needs the input {}", workflow.name, input.name)),
        }
    }
    Ok(values)
}

/// A table has from its default what is not given.
fn fill(given: &mut Value, default: &Value) {
    let (Value::Object(given), Value::Object(default)) = (given, default) else { return };
    for (key, default) in default {
        match given.get_mut(key) {
            Some(known) => fill(known, default),
            None => drop(given.insert(key.clone(), default.clone())),
        }
    }
}

fn known<'w>(workflow: &'w Workflow, name: &str) -> Result<&'w Input, String> {
    let found = workflow.inputs.iter().find(|input| input.name == name);
    found.ok_or_else(|| {
        let nearest = text::nearest(name, workflow.inputs.iter().map(|input| input.name.as_str()));
        let meant = nearest.map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default();
        format!("{} has no input '{}'{meant}", workflow.name, text::one_line(name, 60))
    })
}

/// What a word is as the type of the input. A list is written as one of TOML or JSON, or as words with commas between.
fn of_word(input: &Input, word: &str) -> Result<Value, String> {
    let wrong = || format!("the input {} has to be {}, and is '{}'", input.name, kind(input), text::one_line(word, 60));
    let read: Option<Value> = match &input.default {
        None | Some(Value::String(_) | Value::Null) => Some(Value::String(word.to_owned())),
        Some(Value::Bool(_)) => match word {
            "true" | "yes" => Some(Value::Bool(true)),
            "false" | "no" => Some(Value::Bool(false)),
            _ => None,
        },
        Some(Value::Array(_)) if !word.trim_start().starts_with('[') => {
            let items = word.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(items.map(Value::from).collect())
        }
        Some(Value::Number(_) | Value::Array(_) | Value::Object(_)) => serde_json::from_str(word).ok(),
    };
    read.filter(|value| is_like(input.default.as_ref(), value)).ok_or_else(wrong)
}

/// Whether a value has the type of the default. Of a list only that it is one is asked; a table has no keys but those of the
/// default, each with a value of its type.
fn is_like(default: Option<&Value>, value: &Value) -> bool {
    match default {
        None | Some(Value::String(_) | Value::Null) => value.is_string(),
        Some(Value::Bool(_)) => value.is_boolean(),
        Some(Value::Number(number)) if number.is_f64() => value.is_number(),
        Some(Value::Number(_)) => value.is_i64() || value.is_u64(),
        Some(Value::Array(_)) => value.is_array(),
        Some(Value::Object(fields)) => value.as_object().is_some_and(|given| {
            let is_known =
                |(key, value): (&String, &Value)| fields.get(key).is_some_and(|default| is_like(Some(default), value));
            fields.is_empty() || given.iter().all(is_known)
        }),
    }
}

fn kind(input: &Input) -> String {
    let kind = match &input.default {
        Some(table @ Value::Object(_)) => return format!("a table like {}", text::one_line(&table.to_string(), 200)),
        None | Some(Value::String(_) | Value::Null) => "a text",
        Some(Value::Bool(_)) => "true or false",
        Some(Value::Number(number)) if number.is_f64() => "a number",
        Some(Value::Number(_)) => "a whole number",
        Some(Value::Array(_)) => "a list",
    };
    kind.to_owned()
}
