use super::Context;
use crate::cli::{exit::Exit, json};

/// Print the JSON Schema of all answers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        cx.ui.print(&format!("{}\n", serde_json::to_string_pretty(&json::schemas())?))?;
        Ok(Exit::Done)
    }
}
