//! Where an attempt works: what it may write there, what the files were like before, and what becomes of its changes.

use super::{Doer, trace::Traces, with_hint};
use crate::{
    base::{
        id::InstanceId,
        oid::Oid,
        path::{RepoPath, named},
        text,
    },
    model::run::{Attempt, Failure, FailureKind},
    ops::{
        Error, Held, Session, Target,
        run::copy_of_worker,
        worker::Worker,
        worktree::{Capture, Change, CheckedOut, Isolated, Removed},
    },
    runner::{
        copy::made_ready,
        landing::{Landing, told},
        work::{Isolation, Moment},
    },
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// How often it is tried again to claim what somebody else holds.
pub(super) const AGAIN: Duration = Duration::from_millis(250);

/// How long runs are seen to wait for each other before one gives way: what one waits for may just have become free.
const LASTS: Duration = Duration::from_secs(3);

/// How long the one who began a run has to let go of what a step of it writes.
const LETS_GO: Duration = Duration::from_secs(10);

/// The folder for what workflows tell each other by files.
const SCRATCH: &str = ".context/";

/// What whoever works at a place may do there. The result itself is written by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// Write in its scope.
    Write,
    /// Read. Its CLI keeps it from more.
    Read,
    /// Read, and nothing keeps it from more: what it changes counts against it.
    OnItsWord,
}

/// The place of an attempt that may write, or could.
pub(super) struct Place {
    pub(super) worker: Worker,
    pub(super) before: Capture,
    /// That, as a tree that can be referred to.
    pub(super) kept: Oid,
    /// The work tree of its own, where it has one.
    isolated: Option<(Isolated, Session)>,
    /// In which case the work tree of everybody is looked at, too.
    pub(super) main: Option<Capture>,
    /// What was checked out in that one.
    pub(super) checked_out: CheckedOut,
    pub(super) leave: Leave,
}

impl Leave {
    /// That of a step with this scope, whose CLI keeps it from writing or doesn't.
    pub(super) fn of(scope: &[String], is_held: bool) -> Leave {
        match (scope, is_held) {
            ([_, ..], _) => Leave::Write,
            ([], true) => Leave::Read,
            ([], false) => Leave::OnItsWord,
        }
    }
}

impl Place {
    /// What comes back from a work tree of its own.
    pub(super) fn landing(&self, traces: &Traces) -> Option<Landing> {
        let (isolated, _) = self.isolated.as_ref()?;
        Some(Landing { before: isolated.main().clone(), after: traces.after.clone(), files: traces.inside.clone() })
    }

    pub(super) fn may_write(&self) -> bool {
        self.leave == Leave::Write
    }

    /// Who works here, where that is to be known by what it starts: what it claims by itself is no excuse then.
    pub(super) fn known_as(&self) -> Option<&InstanceId> {
        (self.leave != Leave::Read).then_some(&self.worker.id)
    }
}

