//! Runs the command of a check: in a shell, for so long and no longer, and at its end with all that it started.
//!
//! How what it started is known, and ended, is the same for checks and agents: see [`supervise`](super::supervise). A check
//! that ends by itself may leave a server behind that others use, such as a compiler cache, in a session of its own; one
//! that was ended leaves nothing.

use super::{
    agents::headless::EndSignal,
    bounded::GRACE,
    supervise::{self, Event, Limits, Streams},
};
use std::{collections::VecDeque, io, path::Path, process::Command, time::Duration};

pub use supervise::Interrupts;

/// Bytes that are kept of the beginning of what a command prints, and of its end. The first error stands in the one and
/// the summary in the other.
const KEPT: usize = 32 * 1024;

/// By which what a check starts is known.
const MARK: &str = "AIO_CHECK";

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// How it ended.
    pub end: End,
    /// What it printed, on both streams: the beginning and the end where that is much.
    pub output: String,
    /// How long it took.
    pub took: Duration,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code; 128 and the number of a signal.
    Exited(i32),
    /// Its time was up.
    TimedOut,
    /// Whoever started it wanted to stop.
    Interrupted,
}

/// A command that is to be run.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// A line of shell.
    pub command: &'a str,
    /// The folder it runs in.
    pub dir: &'a Path,
    /// How long it may take.
    pub limit: Duration,
    /// What no other check has.
    pub mark: &'a str,
}

/// Runs a command, which can't read from a terminal. `beat` is called now and then as long as it runs.
///
/// # Errors
/// When there is no shell, or the system gives no process.
pub fn run(task: &Task<'_>, interrupts: &Interrupts, beat: &mut dyn FnMut()) -> io::Result<Ran> {
    let Task { command, dir, limit, mark } = *task;
    #[expect(clippy::disallowed_methods, reason = "checks are lines of shell")]
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).current_dir(dir).env(MARK, mark);
    let limits = Limits {
        timeout: Some(limit),
        stall: None,
        ask: EndSignal::Terminate,
        grace: GRACE,
        mark: (MARK, mark),
        spares: true,
    };
    let mut kept = Kept::default();
    let outcome = supervise::run(shell, &[], Streams::Together, &limits, interrupts, &mut |event| match event {
        Event::Stdout(bytes) | Event::Stderr(bytes) => kept.add(bytes),
        Event::Beat => beat(),
        Event::Begun => {}
    })?;
    let end = match outcome.end {
        supervise::End::Exited(code) => End::Exited(code),
        supervise::End::Interrupted => End::Interrupted,
        supervise::End::TimedOut | supervise::End::Stalled => End::TimedOut,
    };
    Ok(Ran { end, output: kept.text(), took: outcome.took })
}

/// Ends all that is still there of the check `mark` of this user, as far as it can be found, and tells how much that was.
pub fn end_marked(mark: &str) -> usize {
    supervise::end_of(MARK, mark)
}

/// The beginning and the end of a stream.
#[derive(Default)]
struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    left_out: u64,
}

impl Kept {
    fn add(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(KEPT - self.head.len()));
        self.head.extend(head);
        self.tail.extend(rest);
        let excess = self.tail.len().saturating_sub(KEPT);
        self.tail.drain(..excess);
        self.left_out += excess as u64;
    }

    fn text(&self) -> String {
        let (mut bytes, tail) = (self.head.clone(), self.tail.iter().copied());
        if self.left_out > 0 {
            bytes.extend(format!("\n… {} bytes left out …\n", self.left_out).as_bytes());
        }
        bytes.extend(tail);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::{super::process, *};
    use std::thread;

    fn ran(command: &str, limit: Duration, mark: &str) -> Ran {
        let dir = tempfile::tempdir().expect("a folder");
        let interrupts = Interrupts::watch().expect("watched");
        run(&Task { command, dir: dir.path(), limit, mark }, &interrupts, &mut || ()).expect("a shell")
    }

    /// Whether the process whose pid was printed is gone, or becomes so soon.
    fn ends(printed: &str) -> bool {
        let pid = printed.trim().parse().expect("a pid");
        let gone = || {
            process::mark(pid).is_none_or(|mark| process::aliveness(&mark) != crate::base::process::Aliveness::Alive)
        };
        (0..200).any(|_| {
            gone() || {
                thread::sleep(Duration::from_millis(10));
                false
            }
        })
    }

    #[test]
    fn both_streams_are_told_in_order_and_so_is_the_end() {
        let told = ran("echo a; echo b >&2; echo c; exit 3", Duration::from_secs(20), "1");
        assert_eq!((told.end, &told.output[..]), (End::Exited(3), "a\nb\nc\n"));
        assert_eq!(ran("kill -9 $$", Duration::from_secs(20), "2").end, End::Exited(137));
    }

    #[test]
    fn of_much_the_beginning_and_the_end_are_kept() {
        let told = ran("echo first; yes | head -c 5000000; echo last", Duration::from_secs(60), "3");
        assert_eq!(told.end, End::Exited(0));
        assert!(told.output.starts_with("first\ny\n") && told.output.ends_with("y\nlast\n"), "{}", told.output.len());
        assert!(told.output.contains(" bytes left out …\n") && told.output.len() < 2 * KEPT + 100);
    }

    #[test]
    fn what_takes_too_long_is_ended_with_all_that_it_started() {
        let told = ran("trap '' TERM; sleep 60 & echo $!; wait; wait", Duration::from_millis(300), "4");
        assert!(told.end == End::TimedOut && told.took < Duration::from_secs(30), "{told:?}");
        assert!(ends(&told.output));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_session_of_its_own_is_no_way_out() {
        let mark = format!("escape-{}", std::process::id());
        let told = ran("setsid sh -c 'echo $$; exec sleep 60' & sleep 60", Duration::from_millis(500), &mark);
        assert_eq!(told.end, End::TimedOut);
        assert!(ends(&told.output), "{told:?}");
    }

    #[test]
    fn what_is_left_in_the_group_of_a_check_that_has_ended_ends_too() {
        let told = ran("sleep 60 & echo $!", Duration::from_secs(20), "5");
        assert!(told.end == End::Exited(0) && told.took < Duration::from_secs(10), "{told:?}");
        assert!(ends(&told.output));
    }
}
