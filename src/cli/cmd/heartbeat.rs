use super::Context;
use crate::cli::{
    exit::Exit,
    format,
    json::{Instance, InstanceAnswer},
};

/// Tell the others that this instance is alive
///
/// Every command does so too. An instance that is not heard of for five minutes, and whose agent process is not seen
/// to live, is stale: the next claim takes over what it held.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        let known = session.heartbeat()?;
        cx.tell_notices(&session);
        cx.ui.answer(
            || InstanceAnswer::new(Instance::new(&known)),
            |out| writeln!(out, "{}", format::instance(&known, session.now())),
        )?;
        Ok(Exit::Done)
    }
}
