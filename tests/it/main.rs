//! Tests of the program as its users meet it: real git, real hooks, real processes, nothing of this machine's own.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that can't go on should say where it stopped")]

mod env;
mod kill;
mod race;
mod smoke;
mod together;
