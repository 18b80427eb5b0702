//! Ctrl-C, and going on after it.

use super::*;
use std::process::{Child, Stdio};

fn start(repo: &Repo<'_>, args: &[&str]) -> Child {
    let mut command =
        repo.command(&[&["delegate", "Fix the login.", "--agent", "claude", "--scope", "src/auth/"], args].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn interrupt(child: &Child) {
    let pid = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}

fn end(child: Child) -> Ended {
    crate::env::ended(&child.wait_with_output().unwrap())
}

#[test]
fn an_interrupt_ends_the_agent_puts_the_scope_back_and_can_be_resumed_from() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Edit("src/auth/login.rs", "half\n"), Do::Edit("src/auth/new.rs", "x\n"), Do::Stall]);
    agents.plays("claude", &[Do::Edit("src/auth/login.rs", "whole\n"), Do::Say("Done.")]);
    repo.git(&["status", "--short"]);
    let before = snapshot(&repo);
    let child = start(&repo, &[]);
    wait_for("the edit", || exists(&repo.dir, "src/auth/new.rs"));
    interrupt(&child);
    let ended = end(child);
    assert!(ended.code == 130 && ended.stderr.contains("interrupted: `git aio run resume delegation-"), "{ended:?}");
    assert!(!is_alive(&agents.calls("claude")[0].pid.to_string()));
    assert_eq!(snapshot(&repo), before);
    assert_free(&repo);
    assert!(repo.ok(&["run", "list"]).starts_with("interrupted "));
    assert!(repo.ok(&["run", "diff"]).contains("+half"));
    let (told, code) = answer(&repo.aio(&["run", "resume", "--json"]));
    assert_eq!((code, tries(&told)), (0, vec!["claude lost".to_owned(), "claude ok".to_owned()]), "{told:#}");
    assert_eq!((&told["verdict"], &told["result"]), (&"passed".into(), &"Done.".into()));
    assert_eq!(fs::read_to_string(repo.dir.join("src/auth/login.rs")).unwrap(), "whole\n");
    let again = repo.aio(&["run", "resume"]);
    assert!(again.code == 2 && again.stderr.contains("has ended: complete"), "{again:?}");
    assert_eq!(agents.calls("claude").len(), 2);
    assert_free(&repo);
}

#[test]
fn an_interrupt_while_it_is_checked_stops_it_too() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Edit("src/auth/login.rs", "x\n"), Do::Say("Done.")]);
    repo.git(&["status", "--short"]);
    let before = snapshot(&repo);
    let child = start(&repo, &["--verify", "touch \"$HOME/checks\"; sleep 600"]);
    wait_for("the check", || exists(&env.path(), "home/checks"));
    interrupt(&child);
    assert_eq!(end(child).code, 130);
    assert_eq!(snapshot(&repo), before);
    assert_free(&repo);
}

#[test]
fn an_interrupt_while_it_waits_for_a_scope_or_its_turn_stops_it() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Say("Done.")]);
    let other = repo.register("codex");
    repo.ok_as(&other, &["claim", "src/auth/login.rs"]);
    let child = start(&repo, &["--wait"]);
    wait_for("it waits", || repo.ok(&["run", "list"]).contains("running"));
    thread::sleep(Duration::from_millis(300));
    interrupt(&child);
    assert_eq!(end(child).code, 130);
    repo.ok_as(&other, &["release", "all"]);
    let (told, code) = answer(&repo.aio(&["run", "resume", "--json"]));
    assert_eq!((code, tries(&told)), (0, vec!["claude ok".to_owned()]), "{told:#}");
}

#[test]
fn a_run_that_is_driven_is_not_driven_twice() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::WaitFor("../go"), Do::Say("Done.")]);
    let child = start(&repo, &[]);
    wait_for("claude", || !agents.calls("claude").is_empty());
    let second = repo.aio(&["run", "resume"]);
    assert!(
        second.code == 75 && second.stderr.contains(&format!("is being driven by the process {}", child.id())),
        "{second:?}"
    );
    fs::write(env.path().join("go"), "").unwrap();
    let ended = end(child);
    assert_eq!((ended.code, &ended.stdout[..]), (0, "Done.\n"), "{ended:?}");
    assert_eq!(agents.calls("claude").len(), 1);
}
