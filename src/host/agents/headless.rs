//! An agent CLI without a person: how it is started for one piece of work, and what it tells while it is at it.
//!
//! What holds for one CLI stands in its own file; here is what is the same for all. Each is given its prompt on standard
//! input, where it has no length and is not seen by others of the machine, and answers with a line of JSON for each thing
//! it does. Neither its exit code nor the last of these lines alone tells how it ended, so all of them are read.
//!
//! An agent that may write edits and runs commands without asking: the fences are what holds it back. One that may not
//! write has no tool to do so, as far as its CLI lets that be said.
//!
//! No folder is trusted in the user's place: where a CLI wants that, its own answer says so, or hooks of the repository
//! don't run, as they wouldn't for the user. Only a linked work tree is given the trust that the user has in the main one,
//! since it holds the same repository.

mod reader;

pub(super) use reader::{Act, Stream, text};
pub use reader::{Reader, Told, Usage};

use super::{Agent, amp, claude, codex, copilot, gemini, opencode};
use crate::host::{env, install::agent::is_trusted};
use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Where a tool of one's own wants to have the task.
const PROMPT: &str = "{prompt}";

/// A piece of work for an agent.
#[derive(Debug, Clone, Copy)]
pub struct Errand<'a> {
    /// What it is told.
    pub prompt: &'a str,
    /// What it is given to read beside that.
    pub stdin: Option<&'a [u8]>,
    /// The folder it works in.
    pub dir: &'a Path,
    /// Whether it may change files and run commands.
    pub may_write: bool,
    /// The common git directory of the repository, in which it has to write to commit and to claim.
    pub git_dir: &'a Path,
    /// A file with the JSON schema that its answer is to have. Only for tools that take one.
    pub schema: Option<&'a Path>,
    /// The session that goes on, as [`Told::session`] names it; a new one where there is none.
    pub resume: Option<&'a str>,
    /// The instance that it is; empty for none.
    pub instance: &'a str,
}

/// Who can be given work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tool {
    /// An agent CLI that is known.
    Agent(Agent),
    /// A command that a user has configured; what it prints is its answer.
    Command {
        /// What it is called.
        name: String,
        /// The program and its arguments. `{prompt}` in one of them stands for the task, which goes to standard input
        /// where none has it.
        words: Vec<String>,
    },
    /// A line of shell, which is told nothing; what it prints is its answer.
    Shell {
        /// The line.
        line: String,
    },
}

impl Errand<'_> {
    /// Whether the user trusts the main work tree, and has not said so for this one.
    pub(super) fn inherits_trust(&self, agent: Agent) -> bool {
        self.inherits(|folder| is_trusted(agent, folder))
    }

    fn inherits(&self, is_trusted: impl Fn(&Path) -> bool) -> bool {
        let main = self.git_dir.file_name().filter(|name| *name == ".git").and(self.git_dir.parent());
        main.is_some_and(|main| is_trusted(main) && !is_trusted(self.dir))
    }
}

/// How a process is to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The program.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables that it gets beside ours.
    pub env: Vec<(OsString, OsString)>,
    /// Variables of ours that it doesn't get.
    pub removed: Vec<OsString>,
    /// What it reads.
    pub stdin: Vec<u8>,
    /// How it is asked to end.
    pub end: EndSignal,
}

/// The signal by which a program ends in an orderly way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndSignal {
    /// As Ctrl-C does it.
    Interrupt,
    /// As whoever shuts a machine down does it.
    Terminate,
}

/// What a CLI needs to be started with, beside what all get.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) args: Vec<OsString>,
    pub(super) env: Vec<(OsString, OsString)>,
}

impl Words {
    pub(super) fn new<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Words {
        Words::default().and(args)
    }

    pub(super) fn and<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Words {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Words {
        self.env.push((name.into(), value.into()));
        self
    }
}

impl Tool {
    /// The tool of this name: one that is configured by these words, or else an agent CLI that is known.
    pub fn find(name: &str, words: &[String]) -> Option<Tool> {
        if !words.is_empty() {
            return Some(Tool::Command { name: name.to_owned(), words: words.to_vec() });
        }
        Agent::ALL.into_iter().find(|agent| agent.as_str() == name).map(Tool::Agent)
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        match self {
            Tool::Agent(agent) => agent.as_str(),
            Tool::Command { name, .. } => name,
            Tool::Shell { .. } => "sh",
        }
    }

    /// Whether it can be told the shape of its answer.
    pub fn takes_schema(&self) -> bool {
        matches!(self, Tool::Agent(Agent::Claude | Agent::Codex))
    }

    /// Whether it can go on with a session of before.
    pub fn resumes(&self) -> bool {
        matches!(self, Tool::Agent(_))
    }

    /// Whether its CLI itself keeps it from writing where it may not. Of the others one sees afterwards what they did.
    pub fn is_held(&self) -> bool {
        matches!(self, Tool::Agent(agent) if *agent != Agent::Amp)
    }

