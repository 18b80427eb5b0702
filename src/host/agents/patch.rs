//! The patches that models of OpenAI write: which files they touch.
//!
//! ```text
//! *** Begin Patch
//! *** Update File: a.txt
//! *** Move to: b.txt
//! @@
//! -one
//! +two
//! *** Delete File: c.txt
//! *** End Patch
//! ```

use std::path::PathBuf;

const HEADERS: &[&str] = &["*** Add File: ", "*** Update File: ", "*** Delete File: ", "*** Move to: "];

/// The files that the patches in `text` touch, each once: both sides of a move. The text may be a command with a patch
/// somewhere in it. Lines of a file begin with a sign or a space, so none is taken for a header.
pub(super) fn touched(text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.trim_end() {
            line if line.trim_start_matches(|c| c != '*').starts_with("*** Begin Patch") => inside = true,
            "*** End Patch" => inside = false,
            line if inside => {
                let path = HEADERS.iter().find_map(|header| line.strip_prefix(header)).map(|path| path.trim().into());
                found.extend(path.filter(|path| !found.contains(path)));
            }
            _ => {}
        }
    }
    found
}
