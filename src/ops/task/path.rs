//! The paths of a task: as they are typed, and in the words of a workflow.

use crate::{
    model::task::TaskPath,
    ops::{Error, Session},
};
use std::path::{self, Path};

/// What makes a word of a workflow a pattern.
const SPECIAL: [char; 6] = ['*', '?', '[', ']', '{', '}'];

impl Session {
    /// A path that a task will change, as typed in the folder of the command. With a slash at its end it is a folder, also
    /// where it is not there yet.
    ///
    /// # Errors
    /// When it is no path inside the repository.
    pub fn task_path(&self, typed: &Path) -> Result<TaskPath, Error> {
        let path = self.repo_path(typed)?;
        let is_folder = typed.to_string_lossy().ends_with(path::is_separator) && !path.is_root();
        Ok(TaskPath { path, is_folder })
    }

    /// The path of a task, in the words of a workflow: a name that reads like a pattern means the one file, or folder, that is
    /// called so.
    pub fn scope_word(&self, path: &TaskPath) -> String {
        let TaskPath { path, is_folder } = path;
        if path.is_root() {
            return "./".to_owned();
        }
        let plain = path.plain();
        if !plain.contains(SPECIAL) || self.on_disk(path).is_some() {
            return if *is_folder { plain + "/" } else { plain };
        }
        let word = plain.chars().fold("./".to_owned(), |mut word, letter| {
            if letter == '\\' || SPECIAL.contains(&letter) {
                word.push('\\');
            }
            word.push(letter);
            word
        });
        if *is_folder { word + "/**" } else { word }
    }
}
