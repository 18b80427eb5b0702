use super::Context;
use crate::cli::{
    exit::Exit,
    format,
    json::{Instance, InstanceAnswer},
};

/// Leave: release all claims of this instance and take it off the register
///
/// To leave once more, as the same instance, is no failure: it exits with 0 and says so. Who is not registered here, and
/// names no instance that was, gets 8. A shell that was bound to the instance is free for the next.
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
                let Some(released) = &released else {
                    return writeln!(out, "{} had left before, and holds nothing", known.instance.id);
                };
                writeln!(out, "{} has left", known.instance.id)?;
                if released.is_empty() {
                    return Ok(());
                }
                writeln!(out, "released {}", format::count(released.len(), "claim"))
            },
        )?;
        Ok(Exit::Done)
    }
}
