use super::*;
use crate::{
    base::process::Aliveness,
    host::{
        agents::headless::{Errand, Tool},
        process,
    },
};
use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Instant,
};

const LONG: Option<Duration> = Some(Duration::from_secs(60));

/// A place for one run.
struct Place {
    dir: tempfile::TempDir,
    mark: String,
    interrupts: Interrupts,
}

impl Place {
    fn new() -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mark = format!("test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let interrupts = Interrupts::watch().expect("watched");
        Place { dir: tempfile::tempdir().expect("a folder"), mark, interrupts }
    }

    /// Runs a line of shell as if it were an agent.
    fn run(&self, script: &str, timeout: Option<Duration>, stall: Option<Duration>) -> Ended {
        self.supervise(&shell(script), timeout, stall, &self.interrupts, &mut |_| ()).expect("a shell")
    }

    fn supervise(
        &self,
        tool: &Tool,
        timeout: Option<Duration>,
        stall: Option<Duration>,
        interrupts: &Interrupts,
        hear: &mut dyn FnMut(Heard),
    ) -> io::Result<Ended> {
        let dir = self.dir.path();
        let (prompt, git_dir, instance) = ("do it", dir, "sh-1");
        let errand =
            Errand { prompt, stdin: None, dir, may_write: true, git_dir, schema: None, resume: None, instance };
        let invocation = tool.invocation(&errand).expect("words");
        let log = dir.join("log");
        let watch = Watch { invocation: &invocation, dir, timeout, stall, mark: &self.mark, log: &log };
        let ended = supervise(&watch, tool.reader(dir), interrupts, hear);
        assert_eq!(process::marked(MARK, &self.mark), 0, "something is left: {ended:?}");
        ended
    }
}

fn shell(script: &str) -> Tool {
    Tool::Command { name: "sh".into(), words: ["sh", "-c", script].map(str::to_owned).to_vec() }
}

/// Whether the processes whose pids were printed are gone.
fn are_gone(pids: &str) -> bool {
    pids.split_whitespace().all(|pid| {
        let mark = process::mark(pid.parse().expect("a pid"));
        mark.is_none_or(|mark| process::aliveness(&mark) != Aliveness::Alive)
    })
}

#[test]
fn the_answer_is_standard_output_and_nothing_else() {
    let place = Place::new();
    let mut heard = Vec::new();
    let agent = shell("cat; echo; echo answer; echo words >&2; pwd");
    let ended = place.supervise(&agent, LONG, LONG, &place.interrupts, &mut |what| heard.push(what)).expect("a shell");
    let dir = fs::canonicalize(place.dir.path()).expect("a folder");
    assert_eq!(ended.told.result, format!("do it\nanswer\n{}\n", dir.display()));
    assert_eq!((ended.end, &ended.stderr_tail[..], ended.left_behind), (End::Exited(0), "words\n", 0));
    assert_eq!((ended.bytes, ended.unusable()), (ended.told.result.len() as u64, None));
    assert_eq!(heard[..2], [Heard::Begun, Heard::Doing("do it".into())]);
    let log = fs::read_to_string(place.dir.path().join("log")).expect("a log");
    assert!(log.contains("answer\n") && log.contains("words\n"), "{log}");
}

#[test]
fn an_agent_knows_who_it_is_and_not_who_we_are() {
    let place = Place::new();
    let ended = place.run("echo $AIO_INSTANCE $AIO_RUN; env | grep -c '^GIT_DIR\\|^CLAUDECODE'; true", LONG, LONG);
    assert_eq!(ended.told.result, format!("sh-1 {}\n0\n", place.mark));
}

#[test]
fn what_can_t_be_used_says_why() {
    let place = Place::new();
    // All of them come to an end by themselves, and much of what is read takes its time on a busy machine.
    let why = |script: &str| place.run(script, None, None).unusable().map(|why| why.to_string());
    assert_eq!(why("exit 3").as_deref(), Some("it ended with exit code 3"));
    assert_eq!(why("echo half; kill -9 $$").as_deref(), Some("it ended with exit code 137"));
    assert_eq!(why("printf ' \\n'").as_deref(), Some("its answer is empty"));
    assert_eq!(why("head -c 2000000 /dev/zero").as_deref(), Some("too much output to be kept"));
    assert_eq!(why("yes | head -c 20000000").as_deref(), Some("too much output to be kept"));
}

