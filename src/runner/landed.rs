//! What has come back from the copies of blocks that were done again since: it is in the work tree still, though the block
//! speaks of its last copy alone.
//!
//! It is kept for whoever goes on with the run in another clone, as what steps have changed is kept with their attempts:
//! `landed/<block>.<number>.json`, and what the files were like in `snap/<block>.landed/<number>`.

use super::{
    journal,
    landing::{self, Landing},
    recorder::{Recorder, When},
};
use crate::{
    base::{
        id::{RunId, StepPath},
        oid::Oid,
        path::RepoPath,
    },
    ops::{Error, Private, Session},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Where it is, among what is kept of a run.
const FOLDER: &str = "landed";

/// What came back once.
#[derive(Debug)]
pub struct Landed {
    /// The block.
    pub block: StepPath,
    /// How often that had come back before.
    number: usize,
    /// When the block ended, among the steps of the run.
    pub order: u64,
    /// The files, as far as they had not gone again when the block was begun anew.
    pub files: Vec<RepoPath>,
}

/// That, as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    files: Vec<String>,
    order: u64,
}

impl Landed {
    /// What the files were like before that, and by that.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn trees(&self, session: &Session, run: &RunId) -> Result<Option<(Oid, Oid)>, Error> {
        let tree = |which| session.tree_of_run(run, &tree_of(&self.block, self.number, which));
        Ok(tree("before")?.zip(tree("after")?))
    }
}

/// Keeps what came back from the last copy of a block which is about to be begun anew, and of which no more is told then.
///
/// # Errors
/// When it can't be read, or written.
pub fn keep(session: &Session, recorder: &Recorder, block: &StepPath) -> Result<(), Error> {
    let run = recorder.run();
    let Some((Landing { before, files, .. }, _)) = Landing::known(session, run, block.as_str())? else { return Ok(()) };
    let Some((tree_before, tree_after)) = landing::trees(session, run, block.as_str())? else { return Ok(()) };
    // What could not come back, or did not all come back, has gone.
    let Some(outcome) = journal::result(session, run, block)?.filter(|outcome| outcome.is_ok()) else { return Ok(()) };
    let now = session.capture_after(&before)?;
    let changed: BTreeSet<RepoPath> =
        session.changed_between(&before, &now)?.into_iter().map(|change| change.path).collect();
    // It may have been undone before it is done again.
    let files = files.iter().filter(|path| changed.contains(path)).map(RepoPath::encoded).collect();
    let kept = serde_json::to_vec(&Kept { files, order: outcome.order });
    let kept = kept.map_err(|error| Error::Failed(error.to_string()))?;
    let number = all(session, run)?.iter().filter(|landed| landed.block == *block).count();
    let entries = vec![
        (tree_of(block, number, "before"), Private::Tree(tree_before)),
        (tree_of(block, number, "after"), Private::Tree(tree_after)),
        (format!("{FOLDER}/{block}.{number}.json"), Private::Bytes(kept)),
    ];
    Ok(recorder.keep(entries, format!("{block}: had come back"), When::WithNext)?)
}

/// All that has come back in a run from blocks that were begun anew since.
///
/// # Errors
/// When it can't be read.
pub fn all(session: &Session, run: &RunId) -> Result<Vec<Landed>, Error> {
    let landed = |(file, bytes): (String, Vec<u8>)| {
        let (block, number) = file.strip_suffix(".json")?.rsplit_once('.')?;
        let Kept { files, order } = serde_json::from_slice(&bytes).ok()?;
        let files = files.iter().filter_map(|path| RepoPath::decode(path).ok()).collect();
        Some(Landed { block: block.parse().ok()?, number: number.parse().ok()?, order, files })
    };
    let mut all: Vec<Landed> = session.files_of_run(run, FOLDER)?.into_iter().filter_map(landed).collect();
    all.sort_by_key(|landed| (landed.order, landed.number));
    Ok(all)
}

fn tree_of(block: &StepPath, number: usize, which: &str) -> String {
    format!("snap/{block}.landed/{number}/{which}")
}
