//! Two clones want the same: one holds it, and the other is told.

use crate::{
    env::TestEnvironment,
    hub::{Hub, Member, Way, assert_same},
    together::together,
};

/// Claims that exclude each other, and a path that both cover. The last two are for a file system where case counts
/// for nothing.
const PAIRS: [[&[&str]; 3]; 6] = [
    [&["file", "src/auth/login.rs"], &["file", "src/auth/login.rs"], &["src/auth/login.rs"]],
    [&["file", "src/auth/login.rs"], &["directory", "src/auth"], &["src/auth/login.rs"]],
    [&["pattern", "src/**/*.rs"], &["file", "src/auth/login.rs"], &["src/auth/login.rs"]],
    [&["--shared", "directory", "src"], &["file", "src/main.rs"], &["src/main.rs"]],
    [&["file", "src/main.rs"], &["--shared", "pattern", "*.rs"], &["src/main.rs"]],
    [&["directory", "src/auth"], &["pattern", "log*"], &["src/auth/login.rs"]],
];

fn claim(member: &Member<'_>, words: &[&str]) {
    member.ok(&[&["claim"], words].concat());
}

/// The first of the two is the first to sync, and holds what both claimed; the other one has lost it.
fn assert_decided(hub: &Hub<'_>, [first, second]: [&Member<'_>; 2], path: &str) {
    second.repo.write(path, "mine\n");
    first.sync();
    let lost = second.sync()["lost"].clone();
    assert_eq!(lost.as_array().unwrap().len(), 1, "{lost}");
    assert_eq!((&lost[0]["loser"], &lost[0]["holder"]), (&second.me.clone().into(), &first.me.clone().into()));
    assert!(lost[0]["token"].as_u64().is_some() && lost[0]["since"].is_string(), "{lost}");
    first.sync();
    assert_eq!(first.claims(), second.claims());
    let holders: Vec<_> = first.claims().into_iter().map(|(_, holder)| holder).collect();
    assert_eq!(holders, [first.me.as_str()]);
    assert_eq!((first.tip(), second.tip()), (hub.tip(), hub.tip()));

    // The holder may commit; the one who lost may not, is told who holds it, and keeps its work.
    assert_eq!(first.commit(path).code, 0);
    second.repo.git(&["add", "-A"]);
    let refused = second.repo.try_git_as(&second.me, &["commit", "-qm", "mine"]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains(&first.me), "{}", refused.stderr);
    assert_eq!(second.repo.git(&["show", &format!(":{path}")]), "mine\n");
    assert_eq!(std::fs::read_to_string(second.repo.dir.join(path)).unwrap(), "mine\n");
}

fn both_claim_offline(way: Way, folds_case: bool, [one_claims, two_claims, paths]: &[&[&str]; 3]) {
    for one_is_first in [true, false] {
        let env = TestEnvironment::new();
        let hub = Hub::new(&env, way);
        let [one, two] = [hub.clone("one"), hub.clone("two")].map(|repo| {
            repo.git(&["config", "core.ignorecase", if folds_case { "true" } else { "false" }]);
            repo.ok(&["init"]);
            let me = repo.register(if repo.dir.ends_with("one") { "claude" } else { "codex" });
            Member { repo, me }
        });
        one.sync();
        two.sync();
        claim(&one, one_claims);
        claim(&two, two_claims);
        let (first, second) = if one_is_first { (&one, &two) } else { (&two, &one) };
        assert_decided(&hub, [first, second], paths[0]);

        // What was lost is settled by letting go of it, after which it may be claimed again once it is free.
        second.ok(&["release", "all"]);
        let refused = second.commit(paths[0]);
        assert_ne!(refused.code, 0, "it is still held: {}", refused.stderr);
        first.ok(&["release", "all"]);
        first.sync();
        second.sync();
        claim(second, if one_is_first { two_claims } else { one_claims });
        let passed = second.commit(paths[0]);
        assert_eq!(passed.code, 0, "{}", passed.stderr);
        second.sync();
        hub.assert_linear();
    }
}

#[test]
fn of_a_file_claimed_twice_offline_the_first_to_sync_has_it() {
    both_claim_offline(Way::File, false, &PAIRS[0]);
}

#[test]
fn so_it_is_over_http() {
    both_claim_offline(Way::Http, false, &PAIRS[1]);
}

#[test]
fn so_it_is_with_a_folder_and_a_file_in_it() {
    both_claim_offline(Way::File, false, &PAIRS[1]);
}

#[test]
fn so_it_is_with_a_pattern_and_a_file_that_it_matches() {
    both_claim_offline(Way::File, false, &PAIRS[2]);
}

#[test]
fn so_it_is_with_a_shared_claim_and_one_that_is_not() {
    both_claim_offline(Way::File, false, &PAIRS[3]);
    both_claim_offline(Way::File, false, &PAIRS[4]);
}

#[test]
fn so_it_is_with_a_folder_and_a_pattern() {
    both_claim_offline(Way::File, false, &PAIRS[5]);
}

#[test]
fn so_it_is_with_names_that_differ_in_case_where_case_counts_for_nothing() {
    both_claim_offline(Way::File, true, &[&["file", "SRC/Main.rs"], &["file", "src/main.rs"], &["src/main.rs"]]);
    both_claim_offline(Way::File, true, &[&["directory", "SRC"], &["file", "src/main.rs"], &["src/main.rs"]]);
}

