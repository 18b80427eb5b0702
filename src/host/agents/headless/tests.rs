//! How the streams are heard that the real CLIs printed, with a model that follows a script. See `tests/it/streams`.

use super::*;
use serde_json::json;

/// What each CLI printed in one case: what it was doing in turn, and what it came to.
fn heard(agent: Agent, case: &str, exit: i32) -> (Vec<String>, Told) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/streams");
    let stream = std::fs::read(folder.join(format!("{}-{case}.jsonl", agent.as_str()))).expect("a recorded stream");
    let mut reader = Tool::Agent(agent).reader(Path::new("/work/demo"));
    let doing = stream.split_inclusive(|byte| *byte == b'\n').filter_map(|line| reader.line(line)).collect();
    (doing, reader.finish(Some(exit)))
}

/// Those that can be driven without a service.
const DRIVEN: [Agent; 5] = [Agent::Claude, Agent::Codex, Agent::Gemini, Agent::Copilot, Agent::OpenCode];

#[test]
fn an_answer_is_found_with_what_it_took() {
    for agent in DRIVEN {
        let (doing, told) = heard(agent, "say", 0);
        assert_eq!((doing, &told.result[..], &told.error), (vec![], "All is done.", &None), "{agent:?}");
        assert!(told.session.as_ref().is_some_and(|session| session.len() > 8), "{agent:?}: {told:?}");
        let tokens = (told.usage.input, told.usage.cached, told.usage.output);
        match agent {
            Agent::Copilot => assert_eq!(tokens, (None, None, None)),
            Agent::OpenCode => assert_eq!(tokens, (Some(10), Some(0), Some(5))),
            Agent::Claude => assert_eq!(tokens, (Some(14), Some(4), Some(5))),
            _ => assert_eq!(tokens, (Some(10), Some(4), Some(5)), "{agent:?}"),
        }
    }
    assert!(heard(Agent::Claude, "say", 0).1.usage.cost_usd.is_some_and(|cost| cost > 0.0));
}

#[test]
fn what_an_agent_does_is_told() {
    for agent in DRIVEN {
        let (doing, told) = heard(agent, "write", 0);
        let doing: Vec<_> = doing.iter().map(String::as_str).filter(|doing| !doing.contains("the web")).collect();
        let command = doing.last().expect("something");
        assert!(
            command.starts_with("running echo three > b.txt; git add -A; git commit -qm mine"),
            "{agent:?}: {doing:?}"
        );
        assert!(doing.contains(&"editing a.txt"), "{agent:?}: {doing:?}");
        assert!(agent == Agent::Codex || doing.contains(&"reading a.txt"), "{agent:?}: {doing:?}");
        assert_eq!((&told.result[..], &told.error, told.denied.len()), ("All is done.", &None, 0), "{agent:?}");
    }
}

#[test]
fn an_error_of_the_model_s_server_is_one_whatever_the_stream_calls_it() {
    for agent in DRIVEN {
        let (_, told) = heard(agent, "error", 0);
        let error = told.error.expect("an error");
        assert!(error.contains("slow down") || error.contains("429"), "{agent:?}: {error}");
        assert_eq!(told.result, "", "{agent:?}");
        // It is a 429 of Claude and Codex, and a 400 of the others.
        assert_eq!(told.retry_is_useless, !matches!(agent, Agent::Claude | Agent::Codex), "{agent:?}");
    }
}

#[test]
fn what_was_not_allowed_is_told() {
    for agent in DRIVEN {
        let (_, told) = heard(agent, "read", 0);
        assert_eq!((&told.result[..], &told.error), ("All is done.", &None), "{agent:?}");
        // The tools of Claude were not there at all, and the sandbox of Codex tells nobody.
        let expected = match agent {
            Agent::Claude | Agent::Codex => 0,
            Agent::Gemini => 1,
            _ => 2,
        };
        assert_eq!(told.denied.len(), expected, "{agent:?}: {:?}", told.denied);
    }
}

#[test]
fn amp_speaks_like_claude() {
    let mut reader = Tool::Agent(Agent::Amp).reader(Path::new("/work/demo"));
    let used = json!({ "type": "tool_use", "name": "edit_file", "input": { "path": "/work/demo/a.txt" } });
    let events = [
        json!({ "type": "system", "subtype": "init", "session_id": "T-1" }),
        json!({ "type": "assistant", "message": { "content": [used] } }),
        json!({ "type": "result", "subtype": "error_during_execution", "is_error": true, "error": "out of credits" }),
    ];
    let doing: Vec<_> = events.iter().filter_map(|event| reader.line(event.to_string().as_bytes())).collect();
    let told = reader.finish(Some(0));
    assert_eq!((doing, told.session.as_deref()), (vec!["editing a.txt".to_owned()], Some("T-1")));
    assert_eq!(told.error.as_deref(), Some("out of credits"));
}

#[test]
fn an_exit_code_of_gemini_says_what_its_stream_doesn_t() {
    let told = |exit| Tool::Agent(Agent::Gemini).reader(Path::new("/")).finish(Some(exit));
    assert!(told(55).error.is_some_and(|error| error.contains("trust")) && told(55).retry_is_useless);
    assert!(told(42).retry_is_useless && !told(173).retry_is_useless);
    assert_eq!(told(173).error, None);
}

