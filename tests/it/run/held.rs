//! Workflows that claim what all of their steps may write, for as long as the run goes on.

use super::*;

const FLOW: &str = r#"
about = "All of src, from the question to the end."
scope = ["src/**"]

[[step]]
id = "go"
ask = "Go on?"

[[step]]
id = "edit"
agent = "claude"
scope = ["src/main.rs"]
prompt = "Edit it"
save = ".context/said.md"

[[step]]
id = "test"
agent = "claude"
scope = ["src/test.rs"]
prompt = "Test it"
"#;

fn scene<'e>(env: &'e TestEnvironment, flow: &str) -> (Agents, Repo<'e>) {
    let (agents, repo) = place(env, &[("flow", flow)]);
    agents.plays_when("claude", "Edit it", &[Do::Edit("src/main.rs", "edited\n"), Do::Say("edited it")]);
    agents.plays_when("claude", "Test it", &[Do::Edit("src/test.rs", "tested\n"), Do::Say("tested it")]);
    (agents, repo)
}

/// The same where somebody holds a part of its scope, and who that is.
fn held<'e>(env: &'e TestEnvironment, flow: &str) -> (Agents, Repo<'e>, String) {
    let (agents, repo) = scene(env, flow);
    let other = repo.register("codex");
    repo.ok_as(&other, &["claim", "src/auth/"]);
    (agents, repo, other)
}

#[test]
fn what_a_run_claims_is_held_while_it_waits_and_given_back_when_it_ends() {
    let env = TestEnvironment::new();
    let (_, repo) = scene(&env, FLOW);
    let other = repo.register("codex");
    assert_eq!(repo.aio(&["run", "flow"]).code, 5);
    // Days later it still waits.
    for now in ["2031-01-01T00:00:00Z", "2031-01-03T00:00:00Z"] {
        let refused = repo.aio_at(now, &other, &["claim", "src/auth/login.rs"]);
        assert!(refused.code == 3 && refused.stderr.contains("run-"), "{refused:?}");
    }
    repo.ok_as(&other, &["claim", "README.md"]);
    repo.ok(&["run", "answer", "/go", "yes"]);
    let resumed = repo.aio(&["run", "resume"]);
    assert_eq!((resumed.code, &resumed.stdout[..]), (0, "tested it\n"), "{resumed:?}");
    assert_eq!(lines(&repo.dir.join("src/main.rs")), ["edited"]);
    repo.ok_as(&other, &["claim", "src/auth/login.rs"]);
    repo.ok_as(&other, &["unregister"]);
    assert_free(&repo);
}

#[test]
fn what_is_cancelled_holds_nothing_any_more() {
    let env = TestEnvironment::new();
    let (_, repo) = scene(&env, FLOW);
    assert_eq!(repo.aio(&["run", "flow"]).code, 5);
    repo.ok(&["run", "cancel"]);
    assert_free(&repo);
}

#[test]
fn a_run_whose_scope_somebody_holds_does_not_begin() {
    let env = TestEnvironment::new();
    let (agents, repo, other) = held(&env, FLOW);
    let refused = repo.aio(&["run", "flow"]);
    assert!(refused.code == 3 && refused.stderr.contains(&other), "{refused:?}");
    assert_eq!(agents.calls("claude").len(), 0);
    let id = repo.ok(&["run", "show"]).split_whitespace().next().unwrap().to_owned();
    let resume = format!("`git aio run resume {id}`");
    assert!(refused.stderr.contains(&resume) && !refused.stderr.contains("narrower"), "{refused:?}");
    assert!(repo.ok(&["run", "show"]).contains(&resume) && repo.ok(&["run", "log"]).contains(&resume));
    let (again, code) = answer(&repo.aio(&["run", "resume", &id, "--json"]));
    assert_eq!((code, &again["error"]["run"]), (3, &id.as_str().into()), "{again:#}");
    // It is found, with why, and is not taken for what is gone on with.
    assert!(repo.ok(&["run", "list"]).starts_with("refused "));
    for shown in [repo.ok(&["run", "show"]), repo.ok(&["run", "log"])] {
        assert!(shown.contains("refused") && shown.contains(&other), "{shown}");
    }
    let resumed = repo.aio(&["run", "resume"]);
    assert!(resumed.code == 8 && resumed.stderr.contains("there is no run yet"), "{resumed:?}");
    repo.ok_as(&other, &["unregister"]);
    assert_free(&repo);
}

