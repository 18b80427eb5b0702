//! A change of the store, from the rules' decision to the moved ref.
//!
//! Nothing is visible before the ref has moved; all of it is afterwards. A kill before that leaves loose objects that
//! git's own gc removes, and perhaps a lock that the next writer clears (see [`lock`](super::lock)); a kill after it
//! loses nothing. A transaction that is dropped has not happened.

use super::{
    Ahead, Repository, Snapshot,
    error::StoreError,
    layout,
    log::message,
    objects::Batch,
    wire::{self, Meta, Wire, WireClaim, WireEnded, WireHandoff, WireInstance, WireNote, WireTask},
};
use crate::{
    base::{
        oid::Oid,
        refs::{RefError, RefLogLine, RefStorage, Swapped},
    },
    model::{
        apply::{Applied, Change},
        op::Op,
        view::View,
    },
};
use gix::{
    ObjectId,
    bstr::BStr,
    objs::{Commit, Kind, Tree, TreeRef, tree::EntryKind},
};

/// Whether a write waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It does: what was granted survives a power failure.
    Synced,
    /// It doesn't, like git itself.
    Unsynced,
}

/// A moment of a write, told to an observer so that a test can end the process right there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteStep {
    /// The objects are written.
    ObjectsWritten,
    /// They are durable; the ref is about to be moved.
    RefAboutToMove,
    /// The new value is in a file of ours; the ref is about to be locked.
    ValueNoted,
    /// The ref is locked.
    RefLocked,
    /// The reflog has its line.
    LogWritten,
    /// The lock has become the ref; the file of ours is still there.
    RefRenamed,
    /// The ref has moved, whichever way.
    RefMoved,
}

impl WriteStep {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            WriteStep::ObjectsWritten => "objects-written",
            WriteStep::RefAboutToMove => "ref-about-to-move",
            WriteStep::ValueNoted => "value-noted",
            WriteStep::RefLocked => "ref-locked",
            WriteStep::LogWritten => "log-written",
            WriteStep::RefRenamed => "ref-renamed",
            WriteStep::RefMoved => "ref-moved",
        }
    }
}

/// Whether a commit follows on the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Descent {
    /// It does.
    Continued,
    /// It begins a new epoch: the history before it can't be walked, or is let go of.
    Cut,
    /// It does, and begins a new epoch all the same: whoever knew another history of this one has to start from here.
    Renewed,
}

/// Numbers that were given out already, whether or not the chain shows them any more.
#[derive(Debug, Clone, Copy, Default)]
pub struct GivenOut {
    /// The highest of an operation.
    pub seq: u64,
    /// The highest of an epoch.
    pub epoch: u64,
}

impl GivenOut {
    /// The number of the epoch that begins after `snapshot`.
    fn next_epoch(self, snapshot: &Snapshot<'_>) -> u64 {
        snapshot.tip.as_ref().map_or(1, |tip| tip.trailers.epoch).max(self.epoch) + 1
    }
}

/// How often a ref is moved again because its objects were tidied away before it.
const TRIES: u32 = 4;

/// A change that is decided but not yet made.
#[must_use = "nothing happens until it is committed"]
pub struct Transaction<'s, 'r> {
    snapshot: &'s Snapshot<'r>,
    batch: Batch<'r>,
    commit: ObjectId,
    subject: String,
    seconds: i64,
    seq: u64,
    /// Of its message.
    size: usize,
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The new tip.
    pub oid: Oid,
    /// Its sequence number.
    pub seq: u64,
    /// Why it may not last, where it is not as certain as was asked for.
    pub doubts: Vec<String>,
}

impl<'s, 'r> Transaction<'s, 'r> {
    /// Prepares `applied`, which the rules made of `op` and `snapshot`.
    ///
    /// # Errors
    /// When the store is not ours to write, or a record is too large.
    pub fn new(snapshot: &'s Snapshot<'r>, op: &Op, applied: &Applied) -> Result<Self, StoreError> {
        snapshot.check_writable()?;
        let mut batch = Batch::new(snapshot.repository);
        let tree = write_tree(snapshot, &applied.changes, &mut batch)?;
        Self::with_tree(snapshot, op, applied, batch, tree, Descent::Continued, GivenOut::default())
    }

