//! Whom to give a task to, and what they are told.

use crate::env::{Repo, TestEnvironment};
use std::fs;

#[test]
fn the_agents_are_listed_and_each_has_a_brief_of_its_own() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    assert_eq!(
        repo.session(None, &[&["agent", "list"]]),
        "\
$ git aio agent list
implementer       implements one task, completely
tester            writes tests that would have caught the mistake
reviewer          judges a change, security included, and gives a verdict (changes nothing)
refactorer        changes the shape of code and keeps what it does
documenter        writes documentation that is checked against the code
analyzer          finds out how things are, with places and numbers (changes nothing)
designer          turns an analysis into a design with disjoint tasks (changes nothing)
builder           builds what a design describes, as it is described
code-reviewer     suggests improvements line by line (changes nothing)
bug-fixer         reproduces a bug, and removes its cause
security-auditor  looks for ways to misuse the code (changes nothing)
optimizer         makes something measurably faster or smaller
architect         decides boundaries, stages and the way back (changes nothing)
test-runner       runs the tests and says what happened (changes nothing)
auth-explorer     explains who may do what, and how that is known (changes nothing)
db-explorer       explains how data is stored (changes nothing)
api-explorer      explains which interfaces are offered and used (changes nothing)
"
    );
    let agents = repo.json_as("", &["agent", "list"])["agents"].as_array().unwrap().clone();
    let brief = |agent: &serde_json::Value| repo.ok(&["agent", "show", agent["name"].as_str().unwrap()]);
    let mut briefs: Vec<String> = agents.iter().map(brief).collect();
    assert!(briefs[0].starts_with("You implement one task, completely, and nothing beside it.\n\n- Read the code"));
    briefs.sort();
    briefs.dedup();
    assert_eq!(briefs.len(), 17);
    let unknown = repo.aio(&["agent", "show", "reviwer"]);
    assert_eq!(unknown.code, 8);
    assert!(unknown.stderr.starts_with("error: there is no agent 'reviwer'; did you mean reviewer?\n"), "{unknown:?}");
}

#[test]
fn a_task_is_given_by_the_guide_and_a_tool_by_its_domain() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let suggest = |task: &str| repo.ok(&["agent", "suggest", task]);
    for (task, answer) in [
        ("bug fix", "implementer: bug fixes; may also use: reviewer\n  claude: business logic is its domain\n"),
        (
            "New features",
            "implementer: new features; may also use: tester, documenter\n  codex: new features is its domain\n",
        ),
        (
            "security audit",
            "reviewer: security audit; may also use: implementer (for fixes)\n  claude: business logic is its domain\n",
        ),
        ("raise the test coverage", "tester: test coverage\n  codex: new features is its domain\n"),
        (
            "technical debt",
            "refactorer: technical debt; may also use: reviewer\n  claude: complex refactoring is its domain\n",
        ),
        (
            "API changes",
            "implementer: api changes; may also use: documenter, tester\n  codex: new features is its domain\n",
        ),
        (
            "pattern migrations",
            "refactorer: pattern migration; may also use: implementer\n  claude: complex refactoring is its domain\n",
        ),
        ("docs", "documenter: documentation\n  gemini: documentation is its domain\n"),
        (
            "where is the cache filled?",
            "analyzer: a question, not a task of the guide\n  amp: navigation is its domain\n",
        ),
    ] {
        assert_eq!(suggest(task), answer, "{task}");
    }
    assert_eq!(
        repo.session(None, &[&["agent", "suggest", "xyzzy"], &["agent", "suggest", "fix", "the", "parser", "--json"]]),
        r#"$ git aio agent suggest xyzzy
! error: nothing is known that 'xyzzy' is like
! hint: the selection guide has: bug fixes, new features, security audit, test coverage, technical debt, api changes, pattern migration, documentation
[exit 8]
$ git aio agent suggest fix the parser --json
{
  "schema": 1,
  "task": "Bug fixes",
  "primary": "implementer",
  "also": [
    {
      "agent": "reviewer",
      "with": null
    }
  ],
  "tools": [
    {
      "tool": "claude",
      "why": [
        "business logic is its domain"
      ]
    }
  ]
}
"#
    );
}

fn with_own_agents(env: &TestEnvironment) -> Repo<'_> {
    let repo = env.repo();
    repo.write(
        ".aio/config.toml",
        r#"
[tools.gemini]
strengths = { context = 1_000_000, search = true }

[tools.local]
command = ["local-agent", "{prompt}"]
strengths = { cost = "low" }

[agents.documenter]
tool = ["local", "claude"]
"#,
    );
    repo.write(".aio/agents/tester.md", "Use our own fixtures.\n\u{1b}[2J\n");
    repo.write(".aio/agents/translator.md", "# Translates the interface\n\nInto all languages.\n");
    repo
}

