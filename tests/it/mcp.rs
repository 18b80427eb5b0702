//! The tools as an agent meets them: the real server, spoken to line by line, and what comes of it seen in the
//! repository by other means.

mod client;

use crate::{
    agent::Agent,
    env::{Ended, Repo, TestEnvironment, run},
    hub::{Hub, Way},
    json::conforms,
};
use client::{Client, STATELESS, refusal};
use serde_json::{Value, json};
use std::{
    fs::{self, File, OpenOptions},
    thread,
    time::{Duration, Instant},
};

const CODEX: &str = "codex-mcp-client";
const CLAUDE: &str = "claude-code";
const GEMINI: &str = "gemini-cli-mcp-client";

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} of {value}"))
}

/// Takes out what a tool tells beside the answer of the command.
fn notices(answer: &mut Value) -> Vec<String> {
    let told = answer.as_object_mut().unwrap().remove("notices").unwrap_or_default();
    told.as_array().into_iter().flatten().map(|notice| notice.as_str().unwrap().to_owned()).collect()
}

/// The instances of `tool` that are registered.
fn instances(repo: &Repo<'_>, tool: &str) -> Vec<String> {
    let status: Value = serde_json::from_str(&repo.ok(&["status", "--json"])).unwrap();
    let ids = status["instances"].as_array().unwrap().iter().map(|one| text(one, "/id").to_owned());
    ids.filter(|id| id.starts_with(tool)).collect()
}

/// Who holds `path`.
fn holder(repo: &Repo<'_>, path: &str) -> Option<String> {
    let checked: Value = serde_json::from_str(&repo.aio(&["check", path, "--json"]).stdout).unwrap();
    checked.pointer("/paths/0/claims/0/holder").map(|holder| holder.as_str().unwrap().to_owned())
}

#[test]
fn every_version_is_spoken() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    for version in ["2025-06-18", "2025-11-25", STATELESS] {
        let mut client = Client::of(repo.command(&["mcp"]), CODEX);
        let server = client.greet(version);
        if version != STATELESS {
            assert_eq!(server["protocolVersion"], version);
            assert_eq!(server["serverInfo"]["name"], "git-aio");
        }
        assert!(text(&server, "/instructions").contains("`claim`"), "{server}");
        let listed = client.ask("tools/list", json!({}));
        assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 14, "{listed}");
        let mut claimed = client.ok("claim", json!({ "targets": [version] }));
        let me = text(&claimed, "/claims/0/holder").to_owned();
        assert!(me.starts_with("codex-"), "{claimed}");
        assert!(notices(&mut claimed).contains(&format!("registered as {me}")));
        assert_eq!(holder(&repo, version), Some(me));
        assert_eq!(client.end(), (Some(0), String::new()));
    }
}

#[test]
fn every_tool_says_what_it_does_and_takes_and_gives() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let mut client = Client::start(&repo, CLAUDE, &[]);
    let listed = client.ask("tools/list", json!({}));
    let tools = listed["result"]["tools"].as_array().unwrap();
    let hint = |tool: &Value, name: &str| tool["annotations"][name].as_bool().unwrap();
    let named = |name: &str| tools.iter().filter(|tool| hint(tool, name)).map(|tool| text(tool, "/name")).collect();
    let all: Vec<&str> = tools.iter().map(|tool| text(tool, "/name")).collect();
    let expected = "claim check release status note context handoff_new handoff_list handoff_answer \
                    task_list task_new task_next task_done sync";
    assert_eq!(all.join(" "), expected);
    let reading: Vec<&str> = named("readOnlyHint");
    assert_eq!(reading, ["check", "status", "context", "handoff_list", "task_list"]);
    let outside: Vec<&str> = named("openWorldHint");
    assert_eq!(outside, ["sync"]);
    let destructive: Vec<&str> = named("destructiveHint");
    assert_eq!(destructive, [""; 0]);
    for tool in tools {
        let name = text(tool, "/name");
        assert_eq!(hint(tool, "idempotentHint"), !["note", "handoff_new", "task_new"].contains(&name), "{name}");
        assert_eq!(text(tool, "/title"), text(tool, "/annotations/title"));
        let told = text(tool, "/description");
        assert!(told.ends_with('.') && !told.contains('\n'), "{told}");
        let takes = &tool["inputSchema"];
        assert_eq!(takes["type"], "object", "{name}");
        assert!(takes["properties"].is_object() && takes["additionalProperties"] == false, "{name}");
        for (key, property) in takes["properties"].as_object().unwrap() {
            assert!(property["type"].is_string(), "{name} {key}: {property}");
        }
        let written = takes.to_string();
        for fancy in ["$ref", "anyOf", "\"null\"", "null,", "null]"] {
            assert!(!written.contains(fancy), "{name} {fancy}: {written}");
        }
        for strange in ["$schema", "\"format\""] {
            assert!(!tool.to_string().contains(strange), "{name} {strange}: {tool}");
        }
        assert_eq!(tool["outputSchema"]["type"], "object", "{name}");
    }
    let claim = &tools[0]["inputSchema"]["properties"];
    assert_eq!(claim["kind"]["enum"], json!(["file", "directory", "pattern", "task"]));
    assert!(text(claim, "/kind/description").starts_with("What all targets are"), "{claim}");
    assert_eq!(claim["wait"]["maximum"], 50);
}

