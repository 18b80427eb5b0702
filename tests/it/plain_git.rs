//! Plain git beside us: what people type and what they have in their settings neither breaks nor loses anything.

use crate::env::{Ended, Refs, Repo, TestEnvironment};
use std::{fs, os::unix::fs::PermissionsExt as _};

const STATE: &str = "refs/aio/state";
const HANDS: &str = "refs/aio/*";
const BY_HAND: &str = "refs/aio/*:refs/aio/*";

/// A bare repository with a little history, that nothing of ours is in yet.
fn hub<'e>(env: &'e TestEnvironment, name: &str) -> Repo<'e> {
    let seed = env.path().join("seed");
    let seed = if seed.exists() {
        Repo { env, dir: seed }
    } else {
        let seed = env.repo_with("seed", Refs::Files, "sha1", &[("a.rs", "a\n"), ("src/b.rs", "b\n")]);
        for nth in 0..5 {
            seed.write("a.rs", &format!("{nth}\n"));
            seed.git(&["commit", "-q", "-a", "-m", "more"]);
        }
        seed.git(&["tag", "-a", "-m", "x", "v1"]);
        seed
    };
    seed.git(&["clone", "-q", "--bare", ".", &format!("../{name}")]);
    Repo { env, dir: env.path().join(name) }
}

/// A clone, perhaps with an instance in it, which syncs when it is told to.
struct Peer<'e> {
    repo: Repo<'e>,
    id: String,
}

impl<'e> Peer<'e> {
    fn of(hub: &Repo<'e>, name: &str, how: &[&str]) -> Self {
        let url = format!("file://{}", hub.dir.display());
        let repo = Repo { env: hub.env, dir: hub.env.path().join(name) };
        hub.git(&[&["clone", "-q"], how, &[&url, repo.dir.to_str().unwrap()]].concat());
        let settings = [("aio.remote", "origin"), ("aio.backgroundSync", "false"), ("aio.fsync", "false")];
        settings.iter().for_each(|(key, value)| drop(repo.git(&["config", key, value])));
        Peer { id: String::new(), repo }
    }

    fn registered(mut self, tool: &str) -> Self {
        self.id = self.repo.register(tool);
        self
    }

    fn claim(&self, path: &str) -> u64 {
        let answer = self.repo.json_as(&self.id, &["claim", path]);
        answer["claims"][0]["token"].as_u64().unwrap_or_else(|| panic!("{answer}"))
    }

    fn sync(&self) {
        self.repo.ok(&["sync"]);
    }

    /// Who holds a path, and by which token, as this clone sees it.
    fn holder(&self, path: &str) -> Option<(String, u64)> {
        let answer = self.repo.json_as("", &["check", path]);
        let claim = &answer["paths"][0]["claims"][0];
        Some((claim["holder"].as_str()?.to_owned(), claim["token"].as_u64()?))
    }

    fn state(&self) -> String {
        self.repo.try_git(&["rev-parse", "-q", "--verify", STATE]).stdout
    }

    fn log(&self) -> String {
        self.repo.ok(&["log", "-n", "1000"])
    }

    /// Nothing is wrong but that there are no fences.
    fn assert_sound(&self) {
        let said = self.repo.aio(&["doctor"]).stdout;
        let of_fences = |line: &&str| line.contains("fence") || line.contains("pre-");
        let failed: Vec<_> = said.lines().filter(|line| line.starts_with("failed") && !of_fences(line)).collect();
        assert!(failed.is_empty(), "{failed:#?}");
        assert_eq!(self.repo.try_git(&["fsck", "--no-dangling", "--no-progress"]).code, 0);
    }
}

/// After a last sync of each, all have the same state, and so has the hub.
fn assert_equal(hub: &Repo<'_>, clones: &[&Peer<'_>]) {
    clones.iter().chain(clones).for_each(|clone| clone.sync());
    for clone in clones {
        assert_eq!(clone.state(), hub.git(&["rev-parse", STATE]), "{}", clone.repo.dir.display());
        clone.assert_sound();
    }
}

fn refused(end: &Ended) {
    assert_ne!(end.code, 0, "{end:?}");
    assert!(end.stderr.contains("[rejected]") && end.stderr.contains("fast"), "{}", end.stderr);
}

