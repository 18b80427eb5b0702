use super::{Context, message};
use crate::{
    base::text,
    cli::{
        exit::Exit,
        format,
        json::{Agent as AgentJson, AgentAnswer, AgentsAnswer, Helper, SuggestAnswer, ToolChoice},
        ui::{BOLD, DIM, ODD},
    },
    ops::persona::{Agent, Suggestion},
};
use clap::Subcommand;
use std::io::{self, Write};

/// Find the right agent for a task, and what it is told
///
/// An agent is a brief: what somebody who does this kind of work looks at, delivers and leaves alone. A repository can
/// replace a brief, or add one, by .aio/agents/<name>.md, and say in [agents.<name>] of .aio/config.toml which tools do
/// that work. It counts once a person has approved it by `git aio trust`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the agents there are
    List,
    /// Print the brief of an agent
    Show {
        /// Its name
        name: String,
    },
    /// Say which agent and which tool fit a task
    ///
    /// The agent is that of the selection guide, in which [tasks] of .aio/config.toml replaces rows, and which knows bug
    /// fixes, new features, security audits, test coverage, technical debt, API changes, pattern migrations and
    /// documentation, and understands other words for them. The tool is the one that this repository has chosen, then the
    /// one whose domain it is, then those that are declared to be good at what the task needs.
    Suggest {
        /// The task in a few words; - reads standard input
        #[arg(value_name = "TASK", required = true)]
        task: Vec<String>,
    },
}

/// Longest line about an agent, and longest brief, in characters.
const MAX_LINE: usize = 200;
const MAX_BRIEF: usize = 20_000;

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        match self.command {
            Command::List => {
                let agents = session.agents()?;
                cx.ui.answer(
                    || AgentsAnswer::new(agents.iter().map(json).collect()),
                    |out| agents.iter().try_for_each(|agent| line(out, agent)),
                )?;
            }
            Command::Show { name } => {
                let agent = session.agent(&name)?;
                if let Some(path) = &agent.waiting {
                    cx.ui.say(format!("{} is not approved: this brief comes with git-aio", format::target(path)));
                }
                cx.ui.answer(
                    || AgentAnswer::new(json(&agent), agent.brief.clone()),
                    |out| writeln!(out, "{}", text::block(agent.brief.trim_end(), MAX_BRIEF)),
                )?;
            }
            Command::Suggest { task } => {
                let suggestion = session.suggest(&message(&task)?)?;
                if suggestion.waits_for_trust {
                    cx.ui.say("what .aio/config.toml says of agents and tools is not approved, and not heeded here");
                }
                cx.ui.answer(|| suggested(&suggestion), |out| show(out, &suggestion))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn line(out: &mut dyn Write, agent: &Agent) -> io::Result<()> {
    let about = text::one_line(&agent.about, MAX_LINE);
    let tools = if agent.tools.is_empty() { String::new() } else { format!(" [{}]", agent.tools.join(", ")) };
    let reads = if agent.writes == Some(false) { " (changes nothing)" } else { "" };
    let from = agent.from.as_ref().filter(|_| agent.waiting.is_none());
    let from = from.map(|path| format!(" {DIM}({}){DIM:#}", format::target(path))).unwrap_or_default();
    let waiting = agent.waiting.as_ref().map(|path| format!(" {ODD}({} is not approved){ODD:#}", format::target(path)));
    writeln!(out, "{:<17} {about}{reads}{tools}{from}{}", agent.name, waiting.unwrap_or_default())
}

fn show(out: &mut dyn Write, suggestion: &Suggestion) -> io::Result<()> {
    let task = suggestion.task.map_or_else(|| "a question, not a task of the guide".into(), str::to_lowercase);
    let also = suggestion.also.iter().map(|(name, with)| match with {
        Some(with) => format!("{name} ({with})"),
        None => name.clone(),
    });
    let also = also.collect::<Vec<_>>().join(", ");
    let also = if also.is_empty() { also } else { format!("; may also use: {also}") };
    writeln!(out, "{BOLD}{}{BOLD:#}: {task}{also}", suggestion.primary)?;
    for (tool, why) in &suggestion.tools {
        writeln!(out, "  {tool}: {}", why.join(", "))?;
    }
    Ok(())
}

fn json(agent: &Agent) -> AgentJson {
    AgentJson {
        name: agent.name.clone(),
        about: agent.about.clone(),
        writes: agent.writes,
        tools: agent.tools.clone(),
        from: agent.from.clone(),
        waiting: agent.waiting.clone(),
    }
}

fn suggested(suggestion: &Suggestion) -> SuggestAnswer {
    let helper =
        |(name, with): &(String, Option<&'static str>)| Helper { agent: name.clone(), with: with.map(str::to_owned) };
    let choice = |(tool, why): &(String, Vec<String>)| ToolChoice { tool: tool.clone(), why: why.clone() };
    SuggestAnswer::new(
        suggestion.task.map(str::to_owned),
        suggestion.primary.clone(),
        suggestion.also.iter().map(helper).collect(),
        suggestion.tools.iter().map(choice).collect(),
    )
}
