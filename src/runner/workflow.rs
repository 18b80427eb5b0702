//! A workflow, run from its beginning or from where somebody left it.
//!
//! What it was made of, it and all that it calls and includes, is kept as it was when it began, so that to edit or delete a
//! file changes nothing about a run that goes on.

mod before;
mod half_landed;
mod questions;
mod takeover;
mod texts;

use super::{
    commit::wait_for_left,
    crew::Ask,
    delegation::Driving,
    dispatch::{self, Ended, Event, Stop},
    language::{Engine, Library, LoadError, inputs, load, workflow::Workflow},
    ledger,
    library::{Seen, Workflows},
    plan::{Plan, PlanError, check_names, plan},
    recorder::{Book, Recorder},
};
use crate::{
    base::id::{RunId, StepPath},
    model::run::{Run, RunStatus, Step},
    ops::{
        Error, Session,
        run::{Beginning, ShownRun},
        verify::Interrupts,
    },
};
use before::{Opened, Prepared};
pub use questions::{Question, Takes, answer, asked, questions};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
pub use takeover::shown_to_person;
use texts::{Kept, Remembering, SPEC, Texts, keep_updated, kept};

/// How often it is looked whether somebody wants to stop.
const ASK: Duration = Duration::from_millis(20);

/// How long a step waits for what somebody else holds, unless that is said.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// How often the ledger is written anew, where something has happened.
const WATCH: Duration = Duration::from_millis(300);

/// How often it is written after something has happened: what that was may be written down a moment later.
const LOOKS: u8 = 2;

/// What is to be run, and how.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Order {
    /// The workflow.
    pub name: String,
    /// Its inputs, complete.
    pub inputs: Map<String, Value>,
    /// The event that it handles, and details of it.
    pub event: Option<(String, Option<Value>)>,
    /// The most steps at once, whatever the workflow says.
    pub max_parallel: Option<usize>,
    /// Whether a person has said yes to guessed checks.
    pub consents: bool,
    /// How long the run and its steps wait for what somebody else holds, where that is said.
    #[serde(default)]
    pub wait: Option<Duration>,
}

/// What is to be done otherwise than before, of a run that goes on.
#[derive(Debug, Clone, Default)]
pub struct Resumption {
    /// Whether the files are read anew, and results are kept where nothing has changed for them.
    pub updated: bool,
    /// A step that is done again, with all that came after it.
    pub rerun: Option<StepPath>,
    /// Whether nothing more is done, and what was done is undone.
    pub cancel: bool,
}

/// How a run is driven.
#[derive(Default)]
struct How {
    resumption: Resumption,
    /// Whether results are kept only where their step is still the same.
    is_updated: bool,
}

/// A run that has ended, or waits.
#[derive(Debug)]
pub struct Finished {
    /// The run as it was left.
    pub run: ShownRun,
    /// What came of it.
    pub ended: Ended,
    /// Whether it was to be cancelled, and what it did to be undone.
    pub is_cancelled: bool,
    /// What it waits for.
    pub questions: Vec<Question>,
    /// The events that its workflow handles, where it was begun without any.
    pub unheard: Vec<String>,
}

