use super::Context;
use crate::{
    cli::{
        exit::Exit,
        json::{DemoAnswer, DemoStep},
        ui::{BAD, BOLD, DIM, GOOD},
    },
    ops::demo::{self, Played, Step},
};
use std::fmt::Write;

/// Show the main job on a throwaway repository
///
/// It takes a few seconds and touches nothing of yours. The commands are run by real shells in a real repository, which
/// is removed afterwards; after each of them git is asked whether it did what it should. If one did not, the demo
/// fails. Since AIO_BYPASS=1 goes round the fence, the demo fails with it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Keep the repository, and tell where it is
    #[arg(long)]
    keep: bool,
}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let mut unheard = Ok(());
        let played = demo::play(self.keep, |step| {
            if !cx.ui.json && unheard.is_ok() {
                unheard = cx.ui.print(&session(step));
            }
        })?;
        unheard?;
        cx.ui.answer(|| json(&played), |out| out.write_all(ending(&played).as_bytes()))?;
        let Some((number, step)) = played.failure() else { return Ok(Exit::Done) };
        let failed = format!("the demo failed at step {number} ({}$ {})", step.who, step.command);
        let why: String = step.unmet.iter().map(|unmet| format!("\n  {unmet}")).collect();
        let bypass = "AIO_BYPASS is set, which goes round the fence that the demo is about";
        cx.ui.error(&format!("{failed}{why}"), played.bypass.then_some(bypass));
        Ok(Exit::Failed)
    }
}

/// A command and its answer as they stand in a terminal.
fn session(step: &Step) -> String {
    let mut out = String::new();
    if let Some(title) = step.title {
        let _ = writeln!(out, "\n{DIM}# {title}{DIM:#}");
    }
    let _ = write!(out, "{BOLD}{}$ {}{BOLD:#}\n{}", step.who, step.command, step.answer);
    if !step.answer.is_empty() && !step.answer.ends_with('\n') {
        out.push('\n');
    }
    if step.exit != 0 {
        let _ = writeln!(out, "{BAD}[exit {}]{BAD:#}", step.exit);
    }
    out
}

fn ending(played: &Played) -> String {
    let mut out = String::from("\n");
    for promise in &played.promises {
        let _ = writeln!(out, "{GOOD}kept{GOOD:#} {} {DIM}({} checks){DIM:#}", promise.text, promise.facts);
    }
    let (steps, seconds) = (played.steps.len(), played.seconds);
    let _ = writeln!(out, "{steps} commands in {seconds:.1} seconds");
    if let Some(kept) = &played.kept {
        let _ = writeln!(out, "the repository is kept in {}", kept.display());
    }
    out
}

fn json(played: &Played) -> DemoAnswer {
    let steps = played.steps.iter().map(|step| DemoStep {
        who: step.who.into(),
        command: step.command.clone(),
        answer: step.answer.clone(),
        exit: step.exit,
        facts: step.facts.clone(),
        unmet: step.unmet.clone(),
    });
    DemoAnswer::new(
        played.failure().is_none(),
        steps.collect(),
        played.promises.iter().map(|promise| promise.text.into()).collect(),
        played.kept.as_ref().map(|kept| kept.display().to_string()),
    )
}
