//! The tools for notes: what the others should know.

use super::tool::{Effect, Tool};
use crate::{
    cli::{
        cmd::{self, Context as Command, context::Wanted},
        exit::Exit,
        json::{ContextAnswer, NoteAnswer},
    },
    model::note::Category as NoteCategory,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use std::path::PathBuf;

/// Most notes and handoffs that are given unless more are asked for: they are paid for in a context.
const LIMIT: usize = 20;

/// Leave a note for whoever works here next: a decision with its reason, something learned, a pitfall, or a pattern of
/// the code to follow.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    category: Category,
    /// The note itself.
    text: String,
    /// Paths that it concerns.
    #[serde(default)]
    paths: Vec<PathBuf>,
    /// The tool that it is meant for, such as codex; everybody unless given.
    to: Option<String>,
}

/// What a note is.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Category {
    Decision,
    Learning,
    Warning,
    Pattern,
}

impl Tool for Note {
    const NAME: &'static str = "note";
    const TITLE: &'static str = "Leave a note";
    const EFFECT: Effect = Effect::Each;

    fn answers(schemas: &mut SchemaGenerator) -> Vec<Schema> {
        vec![schemas.subschema_for::<NoteAnswer>()]
    }

    fn run(self, cx: &Command) -> anyhow::Result<Exit> {
        let category = match self.category {
            Category::Decision => NoteCategory::Decision,
            Category::Learning => NoteCategory::Learning,
            Category::Warning => NoteCategory::Warning,
            Category::Pattern => NoteCategory::Pattern,
        };
        cmd::context::note(cx, category, self.text, &self.paths, self.to)
    }
}

/// Find notes and handoffs that others left, newest first. Look before you begin, best with the path that you will work
/// on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Context {
    /// Only this category.
    category: Option<Wanted>,
    /// Only what concerns this path.
    path: Option<PathBuf>,
    /// Only what contains this text.
    search: Option<String>,
    /// Only what was written since: a span like 2d, or a date.
    since: Option<String>,
    /// At most this many notes and as many handoffs; 20 unless given.
    #[schemars(range(min = 1))]
    limit: Option<usize>,
}

impl Tool for Context {
    const NAME: &'static str = "context";
    const TITLE: &'static str = "Find notes and handoffs";
    const EFFECT: Effect = Effect::None;

    fn answers(schemas: &mut SchemaGenerator) -> Vec<Schema> {
        vec![schemas.subschema_for::<ContextAnswer>()]
    }

    fn run(self, cx: &Command) -> anyhow::Result<Exit> {
        let Context { category, path, search, since, limit } = self;
        cmd::context::Get { category, path, search, since, limit: limit.or(Some(LIMIT)) }.run(cx)
    }
}
