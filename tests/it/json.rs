//! The contract with programs: every answer in JSON is what `git aio schema` says.

use crate::env::{Repo, TestEnvironment};
use serde_json::Value;
use std::fs;

/// Whether `value` is what `schema` describes, as far as our schemas go; says where it is not. A key that the schema
/// doesn't name is as wrong as one that is missing.
pub fn conforms(value: &Value, schema: &Value, root: &Value, at: &str) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let target = root.pointer(name.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{name} is not there"));
        return conforms(value, target, root, at);
    }
    if let Some(one_of) = schema["oneOf"].as_array().filter(|_| schema["properties"].is_object()) {
        // Whatever stands beside it holds for each of them.
        let merged = one_of.iter().map(|one| {
            let mut merged = schema.clone();
            merged.as_object_mut().unwrap().remove("oneOf");
            for (key, value) in one["properties"].as_object().into_iter().flatten() {
                merged["properties"][key] = value.clone();
            }
            let required = one["required"].as_array().into_iter().flatten().cloned();
            merged["required"].as_array_mut().unwrap().extend(required);
            merged
        });
        let wrong: Vec<String> = merged.filter_map(|one| conforms(value, &one, root, at).err()).collect();
        return if wrong.len() < one_of.len() { Ok(()) } else { Err(wrong.join(" and ")) };
    }
    if schema.as_bool() == Some(true)
        || schema.as_object().is_some_and(|says| says.keys().all(|key| key == "description"))
    {
        return Ok(());
    }
    if let Some(only) = schema.get("const").or_else(|| schema["enum"].as_array().filter(|all| all.len() == 1)?.first())
    {
        return if value == only { Ok(()) } else { Err(format!("{at}: {value} is not {only}")) };
    }
    if let Some(any) = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
        let wrong: Vec<String> = any.iter().filter_map(|one| conforms(value, one, root, at).err()).collect();
        return if wrong.len() < any.len() { Ok(()) } else { Err(wrong.join(" and ")) };
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().map(|one| one.as_str().unwrap()).collect(),
        _ => return Err(format!("{at}: the schema says nothing: {schema}")),
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_number = is == "integer" && types.contains(&"number");
    if !types.contains(&is) && !is_number {
        return Err(format!("{at}: {value} is not {types:?}"));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        conforms(item, &schema["items"], root, &format!("{at}[{index}]"))?;
    }
    let Some(object) = value.as_object() else { return Ok(()) };
    for required in schema["required"].as_array().into_iter().flatten() {
        if !object.contains_key(required.as_str().unwrap()) {
            return Err(format!("{at}: {required} is missing"));
        }
    }
    for (key, value) in object {
        match schema["properties"].get(key) {
            Some(schema) => conforms(value, schema, root, &format!("{at}.{key}"))?,
            None => return Err(format!("{at}: {key} is not in the schema")),
        }
    }
    Ok(())
}

struct Contract<'r, 'e> {
    repo: &'r Repo<'e>,
    schemas: Value,
}

impl Contract<'_, '_> {
    /// Runs a command and holds its answer against the schema called `name`.
    fn holds(&self, who: &str, code: i32, name: &str, args: &[&str]) -> Value {
        let ended = self.repo.aio_as(who, &[args, &["--json"]].concat());
        assert_eq!(ended.code, code, "{args:?} {ended:?}");
        let answer: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{args:?}: {e} {ended:?}"));
        assert_eq!(answer["schema"], 1, "{args:?}");
        let schema = &self.schemas["answers"][name]["schema"];
        assert!(schema.is_object(), "{name} is described");
        conforms(&answer, schema, schema, "").unwrap_or_else(|wrong| panic!("{args:?}: {wrong}: {answer}"));
        answer
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} of {value}"))
}

