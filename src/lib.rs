//! git-aio: several AI coding CLIs, one repository, one truth.
//!
//! The library behind the `git-aio` program. Folders are layers; see `docs/ARCHITECTURE.md` for which may use which.

pub mod base;
pub mod cli;
pub mod disk;
pub mod host;
pub mod model;
pub mod ops;
pub mod runner;
pub mod store;
