//! Who is here: registering, being known again, silence, takeover, and coming back.

use crate::{
    agent::{self, Agent},
    env::{Ended, Refs, Repo, TestEnvironment, run},
};
use insta::assert_snapshot;
use serde_json::Value;
use std::fs;

const TEN: &str = "2026-03-01T10:00:00Z";
const FOUR_PAST: &str = "2026-03-01T10:04:00Z";
const SIX_PAST: &str = "2026-03-01T10:06:00Z";
const NEXT_DAY: &str = "2026-03-02T10:06:00Z";

fn register_at(repo: &Repo<'_>, now: &str, tool: &str) -> String {
    let ended = repo.aio_at(now, "", &["register", tool]);
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.stdout.trim().to_owned()
}

fn with_vars(repo: &Repo<'_>, vars: &[(&str, &str)], args: &[&str]) -> Ended {
    run(repo.command(args).envs(vars.iter().copied()))
}

/// The token of the only claim on `target`.
fn token(repo: &Repo<'_>, target: &str) -> u64 {
    let status = repo.json_as("", &["status"]);
    let claims = status["claims"].as_array().unwrap().iter().filter(|claim| claim["target"] == target);
    let tokens: Vec<u64> = claims.map(|claim| claim["token"].as_u64().unwrap()).collect();
    assert_eq!(tokens.len(), 1, "{status}");
    tokens[0]
}

#[test]
fn an_instance_comes_works_and_goes() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = register_at(&repo, TEN, "claude");
    let session = repo.turns(
        TEN,
        &[
            (&claude, &["whoami"]),
            (&claude, &["task", "port the parser", "T-1"]),
            (&claude, &["claim", "src/auth/", "README.md"]),
            (&claude, &["heartbeat"]),
            (&claude, &["status"]),
            (&claude, &["task", ""]),
            (&claude, &["unregister"]),
            (&claude, &["unregister"]),
            (&claude, &["whoami"]),
            ("", &["status"]),
        ],
    );
    assert_snapshot!(session, @r#"
    claude-1$ git aio whoami
    claude-1 live, seen 0s ago
    claude-1$ git aio task port the parser T-1
    claude-1 live, seen 0s ago: "port the parser" [T-1]
    claude-1$ git aio claim src/auth/ README.md
    claimed HEX  src/auth (directory), 2 tracked files
    claimed HEX  README.md (file)
    claude-1$ git aio heartbeat
    claude-1 live, seen 0s ago: "port the parser" [T-1]
    claude-1$ git aio status
    demo after 4 operations

    claude-1 live, seen 0s ago: "port the parser" [T-1] (you)
      HEX  README.md (file), claimed 0s ago
      HEX  src/auth (directory), claimed 0s ago
    claude-1$ git aio task 
    claude-1 live, seen 0s ago
    claude-1$ git aio unregister
    claude-1 has left
    released 2 claims
    claude-1$ git aio unregister
    claude-1 had left before, and holds nothing
    claude-1$ git aio whoami
    claude-1 ended, seen 0s ago
    $ git aio status
    demo after 6 operations

    nobody is registered
    "#);
}

#[test]
fn registering_prints_the_id_and_nothing_else() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.register("codex");
    let ended = repo.aio(&["register", "claude", "--task", "review"]);
    let parts: Vec<&str> = ended.stdout.trim_end().split('-').collect();
    assert!(matches!(parts[..], ["claude", seconds, hex] if seconds.len() == 10 && hex.len() == 4), "{ended:?}");
    assert_eq!(ended.stderr, "");
    assert_eq!(repo.json_as(ended.stdout.trim(), &["whoami"])["instance"]["task"]["text"], "review");
}

