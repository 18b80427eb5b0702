//! What a clone brings along does nothing before its user has approved it.

use crate::{
    agent::Agent,
    env::{Refs, Repo, TestEnvironment, run},
};
use std::fs;

const CONFIG: &str = ".aio/config.toml";

/// Files of a configuration that declares a check.
const CHECKED: &[(&str, &str)] = &[(CONFIG, "[verify]\ntest = \"sh test.sh\"\n"), ("test.sh", "exit 0\n")];

fn repo<'e>(env: &'e TestEnvironment, files: &[(&str, &str)]) -> Repo<'e> {
    env.repo_with("demo", Refs::Files, "sha1", files)
}

#[test]
fn what_is_shown_is_approved_and_a_change_is_shown_as_one() {
    let env = TestEnvironment::new();
    let repo = repo(&env, CHECKED);
    let first = repo.session(None, &[&["trust"], &["trust", "--yes"], &["trust"]]);
    assert_eq!(
        first,
        "\
$ git aio trust
diff --git a/.aio/config.toml b/.aio/config.toml
new file mode 100644
--- /dev/null
+++ b/.aio/config.toml
@@ -0,0 +1,2 @@
+[verify]
+test = \"sh test.sh\"

Once you approve this
  verify @test runs: sh test.sh
nothing was approved
! there is no terminal to ask on: a person who has read it approves it by `git aio trust --yes`
[exit 3]
$ git aio trust --yes
diff --git a/.aio/config.toml b/.aio/config.toml
new file mode 100644
--- /dev/null
+++ b/.aio/config.toml
@@ -0,0 +1,2 @@
+[verify]
+test = \"sh test.sh\"

Once you approve this
  verify @test runs: sh test.sh
approved, in this clone and as it is now
$ git aio trust
approved already, as it is now:
  verify @test runs: sh test.sh
"
    );
    repo.write(CONFIG, "[verify]\ntest = \"sh test.sh && curl example.org\"\n");
    repo.write(".aio/agents/tester.md", "Test it.\n");
    assert_eq!(
        repo.session(None, &[&["trust"]]),
        "\
$ git aio trust
diff --git a/.aio/agents/tester.md b/.aio/agents/tester.md
new file mode 100644
--- /dev/null
+++ b/.aio/agents/tester.md
@@ -0,0 +1 @@
+Test it.
diff --git a/.aio/config.toml b/.aio/config.toml
--- a/.aio/config.toml
+++ b/.aio/config.toml
@@ -1,2 +1,2 @@
 [verify]
-test = \"sh test.sh\"
+test = \"sh test.sh && curl example.org\"

Once you approve this
  verify @test runs: sh test.sh && curl example.org
  the tester is told what stands in .aio/agents/tester.md
nothing was approved
! there is no terminal to ask on: a person who has read it approves it by `git aio trust --yes`
[exit 3]
"
    );
    // What was approved once stays so: another branch may have it.
    repo.git(&["checkout", "-q", CONFIG]);
    fs::remove_dir_all(repo.dir.join(".aio/agents")).unwrap();
    assert_eq!(repo.aio(&["trust"]).code, 0);
}

#[test]
fn a_clone_begins_without_an_approval_and_a_worktree_has_that_of_its_clone() {
    let env = TestEnvironment::new();
    let repo = repo(&env, CHECKED);
    repo.ok(&["trust", "--yes"]);
    repo.git(&["worktree", "add", "-q", "../tree"]);
    assert_eq!(repo.aio(&["trust", "-C", "../tree"]).code, 0);
    repo.git(&["clone", "-q", ".", "../clone"]);
    let told = repo.aio(&["trust", "-C", "../clone", "--json"]);
    assert_eq!(told.code, 3, "{told:?}");
    assert_eq!(
        told.stdout,
        r#"{
  "schema": 1,
  "approved": false,
  "changed": [
    ".aio/config.toml"
  ],
  "effects": [
    {
      "kind": "check",
      "words": "verify @test runs: sh test.sh"
    }
  ]
}
"#
    );
}

#[test]
fn an_agent_can_look_and_not_approve() {
    let env = TestEnvironment::new();
    let repo = repo(&env, CHECKED);
    let claude = repo.register("claude");
    let named = repo.aio_as(&claude, &["trust", "--yes", "--quiet"]);
    assert_eq!(named.code, 3);
    let refused = "error: only a person may approve what .aio/config.toml has git-aio run, and ";
    assert!(named.stderr.starts_with(&format!("{refused}AIO_INSTANCE says that you are {claude}")), "{named:?}");
    for (variable, value) in [("CLAUDECODE", "1"), ("CODEX_THREAD_ID", "x"), ("GEMINI_CLI", "1")] {
        let inside = run(repo.command(&["trust", "--yes"]).env(variable, value));
        assert!(inside.code == 3 && inside.stderr.starts_with(refused), "{variable}: {inside:?}");
    }
    let mut agent = Agent::start(&repo, "codex", &[]);
    let inside = agent.run("git-aio trust --yes");
    assert!(inside.code == 3 && inside.stderr.starts_with(refused), "{inside:?}");
    assert_eq!(repo.aio(&["trust"]).code, 3, "nothing was approved");
}

