//! Putting up the fences and making the store, and taking the fences down again.

mod agents;
mod config;
mod hub;
#[cfg(test)]
mod tests;

pub use agents::{Agents, init_for_user, plan_for_user, undo_for_user};
pub use hub::Overwriting;

use super::{Error, Notice, Session, agent::Agent, doctor::proof};
use crate::host::{
    env,
    git::Git,
    hooks::{self, FenceState, HOOKS_PATH, HookError, Plan, Site, Wanted},
    install::{Act, ConfigChange, FileChange, InstallError, Node},
};
use std::{
    fmt::Display,
    path::{Path, PathBuf},
};

/// What is wished for besides the fences and the store.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// The hub: a remote of the repository, a URL, or the path of a repository.
    pub remote: Option<String>,
    /// Whether git's own fetches are to fill the tracking refs of the hub.
    pub fetch_with_git: bool,
    /// The agent CLIs that are to have a fence inside them.
    pub agents: Option<Agents>,
    /// Whether a configuration is to be written where there is none.
    pub config: bool,
}

/// What `init` would do, or has done.
#[derive(Default)]
pub struct InitPlan {
    /// Files that change, in the order in which they do.
    pub files: Vec<FileEdit>,
    /// Settings of the repository that change.
    pub settings: Vec<SettingEdit>,
    /// Whether there is no store yet.
    pub makes_store: bool,
    /// Whether this is a bare repository, in which nobody commits.
    pub bare: bool,
    /// The one remote there is, where no hub is named.
    pub possible_hub: Option<String>,
    /// Settings that are a danger to what was not synced yet.
    pub overwriting: Vec<Overwriting>,
    /// Agent CLIs that are here and have no fence inside them.
    pub unfenced_agents: Vec<Agent>,
    /// Checks that the project seems to have, where it has no configuration.
    pub undeclared_checks: Vec<String>,
    /// Files of agents that can be committed, relative to the work tree.
    pub to_commit: Vec<PathBuf>,
    /// What is left for the user to do, in words.
    pub advice: Vec<String>,
}

/// A file before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEdit {
    /// The file, relative to the work tree where it lies in it.
    pub path: PathBuf,
    /// What is there.
    pub before: Content,
    /// What will be there.
    pub after: Content,
    /// What this does, in words, the file being named.
    pub words: String,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Absent,
    /// A file.
    File {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Its permissions.
        mode: u32,
    },
    /// A symbolic link to this.
    Link(PathBuf),
}

/// A setting before and after; it may have several values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingEdit {
    /// The file that holds it.
    pub file: PathBuf,
    /// Its name.
    pub key: String,
    /// Its values now.
    pub before: Vec<String>,
    /// Its values then.
    pub after: Vec<String>,
}

impl InitPlan {
    /// Whether everything is in place.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.settings.is_empty() && !self.makes_store
    }

    /// What it does, in words.
    pub fn words(&self) -> Vec<String> {
        let files = self.files.iter().map(|edit| edit.words.clone());
        let settings = self.settings.iter().map(SettingEdit::words);
        let store = self.makes_store.then(|| "make the store in refs/aio/state".to_owned());
        files.chain(settings).chain(store).collect()
    }
}

impl Session {
    /// What there is to do.
    ///
    /// # Errors
    /// When hooks or settings can't be read, or the store can't; when a wish can't be fulfilled.
    pub fn plan_init(&self, wishes: &Wishes) -> Result<InitPlan, Error> {
        let (site, bare) = self.site_or_bare();
        let agents = self.wished_agents(wishes)?;
        let wanted = self.wanted_settings(&site, wishes, &agents)?;
        let mut plan = if bare { Plan::default() } else { hooks::plan(&site)? };
        plan.config.extend(hooks::plan_settings(&site, &wanted)?.config);
        let makes_store = !self.snapshot()?.exists();
        plan.files.extend(self.plan_config(&site, wishes)?);
        let changes = self.plan_agents(&site, &agents)?;
        Ok(InitPlan { makes_store, bare, ..self.told(&site, &plan, &agents, &changes)? })
    }

