//! What single words of a command line mean: times, tools, messages.

use super::{error::usage, format};
use crate::base::{
    id::{InstanceId, InvalidName, Tool},
    world::Time,
};
use anyhow::Context as _;
use std::io::Read as _;

/// The tool that something is meant for.
pub(super) fn tool(name: Option<String>) -> anyhow::Result<Option<Tool>> {
    let Some(name) = name else { return Ok(None) };
    if name.parse::<InstanceId>().is_ok() {
        return Err(usage(
            format!("{} is one instance, and --to names a tool", format::target(&name)),
            "give the name that it registered with, such as codex",
        ));
    }
    let tool = name.parse().map_err(|error: InvalidName| {
        usage(error.to_string(), "it is the name that the other registers with, such as codex")
    });
    tool.map(Some)
}

/// A message given as words, or `-` for standard input.
pub(super) fn message(words: &[String]) -> anyhow::Result<String> {
    if words != ["-"] {
        return Ok(words.join(" "));
    }
    let mut text = String::new();
    // One byte more than is ever taken is enough to know that it is too much.
    std::io::stdin().take(1024 * 1024 + 1).read_to_string(&mut text).context("can't read standard input")?;
    Ok(text.trim_end().to_owned())
}

/// A duration such as `30s`, `2h` or `1d`.
pub(super) fn duration(text: &str) -> Result<std::time::Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write it like 30s, 2h or 1d"))
}

/// A duration of a second or more, for what has to have time.
pub(super) fn some_time(text: &str) -> Result<std::time::Duration, String> {
    let time = duration(text)?;
    if time.as_secs() == 0 { Err("it has to be a second or more".to_owned()) } else { Ok(time) }
}

/// A span such as `2d`, or a moment such as `2026-11-21` or `2026-11-21T10:00:00Z`, as the moment it means.
pub(super) fn since(text: &str, now: Time) -> anyhow::Result<Time> {
    if let Ok(span) = humantime::parse_duration(text) {
        return Ok(chrono::TimeDelta::from_std(span)
            .ok()
            .and_then(|span| now.checked_sub_signed(span))
            .unwrap_or_default());
    }
    if let Ok(moment) = chrono::DateTime::parse_from_rfc3339(text) {
        return Ok(moment.to_utc());
    }
    let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    day.map(|day| day.and_utc()).ok_or_else(|| {
        usage(
            format!("'{}' is neither a span nor a date", format::target(text)),
            "write it like 2d, 2026-11-21 or 2026-11-21T10:00:00Z",
        )
    })
}
