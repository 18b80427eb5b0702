//! Who is there in another clone, and what becomes of the claims of those who are not. All clocks are driven by hand,
//! each clone's apart from the others'.

use crate::env::{Ended, Refs, Repo, TestEnvironment, run};
use serde_json::Value;
use std::{
    fs, thread,
    time::{Duration, Instant},
};

const FILE: &str = "src/main.rs";

/// Minutes after a moment.
fn at(minutes: i64) -> String {
    moment("2026-01-05T10:00:00Z", minutes)
}

fn moment(from: &str, minutes: i64) -> String {
    let from: chrono::DateTime<chrono::Utc> = from.parse().unwrap();
    (from + chrono::TimeDelta::minutes(minutes)).to_rfc3339()
}

/// Two clones and the hub between them. Nothing is synced by itself.
struct Clones<'e> {
    env: &'e TestEnvironment,
    here: Repo<'e>,
    there: Repo<'e>,
}

impl<'e> Clones<'e> {
    fn new(env: &'e TestEnvironment) -> Self {
        let there = env.repo_with("there", Refs::Files, "sha1", &[(FILE, "fn main() {}\n"), ("b.rs", "\n")]);
        there.git(&["clone", "-q", "--bare", ".", "../hub.git"]);
        there.git(&["clone", "-q", "../hub.git", "../here"]);
        there.git(&["remote", "add", "origin", "../hub.git"]);
        let here = Repo { env, dir: env.path().join("here") };
        for repo in [&here, &there] {
            let url = format!("file://{}", env.path().join("hub.git").display());
            for (key, value) in [
                ("remote.origin.url", &*url),
                ("aio.remote", "origin"),
                ("aio.backgroundSync", "false"),
                ("aio.fsync", "false"),
            ] {
                repo.git(&["config", key, value]);
            }
        }
        Clones { env, here, there }
    }

    /// As [`new`](Self::new), with a claude there that holds the file, which the hub knows since minute 0, and a codex
    /// here, which has looked once.
    fn with_a_holder(env: &'e TestEnvironment) -> (Self, String, String) {
        let clones = Self::new(env);
        let claude = register(&clones.there, "claude", &at(0));
        good(clones.there.aio_at(&at(0), &claude, &["claim", FILE]));
        sync(&clones.there, &at(0));
        sync(&clones.here, &at(0));
        let codex = register(&clones.here, "codex", &at(0));
        (clones, claude, codex)
    }

    fn on_hub(&self, args: &[&str]) -> String {
        run(self.env.command("git", &self.env.path().join("hub.git")).args(args)).stdout.trim().to_owned()
    }

    fn presences(&self) -> Vec<String> {
        let refs = self.on_hub(&["for-each-ref", "--format=%(refname) %(objectname)", "refs/aio-presence"]);
        refs.lines().map(str::to_owned).collect()
    }

