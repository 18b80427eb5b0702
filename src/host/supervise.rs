//! Watches over an agent at work: for so long and no longer, and at its end over all that it started.
//!
//! What is guaranteed: when [`supervise`] returns, nothing runs any more that the agent has started, as far as its process
//! group and, on Linux, a variable in its environment tell (see [`group`]). The agent is asked to end as its CLI wants to be
//! asked, has ten seconds for that, and is killed then; a second Ctrl-C leaves it no time. What it prints is bounded: in
//! memory, in the answer, and in the log. Many may be watched over at once, each on its own thread.
//!
//! An agent that is killed together with this program, by a signal that can't be caught, goes on. [`end_marked`] ends it later.

mod group;
mod interrupts;
mod lines;
mod log;

pub use group::End;
pub(super) use group::{Event, Limits, Outcome, Streams, end_marked as end_of, run};
pub use interrupts::Interrupts;

use super::{
    agents::headless::{Invocation, Reader, Told},
    env,
};
use lines::{Line, Lines};
use log::Log;
use std::{collections::VecDeque, ffi::OsString, io, path::Path, process::Command, time::Duration};

/// How long an agent is given to end when it is asked to.
const GRACE: Duration = Duration::from_secs(10);

/// Bytes of standard error that are kept, from its end.
const STDERR: usize = 8 * 1024;

/// By which all that an agent starts is known: the runs that it is a part of, the outermost first, a `/` between them.
const MARK: &str = "AIO_RUN";

/// A run of an agent.
#[derive(Debug, Clone, Copy)]
pub struct Watch<'a> {
    /// How it is started.
    pub invocation: &'a Invocation,
    /// The folder it works in.
    pub dir: &'a Path,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// How long it may print nothing at all.
    pub stall: Option<Duration>,
    /// The name of this run, which no other has: the last part of `AIO_RUN` in the environment of all that it starts.
    pub mark: &'a str,
    /// Where all that it prints is added, 2 MiB of it at most.
    pub log: &'a Path,
}

/// A moment of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// It waits for its turn to be started.
    Queued,
    /// It is started.
    Begun,
    /// What it is doing now, as one line that is cleaned for a terminal.
    Doing(String),
    /// It goes on. That is told every twenty seconds.
    Alive,
}

/// A run that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// How it ended.
    pub end: End,
    /// What the agent said.
    pub told: Told,
    /// The end of what it printed on standard error: anybody's words.
    pub stderr_tail: String,
    /// How long it took.
    pub took: Duration,
    /// The length of its answer, in bytes.
    pub bytes: u64,
    /// How many processes it had left when it ended. They are gone.
    pub left_behind: usize,
}

/// Why what an agent has answered can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It took too long.
    #[error("it took too long")]
    TimedOut,
    /// It fell silent.
    #[error("it fell silent")]
    Stalled,
    /// It was stopped.
    #[error("it was stopped")]
    Interrupted,
    /// It says itself that it failed, in these words, which are anybody's.
    #[error("{0}")]
    Error(String),
    /// It ended with this exit code and said no more.
    #[error("it ended with exit code {0}")]
    Failed(i32),
    /// It has answered nothing.
    #[error("its answer is empty")]
    Empty,
}

impl Ended {
    /// That of a run which was stopped before it began.
    pub fn before_it_began() -> Ended {
        Ended {
            end: End::Interrupted,
            told: Told::default(),
            stderr_tail: String::new(),
            took: Duration::ZERO,
            bytes: 0,
            left_behind: 0,
        }
    }

    /// Why its answer can't be used; `None` for one that can.
    pub fn unusable(&self) -> Option<Unusable> {
        Some(match (self.end, &self.told.error) {
            (End::TimedOut, _) => Unusable::TimedOut,
            (End::Stalled, _) => Unusable::Stalled,
            (End::Interrupted, _) => Unusable::Interrupted,
            (End::Exited(_), Some(error)) => Unusable::Error(error.clone()),
            (End::Exited(0), None) if self.told.result.trim().is_empty() && self.told.structured.is_none() => {
                Unusable::Empty
            }
            (End::Exited(0), None) => return None,
            (End::Exited(code), None) => Unusable::Failed(code),
        })
    }

