//! What somebody who may push to the hub puts there by hand. It ends in one clear error, or is set aside while the rest
//! goes on; it never stops git-aio from working here, and nothing it says reaches a terminal as it is.

use crate::{
    env::{Ended, Repo, TestEnvironment, run},
    hub::{Hub, Member, Way},
};
use std::{
    io::Write as _,
    process::{Output, Stdio},
};

/// Somebody with access to the hub, and nothing but git.
pub(super) struct Intruder<'h, 'e> {
    pub(super) hub: &'h Hub<'e>,
}

impl Intruder<'_, '_> {
    pub(super) fn fed(&self, args: &[&str], input: &[u8]) -> String {
        let mut git = self.hub.env.command("git", &self.hub.dir);
        let mut git =
            git.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        git.stdin.take().unwrap().write_all(input).unwrap();
        let Output { status, stdout, stderr } = git.wait_with_output().unwrap();
        assert!(status.success(), "git {args:?}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap().trim().to_owned()
    }

    fn git(&self, args: &[&str]) -> String {
        self.hub.git(args).trim().to_owned()
    }

    pub(super) fn blob(&self, content: &[u8]) -> String {
        self.fed(&["hash-object", "-w", "--stdin"], content)
    }

    /// The tree of the store with `paths` put into it.
    fn tree_with(&self, paths: &[(&str, &[u8])]) -> String {
        let index = self.hub.dir.join("intruder-index");
        let git = |args: &[&str]| {
            let ended = run(self.hub.env.command("git", &self.hub.dir).env("GIT_INDEX_FILE", &index).args(args));
            assert_eq!(ended.code, 0, "{}", ended.stderr);
            ended.stdout.trim().to_owned()
        };
        git(&["read-tree", "refs/aio/state"]);
        for (path, content) in paths {
            git(&["update-index", "--add", "--cacheinfo", &format!("100644,{},{path}", self.blob(content))]);
        }
        git(&["write-tree"])
    }

    fn seq(&self) -> u64 {
        let format = "--format=%(trailers:key=Aio-Seq,valueonly,separator=)";
        self.git(&["log", "-1", format, "refs/aio/state"]).parse().unwrap()
    }

    /// A commit on the tip, with whatever trailers.
    fn commit(&self, tree: &str, parents: &[&str], seq: u64, epoch: u64) -> String {
        let op = format!("{:032x}", u128::from(seq) + 0xdead_0000);
        let body = format!(
            "{{\"action\":{{\"count\":0,\"do\":\"bypass\",\"fence\":\"mine\",\"paths\":[]}},\"at\":\"2026-01-01T00:00:00Z\",\"by\":null,\"id\":\"{op}\",\"v\":1}}"
        );
        let message =
            format!("bypass: mine\n\n{body}\n\nAio-Op: bypass\nAio-Op-Id: {op}\nAio-Seq: {seq}\nAio-Epoch: {epoch}\n");
        let mut args = vec!["commit-tree", tree];
        parents.iter().for_each(|parent| args.extend(["-p", parent]));
        self.fed(&args, message.as_bytes())
    }

    fn put(&self, oid: &str) {
        self.git(&["update-ref", "refs/aio/state", oid]);
    }

    /// Puts records into the store as its next operation.
    fn records(&self, paths: &[(&str, &[u8])]) {
        let (tree, tip) = (self.tree_with(paths), self.hub.tip());
        self.put(&self.commit(&tree, &[&tip], self.seq() + 1, 1));
    }
}

pub(super) fn assert_decent(ended: &Ended) {
    assert!(!ended.stderr.contains("panicked") && ended.code != 101 && ended.code < 128, "{ended:?}");
    for text in [&ended.stdout, &ended.stderr] {
        assert!(text.chars().all(|c| !c.is_control() || c == '\n'), "{text:?}");
    }
}

/// Every command that reads answers, and whoever works on something else goes on.
fn assert_works(member: &Member<'_>) {
    for args in
        [&["status"][..], &["--json", "status"], &["check", "src/main.rs"], &["log"], &["doctor"], &["context", "get"]]
    {
        assert_decent(&member.aio(args));
    }
    assert_decent(&member.aio(&["sync"]));
}

fn two<'e>(hub: &Hub<'e>) -> [Member<'e>; 2] {
    let [one, two] = hub.two();
    one.ok(&["claim", "src/main.rs"]);
    one.sync();
    two.sync();
    [one, two]
}

