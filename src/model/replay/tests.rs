//! Random histories of several clones and a hub: offline periods, races, kills, cuts of the history, and whatever their
//! instances may do, against what was meant.
//!
//! The default run tries 2,000 histories, `AIO_TEST_CAMPAIGN=1` 50,000. One that fails is made smaller, printed, and
//! kept by its seed below `proptest-regressions`, to be tried again by every later run.

use super::*;
use crate::{
    base::id::{ClaimId, CloneId, Domain, OpId, TaskId},
    model::{
        apply::{Applied, Change, apply},
        claim::{EndReason, Mode},
        op::Right,
        task::Task,
        trial::*,
    },
};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

const CLONES: usize = 3;

/// The names of tasks. The first is among the scopes.
const TASKS: [&str; 2] = ["T-1", "T-2"];

/// The instances 0 and 1 are in the first clone, 2 and 3 in the second, and so on.
const INSTANCES: usize = 2 * CLONES;

/// An operation where it was done.
struct Commit {
    op: Op,
    was: Memory,
    state: Memory,
    /// The tip that was cut off, where it begins an epoch.
    cut_from: Option<Link>,
}

type Link = Rc<Commit>;

type Chain = Vec<Link>;

/// A clone: what it did, what it has fetched and not gone on with, what it knows the hub to have taken.
#[derive(Default)]
struct Clone {
    chain: Chain,
    fetched: Option<Chain>,
    base: Option<Link>,
    /// Whether the hub has taken what it was not heard to have taken.
    unheard: bool,
}

/// The clones, the hub between them, and what was meant by what was done.
struct World {
    scopes: Vec<Scope>,
    clones: Vec<Clone>,
    hub: Chain,
    n: u64,
    /// What each operation was when it was done first.
    meant: BTreeMap<String, Action>,
    /// Claims that were granted where they were asked for, and to whom, and that nobody has let go of or ended.
    granted: BTreeMap<String, (usize, Scope, Mode)>,
    /// The operations that the hub has taken, by their numbers.
    numbered: BTreeMap<u64, OpId>,
    taken: BTreeSet<String>,
}

/// Where a sync ends that doesn't come to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    Whole,
    Fetched,
    /// The clone has what the hub has, and hasn't remembered that.
    Adopted,
    /// The hub has it, and that wasn't heard.
    Pushed,
}

#[derive(Debug, Clone)]
enum Try {
    Claim { scopes: Vec<usize>, shared: bool, evict: bool },
    Release { nth: usize },
    ReleaseAll,
    LetGo,
    Force { nth: usize },
    Handoff,
    Settle { nth: usize, how: Settlement },
    Leave,
    EndOther,
    Come,
    Make { task: usize },
    Finish { task: usize, force: bool },
}

#[derive(Debug, Clone)]
enum Step {
    /// An instance does something; `strict`: only if the hub confirms it.
    Act {
        by: usize,
        what: Try,
        strict: bool,
    },
    /// A clone syncs, alone at it.
    Sync {
        clone: usize,
        ending: Ending,
    },
    /// A clone fetches, and goes on when others may have been quicker.
    Fetch {
        clone: usize,
    },
    Push {
        clone: usize,
    },
    /// A clone that has synced cuts the history.
    Cut {
        clone: usize,
    },
}

