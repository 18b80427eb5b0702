//! What every command works with: the repository, the settings, the clock, and who runs it.

use super::{Error, Notice, Settings, config, sync::Watching};
use crate::{
    base::{
        id::{CloneId, InstanceId},
        oid::Oid,
        refs::RefStorage,
        world::{Clock, Entropy, Time, can_be_kept},
    },
    host::{
        env::{AgentSession, Env},
        fault,
        git::Git,
        live::{self, LiveDir, Seen},
        refs::GitRefs,
        world::{SystemClock, SystemEntropy},
    },
    model::{
        instance::Instance,
        liveness::{Observed, Presence, Signs},
        op::Action,
    },
    store::{Damage, Durability, FileRefs, Listing, Location, RefBackend, Repository, Snapshot, layout},
};
use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::HashMap,
    path::{Path, PathBuf},
    rc::Rc,
    time::Instant,
};

/// One command in one repository.
pub struct Session {
    pub(super) repository: Repository,
    /// Configuration.
    pub settings: Settings,
    pub(super) env: Env,
    pub(super) clock: SystemClock,
    pub(super) entropy: SystemEntropy,
    /// Where the command was started.
    pub(super) dir: PathBuf,
    /// `--as`.
    pub(super) acting_as: Option<String>,
    /// The agent whose hook this command is, or whose call of a tool: it says who it is, and its environment need not.
    pub(super) caller: Option<AgentSession>,
    pub(super) live: LiveDir,
    clone_id: OnceCell<CloneId>,
    /// When this command last saw to a sync in the background.
    pub(super) sync_started: Cell<Option<Instant>>,
    /// What was seen of the other clones, once it is asked for.
    pub(super) watching: RefCell<Option<Rc<Watching>>>,
    notices: RefCell<Vec<Notice>>,
}

impl Session {
    /// Opens the repository around `dir`, or the one that the environment names.
    ///
    /// # Errors
    /// When there is none, or its configuration can't be understood.
    pub fn open(dir: &Path, acting_as: Option<String>) -> Result<Self, Error> {
        Self::open_with(dir, acting_as, Settings::read)
    }

    /// The same, but what can't be understood in its configuration is as if it weren't there.
    ///
    /// # Errors
    /// When there is none.
    pub fn open_to_look(dir: &Path, acting_as: Option<String>) -> Result<Self, Error> {
        Self::open_with(dir, acting_as, |repository| Ok(Settings::read_what_can_be(repository).0))
    }

    fn open_with(
        dir: &Path,
        acting_as: Option<String>,
        read: impl FnOnce(&Repository) -> Result<Settings, Error>,
    ) -> Result<Self, Error> {
        let env = Env::read();
        let location = match &env.git_dir {
            Some(git_dir) => {
                Location::Named { git_dir: git_dir.clone(), work_tree: env.git_work_tree.clone(), dir: dir.to_owned() }
            }
            None => Location::Around(dir.to_owned()),
        };
        Self::at(&location, dir, env, acting_as, read)
    }

