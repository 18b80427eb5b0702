//! Approving what a repository would have us run. Only a person may, and only what was shown: an approval is of a content
//! and not of a file.

use super::{Error, Session, config};
use crate::host::{
    config::{Config, PATH, Tool, VerifyCheck, WORKFLOWS},
    trust::{Approvals, Content},
};
use std::time::Duration;

/// What a repository declares, for whoever is to approve it.
#[derive(Debug, Clone)]
pub struct Declaration {
    /// Whether exactly this is approved.
    pub approved: bool,
    /// How each file differs from what was approved last: all of it, where nothing was.
    pub changes: Vec<Changed>,
    /// What it would have us do.
    pub effects: Vec<Effect>,
    content: Content,
}

/// A file that is to be approved, or no longer there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// From the root of the work tree.
    pub path: String,
    /// What was approved.
    pub before: Option<String>,
    /// What is there.
    pub after: Option<String>,
}

/// Something that is done once it is approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// `git aio verify` runs a command.
    Check {
        /// The name of the check; `None` for a command without one.
        name: Option<String>,
        /// The command.
        command: String,
        /// How long it may take, if that is said.
        timeout: Option<Duration>,
        /// Whether it is run where no check is named.
        by_default: bool,
    },
    /// Syncs go to this hub, where `aio.remote` names no other.
    Hub(String),
    /// A line of shell makes each new work tree of a run ready.
    Setup(String),
    /// A tool does what nobody else was chosen for.
    Default(String),
    /// What runs are at is written into this file.
    Ledger(String),
    /// A tool is known: how it is started, and within which limits.
    Tool {
        /// Its name.
        name: String,
        /// Its command, a word each; empty for one that we know how to start.
        command: Vec<String>,
        /// The least time between two starts.
        stagger: Option<Duration>,
        /// The most at once.
        max_parallel: Option<u64>,
    },
    /// The work of an agent goes to these tools.
    Agent {
        /// The agent.
        name: String,
        /// The tools, the first choice first.
        tools: Vec<String>,
    },
    /// A kind of task is suggested for these agents.
    Task {
        /// The kind.
        name: String,
        /// Who does it, and who may help.
        agents: Vec<String>,
    },
    /// A workflow can be run.
    Workflow {
        /// Its name.
        name: String,
        /// The file.
        path: String,
    },
    /// An agent is told what stands in a file.
    Brief {
        /// The agent.
        name: String,
        /// The file.
        path: String,
    },
}

impl Session {
    /// What this repository declares; `None` where that is nothing.
    ///
    /// # Errors
    /// When it can't be read, or does not fit together.
    pub fn declaration(&self) -> Result<Option<Declaration>, Error> {
        let Some(declared) = config::declared(&self.repository)? else { return Ok(None) };
        let approvals = self.approvals();
        let last = approvals.last().unwrap_or_default();
        let mut effects = effects(&declared.config);
        effects.extend(
            declared.briefs.iter().map(|(name, (path, _))| Effect::Brief { name: name.clone(), path: path.clone() }),
        );
        effects.extend(declared.workflows.keys().filter_map(|path| {
            let name = super::workflow::name_of(path)?.to_owned();
            Some(Effect::Workflow { name, path: format!("{WORKFLOWS}/{path}") })
        }));
        Ok(Some(Declaration {
            approved: approvals.has(&declared.content),
            changes: changes(&last, &declared.content),
            effects,
            content: declared.content,
        }))
    }

    /// Approves what was shown.
    ///
    /// # Errors
    /// When an agent runs this, and when the approval can't be written down.
    pub fn approve(&self, declaration: &Declaration) -> Result<(), Error> {
        if let Some(why) = self.is_no_person()? {
            return Err(Error::not_allowed(
                format!("only a person may approve what {PATH} has git-aio run, and {why}"),
                "ask the person you work for to run `git aio trust`",
            ));
        }
        let added = self.approvals().add(&declaration.content, self.repository.sharing(), self.now());
        added.map_err(Error::file("the approval can't be written down"))
    }

