use super::{
    Context, done,
    run::start::{told, unknown},
};
use crate::{
    base::text,
    cli::{
        error::usage,
        exit::Exit,
        format,
        json::{
            PatternChoice, PatternsAnswer, PlannedStep, Workflow as WorkflowJson, WorkflowAnswer, WorkflowInput,
            WorkflowsAnswer,
        },
        ui::{BAD, BOLD, DIM, GOOD, ODD},
    },
    ops::Session,
    runner::{
        builtin::{self, BY_NEED, BY_SCENARIO, Choice},
        handlers,
        language::{MAX_FILE, load, schema, workflow::Workflow},
        library::{Origin, Seen, Workflows},
        plan::{self, Plan},
    },
};
use clap::Subcommand;
use std::{
    io::{self, Write},
    path::Path,
    sync::Arc,
};

/// Look at the workflows there are, check them, and begin new ones
///
/// A workflow is a list of steps in a file: .aio/workflows/<name>.toml in the repository, which counts once a person has
/// approved it by `git aio trust`; git-aio/workflows/<name>.toml in your own configuration folder; or one that comes with
/// git-aio. Nothing here runs any of them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the workflows there are
    List,
    /// Print a workflow with its plan
    Show {
        /// Its name, or its file
        name: String,
    },
    /// Say what is wrong with workflows
    ///
    /// Everything is looked at that can be known before anything runs: keys and names, what a step needs, what a condition
    /// reads, whether there are the agents. It exits with 2 if something is wrong.
    Check {
        /// Names, or files; all workflows of the repository unless some are named
        names: Vec<String>,
    },
    /// Begin a workflow of this repository as a copy of one that comes with git-aio
    New {
        /// The one to copy
        builtin: String,
        /// What the new one is called, unless it is called the same
        name: Option<String>,
    },
    /// Have events start a workflow
    ///
    /// It is started by `git aio emit` and by `git aio watch-files` from then on, in this clone and for you alone, as it is
    /// now: when it, or anything that it calls or includes, is changed, nothing starts it before it is enabled again. Only a
    /// person may say so.
    Enable {
        /// Its name
        name: String,
        /// An event that starts it; may be repeated [default: all that it handles]
        #[arg(long = "event", value_name = "EVENT")]
        events: Vec<String>,
    },
    /// Have no event start a workflow any more
    Disable {
        /// Its name
        name: String,
    },
    /// Show which pattern fits what, and the workflow that is written in that way
    Patterns,
    /// Print the JSON Schema of workflow files, for editors
    Schema,
}

/// Longest line about a workflow, and longest file, in characters.
const MAX_LINE: usize = 200;

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        match self.command {
            Command::List => list(cx),
            Command::Show { name } => show(cx, &name),
            Command::Check { names } => check(cx, &names),
            Command::New { builtin, name } => new(cx, &builtin, name.as_deref()),
            Command::Enable { name, events } => enable(cx, &name, &events),
            Command::Disable { name } => disable(cx, &name),
            Command::Patterns => patterns(cx),
            Command::Schema => {
                cx.ui.print(&format!("{}\n", serde_json::to_string_pretty(&schema::schema())?))?;
                Ok(Exit::Done)
            }
        }
    }
}

/// A workflow that was looked at.
struct Found {
    name: String,
    origin: Origin,
    waits: bool,
    /// The events that start it, and whether it is still what it was when that was said.
    enabled: Option<(Vec<String>, bool)>,
    loaded: Result<(Arc<Workflow>, Plan), String>,
}

fn find(session: &Session, workflows: &Workflows, name: &str) -> anyhow::Result<Found> {
    let Some((origin, _)) = workflows.find(name) else {
        let error = load(name, workflows).err();
        return Err(unknown(error.map_or_else(|| format!("there is no workflow '{name}'"), |error| error.to_string())));
    };
    let seen = Seen { files: None, roster: session.roster()? };
    let loaded = load(name, workflows).map_err(|error| error.to_string()).and_then(|workflow| {
        plan::check_names(&workflow, &seen).map_err(|error| error.to_string())?;
        let plan = plan::plan(&workflow).map_err(|error| error.to_string())?;
        Ok((workflow, plan))
    });
    let enabling = session.enabled_workflows().remove(name);
    let enabled = enabling.map(|enabling| {
        let is_same = handlers::is_as_enabled(workflows, name, &enabling);
        (enabling.events, is_same)
    });
    Ok(Found { name: name.to_owned(), waits: workflows.waits(&origin), enabled, origin, loaded })
}

fn list(cx: &Context) -> anyhow::Result<Exit> {
    use crate::runner::language::Library;
    let session = cx.session()?;
    let workflows = Workflows::to_look_at(session.workflow_texts()?);
    let found: Vec<Found> =
        workflows.names().iter().map(|name| find(&session, &workflows, name)).collect::<Result<_, _>>()?;
    cx.ui.answer(
        || WorkflowsAnswer::new(found.iter().map(json).collect()),
        |out| found.iter().try_for_each(|found| line(out, found)),
    )?;
    Ok(Exit::Done)
}

