//! Epochs: letting go of a long history, and going on after the hub lost what it had taken.

use crate::env::{Refs, Repo, TestEnvironment, run};
use serde_json::json;
use std::{fs, os::unix::fs::PermissionsExt as _};

/// A bare hub, and clones of it by these names, which sync when they are told to.
fn clones<'e>(env: &'e TestEnvironment, names: &[&str]) -> (Repo<'e>, Vec<Repo<'e>>) {
    let seed = env.repo();
    seed.git(&["clone", "-q", "--bare", ".", "../hub.git"]);
    let hub = Repo { env, dir: env.path().join("hub.git") };
    let url = format!("file://{}", hub.dir.display());
    let clone = |name: &&str| {
        let dir = env.path().join(name);
        seed.git(&["clone", "-q", &url, dir.to_str().unwrap()]);
        let repo = Repo { env, dir };
        let settings = [("aio.remote", "origin"), ("aio.backgroundSync", "false"), ("aio.fsync", "false")];
        settings.iter().for_each(|(key, value)| drop(repo.git(&["config", key, value])));
        repo
    };
    let clones = names.iter().map(clone).collect();
    (hub, clones)
}

fn tip(repo: &Repo<'_>) -> String {
    repo.git(&["rev-parse", "refs/aio/state"]).trim().to_owned()
}

/// Nothing is wrong with the store, whatever fences there are.
fn assert_sound(repo: &Repo<'_>) {
    let said = repo.aio(&["doctor"]).stdout;
    let failed: Vec<_> = said.lines().filter(|line| line.starts_with("failed")).collect();
    let of_fences = |line: &&&str| line.contains("fence") || line.contains("pre-");
    assert_eq!(failed.iter().filter(of_fences).count(), failed.len(), "{said}");
}

/// Who holds what, as `target: holder`.
fn held(repo: &Repo<'_>) -> Vec<String> {
    let status = repo.json_as("", &["status"]);
    let claims = status["claims"].as_array().unwrap().iter();
    claims.map(|c| format!("{}: {}", c["target"].as_str().unwrap(), c["holder"].as_str().unwrap())).collect()
}

/// What is held.
fn targets(repo: &Repo<'_>) -> Vec<String> {
    held(repo).iter().map(|held| held.split(": ").next().unwrap().to_owned()).collect()
}

/// Of two clones the first has synced. The second has cut what it did while it named no hub; it is another's.
fn with_a_cut_of_its_own<'e>(env: &'e TestEnvironment) -> (Repo<'e>, [Repo<'e>; 2], String) {
    let (hub, clones) = clones(env, &["a", "b"]);
    let [a, b] = <[Repo<'e>; 2]>::try_from(clones).unwrap_or_else(|_| panic!("two clones"));
    let (claude, codex) = (a.register("claude"), b.register("codex"));
    a.ok_as(&claude, &["claim", "src/main.rs"]);
    a.ok(&["sync"]);
    b.git(&["config", "--unset", "aio.remote"]);
    b.ok_as(&codex, &["claim", "README.md"]);
    b.ok(&["compact"]);
    (hub, [a, b], codex)
}

#[test]
fn without_a_hub_the_state_stays_and_the_history_goes() {
    let env = TestEnvironment::new();
    for refs in [Refs::Files, Refs::Reftable] {
        let repo = env.repo_with(&format!("{refs:?}"), refs, "sha1", &[("a.rs", "a\n")]);
        let claude = repo.register("claude");
        repo.ok_as(&claude, &["claim", "a.rs"]);
        repo.ok_as(&claude, &["context", "decision", "one file"]);
        let (before, held_before) = (repo.operations(), held(&repo));
        let said = repo.ok(&["compact"]);
        assert_eq!(said, format!("let go of the history of {before} operations; epoch 2 begins\n"));
        assert_eq!((repo.operations(), held(&repo)), (1, held_before));
        // Numbers go on, so that no token is given twice.
        let codex = repo.register("codex");
        repo.ok_as(&codex, &["claim", "b.rs"]);
        let token = repo.json_as("", &["check", "b.rs"])["paths"][0]["claims"][0]["token"].as_u64().unwrap();
        assert_eq!(token, before as u64 + 3);
        assert_sound(&repo);
        assert_eq!(repo.git(&["fsck", "--strict"]), "");
    }
}

#[test]
fn where_there_is_no_store_there_is_nothing_to_let_go_of() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    assert_eq!(repo.aio(&["compact"]).code, 8);
}

