use super::Context;
use crate::{
    base::text,
    cli::{
        diff::{self, Side},
        exit::Exit,
        json::{self, TrustAnswer},
        ui::{BOLD, GOOD},
    },
    ops::trust::{Changed, Declaration, Effect},
};
use std::{
    io::{self, Write},
    time::Duration,
};

/// Approve what .aio/config.toml of this repository has git-aio run
///
/// A configuration comes with a clone, from whoever could push. None of it is acted on before you have approved it: no
/// check of `git aio verify`, no hub, no tool, no brief of an agent. This shows the files, as a diff against what you
/// approved last, and what they would have git-aio do, and asks. What is approved is this content, for you, in this
/// clone; when it changes you are asked again.
///
/// Without a terminal it needs --yes, and an agent is refused: only a person may approve. With --json and without --yes
/// it only tells how things stand, and exits with 3 if something waits for approval.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Approve without being asked
    #[arg(long)]
    yes: bool,
}

/// Longest command that is shown, in characters. What is approved has to be seen.
const MAX_COMMAND: usize = 10_000;

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        let Some(mut declared) = session.declaration()? else {
            cx.ui.answer(
                || TrustAnswer::new(true, Vec::new(), Vec::new()),
                |out| writeln!(out, "nothing to approve: there is no .aio/config.toml, and no brief in .aio/agents"),
            )?;
            return Ok(Exit::Done);
        };
        if !declared.approved && !cx.ui.json {
            cx.ui.answer(|| (), |out| show(out, &declared))?;
        }
        let yes = self.yes || !declared.approved && !cx.ui.json && cx.ui.ask("Approve this?")?;
        let was_approved = declared.approved;
        if yes && !was_approved {
            session.approve(&declared)?;
            declared.approved = true;
        }
        cx.ui.answer(|| answer(&declared), |out| ending(out, &declared, was_approved))?;
        if !declared.approved && !cx.ui.json && !cx.ui.can_ask() {
            cx.ui.say("there is no terminal to ask on: a person who has read it approves it by `git aio trust --yes`");
        }
        Ok(if declared.approved { Exit::Done } else { Exit::Conflict })
    }
}

fn ending(out: &mut dyn Write, declared: &Declaration, was_approved: bool) -> io::Result<()> {
    match (declared.approved, was_approved) {
        (true, true) => {
            writeln!(out, "{GOOD}approved{GOOD:#} already, as it is now:")?;
            effects(out, declared)
        }
        (true, false) => writeln!(out, "{GOOD}approved{GOOD:#}, in this clone and as it is now"),
        (false, _) => writeln!(out, "nothing was approved"),
    }
}

/// The files, and what they would have us do.
fn show(out: &mut dyn Write, declared: &Declaration) -> io::Result<()> {
    for Changed { path, before, after } in &declared.changes {
        let side = |text: &Option<String>| Side { path, content: text.clone().map(|text| (text, "100644".to_owned())) };
        diff::write(out, &side(before), &side(after))?;
    }
    writeln!(out, "\n{BOLD}Once you approve this{BOLD:#}")?;
    effects(out, declared)
}

fn effects(out: &mut dyn Write, declared: &Declaration) -> io::Result<()> {
    if declared.effects.is_empty() {
        writeln!(out, "  nothing is run")?;
    }
    declared.effects.iter().try_for_each(|effect| writeln!(out, "  {}", words(effect)))
}

/// What an effect is, in a line.
fn words(effect: &Effect) -> String {
    let shown = |text: &str| text::one_line(text, MAX_COMMAND);
    match effect {
        Effect::Check { name, command, timeout, by_default } => {
            let name = name.as_ref().map(|name| format!(" @{name}")).unwrap_or_default();
            let asked = if *by_default { "" } else { ", when it is asked for" };
            let timeout = timeout.map(|timeout| format!(", for at most {}", span(timeout))).unwrap_or_default();
            format!("verify{name} runs: {}{timeout}{asked}", shown(command))
        }
        Effect::Hub(hub) => format!("syncs go to {}, unless aio.remote says otherwise", shown(hub)),
        Effect::Setup(line) => format!("each new work tree of a run is made ready by: {}", shown(line)),
        Effect::Default(tool) => format!("what nobody is chosen for goes to {}", shown(tool)),
        Effect::Ledger(file) => format!("what runs are at is written into {}", shown(file)),
        Effect::Tool { name, command, stagger, max_parallel } => {
            let command = if command.is_empty() { String::new() } else { format!(" is: {}", shown(&quoted(command))) };
            let stagger = stagger.map(|stagger| format!(", started {} apart", span(stagger))).unwrap_or_default();
            let most = max_parallel.map(|most| format!(", {most} at once at most")).unwrap_or_default();
            format!("the tool {name}{command}{stagger}{most}")
        }
        Effect::Agent { name, tools } => format!("the work of the {name} goes to {}", tools.join(", then ")),
        Effect::Task { name, agents } => {
            format!("{} are suggested for the {}", shown(name), agents.join(", then the "))
        }
        Effect::Workflow { name, path } => format!("the workflow {name} can be run, as it stands in {}", shown(path)),
        Effect::Brief { name, path } => format!("the {name} is told what stands in {}", shown(path)),
    }
}

fn span(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// The words of a command as a shell would take them.
fn quoted(words: &[String]) -> String {
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
}

fn answer(declared: &Declaration) -> TrustAnswer {
    let effect = |effect: &Effect| json::Effect {
        kind: match effect {
            Effect::Check { .. } => "check",
            Effect::Hub(_) => "hub",
            Effect::Setup(_) => "setup",
            Effect::Default(_) => "default",
            Effect::Ledger(_) => "ledger",
            Effect::Tool { .. } => "tool",
            Effect::Agent { .. } => "agent",
            Effect::Task { .. } => "task",
            Effect::Workflow { .. } => "workflow",
            Effect::Brief { .. } => "brief",
        }
        .into(),
        words: words(effect),
    };
    let changed = declared.changes.iter().map(|changed| changed.path.clone());
    let changed = if declared.approved { Vec::new() } else { changed.collect() };
    TrustAnswer::new(declared.approved, changed, declared.effects.iter().map(effect).collect())
}
