//! What an agent may write, what becomes of what it wrote elsewhere, and how its scope is put back.

use super::*;

/// A work tree with whatever is hard to put back: files of the user's that are changed, staged, not known to git, with
/// other line ends, executable, links, deleted, and stashes.
fn untidy<'e>(env: &'e TestEnvironment) -> (Agents, Repo<'e>) {
    let (agents, repo) = checked(env);
    repo.write("src/windows.txt", "one\r\ntwo\r\n");
    repo.write("src/both.txt", "one\r\ntwo\n");
    repo.write("src/tool.sh", "#!/bin/sh\n");
    repo.write("src/gone.rs", "fn gone() {}\n");
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-q", "-m", "more"]);
    repo.write("README.md", "# stashed\n");
    repo.git(&["stash", "-q"]);
    fs::set_permissions(repo.dir.join("src/tool.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(repo.dir.join("src/gone.rs")).unwrap();
    repo.write("src/main.rs", "fn main() { staged() }\n");
    repo.write("src/new.rs", "staged\n");
    repo.git(&["add", "src/main.rs", "src/new.rs"]);
    repo.write("src/main.rs", "fn main() { staged_and_changed() }\n");
    repo.write("src/untracked/deep.rs", "mine\r\n");
    std::os::unix::fs::symlink("main.rs", repo.dir.join("src/link.rs")).unwrap();
    // The index learns the times of files that were not written since; that is no change of ours.
    repo.git(&["status", "--short"]);
    (agents, repo)
}

const HAVOC: &str = "cd src; printf 'x\\n' >windows.txt; printf 'x\\r\\n' >both.txt; chmod -x tool.sh; echo x >gone.rs; \
                     echo BROKEN >main.rs; rm -r new.rs untracked link.rs auth; mkdir auth; echo x >auth/login.rs; \
                     echo x >more.rs; ln -s / link.rs; chmod +x main.rs";

#[test]
fn a_failed_attempt_leaves_the_scope_byte_for_byte_as_it_was() {
    for acts in [
        &[Do::Run(HAVOC), Do::Say("Done.")][..],
        &[Do::Run(HAVOC), Do::Exit(1)],
        &[Do::Run(HAVOC), Do::Error("overloaded")],
        &[Do::Run(HAVOC), Do::Say("")],
        &[Do::Run(HAVOC), Do::Stall],
    ] {
        let env = TestEnvironment::new();
        let (agents, repo) = untidy(&env);
        agents.plays("codex", acts);
        let before = snapshot(&repo);
        let (told, code) = told(&repo, &["--agent", "codex", "--scope", "src/", "--retry", "0", "--stall", "1s"]);
        assert_ne!(code, 0, "{told:#}");
        assert_eq!(snapshot(&repo), before, "{acts:?}");
        assert_free(&repo);
        // What it did is kept, for whoever wants to see it.
        let diff = repo.ok(&["run", "diff"]);
        assert!(diff.contains("+BROKEN") && diff.contains("b/src/more.rs"), "{diff}");
    }
}

#[test]
fn files_that_git_converts_are_put_back_byte_for_byte_too() {
    // Wherever it is said, and whether git knows that file or not.
    for (attributes, is_known) in [
        (".gitattributes", true),
        ("src/.gitattributes", true),
        ("src/deep/.gitattributes", true),
        ("src/deep/.gitattributes", false),
    ] {
        let env = TestEnvironment::new();
        let (agents, repo) = checked(&env);
        repo.write(attributes, "*.txt text=auto\n*.dos text eol=crlf\n");
        let files = [("windows.txt", "one\r\ntwo\r\n"), ("both.txt", "one\r\ntwo\n"), ("unix.txt", "one\n")];
        let files = files.iter().chain(&[("a.dos", "one\r\n")]);
        files.for_each(|(name, text)| repo.write(&format!("src/deep/{name}"), text));
        repo.git(&["add", "src/deep/*.txt", "src/deep/*.dos"]);
        if is_known {
            repo.git(&["add", attributes]);
        }
        repo.git(&["commit", "-q", "-m", "more"]);
        repo.git(&["status", "--short"]);
        agents.plays(
            "codex",
            &[Do::Run("for file in src/deep/*.txt src/deep/*.dos; do echo x >$file; done"), Do::Exit(1)],
        );
        let before = snapshot(&repo);
        let (told, code) = told(&repo, &["--agent", "codex", "--scope", "src/", "--retry", "0"]);
        assert_eq!(code, 1, "{told:#}");
        assert!(snapshot(&repo) == before, "{attributes} {is_known}: {:?}", repo.git(&["status", "--short"]));
    }
}

#[test]
fn a_write_outside_of_the_scope_fails_the_attempt_and_is_told() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays(
        "codex",
        &[
            Do::Edit("src/auth/login.rs", "inside\n"),
            Do::Edit("src/main.rs", "outside\n"),
            Do::Edit("odd.txt", "new\n"),
            Do::Say("Done."),
        ],
    );
    let before = snapshot(&repo);
    let (told, code) = told(&repo, &["--agent", "codex", "--scope", "src/auth/", "--retry", "0"]);
    assert_eq!((code, tries(&told)), (4, vec!["codex scope".to_owned()]), "{told:#}");
    let text = told["run"]["steps"][0]["failure"]["text"].as_str().unwrap();
    assert_eq!(text, "it changed what is not in its scope: odd.txt, src/main.rs");
    let after = snapshot(&repo);
    assert_eq!(after.files["src/auth/login.rs"], before.files["src/auth/login.rs"]);
    // Whose these are nobody can tell for certain, and so they are named and stay.
    assert_eq!(after.files["src/main.rs"].1, b"outside\n");
    assert_free(&repo);
}

#[test]
fn what_an_agent_has_committed_itself_is_seen_all_the_same() {
    let both = |name| [("src/main.rs", name, "scope"), ("src/auth/login.rs", name, "check")];
    for (file, name, expected) in CLIS.into_iter().flat_map(both) {
        let env = TestEnvironment::new();
        let (agents, repo) = checked(&env);
        agents.plays(
            name,
            &[Do::Edit(file, "BROKEN\n"), Do::Run("git add -A && git commit -qm sneaky"), Do::Say("Done.")],
        );
        let before = snapshot(&repo);
        let (told, code) = told(&repo, &["--agent", name, "--scope", "src/auth/", "--retry", "0"]);
        assert_eq!((code, tries(&told)), (4, vec![format!("{name} {expected}")]), "{told:#}");
        assert_eq!(repo.git(&["diff", "--name-only"]), if expected == "scope" { "" } else { "src/auth/login.rs\n" });
        assert_eq!(repo.git(&["log", "-1", "--format=%s"]), "sneaky\n");
        // A commit of its own is told by git; the file in the scope is as it was.
        assert_eq!(snapshot(&repo).files["src/auth/login.rs"], before.files["src/auth/login.rs"]);
    }
}

#[test]
fn what_somebody_else_holds_or_held_meanwhile_is_not_held_against_an_agent() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays_when(
        "codex",
        "the login",
        &[Do::Edit("src/auth/login.rs", "a\n"), Do::WaitFor("../go"), Do::Say("Done.")],
    );
    agents.plays_when("claude", "the main", &[Do::Edit("src/main.rs", "b\n"), Do::Say("Done.")]);
    let other = repo.register("claude");
    repo.ok_as(&other, &["claim", "README.md"]);
    thread::scope(|scope| {
        let first = scope.spawn(|| told(&repo, &["--agent", "codex", "--scope", "src/auth/", "--retry", "0"]));
        wait_for("codex", || !agents.calls("codex").is_empty());
        // One that holds it still, and a delegation that is begun and over meanwhile.
        repo.write("README.md", "# changed\n");
        let second = repo.aio(&["delegate", "Fix the main.", "--agent", "claude", "--scope", "src/main.rs"]);
        assert_eq!(second.code, 0, "{second:?}");
        fs::write(env.path().join("go"), "").unwrap();
        let (told, code) = first.join().unwrap();
        assert_eq!((code, tries(&told)), (0, vec!["codex ok".to_owned()]), "{told:#}");
        assert_eq!(told["run"]["steps"][0]["files"], Value::from(vec!["src/auth/login.rs"]));
    });
}

