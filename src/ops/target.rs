//! What a person or agent typed, as a scope: in which repository, of which kind, at which path.

use super::{Error, Session};
use crate::{
    base::{
        path::{self, RepoPath},
        text,
    },
    model::scope::{Pattern, Scope},
    store::Tracked,
};
use std::{
    ffi::OsStr,
    fs::Metadata,
    path::{Component, Path, PathBuf},
};

/// The kind of a target, where it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One file.
    File,
    /// A folder and everything below it.
    Directory,
    /// A glob.
    Pattern,
    /// An issue.
    Task,
}

/// A scope, and what should be said about how it was read.
#[derive(Debug, Clone)]
pub struct Target {
    /// The scope.
    pub scope: Scope,
    /// Set for a pattern that was typed without a slash: it matches at any depth.
    pub any_depth: bool,
}

impl Session {
    /// The same command in the repository that owns `targets`: a submodule or a clone inside the work tree has a store
    /// of its own.
    ///
    /// # Errors
    /// When the targets belong to different repositories.
    pub fn owning(self, kind: Option<Kind>, targets: &[impl AsRef<OsStr>]) -> Result<Self, Error> {
        if matches!(kind, Some(Kind::Task | Kind::Pattern)) {
            return Ok(self);
        }
        let mut owners = targets.iter().map(|target| self.nested_root(Path::new(target.as_ref())));
        let Some(first) = owners.next().flatten() else {
            return match owners.flatten().next() {
                None => Ok(self),
                Some(other) => Err(two_repositories(&other)),
            };
        };
        if owners.any(|owner| owner.as_ref() != Some(&first)) {
            return Err(two_repositories(&first));
        }
        self.moved_to(&first)
    }

    /// What was typed, as a scope of this repository.
    ///
    /// # Errors
    /// When it is no path inside the repository, no pattern, or no task id.
    pub fn target(&self, kind: Option<Kind>, typed: &OsStr) -> Result<Target, Error> {
        if typed.is_empty() {
            return Err(Error::usage("the target is empty", "name a file, a folder, a pattern or a task"));
        }
        let kind = kind.unwrap_or_else(|| self.infer(typed));
        let scope = self.scope_of(kind, typed)?;
        match &scope {
            Scope::File(path) => self.check_is_no_folder(path)?,
            Scope::Directory(path) => self.check_is_no_file(path)?,
            Scope::Pattern(_) | Scope::Task(_) => {}
        }
        let slashless = !typed.to_string_lossy().trim_end_matches('/').contains('/');
        Ok(Target { any_depth: kind == Kind::Pattern && slashless, scope })
    }

    /// What was typed, as a scope that somebody may hold already, whatever is there by now.
    pub(super) fn scope_typed(&self, typed: &OsStr) -> Result<Scope, Error> {
        self.scope_of(self.infer(typed), typed)
    }

    fn scope_of(&self, kind: Kind, typed: &OsStr) -> Result<Scope, Error> {
        Ok(match kind {
            Kind::File => Scope::File(self.repo_path(Path::new(typed))?),
            Kind::Directory => Scope::Directory(self.repo_path(Path::new(typed))?),
            Kind::Pattern => Scope::Pattern(self.pattern(typed)?),
            Kind::Task => Scope::Task(self.task_id(&typed.to_string_lossy())?),
        })
    }

    /// Refuses a file that was called a folder: a claim of what is below it would hold nothing.
    fn check_is_no_file(&self, path: &RepoPath) -> Result<(), Error> {
        if !self.on_disk(path).is_some_and(|found| found.is_file()) {
            return Ok(());
        }
        let path = text::one_line(&path.to_string(), 200);
        Err(Error::usage(
            format!("{path} is a file, not a folder"),
            format!("claim it with `git aio claim file {path}`"),
        ))
    }

    /// Refuses a folder that was called a file: the files in it would not be covered.
    fn check_is_no_folder(&self, path: &RepoPath) -> Result<(), Error> {
        if path.is_root() {
            return Err(Error::usage(
                "the root of the repository is a folder, not a file",
                "claim the root with `git aio claim directory .`",
            ));
        }
        let is_folder = self.on_disk(path).is_some_and(|found| found.is_dir());
        if is_folder && self.repository.tracked(path)? == Tracked::Folder {
            let path = text::one_line(&path.to_string(), 200);
            return Err(Error::usage(
                format!("{path} is a folder, not a file"),
                format!("claim it with `git aio claim directory {path}`"),
            ));
        }
        Ok(())
    }