#[test]
fn what_is_pending_elsewhere_comes_across_a_cut() {
    let env = TestEnvironment::new();
    let (hub, clones) = clones(&env, &["a", "b"]);
    let [a, b] = &clones[..] else { panic!("two clones") };
    let (claude, codex) = (a.register("claude"), b.register("codex"));
    a.ok_as(&claude, &["claim", "src/main.rs"]);
    a.ok(&["sync"]);
    b.ok_as(&codex, &["claim", "README.md"]);
    b.ok(&["sync"]);
    // Offline, one of them collides with what the other claims before it cuts.
    b.ok_as(&codex, &["claim", "src/auth/"]);
    b.ok_as(&codex, &["context", "learning", "the cut is near"]);
    a.ok(&["sync"]);
    a.ok_as(&claude, &["claim", "src/auth/login.rs"]);
    a.ok(&["compact"]);
    assert_eq!((a.operations(), tip(a)), (1, tip(&hub)));
    let synced = b.json_as("", &["sync"]);
    assert_eq!(synced["lost"][0]["target"], "src/auth", "{synced}");
    a.ok(&["sync"]);
    assert_eq!((tip(a), tip(b)), (tip(&hub), tip(&hub)));
    let expected = ["README.md", "src/auth/login.rs", "src/main.rs"].map(str::to_owned);
    assert_eq!(targets(a), expected);
    assert_eq!(a.json_as("", &["context", "get"])["notes"][0]["text"], "the cut is near");
    for repo in [a, b] {
        assert_sound(repo);
    }
}

/// The hub took the push and the clone was killed before it heard of that. What others did since is cut off with it, so
/// that no history shows the operation any more.
#[test]
fn what_was_pushed_unheard_is_not_done_again_after_a_cut() {
    let env = TestEnvironment::new();
    let (hub, clones) = clones(&env, &["a", "b"]);
    let [a, b] = &clones[..] else { panic!("two clones") };
    let (claude, codex) = (a.register("claude"), b.register("codex"));
    a.ok(&["sync"]);
    b.ok(&["sync"]);
    a.ok_as(&claude, &["claim", "src/main.rs"]);
    a.ok_as(&claude, &["context", "decision", "one file"]);
    a.ok_as(&claude, &["unregister"]);
    run(a.command(&["sync"]).env("AIO_TEST_KILL_AT", "sync-pushed"));
    // Pending there, and not on the hub.
    let amp = a.register("amp");
    a.ok_as(&amp, &["claim", "docs/"]);
    b.ok(&["sync"]);
    b.ok_as(&codex, &["claim", "src/main.rs"]);
    b.ok(&["sync"]);
    b.ok(&["compact"]);
    // What one cut names the next one still does.
    b.ok_as(&codex, &["claim", "README.md"]);
    b.ok(&["compact"]);
    let synced = a.json_as("", &["sync"]);
    assert_eq!((&synced["pushed"], &synced["lost"]), (&2.into(), &json!([])), "{synced}");
    b.ok(&["sync"]);
    assert_eq!((tip(a), tip(b)), (tip(&hub), tip(&hub)));
    assert_eq!(targets(a), ["README.md", "docs", "src/main.rs"]);
    assert_sound(a);
}

