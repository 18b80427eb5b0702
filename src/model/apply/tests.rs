//! The rules against random histories: whatever is asked for, in whatever order, nobody holds what overlaps
//! somebody else's claim.

use super::*;
use crate::{
    base::id::{CloneId, TaskId},
    model::{
        claim::Mode,
        op::{Eviction, Right, Settlement},
        trial::*,
    },
};
use proptest::prelude::*;

/// One thing somebody may try.
#[derive(Debug, Clone)]
enum Try {
    Claim { scopes: Vec<usize>, shared: bool, evict: bool },
    Release { nth: usize },
    Handoff,
    Settle { nth: usize, how: Settlement },
    Leave { stale: bool },
    Come,
    Make,
    Finish { force: bool },
}

fn tries() -> impl Strategy<Value = (usize, Try)> {
    let how = prop_oneof![Just(Settlement::Accept), Just(Settlement::Decline), Just(Settlement::Done)];
    let one = prop_oneof![
        6 => (proptest::collection::vec(0..scopes().len(), 1..3), any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(scopes, shared, evict)| Try::Claim { scopes, shared, evict }),
        2 => (0..8_usize).prop_map(|nth| Try::Release { nth }),
        1 => Just(Try::Handoff),
        2 => (0..4_usize, how).prop_map(|(nth, how)| Try::Settle { nth, how }),
        1 => any::<bool>().prop_map(|stale| Try::Leave { stale }),
        1 => Just(Try::Come),
        1 => Just(Try::Make),
        2 => any::<bool>().prop_map(|force| Try::Finish { force }),
    ];
    (0..4_usize, one)
}

