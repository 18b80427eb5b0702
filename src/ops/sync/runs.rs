//! Runs travel beside the state: what others may see of them, and where `aio.syncRuns` is `full` what they said and did.
//!
//! A run is one chain, which its driver alone writes. So there is nothing to decide as with claims: what goes on from what
//! is here is taken in, and what is here goes to the hub if this clone drives it. A run that is driven here is moved by
//! nothing that the hub says, but for one case: another clone has taken it over, which needs what it said and did, and so
//! can only be where that was sent from here. None of this makes a sync fail.

use super::{exchange::Exchange, hub::HubName};
use crate::{
    base::{
        id::RunId,
        oid::Oid,
        refs::{RefError, RefLogLine, RefStorage},
    },
    host::hub::{
        Answer, Update,
        memory::{Memory, RunsRefused},
    },
    ops::{Error, Session, SyncRuns},
    store::{FileRefs, RefBackend, StoreError, layout},
};
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};

/// Most runs that one sync sends.
const MOST_SENT: usize = 64;

/// Most runs that one sync takes in, the newest first.
const MOST_TAKEN: usize = 200;

/// Of how many runs the hub is told what is here of them, so that it doesn't send that again.
const MOST_TIPS: usize = 16;

/// After how many refusals in a row a host is taken to mean it, and for how long it is left in peace then.
const ENOUGH: u32 = 3;
const PEACE: TimeDelta = TimeDelta::hours(1);

/// Where a chain is kept that its driver had gone on with after another clone had taken the run over.
const OVERTAKEN: [(&str, &str); 2] =
    [(layout::RUNS, "refs/aio-local/overtaken/"), (layout::PRIVATE_RUNS, "refs/aio-local/overtaken-private/")];

/// Where the commit is noted by which this clone is taking a run over: the answer of the hub may get lost on the way.
pub(super) const TAKING: &str = "refs/aio-local/taking/";

/// A ref of a run that the hub is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unsent {
    /// Its name on the hub.
    name: String,
    /// The ref that has what the hub has.
    tracking: String,
    /// What that is.
    there: Option<Oid>,
    /// What it is to be.
    here: Oid,
}

/// One ref of a run, here and on the hub as it was last seen.
#[derive(Debug, Default)]
struct Ends {
    here: Option<Oid>,
    there: Option<Oid>,
}

impl Ends {
    fn differ(&self) -> bool {
        self.here != self.there
    }
}

/// The refs of all runs.
#[derive(Debug, Default)]
struct RunRefs {
    shared: BTreeMap<RunId, Ends>,
    private: BTreeMap<RunId, Ends>,
}

impl RunRefs {
    /// Those whose refs are not the same on both ends, in the order of their beginning.
    fn differing(&self) -> Vec<RunId> {
        let ids = self.shared.iter().chain(&self.private).filter(|(_, ends)| ends.differ()).map(|(id, _)| id);
        let mut ids: Vec<RunId> = ids.collect::<BTreeSet<_>>().into_iter().cloned().collect();
        ids.sort_by_key(RunId::began);
        ids
    }
}

impl Unsent {
    pub(super) fn update(&self) -> Update {
        Update { new: Some(self.here.clone()), name: self.name.clone(), lease: None }
    }
}

impl Session {
    /// What this clone drives and the hub is not known to have, of the oldest runs; private parts first, so that what a
    /// run tells of is there.
    pub(super) fn unsent_runs(&self, name: &HubName, memory: &Memory) -> Result<Vec<Unsent>, Error> {
        if memory.runs_refused.as_ref().is_some_and(|refused| self.is_left_in_peace(refused)) {
            return Ok(Vec::new());
        }
        let refs = self.run_refs(name)?;
        let (mut unsent, mut count) = (Vec::new(), 0);
        for id in refs.differing() {
            if count == MOST_SENT || !self.drives(refs.shared.get(&id).and_then(|ends| ends.here.as_ref())) {
                continue;
            }
            let before = unsent.len();
            let parts = [(&refs.private, "-local/runs/", "local/runs/"), (&refs.shared, "/runs/", "runs/")];
            for (ends, on_hub, tracked) in parts {
                let Some(Ends { here: Some(here), there }) = ends.get(&id).filter(|ends| ends.differ()) else {
                    continue;
                };
                // What the hub has beyond what is here somebody else wrote.
                let goes_on = |there: &Oid| self.repository.run_goes_on(here, there).unwrap_or(false);
                if there.as_ref().is_none_or(goes_on) {
                    unsent.push(Unsent {
                        name: format!("{}{on_hub}{id}", self.settings.ref_prefix),
                        tracking: format!("refs/aio-sync/{}/{tracked}{id}", name.place),
                        there: there.clone(),
                        here: here.clone(),
                    });
                }
            }
            count += usize::from(unsent.len() > before);
        }
        Ok(unsent)
    }

