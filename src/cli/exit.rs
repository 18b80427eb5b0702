//! Exit codes: a contract with scripts and agents, listed in docs/cli.md.

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done; available.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong use, or an invalid file.
    Usage = 2,
    /// Held by another, settled already, or not allowed to the one who asks.
    Conflict = 3,
    /// What was to be verified failed, or could not be shown to be in order.
    Unverified = 4,
    /// It waits for somebody's answer.
    Waiting = 5,
    /// It failed, and what it had done is undone.
    Undone = 6,
    /// The hub could not be reached or did not take it.
    NotConfirmed = 7,
    /// No such record, or no registered instance.
    NotFound = 8,
    /// It ended without reaching its goal.
    Unreached = 9,
    /// Busy, try again.
    Busy = 75,
    /// Stopped by Ctrl-C, after what was begun had been ended.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        std::process::ExitCode::from(exit as u8)
    }
}
