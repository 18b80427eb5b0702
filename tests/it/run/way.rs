//! How steps are done: side by side, apart, and by whom.

use super::*;

#[test]
fn two_that_write_at_once_work_apart_and_their_changes_come_back() {
    let flow = "about = \"x\"\n[[step]]\nid = \"a\"\nscope = [\"src/a\"]\nverify = []\nagent = \"claude\"\nprompt = \"Do one\"\n\
                [[step]]\nid = \"b\"\nneeds = []\nscope = [\"src/b\"]\nverify = []\nagent = \"claude\"\nprompt = \"Do two\"\n";
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[("flow", flow)]);
    let meet = |mine: &str, other: &str| {
        format!("touch '{}/{mine}'; until [ -e '{0}/{other}' ]; do sleep 0.02; done", env.path().display())
    };
    agents.plays_when("claude", "Do one", &[Do::Edit("src/a", "a\n"), Do::Run(&meet("1", "2")), Do::Say("one")]);
    agents.plays_when("claude", "Do two", &[Do::Edit("src/b", "b\n"), Do::Run(&meet("2", "1")), Do::Say("two")]);
    let plan = repo.ok(&["run", "flow", "--dry-run"]);
    assert!(plan.contains("in a worktree"), "{plan}");
    let (told, code) = told(&repo, &["flow"]);
    assert_eq!((code, status(&told)), (0, "complete"), "{told:#}");
    let dirs: Vec<_> = agents.calls("claude").into_iter().map(|call| call.dir).collect();
    assert!(dirs[0] != dirs[1] && dirs.iter().all(|dir| *dir != repo.dir), "{dirs:?}");
    assert_eq!((lines(&repo.dir.join("src/a")), lines(&repo.dir.join("src/b"))), (vec!["a".into()], vec!["b".into()]));
    assert_free(&repo);
}

#[test]
fn never_more_are_at_work_than_may_be() {
    let line = "echo + >>../log; sleep 0.05; echo - >>../log; echo {{ item }}";
    let flow = format!("about = \"x\"\n[[step]]\nid = \"a\"\nfor_each = \"range(12) | list\"\nrun = \"{line}\"\n");
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("flow", &flow)]);
    for most in [1, 3] {
        fs::write(repo.dir.join("../log"), "").unwrap();
        let (told, code) = told(&repo, &["flow", "--max-parallel", &most.to_string()]);
        assert_eq!((code, told["result"].as_array().unwrap().len()), (0, 12), "{told:#}");
        let (mut now, mut peak) = (0, 0);
        for line in lines(&repo.dir.join("../log")) {
            now += if line == "+" { 1 } else { -1 };
            peak = peak.max(now);
        }
        assert!(peak <= most && now == 0, "{peak} of {most}");
    }
}

#[test]
fn two_hundred_items_are_done_once_each_and_in_their_order() {
    let flow = "about = \"x\"\n[limits]\nmax_steps = 300\n[[step]]\nid = \"a\"\nfor_each = \"range(200) | list\"\nrun = \"echo {{ item }} >>../log; echo {{ item }}\"\n\
                [[step]]\nid = \"sum\"\nrun = \"grep -c .\"\nstdin = \"{{ steps.a.out | join('\\n') }}\\n\"\n";
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("flow", flow)]);
    let (told, code) = told(&repo, &["flow", "--max-parallel", "8"]);
    assert_eq!((code, told["result"].as_str().map(str::trim)), (0, Some("200")), "{:#}", told["hints"]);
    let mut log: Vec<u32> = lines(&repo.dir.join("../log")).iter().map(|line| line.parse().unwrap()).collect();
    log.sort_unstable();
    assert_eq!(log, (0..200).collect::<Vec<_>>());
    assert_eq!(steps(&told).len(), 202);
    assert_free(&repo);
}

#[test]
fn the_next_of_a_list_is_asked_when_one_fails() {
    let flow = "about = \"x\"\n[[step]]\nid = \"a\"\nagent = [\"gemini\", \"codex/implementer\", \"claude\"]\nscope = [\"src/**\"]\nprompt = \"Do it\"\n";
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[("flow", flow)]);
    agents.plays("codex", &[Do::Edit("src/main.rs", "BROKEN\n"), Do::Say("Done.")]);
    agents.plays("claude", &[Do::Run("cp src/main.rs ../seen"), Do::Edit("src/main.rs", "fine\n"), Do::Say("Done.")]);
    let (told, code) = told(&repo, &["flow"]);
    let tries: Vec<_> = told["run"]["steps"][0]["tries"].as_array().unwrap().iter().collect();
    let kinds: Vec<_> = tries.iter().map(|one| one["failure"]["kind"].as_str().unwrap_or("ok")).collect();
    assert_eq!((code, kinds), (0, vec!["absent", "check", "ok"]), "{told:#}");
    assert_eq!(
        (lines(&repo.dir.join("../seen")), lines(&repo.dir.join("src/main.rs"))),
        (vec!["fn main() {}".into()], vec!["fine".into()])
    );
    assert_free(&repo);
}

