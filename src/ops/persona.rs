//! The agents that work can be given to: those that come with git-aio, and what a repository makes of them once its user
//! has approved that.

use super::{Error, Session, config::Configured};
use crate::{
    base::text,
    host::config::{BRIEFS, Config, Cost, Declared, Tool},
    model::{
        guide::{self, Fit, GUIDE, Need},
        persona::{self, Persona},
    },
};

/// An agent, as this repository has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its name.
    pub name: String,
    /// What it does, in a few words.
    pub about: String,
    /// Whether its work is to change files; not known of one that only the repository has.
    pub writes: Option<bool>,
    /// The tools that do its work, the first choice first; none where that is not said.
    pub tools: Vec<String>,
    /// What it is told; nothing while that waits for approval.
    pub brief: String,
    /// The file that its brief comes from; `None` for one that comes with git-aio.
    pub from: Option<String>,
    /// A file of the repository with a brief for it that is not approved, and so not given to anybody.
    pub waiting: Option<String>,
}

/// Who should do a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The row of the selection guide; `None` for what it has none for, such as a question.
    pub task: Option<&'static str>,
    /// The agent.
    pub primary: String,
    /// Agents that may help, with what for where that is said.
    pub also: Vec<(String, Option<&'static str>)>,
    /// The tools that fit, the best first, each with the reasons. There is one at least.
    pub tools: Vec<(String, Vec<String>)>,
    /// Whether the configuration has a say that waits for approval.
    pub waits_for_trust: bool,
}

impl Session {
    /// All agents: those that come with git-aio first.
    ///
    /// # Errors
    /// When the configuration is invalid.
    pub fn agents(&self) -> Result<Vec<Agent>, Error> {
        let configured = self.configured()?;
        let mut agents: Vec<Agent> = persona::ALL.iter().map(|persona| built_in(persona, &configured)).collect();
        if let Configured::Approved(declared) | Configured::Waiting(declared) = &configured {
            let own = declared.briefs.iter().filter(|(name, _)| persona::find(name).is_none());
            let waits = matches!(configured, Configured::Waiting(_));
            agents.extend(own.map(|(name, (path, brief))| of_repository(name, path, brief, declared, waits)));
        }
        Ok(agents)
    }

    /// The agent of this name.
    ///
    /// # Errors
    /// When there is none, or its only brief is not approved.
    pub fn agent(&self, name: &str) -> Result<Agent, Error> {
        let agents = self.agents()?;
        let Some(agent) = agents.iter().find(|agent| agent.name == name) else {
            let nearest = text::nearest(name, agents.iter().map(|agent| agent.name.as_str()));
            let meant = nearest.map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default();
            return Err(Error::not_found(
                format!("there is no agent '{}'{meant}", text::one_line(name, 60)),
                format!("`git aio agent list` shows those there are; {BRIEFS}/<name>.md makes another"),
            ));
        };
        match &agent.waiting {
            Some(path) if agent.brief.is_empty() => Err(Error::not_allowed(
                format!("what {path} tells the {name} is not approved"),
                "a person looks at it and approves it by `git aio trust`",
            )),
            _ => Ok(agent.clone()),
        }
    }

    /// Who should do a task that is described so.
    ///
    /// # Errors
    /// When nothing is known that fits, and when the configuration is invalid.
    pub fn suggest(&self, described: &str) -> Result<Suggestion, Error> {
        let fit = guide::fit(described).ok_or_else(|| {
            let tasks = GUIDE.iter().map(|row| row.task.to_lowercase()).collect::<Vec<_>>().join(", ");
            Error::not_found(
                format!("nothing is known that '{}' is like", text::one_line(described, 100)),
                format!("the selection guide has: {tasks}"),
            )
        })?;
        let configured = self.configured()?;
        let config = match &configured {
            Configured::Approved(declared) => Some(&declared.config),
            Configured::Nothing | Configured::Waiting(_) => None,
        };
        let own = fit.row.zip(config).and_then(|(row, config)| {
            let named = config.tasks.iter().find(|task| row.is_called(&task.name.value))?;
            named.agents.split_first()
        });
        let (primary, also) = match own {
            Some((first, others)) => {
                (first.value.clone(), others.iter().map(|other| (other.value.clone(), None)).collect())
            }
            None => {
                let also = fit.row.map_or(&[][..], |row| row.also);
                (fit.primary().to_owned(), also.iter().map(|(name, with)| ((*name).to_owned(), *with)).collect())
            }
        };
        Ok(Suggestion {
            task: fit.row.map(|row| row.task),
            tools: tools(&fit, &primary, config),
            primary,
            also,
            waits_for_trust: matches!(configured, Configured::Waiting(_)),
        })
    }
}

