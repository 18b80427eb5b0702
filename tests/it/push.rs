//! The fence at the push, by real pushes.

use crate::env::{Ended, Refs, Repo, TestEnvironment, run};
use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, time::Instant};

/// A bare hub and two clones of it with the fences up: `here`, where `me` pushes, and `there`, where `other` works.
struct Shared<'e> {
    hub: Repo<'e>,
    here: Repo<'e>,
    there: Repo<'e>,
    me: String,
    other: String,
}

const FILES: &[(&str, &str)] = &[
    ("README.md", "# demo\n"),
    ("src/auth/login.rs", "fn login() {}\n"),
    ("src/auth/token.rs", "fn token() {}\n"),
    ("src/main.rs", "fn main() {}\n"),
];

impl<'e> Shared<'e> {
    fn new(env: &'e TestEnvironment) -> Self {
        Self::with(env, "sha1", "refs/aio")
    }

    fn with(env: &'e TestEnvironment, format: &str, prefix: &str) -> Self {
        let seed = env.repo_with("seed", Refs::Files, format, FILES);
        seed.git(&["clone", "-q", "--bare", ".", "../hub.git"]);
        let clone = |name: &str| {
            seed.git(&["clone", "-q", "../hub.git", &format!("../{name}")]);
            let repo = Repo { env, dir: env.path().join(name) };
            let settings = [("aio.remote", "origin"), ("aio.backgroundSync", "false"), ("aio.fsync", "false")];
            settings.iter().for_each(|(key, value)| drop(repo.git(&["config", key, value])));
            repo.git(&["config", "aio.requireClaim", "off"]);
            repo.git(&["config", "aio.refPrefix", prefix]);
            repo.ok(&["init"]);
            repo
        };
        let (here, there) = (clone("here"), clone("there"));
        there.ok(&["sync"]);
        here.ok(&["sync"]);
        let (me, other) = (here.register("claude"), there.register("codex"));
        Shared { hub: Repo { env, dir: env.path().join("hub.git") }, here, there, me, other }
    }

    /// I claim, work and commit, while the other's claim on the same is the first that the hub hears of.
    fn lost(&self, path: &str) {
        self.here.ok_as(&self.me, &["claim", path]);
        self.worked(&self.here, path);
        self.there.ok_as(&self.other, &["claim", path]);
        self.there.ok(&["sync"]);
    }

    /// Changes a file, or one in the folder, and commits that.
    fn worked(&self, repo: &Repo<'_>, path: &str) {
        let file = if path.ends_with('/') { format!("{path}new.rs") } else { path.to_owned() };
        repo.write(&file, &format!("changed in {}\n", repo.dir.display()));
        repo.git(&["add", "-A"]);
        repo.git(&["commit", "-q", "--no-verify", "-m", &format!("change {path}")]);
    }

    fn push(&self, args: &[&str]) -> Ended {
        self.here.try_git_as(&self.me, &[&["push", "-q"], args].concat())
    }

    /// A push that fails, for this reason, and leaves the hub as it is.
    fn refused(&self, args: &[&str], reason: &str) -> String {
        let before = self.heads();
        let end = self.push(args);
        assert_ne!(end.code, 0, "git push {args:?} passed");
        assert!(
            end.stderr.contains(reason) && end.stderr.contains("push refused"),
            "git push {args:?}: {}",
            end.stderr
        );
        assert_eq!(self.heads(), before);
        end.stderr
    }

    /// A push of which the fence says nothing.
    fn passes(&self, args: &[&str]) {
        let end = self.push(args);
        assert_eq!((end.code, end.stderr.as_str()), (0, ""), "git push {args:?}");
    }

    /// All of the hub but what syncs.
    fn heads(&self) -> String {
        self.hub.git(&["for-each-ref", "refs/heads", "refs/tags"])
    }
}

const MAIN: &[&str] = &["origin", "main"];