fn steps() -> impl Strategy<Value = Step> {
    let how = prop_oneof![Just(Settlement::Accept), Just(Settlement::Decline), Just(Settlement::Done)];
    let what = prop_oneof![
        8 => (proptest::collection::vec(0..scopes().len(), 1..3), prop::bool::weighted(0.3), prop::bool::weighted(0.1))
            .prop_map(|(scopes, shared, evict)| Try::Claim { scopes, shared, evict }),
        2 => (0..8_usize).prop_map(|nth| Try::Release { nth }),
        1 => Just(Try::ReleaseAll),
        1 => Just(Try::LetGo),
        1 => (0..8_usize).prop_map(|nth| Try::Force { nth }),
        2 => Just(Try::Handoff),
        3 => (0..4_usize, how).prop_map(|(nth, how)| Try::Settle { nth, how }),
        1 => Just(Try::Leave),
        1 => Just(Try::EndOther),
        1 => Just(Try::Come),
        2 => (0..TASKS.len()).prop_map(|task| Try::Make { task }),
        3 => (0..TASKS.len(), prop::bool::weighted(0.2)).prop_map(|(task, force)| Try::Finish { task, force }),
    ];
    let ending = prop_oneof![
        6 => Just(Ending::Whole),
        1 => Just(Ending::Fetched),
        1 => Just(Ending::Adopted),
        1 => Just(Ending::Pushed),
    ];
    prop_oneof![
        12 => (0..INSTANCES, what, prop::bool::weighted(0.2)).prop_map(|(by, what, strict)| Step::Act { by, what, strict }),
        4 => (0..CLONES, ending).prop_map(|(clone, ending)| Step::Sync { clone, ending }),
        2 => (0..CLONES).prop_map(|clone| Step::Fetch { clone }),
        2 => (0..CLONES).prop_map(|clone| Step::Push { clone }),
        1 => (0..CLONES).prop_map(|clone| Step::Cut { clone }),
    ]
}

fn member(n: usize) -> Instance {
    Instance { clone: clone_id(n / 2), ..instance(n) }
}

fn clone_id(clone: usize) -> CloneId {
    CloneId::random([u8::try_from(clone).expect("few") + 1; 8])
}

fn state(chain: &[Link]) -> Memory {
    chain.last().map(|commit| commit.state.clone()).unwrap_or_default()
}

