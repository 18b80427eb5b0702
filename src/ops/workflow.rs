//! Where workflows come from, and what they may see: the texts of the repository and of its user, the files of the work tree,
//! and who may be given work.

use super::{
    Error, Session,
    config::{Configured, DEFAULT_CHECKS, built_in_tools, check_names, declared_or_unreadable},
};
use crate::{
    base::text,
    host::{
        config::{self, Config, WORKFLOWS},
        env::Homes,
        git::Git,
        trust::Approvals,
    },
};
use std::{
    collections::BTreeMap,
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// Where workflows are, from the root of the work tree.
pub const FOLDER: &str = WORKFLOWS;

/// The texts that workflows are made of, by their paths below the folder that they come from.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    /// Those of the repository.
    pub repository: BTreeMap<String, String>,
    /// Why others of the repository can't be read.
    pub unreadable: BTreeMap<String, String>,
    /// Whether this user has approved these.
    pub is_approved: bool,
    /// Those of the user.
    pub own: BTreeMap<String, String>,
    /// Why others of the user's can't be read.
    pub own_unreadable: BTreeMap<String, String>,
    /// Where these are.
    pub own_folder: Option<PathBuf>,
}

/// Who may be given work, and what it may be checked by, by name.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// The agent CLIs.
    pub tools: Vec<String>,
    /// The agents.
    pub agents: Vec<String>,
    /// The checks, each without its `@`.
    pub checks: Vec<String>,
}

/// The files of a work tree, as a workflow sees them.
#[derive(Debug)]
pub struct WorkFiles {
    root: PathBuf,
    git: Git,
}

/// The name of the workflow that a file below the folder of workflows is, if it is one.
pub fn name_of(path: &str) -> Option<&str> {
    path.strip_suffix(".toml").filter(|name| is_name(name))
}

/// Whether a workflow can have this name: it is one of a file, and of a run.
pub fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    name.len() <= 40 && name.bytes().all(plain) && name.starts_with(|c: char| c.is_ascii_lowercase())
}

impl Session {
    /// The workflows of the repository and of its user.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn workflow_texts(&self) -> Result<Texts, Error> {
        let declared = declared_or_unreadable(&self.repository)?;
        let approvals = Approvals::of(self.repository.common_dir());
        let is_approved = declared.as_ref().is_some_and(|declared| approvals.has(&declared.content));
        let own_folder = Homes::read().map(|homes| homes.config.join("git-aio").join("workflows"));
        let own = own_folder.as_deref().map(config::read_own_workflows).transpose();
        let (own, own_unreadable) = own.map_err(Error::file("your own workflows can't be read"))?.unwrap_or_default();
        let declared = declared.map(|declared| (declared.workflows, declared.unreadable));
        let (repository, unreadable) = declared.unwrap_or_default();
        Ok(Texts { repository, unreadable, is_approved, own, own_unreadable, own_folder })
    }

    /// Who may be given work, and what it may be checked by.
    ///
    /// # Errors
    /// When the configuration is invalid.
    pub fn roster(&self) -> Result<Roster, Error> {
        let agents = self.agents()?.into_iter().map(|agent| agent.name).collect();
        let mut tools: Vec<String> = built_in_tools().map(str::to_owned).collect();
        let config = match self.configured()? {
            Configured::Approved(declared) | Configured::Waiting(declared) => declared.config,
            Configured::Nothing => Config::default(),
        };
        for tool in &config.tools {
            if !tools.contains(&tool.name.value) {
                tools.push(tool.name.value.clone());
            }
        }
        let checks = check_names(&config).chain([DEFAULT_CHECKS]).map(str::to_owned).collect();
        Ok(Roster { tools, agents, checks })
    }

    /// The files of the work tree; of nothing in a bare repository.
    pub fn work_files(&self) -> Option<WorkFiles> {
        let root = self.repository.work_tree()?;
        Some(WorkFiles { git: self.git().in_work_tree(&root), root })
    }

    /// Writes a new workflow into the repository, and tells where.
    ///
    /// # Errors
    /// When there is a file of that name already, or it can't be written.
    pub fn write_workflow(&self, name: &str, text: &str) -> Result<String, Error> {
        if !is_name(name) {
            return Err(Error::usage(
                format!("'{}' can't be the name of a workflow", text::one_line(name, 60)),
                "use a small letter, then small letters, digits and -",
            ));
        }
        let root = self
            .repository
            .work_tree()
            .ok_or_else(|| Error::usage("there is no work tree to write it into", "run it in a work tree"))?;
        let path = format!("{FOLDER}/{name}.toml");
        let whole = root.join(&path);
        let failed = || Error::file(format!("{path} can't be written"));
        std::fs::create_dir_all(root.join(FOLDER)).map_err(failed())?;
        match std::fs::File::create_new(&whole) {
            Ok(mut file) => std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed())?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(Error::usage(format!("{path} is there already"), "give the new workflow another name"));
            }
            Err(error) => return Err(failed()(error)),
        }
        Ok(path)
    }

    /// The text of a file that is named on the command line, which has at most `limit` bytes.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn named_text(&self, path: &Path, limit: usize) -> Result<String, Error> {
        let shown = text::one_line(&path.to_string_lossy(), 200);
        let bytes = config::read_bytes(&self.dir.join(path), limit).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Error::not_found(format!("there is no file {shown}"), "name one that exists")
            }
            _ => Error::file(format!("{shown} can't be read"))(error),
        })?;
        String::from_utf8(bytes).map_err(|_| Error::usage(format!("{shown} is no text in UTF-8"), "write it as UTF-8"))
    }
}

