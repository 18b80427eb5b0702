//! A process that is given so long and no longer, with all that it starts.

use process_wrap::std::{ChildWrapper, CommandWrap};
use std::{
    io::{self, Read},
    process::{Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

/// How often a process is asked whether it has ended, as long as what it answers is open: something that it started may
/// keep that open after it.
pub(super) const ASK: Duration = Duration::from_millis(10);

/// The same when that is closed, at first: it is as good as gone.
const ASK_SOON: Duration = Duration::from_micros(20);

/// How long the rest of what an ended process answered and said is waited for: something that it left behind may keep
/// them open, as the master of shared ssh connections does with the latter. On a busy machine the answer takes its time.
const REST: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(200));

/// How long a process whose time is up is given to take its locks away.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// Most bytes of output that are kept.
const KEPT: u64 = 1024 * 1024;

/// Whether this process is about to end, and nothing is waited for any more.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Has every process that is waited for here, on any thread, end now as if its time were up: this process is about to
/// end, and would leave them behind.
pub fn end_all() {
    ENDING.store(true, Ordering::Relaxed);
}

/// Whether all are to end now.
pub(super) fn are_all_ending() -> bool {
    ENDING.load(Ordering::Relaxed)
}

/// What came of a process.
#[derive(Debug)]
pub(super) struct Ran {
    /// How it ended; `None` when its time was up and it was ended.
    pub(super) status: Option<ExitStatus>,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// Runs `command`, and ends it and whatever it started when `limit` is over: first by asking, since a git that is
/// killed leaves its locks, here and in a hub on this machine. It can't read from a terminal.
pub(super) fn run(command: Command, limit: Duration) -> io::Result<Ran> {
    run_with(command, Stdio::null(), limit)
}

/// The same, with this to read.
pub(super) fn run_with(command: Command, stdin: Stdio, limit: Duration) -> io::Result<Ran> {
    run_for(command, stdin, limit, KEPT)
}

/// The same, where about so many bytes of its answer are kept.
pub(super) fn run_for(mut command: Command, stdin: Stdio, limit: Duration, kept: u64) -> io::Result<Ran> {
    let deadline = Instant::now() + limit;
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn_apart(command)?;
    let stdout = child.stdout().take().map(|stdout| collect(stdout, kept));
    let stderr = child.stderr().take().map(|stderr| collect(stderr, KEPT));
    let left = || if are_all_ending() { Duration::ZERO } else { until(deadline) };
    let status = match wait(&mut *child, stdout.as_ref(), left)? {
        Some(status) => Some(status),
        None => {
            end(&mut *child);
            None
        }
    };
    let taken = |collected: Option<Collected>, rest| collected.map(|c| c.take(rest)).unwrap_or_default();
    Ok(Ran { status, stdout: taken(stdout, REST.0), stderr: taken(stderr, REST.1) })
}

/// Starts a process of which all that it starts can be ended together.
pub(super) fn spawn_apart(command: Command) -> io::Result<Box<dyn ChildWrapper>> {
    let mut wrapped = CommandWrap::from(command);
    #[cfg(unix)]
    wrapped.wrap(process_wrap::std::ProcessGroup::leader());
    #[cfg(windows)]
    wrapped.wrap(process_wrap::std::JobObject);
    wrapped.spawn()
}

fn until(moment: Instant) -> Duration {
    moment.saturating_duration_since(Instant::now())
}

/// Waits, as long as there is time `left`, for the end of a process, of which the end of what it answers is the first sign.
fn wait(
    child: &mut dyn ChildWrapper,
    mut answer: Option<&Collected>,
    left: impl Fn() -> Duration,
) -> io::Result<Option<ExitStatus>> {
    let mut soon = ASK_SOON;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let left = left();
        if left.is_zero() {
            return Ok(None);
        }
        match answer {
            Some(open) if !open.ends_within(ASK.min(left)) => {}
            Some(_) => answer = None,
            None => {
                thread::sleep(soon.min(left));
                soon = (soon * 2).min(ASK);
            }
        }
    }
}

/// Ends it, and what it started.
fn end(child: &mut dyn ChildWrapper) {
    #[cfg(unix)]
    if child.signal(rustix::process::Signal::TERM.as_raw()).is_ok() {
        let grace = Instant::now() + GRACE;
        let _ = wait(child, None, || until(grace));
    }
    // That fails where nothing is left of it.
    let _ = child.kill();
}

/// What a process has written so far, and word of its end.
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    has_ended: mpsc::Receiver<()>,
}

