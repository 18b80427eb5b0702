//! The user's repository, opened; what is read of it besides the store is in [`staged`](super::staged).

use super::{error::StoreError, objects::Objects};
use crate::base::oid::Oid;
use gix::bstr::ByteSlice;
use std::{
    cell::{Cell, OnceCell},
    path::{Path, PathBuf},
};

/// An open repository.
pub struct Repository {
    pub(super) gix: gix::Repository,
    pub(super) objects: Objects,
    pub(super) common_dir: PathBuf,
    /// Found when it is first asked for: every target of a command asks.
    work_tree: OnceCell<Option<PathBuf>>,
    /// Whether this process holds the write turn, see [`Turn`](super::Turn).
    pub(super) turn: Cell<bool>,
}

/// How a repository is found.
#[derive(Debug, Clone)]
pub enum Location {
    /// The innermost one around this absolute folder.
    Around(PathBuf),
    /// The one that git itself named when it called us, as in a hook. Absolute paths.
    Named {
        /// `GIT_DIR`.
        git_dir: PathBuf,
        /// `GIT_WORK_TREE`.
        work_tree: Option<PathBuf>,
    },
}

/// Why there is no repository to work with.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is none.
    #[error("not a git repository (or any parent up to the root): {}", .0.display())]
    NotFound(PathBuf),
    /// It belongs to another user, and git would refuse it too.
    #[error("the repository at {} belongs to another user", .0.display())]
    Untrusted(PathBuf),
    /// There is one that can't be used.
    #[error("can't open the repository at {}: {reason}", dir.display())]
    Unusable {
        /// Where.
        dir: PathBuf,
        /// Why.
        reason: String,
    },
}

/// How a repository keeps its refs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefBackend {
    /// Loose files and `packed-refs`.
    Files,
    /// Anything else (reftable): only git itself can read and write it.
    Git,
}

impl Repository {
    /// Opens the repository at `location`.
    ///
    /// # Errors
    /// When there is none, or it is not to be trusted, or its format is unknown.
    pub fn open(location: &Location) -> Result<Self, OpenError> {
        let dir = match location {
            Location::Around(dir) | Location::Named { git_dir: dir, .. } => dir.clone(),
        };
        let options = || gix::open::Options::default().bail_if_untrusted(true);
        let opened = match location {
            Location::Around(dir) => {
                let options = gix::sec::trust::Mapping { full: options(), reduced: options() };
                gix::ThreadSafeRepository::discover_opts(dir, Default::default(), options)
            }
            Location::Named { git_dir, .. } => options().open_path_as_is(true).open(git_dir),
        };
        let mut gix = match opened {
            Ok(repo) => repo.to_thread_local(),
            Err(error) => return Err(explain(&error, dir)),
        };
        check_format(&gix).map_err(|reason| OpenError::Unusable { dir: dir.clone(), reason })?;
        if let Location::Named { work_tree: Some(work_tree), .. } = location {
            gix.set_workdir(work_tree.clone())
                .map_err(|error| OpenError::Unusable { dir: dir.clone(), reason: error.to_string() })?;
        }
        let common_dir = std::fs::canonicalize(gix.common_dir())
            .map_err(|error| OpenError::Unusable { dir, reason: error.to_string() })?;
        Ok(Repository {
            objects: Objects::new(&gix),
            gix,
            common_dir,
            work_tree: OnceCell::new(),
            turn: Cell::new(false),
        })
    }

    /// The git directory that all worktrees of the repository share, absolute and without symlinks.
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// The git directory of this worktree.
    pub fn git_dir(&self) -> &Path {
        self.gix.git_dir()
    }

    /// The root of the work tree, unless the repository is bare.
    pub fn work_tree(&self) -> Option<PathBuf> {
        let real = |dir: &Path| std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
        self.work_tree.get_or_init(|| self.gix.workdir().map(real)).clone()
    }

    /// The name of this linked worktree; `None` in the main one.
    pub fn worktree_name(&self) -> Option<String> {
        let git_dir = std::fs::canonicalize(self.gix.git_dir()).ok()?;
        let inside = git_dir.strip_prefix(self.common_dir.join("worktrees")).ok()?;
        Some(inside.components().next()?.as_os_str().to_string_lossy().into_owned())
    }

