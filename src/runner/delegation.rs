//! A delegation: a run of one step.

use super::{
    commit::wait_for_left,
    ledger,
    recorder::{Book, Recorder, Unrecorded, When},
    step::{Site, as_it_ended, carry_out, text_of},
    work::{Action, Contract, Done, Isolation, Moment, Retry, Task, Who, Work},
};
use crate::{
    base::{
        id::{RunId, StepPath},
        text,
    },
    model::{
        run::{Attempt, Run, RunStatus, Step, StepStatus},
        verify::Verdict,
    },
    ops::{
        Error, Private, Session,
        run::{Beginning, ShownRun},
        verify::Interrupts,
    },
};
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

/// The word for what is run.
pub const DELEGATION: &str = "delegation";

/// Its one step.
pub const STEP: &str = "task";

/// Where what was asked for is kept.
const SPEC: &str = "delegation.json";

/// What is asked for, as it is kept: whoever resumes it does just this.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Delegation {
    /// In a line.
    pub title: String,
    /// All of it, in Markdown.
    pub text: String,
    /// Who is to do it, the first choice first: tools, agents, `tool/agent`, or `caller`.
    pub agents: Vec<String>,
    /// Paths that may be written, from the root.
    pub scope: Vec<String>,
    /// What has to be true in the end.
    pub accept: Vec<String>,
    /// What is not to be touched or done.
    pub avoid: Vec<String>,
    /// The checks; `None` for what the repository says.
    pub verify: Option<Vec<String>>,
    /// Who reviews the change.
    pub review: Option<String>,
    /// Whether it is committed in the end.
    pub commit: bool,
    /// Whether it is done in a work tree of its own.
    pub isolate: bool,
    /// How often each agent may try again.
    pub retry: u32,
    /// Whether its scope is halved where it was too much.
    pub split: bool,
    /// Seconds that one attempt may take.
    pub timeout: Option<u64>,
    /// Seconds of silence.
    pub stall: Option<u64>,
    /// Whether a person has said yes to guessed checks.
    pub consents: bool,
}

/// How it is driven.
#[derive(Debug, Clone)]
pub struct Driving {
    /// `--as`.
    pub acting_as: Option<String>,
    /// How long a scope is waited for that somebody else holds, where that is said.
    pub wait: Option<Duration>,
}

/// A delegation that is over, or waits.
#[derive(Debug)]
pub struct Finished {
    /// The run as it was left.
    pub run: ShownRun,
    /// What came of it.
    pub done: Done,
    /// What the checks showed; `None` where nothing was to be checked.
    pub verdict: Option<Verdict>,
    /// What had to be true in the end, each with how that was checked; `None` where it was not.
    pub accepted: Vec<(String, Option<String>)>,
}

impl Delegation {
    /// It as a step, with its agents told from tools by `is_agent`.
    ///
    /// # Errors
    /// When an agent can't be looked up.
    pub(super) fn work(&self, session: &Session) -> Result<Work, Error> {
        let agents = self.agents.iter().map(|name| who(name, session)).collect::<Result<Vec<_>, _>>()?;
        let agents = if agents.is_empty() { vec![Who::Agent { tool: None, persona: None }] } else { agents };
        let review = self.review.as_deref().map(|name| who(name, session)).transpose()?;
        let path: StepPath =
            STEP.parse().map_err(|error: crate::base::id::InvalidName| Error::Failed(error.to_string()))?;
        Ok(Work {
            path,
            action: Action::Prompt {
                agents,
                task: Task {
                    title: self.title.clone(),
                    text: self.text.clone(),
                    avoid: self.avoid.clone(),
                    accept: self.accept.clone(),
                    ..Task::default()
                },
            },
            scope: self.scope.clone(),
            contract: Contract { shape: None, verify: self.verify.clone(), review, commit: self.commit },
            retry: Retry { max: self.retry, split: self.split, ..Retry::default() },
            timeout: self.timeout.map(Duration::from_secs),
            stall: self.stall.map(Duration::from_secs),
            isolation: if self.isolate { Isolation::Worktree } else { Isolation::Claims },
            save: None,
            env: Vec::new(),
            stdin: None,
            within: Vec::new(),
        })
    }
}

/// Who is meant by a word, as far as the repository says who there is.
///
/// # Errors
/// When the agents of the repository can't be read.
pub fn who(name: &str, session: &Session) -> Result<Who, Error> {
    Ok(Who::named(name, &session.roster()?))
}