/// Why a workflow can't be run.
#[derive(Debug, thiserror::Error)]
pub enum WorkflowError {
    /// It can't be understood.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// There is no plan for it.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Its inputs are not what it wants.
    #[error("{0}")]
    Inputs(String),
    /// It was not given all that it needs, or what it doesn't take.
    #[error("{message}")]
    Given {
        /// What is wrong.
        message: String,
        /// The workflow.
        workflow: String,
        /// The inputs that it can't begin without.
        needed: Vec<String>,
    },
    /// Anything else.
    #[error(transparent)]
    Other(#[from] Error),
}

/// A workflow with its plan, ready to be run.
pub struct Ready {
    /// The workflow.
    pub workflow: Arc<Workflow>,
    /// Its plan.
    pub plan: Plan,
    engine: Arc<Engine>,
    texts: Texts,
}

/// Reads a workflow and plans it.
///
/// # Errors
/// When it can't be understood, it names an agent that there isn't, or there is no plan for it.
pub fn ready(name: &str, library: &dyn Library, session: &Session) -> Result<Ready, WorkflowError> {
    read(name, library, session, true)
}

/// Reads one that was begun before: who there is may have changed since.
fn begun(name: &str, texts: &Texts, session: &Session) -> Result<Ready, WorkflowError> {
    read(name, texts, session, false)
}

fn read(name: &str, library: &dyn Library, session: &Session, checks: bool) -> Result<Ready, WorkflowError> {
    let remembering = Remembering::of(library);
    let seen = Seen { files: session.work_files(), roster: session.roster()? };
    let workflow = load(name, &remembering)?;
    if checks {
        check_names(&workflow, &seen)?;
    }
    let plan = plan(&workflow)?;
    Ok(Ready { workflow, plan, engine: Arc::new(Engine::new(Arc::new(seen))), texts: remembering.into_texts() })
}

/// A name for all that a workflow is made of, by which it is known whether it has changed. One that comes with git-aio is
/// known by its own name.
///
/// # Errors
/// When it can't be understood.
pub fn binding(name: &str, library: &Workflows) -> Result<String, LoadError> {
    let remembering = Remembering::of(library);
    load(name, &remembering)?;
    Ok(remembering.into_texts().digest(|name| library.is_shipped(name)))
}

impl Ready {
    /// The inputs of the workflow, from what was given as words.
    ///
    /// # Errors
    /// When one is missing, unknown, or of another type.
    pub fn inputs(&self, given: &[String]) -> Result<Map<String, Value>, WorkflowError> {
        inputs::parse(&self.workflow, given).map_err(|message| {
            let needed = self.workflow.inputs.iter().filter(|input| input.default.is_none());
            let needed = needed.map(|input| input.name.clone()).collect();
            WorkflowError::Given { message, workflow: self.workflow.name.clone(), needed }
        })
    }
}

/// Runs a workflow. `began` is told the run and its steps before anything is done.
///
/// # Errors
/// When it can't begin, or can't be recorded.
pub fn start(
    session: &Session,
    ready: &Ready,
    order: Order,
    driving: &Driving,
    ask: Box<Ask>,
    began: &dyn Fn(&Run),
    tell: &mut dyn FnMut(&Event),
) -> Result<Finished, WorkflowError> {
    let order = Order { wait: driving.wait, ..order };
    let beginning = beginning(session, ready, &order)?;
    drive(session, ready, order, Book::New(beginning), &How::default(), driving, ask, began, tell)
}

/// Begins a run that a process of its own goes on with, in the background.
///
/// # Errors
/// When it can't begin, or no process can be started.
pub fn begin_detached(
    session: &Session,
    ready: &Ready,
    order: Order,
    driving: &Driving,
) -> Result<RunId, WorkflowError> {
    let order = Order { wait: driving.wait, ..order };
    let beginning = beginning(session, ready, &order)?;
    let (recorder, recording, run, _) =
        Recorder::start(&session.root()?, driving.acting_as.clone(), Book::New(beginning))?;
    let hands_over = |run: &mut Run| run.status = RunStatus::Starting;
    recorder.change(hands_over, "handed over to the background").map_err(Error::from)?;
    let started = session.resume_in_background(&run.id);
    if let Err(error) = started {
        return Err(before::refused(session, &recorder, true, false, error.into()));
    }
    drop(recording);
    Ok(run.id)
}

fn beginning(session: &Session, ready: &Ready, order: &Order) -> Result<Beginning, Error> {
    let kept = Kept { order: order.clone(), texts: ready.texts.clone(), is_updated: false };
    let spec = serde_json::to_vec(&kept).map_err(|error| Error::Failed(error.to_string()))?;
    Ok(Beginning {
        workflow: order.name.clone(),
        title: match &order.event {
            Some((event, _)) => format!("{event}: {}", ready.workflow.about),
            None => ready.workflow.about.clone(),
        },
        by: session.who_is_it()?,
        parent: None,
        spec: vec![(SPEC.into(), spec)],
    })
}

/// Goes on with a run of a workflow. It waits as it was told to when it began, unless that is said. `library` is looked at only where the files are to be read anew.
///
/// # Errors
/// As for [`start`], and when there is nothing to go on with.
#[expect(clippy::too_many_arguments, reason = "what a run needs from outside, each of its own kind")]
pub fn resume(
    session: &Session,
    id: &RunId,
    library: &dyn Library,
    how: &Resumption,
    driving: &Driving,
    ask: Box<Ask>,
    began: &dyn Fn(&Run),
    tell: &mut dyn FnMut(&Event),
) -> Result<Finished, WorkflowError> {
    let Kept { order, texts, is_updated } = kept(session, id)?;
    let order = Order { wait: driving.wait.or(order.wait), ..order };
    let ready = match how.updated {
        true => ready(&order.name, library, session)?,
        false => begun(&order.name, &texts, session)?,
    };
    let how = How { resumption: how.clone(), is_updated: is_updated || how.updated };
    drive(session, &ready, order, Book::Known(id.clone()), &how, driving, ask, began, tell)
}

/// The steps of a run, with those that have not begun as far as it is known here what was asked for.
pub fn with_pending(session: &Session, shown: &ShownRun) -> Vec<Step> {
    let plan = kept(session, &shown.run.id).ok().and_then(|Kept { order, texts, .. }| {
        let ready = begun(&order.name, &texts, session).ok()?;
        Some(ready.plan)
    });
    plan.map_or_else(|| shown.steps.clone(), |plan| ledger::with_pending(&shown.steps, &plan))
}

#[expect(clippy::too_many_arguments, reason = "what a run needs from outside, each of its own kind")]
fn drive(
    session: &Session,
    ready: &Ready,
    order: Order,
    book: Book,
    how: &How,
    driving: &Driving,
    ask: Box<Ask>,
    began: &dyn Fn(&Run),
    tell: &mut dyn FnMut(&Event),
) -> Result<Finished, WorkflowError> {
    let watched = Interrupts::watch();
    let interrupts = Arc::new(watched.map_err(|source| Error::File { what: "can't watch for Ctrl-C".into(), source })?);
    if let Book::Known(id) = &book {
        wait_for_left(session, id, &interrupts, |text| tell(&Event::Text { step: String::new(), text }))?;
    }
    let root = session.root()?;
    let unheard = if order.event.is_none() { ready.workflow.on.clone() } else { Vec::new() };
    let is_unbegun = match &book {
        Book::New(_) => true,
        Book::Known(id) => session.shown_run(id)?.run.status.is_unbegun(),
    };
    let is_new = matches!(book, Book::New(_));
    let (recorder, recording, run, steps) = Recorder::start(&root, driving.acting_as.clone(), book)?;
    let id = run.id.clone();
    let opened = Opened { root, recorder: recorder.clone(), interrupts: Arc::clone(&interrupts), run, steps, is_new };
    let prepared = before::prepare(session, ready, order, opened, how, driving, ask, began, tell);
    // Whatever goes wrong before the first step ends the run here, and nowhere else.
    let is_stopped = interrupts.count() > 0;
    let refused = |error| before::refused(session, &recorder, is_unbegun, is_stopped, error);
    let Prepared { crew, mut journal, given, file } = match prepared.map_err(refused) {
        Err(WorkflowError::Other(Error::Held(_))) if is_stopped => {
            let run = session.shown_run(&id)?;
            let is_cancelled = how.resumption.cancel;
            return Ok(Finished {
                questions: questions(session, &run),
                is_cancelled,
                run,
                ended: Ended::interrupted(),
                unheard,
            });
        }
        Err(WorkflowError::Other(Error::Held(held))) => return Err(Error::RunHeld { run: id, held }.into()),
        prepared => prepared?,
    };
    let stop = Stop::default();
    let looks = AtomicU8::new(0);
    let mut follow = |event: &Event| {
        tell(event);
        looks.store(LOOKS, Ordering::Relaxed);
    };
    let keep = |session: &Session| file.iter().for_each(|file| ledger::keep(session, file, &id, &ready.plan));
    let watch = || {
        if file.is_some()
            && looks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |looks| looks.checked_sub(1)).is_ok()
            && let Ok(session) = Session::open_other(&crew.site().root, driving.acting_as.clone())
        {
            keep(&session);
        }
    };
    let ended = stopping(&interrupts, &stop, &watch, || {
        dispatch::run(&ready.workflow, &given, &crew, &mut journal, &stop, &mut follow)
    });
    crew.end_all_isolated();
    let mut dismissed = crew.site().dismiss_keepers(session);
    if ended.status.is_final() && crew.site().holding.is_some() {
        dismissed = dismissed.and(session.release_run(&id));
    }
    drop((crew, journal));
    drop(recording);
    dismissed?;
    keep(session);
    let run = session.shown_run(&id)?;
    Ok(Finished { questions: questions(session, &run), is_cancelled: how.resumption.cancel, run, ended, unheard })
}

/// Has `stop` said when somebody interrupts, as long as `work` goes on, and calls `watch` now and then.
fn stopping<T>(interrupts: &Interrupts, stop: &Stop, watch: &(dyn Fn() + Sync), work: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut watched = Instant::now();
            while !is_over.load(Ordering::Relaxed) {
                if interrupts.count() > 0 {
                    stop.stop();
                }
                if watched.elapsed() >= WATCH {
                    watch();
                    watched = Instant::now();
                }
                thread::park_timeout(ASK);
            }
        });
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        done
    })
}
