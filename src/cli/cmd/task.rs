use super::Context;
use crate::cli::{
    exit::Exit,
    format,
    json::{Instance, InstanceAnswer},
};

/// Say what this instance is doing
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// In words; an empty text says that it does nothing in particular
    text: String,
    /// The task or issue it belongs to; of a random id the beginning is enough
    task_id: Option<String>,
}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        let id = self.task_id.map(|id| session.task_id(&id)).transpose()?;
        let known = session.task(self.text, id)?;
        cx.tell_notices(&session);
        cx.ui.answer(
            || InstanceAnswer::new(Instance::new(&known)),
            |out| writeln!(out, "{}", format::instance(&known, session.now())),
        )?;
        Ok(Exit::Done)
    }
}
