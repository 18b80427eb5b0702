//! Many processes at once: let go together, or beside a repository that is being tidied.

use crate::env::{Ended, Repo, ended};
use std::{
    io::{PipeWriter, Read, pipe},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Runs `commands` so that all of them begin at the same moment, and returns how each ended.
pub fn together(commands: Vec<Command>) -> Vec<Ended> {
    together_timed(commands).into_iter().map(|(ended, _)| ended).collect()
}

/// As [`together`], with how long after the start each ended.
///
/// Each waits as a shell at a gate, its standard input, until the last one is there; then the gate is shut and every
/// shell becomes its command at once.
pub fn together_timed(commands: Vec<Command>) -> Vec<(Ended, Duration)> {
    let (gate, opener) = pipe().unwrap();
    let mut children: Vec<Child> = commands
        .iter()
        .map(|command| {
            let mut waiting = Command::new("sh");
            waiting.args(["-c", "echo; read gate; exec \"$0\" \"$@\" </dev/null"]);
            waiting.arg(command.get_program()).args(command.get_args()).current_dir(command.get_current_dir().unwrap());
            waiting.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            waiting.stdin(gate.try_clone().unwrap()).stdout(Stdio::piped()).stderr(Stdio::piped());
            waiting.spawn().unwrap()
        })
        .collect();
    for child in &mut children {
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    }
    let start = Instant::now();
    drop::<PipeWriter>(opener);
    let wait = |child: Child| (ended(&child.wait_with_output().unwrap()), start.elapsed());
    thread::scope(|scope| {
        let waiting: Vec<_> = children.into_iter().map(|child| scope.spawn(move || wait(child))).collect();
        waiting.into_iter().map(|waiting| waiting.join().unwrap()).collect()
    })
}

/// A list of git commands that follow each other.
type Round = [&'static [&'static str]];

/// Runs each of `chores` over and over, all of them at once, while `work` runs, and tells how often each came round.
/// Their commands may fail: git's chores lock each other out.
pub fn beside<T>(repo: &Repo<'_>, chores: &[&Round], work: impl FnOnce() -> T) -> (T, Vec<usize>) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let chores: Vec<_> = chores
            .iter()
            .map(|chore| {
                let done = &done;
                scope.spawn(move || {
                    let mut times = 0;
                    while !done.load(Ordering::Relaxed) {
                        chore.iter().for_each(|command| drop(repo.try_git(command)));
                        times += 1;
                    }
                    times
                })
            })
            .collect();
        let stop = StopAtEnd(&done);
        let result = work();
        drop(stop);
        (result, chores.into_iter().map(|chore| chore.join().unwrap()).collect())
    })
}

/// Ends the chores also when the work panics; a scope would wait for them for ever.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
