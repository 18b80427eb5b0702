use super::Context;
use crate::{
    cli::{
        diff::{self, Side},
        exit::Exit,
        format,
        json::InitAnswer,
    },
    ops::init::{Content, FileEdit, InitPlan, SettingEdit, Wishes},
};
use std::io::{self, Write};

/// Put up the fences at the commit and the push, and make the store
///
/// From then on git asks git-aio before each commit and each merge commit whether what is staged is held by somebody
/// else, and before each push whether it rests on a claim that was lost. A hook that is there already keeps running after ours. Where the folder of hooks is versioned or lies outside
/// the repository, it is left alone, and git is pointed at hooks of ours that run those in it.
///
/// With --remote, that one becomes the hub, by which clones are kept in step. Nothing is ever sent before one is named.
///
/// Everything that is changed is recorded in the git directory, and --undo takes it back.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show what would change, as a diff, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Take back what init changed; claims and notes stay
    #[arg(long, conflicts_with_all = ["dry_run", "remote", "fetch_with_git"])]
    undo: bool,
    /// Keep in step with other clones through this hub: a remote, a URL or a path
    #[arg(long, value_name = "R")]
    remote: Option<String>,
    /// Let a plain `git fetch` from the hub bring what the others did, too; the next sync takes it in
    #[arg(long)]
    fetch_with_git: bool,
}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        if self.undo {
            return undo(cx, session.undo_init()?);
        }
        let wishes = Wishes { remote: self.remote, fetch_with_git: self.fetch_with_git };
        let plan = if self.dry_run { session.plan_init(&wishes)? } else { session.init(&wishes)? };
        plan.overwriting.iter().for_each(|found| cx.ui.warn(found.words()));
        if plan.bare {
            cx.ui.say("this repository is bare: nobody commits in it, so it needs no fence");
        }
        if self.dry_run {
            cx.ui.answer(|| InitAnswer::new(true, plan.words()), |out| show(out, &plan))?;
            return Ok(Exit::Done);
        }
        cx.tell_notices(&session);
        cx.ui.answer(
            || InitAnswer::new(false, plan.words()),
            |out| tell(out, &plan.words(), "nothing to do: all is in place"),
        )?;
        if plan.names_hub() {
            cx.ui.say("`git aio sync` gives the hub what there is, and brings what the others have");
        }
        if let Some(remote) = &plan.possible_hub {
            let remote = format::target(remote);
            cx.ui.say(format!(
                "nothing leaves this clone: `git aio init --remote {remote}` keeps it in step with others"
            ));
        }
        Ok(Exit::Done)
    }
}

fn undo(cx: &Context, done: Vec<String>) -> anyhow::Result<Exit> {
    cx.ui.answer(
        || InitAnswer::new(false, done.clone()),
        |out| tell(out, &done, "nothing to take back: init has changed nothing here"),
    )?;
    cx.ui.say("claims and notes stay in refs/aio/state; docs/storage.md says how they are kept");
    Ok(Exit::Done)
}

fn tell(out: &mut dyn Write, lines: &[String], if_none: &str) -> io::Result<()> {
    if lines.is_empty() {
        writeln!(out, "{if_none}")?;
    }
    lines.iter().try_for_each(|line| writeln!(out, "{}", crate::base::text::one_line(line, MAX_LINE)))
}

/// Longest line that names what was done, in characters.
const MAX_LINE: usize = 1000;

/// The plan as a diff.
fn show(out: &mut dyn Write, plan: &InitPlan) -> io::Result<()> {
    plan.files.iter().try_for_each(|edit| show_file(out, edit))?;
    plan.settings.iter().try_for_each(|edit| show_setting(out, edit))?;
    if plan.makes_store {
        writeln!(out, "and make the store in refs/aio/state")?;
    }
    if plan.is_empty() { writeln!(out, "nothing to do: all is in place") } else { Ok(()) }
}

fn show_file(out: &mut dyn Write, edit: &FileEdit) -> io::Result<()> {
    let path = edit.path.to_string_lossy();
    let side = |content: &Content| Side { path: &path, content: as_git_has_it(content) };
    diff::write(out, &side(&edit.before), &side(&edit.after))
}

/// What is there, and its mode in git's words.
fn as_git_has_it(content: &Content) -> Option<(String, String)> {
    match content {
        Content::Absent => None,
        Content::File { bytes, mode } => Some((String::from_utf8_lossy(bytes).into_owned(), format!("100{mode:03o}"))),
        Content::Link(target) => Some((target.to_string_lossy().into_owned(), "120000".into())),
    }
}

/// The lines of `git config --list` that change; the file itself holds more.
fn show_setting(out: &mut dyn Write, edit: &SettingEdit) -> io::Result<()> {
    let path = edit.file.to_string_lossy();
    let side = |values: &[String]| {
        let lines = values.iter().map(|value| format!("{}={value}\n", edit.key)).collect::<String>();
        Side { path: &path, content: Some((lines, "100644".into())) }
    };
    diff::write(out, &side(&edit.before), &side(&edit.after))
}
