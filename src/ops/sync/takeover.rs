//! Taking a run over from another clone. The hub decides: the commit that names the new driver is pushed on top of what it
//! has, not forced, before anything is written or done here. Of two who try, one is too late.

use super::{
    exchange::{Exchange, unclear},
    runs::TAKING,
};
use crate::{
    base::{id::RunId, oid::Oid, text},
    host::{
        fault,
        hub::{Answer, Update},
    },
    model::{
        apply::Applied,
        run::{Driver, Failure, FailureKind, Run, RunStatus, Stage, Step},
        verify::Source,
    },
    ops::{Error, Notice, Session, SyncRuns},
    store::{RunEvent, StoreError, layout},
};
use std::time::Instant;

/// What of a run was here when a person was shown it: its record, and what it said and did.
#[derive(Debug, Clone)]
pub struct SeenRun {
    shared: Oid,
    private: Oid,
}

impl Session {
    /// Makes this clone the one that drives a run of another. `seen` is what was seen here of what it said and did. What
    /// was at work when the other clone left it counts as failed; nothing here is put back for it.
    ///
    /// # Errors
    /// When there is no such run, it has ended, somebody works on it there, or what it said and did is not here;
    /// [`Error::NotConfirmed`] when the hub can't be asked or doesn't take it, and [`Error::NotAllowed`] when another clone
    /// was quicker. Then nothing has changed.
    pub fn take_over_run(&self, id: &RunId, seen: &SeenRun) -> Result<(), Error> {
        let deadline = Instant::now() + self.settings.sync_timeout;
        let mut unseen = |_| {};
        let mut exchange = self.exchange(self.hub_named(None)?, deadline, &mut unseen)?;
        let result = exchange.take_over(id, seen).map(|()| Ok(Applied::default()));
        exchange.finish(result).map(drop)
    }

    /// A run of another clone with what it said and did, as they are here now.
    ///
    /// # Errors
    /// When that doesn't travel, or isn't here.
    pub fn what_may_be_taken_over(&self, id: &RunId) -> Result<SeenRun, Error> {
        if self.settings.sync_runs != SyncRuns::Full {
            return Err(Error::not_allowed(
                format!("{id} is driven in another clone, and what runs said and did stays in their clones"),
                "resume it there; where it is to go on here, set `git config aio.syncRuns full` in both clones and sync",
            ));
        }
        let shared = self.refs().read(&format!("{}{id}", layout::RUNS)).map_err(StoreError::from)?;
        let seen = shared.zip(self.private_tip_of_run(id)?);
        seen.map(|(shared, private)| SeenRun { shared, private }).ok_or_else(|| {
            Error::not_allowed(
                format!("what {id} was asked and did is not in this clone"),
                "its clone sends it with `aio.syncRuns=full`; sync there and then here",
            )
        })
    }

    /// The commands among checks that somebody else asks for.
    ///
    /// # Errors
    /// When a check is named that there is none of, or the configuration is invalid.
    pub fn commands_of(&self, checks: &[String]) -> Result<Vec<String>, Error> {
        if checks.is_empty() {
            return Ok(Vec::new());
        }
        let plan = self.plan_work(checks)?;
        let asked = plan.checks.into_iter().filter(|check| check.source == Source::Caller);
        Ok(asked.filter_map(|check| check.line().cloned()).collect())
    }

    fn private_tip_of_run(&self, id: &RunId) -> Result<Option<Oid>, Error> {
        Ok(self.refs().read(&format!("{}{id}", layout::PRIVATE_RUNS)).map_err(StoreError::from)?)
    }
}

