use super::{Context, done};
use crate::cli::{
    exit::Exit,
    json::{Instance, InstanceAnswer},
};
use std::path::PathBuf;

/// Register this agent session and print its id
///
/// The id names the instance: later commands of the same session know it by themselves, others say AIO_INSTANCE=<id>
/// or --as <id>. An agent session that is registered already keeps its id.
///
/// Outside of an agent this binds the shell: whatever is run in it acts as the instance until it unregisters or the
/// shell ends. AIO_INSTANCE reaches further, to every program that inherits it: an agent without hooks that is started
/// where it is set acts as that instance and not as itself, so start one with `env -u AIO_INSTANCE`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The kind of program: claude, codex, gemini, amp, or any other name
    tool: String,
    /// Another repository to register in
    project: Option<PathBuf>,
    /// What it is going to do
    #[arg(long, value_name = "TEXT")]
    task: Option<String>,
}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let tool = self.tool.parse().map_err(|error: crate::base::id::InvalidName| {
            crate::cli::error::usage(error.to_string(), "the four best known are claude, codex, gemini and amp")
        })?;
        let session = cx.session_of(self.project.as_deref())?;
        session.heal_fence();
        let known = session.register(tool, self.task)?;
        cx.tell_notices(&session);
        let answered =
            cx.ui.answer(|| InstanceAnswer::new(Instance::new(&known)), |out| writeln!(out, "{}", known.instance.id));
        done("the instance was registered", answered)?;
        Ok(Exit::Done)
    }
}