fn action(state: &Memory, by: usize, n: u64, what: &Try, scopes: &[Scope]) -> Option<Action> {
    let holder = Holder::Instance(id(by));
    Some(match what {
        Try::Claim { scopes: chosen, shared, evict } => {
            let mode = if *shared { Mode::Shared } else { Mode::Exclusive };
            let wants = chosen.iter().enumerate().map(|(at, s)| want(n * 8 + at as u64, &scopes[*s], mode)).collect();
            let others = state.claims.values().filter(|c| *evict && c.holder != holder);
            let others = others.filter(|claim| matches!(claim.holder, Holder::Instance(_)));
            let evict = others.map(|c| Eviction { claim: c.grant_ref(), reason: EndReason::Stale }).collect();
            Action::Claim { wants, evict, lost: Vec::new() }
        }
        Try::Release { nth } => {
            let mine = state.held_by(&holder);
            let claims = vec![mine.get(nth % mine.len().max(1))?.clone()];
            Action::Release { claims, ended: Vec::new(), forced: None }
        }
        Try::Handoff => {
            let claims = state.held_by(&holder);
            let claims_ids = claims.iter().map(|grant| grant.claim.clone()).collect();
            let handoff = Handoff { claims: claims_ids, ..handoff(n, by) };
            Action::Handoff { handoff: Box::new(handoff), claims }
        }
        Try::Settle { nth, how } => {
            let handoff = state.handoffs.values().nth(nth % state.handoffs.len().max(1))?;
            let claims = state.held_by(&Holder::Handoff(handoff.id.clone()));
            Action::Settle { handoff: handoff.id.clone(), how: *how, claims }
        }
        Try::Leave { stale } => {
            Action::End(vec![Departure { instance: id(by), claims: state.held_by(&holder), stale: *stale }])
        }
        Try::Come => Action::Register(instance(by)),
        Try::Make => Action::NewTask(Box::new(task("T-1", by))),
        Try::Finish { force } => {
            let mut mine = state.claims.values().filter(|claim| claim.holder == holder && claim.scope.kind() == "task");
            let right = if *force { Right::Force("now".into()) } else { Right::Held(mine.next()?.grant_ref()) };
            Action::FinishTask { task: "T-1".parse().expect("a name"), result: None, right }
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_history_gives_two_holders_what_overlaps(history in proptest::collection::vec(tries(), 1..40)) {
        let scopes = scopes();
        let mut state = Memory::with_instances(4);
        for (n, (by, what)) in history.iter().enumerate() {
            let Some(action) = action(&state, *by, n as u64 + 1, what, &scopes) else { continue };
            let before = state.clone();
            let outcome = state.act(*by, action);
            state.check();
            if outcome.is_err() {
                prop_assert_eq!(&before, &state, "a refusal changes nothing");
            }
        }
    }
}

#[test]
fn all_or_none() {
    let mut state = Memory::with_instances(2);
    state.act(0, claim_one(1, &file("src/a.rs"))).expect("free");
    let wants = ["a", "src/a.rs"].map(|path| want(path.len() as u64, &file(path), Mode::Exclusive)).into();
    let refused = state.act(1, Action::Claim { wants, evict: Vec::new(), lost: Vec::new() });
    assert!(matches!(refused, Err(Refusal::Held(conflicts)) if conflicts.len() == 1));
    assert_eq!(state.claims.len(), 1);
}

#[test]
fn a_takeover_has_a_higher_token_and_is_remembered_until_settled() {
    let mut state = Memory::with_instances(2);
    let scope = file("a");
    let first = state.act(0, claim_one(1, &scope)).expect("free").granted.remove(0);
    let evict = vec![Eviction { claim: first.grant_ref(), reason: EndReason::Stale }];
    let wants = vec![want(2, &scope, Mode::Exclusive)];
    let second = state.act(1, Action::Claim { wants, evict: evict.clone(), lost: Vec::new() }).expect("evicted");
    assert!(second.granted[0].token > first.token);
    assert_eq!(state.ended.len(), 1);
    // The name of a grant that is gone evicts nothing.
    let wants = vec![want(3, &scope, Mode::Exclusive)];
    assert!(matches!(state.act(0, Action::Claim { wants, evict, lost: Vec::new() }), Err(Refusal::Held(_))));
    let release = Action::Release { claims: vec![second.granted[0].grant_ref()], ended: Vec::new(), forced: None };
    state.act(1, release).expect("its own");
    state.act(0, claim_one(4, &scope)).expect("free again");
    assert!(state.ended.is_empty(), "who holds it again has been told");
}

/// Says that T-1 is done, by the one claim on it.
fn finish(state: &mut Memory, by: usize) -> Outcome {
    let grant = state.claims.values().find(|claim| claim.scope.kind() == "task").map(Claim::grant_ref);
    let right = grant.map_or_else(|| Right::Force("now".into()), Right::Held);
    state.act(by, Action::FinishTask { task: "T-1".parse().expect("a name"), result: None, right })
}

#[test]
fn a_task_is_done_once_by_whoever_holds_it_and_is_free_of_claims_then() {
    let scope = Scope::parse("task", "T-1").expect("a scope");
    let mut state = Memory::with_instances(2);
    state.act(0, Action::NewTask(Box::new(task("T-1", 0)))).expect("new");
    let again = state.act(1, Action::NewTask(Box::new(task("T-1", 1))));
    assert!(matches!(again, Err(Refusal::TaskExists(_))));
    let token = state.act(0, claim_one(1, &scope)).expect("free").granted[0].token;
    assert!(matches!(finish(&mut state, 1), Err(Refusal::ClaimChanged(_))), "it is another's");
    finish(&mut state, 0).expect("its own");
    let task = state.tasks.values().next().expect("there").clone();
    assert_eq!(task.done.as_ref().map(|done| (&done.by, done.token)), Some((&id(0), token)));
    assert!(state.claims.is_empty());
    assert!(matches!(state.act(1, claim_one(2, &scope)), Err(Refusal::TaskDone(_))), "nobody draws it again");
    assert!(matches!(finish(&mut state, 0), Err(Refusal::TaskDone(_))));
}

#[test]
fn a_task_is_not_done_before_what_it_needs_but_by_force() {
    let mut state = Memory::with_instances(1);
    let named = |name: &str| name.parse::<TaskId>().expect("a name");
    ["T-0", "T-2"].iter().for_each(|id| drop(state.act(0, Action::NewTask(Box::new(task(id, 0)))).expect("new")));
    let after = Task { needs: vec![named("T-0"), named("T-2")], ..task("T-1", 0) };
    state.act(0, Action::NewTask(Box::new(after))).expect("new");
    state.act(0, claim_one(1, &Scope::parse("task", "T-1").expect("a scope"))).expect("free");
    let force = |id: &str| Action::FinishTask { task: named(id), result: None, right: Right::Force("now".into()) };
    state.act(0, force("T-0")).expect("by force");
    assert_eq!(finish(&mut state, 0), Err(Refusal::TaskWaits(named("T-1"), vec![named("T-2")])));
    let mut forced = state.clone();
    forced.act(0, force("T-1")).expect("a person may");
    state.act(0, force("T-2")).expect("by force");
    finish(&mut state, 0).expect("all that it needs is done");
}

#[test]
fn a_task_is_not_done_while_others_share_it_but_by_force_and_they_are_told() {
    let scope = Scope::parse("task", "T-1").expect("a scope");
    let mut state = Memory::with_instances(3);
    state.act(0, Action::NewTask(Box::new(task("T-1", 0)))).expect("new");
    for by in [0, 1] {
        let wants = vec![want(by, &scope, Mode::Shared)];
        state.act(by as usize, Action::Claim { wants, evict: Vec::new(), lost: Vec::new() }).expect("shared");
    }
    assert!(matches!(finish(&mut state, 0), Err(Refusal::Held(_))));
    let right = Right::Force("it is of no use any more".into());
    let done = Action::FinishTask { task: "T-1".parse().expect("a name"), result: None, right };
    let applied = state.act(2, done).expect("a person may");
    assert_eq!((applied.evicted.len(), state.ended.len(), state.claims.len()), (2, 2, 0));
    assert!(applied.evicted.iter().all(|ended| ended.reason == EndReason::Forced));
}

#[test]
fn a_handoff_is_not_called_done_while_its_task_is_open() {
    let mut state = Memory::with_instances(2);
    state.act(0, Action::NewTask(Box::new(task("T-1", 0)))).expect("new");
    state.act(0, claim_one(1, &Scope::parse("task", "T-1").expect("a scope"))).expect("free");
    let claims = state.held_by(&Holder::Instance(id(0)));
    let made = Handoff { claims: claims.iter().map(|grant| grant.claim.clone()).collect(), ..handoff(3, 0) };
    let held = Holder::Handoff(made.id.clone());
    state.act(0, Action::Handoff { handoff: Box::new(made.clone()), claims }).expect("handed on");
    let settle = |state: &Memory, how| Action::Settle { handoff: made.id.clone(), how, claims: state.held_by(&held) };
    let done = settle(&state, Settlement::Done);
    assert!(matches!(state.act(1, done), Err(Refusal::TaskOpen(_))));
    let right = Right::Force("now".into());
    let forced = Action::FinishTask { task: "T-1".parse().expect("a name"), result: None, right };
    assert!(matches!(state.act(1, forced), Err(Refusal::Held(_))), "its taker could not be told");
    let accept = settle(&state, Settlement::Accept);
    state.act(1, accept).expect("accepted");
    finish(&mut state, 1).expect("its own now");
    state.act(1, Action::Settle { handoff: made.id.clone(), how: Settlement::Done, claims: Vec::new() }).expect("done");
}

#[test]
fn the_same_claim_again_is_the_same_claim() {
    let mut state = Memory::with_instances(1);
    let first = state.act(0, claim_one(1, &file("a"))).expect("free").granted.remove(0);
    let again = state.act(0, claim_one(2, &file("a"))).expect("its own");
    assert!(again.changes.is_empty());
    assert_eq!(again.granted, [first]);
}

#[test]
fn two_instances_never_share_an_id() {
    let mut state = Memory::with_instances(1);
    let twin = Instance { clone: CloneId::random([1; 8]), ..instance(0) };
    assert_eq!(state.act(0, Action::Register(twin)), Err(Refusal::InstanceExists(id(0))));
}

#[test]
fn no_handoff_takes_what_its_maker_keeps_a_part_of() {
    let mut state = Memory::with_instances(2);
    let inner = state.act(0, claim_one(1, &file("src/a.rs"))).expect("free").granted.remove(0);
    state.act(0, claim_one(2, &Scope::parse("directory", "src").expect("a scope"))).expect("its own");
    let hand_off = |claims| Action::Handoff { handoff: Box::new(handoff(3, 0)), claims };
    let refused = state.act(0, hand_off(vec![inner.grant_ref()]));
    assert!(matches!(refused, Err(Refusal::Held(conflicts)) if conflicts[0].claim.token > inner.token));
    let both = state.held_by(&Holder::Instance(id(0)));
    state.act(0, hand_off(both)).expect("both of them");
    state.check();
}
