use super::{
    Context, duration,
    run::start::{begin, one_of_many, told},
};
use crate::{
    base::text,
    cli::{
        error::{report_one, usage},
        exit::Exit,
        json::{EmitAnswer, HandlerError, RunAnswer},
    },
    ops::{Error, Session, event::MAX_DETAILS},
    runner::{
        delegation::Driving,
        handlers::{self, Handler, Handlers, Withheld},
        language,
        library::Workflows,
        workflow::{Order, begin_detached},
    },
};
use anyhow::Context as _;
use serde_json::Value;
use std::{
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// Tell of an event, so that the workflows that handle it are started
///
/// Those are started that a person has enabled for it by `git aio workflow enable`, and that are still what they were then:
/// several one after the other by their names, each as a run of its own, and one that can't be started stops none of the
/// others. The exit code is that of the worst. Where there is none it exits with 8, and nothing is started. Inside of a run
/// an event can be emitted too, but what that starts can do so once more and no further.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The event: small letters, digits and _
    event: String,
    /// What there is to tell of it; - reads standard input
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    details: Option<String>,
    /// The same as a value of JSON, from a file; - reads standard input
    #[arg(long, value_name = "FILE", conflicts_with = "details")]
    details_json: Option<PathBuf>,
    /// Begin the runs, and go on with them in the background
    #[arg(long, conflicts_with = "jsonl")]
    detach: bool,
    /// How long a run and its steps wait for what somebody else holds [default: 30m for a step]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    wait: Option<Duration>,
    /// Print what happens as lines of JSON
    #[arg(long, conflicts_with = "json")]
    jsonl: bool,
}

/// From the least to the worst.
const WORSE: [Exit; 12] = [
    Exit::Done,
    Exit::Unreached,
    Exit::Waiting,
    Exit::Undone,
    Exit::Unverified,
    Exit::NotConfirmed,
    Exit::Busy,
    Exit::Conflict,
    Exit::NotFound,
    Exit::Usage,
    Exit::Failed,
    Exit::Interrupted,
];

/// How runs are started by an event.
pub(super) struct Starting {
    pub(super) driving: Driving,
    pub(super) detach: bool,
    pub(super) lines: bool,
}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        if !language::is_id(&self.event) {
            let told = format!("'{}' can't be the name of an event", text::one_line(&self.event, 60));
            return Err(usage(told, format!("{}, 40 at most", language::ID)));
        }
        let session = cx.session()?;
        session.may_emit()?;
        if self.detach && session.is_inside_run()? {
            let told = "this runs inside of a run, and all that it starts ends with its step";
            return Err(usage(told, "leave --detach out"));
        }
        let details = self.details(&session)?;
        let handlers = handlers(&session, &self.event)?;
        let driving = Driving { acting_as: cx.acting_as.clone(), wait: self.wait };
        let starting = Starting { driving, detach: self.detach, lines: self.jsonl };
        withheld(&handlers).for_each(|withheld| cx.ui.warn(withheld));
        handle(cx, &session, &handlers.enabled, (&self.event, details), &starting)
    }

    fn details(&self, session: &Session) -> anyhow::Result<Option<Value>> {
        match (&self.details, &self.details_json) {
            (Some(text), _) if text != "-" => bounded(text.clone()).map(|text| Some(text.into())),
            (Some(_), _) => bounded(piped()?).map(|text| Some(text.trim_end().into())),
            (None, Some(file)) => {
                let text = if file == Path::new("-") { piped()? } else { session.named_text(file, MAX_DETAILS)? };
                let value = serde_json::from_str(&bounded(text)?);
                let value = value
                    .map_err(|error| usage(format!("the details are no JSON: {error}"), "give a text by --details"))?;
                Ok(Some(value))
            }
            (None, None) => Ok(None),
        }
    }
}

/// Who handles an event.
///
/// # Errors
/// When nobody does.
pub(super) fn handlers(session: &Session, event: &str) -> anyhow::Result<Handlers> {
    let handlers = handlers_or_withheld(session, event)?;
    match handlers.enabled.is_empty() {
        true => Err(nobody(&handlers, event)),
        false => Ok(handlers),
    }
}

/// The same, where there may be none but those that are to be enabled again.
///
/// # Errors
/// When there is not even one of these.
pub(super) fn handlers_or_withheld(session: &Session, event: &str) -> anyhow::Result<Handlers> {
    let library = Workflows::to_run(session.workflow_texts()?);
    let handlers = handlers::of_event(session, &library, event)?;
    match handlers.enabled.is_empty() && handlers.withheld.is_empty() {
        true => Err(nobody(&handlers, event)),
        false => Ok(handlers),
    }
}

