//! Workflows as files: found, approved, checked and shown.

use crate::env::TestEnvironment;
use std::fs;

const FLOW: &str = "about = \"Try.\"\n\n[[step]]\nid = \"a\"\nprompt = \"{% include 'words/task.md' %}\"\n";

#[test]
fn those_of_the_repository_come_first_and_wait_for_approval() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let find = |name: &str| {
        let all = repo.json_as("", &["workflow", "list"])["workflows"].as_array().unwrap().clone();
        all.into_iter().find(|workflow| workflow["name"] == name).unwrap_or_default()
    };
    assert_eq!(find("tdd")["origin"], "builtin");
    assert_eq!(repo.ok(&["workflow", "new", "tdd"]), ".aio/workflows/tdd.toml\n");
    assert_eq!((find("tdd")["origin"].as_str(), find("tdd")["waiting"].as_bool()), (Some("repository"), Some(true)));
    assert_eq!(repo.aio(&["workflow", "new", "tdd"]).code, 2, "nothing is written over");

    repo.write(".aio/workflows/try.toml", FLOW);
    assert!(find("try")["error"].as_str().unwrap().contains("words/task.md can't be included: there is no such file"));
    repo.write(".aio/workflows/words/task.md", "Do it.\n");
    assert!(find("try")["error"].is_null());

    let shown = repo.aio(&["trust"]);
    assert!(shown.stdout.contains("+Do it."), "{shown:?}");
    assert!(
        shown.stdout.contains("  the workflow try can be run, as it stands in .aio/workflows/try.toml\n"),
        "{shown:?}"
    );
    repo.ok(&["trust", "--yes"]);
    assert_eq!(find("try")["waiting"], false);
    repo.write(".aio/workflows/words/task.md", "Do something else.\n");
    assert_eq!(find("try")["waiting"], true, "what is included is approved as well");
}

#[test]
fn one_that_can_not_be_read_stops_none_of_the_others() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.write(".aio/workflows/good.toml", "[[step]]\nid = \"a\"\nrun = \"echo good\"\n");
    repo.ok(&["trust", "--yes"]);
    fs::write(repo.dir.join(".aio/workflows/tdd.toml"), b"about = \"\xff\"\n").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", repo.dir.join(".aio/workflows/out.toml")).unwrap();
    // What is approved is what can be read.
    assert_eq!(repo.ok(&["run", "good"]), "good\n");
    let all = repo.json_as("", &["workflow", "list"])["workflows"].as_array().unwrap().clone();
    let error =
        |name: &str| all.iter().find(|one| one["name"] == name).unwrap()["error"].as_str().unwrap_or("").to_owned();
    assert_eq!(error("tdd"), ".aio/workflows/tdd.toml can't be read: it is no text in UTF-8");
    assert!(
        error("out").contains("leads out of the work tree") && error("good").is_empty() && error("refine").is_empty()
    );
    let refused = repo.aio(&["run", "tdd"]);
    assert!(refused.code == 2 && refused.stderr.contains("tdd.toml can't be read: it is no text"), "{refused:?}");
    let checked = repo.aio(&["workflow", "check"]);
    assert!(
        checked.code == 2
            && checked.stdout.contains("ok     good")
            && checked.stdout.contains("wrong  .aio/workflows/out.toml")
    );
    assert!(repo.aio(&["doctor"]).stdout.contains(".aio/workflows/out.toml can't be read"));
}

