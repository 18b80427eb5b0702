//! Fences inside the agent CLIs: which of them are here, and what each of them is given.
//!
//! In a repository everything goes into the work tree, to be committed like any other file; with the user's own files it
//! holds in every repository. Hooks and plugins ask git-aio before an edit; texts and a skill tell the model what a
//! claim is; a server offers the same as tools.

mod fence;
mod piece;
mod plan;
mod trust;

pub use fence::{Fence, fences, missing};
pub use plan::{Scope, install, plan};
pub(in crate::host) use trust::is_trusted;
pub use trust::{Trust, trust};

use crate::host::{agents::Agent, env};
use std::path::Path;

/// What in a repository tells that somebody uses this agent there.
fn traces(agent: Agent) -> &'static [&'static str] {
    match agent {
        Agent::Claude => &[".claude"],
        Agent::Codex => &[".codex"],
        Agent::Gemini => &[".gemini"],
        Agent::Amp => &[".amp"],
        Agent::OpenCode => &[".opencode", "opencode.json", "opencode.jsonc"],
        Agent::Copilot => &[".github/hooks", ".github/copilot-instructions.md"],
    }
}

/// The agents that are installed here, or used in the work tree `root`.
pub fn found(root: &Path) -> Vec<Agent> {
    let is_used = |agent: &Agent| traces(*agent).iter().any(|trace| root.join(trace).exists());
    Agent::ALL.into_iter().filter(|agent| is_used(agent) || is_program(*agent)).collect()
}

/// The agents that are installed here.
pub fn installed() -> Vec<Agent> {
    Agent::ALL.into_iter().filter(|agent| is_program(*agent)).collect()
}

/// Whether its program, which is called as it is, would be found by a shell.
pub fn is_program(agent: Agent) -> bool {
    let path = env::path_of_agents();
    std::env::split_paths(&path).any(|folder| is_executable(&folder.join(agent.as_str())))
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
