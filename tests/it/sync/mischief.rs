//! What can go wrong between a clone and its hub: it goes away, refuses, stalls, forgets.

use super::is_campaign;
use crate::{
    env::{Refs, TestEnvironment},
    http::Manner,
    hub::{Hub, Layout, Member, Way, assert_same},
};
use std::{
    fs,
    time::{Duration, Instant},
};

/// What went wrong is said, remembered, and has cost nothing: then `mend`, and it goes on.
fn fails_and_goes_on(hub: &Hub<'_>, members: [Member<'_>; 2], says: &str, mend: impl FnOnce()) {
    ends_and_goes_on(hub, members, (7, says), mend);
}

fn ends_and_goes_on(hub: &Hub<'_>, [one, two]: [Member<'_>; 2], (code, says): (i32, &str), mend: impl FnOnce()) {
    let failed = one.aio(&["sync"]);
    assert_eq!(failed.code, code, "{}{}", failed.stdout, failed.stderr);
    assert!(failed.stderr.contains(says), "{}", failed.stderr);
    assert!(failed.stderr.contains("hint: "), "{}", failed.stderr);
    // Nobody is stopped by it.
    one.ok(&["claim", "README.md"]);
    mend();
    one.sync();
    two.sync();
    for path in ["src/main.rs", "README.md"] {
        assert!(two.claims().contains(&(path.to_owned(), one.me.clone())), "{path}: {:?}", two.claims());
    }
    hub.assert_linear();
    assert_same(hub, &[one, two]);
}

/// Two that have synced, and the first has something to send.
fn with_pending<'e>(hub: &Hub<'e>) -> [Member<'e>; 2] {
    let [one, two] = hub.two_in_step();
    one.ok(&["claim", "src/main.rs"]);
    [one, two]
}

#[test]
fn a_hub_that_is_away() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let members = with_pending(&hub);
    let away = env.path().join("away");
    fs::rename(&hub.dir, &away).unwrap();
    fails_and_goes_on(&hub, members, "can't be reached", || fs::rename(&away, &hub.dir).unwrap());
}

/// git fetches through a program that moves the hub away as soon as it has answered.
#[test]
fn a_hub_that_goes_away_between_the_fetch_and_the_push() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = with_pending(&hub);
    let (away, script) = (env.path().join("away"), env.path().join("upload"));
    let text = format!("#!/bin/sh\ngit-upload-pack \"$@\"\nmv '{}' '{}'\n", hub.dir.display(), away.display());
    hub.hook("upload", text.trim_start_matches("#!/bin/sh\n").trim_end());
    fs::rename(hub.dir.join("hooks/upload"), &script).unwrap();
    one.repo.git(&["config", "remote.origin.uploadpack", &script.display().to_string()]);
    let mend = |one: &Member<'_>| {
        fs::rename(&away, &hub.dir).unwrap();
        one.repo.git(&["config", "--unset", "remote.origin.uploadpack"]);
    };
    let unset = Member { repo: crate::env::Repo { env: &env, dir: one.repo.dir.clone() }, me: one.me.clone() };
    fails_and_goes_on(&hub, [one, two], "whether it took the push is not known", || mend(&unset));
}

/// The hub is moved while it looks at the push, and so it can't be told whether it took it.
#[test]
fn a_hub_that_goes_away_in_the_middle_of_a_push() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = with_pending(&hub);
    let away = env.path().join("away");
    hub.hook("pre-receive", &format!("mv '{}' '{}'", hub.dir.display(), away.display()));
    let ended = one.aio(&["sync"]);
    assert!([0, 7].contains(&ended.code), "{}", ended.stderr);
    assert!(!hub.dir.exists(), "it is away");
    fs::remove_file(away.join("hooks/pre-receive")).unwrap();
    fs::rename(&away, &hub.dir).unwrap();
    one.sync();
    two.sync();
    assert!(two.claims().contains(&("src/main.rs".to_owned(), one.me.clone())));
    hub.assert_linear();
    assert_same(&hub, &[one, two]);
}

/// It is not taken for others who are quicker: what it says is told soon, and not after all tries.
#[test]
fn a_hub_that_rejects() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let members = with_pending(&hub);
    hub.hook("pre-receive", "echo not today >&2; exit 1");
    fails_and_goes_on(&hub, members, "does not take the push, though nobody else was quicker", || {
        fs::remove_file(hub.dir.join("hooks/pre-receive")).unwrap();
    });
}

/// Only what is tried once more with each state of the hub is given up.
#[test]
fn a_hub_that_rejects_twice_and_then_does_not() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = with_pending(&hub);
    hub.hook("pre-receive", "echo >>refused; [ $(wc -l <refused) -gt 2 ]");
    assert_eq!(one.sync()["tries"], 3);
    two.sync();
    assert_same(&hub, &[one, two]);
}

