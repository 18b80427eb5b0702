//! Syncs that are killed: whatever step it was, the next one settles it.

use super::is_campaign;
use crate::{
    env::{TestEnvironment, ended},
    hub::{Hub, Member, Way, assert_same},
};
use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

const KILLED: i32 = 128 + 9;

/// The steps of an exchange, each with whether the hub has by then what is asked of it; what the hub had before is
/// remembered before that.
const STEPS: [(&str, bool); 8] = [
    ("sync-fetched", false),
    ("sync-replayed", false),
    ("sync-adopted", false),
    ("sync-about-to-push", false),
    ("sync-pushed", true),
    ("sync-remembered", false),
    ("sync-about-to-finish", true),
    // The replay that moves the local ref writes like any other operation.
    ("ref-locked", false),
];

fn holds(member: &Member<'_>, path: &str, who: &Member<'_>) -> bool {
    member.claims().contains(&(path.to_owned(), who.me.clone()))
}

/// Another clone pushes between the syncs, so that each has something to replay.
#[test]
fn a_sync_killed_at_any_step_is_settled_by_the_next() {
    for way in [Way::File, Way::Http] {
        let env = TestEnvironment::new();
        let hub = Hub::new(&env, way);
        let [one, two] = hub.two_in_step();
        for (step, _) in STEPS {
            let (mine, theirs, both) = (format!("mine-{step}"), format!("theirs-{step}"), format!("both-{step}"));
            two.ok(&["claim", &theirs, &both]);
            two.sync();
            one.ok(&["claim", &mine, &both]);
            assert_eq!(one.killed_at(step, &["sync"]).code, KILLED, "{step}");
            // Whatever is seen of it now, nobody is stopped, and what was granted is not gone.
            assert!(holds(&one, &mine, &one), "{step}");
            one.sync();
            two.sync();
            for member in [&one, &two] {
                let seen = [(&mine, &one), (&theirs, &two), (&both, &two)];
                assert!(seen.iter().all(|(path, who)| holds(member, path, who)), "{step}: {:?}", member.claims());
            }
            assert!(!holds(&two, &both, &one), "{step}");
        }
        hub.assert_linear();
        assert_same(&hub, &[one, two]);
    }
}

/// A strict claim that is killed was granted by the hub or has never been.
#[test]
fn a_strict_claim_killed_at_any_step_is_granted_by_the_hub_or_not_at_all() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = hub.two_in_step();
    for (step, taken) in STEPS {
        two.ok(&["claim", &format!("theirs-{step}")]);
        two.sync();
        let path = format!("strict-{step}");
        assert_eq!(one.killed_at(step, &["claim", "--strict", &path]).code, KILLED, "{step}");
        assert!(taken || !holds(&one, &path, &one), "{step}: it is held only where the hub has it");
        two.sync();
        // What moves the local ref comes both before the push and after it.
        assert_eq!(holds(&two, &path, &one), taken, "{step}");
        one.sync();
        assert_eq!(holds(&one, &path, &one), taken, "{step}");
        one.ok(&["claim", "--strict", &path]);
        assert!(holds(&one, &path, &one), "{step}");
        two.sync();
    }
    hub.assert_linear();
    assert_same(&hub, &[one, two]);
}

/// Kills syncs at whatever moment it happens to be.
#[test]
fn syncs_killed_at_random_moments_lose_nothing_that_was_granted() {
    let kills = if is_campaign() { 1_000 } else { 12 };
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = hub.two_in_step();
    one.ok(&["claim", "first"]);
    let began = Instant::now();
    one.sync();
    let usual = began.elapsed();
    let (mut killed, mut tries) = (0, 0);
    while killed < kills {
        two.ok(&["claim", &format!("theirs-{tries}")]);
        two.sync();
        one.ok(&["claim", &format!("mine-{tries}")]);
        let mut sync = one.repo.command(&["sync"]);
        let mut sync = sync.env("AIO_INSTANCE", &one.me).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        thread::sleep(usual.mul_f64(f64::from((tries * 37) % 100) / 100.0));
        sync.kill().unwrap();
        let end = ended(&sync.wait_with_output().unwrap());
        match end.code {
            // What git was just doing for it goes on to its end.
            KILLED => killed += 1,
            0 => {}
            code => assert!(code == 7 && end.stderr.contains("lock"), "{code}: {}", end.stderr),
        }
        tries += 1;
    }
    // A fetch or push that outlived its sync may still be at it.
    let until = Instant::now() + Duration::from_secs(30);
    while one.aio(&["sync"]).code != 0 {
        assert!(Instant::now() < until, "it doesn't come to an end");
        thread::sleep(Duration::from_millis(100));
    }
    two.sync();
    let claims = two.claims();
    for nth in 0..tries {
        assert!(claims.contains(&(format!("mine-{nth}"), one.me.clone())), "mine-{nth}");
        assert!(claims.contains(&(format!("theirs-{nth}"), two.me.clone())), "theirs-{nth}");
    }
    hub.assert_linear();
    assert_same(&hub, &[one, two]);
}
