//! The other workflows that are shipped, each from its command to the files that it leaves.

use super::*;

/// What one of them leaves where `rules` say what is done for whom: the answer, what was asked, and how the files are then.
fn ran(rules: &[(&str, &[Do<'_>])], args: &[&str], look: impl FnOnce(&Value, i32, &[String], &Repo<'_>)) {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    rules.iter().for_each(|(needle, acts)| agents.plays_when("claude", needle, acts));
    let (told, code) = told(&repo, args);
    let prompts: Vec<String> = agents.calls("claude").into_iter().map(|call| call.prompt).collect();
    look(&told, code, &prompts, &repo);
    if status(&told) != "waiting" {
        assert_free(&repo);
    }
}

fn read(repo: &Repo<'_>, name: &str) -> String {
    fs::read_to_string(repo.dir.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn subject(repo: &Repo<'_>) -> String {
    repo.git(&["log", "-1", "--format=%s"]).trim().to_owned()
}

#[test]
fn every_file_is_analyzed_and_one_that_fails_is_named_in_the_report() {
    let fine = r#"{"purpose":"a","patterns":[],"risks":[]}"#;
    let rules: &[(&str, &[Do<'_>])] = &[
        ("Analyze src/main.rs", &[Do::Say("no JSON at all")]),
        ("Analyze src/auth", &[Do::Say(fine)]),
        ("Combine these results", &[Do::Say("One file was left out.")]),
    ];
    ran(rules, &["map-reduce", "-i", "files=src/**/*.rs"], |told, code, prompts, repo| {
        assert_eq!((code, status(told), prompts.len()), (0, "complete", 4), "{told:#}");
        assert!(prompts.iter().any(|prompt| prompt.contains("were not analyzed: src/main.rs")));
        assert_eq!(read(repo, ".context/analysis.md"), "One file was left out.\n");
        assert_eq!(repo.git(&["status", "--short"]), "");
        let failed = told["run"]["steps"].as_array().unwrap().iter().find(|step| step["id"] == "map/2").unwrap();
        assert_eq!((&failed["status"], &failed["failure"]["kind"]), (&"failed".into(), &"shape".into()), "{told:#}");
    });
}

#[test]
fn an_audit_and_the_gaps_are_found_at_once_and_the_documentation_is_brought_up_to_date() {
    let change = r#"{"changes":[{"file":"README.md","change":"say more","why":"it says little"}]}"#;
    let rules: &[(&str, &[Do<'_>])] = &[
        ("security audit of the code", &[Do::Say("No secrets.")]),
        ("Identify documentation gaps", &[Do::Say("No usage.")]),
        ("Combine the two findings", &[Do::Say(change)]),
        ("Apply these changes", &[Do::Edit("README.md", "# demo\n\nUse it.\n"), Do::Say("Applied.")]),
    ];
    ran(rules, &["audit-docs", "-i", "src=src/**/*.rs", "-i", "docs=*.md"], |told, code, prompts, repo| {
        assert_eq!((code, status(told)), (0, "complete"), "{told:#}");
        assert!(prompts[3].contains("- README.md: say more (it says little)"), "{}", prompts[3]);
        assert!(prompts[2].contains("No secrets.") && prompts[2].contains("No usage."));
        let kept = (read(repo, ".context/security-audit.md"), read(repo, ".context/docs-gaps.md"));
        assert_eq!(kept, ("No secrets.\n".into(), "No usage.\n".into()));
        assert_eq!(read(repo, "README.md"), "# demo\n\nUse it.\n");
    });
}

#[test]
fn parts_are_worked_on_side_by_side_and_put_together() {
    let parts = r#"{"parts":[{"worker":"implementer","task":"Write one","scope":["src/one.rs"]},
        {"worker":"tester","task":"Write two","scope":["src/two.rs"]},{"worker":"analyzer","task":"Look","scope":[]}]}"#;
    let parts = parts.replace('\n', "");
    let rules: &[(&str, &[Do<'_>])] = &[
        ("Break this task", &[Do::Say(&parts)]),
        ("Put the results", &[Do::Say("Both are there.")]),
        ("Write one", &[Do::Edit("src/one.rs", "one\n"), Do::Say("one is there")]),
        ("Write two", &[Do::Edit("src/two.rs", "two\n"), Do::Say("two is there")]),
        ("Look", &[Do::Say("looked")]),
    ];
    ran(rules, &["orchestrator-workers", "-i", "task=Two files"], |told, code, prompts, repo| {
        assert_eq!((code, &told["result"], prompts.len()), (0, &"Both are there.".into(), 5), "{told:#}");
        assert!(
            ["one is there", "two is there", "looked"].iter().all(|said| prompts[4].contains(said)),
            "{}",
            prompts[4]
        );
        assert_eq!(read(repo, "src/one.rs") + &read(repo, "src/two.rs"), "one\ntwo\n");
    });
}

#[test]
fn a_team_hands_its_plan_down_and_the_cheap_part_is_saved_as_a_file() {
    let rules: &[(&str, &[Do<'_>])] = &[
        ("Write the architecture plan", &[Do::Say("Three layers.")]),
        ("Design the backend", &[Do::Say("One route.")]),
        ("Research current best", &[Do::Say("Use forms.")]),
        ("Generate the file", &[Do::Say("def route(): pass")]),
        ("Complete the backend", &[Do::Run("echo '# reviewed' >>backend/routes/auth.py"), Do::Say("Reviewed.")]),
        ("Implement the frontend", &[Do::Edit("frontend/a.js", "form()\n"), Do::Say("Made.")]),
        ("The tests fail", &[Do::Edit("fixed", "yes\n"), Do::Say("Fixed.")]),
    ];
    ran(rules, &["team", "-i", "feature=Sign in", "-i", "test=test -e fixed"], |told, code, prompts, repo| {
        assert_eq!((code, status(told), prompts.len()), (0, "complete", 7), "{told:#}");
        assert_eq!(read(repo, "backend/routes/auth.py"), "def route(): pass\n# reviewed\n");
        assert_eq!(read(repo, ".context/architecture-plan.md"), "Three layers.\n");
        assert_eq!((&steps(told)["check"][..], &steps(told)["debug"][..]), ("failed", "ok"));
        assert_eq!(
            told["run"]["steps"].as_array().unwrap().iter().find(|step| step["id"] == "boilerplate").unwrap()["files"],
            serde_json::json!(["backend/routes/auth.py"])
        );
    });
}

#[test]
fn what_is_researched_is_implemented_and_what_a_review_misses_is_added() {
    let rules: &[(&str, &[Do<'_>])] = &[
        ("Research best practices", &[Do::Say("Salt it.")]),
        ("following this research", &[Do::Edit("src/hash.rs", "hash\n"), Do::Say("Done.")]),
        ("Review this implementation", &[Do::Say(r#"{"compliant":false,"issues":["no salt"]}"#)]),
        ("Address these issues", &[Do::Edit("src/hash.rs", "salted hash\n"), Do::Say("Added.")]),
    ];
    ran(rules, &["research", "-i", "topic=hashes", "-i", "scope=src/**"], |told, code, prompts, repo| {
        assert_eq!((code, status(told)), (0, "complete"), "{told:#}");
        assert!(prompts[1].contains("Salt it.") && prompts[2].contains("+hash") && prompts[3].contains("- no salt"));
        assert_eq!(read(repo, "src/hash.rs"), "salted hash\n");
    });
}

#[test]
fn many_files_are_made_cheaply_and_those_that_matter_are_refined() {
    let rules: &[(&str, &[Do<'_>])] = &[
        ("unit tests for main.rs", &[Do::Say("fn main_test() {}")]),
        ("unit tests for two.rs", &[Do::Say("fn two_test() {}")]),
        ("Which of these files", &[Do::Say(r#"{"refine":["tests/test_main.rs"]}"#)]),
        ("Review tests/test_main.rs", &[Do::Run("echo '// more' >>tests/test_main.rs"), Do::Say("Refined.")]),
    ];
    ran(rules, &["bulk-refine", "-i", "files=src/*.rs"], |told, code, prompts, repo| {
        assert_eq!((code, status(told), prompts.len()), (0, "complete", 3), "{told:#}");
        assert_eq!(read(repo, "tests/test_main.rs"), "fn main_test() {}\n// more\n");
    });
}

#[test]
fn what_fails_is_handed_on_and_in_the_end_to_whoever_is_here() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    agents.plays("gemini", &[Do::Error("overloaded"), Do::Exit(1)]);
    agents.plays("claude", &[Do::Exit(0)]);
    let (told, code) = told(&repo, &["escalate", "-i", "task=Do it"]);
    assert_eq!((code, status(&told)), (5, "waiting"), "{told:#}");
    let tries: Vec<_> = told["run"]["steps"][0]["tries"].as_array().unwrap().iter().collect();
    let tries: Vec<_> = tries.iter().map(|one| (&one["agent"], &one["failure"]["kind"])).collect();
    assert_eq!(tries.len(), 3, "{told:#}");
    let id = told["run"]["id"].as_str().unwrap().to_owned();
    repo.ok(&["run", "answer", &id, "I did it myself"]);
    let resumed = repo.aio(&["run", "resume"]);
    assert_eq!((resumed.code, &resumed.stdout[..]), (0, "I did it myself\n"), "{resumed:?}");
    assert_eq!((agents.calls("gemini").len(), agents.calls("claude").len()), (1, 1));
    assert_free(&repo);
}

#[test]
fn three_improvements_are_made_at_once_and_verified_together() {
    let rules: &[(&str, &[Do<'_>])] = &[
        ("Clean up", &[Do::Edit("src/main.rs", "fn main() { clean() }\n"), Do::Say("Cleaned.")]),
        ("Document what is", &[Do::Edit("docs/main.md", "# main\n"), Do::Say("Documented.")]),
        ("Write tests for", &[Do::Edit("tests/main.rs", "fn test() {}\n"), Do::Say("Tested.")]),
        ("Review the merged", &[Do::Say(r#"{"ok":true,"notes":"fine"}"#)]),
    ];
    ran(rules, &["improve"], |told, code, prompts, repo| {
        assert_eq!((code, status(told)), (0, "complete"), "{told:#}");
        assert!(["+fn main() { clean() }", "+# main", "+fn test() {}"].iter().all(|line| prompts[3].contains(line)));
        assert_eq!(read(repo, "docs/main.md") + &read(repo, "tests/main.rs"), "# main\nfn test() {}\n");
    });
}

#[test]
fn an_endpoint_is_committed_after_its_review() {
    let rules: &[(&str, &[Do<'_>])] = &[
        ("Plan this endpoint", &[Do::Say("One file.")]),
        ("Implement GET /a", &[Do::Edit("src/a.rs", "a\n"), Do::Say("Done.")]),
        ("Write the tests of", &[Do::Edit("src/a_test.rs", "test\n"), Do::Say("Done.")]),
        ("Security audit", &[Do::Say(r#"{"ok":true,"message":"Add GET /a","issues":[]}"#)]),
    ];
    ran(rules, &["endpoint", "-i", "endpoint=GET /a"], |told, code, _, repo| {
        assert_eq!((code, status(told), subject(repo)), (0, "complete", "Add GET /a".into()), "{told:#}");
        assert_eq!(repo.git(&["show", "--format=", "--name-only"]), "src/a.rs\nsrc/a_test.rs\n");
    });
}

#[test]
fn every_bug_of_a_report_is_fixed_and_what_is_fixed_is_committed() {
    let bugs = r#"{"bugs":[{"id":"B1","title":"login","files":["src/auth/login.rs"],"detail":"x"},{"id":"B2","title":"main","files":["src/main.rs"],"detail":"y"}]}"#;
    let rules: &[(&str, &[Do<'_>])] = &[
        ("Turn the bug report", &[Do::Say(bugs)]),
        ("Fix B1", &[Do::Edit("src/auth/login.rs", "fixed\n"), Do::Say("Fixed.")]),
        ("Fix B2", &[Do::Edit("src/main.rs", "BROKEN\n"), Do::Say("Fixed.")]),
        ("Security check", &[Do::Say(r#"{"verdict":"pass","notes":""}"#)]),
        ("Write a detailed commit", &[Do::Say("Fix the login")]),
    ];
    ran(rules, &["bug-sweep", "-i", "report=README.md"], |told, code, prompts, repo| {
        assert_eq!(
            (code, status(told), subject(repo)),
            (0, "all_transactions_complete", "Fix the login".into()),
            "{told:#}"
        );
        assert_eq!(repo.git(&["show", "--format=", "--name-only"]), "src/auth/login.rs\n");
        assert!(prompts.last().unwrap().contains("Fixed: B1\nNot fixed: B2"), "{}", prompts.last().unwrap());
        assert_eq!(read(repo, "src/main.rs"), "fn main() {}\n", "what broke it was put back");
    });
}

#[test]
fn what_is_said_to_be_done_and_changed_nothing_is_not_done() {
    let bugs = r#"{"bugs":[{"id":"B1","title":"login","files":["src/auth/login.rs"],"detail":"x"},{"id":"B2","title":"main","files":["src/main.rs"],"detail":"y"}]}"#;
    let critical = r#"{"issues":[{"severity":"critical","type":"bug","where":"a","what":"b"}]}"#;
    let parts = r#"{"parts":[{"worker":"implementer","task":"Write it","scope":["BROKEN"]}]}"#;
    let rules: &[(&str, &[Do<'_>])] = &[
        ("Turn the bug report", &[Do::Say(bugs)]),
        ("Fix B2", &[Do::Edit("src/main.rs", "BROKEN\n"), Do::Say("Fixed.")]),
        ("Analyze the current state", &[Do::Say("no JSON at all")]),
        ("and identify issues", &[Do::Say(critical)]),
        ("Break this task", &[Do::Say(parts)]),
        ("Write it", &[Do::Edit("src/main.rs", "beside it\n"), Do::Say("Written.")]),
        ("unit tests for", &[Do::Exit(1)]),
        ("", &[Do::Say("All is done.")]),
    ];
    for (args, step, words) in [
        (&["bug-sweep", "-i", "report=README.md"][..], "fixed", "none of the bugs was fixed: B1, B2"),
        (&["triage", "-i", "what=it"], "fix", "nothing has changed in the scope"),
        (&["pipeline", "-i", "goal=x"], "build", "nothing has changed in the scope"),
        (&["endpoint", "-i", "endpoint=x"], "implement", "nothing has changed in the scope"),
        (&["research", "-i", "topic=x"], "implement", "nothing has changed in the scope"),
        (&["orchestrator-workers", "-i", "task=x"], "done", "none of the parts was done"),
        (&["map-reduce", "-i", "files=src/*.rs"], "analyzed", "none of the files was analyzed: src/main.rs"),
        (&["bulk-refine", "-i", "files=src/*.rs"], "generated", "nothing was generated for any of the files"),
    ] {
        ran(rules, args, |told, code, _, repo| {
            assert!(matches!(code, 1 | 4) && status(told) == "failed", "{args:?}: {code}: {told:#}");
            let failed = told["run"]["steps"].as_array().unwrap().iter().find(|one| one["id"] == step).unwrap();
            assert!(failed["failure"]["text"].as_str().unwrap_or_default().contains(words), "{args:?}: {told:#}");
            assert_eq!(repo.git(&["status", "--short", "src"]), "", "{args:?}");
        });
    }
}

#[test]
fn a_report_that_is_not_there_ends_the_sweep_before_anybody_is_asked() {
    for args in [&["bug-sweep", "-i", "report=NOPE.md"][..], &["triage", "-i", "report=NOPE.md"]] {
        ran(&[("", &[Do::Say("x")])], args, |told, code, prompts, _| {
            assert_eq!((code, status(told), prompts.len()), (1, "failed", 0), "{told:#}");
            let told = told["run"]["steps"][0]["failure"]["text"].as_str().unwrap().to_owned();
            assert!(told.starts_with("stdin can't be filled in: ") && told.contains("NOPE.md"), "{told}");
        });
    }
}

#[test]
fn a_feature_is_designed_approved_built_and_committed() {
    let design = r#"{"summary":"Two files","scope":["src/**"],"tests":["tests/**"],"criteria":["it works"],"tasks":[{"title":"Task one","scope":["src/one.rs"],"detail":"x"},{"title":"Task two","scope":["src/two.rs"],"detail":"y"}]}"#;
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    let rules: &[(&str, &[Do<'_>])] = &[
        ("split the work into", &[Do::Say(design)]),
        ("Create the initial", &[Do::Edit("src/one.rs", "structure\n"), Do::Say("Done.")]),
        ("Task one", &[Do::Edit("src/one.rs", "one\n"), Do::Say("Done.")]),
        ("Task two", &[Do::Edit("src/two.rs", "two\n"), Do::Say("Done.")]),
        ("Review, adjust and", &[Do::Say("Nothing to adjust.")]),
        ("Generate tests for", &[Do::Edit("tests/one.rs", "test\n"), Do::Say("Done.")]),
        ("Document Both", &[Do::Edit("docs/both.md", "doc\n"), Do::Say("Done.")]),
        ("Final review", &[Do::Say(r#"{"verdict":"ship","message":"Add both","reasons":[]}"#)]),
    ];
    rules.iter().for_each(|(needle, acts)| agents.plays_when("claude", needle, acts));
    agents.plays_when("codex", "Generate tests for", &[Do::Edit("tests/one.rs", "test\n"), Do::Say("Done.")]);
    agents.plays_when("codex", "Document Both", &[Do::Edit("docs/both.md", "doc\n"), Do::Say("Done.")]);
    agents.plays_when("codex", "Task", &[Do::Error("overloaded"), Do::Exit(1)]);
    let (first, code) = told(&repo, &["feature", "-i", "feature=Both"]);
    assert_eq!((code, status(&first), agents.calls("claude").len()), (5, "waiting", 1), "{first:#}");
    let id = first["run"]["id"].as_str().unwrap().to_owned();
    assert_eq!(first["hints"][0], format!("go waits: `git aio run answer {id}/go yes|no|\"<words>\"`"));
    assert_free(&repo);
    repo.ok(&["run", "answer", &id, "yes"]);
    let (last, code) = answer(&repo.aio(&["run", "resume", "--json"]));
    assert_eq!((code, status(&last), subject(&repo)), (0, "complete", "Add both".into()), "{last:#}");
    let files = repo.git(&["show", "--format=", "--name-only"]);
    assert_eq!(files, "docs/both.md\nsrc/one.rs\nsrc/two.rs\ntests/one.rs\n");
    assert_eq!(read(&repo, "src/one.rs"), "one\n");
    assert_free(&repo);
}

#[test]
fn a_refactoring_is_kept_only_where_behavior_is() {
    let strategy = r#"{"scope":["src/**"],"strategy":"Rename all.","adr":true}"#;
    let rules: &[(&str, &[Do<'_>])] = &[
        ("Identify scope", &[Do::Say(strategy)]),
        ("decision record of", &[Do::Edit("docs/adr/1.md", "why\n"), Do::Say("Written.")]),
        ("Check for issues", &[Do::Say(r#"{"ok":true,"message":"Rename all"}"#)]),
        ("Rename all.", &[Do::Edit("src/main.rs", "fn renamed() {}\n"), Do::Say("Renamed.")]),
    ];
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    rules.iter().for_each(|(needle, acts)| agents.plays_when("claude", needle, acts));
    agents.plays("codex", &[Do::Edit("src/auth/login.rs", "changed\n"), Do::Say("Changed.")]);
    agents.plays("codex", &[Do::Edit("src/main.rs", "fn renamed() {}\n"), Do::Say("Renamed.")]);
    agents.plays_when("codex", "Check for issues", &[Do::Say(r#"{"ok":true,"message":"Rename all"}"#)]);
    let (told, code) = told(&repo, &["refactor", "-i", "goal=Names", "-i", "snapshot=cat src/auth/login.rs"]);
    assert_eq!((code, status(&told), subject(&repo)), (0, "complete", "Rename all".into()), "{told:#}");
    assert_eq!(repo.git(&["show", "--format=", "--name-only"]), "docs/adr/1.md\nsrc/main.rs\n");
    assert_free(&repo);
}

#[test]
fn a_plan_is_a_workflow_that_is_checked_before_it_is_believed() {
    let bad = "about = \"x\"\n[[step]]\nid = \"a\"\nprompts = \"x\"\n";
    let good = "about = \"Do it.\"\n\n[[step]]\nid = \"a\"\nprompt = \"Do it.\"\n";
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    agents.plays("claude", &[Do::Edit(".aio/workflows/planned.toml", bad), Do::Say("Planned.")]);
    agents.plays("claude", &[Do::Edit(".aio/workflows/planned.toml", good), Do::Say("Planned.")]);
    let (told, code) = told(&repo, &["plan", "-i", "goal=Do it"]);
    assert_eq!((code, status(&told), agents.calls("claude").len()), (0, "complete", 2), "{told:#}");
    assert!(agents.calls("claude")[1].prompt.contains("prompts"));
    assert_eq!(read(&repo, ".aio/workflows/planned.toml"), good);
    let refused = repo.aio(&["run", "planned"]);
    assert!(refused.code == 3 && refused.stderr.contains("git aio trust"), "{refused:?}");
    assert_eq!(agents.calls("claude").len(), 2);
    assert_free(&repo);
}

#[test]
fn patterns_are_composed_with_their_inputs() {
    let rules: &[(&str, &[Do<'_>])] = &[
        ("Analyze the module", &[Do::Say(r#"{"needs_refactoring":false,"findings":"fine"}"#)]),
        ("Current task: Implement", &[Do::Edit("src/main.rs", "built\n"), Do::Say("built")]),
        ("Current task:", &[Do::Say("noted")]),
        ("You are the supervisor", &[Do::Say(r#"{"done":true,"why":"x","tasks":[]}"#)]),
    ];
    let args =
        ["adapt", "-i", "goal=Build it", "-i", "scope=src/**", "-i", r#"criteria=["grep -q built src/main.rs"]"#];
    ran(rules, &args, |told, code, prompts, repo| {
        assert_eq!((code, status(told), prompts.len()), (0, "complete", 6), "{told:#}");
        let steps = steps(told);
        assert_eq!(
            (&steps["refactor"][..], &steps["enhance"][..], &steps["enhance/build"][..]),
            ("skipped", "ok", "ok")
        );
        assert_eq!(&steps["final/project/1/check"], "ok", "{told:#}");
        assert_eq!(read(repo, "src/main.rs"), "built\n");
    });
}