/// A client and the command line side by side, at one frozen moment.
struct Sides<'r, 'e> {
    repo: &'r Repo<'e>,
    client: Client,
    tools: Value,
    schemas: Value,
    me: String,
}

impl Sides<'_, '_> {
    /// The answer of a tool, which is what the schema of the command says, and what the server says of the tool.
    fn tool(&mut self, schema: &str, tool: &str, arguments: Value) -> Value {
        let mut answer = self.client.ok(tool, arguments);
        let tools = self.tools.as_array().unwrap();
        let described = &tools.iter().find(|one| one["name"] == tool).unwrap()["outputSchema"];
        let one_of = json!({ "anyOf": described["anyOf"], "$defs": described["$defs"] });
        notices(&mut answer);
        conforms(&answer, &one_of, &one_of, "").unwrap_or_else(|wrong| panic!("{tool}: {wrong}: {answer}"));
        let described = &self.schemas["answers"][schema]["schema"];
        conforms(&answer, described, described, "").unwrap_or_else(|wrong| panic!("{tool}: {wrong}: {answer}"));
        answer
    }

    /// The same, which has to be the answer of a command of this very instance.
    fn same(&mut self, schema: &str, tool: &str, arguments: Value, command: &[&str]) -> Value {
        let answer = self.tool(schema, tool, arguments);
        assert_eq!(answer, self.repo.json_as(&self.me, command), "{tool} and {command:?}");
        answer
    }
}

