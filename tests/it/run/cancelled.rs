//! Runs that are cancelled after their driver was killed: of what was on its way nothing is left in part.

use super::*;

const KILLED: i32 = 128 + 9;

/// One step works where everybody does, the next on a copy; each is put back when it is undone.
const FLOW: &str = r#"
about = "Two, and each can be put back."

[[step]]
id = "here"
agent = "claude"
scope = ["src/main.rs", "src/here.rs"]
prompt = "Write here"
save = "docs/said.md"
compensate = "revert"

[[step]]
id = "apart"
agent = "claude"
scope = ["src/**"]
isolate = "worktree"
prompt = "Write apart"
compensate = "revert"
"#;

fn scene<'e>(env: &'e TestEnvironment, flow: &str) -> (Agents, Repo<'e>) {
    let (agents, repo) = place(env, &[("flow", flow)]);
    let here = [Do::Edit("src/main.rs", "here\n"), Do::Edit("src/here.rs", "here\n"), Do::Say("Written.")];
    agents.plays_when("claude", "Write here", &here);
    let apart = "echo apart >>src/main.rs; echo apart >src/apart.rs; rm src/auth/login.rs";
    agents.plays_when("claude", "Write apart", &[Do::Run(apart), Do::Say("Written.")]);
    (agents, repo)
}

fn kill(repo: &Repo<'_>, args: &[&str], at: &str) -> bool {
    let ended = run(repo.command(args).env("AIO_TEST_KILL_AT", at));
    assert!([0, KILLED].contains(&ended.code), "{at}: {ended:?}");
    ended.code == KILLED
}

fn changed(repo: &Repo<'_>) -> String {
    repo.git(&["status", "--short", "--untracked-files=all", "src", "docs"])
}

/// Kills the driver there, and whoever undoes it `again` there; then has all undone. Whether it came there.
fn undone_after_a_kill(at: &str, again: Option<&str>) -> bool {
    let env = TestEnvironment::new();
    let (_, repo) = scene(&env, FLOW);
    if !kill(&repo, &["run", "flow"], at) {
        return false;
    }
    if let Some(again) = again {
        let killed = run(repo.command(&["run", "cancel", "--undo"]).env("AIO_TEST_KILL_AT", again));
        if killed.code != KILLED {
            assert_eq!((killed.code, &changed(&repo)[..]), (6, ""), "{at}, {again}: {killed:?}");
            return false;
        }
    }
    let before = changed(&repo);
    if repo.ok(&["run", "list"]) == "no runs\n" {
        assert_eq!(before, "", "{at}");
        return true;
    }
    let undone = repo.aio(&["run", "cancel", "--undo"]);
    if undone.code == 2 {
        let ended = if again.is_some() { "undone" } else { "all_transactions_complete" };
        assert!(undone.stderr.contains(&format!("has ended: {ended}")), "{at}: {undone:?}");
        return true;
    }
    assert_eq!(changed(&repo), "", "{at}, {again:?}: {undone:?}");
    let (shown, _) = answer(&repo.aio(&["run", "show", "--json"]));
    assert!(before.is_empty() || undone.code == 6, "{at}, {again:?}: {undone:?}");
    let expected = if undone.code == 6 { "undone" } else { "failed" };
    assert_eq!(status(&shown), expected, "{at}, {again:?}: {shown:#}");
    let open = |word: &String| !["undone", "failed"].contains(&word.as_str());
    assert!(!steps(&shown).values().any(open), "{at}, {again:?}: {shown:#}");
    assert_free(&repo);
    true
}

#[test]
fn a_driver_may_be_killed_anywhere_and_to_undo_it_all_leaves_nothing() {
    thread::scope(|scope| {
        for side in ["before", "after"] {
            scope.spawn(move || {
                let at = |write: u32| format!("run-{side}-{write}");
                let kills = (1..).take_while(|write| undone_after_a_kill(&at(*write), None)).count();
                assert!(kills >= 12, "{kills}");
            });
        }
        assert!((1..=3).all(|file| undone_after_a_kill(&format!("put-back-{file}"), None)));
    });
}

