//! Work in a work tree of its own, and what comes back from it.

use super::*;

const ARGS: &[&str] = &["--agent", "claude", "--scope", "src/auth/", "--isolate", "--retry", "0"];

/// Waits for a file that is in no work tree.
const GO: &str = "until [ -e \"$HOME/go\" ]; do sleep 0.02; done";

fn trees(repo: &Repo<'_>) -> usize {
    repo.git(&["worktree", "list"]).lines().count()
}

#[test]
fn the_main_tree_is_as_it_was_until_the_changes_come_back() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    repo.write(".gitignore", "out/\n");
    repo.write("src/auth/token.rs", "fn token() { mine_and_not_committed() }\n");
    repo.write("src/auth/new.rs", "untracked\n");
    repo.git(&["status", "--short"]);
    let before = snapshot(&repo);
    agents.plays(
        "claude",
        &[
            Do::Run("cat src/auth/token.rs src/auth/new.rs >src/auth/seen.rs; rm src/auth/new.rs"),
            Do::Edit("src/auth/login.rs", "fn login() { true }\n"),
            Do::Edit("out/big.o", "ignored\n"),
            Do::Run(GO),
            Do::Say("Done."),
        ],
    );
    let ended = thread::scope(|scope| {
        let run = scope.spawn(|| delegate(&repo, ARGS));
        wait_for("claude", || !agents.calls("claude").is_empty());
        let dir = agents.calls("claude")[0].dir.clone();
        assert_ne!(dir, repo.dir);
        wait_for("the edit", || exists(&dir, "out/big.o"));
        assert_eq!((snapshot(&repo), trees(&repo)), (before, 2));
        fs::write(env.path().join("home/go"), "").unwrap();
        run.join().unwrap()
    });
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stderr.contains("what git ignores went with its work tree: out"), "{}", ended.stderr);
    let read = |name: &str| fs::read_to_string(repo.dir.join("src/auth").join(name)).unwrap_or_default();
    assert_eq!(read("seen.rs"), "fn token() { mine_and_not_committed() }\nuntracked\n");
    assert_eq!((&read("login.rs")[..], &read("new.rs")[..]), ("fn login() { true }\n", ""));
    assert!(!exists(&repo.dir, "out") && trees(&repo) == 1);
    assert_free(&repo);
}

#[test]
fn what_is_not_usable_does_not_come_back() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    repo.git(&["status", "--short"]);
    let before = snapshot(&repo);
    for (acts, kind) in [
        (&[Do::Edit("src/auth/login.rs", "BROKEN\n"), Do::Say("Done.")][..], "check"),
        (&[Do::Edit("src/auth/login.rs", "x\n"), Do::Edit("src/main.rs", "x\n"), Do::Say("Done.")], "scope"),
        (&[Do::Edit("src/auth/login.rs", "x\n"), Do::Exit(1)], "exit"),
    ] {
        agents.plays("claude", acts);
        let (told, code) = told(&repo, ARGS);
        assert_eq!(tries(&told), [format!("claude {kind}")], "{code}: {told:#}");
        assert_eq!((snapshot(&repo), trees(&repo)), (before.clone(), 1));
        assert_free(&repo);
        assert!(repo.ok(&["run", "diff"]).contains("src/auth/login.rs"));
    }
}

#[test]
fn a_conflict_in_the_main_tree_is_told_and_nothing_is_written_over() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays(
        "claude",
        &[
            Do::Edit("src/auth/login.rs", "theirs\n"),
            Do::Edit("src/auth/token.rs", "theirs\n"),
            Do::Run(GO),
            Do::Say("Done."),
        ],
    );
    let (told, code) = thread::scope(|scope| {
        let run = scope.spawn(|| told(&repo, ARGS));
        wait_for("claude", || !agents.calls("claude").is_empty());
        repo.write("src/auth/login.rs", "mine\n");
        fs::write(env.path().join("home/go"), "").unwrap();
        run.join().unwrap()
    });
    assert_eq!((code, tries(&told)), (1, vec!["claude conflict".to_owned()]), "{told:#}");
    assert!(told["run"]["steps"][0]["failure"]["text"].as_str().unwrap().contains("src/auth/login.rs"), "{told:#}");
    let read = |name: &str| fs::read_to_string(repo.dir.join("src/auth").join(name)).unwrap();
    assert_eq!((read("login.rs"), read("token.rs"), trees(&repo)), ("mine\n".into(), "fn token() {}\n".into(), 1));
    assert!(repo.ok(&["run", "diff"]).contains("+theirs"));
}

#[test]
fn it_is_committed_in_the_main_tree() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Edit("src/auth/new.rs", "fn new() {}\n"), Do::Say("Done.")]);
    let (told, code) = told(&repo, &[ARGS, &["--commit"]].concat());
    assert_eq!(code, 0, "{told:#}");
    assert_eq!(repo.git(&["show", "--format=%s", "--name-only", "main"]), "Fix the login.\n\nsrc/auth/new.rs\n");
    assert_eq!((repo.git(&["status", "--porcelain"]), trees(&repo)), (String::new(), 1));
}
