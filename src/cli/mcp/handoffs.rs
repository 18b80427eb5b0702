//! The tools for handoffs: tasks that are passed on, with the claims they need.

use super::tool::{Effect, Tool};
use crate::cli::{
    cmd::{
        Context,
        handoff::{self, Settlement},
    },
    exit::Exit,
    json::{HandoffAnswer, HandoffsAnswer},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

/// Hand a task on, with your claims on paths: the handoff holds them until somebody accepts it, so that nobody comes
/// between. Also the way to ask the holder of a claim for something.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    /// What is handed on, in one line.
    title: String,
    /// The tool that it is meant for, such as codex; anybody unless given.
    to: Option<String>,
    /// Ids of the claims that go with it; all your claims on paths unless given.
    #[serde(default)]
    claims: Vec<String>,
    /// The task of the queue that you hold and that goes with it.
    task: Option<String>,
    /// Background that the next one needs: what is done, what is not.
    context: Option<String>,
    /// Files or patterns of the task; what is claimed unless given.
    #[serde(default)]
    files: Vec<String>,
    /// What not to touch.
    #[serde(default)]
    boundaries: Vec<String>,
    /// Requirements, each with its acceptance criterion.
    #[serde(default)]
    requirements: Vec<String>,
    /// Existing patterns to follow.
    #[serde(default)]
    patterns: Vec<String>,
    /// Commands that show that it is done.
    #[serde(default)]
    verification: Vec<String>,
    /// Anything else.
    notes: Option<String>,
}

impl Tool for New {
    const NAME: &'static str = "handoff_new";
    const TITLE: &'static str = "Hand a task on";
    const EFFECT: Effect = Effect::Each;

    fn answers(schemas: &mut SchemaGenerator) -> Vec<Schema> {
        vec![schemas.subschema_for::<HandoffAnswer>()]
    }

    fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let new = handoff::New {
            title: self.title,
            to: self.to,
            claim: self.claims,
            task: self.task,
            context: self.context,
            file: self.files,
            boundary: self.boundaries,
            requirement: self.requirements,
            pattern: self.patterns,
            verify: self.verification,
            note: self.notes,
        };
        new.run(cx, &cx.session()?)
    }
}

/// List handoffs, those that wait first, each with its task document; or show one of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    /// Only the handoff with this id, or the beginning of it.
    id: Option<String>,
}

impl Tool for List {
    const NAME: &'static str = "handoff_list";
    const TITLE: &'static str = "List handoffs";
    const EFFECT: Effect = Effect::None;

    fn answers(schemas: &mut SchemaGenerator) -> Vec<Schema> {
        vec![schemas.subschema_for::<HandoffsAnswer>(), schemas.subschema_for::<HandoffAnswer>()]
    }

    fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        match self.id {
            Some(id) => handoff::show(cx, &session, &id),
            None => handoff::list(cx, &session),
        }
    }
}

/// Answer a handoff: accept it to go on with the task, and its claims become yours; decline it, or withdraw one of your
/// own, and they go back; or say that the task is done, and they are free.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    /// The handoff, or the beginning of its id.
    id: String,
    answer: Settled,
    /// Accept it although it is meant for another tool, or goes on from work that is not in this clone.
    #[serde(default)]
    force: bool,
}

/// How a handoff is answered.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Settled {
    Accept,
    Decline,
    Done,
}

impl Tool for Answer {
    const NAME: &'static str = "handoff_answer";
    const TITLE: &'static str = "Accept, decline or finish a handoff";
    const EFFECT: Effect = Effect::Once;

    fn answers(schemas: &mut SchemaGenerator) -> Vec<Schema> {
        vec![schemas.subschema_for::<HandoffAnswer>()]
    }

    fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let settlement = match self.answer {
            Settled::Accept => Settlement::Accept { force: self.force },
            Settled::Decline => Settlement::Decline,
            Settled::Done => Settlement::Done,
        };
        handoff::settle(cx, &cx.session()?, &self.id, settlement)
    }
}