#[test]
fn a_hub_that_forbids_to_move_back_keeps_its_history_and_nothing_changes() {
    let env = TestEnvironment::new();
    let (hub, clones) = clones(&env, &["a"]);
    let a = &clones[0];
    // `receive.denyNonFastForwards` looks at branches only; hosts have rules of their own.
    hub.write("hooks/update", "#!/bin/sh\ncase $2 in *[!0]*) git merge-base --is-ancestor $2 $3 ;; esac\n");
    fs::set_permissions(hub.dir.join("hooks/update"), fs::Permissions::from_mode(0o755)).unwrap();
    let claude = a.register("claude");
    a.ok_as(&claude, &["claim", "src/main.rs"]);
    a.ok(&["sync"]);
    let before = tip(a);
    let refused = a.aio(&["compact"]);
    assert_eq!(refused.code, 7, "{refused:?}");
    assert!(refused.stderr.contains("did not take the shorter history"), "{refused:?}");
    assert_eq!((tip(a), tip(&hub)), (before.clone(), before));
    a.ok(&["sync"]);
}

#[test]
fn a_hub_that_went_back_is_not_followed_and_gets_back_what_it_lost() {
    let env = TestEnvironment::new();
    let (hub, clones) = clones(&env, &["a", "b", "c"]);
    let [a, b, c] = &clones[..] else { panic!("three clones") };
    let (claude, codex, amp) = (a.register("claude"), b.register("codex"), c.register("amp"));
    a.ok_as(&claude, &["claim", "src/main.rs"]);
    a.ok(&["sync"]);
    let old = tip(&hub);
    b.ok_as(&codex, &["claim", "README.md"]);
    b.ok(&["sync"]);
    a.ok(&["sync"]);
    // This one is on the hub and known to c alone.
    c.ok_as(&amp, &["claim", "src/deep/"]);
    c.ok(&["sync"]);
    hub.git(&["update-ref", "refs/aio/state", &old]);

    for repo in [b, c] {
        let stopped = repo.aio(&["sync"]);
        assert_eq!(stopped.code, 7, "{stopped:?}");
        assert!(stopped.stderr.contains("has gone back"), "{stopped:?}");
        assert!(stopped.stderr.contains("--recover"), "{stopped:?}");
    }
    assert_eq!(held(b).len(), 2, "nothing of what b knows is gone");

    b.ok(&["sync", "--recover"]);
    assert_eq!(tip(b), tip(&hub));
    // Numbers that the hub gave to what b doesn't know are not given again.
    let seq = |at: &str| {
        let format = "--format=%(trailers:key=Aio-Seq,valueonly,separator=)";
        b.git(&["log", "-1", format, at]).trim().parse::<u64>().unwrap()
    };
    assert!(seq("refs/aio/state") > seq("refs/aio/state~1") + 1000);
    // What only c knew is pending there again, and comes back with its next sync.
    c.ok(&["sync"]);
    a.ok(&["sync"]);
    b.ok(&["sync"]);
    assert_eq!((tip(a), tip(b), tip(c)), (tip(&hub), tip(&hub), tip(&hub)));
    assert_eq!(targets(a), ["README.md", "src/deep", "src/main.rs"]);
    let claims = a.json_as("", &["status"]);
    let mut tokens: Vec<_> =
        claims["claims"].as_array().unwrap().iter().map(|c| c["token"].as_u64().unwrap()).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 3);
    assert_sound(a);
}

