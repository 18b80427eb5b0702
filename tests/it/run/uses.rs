//! The command lines of docs/workflows.md: one for each use that the catalogs and the guide name, each typed as it stands
//! there, with stand-ins that really do the work.

mod rules;
pub(super) mod world;

use super::*;
use world::{Told, World, install, world};

/// What the three documents name as uses, in their words but for the case.
const NAMED: [&str; 45] = [
    // The pattern catalog, in its order.
    "Code review pipelines",
    "Feature development workflows",
    "CI/CD automation",
    "Multi-module analysis",
    "Comprehensive codebase exploration",
    "Parallel testing",
    "Adaptive workflows",
    "Error handling paths",
    "Priority-based routing",
    "Code quality improvement",
    "Test coverage optimization",
    "Performance tuning",
    "Complex project management",
    "Multi-stage development",
    "Quality assurance workflows",
    "CI/CD integration",
    "Automated responses",
    "Monitoring and alerting",
    "Multi-file analysis",
    "Batch processing",
    "Aggregated reporting",
    "Database migrations",
    "Multi-service operations",
    "Reversible workflows",
    "Combining patterns",
    // The detailed workflows.
    "Complex task with distinct, parallelizable components",
    "Security audit + documentation update",
    "Code generation",
    "Creative writing",
    "Critical decisions",
    "Async/await refactoring",
    "Test-driven",
    "Very large systems, multi-phase projects",
    "Building features requiring current best practices",
    "Large repetitive tasks requiring refinement",
    "Try-catch-escalate",
    "Fallback chain",
    "File-based state sharing",
    "Progress ledger",
    "Staggered parallel execution",
    "Sequential with early exit",
    "Explicit planning mode",
    // The delegation guide.
    "Single agent task",
    "Pipeline execution",
    "Parallel execution",
];

/// Its three common workflows.
const COMMON: [&str; 3] = ["Bug sweep workflow", "Feature development workflow", "Refactoring workflow"];

/// The tables of uses: what each is of, and its rows of a use and a command.
fn tables() -> Vec<(String, Vec<(String, String)>)> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/workflows.md")).unwrap();
    let (_, page) = page.split_once("## What they are used for").unwrap();
    let (page, _) = page.split_once("\n## ").unwrap();
    let mut tables: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("| ")) {
        let (first, rest) = line.split_once(" |").unwrap();
        match rest.trim().strip_suffix("` |").and_then(|rest| rest.strip_prefix('`')) {
            Some(command) => tables.last_mut().unwrap().1.push((first.to_owned(), command.to_owned())),
            None => tables.push((first.to_owned(), Vec::new())),
        }
    }
    tables
}

/// Types the command of every use in a table, each on a machine of its own.
fn typed(table: &str) {
    let tables = tables();
    let (_, rows) = tables.iter().find(|(name, _)| name == table).unwrap_or_else(|| panic!("no table of {table}"));
    assert!(!rows.is_empty(), "{table}");
    for (name, command) in rows {
        type_one(name, command);
    }
}

fn type_one(name: &str, command: &str) {
    let World { files, programs, rules, told, left } = world(name, command);
    let word = command.split_whitespace().nth(2).unwrap();
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    for (path, text) in files {
        repo.write(path, text);
    }
    for (program, script) in programs {
        install(&env, program, script);
    }
    for (agent, needle, acts) in rules {
        agents.plays_when(agent, needle, acts);
    }
    if word == "emit" {
        repo.ok(&["workflow", "enable", "on-event"]);
    }
    if command.ends_with("--ledger") {
        assert_eq!(repo.aio(&["run", "ci", "-i", "stages=true"]).code, 0);
    }
    let ended = run(env.command("sh", &repo.dir).args(["-c", command]));
    let asked: Vec<_> = ["claude", "codex", "gemini"].iter().flat_map(|name| agents.calls(name)).collect();
    let prompts: Vec<&str> = asked.iter().map(|call| &call.prompt[..]).collect();
    assert_eq!(ended.code, 0, "{name}: {command}\n{}\n{}\n{prompts:#?}", ended.stdout, ended.stderr);
    for part in told {
        let is_there = match part {
            Told::Agent(words) => prompts.iter().any(|prompt| prompt.contains(words)),
            Told::Person(words) => ended.stdout.contains(words),
        };
        assert!(is_there, "{name}: {part:?}\n{}\n{prompts:#?}", ended.stdout);
    }
    for (path, words) in left {
        let text = fs::read_to_string(repo.dir.join(path)).unwrap_or_else(|error| panic!("{name}: {path}: {error}"));
        assert!(text.contains(words), "{name}: {path}: {text}");
    }
    let (shown, _) = answer(&repo.aio(&["run", "show", "--json"]));
    assert!(["complete", "all_transactions_complete"].contains(&status(&shown)), "{name}: {shown:#}");
    assert_free(&repo);
}

#[test]
fn every_use_that_is_named_has_its_command() {
    let rows: Vec<(String, String)> = tables().into_iter().flat_map(|(_, rows)| rows).collect();
    for name in NAMED.iter().chain(&COMMON) {
        let commands: Vec<_> = rows.iter().filter(|(known, _)| known == name).collect();
        assert_eq!(commands.len(), 1, "{name}: {commands:?}");
    }
    let is_named = |name: &str| NAMED.contains(&name) || COMMON.contains(&name);
    let unnamed: Vec<_> = rows.iter().filter(|(name, _)| !is_named(name)).collect();
    assert!(unnamed.is_empty(), "{unnamed:?}");
    let tested = include_str!("uses.rs");
    for (table, _) in tables() {
        assert!(tested.contains(&format!("typed(\"{table}\")")), "nothing types what is in the table of {table}");
    }
}

#[test]
fn a_sequential_pipeline_is_typed() {
    typed("sequential pipeline");
}

#[test]
fn a_parallel_fan_out_is_typed() {
    typed("parallel fan-out");
}

#[test]
fn conditional_branching_is_typed() {
    typed("conditional branching");
}

#[test]
fn iterative_refinement_is_typed() {
    typed("iterative refinement");
}

#[test]
fn a_supervisor_is_typed() {
    typed("supervisor");
}

#[test]
fn what_is_event_driven_is_typed() {
    typed("event-driven");
}

#[test]
fn a_map_and_reduce_is_typed() {
    typed("map-reduce");
}

#[test]
fn a_saga_is_typed() {
    typed("saga");
}

#[test]
fn teams_are_typed() {
    typed("orchestrator-workers, teams, and patterns together");
}

#[test]
fn evaluator_and_optimizer_are_typed() {
    typed("evaluator-optimizer");
}

#[test]
fn research_volume_and_escalation_are_typed() {
    typed("research, volume, escalation");
}

#[test]
fn a_delegation_and_the_common_workflows_are_typed() {
    typed("delegation");
}
