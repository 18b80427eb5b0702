//! A path inside a repository, in the one form by which two spellings of a file are recognised as the same.

use super::text::one_line;
use std::{fmt, path::Path};
use unicode_normalization::UnicodeNormalization as _;

/// `text` in Unicode's form C: an accent and the letter below it are one character where there is such a one.
pub fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// A path relative to the root of the work tree: components joined by `/`, none of them empty, `.`, `..` or `.git`.
/// It is bytes, as in git; the empty path is the root itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(Vec<u8>);

/// Why bytes are no path inside a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a path inside the repository: {reason}", super::text::one_line(&String::from_utf8_lossy(path), 200))]
pub struct InvalidPath {
    path: Vec<u8>,
    reason: &'static str,
}

/// Longest path we take: what Linux takes in one call (PATH_MAX).
const MAX_LEN: usize = 4096;

/// Most paths that are named in one line.
const NAMED: usize = 10;

impl RepoPath {
    /// The root of the work tree.
    pub fn root() -> Self {
        RepoPath(Vec::new())
    }

    /// Takes a path that is already relative and normal, as git prints them; a trailing `/` is dropped.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidPath> {
        let bytes = bytes.strip_suffix(b"/").unwrap_or(bytes);
        let invalid = |reason| Err(InvalidPath { path: bytes.to_owned(), reason });
        if bytes.len() > MAX_LEN {
            return invalid("it is longer than 4096 bytes");
        }
        if bytes.contains(&0) {
            return invalid("it contains a NUL byte");
        }
        for component in bytes.split(|b| *b == b'/').filter(|_| !bytes.is_empty()) {
            match component {
                b"" => return invalid("it is absolute or has an empty component"),
                b"." | b".." => return invalid("it contains '.' or '..'"),
                c if c.eq_ignore_ascii_case(b".git") => return invalid("it lies inside .git"),
                _ => {}
            }
        }
        Ok(RepoPath(bytes.to_owned()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path as the system has it; `None` where that takes only Unicode, and this is none.
    #[cfg(unix)]
    #[allow(clippy::unnecessary_wraps, reason = "elsewhere there may be none")]
    pub fn to_os(&self) -> Option<&Path> {
        Some(Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&self.0)))
    }

    /// The path as the system has it; `None` where that takes only Unicode, and this is none.
    #[cfg(not(unix))]
    pub fn to_os(&self) -> Option<&Path> {
        std::str::from_utf8(&self.0).ok().map(Path::new)
    }

    /// Whether this is the root of the work tree.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The components from the root down.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|b| *b == b'/').filter(|c| !c.is_empty())
    }

    /// The folder this lies in; the root lies in none.
    pub fn parent(&self) -> Option<RepoPath> {
        let end = self.0.iter().rposition(|b| *b == b'/').unwrap_or(0);
        (!self.is_root()).then(|| RepoPath(self.0[..end].to_owned()))
    }

    /// Whether this is `other` or lies below it.
    pub fn is_within(&self, other: &RepoPath) -> bool {
        other.is_root() || (self.0.starts_with(&other.0) && matches!(self.0.get(other.0.len()), None | Some(b'/')))
    }

    /// The same path in the case that a case-insensitive file system would find it by.
    pub fn folded(&self) -> RepoPath {
        RepoPath(fold(&self.0))
    }

    /// The same path with composed characters (Unicode's form C), as git spells it where `core.precomposeUnicode` is set.
    /// Bytes that are no text stay as they are.
    pub fn composed(&self) -> RepoPath {
        match std::str::from_utf8(&self.0) {
            Ok(path) => RepoPath(composed(path).into_bytes()),
            Err(_) => self.clone(),
        }
    }

    /// Text for JSON: UTF-8 stays as it is, other bytes become `%XX`, and so does a `%` that would read as such.
    pub fn encoded(&self) -> String {
        encode(&self.0)
    }

    /// As whoever is to open it needs it: as it is; only bytes that are no UTF-8 make it [`encoded`](Self::encoded).
    pub fn plain(&self) -> String {
        std::str::from_utf8(&self.0).map_or_else(|_| self.encoded(), str::to_owned)
    }

    /// The reverse of [`encoded`](Self::encoded).
    pub fn decode(text: &str) -> Result<RepoPath, InvalidPath> {
        RepoPath::from_bytes(&decode(text))
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() { f.write_str(".") } else { f.write_str(&self.encoded()) }
    }
}

