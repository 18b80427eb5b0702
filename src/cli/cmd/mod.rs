//! The commands, a file each, all of one shape: resolve, refuse or warn, one use case, the answer.

pub(super) mod agent;
pub(super) mod check;
pub(super) mod claim;
pub(super) mod cleanup;
pub(super) mod compact;
pub(super) mod completions;
pub(super) mod context;
pub(super) mod delegate;
pub(super) mod demo;
pub(super) mod doctor;
pub(super) mod emit;
pub(super) mod handoff;
pub(super) mod heartbeat;
pub(super) mod hook;
pub(super) mod init;
pub(super) mod log;
pub(super) mod man;
#[cfg(feature = "mcp")]
pub(super) mod mcp;
pub(super) mod register;
pub(super) mod release;
pub(super) mod run;
pub(super) mod schema;
pub(super) mod status;
pub(super) mod sync;
pub(super) mod task;
pub(super) mod tasks;
pub(super) mod trust;
pub(super) mod unregister;
pub(super) mod verify;
pub(super) mod watch_files;
pub(super) mod whoami;
pub(super) mod workflow;

use super::{
    args::{Args, Command, Global},
    error::{self, usage},
    exit::Exit,
    format,
    ui::Ui,
    words::{duration, message, since, some_time, tool},
};
use crate::{
    base::text,
    model::claim::Ended,
    ops::{self, Kind, Notice, Session, agent::Client},
};
use anyhow::Context as _;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// What a command works with.
pub(crate) struct Context {
    pub(crate) ui: Ui,
    dir: PathBuf,
    acting_as: Option<String>,
    /// Whether the folder was named by `-C`.
    #[cfg_attr(not(feature = "mcp"), expect(dead_code, reason = "only a server has to know"))]
    is_placed: bool,
    call: Option<Call>,
}

/// What there is to know of a command that is the call of a tool.
struct Call {
    client: Client,
    is_given_up: Box<dyn Fn() -> bool>,
}

/// Runs a command and tells how it ended.
pub(super) fn run(args: Args) -> ExitCode {
    let ui = Ui::new(args.global.json, args.global.quiet);
    let dir = std::env::current_dir().context("the current folder is gone");
    let ended = dir.and_then(|dir| {
        let Global { acting_as, dir: given, json, quiet } = args.global;
        let is_placed = given.is_some();
        let dir = given.map_or_else(|| dir.clone(), |given| dir.join(given));
        dispatch(args.command, &Context { ui: Ui::new(json, quiet), dir, acting_as, is_placed, call: None })
    });
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => error::report(&ui, &error, ops::now()),
    }
}

fn dispatch(command: Command, cx: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::Init(args) => args.run(cx),
        Command::Demo(args) => args.run(cx),
        Command::Register(args) => args.run(cx),
        Command::Whoami(args) => args.run(cx),
        Command::Heartbeat(args) => args.run(cx),
        Command::Unregister(args) => args.run(cx),
        Command::Cleanup(args) => args.run(cx),
        Command::Status(args) => args.run(cx),
        Command::Task(args) => args.run(cx),
        Command::Tasks(args) => args.run(cx),
        Command::Claim(args) => args.run(cx),
        Command::Check(args) => args.run(cx),
        Command::Release(args) => args.run(cx),
        Command::Context(args) => args.run(cx),
        Command::Handoff(args) => args.run(cx),
        Command::Compact(args) => args.run(cx),
        Command::Sync(args) => args.run(cx),
        Command::Agent(args) => args.run(cx),
        Command::Workflow(args) => args.run(cx),
        Command::Emit(args) => args.run(cx),
        Command::WatchFiles(args) => args.run(cx),
        Command::Log(args) => args.run(cx),
        Command::Delegate(args) => args.run(cx),
        Command::Run(args) => args.run(cx),
        Command::Verify(args) => args.run(cx),
        Command::Trust(args) => args.run(cx),
        Command::Doctor(args) => args.run(cx),
        Command::Hook(args) => args.run(cx),
        #[cfg(feature = "mcp")]
        Command::Mcp(args) => args.run(cx),
        Command::Schema(args) => args.run(cx),
        Command::Completions(args) => args.run(cx),
        Command::Man(args) => args.run(cx),
    }
}

impl Context {
    /// For the call of a tool that `client` made: what is said is kept, and waiting may be given up. It works where this
    /// server was told to with `-C`, or in the project that the client names, or where the server was started.
    #[cfg(feature = "mcp")]
    pub(crate) fn of_call(client: Client, server: &mcp::Place, is_given_up: impl Fn() -> bool + 'static) -> Context {
        let mcp::Place { dir, acting_as, is_placed } = server.clone();
        let project = if is_placed { None } else { client.project() };
        let call = Some(Call { client, is_given_up: Box::new(is_given_up) });
        Context { ui: Ui::keeping(), dir: project.unwrap_or(dir), acting_as, is_placed, call }
    }