#[test]
fn what_a_repository_makes_of_them_counts_once_it_is_approved() {
    let env = TestEnvironment::new();
    let repo = with_own_agents(&env);
    let lines = || {
        let listed = repo.ok(&["agent", "list"]);
        let ours = ["tester ", "documenter", "translator"];
        listed
            .lines()
            .filter(|line| ours.iter().any(|name| line.starts_with(name)))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        lines(),
        [
            "tester            writes tests that would have caught the mistake (.aio/agents/tester.md is not approved)",
            "documenter        writes documentation that is checked against the code",
            "translator        an agent of this repository (.aio/agents/translator.md is not approved)",
        ]
    );
    let tester = repo.aio(&["agent", "show", "tester"]);
    assert!(
        tester.stdout.starts_with("You write tests") && tester.stderr.contains("tester.md is not approved"),
        "{tester:?}"
    );
    let translator = repo.aio(&["agent", "show", "translator"]);
    assert!(translator.code == 3 && !translator.stdout.contains("languages"), "{translator:?}");
    let docs = repo.aio(&["agent", "suggest", "docs"]);
    assert_eq!(docs.stdout, "documenter: documentation\n  gemini: documentation is its domain\n");
    assert!(docs.stderr.contains("is not approved, and not heeded here"), "{docs:?}");

    repo.ok(&["trust", "--yes"]);
    assert_eq!(
        lines(),
        [
            "tester            writes tests that would have caught the mistake (.aio/agents/tester.md)",
            "documenter        writes documentation that is checked against the code [local, claude]",
            "translator        Translates the interface (.aio/agents/translator.md)",
        ]
    );
    assert_eq!(repo.ok(&["agent", "show", "tester"]), "Use our own fixtures.\n\\u{1b}[2J\n");
    assert_eq!(
        repo.ok(&["agent", "suggest", "docs"]),
        "documenter: documentation
  local: this repository gives it the work of the documenter, it costs little
  claude: this repository gives it the work of the documenter
  gemini: documentation is its domain, it takes in 1000000 tokens at once
"
    );
    assert_eq!(
        repo.ok(&["agent", "suggest", "research caching"]),
        "analyzer: a question, not a task of the guide\n  \
         gemini: research is its domain, it searches the web, it takes in 1000000 tokens at once\n"
    );
    fs::write(repo.dir.join(".aio/config.toml"), "[agents.documentor]\ntool = \"claude\"\n").unwrap();
    let odd = repo.aio(&["agent", "list"]);
    assert_eq!(odd.code, 2);
    assert!(
        odd.stderr.contains(":1:9: there is no agent 'documentor', and no brief for one; did you mean 'documenter'?")
    );
}

#[test]
fn a_repository_says_who_does_which_kind_of_task_once_that_is_approved() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let config = |tasks: &str| repo.write(".aio/config.toml", &format!("[tasks]\n{tasks}\n"));
    let wrong = |tasks: &str| {
        config(tasks);
        let ended = repo.aio(&["agent", "suggest", "bug fix"]);
        assert_eq!(ended.code, 2, "{ended:?}");
        ended.stderr.lines().next().unwrap().to_owned()
    };
    for (tasks, told) in [
        ("\"bug fixse\" = \"tester\"", "2:1: the selection guide has no task 'bug fixse'; did you mean 'bug fixes'?"),
        ("\"bug fixes\" = [\"implementor\"]", "2:16: there is no agent 'implementor'; did you mean 'implementer'?"),
        ("\"bug fixes\" = []", "2:15: bug fixes is empty"),
        ("\"bug fixes\" = 3", "2:15: bug fixes has to be a list of texts"),
    ] {
        assert_eq!(wrong(tasks), format!("error: .aio/config.toml:{told}"), "{tasks}");
    }
    fs::create_dir_all(repo.dir.join(".aio/agents")).unwrap();
    repo.write(".aio/agents/fixer.md", "You fix.\n");
    repo.write(
        ".aio/config.toml",
        "[tasks]\n\"Bug Fixes\" = [\"fixer\", \"tester\"]\ndocumentation = \"analyzer\"\n[agents.fixer]\ntool = \"codex\"\n",
    );
    let suggest = |task: &str| repo.aio(&["agent", "suggest", task]);
    let before = suggest("fix the login bug");
    assert!(before.stdout.starts_with("implementer: ") && before.stderr.contains("not approved"), "{before:?}");
    assert!(repo.ok(&["trust", "--yes"]).contains("  Bug Fixes are suggested for the fixer, then the tester\n"));
    assert_eq!(
        suggest("fix the login bug").stdout,
        "fixer: bug fixes; may also use: tester\n  codex: this repository gives it the work of the fixer\n  \
         claude: business logic is its domain\n"
    );
    assert_eq!(suggest("update the readme").stdout, "analyzer: documentation\n  gemini: documentation is its domain\n");
    assert!(suggest("technical debt").stdout.starts_with("refactorer: technical debt; may also use: reviewer\n"));
}
