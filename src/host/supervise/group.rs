//! A process with limits, and with an end for all that it started.
//!
//! What it started is known by two signs: it belongs to its process group, or, on Linux, it has inherited a variable that
//! only this run has. The second finds what went into a session of its own, and neither can take a process for ours that
//! merely has the same name. What has both left the group and thrown its environment away is not found.
//!
//! Whoever waits is woken by what is printed and by the end of it: nothing is asked over and over as long as all goes
//! well. Where something is left that keeps the output open, the end is noticed a moment later.

use super::Interrupts;
#[cfg(unix)]
use crate::host::process;
use crate::host::{
    agents::headless::EndSignal,
    bounded::{GRACE, are_all_ending},
};
use process_wrap::std::{ChildWrapper, CommandWrap};
use std::{
    io::{self, PipeReader, Read, Write},
    process::{Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

/// How often it is looked after what nothing wakes us for: interrupts, limits, and an end behind open streams.
const TICK: Duration = Duration::from_millis(50);

/// The same when the streams are closed, at first: it is as good as gone.
const SOON: Duration = Duration::from_micros(20);

/// How often whoever waits is told that it goes on.
const BEAT: Duration = Duration::from_secs(20);

/// How long the rest of the output is waited for when the process has ended: something we don't find may keep it open.
const REST: Duration = Duration::from_millis(500);

/// How long a process is waited for that has been killed: one that waits for a disk doesn't end before.
const LAST: Duration = Duration::from_secs(5);

/// How long the numbers of processes have certainly not come round since one was started.
#[cfg(unix)]
const YOUNG: Duration = Duration::from_millis(500);

/// Bytes that are read at once, and how many of such pieces may wait: who prints faster than we read has to wait.
const PIECE: usize = 16 * 1024;
const WAITING: usize = 4;

/// How a process is run.
#[derive(Debug, Clone, Copy)]
pub(in crate::host) struct Limits<'a> {
    /// How long it may take.
    pub(in crate::host) timeout: Option<Duration>,
    /// How long it may print nothing.
    pub(in crate::host) stall: Option<Duration>,
    /// How it is asked to end, and how long it is given then.
    pub(in crate::host) ask: EndSignal,
    pub(in crate::host) grace: Duration,
    /// The variable by which it is known, and what no other run has in it.
    pub(in crate::host) mark: (&'static str, &'a str),
    /// Whether what it leaves in a session of its own, when it ends by itself, may stay.
    pub(in crate::host) spares: bool,
}

/// Where its output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) enum Streams {
    /// Both are told apart, and their order is not known.
    Apart,
    /// All is standard output, in order.
    Together,
}

