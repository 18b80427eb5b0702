//! Looking and mending, at the terminal.

use crate::env::TestEnvironment;
use std::fs;

fn lines<'t>(text: &'t str, word: &str) -> Vec<&'t str> {
    text.lines().filter(|line| line.starts_with(word)).collect()
}

#[test]
fn a_fence_is_proven_by_git_and_missed_when_it_is_gone() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.ok(&["init"]);
    let told = repo.ok(&["doctor"]);
    assert_eq!(lines(&told, "failed"), [""; 0], "{told}");
    assert!(told.contains("pre-commit         tried: git runs it, and it can refuse"), "{told}");

    repo.git(&["config", "core.hooksPath", "nowhere"]);
    let told = repo.aio(&["doctor"]);
    assert_eq!(told.code, 1);
    let names: Vec<_> = lines(&told.stdout, "failed").iter().filter_map(|l| l.split_whitespace().nth(1)).collect();
    assert_eq!(names, ["fence", "pre-commit", "pre-merge-commit", "pre-push"], "{}", told.stdout);
}

#[test]
fn the_store_goes_back_to_its_last_whole_state_and_says_what_was_lost() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.ok(&["init"]);
    let codex = repo.register("codex");
    repo.ok_as(&codex, &["claim", "src/auth/"]);
    repo.ok_as(&codex, &["claim", "src/main.rs"]);
    let tree = repo.git(&["rev-parse", "refs/aio/state^{tree}"]);
    fs::remove_file(repo.dir.join(format!(".git/objects/{}/{}", &tree[..2], tree[2..].trim()))).unwrap();
    assert_ne!(repo.aio(&["status"]).code, 0);
    let looked = repo.aio(&["doctor"]);
    assert_eq!(looked.code, 1);
    assert!(looked.stderr.contains("`git aio doctor --repair` mends the store"), "{}", looked.stderr);

    let mended = repo.ok(&["doctor", "--repair"]);
    let done = lines(&mended, "ok      repair");
    assert!(done[0].contains("went back to") && done[0].contains("by 1 operation,"), "{mended}");
    assert!(done[1].contains("claim: src/main.rs (file) by codex-"), "{mended}");
    let status = repo.ok(&["status"]);
    assert!(status.contains("src/auth") && !status.contains("src/main.rs"), "{status}");
    repo.git(&["gc", "--quiet"]);
    assert!(repo.ok(&["doctor", "--repair"]).starts_with("ok      repair             there was nothing to mend\n"));
}

#[test]
fn a_dump_is_one_document() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let codex = repo.register("codex");
    repo.ok_as(&codex, &["claim", "src/main.rs"]);
    repo.ok_as(&codex, &["context", "warning", "mind \u{202e} this"]);
    let dump = repo.ok(&["doctor", "--dump"]);
    assert!(!dump.contains('\u{202e}'), "nothing that turns the reading round");
    let dump: serde_json::Value = serde_json::from_str(&dump).unwrap();
    assert_eq!(dump["schemaVersion"], 1);
    assert_eq!(dump["instances"][&codex]["tool"], "codex");
    assert_eq!(dump["claims"].as_object().unwrap().values().next().unwrap()["target"], "src/main.rs");
    assert_eq!(dump["context"][0]["category"], "warning");
    assert_eq!(dump["context"][0]["text"], "mind \u{202e} this");
}
