//! What an agent that we start must not inherit: the traces of an agent that runs us, by which it would be taken for
//! that one, and git's own idea of which repository is meant.
//!
//! What a user sets for an agent (keys, addresses, limits) passes: only what agents and git set themselves is named here.

use crate::host::git::TIES;
use std::ffi::OsString;

/// What agent CLIs tell to those they start, beside the traces that they are known by.
const OF_AGENTS: &[&str] = &[
    "AI_AGENT",
    "CLAUDE_PID",
    "CLAUDE_EFFORT",
    "CLAUDE_PROJECT_DIR",
    "CLAUDE_ENV_FILE",
    "CLAUDE_PLUGIN_ROOT",
    "CLAUDE_PLUGIN_DATA",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_CODE_SESSION_ATTENDED",
    "CLAUDE_CODE_MESSAGING_TOKEN",
    "CLAUDE_CODE_SSE_PORT",
    "CODEX_TOOL_CALL_ID",
    "CODEX_VERSION",
    "CODEX_SANDBOX",
    "CODEX_SANDBOX_NETWORK_DISABLED",
    "GEMINI_PROJECT_DIR",
    "GEMINI_CWD",
    "AMP_THREAD_ID",
    "AGENT_TOOL_NAME",
    "AGENT_TOOL_USE_ID",
    "OPENCODE_PID",
    "COPILOT_PROJECT_DIR",
    "COPILOT_HOOK_DIR",
];

/// What git gives to hooks, beside what ties it to a repository.
const OF_HOOKS: &[&str] = &["GIT_QUARANTINE_PATH", "GIT_REFLOG_ACTION"];

/// By which Gemini's shell keeps git from reading any settings. Somebody else who sets them means it.
const OF_GEMINI: &[&str] = &["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"];

/// What is ours and meant for this process alone.
const OURS: &[&str] = &["AIO_INSTANCE", "AIO_BYPASS", "AIO_PROBE"];

/// The names of all that is not handed on, `lookup` being the environment.
pub(super) fn not_for_agents(traces: &[&'static str], lookup: impl Fn(&str) -> Option<OsString>) -> Vec<OsString> {
    let in_gemini = lookup("GEMINI_CLI").is_some();
    let fixed = traces.iter().chain(OF_AGENTS).chain(TIES).chain(OF_HOOKS).chain(OURS);
    fixed.chain(OF_GEMINI.iter().filter(|_| in_gemini)).map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_settings_of_the_user_pass() {
        let names = not_for_agents(&["CLAUDECODE"], |_| None);
        let has = |name: &str| names.iter().any(|one| one == name);
        for gone in ["CLAUDECODE", "GIT_DIR", "GIT_INDEX_FILE", "AIO_BYPASS", "CODEX_SANDBOX"] {
            assert!(has(gone), "{gone}");
        }
        for kept in ["CODEX_HOME", "CLAUDE_CODE_MAX_RETRIES", "GEMINI_API_KEY", "GIT_AUTHOR_NAME", "GIT_CONFIG_GLOBAL"]
        {
            assert!(!has(kept), "{kept}");
        }
    }

    #[test]
    fn what_the_shell_of_gemini_hides_is_found_again() {
        let names = not_for_agents(&[], |name| (name == "GEMINI_CLI").then(|| "1".into()));
        assert!(names.iter().any(|name| name == "GIT_CONFIG_GLOBAL"));
    }
}