impl Exchange<'_> {
    fn take_over(&mut self, id: &RunId, seen: &SeenRun) -> Result<(), Error> {
        self.fetch()?;
        self.take_in_runs();
        // What stands in the way from here on is no failure of the hub.
        self.deciding = true;
        let (tip, run, steps) = self.to_be_taken_over(id, seen)?;
        let session = self.session;
        let from = run.driver.clone.clone();
        let (run, steps) = handed_over(run, steps, Driver { clone: session.clone_id()?.clone(), process: None });
        let event = RunEvent { at: session.now(), subject: format!("taken over from the clone {from}") };
        let new = session.repository.write_run(Some(&tip), Some(&run), &steps.iter().collect::<Vec<_>>(), &event)?;
        let taking = format!("{TAKING}{id}");
        let before = session.refs().read(&taking).map_err(StoreError::from)?;
        session.move_run(&taking, before.as_ref(), &new, &event.subject).map_err(StoreError::from)?;
        let name = self.hub.shared(&format!("runs/{id}"));
        fault::at(&session.env, "run-about-to-be-taken-over");
        let answers = self.hub.push(&[Update { new: Some(new.clone()), name, lease: None }]).map_err(unclear)?;
        match answers.into_iter().next() {
            Some(Answer::Taken) => {
                fault::at(&session.env, "run-taken-over");
                let moved = session.move_run(&format!("{}{id}", layout::RUNS), Some(&tip), &new, &event.subject);
                if let Err(error) = moved {
                    session.notice(Notice::Doubtful(format!("the hub has it, and this clone will soon: {error}")));
                }
                let tracking = self.hub.tracking(&format!("runs/{id}"));
                let _ = session.move_run(&tracking, Some(&tip), &new, "sync");
                Ok(())
            }
            Some(Answer::Refused(why)) => Err(self.too_late(id, &tip, &why)),
            None => Err(Error::Unanswered(format!("the hub {} gave no answer", self.hub.name()))),
        }
    }

    /// A run that may be taken over, as the hub has it.
    fn to_be_taken_over(&self, id: &RunId, seen: &SeenRun) -> Result<(Oid, Run, Vec<Step>), Error> {
        let session = self.session;
        let read = |name: &str| session.refs().read(name).map_err(StoreError::from);
        let here = read(&format!("{}{id}", layout::RUNS))?;
        let there = read(&self.hub.tracking(&format!("runs/{id}")))?;
        let (Some(tip), true) = (here.clone(), here == there) else {
            return Err(Error::not_confirmed(format!("the hub {} has {id} not as it is here", self.hub.name())));
        };
        let private = session.private_tip_of_run(id)?;
        if private.as_ref() != Some(&seen.private) || read(&self.hub.tracking(&format!("local/runs/{id}")))? != private
        {
            return Err(Error::not_allowed(
                format!("what {id} was asked and did has changed on the way, or isn't here"),
                "its clone sends it with `aio.syncRuns=full`; sync, look at it again, and try again",
            ));
        }
        session.repository.check_run(id, &tip)?;
        let (run, steps, _) = session.repository.read_run(&tip)?;
        let in_the_way = |message: String, hint: &str| Err(Error::not_allowed(message, hint));
        if tip != seen.shared {
            let (before, ..) = session.repository.read_run(&seen.shared)?;
            let message = match before.driver.clone == run.driver.clone {
                true => format!("{id} has changed on the way"),
                false => format!("the clone {} was quicker: it drives {id} now", run.driver.clone),
            };
            return in_the_way(message, "look at it again, and try again");
        }
        let goes_on = matches!(run.status, RunStatus::Starting | RunStatus::Running | RunStatus::Compensating);
        if run.driver.clone == *session.clone_id()? {
            return in_the_way(format!("{id} is driven in this clone already"), "resume it");
        }
        if run.status.is_final() {
            return in_the_way(format!("{id} has ended: {}", run.status), "`git aio run show` tells how");
        }
        if goes_on && !session.is_silent(&run.driver.clone) {
            return in_the_way(
                format!("{id} is being driven in the clone {}, from which signs of life come", run.driver.clone),
                "stop it there, or wait till that clone has been silent for `aio.staleElsewhere`",
            );
        }
        if steps.iter().any(|step| step.kind == "run" && is_open(step)) {
            return in_the_way(
                format!("a command of {id} was at work in the clone {}, and may have done anything", run.driver.clone),
                "resume it there, where that can be seen",
            );
        }
        Ok((tip, run, steps))
    }

    /// Why the hub didn't take it: who was quicker, if anybody was.
    fn too_late(&mut self, id: &RunId, tip: &Oid, why: &str) -> Error {
        if let Err(error) = self.fetch() {
            return error;
        }
        self.take_in_runs();
        let there = self.session.refs().read(&self.hub.tracking(&format!("runs/{id}"))).ok().flatten();
        let run =
            there.filter(|there| there != tip).and_then(|there| self.session.repository.check_run(id, &there).ok());
        match run {
            Some(run) => Error::not_allowed(
                format!("the clone {} was quicker: it drives {id} now", run.driver.clone),
                format!("`git aio run show {id}` tells how far it is"),
            ),
            None => Error::not_confirmed(format!(
                "the hub {} does not take {id}: {}",
                self.hub.name(),
                text::one_line(why, 200)
            )),
        }
    }
}

/// Whether somebody was at work on a step.
fn is_open(step: &Step) -> bool {
    !step.status.is_final() && step.attempts.last().is_some_and(|attempt| attempt.stage != Stage::Settled)
}

/// A run as its new driver finds it, and the steps of it that have changed by that. What an agent was at when its driver
/// was left can't be seen from here: its files are in the other clone.
fn handed_over(run: Run, mut steps: Vec<Step>, driver: Driver) -> (Run, Vec<Step>) {
    steps.retain(is_open);
    for attempt in steps.iter_mut().filter_map(|step| step.attempts.last_mut()) {
        attempt.stage = Stage::Settled;
        let text = "another clone has taken the run over before it ended".to_owned();
        attempt.failure = Some(Failure { kind: FailureKind::Lost, text });
    }
    let status = match run.status {
        RunStatus::Starting | RunStatus::Running | RunStatus::Compensating => RunStatus::Interrupted,
        status => status,
    };
    (Run { driver, status, ..run }, steps)
}
