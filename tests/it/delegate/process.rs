//! What an agent starts, and how many are started at once.

use super::*;

#[test]
fn what_an_agent_leaves_behind_is_ended_and_nothing_else() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    // Of the same names, and of the same user.
    let mut bystander = env.command("sleep", &repo.dir).arg("600").spawn().unwrap();
    let mut shell = env.command("setsid", &repo.dir).args(["sh", "-c", "while :; do sleep 0.1; done"]).spawn().unwrap();
    let left = "sleep 600 & echo $! >\"$HOME/group\"; setsid sh -c 'echo $$ >\"$HOME/session\"; trap \"\" TERM; while :; do sleep 0.1; done' &";
    agents.plays(
        "claude",
        &[Do::Run(left), Do::Run("until [ -s \"$HOME/session\" ]; do sleep 0.02; done"), Do::Say("Done.")],
    );
    let ended = delegate(&repo, &["--agent", "claude"]);
    assert_eq!((ended.code, &ended.stdout[..]), (0, "Done.\n"), "{ended:?}");
    assert!(ended.stderr.contains("processes that it had left behind were ended"), "{}", ended.stderr);
    for name in ["group", "session"] {
        let pid = fs::read_to_string(env.path().join("home").join(name)).unwrap();
        assert!(!is_alive(&pid), "{name}");
    }
    for other in [&mut bystander, &mut shell] {
        assert!(other.try_wait().unwrap().is_none(), "it had nothing to do with it");
        other.kill().unwrap();
        other.wait().unwrap();
    }
}

#[test]
fn one_that_does_not_end_when_asked_is_killed() {
    let killed = |name: &str| {
        let env = TestEnvironment::new();
        let (agents, repo) = checked(&env);
        agents.plays(name, &[Do::IgnoreSignals, Do::Edit("src/auth/login.rs", "half\n"), Do::Stall]);
        let before = snapshot(&repo).files;
        let args = ["--agent", name, "--scope", "src/auth/", "--retry", "0", "--timeout", "1s"];
        let (told, code) = told(&repo, &args);
        assert_eq!((code, tries(&told)), (1, vec![format!("{name} timed_out")]), "{told:#}");
        assert!(!is_alive(&agents.calls(name)[0].pid.to_string()));
        assert_eq!(snapshot(&repo).files, before);
        assert_free(&repo);
    };
    // Each is asked to end in its own way, and none of them is asked for long.
    thread::scope(|scope| {
        for name in CLIS {
            scope.spawn(|| killed(name));
        }
    });
}

/// The moments at which the processes were started that have taken note of it, in hundredths of a second: as the system
/// tells them, who knows nothing of how long a process took to come to that.
fn starts(env: &TestEnvironment) -> Vec<u64> {
    let starts = fs::read_to_string(env.path().join("home/starts")).unwrap();
    let mut starts: Vec<u64> = starts.lines().map(|line| line.trim().parse().unwrap()).collect();
    starts.sort_unstable();
    starts
}

#[test]
fn runs_side_by_side_start_their_gemini_at_a_distance() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    let other = env.repo_with("other", Refs::Files, "sha1", &[]);
    agents.plays(
        "gemini",
        &[Do::Run("sed 's/.*) //' /proc/$PPID/stat | cut -d' ' -f20 >>\"$HOME/starts\""), Do::Say("Done.")],
    );
    let ended = thread::scope(|scope| {
        let runs = [&repo, &repo, &other].map(|repo| scope.spawn(|| delegate(repo, &["--agent", "gemini"])));
        runs.map(|run| run.join().unwrap())
    });
    assert!(ended.iter().all(|ended| ended.code == 0), "{ended:?}");
    // Only who has to wait says so.
    assert_eq!(ended.iter().filter(|ended| ended.stderr.contains("queue [")).count(), 2, "{ended:?}");
    let starts = starts(&env);
    assert!(starts.len() == 3 && starts.windows(2).all(|pair| pair[1] - pair[0] >= 100), "{starts:?}");
}

/// A home that is no folder stands for one that can't be written: these tests may run as somebody who can write anywhere.
#[test]
fn where_nothing_can_be_kept_for_all_runs_of_a_user_work_is_done_all_the_same() {
    let env = TestEnvironment::new();
    let config = "[verify]\ntest = \"sh check.sh\"\n[tools.claude]\nstagger = \"1s\"\nmax_parallel = 1\n";
    let (agents, repo) = place(&env, config);
    agents.plays("claude", &[Do::Edit("src/auth/login.rs", "fn login() { 1 }\n"), Do::Say("Done.")]);
    fs::write(env.path().join("file"), "").unwrap();
    let args = ["delegate", "Do it.", "--agent", "claude", "--scope", "src/auth/"];
    for home in [env.path().join("file"), env.path().join("file/below")] {
        let ended = run(repo.command(&args).env("XDG_CACHE_HOME", &home).env("HOME", &home));
        assert_eq!((ended.code, &ended.stdout[..]), (0, "Done.\n"), "{ended:?}");
        assert!(ended.stderr.contains("starts claude without heeding other runs of this user"), "{ended:?}");
    }
    let mut homeless = repo.command(&args);
    homeless.env_remove("HOME").env_remove("XDG_CACHE_HOME").env_remove("XDG_CONFIG_HOME");
    let ended = run(&mut homeless);
    assert_eq!((ended.code, &ended.stdout[..]), (0, "Done.\n"), "{ended:?}");
}

#[test]
fn none_of_many_delegations_at_once_is_lost() {
    let many = if std::env::var_os("AIO_TEST_CAMPAIGN").is_some() { 64 } else { 12 };
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Say("Nothing to do.")]);
    thread::scope(|scope| {
        for number in 0..many {
            let repo = &repo;
            scope.spawn(move || {
                let scope = format!("src/part{number}/");
                let ended = repo.aio(&["delegate", "Do nothing.", "--agent", "claude", "--scope", &scope]);
                assert_eq!((ended.code, &ended.stdout[..]), (0, "Nothing to do.\n"), "{number}: {ended:?}");
            });
        }
    });
    assert_eq!(agents.calls("claude").len(), many);
    let (list, _) = answer(&repo.aio(&["run", "list", "--json"]));
    let runs = list["runs"].as_array().unwrap();
    assert!(runs.len() == many && runs.iter().all(|run| run["status"] == "complete"), "{list:#}");
    assert_free(&repo);
}

#[test]
fn many_that_read_run_at_once_too() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("codex", &[Do::Run("sleep 0.2"), Do::Say("Read.")]);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| assert_eq!(delegate(&repo, &["--agent", "codex"]).stdout, "Read.\n"));
        }
    });
    assert_eq!(agents.calls("codex").len(), 6);
}