#[test]
fn whoever_undoes_it_may_be_killed_anywhere_as_well() {
    thread::scope(|scope| {
        let again = |what: &str| {
            let at = |step: u32| format!("{what}-{step}");
            (1..).take_while(|step| undone_after_a_kill("put-back-2", Some(&at(*step)))).count()
        };
        let writes = scope.spawn(move || again("run-after"));
        let files = again("put-back");
        let writes = writes.join().unwrap();
        assert!(writes >= 6 && files >= 2, "{writes}, {files}");
    });
}

#[test]
fn what_had_come_back_in_part_goes_again_when_its_run_is_cancelled() {
    let last = FLOW.find("[[step]]\nid = \"apart\"").unwrap();
    let flow = format!("about = \"x\"\n{}", &FLOW[last..]);
    for how in [&["run", "cancel"][..], &["run", "cancel", "--undo"]] {
        let env = TestEnvironment::new();
        let (agents, repo) = scene(&env, &flow);
        assert!(kill(&repo, &["run", "flow"], "put-back-2"));
        assert_eq!(changed(&repo).lines().count(), 2);
        let cancelled = repo.aio(how);
        let (code, words) = match how.len() {
            2 => (0, "apart: its driver was gone while its copy came back, and what was here of it is put back: src/"),
            _ => (6, "the run was cancelled, and what it did is undone"),
        };
        let told = cancelled.stdout.clone() + &cancelled.stderr;
        assert!(cancelled.code == code && told.contains(words), "{cancelled:?}");
        assert_eq!(changed(&repo), "", "{cancelled:?}");
        assert_free(&repo);
        // Nothing is lost, and whoever tries again begins with what is here.
        assert!(repo.ok(&["run", "diff"]).contains("+apart"));
        let again = repo.aio(&["run", "retry", "apart"]);
        assert_eq!((again.code, agents.calls("claude").len()), (0, 2), "{again:?}");
        assert_eq!(lines(&repo.dir.join("src/main.rs")), ["fn main() {}", "apart"]);
    }
}

