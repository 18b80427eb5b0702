//! The documentation says what is so: the reference is made from the command definitions, and every example is run.

use crate::env::{PROGRAM, Repo, TestEnvironment, run};
use clap::{Arg, Command};
use std::{
    fmt::Write,
    fs,
    path::Path,
    sync::{Mutex, PoisonError},
};

/// Two tests may write the pages anew.
static WRITING: Mutex<()> = Mutex::new(());

const BEGIN: &str = "<!-- begin generated -->\n";
const END: &str = "<!-- end generated -->\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README.md and all pages of docs, by their names.
fn pages() -> Vec<(String, String)> {
    let docs = ["docs", "docs/agents"].into_iter().flat_map(|dir| fs::read_dir(root().join(dir)).unwrap());
    let docs = docs.map(|entry| entry.unwrap().path());
    let pages = docs.chain([root().join("README.md")]).filter(|path| path.extension().is_some_and(|e| e == "md"));
    let mut pages: Vec<_> =
        pages.map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap())).collect();
    pages.sort();
    pages
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

#[test]
#[cfg_attr(not(feature = "mcp"), ignore = "the page is that of a build with all features")]
fn the_reference_is_that_of_the_commands() {
    let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let page = page("docs/cli.md");
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!("{before}{BEGIN}{}{END}{after}", reference());
    if page == wanted {
        return;
    }
    if updates() {
        fs::write(root().join("docs/cli.md"), wanted).unwrap();
        return;
    }
    let differing = page.lines().zip(wanted.lines()).find(|(is, should)| is != should);
    panic!("docs/cli.md is not up to date; `AIO_UPDATE_DOCS=1 cargo test docs` writes it anew: {differing:?}");
}

/// All commands as Markdown.
fn reference() -> String {
    let mut command = git_aio::cli::command();
    command.build();
    let mut out = String::from("\nAll commands take these:\n\n");
    options(&mut out, command.get_arguments().filter(|arg| arg.is_global_set()));
    visible(&command).for_each(|command| describe(&mut out, command, "git aio", 3));
    out.push('\n');
    out
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn describe(out: &mut String, command: &Command, parent: &str, level: usize) {
    let name = format!("{parent} {}", command.get_name());
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let _ = write!(out, "\n{} `{name}`\n\n{}\n", "#".repeat(level), sentences(&about));
    let own: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_global_set() && !arg.is_hide_set() && arg.get_id() != "help" && arg.get_id() != "version")
        .collect();
    // What has commands below it may have a use of its own.
    if !command.has_subcommands() || !own.is_empty() {
        let usage = command.clone().render_usage().to_string();
        let usage = usage.lines().filter(|line| !line.ends_with("<COMMAND>")).collect::<Vec<_>>().join("\n");
        let _ = write!(out, "\n```text\n{}\n```\n", usage.trim_start_matches("Usage: ").trim());
    }
    if !own.is_empty() {
        out.push('\n');
        options(out, own.into_iter());
    }
    visible(command).for_each(|command| describe(out, command, &name, level + 1));
}

