//! The workflows that handle events: those that a person has enabled, and that are still what they were then.

use super::{
    language::{Library as _, LoadError},
    library::Workflows,
    workflow::{Ready, WorkflowError, binding, ready},
};
use crate::{
    base::text,
    ops::{Error, Session, event::Enabling},
};

/// A workflow that an event starts.
pub struct Handler {
    /// Its name.
    pub name: String,
    /// It, to be run.
    pub ready: Ready,
}

/// A workflow that an event would start, if it had not changed, or could be used.
pub struct Withheld {
    /// Its name.
    pub name: String,
    /// Why it is not started.
    pub why: String,
    /// Whether there is no such workflow any more.
    pub is_gone: bool,
}

/// Who handles an event.
#[derive(Default)]
pub struct Handlers {
    /// Those that it starts, by their names.
    pub enabled: Vec<Handler>,
    /// Those that it would start, and why it doesn't.
    pub withheld: Vec<Withheld>,
    /// Those that say that they handle it, and that nobody has enabled for it.
    pub idle: Vec<String>,
    /// Those that nobody may run before a person has approved them, so that it isn't known what they handle.
    pub unapproved: Vec<String>,
}

/// Has events start the workflow `name`: those that are named, or all that it handles. Tells which.
///
/// # Errors
/// When there is none, it handles no such event, it needs what an event doesn't give, or no person runs this.
pub fn enable(
    session: &Session,
    library: &Workflows,
    name: &str,
    events: &[String],
) -> Result<(Ready, Vec<String>), WorkflowError> {
    let ready = ready(name, library, session)?;
    let handled = &ready.workflow.on;
    let usage = |message: String, hint: &str| Error::Usage { message, hint: Some(hint.to_owned()) };
    if handled.is_empty() {
        let told = format!("{name} handles no event");
        return Err(usage(told, "a workflow says which it handles by on = [\"test_failed\"]").into());
    }
    if let Some(unknown) = events.iter().find(|event| !handled.contains(event)) {
        let nearest = text::nearest(unknown, handled.iter().map(String::as_str));
        let meant = nearest.map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default();
        let told = format!("{name} does not handle the event '{}'{meant}", text::one_line(unknown, 60));
        return Err(usage(told, &format!("it handles {}", handled.join(", "))).into());
    }
    if let Some(input) = ready.workflow.inputs.iter().find(|input| input.default.is_none()) {
        let told = format!("no event can start {name}, which has to be given {}", input.name);
        return Err(usage(told, "give the input a default").into());
    }
    let events = if events.is_empty() { handled.clone() } else { events.to_vec() };
    session.enable_workflow(name, events.clone(), binding(name, library)?)?;
    Ok((ready, events))
}

/// Whether an enabled workflow is still what it was.
pub fn is_as_enabled(library: &Workflows, name: &str, enabling: &Enabling) -> bool {
    binding(name, library).is_ok_and(|binding| binding == enabling.binding)
}

/// Who handles this event. Nothing is started by that.
///
/// # Errors
/// When it can't be told who may be given work.
pub fn of_event(session: &Session, library: &Workflows, event: &str) -> Result<Handlers, Error> {
    let mut handlers = Handlers::default();
    let enabled = session.enabled_workflows();
    for (name, enabling) in enabled.iter().filter(|(_, enabling)| enabling.events.iter().any(|known| known == event)) {
        let found = ready(name, library, session);
        // One that it calls may be gone as well.
        let is_gone =
            matches!(&found, Err(WorkflowError::Load(LoadError::Unknown { name: unknown, .. })) if unknown == name);
        let why = match found {
            Err(WorkflowError::Other(error)) => return Err(error),
            Err(error) => {
                let waits = matches!(error, WorkflowError::Load(LoadError::NotApproved { .. }));
                handlers.unapproved.extend(waits.then(|| name.clone()));
                error.to_string()
            }
            Ok(_) if !is_as_enabled(library, name, enabling) => "it has changed since it was enabled".to_owned(),
            Ok(ready) if !ready.workflow.on.iter().any(|known| known == event) => "it does not handle it".to_owned(),
            Ok(ready) => {
                handlers.enabled.push(Handler { name: name.clone(), ready });
                continue;
            }
        };
        handlers.withheld.push(Withheld { name: name.clone(), why, is_gone });
    }
    if handlers.enabled.is_empty() && handlers.withheld.is_empty() {
        for name in library.names() {
            match super::language::load(&name, library) {
                Ok(workflow) if workflow.on.iter().any(|known| known == event) => handlers.idle.push(name),
                Err(LoadError::NotApproved { .. }) => handlers.unapproved.push(name),
                _ => {}
            }
        }
    }
    Ok(handlers)
}