/// Something that happens while it runs.
#[derive(Debug)]
pub(in crate::host) enum Event<'a> {
    /// It is started.
    Begun,
    Stdout(&'a [u8]),
    Stderr(&'a [u8]),
    Beat,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code; 128 and the number of a signal.
    Exited(i32),
    /// Its time was up.
    TimedOut,
    /// It printed nothing for too long.
    Stalled,
    /// Whoever started it wanted to stop.
    Interrupted,
}

/// What came of a process.
#[derive(Debug)]
pub(in crate::host) struct Outcome {
    pub(in crate::host) end: End,
    pub(in crate::host) took: Duration,
    /// How many processes it had left when it ended.
    pub(in crate::host) left_behind: usize,
}

/// A piece of output.
enum Piece {
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
}

/// Runs `command`, which reads `stdin` and no terminal, and ends it and all that it started when a limit says so.
pub(in crate::host) fn run(
    mut command: Command,
    stdin: &[u8],
    streams: Streams,
    limits: &Limits<'_>,
    interrupts: &Interrupts,
    hear: &mut dyn FnMut(Event<'_>),
) -> io::Result<Outcome> {
    let began = Instant::now();
    let (sender, pieces) = sync_channel(WAITING);
    let (stdout, writer) = io::pipe()?;
    match streams {
        Streams::Together => drop(command.stderr(writer.try_clone()?)),
        Streams::Apart => {
            let (stderr, writer) = io::pipe()?;
            command.stderr(writer);
            collect(stderr, sender.clone(), Piece::Stderr)?;
        }
    }
    command.stdout(writer).stdin(feed(stdin)?);
    collect(stdout, sender, Piece::Stdout)?;
    let mut group = Group { child: spawn(command)?, limits, began: Instant::now(), has_ended: false };
    hear(Event::Begun);
    let end = group.watch(began, &pieces, interrupts, hear)?;
    let left_behind = group.clear(end, interrupts);
    let rest = Instant::now() + REST;
    while let Ok(piece) = pieces.recv_timeout(rest.saturating_duration_since(Instant::now())) {
        hear(piece.event());
    }
    Ok(Outcome { end, took: began.elapsed(), left_behind })
}

/// Starts a process in a session of its own: it has no terminal that it could ask, and all that it starts can be ended
/// together.
fn spawn(command: Command) -> io::Result<Box<dyn ChildWrapper>> {
    let mut wrapped = CommandWrap::from(command);
    #[cfg(unix)]
    wrapped.wrap(process_wrap::std::ProcessSession);
    #[cfg(windows)]
    wrapped.wrap(process_wrap::std::JobObject);
    wrapped.spawn()
}

/// What a process reads these bytes from. They are written on a thread of its own, which ends when nobody is left to
/// read them.
fn feed(bytes: &[u8]) -> io::Result<Stdio> {
    if bytes.is_empty() {
        return Ok(Stdio::null());
    }
    let (reader, mut writer) = io::pipe()?;
    let bytes = bytes.to_vec();
    thread::Builder::new().spawn(move || writer.write_all(&bytes))?;
    Ok(reader.into())
}

/// Reads to the end on a thread of its own.
fn collect(mut from: PipeReader, into: SyncSender<Piece>, piece: fn(Vec<u8>) -> Piece) -> io::Result<()> {
    let read = move || {
        let mut buffer = [0; PIECE];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if into.send(piece(buffer[..count].to_vec())).is_err() {
                break;
            }
        }
    };
    thread::Builder::new().spawn(read).map(drop)
}

impl Piece {
    fn event(&self) -> Event<'_> {
        match self {
            Piece::Stdout(bytes) => Event::Stdout(bytes),
            Piece::Stderr(bytes) => Event::Stderr(bytes),
        }
    }
}

/// A process and what it started. All of it ends with this value, whatever happens.
struct Group<'a> {
    child: Box<dyn ChildWrapper>,
    limits: &'a Limits<'a>,
    began: Instant,
    has_ended: bool,
}

/// How far a run has come.
#[derive(Clone, Copy)]
enum Phase {
    Running,
    /// It was asked to end, when so many interrupts had come.
    Asked(End, Instant, usize),
    Killed(End, Instant),
}

