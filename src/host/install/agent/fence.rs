//! The fences that are there, tried out: the very command that an agent would run is run, and has to refuse.
//!
//! It stands in a file that may have come with the repository, from anybody. So it is run only where it is, word for word,
//! one that we write.

use super::piece::{Piece, fence_in, fence_of_user};
use crate::host::{
    agents::Agent,
    bounded,
    env::Homes,
    install::{InstallError, Part, Place, json, manifest::Manifest, node::read_text},
};
use serde_json::{Value, json};
use std::{
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
    /// Why the agent gets nothing out of the file, if it doesn't.
    pub unreadable: Option<String>,
    /// Whether it is as this version of us would put it up.
    pub is_current: bool,
    /// Whether the agent runs anything of ours before every edit.
    pub is_asked: bool,
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
        let text = read_text(&piece.path)?;
        let call = format!("git-aio hook {}", agent.as_str());
        let is_current = match &piece.part {
            Part::Whole { template } => text == *template,
            part => part.put_into(&text).is_ok_and(|after| after == text),
        };
        let (is_asked, command) = match agent {
            // Their plugins start it without a shell.
            Agent::Amp | Agent::OpenCode => text.contains("git-aio").then_some((true, is_current.then_some(call)))?,
            _ => {
                json::commands(&text).iter().find(|command| command.contains(&call))?;
                let (Part::Json { template, .. } | Part::Whole { template }) = &piece.part else { return None };
                let (there, ours) = (json::value(&text), json::value(template));
                let wanted: Vec<&str> = before_edits(agent, &ours).flat_map(|hook| tools(hook.matcher)).collect();
                let asked: Vec<&str> = before_edits(agent, &there)
                    .filter(|hook| hook.command.contains(&call) && hook.covers(&wanted))
                    .map(|hook| hook.command)
                    .collect();
                let is_ours = |command: &&str| before_edits(agent, &ours).any(|hook| hook.command == *command);
                (!asked.is_empty(), asked.into_iter().find(is_ours).map(str::to_owned))
            }
        };
        let unreadable = piece.part.unreadable(&text);
        let switched_off = switch(agent, &json::value(&text));
        Some(Fence { agent, file: piece.path, is_users, unreadable, is_current, is_asked, switched_off, command })
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

/// A command that an agent runs before it uses a tool.
#[derive(Clone, Copy)]
struct Hook<'v> {
    matcher: &'v Value,
    settings: &'v Value,
    command: &'v str,
}

impl Hook<'_> {
    /// Whether it is run for all of these tools, and waited for.
    fn covers(&self, wanted: &[&str]) -> bool {
        let every = match self.matcher {
            Value::Null => true,
            matcher => matcher.as_str().is_some_and(|matcher| matches!(matcher, "" | "*" | ".*")),
        };
        let waits = self.settings["async"] != true && self.settings.get("if").is_none();
        waits && (every || wanted.iter().all(|tool| tools(self.matcher).any(|name| name == *tool)))
    }
}

/// The names of tools in a matcher like ours: `Edit|Write`.
fn tools(matcher: &Value) -> impl Iterator<Item = &str> {
    matcher.as_str().into_iter().flat_map(|matcher| matcher.split('|'))
}

/// What an agent with these settings runs before it uses a tool.
fn before_edits(agent: Agent, settings: &Value) -> impl Iterator<Item = Hook<'_>> {
    let (event, key) = match agent {
        Agent::Gemini => ("BeforeTool", "command"),
        Agent::Copilot => ("preToolUse", "bash"),
        _ => ("PreToolUse", "command"),
    };
    let groups = settings["hooks"][event].as_array().into_iter().flatten();
    groups.flat_map(move |group| {
        // Copilot has no groups, and its hooks stand there themselves.
        let hooks = match agent {
            Agent::Copilot => std::slice::from_ref(group),
            _ => group["hooks"].as_array().map(Vec::as_slice).unwrap_or_default(),
        };
        let matcher = &group["matcher"];
        hooks.iter().filter_map(move |settings| Some(Hook { matcher, settings, command: settings[key].as_str()? }))
    })
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
