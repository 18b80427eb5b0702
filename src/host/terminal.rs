//! A shell of its own, into which commands are typed one after the other, as a person or an agent CLI does it.
//!
//! Commands run in a clean environment: none of the user's settings of git, none of an agent's variables, and first on
//! the PATH the folder of this program. The shell runs a script that bears the name of the terminal, so that one called
//! `claude` is found to be an agent CLI by the commands that run in it, and its end to be the end of that agent.

use super::env;
use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
};

/// Runs what it reads, a line at a time, and ends each answer with a record separator and the exit code.
const SCRIPT: &str = r#"# Stands in for a person or an agent CLI: runs the commands it is given.
exec 2>&1
while IFS= read -r typed; do
  eval "$typed" </dev/null
  printf '\036%s\n' "$?"
done
"#;

/// The byte that ends an answer. No program of ours or of git prints it.
const END: u8 = 0x1e;

/// A shell.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    /// `None` once the shell has ended.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// What a command said, on both streams, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its words.
    pub text: String,
    /// Its exit code, or that of the shell where it ended with the command; 128 and the number of a signal.
    pub exit: i32,
}

impl Terminal {
    /// Opens a terminal called `name` in the folder `dir`, with `home` as home. Its script is put into `home`.
    ///
    /// # Errors
    /// When there is no POSIX shell, or the script can't be written.
    pub fn open(name: &str, dir: &Path, home: &Path) -> io::Result<Terminal> {
        let script = home.join(name);
        fs::write(&script, SCRIPT)?;
        #[expect(clippy::disallowed_methods, reason = "a shell is needed")]
        let mut command = Command::new("sh");
        command.arg(script).current_dir(dir).env_clear().envs(env::for_stand_ins()).env("PATH", path()?);
        command.env("HOME", home).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let output = child.stdout.take().map(BufReader::new).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Terminal { input: child.stdin.take(), child, output })
    }

    /// Runs a command, which is one line, to its end. One that ends the shell itself is the last.
    ///
    /// # Errors
    /// When the shell has ended before.
    pub fn run(&mut self, command: &str) -> io::Result<Answer> {
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(input, "{command}")?;
        input.flush()?;
        let (mut said, mut exit) = (Vec::new(), String::new());
        self.output.read_until(END, &mut said)?;
        if said.pop_if(|last| *last == END).is_none() {
            self.input = None;
            return Ok(Answer { text: lossy(&said), exit: code(self.child.wait()?) });
        }
        self.output.read_line(&mut exit)?;
        let exit = exit.trim().parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(Answer { text: lossy(&said), exit })
    }
}

impl Drop for Terminal {
    /// Closes it, which ends the shell, and waits for that: nothing may still stand in a folder that is to be removed.
    fn drop(&mut self) {
        self.input = None;
        let _ = self.output.read_to_end(&mut Vec::new());
        let _ = self.child.wait();
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn code(status: ExitStatus) -> i32 {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal: Option<i32> = None;
    status.code().unwrap_or_else(|| 128 + signal.unwrap_or_default())
}

/// The folder of this program, and then whatever the user has.
fn path() -> io::Result<std::ffi::OsString> {
    let program = std::env::current_exe()?;
    let inherited = env::path().unwrap_or_default();
    let folders = program.parent().map(Path::to_owned).into_iter().chain(std::env::split_paths(&inherited));
    std::env::join_paths(folders).map_err(io::Error::other)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_remembers_and_tells_how_each_command_ended() {
        let home = tempfile::tempdir().expect("a folder");
        let mut terminal = Terminal::open("person", home.path(), home.path()).expect("a shell");
        let mut run = |command: &str| terminal.run(command).map(|answer| (answer.text, answer.exit));
        assert_eq!(run("word=one; false").expect("runs"), (String::new(), 1));
        assert_eq!(run("echo $word; cat; echo two >&2; (exit 7)").expect("runs"), ("one\ntwo\n".into(), 7));
        assert_eq!(run("printf half; kill -9 $$").expect("runs"), ("half".into(), 137));
        assert_eq!(run("echo").map_err(|error| error.kind()), Err(io::ErrorKind::BrokenPipe));
    }

    #[test]
    fn the_environment_is_clean() {
        let home = tempfile::tempdir().expect("a folder");
        let mut terminal = Terminal::open("claude", home.path(), home.path()).expect("a shell");
        let vars = terminal.run("env").expect("runs").text;
        let known =
            ["PATH", "HOME", "GIT_CONFIG_NOSYSTEM", "GIT_TERMINAL_PROMPT", "LC_ALL", "PWD", "SHLVL", "_", "OLDPWD"];
        for name in vars.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name) {
            assert!(known.contains(&name) || env::STAND_INS_KEEP.contains(&name), "{name}");
        }
    }
}