    /// Whether it can read a file in the git directory, wherever it works. Gemini's own tools can't, and without a scope it
    /// has no others; OpenCode can't from a work tree that lies elsewhere.
    pub fn reads_git_dir(&self) -> bool {
        !matches!(self, Tool::Agent(Agent::Gemini | Agent::OpenCode))
    }

    /// Whether its program is here.
    pub fn is_installed(&self) -> bool {
        found(self.program()).is_some()
    }

    /// The least time between two starts, unless the user says otherwise.
    pub fn default_stagger(&self) -> Duration {
        match self {
            Tool::Agent(Agent::Gemini) => Duration::from_secs(1),
            _ => Duration::ZERO,
        }
    }

    /// How it is started for this errand.
    ///
    /// # Errors
    /// When the schema can't be read, or what keeps the tool from writing can't be written.
    pub fn invocation(&self, errand: &Errand<'_>) -> io::Result<Invocation> {
        let Words { args, env } = match self {
            Tool::Agent(Agent::Claude) => claude::start(errand)?,
            Tool::Agent(Agent::Codex) => codex::start(errand),
            Tool::Agent(Agent::Gemini) => gemini::start(errand)?,
            Tool::Agent(Agent::Amp) => amp::start(errand),
            Tool::Agent(Agent::OpenCode) => opencode::start(errand),
            Tool::Agent(Agent::Copilot) => copilot::start(errand),
            Tool::Shell { line } => Words::new(["-c", line]),
            Tool::Command { words, .. } => {
                Words::new(words.iter().skip(1).map(|word| word.replacen(PROMPT, errand.prompt, 1)))
            }
        };
        let mut env = env;
        let mut removed = env::not_for_agents();
        match errand.instance {
            // Who is nobody in particular is not to be taken for whoever has started it.
            "" => removed.push("AIO_INSTANCE".into()),
            instance => env.push(("AIO_INSTANCE".into(), instance.into())),
        }
        let program = self.program();
        Ok(Invocation {
            program: found(program).map_or_else(|| program.into(), PathBuf::into_os_string),
            args,
            env,
            removed,
            stdin: self.stdin(errand),
            end: if *self == Tool::Agent(Agent::Codex) { EndSignal::Interrupt } else { EndSignal::Terminate },
        })
    }

    /// What hears it, when it works in `dir`.
    pub fn reader(&self, dir: &Path) -> Reader {
        let hear = match self {
            Tool::Agent(Agent::Claude) => claude::hear,
            Tool::Agent(Agent::Codex) => codex::hear,
            Tool::Agent(Agent::Gemini) => gemini::hear,
            Tool::Agent(Agent::Amp) => amp::hear,
            Tool::Agent(Agent::OpenCode) => opencode::hear,
            Tool::Agent(Agent::Copilot) => copilot::hear,
            Tool::Command { .. } | Tool::Shell { .. } => return Reader::of_text(dir),
        };
        let meaning = match self {
            Tool::Agent(Agent::Gemini) => gemini::meaning,
            Tool::Agent(Agent::Codex) => codex::meaning,
            _ => |_| None,
        };
        Reader::of_events(dir, hear, meaning)
    }

    fn program(&self) -> &str {
        match self {
            Tool::Agent(agent) => agent.as_str(),
            Tool::Command { name, words } => words.first().unwrap_or(name),
            Tool::Shell { .. } => "sh",
        }
    }

    fn stdin(&self, errand: &Errand<'_>) -> Vec<u8> {
        let beside = errand.stdin.unwrap_or_default();
        if let Tool::Shell { .. } = self {
            return beside.to_vec();
        }
        let takes_word = matches!(self, Tool::Command { words, .. } if words.iter().any(|word| word.contains(PROMPT)));
        if takes_word {
            return beside.to_vec();
        }
        let mut stdin = errand.prompt.as_bytes().to_vec();
        if !beside.is_empty() {
            // Some take nothing but UTF-8.
            stdin.extend(format!("\n\n<stdin>\n{}\n</stdin>\n", String::from_utf8_lossy(beside)).as_bytes());
        }
        stdin
    }
}

/// Where a shell would find a program.
fn found(program: &str) -> Option<PathBuf> {
    if Path::new(program).components().count() > 1 {
        return Some(PathBuf::from(program)).filter(|path| path.is_file());
    }
    let path = env::path_of_agents();
    let ours = env::path().unwrap_or_default();
    let is_agent = Agent::ALL.iter().any(|agent| agent.as_str() == program);
    let folders = if is_agent { &path } else { &ours };
    std::env::split_paths(folders).map(|folder| folder.join(program)).find(|path| is_executable(path))
}

#[cfg(unix)]
pub(in crate::host) fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
pub(in crate::host) fn is_executable(path: &Path) -> bool {
    ["exe", "cmd"].iter().any(|extension| path.with_added_extension(extension).is_file())
}

#[cfg(test)]
mod tests;
