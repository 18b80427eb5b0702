//! Whom the fence at the edit stops, wherever it is called from, and whom it leaves alone.

use super::*;
use std::path::PathBuf;

/// A call of Claude Code that is about to write to `file`, from the folder `cwd`.
fn write(repo: &Repo<'_>, cwd: &Path, file: &Path) -> Value {
    let mut write = call(repo, "claude", "PreToolUse-Write", "s1");
    write["cwd"] = cwd.to_str().unwrap().into();
    write["tool_input"]["file_path"] = file.to_str().unwrap().into();
    write
}

fn refused(answer: &str) -> String {
    refusal("claude", answer).unwrap_or_else(|| panic!("{answer}"))
}

fn is_here(repo: &Repo<'_>, id: &str) -> bool {
    let status: Value = serde_json::from_str(&repo.aio(&["status", "--json"]).stdout).unwrap();
    status["instances"].to_string().contains(id)
}

#[test]
fn a_session_ends_with_a_claim_that_can_not_be_parted_from_an_unfinished_one() {
    let env = TestEnvironment::new();
    let repo = recorded(&env);
    repo.write("src/a.rs", "a\n");
    repo.write("src/b.rs", "b\n");
    repo.git(&["add", "src"]);
    repo.git(&["commit", "-qm", "src"]);
    hook(&repo, "claude", &write(&repo, &repo.dir, &repo.dir.join("src/a.rs")));
    hook(&repo, "claude", &write(&repo, &repo.dir, &repo.dir.join("a.txt")));
    let me = claims(&repo, "src/a.rs")[0].0.clone();
    repo.ok_as(&me, &["claim", "directory", "src"]);
    repo.write("src/b.rs", "changed\n");
    assert_eq!(hook(&repo, "claude", &call(&repo, "claude", "SessionEnd", "s1")), "");
    assert!(!is_here(&repo, &me));
    assert_eq!(claims(&repo, "a.txt"), [], "what is clean is free");
    let held = claims(&repo, "src/b.rs");
    assert!(held.len() == 1 && held[0].0.starts_with("handoff-"), "{held:?}");
    assert_eq!(claims(&repo, "src/a.rs").len(), 2, "it went along");
}

#[test]
fn what_git_can_not_tell_at_the_end_of_a_session_is_kept() {
    let env = TestEnvironment::new();
    let repo = recorded(&env);
    repo.git(&["worktree", "add", "-q", "../second"]);
    hook(&repo, "claude", &call(&repo, "claude", "PreToolUse-Edit", "s1"));
    let me = claims(&repo, "a.txt")[0].0.clone();
    fs::write(repo.dir.join(".git/worktrees/second/index"), "no index").unwrap();
    assert_eq!(hook(&repo, "claude", &call(&repo, "claude", "SessionEnd", "s1")), "");
    let held = claims(&repo, "a.txt");
    assert!(held.len() == 1 && held[0].0.starts_with("handoff-"), "{held:?}");
    assert!(!is_here(&repo, &me));
}

#[test]
fn a_file_is_judged_by_its_own_repository_wherever_the_agent_works() {
    let env = TestEnvironment::new();
    let repo = recorded(&env);
    let plain = env.repo_with("plain", Refs::Files, "sha1", &[("b.txt", "b\n")]);
    let holder = repo.register("aider");
    repo.ok_as(&holder, &["claim", "a.txt"]);
    let nowhere = env.path();
    for (cwd, relative) in [(nowhere.as_path(), "r/a.txt"), (&plain.dir, "../r/a.txt")] {
        let reason = refused(&hook(&repo, "claude", &write(&repo, cwd, &repo.dir.join("a.txt"))));
        assert!(reason.contains(&format!("a.txt is held by {holder}")), "{reason}");
        refused(&hook(&repo, "claude", &write(&repo, cwd, Path::new(relative))));
        assert_eq!(hook(&repo, "claude", &write(&repo, cwd, &repo.dir.join("m.txt"))), "");
        assert_eq!(claims(&repo, "m.txt").len(), 1, "and claimed there");
        assert_eq!(hook(&repo, "claude", &write(&repo, cwd, &plain.dir.join("b.txt"))), "");
    }
}

#[test]
fn a_bypass_is_honoured_where_the_fence_itself_fails() {
    let env = TestEnvironment::new();
    let repo = recorded(&env);
    let edit = call(&repo, "claude", "PreToolUse-Edit", "s1").to_string();
    repo.git(&["config", "aio.guard", "perhaps"]);
    for payload in [edit.as_bytes(), b"{"] {
        let bypassed = hook_given(&repo, "claude", payload, &[("AIO_BYPASS", "1")]);
        assert_eq!((bypassed.code, bypassed.stdout.as_str()), (0, ""), "{}", bypassed.stderr);
        assert!(bypassed.stderr.contains("fence bypassed, but that could not be recorded"), "{}", bypassed.stderr);
    }
    repo.git(&["config", "core.repositoryformatversion", "2"]);
    let bypassed = hook_given(&repo, "claude", edit.as_bytes(), &[("AIO_BYPASS", "1")]);
    assert_eq!((bypassed.code, bypassed.stdout.as_str()), (0, ""), "{}", bypassed.stderr);
}