#[test]
fn any_tool_can_register_by_a_plain_name() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    for tool in ["claude", "codex", "gemini", "amp", "qwen-coder", "my_tool.2", "7b"] {
        let id = repo.register(tool);
        assert_eq!(repo.json_as(&id, &["whoami"])["instance"]["tool"], tool);
    }
    let before = repo.operations();
    assert_snapshot!(repo.session(None, &[&["register", "Claude Code"], &["register", ""], &["register"]]), @r"
    $ git aio register Claude Code
    ! error: invalid tool name 'Claude Code': use 1 to 32 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit
    ! hint: the four best known are claude, codex, gemini and amp
    [exit 2]
    $ git aio register 
    ! error: invalid tool name '': use 1 to 32 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit
    ! hint: the four best known are claude, codex, gemini and amp
    [exit 2]
    $ git aio register
    ! error: the following required arguments were not provided:
    !   <TOOL>
    ! 
    ! Usage: git aio register <TOOL> [PROJECT]
    ! 
    ! For more information, try '--help'.
    [exit 2]
    ");
    assert_eq!(repo.operations(), before);
}

#[test]
fn another_repository_can_be_registered_in() {
    let env = TestEnvironment::new();
    let (repo, other) = (env.repo(), env.repo_with("other", Refs::Files, "sha1", &[("a", "a")]));
    let id = repo.ok(&["register", "claude", "../other"]);
    assert_eq!(other.json_as(id.trim(), &["whoami"])["instance"]["project"], "other");
    assert_eq!(repo.aio_as(id.trim(), &["whoami"]).code, 8);
    assert!(repo.try_git(&["rev-parse", "--verify", "-q", "refs/aio/state"]).code != 0, "nothing was written here");
    let nowhere = repo.aio(&["register", "claude", "../nowhere"]);
    assert_eq!((nowhere.code, nowhere.stdout.as_str()), (1, ""), "{nowhere:?}");
}

#[test]
fn the_session_variable_of_an_agent_says_who_it_is() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    for (tool, vars) in [
        ("claude", &[("CLAUDECODE", "1"), ("CLAUDE_CODE_SESSION_ID", "one")][..]),
        ("codex", &[("CODEX_THREAD_ID", "one")]),
        ("codex", &[("CODEX_SESSION_ID", "two"), ("CODEX_THREAD_ID", "one")]),
        ("gemini", &[("GEMINI_CLI", "1"), ("GEMINI_SESSION_ID", "one")]),
        ("amp", &[("AGENT", "amp"), ("AGENT_THREAD_ID", "T-one")]),
        ("amp", &[("AGENT", "amp"), ("AMP_CURRENT_THREAD_ID", "T-two")]),
        ("copilot", &[("COPILOT_AGENT_SESSION_ID", "one")]),
        ("cursor", &[("CURSOR_CONVERSATION_ID", "one")]),
        ("goose", &[("AGENT_SESSION_ID", "one")]),
    ] {
        let stranger = with_vars(&repo, vars, &["whoami"]);
        assert_eq!(stranger.code, 8, "{stranger:?}");
        assert!(stranger.stderr.contains(&format!("this {tool} session is not registered")), "{stranger:?}");
        let id = with_vars(&repo, vars, &["register", tool]).stdout;
        assert_eq!(with_vars(&repo, vars, &["register", tool]).stdout, id, "it keeps its id");
        assert!(with_vars(&repo, vars, &["whoami"]).stdout.starts_with(id.trim()));
        let key = vars.last().unwrap().0;
        let another = with_vars(&repo, &[vars, &[(vars[0].0, vars[0].1), (key, "another")]].concat(), &["whoami"]);
        let first_counts = vars[0].0.ends_with("SESSION_ID") && vars.len() > 1 && tool == "codex";
        assert_eq!(another.code, if first_counts { 0 } else { 8 }, "{vars:?} {another:?}");
    }
}

#[test]
fn a_session_is_one_instance_in_every_worktree() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.git(&["worktree", "add", "-q", "../side", "-b", "side"]);
    let side = Repo { env: &env, dir: env.path().join("side") };
    let vars = [("CLAUDE_CODE_SESSION_ID", "one")];
    let id = with_vars(&repo, &vars, &["register", "claude"]).stdout;
    assert_eq!(with_vars(&side, &vars, &["register", "claude"]).stdout, id);
    assert!(with_vars(&side, &vars, &["whoami"]).stdout.starts_with(id.trim()));
    assert_eq!(with_vars(&side, &vars, &["claim", "README.md"]).code, 0);
    assert!(with_vars(&repo, &vars, &["check", "README.md"]).stdout.starts_with("yours"));
    assert_eq!(repo.aio_as(&repo.register("codex"), &["claim", "README.md"]).code, 3);
}