    /// Does what there is to do, and tells what that was. Of several at once, one does it and the others find it done.
    ///
    /// # Errors
    /// When hooks or settings can't be read or written, or the store can't; when a wish can't be fulfilled. Where a file
    /// of an agent is one that nothing can be put into, nothing is done.
    pub fn init(&self, wishes: &Wishes) -> Result<InitPlan, Error> {
        let (site, bare) = self.site_or_bare();
        let agents = self.wished_agents(wishes)?;
        let wanted = self.wanted_settings(&site, wishes, &agents)?;
        self.plan_agents(&site, &agents)?;
        self.plan_config(&site, wishes)?;
        let mut plan = if bare { Plan::default() } else { hooks::put_up(&site)? };
        plan.config.extend(hooks::set(&site, &wanted)?.config);
        let changes = self.install_agents(&site, &agents)?;
        let makes_store = self.ensure_store()?;
        let (config, left_to_do) = self.write_config(&site, wishes)?;
        plan.files.extend(config);
        if !bare {
            self.tell_gaps(&site)?;
        }
        wishes.remote.iter().for_each(|given| self.tell_missing_hub(given));
        let mut told = self.told(&site, &plan, &agents, &changes)?;
        told.advice.extend(left_to_do);
        Ok(InitPlan { makes_store, bare, ..told })
    }

    fn wanted_settings(&self, site: &Site, wishes: &Wishes, agents: &[Agent]) -> Result<Vec<Wanted>, Error> {
        let mut wanted = self.hub_settings(wishes)?;
        wanted.extend(self.agent_settings(site, agents)?);
        Ok(wanted)
    }

    fn told(&self, site: &Site, plan: &Plan, agents: &[Agent], changes: &[FileChange]) -> Result<InitPlan, Error> {
        let tree = site.git.dir();
        let file = short(&site.common_dir.join("config"), tree);
        let bare = self.repository.work_tree().is_none();
        Ok(InitPlan {
            files: plan.files.iter().chain(changes).map(|change| file_edit(change, tree)).collect(),
            settings: plan.config.iter().map(|change| setting_edit(change, &file)).collect(),
            possible_hub: self.possible_hub(&site.git, plan)?,
            overwriting: self.overwriting_refspecs()?,
            unfenced_agents: if bare || !agents.is_empty() { Vec::new() } else { self.unfenced_agents(site) },
            undeclared_checks: self.undeclared_checks(site),
            to_commit: self.to_commit(&site.git, changes)?,
            advice: if changes.is_empty() { Vec::new() } else { agents::advice(site, agents) },
            ..InitPlan::default()
        })
    }

    /// Tells where the fence that was put up doesn't stand all the same.
    fn tell_gaps(&self, site: &Site) -> Result<(), Error> {
        for (tree, state) in hooks::unfenced(site)? {
            if let FenceState::Missing { hook, reason } = state {
                self.notice(Notice::WorktreeUnfenced(tree.display().to_string(), format!("{hook}: {reason}")));
            }
        }
        if proof::on_path(&site.git).is_err() {
            self.notice(Notice::NotOnPath(env::own_folder()));
        }
        Ok(())
    }

    /// Takes down what `init` put up, and tells line by line what was done; nothing, if there was nothing. The store
    /// stays.
    ///
    /// # Errors
    /// When hooks or settings can't be written.
    pub fn undo_init(&self) -> Result<Vec<String>, Error> {
        let (site, _) = self.site_or_bare();
        Ok(hooks::undo(&site)?.iter().map(ToString::to_string).collect())
    }

