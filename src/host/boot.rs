//! A clock that nobody sets: how long this machine has been up, and since which start of it.
//!
//! What is timed by it lasts as long as it lasted, whatever is done to the clock on the wall. It goes on while the
//! machine sleeps, and counts for nothing after the next start.

use super::{env::Env, process, world::SystemClock};
use crate::base::world::Clock as _;

/// A moment since this machine was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Which start of which machine.
    pub boot: String,
    /// Seconds since then. Only the difference of two moments of one boot means anything.
    pub at: u64,
}

/// Now. Where the system tells nothing of its start it is the time of day since 1970, which somebody may set; a test
/// that freezes the clock freezes this one too.
pub fn moment(env: &Env) -> Moment {
    let of_day = |boot: &str| {
        let at = SystemClock::new(env).now().timestamp();
        Moment { boot: boot.into(), at: u64::try_from(at).unwrap_or(0) }
    };
    match env.frozen_time {
        Some(_) => of_day("test"),
        None => process::boot().zip(up()).map_or_else(|| of_day("unknown"), |(boot, at)| Moment { boot, at }),
    }
}

#[cfg(unix)]
fn up() -> Option<u64> {
    // Elsewhere the monotonic clock goes on while the machine sleeps; on Linux it doesn't.
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    u64::try_from(rustix::time::clock_gettime(clock).tv_sec).ok()
}

#[cfg(not(unix))]
fn up() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_within_one_boot() {
        let (a, b) = (moment(&Env::default()), moment(&Env::default()));
        assert!(a.boot == b.boot && a.at <= b.at && b.at - a.at < 60, "{a:?} {b:?}");
    }

    #[test]
    fn a_test_drives_it() {
        let at = |time: &str| moment(&Env { frozen_time: time.parse().ok(), ..Env::default() });
        let (a, b) = (at("2024-02-05T00:00:00Z"), at("2024-02-05T00:31:00Z"));
        assert_eq!((&*a.boot, b.at - a.at), ("test", 31 * 60));
    }
}
