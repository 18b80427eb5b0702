//! What was done on a copy of the files, on its way back to the work tree of everybody.
//!
//! What is about to come back is written down before any of it does. So whoever goes on after a driver was killed knows
//! what may be there by then, all of it, a part, or nothing: each path is still as it was, or what it was to become. The rest
//! comes back then, and nothing is done twice. Where somebody has changed one of them meanwhile, what had come back goes
//! again, and it is a conflict as any other. Both kinds of copies are kept in the same way, that of a step and that of a
//! block: `landing/<name>.json`, and what the files were like in `snap/<name>.landing`, see `store/run.rs`.

use super::{
    dispatch::Outcome,
    journal::KeptOutcome,
    recorder::{Recorder, When},
};
use crate::{
    base::{
        id::{RunId, StepPath},
        oid::Oid,
        path::{RepoPath, named},
        text,
    },
    model::run::{Failure, FailureKind},
    ops::{
        Error, Private, Session,
        worktree::{Capture, Landed, LeftAlone},
    },
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most paths that are named.
const NAMED: usize = 10;

/// What comes back.
#[derive(Debug)]
pub struct Landing {
    /// What the work tree held when the copy was made.
    pub before: Capture,
    /// What the copy held in the end.
    pub after: Capture,
    /// The files that have changed there.
    pub files: Vec<RepoPath>,
}

/// That, as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    files: Vec<String>,
    /// How the block ends that worked on the copy.
    outcome: Option<KeptOutcome>,
}

impl Landing {
    /// What is to be written down before it comes back, under the name of a block, or of an attempt of a step.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn entries(
        &self,
        session: &Session,
        name: &str,
        outcome: Option<&Outcome>,
    ) -> Result<Vec<(String, Private)>, Error> {
        let files = self.files.iter().map(RepoPath::encoded).collect();
        let kept = Kept { files, outcome: outcome.map(KeptOutcome::of) };
        let kept = serde_json::to_vec(&kept).map_err(|error| Error::Failed(error.to_string()))?;
        let tree = |capture| session.capture_to_tree(capture).map(Private::Tree);
        Ok(vec![
            (tree_of(name, "before"), tree(&self.before)?),
            (tree_of(name, "after"), tree(&self.after)?),
            (file_of(name), Private::Bytes(kept)),
        ])
    }

    /// Writes down that a block works on a copy, which is about to be made: that is so whatever its workflow comes to say, and
    /// what came back before is nothing to it.
    ///
    /// # Errors
    /// When it can't be read, or written.
    pub fn begin(session: &Session, recorder: &Recorder, block: &StepPath) -> Result<(), Error> {
        let file = file_of(block.as_str());
        let when = match session.kept_of_run(recorder.run(), &file)? {
            Some(kept) if kept == NOTHING => return Ok(()),
            Some(_) => When::Now,
            // Before anything that is done there is written down.
            None => When::WithNext,
        };
        let entry = (file, Private::Bytes(NOTHING.to_vec()));
        Ok(recorder.keep(vec![entry], format!("{block}: works on a copy"), when)?)
    }

    /// What was about to come back under this name, with how its block ends.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn known(session: &Session, run: &RunId, name: &str) -> Result<Option<(Landing, Option<Outcome>)>, Error> {
        let kept = session.kept_of_run(run, &file_of(name))?;
        let Some((files, outcome)) = kept.and_then(|kept| read(&kept)) else { return Ok(None) };
        let Some((before, after)) = trees(session, run, name)? else { return Ok(None) };
        let (before, after) = (session.capture_from_tree(&before)?, session.capture_from_tree(&after)?);
        Ok(Some((Landing { before, after, files }, outcome)))
    }

    /// Has it come back: all of it, or nothing. With `is_begun` a driver that is gone may have begun with that. The files that
    /// are here by that, and were not before.
    ///
    /// # Errors
    /// Why it can't.
    pub fn land(&self, session: &Session, is_begun: bool) -> Result<Vec<RepoPath>, Failure> {
        match session.land(&self.before, &self.after, &self.files, is_begun) {
            Ok(Landed::Done(_)) if is_begun => Ok(self.files.clone()),
            Ok(Landed::Done(done)) => Ok(done.written.into_iter().chain(done.removed).collect()),
            Ok(Landed::Conflict { left, stays }) => {
                let text = format!(
                    "what was done on a copy can't come back, for {} of {} files: {}",
                    left.len(),
                    self.files.len(),
                    told(&left)
                );
                Err(not_put_back(Failure { kind: FailureKind::Conflict, text }, &stays))
            }
            Err(error) => Err(Failure { kind: FailureKind::Internal, text: error.to_string() }),
        }
    }

    /// Which of its files are here as they are to be by that, and were not before; and the others.
    ///
    /// # Errors
    /// When it can't be told what is here.
    pub fn here(&self, session: &Session) -> Result<(Vec<RepoPath>, Vec<RepoPath>), Error> {
        let now = session.capture_after(&self.before)?;
        let changed = |from, to| -> Result<BTreeSet<RepoPath>, Error> {
            Ok(session.changed_between(from, to)?.into_iter().map(|change| change.path).collect())
        };
        let (touched, missing) = (changed(&self.before, &now)?, changed(&now, &self.after)?);
        Ok(self.files.iter().cloned().partition(|path| touched.contains(path) && !missing.contains(path)))
    }

    /// Has these files go again, as far as nobody has changed them since they came back, or committed them. Those that
    /// could not be put back, each with why.
    #[must_use = "what could not be put back is to be told"]
    pub fn unland(&self, session: &Session, files: &[RepoPath]) -> Vec<(RepoPath, LeftAlone)> {
        session.unland(&self.before, &self.after, files)
    }
}

