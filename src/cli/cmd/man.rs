use super::Context;
use crate::{
    base::text,
    cli::{error::usage, exit::Exit},
};
use anyhow::Context as _;
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
            Some(folder) if !folder.is_dir() => {
                let told = format!("{} is no folder", text::one_line(&folder.to_string_lossy(), 200));
                return Err(usage(told, "make it first, or name another"));
            }
            Some(folder) => clap_mangen::generate_to(command, &folder)
                .with_context(|| format!("can't write into {}", text::one_line(&folder.to_string_lossy(), 200)))?,
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(command).render(&mut page)?;
                cx.ui.print(&String::from_utf8(page)?)?;
            }
        }
        Ok(Exit::Done)
    }
}
