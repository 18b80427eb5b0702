//! One attempt: somebody is started, watched over, and what they leave is judged and settled.

use super::{
    Doer,
    judge::Judged,
    place::{Leave, Place, paths_named},
    send::Edited,
    trace::Traces,
    with_hint,
};
use crate::{
    base::{id::InstanceId, text},
    model::run::{Attempt, Failure, FailureKind, Stage, StepStatus, Usage},
    ops::{
        Error, Private,
        errand::{End, Ended, Unusable},
        tool::Hand,
        verify::Plan,
    },
    runner::{
        recorder::{Unrecorded, When},
        work::{Moment, Task},
    },
};
use serde_json::Value;
use std::{path::PathBuf, time::Instant};

/// Who runs commands.
pub(super) const SHELL: &str = "sh";

/// Most bytes that are told of what a failed process said.
const MAX_SAID: usize = 2000;

/// What came of an attempt.
pub(super) enum Tried {
    /// This.
    Usable(Value),
    /// Nothing that can be used.
    Not {
        failure: Failure,
        /// Whether the same agent would come to the same.
        is_final: bool,
    },
    /// Somebody stopped it.
    Stopped,
}

/// What an attempt is made with.
pub(super) struct Means<'a> {
    label: &'a str,
    /// The agent; `None` for the shell.
    pub(super) hand: Option<&'a Hand>,
    /// What it is told, or the line that is run.
    pub(super) prompt: String,
    pub(super) schema: Option<PathBuf>,
}

