//! Whom work goes to: the tools of an agent, each with the brief that goes before the task.

use super::{Error, Session, config::Configured};
use crate::{
    base::text,
    host::{
        agents::{Agent, headless::Tool},
        config::{Config, PATH},
    },
    model::persona,
};
use std::time::Duration;

/// A tool that is to do a piece of work, and what it needs for it.
#[derive(Debug, Clone)]
pub struct Hand {
    /// How it is called where it is told of: `codex/implementer`, `claude`.
    pub label: String,
    /// The tool.
    pub(super) tool: Tool,
    /// The brief that goes before the task; nothing where no agent is named.
    pub brief: String,
    /// The least time between two starts of the tool.
    pub stagger: Duration,
    /// The most of them that run at once, on this machine.
    pub max_parallel: Option<u64>,
}

impl Hand {
    /// The name of the tool.
    pub fn tool(&self) -> &str {
        self.tool.name()
    }

    /// Whether it can be told the shape of its answer other than in words.
    pub fn takes_schema(&self) -> bool {
        self.tool.takes_schema()
    }

    /// Whether it can read a file in the git directory.
    pub fn reads_git_dir(&self) -> bool {
        self.tool.reads_git_dir()
    }

    /// Whether its CLI itself keeps it from writing where it may not.
    pub fn is_held(&self) -> bool {
        self.tool.is_held()
    }

    /// Whether its program is on this machine.
    pub fn is_installed(&self) -> bool {
        self.tool.is_installed()
    }
}

impl Session {
    /// Who is meant by a tool, an agent, or both: one of several where the agent has several tools, the first choice first.
    /// Without a tool, an agent that nobody has given one to goes to the first that is installed.
    ///
    /// # Errors
    /// When there is no such tool or agent, or what the repository says of it is not approved.
    pub fn hands(&self, tool: Option<&str>, persona: Option<&str>) -> Result<Vec<Hand>, Error> {
        let configured = self.configured()?;
        let nothing = Config::default();
        let (config, waits) = match &configured {
            Configured::Approved(declared) => (&declared.config, false),
            Configured::Waiting(_) => (&nothing, true),
            Configured::Nothing => (&nothing, false),
        };
        let agent = persona.map(|persona| self.agent(persona)).transpose()?;
        let tools: Vec<String> = match (tool, &agent) {
            (Some(tool), _) => vec![tool.to_owned()],
            (None, Some(agent)) if !agent.tools.is_empty() => agent.tools.clone(),
            (None, _) => vec![usual_tool(config)],
        };
        let brief = agent.as_ref().map_or_else(String::new, |agent| agent.brief.clone());
        let hand = |name: String| {
            let declared = config.tools.iter().find(|tool| tool.name.value == name);
            let words = declared.map_or(&[][..], |tool| &tool.command);
            let found = Tool::find(&name, words).ok_or_else(|| unknown(&name, config, waits))?;
            Ok(Hand {
                label: persona.map_or_else(|| name.clone(), |persona| format!("{name}/{persona}")),
                stagger: declared.and_then(|tool| tool.stagger).unwrap_or_else(|| found.default_stagger()),
                max_parallel: declared.and_then(|tool| tool.max_parallel),
                tool: found,
                brief: brief.clone(),
            })
        };
        tools.into_iter().map(hand).collect()
    }
}

/// The tool that does what nobody has chosen one for: what the repository says, or else the first that is here.
fn usual_tool(config: &Config) -> String {
    let installed = || Agent::ALL.into_iter().find(|agent| Tool::Agent(*agent).is_installed());
    let chosen = config.agent.as_ref().map(|agent| agent.value.clone());
    chosen.unwrap_or_else(|| installed().unwrap_or(Agent::Claude).as_str().to_owned())
}

fn unknown(name: &str, config: &Config, waits: bool) -> Error {
    let shown = text::one_line(name, 60);
    if waits {
        return Error::not_allowed(
            format!("there is no tool '{shown}', unless {PATH} has it, which is not approved"),
            "a person looks at it and approves it by `git aio trust`",
        );
    }
    let known: Vec<&str> = Agent::ALL
        .iter()
        .map(|agent| agent.as_str())
        .chain(config.tools.iter().map(|tool| tool.name.value.as_str()))
        .collect();
    let meant = text::nearest(name, known.iter().copied().chain(persona::ALL.iter().map(|persona| persona.name)));
    let meant = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    Error::not_found(
        format!("there is no tool or agent '{shown}'{meant}"),
        format!(
            "tools: {}; `git aio agent list` shows the agents; [tools.<name>] in {PATH} makes another tool",
            known.join(", ")
        ),
    )
}