#[test]
fn a_repository_that_never_asked_for_a_fence_has_none_whatever_is_wrong_with_it() {
    let env = TestEnvironment::new();
    let repo = env.repo_with("r", Refs::Files, "sha1", &[("a.txt", "one\n"), ("sub/b.txt", "b\n")]);
    let passes = || {
        for name in ["PreToolUse-Edit", "PreToolUse-Bash", "SessionStart"] {
            assert_eq!(hook(&repo, "claude", &call(&repo, "claude", name, "s1")), "", "{name}");
        }
        assert_eq!(hook(&repo, "claude", &write(&repo, &env.path(), &repo.dir.join("sub/b.txt"))), "");
    };
    repo.git(&["config", "aio.guard", "perhaps"]);
    passes();
    let config = fs::read_to_string(repo.dir.join(".git/config")).unwrap();
    repo.git(&["config", "core.repositoryformatversion", "2"]);
    passes();
    #[cfg(unix)]
    {
        let of = |owner| std::os::unix::fs::chown(repo.dir.join(".git"), Some(owner), None).is_ok();
        fs::write(repo.dir.join(".git/config"), &config).unwrap();
        if of(12345) {
            passes();
            assert!(of(0));
        }
    }
    let fenced = env.repo_with("fenced", Refs::Files, "sha1", &[("a.txt", "one\n")]);
    fenced.ok(&["init", "--quiet"]);
    fenced.git(&["pack-refs", "--all"]);
    fenced.git(&["config", "core.repositoryformatversion", "2"]);
    refused(&hook(&fenced, "claude", &call(&fenced, "claude", "PreToolUse-Edit", "s1")));
    fs::remove_dir_all(fenced.dir.join(".git/aio")).ok();
    refused(&hook(&fenced, "claude", &call(&fenced, "claude", "PreToolUse-Edit", "s1")));
}

#[cfg(unix)]
#[test]
fn every_link_of_a_chain_is_judged_and_so_is_what_is_not_there_yet() {
    use std::os::unix::fs::symlink;
    let env = TestEnvironment::new();
    let repo = recorded(&env);
    let holder = repo.register("aider");
    repo.ok_as(&holder, &["claim", "new.txt", "middle"]);
    let link = |to: &str, at: &str| symlink(to, repo.dir.join(at)).unwrap();
    link("new.txt", "dangling");
    link("dangling", "first");
    link("m.txt", "middle");
    link("middle", "last");
    link("loop", "loop");
    let answer = |at: &str| hook(&repo, "claude", &write(&repo, &repo.dir, &repo.dir.join(at)));
    for (at, held) in [("dangling", "new.txt"), ("first", "new.txt"), ("last", "middle")] {
        let reason = refused(&answer(at));
        assert!(reason.contains(&format!("{held} is held by {holder}")), "{at}: {reason}");
    }
    assert_eq!(answer("loop"), "");
    let outside = env.path().join("outside");
    symlink(repo.dir.join("new.txt"), &outside).unwrap();
    refused(&hook(&repo, "claude", &write(&repo, &env.path(), &outside)));
}

#[test]
fn a_path_that_can_not_be_judged_is_refused_and_the_git_directory_is_nobodys() {
    let env = TestEnvironment::new();
    let repo = recorded(&env);
    repo.git(&["worktree", "add", "-q", "../second"]);
    let answer = |file: PathBuf| hook(&repo, "claude", &write(&repo, &repo.dir, &file));
    let long = repo.dir.join("x".repeat(250) + "/").join(["y"; 2100].join("/"));
    assert!(refused(&answer(long)).contains("longer than 4096"));
    repo.write("src/a.rs", "a\n");
    fs::create_dir(repo.dir.join("src/.git")).unwrap();
    assert!(refused(&answer(repo.dir.join("src/a.rs"))).contains("could not judge"), "git doesn't take it for its own");
    for own in [".git/config", ".git/hooks/new/x", "../second/.git", ".git/worktrees/second/HEAD"] {
        assert_eq!(answer(repo.dir.join(own)), "", "{own}");
    }
}

#[test]
fn an_instance_of_the_environment_is_only_of_the_agent_that_it_is_meant_for() {
    let env = TestEnvironment::new();
    let repo = recorded(&env);
    let given = |agent: &str, name: &str, session: &str, instance: &str| {
        let call = call(&repo, agent, name, session).to_string();
        let ended = hook_given(&repo, agent, call.as_bytes(), &[("AIO_INSTANCE", instance)]);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{agent} {name}");
        ended.stdout
    };
    let codex = repo.register("codex");
    repo.ok_as(&codex, &["claim", "a.txt"]);
    refused(&given("claude", "PreToolUse-Edit", "s1", &codex));
    given("claude", "SessionEnd", "s1", &codex);
    given("codex", "SessionEnd", "s0", &codex);
    assert!(is_here(&repo, &codex), "it is neither the one's nor yet the other's");
    assert_eq!(claims(&repo, "a.txt")[0].0, codex);

    let edit = |session: &str| refusal("codex", &given("codex", "PreToolUse-apply_patch", session, &codex));
    assert_eq!(edit("s1"), None, "the agent that it was made for");
    assert!(edit("s2").is_some(), "another session in the same shell");
    given("codex", "SessionEnd", "s2", &codex);
    assert!(is_here(&repo, &codex));
    assert_eq!(claims(&repo, "m.txt")[0].0, codex);
    given("codex", "SessionEnd", "s1", &codex);
    assert!(!is_here(&repo, &codex));
    assert_eq!(edit("s3"), None, "the next may have it");
    assert_eq!(claims(&repo, "m.txt")[0].0, codex);
}

