//! Runs and their steps.

use super::SCHEMA;
use crate::{
    base::world::Time,
    cli::format::rfc3339,
    model::{
        run::{Attempt as ModelAttempt, CheckRecord, Run as ModelRun, Step as ModelStep, Usage as ModelUsage},
        verify::Verdict,
    },
    ops::{note::Found, run::ShownRun},
    runner::{delegation::Finished, dispatch::Event, workflow::Question},
};
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;

/// delegate, run, run show: a run and its steps
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunAnswer {
    schema: u32,
    run: Run,
    /// What the checks showed: `passed`, `failed` or `unverified`; `null` where nothing was to be checked
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<String>,
    /// What was answered, of a run that has just ended
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<serde_json::Value>,
    /// What had to be true in the end, of a delegation that has just ended
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accept: Vec<Criterion>,
    /// The notes that those have left who were at work for it, by id, as far as it was looked for them
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// The handoffs in the same way
    #[serde(skip_serializing_if = "Vec::is_empty")]
    handoffs: Vec<String>,
    /// What is told beside
    hints: Vec<String>,
}

/// What had to be true in the end.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Criterion {
    criterion: String,
    /// How it was checked; `null` where it was not
    checked: Option<String>,
}

/// run list: runs, the newest first
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunsAnswer {
    schema: u32,
    runs: Vec<Run>,
    /// How many could not be read
    damaged: usize,
}

/// A run.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Run {
    id: String,
    /// `delegation`, or the name of a workflow
    workflow: String,
    title: String,
    /// `starting`, `running`, `waiting`, `complete`, `all_transactions_complete`, `compensating`, `max_iterations_reached`,
    /// `failed`, `refused`, `undone`, `undo_failed`, `interrupted` or `lost`
    status: String,
    /// Why it did not begin, can't go on, or waits before its first step
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    by: Option<String>,
    began: String,
    ended: Option<String>,
    /// The clone that drives it
    clone: String,
    /// Whether that is another one than this: then the status is what was last heard of it
    elsewhere: bool,
    /// What it is linked to, by id: the claims of those who worked for it
    links: Vec<String>,
    steps: Vec<Step>,
    /// What of it can't be read
    #[serde(skip_serializing_if = "Vec::is_empty")]
    damaged: Vec<String>,
}

/// A step of a run.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Step {
    id: String,
    /// `waiting`, `blocked`, `claiming`, `queued`, `running`, `verifying`, `asked`, `ok`, `skipped`, `failed`,
    /// `max_iterations_reached`, `lost`, `undone` or `undo_failed`
    status: String,
    /// Who did it, or tried last
    agent: Option<String>,
    /// How often it was tried
    attempts: usize,
    seconds: Option<f64>,
    /// What it changed
    files: Vec<String>,
    /// Bytes of its result
    bytes: u64,
    failure: Option<Failure>,
    /// What it asks, of one that waits for an answer; where that is the caller's to do, the task
    #[serde(skip_serializing_if = "Option::is_none")]
    question: Option<String>,
    /// What the answer has to be, where not any is as good
    #[serde(skip_serializing_if = "Option::is_none")]
    wants: Option<String>,
    /// Whether there is an answer already, of one that waits for it
    #[serde(skip_serializing_if = "Option::is_none")]
    answered: Option<bool>,
    /// Every attempt
    tries: Vec<Attempt>,
}

/// Why something is not usable.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Failure {
    /// `absent`, `exit`, `reported`, `empty`, `timed_out`, `stalled`, `shape`, `scope`, `check`, `missed`, `wrong`, `held`,
    /// `claim_lost`, `conflict`, `lost` or `internal`
    kind: String,
    text: String,
}

/// One attempt.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Attempt {
    number: u32,
    agent: String,
    instance: Option<String>,
    seconds: Option<f64>,
    exit: Option<i32>,
    /// The session of the agent's own CLI
    session: Option<String>,
    usage: Usage,
    bytes: u64,
    files: Vec<String>,
    checks: Vec<Check>,
    failure: Option<Failure>,
    review: Option<Review>,
}

/// What an agent used, as far as it says.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Usage {
    /// Tokens that were read
    input: Option<u64>,
    /// Tokens of these that were cached
    cached: Option<u64>,
    /// Tokens that were written
    output: Option<u64>,
    cost_usd: Option<f64>,
}

/// A check.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Check {
    name: String,
    /// `config`, `caller`, `guess`, `handoff` or `built-in`
    source: String,
    /// `null` where it was not made
    passed: Option<bool>,
    exit: Option<i32>,
    seconds: Option<f64>,
    why: Option<String>,
}

/// The word of a reviewer.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Review {
    /// `pass`, `minor`, `missed` or `wrong`
    verdict: String,
    notes: String,
}

/// A line of --jsonl: something that happened in a run, and last its answer
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum RunLine {
    /// Something that happened
    Happened(RunEvent),
    /// The last line
    Answer(Box<RunEnd>),
}

/// The last line of --jsonl: the answer, as --json gives it
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunEnd {
    at: String,
    event: AnswerWord,
    #[serde(flatten)]
    answer: RunAnswer,
}

/// How the last line is told from those before it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum AnswerWord {
    /// Nothing comes after it
    Answer,
}

/// A line of --jsonl: something that happened in a run
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunEvent {
    schema: u32,
    at: String,
    #[serde(flatten)]
    event: Event,
}