/// What comes back from the copy of an attempt is kept by this name.
pub fn name_of_attempt(step: &StepPath, number: u32) -> String {
    format!("{step}.{number}")
}

/// What became of changes that were to go again.
#[derive(Debug, Default)]
pub struct TakenBack {
    /// They are as they were before.
    pub gone: Vec<RepoPath>,
    /// Others hold these now, so that they are left as they are.
    pub held: Vec<RepoPath>,
    /// These could not be put back, each with why.
    pub left: Vec<(RepoPath, LeftAlone)>,
}

impl TakenBack {
    /// Of `changed` those in `free` were to be put back, and these were `left`.
    pub fn of(changed: Vec<RepoPath>, free: &[RepoPath], left: Vec<(RepoPath, LeftAlone)>) -> TakenBack {
        let (free, held): (Vec<RepoPath>, _) = changed.into_iter().partition(|path| free.contains(path));
        let gone = free.into_iter().filter(|path| !left.iter().any(|(other, _)| other == path)).collect();
        TakenBack { gone, held, left }
    }

    /// What is still here, in words.
    pub fn rest(&self) -> Option<String> {
        let held = (!self.held.is_empty()).then(|| format!("others hold these now: {}", named(&self.held)));
        let left = (!self.left.is_empty()).then(|| format!("left as it is: {}", told(&self.left)));
        match (held, left) {
            (Some(held), Some(left)) => Some(format!("{held}; {left}")),
            (held, left) => held.or(left),
        }
    }
}

/// A failure after which all that had come back was to go again, and these did not.
pub fn not_put_back(failure: Failure, stays: &[(RepoPath, LeftAlone)]) -> Failure {
    match stays {
        [] => failure,
        stays => Failure { text: format!("{}\nNot put back: {}", failure.text, told(stays)), ..failure },
    }
}

/// Paths that were left as they are, and why.
pub fn told(left: &[(RepoPath, LeftAlone)]) -> String {
    let some = left.iter().take(NAMED).map(|(path, why)| format!("{}: {why}", text::one_line(&path.to_string(), 200)));
    some.collect::<Vec<_>>().join("; ")
}

/// The trees of what was about to come back under a name: of what the work tree held, and of what the copy held.
///
/// # Errors
/// When they can't be read.
pub fn trees(session: &Session, run: &RunId, name: &str) -> Result<Option<(Oid, Oid)>, Error> {
    let tree = |which| session.tree_of_run(run, &tree_of(name, which));
    Ok(tree("before")?.zip(tree("after")?))
}

/// The blocks of a run that have worked on a copy, by what was written down when it was made.
///
/// # Errors
/// When it can't be read.
pub fn blocks(session: &Session, run: &RunId) -> Result<BTreeSet<StepPath>, Error> {
    let block = |(file, bytes): (String, Vec<u8>)| {
        let kept = serde_json::from_slice::<Option<Kept>>(&bytes).ok()?;
        let is_of_block = kept.is_none_or(|kept| kept.outcome.is_some());
        file.strip_suffix(".json").filter(|_| is_of_block)?.parse().ok()
    };
    Ok(session.files_of_run(run, FOLDER)?.into_iter().filter_map(block).collect())
}

/// In the place of what comes back, till something does.
const NOTHING: &[u8] = b"null";

/// What was about to come back, as far as somebody has to have seen it.
#[derive(Debug)]
pub struct Noted {
    /// The name that it is kept under.
    pub name: String,
    /// The files.
    pub files: Vec<RepoPath>,
    /// How the block ends that worked on the copy.
    pub outcome: Option<Outcome>,
}

/// All that was about to come back in a run.
///
/// # Errors
/// When it can't be read.
pub fn all(session: &Session, run: &RunId) -> Result<Vec<Noted>, Error> {
    let noted = |(file, bytes): (String, Vec<u8>)| {
        let (files, outcome) = read(&bytes)?;
        Some(Noted { name: file.strip_suffix(".json")?.to_owned(), files, outcome })
    };
    Ok(session.files_of_run(run, FOLDER)?.into_iter().filter_map(noted).collect())
}

fn read(kept: &[u8]) -> Option<(Vec<RepoPath>, Option<Outcome>)> {
    let kept = serde_json::from_slice::<Option<Kept>>(kept).ok()??;
    let files = kept.files.iter().filter_map(|path| RepoPath::decode(path).ok()).collect();
    Some((files, kept.outcome.and_then(KeptOutcome::into_outcome)))
}

/// Where it is, among what is kept of a run.
const FOLDER: &str = "landing";

fn file_of(name: &str) -> String {
    format!("{FOLDER}/{name}.json")
}

/// No step is called so: what is inside of a block is kept beside this.
fn tree_of(name: &str, which: &str) -> String {
    format!("snap/{name}.landing/{which}")
}
