//! Notes: written, found again, exported.

use super::{Error, Session};
use crate::{
    base::{
        id::{NoteId, RunId, Tool},
        path::RepoPath,
        world::Time,
    },
    model::{
        handoff::Handoff,
        note::{Category, MAX_NOTE, Note},
        op::Action,
        overlap::Overlap,
        scope::Scope,
        view::View as _,
    },
    store::{Damage, Extent},
};

/// What to look for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this category. Handoffs are one too, here: see [`Filter::handoffs`].
    pub category: Option<Category>,
    /// Only handoffs.
    pub handoffs: bool,
    /// Only what concerns this path: notes on it, on a folder above it, on something below it, and on no path at all.
    pub path: Option<RepoPath>,
    /// Only what contains this text, in whatever case.
    pub search: Option<String>,
    /// Only what was written since.
    pub since: Option<Time>,
}

/// What was found, newest first.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Notes.
    pub notes: Vec<Note>,
    /// Handoffs.
    pub handoffs: Vec<Handoff>,
    /// Records that can't be read.
    pub damaged: Vec<Damage>,
}

impl Session {
    /// Writes a note.
    ///
    /// # Errors
    /// When it is empty or too long, or the store can't be written.
    pub fn note(
        &self,
        category: Category,
        text: String,
        paths: Vec<RepoPath>,
        to: Option<Tool>,
    ) -> Result<Note, Error> {
        checked(&text)?;
        let by = self.acting()?;
        let id = NoteId::random(self.random());
        let note = Note { id, category, text, by: by.clone(), at: self.now(), paths, to, run: self.run_around()? };
        self.perform(Some(&by), |_| Ok(Some(Action::Note(note.clone()))))?;
        Ok(note)
    }

    /// What those have left who were at work for a run: notes and handoffs, newest first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn left_by_run(&self, run: &RunId) -> Result<Found, Error> {
        let snapshot = self.snapshot()?;
        let mut found = Found {
            notes: snapshot.notes(Extent::Newest, |note| note.run.as_ref() == Some(run))?.records,
            handoffs: snapshot.handoffs(Extent::Newest, |handoff| handoff.run.as_ref() == Some(run))?.records,
            damaged: Vec::new(),
        };
        found.notes.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
        found.handoffs.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
        Ok(found)
    }

    /// Finds notes and handoffs.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn context(&self, filter: &Filter) -> Result<Found, Error> {
        let snapshot = self.snapshot()?;
        self.asking(&snapshot)?;
        let about = filter.path.as_ref().map(|path| {
            let is_file = self.on_disk(path).is_some_and(|found| !found.is_dir());
            let scope = if is_file { Scope::File(path.clone()) } else { Scope::Directory(path.clone()) };
            About(Overlap::new(&scope, snapshot.folds_case()))
        });
        let mut found = Found::default();
        if !filter.handoffs {
            let notes = snapshot.notes(Extent::Newest, |note| filter.takes(note, about.as_ref()))?;
            let (mut notes, damaged) = self.listed("notes", notes);
            notes.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
            found.notes = notes;
            found.damaged.extend(damaged);
        }
        if filter.category.is_none() {
            let handoffs =
                snapshot.handoffs(Extent::Newest, |handoff| filter.takes_handoff(handoff, about.as_ref()))?;
            let (mut handoffs, damaged) = self.listed("handoffs", handoffs);
            handoffs.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
            found.handoffs = handoffs;
            found.damaged.extend(damaged);
        }
        Ok(found)
    }
}

impl Filter {
    fn takes(&self, note: &Note, about: Option<&About>) -> bool {
        self.category.is_none_or(|category| note.category == category)
            && self.since.is_none_or(|since| note.at >= since)
            && self.finds(&[&note.text])
            && about.is_none_or(|about| note.paths.is_empty() || note.paths.iter().any(|path| about.is_near(path)))
    }

    fn takes_handoff(&self, handoff: &Handoff, about: Option<&About>) -> bool {
        let document = &handoff.document;
        let mut texts = vec![&document.title, &document.context, &document.notes];
        texts.extend(&document.requirements);
        let on_path = |about: &About| {
            handoff.tree.dirty.iter().any(|path| about.is_near(path))
                || document.files.iter().any(|file| about.may_be_in(file))
        };
        self.since.is_none_or(|since| handoff.at >= since)
            && self.finds(&texts)
            && about.is_none_or(|about| document.files.is_empty() || on_path(about))
    }

    fn finds(&self, texts: &[&String]) -> bool {
        let Some(search) = &self.search else { return true };
        let search = search.to_lowercase();
        texts.iter().any(|text| text.to_lowercase().contains(&search))
    }
}

/// The path that is asked about, with all that lies in it unless it is a file.
struct About(Overlap);

impl About {
    /// Whether `path` is the one that is asked about, or one of the two lies in the other.
    fn is_near(&self, path: &RepoPath) -> bool {
        self.0.with(&Scope::Directory(path.clone()))
    }

    /// Whether what a handoff calls a file, which may be a folder or a pattern too, is near it or can cover it.
    fn may_be_in(&self, file: &str) -> bool {
        RepoPath::decode(file).is_ok_and(|path| self.is_near(&path))
            || Scope::parse("pattern", file).is_ok_and(|pattern| self.0.with(&pattern))
    }
}

/// A note that can be written: something in it, and not more than readers take.
pub(super) fn checked(text: &str) -> Result<(), Error> {
    if text.trim().is_empty() {
        return Err(Error::usage("the note is empty", "say something, or give '-' to read it from standard input"));
    }
    if text.len() > MAX_NOTE {
        let message = format!("the note has {} bytes; {MAX_NOTE} is the most", text.len());
        return Err(Error::usage(message, "put the rest into a file of the repository and name it in the note"));
    }
    Ok(())
}
