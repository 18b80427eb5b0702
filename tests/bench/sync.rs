//! Syncing with a hub over file://, against the git commands that move as much.

use crate::{
    machine::{Machine, Repo},
    measure::{Report, Subject, in_pairs},
};
use std::{fmt::Write as _, fs, io::Write as _, process::Stdio, thread, time::Duration};

const CLAIMS: usize = 1000;
const MANY_CLAIMS: usize = 10_000;
const MANY_OPERATIONS: usize = 20_000;

pub fn run(report: &mut Report) {
    let machine = Machine::new();
    report.note("over file://, a store of 1,000 claims");
    idle_and_pending(report, &machine);
    in_background(report, &machine);
    report.note("a clone that has no store yet, and a hub with 10,000 claims after 20,000 operations");
    join(report, &machine);
}

fn idle_and_pending(report: &mut Report, machine: &Machine) {
    let (repo, holder) = machine.repo_with_claims("pending", CLAIMS);
    let hub = with_hub(&repo);
    repo.aio(None, &["sync"]);
    repo.git(&["push", "-q", "origin", "HEAD:refs/heads/bench"]);
    hub.git(&["gc", "-q"]);

    let fetch = ["fetch", "-q", "--no-tags", "origin", "+refs/aio/state:refs/bench/state"];
    let pairs = in_pairs(
        report.pairs(60),
        &mut Subject { name: "sync", make: &mut |_| repo.aio_command(None, &["sync"]), after: &mut |_| {} },
        &mut Subject { name: "git fetch", make: &mut |_| repo.git_command(&fetch), after: &mut |_| {} },
    );
    report.ratio("sync with nothing to do / git fetch of the ref", &pairs, Some(1.3));

    let mut pending = |turn: usize| {
        repo.aio(Some(&holder), &["claim", &format!("pending/{turn}")]);
        repo.aio_command(None, &["sync"])
    };
    let mut commit = |_| {
        repo.git(&["commit", "-q", "--allow-empty", "-m", "one"]);
        let script = "git fetch -q --no-tags origin +refs/heads/bench:refs/bench/head && \
                      git push -q origin HEAD:refs/heads/bench";
        let mut command = repo.command("sh");
        command.args(["-c", script]);
        command
    };
    let pairs = in_pairs(
        report.pairs(40),
        &mut Subject { name: "sync", make: &mut pending, after: &mut |_| {} },
        &mut Subject { name: "git fetch and push", make: &mut commit, after: &mut |_| {} },
    );
    report.ratio("sync with a pending claim / git fetch and git push of a commit", &pairs, Some(1.3));
}

/// What a claim takes longer that starts a sync which goes on without it. Each starts one: none is measured while one is at
/// work.
fn in_background(report: &mut Report, machine: &Machine) {
    let furnished = |name: &str| {
        let (repo, holder) = machine.repo_with_claims(name, CLAIMS);
        let hub = with_hub(&repo);
        repo.aio(None, &["sync"]);
        repo.git(&["config", "aio.syncInterval", "0s"]);
        (repo, hub, holder)
    };
    let ((with, hub, its), (without, _, others)) = (furnished("with"), furnished("without"));
    with.git(&["config", "aio.backgroundSync", "true"]);
    let tip = |repo: &Repo| repo.git(&["rev-parse", "refs/aio/state"]);
    let sent = || {
        while tip(&hub) != tip(&with) {
            thread::sleep(Duration::from_millis(20));
        }
        // Held as long as it is at work.
        fs::File::open(with.dir.join(".git/aio/background.lock")).unwrap().lock().unwrap();
    };
    let pairs = in_pairs(
        report.pairs(31),
        &mut Subject {
            name: "claim",
            make: &mut |turn| with.aio_command(Some(&its), &["claim", &format!("pending/{turn}")]),
            after: &mut |_| sent(),
        },
        &mut Subject {
            name: "claim",
            make: &mut |turn| without.aio_command(Some(&others), &["claim", &format!("pending/{turn}")]),
            after: &mut |_| drop(without.aio(None, &["sync"])),
        },
    );
    report.difference("a claim that starts a sync in the background / one that starts none", &pairs, Some(2.0));
}

fn join(report: &mut Report, machine: &Machine) {
    let (repo, _) = machine.repo_with_claims("long", MANY_CLAIMS);
    lengthen(&repo, MANY_OPERATIONS);
    let hub = with_hub(&repo);
    repo.aio(None, &["sync"]);
    hub.git(&["gc", "-q"]);

    let url = format!("file://{}", hub.dir.display());
    let fresh = |side: &'static str| {
        let joining = machine.repo(side);
        joining.git(&["remote", "add", "origin", &url]);
        joining.git(&["config", "aio.remote", "origin"]);
        joining
    };
    let fetch = ["fetch", "-q", "--no-tags", "origin", "+refs/aio/state:refs/bench/state"];
    let pairs = in_pairs(
        report.pairs(7).min(7),
        &mut Subject {
            name: "first sync",
            make: &mut |_| fresh("joining").aio_command(None, &["sync"]),
            after: &mut |_| fs::remove_dir_all(repo.dir.with_file_name("joining")).unwrap(),
        },
        &mut Subject {
            name: "git fetch",
            make: &mut |_| fresh("fetching").git_command(&fetch),
            after: &mut |_| fs::remove_dir_all(repo.dir.with_file_name("fetching")).unwrap(),
        },
    );
    report.ratio("first sync of a clone / git fetch of the ref", &pairs, Some(1.5));
}

/// Gives `repo` a bare hub beside it, and nothing that happens by itself.
fn with_hub(repo: &Repo) -> Repo {
    let name = format!("{}.hub", repo.dir.file_name().unwrap().to_string_lossy());
    let hub = repo.beside(&name);
    repo.git(&["init", "-q", "--bare", hub.dir.to_str().unwrap()]);
    hub.git(&["config", "gc.auto", "0"]);
    repo.git(&["remote", "add", "origin", &format!("file://{}", hub.dir.display())]);
    repo.git(&["config", "aio.remote", "origin"]);
    repo.git(&["config", "aio.backgroundSync", "false"]);
    hub
}

/// Adds operations that change no record until the store has seen `length` of them.
fn lengthen(repo: &Repo, length: usize) {
    let seen: usize = repo.git(&["rev-list", "--count", "refs/aio/state"]).trim().parse().unwrap();
    let mut stream = String::new();
    for seq in seen + 1..=length {
        let message = format!(
            "bypass: pre-commit with 1 paths\n\n{{\"action\":{{\"count\":1,\"do\":\"bypass\",\"fence\":\"pre-commit\",\"paths\":[]}},\
             \"at\":\"2026-01-01T00:00:00Z\",\"by\":null,\"id\":\"{seq:032x}\",\"v\":1}}\n\n\
             Aio-Op: bypass\nAio-Op-Id: {seq:032x}\nAio-Seq: {seq}\nAio-Epoch: 1\n"
        );
        let from = if seq == seen + 1 { "from refs/aio/state^0\n" } else { "" };
        let _ = write!(
            stream,
            "commit refs/aio/state\nauthor Ann <ann@example.org> 1767225600 +0000\ncommitter Ann <ann@example.org> {seq} \
             +0000\ndata {}\n{message}\n{from}\n",
            message.len()
        );
    }
    let mut import = repo.git_command(&["fast-import", "--quiet", "--force"]);
    let mut import = import.stdin(Stdio::piped()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(import.wait().unwrap().success());
    assert_eq!(repo.git(&["rev-list", "--count", "refs/aio/state"]).trim(), length.to_string());
}