/// The number of the epoch that a recovery begins is that of no epoch which anybody may know, whoever recovers.
#[test]
fn a_hub_that_went_back_behind_a_cut_is_recovered_for_all() {
    for recovers in ["a", "c"] {
        let env = TestEnvironment::new();
        let (hub, clones) = clones(&env, &["a", "b", "c"]);
        let [a, b, c] = &clones[..] else { panic!("three clones") };
        let claude = a.register("claude");
        a.ok_as(&claude, &["claim", "src/main.rs"]);
        a.ok(&["sync"]);
        let old = tip(&hub);
        a.ok_as(&claude, &["claim", "README.md"]);
        [a, b, c].iter().for_each(|clone| drop(clone.ok(&["sync"])));
        a.ok(&["compact"]);
        b.ok(&["sync"]);
        hub.git(&["update-ref", "refs/aio/state", &old]);

        let stopped = b.aio(&["sync"]);
        assert!(stopped.code == 7 && stopped.stderr.contains("has gone back"), "{stopped:?}");
        let recovering = if recovers == "a" { a } else { c };
        recovering.ok(&["sync", "--recover"]);
        for clone in [a, b, c, a, b, c] {
            clone.ok(&["sync"]);
        }
        assert_eq!([tip(a), tip(b), tip(c)], [tip(&hub), tip(&hub), tip(&hub)], "{recovers} recovers");
        assert_eq!(targets(b), ["README.md", "src/main.rs"]);
        assert_sound(b);
    }
}

#[test]
fn a_hub_that_lost_the_whole_store_gets_it_back() {
    let env = TestEnvironment::new();
    let (hub, clones) = clones(&env, &["a", "b"]);
    let [a, b] = &clones[..] else { panic!("two clones") };
    let claude = a.register("claude");
    a.ok_as(&claude, &["claim", "src/main.rs"]);
    a.ok(&["sync"]);
    b.ok(&["sync"]);
    hub.git(&["update-ref", "-d", "refs/aio/state"]);
    let stopped = b.aio(&["sync"]);
    assert_eq!(stopped.code, 7, "{stopped:?}");
    assert!(stopped.stderr.contains("has lost the whole store"), "{stopped:?}");
    a.ok(&["sync", "--recover"]);
    b.ok(&["sync"]);
    assert_eq!((tip(a), tip(b)), (tip(&hub), tip(&hub)));
    assert_eq!(held(b).len(), 1);
}

#[test]
fn who_synced_with_a_hub_does_not_cut_behind_its_back() {
    let env = TestEnvironment::new();
    let (hub, clones) = clones(&env, &["a"]);
    let a = &clones[0];
    let claude = a.register("claude");
    a.ok_as(&claude, &["claim", "src/main.rs"]);
    a.ok(&["sync"]);
    a.ok_as(&claude, &["claim", "README.md"]);
    a.git(&["config", "--unset", "aio.remote"]);
    let before = tip(a);
    let refused = a.aio(&["compact"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("was synced with a hub"), "{refused:?}");
    assert_eq!(tip(a), before);
    a.git(&["config", "aio.remote", "origin"]);
    a.ok(&["compact"]);
    assert_eq!(tip(a), tip(&hub));
}

/// What was cut here before there was a hub is done again on top of what the hub has.
#[test]
fn what_was_let_go_of_before_a_hub_was_named_is_not_lost() {
    let env = TestEnvironment::new();
    let (hub, [a, b], codex) = &with_a_cut_of_its_own(&env);
    b.ok_as(codex, &["claim", "docs/"]);
    b.git(&["config", "aio.remote", "origin"]);
    b.ok(&["sync"]);
    a.ok(&["sync"]);
    assert_eq!((tip(a), tip(b)), (tip(hub), tip(hub)));
    assert_eq!(targets(a), ["README.md", "docs", "src/main.rs"]);
    assert_sound(a);
}

#[test]
fn what_was_let_go_of_and_is_gone_stops_the_sync_and_nothing_changes() {
    let env = TestEnvironment::new();
    let (hub, [_, b], _) = &with_a_cut_of_its_own(&env);
    b.git(&["reflog", "expire", "--expire=now", "--all"]);
    b.git(&["prune", "--expire=now"]);
    b.git(&["config", "aio.remote", "origin"]);
    let before = (tip(b), tip(hub));
    let stopped = b.aio(&["sync"]);
    assert_eq!(stopped.code, 7, "{stopped:?}");
    assert!(stopped.stderr.contains("can't be read any more"), "{stopped:?}");
    assert_eq!((tip(b), tip(hub)), before);
    assert_eq!(held(b).len(), 1);
}
