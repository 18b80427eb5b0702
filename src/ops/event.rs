//! What events may start: the workflows that a person has enabled, and nothing else.

use super::{Error, Session};
use crate::{base::around::RunsAround, host::enabled::Enablings};
use std::collections::BTreeMap;

pub use crate::host::enabled::Enabling;

/// The most runs inside of each other in which an event is emitted. What an event starts may emit the next one, and that
/// would have no end.
const MAX_DEPTH: usize = 3;

/// The most bytes of what is told of an event.
pub const MAX_DETAILS: usize = 256 * 1024;

impl Session {
    /// What this user has enabled in this clone, by the name of the workflow.
    pub fn enabled_workflows(&self) -> BTreeMap<String, Enabling> {
        self.enablings().all()
    }

    /// Has events start a workflow from now on, as it is now.
    ///
    /// # Errors
    /// When no person runs this, and when it can't be written down.
    pub fn enable_workflow(&self, workflow: &str, events: Vec<String>, binding: String) -> Result<(), Error> {
        self.only_a_person("enable")?;
        let enabling = Enabling { events, binding, at: self.now() };
        let set = self.enablings().set(workflow, enabling, self.repository.sharing());
        set.map_err(Error::file("it can't be written down that the workflow is enabled"))
    }

    /// Has no event start a workflow any more, and tells whether any did.
    ///
    /// # Errors
    /// When no person runs this, and when it can't be written down.
    pub fn disable_workflow(&self, workflow: &str) -> Result<bool, Error> {
        self.only_a_person("disable")?;
        let removed = self.enablings().remove(workflow);
        removed.map_err(Error::file("it can't be written down that the workflow is disabled"))
    }

    fn only_a_person(&self, verb: &str) -> Result<(), Error> {
        self.is_no_person()?.map_or(Ok(()), |why| {
            Err(Error::not_allowed(
                format!("only a person may {verb} what events start, and {why}"),
                format!("ask the person you work for to run `git aio workflow {verb}`"),
            ))
        })
    }

    /// Whether this runs inside of a run, with which all ends that it starts.
    ///
    /// # Errors
    /// When it can't be told which runs go on.
    pub fn is_inside_run(&self) -> Result<bool, Error> {
        Ok(self.runs_around()? > 0)
    }

    /// Inside of how many runs this is: as its variables say, and since a step may have cleared these, as the processes above
    /// it show.
    fn runs_around(&self) -> Result<usize, Error> {
        Ok(self.env.run.as_ref().map_or(0, RunsAround::depth).max(self.runs_above()?))
    }

    /// Whether an event may be emitted here.
    ///
    /// # Errors
    /// When this runs inside of too many runs, or it can't be told which go on.
    pub fn may_emit(&self) -> Result<(), Error> {
        let depth = self.runs_around()?;
        if depth < MAX_DEPTH {
            return Ok(());
        }
        Err(Error::not_allowed(
            format!("this runs inside of {depth} runs, and an event is emitted inside of {} at most", MAX_DEPTH - 1),
            "what an event starts should not emit it again without end",
        ))
    }

    fn enablings(&self) -> Enablings {
        Enablings::of(self.repository.common_dir())
    }
}
