//! Looking and mending, at the terminal.

use crate::env::{Refs, Repo, TestEnvironment};
use std::{fs, os::unix::fs::PermissionsExt as _};

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
    assert_eq!((&dump["schema"], &dump["schemaVersion"]), (&1.into(), &1.into()));
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

/// A repository whose hub is bare and has this in its hook `update`, which is asked for every ref.
fn with_host<'e>(env: &'e TestEnvironment, update: &str) -> (Repo<'e>, Repo<'e>) {
    let repo = env.repo();
    repo.git(&["init", "-q", "--bare", "../hub.git"]);
    let hub = Repo { env, dir: env.path().join("hub.git") };
    let hook = hub.dir.join("hooks/update");
    fs::write(&hook, format!("#!/bin/sh\n{update}\n")).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    repo.git(&["remote", "add", "origin", "../hub.git"]);
    repo.git(&["config", "aio.backgroundSync", "false"]);
    repo.ok(&["init", "--remote", "origin"]);
    (repo, hub)
}

/// What a probe says of the hub, and how it ends.
fn probe(repo: &Repo<'_>) -> (i32, Vec<String>) {
    let told = repo.aio(&["doctor", "--remote"]);
    let hub = told.stdout.lines().filter(|line| line[8..].starts_with("hub ") && !line[8..].starts_with("hub  "));
    (told.code, hub.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect())
}

#[test]
fn a_host_that_allows_all_is_told_to_and_left_as_it_was() {
    for url in [None, Some("file://")] {
        let env = TestEnvironment::new();
        let (repo, hub) = with_host(&env, "exit 0");
        if let Some(scheme) = url {
            repo.git(&["remote", "set-url", "origin", &format!("{scheme}{}", hub.dir.display())]);
        }
        let (code, told) = probe(&repo);
        let expected = [
            "ok hub host origin answers",
            "ok hub create refs can be created",
            "ok hub update they can be moved forward",
            "ok hub overtaken whoever was overtaken is refused",
            "ok hub lease they can be moved elsewhere, with a lease",
            "ok hub delete refs can be deleted",
        ];
        assert_eq!((code, told), (0, expected.map(String::from).into()));
        assert_eq!(hub.git(&["for-each-ref"]), "");
        let remembered = repo.ok(&["doctor"]);
        let line = remembered.lines().find(|line| line.contains("host of the hub")).unwrap();
        assert!(line.ends_with("it allows to create, update, refuse who was overtaken, move with a lease, delete"));
        let json = repo.json_as("", &["doctor", "--remote=origin"]);
        let checks = json["checks"].as_array().unwrap();
        assert!(checks.iter().any(|check| check["name"] == "hub overtaken" && check["ok"] == true), "{json}");
    }
}

#[test]
fn a_host_that_takes_branches_only_is_told_with_the_way_on() {
    let env = TestEnvironment::new();
    let (repo, hub) = with_host(&env, "case $1 in refs/heads/*|refs/tags/*) ;; *) echo not here >&2; exit 1;; esac");
    let (code, told) = probe(&repo);
    assert_eq!(code, 1);
    assert!(told[1].starts_with("failed hub create refs/aio-presence/probe-"), "{told:?}");
    assert!(told[1].contains("aio.refPrefix refs/heads/aio"), "{told:?}");
    assert!(told[2..].iter().take(3).all(|line| line.starts_with("odd hub ")), "{told:?}");
    let remembered = repo.aio(&["doctor"]);
    assert_eq!(remembered.code, 1);
    assert!(remembered.stdout.contains("it doesn't allow to create, update,"), "{}", remembered.stdout);
    repo.git(&["config", "aio.refPrefix", "refs/heads/aio"]);
    assert!(!repo.ok(&["doctor"]).contains("host of the hub"), "of these refs nothing is known yet");
    let (code, told) = probe(&repo);
    assert_eq!((code, told.len()), (0, 6), "{told:?}");
    assert_eq!(hub.git(&["for-each-ref"]), "");
}

