//! Workflows, carried out by stand-ins that really edit files in a real repository: what is shipped, and what is written in
//! a repository of one's own.

mod asks;
mod attempts;
mod calls;
mod cancelled;
mod edges;
mod events;
mod examples;
mod filenames;
mod held;
mod isolated;
mod named;
mod patterns;
mod shipped;
mod spokes;
mod stop;
mod undo;
mod uses;
mod watch;
mod way;

use crate::{
    env::{Ended, Refs, Repo, TestEnvironment, run},
    fake::{Agents, Do},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

/// How one ends that is killed.
const KILLED: i32 = 128 + 9;

/// What says in these tests that the code is in order: nothing in it is broken.
const CHECK: &str = "if grep -rn BROKEN src; then exit 1; fi\n";

/// A machine with stand-ins and a repository, whose configuration is approved with these workflows.
fn place<'e>(env: &'e TestEnvironment, workflows: &[(&str, &str)]) -> (Agents, Repo<'e>) {
    let files = [
        (".aio/config.toml", "[verify]\ntest = \"sh check.sh\"\n"),
        ("check.sh", CHECK),
        ("README.md", "# demo\n"),
        ("src/auth/login.rs", "fn login() {}\n"),
        ("src/main.rs", "fn main() {}\n"),
    ];
    let workflows: Vec<(String, &str)> =
        workflows.iter().map(|(name, text)| (format!(".aio/workflows/{name}.toml"), *text)).collect();
    let workflows: Vec<(&str, &str)> = workflows.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let repo = env.repo_with("demo", Refs::Files, "sha1", &[&files[..], &workflows].concat());
    repo.ok(&["trust", "--yes", "--quiet"]);
    (Agents::in_(env), repo)
}

/// A run, with its answer in JSON and its exit code.
fn told(repo: &Repo<'_>, args: &[&str]) -> (Value, i32) {
    answer(&repo.aio(&[&["run"], args, &["--json"]].concat()))
}

fn answer(ended: &Ended) -> (Value, i32) {
    let answer = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    (answer, ended.code)
}

/// How a run stands.
fn status(told: &Value) -> &str {
    told["run"]["status"].as_str().unwrap_or_else(|| panic!("{told:#}"))
}

/// The steps of a run and how they stand.
fn steps(told: &Value) -> BTreeMap<String, String> {
    let steps = told["run"]["steps"].as_array().unwrap_or_else(|| panic!("{told:#}"));
    let word = |step: &Value, key: &str| step[key].as_str().unwrap_or_else(|| panic!("{step:#}")).to_owned();
    steps.iter().map(|step| (word(step, "id"), word(step, "status"))).collect()
}

/// What happened, a line of JSON each, but for the answer at the end; and that.
fn events(ended: &Ended) -> (Vec<Value>, Value) {
    let mut lines: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let last = lines.pop().unwrap_or_else(|| panic!("{ended:?}"));
    (lines, last)
}

/// The lines of a file, or none where there is no such file.
fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Nobody holds anything, no worker is left, and no work tree beside that of everybody.
fn assert_free(repo: &Repo<'_>) {
    let (status, _) = answer(&repo.aio(&["status", "--json"]));
    let count = |key: &str| status[key].as_array().unwrap_or_else(|| panic!("{status:#}")).len();
    assert_eq!((count("claims"), count("instances")), (0, 0), "{status:#}");
    assert_eq!(repo.git(&["worktree", "list"]).lines().count(), 1);
}

/// A run of `flow` that goes on by itself.
fn start(repo: &Repo<'_>, args: &[&str]) -> Child {
    let mut command = repo.command(&[&["run"], args].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Kills the driver of `flow`, which asks claude alone, after so many writes of its run, and goes on. How the run is shown in
/// the end, and how often was asked before it was killed; `Err` where there is no run to be shown, with whether it was killed.
fn killed_and_resumed(repo: &Repo<'_>, agents: &Agents, write: usize, result: &str) -> Result<(Value, usize), bool> {
    let ended = run(repo.command(&["run", "flow"]).env("AIO_TEST_KILL_AT", format!("run-after-{write}")));
    if ended.code != KILLED {
        assert_eq!((ended.code, ended.stdout), (0, format!("{result}\n")), "{}", ended.stderr);
        return Err(false);
    }
    let asked = agents.calls("claude").len();
    if repo.ok(&["run", "list"]) == "no runs\n" {
        assert_eq!(asked, 0);
        return Err(true);
    }
    let first = repo.aio(&["run", "resume", "--json"]);
    if first.code == 2 {
        assert!(first.stdout.contains("has ended: complete"), "{write}: {first:?}");
    } else {
        let (told, code) = answer(&first);
        assert_eq!((code, status(&told), &told["result"]), (0, "complete", &result.into()), "{write}: {told:#}");
    }
    Ok((answer(&repo.aio(&["run", "show", "--json"])).0, asked))
}

/// Tries this with every `step`th write from the `first` on, on two threads, till there are not so many; on each at least so
/// often.
fn at_every_write(first: usize, step: usize, least: usize, killed: fn(usize) -> bool) {
    thread::scope(|scope| {
        for lane in 0..2 {
            scope.spawn(move || {
                let kills = (0..).map(|n| first + (2 * n + lane) * step).take_while(|write| killed(*write)).count();
                assert!(kills >= least, "{kills}");
            });
        }
    });
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