#[test]
fn each_tool_does_and_answers_what_its_command_does() {
    let mut env = TestEnvironment::new();
    env.set("AIO_TEST_NOW", "2026-11-21T10:00:00Z");
    let repo = env.repo();
    let codex = repo.register("codex");
    repo.ok_as(&codex, &["claim", "src/main.rs", "--why", "port it"]);
    repo.ok_as(&codex, &["context", "warning", "careful", "--path", "src"]);
    let mut client = Client::start(&repo, GEMINI, &[]);
    let tools = client.ask("tools/list", json!({}))["result"]["tools"].take();
    let schemas = serde_json::from_str(&repo.ok(&["schema"])).unwrap();
    let mut sides = Sides { repo: &repo, client, tools, schemas, me: String::new() };

    assert_eq!(sides.tool("status", "status", json!({}))["me"], Value::Null, "nobody is registered for looking");
    let claimed = sides.tool("claim", "claim", json!({ "targets": ["src/auth/"], "why": "rework", "ttl": "2h" }));
    sides.me = text(&claimed, "/claims/0/holder").to_owned();
    assert_eq!(holder(&repo, "src/auth/login.rs").as_deref(), Some(sides.me.as_str()));
    let again = json!({ "targets": ["src/auth/"], "why": "rework", "ttl": "2h" });
    sides.same("claim", "claim", again, &["claim", "src/auth/", "--why", "rework", "--ttl", "2h"]);
    let task = json!({ "targets": ["T-1"], "kind": "task", "shared": true });
    sides.same("claim", "claim", task, &["claim", "task", "T-1", "--shared"]);
    let check = json!({ "paths": ["src/main.rs", "src/auth/token.rs", "README.md"] });
    let checked = sides.same("check", "check", check, &["check", "src/main.rs", "src/auth/token.rs", "README.md"]);
    let available: Vec<bool> = (0..3).map(|i| checked["paths"][i]["available"].as_bool().unwrap()).collect();
    assert_eq!(available, [false, true, true]);
    sides.same("status", "status", json!({}), &["status"]);

    let note = json!({ "category": "decision", "text": "tabs", "paths": ["src"], "to": "codex" });
    let noted = sides.tool("note", "note", note);
    assert!(repo.ok(&["context", "get", "--search", "tabs"]).contains("to codex on src"), "{noted}");
    sides.same("context", "context", json!({}), &["context", "get"]);
    let filter = json!({ "category": "warning", "path": "src/main.rs", "since": "2d", "search": "care", "limit": 1 });
    let filter = (filter, ["context", "get", "warning", "--for", "src/main.rs", "--since", "2d", "--search", "care"]);
    assert_eq!(sides.same("context", "context", filter.0, &filter.1)["notes"].as_array().unwrap().len(), 1);

    let new = json!({ "title": "go on", "to": "codex", "requirements": ["it works"], "context": "-" });
    let handoff = sides.tool("handoff", "handoff_new", new);
    assert_eq!(text(&handoff, "/handoff/document/context"), "-", "a tool has no standard input to give");
    let handoff = text(&handoff, "/handoff/id").to_owned();
    assert_eq!(holder(&repo, "src/auth/login.rs").as_ref(), Some(&handoff));
    sides.same("handoffs", "handoff_list", json!({}), &["handoff", "list"]);
    sides.same("handoff", "handoff_list", json!({ "id": handoff }), &["handoff", "show", &handoff]);
    sides.tool("handoff", "handoff_answer", json!({ "id": handoff, "answer": "decline" }));
    assert_eq!(holder(&repo, "src/auth/login.rs").as_ref(), Some(&sides.me), "it is back");

    let theirs = repo.json_as(&codex, &["handoff", "new", "yours now", "--to", "gemini"]);
    let theirs = text(&theirs, "/handoff/id");
    let accepted = sides.tool("handoff", "handoff_answer", json!({ "id": theirs, "answer": "accept" }));
    assert_eq!(text(&accepted, "/handoff/settled_by"), sides.me);
    assert_eq!(holder(&repo, "src/main.rs").as_ref(), Some(&sides.me));
    sides.tool("handoff", "handoff_answer", json!({ "id": theirs, "answer": "done" }));
    assert_eq!(holder(&repo, "src/main.rs"), None);

    let new = json!({ "title": "tidy up", "text": "-", "paths": ["src"], "priority": 1, "id": "T-9" });
    sides.tool("task", "task_new", new);
    sides.tool("task", "task_new", json!({ "title": "and then", "needs": ["T-9"] }));
    let taken = sides.tool("task", "task_next", json!({}));
    assert_eq!(
        (text(&taken, "/task/id"), text(&taken, "/task/text"), text(&taken, "/task/paths/0")),
        ("T-9", "-", "src")
    );
    sides.same("tasks", "task_list", json!({ "all": true }), &["tasks", "list", "--all"]);
    let done =
        sides.client.ask("tools/call", json!({ "name": "task_done", "arguments": { "id": "T-9", "result": "ok" } }));
    assert_eq!(done.pointer("/result/structuredContent/task/done/result").unwrap(), "ok", "{done}");
    let rest = sides.client.ask("tools/call", json!({ "name": "task_list", "arguments": { "ready": true } }));
    assert_eq!(rest.pointer("/result/structuredContent/tasks/0/title").unwrap(), "and then", "{rest}");

    let task = text(&sides.repo.json_as(&sides.me, &["claim", "task", "T-1", "--shared"]), "/claims/0/id").to_owned();
    let released = sides.tool("release", "release", json!({ "ids": [&task[..8]] }));
    assert_eq!(released["released"], json!([task]));
    let released = sides.tool("release", "release", json!({ "all": true }));
    assert_eq!(released["released"].as_array().unwrap().len(), 1, "{released}");
    assert_eq!(holder(&repo, "src/auth/login.rs"), None);
    sides.same("release", "release", json!({ "all": true }), &["release", "all"]);
}