/// A tip that can't be a store is refused as a whole: what is here stays, and claims go on.
fn assert_refused(hub: &Hub<'_>, [one, two]: &[Member<'_>; 2], says: &str) {
    let before = one.tip();
    for _ in 0..2 {
        let refused = one.aio(&["sync"]);
        assert_decent(&refused);
        assert_eq!(refused.code, 7, "{says}: {}", refused.stderr);
        assert!(refused.stderr.contains(says), "{says}: {}", refused.stderr);
        assert_eq!(one.tip(), before, "nothing of it was taken over");
    }
    one.ok(&["claim", "README.md"]);
    one.ok(&["release", "all"]);
    assert_works(one);
    // A clone that comes new is told the same.
    let fresh = hub.clone("fresh");
    let refused = fresh.aio(&["sync"]);
    assert_decent(&refused);
    assert_eq!(fresh.try_git(&["rev-parse", "-q", "--verify", "refs/aio/state"]).code, 1, "{says}");
    std::fs::remove_dir_all(&fresh.dir).unwrap();
    assert_decent(&two.aio(&["sync"]));
}

#[test]
fn what_is_no_store_is_refused_as_a_whole() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let members = two(&hub);
    let (good, intruder) = (hub.tip(), Intruder { hub: &hub });
    let (tree, seq) = (intruder.git(&["rev-parse", &format!("{good}^{{tree}}")]), intruder.seq());
    let main = hub.git(&["rev-parse", "refs/heads/main"]).trim().to_owned();
    let merge = intruder.commit(&tree, &[&good, &main], seq + 1, 1);
    let beside = intruder.commit(&tree, &[&good], seq, 1);
    let ahead = intruder.commit(&tree, &[&good], seq + 10, 1);
    let huge = intruder.commit(&tree, &[&good], u64::MAX - 1, 1);
    let epochs = intruder.commit(&tree, &[&good], seq + 1, 1 << 30);
    // Neither leaves those who come after it a number.
    let last = intruder.commit(&tree, &[&good], (1 << 48) - 1, 2);
    let skips = intruder.commit(&tree, &[&good], (1 << 40) - 1, 2);
    let empty = intruder.fed(&["mktree"], b"");
    let bare = intruder.commit(&empty, &[&good], seq + 1, 1);
    let tag = format!("object {good}\ntype commit\ntag x\ntagger A <a@b.c> 1 +0000\n\nx\n");
    let tag = intruder.fed(&["hash-object", "-t", "tag", "-w", "--stdin"], tag.as_bytes());
    for (tip, says) in [
        (&main, "none of git-aio"),
        (&merge, "more than one parent"),
        (&beside, "does not follow"),
        (&ahead, "does not follow"),
        (&huge, "none of git-aio"),
        (&epochs, "does not follow"),
        (&last, "none of git-aio"),
        (&skips, "does not follow"),
        (&bare, "aio.json is missing"),
        (&intruder.blob(b"not a store"), "no store of git-aio's"),
        (&tree, "no store of git-aio's"),
        (&tag, "no store of git-aio's"),
    ] {
        intruder.put(tip);
        assert_refused(&hub, &members, says);
        intruder.put(&good);
    }
    members.iter().for_each(|member| drop(member.sync()));
}

/// A new epoch that whoever knows the hub sees is none: it begins with an old state, or far away.
#[test]
fn a_cut_that_goes_back_or_far_ahead_is_refused() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = two(&hub);
    one.sync();
    let (good, intruder) = (hub.tip(), Intruder { hub: &hub });
    let (old, seq) = (intruder.git(&["rev-parse", &format!("{good}~1^{{tree}}")]), intruder.seq());
    let back = intruder.commit(&old, &[], seq, 2);
    let on_top = intruder.commit(&old, &[&back], seq + 1, 2);
    let later = intruder.commit(&old, &[&on_top], seq + 2, 3);
    let far = intruder.commit(&old, &[], (1 << 40) - 1, 2);
    let epoch = intruder.commit(&old, &[], seq + 1, (1 << 40) - 1);
    for (tip, says) in [
        (&back, "has gone back"),
        (&on_top, "has gone back"),
        (&later, "has gone back"),
        (&far, "does not follow"),
        (&epoch, "does not follow"),
    ] {
        intruder.put(tip);
        for member in [&one, &two] {
            let refused = member.aio(&["sync"]);
            assert_eq!(refused.code, 7, "{says}: {}", refused.stderr);
            assert!(refused.stderr.contains(says), "{says}: {}", refused.stderr);
            assert_eq!(member.tip(), good, "nothing of it was taken over");
        }
    }
    intruder.put(&good);
    one.ok(&["claim", "README.md"]);
    one.sync();
}

/// An aio.json that nobody can read, is too large, or shuts older writers out.
#[test]
fn a_store_that_is_not_for_us_is_refused_as_a_whole() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, _] = two(&hub);
    let (good, intruder) = (hub.tip(), Intruder { hub: &hub });
    let vast = vec![b' '; 200_000];
    let newer = hub.git(&["show", "refs/aio/state:aio.json"]).replace("\"min_writer\": 1", "\"min_writer\": 99");
    for content in [&b"{"[..], b"[]", &vast, &b"[".repeat(10_000), newer.as_bytes()] {
        intruder.records(&[("aio.json", content)]);
        let before = one.tip();
        let refused = one.aio(&["sync"]);
        assert_decent(&refused);
        assert_ne!(refused.code, 0, "{}", refused.stderr);
        assert_eq!(one.tip(), before);
        one.ok(&["claim", "README.md"]);
        one.ok(&["release", "all"]);
        intruder.put(&good);
    }
    one.sync();
}

