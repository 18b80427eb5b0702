//! Watching the other clones: what each fetch shows of them, and what that says of who works in them.
//!
//! Only changes count, and only our own clock: a clone from which nothing new comes for long, over more than one fetch,
//! is taken to be gone. Whatever it said of the time was said by a clock that may show anything.

use super::exchange::Exchange;
use crate::{
    base::{
        id::{CloneId, InstanceId},
        oid::Oid,
        world::Time,
    },
    host::hub::memory::{Sighting, Term, Unnamed, Watch},
    model::{
        claim::Claim,
        instance::Instance,
        liveness::{Afar, Presence, Watched},
        op::{Action, Op},
        view::View as _,
    },
    ops::{Error, Session, StoreError},
    store::{ClonePresence, Extent, MOST_NAMED, Snapshot, log::Entry},
};
use chrono::TimeDelta;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    rc::Rc,
};

/// What was seen of the other clones, as of a moment of this boot.
#[derive(Debug)]
pub(in crate::ops) struct Watching {
    watch: Watch,
    /// Now, in seconds since the boot.
    now: u64,
}

impl Session {
    /// What was seen of the other clones since this machine was started.
    fn watching(&self) -> Rc<Watching> {
        if let Some(known) = &*self.watching.borrow() {
            return Rc::clone(known);
        }
        let moment = self.moment();
        let watch = self.hub_name().map(|name| self.memory_file(&name).read().watch);
        let watch = watch.filter(|watch| watch.boot == moment.boot && watch.looked <= moment.at).unwrap_or_default();
        let watching = Rc::new(Watching { watch, now: moment.at });
        self.watching.replace(Some(Rc::clone(&watching)));
        watching
    }

    /// For one who waits: what another process has seen meanwhile counts from now on.
    pub(in crate::ops) fn look_again(&self) {
        self.watching.replace(None);
    }

    /// What is seen of an instance of another clone, and when something last was, by our clock.
    pub(in crate::ops) fn afar(&self, instance: &Instance) -> (Afar, Time) {
        let watching = self.watching();
        let Watching { watch, now } = &*watching;
        let Some(sighting) = watch.clones.get(instance.clone.as_str()) else {
            return (Afar::default(), instance.since);
        };
        let id = instance.id.as_str();
        let watched = |times, since| Watched { times, lasted: seconds(watch.looked.saturating_sub(since)) };
        let afar = Afar {
            unchanged: watched(sighting.times, sighting.since),
            unnamed: sighting.unnamed.get(id).map(|unnamed| watched(unnamed.times, unnamed.since)).unwrap_or_default(),
            idle: sighting.idle.contains(id),
        };
        let ago = seconds(now.saturating_sub(sighting.since));
        (afar, self.now().checked_sub_signed(ago).unwrap_or(instance.since))
    }

    /// Whether nobody is known to work in another clone: nothing has come from it for long, or it has nobody on the
    /// register.
    pub(super) fn is_silent(&self, clone: &CloneId) -> bool {
        let watching = self.watching();
        let Watching { watch, .. } = &*watching;
        let Some(sighting) = watch.clones.get(clone.as_str()) else { return watch.looked > 0 };
        let lasted = seconds(watch.looked.saturating_sub(sighting.since));
        let unchanged = Watched { times: sighting.times, lasted };
        Afar { unchanged, ..Afar::default() }.is_gone(self.settings.patience.stale_elsewhere)
    }

    /// Whether a claim of another clone has lasted as long as it was granted for, since we first saw it.
    pub(in crate::ops) fn is_over_elsewhere(&self, claim: &Claim) -> bool {
        let Some(until) = claim.until else { return false };
        let watching = self.watching();
        let watch = &watching.watch;
        let seen = watch.terms.get(claim.id.as_str()).filter(|term| term.until == until);
        // One that was there before we began to look, perhaps renewed since it was granted: then it lasts longer here.
        let (since, lasts) =
            seen.map_or_else(|| (watch.since, span(claim.since, until)), |term| (term.since, term.lasts));
        !watch.boot.is_empty() && watch.looked.saturating_sub(since) > lasts
    }
}

