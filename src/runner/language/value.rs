//! Values of a workflow file, one by one: numbers, spans, inputs, limits, and data.

use super::{
    file::LIMITS,
    is_id,
    workflow::{Input, Limits},
};
use crate::{
    base::toml::{At, Entry, Mistake, Source},
    runner::work::{Isolation, Retry},
};
use serde_json::{Map, Value};
use std::time::Duration;
use toml_edit::Item;

/// Where a byte of a text is in the file. What is written with escapes, or included, is not there byte by byte: then it is
/// the word that is looked for, or else where the text begins.
pub(super) fn place(source: &Source<'_>, span: &std::ops::Range<usize>, text: &str, at: usize) -> At<()> {
    let raw = source.text().get(span.clone()).unwrap_or_default();
    let marks = raw.chars().take(3).take_while(|c| raw.starts_with(*c) && "'\"".contains(*c)).count();
    let opening = if marks == 3 { 3 } else { marks.min(1) };
    let opening = opening
        + raw.get(opening..).map_or(0, |rest| {
            if opening < 3 {
                0
            } else if rest.starts_with("\r\n") {
                2
            } else {
                usize::from(rest.starts_with('\n'))
            }
        });
    let offset = match raw.get(opening..).is_some_and(|rest| rest.starts_with(text)) {
        true => opening + at.min(text.len()),
        false => {
            let is_part = |c: char| c.is_alphanumeric() || "_.".contains(c);
            let word: String = text.get(at..).unwrap_or_default().chars().take_while(|c| is_part(*c)).collect();
            if word.is_empty() { 0 } else { raw.find(&word).unwrap_or(0) }
        }
    };
    source.at(span.start + offset, ())
}

pub(super) fn needs(entry: Entry<'_>) -> Result<Vec<At<String>>, Mistake> {
    match entry.item().and_then(Item::as_array) {
        Some(list) if list.is_empty() => Ok(Vec::new()),
        _ => entry.texts(),
    }
}

/// Names of events.
pub(super) fn events(entry: Entry<'_>) -> Result<Vec<String>, Mistake> {
    let event = |event: At<String>| match is_id(&event.value) {
        true => Ok(event.value),
        false => Err(event.mistake(format!("'{}' can't be the name of an event: {}", event.value, super::ID))),
    };
    entry.texts()?.into_iter().map(event).collect()
}

/// Inputs. An empty table stands for a text that has to be given.
pub(super) fn inputs(entry: Entry<'_>) -> Result<Vec<Input>, Mistake> {
    let input = |entry: Entry<'_>| {
        if !is_id(entry.name) {
            return Err(entry.wrong(format!("'{}' can't be the name of an input: {}", entry.name, super::ID)));
        }
        let value = json(entry)?;
        let is_required = value.as_object().is_some_and(Map::is_empty);
        Ok(Input { name: entry.name.to_owned(), default: (!is_required).then_some(value) })
    };
    entry.table()?.into_iter().map(input).collect()
}

/// What a workflow knows: values, in which nothing is filled in.
pub(super) fn vars(entry: Entry<'_>) -> Result<Value, Mistake> {
    let value = entry.item().and_then(|item| item.clone().into_value().ok());
    if let Some(span) = value.as_ref().and_then(template_in) {
        let at = entry.source().at(span.start, ());
        return Err(at.mistake("in [vars] nothing is filled in, and this reads something: put it where it is used"));
    }
    json(entry)
}

/// What templates read. Braces around anything else may be meant for another program.
const READ: [&str; 9] = ["inputs", "vars", "steps", "item", "prev", "event", "run", "self", "failure"];

/// Whether a text is a template that reads something.
fn reads(text: &str) -> bool {
    let is_in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    let inside = text.split("{{").skip(1).map(|part| part.split("}}").next().unwrap_or_default());
    let tags = text.split("{%").skip(1).map(|part| part.split("%}").next().unwrap_or_default());
    let mut words = inside.chain(tags).flat_map(|part| part.split(move |c| !is_in_name(c)));
    words.any(|word| word.split_once('.').is_some_and(|(first, _)| READ.contains(&first)))
}