impl Doer<'_> {
    /// Claims the scope for a worker of its own, and sees what is there.
    pub(super) fn enter(&mut self, tool: &str, task: &str, scope: &[String], leave: Leave) -> Result<Place, Failure> {
        let worker = self.hire(tool, task, scope)?;
        let looked = self.hide_scratch(scope).and_then(|()| {
            let checked_out = self.session.checked_out()?;
            Ok((checked_out, self.look_around(&worker, scope)?))
        });
        match looked {
            Ok((checked_out, (before, kept, isolated, main))) => {
                Ok(Place { worker, before, kept, isolated, main, checked_out, leave })
            }
            Err(error) => {
                self.let_go(&worker.id);
                Err(Failure { kind: FailureKind::Internal, text: with_hint(&error) })
            }
        }
    }

    /// What a step claims: where it may write, and where its result is to be.
    pub(super) fn with_result(&self, scope: &[String]) -> Vec<String> {
        let save = self.work.save.iter().map(|save| format!("./{save}"));
        scope.iter().cloned().chain(save).collect()
    }

    /// What workflows tell each other by files is nobody's work, and git is not to see it.
    fn hide_scratch(&self, scope: &[String]) -> Result<(), Error> {
        let is_in_it = |word: &&String| word.trim_start_matches("./").starts_with(SCRATCH);
        let Some(word) = scope.iter().find(is_in_it) else { return Ok(()) };
        let path = RepoPath::from_bytes(word.trim_start_matches("./").as_bytes());
        path.map_or(Ok(()), |path| self.session.exclude(&path))
    }

    #[expect(clippy::type_complexity, reason = "the parts of a place, which its one caller puts together")]
    fn look_around(
        &self,
        worker: &Worker,
        scope: &[String],
    ) -> Result<(Capture, Oid, Option<(Isolated, Session)>, Option<Capture>), Error> {
        let here = self.session.capture_before(&self.session.scopes(scope)?)?;
        if self.work.isolation == Isolation::Claims || self.work.scope.is_empty() {
            let kept = self.session.capture_to_tree(&here)?;
            return Ok((here, kept, None, None));
        }
        let make_ready = |isolated: &Isolated, there: Session| {
            self.set_up(&there)?;
            let before = there.capture_after(isolated.base())?;
            let kept = there.capture_to_tree(&before)?;
            Ok((before, kept, there))
        };
        let (name, acting_as) = (copy_of_worker(self.site.recorder.run(), &worker.id), self.site.acting_as.clone());
        let (isolated, (before, kept, there)) = made_ready(&self.session, &name, &here, acting_as, make_ready)?;
        Ok((before, kept, Some((isolated, there)), Some(here)))
    }

    /// Makes a new work tree ready to be worked in, as the repository says.
    fn set_up(&self, there: &Session) -> Result<(), Error> {
        let Some(line) = self.session.setup_of_work_trees()? else { return Ok(()) };
        (self.tell)(Moment::Doing(format!("setting up the work tree: {line}")));
        there.set_up(&line, &self.site.interrupts)
    }

    /// A worker with its claims. What somebody else holds is waited for, as long as this run has patience.
    pub(super) fn hire(&mut self, tool: &str, task: &str, scope: &[String]) -> Result<Worker, Failure> {
        if let Some(holding) = self.site.holding.clone() {
            return self.hire_within(&holding, scope);
        }
        let bad = |error: &Error| Failure { kind: FailureKind::Internal, text: with_hint(error) };
        let targets = self.session.scopes(scope).map_err(|error| bad(&error))?;
        let hired = self.hire_in_time(tool, task, scope, &targets);
        self.site.note_wait(&self.step.path, &[]).map_err(super::internal)?;
        hired
    }

    /// The same, of what is no part of what the run holds as a whole. Nobody waits for himself for long, and of runs that wait
    /// for each other one gives way.
    fn hire_in_time(&self, tool: &str, task: &str, scope: &[String], targets: &[Target]) -> Result<Worker, Failure> {
        let bad = |error: &Error| Failure { kind: FailureKind::Internal, text: with_hint(error) };
        let (run, began, mut told) = (self.site.recorder.run(), Instant::now(), String::new());
        let mut in_turn_since: Option<Instant> = None;
        loop {
            self.free_from_keepers(scope).map_err(|error| bad(&error))?;
            let held = match self.session.hire(tool, run, task, targets) {
                Ok(worker) => return Ok(worker),
                Err(Error::Held(held)) => held,
                Err(error) => return Err(bad(&error)),
            };
            let others = self.session.runs_in_the_way(&held);
            self.site.note_wait(&self.step.path, &others).map_err(super::internal)?;
            let in_turn = self.session.waits_in_turn(run, &others);
            in_turn_since = in_turn.is_some().then(|| in_turn_since.unwrap_or_else(Instant::now));
            let lasts = in_turn_since.is_some_and(|since| since.elapsed() >= LASTS);
            let in_turn = in_turn.filter(|_| lasts).map(|other| format!("; {other} waits for this run in turn"));
            let patience = match is_by_caller(&held, &self.session) {
                true => self.site.patience.min(LETS_GO),
                false => self.site.patience,
            };
            let held = Error::Held(held);
            if in_turn.is_some() || began.elapsed() >= patience || self.site.is_stopped() {
                let text = held_words(&held, &self.session) + &in_turn.unwrap_or_default();
                return Err(Failure { kind: FailureKind::Held, text });
            }
            let words = held.to_string();
            if words != told {
                (self.tell)(Moment::Status(crate::model::run::StepStatus::Blocked));
                (self.tell)(Moment::Blocked(vec![words.clone()]));
                told = words;
            }
            thread::sleep(AGAIN);
        }
    }

    /// What earlier steps of the run have changed is kept from others, and not from this one.
    fn free_from_keepers(&self, scope: &[String]) -> Result<(), Error> {
        let keepers = self.site.keepers.lock().map(|keepers| keepers.clone()).unwrap_or_default();
        let targets = self.session.scopes(scope)?;
        keepers.iter().try_for_each(|keeper| self.session.release_overlapping(keeper, &targets))
    }

    /// Puts back what the attempts of this driver have left in the scope although the step came to nothing: work that a
    /// reviewer found worth going on with, and the half of a scope whose other half failed.
    pub(super) fn put_parts_back(&mut self, first: usize) {
        let has_left = |attempt: &&Attempt| {
            !attempt.files.is_empty()
                && attempt.failure.as_ref().is_none_or(|failure| failure.kind == FailureKind::Missed)
        };
        let attempts = self.step.attempts.get(first..).unwrap_or_default();
        let Some(before) = attempts.iter().find(has_left).and_then(|attempt| attempt.before.clone()) else { return };
        if let Err(left) = self.put_back_to(&before) {
            (self.tell)(Moment::Said(left));
        }
    }

    fn put_back_to(&self, before: &Oid) -> Result<(), String> {
        let look = || {
            self.free_from_keepers(&self.work.scope)?;
            let before = self.session.capture_from_tree(before)?;
            let now = self.session.capture_after(&before)?;
            let changed = paths(self.session.changed_between(&before, &now)?);
            let inside = self.session.covered(&self.session.scopes(&self.work.scope)?, changed)?;
            let own = self.site.holding.as_ref().map(|holding| holding.holder());
            Ok((before, now, self.session.not_held_by_others(&inside, own)?))
        };
        let (before, now, free) = look().map_err(|error: Error| with_hint(&error))?;
        self.restore(&before, &now, &free)
    }

    /// The session in which the attempt's own work tree is seen.
    pub(super) fn session_in<'p>(&'p self, place: &'p Place) -> &'p Session {
        place.isolated.as_ref().map_or(&self.session, |(_, there)| there)
    }

    /// Where the attempt works.
    pub(super) fn dir_of(&self, place: &Place) -> std::path::PathBuf {
        place.isolated.as_ref().map_or_else(|| self.site.root.clone(), |(isolated, _)| isolated.dir().to_owned())
    }

    /// Puts the scope back to what it was. What can't be put back is told.
    pub(super) fn put_back(&self, place: &Place, traces: &Traces) -> Result<(), String> {
        // A work tree of its own goes away with all that was done in it.
        let its: Vec<RepoPath> = traces.inside.iter().chain(&traces.own_strays).cloned().collect();
        if place.isolated.is_some() || its.is_empty() {
            return Ok(());
        }
        // Of a claim that was lost meanwhile somebody else may have got a part, and what is there is theirs.
        let free = self.session.not_held_by_others(&its, Some(&place.worker.id));
        let free = free.map_err(|error| with_hint(&error))?;
        self.restore(&place.before, &traces.after, &free)?;
        let theirs: Vec<RepoPath> = its.iter().filter(|path| !free.contains(path)).cloned().collect();
        if theirs.is_empty() { Ok(()) } else { Err(format!("others hold these now: {}", named(&theirs))) }
    }

    pub(super) fn restore(&self, before: &Capture, after: &Capture, paths: &[RepoPath]) -> Result<(), String> {
        restored(&self.session, before, after, paths)
    }

    /// Leaves the place. What was changed is kept from others until the run ends, if it is to stay.
    pub(super) fn leave(&self, place: Place, changed: &[RepoPath]) {
        if let Some((isolated, there)) = place.isolated {
            let removed =
                there.capture_after(isolated.base()).and_then(|work| self.session.remove_isolated(isolated, &work));
            let note = match removed {
                Ok(Removed::Gone { ignored }) if ignored.is_empty() => None,
                Ok(Removed::Gone { ignored }) => {
                    Some(format!("what git ignores went with its work tree: {}", named(&ignored)))
                }
                Ok(Removed::Left { dir, why }) => Some(format!("its work tree is left at {}: {why}", dir.display())),
                Err(error) => Some(format!("its work tree is left: {}", with_hint(&error))),
            };
            note.into_iter().for_each(|note| (self.tell)(Moment::Said(note)));
        }
        if changed.is_empty() || self.site.holding.is_some() {
            return self.let_go(&place.worker.id);
        }
        let _ = self.session.release_beside(&place.worker, changed);
        if let Ok(mut keepers) = self.site.keepers.lock() {
            keepers.push(place.worker.id);
        }
    }
}

