//! The repository's own configuration: whether what it says fits together, and whether this user has approved it.

use super::{Error, Session};
use crate::{
    host::{
        agents::Agent,
        config::{self, At, Config, ConfigError, Declared, Mistake, PATH, Task},
        trust::Approvals,
    },
    model::{guide::GUIDE, persona},
    store::Repository,
};

/// What a repository declares, and how that stands with its user.
pub(super) enum Configured {
    /// Nothing.
    Nothing,
    /// This, which nobody has approved: it is not to be acted on.
    Waiting(Declared),
    /// This, which is approved.
    Approved(Declared),
}

/// The checks that have a name in every repository, whether or not it says how they are made.
pub(super) const USUAL_CHECKS: [&str; 3] = ["lint", "build", "test"];

/// The checks that are made by us.
pub(super) const BUILT_IN_CHECKS: [&str; 2] = ["scope", "changed"];

/// All that are checked where nothing else is said.
pub(super) const DEFAULT_CHECKS: &str = "default";

impl Session {
    /// What the repository declares, as far as it may be acted on.
    ///
    /// # Errors
    /// When it can't be read, or does not fit together.
    pub(super) fn configured(&self) -> Result<Configured, Error> {
        let Some(declared) = declared(&self.repository)? else { return Ok(Configured::Nothing) };
        let approved = Approvals::of(self.repository.common_dir()).has(&declared.content);
        Ok(if approved { Configured::Approved(declared) } else { Configured::Waiting(declared) })
    }
}

/// What the work tree of a repository declares, approved or not.
///
/// # Errors
/// When it can't be read, or does not fit together.
pub(super) fn declared(repository: &Repository) -> Result<Option<Declared>, Error> {
    Ok(declared_or_unreadable(repository)?.filter(|declared| !declared.content.is_empty()))
}

/// The same, where there may be nothing but workflows that can't be read.
///
/// # Errors
/// As for [`declared`].
pub(super) fn declared_or_unreadable(repository: &Repository) -> Result<Option<Declared>, Error> {
    let Some(root) = repository.work_tree() else { return Ok(None) };
    let declared = config::read(&root).map_err(invalid)?;
    if let Some(declared) = &declared {
        check(declared).map_err(|mistake| invalid(mistake.into()))?;
    }
    Ok(declared)
}

/// The hub that a repository declares, if this user has approved that. Every command asks; one that has nothing to do
/// with it must not fail for a mistake, which `git aio trust` tells.
pub(super) fn approved_hub(repository: &Repository) -> Option<String> {
    let declared = config::read(&repository.work_tree()?).ok()??;
    let hub = declared.config.hub.as_ref()?;
    Approvals::of(repository.common_dir()).has(&declared.content).then(|| hub.value.clone())
}

fn invalid(error: ConfigError) -> Error {
    Error::usage(error.to_string(), format!("correct {PATH}; docs/delegation.md of git-aio says what stands in it"))
}

/// Whether all that is named is there.
fn check(declared: &Declared) -> Result<(), Mistake> {
    let config = &declared.config;
    config.verify.default.iter().try_for_each(|check| check_is_known(check, config))?;
    for tool in &config.tools {
        if tool.command.is_empty() && !built_in_tools().any(|known| known == tool.name.value) {
            let message = format!("{} is no tool that is known, and has no command", tool.name.value);
            return Err(tool.name.mistake(message).meaning(&tool.name.value, built_in_tools()));
        }
    }
    for agent in &config.agents {
        let name = &agent.name.value;
        if persona::find(name).is_none() && !declared.briefs.contains_key(name) {
            let message = format!("there is no agent '{name}', and no brief for one");
            let known = persona::ALL.iter().map(|persona| persona.name);
            return Err(agent.name.mistake(message).meaning(name, known));
        }
    }
    config.tasks.iter().try_for_each(|task| task_is_known(task, declared))?;
    let tools = || built_in_tools().chain(config.tools.iter().map(|tool| tool.name.value.as_str()));
    for tool in config.agents.iter().flat_map(|agent| &agent.tools).chain(&config.agent) {
        if !tools().any(|known| known == tool.value) {
            let message = format!("there is no tool '{}'", tool.value);
            return Err(tool.mistake(message).meaning(&tool.value, tools()));
        }
    }
    Ok(())
}

/// Whether the selection guide has the task, and all who are named for it are there.
fn task_is_known(task: &Task, declared: &Declared) -> Result<(), Mistake> {
    let name = &task.name.value;
    if !GUIDE.iter().any(|row| row.is_called(name)) {
        let known: Vec<String> = GUIDE.iter().map(|row| row.task.to_lowercase()).collect();
        let message = format!("the selection guide has no task '{name}'");
        return Err(task.name.mistake(message).meaning(&name.to_lowercase(), known.iter().map(String::as_str)));
    }
    let known = || persona::ALL.iter().map(|one| one.name).chain(declared.briefs.keys().map(String::as_str));
    match task.agents.iter().find(|agent| !known().any(|known| known == agent.value)) {
        Some(agent) => {
            Err(agent.mistake(format!("there is no agent '{}'", agent.value)).meaning(&agent.value, known()))
        }
        None => Ok(()),
    }
}

fn check_is_known(check: &At<String>, config: &Config) -> Result<(), Mistake> {
    let Some(name) = check.value.strip_prefix('@') else { return Ok(()) };
    if check_names(config).any(|known| known == name) {
        return Ok(());
    }
    Err(check.mistake(format!("there is no check @{name}")).meaning(name, check_names(config)))
}

/// The names of all checks that can be asked for, but for the one that stands for several.
pub(super) fn check_names(config: &Config) -> impl Iterator<Item = &str> {
    let own = config.verify.checks.iter().map(|check| check.name.value.as_str());
    USUAL_CHECKS.into_iter().chain(BUILT_IN_CHECKS).chain(own.filter(|name| !USUAL_CHECKS.contains(name)))
}

/// The agent CLIs that are known without being declared.
pub(super) fn built_in_tools<'a>() -> impl Iterator<Item = &'a str> {
    Agent::ALL.into_iter().map(|agent| -> &'a str { agent.as_str() })
}
