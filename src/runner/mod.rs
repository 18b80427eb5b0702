//! What carries out runs: steps, one or many, by agents and commands.
//!
//! [`work`] says what a step is to do once everything in it is known, and what it tells while it is done. It is made by
//! a delegation, which is a run of one step, and by a workflow, which is one of many; whoever carries it out can't tell
//! which of the two it was.

pub mod builtin;
pub mod cancel;
mod commit;
mod copy;
pub mod crew;
pub mod delegation;
pub mod dispatch;
pub mod document;
pub mod handlers;
pub mod journal;
pub mod landed;
pub mod landing;
pub mod language;
pub mod ledger;
pub mod library;
pub mod plan;
pub mod recorder;
pub mod step;
pub mod work;
pub mod workflow;