#[test]
fn whoever_is_silent_for_too_long_is_ended_and_whoever_speaks_is_not() {
    let place = Place::new();
    let stall = Some(Duration::from_millis(400));
    let ended = place.run("echo a; sleep 60 & echo $! >&2; wait", LONG, stall);
    assert_eq!((ended.end, &ended.told.result[..]), (End::Stalled, "a\n"));
    assert!(are_gone(&ended.stderr_tail));
    let ended = place.run("for i in 1 2 3 4 5 6; do sleep 0.1; echo . >&2; done; echo done", LONG, stall);
    assert_eq!((ended.end, &ended.told.result[..]), (End::Exited(0), "done\n"));
}

#[test]
fn whoever_takes_too_long_is_ended() {
    let place = Place::new();
    let ended = place.run("while :; do echo .; sleep 0.1; done", Some(Duration::from_millis(400)), LONG);
    assert_eq!((ended.end, ended.unusable()), (End::TimedOut, Some(Unusable::TimedOut)));
    assert!(ended.took < Duration::from_secs(8), "{ended:?}");
}

#[test]
fn all_that_are_watched_over_see_an_interrupt_and_a_second_leaves_no_time() {
    let interrupts = Interrupts::watch().expect("watched");
    let began = Instant::now();
    thread::scope(|scope| {
        let runs: Vec<_> = (0..3)
            .map(|_| {
                let agent = shell("trap '' TERM INT; while :; do sleep 0.1; done");
                let interrupts = &interrupts;
                scope.spawn(move || Place::new().supervise(&agent, LONG, None, interrupts, &mut |_| ()))
            })
            .collect();
        thread::sleep(Duration::from_millis(300));
        interrupts.interrupt();
        thread::sleep(Duration::from_millis(700));
        assert!(runs.iter().all(|run| !run.is_finished()), "they are given time");
        interrupts.interrupt();
        for run in runs {
            let ended = run.join().expect("joined").expect("a shell");
            assert_eq!((ended.end, ended.unusable()), (End::Interrupted, Some(Unusable::Interrupted)));
        }
    });
    assert!(began.elapsed() < GRACE, "{:?}", began.elapsed());
}

#[test]
fn what_is_left_in_the_group_ends_and_keeps_nobody() {
    let place = Place::new();
    let ended = place.run("sleep 60 & echo $!", LONG, LONG);
    assert!(ended.end == End::Exited(0) && ended.took < Duration::from_secs(5), "{ended:?}");
    assert!(are_gone(&ended.told.result));
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_left_in_sessions_of_its_own_ends_too() {
    let place = Place::new();
    let ended = place.run(
        "setsid sh -c \"trap '' TERM; echo \\$\\$; while :; do sleep 0.1; done\" & setsid sleep 60 & sleep 0.3",
        LONG,
        LONG,
    );
    assert!(ended.end == End::Exited(0) && ended.left_behind >= 2, "{ended:?}");
    assert!(are_gone(&ended.told.result) && ended.took < Duration::from_secs(8), "{ended:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_with_another_mark_is_not_ours() {
    #[expect(clippy::disallowed_methods, reason = "a process that isn't ours is needed")]
    let mut other = Command::new("sleep").arg("60").env(MARK, "test-other").spawn().expect("started");
    let place = Place::new();
    place.run("sleep 60 & exit 0", LONG, LONG);
    assert!(other.try_wait().expect("asked").is_none());
    assert_eq!(end_marked("test"), 0);
    assert_eq!(end_marked("test-other"), 1);
    assert!(!other.wait().expect("ended").success());
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_within_a_run_belongs_to_both() {
    #[expect(clippy::disallowed_methods, reason = "a process that isn't ours is needed")]
    let mut inner = Command::new("sleep").arg("60").env(MARK, "test-outer/test-inner").spawn().expect("started");
    assert_eq!((process::marked(MARK, "test-inner"), process::marked(MARK, "test-out")), (1, 0));
    assert_eq!(end_marked("test-outer"), 1);
    inner.wait().expect("ended");
}

#[test]
fn a_program_that_is_not_there_is_an_error() {
    let place = Place::new();
    let tool = Tool::Command { name: "no-such-agent".into(), words: vec!["no-such-agent".into()] };
    assert!(!tool.is_installed());
    let failed = place.supervise(&tool, LONG, LONG, &place.interrupts, &mut |_| ());
    assert_eq!(failed.map(|ended| ended.end).map_err(|error| error.kind()), Err(io::ErrorKind::NotFound));
}
