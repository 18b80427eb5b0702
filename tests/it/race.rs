//! Races as races: processes that are let go at the same moment, and beside them a repository that is being tidied.
//!
//! `AIO_TEST_CAMPAIGN=1` runs 2,000 rounds where the default run has 20 or fewer, and a higher number that many:
//! `AIO_TEST_CAMPAIGN=1 cargo test --test it race:: -- --nocapture`. There only it asks how long an operation may take,
//! in `race::others::none_of_a_crowd_waits_for_long`, which wants the machine for itself: no other race runs beside it.

mod others;

use crate::{
    env::{Ended, Refs, Repo, TestEnvironment},
    together::{beside, together},
};
use std::{
    sync::{PoisonError, RwLock, RwLockReadGuard},
    thread,
};

/// Two targets that overlap, each of them also itself.
type Pair = [&'static [&'static str]; 2];

const FILE: &[&str] = &["file", "src/auth/login.rs"];
const DIRECTORY: &[&str] = &["directory", "src/auth"];
const OUTER: &[&str] = &["directory", "src"];
const PATTERN: &[&str] = &["pattern", "src/**/*.rs"];
const BARE_PATTERN: &[&str] = &["pattern", "login.*"];
const TASK: &[&str] = &["task", "AUTH-7"];

const PAIRS: [Pair; 7] = [
    [FILE, FILE],
    [FILE, DIRECTORY],
    [FILE, PATTERN],
    [DIRECTORY, OUTER],
    [DIRECTORY, PATTERN],
    [PATTERN, BARE_PATTERN],
    [TASK, TASK],
];

/// What tidies a repository up. What removes objects takes turns: git's own writers lose objects to a `git gc` and a
/// `git repack -a -d` at the same time, and to any `git prune --expire=now` beside them.
const CHORES: &[&[&[&str]]] = &[
    &[&["gc", "--quiet"], &["repack", "-a", "-d", "-q"], &["prune", "--expire=1.hour.ago"]],
    &[&["pack-refs", "--all"]],
];

/// The rounds of a campaign, if this is one.
fn campaign() -> Option<usize> {
    let value = std::env::var("AIO_TEST_CAMPAIGN").ok().filter(|value| !value.is_empty() && value != "0")?;
    let rounds = value.parse().expect("AIO_TEST_CAMPAIGN is 1, or how many rounds to run");
    Some(if rounds == 1 { 2_000 } else { rounds })
}

/// How many rounds to run where the default run has `few`.
fn rounds(few: usize) -> usize {
    campaign().unwrap_or(few)
}

/// Held by every race, and alone by the one that measures.
static MACHINE: RwLock<()> = RwLock::new(());

/// A repository and instances in it, registered once for all rounds.
struct Arena<'e> {
    repo: Repo<'e>,
    instances: Vec<String>,
    _machine: RwLockReadGuard<'static, ()>,
}

impl<'e> Arena<'e> {
    fn new(env: &'e TestEnvironment, refs: Refs, instances: usize) -> Self {
        Arena::configured(env, refs, instances, &[])
    }

    /// One in a repository with these settings, made before there is a store.
    fn configured(env: &'e TestEnvironment, refs: Refs, instances: usize, settings: &[(&str, &str)]) -> Self {
        let files = [("src/auth/login.rs", "fn login() {}\n"), ("src/main.rs", "fn main() {}\n")];
        let repo = env.repo_with("arena", refs, "sha1", &files);
        for (key, value) in settings {
            repo.git(&["config", key, value]);
        }
        let instances = (0..instances).map(|_| repo.register("claude")).collect();
        Arena { repo, instances, _machine: MACHINE.read().unwrap_or_else(PoisonError::into_inner) }
    }

    /// One round: `racers` claim at once, the even ones one target of the pair, the odd ones the other. Exactly one of
    /// them gets it, and everybody else is told who.
    fn round(&self, pair: &Pair, racers: usize) {
        let claims = self.instances.iter().take(racers).enumerate().map(|(nth, instance)| {
            let mut claim = self.repo.command(&["claim"]);
            claim.args(pair[nth % 2]).env("AIO_INSTANCE", instance);
            claim
        });
        let ends = together(claims.collect());
        let winners: Vec<&String> = self.by_code(&ends, 0).collect();
        let [winner] = winners[..] else { panic!("{} winners of {racers} for {pair:?}: {ends:#?}", winners.len()) };
        for end in ends.iter().filter(|end| end.code != 0) {
            assert_eq!(end.code, 3, "{}", end.stderr);
            assert!(end.stderr.starts_with("already claimed: "), "{}", end.stderr);
            assert!(end.stderr.contains(winner.as_str()), "{winner} won, but: {}", end.stderr);
        }
        assert_eq!(holders(&self.repo), [winner.as_str()], "whom the store has for {pair:?}");
        self.repo.ok_as(winner, &["release", "all"]);
    }

