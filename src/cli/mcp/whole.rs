//! The tools that are about the whole store: what is in it, and what the other clones have.

use super::tool::{Effect, Tool};
use crate::cli::{
    cmd::{self, Context},
    exit::Exit,
    json::{StatusAnswer, SyncAnswer},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

/// Show who is here and what they hold, which handoffs wait, which claims you lost, and who you are (`me`; null before
/// you first write something).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Status {}

impl Tool for Status {
    const NAME: &'static str = "status";
    const TITLE: &'static str = "Show who is here";
    const EFFECT: Effect = Effect::None;

    fn answers(schemas: &mut SchemaGenerator) -> Vec<Schema> {
        vec![schemas.subschema_for::<StatusAnswer>()]
    }

    fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        cmd::status::Args {}.run(cx)
    }
}

/// Exchange claims, notes and handoffs with the other clones, through the remote that the repository names as its hub.
/// A claim that another clone was granted first is lost then, and named. It is seldom needed: what you write is sent
/// by itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Sync {}

impl Tool for Sync {
    const NAME: &'static str = "sync";
    const TITLE: &'static str = "Sync with the other clones";
    const EFFECT: Effect = Effect::Outside;

    fn answers(schemas: &mut SchemaGenerator) -> Vec<Schema> {
        vec![schemas.subschema_for::<SyncAnswer>()]
    }

    fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        // Only the hub that the user has named: which remote else to speak with is not for an agent to choose.
        cmd::sync::Args::default().run(cx)
    }
}
