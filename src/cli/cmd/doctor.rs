use super::Context;
use crate::cli::exit::Exit;

/// Show the main job on a throwaway repository
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self, _cx: &Context) -> anyhow::Result<Exit> {
        Ok(Exit::Failed)
    }
}