    /// Makes the store where there is none. Whether there was none.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn ensure_store(&self) -> Result<bool, Error> {
        let _turn = self.repository.take_turn();
        let snapshot = self.snapshot()?;
        if snapshot.exists() { Ok(false) } else { self.create_store(&snapshot) }
    }

    /// Puts the fence back if `init` put it up and another tool has removed it since. That it can't be put back is told
    /// and is no failure: this is done beside a command. It costs the reading of a few small files.
    pub fn heal_fence(&self) {
        let Some(site) = self.site() else { return };
        let FenceState::Missing { hook, reason } =
            hooks::fence_state(&site, self.repository.config_path(HOOKS_PATH).as_deref())
        else {
            return;
        };
        let found = format!("{hook}: {reason}");
        match hooks::put_back(&site) {
            Ok(Some(FenceState::Installed)) => self.notice(Notice::FenceHealed(found)),
            Ok(Some(FenceState::Missing { reason, .. })) => self.fence_missing(&found, reason),
            Ok(Some(FenceState::NotInited) | None) => {}
            Err(error) => self.fence_missing(&found, Error::from(error)),
        }
    }

    fn fence_missing(&self, found: &str, why: impl Display) {
        self.notice(Notice::FenceMissing(format!("{found}; it can't be put back: {why}")));
    }

    /// The repository as far as its hooks go; `None` where nobody commits.
    pub(super) fn site(&self) -> Option<Site> {
        self.repository.work_tree()?;
        Some(self.site_of(self.git()))
    }

    /// The same of a bare repository, which has settings, too; and whether it is one.
    fn site_or_bare(&self) -> (Site, bool) {
        match self.site() {
            Some(site) => (site, false),
            None => (self.site_of(self.bare_git()), true),
        }
    }

    fn site_of(&self, git: Git) -> Site {
        Site { git, common_dir: self.repository.common_dir().to_owned(), sharing: self.repository.sharing() }
    }
}

fn file_edit(change: &FileChange, tree: &Path) -> FileEdit {
    let path = short(&change.path, tree);
    let shown = path.display();
    let words = match &change.act {
        Act::Create => format!("write {shown}"),
        Act::Chain => format!("put our part into {shown}"),
        Act::Renew => format!("write {shown} anew"),
        Act::SetAside => format!("move the hook that is no shell script to {shown}"),
        Act::Replace(aside) => {
            format!("write {shown}, which runs the hook moved to {}", short(aside, tree).display())
        }
        Act::Supersede => format!("write {shown} in place of one that git does not run"),
        Act::Dispatch => format!("write {shown}, which runs the hook of the folder git was pointed at"),
    };
    FileEdit { path, before: Content::from(&change.before), after: Content::from(&change.after), words }
}

fn setting_edit(change: &ConfigChange, file: &Path) -> SettingEdit {
    let ConfigChange { key, before, after } = change.clone();
    SettingEdit { file: file.to_owned(), key, before, after }
}

impl SettingEdit {
    fn words(&self) -> String {
        match self.after.strip_prefix(self.before.as_slice()) {
            Some(added) if !self.before.is_empty() => format!("add {} to {}", added.join(", "), self.key),
            _ => format!("set {} to {}", self.key, self.after.join(", ")),
        }
    }
}

/// A path as its reader would name it.
fn short(path: &Path, tree: &Path) -> PathBuf {
    path.strip_prefix(tree).unwrap_or(path).to_owned()
}

impl From<&Node> for Content {
    fn from(node: &Node) -> Content {
        match node {
            Node::Absent => Content::Absent,
            Node::File { bytes, mode } => Content::File { bytes: bytes.clone(), mode: *mode },
            Node::Link(target) => Content::Link(target.clone()),
        }
    }
}

impl From<HookError> for Error {
    fn from(error: HookError) -> Error {
        match error {
            HookError::Git(error) => Error::Git(error),
            HookError::Install(error) => error.into(),
            other => Error::file("can't change the hooks")(std::io::Error::other(other.to_string())),
        }
    }
}

impl From<InstallError> for Error {
    fn from(error: InstallError) -> Error {
        match error {
            InstallError::Io { path, source } => Error::file(format!("can't read or write {}", path.display()))(source),
            InstallError::Unfit { .. } => Error::usage(error.to_string(), "mend it first; nothing was changed"),
            other => Error::file("can't change what is there")(std::io::Error::other(other.to_string())),
        }
    }
}
