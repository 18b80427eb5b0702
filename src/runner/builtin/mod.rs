//! The workflows that come with git-aio: every pattern of the two catalogs, and the three of the delegation guide.
//!
//! `git aio workflow new` copies one out, to be changed. What one needs of a repository is an input.

/// A workflow that comes with git-aio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Builtin {
    /// Its name.
    pub name: &'static str,
    /// Its file.
    pub text: &'static str,
}

macro_rules! builtins {
    ($($name:literal),* $(,)?) => {
        /// All of them.
        pub const ALL: &[Builtin] = &[$(Builtin { name: $name, text: include_str!(concat!($name, ".toml")) },)*];
    };
}

builtins! {
    "pipeline",
    "review",
    "ci",
    "fan-out",
    "parallel-tests",
    "triage",
    "refine",
    "evaluator-optimizer",
    "tdd",
    "supervise",
    "spokes",
    "on-event",
    "map-reduce",
    "saga",
    "migrate",
    "adapt",
    "orchestrator-workers",
    "audit-docs",
    "team",
    "research",
    "bulk-refine",
    "escalate",
    "improve",
    "endpoint",
    "bug-sweep",
    "feature",
    "refactor",
    "plan",
}

/// The one of this name.
pub fn find(name: &str) -> Option<&'static Builtin> {
    ALL.iter().find(|builtin| builtin.name == name)
}

/// A row of a table by which a pattern is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// What is to be done.
    pub scenario: &'static str,
    /// The pattern for it.
    pub pattern: &'static str,
    /// Why, where that is said.
    pub why: Option<&'static str>,
    /// The workflows that are written in that way, the plainest first.
    pub workflows: &'static [&'static str],
}

const fn choice(
    scenario: &'static str,
    pattern: &'static str,
    why: Option<&'static str>,
    workflows: &'static [&'static str],
) -> Choice {
    Choice { scenario, pattern, why, workflows }
}

/// The table of the pattern catalog, in its words, and behind it what the playbook begins its patterns with.
pub const BY_SCENARIO: [Choice; 9] = [
    choice("Step-by-step process", "Sequential Pipeline", None, &["pipeline", "endpoint", "review", "ci"]),
    choice("Independent parallel tasks", "Parallel Fan-out", None, &["fan-out", "improve", "parallel-tests"]),
    choice("Decision-based routing", "Conditional Branching", None, &["triage"]),
    choice("Quality improvement loop", "Iterative Refinement", None, &["refine", "tdd"]),
    choice("Complex coordination", "Supervisor Pattern", None, &["supervise"]),
    choice("Reactive automation", "Event-Driven", None, &["on-event"]),
    choice("Batch processing", "Map-Reduce", None, &["map-reduce"]),
    choice("Reversible operations", "Saga Pattern", None, &["saga", "migrate"]),
    choice("A queue that several drivers share", "Hub and spokes", None, &["spokes"]),
];

/// The table of the orchestration guide, in its words.
pub const BY_NEED: [Choice; 5] = [
    choice(
        "Multiple independent tasks",
        "Orchestrator-Workers",
        Some("Parallelization"),
        &["orchestrator-workers", "audit-docs"],
    ),
    choice("Need validation/review", "Evaluator-Optimizer", Some("Quality assurance"), &["evaluator-optimizer"]),
    choice("Multi-phase project", "Hierarchical Teams", Some("Complexity management"), &["team", "feature"]),
    choice("Requires latest info", "Research-Implement-Validate", Some("Current best practices"), &["research"]),
    choice("High volume + quality", "Bulk-Refine", Some("Efficiency + precision"), &["bulk-refine"]),
];

#[cfg(test)]
mod tests;
