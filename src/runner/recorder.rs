//! The one who writes a run down: a thread of its own, since several steps tell at once and a run is one chain.
//!
//! Who tells something goes on when it is written. So whatever a step does next, what it did before is known to whoever
//! has to take the run over.

use crate::{
    base::id::{RunId, StepPath},
    model::run::{Run, Step},
    ops::{
        Error, Private, Session,
        run::{Beginning, RunBook},
    },
};
use std::{
    collections::HashMap,
    path::Path,
    sync::mpsc::{self, Receiver, Sender, SyncSender},
    thread::{self, JoinHandle},
};

/// Why something could not be recorded. The run can't go on then: what it did would be known to nobody.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the run can't be recorded: {0}")]
pub struct Unrecorded(pub String);

impl From<Unrecorded> for Error {
    fn from(error: Unrecorded) -> Self {
        Error::Failed(error.to_string())
    }
}

/// Writes a run down.
#[derive(Clone)]
pub struct Recorder {
    run: RunId,
    to: Sender<Request>,
}

/// The thread of a [`Recorder`], which ends with the last of its clones.
pub struct Recording(Option<JoinHandle<()>>);

struct Request {
    what: What,
    done: SyncSender<Result<(), Unrecorded>>,
}

enum What {
    /// Keep something in this clone alone.
    Keep(Vec<(String, Private)>, String),
    /// The step stands otherwise; what its attempts were is somebody else's to tell.
    Outline(Box<Step>, String),
    /// The run has changed, and these steps.
    Change(Box<dyn FnOnce(&mut Run) + Send>, Vec<Step>, String),
}

/// A run that is to be written down.
pub enum Book {
    /// It begins.
    New(Beginning),
    /// It goes on.
    Known(RunId),
}

impl Recorder {
    /// Begins or continues a run in the repository around `root`; its steps as they were left, of one that goes on.
    ///
    /// # Errors
    /// When it can't be begun, or somebody else drives it.
    pub fn start(
        root: &Path,
        acting_as: Option<String>,
        book: Book,
    ) -> Result<(Recorder, Recording, Run, Vec<Step>), Error> {
        let (to, requests) = mpsc::channel();
        let (begun, begins) = mpsc::sync_channel(1);
        let root = root.to_owned();
        let thread = thread::Builder::new().name("recorder".into()).spawn(move || {
            // A session belongs to one thread.
            let session = match Session::open_other(&root, acting_as) {
                Ok(session) => session,
                Err(error) => return drop(begun.send(Err(error))),
            };
            let opened = match book {
                Book::New(beginning) => session.begin_run(beginning).map(|book| (book, Vec::new())),
                Book::Known(id) => session.continue_run(&id),
            };
            match opened {
                Err(error) => drop(begun.send(Err(error))),
                Ok((mut book, steps)) => {
                    let known = steps.iter().map(|step| (step.path.clone(), step.clone())).collect();
                    let _ = begun.send(Ok((book.run().clone(), steps)));
                    write_down(&mut book, known, &requests);
                }
            }
        });
        let thread = thread.map_err(|error| Error::Busy(format!("no thread is to be had: {error}")))?;
        let (run, steps) =
            begins.recv().unwrap_or_else(|_| Err(Error::Busy("the run was given up before it began".into())))?;
        Ok((Recorder { run: run.id.clone(), to }, Recording(Some(thread)), run, steps))
    }

    /// The run.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// Keeps something in this clone alone: by path, see `store/run.rs`.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn keep(&self, entries: Vec<(String, Private)>, subject: impl Into<String>) -> Result<(), Unrecorded> {
        self.ask(What::Keep(entries, subject.into()))
    }

    /// Records what has changed of a step.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn step(&self, step: &Step, subject: impl Into<String>) -> Result<(), Unrecorded> {
        self.change(|_| {}, vec![step.clone()], subject)
    }

    /// Records how a step stands, by somebody who doesn't know its attempts.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn outline(&self, step: Step, subject: impl Into<String>) -> Result<(), Unrecorded> {
        self.ask(What::Outline(Box::new(step), subject.into()))
    }

    /// Records what has changed of the run and of its steps.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn change(
        &self,
        change: impl FnOnce(&mut Run) + Send + 'static,
        steps: Vec<Step>,
        subject: impl Into<String>,
    ) -> Result<(), Unrecorded> {
        self.ask(What::Change(Box::new(change), steps, subject.into()))
    }

    fn ask(&self, what: What) -> Result<(), Unrecorded> {
        let gone = |_| Unrecorded("its recorder has ended".into());
        let (done, is_done) = mpsc::sync_channel(1);
        self.to.send(Request { what, done }).map_err(|_| Unrecorded("its recorder has ended".into()))?;
        is_done.recv().map_err(gone)?
    }
}

fn write_down(book: &mut RunBook<'_>, mut known: HashMap<StepPath, Step>, requests: &Receiver<Request>) {
    for Request { what, done } in requests {
        let written = match what {
            What::Keep(entries, subject) => book.keep(entries, &subject),
            What::Outline(mut step, subject) => {
                if let Some(known) = known.get(&step.path) {
                    step.attempts.clone_from(&known.attempts);
                }
                known.insert(step.path.clone(), (*step).clone());
                book.record(&[&step], &subject)
            }
            What::Change(change, mut steps, subject) => {
                for step in &mut steps {
                    if let Some(known) = known.get(&step.path) {
                        step.key = step.key.take().or_else(|| known.key.clone());
                        step.kind.clone_from(&known.kind);
                    }
                    known.insert(step.path.clone(), step.clone());
                }
                book.change(change, &steps.iter().collect::<Vec<_>>(), &subject)
            }
        };
        let _ = done.send(written.map_err(|error| Unrecorded(error.to_string())));
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            let _ = thread.join();
        }
    }
}