#[test]
fn work_on_a_claim_that_was_lost_waits_for_its_owner() {
    for format in ["sha1", "sha256"] {
        let env = TestEnvironment::new();
        let s = Shared::with(&env, format, "refs/aio");
        s.lost("src/main.rs");
        let said = s.refused(MAIN, "src/main.rs in commit ");
        let commit = s.here.git(&["rev-parse", "HEAD"]);
        assert!(said.contains(&commit[..10]) && said.contains("your claim on src/main.rs was lost"), "{said}");
        assert_eq!(said.lines().filter(|line| line.contains("src/main.rs")).count(), 1, "{said}");
        // It has learned of it by the push, and to have seen the message is not enough.
        s.refused(MAIN, "src/main.rs in commit ");
        s.here.ok_as(&s.me, &["release", "all"]);
        let end = s.push(MAIN);
        assert_eq!(end.code, 0, "{}", end.stderr);
        assert!(end.stderr.starts_with("warning: src/main.rs is held by codex-"), "{}", end.stderr);
    }
}

#[test]
fn a_claim_that_was_made_again_settles_it() {
    let env = TestEnvironment::new();
    let s = Shared::new(&env);
    s.lost("src/auth/");
    s.refused(MAIN, "src/auth/new.rs in commit ");
    s.there.ok_as(&s.other, &["release", "all"]);
    s.there.ok(&["sync"]);
    s.refused(MAIN, "src/auth/new.rs in commit ");
    s.here.ok_as(&s.me, &["claim", "src/auth/"]);
    s.passes(MAIN);
}

#[test]
fn an_instance_answers_for_itself_and_a_person_for_the_clone() {
    let env = TestEnvironment::new();
    let s = Shared::new(&env);
    s.lost("src/main.rs");
    s.refused(MAIN, "your claim on src/main.rs was lost");
    let person = s.here.try_git(&["push", "-q", "origin", "main"]);
    assert_ne!(person.code, 0);
    assert!(person.stderr.contains(&format!("the claim of {} on src/main.rs was lost", s.me)), "{}", person.stderr);
    assert!(person.stderr.contains("--as"), "{}", person.stderr);
    s.here.git(&["config", "aio.guardPerson", "warn"]);
    let warned = s.here.try_git(&["push", "-q", "--dry-run", "origin", "main"]);
    assert_eq!(warned.code, 0, "{}", warned.stderr);
    assert!(warned.stderr.contains("src/main.rs in commit "), "{}", warned.stderr);
    let sibling = s.here.register("gemini");
    let end = s.here.try_git_as(&sibling, &["push", "-q", "origin", "main"]);
    assert_eq!(end.code, 0, "{}", end.stderr);
}

#[test]
fn a_person_of_another_clone_is_not_asked_for_losses_here() {
    let env = TestEnvironment::new();
    let s = Shared::new(&env);
    s.lost("src/main.rs");
    s.here.ok_as(&s.me, &["sync"]);
    s.here.ok_as(&s.me, &["unregister"]);
    s.here.ok(&["sync"]);
    s.worked(&s.there, "src/main.rs");
    let end = s.there.try_git(&["push", "-q", "origin", "main"]);
    assert_eq!((end.code, end.stderr.as_str()), (0, ""), "of what an own agent holds a person is not told either");
    let end = s.here.try_git(&["push", "-q", "origin", "main:mine"]);
    assert_ne!(end.code, 0, "whoever has left has still lost it");
}

#[test]
fn who_holds_a_path_since_the_work_was_done_is_only_named() {
    let env = TestEnvironment::new();
    let s = Shared::new(&env);
    s.worked(&s.here, "src/main.rs");
    s.there.ok_as(&s.other, &["claim", "src/", "--why", "later"]);
    s.there.ok(&["sync"]);
    let end = s.push(MAIN);
    assert_eq!(end.code, 0, "{}", end.stderr);
    let commit = s.here.git(&["rev-parse", "HEAD"]);
    assert!(end.stderr.contains(&format!("is held by {}", s.other)), "{}", end.stderr);
    assert!(end.stderr.contains(&format!("commit {} changes it", &commit[..10])), "{}", end.stderr);
    s.worked(&s.here, "README.md");
    s.passes(MAIN);
}

