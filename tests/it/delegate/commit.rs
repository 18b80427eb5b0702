//! Committing what was done, and nothing else.

use super::*;
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, Stdio};

const ARGS: &[&str] = &["--agent", "claude", "--scope", "src/auth/", "--commit", "--retry", "0"];

const WORK: &[Do<'_>] = &[
    Do::Edit("src/auth/login.rs", "fn login() { true }\n"),
    Do::Edit("src/auth/new.rs", "fn new() {}\n"),
    Do::Run("rm src/auth/token.rs"),
    Do::Say("Renamed the token."),
];

/// Something of the user's that is staged, something that is not, and something git doesn't know.
fn busy<'e>(env: &'e TestEnvironment) -> (Agents, Repo<'e>) {
    let (agents, repo) = checked(env);
    repo.write("src/main.rs", "fn main() { staged() }\n");
    repo.write("staged.txt", "staged\n");
    repo.git(&["add", "src/main.rs", "staged.txt"]);
    repo.write("README.md", "# changed\n");
    repo.write("untracked.txt", "mine\n");
    agents.plays("claude", WORK);
    (agents, repo)
}

/// How git tells of that, when nothing else is changed.
const BUSY: &str = " M README.md\nM  src/main.rs\nA  staged.txt\n?? untracked.txt\n";

fn status(repo: &Repo<'_>) -> String {
    repo.git(&["status", "--porcelain", "--untracked-files=all"])
}

fn hook(repo: &Repo<'_>, script: &str) {
    let path = repo.dir.join(".git/hooks/pre-commit");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn exactly_the_scope_is_committed_and_the_hooks_run() {
    let env = TestEnvironment::new();
    let (_agents, repo) = busy(&env);
    hook(&repo, "git diff --cached --name-status HEAD >.git/seen; echo \"$AIO_INSTANCE\" >>.git/seen");
    let (told, code) = told(&repo, ARGS);
    assert_eq!((code, tries(&told)), (0, vec!["claude ok".to_owned()]), "{told:#}");
    let changes = "M\tsrc/auth/login.rs\nA\tsrc/auth/new.rs\nD\tsrc/auth/token.rs\n";
    assert_eq!(repo.git(&["show", "--format=", "--name-status", "--no-renames", "HEAD"]), changes);
    let message = repo.git(&["log", "-1", "--format=%B"]);
    assert!(message.starts_with("Fix the login.\n\nRenamed the token.\n\nAio-Run: delegation-"), "{message}");
    let instance = told["run"]["steps"][0]["tries"][0]["instance"].as_str().unwrap();
    assert_eq!(fs::read_to_string(repo.dir.join(".git/seen")).unwrap(), format!("{changes}{instance}\n"));
    assert_eq!(status(&repo), BUSY);
    assert_free(&repo);
}

#[test]
fn a_file_that_becomes_a_folder_and_a_folder_that_becomes_a_file_are_committed() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    repo.write("src/auth/kinds/one.rs", "1\n");
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-q", "-m", "kinds"]);
    repo.write("staged.txt", "staged\n");
    repo.git(&["add", "staged.txt"]);
    let work = "rm src/auth/token.rs; mkdir src/auth/token.rs; echo 2 >src/auth/token.rs/two; rm -r src/auth/kinds; echo 3 >src/auth/kinds";
    hook(&repo, "exit 1");
    agents.plays("claude", &[Do::Run(work), Do::Say("Turned.")]);
    let index = repo.git(&["ls-files", "--stage"]);
    let (refused, code) = told(&repo, ARGS);
    assert_eq!((code, tries(&refused)), (4, vec!["claude check".to_owned()]), "{refused:#}");
    assert_eq!(repo.git(&["ls-files", "--stage"]), index, "what a hook has refused leaves the index as it was");
    hook(&repo, "exit 0");
    agents.plays("claude", &[Do::Run(work), Do::Say("Turned.")]);
    let (told, code) = told(&repo, ARGS);
    assert_eq!((code, tries(&told)), (0, vec!["claude ok".to_owned()]), "{told:#}");
    let listed = repo.git(&["ls-tree", "-r", "--name-only", "HEAD", "src/auth"]);
    assert!(listed.contains("src/auth/kinds\n") && listed.contains("src/auth/token.rs/two\n"), "{listed}");
    assert_eq!(repo.git(&["status", "--porcelain", "--untracked-files=all"]), "A  staged.txt\n");
}