impl Exchange<'_> {
    /// After a fetch, which brought `theirs`: notes what has changed of the other clones, and what has not. What can't
    /// be read shows nothing, and is no reason not to sync.
    pub(super) fn look(&mut self, theirs: Option<&Oid>) {
        self.note_presences();
        if let Ok(watch) = self.seen(theirs) {
            let now = watch.looked;
            self.session.watching.replace(Some(Rc::new(Watching { watch: watch.clone(), now })));
            self.memory.watch = watch;
        }
    }

    fn seen(&self, theirs: Option<&Oid>) -> Result<Watch, Error> {
        let session = self.session;
        let moment = session.moment();
        let at = moment.at;
        let mut watch = self.memory.watch.clone();
        if watch.boot != moment.boot || at < watch.looked {
            // Nothing that was counted before the machine was started says how long ago that is.
            watch = Watch { boot: moment.boot, since: at, through: watch.through, ..Watch::default() };
        }
        watch.looked = at;
        if let Some(theirs) = theirs {
            let snapshot = session.repository.snapshot_at(theirs.clone())?;
            let mut others: HashMap<CloneId, BTreeSet<InstanceId>> = HashMap::new();
            for instance in snapshot.instances(Extent::All, |instance| session.is_elsewhere(instance))?.records {
                others.entry(instance.clone).or_default().insert(instance.id);
            }
            let news = News::since(&mut watch, session.repository.log(theirs), &others, &snapshot);
            let mut before = std::mem::take(&mut watch.clones);
            for (clone, registered) in others {
                let before = before.remove(clone.as_str());
                let known = before.as_ref().and_then(|sighting| sighting.presence.as_deref());
                let presence = self.presence_of(&clone).filter(|oid| Some(oid.as_str()) != known);
                // What can't be read, and what another clone is said to be, says nothing.
                let presence = presence.and_then(|oid| Some((session.repository.read_presence(&oid).ok()?, oid)));
                let presence = presence.filter(|(presence, _)| presence.clone == clone);
                let sight = Sight { presence, operation: news.last_of.get(&clone).copied(), acted: &news.acted };
                watch.clones.insert(clone.to_string(), sighted(before, &sight, &registered, at));
            }
        }
        Ok(watch)
    }

    fn presence_of(&self, clone: &CloneId) -> Option<Oid> {
        self.session.refs().read(&self.hub.tracking(&format!("presence/{clone}"))).ok().flatten()
    }
}

/// What the operations that came with a fetch show.
#[derive(Debug, Default)]
struct News {
    /// The newest operation of each clone, by its number.
    last_of: HashMap<CloneId, u64>,
    /// The instances that did any.
    acted: HashSet<InstanceId>,
}

impl News {
    /// Goes through the operations that `watch` has not looked at, the newest of the `log` that led to `snapshot`.
    fn since(
        watch: &mut Watch,
        log: impl Iterator<Item = Result<Entry, StoreError>>,
        others: &HashMap<CloneId, BTreeSet<InstanceId>>,
        snapshot: &Snapshot<'_>,
    ) -> News {
        let mut news = News::default();
        let (from, at) = (std::mem::replace(&mut watch.through, snapshot.seq()), watch.looked);
        let clone_of: HashMap<&InstanceId, &CloneId> =
            others.iter().flat_map(|(clone, ids)| ids.iter().map(move |id| (id, clone))).collect();
        // Who looks for the first time sees what there is, and nothing come about.
        let mut all_seen = from > 0;
        if from > 0 && from < snapshot.seq() {
            let (mut joined, mut clear) = (false, true);
            for entry in log.map_while(Result::ok) {
                joined = entry.seq <= from;
                if joined {
                    break;
                }
                // What these have granted is not told by themselves.
                let tells =
                    |op: &Op| !matches!(op.action, Action::Compact { .. } | Action::Recover | Action::Repair { .. });
                clear &= entry.op.as_ref().is_some_and(tells);
                let Some(op) = entry.op else { continue };
                let Some((by, clone)) = op.by.as_ref().and_then(|by| Some((by, clone_of.get(by)?))) else { continue };
                news.acted.insert(by.clone());
                news.last_of.entry((*clone).clone()).or_insert(entry.seq);
                let granted = granted_for_a_time(&op, by, snapshot);
                clear &= granted.is_ok();
                for (claim, until) in granted.unwrap_or_default() {
                    let known = watch.terms.get(claim.id.as_str()).is_some_and(|term| term.until == until);
                    if !known {
                        let term = Term { until, lasts: span(op.at, until), since: at };
                        watch.terms.insert(claim.id.to_string(), term);
                    }
                }
            }
            forget_ended(&mut watch.terms, snapshot);
            all_seen = joined && clear;
        }
        if !all_seen {
            // Claims may have been granted that nobody showed us: all that are not known count from now.
            watch.since = at;
        }
        news
    }
}

