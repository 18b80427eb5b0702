//! The one who writes a run down: a thread of its own, since several steps tell at once and a run is one chain.
//!
//! Who tells something goes on when it is written. So whatever a step does next, what it did before is known to whoever
//! has to take the run over. What nobody would have to know for that, such as that a step has begun of which nothing has
//! been started yet, is written with what is told next ([`When::WithNext`]), and so is what several steps tell at the same
//! time: moving a ref is the dearest thing that a step costs. Each of these makes one commit, with a line for everything.

mod page;

use crate::{
    base::id::RunId,
    model::run::{Run, Step},
    ops::{Error, Private, Session, run::Beginning},
};
use page::{OfRun, Page};
use std::{
    path::Path,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long something waits at most for what is told after it.
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
    /// Keep something in this clone alone, and durably if that is said.
    Keep(Vec<(String, Private)>, String, bool),
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
    /// The same, and where the repository is to be safe from it, a failure of the power doesn't take it away either.
    Durably,
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
                    write_down(Page::new(known), &messages, |page| page.write(&mut book));
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
        self.tell(What::Keep(entries, subject.into(), when == When::Durably), when)
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
        let done = (when != When::WithNext).then_some(done);
        self.to.send(Message::Told(Request { what, done })).map_err(|_| has_ended())?;
        match when {
            When::Now | When::Durably => is_done.recv().map_err(|_| has_ended())?,
            When::WithNext => Ok(()),
        }
    }
}

fn has_ended() -> Unrecorded {
    Unrecorded("its recorder has ended".into())
}

fn write_down(mut page: Page, messages: &Receiver<Message>, mut write: impl FnMut(&mut Page)) {
    loop {
        let Ok(first) = messages.recv() else { return };
        let due = Instant::now() + SOON;
        let mut next = Ok(first);
        while let Ok(Message::Told(request)) = next {
            page.add(request);
            // Whatever was told meanwhile is written with it, even where somebody waits.
            next = match page.is_full() {
                true => Err(RecvTimeoutError::Timeout),
                false if page.is_awaited() => messages.try_recv().map_err(|_| RecvTimeoutError::Timeout),
                false => messages.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
        }
        if !page.is_blank() {
            write(&mut page);
        }
        if let Ok(Message::End) = next {
            return;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// How many things each page had that was written of what is told here.
    fn pages(tell: impl FnOnce(&dyn Fn(), &Receiver<usize>)) -> Vec<usize> {
        let ((to, messages), (count, counts)) = (mpsc::channel(), mpsc::channel());
        let mut all = Vec::new();
        thread::scope(|scope| {
            let writer = scope.spawn(move || {
                let mut all = Vec::new();
                write_down(Page::new(HashMap::new()), &messages, |page| {
                    all.push(page.len());
                    let _ = count.send(page.len());
                    page.clear();
                });
                all
            });
            let one = || Message::Told(Request { what: What::Keep(Vec::new(), "x".into(), false), done: None });
            tell(&|| to.send(one()).expect("heard"), &counts);
            to.send(Message::End).expect("heard");
            all = writer.join().expect("written");
        });
        all
    }

    #[test]
    fn a_page_that_is_full_is_written_though_nobody_waits() {
        let pages = pages(|tell, _| (0..200).for_each(|_| tell()));
        assert_eq!(pages.iter().sum::<usize>(), 200);
        assert!(pages.iter().all(|page| *page <= 64), "{pages:?}");
    }

    #[test]
    fn what_is_told_without_end_puts_nothing_off() {
        let pages = pages(|tell, counts| {
            for _ in 0..60 {
                tell();
                if counts.recv_timeout(SOON / 3).is_ok() {
                    return;
                }
            }
        });
        assert!(pages[0] < 60, "{pages:?}");
    }
}
