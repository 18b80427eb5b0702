//! Work is believed only after it was checked, and a check runs only if somebody has vouched for it.

use crate::env::{Ended, Refs, Repo, TestEnvironment, run};
use serde_json::Value;
use std::{fs, process::Command, thread, time::Duration};

const CONFIG: &str = ".aio/config.toml";

/// A repository whose configuration has this `[verify]`, approved.
fn configured<'e>(env: &'e TestEnvironment, verify: &str) -> Repo<'e> {
    let config = format!("[verify]\n{verify}");
    let repo = env.repo_with("demo", Refs::Files, "sha1", &[(CONFIG, &config), ("src/main.rs", "fn main() {}\n")]);
    repo.ok(&["trust", "--yes", "--quiet"]);
    repo
}

/// A session without the line that names the diff, which is another each time.
fn session(repo: &Repo<'_>, commands: &[&[&str]]) -> String {
    let told = repo.session(None, commands);
    told.lines().filter(|line| !line.starts_with("to review: ")).map(|line| format!("{line}\n")).collect()
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// Each check with what came of it: `@lint true`.
fn outcomes(answer: &Value) -> Vec<String> {
    let checks = answer["checks"].as_array().unwrap().iter();
    checks.map(|check| format!("{} {}", check["name"].as_str().unwrap(), check["passed"])).collect()
}

const NOTHING_KNOWN: &str = "! hint: say how this is checked in [verify] of .aio/config.toml, and approve that by \
                             `git aio trust`; or name a command by --check\n[exit 4]\n";

#[test]
fn what_nobody_can_check_is_unverified_and_never_passed() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    assert_eq!(
        session(&repo, &[&["verify"]]),
        format!("$ git aio verify\nunverified: no check of the code was made\n{NOTHING_KNOWN}")
    );
    let claude = repo.register("claude");
    let claim = repo.json_as(&claude, &["claim", "src/"])["claims"][0]["id"].as_str().unwrap().to_owned();
    let told = run(repo.command(&["verify", &claim, "--json"]).env("AIO_INSTANCE", &claude));
    assert_eq!(told.code, 4, "{told:?}");
    let answer = json(&told);
    assert_eq!((&answer["verdict"], outcomes(&answer)), (&"unverified".into(), vec!["@scope true".to_owned()]));
    let nothing = repo.aio(&["verify", "--check", "@build"]);
    assert!(
        nothing.code == 4 && nothing.stdout.contains("not run  @build: .aio/config.toml says nothing of it"),
        "{nothing:?}"
    );
    assert_eq!(repo.aio(&["verify", "--check", "@scope"]).code, 4, "of nobody's claims");
}

const MAKEFILE: (&str, &str) = ("Makefile", "lint:\n\ttouch linted\ntest:\n\ttouch tested\n");

#[test]
fn a_guess_is_told_and_not_run_where_nobody_sees_it() {
    let env = TestEnvironment::new();
    let repo = env.repo_with("demo", Refs::Files, "sha1", &[MAKEFILE]);
    for args in [&["verify"][..], &["verify", "--yes"]] {
        assert_eq!(
            session(&repo, &[args]),
            format!(
                "$ git aio {}\n\
                 not run  @lint  make lint: a guess from Makefile, which nobody has confirmed\n\
                 not run  @test  make test: a guess from Makefile, which nobody has confirmed\n\
                 unverified: @lint, @test not run\n{NOTHING_KNOWN}",
                args.join(" ")
            )
        );
    }
    let answer = json(&repo.aio(&["verify", "--json"]));
    assert_eq!(outcomes(&answer), ["@lint null", "@test null"]);
    assert_eq!(answer["checks"][1]["command"], "make test");
    assert!(!repo.dir.join("linted").exists() && !repo.dir.join("tested").exists());
    // Whoever names the command has said it.
    assert_eq!(repo.aio(&["verify", "--check", "make test"]).code, 0);
    assert!(repo.dir.join("tested").exists());
}

