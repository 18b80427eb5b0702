//! A machine for one test: its own HOME, its own git configuration, no agent above, and a folder that goes with it.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_git-aio");

/// A machine for one test.
pub struct TestEnvironment {
    root: TempDir,
    /// Variables that every command gets.
    vars: Vec<(String, String)>,
}

/// A repository on it.
pub struct Repo<'e> {
    /// The machine.
    pub env: &'e TestEnvironment,
    /// The root of its work tree.
    pub dir: PathBuf,
}

/// How git is asked to lay a repository out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refs {
    /// Loose files and packed-refs.
    Files,
    /// One table.
    Reftable,
}

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// What it answered.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
    /// Its exit code; 128 and the number if a signal ended it.
    pub code: i32,
}

impl Ended {
    /// As a terminal shows it: the answer, what was said after `!`, and how it ended unless that was well.
    pub fn shown(&self) -> String {
        let said = self.stderr.lines().map(|line| format!("! {line}\n"));
        let code = if self.code == 0 { String::new() } else { format!("[exit {}]\n", self.code) };
        format!("{}{}{code}", self.stdout, said.collect::<String>())
    }
}

impl TestEnvironment {
    /// A new machine.
    pub fn new() -> Self {
        let root = tempfile::Builder::new().prefix("git-aio-test-").tempdir().unwrap();
        // A work tree by its real path, so that what is printed can be compared.
        fs::create_dir(root.path().join("home")).unwrap();
        TestEnvironment { root, vars: Vec::new() }
    }

    /// The folder of the machine.
    pub fn path(&self) -> PathBuf {
        fs::canonicalize(self.root.path()).unwrap()
    }

    /// Sets a variable for all commands from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.vars.push((name.into(), value.into()));
    }

    /// A command that sees nothing but this machine.
    pub fn command(&self, program: impl AsRef<OsStr>, dir: &Path) -> Command {
        let mut command = Command::new(program);
        let bin = Path::new(PROGRAM).parent().unwrap();
        let ours = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{}:{ours}", self.path().join("bin").display(), bin.display());
        command.env_clear().current_dir(dir).stdin(Stdio::null());
        command.env("PATH", path).env("HOME", self.path().join("home")).env("LC_ALL", "C").env("TZ", "UTC");
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "Ann")
            .env("GIT_AUTHOR_EMAIL", "ann@example.org");
        command.env("GIT_COMMITTER_NAME", "Ann").env("GIT_COMMITTER_EMAIL", "ann@example.org");
        command.env("GIT_TERMINAL_PROMPT", "0");
        // Whoever runs the tests, it is not who runs the commands in them.
        command.env("AIO_TEST_TOP", std::process::id().to_string());
        // Nor is an agent here that is installed where the tests are run.
        command.env("AIO_TEST_PATH", self.path().join("bin"));
        command.envs(self.vars.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Makes a repository called `name` with one commit of `files`.
    pub fn repo_with(&self, name: &str, refs: Refs, format: &str, files: &[(&str, &str)]) -> Repo<'_> {
        let dir = self.path().join(name);
        fs::create_dir_all(&dir).unwrap();
        let repo = Repo { env: self, dir };
        let backend = match refs {
            Refs::Files => "--ref-format=files",
            Refs::Reftable => "--ref-format=reftable",
        };
        repo.git(&["init", "-q", "-b", "main", backend, &format!("--object-format={format}")]);
        // Waiting for the disk is measured elsewhere; thousands of processes would wait for each other here.
        repo.git(&["config", "aio.fsync", "false"]);
        for (path, text) in files {
            repo.write(path, text);
        }
        repo.git(&["add", "-A"]);
        repo.git(&["commit", "-q", "--allow-empty", "-m", "begin"]);
        repo
    }

    /// A repository with a few files, as most tests need it.
    pub fn repo(&self) -> Repo<'_> {
        let files = [
            ("README.md", "# demo\n"),
            ("src/auth/login.rs", "fn login() {}\n"),
            ("src/auth/token.rs", "fn token() {}\n"),
            ("src/deep/x.test.ts", "test\n"),
            ("src/main.rs", "fn main() {}\n"),
        ];
        self.repo_with("demo", Refs::Files, "sha1", &files)
    }
}

