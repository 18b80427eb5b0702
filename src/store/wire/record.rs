//! The records and their models.

use super::super::layout::FIRST_FORMAT;
use crate::{
    base::{
        id::{CloneId, Domain, HandoffId, InstanceId, Tool},
        oid::Oid,
        path::RepoPath,
        world::Time,
    },
    model::{
        claim::{Claim, EndReason, Holder, Mode, Origin},
        handoff::{Document, Handoff, HandoffState, Settled, WorkTreeMark},
        instance::{Doing, Instance},
        note::{Category, Note},
        scope::Scope,
    },
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A record type and the model type it stands for.
pub(in crate::store) trait Wire<M>: Serialize + DeserializeOwned {
    fn from_model(model: &M) -> Self;
    fn into_model(self) -> Result<M, String>;
}

/// `aio.json`.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::store) struct Meta {
    pub(in crate::store) format: u64,
    pub(in crate::store) min_writer: u64,
    pub(in crate::store) domain: String,
    pub(in crate::store) epoch: u64,
    #[serde(default)]
    pub(in crate::store) folds_case: bool,
}

impl Meta {
    pub(in crate::store) fn new(domain: &Domain, folds_case: bool) -> Self {
        Meta { format: FIRST_FORMAT, min_writer: FIRST_FORMAT, domain: domain.to_string(), epoch: 1, folds_case }
    }

    /// What holds where there is no store.
    pub(in crate::store) fn of_none() -> Self {
        Meta { format: FIRST_FORMAT, min_writer: FIRST_FORMAT, domain: String::new(), epoch: 0, folds_case: false }
    }

    /// The same, for those who know `format` at least.
    pub(in crate::store) fn raised_to(self, format: u64) -> Self {
        Meta { format: self.format.max(format), min_writer: self.min_writer.max(format), ..self }
    }
}

#[derive(Serialize, Deserialize)]
pub(in crate::store) struct WireDoing {
    text: String,
    id: Option<String>,
}

impl Wire<Doing> for WireDoing {
    fn from_model(doing: &Doing) -> Self {
        WireDoing { text: doing.text.clone(), id: doing.id.as_ref().map(ToString::to_string) }
    }

    fn into_model(self) -> Result<Doing, String> {
        Ok(Doing { text: self.text, id: parse_opt(self.id)? })
    }
}

#[derive(Serialize, Deserialize)]
pub(in crate::store) struct WireInstance {
    v: u64,
    id: String,
    tool: String,
    clone: String,
    project: String,
    worktree: Option<String>,
    task: Option<WireDoing>,
    since: Time,
    parent: Option<String>,
}

impl Wire<Instance> for WireInstance {
    fn from_model(i: &Instance) -> Self {
        WireInstance {
            v: 1,
            id: i.id.to_string(),
            tool: i.tool.to_string(),
            clone: i.clone.to_string(),
            project: i.project.clone(),
            worktree: i.worktree.clone(),
            task: i.task.as_ref().map(WireDoing::from_model),
            since: i.since,
            parent: i.parent.as_ref().map(ToString::to_string),
        }
    }

