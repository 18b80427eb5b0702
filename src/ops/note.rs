//! Notes: written, found again, exported.

use super::{Error, Session};
use crate::{
    base::{
        id::{NoteId, Tool},
        path::RepoPath,
        world::Time,
    },
    model::{
        handoff::Handoff,
        note::{Category, MAX_NOTE, Note},
        op::Action,
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
        let note = Note { id, category, text, by: by.clone(), at: self.now(), paths, to };
        self.perform(Some(&by), |_| Ok(Some(Action::Note(note.clone()))))?;
        Ok(note)
    }

    /// Finds notes and handoffs.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn context(&self, filter: &Filter) -> Result<Found, Error> {
        let snapshot = self.snapshot()?;
        self.asking(&snapshot)?;
        let mut found = Found::default();
        if !filter.handoffs {
            let (mut notes, damaged) = self.listed("notes", snapshot.notes(Extent::Newest, |note| filter.takes(note))?);
            notes.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
            found.notes = notes;
            found.damaged.extend(damaged);
        }
        if filter.category.is_none() {
            let found_here = snapshot.handoffs(Extent::Newest, |handoff| filter.takes_handoff(handoff))?;
            let (mut handoffs, damaged) = self.listed("handoffs", found_here);
            handoffs.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
            found.handoffs = handoffs;
            found.damaged.extend(damaged);
        }
        Ok(found)
    }
}

impl Filter {
    fn takes(&self, note: &Note) -> bool {
        self.category.is_none_or(|category| note.category == category)
            && self.since.is_none_or(|since| note.at >= since)
            && self.finds(&[&note.text])
            && self.path.as_ref().is_none_or(|path| note.paths.is_empty() || note.paths.iter().any(|p| near(p, path)))
    }

    fn takes_handoff(&self, handoff: &Handoff) -> bool {
        let document = &handoff.document;
        let mut texts = vec![&document.title, &document.context, &document.notes];
        texts.extend(&document.requirements);
        let on_path = |path: &RepoPath| {
            let files = document.files.iter().filter_map(|file| RepoPath::decode(file).ok());
            handoff.tree.dirty.iter().cloned().chain(files).any(|file| near(&file, path))
        };
        self.since.is_none_or(|since| handoff.at >= since)
            && self.finds(&texts)
            && self.path.as_ref().is_none_or(|path| document.files.is_empty() || on_path(path))
    }

    fn finds(&self, texts: &[&String]) -> bool {
        let Some(search) = &self.search else { return true };
        let search = search.to_lowercase();
        texts.iter().any(|text| text.to_lowercase().contains(&search))
    }
}

fn near(a: &RepoPath, b: &RepoPath) -> bool {
    a.is_within(b) || b.is_within(a)
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