#[test]
fn only_what_the_remote_lacks_is_judged() {
    let env = TestEnvironment::new();
    let s = Shared::new(&env);
    s.worked(&s.here, "src/main.rs");
    s.passes(MAIN);
    s.lost("src/auth/token.rs");
    s.here.git(&["branch", "mine"]);
    s.here.git(&["tag", "-a", "-m", "x", "v1"]);
    let parent = s.here.git(&["rev-parse", "HEAD^"]);
    // What is there already, by whatever name, and the end of a branch.
    s.passes(&["origin", &format!("{}:refs/heads/again", parent.trim())]);
    s.passes(&["origin", &format!("{}:refs/tags/v0", parent.trim())]);
    s.passes(&["origin", ":again"]);
    // What isn't: as a branch, as a tag, beside others, from an unnamed commit.
    for refs in [&["mine"][..], &["v1"], &["HEAD^:refs/heads/old", "mine"], &["HEAD:refs/heads/x"]] {
        s.refused(&[&["origin"], refs].concat(), "src/auth/token.rs in commit ");
    }
    s.refused(&["--force", "origin", "HEAD^:main", "HEAD:refs/heads/y"], "src/auth/token.rs in commit ");
    s.refused(&["--all", "origin"], "src/auth/token.rs in commit ");
    s.refused(&["../hub.git", "mine"], "src/auth/token.rs in commit ");
    // A remote that was never seen: what another has is known.
    s.here.git(&["clone", "-q", "--bare", "--branch", "main", "../seed", "../fork.git"]);
    s.here.git(&["remote", "add", "fork", "../fork.git"]);
    s.passes(&["fork", "HEAD^:refs/heads/before"]);
    s.refused(&["fork", "HEAD:refs/heads/after"], "src/auth/token.rs in commit ");
}

#[test]
fn a_linked_worktree_and_a_merge_are_judged_the_same() {
    let env = TestEnvironment::new();
    let s = Shared::new(&env);
    s.here.git(&["worktree", "add", "-q", "-b", "side", "../linked"]);
    let linked = Repo { env: &env, dir: env.path().join("linked") };
    s.worked(&linked, "README.md");
    s.lost("src/main.rs");
    linked.git(&["merge", "-q", "--no-verify", "-m", "merged", "main"]);
    let end = linked.try_git_as(&s.me, &["push", "-q", "origin", "side"]);
    assert_ne!(end.code, 0);
    assert!(end.stderr.contains("src/main.rs in commit "), "{}", end.stderr);
    s.here.ok_as(&s.me, &["release", "all"]);
    assert_eq!(linked.try_git_as(&s.me, &["push", "-q", "origin", "side"]).code, 0);
}

#[test]
fn paths_of_any_bytes_are_judged() {
    let names: [&[u8]; 4] = [b"with \"quotes\" and 'more'.rs", b"two\nlines.rs", b"not \xff utf-8.rs", b":(top)x"];
    for name in names {
        let env = TestEnvironment::new();
        let s = Shared::new(&env);
        let name = OsStr::from_bytes(name);
        let claim = |repo: &Repo<'_>, who: &str| {
            let claimed = run(repo.command(&["claim", "file"]).arg(name).env("AIO_INSTANCE", who));
            assert_eq!(claimed.code, 0, "{name:?}: {}", claimed.stderr);
        };
        claim(&s.here, &s.me);
        claim(&s.there, &s.other);
        s.there.ok(&["sync"]);
        fs::write(s.here.dir.join(name), "x").unwrap();
        s.here.git(&["add", "-A"]);
        s.here.git(&["commit", "-q", "--no-verify", "-m", "x"]);
        s.refused(MAIN, " in commit ");
    }
}

#[test]
fn both_sides_of_a_rename_and_deletions_count() {
    let env = TestEnvironment::new();
    let s = Shared::new(&env);
    s.here.ok_as(&s.me, &["claim", "src/auth/token.rs", "src/auth/login.rs"]);
    s.here.git(&["mv", "src/auth/token.rs", "moved.rs"]);
    s.here.git(&["rm", "-q", "src/auth/login.rs"]);
    s.here.git(&["commit", "-q", "--no-verify", "-m", "x"]);
    s.there.ok_as(&s.other, &["claim", "src/auth/token.rs", "src/auth/login.rs"]);
    s.there.ok(&["sync"]);
    let said = s.refused(MAIN, "src/auth/token.rs in commit ");
    assert!(said.contains("src/auth/login.rs in commit "), "{said}");
}

