//! What is surely wrong with a text in which nothing is put in: it is told with its place before anything runs, and not when
//! its step is reached. What is filled in is held against the same then.

use super::{template::Text, workflow::Job};
use crate::base::path::RepoPath;

/// The file that a step saves its result to.
///
/// # Errors
/// When it is no path inside the repository.
pub fn saved(word: &str) -> Result<RepoPath, String> {
    let inside = word.trim().trim_start_matches("./");
    let is_plain = !inside.is_empty()
        && !inside.starts_with('/')
        && inside.split('/').all(|part| !matches!(part, "" | "." | ".."));
    let path = RepoPath::from_bytes(inside.as_bytes()).ok().filter(|_| is_plain);
    path.ok_or_else(|| format!("save: '{inside}' is no path inside the repository"))
}

/// The first word in what a job may write that can be written by nobody, and why.
pub(super) fn wrong_in(job: &Job) -> Option<(&Text, String)> {
    let scope = wrong_in_scope(&job.scope.0);
    scope.or_else(|| {
        let save = job.save.as_ref().filter(|save| save.is_plain())?;
        saved(save.source()).err().map(|why| (save, why))
    })
}

/// The same in a scope.
pub(super) fn wrong_in_scope(words: &[Text]) -> Option<(&Text, String)> {
    words.iter().filter(|text| text.is_plain()).find_map(|text| {
        let why = is_scope(text.source()).err()?;
        Some((text, format!("scope: {why}")))
    })
}

/// Whether a word may be a scope, as far as that is known without a look at the files.
fn is_scope(word: &str) -> Result<(), String> {
    let parts: Vec<&str> = word.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let is_absolute = word.starts_with('/');
    if !is_absolute && parts.first() == Some(&"..") {
        return Err(format!("'{word}' is outside of the repository"));
    }
    // Where a path leads that goes up again is known where it is looked at, and so is whose root one begins with.
    if parts.contains(&"..") {
        return Ok(());
    }
    let normal = parts.join("/");
    // One with wildcards may be the name of a file that is there, which nobody looks at yet.
    if is_absolute || word.contains(['*', '?', '[', '{']) {
        Ok(())
    } else {
        RepoPath::from_bytes(normal.as_bytes()).map(drop).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_step_could_write_is_known_by_its_word() {
        for word in
            ["src/**", "./", ".", "./src//a", "src/", "/src/*.rs", "src/../docs", "src/[id].rs", "{a,b}/c", ".github/*"]
        {
            assert_eq!(is_scope(word), Ok(()), "{word}");
        }
        for (word, why) in [
            ("../x", "is outside of the repository"),
            ("./../x/*.rs", "is outside of the repository"),
            (".git/config", "it lies inside .git"),
            ("src/.GIT/x", "it lies inside .git"),
        ] {
            assert!(is_scope(word).is_err_and(|told| told.contains(why)), "{word}");
        }
    }

    #[test]
    fn a_result_is_saved_inside_of_the_repository_and_nowhere_else() {
        assert!(saved(" ./.context/a.md").is_ok());
        for word in ["../../x", ".git/config", "/etc/x", "a//b", "", "."] {
            assert!(saved(word).is_err(), "{word}");
        }
    }
}