#[test]
fn a_hub_that_takes_longer_than_is_waited_for() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let members = with_pending(&hub);
    hub.hook("pre-receive", "sleep 60");
    members[0].repo.git(&["config", "aio.syncTimeout", "3s"]);
    let began = Instant::now();
    fails_and_goes_on(&hub, members, "did not answer within 3 s; whether it took the push is not known", || {
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
        // The git of the hub was ours to end, and has left no lock.
        assert!(!hub.dir.join("refs/aio/state.lock").exists());
        fs::remove_file(hub.dir.join("hooks/pre-receive")).unwrap();
    });
}

#[test]
fn a_server_that_says_nothing() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::Http);
    let members = with_pending(&hub);
    members[0].repo.git(&["config", "aio.syncTimeout", "3s"]);
    let server = hub.server.as_ref().unwrap();
    server.behave(Manner::Stalls(Duration::from_secs(8)));
    let one = members[0].repo.dir.clone();
    fails_and_goes_on(&hub, members, "did not answer within 3 s", || {
        server.behave(Manner::Plain);
        let one = crate::env::Repo { env: &env, dir: one };
        one.git(&["config", "aio.syncTimeout", "60s"]);
    });
}

#[test]
fn a_server_that_fails() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::Http);
    let members = with_pending(&hub);
    let server = hub.server.as_ref().unwrap();
    server.behave(Manner::Fails(503));
    fails_and_goes_on(&hub, members, "503", || server.behave(Manner::Plain));
}

#[test]
fn a_server_that_breaks_off_before_it_takes_a_push() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::Http);
    let members = with_pending(&hub);
    let server = hub.server.as_ref().unwrap();
    server.behave(Manner::LosesPushes);
    fails_and_goes_on(&hub, members, "whether it took the push is not known", || server.behave(Manner::Plain));
}

/// It has taken it, and nothing is done twice.
#[test]
fn a_server_that_breaks_off_after_it_took_a_push() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::Http);
    let [one, two] = with_pending(&hub);
    let server = hub.server.as_ref().unwrap();
    server.behave(Manner::LosesAnswers);
    let before = hub.tip();
    assert_eq!(one.aio(&["claim", "--strict", "src/auth/"]).code, 7);
    assert_ne!(hub.tip(), before, "it was taken");
    server.behave(Manner::Plain);
    assert_eq!(two.aio(&["claim", "--strict", "src/auth/login.rs"]).code, 3, "it is granted");
    let pushes = server.pushes();
    one.sync();
    assert_eq!(server.pushes(), pushes, "there is nothing left to send");
    assert!(one.claims().contains(&("src/auth".to_owned(), one.me.clone())), "and it is known here now");
    one.ok(&["claim", "--strict", "src/auth/"]);
    hub.assert_linear();
    assert_same(&hub, &[one, two]);
}

/// Rolled back, by a backup for instance: never taken over in silence, not even the second time.
#[test]
fn a_hub_that_goes_back() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = with_pending(&hub);
    one.sync();
    two.sync();
    let tip = hub.tip();
    for back in ["refs/aio/state~1", "refs/aio/state~2"] {
        hub.git(&["update-ref", "refs/aio/state", hub.git(&["rev-parse", back]).trim()]);
        for _ in 0..2 {
            let refused = one.aio(&["sync"]);
            assert_eq!(refused.code, 7, "{}", refused.stderr);
            assert!(refused.stderr.contains("gone back behind what it had taken"), "{}", refused.stderr);
            assert!(refused.stderr.contains("--recover"), "{}", refused.stderr);
            assert_eq!(one.aio(&["claim", "--strict", "README.md"]).code, 7);
        }
        assert_eq!(one.tip(), tip, "nothing was lost here");
        hub.git(&["update-ref", "refs/aio/state", &tip]);
    }
    one.ok(&["claim", "--strict", "README.md"]);
    two.sync();
    assert_same(&hub, &[one, two]);
}

/// Gone back and on again on another way, in which the numbers are higher than ours.
#[test]
fn a_hub_with_another_history() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = with_pending(&hub);
    let before = hub.tip();
    one.sync();
    two.ok(&["claim", "docs/1"]);
    two.ok(&["claim", "docs/2"]);
    hub.git(&["update-ref", "refs/aio/state", &before]);
    // For this one nothing is missing: it has never seen what the hub took.
    two.sync();
    let refused = one.aio(&["sync"]);
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains("another history"), "{}", refused.stderr);
    assert!(one.claims().contains(&("src/main.rs".to_owned(), one.me.clone())));
}

#[test]
fn a_hub_that_lost_the_store() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = with_pending(&hub);
    one.sync();
    let tip = hub.tip();
    hub.git(&["update-ref", "-d", "refs/aio/state"]);
    for member in [&one, &two] {
        for _ in 0..2 {
            let refused = member.aio(&["sync"]);
            assert_eq!(refused.code, 7, "{}", refused.stderr);
            assert!(refused.stderr.contains("lost the whole store"), "{}", refused.stderr);
        }
    }
    assert_eq!(hub.tip(), "", "nothing was pushed over it");
    hub.git(&["update-ref", "refs/aio/state", &tip]);
    one.sync();
    two.sync();
    assert_same(&hub, &[one, two]);
}