#[cfg(unix)]
#[test]
fn a_guess_is_confirmed_on_a_terminal_and_by_a_person() {
    use crate::terminal::Terminal;
    let env = TestEnvironment::new();
    let repo = env.repo_with("demo", Refs::Files, "sha1", &[MAKEFILE]);
    for (key, code, tested) in [(b'n', 4, false), (b'y', 0, true)] {
        let terminal = Terminal::typing(repo.command(&["verify"]));
        terminal.wait_for("@test: make test (Makefile)");
        terminal.wait_for("Run this? [y/N]");
        terminal.press(key);
        terminal.press(b'\r');
        let seen = terminal.end();
        assert_eq!((seen.code, repo.dir.join("tested").exists()), (code, tested), "{}", seen.raw);
        seen.assert_harmless();
    }
    let terminal = Terminal::typing(repo.command(&["verify", "--yes", "--check", "@lint", "--check", "@build"]));
    let seen = terminal.end();
    assert!(
        seen.code == 4 && seen.raw.contains("@build not run"),
        "what is not known is not passed by a yes: {}",
        seen.raw
    );
    fs::remove_file(repo.dir.join("tested")).unwrap();
    let mut inside = repo.command(&["verify", "--yes"]);
    inside.env("CLAUDECODE", "1");
    let seen = Terminal::typing(inside).end();
    assert!(seen.code == 4 && seen.raw.contains("only a person can say yes to these, and this runs inside claude"));
    assert!(!repo.dir.join("tested").exists(), "{}", seen.raw);
}

#[test]
fn what_the_repository_says_is_run_once_it_is_approved_and_as_it_was() {
    let env = TestEnvironment::new();
    let repo = configured(
        &env,
        "lint = \"echo fine\"\ntest = { run = \"touch tested\", timeout = \"1m\" }\ndocs = \"false\"\n",
    );
    assert_eq!(
        session(&repo, &[&["verify"]]),
        "$ git aio verify\npassed   @lint  0.0s  echo fine\npassed   @test  0.0s  touch tested\npassed: @lint, @test\n"
    );
    fs::remove_file(repo.dir.join("tested")).unwrap();
    assert_eq!(
        session(&repo, &[&["verify", "--check", "docs", "--check", "@lint", "--check", "echo a; exit 7"]]),
        "$ git aio verify --check docs --check @lint --check echo a; exit 7
failed   @docs  0.0s  false: exit 1
passed   @lint  0.0s  echo fine
failed   echo a; exit 7  0.0s: exit 7
  | a
failed: @docs, echo a; exit 7
[exit 4]
"
    );
    repo.write(CONFIG, "[verify]\ntest = \"touch tested; curl example.org\"\n");
    assert_eq!(
        session(&repo, &[&["verify"]]),
        "$ git aio verify
not run  @test  touch tested; curl example.org: .aio/config.toml is not approved
unverified: @test not run
! hint: a person looks at .aio/config.toml and approves it by `git aio trust`
[exit 4]
"
    );
    assert!(!repo.dir.join("tested").exists());
}

#[test]
fn a_list_of_its_own_is_the_default_and_commands_run_at_the_root() {
    let env = TestEnvironment::new();
    let repo = configured(&env, "default = [\"@docs\", \"test -f src/main.rs\"]\ndocs = \"pwd\"\ntest = \"false\"\n");
    let answer = json(&repo.aio(&["verify", "--json", "-C", "src"]));
    assert_eq!(outcomes(&answer), ["@docs true", "test -f src/main.rs true"]);
    assert_eq!(answer["checks"][0]["output"], format!("{}\n", repo.dir.display()));
    assert_eq!(outcomes(&json(&repo.aio(&["verify", "--json", "--check", "@default", "--check", "docs"]))).len(), 2);
}

