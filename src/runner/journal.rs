//! What a run of a workflow has come to, written down so that another driver can go on with it.
//!
//! Others see how the steps stand. What they came to is kept in this clone: `result/<step>.json`, `items/<step>.json`,
//! `asked/<step>.txt`, `answer/<step>.json` and `undone/<step>.json`, see `store/run.rs`.

mod asked;

use super::{
    dispatch::{Answer, Change, Journal, Outcome, Recorded},
    landing,
    language::UNDO,
    recorder::{Recorder, Unrecorded, When},
    step::text_of,
};
use crate::{
    base::{
        id::{RunId, StepPath},
        path::RepoPath,
        world::Time,
    },
    model::run::{Failure, FailureKind, Run, Step, StepStatus, Usage},
    ops::{self, Error, Private, Session},
};
use asked::answers;
pub use asked::{all_questions, answer, ask, is_answered, question};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// What a step came to, as it is kept.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptOutcome {
    status: String,
    out: Value,
    exit: Option<i32>,
    agent: Option<String>,
    attempts: u32,
    files: Vec<String>,
    diff: String,
    input: Option<u64>,
    cached: Option<u64>,
    output: Option<u64>,
    cost: Option<u64>,
    failure: Option<KeptFailure>,
    key: String,
    order: u64,
}

#[derive(Serialize, Deserialize)]
struct KeptFailure {
    kind: String,
    text: String,
}

/// Writes a run of a workflow down.
pub struct RunJournal {
    recorder: Recorder,
    steps: HashMap<StepPath, Step>,
}

impl RunJournal {
    /// Begins with the steps that are known.
    pub fn new(recorder: Recorder, steps: &[Step]) -> Self {
        RunJournal { recorder, steps: steps.iter().map(|step| (step.path.clone(), step.clone())).collect() }
    }

    fn step(&mut self, path: &StepPath, subject: &str, change: impl FnOnce(&mut Step, Time)) -> Result<(), Unrecorded> {
        self.stands(path, subject, When::Now, change)
    }

    fn stands(
        &mut self,
        path: &StepPath,
        subject: &str,
        when: When,
        change: impl FnOnce(&mut Step, Time),
    ) -> Result<(), Unrecorded> {
        let step = self.steps.entry(path.clone()).or_insert_with(|| Step::new(path.clone(), "block"));
        change(step, ops::now());
        self.recorder.outline(step.clone(), format!("{path}: {subject}"), when)
    }

    fn ended(&mut self, path: &StepPath, outcome: &Outcome) -> Result<(), Unrecorded> {
        if outcome.status != StepStatus::Skipped {
            let bytes = serde_json::to_vec(&KeptOutcome::of(outcome)).map_err(|error| Unrecorded(error.to_string()))?;
            let entry = (format!("result/{path}.json"), Private::Bytes(bytes));
            self.recorder.keep(vec![entry], format!("{path}: result"), When::WithNext)?;
        }
        let (status, failure, files) = (outcome.status, outcome.failure.clone(), outcome.files.clone());
        let (bytes, key) = (text_of(&outcome.out).len() as u64, outcome.key.clone());
        self.step(path, status.as_str(), |step, now| {
            step.status = status;
            step.ended = Some(now);
            step.failure = failure;
            step.files = files;
            step.bytes = bytes;
            step.key = Some(key);
        })
    }

    fn undone(&mut self, path: &StepPath, failure: &Option<Failure>) -> Result<(), Unrecorded> {
        let bytes = serde_json::to_vec(&failure.as_ref().map(KeptFailure::of));
        let bytes = bytes.map_err(|error| Unrecorded(error.to_string()))?;
        let entry = (format!("undone/{path}.json"), Private::Bytes(bytes));
        self.recorder.keep(vec![entry], format!("{path}: undone"), When::WithNext)?;
        let status = if failure.is_some() { StepStatus::UndoFailed } else { StepStatus::Undone };
        self.step(path, status.as_str(), |step, _| step.status = status)
    }