#[test]
fn pushing_and_fetching_by_hand_is_a_sync_where_nothing_diverged() {
    let env = TestEnvironment::new();
    let hub = hub(&env, "hub.git");
    let a = Peer::of(&hub, "a", &[]).registered("claude");
    let token = a.claim("a.rs");
    a.repo.git(&["push", "-q", "origin", HANDS]);
    let b = Peer::of(&hub, "b", &[]);
    b.repo.git(&["fetch", "-q", "origin", BY_HAND]);
    assert_eq!((b.state(), b.holder("a.rs")), (a.state(), Some((a.id.clone(), token))));
    let b = b.registered("codex");
    assert_eq!(b.repo.aio_as(&b.id, &["claim", "a.rs"]).code, 3);
    let token_of_b = b.claim("src/b.rs");
    b.repo.git(&["push", "-q", "origin", HANDS]);
    a.repo.git(&["fetch", "-q", "origin", BY_HAND]);
    assert_eq!(a.holder("src/b.rs"), Some((b.id.clone(), token_of_b)));
    // A sync finds nothing to do, and that the claim is confirmed: the very same commits are there.
    let tip = a.state();
    assert_eq!(a.repo.ok(&["sync"]), "nothing new\n");
    assert_eq!(a.state(), tip);
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn what_diverged_git_refuses_and_a_sync_brings_together() {
    let env = TestEnvironment::new();
    let hub = hub(&env, "hub.git");
    let a = Peer::of(&hub, "a", &[]).registered("claude");
    a.sync();
    let b = Peer::of(&hub, "b", &[]);
    b.sync();
    let b = b.registered("codex");
    a.claim("a.rs");
    a.repo.git(&["push", "-q", "origin", HANDS]);
    b.claim("src/");
    b.claim("a.rs");
    let tip = b.state();
    refused(&b.repo.try_git(&["push", "origin", HANDS]));
    refused(&b.repo.try_git(&["fetch", "origin", BY_HAND]));
    assert_eq!(b.state(), tip, "nothing of it is lost");
    let said = b.repo.ok(&["sync"]);
    assert!(said.contains("lost ") && said.contains("a.rs (file) of codex-"), "{said}");
    a.repo.git(&["fetch", "-q", "origin", BY_HAND]);
    assert_eq!(a.holder("src"), b.holder("src"));
    assert_eq!(b.holder("a.rs").unwrap().0, a.id);
    assert_equal(&hub, &[&a, &b]);
    let tokens: Vec<u64> = [a.holder("a.rs"), a.holder("src")].into_iter().flatten().map(|(_, token)| token).collect();
    assert!(tokens.len() == 2 && tokens[0] != tokens[1]);
}

#[test]
fn an_epoch_that_was_cut_elsewhere_is_refused_by_hand_and_taken_by_a_sync() {
    let env = TestEnvironment::new();
    let hub = hub(&env, "hub.git");
    let a = Peer::of(&hub, "a", &[]).registered("claude");
    a.sync();
    let b = Peer::of(&hub, "b", &[]);
    b.sync();
    a.repo.ok(&["compact"]);
    refused(&b.repo.try_git(&["fetch", "origin", BY_HAND]));
    assert_equal(&hub, &[&a, &b]);
    b.repo.git(&["fetch", "-q", "origin", BY_HAND]);
}

#[test]
fn fetches_of_all_kinds_leave_what_was_not_synced() {
    for with_git in [false, true] {
        let env = TestEnvironment::new();
        let hub = hub(&env, "hub.git");
        let a = Peer::of(&hub, "a", &[]).registered("claude");
        a.sync();
        let b = Peer::of(&hub, "b", &[]);
        b.sync();
        b.repo.git(&["remote", "add", "second", "../seed"]);
        if with_git {
            b.repo.ok(&["init", "--remote", "origin", "--fetch-with-git"]);
        }
        let b = b.registered("codex");
        let token = b.claim("src/");
        a.claim("a.rs");
        a.sync();
        hub.git(&["update-ref", "refs/aio-presence/somebody", "refs/aio/state"]);
        let before = b.state();
        let fetches: [&[&str]; 6] = [
            &["--prune"],
            &["--all"],
            &["--all", "--prune", "--tags"],
            &["--force", "--prune"],
            &["-p", "-P"],
            &["-q"],
        ];
        for fetch in fetches {
            b.repo.git(&[&["fetch"], fetch].concat());
            assert_eq!(b.state(), before, "{fetch:?}");
            assert_eq!(b.holder("src"), Some((b.id.clone(), token)));
            b.assert_sound();
        }
        // What a fetch of theirs brought, a sync takes in.
        let fetched = b.repo.git(&["rev-parse", "refs/aio-sync/origin/state"]);
        assert_eq!(fetched == hub.git(&["rev-parse", STATE]), with_git);
        b.sync();
        b.repo.git(&["fetch", "-q", "--prune"]);
        assert!(!with_git || b.repo.git(&["rev-parse", "refs/aio-sync/origin/state"]) == b.state());
        assert!(b.repo.git(&["for-each-ref", "refs/aio-sync/origin/presence"]).contains("somebody"));
        assert_equal(&hub, &[&a, &b]);
    }
}

#[test]
fn a_mirror_is_refused_where_there_is_a_fence_and_missed_where_there_is_none() {
    let env = TestEnvironment::new();
    let hub = hub(&env, "hub.git");
    let a = Peer::of(&hub, "a", &[]).registered("claude");
    a.repo.ok(&["init"]);
    a.claim("a.rs");
    a.sync();
    a.sync();
    let refs = hub.git(&["for-each-ref"]);
    let mirrored = a.repo.try_git(&["push", "--mirror", "origin"]);
    assert_ne!(mirrored.code, 0);
    assert!(mirrored.stderr.contains("is this clone's own"), "{}", mirrored.stderr);
    assert_eq!(hub.git(&["for-each-ref"]), refs);

    // A mirror of the hub has the store, and gives it back.
    hub.git(&["clone", "-q", "--mirror", ".", "../mirror.git"]);
    let mirror = Repo { env: &env, dir: env.path().join("mirror.git") };
    assert_eq!(mirror.git(&["rev-parse", STATE]), a.state());
    assert!(mirror.ok(&["status"]).contains(&a.id));
    mirror.git(&["push", "-q", "--mirror", "origin"]);
    assert_eq!(hub.git(&["for-each-ref"]), refs);
    let doctor = mirror.aio(&["doctor"]).stdout;
    assert!(doctor.contains("failed  refspecs"), "its fetches write to refs/aio: {doctor}");

    // One that is behind takes back what the hub had taken, which every clone notices; and it is given back.
    let token = a.claim("src/b.rs");
    a.sync();
    mirror.git(&["push", "-q", "--mirror", "origin"]);
    let stopped = a.repo.aio(&["sync"]);
    assert_eq!(stopped.code, 7);
    assert!(stopped.stderr.contains("has gone back behind what it had taken"), "{}", stopped.stderr);
    a.repo.ok(&["sync", "--recover"]);
    let b = Peer::of(&hub, "b", &[]);
    b.sync();
    assert_eq!(b.holder("src/b.rs").map(|(id, _)| id), Some(a.id.clone()));
    assert!(b.holder("src/b.rs").unwrap().1 >= token);

    // One without a store deletes it there, of which git doesn't tell its hook.
    hub.git(&["clone", "-q", ".", "../bystander"]);
    let bystander = Repo { env: &env, dir: env.path().join("bystander") };
    bystander.git(&["push", "-q", "--mirror", "origin"]);
    assert_ne!(hub.try_git(&["rev-parse", "-q", "--verify", STATE]).code, 0);
    let stopped = a.repo.aio(&["sync"]);
    assert!(stopped.code == 7 && stopped.stderr.contains("has lost the whole store"), "{}", stopped.stderr);
    a.repo.ok(&["sync", "--recover"]);
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn shallow_and_partial_clones_sync_as_any_other() {
    let kinds: [&[&str]; 4] =
        [&["--depth", "1"], &["--filter=blob:none"], &["--filter=tree:0"], &["--depth", "1", "--filter=blob:none"]];
    for kind in kinds {
        let env = TestEnvironment::new();
        let hub = hub(&env, "hub.git");
        hub.git(&["config", "uploadpack.allowFilter", "true"]);
        hub.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        let a = Peer::of(&hub, "a", &[]).registered("claude");
        let token = a.claim("a.rs");
        a.sync();
        let b = Peer::of(&hub, "b", kind);
        let shallow = fs::read(b.repo.dir.join(".git/shallow")).ok();
        b.sync();
        assert_eq!(b.holder("a.rs"), Some((a.id.clone(), token)), "{kind:?}");
        let b = b.registered("codex");
        b.claim("src/");
        b.sync();
        a.claim("c.rs");
        a.sync();
        b.sync();
        assert_eq!(b.log(), a.log(), "{kind:?}: all of its history is there");
        for command in [&["fetch", "-q", "--prune"][..], &["gc", "-q", "--prune=now"], &["repack", "-q", "-a", "-d"]] {
            b.repo.git(command);
            assert_eq!(b.holder("c.rs").map(|(id, _)| id), Some(a.id.clone()), "{kind:?} {command:?}");
        }
        assert_eq!(fs::read(b.repo.dir.join(".git/shallow")).ok(), shallow, "{kind:?}: as shallow as it was");
        assert_equal(&hub, &[&a, &b]);
    }
}

#[test]
fn what_a_partial_clone_fetched_by_hand_is_completed_by_a_sync() {
    let env = TestEnvironment::new();
    let hub = hub(&env, "hub.git");
    hub.git(&["config", "uploadpack.allowFilter", "true"]);
    hub.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let a = Peer::of(&hub, "a", &[]).registered("claude");
    let token = a.claim("a.rs");
    a.sync();
    let b = Peer::of(&hub, "b", &["--filter=blob:none"]);
    b.repo.git(&["fetch", "-q", "origin", BY_HAND]);
    assert_ne!(b.repo.aio(&["status"]).code, 0, "git has left the records there");
    b.sync();
    assert_eq!(b.holder("a.rs"), Some((a.id.clone(), token)));
    a.claim("src/");
    a.sync();
    b.repo.git(&["fetch", "-q", "origin", "+refs/aio/*:refs/aio-sync/origin/*"]);
    b.sync();
    assert_eq!(b.holder("src").map(|(id, _)| id), Some(a.id.clone()));
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn a_fetch_that_makes_the_clone_shallow_loses_no_state() {
    let env = TestEnvironment::new();
    let hub = hub(&env, "hub.git");
    let a = Peer::of(&hub, "a", &[]).registered("claude");
    a.claim("a.rs");
    a.sync();
    let b = Peer::of(&hub, "b", &[]);
    b.repo.ok(&["init", "--remote", "origin", "--fetch-with-git"]);
    b.sync();
    let b = b.registered("codex");
    let token = b.claim("src/");
    a.claim("c.rs");
    a.sync();
    b.repo.git(&["fetch", "-q", "--depth", "1", "origin"]);
    assert_eq!(b.holder("src"), Some((b.id.clone(), token)));
    b.sync();
    assert_eq!(b.holder("c.rs").map(|(id, _)| id), Some(a.id.clone()));
    a.sync();
    assert_eq!(a.holder("src"), b.holder("src"));
    assert_eq!(a.state(), b.state());
}

#[test]
fn collecting_garbage_takes_nothing_that_a_ref_of_ours_reaches() {
    let env = TestEnvironment::new();
    let hub = hub(&env, "hub.git");
    let a = Peer::of(&hub, "a", &[]).registered("claude");
    let b = Peer::of(&hub, "b", &[]).registered("codex");
    a.claim("a.rs");
    a.sync();
    b.claim("src/");
    b.sync();
    b.claim("c.rs");
    for repo in [&hub, &a.repo, &b.repo] {
        repo.git(&["gc", "-q", "--prune=now"]);
        repo.git(&["pack-refs", "--all", "--prune"]);
    }
    assert_equal(&hub, &[&a, &b]);
    assert_eq!(a.holder("c.rs"), b.holder("c.rs"));
}

#[test]
fn a_host_that_takes_branches_only_can_be_a_hub() {
    let env = TestEnvironment::new();
    let hub = hub(&env, "hub.git");
    let hook = hub.dir.join("hooks/update");
    fs::write(&hook, "#!/bin/sh\ncase $1 in refs/heads/*|refs/tags/*) ;; *) exit 1;; esac\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let prefixed = |name: &str| {
        let clone = Peer::of(&hub, name, &[]);
        let refused = clone.repo.aio(&["sync"]);
        assert!(refused.code == 0 || refused.code == 7, "{refused:?}");
        clone.repo.git(&["config", "aio.refPrefix", "refs/heads/aio"]);
        clone
    };
    let a = prefixed("a").registered("claude");
    a.claim("a.rs");
    a.sync();
    let b = prefixed("b");
    b.sync();
    let b = b.registered("codex");
    assert_eq!(b.repo.aio_as(&b.id, &["claim", "a.rs"]).code, 3);
    b.claim("src/");
    b.sync();
    a.sync();
    let ours = hub.git(&["for-each-ref", "--format=%(refname)"]);
    let ours: Vec<&str> = ours.lines().filter(|name| name.contains("aio")).collect();
    assert!(ours.contains(&"refs/heads/aio/state"), "{ours:?}");
    assert!(
        ours.iter().all(|name| name.starts_with("refs/heads/aio/") || name.starts_with("refs/heads/aio-presence/"))
    );
    // Whoever has never heard of us gets branches, and a fetch of ours too.
    let plain = Peer::of(&hub, "plain", &[]);
    for clone in [&a, &b, &plain] {
        clone.repo.git(&["fetch", "-q", "--prune", "origin"]);
        assert!(clone.repo.git(&["branch", "-r"]).contains("origin/aio/state"));
        clone.repo.git(&["log", "--all", "-n", "3"]);
        clone.repo.git(&["status"]);
    }
    let (log, holder) = (a.log(), a.holder("src"));
    assert_eq!((b.log(), b.holder("src")), (log, holder));
    let next = b.claim("d.rs");
    b.sync();
    a.sync();
    assert_eq!(a.holder("d.rs"), Some((b.id.clone(), next)));
    assert_eq!(a.state(), hub.git(&["rev-parse", "refs/heads/aio/state"]));
    a.assert_sound();
    b.assert_sound();
    assert_eq!(hub.git(&["for-each-ref", "refs/aio"]), "");
}

/// All refs of a repository but branches and tags.
fn hidden(repo: &Repo<'_>) -> String {
    let refs = repo.git(&["for-each-ref", "--format=%(refname)"]);
    refs.lines().filter(|name| !name.starts_with("refs/heads/") && !name.starts_with("refs/tags/")).collect()
}

#[test]
fn a_private_hub_beside_a_public_origin_keeps_everything_from_that() {
    let env = TestEnvironment::new();
    let (origin, coord) = (hub(&env, "origin.git"), hub(&env, "coord.git"));
    let url = format!("file://{}", coord.dir.display());
    for by_url in [false, true] {
        let clone = |name: &str| {
            let clone = Peer::of(&origin, &format!("{name}{by_url}"), &[]);
            clone.repo.git(&["remote", "add", "coord", &url]);
            let hub = if by_url { &url } else { "coord" };
            clone.repo.ok(&["init", "--remote", hub]);
            clone
        };
        let a = clone("a").registered("claude");
        let path = format!("{by_url}.rs");
        let token = a.claim(&path);
        a.sync();
        a.repo.write(&path, "1\n");
        a.repo.git(&["add", "-A"]);
        assert_eq!(a.repo.try_git_as(&a.id, &["commit", "-q", "-m", "x"]).code, 0);
        let pushed = a.repo.try_git_as(&a.id, &["push", "-q", "--all", "origin"]);
        assert_eq!(pushed.code, 0, "{}", pushed.stderr);
        a.repo.ok_as(&a.id, &["handoff", "new", "go on"]);
        a.repo.ok(&["doctor", "--remote"]);
        a.sync();
        let b = clone("b");
        b.sync();
        b.repo.git(&["fetch", "-q", "--all", "--prune"]);
        assert_eq!(b.holder(&path).map(|(_, t)| t >= token), Some(true));
        assert_eq!(hidden(&origin), "", "nothing of ours is on the public one");
        assert!(origin.git(&["for-each-ref"]).lines().all(|line| !line.contains("aio")));
        assert_eq!(a.state(), coord.git(&["rev-parse", STATE]));
    }
}

#[test]
fn settings_of_the_user_disturb_nothing() {
    let env = TestEnvironment::new();
    let hub = hub(&env, "hub.git");
    hub.git(&["config", "transfer.fsckObjects", "true"]);
    let settings: [&[(&str, &str)]; 6] = [
        &[("push.followTags", "true"), ("push.default", "matching"), ("push.gpgSign", "true")],
        &[("push.pushOption", "ci.skip"), ("push.recurseSubmodules", "check"), ("submodule.recurse", "true")],
        &[("remote.origin.mirror", "true"), ("remote.origin.tagOpt", "--tags"), ("fetch.prune", "true")],
        &[("fetch.pruneTags", "true"), ("remote.origin.pruneTags", "true"), ("remote.origin.prune", "true")],
        &[("transfer.fsckObjects", "true"), ("fetch.writeCommitGraph", "true"), ("fetch.output", "compact")],
        &[("remote.pushDefault", "nowhere"), ("push.negotiate", "true"), ("color.ui", "always"), ("gc.auto", "1")],
    ];
    for (nth, settings) in settings.iter().enumerate() {
        let clone = Peer::of(&hub, &format!("a{nth}"), &[]);
        clone.repo.git(&["tag", "-a", "-m", "mine", "mine"]);
        settings.iter().for_each(|(key, value)| drop(clone.repo.git(&["config", key, value])));
        let clone = clone.registered("claude");
        let hooks = clone.repo.dir.join(".git/hooks");
        for hook in ["pre-push", "reference-transaction", "post-commit"] {
            let path = hooks.join(hook);
            fs::write(&path, "#!/bin/sh\ntouch \"$HOME/ran\"\nexit 1\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let token = clone.claim(&format!("{nth}.rs"));
        clone.sync();
        assert!(!env.path().join("home/ran").exists(), "{settings:?}: hooks are for the user's own pushes");
        fs::remove_file(hooks.join("reference-transaction")).unwrap();
        assert_eq!(clone.holder(&format!("{nth}.rs")).map(|(_, t)| t >= token), Some(true));
        assert_eq!(clone.state(), hub.git(&["rev-parse", STATE]), "{settings:?}");
        assert_eq!(clone.repo.git(&["tag"]), "mine\nv1\n", "{settings:?}: tags stay");
        assert_eq!(hub.git(&["tag"]), "v1\n", "{settings:?}");
        assert!(!clone.repo.dir.join(".git/FETCH_HEAD").exists(), "{settings:?}");
    }
}

#[test]
fn a_hub_is_found_by_other_names_and_from_anywhere() {
    let env = TestEnvironment::new();
    let (public, hub) = (hub(&env, "public.git"), hub(&env, "hub.git"));
    let seen = |clone: &mut Peer<'_>, what: &str| {
        clone.sync();
        clone.id = clone.repo.register("claude");
        clone.claim(&format!("{what}.rs"));
        clone.sync();
        assert_eq!(clone.state(), hub.git(&["rev-parse", STATE]), "{what}");
        assert_eq!(hidden(&public), "", "{what}");
    };
    // Pushed to elsewhere than fetched from: both go to where it is pushed.
    let mut clone = Peer::of(&public, "pushurl", &[]);
    clone.repo.git(&["config", "remote.origin.pushurl", &format!("file://{}", hub.dir.display())]);
    seen(&mut clone, "pushurl");
    // An alias for the beginning of a URL.
    let mut clone = Peer::of(&public, "alias", &[]);
    clone.repo.git(&["config", &format!("url.file://{}/.insteadOf", env.path().display()), "work:"]);
    clone.repo.git(&["remote", "set-url", "origin", "work:hub.git"]);
    seen(&mut clone, "alias");
    let mut clone = Peer::of(&public, "alias-url", &[]);
    clone.repo.git(&["config", &format!("url.file://{}/.insteadOf", env.path().display()), "work:"]);
    clone.repo.git(&["config", "aio.remote", "work:hub.git"]);
    seen(&mut clone, "alias-url");
    // A relative path, which is so to the root of the work tree, from wherever it is used.
    let mut clone = Peer::of(&public, "relative", &[]);
    clone.repo.git(&["remote", "set-url", "origin", "../hub.git"]);
    seen(&mut clone, "relative");
    clone.repo.ok(&["-C", "src", "sync"]);
    clone.repo.ok(&["-C", ".git", "sync"]);
    clone.repo.git(&["worktree", "add", "-q", "../linked"]);
    let linked = Repo { env: &env, dir: env.path().join("linked") };
    linked.ok(&["sync"]);
    // A name with a slash, and a host that is a mirror.
    let mut clone = Peer::of(&public, "slash", &[]);
    clone.repo.git(&["remote", "add", "--mirror=push", "team/hub", hub.dir.to_str().unwrap()]);
    clone.repo.git(&["config", "aio.remote", "team/hub"]);
    seen(&mut clone, "slash");
}
