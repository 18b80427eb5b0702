//! The examples of docs/workflows.md: each is a workflow of its own, approved and run as it stands there.

use super::{
    uses::world::{NOTES, Told, install},
    *,
};
use Do::{Edit, Error, Exit, Run, Say};
use Told::{Agent, Person};
use std::os::unix::fs::PermissionsExt as _;

/// An example: under which heading, with which inputs, who does what, and what has to come of it.
struct Example {
    heading: &'static str,
    inputs: &'static [&'static str],
    rules: &'static [(&'static str, &'static [Do<'static>])],
    told: &'static [Told],
    left: &'static [(&'static str, &'static str)],
}

const EXAMPLES: &[Example] = &[
    Example {
        heading: "Sequential pipeline",
        inputs: &["goal=One login"],
        rules: &[
            ("Analyze requirements", &[Say("two logins")]),
            ("Build it: One login", &[Edit("src/main.rs", "built\n"), Say("built it")]),
            ("Test it", &[Edit("tests/main.rs", "tested\n"), Say("tested it")]),
        ],
        told: &[Agent("analyzer: two logins\nbuilder: built it"), Person("tested it")],
        left: &[("src/main.rs", "built"), ("tests/main.rs", "tested")],
    },
    Example {
        heading: "Early exit",
        inputs: &[],
        rules: &[],
        told: &[],
        left: &[("../log", "npm run lint\nnpm test\n")],
    },
    Example {
        heading: "Parallel fan-out",
        inputs: &[],
        rules: &[
            ("Remove what is dead", &[Edit("src/main.rs", "alive\n"), Say("removed")]),
            ("Document what is exported", &[Edit("docs/main.md", "# main\n"), Say("documented")]),
            ("Review this", &[Say(r#"{"ok":true,"issues":[]}"#)]),
        ],
        told: &[Agent("+alive"), Agent("+# main")],
        left: &[("src/main.rs", "alive"), ("docs/main.md", "# main")],
    },
    Example {
        heading: "Conditional branching",
        inputs: &[],
        rules: &[
            ("Analyze the current state", &[Say(r#"{"issues":[{"severity":"critical","what":"a hole"}]}"#)]),
            ("Fix what is critical", &[Edit("src/main.rs", "fixed\n"), Say("fixed")]),
        ],
        told: &[Agent("a hole")],
        left: &[("src/main.rs", "fixed")],
    },
    Example {
        heading: "Iterative refinement",
        inputs: &["task=Make it shorter"],
        rules: &[
            ("Evaluate this", &[Say(r#"{"issues":["too long"]}"#)]),
            ("Evaluate this", &[Say(r#"{"score":8,"issues":[]}"#)]),
            ("Make it shorter", &[Run("echo round >>src/main.rs"), Say("written")]),
        ],
        told: &[Agent("Iteration 2: Make it shorter\nFound last time: too long")],
        left: &[("src/main.rs", "round\nround\n")],
    },
    Example {
        heading: "Supervisor",
        inputs: &[],
        rules: &[
            (
                "You coordinate",
                &[Say(
                    r#"{"done":false,"tasks":[{"worker":"bug-fixer","task":"Make it right","scope":["src/main.rs"]}]}"#,
                )],
            ),
            ("You coordinate", &[Say(r#"{"done":true,"tasks":[]}"#)]),
            ("Make it right", &[Edit("src/main.rs", "right\n"), Say("did it")]),
        ],
        told: &[Agent("did it")],
        left: &[("src/main.rs", "right"), ("../log", "npm test\nnpm test\n")],
    },
    Example {
        heading: "Event-driven",
        inputs: &[],
        rules: &[("Event: test_failed\nDetails: one", &[Say("looked at it")])],
        told: &[Agent("Details: one")],
        left: &[],
    },
    Example {
        heading: "Map-reduce",
        inputs: &[],
        rules: &[
            ("Analyze src/", &[Say(r#"{"risks":["none"]}"#)]),
            ("Combine these results", &[Say("Nothing is odd.")]),
        ],
        told: &[Agent("Analyze src/auth/login.rs"), Agent("Analyze src/main.rs")],
        left: &[("docs/report.md", "Nothing is odd.")],
    },
    Example {
        heading: "Saga",
        inputs: &[],
        rules: &[],
        told: &[],
        left: &[("../log", "migrate.sh up\nflag.sh on\nsmoke.sh \n")],
    },
    Example {
        heading: "Orchestrator-workers",
        inputs: &["task=An export"],
        rules: &[
            (
                "Break this into parts",
                &[Say(
                    r#"{"parts":[{"worker":"implementer","task":"Write one","scope":["src/one.rs"]},{"worker":"documenter","task":"Write two","scope":["docs/two.md"]}]}"#,
                )],
            ),
            ("Put these results", &[Say("both are there")]),
            ("Write one", &[Edit("src/one.rs", "one\n"), Say("one is there")]),
            ("Write two", &[Edit("docs/two.md", "two\n"), Say("two is there")]),
        ],
        told: &[Agent("one is there"), Person("both are there")],
        left: &[("src/one.rs", "one"), ("docs/two.md", "two")],
    },
    Example {
        heading: "Evaluator-optimizer",
        inputs: &["task=Await it"],
        rules: &[
            ("with line numbers", &[Run("true"), Say(r#"{"clean":false,"issues":[{"line":2,"what":"no await"}]}"#)]),
            ("with line numbers", &[Say(r#"{"clean":true,"issues":[]}"#)]),
            ("Await it", &[Run("echo more >>src/main.rs; pwd >>\"$HOME/places\""), Say("written")]),
        ],
        told: &[Agent("- line 2: no await")],
        left: &[("src/main.rs", "fn main() {}\nmore\nmore\n")],
    },
    Example {
        heading: "Hierarchical teams",
        inputs: &["feature=Sign in"],
        rules: &[
            (
                "Plan Sign in",
                &[Say(r#"{"parts":[{"topic":"Routes","folder":"back"},{"topic":"Forms","folder":"front"}]}"#)],
            ),
            ("Research best practices for: Routes", &[Say("one route")]),
            ("Research best practices for: Forms", &[Say("one form")]),
            ("Implement Routes", &[Edit("back/routes", "route\n"), Say("made")]),
            ("Implement Forms", &[Edit("front/forms", "form\n"), Say("made")]),
            ("Review this implementation", &[Say(r#"{"compliant":true,"issues":[]}"#)]),
        ],
        told: &[Agent("one route"), Agent("one form")],
        left: &[("back/routes", "route"), ("front/forms", "form"), (".context/architecture-plan.md", "Routes")],
    },
    Example {
        heading: "Research, implement, validate",
        inputs: &["topic=hashes"],
        rules: &[
            ("Research best practices", &[Say("salt it")]),
            ("Implement hashes", &[Edit("src/main.rs", "hash\n"), Say("done")]),
            ("Review this against", &[Say(r#"{"compliant":false,"issues":["no salt"]}"#)]),
            ("Address these issues", &[Edit("src/main.rs", "salted\n"), Say("added")]),
        ],
        told: &[Agent("salt it"), Agent("no salt")],
        left: &[("src/main.rs", "salted"), (".context/research.md", "salt it")],
    },
    Example {
        heading: "Bulk-refine",
        inputs: &[],
        rules: &[
            ("Generate tests for src/main.rs", &[Say("fn test() {}")]),
            ("Which of these are critical? tests/test_main.rs", &[Say(r#"{"refine":["tests/test_main.rs"]}"#)]),
            ("Refine tests/test_main.rs", &[Run("echo '// more' >>tests/test_main.rs"), Say("refined")]),
        ],
        told: &[Agent("fn main() {}")],
        left: &[("tests/test_main.rs", "fn test() {}\n// more\n")],
    },
    Example {
        heading: "Escalation, and what the one tells the other by files",
        inputs: &[],
        rules: &[
            ("Go on from these", &[Say("gone on")]),
            ("Analyze the requirements", &[Error("overloaded"), Exit(1)]),
            ("Analyze the requirements", &[Say("it has to be fast")]),
        ],
        told: &[Agent("it has to be fast"), Person("gone on")],
        left: &[(".context/requirements.md", "it has to be fast")],
    },
];

/// The workflows of the page that are complete, each with the heading above it.
fn written() -> Vec<(String, String)> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/workflows.md")).unwrap();
    let mut found = Vec::new();
    for part in page.split("\n### ").skip(1) {
        let heading = part.lines().next().unwrap();
        let blocks = part.split("```toml\n").skip(1).filter_map(|rest| rest.split("```\n").next());
        found.extend(blocks.filter(|text| text.contains("[[step]]")).map(|text| (heading.to_owned(), text.to_owned())));
    }
    found
}

#[test]
fn every_example_of_the_page_is_run() {
    let written: Vec<String> = written().into_iter().map(|(heading, _)| heading).collect();
    let known: Vec<&str> = EXAMPLES.iter().map(|example| example.heading).collect();
    assert_eq!(written, known);
}

fn played(example: &Example, text: &str) {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[("example", text)]);
    install(&env, "npm", NOTES);
    for script in ["migrate.sh", "flag.sh", "smoke.sh"] {
        repo.write(script, NOTES);
        fs::set_permissions(repo.dir.join(script), fs::Permissions::from_mode(0o755)).unwrap();
    }
    // The one who is asked first is not well.
    let is_escalated = example.heading.starts_with("Escalation");
    for (needle, acts) in example.rules {
        let agent = if is_escalated && matches!(acts[0], Error(_)) { "gemini" } else { "claude" };
        agents.plays_when(agent, needle, acts);
    }
    let inputs: Vec<&str> = example.inputs.iter().flat_map(|input| ["-i", *input]).collect();
    let ended = match example.heading {
        "Event-driven" => {
            repo.ok(&["workflow", "enable", "example"]);
            repo.aio(&["emit", "test_failed", "--details", "one"])
        }
        _ => repo.aio(&[&["run", "example"], &inputs[..]].concat()),
    };
    let heading = example.heading;
    assert_eq!(ended.code, 0, "{heading}\n{}\n{}", ended.stdout, ended.stderr);
    let prompts: Vec<String> = agents.calls("claude").into_iter().map(|call| call.prompt).collect();
    for part in example.told {
        let is_there = match part {
            Agent(words) => prompts.iter().any(|prompt| prompt.contains(words)),
            Person(words) => ended.stdout.contains(words),
        };
        assert!(is_there, "{heading}: {part:?}\n{}\n{prompts:#?}", ended.stdout);
    }
    for (path, words) in example.left {
        let text = fs::read_to_string(repo.dir.join(path)).unwrap_or_else(|error| panic!("{heading}: {path}: {error}"));
        assert!(text.contains(words), "{heading}: {path}: {text}");
    }
    assert_free(&repo);
}

/// The example under a heading.
fn under(heading: &str) -> String {
    let found = written().into_iter().find(|(known, _)| known == heading);
    found.unwrap_or_else(|| panic!("no example of {heading}")).1
}

/// A program that notes how it was called, and fails where its first words are these.
fn failing_at(words: &str) -> String {
    format!("{NOTES}case \"$*\" in \"{words}\"*) exit 1;; esac\n")
}

#[test]
fn an_early_exit_begins_nothing_after_the_step_that_fails() {
    let env = TestEnvironment::new();
    let (_, repo) = place(&env, &[("example", &under("Early exit"))]);
    install(&env, "npm", &failing_at("run lint"));
    for args in [&["example"][..], &["ci", "-i", "stages=npm run lint, npm test"]] {
        let ended = repo.aio(&[&["run"], args].concat());
        assert!(ended.code == 1 && ended.stderr.contains("Pipeline failed: "), "{args:?}: {ended:?}");
        assert_eq!(lines(&repo.dir.join("../log")), ["npm run lint"], "{args:?}");
        fs::remove_file(repo.dir.join("../log")).unwrap();
    }
    assert_free(&repo);
}

#[test]
fn a_saga_is_undone_from_its_last_step_to_its_first() {
    let env = TestEnvironment::new();
    // How long it waits between tries is the same but for the figure.
    let text = under("Saga").replace("delay = \"10s\"", "delay = \"10ms\"");
    let (_, repo) = place(&env, &[("example", &text)]);
    let undone = ["flag.sh off", "migrate.sh down"];
    for (fails, done, undone) in [
        (
            "smoke.sh",
            &["migrate.sh up", "flag.sh on", "smoke.sh ", "smoke.sh ", "smoke.sh ", "smoke.sh "][..],
            &undone[..],
        ),
        ("flag.sh", &["migrate.sh up", "flag.sh on"], &undone[1..]),
        ("migrate.sh", &["migrate.sh up"], &undone[1..]),
    ] {
        for script in ["migrate.sh", "flag.sh", "smoke.sh"] {
            let fails_at = if script == "smoke.sh" {
                ""
            } else if script == "flag.sh" {
                "on"
            } else {
                "up"
            };
            repo.write(script, &if script == fails { failing_at(fails_at) } else { NOTES.to_owned() });
            fs::set_permissions(repo.dir.join(script), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let ended = repo.aio(&["run", "example"]);
        assert_eq!(ended.code, 6, "{fails}: {ended:?}");
        assert_eq!(lines(&repo.dir.join("../log")), [done, undone].concat(), "{fails}");
        fs::remove_file(repo.dir.join("../log")).unwrap();
    }
    assert_free(&repo);
}

/// Plays some of the examples, so that several tests share them.
fn some(part: usize) {
    let written = written();
    for (at, example) in EXAMPLES.iter().enumerate().filter(|(at, _)| at % 3 == part) {
        played(example, &written[at].1);
    }
}

#[test]
fn the_first_of_three_examples_does_what_it_says() {
    some(0);
}

#[test]
fn the_second_of_three_examples_does_what_it_says() {
    some(1);
}

#[test]
fn the_third_of_three_examples_does_what_it_says() {
    some(2);
}
