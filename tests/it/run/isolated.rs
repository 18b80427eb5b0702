//! Blocks that work on a copy of everything, and shapes that are written in a file.

use super::*;

const FLOW: &str = r#"
about = "On a copy, till it is clean."

[[step]]
id = "fix"
isolate = "worktree"
repeat = { until = "steps.review.out.clean", max = 2 }

  [[step.step]]
  id = "write"
  agent = "claude"
  scope = ["src/main.rs"]
  prompt = "Write round {{ iteration }}"
  compensate = "revert"

  [[step.step]]
  id = "review"
  agent = "claude"
  prompt = "Review this: {{ files('src/main.rs') }}"
  output_schema = "shapes/review.json"

[[step]]
id = "after"
run = "cat src/main.rs; echo {{ run.files }}"
"#;

const SCHEMA: &str = r#"{
  "title": "A review",
  "type": "object",
  "properties": { "clean": { "type": "boolean" } },
  "required": ["clean"],
  "additionalProperties": false
}"#;

/// Where the answers to the reviews are these.
fn scene<'e>(env: &'e TestEnvironment, reviews: &[&str]) -> (Agents, Repo<'e>) {
    let (agents, repo) = place(env, &[]);
    repo.write(".aio/workflows/flow.toml", FLOW);
    repo.write(".aio/workflows/shapes/review.json", SCHEMA);
    repo.ok(&["trust", "--yes", "--quiet"]);
    let main = repo.dir.display();
    let look = format!("cat '{main}/src/main.rs' >>'{main}/../seen'; pwd >>'{main}/../places'");
    reviews.iter().for_each(|say| agents.plays_when("claude", "Review this", &[Do::Run(&look), Do::Say(say)]));
    agents.plays_when("claude", "Write round", &[Do::Run("echo more >>src/main.rs"), Do::Say("written")]);
    (agents, repo)
}

const CLEAN: &str = r#"{"clean":true}"#;
const NOT: &str = r#"{"clean":false}"#;

#[test]
fn what_is_done_on_a_copy_comes_back_when_it_is_clean_and_not_before() {
    let env = TestEnvironment::new();
    let (agents, repo) = scene(&env, &[NOT, CLEAN]);
    let plan = repo.ok(&["run", "flow", "--dry-run"]);
    assert!(plan.contains("on a copy"), "{plan}");
    let (told, code) = told(&repo, &["flow"]);
    let result = told["result"].as_str().unwrap_or_default();
    assert_eq!((code, result.trim()), (0, "fn main() {}\nmore\nmore\nsrc/main.rs"), "{told:#}");
    assert_eq!(lines(&repo.dir.join("../seen")), ["fn main() {}"; 2]);
    assert!(lines(&repo.dir.join("../places")).iter().all(|place| !place.ends_with("/demo")));
    let last = agents.calls("claude").pop().unwrap().prompt;
    assert!(last.contains("fn main() {}\nmore\nmore\n"), "a template there sees the copy: {last}");
    assert_eq!(repo.git(&["status", "--short", "src"]), " M src/main.rs\n");
    assert_free(&repo);
}

#[test]
fn what_is_never_clean_leaves_nothing_and_is_no_failure() {
    let env = TestEnvironment::new();
    let (_, repo) = scene(&env, &[NOT]);
    let (told, code) = told(&repo, &["flow"]);
    assert_eq!((code, status(&told)), (9, "max_iterations_reached"), "{told:#}");
    assert_eq!(told["result"].as_str().map(str::trim), Some("fn main() {}"), "{told:#}");
    assert_eq!(repo.git(&["status", "--short", "src"]), "");
    assert_free(&repo);
}

#[test]
fn what_has_changed_meanwhile_is_not_written_over() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    repo.write(".aio/workflows/flow.toml", FLOW);
    repo.write(".aio/workflows/shapes/review.json", SCHEMA);
    repo.ok(&["trust", "--yes", "--quiet"]);
    let theirs = format!("echo theirs >'{}/src/main.rs'", repo.dir.display());
    agents.plays_when("claude", "Review this", &[Do::Run(&theirs), Do::Say(CLEAN)]);
    agents.plays_when("claude", "Write round", &[Do::Run("echo more >>src/main.rs"), Do::Say("written")]);
    let (told, code) = told(&repo, &["flow"]);
    assert_eq!((code, status(&told)), (1, "failed"), "{told:#}");
    assert_eq!(lines(&repo.dir.join("src/main.rs")), ["theirs"]);
    assert_free(&repo);
}

