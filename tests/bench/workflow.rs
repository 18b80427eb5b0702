//! Runs: what a delegation and a step of a workflow cost beside what they do, many steps at once, and a plan.

use crate::{
    machine::{Machine, Repo},
    measure::{Pairs, Report, Subject, in_pairs, timed},
};
use std::{
    fmt::Write as _,
    fs,
    process::{Command, Stdio},
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

/// Steps of the workflow whose overhead is told for one step.
const COMMANDS: usize = 50;
const AGENTS: usize = 10;

/// Files of the repository in which steps have a scope.
const FILES: usize = 3000;

/// Delegations at once.
const AT_THE_SAME_TIME: usize = 64;

/// Items that are slept for, and how many at once.
const ITEMS: usize = 1000;
const AT_ONCE: &str = "8";

/// Steps of the workflow that is planned.
const PLANNED: usize = 1000;

/// What an agent that does nothing says, in the words of Claude Code and of Gemini CLI.
const SAYS: &str = r#"{"type":"result","subtype":"success","is_error":false,"result":"done","session_id":"1"}"#;
const GEMINI_SAYS: &str = r#"{"type":"message","role":"assistant","content":"done","delta":true}
{"type":"result","status":"success","stats":{}}"#;

pub fn run(report: &mut Report) {
    let machine = Machine::new();
    delegations(report, &machine);
    each_step(report, &machine);
    each_step_with_a_scope(report, &machine);
    plan(report, &machine);
    map(report, &machine);
    staggered(report, &machine);
    many_delegations(report, &machine);
}

/// Writes a workflow of the user's own, which needs nobody's approval.
fn write(repo: &Repo, name: &str, text: &str) {
    let folder = repo.home.join(".config/git-aio/workflows");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{name}.toml")), format!("about = \"For a bench.\"\n{text}")).unwrap();
}

/// The run of a workflow.
fn of(repo: &Repo, name: &str) -> Command {
    repo.aio_command(None, &["run", name, "--quiet"])
}

/// Puts a program called `name` where agents are looked for.
fn agent(repo: &Repo, name: &str, script: &str) {
    let path = repo.home.join(".local/bin").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    make_runnable(&path);
}

#[cfg(unix)]
fn make_runnable(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(not(unix))]
fn make_runnable(_: &std::path::Path) {}

/// With the programs of [`agent`] before all others.
fn with_agents(repo: &Repo, mut command: Command) -> Command {
    let ours = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path).unwrap().to_owned();
    let path = format!("{}:{}", repo.home.join(".local/bin").display(), ours.to_string_lossy());
    command.env("PATH", path);
    command
}

/// A repository of many files, and an agent that does nothing in it.
fn repo_of_files(machine: &Machine, name: &str) -> Repo {
    let repo = machine.repo(name);
    for nth in 0..FILES {
        repo.write(&format!("src/part-{}/file-{nth}.rs", nth % 50), &format!("fn f{nth}() {{}}\n"));
    }
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-q", "-m", "files"]);
    repo.age();
    agent(&repo, "claude", &format!("echo '{SAYS}'"));
    repo
}

fn delegations(report: &mut Report, machine: &Machine) {
    let repo = repo_of_files(machine, "delegations");
    let scoped = &["--scope", "src/part-1/", "--verify", "true"][..];
    for (name, more, most) in [("without a scope", &[][..], 15.0), ("with one, 3,000 files", scoped, 80.0)] {
        let args = [&["delegate", "Do it.", "--agent", "claude", "--quiet"], more].concat();
        let delegation = || with_agents(&repo, repo.aio_command(None, &args));
        let pairs = in_pairs(
            report.pairs(31),
            &mut Subject { name: "delegate", make: &mut |_| delegation(), after: &mut |_| {} },
            &mut Subject { name: "sh", make: &mut |_| with_agents(&repo, shell(&repo, "claude")), after: &mut |_| {} },
        );
        report.difference(&format!("a delegation {name} / its agent, which does nothing"), &pairs, Some(most));
    }
}

/// All at once, each with a file of its own. It comes last: on ext4 without a journal whoever makes a file within a minute of
/// so many that were removed looks at each of those first.
fn many_delegations(report: &mut Report, machine: &Machine) {
    let repo = &repo_of_files(machine, "many");
    let start = Barrier::new(AT_THE_SAME_TIME);
    let delegate = |nth: usize| {
        let scope = format!("src/part-{}/file-{nth}.rs", nth % 50);
        let args = ["delegate", "Do it.", "--agent", "claude", "--quiet", "--verify", "true", "--scope", &scope];
        let mut command = with_agents(repo, repo.aio_command(None, &args));
        start.wait();
        watched(&mut command)
    };
    let complete = || repo.aio(None, &["run", "list"]).matches("complete").count();
    let before = complete();
    let (times, peaks): (Vec<_>, Vec<_>) = thread::scope(|scope| {
        let started: Vec<_> = (0..AT_THE_SAME_TIME).map(|nth| scope.spawn(move || delegate(nth))).collect();
        started.into_iter().map(|one| one.join().unwrap()).unzip()
    });
    report.slowest("64 delegations with a scope at once", &times, None);
    report.fact("none of them was lost", complete() == before + AT_THE_SAME_TIME);
    peak(report, peaks, 64.0);
}

/// The most memory that one of some processes needed.
fn peak(report: &mut Report, peaks: Vec<Option<f64>>, most: f64) {
    match peaks.into_iter().flatten().reduce(f64::max) {
        Some(peak) => report.fact(&format!("{peak:.0} MiB of memory at most, of {most}"), peak <= most),
        None => report.note("how much memory it needs is told by Linux alone"),
    }
}

