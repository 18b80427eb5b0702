//! Blocks on a copy that were done again, of runs that another clone takes over.

use crate::{
    env::TestEnvironment,
    hub::{Hub, Member, Way},
};
use std::fs;

/// A block on a copy whose step runs this, and a question after it.
fn flow(line: &str) -> String {
    format!(
        r#"
[[step]]
id = "blk"
isolate = "worktree"
[[step.step]]
id = "do"
scope = ["src/a", "src/b", "src/c"]
run = "{line}"

[[step]]
id = "go"
ask = "Go on?"
"#
    )
}

fn write_flow(member: &Member<'_>, line: &str) {
    member.repo.write(".aio/workflows/flow.toml", &flow(line));
    member.repo.ok(&["trust", "--yes", "--quiet"]);
}

fn files(member: &Member<'_>) -> [String; 3] {
    ["src/a", "src/b", "src/c"].map(|path| fs::read_to_string(member.repo.dir.join(path)).unwrap_or_default())
}

/// A run that waits in the first clone after its block has been done by each of these lines, and is then taken over by the
/// second: the files of both.
fn taken_over_after(lines: &[(&str, i32)]) -> [[String; 3]; 2] {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let members = hub.two_in_step();
    for member in &members {
        member.repo.git(&["config", "aio.syncRuns", "full"]);
        member.repo.git(&["config", "aio.staleElsewhere", "0s"]);
        write_flow(member, "true");
    }
    let [one, two] = members;
    let mut run = String::new();
    for (at, (line, code)) in lines.iter().enumerate() {
        write_flow(&one, line);
        let did = match at {
            0 => one.aio(&["run", "flow"]),
            _ => one.aio(&["run", "resume", &run, "--updated"]),
        };
        assert_eq!(did.code, *code, "{did:?}");
        let names = one.repo.git(&["for-each-ref", "--format=%(refname:lstrip=3)", "refs/aio/runs/"]);
        run = names.trim().to_owned();
    }
    one.sync();
    two.sync();
    let resumed = two.repo.aio(&["run", "resume", &run, "--yes"]);
    assert_eq!(resumed.code, 5, "{resumed:?}");
    [files(&one), files(&two)]
}

#[test]
fn all_that_came_back_comes_over_however_often_the_block_was_done() {
    let done = taken_over_after(&[
        ("echo one >>src/a; echo one >>src/b", 5),
        ("echo two >>src/a; echo two >>src/c", 5),
        ("echo three >>src/c", 5),
    ]);
    let expected = ["one\ntwo\n", "one\n", "two\nthree\n"].map(str::to_owned);
    assert_eq!(done, [expected.clone(), expected]);
}
