//! Processes as `ps` prints them, on Unix systems without a `/proc` like that of Linux.

use super::{Look, Process};
use std::{collections::HashMap, process::Stdio};

/// All processes at one moment.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) boot: String,
    pub(super) namespace: String,
    processes: HashMap<u32, (u32, String, String)>,
}

impl Table {
    /// `None` where `ps` can't be run.
    pub(super) fn open() -> Option<Table> {
        let processes = parse(&print()?);
        // The first process starts with the system, which makes its start the name of the boot.
        let (_, boot, _) = processes.get(&1)?;
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Some(Table { boot: format!("{host} {boot}"), namespace: "host".into(), processes })
    }

    /// When a process started, unless it has ended.
    pub(super) fn start(&self, pid: u32) -> Look<Option<String>> {
        let Some((_, start, command)) = self.processes.get(&pid) else { return Look::Gone };
        let ended = command.starts_with("<defunct>") || command.ends_with("<defunct>") || command.starts_with('(');
        Look::Found((!ended).then(|| start.clone()))
    }

    pub(super) fn look(&self, pid: u32) -> Look {
        let Some((parent, start, command)) = self.processes.get(&pid) else { return Look::Gone };
        // Arguments are printed unquoted: one with a space is seen as two, which `recognise` can live with.
        let argv: Vec<String> = command.split(' ').map(str::to_owned).collect();
        Look::Found(Process {
            parent: *parent,
            start: start.clone(),
            name: argv[0].rsplit('/').next().unwrap_or_default().to_owned(),
            argv,
            exe: None,
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks ps")]
fn print() -> Option<String> {
    let mut ps = std::process::Command::new("ps");
    ps.args(["-axo", "pid=,ppid=,lstart=,command="]).env("LC_ALL", "C").env("TZ", "UTC").stdin(Stdio::null());
    let output = ps.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Lines of `pid ppid Mon Jan  5 10:00:00 2026 command …`, keyed by pid.
fn parse(text: &str) -> HashMap<u32, (u32, String, String)> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<(u32, (u32, String, String))> {
    let mut rest = line;
    let mut word = || {
        rest = rest.trim_start();
        let (word, tail) = rest.split_once(' ')?;
        rest = tail;
        Some(word)
    };
    let (pid, parent) = (word()?.parse().ok()?, word()?.parse().ok()?);
    let start = [word()?, word()?, word()?, word()?, word()?].join(" ");
    Some((pid, (parent, start, rest.trim_start().to_owned())))
}

/// A process that is known by its environment.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(super) enum Marked {}

#[cfg(not(target_os = "linux"))]
impl Marked {
    pub(super) fn signal(&self, _: rustix::process::Signal) -> bool {
        match *self {}
    }
}

/// The environment of other processes is not ours to see.
#[cfg(not(target_os = "linux"))]
pub(super) fn marked(_: &str, _: &str) -> impl Iterator<Item = Marked> {
    std::iter::empty()
}

/// Nor is that of processes which were started since.
#[cfg(not(target_os = "linux"))]
pub(super) fn marked_since(_: u32, _: &str, _: &str) -> impl Iterator<Item = Marked> {
    std::iter::empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_ps_are_read() {
        let text =
            "    1     0 Mon Jan  5 10:00:00 2026     /sbin/launchd\n  77 1 Tue Feb 10 11:12:13 2026 node /x y\n?";
        let table = parse(text);
        assert_eq!(table[&1], (0, "Mon Jan 5 10:00:00 2026".into(), "/sbin/launchd".into()));
        assert_eq!(table[&77], (1, "Tue Feb 10 11:12:13 2026".into(), "node /x y".into()));
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn we_are_in_the_table() {
        let table = Table::open().expect("there is a ps");
        assert!(matches!(table.look(std::process::id()), Look::Found(_)));
        assert!(matches!(table.start(std::process::id()), Look::Found(Some(_))));
        let later = Table::open().expect("there is a ps");
        assert_eq!((table.boot, table.namespace), (later.boot, later.namespace));
    }
}