/// The workflow that is meant by a name, or by a file, among those there are then.
fn named(session: &Session, workflows: &Workflows, word: &str) -> anyhow::Result<(String, Workflows)> {
    if !word.contains('/') && !word.ends_with(".toml") {
        return Ok((word.to_owned(), workflows.clone()));
    }
    let stem = Path::new(word).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if !crate::ops::workflow::is_name(stem) {
        let told = format!("'{}' can't be the name of a workflow", format::target(stem));
        return Err(usage(told, "use a small letter, then small letters, digits and -"));
    }
    let text = session.named_text(Path::new(word), MAX_FILE)?;
    Ok((stem.to_owned(), workflows.clone().with(stem, word, text)))
}

fn show(cx: &Context, name: &str) -> anyhow::Result<Exit> {
    let session = cx.session()?;
    let (name, workflows) = named(&session, &Workflows::to_look_at(session.workflow_texts()?), name)?;
    let found = find(&session, &workflows, &name)?;
    let text = workflows.find(&name).map(|(_, text)| text.to_owned()).unwrap_or_default();
    let (inputs, steps) = match &found.loaded {
        Ok((workflow, plan)) => (
            workflow.inputs.iter().map(WorkflowInput::new).collect(),
            plan.steps.iter().map(PlannedStep::new).collect(),
        ),
        Err(_) => (Vec::new(), Vec::new()),
    };
    cx.ui.answer(
        || WorkflowAnswer::new(json(&found), text.clone(), inputs, steps),
        |out| writeln!(out, "{}", text::block(text.trim_end(), MAX_FILE)),
    )?;
    match &found.loaded {
        Ok((_, plan)) => cx.ui.say(format!("\n{}", text::block(plan.to_string().trim_end(), MAX_FILE))),
        Err(error) => cx.ui.warn(text::block(error, 2000)),
    }
    if found.waits {
        cx.ui.say("a person approves it by `git aio trust`; till then it can't be run");
    }
    Ok(Exit::Done)
}

fn check(cx: &Context, names: &[String]) -> anyhow::Result<Exit> {
    let session = cx.session()?;
    let workflows = Workflows::to_look_at(session.workflow_texts()?);
    let all: Vec<String> = match names {
        [] => workflows.of_repository().map(str::to_owned).collect(),
        names => names.to_vec(),
    };
    let mut found = Vec::new();
    for word in &all {
        let (name, workflows) = named(&session, &workflows, word)?;
        found.push(find(&session, &workflows, &name)?);
    }
    cx.ui.answer(
        || WorkflowsAnswer::new(found.iter().map(json).collect()),
        |out| found.iter().try_for_each(|found| verdict(out, found)),
    )?;
    for (found, early) in found.iter().filter_map(|found| Some((found, early(found)?))) {
        cx.ui.say(format!("{}: {early} could begin at once, by needs = []", found.name));
    }
    if found.is_empty() {
        cx.ui.say("there is no workflow in .aio/workflows");
    }
    Ok(if found.iter().all(|found| found.loaded.is_ok()) { Exit::Done } else { Exit::Usage })
}

/// The steps that read nothing of what they wait for.
fn early(found: &Found) -> Option<String> {
    let (workflow, _) = found.loaded.as_ref().ok()?;
    let steps = plan::could_start_earlier(workflow);
    (!steps.is_empty() && found.origin != Origin::Builtin).then(|| steps.join(", "))
}

fn new(cx: &Context, builtin: &str, name: Option<&str>) -> anyhow::Result<Exit> {
    let session = cx.session()?;
    let Some(copied) = builtin::find(builtin) else {
        let nearest = text::nearest(builtin, builtin::ALL.iter().map(|builtin| builtin.name));
        let meant = nearest.map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default();
        return Err(unknown(format!("no workflow '{}' comes with git-aio{meant}", text::one_line(builtin, 60))));
    };
    let name = name.unwrap_or(copied.name);
    let path = session.write_workflow(name, copied.text)?;
    let workflow = WorkflowJson {
        name: name.into(),
        about: String::new(),
        origin: "repository".into(),
        path: Some(path.clone()),
        waiting: true,
        on: Vec::new(),
        enabled: Vec::new(),
        changed: false,
        error: None,
    };
    let answered = cx.ui.answer(
        || WorkflowAnswer::new(workflow, copied.text.into(), Vec::new(), Vec::new()),
        |out| writeln!(out, "{path}"),
    );
    done("the workflow was written", answered)?;
    cx.ui.say("change it, and approve it by `git aio trust`; `git aio workflow check` says what is wrong with it");
    Ok(Exit::Done)
}

