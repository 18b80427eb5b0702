//! Runs: a chain of commits for each, one for what changed of its state at a time.
//!
//! ```text
//! refs/aio/runs/<run-id>              run.json, steps/<step>.json
//! refs/aio-local/runs/<run-id>        spec/…, prompt/<step>.<attempt>.md, out/…, snap/<step>.<attempt>/{before,after}, landing/…, landed/…
//! ```
//! The first may be seen by others. The second stays in the clone, unless it is wanted elsewhere; it is written before the
//! first, so that what the first tells of is there. A run has one driver at a time, and the ref moves only from the value
//! that the driver knows: of two who take themselves for it, one is told.

use super::{
    Repository,
    error::StoreError,
    layout::{MAX_LISTING, MAX_MESSAGE, MAX_RECORD, TreePath, display},
    objects::Batch,
    transaction::signature,
    wire::{self, Wire, WireRun, WireStep},
};
use crate::{
    base::{
        id::{RunId, StepPath},
        oid::Oid,
        text,
        world::Time,
    },
    model::run::{Run, Step},
};
use gix::{
    ObjectId,
    bstr::BStr,
    objs::{
        Commit, CommitRef, Kind, Tree, TreeRef, TreeRefIter,
        tree::{Editor, EntryKind},
    },
};

/// Most steps that are read of one run, and most of the folders they are in.
const MOST_STEPS: usize = 20_000;

/// The longest chain that is followed.
const LONGEST: usize = 100_000;
/// How deep the folders of a run are at most.
const MAX_PARTS: usize = 20;

/// Where the record of the run itself is.
const RUN: &str = "run.json";

/// The folder of the records of its steps.
const STEPS: &str = "steps";

/// What is kept of a run in the clone alone.
#[derive(Debug, Clone)]
pub enum Private {
    /// A file with these bytes.
    Bytes(Vec<u8>),
    /// A tree of git that is there already.
    Tree(Oid),
}

/// A change of a run, as its chain has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEvent {
    /// When.
    pub at: Time,
    /// What happened, in a line; of a change that is written, a line for each thing that did.
    pub subject: String,
}

/// A commit of a chain.
struct Link {
    tree: ObjectId,
    parent: Option<ObjectId>,
    /// How many came before it.
    count: i64,
    event: RunEvent,
}

impl Repository {
    /// Writes what has changed of a run, and of its steps, on top of `tip`. No ref is moved to it.
    ///
    /// # Errors
    /// When `tip` can't be read, a record is too large, or the objects can't be written.
    pub fn write_run(
        &self,
        tip: Option<&Oid>,
        run: Option<&Run>,
        steps: &[&Step],
        event: &RunEvent,
    ) -> Result<Oid, StoreError> {
        let mut batch = Batch::new(self);
        let mut files = Vec::new();
        if let Some(run) = run {
            files.push((vec![RUN.into()], self.record::<_, WireRun>(RUN, run, &mut batch)?));
        }
        for step in steps {
            let path = step_file(&step.path);
            let blob = self.record::<_, WireStep>(&display(&path), *step, &mut batch)?;
            files.push((path, blob));
        }
        let entries = files.into_iter().map(|(path, blob)| (path, EntryKind::Blob, blob));
        self.add_link(tip, entries.collect(), event, (batch, false))
    }

    fn record<M, W: Wire<M>>(&self, name: &str, model: &M, batch: &mut Batch<'_>) -> Result<ObjectId, StoreError> {
        batch.add(Kind::Blob, wire::render(name, &W::from_model(model), None)?)
    }

    /// Writes what is to be kept of a run in the clone alone, on top of `tip`; synced to the disk if that is wanted. No ref is
    /// moved to it.
    ///
    /// # Errors
    /// As for [`write_run`](Self::write_run), and when a path is none.
    pub fn write_private(
        &self,
        tip: Option<&Oid>,
        entries: Vec<(String, Private)>,
        event: &RunEvent,
        is_durable: bool,
    ) -> Result<Oid, StoreError> {
        let mut batch = Batch::new(self);
        let mut written = Vec::new();
        for (path, what) in entries {
            let entry = match what {
                Private::Bytes(bytes) => (EntryKind::Blob, batch.add(Kind::Blob, bytes)?),
                Private::Tree(oid) => (EntryKind::Tree, object_id(&oid)?),
            };
            written.push((path.split('/').map(|part| part.as_bytes().to_owned()).collect(), entry.0, entry.1));
        }
        self.add_link(tip, written, event, (batch, is_durable))
    }