#[test]
fn a_connection_that_codex_makes_again_is_no_error() {
    let mut reader = Tool::Agent(Agent::Codex).reader(Path::new("/"));
    for event in [
        json!({ "type": "error", "message": "Reconnecting... 1/5" }),
        json!({ "type": "item.completed", "item": { "type": "agent_message", "text": "{\"ok\": true}" } }),
        json!({ "type": "turn.completed", "usage": {} }),
    ] {
        reader.line(event.to_string().as_bytes());
    }
    let told = reader.finish(Some(0));
    assert_eq!((told.error, told.structured), (None, Some(json!({ "ok": true }))));
}

#[test]
fn what_is_no_event_and_what_would_act_on_a_terminal_do_no_harm() {
    for agent in Agent::ALL {
        let mut reader = Tool::Agent(agent).reader(Path::new("/"));
        for line in ["", "null", "[]", "{}", "\u{1b}[31m", "{\"type\":1}", "{\"type\":\"result\",\"result\":{}}"] {
            assert_eq!(reader.line(line.as_bytes()), None, "{agent:?}: {line}");
        }
        assert_eq!(reader.finish(Some(0)).result, "", "{agent:?}");
    }
    let mut reader = Tool::Agent(Agent::Gemini).reader(Path::new("/"));
    let event =
        json!({ "type": "tool_use", "tool_name": "run_shell_command", "parameters": { "command": "a\n\u{1b}c" } });
    assert_eq!(reader.line(event.to_string().as_bytes()).as_deref(), Some(r"running a\n\u{1b}c"));
}

fn errand<'a>(prompt: &'a str, stdin: Option<&'a [u8]>) -> Errand<'a> {
    let (dir, git_dir) = (Path::new("/work/demo"), Path::new("/work/it's \"here\"/.git"));
    Errand { prompt, stdin, dir, may_write: true, git_dir, schema: None, resume: None, instance: "codex-1" }
}

/// The words by which it is started, in one line.
fn words(tool: &Tool, errand: &Errand<'_>) -> String {
    let args = tool.invocation(errand).expect("words").args;
    args.iter().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_prompt_is_no_argument_and_what_is_read_beside_it_follows_it() {
    for agent in Agent::ALL {
        let tool = Tool::Agent(agent);
        let invocation = tool.invocation(&errand("--fix it", Some(b"a\xff"))).expect("words");
        assert_eq!(invocation.stdin, "--fix it\n\n<stdin>\na\u{fffd}\n</stdin>\n".as_bytes());
        assert!(!words(&tool, &errand("--fix it", None)).contains("fix"), "{agent:?}");
        assert!(invocation.removed.iter().any(|name| name == "GIT_DIR"));
    }
}

#[test]
fn a_command_gets_the_task_where_it_wants_it() {
    let tool = |words: &[&str]| Tool::find("own", &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    let in_word = tool(&["agent", "--task={prompt}"]).expect("a command");
    assert_eq!(words(&in_word, &errand("{prompt} x", None)), "--task={prompt} x");
    assert_eq!(in_word.invocation(&errand("x", Some(b"beside"))).expect("words").stdin, b"beside");
    let by_stdin = tool(&["agent", "run"]).expect("a command");
    assert_eq!(by_stdin.invocation(&errand("x", None)).expect("words").stdin, b"x");
    assert_eq!(Tool::find("own", &[]), None);
    assert_eq!(Tool::find("codex", &[]), Some(Tool::Agent(Agent::Codex)));
}

#[test]
fn who_may_not_write_gets_no_leave_to() {
    for agent in Agent::ALL {
        let tool = Tool::Agent(agent);
        let (writes, reads) = (errand("", None), Errand { may_write: false, ..errand("", None) });
        let differ = words(&tool, &writes) != words(&tool, &reads)
            || tool.invocation(&writes).expect("words").env != tool.invocation(&reads).expect("words").env;
        assert_eq!(differ, tool.is_held(), "{agent:?}");
    }
    let codex = Tool::Agent(Agent::Codex).invocation(&errand("", None)).expect("words").args;
    let settings = codex.iter().filter_map(|arg| arg.to_str()?.parse::<toml_edit::DocumentMut>().ok());
    let roots = settings.filter_map(|setting| {
        Some(setting.get("sandbox_workspace_write")?.get("writable_roots")?[0].as_str()?.to_owned())
    });
    assert_eq!(roots.collect::<Vec<_>>(), [r#"/work/it's "here"/.git"#]);
}

#[test]
fn a_linked_work_tree_has_the_trust_of_the_main_one_and_no_other_has_it() {
    let inherits = |dir: &str, git_dir: &str, trusted: &[&str]| {
        let (dir, git_dir) = (Path::new(dir), Path::new(git_dir));
        Errand { dir, git_dir, ..errand("", None) }
            .inherits(|folder| trusted.iter().any(|one| Path::new(one) == folder))
    };
    assert!(inherits("/linked", "/main/.git", &["/main"]));
    assert!(!inherits("/linked", "/main/.git", &["/linked"]), "it has its own");
    assert!(!inherits("/main", "/main/.git", &["/main"]), "it has its own");
    assert!(!inherits("/main", "/main/.git", &[]));
    assert!(!inherits("/linked", "/srv/bare.git", &["/srv"]), "that is no work tree");
}

#[test]
fn a_session_goes_on() {
    for agent in Agent::ALL {
        let words = words(&Tool::Agent(agent), &Errand { resume: Some("id-1"), ..errand("", None) });
        assert!(words.contains("id-1"), "{agent:?}: {words}");
    }
}
