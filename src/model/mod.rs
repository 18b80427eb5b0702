//! Facts and rules, pure: no git, no I/O, no clock. What the rules need to know of the state they ask a
//! [`view::View`]; what they decide they return as data, and somebody else carries it out.

pub mod apply;
pub mod claim;
pub mod contest;
pub mod echo;
pub mod guard;
pub mod guide;
pub mod handoff;
pub mod instance;
pub mod liveness;
pub mod note;
pub mod op;
pub mod overlap;
pub mod persona;
pub mod replay;
pub mod run;
pub mod scope;
pub mod task;
#[cfg(test)]
mod trial;
pub mod verify;
pub mod view;