const KILLED: i32 = 128 + 9;

/// Three files change on the copy, one of them goes, and the round after the first depends on what is in them.
const LANDS: &str = r#"
about = "Comes back, and is counted."

[[step]]
id = "fix"
isolate = "worktree"
repeat = { until = "'more\nmore' in files('src/main.rs')", max = 3 }

  [[step.step]]
  id = "write"
  agent = "claude"
  scope = ["src/**"]
  prompt = "Write round {{ iteration }}"
  compensate = "revert"

[[step]]
id = "after"
retry = 1
run = "cat src/main.rs src/new.rs; echo {{ run.files }} {{ steps.fix.attempts }}"

[[step]]
id = "last"
retry = 1
run = "echo gone >src/main.rs"
"#;

/// Where each round adds a line to two files, and the third is gone.
fn landing(env: &TestEnvironment) -> (Agents, Repo<'_>) {
    let (agents, repo) = place(env, &[("flow", LANDS)]);
    let write = "echo more >>src/main.rs; echo new >>src/new.rs; rm -f src/auth/login.rs";
    agents.plays_when("claude", "Write round", &[Do::Run(write), Do::Say("written")]);
    (agents, repo)
}

/// Kills the driver there, and goes on; whether it came there. How often the agent was asked, before that and in all.
fn landed_with_a_kill(at: &str) -> Option<(usize, usize)> {
    let env = TestEnvironment::new();
    let (agents, repo) = landing(&env);
    let killed = run(repo.command(&["run", "flow"]).env("AIO_TEST_KILL_AT", at));
    assert!([0, KILLED].contains(&killed.code), "{at}: {killed:?}");
    if killed.code == 0 || repo.ok(&["run", "list"]) == "no runs\n" {
        return (killed.code == KILLED).then_some((0, 0));
    }
    let before = agents.calls("claude").len();
    let resumed = repo.aio(&["run", "resume"]);
    assert!(resumed.code == 0 || resumed.stderr.contains("has ended: all_tr"), "{at}: {resumed:?}");
    let (shown, _) = answer(&repo.aio(&["run", "show", "--json"]));
    let id = shown["run"]["id"].as_str().unwrap().to_owned();
    let out = repo.git(&["show", &format!("refs/aio-local/runs/{id}:result/after.json")]);
    let out: Value = serde_json::from_str(&out).unwrap();
    let told = "fn main() {}\nmore\nmore\nnew\nnew\nsrc/auth/login.rs src/main.rs src/new.rs 2";
    assert_eq!(out["out"].as_str().unwrap().trim(), told, "{at}: {resumed:?}");
    assert!(!repo.dir.join("src/auth/login.rs").exists(), "{at}");
    assert_free(&repo);
    Some((before, agents.calls("claude").len()))
}

#[test]
fn a_driver_may_be_killed_anywhere_and_what_comes_back_from_a_copy_comes_back_once() {
    let (writes, files) = thread::scope(|scope| {
        // What is done after a write is done before the next one.
        let kill = |lane: usize| {
            let writes = (0..).map(move |n| 1 + 2 * n + lane);
            writes.map_while(|write| Some((write, landed_with_a_kill(&format!("run-before-{write}"))?))).collect()
        };
        let lanes = [0, 1].map(|lane| scope.spawn(move || -> Vec<_> { kill(lane) }));
        let files: Vec<_> = (1..=3).map(|file| landed_with_a_kill(&format!("put-back-{file}"))).collect();
        let mut writes: Vec<_> = lanes.into_iter().flat_map(|lane| lane.join().unwrap()).collect();
        writes.sort_unstable();
        (writes, files)
    });
    assert_eq!(files, [Some((2, 2)); 3]);
    let asked: Vec<(usize, usize)> = writes.into_iter().map(|(_, asked)| asked).collect();
    assert!(asked.iter().all(|(before, all)| *all <= before + 2), "{asked:?}");
    // Before all of it is done it is done anew, and from some write on never again.
    let anew = asked.iter().rposition(|(_, all)| *all > 2).unwrap();
    assert!(anew > 3 && asked.len() > anew + 5, "{asked:?}");
}

