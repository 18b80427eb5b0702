//! The real clock and the real randomness.
//!
//! A debug build lets a test freeze both, through [`Env`]; a release build can't be told the time.

use super::env::Env;
use crate::base::world::{Clock, Entropy, Time};
use chrono::TimeDelta;
use sha2::{Digest, Sha256};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

/// The clock of this machine.
#[derive(Debug, Clone, Default)]
pub struct SystemClock {
    frozen: Option<Time>,
}

impl SystemClock {
    /// The clock, frozen where the environment of a test says so.
    pub fn new(env: &Env) -> Self {
        SystemClock { frozen: env.frozen_time }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Time {
        self.frozen.unwrap_or_else(|| from_system(SystemTime::now()))
    }
}

/// The time of the system, also one before 1970; one that is out of all reach is the nearest there is.
fn from_system(now: SystemTime) -> Time {
    let span = |span: Duration| TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
    match now.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => Time::UNIX_EPOCH.checked_add_signed(span(since)).unwrap_or(Time::MAX_UTC),
        Err(before) => Time::UNIX_EPOCH.checked_sub_signed(span(before.duration())).unwrap_or(Time::MIN_UTC),
    }
}

/// The random number generator of the operating system.
#[derive(Debug, Default)]
pub struct SystemEntropy {
    seed: Option<u64>,
    drawn: AtomicU64,
}

impl SystemEntropy {
    /// True randomness, or a fixed stream where the environment of a test asks for one.
    ///
    /// The stream depends on the seed and on how much was drawn before, and on nothing else: two processes with one
    /// seed draw the same bytes. A test that starts several gives each its own seed.
    pub fn new(env: &Env) -> Self {
        SystemEntropy { seed: env.seed, drawn: AtomicU64::new(0) }
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        match self.seed {
            None => getrandom::fill(bytes).expect("the operating system gives random bytes"),
            Some(seed) => {
                for chunk in bytes.chunks_mut(32) {
                    let at = self.drawn.fetch_add(1, Ordering::Relaxed);
                    let block =
                        Sha256::new().chain_update(seed.to_le_bytes()).chain_update(at.to_le_bytes()).finalize();
                    chunk.copy_from_slice(&block[..chunk.len()]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_fixes_the_stream_and_no_seed_does_not() {
        let seeded = || SystemEntropy { seed: Some(7), ..Default::default() };
        let (a, b) = (seeded(), seeded());
        assert_eq!(a.bytes::<40>(), b.bytes::<40>());
        assert_ne!(a.bytes::<8>(), a.bytes::<8>());
        assert_ne!(SystemEntropy::default().bytes::<16>(), SystemEntropy::default().bytes::<16>());
    }

    #[test]
    fn a_clock_that_stands_before_1970_tells_that() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(86_400);
        assert_eq!(from_system(before).to_rfc3339(), "1969-12-31T00:00:00+00:00");
        let after = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_500);
        assert_eq!(from_system(after).timestamp_millis(), 1_700_000_000_500);
    }

    #[test]
    fn a_frozen_clock_stands() {
        let at = "2024-02-05T00:00:00Z".parse().expect("valid");
        assert_eq!(SystemClock { frozen: Some(at) }.now(), at);
    }
}
