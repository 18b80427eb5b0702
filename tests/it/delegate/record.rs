//! What is kept of a delegation, and how it is shown.

use super::*;

const LEDGER: &str = ".context/progress.md";

#[test]
fn the_ledger_is_kept_while_it_runs() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, "ledger = \".context/progress.md\"\n[verify]\ntest = \"sh check.sh\"\n");
    agents.plays("claude", &[Do::Edit("src/auth/login.rs", "x\n"), Do::WaitFor("../go"), Do::Say("Done.")]);
    let ledger = || fs::read_to_string(repo.dir.join(LEDGER)).unwrap_or_default();
    thread::scope(|scope| {
        let run = scope.spawn(|| delegate(&repo, &["--agent", "claude", "--scope", "src/auth/"]));
        wait_for("it runs", || ledger().contains("running"));
        let during = ledger();
        let sections: Vec<&str> = during.lines().filter(|line| line.starts_with('#')).collect();
        assert_eq!(
            sections,
            ["# Progress: Fix the login.", "## Completed", "## In Progress", "## Pending"],
            "{during}"
        );
        assert!(during.contains("## Completed\n\nnone\n\n## In Progress\n\n- [ ] task"), "{during}");
        fs::write(env.path().join("go"), "").unwrap();
        let ended = run.join().unwrap();
        assert_eq!(ended.code, 0, "{ended:?}");
    });
    let after = ledger();
    assert!(
        after.contains("complete\n")
            && after.contains("## Completed\n\n- [x] task (claude): 5 bytes\n\n## In Progress\n\nnone"),
        "{after}"
    );
    assert_eq!(repo.ok(&["run", "show", "--ledger"]), after);
    assert!(fs::read_to_string(repo.dir.join(".git/info/exclude")).unwrap().contains("/.context/\n"));
    assert_eq!(repo.git(&["status", "--porcelain"]), " M src/auth/login.rs\n");
}

#[test]
fn a_ledger_that_git_knows_is_not_held_against_an_agent() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, "ledger = \"README.md\"\n[verify]\ntest = \"sh check.sh\"\n");
    agents.plays("claude", &[Do::Say("Done.")]);
    let (told, code) = told(&repo, &["--agent", "claude", "--scope", "src/auth/"]);
    assert_eq!((code, tries(&told)), (0, vec!["claude ok".to_owned()]), "{told:#}");
    assert!(fs::read_to_string(repo.dir.join("README.md")).unwrap().contains("[x] task"));
}

#[test]
fn runs_are_listed_shown_and_let_go_of() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays(
        "claude",
        &[Do::Print("not of its stream"), Do::Edit("src/auth/login.rs", "BROKEN\n"), Do::Say("First.")],
    );
    agents.plays("claude", &[Do::Edit("src/auth/login.rs", "fn login() { true }\n"), Do::Say("Second.")]);
    let (first, _) = told(&repo, &["--agent", "claude", "--scope", "src/auth/"]);
    let (second, _) = told(&repo, &["--agent", "caller"]);
    let (one, two) = (run_of(&first), run_of(&second));
    let list = repo.ok(&["run", "list"]);
    let lines: Vec<&str> = list.lines().collect();
    assert!(
        lines.len() == 2
            && list.contains(&format!("waiting      {two}"))
            && list.contains(&format!("complete     {one}")),
        "{list}"
    );
    // By its id, by the beginning of it, and by its end.
    for named in [&one[..], &one[..one.len() - 1], &one[one.len() - 4..]] {
        let shown = repo.aio(&["run", "show", named]);
        if shown.code == 2 {
            continue; // Both can be meant, where they began in the same second.
        }
        assert!(shown.code == 0 && shown.stdout.starts_with(&one), "{named}: {shown:?}");
    }
    let shown = repo.ok(&["run", "show", &one]);
    for part in [
        "complete  Fix the login.",
        "@1 claude: check",
        "@2 claude: settled",
        "failed  @test",
        "passed  @test",
        "session claude-session-1",
        "10 tokens in, 5 out",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let log = repo.ok(&["run", "log", &one]);
    assert!(log.contains("task.1.log") && log.contains("not of its stream") && log.contains("Second."), "{log}");
    let events = repo.ok(&["run", "log", "--events", &one]);
    let events: Vec<&str> = events.lines().rev().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(
        events,
        [
            "begin",
            "task: claude begins attempt 1",
            "task: attempt 1 has answered",
            "task: attempt 1 not usable: check",
            "task: claude begins attempt 2",
            "task: attempt 2 has answered",
            "task: ok",
            "complete",
        ]
    );
    let diff = |named: &str| repo.ok(&["run", "diff", &format!("{one}{named}")]);
    assert!(diff("@1").contains("+BROKEN") && diff("/task@1").contains("+BROKEN"));
    assert!(diff("").contains("+fn login() { true }") && diff("/task").contains("+fn login() { true }"));
    assert_eq!(repo.ok(&["run", "prune"]), "0 runs let go of; the newest 20 are kept in any case (--keep)\n");
    assert_eq!(repo.ok(&["run", "prune", "--older-than", "0s", "--keep", "0"]), "1 run let go of\n");
    // What waits is not over.
    assert!(repo.ok(&["run", "list"]).contains(&two) && repo.aio(&["run", "show", &one]).code == 8);
    assert_eq!(repo.git(&["for-each-ref", &format!("refs/aio/runs/{one}"), &format!("refs/aio-local/runs/{one}")]), "");
    assert!(!exists(&repo.dir, &format!(".git/aio/runs/{one}")));
}

