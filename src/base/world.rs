//! What an operation observes of the world, handed in rather than reached for: the time and randomness.

use chrono::{DateTime, Utc};

/// A moment, always in UTC.
pub type Time = DateTime<Utc>;

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
