//! Work that is given to agents, with stand-ins for these: what they leave is believed after it was checked and not before.

mod chain;
mod check;
mod commit;
mod document;
mod failure;
mod folders;
mod input;
mod isolate;
mod kill;
mod process;
mod record;
mod scope;
mod settled;
mod stop;

use crate::{
    env::{Ended, Refs, Repo, TestEnvironment, run},
    fake::{Agents, Do},
};
use serde_json::Value;
use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path, thread, time::Duration};

const CONFIG: &str = ".aio/config.toml";

/// The CLIs that are known, each of which a stand-in speaks the stream of.
const CLIS: [&str; 6] = ["claude", "codex", "gemini", "copilot", "opencode", "amp"];

/// What says in these tests that the code is in order: nothing in it is broken.
const CHECK: (&str, &str) = ("check.sh", "if grep -rn BROKEN src; then echo 'it is broken in many ways'; exit 1; fi\n");

/// A machine with stand-ins and a repository, whose configuration is approved.
fn place<'e>(env: &'e TestEnvironment, config: &str) -> (Agents, Repo<'e>) {
    let files = [
        (CONFIG, config),
        CHECK,
        ("README.md", "# demo\n"),
        ("src/auth/login.rs", "fn login() {}\n"),
        ("src/auth/token.rs", "fn token() {}\n"),
        ("src/main.rs", "fn main() {}\n"),
    ];
    let repo = env.repo_with("demo", Refs::Files, "sha1", &files);
    repo.ok(&["trust", "--yes", "--quiet"]);
    (Agents::in_(env), repo)
}

/// A machine with stand-ins and a repository that says how it is checked.
fn checked(env: &TestEnvironment) -> (Agents, Repo<'_>) {
    place(env, "[verify]\ntest = \"sh check.sh\"\n")
}

/// A delegation of `Fix the login.`, with these arguments.
fn delegate(repo: &Repo<'_>, args: &[&str]) -> Ended {
    // None that waits for what doesn't come keeps a test for long.
    let limit: &[&str] = if args.contains(&"--timeout") { &[] } else { &["--timeout", "60s"] };
    repo.aio(&[&["delegate", "Fix the login."], args, limit].concat())
}

/// The same, with its answer in JSON and its exit code.
fn told(repo: &Repo<'_>, args: &[&str]) -> (Value, i32) {
    answer(&delegate(repo, &[args, &["--json"]].concat()))
}

fn answer(ended: &Ended) -> (Value, i32) {
    let answer = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    (answer, ended.code)
}

/// The attempts of the only step: who made them, and what kept them from being usable.
fn tries(answer: &Value) -> Vec<String> {
    let tries = answer["run"]["steps"][0]["tries"].as_array().unwrap_or_else(|| panic!("{answer:#}"));
    let word = |value: &Value| value.as_str().unwrap_or("ok").to_owned();
    tries.iter().map(|one| format!("{} {}", word(&one["agent"]), word(&one["failure"]["kind"]))).collect()
}

/// The run of an answer.
fn run_of(answer: &Value) -> String {
    answer["run"]["id"].as_str().unwrap().to_owned()
}

/// All that a failed attempt must leave as it was: every file with its mode, the index, the stashes, and where HEAD is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Snapshot {
    files: BTreeMap<String, (u32, Vec<u8>)>,
    index: String,
    stashes: String,
    head: String,
}

fn snapshot(repo: &Repo<'_>) -> Snapshot {
    let mut files = BTreeMap::new();
    let mut open = vec![repo.dir.clone()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap).filter(|entry| entry.file_name() != ".git") {
            let (path, meta) = (entry.path(), fs::symlink_metadata(entry.path()).unwrap());
            let name = path.strip_prefix(&repo.dir).unwrap().to_str().unwrap().to_owned();
            let content = match meta.file_type() {
                kind if kind.is_dir() => {
                    open.push(path);
                    continue;
                }
                kind if kind.is_symlink() => fs::read_link(&path).unwrap().to_str().unwrap().as_bytes().to_vec(),
                _ => fs::read(&path).unwrap(),
            };
            files.insert(name, (meta.permissions().mode(), content));
        }
    }
    Snapshot {
        files,
        index: repo.git(&["ls-files", "--stage", "--debug"]),
        stashes: repo.git(&["stash", "list"]),
        head: repo.git(&["rev-parse", "HEAD"]),
    }
}