#[test]
fn a_run_in_the_background_says_why_it_does_not_begin_and_can_be_begun_later() {
    let env = TestEnvironment::new();
    let (_, repo, other) = held(&env, FLOW);
    repo.ok(&["run", "flow", "--detach"]);
    let look = || answer(&repo.aio(&["run", "show", "--json"])).0;
    wait_for("the end", || {
        let word = status(&look()).to_owned();
        assert!(["starting", "running", "refused"].contains(&&word[..]), "{word}");
        word == "refused"
    });
    let told = look();
    assert!(told["run"]["why"].as_str().unwrap().contains(&other), "{told:#}");
    repo.ok_as(&other, &["unregister"]);
    let id = told["run"]["id"].as_str().unwrap();
    let begun = repo.aio(&["run", "resume", id]);
    assert_eq!(begun.code, 5, "{begun:?}");
    let told = look();
    assert!(status(&told) == "waiting" && told["run"]["why"].is_null(), "{told:#}");
    repo.ok(&["run", "cancel"]);
    assert_free(&repo);
}

#[test]
fn a_run_waits_for_its_scope_where_it_is_told_to() {
    for is_detached in [false, true] {
        let env = TestEnvironment::new();
        let (_, repo, other) = held(&env, FLOW);
        let args = ["flow", "--wait", "2m", "--detach"];
        let mut waits = start(&repo, &args[..if is_detached { 4 } else { 3 }]);
        let look = || answer(&repo.aio(&["run", "show", "--json"])).0;
        wait_for("the run", || !repo.ok(&["run", "list"]).contains("no runs"));
        wait_for("the wait", || look()["run"]["why"].as_str().is_some_and(|why| why.contains(&other)));
        repo.ok_as(&other, &["unregister"]);
        wait_for("the question", || status(&look()) == "waiting");
        assert_eq!(waits.wait().unwrap().code(), Some(if is_detached { 0 } else { 5 }));
        repo.ok(&["run", "cancel"]);
        assert_free(&repo);
    }
}

#[test]
fn whoever_waits_writes_nothing_into_the_state() {
    let step = "about = \"x\"\n[[step]]\nid = \"a\"\nscope = [\"src/**\"]\nverify = []\nrun = \"echo a >src/a\"\n";
    for flow in [FLOW, step] {
        let env = TestEnvironment::new();
        let (_, repo, other) = held(&env, flow);
        let operations = || repo.git(&["rev-list", "--count", "refs/aio/state"]);
        let before = operations();
        let ended = repo.aio(&["run", "flow", "--wait", "1500ms"]);
        assert_eq!(ended.code, 3, "{ended:?}");
        assert_eq!(operations(), before);
        repo.ok_as(&other, &["unregister"]);
        assert_free(&repo);
    }
}

#[test]
fn a_run_that_is_interrupted_while_it_waits_for_its_scope_can_be_resumed_and_is_refused_as_before() {
    let env = TestEnvironment::new();
    let (_, repo, other) = held(&env, FLOW);
    let look = || answer(&repo.aio(&["run", "show", "--json"])).0;
    for resumes in [false, true] {
        let waits = start(&repo, &[if resumes { "resume" } else { "flow" }, "--wait", "2m", "--jsonl"]);
        wait_for("the run", || !repo.ok(&["run", "list"]).contains("no runs"));
        wait_for("the wait", || status(&look()) == "running" && look()["run"]["why"].is_string());
        let ended = super::stop::interrupt(waits);
        let (_, told) = events(&ended);
        assert_eq!((ended.code, status(&told)), (130, "interrupted"), "{ended:?}");
    }
    let refused = repo.aio(&["run", "resume", "--wait", "0s", "--jsonl"]);
    let (_, told) = events(&refused);
    assert!(refused.code == 3 && refused.stderr.contains(&other), "{refused:?}");
    assert_eq!(status(&told), "refused", "{told:#}");
    repo.ok_as(&other, &["unregister"]);
    assert_free(&repo);
    assert_eq!(repo.aio(&["run", "resume", told["run"]["id"].as_str().unwrap()]).code, 5);
    repo.ok(&["run", "cancel"]);
    assert_free(&repo);
}

