//! Starting whoever makes an attempt, and hearing what they tell of it while they are at it.

use super::{Doer, attempt::Means, place::Place};
use crate::{
    base::path::RepoPath,
    model::run::StepStatus,
    ops::{
        Error, Session,
        errand::{Ended, Errand, Heard},
        verify::{Interrupts, Plan, Planned},
    },
    runner::work::Moment,
};
use std::{
    collections::BTreeSet,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// How long an agent may be silent, unless the step says otherwise.
const STALL: Duration = Duration::from_secs(5 * 60);

/// How often it is told that a worker is alive.
const BEAT: Duration = Duration::from_secs(20);

/// The check that is made early, and how it is told that an agent edits a file.
const LINT: &str = "@lint";
const EDITS: &str = "editing ";

/// Most files that are kept of those which an agent says it edits.
const MOST_EDITS: usize = 1000;

/// The files that an agent edits by its own word.
pub(super) type Edited = BTreeSet<RepoPath>;

impl Doer<'_> {
    /// Starts it, and waits for its end.
    pub(super) fn send(
        &self,
        means: &Means<'_>,
        place: Option<&Place>,
        number: u32,
        plan: &Plan,
    ) -> Result<(Ended, Edited), Error> {
        let run = self.site.recorder.run();
        let folder = self.session.make_run_folder(run)?;
        let writes = place.filter(|place| place.may_write());
        let log = folder.join(format!("{}.{number}.log", self.step.path.as_str().replace('/', ".")));
        let mark = self.mark(number);
        let dir = place.map_or_else(|| self.site.root.clone(), |place| self.dir_of(place));
        let errand = Errand {
            prompt: &means.prompt,
            stdin: self.work.stdin.as_deref().map(str::as_bytes),
            dir: &dir,
            may_write: writes.is_some(),
            schema: means.schema.as_deref(),
            instance: place.and_then(Place::known_as),
            env: &self.work.env,
            mark: &mark,
            log: &log,
            timeout: self.work.timeout,
            stall: self.work.stall.or(means.hand.map(|_| STALL)),
        };
        // The lint is run once early, after the first file that was changed: what is wrong is known while it is little.
        let lint = plan.checks.iter().find(|check| check.name == LINT && check.hindrance.is_none());
        let lint = lint.filter(|_| writes.is_some());
        let mut edited = Edited::new();
        let ended = thread::scope(|scope| {
            let (mut beaten, mut early) = (Instant::now(), None);
            let mut hear = |heard: Heard| {
                if beaten.elapsed() >= BEAT {
                    place.iter().for_each(|place| self.session.beat_for(&place.worker.id));
                    beaten = Instant::now();
                }
                if let Some(file) = edits(&heard) {
                    if let (Some(lint), None) = (lint, &early) {
                        let (dir, interrupts, mark) = (&dir, &*self.site.interrupts, self.mark(number));
                        early = Some(scope.spawn(move || linted(dir, lint, &mark, interrupts)));
                    }
                    if edited.len() < MOST_EDITS {
                        edited.extend(RepoPath::from_bytes(file.as_bytes()));
                    }
                }
                (self.tell)(match heard {
                    Heard::Queued => Moment::Status(StepStatus::Queued),
                    Heard::Begun => Moment::Status(StepStatus::Running),
                    Heard::Doing(words) => Moment::Doing(words),
                    Heard::Alive => Moment::Alive,
                });
            };
            let ended = match means.hand {
                Some(hand) => self.session.send(hand, &errand, &self.site.interrupts, &mut hear),
                None => self.session.send_line(&means.prompt, &errand, &self.site.interrupts, &mut hear),
            };
            if let Some(Ok(Some(how))) = early.map(thread::ScopedJoinHandle::join) {
                (self.tell)(Moment::Said(format!("{LINT}, run once after the first edit: {how}")));
            }
            ended
        });
        Ok((ended?, edited))
    }
}

/// The file that an agent edits now, as far as it tells.
fn edits(heard: &Heard) -> Option<&str> {
    match heard {
        Heard::Doing(words) => words.strip_prefix(EDITS),
        Heard::Queued | Heard::Begun | Heard::Alive => None,
    }
}

/// How the lint ended that is run beside an agent; `None` where it could not be run.
fn linted(dir: &Path, lint: &Planned, mark: &str, interrupts: &Interrupts) -> Option<String> {
    let session = Session::open_other(dir, None).ok()?;
    let checked = session.make_check(lint, mark, interrupts, || {});
    let exit = checked.exit.map(|exit| format!(", exit code {exit}")).unwrap_or_default();
    Some(format!("{}{exit}", checked.outcome.as_str()))
}
