use super::{Context, duration, message, some_time};
use crate::{
    base::text,
    cli::{
        error::usage,
        exit::Exit,
        format,
        json::RunAnswer,
        live::{Live, row},
        outcome,
        ui::{BAD, GOOD, ODD},
    },
    model::{
        run::{Attempt, CheckRecord, ReviewVerdict, Step, StepStatus},
        verify::{Outcome, Source, Verdict},
    },
    ops::{Error, Session, verify::What},
    runner::{
        delegation::{DELEGATION, Delegation, Driving, Finished, STEP, Which, delegate, title_of},
        dispatch::Event,
        step::text_of,
        work::{Moment, REVIEW},
    },
};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

/// Hand a task to an agent, and believe it only after the checklist
///
/// The scope is claimed for the agent, which is started without a person and watched over. What it did is usable when it
/// ended well and said something, wrote nothing beside the scope, and passed the checks. Otherwise the scope is put back
/// to what it was, and it tries again, or the next agent does. Without a scope it may read, and nothing else. The result
/// is printed; what happens meanwhile is told on standard error.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The task; - reads it from standard input
    #[arg(required_unless_present = "handoff")]
    task: Vec<String>,
    /// Who is to do it, the first choice first: tools, agents, tool/agent, or caller at the end
    #[arg(long, short, value_name = "A,B", value_delimiter = ',')]
    agent: Vec<String>,
    /// A path that may be written: a file, a folder, or a pattern; may be repeated
    #[arg(long, short, value_name = "PATH")]
    scope: Vec<OsString>,
    /// What has to be true in the end; may be repeated
    #[arg(long, value_name = "TEXT")]
    accept: Vec<String>,
    /// What not to touch or do; may be repeated
    #[arg(long, value_name = "TEXT")]
    avoid: Vec<String>,
    /// A check, as @name or as a command; may be repeated [default: @default, where there is a scope]
    #[arg(long, value_name = "CHECK")]
    verify: Vec<String>,
    /// Check nothing but the scope; the result is unverified then
    #[arg(long, conflicts_with = "verify")]
    no_verify: bool,
    /// Have this agent review the change; its verdict decides
    #[arg(long, value_name = "AGENT")]
    review: Option<String>,
    /// Take the task from this file, such as the document of a handoff
    #[arg(long, value_name = "FILE", conflicts_with = "task")]
    handoff: Option<PathBuf>,
    /// The most time that one attempt may take [default: none]
    #[arg(long, value_name = "TIME", value_parser = some_time)]
    timeout: Option<Duration>,
    /// The most time that an agent may be silent [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = some_time)]
    stall: Option<Duration>,
    /// How often each agent may try again
    #[arg(long, value_name = "N", default_value_t = 1)]
    retry: u32,
    /// Halve the scope where it was too much for one attempt
    #[arg(long)]
    split: bool,
    /// Work in a work tree of its own, and take the changes back when they are usable
    #[arg(long, requires = "scope")]
    isolate: bool,
    /// Commit exactly the scope once it is verified
    #[arg(long, requires = "scope")]
    commit: bool,
    /// Wait for a scope that somebody else holds [default when given without a time: 10m]
    #[arg(long, value_name = "TIME", value_parser = duration, num_args = 0..=1, require_equals = true, default_missing_value = "10m")]
    wait: Option<Duration>,
    /// Print the events as lines of JSON
    #[arg(long, conflicts_with = "json")]
    jsonl: bool,
    /// Say yes to checks that are guessed from the kind of project, as a person who has seen them
    #[arg(long)]
    yes: bool,
}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        let driving = Driving { acting_as: cx.acting_as.clone(), wait: self.wait };
        let (lines, yes) = (self.jsonl, self.yes);
        let mut delegation = self.delegation(cx, &session)?;
        advise(cx, &delegation);
        delegation.consents = consents(cx, &session, &delegation, yes)?;
        cx.tell_notices(&session);
        let live = Live::new(&cx.ui, lines);
        let began = |run: &crate::model::run::Run| {
            if !lines {
                live.say(&format!("{}  {}", run.id, text::one_line(&run.title, 100)));
            }
        };
        let finished = delegate(&session, Which::New(&delegation), &driving, &began, &|moment: Moment| {
            live.tell(&Event::of(STEP, &moment))
        })?;
        cx.tell_notices(&session);
        answer(cx, &live, &finished, lines)
    }

    fn delegation(self, cx: &Context, session: &Session) -> anyhow::Result<Delegation> {
        let text = match &self.handoff {
            Some(file) => {
                let path = cx.dir.join(file);
                read(&path).map_err(|error| unread(&path, error))?
            }
            None => message(&self.task)?,
        };
        let title = title_of(&text);
        if let Some(last) = self.task.last().filter(|last| self.wait.is_some() && duration(last).is_ok()) {
            let wanted = format!("is {last} how long it is to wait, or the end of the task?");
            return Err(usage(wanted, "write --wait=TIME, or the task in quotes"));
        }
        if title.is_empty() {
            return Err(usage("the task is empty", "say in a line what is to be done"));
        }
        if text.len() > MAX_TASK {
            let message = format!("the task has {} bytes; {MAX_TASK} is the most", text.len());
            return Err(usage(message, "put the rest into a file of the repository and name it"));
        }
        let scope = self.scope.iter().map(|path| Ok(session.scope_words(path)?)).collect::<anyhow::Result<_>>()?;
        let verify = match (self.no_verify, self.verify.is_empty()) {
            (true, _) => Some(Vec::new()),
            (false, true) => None,
            (false, false) => Some(self.verify),
        };
        for name in self.agent.iter().chain(&self.review) {
            known(session, name)?;
        }
        Ok(Delegation {
            title,
            text,
            agents: self.agent,
            scope,
            accept: self.accept,
            avoid: self.avoid,
            verify,
            review: self.review,
            commit: self.commit,
            isolate: self.isolate,
            retry: self.retry,
            split: self.split,
            timeout: self.timeout.map(|time| time.as_secs()),
            stall: self.stall.map(|time| time.as_secs()),
            consents: false,
        })
    }
}