/// Paths for people, in one line: of many the first, and how many more there are.
pub fn named(paths: &[RepoPath]) -> String {
    let first = paths.iter().take(NAMED).map(|path| one_line(&path.to_string(), 200)).collect::<Vec<_>>().join(", ");
    let more = paths.len().saturating_sub(NAMED);
    if more > 0 { format!("{first} and {more} more") } else { first }
}

/// Lower case, by Unicode where the bytes are UTF-8 and by ASCII elsewhere. It may fold more than a given file system
/// does, which can only make two paths be seen as one that are two: the safe side.
///
/// It goes letter by letter: the fold of a text is made of the folds of its parts, and folding twice changes nothing.
pub fn fold(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        // Up in between: some letters have one upper form and two lower ones (final sigma, long s). Down first: some
        // have no upper form but their own (capital sharp s).
        let chars = chunk.valid().chars().flat_map(char::to_lowercase).flat_map(char::to_uppercase);
        let folded: String = chars.flat_map(char::to_lowercase).collect();
        out.extend(folded.into_bytes());
        out.extend(chunk.invalid());
    }
    out
}

/// Percent-encodes what is not UTF-8, and nothing else that could be mistaken for it.
pub fn encode(bytes: &[u8]) -> String {
    use fmt::Write;
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid();
        for (at, c) in valid.char_indices() {
            match c {
                '%' if is_escape(&valid.as_bytes()[at..]) => out.push_str("%25"),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The reverse of [`encode`].
pub fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if is_escape(&bytes[at..]) {
            let digit = |b: u8| (b as char).to_digit(16).unwrap_or(0) as u8;
            out.push(digit(bytes[at + 1]) << 4 | digit(bytes[at + 2]));
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}

fn is_escape(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_escapes_the_repository_is_no_path() {
        for bad in ["/a", "a//b", "a/../b", "./a", "a/.git/config", ".GIT", "a\0b"] {
            assert!(RepoPath::from_bytes(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert_eq!(RepoPath::from_bytes(b"src/").expect("valid").as_bytes(), b"src");
    }

    #[test]
    fn what_is_to_be_opened_is_named_as_it_is() {
        let plain = |bytes: &[u8]| RepoPath::from_bytes(bytes).expect("valid").plain();
        assert_eq!(plain(b"a%20b"), "a%20b");
        assert_eq!(plain(b"a\n\xffb"), RepoPath::from_bytes(b"a\n\xffb").expect("valid").encoded());
    }

    #[test]
    fn within_goes_by_components() {
        let path = |p: &str| RepoPath::from_bytes(p.as_bytes()).expect("valid");
        assert!(path("src/a").is_within(&path("src")));
        assert!(path("src").is_within(&path("src")));
        assert!(path("src").is_within(&RepoPath::root()));
        assert!(!path("src-old/a").is_within(&path("src")));
    }

    #[test]
    fn folding_joins_what_file_systems_join() {
        assert_eq!(fold("ΣΑΣ".as_bytes()), fold("σας".as_bytes()));
        assert_eq!(fold("STRAẞE".as_bytes()), fold("straße".as_bytes()));
        assert_eq!(fold(b"README.\xff"), b"readme.\xff");
    }

    #[test]
    fn every_letter_folds_as_its_other_cases_do() {
        let fold_text = |text: String| fold(text.as_bytes());
        let cased = |c: &char| !c.to_lowercase().eq([*c]) || !c.to_uppercase().eq([*c]);
        for c in (0..=0x10ffff).filter_map(char::from_u32).filter(cased) {
            let folded = fold_text(c.into());
            assert_eq!(fold(&folded), folded, "{c:?} twice");
            assert_eq!(fold_text(c.to_lowercase().collect()), folded, "{c:?} and its lower case");
            assert_eq!(fold_text(c.to_uppercase().collect()), folded, "{c:?} and its upper case");
        }
    }

    proptest! {
        #[test]
        fn encoding_round_trips(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(decode(&encode(&bytes)), bytes);
        }

        #[test]
        fn encoding_round_trips_percents(text in "[%0-9A-Fa-f\u{80}-\u{90}]{0,12}") {
            prop_assert_eq!(decode(&encode(text.as_bytes())), text.as_bytes());
        }
    }
}