#[test]
fn what_an_agent_leaves_for_others_names_the_run_that_it_came_of() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    let leaves = "git aio context decision 'Names end with _x' && git aio handoff new 'Finish the rest'";
    agents.plays("claude", &[Do::Run(leaves), Do::Say("Done.")]);
    let (told, code) = told(&repo, &["--agent", "claude", "--scope", "src/auth/", "--no-verify"]);
    assert_eq!(code, 4, "{told:#}");
    let id = run_of(&told);
    // What is left beside a run, or by one that only says that it is of a run, names none.
    let me = repo.register("codex");
    repo.ok_as(&me, &["context", "learning", "Beside it"]);
    run(repo
        .command(&["context", "learning", "Made up"])
        .env("AIO_INSTANCE", &me)
        .env("AIO_RUN", "delegation-1-abcd.task.1"));
    let (context, _) = answer(&repo.aio(&["context", "get", "--json"]));
    let of = |kind: &str| -> Vec<(String, Value)> {
        let all = context[kind].as_array().unwrap_or_else(|| panic!("{context:#}"));
        let words = |one: &Value| one["text"].as_str().or(one["title"].as_str()).unwrap().to_owned();
        all.iter().map(|one| (words(one), one["run"].clone())).collect()
    };
    let named = Value::from(id.clone());
    let mut notes = of("notes");
    notes.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        notes,
        [
            ("Beside it".to_owned(), Value::Null),
            ("Made up".to_owned(), Value::Null),
            ("Names end with _x".to_owned(), named.clone())
        ]
    );
    assert_eq!(of("handoffs"), [("Finish the rest".to_owned(), named)]);
    assert!(repo.ok(&["context", "get"]).contains(&format!(" in {id}")));
    let (shown, _) = answer(&repo.aio(&["run", "show", "--json"]));
    let handoff = shown["handoffs"][0].as_str().unwrap().to_owned();
    assert_eq!(
        (&shown["handoffs"], &shown["notes"][0]),
        (
            &vec![handoff.clone()].into(),
            &context["notes"].as_array().unwrap().iter().find(|note| note["run"] == id.as_str()).unwrap()["id"]
        )
    );
    let text = repo.ok(&["run", "show"]);
    assert!(
        text.contains(&format!("handoff {handoff}  Finish the rest")) && text.contains("decision  Names end with _x"),
        "{text}"
    );
    // It says so still when somebody has taken it over, which writes it anew.
    repo.ok_as(&me, &["handoff", "accept", &handoff, "--force"]);
    assert!(repo.ok(&["handoff", "show", &handoff]).contains(&format!("It came of the run {id}.")));
}

#[test]
fn the_events_are_lines_of_json() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Error("overloaded")]);
    agents.plays("claude", &[Do::Run("true"), Do::Say("Done.")]);
    let ended = delegate(&repo, &["--agent", "claude", "--scope", "src/auth/", "--jsonl"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, events) = lines.split_last().unwrap();
    assert!(lines.iter().all(|line| line["schema"] == 1), "{lines:#?}");
    let names: Vec<String> = events
        .iter()
        .map(|event| match &event["status"] {
            Value::String(status) => format!("{} {status}", event["event"].as_str().unwrap()),
            _ => event["event"].as_str().unwrap().to_owned(),
        })
        .collect();
    assert_eq!(
        names,
        [
            "step claiming",
            "attempt",
            "step running",
            "failed",
            "again",
            "step claiming",
            "attempt",
            "step running",
            "doing",
            "step verifying",
            "checking",
            "checked",
        ]
    );
    assert_eq!((&events[3]["attempt"], &events[3]["agent"]), (&1.into(), &"claude".into()), "{}", events[3]);
    assert!(events[3].to_string().contains("overloaded"), "{}", events[3]);
    assert_eq!(
        (&last["run"]["status"], &last["verdict"], &last["result"]),
        (&"complete".into(), &"passed".into(), &"Done.".into())
    );
    let schema: Value = serde_json::from_str(&repo.ok(&["schema"])).unwrap();
    assert!(["run", "runs", "event"].iter().all(|name| schema["answers"][name].is_object()), "{schema:#}");
}

#[test]
fn what_is_private_stays_in_this_clone() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Say("The password is swordfish.")]);
    let (told, _) = told(&repo, &["--agent", "claude"]);
    let id = run_of(&told);
    let public = repo.git(&["log", "-p", &format!("refs/aio/runs/{id}")]);
    assert!(!public.contains("swordfish") && public.contains("Fix the login."), "{public}");
    let kept = repo.git(&["ls-tree", "-r", "--name-only", &format!("refs/aio-local/runs/{id}")]);
    assert_eq!(kept, "out/task.1.txt\nout/task.txt\nprompt/task.1.md\nspec/delegation.json\n");
}