    /// The repository around the folder of the command.
    pub(crate) fn session(&self) -> anyhow::Result<Session> {
        let (dir, acting_as) = (self.existing_dir()?, self.acting_as.clone());
        Ok(match &self.call {
            Some(call) => Session::called_through(&call.client, dir, acting_as)?,
            None => Session::open(dir, acting_as)?,
        })
    }

    /// Whether nobody waits for what the command may still come to.
    pub(crate) fn is_given_up(&self) -> bool {
        self.call.as_ref().is_some_and(|call| (call.is_given_up)())
    }

    /// The same, whatever its configuration says.
    pub(crate) fn session_to_look(&self) -> anyhow::Result<Session> {
        Ok(Session::open_to_look(self.existing_dir()?, self.acting_as.clone())?)
    }

    fn existing_dir(&self) -> anyhow::Result<&Path> {
        match self.dir.is_dir() {
            true => Ok(&self.dir),
            false => Err(usage(format!("{} is no folder", self.dir.display()), "name one that exists with -C")),
        }
    }

    /// The repository at or around `project`, or around the folder of the command.
    pub(crate) fn session_of(&self, project: Option<&Path>) -> anyhow::Result<Session> {
        match project {
            Some(project) => Ok(Session::open_other(&self.dir.join(project), self.acting_as.clone())?),
            None => self.session(),
        }
    }

    /// Refuses `--json` where an answer has another form: a script that parses it must not be left to guess.
    pub(crate) fn refuse_json(&self, why: &str) -> anyhow::Result<()> {
        if self.ui.json { Err(usage(format!("{why}, and no JSON"), "leave --json out")) } else { Ok(()) }
    }

    /// Warns of records that can't be read.
    pub(crate) fn warn_of_damage(&self, damaged: &[ops::Damage]) {
        for damage in damaged {
            let (path, reason) = (format::target(&damage.path), format::target(&damage.reason));
            self.ui.warn(format!("damaged record {path}: {reason}; see `git aio doctor`"));
        }
    }

    /// Tells what there is to tell besides the answer.
    pub(crate) fn tell_notices(&self, session: &Session) {
        for notice in session.take_notices() {
            match notice {
                Notice::Registered(id) => self.ui.say(format!("registered as {id}")),
                Notice::Revived(id) => self.ui.say(format!("registered again as {id}, which had ended")),
                Notice::Lost(ended) => self.ui.warn(lost(session, &ended)),
                Notice::Clash(id) => self.ui.warn(format!(
                    "another clone registered {id} in the same second and was first: what was done here as {id} is void; \
                     register anew"
                )),
                Notice::TaskTaken(id) => self.ui.warn(format!(
                    "another clone made the task {id} first: what was meant here is not in the queue, and its words are in a \
                     note now, see `git aio context get warning`"
                )),
                Notice::TaskNotDone(id) => self.ui.warn(format!(
                    "the hub does not take it that the task {id} was done here: what came of it is in a note now, see \
                     `git aio context get warning`"
                )),
                Notice::HandoffNotDone(id) => self.ui.warn(format!(
                    "the hub does not take it that {id} is done: it holds a task that is open there; see `git aio context \
                     get warning`"
                )),
                Notice::MoreTasks(count) => {
                    self.ui.warn(format!("{count} more tasks not told: they come last, and there are too many"));
                }
                Notice::NoIssues(why) => self.ui.warn(format!("only our own tasks are told: {why}")),
                Notice::LeftChanged(step, files) => {
                    self.ui.warn(format!("changed since {step} began, and left as it is: {files}"));
                }
                Notice::CopyLeft(dir, why) => {
                    let dir = text::one_line(&dir.to_string_lossy(), 500);
                    self.ui.warn(format!("a work tree is left at {dir}: {}", text::one_line(&why, 500)));
                }
                Notice::Doubtful(why) => {
                    self.ui.warn(format!("this was done, but may not last: {}", text::one_line(&why, 1000)));
                }
                Notice::StoreCreated => {
                    self.ui.say("began a store in refs/aio/state; `git aio init` adds the fence at the commit");
                }
                Notice::StoreGone => self.ui.warn(
                    "refs/aio/state is gone, and no claim is known: `git aio doctor --repair` brings back what is \
                     left of it, and where nothing is, `git aio init` begins anew",
                ),
                Notice::FenceHealed(why) => {
                    self.ui.warn(format!("the fence at the commit was gone and is back: {why}"))
                }
                Notice::FenceMissing(why) => {
                    self.ui.warn(format!("the fence at the commit is gone: {why}; `git aio init` puts it back"));
                }
                Notice::NobodyOf { tool, elsewhere: false } => {
                    self.ui.say(format!("no {tool} has registered here yet: the first that does can accept it"));
                }
                Notice::NobodyOf { tool, elsewhere: true } => self.ui.say(format!(
                    "a {tool} is registered in another clone only: it can accept this once both clones have synced"
                )),
                Notice::NoHub(hub) => self.ui.warn(format!(
                    "there is no repository at {hub}, so nothing can be synced yet: `git init --bare {hub}` makes one, or name \
                     another hub by `git aio init --remote <remote or URL>`",
                    hub = format::target(&hub)
                )),
                Notice::Unread { what, count } => {
                    self.ui.warn(format!("{count} more {what} not read: they are older, and there are too many"));
                }
                Notice::WorktreeUnfenced(tree, why) => self.ui.warn(format!(
                    "the worktree {} has no fence: {why}; `git aio init` puts it up when it is run there",
                    format::target(&tree)
                )),
                Notice::NotOnPath(folder) => {
                    let folder = folder.map_or_else(|| "its folder".into(), |folder| folder.display().to_string());
                    self.ui.warn(format!(
                        "hooks don't find git-aio, and the fence lets everything pass: add {} to PATH where your shell \
                         and your agents are started",
                        format::target(&folder)
                    ));
                }
                Notice::NestedRepository(root) => {
                    self.ui.say(format!("this belongs to the repository at {}", format::target(&root)));
                }
            }
        }
    }
}