#[test]
fn a_result_is_saved_only_where_nobody_else_works() {
    let flow = "about = \"x\"\n[[step]]\nid = \"a\"\nagent = \"claude\"\nprompt = \"Say it\"\nsave = \"src/said.md\"\ncompensate = \"revert\"\n\
                [[step]]\nid = \"b\"\nrun = \"cat src/said.md; test ! -e ../fail\"\n";
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[("flow", flow)]);
    agents.plays("claude", &[Do::Say("said")]);
    let other = repo.register("codex");
    repo.ok_as(&other, &["claim", "src/said.md"]);
    let (held, code) = told(&repo, &["flow", "--wait", "0s"]);
    assert_eq!((code, agents.calls("claude").len()), (3, 0), "{held:#}");
    repo.ok_as(&other, &["unregister"]);
    let (done, code) = told(&repo, &["flow"]);
    assert_eq!((code, &done["result"]), (0, &"said".into()), "{done:#}");
    assert_eq!(done["run"]["steps"][0]["files"], serde_json::json!(["src/said.md"]));
    fs::write(repo.dir.join("../fail"), "").unwrap();
    fs::remove_file(repo.dir.join("src/said.md")).unwrap();
    let (undone, code) = told(&repo, &["flow"]);
    assert_eq!((code, status(&undone), repo.dir.join("src/said.md").exists()), (6, "undone", false), "{undone:#}");
    assert_free(&repo);
}

#[test]
fn what_a_run_has_saved_is_in_its_diff_though_it_writes_nothing_else() {
    let save = "[[step]]\nid = \"a\"\nrun = \"echo said\"\nsave = \"src/said.md\"\n";
    let read = "[[step]]\nid = \"b\"\nrun = \"cat; echo {{ run.files }}\"\nstdin = \"{{ run.diff }}\"\n";
    let call = "[[step]]\nid = \"call\"\nworkflow = \"saves\"\n";
    let env = TestEnvironment::new();
    let workflows = [("saves", save), ("flow", &[save, read].concat()), ("calls", &[call, read].concat())];
    let workflows = workflows.map(|(name, steps)| (name, format!("about = \"x\"\n{steps}")));
    let workflows: Vec<(&str, &str)> = workflows.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let (_, repo) = place(&env, &workflows);
    // What was there before is none of it.
    repo.write("README.md", "# mine\n");
    for flow in ["flow", "calls"] {
        let (told, code) = told(&repo, &[flow]);
        let diff = told["result"].as_str().unwrap();
        assert!(code == 0 && diff.contains("+++ b/src/said.md") && diff.contains("+said"), "{flow}: {told:#}");
        assert!(diff.ends_with("\nsrc/said.md") && !diff.contains("mine"), "{flow}: {diff}");
        assert_free(&repo);
        fs::remove_file(repo.dir.join("src/said.md")).unwrap();
    }
}

#[test]
fn the_ledger_of_a_workflow_has_what_is_done_what_is_being_done_and_what_is_not() {
    let flow = "about = \"x\"\n[[step]]\nid = \"one\"\nrun = \"echo 1\"\n\
                [[step]]\nid = \"two\"\ntimeout = \"90s\"\nrun = \"until [ -e ../go ]; do sleep 0.02; done; echo 2\"\n\
                [[step]]\nid = \"three\"\n[[step.step]]\nid = \"inside\"\nrun = \"echo 3\"\n";
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("flow", flow)]);
    repo.write(".aio/config.toml", "ledger = \".context/progress.md\"\n");
    repo.ok(&["trust", "--yes", "--quiet"]);
    let ledger = || fs::read_to_string(repo.dir.join(".context/progress.md")).unwrap_or_default();
    let sections = |text: &str| text.split_once("\n## ").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    let during = "Completed\n\n- [x] one (sh): 1 byte\n\n## In Progress\n\n- [ ] two (sh): running\n\n## Pending\n\n- [ ] three\n";
    thread::scope(|scope| {
        let run = scope.spawn(|| told(&repo, &["flow"]));
        wait_for("the second step", || sections(&ledger()) == during);
        assert_eq!(sections(&repo.ok(&["run", "show", "--ledger"])), during);
        fs::write(env.path().join("go"), "").unwrap();
        let (told, code) = run.join().unwrap();
        assert_eq!((code, status(&told)), (0, "complete"), "{told:#}");
    });
    assert!(
        ledger().contains(", complete\n") && ledger().ends_with("## In Progress\n\nnone\n\n## Pending\n\nnone\n"),
        "{}",
        ledger()
    );
    assert_eq!(repo.ok(&["run", "show", "--ledger"]), ledger());
}

