//! The environment, which is read here and in the files of this folder, and nowhere else.
//!
//! It keeps the few variables we act on and lets go of the rest: an agent's environment holds secrets. Ids of agent
//! sessions are kept as digests only.

mod homes;
mod outer;

pub use homes::Homes;

use super::process::Ancestor;
use crate::base::{around::RunsAround, oid::Oid, turn::Turns, world::Time};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt::Write,
    path::{Path, PathBuf},
};

/// What we take from the environment, as it was when the process started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Env {
    /// `AIO_INSTANCE`: the instance that runs this command.
    pub instance: Option<String>,
    /// `AIO_RUN`: the runs that this is a part of. It is set for what an agent starts that a run has started.
    pub run: Option<RunsAround>,
    /// `AIO_BYPASS`: the guards are to let this pass.
    pub bypass: bool,
    /// `AIO_PROBE`: `doctor` tries a fence out and wants to be told that it fired.
    pub probe: Option<String>,
    /// `GIT_SSH_COMMAND`: how git calls ssh.
    pub ssh_command: Option<String>,
    /// Whether `GIT_SSH` names a program that git is to call instead of ssh.
    pub ssh_program: bool,
    /// `GIT_DIR`, absolute.
    pub git_dir: Option<PathBuf>,
    /// `GIT_WORK_TREE`, absolute.
    pub git_work_tree: Option<PathBuf>,
    /// `GIT_INDEX_FILE`, absolute: in a hook it may be a temporary index.
    pub git_index_file: Option<PathBuf>,
    /// `GIT_COMMON_DIR`, absolute.
    pub git_common_dir: Option<PathBuf>,
    /// `GIT_CONFIG_PARAMETERS`, by which `git -c` hands settings on: those that are ours, each `key=value`, or `key` alone,
    /// which is true.
    pub settings: Vec<String>,
    /// `GITHEAD_<commit>`: what `git merge` is about to merge. Its hook runs before `MERGE_HEAD` is written.
    pub merging: Vec<Oid>,
    /// `CLAUDE_PROJECT_DIR`: the folder that Claude Code works in.
    pub claude_project: Option<PathBuf>,
    /// Where programs keep what they can make again: `XDG_CACHE_HOME`, or what the system has for it.
    pub cache_home: Option<PathBuf>,
    /// `AIO_TEST_NOW`, in debug builds: the time at which the clock stands.
    pub frozen_time: Option<Time>,
    /// `AIO_TEST_SEED`, in debug builds: what random bytes are made from.
    pub seed: Option<u64>,
    /// `AIO_TEST_TOP`, in debug builds: the process above which no ancestor is looked for, itself included. A test
    /// must not see that an agent runs it.
    pub top: Option<u32>,
    /// `AIO_TEST_KILL_AT`, in debug builds: the step at which the process ends as if killed.
    pub kill_at: Option<String>,
    /// `AIO_TEST_TURN`, in debug builds: `off`, and nobody gets a turn to write; `lying`, and everybody does at once.
    pub turns: Option<Turns>,
    /// Every agent CLI that left a trace. Nested agents inherit the variables of the outer ones, so there may be
    /// several; [`innermost`] tells which one runs us.
    pub sessions: Vec<AgentSession>,
}

/// What a stand-in for a user's shell gets of our environment, beside the PATH: where temporary files go, what a system
/// needs to start programs at all, and what must reach the programs in it: the bypass, so that whoever exported it sees
/// what it does, and the end of the world of a test.
pub(super) const STAND_INS_KEEP: &[&str] =
    &["TMPDIR", "LD_LIBRARY_PATH", "SystemRoot", "TEMP", "TMP", "PATHEXT", "AIO_BYPASS", "AIO_TEST_TOP"];

/// What is left of the environment for stand-ins.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]
pub(super) fn for_stand_ins() -> Vec<(&'static str, OsString)> {
    STAND_INS_KEEP.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))).collect()
}

/// Where programs are looked for.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]
pub(super) fn path() -> Option<OsString> {
    std::env::var_os("PATH")
}

/// Where agent CLIs are looked for: where programs are, or in a debug build where `AIO_TEST_PATH` says.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]
pub(super) fn path_of_agents() -> OsString {
    let of_tests = cfg!(debug_assertions).then(|| std::env::var_os("AIO_TEST_PATH")).flatten();
    of_tests.or_else(path).unwrap_or_default()
}

