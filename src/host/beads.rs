//! Beads, an issue tracker that lies beside the code: `bd`, or `br`, which keeps the same folder.
//!
//! What is ready to be worked on its own program tells, as JSON: an array of issues, or in newer versions an object with
//! that in `data`. All of it is somebody else's words. The program is given so long and no longer, and so much of what it
//! says is read and no more.

use super::{agents::headless::is_executable, bounded, env};
use crate::base::{id::TaskId, text, world::Time};
use serde_json::Value;
use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// A program that keeps issues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beads {
    /// `bd` or `br`.
    pub name: &'static str,
    program: PathBuf,
    root: PathBuf,
}

/// An issue that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Its id.
    pub id: TaskId,
    /// What is to be done.
    pub title: String,
    /// All that is said of it, at most [`MAX_TEXT`] bytes.
    pub text: String,
    /// From 0, which comes first, to 4.
    pub priority: u8,
    /// When it was made.
    pub at: Option<Time>,
}

/// Why it did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BeadsError {
    /// It can't be started.
    #[error("{0} can't be started: {1}")]
    Start(&'static str, io::Error),
    /// It took too long.
    #[error("{0} has not answered in {seconds} seconds", seconds = LIMIT.as_secs())]
    Silent(&'static str),
    /// It says that it failed.
    #[error("{0} failed: {1}")]
    Failed(&'static str, String),
    /// What it says is no list of issues.
    #[error("{0} answers with something else than a list of issues: {1}")]
    Odd(&'static str, String),
}

impl BeadsError {
    /// The program that is spoken of.
    pub fn program(&self) -> &'static str {
        match self {
            BeadsError::Start(name, _)
            | BeadsError::Silent(name)
            | BeadsError::Failed(name, _)
            | BeadsError::Odd(name, _) => name,
        }
    }
}

/// The folder that an issue tracker of this kind keeps.
const FOLDER: &str = ".beads";

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Most bytes that it may answer: many issues with long texts.
const MAX_ANSWER: u64 = 16 * 1024 * 1024;

/// Most bytes of the text of an issue.
const MAX_TEXT: usize = 8 * 1024;

/// Most bytes of its title.
const MAX_TITLE: usize = 256;

impl Beads {
    /// The one of these names, the first choice first, that is installed, if the repository at `root` has issues.
    pub fn at(root: &Path, names: &[&'static str]) -> Option<Beads> {
        let is_folder = root.join(FOLDER).symlink_metadata().is_ok_and(|found| found.is_dir());
        let path = env::path_of_agents();
        let folders: Vec<PathBuf> = if is_folder { std::env::split_paths(&path).collect() } else { Vec::new() };
        names.iter().find_map(|name| {
            let program = folders.iter().map(|folder| folder.join(name)).find(|path| is_executable(path))?;
            Some(Beads { name, program, root: root.to_owned() })
        })
    }

    /// The first so many issues that are ready, in its order; fewer where so many are too much to tell.
    ///
    /// # Errors
    /// When it fails, or answers with something else.
    pub fn ready(&self, most: usize) -> Result<Vec<Issue>, BeadsError> {
        let odd = |reason: &dyn std::fmt::Display| BeadsError::Odd(self.name, reason.to_string());
        let answer = self.asked(&["ready", "--json", "--limit", &most.to_string()])?;
        if answer.len() as u64 >= MAX_ANSWER && most > 1 {
            return self.ready(most / 2);
        }
        let answer: Value = serde_json::from_slice(&answer).map_err(|error| odd(&error))?;
        let issues = listed(answer).ok_or_else(|| odd(&"there is none in it"))?;
        Ok(issues.iter().filter_map(issue).collect())
    }

    /// Closes an issue. One that is closed already is so.
    ///
    /// # Errors
    /// When it fails.
    pub fn close(&self, id: &TaskId, reason: &str) -> Result<(), BeadsError> {
        let reason = format!("--reason={}", text::one_line(reason, 1000));
        match self.asked(&["close", id.as_str(), &reason]) {
            Err(BeadsError::Failed(..)) if self.is_closed(id)? => Ok(()),
            closed => closed.map(drop),
        }
    }

    fn is_closed(&self, id: &TaskId) -> Result<bool, BeadsError> {
        let Ok(answer) = self.asked(&["show", id.as_str(), "--json"]) else { return Ok(false) };
        let issues = serde_json::from_slice(&answer).ok().and_then(listed).unwrap_or_default();
        Ok(issues.iter().any(|issue| issue["id"] == id.as_str() && issue["status"] == "closed"))
    }

    fn asked(&self, words: &[&str]) -> Result<Vec<u8>, BeadsError> {
        #[expect(clippy::disallowed_methods, reason = "the tracker is a program of its own")]
        let mut command = Command::new(&self.program);
        // The shape is ours to choose, whatever the user's shell says; and it shall leave nothing running.
        command.args(words).current_dir(&self.root).env("BD_JSON_ENVELOPE", "0").env("BEADS_NO_DAEMON", "1");
        let ran = bounded::run_for(command, Stdio::null(), LIMIT, MAX_ANSWER)
            .map_err(|error| BeadsError::Start(self.name, error))?;
        match ran.status {
            None => Err(BeadsError::Silent(self.name)),
            Some(status) if status.success() => Ok(ran.stdout),
            Some(status) => {
                let said = if ran.stderr.trim_ascii().is_empty() { &ran.stdout } else { &ran.stderr };
                let said = match String::from_utf8_lossy(said).trim() {
                    "" => format!("{status}, and it said nothing"),
                    said => text::one_line(said, 300),
                };
                Err(BeadsError::Failed(self.name, said))
            }
        }
    }
}

/// The issues of an answer.
fn listed(answer: Value) -> Option<Vec<Value>> {
    match answer {
        Value::Array(issues) => Some(issues),
        // That nothing is ready is no list to some.
        Value::Null => Some(Vec::new()),
        Value::Object(mut envelope) => ["data", "issues"].iter().find_map(|key| listed(envelope.remove(*key)?)),
        _ => None,
    }
}

/// An issue that can be named. One that would be taken for an option can't.
fn issue(value: &Value) -> Option<Issue> {
    let words = |key: &str, most| value[key].as_str().map(|words| text::head(words, most).to_owned());
    let id: TaskId = value["id"].as_str().filter(|id| !id.starts_with('-'))?.parse().ok()?;
    let priority = value["priority"].as_u64().and_then(|priority| u8::try_from(priority.min(4)).ok());
    let at = value["created_at"].as_str().and_then(|at| chrono::DateTime::parse_from_rfc3339(at).ok());
    Some(Issue {
        title: words("title", MAX_TITLE).unwrap_or_else(|| id.to_string()),
        id,
        text: words("description", MAX_TEXT).unwrap_or_default(),
        priority: priority.unwrap_or(2),
        at: at.map(|at| at.to_utc()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_issue_is_read_for_what_it_says_and_one_that_cannot_be_named_is_left_out() {
        let read =
            issue(&json!({"id": "AI-1", "title": "Fix it", "priority": 9, "created_at": "2026-01-02T03:04:05+01:00"}));
        let read = read.expect("an issue");
        assert_eq!(
            (read.id.as_str(), &read.title[..], read.priority, read.text.is_empty()),
            ("AI-1", "Fix it", 4, true)
        );
        assert_eq!(read.at.expect("a time").to_rfc3339(), "2026-01-02T02:04:05+00:00");
        assert_eq!(issue(&json!({"id": "x"})).expect("an issue").title, "x");
        for odd in [json!({}), json!({"id": 1}), json!({"id": "a b"}), json!({"id": "--all"}), json!("x")] {
            assert_eq!(issue(&odd), None, "{odd}");
        }
    }

    #[test]
    fn a_list_is_found_in_an_envelope_too() {
        assert_eq!(listed(json!([1])), Some(vec![json!(1)]));
        assert_eq!(listed(json!({"schema_version": 1, "data": [1]})), Some(vec![json!(1)]));
        assert_eq!(listed(json!({"data": null})), Some(Vec::new()));
        assert_eq!((listed(json!({"error": "x"})), listed(json!("x"))), (None, None));
    }
}
