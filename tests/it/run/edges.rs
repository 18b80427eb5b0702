//! What is refused before anything is done, and what is shown without doing it.

use super::*;

#[test]
fn a_dry_run_prints_the_plan_and_begins_nothing() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    agents.plays("claude", &[Do::Say("x")]);
    let plan = repo.ok(&["run", "improve", "--dry-run"]);
    for part in ["refactor", "document", "test", "verify", "src/**"] {
        assert!(plan.contains(part) || plan.contains("inputs.refactor"), "{part}: {plan}");
    }
    assert_eq!((agents.calls("claude").len(), &repo.ok(&["run", "list"])[..]), (0, "no runs\n"));
    assert!(!repo.dir.join(".git/aio/runs").exists());
}

#[test]
fn what_is_wrong_is_told_with_the_right_word_before_anything_begins() {
    let env = TestEnvironment::new();
    let flow = "about = \"x\"\n[inputs]\ncount = 3\n[[step]]\nid = \"a\"\nrun = \"echo {{ inputs.count }}\"\n";
    let (agents, repo) = place(&env, &[("flow", flow)]);
    agents.plays("claude", &[Do::Say("x")]);
    for (args, words) in [
        (&["pipelin", "-i", "goal=x"][..], "pipeline"),
        (&["pipeline"], "goal"),
        (&["pipeline", "-i", "gaol=x"], "goal"),
        (&["flow", "-i", "count=many"], "count"),
        (&["flow", "-i", "count"], "count"),
        (&["flow", "--max-parallel", "0"], "--max-parallel"),
        (&["retry", "nothing"], "no run"),
    ] {
        let ended = repo.aio(&[&["run"], args].concat());
        let is_told = ended.stderr.starts_with("error: ") && ended.stderr.contains(words);
        assert!((ended.code == 2 || ended.code == 8) && is_told && ended.stdout.is_empty(), "{args:?}: {ended:?}");
    }
    assert_eq!((agents.calls("claude").len(), &repo.ok(&["run", "list"])[..]), (0, "no runs\n"));
}

#[test]
fn more_items_than_may_be_done_are_told_before_the_first() {
    let env = TestEnvironment::new();
    let many = "about = \"x\"\n[[step]]\nid = \"a\"\nfor_each = \"range(300)\"\nrun = \"echo begun >>../begun\"\n";
    let late = "about = \"x\"\n[limits]\ntimeout = \"300ms\"\n[[step]]\nid = \"a\"\nrun = \"sleep 60\"\n";
    let (_, repo) = place(&env, &[("many", many), ("late", late)]);
    let ended = repo.aio(&["run", "many"]);
    let told = "Pipeline failed: a: there are 300 items, and 200 of 200 steps are left: see max_steps in [limits]";
    assert!(ended.code == 1 && ended.stderr.contains(told), "{ended:?}");
    assert!(!repo.dir.join("../begun").exists());
    let ended = repo.aio(&["run", "late"]);
    assert!(ended.code == 1 && ended.stderr.contains("Pipeline failed: the time of the run was up"), "{ended:?}");
}

#[test]
fn a_workflow_of_the_repository_is_run_only_as_it_was_approved() {
    let env = TestEnvironment::new();
    let flow = "about = \"x\"\n[[step]]\nid = \"a\"\nrun = \"echo done >../done; echo done\"\n";
    let (_, repo) = place(&env, &[("flow", flow)]);
    repo.write(".aio/workflows/flow.toml", &flow.replace("echo done >", "echo more >"));
    let ended = repo.aio(&["run", "flow"]);
    assert!(ended.code == 3 && ended.stderr.contains("git aio trust"), "{ended:?}");
    assert!(!repo.dir.join("../done").exists());
    repo.ok(&["trust", "--yes"]);
    assert_eq!(repo.ok(&["run", "flow"]), "done\n");
    assert_eq!(lines(&repo.dir.join("../done")), ["more"]);
}

#[test]
fn events_are_lines_of_json_and_none_is_told_twice() {
    let env = TestEnvironment::new();
    let flow = "about = \"x\"\n[[step]]\nid = \"a\"\nscope = [\"src/main.rs\"]\nagent = \"claude\"\nprompt = \"Do it\"\n\
                [[step]]\nid = \"b\"\nfor_each = [1, 2]\nrun = \"echo {{ item }}\"\n\
                [[step]]\nid = \"c\"\nif = \"not steps.a.ok\"\nrun = \"echo c\"\n";
    let (agents, repo) = place(&env, &[("flow", flow)]);
    agents.plays("claude", &[Do::Edit("src/main.rs", "x\n"), Do::Say("Done.")]);
    let ended = repo.aio(&["run", "flow", "--jsonl"]);
    let (events, last) = events(&ended);
    assert_eq!((ended.code, status(&last), &last["event"]), (0, "complete", &"answer".into()), "{ended:?}");
    let schemas: Value = serde_json::from_str(&repo.ok(&["schema"])).unwrap();
    let schema = &schemas["answers"]["event"]["schema"];
    for line in events.iter().chain([&last]) {
        crate::json::conforms(line, schema, schema, "").unwrap_or_else(|wrong| panic!("{wrong}: {line}"));
    }
    let odd = serde_json::json!({ "schema": 1, "at": "x", "event": "odd" });
    assert!(crate::json::conforms(&odd, schema, schema, "").is_err());
    let of = |step: &str| -> Vec<String> {
        let mine = events.iter().filter(|event| event["event"] == "step" && event["step"] == step);
        mine.map(|event| event["status"].as_str().unwrap().to_owned()).collect()
    };
    for (step, end) in [("a", "ok"), ("b", "ok"), ("b/1", "ok"), ("b/2", "ok"), ("c", "skipped")] {
        let stood = of(step);
        assert_eq!(stood.iter().filter(|word| *word == end).count(), 1, "{step}: {stood:?}");
        assert!(stood.windows(2).all(|two| two[0] != two[1]), "{step}: {stood:?}");
    }
    let items: Vec<_> =
        events.iter().filter(|event| event["event"] == "item_result").map(|event| &event["out"]).collect();
    assert_eq!(items.len(), 2, "{ended:?}");
    let runs: Vec<_> = events.iter().filter(|event| event["event"] == "run").map(|event| &event["status"]).collect();
    assert_eq!(runs, ["running", "complete"]);
    assert!(events.iter().any(|event| event["event"] == "result" && event["step"] == "a" && event["out"] == "Done."));
}