#[test]
fn an_agent_that_registers_one_of_another_kind_stays_itself() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let vars = [("CLAUDE_CODE_SESSION_ID", "one")];
    let codex = with_vars(&repo, &vars, &["register", "codex"]).stdout;
    assert_eq!(with_vars(&repo, &vars, &["whoami"]).code, 8, "the session itself is not registered by that");
    let claimed = with_vars(&repo, &vars, &["claim", "README.md"]);
    assert!(claimed.stderr.contains("registered as claude-"), "{claimed:?}");
    assert_ne!(with_vars(&repo, &vars, &["register", "codex"]).stdout, codex, "it may start several");
    assert!(with_vars(&repo, &vars, &["whoami"]).stdout.starts_with("claude-"));
    assert_eq!(repo.aio_as(codex.trim(), &["claim", "README.md"]).code, 3);

    agent::install(&repo, "claude");
    let mut unnamed = Agent::start(&repo, "claude", &[]);
    let codex = unnamed.ok("aio register codex");
    assert!(!unnamed.run("aio whoami").stdout.contains(&codex), "nor is a process that says nothing of its session");
}

#[test]
fn an_agent_that_writes_unregistered_is_registered_on_the_spot_and_told() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let vars = [("CLAUDE_CODE_SESSION_ID", "one")];
    let first = with_vars(&repo, &vars, &["claim", "README.md"]);
    assert!(first.stderr.contains("registered as claude-"), "{first:?}");
    let second = with_vars(&repo, &vars, &["context", "learning", "it works"]);
    assert_eq!(second.stderr, "");
    assert_eq!(repo.json_as("", &["status"])["instances"].as_array().unwrap().len(), 1);
}

#[test]
fn reading_registers_nobody_and_creates_nothing() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    for args in [
        &["status"][..],
        &["check", "README.md"],
        &["whoami"],
        &["heartbeat"],
        &["log"],
        &["context", "get"],
        &["handoff", "list"],
        &["cleanup"],
    ] {
        let ended = with_vars(&repo, &[("CODEX_THREAD_ID", "one")], args);
        let unknown = ["whoami", "heartbeat"].contains(&args[0]);
        assert_eq!(ended.code, if unknown { 8 } else { 0 }, "{args:?} {ended:?}");
        let made = repo.try_git(&["rev-parse", "--verify", "-q", "refs/aio/state"]).code == 0;
        assert!(!made, "{args:?} made a store");
    }
}

#[test]
fn a_process_above_says_who_a_command_is() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let mut claude = Agent::start(&repo, "claude", &[]);
    let mut codex = Agent::start(&repo, "codex", &[]);
    let (first, second) = (claude.ok("git aio register claude"), codex.ok("git aio claim README.md --json"));
    let second: Value = serde_json::from_str(&second).unwrap();
    let second = second["claims"][0]["holder"].as_str().unwrap();
    assert!(claude.ok("git aio whoami").starts_with(&first));
    assert!(claude.ok("sh -c 'aio whoami; true'").starts_with(&first), "through a shell of one command");
    assert!(codex.ok("aio whoami").starts_with(second));
    assert!(second.starts_with("codex-"));
    let refused = claude.run("git aio claim README.md");
    assert_eq!(refused.code, 3, "{refused:?}");
    assert_eq!(repo.aio(&["whoami"]).code, 8, "a command beside them is neither");
}

#[test]
fn a_second_session_of_the_same_agent_is_another_instance() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let mut one = Agent::start(&repo, "claude", &[]);
    let mut two = Agent::start(&repo, "claude", &[]);
    let (first, second) = (one.ok("aio register claude"), two.ok("aio register claude"));
    assert_ne!(first, second);
    assert_eq!(one.ok("aio claim README.md >/dev/null; echo $?"), "0");
    assert_eq!(two.run("aio claim README.md").code, 3);
    assert!(two.ok("aio whoami").starts_with(&second));
}