#[test]
fn what_had_come_back_in_part_goes_again_where_the_rest_can_not_come() {
    for is_held in [false, true] {
        let env = TestEnvironment::new();
        let (agents, repo) = landing(&env);
        let killed = run(repo.command(&["run", "flow"]).env("AIO_TEST_KILL_AT", "put-back-2"));
        assert_eq!(killed.code, KILLED, "{killed:?}");
        if is_held {
            let other = repo.register("codex");
            repo.ok_as(&other, &["claim", "src/new.rs"]);
            let held = repo.aio(&["run", "resume"]);
            assert!(held.code == 3 && held.stderr.contains(&other), "{held:?}");
            assert!(repo.ok(&["run", "show"]).contains(&other), "it says why it can't go on");
            repo.ok_as(&other, &["unregister"]);
        }
        repo.write("src/new.rs", "theirs\n");
        let resumed = repo.aio(&["run", "resume"]);
        assert!(resumed.code == 1 && resumed.stderr.contains("src/new.rs: somebody has changed it"), "{resumed:?}");
        assert_eq!(lines(&repo.dir.join("src/new.rs")), ["theirs"]);
        assert_eq!(repo.git(&["status", "--short", "src"]), "?? src/new.rs\n", "all else is as it was");
        assert_eq!(agents.calls("claude").len(), 2);
        assert_free(&repo);
        // Once that is settled the block can be done anew.
        fs::remove_file(repo.dir.join("src/new.rs")).unwrap();
        let again = repo.aio(&["run", "retry", "fix"]);
        assert_eq!((again.code, agents.calls("claude").len()), (0, 4), "{again:?}");
    }
}

#[test]
fn what_was_on_its_way_back_comes_whatever_its_workflow_says_by_now() {
    let plain = LANDS.replace("isolate = \"worktree\"\n", "");
    let renamed = LANDS.replace("\"fix\"", "\"mend\"").replace("steps.fix", "steps.mend");
    for (flow, rounds) in [(plain, 2), (renamed, 3)] {
        let env = TestEnvironment::new();
        let (agents, repo) = landing(&env);
        let killed = run(repo.command(&["run", "flow"]).env("AIO_TEST_KILL_AT", "put-back-2"));
        assert_eq!(killed.code, KILLED, "{killed:?}");
        assert!(!repo.dir.join("src/new.rs").exists(), "it is half here");
        repo.write(".aio/workflows/flow.toml", &flow);
        repo.ok(&["trust", "--yes", "--quiet"]);
        let resumed = repo.aio(&["run", "resume", "--updated"]);
        assert_eq!(resumed.code, 0, "{resumed:?}");
        assert_eq!((lines(&repo.dir.join("src/new.rs")).len(), agents.calls("claude").len()), (rounds, rounds));
        assert!(!repo.dir.join("src/auth/login.rs").exists());
        assert_free(&repo);
    }
}

#[test]
fn a_block_that_had_come_back_in_part_is_put_back_when_its_run_is_cancelled_and_holds_nothing() {
    for is_resumed in [false, true] {
        let env = TestEnvironment::new();
        let (_, repo) = landing(&env);
        let killed = run(repo.command(&["run", "flow"]).env("AIO_TEST_KILL_AT", "put-back-1"));
        assert_eq!(killed.code, KILLED, "{killed:?}");
        if is_resumed {
            let killed = run(repo.command(&["run", "resume"]).env("AIO_TEST_KILL_AT", "put-back-1"));
            assert_eq!(killed.code, KILLED, "{killed:?}");
        }
        let told = repo.ok(&["run", "cancel"]);
        let words = "fix: its driver was gone while its copy came back, and what was here of it is put back: src/";
        assert!(told.contains(words), "{told}");
        assert!(repo.ok(&["run", "show"]).contains("is put back: src/"));
        assert_eq!(repo.git(&["status", "--short", "src"]), "");
        let (status, _) = answer(&repo.aio(&["status", "--json"]));
        let nobody = ["claims", "instances"].map(|key| status[key].as_array().unwrap().len());
        assert_eq!(nobody, [0, 0], "{status:#}");
    }
}

#[test]
fn a_block_that_is_done_anew_begins_with_all_that_was_about_to_come_back() {
    let env = TestEnvironment::new();
    let (agents, repo) = landing(&env);
    let killed = run(repo.command(&["run", "flow"]).env("AIO_TEST_KILL_AT", "put-back-2"));
    assert_eq!(killed.code, KILLED, "{killed:?}");
    assert!(!repo.dir.join("src/new.rs").exists(), "it is half here");
    let again = repo.aio(&["run", "retry", "fix"]);
    assert_eq!((again.code, agents.calls("claude").len()), (0, 3), "{again:?}");
    assert_eq!(lines(&repo.dir.join("src/new.rs")), ["new"; 3]);
    assert_free(&repo);
}

