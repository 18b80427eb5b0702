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
use std::{ffi::OsString, process::ExitCode};

/// The program: reads the command line, runs the command, and tells how it ended.
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
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
