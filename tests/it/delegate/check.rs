//! What is checked, in whose name, and what the next attempt is told of it.

use super::*;

const BROKEN: &[Do<'_>] = &[Do::Edit("src/auth/login.rs", "BROKEN\n"), Do::Say("Fixed it.")];
const GOOD: &[Do<'_>] = &[Do::Edit("src/auth/login.rs", "fn login() { true }\n"), Do::Say("Fixed it.")];
const SCOPE: &[&str] = &["--agent", "claude", "--scope", "src/auth/"];

#[test]
fn a_broken_build_is_found_without_being_asked_for_and_the_next_attempt_is_told() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", BROKEN);
    let before = snapshot(&repo);
    let (broken, code) = told(&repo, SCOPE);
    assert_eq!((code, &broken["verdict"]), (4, &"failed".into()), "{broken:#}");
    assert_eq!(tries(&broken), ["claude check", "claude check"]);
    let text = broken["run"]["steps"][0]["failure"]["text"].as_str().unwrap();
    assert!(text.contains("the check @test (sh check.sh) failed: exit code 1"), "{text}");
    let calls = agents.calls("claude");
    assert!(!calls[0].prompt.contains("it is broken in many ways"));
    assert!(
        calls[1].prompt.contains("it is broken in many ways") && calls[1].prompt.contains("src/auth/login.rs:1:BROKEN")
    );
    assert_eq!(snapshot(&repo), before);
    agents.plays("claude", GOOD);
    let (mended, code) = told(&repo, SCOPE);
    assert_eq!((code, &mended["verdict"]), (0, &"passed".into()), "{mended:#}");
}

#[test]
fn what_nobody_can_check_never_passes() {
    // Nothing is configured; what is configured is not approved; it is only guessed.
    let env = TestEnvironment::new();
    for (config, more) in [("", None), ("[verify]\ntest = \"true\"\n", Some("# changed\n")), ("", Some("Makefile"))] {
        let name = format!("demo{}", more.map_or(0, str::len) + config.len());
        let repo =
            env.repo_with(&name, Refs::Files, "sha1", &[(CONFIG, config), ("src/auth/login.rs", "fn login() {}\n")]);
        if more == Some("Makefile") {
            repo.write("Makefile", "test:\n\ttrue\n");
        }
        let agents = Agents::in_(&env);
        agents.plays("claude", GOOD);
        let (told, code) = told(&repo, SCOPE);
        assert_eq!(
            (code, &told["verdict"], &told["run"]["status"]),
            (4, &"unverified".into(), &"complete".into()),
            "{told:#}"
        );
        assert!(told["hints"].to_string().contains("unverified: nothing shows that the code is in order"), "{told:#}");
        // The work itself is kept.
        assert!(fs::read_to_string(repo.dir.join("src/auth/login.rs")).unwrap().contains("true"));
    }
}

#[test]
fn what_was_left_unchecked_is_recorded_as_that() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", BROKEN);
    let (told, code) = told(&repo, &[SCOPE, &["--no-verify"]].concat());
    assert_eq!(
        (code, &told["verdict"], tries(&told)),
        (4, &"unverified".into(), vec!["claude ok".to_owned()]),
        "{told:#}"
    );
    let (shown, _) = answer(&repo.aio(&["run", "show", "--json"]));
    assert_eq!(shown["verdict"], "unverified", "{shown:#}");
    let check = &shown["run"]["steps"][0]["tries"][0]["checks"][1];
    assert_eq!((&check["name"], &check["passed"]), (&"@default".into(), &Value::Null), "{shown:#}");
    let text = repo.ok(&["run", "show"]);
    assert!(text.contains("9 bytes, unverified"), "{text}");
    assert!(text.contains("not run @default: left out, as was asked for"), "{text}");
}