#[test]
fn a_nested_agent_is_not_taken_for_the_one_that_started_it() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    agent::install(&repo, "codex");
    let mut claude = Agent::start(&repo, "claude", &[("CLAUDE_CODE_SESSION_ID", "outer")]);
    let outer = claude.ok("aio register claude");
    claude.ok("aio claim README.md");
    let inner = claude.run("codex aio whoami");
    assert_eq!(inner.code, 8);
    assert!(inner.stderr.contains("this codex session is not registered here"), "{inner:?}");
    assert_eq!(claude.run("codex aio claim README.md").code, 3, "it has no share in what the outer one holds");
    let inner = claude.ok("codex aio claim src/main.rs --json");
    let inner: Value = serde_json::from_str(&inner).unwrap();
    let holder = inner["claims"][0]["holder"].as_str().unwrap();
    let known = repo.json_as(holder, &["whoami"]);
    assert_eq!(known["instance"]["tool"], "codex");
    assert_eq!(known["instance"]["parent"], outer.as_str());
    let nested_var = claude.ok("CODEX_THREAD_ID=inner codex aio register codex");
    assert_ne!(nested_var, outer);
    assert_eq!(claude.ok("CODEX_THREAD_ID=inner codex aio register codex"), nested_var);
    assert!(claude.ok("aio whoami").starts_with(&outer));
}

#[test]
fn a_living_agent_is_never_stale_however_silent() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let mut claude = Agent::start(&repo, "claude", &[]);
    let id = claude.ok(&format!("AIO_TEST_NOW={TEN} aio register claude"));
    claude.ok(&format!("AIO_TEST_NOW={TEN} aio claim src/"));
    let codex = register_at(&repo, NEXT_DAY, "codex");
    let session = repo.turns(
        NEXT_DAY,
        &[(&codex, &["claim", "src/main.rs"]), (&codex, &["cleanup"]), (&codex, &["check", "src/main.rs"])],
    );
    assert_snapshot!(session.replace(repo.steady(&id).trim(), "claude-1"), @r"
    codex-1$ git aio claim src/main.rs
    ! already claimed: src/main.rs is held by claude-2 (idle) through directory src, claimed 1d ago
    ! hint: wait for it (claim --wait), claim something narrower, or ask the holder by `git aio handoff new`
    [exit 3]
    codex-1$ git aio cleanup
    no instance is stale
    codex-1$ git aio check src/main.rs
    held src/main.rs
      HEX  src (directory) by claude-2 (idle), claimed 1d ago
    [exit 3]
    ");
}

#[test]
fn a_dead_agent_is_stale_at_once() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let mut claude = Agent::start(&repo, "claude", &[]);
    claude.ok(&format!("AIO_TEST_NOW={TEN} aio register claude"));
    claude.ok(&format!("AIO_TEST_NOW={TEN} aio claim src/"));
    let before = token(&repo, "src");
    let codex = register_at(&repo, TEN, "codex");
    assert_eq!(repo.aio_at(TEN, &codex, &["claim", "src/"]).code, 3);
    claude.kill();
    let session = repo.turns(
        TEN,
        &[
            (&codex, &["status"]),
            (&codex, &["check", "src"]),
            (&codex, &["claim", "src/"]),
            (&codex, &["log", "-n", "1"]),
        ],
    );
    assert_snapshot!(session, @r"
    codex-1$ git aio status
    demo after 4 operations

    claude-2 stale, seen 0s ago
      HEX  src (directory), claimed 0s ago

    codex-1 live, seen 0s ago (you)
    codex-1$ git aio check src
    available src
      HEX  src (directory) by claude-2 (stale), claimed 0s ago; the next claim takes it over
    codex-1$ git aio claim src/
    claimed HEX  src (directory), 4 tracked files
    ! src: taken over from claude-2, stale
    ! warning: src covers 4 of 5 tracked files: claim less if you can
    codex-1$ git aio log -n 1
        5 2026-03-01T10:00:00Z claim: src (directory), taken over from claude-2 by codex-1
    ");
    assert!(token(&repo, "src") > before);
}

