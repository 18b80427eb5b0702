use super::Context;
use crate::cli::{
    error::usage,
    exit::Exit,
    format,
    json::{Instance, InstanceAnswer},
};

/// Say what this instance is doing
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// In words; an empty text says that it does nothing in particular
    text: String,
    /// The issue it belongs to
    task_id: Option<String>,
}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let id = self.task_id.map(|id| id.parse()).transpose();
        let id = id.map_err(|error: crate::base::id::InvalidName| usage(error.to_string(), "give the id alone"))?;
        let session = cx.session()?;
        let known = session.task(self.text, id)?;
        cx.tell_notices(&session);
        cx.ui.answer(
            || InstanceAnswer::new(Instance::new(&known)),
            |out| writeln!(out, "{}", format::instance(&known, session.now())),
        )?;
        Ok(Exit::Done)
    }
}
