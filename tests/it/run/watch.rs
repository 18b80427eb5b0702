//! Files that change are told as an event, as long as somebody watches.

use super::*;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::File,
    os::unix::{ffi::OsStrExt as _, process::ExitStatusExt as _},
    path::PathBuf,
    process::Child,
};

/// A handler that keeps what it is told, a line each.
const TELLS: &str = "about = \"x\"\non = [\"file_changed\"]\n[[step]]\nid = \"a\"\nrun = \"printf '%s\\\\n' {{ event.details }} >>../kept\"\n";

/// A watch that goes on. It is killed with the value, whatever becomes of the test.
struct Watching {
    child: Child,
    said: PathBuf,
}

impl Watching {
    fn begin(repo: &Repo<'_>, args: &[&str]) -> Watching {
        let said = repo.env.path().join(format!("said {}", args.join(" ").replace('/', "_")));
        let file = File::create(&said).unwrap();
        let mut command = repo.command(&[&["watch-files", "--debounce", "50ms"], args].concat());
        let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        let watching = Watching { child, said };
        wait_for("the watch", || watching.said().contains("Ctrl-C ends it"));
        watching
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap()
    }

    /// Ctrl-C, and how it ends then.
    fn interrupted(mut self) -> (i32, String) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        let status = self.child.wait().unwrap();
        (status.code().unwrap_or_else(|| 128 + status.signal().unwrap()), self.said())
    }

    /// How it ends by itself, once it has said why.
    fn ended(mut self, why: &str) -> (i32, String) {
        wait_for(why, || self.said().contains(why));
        (self.child.wait().unwrap().code().unwrap(), self.said())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was told so far, each time.
fn told_of(repo: &Repo<'_>) -> Vec<Value> {
    let is_whole = |line: &String| line.ends_with('}');
    let kept = lines(&repo.dir.join("../kept"));
    kept.iter().filter(|line| is_whole(line)).map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn paths(repo: &Repo<'_>) -> BTreeSet<String> {
    let paths = |told: &Value| {
        assert_eq!(told["count"].as_u64().unwrap() as usize, told["paths"].as_array().unwrap().len());
        told["paths"].as_array().unwrap().iter().map(|path| path.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    told_of(repo).iter().flat_map(paths).collect()
}

/// Waits till it was told of the last thing that is done, and tells what was told up to there.
fn told_up_to_now(repo: &Repo<'_>, number: u32) -> BTreeSet<String> {
    let last = format!("last {number}");
    repo.write(&last, "x");
    wait_for(&last, || paths(repo).contains(&last));
    let mut all = paths(repo);
    all.retain(|path| !path.starts_with("last "));
    all
}

fn set(paths: &[&str]) -> BTreeSet<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

#[test]
fn changes_are_told_together_and_what_git_ignores_is_none() {
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("tells", TELLS)]);
    repo.write(".gitignore", "target/\n*.log\n");
    let ended = repo.aio(&["watch-files"]);
    assert_eq!((ended.code, &ended.stdout[..]), (8, ""), "{ended:?}");
    assert!(ended.stderr.starts_with("error: No handler for event: file_changed\n"), "{ended:?}");
    repo.ok(&["workflow", "enable", "tells"]);
    assert_eq!(repo.aio(&["watch-files", "--path", "../elsewhere"]).code, 2);

    let watching = Watching::begin(&repo, &[]);
    repo.write("target/x", "x");
    repo.write("src/x.log", "x");
    repo.write("src/auth/login.rs", "changed\n");
    repo.write("new/folder/a\nb", "x");
    fs::write(repo.dir.join(OsStr::from_bytes(b"odd \xff name")), "x").unwrap();
    fs::remove_file(repo.dir.join("README.md")).unwrap();
    let wanted = set(&["README.md", "new/folder/a\nb", "odd %FF name", "src/auth/login.rs"]);
    assert_eq!(told_up_to_now(&repo, 1), wanted);
    assert!(told_of(&repo).len() <= 5, "not each by itself: {:?}", told_of(&repo));
    repo.write("new/folder/again", "x");
    assert!(told_up_to_now(&repo, 2).contains("new/folder/again"));
    let (code, said) = watching.interrupted();
    assert!(code == 130 && said.contains("file_changed: ") && !said.contains("error"), "{code}: {said}");
    assert_free(&repo);

    let before = told_of(&repo).len();
    let watching = Watching::begin(&repo, &["--path", "src/", "--path", "last 3", "--jsonl"]);
    assert!(watching.said().contains("watching 3 folders"), "{}", watching.said());
    repo.write("docs/x", "x");
    repo.write("src/main.rs", "changed\n");
    wait_for("the change", || told_of(&repo)[before..].iter().any(|told| told.to_string().contains("src/main.rs")));
    told_up_to_now(&repo, 3);
    assert!(!told_of(&repo)[before..].iter().any(|told| told.to_string().contains("docs/x")));
    assert_eq!(watching.interrupted().0, 130);
}

#[test]
fn what_runs_change_is_told_to_nobody_and_what_others_change_meanwhile_is_told_after_them() {
    let flow = "about = \"x\"\non = [\"file_changed\"]\n[[step]]\nid = \"note\"\nrun = \"printf '%s\\\\n' {{ event.details }} >>../kept\"\n\
                [[step]]\nid = \"fix\"\nagent = \"claude\"\nscope = [\"src/**\"]\nisolate = \"worktree\"\nverify = []\nprompt = \"Fix it\"\n\
                [[step]]\nid = \"say\"\nagent = \"claude\"\nprompt = \"Say it\"\nsave = \"said.md\"\n";
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[("flow", flow)]);
    let outside = |name: &str| env.path().join(name);
    let [at_work, go] = ["at-work", "go"].map(|name| outside(name).display().to_string());
    agents.plays_when(
        "claude",
        "Fix it",
        &[
            Do::Edit("src/main.rs", "fixed\n"),
            Do::Run(&format!("echo x >>src/new.rs; touch '{at_work}'")),
            Do::WaitFor(&go),
            Do::Say("Fixed."),
        ],
    );
    agents.plays_when("claude", "Fix it", &[Do::Run("echo y >>src/new.rs"), Do::Say("Fixed.")]);
    agents.plays_when("claude", "Say it", &[Do::Say("It is said.")]);
    agents.plays_when("claude", "Delegated", &[Do::Run("echo z >>src/main.rs; echo z >src/two.rs"), Do::Say("Done.")]);
    repo.ok(&["workflow", "enable", "flow"]);
    let watching = Watching::begin(&repo, &[]);
    repo.write("README.md", "broken\n");
    wait_for("the agent", || outside("at-work").exists());
    // What nobody has claimed would be taken for the agent's own.
    let codex = repo.register("codex");
    repo.ok_as(&codex, &["claim", "docs/"]);
    repo.write("docs/mine.md", "mine\n");
    assert_eq!(told_of(&repo).len(), 1, "one at a time");
    fs::write(outside("go"), "").unwrap();
    wait_for("what was changed meanwhile", || told_of(&repo).len() == 2);
    assert_eq!(paths(&repo), set(&["README.md", "docs/mine.md"]));
    wait_for("its end", || lines(&repo.dir.join("src/new.rs")) == ["x", "y"]);
    assert_eq!(lines(&repo.dir.join("said.md")), ["It is said."]);
    wait_for("nobody at work", || !repo.ok(&["run", "list"]).contains("running"));
    repo.ok(&["delegate", "--agent", "claude", "--scope", "src/", "--verify", "true", "Delegated"]);
    assert_eq!(told_up_to_now(&repo, 1), set(&["README.md", "docs/mine.md"]), "{}", watching.said());
    assert_eq!(lines(&repo.dir.join("src/two.rs")), ["z"]);
    assert_eq!(watching.interrupted().0, 130);
    repo.ok_as(&codex, &["unregister"]);
    assert_free(&repo);
}

#[test]
fn a_handler_that_changes_files_unseen_does_not_go_round_without_end() {
    for (line, named) in [("echo x >>history.txt", "history.txt: "), ("echo x >log-$(wc -l <../count)", "log-")] {
        let flow = format!(
            "about = \"x\"\non = [\"file_changed\"]\n[[step]]\nid = \"a\"\nrun = \"echo {{{{ event.details }}}} >>../count; {line}\"\n"
        );
        let env = TestEnvironment::new();
        let (_, repo) = place(&env, &[("flow", &flow)]);
        repo.ok(&["workflow", "enable", "flow"]);
        let watching = Watching::begin(&repo, &[]);
        repo.write("src/main.rs", "changed\n");
        wait_for("the warning", || watching.said().contains("nothing else changes than while a change is handled"));
        assert!(watching.said().lines().any(|line| line.contains(named) && line.contains("kept back")));
        let told = || lines(&repo.dir.join("../count"));
        let before = told().len();
        assert!((3..10).contains(&before), "{before}");
        repo.write("src/main.rs", "again\n");
        wait_for("another change", || told().len() > before);
        assert!(told()[before].contains(named.trim_end_matches(": ")), "with what was kept back: {:?}", told());
        assert_eq!(watching.interrupted().0, 130);
    }
}

#[test]
fn an_interrupt_ends_what_is_handled_too() {
    let flow = "about = \"x\"\non = [\"file_changed\"]\n[[step]]\nid = \"a\"\nagent = \"claude\"\nprompt = \"Look\"\n";
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[("flow", flow)]);
    agents.plays("claude", &[Do::Stall]);
    repo.ok(&["workflow", "enable", "flow"]);
    let watching = Watching::begin(&repo, &[]);
    repo.write("src/main.rs", "changed\n");
    wait_for("the agent", || agents.calls("claude").len() == 1);
    let pid = Pid::from_raw(agents.calls("claude")[0].pid.try_into().unwrap()).unwrap();
    let (code, said) = watching.interrupted();
    assert!(code == 130 && said.contains("git aio run resume flow-"), "{code}: {said}");
    assert!(rustix::process::test_kill_process(pid).is_err(), "the agent is gone");
    assert!(repo.ok(&["run", "list"]).starts_with("interrupted "));
    assert_free(&repo);
}