#[test]
fn a_run_that_was_killed_holds_on_till_it_is_gone_on_with() {
    let env = TestEnvironment::new();
    let (agents, repo) = scene(&env, &FLOW.replace("[[step]]\nid = \"go\"\nask = \"Go on?\"\n", ""));
    let other = repo.register("codex");
    let killed = run(repo.command(&["run", "flow"]).env("AIO_TEST_KILL_AT", "run-after-16"));
    assert_eq!(killed.code, KILLED, "{killed:?}");
    let refused = repo.aio_as(&other, &["claim", "src/auth/login.rs"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    let resumed = repo.aio(&["run", "resume"]);
    assert_eq!((resumed.code, &resumed.stdout[..]), (0, "tested it\n"), "{resumed:?}");
    assert!(agents.calls("claude").len() <= 3);
    repo.ok_as(&other, &["unregister"]);
    assert_free(&repo);
}

#[test]
fn steps_that_write_the_same_wait_for_each_other_and_the_run_is_not_in_its_own_way() {
    let line = "echo + >>../log; sleep 0.1; echo - >>../log; echo {{ item }} >>src/log";
    let flow = format!(
        "about = \"x\"\nscope = [\"src/**\"]\n[[step]]\nid = \"a\"\nfor_each = [1, 2, 3]\nisolate = \"claims\"\n\
         scope = [\"src/log\"]\nverify = []\nrun = \"{line}\"\n\
         [[step]]\nid = \"b\"\nneeds = []\nisolate = \"claims\"\nscope = [\"src/b\"]\nverify = []\nrun = \"echo b >src/b\"\n\
         [[step]]\nid = \"c\"\nneeds = []\nscope = [\"src/c\"]\nverify = []\nrun = \"echo c >src/c\"\n\
         [[step]]\nid = \"d\"\nscope = [\"{{{{ vars.d }}}}\"]\nverify = []\nrun = \"echo d >docs/d\"\n[vars]\nd = \"docs/d\"\n"
    );
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("flow", &flow)]);
    let (told, code) = told(&repo, &["flow"]);
    assert_eq!((code, &steps(&told)["d"][..]), (4, "failed"), "{told:#}");
    let failed = told["run"]["steps"].as_array().unwrap().iter().find(|step| step["id"] == "d").unwrap();
    assert!(failed["failure"]["text"].as_str().unwrap().contains("not within the scope of the workflow"));
    let marks = lines(&repo.dir.join("../log"));
    assert!(marks.len() == 6 && marks.chunks(2).all(|two| two == ["+", "-"]), "{marks:?}");
    let mut log = lines(&repo.dir.join("src/log"));
    log.sort();
    assert_eq!(log, ["1", "2", "3"]);
    assert_eq!((lines(&repo.dir.join("src/b")), lines(&repo.dir.join("src/c"))), (vec!["b".into()], vec!["c".into()]));
    assert_free(&repo);
}

#[test]
fn a_run_commits_what_its_steps_have_written_through_the_fence() {
    let commit = "\n[[step]]\nid = \"commit\"\nrun = \"git add -A -- {{ run.files }} && git commit -q -m All -- {{ run.files }}\"\n";
    let flow = FLOW.replace("[[step]]\nid = \"go\"\nask = \"Go on?\"\n", "") + commit;
    for flow in [flow.clone(), flow.replace("scope = [\"src/**\"]\n", "")] {
        let env = TestEnvironment::new();
        let (_, repo) = scene(&env, &flow);
        repo.ok(&["init"]);
        let (told, code) = told(&repo, &["flow"]);
        assert_eq!((code, status(&told)), (0, "complete"), "{told:#}");
        assert_eq!(repo.git(&["show", "--format=%s", "--name-only"]), "All\n\nsrc/main.rs\nsrc/test.rs\n");
        // Somebody else's claims count as ever.
        let other = repo.register("codex");
        repo.ok_as(&other, &["claim", "src/main.rs"]);
        let ended = repo.aio(&["run", "flow", "--wait", "0s"]);
        assert_eq!(ended.code, 3, "{ended:?}");
        repo.ok_as(&other, &["unregister"]);
        assert_free(&repo);
    }
}

#[test]
fn a_variable_makes_nobody_a_command_of_a_run() {
    let env = TestEnvironment::new();
    let (_, repo) = scene(&env, FLOW);
    repo.ok(&["init"]);
    let (told, code) = told(&repo, &["flow"]);
    assert_eq!((code, status(&told)), (5, "waiting"), "{told:#}");
    let id = told["run"]["id"].as_str().unwrap();
    repo.write("src/main.rs", "mine\n");
    repo.git(&["add", "src/main.rs"]);
    for around in [format!("{id}."), format!("{id}.go.1"), format!("other-1-abcd.a/{id}.go.1")] {
        let mut commit = env.command("git", &repo.dir);
        let ended = run(commit.args(["commit", "-q", "-m", "x"]).env("AIO_RUN", &around));
        assert!(ended.code == 1 && ended.stderr.contains("run-"), "{around}: {ended:?}");
    }
    repo.ok(&["run", "cancel"]);
    assert_free(&repo);
}