/// Puts paths back in the work tree of a session. What can't be put back is told.
pub(super) fn restored(session: &Session, before: &Capture, after: &Capture, paths: &[RepoPath]) -> Result<(), String> {
    match session.restore(before, after, paths) {
        Ok(put_back) if put_back.left.is_empty() => Ok(()),
        Ok(put_back) => Err(format!("left as it is: {}", told(&put_back.left))),
        Err(error) => Err(with_hint(&error)),
    }
}

/// What to do about what the one who began the run holds.
const HELD_BY_CALLER: &str = ": that is you, and a worker has to hold it itself; release it, and try again";

/// Who holds what is wanted, and what to do about it.
pub(super) fn held_words(held: &Error, session: &Session) -> String {
    match held {
        Error::Held(all) if is_by_caller(all, session) => format!("{held}{HELD_BY_CALLER}"),
        held => held.to_string(),
    }
}

/// Whether the one who began the run holds some of it, and would wait for himself.
fn is_by_caller(held: &[Held], session: &Session) -> bool {
    let own = session.whoami().ok().map(|known| known.instance.id);
    held.iter().any(|held| own.as_ref().is_some_and(|own| held.conflict.claim.is_held_by(own)))
}

pub(super) fn paths(changes: Vec<Change>) -> impl Iterator<Item = RepoPath> {
    changes.into_iter().map(|change| change.path)
}

/// Some words of a scope for people.
pub(super) fn paths_named(scope: &[String]) -> String {
    text::one_line(&scope.join(", "), 200)
}
