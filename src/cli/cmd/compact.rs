use super::{
    Context,
    sync::{spinner, words},
};
use crate::cli::{exit::Exit, format, json::CompactAnswer};

/// Let go of the history of the store: the state stays, the operations before it go
///
/// Begins a new epoch, here and on the hub. What other clones have not yet pushed they do again on top of it. This is
/// the one push that doesn't only move the ref forward; it is made only if nobody else has pushed meanwhile. The old
/// commits stay reachable through the reflog until git's gc drops them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        let bar = spinner(cx);
        let result = session.compact(&mut |phase| bar.set_message(words(phase)));
        bar.finish_and_clear();
        let compacted = result?;
        cx.tell_notices(&session);
        cx.ui.answer(
            || CompactAnswer::new(compacted.let_go, compacted.epoch, compacted.tip.to_string()),
            |out| {
                let commits = format::count(compacted.let_go as usize, "operation");
                writeln!(out, "let go of the history of {commits}; epoch {} begins", compacted.epoch)
            },
        )?;
        Ok(Exit::Done)
    }
}