fn enable(cx: &Context, name: &str, events: &[String]) -> anyhow::Result<Exit> {
    let session = cx.session()?;
    let workflows = Workflows::to_run(session.workflow_texts()?);
    let (ready, events) = handlers::enable(&session, &workflows, name, events).map_err(told)?;
    cx.tell_notices(&session);
    cx.ui.say(text::block(ready.plan.to_string().trim_end(), MAX_FILE));
    let answered = stands(cx, &session, &workflows, name, |out| {
        writeln!(out, "{name} is started by {}, in this clone and as it is now", events.join(", "))
    });
    done("the workflow was enabled", answered)
}

fn disable(cx: &Context, name: &str) -> anyhow::Result<Exit> {
    let session = cx.session()?;
    let workflows = Workflows::to_look_at(session.workflow_texts()?);
    // One that is gone from the repository can be disabled all the same.
    if !session.disable_workflow(name)? && workflows.find(name).is_none() {
        return Err(unknown(format!("there is no workflow '{}'", text::one_line(name, 60))));
    }
    cx.tell_notices(&session);
    let answered =
        stands(cx, &session, &workflows, name, |out| writeln!(out, "no event starts {}", text::one_line(name, 60)));
    done("the workflow was disabled", answered)
}

/// Tells how a workflow stands after it was enabled or disabled.
fn stands(
    cx: &Context,
    session: &Session,
    workflows: &Workflows,
    name: &str,
    words: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> anyhow::Result<Exit> {
    let found = if workflows.find(name).is_some() { vec![find(session, workflows, name)?] } else { Vec::new() };
    cx.ui.answer(|| WorkflowsAnswer::new(found.iter().map(json).collect()), words)?;
    Ok(Exit::Done)
}

fn patterns(cx: &Context) -> anyhow::Result<Exit> {
    let rows = |choices: &[Choice]| choices.iter().map(PatternChoice::new).collect();
    cx.ui.answer(
        || PatternsAnswer::new(rows(&BY_SCENARIO), rows(&BY_NEED)),
        |out| {
            writeln!(out, "{BOLD}{:<36}{:<29}workflows{BOLD:#}", "what is to be done", "pattern")?;
            BY_SCENARIO.iter().try_for_each(|choice| row(out, choice))?;
            writeln!(out, "\n{BOLD}{:<36}{:<29}{:<24}workflows{BOLD:#}", "what matters", "pattern", "why")?;
            BY_NEED.iter().try_for_each(|choice| row(out, choice))
        },
    )?;
    Ok(Exit::Done)
}

fn row(out: &mut dyn Write, choice: &Choice) -> io::Result<()> {
    let why = choice.why.map(|why| format!("{why:<24}")).unwrap_or_default();
    writeln!(out, "{:<36}{:<29}{why}{}", choice.scenario, choice.pattern, choice.workflows.join(", "))
}

fn line(out: &mut dyn Write, found: &Found) -> io::Result<()> {
    let about = match &found.loaded {
        Ok((workflow, _)) => text::one_line(&workflow.about, MAX_LINE),
        Err(error) => format!("{BAD}wrong:{BAD:#} {}", text::one_line(error, MAX_LINE)),
    };
    let from = path(&found.origin).map(|path| format!(" {DIM}({}){DIM:#}", format::target(&path))).unwrap_or_default();
    let waits = if found.waits { format!(" {ODD}not approved{ODD:#}") } else { String::new() };
    let enabled = match &found.enabled {
        Some((events, true)) => format!(" {GOOD}started by {}{GOOD:#}", text::one_line(&events.join(", "), MAX_LINE)),
        Some((_, false)) => format!(" {ODD}changed since it was enabled{ODD:#}"),
        None => String::new(),
    };
    writeln!(out, "{:<21}{about}{from}{waits}{enabled}", found.name)
}

fn verdict(out: &mut dyn Write, found: &Found) -> io::Result<()> {
    match &found.loaded {
        Ok((_, plan)) => writeln!(out, "{GOOD}ok{GOOD:#}     {}: {}", found.name, format::count(plan.len(), "step")),
        Err(error) => writeln!(out, "{BAD}wrong{BAD:#}  {}", text::block(error, 2000)),
    }
}

fn path(origin: &Origin) -> Option<String> {
    match origin {
        Origin::Builtin => None,
        Origin::Own(path) | Origin::Repository(path) | Origin::Named(path) => Some(path.clone()),
    }
}

fn json(found: &Found) -> WorkflowJson {
    WorkflowJson {
        name: found.name.clone(),
        about: found.loaded.as_ref().map(|(workflow, _)| workflow.about.clone()).unwrap_or_default(),
        origin: match &found.origin {
            Origin::Builtin => "builtin",
            Origin::Own(_) => "own",
            Origin::Repository(_) => "repository",
            Origin::Named(_) => "file",
        }
        .into(),
        path: path(&found.origin),
        waiting: found.waits,
        on: found.loaded.as_ref().map(|(workflow, _)| workflow.on.clone()).unwrap_or_default(),
        enabled: found.enabled.as_ref().map(|(events, _)| events.clone()).unwrap_or_default(),
        changed: found.enabled.as_ref().is_some_and(|(_, is_same)| !is_same),
        error: found.loaded.as_ref().err().cloned(),
    }
}
