//! git's own users: our chain is in their repository and in nobody's way.

use crate::env::{Ended, Refs, Repo, TestEnvironment, run};
use serde_json::Value;
use std::{fs, path::Path};

const LAYOUTS: [(&str, Refs, &str); 4] = [
    ("files-sha1", Refs::Files, "sha1"),
    ("files-sha256", Refs::Files, "sha256"),
    ("reftable-sha1", Refs::Reftable, "sha1"),
    ("reftable-sha256", Refs::Reftable, "sha256"),
];

/// A store with some of everything in it. Returns who holds `src`.
fn furnish(repo: &Repo<'_>) -> String {
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok_as(&claude, &["claim", "src/", ".gitmodules", "*.md", "--why", "so"]);
    repo.ok_as(&claude, &["claim", "task", "T-1"]);
    repo.ok_as(&codex, &["context", "warning", "it bites", "--path", "src"]);
    repo.ok_as(&codex, &["claim", "b.txt"]);
    repo.ok_as(&codex, &["handoff", "new", "go on"]);
    repo.ok_as(&codex, &["context", "decision", "ä \u{1f980}"]);
    claude
}

/// A repository with three commits and a branch, furnished.
fn furnished<'e>(env: &'e TestEnvironment, name: &str, refs: Refs, format: &str) -> Repo<'e> {
    let repo = env.repo_with(name, refs, format, &[("src/main.rs", "fn main() {}\n"), ("b.txt", "b\n")]);
    furnish(&repo);
    repo.write("b.txt", "c\n");
    repo.git(&["commit", "-q", "-am", "second"]);
    repo.git(&["branch", "side"]);
    repo.write("b.txt", "d\n");
    repo.git(&["commit", "-q", "-am", "third"]);
    repo
}

/// What the store says, without what changes with time.
fn state(repo: &Repo<'_>) -> Value {
    let mut status = repo.json_as("", &["status"]);
    status["instances"].as_array_mut().unwrap().iter_mut().for_each(|instance| instance["last_seen"] = Value::Null);
    status
}

fn works(repo: &Repo<'_>, claude: &str) {
    assert_eq!(repo.aio(&["claim", "src/main.rs"]).code, 3);
    repo.ok_as(claude, &["claim", "after.txt"]);
    repo.ok_as(claude, &["release", "all"]);
}

#[test]
fn every_layout_of_a_repository_takes_a_store() {
    let env = TestEnvironment::new();
    for (name, refs, format) in LAYOUTS {
        let repo = env.repo_with(name, refs, format, &[("src/main.rs", "fn main() {}\n"), ("b.txt", "b\n")]);
        let claude = furnish(&repo);
        let fsck = repo.try_git(&["fsck", "--strict", "--full"]);
        assert_eq!((fsck.code, fsck.stdout.as_str(), fsck.stderr.as_str()), (0, "", ""), "{name}");
        let tip = repo.git(&["rev-parse", "refs/aio/state"]);
        assert_eq!(tip.trim().len(), if format == "sha1" { 40 } else { 64 });
        let before = state(&repo);
        repo.git(&["pack-refs", "--all", "--prune"]);
        repo.git(&["gc", "-q", "--prune=now"]);
        repo.git(&["prune", "--expire=now"]);
        repo.git(&["repack", "-q", "-a", "-d"]);
        assert_eq!(state(&repo), before, "{name}");
        works(&repo, &claude);
        repo.git(&["fsck", "--strict"]);
    }
}

#[test]
fn a_claim_can_be_read_with_git_alone() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    let claim = repo.json_as(&claude, &["claim", "src/auth/"])["claims"][0].clone();
    let id = claim["id"].as_str().unwrap();
    let record = repo.git(&["show", &format!("refs/aio/state:claims/{}/{id}.json", &id[..2])]);
    let record: Value = serde_json::from_str(&record).unwrap();
    assert_eq!((&record["target"], &record["holder"]), (&"src/auth".into(), &claude.as_str().into()), "{record}");
    let subject = repo.git(&["log", "-1", "--format=%s", "refs/aio/state"]);
    assert_eq!(subject, format!("claim: src/auth (directory) by {claude}\n"));
    let trailers = repo.git(&["log", "-1", "--format=%(trailers:key=Aio-Seq,valueonly)", "refs/aio/state"]);
    assert_eq!(trailers.trim(), claim["token"].to_string());
}

