//! The audit trail: the messages of our commits, written and read.

use super::{Repository, error::StoreError, layout, wire};
use crate::{
    base::{
        id::{InstanceId, OpId},
        oid::Oid,
        text,
        world::Time,
    },
    model::{
        apply::Applied,
        claim::{Claim, Mode},
        op::{Action, Loss, Op, Right, Want},
    },
};
use chrono::SecondsFormat;
use gix::{
    ObjectId,
    bstr::BStr,
    objs::{CommitRef, Kind},
};

/// What every commit of ours says about itself, beside its operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trailers {
    pub(super) op_id: OpId,
    pub(super) seq: u64,
    pub(super) epoch: u64,
    /// The tip that this commit cut off, where it begins an epoch.
    pub(super) cut_from: Option<Oid>,
    /// Whether it mends what was lost, so that its number may be more than one above that of the commit before it.
    pub(super) mends: bool,
}

/// One operation as the log shows it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its commit.
    pub oid: Oid,
    /// The fencing token of what it granted.
    pub seq: u64,
    /// The word for what it did.
    pub verb: String,
    /// Its name.
    pub op_id: OpId,
    /// Who did it.
    pub by: Option<InstanceId>,
    /// When.
    pub at: Time,
    /// One line for people.
    pub subject: String,
    /// The operation; `None` where a newer git-aio wrote one we don't know.
    pub op: Option<Op>,
}

impl Repository {
    /// The log from `tip` back, newest first.
    ///
    /// # Errors
    /// An item is an error where a commit is missing or is none of ours; nothing comes after it.
    pub fn log(&self, tip: &Oid) -> impl Iterator<Item = Result<Entry, StoreError>> {
        let mut next = Some(tip.clone());
        std::iter::from_fn(move || {
            let entry = self.log_entry(&next.take()?);
            Some(entry.map(|(entry, parent)| {
                next = parent;
                entry
            }))
        })
    }

    fn log_entry(&self, oid: &Oid) -> Result<(Entry, Option<Oid>), StoreError> {
        let OurCommit { trailers, parents, author_seconds, message, .. } = self.our_commit(oid)?;
        let mut lines = message.lines();
        let subject = lines.next().unwrap_or_default().to_owned();
        let op = lines.find(|line| line.starts_with('{')).and_then(|line| wire::decode_op(line).ok());
        let written = || Time::from_timestamp(author_seconds, 0).unwrap_or_default();
        let entry = Entry {
            oid: oid.clone(),
            seq: trailers.seq,
            verb: subject.split(':').next().unwrap_or_default().to_owned(),
            op_id: trailers.op_id,
            by: op.as_ref().and_then(|op| op.by.clone()),
            at: op.as_ref().map_or_else(written, |op| op.at),
            subject,
            op,
        };
        Ok((entry, parents.into_iter().next()))
    }

    /// Reads a commit that has to be one of ours.
    ///
    /// # Errors
    /// When it is missing, damaged, or somebody else's.
    pub(super) fn our_commit(&self, oid: &Oid) -> Result<OurCommit, StoreError> {
        let id = ObjectId::from_hex(oid.as_str().as_bytes()).map_err(StoreError::tip)?;
        let bytes = self.object_of(id, Kind::Commit)?;
        let commit = CommitRef::from_bytes(&bytes, id.kind()).map_err(StoreError::tip)?;
        let trailers = Trailers::parse(commit.message)
            .ok_or_else(|| StoreError::Tip(format!("commit {oid} is none of git-aio")))?;
        let parents = commit.parents().map(|id| id.to_string().parse().map_err(StoreError::tip));
        Ok(OurCommit {
            tree: commit.tree(),
            trailers,
            parents: parents.collect::<Result<_, _>>()?,
            author_seconds: commit.author().ok().and_then(|author| author.time().ok()).map_or(0, |time| time.seconds),
            message: String::from_utf8_lossy(commit.message).into_owned(),
        })
    }
}

/// A commit of ours.
pub(super) struct OurCommit {
    pub(super) tree: ObjectId,
    pub(super) trailers: Trailers,
    /// At most one, unless somebody has made it by hand.
    pub(super) parents: Vec<Oid>,
    author_seconds: i64,
    message: String,
}

impl Trailers {
    /// Reads them from the last paragraph of a message.
    pub(super) fn parse(message: &BStr) -> Option<Trailers> {
        if message.len() > layout::MAX_MESSAGE {
            return None;
        }
        let message = std::str::from_utf8(message).ok()?;
        let last = message.trim_end().rsplit("\n\n").next()?;
        let value = |key: &str| last.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
        let number = |key| value(key)?.parse().ok().filter(|number: &u64| *number < layout::MOST_OPERATIONS);
        Some(Trailers {
            cut_from: value("Aio-Prev").and_then(|oid| oid.parse().ok()),
            op_id: value("Aio-Op-Id")?.parse().ok()?,
            seq: number("Aio-Seq")?,
            epoch: number("Aio-Epoch")?,
            mends: matches!(value("Aio-Op"), Some("repair" | "recover")),
        })
    }
}

