use super::{Context, done, message, tool};
use crate::{
    cli::{
        error::usage,
        exit::Exit,
        format,
        json::{Damage, Handoff, HandoffAnswer, HandoffsAnswer},
    },
    model::handoff::Document,
    ops::{
        Session,
        handoff::{Shown, Take},
    },
};
use clap::Subcommand;
use std::io::Write;

/// Pass a task on, with the claims it needs
///
/// An open handoff holds its claims itself, so that nobody comes between the one who stops and the one who goes on.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(Box<New>),
    /// List handoffs, those that wait first
    List,
    /// Print the task document of a handoff
    Show(Id),
    /// Go on with a handoff: its claims become yours
    Accept(Accept),
    /// Turn a handoff down, or withdraw an own one: its claims go back
    Decline(Id),
    /// Say that the task is done: its claims are free
    Done(Id),
}

/// Make a handoff; it takes all your claims on paths unless some are named
#[derive(Debug, Default, clap::Args)]
pub(crate) struct New {
    /// What is handed on, in a few words
    pub(crate) title: String,
    /// The tool it is meant for
    #[arg(long, value_name = "TOOL")]
    pub(crate) to: Option<String>,
    /// Take this claim only; may be repeated
    #[arg(long, value_name = "ID")]
    pub(crate) claim: Vec<String>,
    /// Take this task, which you hold; made again while that handoff is open, it is the same one
    #[arg(long, value_name = "ID")]
    pub(crate) task: Option<String>,
    /// Background that the next one needs; - reads standard input
    #[arg(long, value_name = "TEXT")]
    pub(crate) context: Option<String>,
    /// A file or pattern of the task; what is claimed unless given
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Vec<String>,
    /// What not to touch
    #[arg(long, value_name = "TEXT")]
    pub(crate) boundary: Vec<String>,
    /// A requirement with its acceptance criterion
    #[arg(long, value_name = "TEXT")]
    pub(crate) requirement: Vec<String>,
    /// An existing pattern to follow
    #[arg(long, value_name = "TEXT")]
    pub(crate) pattern: Vec<String>,
    /// A command that shows that it is done
    #[arg(long, value_name = "COMMAND")]
    pub(crate) verify: Vec<String>,
    /// Anything else
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Id {
    /// The handoff, or the beginning of its id
    id: String,
}

#[derive(Debug, clap::Args)]
struct Accept {
    /// The handoff, or the beginning of its id
    id: String,
    /// Although it is meant for another tool, or goes on from work that is not in this clone
    #[arg(long)]
    force: bool,
}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        match self.command {
            Command::New(mut new) => {
                if let Some("-") = new.context.as_deref() {
                    new.context = Some(message(&["-".to_owned()])?).filter(|text| !text.is_empty());
                }
                new.run(cx, &session)
            }
            Command::List => list(cx, &session),
            Command::Show(Id { id }) => show(cx, &session, &id),
            Command::Accept(Accept { id, force }) => settle(cx, &session, &id, Settlement::Accept { force }),
            Command::Decline(Id { id }) => settle(cx, &session, &id, Settlement::Decline),
            Command::Done(Id { id }) => settle(cx, &session, &id, Settlement::Done),
        }
    }
}

/// How a handoff is settled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Settlement {
    Accept { force: bool },
    Decline,
    Done,
}

impl New {
    pub(crate) fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        self.refuse_empty_texts()?;
        let to = tool(self.to)?;
        // Of a file a path is kept that means the same in every folder.
        let files = self.file.iter().map(|file| Ok(session.target(None, file.as_ref())?.scope.target()));
        let files = files.collect::<anyhow::Result<Vec<String>>>()?;
        let is_named = !self.claim.is_empty() || self.task.is_some();
        let take = if is_named { Take::Some(self.claim) } else { Take::All };
        let document = Document {
            title: self.title,
            context: self.context.unwrap_or_default(),
            files,
            boundaries: self.boundary,
            requirements: self.requirement,
            patterns: self.pattern,
            verification: self.verify,
            notes: self.note.unwrap_or_default(),
        };
        let made = session.hand_off(document, to, &take, self.task.as_deref());
        cx.tell_notices(session);
        let shown = made?;
        let answered = answer(cx, &shown, |out| {
            writeln!(out, "made {}", shown.handoff.id)?;
            if shown.claims.is_empty() {
                return writeln!(out, "  holding no claims");
            }
            let held = shown.claims.iter().map(|claim| format::target(&claim.scope.target()));
            held.into_iter().try_for_each(|target| writeln!(out, "  holding {target}"))
        });
        done("the handoff was made", answered)
    }

    fn refuse_empty_texts(&self) -> anyhow::Result<()> {
        let given = [
            ("--boundary", &self.boundary[..]),
            ("--requirement", &self.requirement),
            ("--pattern", &self.pattern),
            ("--verify", &self.verify),
            ("--file", &self.file),
            ("--context", self.context.as_slice()),
            ("--note", self.note.as_slice()),
        ];
        match given.into_iter().find(|(_, texts)| texts.iter().any(|text| text.trim().is_empty())) {
            Some((option, _)) => Err(usage(format!("the text of {option} is empty"), "say something, or leave it out")),
            None => Ok(()),
        }
    }
}

pub(crate) fn list(cx: &Context, session: &Session) -> anyhow::Result<Exit> {
    let (handoffs, damaged) = session.handoffs()?;
    cx.tell_notices(session);
    cx.ui.answer(
        || {
            let damaged = damaged.iter().map(|d| Damage { path: d.path.clone(), reason: d.reason.clone() });
            HandoffsAnswer::new(handoffs.iter().map(Handoff::shown).collect(), damaged.collect())
        },
        |out| {
            let now = session.now();
            handoffs.iter().try_for_each(|shown| writeln!(out, "{}", format::handoff(&shown.handoff, now)))?;
            if handoffs.is_empty() { writeln!(out, "no handoffs") } else { Ok(()) }
        },
    )?;
    Ok(Exit::Done)
}

pub(crate) fn show(cx: &Context, session: &Session, id: &str) -> anyhow::Result<Exit> {
    let shown = session.handoff(id)?;
    cx.tell_notices(session);
    answer(cx, &shown, |out| out.write_all(crate::cli::markdown::document(&shown).as_bytes()))
}

pub(crate) fn settle(cx: &Context, session: &Session, id: &str, settlement: Settlement) -> anyhow::Result<Exit> {
    let (how, shown) = match settlement {
        Settlement::Accept { force } => ("accepted", session.accept(id, force)),
        Settlement::Decline => ("declined", session.decline(id)),
        Settlement::Done => ("done", session.done(id)),
    };
    cx.tell_notices(session);
    let shown = shown?;
    let me = shown.handoff.state.settled().map(|settled| settled.by.clone());
    let answered = answer(cx, &shown, |out| {
        let confirmed = how == "accepted" && session.has_hub();
        let sure = if confirmed { " (confirmed by the hub)" } else { "" };
        writeln!(out, "{how} {}{sure}", shown.handoff.id)?;
        let mine = shown.claims.iter().filter(|claim| me.as_ref().is_some_and(|me| claim.is_held_by(me)));
        mine.into_iter().try_for_each(|claim| {
            writeln!(out, "  you hold {} ({})", format::target(&claim.scope.target()), claim.scope.kind())
        })
    });
    done("the handoff was settled", answered)
}

fn answer(
    cx: &Context,
    shown: &Shown,
    human: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> anyhow::Result<Exit> {
    cx.ui.answer(|| HandoffAnswer::new(Handoff::shown(shown)), human)?;
    Ok(Exit::Done)
}