    fn write(&mut self, change: &Change) -> Result<(), Unrecorded> {
        match change {
            Change::Run(status) => {
                let (status, now) = (*status, ops::now());
                let end = move |run: &mut Run| {
                    run.status = status;
                    run.ended = status.is_final().then_some(now);
                };
                self.recorder.change(end, status.as_str())
            }
            Change::Items { path, items } => {
                let bytes = serde_json::to_vec(items).map_err(|error| Unrecorded(error.to_string()))?;
                let entry = (format!("items/{path}.json"), Private::Bytes(bytes));
                self.recorder.keep(vec![entry], format!("{path}: {} items", items.len()), When::Now)
            }
            // Nothing has been started for it yet: whoever starts something writes that down first.
            Change::Began { path, kind, key, .. } => self.stands(path, "begins", When::WithNext, |step, now| {
                step.kind = (*kind).to_owned();
                step.status = StepStatus::Running;
                step.began = Some(now);
                step.ended = None;
                step.key = Some(key.clone()).filter(|key| !key.is_empty());
            }),
            // How it stands while it is at work is of no use to whoever goes on with it.
            Change::Stands { path, status } => match status {
                StepStatus::Asked | StepStatus::Lost | StepStatus::Waiting => {
                    self.step(path, status.as_str(), |step, _| step.status = *status)
                }
                _ => Ok(()),
            },
            Change::Asked { path, question } => {
                ask(&self.recorder, path, question.clone())?;
                self.step(path, "asks", |step, _| step.status = StepStatus::Asked)
            }
            Change::Ended { path, outcome } => self.ended(path, outcome),
            Change::Undone { path, failure } => self.undone(path, failure),
        }
    }
}

impl Journal for RunJournal {
    fn record(&mut self, change: &Change) -> Result<(), String> {
        self.write(change).map_err(|error| error.to_string())
    }
}

/// How a step has ended; `None` where that is not kept in this clone, or it has not.
///
/// # Errors
/// When it can't be read.
pub fn result(session: &Session, id: &RunId, path: &StepPath) -> Result<Option<Outcome>, Error> {
    let kept = session.kept_of_run(id, &format!("result/{path}.json"))?;
    Ok(kept.and_then(|bytes| serde_json::from_slice::<KeptOutcome>(&bytes).ok()?.into_outcome()))
}

/// Writes down that these steps are to be done anew, so that whoever goes on with it knows that, too.
///
/// # Errors
/// When it can't be written.
pub fn forget(recorder: &Recorder, steps: &[Step], recorded: &Recorded) -> Result<(), Unrecorded> {
    let is_known = |step: &&Step| recorded.ended.contains_key(&step.path) || recorded.begun.contains(&step.path);
    steps.iter().filter(|step| !is_known(step)).try_for_each(|step| {
        if matches!(step.status, StepStatus::Undone | StepStatus::UndoFailed) {
            // What becomes of it is to be undone again.
            let entry = (format!("undone/{}.json", step.path), Private::Bytes(b"false".to_vec()));
            recorder.keep(vec![entry], format!("{}: is undone no more", step.path), When::WithNext)?;
        }
        let mut anew = Step::new(step.path.clone(), &step.kind);
        anew.attempts.clone_from(&step.attempts);
        recorder.outline(anew, format!("{}: to be done anew", step.path), When::Now)
    })
}

/// Something that was written down of a step and is read when its run goes on: a template may put it into a command.
pub struct Heard {
    /// The step.
    pub step: StepPath,
    /// What it is of the step.
    pub what: &'static str,
    /// What was written down.
    pub value: Value,
}

/// All that was written down of the steps of a run and is read when it goes on.
///
/// # Errors
/// When it can't be read, and when a step has ended of which it isn't known what it came to.
pub fn heard(session: &Session, id: &RunId, steps: &[Step]) -> Result<Vec<Heard>, Error> {
    let (mut heard, mut ended) = (Vec::new(), HashSet::new());
    for (path, bytes) in named(session, id, "items")? {
        let items = serde_json::from_slice::<Vec<Value>>(&bytes).ok();
        heard.extend(items.map(|items| Heard { step: path, what: "is for each of", value: items.into() }));
    }
    for (path, bytes) in named(session, id, "result")? {
        let outcome = serde_json::from_slice::<KeptOutcome>(&bytes).ok().and_then(KeptOutcome::into_outcome);
        let Some(outcome) = outcome else { continue };
        heard.extend(told_of(&path, outcome));
        ended.insert(path);
    }
    for noted in landing::all(session, id)? {
        let Some((path, outcome)) = noted.name.parse().ok().zip(noted.outcome) else { continue };
        heard.extend(told_of(&path, outcome));
    }
    for (path, answer) in answers(session, id)? {
        let words = match answer {
            Answer::Yes => "yes".to_owned(),
            Answer::No => "no".to_owned(),
            Answer::Rerun => "do it again".to_owned(),
            Answer::Text(text) => text,
        };
        heard.push(Heard { step: path, what: "was answered", value: words.into() });
    }
    // What undoes a step is read by nobody.
    let is_read = |path: &StepPath| path.as_str().rsplit('/').next() != Some(UNDO);
    let is_known = |step: &&Step| step.status == StepStatus::Skipped || ended.contains(&step.path);
    match steps.iter().find(|step| step.status.is_final() && is_read(&step.path) && !is_known(step)) {
        None => Ok(heard),
        Some(step) => Err(Error::NotAllowed {
            message: format!("what the step {} of {id} came to was not written down", step.path),
            hint: Some("resume it in the clone that drives it".into()),
        }),
    }
}