    /// What shows that no person runs this, in words: an agent does, or a step of a run.
    pub(super) fn is_no_person(&self) -> Result<Option<String>, Error> {
        let of_run = || Some("this runs inside of a run, as AIO_RUN in the environment tells".to_owned());
        let agent = self.taken_for_agent(&self.who(&self.snapshot()?)?);
        Ok(agent.or_else(|| self.env.run.as_ref().and_then(|_| of_run())))
    }

    /// Approves a configuration that was written just now, as this text. Whether that could be: a person has to have wished
    /// for it, and where there is more to approve than that, it has to be seen first.
    ///
    /// # Errors
    /// When the configuration can't be read, or the approval can't be written down.
    pub(super) fn approve_own(&self, text: &str) -> Result<bool, Error> {
        let Some(declaration) = self.declaration()? else { return Ok(false) };
        let is_all = declaration.content.text(PATH) == Some(text) && declaration.content.paths().count() == 1;
        if !is_all || self.is_no_person()?.is_some() {
            return Ok(false);
        }
        self.approve(&declaration).map(|()| true)
    }

    fn approvals(&self) -> Approvals {
        Approvals::of(self.repository.common_dir())
    }
}

/// How each file of `now` differs from what it was before, and which are gone.
fn changes(before: &Content, now: &Content) -> Vec<Changed> {
    let gone = before.paths().filter(|path| now.text(path).is_none());
    let mut paths: Vec<&str> = now.paths().chain(gone).collect();
    paths.sort_unstable();
    let text = |content: &Content, path| content.text(path).map(str::to_owned);
    let changed = paths.into_iter().map(|path| Changed {
        path: path.to_owned(),
        before: text(before, path),
        after: text(now, path),
    });
    changed.filter(|changed| changed.before != changed.after).collect()
}

fn effects(config: &Config) -> Vec<Effect> {
    // Named one by one: what is not shown here would be done without anybody having seen it.
    let Config { hub, agent, ledger, tools, agents, tasks, verify, setup } = config;
    let default = &verify.default;
    // Where no list is given the usual ones are it.
    let by_default = |name: &str| match default.is_empty() {
        true => config::USUAL_CHECKS.contains(&name),
        false => default.iter().any(|entry| entry.value.strip_prefix('@') == Some(name)),
    };
    let named = |VerifyCheck { name, run, timeout }: &VerifyCheck| Effect::Check {
        by_default: by_default(&name.value),
        name: Some(name.value.clone()),
        command: run.clone(),
        timeout: *timeout,
    };
    let unnamed = default.iter().filter(|entry| !entry.value.starts_with('@')).map(|entry| Effect::Check {
        name: None,
        command: entry.value.clone(),
        timeout: None,
        by_default: true,
    });
    let tool = |Tool { name, command, stagger, max_parallel, .. }: &Tool| Effect::Tool {
        name: name.value.clone(),
        command: command.clone(),
        stagger: *stagger,
        max_parallel: *max_parallel,
    };
    let agents = agents.iter().filter(|agent| !agent.tools.is_empty()).map(|agent| Effect::Agent {
        name: agent.name.value.clone(),
        tools: agent.tools.iter().map(|tool| tool.value.clone()).collect(),
    });
    let checks = verify.checks.iter().map(named).chain(unnamed);
    let once = [
        setup.clone().map(Effect::Setup),
        hub.as_ref().map(|hub| Effect::Hub(hub.value.clone())),
        agent.as_ref().map(|agent| Effect::Default(agent.value.clone())),
        ledger.as_ref().map(|ledger| Effect::Ledger(ledger.value.clone())),
    ];
    let tasks = tasks.iter().map(|task| Effect::Task {
        name: task.name.value.clone(),
        agents: task.agents.iter().map(|agent| agent.value.clone()).collect(),
    });
    let once = once.into_iter().flatten();
    checks.chain(once).chain(tools.iter().map(tool)).chain(agents).chain(tasks).collect()
}