#[test]
fn every_answer_is_what_the_schema_says() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let schemas = serde_json::from_str(&repo.ok(&["schema"])).unwrap();
    let contract = Contract { repo: &repo, schemas };
    let ok = |who: &str, name, args: &[&str]| contract.holds(who, 0, name, args);

    ok("", "status", &["status"]);
    let claude = ok("", "instance", &["register", "claude", "--task", "port"]);
    let claude = text(&claude, "/instance/id");
    let codex = repo.register("codex");
    ok(claude, "instance", &["whoami"]);
    ok(claude, "instance", &["heartbeat"]);
    ok(claude, "instance", &["task", "port the parser", "T-1"]);
    let claims = ok(claude, "claim", &["claim", "src/", "README.md", "x*", "--ttl", "2h", "--why", "so"]);
    ok(claude, "claim", &["claim", "task", "T-1", "--shared"]);
    ok(claude, "claim", &["claim", "lost.rs"]);
    ok(claude, "check", &["check", "src/main.rs", "nothing"]);
    contract.holds(&codex, 3, "check", &["check", "src/main.rs"]);
    repo.write("src/main.rs", "changed\n");
    repo.git(&["add", "-A"]);
    contract.holds(&codex, 3, "check", &["check", "--staged"]);
    ok(&codex, "note", &["context", "decision", "words", "--path", "src", "--to", "claude"]);
    ok(&codex, "handoff", &["context", "handoff", "words"]);
    ok(claude, "release", &["release", text(&claims, "/claims/1/id")]);
    let handoff = ok(claude, "handoff", &["handoff", "new", "go on", "--to", "codex", "--requirement", "works"]);
    let handoff = text(&handoff, "/handoff/id");
    ok(claude, "handoff", &["handoff", "show", handoff]);
    ok(&codex, "handoffs", &["handoff", "list"]);
    ok(&codex, "context", &["context", "get"]);
    ok(&codex, "context", &["context", "export"]);
    ok(&codex, "status", &["status"]);
    ok(&codex, "handoff", &["handoff", "accept", handoff]);
    ok(&codex, "handoff", &["handoff", "done", handoff]);
    ok(&codex, "task", &["tasks", "new", "look at it", "--id", "Q-1", "--text", "all of it", "--path", "src"]);
    ok(&codex, "task", &["tasks", "new", "and then", "--needs", "Q-1"]);
    ok(&codex, "task", &["tasks", "next"]);
    ok(claude, "tasks", &["tasks", "list"]);
    ok(claude, "status", &["status"]);
    ok(&codex, "task_done", &["tasks", "done", "Q-1", "--result", "seen"]);
    ok(&codex, "tasks", &["tasks", "list", "--all"]);
    contract.holds(claude, 3, "error", &["tasks", "done", "Q-1"]);
    let again = ok(claude, "handoff", &["handoff", "new", "again"]);
    ok(claude, "handoff", &["handoff", "decline", text(&again, "/handoff/id")]);
    let held = ok(claude, "claim", &["claim", "lost.rs"]);
    repo.ok(&["release", text(&held, "/claims/0/id"), "--force", "--why", "so"]);
    let status = ok(claude, "status", &["status"]);
    assert_eq!(text(&status, "/lost/0/state"), "lost");
    contract.holds(claude, 0, "log", &["log"]);
    ok(claude, "log", &["log", "--path", "src", "-n", "1"]);
    contract.holds(claude, 4, "verify", &["verify"]);
    ok(claude, "verify", &["verify", "--check", "true"]);
    ok(claude, "agents", &["agent", "list"]);
    ok(claude, "agent", &["agent", "show", "tester"]);
    ok(claude, "suggestion", &["agent", "suggest", "security audit"]);
    ok(claude, "workflows", &["workflow", "list"]);
    ok(claude, "workflow", &["workflow", "show", "refine"]);
    ok(claude, "patterns", &["workflow", "patterns"]);
    ok(claude, "trust", &["trust"]);
    repo.write(".aio/config.toml", "[verify]\ntest = 'true'\n");
    contract.holds(claude, 3, "trust", &["trust"]);
    fs::remove_dir_all(repo.dir.join(".aio")).unwrap();
    ok(claude, "release", &["cleanup"]);
    ok(claude, "release", &["release", "all"]);
    ok(claude, "instance", &["unregister"]);
    ok(claude, "instance", &["whoami"]);
}

#[test]
fn every_failure_is_json_too() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let schemas = serde_json::from_str(&repo.ok(&["schema"])).unwrap();
    let contract = Contract { repo: &repo, schemas };
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    let held = repo.json_as(&claude, &["claim", "src/"]);
    let handoff = repo.json_as(&codex, &["handoff", "new", "x", "--to", "gemini"]);
    let outside = env.path().display().to_string();
    for (code, kind, args) in [
        (3, "conflict", &["claim", "src/main.rs"][..]),
        (3, "not-allowed", &["release", text(&held, "/claims/0/id")]),
        (3, "not-allowed", &["release", text(&held, "/claims/0/id"), "--force", "--why", "so"]),
        (3, "not-allowed", &["handoff", "accept", text(&handoff, "/handoff/id")]),
        (8, "not-found", &["release", "0123456789abcdef"]),
        (8, "not-found", &["whoami", "--as", "claude-1707084123-a3f2"]),
        (8, "not-found", &["handoff", "show", "0123"]),
        (2, "usage", &["whoami", "--as", "me"]),
        (2, "usage", &["claim", "../x"]),
        (2, "usage", &["claim", "x", "--ttl", "soon"]),
        (2, "usage", &["claim"]),
        (2, "usage", &["no-such-command"]),
        (2, "usage", &["claim", "x", "--no-such-option"]),
        (2, "usage", &["context", "get", "rumour"]),
        (1, "repository", &["status", "-C", &outside]),
        (2, "usage", &["status", "-C", "/no/such/folder"]),
    ] {
        let answer = contract.holds(&codex, code, "error", args);
        assert_eq!(text(&answer, "/error/kind"), kind, "{args:?} {answer}");
        assert!(!text(&answer, "/error/message").is_empty(), "{answer}");
    }
    let conflict = contract.holds(&codex, 3, "error", &["claim", "src/main.rs"]);
    assert_eq!(text(&conflict, "/error/conflicts/0/target"), "src/main.rs");
    assert_eq!(text(&conflict, "/error/conflicts/0/claim/holder"), claude);
    repo.json_as(&codex, &["handoff", "done", text(&handoff, "/handoff/id")]);
    contract.holds(&codex, 3, "error", &["handoff", "done", text(&handoff, "/handoff/id")]);
}

#[test]
fn talk_never_stands_in_an_answer() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let first = repo.aio(&["claim", "*.rs", "--json"]);
    serde_json::from_str::<Value>(&first.stdout).unwrap();
    assert!(first.stderr.contains("registered as person-"), "{first:?}");
    let quiet = repo.aio(&["claim", "*.ts", "--json", "--quiet"]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""), "{quiet:?}");
    let coloured = crate::env::run(repo.command(&["check", "x.rs"]).env("CLICOLOR_FORCE", "1"));
    assert!(coloured.stdout.contains("\u{1b}["), "{coloured:?}");
    let plain = crate::env::run(repo.command(&["check", "x.rs"]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1"));
    assert!(!repo.ok(&["check", "x.rs"]).contains('\u{1b}'));
    assert!(!plain.stdout.contains('\u{1b}') || plain.stdout == coloured.stdout, "{plain:?}");
    let json = crate::env::run(repo.command(&["check", "x.rs", "--json"]).env("CLICOLOR_FORCE", "1"));
    serde_json::from_str::<Value>(&json.stdout).unwrap();
}
