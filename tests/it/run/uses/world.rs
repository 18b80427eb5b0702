//! The machine on which each use is tried, and what has to be there in the end.

use super::rules::{Rule, rules};
use crate::env::TestEnvironment;
use std::{fs, os::unix::fs::PermissionsExt};

/// Something that has to be told.
#[derive(Debug, Clone, Copy)]
pub enum Told {
    /// To an agent, in its prompt.
    Agent(&'static str),
    /// To whoever typed the command, as its answer.
    Person(&'static str),
}
use Told::{Agent, Person};

type Pair = (&'static str, &'static str);
type Expected = (&'static [Told], &'static [Pair]);

/// A machine on which a use is tried, and what has to come of it.
#[derive(Default)]
pub struct World {
    /// Files of the repository, not committed.
    pub files: &'static [Pair],
    /// Programs that its commands start.
    pub programs: &'static [Pair],
    /// Who does what for which prompt.
    pub rules: Vec<Rule>,
    /// What is told.
    pub told: &'static [Told],
    /// What is in which file in the end.
    pub left: &'static [Pair],
}

/// A program that takes note of how it was called.
pub const NOTES: &str = "#!/bin/sh\necho \"$(basename \"$0\") $*\" >>\"$(dirname \"$0\")/../log\"\n";

/// Puts a program where every command of the machine finds it.
pub fn install(env: &TestEnvironment, name: &str, script: &str) {
    let path = env.path().join("bin").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

const NPM: &[Pair] = &[("npm", NOTES)];

/// The world of a use.
pub fn world(name: &str, command: &str) -> World {
    let all = rules(command.split_whitespace().nth(3).unwrap());
    // Where nobody is said to do something by gemini, it is not installed.
    let rules =
        all.iter().filter(|(agent, ..)| *agent != "gemini" || command.contains("gemini") || name == "Fallback chain");
    let world = World { rules: rules.copied().collect(), programs: NPM, ..World::default() };
    let mut files: &'static [Pair] = &[];
    let (told, left): Expected = match name {
        "Code review pipelines" => {
            files = &[("src/main.rs", "fn changed() {}\n")];
            (&[Agent("+fn changed()"), Agent("analyzer: nothing tests it"), Person("a test")], &[])
        }
        "Feature development workflows" => {
            (&[Agent("builder: built it")], &[("src/main.rs", "built"), ("src/test.rs", "tested")])
        }
        "CI/CD automation" => (&[], &[("../log", "npm run lint\nnpm run build\nnpm test\n")]),
        "Sequential with early exit" => (&[], &[("../log", "npm run lint\nnpm test\n")]),
        "Multi-module analysis" => {
            (&[Agent("Analyze src/auth."), Agent("Analyze src/main.rs."), Agent("analyzer, on src/main.rs")], &[])
        }
        "Comprehensive codebase exploration" => {
            (&[Agent("Analyze authentication. How is it built"), Agent("db-explorer, on the database layer")], &[])
        }
        "Parallel testing" => (
            &[Agent("npm test: passed"), Agent("npm run e2e: passed")],
            &[("../log", "npm test\n"), ("../log", "npm run e2e\n"), (".context/tests.md", "both pass")],
        ),
        "Staggered parallel execution" => (&[Agent("Analyze task 3."), Agent("done by gemini")], &[]),
        "Adaptive workflows" => (&[Agent("Minor issues only")], &[]),
        "Error handling paths" => {
            files = &[("build.log", "error: no such crate\n")];
            (&[Agent("error: no such crate"), Agent("Critical issues found")], &[("src/main.rs", "fixed")])
        }
        "Priority-based routing" => {
            files = &[("BUGS.md", "B1: the token is in the log\n")];
            (&[Agent("B1: the token"), Agent("Security issues found")], &[])
        }
        "Code quality improvement" => {
            (&[Agent("Iteration 2:"), Agent("- a:1: too long")], &[("src/auth/login.rs", "round\nround\n")])
        }
        "Test coverage optimization" => (
            &[Agent("what was measured, by npm run coverage")],
            &[("tests/login.rs", "round\n"), ("../log", "npm run coverage\nnpm run coverage\n")],
        ),
        "Performance tuning" => {
            (&[Agent("exit code 0")], &[("src/auth/login.rs", "round\n"), ("../log", "npm run bench")])
        }
        "Test-driven" => (&[], &[("src/auth/login.rs", "works"), ("../log", "npm test")]),
        "Complex project management" => (&[Agent("did it")], &[("src/main.rs", "right"), ("../log", "npm test")]),
        "Multi-stage development" => (&[Agent("- npm run build\n- npm test")], &[("../log", "npm run build\n")]),
        "Quality assurance workflows" => (&[Agent("looks good")], &[("../log", "npm run lint\nnpm run lint\n")]),
        "CI/CD integration" => (&[Agent("Details: npm test: 3 failed")], &[("src/main.rs", "handled")]),
        "Automated responses" => (&[Agent("Details: a token in the log")], &[]),
        "Monitoring and alerting" => (&[Agent("Details: the login takes 2 s")], &[("src/main.rs", "handled")]),
        "Multi-file analysis" => (
            &[Agent("Analyze src/auth/login.rs: purpose"), Agent("2 of 2 files, 2 risks")],
            &[(".context/analysis.md", "Nothing is odd.")],
        ),
        "Batch processing" => (
            &[Agent("Analyze README.md: what is out of date"), Agent("You write for somebody who has five minutes")],
            &[],
        ),
        "Aggregated reporting" => (&[], &[("docs/report.md", "Nothing is odd.")]),
        "Database migrations" => {
            files = &[("db.sh", NOTES), ("backup.sh", NOTES)];
            (&[], &[("migrations/split/up.sql", "up"), ("../log", "db.sh migrations/split/up.sql")])
        }
        _ => common(name, &mut files),
    };
    World { files, told, left, ..world }
}

/// Of the uses of other documents than the catalog of patterns.
fn common(name: &str, files: &mut &'static [Pair]) -> Expected {
    match name {
        "Multi-service operations" => {
            *files = &[("db.sh", NOTES), ("mail.sh", NOTES)];
            (&[], &[("../log", "db.sh up\nmail.sh up\n")])
        }
        "Reversible workflows" => (&[Agent("Execute transaction: Rename login")], &[("src/main.rs", "sign_in")]),
        "Complex task with distinct, parallelizable components" => {
            (&[Person("both are there")], &[("src/one.rs", "one"), ("docs/two.md", "two")])
        }
        "Security audit + documentation update" => (
            &[Agent("fn login() {}"), Agent("- README.md: say more")],
            &[(".context/security-audit.md", "no secrets"), ("README.md", "Use it.")],
        ),
        "Very large systems, multi-phase projects" => (
            &[Agent("three layers"), Agent("use forms")],
            &[
                ("backend/routes/auth.py", "def route(): pass\n# reviewed\n"),
                ("frontend/a.js", "form"),
                ("../log", "npm test"),
            ],
        ),
        "Combining patterns" => (
            &[Agent("Iteration 1:"), Agent("You are the supervisor")],
            &[("src/main.rs", "refined"), ("../log", "npm test")],
        ),
        "Explicit planning mode" => (&[Agent("implementer")], &[(".aio/workflows/planned.toml", "Do it.")]),
        "Code generation" => (&[Agent("- line 1: too short")], &[("src/date.rs", "more\nmore\n")]),
        "Async/await refactoring" => (
            &[Agent("- Proper await usage\n- Error handling preserved\n- Race conditions\n- Performance issues")],
            &[("src/main.rs", "fn main() {}\nmore\nmore\n"), (".context/review-round1.md", "- line 1: too short")],
        ),
        "Creative writing" => (&[Agent("- Clear to a newcomer")], &[("docs/news.md", "more\n")]),
        "Critical decisions" => (&[Agent("- It can be taken back")], &[("docs/adr/1.md", "more\n")]),
        "Building features requiring current best practices" => {
            (&[Agent("OAuth2 with PKCE"), Agent("- no salt")], &[("src/main.rs", "salted")])
        }
        "File-based state sharing" => (&[Agent("salt it")], &[(".context/research.md", "salt it")]),
        "Large repetitive tasks requiring refinement" => {
            (&[Agent("- tests/test_main.rs")], &[("tests/test_main.rs", "fn test() {}\n// more\n")])
        }
        "Try-catch-escalate" | "Fallback chain" => (&[Person("GET /a")], &[]),
        "Progress ledger" => (&[Person("## Completed\n\n- [x] stage")], &[]),
        "Single agent task" => (&[Agent("BROKEN")], &[("src/main.rs", "fixed")]),
        "Pipeline execution" => {
            (&[Agent("one file"), Agent("+test")], &[("src/a.rs", "a"), (".git/COMMIT_EDITMSG", "Add auth")])
        }
        "Parallel execution" => {
            (&[Agent("+# main"), Agent("+clean")], &[("docs/main.md", "main"), ("tests/main.rs", "test")])
        }
        "Bug sweep workflow" => {
            *files = &[("BUGS.md", "B1: the login\n")];
            (&[Agent("B1: the login"), Agent("Fixed: B1")], &[("src/auth/login.rs", "fixed well")])
        }
        "Feature development workflow" => (
            &[Agent("+one"), Agent("- it works")],
            &[("src/two.rs", "two"), ("tests/one.rs", "test"), ("docs/one.md", "one")],
        ),
        "Refactoring workflow" => (&[Agent("+renamed")], &[("src/main.rs", "renamed"), ("docs/adr/1.md", "why")]),
        other => panic!("nothing is known of {other}"),
    }
}
