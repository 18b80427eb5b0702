//! The audit trail, as it is asked for.

use super::{Error, Session};
use crate::{
    base::path::RepoPath,
    model::{
        op::{Action, Op},
        overlap::Overlap,
        scope::Scope,
        view::View,
    },
};

/// One operation of the log.
pub use crate::store::log::Entry;

impl Session {
    /// The newest `limit` operations, newest first; of these only what touched `path`, if one is given.
    ///
    /// # Errors
    /// When a commit of the chain can't be read.
    pub fn log(&self, path: Option<&RepoPath>, limit: Option<usize>) -> Result<Vec<Entry>, Error> {
        let snapshot = self.snapshot()?;
        self.asking(&snapshot)?;
        let Some(tip) = snapshot.oid() else { return Ok(Vec::new()) };
        // A claim is named in full only by the operation that granted it; what comes after names its id. Going back
        // in time, ids come before their scopes, so that a path has to be looked for with the whole log at hand.
        let entries: Vec<Entry> = match (path, limit) {
            (None, Some(limit)) => self.repository.log(tip).take(limit).collect::<Result<_, _>>()?,
            _ => self.repository.log(tip).collect::<Result<_, _>>()?,
        };
        let Some(path) = path else { return Ok(entries) };
        let mut touching = Touching::new(path, snapshot.folds_case());
        let mut found: Vec<Entry> = entries
            .into_iter()
            .rev()
            .filter(|entry| entry.op.as_ref().is_some_and(|op| touching.touches(op)))
            .collect();
        found.reverse();
        found.truncate(limit.unwrap_or(usize::MAX));
        Ok(found)
    }
}

/// Which operations concern a path, told oldest first.
struct Touching<'a> {
    path: &'a RepoPath,
    file: Overlap,
    claims: std::collections::HashSet<String>,
}

impl<'a> Touching<'a> {
    fn new(path: &'a RepoPath, folds_case: bool) -> Self {
        // What is asked about may be a folder: everything in it counts.
        let file = Overlap::new(&Scope::Directory(path.clone()), folds_case);
        Touching { path, file, claims: Default::default() }
    }

    fn touches(&mut self, op: &Op) -> bool {
        match &op.action {
            Action::Claim { wants, evict, lost } => {
                let mut any = evict.iter().any(|e| self.claims.contains(e.claim.claim.as_str()));
                let wants = wants.iter().chain(lost.iter().map(|loss| &loss.want));
                for want in wants.filter(|want| self.file.with(&want.scope)) {
                    self.claims.insert(want.id.to_string());
                    any = true;
                }
                any
            }
            Action::Release { claims, ended, .. } => {
                claims.iter().map(|grant| &grant.claim).chain(ended).any(|id| self.claims.contains(id.as_str()))
            }
            Action::End(gone) => {
                gone.iter().flat_map(|d| &d.claims).any(|grant| self.claims.contains(grant.claim.as_str()))
            }
            Action::Handoff { claims, .. } | Action::Settle { claims, .. } => {
                claims.iter().any(|grant| self.claims.contains(grant.claim.as_str()))
            }
            Action::Note(note) => note.paths.iter().any(|p| p.is_within(self.path) || self.path.is_within(p)),
            Action::NewTask(task) => {
                task.paths.iter().any(|p| p.path.is_within(self.path) || self.path.is_within(&p.path))
            }
            Action::Bypass { paths, .. } => paths.iter().any(|p| p.is_within(self.path)),
            Action::Create { .. }
            | Action::Register(_)
            | Action::SetTask(_)
            | Action::FinishTask { .. }
            | Action::Repair { .. }
            | Action::Compact { .. }
            | Action::Recover => false,
        }
    }
}