/// The message of the commit that `op` becomes: a line for people, the operation, the trailers.
pub(super) fn message(
    op: &Op,
    applied: &Applied,
    seq: u64,
    epoch: u64,
    cut_from: Option<&Oid>,
) -> Result<String, StoreError> {
    let body = wire::encode_op(op).map_err(|error| StoreError::Write(error.to_string()))?;
    let by = op.by.as_ref().map(|by| format!("Aio-Instance: {by}\n")).unwrap_or_default();
    let cut_from = cut_from.map(|tip| format!("Aio-Prev: {tip}\n")).unwrap_or_default();
    Ok(format!(
        "{}\n\n{body}\n\nAio-Op: {}\nAio-Op-Id: {}\nAio-Seq: {seq}\nAio-Epoch: {epoch}\n{cut_from}{by}",
        subject(op, applied),
        op.action.verb(),
        op.id,
    ))
}

/// What was claimed, and of what was held before what is new about it.
fn granted(op: &Op, wants: &[Want], claims: &[Claim]) -> String {
    few(claims.iter().map(|claim| {
        let (target, kind) = (claim.scope.target(), claim.scope.kind());
        match wants.iter().find(|want| want.scope == claim.scope) {
            Some(want) if want.id != claim.id => format!("{target} ({kind}), {}", news(op, want, claim)),
            _ if claim.mode == Mode::Shared => format!("{target} ({kind}, shared)"),
            _ => format!("{target} ({kind})"),
        }
    }))
}

/// What was lost to other clones, and to whom.
fn lost(losses: &[Loss]) -> String {
    few(losses.iter().map(|Loss { want, rival }| {
        format!("{} ({}) lost to {}", want.scope.target(), want.scope.kind(), rival.holder)
    }))
}

fn news(op: &Op, want: &Want, claim: &Claim) -> String {
    let mode = (claim.grant == op.id).then(|| format!("now {}", claim.mode.as_str()));
    let until = want.until.map(|until| format!("until {}", until.to_rfc3339_opts(SecondsFormat::Secs, true)));
    let why = want.why.as_ref().map(|why| format!("for '{why}'"));
    let news: Vec<String> = [mode, until, why].into_iter().flatten().collect();
    if news.is_empty() { "held before".to_owned() } else { news.join(", ") }
}

/// The first three, and how many more there are.
fn few(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(3);
    let names = names.take(3).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{names} and {more} more") } else { names }
}

/// One line for people, such as `claim: src/auth (directory) by codex-1707084123-a3f2`.
pub(super) fn subject(op: &Op, applied: &Applied) -> String {
    let target = |claim: &Claim| format!("{} ({})", claim.scope.target(), claim.scope.kind());
    let targets = |claims: &[Claim]| few(claims.iter().map(target));
    let what = match &op.action {
        Action::Create { domain, .. } => format!("store {}", &domain.as_str()[..8]),
        Action::Register(instance) => format!("{} in {}", instance.id, instance.project),
        Action::SetTask(Some(task)) => task.text.clone(),
        Action::SetTask(None) => "none".into(),
        Action::End(gone) if gone.is_empty() => "nobody who is still there".into(),
        Action::End(gone) => gone.iter().map(|d| d.instance.to_string()).collect::<Vec<_>>().join(", "),
        Action::Claim { wants, lost: losses, .. } => {
            let taken: Vec<_> =
                applied.evicted.iter().map(|e| format!(", taken over from {}", e.claim.holder)).collect();
            let granted = Some(format!("{}{}", granted(op, wants, &applied.granted), taken.concat()));
            let lost = (!losses.is_empty()).then(|| lost(losses));
            granted.filter(|granted| !granted.is_empty()).into_iter().chain(lost).collect::<Vec<_>>().join("; ")
        }
        Action::Release { claims, forced: Some(_), .. } if claims.len() == 1 => {
            format!("{}, ended by force", targets(&applied.released))
        }
        Action::Release { ended, .. } if applied.released.is_empty() => match ended.len() {
            0 => "nothing that was still held".into(),
            1 => "1 lost claim".into(),
            count => format!("{count} lost claims"),
        },
        Action::Release { .. } => targets(&applied.released),
        Action::Note(note) => format!("{}: {}", note.category.as_str(), note.text),
        Action::Handoff { handoff, .. } => format!("{}: {}", handoff.id, handoff.document.title),
        Action::Settle { handoff, .. } => handoff.to_string(),
        Action::NewTask(task) => format!("{}: {}", task.id, task.title),
        Action::FinishTask { task, right: Right::Force(_), .. } => format!("{task}, by force"),
        Action::FinishTask { task, .. } => task.to_string(),
        Action::Bypass { fence, count, .. } => format!("{fence} with {count} paths"),
        Action::Repair { summary } => summary.join("; "),
        Action::Compact { .. } => "the history before this".into(),
        Action::Recover => "what the hub had lost".into(),
    };
    let by = op.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    format!("{}: {}{by}", op.action.verb(), text::one_line(&what, 120))
}
