//! Fences inside the agent CLIs: which of them are here, and what each of them is given.
//!
//! In a repository everything goes into the work tree, to be committed like any other file; with the user's own files it
//! holds in every repository. Hooks and plugins ask git-aio before an edit; texts and a skill tell the model what a
//! claim is; a server offers the same as tools.

mod piece;
mod plan;

pub use plan::{Scope, install, plan};

use crate::host::env;
use std::{fmt, path::Path, str::FromStr};

/// An agent CLI that can be given a fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// Copilot CLI.
    Copilot,
}

/// It is none that we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownAgent;

impl Agent {
    /// All of them.
    pub const ALL: [Agent; 6] =
        [Agent::Claude, Agent::Codex, Agent::Gemini, Agent::Amp, Agent::OpenCode, Agent::Copilot];

    /// Its name, which is also that of its program.
    pub fn name(self) -> &'static str {
        match self {
            Agent::Claude => "claude",
            Agent::Codex => "codex",
            Agent::Gemini => "gemini",
            Agent::Amp => "amp",
            Agent::OpenCode => "opencode",
            Agent::Copilot => "copilot",
        }
    }

    /// What in a repository tells that somebody uses it there.
    fn traces(self) -> &'static [&'static str] {
        match self {
            Agent::Claude => &[".claude"],
            Agent::Codex => &[".codex"],
            Agent::Gemini => &[".gemini"],
            Agent::Amp => &[".amp"],
            Agent::OpenCode => &[".opencode", "opencode.json", "opencode.jsonc"],
            Agent::Copilot => &[".github/hooks", ".github/copilot-instructions.md"],
        }
    }

    /// Whether it is installed here, or used in the work tree `root`.
    fn is_here(self, root: &Path) -> bool {
        self.traces().iter().any(|trace| root.join(trace).exists()) || is_program(self.name())
    }
}

/// The agents that are installed here, or used in the work tree `root`.
pub fn found(root: &Path) -> Vec<Agent> {
    Agent::ALL.into_iter().filter(|agent| agent.is_here(root)).collect()
}

/// The agents that are installed here.
pub fn installed() -> Vec<Agent> {
    Agent::ALL.into_iter().filter(|agent| is_program(agent.name())).collect()
}

fn is_program(name: &str) -> bool {
    let path = env::path_of_agents();
    let mut folders = std::env::split_paths(&path);
    folders.any(|folder| is_executable(&folder.join(name)))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    ["exe", "cmd"].iter().any(|extension| path.with_added_extension(extension).is_file())
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Agent {
    type Err = UnknownAgent;

    fn from_str(name: &str) -> Result<Agent, UnknownAgent> {
        Agent::ALL.into_iter().find(|agent| agent.name().eq_ignore_ascii_case(name)).ok_or(UnknownAgent)
    }
}