#[test]
fn a_sync_goes_to_the_hub() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let repo = hub.clone("one");
    let mut client = Client::start(&repo, CLAUDE, &[]);
    assert_eq!(text(&client.ok("claim", json!({ "targets": ["README.md"] })), "/claims/0/state"), "tentative");
    let synced = client.ok("sync", json!({}));
    assert!(synced["pushed"].as_u64().unwrap() > 0, "{synced}");
    assert_eq!(hub.tip(), text(&synced, "/tip"));
    assert_eq!(text(&client.ok("check", json!({ "paths": ["README.md"] })), "/paths/0/claims/0/state"), "held");
    hub.git(&["update-ref", "-d", "refs/heads/main"]);
    fs::rename(&hub.dir, env.path().join("gone")).unwrap();
    client.ok("note", json!({ "category": "learning", "text": "so" }));
    let (answer, words) = client.refused("sync", json!({}));
    assert_eq!(text(&answer, "/error/kind"), "not-confirmed");
    assert!(words.contains("hint: "), "{words}");
}

#[test]
fn a_refusal_names_the_holder_and_the_ways_on() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    repo.ok_as(&claude, &["claim", "src/", "--why", "port it"]);
    let mut client = Client::start(&repo, CODEX, &[]);
    let (answer, words) = client.refused("claim", json!({ "targets": ["README.md", "src/main.rs"] }));
    let schemas: Value = serde_json::from_str(&repo.ok(&["schema"])).unwrap();
    let me = text(&answer, "/notices/0").trim_start_matches("registered as ").to_owned();
    let by_command = repo.aio_as(&me, &["claim", "README.md", "src/main.rs"]);
    assert_eq!(words, format!("{}\nregistered as {me}", by_command.stderr.trim_end()));
    assert!(words.contains(&format!("src/main.rs is held by {claude} through directory src")), "{words}");
    assert!(words.contains("hint: wait for it"), "{words}");
    let mut answer = answer;
    notices(&mut answer);
    assert_eq!(answer, repo.json_as(&me, &["claim", "README.md", "src/main.rs"]));
    let schema = &schemas["answers"]["error"]["schema"];
    conforms(&answer, schema, schema, "").unwrap();
    // The holder's words reach a model, and may not act on the terminal that it writes to.
    repo.ok_as(&claude, &["claim", "x", "--why", "a\u{1b}[31mb"]);
    assert!(client.refused("claim", json!({ "targets": ["x"] })).1.contains(r#""a\u{1b}[31mb""#));
    assert_eq!(holder(&repo, "README.md"), None, "all or none");
}

#[test]
fn of_two_servers_one_gets_it() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let mut clients = [Client::start(&repo, CLAUDE, &[]), Client::start(&repo, CODEX, &[])];
    for round in 0..12 {
        let target = json!({ "targets": [format!("file-{round}")] });
        let asked: Vec<u64> = clients.iter_mut().map(|client| client.begin("claim", target.clone())).collect();
        let answers: Vec<Value> = clients.iter_mut().zip(asked).map(|(client, id)| client.hear(id)).collect();
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer["result"]["isError"] == false);
        assert_eq!((won.len(), lost.len()), (1, 1), "{answers:?}");
        let winner = text(won[0], "/result/structuredContent/claims/0/holder");
        let (answer, words) = refusal(lost[0]);
        assert_eq!(text(&answer, "/error/conflicts/0/claim/holder"), winner);
        assert!(words.contains(winner), "{words}");
        assert_eq!(holder(&repo, &format!("file-{round}")).as_deref(), Some(winner));
    }
}

