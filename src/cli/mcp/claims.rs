//! The tools for claims: what the others are kept away from.

use super::tool::{Effect, Tool};
use crate::{
    cli::{
        cmd::{self, Context},
        error::usage,
        exit::Exit,
        json::{CheckAnswer, ClaimAnswer, ReleaseAnswer},
        words::duration,
    },
    ops::{self, claim::Terms},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use std::time::Duration;

/// Longest wait for a claim, in seconds. There are clients that give a call up after a minute, and the answer has to come
/// before that.
const MAX_WAIT: u64 = 50;

/// Claim files, folders, patterns or tasks before you change them, all or none: nobody else can claim what overlaps, and
/// their commits to it are refused, until you release it. If it is held, the error names the holder, since when and why,
/// and the ways on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    /// Paths of files, folders (with / at the end) or patterns like src/**/*.rs, relative to the folder of the server or
    /// absolute; or ids of tasks.
    targets: Vec<String>,
    /// What all targets are; inferred from each unless given, but tasks have to be called so.
    kind: Option<Kind>,
    /// Let others hold overlapping claims that are shared too.
    #[serde(default)]
    shared: bool,
    /// Why, in a few words; the others will read it.
    why: Option<String>,
    /// Let it end by itself after this long, such as 30m or 2h.
    ttl: Option<String>,
    /// Wait up to so many seconds for what somebody else holds.
    #[schemars(range(max = MAX_WAIT))]
    wait: Option<u64>,
}

/// What a target is.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    File,
    Directory,
    Pattern,
    Task,
}

impl Tool for Claim {
    const NAME: &'static str = "claim";
    const TITLE: &'static str = "Claim files";
    const EFFECT: Effect = Effect::Once;

    fn answers(schemas: &mut SchemaGenerator) -> Vec<Schema> {
        vec![schemas.subschema_for::<ClaimAnswer>()]
    }

    fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        if self.wait.is_some_and(|wait| wait > MAX_WAIT) {
            return Err(usage(
                format!("a call waits {MAX_WAIT} seconds at most"),
                "call again to go on waiting, or work on something else meanwhile",
            ));
        }
        let ttl = self.ttl.as_deref().map(duration).transpose();
        let ttl = ttl.map_err(|error| usage(format!("the ttl can't be understood: {error}"), "leave it out"))?;
        let terms = Terms {
            shared: self.shared,
            ttl: cmd::claim::time_to_live(ttl)?,
            why: self.why,
            wait: self.wait.map(Duration::from_secs),
            strict: false,
        };
        let kind = self.kind.map(ops::Kind::from);
        cmd::claim::Wish { kind, targets: words(self.targets, "claim")?, terms }.run(cx)
    }
}

impl From<Kind> for ops::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::File => ops::Kind::File,
            Kind::Directory => ops::Kind::Directory,
            Kind::Pattern => ops::Kind::Pattern,
            Kind::Task => ops::Kind::Task,
        }
    }
}

/// Ask whether paths may be changed, and who holds them, without claiming anything. What is held by others is an answer
/// here and no error: see `available`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Check {
    /// Paths of files or folders, or patterns.
    paths: Vec<String>,
}

impl Tool for Check {
    const NAME: &'static str = "check";
    const TITLE: &'static str = "Check who holds files";
    const EFFECT: Effect = Effect::None;

    fn answers(schemas: &mut SchemaGenerator) -> Vec<Schema> {
        vec![schemas.subschema_for::<CheckAnswer>()]
    }

    fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        cmd::check::targets(cx, None, &words(self.paths, "check")?)
    }
}

/// Give your claims back: those with these ids, or all. Do it when your work on them is committed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Release {
    /// Ids of claims, or the beginnings of them.
    #[serde(default)]
    ids: Vec<String>,
    /// All that you hold.
    #[serde(default)]
    all: bool,
}

impl Tool for Release {
    const NAME: &'static str = "release";
    const TITLE: &'static str = "Release claims";
    const EFFECT: Effect = Effect::Once;

    fn answers(schemas: &mut SchemaGenerator) -> Vec<Schema> {
        vec![schemas.subschema_for::<ReleaseAnswer>()]
    }

    fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let ids = match (self.ids.is_empty(), self.all) {
            (true, true) => vec!["all".to_owned()],
            (false, false) => self.ids,
            (true, false) => return Err(usage("it is not said what to release", "give ids, or say all")),
            (false, true) => return Err(usage("both ids and all are given", "give one of them")),
        };
        cmd::release::Args { ids, force: false, why: None }.run(cx)
    }
}

fn words(targets: Vec<String>, verb: &str) -> anyhow::Result<Vec<std::ffi::OsString>> {
    if targets.is_empty() {
        return Err(usage(format!("it is not said what to {verb}"), "name a file, a folder or a pattern"));
    }
    Ok(targets.into_iter().map(Into::into).collect())
}