#[test]
fn our_chain_is_not_woven_into_the_history_of_others() {
    let env = TestEnvironment::new();
    let repo = furnished(&env, "demo", Refs::Files, "sha1");
    let subjects = |args: &[&str]| -> Vec<String> {
        let log = repo.git(&[&["log", "--format=%s"], args].concat());
        log.lines().map(str::to_owned).collect()
    };
    let theirs = ["third", "second", "begin"];
    assert_eq!(subjects(&[]), theirs);
    assert_eq!(subjects(&["--branches"]), theirs);
    assert_eq!(subjects(&["--all"])[..3], theirs, "ours sink below all of theirs");
    assert_eq!(subjects(&["--all", "--graph"])[..3], theirs.map(|subject| format!("* {subject}")));
    assert_eq!(subjects(&["--all", "--date-order"])[..3], theirs);
    assert_eq!(subjects(&["--all", "--since=2.years.ago"]), theirs, "and are not recent at all");
    assert!(!repo.git(&["describe", "--all"]).contains("aio"));
    let times = repo.git(&["log", "--reverse", "--format=%ct %at", "refs/aio/state"]);
    let now = chrono::Utc::now().timestamp();
    for (at, line) in times.lines().enumerate() {
        let (committed, authored) = line.split_once(' ').unwrap();
        assert_eq!(committed, (at + 1).to_string(), "seconds since the epoch, one an operation");
        assert!((now - authored.parse::<i64>().unwrap()).abs() < 600, "the true time is the author's");
    }
}

#[test]
fn the_reflog_tells_the_true_time_and_is_the_way_back() {
    let env = TestEnvironment::new();
    for (name, refs, format) in [LAYOUTS[0], LAYOUTS[2]] {
        let repo = furnished(&env, name, refs, format);
        let entries = repo.git(&["reflog", "show", "--format=%gd %H", "--date=unix", "refs/aio/state"]);
        assert_eq!(entries.lines().count(), repo.operations(), "{name}: {entries}");
        let now = chrono::Utc::now().timestamp();
        for entry in entries.lines() {
            let at = entry.split(['{', '}']).nth(1).unwrap();
            assert!((now - at.parse::<i64>().unwrap()).abs() < 600, "{name}: {entry}");
        }
        repo.git(&["reflog", "expire", "--expire=1.day.ago", "--expire-unreachable=1.day.ago", "--all"]);
        let left = repo.git(&["reflog", "show", "--format=%H", "refs/aio/state"]);
        assert_eq!(left.lines().count(), repo.operations(), "{name}: nothing in it is old");
    }
}

#[test]
fn a_commit_graph_takes_the_chain() {
    let env = TestEnvironment::new();
    let repo = furnished(&env, "demo", Refs::Files, "sha1");
    repo.git(&["commit-graph", "write", "--reachable"]);
    repo.git(&["commit-graph", "verify"]);
    repo.ok(&["claim", "after.txt"]);
    repo.git(&["commit-graph", "write", "--reachable"]);
    repo.git(&["commit-graph", "verify"]);
    assert_eq!(repo.operations(), repo.json_as("", &["log"])["entries"].as_array().unwrap().len());
}

#[test]
fn a_plain_clone_fetch_or_push_does_not_carry_it() {
    let env = TestEnvironment::new();
    let repo = furnished(&env, "demo", Refs::Files, "sha1");
    repo.git(&["clone", "-q", ".", "../clone"]);
    let clone = Repo { env: &env, dir: env.path().join("clone") };
    let none_of_ours = |repo: &Repo<'_>| assert!(!repo.git(&["for-each-ref"]).contains("aio"));
    none_of_ours(&clone);
    clone.git(&["fetch", "-q", "--prune", "--tags"]);
    clone.git(&["pull", "-q"]);
    none_of_ours(&clone);
    repo.git(&["init", "-q", "--bare", "../hub.git"]);
    let hub = Repo { env: &env, dir: env.path().join("hub.git") };
    for args in [
        &["push", "-q", "../hub.git", "main"][..],
        &["push", "-q", "../hub.git", "--all"],
        &["push", "-q", "../hub.git", "--tags"],
    ] {
        repo.git(args);
        none_of_ours(&hub);
    }
    repo.git(&["bundle", "create", "-q", "../demo.bundle", "--branches"]);
    assert!(!repo.git(&["bundle", "list-heads", "../demo.bundle"]).contains("aio"));
}

