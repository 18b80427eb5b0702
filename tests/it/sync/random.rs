//! Random histories of several clones with real git, against what was meant: what the hub has granted ends only by its
//! holder's doing, no two hold what overlaps, and at the end all have the same.
//!
//! The default run tries 16 histories, `AIO_TEST_CAMPAIGN=1` 2,000. A failure names its seed, and `AIO_TEST_SEED=<n>`
//! tries that one again.

use super::is_campaign;
use crate::{
    env::TestEnvironment,
    hub::{Hub, Member, Way, assert_same},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

const CLONES: usize = 3;

/// Targets of one tree, of which many overlap.
const TARGETS: [&str; 7] = ["src/a.rs", "src/b.rs", "src/", "src/*.rs", "docs/", "docs/x/y", "docs/x/"];

/// Names of tasks, of which all clones make some.
const TASKS: [&str; 3] = ["T-0", "T-1", "T-2"];

/// Numbers that a seed determines.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }
}

/// A claim as a clone sees it.
#[derive(Debug)]
struct Claim {
    target: String,
    holder: String,
    token: u64,
    shared: bool,
}

/// Claims by their ids.
type Seen = BTreeMap<String, Claim>;

/// Whether two of the targets overlap.
fn overlap(a: &str, b: &str) -> bool {
    let below = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let matches = |a: &str, b: &str| b == "src/*.rs" && below(a, "src") && a.ends_with(".rs");
    below(a, b) || below(b, a) || matches(a, b) || matches(b, a)
}

struct History<'h, 'e> {
    hub: &'h Hub<'e>,
    members: &'h [Member<'e>],
    dice: Dice,
    /// What the hub had granted when it was last seen.
    confirmed: Seen,
    /// Claims that their holders have let go of.
    let_go: BTreeSet<String>,
    /// Tokens and what they were given to.
    tokens: BTreeMap<u64, String>,
    /// Tasks that the hub has confirmed to be done.
    done: BTreeSet<&'static str>,
    away: bool,
}

fn seen(member: &Member<'_>) -> Seen {
    let status: Value = serde_json::from_str(&member.ok(&["--json", "status"])).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let claims = status["claims"].as_array().unwrap().iter();
    claims
        .map(|claim| {
            let token = claim["token"].as_u64().unwrap();
            let (target, holder) = (text(&claim["target"]), text(&claim["holder"]));
            (text(&claim["id"]), Claim { target, holder, token, shared: claim["mode"] == "shared" })
        })
        .collect()
}

impl History<'_, '_> {
    fn run(&mut self) {
        for _ in 0..8 + self.dice.roll(8) {
            self.step();
        }
        self.come_back();
        for member in self.members.iter().chain(self.members) {
            member.sync();
            self.look(member);
        }
        assert_same(self.hub, self.members);
        self.hub.assert_linear();
        let log = self.hub.git(&["log", "--format=%s", "refs/aio/state"]);
        for task in TASKS {
            let times = log.lines().filter(|line| line.starts_with(&format!("finish-task: {task} by"))).count();
            assert_eq!(times, usize::from(self.done.contains(task)), "{task}");
        }
    }

