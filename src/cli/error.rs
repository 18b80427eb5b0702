//! The funnel: every failure becomes a kind, a message, a way on and an exit code, here and nowhere else.

use super::{
    exit::Exit,
    format,
    json::{Conflict, ErrorAnswer, ErrorBody},
    ui::Ui,
};
use crate::{
    base::{id::RunId, refs::RefError, text, world::Time},
    model::claim::Holder,
    ops::{Error, Held, OpenError, StoreError},
};
use std::{io, process::ExitCode};

/// Longest message, in characters.
const MAX: usize = 2000;

/// Wrong use that only a command can see.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Usage {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// Wrong use, with the way on.
pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Usage { message: message.into(), hint: Some(hint.into()) }.into()
}

struct Told {
    kind: &'static str,
    exit: Exit,
    message: String,
    hint: Option<String>,
}

/// Tells of a failure and how the program ends for it.
pub(crate) fn report(ui: &Ui, error: &anyhow::Error, now: Time) -> ExitCode {
    if is_closed_pipe(error) {
        return Exit::Done.into();
    }
    let told = tell(error);
    if ui.json {
        if let Err(unwritten) = ui.answer(|| told.answer(error), |_| Ok(())) {
            ui.error(&format!("error: {}", text::block(&format!("{error:#}"), MAX)), None);
            ui.error(&text::block(&format!("{unwritten:#}"), MAX), None);
        }
    } else {
        let (message, hint) = told.words(error, now);
        ui.error(&message, hint.as_deref());
    }
    told.exit.into()
}

/// Whoever closed the pipe has seen enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
            || cause
                .downcast_ref::<serde_json::Error>()
                .is_some_and(|e| e.io_error_kind() == Some(io::ErrorKind::BrokenPipe))
    })
}

/// Tells of a failure after which others are gone on with, unless JSON is to have it. That, and how the program would end for
/// it alone; `None` where that is no failure.
pub(crate) fn report_one(ui: &Ui, whose: &str, error: &anyhow::Error, now: Time) -> Option<(ErrorBody, Exit)> {
    if is_closed_pipe(error) {
        return None;
    }
    let told = tell(error);
    if !ui.json {
        let (message, hint) = told.words(error, now);
        ui.error(&format!("{whose}: {message}"), hint.as_deref());
    }
    Some((told.body(error), told.exit))
}

/// A failure in JSON and in words, for a program that called us.
#[cfg(feature = "mcp")]
pub(crate) fn in_both_forms(error: &anyhow::Error, now: Time) -> (ErrorAnswer, String) {
    let told = tell(error);
    let (message, hint) = told.words(error, now);
    let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    (told.answer(error), format!("{message}{hint}"))
}

impl Told {
    fn answer(&self, error: &anyhow::Error) -> ErrorAnswer {
        ErrorAnswer::new(self.body(error))
    }

    fn body(&self, error: &anyhow::Error) -> ErrorBody {
        ErrorBody {
            kind: self.kind.into(),
            message: self.message.clone(),
            hint: self.hint.clone(),
            conflicts: held(error).iter().map(Conflict::new).collect(),
            run: match error.downcast_ref::<Error>() {
                Some(Error::RunHeld { run, .. } | Error::Driven { run, .. }) => Some(run.to_string()),
                _ => None,
            },
        }
    }

    /// The message and the hint. What they speak of may be anybody's words: a path, a name, a line of a record.
    fn words(&self, error: &anyhow::Error, now: Time) -> (String, Option<String>) {
        let message = match held(error) {
            [] => format!("error: {}", text::block(&self.message, MAX)),
            held => refusal(held, now),
        };
        (message, self.hint.as_ref().map(|hint| text::block(hint, MAX)))
    }
}

/// What is in the way, where something is.
fn held(error: &anyhow::Error) -> &[Held] {
    match error.downcast_ref::<Error>() {
        Some(Error::Held(held) | Error::RunHeld { held, .. }) => held,
        _ => &[],
    }
}

/// Tells in JSON of a command line that can't be read.
pub(super) fn report_misread(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let message = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let message = message.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let hint = Some("see `git aio <command> --help`".to_owned());
    let answer = ErrorAnswer::new(ErrorBody { kind: "usage".into(), message, hint, conflicts: Vec::new(), run: None });
    let _ = Ui::new(true, false).answer(|| answer, |_| Ok(()));
    Exit::Usage.into()
}

/// A refusal, claim by claim. It names holder, reason and end, and never a command that would break a claim.
fn refusal(held: &[Held], now: Time) -> String {
    let lines = held.iter().map(|held| format::held(held, now));
    let mut text = format!("already claimed: {}", lines.clone().next().unwrap_or_default());
    lines.skip(1).for_each(|line| {
        text.push_str("\n                 ");
        text.push_str(&line);
    });
    text
}

