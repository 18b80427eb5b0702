use super::Context;
use crate::cli::{exit::Exit, mcp};
use std::{
    io::{self, IsTerminal},
    path::PathBuf,
};

/// Where a server was started, and as whom it acts if that was said.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(super) dir: PathBuf,
    pub(super) acting_as: Option<String>,
    /// Whether the folder was named by `-C`.
    pub(super) is_placed: bool,
}

/// Serve the commands as tools to an agent, by MCP on standard input and output
///
/// It is started by the agent, which `git aio init` tells to do so, and ends when its standard input does. It works in
/// the repository around the folder that it was started in. See docs/mcp.md for the tools, and for how it is known who
/// calls.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        cx.refuse_json("a server answers in the messages of MCP")?;
        if io::stdin().is_terminal() {
            cx.ui.say("this waits for the messages of an MCP client; ctrl-d ends it");
        }
        mcp::serve(Place { dir: cx.dir.clone(), acting_as: cx.acting_as.clone(), is_placed: cx.is_placed })?;
        Ok(Exit::Done)
    }
}
