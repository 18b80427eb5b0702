//! Why a use case did not come to its end. The edge turns the variants into exit codes and hints.

use crate::{
    base::{
        id::{RunId, TaskId},
        refs::RefError,
        text,
        world::Time,
    },
    host::git::GitError,
    model::{
        apply::{Conflict, Refusal},
        handoff::Handoff,
        liveness::Presence,
    },
};

/// What the store has to say, for the edge, which doesn't see it.
pub use crate::store::{OpenError, StoreError};

/// Why a use case did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else holds it.
    #[error("{}", held_message(.0))]
    Held(Vec<Held>),
    /// Somebody else holds what a run needs before it can go on, which is kept, and can be resumed.
    #[error("{}", held_message(.held))]
    RunHeld {
        /// The run.
        run: RunId,
        /// What is in the way.
        held: Vec<Held>,
    },
    /// Another process drives the run.
    #[error("{run} is being driven by the process {pid}")]
    Driven {
        /// The run.
        run: RunId,
        /// The process.
        pid: u32,
    },
    /// What was given can't be meant.
    #[error("{message}")]
    Usage {
        /// What is wrong with it.
        message: String,
        /// The way on.
        hint: Option<String>,
    },
    /// There is no such record, or the one who asks is not registered.
    #[error("{message}")]
    NotFound {
        /// What is missing.
        message: String,
        /// The way on.
        hint: Option<String>,
    },
    /// The one who asks may not.
    #[error("{message}")]
    NotAllowed {
        /// What is not allowed.
        message: String,
        /// The way on.
        hint: Option<String>,
    },
    /// The handoff is past that.
    #[error("{} is {} already{}", .0.id, .0.state.as_str(), settled_by(.0))]
    HandoffSettled(Box<Handoff>),
    /// The hub did not confirm it.
    #[error("{message}")]
    NotConfirmed {
        /// Why not.
        message: String,
        /// The way on.
        hint: Option<String>,
    },
    /// The hub was asked and gave no answer: what it was asked for may have happened there, or not.
    #[error("{0}; whether it took the push is not known")]
    Unanswered(String),
    /// Somebody else is at it.
    #[error("{0}")]
    Busy(String),
    /// It could not be done, for what is told.
    #[error("{0}")]
    Failed(String),
    /// Somebody was always quicker.
    #[error("the store changed {0} times while this was tried; try again")]
    Contended(u32),
    /// There is no repository to work in.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tracker beside our own tasks could not do what it was asked.
    #[error(transparent)]
    Tracker(#[from] crate::host::beads::BeadsError),
    /// git could not do what it was asked.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file of ours can't be read or written.
    #[error("{what}: {source}")]
    File {
        /// What was tried.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// The way on after most failures to reach the hub.
const NEXT_SYNC: &str = "nothing is lost: the next `git aio sync` sends what was done here";

/// One claim that is in the way, with what is known of its holder.
#[derive(Debug, Clone)]
pub struct Held {
    /// What was wanted and what is in the way.
    pub conflict: Conflict,
    /// The id of the claim in the way, as short as it is unique.
    pub short_id: String,
    /// Whether its holder is there; `None` for a handoff.
    pub presence: Option<Presence>,
    /// Whether its holder works in another clone.
    pub elsewhere: bool,
    /// The run that its holder works for, where the driver of that is gone and the holder still works.
    pub abandoned: Option<RunId>,
    /// The last sign of life of its holder, where one is known that is later than the claim.
    pub last_seen: Option<Time>,
}

impl Error {
    pub(super) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Usage { message: message.into(), hint: Some(hint.into()) }
    }

    pub(super) fn not_found(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::NotFound { message: message.into(), hint: Some(hint.into()) }
    }

    pub(super) fn not_confirmed(message: impl Into<String>) -> Self {
        Error::NotConfirmed { message: message.into(), hint: Some(NEXT_SYNC.into()) }
    }

    /// Of what only the hub may do, that it has not been done: `nothing was claimed`.
    pub(super) fn undone(self, what: &str, hint: &str) -> Self {
        match self {
            Error::NotConfirmed { message, hint: usual } => Error::NotConfirmed {
                message: format!("{what}: {message}"),
                hint: if usual.as_deref() == Some(NEXT_SYNC) { Some(hint.into()) } else { usual },
            },
            other => other,
        }
    }

    pub(super) fn not_allowed(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::NotAllowed { message: message.into(), hint: Some(hint.into()) }
    }

    pub(super) fn file(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Error::File { what, source }
    }

    /// What a refusal by the rules means where conflicts are not possible.
    pub(super) fn from_refusal(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Held(conflicts) => Error::Held(
                conflicts
                    .into_iter()
                    .map(|conflict| Held {
                        short_id: conflict.claim.id.to_string(),
                        conflict,
                        presence: None,
                        elsewhere: false,
                        abandoned: None,
                        last_seen: None,
                    })
                    .collect(),
            ),
            Refusal::NotRegistered(Some(id)) => {
                Error::not_found(format!("no instance {id} is registered"), "`git aio status` lists who is")
            }
            Refusal::NotRegistered(None) => {
                Error::not_found("this needs a registered instance", "register with `git aio register <tool>`")
            }
            Refusal::ClaimChanged(id) => Error::not_found(
                format!("the claim {id} is not there any more, or not yours"),
                "`git aio status` shows the claims there are",
            ),
            Refusal::NoSuchHandoff(id) => {
                Error::not_found(format!("no handoff {id}"), "`git aio handoff list` shows those there are")
            }
            Refusal::NoSuchTask(id) => {
                Error::not_found(format!("no task {id}"), "`git aio tasks list` shows those there are")
            }
            Refusal::TaskExists(id) => {
                Error::usage(format!("there is a task {id} already"), "give the new one another id, or none")
            }
            Refusal::TaskOpen(id) => Error::not_allowed(
                format!("it holds the task {id}, which is not done: anybody could do it again"),
                "whoever has accepted the handoff does it, and says `git aio tasks done`",
            ),
            Refusal::TaskDone(task) => Error::not_allowed(
                match &task.done {
                    Some(done) => format!("the task {} is done already, by {}", task.id, done.by),
                    None => format!("the task {} is done already", task.id),
                },
                "take another: `git aio tasks next`",
            ),
            Refusal::TaskWaits(id, left) => Error::not_allowed(
                format!("the task {id} needs what is not done: {}", ids(&left)),
                "do that first, or give the claim back by `git aio release`; a person may call the task done all the \
                 same, by --force",
            ),
            Refusal::HandoffSettled(handoff) => Error::HandoffSettled(handoff),
            Refusal::InstanceExists(id) => Error::usage(format!("another instance is called {id}"), "register again"),
            Refusal::Exists => Error::usage("there is a store already", "nothing needs to be done"),
        }
    }

    /// Whether somebody else was quicker, so that deciding again may help.
    pub(super) fn is_moved(&self) -> bool {
        matches!(self, Error::Store(StoreError::Ref(RefError::Moved { .. })))
    }
}

fn settled_by(handoff: &Handoff) -> String {
    handoff.state.settled().map(|settled| format!(", by {}", settled.by)).unwrap_or_default()
}

fn ids(tasks: &[TaskId]) -> String {
    let ids: Vec<&str> = tasks.iter().map(TaskId::as_str).collect();
    text::one_line(&ids.join(", "), 300)
}

fn held_message(held: &[Held]) -> String {
    let first = held.first().map_or_else(String::new, |held| {
        let Conflict { scope, claim } = &held.conflict;
        let by = if *scope == claim.scope { String::new() } else { format!(" through {}", claim.scope) };
        format!("{} is held by {}{by}", scope.target(), claim.holder)
    });
    let more = held.len().saturating_sub(1);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("already claimed: {first}{more}")
}
