use super::Context;
use crate::cli::{
    exit::Exit,
    format,
    json::{Instance, InstanceAnswer},
};

/// Leave: release all claims of this instance and take it off the register
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        let (known, released) = session.unregister()?;
        cx.tell_notices(&session);
        cx.ui.answer(
            || InstanceAnswer::new(Instance::new(&known)),
            |out| {
                writeln!(out, "{} has left", known.instance.id)?;
                if !released.is_empty() {
                    writeln!(out, "released {}", format::count(released.len(), "claim"))?;
                }
                Ok(())
            },
        )?;
        Ok(Exit::Done)
    }
}