#[test]
fn calls_at_once_are_all_of_one_instance() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    for (name, tool) in [(GEMINI, "gemini-"), ("inspector", "mcp-")] {
        let mut client = Client::start(&repo, name, &[]);
        let calls = (0..8).map(|i| client.begin("claim", json!({ "targets": [format!("{tool}{i}")] })));
        for id in calls.collect::<Vec<_>>() {
            client::given(&client.hear(id));
        }
        assert_eq!(instances(&repo, tool).len(), 1, "{tool}");
    }
}

#[test]
fn a_session_of_codex_is_known_by_what_comes_with_the_call() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    // Another agent's variables are not its own.
    let mut client = Client::start(&repo, CODEX, &[("CLAUDE_CODE_SESSION_ID", "outer")]);
    let mut holder_for = |session: &str, target: &str| {
        let claimed = client.call_for(session, "claim", json!({ "targets": [target] }));
        text(&claimed, "/claims/0/holder").to_owned()
    };
    let one = holder_for("T1", "a");
    let two = holder_for("T2", "b");
    assert_eq!(holder_for("T1", "c"), one);
    assert!(one.starts_with("codex-") && two.starts_with("codex-") && one != two, "{one} {two}");
    let in_shell = |session: &str| {
        let whoami = run(repo.command(&["whoami"]).env("CODEX_SESSION_ID", session).env("CODEX_THREAD_ID", session));
        whoami.stdout.split(' ').next().unwrap().to_owned()
    };
    assert_eq!((in_shell("T1"), in_shell("T2")), (one, two), "its shell is the same instance");
}

#[test]
fn an_agent_is_known_by_its_variables_as_in_its_shell() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    for (name, tool, variable) in [
        (CLAUDE, "claude-", "CLAUDE_CODE_SESSION_ID"),
        ("github-copilot-developer", "copilot-", "COPILOT_AGENT_SESSION_ID"),
    ] {
        let mut client = Client::start(&repo, name, &[(variable, "S1")]);
        let claimed = client.ok("claim", json!({ "targets": [tool] }));
        let me = text(&claimed, "/claims/0/holder");
        assert!(me.starts_with(tool), "{claimed}");
        let whoami = run(repo.command(&["whoami"]).env(variable, "S1"));
        assert_eq!(whoami.stdout.split(' ').next(), Some(me));
        // What is not told, but was seen: who was registered before the server.
        let mut second = Client::start(&repo, name, &[(variable, "S1")]);
        assert_eq!(second.ok("status", json!({}))["me"], me);
    }
    let named = repo.register("amp");
    let mut command = repo.command(&["mcp", "--as", &named]);
    command.env("CLAUDE_CODE_SESSION_ID", "S1");
    assert_eq!(Client::of(command, CLAUDE).greeted(STATELESS).ok("status", json!({}))["me"], named);
}

#[test]
fn aio_instance_is_heeded_where_it_names_an_instance_of_the_client_that_no_other_session_has() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let me = |name: &str, instance: &str, session: &str| {
        let mut client = Client::start(&repo, name, &[("AIO_INSTANCE", instance), ("CLAUDE_CODE_SESSION_ID", session)]);
        text(&client.ok("claim", json!({ "targets": ["a"], "shared": true })), "/claims/0/holder").to_owned()
    };
    let (amp, claude) = (repo.register("amp"), repo.register("claude"));
    assert!(me(CLAUDE, &amp, "S1").starts_with("claude-"), "one of another agent is not the caller's");
    assert_ne!(me(CLAUDE, &claude, "S1"), claude, "a session that has an instance is that one");
    assert_eq!(me(CLAUDE, &claude, "S2"), claude);
    let mut register = repo.command(&["register", "claude"]);
    let others = run(register.env("CLAUDE_CODE_SESSION_ID", "S3")).stdout;
    assert_ne!(me(CLAUDE, others.trim(), "S4"), others.trim(), "another session's is leaked");
    assert_eq!(me(CLAUDE, others.trim(), "S3"), others.trim());
    assert_eq!(me("inspector", &amp, "S5"), amp, "nothing else tells who an unknown client is");
}

