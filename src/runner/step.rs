//! One step, carried out: who does it, how often it is tried, and what is told of that.
//!
//! What an agent did is usable or it is not, and whatever kept it from being so ends the attempt in the same way: it is
//! recorded, the scope is put back, and the next attempt is told. After the attempts of one agent the next one is asked,
//! and after the last one the step has failed.

mod answer;
mod attempt;
mod brief;
mod holding;
mod judge;
mod keep;
mod place;
mod recover;
mod send;
mod site;
mod trace;

use super::{
    recorder::{Unrecorded, When},
    work::{Action, CALLER, Done, Isolation, Moment, Retry, Task, Who, Work},
};
use crate::{
    model::run::{Attempt, Failure, FailureKind, Step, StepStatus, Usage},
    ops::{Error, Session, tool::Hand, worker::Halves},
};
use attempt::Tried;
pub use holding::Holding;
use judge::Settled;
use serde_json::Value;
pub use site::Site;
use std::{
    thread,
    time::{Duration, Instant},
};

/// How often somebody who waits looks whether it is over.
const ASK: Duration = Duration::from_millis(20);

/// A step that is being carried out.
struct Doer<'a> {
    site: &'a Site,
    work: &'a Work,
    session: Session,
    step: Step,
    /// By what its work is judged, once that is settled.
    settled: Option<Settled>,
    /// Whether an attempt has left the branch that was checked out: nobody goes on from there.
    has_left_branch: bool,
    tell: &'a dyn Fn(Moment),
}

impl<'a> Doer<'a> {
    fn new(site: &'a Site, work: &'a Work, session: Session, step: Step, tell: &'a dyn Fn(Moment)) -> Doer<'a> {
        Doer { site, work, session, step, settled: None, has_left_branch: false, tell }
    }
}

/// How a step came to its end.
enum End {
    /// With this result.
    Usable(Value),
    /// With nothing that can be used.
    Failed(Failure),
    /// It is the caller's turn.
    Asked,
    /// Somebody stopped it.
    Stopped,
    /// It is done but for what somebody else holds: it can't go on before they let go of that.
    Held(Failure),
}

/// What there was of a step that a driver had begun, and that nobody goes on with.
pub enum Left {
    /// Nothing.
    Nothing,
    /// Changes, which are put back.
    Changes,
    /// It was done all the same, as what is committed is.
    Done(Box<Done>),
}

/// How a step came to its end by its record, of which only the end of its run is missing; or `None` for one that goes on.
pub fn as_it_ended(site: &Site, work: &Work, known: &Step) -> Option<Done> {
    let session = Session::open_other(&site.root, site.acting_as.clone()).ok()?;
    let doer = Doer::new(site, work, session, known.clone(), &|_| {});
    let end = doer.known_end()?;
    Some(doer.finish(end))
}

/// Carries a step out. One that was begun before, by a driver that is gone, goes on from where its record says it was.
pub fn carry_out(site: &Site, work: &Work, known: Option<Step>, tell: &dyn Fn(Moment)) -> Done {
    let session = match Session::open_other(&site.root, site.acting_as.clone()) {
        Ok(session) => session,
        Err(error) => return Done::failed(internal(error)),
    };
    let kind = match work.action {
        Action::Prompt { .. } => "prompt",
        Action::Run { .. } => "run",
    };
    let step = known.unwrap_or_else(|| Step::new(work.path.clone(), kind));
    let mut doer = Doer::new(site, work, session, step, tell);
    let end = doer.carry_out().unwrap_or_else(|error| End::Failed(internal(error)));
    doer.finish(end)
}

/// Takes back what a driver that is gone had begun of a step, and nobody goes on with.
///
/// # Errors
/// Why that can't be done, or what is left, since others hold it or it can't be written.
pub fn take_back(site: &Site, work: &Work, known: &Step, tell: &dyn Fn(Moment)) -> Result<Left, Failure> {
    let session = Session::open_other(&site.root, site.acting_as.clone()).map_err(internal)?;
    Doer::new(site, work, session, known.clone(), tell).take_back()
}

impl Doer<'_> {
    fn carry_out(&mut self) -> Result<End, Unrecorded> {
        self.step.began.get_or_insert_with(|| self.session.now());
        if let Some(end) = self.recover()? {
            return Ok(end);
        }
        let first = self.step.attempts.len();
        let end = match &self.work.action {
            Action::Prompt { agents, task } => self.by_agents(agents, task, &self.work.scope.clone()),
            Action::Run { line } => self.by_command(line),
        };
        if !matches!(end, Ok(End::Usable(_))) && self.work.isolation == Isolation::Claims {
            self.put_parts_back(first);
        }
        end
    }

