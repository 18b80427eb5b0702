//! What is left when the driver is killed, at every state it can be in, and what going on makes of it.

use super::*;
use std::process::Stdio;

const KILLED: i32 = 128 + 9;

/// A delegation that is killed at every write of its run, in one of these ways each time.
struct Story {
    args: &'static [&'static str],
    /// What its agent does, each time it is asked.
    plays: &'static [&'static [Do<'static>]],
    /// What it comes to where nobody is killed, and what it must come to in any case.
    exit: i32,
    login: &'static str,
    commits: &'static str,
}

const DONE: &[Do<'_>] =
    &[Do::Edit("src/auth/login.rs", "done\n"), Do::Edit("src/auth/new.rs", "new\n"), Do::Say("Done.")];
const BROKEN: &[Do<'_>] =
    &[Do::Edit("src/auth/login.rs", "BROKEN\n"), Do::Edit("src/auth/odd.rs", "x\n"), Do::Say("Done.")];

impl Story {
    /// Kills the driver at `step`, and goes on; whether there was such a step.
    fn told_with_a_kill(&self, step: &str) -> bool {
        let env = TestEnvironment::new();
        let (agents, repo) = checked(&env);
        repo.write("README.md", "# changed\n");
        repo.write("src/auth/mine.rs", "untracked\r\n");
        repo.git(&["add", "README.md"]);
        repo.git(&["status", "--short"]);
        let before = snapshot(&repo);
        self.plays.iter().for_each(|acts| agents.plays("claude", acts));
        let args = [
            &["delegate", "Fix the login.", "--agent", "claude", "--scope", "src/auth/", "--timeout", "60s"],
            self.args,
        ]
        .concat();
        let ended = run(repo.command(&args).env("AIO_TEST_KILL_AT", step));
        if ended.code != KILLED {
            assert_eq!(ended.code, self.exit, "{step}: {ended:?}");
            return false;
        }
        let runs = repo.ok(&["run", "list"]);
        if runs == "no runs\n" {
            assert_eq!((snapshot(&repo), agents.calls("claude").len()), (before, 0), "{step}");
            return true;
        }
        let asked = agents.calls("claude").len();
        let resumed = repo.aio(&["run", "resume"]);
        if resumed.code == 2 {
            // All but the word of it was done.
            assert!(resumed.stderr.contains("has ended: "), "{step}: {resumed:?}");
        } else {
            assert_eq!(resumed.code, self.exit, "{step}: {resumed:?}");
        }
        let calls = agents.calls("claude");
        assert!(
            !step.starts_with("put-back") || !self.args.contains(&"--isolate") || calls.len() == asked,
            "{step}: {calls:?}"
        );
        assert!(calls.len() <= asked.max(1) + self.plays.len(), "{step}: asked {} times", calls.len());
        assert!(calls.iter().all(|call| !is_alive(&call.pid.to_string())), "{step}");
        let read = |name: &str| fs::read_to_string(repo.dir.join(name)).unwrap_or_default();
        assert_eq!(read("src/auth/login.rs"), self.login, "{step}: {resumed:?}");
        assert_eq!((&read("src/auth/mine.rs")[..], &read("README.md")[..]), ("untracked\r\n", "# changed\n"), "{step}");
        assert!(!exists(&repo.dir, "src/auth/odd.rs"), "{step}");
        assert_eq!(repo.git(&["rev-list", "--count", "HEAD"]).trim(), self.commits, "{step}");
        assert_eq!(repo.git(&["diff", "--cached", "--name-only"]), "README.md\n", "{step}");
        assert_eq!(
            (repo.git(&["worktree", "list"]).lines().count(), repo.git(&["stash", "list"])),
            (1, String::new()),
            "{step}"
        );
        assert_free(&repo);
        let (status, _) = answer(&repo.aio(&["run", "show", "--json"]));
        let expected = if self.login == "done\n" { "complete" } else { "failed" };
        assert_eq!(status["run"]["status"], expected, "{step}: {status:#}");
        true
    }

    /// Kills it before every write and after it.
    fn told_with_every_kill(&self) {
        thread::scope(|scope| {
            for side in ["before", "after"] {
                scope.spawn(move || {
                    let kills =
                        (1..).take_while(|number| self.told_with_a_kill(&format!("run-{side}-{number}"))).count();
                    assert!(kills >= 8, "{kills}");
                });
            }
        });
    }
}

#[test]
fn a_driver_may_be_killed_at_any_state_of_what_goes_well() {
    Story { args: &[], plays: &[DONE], exit: 0, login: "done\n", commits: "1" }.told_with_every_kill();
}

#[test]
fn a_driver_may_be_killed_at_any_state_of_what_is_tried_twice_and_committed() {
    // After it is gone nobody knows how often it had tried, so the next attempt may be the first again.
    let plays: &[&[Do<'_>]] = &[BROKEN, DONE];
    Story { args: &["--commit"], plays, exit: 0, login: "done\n", commits: "2" }.told_with_every_kill();
}

#[test]
fn a_driver_may_be_killed_at_any_state_of_what_comes_to_nothing() {
    Story { args: &["--retry", "0"], plays: &[BROKEN], exit: 4, login: "fn login() {}\n", commits: "1" }
        .told_with_every_kill();
}

#[test]
fn a_driver_may_be_killed_at_any_state_of_what_is_done_apart() {
    let story = Story { args: &["--isolate", "--commit"], plays: &[DONE], exit: 0, login: "done\n", commits: "2" };
    story.told_with_every_kill();
    assert!(story.told_with_a_kill("put-back-1") && story.told_with_a_kill("put-back-2"));
}

#[test]
fn what_had_come_back_in_part_goes_again_where_the_rest_can_not_come() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", DONE);
    agents.plays("claude", &[Do::Run("ls src/auth >../seen 2>&1; ls src/auth >\"$HOME/seen\""), Do::Say("Looked.")]);
    let args = ["delegate", "Fix it.", "--agent", "claude", "--scope", "src/auth/", "--isolate"];
    let killed = run(repo.command(&args).env("AIO_TEST_KILL_AT", "put-back-1"));
    assert_eq!(killed.code, KILLED, "{killed:?}");
    let read = |name: &str| fs::read_to_string(repo.dir.join("src/auth").join(name)).unwrap_or_default();
    assert_eq!((&read("login.rs")[..], &read("new.rs")[..]), ("done\n", ""));
    repo.write("src/auth/new.rs", "theirs\n");
    let (told, code) = answer(&repo.aio(&["run", "resume", "--json"]));
    assert_eq!((code, tries(&told)), (0, vec!["claude conflict".to_owned(), "claude ok".to_owned()]), "{told:#}");
    assert_eq!((&read("login.rs")[..], &read("new.rs")[..]), ("fn login() {}\n", "theirs\n"));
    assert_free(&repo);
}

#[test]
fn what_was_committed_is_done_whatever_became_of_it_since() {
    let ways: [(&[&str], bool); 3] = [(&["--isolate"], false), (&["--isolate"], true), (&[], false)];
    for (args, is_committed_too) in ways {
        let is_killed_once_committed = (6..).any(|write| {
            let env = TestEnvironment::new();
            let (agents, repo) = checked(&env);
            agents.plays("claude", DONE);
            agents.plays("claude", &[Do::Exit(1)]);
            let fix = ["delegate", "Fix.", "--agent", "claude", "--scope", "src/auth/", "--commit", "--retry", "0"];
            let mut command = repo.command(&[&fix[..], args].concat());
            let killed = run(command.env("AIO_TEST_KILL_AT", format!("run-before-{write}")));
            assert_eq!(killed.code, KILLED, "{write}: {killed:?}");
            if repo.git(&["rev-list", "--count", "HEAD"]).trim() == "1" {
                return false;
            }
            repo.write("src/auth/login.rs", "mine\n");
            if is_committed_too {
                repo.git(&["commit", "-q", "-a", "-m", "Mine"]);
            }
            let resumed = repo.aio(&["run", "resume"]);
            let read = |name: &str| fs::read_to_string(repo.dir.join("src/auth").join(name)).unwrap_or_default();
            assert_eq!((&read("login.rs")[..], &read("new.rs")[..]), ("mine\n", "new\n"), "{resumed:?}");
            assert_eq!((resumed.code, agents.calls("claude").len()), (0, 1), "{args:?}: {resumed:?}");
            let (shown, _) = answer(&repo.aio(&["run", "show", "--json"]));
            assert_eq!((tries(&shown), &shown["run"]["status"]), (vec!["claude ok".to_owned()], &"complete".into()));
            assert_free(&repo);
            true
        });
        assert!(is_killed_once_committed);
    }
}

#[test]
fn an_agent_whose_driver_is_killed_is_ended_with_all_it_has_started() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    let left = "setsid sh -c 'echo $$ >\"$HOME/session\"; trap \"\" TERM; while :; do sleep 0.1; done' &";
    agents.plays(
        "claude",
        &[Do::Run(left), Do::Edit("src/auth/login.rs", "half\n"), Do::Edit("src/auth/new.rs", "x\n"), Do::Stall],
    );
    agents.plays("claude", &[Do::Run("cp src/auth/login.rs src/auth/seen.rs"), Do::Say("Done.")]);
    let args = ["delegate", "Fix it.", "--agent", "claude", "--scope", "src/auth/"];
    let mut child = repo.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("the edit", || exists(&repo.dir, "src/auth/new.rs") && exists(&env.path(), "home/session"));
    child.kill().unwrap();
    child.wait().unwrap();
    let session = fs::read_to_string(env.path().join("home/session")).unwrap();
    let agent = agents.calls("claude")[0].pid.to_string();
    assert!(is_alive(&session) && is_alive(&agent), "they go on by themselves");
    assert!(repo.ok(&["run", "list"]).starts_with("lost "));
    let (told, code) = answer(&repo.aio(&["run", "resume", "--json"]));
    assert_eq!((code, tries(&told)), (0, vec!["claude lost".to_owned(), "claude ok".to_owned()]), "{told:#}");
    assert!(!is_alive(&session) && !is_alive(&agent));
    // It began with the scope as it was before the first.
    assert_eq!(fs::read_to_string(repo.dir.join("src/auth/seen.rs")).unwrap(), "fn login() {}\n");
    assert!(!exists(&repo.dir, "src/auth/new.rs"));
    for newest in ["/task@1", "task@1"] {
        assert!(repo.ok(&["run", "diff", newest]).contains("+half"));
    }
    assert_free(&repo);
}

#[test]
fn going_on_in_a_copy_of_a_repository_ends_nothing_of_the_other() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Edit("src/auth/new.rs", "x\n"), Do::Stall]);
    agents.plays("claude", &[Do::Say("Done.")]);
    let args = ["delegate", "Fix it.", "--agent", "claude", "--scope", "src/auth/"];
    let mut child = repo.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("the edit", || exists(&repo.dir, "src/auth/new.rs"));
    child.kill().unwrap();
    child.wait().unwrap();
    let agent = agents.calls("claude")[0].pid.to_string();
    let copied = env.command("cp", &repo.dir).args(["-a", ".", "../copy"]).status().unwrap();
    assert!(copied.success());
    // Of the same name in all: its runs are those of the other.
    let copy = Repo { dir: repo.dir.with_file_name("copy"), ..repo };
    assert_eq!(copy.aio(&["run", "resume"]).code, 0);
    assert!(is_alive(&agent), "it is the other's");
    assert_eq!(repo.aio(&["run", "resume"]).code, 0);
    assert!(!is_alive(&agent));
}

