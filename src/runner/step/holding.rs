//! Steps of a run that work as one instance, since their workflow claims at once what all of them write. To that instance
//! nothing of its own is in the way, so that each step waits here till no other writes the same.

use super::{
    Doer,
    place::{AGAIN, held_words, paths_named},
};
use crate::{
    base::{
        id::{InstanceId, StepPath},
        path::RepoPath,
    },
    model::run::{Failure, FailureKind, StepStatus},
    ops::{Error, Session, Target, worker::Worker},
    runner::work::Moment,
};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

/// What a run holds as a whole, and who of its steps writes where.
#[derive(Debug)]
pub struct Holding {
    holder: Worker,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// How much has happened.
    clock: u64,
    places: Vec<Taken>,
}

/// A place that a step has, or had.
#[derive(Debug)]
struct Taken {
    step: StepPath,
    scope: Vec<Target>,
    since: u64,
    until: Option<u64>,
}

impl Holding {
    /// What `holder` holds.
    pub fn of(holder: Worker) -> Holding {
        Holding { holder, table: Mutex::default() }
    }

    /// The instance that holds it.
    pub fn holder(&self) -> &InstanceId {
        &self.holder.id
    }

    /// That, as what it holds.
    pub fn worker(&self) -> &Worker {
        &self.holder
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a step; or tells which other step is in the way.
    fn take(&self, session: &Session, step: &StepPath, scope: &[Target]) -> Result<Option<StepPath>, Error> {
        let mut table = self.table();
        for place in table.places.iter().filter(|place| place.until.is_none() && place.step != *step) {
            if session.overlap(&place.scope, scope)? {
                return Ok(Some(place.step.clone()));
            }
        }
        table.clock += 1;
        let since = table.clock;
        table.places.push(Taken { step: step.clone(), scope: scope.to_vec(), since, until: None });
        Ok(None)
    }

    /// A step has left its place.
    pub(super) fn free(&self, step: &StepPath) {
        let mut table = self.table();
        table.clock += 1;
        let now = table.clock;
        let places = table.places.iter_mut().filter(|place| place.step == *step && place.until.is_none());
        places.for_each(|place| place.until = Some(now));
    }

    /// Of `paths` those that no other step could write while this one was at work.
    pub(super) fn of_no_other(
        &self,
        session: &Session,
        step: &StepPath,
        mut paths: Vec<RepoPath>,
    ) -> Result<Vec<RepoPath>, Error> {
        let table = self.table();
        let mine = table.places.iter().rev().find(|place| place.step == *step).map_or(0, |place| place.since);
        let meanwhile = |place: &&Taken| place.step != *step && place.until.is_none_or(|until| until > mine);
        for place in table.places.iter().filter(meanwhile) {
            let theirs = session.covered(&place.scope, paths.iter().cloned())?;
            paths.retain(|path| !theirs.contains(path));
        }
        Ok(paths)
    }
}

impl Doer<'_> {
    /// A place within what the run holds. What another step, or somebody else, holds of it is waited for.
    pub(super) fn hire_within(&mut self, holding: &Holding, scope: &[String]) -> Result<Worker, Failure> {
        let failed = |error: &Error| Failure { kind: FailureKind::Internal, text: super::with_hint(error) };
        let targets = self.session.scopes(scope).map_err(|error| failed(&error))?;
        let (began, mut told) = (Instant::now(), String::new());
        loop {
            let in_the_way =
                match holding.take(&self.session, &self.step.path, &targets).map_err(|error| failed(&error))? {
                    Some(step) => format!("{} is written by the step {step}", paths_named(scope)),
                    None => match self.session.work_as(&holding.holder, self.site.recorder.run(), &targets) {
                        Ok(worker) => return Ok(worker),
                        Err(error) => {
                            holding.free(&self.step.path);
                            match error {
                                Error::Held(_) => held_words(&error, &self.session),
                                error => return Err(failed(&error)),
                            }
                        }
                    },
                };
            if began.elapsed() >= self.site.patience || self.site.is_stopped() {
                return Err(Failure { kind: FailureKind::Held, text: in_the_way });
            }
            if in_the_way != told {
                (self.tell)(Moment::Status(StepStatus::Blocked));
                (self.tell)(Moment::Blocked(vec![in_the_way.clone()]));
                told = in_the_way;
            }
            thread::sleep(AGAIN);
        }
    }

    /// Lets go of a worker whose work is over, with what it held.
    pub(super) fn let_go(&self, worker: &InstanceId) {
        match &self.site.holding {
            Some(holding) => holding.free(&self.step.path),
            None => drop(self.session.dismiss(worker)),
        }
    }
}
