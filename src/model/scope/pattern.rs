//! Globs, in one normal form.
//!
//! The language is that of `.gitignore` for where a pattern applies, and that of the `globset` crate for what it
//! matches there:
//!
//! - `*` and `?` stay within a name, `**` as a whole component spans any number of directories. Elsewhere (`a**b`) it
//!   is an ordinary `*`.
//! - `[ab]`, `[a-z]`, `[!a]` and `?` match one byte, not one letter; a class therefore lists ASCII only. A class may
//!   not name `/`, but `[!a]` matches it.
//! - `{a,b}` is either; an alternative may be empty, may hold slashes and may nest.
//! - `\` takes the next character literally.
//! - A pattern without a slash matches at any depth. A slash anywhere ties it to the root, also one inside braces:
//!   `{a,b/c}.rs` is `a.rs` and `b/c.rs`, both at the root. Only a slash in front (or `./`) and one at the end stand for
//!   themselves: the first ties, the second means all that is below directories so named.

use crate::base::{
    path::{RepoPath, fold},
    text::one_line,
};
use globset::{Glob, GlobBuilder};
use std::{borrow::Cow, fmt};

/// A valid glob in normal form, from the root of the work tree.
///
/// Normal form says by itself where the pattern applies (`*.md` becomes `**/*.md`, `build/` becomes `**/build/**`),
/// and has no backslash outside a class (`\*` becomes `[*]`), because that is read differently on Windows. A `/` in
/// front is left only where nothing else ties the pattern to the root: `/*.md`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern(String);

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a pattern: {reason}", one_line(text, 200))]
pub struct InvalidPattern {
    text: String,
    reason: Reason,
}

impl InvalidPattern {
    /// The same about `typed`, of which only a part was looked at.
    pub fn about(self, typed: &str) -> Self {
        InvalidPattern { text: typed.to_owned(), ..self }
    }
}

type Reason = Cow<'static, str>;

/// Longest normal form, in bytes.
const MAX_LEN: usize = 1024;

/// Deepest nesting of braces. The regex parser has a limit too, but of another unit and with no such clear message.
const MAX_NESTING: usize = 32;

/// What ends a literal run of text in normal form.
const META: [char; 6] = ['*', '?', '[', ']', '{', '}'];

impl Pattern {
    /// Reads a pattern typed at the root of the work tree, or one in normal form, which stays as it is.
    pub fn parse(text: &str) -> Result<Pattern, InvalidPattern> {
        Self::from_directory(&RepoPath::root(), text)
    }