    /// How refs are kept, as `extensions.refStorage` says.
    pub fn ref_backend(&self) -> RefBackend {
        match self.config("extensions.refStorage").as_deref() {
            None | Some("files") => RefBackend::Files,
            Some(_) => RefBackend::Git,
        }
    }

    /// The value of a configuration key that git would use, as text.
    pub fn config(&self, key: &str) -> Option<String> {
        self.gix.config_snapshot().string(key).map(|value| value.to_str_lossy().into_owned())
    }

    /// Whether the repository has the object `oid`.
    pub fn has(&self, oid: &Oid) -> bool {
        let id = gix::ObjectId::from_hex(oid.as_str().as_bytes());
        id.is_ok_and(|id| self.look(|gix| gix.find_object(id)).is_ok())
    }

    /// The value of a configuration key that names a path, with `~` expanded.
    pub fn config_path(&self, key: &str) -> Option<PathBuf> {
        self.gix.config_snapshot().trusted_path(key).ok().flatten()
    }

    /// The value of a boolean configuration key.
    ///
    /// # Errors
    /// When it is neither true nor false.
    pub fn config_bool(&self, key: &str) -> Result<Option<bool>, StoreError> {
        self.gix.config_snapshot().try_boolean(key).map_err(StoreError::read)
    }

    /// `Name <email>` of the user as commits have it, or `None` where git knows none.
    ///
    /// The keys are those of `gix::Repository::author`, which would also find out the local time, and search the
    /// hundreds of files of the time zone database for it: as long as all the rest of a claim.
    pub fn user(&self) -> Option<(String, String)> {
        let first = |keys: &[&str]| keys.iter().find_map(|key| self.config(key));
        // gix keeps the variables of the environment as configuration: GIT_AUTHOR_… as author.…, and EMAIL.
        let name = first(&["author.name", "user.name", "gitoxide.author.nameFallback"])?;
        let email =
            first(&["author.email", "user.email", "gitoxide.user.emailFallback", "gitoxide.author.emailFallback"])?;
        Some((presentable(&name)?, presentable(&email)?))
    }
}

/// A name or address as git would write it: without the signs that end one in a commit, and without the crud around
/// it. `None` if nothing is left.
fn presentable(text: &str) -> Option<String> {
    let kept: String = text.chars().filter(|c| !matches!(c, '<' | '>' | '\n' | '\0')).collect();
    let crud = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '.' | ',' | ':' | ';' | '"' | '\\' | '\'');
    let kept = kept.trim_matches(crud);
    (!kept.is_empty()).then(|| kept.to_owned())
}

/// The extensions of the format that change nothing for us, or that we know how to live with.
const EXTENSIONS: &[&str] = &[
    "noop",
    "noop-v1",
    "objectformat",
    "compatobjectformat",
    "partialclone",
    "preciousobjects",
    "refstorage",
    "relativeworktrees",
    "worktreeconfig",
];

/// Fails, as git does, on a format that is newer than what is known: writing to it could harm it.
fn check_format(gix: &gix::Repository) -> Result<(), String> {
    let config = gix.config_snapshot();
    let version = config.integer("core.repositoryformatversion").unwrap_or(0);
    if version > 1 {
        return Err(format!("its format has the version {version}; 1 is the newest that is known"));
    }
    let sections = config.plumbing().sections_by_name("extensions").into_iter().flatten();
    let own = sections.filter(|section| section.meta().source == gix::config::Source::Local);
    let names = |section: gix::config::file::SectionRef<'_>| -> Vec<String> {
        section.body().value_names().map(|name| name.to_string().to_lowercase()).collect()
    };
    match own.flat_map(names).find(|name| version == 1 && !EXTENSIONS.contains(&name.as_str())) {
        Some(name) => Err(format!("its format has the extension '{name}', which is not known")),
        None => Ok(()),
    }
}

fn explain(error: &gix::Error, dir: PathBuf) -> OpenError {
    let reason = format!("{error}");
    if error.is_not_found()
        || reason.contains("Could not find a git repository")
        || reason.contains("no git repository")
    {
        OpenError::NotFound(dir)
    } else if reason.contains("unsafe") || reason.contains("safe.directory") || reason.contains("trust") {
        OpenError::Untrusted(dir)
    } else {
        OpenError::Unusable { dir, reason }
    }
}