impl Repo<'_> {
    /// Runs git, which has to succeed, and returns what it printed.
    pub fn git(&self, args: &[&str]) -> String {
        let ended = run(self.env.command("git", &self.dir).args(args));
        assert_eq!(ended.code, 0, "git {args:?}: {}{}", ended.stdout, ended.stderr);
        ended.stdout
    }

    /// Runs git, however it ends.
    pub fn try_git(&self, args: &[&str]) -> Ended {
        run(self.env.command("git", &self.dir).args(args))
    }

    /// Runs git as an instance, however it ends.
    pub fn try_git_as(&self, instance: &str, args: &[&str]) -> Ended {
        run(self.env.command("git", &self.dir).env("AIO_INSTANCE", instance).args(args))
    }

    /// A command of ours, not yet run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.env.command(PROGRAM, &self.dir);
        command.args(args);
        command
    }

    /// Runs a command of ours, however it ends.
    pub fn aio(&self, args: &[&str]) -> Ended {
        run(&mut self.command(args))
    }

    /// Runs a command of ours as an instance, however it ends.
    pub fn aio_as(&self, instance: &str, args: &[&str]) -> Ended {
        run(self.command(args).env("AIO_INSTANCE", instance))
    }

    /// Runs a command of ours that has to succeed.
    pub fn ok(&self, args: &[&str]) -> String {
        let ended = self.aio(args);
        assert_eq!(ended.code, 0, "git aio {args:?}: {}{}", ended.stdout, ended.stderr);
        ended.stdout
    }

    /// Runs a command of ours as an instance; it has to succeed.
    pub fn ok_as(&self, instance: &str, args: &[&str]) -> String {
        let ended = self.aio_as(instance, args);
        assert_eq!(ended.code, 0, "git aio {args:?}: {}{}", ended.stdout, ended.stderr);
        ended.stdout
    }

    /// Runs a command of ours as an instance, with the clock standing at `now`, however it ends.
    pub fn aio_at(&self, now: &str, instance: &str, args: &[&str]) -> Ended {
        run(self.command(args).env("AIO_INSTANCE", instance).env("AIO_TEST_NOW", now))
    }

    /// Runs a command of ours that answers in JSON, whether it succeeds or not.
    pub fn json_as(&self, instance: &str, args: &[&str]) -> serde_json::Value {
        let ended = self.aio_as(instance, &[args, &["--json"]].concat());
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("git aio {args:?}: {error}: {ended:?}"))
    }

    /// Registers an instance and returns its id.
    pub fn register(&self, tool: &str) -> String {
        self.ok(&["register", tool]).trim().to_owned()
    }

    /// Writes a file of the work tree.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// How many operations the store has seen.
    pub fn operations(&self) -> usize {
        self.git(&["rev-list", "--count", "refs/aio/state"]).trim().parse().unwrap()
    }

    /// A terminal session: each command with its answer, what it said, and how it ended. Words that differ from run to
    /// run (ids, ages, the folder) are replaced by fixed ones.
    pub fn session(&self, instance: Option<&str>, commands: &[&[&str]]) -> String {
        let mut text = String::new();
        for args in commands {
            let mut command = self.command(args);
            if let Some(instance) = instance {
                command.env("AIO_INSTANCE", instance);
            }
            let _ = write!(text, "$ git aio {}\n{}", args.join(" "), run(&mut command).shown());
        }
        self.steady(&text)
    }

    /// A terminal session in which several take turns, with the clock standing at `now`: who, and what it runs. The
    /// prompt says whose turn it is.
    pub fn turns(&self, now: &str, turns: &[(&str, &[&str])]) -> String {
        let mut text = String::new();
        for (who, args) in turns {
            let _ = write!(text, "{who}$ git aio {}\n{}", args.join(" "), self.aio_at(now, who, args).shown());
        }
        self.steady(&text)
    }

    /// `text` with what differs from run to run made the same: hex ids become `HEX`, the random end of instance ids
    /// becomes `tool-1`, `tool-2` … in order of appearance, the folder of the machine `~`.
    pub fn steady(&self, text: &str) -> String {
        let text = text.replace(&self.env.path().display().to_string(), "~");
        let mut ids: Vec<String> = Vec::new();
        let mut out = String::new();
        for (word, gap) in words(&text) {
            let short_id = gap.starts_with("  ") && (4..=8).contains(&word.len()) && is_hex(word);
            out.push_str(&if short_id { "HEX".into() } else { steady_word(word, &mut ids) });
            out.push_str(gap);
        }
        out
    }
}

/// Words of `text` (letters, digits, `-`), each with what follows it up to the next.
fn words(text: &str) -> Vec<(&str, &str)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let next = after.find(is_word).unwrap_or(after.len());
        let (gap, after) = after.split_at(next);
        found.push((word, gap));
        rest = after;
    }
    found
}

fn steady_word(word: &str, ids: &mut Vec<String>) -> String {
    let parts: Vec<&str> = word.rsplitn(3, '-').collect();
    if let [end, seconds, tool] = parts[..]
        && is_hex(end)
        && end.len() == 4
        && seconds.len() == 10
        && seconds.bytes().all(|b| b.is_ascii_digit())
    {
        let at = ids.iter().position(|id| id == word).unwrap_or_else(|| {
            ids.push(word.into());
            ids.len() - 1
        });
        return format!("{tool}-{}", at + 1);
    }
    match word {
        id if id.starts_with("handoff-") && is_hex(&id[8..]) && id.len() == 20 => "handoff-HEX".into(),
        id if is_hex(id) && (id.len() >= 8 || id.len() == 4) => "HEX".into(),
        age if age.len() >= 2 && age.ends_with('s') && age[..age.len() - 1].bytes().all(|b| b.is_ascii_digit()) => {
            "0s".into()
        }
        other => other.into(),
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
}

/// Where programs are looked for, without the folders that hold ours.
pub fn path_without_us() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':').filter(|dir| !Path::new(dir).join("git-aio").exists()).collect::<Vec<_>>().join(":")
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    ended(&output)
}

/// How a process ended.
pub fn ended(output: &Output) -> Ended {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
    #[cfg(not(unix))]
    let signal: Option<i32> = None;
    Ended {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code().unwrap_or_else(|| 128 + signal.unwrap_or(0)),
    }
}