#[test]
fn what_a_host_forbids_is_told_with_what_it_costs() {
    let env = TestEnvironment::new();
    let (repo, hub) = with_host(&env, "exit 0");
    // git itself forbids these of branches only.
    repo.git(&["config", "aio.refPrefix", "refs/heads/aio"]);
    hub.git(&["config", "receive.denyNonFastForwards", "true"]);
    let (code, told) = probe(&repo);
    assert_eq!(code, 1);
    assert!(told[4].starts_with("failed hub lease refs/heads/aio/probe-") && told[4].contains("compact"), "{told:?}");
    assert_eq!(hub.git(&["for-each-ref"]), "");
    hub.git(&["config", "receive.denyNonFastForwards", "false"]);
    hub.git(&["config", "receive.denyDeletes", "true"]);
    let (code, told) = probe(&repo);
    assert_eq!(code, 0, "nothing needs it");
    assert!(told[5].starts_with("odd hub delete refs/heads/aio/probe-") && told[5].ends_with("stay there"), "{told:?}");
    assert_eq!(hub.git(&["for-each-ref"]).lines().count(), 2);
    repo.ok(&["sync"]);
    let second = Repo { env: &env, dir: env.path().join("second") };
    repo.git(&["clone", "-q", "../hub.git", "../second"]);
    second.git(&["config", "aio.refPrefix", "refs/heads/aio"]);
    second.ok(&["init", "--remote", "origin"]);
    second.ok(&["sync"]);

    let env = TestEnvironment::new();
    let (repo, hub) = with_host(&env, "none=$(printf %040d 0); [ $2 = $none ] || [ $3 = $none ]");
    let (code, _) = probe(&repo);
    assert_eq!((code, hub.git(&["for-each-ref"]).as_str()), (1, ""), "what can't be moved is removed");
}

#[test]
fn a_host_that_does_not_decide_is_no_hub() {
    let env = TestEnvironment::new();
    // Before it looks whether the ref is what was expected, this one makes it so.
    let forget = "[ $2 = $(printf %040d 0) ] || git update-ref \"$1\" $2";
    let (repo, hub) = with_host(&env, forget);
    let (code, told) = probe(&repo);
    assert_eq!(code, 1);
    assert!(told[3].starts_with("failed hub overtaken refs/aio/probe-"), "{told:?}");
    assert!(told[3].contains("two clones could both be told"), "{told:?}");
    assert_eq!(hub.git(&["for-each-ref"]), "");
}

#[test]
fn a_hub_that_is_away_or_not_named_can_not_be_tried() {
    let env = TestEnvironment::new();
    let (repo, hub) = with_host(&env, "exit 0");
    fs::rename(&hub.dir, env.path().join("away")).unwrap();
    let (code, told) = probe(&repo);
    assert_eq!((code, told.len()), (7, 1));
    assert!(told[0].starts_with("failed hub host the hub origin can't be reached"), "{told:?}");
    repo.git(&["config", "--unset", "aio.remote"]);
    assert_eq!(repo.aio(&["doctor", "--remote"]).code, 2);
}

#[test]
fn a_repair_lets_go_of_what_was_fetched_and_has_lost_objects() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.git(&["init", "-q", "--bare", "../hub.git"]);
    repo.git(&["remote", "add", "origin", "../hub.git"]);
    repo.git(&["config", "aio.backgroundSync", "false"]);
    repo.ok(&["init", "--remote", "origin"]);
    repo.ok(&["sync"]);
    repo.git(&["fetch", "-q", "origin", "refs/aio/state:refs/aio-sync/origin/state"]);
    let tracking = "refs/aio-sync/origin/state";
    let tip = repo.git(&["rev-parse", tracking]);
    let me = repo.register("codex");
    fs::remove_file(repo.dir.join(format!(".git/objects/{}/{}", &tip[..2], tip[2..].trim()))).unwrap();
    let told = repo.aio(&["doctor", "--repair"]);
    assert!(told.shown().contains(tracking), "{}", told.shown());
    repo.ok_as(&me, &["sync"]);
    assert_eq!(repo.aio(&["doctor"]).code, 0, "{}", repo.aio(&["doctor"]).shown());
}
