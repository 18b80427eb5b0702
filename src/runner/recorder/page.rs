//! What was told of a run and is not written yet: it becomes one commit of each of its two chains.

use super::{Request, Unrecorded, What};
use crate::{
    base::id::StepPath,
    model::run::{Run, Step},
    ops::{Error, Private, run::RunBook},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::mpsc::SyncSender,
};

/// Most that is told in one commit.
const MOST: usize = 64;

/// A change of the run itself.
pub(super) type OfRun = Box<dyn FnOnce(&mut Run) + Send>;

/// What is not written yet.
pub(super) struct Page {
    /// The steps as they were last told.
    known: HashMap<StepPath, Step>,
    kept: Vec<(String, Private)>,
    kept_for: Vec<String>,
    /// Whether that is to outlast a failure of the power.
    is_durable: bool,
    of_run: Vec<OfRun>,
    /// The steps that have changed, as they are now.
    steps: BTreeMap<StepPath, Step>,
    told: Vec<String>,
    waiting: Vec<SyncSender<Result<(), Unrecorded>>>,
    /// Why nothing can be written any more: what nobody waited for may be lost with it.
    failed: Option<Unrecorded>,
}

impl Page {
    /// Nothing, of a run whose steps stand so.
    pub(super) fn new(known: HashMap<StepPath, Step>) -> Page {
        Page {
            known,
            kept: Vec::new(),
            kept_for: Vec::new(),
            is_durable: false,
            of_run: Vec::new(),
            steps: BTreeMap::new(),
            told: Vec::new(),
            waiting: Vec::new(),
            failed: None,
        }
    }

    /// How much was told.
    pub(super) fn len(&self) -> usize {
        self.kept_for.len() + self.told.len()
    }

    pub(super) fn is_blank(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= MOST
    }

    /// Whether somebody waits for it to be written.
    pub(super) fn is_awaited(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes something in. Where whoever told it waits, the page is written before the next one waits for anything.
    pub(super) fn add(&mut self, Request { what, done }: Request) {
        match what {
            What::Keep(entries, subject, durably) => {
                self.kept.extend(entries);
                self.is_durable |= durably;
                self.kept_for.push(subject);
            }
            What::Outline(mut step, subject) => {
                if let Some(known) = self.known.get(&step.path) {
                    step.attempts.clone_from(&known.attempts);
                }
                self.stands(*step, subject);
            }
            What::Step(mut step, subject) => {
                if let Some(known) = self.known.get(&step.path) {
                    step.key = step.key.take().or_else(|| known.key.clone());
                    step.kind.clone_from(&known.kind);
                }
                self.stands(*step, subject);
            }
            What::Change(change, subject) => {
                self.of_run.push(change);
                self.told.push(subject);
            }
        }
        self.waiting.extend(done);
    }

    fn stands(&mut self, step: Step, subject: String) {
        self.known.insert(step.path.clone(), step.clone());
        self.steps.insert(step.path.clone(), step);
        self.told.push(subject);
    }

    /// Writes it, and lets those go on who wait for that.
    pub(super) fn write(&mut self, book: &mut RunBook<'_>) {
        let written = match &self.failed {
            Some(failed) => Err(failed.clone()),
            None => self.put(book).map_err(|error| Unrecorded(error.to_string())),
        };
        self.failed = written.clone().err();
        self.clear();
        self.waiting.drain(..).for_each(|waiting| drop(waiting.send(written.clone())));
    }

    /// What is kept is written first, so that what the other chain tells of is there.
    fn put(&mut self, book: &mut RunBook<'_>) -> Result<(), Error> {
        if !self.kept_for.is_empty() {
            let kept = std::mem::take(&mut self.kept);
            book.keep(kept, &self.kept_for.join("\n"), self.is_durable)?;
        }
        if self.told.is_empty() {
            return Ok(());
        }
        let changes = std::mem::take(&mut self.of_run);
        let change = |run: &mut Run| changes.into_iter().for_each(|change| change(run));
        book.change(change, &self.steps.values().collect::<Vec<_>>(), &self.told.join("\n"))
    }

    pub(super) fn clear(&mut self) {
        self.kept.clear();
        self.kept_for.clear();
        self.is_durable = false;
        self.of_run.clear();
        self.steps.clear();
        self.told.clear();
    }
}
