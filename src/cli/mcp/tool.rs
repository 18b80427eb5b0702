//! What a tool is: its arguments, what a model and a client are told of it, and the command behind it.

use super::schema::{self, NOTICES};
use crate::{
    cli::{cmd::Context, error, exit::Exit, json::ErrorAnswer, ui::Kept},
    ops,
};
use anyhow::Context as _;
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock, JsonObject, Tool as Description, ToolAnnotations};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A tool, by the arguments that it takes. The comment on them is what a model is told of it.
pub(super) trait Tool: DeserializeOwned + JsonSchema {
    /// Its name.
    const NAME: &'static str;
    /// Its name for people.
    const TITLE: &'static str;
    /// What it does to the world.
    const EFFECT: Effect;

    /// The answers that it gives when it doesn't fail.
    fn answers(schemas: &mut SchemaGenerator) -> Vec<Schema>;

    /// Runs the command.
    fn run(self, cx: &Context) -> anyhow::Result<Exit>;
}

/// What a tool does to the world. None destroys anything: what is claimed, noted or handed on stays in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It only looks.
    None,
    /// It writes, and again the same call comes to the same.
    Once,
    /// It writes something new with each call.
    Each,
    /// It speaks with another machine, and may be called again at will.
    Outside,
}

/// A tool as the server sees it.
pub(super) struct Door {
    pub(super) name: &'static str,
    describe: fn() -> Description,
    run: fn(JsonObject, &Context) -> anyhow::Result<Exit>,
}

impl Door {
    pub(super) const fn to<T: Tool>() -> Door {
        Door { name: T::NAME, describe: describe::<T>, run: run::<T> }
    }

    /// The tool of this name.
    pub(super) fn named(name: &str) -> Option<&'static Door> {
        super::DOORS.iter().find(|door| door.name == name)
    }

    /// What clients are told of it.
    pub(super) fn describe(&self) -> Description {
        (self.describe)()
    }

    /// Runs the command, and puts what came of it into the form of the protocol.
    pub(super) fn call(&self, arguments: JsonObject, cx: Context) -> CallToolResponse {
        let ran = (self.run)(arguments, &cx);
        let Kept { answer, talk } = cx.ui.into_kept();
        let answered = ran.and_then(|_| answer.context("the command gave no answer"));
        let result = match answered {
            Ok(answer) => CallToolResult::structured(with_notices(answer, &talk)),
            Err(error) => {
                let (answer, words) = error::in_both_forms(&error, ops::now());
                failure(&answer, words, &talk)
            }
        };
        result.into()
    }
}

fn run<T: Tool>(arguments: JsonObject, cx: &Context) -> anyhow::Result<Exit> {
    let understood = serde_json::from_value::<T>(Value::Object(arguments));
    let arguments = understood.map_err(|error| {
        error::usage(format!("{} can't be called so: {error}", T::NAME), "the schema of the tool tells what it takes")
    })?;
    arguments.run(cx)
}

/// A refusal or failure: in words for those who read text, and in the shape that `--json` has for those who read that.
fn failure(answer: &ErrorAnswer, words: String, talk: &[String]) -> CallToolResult {
    let structured = serde_json::to_value(answer).map(|answer| with_notices(answer, talk));
    let text = talk.iter().fold(words, |text, said| format!("{text}\n{said}"));
    let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
    result.structured_content = structured.ok();
    result
}

/// The answer with what a command would have said beside it. Some clients show a model nothing but the answer, and it has
/// to hear as whom it was registered, or what it lost.
fn with_notices(mut answer: Value, talk: &[String]) -> Value {
    if let (Value::Object(answer), false) = (&mut answer, talk.is_empty()) {
        answer.insert(NOTICES.to_owned(), talk.into());
    }
    answer
}

fn describe<T: Tool>() -> Description {
    let (told, takes) = schema::takes::<T>();
    Description::new(T::NAME, told, takes)
        .with_raw_output_schema(schema::gives::<T>())
        .with_annotations(annotations::<T>())
        .with_title(T::TITLE)
}

fn annotations<T: Tool>() -> ToolAnnotations {
    ToolAnnotations::with_title(T::TITLE)
        .read_only(T::EFFECT == Effect::None)
        .destructive(false)
        .idempotent(T::EFFECT != Effect::Each)
        .open_world(T::EFFECT == Effect::Outside)
}
