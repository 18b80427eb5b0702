//! The patterns of the catalog, each from its command to the files that it leaves.

use super::*;

#[test]
fn a_pipeline_tells_every_stage_what_all_before_it_found() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    agents.plays_when("claude", "Current task: Analyze", &[Do::Say("two logins")]);
    agents.plays_when("claude", "Current task: Design", &[Do::Say("one login")]);
    let build = [Do::Edit("src/auth/login.rs", "fn login() { once() }\n"), Do::Say("built it")];
    agents.plays_when("claude", "Current task: Implement", &build);
    let test = [Do::Edit("src/auth/test.rs", "fn test() {}\n"), Do::Say("tested it")];
    agents.plays_when("claude", "Current task: Test", &test);
    let (told, code) = told(&repo, &["pipeline", "-i", "goal=One login", "-i", "scope=src/auth/**"]);
    assert_eq!((code, status(&told), &told["result"]), (0, "complete", &"tested it".into()), "{told:#}");
    let words = ["two logins", "one login", "built it"];
    let agent = ["analyzer", "designer", "builder"];
    for (stage, call) in agents.calls("claude").iter().enumerate() {
        let said = (0..3).filter(|n| call.prompt.contains(&format!("\n{}: {}\n", agent[*n], words[*n]))).count();
        assert_eq!(said, stage, "{}", call.prompt);
        assert!(call.prompt.contains("Goal: One login"));
    }
    let steps: Vec<_> = told["run"]["steps"].as_array().unwrap().iter().map(|step| &step["id"]).collect();
    assert_eq!(steps, ["analyze", "design", "build", "test"]);
    assert_eq!(told["run"]["steps"][2]["files"], serde_json::json!(["src/auth/login.rs"]));
    assert_eq!(lines(&repo.dir.join("src/auth/test.rs")), ["fn test() {}"]);
    assert_eq!(told["run"]["links"].as_array().unwrap().len(), 2, "a claim for each that writes: {told:#}");
    assert_free(&repo);
}

#[test]
fn a_stage_that_fails_stops_the_pipeline_and_says_so() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    agents.plays_when("claude", "Current task: Analyze", &[Do::Say("two logins")]);
    agents.plays_when("claude", "Current task: Design", &[Do::Error("overloaded"), Do::Exit(1)]);
    let ended = repo.aio(&["run", "pipeline", "-i", "goal=One login"]);
    assert_eq!((ended.code, &ended.stdout[..]), (1, ""), "{ended:?}");
    assert!(ended.stderr.contains("Pipeline failed: design"), "{}", ended.stderr);
    assert_eq!(agents.calls("claude").len(), 2);
    assert_free(&repo);
}

#[test]
fn three_explorers_work_at_once_and_what_they_find_is_combined() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    for (needle, word) in [("Analyze auth", "auth"), ("Analyze the data", "db"), ("Analyze the API", "api")] {
        let meet =
            format!("touch ../{word}; until [ -e ../auth ] && [ -e ../db ] && [ -e ../api ]; do sleep 0.02; done");
        agents.plays_when("claude", needle, &[Do::Run(&meet), Do::Say(&format!("{word} is fine"))]);
    }
    agents.plays_when("claude", "Combine these findings", &[Do::Say("all is fine")]);
    let (told, code) = told(&repo, &["fan-out"]);
    assert_eq!((code, &told["result"]), (0, &"all is fine".into()), "{told:#}");
    let calls = agents.calls("claude");
    let last = calls.iter().find(|call| call.prompt.contains("Combine these")).unwrap();
    assert!(["auth", "db", "api"].iter().all(|word| last.prompt.contains(&format!("{word} is fine"))));
    assert_eq!(calls.len(), 4);
    assert_free(&repo);
}

