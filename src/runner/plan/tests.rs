use super::*;
use crate::runner::language::tests::loaded;
use std::fmt::Write;

#[test]
fn who_writes_alone_works_here_and_who_does_not_gets_a_tree() {
    let text = "
[[step]]
id = 'a'
prompt = 'x'
scope = ['a']
[[step]]
id = 'b'
prompt = 'x'
scope = ['b']
[[step]]
id = 'c'
needs = ['a']
prompt = 'x'
scope = ['c']
[[step]]
id = 'd'
prompt = 'x'
scope = ['d']
isolate = 'worktree'
[[step]]
id = 'e'
for_each = [1, 2]
prompt = 'x'
scope = ['{{ item }}']
[[step]]
id = 'f'
prompt = 'x'
scope = ['f']
";
    let plan = plan(&loaded(text)).expect("a plan");
    let trees: Vec<_> =
        plan.steps.iter().map(|step| (&step.place[..], step.isolation == Some(Isolation::Worktree))).collect();
    assert_eq!(trees, [("a", false), ("b", true), ("c", true), ("d", true), ("e", true), ("f", false)]);
    assert_eq!(plan.steps[3].needs, ["b", "c"]);
    assert_eq!(plan.to_string().lines().next(), Some("flow: 6 steps, at most 8 at once, 4 worktrees"));
}

#[test]
fn two_that_may_run_together_do_not_save_one_file() {
    let saves = |second: &str| {
        let text = format!("[[step]]\nid = 'a'\nrun = 'x'\nsave = 'out.md'\n[[step]]\nid = 'b'\nrun = 'x'\n{second}\n");
        plan(&loaded(&text)).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(saves("save = 'out.md'"), Ok(()));
    assert_eq!(
        saves("save = 'out.md'\nneeds = []"),
        Err("flow.toml:5:1: a and b may run together, and both save out.md".into())
    );
    assert_eq!(saves("save = 'other.md'\nneeds = []"), Ok(()));
    assert_eq!(
        saves("save = 'other.md'\nfor_each = [1]"),
        Err("flow.toml:5:1: all items of b would be saved to other.md".into())
    );
    assert_eq!(saves("save = '{{ item }}.md'\nfor_each = [1]"), Ok(()));
}

#[test]
fn a_thousand_steps_are_planned() {
    let mut text = String::new();
    for step in 0..1000 {
        let _ = writeln!(text, "[[step]]\nid = 's{step}'\nprompt = 'Do {{{{ run.id }}}}'\nscope = ['src/{step}/**']");
        if step > 0 {
            let _ = writeln!(text, "stdin = '{{{{ steps.s{}.out }}}}'", step - 1);
        }
    }
    let plan = plan(&loaded(&text)).expect("a plan");
    assert_eq!((plan.len(), plan.worktrees()), (1000, 0));
    assert_eq!(plan.steps[999].needs, ["s998"]);
}

#[test]
fn what_is_done_on_a_copy_waits_for_no_answer() {
    let block = |inner: &str| {
        let text = format!("[[step]]\nid = 'a'\nisolate = 'worktree'\n[[step.step]]\nid = 'b'\n{inner}\n");
        plan(&loaded(&text)).map(|plan| plan.to_string()).map_err(|error| error.to_string())
    };
    assert!(block("prompt = 'x'\nscope = ['src']").is_ok_and(|plan| plan.contains("a  together; on a copy")));
    assert_eq!(block("ask = 'x'"), Err("flow.toml:1:1: the block a works on a copy, and the step b in it asks".into()));
    assert!(block("prompt = 'x'\nagent = ['codex', 'caller']").is_err());
}