    /// Folder where it ends in a slash or is one, pattern where it has a glob's characters and is no file, else file.
    fn infer(&self, typed: &OsStr) -> Kind {
        let text = typed.to_string_lossy();
        let on_disk = self.dir.join(typed);
        let found = on_disk.symlink_metadata();
        if found.as_ref().is_ok_and(Metadata::is_dir) {
            // A submodule is one entry of this repository, not a folder of it.
            return if on_disk.join(".git").exists() && self.is_gitlink(&on_disk) {
                Kind::File
            } else {
                Kind::Directory
            };
        }
        if found.is_ok() {
            Kind::File
        } else if text.contains(['*', '?', '[', '{']) {
            Kind::Pattern
        } else if text.ends_with('/') {
            Kind::Directory
        } else {
            Kind::File
        }
    }

    fn is_gitlink(&self, folder: &Path) -> bool {
        self.repository.work_tree().is_some_and(|root| std::fs::canonicalize(folder).is_ok_and(|f| f != root))
    }

    fn pattern(&self, typed: &OsStr) -> Result<Pattern, Error> {
        let Some(text) = typed.to_str() else {
            return Err(Error::usage("a pattern has to be UTF-8", "name the files or their folder instead"));
        };
        let text = &if self.composes() { path::composed(text) } else { text.to_owned() };
        let Some(root) = self.repository.work_tree() else { return Pattern::parse(text).map_err(invalid) };
        let (folder, rest) = leading_folder(text);
        let (here, rest) = match folder {
            None => (self.repo_path(Path::new("."))?, rest.to_owned()),
            // A slash in front means the root of the work tree, unless it is the path of a folder in it.
            Some(folder) => {
                let folder = match folder.strip_prefix('/') {
                    Some(inside) if !Path::new(folder).starts_with(&root) => root.join(inside),
                    _ => PathBuf::from(folder),
                };
                let file = self.repo_path(&folder.join("*"))?;
                (file.parent().unwrap_or(RepoPath::root()), format!("./{rest}"))
            }
        };
        let pattern = Pattern::from_directory(&here, &rest);
        pattern.map_err(|error| invalid(error.about(text)))
    }

    /// A path as typed in the folder of the command, as a path of the repository: without `.` and `..`, through
    /// symlinked folders, though not through a symlink that is itself the target.
    ///
    /// # Errors
    /// When it lies outside the repository, or inside a repository within it.
    pub fn repo_path(&self, typed: &Path) -> Result<RepoPath, Error> {
        let path = self.path_as_spelled(typed)?;
        Ok(if self.composes() { path.composed() } else { path })
    }

    /// Whether git takes the two spellings of an accented letter for one, as it does on macOS, where the file system does.
    /// What is typed and what is staged are then brought to git's spelling before they meet a claim.
    pub(super) fn composes(&self) -> bool {
        self.repository.config_bool("core.precomposeUnicode").is_ok_and(|set| set == Some(true))
    }

    /// Paths as they were found, spelled as claims are.
    pub(super) fn as_claimed(&self, paths: Vec<RepoPath>) -> Vec<RepoPath> {
        if self.composes() { paths.iter().map(RepoPath::composed).collect() } else { paths }
    }

    fn path_as_spelled(&self, typed: &Path) -> Result<RepoPath, Error> {
        let Some(root) = self.repository.work_tree() else {
            // Without a work tree there is no folder that a path could be relative to but the root.
            return RepoPath::from_bytes(os_bytes(typed.as_os_str())).map_err(invalid);
        };
        let real = physical(&self.dir.join(typed));
        let (root, inside) = match real.strip_prefix(&root) {
            Ok(inside) => (root, inside.to_owned()),
            Err(_) => self.in_sibling_worktree(&real).ok_or_else(|| {
                Error::usage(
                    format!(
                        "{} is outside the repository at {}",
                        text::one_line(&typed.to_string_lossy(), 200),
                        root.display()
                    ),
                    "name a path inside it, or run the command in the repository that has it",
                )
            })?,
        };
        if let Some(nested) = nested_repository(&root, &inside) {
            return Err(two_repositories(&nested));
        }
        let components: Vec<&[u8]> = inside.components().map(|c| os_bytes(c.as_os_str())).collect();
        RepoPath::from_bytes(&components.join(&b'/')).map_err(invalid)
    }