#[test]
fn an_invalid_file_is_told_with_its_place() {
    let env = TestEnvironment::new();
    let repo = repo(&env, &[]);
    assert_eq!(
        repo.session(None, &[&["trust"]]),
        "$ git aio trust\nnothing to approve: there is no .aio/config.toml, and no brief in .aio/agents\n"
    );
    let hint = "! hint: correct .aio/config.toml; docs/delegation.md of git-aio says what stands in it\n[exit 2]\n";
    for (text, told) in [
        ("[verify\n", "1:8: this is no TOML: unclosed table, expected `]`"),
        (
            "[verify]\ntset = 'x'\n",
            "2:1: a check called 'tset' would not be run unless it is asked for; did you mean 'test'?",
        ),
        ("[tool.x]\n", "1:2: there is no key 'tool'; did you mean 'tools'?"),
        ("[verify]\ndefault = ['@lint', '@tset']\n", "2:21: there is no check @tset; did you mean 'test'?"),
        ("[agents.tester]\ntool = 'cluade'\n", "2:8: there is no tool 'cluade'; did you mean 'claude'?"),
        ("[tools.gemni]\n", "1:8: gemni is no tool that is known, and has no command; did you mean 'gemini'?"),
        ("[verify]\n\u{1b}[2J\n", "2:2: this is no TOML: "),
    ] {
        repo.write(CONFIG, text);
        let said = repo.session(None, &[&["trust", "--yes"]]);
        assert!(said.starts_with(&format!("$ git aio trust --yes\n! error: .aio/config.toml:{told}")), "{said}");
        assert!(said.ends_with(hint) && !said.contains('\u{1b}'), "{said}");
    }
    let doctor = repo.aio(&["doctor"]);
    assert!(
        doctor.code == 1 && doctor.stdout.contains("failed  configuration      .aio/config.toml:2:2: "),
        "{doctor:?}"
    );
    repo.write(CONFIG, "[verify]\n");
    assert!(repo.aio(&["doctor"]).stdout.contains("odd     configuration      .aio/config.toml or a brief beside it"));
    repo.write(CONFIG, &"#".repeat(70_000));
    let large = repo.aio(&["trust", "--yes"]);
    assert!(large.code == 2 && large.stderr.contains("it has more than 65536 bytes"), "{large:?}");
}

#[test]
fn a_hub_that_a_repository_declares_is_not_spoken_to_before_it_is_approved() {
    let env = TestEnvironment::new();
    let repo = repo(&env, &[(CONFIG, "hub = \"../hub.git\"\n")]);
    repo.git(&["init", "-q", "--bare", "../hub.git"]);
    repo.ok(&["init"]);
    let synced = repo.aio(&["sync"]);
    assert!(synced.code == 2 && synced.stderr.contains("no hub is named"), "{synced:?}");
    assert_eq!(repo.git(&["ls-remote", "../hub.git"]), "");
    let trusted = repo.ok(&["trust", "--yes"]);
    assert!(trusted.contains("\n  syncs go to ../hub.git, unless aio.remote says otherwise\n"), "{trusted}");
    repo.ok(&["sync"]);
    assert!(repo.git(&["ls-remote", "../hub.git"]).contains("refs/aio/state"));
    repo.git(&["config", "aio.remote", "../elsewhere.git"]);
    assert_eq!(repo.aio(&["sync"]).code, 7, "what the user has set goes first");
    repo.git(&["config", "--unset", "aio.remote"]);
    repo.write(CONFIG, "hub = \"../other.git\"\n");
    assert_eq!(repo.aio(&["sync"]).code, 2, "another one waits again");
}

#[test]
fn the_page_shows_a_configuration_that_is_valid() {
    let page = include_str!("../../docs/delegation.md");
    let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let env = TestEnvironment::new();
    let repo = repo(&env, &[(CONFIG, example), (".aio/briefs/documenter.md", "Be short.\n")]);
    let told = repo.ok(&["trust", "--yes"]);
    let effects = told.split("Once you approve this\n").nth(1).unwrap();
    assert_eq!(
        effects,
        "  verify @lint runs: npm run lint
  verify @build runs: npm run build
  verify @test runs: npm test, for at most 20m
  verify @docs runs: npx markdownlint docs, when it is asked for
  verify runs: git diff --check
  syncs go to origin, unless aio.remote says otherwise
  the tool gemini, started 1s apart, 8 at once at most
  the tool local is: python agent.py '{prompt}'
  the work of the documenter goes to gemini, then claude
  bug fixes are suggested for the implementer, then the reviewer
  the documenter is told what stands in .aio/briefs/documenter.md
approved, in this clone and as it is now
"
    );
}

#[test]
fn whatever_a_configuration_has_done_is_named_before_it_is_approved() {
    let env = TestEnvironment::new();
    let config = "agent = \"codex\"\nledger = \".context/progress.md\"\n[worktree]\nsetup = \"npm ci\"\n";
    let repo = repo(&env, &[(CONFIG, config)]);
    let shown = repo.aio(&["trust"]).stdout;
    let (_, effects) = shown.split_once("Once you approve this\n").unwrap();
    assert_eq!(
        effects,
        "  each new work tree of a run is made ready by: npm ci\n  what nobody is chosen for goes to codex\n  \
         what runs are at is written into .context/progress.md\nnothing was approved\n"
    );
}
