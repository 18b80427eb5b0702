//! What an operation observes of the world, handed in rather than reached for: the time and randomness.

use chrono::{DateTime, Utc};

/// A moment, always in UTC.
pub type Time = DateTime<Utc>;

/// The first moment after those that records, and git, can hold: the year 10000.
const LATEST: i64 = 253_402_300_800;

/// Whether `time` can be written down so that everybody reads it: git knows none before 1970, and a year has four digits.
pub fn can_be_kept(time: Time) -> bool {
    (0..LATEST).contains(&time.timestamp())
}

/// Tells the time.
pub trait Clock {
    /// The current moment.
    fn now(&self) -> Time;
}

/// Gives random bytes that nobody else gets.
pub trait Entropy {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);

    /// `N` random bytes.
    fn bytes<const N: usize>(&self) -> [u8; N]
    where
        Self: Sized,
    {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_somebody_could_not_read_is_not_kept() {
        let kept = |text: &str| can_be_kept(text.parse().expect("a time"));
        assert!(kept("1970-01-01T00:00:00Z") && kept("9999-12-31T23:59:59Z"));
        assert!(!kept("1969-12-31T23:59:59Z") && !kept("+10000-01-01T00:00:00Z"));
    }
}