/// A worker keeps what it changed till the run ends, and lives with its driver, in which the next command begins.
#[test]
fn a_command_of_a_run_is_none_of_its_workers() {
    let flow = "about = \"x\"\n[[step]]\nid = \"a\"\nscope = [\"src/a\"]\nverify = []\nagent = \"claude\"\nprompt = \"Do it\"\n\
                [[step]]\nid = \"b\"\nrun = \"git aio --json whoami >../who || true; git aio --json status >../status\"\n";
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[("flow", flow)]);
    agents.plays("claude", &[Do::Edit("src/a", "a\n"), Do::Say("done")]);
    let (told, code) = told(&repo, &["flow"]);
    assert_eq!((code, status(&told)), (0, "complete"), "{told:#}");
    let read = |name: &str| -> Value { serde_json::from_slice(&fs::read(repo.dir.join(name)).unwrap()).unwrap() };
    let (who, status) = (read("../who"), read("../status"));
    let keeper = status["claims"][0]["holder"].as_str().unwrap();
    assert!(keeper.starts_with("claude-") && who["instance"]["id"] != keeper, "{who:#} {status:#}");
}

#[test]
fn a_block_that_never_had_its_copy_does_nothing_without_one_when_its_run_goes_on() {
    let flow = "about = \"x\"\n[[step]]\nid = \"fix\"\nisolate = \"worktree\"\nallow_failure = true\n\
                [[step.step]]\nid = \"write\"\nscope = [\"src/main.rs\"]\nverify = []\nrun = \"echo x >src/main.rs\"\n\
                [[step]]\nid = \"go\"\nask = \"Go on?\"\n";
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("flow", flow)]);
    repo.write(".aio/config.toml", "[worktree]\nsetup = \"exit 1\"\n");
    repo.ok(&["trust", "--yes", "--quiet"]);
    assert_eq!(repo.aio(&["run", "flow"]).code, 5);
    repo.ok(&["run", "answer", "/go", "yes"]);
    let (told, code) = answer(&repo.aio(&["run", "resume", "--json"]));
    assert_eq!((code, &steps(&told)["fix"][..], steps(&told).get("fix/write")), (0, "failed", None), "{told:#}");
    assert_eq!(lines(&repo.dir.join("src/main.rs")), ["fn main() {}"]);
    assert_free(&repo);
}

#[test]
fn where_there_is_no_folder_for_a_copy_that_is_told_with_what_to_do() {
    let flow = "about = \"x\"\n[[step]]\nid = \"a\"\nscope = [\"src/a\"]\nisolate = \"worktree\"\nverify = []\nrun = \"echo a >src/a\"\n";
    let block =
        "about = \"x\"\n[[step]]\nid = \"a\"\nisolate = \"worktree\"\n[[step.step]]\nid = \"b\"\nrun = \"true\"\n";
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("flow", flow), ("block", block)]);
    let file = env.path().join("no-folder");
    fs::write(&file, "").unwrap();
    for name in ["flow", "block"] {
        for (variable, folder) in [("XDG_CACHE_HOME", &file), ("HOME", &file), ("XDG_CACHE_HOME", &file.join("below"))]
        {
            let ended = run(repo.command(&["run", name]).env_remove("XDG_CACHE_HOME").env(variable, folder));
            assert_eq!(ended.code, 1, "{ended:?}");
            let says = "is no folder; set XDG_CACHE_HOME to one outside of the repository";
            assert!(ended.stderr.contains(&format!("{} {says}", file.display())), "{ended:?}");
            assert!(!ended.stderr.contains("os error"), "{ended:?}");
        }
    }
    let here = env.path().join("cache");
    assert_eq!(run(repo.command(&["run", "flow"]).env("XDG_CACHE_HOME", here)).code, 0);
    assert_free(&repo);
}