#[test]
fn what_is_named_wrongly_is_no_verification() {
    let env = TestEnvironment::new();
    let repo = configured(&env, "test = \"true\"\n");
    assert_eq!(
        repo.session(None, &[&["verify", "--check", "@tset"], &["verify", "--check", " "], &["verify", "0123"]]),
        "\
$ git aio verify --check @tset
! error: there is no check @tset; did you mean @test?
! hint: there are @lint, @build, @test, @scope, @changed; anything without an @ is a command
[exit 2]
$ git aio verify --check \x20
! error: the check is empty
! hint: name one, or give a command
[exit 2]
$ git aio verify HEX
! error: there is neither a claim nor a handoff HEX
! hint: `git aio status` shows the claims there are, `git aio handoff list` the handoffs
[exit 8]
"
    );
    repo.write(CONFIG, "[verify]\ntest = true\n");
    let broken = repo.aio(&["verify"]);
    assert!(broken.code == 2 && broken.stderr.contains(".aio/config.toml:2:8: test has to be a text"), "{broken:?}");
}

/// Whether the process with this id has ended, or does so soon.
fn ends(repo: &Repo<'_>, pid: &str) -> bool {
    let state = format!("ps -o stat= -p {pid} | grep -qv Z");
    let gone = |()| run(repo.env.command("sh", &repo.dir).args(["-c", &state])).code != 0;
    (0..100).any(|_| {
        gone(()) || {
            thread::sleep(Duration::from_millis(50));
            false
        }
    })
}

#[test]
fn a_check_that_hangs_is_ended_with_what_it_started() {
    let env = TestEnvironment::new();
    let script = "trap '' TERM; sleep 100 & echo $! >child; wait; sleep 100";
    let repo = configured(&env, &format!("test = {{ run = \"{script}\", timeout = \"500ms\" }}\n"));
    let told = session(&repo, &[&["verify"]]);
    assert!(
        told.contains(": ended after 500ms, with all that it had started\n") && told.ends_with("[exit 4]\n"),
        "{told}"
    );
    assert!(ends(&repo, fs::read_to_string(repo.dir.join("child")).unwrap().trim()));
}

#[test]
fn a_check_that_leaves_something_behind_is_not_waited_for() {
    let env = TestEnvironment::new();
    let repo = configured(&env, "test = \"sleep 100 & echo $!\"\n");
    let answer = json(&repo.aio(&["verify", "--json"]));
    assert_eq!((&answer["verdict"], &answer["checks"][0]["exit"]), (&"passed".into(), &0.into()));
    assert!(answer["checks"][0]["seconds"].as_f64().unwrap() < 20.0);
    assert!(ends(&repo, answer["checks"][0]["output"].as_str().unwrap().trim()));
}

#[test]
fn much_and_hostile_output_is_bounded_and_harmless() {
    let env = TestEnvironment::new();
    let repo = configured(
        &env,
        "test = '''printf 'first\\n'; yes | head -c 50000000; printf '\\033]0;owned\\007\\033[2J\\302\\233last\\n'; exit 1'''\n",
    );
    let told = repo.aio(&["verify"]);
    assert_eq!(told.code, 4);
    assert!(told.stdout.contains("\n  | \\u{1b}]0;owned\\u{7}\\u{1b}[2J\\u{9b}last\n"), "{}", told.stdout);
    assert!(!told.stdout.contains(['\u{1b}', '\u{9b}']) && told.stdout.lines().count() < 40, "{}", told.stdout);
    let output = json(&repo.aio(&["verify", "--json"]))["checks"][0]["output"].as_str().unwrap().to_owned();
    assert!(output.starts_with("first\n") && output.ends_with("last\n") && output.len() < 80_000, "{}", output.len());
    assert!(output.contains(" bytes left out …\n") && !output.contains(['\u{1b}', '\u{9b}']));
}

/// A repository whose folders have spaces in their names, with a claim of claude's on one of them, and its id.
fn claimed(env: &TestEnvironment) -> (Repo<'_>, String, String) {
    let files = [(CONFIG, "[verify]\ntest = \"true\"\n"), ("my src/a b.rs", "a\n"), ("README.md", "# it\n")];
    let repo = env.repo_with("my repository", Refs::Files, "sha1", &files);
    repo.ok(&["trust", "--yes", "--quiet"]);
    let claude = repo.register("claude");
    let claim = repo.json_as(&claude, &["claim", "my src/"]);
    let id = claim["claims"][0]["id"].as_str().unwrap().to_owned();
    (repo, claude, id)
}