#[test]
fn a_mirror_and_a_strict_hub_take_it_whole() {
    let env = TestEnvironment::new();
    for format in ["sha1", "sha256"] {
        let repo = furnished(&env, format, Refs::Files, format);
        let tip = repo.git(&["rev-parse", "refs/aio/state"]);
        let mirror = env.path().join(format!("{format}-mirror.git")).display().to_string();
        repo.git(&["clone", "-q", "--mirror", ".", &mirror]);
        assert_eq!(repo.git(&["-C", &mirror, "rev-parse", "refs/aio/state"]), tip);
        repo.git(&["-C", &mirror, "fsck", "--strict"]);
        let hub = env.path().join(format!("{format}-hub.git")).display().to_string();
        repo.git(&["init", "-q", "--bare", &format!("--object-format={format}"), &hub]);
        repo.git(&["-C", &hub, "config", "receive.fsckObjects", "true"]);
        repo.git(&["push", "-q", &hub, "refs/aio/state:refs/aio/state"]);
        assert_eq!(repo.git(&["-C", &hub, "rev-parse", "refs/aio/state"]), tip);
        repo.ok(&["claim", "after.txt"]);
        repo.git(&["push", "-q", &hub, "refs/aio/state:refs/aio/state"]);
        repo.git(&["update-ref", "refs/heads/other", "refs/aio/state^"]);
        let other = repo.git(&["commit-tree", "-p", "refs/heads/other", "-m", "other", "HEAD^{tree}"]);
        let rewound = repo.try_git(&["push", "-q", &hub, &format!("{}:refs/aio/state", other.trim())]);
        assert_ne!(rewound.code, 0, "git itself refuses what is no fast-forward");
    }
}

#[test]
fn linked_worktrees_share_one_store() {
    let env = TestEnvironment::new();
    for (name, refs, format) in LAYOUTS {
        let repo = env.repo_with(name, refs, format, &[("src/main.rs", "fn main() {}\n"), ("b.txt", "b\n")]);
        let claude = furnish(&repo);
        let side = format!("{name}-side");
        repo.git(&["worktree", "add", "-q", &format!("../{side}"), "-b", "side"]);
        let linked = Repo { env: &env, dir: env.path().join(&side) };
        assert_eq!(state(&linked)["claims"], state(&repo)["claims"], "{name}");
        assert_eq!(linked.aio(&["claim", "src/main.rs"]).code, 3);
        let codex = linked.register("codex");
        linked.ok_as(&codex, &["claim", "new.txt"]);
        assert_eq!(repo.aio_as(&claude, &["claim", "new.txt"]).code, 3, "{name}");
        assert_eq!(repo.json_as(&codex, &["whoami"])["instance"]["worktree"], side.as_str());
        linked.write("src/main.rs", "changed\n");
        linked.git(&["add", "-A"]);
        assert_eq!(linked.aio_as(&codex, &["hook", "pre-commit"]).code, 3, "{name}");
        assert_eq!(repo.aio_as(&codex, &["hook", "pre-commit"]).code, 0, "nothing is staged here");
        repo.git(&["worktree", "remove", "--force", &format!("../{side}")]);
        assert_eq!(repo.aio_as(&claude, &["claim", "new.txt"]).code, 3, "a claim outlives the worktree it was made in");
    }
}

/// A folder in which nothing can be written; root may write where modes forbid it, so that it takes a mount.
struct Mounted<'e> {
    env: &'e TestEnvironment,
    at: String,
}

impl<'e> Mounted<'e> {
    /// Mounts what `args` say, or tells why the test is skipped.
    fn new(env: &'e TestEnvironment, at: &Path, steps: &[&[&str]]) -> Option<Self> {
        let at = at.display().to_string();
        for args in steps {
            let ended = run(env.command("mount", &env.path()).args(*args).arg(&at));
            if ended.code != 0 {
                eprintln!("skipped: nothing can be mounted here: {}", ended.stderr.trim());
                return None;
            }
        }
        Some(Mounted { env, at })
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        run(self.env.command("umount", &self.env.path()).arg(&self.at));
    }
}

/// Whether mounting is worth a try: as root, on Linux. The owner of the process' own folder is its user.
fn can_mount() -> bool {
    use std::os::unix::fs::MetadataExt;
    let is_root = cfg!(target_os = "linux") && fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0);
    if !is_root {
        eprintln!("skipped: only root can mount");
    }
    is_root
}

