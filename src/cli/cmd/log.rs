use super::Context;
use crate::{
    base::text,
    cli::{
        exit::Exit,
        format,
        json::{LogAnswer, LogEntry},
        ui::DIM,
    },
};
use std::path::PathBuf;

/// Show what was done, newest first
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only what concerns this path
    #[arg(long, value_name = "PATH")]
    path: Option<PathBuf>,
    /// At most this many
    #[arg(short = 'n', long, value_name = "NUMBER")]
    limit: Option<usize>,
}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        let path = self.path.map(|path| session.repo_path(&path)).transpose()?;
        let entries = session.log(path.as_ref(), self.limit)?;
        cx.tell_notices(&session);
        if let (Some(path), []) = (&path, entries.as_slice()) {
            cx.ui.say(format!("no operation concerns {}", format::target(&path.to_string())));
        }
        cx.ui.answer(
            || LogAnswer::new(entries.iter().map(LogEntry::new).collect()),
            |out| {
                entries.iter().try_for_each(|entry| {
                    let at = format::rfc3339(entry.at);
                    writeln!(out, "{DIM}{:>5} {at}{DIM:#} {}", entry.seq, text::one_line(&entry.subject, 300))
                })
            },
        )?;
        Ok(Exit::Done)
    }
}