    /// Lets the hub run `script` as one of its hooks.
    fn hook(&self, name: &str, script: &str) {
        let path = self.env.path().join("hub.git/hooks").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
}

fn aio_at(repo: &Repo<'_>, now: &str, args: &[&str]) -> Ended {
    run(repo.command(args).env("AIO_TEST_NOW", now))
}

fn good(ended: Ended) -> Ended {
    assert_eq!(ended.code, 0, "{ended:?}");
    ended
}

fn sync(repo: &Repo<'_>, now: &str) {
    good(aio_at(repo, now, &["sync"]));
}

fn register(repo: &Repo<'_>, tool: &str, now: &str) -> String {
    good(aio_at(repo, now, &["register", tool])).stdout.trim().to_owned()
}

/// What `repo` takes `instance` for.
fn state_of(repo: &Repo<'_>, now: &str, instance: &str) -> String {
    let status: Value = serde_json::from_str(&aio_at(repo, now, &["status", "--json"]).stdout).unwrap();
    let all = status["instances"].as_array().unwrap();
    let one = all.iter().find(|one| one["id"] == instance).unwrap_or_else(|| panic!("{instance} is not in {all:?}"));
    let elsewhere = if one["elsewhere"].as_bool().unwrap() { " elsewhere" } else { "" };
    format!("{}{elsewhere}", one["state"].as_str().unwrap())
}

fn memory_of(repo: &Repo<'_>) -> (std::path::PathBuf, Value) {
    let path = repo.dir.join(".git/aio/hub/origin.json");
    let memory = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    (path, memory)
}

#[test]
fn a_clone_that_stays_silent_is_passed_over_after_two_looks_and_its_own_notice_it() {
    let env = TestEnvironment::new();
    let (clones, claude, codex) = Clones::with_a_holder(&env);
    let Clones { here, there, .. } = &clones;
    assert_eq!(state_of(here, &at(0), &claude), "live elsewhere");
    assert_eq!(here.aio_at(&at(31), &codex, &["claim", FILE]).code, 3, "one look is not enough");
    sync(here, &at(31));
    assert_eq!(state_of(here, &at(31), &claude), "stale elsewhere");
    let claimed = good(here.aio_at(&at(31), &codex, &["claim", FILE]));
    assert!(claimed.shown().contains(&claude), "{claimed:?}");
    // The hub has confirmed it: nothing is left to sync.
    assert_eq!(here.git(&["rev-parse", "refs/aio/state"]).trim(), clones.on_hub(&["rev-parse", "refs/aio/state"]));

    // The other one comes back, with work on its hands.
    there.ok(&["init"]);
    there.write(FILE, "fn main() { work(); }\n");
    there.git(&["add", FILE]);
    sync(there, &at(40));
    let told = good(there.aio_at(&at(40), &claude, &["status"]));
    assert!(told.stderr.contains(FILE) && told.stderr.contains(&codex), "{told:?}");
    let commit = |now: &str| {
        let mut git = there.env.command("git", &there.dir);
        run(git.args(["commit", "-qm", "x"]).env("AIO_INSTANCE", &claude).env("AIO_TEST_NOW", now))
    };
    let refused = commit(&at(40));
    assert!(refused.code != 0 && refused.stderr.contains(&format!("held by {codex}")), "{refused:?}");

    // Free again it is not yet theirs: who lost it has to say so.
    good(here.aio_at(&at(41), &codex, &["release", "all"]));
    sync(here, &at(41));
    sync(there, &at(41));
    let refused = commit(&at(41));
    assert!(refused.code != 0 && refused.stderr.contains("claim or release it first"), "{refused:?}");
    assert_eq!(fs::read_to_string(there.dir.join(FILE)).unwrap(), "fn main() { work(); }\n");
    good(there.aio_at(&at(42), &claude, &["claim", FILE]));
    good(commit(&at(42)));
}

#[test]
fn what_a_clone_says_that_is_gone_for_a_month_is_removed_and_comes_back_with_it() {
    const DAY: i64 = 24 * 60;
    let env = TestEnvironment::new();
    let (clones, claude, _) = Clones::with_a_holder(&env);
    let Clones { here, there, .. } = &clones;
    sync(here, &at(5));
    assert_eq!(clones.presences().len(), 2);
    let is_of = |repo: &Repo<'_>| {
        let id = fs::read_to_string(repo.dir.join(".git/aio/clone")).unwrap();
        clones.presences().iter().any(|presence| presence.contains(id.trim()))
    };
    sync(here, &at(29 * DAY));
    assert!(is_of(there), "it may be a long holiday");
    // Our own clock may have been wrong: what is of the future counts from now.
    sync(here, &at(-DAY));
    sync(here, &at(28 * DAY));
    assert!(is_of(there));
    sync(here, &at(29 * DAY));
    assert!(is_of(here) && !is_of(there));
    sync(here, &at(29 * DAY + 1));
    assert_eq!(here.git(&["for-each-ref", "refs/aio-sync/origin/presence"]).lines().count(), 1);
    good(there.aio_at(&at(60 * DAY), &claude, &["heartbeat"]));
    sync(there, &at(60 * DAY));
    assert!(is_of(there));
}