    /// Opens the repository at or around `other`, whatever the environment names.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_other(other: &Path, acting_as: Option<String>) -> Result<Self, Error> {
        let env = Env { git_dir: None, git_work_tree: None, git_index_file: None, git_common_dir: None, ..Env::read() };
        let other = std::fs::canonicalize(other).map_err(Error::file(format!("can't open {}", other.display())))?;
        Self::at(&Location::Around(other.clone()), &other, env, acting_as, Settings::read)
    }

    pub(super) fn at(
        location: &Location,
        dir: &Path,
        env: Env,
        acting_as: Option<String>,
        read: impl FnOnce(&Repository) -> Result<Settings, Error>,
    ) -> Result<Self, Error> {
        let clock = SystemClock::new(&env);
        check_clock(clock.now())?;
        let repository = Repository::open_with(location, &env.settings)?.with_turns(env.turns.unwrap_or_default());
        let mut settings = read(&repository)?;
        settings.remote = settings.remote.or_else(|| config::approved_hub(&repository));
        Ok(Session {
            settings,
            live: LiveDir::new(repository.common_dir(), repository.sharing()),
            clock,
            entropy: SystemEntropy::new(&env),
            repository,
            env,
            dir: dir.to_owned(),
            acting_as,
            caller: None,
            clone_id: OnceCell::new(),
            sync_started: Cell::new(None),
            watching: RefCell::new(None),
            notices: RefCell::new(Vec::new()),
        })
    }

    /// The same command, in the repository around `root`.
    pub(super) fn moved_to(self, root: &Path) -> Result<Self, Error> {
        let mut moved = Session::open_other(root, self.acting_as)?;
        moved.dir = self.dir;
        moved.caller = self.caller;
        moved.notices.borrow_mut().push(Notice::NestedRepository(root.display().to_string()));
        Ok(moved)
    }

    /// What there is to tell besides the answer, so far; each is told once.
    pub fn take_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut self.notices.borrow_mut())
    }

    pub(super) fn notice(&self, notice: Notice) {
        self.notices.borrow_mut().push(notice);
    }

    /// What a listing has, and what of it can't be read. That it was cut is told.
    pub(super) fn listed<M>(&self, what: &'static str, listing: Listing<M>) -> (Vec<M>, Vec<Damage>) {
        let Listing { records, damaged, unread } = listing;
        if unread > 0 {
            self.notice(Notice::Unread { what, count: unread });
        }
        (records, damaged)
    }

    /// The time, the same source for everything.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    pub(super) fn random<const N: usize>(&self) -> [u8; N] {
        self.entropy.bytes()
    }

    /// How the refs of this repository are read and moved.
    pub(super) fn refs(&self) -> Box<dyn RefStorage + '_> {
        self.refs_kept(self.settings.durability)
    }

    /// The same, where a write is as sure as that.
    pub(super) fn refs_kept(&self, durability: Durability) -> Box<dyn RefStorage + '_> {
        match self.repository.ref_backend() {
            RefBackend::Files => {
                let durable = durability == Durability::Synced;
                Box::new(FileRefs::new(&self.repository, durable, |step| fault::at(&self.env, step.as_str())))
            }
            RefBackend::Git => Box::new(GitRefs::new(self.bare_git(), self.repository.common_dir())),
        }
    }

    /// git in the work tree (in a bare repository, in the git directory), in the repository the caller named.
    pub(super) fn git(&self) -> Git {
        let dir = self.repository.work_tree().unwrap_or_else(|| self.repository.common_dir().to_owned());
        Git::at(dir).inheriting(&self.env)
    }

    /// git in the shared git directory: for refs and configuration, which every worktree has in common.
    pub(super) fn bare_git(&self) -> Git {
        Git::at(self.repository.common_dir()).with("GIT_DIR", self.repository.common_dir())
    }

    /// The state of the store now.
    pub(super) fn snapshot(&self) -> Result<Snapshot<'_>, Error> {
        Ok(self.repository.snapshot(&*self.refs())?)
    }

    /// The id of this clone.
    pub(super) fn clone_id(&self) -> Result<&CloneId, Error> {
        if let Some(id) = self.clone_id.get() {
            return Ok(id);
        }
        let (dir, sharing) = (self.repository.common_dir(), self.repository.sharing());
        let id = live::clone_id(dir, sharing, || self.remembered_clone_id(), &self.entropy)
            .map_err(Error::file("the id of this clone can't be had"))?;
        Ok(self.clone_id.get_or_init(|| id))
    }

    /// The id that this clone had, if its folder of ours was lost: that of the last instance whose registration the
    /// reflog remembers. What came from another clone came with other lines, or with none.
    fn remembered_clone_id(&self) -> Option<CloneId> {
        let refs = self.refs();
        let lines: HashMap<Oid, Option<String>> = refs.told_history(layout::STATE).ok()?.into_iter().collect();
        let tip = refs.read(layout::STATE).ok()?.filter(|_| !lines.is_empty())?;
        let ours = self.repository.log(&tip).map_while(Result::ok).filter(|entry| {
            let line = lines.get(&entry.oid);
            line.is_some_and(|line| line.as_ref().is_none_or(|line| *line == entry.subject))
        });
        ours.filter_map(|entry| entry.op).find_map(|op| match op.action {
            Action::Register(instance) => Some(instance.clone),
            _ => None,
        })
    }

    /// Whether an instance is there.
    pub(super) fn presence(&self, instance: &Instance) -> Presence {
        match self.is_left_by_run(instance) {
            true => Presence::Stale,
            false => self.observe(instance).judge(self.now(), self.settings.patience),
        }
    }

    /// What can be seen of an instance from here.
    pub(super) fn observe(&self, instance: &Instance) -> Observed {
        let person = instance.tool.is_person();
        if self.is_elsewhere(instance) {
            let (afar, last_seen) = self.afar(instance);
            return Observed { person, signs: Signs::Elsewhere(afar), last_seen };
        }
        match self.live.read(&instance.id) {
            Ok(seen) => Observed {
                person: person || self.is_held_by_run(instance),
                signs: Signs::Here(self.life_of(instance, seen.as_ref())),
                last_seen: seen.map_or(instance.since, |seen| seen.last_seen),
            },
            // What another user or a newer program wrote.
            Err(_) => Observed { person, signs: Signs::Unreadable, last_seen: instance.since },
        }
    }

    /// Whether an instance works in another clone. Without an id of our own all do.
    pub(super) fn is_elsewhere(&self, instance: &Instance) -> bool {
        self.clone_id().map_or(true, |here| *here != instance.clone)
    }

    pub(super) fn seen(&self, id: &InstanceId) -> Option<Seen> {
        self.live.read(id).ok().flatten()
    }

    /// The name of the project: that of the folder that holds the repository.
    pub fn project(&self) -> String {
        let common = self.repository.common_dir();
        let named = match common.file_name() {
            Some(name) if name == ".git" => common.parent().and_then(Path::file_name),
            name => name,
        };
        let name = named.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        name.strip_suffix(".git").unwrap_or(&name).to_owned()
    }
}

/// What is recorded by a clock that is this wrong nobody could read.
fn check_clock(now: Time) -> Result<(), Error> {
    if can_be_kept(now) {
        return Ok(());
    }
    let told = "a time before 1970 or after 9999 can't be recorded: set the clock, and try again";
    Err(Error::Failed(format!("the clock of this machine says {}; {told}", now.format("%Y-%m-%d %H:%M"))))
}
