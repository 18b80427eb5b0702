//! Clones that are gone for good: what they said of who is there stays on the hub till somebody removes it.
//!
//! Whoever sees the same for a month does. It is our own clock that counts, over restarts of the machine, and it need
//! not be right: a clone that comes back says anew who is there, and loses nothing by it.

use super::exchange::Exchange;
use crate::{
    base::oid::Oid,
    host::hub::{Answer, Update, memory::Unchanged},
};
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// After how long what a clone says is removed if it is always the same.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::days(30);

impl Exchange<'_> {
    /// After a fetch: notes since when each of the other clones says the same.
    pub(super) fn note_presences(&mut self) {
        let (now, here) = (self.session.now(), self.session.clone_id().ok());
        let prefix = self.hub.tracking("presence/");
        let Ok(fetched) = self.session.refs().listed(&[&prefix]) else { return };
        let mut known = std::mem::take(&mut self.memory.presences);
        let mut noted = BTreeMap::new();
        for (name, oid) in fetched {
            let clone = name.strip_prefix(&prefix).unwrap_or(&name);
            if here.is_some_and(|here| here.as_str() == clone) {
                continue;
            }
            let before = known.remove(clone).filter(|known| known.oid == oid.as_str() && known.since <= now);
            let since = before.map_or(now, |known| known.since);
            noted.insert(clone.to_owned(), Unchanged { oid: oid.to_string(), since });
        }
        self.memory.presences = noted;
    }

    /// Removes from the hub what clones say that are gone, if they have not said another thing meanwhile. What the hub
    /// doesn't allow is tried again as late as if it had been said now, and is no failure.
    pub(super) fn forget_the_gone(&mut self) {
        let now = self.session.now();
        let is_old = |known: &Unchanged| now.signed_duration_since(known.since) >= FORGOTTEN_AFTER;
        let gone = |(clone, known): (&String, &Unchanged)| {
            let oid: Oid = known.oid.parse().ok()?;
            is_old(known).then(|| (clone.clone(), oid))
        };
        let gone: Vec<(String, Oid)> = self.memory.presences.iter().filter_map(gone).collect();
        if gone.is_empty() {
            return;
        }
        let update = |(clone, oid): &(String, Oid)| Update {
            new: None,
            name: self.hub.presence(clone),
            lease: Some(Some(oid.clone())),
        };
        let answers = self.hub.push(&gone.iter().map(update).collect::<Vec<_>>()).unwrap_or_default();
        for (nth, (clone, _)) in gone.iter().enumerate() {
            match answers.get(nth) {
                Some(Answer::Taken) => drop(self.memory.presences.remove(clone)),
                _ => drop(self.memory.presences.get_mut(clone).map(|known| known.since = now)),
            }
        }
    }
}
