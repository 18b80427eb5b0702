//! The records of a run and of its steps.

use super::record::{Wire, decode_paths, encode_paths, parse, parse_opt, word};
use crate::{
    base::{path::RepoPath, process::ProcessMark, world::Time},
    model::{
        run::{
            Attempt, CheckRecord, Driver, Failure, FailureKind, ReviewVerdict, Run, RunStatus, Stage, Step, StepStatus,
            Usage,
        },
        verify::{Outcome, Source},
    },
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The version that we write, and the newest that we read: who continues a run has to understand all of it.
const VERSION: u64 = 1;

/// Most bytes of paths that one record lists.
const MAX_PATHS: usize = 8 * 1024;

/// Most bytes of one text.
const MAX_TEXT: usize = 4 * 1024;

#[derive(Serialize, Deserialize)]
pub(in crate::store) struct WireRun {
    schema: u64,
    id: String,
    workflow: String,
    title: String,
    by: Option<String>,
    began: Time,
    ended: Option<Time>,
    status: String,
    driver: WireDriver,
    parent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holder: Option<String>,
    #[serde(default)]
    links: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    waits_for: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WireDriver {
    clone: String,
    process: Option<WireProcess>,
}

#[derive(Serialize, Deserialize)]
struct WireProcess {
    pid: u32,
    start: String,
    boot: String,
    namespace: String,
}

impl Wire<Run> for WireRun {
    fn from_model(run: &Run) -> Self {
        let process = |mark: &ProcessMark| WireProcess {
            pid: mark.pid,
            start: mark.start.clone(),
            boot: mark.boot.clone(),
            namespace: mark.namespace.clone(),
        };
        WireRun {
            schema: VERSION,
            id: run.id.to_string(),
            workflow: run.workflow.clone(),
            title: short(&run.title),
            by: run.by.as_ref().map(ToString::to_string),
            began: run.began,
            ended: run.ended,
            status: run.status.to_string(),
            driver: WireDriver {
                clone: run.driver.clone.to_string(),
                process: run.driver.process.as_ref().map(process),
            },
            parent: run.parent.as_ref().map(ToString::to_string),
            holder: run.holder.as_ref().map(ToString::to_string),
            links: run.links.clone(),
            waits_for: run.waits_for.iter().map(ToString::to_string).collect(),
            why: run.why.as_deref().map(short),
        }
    }

    fn into_model(self) -> Result<Run, String> {
        newer(self.schema)?;
        let process = |process: WireProcess| ProcessMark {
            pid: process.pid,
            start: process.start,
            boot: process.boot,
            namespace: process.namespace,
        };
        Ok(Run {
            id: parse(self.id)?,
            workflow: self.workflow,
            title: self.title,
            by: parse_opt(self.by)?,
            began: self.began,
            ended: self.ended,
            status: word("status", &self.status, RunStatus::ALL, RunStatus::as_str)?,
            driver: Driver { clone: parse(self.driver.clone)?, process: self.driver.process.map(process) },
            parent: parse_opt(self.parent)?,
            holder: parse_opt(self.holder)?,
            links: self.links,
            waits_for: self.waits_for.into_iter().map(parse).collect::<Result<_, _>>()?,
            why: self.why,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(in crate::store) struct WireStep {
    schema: u64,
    path: String,
    status: String,
    kind: String,
    began: Option<Time>,
    ended: Option<Time>,
    attempts: Vec<WireAttempt>,
    files: Vec<String>,
    failure: Option<WireFailure>,
    bytes: u64,
    key: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WireFailure {
    kind: String,
    text: String,
}

#[derive(Serialize, Deserialize)]
struct WireAttempt {
    number: u32,
    agent: String,
    instance: Option<String>,
    began: Time,
    milliseconds: Option<u64>,
    stage: String,
    exit: Option<i32>,
    session: Option<String>,
    usage: WireUsage,
    bytes: u64,
    before: Option<String>,
    after: Option<String>,
    files: Vec<String>,
    checks: Vec<WireCheck>,
    failure: Option<WireFailure>,
    review: Option<WireReview>,
}

#[derive(Serialize, Deserialize)]
struct WireUsage {
    input: Option<u64>,
    cached: Option<u64>,
    output: Option<u64>,
    /// In millionths of a US dollar.
    cost: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct WireReview {
    verdict: String,
    notes: String,
}

#[derive(Serialize, Deserialize)]
struct WireCheck {
    name: String,
    source: String,
    outcome: String,
    exit: Option<i32>,
    milliseconds: Option<u64>,
    why: Option<String>,
    digest: Option<String>,
}

impl Wire<Step> for WireStep {
    fn from_model(step: &Step) -> Self {
        WireStep {
            schema: VERSION,
            path: step.path.to_string(),
            status: step.status.to_string(),
            kind: step.kind.clone(),
            began: step.began,
            ended: step.ended,
            attempts: step.attempts.iter().map(WireAttempt::from_model).collect(),
            files: some_paths(&step.files),
            failure: step.failure.as_ref().map(WireFailure::from_model),
            bytes: step.bytes,
            key: step.key.clone(),
        }
    }

    fn into_model(self) -> Result<Step, String> {
        newer(self.schema)?;
        Ok(Step {
            path: parse(self.path)?,
            status: word("status", &self.status, StepStatus::ALL, StepStatus::as_str)?,
            kind: self.kind,
            began: self.began,
            ended: self.ended,
            attempts: self.attempts.into_iter().map(WireAttempt::into_model).collect::<Result<_, _>>()?,
            files: decode_paths(&self.files)?,
            failure: self.failure.map(WireFailure::into_model).transpose()?,
            bytes: self.bytes,
            key: self.key,
        })
    }
}

impl WireFailure {
    fn from_model(failure: &Failure) -> Self {
        WireFailure { kind: failure.kind.to_string(), text: short(&failure.text) }
    }

    fn into_model(self) -> Result<Failure, String> {
        let kind = word("failure", &self.kind, FailureKind::ALL, FailureKind::as_str)?;
        Ok(Failure { kind, text: self.text })
    }
}

impl WireAttempt {
    fn from_model(attempt: &Attempt) -> Self {
        let Usage { input, cached, output, cost } = attempt.usage;
        WireAttempt {
            number: attempt.number,
            agent: attempt.agent.clone(),
            instance: attempt.instance.as_ref().map(ToString::to_string),
            began: attempt.began,
            milliseconds: attempt.took.map(milliseconds),
            stage: attempt.stage.to_string(),
            exit: attempt.exit,
            session: attempt.session.clone(),
            usage: WireUsage { input, cached, output, cost },
            bytes: attempt.bytes,
            before: attempt.before.as_ref().map(ToString::to_string),
            after: attempt.after.as_ref().map(ToString::to_string),
            files: some_paths(&attempt.files),
            checks: attempt.checks.iter().map(WireCheck::from_model).collect(),
            failure: attempt.failure.as_ref().map(WireFailure::from_model),
            review: attempt
                .review
                .as_ref()
                .map(|(verdict, notes)| WireReview { verdict: verdict.to_string(), notes: short(notes) }),
        }
    }

    fn into_model(self) -> Result<Attempt, String> {
        let verdict = |text: &str| word("verdict", text, ReviewVerdict::ALL, ReviewVerdict::as_str);
        let WireUsage { input, cached, output, cost } = self.usage;
        Ok(Attempt {
            number: self.number,
            agent: self.agent,
            instance: parse_opt(self.instance)?,
            began: self.began,
            took: self.milliseconds.map(Duration::from_millis),
            stage: word("stage", &self.stage, Stage::ALL, Stage::as_str)?,
            exit: self.exit,
            session: self.session,
            usage: Usage { input, cached, output, cost },
            bytes: self.bytes,
            before: parse_opt(self.before)?,
            after: parse_opt(self.after)?,
            files: decode_paths(&self.files)?,
            checks: self.checks.into_iter().map(WireCheck::into_model).collect::<Result<_, _>>()?,
            failure: self.failure.map(WireFailure::into_model).transpose()?,
            review: self.review.map(|review| Ok::<_, String>((verdict(&review.verdict)?, review.notes))).transpose()?,
        })
    }
}

impl WireCheck {
    fn from_model(check: &CheckRecord) -> Self {
        WireCheck {
            name: short(&check.name),
            source: check.source.as_str().into(),
            outcome: check.outcome.as_str().into(),
            exit: check.exit,
            milliseconds: check.took.map(milliseconds),
            why: check.why.as_deref().map(short),
            digest: check.digest.clone(),
        }
    }

    fn into_model(self) -> Result<CheckRecord, String> {
        Ok(CheckRecord {
            name: self.name,
            source: word("source", &self.source, &Source::ALL, Source::as_str)?,
            outcome: word("outcome", &self.outcome, &Outcome::ALL, Outcome::as_str)?,
            exit: self.exit,
            took: self.milliseconds.map(Duration::from_millis),
            why: self.why,
            digest: self.digest,
        })
    }
}

fn newer(schema: u64) -> Result<(), String> {
    if schema > VERSION {
        return Err(format!("it is in version {schema}, and this git-aio knows {VERSION}"));
    }
    Ok(())
}

fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// The beginning of a text. All of it is in the private part of the run.
fn short(text: &str) -> String {
    crate::base::text::head(text, MAX_TEXT).to_owned()
}

/// As many paths as a record may list: the trees before and after know them all.
fn some_paths(paths: &[RepoPath]) -> Vec<String> {
    let mut size = 0;
    let mut encoded = encode_paths(paths);
    let fits = |path: &String| {
        size += path.len() + 4;
        size <= MAX_PATHS
    };
    let count = encoded.iter().map(fits).take_while(|fits| *fits).count();
    encoded.truncate(count);
    encoded
}