#[test]
fn a_step_that_would_surely_write_beyond_the_scope_at_the_top_is_told_with_its_place() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let inner = "[[step]]\nid = \"in\"\nscope = [\"docs/in\"]\nrun = \"x\"\n";
    repo.write(".aio/workflows/inner.toml", inner);
    let flow = |rest: &str| {
        repo.write(
            ".aio/workflows/flow.toml",
            &format!("scope = [\"src/**\", \"README.md\"]\n[[step]]\nid = \"a\"\n{rest}"),
        );
        let ended = repo.aio(&["workflow", "check", "flow"]);
        (ended.code, ended.stdout)
    };
    let (code, said) = flow("scope = [\"src/a\", \"docs/a\"]\nrun = \"x\"\n");
    let told = "wrong  .aio/workflows/flow.toml:4:20: docs/a is not within the scope at the top: src/**, README.md\n";
    assert_eq!((code, &said[..]), (2, told));
    let (code, said) = flow("workflow = \"inner\"\n");
    assert!(code == 2 && said.contains("flow.toml:4:12: the step in of the workflow inner writes docs/in"), "{said}");
    let (code, said) = flow("scope = [\"src/a\"]\nrun = \"x\"\ncompensate = { run = \"y\", scope = [\"docs/a\"] }\n");
    assert!(code == 2 && said.contains("flow.toml:6:"), "{said}");
    for fits in ["scope = [\"src/a\", \"./README.md\"]\nrun = \"x\"\n", "scope = [\"{{ run.id }}\"]\nrun = \"x\"\n"] {
        assert_eq!(flow(fits).0, 0, "{fits}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_an_exit_code() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.write(".aio/workflows/try.toml", "[[step]]\nid = \"a\"\nagent = \"reviwer\"\nprompt = \"x\"\n");
    let ended = repo.aio(&["workflow", "check"]);
    assert_eq!(ended.code, 2);
    assert_eq!(
        ended.stdout,
        "wrong  .aio/workflows/try.toml:1:1: the step a: there is no tool or agent 'reviwer'; did you mean reviewer?\n"
    );
    // It is told before the first step is done, not when it comes to that one.
    for how in [&["run", "./.aio/workflows/try.toml"][..], &["run", "./.aio/workflows/try.toml", "--dry-run"]] {
        let ended = repo.aio(how);
        assert!(ended.code == 2 && ended.stderr.contains("try.toml:1:1: the step a: there is no tool"), "{ended:?}");
    }
    assert_eq!(repo.ok(&["run", "list"]), "no runs\n");
    repo.write("drafts/flow.toml", "[[step]]\nid = \"a\"\nrun = \"echo '{{ run.id }}'\"\n");
    let ended = repo.aio(&["workflow", "check", "drafts/flow.toml"]);
    assert_eq!(ended.code, 2);
    assert!(ended.stdout.contains(":3:17: a value in a command is quoted already"), "{ended:?}");
    let shown = repo.aio(&["workflow", "show", "./drafts/flow.toml"]);
    assert!(shown.code == 0 && shown.stdout.contains("echo '{{ run.id }}'"), "{shown:?}");
    assert!(shown.stderr.contains("a value in a command is quoted already"), "{shown:?}");
    for args in [
        &["workflow", "show", "refin"][..],
        &["workflow", "check", "refin"],
        &["workflow", "new", "refin"],
        &["workflow", "enable", "refin"],
        &["workflow", "disable", "refin"],
        &["run", "refin"],
        &["run", "refin", "--dry-run"],
        &["run", "./refin.toml"],
        &["workflow", "check", "refin.toml"],
        &["workflow", "show", "refin.toml"],
    ] {
        let ended = repo.aio(args);
        assert!(ended.code == 8 && ended.stderr.contains("refin"), "{args:?} {ended:?}");
    }
}