    /// A commit with these entries put into the tree of `tip`.
    fn add_link(
        &self,
        tip: Option<&Oid>,
        entries: Vec<(TreePath, EntryKind, ObjectId)>,
        event: &RunEvent,
        (mut batch, is_durable): (Batch<'_>, bool),
    ) -> Result<Oid, StoreError> {
        let before = tip.map(|tip| self.run_link(object_id(tip)?)).transpose()?;
        let hash = self.gix.object_hash();
        let root = match &before {
            Some(before) => {
                let bytes = self.object_of(before.tree, Kind::Tree)?;
                Tree::from(TreeRef::from_bytes(&bytes, hash).map_err(StoreError::tip)?)
            }
            None => Tree::empty(),
        };
        let mut editor = Editor::new(root, self, hash);
        for (path, kind, oid) in entries {
            editor.upsert(path.iter().map(BStr::new), kind, oid).map_err(StoreError::tip)?;
        }
        let tree = editor.write(|tree| batch.add_object(tree))?;
        let author = signature(self, event.at.timestamp());
        let count = before.as_ref().map_or(1, |before| before.count + 1);
        let commit = Commit {
            tree,
            parents: tip.map(object_id).transpose()?.into_iter().collect(),
            // As with the chain of the state: a date so old that no list of real commits is mixed with these.
            committer: gix::actor::Signature { time: gix::date::Time::new(count, 0), ..author.clone() },
            author,
            encoding: None,
            message: event.subject.lines().map(|line| text::one_line(line, 200) + "\n").collect::<String>().into(),
            extra_headers: Vec::new(),
        };
        let commit = batch.add_object(&commit)?;
        // The driver may be killed at any time and nothing is lost; the power may fail, and then a step is done again, unless
        // that must not be.
        batch.write(is_durable)?;
        commit.to_string().parse().map_err(StoreError::tip)
    }

    fn run_link(&self, id: ObjectId) -> Result<Link, StoreError> {
        let bytes = self.object(id, MAX_MESSAGE).map_err(|error| StoreError::Tip(format!("commit {id}: {error}")))?;
        if bytes.kind != Kind::Commit {
            return Err(StoreError::Tip(format!("{id} is a {}, not a commit", bytes.kind)));
        }
        let commit = CommitRef::from_bytes(&bytes.bytes, id.kind()).map_err(StoreError::tip)?;
        let seconds = |who: Option<gix::actor::SignatureRef<'_>>| {
            who.and_then(|who| who.time().ok()).map_or(0, |time| time.seconds)
        };
        let subject = String::from_utf8_lossy(commit.message).into_owned();
        Ok(Link {
            tree: commit.tree(),
            parent: commit.parents().next(),
            count: seconds(commit.committer().ok()).clamp(0, i64::MAX - 1),
            event: RunEvent { at: Time::from_timestamp(seconds(commit.author().ok()), 0).unwrap_or_default(), subject },
        })
    }