    /// Has one agent after the other try.
    fn by_agents(&mut self, agents: &[Who], task: &Task, scope: &[String]) -> Result<End, Unrecorded> {
        let mut failure = self.last_failure();
        let mut first = true;
        for who in agents {
            let hands = match who {
                Who::Caller => {
                    if !first {
                        (self.tell)(Moment::Next { agent: CALLER.to_owned() });
                    }
                    return self.ask_caller(task, scope, failure.as_ref());
                }
                Who::Agent { tool, persona } => self.session.hands(tool.as_deref(), persona.as_deref()),
            };
            let hands = match hands {
                Ok(hands) => hands,
                Err(error) => {
                    failure = Some(self.fail(&who.to_string(), FailureKind::Absent, with_hint(&error)));
                    first = false;
                    continue;
                }
            };
            for hand in hands {
                if !first {
                    (self.tell)(Moment::Next { agent: hand.label.clone() });
                }
                first = false;
                match self.by_hand(&hand, task, scope, failure.take())? {
                    End::Failed(why) if self.may_others_try(&why) => failure = Some(why),
                    end => return Ok(end),
                }
            }
        }
        Ok(End::Failed(failure.unwrap_or_else(|| internal("nobody was to do it"))))
    }

    /// Has one agent try, as often as it may.
    fn by_hand(
        &mut self,
        hand: &Hand,
        task: &Task,
        scope: &[String],
        mut failure: Option<Failure>,
    ) -> Result<End, Unrecorded> {
        if !hand.is_installed() {
            let text = format!("there is no program {} on the PATH", hand.tool());
            return Ok(End::Failed(self.fail(&hand.label, FailureKind::Absent, text)));
        }
        for round in 0..=self.work.retry.max {
            if round > 0 && !self.pause(round) {
                return Ok(End::Stopped);
            }
            match self.attempt(hand, task, scope, failure.as_ref())? {
                Tried::Usable(value) => return Ok(End::Usable(value)),
                Tried::Stopped => return Ok(End::Stopped),
                Tried::Not { failure: why, is_final } => {
                    (self.tell)(Moment::Failed {
                        attempt: self.number(),
                        agent: hand.label.clone(),
                        failure: why.clone(),
                    });
                    if let Some(halves) = self.halves(&why, scope) {
                        (self.tell)(Moment::Split);
                        return self.by_halves(hand, task, halves);
                    }
                    let is_no_use = matches!(why.kind, FailureKind::Wrong | FailureKind::Held);
                    let gives_up = is_final || is_no_use || self.has_left_branch;
                    failure = Some(why);
                    if gives_up {
                        break;
                    }
                }
            }
        }
        Ok(End::Failed(failure.unwrap_or_else(|| internal("nothing was tried"))))
    }

    /// Runs a command, as often as it may be tried.
    fn by_command(&mut self, line: &str) -> Result<End, Unrecorded> {
        let mut round = 0;
        loop {
            match self.attempt_command(line)? {
                Tried::Usable(value) => return Ok(End::Usable(value)),
                Tried::Stopped => return Ok(End::Stopped),
                Tried::Not { failure, .. } => {
                    let agent = attempt::SHELL.to_owned();
                    (self.tell)(Moment::Failed { attempt: self.number(), agent, failure: failure.clone() });
                    round += 1;
                    if round > self.work.retry.max || failure.kind == FailureKind::Held {
                        return Ok(End::Failed(failure));
                    }
                    if !self.pause(round) {
                        return Ok(End::Stopped);
                    }
                }
            }
        }
    }

    /// The two halves of a scope, where that was too much for one attempt.
    fn halves(&self, failure: &Failure, scope: &[String]) -> Option<Halves> {
        let is_too_much = matches!(failure.kind, FailureKind::Stalled | FailureKind::TimedOut | FailureKind::Scope);
        let splits = self.work.retry.split && is_too_much && !self.has_left_branch;
        splits.then(|| self.session.halves(scope).ok().flatten()).flatten()
    }

    /// One half after the other, each with the same agent; the result is what both say.
    fn by_halves(&mut self, hand: &Hand, task: &Task, (one, other): Halves) -> Result<End, Unrecorded> {
        let mut results = Vec::new();
        for half in [one, other] {
            match self.by_hand(hand, task, &half, None)? {
                End::Usable(value) => results.push(value),
                end => return Ok(end),
            }
        }
        Ok(End::Usable(joined(results)))
    }

    /// Waits before the next attempt; whether nobody has stopped it meanwhile.
    fn pause(&self, round: u32) -> bool {
        let Retry { delay, backoff, .. } = self.work.retry;
        let factor = backoff.powi(i32::try_from(round - 1).unwrap_or(i32::MAX));
        let after = Duration::try_from_secs_f64(delay.as_secs_f64() * factor).unwrap_or(Duration::MAX);
        (self.tell)(Moment::Again { after });
        let began = Instant::now();
        while began.elapsed() < after && !self.site.is_stopped() {
            thread::sleep(ASK.min(after.saturating_sub(began.elapsed())));
        }
        !self.site.is_stopped()
    }

