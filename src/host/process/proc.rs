//! Processes as Linux shows them in `/proc`.

use super::{Look, Process};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// What there is to know of the system once and for all: a process stays in its boot and its pid namespace.
static SYSTEM: OnceLock<Option<Table>> = OnceLock::new();

/// A view of the processes of our pid namespace.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) boot: String,
    pub(super) namespace: String,
}

impl Table {
    /// `None` where `/proc` is missing or is that of another pid namespace.
    pub(super) fn open() -> Option<Table> {
        SYSTEM.get_or_init(Table::read).clone()
    }

    fn read() -> Option<Table> {
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        if own.split(' ').next()?.parse() != Ok(std::process::id()) {
            return None;
        }
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        Some(Table { boot, namespace: namespace()? })
    }

    pub(super) fn look(&self, pid: u32) -> Look {
        let dir = folder(pid);
        match stat(&dir, pid) {
            Look::Found(stat) => Look::Found(describe(&dir, stat)),
            Look::Gone => Look::Gone,
            Look::Hidden => Look::Hidden,
        }
    }

    /// When a process started, unless it has ended: a single look.
    pub(super) fn start(&self, pid: u32) -> Look<Option<String>> {
        match stat(&folder(pid), pid) {
            Look::Found(stat) => Look::Found((!stat.has_ended()).then_some(stat.start)),
            Look::Gone => Look::Gone,
            Look::Hidden => Look::Hidden,
        }
    }
}

fn folder(pid: u32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

fn stat(dir: &Path, pid: u32) -> Look<Stat> {
    match fs::read(dir.join("stat")) {
        Ok(stat) => parse_stat(&String::from_utf8_lossy(&stat)).map_or(Look::Hidden, Look::Found),
        Err(_) if exists(pid) => Look::Hidden,
        Err(_) => Look::Gone,
    }
}

/// The number of a namespace is given out again soon after the namespace has ended, as those of sandboxes do with every
/// command, so the start of its first process is part of the name.
fn namespace() -> Option<String> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    let first = fs::read_to_string("/proc/1/stat").ok().and_then(|stat| parse_stat(&stat));
    Some(format!("{} {}", link.display(), first.map(|first| first.start).unwrap_or_default()))
}

/// Asks the kernel, which answers also where `/proc` is mounted so that it hides what belongs to others.
fn exists(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else { return false };
    match rustix::process::test_kill_process(pid) {
        Ok(()) => true,
        Err(error) => io::Error::from(error).kind() == io::ErrorKind::PermissionDenied,
    }
}

fn describe(dir: &Path, stat: Stat) -> Process {
    let argv = fs::read(dir.join("cmdline")).unwrap_or_default();
    let argv = argv.strip_suffix(b"\0").unwrap_or(&argv);
    Process {
        parent: stat.parent,
        start: stat.start,
        argv: argv.split(|b| *b == 0).map(|arg| String::from_utf8_lossy(arg).into_owned()).collect(),
        exe: fs::read_link(dir.join("exe")).ok().map(|exe| exe.to_string_lossy().into_owned()),
        name: stat.name,
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    state: char,
    parent: u32,
    start: String,
}

impl Stat {
    fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

/// See proc_pid_stat(5). The name is in brackets and may itself hold spaces and brackets: the last one ends it.
fn parse_stat(stat: &str) -> Option<Stat> {
    let (head, tail) = stat.rsplit_once(')')?;
    let mut fields = tail.split_ascii_whitespace();
    Some(Stat {
        name: head.split_once('(')?.1.to_owned(),
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
        // Field 22 of all, of which five are behind us when the parent has been taken.
        start: fields.nth(17)?.to_owned(),
    })
}

/// A process that is known by its environment.
#[derive(Debug)]
pub(super) struct Marked<'a> {
    pid: rustix::process::Pid,
    name: &'a str,
    value: &'a str,
}

impl Marked<'_> {
    /// Sends it a signal, unless it has ended in the meantime: then its number may be somebody else's.
    pub(super) fn signal(&self, signal: rustix::process::Signal) -> bool {
        use rustix::process::{PidfdFlags, kill_process, pidfd_open, pidfd_send_signal};
        match pidfd_open(self.pid, PidfdFlags::empty()) {
            // From here on the number stands for nobody else.
            Ok(process) => has(self.pid, self.name, self.value) && pidfd_send_signal(process, signal).is_ok(),
            Err(rustix::io::Errno::NOSYS) => kill_process(self.pid, signal).is_ok(),
            Err(_) => false,
        }
    }
}