/// Nobody holds anything, and no worker is left.
fn assert_free(repo: &Repo<'_>) {
    let (status, _) = answer(&repo.aio(&["status", "--json"]));
    let count = |key: &str| status[key].as_array().unwrap_or_else(|| panic!("{status:#}")).len();
    assert_eq!((count("claims"), count("instances")), (0, 0), "{status:#}");
}

fn is_alive(pid: &str) -> bool {
    let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    // A zombie runs no more.
    state.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}

fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..3000 {
        if is_so() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("waited in vain: {what}");
}

fn exists(dir: &Path, name: &str) -> bool {
    dir.join(name).exists()
}

#[test]
fn every_cli_is_started_does_its_work_and_is_believed_after_the_checks() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    for name in CLIS {
        let file = format!("src/auth/{name}.rs");
        agents.plays(name, &[Do::Edit(&file, "fn done() {}\n"), Do::Say("Fixed it.")]);
        let (told, code) = told(&repo, &["--agent", name, "--scope", "src/auth/"]);
        assert_eq!((code, &told["verdict"], &told["result"]), (0, &"passed".into(), &"Fixed it.".into()), "{told:#}");
        let step = &told["run"]["steps"][0];
        assert_eq!((&step["status"], &step["files"], &step["bytes"]), (&"ok".into(), &vec![file].into(), &9.into()));
        assert_eq!(tries(&told), [format!("{name} ok")]);
        let one = &step["tries"][0];
        let checks: Vec<_> =
            one["checks"].as_array().unwrap().iter().map(|check| (&check["name"], &check["passed"])).collect();
        assert_eq!(checks, [(&"@scope".into(), &true.into()), (&"@test".into(), &true.into())]);
        assert_eq!(one["session"], format!("{name}-session-1"));
        let call = &agents.calls(name)[0];
        assert_eq!(call.env["AIO_INSTANCE"], one["instance"].as_str().unwrap());
        assert!(call.prompt.contains("# Task: Fix the login.") && call.dir == repo.dir, "{call:?}");
    }
    assert_free(&repo);
}

#[test]
fn a_terminal_session_shows_the_result_and_what_led_to_it() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Edit("src/auth/login.rs", "fn login() { true }\n"), Do::Say("Fixed it.")]);
    let ended = delegate(&repo, &["--agent", "claude", "--scope", "src/auth/", "--accept", "it works"]);
    assert_eq!((ended.code, &ended.stdout[..]), (0, "Fixed it.\n"), "{ended:?}");
    for part in [
        "delegation-",
        "start [",
        "claude as claude-",
        "editing src/auth/login.rs",
        "passed [",
        "@test",
        "9 bytes, 1 file changed, passed",
    ] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("note:") && !ended.stderr.contains('\u{1b}'), "{}", ended.stderr);
}

#[test]
fn what_a_task_leaves_unsaid_is_told() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Say("Looked.")]);
    let told = |args: &[&str]| delegate(&repo, &[&["--agent", "claude"], args].concat()).stderr;
    assert!(told(&[]).contains("note: no --scope: it may read, and change nothing"));
    assert!(told(&["--scope", "src/"]).contains("note: no --accept: it is not said when it is finished"));
    assert!(told(&["--scope", "src/", "--no-verify"]).contains("--no-verify: what it says will be unverified"));
    let several = told(&["--scope", "src/", "--scope", "docs/", "--scope", "tests/"]);
    assert!(several.contains("the scope is of several categories (code, documentation, tests)"), "{several}");
}