#[test]
fn a_scope_that_somebody_else_holds_is_told_and_nothing_started() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("codex", &[Do::Say("Done.")]);
    let other = repo.register("claude");
    repo.ok_as(&other, &["claim", "src/auth/login.rs"]);
    let (told, code) = told(&repo, &["--agent", "codex,codex", "--scope", "src/main.rs", "--scope", "src/auth/"]);
    assert_eq!((code, tries(&told)), (3, vec!["codex held".to_owned()]), "{told:#}");
    assert!(told["run"]["steps"][0]["failure"]["text"].as_str().unwrap().contains(&other), "{told:#}");
    assert!(agents.calls("codex").is_empty());
    // All or none.
    let claims = repo.json_as(&other, &["status"])["claims"].clone();
    assert_eq!(claims.as_array().unwrap().len(), 1, "{claims}");
}

#[test]
fn whoever_holds_the_scope_itself_is_told_to_release_it() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("codex", &[Do::Say("Done.")]);
    let me = repo.register("claude");
    repo.ok_as(&me, &["claim", "src/auth/"]);
    let ended = repo.aio_as(&me, &["delegate", "Fix it.", "--agent", "codex", "--scope", "src/auth/"]);
    assert!(ended.code == 3 && ended.stderr.contains("that is you, and a worker has to hold it itself"), "{ended:?}");
}