#[test]
fn who_has_locked_the_index_for_a_moment_is_waited_for() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", WORK);
    let lock = repo.dir.join(".git/index.lock");
    fs::write(&lock, "").unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            wait_for("the agent", || repo.dir.join("src/auth/new.rs").exists());
            thread::sleep(Duration::from_millis(500));
            fs::remove_file(&lock).unwrap();
        });
        let (told, code) = told(&repo, ARGS);
        assert_eq!((code, tries(&told)), (0, vec!["claude ok".to_owned()]), "{told:#}");
    });
}

#[test]
fn with_our_own_fences_too() {
    let env = TestEnvironment::new();
    let (_agents, repo) = busy(&env);
    repo.ok(&["init"]);
    let head = repo.git(&["rev-parse", "HEAD"]);
    let (told, code) = told(&repo, ARGS);
    assert_eq!(code, 0, "{told:#}");
    assert_eq!(repo.git(&["rev-parse", "HEAD~1"]), head);
    assert_free(&repo);
}

#[test]
fn a_hook_that_refuses_makes_it_fail_and_leaves_all_as_it_was() {
    let env = TestEnvironment::new();
    let (_agents, repo) = busy(&env);
    hook(&repo, "echo 'the ticket is missing' >&2; exit 1");
    repo.git(&["status", "--short"]);
    let before = snapshot(&repo);
    let (told, code) = told(&repo, ARGS);
    assert_eq!((code, tries(&told)), (4, vec!["claude check".to_owned()]), "{told:#}");
    assert!(told["run"]["steps"][0]["failure"]["text"].as_str().unwrap().contains("the ticket is missing"), "{told:#}");
    let after = snapshot(&repo);
    assert_eq!(after.files, before.files);
    let entries = |shot: &Snapshot| {
        shot.index.lines().filter(|line| !line.starts_with(' ')).map(str::to_owned).collect::<Vec<String>>()
    };
    assert_eq!((entries(&after), after.head), (entries(&before), before.head));
    assert_free(&repo);
}

#[test]
fn what_is_not_verified_is_not_committed_unless_that_was_said() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Run("echo BROKEN >>src/auth/login.rs"), Do::Say("Done.")]);
    let head = || repo.git(&["rev-parse", "HEAD"]);
    let first = head();
    let (broken, code) = told(&repo, ARGS);
    assert_eq!((code, head()), (4, first.clone()), "{broken:#}");
    let (unsaid, code) = told(&repo, &[ARGS, &["--verify", "@lint"]].concat());
    assert_eq!((code, &unsaid["verdict"], head()), (4, &"unverified".into(), first.clone()), "{unsaid:#}");
    let (said, code) = told(&repo, &[ARGS, &["--no-verify"]].concat());
    assert_eq!((code, &said["verdict"], head() == first), (4, &"unverified".into(), false), "{said:#}");
}

#[test]
fn nothing_changed_and_what_the_agent_committed_itself_are_no_reason_to_fail() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("claude", &[Do::Say("There was nothing to do.")]);
    let commits = || repo.git(&["rev-list", "--count", "HEAD"]).trim().to_owned();
    assert_eq!((told(&repo, ARGS).1, &commits()[..]), (0, "1"));
    agents.plays(
        "claude",
        &[Do::Edit("src/auth/new.rs", "x\n"), Do::Run("git add -A && git commit -qm mine"), Do::Say("Done.")],
    );
    assert_eq!((told(&repo, ARGS).1, &commits()[..]), (0, "2"));
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
}

/// A hook that puts all that is committed into capitals, files of the work tree among it.
const FORMATS: &str = "git diff --cached --name-only --diff-filter=AM HEAD | while read -r file; do\n\
                       tr a-z A-Z <\"$file\" >\"$file.new\" && mv \"$file.new\" \"$file\" && git add \"$file\"; done";

#[test]
fn what_a_hook_has_changed_on_the_way_is_not_staged_to_be_taken_back() {
    let env = TestEnvironment::new();
    let (_agents, repo) = busy(&env);
    hook(&repo, FORMATS);
    let (told, code) = told(&repo, ARGS);
    assert_eq!((code, tries(&told)), (0, vec!["claude ok".to_owned()]), "{told:#}");
    assert_eq!(repo.git(&["show", "HEAD:src/auth/login.rs"]), "FN LOGIN() { TRUE }\n");
    assert_eq!(status(&repo), BUSY);
}

