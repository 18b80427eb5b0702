//! Many processes at once: let go together, or beside a repository that is being tidied.

use crate::env::{Ended, Repo, ended};
use std::{
    io::{PipeWriter, Read, pipe},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
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

/// How often each command of each chore has ended well so far.
#[derive(Debug)]
pub struct Done(Vec<Vec<AtomicUsize>>);

impl Done {
    /// How often the command that was done least was done.
    pub fn fewest(&self) -> usize {
        self.0.iter().flatten().map(|times| times.load(Ordering::Relaxed)).min().unwrap_or_default()
    }
}

/// Runs each of `chores` over and over, all of them at once, while `work` runs, and tells how often each command ended
/// well. They may also fail: git's chores lock each other out.
pub fn beside<T>(repo: &Repo<'_>, chores: &[&Round], work: impl FnOnce(&Done) -> T) -> (T, Done) {
    let over = AtomicBool::new(false);
    let done = Done(chores.iter().map(|chore| chore.iter().map(|_| AtomicUsize::new(0)).collect()).collect());
    let result = thread::scope(|scope| {
        for (chore, times) in chores.iter().zip(&done.0) {
            let over = &over;
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    for (command, times) in chore.iter().zip(times) {
                        times.fetch_add(usize::from(repo.try_git(command).code == 0), Ordering::Relaxed);
                    }
                }
            });
        }
        let _stop = StopAtEnd(&over);
        work(&done)
    });
    (result, done)
}

/// Ends the chores also when the work panics; a scope would wait for them for ever.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