impl Group<'_> {
    /// Waits for the end of the process, or brings it about.
    fn watch(
        &mut self,
        began: Instant,
        pieces: &Receiver<Piece>,
        interrupts: &Interrupts,
        hear: &mut dyn FnMut(Event<'_>),
    ) -> io::Result<End> {
        let (mut phase, mut soon) = (Phase::Running, SOON);
        let (mut active, mut told) = (began, began);
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(match phase {
                    Phase::Running => End::Exited(code(status)),
                    Phase::Asked(end, ..) | Phase::Killed(end, _) => end,
                });
            }
            phase = self.go_on(phase, began, active, interrupts);
            if let Phase::Killed(end, since) = phase
                && since.elapsed() > LAST
            {
                return Ok(end);
            }
            match pieces.recv_timeout(self.tick(began, active)) {
                Ok(piece) => {
                    active = Instant::now();
                    hear(piece.event());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    thread::sleep(soon);
                    soon = (soon * 2).min(TICK);
                }
            }
            if told.elapsed() >= BEAT {
                hear(Event::Beat);
                told = Instant::now();
            }
        }
    }

    /// How long nothing has to be looked after.
    fn tick(&self, began: Instant, active: Instant) -> Duration {
        let left = |limit: Option<Duration>, since: Instant| limit.map(|limit| limit.saturating_sub(since.elapsed()));
        let limits = [left(self.limits.timeout, began), left(self.limits.stall, active)];
        limits.into_iter().flatten().fold(TICK, Duration::min).max(Duration::from_millis(1))
    }

    fn go_on(&mut self, phase: Phase, began: Instant, active: Instant, interrupts: &Interrupts) -> Phase {
        let is_over = |limit: Option<Duration>, since: Instant| limit.is_some_and(|limit| since.elapsed() >= limit);
        match phase {
            Phase::Running => {
                let count = interrupts.count();
                let end = match () {
                    () if count > 0 || are_all_ending() => End::Interrupted,
                    () if is_over(self.limits.timeout, began) => End::TimedOut,
                    () if is_over(self.limits.stall, active) => End::Stalled,
                    () => return phase,
                };
                self.ask();
                // Whoever has asked twice before it was begun wants no grace either.
                Phase::Asked(end, Instant::now(), count.min(1))
            }
            Phase::Asked(end, since, count) => {
                let grace = if are_all_ending() { self.limits.grace.min(GRACE) } else { self.limits.grace };
                if since.elapsed() < grace && interrupts.count() <= count {
                    return phase;
                }
                let _ = self.child.start_kill();
                Phase::Killed(end, Instant::now())
            }
            Phase::Killed(..) => phase,
        }
    }

    /// Asks it to end, and all in its group.
    fn ask(&mut self) {
        #[cfg(unix)]
        let _ = self.child.signal(signal(self.limits.ask).as_raw());
        #[cfg(not(unix))]
        let _ = self.child.start_kill();
    }

    /// Ends what the process has left, and tells how much that was.
    fn clear(&mut self, end: End, interrupts: &Interrupts) -> usize {
        self.has_ended = true;
        #[cfg(unix)]
        {
            let (name, value) = self.limits.mark;
            let ended_itself = matches!(end, End::Exited(_));
            if ended_itself && self.limits.spares {
                return usize::from(self.child.start_kill().is_ok());
            }
            let is_urgent = || interrupts.count() > usize::from(end == End::Interrupted) || are_all_ending();
            let marked = match self.began.elapsed() < YOUNG {
                true => process::marked_since(self.child.id(), name, value),
                false => process::marked(name, value),
            };
            let in_group = self.child.signal(rustix::process::Signal::TERM.as_raw()).is_ok();
            if marked == 0 && !in_group {
                return 0;
            }
            process::signal_marked(name, value, rustix::process::Signal::TERM);
            let began = Instant::now();
            while process::marked(name, value) > 0 && began.elapsed() < GRACE && !is_urgent() {
                thread::sleep(TICK / 5);
            }
            self.kill();
            // On Linux what is left of the group may have ended already, and only wait for init to hear of it.
            if cfg!(target_os = "linux") { marked } else { usize::from(in_group && ended_itself) }
        }
        #[cfg(not(unix))]
        {
            let _ = (end, interrupts, self.limits.spares);
            let _ = self.child.start_kill();
            0
        }
    }

    /// Ends all of it, at once.
    fn kill(&mut self) {
        let _ = self.child.start_kill();
        #[cfg(unix)]
        kill_marked(self.limits.mark.0, self.limits.mark.1);
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.kill();
            let _ = self.child.try_wait();
        }
    }
}

/// Ends all that has `value` in the variable `name`, first by asking, and tells how much that was.
pub(in crate::host) fn end_marked(name: &str, value: &str) -> usize {
    #[cfg(unix)]
    {
        use rustix::process::Signal;
        let found = process::signal_marked(name, value, Signal::TERM);
        let began = Instant::now();
        while process::marked(name, value) > 0 && began.elapsed() < GRACE {
            thread::sleep(TICK / 5);
        }
        kill_marked(name, value);
        found
    }
    #[cfg(not(unix))]
    {
        let _ = (name, value);
        0
    }
}

/// Ends it at once. What is just being started is found the next time.
#[cfg(unix)]
fn kill_marked(name: &str, value: &str) {
    let began = Instant::now();
    while process::signal_marked(name, value, rustix::process::Signal::KILL) > 0 && began.elapsed() < LAST {
        thread::sleep(TICK / 50);
    }
}

#[cfg(unix)]
fn signal(end: EndSignal) -> rustix::process::Signal {
    match end {
        EndSignal::Interrupt => rustix::process::Signal::INT,
        EndSignal::Terminate => rustix::process::Signal::TERM,
    }
}

#[cfg(unix)]
fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

#[cfg(not(unix))]
fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(1)
}
