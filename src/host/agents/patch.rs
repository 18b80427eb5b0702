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

/// The files that the patches in a command for the shell touch, which may have changed the folder before.
pub(super) fn typed(command: &str) -> Vec<PathBuf> {
    let folder = command.split_once("*** Begin Patch").map(|(before, _)| folder_after(before)).unwrap_or_default();
    touched(command).into_iter().map(|path| folder.join(path)).collect()
}

/// The folder in which a shell is after `commands`, relative to the one in which it began.
fn folder_after(commands: &str) -> PathBuf {
    // What comes behind a here-document's word is not the shell's to read.
    let commands = commands.split("<<").next().unwrap_or_default();
    let words = shlex::split(commands).unwrap_or_default();
    let changes = words.windows(2).filter(|pair| pair[0] == "cd");
    changes.map(|pair| pair[1].trim_end_matches(';')).collect()
}
