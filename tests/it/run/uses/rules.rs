//! What the stand-ins do for each workflow: who does what for which prompt.

use crate::fake::Do::{self, Edit, Error, Exit, Run, Say};

/// Who does what for a prompt that has these words in it.
pub type Rule = (&'static str, &'static str, &'static [Do<'static>]);

const REVIEW: &[Rule] = &[
    ("claude", "Current task: Find what is wrong", &[Say("line 1 is wrong")]),
    ("claude", "Current task: Find how", &[Say("it can't be misused")]),
    ("claude", "Current task: Find what of", &[Say("nothing tests it")]),
    ("claude", "Current task: Give the verdict", &[Say(r#"{"verdict":"minor","issues":["a test"]}"#)]),
];
const PIPELINE: &[Rule] = &[
    ("claude", "Current task: Analyze", &[Say("two logins")]),
    ("claude", "Current task: Design", &[Say("one login")]),
    ("claude", "Current task: Implement", &[Edit("src/main.rs", "built\n"), Say("built it")]),
    ("claude", "Current task: Test", &[Edit("src/test.rs", "tested\n"), Say("tested it")]),
];
const FAN_OUT: &[Rule] = &[
    ("claude", "Combine these findings", &[Say("all is fine")]),
    ("claude", "Combine what these suites", &[Say("both pass")]),
    ("claude", "Analyze ", &[Say("this is fine")]),
    ("gemini", "Analyze ", &[Say("done by gemini")]),
];
const TRIAGE: &[Rule] = &[
    ("claude", "Analyze the failed build", &[Say(CRITICAL)]),
    ("claude", "Analyze the open bugs", &[Say(SECURITY)]),
    ("claude", "Analyze the module", &[Say(MINOR)]),
    ("claude", "Critical issues found", &[Edit("src/main.rs", "fixed\n"), Say("fixed")]),
    ("claude", "Security issues found", &[Say("a token in the log")]),
    ("claude", "Minor issues only", &[Say("a shorter name")]),
];
const CRITICAL: &str = r#"{"issues":[{"severity":"critical","type":"bug","where":"a","what":"b"},{"severity":"minor","type":"security","where":"a","what":"b"}]}"#;
const SECURITY: &str = r#"{"issues":[{"severity":"major","type":"security","where":"a","what":"b"}]}"#;
const MINOR: &str = r#"{"issues":[{"severity":"minor","type":"style","where":"a","what":"b"}]}"#;
const REFINE: &[Rule] = &[
    ("claude", "Evaluate the current", &[Say(r#"{"score":6,"issues":[{"where":"a:1","what":"too long"}]}"#)]),
    ("claude", "Evaluate the current", &[Say(r#"{"score":9,"issues":[]}"#)]),
    ("claude", "Raise the coverage", &[Edit("tests/login.rs", "round\n"), Say("written")]),
    ("claude", "Implement/improve", &[Run("echo round >>src/auth/login.rs"), Say("written")]),
];
const SUPERVISE: &[Rule] = &[
    (
        "claude",
        "You are the supervisor",
        &[Say(
            r#"{"done":false,"why":"x","tasks":[{"worker":"bug-fixer","task":"Make it right","scope":["src/main.rs"]},{"worker":"code-reviewer","task":"Look at it","scope":[]}]}"#,
        )],
    ),
    ("claude", "You are the supervisor", &[Say(r#"{"done":true,"why":"all is well","tasks":[]}"#)]),
    ("claude", "Make it right", &[Edit("src/main.rs", "right\n"), Say("did it")]),
    ("claude", "Look at it", &[Say("looks good")]),
];
const EVENTS: &[Rule] = &[
    ("claude", "Event: test_failed", &[Edit("src/main.rs", "handled\n"), Say("fixed the test")]),
    ("claude", "Event: security_alert", &[Say("looked at the alert")]),
    ("claude", "Event: performance_issue", &[Edit("src/main.rs", "handled\n"), Say("made it fast")]),
];
const MAP_REDUCE: &[Rule] = &[
    ("claude", "Combine these results", &[Say("Nothing is odd.")]),
    ("claude", "Analyze ", &[Say(r#"{"purpose":"a","patterns":["b"],"risks":[{"line":1,"what":"c"}]}"#)]),
];
const SAGA: &[Rule] = &[
    ("claude", "Plan an expand", &[Say(r#"{"name":"split","steps":["add it"],"risk":"low"}"#)]),
    (
        "claude",
        "Write migrations",
        &[Edit("migrations/split/up.sql", "up\n"), Edit("migrations/split/down.sql", "down\n"), Say("written")],
    ),
    ("claude", "Execute transaction: Rename login", &[Edit("src/main.rs", "sign_in\n"), Say("renamed")]),
];
const WORKERS: &[Rule] = &[
    (
        "claude",
        "Break this task",
        &[Say(
            r#"{"parts":[{"worker":"implementer","task":"Write one","scope":["src/one.rs"]},{"worker":"documenter","task":"Write two","scope":["docs/two.md"]}]}"#,
        )],
    ),
    ("claude", "Put the results", &[Say("both are there")]),
    ("claude", "Write one", &[Edit("src/one.rs", "one\n"), Say("one")]),
    ("claude", "Write two", &[Edit("docs/two.md", "two\n"), Say("two")]),
];
const AUDIT: &[Rule] = &[
    ("claude", "security audit of the code", &[Say("no secrets")]),
    ("claude", "Identify documentation gaps", &[Say("no usage")]),
    (
        "claude",
        "Combine the two findings",
        &[Say(r#"{"changes":[{"file":"README.md","change":"say more","why":"x"}]}"#)],
    ),
    ("claude", "Apply these changes", &[Edit("README.md", "# demo\n\nUse it.\n"), Say("applied")]),
];
const TEAM: &[Rule] = &[
    ("claude", "Write the architecture plan", &[Say("three layers")]),
    ("claude", "Design the backend", &[Say("one route")]),
    ("claude", "Research current best", &[Say("use forms")]),
    ("claude", "Generate the file", &[Say("def route(): pass")]),
    ("claude", "Complete the backend", &[Run("echo '# reviewed' >>backend/routes/auth.py"), Say("reviewed")]),
    ("claude", "Implement the frontend", &[Edit("frontend/a.js", "form()\n"), Say("made")]),
];
const ADAPT: &[Rule] = &[
    ("claude", "Analyze the module src/main.rs", &[Say(r#"{"needs_refactoring":true,"findings":"too long"}"#)]),
    ("claude", "Analyze the module", &[Say(r#"{"needs_refactoring":false,"findings":"fine"}"#)]),
    ("claude", "Evaluate the current", &[Say(r#"{"score":8,"issues":[]}"#)]),
    ("claude", "Implement/improve", &[Edit("src/main.rs", "refined\n"), Say("written")]),
    ("claude", "You are the supervisor", &[Say(r#"{"done":true,"why":"x","tasks":[]}"#)]),
];
const PLAN: &[Rule] = &[(
    "claude",
    "Create a plan utilizing agents",
    &[
        Edit(".aio/workflows/planned.toml", "about = \"Do it.\"\n\n[[step]]\nid = \"a\"\nprompt = \"Do it.\"\n"),
        Say("planned"),
    ],
)];
const EVALUATE: &[Rule] = &[
    ("claude", "Check for:", &[Say(r#"{"clean":false,"issues":[{"line":1,"what":"too short"}]}"#)]),
    ("claude", "Check for:", &[Say(r#"{"clean":true,"issues":[]}"#)]),
    ("claude", "Work on .context/date.rs", &[Run("echo more >>.context/date.rs"), Say("written")]),
    ("claude", "Work on .context/main.rs", &[Run("echo more >>.context/main.rs"), Say("written")]),
    ("claude", "Work on .context/news.md", &[Run("echo more >>.context/news.md"), Say("written")]),
    ("claude", "Work on .context/1.md", &[Run("echo more >>.context/1.md"), Say("written")]),
];
const RESEARCH: &[Rule] = &[
    ("claude", "Research best practices", &[Say("salt it")]),
    ("claude", "following this research", &[Edit("src/main.rs", "built\n"), Say("done")]),
    ("claude", "Review this implementation", &[Say(r#"{"compliant":false,"issues":["no salt"]}"#)]),
    ("claude", "Address these issues", &[Edit("src/main.rs", "salted\n"), Say("added")]),
];
const BULK: &[Rule] = &[
    ("claude", "unit tests for main.rs", &[Say("fn test() {}")]),
    ("claude", "Which of these files", &[Say(r#"{"refine":["tests/test_main.rs"]}"#)]),
    ("claude", "Review tests/test_main.rs", &[Run("echo '// more' >>tests/test_main.rs"), Say("refined")]),
];
const ESCALATE: &[Rule] = &[
    ("gemini", "List the endpoints", &[Error("overloaded"), Exit(1)]),
    ("claude", "List the endpoints", &[Say("GET /a")]),
];
const DELEGATE: &[Rule] = &[
    ("codex", "Fix the bugs", &[Edit("src/main.rs", "BROKEN\n"), Say("fixed")]),
    ("codex", "Fix the bugs", &[Edit("src/main.rs", "fixed\n"), Say("fixed")]),
];
const ENDPOINT: &[Rule] = &[
    ("claude", "Plan this endpoint", &[Say("one file")]),
    ("claude", "Implement auth", &[Edit("src/a.rs", "a\n"), Say("done")]),
    ("claude", "Write the tests of", &[Edit("src/a_test.rs", "test\n"), Say("done")]),
    ("claude", "Security audit", &[Say(r#"{"ok":true,"message":"Add auth","issues":[]}"#)]),
];
const IMPROVE: &[Rule] = &[
    ("claude", "Clean up", &[Edit("src/main.rs", "clean\n"), Say("cleaned")]),
    ("claude", "Document what is", &[Edit("docs/main.md", "# main\n"), Say("documented")]),
    ("claude", "Write tests for", &[Edit("tests/main.rs", "test\n"), Say("tested")]),
    ("claude", "Review the merged", &[Say(r#"{"ok":true,"notes":"fine"}"#)]),
];
const BUGS: &[Rule] = &[
    (
        "claude",
        "Turn the bug report",
        &[Say(r#"{"bugs":[{"id":"B1","title":"login","files":["src/auth/login.rs"],"detail":"x"}]}"#)],
    ),
    ("claude", "Fix B1", &[Edit("src/auth/login.rs", "fixed\n"), Say("fixed")]),
    ("claude", "Security check", &[Say(r#"{"verdict":"minor","notes":"a name"}"#)]),
    ("claude", "Fix these directly", &[Edit("src/auth/login.rs", "fixed well\n"), Say("fixed")]),
    ("claude", "Write a detailed commit", &[Say("Fix the login")]),
];
const FEATURE: &[Rule] = &[
    (
        "claude",
        "Name the files to create",
        &[Say(
            r#"{"summary":"Two files","scope":["src/**"],"tests":["tests/**"],"criteria":["it works"],"tasks":[{"title":"Task one","scope":["src/one.rs"],"detail":"x"},{"title":"Task two","scope":["src/two.rs"],"detail":"y"}]}"#,
        )],
    ),
    ("claude", "Create the initial structure", &[Edit("src/one.rs", "begin\n"), Say("begun")]),
    ("claude", "Task one", &[Edit("src/one.rs", "one\n"), Say("one")]),
    ("claude", "Task two", &[Edit("src/two.rs", "two\n"), Say("two")]),
    ("claude", "Review, adjust and integrate", &[Say("nothing to do")]),
    ("claude", "Generate tests for", &[Edit("tests/one.rs", "test\n"), Say("tested")]),
    ("claude", "add JSDoc", &[Edit("docs/one.md", "one\n"), Say("documented")]),
    ("claude", "Final review", &[Say(r#"{"verdict":"ship","message":"Add both","reasons":[]}"#)]),
];
const REFACTOR: &[Rule] = &[
    ("claude", "Identify scope", &[Say(r#"{"scope":["src/**"],"strategy":"Rename all.","adr":true}"#)]),
    ("claude", "decision record of", &[Edit("docs/adr/1.md", "why\n"), Say("written")]),
    ("claude", "Check for issues", &[Say(r#"{"ok":true,"message":"Rename all"}"#)]),
    ("claude", "Rename all.", &[Edit("src/main.rs", "renamed\n"), Say("renamed")]),
];
const TDD: &[Rule] = &[("claude", "Make the login work", &[Edit("src/auth/login.rs", "works\n"), Say("done")])];

/// What the agents do where this workflow is run.
pub fn rules(workflow: &str) -> &'static [Rule] {
    match workflow {
        "review" => REVIEW,
        "pipeline" => PIPELINE,
        "fan-out" | "parallel-tests" => FAN_OUT,
        "triage" => TRIAGE,
        "refine" => REFINE,
        "tdd" => TDD,
        "supervise" => SUPERVISE,
        "map-reduce" => MAP_REDUCE,
        "migrate" | "saga" => SAGA,
        "orchestrator-workers" => WORKERS,
        "audit-docs" => AUDIT,
        "team" => TEAM,
        "adapt" => ADAPT,
        "plan" => PLAN,
        "evaluator-optimizer" => EVALUATE,
        "research" => RESEARCH,
        "bulk-refine" => BULK,
        "escalate" => ESCALATE,
        "endpoint" => ENDPOINT,
        "improve" => IMPROVE,
        "bug-sweep" => BUGS,
        "feature" => FEATURE,
        "refactor" => REFACTOR,
        "ci" | "show" => &[],
        word if word.starts_with("test_") || word.ends_with("_alert") || word.ends_with("_issue") => EVENTS,
        _ => DELEGATE,
    }
}
