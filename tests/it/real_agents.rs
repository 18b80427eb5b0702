//! The fences inside the real agent CLIs, as they are installed here, each driven by a model that follows a script.
//!
//! `AIO_TEST_AGENTS=claude,codex,gemini,copilot,opencode cargo test --test it real_agents:: -- --nocapture` runs those that
//! it names; their programs have to be in PATH. Nothing leaves this machine, and no key is needed.

mod clis;
#[cfg(unix)]
mod delegate;
#[cfg(unix)]
mod headless;
#[cfg(unix)]
mod workflow;

use crate::{
    env::{Ended, Refs, Repo, TestEnvironment, run},
    model::{Model, ToolCall},
};
use clis::{Cli, Start};
use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// The agents that are asked for; none by default.
fn chosen() -> Vec<&'static dyn Cli> {
    let names = std::env::var("AIO_TEST_AGENTS").unwrap_or_default();
    let names: Vec<&str> = names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    for name in &names {
        assert!(
            clis::ALL.iter().any(|cli| cli.name() == *name),
            "AIO_TEST_AGENTS names {name}, which is not driven here"
        );
    }
    if names.is_empty() {
        eprintln!("skipped: real agents are run with AIO_TEST_AGENTS=claude,codex,gemini,copilot,opencode");
    }
    clis::ALL.iter().copied().filter(|cli| names.contains(&cli.name())).collect()
}

/// A session that has ended.
struct Session {
    /// The instance that the agent was.
    me: String,
    /// All that its model was told.
    heard: String,
}

/// Where the fence inside an agent is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// In the repository.
    Here,
    /// Among the user's own files.
    User,
}

/// A repository in which an agent is fenced, and `a.txt` held by somebody else.
fn guarded<'e>(env: &'e TestEnvironment, cli: &dyn Cli, scope: Scope) -> (Repo<'e>, String) {
    let repo = env.repo_with("r", Refs::Files, "sha1", &[("a.txt", "one\n"), ("free.txt", "one\n")]);
    match scope {
        Scope::Here => drop(repo.ok(&["init", "--quiet", "--agents", cli.name()])),
        Scope::User => {
            repo.ok(&["init", "--quiet"]);
            repo.ok(&["init", "--quiet", "--user", "--agents", cli.name()]);
            repo.git(&["config", "aio.autoClaim", "true"]);
        }
    }
    let holder = repo.register("aider");
    repo.ok_as(&holder, &["claim", "a.txt", "--why", "port the parser"]);
    (repo, holder)
}

/// The end of what a model was told, which is where a failure shows.
fn end(heard: &str) -> &str {
    &heard[heard.floor_char_boundary(heard.len().saturating_sub(4000))..]
}

/// Runs a session of an agent whose model makes these calls, and all of them.
fn play(cli: &dyn Cli, repo: &Repo<'_>, script: Vec<ToolCall>, start: Start) -> Session {
    let calls = script.len();
    let model = Model::start(script);
    let (name, began) = (cli.name(), Instant::now());
    let Ended { stdout, stderr, code } = run(&mut cli.session(repo, &model, start));
    let heard = model.heard();
    let what = format!("{name} with {}", cli.model());
    assert_eq!((code, model.calls_answered()), (0, calls), "{what}: {stdout}\n{stderr}\n{}", end(&heard));
    let greeting = format!("You are {name}-");
    let at = heard.find(&greeting).unwrap_or_else(|| panic!("{what} was not briefed: {}", end(&heard)));
    let me = heard[at + "You are ".len()..].split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next();
    let me = me.unwrap().to_owned();
    eprintln!("{what}: {me}, {:.1} s", began.elapsed().as_secs_f64());
    Session { me, heard }
}

