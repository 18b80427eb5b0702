//! Fences inside the agent CLIs: in this work tree, or among the user's own files.

use super::{InitPlan, Wishes, file_edit};
use crate::{
    base::text,
    host::{
        env::Homes,
        git::Git,
        hooks::{Site, Wanted},
        install::{
            self, FileChange, Place,
            agent::{self, Scope},
        },
    },
    ops::{Error, Session, agent::Agent},
};
use std::path::{Path, PathBuf};

/// The setting that makes a fence claim what is edited.
const AUTO_CLAIM: &str = "aio.autoClaim";

/// Which agents are to have a fence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agents {
    /// Those that are installed or used here.
    Found,
    /// These.
    Named(Vec<Agent>),
}

impl Agents {
    /// Which they are, `found` being those that are here.
    fn resolve(&self, found: impl FnOnce() -> Vec<Agent>) -> Result<Vec<Agent>, Error> {
        let agents = match self {
            Agents::Named(named) => Agent::ALL.into_iter().filter(|agent| named.contains(agent)).collect(),
            Agents::Found => found(),
        };
        if agents.is_empty() {
            return Err(Error::usage("no agent CLI is found here", format!("name those you mean: {}", all())));
        }
        Ok(agents)
    }

    /// The agents of these names; those that are found here where there is none.
    ///
    /// # Errors
    /// When a name is that of no agent that can be given a fence.
    pub fn named(names: &[String]) -> Result<Agents, Error> {
        let agent = |name: &str| {
            let known = Agent::ALL.into_iter().find(|agent| agent.as_str().eq_ignore_ascii_case(name));
            let unknown = || format!("there is no fence for an agent called '{}'", text::one_line(name, 60));
            known.ok_or_else(|| Error::usage(unknown(), format!("there is one for {}", all())))
        };
        let names = names.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
        let named = names.map(agent).collect::<Result<Vec<_>, _>>()?;
        Ok(if named.is_empty() { Agents::Found } else { Agents::Named(named) })
    }
}

/// The names of all agents.
fn all() -> String {
    Agent::ALL.map(Agent::as_str).join(", ")
}

impl Session {
    /// The agents that are wished a fence; none where nothing is wished.
    pub(super) fn wished_agents(&self, wishes: &Wishes) -> Result<Vec<Agent>, Error> {
        let Some(agents) = &wishes.agents else { return Ok(Vec::new()) };
        match self.site() {
            Some(site) => agents.resolve(|| agent::found(site.git.dir())),
            None => Err(Error::usage(
                "nobody works in a bare repository, and no agent needs a fence in it",
                "run it in a work tree",
            )),
        }
    }

    /// What would give them their fences.
    pub(super) fn plan_agents(&self, site: &Site, agents: &[Agent]) -> Result<Vec<FileChange>, Error> {
        Ok(agent::plan(&site.place(), &scope(site), agents)?)
    }

    /// Gives them their fences.
    pub(super) fn install_agents(&self, site: &Site, agents: &[Agent]) -> Result<Vec<FileChange>, Error> {
        match agents.is_empty() {
            true => Ok(Vec::new()),
            false => Ok(agent::install(&site.place(), &scope(site), agents)?),
        }
    }