#[test]
fn a_check_whose_driver_is_killed_is_ended_too() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", DONE);
    let check = "echo $$ >>\"$HOME/checks\"; test $(wc -l <\"$HOME/checks\") -gt 1 || sleep 600";
    let args = ["delegate", "Fix it.", "--agent", "claude", "--scope", "src/auth/", "--verify", check];
    let mut child = repo.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let checks = || fs::read_to_string(env.path().join("home/checks")).unwrap_or_default();
    wait_for("the check", || checks().ends_with('\n'));
    child.kill().unwrap();
    child.wait().unwrap();
    let first = checks();
    assert!(is_alive(&first));
    let (told, code) = answer(&repo.aio(&["run", "resume", "--json"]));
    assert_eq!((code, &told["verdict"]), (0, &"passed".into()), "{told:#}");
    assert!(!is_alive(&first));
}

#[test]
fn what_somebody_else_has_claimed_since_is_not_put_back() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays(
        "claude",
        &[Do::Edit("src/auth/login.rs", "half\n"), Do::Edit("src/auth/token.rs", "half\n"), Do::Say("Half.")],
    );
    let args = ["delegate", "Fix it.", "--agent", "claude", "--scope", "src/auth/"];
    // The agent has answered, and that is all.
    assert_eq!(run(repo.command(&args).env("AIO_TEST_KILL_AT", "run-after-6")).code, KILLED);
    let other = repo.register("codex");
    repo.ok_as(&other, &["claim", "src/auth/login.rs"]);
    repo.write("src/auth/login.rs", "theirs\n");
    let resumed = repo.aio(&["run", "resume"]);
    assert!(resumed.code == 3 && resumed.stderr.contains(&other), "{resumed:?}");
    let read = |name: &str| fs::read_to_string(repo.dir.join("src/auth").join(name)).unwrap();
    assert_eq!((&read("login.rs")[..], &read("token.rs")[..]), ("theirs\n", "fn token() {}\n"));
}