#[test]
fn refs_of_one_clone_stay_there() {
    let env = TestEnvironment::new();
    let s = Shared::new(&env);
    s.here.git(&["update-ref", "refs/aio-local/runs/1", "HEAD"]);
    let own = "is this clone's own";
    s.refused(&["origin", "refs/aio-local/*"], own);
    s.refused(&["origin", "refs/aio-sync/*:refs/aio-sync/*"], own);
    s.refused(&["origin", "refs/aio-local/runs/1:refs/heads/run"], own);
    s.worked(&s.here, "README.md");
    let said = s.refused(&["--mirror", "origin"], own);
    assert!(said.contains("hint: name what to push"), "{said}");
    s.here.git(&["config", "remote.origin.mirror", "true"]);
    s.refused(&["origin"], own);
    s.here.ok(&["sync"]);
    // What an earlier push left may be cleaned up.
    s.hub.git(&["update-ref", "refs/aio-sync/origin/state", "HEAD"]);
    s.here.git(&["config", "remote.origin.mirror", "false"]);
    s.passes(&["origin", ":refs/aio-sync/origin/state"]);
}

#[test]
fn shared_refs_only_go_forward() {
    for prefix in ["refs/aio", "refs/heads/aio"] {
        let env = TestEnvironment::new();
        let s = Shared::with(&env, "sha1", prefix);
        s.here.ok_as(&s.me, &["context", "decision", "one"]);
        let state = format!("{prefix}/state");
        s.passes(&["origin", &format!("refs/aio/state:{state}")]);
        let tip = s.hub.git(&["rev-parse", &state]);
        s.refused(
            &["--force", "origin", &format!("refs/aio/state~1:{state}")],
            "would lose what others have put there",
        );
        s.refused(&["origin", &format!(":{state}")], "would be deleted");
        // The other's presence, too.
        let presence = format!("{prefix}-presence/other");
        s.hub.git(&["update-ref", &presence, "HEAD"]);
        s.refused(&["origin", &format!(":{presence}")], "would be deleted");
        assert_eq!(s.hub.git(&["rev-parse", &state]), tip);
    }
}

#[test]
fn without_the_hub_it_is_warned_or_refused_as_configured() {
    let env = TestEnvironment::new();
    let s = Shared::new(&env);
    s.here.git(&["clone", "-q", "--bare", "../seed", "../fork.git"]);
    s.here.git(&["remote", "add", "fork", "../fork.git"]);
    s.lost("src/main.rs");
    s.here.ok(&["sync"]);
    fs::rename(&s.hub.dir, env.path().join("away")).unwrap();
    let push = |refs: &str| s.push(&["fork", refs]);
    let end = push("HEAD~1:refs/heads/x");
    assert_eq!(end.code, 0, "{}", end.stderr);
    let said: Vec<&str> = end.stderr.lines().collect();
    assert!(matches!(said[..], [line] if line.starts_with("warning: the hub origin can't be reached")), "{said:?}");
    let end = push("HEAD:refs/heads/y");
    assert_ne!(end.code, 0, "what is known to be lost stays so");
    s.here.git(&["config", "aio.pushOffline", "block"]);
    let end = push("HEAD~1:refs/heads/z");
    assert_ne!(end.code, 0);
    assert!(end.stderr.contains("the hub origin can't be reached"), "{}", end.stderr);
    assert!(end.stderr.contains("aio.pushOffline"), "{}", end.stderr);
    let asked = run(s.here.command(&["hook", "pre-push", "fork", "x"]).env("AIO_INSTANCE", &s.me));
    assert_eq!(asked.code, 0, "nothing is pushed, so nobody is asked: {}", asked.stderr);
}

