//! Races for what is not simply free: claims of somebody gone, handoffs, shared claims, names in several spellings.

use super::{Arena, DIRECTORY, FILE, MACHINE, Pair, assert_linear, campaign, holders, race_in_arena, rounds};
use crate::{
    env::{Ended, Refs, TestEnvironment},
    together::{together, together_timed},
};
use serde_json::Value;
use std::{
    fs::File,
    sync::PoisonError,
    time::{Duration, SystemTime},
};

impl Arena<'_> {
    /// Runs a command as each of the instances from the `first` on, all at once, and tells who got a yes.
    fn all_at_once<'a>(&'a self, first: usize, commands: &[Vec<&str>]) -> (Vec<&'a str>, Vec<Ended>) {
        let racers = &self.instances[first..first + commands.len()];
        let commands = racers.iter().zip(commands).map(|(instance, args)| {
            let mut command = self.repo.command(args);
            command.env("AIO_INSTANCE", instance);
            command
        });
        let ends = together(commands.collect());
        let won = racers.iter().zip(&ends).filter(|(_, end)| end.code == 0).map(|(racer, _)| racer.as_str()).collect();
        (won, ends)
    }

    fn token_of_the_only_claim(&self) -> u64 {
        let status: Value = self.repo.json_as(&self.instances[0], &["status"]);
        let [claim] = &status["claims"].as_array().unwrap()[..] else { panic!("{status}") };
        claim["token"].as_u64().unwrap()
    }

    /// Makes it look as if the first instance had been silent for ten minutes.
    fn silence_the_first(&self) {
        let live = self.repo.dir.join(".git/aio/live").join(&self.instances[0]);
        let live = File::options().write(true).open(live).unwrap();
        live.set_modified(SystemTime::now() - Duration::from_secs(600)).unwrap();
    }
}

/// Each race with turns taken, without, and with turns that mean nothing.
fn in_every_way(mut race: impl FnMut(&TestEnvironment, Refs)) {
    for refs in [Refs::Files, Refs::Reftable] {
        for turns in [None, Some("off"), Some("lying")] {
            let mut env = TestEnvironment::new();
            turns.into_iter().for_each(|turns| env.set("AIO_TEST_TURN", turns));
            race(&env, refs);
        }
    }
}

#[test]
fn of_many_who_take_over_from_somebody_gone_one_does() {
    const RACERS: usize = 8;
    let targets: [&[&str]; 2] = [FILE, DIRECTORY];
    in_every_way(|env, refs| {
        let arena = Arena::new(env, refs, 1 + RACERS);
        for nth in 0..rounds(2) {
            let gone = &arena.instances[0];
            arena.repo.ok_as(gone, &[&["claim"], targets[nth % 2]].concat());
            let token = arena.token_of_the_only_claim();
            arena.silence_the_first();
            let claims: Vec<Vec<&str>> = (0..RACERS).map(|nth| [&["claim"], targets[nth % 2]].concat()).collect();
            let (won, ends) = arena.all_at_once(1, &claims);
            let [winner] = won[..] else { panic!("{won:?}: {ends:#?}") };
            assert_eq!(holders(&arena.repo), [winner]);
            assert!(arena.token_of_the_only_claim() > token, "a later grant has a higher token");
            for end in &ends {
                let told = end.stderr.contains(&format!("taken over from {gone}"));
                assert_eq!((end.code == 0, end.code == 3), (told, !told), "{end:?}");
                assert!(told || end.stderr.contains(winner), "{winner} won, but: {}", end.stderr);
            }
            arena.repo.ok_as(winner, &["release", "all"]);
            // Who lost it settles that by claiming it again.
            arena.repo.ok_as(gone, &[&["claim"], targets[nth % 2]].concat());
            arena.repo.ok_as(gone, &["release", "all"]);
        }
        assert_linear(&arena.repo, 1 + RACERS + 5 * rounds(2));
    });
}

#[test]
fn of_many_who_accept_a_handoff_one_gets_it() {
    const RACERS: usize = 4;
    in_every_way(|env, refs| {
        let arena = Arena::new(env, refs, 1 + RACERS);
        let maker = &arena.instances[0];
        for _ in 0..rounds(2) {
            arena.repo.ok_as(maker, &["claim", "src/auth/", "src/main.rs"]);
            let made = arena.repo.json_as(maker, &["handoff", "new", "go on"]);
            let id = made["handoff"]["id"].as_str().unwrap();
            // Its maker takes it back while the others accept it.
            let mut commands = vec![vec!["handoff", "accept", id]; 1 + RACERS];
            commands[0] = vec!["handoff", "decline", id];
            let (won, ends) = arena.all_at_once(0, &commands);
            let [winner] = won[..] else { panic!("{won:?}: {ends:#?}") };
            assert_eq!(holders(&arena.repo), [winner, winner], "both claims go to the same one");
            for end in ends.iter().filter(|end| end.code != 0) {
                assert_eq!(end.code, 3, "{}", end.stderr);
                assert!(end.stderr.contains(" already, by ") && end.stderr.contains(winner), "{}", end.stderr);
            }
            arena.repo.ok_as(winner, &["release", "all"]);
        }
        assert_linear(&arena.repo, 1 + RACERS + 4 * rounds(2));
    });
}

