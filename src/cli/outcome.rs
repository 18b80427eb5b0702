//! How a run ended, for scripts and for people: what is the same of a delegation and of a workflow.

use super::{exit::Exit, live::likely_cause};
use crate::{
    base::id::RunId,
    model::run::{FailureKind, Step, StepStatus},
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
        StepStatus::Ok => format!("{} bytes", step.bytes),
        StepStatus::Failed => "Failed (0 bytes)".to_owned(),
        status => status.to_string(),
    }
}

/// Why something probably failed, where that can be told.
pub(crate) fn cause(failure: Option<FailureKind>) -> Option<String> {
    failure.and_then(likely_cause).map(|cause| format!("likely cause: {cause}"))
}

/// How it is gone on with.
pub(crate) fn interrupted(id: &RunId) -> String {
    format!("interrupted: `git aio run resume {id}` goes on with it")
}