#[test]
fn what_changes_beside_the_claims_fails_unless_somebody_else_holds_it() {
    let env = TestEnvironment::new();
    let (repo, claude, claim) = claimed(&env);
    let verify = |args: &[&str]| repo.json_as(&claude, &[&["verify", &claim], args].concat());
    let scope =
        |answer: &Value| (answer["verdict"].clone(), answer["checks"][0]["output"].as_str().unwrap().to_owned());
    let unchanged = verify(&["--check", "@changed", "--check", "true"]);
    assert_eq!(outcomes(&unchanged), ["@scope true", "@changed false", "true true"]);
    repo.write("my src/new file.rs", "n\n");
    repo.write("README.md", "# changed\n");
    let (verdict, told) = scope(&verify(&["--check", "@changed", "--check", "true"]));
    assert_eq!(verdict, "failed");
    assert!(
        told.starts_with("changed outside of the claim on my src: README.md\n README.md          | 2 +-\n"),
        "{told}"
    );
    let codex = repo.register("codex");
    repo.ok_as(&codex, &["claim", "README.md"]);
    let (verdict, told) = scope(&verify(&[]));
    assert_eq!(verdict, "passed");
    assert!(told.starts_with("changed too, and held by others: README.md\n"), "{told}");
    // What is committed may be anybody's work.
    repo.git(&["commit", "-q", "--no-verify", "-a", "-m", "change"]);
    assert_eq!(verify(&["--check", "@scope", "--check", "@changed"])["verdict"], "unverified", "no check of the code");
}