fn tell(error: &anyhow::Error) -> Told {
    if let Some(usage) = error.downcast_ref::<Usage>() {
        return Told { kind: "usage", exit: Exit::Usage, message: usage.to_string(), hint: usage.hint.clone() };
    }
    let Some(error) = error.downcast_ref::<Error>() else {
        return Told { kind: "failed", exit: Exit::Failed, message: format!("{error:#}"), hint: None };
    };
    let (kind, exit, hint) = match error {
        Error::Held(held) if held.iter().all(|held| matches!(held.conflict.claim.holder, Holder::Handoff(_))) => {
            ("conflict", Exit::Conflict, Some(WAYS_ON_FROM_A_HANDOFF.to_owned()))
        }
        Error::Held(held) => ("conflict", Exit::Conflict, Some(ways_on(held))),
        Error::RunHeld { run, held } => ("conflict", Exit::Conflict, Some(ways_on_of(run, held))),
        Error::Usage { hint, .. } => ("usage", Exit::Usage, hint.clone()),
        Error::NotFound { hint, .. } => ("not-found", Exit::NotFound, hint.clone()),
        Error::NotAllowed { hint, .. } => ("not-allowed", Exit::Conflict, hint.clone()),
        Error::HandoffSettled(_) => ("settled", Exit::Conflict, None),
        Error::NotConfirmed { hint, .. } => ("not-confirmed", Exit::NotConfirmed, hint.clone()),
        Error::Unanswered(_) => ("not-confirmed", Exit::NotConfirmed, Some(UNANSWERED.to_owned())),
        Error::Busy(_) => ("busy", Exit::Busy, Some("try again".to_owned())),
        Error::Driven { pid, .. } => ("busy", Exit::Busy, Some(how_to_stop(*pid))),
        Error::Contended(_) => ("busy", Exit::Busy, None),
        Error::Open(error) => return tell_open(error),
        Error::Store(error) => return tell_store(error),
        Error::Tracker(error) => {
            let hint = format!("`{} ready --json`, at the root of the repository, may say more", error.program());
            ("failed", Exit::Failed, Some(hint))
        }
        Error::Failed(_) | Error::Git(_) | Error::File { .. } => ("failed", Exit::Failed, None),
    };
    let message = match error {
        Error::File { what, source } => format!("{what}: {source}"),
        error => error.to_string(),
    };
    Told { kind, exit, message, hint }
}

/// What to do when it isn't known whether the hub did what it was asked for.
const UNANSWERED: &str = "the next `git aio sync` tells, and nothing is done twice";

/// What can safely be done about a path that somebody else holds.
pub(crate) const WAYS_ON: &str =
    "wait for it (claim --wait), claim something narrower, or ask the holder by `git aio handoff new`";

/// The same, and how the work ends that goes on without its driver, where that is in the way.
fn ways_on(held: &[Held]) -> String {
    match held.iter().find_map(|held| held.abandoned.as_ref()) {
        None => WAYS_ON.to_owned(),
        Some(run) => format!(
            "the driver of {run} is gone, and its agent still works: `git aio run resume {run}` ends that and goes on with the \
             run, `git aio run cancel {run}` ends both"
        ),
    }
}

/// The same for a run that can't go on before it is free.
fn ways_on_of(run: &RunId, held: &[Held]) -> String {
    match held.iter().any(|held| held.abandoned.is_some()) {
        true => ways_on(held),
        false => {
            format!("`git aio run resume {run}` goes on once it is free; `git aio run --wait <time>` waits for that")
        }
    }
}

/// How somebody else's hold on a run ends.
fn how_to_stop(pid: u32) -> String {
    if pid == 0 {
        return "try again when it has ended".to_owned();
    }
    format!(
        "let it come to its end, or stop it by Ctrl-C where it runs, or SIGTERM to {pid}; the run can then be resumed or cancelled"
    )
}

/// The same where an open handoff holds it: somebody is waited for.
const WAYS_ON_FROM_A_HANDOFF: &str = "who accepts the handoff gets its claims (`git aio handoff show` tells what it is about); or claim something narrower";

fn tell_open(error: &OpenError) -> Told {
    let hint = match error {
        OpenError::NotFound(_) => "run it inside a git repository, or name one with -C".to_owned(),
        OpenError::Untrusted(dir) => format!("if you trust it, add {} to git's safe.directory", dir.display()),
        OpenError::Unusable { .. } => "`git status` may say more".to_owned(),
    };
    Told { kind: "repository", exit: Exit::Failed, message: error.to_string(), hint: Some(hint) }
}

fn tell_store(error: &StoreError) -> Told {
    let told =
        |kind, exit, hint: Option<&str>| Told { kind, exit, message: error.to_string(), hint: hint.map(str::to_owned) };
    match error {
        StoreError::Damaged { .. } | StoreError::Tip(_) => {
            told("damaged", Exit::Failed, Some("`git aio doctor` says more, and `git aio doctor --repair` mends it"))
        }
        StoreError::Newer { .. } => told("newer", Exit::Failed, Some("update git-aio; until then it can only read")),
        StoreError::TooLarge { .. } => told("usage", Exit::Usage, Some("make it shorter")),
        StoreError::Ref(RefError::Locked { lock, .. }) => told(
            "busy",
            Exit::Busy,
            Some(&format!(
                "try again; if no git command is running, {} was left by one that was killed",
                lock.display()
            )),
        ),
        StoreError::Ref(RefError::Moved { .. }) => told("busy", Exit::Busy, Some("try again")),
        StoreError::Ref(RefError::Failed { verb: "read", .. }) => {
            told("damaged", Exit::Failed, Some("`git aio doctor --repair` goes back to the last whole state"))
        }
        StoreError::Ref(RefError::Failed { .. }) | StoreError::Write(_) => {
            told("write", Exit::Failed, Some("nothing was changed; is the repository writable, and is there space?"))
        }
        StoreError::Read(_) => told("failed", Exit::Failed, None),
    }
}
