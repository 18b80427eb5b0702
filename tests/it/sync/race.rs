//! Clones that want the same at the same time, each syncing until nothing of it is left to send.
//!
//! `AIO_TEST_CAMPAIGN=1 cargo test --release --test it sync::race -- --nocapture` is the race of 8 clones with 50 claims
//! each.

use super::is_campaign;
use crate::{
    env::TestEnvironment,
    hub::{Hub, Member, Way, assert_same},
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

const CLONES: usize = 8;

/// What clone `who` claims in round `nth`: all that is claimed in a round overlaps.
fn target(who: usize, nth: usize) -> [String; 2] {
    match (who + nth) % 3 {
        0 => ["file".into(), format!("src/{nth}/a.rs")],
        1 => ["directory".into(), format!("src/{nth}")],
        _ => ["pattern".into(), format!("src/{nth}/*.rs")],
    }
}

/// What came of the syncs of one clone.
#[derive(Default)]
struct Tally {
    granted: usize,
    pushed: u64,
    tries: u64,
    worst: u64,
}

/// Claims and syncs, `rounds` times over.
fn race(who: usize, member: &Member<'_>, rounds: usize) -> Tally {
    let mut tally = Tally::default();
    for nth in 0..rounds {
        let [kind, path] = target(who, nth);
        let claim = member.aio(&["claim", &kind, &path]);
        match claim.code {
            0 => tally.granted += 1,
            // Others were quicker, and it is known here already.
            3 => continue,
            code => panic!("{code}: {}", claim.stderr),
        }
        for _ in 0..16 {
            let ended = member.aio(&["--json", "sync"]);
            let answer: Value = serde_json::from_str(&ended.stdout).unwrap_or_default();
            let tries = answer["tries"].as_u64().unwrap_or(32);
            (tally.tries, tally.worst) = (tally.tries + tries, tally.worst.max(tries));
            if ended.code == 0 {
                tally.pushed += answer["pushed"].as_u64().unwrap();
                break;
            }
            assert_eq!(ended.code, 7, "{}", ended.stderr);
        }
    }
    tally
}

fn eight_clones_race(way: Way, rounds: usize) {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, way);
    let members: Vec<_> = (0..CLONES).map(|nth| hub.member(&format!("clone{nth}"), "claude")).collect();
    for member in &members {
        member.repo.git(&["config", "aio.syncTimeout", "120s"]);
        member.sync();
    }
    let began = Instant::now();
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let racing: Vec<_> =
            members.iter().enumerate().map(|(who, member)| scope.spawn(move || race(who, member, rounds))).collect();
        racing.into_iter().map(|racing| racing.join().unwrap()).collect()
    });
    let took = began.elapsed();
    members.iter().for_each(|member| drop(member.sync()));
    assert_same(&hub, &members);
    hub.assert_linear();

    // Of what was claimed in a round one holds one, and nobody another.
    let claims = members[0].claims();
    let claimed: BTreeSet<&str> = claims.iter().filter_map(|(target, _)| target.split('/').nth(1)).collect();
    assert_eq!((claims.len(), claimed.len()), (rounds, rounds), "{claims:#?}");
    let status: Value = serde_json::from_str(&members[0].ok(&["--json", "status"])).unwrap();
    let tokens = status["claims"].as_array().unwrap().iter().map(|claim| claim["token"].as_u64().unwrap());
    assert_eq!(tokens.collect::<BTreeSet<_>>().len(), rounds, "no token is given twice");
    // Every claim that was granted where it was asked for is held or known to be lost.
    let granted: usize = tallies.iter().map(|tally| tally.granted).sum();
    let lost = hub.git(&["ls-tree", "-r", "--name-only", "refs/aio/state", "ended/"]).lines().count();
    assert_eq!(granted, rounds + lost);
    report(way, &tallies, took);
}

fn report(way: Way, tallies: &[Tally], took: Duration) {
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    let (pushed, tries) = (sum(|tally| tally.pushed), sum(|tally| tally.tries));
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let each = tries as f64 / pushed as f64;
    let worst = tallies.iter().map(|tally| tally.worst).max().unwrap_or_default();
    eprintln!("{way:?}: {pushed} operations confirmed in {tries} tries, {each:.2} each, at most {worst}; {took:.1?}");
    assert!(each < 4.0, "{each:.2} tries for a confirmed operation");
}

#[test]
fn of_what_eight_clones_claim_one_has_each() {
    eight_clones_race(Way::File, if is_campaign() { 50 } else { 5 });
}

#[test]
fn of_what_eight_clones_claim_over_http_one_has_each() {
    eight_clones_race(Way::Http, if is_campaign() { 50 } else { 3 });
}