#[test]
fn a_block_that_is_done_anew_does_not_come_back_with_what_it_came_to_before() {
    let env = TestEnvironment::new();
    let (agents, repo) = landing(&env);
    repo.ok(&["run", "flow"]);
    let calls = agents.calls("claude").len();
    repo.git(&["checkout", "-q", "--", "src"]);
    fs::remove_file(repo.dir.join("src/new.rs")).unwrap();
    let mut retry = repo.command(&["run", "retry", "fix"]);
    let mut retry = retry.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    wait_for("the block", || agents.calls("claude").len() > calls);
    retry.kill().unwrap();
    retry.wait().unwrap();
    let resumed = repo.aio(&["run", "resume"]);
    assert_eq!(resumed.code, 0, "{resumed:?}");
    assert_eq!(agents.calls("claude").len(), calls + 3, "the one that was killed, and two rounds");
}

#[test]
fn a_copy_that_can_not_be_made_ready_is_gone() {
    let env = TestEnvironment::new();
    let (agents, repo) = landing(&env);
    let config = repo.dir.join(".aio/config.toml");
    repo.write(".aio/config.toml", &format!("[worktree]\nsetup = \"echo = >>'{}'\"\n", config.display()));
    repo.ok(&["trust", "--yes", "--quiet"]);
    let failed = repo.aio(&["run", "flow"]);
    assert!(failed.code == 1 && failed.stderr.contains("config.toml"), "{failed:?}");
    assert_eq!(agents.calls("claude").len(), 0);
    repo.write(".aio/config.toml", "");
    assert_free(&repo);
}

#[test]
fn a_shape_in_a_file_is_approved_held_and_part_of_the_run() {
    let env = TestEnvironment::new();
    let (_, repo) = scene(&env, &[r#"{"clean":"yes"}"#]);
    let (told, code) = told(&repo, &["flow"]);
    assert_eq!((code, status(&told)), (1, "failed"), "{told:#}");
    assert!(told.to_string().contains("the answer.clean has to be true or false"), "{told:#}");
    repo.write(".aio/workflows/shapes/review.json", &SCHEMA.replace("\"clean\": {", "\"clear\": {"));
    let refused = repo.aio(&["run", "flow"]);
    assert_eq!(refused.code, 3, "what has changed is to be approved anew: {refused:?}");
    let checked = repo.aio(&["workflow", "check", "flow"]);
    assert!(
        checked.code == 2 && checked.stdout.contains("shapes/review.json: the schema: 'clean' is required"),
        "{checked:?}"
    );
}

#[test]
fn a_copy_asks_the_caller_for_nothing_however_it_comes_to_be_named() {
    let flow = "about = \"x\"\n[[step]]\nid = \"fix\"\nisolate = \"worktree\"\n[[step.step]]\nid = \"ask\"\nworkflow = \"escalate\"\nwith = { task = \"Do it\", agents = [\"caller\"] }\n";
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("flow", flow)]);
    let (told, code) = told(&repo, &["flow"]);
    assert_eq!((code, status(&told)), (1, "failed"), "{told:#}");
    assert!(
        told.to_string().contains("it asks the caller, and a copy of the files doesn't wait for an answer"),
        "{told:#}"
    );
    assert_free(&repo);
}

#[test]
fn what_stands_beside_a_block_does_not_wait_for_its_copy() {
    let flow = "about = \"x\"\n[[step]]\nid = \"fix\"\nisolate = \"worktree\"\n[[step.step]]\nid = \"write\"\nagent = \"claude\"\nscope = [\"src/main.rs\"]\nprompt = \"Write\"\n\
                [[step]]\nid = \"beside\"\nneeds = []\nrun = \"touch ../begun\"\n";
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[("flow", flow)]);
    let begun = repo.dir.join("../begun").display().to_string();
    let setup = format!("for i in $(seq 300); do [ -e '{begun}' ] && exit 0; sleep 0.1; done; exit 1");
    repo.write(".aio/config.toml", &format!("[verify]\ntest = \"sh check.sh\"\n[worktree]\nsetup = \"{setup}\"\n"));
    repo.ok(&["trust", "--yes", "--quiet"]);
    agents.plays_when("claude", "Write", &[Do::Run("echo more >>src/main.rs"), Do::Say("written")]);
    let (told, code) = told(&repo, &["flow"]);
    assert_eq!((code, status(&told)), (0, "complete"), "{told:#}");
    assert_eq!(lines(&repo.dir.join("src/main.rs")), ["fn main() {}", "more"]);
    assert_free(&repo);
}