fn nobody(handlers: &Handlers, event: &str) -> anyhow::Error {
    let message = format!("No handler for event: {event}");
    Error::NotFound { message, hint: Some(way_on(handlers, event)) }.into()
}

/// Why workflows are not started that would be, each in a line.
pub(super) fn withheld(handlers: &Handlers) -> impl Iterator<Item = String> {
    handlers.withheld.iter().map(|Withheld { name, why, is_gone }| {
        let enables = format!("enables it as it is now by `git aio workflow enable {name}`");
        let way_on = match is_gone {
            true => format!("a person takes it from the event by `git aio workflow disable {name}`"),
            false if handlers.unapproved.contains(name) => {
                format!("a person approves it by `git aio trust`, and then {enables}")
            }
            false => format!("a person {enables}"),
        };
        format!("{name} is not started: {}; {way_on}", text::one_line(why, 500))
    })
}

fn way_on(handlers: &Handlers, event: &str) -> String {
    if let Some(withheld) = withheld(handlers).next() {
        return withheld;
    }
    match (handlers.idle.as_slice(), handlers.unapproved.as_slice()) {
        ([], [name, ..]) => format!(
            "{name} is not approved; if it handles that, a person approves it by `git aio trust`, and then has it started by \
             `git aio workflow enable {name}`"
        ),
        ([], []) => format!(
            "a workflow handles it by on = [\"{event}\"], once a person has enabled that by `git aio workflow enable`"
        ),
        ([name, ..], _) => format!("a person has {name} handle it by `git aio workflow enable {name}`"),
    }
}

/// Starts all that handle an event, one after the other. Of one that can't be started that is told, and the others are.
pub(super) fn handle(
    cx: &Context,
    session: &Session,
    handlers: &[Handler],
    event: (&str, Option<Value>),
    starting: &Starting,
) -> anyhow::Result<Exit> {
    let (mut runs, mut errors) = (Vec::new(), Vec::new());
    let mut worst = Exit::Done;
    for handler in handlers {
        let exit = match start(cx, session, handler, &event, starting) {
            Ok((answer, exit)) => {
                runs.extend(answer);
                exit
            }
            Err(error) => {
                let Some((error, exit)) = report_one(&cx.ui, &handler.name, &error, session.now()) else { continue };
                errors.push(HandlerError { workflow: handler.name.clone(), error });
                exit
            }
        };
        worst = worse(worst, exit);
        if exit == Exit::Interrupted {
            break;
        }
    }
    if cx.ui.json {
        cx.ui.answer(|| EmitAnswer::new(event.0.to_owned(), runs, errors), |_| Ok(()))?;
    }
    Ok(worst)
}

/// Starts one of them. Its answer, where all are given together.
fn start(
    cx: &Context,
    session: &Session,
    Handler { name, ready }: &Handler,
    (event, details): &(&str, Option<Value>),
    starting: &Starting,
) -> anyhow::Result<(Option<RunAnswer>, Exit)> {
    let inputs = ready.inputs(&[]).map_err(told)?;
    let event = Some(((*event).to_owned(), details.clone()));
    let order = Order { name: name.clone(), inputs, event, ..Order::default() };
    if !starting.lines {
        cx.ui.say(text::block(ready.plan.to_string().trim_end(), 100_000));
    }
    match (cx.ui.json, starting.detach) {
        (true, true) => {
            let id = begin_detached(session, ready, order, &starting.driving).map_err(told)?;
            Ok((Some(RunAnswer::new(&session.shown_run(&id)?, None, Vec::new())), Exit::Done))
        }
        (true, false) => {
            let (answer, exit) = one_of_many(cx, session, ready, order, &starting.driving)?;
            Ok((Some(answer), exit))
        }
        (false, detach) => {
            let exit = begin(cx, session, ready, order, &starting.driving, starting.lines, detach)?;
            Ok((None, exit))
        }
    }
}

fn worse(one: Exit, other: Exit) -> Exit {
    let rank = |exit: Exit| WORSE.iter().position(|known| *known == exit);
    if rank(other) > rank(one) { other } else { one }
}

fn piped() -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin().take(MAX_DETAILS as u64 + 1).read_to_end(&mut bytes).context("can't read standard input")?;
    // What a build or a test printed may be anything.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn bounded(text: String) -> anyhow::Result<String> {
    match text.len() > MAX_DETAILS {
        true => Err(usage(
            format!("the details of an event have {} KiB at most", MAX_DETAILS / 1024),
            "write them to a file, and tell where that is",
        )),
        false => Ok(text),
    }
}