    /// What git's settings have to say for them. What the user has said there already stays.
    pub(super) fn agent_settings(&self, site: &Site, agents: &[Agent]) -> Result<Vec<Wanted>, Error> {
        if agents.is_empty() || !site.git.config_local(AUTO_CLAIM)?.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![Wanted { key: AUTO_CLAIM.to_owned(), values: vec!["true".to_owned()], besides: false }])
    }

    /// The agents that are here and have no fence, or not all of it.
    pub(super) fn unfenced_agents(&self, site: &Site) -> Vec<Agent> {
        let lacks = |agent: &Agent| self.plan_agents(site, &[*agent]).map_or(true, |changes| !changes.is_empty());
        agent::found(site.git.dir()).into_iter().filter(lacks).collect()
    }

    /// Of the files that `changes` write in the work tree, those that git would take into a commit.
    pub(super) fn to_commit(&self, git: &Git, changes: &[FileChange]) -> Result<Vec<PathBuf>, Error> {
        let paths: Vec<&Path> = changes.iter().filter_map(|change| change.path.strip_prefix(git.dir()).ok()).collect();
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let ls_files = ["--literal-pathspecs", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"];
        let taken = git.run(ls_files.map(Path::new).into_iter().chain(paths.iter().copied()))?;
        let is_taken = |path: &Path| taken.split(|b| *b == 0).any(|t| t == path.as_os_str().as_encoded_bytes());
        Ok(paths.into_iter().filter(|path| is_taken(path)).map(Path::to_owned).collect())
    }
}

/// The work tree of `site`.
fn scope(site: &Site) -> Scope {
    Scope::WorkTree { root: site.git.dir().to_owned(), common_dir: site.common_dir.clone() }
}

/// What the user has to do himself for a fence to stand.
pub(super) fn advice(site: &Site, agents: &[Agent]) -> Vec<String> {
    let mut advice = Vec::new();
    if agents.contains(&Agent::Codex) {
        advice.push("codex runs no hook before you have approved it: start codex here once and use /hooks".to_owned());
        let config = Homes::read().map_or_else(|| "config.toml".into(), |homes| homes.codex.join("config.toml"));
        advice.push(format!(
            "for commits from codex's sandbox, {} needs in [sandbox_workspace_write]: writable_roots = [{:?}]",
            config.display(),
            site.common_dir
        ));
    }
    advice
}

/// The user's own files, and where changes of them are recorded.
fn of_user() -> Result<(Place, Scope), Error> {
    let homes = Homes::read().ok_or_else(|| Error::usage("there is no home", "set HOME to an absolute path"))?;
    let own = homes.config.join("git-aio");
    Ok((Place { base: own.clone(), own, sharing: Default::default() }, Scope::User(homes)))
}

/// What there is to do for these agents to have their fences in every repository of the user's.
///
/// # Errors
/// When a file can't be read, or is one that nothing can be put into.
pub fn plan_for_user(agents: &Agents) -> Result<InitPlan, Error> {
    let (place, scope) = of_user()?;
    let agents = agents.resolve(agent::installed)?;
    Ok(told(&agent::plan(&place, &scope, &agents)?, &agents))
}

/// Gives these agents their fences in every repository of the user's, and tells what that took.
///
/// # Errors
/// As for [`plan_for_user`], and when a file can't be written.
pub fn init_for_user(agents: &Agents) -> Result<InitPlan, Error> {
    let (place, scope) = of_user()?;
    let agents = agents.resolve(agent::installed)?;
    Ok(told(&agent::install(&place, &scope, &agents)?, &agents))
}

/// Takes back what was put into the user's own files, and tells line by line what was done.
///
/// # Errors
/// When a file can't be written.
pub fn undo_for_user() -> Result<Vec<String>, Error> {
    let (place, _) = of_user()?;
    Ok(install::undo(&place)?.iter().map(ToString::to_string).collect())
}

fn told(changes: &[FileChange], agents: &[Agent]) -> InitPlan {
    let mut advice = Vec::new();
    if agents.contains(&Agent::Claude) {
        advice.push("`claude mcp add --scope user aio -- git-aio mcp` gives claude the tools as well".to_owned());
    }
    if let Some(sourced) = changes.iter().find(|change| change.path.ends_with("codex-hook.sh")) {
        advice.push(format!("a shell that starts codex can register it: . {}", sourced.path.display()));
    }
    advice.push(format!(
        "`git config --global {AUTO_CLAIM} true` has the first edit of a free file claim it, everywhere"
    ));
    let files = changes.iter().map(|change| file_edit(change, Path::new(""))).collect();
    InitPlan { files, advice, ..InitPlan::default() }
}