/// The names of the variables that an agent must not inherit from us.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]
pub(super) fn not_for_agents() -> Vec<OsString> {
    let traces: Vec<_> = AGENTS.iter().flat_map(Traces::variables).collect();
    outer::not_for_agents(&traces, |name| std::env::var_os(name))
}

/// `AIO_RUN`: the runs of agents that we are a part of.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]
pub(super) fn runs() -> Option<String> {
    std::env::var_os("AIO_RUN")?.into_string().ok()
}

/// Where a user's programs keep what can be made again: `XDG_CACHE_HOME`, or `.cache` in a home.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]
pub(super) fn cache() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))
}

/// Whether Gemini is told to trust the folder that it is started in.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]
pub(super) fn trusts_gemini() -> bool {
    std::env::var_os("GEMINI_CLI_TRUST_WORKSPACE").is_some_and(|value| value == "true")
}

/// Whether Copilot is told to trust the folder that it is started in.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]
pub(super) fn trusts_copilot() -> bool {
    std::env::var_os("COPILOT_ALLOW_ALL").is_some_and(|value| value == "true")
}

/// The folder of this program.
pub fn own_folder() -> Option<PathBuf> {
    std::env::current_exe().ok()?.parent().map(Path::to_owned)
}

/// The trace of one agent CLI in the environment: we run inside it, or inside something that it started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSession {
    /// The agent CLI.
    pub tool: &'static str,
    /// Its session, as [`session_digest`] makes it; `None` where it is there but doesn't say.
    pub session: Option<String>,
}

/// How an agent CLI makes itself known to the commands it runs.
struct Traces {
    tool: &'static str,
    /// Variables that hold the id of the session; the first that is set counts.
    sessions: &'static [&'static str],
    /// A variable that proves presence, and the value it must have, if any.
    marker: (&'static str, Option<&'static str>),
}

/// Codex stands first: its sandbox hides who our ancestors are, so that it can only win by this order.
const AGENTS: &[Traces] = &[
    Traces { tool: "codex", sessions: &["CODEX_SESSION_ID", "CODEX_THREAD_ID"], marker: ("CODEX_CI", None) },
    Traces { tool: "claude", sessions: &["CLAUDE_CODE_SESSION_ID"], marker: ("CLAUDECODE", None) },
    Traces { tool: "gemini", sessions: &["GEMINI_SESSION_ID"], marker: ("GEMINI_CLI", None) },
    Traces { tool: "amp", sessions: &["AGENT_THREAD_ID", "AMP_CURRENT_THREAD_ID"], marker: ("AGENT", Some("amp")) },
    // Its own variables name no session; the plugin that `git aio init` installs sets this one.
    Traces { tool: "opencode", sessions: &["OPENCODE_SESSION_ID"], marker: ("OPENCODE", None) },
    Traces { tool: "copilot", sessions: &["COPILOT_AGENT_SESSION_ID"], marker: ("COPILOT_CLI", None) },
    Traces { tool: "cursor", sessions: &["CURSOR_CONVERSATION_ID"], marker: ("CURSOR_AGENT", None) },
    Traces { tool: "goose", sessions: &["AGENT_SESSION_ID"], marker: ("GOOSE_TERMINAL", None) },
];

/// The variables by which an agent CLI is known to be there.
pub fn variables_of(tool: &str) -> Vec<&'static str> {
    AGENTS.iter().filter(|traces| traces.tool == tool).flat_map(Traces::variables).collect()
}

