//! `.aio/config.toml`: the repository's own configuration, as a file of a certain shape.
//!
//! It comes with a clone, from whoever could push. So reading it does nothing, and whoever acts on it asks first whether
//! this user has approved it ([`super::trust`]). Whatever is wrong in it is told with its place: a key that there is none
//! of is an error and not ignored, since a check that is misspelt would otherwise never run and nobody would notice.

mod shape;
#[cfg(test)]
mod tests;
mod workflows;

pub use crate::base::toml::{At, Mistake};
pub use shape::{Agent, Config, Cost, Strengths, Task, Tool, Verify, VerifyCheck};

pub use workflows::{read_bytes, read_own as read_own_workflows};

use super::trust::Content;
use crate::disk;
use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    path::{Component, Path, PathBuf},
};

/// Where it is, from the root of the work tree.
pub const PATH: &str = ".aio/config.toml";

/// Where briefs of agents are, from the root of the work tree: one file each, named after the agent.
pub const BRIEFS: &str = ".aio/agents";

/// Where workflows are, from the root of the work tree, with what they include.
pub const WORKFLOWS: &str = ".aio/workflows";

/// The folder that paths in the configuration are relative to.
pub const FOLDER: &str = ".aio";

/// The largest configuration, and the largest brief, in bytes. A brief goes into every task of its agent.
const MAX_CONFIG: usize = 64 * 1024;
const MAX_BRIEF: usize = 16 * 1024;

/// The largest workflow, in bytes.
const MAX_WORKFLOW: usize = 256 * 1024;

/// Most briefs.
const MAX_BRIEFS: usize = 100;

/// What a repository declares: its configuration, and all that is to be approved with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The configuration; that of an empty file where there are only briefs.
    pub config: Config,
    /// The briefs, by the name of the agent: from where, and the text.
    pub briefs: BTreeMap<String, (String, String)>,
    /// The workflows and what they include, by their paths below the folder of workflows.
    pub workflows: BTreeMap<String, String>,
    /// Those of them that can't be read, with why. Nothing of these can be approved.
    pub unreadable: BTreeMap<String, String>,
    /// Every file that was read.
    pub content: Content,
}

/// Why what a repository declares can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file can't be read.
    #[error("{path} can't be read: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Something in the configuration is wrong.
    #[error("{PATH}:{0}")]
    Mistake(#[from] Mistake),
}

/// Reads what the repository with its root at `root` declares; `None` where that is nothing, not even a workflow that can't be
/// read.
///
/// # Errors
/// When another file can't be read or understood, is too large, or lies outside the work tree.
pub fn read(root: &Path) -> Result<Option<Declared>, ConfigError> {
    if !root.join(FOLDER).is_dir() {
        return Ok(None);
    }
    // What is compared with it is free of links too.
    let root = &root.canonicalize().map_err(unreadable(FOLDER))?;
    let mut content = Content::default();
    let config = match read_text(root, PATH, MAX_CONFIG) {
        Ok(text) => {
            let config = Config::parse(&text)?;
            content.insert(PATH, text);
            config
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Config::default(),
        Err(error) => return Err(unreadable(PATH)(error)),
    };
    let mut briefs = BTreeMap::new();
    for (name, path) in brief_files(root)? {
        let text = read_text(root, &path, MAX_BRIEF).map_err(unreadable(&path))?;
        content.insert(&path, text.clone());
        briefs.insert(name, (path, text));
    }
    for agent in &config.agents {
        let Some(brief) = &agent.brief else { continue };
        let path = within_folder(&brief.value).ok_or_else(|| {
            brief.mistake(format!("the brief '{}' is no path inside the folder {FOLDER}", brief.value))
        })?;
        let text = read_text(root, &path, MAX_BRIEF)
            .map_err(|error| brief.mistake(format!("the brief {path} can't be read: {error}")))?;
        content.insert(&path, text.clone());
        briefs.insert(agent.name.value.clone(), (path, text));
    }
    let (workflows, unreadable) = workflows::read(root, &mut content)?;
    let is_nothing = content.is_empty() && unreadable.is_empty();
    Ok((!is_nothing).then_some(Declared { config, briefs, workflows, unreadable, content }))
}

/// The briefs that are there, by the name of the agent.
fn brief_files(root: &Path) -> Result<Vec<(String, String)>, ConfigError> {
    let entries = match root.join(BRIEFS).read_dir() {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(BRIEFS)(error)),
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let names = names.filter_map(|file| file.strip_suffix(".md").filter(|name| is_name(name)).map(str::to_owned));
    let mut found: Vec<_> = names.map(|name| (name.clone(), format!("{BRIEFS}/{name}.md"))).collect();
    if found.len() > MAX_BRIEFS {
        let source = io::Error::other(format!("there are {} briefs, and {MAX_BRIEFS} are the most", found.len()));
        return Err(unreadable(BRIEFS)(source));
    }
    found.sort();
    Ok(found)
}

/// Whether this can be the name of a check, a tool or an agent, and of a file.
pub fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    name.len() <= 40 && name.bytes().all(plain) && name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// A path as the configuration has it, from the root of the work tree.
fn within_folder(path: &str) -> Option<String> {
    let inside = Path::new(path).components().all(|component| matches!(component, Component::Normal(_)));
    (inside && !path.is_empty()).then(|| format!("{FOLDER}/{path}"))
}

/// The text at a path below `root`, which is there in truth: a link may lead elsewhere in the work tree and not out of it,
/// or a clone could have us show, and give to an agent, any file of its user's.
fn read_text(root: &Path, path: &str, limit: usize) -> io::Result<String> {
    let real: PathBuf = root.join(path).canonicalize()?;
    if !real.starts_with(root) {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "it is a link that leads out of the work tree"));
    }
    let bytes = disk::read(&real, limit)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is no text in UTF-8"))
}

fn unreadable(path: &str) -> impl FnOnce(io::Error) -> ConfigError {
    let path = path.to_owned();
    move |source| ConfigError::File { path, source }
}
