//! The user's repository, opened; what is read of it besides the store is in [`staged`](super::staged).

use super::{error::StoreError, objects::Objects};
use crate::{
    base::{oid::Oid, turn::Turns},
    disk::Sharing,
};
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
    /// Who may use what we make in the git directory.
    pub(super) sharing: Sharing,
    /// Found when it is first asked for: every target of a command asks.
    work_tree: OnceCell<Option<PathBuf>>,
    /// Whether this process holds the write turn, see [`Turn`](super::Turn).
    pub(super) turn: Cell<bool>,
    /// What comes of asking for it.
    pub(super) turns: Turns,
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
        /// The folder of the command, which is the root of the work tree where nothing says otherwise.
        dir: PathBuf,
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

/// Where a setting is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetIn {
    /// In this file.
    File(PathBuf),
    /// By `git -c`.
    CommandLine,
    /// By `GIT_CONFIG_COUNT` and what belongs to it.
    Environment,
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
        Self::open_with(location, &[])
    }

    /// The same, with settings that go before those of all files: each `key=value`, or `key` alone, which is true.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_with(location: &Location, settings: &[String]) -> Result<Self, OpenError> {
        let dir = match location {
            Location::Around(found) | Location::Named { git_dir: found, .. } => found.clone(),
        };
        let options =
            || gix::open::Options::default().bail_if_untrusted(true).cli_overrides(settings.iter().map(String::as_str));
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
        let sharing = sharing(&gix).map_err(|reason| OpenError::Unusable { dir: dir.clone(), reason })?;
        if let Some(work_tree) = named_work_tree(location, &gix) {
            gix.set_workdir(work_tree.to_owned())
                .map_err(|error| OpenError::Unusable { dir: dir.clone(), reason: error.to_string() })?;
        }
        let common_dir = std::fs::canonicalize(gix.common_dir())
            .map_err(|error| OpenError::Unusable { dir, reason: error.to_string() })?;
        Ok(Repository {
            objects: Objects::new(&gix, sharing),
            gix,
            common_dir,
            sharing,
            work_tree: OnceCell::new(),
            turn: Cell::new(false),
            turns: Turns::default(),
        })
    }

    /// The same repository, where asking for a turn to write comes to `turns`.
    pub fn with_turns(self, turns: Turns) -> Self {
        Repository { turns, ..self }
    }

    /// The git directory that all worktrees of the repository share, absolute and without symlinks.
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// The git directory of this worktree.
    pub fn git_dir(&self) -> &Path {
        self.gix.git_dir()
    }

    /// Who may use what is made in the git directory.
    pub fn sharing(&self) -> Sharing {
        self.sharing
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

    /// Every key in the sections called `section`, with where it is set, in the order in which git reads them: of one
    /// key the last counts. A section's own name in quotes is part of the key: `a.b.c`.
    pub fn settings(&self, section: &str) -> Vec<(String, SetIn)> {
        let config = self.gix.config_snapshot();
        let sections = config.plumbing().sections_by_name(section).into_iter().flatten();
        let keys = sections.flat_map(|found| {
            let meta = found.meta();
            let place = match (&meta.path, meta.source) {
                (Some(path), _) => SetIn::File(path.clone()),
                (None, gix::config::Source::Cli) => SetIn::CommandLine,
                (None, _) => SetIn::Environment,
            };
            let within = found.header().subsection_name().map_or_else(String::new, |name| format!("{name}."));
            let names: Vec<String> = found.body().value_names().map(|name| name.to_string()).collect();
            names.into_iter().map(move |name| (format!("{section}.{within}{name}"), place.clone()))
        });
        keys.collect()
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

/// The work tree where the git directory was named: the one that was named too, else that of `core.worktree`, which gix
/// finds, else the folder of the command; none in a bare repository. A linked worktree shares those two settings with the
/// main one, and they aren't about it.
fn named_work_tree<'l>(location: &'l Location, gix: &gix::Repository) -> Option<&'l Path> {
    let Location::Named { work_tree, dir, .. } = location else { return None };
    let config = gix.config_snapshot();
    let is_linked = gix.git_dir() != gix.common_dir();
    let elsewhere = config.boolean("core.bare") == Some(true) || config.string("core.worktree").is_some();
    let here = (is_linked || !elsewhere).then_some(dir.as_path());
    work_tree.as_deref().or(here)
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

/// What `core.sharedRepository` says. Like git, only the repository's own file is asked.
fn sharing(gix: &gix::Repository) -> Result<Sharing, String> {
    let config = gix.config_snapshot();
    let sections = config.plumbing().sections_by_name("core").into_iter().flatten();
    let own = sections.filter(|section| section.meta().source == gix::config::Source::Local);
    let Some(value) = own.filter_map(|section| section.value_implicit("sharedRepository")).last() else {
        return Ok(Sharing::Umask);
    };
    let value = value.as_ref().map(|value| value.to_str_lossy());
    Sharing::parse(value.as_deref())
        .ok_or_else(|| format!("'{}' is no value of core.sharedRepository", value.unwrap_or_default()))
}

fn explain(error: &gix::Error, dir: PathBuf) -> OpenError {
    let reason = format!("{error}");
    if reason.contains("GIT_CONFIG_") {
        OpenError::Unusable { dir, reason }
    } else if error.is_not_found()
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