/// Whether its URL was changed or another hub named: a store that was synced stays with its project.
#[test]
fn a_hub_whose_store_belongs_to_another_project() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let other = Hub::called(&env, "other.git", Layout::default());
    let [one, _] = with_pending(&hub);
    one.sync();
    other.member("theirs", "amp").sync();
    let (ours, theirs) = (one.tip(), other.tip());
    let assert_refused = |args: &[&str]| {
        let refused = one.aio(args);
        assert_eq!(refused.code, 3, "{}", refused.stderr);
        assert!(refused.stderr.contains("belongs to another project"), "{}", refused.stderr);
        assert_eq!((one.tip(), other.tip()), (ours.clone(), theirs.clone()));
    };
    assert_refused(&["sync", "--remote", &other.url]);
    one.repo.git(&["remote", "add", "other", &other.url]);
    one.repo.git(&["config", "aio.remote", "other"]);
    assert_refused(&["sync"]);
    one.repo.git(&["config", "aio.remote", "origin"]);
    one.repo.git(&["remote", "set-url", "origin", &other.url]);
    assert_refused(&["sync"]);
    assert_refused(&["claim", "--strict", "README.md"]);
    one.repo.git(&["remote", "set-url", "origin", &hub.url]);
    one.sync();
}

/// Each has begun a store of its own: one of the two becomes that of both, whichever is first.
#[test]
fn clones_that_began_apart_come_together() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = hub.two();
    assert_eq!(hub.tip(), "");
    for (nth, member) in [&one, &two].into_iter().enumerate() {
        member.ok(&["claim", &format!("src/{nth}.rs")]);
        member.ok(&["context", "decision", &format!("decision {nth}")]);
    }
    for member in [&two, &one, &two] {
        member.sync();
    }
    let held = [("src/0.rs", &one), ("src/1.rs", &two)].map(|(path, who)| (path.to_owned(), who.me.clone()));
    assert_eq!(one.claims(), held.into());
    for nth in 0..2 {
        assert!(two.ok(&["context", "get"]).contains(&format!("decision {nth}")));
    }
    hub.assert_linear();
    assert_same(&hub, &[one, two]);
}

/// Our commits are the oldest by their dates, and a negotiation would come to them last.
#[test]
fn a_long_history_beside_ours_makes_no_long_negotiation() {
    let commits = if is_campaign() { 20_000 } else { 2_000 };
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = hub.two_in_step();
    // Work that the hub doesn't have, so that nothing of it is known there.
    let import: String = (1..=commits).fold(String::new(), |mut all, nth| {
        use std::fmt::Write as _;
        let from = if nth == 1 { "from refs/heads/main^0\n" } else { "" };
        let _ = write!(
            all,
            "commit refs/heads/main\ncommitter Ann <ann@example.org> {} +0000\ndata 1\nx\n{from}",
            1_700_000_000 + nth
        );
        all
    });
    let file = env.path().join("import");
    fs::write(&file, import).unwrap();
    let mut git = env.command("git", &one.repo.dir);
    let git = git.args(["fast-import", "--quiet", "--force"]).stdin(fs::File::open(&file).unwrap()).output().unwrap();
    assert!(git.status.success(), "{}", String::from_utf8_lossy(&git.stderr));
    assert_eq!(one.repo.git(&["rev-list", "--count", "main"]).trim(), (commits + 1).to_string());

    two.ok(&["claim", "src/main.rs"]);
    two.sync();
    one.ok(&["claim", "README.md"]);
    let trace = env.path().join("trace");
    let mut sync = one.repo.command(&["sync"]);
    let ended = crate::env::run(sync.env("AIO_INSTANCE", &one.me).env("GIT_TRACE_PACKET", &trace));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let trace = fs::read_to_string(&trace).unwrap();
    let haves = trace.lines().filter(|line| line.contains("fetch> have ")).count();
    assert!((1..=40).contains(&haves), "{haves} haves");
}

/// A git that was killed leaves its lock on what it fetched to. It is named, and stands in nobody's way.
#[test]
fn a_lock_that_a_killed_git_left() {
    let env = TestEnvironment::new();
    let hub = Hub::with(&env, Layout { clone_refs: Refs::Files, ..Layout::default() });
    let members = with_pending(&hub);
    members[1].ok(&["claim", "src/auth/"]);
    members[1].sync();
    let lock = members[0].repo.dir.join(".git/refs/aio-sync/origin/state.lock");
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    fs::write(&lock, "").unwrap();
    ends_and_goes_on(&hub, members, (75, "refs/aio-sync/origin/state.lock"), || fs::remove_file(&lock).unwrap());
}