#[test]
fn what_can_come_to_nothing_is_told_before_the_first_step_with_its_place() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.write(".aio/config.toml", "[verify]\ndocs = \"true\"\n");
    let inner = "[inputs]\nn = 3\no = { k = 1 }\n[[step]]\nid = \"in\"\nrun = \"true\"\n";
    repo.write(".aio/workflows/inner.toml", inner);
    for (step, told) in [
        ("scope = [\"src\", \"../x\"]\nrun = \"x\"", "6:18: scope: '../x' is outside of the repository"),
        ("run = \"x\"\nsave = \"../../x\"", "7:9: save: '../../x' is no path inside the repository"),
        ("run = \"x\"\nsave = \".git/config\"", "7:9: save: '.git/config' is no path inside the repository"),
        (
            "run = \"x\"\nverify = [\"true\", \"@tset\"]",
            "7:20: the step b: there is no check @tset; did you mean @test?",
        ),
        ("run = \"x\"\ncompensate = { run = \"y\", scope = \"../y\" }", "7:36: scope: '../y' is outside"),
        ("workflow = \"inner\"\nwith = { n = \"abc\" }", "7:10: the input n has to be a whole number, and is \"abc\""),
        (
            "workflow = \"inner\"\nwith = { o = { z = 2 } }",
            "7:10: the input o has to be a table like {\"k\":1}, and is",
        ),
    ] {
        let flow = format!("[[step]]\nid = \"a\"\nrun = \"echo begun >../begun\"\n[[step]]\nid = \"b\"\n{step}\n");
        repo.write(".aio/workflows/flow.toml", &flow);
        repo.ok(&["trust", "--yes"]);
        let checked = repo.aio(&["workflow", "check", "flow"]);
        assert!(checked.code == 2 && checked.stdout.contains(&format!("flow.toml:{told}")), "{told}: {checked:?}");
        let refused = repo.aio(&["run", "flow"]);
        assert!(refused.code == 2 && refused.stderr.contains(&format!("flow.toml:{told}")), "{told}: {refused:?}");
    }
    let fine = "verify = [\"@docs\", \"@changed\", \"@default\", \"nosuch\"]\nscope = [\"./src/\", \"src/[id].rs\"]\nrun = \"x\"";
    repo.write(".aio/workflows/flow.toml", &format!("[[step]]\nid = \"b\"\n{fine}\n"));
    repo.ok(&["workflow", "check", "flow"]);
    for (given, code) in [("o={\"z\":2}", 2), ("o={\"k\":\"x\"}", 2), ("o={\"k\":2,\"z\":2}", 2), ("o={\"k\":2}", 0)] {
        let ended = repo.aio(&["run", "./.aio/workflows/inner.toml", "-i", given]);
        assert!(
            ended.code == code && (code == 0 || ended.stderr.contains("a table like {\"k\":1}")),
            "{given}: {ended:?}"
        );
    }
    assert!(!repo.dir.join("../begun").exists());
}

#[test]
fn every_workflow_of_the_documentation_is_whole() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/workflows.md")).unwrap();
    let blocks = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let blocks: Vec<&str> = blocks.filter(|block| block.contains("[[step]]")).collect();
    assert!(blocks.len() > 2);
    for (number, block) in blocks.into_iter().enumerate() {
        repo.write(&format!(".aio/workflows/example-{number}.toml"), block);
    }
    repo.ok(&["workflow", "check"]);
}

#[test]
fn what_is_shipped_is_shown_with_its_plan_and_both_tables() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let answer = repo.json_as("", &["workflow", "show", "refine"]);
    let steps: Vec<_> = answer["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["refine", "refine/write", "refine/measure", "refine/review"]);
    assert_eq!(answer["steps"][1]["isolation"], "claims");
    let tables = repo.ok(&["workflow", "patterns"]);
    assert!(tables.contains("A queue that several drivers share  Hub and spokes "), "{tables}");
    let refused = repo.aio(&["run", "refine"]);
    for part in ["-i task=…", "`git aio workflow show refine`"] {
        assert!(refused.code == 2 && refused.stderr.contains(part), "{part}: {refused:?}");
    }
    let patterns = repo.json_as("", &["workflow", "patterns"]);
    assert_eq!((patterns["scenarios"].as_array().unwrap().len(), patterns["needs"].as_array().unwrap().len()), (9, 5));
    let schema: serde_json::Value = serde_json::from_str(&repo.ok(&["workflow", "schema"])).unwrap();
    assert_eq!(schema["properties"]["step"]["type"], "array");
}