#[test]
fn what_a_clone_says_anew_is_not_removed_by_one_that_has_not_seen_it() {
    const DAY: i64 = 24 * 60;
    let env = TestEnvironment::new();
    let (clones, _, _) = Clones::with_a_holder(&env);
    let Clones { here, there, .. } = &clones;
    sync(here, &at(5));
    clones.hook("pre-receive", "while read old new name; do case $new in *[!0]*) ;; *) exit 1 ;; esac; done");
    sync(here, &at(31 * DAY));
    assert_eq!(clones.presences().len(), 2, "a host that forbids it is no reason to fail");
    let since = &memory_of(here).1["presences"];
    assert!(since.as_object().unwrap().values().all(|known| known["since"] == "2026-02-05T10:00:00Z"), "{since}");
    fs::remove_file(env.path().join("hub.git/hooks/pre-receive")).unwrap();
    sync(there, &at(31 * DAY));
    sync(here, &at(62 * DAY - 2));
    assert_eq!(clones.presences().len(), 2, "it has said something else since");
}

#[test]
fn a_clone_that_is_heard_of_keeps_what_it_holds() {
    let env = TestEnvironment::new();
    let (clones, claude, codex) = Clones::with_a_holder(&env);
    let Clones { here, there, .. } = &clones;
    for minutes in [20, 40, 60] {
        // It does nothing but live.
        good(there.aio_at(&at(minutes), &claude, &["heartbeat"]));
        sync(there, &at(minutes));
        sync(here, &at(minutes + 1));
        assert_eq!(state_of(here, &at(minutes + 1), &claude), "live elsewhere");
    }
    // An operation is a sign of life too, where presence is not told.
    there.git(&["config", "aio.presenceInterval", "1y"]);
    good(there.aio_at(&at(80), &claude, &["task", "go on"]));
    sync(there, &at(80));
    sync(here, &at(81));
    sync(here, &at(110));
    assert_eq!(here.aio_at(&at(110), &codex, &["claim", FILE]).code, 3);
    assert_eq!(state_of(here, &at(110), &claude), "live elsewhere");
    // Being away oneself shows nothing: only a look does.
    assert_eq!(state_of(here, &at(500), &claude), "live elsewhere");
    sync(here, &at(500));
    assert_eq!(state_of(here, &at(500), &claude), "stale elsewhere");
}

#[test]
fn a_clock_that_is_far_off_changes_nothing() {
    for far in ["2001-01-01T00:00:00Z", "2047-01-01T00:00:00Z"] {
        let env = TestEnvironment::new();
        let clones = Clones::new(&env);
        let Clones { here, there, .. } = &clones;
        let claude = register(there, "claude", far);
        good(there.aio_at(far, &claude, &["claim", FILE]));
        sync(there, far);
        sync(here, &at(0));
        sync(here, &at(29));
        assert_eq!(state_of(here, &at(29), &claude), "live elsewhere", "{far}");
        good(there.aio_at(&moment(far, 29), &claude, &["heartbeat"]));
        sync(there, &moment(far, 29));
        sync(here, &at(31));
        sync(here, &at(61));
        assert_eq!(state_of(here, &at(61), &claude), "live elsewhere", "{far}");
        sync(here, &at(62));
        assert_eq!(state_of(here, &at(62), &claude), "stale elsewhere", "{far}");
    }
}

#[test]
fn nothing_is_taken_over_while_the_hub_cannot_be_asked() {
    let env = TestEnvironment::new();
    let (clones, claude, codex) = Clones::with_a_holder(&env);
    let Clones { here, .. } = &clones;
    sync(here, &at(31));
    assert_eq!(state_of(here, &at(31), &claude), "stale elsewhere");
    fs::rename(env.path().join("hub.git"), env.path().join("away.git")).unwrap();
    let before = here.git(&["rev-parse", "refs/aio/state"]);
    assert_eq!(here.aio_at(&at(32), &codex, &["claim", FILE]).code, 7);
    assert_eq!(here.aio_at(&at(32), &codex, &["cleanup"]).code, 7);
    assert_eq!(here.git(&["rev-parse", "refs/aio/state"]), before);
    assert!(!here.aio_at(&at(32), &codex, &["status"]).stdout.contains("(you)\n  "), "nothing is held");

    fs::rename(env.path().join("away.git"), env.path().join("hub.git")).unwrap();
    good(here.aio_at(&at(33), &codex, &["claim", FILE]));
}