#[test]
fn what_failed_is_told_once_with_the_way_to_do_it_again() {
    let env = TestEnvironment::new();
    let flow = "about = \"x\"\n[[step]]\nid = \"a\"\nrun = \"echo why >&2; exit 3\"\n";
    let (_, repo) = place(&env, &[("flow", flow)]);
    let ended = repo.aio(&["run", "flow"]);
    let failed = |line: &&str| line.trim_start().starts_with("failed [");
    assert_eq!(ended.stderr.lines().filter(failed).count(), 1, "{ended:?}");
    assert!(ended.stderr.contains("Pipeline failed: a: it ended with exit code 3\n"), "{ended:?}");
    let id = repo.ok(&["run", "show"]).split_whitespace().next().unwrap().to_owned();
    let way = format!("`git aio run retry {id}/a` does it again");
    assert!(ended.stderr.contains(&way), "{ended:?}");
    let again = repo.aio(&["run", "retry", &format!("{id}/a")]);
    assert!(again.code == 1 && again.stderr.contains(&way), "{again:?}");
}

#[test]
fn what_a_task_does_not_say_is_named_in_the_words_of_what_was_run() {
    let env = TestEnvironment::new();
    let flow = "about = \"x\"\n[[step]]\nid = \"a\"\nagent = \"claude\"\nprompt = \"Mend it\"\nscope = [\"src/\"]\nverify = [\"false\"]\n";
    let (agents, repo) = place(&env, &[("flow", flow)]);
    agents.plays("claude", &[Do::Edit("src/main.rs", "x\n"), Do::Say("Done.")]);
    let ended = repo.aio(&["run", "flow"]);
    assert!(ended.code == 4 && ended.stderr.contains("name it by `accept` in the workflow"), "{ended:?}");
}

#[test]
fn items_and_their_logs_stand_in_the_order_of_their_numbers() {
    let env = TestEnvironment::new();
    let flow = "about = \"x\"\n[[step]]\nid = \"a\"\nfor_each = \"range(12) | list\"\nrun = \"echo {{ item }}\"\n";
    let (_, repo) = place(&env, &[("flow", flow)]);
    let ended = repo.aio(&["run", "flow"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let log = repo.ok(&["run", "log"]);
    let files: Vec<&str> =
        log.lines().filter_map(|line| line.rsplit('/').next()).filter(|line| line.ends_with(".log")).collect();
    let wanted: Vec<String> = (1..=12).map(|item| format!("a.{item}.1.log")).collect();
    assert_eq!(files, wanted, "{log}");
}

#[test]
fn what_is_kept_of_runs_is_told_where_they_are_let_go_of() {
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("flow", "about = \"x\"\n[[step]]\nid = \"a\"\nrun = \"true\"\n")]);
    repo.ok(&["run", "flow"]);
    let kept = repo.ok(&["run", "prune", "--older-than", "0s"]);
    assert_eq!(kept, "0 runs let go of; the newest 20 are kept in any case (--keep)\n");
    assert_eq!(repo.ok(&["run", "prune", "--older-than", "0s", "--keep", "0"]), "1 run let go of\n");
}

#[test]
fn an_input_is_given_once_and_not_without_a_word_where_it_has_to_be_given() {
    let env = TestEnvironment::new();
    let flow = "about = \"x\"\n[inputs]\ngoal = {}\nn = 1\nnote = \"\"\n[[step]]\nid = \"a\"\nrun = \"echo {{ inputs.goal }}{{ inputs.n }}{{ inputs.note }}\"\n";
    let (_, repo) = place(&env, &[("flow", flow)]);
    for (inputs, told) in [
        (&["-i", "goal=x", "-i", "n=1", "-i", "n=2"][..], "the input n is given twice"),
        (&["-i", "goal="], "flow needs the input goal, and what is given is empty"),
        (&["-i", "goal= "], "flow needs the input goal, and what is given is empty"),
    ] {
        let refused = repo.aio(&[&["run", "flow"], inputs].concat());
        assert!(refused.code == 2 && refused.stderr.contains(told), "{inputs:?}: {refused:?}");
    }
    assert_eq!(repo.ok(&["run", "flow", "-i", "goal=x", "-i", "note="]), "x1\n");
}

#[test]
fn who_runs_by_hand_what_handles_an_event_is_told_how_that_is_started() {
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[]);
    let ended = repo.aio(&["run", "on-event"]);
    let way = "`git aio emit file_changed` starts it with one";
    assert!(ended.code == 1 && ended.stderr.contains(way) && !ended.stderr.contains("run retry"), "{ended:?}");
}