#[test]
fn a_scope_that_somebody_else_holds_is_waited_for() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("codex", &[Do::Say("Done.")]);
    let other = repo.register("claude");
    repo.ok_as(&other, &["claim", "src/auth/login.rs"]);
    let impatient = delegate(&repo, &["--agent", "codex", "--scope", "src/auth/", "--wait=1s"]);
    assert!(impatient.code == 3 && impatient.stderr.contains(" wait ["), "{impatient:?}");
    thread::scope(|scope| {
        let waits = scope.spawn(|| told(&repo, &["--agent", "codex", "--scope", "src/auth/", "--wait"]));
        wait_for("it waits", || repo.ok(&["run", "list"]).contains("running"));
        thread::sleep(Duration::from_millis(300));
        assert!(agents.calls("codex").is_empty());
        repo.ok_as(&other, &["release", "all"]);
        let (told, code) = waits.join().unwrap();
        assert_eq!((code, tries(&told)), (0, vec!["codex ok".to_owned()]), "{told:#}");
    });
}

#[test]
fn a_claim_that_is_lost_while_an_agent_works_fails_the_attempt() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("codex", &[Do::Edit("src/auth/login.rs", "mine\n"), Do::WaitFor("../go"), Do::Say("Done.")]);
    let other = repo.register("claude");
    thread::scope(|scope| {
        let first = scope.spawn(|| told(&repo, &["--agent", "codex", "--scope", "src/auth/", "--retry", "0"]));
        wait_for("the edit", || fs::read_to_string(repo.dir.join("src/auth/login.rs")).unwrap() == "mine\n");
        let claim = repo.json_as(&other, &["status"])["claims"][0]["id"].as_str().unwrap().to_owned();
        repo.ok(&["release", &claim, "--force", "--why", "urgent"]);
        repo.ok_as(&other, &["claim", "src/auth/login.rs"]);
        repo.write("src/auth/login.rs", "theirs\n");
        fs::write(env.path().join("go"), "").unwrap();
        let (told, code) = first.join().unwrap();
        assert_eq!((code, tries(&told)), (1, vec!["codex claim_lost".to_owned()]), "{told:#}");
    });
    // It is another's now, and what they wrote is theirs.
    assert_eq!(fs::read_to_string(repo.dir.join("src/auth/login.rs")).unwrap(), "theirs\n");
}

const OWN: &str = "[verify]\ntest = \"sh check.sh\"\n[tools.own]\ncommand = [\"own\"]\n";