    /// What somebody else would meet again, nobody else is asked to try.
    fn may_others_try(&self, failure: &Failure) -> bool {
        !self.has_left_branch && !matches!(failure.kind, FailureKind::Held | FailureKind::Internal)
    }

    /// A failure that came before any process was started.
    fn fail(&mut self, agent: &str, kind: FailureKind, text: String) -> Failure {
        let failure = Failure { kind, text };
        let attempt = Attempt {
            failure: Some(failure.clone()),
            stage: crate::model::run::Stage::Settled,
            ..self.new_attempt(agent, None)
        };
        let number = attempt.number;
        self.step.attempts.push(attempt);
        (self.tell)(Moment::Failed { attempt: number, agent: agent.to_owned(), failure: failure.clone() });
        failure
    }

    /// Where there was an attempt before, by a driver that is gone, what it failed for.
    fn last_failure(&self) -> Option<Failure> {
        self.step.attempts.last()?.failure.clone()
    }

    fn number(&self) -> u32 {
        self.step.attempts.last().map_or(0, |attempt| attempt.number)
    }

    fn status(&mut self, status: StepStatus) {
        self.step.status = status;
        (self.tell)(Moment::Status(status));
    }

    fn record(&self, subject: &str) -> Result<(), Unrecorded> {
        self.record_when(subject, When::Now)
    }

    fn record_when(&self, subject: &str, when: When) -> Result<(), Unrecorded> {
        self.site.recorder.step(&self.step, format!("{}: {subject}", self.step.path), when)
    }

    fn finish(mut self, end: End) -> Done {
        self.step.status = match &end {
            End::Usable(_) => StepStatus::Ok,
            End::Failed(_) => StepStatus::Failed,
            End::Asked => StepStatus::Asked,
            End::Stopped | End::Held(_) => StepStatus::Waiting,
        };
        let (out, failure) = match end {
            End::Usable(value) => (value, None),
            End::Failed(failure) | End::Held(failure) => (Value::Null, Some(failure)),
            End::Asked | End::Stopped => (Value::Null, None),
        };
        if self.step.status.is_final() {
            self.step.ended = Some(self.session.now());
        }
        if self.step.status == StepStatus::Ok {
            // With halves, each has changed something.
            let usable = self.step.attempts.iter().filter(|attempt| attempt.failure.is_none());
            let mut files: Vec<_> = usable.flat_map(|attempt| attempt.files.iter().cloned()).collect();
            files.sort();
            files.dedup();
            self.step.files = files;
        }
        self.step.bytes = text_of(&out).len() as u64;
        self.step.failure.clone_from(&failure);
        // Whoever asked for the step tells next what became of it.
        let (status, failure) = match self.record_when(self.step.status.as_str(), When::WithNext) {
            Ok(()) => (self.step.status, failure),
            Err(error) => (StepStatus::Failed, Some(internal(error))),
        };
        let usage = self.step.attempts.iter().fold(Usage::default(), |sum, attempt| sum.and(attempt.usage));
        Done {
            status,
            out,
            exit: self.step.attempts.last().and_then(|attempt| attempt.exit),
            diff: self.diff(),
            attempts: self.step.attempts,
            files: self.step.files,
            usage,
            failure,
        }
    }
}

impl Done {
    /// Of a step that was not even begun.
    pub fn failed(failure: Failure) -> Done {
        Done {
            status: StepStatus::Failed,
            out: Value::Null,
            exit: None,
            attempts: Vec::new(),
            files: Vec::new(),
            diff: String::new(),
            usage: Usage::default(),
            failure: Some(failure),
        }
    }
}

/// That git-aio could not do its part.
fn internal(error: impl std::fmt::Display) -> Failure {
    Failure { kind: FailureKind::Internal, text: error.to_string() }
}

/// An error and its way on.
fn with_hint(error: &Error) -> String {
    match error {
        Error::Usage { message, hint: Some(hint) }
        | Error::NotFound { message, hint: Some(hint) }
        | Error::NotAllowed { message, hint: Some(hint) } => format!("{message}; {hint}"),
        error => error.to_string(),
    }
}

/// A result as text.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Several results as one: texts one after the other, values in a list.
fn joined(results: Vec<Value>) -> Value {
    match results.iter().all(Value::is_string) {
        true => Value::String(results.iter().map(text_of).collect::<Vec<_>>().join("\n\n")),
        false => Value::Array(results),
    }
}