/// Which delegation is driven.
#[derive(Debug, Clone, Copy)]
pub enum Which<'w> {
    /// A new one.
    New(&'w Delegation),
    /// One whose driver is gone or has stopped.
    GoOn(&'w RunId),
    /// One that has failed is tried once more, with what it was asked for. Its attempts stay, and the next is told why the last
    /// was of no use.
    Retry(&'w RunId),
}

/// Hands a task to agents, and believes what they say only after the checklist. `began` is told the run before anything is
/// done, and `tell` whatever happens.
///
/// # Errors
/// When it can't begin, or can't be recorded; when there is nothing to go on with, or it has not failed.
pub fn delegate(
    session: &Session,
    which: Which<'_>,
    driving: &Driving,
    began: &dyn Fn(&Run),
    tell: &dyn Fn(Moment),
) -> Result<Finished, Error> {
    let (delegation, book) = match which {
        Which::New(delegation) => (delegation.clone(), Book::New(beginning(session, delegation)?)),
        Which::GoOn(id) => (spec_of(session, id)?, Book::Known(id.clone())),
        Which::Retry(id) => {
            let delegation = spec_of(session, id)?;
            has_failed(session, id)?;
            (delegation, Book::Known(id.clone()))
        }
    };
    drive(session, &delegation, book, matches!(which, Which::Retry(_)), driving, (began, tell))
}

fn beginning(session: &Session, delegation: &Delegation) -> Result<Beginning, Error> {
    let by = session.who_is_it()?;
    let spec = serde_json::to_vec_pretty(delegation).map_err(|error| Error::Failed(error.to_string()))?;
    Ok(Beginning {
        workflow: DELEGATION.into(),
        title: delegation.title.clone(),
        by,
        parent: None,
        spec: vec![(SPEC.into(), spec)],
    })
}

fn has_failed(session: &Session, id: &RunId) -> Result<(), Error> {
    let status = session.shown_run(id)?.run.status;
    if status == RunStatus::Failed {
        return Ok(());
    }
    let hint = match status.is_final() {
        true => "what is done is not done again: delegate another task".to_owned(),
        false => format!("it has not ended: `git aio run show {id}` tells how it stands"),
    };
    Err(Error::Usage { message: format!("{id} has not failed, it is {status}"), hint: Some(hint) })
}

/// Answers for a delegation that waits for it: the work that was asked of the caller is done, or can't be.
///
/// # Errors
/// When the run doesn't wait, or can't be written.
pub fn answer(session: &Session, id: &RunId, is_done: bool, result: &str) -> Result<(), Error> {
    session.run_to_answer(id, &[RunStatus::Waiting])?;
    let (mut book, mut steps) = session.continue_run(id)?;
    let now = session.now();
    for step in steps.iter_mut().filter(|step| step.status == StepStatus::Asked) {
        step.status = if is_done { StepStatus::Ok } else { StepStatus::Failed };
        step.ended = Some(now);
        step.bytes = result.len() as u64;
        let out = (format!("out/{}.txt", step.path), Private::Bytes(result.as_bytes().to_vec()));
        book.keep(vec![out], "answered", false)?;
    }
    let status = if is_done { RunStatus::Complete } else { RunStatus::Failed };
    let change = |run: &mut Run| {
        run.status = status;
        run.ended = Some(now);
    };
    book.change(change, &steps.iter().collect::<Vec<_>>(), &format!("answered: {status}"))
}

/// What a delegation was asked for.
///
/// # Errors
/// When that is not in this clone.
pub fn spec_of(session: &Session, id: &RunId) -> Result<Delegation, Error> {
    let kept = session.kept_of_run(id, &format!("spec/{SPEC}"))?;
    kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| Error::NotFound {
        message: format!("what {id} was asked for is not in this clone"),
        hint: Some("go on with it in the clone where it began".into()),
    })
}

/// Who hears that a run has begun, and what happens in it.
type Heard<'h> = (&'h dyn Fn(&Run), &'h dyn Fn(Moment));

fn drive(
    session: &Session,
    delegation: &Delegation,
    book: Book,
    is_retry: bool,
    driving: &Driving,
    (began, tell): Heard<'_>,
) -> Result<Finished, Error> {
    let work = &delegation.work(session)?;
    let interrupts = watch()?;
    if let Book::Known(id) = &book {
        wait_for_left(session, id, &interrupts, |words| tell(Moment::Said(words)))?;
    }
    let root = session.root()?;
    let ledger = session.ledger_file()?;
    let (recorder, recording, run, mut steps) = Recorder::start(&root, driving.acting_as.clone(), book)?;
    began(&run);
    let site = site(delegation, driving, root, recorder, interrupts, ledger.clone());
    let now = Mutex::new(Step::new(work.path.clone(), "prompt"));
    let show = |moment: Moment| {
        if let Some(file) = &ledger
            && let Ok(mut step) = now.lock()
            && ledger::follow(&mut step, &moment)
        {
            write_ledger(session, file, &run, &step);
        }
        tell(moment);
    };
    let known = steps.pop().map(|known| if is_retry { anew(known) } else { known });
    let ended = known.as_ref().and_then(|known| as_it_ended(&site, work, known));
    let done = ended.unwrap_or_else(|| carry_out(&site, work, known, &show));
    let dismissed = site.dismiss_keepers(session);
    let id = run.id.clone();
    let recorded = conclude(&site, session, &done);
    drop(site);
    drop(recording);
    dismissed?;
    recorded?;
    let shown = session.shown_run(&id)?;
    if let (Some(file), Some(step)) = (&ledger, shown.steps.first()) {
        write_ledger(session, file, &shown.run, step);
    }
    let verdict = done.attempts.last().filter(|_| !work.scope.is_empty() || work.contract.verify.is_some());
    let accepted = accepted(&delegation.accept, done.attempts.last());
    Ok(Finished { run: shown, verdict: verdict.map(verdict_of), accepted, done })
}

/// Watches for Ctrl-C.
pub(super) fn watch() -> Result<Interrupts, Error> {
    Interrupts::watch().map_err(|source| Error::File { what: "can't watch for Ctrl-C".into(), source })
}

/// Where it is done.
pub(super) fn site(
    delegation: &Delegation,
    driving: &Driving,
    root: PathBuf,
    recorder: Recorder,
    interrupts: Interrupts,
    ledger: Option<String>,
) -> Site {
    Site {
        root,
        acting_as: driving.acting_as.clone(),
        recorder,
        consents: delegation.consents,
        patience: driving.wait.unwrap_or_default(),
        interrupts: Arc::new(interrupts),
        keepers: Arc::default(),
        waits: Arc::default(),
        ledger,
        holding: None,
    }
}

/// A step that is to be done anew. What was tried before is no less true.
fn anew(step: Step) -> Step {
    Step { attempts: step.attempts, ..Step::new(step.path, &step.kind) }
}

/// How each criterion was checked: by a command that it names, or by the reviewer. Nobody else has looked at it.
fn accepted(criteria: &[String], attempt: Option<&Attempt>) -> Vec<(String, Option<String>)> {
    let checks = attempt.map_or(&[][..], |attempt| &attempt.checks);
    let review = attempt.and_then(|attempt| attempt.review.as_ref());
    let how = |criterion: &String| {
        let named = checks.iter().find(|check| criterion.contains(check.name.trim_start_matches('@')));
        let by_check = named.map(|check| format!("{}: {}", check.name, check.outcome.as_str()));
        by_check.or_else(|| review.map(|(verdict, _)| format!("the reviewer: {verdict}")))
    };
    criteria.iter().map(|criterion| (criterion.clone(), how(criterion))).collect()
}

/// What the checks of an attempt showed.
pub fn verdict_of(attempt: &Attempt) -> Verdict {
    Verdict::of(attempt.checks.iter().map(|check| (check.source, check.outcome)))
}

/// Records how it ended.
pub(super) fn conclude(site: &Site, session: &Session, done: &Done) -> Result<(), Unrecorded> {
    let status = match done.status {
        StepStatus::Ok => RunStatus::Complete,
        StepStatus::Asked => RunStatus::Waiting,
        StepStatus::Waiting => RunStatus::Interrupted,
        _ => RunStatus::Failed,
    };
    let ended = status.is_final().then(|| session.now());
    if status == RunStatus::Complete {
        let out = vec![(format!("out/{STEP}.txt"), Private::Bytes(text_of(&done.out).into_bytes()))];
        site.recorder.keep(out, "result", When::WithNext)?;
    }
    let change = move |run: &mut Run| {
        run.status = status;
        run.ended = ended;
    };
    site.recorder.change(change, status.as_str())
}

/// The ledger is for whoever likes to look. That it can't be written is no reason to stop.
fn write_ledger(session: &Session, file: &str, run: &Run, step: &Step) {
    let _ = session.write_ledger(Path::new(file), &ledger::render(run, std::slice::from_ref(step)));
}

/// The title of a task: its first line, without what makes it a heading.
pub fn title_of(text: &str) -> String {
    let first = text.lines().map(|line| line.trim_start_matches('#').trim()).find(|line| !line.is_empty());
    text::one_line(first.unwrap_or_default().trim_start_matches("Task:").trim(), 120)
}