    /// Prepares the beginning of a new epoch with the state of `snapshot`, but for what is `let_go` of with it: where
    /// `keeps_history` is false, all before it is let go of. Its numbers are above those that were `given_out`, so that no
    /// token is given twice.
    ///
    /// # Errors
    /// When the store is not ours to write.
    pub fn new_epoch(
        snapshot: &'s Snapshot<'r>,
        op: &Op,
        keeps_history: bool,
        given_out: GivenOut,
        let_go: &[Change],
    ) -> Result<Self, StoreError> {
        snapshot.check_writable()?;
        let mut batch = Batch::new(snapshot.repository);
        let epoch = given_out.next_epoch(snapshot);
        let mut edit = Edit::new(snapshot, &mut batch)?;
        let_go.iter().try_for_each(|change| edit.change(change))?;
        edit.put(&layout::meta(), &Meta { epoch, ..snapshot.meta.clone() })?;
        let tree = edit.finish()?;
        let descent = if keeps_history { Descent::Renewed } else { Descent::Cut };
        Self::with_tree(snapshot, op, &Applied::default(), batch, tree, descent, given_out)
    }

    /// As [`new`](Self::new), with a whole tree that somebody else has made, and numbers above those that were `given_out`.
    pub(super) fn with_tree(
        snapshot: &'s Snapshot<'r>,
        op: &Op,
        applied: &Applied,
        mut batch: Batch<'r>,
        tree: ObjectId,
        descent: Descent,
        given_out: GivenOut,
    ) -> Result<Self, StoreError> {
        let seq = snapshot.seq().max(given_out.seq) + 1;
        let epoch = match descent {
            Descent::Continued => snapshot.tip.as_ref().map_or(1, |tip| tip.trailers.epoch),
            Descent::Cut | Descent::Renewed => given_out.next_epoch(snapshot),
        };
        if seq.max(epoch) >= layout::MOST_OPERATIONS {
            // Readers refuse it: nobody could read this store any more.
            return Err(StoreError::Tip(format!("after operation {} no number is left", snapshot.seq())));
        }
        let cut_from = snapshot.oid().filter(|_| descent == Descent::Cut);
        let message = message(op, applied, seq, epoch, cut_from)?;
        if message.len() > layout::MAX_MESSAGE {
            // Readers refuse what is larger: it would be the last operation of this store.
            return Err(too_large(message.len(), layout::MAX_MESSAGE));
        }
        let size = message.len();
        let subject = message.lines().next().unwrap_or_default().to_owned();
        let parent =
            snapshot.oid().filter(|_| descent != Descent::Cut).map(|oid| ObjectId::from_hex(oid.as_str().as_bytes()));
        let seconds = op.at.timestamp();
        let author = signature(snapshot.repository, seconds);
        let counted = gix::date::Time::new(i64::try_from(seq).unwrap_or(i64::MAX), 0);
        let commit = Commit {
            tree,
            parents: parent.transpose().map_err(StoreError::tip)?.into_iter().collect(),
            // git orders `log --all` by committer date: with these, our chain sinks below all real history instead of
            // being woven into it, and `--since` hides it. The author date is the true one.
            committer: gix::actor::Signature { time: counted, ..author.clone() },
            author,
            encoding: None,
            message: message.into(),
            extra_headers: Vec::new(),
        };
        let commit = batch.add_object(&commit)?;
        Ok(Transaction { snapshot, batch, commit, subject, seconds, seq, size })
    }

    /// Makes the change `ahead` of any ref that is moved to it. What comes of it is the commit.
    ///
    /// # Errors
    /// When objects have to be written and can't.
    pub fn make(self, ahead: &mut Ahead<'r>) -> Result<Oid, StoreError> {
        ahead.take(self.batch)?;
        self.commit.to_string().parse().map_err(StoreError::tip)
    }