    fn by_code<'a>(&'a self, ends: &'a [Ended], code: i32) -> impl Iterator<Item = &'a String> {
        self.instances.iter().zip(ends).filter(move |(_, end)| end.code == code).map(|(instance, _)| instance)
    }
}

/// How many claims the state has.
fn claims_present(repo: &Repo<'_>) -> usize {
    repo.git(&["ls-tree", "-r", "--name-only", "refs/aio/state", "claims/"]).lines().count()
}

/// Who holds the claims of the state: of each record in it, as git shows it.
fn holders(repo: &Repo<'_>) -> Vec<String> {
    let lines = repo.try_git(&["grep", "-h", "\"holder\":", "refs/aio/state", "--", "claims/"]).stdout;
    lines.lines().map(|line| line.split('"').nth(3).unwrap().to_owned()).collect()
}

/// The history is one line of `operations` after the store began, each with its parent alone and the next number.
fn assert_linear(repo: &Repo<'_>, operations: usize) {
    let log = repo.git(&["log", "--format=%(trailers:key=Aio-Seq,valueonly,separator=)%x20%P", "refs/aio/state"]);
    let commits: Vec<Vec<&str>> = log.lines().map(|line| line.split_whitespace().collect()).collect();
    for (commit, seq) in commits.iter().zip((1..=commits.len()).rev()) {
        assert_eq!(commit[0], seq.to_string(), "numbers without a gap");
        assert_eq!(commit.len() - 1, usize::from(seq > 1), "one parent, but the first has none");
    }
    assert_eq!(commits.len(), 1 + operations, "every operation that was reported is there, and no other");
    assert_eq!(repo.git(&["fsck", "--strict", "--no-dangling"]), "");
}

/// `few` rounds for each pair and each number of racers.
fn race(refs: Refs, pairs: &[Pair], few: usize) {
    let env = TestEnvironment::new();
    race_in_arena(&Arena::new(&env, refs, 32), pairs, few, &[2, 8, 32]);
}

fn race_in_arena(arena: &Arena<'_>, pairs: &[Pair], few: usize, crowds: &[usize]) {
    let mut granted = 0;
    for pair in pairs {
        for racers in crowds {
            for _ in 0..rounds(few) {
                arena.round(pair, *racers);
                granted += 1;
            }
        }
    }
    assert_linear(&arena.repo, arena.instances.len() + 2 * granted);
}

#[test]
fn of_many_who_claim_one_file_one_gets_it() {
    race(Refs::Files, &PAIRS[0..=0], 20);
}

#[test]
fn of_many_who_claim_a_file_or_its_folder_one_gets_it() {
    race(Refs::Files, &PAIRS[1..=1], 20);
}

#[test]
fn of_many_who_claim_a_file_or_a_pattern_over_it_one_gets_it() {
    race(Refs::Files, &PAIRS[2..=2], 20);
}

#[test]
fn of_many_who_claim_a_folder_or_the_one_around_it_one_gets_it() {
    race(Refs::Files, &PAIRS[3..=3], 20);
}

#[test]
fn of_many_who_claim_a_folder_or_a_pattern_into_it_one_gets_it() {
    race(Refs::Files, &PAIRS[4..=4], 20);
}

#[test]
fn of_many_who_claim_patterns_that_share_a_file_one_gets_it() {
    race(Refs::Files, &PAIRS[5..=5], 20);
}

#[test]
fn of_many_who_claim_one_task_one_gets_it() {
    race(Refs::Files, &PAIRS[6..=6], 20);
}

/// Turns are for fairness: with nobody taking them (`off`), and with everybody believing that it is theirs (`lying`),
/// the lock of the ref and the value it is compared with are all there is.
fn race_without_turns(refs: Refs, turns: &str, few: usize) {
    let mut env = TestEnvironment::new();
    env.set("AIO_TEST_TURN", turns);
    race_in_arena(&Arena::new(&env, refs, 32), &PAIRS, few, &[2, 8, 32]);
}

#[test]
fn one_gets_it_where_nobody_takes_turns() {
    race_without_turns(Refs::Files, "off", 2);
}

#[test]
fn one_gets_it_where_everybody_believes_to_have_the_turn() {
    race_without_turns(Refs::Files, "lying", 2);
}

#[test]
fn one_gets_it_in_a_reftable_where_nobody_takes_turns() {
    race_without_turns(Refs::Reftable, "off", 1);
}

