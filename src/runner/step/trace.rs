//! What an attempt has left: in its scope, beside it, and of the branch that was checked out.

use super::{
    Doer,
    place::{Leave, Place, paths},
    send::Edited,
    with_hint,
};
use crate::{
    base::{
        oid::Oid,
        path::{RepoPath, named},
    },
    ops::{
        Error,
        worktree::{Capture, CheckedOut},
    },
    runner::work::Action,
};

/// What an attempt has changed.
pub(super) struct Traces {
    pub(super) after: Capture,
    pub(super) kept: Oid,
    /// In its scope.
    pub(super) inside: Vec<RepoPath>,
    /// Beside it, where nobody else works.
    strays: Vec<RepoPath>,
    /// Those of the strays that are certainly its, of one that was to change nothing.
    pub(super) own_strays: Vec<RepoPath>,
    /// That another branch is checked out now, and the way back.
    pub(super) switched: Option<String>,
    /// Why not all of it could be seen. What was seen counts all the same, and is put back.
    pub(super) unseen: Option<String>,
}

impl Traces {
    /// The files that it has changed, for the record: of one that was to change nothing, all of them.
    pub(super) fn files(&self, place: &Place) -> Vec<RepoPath> {
        let beside = if place.leave == Leave::OnItsWord { &self.strays[..] } else { &[] };
        self.inside.iter().chain(beside).cloned().collect()
    }

    /// That it has done what it may not, if it has.
    pub(super) fn strayed(&self, place: &Place) -> Option<String> {
        let files = (!self.strays.is_empty()).then(|| self.strayed_to(place));
        let faults: Vec<String> = files.into_iter().chain(self.switched.clone()).collect();
        (!faults.is_empty()).then(|| faults.join("\n"))
    }

    fn strayed_to(&self, place: &Place) -> String {
        if place.may_write() {
            return format!("it changed what is not in its scope: {}", named(&self.strays));
        }
        let left: Vec<RepoPath> = self.strays.iter().filter(|path| !self.own_strays.contains(path)).cloned().collect();
        let left = match left.is_empty() {
            true => String::new(),
            false => format!("; left as it is, since nobody can tell for certain whose it is: {}", named(&left)),
        };
        format!("it was to change nothing, and changed {}{left}", named(&self.strays))
    }
}

impl Doer<'_> {
    /// What has changed since it was entered.
    ///
    /// # Errors
    /// When not even that can be seen which is in its scope.
    pub(super) fn traces(&self, place: &Place, edited: &Edited) -> Result<Traces, Error> {
        let session = self.session_in(place);
        let (after, broken) = match session.capture_after(&place.before) {
            Ok(after) => (after, None),
            // An index that git can't read is no reason to leave the files as they are.
            Err(error) => match session.capture_past_index(&place.before) {
                Ok(after) => (after, Some(with_hint(&error))),
                Err(_) => return Err(error),
            },
        };
        let kept = session.capture_to_tree(&after)?;
        let changes = session.changed_between(&place.before, &after)?;
        let (inside, beside): (Vec<_>, Vec<_>) = paths(changes).partition(|path| place.worker.may_write(path));
        let mut unseen = broken;
        let mut or_unseen = |error: Error| {
            unseen.get_or_insert(with_hint(&error));
        };
        let strays = self.strays(place, beside).map_err(&mut or_unseen).unwrap_or_default();
        let switched = self.switched(place).map_err(&mut or_unseen).unwrap_or_default();
        let own_strays = match place.leave {
            Leave::OnItsWord => certainly_its(&strays, edited, &place.before),
            Leave::Write | Leave::Read => Vec::new(),
        };
        Ok(Traces { after, kept, inside, strays, own_strays, switched, unseen })
    }

    /// Of what has changed beside the scope, in its own work tree and in that of everybody, what counts against it.
    fn strays(&self, place: &Place, beside: Vec<RepoPath>) -> Result<Vec<RepoPath>, Error> {
        let session = self.session_in(place);
        let mut strays = match &place.main {
            // Who can write nothing is not the one who did.
            _ if place.leave == Leave::Read => Vec::new(),
            // In a work tree of its own nobody else has changed anything.
            Some(_) => beside,
            None => session.strays(&place.worker, &beside)?,
        };
        if let Some(main) = &place.main {
            // An agent may find its way into the other one. There others work, too, so only what nobody holds is its.
            let now = self.session.capture_after(main)?;
            // Nor is it what another step of the run may write.
            let changed = paths(self.session.changed_between(main, &now)?);
            let changed: Vec<RepoPath> = changed.filter(|path| !place.worker.shares(path)).collect();
            strays.extend(self.session.strays(&place.worker, &changed)?);
        }
        if let Some(holding) = self.site.holding.as_ref().filter(|_| !strays.is_empty()) {
            strays = holding.of_no_other(&self.session, &self.step.path, strays)?;
        }
        if let Some(ledger) = &self.site.ledger {
            // That one is written by us.
            strays.retain(|path| path.as_bytes() != ledger.as_bytes());
        }
        Ok(strays)
    }

    /// That the work tree of everybody is on another branch than before. A line of a workflow may do that: it is its author's.
    fn switched(&self, place: &Place) -> Result<Option<String>, Error> {
        if place.leave == Leave::Read || matches!(self.work.action, Action::Run { .. }) {
            return Ok(None);
        }
        let (before, now) = (&place.checked_out, self.session.checked_out()?);
        Ok((before.branch != now.branch).then(|| {
            let back = way_back(before, &now);
            format!("it switched the branch from {} to {}; {back}", before.name(), now.name())
        }))
    }
}

/// How a person gets back to what was checked out.
fn way_back(before: &CheckedOut, now: &CheckedOut) -> String {
    // Where it has committed, the files that were put back differ from its commit, and git would not leave that.
    let (merge, rest) = match before.commit == now.commit {
        true => ("", String::new()),
        false => ("--merge ", format!(", and what it committed stays on {}", now.name())),
    };
    match (&before.branch, &before.commit) {
        (None, Some(commit)) => format!("`git switch {merge}--detach {commit}` goes back{rest}"),
        _ => format!("`git switch {merge}{}` goes back{rest}", before.name()),
    }
}

/// Of what was changed beside a scope that which can be put back: an agent says itself that it has edited it, nobody else
/// held it, and nobody had begun to change it before.
fn certainly_its(strays: &[RepoPath], edited: &Edited, before: &Capture) -> Vec<RepoPath> {
    let was_changed = |path: &RepoPath| before.read_paths().any(|read| read == path);
    strays.iter().filter(|path| edited.contains(path) && !was_changed(path)).cloned().collect()
}
