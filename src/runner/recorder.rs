//! The one who writes a run down: a thread of its own, since several steps tell at once and a run is one chain.
//!
//! Who tells something goes on when it is written. So whatever a step does next, what it did before is known to whoever
//! has to take the run over. What nobody would have to know for that, such as that a step has begun of which nothing has
//! been started yet, is written with what is told next ([`When::WithNext`]): moving a ref is the dearest thing
//! that a step costs.

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
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender},
    thread::{self, JoinHandle},
    time::Duration,
};

/// How long something waits at most for what is told next.
const SOON: Duration = Duration::from_millis(100);

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
    Keep(Vec<(String, Private)>, String, When),
    /// The step stands otherwise; what its attempts were is somebody else's to tell.
    Outline(Box<Step>, String, When),
    /// A step has changed.
    Step(Box<Step>, String, When),
    /// The run has changed.
    Change(Box<dyn FnOnce(&mut Run) + Send>, String),
}

/// When something is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before whoever tells it goes on.
    Now,
    /// With what is told next, or a moment later. A driver that is killed before that has not done it.
    WithNext,
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

    /// Keeps something in this clone alone: by path, see `store/run.rs`. It is there before anything tells of it.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn keep(
        &self,
        entries: Vec<(String, Private)>,
        subject: impl Into<String>,
        when: When,
    ) -> Result<(), Unrecorded> {
        self.ask(What::Keep(entries, subject.into(), when))
    }

    /// Records what has changed of a step.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn step(&self, step: &Step, subject: impl Into<String>, when: When) -> Result<(), Unrecorded> {
        self.ask(What::Step(Box::new(step.clone()), subject.into(), when))
    }

    /// Records how a step stands, by somebody who doesn't know its attempts.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn outline(&self, step: Step, subject: impl Into<String>, when: When) -> Result<(), Unrecorded> {
        self.ask(What::Outline(Box::new(step), subject.into(), when))
    }

    /// Records what has changed of the run, before it goes on.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn change(
        &self,
        change: impl FnOnce(&mut Run) + Send + 'static,
        subject: impl Into<String>,
    ) -> Result<(), Unrecorded> {
        self.ask(What::Change(Box::new(change), subject.into()))
    }

    fn ask(&self, what: What) -> Result<(), Unrecorded> {
        let gone = |_| Unrecorded("its recorder has ended".into());
        let (done, is_done) = mpsc::sync_channel(1);
        self.to.send(Request { what, done }).map_err(|_| Unrecorded("its recorder has ended".into()))?;
        is_done.recv().map_err(gone)?
    }
}

/// What is to be written of a run.
struct Writer<'b, 's> {
    book: &'b mut RunBook<'s>,
    /// How each step stands.
    known: HashMap<StepPath, Step>,
    /// What is not written yet, with what happened, in words: what is kept, and steps as they changed.
    kept: Vec<(String, Private)>,
    keeps: Vec<String>,
    changed: Vec<(Step, String)>,
    /// What went wrong when nobody waited for it.
    failed: Option<Unrecorded>,
}

fn write_down(book: &mut RunBook<'_>, known: HashMap<StepPath, Step>, requests: &Receiver<Request>) {
    let (kept, keeps, changed) = Default::default();
    let mut writer = Writer { book, known, kept, keeps, changed, failed: None };
    loop {
        let next = match writer.is_behind() {
            true => requests.recv_timeout(SOON),
            false => requests.recv().map_err(RecvTimeoutError::from),
        };
        match next {
            Ok(Request { what, done }) => drop(done.send(writer.take(what))),
            Err(RecvTimeoutError::Timeout) => writer.catch_up(),
            Err(RecvTimeoutError::Disconnected) => return writer.catch_up(),
        }
    }
}

impl Writer<'_, '_> {
    fn take(&mut self, what: What) -> Result<(), Unrecorded> {
        if let Some(failed) = self.failed.take() {
            return Err(failed);
        }
        match what {
            What::Keep(entries, subject, when) => {
                self.kept.extend(entries);
                self.keeps.push(subject);
                if when == When::Now { self.write_kept() } else { Ok(()) }
            }
            What::Outline(mut step, subject, when) => {
                if let Some(known) = self.known.get(&step.path) {
                    step.attempts.clone_from(&known.attempts);
                }
                self.stands(*step, subject, when)
            }
            What::Step(mut step, subject, when) => {
                if let Some(known) = self.known.get(&step.path) {
                    step.key = step.key.take().or_else(|| known.key.clone());
                    step.kind.clone_from(&known.kind);
                }
                self.stands(*step, subject, when)
            }
            What::Change(change, subject) => self.write(change, None, &subject),
        }
    }

    fn stands(&mut self, step: Step, subject: String, when: When) -> Result<(), Unrecorded> {
        self.known.insert(step.path.clone(), step.clone());
        if when == When::Now {
            return self.write(|_| {}, Some(&step), &subject);
        }
        self.changed.push((step, subject));
        Ok(())
    }

    fn is_behind(&self) -> bool {
        !self.kept.is_empty() || !self.changed.is_empty()
    }

    /// Writes what has waited long enough. Whoever tells something next hears how it went.
    fn catch_up(&mut self) {
        let written = match self.changed.pop() {
            None => self.write_kept(),
            Some((step, subject)) => self.write(|_| {}, Some(&step), &subject),
        };
        self.failed = self.failed.take().or(written.err());
    }

    fn write_kept(&mut self) -> Result<(), Unrecorded> {
        if self.kept.is_empty() {
            return Ok(());
        }
        let subject = std::mem::take(&mut self.keeps).join("; ");
        self.book.keep(std::mem::take(&mut self.kept), &subject).map_err(|error| Unrecorded(error.to_string()))
    }

    fn write(&mut self, change: impl FnOnce(&mut Run), step: Option<&Step>, subject: &str) -> Result<(), Unrecorded> {
        self.write_kept()?;
        let before = std::mem::take(&mut self.changed);
        let added = before.iter().try_for_each(|(step, subject)| self.book.add(&[step], subject).map(drop));
        let written = added.and_then(|()| self.book.change(change, step.as_slice(), subject));
        written.map_err(|error| Unrecorded(error.to_string()))
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            let _ = thread.join();
        }
    }
}