#[test]
fn a_handler_that_fails_ends_nothing_and_one_that_is_disabled_ends_the_watch() {
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("tells", &format!("{TELLS}[[step]]\nid = \"b\"\nrun = \"exit 3\"\n"))]);
    repo.ok(&["workflow", "enable", "tells"]);
    let watching = Watching::begin(&repo, &[]);
    told_up_to_now(&repo, 1);
    repo.write("src/main.rs", "changed\n");
    assert!(told_up_to_now(&repo, 2).contains("src/main.rs"), "{}", watching.said());
    repo.ok(&["workflow", "disable", "tells"]);
    repo.write("src/main.rs", "again\n");
    let (code, said) = watching.ended("error: No handler for event: file_changed\n");
    assert_eq!(code, 8, "{said}");
}

#[test]
fn a_handler_that_has_changed_is_named_and_the_watch_goes_on_till_it_is_enabled_again() {
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("tells", TELLS)]);
    repo.ok(&["workflow", "enable", "tells"]);
    let watching = Watching::begin(&repo, &["--path", "src"]);
    let says = |words: &str| watching.said().matches(words).count();
    repo.write(".aio/workflows/tells.toml", &format!("{TELLS}[[step]]\nid = \"b\"\nrun = \"true\"\n"));
    repo.write("src/one", "x");
    wait_for("the word", || says("tells is not started: ") == 1);
    assert!(says("is not approved; a person approves it by `git aio trust`, and then enables it as it is now") == 1);
    repo.ok(&["trust", "--yes", "--quiet"]);
    repo.write("src/two", "x");
    wait_for("the other word", || says("it has changed since it was enabled") == 1);
    repo.ok(&["workflow", "enable", "tells"]);
    repo.write("src/three", "x");
    wait_for("the change", || paths(&repo).contains("src/three"));
    assert_eq!((watching.interrupted().0, paths(&repo).contains("src/one")), (130, false));
}