    /// Reads what a person standing in `dir` typed. It applies to `dir` and below, unless it begins with a slash.
    pub fn from_directory(dir: &RepoPath, typed: &str) -> Result<Pattern, InvalidPattern> {
        normal_form(dir, typed).map(Pattern).map_err(|reason| InvalidPattern { text: typed.to_owned(), reason })
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A directory that all matches are below: the leading components without anything special in them. The last
    /// component never counts.
    pub fn literal_prefix(&self) -> RepoPath {
        let special = self.glob().find(META).unwrap_or(self.glob().len());
        let end = self.glob()[..special].rfind('/').unwrap_or(0);
        // Its components were checked when the pattern was read. The root would be no wrong answer.
        RepoPath::from_bytes(&self.glob().as_bytes()[..end]).unwrap_or(RepoPath::root())
    }

    /// Whether the pattern goes on with `**` after its [`literal_prefix`](Self::literal_prefix), so that it applies in
    /// every directory below that.
    pub(in crate::model) fn is_recursive(&self) -> bool {
        let rest = self.glob()[self.literal_prefix().as_bytes().len()..].trim_start_matches('/');
        rest == "**" || rest.starts_with("**/")
    }

    /// What all matches end with: the end of the last name, as far as nothing special is in it.
    pub(in crate::model) fn literal_suffix(&self) -> &str {
        self.glob().rsplit(META).next().and_then(|end| end.rsplit('/').next()).unwrap_or("")
    }

    /// The compiled glob, for paths that are folded if `folds_case`.
    pub(in crate::model) fn compile(&self, folds_case: bool) -> Result<Glob, globset::Error> {
        if folds_case { build(&fold_glob(self.glob()), true) } else { build(self.glob(), false) }
    }

    /// The text that globset is to read.
    pub(in crate::model) fn glob(&self) -> &str {
        self.0.strip_prefix('/').unwrap_or(&self.0)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The regular expression, over bytes, of the paths that a glob matches.
pub(in crate::model) fn to_regex(glob: &str, fold: bool) -> Result<String, globset::Error> {
    Ok(build(glob, fold)?.regex().to_owned())
}

fn build(glob: &str, fold: bool) -> Result<Glob, globset::Error> {
    let mut builder = GlobBuilder::new(glob);
    builder.literal_separator(true).backslash_escape(true).empty_alternates(true).case_insensitive(fold);
    builder.build()
}

/// A glob in normal form with its literal text folded, so as to be matched against folded paths. Classes stay, for
/// folding `[Z-a]` would turn it round: they are ASCII, and the matcher ignores the case of that.
pub(in crate::model) fn fold_glob(glob: &str) -> String {
    let mut out = String::with_capacity(glob.len());
    for piece in Pieces(glob).map_while(Result::ok) {
        match piece.starts_with('[') {
            true => out.push_str(piece),
            false => out.push_str(&String::from_utf8_lossy(&fold(piece.as_bytes()))),
        }
    }
    out
}

fn normal_form(dir: &RepoPath, typed: &str) -> Result<String, Reason> {
    let plain = without_escapes(typed)?;
    let (from_root, rest) = match plain.strip_prefix('/') {
        Some(rest) => (true, rest),
        None => (false, plain.as_str()),
    };
    let here = rest.trim_start_matches("./");
    let (body, contents) = match here.strip_suffix('/') {
        Some(body) => (body, "/**"),
        None => (here, ""),
    };
    check_components(body)?;
    let tied = from_root || here.len() < rest.len() || body.contains('/') || body == "**";
    let depth = if tied { "" } else { "**/" };
    let base = if from_root { String::new() } else { as_prefix(dir)? };
    let mut normal = format!("{base}{depth}{body}{contents}");
    if !normal.contains('/') && normal != "**" {
        normal.insert(0, '/');
    }
    if normal.len() > MAX_LEN {
        return Err(format!("it is longer than {MAX_LEN} bytes").into());
    }
    check_nesting(&normal)?;
    to_regex(&normal, false).map_err(|error| error.kind().to_string())?;
    Ok(normal)
}

/// Puts what a backslash protects into a class of its own, and checks the classes.
fn without_escapes(text: &str) -> Result<String, Reason> {
    if text.contains('\0') {
        return Err("it contains a NUL byte".into());
    }
    let mut out = String::with_capacity(text.len());
    for piece in Pieces(text) {
        match piece? {
            class if class.starts_with('[') && !class.is_ascii() => {
                return Err("a class lists ASCII characters only; write {ä,ö} rather than [äö]".into());
            }
            class if class.starts_with('[') && class.contains('/') => {
                return Err("a class matches within a name and can't hold '/'; write {a,/} rather than [a/]".into());
            }
            piece => match piece.strip_prefix('\\') {
                Some(literal) => push_literal(&mut out, literal),
                None => out.push_str(piece),
            },
        }
    }
    Ok(out)
}

fn push_literal(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '*' | '?' | '[' | '{' | '}' | ',' | '\\' => out.extend(['[', c, ']']),
            c => out.push(c),
        }
    }
}

/// The directory as the beginning of a glob.
fn as_prefix(dir: &RepoPath) -> Result<String, Reason> {
    let text = str::from_utf8(dir.as_bytes()).map_err(|_| "the name of the directory it was typed in is not UTF-8")?;
    let mut prefix = String::new();
    push_literal(&mut prefix, text);
    if !dir.is_root() {
        prefix.push('/');
    }
    Ok(prefix)
}

/// Refuses the components that no path has, so that nobody believes to hold what the pattern never matches.
fn check_components(body: &str) -> Result<(), Reason> {
    if body.is_empty() {
        return Err("it names no file".into());
    }
    for component in body.split('/') {
        match component {
            "" => return Err("it has an empty component".into()),
            "." | ".." => return Err("it contains '.' or '..' as a component".into()),
            name if name.eq_ignore_ascii_case(".git") => return Err("it lies inside .git".into()),
            _ => {}
        }
    }
    Ok(())
}

fn check_nesting(normal: &str) -> Result<(), Reason> {
    let mut depth = 0_usize;
    for piece in Pieces(normal) {
        match piece? {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            return Err(format!("its braces nest deeper than {MAX_NESTING}").into());
        }
    }
    Ok(())
}

/// Splits a glob into its smallest readable units: classes with their brackets, escaped characters with their
/// backslash, and all other characters singly.
struct Pieces<'a>(&'a str);

impl<'a> Iterator for Pieces<'a> {
    type Item = Result<&'a str, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.0.chars().next()?;
        let len = match first {
            '\\' => match self.0[1..].chars().next() {
                Some(c) => 1 + c.len_utf8(),
                None => return self.fail("it ends in a backslash; write \\\\ for the character"),
            },
            '[' => match class_len(self.0) {
                Some(len) => len,
                None => return self.fail("a '[' is not closed; write \\[ for the character"),
            },
            c => c.len_utf8(),
        };
        let (piece, rest) = self.0.split_at(len);
        self.0 = rest;
        Some(Ok(piece))
    }
}

impl<'a> Pieces<'a> {
    fn fail(&mut self, reason: &'static str) -> Option<Result<&'a str, &'static str>> {
        self.0 = "";
        Some(Err(reason))
    }
}