fn told_of(path: &StepPath, outcome: Outcome) -> impl Iterator<Item = Heard> {
    let Outcome { out, agent, files, diff, failure, .. } = outcome;
    let files: Vec<String> = files.iter().map(ToString::to_string).collect();
    let parts = [
        ("was done by", agent.unwrap_or_default().into()),
        ("failed with", failure.map(|failure| failure.text).unwrap_or_default().into()),
        ("changed", files.into()),
        ("changed it so", diff.into()),
        ("came to", out),
    ];
    let path = path.clone();
    parts.into_iter().map(move |(what, value)| Heard { step: path.clone(), what, value })
}

/// What is known of a run that was begun before.
///
/// # Errors
/// When it can't be read.
pub fn recorded(session: &Session, id: &RunId, steps: &[Step]) -> Result<Recorded, Error> {
    let mut known = Recorded::default();
    let by_path: HashMap<&StepPath, &Step> = steps.iter().map(|step| (&step.path, step)).collect();
    // What is kept of a step that is to be done anew is of no use any more.
    let counts = |path: &StepPath| by_path.get(path).is_none_or(|step| step.began.is_some());
    for (path, bytes) in named(session, id, "result")? {
        // A driver may have died before it had written down that this is how the step ended.
        if by_path.get(&path).is_none_or(|step| !step.status.is_final()) {
            continue;
        }
        if let Some(outcome) = serde_json::from_slice::<KeptOutcome>(&bytes).ok().and_then(KeptOutcome::into_outcome) {
            known.ended.insert(path, outcome);
        }
    }
    for (path, bytes) in named(session, id, "items")? {
        known.items.extend(serde_json::from_slice(&bytes).ok().filter(|_| counts(&path)).map(|items| (path, items)));
    }
    known.answers.extend(answers(session, id)?.into_iter().filter(|(path, _)| counts(path)));
    for (path, bytes) in named(session, id, "undone")? {
        if let (Ok(failure), true) = (serde_json::from_slice::<Option<KeptFailure>>(&bytes), counts(&path)) {
            known.undone.insert(path, failure.map(KeptFailure::into_failure));
        }
    }
    for step in steps {
        match step.status {
            StepStatus::Skipped => {
                known.ended.insert(step.path.clone(), Outcome::of(StepStatus::Skipped));
            }
            _ if step.began.is_some() && !known.ended.contains_key(&step.path) => {
                known.begun.insert(step.path.clone());
            }
            _ => {}
        }
    }
    Ok(known)
}

/// What is kept of steps in a folder, by the step.
fn named(session: &Session, id: &RunId, folder: &str) -> Result<Vec<(StepPath, Vec<u8>)>, Error> {
    let files = session.files_of_run(id, folder)?;
    let of_step = |(name, bytes): (String, Vec<u8>)| Some((name.strip_suffix(".json")?.parse().ok()?, bytes));
    Ok(files.into_iter().filter_map(of_step).collect())
}

impl KeptOutcome {
    /// What is kept of it.
    pub(super) fn of(outcome: &Outcome) -> KeptOutcome {
        let Usage { input, cached, output, cost } = outcome.usage;
        KeptOutcome {
            status: outcome.status.to_string(),
            out: outcome.out.clone(),
            exit: outcome.exit,
            agent: outcome.agent.clone(),
            attempts: outcome.attempts,
            files: outcome.files.iter().map(RepoPath::encoded).collect(),
            diff: outcome.diff.clone(),
            input,
            cached,
            output,
            cost,
            failure: outcome.failure.as_ref().map(KeptFailure::of),
            key: outcome.key.clone(),
            order: outcome.order,
        }
    }

    /// What it was; `None` where that can't be told.
    pub(super) fn into_outcome(self) -> Option<Outcome> {
        let status = StepStatus::ALL.iter().copied().find(|status| status.as_str() == self.status)?;
        Some(Outcome {
            status,
            out: self.out,
            exit: self.exit,
            agent: self.agent,
            attempts: self.attempts,
            files: self.files.iter().filter_map(|path| RepoPath::decode(path).ok()).collect(),
            diff: self.diff,
            usage: Usage { input: self.input, cached: self.cached, output: self.output, cost: self.cost },
            failure: self.failure.map(KeptFailure::into_failure),
            key: self.key,
            order: self.order,
        })
    }
}

impl KeptFailure {
    fn of(failure: &Failure) -> KeptFailure {
        KeptFailure { kind: failure.kind.to_string(), text: failure.text.clone() }
    }

    fn into_failure(self) -> Failure {
        let kind = FailureKind::ALL.iter().copied().find(|kind| kind.as_str() == self.kind);
        Failure { kind: kind.unwrap_or(FailureKind::Internal), text: self.text }
    }
}
