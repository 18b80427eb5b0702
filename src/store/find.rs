//! Finding objects while git tidies up.
//!
//! A `git repack` beside us moves objects from file to file. A single look, which goes from file to file as well, can
//! come to each just too early or too late and miss an object that is there all the time. So an object counts as
//! missing only when several looks have missed it.

use super::Repository;
use gix::error::Result;
use std::{thread, time::Duration};

/// How long to wait after each look that found nothing, in milliseconds.
const PAUSES: [u64; 4] = [0, 1, 5, 20];

impl Repository {
    /// What `find` finds, when it is asked as often as it takes.
    pub(super) fn look<'r, T>(&'r self, find: impl Fn(&'r gix::Repository) -> Result<T>) -> Result<T> {
        for pause in PAUSES {
            match find(&self.gix) {
                Err(error) if error.is_not_found() => thread::sleep(Duration::from_millis(pause)),
                found => return found,
            }
        }
        find(&self.gix)
    }
}
