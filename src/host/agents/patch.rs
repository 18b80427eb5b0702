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

const BEGIN: &str = "*** Begin Patch";
const END: &str = "*** End Patch";
const HEADERS: &[&str] = &["*** Add File:", "*** Update File:", "*** Delete File:", "*** Move to:"];

/// What changes the folder of a shell, or that of a program which it starts.
const MOVES: &[&str] = &["cd", "pushd", "popd", "chdir", "-C", "--chdir"];

/// Most folders that one command is followed into.
const MAX_FOLDERS: usize = 16;

/// The files that the patches in `text` touch, each once: both sides of a move. The text may be a command with a patch
/// somewhere in it.
///
/// A header may be indented. So may be a line of a file that looks like one, and then there is one file too many, which
/// is better than one too few.
pub(super) fn touched(text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.contains(BEGIN) {
            inside = true;
        } else if line.trim_end() == END {
            inside = false;
        } else if inside {
            let line = line.trim();
            let path = HEADERS.iter().find_map(|header| line.strip_prefix(header)).map(|path| path.trim().into());
            found.extend(path.filter(|path| !found.contains(path)));
        }
    }
    found
}

/// The files that the patches in a command for the shell touch, which may have changed the folder before, and whether
/// they can't be known.
pub(super) fn typed(command: &str) -> (Vec<PathBuf>, bool) {
    let files = touched(command);
    if files.iter().all(|file| file.is_absolute()) {
        return (files, false);
    }
    let around = around_patches(command);
    match folders(&around) {
        Some(folders) => {
            let mut found: Vec<PathBuf> = Vec::new();
            for path in folders.iter().flat_map(|folder| files.iter().map(|file| folder.join(file))) {
                found.extend((!found.contains(&path)).then_some(path));
            }
            (found, false)
        }
        // Any other program may read a text that looks like a patch.
        None => (files, around.contains("patch")),
    }
}

/// What of a command is the shell's to read, with a mark in the place of each patch.
fn around_patches(command: &str) -> String {
    let mut around = String::new();
    let mut inside = false;
    for line in command.lines() {
        if let Some((before, _)) = line.split_once(BEGIN) {
            around.extend((!inside).then_some(before));
            around.push_str(BEGIN);
            inside = true;
        } else if let Some(behind) = line.strip_prefix(END) {
            around.push_str(behind);
            inside = false;
        } else if !inside {
            around.push_str(line);
        }
        around.extend((!inside).then_some('\n'));
    }
    around
}

/// The folders in which a patch in `commands` may be applied, relative to the one in which the shell begins; `None`
/// where they can't be known.
fn folders(commands: &str) -> Option<Vec<PathBuf>> {
    let (mut changes, mut rest) = (Vec::new(), commands);
    while let Some((folder, binds, behind)) = plain_change(rest) {
        changes.push((folder, binds));
        rest = behind;
    }
    let word = |c: char| c.is_alphanumeric() || "_-/.".contains(c);
    if rest.split(|c| !word(c)).any(|word| MOVES.contains(&word)) {
        return None;
    }
    // Where there is no such folder, what is not bound by `&&` is done in the one before.
    let first = rest.split("<<").next().unwrap_or_default();
    let binds_all = rest.matches(BEGIN).count() < 2 && !first.replace("&&", "").contains([';', '\n', '|', '&']);
    let mut folders = vec![PathBuf::new()];
    for (folder, binds) in changes {
        let moved = folders.iter().map(|before| before.join(folder)).collect();
        let before = std::mem::replace(&mut folders, moved);
        folders.extend(before.into_iter().filter(|_| !(binds && binds_all)));
        if folders.len() > MAX_FOLDERS {
            return None;
        }
    }
    Some(folders)
}

/// The `cd` that `commands` begin with, if it leaves no question: its folder, whether what comes after is bound to it by
/// `&&`, and that.
fn plain_change(commands: &str) -> Option<(&str, bool, &str)> {
    let behind = commands.trim_start().strip_prefix("cd")?;
    let words = behind.trim_start_matches([' ', '\t']);
    if words.len() == behind.len() {
        return None;
    }
    let (folder, rest) = match words.chars().next()? {
        quote @ ('\'' | '"') => words[1..].split_once(quote)?,
        _ => words.split_at(words.find([' ', '\t', '\n', ';', '&'])?),
    };
    if folder.is_empty() || folder.starts_with(['-', '~']) || folder.contains(|c| "$`\\*?[]{}()<>|!'\"\n".contains(c)) {
        return None;
    }
    let rest = rest.trim_start_matches([' ', '\t']);
    let bound = rest.strip_prefix("&&").map(|rest| (true, rest));
    let (binds, rest) = bound.or_else(|| Some((false, rest.strip_prefix([';', '\n'])?)))?;
    Some((folder, binds, rest))
}