/// The processes that are left of the sessions, after a while for their end: all that have the HOME of this test.
fn left_behind(repo: &Repo<'_>) -> Vec<String> {
    let home = format!("HOME={}", repo.env.path().join("home").display());
    let has_home = |process: &Path| {
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == home.as_bytes())
    };
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
        let left: Vec<_> = processes.filter(|process| has_home(process)).collect();
        if left.is_empty() || Instant::now() > patience {
            let name =
                |process: &Path| fs::read_to_string(process.join("cmdline")).unwrap_or_default().replace('\0', " ");
            return left.iter().map(|process| name(process)).collect();
        }
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_another_holds_is_refused_and_what_is_free_is_claimed() {
    for (cli, scope) in chosen().into_iter().flat_map(|cli| [(cli, Scope::Here), (cli, Scope::User)]) {
        let env = TestEnvironment::new();
        let (repo, holder) = guarded(&env, cli, scope);
        let mut script = cli.edit(&repo, "a.txt", "one", "two");
        script.extend(cli.edit(&repo, "free.txt", "one", "two"));
        script.push(cli.create(&repo, "new.txt", "new"));
        let Session { me, heard } = play(cli, &repo, script, Start::Anew);

        let text = |path: &str| fs::read_to_string(repo.dir.join(path)).unwrap();
        assert_eq!(
            (text("a.txt"), text("free.txt"), text("new.txt")),
            ("one\n".into(), "two\n".into(), "new\n".into())
        );
        let refusal = heard.find(&format!("git aio: a.txt is held by {holder}")).expect("the reason reaches the model");
        assert!(heard[refusal..].contains("\"port the parser\""), "{}", end(&heard));
        let log = repo.ok(&["log"]);
        for path in ["free.txt", "new.txt"] {
            assert!(log.contains(&format!("claim: {path} (file) by {me}")), "{}: {log}", cli.name());
        }
        assert!(!repo.ok(&["status"]).contains(&format!("{me} live")), "its session is over");
        assert_eq!(left_behind(&repo), Vec::<String>::new());
    }
}

#[test]
fn commits_of_an_agent_meet_the_fence() {
    for cli in chosen() {
        let env = TestEnvironment::new();
        let (repo, holder) = guarded(&env, cli, Scope::Here);
        let script = vec![
            cli.shell("echo two > a.txt; git commit -q -m theirs a.txt"),
            cli.shell("echo two > free.txt; git commit -q -m mine free.txt"),
        ];
        let Session { me, heard } = play(cli, &repo, script, Start::Anew);

        assert_eq!(repo.git(&["log", "--format=%s"]), "mine\nbegin\n", "{me}: {}", end(&heard));
        let refusal = heard.find(&format!("a.txt is held by {holder}")).expect("the reason reaches the model");
        assert!(heard[refusal..].contains("commit refused"), "{}", end(&heard));
        assert!(heard.contains("files changed that are not yours to change"), "{me}: {}", end(&heard));
        assert!(!repo.ok(&["status"]).contains(&format!("{me} live")), "its session is over");
        assert_eq!(left_behind(&repo), Vec::<String>::new());
    }
}

#[test]
fn of_two_agents_at_once_one_gets_the_file() {
    let mut clis = chosen();
    clis.dedup_by_key(|cli| cli.name());
    for pair in clis.windows(2) {
        let env = TestEnvironment::new();
        let (repo, _) = guarded(&env, pair[0], Scope::Here);
        repo.ok(&["init", "--quiet", "--agents", pair[1].name()]);
        let edit =
            |cli: &'static dyn Cli| play(cli, &repo, cli.edit(&repo, "free.txt", "one", cli.name()), Start::Anew);
        let sessions = thread::scope(|scope| {
            let other = scope.spawn(|| edit(pair[1]));
            [edit(pair[0]), other.join().unwrap()]
        });

        let log = repo.ok(&["log"]);
        let claim = |session: &&Session| log.contains(&format!("claim: free.txt (file) by {}", session.me));
        let winners: Vec<&Session> = sessions.iter().filter(claim).collect();
        assert_eq!(winners.len(), 1, "{log}");
        let written = fs::read_to_string(repo.dir.join("free.txt")).unwrap();
        assert!(winners[0].me.starts_with(written.trim()), "{written} is not by {}", winners[0].me);
        assert_eq!(left_behind(&repo), Vec::<String>::new());
    }
}

#[test]
fn a_session_that_goes_on_may_edit_what_it_left_behind() {
    for cli in chosen() {
        let env = TestEnvironment::new();
        let (repo, _) = guarded(&env, cli, Scope::Here);
        let mut script = cli.edit(&repo, "free.txt", "one", "two");
        let first = play(cli, &repo, script.clone(), Start::Anew);
        script.push(cli.edit(&repo, "free.txt", "two", "three").pop().unwrap());
        let second = play(cli, &repo, script, Start::Again);

        assert_eq!(first.me, second.me);
        let written = fs::read_to_string(repo.dir.join("free.txt")).unwrap();
        assert_eq!(written, "three\n", "{}", end(&second.heard));
        assert_eq!(left_behind(&repo), Vec::<String>::new());
    }
}
