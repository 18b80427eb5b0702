//! The same for the runs of this process alone, where there is no file that all of a user's could share: a home that is not
//! there or can't be written keeps nobody from working.

use super::{Interrupts, TRY, sleep};
use std::{
    collections::BTreeMap,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// When each tool was started last, or will be by whoever has its turn.
static STARTS: Mutex<BTreeMap<String, Instant>> = Mutex::new(BTreeMap::new());

/// How many places of each tool are taken.
static TAKEN: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

fn locked<T>(kept: &'static Mutex<T>) -> MutexGuard<'static, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits till `tool` may be started.
pub(super) fn wait(tool: &str, stagger: Duration, interrupts: &Interrupts, waits: &mut dyn FnMut()) -> io::Result<()> {
    let now = Instant::now();
    let turn = {
        let mut starts = locked(&STARTS);
        let turn = starts.get(tool).map_or(now, |last| now.max(*last + stagger));
        starts.insert(tool.to_owned(), turn);
        turn
    };
    match turn.saturating_duration_since(now) {
        Duration::ZERO => Ok(()),
        left => {
            waits();
            sleep(left, interrupts)
        }
    }
}

/// A place for a tool, till it is dropped.
#[derive(Debug)]
pub(super) struct Place(String);

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(taken) = locked(&TAKEN).get_mut(&self.0) {
            *taken = taken.saturating_sub(1);
        }
    }
}

/// Waits for one of `most` places for `tool`.
pub(super) fn take(tool: &str, most: u64, interrupts: &Interrupts, waits: &mut dyn FnMut()) -> io::Result<Place> {
    loop {
        {
            let mut all = locked(&TAKEN);
            let taken = all.entry(tool.to_owned()).or_default();
            if *taken < most {
                *taken += 1;
                return Ok(Place(tool.to_owned()));
            }
        }
        waits();
        sleep(TRY, interrupts)?;
    }
}