#[test]
fn a_shell_registered_by_hand_is_stale_after_five_minutes_although_it_lives() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let mut shell = Agent::start(&repo, "some-shell", &[]);
    let id = shell.ok(&format!("AIO_TEST_NOW={TEN} aio register claude"));
    shell.ok(&format!("AIO_TEST_NOW={TEN} aio claim src/"));
    assert!(shell.ok(&format!("AIO_TEST_NOW={TEN} aio whoami")).starts_with(&id), "its commands are known by it");
    let codex = register_at(&repo, FOUR_PAST, "codex");
    assert_eq!(repo.aio_at(FOUR_PAST, &codex, &["claim", "src/main.rs"]).code, 3);
    let taken = repo.aio_at(SIX_PAST, &codex, &["claim", "src/main.rs"]);
    assert_eq!(taken.code, 0, "{taken:?}");
    assert!(taken.stderr.contains(&format!("src: taken over from {id}")), "{taken:?}");
    shell.ok("true");
}

#[test]
fn a_beat_or_any_other_command_keeps_an_instance_from_being_stale() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = register_at(&repo, TEN, "claude");
    repo.aio_at(TEN, &claude, &["claim", "src/"]);
    let codex = register_at(&repo, TEN, "codex");
    for args in [&["heartbeat"][..], &["status"], &["check", "src"], &["whoami"], &["claim", "src/"]] {
        assert_eq!(repo.aio_at(TEN, &claude, &["heartbeat"]).code, 0);
        assert_eq!(repo.aio_at(FOUR_PAST, &claude, args).code, 0);
        assert_eq!(repo.aio_at(SIX_PAST, &codex, &["claim", "src/main.rs"]).code, 3, "{args:?} is a sign of life");
    }
}

#[test]
fn how_long_silence_is_taken_for_life_can_be_set() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.git(&["config", "aio.staleAfter", "1h"]);
    let claude = register_at(&repo, TEN, "claude");
    repo.aio_at(TEN, &claude, &["claim", "src/"]);
    let codex = register_at(&repo, SIX_PAST, "codex");
    assert_eq!(repo.aio_at(SIX_PAST, &codex, &["claim", "src/"]).code, 3);
    repo.git(&["config", "aio.staleAfter", "soon"]);
    assert_snapshot!(repo.session(Some(&codex), &[&["status"]]), @r"
    $ git aio status
    ! error: the configuration key aio.staleAfter is 'soon', which is not a duration such as 5m or 2h
    ! hint: change it with `git config aio.staleAfter <value>`; it is set in ~/demo/.git/config
    [exit 2]
    ");
}

#[test]
fn who_lost_a_claim_is_told_until_it_settles_that() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (register_at(&repo, TEN, "claude"), register_at(&repo, SIX_PAST, "codex"));
    repo.aio_at(TEN, &claude, &["claim", "src/auth/"]);
    let session = repo.turns(
        SIX_PAST,
        &[
            (&codex, &["claim", "src/auth/login.rs"]),
            (&claude, &["status"]),
            (&claude, &["check", "src/auth"]),
            (&codex, &["release", "all"]),
            (&claude, &["release", "all"]),
            (&claude, &["whoami"]),
        ],
    );
    assert_snapshot!(session, @r"
    codex-1$ git aio claim src/auth/login.rs
    claimed HEX  src/auth/login.rs (file)
    ! src/auth: taken over from claude-2, stale
    claude-2$ git aio status
    demo after 5 operations

    claude-2 live, seen 0s ago (you)

    codex-1 live, seen 0s ago
      HEX  src/auth/login.rs (file), claimed 0s ago
    ! warning: your claim on src/auth was ended 0s ago by codex-1, because you had not been heard of
    claude-2$ git aio check src/auth
    held src/auth
      HEX  src/auth/login.rs (file) by codex-1, claimed 0s ago
      HEX  src/auth (directory), which you held and lost: claim or release it first
    ! warning: your claim on src/auth was ended 0s ago by codex-1, because you had not been heard of
    [exit 3]
    codex-1$ git aio release all
    released src/auth/login.rs (file)
    claude-2$ git aio release all
    let go of the lost claim HEX
    ! warning: your claim on src/auth was ended 0s ago by codex-1, because you had not been heard of
    claude-2$ git aio whoami
    claude-2 live, seen 0s ago
    ");
}

