//! The one mouth: answers go to standard output, all talk to standard error. For a program that called us both are kept,
//! and it is handed them.
//!
//! Text from records passes [`base::text`](crate::base::text) before it gets here.

use super::exit::Exit;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::{
    cell::RefCell,
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

/// Where a command's words go.
pub(crate) struct Ui {
    /// Whether answers are JSON.
    pub(crate) json: bool,
    quiet: bool,
    kept: Option<RefCell<Kept>>,
}

/// What a command would have printed.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Its answer, if it came to one.
    pub(crate) answer: Option<serde_json::Value>,
    /// What it said beside.
    pub(crate) talk: Vec<String>,
}

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const ODD: Style = AnsiColor::Yellow.on_default();

impl Ui {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        Ui { json, quiet, kept: None }
    }

    /// One that prints nothing and keeps all of it.
    #[cfg(feature = "mcp")]
    pub(crate) fn keeping() -> Self {
        Ui { json: true, quiet: false, kept: Some(RefCell::default()) }
    }

    /// What was kept.
    #[cfg(feature = "mcp")]
    pub(crate) fn into_kept(self) -> Kept {
        self.kept.map(RefCell::into_inner).unwrap_or_default()
    }

    /// The answer, in the form that was asked for.
    pub(crate) fn answer<T: Serialize>(
        &self,
        json: impl FnOnce() -> T,
        human: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        if let Some(kept) = &self.kept {
            kept.borrow_mut().answer = Some(serde_json::to_value(json())?);
            return Ok(());
        }
        // Else each line of a long answer would be written by itself.
        let mut out = io::BufWriter::new(anstream::stdout().lock());
        if self.json {
            serde_json::to_writer_pretty(&mut out, &json())?;
            writeln!(out)?;
        } else {
            human(&mut out)?;
        }
        out.flush()?;
        Ok(())
    }

    /// An answer that has only one form, which is for nobody who wants to be handed it.
    pub(crate) fn print(&self, text: &str) -> anyhow::Result<()> {
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        Ok(())
    }

    /// Something beside the answer. That nobody may be there to hear it is no failure.
    pub(crate) fn say(&self, text: impl std::fmt::Display) {
        if let Some(kept) = &self.kept {
            kept.borrow_mut().talk.push(text.to_string());
        } else if !self.quiet {
            let _ = writeln!(anstream::stderr(), "{text}");
        }
    }

    /// Something to be warned of, also where talk is not wanted.
    pub(crate) fn warn(&self, text: impl std::fmt::Display) {
        match &self.kept {
            Some(kept) => kept.borrow_mut().talk.push(format!("warning: {text}")),
            None => {
                let _ = writeln!(anstream::stderr(), "{ODD}warning:{ODD:#} {text}");
            }
        }
    }

    /// Why a command failed.
    pub(crate) fn error(&self, text: &str, hint: Option<&str>) {
        let mut err = anstream::stderr();
        let _ = writeln!(err, "{text}");
        if let Some(hint) = hint {
            let _ = writeln!(err, "{DIM}hint:{DIM:#} {hint}");
        }
    }

    /// Whether somebody can be asked: there is a terminal to ask on and one to answer on.
    pub(crate) fn can_ask(&self) -> bool {
        !self.json && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks for a yes. Where nobody can be asked, and where nothing is said, that is a no.
    pub(crate) fn ask(&self, question: &str) -> anyhow::Result<bool> {
        if !self.can_ask() {
            return Ok(false);
        }
        let mut err = anstream::stderr();
        write!(err, "{BOLD}{question}{BOLD:#} [y/N] ")?;
        err.flush()?;
        let mut answer = String::new();
        if io::stdin().read_line(&mut answer)? == 0 {
            writeln!(err)?;
        }
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// Whether somebody may be watching progress.
    pub(crate) fn is_watched(&self) -> bool {
        !self.quiet && !self.json && io::stderr().is_terminal()
    }
}

/// What clap has to say: help on standard output, complaints on standard error.
pub(crate) fn clap_error(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
}