#[test]
fn a_call_that_asks_nothing_is_not_stopped_when_it_can_not_be_understood() {
    let env = TestEnvironment::new();
    let repo = recorded(&env);
    for (agent, payload, code, answer) in [
        ("claude", json!({ "hook_event_name": "Stop", "session_id": 1 }), 0, ""),
        ("claude", json!({ "hook_event_name": "UserPromptSubmit", "cwd": ["x"] }), 0, ""),
        ("claude", json!({ "hook_event_name": "Notification", "cwd": 1 }), 0, ""),
        ("codex", json!({ "hook_event_name": "Stop", "session_id": 1 }), 0, "{}\n"),
        ("claude", json!({ "hook_event_name": "PreToolUse", "cwd": 1 }), 2, ""),
        ("gemini", json!({ "hook_event_name": "BeforeTool", "cwd": 1 }), 2, ""),
        ("claude", json!({ "session_id": "s1" }), 2, ""),
        ("claude", json!({ "hook_event_name": 1 }), 2, ""),
    ] {
        let ended = hook_given(&repo, agent, payload.to_string().as_bytes(), &[]);
        assert_eq!((ended.code, ended.stdout.as_str()), (code, answer), "{agent}: {payload}");
        assert!(ended.stderr.contains("can't be understood"), "{}", ended.stderr);
    }
}

#[test]
fn of_an_edit_that_one_repository_refuses_nothing_is_claimed_in_another() {
    let env = TestEnvironment::new();
    let repo = recorded(&env);
    let other = env.repo_with("other", Refs::Files, "sha1", &[("b.txt", "b\n")]);
    other.git(&["config", "aio.autoClaim", "true"]);
    other.ok(&["init", "--quiet"]);
    let patch = |held: &str, free: &str| {
        let mut edit = call(&repo, "codex", "PreToolUse-apply_patch", "s1");
        let touch = |path: &str| format!("*** Update File: {path}\n@@\n-x\n+y\n");
        edit["tool_input"]["command"] =
            format!("*** Begin Patch\n{}{}*** End Patch\n", touch(free), touch(held)).into();
        refusal("codex", &hook(&repo, "codex", &edit))
    };
    let there = other.dir.join("b.txt");
    let holder = repo.register("aider");
    repo.ok_as(&holder, &["claim", "a.txt"]);
    assert!(patch("a.txt", there.to_str().unwrap()).is_some());
    assert_eq!(claims(&other, "b.txt"), []);
    assert_eq!(patch("m.txt", there.to_str().unwrap()), None);
    assert_eq!((claims(&other, "b.txt").len(), claims(&repo, "m.txt").len()), (1, 1));
}

#[test]
fn an_agent_commits_as_whom_its_hooks_have_claimed_for() {
    let env = TestEnvironment::new();
    let repo = recorded(&env);
    let around = repo.register("codex");
    let edit = call(&repo, "claude", "PreToolUse-Edit", "s1").to_string();
    let run_as = |instance: &str, mut command: std::process::Command| {
        let vars = [("CLAUDECODE", "1"), ("CLAUDE_CODE_SESSION_ID", "s1"), ("AIO_INSTANCE", instance)];
        ended(&command.envs(vars).output().unwrap())
    };
    let whoami = |instance: &str| run_as(instance, repo.command(&["whoami", "--json"])).stdout;
    assert!(whoami(&around).contains(&around), "nothing is known of the session yet");
    hook_given(&repo, "claude", edit.as_bytes(), &[("AIO_INSTANCE", &around)]);
    let me = claims(&repo, "a.txt")[0].0.clone();
    assert!(me.starts_with("claude-"), "{me}");
    repo.write("a.txt", "two\n");
    let mut commit = env.command("git", &repo.dir);
    commit.args(["commit", "-qam", "two"]);
    let committed = run_as(&around, commit);
    assert_eq!((committed.code, committed.stderr.as_str()), (0, ""));
    assert!(whoami(&around).contains(&me));
    let delegate = run_as("", repo.command(&["register", "mybot"])).stdout.trim().to_owned();
    assert!(whoami(&delegate).contains(&delegate), "what the session has registered itself it may name");
    let named = run_as(&around, repo.command(&["--as", &around, "whoami", "--json"])).stdout;
    assert!(named.contains(&around), "{named}");
}