    /// Makes the change: all of it, or none.
    ///
    /// # Errors
    /// [`RefError::Moved`](crate::base::refs::RefError::Moved) when somebody else was first: decide again on what is
    /// there now. Anything else means that it did not happen either, unless the ref can't be read any more.
    pub fn commit(
        self,
        refs: &dyn RefStorage,
        durability: Durability,
        observe: &dyn Fn(WriteStep),
    ) -> Result<Committed, StoreError> {
        let expected = self.snapshot.oid();
        self.commit_by(durability, observe, |new, line| refs.compare_and_swap(layout::STATE, expected, new, line))
    }

    /// As [`commit`](Self::commit), where the ref is moved by `move_ref`.
    pub(super) fn commit_by(
        &self,
        durability: Durability,
        observe: &dyn Fn(WriteStep),
        move_ref: impl Fn(&Oid, &RefLogLine) -> Result<Swapped, RefError>,
    ) -> Result<Committed, StoreError> {
        if self.size > layout::MAX_NEW_MESSAGE {
            return Err(too_large(self.size, layout::MAX_NEW_MESSAGE));
        }
        let durable = durability == Durability::Synced;
        self.batch.write(durable)?;
        observe(WriteStep::ObjectsWritten);
        let repository = self.snapshot.repository;
        let line = RefLogLine { who: repository.committer(), seconds: self.seconds, message: self.subject.clone() };
        let oid: Oid = self.commit.to_string().parse().map_err(StoreError::tip)?;
        observe(WriteStep::RefAboutToMove);
        let restore = || self.batch.restore_missing(durable);
        let doubts = moved(restore, || move_ref(&oid, &line).inspect(|_| observe(WriteStep::RefMoved)))?;
        Ok(Committed { oid, seq: self.seq, doubts })
    }
}

fn too_large(size: usize, limit: usize) -> StoreError {
    StoreError::TooLarge { what: "the operation".into(), size, limit }
}

/// Moves a ref by `move_ref` to objects of which `restore` writes again what another git has tidied away: before the
/// ref moves, which fails where git moves it and looks for the object first, and once more afterwards. Why it may not
/// last, where it has moved and isn't as certain as was asked for.
pub(super) fn moved(
    restore: impl Fn() -> Result<bool, StoreError>,
    move_ref: impl Fn() -> Result<Swapped, RefError>,
) -> Result<Vec<String>, StoreError> {
    let mut moved = move_ref();
    for _ in 0..TRIES {
        if !matches!(moved, Err(RefError::Failed { .. })) || !restore()? {
            break;
        }
        moved = move_ref();
    }
    // From here on it has happened, and to call it failed would have others do it twice or undo it.
    let mut doubts: Vec<String> = moved?.doubt.into_iter().collect();
    if let Err(error) = restore() {
        doubts.push(format!("objects that a git beside us removed can't be written again: {error}"));
    }
    Ok(doubts)
}

impl Repository {
    /// Who reflog lines of ours are by: `Name <email>`.
    pub fn committer(&self) -> String {
        let (name, email) = self.user().unwrap_or_else(|| ("git-aio".into(), "git-aio@localhost".into()));
        format!("{name} <{email}>")
    }
}

/// Who the commits of ours are by, so many `seconds` after 1970.
pub(super) fn signature(repository: &Repository, seconds: i64) -> gix::actor::Signature {
    let (name, email) = repository.user().unwrap_or_else(|| ("git-aio".into(), "git-aio@localhost".into()));
    gix::actor::Signature { name: name.into(), email: email.into(), time: gix::date::Time::new(seconds, 0) }
}

fn write_tree(snapshot: &Snapshot<'_>, changes: &[Change], batch: &mut Batch<'_>) -> Result<ObjectId, StoreError> {
    let mut edit = Edit::new(snapshot, batch)?;
    for change in changes {
        edit.change(change)?;
    }
    edit.finish()
}

/// The tree of the store while it is being changed.
pub(super) struct Edit<'e, 's, 'r, 'b> {
    snapshot: &'s Snapshot<'r>,
    editor: gix::objs::tree::Editor<'e>,
    batch: &'e mut Batch<'b>,
    folds_case: bool,
}

