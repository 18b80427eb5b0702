//! Lets the starts of one tool follow each other at a distance, for all runs of a user on this machine: some CLIs that are
//! started at the same moment get in each other's way, and some services refuse what comes too fast.
//!
//! The last start is kept in a file for each tool, `git-aio/stagger/<tool>` in the user's cache, by a clock that nobody
//! sets. Whoever starts one holds its lock till its turn has come. A start of before the machine was started counts for
//! nothing, and nobody waits longer for its predecessor than the distance. Where there is no home for such a file, or it can't
//! be written, only the runs of one process heed each other, and that is told: no work fails for want of it.

mod alone;

use super::{env, supervise::Interrupts};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// The least distance between two starts of Gemini CLI, whatever is said elsewhere.
const LEAST_GEMINI: Duration = Duration::from_millis(500);

/// The most places that there can be for one tool.
const MOST_SLOTS: u64 = 256;

/// How often it is tried to get the lock, and looked whether somebody wants to stop.
const TRY: Duration = Duration::from_millis(20);

/// The turn to start a tool. Nobody else has one till this is over, so that no start is nearer to another than it should
/// be however long it takes from the turn to the start.
#[derive(Debug)]
#[must_use = "it is over when it is let go of"]
pub struct Turn(Option<File>);

impl Turn {
    /// The tool is started.
    ///
    /// # Errors
    /// When that can't be noted.
    pub fn end(mut self) -> io::Result<()> {
        self.0.take().map_or(Ok(()), note)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(file) = self.0.take() {
            let _ = note(file);
        }
    }
}

/// What there is to tell of somebody who wants to start a tool.
#[derive(Debug)]
pub enum Told<'e> {
    /// It is not at once.
    Waits,
    /// Other processes are not heeded, for this.
    Alone(&'e io::Error),
}

/// Waits till `tool` may be started.
///
/// # Errors
/// [`io::ErrorKind::Interrupted`] when somebody wants to stop, [`io::ErrorKind::InvalidInput`] for a name that can't be
/// that of a file.
pub fn wait_turn(
    tool: &str,
    stagger: Duration,
    interrupts: &Interrupts,
    tell: &mut dyn FnMut(Told<'_>),
) -> io::Result<Turn> {
    let stagger = if tool == "gemini" { stagger.max(LEAST_GEMINI) } else { stagger };
    if stagger.is_zero() {
        return Ok(Turn(None));
    }
    check_name(tool)?;
    match kept("stagger").and_then(|folder| wait_in(&folder, tool, stagger, interrupts, &mut || tell(Told::Waits))) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => {
            tell(Told::Alone(&error));
            alone::wait(tool, stagger, interrupts, &mut || tell(Told::Waits))?;
            Ok(Turn(None))
        }
        turn => turn,
    }
}

/// Where what all runs of a user share is kept.
fn kept(name: &str) -> io::Result<PathBuf> {
    let none = || io::Error::new(io::ErrorKind::NotFound, "there is no folder for caches");
    Ok(env::cache().ok_or_else(none)?.join("git-aio").join(name))
}

fn wait_in(
    folder: &Path,
    tool: &str,
    stagger: Duration,
    interrupts: &Interrupts,
    waits: &mut dyn FnMut(),
) -> io::Result<Turn> {
    let mut file = locked(folder, tool, interrupts, waits)?;
    let mut last = String::new();
    (&mut file).take(64).read_to_string(&mut last)?;
    if let Some(left) = left(&last, stagger) {
        waits();
        sleep(left, interrupts)?;
    }
    Ok(Turn(Some(file)))
}

/// Notes that it is started now.
fn note(mut file: File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", now().as_nanos())
}