#[test]
fn one_that_came_back_just_before_is_not_passed_over() {
    let env = TestEnvironment::new();
    let (clones, claude, codex) = Clones::with_a_holder(&env);
    let Clones { here, there, .. } = &clones;
    sync(here, &at(31));
    good(there.aio_at(&at(32), &claude, &["heartbeat"]));
    sync(there, &at(32));
    assert_eq!(state_of(here, &at(33), &claude), "stale elsewhere", "as far as is known here");
    assert_eq!(here.aio_at(&at(33), &codex, &["claim", FILE]).code, 3, "the hub knows better");
    assert_eq!(state_of(here, &at(33), &claude), "live elsewhere");
}

#[test]
fn after_a_restart_of_the_machine_the_count_begins_again() {
    let env = TestEnvironment::new();
    let (clones, claude, _) = Clones::with_a_holder(&env);
    let Clones { here, .. } = &clones;
    sync(here, &at(31));
    let (path, mut memory) = memory_of(here);
    memory["watch"]["boot"] = "the boot before".into();
    fs::write(path, memory.to_string()).unwrap();
    assert_eq!(state_of(here, &at(31), &claude), "live elsewhere");
    sync(here, &at(40));
    sync(here, &at(69));
    assert_eq!(state_of(here, &at(69), &claude), "live elsewhere");
    sync(here, &at(71));
    assert_eq!(state_of(here, &at(71), &claude), "stale elsewhere");
}

#[test]
fn one_that_its_own_clone_no_longer_names_is_gone_though_the_clone_is_there() {
    let env = TestEnvironment::new();
    let clones = Clones::new(&env);
    let Clones { here, there, .. } = &clones;
    let (claude, amp) = (register(there, "claude", &at(0)), register(there, "amp", &at(0)));
    good(there.aio_at(&at(0), &amp, &["claim", FILE]));
    sync(there, &at(0));
    sync(here, &at(0));
    for minutes in [10, 20, 30] {
        good(there.aio_at(&at(minutes), &claude, &["heartbeat"]));
        sync(there, &at(minutes));
        sync(here, &at(minutes));
        assert_eq!(state_of(here, &at(minutes), &amp), "live elsewhere");
    }
    good(there.aio_at(&at(41), &claude, &["heartbeat"]));
    sync(there, &at(41));
    sync(here, &at(41));
    assert_eq!(state_of(here, &at(41), &claude), "live elsewhere");
    assert_eq!(state_of(here, &at(41), &amp), "stale elsewhere");
    let cleaned = good(aio_at(here, &at(41), &["cleanup"])).stdout;
    assert!(cleaned.contains(&amp) && !cleaned.contains(&claude), "{cleaned}");

    // What it did meanwhile, unsynced, brings it back under its id.
    good(there.aio_at(&at(42), &amp, &["task", "still here"]));
    sync(there, &at(42));
    sync(here, &at(43));
    assert_eq!(state_of(here, &at(43), &amp), "live elsewhere");
    let told = good(there.aio_at(&at(43), &amp, &["status"]));
    assert!(told.stderr.contains("your claim on src/main.rs was ended"), "{told:?}");
}

#[test]
fn what_cannot_be_read_says_nothing() {
    let env = TestEnvironment::new();
    let (clones, claude, _) = Clones::with_a_holder(&env);
    let Clones { here, there, .. } = &clones;
    let name = clones.presences().into_iter().next().unwrap().split(' ').next().unwrap().to_owned();
    for minutes in [10, 20] {
        let garbage = there.git(&["commit-tree", "-m", &format!("{minutes}"), "HEAD^{tree}"]);
        there.git(&["push", "-q", "--force", "origin", &format!("{}:{name}", garbage.trim())]);
        sync(here, &at(minutes));
    }
    // Nor does what another clone says of itself.
    let of_here = here.git(&["for-each-ref", "--format=%(objectname)", "refs/aio-sync/origin/presence"]);
    let of_here = of_here.lines().find(|oid| here.git(&["show", &format!("{oid}^{{tree}}")]).contains("presence.json"));
    here.git(&["push", "-q", "--force", "origin", &format!("{}:{name}", of_here.unwrap())]);
    sync(here, &at(31));
    assert_eq!(state_of(here, &at(31), &claude), "stale elsewhere");
    // One who comes back pushes over it.
    good(there.aio_at(&at(40), &claude, &["heartbeat"]));
    sync(there, &at(40));
    sync(here, &at(41));
    assert_eq!(state_of(here, &at(41), &claude), "live elsewhere");
}