impl<'e, 's: 'e, 'r, 'b> Edit<'e, 's, 'r, 'b> {
    /// Begins with the tree of `snapshot`.
    pub(super) fn new(snapshot: &'s Snapshot<'r>, batch: &'e mut Batch<'b>) -> Result<Self, StoreError> {
        let repository = snapshot.repository;
        let hash = repository.gix.object_hash();
        let root = match &snapshot.tip {
            Some(tip) => {
                let bytes = repository.object_of(tip.tree, Kind::Tree)?;
                Tree::from(TreeRef::from_bytes(&bytes, hash).map_err(StoreError::tip)?)
            }
            None => Tree::empty(),
        };
        let editor = gix::objs::tree::Editor::new(root, repository, hash);
        Ok(Edit { snapshot, editor, batch, folds_case: snapshot.folds_case() })
    }

    /// The name of the changed tree, which is in the batch.
    pub(super) fn finish(self) -> Result<ObjectId, StoreError> {
        let Edit { mut editor, batch, .. } = self;
        editor.write(|tree| batch.add_object(tree))
    }

    pub(super) fn change(&mut self, change: &Change) -> Result<(), StoreError> {
        match change {
            Change::Create(domain, folds_case) => {
                self.put(&layout::meta(), &Meta::new(domain, *folds_case))?;
            }
            Change::PutInstance(instance) => {
                self.put(&layout::instance(&instance.id), &WireInstance::from_model(instance))?;
            }
            Change::DropInstance(id) => self.drop(&layout::instance(id))?,
            Change::PutClaim(claim) => {
                let blob = self.put(&layout::claim(&claim.id), &WireClaim::from_model(claim))?;
                self.file(&layout::index_entry(&claim.scope, &claim.id, self.folds_case), blob)?;
            }
            Change::DropClaim(claim) => {
                self.drop(&layout::claim(&claim.id))?;
                self.drop(&layout::index_entry(&claim.scope, &claim.id, self.folds_case))?;
            }
            Change::PutEnded(instance, ended) => {
                self.put(&layout::ended(instance, &ended.claim.id), &WireEnded::from_model(ended))?;
            }
            Change::DropEnded(instance, claim) => self.drop(&layout::ended(instance, claim))?,
            Change::PutNote(note) => {
                self.put(&layout::note(&note.id, note.at), &WireNote::from_model(note))?;
            }
            Change::PutHandoff(handoff) => {
                self.put(&layout::handoff(&handoff.id), &WireHandoff::from_model(handoff))?;
            }
            Change::PutTask(task) => {
                if self.snapshot.meta.min_writer < layout::FORMAT_WITH_TASKS {
                    self.put(&layout::meta(), &self.snapshot.meta.clone().raised_to(layout::FORMAT_WITH_TASKS))?;
                }
                self.put(&layout::task(&task.id), &WireTask::from_model(task))?;
            }
            Change::DropTask(id) => self.drop(&layout::task(id))?,
        }
        Ok(())
    }

    pub(super) fn put<W: serde::Serialize>(&mut self, path: &[Vec<u8>], wire: &W) -> Result<ObjectId, StoreError> {
        let before = self.snapshot.record_bytes(path)?;
        let bytes = wire::render(&layout::display(path), wire, before.as_deref())?;
        let blob = self.batch.add(Kind::Blob, bytes)?;
        self.file(path, blob)?;
        Ok(blob)
    }

    pub(super) fn file(&mut self, path: &[Vec<u8>], blob: ObjectId) -> Result<(), StoreError> {
        self.file_as(path, EntryKind::Blob, blob)
    }

    pub(super) fn file_as(&mut self, path: &[Vec<u8>], kind: EntryKind, oid: ObjectId) -> Result<(), StoreError> {
        let path = path.iter().map(BStr::new);
        self.editor.upsert(path, kind, oid).map(drop).map_err(StoreError::tip)
    }

    pub(super) fn drop(&mut self, path: &[Vec<u8>]) -> Result<(), StoreError> {
        let path = path.iter().map(BStr::new);
        self.editor.remove(path).map(drop).map_err(StoreError::tip)
    }
}