/// Where the first text is that is a template.
fn template_in(value: &toml_edit::Value) -> Option<std::ops::Range<usize>> {
    use toml_edit::Value as Toml;
    match value {
        Toml::String(text) => reads(text.value()).then(|| value.span().unwrap_or_default()),
        Toml::Array(list) => list.iter().find_map(template_in),
        Toml::InlineTable(table) => table.iter().find_map(|(_, value)| template_in(value)),
        _ => None,
    }
}

pub(super) fn limits(entry: Entry<'_>) -> Result<Limits, Mistake> {
    let mut limits = Limits::default();
    for key in entry.table_of(&LIMITS)? {
        match key.name {
            "max_parallel" => limits.max_parallel = Some(small(key.number()?)),
            "max_steps" => limits.max_steps = Some(small(key.number()?)),
            "timeout" => limits.timeout = Some(positive(key)?),
            _ => {
                let dollars = json(key)?.as_f64().filter(|dollars| *dollars > 0.0 && *dollars < 1e9);
                let dollars = dollars.ok_or_else(|| key.wrong("budget_usd has to be an amount such as 2.50"))?;
                limits.budget = Some((dollars * 1e6) as u64);
            }
        }
    }
    Ok(limits)
}

pub(super) fn retry(entry: Entry<'_>) -> Result<Retry, Mistake> {
    let whole = |entry: Entry<'_>| match json(entry)?.as_u64().filter(|n| *n <= 100) {
        Some(number) => Ok(number as u32),
        None => Err(entry.wrong(format!("{} has to be a whole number up to 100", entry.name))),
    };
    if !entry.is_table() {
        return Ok(Retry { max: whole(entry)?, ..Retry::default() });
    }
    let mut retry = Retry { max: 1, ..Retry::default() };
    for key in entry.table_of(&["max", "delay", "backoff", "split"])? {
        match key.name {
            "max" => retry.max = whole(key)?,
            "delay" => retry.delay = key.duration()?.value,
            "split" => retry.split = key.boolean()?,
            _ => {
                let factor = json(key)?.as_f64().filter(|factor| (1.0..=100.0).contains(factor));
                retry.backoff = factor.ok_or_else(|| key.wrong("backoff has to be a number from 1 to 100"))?;
            }
        }
    }
    Ok(retry)
}

pub(super) fn isolation(entry: Entry<'_>) -> Result<Isolation, Mistake> {
    let word = entry.text()?;
    match &word.value[..] {
        "claims" => Ok(Isolation::Claims),
        "worktree" => Ok(Isolation::Worktree),
        other => {
            Err(word.mistake("isolate has to be \"claims\" or \"worktree\"").meaning(other, ["claims", "worktree"]))
        }
    }
}

/// Whether the steps of a block work on a copy.
pub(super) fn isolates(entry: Entry<'_>) -> Result<bool, Mistake> {
    match isolation(entry)? {
        Isolation::Worktree => Ok(true),
        Isolation::Claims => {
            Err(entry.wrong("a block may be isolated by \"worktree\" alone: each step of it has its own claims"))
        }
    }
}

pub(super) fn positive(entry: Entry<'_>) -> Result<Duration, Mistake> {
    let duration = entry.duration()?;
    if duration.value.is_zero() {
        return Err(duration.mistake(format!("the {} has to be longer than nothing", entry.name)));
    }
    Ok(duration.value)
}

pub(super) fn small(number: u64) -> usize {
    number.min(1_000_000) as usize
}

/// A value as data.
pub(super) fn json(entry: Entry<'_>) -> Result<Value, Mistake> {
    let value = entry.item().and_then(|item| item.clone().into_value().ok());
    value.map(|value| json_of(&value)).ok_or_else(|| entry.wrong(format!("{} has to be a value", entry.name)))
}

pub(super) fn json_of(value: &toml_edit::Value) -> Value {
    use toml_edit::Value as Toml;
    match value {
        Toml::String(text) => Value::String(text.value().clone()),
        Toml::Integer(number) => (*number.value()).into(),
        Toml::Float(number) => (*number.value()).into(),
        Toml::Boolean(word) => (*word.value()).into(),
        Toml::Datetime(time) => Value::String(time.value().to_string()),
        Toml::Array(list) => list.iter().map(json_of).collect(),
        Toml::InlineTable(table) => table.iter().map(|(key, value)| (key.to_owned(), json_of(value))).collect(),
    }
}
