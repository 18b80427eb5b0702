//! Workflows that another clone goes on with: their steps' results travel with `aio.syncRuns=full`, and so do the files that
//! they have changed.

use crate::{
    env::{Ended, TestEnvironment},
    fake::{Agents, Do},
    hub::{Hub, Member, Way},
};
use serde_json::Value;
use std::{fs, io::Write, process::Stdio};

const FLOW: &str = r#"
about = "Edits, counts, and edits again."

[[step]]
id = "first"
agent = "claude"
scope = ["src/main.rs", "src/new.rs"]
verify = []
prompt = "First edit"

[[step]]
id = "count"
retry = 1
run = "echo once >>../counted; cat src/main.rs"

[[step]]
id = "go"
ask = "Go on?"

[[step]]
id = "second"
agent = "claude"
scope = ["src/other.rs"]
verify = []
prompt = "Second edit after {{ steps.count.out }}, {{ steps.first.files | join(' ') }}"
"#;

/// A hub with two clones whose runs travel as a whole, and agents that do what the workflow wants.
fn scene<'h, 'e>(env: &'e TestEnvironment, hub: &'h Hub<'e>) -> (Agents, [Member<'h>; 2])
where
    'e: 'h,
{
    let agents = Agents::in_(env);
    let edit = [Do::Edit("src/main.rs", "first\n"), Do::Edit("src/new.rs", "new\n"), Do::Say("edited")];
    agents.plays_when("claude", "First edit", &edit);
    agents.plays_when("claude", "Second edit", &[Do::Edit("src/other.rs", "second\n"), Do::Say("done")]);
    let members = hub.two_in_step();
    for member in &members {
        member.repo.git(&["config", "aio.syncRuns", "full"]);
        member.repo.git(&["config", "aio.staleElsewhere", "0s"]);
        member.repo.write(".aio/workflows/flow.toml", FLOW);
        member.repo.ok(&["trust", "--yes", "--quiet"]);
    }
    (agents, members)
}

/// Has the second hear all of the first.
fn heard(one: &Member<'_>, two: &Member<'_>) {
    one.sync();
    two.sync();
}

/// The same of one whose driver was killed: it has to be seen that no more comes.
fn heard_no_more(one: &Member<'_>, two: &Member<'_>) {
    heard(one, two);
    std::thread::sleep(std::time::Duration::from_millis(2100));
    heard(one, two);
}

fn run_of(member: &Member<'_>) -> String {
    let names = member.repo.git(&["for-each-ref", "--format=%(refname)", "refs/aio/runs/"]);
    names.trim().strip_prefix("refs/aio/runs/").unwrap_or_else(|| panic!("one run: {names}")).to_owned()
}

fn read(member: &Member<'_>, path: &str) -> String {
    fs::read_to_string(member.repo.dir.join(path)).unwrap_or_default()
}

#[test]
fn a_workflow_goes_on_in_another_clone_and_no_step_is_done_twice() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let (agents, [one, two]) = scene(&env, &hub);
    let waits = one.aio(&["run", "flow"]);
    assert_eq!(waits.code, 5, "{waits:?}");
    heard(&one, &two);
    let id = run_of(&two);
    let refused = two.aio(&["run", "resume", &id, "--yes"]);
    assert!(refused.code == 3 && refused.stderr.contains("the workflow flow, as it is here"), "{refused:?}");
    let resumed = two.repo.aio(&["run", "resume", &id, "--yes"]);
    assert_eq!(resumed.code, 5, "{resumed:?}");
    assert_eq!((read(&two, "src/main.rs"), read(&two, "src/new.rs")), ("first\n".into(), "new\n".into()));
    two.repo.ok(&["run", "answer", &id, "yes"]);
    let ended = two.repo.aio(&["run", "resume", &id]);
    assert_eq!((ended.code, &ended.stdout[..]), (0, "done\n"), "{ended:?}");
    let calls = agents.calls("claude");
    assert_eq!(calls.len(), 2);
    assert!(calls[1].prompt.contains("after first, src/main.rs src/new.rs"), "{}", calls[1].prompt);
    let counted: Vec<String> =
        [&one, &two].iter().map(|member| read(member, "../counted")).filter(|text| !text.is_empty()).collect();
    assert!(counted.iter().all(|text| text == "once\n"), "{counted:?}");
    heard(&two, &one);
    let shown: Value = serde_json::from_str(&one.ok(&["--json", "run", "show", &id])).unwrap();
    assert_eq!(shown["run"]["status"], "complete");
}