    fn into_model(self) -> Result<Instance, String> {
        Ok(Instance {
            id: parse(self.id)?,
            tool: parse::<Tool>(self.tool)?,
            clone: parse::<CloneId>(self.clone)?,
            project: self.project,
            worktree: self.worktree,
            task: self.task.map(Wire::into_model).transpose()?,
            since: self.since,
            parent: parse_opt(self.parent)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(in crate::store) struct WireClaim {
    v: u64,
    id: String,
    kind: String,
    target: String,
    mode: String,
    origin: String,
    holder: String,
    token: u64,
    grant: String,
    since: Time,
    until: Option<Time>,
    why: Option<String>,
}

impl Wire<Claim> for WireClaim {
    fn from_model(c: &Claim) -> Self {
        WireClaim {
            v: 1,
            id: c.id.to_string(),
            kind: c.scope.kind().into(),
            target: c.scope.target(),
            mode: c.mode.as_str().into(),
            origin: c.origin.as_str().into(),
            holder: c.holder.to_string(),
            token: c.token,
            grant: c.grant.to_string(),
            since: c.since,
            until: c.until,
            why: c.why.clone(),
        }
    }

    fn into_model(self) -> Result<Claim, String> {
        Ok(Claim {
            id: parse(self.id)?,
            scope: scope(&self.kind, &self.target)?,
            mode: mode(&self.mode)?,
            origin: origin(&self.origin)?,
            holder: holder(self.holder)?,
            token: self.token,
            grant: parse(self.grant)?,
            since: self.since,
            until: self.until,
            why: self.why,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(in crate::store) struct WireNote {
    v: u64,
    id: String,
    category: String,
    text: String,
    by: String,
    at: Time,
    paths: Vec<String>,
    to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<String>,
}

impl Wire<Note> for WireNote {
    fn from_model(n: &Note) -> Self {
        WireNote {
            v: 1,
            id: n.id.to_string(),
            category: n.category.as_str().into(),
            text: n.text.clone(),
            by: n.by.to_string(),
            at: n.at,
            paths: encode_paths(&n.paths),
            to: n.to.as_ref().map(ToString::to_string),
            run: n.run.as_ref().map(ToString::to_string),
        }
    }

    fn into_model(self) -> Result<Note, String> {
        Ok(Note {
            id: parse(self.id)?,
            category: word("category", &self.category, &Category::ALL, Category::as_str)?,
            text: self.text,
            by: parse(self.by)?,
            at: self.at,
            paths: decode_paths(&self.paths)?,
            to: parse_opt(self.to)?,
            run: parse_opt(self.run)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct WireDocument {
    title: String,
    context: String,
    files: Vec<String>,
    boundaries: Vec<String>,
    requirements: Vec<String>,
    patterns: Vec<String>,
    verification: Vec<String>,
    notes: String,
}

#[derive(Serialize, Deserialize)]
struct WireSettled {
    by: String,
    at: Time,
}

#[derive(Serialize, Deserialize)]
pub(in crate::store) struct WireHandoff {
    v: u64,
    id: String,
    document: WireDocument,
    from: String,
    to: Option<String>,
    at: Time,
    state: String,
    settled: Option<WireSettled>,
    claims: Vec<String>,
    commit: Option<String>,
    branch: Option<String>,
    dirty: Vec<String>,
    more_dirty: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<String>,
}

impl Wire<Handoff> for WireHandoff {
    fn from_model(h: &Handoff) -> Self {
        let d = h.document.clone();
        WireHandoff {
            v: 1,
            id: h.id.to_string(),
            document: WireDocument {
                title: d.title,
                context: d.context,
                files: d.files,
                boundaries: d.boundaries,
                requirements: d.requirements,
                patterns: d.patterns,
                verification: d.verification,
                notes: d.notes,
            },
            from: h.from.to_string(),
            to: h.to.as_ref().map(ToString::to_string),
            at: h.at,
            state: h.state.as_str().into(),
            settled: h.state.settled().map(|s| WireSettled { by: s.by.to_string(), at: s.at }),
            claims: h.claims.iter().map(ToString::to_string).collect(),
            commit: h.tree.commit.as_ref().map(ToString::to_string),
            branch: h.tree.branch.clone(),
            dirty: encode_paths(&h.tree.dirty),
            more_dirty: h.tree.more_dirty,
            run: h.run.as_ref().map(ToString::to_string),
        }
    }

    fn into_model(self) -> Result<Handoff, String> {
        let settled = match self.settled {
            Some(s) => Some(Settled { by: parse::<InstanceId>(s.by)?, at: s.at }),
            None => None,
        };
        let state = match (self.state.as_str(), settled) {
            ("open", None) => HandoffState::Open,
            ("accepted", Some(s)) => HandoffState::Accepted(s),
            ("declined", Some(s)) => HandoffState::Declined(s),
            ("done", Some(s)) => HandoffState::Done(s),
            (state, settled) => return Err(format!("state {state:?} with settled: {}", settled.is_some())),
        };
        let d = self.document;
        Ok(Handoff {
            id: parse::<HandoffId>(self.id)?,
            document: Document {
                title: d.title,
                context: d.context,
                files: d.files,
                boundaries: d.boundaries,
                requirements: d.requirements,
                patterns: d.patterns,
                verification: d.verification,
                notes: d.notes,
            },
            from: parse(self.from)?,
            to: parse_opt(self.to)?,
            at: self.at,
            state,
            claims: self.claims.into_iter().map(parse).collect::<Result<_, _>>()?,
            tree: WorkTreeMark {
                commit: parse_opt::<Oid>(self.commit)?,
                branch: self.branch,
                dirty: decode_paths(&self.dirty)?,
                more_dirty: self.more_dirty,
            },
            run: parse_opt(self.run)?,
        })
    }
}

pub(super) fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: String) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

pub(super) fn parse_opt<T: std::str::FromStr<Err: std::fmt::Display>>(
    text: Option<String>,
) -> Result<Option<T>, String> {
    text.map(parse).transpose()
}

pub(super) fn scope(kind: &str, target: &str) -> Result<Scope, String> {
    Scope::parse(kind, target).map_err(|error| error.to_string())
}

pub(super) fn mode(text: &str) -> Result<Mode, String> {
    word("mode", text, &[Mode::Exclusive, Mode::Shared], Mode::as_str)
}

pub(super) fn origin(text: &str) -> Result<Origin, String> {
    word("origin", text, &[Origin::Explicit, Origin::Auto], Origin::as_str)
}

pub(super) fn end_reason(text: &str) -> Result<EndReason, String> {
    let all = [EndReason::Stale, EndReason::Expired, EndReason::Forced, EndReason::Lost];
    word("reason", text, &all, EndReason::as_str)
}

pub(super) fn holder(text: String) -> Result<Holder, String> {
    match text.parse() {
        Ok(handoff) => Ok(Holder::Handoff(handoff)),
        Err(_) => parse(text).map(Holder::Instance),
    }
}

pub(super) fn word<T: Copy>(what: &str, text: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, String> {
    let found = all.iter().copied().find(|value| name(*value) == text);
    found.ok_or_else(|| format!("unknown {what} {:?}", crate::base::text::one_line(text, 40)))
}

pub(super) fn encode_paths(paths: &[RepoPath]) -> Vec<String> {
    paths.iter().map(RepoPath::encoded).collect()
}

pub(super) fn decode_paths(paths: &[String]) -> Result<Vec<RepoPath>, String> {
    paths.iter().map(|path| RepoPath::decode(path).map_err(|error| error.to_string())).collect()
}