#[test]
fn a_check_that_is_named_replaces_the_default() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", BROKEN);
    let (named, code) =
        told(&repo, &[SCOPE, &["--verify", "grep -q BROKEN src/auth/login.rs", "--verify", "@changed"]].concat());
    assert_eq!((code, &named["verdict"]), (0, &"passed".into()), "{named:#}");
    agents.plays("claude", &[Do::Say("There is nothing to do.")]);
    let (unchanged, code) =
        told(&repo, &[SCOPE, &["--verify", "true", "--verify", "@changed", "--retry", "0"]].concat());
    assert_eq!((code, tries(&unchanged)), (4, vec!["claude check".to_owned()]), "{unchanged:#}");
    let missing = delegate(&repo, &[SCOPE, &["--verify", "@tset"]].concat());
    assert!(missing.code == 2 || missing.code == 8, "{missing:?}");
    assert_eq!(agents.calls("claude").len(), 2);
}

/// What the reviewer answers, and what that comes to.
fn reviewed<'e>(env: &'e TestEnvironment, verdicts: &[&str]) -> (Agents, Repo<'e>) {
    let (agents, repo) = checked(env);
    agents.plays("claude", GOOD);
    for verdict in verdicts {
        let answer = format!("I looked.\n{{\"verdict\": \"{verdict}\", \"notes\": \"the name is odd\"}}");
        agents.plays("amp", &[Do::Say(&answer)]);
    }
    (agents, repo)
}

const REVIEW: &[&str] = &["--agent", "claude", "--scope", "src/auth/", "--review", "amp"];

#[test]
fn a_reviewer_who_is_content_decides_nothing() {
    for verdict in ["pass", "minor"] {
        let env = TestEnvironment::new();
        let (agents, repo) = reviewed(&env, &[verdict]);
        let (told, code) = told(&repo, REVIEW);
        assert_eq!((code, &told["verdict"]), (0, &"passed".into()), "{told:#}");
        assert_eq!(told["run"]["steps"][0]["tries"][0]["review"]["verdict"], verdict);
        let hints = told["hints"].to_string();
        assert_eq!(hints.contains("fix this directly rather than delegate again: the name is odd"), verdict == "minor");
        let call = &agents.calls("amp")[0];
        for part in ["Review this change", "Fix the login.", "+fn login() { true }"] {
            assert!(call.prompt.contains(part), "{part}: {}", call.prompt);
        }
        assert!(!call.env.contains_key("AIO_INSTANCE"));
        assert_free(&repo);
    }
}

#[test]
fn what_a_reviewer_misses_is_asked_for_again_upon_what_is_there() {
    let env = TestEnvironment::new();
    let (agents, repo) = reviewed(&env, &["missed", "pass"]);
    agents.plays(
        "claude",
        &[Do::Run("grep -q true src/auth/login.rs && echo more >>src/auth/login.rs"), Do::Say("More.")],
    );
    let (told, code) = told(&repo, REVIEW);
    assert_eq!((code, tries(&told)), (0, vec!["claude missed".to_owned(), "claude ok".to_owned()]), "{told:#}");
    assert!(agents.calls("claude")[1].prompt.contains("the reviewer says: the name is odd"));
    assert_eq!(fs::read_to_string(repo.dir.join("src/auth/login.rs")).unwrap(), "fn login() { true }\nmore\n");
}

#[test]
fn what_a_reviewer_rejects_is_put_back_in_the_end() {
    for (verdicts, expected) in
        [(&["wrong"][..], &["claude wrong"][..]), (&["missed"], &["claude missed", "claude missed"])]
    {
        let env = TestEnvironment::new();
        let (_agents, repo) = reviewed(&env, verdicts);
        let before = snapshot(&repo);
        let (told, code) = told(&repo, REVIEW);
        assert_eq!((code, tries(&told)), (4, expected.iter().map(|one| (*one).to_owned()).collect()), "{told:#}");
        assert_eq!(snapshot(&repo), before);
        assert_free(&repo);
    }
}

#[test]
fn without_a_verdict_the_work_is_not_reviewed() {
    let env = TestEnvironment::new();
    let (agents, repo) = reviewed(&env, &[]);
    for acts in [&[Do::Say("Looks good to me.")][..], &[Do::Error("overloaded")], &[Do::Exit(1)]] {
        agents.plays("amp", acts);
        let (told, code) = told(&repo, REVIEW);
        assert_eq!((code, &told["verdict"]), (4, &"unverified".into()), "{told:#}");
        agents.plays("claude", &[Do::Edit("src/auth/login.rs", &format!("// {acts:?}\n")), Do::Say("Again.")]);
    }
}
