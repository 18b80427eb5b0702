use super::Context;
use crate::{
    cli::{
        diff::{self, Side},
        error::usage,
        exit::Exit,
        format,
        json::InitAnswer,
    },
    ops::init::{self, Agents, Content, FileEdit, InitPlan, SettingEdit, Wishes},
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
/// With --agents, the agent CLIs get a fence inside themselves, which asks before an edit whether somebody else holds the
/// file, and claims it if nobody does: hooks or a plugin, the tools of git-aio, a paragraph in CLAUDE.md, AGENTS.md or
/// GEMINI.md, and a skill. These are files of the work tree, to be committed; what is in them already stays. With --user
/// they are the user's own, and hold in every repository; that an edit claims is left to the user's settings then.
///
/// With --config, a configuration is written where there is none, .aio/config.toml, with the checks that the project seems
/// to have. What git-aio wrote itself is approved for the person who asked for it, in this clone.
///
/// Everything that is changed is recorded, in the git directory or, with --user, in ~/.config/git-aio, and --undo takes
/// it back: to the byte where nobody has changed it since, and otherwise our part alone.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show what would change, as a diff, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Take back what init changed; claims and notes stay
    #[arg(long, conflicts_with_all = ["dry_run", "remote", "fetch_with_git", "agents", "config"])]
    undo: bool,
    /// Put a fence into these agent CLIs, or into those found here: claude, codex, gemini, amp, opencode, copilot
    #[arg(long, value_name = "A,…", num_args = 0..=1, default_missing_value = "", value_delimiter = ',')]
    agents: Option<Vec<String>>,
    /// With --agents: into the user's own files instead of this work tree
    #[arg(long, conflicts_with_all = ["remote", "fetch_with_git", "config"])]
    user: bool,
    /// Write .aio/config.toml where there is none: how this project is checked, and who does what
    #[arg(long)]
    config: bool,
    /// Keep in step with other clones through this hub: a remote, a URL or a path
    #[arg(long, value_name = "R")]
    remote: Option<String>,
    /// Let a plain `git fetch` from the hub bring what the others did, too; the next sync takes it in
    #[arg(long)]
    fetch_with_git: bool,
}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        if self.undo {
            return self.undo(cx);
        }
        let agents = self.agents.as_deref().map(Agents::named).transpose()?;
        if self.user {
            return for_user(cx, agents, self.dry_run);
        }
        let session = cx.session()?;
        let wishes = Wishes { remote: self.remote, fetch_with_git: self.fetch_with_git, agents, config: self.config };
        let plan = if self.dry_run { session.plan_init(&wishes)? } else { session.init(&wishes)? };
        plan.overwriting.iter().for_each(|found| cx.ui.warn(found.words()));
        if plan.bare {
            cx.ui.say("this repository is bare: nobody commits in it, so it needs no fence");
        }
        if !self.dry_run {
            cx.tell_notices(&session);
        }
        answer(cx, &plan, self.dry_run)
    }

    fn undo(self, cx: &Context) -> anyhow::Result<Exit> {
        let done = if self.user { init::undo_for_user()? } else { cx.session()?.undo_init()? };
        let if_none = if self.user { "init has changed nothing of yours" } else { "init has changed nothing here" };
        cx.ui.answer(
            || InitAnswer::new(false, done.clone()),
            |out| tell(out, &done, &format!("nothing to take back: {if_none}")),
        )?;
        if !self.user {
            cx.ui.say("claims and notes stay in refs/aio/state; docs/storage.md says how they are kept");
        }
        Ok(Exit::Done)
    }
}

fn for_user(cx: &Context, agents: Option<Agents>, dry_run: bool) -> anyhow::Result<Exit> {
    let agents = agents.ok_or_else(|| {
        usage("--user needs --agents", "the fences in git's hooks belong to one repository; leave --user out for those")
    })?;
    let plan = if dry_run { init::plan_for_user(&agents)? } else { init::init_for_user(&agents)? };
    answer(cx, &plan, dry_run)
}

/// What was done, or would be, and what is left to do.
fn answer(cx: &Context, plan: &InitPlan, dry_run: bool) -> anyhow::Result<Exit> {
    if dry_run {
        cx.ui.answer(|| InitAnswer::new(true, plan.words()), |out| show(out, plan))?;
        return Ok(Exit::Done);
    }
    let words = plan.words();
    cx.ui.answer(|| InitAnswer::new(false, words.clone()), |out| tell(out, &words, IN_PLACE))?;
    if plan.names_hub() {
        cx.ui.say("`git aio sync` gives the hub what there is, and brings what the others have");
    }
    if let Some(remote) = &plan.possible_hub {
        let remote = format::target(remote);
        cx.ui.say(format!("nothing leaves this clone: `git aio init --remote {remote}` keeps it in step with others"));
    }
    if !plan.unfenced_agents.is_empty() {
        let found = plan.unfenced_agents.iter().map(|agent| agent.as_str()).collect::<Vec<_>>().join(", ");
        cx.ui.say(format!("found {found}: `git aio init --agents` puts a fence into them"));
    }
    if !plan.undeclared_checks.is_empty() {
        let checks = plan.undeclared_checks.join(", ");
        cx.ui.say(format!(
            "nothing says how this is checked: `git aio init --config` writes down what is found ({checks})"
        ));
    }
    if !plan.to_commit.is_empty() {
        let paths = plan.to_commit.iter().map(|path| format::target(&path.to_string_lossy()));
        let paths = paths.collect::<Vec<_>>().join(" ");
        cx.ui.say(format!(
            "once these are committed, a clone needs no more than `git aio init` for its fences: git add {paths}"
        ));
    }
    plan.advice.iter().for_each(|line| cx.ui.say(line));
    Ok(Exit::Done)
}

/// What is said where there is nothing to do.
const IN_PLACE: &str = "nothing to do: all is in place";

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
    if plan.is_empty() { writeln!(out, "{IN_PLACE}") } else { Ok(()) }
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
