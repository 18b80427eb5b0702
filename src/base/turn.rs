//! Whether writers take turns. They do; a test may want them not to, or to believe wrongly that they have.

use std::str::FromStr;

/// What comes of asking for a turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Turns {
    /// A turn, when those before have had theirs.
    #[default]
    Taken,
    /// None, as where a file system has no locks.
    Off,
    /// Everybody is told at once that it is theirs, as where a file system grants locks that mean nothing.
    Lying,
}

impl FromStr for Turns {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "off" => Ok(Turns::Off),
            "lying" => Ok(Turns::Lying),
            _ => Err(()),
        }
    }
}