impl Env {
    /// The environment of this process.
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]
    pub fn read() -> Env {
        let dir = std::env::current_dir().unwrap_or_default();
        // One walk through all variables, where each look-up would be another: agents set hundreds.
        let all: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        let merging = all.keys().filter_map(|name| merging(name.to_str()?)).collect();
        Env { merging, ..Env::from_lookup(&dir, |name| all.get(OsStr::new(name)).cloned()) }
    }

    /// An environment given as a function from name to value, for a process in `dir`.
    pub fn from_lookup(dir: &Path, lookup: impl Fn(&str) -> Option<OsString>) -> Env {
        let set = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let text = |name: &str| set(name).and_then(|value| value.into_string().ok());
        let path = |name: &str| set(name).map(|value| dir.join(value));
        Env {
            instance: text("AIO_INSTANCE"),
            run: text("AIO_RUN").as_deref().map(RunsAround::parse),
            bypass: set("AIO_BYPASS").is_some_and(|value| value != "0"),
            probe: text("AIO_PROBE"),
            ssh_command: text("GIT_SSH_COMMAND"),
            ssh_program: set("GIT_SSH").is_some(),
            git_dir: path("GIT_DIR"),
            git_work_tree: path("GIT_WORK_TREE"),
            git_index_file: path("GIT_INDEX_FILE"),
            git_common_dir: path("GIT_COMMON_DIR"),
            settings: text("GIT_CONFIG_PARAMETERS").map_or_else(Vec::new, |text| our_settings(&text)),
            merging: Vec::new(),
            claude_project: path("CLAUDE_PROJECT_DIR"),
            cache_home: cache_home(|name| set(name).map(PathBuf::from).filter(|path| path.is_absolute())),
            frozen_time: for_tests(&text, "AIO_TEST_NOW"),
            seed: for_tests(&text, "AIO_TEST_SEED"),
            top: for_tests(&text, "AIO_TEST_TOP"),
            kill_at: for_tests(&text, "AIO_TEST_KILL_AT"),
            turns: for_tests(&text, "AIO_TEST_TURN"),
            sessions: AGENTS.iter().filter_map(|traces| traces.find(&text)).collect(),
        }
    }
}

impl Traces {
    fn variables(&self) -> impl Iterator<Item = &'static str> {
        self.sessions.iter().copied().chain([self.marker.0])
    }

    fn find(&self, text: &impl Fn(&str) -> Option<String>) -> Option<AgentSession> {
        let session = self.sessions.iter().find_map(|name| text(name)).map(|id| session_digest(self.tool, &id));
        let (marker, wanted) = self.marker;
        let marked = text(marker).is_some_and(|value| wanted.is_none_or(|wanted| value == wanted));
        (marked || session.is_some()).then_some(AgentSession { tool: self.tool, session })
    }
}

/// The commit in the name of a variable by which git tells its merge what it merges.
fn merging(variable: &str) -> Option<Oid> {
    variable.strip_prefix("GITHEAD_")?.parse().ok()
}

/// The settings of ours in what `git -c` wrote: words of a shell, `'aio.guard'='warn'`, and of an older git
/// `'aio.guard=warn'`. What can't be read is not for us: git itself has refused it.
fn our_settings(text: &str) -> Vec<String> {
    let words = shlex::split(text).unwrap_or_default();
    let ours = words.into_iter().filter(|word| word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aio.")));
    ours.map(|word| match word.strip_suffix('=') {
        // No value at all means true, and an empty one is written as such.
        Some(key) if text.contains(&format!("'{key}'=")) && !text.contains(&format!("'{key}'=''")) => key.to_owned(),
        _ => word,
    })
    .collect()
}

fn cache_home(set: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    set("XDG_CACHE_HOME").or_else(|| match () {
        () if cfg!(windows) => set("LOCALAPPDATA"),
        () if cfg!(target_os = "macos") => Some(set("HOME")?.join("Library/Caches")),
        () => Some(set("HOME")?.join(".cache")),
    })
}

/// A value that only a debug build takes. A test that sets one it can't mean must not pass by luck.
fn for_tests<T: std::str::FromStr>(text: &impl Fn(&str) -> Option<String>, name: &str) -> Option<T> {
    if !cfg!(debug_assertions) {
        return None;
    }
    text(name).map(|value| value.parse().unwrap_or_else(|_| panic!("{name}={value} can't be read")))
}

/// The agent session that runs us: that of the innermost agent among our ancestors, who may well be one that says
/// nothing of its session. Where no ancestor is known to be an agent, the first in the order of the table.
pub fn innermost<'a>(sessions: &'a [AgentSession], ancestors: &[Ancestor]) -> Option<&'a AgentSession> {
    match ancestors.iter().find_map(|ancestor| ancestor.agent) {
        Some(tool) => sessions.iter().find(|session| session.tool == tool),
        None => sessions.first(),
    }
}

