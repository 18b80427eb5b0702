//! What the command of an agent's shell has changed: no hook is told that, so the work tree is looked at before and
//! after.

use crate::{
    base::id::InstanceId,
    host::sighting::{Changes, Sighting},
    ops::{Error, Guard, Session, guard::Verdict},
};
use std::path::Path;

/// Most files that are claimed because a command changed them. Each takes the disk about a millisecond, for which the agent
/// waits; and where there are more it is a folder that is worked on.
const MOST_CLAIMED: usize = 200;

impl Session {
    /// Remembers what the work tree looks like, before a command of the agent runs. It is a sign of life, too.
    ///
    /// That it can't be remembered, as where too much has changed, is no reason to stop a command: it runs unwatched.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn look_before_command(&self) -> Result<(), Error> {
        let Some(me) = self.asking(&self.snapshot()?)?.instance().cloned() else { return Ok(()) };
        let Some(tree) = self.repository.work_tree().filter(|_| self.settings.guard != Guard::Off) else {
            return Ok(());
        };
        let sighting = match self.sighting_of(&me).filter(|last| last.is_in_use(&tree)) {
            Some(last) => Ok(last),
            None => self.git().status().map(|status| Sighting::of(&tree, &status)),
        };
        let common_dir = self.repository.common_dir();
        let kept = sighting.map_err(Error::from).and_then(|sighting| {
            let sharing = self.repository.sharing();
            sighting.with_one_more_running().remember(common_dir, sharing, &me).map_err(Error::file("it can't be kept"))
        });
        if kept.is_err() {
            Sighting::forget(common_dir, &me);
        }
        Ok(())
    }

    /// Judges what has changed in the work tree since the agent's command began. What is changed and free is claimed for
    /// it, where `aio.autoClaim` says so, if it isn't too much. It may have been somebody else who changed it: that can't be
    /// seen.
    ///
    /// # Errors
    /// When git or the store can't tell.
    pub fn judge_command(&self) -> Result<Verdict, Error> {
        let snapshot = self.snapshot()?;
        let who = self.asking(&snapshot)?;
        let (Some(me), Some(tree)) = (who.instance().cloned(), self.repository.work_tree()) else {
            return Ok(Verdict::default());
        };
        if self.settings.guard == Guard::Off {
            return Ok(Verdict::default());
        }
        let Changes { dirty, restored } = self.changes_by_command(&me, &tree)?;
        let dirty = self.as_claimed(dirty);
        let (mut verdict, unclaimed) = self.judge(&dirty, &who, &snapshot)?;
        // What somebody else had changed, and is as it was committed: that work may be lost.
        let (of_others, _) = self.judge(&self.as_claimed(restored), &who, &snapshot)?;
        verdict.join(of_others);
        if self.is_in_run(&who) {
            verdict.refused.extend(self.beside_scope(unclaimed)?);
        } else if self.settings.auto_claim && !who.is_person() {
            let wanted = self.worth_claiming(unclaimed)?;
            if wanted.len() > MOST_CLAIMED {
                verdict.left_unclaimed = wanted.len();
                return Ok(verdict);
            }
            verdict.refused.extend(self.claim_automatically(who, &wanted)?);
        } else {
            self.object_to_unclaimed(&who, unclaimed, &mut verdict);
        }
        Ok(verdict)
    }

    /// Forgets what the work tree looked like: while the agent waits, no command of it runs, whatever was told of its
    /// end.
    pub(super) fn stop_looking(&self, me: &InstanceId) {
        Sighting::forget(self.repository.common_dir(), me);
    }

    fn changes_by_command(&self, me: &InstanceId, tree: &Path) -> Result<Changes, Error> {
        let Some(before) = self.sighting_of(me) else { return Ok(Changes::default()) };
        let now = Sighting::of(tree, &self.git().status()?);
        let changes = now.changes_since(&before);
        let now = now.with_one_fewer_running(&before);
        let kept =
            now.is_in_use(tree).then(|| now.remember(self.repository.common_dir(), self.repository.sharing(), me));
        if !matches!(kept, Some(Ok(()))) {
            self.stop_looking(me);
        }
        Ok(changes)
    }

    fn sighting_of(&self, me: &InstanceId) -> Option<Sighting> {
        Sighting::remembered(self.repository.common_dir(), me)
    }
}