/// A claim that ended without its holder's doing, told to the holder, with what is known now of the one who has it.
fn lost(session: &Session, ended: &Ended) -> String {
    let now = session.now();
    format!("{}{}", format::lost(ended, now), format::last_seen(session.rival_seen(ended), now))
}

/// Splits an optional kind off the targets: `file a b` or just `a b`. A path that is named like a kind is written
/// `./task`.
fn kind_and_targets(cx: &Context, mut words: Vec<OsString>) -> anyhow::Result<(Option<Kind>, Vec<OsString>)> {
    if let Some(word) = stray_kind(cx, &words) {
        return Err(usage(
            format!("the kind '{word}' stands among the targets"),
            format!("one command takes one kind, before its targets; a path of that name is written ./{word}"),
        ));
    }
    let kind = words.first().and_then(|word| word.to_str()).and_then(|word| match word {
        "file" => Some(Kind::File),
        "directory" | "dir" => Some(Kind::Directory),
        "pattern" => Some(Kind::Pattern),
        "task" => Some(Kind::Task),
        _ => None,
    });
    let Some(kind) = kind else {
        return match misspelt_kind(cx, &words) {
            Some((word, kind)) => Err(usage(
                format!("'{word}' is no kind of claim; did you mean {kind}?"),
                format!("write `{kind}`, or ./{word} for a file of that name"),
            )),
            None => Ok((None, words)),
        };
    };
    let word = words.remove(0);
    if words.is_empty() {
        let word = word.to_string_lossy().into_owned();
        return Err(usage(
            format!("no target after the kind '{word}'"),
            format!("name one; a path of that name is written ./{word}"),
        ));
    }
    Ok((Some(kind), words))
}

/// A kind that stands among the targets, where it would be taken for one of them.
fn stray_kind<'w>(cx: &Context, words: &'w [OsString]) -> Option<&'w str> {
    let mut others = words.iter().skip(1).filter_map(|word| word.to_str());
    others.find(|word| is_kind(word) && !is_there(cx, word))
}

fn is_kind(word: &str) -> bool {
    matches!(word, "file" | "directory" | "dir" | "pattern" | "task")
}

fn is_there(cx: &Context, word: &str) -> bool {
    cx.dir.join(word).symlink_metadata().is_ok()
}

/// The first word and the kind it is likely to be a slip of: there is nothing of that name, and targets follow.
fn misspelt_kind<'w>(cx: &Context, words: &'w [OsString]) -> Option<(&'w str, &'static str)> {
    let [first, _, ..] = words else { return None };
    let word = first.to_str().filter(|word| word.bytes().all(|b| b.is_ascii_alphabetic()))?;
    if is_there(cx, word) {
        return None;
    }
    let said = word.to_ascii_lowercase();
    let slips = |kind: &str| strsim::damerau_levenshtein(&said, kind);
    // Other words for the same come as they are.
    let known = [("file", "file"), ("directory", "directory"), ("dir", "directory"), ("folder", "directory")];
    let known = known.into_iter().chain([("pattern", "pattern"), ("glob", "pattern"), ("task", "task")]);
    let near = known.filter(|(name, _)| slips(name) <= if name.len() > 4 { 2 } else { 1 });
    near.min_by_key(|(name, _)| slips(name)).map(|(_, kind)| (word, kind))
}

/// The answer to a command that has done what it tells of: that it can't be told is a failure, and undoes nothing.
fn done<T>(what: &'static str, answered: anyhow::Result<T>) -> anyhow::Result<T> {
    answered.with_context(|| format!("{what}, but the answer could not be written to standard output"))
}
