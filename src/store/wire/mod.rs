//! Records as they are stored: versioned JSON, apart from the model so that each can change without the other.
//!
//! Readers tolerate fields they don't know, and [`overlay`] keeps them when a record is written again by one who
//! doesn't know them. What breaks that tolerance raises `min_writer` in `aio.json`, and old writers stop.

mod ended;
mod op;
mod record;
mod run;
mod task;

pub(super) use ended::WireEnded;
pub(super) use op::{decode as decode_op, encode as encode_op};
pub(super) use record::{Meta, Wire, WireClaim, WireHandoff, WireInstance, WireNote};
pub(super) use run::{WireRun, WireStep};
pub(super) use task::WireTask;

use super::{
    error::StoreError,
    layout::{MAX_DEPTH, MAX_RECORD},
};
use crate::model::scope::Scope;
use serde_json::Value;

/// Reads a record, within the limits that hold before anything of it is believed.
pub(super) fn parse<M, W: Wire<M>>(path: &str, bytes: &[u8]) -> Result<M, StoreError> {
    check_limits(bytes, MAX_RECORD).map_err(|reason| StoreError::damaged(path, reason))?;
    let wire: W = serde_json::from_slice(bytes).map_err(|error| StoreError::damaged(path, error))?;
    wire.into_model().map_err(|reason| StoreError::damaged(path, reason))
}

/// What the record of a lost claim was about, if the rest of it makes no sense.
pub(super) fn scope_of_ended(bytes: &[u8]) -> Option<Scope> {
    check_limits(bytes, MAX_RECORD).ok()?;
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let word = |name: &str| value["claim"][name].as_str();
    Scope::parse(word("kind")?, word("target")?).ok()
}

/// Size and depth, before a parser sees it.
pub(super) fn check_limits(bytes: &[u8], max: usize) -> Result<(), String> {
    if bytes.len() > max {
        return Err(format!("{} bytes; {max} is the limit", bytes.len()));
    }
    // Where there are not even as many brackets, none is too deep: so it is with all records of ours, and counting is
    // quick.
    if bytes.iter().filter(|byte| matches!(byte, b'{' | b'[')).count() <= MAX_DEPTH {
        return Ok(());
    }
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH}"));
        }
    }
    Ok(())
}

/// A record as bytes: sorted keys, LF, so that equal records are equal blobs. Fields that `before`, the record it
/// replaces, has and we don't know stay.
pub(super) fn render<W: serde::Serialize>(what: &str, wire: &W, before: Option<&[u8]>) -> Result<Vec<u8>, StoreError> {
    let mut value = serde_json::to_value(wire).map_err(|error| StoreError::damaged(what, error))?;
    if let Some(Ok(before)) = before.map(serde_json::from_slice::<Value>) {
        overlay(&mut value, before);
    }
    let mut bytes = serde_json::to_vec_pretty(&value).map_err(|error| StoreError::damaged(what, error))?;
    bytes.push(b'\n');
    if bytes.len() > MAX_RECORD {
        return Err(StoreError::TooLarge { what: what.into(), size: bytes.len(), limit: MAX_RECORD });
    }
    Ok(bytes)
}

/// Takes over from `before` what `value` doesn't have.
fn overlay(value: &mut Value, before: Value) {
    let (Value::Object(value), Value::Object(before)) = (value, before) else { return };
    for (key, old) in before {
        match value.get_mut(&key) {
            Some(new) => overlay(new, old),
            None => {
                value.insert(key, old);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_fields_survive_a_rewrite_and_known_ones_do_not() {
        let before = br#"{"v":1,"id":"x","task":{"text":"old","colour":"red"},"future":[1]}"#;
        let after = render("x", &json!({"v":1,"id":"x","task":{"text":"new"}}), Some(before)).expect("renders");
        let after: Value = serde_json::from_slice(&after).expect("parses");
        assert_eq!(after, json!({"v":1,"id":"x","task":{"text":"new","colour":"red"},"future":[1]}));
    }

    #[test]
    fn depth_is_counted_outside_text_only() {
        assert!(check_limits(br#"{"a":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"[[["}"#, 1000).is_ok());
        assert!(check_limits("[".repeat(33).as_bytes(), 1000).is_err());
        assert!(check_limits(&[b' '; 1001], 1000).is_err());
    }
}
