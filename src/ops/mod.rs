//! Use cases, one file a noun. They join the layers below, return values, and never print.

pub mod agent;
pub mod check;
pub mod claim;
pub mod cleanup;
mod config;
pub mod demo;
pub mod doctor;
pub mod errand;
mod error;
pub mod event;
pub mod guard;
pub mod handoff;
mod identity;
pub mod init;
pub mod instance;
pub mod log;
pub mod note;
mod notice;
pub mod outcome;
pub mod persona;
pub mod release;
pub mod run;
mod session;
mod settings;
mod standing;
pub mod status;
pub mod sync;
mod target;
pub mod task;
pub mod tool;
mod transact;
pub mod trust;
pub mod verify;
pub mod watch_files;
pub mod worker;
pub mod workflow;
pub mod worktree;

pub use crate::store::{Coverage, Damage, Private, RunEvent};
pub use error::{Error, Held, OpenError, StoreError};
pub use identity::Who;
pub use notice::Notice;
pub use session::Session;
pub use settings::{Confirm, Guard, PersonGuard, PushOffline, RequireClaim, Settings, SyncRuns};
pub use target::{Kind, Target};

/// The time now, for those who have no session.
pub fn now() -> crate::base::world::Time {
    use crate::base::world::Clock as _;
    crate::host::world::SystemClock::new(&crate::host::env::Env::read()).now()
}

/// Has everything that is waited for in other processes end: this process is about to, and leaves none behind.
pub fn end_processes() {
    crate::host::bounded::end_all();
}

/// What a probe of the fence wants to hear, if one asks.
pub fn probe() -> Option<String> {
    crate::host::env::Env::read().probe
}

/// Whether somebody goes round the fences: honoured also where git-aio itself fails.
pub fn bypass() -> bool {
    crate::host::env::Env::read().bypass
}