/// Records that can't be read are told of and passed over; who works elsewhere goes on.
#[test]
fn a_record_that_cannot_be_read_is_passed_over() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = two(&hub);
    let intruder = Intruder { hub: &hub };
    let vast = vec![b'x'; 200_000];
    let deep = b"[".repeat(5_000);
    let escape = br#"{"v":1,"id":"aa00000000000001","kind":"file","target":"../../etc/passwd","mode":"exclusive","origin":"explicit","holder":"codex-1700000000-a3f2","token":1,"grant":"00000000000000000000000000000001","since":"2026-01-01T00:00:00Z","until":null,"why":null}"#;
    let typed = br#"{"v":"one","id":7,"kind":[],"target":{},"token":-1}"#;
    for (nth, content) in [&vast[..], &deep, escape, typed, b"", b"\xff\xfe"].into_iter().enumerate() {
        let claim = format!("claims/aa/aa0000000000000{nth}.json");
        let ended = format!("ended/{}/aa0000000000000{nth}.json", two.me);
        let note = format!("notes/2026-01/aa0000000000000{nth}.json");
        let instance = format!("instances/amp-1700000000-000{nth}.json");
        let handoff = format!("handoffs/handoff-00000000000{nth}.json");
        intruder.records(&[
            (&claim, content),
            (&note, content),
            (&instance, content),
            (&handoff, content),
            (&ended, content),
        ]);
        one.sync();
        assert_works(&one);
        let path = format!("src/{nth}.rs");
        one.ok(&["claim", &path]);
        one.sync();
        assert!(one.claims().contains(&(path, one.me.clone())));
    }
    assert!(one.aio(&["status"]).stderr.contains("damaged record"));
    // Whose own record of losses it is that can't be read has to mend it first, and can.
    assert_decent(&two.aio(&["sync"]));
    assert_decent(&two.aio(&["claim", "docs/x"]));
    assert!(two.aio(&["doctor", "--repair"]).stdout.contains("30 set aside"));
    two.ok(&["claim", "docs/x"]);
    two.sync();
    assert!(two.claims().contains(&("docs/x".to_owned(), two.me.clone())));
}

/// What may be read, and would do something to a terminal.
#[test]
fn escapes_do_not_reach_a_terminal() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = two(&hub);
    let intruder = Intruder { hub: &hub };
    let clone = r"\u001b]0;owned\u0007\u001b[2J\r";
    let instance = format!(
        r#"{{"v":1,"id":"amp-1700000000-0001","tool":"amp","clone":"00000000000000aa","project":"{clone}","worktree":"{clone}","task":{{"text":"{clone}","id":null}},"since":"2026-01-01T00:00:00Z","parent":null}}"#
    );
    let claim = format!(
        r#"{{"v":1,"id":"aa00000000000001","kind":"file","target":"evil{clone}","mode":"exclusive","origin":"explicit","holder":"amp-1700000000-0001","token":1,"grant":"00000000000000000000000000000001","since":"2026-01-01T00:00:00Z","until":null,"why":"{clone}"}}"#
    );
    let note = format!(
        r#"{{"v":1,"id":"aa00000000000001","category":"decision","text":"{clone}","by":"amp-1700000000-0001","at":"2026-01-01T00:00:00Z","paths":[],"to":null}}"#
    );
    intruder.records(&[
        ("instances/amp-1700000000-0001.json", instance.as_bytes()),
        ("claims/aa/aa00000000000001.json", claim.as_bytes()),
        ("notes/2026-01/aa00000000000001.json", note.as_bytes()),
    ]);
    for member in [&one, &two] {
        assert_works(member);
        assert_decent(&member.aio(&["sync"]));
    }
}

/// A ref beside ours on the hub, of whatever name, is fetched to a place of its own and does nothing.
#[test]
fn other_refs_beside_ours_do_nothing() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = two(&hub);
    let main = hub.git(&["rev-parse", "refs/heads/main"]).trim().to_owned();
    for name in [
        "refs/aio/zzz",
        "refs/aio/presence/x",
        "refs/aio/heads/main",
        "refs/aio-presence/zzz",
        "refs/aio-presence/state",
    ] {
        hub.git(&["update-ref", name, &main]);
    }
    let heads = |repo: &Repo<'_>| repo.git(&["for-each-ref", "refs/heads", "refs/remotes", "refs/tags"]);
    let before = heads(&one.repo);
    one.ok(&["claim", "docs/x"]);
    one.sync();
    two.sync();
    assert_eq!(heads(&one.repo), before);
    assert_eq!(one.claims(), two.claims());
}