    fn is_left_in_peace(&self, refused: &RunsRefused) -> bool {
        let since = self.now().signed_duration_since(refused.at);
        refused.times >= ENOUGH && since >= TimeDelta::zero() && since < PEACE
    }

    /// Whether this clone drives the run whose newest commit is `tip`.
    fn drives(&self, tip: Option<&Oid>) -> bool {
        let run = tip.and_then(|tip| self.repository.read_run(tip).ok());
        run.is_some_and(|(run, ..)| self.clone_id().is_ok_and(|here| *here == run.driver.clone))
    }

    fn run_refs(&self, name: &HubName) -> Result<RunRefs, Error> {
        let tracked = ["runs/", "local/runs/"].map(|folder| format!("refs/aio-sync/{}/{folder}", name.place));
        let mut folders = vec![layout::RUNS, &tracked[0]];
        if self.settings.sync_runs == SyncRuns::Full {
            folders.extend([layout::PRIVATE_RUNS, &tracked[1]]);
        }
        let mut refs = RunRefs::default();
        for (ref_name, oid) in self.refs().listed(&folders).map_err(StoreError::from)? {
            let id = |folder: &str| ref_name.strip_prefix(folder)?.parse::<RunId>().ok();
            if let Some(id) = id(layout::RUNS) {
                refs.shared.entry(id).or_default().here = Some(oid);
            } else if let Some(id) = id(&tracked[0]) {
                refs.shared.entry(id).or_default().there = Some(oid);
            } else if let Some(id) = id(layout::PRIVATE_RUNS) {
                refs.private.entry(id).or_default().here = Some(oid);
            } else if let Some(id) = id(&tracked[1]) {
                refs.private.entry(id).or_default().there = Some(oid);
            }
        }
        Ok(refs)
    }

    /// Refs of which nothing needs to last: what a failure of power takes is fetched again.
    fn passing_refs(&self) -> Box<dyn RefStorage + '_> {
        match self.repository.ref_backend() {
            RefBackend::Files => Box::new(FileRefs::new(&self.repository, false, |_| {})),
            RefBackend::Git => self.refs(),
        }
    }

    pub(super) fn move_run(&self, name: &str, from: Option<&Oid>, to: &Oid, why: &str) -> Result<(), RefError> {
        let now = self.now().timestamp();
        let line = RefLogLine { who: self.repository.committer(), seconds: now, message: why.to_owned() };
        self.passing_refs().compare_and_swap(name, from, to, &line).map(drop)
    }

    /// Keeps what is here of a run aside, where what comes in its place doesn't stand on it.
    fn set_aside(&self, folder: &str, id: &RunId, here: &Oid) -> Result<(), RefError> {
        let aside = OVERTAKEN.iter().find(|(of, _)| *of == folder).map(|(_, aside)| format!("{aside}{id}"));
        let Some(aside) = aside else { return Ok(()) };
        let before = self.refs().read(&aside)?;
        self.move_run(&aside, before.as_ref(), here, "overtaken")
    }
}

/// What becomes of what the hub has of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is left there.
    Left,
    /// It goes on from what is here.
    Taken,
    /// Another clone has taken the run over, which was driven here.
    Overtaken,
    /// It is not what a run looks like.
    Odd,
}

