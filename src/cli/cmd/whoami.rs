use super::Context;
use crate::cli::{
    exit::Exit,
    format,
    json::{Instance, InstanceAnswer},
};

/// Show which instance this command runs as
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        let known = session.whoami()?;
        cx.tell_notices(&session);
        cx.ui.answer(
            || InstanceAnswer::new(Instance::new(&known)),
            |out| writeln!(out, "{}", format::instance(&known, session.now())),
        )?;
        Ok(Exit::Done)
    }
}
