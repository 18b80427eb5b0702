//! What an agent is given to read, and with what leave it is started.

use super::*;

#[test]
fn the_document_has_all_that_was_said() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Say("Done.")]);
    let me = repo.register("codex");
    repo.ok_as(&me, &["context", "pattern", "Names end with _x here", "--path", "src/auth/"]);
    repo.ok_as(&me, &["context", "decision", "The manual is in French", "--path", "docs/"]);
    let args =
        ["--agent", "claude/implementer", "--scope", "src/auth/", "--accept", "it logs in", "--avoid", "the database"];
    assert_eq!(delegate(&repo, &args).code, 0);
    let prompt = &agents.calls("claude")[0].prompt;
    let parts = [
        "---",
        "# Task: Fix the login.",
        "## Context",
        "## Scope",
        "`./src/auth/`",
        "the database",
        "## Requirements",
        "1. Fix the login.",
        "- it logs in",
        "## Patterns to Follow",
        "Names end with _x here",
        "## Verification",
        "sh check.sh",
        "## Notes",
        "Commit nothing.",
    ];
    let places: Vec<usize> =
        parts.iter().map(|part| prompt.find(part).unwrap_or_else(|| panic!("{part}: {prompt}"))).collect();
    assert!(places.is_sorted(), "{prompt}");
    assert!(!prompt.contains("French") && prompt.contains(&me), "{prompt}");
}

#[test]
fn a_long_document_goes_to_a_file_that_is_named() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Say("Done.")]);
    repo.write(
        "task.md",
        &format!("# Task: Fix the login\n\n{}\n\nAnd this is the end.\n", "More of it. ".repeat(800)),
    );
    let args = ["delegate", "--handoff", "task.md", "--agent", "claude", "--scope", "src/auth/"];
    let ended = repo.aio(&args);
    assert_eq!(ended.code, 0, "{ended:?}");
    let prompt = &agents.calls("claude")[0].prompt;
    let path = prompt.split_once("is in the file ").unwrap().1.split_once(". Read").unwrap().0;
    assert!(prompt.len() < 1000 && ended.stderr.contains(&format!("written to {path}")), "{prompt} {}", ended.stderr);
    assert!(path.starts_with(repo.dir.join(".git/aio/runs").to_str().unwrap()), "{path}");
    let document = fs::read_to_string(path).unwrap();
    assert!(document.contains("# Task: Fix the login\n") && document.contains("And this is the end."), "{document}");
    assert!(ended.stderr.contains("  Fix the login\n"), "the title is the first line: {}", ended.stderr);
}

#[test]
fn without_a_scope_an_agent_may_read_and_nothing_else() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    let flags: &[(&str, &[&str], &[&str])] = &[
        ("claude", &["dontAsk"], &["acceptEdits"]),
        ("codex", &["read-only"], &["workspace-write"]),
        ("gemini", &["plan"], &["yolo"]),
    ];
    for (name, reads, writes) in flags {
        agents.plays(name, &[Do::Say("Read it.")]);
        let (told, code) = told(&repo, &["--agent", name]);
        assert_eq!((code, told.get("verdict"), &told["result"]), (0, None, &"Read it.".into()), "{told:#}");
        delegate(&repo, &["--agent", name, "--scope", "src/auth/"]);
        let [first, second] = &agents.calls(name)[..] else { panic!("{:?}", agents.calls(name)) };
        assert!(
            first.prompt.contains("Files: none. This task changes nothing") && !first.env.contains_key("AIO_INSTANCE")
        );
        for (call, has, lacks) in [(first, reads, writes), (second, writes, reads)] {
            let all = call.args.join(" ");
            assert!(has.iter().all(|flag| all.contains(flag)) && !lacks.iter().any(|flag| all.contains(flag)), "{all}");
        }
    }
    assert_free(&repo);
}

#[test]
fn a_tool_of_ones_own_is_given_the_task_where_it_wants_it() {
    let env = TestEnvironment::new();
    let config = "[verify]\ntest = \"sh check.sh\"\n[tools.own]\ncommand = [\"own\"]\n[tools.word]\ncommand = [\"sh\", \"-c\", \"printf '%s' \\\"$0\\\" | head -1\", \"{prompt}\"]\n";
    let (agents, repo) = place(&env, config);
    agents.plays("own", &[Do::Edit("src/auth/login.rs", "x\n"), Do::Say("Own.")]);
    let (own, code) = told(&repo, &["--agent", "own", "--scope", "src/auth/"]);
    assert_eq!((code, &own["result"], &own["verdict"]), (0, &"Own.".into(), &"passed".into()), "{own:#}");
    assert!(agents.calls("own")[0].prompt.contains("# Task: Fix the login."));
    let (word, code) = told(&repo, &["--agent", "word"]);
    assert_eq!((code, &word["result"]), (0, &"# Task: Fix the login.".into()), "{word:#}");
}

#[test]
fn an_agent_does_not_inherit_who_started_it() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Say("Done.")]);
    let me = repo.register("codex");
    let mut command = repo.command(&["delegate", "Look.", "--agent", "claude", "--json"]);
    let ended = run(command.env("AIO_INSTANCE", &me).env("CODEX_THREAD_ID", "outer").env("CODEX_CI", "1"));
    let (told, _) = answer(&ended);
    assert_eq!(told["run"]["by"], me.as_str());
    let call = &agents.calls("claude")[0].env;
    assert!(
        !call.contains_key("AIO_INSTANCE") && !call.contains_key("CODEX_THREAD_ID") && !call.contains_key("CODEX_CI")
    );
    assert!(call["AIO_RUN"].starts_with(&run_of(&told)), "{call:?}");
}
