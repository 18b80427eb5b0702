//! The one who writes a run down: a thread of its own, since several steps tell at once and a run is one chain.
//!
//! Who tells something goes on when it is written. So whatever a step does next, what it did before is known to whoever
//! has to take the run over. What nobody would have to know for that, such as that a step has begun of which nothing has
//! been started yet, is written with what is told next ([`When::WithNext`]), and so is what several steps tell at the same
//! time: moving a ref is the dearest thing that a step costs. Each of these makes one commit, with a line for everything.

mod page;

use crate::{
    base::id::{RunId, StepPath},
    model::run::{Run, Step},
    ops::{
        Error, Private, Session,
        run::{Beginning, RunBook},
    },
};
use page::{OfRun, Page};
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
    to: Sender<Message>,
}

/// The thread of a [`Recorder`]. When this is let go of, what is told by then is written, and nothing is any more.
pub struct Recording {
    to: Sender<Message>,
    thread: Option<JoinHandle<()>>,
}

enum Message {
    Told(Request),
    End,
}

struct Request {
    what: What,
    /// Whoever waits till it is written.
    done: Option<SyncSender<Result<(), Unrecorded>>>,
}

enum What {
    /// Keep something in this clone alone.
    Keep(Vec<(String, Private)>, String),
    /// The step stands otherwise; what its attempts were is somebody else's to tell.
    Outline(Box<Step>, String),
    /// A step has changed.
    Step(Box<Step>, String),
    /// The run has changed.
    Change(OfRun, String),
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
        let (to, messages) = mpsc::channel();
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
                    write_down(&mut book, known, &messages);
                }
            }
        });
        let thread = thread.map_err(|error| Error::Busy(format!("no thread is to be had: {error}")))?;
        let (run, steps) =
            begins.recv().unwrap_or_else(|_| Err(Error::Busy("the run was given up before it began".into())))?;
        let recording = Recording { to: to.clone(), thread: Some(thread) };
        Ok((Recorder { run: run.id.clone(), to }, recording, run, steps))
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
        self.tell(What::Keep(entries, subject.into()), when)
    }

    /// Records what has changed of a step.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn step(&self, step: &Step, subject: impl Into<String>, when: When) -> Result<(), Unrecorded> {
        self.tell(What::Step(Box::new(step.clone()), subject.into()), when)
    }

    /// Records how a step stands, by somebody who doesn't know its attempts.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn outline(&self, step: Step, subject: impl Into<String>, when: When) -> Result<(), Unrecorded> {
        self.tell(What::Outline(Box::new(step), subject.into()), when)
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
        self.tell(What::Change(Box::new(change), subject.into()), When::Now)
    }

    fn tell(&self, what: What, when: When) -> Result<(), Unrecorded> {
        let (done, is_done) = mpsc::sync_channel(1);
        let done = (when == When::Now).then_some(done);
        self.to.send(Message::Told(Request { what, done })).map_err(|_| has_ended())?;
        match when {
            When::Now => is_done.recv().map_err(|_| has_ended())?,
            When::WithNext => Ok(()),
        }
    }
}

fn has_ended() -> Unrecorded {
    Unrecorded("its recorder has ended".into())
}

fn write_down(book: &mut RunBook<'_>, known: HashMap<StepPath, Step>, messages: &Receiver<Message>) {
    let mut page = Page::new(known);
    loop {
        let first = match page.is_blank() {
            true => messages.recv().map_err(RecvTimeoutError::from),
            false => messages.recv_timeout(SOON),
        };
        match first {
            Ok(Message::Told(request)) => page.add(request),
            Err(RecvTimeoutError::Timeout) => page.write(book),
            Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => return page.write(book),
        }
        while !page.is_full() {
            match messages.try_recv() {
                Ok(Message::Told(request)) => page.add(request),
                Ok(Message::End) => return page.write(book),
                Err(_) => break,
            }
        }
        if page.is_awaited() {
            page.write(book);
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.to.send(Message::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