#[test]
fn a_lost_claim_binds_its_holder_until_it_claims_again() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (register_at(&repo, TEN, "claude"), register_at(&repo, SIX_PAST, "codex"));
    repo.aio_at(TEN, &claude, &["claim", "src/auth/"]);
    repo.aio_at(SIX_PAST, &codex, &["claim", "src/auth/"]);
    repo.aio_at(SIX_PAST, &codex, &["release", "all"]);
    repo.write("src/auth/login.rs", "changed\n");
    repo.git(&["add", "-A"]);
    let fence = repo.turns(SIX_PAST, &[(&claude, &["hook", "pre-commit"]), (&claude, &["check", "--staged"])]);
    assert_snapshot!(fence, @r"
    claude-1$ git aio hook pre-commit
    ! src/auth/login.rs: your claim on src/auth was ended 0s ago by codex-2, because you had not been heard of; claim or release it first (HEX)
    ! commit refused
    ! hint: unstage these paths (git restore --staged <path>), wait for their holder, or ask by `git aio handoff new`
    [exit 3]
    claude-1$ git aio check --staged
    lost src/auth/login.rs
      HEX  src/auth (directory), which you held and lost: claim or release it first
    ! warning: your claim on src/auth was ended 0s ago by codex-2, because you had not been heard of
    [exit 3]
    ");
    assert_eq!(repo.aio_at(SIX_PAST, &codex, &["hook", "pre-commit"]).code, 0, "it binds nobody else");
    let again = repo.aio_at(SIX_PAST, &claude, &["claim", "src/auth/"]);
    assert_eq!(again.code, 0, "{again:?}");
    let fence = repo.turns(SIX_PAST, &[(&claude, &["hook", "pre-commit"]), (&claude, &["check", "--staged"])]);
    assert_snapshot!(fence, @r"
    claude-1$ git aio hook pre-commit
    claude-1$ git aio check --staged
    available src/auth/login.rs
    ");
}

#[test]
fn a_lost_claim_is_let_go_by_its_id() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (register_at(&repo, TEN, "claude"), register_at(&repo, SIX_PAST, "codex"));
    let claimed = repo.aio_at(TEN, &claude, &["claim", "README.md", "--json"]);
    let claimed: Value = serde_json::from_str(&claimed.stdout).unwrap();
    repo.aio_at(SIX_PAST, &codex, &["claim", "README.md"]);
    let id = claimed["claims"][0]["id"].as_str().unwrap();
    let lost = repo.json_as(&claude, &["status"]);
    assert_eq!((&lost["lost"][0]["id"], &lost["lost"][0]["state"]), (&id.into(), &"lost".into()));
    let released = repo.json_as(&claude, &["release", &id[..6]]);
    assert_eq!(released["released"][0], id);
    assert_eq!(repo.json_as(&claude, &["status"])["lost"].as_array().unwrap().len(), 0);
    assert_eq!(repo.json_as(&codex, &["status"])["claims"][0]["holder"], codex.as_str(), "the taker keeps it");
}

#[test]
fn cleanup_ends_the_stale_and_a_command_of_theirs_brings_them_back() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (register_at(&repo, TEN, "claude"), register_at(&repo, SIX_PAST, "codex"));
    repo.aio_at(TEN, &claude, &["claim", "src/auth/", "README.md"]);
    let session = repo.turns(
        SIX_PAST,
        &[
            (&codex, &["cleanup"]),
            (&codex, &["cleanup"]),
            (&codex, &["status"]),
            (&claude, &["whoami"]),
            (&claude, &["claim", "src/auth/"]),
            (&claude, &["whoami"]),
        ],
    );
    assert_snapshot!(session, @r"
    codex-1$ git aio cleanup
    ended claude-2
    released 2 claims
    codex-1$ git aio cleanup
    no instance is stale
    codex-1$ git aio status
    demo after 5 operations

    codex-1 live, seen 0s ago (you)
    claude-2$ git aio whoami
    claude-2 ended, seen 0s ago
    ! warning: your claim on README.md was ended 0s ago by codex-1, because you had not been heard of
    ! warning: your claim on src/auth was ended 0s ago by codex-1, because you had not been heard of
    claude-2$ git aio claim src/auth/
    claimed HEX  src/auth (directory), 2 tracked files
    ! registered again as claude-2, which had ended
    ! warning: your claim on README.md was ended 0s ago by codex-1, because you had not been heard of
    ! warning: your claim on src/auth was ended 0s ago by codex-1, because you had not been heard of
    claude-2$ git aio whoami
    claude-2 live, seen 0s ago
    ! warning: your claim on README.md was ended 0s ago by codex-1, because you had not been heard of
    ");
}