/// The length of the class that `text` begins with. A `]` that comes first in it is one of its members.
fn class_len(text: &str) -> Option<usize> {
    let negated = usize::from(text[1..].starts_with(['!', '^']));
    let members = text.get(1 + negated..)?;
    let first = members.chars().next()?.len_utf8();
    Some(1 + negated + first + members[first..].find(']')? + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).expect(text)
    }

    fn path(text: &str) -> RepoPath {
        RepoPath::from_bytes(text.as_bytes()).expect(text)
    }

    #[test]
    fn normal_form_says_where_a_pattern_applies() {
        for (typed, normal) in [
            ("*.md", "**/*.md"),
            ("/*.md", "/*.md"),
            ("./*.md", "/*.md"),
            ("././src/*.md", "src/*.md"),
            ("/src/*.rs", "src/*.rs"),
            ("src/*.rs", "src/*.rs"),
            ("build/", "**/build/**"),
            ("/build/", "build/**"),
            ("src/*/", "src/*/**"),
            ("**", "**"),
            ("/**", "**"),
            ("**/", "**/**"),
            ("a**b", "**/a**b"),
            ("{src/a,b}/*.rs", "{src/a,b}/*.rs"),
            ("{a,b/c}.rs", "{a,b/c}.rs"),
            ("{a,b}.rs", "**/{a,b}.rs"),
            (r"\*\a\{\\", r"**/[*]a[{][\]"),
            (r"[\]x", r"**/[\]x"),
            ("[]!]/[!]]", "[]!]/[!]]"),
            ("..a/.gitignore", "..a/.gitignore"),
        ] {
            assert_eq!(pattern(typed).as_str(), normal, "{typed}");
            assert_eq!(pattern(normal).as_str(), normal, "{typed} again");
        }
    }

    #[test]
    fn what_is_typed_in_a_directory_applies_there() {
        for (dir, typed, normal) in [
            ("src", "*.rs", "src/**/*.rs"),
            ("src", "./*.rs", "src/*.rs"),
            ("src", "/*.rs", "/*.rs"),
            ("src", "a/*.rs", "src/a/*.rs"),
            ("src", "build/", "src/**/build/**"),
            ("src", "**", "src/**"),
            ("app/[id]", "*.tsx", "app/[[]id]/**/*.tsx"),
            ("a{b,c}*", "x", "a[{]b[,]c[}][*]/**/x"),
        ] {
            let got = Pattern::from_directory(&path(dir), typed).expect(typed);
            assert_eq!(got.as_str(), normal, "{typed} in {dir}");
        }
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (typed, why) in [
            ("", "it names no file"),
            ("/", "it names no file"),
            ("./", "it names no file"),
            ("a//b", "it has an empty component"),
            ("//a", "it has an empty component"),
            ("a/../b", "it contains '.' or '..' as a component"),
            (r"\.\./b", "it contains '.' or '..' as a component"),
            ("a/./b", "it contains '.' or '..' as a component"),
            (".GIT/*", "it lies inside .git"),
            ("a\0", "it contains a NUL byte"),
            ("[a", "a '[' is not closed; write \\[ for the character"),
            ("[]", "a '[' is not closed; write \\[ for the character"),
            ("a\\", "it ends in a backslash; write \\\\ for the character"),
            ("[é]", "a class lists ASCII characters only; write {ä,ö} rather than [äö]"),
            ("[a/]", "a class matches within a name and can't hold '/'; write {a,/} rather than [a/]"),
            (&"a".repeat(1025), "it is longer than 1024 bytes"),
            (&"{".repeat(40), "its braces nest deeper than 32"),
        ] {
            let error = Pattern::parse(typed).expect_err(typed).to_string();
            assert!(error.ends_with(&format!(" is not a pattern: {why}")), "{error}");
        }
        for typed in ["{a", "a}", "{a,{b}", "[z-a]"] {
            Pattern::parse(typed).expect_err(typed);
        }
    }

    #[test]
    fn literal_ends_stop_at_anything_special() {
        for (text, prefix, suffix) in [
            ("src/**/*.test.ts", "src", ".test.ts"),
            ("src/a/b", "src/a", "b"),
            ("src/a*/b", "src", "b"),
            ("*.md", "", ".md"),
            ("/a.md", "", "a.md"),
            ("src/{a,b/c}", "src", ""),
            ("src/[ab]c", "src", "c"),
            ("a/b/**", "a/b", ""),
        ] {
            assert_eq!(pattern(text).literal_prefix().as_bytes(), prefix.as_bytes(), "{text}");
            assert_eq!(pattern(text).literal_suffix(), suffix, "{text}");
        }
    }

    #[test]
    fn a_recursive_pattern_applies_in_every_directory() {
        assert!(["*.md", "**", "a/**", "a/b/**/c*"].iter().all(|text| pattern(text).is_recursive()));
        assert!(!["/*.md", "a/b", "a/b**", "a/**b/c", "a/*/**"].iter().any(|text| pattern(text).is_recursive()));
    }

    proptest! {
        #[test]
        fn normal_form_is_stable(typed in r"[ab.Σ/*?\[\]!{},\\-]{0,12}", dir in "[ab*\\[]{0,3}") {
            if let Ok(pattern) = Pattern::from_directory(&path(&dir), &typed) {
                prop_assert_eq!(Pattern::parse(pattern.as_str()), Ok(pattern.clone()));
                prop_assert!(to_regex(&fold_glob(pattern.glob()), true).is_ok());
            }
        }
    }
}
