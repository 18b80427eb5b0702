//! What the command of an agent's shell has changed: no hook is told that, so the work tree is looked at before and
//! after.

use crate::{
    host::sighting::Sighting,
    ops::{Error, Guard, Session, guard::Verdict},
};

impl Session {
    /// Remembers what the work tree looks like, before a command of the agent runs. It is a sign of life, too.
    ///
    /// # Errors
    /// When git can't tell, or it can't be written down.
    pub fn look_before_command(&self) -> Result<(), Error> {
        let Some(me) = self.asking(&self.snapshot()?)?.instance().cloned() else { return Ok(()) };
        if self.settings.guard == Guard::Off {
            return Ok(());
        }
        let Some(tree) = self.repository.work_tree() else { return Ok(()) };
        let sighting = Sighting::of(&tree, self.git().status()?);
        sighting
            .remember(self.repository.common_dir(), self.repository.sharing(), &me)
            .map_err(Error::file("what the work tree looked like can't be written down"))
    }

    /// Judges what has changed in the work tree since the agent's command began. What is free is claimed for it, where
    /// `aio.autoClaim` says so. It may have been somebody else who changed it: that can't be seen.
    ///
    /// # Errors
    /// When git or the store can't tell.
    pub fn judge_command(&self) -> Result<Verdict, Error> {
        let snapshot = self.snapshot()?;
        let who = self.who(&snapshot)?;
        let (Some(me), Some(tree)) = (who.instance(), self.repository.work_tree()) else {
            return Ok(Verdict::default());
        };
        if self.settings.guard == Guard::Off {
            return Ok(Verdict::default());
        }
        let Some(before) = Sighting::remembered(self.repository.common_dir(), me) else {
            return Ok(Verdict::default());
        };
        let changed = Sighting::of(&tree, self.git().status()?).changed_since(&before);
        let changed = self.as_claimed(changed);
        let (mut verdict, unclaimed) = self.judge(&changed, &who, &snapshot)?;
        if self.settings.auto_claim && !who.is_person() {
            let wanted = self.worth_claiming(unclaimed)?;
            verdict.refused.extend(self.claim_automatically(who, &wanted)?);
        } else {
            self.object_to_unclaimed(&who, unclaimed, &mut verdict);
        }
        Ok(verdict)
    }
}