#[test]
fn without_a_terminal_an_ask_waits_for_an_answer_and_shows_how_to_give_it() {
    let env = TestEnvironment::new();
    let flow = "about = \"x\"\n[[step]]\nid = \"go\"\nask = \"Ship it?\\nReally?\"\n[[step]]\nid = \"b\"\nrun = \"echo shipped\"\n";
    let (_, repo) = place(&env, &[("flow", flow)]);
    let ended = repo.aio(&["run", "flow"]);
    assert_eq!((ended.code, &ended.stdout[..]), (5, ""), "{ended:?}");
    for part in ["asks", "Ship it?", "Really?", "go waits: `git aio run answer flow-", "then `git aio run resume flow-"]
    {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    let again = repo.aio(&["run", "resume"]);
    assert!(again.code == 5 && again.stderr.contains("Ship it?"), "{again:?}");
    let shown = repo.ok(&["run", "show"]);
    assert!(shown.contains("waiting") && shown.contains("asked"), "{shown}");
    let id = shown.split_whitespace().next().unwrap().to_owned();
    for other in ["b", "none"] {
        assert_eq!(repo.aio(&["run", "answer", &format!("{id}/{other}"), "yes"]).code, 8, "{other}");
    }
    repo.ok(&["run", "answer", &id, "yes"]);
    let ended = repo.aio(&["run", "resume"]);
    assert_eq!((ended.code, &ended.stdout[..]), (0, "shipped\n"), "{ended:?}");
    assert_eq!(repo.aio(&["run", "flow"]).code, 5);
    repo.ok(&["run", "answer", "/go", "no"]);
    let ended = repo.aio(&["run", "resume"]);
    assert!(ended.code == 1 && ended.stderr.contains("Pipeline failed: go"), "{ended:?}");
}

#[test]
fn a_likely_cause_is_named_of_what_an_agent_failed_for_alone() {
    let prompt = "agent = \"claude\"\nprompt = \"Look\"\n";
    for (step, answer, cause) in [
        ("run = \"exit 3\"\n", None, None),
        ("run = \"sleep 9\"\ntimeout = \"100ms\"\n", None, None),
        ("run = \"x\"\nscope = [\"src/a\"]\nverify = [\"false\"]\n", None, None),
        ("ask = \"Go on?\"\n", Some("no"), None),
        ("[[step.step]]\nid = \"b\"\nrun = \"exit 3\"\n", None, None),
        (prompt, None, Some("likely cause: the prompt, the account or the network of the agent")),
        (&format!("for_each = [1]\n{prompt}"), None, Some("likely cause: the prompt, the account")),
        (&format!("{prompt}timeout = \"9s\"\nstall = \"200ms\"\n"), None, Some("likely cause: ")),
    ] {
        let env = TestEnvironment::new();
        let flow = format!("about = \"x\"\n[[step]]\nid = \"a\"\n{step}");
        let (agents, repo) = place(&env, &[("flow", &flow)]);
        agents.plays("claude", &[Do::Exit(9)]);
        let mut ended = repo.aio(&["run", "flow"]);
        if let Some(word) = answer {
            repo.ok(&["run", "answer", "/a", word]);
            ended = repo.aio(&["run", "resume"]);
        }
        assert!(matches!(ended.code, 1 | 4), "{step}: {ended:?}");
        assert_eq!(ended.stderr.contains("likely cause"), cause.is_some(), "{step}: {ended:?}");
        assert!(ended.stderr.contains(cause.unwrap_or_default()), "{step}: {ended:?}");
    }
    // What is ended with the workflow that calls it has not failed by itself.
    let inner = format!("about = \"x\"\n[limits]\ntimeout = \"2s\"\n[[step]]\nid = \"a\"\n{prompt}");
    let env = TestEnvironment::new();
    let flow = "about = \"x\"\n[[step]]\nid = \"call\"\nworkflow = \"inner\"\n";
    let (agents, repo) = place(&env, &[("flow", flow), ("inner", &inner)]);
    agents.plays("claude", &[Do::Stall]);
    let ended = repo.aio(&["run", "flow"]);
    assert!(ended.code == 1 && !ended.stderr.contains("likely cause"), "{ended:?}");
}

#[test]
fn work_of_which_a_check_was_left_out_is_told_as_unverified() {
    let flow =
        "about = \"x\"\n[[step]]\nid = \"a\"\nagent = \"claude\"\nprompt = \"Do it\"\nscope = [\"src/main.rs\"]\n";
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[("flow", flow)]);
    agents.plays("claude", &[Do::Edit("src/main.rs", "done\n"), Do::Say("Done.")]);
    repo.write(".aio/config.toml", "");
    repo.write("Makefile", "test:\n\ttrue\n");
    repo.ok(&["trust", "--yes", "--quiet"]);
    let ended = repo.aio(&["run", "flow"]);
    let told = "unverified: @test was not run of a: a guess from Makefile, which nobody has confirmed";
    assert!(ended.code == 4 && ended.stderr.contains(told), "{ended:?}");
    assert_eq!(ended.stdout, "Done.\n");
}
