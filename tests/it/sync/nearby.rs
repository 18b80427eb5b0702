//! A hub on this machine is looked at where it lies: git's fetch runs where it would bring something, and elsewhere not.

use crate::{
    env::{TestEnvironment, run},
    hub::{Hub, Member, Way},
};
use std::fs;

/// Syncs, and tells which commands of git that took.
pub(super) fn commands_of_sync(member: &Member<'_>) -> Vec<String> {
    let trace = member.repo.env.path().join("trace");
    let sync = run(member.repo.command(&["sync"]).env("AIO_INSTANCE", &member.me).env("GIT_TRACE", &trace));
    assert_eq!(sync.code, 0, "{}", sync.stderr);
    let told = fs::read_to_string(&trace).unwrap_or_default();
    let _ = fs::remove_file(&trace);
    let word = |line: &str| line.split("trace: built-in: git ").nth(1)?.split(' ').next().map(str::to_owned);
    let mut words: Vec<String> = told.lines().filter_map(word).collect();
    words.retain(|word| ["fetch", "push", "for-each-ref"].contains(&word.as_str()));
    // A push has the hub look for itself once more.
    if let Some(push) = words.iter().position(|word| word == "push") {
        words.truncate(push + 1);
    }
    words
}

#[test]
fn a_sync_fetches_only_what_has_moved() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = ["one", "two"].map(|name| hub.member(name, "claude"));
    one.sync();
    two.sync();
    one.sync();
    assert_eq!(commands_of_sync(&one), ["for-each-ref"]);

    // What it pushed itself need not come back.
    one.ok(&["claim", "src/main.rs"]);
    assert_eq!(commands_of_sync(&one), ["for-each-ref", "push"]);
    one.ok(&["claim", "README.md"]);
    assert_eq!(commands_of_sync(&one), ["for-each-ref", "push"]);
    assert_eq!(commands_of_sync(&two), ["for-each-ref", "fetch"]);
    assert_eq!(one.claims(), two.claims());

    two.ok(&["claim", "src/auth/"]);
    two.sync();
    assert_eq!(commands_of_sync(&one), ["for-each-ref", "fetch"]);
    assert_eq!(one.claims(), two.claims());
    assert_eq!((one.tip(), two.tip()), (hub.tip(), hub.tip()));
}

#[test]
fn where_git_would_not_go_straight_to_the_hub_it_is_left_to_git() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let one = hub.member("one", "claude");
    one.sync();
    one.sync();
    let url = one.repo.git(&["config", "remote.origin.url"]);
    for (key, value) in
        [("url.file:///elsewhere/.insteadOf", "elsewhere:"), ("remote.origin.uploadPack", "git-upload-pack")]
    {
        one.repo.git(&["config", key, value]);
        assert_eq!(commands_of_sync(&one), ["fetch"], "{key}");
        one.repo.git(&["config", "--unset", key]);
    }
    one.repo.git(&["config", "remote.origin.url", url.trim_end().trim_start_matches("file://")]);
    assert_eq!(commands_of_sync(&one), ["for-each-ref"]);
}

#[test]
fn a_hub_that_lost_what_it_had_is_still_found_out() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let one = hub.member("one", "claude");
    one.sync();
    hub.git(&["update-ref", "-d", "refs/aio/state"]);
    let sync = one.repo.aio(&["sync"]);
    assert_eq!(sync.code, 7, "{}", sync.stderr);
    assert!(sync.stderr.contains("has lost the whole store"), "{}", sync.stderr);
}
