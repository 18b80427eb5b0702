use super::{Context, sync::spinner};
use crate::{
    base::text,
    cli::{
        exit::Exit,
        format,
        json::{VerifyAnswer, VerifyCheck},
        ui::{BAD, BOLD, DIM, GOOD, ODD},
    },
    model::verify::{Outcome, Source, Verdict},
    ops::{
        Session,
        verify::{Checked, Moment, Plan, Planned, Verified, Wanted, What},
    },
};
use std::{fmt::Write as _, time::Duration};

/// Check whether work may be believed: lint, build, tests, and nothing changed beside its scope
///
/// The checks are those of [verify] in .aio/config.toml, once a person has approved it by `git aio trust`. Where it says
/// nothing they are guessed from the kind of project, shown, and run only if a person confirms it on a terminal. Checks
/// that are named by --check are run instead: @lint, @build, @test, any other name of [verify], @default for what is run
/// otherwise, or a command. Each is run in the root of the work tree for at most 10 minutes, unless [verify] says
/// otherwise, and is then ended with all that it started.
///
/// Of a claim or a handoff @scope is always checked: whether anything is changed and not committed that lies outside of it
/// and that nobody else holds. @changed checks whether anything in it has changed. The commands that a handoff brings are
/// another agent's words: they are shown, and run only if a person says so. What has changed, files that git does not
/// know yet among it, is kept as a diff to be reviewed.
///
/// It has passed only if at least one check of the code was made, none was left out, and none failed. It exits with 4 if
/// one failed, and also if nothing is known to be wrong and that is all.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A claim or a handoff, by its id or the beginning of it
    #[arg(value_name = "ID")]
    of: Option<String>,
    /// Check this: @name, or a command; may be repeated
    #[arg(long, value_name = "NAME|COMMAND")]
    check: Vec<String>,
    /// Say yes to the commands of a handoff, and on a terminal to guessed checks; for a person
    #[arg(long)]
    yes: bool,
}

/// How many of the last lines of a check that failed are shown, and how much of each.
const LINES: usize = 20;
const LINE: usize = 400;

/// Longest command in a line, and longest output in JSON, in characters.
const COMMAND: usize = 300;
const OUTPUT: usize = 200_000;

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        let mut plan = session.plan_verification(&Wanted { of: self.of, checks: self.check })?;
        cx.tell_notices(&session);
        consent(cx, &session, &mut plan, self.yes)?;
        let verified = carry_out(cx, &session, &plan)?;
        cx.tell_notices(&session);
        let hints = hints(&plan, &verified);
        cx.ui.answer(|| answer(&verified, &hints), |out| out.write_all(ending(&verified).as_bytes()))?;
        if !cx.ui.json {
            hints.iter().for_each(|hint| cx.ui.say(format!("{DIM}hint:{DIM:#} {hint}")));
        }
        Ok(match (verified.interrupted, verified.verdict) {
            (true, _) => Exit::Interrupted,
            (false, Verdict::Passed) => Exit::Done,
            (false, Verdict::Failed | Verdict::Unverified) => Exit::Unverified,
        })
    }
}

/// Has a person say yes to what somebody else thought of. A guess needs somebody who sees it; the commands of a handoff can
/// be read beforehand.
fn consent(cx: &Context, session: &Session, plan: &mut Plan, yes: bool) -> anyhow::Result<()> {
    for (source, what) in
        [(Source::Guess, "no check is configured; this looks like"), (Source::Handoff, "the handoff brings")]
    {
        let waiting: Vec<String> = plan.waiting(source).filter_map(offer).collect();
        let may_be_asked = cx.ui.can_ask() || yes && source == Source::Handoff;
        if waiting.is_empty() || !may_be_asked {
            continue;
        }
        if let Some(why) = session.cannot_consent()? {
            cx.ui.say(format!("only a person can say yes to these, and {why}: {}", waiting.join("; ")));
            continue;
        }
        cx.ui.say(format!("{what}\n  {}", waiting.join("\n  ")));
        if yes || cx.ui.ask("Run this?")? {
            plan.consent(source);
        }
    }
    Ok(())
}

/// A check that waits for a yes, if a yes helps.
fn offer(check: &Planned) -> Option<String> {
    let What::Command { line, .. } = &check.what else { return None };
    let command = text::one_line(line, 10_000);
    match check.source {
        Source::Guess => Some(format!("{}: {command} ({})", check.name, format::target(check.from.as_ref()?))),
        _ => Some(command),
    }
}

fn carry_out(cx: &Context, session: &Session, plan: &Plan) -> anyhow::Result<Verified> {
    let bar = spinner(cx);
    bar.set_message("looking at what has changed");
    let mut unheard = Ok(());
    let verified = session.verify(plan, |moment| match moment {
        Moment::Begins(planned) => bar.set_message(text::one_line(&planned.name, COMMAND)),
        Moment::Ends(checked) if !cx.ui.json && unheard.is_ok() => {
            bar.suspend(|| unheard = cx.ui.print(&line(checked)));
        }
        Moment::Ends(_) => {}
    });
    bar.finish_and_clear();
    unheard?;
    Ok(verified?)
}

