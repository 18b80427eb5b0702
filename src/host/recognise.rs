//! Tells an agent CLI by how its process was started.
//!
//! It goes by the name of the executable, or, where that is an interpreter, by the script it runs. A file or folder that
//! merely has the name of an agent is not one: `vim claude.md` and `node claude/index.js` are nobody.

/// The agent CLIs, by the names of their executables.
const EXECUTABLES: &[(&str, &str)] = &[
    ("claude", "claude"),
    ("codex", "codex"),
    ("gemini", "gemini"),
    ("amp", "amp"),
    ("opencode", "opencode"),
    ("copilot", "copilot"),
    ("cursor-agent", "cursor"),
    ("goose", "goose"),
    ("aider", "aider"),
];

/// The packages through which some of them are installed.
const PACKAGES: &[(&str, &str)] = &[
    ("@anthropic-ai/claude-code", "claude"),
    ("@openai/codex", "codex"),
    ("@google/gemini-cli", "gemini"),
    ("@sourcegraph/amp", "amp"),
    ("@ampcode/cli", "amp"),
    ("opencode-ai", "opencode"),
    ("@github/copilot", "copilot"),
];

/// Programs of which the script is the one that counts, beside python, which has its version in its name.
const INTERPRETERS: &[&str] = &["node", "nodejs", "bun", "deno", "python", "sh", "bash", "dash", "zsh"];

/// Options of interpreters that take the next argument as their value.
const WITH_VALUE: &[&str] = &[
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "-C",
    "--conditions",
    "-X",
    "-W",
    "--preload",
];

/// Options after which there is code instead of a script.
const CODE: &[&str] = &["-c", "-lc", "-ic", "-lic", "-e", "--eval", "-p", "--print"];

/// Subcommands of bun and deno that stand before the script.
const RUN: &[&str] = &["run", "x"];

/// The agent CLI that a process with these arguments is, `exe` being the path of its executable where that is known.
pub fn recognise<S: AsRef<str>>(argv: &[S], exe: Option<&str>) -> Option<&'static str> {
    let mut args = argv.iter().map(AsRef::as_ref);
    // Some are a runtime with the agent's name as first argument, or an agent that rewrote its title.
    let program = args.next().unwrap_or_default();
    by_executable(program)
        .or_else(|| exe.and_then(by_executable))
        .or_else(|| if is_interpreter(program) || exe.is_some_and(is_interpreter) { by_script(args) } else { None })
}

/// Whether the program at `path` runs a script that it is given.
fn is_interpreter(path: &str) -> bool {
    let name = file_name(path).trim_start_matches('-');
    let unversioned = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    INTERPRETERS.contains(&name) || (unversioned == "python" && name != unversioned)
}

fn by_executable(path: &str) -> Option<&'static str> {
    by_name(file_name(path)).or_else(|| by_triple(file_name(path))).or_else(|| by_versions(path))
}

fn by_name(name: &str) -> Option<&'static str> {
    EXECUTABLES.iter().find(|(executable, _)| *executable == name).map(|(_, agent)| *agent)
}

/// `codex-x86_64-unknown-linux-musl`, as codex ships too. `codex-linux-sandbox`, its helper, is not the agent: it lives
/// as long as one command.
fn by_triple(name: &str) -> Option<&'static str> {
    let triple = name.strip_prefix("codex-")?;
    (triple.starts_with("x86_64-") || triple.starts_with("aarch64-")).then_some("codex")
}

/// `…/claude/versions/2.1.329` and what lies directly below such a folder: how self-updating installers lay
/// themselves out.
fn by_versions(path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.split(['/', '\\']).collect();
    let at = parts.windows(3).position(|w| w[1] == "versions" && w[2].starts_with(|c: char| c.is_ascii_digit()))?;
    if parts.len() <= at + 4 { by_name(parts[at]) } else { None }
}

fn by_script<'a>(mut args: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    loop {
        let arg = args.next()?;
        if arg == "-m" {
            return by_name(args.next()?);
        } else if CODE.contains(&arg) {
            return None;
        } else if WITH_VALUE.contains(&arg) {
            args.next();
        } else if !arg.starts_with('-') && !RUN.contains(&arg) {
            return by_script_path(arg);
        }
    }
}