fn built_in(persona: &Persona, configured: &Configured) -> Agent {
    let name = persona.name;
    let agent = Agent {
        name: name.into(),
        about: persona.about.into(),
        writes: Some(persona.writes),
        tools: Vec::new(),
        brief: persona.brief.into(),
        from: None,
        waiting: None,
    };
    match configured {
        Configured::Nothing => agent,
        Configured::Waiting(declared) => {
            Agent { waiting: declared.briefs.get(name).map(|(path, _)| path.clone()), ..agent }
        }
        Configured::Approved(declared) => {
            let agent = Agent { tools: tools_of(name, &declared.config), ..agent };
            match declared.briefs.get(name) {
                Some((path, brief)) => Agent { brief: brief.clone(), from: Some(path.clone()), ..agent },
                None => agent,
            }
        }
    }
}

/// An agent that only the repository has. What it does is what its brief begins with.
fn of_repository(name: &str, path: &str, brief: &str, declared: &Declared, waits: bool) -> Agent {
    let first = brief.lines().map(|line| line.trim_start_matches('#').trim()).find(|line| !line.is_empty());
    let agent = Agent {
        name: name.into(),
        about: "an agent of this repository".into(),
        writes: None,
        tools: Vec::new(),
        brief: String::new(),
        from: Some(path.into()),
        waiting: Some(path.into()),
    };
    match waits {
        true => agent,
        false => Agent {
            about: first.unwrap_or_default().into(),
            tools: tools_of(name, &declared.config),
            brief: brief.into(),
            waiting: None,
            ..agent
        },
    }
}

fn tools_of(agent: &str, config: &Config) -> Vec<String> {
    let agent = config.agents.iter().find(|declared| declared.name.value == agent);
    agent.map_or_else(Vec::new, |agent| agent.tools.iter().map(|tool| tool.value.clone()).collect())
}

/// The tools that fit: what the repository has chosen for the agent, then whose domain it is, then those that are declared to
/// be good at what it needs.
fn tools(fit: &Fit, primary: &str, config: Option<&Config>) -> Vec<(String, Vec<String>)> {
    let mut tools: Vec<(String, Vec<String>)> = Vec::new();
    let mut add = |tool: &str, why: String| match tools.iter_mut().find(|(known, _)| known == tool) {
        Some((_, reasons)) => reasons.push(why),
        None => tools.push((tool.to_owned(), vec![why])),
    };
    let chosen = config.map_or_else(Vec::new, |config| tools_of(primary, config));
    chosen.iter().for_each(|tool| add(tool, format!("this repository gives it the work of the {primary}")));
    add(fit.domain.tool, format!("{} is its domain", fit.domain.name));
    let declared = config.map_or(&[][..], |config| &config.tools);
    for need in fit.needs() {
        let mut good: Vec<_> = declared.iter().filter_map(|tool| Some((strength(tool, need)?, tool))).collect();
        good.sort_by_key(|((rank, _), _)| *rank);
        good.into_iter().for_each(|((_, why), tool)| add(&tool.name.value, why));
    }
    tools
}

/// How good a tool is declared to be at something, best first, and that in words; `None` where it isn't.
fn strength(tool: &Tool, need: Need) -> Option<(u64, String)> {
    /// What is much to take in at once, in tokens.
    const MUCH: u64 = 400_000;
    let strengths = &tool.strengths;
    match need {
        Need::Context => {
            let context = strengths.context.filter(|context| *context >= MUCH)?;
            Some((u64::MAX - context, format!("it takes in {context} tokens at once")))
        }
        Need::Search => strengths.search.filter(|search| *search).map(|_| (0, "it searches the web".into())),
        Need::Cost => strengths.cost.filter(|cost| *cost == Cost::Low).map(|_| (0, "it costs little".into())),
    }
}
