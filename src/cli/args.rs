//! The command line.

use super::cmd;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Let several AI coding CLIs work in one git repository without overwriting each other
///
/// Instances register, claim files, folders, patterns and tasks, and leave notes and handoffs for each other. A claim
/// shuts everybody else out until it is released, and a fence at the commit keeps it. All of it is kept in refs of the
/// repository itself.
#[derive(Debug, Parser)]
#[command(name = "git-aio", bin_name = "git aio", version, max_term_width = 100)]
pub struct Args {
    /// What all commands take
    #[command(flatten)]
    pub global: Global,
    /// The command
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What all commands take.
#[derive(Debug, clap::Args)]
pub struct Global {
    /// Act as this instance
    #[arg(long = "as", value_name = "ID", global = true, help_heading = "Global options")]
    pub acting_as: Option<String>,
    /// Run as if started in this folder
    #[arg(short = 'C', value_name = "DIR", global = true, help_heading = "Global options")]
    pub dir: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// Print nothing but the answer
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub quiet: bool,
}

/// Deferred: the arguments of a command are defined when it is the one that was called. To define those of all took a
/// fifth of the time that a short command takes.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    Init(cmd::init::Args),
    Demo(cmd::demo::Args),
    Register(cmd::register::Args),
    Whoami(cmd::whoami::Args),
    Heartbeat(cmd::heartbeat::Args),
    Unregister(cmd::unregister::Args),
    Cleanup(cmd::cleanup::Args),
    Status(cmd::status::Args),
    Task(cmd::task::Args),
    Tasks(cmd::tasks::Args),
    Claim(cmd::claim::Args),
    Check(cmd::check::Args),
    Release(cmd::release::Args),
    Context(cmd::context::Args),
    Handoff(cmd::handoff::Args),
    Sync(cmd::sync::Args),
    Compact(cmd::compact::Args),
    Log(cmd::log::Args),
    Delegate(Box<cmd::delegate::Args>),
    Run(cmd::run::Args),
    Verify(cmd::verify::Args),
    Agent(cmd::agent::Args),
    Workflow(cmd::workflow::Args),
    Emit(cmd::emit::Args),
    WatchFiles(cmd::watch_files::Args),
    Trust(cmd::trust::Args),
    Doctor(cmd::doctor::Args),
    #[command(subcommand)]
    Hook(cmd::hook::Args),
    #[cfg(feature = "mcp")]
    Mcp(cmd::mcp::Args),
    Schema(cmd::schema::Args),
    Completions(cmd::completions::Args),
    Man(cmd::man::Args),
}