impl RunAnswer {
    pub(in crate::cli) fn new(shown: &ShownRun, verdict: Option<Verdict>, hints: Vec<String>) -> Self {
        let verdict = verdict.map(|verdict| verdict.as_str().into());
        RunAnswer {
            schema: SCHEMA,
            run: Run::new(shown),
            verdict,
            result: None,
            accept: Vec::new(),
            notes: Vec::new(),
            handoffs: Vec::new(),
            hints,
        }
    }

    /// With what those have left who were at work for it.
    pub(in crate::cli) fn with_left(self, left: &Found) -> Self {
        RunAnswer {
            notes: left.notes.iter().map(|note| note.id.to_string()).collect(),
            handoffs: left.handoffs.iter().map(|handoff| handoff.id.to_string()).collect(),
            ..self
        }
    }

    /// With what its steps wait for.
    pub(in crate::cli) fn with_questions(mut self, questions: &[Question]) -> Self {
        for asked in questions {
            for step in self.run.steps.iter_mut().filter(|step| step.id == asked.step.as_str()) {
                (step.question, step.wants) = (asked.text.clone(), asked.wants.clone());
                step.answered = Some(asked.is_answered);
            }
        }
        self
    }

    pub(in crate::cli) fn with_result(self, result: serde_json::Value) -> Self {
        RunAnswer { result: Some(result).filter(|result| !result.is_null()), ..self }
    }

    /// With what is known of a delegation that has just ended.
    pub(in crate::cli) fn of_finished(finished: &Finished, hints: Vec<String>) -> Self {
        let accept = finished.accepted.iter().cloned();
        RunAnswer {
            result: Some(finished.done.out.clone()),
            accept: accept.map(|(criterion, checked)| Criterion { criterion, checked }).collect(),
            ..RunAnswer::new(&finished.run, finished.verdict, hints)
        }
    }
}

impl RunsAnswer {
    pub(in crate::cli) fn new(runs: &[ShownRun], damaged: usize) -> Self {
        RunsAnswer { schema: SCHEMA, runs: runs.iter().map(Run::new).collect(), damaged }
    }
}

impl Run {
    fn new(shown: &ShownRun) -> Self {
        let ModelRun { id, workflow, title, status, by, began, ended, driver, links, why, .. } = &shown.run;
        Run {
            id: id.to_string(),
            workflow: workflow.clone(),
            title: title.clone(),
            status: status.to_string(),
            why: why.clone(),
            by: by.as_ref().map(ToString::to_string),
            began: rfc3339(*began),
            ended: ended.map(rfc3339),
            clone: driver.clone.to_string(),
            elsewhere: shown.is_elsewhere,
            links: links.clone(),
            steps: shown.steps.iter().map(Step::new).collect(),
            damaged: shown.damaged.clone(),
        }
    }
}

impl Step {
    fn new(step: &ModelStep) -> Self {
        let seconds = step.began.zip(step.ended).map(|(began, ended)| {
            let took = (ended - began).num_milliseconds();
            took as f64 / 1000.0
        });
        Step {
            id: step.path.to_string(),
            status: step.status.to_string(),
            agent: step.agent().map(str::to_owned),
            attempts: step.attempts.len(),
            seconds,
            files: step.files.iter().map(ToString::to_string).collect(),
            bytes: step.bytes,
            failure: step.failure.as_ref().map(Failure::new),
            question: None,
            wants: None,
            answered: None,
            tries: step.attempts.iter().map(Attempt::new).collect(),
        }
    }
}

impl Failure {
    fn new(failure: &crate::model::run::Failure) -> Self {
        Failure { kind: failure.kind.to_string(), text: failure.text.clone() }
    }
}

impl Attempt {
    fn new(attempt: &ModelAttempt) -> Self {
        let ModelUsage { input, cached, output, cost } = attempt.usage;
        Attempt {
            number: attempt.number,
            agent: attempt.agent.clone(),
            instance: attempt.instance.as_ref().map(ToString::to_string),
            seconds: attempt.took.map(seconds),
            exit: attempt.exit,
            session: attempt.session.clone(),
            usage: Usage { input, cached, output, cost_usd: cost.map(|cost| cost as f64 / 1e6) },
            bytes: attempt.bytes,
            files: attempt.files.iter().map(ToString::to_string).collect(),
            checks: attempt.checks.iter().map(Check::new).collect(),
            failure: attempt.failure.as_ref().map(Failure::new),
            review: attempt
                .review
                .as_ref()
                .map(|(verdict, notes)| Review { verdict: verdict.to_string(), notes: notes.clone() }),
        }
    }
}

impl Check {
    fn new(check: &CheckRecord) -> Self {
        use crate::model::verify::Outcome;
        Check {
            name: check.name.clone(),
            source: check.source.as_str().into(),
            passed: match check.outcome {
                Outcome::Passed => Some(true),
                Outcome::Failed => Some(false),
                Outcome::NotRun => None,
            },
            exit: check.exit,
            seconds: check.took.map(seconds),
            why: check.why.clone(),
        }
    }
}

impl RunEvent {
    pub(in crate::cli) fn new(at: Time, event: &Event) -> Self {
        RunEvent { schema: SCHEMA, at: rfc3339(at), event: event.clone() }
    }
}

impl RunEnd {
    pub(in crate::cli) fn new(at: Time, answer: RunAnswer) -> Self {
        RunEnd { at: rfc3339(at), event: AnswerWord::Answer, answer }
    }
}

/// To the millisecond.
fn seconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1000.0).round() / 1000.0
}