/// Paragraphs that end like sentences.
fn sentences(about: &str) -> String {
    let paragraphs = about.split("\n\n").map(|paragraph| {
        // Markdown would take it for a tag.
        let paragraph = paragraph.replace('\n', " ").replace('<', "\\<");
        if paragraph.ends_with(['.', ':']) { paragraph } else { paragraph + "." }
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

fn options<'a>(out: &mut String, args: impl Iterator<Item = &'a Arg>) {
    out.push_str("| option | meaning |\n|---|---|\n");
    for arg in args {
        let short = arg.get_short().map(|short| format!("-{short}"));
        let long = arg.get_long().map(|long| format!("--{long}"));
        let names: Vec<String> = short.into_iter().chain(long).collect();
        let values = arg.get_value_names().unwrap_or_default().iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let takes = arg.get_action().takes_values() && !values.is_empty();
        let optional = arg.is_require_equals_set();
        let value = match (takes, optional) {
            (false, _) => String::new(),
            (true, true) => format!("[={}]", values.join(" ")),
            (true, false) => format!(" {}", values.join(" ")),
        };
        let name = format!("{}{value}", names.join(", ")).trim().replace('|', "\\|");
        let mut help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let allowed: Vec<String> = arg.get_possible_values().iter().map(|v| format!("`{}`", v.get_name())).collect();
        if takes && !allowed.is_empty() {
            let _ = write!(help, ": {}", allowed.join(", "));
        }
        let unsaid: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        if takes && !unsaid.is_empty() {
            let _ = write!(help, " [default: {}]", unsaid.join(", "));
        }
        let _ = writeln!(out, "| `{name}` | {} |", help.replace('|', "\\|"));
    }
}

#[test]
fn every_exit_code_variable_and_key_is_in_the_reference() {
    let page = page("docs/cli.md");
    let source = |path: &str| fs::read_to_string(root().join("src").join(path)).unwrap();
    let codes = source("cli/exit.rs");
    let codes = codes.lines().filter_map(|line| line.trim().split_once(" = ")?.1.strip_suffix(','));
    let row = |code: &str| format!("\n| {code} | ");
    assert!(codes.filter(|code| code.parse::<u8>().is_ok()).all(|code| page.contains(&row(code))));
    for (file, prefix) in [("host/env.rs", "AIO_"), ("ops/settings.rs", "aio.")] {
        let text = source(file);
        let text = text.split("#[cfg(test)]").next().unwrap();
        for quoted in text.split('"').skip(1).step_by(2).filter(|quoted| quoted.starts_with(prefix)) {
            let documented = page.contains(&format!("`{quoted}`")) || quoted.starts_with("AIO_TEST_");
            assert!(documented, "docs/cli.md lacks {quoted}");
        }
    }
    let traces = source("host/env.rs");
    for line in traces.lines().filter(|line| line.trim_start().starts_with("Traces { tool:")) {
        let names = line.split('"').skip(1).step_by(2).filter(|name| *name != "amp" || line.contains("tool: \"amp\""));
        names.for_each(|name| assert!(page.contains(name), "docs/cli.md lacks {name}"));
    }
}

#[test]
fn every_link_leads_somewhere() {
    for (name, text) in pages() {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap();
            let there = Path::new(&name).parent().unwrap().join(file);
            assert!(target.contains("://") || file.is_empty() || there.exists(), "{name}: {target} leads nowhere");
        }
    }
}

/// The `console` blocks of a page.
fn examples(page: &str) -> Vec<&str> {
    page.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn every_example_runs_and_answers_what_it_is_said_to() {
    let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut played, mut wrong) = (None, Vec::new());
    for (name, text) in pages() {
        let mut renewed = text.clone();
        for example in examples(&text) {
            let env = TestEnvironment::new();
            let repo = env.repo();
            let typed = example.starts_with("$ ");
            let real = if typed { session(&repo, example) } else { played.get_or_insert_with(|| demo(&env)).clone() };
            match compare(&repo, example, &real) {
                Ok(()) => {}
                // What leaves something out has to be chosen by hand.
                Err(_) if updates() && typed && !example.contains('…') => renewed = renewed.replace(example, &real),
                Err(part) => wrong.push(format!("{name} shows\n\n{part}\nbut what was there is\n\n{real}\n")),
            }
        }
        if renewed != text {
            fs::write(&name, renewed).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
    assert!(played.is_some(), "no page shows the demo");
}

/// Whether the pages are to be written anew.
fn updates() -> bool {
    std::env::var("AIO_UPDATE_DOCS").is_ok()
}

/// What the demo shows.
fn demo(env: &TestEnvironment) -> String {
    let ended = run(env.command(PROGRAM, &env.path()).arg("demo"));
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    ended.stdout
}

/// Types the commands of an example into one shell, and returns the session as a page would show it.
fn session(repo: &Repo<'_>, example: &str) -> String {
    let mut script = String::from("exec 2>&1\n");
    for command in example.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let typed = command.replace('\'', r"'\''");
        let _ = writeln!(script, "printf '$ %s\\n' '{typed}'\n{command}\nc=$?; [ $c = 0 ] || echo \"[exit $c]\"");
    }
    run(repo.env.command("sh", &repo.dir).args(["-c", &script])).stdout
}

/// `text` without what differs from run to run. The short id of a claim may be all letters and look like a word; it is
/// known by what stands around it.
fn steady(repo: &Repo<'_>, text: &str) -> String {
    // An excerpt need not begin with the first instance.
    let numbered = |text: String, n: usize| {
        ["claude", "codex", "gemini"]
            .iter()
            .fold(text, |text, tool| text.replace(&format!("{tool}-{n}"), &format!("{tool}-N")))
    };
    let lines = (1..=3).fold(repo.steady(text), numbered);
    let lines = lines.lines().map(|line| {
        let start = ["claimed ", "already yours ", "  "].iter().find(|start| line.starts_with(**start)).copied();
        match start.and_then(|start| Some((start, line[start.len()..].split_once("  ")?))) {
            Some((start, (id, rest))) if !id.is_empty() && !id.contains(' ') => format!("{start}HEX  {rest}\n"),
            _ => format!("{line}\n"),
        }
    });
    lines.collect()
}

/// Every line of the example has to be in what really was, and nothing between them but where it says `…`. An example
/// taken out of a longer session may begin and end anywhere in it. Otherwise, the part that is not there.
fn compare(repo: &Repo<'_>, example: &str, real: &str) -> Result<(), String> {
    let (example, real) = (steady(repo, example), steady(repo, real));
    let real: Vec<&str> = real.lines().collect();
    let mut at: Option<usize> = None;
    for part in example.split("…\n").filter(|part| !part.trim().is_empty()) {
        let lines: Vec<&str> = part.trim_matches('\n').lines().collect();
        let rest = &real[at.unwrap_or_default()..];
        let found = rest.windows(lines.len()).position(|window| window == lines);
        at = Some(at.unwrap_or_default() + found.ok_or(part)? + lines.len());
    }
    Ok(())
}
