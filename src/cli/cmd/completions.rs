use super::Context;
use crate::cli::exit::Exit;
use clap_complete::Shell;

/// Print completions for a shell
///
/// Those of `git-aio` serve `git aio` as well, by way of git's own completion.
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
        clap_complete::generate(self.shell, &mut crate::cli::command(), &self.name, &mut script);
        let script = with_one_name(&self.name, String::from_utf8(script)?);
        cx.ui.print(&if self.name == GIT_COMMAND { known_to_git(self.shell, script) } else { script })?;
        Ok(Exit::Done)
    }
}

/// The script of bash, in which clap_complete 4.6 names a state of a command with a dash in two ways: by one it is
/// entered, by the other it is looked up, and so never found. The others don't have these words in them.
fn with_one_name(command: &str, script: String) -> String {
    let state = |separator: &str| format!("{}__subcmd__", command.replace('-', separator));
    script.replace(&state("__subcmd__"), &state("__"))
}

/// The name under which git finds us as a command of its own.
const GIT_COMMAND: &str = "git-aio";

/// The script of our command, with what git's own completion needs to come to it after `git aio`.
fn known_to_git(shell: Shell, script: String) -> String {
    match shell {
        Shell::Bash => script + BASH_BRIDGE,
        // That of zsh calls what is autoloaded as `_git-aio`, and lists commands whose second line describes them.
        Shell::Zsh => script.replacen('\n', "\n#description claims, notes and handoffs between coding agents\n", 1),
        Shell::Fish => script + FISH_BRIDGE,
        _ => script,
    }
}

/// git's completion calls `_git_<command>`, with the words of the line in `words` and the place of the command among
/// them in `__git_cmd_idx`, which is older than 2.31 if it isn't set. It ends no word with a space by itself.
const BASH_BRIDGE: &str = r#"
# Called by git's own completion after `git aio`.
_git_aio() {
    local at=${__git_cmd_idx:-1}
    local COMP_WORDS=(git-aio "${words[@]:at+1}") COMP_CWORD=$((cword - at))
    _git__aio git-aio "$cur" "${COMP_WORDS[COMP_CWORD-1]}"
    compopt +o nospace 2>/dev/null
}
"#;

/// That of fish runs the completions of other commands in some of its versions and not in others, such as 3.6.0.
const FISH_BRIDGE: &str = r#"
# What `git aio` is completed by: as `git-aio`, with the words that stand after it.
function __fish_git_aio_as_git
    set -l words (commandline -opc)
    set -l at (contains -i -- aio $words)
    set -l rest (string escape -- $words[(math $at + 1)..])
    complete -C "git-aio $rest "(commandline -ct)
end
complete -c git -n "functions -q __fish_git_needs_command; and __fish_git_needs_command" -a aio -d "Claims, notes and handoffs"
complete -c git -f -n "functions -q __fish_git_using_command; and __fish_git_using_command aio" -a "(__fish_git_aio_as_git)"
"#;

/// A name that can stand in any shell's script.
fn command_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("a command is named by letters, digits, '-', '_' and '.', and begins with a letter".to_owned())
    }
}