#[cfg(unix)]
#[test]
fn an_agent_that_says_nothing_is_known_by_its_process() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let mut client = Client::start_inside(&repo, "gemini", GEMINI);
    let claimed = client.ok("claim", json!({ "targets": ["a"] }));
    let me = text(&claimed, "/claims/0/holder");
    assert!(me.starts_with("gemini-"), "{claimed}");
    let live: Value = serde_json::from_slice(&fs::read(repo.dir.join(".git/aio/live").join(me)).unwrap()).unwrap();
    assert_eq!(live["process"]["pid"], client.pid(), "{live}");
    assert_eq!(live["agent"], true, "{live}");
}

/// A server inside a running agent, as a child of its process.
#[cfg(unix)]
fn serve_inside(repo: &Repo<'_>, agent: &mut Agent, name: &str) -> Client {
    let (input, output) = (env_path(repo, "in"), env_path(repo, "out"));
    agent.ok(&format!("mkfifo {input} {output}"));
    agent.ok(&format!("git-aio mcp <{input} >{output} 2>/dev/null &"));
    let input = OpenOptions::new().write(true).open(input).unwrap();
    Client::on(input, File::open(output).unwrap(), name).greeted("2025-11-25")
}

#[cfg(unix)]
fn env_path(repo: &Repo<'_>, name: &str) -> String {
    repo.env.path().join(name).display().to_string()
}

#[cfg(unix)]
#[test]
fn a_server_goes_on_with_the_next_session_of_its_process() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.ok(&["init", "--quiet"]);
    let mut claude = Agent::start(&repo, "claude", &[("CLAUDE_CODE_SESSION_ID", "first")]);
    let mut client = serve_inside(&repo, &mut claude, CLAUDE);
    let first = text(&client.ok("claim", json!({ "targets": ["a"] })), "/claims/0/holder").to_owned();
    assert!(first.starts_with("claude-"), "{first}");
    // `/clear` begins a new session in the same process; the server is not started anew.
    let hook = |event: &str, session: &str| {
        let call = json!({ "hook_event_name": event, "session_id": session, "cwd": repo.dir });
        format!("echo '{call}' | CLAUDE_CODE_SESSION_ID={session} git-aio hook claude")
    };
    claude.ok(&hook("SessionEnd", "first"));
    claude.ok(&hook("SessionStart", "second"));
    let second = claude.ok("CLAUDE_CODE_SESSION_ID=second git-aio whoami");
    let second = second.split(' ').next().unwrap();
    assert_ne!(first, second);
    assert_eq!(text(&client.ok("claim", json!({ "targets": ["b"] })), "/claims/0/holder"), second);
    drop(client);
}

#[test]
fn who_waits_keeps_nobody_waiting_and_may_give_up() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    let held = text(&repo.json_as(&claude, &["claim", "a", "b"]), "/claims/0/id").to_owned();
    let mut client = Client::start(&repo, CODEX, &[]);
    let given_up = client.begin("claim", json!({ "targets": ["a"], "wait": 50 }));
    let patient = client.begin("claim", json!({ "targets": ["b"], "wait": 50 }));
    client.ok("status", json!({}));
    client.cancel(given_up);
    client.ok("status", json!({}));
    // One that was given up must not be granted later, when nobody knows of it.
    thread::sleep(Duration::from_millis(500));
    repo.ok_as(&claude, &["release", "all"]);
    let granted = client::given(&client.hear(patient));
    assert_eq!(text(&granted, "/claims/0/target"), "b");
    assert_eq!(holder(&repo, "a"), None, "{held}");
    let began = Instant::now();
    repo.ok_as(&claude, &["claim", "c"]);
    let (answer, _) = client.refused("claim", json!({ "targets": ["c"], "wait": 1 }));
    assert_eq!(text(&answer, "/error/kind"), "conflict");
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[test]
fn what_was_cancelled_before_its_turn_is_not_done() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    repo.ok_as(&claude, &["claim", "a"]);
    let mut client = Client::start(&repo, CODEX, &[]);
    let waiting: Vec<u64> = (0..16).map(|_| client.begin("claim", json!({ "targets": ["a"], "wait": 50 }))).collect();
    let queued = client.begin("claim", json!({ "targets": ["b"] }));
    client.cancel(queued);
    client.ask("tools/list", json!({}));
    repo.ok_as(&claude, &["release", "all"]);
    for id in waiting {
        client::given(&client.hear(id));
    }
    client.ok("status", json!({}));
    assert_eq!(holder(&repo, "b"), None);
}