    /// The run that the commit `tip` tells of, and its steps. A step whose record can't be read is left out, and told.
    ///
    /// # Errors
    /// When the commit, or the record of the run itself, can't be read.
    pub fn read_run(&self, tip: &Oid) -> Result<(Run, Vec<Step>, Vec<StoreError>), StoreError> {
        let root = self.run_link(object_id(tip)?)?.tree;
        let missing = || StoreError::damaged(RUN, "it is missing");
        let bytes = self.file_in(root, &[RUN.into()], MAX_RECORD)?.ok_or_else(missing)?;
        let run = wire::parse::<Run, WireRun>(RUN, &bytes)?;
        let (mut steps, mut damaged) = (Vec::new(), Vec::new());
        let (mut seen, mut size) = (0, 0);
        let mut open = vec![vec![STEPS.as_bytes().to_owned()]];
        while let Some(folder) = open.pop() {
            for (name, kind) in self.names_in(root, &folder)? {
                let path: TreePath = folder.iter().cloned().chain([name]).collect();
                seen += 1;
                if seen > MOST_STEPS || size > MAX_LISTING {
                    damaged.push(StoreError::damaged(STEPS, "there are more of them than are read"));
                    open.clear();
                    break;
                }
                match kind {
                    EntryKind::Tree if path.len() < MAX_PARTS => open.push(path),
                    EntryKind::Blob => match self.step_at(root, &path, &mut size) {
                        Ok(step) => steps.push(step),
                        Err(error) => damaged.push(error),
                    },
                    _ => {}
                }
            }
        }
        let began = |step: &Step| (step.began.is_none(), step.began);
        let in_order = |a: &Step, b: &Step| text::in_order(a.path.as_str(), b.path.as_str());
        steps.sort_by(|a: &Step, b| began(a).cmp(&began(b)).then_with(|| in_order(a, b)));
        Ok((run, steps, damaged))
    }

    fn step_at(&self, root: ObjectId, path: &TreePath, size: &mut usize) -> Result<Step, StoreError> {
        let bytes = self.file_in(root, path, MAX_RECORD)?.unwrap_or_default();
        *size += bytes.len();
        let step = wire::parse::<Step, WireStep>(&display(path), &bytes)?;
        if step_file(&step.path) == *path {
            Ok(step)
        } else {
            Err(StoreError::damaged(display(path), "it is another's"))
        }
    }

    /// The run `id`, from a commit that somebody else may have made: whole, and within all limits.
    ///
    /// # Errors
    /// When it is not.
    pub fn check_run(&self, id: &RunId, tip: &Oid) -> Result<Run, StoreError> {
        let (run, _, damaged) = self.read_run(tip)?;
        match damaged.into_iter().next() {
            Some(error) => Err(error),
            None if run.id != *id => Err(StoreError::damaged(RUN, format!("it is that of {}", run.id))),
            None => Ok(run),
        }
    }

    /// Whether the chain of a run that ends in `new` goes on from `old`, or is the same.
    ///
    /// # Errors
    /// When a commit of either can't be read.
    pub fn run_goes_on(&self, new: &Oid, old: &Oid) -> Result<bool, StoreError> {
        let (wanted, mut at) = (object_id(old)?, object_id(new)?);
        let count = self.run_link(wanted)?.count;
        let mut link = self.run_link(at)?;
        for _ in 0..LONGEST {
            // Each is one further than the one before it, so that what lies behind `old` is not looked at.
            let Some(parent) = link.parent.filter(|_| at != wanted && link.count > count) else { break };
            let before = self.run_link(parent)?;
            if before.count >= link.count {
                return Ok(false);
            }
            (at, link) = (parent, before);
        }
        Ok(at == wanted)
    }

    /// What happened in a run, from the chain that ends in `tip`: the newest first, at most `limit`.
    ///
    /// # Errors
    /// When a commit can't be read.
    pub fn run_events(&self, tip: &Oid, limit: usize) -> Result<Vec<RunEvent>, StoreError> {
        let mut events = Vec::new();
        let mut next = Some(object_id(tip)?);
        while let Some(id) = next.filter(|_| events.len() < limit) {
            let Link { event: RunEvent { at, subject }, parent, .. } = self.run_link(id)?;
            events.extend(subject.lines().rev().map(|line| RunEvent { at, subject: line.to_owned() }));
            next = parent;
        }
        events.truncate(limit);
        Ok(events)
    }

