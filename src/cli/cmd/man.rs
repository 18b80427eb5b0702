use super::Context;
use crate::cli::exit::Exit;
use std::path::PathBuf;

/// Print the manual page, or write all of them into a folder
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write one page a command into this folder, which has to exist
    #[arg(long = "into", value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        cx.refuse_json("manual pages are text")?;
        let command = crate::cli::command();
        match self.folder {
            Some(folder) => clap_mangen::generate_to(command, folder)?,
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(command).render(&mut page)?;
                cx.ui.print(&String::from_utf8(page)?)?;
            }
        }
        Ok(Exit::Done)
    }
}