#[test]
fn shared_claims_are_granted_together_or_an_exclusive_one_alone() {
    const RACERS: usize = 8;
    let mut outcomes = [0, 0];
    in_every_way(|env, refs| {
        let arena = Arena::new(env, refs, RACERS);
        let mut granted = 0;
        for _ in 0..rounds(3) {
            let claims: Vec<Vec<&str>> =
                (0..RACERS)
                    .map(|nth| {
                        if nth % 2 == 0 { vec!["claim", "--shared", "src/auth/"] } else { [&["claim"], FILE].concat() }
                    })
                    .collect();
            let (mut won, ends) = arena.all_at_once(0, &claims);
            let (shared, exclusive): (Vec<_>, Vec<_>) = ends.iter().enumerate().partition(|(nth, _)| nth % 2 == 0);
            let yes = |ends: &[(usize, &Ended)]| ends.iter().filter(|(_, end)| end.code == 0).count();
            match (yes(&shared), yes(&exclusive)) {
                (0, 1) => outcomes[0] += 1,
                (all, 0) if all == shared.len() => outcomes[1] += 1,
                other => panic!("{other:?}: {ends:#?}"),
            }
            assert!(ends.iter().all(|end| [0, 3].contains(&end.code)), "{ends:#?}");
            let mut held = holders(&arena.repo);
            held.sort();
            won.sort_unstable();
            assert_eq!(held, won);
            won.iter().for_each(|winner| drop(arena.repo.ok_as(winner, &["release", "all"])));
            granted += won.len();
        }
        assert_linear(&arena.repo, RACERS + 2 * granted);
    });
    eprintln!("an exclusive claim came first {} times, a shared one {} times", outcomes[0], outcomes[1]);
}

#[test]
fn one_gets_it_however_it_is_spelled() {
    const SPELLINGS: [Pair; 4] = [
        [FILE, &["file", "SRC/Auth/LOGIN.rs"]],
        [DIRECTORY, &["file", "src/AUTH/login.RS"]],
        [&["pattern", "Src/**/*.RS"], FILE],
        [&["directory", "src/\u{e9}t\u{e9}"], &["file", "SRC/\u{c9}T\u{c9}/x"]],
    ];
    in_every_way(|env, refs| {
        let arena = Arena::configured(env, refs, 8, &[("core.ignorecase", "true")]);
        race_in_arena(&arena, &SPELLINGS, 1, &[8]);
    });
}

/// As many as it may be at worst claim a path of their own, over and over, and each of them is timed from the moment at
/// which all are let go. Only a campaign asks this: it is the machine that answers, and it wants it for itself.
#[test]
fn none_of_a_crowd_waits_for_long() {
    const RACERS: usize = 64;
    const LIMIT: Duration = Duration::from_secs(2);
    let Some(rounds) = campaign().map(|rounds| (rounds / 100).max(1)) else {
        return eprintln!("skipped: how long a crowd waits is asked with AIO_TEST_CAMPAIGN=1");
    };
    let _machine = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
    let mut slow = Vec::new();
    for (refs, fsync) in
        [(Refs::Files, "false"), (Refs::Files, "true"), (Refs::Reftable, "false"), (Refs::Reftable, "true")]
    {
        let env = TestEnvironment::new();
        let repo = env.repo_with("arena", refs, "sha1", &[]);
        repo.git(&["config", "aio.fsync", fsync]);
        let me = repo.register("claude");
        let mut times = Vec::new();
        for round in 0..rounds {
            let claims = (0..RACERS).map(|nth| {
                let mut claim = repo.command(&["claim", &format!("src/{round}/{nth}.rs")]);
                claim.env("AIO_INSTANCE", &me);
                claim
            });
            for (end, time) in together_timed(claims.collect()) {
                assert_eq!(end.code, 0, "{}", end.stderr);
                times.push(time);
            }
        }
        assert_linear(&repo, 1 + RACERS * rounds);
        times.sort();
        let told = [50, 90, 99, 100].map(|percent| times[(times.len() * percent / 100).saturating_sub(1)].as_millis());
        let what = format!("{RACERS} claims at once, {rounds} times, {refs:?}, aio.fsync={fsync}");
        let what = format!(
            "{what}: half of them took up to {} ms, 90% {}, 99% {}, all {}",
            told[0], told[1], told[2], told[3]
        );
        eprintln!("{what}");
        slow.extend((times.last() >= Some(&LIMIT)).then_some(what));
    }
    assert!(slow.is_empty(), "slower than {LIMIT:?}: {slow:#?}");
}
