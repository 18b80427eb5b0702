//! Words in, words out: the only layer that prints or chooses an exit code. It sees neither `store` nor `host`.

pub mod args;
mod cmd;
mod diff;
mod error;
mod exit;
mod format;
pub mod json;
mod markdown;
mod ui;

use args::Args;
use clap::{CommandFactory, Parser};
use std::{ffi::OsString, path::Path, process::ExitCode};

/// The program: reads the command line, runs the command, and tells how it ended.
pub fn main() -> ExitCode {
    let words = by_name(std::env::args_os().collect());
    match Args::try_parse_from(&words) {
        Ok(args) => cmd::run(args),
        Err(error) if error.use_stderr() && words.iter().any(|word| word == "--json") => error::report_misread(&error),
        Err(error) => ui::clap_error(&error),
    }
}

/// The command definitions, from which completions, manual pages and the reference are made.
pub fn command() -> clap::Command {
    Args::command()
}

/// `aio-init` is `aio init`, and `aio-context` is `aio context`.
fn by_name(mut words: Vec<OsString>) -> Vec<OsString> {
    let name = words.first().and_then(|word| Path::new(word).file_stem()).and_then(|name| name.to_str());
    if let Some(command) = name.and_then(|name| name.strip_prefix("aio-")).filter(|c| ["init", "context"].contains(c)) {
        let command = command.into();
        words.insert(1, command);
    }
    words
}
