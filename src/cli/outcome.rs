//! How a run ended, for scripts and for people: what is the same of a delegation and of a workflow.

use super::{exit::Exit, live::likely_cause};
use crate::{
    base::id::RunId,
    model::run::{FailureKind, Step, StepStatus},
    ops::run::ShownRun,
    runner::delegation::DELEGATION,
};

/// The exit code of what failed for this.
pub(crate) fn exit_of(failure: Option<FailureKind>) -> Exit {
    match failure {
        Some(FailureKind::Held) => Exit::Conflict,
        Some(FailureKind::Check | FailureKind::Scope | FailureKind::Missed | FailureKind::Wrong) => Exit::Unverified,
        _ => Exit::Failed,
    }
}

/// What came of a step: how much it answered, or how it stands.
pub(crate) fn said(step: &Step) -> String {
    match step.status {
        StepStatus::Ok => step.size(),
        StepStatus::Failed => "Failed (0 bytes)".to_owned(),
        status => status.to_string(),
    }
}

/// Why a step or what is inside of it probably failed, where that can be told: of the last attempt of an agent that came to
/// nothing for just this. Of commands, answers, and what was ended since its time was up nothing is known.
pub(crate) fn cause(run: &ShownRun, name: &str, failure: FailureKind) -> Option<String> {
    let is_meant = |step: &&Step| {
        let path = step.path.as_str();
        path == name || path.strip_prefix(name).is_some_and(|inner| inner.starts_with('/'))
    };
    let failed = run.steps.iter().filter(is_meant).filter(|step| step.kind == "prompt");
    let mut attempts = failed.filter_map(|step| step.attempts.last()?.failure.as_ref());
    let cause =
        attempts.find(|own| own.kind == failure).and_then(|_| likely_cause(failure, run.run.workflow == DELEGATION))?;
    Some(format!("likely cause: {cause}"))
}

/// How it is gone on with, where somebody else holds what it needs.
pub(crate) fn held(id: &RunId) -> String {
    format!("`git aio run resume {id}` goes on once it is free; `git aio run resume {id} --wait <time>` waits for that")
}

/// How what failed is done again.
pub(crate) fn again(run: &RunId, step: &str) -> String {
    format!("`git aio run retry {run}/{step}` does it again, with what came after")
}

/// How it is gone on with.
pub(crate) fn interrupted(id: &RunId) -> String {
    format!("interrupted: `git aio run resume {id}` goes on with it")
}