#[test]
fn the_guard_and_the_way_round_are_those_of_the_other_fences() {
    for (guard, passes, says) in [("block", false, true), ("warn", true, true), ("off", true, false)] {
        let env = TestEnvironment::new();
        let s = Shared::new(&env);
        s.lost("src/main.rs");
        s.here.git(&["config", "aio.guard", guard]);
        for refs in ["main", "refs/aio-sync/*"] {
            let end = s.push(&["--dry-run", "origin", refs]);
            assert_eq!((end.code == 0, !end.stderr.is_empty()), (passes, says), "{guard} {refs}: {}", end.stderr);
        }
    }
    let env = TestEnvironment::new();
    let s = Shared::new(&env);
    s.lost("src/main.rs");
    let mut git = env.command("git", &s.here.dir);
    let end = run(git.env("AIO_INSTANCE", &s.me).env("AIO_BYPASS", "1").args(["push", "-q", "origin", "main"]));
    assert_eq!((end.code, end.stderr.as_str()), (0, "git aio: fence bypassed for 1 path, and recorded\n"));
    let log = s.here.ok(&["log", "-n", "1"]);
    assert!(log.contains("bypass") && log.contains("pre-push"), "{log}");
}

#[test]
fn a_fence_that_cannot_judge_stops_the_push_and_names_the_way_round() {
    let env = TestEnvironment::new();
    let s = Shared::new(&env);
    s.worked(&s.here, "README.md");
    s.here.git(&["update-ref", "refs/aio/state", "HEAD"]);
    let end = s.push(MAIN);
    assert_ne!(end.code, 0);
    assert!(end.stderr.contains("could not judge this push"), "{}", end.stderr);
    assert!(end.stderr.contains("AIO_BYPASS=1 git push"), "{}", end.stderr);
    let asked = run(&mut s.here.command(&["hook", "pre-push", "origin", "x"]));
    assert_eq!(asked.code, 0, "{}", asked.stderr);
}

#[test]
fn where_nobody_holds_or_lost_anything_history_is_not_walked() {
    let env = TestEnvironment::new();
    let s = Shared::new(&env);
    let walks = |file: &str| {
        s.worked(&s.here, file);
        let trace = env.path().join("trace");
        let mut git = env.command("git", &s.here.dir);
        git.env("AIO_INSTANCE", &s.me).env("GIT_TRACE", &trace).args(["push", "-q", "origin", "main"]);
        assert_eq!(run(&mut git).code, 0);
        let told = fs::read_to_string(&trace).unwrap();
        fs::remove_file(trace).unwrap();
        told.contains("rev-list --max-count")
    };
    assert!(!walks("one.md"));
    s.there.ok_as(&s.other, &["claim", "src/"]);
    s.there.ok(&["sync"]);
    assert!(walks("two.md"));
    s.there.ok_as(&s.other, &["release", "all"]);
    s.there.ok(&["sync"]);
    assert!(!walks("three.md"));
}

#[test]
fn the_first_push_of_a_long_history_is_bounded_and_says_so() {
    let env = TestEnvironment::new();
    let repo = env.repo_with("demo", Refs::Files, "sha1", &[]);
    let mut stream = String::new();
    for nth in 1..=10_500 {
        let text = format!("{nth}\n");
        stream.push_str(&format!(
            "commit refs/heads/main\ncommitter A <a@b> {} +0000\ndata 1\nx\nM 100644 inline {}/{}.txt\ndata {}\n{text}\n",
            1_700_000_000 + nth,
            nth % 97,
            nth % 1009,
            text.len()
        ));
    }
    fs::write(env.path().join("stream"), stream).unwrap();
    let input = fs::File::open(env.path().join("stream")).unwrap();
    let done = run(env.command("git", &repo.dir).args(["fast-import", "--quiet", "--force"]).stdin(input));
    assert_eq!(done.code, 0, "{}", done.stderr);
    repo.git(&["init", "-q", "--bare", "../hub.git"]);
    repo.git(&["remote", "add", "origin", "../hub.git"]);
    repo.ok(&["init"]);
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok_as(&claude, &["claim", "33/1001.txt"]);
    let began = Instant::now();
    let end = repo.try_git_as(&codex, &["push", "-q", "origin", "main"]);
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert!(end.stderr.contains("only the newest 10000 were"), "{}", end.stderr);
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}