    /// What is at a path of the repository in this work tree, itself and not what it links to.
    pub(super) fn on_disk(&self, path: &RepoPath) -> Option<Metadata> {
        self.repository.work_tree()?.join(path.to_os()?).symlink_metadata().ok()
    }

    /// The same file in another worktree of this repository: a path there is the same path here.
    fn in_sibling_worktree(&self, real: &Path) -> Option<(PathBuf, PathBuf)> {
        let existing = real.ancestors().skip(1).find(|folder| folder.is_dir())?;
        let sibling = crate::store::Repository::open(&crate::store::Location::Around(existing.to_owned())).ok()?;
        let root = sibling.work_tree().filter(|_| sibling.common_dir() == self.repository.common_dir())?;
        let inside = real.strip_prefix(&root).ok()?.to_owned();
        Some((root, inside))
    }

    /// The root of the repository inside our work tree that owns a path, if one does.
    fn nested_root(&self, typed: &Path) -> Option<PathBuf> {
        let root = self.repository.work_tree()?;
        let real = physical(&self.dir.join(typed));
        nested_repository(&root, real.strip_prefix(&root).ok()?)
    }
}

/// A pattern as the folder it begins with, which has nothing special in it and so has one normal form like any other
/// path, and the rest.
fn leading_folder(pattern: &str) -> (Option<&str>, &str) {
    let literal = pattern.find(['*', '?', '[', ']', '{', '}', '\\']).map_or(pattern, |special| &pattern[..special]);
    // A slash at the very end is part of the pattern.
    let folders = if literal == pattern { literal.trim_end_matches('/') } else { literal };
    match folders.rfind('/') {
        Some(at) if at > 0 => (Some(&pattern[..at]), &pattern[at + 1..]),
        _ => (None, pattern),
    }
}

/// The innermost folder above `inside` (itself not counted: that is an entry of the outer repository) that is a
/// repository of its own.
fn nested_repository(root: &Path, inside: &Path) -> Option<PathBuf> {
    let folders = inside.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
    folders.map(|folder| root.join(folder)).find(|folder| folder.join(".git").exists())
}

/// `path` with its folders resolved as the file system does, as far as they exist, and its last name kept.
fn physical(path: &Path) -> PathBuf {
    // Without `..` that is the innermost folder that exists, resolved, and then the rest. Most often it is the first
    // that is asked about, instead of each from the root of the file system.
    if !path.components().any(|component| component == Component::ParentDir) {
        for folder in path.ancestors().skip(1) {
            if let (Ok(real), Ok(rest)) = (std::fs::canonicalize(folder), path.strip_prefix(folder)) {
                return real.join(rest);
            }
        }
    }
    let mut real = PathBuf::new();
    let components: Vec<Component<'_>> = path.components().collect();
    for (at, component) in components.iter().enumerate() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                real = std::fs::canonicalize(&real).unwrap_or(real);
                real.pop();
            }
            Component::Normal(name) => {
                real.push(name);
                if at + 1 < components.len() {
                    real = std::fs::canonicalize(&real).unwrap_or(real);
                }
            }
            Component::RootDir | Component::Prefix(_) => real.push(component),
        }
    }
    real
}

#[cfg(unix)]
fn os_bytes(text: &OsStr) -> &[u8] {
    std::os::unix::ffi::OsStrExt::as_bytes(text)
}

/// Elsewhere paths are Unicode, and what isn't can't be in a repository either.
#[cfg(not(unix))]
fn os_bytes(text: &OsStr) -> &[u8] {
    text.as_encoded_bytes()
}

fn invalid(error: impl std::fmt::Display) -> Error {
    Error::usage(error.to_string(), "see `git aio claim --help`")
}

fn two_repositories(nested: &Path) -> Error {
    Error::usage(
        format!("part of this belongs to the repository at {}", nested.display()),
        "claim what belongs to one repository in one command",
    )
}
