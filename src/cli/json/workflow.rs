//! Workflows in JSON.

use super::{ErrorBody, RunAnswer, SCHEMA};
use crate::runner::{builtin::Choice, language::workflow::Input, plan::Planned, work::Isolation};
use schemars::JsonSchema;
use serde::Serialize;

/// A workflow.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Workflow {
    pub(in crate::cli) name: String,
    /// What it does
    pub(in crate::cli) about: String,
    /// `builtin`, `own`, `repository` or `file`
    pub(in crate::cli) origin: String,
    /// The file, unless it comes with git-aio
    pub(in crate::cli) path: Option<String>,
    /// Whether it can't be run, since nobody has approved it
    pub(in crate::cli) waiting: bool,
    /// The events that it handles
    pub(in crate::cli) on: Vec<String>,
    /// Those of them that you have enabled it for, so that they start it
    pub(in crate::cli) enabled: Vec<String>,
    /// Whether it has changed since it was enabled, so that nothing starts it
    pub(in crate::cli) changed: bool,
    /// Why it can't be run, if something is wrong with it
    pub(in crate::cli) error: Option<String>,
}

/// What a workflow is given.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WorkflowInput {
    name: String,
    /// As JSON; `null`: it has to be given
    default: Option<String>,
}

/// A step of a plan.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlannedStep {
    /// With the steps that it is inside of: `refine/write`
    step: String,
    line: usize,
    /// `prompt`, `run`, `ask`, `workflow` or `block`
    kind: String,
    /// The steps that it waits for
    needs: Vec<String>,
    #[serde(rename = "if")]
    condition: Option<String>,
    for_each: bool,
    rounds: Option<u32>,
    agents: Vec<String>,
    scope: Vec<String>,
    /// `claims` or `worktree`, for one that writes
    isolation: Option<String>,
}

/// A row of a table by which a pattern is chosen.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PatternChoice {
    scenario: String,
    pattern: String,
    why: Option<String>,
    workflows: Vec<String>,
}

macro_rules! answer {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Serialize, JsonSchema)]
        pub struct $name {
            schema: u32,
            $($(#[$field_doc])* $field: $type,)*
        }

        impl $name {
            pub(in crate::cli) fn new($($field: $type),*) -> Self {
                $name { schema: SCHEMA, $($field),* }
            }
        }
    };
}

answer!(
    /// workflow list, workflow check, workflow enable, workflow disable
    WorkflowsAnswer { workflows: Vec<Workflow> }
);
answer!(
    /// workflow show, workflow new
    WorkflowAnswer { workflow: Workflow, text: String, inputs: Vec<WorkflowInput>, steps: Vec<PlannedStep> }
);
answer!(
    /// emit: the runs that it started
    EmitAnswer {
        event: String,
        runs: Vec<RunAnswer>,
        /// The handlers that gave no run to tell of, such as those that could not be started
        errors: Vec<HandlerError>,
    }
);
answer!(
    /// workflow patterns
    PatternsAnswer { scenarios: Vec<PatternChoice>, needs: Vec<PatternChoice> }
);

/// A handler of an event that gave no run to tell of.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HandlerError {
    pub(in crate::cli) workflow: String,
    /// Why not
    pub(in crate::cli) error: ErrorBody,
}

impl WorkflowInput {
    pub(in crate::cli) fn new(input: &Input) -> Self {
        WorkflowInput { name: input.name.clone(), default: input.default.as_ref().map(ToString::to_string) }
    }
}

impl PlannedStep {
    pub(in crate::cli) fn new(step: &Planned) -> Self {
        PlannedStep {
            step: step.place.clone(),
            line: step.line,
            kind: step.kind.into(),
            needs: step.needs.clone(),
            condition: step.condition.clone(),
            for_each: step.is_many,
            rounds: step.rounds,
            agents: step.agents.clone(),
            scope: step.scope.clone(),
            isolation: step.isolation.map(|isolation| match isolation {
                Isolation::Claims => "claims".into(),
                Isolation::Worktree => "worktree".into(),
            }),
        }
    }
}

impl PatternChoice {
    pub(in crate::cli) fn new(choice: &Choice) -> Self {
        PatternChoice {
            scenario: choice.scenario.into(),
            pattern: choice.pattern.into(),
            why: choice.why.map(str::to_owned),
            workflows: choice.workflows.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}