impl WorkFiles {
    /// The root of the work tree.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The files that a pattern matches, from the root, in order. What git ignores is matched only by its own path.
    ///
    /// # Errors
    /// When the pattern can't be understood, or git can't tell what there is.
    pub fn glob(&self, pattern: &str) -> Result<Vec<String>, String> {
        let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
        if self.real(pattern).is_ok_and(|path| path.is_file()) {
            return Ok(vec![pattern.to_owned()]);
        }
        let glob = globset::GlobBuilder::new(pattern).literal_separator(true).build();
        let glob = glob.map_err(|error| format!("'{}' is no pattern: {error}", text::one_line(pattern, 100)))?;
        let glob = glob.compile_matcher();
        let ls_files = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"];
        let listed = self.git.run(ls_files).map_err(|error| error.to_string())?;
        let paths = listed.split(|byte| *byte == 0).filter_map(|path| std::str::from_utf8(path).ok());
        let is_there = |path: &&str| glob.is_match(path) && self.root.join(path).is_file();
        let mut found: Vec<String> =
            paths.filter(|path| !path.is_empty()).filter(is_there).map(str::to_owned).collect();
        found.sort();
        Ok(found)
    }

    /// What is in a file, which has at most `limit` bytes. What is no text in it is replaced.
    ///
    /// # Errors
    /// When it can't be read, has more, or lies outside of the work tree.
    pub fn text(&self, path: &str, limit: usize) -> Result<String, String> {
        let real = self.real(path)?;
        let bytes = config::read_bytes(&real, limit).map_err(|error| format!("{path} can't be read: {error}"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A path below the root, with no link that leads out of it.
    fn real(&self, path: &str) -> Result<PathBuf, String> {
        let root = self.root.canonicalize().map_err(|error| error.to_string())?;
        let real = root.join(path).canonicalize().map_err(|error| format!("{path} can't be read: {error}"))?;
        let inner = real.strip_prefix(&root).map_err(|_| format!("{path} is not in the work tree"))?;
        match inner.components().next().is_some_and(|first| first.as_os_str() == ".git") {
            true => Err(format!("{path} is git's own")),
            false => Ok(real),
        }
    }
}
