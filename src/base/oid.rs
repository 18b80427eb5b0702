//! A git object name as text, of whichever hash the repository uses.

use std::{fmt, str::FromStr};

/// A full object name: 40 (sha1) or 64 (sha256) lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(String);

/// A text that is no full object name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a full object name", crate::base::text::one_line(.0, 60))]
pub struct InvalidOid(String);

impl Oid {
    /// The hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name git uses for "no object" in a repository whose names are as long as this one.
    pub fn null_of_same_kind(&self) -> Oid {
        Oid("0".repeat(self.0.len()))
    }
}

impl FromStr for Oid {
    type Err = InvalidOid;
    fn from_str(text: &str) -> Result<Self, InvalidOid> {
        let hex = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if hex && matches!(text.len(), 40 | 64) { Ok(Oid(text.to_owned())) } else { Err(InvalidOid(text.to_owned())) }
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