#[test]
fn one_whose_driver_was_killed_ends_the_same_in_another_clone() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let (agents, [one, two]) = scene(&env, &hub);
    let (begin, _) = FLOW.split_once("[[step]]\nid = \"count\"").unwrap();
    let (_, end) = FLOW.split_once("ask = \"Go on?\"\n").unwrap();
    let flow = format!("{begin}[[step]]\nid = \"count\"\nagent = \"claude\"\nprompt = \"Think\"\n{end}");
    // The first time its driver is killed over it.
    let kill = Do::Run("kill -9 $(ps -o ppid= -p $PPID)");
    agents.plays_when("claude", "Think", &[kill, Do::Say("never heard")]);
    agents.plays_when("claude", "Think", &[Do::Say("thought")]);
    for member in [&one, &two] {
        member.repo.write(".aio/workflows/flow.toml", &flow);
        member.repo.ok(&["trust", "--yes", "--quiet"]);
    }
    let killed = one.aio(&["run", "flow"]);
    assert_eq!(killed.code, 128 + 9, "{killed:?}");
    assert_eq!(read(&one, "src/main.rs"), "first\n");
    heard_no_more(&one, &two);
    let id = run_of(&two);
    let resumed = two.repo.aio(&["run", "resume", &id, "--yes"]);
    assert_eq!((resumed.code, &resumed.stdout[..]), (0, "done\n"), "{resumed:?}");
    let asked: Vec<String> = agents.calls("claude").into_iter().map(|call| call.prompt).collect();
    let count = |words: &str| asked.iter().filter(|prompt| prompt.contains(words)).count();
    assert_eq!((count("First edit"), count("Think"), count("Second edit after thought")), (1, 2, 1), "{asked:#?}");
    let files = ["src/main.rs", "src/new.rs", "src/other.rs"].map(|path| read(&two, path));
    assert_eq!(files, ["first\n", "new\n", "second\n"]);
}

const ON_COPIES: &str = r#"
[[step]]
id = "first"
retry = 1
scope = ["src/a"]
run = "echo first >>src/a"

[[step]]
id = "never"
isolate = "worktree"
repeat = { until = "false", max = 1 }
[[step.step]]
id = "try"
scope = ["src/a", "src/c"]
run = "echo never >>src/a; echo never >>src/c"

[[step]]
id = "blk"
isolate = "worktree"
[[step.step]]
id = "do"
scope = ["src/a", "src/b"]
run = "echo blk >>src/a; echo blk >>src/b"

[[step]]
id = "go"
ask = "Go on?"
"#;

#[test]
fn what_comes_back_from_a_copy_comes_in_another_clone_upon_what_was_done_before_and_no_more() {
    for is_killed in [true, false] {
        let env = TestEnvironment::new();
        let hub = Hub::new(&env, Way::File);
        let (_, [one, two]) = scene(&env, &hub);
        for member in [&one, &two] {
            member.repo.write(".aio/workflows/flow.toml", ON_COPIES);
            member.repo.ok(&["trust", "--yes", "--quiet"]);
        }
        let began = if is_killed { one.killed_at("put-back-1", &["run", "flow"]) } else { one.aio(&["run", "flow"]) };
        assert_eq!(began.code, if is_killed { 128 + 9 } else { 5 }, "{began:?}");
        if is_killed {
            heard_no_more(&one, &two)
        } else {
            heard(&one, &two)
        }
        let resumed = two.repo.aio(&["run", "resume", &run_of(&two), "--yes"]);
        assert!(resumed.code == 5 && resumed.stderr.contains("Go on?"), "{is_killed}: {resumed:?}");
        let files = ["src/a", "src/b", "src/c"].map(|path| read(&two, path));
        assert_eq!(files, ["first\nblk\n", "blk\n", ""], "{is_killed}");
    }
}

#[test]
fn what_is_another_here_is_told_and_left() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let (agents, [one, two]) = scene(&env, &hub);
    assert_eq!(one.aio(&["run", "flow"]).code, 5);
    heard(&one, &two);
    let id = run_of(&two);
    two.repo.write("src/main.rs", "mine\n");
    two.repo.write(".aio/workflows/flow.toml", &FLOW.replace("Go on?", "Really?"));
    two.repo.ok(&["trust", "--yes", "--quiet"]);
    let refused = two.repo.aio(&["run", "resume", &id, "--yes"]);
    assert!(refused.code == 3 && refused.stderr.contains("src/main.rs"), "{refused:?}");
    assert!(refused.stderr.contains("not what is approved here") && refused.stderr.contains("ask = \"Go on?\""));
    assert_eq!(read(&two, "src/main.rs"), "mine\n");
    two.repo.git(&["checkout", "-q", "--", "src/main.rs"]);
    let resumed = two.repo.aio(&["run", "resume", &id]);
    assert!(resumed.code == 5 && resumed.stderr.contains("Go on?"), "{resumed:?}");
    assert_eq!((read(&two, "src/main.rs"), agents.calls("claude").len()), ("first\n".into(), 1));
}

