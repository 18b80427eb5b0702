//! What an agent is given for an attempt: the document, and what goes with it.

use super::{Doer, End};
use crate::{
    base::text,
    model::{note::Note, run::Failure},
    ops::{Error, note::Filter, tool::Hand, verify::Plan},
    runner::{
        document::{self, Setting},
        journal,
        recorder::Unrecorded,
        work::{Moment, Task},
    },
};
use std::path::PathBuf;

/// The longest document that is handed over itself. Beyond that an agent that can read it there is told where it lies.
const MAX_INLINE: usize = 8 * 1024;

/// Most bytes of a task that are kept for the caller.
const MAX_ASKED: usize = 512 * 1024;

/// Most notes that go into a document.
const MAX_NOTES: usize = 10;

impl Doer<'_> {
    /// The document for an agent; for the caller where that is none.
    pub(super) fn document(
        &self,
        hand: Option<&Hand>,
        task: &Task,
        scope: &[String],
        failure: Option<&Failure>,
        plan: &Plan,
    ) -> Result<String, Error> {
        let task = &self.told_anew(task, failure)?;
        let notes = self.notes(scope)?;
        let checks: Vec<String> =
            plan.checks.iter().map(|check| check.line().unwrap_or(&check.name).to_owned()).collect();
        let shape = self.work.contract.shape.as_ref().filter(|_| hand.is_none_or(|hand| !hand.takes_schema()));
        let schema = shape.map(|shape| format!("{:#}", shape.schema()));
        Ok(document::render(
            task,
            &Setting {
                brief: hand.map_or("", |hand| &hand.brief),
                scope,
                notes: &notes,
                checks: &checks,
                failure: failure.map(|failure| failure.text.as_str()),
                schema: schema.as_deref(),
                has_input: self.work.stdin.is_some() && hand.is_some(),
                is_committed: self.work.contract.commit && hand.is_some(),
                is_for_caller: hand.is_none(),
            },
        ))
    }

    /// Keeps the task as it is asked of the caller, for whoever looks what the run waits for.
    pub(super) fn ask_caller(
        &mut self,
        task: &Task,
        scope: &[String],
        failure: Option<&Failure>,
    ) -> Result<End, Unrecorded> {
        let path = self.step.path.clone();
        let plan = self.plan().unwrap_or_default();
        // That there is no document of it is no reason not to ask.
        let document = self.document(None, task, scope, failure, &plan).unwrap_or_else(|_| task.text.clone());
        let document = match &self.work.stdin {
            Some(input) => format!("{document}\n## Input\n\n{}", document::fenced("text", input)),
            None => document,
        };
        let document = text::head(&document, MAX_ASKED).to_owned();
        journal::ask(&self.site.recorder, &path, document)?;
        Ok(End::Asked)
    }

    /// The task as it is told for the attempt that begins.
    fn told_anew(&self, task: &Task, failure: Option<&Failure>) -> Result<Task, Error> {
        let Some(anew) = &task.anew else { return Ok(task.clone()) };
        let failure = failure.map(|failure| document::what_failed(&failure.text));
        let text = anew.text(self.number() + 1, failure.as_deref());
        text.map(|text| Task { text, ..task.clone() }).map_err(|message| Error::Usage { message, hint: None })
    }

    /// Notes that concern the scope, the newest first; without a scope, those that concern everything.
    fn notes(&self, scope: &[String]) -> Result<Vec<Note>, Error> {
        let mut notes = Vec::new();
        for target in self.session.scopes(scope)? {
            let path = target.scope.path();
            notes.extend(self.session.context(&Filter { path, ..Filter::default() })?.notes);
        }
        if scope.is_empty() {
            let found = self.session.context(&Filter::default())?.notes;
            notes.extend(found.into_iter().filter(|note| note.paths.is_empty()));
        }
        notes.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
        notes.dedup_by(|a, b| a.id == b.id);
        notes.truncate(MAX_NOTES);
        Ok(notes)
    }

    /// The file with the schema of the answer, for a tool that takes one.
    pub(super) fn schema_for(&self, hand: &Hand) -> Result<Option<PathBuf>, Error> {
        let Some(shape) = self.work.contract.shape.as_ref().filter(|_| hand.takes_schema()) else { return Ok(None) };
        let name = format!("{}.schema.json", self.step.path.as_str().replace('/', "."));
        let text = shape.schema().to_string();
        self.session.write_beside(self.site.recorder.run(), &name, text.as_bytes()).map(Some)
    }

    /// What the agent is told: the document, or where it lies.
    pub(super) fn handed_over(&self, hand: &Hand, document: &str) -> Result<String, Error> {
        if document.len() <= MAX_INLINE || !hand.reads_git_dir() {
            return Ok(document.to_owned());
        }
        let number = self.number() + 1;
        let name = format!("{}.{number}.md", self.step.path.as_str().replace('/', "."));
        let path = self.session.write_beside(self.site.recorder.run(), &name, document.as_bytes())?;
        (self.tell)(Moment::Document(path.clone()));
        Ok(format!(
            "Your task is in the file {}. Read all of it first, and then carry it out. Your last message is the result.",
            path.display()
        ))
    }
}
