//! The fences that are there, tried out: the very command that an agent would run is run, and has to refuse.
//!
//! It stands in a file that may have come with the repository, from anybody. So it is run only where it is, word for word,
//! one that we write.

use super::piece::{Piece, fence_in, fence_of_user};
use crate::host::{
    agents::Agent,
    bounded,
    env::Homes,
    install::{InstallError, Part, Place, json, manifest::Manifest},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{self, Seek, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// How long a hook is given. An agent gives it as long.
const PATIENCE: Duration = Duration::from_secs(10);

/// The file that the probe speaks of. It need not be there.
const PROBED: &str = "git-aio-probe";

/// A fence that is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The agent that it is in.
    pub agent: Agent,
    /// The file that it stands in.
    pub file: PathBuf,
    /// Whether that is one of the user's own.
    pub is_users: bool,
    /// Whether it is as this version of us would put it up.
    pub is_current: bool,
    /// What in the same file keeps the agent from running any hook.
    pub switched_off: Option<&'static str>,
    /// What the agent runs for it, where that is what we would have it run.
    command: Option<String>,
}

/// The fences that are installed for the work tree `root`.
pub fn fences(root: &Path) -> Vec<Fence> {
    let homes = Homes::read();
    let find = |agent: Agent| {
        let here = Fence::find(agent, fence_in(root, agent), false);
        let users = homes.as_ref().and_then(|homes| Fence::find(agent, fence_of_user(homes, agent), true));
        [here, users].into_iter().flatten()
    };
    Agent::ALL.into_iter().flat_map(find).collect()
}

/// The agents whose fence was put up in the work tree `root`, by what is recorded at `place`, and that have none there
/// any more.
///
/// # Errors
/// When the record can't be read.
pub fn missing(place: &Place, root: &Path) -> Result<Vec<Agent>, InstallError> {
    let Some(manifest) = Manifest::read(place)? else { return Ok(Vec::new()) };
    let is_missing = |agent: &Agent| {
        let piece = fence_in(root, *agent);
        manifest.file(place, &piece.path).is_some() && Fence::find(*agent, piece, false).is_none()
    };
    Ok(Agent::ALL.into_iter().filter(is_missing).collect())
}

impl Fence {
    fn find(agent: Agent, piece: Piece, is_users: bool) -> Option<Fence> {
        let text = fs::read_to_string(&piece.path).ok()?;
        let call = format!("git-aio hook {}", agent.as_str());
        let is_current = match &piece.part {
            Part::Whole { template } => text == *template,
            part => part.put_into(&text).is_ok_and(|after| after == text),
        };
        let command = match agent {
            // Their plugins start it without a shell.
            Agent::Amp | Agent::OpenCode => text.contains("git-aio").then_some(is_current.then_some(call))?,
            _ => {
                let found = json::commands(&text).into_iter().find(|command| command.contains(&call))?;
                piece.part.commands().contains(&found).then_some(found)
            }
        };
        let switched_off = switch(agent, &json::value(&text));
        Some(Fence { agent, file: piece.path, is_users, is_current, switched_off, command })
    }

    /// What it answers in the work tree `root` when it is probed; `None` where it runs something else than we write.
    ///
    /// # Errors
    /// When it can't be run, or comes to no end.
    pub fn probe(&self, root: &Path, nonce: &str) -> io::Result<Option<String>> {
        let Some(line) = &self.command else { return Ok(None) };
        let mut asked = tempfile::tempfile()?;
        asked.write_all(probe(self.agent, root).to_string().as_bytes())?;
        asked.rewind()?;
        #[expect(clippy::disallowed_methods, reason = "what an agent would run is run as it would run it")]
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(root).env("AIO_PROBE", nonce);
        let ran = bounded::run_with(command, Stdio::from(asked), PATIENCE)?;
        if ran.status.is_none() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let said = if ran.stdout.is_empty() { ran.stderr } else { ran.stdout };
        Ok(Some(String::from_utf8_lossy(&said).trim().to_owned()))
    }
}

/// The setting by which all hooks are switched off, if they are.
fn switch(agent: Agent, settings: &Value) -> Option<&'static str> {
    match agent {
        Agent::Claude if settings["disableAllHooks"] == true => Some("disableAllHooks"),
        Agent::Gemini if settings["hooksConfig"]["enabled"] == false => Some("hooksConfig.enabled = false"),
        _ => None,
    }
}

/// An edit as each of them tells it.
fn probe(agent: Agent, root: &Path) -> Value {
    let (cwd, file) = (root.to_string_lossy(), root.join(PROBED));
    let file = file.to_string_lossy();
    let before = |event: &str, tool: &str, input: Value| {
        let session = PROBED;
        json!({ "session_id": session, "cwd": cwd, "hook_event_name": event, "tool_name": tool, "tool_input": input })
    };
    match agent {
        Agent::Claude => before("PreToolUse", "Write", json!({ "file_path": file, "content": "" })),
        Agent::Codex => {
            let patch = format!("*** Begin Patch\n*** Add File: {PROBED}\n+\n*** End Patch\n");
            before("PreToolUse", "apply_patch", json!({ "command": patch }))
        }
        Agent::Gemini => before("BeforeTool", "write_file", json!({ "file_path": file, "content": "" })),
        Agent::Amp => json!({
            "event": "tool.call", "thread": PROBED, "cwd": cwd, "tool": "create_file", "input": { "path": file },
        }),
        Agent::OpenCode => json!({
            "event": "tool.execute.before", "sessionID": PROBED, "cwd": cwd, "tool": "write",
            "args": { "filePath": file, "content": "" },
        }),
        Agent::Copilot => json!({
            "sessionId": PROBED, "cwd": cwd, "toolName": "create", "toolArgs": { "path": file, "file_text": "" },
        }),
    }
}