/// The claims in force that `op` of `by` granted for a time, and until when.
fn granted_for_a_time(op: &Op, by: &InstanceId, snapshot: &Snapshot<'_>) -> Result<Vec<(Claim, Time)>, Error> {
    let mut granted = Vec::new();
    match &op.action {
        Action::Claim { wants, .. } => {
            for want in wants.iter().filter(|want| want.until.is_some()) {
                let mut near = snapshot.claims_near(&want.scope)?;
                near.retain(|claim| claim.scope == want.scope && claim.is_held_by(by) && claim.until == want.until);
                granted.append(&mut near);
            }
        }
        Action::Settle { claims, .. } => {
            for grant in claims {
                granted.extend(snapshot.claim(&grant.claim)?);
            }
        }
        _ => {}
    }
    Ok(granted.into_iter().filter_map(|claim| claim.until.map(|until| (claim, until))).collect())
}

fn forget_ended(terms: &mut BTreeMap<String, Term>, snapshot: &Snapshot<'_>) {
    terms.retain(|id, term| {
        let claim = id.parse().ok().and_then(|id| snapshot.claim(&id).ok()?);
        claim.is_some_and(|claim| claim.until == Some(term.until))
    });
}

/// What one look showed of a clone.
struct Sight<'n> {
    /// What it says, where that is another thing than before.
    presence: Option<(ClonePresence, Oid)>,
    /// Its newest operation among those that came.
    operation: Option<u64>,
    /// The instances that did any of those.
    acted: &'n HashSet<InstanceId>,
}

/// What is known of a clone whose instances on the register are `registered`, after a look at the moment `at`.
fn sighted(before: Option<Sighting>, sight: &Sight<'_>, registered: &BTreeSet<InstanceId>, at: u64) -> Sighting {
    let changed = before.is_none() || sight.presence.is_some() || sight.operation.is_some();
    let mut sighting = before.unwrap_or_default();
    if changed {
        (sighting.since, sighting.times) = (at, 0);
    }
    sighting.times = sighting.times.saturating_add(1);
    sighting.operation = sight.operation.or(sighting.operation);
    if let Some((presence, oid)) = &sight.presence {
        sighting.presence = Some(oid.to_string());
        let named: HashMap<&InstanceId, Presence> = presence.instances.iter().map(|(id, state)| (id, *state)).collect();
        let idle = registered.iter().filter(|id| named.get(id) == Some(&Presence::Idle));
        sighting.idle = idle.map(ToString::to_string).collect();
        for id in registered {
            if named.contains_key(id) || named.len() >= MOST_NAMED {
                sighting.unnamed.remove(id.as_str());
            } else {
                let new = || Unnamed { since: at, times: 0 };
                let unnamed = sighting.unnamed.entry(id.to_string()).or_insert_with(new);
                unnamed.times = unnamed.times.saturating_add(1);
            }
        }
    }
    let waits = |id: &String| id.parse().is_ok_and(|id| registered.contains(&id) && !sight.acted.contains(&id));
    sighting.unnamed.retain(|id, _| waits(id));
    sighting.idle.retain(waits);
    sighting
}

/// How long from `since` to `until`, in seconds; none where that is backwards.
fn span(since: Time, until: Time) -> u64 {
    u64::try_from(until.signed_duration_since(since).num_seconds()).unwrap_or(0)
}