#[test]
fn what_had_come_back_in_part_stays_where_others_hold_it_or_have_changed_it() {
    for how in [&["run", "cancel"][..], &["run", "cancel", "--undo"]] {
        let env = TestEnvironment::new();
        let (_, repo) = scene(&env, FLOW);
        assert!(kill(&repo, &["run", "flow"], "put-back-2"));
        let (apart, login) = (repo.dir.join("src/apart.rs"), repo.dir.join("src/auth/login.rs"));
        assert!(apart.exists() && !login.exists(), "{}", changed(&repo));
        let other = repo.register("codex");
        repo.ok_as(&other, &["claim", "src/apart.rs"]);
        repo.write("src/auth/login.rs", "theirs\n");
        let cancelled = repo.aio(how);
        assert!(apart.exists() && lines(&login) == ["theirs"], "{cancelled:?}");
        let told = cancelled.stdout.clone() + &cancelled.stderr;
        assert!(told.contains("others hold these now: src/apart.rs"), "{cancelled:?}");
        assert_eq!(cancelled.code, if how.len() == 3 { 1 } else { 0 }, "{cancelled:?}");
        assert_eq!(repo.json_as(&other, &["status"])["claims"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn what_an_agent_had_changed_whose_driver_was_killed_goes_when_all_is_undone() {
    for (isolate, how) in [
        (&[][..], &["run", "cancel", "--undo"][..]),
        (&["--isolate"], &["run", "cancel", "--undo"]),
        (&["--isolate"], &["run", "cancel"]),
    ] {
        let env = TestEnvironment::new();
        let (agents, repo) = place(&env, &[]);
        let wait = "touch \"$HOME/begun\"; while ! test -e \"$HOME/go\"; do sleep 0.05; done";
        agents.plays("claude", &[Do::Edit("src/main.rs", "half\n"), Do::Run(wait)]);
        let args = [&["delegate", "Do it", "--agent", "claude", "--scope", "src/"], isolate].concat();
        let mut child = repo.command(&args).stderr(std::process::Stdio::null()).spawn().unwrap();
        wait_for("the edit", || env.path().join("home/begun").exists());
        child.kill().unwrap();
        child.wait().unwrap();
        let cancelled = repo.aio(how);
        assert_eq!((cancelled.code, changed(&repo)), (0, String::new()), "{cancelled:?}");
        assert!(repo.ok(&["run", "diff"]).contains("+half"), "{how:?}");
        assert_free(&repo);
    }
}

#[test]
fn what_is_said_to_be_done_is_undone_as_well() {
    let flow = "about = \"x\"\n[[step]]\nid = \"late\"\nrun = \"echo late >>../log; sleep 600\"\n\
                compensate = { run = \"echo undone >>../log\" }\n";
    for (word, log) in [("yes", &["late", "undone"][..]), ("no", &["late"])] {
        let env = TestEnvironment::new();
        let (_, repo) = place(&env, &[("flow", flow)]);
        let mut child = repo.command(&["run", "flow"]).stderr(std::process::Stdio::null()).spawn().unwrap();
        wait_for("the command", || lines(&repo.dir.join("../log")).len() == 1);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(repo.aio(&["run", "resume"]).code, 5, "nobody knows whether it was done");
        repo.ok(&["run", "answer", "/late", word]);
        let cancelled = repo.aio(&["run", "cancel", "--undo"]);
        assert_eq!(lines(&repo.dir.join("../log")), log, "{cancelled:?}");
        assert_free(&repo);
    }
}

#[test]
fn what_was_committed_is_done_and_a_run_that_is_cancelled_says_so() {
    let args = ["delegate", "Write here", "--agent", "claude", "--scope", "src/", "--isolate", "--commit"];
    let kills = (1..).map(|write| {
        let env = TestEnvironment::new();
        let (_, repo) = scene(&env, FLOW);
        let at = format!("run-after-{write}");
        if !kill(&repo, &args, &at) {
            return None;
        }
        if repo.ok(&["run", "list"]) == "no runs\n" {
            return Some("1".to_owned());
        }
        let count = || repo.git(&["rev-list", "--count", "HEAD"]).trim().to_owned();
        let before = count();
        let cancelled = repo.aio(&["run", "cancel", "--undo"]);
        assert!(cancelled.code == 0 || cancelled.stderr.contains("has ended: complete"), "{at}: {cancelled:?}");
        assert_eq!((changed(&repo), count()), (String::new(), before.clone()), "{at}: {cancelled:?}");
        let (shown, _) = answer(&repo.aio(&["run", "show", "--json"]));
        let expected = if before == "2" { "complete" } else { "failed" };
        assert_eq!(status(&shown), expected, "{at}: {cancelled:?}");
        assert_free(&repo);
        Some(before)
    });
    let kills: Vec<String> = kills.map_while(|before| before).collect();
    assert!(kills.iter().any(|count| count == "1") && kills.last().is_some_and(|count| count == "2"), "{kills:?}");
}

#[test]
fn what_is_usable_waits_till_nobody_else_holds_what_it_writes() {
    let delegate = ["delegate", "Write apart", "--agent", "claude", "--scope", "src/", "--isolate"];
    for args in [&delegate[..], &["run", "flow", "--wait", "0s"]] {
        let env = TestEnvironment::new();
        let (agents, repo) = scene(&env, FLOW);
        assert!(kill(&repo, args, "put-back-2"));
        let (half, asked) = (changed(&repo), agents.calls("claude").len());
        let other = repo.register("codex");
        repo.ok_as(&other, &["claim", "src/auth/"]);
        for _ in 0..2 {
            let held = repo.aio(&["run", "resume"]);
            assert!(held.code == 3 && held.stderr.contains(&other), "{held:?}");
            assert!(held.stderr.contains("goes on once it is free"), "{held:?}");
            assert_eq!(changed(&repo), half, "{held:?}");
            let shown = repo.ok(&["run", "show"]);
            assert!(shown.contains("interrupted") && shown.contains(&other), "{shown}");
        }
        repo.ok_as(&other, &["unregister"]);
        let resumed = repo.aio(&["run", "resume"]);
        assert_eq!((resumed.code, agents.calls("claude").len()), (0, asked), "{resumed:?}");
        assert!(repo.dir.join("src/apart.rs").exists() && !repo.dir.join("src/auth/login.rs").exists());
        assert_free(&repo);
    }
}

/// Two at once, each on a copy of its own, and one in a block that works on one.
const AT_ONCE: &str = r#"
about = "x"

[[step]]
id = "a"
agent = "claude"
scope = ["src/a.rs"]
isolate = "worktree"
prompt = "Work in src/a.rs"

[[step]]
id = "b"
needs = []
agent = "claude"
scope = ["src/b.rs"]
isolate = "worktree"
prompt = "Work in src/b.rs"

[[step]]
id = "block"
needs = []
isolate = "worktree"

  [[step.step]]
  id = "c"
  agent = "claude"
  scope = ["src/c.rs"]
  prompt = "Work in src/c.rs"
"#;

/// Three agents at work on copies, whose driver was killed.
fn at_once<'e>(env: &'e TestEnvironment, name: &str) -> Repo<'e> {
    let (agents, repo) = place(env, &[("flow", AT_ONCE)]);
    for file in ["a", "b", "c"] {
        let work = format!(
            "echo half >src/{file}.rs; touch \"$HOME/begun-{file}\"; while ! test -e \"$HOME/go\"; do sleep 0.05; done"
        );
        agents.plays_when("claude", &format!("Work in src/{file}.rs"), &[Do::Run(&work)]);
    }
    let mut child = repo.command(&["run", name]).stderr(std::process::Stdio::null()).spawn().unwrap();
    wait_for("the work", || {
        ["a", "b", "c"].iter().all(|file| env.path().join("home").join(format!("begun-{file}")).exists())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    repo
}

/// What the attempts of the steps at work are known to have changed.
fn kept(repo: &Repo<'_>, id: &str) -> Vec<String> {
    let diff = |step: &str| repo.ok(&["run", "diff", &format!("{id}/{step}@1")]);
    ["a", "b", "block/c"].into_iter().map(diff).collect()
}

fn newest(repo: &Repo<'_>) -> String {
    answer(&repo.aio(&["run", "show", "--json"])).0["run"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn what_was_on_copies_is_kept_of_each_step_whoever_ends_the_run() {
    for how in [&["run", "cancel"][..], &["run", "cancel", "--undo"]] {
        let env = TestEnvironment::new();
        let repo = at_once(&env, "flow");
        let id = newest(&repo);
        // Whoever ends it may be killed at that, too.
        for write in 1..5 {
            run(repo.command(how).env("AIO_TEST_KILL_AT", format!("run-after-{write}")));
        }
        repo.write("src/a.rs", "mine\n");
        let ended = repo.aio(how);
        assert!(ended.code == 0 || ended.stderr.contains("has ended"), "{ended:?}");
        for (file, diff) in ["a", "b", "c"].iter().zip(kept(&repo, &id)) {
            assert!(diff.contains(&format!("src/{file}.rs")) && diff.contains("+half"), "{how:?}: {file}: {diff}");
        }
        assert_eq!(changed(&repo), "?? src/a.rs\n");
        assert_free(&repo);
    }
}

#[test]
fn other_runs_leave_the_copies_of_one_alone() {
    let env = TestEnvironment::new();
    let repo = at_once(&env, "flow");
    let id = newest(&repo);
    let agents = Agents::in_(&env);
    agents.plays_when("claude", "Another", &[Do::Edit("src/d.rs", "d\n"), Do::Say("Done.")]);
    let other = ["delegate", "Another", "--agent", "claude", "--scope", "src/d.rs", "--isolate"];
    assert!(kill(&repo, &other, "put-back-1"));
    repo.ok(&["run", "resume"]);
    assert_eq!(repo.git(&["worktree", "list"]).lines().count(), 4, "they are at work still");
    let told = repo.aio(&["doctor"]).stdout;
    assert!(told.contains("3 work trees of killed runs"), "{told}");
    repo.ok(&["run", "cancel", &id]);
    assert!(kept(&repo, &id).iter().all(|diff| diff.contains("+half")));
    assert_free(&repo);
}

#[test]
fn what_can_not_go_on_is_no_failure_beside_what_asks() {
    let flow = format!("{FLOW}\n[[step]]\nid = \"go\"\nneeds = []\nask = \"Go?\"\n");
    let env = TestEnvironment::new();
    let (_, repo) = scene(&env, &flow);
    assert!(kill(&repo, &["run", "flow", "--wait", "0s"], "put-back-2"));
    let other = repo.register("codex");
    repo.ok_as(&other, &["claim", "src/apart.rs"]);
    let held = repo.aio(&["run", "resume"]);
    assert!(held.code == 3 && !held.stderr.contains("failed"), "{held:?}");
    assert!(held.stderr.contains("goes on once it is free") && held.stderr.contains("/go yes"), "{held:?}");
}