#[test]
fn a_person_is_who_runs_a_command_that_no_agent_runs() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claimed = repo.aio(&["claim", "README.md"]);
    assert!(claimed.stderr.contains("registered as person-"), "{claimed:?}");
    assert!(repo.ok(&["check", "README.md"]).starts_with("yours"));
    let other = run(repo.command(&["check", "README.md"]).env("GIT_AUTHOR_EMAIL", "bob@example.org"));
    assert_eq!(other.code, 3, "another git identity is another person: {other:?}");
}

#[test]
fn an_ended_instance_leaves_its_shell_to_the_next() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let mut shell = Agent::start(&repo, "some-shell", &[]);
    let first = shell.ok("aio register claude");
    assert!(shell.ok("aio whoami").starts_with(&first));
    shell.ok("aio unregister");
    let second = shell.ok("aio register codex");
    assert!(shell.ok("aio whoami").starts_with(&second));
}

#[test]
fn a_name_that_nobody_has_is_refused() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.register("claude");
    let session = repo.session(
        None,
        &[
            &["whoami", "--as", "claude-1707084123-a3f2"],
            &["claim", "README.md", "--as", "claude-1707084123-a3f2"],
            &["claim", "README.md", "--as", "me"],
            &["status", "--as", "Claude-1707084123-a3f2"],
            &["heartbeat"],
            &["unregister"],
        ],
    );
    assert_snapshot!(session, @r"
    $ git aio whoami --as claude-1
    ! error: no instance claude-1 is registered here
    ! hint: `git aio status` lists the instances; `git aio register` makes one
    [exit 8]
    $ git aio claim README.md --as claude-1
    ! error: no instance claude-1 is registered here
    ! hint: `git aio status` lists the instances; `git aio register` makes one
    [exit 8]
    $ git aio claim README.md --as me
    ! error: invalid instance id 'me': it looks like claude-1 (tool, unix seconds, 4 hex digits)
    ! hint: `git aio status` lists the instances; `git aio register` makes one
    [exit 2]
    $ git aio status --as Claude-2
    ! error: invalid instance id 'Claude-2': it looks like claude-1 (tool, unix seconds, 4 hex digits)
    ! hint: `git aio status` lists the instances; `git aio register` makes one
    [exit 2]
    $ git aio heartbeat
    ! error: you are not registered here
    ! hint: `git aio register <tool>` registers it; a first claim does too
    [exit 8]
    $ git aio unregister
    ! error: you are not registered here
    ! hint: `git aio register <tool>` registers it; a first claim does too
    [exit 8]
    ");
    assert_eq!(repo.aio_as("../../../etc/passwd", &["whoami"]).code, 2);
    assert_eq!(repo.aio_as("claude-1707084123-a3f2", &["whoami"]).code, 8);
    assert_eq!(repo.operations(), 2);
}

#[test]
fn as_comes_before_the_variable() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    assert!(repo.ok_as(&claude, &["whoami", "--as", &codex]).starts_with(&codex));
    assert!(repo.ok_as(&claude, &["--as", &codex, "whoami"]).starts_with(&codex));
}

#[test]
fn a_task_is_shown_and_can_be_too_long() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    let shown = repo.ok_as(&claude, &["task", "a\u{1b}[2J\u{202e}b", "T#7"]);
    assert!(shown.ends_with("\"a\\u{1b}[2J\\u{202e}b\" [T#7]\n"), "{shown:?}");
    assert_eq!(repo.json_as(&claude, &["whoami"])["instance"]["task"]["text"], "a\u{1b}[2J\u{202e}b");
    let long = "x".repeat(5000);
    let refused = repo.aio_as(&claude, &["task", &long]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert_eq!(repo.aio_as(&claude, &["task", "x", "no id"]).code, 2);
}

