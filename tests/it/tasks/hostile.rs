//! Records of tasks that somebody has put into the store by hand.

use super::{assert_refused, next, put};
use crate::env::{Repo, TestEnvironment, run};
use std::{fs, io::Write as _, process::Stdio};

/// Puts records into the store, as whoever may write to the repository can.
pub(super) fn slip_in(repo: &Repo<'_>, records: &[(&str, String)]) {
    let index = repo.dir.join(".git/intruder-index");
    let git = |args: &[&str], input: &str| {
        let mut git = repo.env.command("git", &repo.dir);
        git.env("GIT_INDEX_FILE", &index).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut git = git.spawn().unwrap();
        git.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = git.wait_with_output().unwrap();
        assert!(output.status.success(), "{args:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["read-tree", "refs/aio/state"], "");
    let content = |number: usize| repo.dir.join(format!(".git/intruder-{number}"));
    let files = records.iter().enumerate().map(|(number, (_, record))| {
        fs::write(content(number), record).unwrap();
        format!("{}\n", content(number).display())
    });
    let blobs = git(&["hash-object", "-w", "--no-filters", "--stdin-paths"], &files.collect::<String>());
    let entries = blobs.lines().zip(records).map(|(blob, (path, _))| format!("100644 {blob}\t{path}\n"));
    git(&["update-index", "--add", "--index-info"], &entries.collect::<String>());
    let tree = git(&["write-tree"], "");
    let seq: u64 = repo
        .git(&["log", "-1", "--format=%(trailers:key=Aio-Seq,valueonly,separator=)", "refs/aio/state"])
        .trim()
        .parse()
        .unwrap();
    let op = format!("{:032x}", u128::from(seq) + 0xdead_0000);
    let message = format!("bypass: mine\n\nAio-Op: bypass\nAio-Op-Id: {op}\nAio-Seq: {}\nAio-Epoch: 1\n", seq + 1);
    let commit = git(&["commit-tree", &tree, "-p", "refs/aio/state"], &message);
    repo.git(&["update-ref", "refs/aio/state", &commit]);
}

fn record(id: &str, title: &str, more: &str) -> String {
    format!(
        r#"{{"v":1,"id":"{id}","title":"{title}","text":"","by":"codex-1707084123-a3f2","at":"2020-01-01T00:00:00Z",
        "priority":0,"paths":[],"needs":[],"run":null,"state":"open","done":null{more}}}"#
    )
}

#[test]
fn what_makes_no_sense_is_told_and_the_queue_goes_on() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let me = repo.register("claude");
    put(&repo, &me, "good", &[]);
    let needs: Vec<String> = (0..5000).map(|n| format!("\"x{n}\"")).collect();
    slip_in(
        &repo,
        &[
            ("tasks/noise.json", "{".repeat(100)),
            ("tasks/other.json", record("good", "take me first", "")),
            (
                "tasks/many.json",
                record("many", "x", "").replace("\"needs\":[]", &format!("\"needs\":[{}]", needs.join(","))),
            ),
            ("tasks/both.json", record("both", "x", "").replace("\"state\":\"open\"", "\"state\":\"done\"")),
            ("tasks/large.json", record("large", &"x".repeat(70_000), "")),
            ("tasks/not a name.json", record("x", "x", "")),
        ],
    );
    let listed = repo.aio_as(&me, &["tasks", "list"]);
    assert_eq!((listed.code, listed.stdout.lines().count()), (0, 1), "{listed:?}");
    assert_eq!(listed.stderr.matches("damaged record").count(), 6, "{listed:?}");
    assert_eq!(next(&repo, &me), "good");
    repo.ok_as(&me, &["tasks", "done", "good"]);
    assert_refused(&repo.aio_as(&me, &["tasks", "next"]), 8, "none is left");
    let status = repo.aio_as(&me, &["status"]);
    assert_eq!(status.code, 0, "{status:?}");
    assert!(run(&mut repo.command(&["doctor"])).stdout.contains("tasks/noise.json"));
    run(&mut repo.command(&["doctor", "--repair"]));
    assert!(!repo.aio_as(&me, &["tasks", "list"]).stderr.contains("damaged"));
}

#[test]
fn what_a_task_says_reaches_no_terminal_as_it_is() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let me = repo.register("claude");
    put(&repo, &me, "good", &[]);
    // A circle, which nobody can make by a command: neither is ever ready, and nothing loops.
    let needs =
        |id: &str, other: &str| record(id, "x", "").replace("\"needs\":[]", &format!("\"needs\":[\"{other}\"]"));
    slip_in(
        &repo,
        &[
            ("tasks/loud.json", record("loud", r"\u001b[2Jhello\u202e", "")),
            ("tasks/one.json", needs("one", "two")),
            ("tasks/two.json", needs("two", "one")),
        ],
    );
    for args in [&["tasks"][..], &["status"], &["tasks", "next"], &["tasks", "next", "--another"], &["status"]] {
        let ended = repo.aio_as(&me, args);
        assert_eq!(ended.code, 0, "{args:?} {ended:?}");
        let both = ended.stdout + &ended.stderr;
        assert!(both.chars().all(|c| (!c.is_control() && c != '\u{202e}') || c == '\n'), "{both:?}");
    }
    assert_refused(&repo.aio_as(&me, &["tasks", "next", "--another"]), 8, "2 are waiting");
    let doctor = repo.aio(&["doctor"]);
    assert!(doctor.stdout.contains("none of these is ever ready: one needs two needs one;"), "{doctor:?}");
    repo.ok(&["tasks", "done", "one", "--force", "--why", "it waits for itself"]);
    assert!(repo.aio(&["doctor"]).stdout.contains("none waits for itself"));
    slip_in(&repo, &[("tasks/lone.json", needs("lone", "gone")), ("tasks/sub/deep.json", record("deep", "x", ""))]);
    assert!(repo.aio(&["doctor"]).stdout.contains("lone needs gone, which is not in the queue"));
    // What lies where none belongs is told, and is no task.
    let listed = repo.aio_as(&me, &["tasks", "list"]);
    assert!(listed.code == 0 && !listed.stdout.contains("deep"), "{listed:?}");
    assert!(listed.stderr.contains("damaged record tasks/sub/deep.json"), "{listed:?}");
}