/// Rewrites a file of what a run said and did, as whoever may push to the hub can.
fn rewrite(member: &Member<'_>, id: &str, path: &str, text: &str) {
    let name = format!("refs/aio-local/runs/{id}");
    let index = member.repo.dir.join(".git/forged-index");
    let git = |args: &[&str], input: &str| {
        let mut git = member.repo.env.command("git", &member.repo.dir);
        git.args(args).env("GIT_INDEX_FILE", &index).stdin(Stdio::piped());
        let mut child = git.stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{args:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    let before = git(&["rev-parse", &name], "");
    git(&["read-tree", &before], "");
    let blob = git(&["hash-object", "-w", "--stdin"], text);
    git(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{path}")], "");
    let tree = git(&["write-tree"], "");
    let message = git(&["log", "-1", "--format=%B", &before], "");
    let new = git(&["commit-tree", &tree, "-p", &before], &message);
    git(&["update-ref", &name, &new], "");
    fs::remove_file(&index).unwrap();
}

/// A workflow that waits in one clone, with what came of it rewritten there; what another clone says of going on with it.
fn offered(flow: &str, words: &[&str], forge: impl Fn(&Member<'_>, &str)) -> (Ended, Vec<String>) {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let (_, [one, two]) = scene(&env, &hub);
    for member in [&one, &two] {
        member.repo.write(".aio/workflows/flow.toml", flow);
        member.repo.write(".aio/workflows/more.md", "More.");
        member.repo.ok(&["trust", "--yes", "--quiet"]);
    }
    let waits = one.aio(words);
    assert_eq!(waits.code, 5, "{waits:?}");
    let id = run_of(&one);
    forge(&one, &id);
    heard(&one, &two);
    let told = two.repo.aio(&["run", "resume", &id]);
    assert_eq!(told.code, 3, "nobody has said yes: {told:?}");
    let asked = two.repo.aio(&["run", "resume", &id, "--json"]);
    let answer: Value = serde_json::from_str(&asked.stdout).unwrap_or_else(|error| panic!("{error}: {asked:?}"));
    assert_eq!((asked.code, &answer["error"]["kind"]), (3, &"not-allowed".into()), "{answer:#}");
    let shown: Value = serde_json::from_str(&two.ok(&["--json", "run", "show", &id])).unwrap();
    assert_eq!(shown["run"]["elsewhere"], true);
    let lines = told.stderr.lines().map(str::to_owned).collect();
    (told, lines)
}

const WAITS: &str = r#"
[[step]]
id = "go"
ask = "Go on?"
"#;

#[test]
fn a_workflow_is_shown_to_its_last_line_or_not_gone_on_with() {
    let padded =
        |lines: usize| format!("{}{WAITS}\n[[step]]\nid = \"last\"\nrun = \"echo owned\"\n", "#\n".repeat(lines));
    for (lines, is_shown) in [(40_000, true), (150_000, false)] {
        let (told, shown) = offered(FLOW, &["run", "flow"], |one, id| {
            let spec = one.repo.git(&["show", &format!("refs/aio-local/runs/{id}:spec/workflow.json")]);
            let mut spec: Value = serde_json::from_str(&spec).unwrap();
            spec["texts"]["workflows"]["flow"][1] = padded(lines).into();
            rewrite(one, id, "spec/workflow.json", &spec.to_string());
        });
        assert_eq!(shown.iter().any(|line| line.contains("run = \"echo owned\"")), is_shown);
        assert_eq!(told.stderr.contains("are the most to be shown"), !is_shown);
    }
}

#[test]
fn inputs_and_what_was_said_over_there_are_shown_in_full() {
    let flow = format!(
        "[inputs]\ncmds = []\nnote = \"\"\n\n[[step]]\nid = \"say\"\nagent = \"claude\"\nverify = []\n\
         prompt = \"Second edit\"\nscope = [\"src/other.rs\"]\n\n\
         [[step]]\nid = \"c\"\nfor_each = \"inputs.cmds\"\n[[step.step]]\nid = \"ask\"\nask = \"Now?\"\n\
         [[step.step]]\nid = \"do\"\nrun = \"sh -c {{{{ item }}}}; sh -c {{{{ steps.say.out }}}}\"\n{WAITS}"
    );
    let note = format!("note={}touch far", "x".repeat(500));
    let (told, shown) = offered(&flow, &["run", "flow", "-i", "cmds=echo mild", "-i", &note], |one, id| {
        rewrite(one, id, "items/c.json", "[\"touch owned\\rmild\"]");
        let result = one.repo.git(&["show", &format!("refs/aio-local/runs/{id}:result/say.json")]);
        let mut result: Value = serde_json::from_str(&result).unwrap();
        result["out"] = "fine\n\u{1b}[2Jtouch said".into();
        rewrite(one, id, "result/say.json", &result.to_string());
        rewrite(one, id, "answer/go.json", "{\"text\": \"touch answered\"}");
    });
    for words in ["echo mild", "touch far", "touch owned", "touch said", "touch answered", "src/other.rs"] {
        assert!(shown.iter().any(|line| line.contains(words)), "{words}: {}", told.stderr);
    }
    assert!(!told.stderr.contains('\u{1b}') && !told.stderr.contains('\r'), "{told:?}");
}

#[test]
fn details_of_the_event_are_shown() {
    let flow = format!("on = [\"deployed\"]\n{WAITS}");
    let (told, _) = offered(&flow, &["run", "flow"], |one, id| {
        let spec = one.repo.git(&["show", &format!("refs/aio-local/runs/{id}:spec/workflow.json")]);
        let mut spec: Value = serde_json::from_str(&spec).unwrap();
        spec["order"]["event"] = serde_json::json!(["deployed", { "cmd": "touch detailed" }]);
        spec["order"]["consents"] = true.into();
        rewrite(one, id, "spec/workflow.json", &spec.to_string());
    });
    assert!(told.stderr.contains("deployed") && told.stderr.contains("touch detailed"), "{told:?}");
    assert!(told.stderr.contains("seems to be checked by"), "{told:?}");
}

#[test]
fn what_nobody_has_approved_is_shown_with_all_that_it_includes() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let (_, [one, two]) = scene(&env, &hub);
    for member in [&one, &two] {
        member.repo.write(
            ".aio/workflows/flow.toml",
            &format!("{WAITS}\n[[step]]\nid = \"t\"\nprompt = '{{% include \"more.md\" %}}'\n"),
        );
        member.repo.write(".aio/workflows/more.md", "Do what nobody has seen.");
    }
    one.repo.ok(&["trust", "--yes", "--quiet"]);
    assert_eq!(one.aio(&["run", "flow"]).code, 5);
    heard(&one, &two);
    let told = two.repo.aio(&["run", "resume", &run_of(&two)]);
    assert!(told.code == 3 && told.stderr.contains("Do what nobody has seen."), "{told:?}");
}

#[test]
fn what_somebody_holds_here_is_not_written() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let (agents, [one, two]) = scene(&env, &hub);
    assert_eq!(one.aio(&["run", "flow"]).code, 5);
    heard(&one, &two);
    let before = ["src/main.rs", "src/new.rs"].map(|path| read(&two, path));
    two.ok(&["claim", "src/new.rs"]);
    let id = run_of(&two);
    let held = two.repo.aio(&["run", "resume", &id, "--yes"]);
    assert!(held.code == 3 && held.stderr.contains("src/new.rs") && held.stderr.contains(&two.me), "{held:?}");
    assert_eq!(["src/main.rs", "src/new.rs"].map(|path| read(&two, path)), before, "nothing was written");
    two.ok(&["release", "all"]);
    let resumed = two.repo.aio(&["run", "resume", &id]);
    assert_eq!(resumed.code, 5, "{resumed:?}");
    assert_eq!((read(&two, "src/main.rs"), read(&two, "src/new.rs")), ("first\n".into(), "new\n".into()));
    assert_eq!(agents.calls("claude").len(), 1);
    let free = two.ok(&["check", "src/new.rs"]);
    assert!(!free.contains(&two.me), "what brought the files holds them no longer: {free}");
}

#[test]
fn what_a_run_holds_as_a_whole_goes_over_with_it() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let (_, [one, two]) = scene(&env, &hub);
    for member in [&one, &two] {
        // It waits, and its clone is there.
        member.repo.git(&["config", "aio.staleElsewhere", "1h"]);
        member.repo.write(".aio/workflows/flow.toml", &format!("scope = [\"src/**\"]\n{FLOW}"));
        member.repo.ok(&["trust", "--yes", "--quiet"]);
    }
    assert_eq!(one.aio(&["run", "flow"]).code, 5);
    heard(&one, &two);
    assert_eq!(two.aio(&["claim", "src/main.rs"]).code, 3, "the run holds it");
    let id = run_of(&two);
    let resumed = two.repo.aio(&["run", "resume", &id, "--yes"]);
    assert_eq!(resumed.code, 5, "{resumed:?}");
    assert_eq!(read(&two, "src/main.rs"), "first\n");
    assert_eq!(two.aio(&["claim", "src/main.rs"]).code, 3, "the run holds it still");
    heard(&two, &one);
    assert_eq!(one.aio(&["claim", "src/main.rs"]).code, 3, "over there, too");
    two.repo.ok(&["run", "answer", &id, "yes"]);
    let ended = two.repo.aio(&["run", "resume", &id]);
    assert_eq!((ended.code, &ended.stdout[..]), (0, "done\n"), "{ended:?}");
    heard(&two, &one);
    one.ok(&["claim", "src/main.rs"]);
}