/// One of as many places as there are for a tool on this machine. It is given back when this is dropped, or its process ends.
#[derive(Debug)]
pub struct Slot(#[expect(dead_code, reason = "the place goes with it")] Place);

#[derive(Debug)]
#[expect(dead_code, reason = "they are kept till they are dropped")]
enum Place {
    Shared(File),
    Alone(alone::Place),
}

/// Waits for one of `most` places for `tool`, which all runs of the user share.
///
/// # Errors
/// As for [`wait_turn`].
pub fn take_slot(tool: &str, most: u64, interrupts: &Interrupts, tell: &mut dyn FnMut(Told<'_>)) -> io::Result<Slot> {
    check_name(tool)?;
    let most = most.clamp(1, MOST_SLOTS);
    match kept("slots").and_then(|folder| take_in(&folder, tool, most, interrupts, &mut || tell(Told::Waits))) {
        Ok(file) => Ok(Slot(Place::Shared(file))),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
        Err(error) => {
            tell(Told::Alone(&error));
            let place = alone::take(tool, most, interrupts, &mut || tell(Told::Waits))?;
            Ok(Slot(Place::Alone(place)))
        }
    }
}

fn take_in(folder: &Path, tool: &str, most: u64, interrupts: &Interrupts, waits: &mut dyn FnMut()) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    loop {
        for number in 1..=most {
            let file = open(&folder.join(format!("{tool}.{number}")))?;
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        waits();
        sleep(TRY, interrupts)?;
    }
}

fn check_name(tool: &str) -> io::Result<()> {
    let is_plain = tool.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if is_plain && !tool.is_empty() { Ok(()) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

fn open(path: &Path) -> io::Result<File> {
    crate::disk::open(path, OpenOptions::new().read(true).write(true).create(true).truncate(false))
}

/// How long it is till the next start.
fn left(last: &str, stagger: Duration) -> Option<Duration> {
    let last = Duration::from_nanos(last.trim().parse().ok()?);
    // What lies ahead was written before the machine was started again.
    let since = now().checked_sub(last)?;
    stagger.checked_sub(since).filter(|left| !left.is_zero())
}

/// The file of a tool, which nobody else has. The lock goes with it.
fn locked(folder: &Path, tool: &str, interrupts: &Interrupts, waits: &mut dyn FnMut()) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    let file = open(&folder.join(tool))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                waits();
                sleep(TRY, interrupts)?;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

fn sleep(time: Duration, interrupts: &Interrupts) -> io::Result<()> {
    let until = Instant::now() + time;
    loop {
        if interrupts.count() > 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        match until.saturating_duration_since(Instant::now()) {
            Duration::ZERO => return Ok(()),
            left => thread::sleep(left.min(TRY)),
        }
    }
}

/// How long the machine is up.
#[cfg(unix)]
fn now() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// The time of day: a jump back ends all waiting, as does one forward.
#[cfg(not(unix))]
fn now() -> Duration {
    use crate::base::world::Clock as _;
    let now = super::world::SystemClock::default().now();
    Duration::from_millis(now.timestamp_millis().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGGER: Duration = Duration::from_millis(150);

    #[test]
    fn those_who_want_to_start_at_once_start_one_after_the_other() {
        let dir = tempfile::tempdir().expect("a folder");
        let interrupts = Interrupts::watch().expect("watched");
        let start = || {
            let turn = wait_in(dir.path(), "tool", STAGGER, &interrupts, &mut || {}).expect("a turn");
            let start = Instant::now();
            turn.end().expect("noted");
            start
        };
        let mut starts = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|thread| thread.join().expect("started")).collect::<Vec<_>>()
        });
        starts.sort();
        assert!(starts.windows(2).all(|pair| pair[1] - pair[0] >= STAGGER), "{starts:?}");
    }

    #[test]
    fn another_tool_and_none_to_wait_for_wait_for_nobody() {
        let dir = tempfile::tempdir().expect("a folder");
        let interrupts = Interrupts::watch().expect("watched");
        let waits = &mut || panic!("there is nobody to wait for");
        let mut wait = |tool, stagger| wait_in(dir.path(), tool, stagger, &interrupts, waits);
        let long = Duration::from_secs(600);
        assert!(wait("one", long).is_ok() && wait("two", long).is_ok());
        let mut tell = |told: Told<'_>| panic!("there is nothing to tell: {told:?}");
        assert!(wait_turn("one", Duration::ZERO, &interrupts, &mut tell).is_ok());
        let odd = wait_turn("../one", long, &interrupts, &mut tell);
        assert_eq!(odd.map(drop).map_err(|error| error.kind()), Err(io::ErrorKind::InvalidInput));
    }

    #[test]
    fn where_nothing_can_be_shared_those_of_one_process_heed_each_other() {
        let interrupts = Interrupts::watch().expect("watched");
        let tool = "a-tool-of-this-test";
        let began = Instant::now();
        for _ in 0..3 {
            alone::wait(tool, STAGGER, &interrupts, &mut || {}).expect("a turn");
        }
        assert!(began.elapsed() >= STAGGER * 2);
        let place = alone::take(tool, 1, &interrupts, &mut || panic!("it is free")).expect("a place");
        let mut waited = Some(place);
        alone::take(tool, 1, &interrupts, &mut || drop(waited.take())).expect("the same one");
        assert!(waited.is_none());
    }

    #[test]
    fn a_clock_that_began_anew_and_a_file_that_says_nothing_keep_nobody() {
        let dir = tempfile::tempdir().expect("a folder");
        let interrupts = Interrupts::watch().expect("watched");
        for text in [u64::MAX.to_string(), "soon".into(), "-1".into()] {
            fs::write(dir.path().join("tool"), text).expect("written");
            let began = Instant::now();
            wait_in(dir.path(), "tool", Duration::from_secs(600), &interrupts, &mut || {})
                .expect("a turn")
                .end()
                .expect("noted");
            assert!(began.elapsed() < Duration::from_secs(60));
        }
    }

    #[test]
    fn whoever_wants_to_stop_need_not_wait() {
        let dir = tempfile::tempdir().expect("a folder");
        let interrupts = Interrupts::watch().expect("watched");
        let long = Duration::from_secs(600);
        wait_in(dir.path(), "tool", long, &interrupts, &mut || {}).expect("the first").end().expect("noted");
        interrupts.interrupt();
        let mut has_waited = false;
        let second = wait_in(dir.path(), "tool", long, &interrupts, &mut || has_waited = true);
        assert!(has_waited);
        assert_eq!(second.map(drop).map_err(|error| error.kind()), Err(io::ErrorKind::Interrupted));
    }
}
