//! What can stand in the configuration.

use super::is_name;
use crate::base::toml::{At, Entry, Mistake, Source};
use std::{
    path::{Component, Path},
    time::Duration,
};

/// The configuration of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// The remote, or its URL, that decides between clones where `aio.remote` names none.
    pub hub: Option<At<String>>,
    /// The tool that does what nobody has chosen one for.
    pub agent: Option<At<String>>,
    /// Whether the ledger of a run is kept in this file, from the root.
    pub ledger: Option<At<String>>,
    /// Agent CLIs and what is known of them.
    pub tools: Vec<Tool>,
    /// Agents: who does their work, and what they are told.
    pub agents: Vec<Agent>,
    /// Who does which kind of task, in the place of what the selection guide says.
    pub tasks: Vec<Task>,
    /// What shows that the code is in order.
    pub verify: Verify,
    /// What makes a new work tree ready to be worked in: a line of shell.
    pub setup: Option<String>,
}

/// `[tools.<name>]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// What it is called here.
    pub name: At<String>,
    /// How it is started. A word `{prompt}` in it stands for the task; without one, the task goes to standard input.
    pub command: Vec<String>,
    /// What it is good at.
    pub strengths: Strengths,
    /// The least time between two starts.
    pub stagger: Option<Duration>,
    /// The most that run at once.
    pub max_parallel: Option<u64>,
}

/// What a tool is good at, as far as it is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Strengths {
    /// How much it takes in at once, in tokens.
    pub context: Option<u64>,
    /// Whether it can search the web.
    pub search: Option<bool>,
    /// What it costs.
    pub cost: Option<Cost>,
}

/// What a tool costs, compared with the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// Little or nothing, such as a local model.
    Low,
    /// As much as most.
    Medium,
    /// Much.
    High,
}

impl Cost {
    const ALL: [Cost; 3] = [Cost::Low, Cost::Medium, Cost::High];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Cost::Low => "low",
            Cost::Medium => "medium",
            Cost::High => "high",
        }
    }
}

/// `[agents.<name>]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// What it is called.
    pub name: At<String>,
    /// The tools that do its work, the first choice first.
    pub tools: Vec<At<String>>,
    /// The file with what it is told, from the folder of the configuration.
    pub brief: Option<At<String>>,
}

/// A line of `[tasks]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The kind of task.
    pub name: At<String>,
    /// The agents for it: who does it, and who may help. There is one at least.
    pub agents: Vec<At<String>>,
}

/// `[verify]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verify {
    /// What is checked where nothing else is asked for: names with an `@`, and commands.
    pub default: Vec<At<String>>,
    /// The checks that have a name.
    pub checks: Vec<VerifyCheck>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyCheck {
    /// Its name, without the `@`.
    pub name: At<String>,
    /// The command.
    pub run: String,
    /// How long it may take.
    pub timeout: Option<Duration>,
}

impl Verify {
    /// The check of this name.
    pub fn check(&self, name: &str) -> Option<&VerifyCheck> {
        self.checks.iter().find(|check| check.name.value == name)
    }
}

/// The names of checks that everybody knows, and what is no name of one.
const USUAL: [&str; 3] = ["lint", "build", "test"];
const DEFAULT: &str = "default";
const BUILT_IN: [&str; 2] = ["scope", "changed"];

/// The word in a command that stands for the task.
const PROMPT: &str = "{prompt}";

/// Gemini CLIs that start at the same time fall over each other's files.
const LEAST_GEMINI_STAGGER: Duration = Duration::from_millis(500);

impl Config {
    /// What `text` says.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(text: &str) -> Result<Config, Mistake> {
        let source = Source::new(text);
        let document = source.parse()?;
        let mut config = Config::default();
        for entry in Entry::root(&source, document.as_item())
            .table_of(&["hub", "agent", "ledger", "tools", "agents", "tasks", "verify", "worktree"])?
        {
            match entry.name {
                "hub" => config.hub = Some(hub(entry)?),
                "agent" => config.agent = Some(entry.text()?),
                "ledger" => config.ledger = Some(inside(entry)?),
                "worktree" => config.setup = setup(entry)?,
                "tools" => config.tools = named(entry, tool)?,
                "agents" => config.agents = named(entry, agent)?,
                "tasks" => config.tasks = tasks(entry)?,
                _ => config.verify = verify(entry)?,
            }
        }
        Ok(config)
    }
}

/// The entries of a table in which everyone has a name of its own.
fn named<T>(entry: Entry<'_>, one: fn(Entry<'_>) -> Result<T, Mistake>) -> Result<Vec<T>, Mistake> {
    let entries = entry.table()?;
    entries
        .into_iter()
        .map(|entry| match is_name(entry.name) {
            true => one(entry),
            false => Err(bad_name(entry)),
        })
        .collect()
}

fn bad_name(entry: Entry<'_>) -> Mistake {
    let name = entry.name;
    entry.wrong(format!("'{name}' is no name: use a letter, then letters, digits, - and _, all of them small"))
}

/// A name or URL that git takes for one and not for an option.
fn hub(entry: Entry<'_>) -> Result<At<String>, Mistake> {
    let hub = entry.text()?;
    let odd = hub.value.starts_with('-') || hub.value.contains(|c: char| c.is_control() || c.is_whitespace());
    if odd { Err(hub.mistake("hub is neither a remote nor a URL")) } else { Ok(hub) }
}