#[test]
fn who_may_change_nothing_and_does_fails_even_where_no_cli_keeps_it_from_that() {
    let commits: &[Do<'_>] =
        &[Do::Edit("src/main.rs", "sneaky\n"), Do::Run("git add -A && git commit -qm sneaky"), Do::Say("Only looked.")];
    let edits: &[Do<'_>] = &[Do::Edit("src/main.rs", "x\n"), Do::Edit("odd.txt", "x\n"), Do::Say("Only looked.")];
    for (name, acts, changed) in [
        ("amp", edits, "odd.txt, src/main.rs"),
        ("own", edits, "odd.txt, src/main.rs"),
        ("amp", commits, "src/main.rs"),
        ("own", commits, "src/main.rs"),
    ] {
        let env = TestEnvironment::new();
        let (agents, repo) = place(&env, OWN);
        agents.plays(name, acts);
        agents.plays(name, &[Do::Say("Looked.")]);
        let before = snapshot(&repo);
        let (told, code) = told(&repo, &["--agent", name, "--retry", "0"]);
        assert_eq!((code, tries(&told)), (4, vec![format!("{name} scope")]), "{acts:?}: {told:#}");
        let text = told["run"]["steps"][0]["failure"]["text"].as_str().unwrap();
        assert!(text.starts_with(&format!("it was to change nothing, and changed {changed}")), "{text}");
        let after = snapshot(&repo);
        // What its own stream says that it edited is put back; of the other it has not said anything.
        let is_own = name == "amp";
        assert_eq!(after.files.get("src/main.rs") == before.files.get("src/main.rs"), is_own, "{name} {acts:?}");
        assert_eq!(after.files.contains_key("odd.txt"), !is_own && changed.contains("odd"), "{name} {acts:?}");
        assert_eq!(text.contains("left as it is"), !is_own, "{text}");
        assert!(repo.ok(&["run", "diff"]).contains("b/src/main.rs"));
        assert_free(&repo);
        // One that only reads is not told from others.
        assert_eq!(delegate(&repo, &["--agent", name]).stdout, "Looked.\n");
    }
}

#[test]
fn what_others_hold_or_had_begun_to_change_is_no_fault_of_who_may_change_nothing() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, OWN);
    agents.plays("amp", &[Do::Edit("src/main.rs", "theirs\n"), Do::WaitFor("../go"), Do::Say("Looked.")]);
    repo.write("README.md", "# begun\n");
    let other = repo.register("claude");
    repo.ok_as(&other, &["claim", "src/main.rs"]);
    thread::scope(|scope| {
        let first = scope.spawn(|| told(&repo, &["--agent", "amp", "--retry", "0"]));
        wait_for("the edit", || fs::read_to_string(repo.dir.join("src/main.rs")).unwrap() == "theirs\n");
        fs::write(env.path().join("go"), "").unwrap();
        let (told, code) = first.join().unwrap();
        assert_eq!((code, tries(&told)), (0, vec!["amp ok".to_owned()]), "{told:#}");
    });
    assert_eq!(fs::read_to_string(repo.dir.join("src/main.rs")).unwrap(), "theirs\n");
    // What was changed already is somebody's work, though it is this one that changes it now.
    agents.plays("amp", &[Do::Edit("README.md", "# over it\n"), Do::Say("Looked.")]);
    agents.plays("amp", &[Do::Run("git aio claim odd.txt"), Do::Edit("odd.txt", "mine\n"), Do::Say("Looked.")]);
    let (over, code) = told(&repo, &["--agent", "amp", "--retry", "0"]);
    assert_eq!((code, tries(&over)), (4, vec!["amp scope".to_owned()]), "{over:#}");
    assert_eq!(fs::read_to_string(repo.dir.join("README.md")).unwrap(), "# over it\n");
    // A claim of its own is no excuse.
    let (claimed, code) = told(&repo, &["--agent", "amp", "--retry", "0"]);
    assert_eq!((code, tries(&claimed)), (4, vec!["amp scope".to_owned()]), "{claimed:#}");
    assert!(!exists(&repo.dir, "odd.txt"));
}

#[test]
fn a_reviewer_that_changes_what_it_reviews_has_reviewed_nothing() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, OWN);
    agents.plays("claude", &[Do::Edit("src/auth/login.rs", "fn login() { true }\n"), Do::Say("Done.")]);
    agents.plays(
        "amp",
        &[Do::Edit("src/auth/login.rs", "better\n"), Do::Say("{\"verdict\": \"pass\", \"notes\": \"\"}")],
    );
    let (told, code) = told(&repo, &["--agent", "claude", "--scope", "src/auth/", "--review", "amp"]);
    assert_eq!((code, &told["verdict"]), (4, &"unverified".into()), "{told:#}");
    let checks = told["run"]["steps"][0]["tries"][0]["checks"].to_string();
    assert!(checks.contains("it was to change nothing, and changed src/auth/login.rs"), "{checks}");
    assert_eq!(fs::read_to_string(repo.dir.join("src/auth/login.rs")).unwrap(), "fn login() { true }\n");
}

#[test]
fn what_an_agent_has_somebody_claim_that_it_registers_is_no_excuse_and_they_end_with_it() {
    let helps = "I=$(git aio register helper); AIO_INSTANCE=$I git aio claim docs/; mkdir docs; echo w >docs/w.md";
    let unnamed = format!("unset AIO_INSTANCE; {helps}");
    let gone = format!("{helps}; AIO_INSTANCE=$I git aio unregister");
    for line in [helps, &unnamed, &gone] {
        let env = TestEnvironment::new();
        let (agents, repo) = checked(&env);
        agents.plays("codex", &[Do::Run(line), Do::Edit("src/auth/login.rs", "x\n"), Do::Say("Done.")]);
        let (told, code) = told(&repo, &["--agent", "codex", "--scope", "src/auth/", "--retry", "0"]);
        assert_eq!((code, tries(&told)), (4, vec!["codex scope".to_owned()]), "{line}: {told:#}");
        let text = told["run"]["steps"][0]["failure"]["text"].as_str().unwrap();
        assert_eq!(text, "it changed what is not in its scope: docs/w.md", "{line}");
        assert_free(&repo);
    }
}
