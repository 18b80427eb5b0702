//! Our keys and elements in JSON that is the user's: order, comments and layout stay theirs.
//!
//! What goes in is written as a template, a whole file. It is merged key by key. Where the user has a value already, it
//! stays. Elements of an array are added; those of ours, which are known by the command that they run, are replaced.

use super::part::Dialect;
use jsonc_parser::{
    ParseOptions,
    cst::{CstArray, CstInputValue, CstNode, CstObject, CstObjectProp, CstRootNode},
};
use serde::de::IgnoredAny;
use serde_json::Value;

/// What every command of ours has in it.
const MARK: &str = "git-aio hook ";

/// `text` with all of `template` in it.
///
/// # Errors
/// What is wrong with `text`, and where.
pub(super) fn with(text: &str, template: &str, dialect: Dialect) -> Result<String, String> {
    if let Some(why) = unreadable(text, dialect) {
        return Err(why);
    }
    let (mark, text) = split_mark(text);
    let (root, template) = (parse(text)?, parse(template)?);
    let object = root.object_value_or_create().ok_or("it holds no object")?;
    merge(&object, &object_of(&template)?, "")?;
    Ok(format!("{mark}{root}"))
}

/// `text` without what came from `template`, where `was` is what there was before it came. `None` where there is nothing
/// of ours in it, or where it can't be read any more.
pub(super) fn without(text: &str, template: &str, was: Option<&str>) -> Option<String> {
    let (mark, text) = split_mark(text);
    let (root, template) = (parse(text).ok()?, parse(template).ok()?);
    let was = was.and_then(|was| parse(split_mark(was).1).ok()).and_then(|was| was.value()?.to_serde_value());
    let object = root.object_value()?;
    take_out(&object, &template.object_value()?, was.as_ref());
    let rest = root.to_string();
    if rest == text {
        return None;
    }
    Some(if was.is_none() && object.properties().is_empty() { String::new() } else { format!("{mark}{rest}") })
}

/// Why a reader of this dialect gets nothing out of `text`, if it doesn't.
pub(super) fn unreadable(text: &str, dialect: Dialect) -> Option<String> {
    let text = split_mark(text).1;
    let strict = ParseOptions { allow_trailing_commas: false, ..OPTIONS };
    let (takes, error) = match dialect {
        Dialect::Lenient => return parse(text).err(),
        Dialect::Comments => {
            ("no comma after the last of several", CstRootNode::parse(text, &strict).err()?.to_string())
        }
        Dialect::Standard => {
            let error = serde_json::from_str::<IgnoredAny>(text).err()?.to_string();
            ("no comments, and no comma after the last of several", error)
        }
    };
    Some(parse(text).err().unwrap_or_else(|| format!("who reads it takes {takes}: {error}")))
}

/// The commands of ours in `text`.
pub(in crate::host) fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect_commands(&value(text), &mut found);
    found
}

/// What stands in `text`; null where it can't be read.
pub(in crate::host) fn value(text: &str) -> Value {
    parse(split_mark(text).1).ok().and_then(|root| root.value()?.to_serde_value()).unwrap_or_default()
}

fn collect_commands(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains(MARK) && !found.contains(text) => found.push(text.clone()),
        Value::Array(elements) => elements.iter().for_each(|element| collect_commands(element, found)),
        Value::Object(keys) => keys.values().for_each(|value| collect_commands(value, found)),
        _ => {}
    }
}

/// Some editors put a byte order mark in front.
fn split_mark(text: &str) -> (&str, &str) {
    text.split_at(if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 })
}

/// All that any of the readers takes.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

fn parse(text: &str) -> Result<CstRootNode, String> {
    CstRootNode::parse(text, &OPTIONS).map_err(|error| format!("it is no valid JSON: {error}"))
}

fn object_of(root: &CstRootNode) -> Result<CstObject, String> {
    root.object_value().ok_or_else(|| "it holds no object".to_owned())
}

/// Puts the keys of `template` into `object`, which is at the path `at`.
fn merge(object: &CstObject, template: &CstObject, at: &str) -> Result<(), String> {
    for property in template.properties() {
        let (Some(name), Some(ours)) = (property.decoded_name(), property.value()) else { continue };
        let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        // Readers take the last of several. To write into one of them would say that the others don't count.
        let is_it = |property: &CstObjectProp| property.decoded_name().as_deref() == Some(&name);
        if object.properties().iter().filter(|property| is_it(property)).count() > 1 {
            return Err(format!("{at} stands in it more than once: leave one of them"));
        }
        let Some(theirs) = object.get(&name).and_then(|property| property.value()) else {
            object.append(&name, input(&ours));
            continue;
        };
        match (ours.as_object(), ours.as_array()) {
            (Some(ours), _) if !is_entry(&ours) => {
                let theirs = theirs.as_object().ok_or_else(|| format!("{at} in it is no object"))?;
                merge(&theirs, &ours, &at)?;
            }
            (_, Some(ours)) => {
                let theirs = theirs.as_array().ok_or_else(|| format!("{at} in it is no array"))?;
                merge_elements(&theirs, &ours);
            }
            // What the user has settled stays so.
            _ => {}
        }
    }
    Ok(())
}