#[test]
fn a_claim_that_a_fence_made_excuses_nothing_beside_one_that_was_asked_for() {
    let env = TestEnvironment::new();
    let (repo, claude, claim) = claimed(&env);
    repo.git(&["config", "aio.autoClaim", "true"]);
    let path = repo.dir.join("README.md");
    let call = serde_json::json!({ "session_id": "s", "cwd": repo.dir, "hook_event_name": "PreToolUse",
                                   "tool_name": "Write", "tool_input": { "file_path": path, "content": "x" } });
    let mut hook = repo.command(&["hook", "claude"]);
    hook.env("AIO_INSTANCE", &claude).stdin(std::process::Stdio::piped());
    let mut process = hook.stdout(std::process::Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(&mut process.stdin.take().unwrap(), call.to_string().as_bytes()).unwrap();
    assert!(process.wait().unwrap().success());
    repo.write("README.md", "x");
    let claims = repo.json_as(&claude, &["status"])["claims"].to_string();
    assert!(claims.contains("README.md") && claims.contains("\"auto\""), "{claims}");
    assert_eq!(outcomes(&repo.json_as(&claude, &["verify", &claim])), ["@scope false", "@test true"]);
}

#[test]
fn the_commands_of_a_handoff_are_another_agents_words() {
    let env = TestEnvironment::new();
    let (repo, claude, _) = claimed(&env);
    let made = ["handoff", "new", "go on", "--verify", "touch handed", "--verify", "true"];
    let handoff = repo.json_as(&claude, &made)["handoff"]["id"].as_str().unwrap().to_owned();
    let codex = repo.register("codex");
    repo.ok_as(&codex, &["handoff", "accept", &handoff]);
    repo.write("my src/a b.rs", "changed\n");
    let by_agent = repo.steady(&run(repo.command(&["verify", &handoff, "--yes"]).env("AIO_INSTANCE", &codex)).shown());
    assert_eq!(
        by_agent.lines().filter(|line| !line.starts_with("to review: ")).collect::<Vec<_>>(),
        [
            "passed   @scope",
            "  |  my src/a b.rs | 2 +-",
            "  |  1 file changed, 1 insertion(+), 1 deletion(-)",
            "passed   @test  0.0s  true",
            "not run  touch handed: it comes with handoff-HEX, and no person has approved it",
            "unverified: touch handed not run",
            "! only a person can say yes to these, and AIO_INSTANCE says that you are codex-1: touch handed",
            "! hint: a person can say yes to what the handoff brings, by --yes; --check runs what you name",
            "[exit 4]",
        ]
    );
    assert!(!repo.dir.join("handed").exists());
    let named = ["verify", &handoff, "--check", "@default", "--check", "touch handed", "--check", "true", "--json"];
    let named = json(&run(repo.command(&named).env("AIO_INSTANCE", &codex)));
    assert_eq!(outcomes(&named), ["@scope true", "@test true", "touch handed true", "true true"]);
    fs::remove_file(repo.dir.join("handed")).unwrap();
    assert_eq!(repo.aio(&["verify", &handoff]).code, 4);
    let by_person = repo.aio(&["verify", &handoff, "--yes"]);
    assert_eq!(by_person.code, 0, "{by_person:?}");
    assert!(by_person.stderr.contains("the handoff brings\n  touch handed\n"), "{by_person:?}");
    assert!(repo.dir.join("handed").exists());
    assert_eq!(outcomes(&json(&repo.aio(&["verify", &handoff, "--json"])))[0], "@scope false", "handed is beside it");
}

#[test]
fn the_diff_has_new_files_too_and_the_index_stays_as_it_is() {
    let env = TestEnvironment::new();
    let (repo, _, _) = claimed(&env);
    repo.write("my src/a b.rs", "staged\n");
    repo.git(&["add", "-A"]);
    repo.write("my src/a b.rs", "changed\n");
    repo.write("new \u{e9} file", "new\n");
    let (index, status) = (fs::read(repo.dir.join(".git/index")).unwrap(), repo.git(&["status", "--porcelain"]));
    let told = json(&repo.aio(&["verify", "--json"]));
    let diff = fs::read_to_string(told["diff"].as_str().unwrap()).unwrap();
    assert!(diff.contains("\n-a\n+changed\n") && diff.contains("\n+new\n"), "{diff}");
    assert_eq!((fs::read(repo.dir.join(".git/index")).unwrap(), repo.git(&["status", "--porcelain"])), (index, status));
    for _ in 0..25 {
        repo.ok(&["verify"]);
    }
    let kept: Vec<_> =
        fs::read_dir(repo.dir.join(".git/aio/verify")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 20, "{kept:?}");
    repo.git(&["stash", "-q", "-u"]);
    assert_eq!(json(&repo.aio(&["verify", "--json"]))["diff"], Value::Null);
}

#[test]
fn before_the_first_commit_all_is_new() {
    let env = TestEnvironment::new();
    let dir = env.path().join("fresh");
    fs::create_dir(&dir).unwrap();
    let repo = Repo { env: &env, dir };
    repo.git(&["init", "-q"]);
    repo.write("a", "1\n");
    let told = json(&repo.aio(&["verify", "--json", "--check", "true"]));
    assert_eq!(told["verdict"], "passed");
    assert!(fs::read_to_string(told["diff"].as_str().unwrap()).unwrap().contains("\n+1\n"));
    let bare = env.path().join("bare.git");
    repo.git(&["init", "-q", "--bare", bare.to_str().unwrap()]);
    assert_eq!(repo.aio(&["verify", "-C", bare.to_str().unwrap()]).code, 2);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_check_with_what_it_started() {
    use crate::terminal::Terminal;
    let env = TestEnvironment::new();
    let repo = configured(&env, "test = \"sleep 100 & echo $! >child; wait\"\nlint = \"true\"\n");
    let mut verify: Command = repo.command(&["verify", "--check", "test", "--check", "lint"]);
    verify.env("AIO_INSTANCE", "");
    let terminal = Terminal::typing(verify);
    terminal.wait_for("@test");
    let child = || fs::read_to_string(repo.dir.join("child")).unwrap_or_default();
    while !child().ends_with('\n') {
        thread::sleep(Duration::from_millis(10));
    }
    terminal.press(3);
    let seen = terminal.end();
    assert_eq!(seen.code, 130, "{}", seen.raw);
    assert!(ends(&repo, child().trim()));
    let lines = seen.lines().join("\n");
    assert!(lines.contains("stopped, with all that it had started"), "{lines}");
    assert!(lines.contains("not run  @lint") && lines.ends_with("unverified: @test, @lint not run"), "{lines}");
    seen.assert_harmless();
}