/// What a triage does with these issues: the steps that were done, and how it ended.
fn triaged(issues: &str) -> (Vec<String>, i32) {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    agents.plays_when("claude", "identify issues", &[Do::Say(&format!("{{\"issues\":[{issues}]}}"))]);
    agents.plays_when("claude", "Critical issues", &[Do::Edit("src/auth/login.rs", "fixed\n"), Do::Say("fixed")]);
    agents.plays("claude", &[Do::Say("looked at it")]);
    let (told, code) = told(&repo, &["triage"]);
    let steps = steps(&told);
    let agents = agents.calls("claude").len();
    let done: Vec<String> = steps.into_iter().filter(|(_, status)| status != "skipped").map(|(step, _)| step).collect();
    assert_eq!(agents, done.len(), "{told:#}");
    assert_free(&repo);
    (done, code)
}

#[test]
fn a_triage_takes_the_one_path_that_the_worst_finding_calls_for() {
    let issue = |severity, kind| format!(r#"{{"severity":"{severity}","type":"{kind}","where":"a","what":"b"}}"#);
    let both = [issue("critical", "bug"), issue("minor", "security")].join(",");
    assert_eq!(triaged(&both), (vec!["analyze".into(), "fix".into()], 0));
    assert_eq!(triaged(&issue("minor", "security")), (vec!["analyze".into(), "secure".into()], 0));
    assert_eq!(triaged(&issue("minor", "style")), (vec!["analyze".into(), "suggest".into()], 0));
}

/// Refines with these scores, one for each round; nothing for a review without one.
fn refined(scores: &[Option<u32>]) -> (Value, i32, usize) {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    let issues = r#""issues":[{"where":"src/main.rs:1","what":"no test"}]"#;
    for score in scores {
        let score = score.map_or_else(String::new, |score| format!("\"score\":{score},"));
        agents.plays_when("claude", "Evaluate the current", &[Do::Say(&format!("{{{score}{issues}}}"))]);
    }
    let write = [Do::Run("echo round >>src/main.rs"), Do::Say("written")];
    agents.plays_when("claude", "Implement/improve", &write);
    let (told, code) = told(&repo, &["refine", "-i", "task=Test it", "-i", "files=src/main.rs"]);
    let rounds = lines(&repo.dir.join("src/main.rs")).len() - 1;
    let prompts: Vec<String> = agents.calls("claude").into_iter().map(|call| call.prompt).collect();
    for round in 1..=rounds {
        let write = &prompts[(round - 1) * 2];
        assert!(write.contains(&format!("Iteration {round}:")), "{write}");
        assert_eq!(write.contains("- src/main.rs:1: no test"), round > 1, "{write}");
    }
    assert_free(&repo);
    (told, code, rounds)
}

#[test]
fn a_refinement_ends_when_the_score_is_high_enough() {
    let (told, code, rounds) = refined(&[Some(7), None, Some(8)]);
    assert_eq!((code, status(&told), rounds), (0, "complete", 3), "{told:#}");
    assert_eq!(steps(&told)["refine"], "ok");
}

#[test]
fn a_refinement_that_is_never_scored_ends_after_its_rounds_and_says_so() {
    let (told, code, rounds) = refined(&[None]);
    assert_eq!((code, status(&told), rounds), (9, "max_iterations_reached", 5), "{told:#}");
    assert_eq!(steps(&told)["refine"], "max_iterations_reached");
}

#[test]
fn what_is_evaluated_lands_only_when_a_review_is_clean() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    let found = r#"{"clean":false,"issues":[{"line":2,"what":"no await"}]}"#;
    let look = "cat src/main.rs >>../seen";
    agents.plays_when("claude", "Check for:", &[Do::Run(look), Do::Say(found)]);
    agents.plays_when("claude", "Check for:", &[Do::Run(look), Do::Say(r#"{"clean":true,"issues":[]}"#)]);
    agents.plays_when("claude", "Work on .context", &[Do::Run("echo more >>.context/main.rs"), Do::Say("written")]);
    let (told, code) = told(&repo, &["evaluator-optimizer", "-i", "task=Await", "-i", "file=src/main.rs"]);
    assert_eq!((code, status(&told)), (0, "complete"), "{told:#}");
    assert_eq!(lines(&repo.dir.join("../seen")), ["fn main() {}"; 2]);
    assert_eq!(lines(&repo.dir.join("src/main.rs")), ["fn main() {}", "more", "more"]);
    let review = |round: u32| fs::read_to_string(repo.dir.join(format!(".context/review-round{round}.md"))).unwrap();
    assert!(review(1).contains("- line 2: no await") && review(2).contains("clean"));
    let mut second = agents.calls("claude").into_iter().map(|call| call.prompt).filter(|text| text.contains("Work on"));
    assert!(second.next_back().unwrap().contains("- line 2: no await"));
    assert!(repo.git(&["status", "--short"]) == " M src/main.rs\n", "what is in .context is excluded");
    assert_free(&repo);
}

#[test]
fn what_is_never_clean_never_lands() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    let found = r#"{"clean":false,"issues":[{"line":2,"what":"no await"}]}"#;
    agents.plays_when("claude", "Check for:", &[Do::Say(found)]);
    agents.plays_when("claude", "Work on .context", &[Do::Run("echo more >>.context/main.rs"), Do::Say("written")]);
    let (told, code) = told(&repo, &["evaluator-optimizer", "-i", "task=Await", "-i", "file=src/main.rs"]);
    assert_eq!((code, status(&told), &steps(&told)["land"][..]), (9, "max_iterations_reached", "skipped"), "{told:#}");
    assert_eq!(lines(&repo.dir.join("src/main.rs")), ["fn main() {}"]);
    assert!(agents.calls("claude").last().unwrap().prompt.contains("Final security review. Any remaining issues?"));
    assert_free(&repo);
}

#[test]
fn tests_that_fail_send_the_code_back() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    agents.plays("claude", &[Do::Edit("src/main.rs", "wrong\n"), Do::Say("done")]);
    agents.plays("claude", &[Do::Run("cp src/main.rs ../before"), Do::Edit("src/main.rs", "right\n"), Do::Say("done")]);
    let test = "test=grep right src/main.rs || { echo not right; exit 1; }";
    let (told, code) = told(&repo, &["tdd", "-i", "task=Make it right", "-i", "files=src/**", "-i", test]);
    assert_eq!((code, status(&told), agents.calls("claude").len()), (0, "complete", 2), "{told:#}");
    assert!(agents.calls("claude")[1].prompt.contains("not right"));
    assert_eq!(lines(&repo.dir.join("../before")), ["fn main() {}"], "what failed was put back");
    assert_free(&repo);
}

#[test]
fn a_lead_that_says_done_is_not_believed_while_a_criterion_fails() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    let task = r#"{"done":false,"why":"x","tasks":[{"worker":"bug-fixer","task":"Make it right","scope":["src/main.rs"]},{"worker":"architect","task":"Think","scope":[]}]}"#;
    let done = r#"{"done":true,"why":"all is well","tasks":[]}"#;
    [done, task, done].iter().for_each(|say| agents.plays_when("claude", "You are the supervisor", &[Do::Say(say)]));
    agents.plays_when("claude", "Make it right", &[Do::Edit("src/main.rs", "right\n"), Do::Say("did it")]);
    agents.plays_when("claude", "Think", &[Do::Say("thought")]);
    let (told, code) =
        told(&repo, &["supervise", "-i", "goal=Right", "-i", r#"criteria=["grep -q right src/main.rs"]"#]);
    assert_eq!((code, status(&told), agents.calls("claude").len()), (0, "complete", 5), "{told:#}");
    let leads: Vec<String> = agents.calls("claude").into_iter().map(|call| call.prompt).collect();
    let leads: Vec<&String> = leads.iter().filter(|prompt| prompt.contains("You are the supervisor")).collect();
    assert!(leads[1].contains("Criteria that do not hold yet:\n- grep -q right src/main.rs"), "{}", leads[1]);
    assert!(leads[2].contains("did it") && leads[2].contains("do not hold yet:\nnone"), "{}", leads[2]);
    assert_free(&repo);
}
