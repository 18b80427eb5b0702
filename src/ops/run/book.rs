//! What the driver of a run writes.

use super::RunBook;
use crate::{
    base::{oid::Oid, refs::RefLogLine, text},
    host::fault,
    model::run::{Run, Step},
    ops::{Error, Session},
    store::{Durability, Private, RunEvent, StoreError, layout},
};

impl<'s> RunBook<'s> {
    pub(super) fn new(session: &'s Session, run: Run, tip: Option<Oid>, private: Option<Oid>) -> Self {
        let (recorded, writes, linked) = Default::default();
        RunBook { session, run, recorded, tip, private, writes, linked }
    }

    /// The run.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Keeps something in this clone alone. It is written before anything tells of it, and with `durably` before a failure of
    /// the power can take it away, where the repository is to be safe from that.
    ///
    /// # Errors
    /// When it can't be written, or somebody else drives the run.
    pub fn keep(&mut self, entries: Vec<(String, Private)>, subject: &str, durably: bool) -> Result<(), Error> {
        let event = self.event(subject);
        let durability = if durably { self.session.settings.durability } else { Durability::Unsynced };
        let is_durable = durability == Durability::Synced;
        let new = self.session.repository.write_private(self.private.as_ref(), entries, &event, is_durable)?;
        self.move_ref(layout::PRIVATE_RUNS, self.private.as_ref(), &new, &event, durability)?;
        self.private = Some(new);
        Ok(())
    }

    /// Records a change of the run itself, with whatever has changed of its steps.
    ///
    /// # Errors
    /// When it can't be written, or somebody else drives the run.
    pub fn change(&mut self, change: impl FnOnce(&mut Run), steps: &[&Step], subject: &str) -> Result<(), Error> {
        change(&mut self.run);
        self.record(steps, subject)?;
        self.session.sync_soon();
        Ok(())
    }

    /// Records what has changed of its steps.
    ///
    /// # Errors
    /// When it can't be written, or somebody else drives the run.
    pub fn record(&mut self, steps: &[&Step], subject: &str) -> Result<(), Error> {
        self.link(steps);
        let event = self.event(subject);
        let changed = (self.recorded.as_ref() != Some(&self.run)).then_some(&self.run);
        let new = self.session.repository.write_run(self.tip.as_ref(), changed, steps, &event)?;
        // As with the objects: a power failure may take the last of it away, and then that is done again.
        self.move_ref(layout::RUNS, self.tip.as_ref(), &new, &event, Durability::Unsynced)?;
        self.recorded = changed.cloned().or_else(|| self.recorded.take());
        self.tip = Some(new);
        Ok(())
    }

    fn event(&self, subject: &str) -> RunEvent {
        RunEvent { at: self.session.now(), subject: subject.to_owned() }
    }

    fn move_ref(
        &self,
        folder: &str,
        old: Option<&Oid>,
        new: &Oid,
        event: &RunEvent,
        durability: Durability,
    ) -> Result<(), Error> {
        let line = RefLogLine {
            who: self.session.repository.committer(),
            seconds: event.at.timestamp(),
            message: text::one_line(&event.subject.replace('\n', "; "), 200),
        };
        let number = self.writes.get() + 1;
        self.writes.set(number);
        fault::at(&self.session.env, &format!("run-before-{number}"));
        let refs = self.session.refs_kept(durability);
        let moved = refs.compare_and_swap(&format!("{folder}{}", self.run.id), old, new, &line);
        fault::at(&self.session.env, &format!("run-after-{number}"));
        match moved {
            Ok(_) => Ok(()),
            Err(error @ crate::base::refs::RefError::Moved { .. }) => Err(Error::not_allowed(
                format!("{error}: another driver has taken over"),
                format!("`git aio run show {}` tells how far it is", self.run.id),
            )),
            Err(error) => Err(StoreError::from(error).into()),
        }
    }
}
