//! Changes of files that come of what was done about changes: to handle those as well would have no end.

use super::run::{Run, RunStatus, Step};
use crate::base::{path::RepoPath, world::Time};
use chrono::TimeDelta;

/// How late a change may be heard of.
const LATE: TimeDelta = TimeDelta::milliseconds(250);

/// How often in a row there may be nothing but changes that were made while the ones before were handled.
const MOST: u32 = 3;

/// Whether a change of this file, heard of at this moment, is one that a run has made or taken back.
pub fn is_of_run(run: &Run, steps: &[Step], path: &RepoPath, at: Time) -> bool {
    let is_at_work = matches!(run.status, RunStatus::Running | RunStatus::Compensating);
    let is_within = run.began <= at
        && match run.ended {
            Some(ended) => at <= ended + LATE,
            None => is_at_work || steps.iter().filter_map(last_work).max().is_some_and(|last| at <= last + LATE),
        };
    let files =
        |step: &Step| step.files.contains(path) || step.attempts.iter().any(|attempt| attempt.files.contains(path));
    is_within && steps.iter().any(files)
}

/// When a step of a run that is halted was at work last.
fn last_work(step: &Step) -> Option<Time> {
    let attempts = step.attempts.iter().map(|attempt| {
        let took = attempt.took.and_then(|took| TimeDelta::from_std(took).ok());
        attempt.began.checked_add_signed(took.unwrap_or_default()).unwrap_or(attempt.began)
    });
    attempts.chain(step.ended).max()
}

/// Tells whether what is handled comes again and again of its own handling, though nothing says so.
#[derive(Debug, Clone, Default)]
pub struct Echo {
    times: u32,
}

impl Echo {
    /// Whether these changes are to be left alone: for some time nothing has changed but while changes were handled, in
    /// whichever files. `meanwhile`: all of these have changed while the ones before were handled.
    pub fn hears(&mut self, meanwhile: bool) -> bool {
        self.times = if meanwhile { self.times.saturating_add(1) } else { 0 };
        self.times >= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::run::{Attempt, Driver, Stage, StepStatus, Usage};
    use std::time::Duration;

    fn at(second: u32) -> Time {
        format!("2026-11-21T00:00:{second:02}Z").parse().expect("a time")
    }

    fn path(path: &str) -> RepoPath {
        RepoPath::from_bytes(path.as_bytes()).expect("a path")
    }

    fn run(status: RunStatus, ended: Option<Time>) -> Run {
        Run {
            id: "flow-1-abcd".parse().expect("an id"),
            workflow: "flow".into(),
            title: String::new(),
            by: None,
            began: at(10),
            ended,
            status,
            driver: Driver { clone: "0011223344556677".parse().expect("an id"), process: None },
            parent: None,
            holder: None,
            why: None,
            waits_for: Vec::new(),
            links: Vec::new(),
        }
    }

    /// A step whose one attempt began in second 10 and took 5.
    fn step() -> Step {
        let attempt = Attempt {
            number: 1,
            agent: "sh".into(),
            instance: None,
            began: at(10),
            took: Some(Duration::from_secs(5)),
            stage: Stage::Settled,
            exit: None,
            session: None,
            usage: Usage::default(),
            bytes: 0,
            before: None,
            after: None,
            files: vec![path("tried")],
            checks: Vec::new(),
            failure: None,
            review: None,
        };
        let mut step = Step::new("a".parse().expect("a path"), "run");
        step.status = StepStatus::Ok;
        step.attempts = vec![attempt];
        step.files = vec![path("kept")];
        step
    }

    #[test]
    fn what_a_run_has_changed_while_it_went_on_is_its_own() {
        let (steps, ended) = ([step()], run(RunStatus::Complete, Some(at(20))));
        let is = |run: &Run, name: &str, second| is_of_run(run, &steps, &path(name), at(second));
        assert!(is(&ended, "kept", 12) && is(&ended, "tried", 20));
        assert!(!is(&ended, "other", 12) && !is(&ended, "kept", 9) && !is(&ended, "kept", 21));
        let running = run(RunStatus::Running, None);
        assert!(is(&running, "kept", 50));
        let waiting = run(RunStatus::Waiting, None);
        assert!(is(&waiting, "kept", 15) && !is(&waiting, "kept", 16), "nobody is at work while it waits");
    }

    #[test]
    fn what_comes_again_and_again_of_its_own_handling_is_left_alone() {
        let mut echo = Echo::default();
        let heard: Vec<bool> = (0..5).map(|time| echo.hears(time > 0)).collect();
        assert_eq!(heard, [false, false, false, true, true]);
        assert!(!echo.hears(false), "somebody else has changed something");
        assert_eq!([true, true, false, true].map(|meanwhile| echo.hears(meanwhile)), [false; 4]);
    }
}
