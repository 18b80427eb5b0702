//! The demo shows the main job, and can fail.

use crate::env::{Ended, PROGRAM, TestEnvironment, run};
use std::{fs, time::Instant};

/// Runs the demo in a folder that is no repository, with a folder for temporary files of its own.
fn demo(env: &TestEnvironment, args: &[&str], vars: &[(&str, &str)]) -> Ended {
    let (dir, temporary) = (env.path().join("elsewhere"), env.path().join("tmp"));
    fs::create_dir_all(&dir).unwrap();
    fs::create_dir_all(&temporary).unwrap();
    let mut command = env.command(PROGRAM, &dir);
    run(command.arg("demo").args(args).env("TMPDIR", temporary).envs(vars.iter().copied()))
}

fn leftovers(env: &TestEnvironment) -> usize {
    let count = |folder: &str| fs::read_dir(env.path().join(folder)).unwrap().count();
    count("tmp") + count("elsewhere") + count("home")
}

#[test]
fn it_shows_the_main_job_and_leaves_nothing_behind() {
    let env = TestEnvironment::new();
    let ended = demo(&env, &[], &[]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{}", ended.stdout);
    let typed = ended.stdout.lines().filter(|line| line.contains("$ ")).count();
    assert!(typed > 30, "{}", ended.stdout);
    for told in [
        "already claimed: src/auth/login.ts",
        "commit refused",
        "accepted handoff-",
        "taken over from gemini-",
        "checked by @test: passed",
    ] {
        assert!(ended.stdout.contains(told), "{told}: {}", ended.stdout);
    }
    assert_eq!(ended.stdout.lines().filter(|line| line.starts_with("kept ")).count(), 10, "{}", ended.stdout);
    assert_eq!(leftovers(&env), 0);
}

#[test]
fn it_takes_seconds() {
    let env = TestEnvironment::new();
    let seconds = || {
        let started = Instant::now();
        assert_eq!(demo(&env, &["--quiet"], &[]).code, 0);
        started.elapsed().as_secs()
    };
    // Whatever else runs on this machine may well slow one of them down.
    assert!((0..3).any(|_| seconds() < 10));
}

#[test]
fn it_fails_where_the_fence_is_bypassed() {
    let env = TestEnvironment::new();
    let ended = demo(&env, &[], &[("AIO_BYPASS", "1")]);
    assert_eq!(ended.code, 1, "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains("(codex$ git commit -a -m 'Tell of the API')"), "{}", ended.stderr);
    assert!(ended.stderr.contains("expected: HEAD stays; but it went from "), "{}", ended.stderr);
    assert!(ended.stderr.contains("AIO_BYPASS is set"), "{}", ended.stderr);
    assert_eq!(leftovers(&env), 0);
}

#[test]
fn the_users_own_settings_and_session_make_no_difference() {
    let env = TestEnvironment::new();
    let config =
        "[user]\n\tname = Other\n[core]\n\thooksPath = /nowhere\n[commit]\n\tgpgSign = true\n[aio]\n\tguard = off\n";
    fs::write(env.path().join("home/.gitconfig"), config).unwrap();
    let vars = [("CLAUDE_CODE_SESSION_ID", "x"), ("CLAUDECODE", "1"), ("AIO_INSTANCE", "codex-1707084123-a3f2")];
    let ended = demo(&env, &[], &[&vars[..], &[("GIT_DIR", "/nowhere"), ("GIT_CONFIG_COUNT", "x")]].concat());
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn a_kept_repository_is_where_it_is_said_to_be() {
    let env = TestEnvironment::new();
    let ended = demo(&env, &["--keep", "--json"], &[]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    let answer: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&answer["schema"], &answer["ok"]), (&1.into(), &true.into()));
    let steps = answer["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["unmet"].as_array().unwrap().is_empty() && !step["facts"][0].is_null()));
    let kept = answer["kept"].as_str().unwrap();
    let log = run(env.command("git", kept.as_ref()).args(["log", "--format=%s"]));
    assert_eq!(
        log.stdout,
        "Set the limit of logins\nSay how work is checked\nLimit the rate of logins\nTell of the API\nBegin the shop\n"
    );
}
