//! Words that every layer shares: validated names and ids, repository paths, text hygiene, and the traits by which
//! the outside world (clock, randomness, ref storage) is handed in.
//!
//! Nothing here reads a clock, a file or the environment.

pub mod around;
pub mod id;
pub mod oid;
pub mod path;
pub mod process;
pub mod refs;
pub mod text;
pub mod toml;
pub mod turn;
pub mod worktree;
pub mod world;
