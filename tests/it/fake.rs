//! Stand-ins for the agent CLIs: programs under their names that speak their real streams, as recorded in
//! `tests/it/streams`, and do what a test wants them to do.
//!
//! ```ignore
//! let env = TestEnvironment::new();
//! let agents = fake::Agents::in_(&env);
//! agents.plays("claude", &[Do::Edit("a.txt", "two\n"), Do::Say("Done.")]);
//! // The second time it is started it does something else, and so it does from then on.
//! agents.plays("claude", &[Do::Error("overloaded"), Do::Exit(1)]);
//! // What has this in its prompt is done otherwise, and counted for itself.
//! agents.plays_when("claude", "review", &[Do::Say("Looks good.")]);
//! …
//! assert!(agents.calls("claude")[0].prompt.contains("fix the login"));
//! ```
//!
//! They lie in the folder `bin` of the environment, where every command of it looks first. One that nothing was said of
//! isn't installed. Whatever they start inherits their environment, as with real agents.

mod stream;

use crate::env::TestEnvironment;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use stream::Stream;

/// Something that an agent does, one after the other.
#[derive(Debug, Clone, Copy)]
pub enum Do<'a> {
    /// Answers with this text. An object of JSON is also its structured output, where its CLI has that. The answer is told
    /// when all else is done; without one, and without an error, the stream breaks off.
    Say(&'a str),
    /// Answers with so many bytes.
    SayMuch(usize),
    /// Writes a file, relative to where it works or absolute, and tells of it.
    Edit(&'a str, &'a str),
    /// Runs a line of shell, and tells of it. Its output is not seen.
    Run(&'a str),
    /// Tells by its stream that the model's server has refused, and ends with 0 unless told otherwise.
    Error(&'a str),
    /// Tells that this tool was denied to it.
    Denied(&'a str),
    /// Ends with this exit code.
    Exit(i32),
    /// Prints a line that is in no stream.
    Print(&'a str),
    /// Prints something on standard error.
    Complain(&'a str),
    /// Prints the beginning of an event, and ends.
    BreakOff,
    /// Falls silent, and doesn't end.
    Stall,
    /// Prints something now and then, and doesn't end.
    Chatter,
    /// Waits till there is such a file, relative to where it works or absolute; for some minutes, and then it fails, so that a
    /// test that has failed leaves nobody behind.
    WaitFor(&'a str),
    /// From now on doesn't end when it is asked to.
    IgnoreSignals,
    /// Leaves processes behind that hold its output open: one in its group, and one in a session of its own that doesn't
    /// end when it is asked to.
    LeaveBehind,
}

/// The agents of one machine.
#[derive(Debug)]
pub struct Agents {
    bin: PathBuf,
    home: PathBuf,
}

/// A start of an agent.
#[derive(Debug, Clone)]
pub struct Call {
    /// What it was given on standard input.
    pub prompt: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment; of a value of several lines the first.
    pub env: BTreeMap<String, String>,
    /// The folder it worked in.
    pub dir: PathBuf,
    /// Its process.
    pub pid: u32,
}

impl Call {
    /// Whether one of its arguments is this.
    pub fn has(&self, arg: &str) -> bool {
        self.args.iter().any(|one| one == arg)
    }
}

/// What each of them does: takes note of how it was started, looks for the first rule that its prompt meets, and plays
/// what is next for it.
const PROGRAM: &str = r#"#!/bin/sh
me=@HOME@/@NAME@ name=@NAME@
turn() { n=1; while ! mkdir "$1/$n" 2>/dev/null; do n=$((n + 1)); done; }
turn "$me/calls"; call="$me/calls/$n"
for word; do printf '%s\0' "$word"; done >"$call/args"
env >"$call/env"; pwd >"$call/dir"; echo $$ >"$call/pid"; cat >"$call/prompt"
session="$name-session-$n"; before=
for word; do
  case $before in --resume | resume | --session | continue) session=$word ;; esac
  case $word in --resume=*) session=${word#--resume=} ;; esac
  before=$word
done
out() { sed "s|@SESSION@|$session|g; s|@DIR@|$PWD|g"; }
echo >"$call/done"
for rule in "$me"/rules/*; do
  if [ ! -s "$rule/when" ] || grep -qF -- "$(cat "$rule/when")" "$call/prompt"; then
    turn "$rule/seen"
    while [ ! -e "$rule/$n.sh" ]; do n=$((n - 1)); done
    . "$rule/$n.sh"
    exit
  fi
done
echo "nothing is to be played for this prompt" >&2
exit 99
"#;

impl Agents {
    /// None yet, on this machine.
    pub fn in_(env: &TestEnvironment) -> Agents {
        Agents { bin: env.path().join("bin"), home: env.path().join("fake agents") }
    }

    /// What the agent called `name` plays the next time it is started for a prompt that no rule of its own is for; the last
    /// that is said is what it plays from then on.
    pub fn plays(&self, name: &str, acts: &[Do<'_>]) {
        // It sorts behind all others.
        self.add(name, "~", "", acts);
    }

    /// The same for a prompt that has `needle` in it.
    pub fn plays_when(&self, name: &str, needle: &str, acts: &[Do<'_>]) {
        let rules = self.home.join(name).join("rules");
        let known = fs::read_dir(&rules).into_iter().flatten().flatten().map(|rule| rule.path());
        let known: Vec<_> = known.filter(|rule| rule.file_name().is_some_and(|name| name != "~")).collect();
        let same = known.iter().find(|rule| fs::read_to_string(rule.join("when")).unwrap() == needle);
        let next = format!("{:03}", known.len());
        self.add(name, same.and_then(|rule| rule.file_name()?.to_str()).unwrap_or(&next), needle, acts);
    }

    fn add(&self, name: &str, rule: &str, needle: &str, acts: &[Do<'_>]) {
        let own = self.home.join(name);
        let rule = own.join("rules").join(rule);
        for folder in [&self.bin, &own.join("calls"), &rule.join("seen")] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(rule.join("when"), needle).unwrap();
        let next = (1..).find(|n| !rule.join(format!("{n}.sh")).exists()).unwrap();
        fs::write(rule.join(format!("{next}.sh")), script(name, acts)).unwrap();
        let program = self.bin.join(name);
        if !program.exists() {
            let home = shlex::try_quote(self.home.to_str().unwrap()).unwrap();
            fs::write(&program, PROGRAM.replace("@HOME@", &home).replace("@NAME@", name)).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// Where the program of an agent is.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// How the agent called `name` was started so far, each time.
    pub fn calls(&self, name: &str) -> Vec<Call> {
        let calls = self.home.join(name).join("calls");
        (1..)
            .map(|n| calls.join(n.to_string()))
            .take_while(|call| call.join("done").exists())
            .map(|call| read(&call))
            .collect()
    }
}

fn read(call: &Path) -> Call {
    let text = |name: &str| String::from_utf8_lossy(&fs::read(call.join(name)).unwrap()).into_owned();
    Call {
        prompt: text("prompt"),
        args: text("args").split_terminator('\0').map(str::to_owned).collect(),
        env: text("env").lines().filter_map(|line| line.split_once('=')).map(|(a, b)| (a.into(), b.into())).collect(),
        dir: text("dir").trim_end().into(),
        pid: text("pid").trim().parse().unwrap(),
    }
}

/// What an agent does, as a script.
fn script(name: &str, acts: &[Do<'_>]) -> String {
    let stream = Stream::of(name);
    let mut lines = told(&stream.begin());
    let (mut last, mut exit) = (None, 0);
    for (n, act) in acts.iter().enumerate() {
        let line = match *act {
            Do::Say(_) | Do::SayMuch(_) | Do::Error(_) => {
                last = Some(*act);
                String::new()
            }
            Do::Exit(code) => {
                exit = code;
                String::new()
            }
            Do::Edit(path, text) => {
                let file = quoted(path);
                let write = format!("mkdir -p \"$(dirname {file})\"; {} >{file}\n", raw(text));
                told(&stream.edit(n, path)) + &write + &told(&stream.did(n))
            }
            Do::Run(command) => {
                let run = format!("sh -c {} >/dev/null 2>&1\n", quoted(command));
                told(&stream.run(n, command)) + &run + &told(&stream.did(n))
            }
            Do::Denied(tool) => told(&stream.denied(n, tool)),
            Do::Print(text) => raw(text) + "; echo\n",
            Do::Complain(text) => raw(text) + " >&2; echo >&2\n",
            Do::BreakOff => "printf '{\"type\":\"resu'\nexit 0\n".into(),
            Do::Stall => "while :; do sleep 0.1; done\n".into(),
            Do::Chatter => "while :; do echo . >&2; sleep 0.1; done\n".into(),
            Do::WaitFor(path) => {
                let path = quoted(path);
                format!("n=0; until [ -e {path} ]; do n=$((n+1)); [ $n -lt 9000 ] || exit 1; sleep 0.02; done\n")
            }
            Do::IgnoreSignals => "trap '' TERM INT HUP\n".into(),
            Do::LeaveBehind => {
                "sleep 600 &\nsetsid sh -c \"trap '' TERM; while :; do sleep 0.1; done\" &\nsleep 0.1\n".into()
            }
        };
        lines.push_str(&line);
    }
    lines.push_str(&match last {
        Some(Do::Say(text)) => told(&stream.end(text)),
        Some(Do::SayMuch(bytes)) => much(&stream.end("@TEXT@"), bytes),
        Some(Do::Error(why)) => told(&stream.fail(why)),
        _ => String::new(),
    });
    format!("{lines}exit {exit}\n")
}

/// Prints events.
fn told(events: &[String]) -> String {
    if events.is_empty() { String::new() } else { format!("out <<'AIO-END'\n{}\nAIO-END\n", events.join("\n")) }
}

/// Prints events, with so many letters for `@TEXT@`.
fn much(events: &[String], bytes: usize) -> String {
    let parts = events.join("\n");
    let parts: Vec<String> = parts.split("@TEXT@").map(|part| format!("{} | out\n", raw(part))).collect();
    let letters = format!("head -c {bytes} /dev/zero | tr '\\0' x\n");
    parts.join(&letters) + "echo\n"
}

/// Prints a text as it is.
fn raw(text: &str) -> String {
    format!("printf %s {}", quoted(text))
}

fn quoted(text: &str) -> String {
    shlex::try_quote(text).unwrap().into_owned()
}

#[cfg(test)]
mod tests;
