//! What hands do beside us: a push that only git knows of, and a git that was killed in the middle.

use crate::{
    env::TestEnvironment,
    hub::{Hub, Way, assert_same},
};
use std::{
    fs,
    time::{Duration, SystemTime},
};

#[test]
fn a_push_by_hand_confirms_a_claim_at_once_where_git_keeps_what_the_hub_has() {
    for with_git in [false, true] {
        let env = TestEnvironment::new();
        let hub = Hub::new(&env, Way::File);
        let [one, two] = hub.two_in_step();
        one.sync();
        if with_git {
            one.repo.ok(&["init", "--quiet", "--remote", "origin", "--fetch-with-git"]);
        }
        one.ok(&["claim", "src/main.rs"]);
        assert!(one.ok(&["status"]).contains("tentative"));
        one.repo.git(&["push", "-q", "origin", "refs/aio/*"]);
        assert_eq!(one.ok(&["status"]).contains("tentative"), !with_git, "with git: {with_git}");
        one.sync();
        assert!(!one.ok(&["status"]).contains("tentative"));
        two.sync();
        assert_same(&hub, &[one, two]);
    }
}

#[test]
fn a_push_by_hand_gives_back_a_store_that_the_hub_has_lost() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = hub.two_in_step();
    one.ok(&["claim", "src/main.rs"]);
    one.sync();
    hub.git(&["update-ref", "-d", "refs/aio/state"]);
    assert_eq!(two.aio(&["sync"]).code, 7, "it is not made anew behind anybody's back");
    // Who lacks something that was there gives back less, and whoever knows of it is stopped still.
    two.repo.git(&["push", "-q", "origin", "refs/aio/*"]);
    two.sync();
    let stopped = one.aio(&["sync"]);
    assert!(stopped.code == 7 && stopped.stderr.contains("has gone back behind what it had taken"), "{stopped:?}");
    one.repo.git(&["push", "-q", "origin", "refs/aio/*"]);
    one.sync();
    two.sync();
    assert_same(&hub, &[one, two]);
}

#[test]
fn a_lock_that_a_killed_git_left_is_named_with_its_age_and_left() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = hub.two_in_step();
    two.ok(&["claim", "README.md"]);
    two.sync();
    let lock = one.repo.dir.join(".git/refs/aio-sync/origin/state.lock");
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    fs::write(&lock, "").unwrap();
    let then = SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().write(true).open(&lock).unwrap().set_modified(then).unwrap();

    let ended = one.aio(&["sync"]);
    assert_eq!(ended.code, 75, "{ended:?}");
    for said in ["refs/aio-sync/origin/state.lock is locked since 36", "was left by one that was killed"] {
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    }
    let doctor = one.aio(&["doctor"]).stdout;
    let locks = doctor.lines().find(|line| line.contains("locks")).unwrap();
    assert!(locks.starts_with("failed") && locks.contains("refs/aio-sync/origin/state.lock is 36"), "{doctor}");
    assert!(lock.exists(), "whose it is nobody can tell");

    fs::remove_file(&lock).unwrap();
    one.sync();
    assert_same(&hub, &[one, two]);
}