#[test]
fn one_gets_it_in_a_reftable_where_everybody_believes_to_have_the_turn() {
    race_without_turns(Refs::Reftable, "lying", 1);
}

/// git moves the ref here, which takes longer: 2 rounds for each pair and each number of racers.
#[test]
fn one_gets_it_where_refs_are_a_reftable() {
    race(Refs::Reftable, &PAIRS, 2);
}

#[test]
fn one_gets_it_where_refs_were_packed() {
    let env = TestEnvironment::new();
    let arena = Arena::new(&env, Refs::Files, 8);
    let few = rounds(20);
    for nth in 0..few {
        arena.repo.git(&["pack-refs", "--all"]);
        assert!(!arena.repo.dir.join(".git/refs/aio/state").exists(), "it is packed");
        arena.round(&PAIRS[nth % PAIRS.len()], 8);
    }
    assert_linear(&arena.repo, 8 + 2 * few);
}

fn race_beside_chores(refs: Refs, few: usize) {
    let env = TestEnvironment::new();
    let arena = Arena::new(&env, refs, 8);
    let few = rounds(few);
    let (ran, times) = beside(&arena.repo, CHORES, |chores| {
        let mut ran = 0;
        // A race beside nothing proves nothing: it goes on until each chore was really done, and not merely tried.
        while ran < few || chores.fewest() < 3 {
            assert!(ran < few + 200, "{ran} rounds, and still a chore was never done: {chores:?}");
            arena.round(&PAIRS[ran % PAIRS.len()], 8);
            ran += 1;
        }
        ran
    });
    eprintln!("{ran} rounds beside {times:?} runs of gc, repack and prune, and of pack-refs");
    assert_linear(&arena.repo, 8 + 2 * ran);
}

#[test]
fn one_gets_it_while_git_tidies_up() {
    race_beside_chores(Refs::Files, 21);
}

#[test]
fn one_gets_it_while_git_tidies_up_a_reftable() {
    race_beside_chores(Refs::Reftable, 14);
}

#[test]
fn of_many_who_claim_different_paths_each_gets_its_own() {
    const RACERS: usize = 64;
    for refs in [Refs::Files, Refs::Reftable] {
        let env = TestEnvironment::new();
        let repo = env.repo_with("arena", refs, "sha1", &[]);
        let me = repo.register("claude");
        let claims = (0..RACERS).map(|nth| {
            let mut claim = repo.command(&["claim", &format!("src/{nth}.rs")]);
            claim.env("AIO_INSTANCE", &me);
            claim
        });
        for end in together(claims.collect()) {
            assert_eq!(end.code, 0, "{}", end.stderr);
        }
        assert_eq!(claims_present(&repo), RACERS);
        assert_linear(&repo, 1 + RACERS);
    }
}

/// Claims and releases of paths that overlap, by many at once: what was granted and not released is what is there.
#[test]
fn a_storm_of_claims_and_releases_loses_nothing() {
    const WORKERS: usize = 8;
    for (refs, few) in [(Refs::Files, 12), (Refs::Reftable, 4)] {
        let env = TestEnvironment::new();
        let arena = Arena::new(&env, refs, WORKERS);
        let few = campaign().map_or(few, |rounds| few.max(rounds / 10));
        let (granted, released): (usize, usize) = thread::scope(|scope| {
            let workers: Vec<_> = (0..WORKERS)
                .map(|nth| (nth, &arena))
                .map(|(nth, arena)| scope.spawn(move || arena.storm(nth, few)))
                .collect();
            workers.into_iter().map(|w| w.join().unwrap()).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
        });
        assert!(granted > released && released > 0, "{granted} {released}");
        assert_eq!(claims_present(&arena.repo), granted - released);
        assert_linear(&arena.repo, WORKERS + granted + released);
    }
}

impl Arena<'_> {
    /// Claims `times` over, and releases every second claim that it got. Returns how many it got and released.
    fn storm(&self, nth: usize, times: usize) -> (usize, usize) {
        let (mut granted, mut released) = (0, 0);
        for time in 0..times {
            // A third of the paths is wanted by two.
            let path = format!("src/{}/{time}.rs", if time % 3 == 0 { nth / 2 } else { 100 + nth });
            let claim = self.repo.aio_as(&self.instances[nth], &["--json", "claim", &path]);
            if claim.code == 3 {
                continue;
            }
            assert_eq!(claim.code, 0, "{}", claim.stderr);
            granted += 1;
            if granted % 2 == 0 {
                let answer: serde_json::Value = serde_json::from_str(&claim.stdout).unwrap();
                self.repo.ok_as(&self.instances[nth], &["release", answer["claims"][0]["id"].as_str().unwrap()]);
                released += 1;
            }
        }
        (granted, released)
    }
}
