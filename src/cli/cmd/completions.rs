use super::Context;
use crate::cli::exit::Exit;
use clap_complete::Shell;

/// Print completions for a shell
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
    /// The name it is called by
    #[arg(long, value_name = "NAME", default_value = "git-aio", value_parser = command_name)]
    name: String,
}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        cx.refuse_json("completions are a script")?;
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut crate::cli::command(), self.name, &mut script);
        cx.ui.print(&String::from_utf8(script)?)?;
        Ok(Exit::Done)
    }
}

/// A name that can stand in any shell's script.
fn command_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("a command is named by letters, digits, '-', '_' and '.', and begins with a letter".to_owned())
    }
}