    /// A file that is kept of a run in the clone alone, of at most 20 MiB; `None` where there is none.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read_private(&self, tip: &Oid, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let root = self.run_link(object_id(tip)?)?.tree;
        self.file_in(root, &tree_path(path), MAX_LISTING)
    }

    /// A tree that is kept of a run in the clone alone; `None` where there is none.
    ///
    /// # Errors
    /// When a tree on the way can't be read.
    pub fn private_tree(&self, tip: &Oid, path: &str) -> Result<Option<Oid>, StoreError> {
        let root = self.run_link(object_id(tip)?)?.tree;
        let found = self.entry_in(root, &tree_path(path))?.filter(|(kind, _)| *kind == EntryKind::Tree);
        found.map(|(_, oid)| oid.to_string().parse().map_err(StoreError::tip)).transpose()
    }

    /// All files that are kept in a folder of it, and of those in it, by their path from there.
    ///
    /// # Errors
    /// When one can't be read.
    pub fn private_files(&self, tip: &Oid, folder: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let root = self.run_link(object_id(tip)?)?.tree;
        let (mut files, mut open) = (Vec::new(), vec![tree_path(folder)]);
        let depth = open[0].len();
        while let Some(folder) = open.pop() {
            for (name, kind) in self.names_in(root, &folder)? {
                let path: TreePath = folder.iter().cloned().chain([name]).collect();
                match kind {
                    EntryKind::Tree if path.len() < MAX_PARTS => open.push(path),
                    EntryKind::Blob if files.len() < MOST_STEPS => {
                        let bytes = self.file_in(root, &path, MAX_LISTING)?.unwrap_or_default();
                        files.push((display(&path[depth..]), bytes));
                    }
                    _ => {}
                }
            }
        }
        Ok(files)
    }

    /// The names of what is kept in a folder of it.
    ///
    /// # Errors
    /// When a tree on the way can't be read.
    pub fn private_names(&self, tip: &Oid, folder: &str) -> Result<Vec<String>, StoreError> {
        let root = self.run_link(object_id(tip)?)?.tree;
        let names = self.names_in(root, &tree_path(folder))?;
        Ok(names.into_iter().map(|(name, _)| String::from_utf8_lossy(&name).into_owned()).collect())
    }

    fn file_in(&self, root: ObjectId, path: &[Vec<u8>], limit: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let Some((EntryKind::Blob, oid)) = self.entry_in(root, path)? else { return Ok(None) };
        let found = self.object(oid, limit).map_err(|error| StoreError::damaged(display(path), error))?;
        Ok(Some(found.bytes.to_vec()))
    }

    fn names_in(&self, root: ObjectId, folder: &[Vec<u8>]) -> Result<Vec<(Vec<u8>, EntryKind)>, StoreError> {
        let Some((EntryKind::Tree, oid)) = self.entry_in(root, folder)? else { return Ok(Vec::new()) };
        let tree = self.object_of(oid, Kind::Tree)?;
        let entries = TreeRefIter::from_bytes(&tree, oid.kind()).filter_map(Result::ok);
        Ok(entries.map(|entry| (entry.filename.to_vec(), entry.mode.kind())).collect())
    }

    fn entry_in(&self, root: ObjectId, path: &[Vec<u8>]) -> Result<Option<(EntryKind, ObjectId)>, StoreError> {
        let mut at = (EntryKind::Tree, root);
        for name in path {
            let (EntryKind::Tree, folder) = at else { return Ok(None) };
            let tree = self.object_of(folder, Kind::Tree)?;
            let mut entries = TreeRefIter::from_bytes(&tree, folder.kind()).filter_map(Result::ok);
            let Some(found) = entries.find(|entry| entry.filename == name.as_slice()) else { return Ok(None) };
            at = (found.mode.kind(), found.oid.to_owned());
        }
        Ok(Some(at))
    }
}

fn step_file(path: &StepPath) -> TreePath {
    tree_path(&format!("{STEPS}/{path}.json"))
}

fn tree_path(path: &str) -> TreePath {
    path.split('/').map(|part| part.as_bytes().to_owned()).collect()
}

fn object_id(oid: &Oid) -> Result<ObjectId, StoreError> {
    ObjectId::from_hex(oid.as_str().as_bytes()).map_err(StoreError::tip)
}
