//! Tests of the program as its users meet it: real git, real hooks, real processes, nothing of this machine's own.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that can't go on should say where it stopped")]
#![allow(clippy::disallowed_methods, reason = "tests start processes and see the machine they run on")]
#![allow(unreachable_pub, reason = "nothing outside sees a test")]

mod agent;
mod check;
mod claim;
mod cli;
mod completions;
#[cfg(unix)]
mod delegate;
mod demo;
mod docs;
mod doctor;
mod env;
mod epoch;
#[cfg(unix)]
mod fake;
mod fence;
mod git;
mod handoff;
mod hook;
mod http;
mod hub;
mod hub_view;
mod init;
mod init_agents;
mod input;
mod instance;
mod json;
mod kill;
mod log;
mod managers;
#[cfg(feature = "mcp")]
mod mcp;
mod model;
mod note;
mod persona;
mod plain_git;
mod presence;
mod push;
mod race;
mod real_agents;
mod release;
#[cfg(unix)]
mod run;
mod shared;
mod smoke;
mod staged;
mod sync;
mod tasks;
mod terminal;
mod tidy;
mod together;
mod trust;
mod verify;
mod workflow;
