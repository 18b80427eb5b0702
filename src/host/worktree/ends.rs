//! Files whose line ends are not those that git would give them when it checks them out. git holds them for unchanged, and
//! nobody but the work tree knows what they are like.

use super::ALONE;
use crate::host::git::{Git, GitError};

impl Git {
    /// Those of the tracked files at `paths`, and below them, whose line ends a check-out would change. With `as_crlf`, git
    /// checks out text with CRLF unless it is told otherwise. All of the files are read.
    ///
    /// # Errors
    /// When git can't be asked.
    pub fn with_own_line_ends(&self, paths: &[&str], as_crlf: bool) -> Result<Vec<Vec<u8>>, GitError> {
        let git = self.clone().with("GIT_LITERAL_PATHSPECS", "1");
        let out = git.run(ALONE.iter().chain(&["ls-files", "--eol", "-z", "--"]).chain(paths))?;
        let own = out.split(|byte| *byte == 0).filter_map(|line| {
            let tab = line.iter().position(|byte| *byte == b'\t')?;
            let what = String::from_utf8_lossy(&line[..tab]);
            differs(&what, as_crlf).then(|| line[tab + 1..].to_vec())
        });
        Ok(own.collect())
    }
}

/// Whether the line ends of a file are not those it would get, by what git says of it: `i/lf w/crlf attr/text=auto`.
fn differs(what: &str, as_crlf: bool) -> bool {
    let mut words = what.split_whitespace();
    let index = words.next().and_then(|word| word.strip_prefix("i/")).unwrap_or_default();
    let here = words.next().and_then(|word| word.strip_prefix("w/")).unwrap_or_default();
    let attributes: Vec<&str> = words.map(|word| word.strip_prefix("attr/").unwrap_or(word)).collect();
    let is = |attribute: &str| attributes.contains(&attribute);
    let gets = match index {
        "lf" if is("-text") => "lf",
        "lf" if is("eol=crlf") || (as_crlf && !is("eol=lf")) => "crlf",
        index => index,
    };
    !matches!(here, "" | "none" | "-text") && here != gets
}

#[cfg(test)]
mod tests {
    use super::differs;

    #[test]
    fn only_what_a_check_out_would_change_differs() {
        for (what, as_crlf, expected) in [
            ("i/lf    w/lf    attr/text=auto", false, false),
            ("i/lf    w/crlf  attr/text=auto", false, true),
            ("i/lf    w/mixed attr/text=auto", false, true),
            ("i/lf    w/crlf  attr/text eol=crlf", false, false),
            ("i/lf    w/lf    attr/text eol=crlf", false, true),
            ("i/crlf  w/crlf  attr/", false, false),
            ("i/lf    w/crlf  attr/", true, false),
            ("i/lf    w/lf    attr/", true, true),
            ("i/lf    w/lf    attr/text eol=lf", true, false),
            ("i/-text w/-text attr/", true, false),
            ("i/lf    w/      attr/text=auto", false, false),
        ] {
            assert_eq!(differs(what, as_crlf), expected, "{what}");
        }
    }
}