/// A name for the session `id` of `tool`, by which two sightings of it are found to be the same and from which the id
/// itself can't be had: `claude:0f3a…`. The tool `person` and an email address name a person.
pub fn session_digest(tool: &str, id: &str) -> String {
    let mut digest = format!("{tool}:");
    for byte in &Sha256::digest(id.as_bytes())[..8] {
        let _ = write!(digest, "{byte:02x}");
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::process::ProcessMark;

    fn env(vars: &[(&str, &str)]) -> Env {
        Env::from_lookup(Path::new("/here"), |name| {
            vars.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value))
        })
    }

    fn ancestor(agent: Option<&'static str>) -> Ancestor {
        let mark = ProcessMark { pid: 1, start: String::new(), boot: String::new(), namespace: String::new() };
        Ancestor { mark, agent, name: String::new(), transient: false }
    }

    #[test]
    fn git_paths_are_absolute_and_empty_ones_are_unset() {
        let env = env(&[("GIT_DIR", ".git"), ("GIT_INDEX_FILE", "/tmp/index"), ("GIT_WORK_TREE", "")]);
        assert_eq!(env.git_dir, Some(Path::new("/here").join(".git")));
        assert_eq!(env.git_index_file, Some(PathBuf::from("/tmp/index")));
        assert_eq!(env.git_work_tree, None);
    }

    #[test]
    fn settings_of_the_command_line_are_told_if_they_are_ours() {
        let told = |text| env(&[("GIT_CONFIG_PARAMETERS", text)]).settings;
        assert_eq!(told("'core.editor'='vi' 'aio.guard'='warn' 'AIO.fsync'="), ["aio.guard=warn", "AIO.fsync"]);
        assert_eq!(
            told(r"'aio.guard=off' 'aio.staleAfter'='' 'aio.x'='it'\''s '\!' = b'"),
            ["aio.guard=off", "aio.staleAfter=", "aio.x=it's ! = b"]
        );
        assert_eq!(told("'aio.guard'='warn"), [""; 0], "cut off");
        assert_eq!(told(""), [""; 0]);
    }

    #[test]
    fn a_merge_is_told_in_the_name_of_a_variable() {
        let commit = "e9ed8233abb7f80cf1c3d9766f42c620244c192f";
        assert_eq!(merging(&format!("GITHEAD_{commit}")), commit.parse().ok());
        assert_eq!(merging("GITHEAD_main"), None);
        assert_eq!(merging("GIT_DIR"), None);
    }

    #[test]
    fn a_bypass_is_anything_but_empty_and_zero() {
        for (value, bypass) in [("1", true), ("yes", true), ("0", false), ("", false)] {
            assert_eq!(env(&[("AIO_BYPASS", value)]).bypass, bypass, "{value:?}");
        }
    }

    #[test]
    fn each_agent_is_known_by_its_traces() {
        let found = |vars: &[(&str, &str)]| {
            env(vars).sessions.iter().map(|s| (s.tool, s.session.is_some())).collect::<Vec<_>>()
        };
        assert_eq!(found(&[("CLAUDE_CODE_SESSION_ID", "x"), ("CLAUDECODE", "1")]), [("claude", true)]);
        assert_eq!(found(&[("CODEX_THREAD_ID", "x")]), [("codex", true)]);
        assert_eq!(found(&[("GEMINI_CLI", "1")]), [("gemini", false)]);
        assert_eq!(found(&[("AGENT", "amp"), ("AGENT_THREAD_ID", "T-1")]), [("amp", true)]);
        assert_eq!(found(&[("AGENT", "1"), ("OPENCODE", "1")]), [("opencode", false)]);
        assert_eq!(found(&[("AGENT_SESSION_ID", "x")]), [("goose", true)]);
        assert_eq!(found(&[("EDITOR", "claude")]), []);
    }

    #[test]
    fn the_innermost_ancestor_decides_between_nested_agents() {
        let env = env(&[("CLAUDE_CODE_SESSION_ID", "outer"), ("GEMINI_CLI", "1")]);
        let by = |agents: &[Option<&'static str>]| {
            let ancestors: Vec<_> = agents.iter().map(|agent| ancestor(*agent)).collect();
            innermost(&env.sessions, &ancestors).map(|session| session.tool)
        };
        assert_eq!(by(&[None, Some("gemini"), Some("claude")]), Some("gemini"));
        assert_eq!(by(&[Some("claude")]), Some("claude"));
        assert_eq!(by(&[Some("aider"), Some("claude")]), None, "the session of the outer agent is not the inner's");
        assert_eq!(by(&[None]), Some("claude"));
    }

    #[test]
    fn a_session_id_is_not_kept() {
        let env = env(&[("CLAUDE_CODE_SESSION_ID", "a2e4ebd4-secret")]);
        assert!(!format!("{env:?}").contains("secret"));
        assert_eq!(session_digest("claude", "a"), session_digest("claude", "a"));
        assert_ne!(session_digest("claude", "a"), session_digest("claude", "b"));
        assert_eq!(session_digest("claude", "a").len(), "claude:".len() + 16);
    }
}