impl Exchange<'_> {
    /// Takes in what the hub has of runs, as far as that is new and in order.
    pub(super) fn take_in_runs(&mut self) {
        let Ok(refs) = self.session.run_refs(&self.name) else { return };
        let pruned = self.session.pruned_through();
        let (mut taken, mut odd) = (0, 0);
        for id in refs.differing().into_iter().rev() {
            let nothing = Ends::default();
            let (shared, private) =
                (refs.shared.get(&id).unwrap_or(&nothing), refs.private.get(&id).unwrap_or(&nothing));
            // What was let go of here doesn't come back.
            if taken == MOST_TAKEN || shared.here.is_none() && id.began() <= pruned {
                continue;
            }
            match self.fate(&id, shared) {
                Fate::Left => {}
                Fate::Odd => odd += 1,
                fate => {
                    let moved = self.move_to_theirs(layout::PRIVATE_RUNS, &id, private, fate);
                    let moved = moved.and_then(|_| self.move_to_theirs(layout::RUNS, &id, shared, fate));
                    // Where its driver was quicker, that is for the next time.
                    let is_new = moved.unwrap_or(false);
                    taken += usize::from(is_new);
                    self.synced.runs_received += u64::from(is_new);
                    if is_new && fate == Fate::Overtaken {
                        self.synced.overtaken.push(id);
                    }
                }
            }
        }
        self.synced.odd_runs = odd;
    }

    fn fate(&self, id: &RunId, Ends { here, there }: &Ends) -> Fate {
        let repository = &self.session.repository;
        let Some(there) = there else { return Fate::Left };
        if let Some(here) = here
            && repository.run_goes_on(here, there).unwrap_or(false)
        {
            // Nothing is new but, perhaps, what a run of another clone said and did.
            return if self.session.drives(Some(here)) { Fate::Left } else { Fate::Taken };
        }
        let Ok(theirs) = repository.check_run(id, there) else { return Fate::Odd };
        let is_ours = self.session.clone_id().is_ok_and(|ours| *ours == theirs.driver.clone);
        match here {
            // Whoever says so, what this clone drives it knows by itself.
            _ if is_ours && !self.is_being_taken(id, there) => Fate::Left,
            None => Fate::Taken,
            Some(here) if self.session.drives(Some(here)) => {
                let can_be = self.session.settings.sync_runs == SyncRuns::Full && !is_ours;
                if can_be { Fate::Overtaken } else { Fate::Left }
            }
            Some(here) if repository.run_goes_on(there, here).unwrap_or(false) => Fate::Taken,
            Some(_) => Fate::Left,
        }
    }

    /// Whether `there` goes on from where this clone was about to take a run over.
    fn is_being_taken(&self, id: &RunId, there: &Oid) -> bool {
        let taking = self.session.refs().read(&format!("{TAKING}{id}")).ok().flatten();
        taking.is_some_and(|taking| self.session.repository.run_goes_on(there, &taking).unwrap_or(false))
    }

    /// Moves one ref of a run to what the hub has. Whether it has moved.
    fn move_to_theirs(&self, folder: &str, id: &RunId, ends: &Ends, fate: Fate) -> Result<bool, RefError> {
        let (Ends { here, there: Some(there) }, session) = (ends, self.session) else { return Ok(false) };
        if here.as_ref() == Some(there) {
            return Ok(false);
        }
        if let Some(here) = here
            && !session.repository.run_goes_on(there, here).unwrap_or(false)
        {
            if fate != Fate::Overtaken {
                return Ok(false);
            }
            session.set_aside(folder, id, here)?;
        }
        session.move_run(&format!("{folder}{id}"), here.as_ref(), there, "sync").map(|()| true)
    }

    /// Commits of runs that the hub has, of the newest: what has come of them since needs no more than that.
    pub(super) fn tips_of_runs(&self) -> Vec<Oid> {
        if self.session.repository.ref_backend() != RefBackend::Files {
            return Vec::new();
        }
        let Ok(refs) = self.session.run_refs(&self.name) else { return Vec::new() };
        let mut tips: Vec<(u64, Oid)> = Vec::new();
        for (id, ends) in refs.shared.into_iter().chain(refs.private) {
            tips.extend(ends.there.map(|there| (id.began(), there)));
        }
        tips.sort_by_key(|(began, _)| std::cmp::Reverse(*began));
        tips.into_iter().take(MOST_TIPS).map(|(_, tip)| tip).collect()
    }

    /// Takes in what is new of runs, and tells what is to be sent of them.
    pub(super) fn exchange_runs(&mut self) -> Vec<Unsent> {
        // Mostly they are the same on both ends, and then there is no need to look twice.
        if self.session.run_refs(&self.name).is_ok_and(|refs| refs.differing().is_empty()) {
            return Vec::new();
        }
        self.take_in_runs();
        self.session.unsent_runs(&self.name, &self.memory).unwrap_or_default()
    }

    /// Notes what the hub has made of runs that it was offered; `None` where it gave no answer.
    pub(super) fn note_runs(&mut self, offered: &[Unsent], answers: Option<&[Answer]>, why: &str) {
        let mut refused = (!offered.is_empty()).then(|| why.to_owned());
        for (unsent, answer) in offered.iter().zip(answers.unwrap_or_default()) {
            match answer {
                Answer::Taken => {
                    // The hub has it, whether or not that can be noted: then the next fetch does.
                    let there = unsent.there.as_ref();
                    let _ = self.session.move_run(&unsent.tracking, there, &unsent.here, "sync");
                    self.synced.runs_pushed += u64::from(!unsent.tracking.contains("/local/runs/"));
                    refused = None;
                }
                Answer::Refused(why) => refused = refused.map(|_| why.clone()),
            }
        }
        if offered.is_empty() {
            return;
        }
        let times = self.memory.runs_refused.as_ref().map_or(0, |before| before.times).saturating_add(1);
        let at = self.session.now();
        self.memory.runs_refused = refused.map(|why| RunsRefused { at, times, why });
        self.synced.runs_refused = self.memory.runs_refused.as_ref().map(|refused| refused.why.clone());
    }
}