#[test]
fn what_can_not_be_meant_is_told_and_the_server_lives() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let mut client = Client::start(&repo, CODEX, &[]);
    for garbage in ["garbage", "{\"jsonrpc\":", "", "\u{7f}\u{0}"] {
        client.say(garbage);
    }
    client.ok("status", json!({}));
    for shapeless in ["[]", r#"{"neither":"a request","nor":"an answer"}"#] {
        client.say(shapeless);
        assert_eq!(client.hear_any()["error"]["code"], -32600, "{shapeless}");
    }
    let unknown = client.ask("tools/call", json!({ "name": "steal", "arguments": {} }));
    assert_eq!(
        (&unknown["error"]["code"], text(&unknown, "/error/message")),
        (&json!(-32602), "there is no tool steal")
    );
    assert_eq!(client.ask("no/such/method", json!({}))["error"]["code"], -32601);
    for (tool, arguments, words) in [
        ("claim", json!({}), "missing field `targets`"),
        ("claim", json!({ "targets": [] }), "it is not said what to claim"),
        ("claim", json!({ "targets": "a" }), "invalid type"),
        ("claim", json!({ "targets": ["a"], "shard": true }), "unknown field `shard`"),
        ("claim", json!({ "targets": ["a"], "kind": "planet" }), "unknown variant `planet`"),
        ("claim", json!({ "targets": ["a"], "wait": 3600 }), "50 seconds at most"),
        ("claim", json!({ "targets": ["a"], "wait": -1 }), "invalid value"),
        ("claim", json!({ "targets": ["a"], "ttl": "soon" }), "the ttl can't be understood"),
        ("claim", json!({ "targets": ["a"], "ttl": "0s" }), "shorter than a second"),
        ("claim", json!({ "targets": ["../x"] }), "../x"),
        ("check", json!({ "paths": [] }), "it is not said what to check"),
        ("release", json!({}), "it is not said what to release"),
        ("release", json!({ "ids": ["0a"], "all": true }), "both ids and all"),
        ("note", json!({ "category": "rumour", "text": "x" }), "unknown variant `rumour`"),
        ("note", json!({ "category": "warning", "text": " " }), "the note is empty"),
        ("context", json!({ "since": "soon" }), "neither a span nor a date"),
        ("handoff_new", json!({ "title": "" }), "the handoff has no title"),
        ("sync", json!({ "remote": "https://evil.example" }), "unknown field `remote`"),
    ] {
        let (answer, told) = client.refused(tool, arguments.clone());
        assert_eq!(text(&answer, "/error/kind"), "usage", "{tool} {arguments}: {answer}");
        assert!(told.contains(words), "{tool} {arguments}: {told}");
    }
    let (answer, _) = client.refused("release", json!({ "ids": ["0123456789abcdef"] }));
    assert_eq!(text(&answer, "/error/kind"), "not-found");
    assert_eq!(instances(&repo, "codex"), [""; 0], "nobody is registered for what was not done");
    client.ok("claim", json!({ "targets": ["a"], "kind": null }));
    assert_eq!(client.end().0, Some(0));
}

