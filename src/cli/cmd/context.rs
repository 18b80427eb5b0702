use super::{Context, done, message, since, tool};
use crate::{
    cli::{
        exit::Exit,
        format,
        json::{ContextAnswer, Damage, Handoff, HandoffAnswer, Note, NoteAnswer},
        ui::{BOLD, DIM},
    },
    model::{handoff::Document, note::Category},
    ops::{
        Session,
        handoff::Take,
        note::{Filter, Found},
    },
};
use clap::{Subcommand, ValueEnum};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Leave knowledge for the others, and find theirs
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Record an architectural choice
    Decision(Words),
    /// Share an insight
    Learning(Words),
    /// Warn of a pitfall
    Warning(Words),
    /// Describe a useful pattern of the code
    Pattern(Words),
    /// Leave word for the next session, without passing on claims
    Handoff(Words),
    /// Show notes and handoffs, newest first
    Get(Get),
    /// Print all notes and handoffs as Markdown
    Export(Export),
}

#[derive(Debug, clap::Args)]
struct Words {
    /// The words; - reads standard input
    #[arg(value_name = "TEXT", required = true)]
    words: Vec<String>,
    /// A path it concerns
    #[arg(long, value_name = "PATH")]
    path: Vec<PathBuf>,
    /// The tool it is meant for
    #[arg(long, value_name = "TOOL")]
    to: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Get {
    /// Only this category
    pub(crate) category: Option<Wanted>,
    /// Only what concerns this path
    #[arg(long = "for", value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
    /// Only what contains this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// Only what was written since: a span like 2d, or a date
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// At most this many notes and as many handoffs
    #[arg(short = 'n', long, value_name = "NUMBER")]
    pub(crate) limit: Option<usize>,
}

#[derive(Debug, clap::Args)]
struct Export {
    /// Another repository to export from
    project: Option<PathBuf>,
}

/// What to look for.
#[derive(Debug, Clone, Copy, ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wanted {
    Decision,
    Learning,
    Warning,
    Pattern,
    Handoff,
}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        match self.command {
            Command::Decision(note) => note.run(cx, Category::Decision),
            Command::Learning(note) => note.run(cx, Category::Learning),
            Command::Warning(note) => note.run(cx, Category::Warning),
            Command::Pattern(note) => note.run(cx, Category::Pattern),
            Command::Handoff(note) => note.hand_off(cx),
            Command::Get(get) => get.run(cx),
            Command::Export(export) => export.run(cx),
        }
    }
}

impl Words {
    fn run(self, cx: &Context, category: Category) -> anyhow::Result<Exit> {
        note(cx, category, message(&self.words)?, &self.path, self.to)
    }

    fn hand_off(self, cx: &Context) -> anyhow::Result<Exit> {
        let (text, to) = (message(&self.words)?, tool(self.to)?);
        let session = cx.session()?;
        let files = self.path.iter().map(|path| Ok(session.repo_path(path)?.encoded()));
        let files = files.collect::<anyhow::Result<_>>()?;
        // The first line says what it is about; all of it is the background.
        let title = text.lines().next().unwrap_or_default().to_owned();
        let context = if text.contains('\n') { text } else { String::new() };
        let document = Document { title, context, files, ..Document::default() };
        let shown = session.hand_off(document, to, &Take::None, None)?;
        cx.tell_notices(&session);
        let answered = cx.ui.answer(
            || HandoffAnswer::new(Handoff::new(&shown.handoff)),
            |out| writeln!(out, "left {}", shown.handoff.id),
        );
        done("the handoff was left", answered)?;
        Ok(Exit::Done)
    }
}

/// Writes a note.
pub(crate) fn note(
    cx: &Context,
    category: Category,
    text: String,
    paths: &[PathBuf],
    to: Option<String>,
) -> anyhow::Result<Exit> {
    let to = tool(to)?;
    let session = cx.session()?;
    let paths = paths.iter().map(|path| session.repo_path(path)).collect::<Result<_, _>>()?;
    let note = session.note(category, text, paths, to)?;
    cx.tell_notices(&session);
    let answered = cx.ui.answer(
        || NoteAnswer::new(Note::new(&note)),
        |out| writeln!(out, "noted {} {}", category.as_str(), &note.id.as_str()[..8]),
    );
    done("the note was written", answered)?;
    Ok(Exit::Done)
}

impl Get {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        let path = self.path.as_deref().map(|path: &Path| session.repo_path(path)).transpose()?;
        let since = self.since.map(|text| since(&text, session.now())).transpose()?;
        let (category, handoffs) = match self.category {
            None => (None, false),
            Some(Wanted::Decision) => (Some(Category::Decision), false),
            Some(Wanted::Learning) => (Some(Category::Learning), false),
            Some(Wanted::Warning) => (Some(Category::Warning), false),
            Some(Wanted::Pattern) => (Some(Category::Pattern), false),
            Some(Wanted::Handoff) => (None, true),
        };
        let mut found = session.context(&Filter { category, handoffs, path, search: self.search, since })?;
        cx.tell_notices(&session);
        if let Some(limit) = self.limit {
            shorten(cx, "note", &mut found.notes, limit);
            shorten(cx, "handoff", &mut found.handoffs, limit);
        }
        cx.ui.answer(|| json(&found), |out| human(out, &session, &found))?;
        cx.warn_of_damage(&found.damaged);
        Ok(Exit::Done)
    }
}

/// Leaves out what is older than the first few, and says so.
fn shorten<T>(cx: &Context, what: &str, found: &mut Vec<T>, limit: usize) {
    let more = found.len().saturating_sub(limit);
    found.truncate(limit);
    if more > 0 {
        cx.ui.say(format!("{} older than these left out", format::count(more, what)));
    }
}

impl Export {
    fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session_of(self.project.as_deref())?;
        let found = session.context(&Filter::default())?;
        cx.tell_notices(&session);
        let project = session.project();
        cx.ui
            .answer(|| json(&found), |out| out.write_all(crate::cli::markdown::export(&project, &found).as_bytes()))?;
        cx.warn_of_damage(&found.damaged);
        Ok(Exit::Done)
    }
}

fn json(found: &Found) -> ContextAnswer {
    ContextAnswer::new(
        found.notes.iter().map(Note::new).collect(),
        found.handoffs.iter().map(Handoff::new).collect(),
        found.damaged.iter().map(|d| Damage { path: d.path.clone(), reason: d.reason.clone() }).collect(),
    )
}

fn human(out: &mut dyn Write, session: &Session, found: &Found) -> io::Result<()> {
    let now = session.now();
    for handoff in &found.handoffs {
        writeln!(out, "{}", format::handoff(handoff, now))?;
    }
    for note in &found.notes {
        let to = note.to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default();
        let on: Vec<String> = note.paths.iter().map(|path| format::target(&path.to_string())).collect();
        let on = if on.is_empty() { String::new() } else { format!(" on {}", on.join(", ")) };
        let run = note.run.as_ref().map(|run| format!(" in {run}")).unwrap_or_default();
        let by = format!("{}{run}{to}{on}, {}", note.by, format::ago(note.at, now));
        writeln!(out, "{BOLD}{}{BOLD:#} {DIM}by {by}{DIM:#}", note.category.as_str())?;
        for line in crate::base::text::block(&note.text, usize::MAX).lines() {
            writeln!(out, "  {line}")?;
        }
    }
    if found.notes.is_empty() && found.handoffs.is_empty() {
        writeln!(out, "nothing found")?;
    }
    Ok(())
}