impl Doer<'_> {
    /// Has an agent try.
    pub(super) fn attempt(
        &mut self,
        hand: &Hand,
        task: &Task,
        scope: &[String],
        failure: Option<&Failure>,
    ) -> Result<Tried, Unrecorded> {
        // Where nothing keeps it from writing what it may not, it is seen afterwards whether it did.
        let leave = Leave::of(scope, hand.is_held());
        self.try_once(&hand.label, hand.tool(), &task.title, (scope, leave), |doer, plan| {
            let document = doer.document(Some(hand), task, scope, failure, plan)?;
            let schema = doer.schema_for(hand)?;
            let prompt = doer.handed_over(hand, &document)?;
            Ok((document, Means { label: &hand.label, hand: Some(hand), prompt, schema }))
        })
    }

    /// Runs a command once.
    pub(super) fn attempt_command(&mut self, line: &str) -> Result<Tried, Unrecorded> {
        let scope = self.work.scope.clone();
        // A line is the workflow's own: what it does is as its author wants it.
        let leave = Leave::of(&scope, true);
        self.try_once(SHELL, SHELL, line, (&scope, leave), |_, _| {
            Ok((line.to_owned(), Means { label: SHELL, hand: None, prompt: line.to_owned(), schema: None }))
        })
    }

    fn try_once<'m>(
        &mut self,
        label: &str,
        tool: &str,
        title: &str,
        (scope, leave): (&[String], Leave),
        prepare: impl FnOnce(&mut Self, &Plan) -> Result<(String, Means<'m>), Error>,
    ) -> Result<Tried, Unrecorded> {
        let began = Instant::now();
        // What is checked is settled before anybody could change what the repository says of it.
        let plan = match self.plan() {
            Ok(plan) => plan,
            Err(failure) => return self.not_begun(label, failure),
        };
        let place = match self.with_result(scope) {
            claimed if claimed.is_empty() && leave == Leave::Read => None,
            claimed => {
                self.status(StepStatus::Claiming);
                match self.enter(tool, title, &claimed, leave) {
                    Ok(place) => Some(place),
                    Err(_) if self.site.is_stopped() => return Ok(Tried::Stopped),
                    Err(failure) => return self.not_begun(label, failure),
                }
            }
        };
        let prepared = prepare(self, &plan);
        let tried = match prepared {
            Ok((document, means)) => self.work(began, &means, &document, &plan, place.as_ref()),
            Err(error) => {
                let failure = Failure { kind: FailureKind::Internal, text: with_hint(&error) };
                self.not_begun(label, failure)
            }
        };
        let usable = matches!(tried, Ok(Tried::Usable(_)));
        let changed = self.step.attempts.last().filter(|_| usable).map_or(Vec::new(), |last| last.files.clone());
        if let Some(place) = place {
            self.leave(place, &changed);
        }
        tried
    }

    /// It can't even begin.
    fn not_begun(&mut self, label: &str, failure: Failure) -> Result<Tried, Unrecorded> {
        let attempt =
            Attempt { failure: Some(failure.clone()), stage: Stage::Settled, ..self.new_attempt(label, None) };
        self.step.attempts.push(attempt);
        self.record(&format!("not begun: {}", failure.kind))?;
        Ok(Tried::Not { failure, is_final: true })
    }

    /// The attempt itself, from its record to the state it leaves.
    fn work(
        &mut self,
        began: Instant,
        means: &Means<'_>,
        document: &str,
        plan: &Plan,
        place: Option<&Place>,
    ) -> Result<Tried, Unrecorded> {
        if self.site.is_stopped() {
            return Ok(Tried::Stopped);
        }
        let mut attempt = self.new_attempt(means.label, place.map(|place| place.worker.id.clone()));
        attempt.before = place.map(|place| place.kept.clone());
        let number = attempt.number;
        let (path, agent, instance) = (self.step.path.clone(), attempt.agent.clone(), attempt.instance.clone());
        self.step.attempts.push(attempt);
        self.step.status = StepStatus::Running;
        let mut kept = vec![(format!("prompt/{path}.{number}.md"), Private::Bytes(document.as_bytes().to_vec()))];
        kept.extend(place.map(|place| (format!("snap/{path}.{number}/before"), Private::Tree(place.kept.clone()))));
        self.site.recorder.keep(kept, format!("{path}: attempt {number}"), When::WithNext)?;
        self.record(&format!("{agent} begins attempt {number}"))?;
        (self.tell)(Moment::Tries { attempt: number, agent, instance });
        let (sent, edited) = match self.send(means, place, number, plan) {
            Ok((ended, edited)) => (Ok(ended), edited),
            Err(error) => (Err(Failure { kind: FailureKind::Absent, text: error.to_string() }), Edited::new()),
        };
        let ended = sent.as_ref().ok();
        ended.into_iter().for_each(|ended| self.heard(ended));
        let traces = match place.map(|place| self.traces(place, &edited)).transpose() {
            Ok(traces) => traces,
            Err(error) => return self.settle(began, ended, self.not_seen(&error), place, None),
        };
        self.has_left_branch |= traces.as_ref().is_some_and(|traces| traces.switched.is_some());
        // Where nothing is left to be looked at, the end of the step is a moment away.
        let is_judged_at_once = place.is_none() && plan.checks.is_empty() && self.work.contract.review.is_none();
        let when = if is_judged_at_once { When::WithNext } else { When::Now };
        let said = ended.map_or("", |ended| &ended.told.result);
        self.answered(said, number, place.zip(traces.as_ref()), when)?;
        let judged = match &sent {
            Err(failure) => Judged::not(failure.clone(), true),
            Ok(ended) if ended.end == End::Interrupted => return self.stopped(began, place, traces.as_ref()),
            Ok(ended) => self.judge(ended, plan, place, traces.as_ref()),
        };
        self.settle(began, ended, judged, place, traces)
    }

    /// What it did could not even be looked at.
    fn not_seen(&self, error: &Error) -> Judged {
        let scope = paths_named(&self.with_result(&self.work.scope));
        let text =
            format!("what it did could not be seen, and nothing of it was put back, in {scope}: {}", with_hint(error));
        Judged::not(Failure { kind: FailureKind::Internal, text }, true)
    }

    /// Takes into the record what the process itself told.
    fn heard(&mut self, ended: &Ended) {
        let Some(attempt) = self.step.attempts.last_mut() else { return };
        let told = &ended.told;
        attempt.exit = match ended.end {
            End::Exited(code) => Some(code),
            _ => None,
        };
        attempt.session.clone_from(&told.session);
        // Costs are recorded in whole millionths.
        let cost = told.usage.cost_usd.filter(|cost| (0.0..1e9).contains(cost)).map(|cost| (cost * 1e6).round() as u64);
        attempt.usage = Usage { input: told.usage.input, cached: told.usage.cached, output: told.usage.output, cost };
        attempt.bytes = ended.bytes;
    }

    /// Records that it has answered, and what it left.
    fn answered(
        &mut self,
        said: &str,
        number: u32,
        left: Option<(&Place, &Traces)>,
        when: When,
    ) -> Result<(), Unrecorded> {
        let path = self.step.path.clone();
        let mut kept = vec![(format!("out/{path}.{number}.txt"), Private::Bytes(said.as_bytes().to_vec()))];
        kept.extend(
            left.map(|(_, traces)| (format!("snap/{path}.{number}/after"), Private::Tree(traces.kept.clone()))),
        );
        self.site.recorder.keep(kept, format!("{path}: answer {number}"), When::WithNext)?;
        if let Some(attempt) = self.step.attempts.last_mut() {
            attempt.stage = Stage::Answered;
            attempt.after = left.map(|(_, traces)| traces.kept.clone());
            attempt.files = left.map_or_else(Vec::new, |(place, traces)| traces.files(place));
        }
        self.step.status = StepStatus::Verifying;
        self.record_when(&format!("attempt {number} has answered"), when)
    }

    /// Somebody stopped it: what it did so far is kept, and its scope is as it was before.
    fn stopped(&mut self, began: Instant, place: Option<&Place>, traces: Option<&Traces>) -> Result<Tried, Unrecorded> {
        if let (Some(place), Some(traces)) = (place, traces)
            && let Err(left) = self.put_back(place, traces)
        {
            (self.tell)(Moment::Said(left));
        }
        let switched = traces.and_then(|traces| traces.switched.clone());
        switched.into_iter().for_each(|words| (self.tell)(Moment::Said(words)));
        if let Some(attempt) = self.step.attempts.last_mut() {
            attempt.took = Some(began.elapsed());
            attempt.stage = Stage::Settled;
            let text = "it was stopped".to_owned();
            attempt.failure = Some(Failure { kind: FailureKind::Lost, text });
        }
        self.step.status = StepStatus::Waiting;
        self.record("stopped")?;
        Ok(Tried::Stopped)
    }

    /// Has what was judged come true: kept or put back, and recorded.
    fn settle(
        &mut self,
        began: Instant,
        ended: Option<&Ended>,
        mut judged: Judged,
        place: Option<&Place>,
        mut traces: Option<Traces>,
    ) -> Result<Tried, Unrecorded> {
        if judged.is_stopped {
            return self.stopped(began, place, traces.as_ref());
        }
        if let (Ok(value), Some(place), Some(traces)) = (&judged.result, place, traces.as_mut()) {
            self.judged(&judged, place, traces)?;
            if let Err(failure) = self.put_to_use(value, place, traces) {
                judged.result = Err(failure);
            }
        }
        let traces = traces.as_ref();
        if let Err(failure) = &mut judged.result
            && failure.kind != FailureKind::Scope
            && let (Some(place), Some(traces)) = (place, traces)
            && let Some(strayed) = traces.strayed(place)
        {
            failure.text.push_str(&format!("\nBesides, {strayed}"));
        }
        if let Err(failure) = &mut judged.result
            && failure.kind != FailureKind::Missed
            && let (Some(place), Some(traces)) = (place, traces)
            && let Err(left) = self.put_back(place, traces)
        {
            failure.text.push_str(&format!("\nNot all of it could be put back: {left}"));
        }
        if let Some(ended) = ended.filter(|ended| ended.left_behind > 0) {
            let (count, what) = match ended.left_behind {
                1 => (1, "process that it had left behind was"),
                count => (count, "processes that it had left behind were"),
            };
            (self.tell)(Moment::Said(format!("{count} {what} ended")));
        }
        let Judged { result, is_final, checks, review, .. } = judged;
        if let Some(attempt) = self.step.attempts.last_mut() {
            attempt.took = Some(began.elapsed());
            attempt.stage = Stage::Settled;
            attempt.checks = checks;
            attempt.review = review;
            attempt.failure = result.as_ref().err().cloned();
        }
        match result {
            // The end of the step is recorded with it.
            Ok(value) => Ok(Tried::Usable(value)),
            Err(failure) => {
                self.record(&format!("attempt {} not usable: {}", self.number(), failure.kind))?;
                Ok(Tried::Not { failure, is_final })
            }
        }
    }

    /// By what all that an attempt starts is known.
    pub(super) fn mark(&self, number: u32) -> String {
        self.session.mark_of_attempt(self.site.recorder.run(), &self.step.path, number)
    }

    pub(super) fn new_attempt(&self, agent: &str, instance: Option<InstanceId>) -> Attempt {
        Attempt {
            number: self.number() + 1,
            agent: agent.to_owned(),
            instance,
            began: self.session.now(),
            took: None,
            stage: Stage::Working,
            exit: None,
            session: None,
            usage: Usage::default(),
            bytes: 0,
            before: None,
            after: None,
            files: Vec::new(),
            checks: Vec::new(),
            failure: None,
            review: None,
        }
    }
}

/// Why a process gave nothing that can be used, in a word and in its own.
pub(super) fn unusable(ended: &Ended) -> Option<Failure> {
    let why = ended.unusable()?;
    let kind = match why {
        Unusable::TimedOut => FailureKind::TimedOut,
        Unusable::Stalled => FailureKind::Stalled,
        Unusable::Interrupted => FailureKind::Lost,
        Unusable::Error(_) => FailureKind::Reported,
        Unusable::Failed(_) => FailureKind::Exit,
        Unusable::Empty => FailureKind::Empty,
    };
    let mut said = why.to_string();
    for words in [&ended.stderr_tail, &ended.told.result] {
        let words = text::tail(words.trim(), MAX_SAID);
        if !words.is_empty() && !said.contains(words) {
            said = format!("{said}\n{words}");
        }
    }
    if !ended.told.denied.is_empty() {
        said = format!("{said}\nIt was not allowed: {}", ended.told.denied.join("; "));
    }
    Some(Failure { kind, text: said })
}