#[test]
fn it_works_where_it_is_told_to_or_the_agent_or_where_it_was_started() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let other = env.repo_with("other", crate::env::Refs::Files, "sha1", &[("x", "")]);
    let outside = Repo { env: &env, dir: env.path() };
    let mut client = Client::start(&outside, CLAUDE, &[]);
    for tool in ["status", "check", "sync"] {
        let arguments = if tool == "check" { json!({ "paths": ["x"] }) } else { json!({}) };
        let (answer, words) = client.refused(tool, arguments);
        assert_eq!(text(&answer, "/error/kind"), "repository", "{words}");
    }
    let project = |client: &mut Client| text(&client.ok("status", json!({})), "/project").to_owned();
    let variable = [("CLAUDE_PROJECT_DIR", other.dir.to_str().unwrap())];
    assert_eq!(project(&mut Client::start(&outside, CLAUDE, &variable)), "other");
    assert_eq!(project(&mut Client::start(&repo, CLAUDE, &variable)), "other", "a plugin's server starts elsewhere");
    assert_eq!(project(&mut Client::start(&repo, GEMINI, &variable)), "demo", "it is of the Claude around it");
    let mut command = outside.command(&["mcp", "-C", "demo/src"]);
    command.envs(variable);
    let mut client = Client::of(command, CLAUDE).greeted("2025-11-25");
    assert_eq!(project(&mut client), "demo");
    let claimed = client.ok("claim", json!({ "targets": ["main.rs"] }));
    assert_eq!(text(&claimed, "/claims/0/target"), "src/main.rs", "a path is relative to that folder");
    let absolute = repo.dir.join("README.md").display().to_string();
    let claimed = client.ok("claim", json!({ "targets": [absolute] }));
    assert_eq!(text(&claimed, "/claims/0/target"), "README.md");
}

#[test]
fn a_repository_inside_is_worked_in_by_the_same_agent() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let inner = env.repo_with("demo/inner", crate::env::Refs::Files, "sha1", &[("x", "")]);
    let mut client = Client::start(&repo, CODEX, &[]);
    let claimed = client.call_for("T1", "claim", json!({ "targets": ["inner/x"] }));
    let me = text(&claimed, "/claims/0/holder");
    assert!(me.starts_with("codex-"), "{claimed}");
    assert_eq!(holder(&inner, "x").as_deref(), Some(me));
}

#[test]
fn it_ends_with_its_input_whatever_is_at_work() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let repo = hub.clone("one");
    let claude = repo.register("claude");
    repo.ok_as(&claude, &["claim", "a"]);
    let mut unused = Client::of(repo.command(&["mcp"]), CODEX);
    assert_eq!(unused.end(), (Some(0), String::new()), "nobody said a word");
    hub.hook("pre-receive", "sleep 60");
    let mut client = Client::start(&repo, CODEX, &[]);
    client.begin("claim", json!({ "targets": ["a"], "wait": 50 }));
    client.begin("sync", json!({}));
    thread::sleep(Duration::from_millis(700));
    let began = Instant::now();
    assert_eq!(client.end(), (Some(0), String::new()));
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let left = run(env.command("git", &repo.dir).args(["for-each-ref", "refs/aio/state"]));
    assert_eq!(left.code, 0);
    assert!(!hub.dir.join("refs/aio/state.lock").exists(), "the git of the hub was ended too, in good order");
    assert_eq!(holder(&repo, "a"), Some(claude));
}

#[cfg(unix)]
#[test]
fn it_ends_when_it_is_told_to() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    for signal in ["INT", "TERM"] {
        let mut client = Client::start(&repo, CODEX, &[]);
        client.ok("status", json!({}));
        let killed = run(env.command("sh", &repo.dir).args(["-c", &format!("kill -{signal} {}", client.pid())]));
        assert_eq!(killed.code, 0);
        assert_eq!(client.ended(), (Some(0), String::new()), "{signal}");
    }
}

#[test]
fn it_answers_in_nothing_but_its_protocol() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let Ended { stdout, code, .. } = repo.aio(&["mcp", "--json"]);
    let answer: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, text(&answer, "/error/kind")), (2, "usage"));
    let mut client = Client::of(repo.command(&["mcp"]), CODEX);
    client.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    let (code, said) = client.ended();
    assert_eq!((code, said.as_str()), (Some(1), "error: the client began with something else than a request of MCP\n"));
}
