//! The agent CLIs: as their hooks see us, what each tells and in which shape it wants the answer, and how each is started
//! without a person.
//!
//! One file a CLI, and no other file knows a shape of it. A shape that changes shows in the recorded payloads of
//! `tests/it/payloads`. What is told is turned into a [`Call`], which is the same for all; what is answered to it is
//! decided elsewhere.

mod amp;
mod claude;
mod codex;
mod copilot;
mod gemini;
pub mod headless;
mod opencode;
mod patch;
mod payload;

use super::env::session_digest;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// An agent CLI that has hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Agent {
    /// Claude Code.
    Claude,
    /// Codex CLI.
    Codex,
    /// Gemini CLI.
    Gemini,
    /// Amp.
    Amp,
    /// OpenCode.
    OpenCode,
    /// GitHub Copilot CLI.
    Copilot,
}

/// What an agent's hook tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The agent.
    pub agent: Agent,
    /// Its session, as [`session_digest`] makes it.
    pub session: Option<String>,
    /// The folder that it works in; what it names relatively is relative to it.
    pub dir: Option<PathBuf>,
    /// When it was called.
    pub moment: Moment,
    /// The agent's own word for the event, which some want to hear again.
    event: String,
}

/// When a hook is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// A session begins, or goes on.
    SessionStart,
    /// The agent was given something to do.
    Prompt,
    /// It is about to use a tool.
    Before(Use),
    /// It has used a tool.
    After(Use),
    /// It has done what it was given to do, and waits.
    Pause,
    /// The session ends.
    SessionEnd,
    /// Something else, which is a sign of life.
    Other,
}

/// The use of a tool, as far as it can change files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Use {
    /// Files that it says it changes; both sides of a move, and what it deletes.
    pub edits: Vec<PathBuf>,
    /// A command for the shell, which may change any file at all.
    pub command: Option<String>,
    /// Why it can't be told which files it changes besides, if it can't.
    pub unclear: Option<Unclear>,
}

/// Why it can't be told which files the use of a tool changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclear {
    /// The command has a patch in it, and changes the folder in other ways than by a plain `cd` before.
    Folder,
    /// The tool edits files, and was given the name of none.
    Unnamed,
}

/// What a hook is to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing to say.
    Pass,
    /// The agent is to hear this.
    Tell(String),
    /// It may not do what it is about to, for this reason.
    Refuse(String),
}

/// Why a payload can't be understood.
#[derive(Debug, thiserror::Error)]
#[error("the call of the hook can't be understood: {0}")]
pub struct BadPayload(#[from] serde_json::Error);

impl Agent {
    /// All of them.
    pub const ALL: [Agent; 6] =
        [Agent::Claude, Agent::Codex, Agent::Gemini, Agent::Amp, Agent::OpenCode, Agent::Copilot];

    /// The name of the tool, as instances have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Agent::Claude => "claude",
            Agent::Codex => "codex",
            Agent::Gemini => "gemini",
            Agent::Amp => "amp",
            Agent::OpenCode => "opencode",
            Agent::Copilot => "copilot",
        }
    }

    /// Reads what a hook of this agent was given on standard input.
    ///
    /// # Errors
    /// When that is not what its hooks are given. A tool or an event that is not known is no error: they come and go.
    pub fn read(self, payload: &[u8]) -> Result<Call, BadPayload> {
        let told = match self {
            Agent::Claude => claude::read(payload),
            Agent::Codex => codex::read(payload),
            Agent::Gemini => gemini::read(payload),
            Agent::Amp => amp::read(payload),
            Agent::OpenCode => opencode::read(payload),
            Agent::Copilot => copilot::read(payload),
        }?;
        Ok(Call {
            agent: self,
            session: told.session.map(|id| session_digest(self.as_str(), &id)),
            dir: told.dir,
            moment: told.moment,
            event: told.event,
        })
    }
}

impl Call {
    /// What the hook is to print.
    pub fn reply(&self, answer: &Answer) -> String {
        let reply = match self.agent {
            Agent::Claude => claude::reply(self, answer),
            Agent::Codex => codex::reply(self, answer),
            Agent::Gemini => gemini::reply(self, answer),
            Agent::Amp => Some(amp::reply(self, answer)),
            Agent::OpenCode => Some(opencode::reply(answer)),
            Agent::Copilot => copilot::reply(answer),
        };
        reply.map_or_else(String::new, |reply| format!("{reply}\n"))
    }

    /// Whether the agent waits for a decision. Where there is none, it goes on.
    pub fn asks(&self) -> bool {
        matches!(self.moment, Moment::Before(_))
    }
}

/// What an adapter has read: a [`Call`], but for what is the same for all.
struct Told {
    session: Option<String>,
    dir: Option<PathBuf>,
    moment: Moment,
    event: String,
}

impl Use {
    /// A tool that edits these files, and must say which.
    fn edit(paths: impl IntoIterator<Item = PathBuf>) -> Use {
        let edits: Vec<PathBuf> = paths.into_iter().collect();
        let unclear = edits.is_empty().then_some(Unclear::Unnamed);
        Use { edits, unclear, ..Use::default() }
    }

    /// A command, and what the patches in it change: Codex lets its model write them into the shell.
    fn shell(command: &str) -> Use {
        let (edits, is_unclear) = patch::typed(command);
        let unclear = is_unclear.then_some(Unclear::Folder);
        Use { edits, command: Some(command.to_owned()), unclear }
    }
}

/// The path that stands under the first of `keys` in what a tool is given.
fn path_at(input: &Map<String, Value>, keys: &[&str]) -> Option<PathBuf> {
    text_at(input, keys).map(PathBuf::from)
}

fn text_at<'v>(input: &'v Map<String, Value>, keys: &[&str]) -> Option<&'v str> {
    keys.iter().find_map(|key| input.get(*key)?.as_str()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
