//! Which processes run, and who started us.
//!
//! A process is named by its pid, its start time, the boot and the pid namespace. Where the boot or the namespace differ
//! from ours its pid tells us nothing, and neither does a system that hides processes from us: the answer is then
//! "unknown", never "dead". On Windows nothing is known of any process.

use super::recognise::recognise;
use crate::base::process::{Aliveness, ProcessMark};

#[cfg_attr(target_os = "linux", path = "process/proc.rs")]
#[cfg_attr(all(unix, not(target_os = "linux")), path = "process/ps.rs")]
#[cfg_attr(not(unix), path = "process/none.rs")]
mod table;

/// Compiled here too so that it is at least tested.
#[cfg(all(test, target_os = "linux"))]
#[path = "process/ps.rs"]
mod ps;

/// How far up we look. Deeper nesting than this is a loop made of recycled pids.
const MAX_ANCESTORS: usize = 64;

/// Programs that start another one and have nothing of their own to say.
const WRAPPERS: &[&str] = &["git", "git-aio", "aio", "env", "timeout", "nice", "sudo", "codex-linux-sandbox"];

const SHELLS: &[&str] = &["sh", "bash", "dash", "zsh", "ksh", "ash", "fish"];

/// A process above us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ancestor {
    /// Which process it is.
    pub mark: ProcessMark,
    /// The agent CLI that it is, if it is one.
    pub agent: Option<&'static str>,
    /// The name of its program, for people.
    pub name: String,
    /// Whether it only lives for the command it runs: a wrapper such as `env`, or a shell started with `-c`.
    pub transient: bool,
}

/// A process as the system describes it.
#[derive(Debug)]
struct Process {
    parent: u32,
    start: String,
    argv: Vec<String>,
    exe: Option<String>,
    name: String,
}

/// What became of a pid.
#[derive(Debug)]
enum Look<P = Process> {
    Found(P),
    Gone,
    /// It may or may not be there.
    Hidden,
}

/// The process that has this pid now.
pub fn mark(pid: u32) -> Option<ProcessMark> {
    let table = table::Table::open()?;
    match table.look(pid) {
        Look::Found(process) => Some(table.mark(pid, process.start)),
        Look::Gone | Look::Hidden => None,
    }
}

/// This process.
pub fn own_mark() -> Option<ProcessMark> {
    mark(std::process::id())
}

/// Which start of which machine this is; `None` where the system doesn't tell.
pub(super) fn boot() -> Option<String> {
    table::Table::open().map(|table| table.boot)
}

/// Whether the process so marked still runs.
pub fn aliveness(mark: &ProcessMark) -> Aliveness {
    let Some(table) = table::Table::open() else { return Aliveness::Unknown };
    if mark.boot != table.boot || mark.namespace != table.namespace {
        return Aliveness::Unknown;
    }
    match table.start(mark.pid) {
        Look::Found(start) if start.as_ref() == Some(&mark.start) => Aliveness::Alive,
        Look::Found(_) | Look::Gone => Aliveness::Dead,
        Look::Hidden => Aliveness::Unknown,
    }
}

/// Sends `signal` to every process that has `value` in the variable `name` of its environment, alone or as one of several
/// with a `/` between them, as far as we can see that: on Linux, and of our own processes. Tells how many there were.
#[cfg(unix)]
pub(super) fn signal_marked(name: &str, value: &str, signal: rustix::process::Signal) -> usize {
    table::marked(name, value).filter(|process| process.signal(signal)).count()
}

/// How many processes there are that have `value` there, as far as we can see that.
#[cfg(unix)]
pub(super) fn marked(name: &str, value: &str) -> usize {
    table::marked(name, value).count()
}

/// The same, of those that were started after the process `first`: of no use for one that is older than a second.
#[cfg(unix)]
pub(super) fn marked_since(first: u32, name: &str, value: &str) -> usize {
    table::marked_since(first, name, value).count()
}

/// Whether anything runs that was started as this instance, as far as we can see that: on Linux, and of our own processes.
#[cfg(unix)]
pub fn is_any_started_as(instance: &str) -> bool {
    table::marked("AIO_INSTANCE", instance).next().is_some()
}

/// Whether anything runs that was started as this instance: nothing is known of that here.
#[cfg(not(unix))]
pub fn is_any_started_as(_: &str) -> bool {
    false
}

/// The processes above us, our parent first, as far up as we can see, and below the process `top` if one is given.
pub fn ancestors(top: Option<u32>) -> Vec<Ancestor> {
    let Some(table) = table::Table::open() else { return Vec::new() };
    let mut found = Vec::new();
    let Look::Found(own) = table.look(std::process::id()) else { return found };
    let mut pid = own.parent;
    while pid != 0 && Some(pid) != top && found.len() < MAX_ANCESTORS {
        let Look::Found(process) = table.look(pid) else { break };
        let parent = process.parent;
        found.push(Ancestor::new(&table, pid, process));
        pid = parent;
    }
    found
}