/// A delegation whose driver is killed when its agent has begun to write, which goes on with that till it may stop.
fn abandoned<'e>(env: &'e TestEnvironment) -> (Agents, Repo<'e>) {
    let (agents, repo) = checked(env);
    let works = "while ! test -e ../go; do sleep 0.05; done; echo late >src/auth/login.rs";
    agents.plays("claude", &[Do::Edit("src/auth/new.rs", "x\n"), Do::Run(works), Do::Say("Done.")]);
    let args = ["delegate", "Fix it.", "--agent", "claude", "--scope", "src/auth/", "--timeout", "60s"];
    let mut child = repo.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("the edit", || exists(&repo.dir, "src/auth/new.rs"));
    child.kill().unwrap();
    child.wait().unwrap();
    (agents, repo)
}

#[test]
fn an_agent_whose_driver_is_killed_holds_its_scope_as_long_as_it_works() {
    let env = TestEnvironment::new();
    let (agents, repo) = abandoned(&env);
    let other = repo.register("codex");
    let refused = repo.aio_as(&other, &["claim", "src/auth/login.rs"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    let run = repo.json_as(&other, &["run", "show"])["run"]["id"].as_str().unwrap().to_owned();
    for way in [format!("git aio run resume {run}"), format!("git aio run cancel {run}")] {
        assert!(refused.stderr.contains(&way), "{refused:?}");
    }
    assert_eq!(repo.aio_as(&other, &["cleanup"]).code, 0);
    assert_eq!(repo.aio_as(&other, &["claim", "src/auth/login.rs"]).code, 3);
    // Once it has ended by itself nobody is there any more.
    fs::write(env.path().join("go"), "").unwrap();
    let agent = agents.calls("claude")[0].pid.to_string();
    wait_for("its end", || !is_alive(&agent));
    repo.ok_as(&other, &["claim", "src/auth/login.rs"]);
}

#[test]
fn a_delegation_that_is_cancelled_after_its_driver_was_killed_ends_its_agent_and_tells_what_it_left() {
    let env = TestEnvironment::new();
    let (agents, repo) = abandoned(&env);
    let agent = agents.calls("claude")[0].pid.to_string();
    assert!(is_alive(&agent));
    let cancelled = repo.aio(&["run", "cancel"]);
    assert!(!is_alive(&agent));
    let told = "changed since task began, and left as it is: src/auth/new.rs";
    assert!(cancelled.code == 0 && cancelled.stderr.contains(told), "{cancelled:?}");
    assert!(exists(&repo.dir, "src/auth/new.rs"));
    assert_free(&repo);
}