#[test]
fn whatever_a_step_says_that_it_does_its_run_holds_on_and_lets_go_at_the_end() {
    let step = "\n[[step]]\nid = \"a\"\nscope = [\"src/a\"]\nverify = []\nrun = \"git aio task 'something else'; echo a >src/a\"\n";
    let asks = "[[step]]\nid = \"go\"\nask = \"Go on?\"\n";
    for waits in [true, false] {
        let flow = format!("about = \"x\"\nscope = [\"src/**\"]\n{step}{}", if waits { asks } else { "" });
        let env = TestEnvironment::new();
        let (_, repo) = place(&env, &[("flow", &flow)]);
        let other = repo.register("codex");
        let ended = repo.aio(&["run", "flow"]);
        assert_eq!(ended.code, if waits { 5 } else { 0 }, "{ended:?}");
        assert!(!waits || repo.ok(&["status"]).contains("something else"));
        if waits {
            let refused = repo.aio_at("2031-01-01T00:00:00Z", &other, &["claim", "src/auth/login.rs"]);
            assert!(refused.code == 3 && refused.stderr.contains("run-"), "{refused:?}");
            repo.ok(&["run", "answer", "/go", "yes"]);
            repo.ok(&["run", "resume"]);
        }
        repo.ok_as(&other, &["claim", "src/auth/login.rs"]);
        repo.ok_as(&other, &["unregister"]);
        assert_free(&repo);
    }
}

#[test]
fn nobody_holds_on_for_ever_by_calling_themselves_a_run() {
    let env = TestEnvironment::new();
    let (_, repo) = scene(&env, FLOW);
    let refused = repo.aio(&["register", "run"]);
    assert!(refused.code == 2 && refused.stderr.contains("such as codex"), "{refused:?}");
    assert_free(&repo);
}

#[test]
fn a_run_that_comes_to_nothing_before_its_first_step_has_failed_and_holds_nothing() {
    let env = TestEnvironment::new();
    let (_, repo) = scene(&env, &FLOW.replace("[\"src/**\"]", "[\"{{ inputs.flag }}\"]\n[inputs]\nflag = true\n"));
    let ended = repo.aio(&["run", "flow"]);
    assert_ne!(ended.code, 0, "{ended:?}");
    assert!(repo.ok(&["run", "list"]).starts_with("failed "), "{ended:?} {}", repo.ok(&["run", "list"]));
    assert_free(&repo);
}

/// Changes one file, waits till another run has changed the other, and then wants that one, too.
const CROSSED: &str = r#"
about = "x"

[inputs]
one = {}
other = {}

[[step]]
id = "first"
run = "echo new >>src/{{ inputs.one }}; while ! test -s src/{{ inputs.other }}; do sleep 0.05; done"
scope = ["src/{{ inputs.one }}"]
verify = []

[[step]]
id = "second"
run = "echo new >>src/{{ inputs.other }}"
scope = ["src/{{ inputs.other }}"]
verify = []
"#;

#[test]
fn of_two_runs_that_wait_for_each_other_the_later_gives_way_at_once() {
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("flow", CROSSED)]);
    let start = |one: &str, other: &str| {
        let (one, other) = (format!("one={one}"), format!("other={other}"));
        let mut command = repo.command(&["run", "flow", "-i", &one, "-i", &other, "--wait", "10m"]);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    let runs = [start("a", "b"), start("b", "a")].map(|child| child.wait_with_output().unwrap());
    let told = runs.iter().map(|run| String::from_utf8_lossy(&run.stderr)).collect::<Vec<_>>();
    let mut codes = runs.iter().map(|run| run.status.code().unwrap()).collect::<Vec<_>>();
    let loser =
        told.iter().find(|told| told.contains("waits for this run in turn")).unwrap_or_else(|| panic!("{told:?}"));
    codes.sort_unstable();
    assert_eq!(codes, [0, 3], "{told:?}");
    let id = loser.lines().find_map(|line| line.split("  ").next().filter(|id| id.starts_with("flow-"))).unwrap();
    let again = repo.aio(&["run", "retry", &format!("{id}/second")]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_free(&repo);
}

#[test]
fn whoever_holds_what_a_step_writes_does_not_wait_for_itself() {
    let flow = "about = \"x\"\n[[step]]\nid = \"a\"\nrun = \"true\"\nscope = [\"src/main.rs\"]\nverify = []\n";
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("flow", flow)]);
    let me = repo.register("claude");
    repo.ok_as(&me, &["claim", "src/main.rs"]);
    let held = repo.aio_as(&me, &["run", "flow"]);
    assert!(held.code == 3 && held.stderr.contains("that is you"), "{held:?}");
}