/// The process whose life an instance registered by us shares: the innermost agent, or else the innermost ancestor that
/// outlives the command.
pub fn registrant(ancestors: &[Ancestor]) -> Option<&Ancestor> {
    let agent = ancestors.iter().find(|ancestor| ancestor.agent.is_some());
    agent.or_else(|| ancestors.iter().find(|ancestor| !ancestor.transient))
}

impl Ancestor {
    fn new(table: &table::Table, pid: u32, process: Process) -> Ancestor {
        Ancestor {
            agent: recognise(&process.argv, process.exe.as_deref()),
            transient: is_transient(&process),
            mark: table.mark(pid, process.start),
            name: process.name,
        }
    }
}

impl table::Table {
    fn mark(&self, pid: u32, start: String) -> ProcessMark {
        ProcessMark { pid, start, boot: self.boot.clone(), namespace: self.namespace.clone() }
    }
}

fn is_transient(process: &Process) -> bool {
    let program = process.argv.first().map_or(process.name.as_str(), |path| path.rsplit('/').next().unwrap_or(path));
    let program = program.trim_start_matches('-');
    let runs_one_command =
        || process.argv.iter().skip(1).take_while(|arg| arg.starts_with('-')).any(|arg| is_command_flag(arg));
    WRAPPERS.contains(&program) || (SHELLS.contains(&program) && runs_one_command())
}

/// `-c`, alone or with other letters as in `-lc`; not `--rcfile`.
fn is_command_flag(arg: &str) -> bool {
    !arg.starts_with("--") && arg.contains('c')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn we_are_alive_and_our_parent_is_an_ancestor() {
        let own = own_mark().expect("we run");
        assert_eq!(aliveness(&own), Aliveness::Alive);
        let parent = ancestors(None).into_iter().next().expect("somebody started the test");
        assert_eq!(parent.mark.pid, std::os::unix::process::parent_id());
        assert_eq!(aliveness(&parent.mark), Aliveness::Alive);
    }

    #[cfg(unix)]
    #[test]
    fn a_recycled_pid_is_dead_and_a_foreign_one_unknown() {
        let own = own_mark().expect("we run");
        assert_eq!(aliveness(&ProcessMark { start: "1".into(), ..own.clone() }), Aliveness::Dead);
        assert_eq!(aliveness(&ProcessMark { boot: "other".into(), ..own.clone() }), Aliveness::Unknown);
        assert_eq!(aliveness(&ProcessMark { namespace: "other".into(), ..own.clone() }), Aliveness::Unknown);
        assert_eq!(aliveness(&ProcessMark { pid: i32::MAX as u32, ..own }), Aliveness::Dead, "no pid is as high");
    }

    #[cfg(unix)]
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a process that ends is needed")]
    fn a_child_that_nobody_has_waited_for_is_dead() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().expect("started");
        let mark = mark(child.id()).expect("it waits for us");
        assert_eq!(aliveness(&mark), Aliveness::Alive);
        drop(child.stdin.take());
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while aliveness(&mark) != Aliveness::Dead {
            assert!(std::time::Instant::now() < deadline, "it never ends");
            std::thread::yield_now();
        }
        child.wait().expect("it has ended");
        assert_eq!(aliveness(&mark), Aliveness::Dead);
    }

    fn ancestor(agent: Option<&'static str>, command: &str) -> Ancestor {
        let argv: Vec<String> = command.split(' ').map(str::to_owned).collect();
        let name = argv[0].clone();
        let process = Process { parent: 0, start: String::new(), argv, exe: None, name: name.clone() };
        let mark = ProcessMark { pid: 1, start: String::new(), boot: String::new(), namespace: String::new() };
        Ancestor { mark, agent, name, transient: is_transient(&process) }
    }

    #[test]
    fn an_instance_lives_as_long_as_its_agent_or_the_shell_of_a_person() {
        let registrant = |ancestors: &[Ancestor]| registrant(ancestors).map(|ancestor| ancestor.name.clone());
        let agent = [ancestor(None, "bash"), ancestor(Some("claude"), "node"), ancestor(None, "zsh")];
        assert_eq!(registrant(&agent).as_deref(), Some("node"));
        let person = [ancestor(None, "/usr/bin/git aio"), ancestor(None, "sudo aio"), ancestor(None, "-zsh")];
        assert_eq!(registrant(&person).as_deref(), Some("-zsh"));
        let unknown_agent = [ancestor(None, "bash -lc x"), ancestor(None, "newagent")];
        assert_eq!(registrant(&unknown_agent).as_deref(), Some("newagent"));
        assert_eq!(registrant(&[ancestor(None, "bash --rcfile x")]).as_deref(), Some("bash"));
    }
}