fn by_script_path(path: &str) -> Option<&'static str> {
    let path = path.replace('\\', "/");
    // A bare name is more likely a folder or a file of the user's than an installed program, which has its whole path.
    let installed = if path.contains('/') { by_name(file_name(&path)) } else { None };
    installed.or_else(|| by_versions(&path)).or_else(|| by_package(&path))
}

/// A script of one of the packages itself, not of something that the package depends on.
fn by_package(path: &str) -> Option<&'static str> {
    let (_, within) = path.rsplit_once("node_modules/").or_else(|| path.split_once("npm:"))?;
    let found = PACKAGES.iter().find(|(package, _)| {
        within.strip_prefix(package).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '@']))
    });
    found.map(|(_, agent)| *agent)
}

/// The last component, without what Windows and the kernel add to it.
fn file_name(path: &str) -> &str {
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    name.strip_suffix(".exe").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(command: &str) -> Option<&'static str> {
        recognise(&command.split(' ').collect::<Vec<_>>(), None)
    }

    #[test]
    fn agents_are_recognised() {
        for (command, tool) in [
            ("claude", "claude"),
            ("/home/u/.local/bin/claude -p hello", "claude"),
            ("/home/u/.local/share/claude/versions/2.1.329 --resume", "claude"),
            ("node --no-warnings /usr/local/bin/claude -p x", "claude"),
            ("node /usr/lib/node_modules/@anthropic-ai/claude-code/cli.js", "claude"),
            ("/usr/bin/node -r dotenv/config /usr/lib/node_modules/@openai/codex/bin/codex.js exec x", "codex"),
            ("/opt/codex-x86_64-unknown-linux-musl exec", "codex"),
            ("codex exec --json", "codex"),
            ("/usr/bin/node --max-old-space-size=8192 /usr/local/bin/gemini", "gemini"),
            ("deno run -A npm:@google/gemini-cli@0.61.0 -p x", "gemini"),
            ("bun run /home/u/node_modules/@ampcode/cli/dist/main.js", "amp"),
            ("/home/u/.amp/bin/amp -x hi", "amp"),
            ("/usr/lib/node_modules/opencode-ai/bin/opencode run x", "opencode"),
            ("node /usr/lib/node_modules/@github/copilot/index.js -p x", "copilot"),
            ("node --use-system-ca /home/u/.local/share/cursor-agent/versions/2026.01.01/index.js", "cursor"),
            ("cursor-agent -p x", "cursor"),
            ("goose run -t x", "goose"),
            ("/usr/bin/python3.12 /home/u/.local/bin/aider --model x", "aider"),
            ("python -X dev -m aider", "aider"),
            ("/bin/sh /tmp/fakes/codex exec", "codex"),
            ("C:\\Users\\u\\bin\\claude.exe -p", "claude"),
        ] {
            assert_eq!(agent(command), Some(tool), "{command}");
        }
    }

    #[test]
    fn namesakes_are_not() {
        for command in [
            "vim claude.md",
            "vim claude",
            "cat /home/u/bin/codex",
            "node claude",
            "node claude/index.js",
            "node /home/u/claude/server.js",
            "node -e gemini",
            "bash -c claude",
            "bash -lc claude",
            "/home/claude/bin/make",
            "/opt/claude/bin/rg x",
            "node /usr/lib/node_modules/@google/gemini-cli/node_modules/mcp/server.js",
            "node /usr/lib/node_modules/@openai/codex-sdk/x.js",
            "codex-linux-sandbox --cwd x",
            "claude-desktop",
            "python3 -m http.server",
            "python3 -c aider",
            "/srv/claude/versions/2.1/vendor/bin/rg",
            "",
        ] {
            assert_eq!(agent(command), None, "{command}");
        }
    }

    #[test]
    fn the_executable_counts_where_the_title_was_rewritten() {
        assert_eq!(
            recognise(&["2.1.329"], Some("/home/u/.local/share/claude/versions/2.1.329 (deleted)")),
            Some("claude")
        );
        assert_eq!(recognise(&["some title"], Some("/usr/bin/codex")), Some("codex"));
        assert_eq!(recognise(&["claude"], Some("/usr/bin/node")), Some("claude"));
    }
}
