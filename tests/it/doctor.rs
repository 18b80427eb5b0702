//! Looking and mending, at the terminal.

use crate::env::{Refs, Repo, TestEnvironment};
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

/// What a check says, and the word before it.
fn checked<'t>(told: &'t str, name: &str) -> (&'t str, &'t str) {
    let mut lines = told.lines().filter_map(|line| line.split_once("  "));
    let (word, rest) = lines.find(|(_, rest)| rest.trim_start().starts_with(name)).unwrap();
    (word.trim(), rest.trim_start()[name.len()..].trim_start())
}

#[test]
fn a_setting_that_makes_no_sense_is_told_and_keeps_nobody_from_looking() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.ok(&["init"]);
    repo.git(&["config", "aio.gaurd", "off"]);
    let told = repo.ok(&["doctor"]);
    let config = repo.dir.join(".git/config");
    let unknown = format!("there is no key aio.gaurd, perhaps aio.guard is meant: from {}", config.display());
    assert_eq!(checked(&told, "settings"), ("odd", unknown.as_str()));
    repo.git(&["config", "aio.staleAfter", "soon"]);
    assert_eq!(repo.aio(&["status"]).code, 2);
    let told = repo.aio(&["doctor"]);
    assert_eq!((told.code, lines(&told.stdout, "failed").len()), (1, 1), "{}", told.stdout);
    let bad = format!("aio.staleAfter is 'soon', which is not a duration such as 5m or 2h: from {}", config.display());
    assert_eq!(checked(&told.stdout, "settings"), ("failed", format!("{bad}; {unknown}").as_str()));
    let answer: serde_json::Value = serde_json::from_str(&repo.aio(&["doctor", "--json"]).stdout).unwrap();
    assert_eq!(answer["checks"][2]["ok"], false);
    assert_eq!(answer["checks"][3]["ok"], true);
}

#[test]
fn settings_for_one_command_are_heeded_as_by_git() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.ok(&["init"]);
    repo.git(&["config", "aio.guard", "off"]);
    let fence = |args: &[&str]| {
        let ended = repo.try_git(&[args, &["aio", "doctor"]].concat());
        checked(&ended.stdout, "fence").1.to_owned()
    };
    assert!(fence(&[]).contains("aio.guard is off"));
    assert!(fence(&["-c", "aio.guard=warn"]).contains("aio.guard is warn"));
    let bad = repo.try_git(&["-c", "aio.fsync=it's", "aio", "status"]);
    assert_eq!(bad.code, 2);
    assert!(bad.stderr.contains("aio.fsync is 'it's', which is not true or false"), "{}", bad.stderr);
    assert!(bad.stderr.contains("hint: it comes from the command line (git -c)"), "{}", bad.stderr);
}

#[test]
fn hooks_that_the_environment_turns_off_are_no_fence_taken_down() {
    let mut env = TestEnvironment::new();
    for (name, value) in [("COUNT", "1"), ("KEY_0", "core.hooksPath"), ("VALUE_0", "/dev/null")] {
        env.set(&format!("GIT_CONFIG_{name}"), value);
    }
    let repo = env.repo();
    repo.ok(&["init"]);
    let codex = repo.register("codex");
    let claimed = repo.aio_as(&codex, &["claim", "src/main.rs"]);
    assert_eq!((claimed.code, claimed.stderr.as_str()), (0, ""));
    let told = repo.ok(&["doctor"]);
    let expected = "git's hooks call it; but the environment (GIT_CONFIG_COUNT) sets core.hooksPath, \
                    which git goes by instead";
    assert_eq!(checked(&told, "fence"), ("odd", expected));
}

#[test]
fn a_clone_that_lost_its_folder_knows_its_own_instances_by_the_reflog() {
    let env = TestEnvironment::new();
    for refs in [Refs::Files, Refs::Reftable] {
        let repo = env.repo_with(&format!("{refs:?}"), refs, "sha1", &[("a", "1\n")]);
        let codex = repo.register("codex");
        repo.ok_as(&codex, &["claim", "a"]);
        let id = fs::read(repo.dir.join(".git/aio/clone")).unwrap();
        fs::remove_dir_all(repo.dir.join(".git/aio")).unwrap();
        let told = repo.aio(&["doctor"]).stdout;
        let (word, instances) = checked(&told, "instances");
        assert_eq!(word, "odd", "{told}");
        assert!(instances.starts_with("1 registered; with no file in aio/live"), "{instances}");
        assert_eq!(fs::read(repo.dir.join(".git/aio/clone")).unwrap(), id);
        let claude = repo.register("claude");
        assert_eq!(repo.aio_as(&claude, &["claim", "a"]).code, 3, "it registered a moment ago");
        let later = "2099-01-01T00:00:00Z";
        assert_eq!(repo.aio_at(later, &claude, &["claim", "a"]).code, 0, "it doesn't live for ever");
    }
}

#[test]
fn instances_of_another_clone_are_named_apart() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let codex = repo.register("codex");
    repo.ok_as(&codex, &["claim", "src/main.rs"]);
    repo.git(&["clone", "-q", ".", "../other"]);
    let other = Repo { env: &env, dir: env.path().join("other") };
    other.git(&["-c", "core.logAllRefUpdates=always", "fetch", "-q", "origin", "refs/aio/state:refs/aio/state"]);
    let claude = other.register("claude");
    let told = other.aio(&["doctor"]).stdout;
    let apart = "1 registered; of other clones, which are not judged from here; \
                 `git aio release --force` ends their claims: ";
    assert_eq!(checked(&told, "instances"), ("odd", format!("{apart}{codex}").as_str()));
    assert_eq!(other.aio_at("2099-01-01T00:00:00Z", &claude, &["claim", "src/main.rs"]).code, 3);
    let lost = other.dir.join(".git/aio");
    fs::remove_dir_all(&lost).unwrap();
    fs::remove_file(other.dir.join(".git/logs/refs/aio/state")).unwrap();
    let told = other.aio(&["doctor"]).stdout;
    assert!(checked(&told, "instances").1.starts_with("0 registered; of other clones"), "{told}");
}