#[test]
fn a_resumed_session_lives_with_its_new_process() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let session = [("CLAUDE_CODE_SESSION_ID", "resumed")];
    let mut claude = Agent::start(&repo, "claude", &session);
    let id = claude.ok(&format!("AIO_TEST_NOW={TEN} aio register claude"));
    claude.ok(&format!("AIO_TEST_NOW={TEN} aio claim src/"));
    let codex = register_at(&repo, TEN, "codex");
    claude.kill();
    let available = || repo.aio_at(NEXT_DAY, &codex, &["check", "src/main.rs"]).code == 0;
    assert!(available(), "it ended with its process");

    let mut claude = Agent::start(&repo, "claude", &session);
    let known = claude.ok(&format!("AIO_TEST_NOW={TEN} aio heartbeat && AIO_TEST_NOW={TEN} aio whoami"));
    assert!(known.contains(&id), "{known}");
    assert!(!available(), "it lives with the new one, however silent it is");
    claude.kill();
    assert!(available(), "and ends with it at once");
}

#[test]
fn a_resumed_session_whose_process_is_not_seen_lives_by_its_signs() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let mut claude = Agent::start(&repo, "claude", &[]);
    let id = claude.ok(&format!("AIO_TEST_NOW={TEN} aio register claude"));
    claude.ok(&format!("AIO_TEST_NOW={TEN} aio claim src/"));
    claude.kill();
    let codex = register_at(&repo, TEN, "codex");
    assert_eq!(repo.aio_at(TEN, &id, &["heartbeat"]).code, 0);
    assert_eq!(repo.aio_at(FOUR_PAST, &codex, &["claim", "src/main.rs"]).code, 3);
    assert_eq!(repo.aio_at(SIX_PAST, &codex, &["claim", "src/main.rs"]).code, 0);
}

#[test]
fn what_can_not_be_read_of_an_instance_is_neither_judged_nor_written_over() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = register_at(&repo, TEN, "claude");
    assert_eq!(repo.aio_at(TEN, &claude, &["claim", "src/"]).code, 0);
    let codex = register_at(&repo, TEN, "codex");
    let file = repo.dir.join(".git/aio/live").join(&claude);
    for unreadable in ["", "no json", r#"{"v":2,"registered":"2026-03-01T10:00:00Z"}"#] {
        fs::write(&file, unreadable).unwrap();
        assert_eq!(repo.aio_at(NEXT_DAY, &codex, &["claim", "src/main.rs"]).code, 3, "silence has to be seen");
        let cleanup = repo.aio_at(NEXT_DAY, &codex, &["cleanup"]);
        assert_eq!((cleanup.code, cleanup.stdout.contains(&claude)), (0, false), "{cleanup:?}");
        for args in [&["claim", "README.md"][..], &["heartbeat"], &["status"]] {
            assert_eq!(repo.aio_at(NEXT_DAY, &claude, args).code, 0, "its own commands go on: {args:?}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), unreadable, "a newer program's file stays its own");
    }
}

#[test]
fn an_agent_in_a_shell_that_is_registered_is_another() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let mut shell = Agent::start(&repo, "some-shell", &[]);
    let outer = shell.ok("aio register claude");
    shell.ok("aio claim README.md");
    let child = shell.run("CODEX_THREAD_ID=child aio whoami");
    assert_eq!(child.code, 8, "its session is registered nowhere: {child:?}");
    assert_eq!(
        shell.run("CODEX_THREAD_ID=child aio claim README.md").code,
        3,
        "and has no share in the shell's claims"
    );
    let claimed: Value = serde_json::from_str(&shell.ok("CODEX_THREAD_ID=child aio claim src/main.rs --json")).unwrap();
    let holder = claimed["claims"][0]["holder"].as_str().unwrap();
    assert!(holder.starts_with("codex-"), "{holder}");
    assert!(shell.ok("CODEX_THREAD_ID=child aio whoami").starts_with(holder));
    assert!(shell.ok("aio whoami").starts_with(&outer), "the shell is who it was");
}