#[test]
fn what_a_hook_has_changed_on_the_way_is_known_for_committed_after_a_kill() {
    let ways: [&[&str]; 2] = [&[], &["--isolate"]];
    for args in ways {
        let is_killed_once_committed = (6..).any(|write| {
            let env = TestEnvironment::new();
            let (agents, repo) = busy(&env);
            agents.plays("claude", &[Do::Exit(1)]);
            hook(&repo, FORMATS);
            let mut command = repo.command(&[&["delegate", "Fix the login."], ARGS, args].concat());
            let killed = run(command.env("AIO_TEST_KILL_AT", format!("run-before-{write}")));
            assert_eq!(killed.code, 128 + 9, "{write}: {killed:?}");
            if repo.git(&["rev-list", "--count", "HEAD"]).trim() == "1" {
                return false;
            }
            let resumed = repo.aio(&["run", "resume"]);
            assert_eq!((resumed.code, agents.calls("claude").len()), (0, 1), "{args:?}: {resumed:?}");
            assert_eq!(repo.git(&["rev-list", "--count", "HEAD"]).trim(), "2");
            assert_eq!(repo.git(&["show", "HEAD:src/auth/login.rs"]), "FN LOGIN() { TRUE }\n");
            assert_eq!(status(&repo), BUSY, "{args:?}");
            assert_free(&repo);
            true
        });
        assert!(is_killed_once_committed);
    }
}

/// Has the driver killed while its commit is at a hook, which goes on when there is `home/go`.
fn kill_at_hook(env: &TestEnvironment, repo: &Repo<'_>, agents: &Agents) {
    agents.plays("claude", WORK);
    hook(repo, &format!(": >\"$HOME/began\"; while ! test -e \"$HOME/go\"; do sleep 0.05; done\n{FORMATS}"));
    let mut command = repo.command(&[&["delegate", "Fix the login."], ARGS].concat());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("the hook", || exists(&env.path(), "home/began"));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Runs a command till it says that it waits for the hook.
fn waiting(env: &TestEnvironment, repo: &Repo<'_>, args: &[&str]) -> Child {
    let said = env.path().join("home/said");
    let to = fs::File::create(&said).unwrap();
    let child = repo.command(args).stdout(Stdio::null()).stderr(to).spawn().unwrap();
    wait_for("the word that it waits", || fs::read_to_string(&said).unwrap().contains("still at its hooks: waiting"));
    child
}

#[test]
fn a_commit_that_is_at_its_hook_when_the_driver_is_killed_is_waited_for_and_made_once() {
    let ways: [&[&str]; 2] = [&["run", "resume"], &["run", "cancel", "--undo"]];
    for way in ways {
        let env = TestEnvironment::new();
        let (agents, repo) = busy(&env);
        kill_at_hook(&env, &repo, &agents);
        let mut child = waiting(&env, &repo, way);
        fs::write(env.path().join("home/go"), "").unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{way:?}");
        assert_eq!(repo.git(&["rev-list", "--count", "HEAD"]).trim(), "2", "{way:?}");
        assert_eq!(repo.git(&["show", "HEAD:src/auth/login.rs"]), "FN LOGIN() { TRUE }\n");
        assert_eq!(read(&repo, "src/auth/login.rs"), "FN LOGIN() { TRUE }\n", "{way:?}");
        assert_eq!(status(&repo), BUSY, "{way:?}");
        assert_eq!(agents.calls("claude").len(), 1, "{way:?}");
        assert_eq!(answer(&repo.aio(&["run", "show", "--json"])).0["run"]["status"], "complete", "{way:?}");
        assert_eq!(aside(&repo), 0, "{way:?}");
        assert_free(&repo);
    }
}

fn read(repo: &Repo<'_>, path: &str) -> String {
    fs::read_to_string(repo.dir.join(path)).unwrap()
}

/// How many folders in the git directory have been set aside.
fn aside(repo: &Repo<'_>) -> usize {
    let entries = fs::read_dir(repo.dir.join(".git")).unwrap().map(Result::unwrap);
    entries.filter(|entry| entry.file_name().to_str().unwrap().starts_with("aio-")).count()
}

#[test]
fn whoever_does_not_want_to_wait_for_the_hook_changes_nothing() {
    let env = TestEnvironment::new();
    let (agents, repo) = busy(&env);
    kill_at_hook(&env, &repo, &agents);
    let mut child = waiting(&env, &repo, &["run", "cancel", "--undo"]);
    assert_eq!(read(&repo, "src/auth/new.rs"), "fn new() {}\n");
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(75));
    assert_eq!(read(&repo, "src/auth/new.rs"), "fn new() {}\n");
    assert_eq!(aside(&repo), 1);
    let mut child = waiting(&env, &repo, &["run", "resume"]);
    fs::write(env.path().join("home/go"), "").unwrap();
    assert_eq!((child.wait().unwrap().code(), agents.calls("claude").len()), (Some(0), 1));
    assert_free(&repo);
}