/// The largest task, in bytes.
const MAX_TASK: usize = 256 * 1024;

fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_TASK as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

/// Why the task can't be taken from a file.
fn unread(path: &Path, error: std::io::Error) -> anyhow::Error {
    let shown = format::target(&path.to_string_lossy());
    if error.kind() != std::io::ErrorKind::NotFound {
        return anyhow::Error::new(error).context(format!("can't read {shown}"));
    }
    Error::NotFound { message: format!("there is no file {shown}"), hint: Some("name one that exists".into()) }.into()
}

/// Whoever is named has to be there before anything begins.
fn known(session: &Session, name: &str) -> anyhow::Result<()> {
    use crate::runner::work::Who;
    if let Who::Agent { tool, persona } = crate::runner::delegation::who(name, session)? {
        session.hands(tool.as_deref(), persona.as_deref())?;
    }
    Ok(())
}

/// What a task should say, by our reading of the guide's SWFV: its scope, what is to be done, when it is finished, and how
/// that is verified.
fn advise(cx: &Context, delegation: &Delegation) {
    let Delegation { scope, accept, verify, .. } = delegation;
    let mut missing = Vec::new();
    if scope.is_empty() {
        missing.push("no --scope: it may read, and change nothing");
    } else if accept.is_empty() {
        missing.push("no --accept: it is not said when it is finished");
    }
    if verify.as_ref().is_some_and(Vec::is_empty) && !scope.is_empty() {
        missing.push("--no-verify: what it says will be unverified");
    }
    if !missing.is_empty() {
        cx.ui.say(format!("{ODD}note:{ODD:#} {}", missing.join("; ")));
    }
    let categories = categories(scope);
    if categories.len() > 1 {
        let several = categories.join(", ");
        cx.ui.say(format!(
            "{ODD}note:{ODD:#} the scope is of several categories ({several}): small delegations go better"
        ));
    }
}