#[test]
fn a_repository_that_is_read_only_can_be_read_and_says_what_it_is() {
    if !can_mount() {
        return;
    }
    let env = TestEnvironment::new();
    let repo = furnished(&env, "demo", Refs::Files, "sha1");
    let (claude, before) = (repo.register("claude"), state(&repo));
    let source = repo.dir.display().to_string();
    let steps = [&["--bind", source.as_str()][..], &["-o", "remount,bind,ro"]];
    let Some(mounted) = Mounted::new(&env, &repo.dir, &steps) else { return };
    assert_eq!(state(&repo)["claims"], before["claims"], "reading goes on");
    assert_eq!(repo.aio_as(&claude, &["check", "src/main.rs"]).code, 3);
    for args in [&["claim", "x"][..], &["register", "codex"], &["context", "warning", "x"], &["release", "all"]] {
        let refused = repo.aio_as(&claude, args);
        let nothing_to_do = args[0] == "release";
        assert_eq!(refused.code, if nothing_to_do { 0 } else { 1 }, "{args:?} {refused:?}");
        assert!(nothing_to_do || refused.stderr.to_lowercase().contains("read-only"), "{args:?} {refused:?}");
    }
    drop(mounted);
    assert_eq!(state(&repo)["claims"], before["claims"]);
    assert_eq!(repo.git(&["fsck", "--strict"]), "");
}

#[test]
fn a_full_disk_loses_nothing_that_was_granted() {
    if !can_mount() {
        return;
    }
    let env = TestEnvironment::new();
    let dir = env.path().join("small");
    fs::create_dir(&dir).unwrap();
    let Some(mounted) = Mounted::new(&env, &dir, &[&["-t", "tmpfs", "-o", "size=1m", "none"]]) else { return };
    let repo = env.repo_with("small/demo", Refs::Files, "sha1", &[("src/main.rs", "fn main() {}\n")]);
    repo.git(&["config", "--unset", "aio.fsync"]);
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok_as(&claude, &["claim", "src/"]);
    let filler = dir.join("filler");
    let fill = |leave: &str| -> Ended {
        let script = format!("dd if=/dev/zero of={} bs=1k 2>/dev/null; truncate -s -{leave} {0}", filler.display());
        run(env.command("sh", &dir).args(["-c", &script]))
    };
    let mut failed = 0;
    for leave in ["0", "4K", "8K", "12K", "16K", "20K"] {
        fill(leave);
        let ended = repo.aio_as(&codex, &["claim", &format!("file-{leave}")]);
        if ended.code != 0 {
            failed += 1;
            assert_eq!(ended.code, 1, "{ended:?}");
            assert!(ended.stderr.contains("No space left"), "{ended:?}");
        }
        assert_eq!(repo.aio_as(&codex, &["check", "src/main.rs"]).code, 3, "the claim is there on a full disk too");
        fs::remove_file(&filler).unwrap();
        let holds = repo.aio_as(&codex, &["check", &format!("file-{leave}")]).stdout.starts_with("yours");
        assert_eq!(holds, ended.code == 0, "what was said is so: {ended:?}");
        repo.ok_as(&codex, &["claim", &format!("again-{leave}")]);
    }
    assert!(failed > 0, "the disk was full for none of them");
    assert_eq!(repo.git(&["fsck", "--strict", "--no-dangling"]), "");
    drop(mounted);
}

#[test]
fn a_named_git_directory_makes_the_folder_of_the_command_the_work_tree() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let linked = env.path().join("linked");
    repo.git(&["worktree", "add", "-q", linked.to_str().unwrap()]);
    let claude = repo.register("claude");
    let (sub, git_dir) = (repo.dir.join("src"), repo.dir.join(".git"));
    let linked_dir = git_dir.join("worktrees/linked");
    let claimed = |dir: &Path, vars: &[(&str, &Path)]| {
        let top = run(env.command("git", dir).args(["rev-parse", "--show-toplevel"]).envs(vars.iter().copied()));
        let mut claim = repo.command(&["claim", "auth/x", "--json"]);
        let ended = run(claim.current_dir(dir).env("AIO_INSTANCE", &claude).envs(vars.iter().copied()));
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
        let target = answer["claims"][0]["target"].as_str().unwrap().to_owned();
        repo.ok_as(&claude, &["release", "all"]);
        // git's own answer says what the path of that target is.
        assert_eq!(Path::new(top.stdout.trim()).join(&target), dir.join("auth/x"), "{vars:?}");
        target
    };
    assert_eq!(claimed(&sub, &[]), "src/auth/x");
    assert_eq!(claimed(&sub, &[("GIT_DIR", &git_dir)]), "auth/x");
    assert_eq!(claimed(&sub, &[("GIT_DIR", &git_dir), ("GIT_WORK_TREE", &repo.dir)]), "src/auth/x");
    assert_eq!(claimed(&linked.join("src"), &[("GIT_DIR", &linked_dir)]), "auth/x");
    repo.git(&["config", "core.worktree", repo.dir.to_str().unwrap()]);
    assert_eq!(claimed(&sub, &[("GIT_DIR", &git_dir)]), "src/auth/x");
}
