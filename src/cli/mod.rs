//! Words in, words out: the only layer that prints or chooses an exit code. It sees neither `store` nor `host`.

pub mod args;
mod cmd;
mod diff;
mod error;
mod exit;
mod format;
pub mod json;
mod live;
mod markdown;
#[cfg(feature = "mcp")]
mod mcp;
mod outcome;
mod ui;
mod words;

use args::Args;
use clap::{CommandFactory, FromArgMatches, Parser};
use std::{ffi::OsString, process::ExitCode};

/// The program: reads the command line, runs the command, and tells how it ended.
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    // What to say to a call for help or to one that is wrong takes the definitions of all commands.
    match Args::try_parse_from(&words).or_else(|_| parse_with_all_defined(&words)) {
        Ok(args) => cmd::run(args),
        Err(error) if error.use_stderr() && words.iter().any(|word| word == "--json") => error::report_misread(&error),
        Err(error) => ui::clap_error(&error),
    }
}

fn parse_with_all_defined(words: &[OsString]) -> Result<Args, clap::Error> {
    let mut all = command();
    all.build();
    Args::from_arg_matches(&all.try_get_matches_from(words)?)
}

/// The command definitions, from which completions, manual pages and the reference are made. Until they are built, those
/// of each command lack what [`Command`](args::Command) defers.
pub fn command() -> clap::Command {
    Args::command()
}