/// The categories that a scope touches: tests, documentation, and code.
fn categories(scope: &[String]) -> Vec<&'static str> {
    let of = |path: &String| {
        let path = path.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| path.split(['/', '.', '_', '-']).any(|part| part == *word));
        if has(&["test", "tests", "spec", "specs", "__tests__"]) {
            "tests"
        } else if has(&["doc", "docs", "md", "rst", "adoc"]) {
            "documentation"
        } else {
            "code"
        }
    };
    let mut found: Vec<&str> = scope.iter().map(of).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether a person says yes to checks that are only guessed.
fn consents(cx: &Context, session: &Session, delegation: &Delegation, yes: bool) -> anyhow::Result<bool> {
    let asked = match &delegation.verify {
        None if delegation.scope.is_empty() => return Ok(false),
        None => &[][..],
        Some(checks) if checks.is_empty() => return Ok(false),
        Some(checks) => checks,
    };
    let plan = session.plan_work(asked)?;
    let guessed: Vec<String> = plan
        .waiting(Source::Guess)
        .filter_map(|check| match &check.what {
            What::Command { line, .. } => Some(format!("{}: {}", check.name, text::one_line(line, 200))),
            What::Scope | What::Changed => None,
        })
        .collect();
    if guessed.is_empty() || !cx.ui.can_ask() {
        return Ok(false);
    }
    if let Some(why) = session.cannot_consent()? {
        cx.ui.say(format!("only a person can say yes to these, and {why}: {}", guessed.join("; ")));
        return Ok(false);
    }
    cx.ui.say(format!("no check is configured; this looks like\n  {}", guessed.join("\n  ")));
    Ok(yes || cx.ui.ask("Check the work by this?")?)
}

/// Tells how it ended: the result, and the report.
pub(super) fn answer(cx: &Context, live: &Live<'_>, finished: &Finished, lines: bool) -> anyhow::Result<Exit> {
    let exit = exit_of(finished);
    let hints = hints(finished, exit);
    let result = text_of(&finished.done.out);
    if let Some(step) = finished.run.steps.first().filter(|_| !lines) {
        live.say(&report(step, finished.verdict, live.ends(STEP)));
        for (criterion, checked) in finished.accepted.iter().filter(|_| step.status == StepStatus::Ok) {
            let how = checked.as_deref().map_or_else(|| "not checked".into(), |how| format!("checked by {how}"));
            live.say(&format!("         {} ({})", text::one_line(criterion, 200), text::one_line(&how, 200)));
        }
    }
    if lines {
        live.answer(RunAnswer::of_finished(finished, hints))?;
        return Ok(exit);
    }
    cx.ui.answer(
        || RunAnswer::of_finished(finished, hints.clone()),
        |out| match finished.done.status {
            StepStatus::Ok if !result.is_empty() => writeln!(out, "{}", text::block(&result, usize::MAX)),
            _ => Ok(()),
        },
    )?;
    if !cx.ui.json {
        hints.iter().for_each(|hint| cx.ui.say(hint));
    }
    Ok(exit)
}

/// What became of it in a line: with the bytes of its result, and what has changed.
fn report(step: &Step, verdict: Option<Verdict>, took: Duration) -> String {
    let (style, word) = match step.status {
        StepStatus::Ok => (GOOD, "ok"),
        StepStatus::Asked => (ODD, "asked"),
        StepStatus::Waiting => (ODD, "stopped"),
        _ => (BAD, "failed"),
    };
    let agent = step.agent().map(|agent| text::one_line(agent, 80)).unwrap_or_default();
    let files = match step.files.len() {
        0 => String::new(),
        count => format!(", {} changed", format::count(count, "file")),
    };
    let verdict = verdict.map(|verdict| format!(", {}", verdict.as_str())).unwrap_or_default();
    let beside = if step.status == StepStatus::Ok { files + &verdict } else { String::new() };
    row(style, word, took, step.path.as_str(), &format!("{agent}  {}{beside}", outcome::said(step)))
}