/// The processes that were started with `value` in the variable `name`, alone or as one of several with a `/` between
/// them. Those that have ended have no environment any more.
pub(super) fn marked<'a>(name: &'a str, value: &'a str) -> impl Iterator<Item = Marked<'a>> {
    marked_among(|_| true, name, value)
}

/// Those of them that were started after the process `first`, which is so young that the numbers can't have come round since.
/// To read what all others were started with takes longer than a small command.
pub(super) fn marked_since<'a>(first: u32, name: &'a str, value: &'a str) -> impl Iterator<Item = Marked<'a>> {
    let last = fs::read_to_string("/proc/loadavg").ok();
    let last = last.and_then(|line| line.split_ascii_whitespace().nth(4)?.parse().ok());
    marked_among(move |pid| may_be_since(pid, first, last), name, value)
}

/// Whether a number may have been given out since `first` was, where `last` is the last that was known to be. Others are
/// given out meanwhile, so that it bounds nothing; but where it is below the first, the numbers have come round.
fn may_be_since(pid: u32, first: u32, last: Option<u32>) -> bool {
    last.is_none_or(|last| last < first) || pid >= first
}

fn marked_among<'a>(is_meant: impl Fn(u32) -> bool, name: &'a str, value: &'a str) -> impl Iterator<Item = Marked<'a>> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let numbers = numbers.filter(move |number| is_meant(*number));
    let pids = numbers.filter_map(|number| rustix::process::Pid::from_raw(number.try_into().ok()?));
    pids.filter(move |pid| has(*pid, name, value)).map(move |pid| Marked { pid, name, value })
}

fn has(pid: rustix::process::Pid, name: &str, value: &str) -> bool {
    let environment = environment(pid);
    let variables = environment.split(|byte| *byte == 0);
    let values = variables.filter_map(|one| one.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    values.flat_map(|values| values.split(|byte| *byte == b'/')).any(|one| one == value.as_bytes())
}

/// What a process was started with. One that is just becoming another program has none for a moment, and mustn't be
/// missed because of that; one that has ended, and one of the kernel, have no program.
fn environment(pid: rustix::process::Pid) -> Vec<u8> {
    let dir = format!("/proc/{}", pid.as_raw_nonzero());
    for _ in 0..5 {
        match fs::read(format!("{dir}/environ")) {
            Ok(environment) if environment.is_empty() && fs::read_link(format!("{dir}/exe")).is_ok() => {
                std::thread::sleep(std::time::Duration::from_micros(100));
            }
            environment => return environment.unwrap_or_default(),
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_the_fields_after_it() {
        let stat = "42 (a) S 1 (b) c) Z 7 42 42 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 118913 313 3 18";
        let expected = Stat { name: "a) S 1 (b) c".into(), state: 'Z', parent: 7, start: "118913".into() };
        assert_eq!(parse_stat(stat), Some(expected));
        assert_eq!(parse_stat("42 (short) S 1 2"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn a_number_that_was_given_out_since_is_never_missed() {
        let since = |first, last| [5, 20, 90].map(|pid| may_be_since(pid, first, last));
        assert_eq!(since(10, Some(30)), [false, true, true], "the last may be of a moment after that was asked for");
        assert_eq!(since(80, Some(10)), [true; 3], "they have come round");
        assert_eq!(since(10, None), [true; 3]);
    }

    #[test]
    fn what_was_started_after_a_process_is_found_by_its_mark() {
        let value = format!("since-{}", std::process::id());
        #[expect(clippy::disallowed_methods, reason = "a process to be found")]
        let start = |mark: &str| std::process::Command::new("sleep").arg("60").env("AIO_SINCE", mark).spawn();
        let mut children = [start("another"), start(&value)].map(|child| child.expect("started"));
        let first = children[0].id();
        let found = marked_since(first, "AIO_SINCE", &value).count();
        children.iter_mut().for_each(|child| child.kill().and_then(|()| child.wait().map(drop)).expect("ended"));
        assert_eq!(found, 1);
    }

    #[test]
    fn the_table_is_that_of_this_boot() {
        let (a, b) = (Table::open().expect("proc is here"), Table::open().expect("proc is here"));
        assert_eq!((a.boot, a.namespace), (b.boot, b.namespace));
    }
}