#[test]
fn a_linked_work_tree_is_watched_by_itself() {
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("tells", TELLS)]);
    repo.ok(&["workflow", "enable", "tells"]);
    let dir = env.path().join("linked");
    repo.git(&["worktree", "add", "-q", dir.to_str().unwrap()]);
    let linked = Repo { env: &env, dir };
    let watching = Watching::begin(&linked, &[]);
    repo.write("src/main.rs", "there\n");
    linked.write("src/auth/login.rs", "here\n");
    assert_eq!(told_up_to_now(&linked, 1), set(&["src/auth/login.rs"]), "{}", watching.said());
    assert_eq!(watching.interrupted().0, 130);
}

#[test]
fn what_others_change_where_a_run_waits_that_holds_it_is_told() {
    let flow = "about = \"x\"\nscope = [\"src/**\"]\n[[step]]\nid = \"go\"\nask = \"Go on?\"\n";
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("tells", TELLS), ("flow", flow)]);
    repo.ok(&["workflow", "enable", "tells"]);
    assert_eq!(repo.aio(&["run", "flow"]).code, 5);
    let watching = Watching::begin(&repo, &[]);
    repo.write("src/main.rs", "changed\n");
    assert_eq!(told_up_to_now(&repo, 1), set(&["src/main.rs"]));
    assert_eq!(watching.interrupted().0, 130);
}

#[test]
fn a_configuration_that_can_not_be_read_for_a_while_ends_no_watch_and_what_is_gone_is_to_be_disabled() {
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("tells", TELLS)]);
    repo.ok(&["workflow", "enable", "tells"]);
    let watching = Watching::begin(&repo, &["--path", "src"]);
    let config = fs::read_to_string(repo.dir.join(".aio/config.toml")).unwrap();
    repo.write(".aio/config.toml", "[verify\n");
    repo.write("src/one", "x");
    wait_for("the word", || watching.said().contains("what has changed is not told: "));
    repo.write(".aio/config.toml", &config);
    repo.write("src/two", "x");
    wait_for("the change", || paths(&repo).contains("src/two"));
    fs::remove_file(repo.dir.join(".aio/workflows/tells.toml")).unwrap();
    repo.write("src/three", "x");
    wait_for("the way on", || watching.said().contains("by `git aio workflow disable tells`"));
    assert!(!watching.said().contains("workflow enable tells`"), "{}", watching.said());
    assert_eq!(watching.interrupted().0, 130);
}
