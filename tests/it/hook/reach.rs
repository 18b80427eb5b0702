//! Whom the fence at the edit stops, wherever it is called from, and whom it leaves alone.

use super::*;

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