fn is_tip(chain: &[Link], of: &[Link]) -> bool {
    match (chain.last(), of.last()) {
        (Some(a), Some(b)) => Rc::ptr_eq(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Does `op` on top of `chain`, if the rules allow it.
fn append(chain: &mut Chain, op: &Op) -> Option<Applied> {
    let was = state(chain);
    let Ok(outcome) = apply(&was, op);
    let applied = outcome.ok()?;
    let mut state = was.clone();
    applied.changes.iter().for_each(|change| state.change(change.clone()));
    state.seq += 1;
    chain.push(Rc::new(Commit { op: op.clone(), was, state, cut_from: None }));
    Some(applied)
}

impl World {
    fn new() -> World {
        let mut world = World {
            scopes: scopes(),
            clones: (0..CLONES).map(|_| Clone::default()).collect(),
            hub: Chain::new(),
            n: 0,
            meant: BTreeMap::new(),
            granted: BTreeMap::new(),
            numbered: BTreeMap::new(),
            taken: BTreeSet::new(),
        };
        for clone in 0..CLONES {
            let domain = Domain::random([u8::try_from(clone).expect("few"); 16]);
            let create = world.op(None, Action::Create { domain, folds_case: false });
            append(&mut world.clones[clone].chain, &create).expect("the first");
            for by in [2 * clone, 2 * clone + 1] {
                world.act(by, Action::Register(member(by)));
            }
        }
        world
    }

    fn op(&mut self, by: Option<usize>, action: Action) -> Op {
        self.n += 1;
        Op { id: OpId::random(u128::from(self.n).to_be_bytes()), at: at(self.n), by: by.map(id), action }
    }

    /// Something is done in the clone of `by`, without asking anybody.
    fn act(&mut self, by: usize, action: Action) {
        let op = self.op(Some(by), action);
        let mut chain = self.clones[by / 2].chain.clone();
        if let Some(applied) = append(&mut chain, &op).filter(|applied| !applied.changes.is_empty()) {
            let at = chain.len() - 1;
            self.clones[by / 2].chain = chain;
            let was = state(&self.clones[by / 2].chain[..at]);
            self.mean(by, &was, op, &applied);
        }
    }

    /// Remembers what was meant by what has just been done.
    fn mean(&mut self, by: usize, was: &Memory, op: Op, applied: &Applied) {
        for change in &applied.changes {
            match change {
                // Under whatever name it was granted first.
                Change::DropClaim(claim) => self.gone(claim),
                // One record tells of all that was lost on a scope.
                Change::DropEnded(who, claim) => {
                    let told = was.ended.get(&(who.to_string(), claim.to_string())).map(|told| &told.claim.scope);
                    self.granted.retain(|granted, (holder, scope, _)| {
                        granted != claim.as_str() && (id(*holder) != *who || Some(&*scope) != told)
                    });
                }
                Change::PutClaim(claim) if !claim.is_held_by(&id(by)) => {
                    was.claims.get(claim.id.as_str()).into_iter().for_each(|claim| self.gone(claim));
                }
                Change::DropInstance(gone) => self.granted.retain(|_, (holder, _, _)| id(*holder) != *gone),
                _ => {}
            }
        }
        for claim in &applied.granted {
            self.granted.insert(claim.id.to_string(), (by, claim.scope.clone(), claim.mode));
        }
        self.meant.insert(op.id.to_string(), op.action);
    }

    fn gone(&mut self, claim: &Claim) {
        self.granted.retain(|granted, (holder, scope, _)| {
            granted != claim.id.as_str() && (!claim.is_held_by(&id(*holder)) || *scope != claim.scope)
        });
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Act { by, what, strict } => self.attempt(*by, what, *strict),
            Step::Sync { clone, ending } => self.sync(*clone, *ending),
            Step::Fetch { clone } => self.fetch(*clone),
            Step::Push { clone } => {
                self.settle(*clone, true);
                self.push(*clone, true);
            }
            Step::Cut { clone } => self.cut(*clone),
        }
    }

    fn attempt(&mut self, by: usize, what: &Try, strict: bool) {
        let clone = by / 2;
        let come = Action::Register(member(by));
        if !state(&self.clones[clone].chain).instances.contains_key(id(by).as_str()) {
            self.act(by, come.clone());
        }
        let Some(action) = self.action(&state(&self.clones[clone].chain), by, what) else { return };
        if strict || self.is_for_the_hub(clone, by, &action) {
            // Decided on what the hub has, and done only if the hub takes it.
            self.fetch(clone);
            self.settle(clone, true);
            self.clones[clone].fetched = None;
            let mut chain = self.clones[clone].chain.clone();
            if !state(&chain).instances.contains_key(id(by).as_str()) {
                return;
            }
            let Some(action) = self.action(&state(&chain), by, what) else { return };
            let op = self.op(Some(by), action);
            if let Some(applied) = append(&mut chain, &op).filter(|applied| !applied.changes.is_empty()) {
                let was = state(&chain[..chain.len() - 1]);
                self.mean(by, &was, op, &applied);
                self.take(chain.clone());
                self.clones[clone].chain = chain;
                self.clones[clone].base = self.hub.last().cloned();
                self.clones[clone].unheard = false;
            }
        } else {
            self.act(by, action);
        }
    }

    fn is_for_the_hub(&self, clone: usize, by: usize, action: &Action) -> bool {
        let state = state(&self.clones[clone].chain);
        let op = Op { id: OpId::random([255; 16]), at: at(0), by: Some(id(by)), action: action.clone() };
        let Ok(Ok(applied)) = apply(&state, &op) else { return false };
        applied.changes.iter().any(|change| {
            let whose = match change {
                Change::DropInstance(id) | Change::PutEnded(id, _) => Some(id.clone()),
                Change::DropClaim(Claim { holder: Holder::Handoff(id), .. }) => {
                    state.handoffs.get(id.as_str()).map(|handoff| handoff.from.clone())
                }
                _ => None,
            };
            let whose = whose.and_then(|id| state.instances.get(id.as_str()).cloned());
            whose.is_some_and(|whose| whose.clone != clone_id(clone))
        })
    }

    fn action(&mut self, state: &Memory, by: usize, what: &Try) -> Option<Action> {
        self.n += 1;
        let n = self.n;
        let holder = Holder::Instance(id(by));
        let nth = |claims: Vec<GrantRef>, nth: usize| claims.get(nth % claims.len().max(1)).cloned();
        let release = |claims, ended, forced| Action::Release { claims, ended, forced };
        Some(match what {
            Try::Claim { scopes: chosen, shared, evict } => {
                let mode = if *shared { Mode::Shared } else { Mode::Exclusive };
                let wanted = |(at, scope): (usize, &usize)| want(n * 8 + at as u64, &self.scopes[*scope], mode);
                let others = state.claims.values().filter(|c| *evict && matches!(c.holder, Holder::Instance(_)));
                let others = others.filter(|claim| claim.holder != holder);
                let evict = others.map(|c| Eviction { claim: c.grant_ref(), reason: EndReason::Stale }).collect();
                Action::Claim { wants: chosen.iter().enumerate().map(wanted).collect(), evict, lost: Vec::new() }
            }
            Try::Release { nth: at } => release(vec![nth(state.held_by(&holder), *at)?], Vec::new(), None),
            Try::ReleaseAll => release(state.held_by(&holder), lost(state, by), None),
            Try::LetGo => release(Vec::new(), lost(state, by), None),
            Try::Force { nth: at } => {
                let others = state.claims.values().filter(|claim| matches!(claim.holder, Holder::Instance(_)));
                release(vec![nth(others.map(Claim::grant_ref).collect(), *at)?], Vec::new(), Some("now".into()))
            }
            Try::Handoff => {
                let claims = state.held_by(&holder);
                let ids = claims.iter().map(|grant| grant.claim.clone()).collect();
                Action::Handoff {
                    handoff: Box::new(crate::model::handoff::Handoff { claims: ids, ..handoff(n, by) }),
                    claims,
                }
            }
            Try::Settle { nth, how } => {
                let handoff = state.handoffs.values().nth(nth % state.handoffs.len().max(1))?;
                let holder = match &handoff.state {
                    // Then it is the work of who accepted it.
                    HandoffState::Accepted(settled) if settled.by != id(by) => return None,
                    HandoffState::Accepted(settled) => Holder::Instance(settled.by.clone()),
                    _ => Holder::Handoff(handoff.id.clone()),
                };
                let claims = state.held_by(&holder).into_iter().filter(|held| handoff.claims.contains(&held.claim));
                Action::Settle { handoff: handoff.id.clone(), how: *how, claims: claims.collect() }
            }
            Try::Leave => departure(state, by, false),
            Try::EndOther => {
                let other = by ^ 1;
                state.instances.get(id(other).as_str())?;
                departure(state, other, true)
            }
            Try::Come => Action::Register(member(by)),
            Try::Make { task: which } => {
                // Those of one clone mean the same.
                let made = task(TASKS[*which], by);
                let other: TaskId = TASKS[1].parse().expect("a name");
                let is_after = *which == 0 && by / 2 == 1 && state.tasks.contains_key(&other);
                let needs = if is_after { vec![other] } else { Vec::new() };
                Action::NewTask(Box::new(Task { text: format!("as {} means it", by / 2), needs, ..made }))
            }
            Try::Finish { task: which, force } => {
                let scope = Scope::parse("task", TASKS[*which]).expect("a scope");
                let mut mine = state.claims.values().filter(|claim| claim.holder == holder && claim.scope == scope);
                let right = if *force { Right::Force("now".into()) } else { Right::Held(mine.next()?.grant_ref()) };
                Action::FinishTask { task: TASKS[*which].parse().expect("a name"), result: None, right }
            }
        })
    }

    fn fetch(&mut self, clone: usize) {
        self.clones[clone].fetched = Some(self.hub.clone());
    }

    /// The chain of a clone on top of what it fetched.
    fn settle(&mut self, clone: usize, remembers: bool) {
        let Clone { chain, fetched, base, .. } = &self.clones[clone];
        let Some(fetched) = fetched.clone().filter(|fetched| !fetched.is_empty()) else { return };
        let shared = chain.iter().zip(&fetched).take_while(|(a, b)| Rc::ptr_eq(a, b)).count();
        if shared == fetched.len() {
            return;
        }
        let is_known = |commit: &Link| {
            let cut_from = fetched[0].cut_from.as_ref();
            base.iter().chain(cut_from).any(|known| Rc::ptr_eq(known, commit))
        };
        let from = if shared > 0 { shared } else { chain.iter().rposition(is_known).map_or(0, |at| at + 1) };
        let there: BTreeSet<&OpId> = fetched[shared..].iter().map(|commit| &commit.op.id).collect();
        let is_anothers = |commit: &Link| {
            let by = match &commit.op.action {
                Action::Register(instance) => Some(instance),
                _ => commit.op.by.as_ref().and_then(|by| commit.was.instances.get(by.as_str())),
            };
            by.is_some_and(|by| by.clone != clone_id(clone))
        };
        let pending: Chain = chain[from..].iter().filter(|commit| !there.contains(&commit.op.id)).cloned().collect();
        let mut tip = fetched.clone();
        for commit in pending.iter().filter(|commit| shared > 0 || !is_anothers(commit)) {
            let Ok(replayed) = replay(&state(&tip), &commit.op, &commit.was);
            match replayed {
                Replayed::Nothing => {}
                Replayed::Clash(id) => panic!("{id} is nobody else's"),
                Replayed::Op { revive, op, lost } => {
                    if let Some(instance) = revive {
                        let register = self.op(None, Action::Register(*instance));
                        append(&mut tip, &Op { by: op.by.clone(), ..register }).expect("its own id");
                    }
                    append(&mut tip, &op);
                    if !lost.is_empty() {
                        let told = self.op(None, Action::Claim { wants: Vec::new(), evict: Vec::new(), lost });
                        append(&mut tip, &Op { by: op.by.clone(), ..told }).expect("told");
                    }
                }
            }
        }
        if remembers {
            self.clones[clone].base = fetched.last().cloned();
            self.clones[clone].unheard = false;
        }
        self.clones[clone].chain = tip;
    }

    /// Offers what a clone has to the hub, which takes it if it still has what was fetched. The clone hears of it or
    /// not.
    fn push(&mut self, clone: usize, heard: bool) {
        let fetched = self.clones[clone].fetched.take();
        if !fetched.is_some_and(|fetched| is_tip(&fetched, &self.hub)) {
            return;
        }
        let chain = self.clones[clone].chain.clone();
        self.take(chain.clone());
        if heard {
            self.clones[clone].base = chain.last().cloned();
        }
        self.clones[clone].unheard = !heard;
    }

    fn sync(&mut self, clone: usize, ending: Ending) {
        self.fetch(clone);
        if ending == Ending::Fetched {
            return;
        }
        self.settle(clone, ending != Ending::Adopted);
        if ending == Ending::Adopted {
            return;
        }
        self.push(clone, ending == Ending::Whole);
    }

    /// A push that nobody heard of and a cut by somebody else, both before the next sync, make an operation happen
    /// again: the one case in which it does.
    fn cut(&mut self, clone: usize) {
        self.sync(clone, Ending::Whole);
        let Some(tip) = self.hub.last().cloned().filter(|_| self.clones.iter().all(|clone| !clone.unheard)) else {
            return;
        };
        let op = self.op(None, Action::Compact { last: Vec::new() });
        let mut state = tip.state.clone();
        state.seq += 1;
        self.numbered.insert(state.seq, op.id.clone());
        let first = Rc::new(Commit { op, was: tip.state.clone(), state, cut_from: Some(tip) });
        self.hub = vec![Rc::clone(&first)];
        self.clones[clone].chain = self.hub.clone();
        self.clones[clone].base = Some(first);
    }

    /// The hub takes a chain that goes on from what it has, after a look at every new operation.
    fn take(&mut self, chain: Chain) {
        assert!(self.hub.iter().zip(&chain).all(|(a, b)| Rc::ptr_eq(a, b)) && chain.len() >= self.hub.len());
        for commit in &chain[self.hub.len()..] {
            assert!(self.taken.insert(commit.op.id.to_string()), "done twice: {:?}", commit.op);
            assert_eq!(commit.state.seq, commit.was.seq + 1);
            self.numbered.insert(commit.state.seq, commit.op.id.clone());
            commit.state.check();
            self.check_tasks(commit);
            self.check_causes(commit);
            for claim in commit.state.claims.values() {
                assert_eq!(self.numbered.get(&claim.token), Some(&claim.grant), "the number of its grant: {claim:?}");
                let there = match &claim.holder {
                    Holder::Instance(holder) => commit.state.instances.contains_key(holder.as_str()),
                    Holder::Handoff(id) => {
                        commit.state.handoffs.get(id.as_str()).is_some_and(|h| h.state == HandoffState::Open)
                    }
                };
                assert!(there, "somebody has to be able to let go of {claim:?}");
            }
        }
        self.hub = chain;
    }

    /// What a task says is never taken back, and it is done once, after what it needs unless somebody said so by force.
    fn check_tasks(&self, commit: &Commit) {
        for (id, before) in &commit.was.tasks {
            let now = &commit.state.tasks[id];
            assert!(before.done.is_none() || now == before, "{before:?}\nwas changed to {now:?}");
            assert!(now.done.is_some() || now == before);
            if now.done != before.done {
                let is_meant = matches!(self.meant.get(commit.op.id.as_str()), Some(Action::FinishTask { task, .. }) if task == id);
                assert!(is_meant, "{now:?}\nby {:?}", commit.op);
                let by_force = matches!(&commit.op.action, Action::FinishTask { right: Right::Force(_), .. });
                let is_after = now.needs.iter().all(|need| commit.was.tasks[need].done.is_some());
                assert!(by_force || is_after, "{now:?}\nbefore its time by {:?}", commit.op);
            }
        }
    }

    /// What the hub had granted goes by what somebody meant to be its end, and by nothing else.
    fn check_causes(&self, commit: &Commit) {
        for claim in commit.was.claims.values() {
            let now = commit.state.claims.get(claim.id.as_str());
            if now.is_some_and(|now| now.holder == claim.holder) {
                continue;
            }
            let meant = self.meant.get(commit.op.id.as_str());
            let is_named = |claims: &[GrantRef]| claims.contains(&claim.grant_ref());
            let is_meant = meant.is_some_and(|action| match action {
                Action::Claim { evict, .. } => evict.iter().any(|e| e.claim == claim.grant_ref()),
                Action::Release { claims, .. } => is_named(claims),
                // Also one that it can't go without.
                Action::Handoff { .. } => commit.op.by.as_ref().is_some_and(|by| claim.is_held_by(by)),
                Action::Settle { handoff, claims, .. } => {
                    is_named(claims) || claim.holder == Holder::Handoff(handoff.clone())
                }
                Action::End(gone) => gone.iter().any(|d| claim.is_held_by(&d.instance)),
                Action::FinishTask { task, .. } => claim.scope == Scope::Task(task.clone()),
                _ => false,
            });
            assert!(is_meant, "{claim:?}\nended by {:?}\nwhich was {meant:?}", commit.op);
        }
    }

    /// All sync until nothing is left to do; then all have the same, and whoever was granted a claim has it or knows
    /// that it is lost.
    fn finish(&mut self) {
        for clone in (0..CLONES).chain(0..CLONES) {
            self.sync(clone, Ending::Whole);
        }
        assert!(self.clones.iter().all(|clone| is_tip(&clone.chain, &self.hub)), "all are equal");
        let state = state(&self.hub);
        for (claim, (who, scope, mode)) in &self.granted {
            let covers = |held: &Claim| {
                apply::claim::contains(&held.scope, scope) && (held.mode == *mode || *mode == Mode::Shared)
            };
            let held = state.claims.values().any(|held| held.is_held_by(&id(*who)) && covers(held));
            let told = state.ended.iter().filter(|((of, _), _)| of == id(*who).as_str());
            let told =
                told.map(|(_, ended)| &ended.claim).any(|lost| lost.id.as_str() == claim || lost.scope == *scope);
            assert!(held || told, "{} was granted {claim} on {scope:?} and doesn't know what became of it", id(*who));
        }
    }
}

fn lost(state: &Memory, by: usize) -> Vec<ClaimId> {
    let of = state.ended.iter().filter(|((who, _), _)| who == id(by).as_str());
    of.map(|(_, ended)| ended.claim.id.clone()).collect()
}

fn departure(state: &Memory, who: usize, stale: bool) -> Action {
    let claims = state.held_by(&Holder::Instance(id(who)));
    Action::End(vec![Departure { instance: id(who), claims, stale }])
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says how many")]
fn histories() -> u32 {
    let campaign = std::env::var_os("AIO_TEST_CAMPAIGN").is_some_and(|value| value == "1");
    if campaign { 50_000 } else { 2_000 }
}

/// What comes of an operation of instance 2 that was done on `was`, on the state `there`.
fn again(there: &Memory, was: &Memory, action: Action) -> Option<Action> {
    let op = Op { id: OpId::random([7; 16]), at: at(9), by: Some(id(2)), action };
    let Ok(replayed) = replay(there, &op, was);
    match replayed {
        Replayed::Op { op, .. } => Some(op.action),
        _ => None,
    }
}

#[test]
fn a_task_whose_name_is_taken_becomes_a_note_and_one_that_says_the_same_is_one() {
    let (was, mut there) = (Memory::with_instances(4), Memory::with_instances(4));
    there.act(0, Action::NewTask(Box::new(task("T-1", 0)))).expect("the first");
    assert_eq!(again(&there, &was, Action::NewTask(Box::new(task("T-1", 2)))), None);
    let other = Task { text: "something else".into(), ..task("T-1", 2) };
    let Some(Action::Note(note)) = again(&there, &was, Action::NewTask(Box::new(other))) else { panic!("a note") };
    assert!(note.text.contains("T-1") && note.text.ends_with("do T-1\nsomething else") && note.by == id(2), "{note:?}");
}

#[test]
fn a_task_that_somebody_else_has_done_is_lost_to_whoever_claimed_it() {
    let claim = |state: &mut Memory, by| {
        let granted = state.act(by, claim_one(1, &Scope::Task("T-1".parse().expect("a name"))));
        granted.expect("free").granted[0].grant_ref()
    };
    let finish =
        |grant| Action::FinishTask { task: "T-1".parse().expect("a name"), result: None, right: Right::Held(grant) };
    let mut was = Memory::with_instances(4);
    was.act(0, Action::NewTask(Box::new(task("T-1", 0)))).expect("the first");
    let mut there = was.clone();
    let first = claim(&mut there, 0);
    there.act(0, finish(first)).expect("its own");
    let mine = claim(&mut was.clone(), 2);
    let wants = claim_one(1, &Scope::Task("T-1".parse().expect("a name")));
    let Some(Action::Claim { wants, lost, .. }) = again(&there, &was, wants) else { panic!("told") };
    assert!(wants.is_empty() && lost[0].rival.holder == Holder::Instance(id(0)), "{lost:?}");
    // Nobody does it twice, and what came of it is kept; unless it is what the hub has.
    let told = |there: &Memory, result: Option<&str>| {
        let Action::FinishTask { task, right, .. } = finish(mine.clone()) else { panic!("a finish") };
        again(there, &was, Action::FinishTask { task, right, result: result.map(str::to_owned) })
    };
    let Some(Action::Note(note)) = told(&there, Some("It never worked.")) else { panic!("a note") };
    assert!(note.text.contains(id(0).as_str()) && note.text.ends_with("It never worked."), "{note:?}");
    let mut by_me = there.clone();
    by_me.tasks.values_mut().for_each(|task| {
        task.done.iter_mut().for_each(|done| (done.by, done.result) = (id(2), Some("It works.".into())));
    });
    assert_eq!(told(&by_me, Some("It works.")), None);
    // One that was forgotten since is not there to be done either.
    there.tasks.clear();
    let wants = claim_one(1, &Scope::Task("T-1".parse().expect("a name")));
    assert!(
        matches!(again(&there, &was, wants), Some(Action::Claim { wants, lost, .. }) if wants.is_empty() && lost.len() == 1)
    );
}

#[test]
fn a_task_that_was_done_before_what_it_needs_is_to_be_done_there_and_what_came_of_it_is_kept() {
    let mut there = Memory::with_instances(4);
    there.act(0, Action::NewTask(Box::new(task("T-1", 0)))).expect("new");
    let after = Task { needs: vec!["T-1".parse().expect("a name")], ..task("T-2", 0) };
    there.act(0, Action::NewTask(Box::new(after))).expect("new");
    let scope = Scope::parse("task", "T-2").expect("a scope");
    let right = Right::Held(there.act(2, claim_one(1, &scope)).expect("free").granted[0].grant_ref());
    let mut was = there.clone();
    was.tasks.values_mut().for_each(|task| task.needs.clear());
    let finish = Action::FinishTask { task: "T-2".parse().expect("a name"), result: Some("It works.".into()), right };
    let Some(Action::Note(note)) = again(&there, &was, finish) else { panic!("a note") };
    assert!(note.text.contains("what it needs is not done") && note.text.ends_with("It works."), "{note:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: histories(), ..ProptestConfig::default() })]

    #[test]
    fn no_history_of_several_clones_confirms_what_it_should_not(history in proptest::collection::vec(steps(), 1..60)) {
        let mut world = World::new();
        history.iter().for_each(|step| world.step(step));
        world.finish();
    }
}