    /// Whether another try would come to the same end.
    pub fn retry_is_useless(&self) -> bool {
        // What a shell says of a program that isn't there, or is none.
        self.told.retry_is_useless || matches!(self.end, End::Interrupted | End::Exited(126 | 127))
    }
}

/// Runs an agent to its end. `hear` is called on this thread.
///
/// # Errors
/// When the program can't be started, the log can't be opened, or the system gives no thread.
pub fn supervise(
    watch: &Watch<'_>,
    reader: Reader,
    interrupts: &Interrupts,
    hear: &mut dyn FnMut(Heard),
) -> io::Result<Ended> {
    let mut ear = Ear { reader, lines: Lines::default(), log: Log::open(watch.log)?, stderr: VecDeque::new() };
    let limits = Limits {
        timeout: watch.timeout,
        stall: watch.stall,
        ask: watch.invocation.end,
        grace: GRACE,
        mark: (MARK, watch.mark),
        spares: false,
    };
    let mut doing = None;
    let outcome =
        run(command(watch), &watch.invocation.stdin, Streams::Apart, &limits, interrupts, &mut |event| match event {
            Event::Begun => hear(Heard::Begun),
            Event::Beat => hear(Heard::Alive),
            Event::Stderr(bytes) => ear.stderr(bytes),
            Event::Stdout(bytes) => ear.stdout(bytes, &mut |now| {
                if doing.as_ref() != Some(&now) {
                    hear(Heard::Doing(now.clone()));
                    doing = Some(now);
                }
            }),
        })?;
    Ok(ear.end(&outcome))
}

/// Ends all that is still there of the run `mark` of this user, as far as it can be found, and tells how much that was.
pub fn end_marked(mark: &str) -> usize {
    group::end_marked(MARK, mark)
}

fn command(watch: &Watch<'_>) -> Command {
    let Invocation { program, args, env, removed, .. } = watch.invocation;
    #[expect(clippy::disallowed_methods, reason = "this is where agents are started")]
    let mut command = Command::new(program);
    command.args(args).current_dir(watch.dir);
    for name in removed {
        command.env_remove(name);
    }
    let runs = env::runs().map_or_else(String::new, |runs| runs + "/");
    command.envs(env.iter().map(|(name, value)| (name, value))).env(MARK, OsString::from(runs + watch.mark));
    command
}

/// Takes in what an agent prints.
struct Ear {
    reader: Reader,
    lines: Lines,
    log: Log,
    stderr: VecDeque<u8>,
}

impl Ear {
    fn stdout(&mut self, bytes: &[u8], doing: &mut dyn FnMut(String)) {
        self.log.add(bytes);
        let reader = &mut self.reader;
        self.lines.feed(bytes, &mut |line| take(reader, line).into_iter().for_each(&mut *doing));
    }

    fn stderr(&mut self, bytes: &[u8]) {
        self.log.add(bytes);
        self.stderr.extend(&bytes[bytes.len().saturating_sub(STDERR)..]);
        let excess = self.stderr.len().saturating_sub(STDERR);
        self.stderr.drain(..excess);
    }

    fn end(mut self, outcome: &Outcome) -> Ended {
        let reader = &mut self.reader;
        self.lines.end(&mut |line| drop(take(reader, line)));
        let exit = match outcome.end {
            End::Exited(code) => Some(code),
            End::TimedOut | End::Stalled | End::Interrupted => None,
        };
        let told = self.reader.finish(exit);
        Ended {
            end: outcome.end,
            bytes: told.result.len() as u64,
            told,
            stderr_tail: String::from_utf8_lossy(self.stderr.make_contiguous()).into_owned(),
            took: outcome.took,
            left_behind: outcome.left_behind,
        }
    }
}

fn take(reader: &mut Reader, line: Line<'_>) -> Option<String> {
    match line {
        Line::Whole(line) => reader.line(line),
        Line::TooLong => {
            reader.skip();
            None
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
