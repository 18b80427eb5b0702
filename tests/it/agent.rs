//! Agents as scripted fakes: a process that has the name of an agent CLI and runs commands as its children.

use crate::env::{Ended, Repo, run};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

/// Runs the command it is given; or else each line that it reads, and tells after each how it ended. Commands are
/// children of this very process, and what they say beside their answer goes to a file of its own.
const SCRIPT: &str = "#!/bin/sh
if [ $# -gt 0 ]; then
    \"$@\"
    exit $?
fi
while IFS= read -r line; do
    eval \"$line\" 2>\"$0.said.$$\" </dev/null
    printf '\\nended %s\\n' $?
done
";

/// A running process of that kind. It ends with the test.
pub struct Agent {
    process: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    said: PathBuf,
}

impl Agent {
    /// Starts a program called `name` in a repository, with more variables in its environment.
    pub fn start(repo: &Repo<'_>, name: &str, vars: &[(&str, &str)]) -> Agent {
        let program = install(repo, name);
        let mut command = repo.env.command(&program, &repo.dir);
        let mut process =
            command.envs(vars.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let said = format!("{}.said.{}", program.display(), process.id()).into();
        let (commands, answers) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        Agent { process, commands, answers, said }
    }

    /// Runs a line of shell inside the agent.
    pub fn run(&mut self, line: &str) -> Ended {
        assert!(!line.contains('\n'), "one line");
        writeln!(self.commands.as_mut().unwrap(), "{line}").unwrap();
        let mut stdout = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.answers.read_line(&mut line).unwrap(), 0, "the agent ended: {stdout}");
            if let Some(code) = line.strip_prefix("ended ") {
                // The blank line before it is ours.
                stdout.pop();
                let stderr = fs::read_to_string(&self.said).unwrap();
                return Ended { stdout, stderr, code: code.trim().parse().unwrap() };
            }
            stdout.push_str(&line);
        }
    }

    /// Runs a line that has to succeed, and returns its answer without the end of its line.
    pub fn ok(&mut self, line: &str) -> String {
        let ended = self.run(line);
        assert_eq!(ended.code, 0, "{line}: {}{}", ended.stdout, ended.stderr);
        ended.stdout.trim_end().to_owned()
    }

    /// Ends the agent as a crash would, without a good-bye.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // At the end of its input it ends by itself, and a nested one with it.
        drop(self.commands.take());
        let _ = self.answers.read_to_end(&mut Vec::new());
        let _ = self.process.wait();
    }
}

/// Puts the script called `name` among the machine's programs.
pub fn install(repo: &Repo<'_>, name: &str) -> PathBuf {
    let bin = repo.env.path().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let program = bin.join(name);
    if !program.exists() {
        // Another process writes it: what this one has open for writing, a fork in another test has open too for a
        // moment, and the program could not be started.
        let write = "printf %s \"$1\" >\"$2\" && chmod +x \"$2\"";
        let ended = run(repo.env.command("sh", &bin).args(["-c", write, "sh", SCRIPT]).arg(&program));
        assert_eq!(ended.code, 0, "{}", ended.stderr);
    }
    program
}