#[test]
fn presence_rides_along_now_and_then_and_otherwise_nothing_is_pushed() {
    let env = TestEnvironment::new();
    let clones = Clones::new(&env);
    let there = &clones.there;
    clones.hook("pre-receive", "cat >>pushes; echo . >>pushes");
    let pushes = || {
        let text = fs::read_to_string(env.path().join("hub.git/pushes")).unwrap_or_default();
        text.split(".\n").map(|push| push.lines().count()).filter(|count| *count > 0).collect::<Vec<_>>()
    };
    sync(there, &at(0));
    assert_eq!(pushes(), [0; 0], "nobody is there");
    let claude = register(there, "claude", &at(5));
    sync(there, &at(5));
    assert_eq!(pushes(), [2], "the state and the presence in one push");
    sync(there, &at(6));
    good(there.aio_at(&at(7), &claude, &["claim", FILE]));
    sync(there, &at(7));
    assert_eq!(pushes(), [2, 1], "presence is not due");
    sync(there, &at(8));
    assert_eq!(pushes(), [2, 1, 1], "presence alone");
    sync(there, &at(9));
    assert_eq!(pushes(), [2, 1, 1]);
    let [presence] = &clones.presences()[..] else { panic!("{:?}", clones.presences()) };
    let record = clones.on_hub(&["show", &format!("{}:presence.json", presence.split(' ').next().unwrap())]);
    let record: Value = serde_json::from_str(&record).unwrap();
    assert_eq!((&record["counter"], &record["instances"][0]["id"]), (&2.into(), &claude.into()));
}

#[test]
fn a_host_that_takes_no_presence_takes_the_state() {
    let one = r#"case "$1" in refs/aio-presence/*) echo no such place >&2; exit 1;; esac"#;
    let all = r#"while read old new ref; do case "$ref" in refs/aio-presence/*) exit 1;; esac; done"#;
    let hang_up = r#"while read old new ref; do case "$ref" in refs/aio-presence/*) kill -9 $PPID;; esac; done"#;
    for (hook, script) in [("update", one), ("pre-receive", all), ("pre-receive", hang_up)] {
        let env = TestEnvironment::new();
        let clones = Clones::new(&env);
        let there = &clones.there;
        clones.hook(hook, script);
        let claude = register(there, "claude", &at(0));
        sync(there, &at(0));
        let ours = || there.git(&["rev-parse", "refs/aio/state"]).trim().to_owned();
        assert_eq!(ours(), clones.on_hub(&["rev-parse", "refs/aio/state"]), "{script}");
        for (minute, file) in [(10, FILE), (14, "another.rs")] {
            good(there.aio_at(&at(minute), &claude, &["claim", file]));
            sync(there, &at(minute));
            assert_eq!(ours(), clones.on_hub(&["rev-parse", "refs/aio/state"]), "{script}");
        }
        assert_eq!(clones.presences(), [""; 0]);
        assert!(memory_of(there).1["told"]["refused"].is_string(), "{script}");
        // Who has said no three times is asked again, but not soon; one that hung up said nothing.
        fs::remove_file(env.path().join("hub.git/hooks").join(hook)).unwrap();
        sync(there, &at(73));
        assert_eq!(clones.presences().len(), usize::from(script == hang_up), "{script}");
        sync(there, &at(75));
        assert_eq!(clones.presences().len(), 1, "{script}");
    }
}

