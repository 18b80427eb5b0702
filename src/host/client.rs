//! Tells which agent CLI calls a server of ours by MCP, and in which of its sessions.
//!
//! A server is told little: its environment is that of the moment when it was started, and of a client it hears a name.
//! Which of its variables are whose, [`env`](super::env) knows.

use super::{
    env::{AgentSession, Env, session_digest},
    process::{self, Ancestor},
};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Agent CLIs by the name that their clients go by, or the beginning of it: some add the name of the server, or say what
/// they are made for.
const NAMES: &[(&str, &str)] = &[
    ("claude-code", "claude"),
    ("codex", "codex"),
    ("gemini-cli", "gemini"),
    ("amp", "amp"),
    ("opencode", "opencode"),
    ("github-copilot", "copilot"),
    ("copilot", "copilot"),
    ("cursor", "cursor"),
    ("goose", "goose"),
];

/// The tool that a client is whose name is not known.
const UNKNOWN: &str = "mcp";

/// Codex tells with each call for whom it is, since its servers serve all its threads and see nothing of its environment.
/// In its shell the session comes before the thread, and so it does here: both have to be one instance.
const CODEX_SESSION: [&str; 2] = ["sessionId", "threadId"];

/// A client of MCP, as far as it says who it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    tool: Option<&'static str>,
    /// Its session, as [`session_digest`] makes it, if it tells with each call.
    session: Option<String>,
}

impl Client {
    /// The client that calls itself `name` and sends `meta` with a request.
    pub fn new(name: Option<&str>, meta: &Map<String, Value>) -> Client {
        let tool = name.and_then(tool_of);
        let told = || CODEX_SESSION.iter().find_map(|key| meta.get(*key)?.as_str().filter(|id| !id.is_empty()));
        let session = tool.filter(|tool| *tool == "codex").and_then(|tool| Some(session_digest(tool, told()?)));
        Client { tool, session }
    }

    /// The agent session that calls; `None` where the environment tells better who it is than the client does.
    ///
    /// Where neither a session nor a process of the agent can be seen, the server stands for it: one server is started by
    /// one agent, and every call is that one's.
    pub fn caller(&self, env: &Env, ancestors: &[Ancestor]) -> Option<AgentSession> {
        let Some(tool) = self.tool else {
            let is_seen = !env.sessions.is_empty() || ancestors.iter().any(|ancestor| ancestor.agent.is_some());
            return (!is_seen).then(|| AgentSession { tool: UNKNOWN, session: Some(of_this_server(UNKNOWN)) });
        };
        let is_above = || ancestors.iter().any(|ancestor| ancestor.agent == Some(tool));
        let session = self.told_session(env).or_else(|| if is_above() { None } else { Some(of_this_server(tool)) });
        Some(AgentSession { tool, session })
    }

    /// The agent that it is, where it is one that is known.
    pub fn tool(&self) -> Option<&'static str> {
        self.tool
    }

    /// Its session, as far as it tells or has left in the environment of this server.
    pub fn told_session(&self, env: &Env) -> Option<String> {
        let inherited = || env.sessions.iter().find(|trace| Some(trace.tool) == self.tool)?.session.clone();
        self.session.clone().or_else(inherited)
    }

    /// Whether it tells with each call which session it is for.
    pub fn tells_session(&self) -> bool {
        self.session.is_some()
    }

    /// The folder of the project that the client works on, if it says so. Claude Code starts the server of a plugin
    /// in the plugin's folder; an agent that was started by it has the variable too, and may work elsewhere.
    pub fn project(&self) -> Option<PathBuf> {
        if self.tool == Some("claude") { Env::read().claude_project } else { None }
    }
}

fn tool_of(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let is_it = |known: &str| name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    NAMES.iter().find(|(known, _)| is_it(known)).map(|(_, tool)| *tool)
}

/// A session that is as long as this process.
fn of_this_server(tool: &str) -> String {
    let this = match process::own_mark() {
        Some(mark) => format!("{} {} {}", mark.pid, mark.start, mark.boot),
        None => std::process::id().to_string(),
    };
    session_digest(tool, &format!("server {this}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::process::ProcessMark;
    use serde_json::json;
    use std::{ffi::OsString, path::Path};

    fn env(vars: &[(&str, &str)]) -> Env {
        Env::from_lookup(Path::new("/here"), |name| {
            vars.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value))
        })
    }

    fn client(name: &str, meta: &Value) -> Client {
        Client::new(Some(name), meta.as_object().expect("an object"))
    }

    fn above(agent: &'static str) -> Ancestor {
        let mark = ProcessMark { pid: 1, start: String::new(), boot: String::new(), namespace: String::new() };
        Ancestor { mark, agent: Some(agent), name: String::new(), transient: false }
    }

    #[test]
    fn a_client_is_known_by_the_beginning_of_its_name() {
        let tool = |name| client(name, &json!({})).tool;
        assert_eq!(tool("claude-code"), Some("claude"));
        assert_eq!(tool("codex-mcp-client"), Some("codex"));
        assert_eq!(tool("gemini-cli-mcp-client-aio"), Some("gemini"));
        assert_eq!(tool("github-copilot-developer"), Some("copilot"));
        assert_eq!(tool("claude-ai"), None, "the desktop has no repository");
        assert_eq!(tool("amplifier"), None);
    }

    #[test]
    fn codex_is_known_by_what_it_sends_and_nobody_else() {
        let session = |name, meta| client(name, &meta).caller(&env(&[]), &[above("gemini"), above("codex")]);
        let codex = |session| Some(AgentSession { tool: "codex", session });
        let expected = || Some(session_digest("codex", "S"));
        assert_eq!(session("codex-mcp-client", json!({"threadId": "T", "sessionId": "S"})), codex(expected()));
        assert_eq!(session("codex-mcp-client", json!({"threadId": "S", "sessionId": ""})), codex(expected()));
        assert_eq!(session("codex-mcp-client", json!({"threadId": 7})), codex(None));
        let gemini = session("gemini-cli-mcp-client", json!({"threadId": "T"}));
        assert_eq!(gemini, Some(AgentSession { tool: "gemini", session: None }), "its process tells");
    }

    #[test]
    fn a_variable_of_an_outer_agent_is_not_the_clients() {
        let vars = env(&[("CLAUDE_CODE_SESSION_ID", "outer"), ("GEMINI_CLI", "1")]);
        let caller = |name| client(name, &json!({})).caller(&vars, &[above("gemini"), above("claude")]);
        assert_eq!(caller("gemini-cli-mcp-client"), Some(AgentSession { tool: "gemini", session: None }));
        let outer = AgentSession { tool: "claude", session: Some(session_digest("claude", "outer")) };
        assert_eq!(caller("claude-code"), Some(outer));
        assert_eq!(caller("inspector"), None, "the variables tell");
    }

    #[test]
    fn an_agent_that_nothing_shows_is_the_one_of_this_server() {
        let caller = |name| client(name, &json!({})).caller(&env(&[]), &[]).expect("somebody");
        assert_eq!(caller("gemini-cli-mcp-client"), caller("gemini-cli-mcp-client-aio"));
        assert!(caller("gemini-cli-mcp-client").session.is_some());
        assert_eq!(caller("inspector").tool, "mcp");
    }
}