/// So many seconds, as far as a span goes.
pub(super) fn seconds(seconds: u64) -> TimeDelta {
    i64::try_from(seconds).ok().and_then(TimeDelta::try_seconds).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids<const N: usize>(names: [&str; N]) -> BTreeSet<InstanceId> {
        names.into_iter().map(id).collect()
    }

    fn id(name: &str) -> InstanceId {
        format!("{name}-1700000000-a3f2").parse().expect("an id")
    }

    type Told = Option<(ClonePresence, Oid)>;

    fn told(counter: u64, instances: &[(&str, Presence)]) -> Told {
        let clone = "0123456789abcdef".parse().expect("an id");
        let instances = instances.iter().map(|(name, state)| (id(name), *state)).collect();
        Some((ClonePresence { clone, counter, instances }, format!("{counter:040x}").parse().expect("a name")))
    }

    /// What is known after these looks, each with its moment, what the clone told anew, and its newest operation.
    fn after(looks: Vec<(u64, Told, Option<u64>)>) -> Sighting {
        let registered = ids(["claude", "codex"]);
        let look = |before, (at, presence, operation)| {
            let acted = HashSet::new();
            Some(sighted(before, &Sight { presence, operation, acted: &acted }, &registered, at))
        };
        looks.into_iter().fold(None, look).expect("a look")
    }

    fn unchanged(sighting: &Sighting) -> (u64, u32) {
        (sighting.since, sighting.times)
    }

    #[test]
    fn what_is_new_starts_the_count_again_and_what_is_not_goes_on() {
        let both = [("claude", Presence::Live), ("codex", Presence::Idle)];
        let quiet = |at| (at, None, None);
        assert_eq!(unchanged(&after(vec![quiet(5)])), (5, 1), "a clone without presence counts from when it is seen");
        assert_eq!(unchanged(&after(vec![quiet(5), quiet(9)])), (5, 2));
        let beaten = after(vec![quiet(5), (7, told(1, &both), None), quiet(9), quiet(11)]);
        assert_eq!(unchanged(&beaten), (7, 3));
        assert_eq!(beaten.idle, BTreeSet::from([id("codex").to_string()]));
        let acted = after(vec![(7, told(1, &both), None), quiet(9), (11, None, Some(4))]);
        assert_eq!((unchanged(&acted), acted.operation), ((11, 1), Some(4)));
    }

    #[test]
    fn one_that_is_not_named_counts_by_what_is_told_anew() {
        let claude = [("claude", Presence::Live)];
        let unnamed =
            |looks| after(looks).unnamed.into_iter().map(|(id, u)| (id, u.since, u.times)).collect::<Vec<_>>();
        let codex = |since, times| vec![(id("codex").to_string(), since, times)];
        let quiet = (9, None, None);
        assert_eq!(unnamed(vec![(1, told(1, &claude), None), quiet.clone()]), codex(1, 1));
        assert_eq!(unnamed(vec![(1, told(1, &claude), None), quiet, (11, told(2, &claude), None)]), codex(1, 2));
        let named = (11, told(2, &[("claude", Presence::Live), ("codex", Presence::Live)]), None);
        assert_eq!(unnamed(vec![(1, told(1, &claude), None), named]), []);
    }

    #[test]
    fn whoever_acts_is_there_though_nobody_names_it_and_who_left_is_forgotten() {
        let (nobody, codex) = (HashSet::new(), HashSet::from([id("codex")]));
        let both = ids(["claude", "codex"]);
        let sight = |presence, acted| Sight { presence, operation: None, acted };
        let first = sighted(None, &sight(told(1, &[]), &nobody), &both, 1);
        assert_eq!(first.unnamed.len(), 2);
        let next = sighted(Some(first), &sight(None, &codex), &both, 2);
        assert_eq!(next.unnamed.into_keys().collect::<Vec<_>>(), [id("claude").to_string()]);
        let first = sighted(None, &sight(told(1, &[]), &nobody), &both, 1);
        assert_eq!(sighted(Some(first), &sight(None, &nobody), &ids([]), 2).unnamed.len(), 0);
    }

    #[test]
    fn a_full_list_may_leave_somebody_out() {
        let (nobody, here) = (HashSet::new(), ids(["claude"]));
        let (mut presence, oid) = told(1, &[]).expect("some");
        presence.instances = (0..MOST_NAMED).map(|n| (id(&format!("x{n}")), Presence::Live)).collect();
        let sight = Sight { presence: Some((presence, oid)), operation: None, acted: &nobody };
        assert!(sighted(None, &sight, &here, 1).unnamed.is_empty());
    }

    #[test]
    fn spans_are_never_backwards_and_never_too_long() {
        let (early, late) = (Time::UNIX_EPOCH, Time::UNIX_EPOCH + TimeDelta::hours(8));
        assert_eq!((span(early, late), span(late, early)), (8 * 3600, 0));
        assert_eq!((seconds(60), seconds(u64::MAX)), (TimeDelta::minutes(1), TimeDelta::MAX));
    }
}