/// Adds the elements of `template` that are not there; older ones of ours give them their place.
fn merge_elements(array: &CstArray, template: &CstArray) {
    let wanted: Vec<CstNode> = template.elements();
    let is_wanted = |element: &CstNode| wanted.iter().any(|wanted| value_of(wanted) == value_of(element));
    let mut older: Vec<CstNode> =
        array.elements().into_iter().filter(|element| is_ours(&value_of(element)) && !is_wanted(element)).collect();
    for ours in &wanted {
        let there = |element: &CstNode| value_of(element) == value_of(ours) || has_among_others(&value_of(element));
        if array.elements().iter().any(there) {
            continue;
        }
        match older.is_empty() {
            true => drop(array.append(input(ours))),
            false => replace(older.remove(0), ours),
        }
    }
    older.into_iter().for_each(CstNode::remove);
}

fn replace(element: CstNode, ours: &CstNode) {
    if let Some(object) = element.as_object() {
        object.replace_with(input(ours));
    }
}

/// Takes the keys of `template` out of `object`, as far as they are ours: a value that was there before is not.
fn take_out(object: &CstObject, template: &CstObject, was: Option<&Value>) {
    for property in template.properties() {
        let Some((name, ours)) = property.decoded_name().zip(property.value()) else { continue };
        let Some((property, theirs)) = object.get(&name).and_then(|there| Some((there.clone(), there.value()?))) else {
            continue;
        };
        let was = was.and_then(|was| was.get(&name));
        let goes = match (ours.as_object(), theirs.as_object(), theirs.as_array()) {
            (Some(ours), Some(_), _) if is_entry(&ours) => runs_us(&value_of(&theirs)),
            (Some(ours), Some(theirs), _) => {
                take_out(&theirs, &ours, was);
                theirs.properties().is_empty()
            }
            (None, _, Some(theirs)) if ours.as_array().is_some() => {
                take_out_elements(&theirs, was);
                theirs.elements().is_empty()
            }
            _ => value_of(&theirs) == value_of(&ours),
        };
        if goes && was.is_none() {
            property.remove();
        }
    }
}

/// Takes out the elements that are ours, and those of ours in a group that has others besides.
fn take_out_elements(array: &CstArray, was: Option<&Value>) {
    let was = was.and_then(Value::as_array);
    for element in array.elements() {
        let value = value_of(&element);
        if was.is_some_and(|was| was.contains(&value)) {
            continue;
        }
        if is_ours(&value) {
            element.remove();
        } else if let Some(group) = element.as_object() {
            group.properties().iter().filter_map(|property| property.array_value()).for_each(|nested| {
                take_out_elements(&nested, None);
            });
        }
    }
}

/// Whether it runs a command of ours, or is a group of nothing but such.
fn is_ours(value: &Value) -> bool {
    let Value::Object(keys) = value else { return false };
    let is_group =
        |value: &Value| value.as_array().is_some_and(|elements| !elements.is_empty() && elements.iter().all(is_ours));
    keys.values().any(|value| value.as_str().is_some_and(|text| text.contains(MARK)) || is_group(value))
}

/// Whether a command of ours is in it beside others.
fn has_among_others(value: &Value) -> bool {
    let mut found = Vec::new();
    collect_commands(value, &mut found);
    !found.is_empty() && !is_ours(value)
}

/// Whether this key holds one thing, which is there as a whole or not at all: a server and how it is started.
fn is_entry(object: &CstObject) -> bool {
    object.get("command").is_some()
}

/// Whether it starts us.
fn runs_us(value: &Value) -> bool {
    let program = match &value["command"] {
        Value::Array(words) => words.first(),
        program => Some(program),
    };
    program.and_then(Value::as_str).is_some_and(|program| program.rsplit('/').next() == Some("git-aio"))
}

fn value_of(node: &CstNode) -> Value {
    node.to_serde_value().unwrap_or_default()
}

/// What is to be written for a part of a template.
fn input(node: &CstNode) -> CstInputValue {
    if let Some(object) = node.as_object() {
        let property = |property: &CstObjectProp| Some((property.decoded_name()?, input(&property.value()?)));
        return CstInputValue::Object(object.properties().iter().filter_map(property).collect());
    }
    if let Some(array) = node.as_array() {
        return CstInputValue::Array(array.elements().iter().map(input).collect());
    }
    match value_of(node) {
        Value::String(text) => CstInputValue::String(text),
        Value::Bool(flag) => CstInputValue::Bool(flag),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        _ => CstInputValue::Null,
    }
}

#[cfg(test)]
mod tests;