fn exit_of(finished: &Finished) -> Exit {
    let failure = finished.done.failure.as_ref().map(|failure| failure.kind);
    match (finished.done.status, failure) {
        (StepStatus::Ok, _) if finished.verdict.is_some_and(|verdict| verdict != Verdict::Passed) => Exit::Unverified,
        (StepStatus::Ok, _) => Exit::Done,
        (StepStatus::Asked, _) => Exit::Waiting,
        (StepStatus::Waiting, None) => Exit::Interrupted,
        (_, failure) => outcome::exit_of(failure),
    }
}

/// What to do now.
fn hints(finished: &Finished, exit: Exit) -> Vec<String> {
    let id = &finished.run.run.id;
    let mut hints = Vec::new();
    let last = finished.done.attempts.last();
    match exit {
        Exit::Waiting => {
            if let Some(failure) = last.and_then(|last| last.failure.as_ref()) {
                hints.push(all_failed(finished));
                hints.extend(outcome::cause(&finished.run, STEP, failure.kind));
            }
            hints.push(format!(
                "it is yours now: do it, then `git aio run answer {id} ok` (or failed); `git aio run show {id}` tells \
                 how far it is"
            ));
        }
        Exit::Interrupted => hints.push(outcome::interrupted(id)),
        Exit::Conflict if finished.done.status == StepStatus::Waiting => {
            hints.extend(finished.done.failure.as_ref().map(|held| text::one_line(&held.text, 500)));
            hints.push(outcome::held(id));
        }
        _ if finished.done.status == StepStatus::Failed => {
            hints.push(all_failed(finished));
            let failure = finished.done.failure.as_ref();
            hints.extend(failure.and_then(|failure| outcome::cause(&finished.run, STEP, failure.kind)));
            hints.push(format!("`git aio run retry {id}/{STEP}` tries once more, with what it was asked for"));
            hints.push(format!("`git aio run log {id}` shows what it said, `git aio run diff {id}` what it did"));
        }
        Exit::Unverified if left_out(last).is_some() => hints.extend(left_out(last)),
        Exit::Unverified => hints.push(
            "unverified: nothing shows that the code is in order; say how it is checked in [verify] of \
             .aio/config.toml and approve that by `git aio trust`, or name a command by --verify"
                .to_owned(),
        ),
        _ => {}
    }
    if let Some((ReviewVerdict::Minor, notes)) = last.and_then(|last| last.review.as_ref()) {
        hints.push(format!("fix this directly rather than delegate again: {}", text::one_line(notes, 1000)));
    }
    hints
}

/// The review that was to be made and was not, with why. Of a check that was not there is more to say.
fn left_out(last: Option<&Attempt>) -> Option<String> {
    let is_it = |check: &&CheckRecord| check.outcome == Outcome::NotRun && check.name.starts_with(REVIEW);
    let missing = last?.checks.iter().find(is_it)?;
    let why = missing.why.as_deref().unwrap_or("it was not run");
    Some(format!("unverified: {}: {}", text::one_line(&missing.name, 200), text::one_line(why, 1000)))
}

fn all_failed(finished: &Finished) -> String {
    let agents = finished.done.attempts.iter().map(|attempt| attempt.agent.as_str());
    let mut agents: Vec<&str> = agents.collect();
    agents.dedup();
    format!("all agents failed: {}", text::one_line(&agents.join(", "), 300))
}

/// Whether a run is a delegation.
pub(super) fn is_delegation(workflow: &str) -> bool {
    workflow == DELEGATION
}
