//! What a prompt says of the attempt that it is for, and of the one before.

use super::*;

const FLOW: &str = "about = \"x\"\n[[step]]\nid = \"a\"\nagent = [\"codex\", \"claude\"]\nscope = [\"src/**\"]\nretry = 1\nprompt = '''\n\
                    Try {{ attempt }}.{% if failure %} What went wrong before:\n{{ failure | fence }}{% endif %}'''\n";

#[test]
fn a_prompt_is_told_anew_for_each_attempt() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[("flow", FLOW)]);
    agents.plays("codex", &[Do::Error("too busy for {{ run.id }}")]);
    agents.plays("codex", &[Do::Edit("src/main.rs", "BROKEN\n"), Do::Say("Done.")]);
    agents.plays("claude", &[Do::Edit("src/main.rs", "fine\n"), Do::Say("Done.")]);
    let (told, code) = told(&repo, &["flow"]);
    assert_eq!((code, status(&told)), (0, "complete"), "{told:#}");
    let prompts: Vec<String> =
        ["codex", "claude"].iter().flat_map(|name| agents.calls(name)).map(|call| call.prompt).collect();
    let [first, second, third] = &prompts[..] else { panic!("{prompts:?}") };
    assert!(first.contains("\nTry 1.\n") && !first.contains("went wrong"), "{first}");
    assert!(second.contains("Try 2. What went wrong before:\n```\n"), "{second}");
    assert!(second.contains("too busy for {{ run.id }}") && !second.contains("An attempt before"), "{second}");
    assert!(third.contains("Try 3. What went wrong before:") && third.contains("src/main.rs:1:BROKEN"), "{third}");
    assert_free(&repo);
}

#[test]
fn a_failure_that_a_prompt_says_nothing_of_is_told_after_it() {
    let env = TestEnvironment::new();
    let flow =
        FLOW.replace("{{ failure | fence }}", "{{ attempt - 1 }}").replace("{% if failure %}", "{% if attempt > 1 %}");
    let (agents, repo) = place(&env, &[("flow", &flow)]);
    agents.plays("codex", &[Do::Error("too busy")]);
    agents.plays("codex", &[Do::Say("Done.")]);
    let (_, code) = told(&repo, &["flow"]);
    let prompt = &agents.calls("codex")[1].prompt;
    assert!(code == 0 && prompt.contains("What went wrong before:\n1") && prompt.contains("too busy"), "{prompt}");
}

#[test]
fn what_is_done_again_after_it_was_undone_is_undone_again() {
    let flow = "about = \"x\"\n[[step]]\nid = \"a\"\nrun = \"echo a >>../log\"\ncompensate = { run = \"echo undo a >>../log\" }\n\
                [[step]]\nid = \"b\"\nrun = \"test -e ../there\"\n[[step]]\nid = \"c\"\nask = \"Go on?\"\n\
                [[step]]\nid = \"d\"\nrun = \"exit 1\"\n";
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("flow", flow)]);
    assert_eq!(repo.aio(&["run", "flow"]).code, 6);
    fs::write(repo.dir.join("../there"), "").unwrap();
    assert_eq!(repo.aio(&["run", "retry", "a"]).code, 5);
    let id = repo.ok(&["run", "list"]).split_whitespace().nth(1).unwrap().to_owned();
    repo.ok(&["run", "answer", &id, "yes"]);
    assert_eq!(repo.aio(&["run", "resume"]).code, 6);
    assert_eq!(lines(&repo.dir.join("../log")), ["a", "undo a", "a", "undo a"]);
}

#[test]
fn what_was_undone_is_done_again_when_the_workflow_is_read_anew() {
    let flow = "about = \"x\"\n[[step]]\nid = \"a\"\nrun = \"echo a >>../log\"\ncompensate = { run = \"echo undo a >>../log\" }\n\
                [[step]]\nid = \"b\"\nrun = \"exit 1\"\n[[step]]\nid = \"c\"\nask = \"Go on?\"\n\
                [[step]]\nid = \"d\"\nrun = \"exit 1\"\n";
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("flow", flow)]);
    assert_eq!(repo.aio(&["run", "flow"]).code, 6);
    repo.write(".aio/workflows/flow.toml", &flow.replacen("exit 1", "exit 0", 1));
    repo.ok(&["trust", "--yes", "--quiet"]);
    let waits = repo.aio(&["run", "resume", "--updated"]);
    assert_eq!(waits.code, 5, "{waits:?}");
    assert_eq!(lines(&repo.dir.join("../log")), ["a", "undo a", "a"]);
    repo.ok(&["run", "answer", "/c", "yes"]);
    assert_eq!(repo.aio(&["run", "resume"]).code, 6);
    assert_eq!(lines(&repo.dir.join("../log")), ["a", "undo a", "a", "undo a"]);
}
