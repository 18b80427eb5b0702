//! The tools for the queue of tasks that several drivers share.

use super::tool::{Effect, Tool};
use crate::cli::{
    cmd::{Context, tasks},
    exit::Exit,
    json::{TaskAnswer, TaskDoneAnswer, TasksAnswer},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

/// List the tasks of the queue that are not done, the next one first, each with who is at it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    /// Those that are done too.
    #[serde(default)]
    all: bool,
    /// Only those that can be taken.
    #[serde(default)]
    ready: bool,
}

impl Tool for List {
    const NAME: &'static str = "task_list";
    const TITLE: &'static str = "List tasks";
    const EFFECT: Effect = Effect::None;

    fn answers(schemas: &mut SchemaGenerator) -> Vec<Schema> {
        vec![schemas.subschema_for::<TasksAnswer>()]
    }

    fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let list = tasks::List { all: self.all, ready: self.ready, from: None };
        list.run(cx, &cx.session()?)
    }
}

/// Put a task into the queue, for whoever takes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    /// What is to be done, in one line.
    title: String,
    /// All that is to be said of it.
    text: Option<String>,
    /// The paths that it will change.
    #[serde(default)]
    paths: Vec<std::path::PathBuf>,
    /// Ids of the tasks that have to be done before it.
    #[serde(default)]
    needs: Vec<String>,
    /// How much it matters: from 0, which comes first, to 4; 2 unless given.
    priority: Option<u32>,
    /// Its id; a random one unless given.
    id: Option<String>,
}

impl Tool for New {
    const NAME: &'static str = "task_new";
    const TITLE: &'static str = "Put a task into the queue";
    const EFFECT: Effect = Effect::Each;

    fn answers(schemas: &mut SchemaGenerator) -> Vec<Schema> {
        vec![schemas.subschema_for::<TaskAnswer>()]
    }

    fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let new = tasks::New {
            title: self.title,
            text: self.text,
            path: self.paths,
            needs: self.needs,
            priority: self.priority.map(|priority| u8::try_from(priority).unwrap_or(u8::MAX)),
            id: self.id,
        };
        new.run(cx, &cx.session()?)
    }
}

/// Take the next task that is ready: you hold it then, and nobody else does it. While you hold one you get the same one
/// again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Next {
    /// One more, although you hold one already.
    #[serde(default)]
    another: bool,
}

impl Tool for Next {
    const NAME: &'static str = "task_next";
    const TITLE: &'static str = "Take the next task";
    const EFFECT: Effect = Effect::Once;

    fn answers(schemas: &mut SchemaGenerator) -> Vec<Schema> {
        vec![schemas.subschema_for::<TaskAnswer>()]
    }

    fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        tasks::Next { another: self.another, ..tasks::Next::default() }.run(cx, &cx.session()?)
    }
}

/// Say that a task that you hold is done. Your claim on it ends with that, and nobody takes it again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Done {
    /// The task; of a random id the beginning is enough.
    id: String,
    /// What came of it.
    result: Option<String>,
}

impl Tool for Done {
    const NAME: &'static str = "task_done";
    const TITLE: &'static str = "Say that a task is done";
    const EFFECT: Effect = Effect::Once;

    fn answers(schemas: &mut SchemaGenerator) -> Vec<Schema> {
        vec![schemas.subschema_for::<TaskDoneAnswer>()]
    }

    fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        tasks::Done { id: self.id, result: self.result, ..tasks::Done::default() }.run(cx, &cx.session()?)
    }
}