/// A check in a line, and the last lines of what it said if it failed.
fn line(checked: &Checked) -> String {
    let word = checked.outcome.as_str();
    let style = match checked.outcome {
        Outcome::Passed => GOOD,
        Outcome::Failed => BAD,
        Outcome::NotRun => ODD,
    };
    let took = checked.took.map(|took| format!("  {:.1}s", took.as_secs_f64())).unwrap_or_default();
    let command = checked.command.as_ref().filter(|command| **command != checked.name);
    let command = command.map(|command| format!("  {}", text::one_line(command, COMMAND))).unwrap_or_default();
    let exit = checked.exit.filter(|exit| *exit != 0).map(|exit| format!("exit {exit}"));
    let why =
        checked.why.clone().or(exit).map(|why| format!(": {}", text::one_line(&why, COMMAND))).unwrap_or_default();
    let mut out =
        format!("{style}{word:<7}{style:#}  {}{took}{command}{why}\n", text::one_line(&checked.name, COMMAND));
    let tells = checked.outcome == Outcome::Failed || checked.source == Source::BuiltIn;
    let lines: Vec<&str> = if tells { checked.output.trim_end().lines().collect() } else { Vec::new() };
    let left_out = lines.len().saturating_sub(LINES);
    if left_out > 0 {
        let _ = writeln!(out, "  {DIM}| {} before this{DIM:#}", format::count(left_out, "line"));
    }
    for told in &lines[left_out..] {
        let _ = writeln!(out, "  {DIM}|{DIM:#} {}", text::one_line(told, LINE));
    }
    out
}

fn ending(verified: &Verified) -> String {
    let mut out = String::new();
    if let Some(diff) = &verified.diff {
        let path = text::one_line(&diff.path.to_string_lossy(), COMMAND);
        let _ = writeln!(out, "to review: {path} ({})", text::one_line(&diff.summary, COMMAND));
    }
    let those = |outcome| {
        let names = verified.checks.iter().filter(|check| check.outcome == outcome);
        names.map(|check| text::one_line(&check.name, 60)).collect::<Vec<_>>().join(", ")
    };
    let (style, why) = match verified.verdict {
        Verdict::Passed => (GOOD, those(Outcome::Passed)),
        Verdict::Failed => (BAD, those(Outcome::Failed)),
        Verdict::Unverified => (ODD, unproven(&those(Outcome::NotRun))),
    };
    let _ = writeln!(out, "{BOLD}{style}{}{style:#}{BOLD:#}: {why}", verified.verdict.as_str());
    out
}

fn unproven(not_run: &str) -> String {
    if not_run.is_empty() { "no check of the code was made".into() } else { format!("{not_run} not run") }
}

/// The ways on from a verification that came to nothing.
fn hints(plan: &Plan, verified: &Verified) -> Vec<String> {
    let left_out = |source| verified.checks.iter().any(|c| c.source == source && c.outcome == Outcome::NotRun);
    let mut hints = Vec::new();
    if verified.interrupted || verified.verdict != Verdict::Unverified {
        return hints;
    }
    if plan.waits_for_trust && left_out(Source::Repository) {
        hints.push("a person looks at .aio/config.toml and approves it by `git aio trust`".to_owned());
    }
    if left_out(Source::Handoff) {
        hints.push("a person can say yes to what the handoff brings, by --yes; --check runs what you name".to_owned());
    }
    let proves = |check: &Checked| check.source.proves() && check.outcome == Outcome::Passed;
    if left_out(Source::Guess) || hints.is_empty() && !verified.checks.iter().any(proves) {
        hints.push(
            "say how this is checked in [verify] of .aio/config.toml, and approve that by `git aio trust`; \
             or name a command by --check"
                .to_owned(),
        );
    }
    hints
}

fn answer(verified: &Verified, hints: &[String]) -> VerifyAnswer {
    let checked = |checked: &Checked| VerifyCheck {
        name: checked.name.clone(),
        passed: match checked.outcome {
            Outcome::Passed => Some(true),
            Outcome::Failed => Some(false),
            Outcome::NotRun => None,
        },
        exit: checked.exit,
        seconds: checked.took.map(seconds),
        output: text::block(&checked.output, OUTPUT),
        command: checked.command.clone(),
        source: checked.source.as_str().into(),
        why: checked.why.clone(),
    };
    VerifyAnswer::new(
        verified.verdict.as_str().into(),
        verified.checks.iter().map(checked).collect(),
        verified.diff.as_ref().map(|diff| diff.path.to_string_lossy().into_owned()),
        verified.interrupted,
        hints.to_vec(),
    )
}

/// To the millisecond.
fn seconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1000.0).round() / 1000.0
}