#[test]
fn the_time_of_a_claim_elsewhere_is_counted_from_when_it_was_first_seen() {
    for far in ["2001-01-01T00:00:00Z", "2047-01-01T00:00:00Z"] {
        let env = TestEnvironment::new();
        let clones = Clones::new(&env);
        let Clones { here, there, .. } = &clones;
        let codex = register(here, "codex", &at(0));
        sync(here, &at(0));
        sync(there, far);
        good(aio_at(there, far, &["claim", FILE, "--ttl", "2h"]));
        sync(there, far);
        sync(here, &at(10));
        sync(here, &at(129));
        assert_eq!(here.aio_at(&at(129), &codex, &["claim", FILE]).code, 3, "{far}");
        // It is renewed, and we hear of it.
        good(aio_at(there, &moment(far, 110), &["claim", FILE, "--ttl", "1h"]));
        sync(there, &moment(far, 110));
        sync(here, &at(131));
        sync(here, &at(190));
        assert_eq!(here.aio_at(&at(190), &codex, &["claim", FILE]).code, 3, "{far}");
        sync(here, &at(192));
        let claimed = good(here.aio_at(&at(192), &codex, &["claim", FILE]));
        assert!(claimed.shown().contains("person-"), "{claimed:?}");
    }
}

#[test]
fn who_joins_late_gives_a_claim_all_of_its_time_from_then() {
    let env = TestEnvironment::new();
    let clones = Clones::new(&env);
    let Clones { here, there, .. } = &clones;
    good(aio_at(there, &at(0), &["claim", FILE, "--ttl", "2h"]));
    sync(there, &at(0));
    sync(here, &at(1000));
    let codex = register(here, "codex", &at(1000));
    sync(here, &at(1119));
    assert_eq!(here.aio_at(&at(1119), &codex, &["claim", FILE]).code, 3);
    sync(here, &at(1121));
    good(here.aio_at(&at(1121), &codex, &["claim", FILE]));
}

#[test]
fn a_sign_of_life_tells_the_hub_by_itself_when_that_is_due() {
    let env = TestEnvironment::new();
    let clones = Clones::new(&env);
    let there = &clones.there;
    let claude = there.register("claude");
    there.ok(&["sync"]);
    assert_eq!(clones.presences().len(), 1);
    there.git(&["config", "aio.backgroundSync", "true"]);
    there.git(&["config", "aio.syncInterval", "0s"]);
    let before = clones.presences();
    there.ok_as(&claude, &["status"]);
    thread::sleep(Duration::from_millis(400));
    assert_eq!(clones.presences(), before, "it is not due");
    there.git(&["config", "aio.presenceInterval", "0s"]);
    there.git(&["config", "aio.confirm", "local"]);
    there.ok_as(&claude, &["status"]);
    thread::sleep(Duration::from_millis(400));
    assert_eq!(clones.presences(), before, "nothing is sent by itself");
    there.git(&["config", "aio.confirm", "lazy"]);
    there.ok_as(&claude, &["status"]);
    let until = Instant::now() + Duration::from_secs(30);
    while clones.presences() == before {
        assert!(Instant::now() < until, "it was never told");
        thread::sleep(Duration::from_millis(20));
    }
}

/// `with_a_holder`, where the others lose patience before the hub would be told again who is here.
#[test]
fn a_clone_that_syncs_is_heard_of_however_short_the_patience_is() {
    let env = TestEnvironment::new();
    let (clones, claude, codex) = Clones::with_a_holder(&env);
    let Clones { here, there, .. } = &clones;
    [here, there].iter().for_each(|repo| drop(repo.git(&["config", "aio.staleElsewhere", "2m"])));
    let interval = |repo: &Repo<'_>| drop(repo.git(&["config", "aio.presenceInterval", "60m"]));
    [here, there].into_iter().for_each(interval);
    for minute in 1..=4 {
        sync(there, &at(minute));
        sync(here, &at(minute));
        assert_eq!(state_of(here, &at(minute), &claude), "live elsewhere", "{minute}");
        assert_eq!(here.aio_at(&at(minute), &codex, &["claim", FILE]).code, 3, "{minute}");
    }
}