fn each_step(report: &mut Report, machine: &Machine) {
    let repo = machine.repo("steps");
    let step = |nth: usize| format!("[[step]]\nid = \"s{nth}\"\nrun = \"echo done\"\n");
    write(&repo, "steps", &(0..COMMANDS).map(step).collect::<String>());
    let line = ["sh -c 'echo done'"; COMMANDS].join("\n");
    let pairs = in_pairs(
        report.pairs(15),
        &mut Subject { name: "steps", make: &mut |_| of(&repo, "steps"), after: &mut |_| {} },
        &mut Subject { name: "sh", make: &mut |_| shell(&repo, &line), after: &mut |_| {} },
    );
    report.difference("a step that runs a command / that command", &pairs.of_each(COMMANDS), Some(12.0));
}

fn each_step_with_a_scope(report: &mut Report, machine: &Machine) {
    let repo = repo_of_files(machine, "scopes");
    let step = |nth: usize| {
        let scope = format!("scope = [\"src/part-{nth}/\"]\nverify = []\n");
        format!("[[step]]\nid = \"s{nth}\"\nagent = \"claude\"\nprompt = \"Do it.\"\n{scope}")
    };
    write(&repo, "scopes", &(0..AGENTS).map(step).collect::<String>());
    let line = ["claude"; AGENTS].join("\n");
    let pairs = in_pairs(
        report.pairs(15),
        &mut Subject { name: "steps", make: &mut |_| with_agents(&repo, of(&repo, "scopes")), after: &mut |_| {} },
        &mut Subject { name: "sh", make: &mut |_| with_agents(&repo, shell(&repo, &line)), after: &mut |_| {} },
    );
    let name = "a step of an agent that does nothing, with a scope, 3,000 files / that agent";
    report.difference(name, &pairs.of_each(AGENTS), Some(80.0));
}

fn shell(repo: &Repo, line: &str) -> Command {
    let mut command = repo.command("sh");
    command.args(["-c", line]);
    command
}

fn plan(report: &mut Report, machine: &Machine) {
    let repo = machine.repo("plan");
    let mut text = String::new();
    for nth in 0..PLANNED {
        let _ = writeln!(text, "[[step]]\nid = \"s{nth}\"\nrun = \"echo {{{{ inputs.word }}}}\"");
        if nth % 2 == 1 {
            let _ = writeln!(text, "if = \"steps.s{}.ok\"\nneeds = [\"s{}\"]", nth - 1, nth / 2);
        }
    }
    write(&repo, "plan", &format!("inputs = {{ word = \"a\" }}\n{text}"));
    let (checks, plans): (Vec<_>, Vec<_>) = (0..report.pairs(15))
        .map(|_| {
            let check = timed("check", &mut repo.aio_command(None, &["workflow", "check", "plan"]));
            (check, timed("plan", &mut repo.aio_command(None, &["run", "plan", "--dry-run"])))
        })
        .unzip();
    report.median("a workflow of 1,000 steps is checked", &checks, Some(100.0));
    report.median("its plan is made and printed", &plans, Some(100.0));
}

fn map(report: &mut Report, machine: &Machine) {
    let repo = machine.repo("map");
    let step = "[[step]]\nid = \"each\"\nfor_each = \"range(1000)\"\nrun = \"sleep 0.1\"\nmax_parallel = 8\n";
    write(&repo, "map", &format!("[limits]\nmax_steps = 2000\n{step}"));
    let ours = || repo.aio_command(None, &["run", "map", "--quiet", "--max-parallel", AT_ONCE]);
    let xargs = format!("seq {ITEMS} | xargs -P{AT_ONCE} -I{{}} sleep 0.1");
    let mut peaks = Vec::new();
    let mut pairs = Pairs::default();
    // Each takes a quarter of a minute.
    for turn in 0..report.pairs(3).min(5) {
        let theirs = |pairs: &mut Pairs| pairs.theirs(timed("xargs", &mut shell(&repo, &xargs)));
        if turn % 2 == 1 {
            theirs(&mut pairs);
        }
        let (time, peak) = watched(&mut ours());
        pairs.ours(time);
        peaks.push(peak);
        if turn % 2 == 0 {
            theirs(&mut pairs);
        }
    }
    report.ratio("1,000 items of `sleep 0.1`, 8 at once / xargs -P8", &pairs, Some(1.25));
    peak(report, peaks, 100.0);
}

fn staggered(report: &mut Report, machine: &Machine) {
    let repo = machine.repo("stagger");
    agent(&repo, "gemini", &format!("sleep 10\ncat <<'END'\n{GEMINI_SAYS}\nEND"));
    let step = |nth: usize| format!("[[step]]\nid = \"s{nth}\"\nneeds = []\nagent = \"gemini\"\nprompt = \"Do it.\"\n");
    write(&repo, "stagger", &(0..6).map(step).collect::<String>());
    let time = timed("six agents", &mut with_agents(&repo, of(&repo, "stagger")));
    report.slowest("six agents of ten seconds, one second apart", &[time], Some(16500.0));
}

/// How long a process took, and how much memory it had at most, in MiB.
fn watched(command: &mut Command) -> (Duration, Option<f64>) {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let path = format!("/proc/{}/status", child.id());
    let mut peak = None;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{command:?} ended with {status}");
            return (began.elapsed(), peak);
        }
        let status = fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: Option<f64> = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        peak = kib.map(|kib| kib / 1024.0).or(peak);
        thread::sleep(Duration::from_millis(20));
    }
}