    fn step(&mut self) {
        let member = &self.members[self.dice.roll(CLONES)];
        let target = TARGETS[self.dice.roll(TARGETS.len())];
        let task = TASKS[self.dice.roll(TASKS.len())];
        match self.dice.roll(22) {
            0..7 => {
                let shared: &[&str] = if self.dice.roll(4) == 0 { &["--shared"] } else { &[] };
                let ended = member.aio(&[&["claim", target], shared].concat());
                assert!([0, 3].contains(&ended.code), "{}", ended.stderr);
            }
            7 => {
                let ended = member.aio(&["claim", "--strict", target]);
                assert!([0, 3, 7].contains(&ended.code), "{}", ended.stderr);
            }
            8..10 => {
                let mine = seen(member).into_iter().filter(|(_, claim)| claim.holder == member.me);
                self.let_go.extend(mine.map(|(id, _)| id));
                member.ok(&["release", "all"]);
            }
            10 => {
                let steps = ["sync-fetched", "sync-replayed", "sync-adopted", "sync-about-to-push", "sync-pushed"];
                member.killed_at(steps[self.dice.roll(steps.len())], &["sync"]);
            }
            16 | 17 => {
                let ended = member.aio(&["tasks", "new", &format!("as {} means it", member.me), "--id", task]);
                assert!([0, 2].contains(&ended.code), "{}", ended.stderr);
            }
            18 | 19 => {
                let ended = member.aio(&["tasks", "next", "--another"]);
                assert!([0, 7, 8].contains(&ended.code), "{}", ended.stderr);
            }
            20 | 21 => {
                let mine = seen(member).into_iter().filter(|(_, claim)| claim.holder == member.me);
                let on_it: Vec<String> = mine.filter(|(_, claim)| claim.target == task).map(|(id, _)| id).collect();
                let ended = member.aio(&["tasks", "done", task]);
                assert!([0, 3, 7, 8].contains(&ended.code), "{}", ended.stderr);
                if ended.code == 0 && !ended.stdout.contains("already") {
                    assert!(self.done.insert(task), "{task} was done twice");
                    self.let_go.extend(on_it);
                }
            }
            11 => self.go_away(),
            12 => self.come_back(),
            _ => {
                let ended = member.aio(&["sync"]);
                assert_eq!(ended.code == 0, !self.away, "{}", ended.stderr);
                if ended.code == 0 {
                    self.look(member);
                }
            }
        }
    }

    fn place(&self) -> std::path::PathBuf {
        self.hub.env.path().join("away")
    }

    fn go_away(&mut self) {
        if !std::mem::replace(&mut self.away, true) {
            fs::rename(&self.hub.dir, self.place()).unwrap();
        }
    }

    fn come_back(&mut self) {
        if std::mem::replace(&mut self.away, false) {
            fs::rename(self.place(), &self.hub.dir).unwrap();
        }
    }

    /// Looks at what a clone that has just synced has: the hub's state.
    fn look(&mut self, member: &Member<'_>) {
        assert_eq!(member.tip(), self.hub.tip());
        let now = seen(member);
        for (id, claim) in &self.confirmed {
            assert!(now.contains_key(id) || self.let_go.contains(id), "{claim:?} is gone");
            assert!(now.get(id).is_none_or(|there| there.holder == claim.holder), "{claim:?} has another holder");
        }
        for (id, claim) in &now {
            let given = self.tokens.entry(claim.token).or_insert_with(|| id.clone());
            assert_eq!(given, id, "a token is given once");
        }
        for (id, one) in &now {
            for (_, other) in now.range::<String, _>((Bound::Excluded(id), Bound::Unbounded)) {
                let apart = one.holder == other.holder || one.shared && other.shared;
                assert!(apart || !overlap(&one.target, &other.target), "{one:?} and {other:?}");
            }
        }
        self.confirmed = now;
    }
}

/// Makes the clones and the hub as if nothing had ever been coordinated.
fn forget(hub: &Hub<'_>, members: &[Member<'_>]) {
    for repo in members.iter().map(|member| &member.repo).chain([&hub.repo()]) {
        let refs =
            repo.git(&["for-each-ref", "--format=delete %(refname)", "refs/aio", "refs/aio-sync", "refs/aio-presence"]);
        for line in refs.lines() {
            repo.git(&["update-ref", "-d", line.trim_start_matches("delete ")]);
        }
        for left in [".git/aio/hub", ".git/logs/refs/aio"] {
            let _ = fs::remove_dir_all(repo.dir.join(left));
        }
    }
}

#[test]
fn no_history_with_real_git_confirms_what_it_should_not() {
    let chosen: Option<u64> = std::env::var("AIO_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let first = chosen.unwrap_or_else(|| u64::from(std::process::id()) << 32);
    let histories = if chosen.is_some() {
        1
    } else if is_campaign() {
        2_000
    } else {
        16
    };
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let mut members: Vec<_> = (0..CLONES).map(|nth| hub.member(&format!("clone{nth}"), "claude")).collect();
    for seed in first..first + histories {
        forget(&hub, &members);
        for member in &mut members {
            member.me = member.repo.register("claude");
        }
        let mut history = History {
            hub: &hub,
            members: &members,
            dice: Dice(seed),
            confirmed: Seen::new(),
            let_go: BTreeSet::new(),
            tokens: BTreeMap::new(),
            done: BTreeSet::new(),
            away: false,
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| history.run())) {
            eprintln!("the history AIO_TEST_SEED={seed} failed");
            resume_unwind(panic);
        }
    }
}
