use super::Context;
use crate::cli::{exit::Exit, format, json::ReleaseAnswer};

/// End instances that are stale, with their claims
///
/// What processes of git-aio have left in the git directory when they were killed is removed, too.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        let cleaned = session.cleanup()?;
        cx.tell_notices(&session);
        let text = |ids: &[crate::base::id::ClaimId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        cx.ui.answer(
            || {
                let ended = cleaned.ended.iter().map(ToString::to_string).collect();
                ReleaseAnswer::new(text(&cleaned.released), ended)
            },
            |out| {
                match cleaned.ended.as_slice() {
                    [] => writeln!(out, "no instance is stale")?,
                    ended => {
                        ended.iter().try_for_each(|id| writeln!(out, "ended {id}"))?;
                        writeln!(out, "released {}", format::count(cleaned.released.len(), "claim"))?;
                    }
                }
                match cleaned.folders {
                    0 => Ok(()),
                    count => writeln!(out, "removed {} of killed processes", format::count(count, "folder")),
                }
            },
        )?;
        Ok(Exit::Done)
    }
}