impl Collected {
    /// Waits for its end, at most so long; whether it has come.
    fn ends_within(&self, time: Duration) -> bool {
        // Who reads says so and is gone.
        self.has_ended.recv_timeout(time) != Err(RecvTimeoutError::Timeout)
    }

    /// All of it, if it ends within `rest`.
    fn take(self, rest: Duration) -> Vec<u8> {
        let _ = self.ends_within(rest);
        self.bytes.lock().map(|mut bytes| std::mem::take(&mut *bytes)).unwrap_or_default()
    }
}

/// Reads to the end on a thread of its own, so that the process never waits for us.
fn collect(mut from: impl Read + Send + 'static, kept: u64) -> Collected {
    let (ended, has_ended) = mpsc::channel();
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&bytes);
    thread::spawn(move || {
        let mut buffer = [0; 8 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if let Ok(mut into) = into.lock()
                && (into.len() as u64) < kept
            {
                into.extend_from_slice(&buffer[..count]);
            }
        }
        let _ = ended.send(());
    });
    Collected { bytes, has_ended }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        #[expect(clippy::disallowed_methods, reason = "a test of what runs processes")]
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_it_says_and_how_it_ends_is_told() {
        let ran = run(sh("echo out; echo err >&2; exit 3"), Duration::from_secs(10)).expect("run");
        assert_eq!(
            (ran.status.and_then(|s| s.code()), &ran.stdout[..], &ran.stderr[..]),
            (Some(3), &b"out\n"[..], &b"err\n"[..])
        );
    }

    #[test]
    fn a_process_that_takes_too_long_is_ended_with_what_it_started() {
        let began = Instant::now();
        let ran = run(sh("sleep 60 & echo $!; wait"), Duration::from_millis(300)).expect("run");
        assert!(ran.status.is_none() && began.elapsed() < Duration::from_secs(30));
        let child = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
        // The children of a group that was ended are gone, or about to be collected by init.
        let gone = || run(sh(&format!("ps -o stat= -p {child} | grep -qv Z")), Duration::from_secs(10)).expect("run");
        assert!((0..100).any(|_| {
            thread::sleep(Duration::from_millis(20));
            gone().status.is_some_and(|status| !status.success())
        }));
    }

    #[test]
    fn a_process_that_is_ended_may_take_its_locks_away() {
        let lock = tempfile::NamedTempFile::new().expect("made").into_temp_path();
        let script = format!("trap 'rm {}; exit 1' TERM; sleep 60 & wait", lock.display());
        let ran = run(sh(&script), Duration::from_millis(300)).expect("run");
        assert!(ran.status.is_none() && !lock.exists());
    }

    #[test]
    fn a_process_that_would_not_end_is_ended_all_the_same() {
        let began = Instant::now();
        let ran = run(sh("trap '' TERM; sleep 60"), Duration::from_millis(100)).expect("run");
        assert!(ran.status.is_none() && began.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn what_is_left_behind_holding_the_output_is_not_waited_for() {
        let began = Instant::now();
        let ran = run(sh("sleep 8 & echo done"), Duration::from_secs(10)).expect("run");
        assert_eq!(ran.stdout, b"done\n");
        assert!(ran.status.is_some() && began.elapsed() < Duration::from_secs(7));
    }
}
