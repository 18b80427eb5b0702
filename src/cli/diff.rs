//! Differences, in the form that `git diff` has and `git apply` takes.

use super::ui::{BAD, BOLD, GOOD};
use crate::base::text;
use similar::{ChangeTag, TextDiff};
use std::{
    fmt::Display,
    io::{self, Write},
};

/// Longest line that is shown, in characters.
const MAX_LINE: usize = 2000;

/// One side: a name, and what is there.
pub(crate) struct Side<'t> {
    /// A path from the root of the work tree, or an absolute one.
    pub(crate) path: &'t str,
    /// The text and the mode as git writes it; `None` where there is nothing.
    pub(crate) content: Option<(String, String)>,
}

impl Side<'_> {
    /// `a/path` or `b/path`; an absolute path as it is; `/dev/null` where there is nothing.
    fn name(&self, prefix: &str) -> String {
        let path = text::one_line(self.path, MAX_LINE);
        match &self.content {
            None => "/dev/null".into(),
            Some(_) if path.starts_with('/') => path,
            Some(_) => format!("{prefix}/{path}"),
        }
    }

    fn text(&self) -> &str {
        self.content.as_ref().map_or("", |(text, _)| text)
    }
}

/// Writes how `after` differs from `before`, if it does.
pub(crate) fn write(out: &mut dyn Write, before: &Side<'_>, after: &Side<'_>) -> io::Result<()> {
    let modes = match (&before.content, &after.content) {
        (None, Some((_, mode))) => vec![format!("new file mode {mode}")],
        (Some((_, mode)), None) => vec![format!("deleted file mode {mode}")],
        (Some((_, old)), Some((_, new))) if old != new => vec![format!("old mode {old}"), format!("new mode {new}")],
        _ => Vec::new(),
    };
    let diff = TextDiff::from_lines(before.text(), after.text());
    let mut unified = diff.unified_diff();
    let hunks: Vec<_> = unified.context_radius(3).iter_hunks().collect();
    if modes.is_empty() && hunks.is_empty() {
        return Ok(());
    }
    let mut head = |line: &dyn Display| writeln!(out, "{BOLD}{line}{BOLD:#}");
    let named = |side: &Side<'_>, other: &Side<'_>, prefix| match side.content {
        None => Side { path: side.path, content: other.content.clone() }.name(prefix),
        Some(_) => side.name(prefix),
    };
    head(&format!("diff --git {} {}", named(before, after, "a"), named(after, before, "b")))?;
    modes.iter().try_for_each(|line| head(line))?;
    if !hunks.is_empty() {
        head(&format!("--- {}", before.name("a")))?;
        head(&format!("+++ {}", after.name("b")))?;
    }
    for hunk in hunks {
        writeln!(out, "{}", hunk.header())?;
        for change in hunk.iter_changes() {
            let line = text::block(change.value().trim_end_matches('\n'), MAX_LINE);
            match change.tag() {
                ChangeTag::Delete => writeln!(out, "{BAD}-{line}{BAD:#}")?,
                ChangeTag::Insert => writeln!(out, "{GOOD}+{line}{GOOD:#}")?,
                ChangeTag::Equal => writeln!(out, " {line}")?,
            }
            if change.missing_newline() {
                writeln!(out, "\\ No newline at end of file")?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: Option<(&str, &str)>, after: Option<(&str, &str)>) -> String {
        let side = |content: Option<(&str, &str)>| Side {
            path: ".git/hooks/pre-commit",
            content: content.map(|(text, mode)| (text.to_owned(), mode.to_owned())),
        };
        let mut out = Vec::new();
        write(&mut out, &side(before), &side(after)).expect("written");
        anstream::adapter::strip_str(&String::from_utf8(out).expect("text")).to_string()
    }

    #[test]
    fn a_new_file_comes_from_nothing() {
        let expected = "diff --git a/.git/hooks/pre-commit b/.git/hooks/pre-commit\nnew file mode 100755\n\
                        --- /dev/null\n+++ b/.git/hooks/pre-commit\n@@ -0,0 +1,2 @@\n+#!/bin/sh\n+\u{5c}u{202e}\n";
        assert_eq!(shown(None, Some(("#!/bin/sh\n\u{202e}\n", "100755"))), expected);
    }

    #[test]
    fn a_mode_alone_is_a_change_and_no_change_is_nothing() {
        assert_eq!(
            shown(Some(("x\n", "100644")), Some(("x\n", "100755"))),
            "diff --git a/.git/hooks/pre-commit b/.git/hooks/pre-commit\nold mode 100644\nnew mode 100755\n"
        );
        assert_eq!(shown(Some(("x\n", "100644")), Some(("x\n", "100644"))), "");
    }

    #[test]
    fn a_last_line_without_its_end_says_so() {
        let text = shown(Some(("a\nb", "100644")), Some(("a\nb\n", "100644")));
        assert!(text.ends_with("@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n"), "{text}");
    }
}
