//! The machine we run on: its clock and randomness, the environment, processes, the user's git, and git's hooks.
//!
//! The only layer that starts processes or reads the environment. It knows no rule of coordination (what a claim is,
//! when somebody is stale), prints nothing, and never touches git's objects: those are `store`'s.

pub mod agents;
pub mod aside;
pub mod background;
pub mod beads;
pub mod boot;
pub mod bounded;
pub mod client;
pub mod config;
pub mod enabled;
pub mod env;
pub mod fault;
pub mod git;
pub mod history;
pub mod hooks;
pub mod hub;
pub mod install;
pub mod live;
pub mod process;
pub mod project;
pub mod recognise;
pub mod refs;
pub mod runs;
#[cfg(test)]
pub(crate) mod scratch;
pub mod sighting;
pub mod stagger;
pub mod supervise;
pub mod terminal;
pub mod trust;
pub mod verify;
pub mod watch_files;
pub mod worktree;
pub mod world;