/// A path of the work tree that isn't one of git's or ours.
fn inside(entry: Entry<'_>) -> Result<At<String>, Mistake> {
    let path = entry.text()?;
    let mut parts = Path::new(&path.value).components();
    let is_plain = parts.clone().all(|part| matches!(part, Component::Normal(_)));
    let is_ours = parts.next().is_some_and(|first| [".git", ".aio"].iter().any(|own| first.as_os_str() == *own));
    match is_plain && !is_ours && !path.value.is_empty() {
        true => Ok(path),
        false => {
            Err(path.mistake(format!("{} has to be a path in the work tree, and not in .git or .aio", entry.name)))
        }
    }
}

/// `[worktree]`
fn setup(entry: Entry<'_>) -> Result<Option<String>, Mistake> {
    let keys = entry.table_of(&["setup"])?;
    keys.into_iter().next().map(|key| Ok(key.text()?.value)).transpose()
}

fn tool(entry: Entry<'_>) -> Result<Tool, Mistake> {
    let mut tool = Tool {
        name: entry.named(),
        command: Vec::new(),
        strengths: Strengths::default(),
        stagger: None,
        max_parallel: None,
    };
    for key in entry.table_of(&["command", "strengths", "stagger", "max_parallel"])? {
        match key.name {
            "command" => tool.command = command(key)?,
            "strengths" => tool.strengths = strengths(key)?,
            "max_parallel" => tool.max_parallel = Some(key.number()?),
            _ => {
                let stagger = key.duration()?;
                if entry.name == "gemini" && stagger.value < LEAST_GEMINI_STAGGER {
                    return Err(stagger.mistake("the stagger of gemini has to be at least 500ms"));
                }
                tool.stagger = Some(stagger.value);
            }
        }
    }
    Ok(tool)
}

/// The words of a command. A single text is a command of one word: no shell takes it apart.
fn command(key: Entry<'_>) -> Result<Vec<String>, Mistake> {
    let words = key.texts()?;
    if let [only] = &words[..]
        && only.value.contains(char::is_whitespace)
    {
        return Err(only.mistake("command has to be a list of words, such as [\"agent\", \"--task\", \"{prompt}\"]"));
    }
    if let Some(second) = words.iter().filter(|word| word.value.contains(PROMPT)).nth(1) {
        return Err(second.mistake("{prompt} stands twice in command"));
    }
    Ok(words.into_iter().map(|word| word.value).collect())
}

fn strengths(entry: Entry<'_>) -> Result<Strengths, Mistake> {
    let mut strengths = Strengths::default();
    for key in entry.table_of(&["context", "search", "cost"])? {
        match key.name {
            "context" => strengths.context = Some(key.number()?),
            "search" => strengths.search = Some(key.boolean()?),
            _ => {
                let word = key.text()?;
                let cost = Cost::ALL.into_iter().find(|cost| cost.as_str() == word.value);
                let known = Cost::ALL.map(Cost::as_str);
                let wrong = || word.mistake("cost has to be one of low, medium, high").meaning(&word.value, known);
                strengths.cost = Some(cost.ok_or_else(wrong)?);
            }
        }
    }
    Ok(strengths)
}

fn agent(entry: Entry<'_>) -> Result<Agent, Mistake> {
    let mut agent = Agent { name: entry.named(), tools: Vec::new(), brief: None };
    for key in entry.table_of(&["tool", "brief"])? {
        match key.name {
            "tool" => agent.tools = key.texts()?,
            _ => agent.brief = Some(key.text()?),
        }
    }
    Ok(agent)
}

/// `[tasks]`
fn tasks(entry: Entry<'_>) -> Result<Vec<Task>, Mistake> {
    let one = |key: Entry<'_>| Ok(Task { name: key.named(), agents: key.texts()? });
    entry.table()?.into_iter().map(one).collect()
}

fn verify(entry: Entry<'_>) -> Result<Verify, Mistake> {
    let mut verify = Verify::default();
    let entries = entry.table()?;
    for key in &entries {
        if key.name == DEFAULT {
            verify.default = key.texts()?;
            continue;
        }
        if BUILT_IN.contains(&key.name) {
            return Err(key.wrong(format!("@{} is built in and can't be given a command", key.name)));
        }
        if !is_name(key.name) {
            return Err(bad_name(*key));
        }
        // A check may have any name, so that a slip in one that everybody knows would go unnoticed.
        let slip = |usual: &str| {
            strsim::damerau_levenshtein(key.name, usual) == 1 && entries.iter().all(|other| other.name != usual)
        };
        if let Some(usual) = USUAL.into_iter().chain([DEFAULT]).find(|usual| slip(usual)) {
            let message = format!("a check called '{}' would not be run unless it is asked for", key.name);
            return Err(key.wrong(message).meaning(key.name, [usual]));
        }
        verify.checks.push(check(*key)?);
    }
    Ok(verify)
}

fn check(entry: Entry<'_>) -> Result<VerifyCheck, Mistake> {
    if !entry.is_table() {
        return Ok(VerifyCheck { name: entry.named(), run: entry.text()?.value, timeout: None });
    }
    let (mut run, mut timeout) = (None, None);
    for key in entry.table_of(&["run", "timeout"])? {
        match key.name {
            "run" => run = Some(key.text()?.value),
            _ => {
                let limit = key.duration()?;
                if limit.value.is_zero() {
                    return Err(limit.mistake("the timeout has to be longer than nothing"));
                }
                timeout = Some(limit.value);
            }
        }
    }
    let run = run.ok_or_else(|| entry.wrong(format!("the check {} has no run", entry.name)))?;
    Ok(VerifyCheck { name: entry.named(), run, timeout })
}