/// A loser that claims again before the path is free is refused at once, and one that claims it again when it is free
/// goes on without releasing first.
#[test]
fn whoever_lost_may_claim_again_instead_of_letting_go() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = hub.two();
    two.repo.ok(&["init"]);
    claim(&one, &["src/main.rs"]);
    claim(&two, &["src/main.rs"]);
    one.sync();
    two.sync();
    assert_eq!(two.aio(&["claim", "src/main.rs"]).code, 3);
    one.ok(&["release", "all"]);
    one.sync();
    two.sync();
    assert_ne!(two.commit("src/main.rs").code, 0, "it was lost, and nothing was said since");
    claim(&two, &["src/main.rs"]);
    assert_eq!(two.commit("src/main.rs").code, 0);
    two.sync();
    one.sync();
    assert_same(&hub, &[one, two]);
}

/// What only one of several claims of one command loses is that one.
#[test]
fn what_is_not_contested_stays() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = hub.two();
    claim(&one, &["src/main.rs"]);
    claim(&two, &["README.md", "src/main.rs", "src/auth/"]);
    one.sync();
    assert_eq!(two.sync()["lost"].as_array().unwrap().len(), 1);
    one.sync();
    let expected = [("README.md", &two.me), ("src/auth", &two.me), ("src/main.rs", &one.me)];
    assert_eq!(one.claims(), expected.map(|(path, who)| (path.to_owned(), who.clone())).into());
    assert_same(&hub, &[one, two]);
}

/// What is lost is told with who has it: of a claim as large as may be, that is more than one operation takes.
#[test]
fn a_claim_as_large_as_may_be_can_be_lost() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = hub.two_in_step();
    one.ok(&["claim", "src/"]);
    let why = "w".repeat(1000);
    let paths: Vec<String> = (0..3700).map(|nth| format!("src/{nth}.rs")).collect();
    two.ok(&[&["claim", "--why", &why], &paths.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat());
    let size = two.repo.git(&["log", "-1", "--format=%B", "refs/aio/state"]).len();
    assert!(size > 4_100_000, "{size} bytes");
    one.sync();
    assert_eq!(two.sync()["lost"].as_array().unwrap().len(), paths.len());
    let log = two.repo.git(&["log", "-2", "--format=%s", "refs/aio/state"]);
    assert!(log.lines().all(|line| line.contains("lost to")), "{log}");
    one.sync();
    hub.assert_linear();
    assert_same(&hub, &[one, two]);
}

/// Shared claims of several clones stand beside each other.
#[test]
fn what_is_shared_is_shared_across_clones() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = hub.two();
    claim(&one, &["--shared", "src/"]);
    claim(&two, &["--shared", "src/main.rs"]);
    one.sync();
    assert_eq!(two.sync()["lost"].as_array().unwrap().len(), 0);
    one.sync();
    assert_eq!(one.claims().len(), 2);
    assert_same(&hub, &[one, two]);
}

/// Strict: whoever is not granted it by the hub has never had it.
#[test]
fn of_two_who_claim_strictly_at_once_one_gets_it() {
    for way in [Way::File, Way::Http] {
        let env = TestEnvironment::new();
        let hub = Hub::new(&env, way);
        let members = hub.two();
        for round in 0..4 {
            let path = format!("src/{round}.rs");
            let strictly = |member: &Member<'_>| {
                let mut command = member.repo.command(&["claim", "--strict", &path]);
                command.env("AIO_INSTANCE", &member.me);
                command
            };
            let ends = together(members.iter().map(strictly).collect());
            let codes: Vec<i32> = ends.iter().map(|end| end.code).collect();
            let winner = usize::from(codes[0] != 0);
            assert_eq!([codes[winner], codes[1 - winner]], [0, 3], "{ends:#?}");
            assert!(ends[1 - winner].stderr.contains(&members[winner].me), "{}", ends[1 - winner].stderr);
            let held = (path.clone(), members[winner].me.clone());
            assert!(members[winner].claims().contains(&held));
            // Nothing is left of it where it was refused, neither in force nor as lost.
            let loser = &members[1 - winner];
            assert!(!loser.claims().contains(&(path.clone(), loser.me.clone())));
            assert_eq!(loser.repo.json_as(&loser.me, &["status"])["lost"], serde_json::json!([]));
            loser.sync();
            assert!(loser.claims().contains(&held));
        }
        members.iter().for_each(|member| drop(member.sync()));
        assert_same(&hub, &members);
        hub.assert_linear();
    }
}

/// Strict and out of reach: nothing was granted, and nothing is left.
#[test]
fn what_is_claimed_strictly_while_the_hub_is_away_is_not_granted() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = hub.two();
    one.sync();
    let away = env.path().join("away");
    std::fs::rename(&hub.dir, &away).unwrap();
    let before = one.tip();
    let refused = one.aio(&["claim", "--strict", "src/main.rs"]);
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains("hub"), "{}", refused.stderr);
    assert_eq!((one.claims().len(), one.tip()), (0, before));
    std::fs::rename(&away, &hub.dir).unwrap();
    two.ok(&["claim", "--strict", "src/main.rs"]);
    assert_eq!(one.aio(&["claim", "--strict", "src/main.rs"]).code, 3);
    one.ok(&["claim", "--strict", "README.md"]);
    two.sync();
    assert_same(&hub, &[one, two]);
}
