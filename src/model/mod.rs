//! Facts and rules, pure: what there is to coordinate, and what excludes what. No git, no I/O, no clock: the same
//! question has the same answer in every clone.

pub mod overlap;
pub mod scope;
