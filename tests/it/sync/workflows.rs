//! Workflows that another clone goes on with: their steps' results travel with `aio.syncRuns=full`, and so do the files that
//! they have changed.

use crate::{
    env::TestEnvironment,
    fake::{Agents, Do},
    hub::{Hub, Member, Way},
};
use serde_json::Value;
use std::fs;

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
    one.sync();
    two.sync();
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
    two.sync();
    one.sync();
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
    one.sync();
    two.sync();
    let id = run_of(&two);
    // It has to be seen that no more comes.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    one.sync();
    two.sync();
    let resumed = two.repo.aio(&["run", "resume", &id, "--yes"]);
    assert_eq!((resumed.code, &resumed.stdout[..]), (0, "done\n"), "{resumed:?}");
    let asked: Vec<String> = agents.calls("claude").into_iter().map(|call| call.prompt).collect();
    let count = |words: &str| asked.iter().filter(|prompt| prompt.contains(words)).count();
    assert_eq!((count("First edit"), count("Think"), count("Second edit after thought")), (1, 2, 1), "{asked:#?}");
    let files = ["src/main.rs", "src/new.rs", "src/other.rs"].map(|path| read(&two, path));
    assert_eq!(files, ["first\n", "new\n", "second\n"]);
}

#[test]
fn what_is_another_here_is_told_and_left() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let (agents, [one, two]) = scene(&env, &hub);
    assert_eq!(one.aio(&["run", "flow"]).code, 5);
    one.sync();
    two.sync();
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
