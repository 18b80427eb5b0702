//! Runs as they are kept: begun, continued by one driver at a time, shown, and let go of.

mod book;
mod copies;
mod ended;
mod left;
mod links;
mod waits;

pub use copies::{copy_of_block, copy_of_worker};

use super::{Error, Session, config::Configured};
use crate::{
    base::{
        id::{InstanceId, RunId},
        oid::Oid,
        process::Aliveness,
        text,
    },
    host::process,
    model::run::{Driver, Run, RunStatus, Step},
    store::{Private, RunEvent, StoreError, layout},
};
use chrono::TimeDelta;
use std::{
    cell::Cell,
    collections::HashSet,
    path::{Path, PathBuf},
};

/// Most changes of one run that are listed.
const MOST_EVENTS: usize = 10_000;

/// After so long a run that was handed over to the background has nobody who takes hold of it any more.
const TAKES_HOLD: TimeDelta = TimeDelta::minutes(1);

/// What is known of a run when it begins.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// What is run: a word for its id.
    pub workflow: String,
    /// What it is about, in a line.
    pub title: String,
    /// Who began it.
    pub by: Option<InstanceId>,
    /// The run that called it.
    pub parent: Option<RunId>,
    /// What it is made of, to be kept as it is now: by path below `spec/`.
    pub spec: Vec<(String, Vec<u8>)>,
}

/// A run as its driver writes it. The ref moves only from the value that this knows, so that of two drivers one is told.
pub struct RunBook<'s> {
    session: &'s Session,
    run: Run,
    /// The run as this driver has recorded it last.
    recorded: Option<Run>,
    tip: Option<Oid>,
    private: Option<Oid>,
    /// How often it was written by this driver.
    writes: Cell<u32>,
    /// The workers whose claims it is linked to.
    linked: HashSet<InstanceId>,
}

/// A run as others see it.
#[derive(Debug, Clone)]
pub struct ShownRun {
    /// The run; its status is that of now, `lost` where its driver is gone.
    pub run: Run,
    /// Its steps, in the order in which they began.
    pub steps: Vec<Step>,
    /// Whether what it said and did is kept in this clone.
    pub is_here: bool,
    /// Whether another clone drives it: then how it stands is what was last heard of it.
    pub is_elsewhere: bool,
    /// What of it can't be read, in words.
    pub damaged: Vec<String>,
}

impl Session {
    /// Begins a run, driven by this process.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn begin_run(&self, beginning: Beginning) -> Result<RunBook<'_>, Error> {
        let now = self.now();
        let random = u16::from_be_bytes(self.random());
        let id = RunId::new(&beginning.workflow, now.timestamp(), random).map_err(|error| {
            Error::usage(error.to_string(), "give it a name of small letters, digits and -, of 40 at most")
        })?;
        let run = Run {
            id,
            workflow: beginning.workflow,
            title: text::one_line(&beginning.title, 200),
            by: beginning.by,
            began: now,
            ended: None,
            status: RunStatus::Running,
            driver: self.driver()?,
            parent: beginning.parent,
            holder: None,
            why: None,
            links: Vec::new(),
            waits_for: Vec::new(),
        };
        let mut book = RunBook::new(self, run, None, None);
        let spec = beginning.spec.into_iter().map(|(path, bytes)| (format!("spec/{path}"), Private::Bytes(bytes)));
        book.keep(spec.collect(), "begin", false)?;
        book.record(&[], "begin")?;
        Ok(book)
    }

    /// Goes on with a run whose driver is gone or has stopped. What that has left at work is ended first.
    ///
    /// # Errors
    /// When there is no such run here, somebody drives it, or it has ended.
    pub fn continue_run(&self, id: &RunId) -> Result<(RunBook<'_>, Vec<Step>), Error> {
        let taken_up = self.take_up(id, |_| true)?;
        self.dismiss_workers_of(taken_up.0.run())?;
        Ok(taken_up)
    }

    /// The same, where whoever was at work for it keeps what it held, of a run that `may_be` how it stands.
    fn take_up(&self, id: &RunId, may_be: impl FnOnce(RunStatus) -> bool) -> Result<(RunBook<'_>, Vec<Step>), Error> {
        let tip = self.run_tip(layout::RUNS, id)?.ok_or_else(|| no_run(id.as_str()))?;
        let (run, mut steps, damaged) = self.repository.read_run(&tip)?;
        if let Some(error) = damaged.into_iter().next() {
            return Err(error.into());
        }
        if run.driver.clone != *self.clone_id()? {
            return Err(Error::not_allowed(
                format!("{id} is driven in another clone"),
                format!("go on with it there, or have this clone take it over: `git aio run resume {id}`"),
            ));
        }
        if self.is_driven(&run) {
            let pid = run.driver.process.as_ref().map_or(0, |process| process.pid);
            return Err(Error::Driven { run: id.clone(), pid });
        }
        if !may_be(run.status) {
            let hint = Some("`git aio run show` tells how".to_owned());
            return Err(Error::Usage { message: format!("{id} has ended: {}", run.status), hint });
        }
        let private = self.run_tip(layout::PRIVATE_RUNS, id)?;
        let mut book = RunBook::new(self, run, Some(tip), private);
        book.run.driver = self.driver()?;
        book.run.status = RunStatus::Running;
        book.run.ended = None;
        book.run.why = None;
        book.run.waits_for = Vec::new();
        book.record(&[], "resume").map_err(|error| match error {
            // Somebody else has just begun to drive it: it is as if that had been so when we looked.
            Error::NotAllowed { .. } => self.driven_by_another(id),
            error => error,
        })?;
        self.end_what_is_left(id, &steps);
        self.keep_copies(&mut book, &mut steps)?;
        Ok((book, steps))
    }

    /// That another process has taken hold of a run.
    fn driven_by_another(&self, id: &RunId) -> Error {
        let tip = self.run_tip(layout::RUNS, id).ok().flatten();
        let run = tip.and_then(|tip| self.repository.read_run(&tip).ok()).map(|(run, ..)| run);
        let pid = run.and_then(|run| run.driver.process).map_or(0, |process| process.pid);
        Error::Driven { run: id.clone(), pid }
    }

    /// All runs, the newest first.
    ///
    /// # Errors
    /// When the refs can't be read. A run that can't is left out, and counted.
    pub fn runs(&self) -> Result<(Vec<ShownRun>, usize), Error> {
        let (mut runs, mut damaged) = (Vec::new(), 0);
        for (name, _) in self.refs().listed(&[layout::RUNS]).map_err(StoreError::from)? {
            let id = name.strip_prefix(layout::RUNS).and_then(|id| id.parse::<RunId>().ok());
            match id.map(|id| self.shown_run(&id)) {
                Some(Ok(run)) => runs.push(run),
                Some(Err(_)) => damaged += 1,
                None => {}
            }
        }
        runs.sort_by(|a, b| (b.run.began, &b.run.id).cmp(&(a.run.began, &a.run.id)));
        Ok((runs, damaged))
    }

    /// The run whose id begins with `named`, or ends with it. Where nothing is named the newest of this clone that has begun,
    /// or of all if this clone has none.
    ///
    /// # Errors
    /// When there is none, or several.
    pub fn find_run(&self, named: Option<&str>) -> Result<RunId, Error> {
        self.find_run_that(named, |run| run.status != RunStatus::Refused)
    }

    /// The same, where one that never began is meant as well.
    ///
    /// # Errors
    /// As for [`find_run`](Self::find_run).
    pub fn find_run_or_refused(&self, named: Option<&str>) -> Result<RunId, Error> {
        self.find_run_that(named, |_| true)
    }

    fn find_run_that(&self, named: Option<&str>, is_meant: impl Fn(&Run) -> bool) -> Result<RunId, Error> {
        let names = self.refs().listed(&[layout::RUNS]).map_err(StoreError::from)?;
        let ids = names.keys().filter_map(|name| name.strip_prefix(layout::RUNS)?.parse::<RunId>().ok());
        let Some(named) = named else {
            let mut runs = self.runs()?.0;
            runs.retain(|shown| is_meant(&shown.run));
            let newest = runs.iter().position(|shown| !shown.is_elsewhere).unwrap_or(0);
            let newest = (newest < runs.len()).then(|| runs.swap_remove(newest).run.id);
            return newest.ok_or_else(|| {
                Error::not_found("there is no run yet", "`git aio delegate` and `git aio run <workflow>` begin one")
            });
        };
        let is_named = |id: &RunId| id.as_str().starts_with(named) || id.as_str().ends_with(&format!("-{named}"));
        let mut found: Vec<RunId> = ids.filter(|id| !named.is_empty() && is_named(id)).collect();
        match (found.iter().find(|id| id.as_str() == named).cloned(), found.len()) {
            (Some(exactly), _) => Ok(exactly),
            (None, 0) => Err(no_run(named)),
            (None, 1) => Ok(found.remove(0)),
            (None, _) => Err(Error::usage(
                format!("{} can be several runs", text::one_line(named, 60)),
                "`git aio run list` shows their ids; give more of the one you mean",
            )),
        }
    }

    /// A run and its steps, as they stand now.
    ///
    /// # Errors
    /// When there is none, or its record can't be read.
    pub fn shown_run(&self, id: &RunId) -> Result<ShownRun, Error> {
        let tip = self.run_tip(layout::RUNS, id)?.ok_or_else(|| no_run(id.as_str()))?;
        let (mut run, steps, damaged) = self.repository.read_run(&tip)?;
        let is_elsewhere = self.clone_id().is_ok_and(|here| *here != run.driver.clone);
        if matches!(run.status, RunStatus::Running | RunStatus::Compensating) && !is_elsewhere && !self.is_driven(&run)
        {
            run.status = RunStatus::Lost;
        }
        if run.status == RunStatus::Starting && !is_elsewhere && self.now() - run.began > TAKES_HOLD {
            run.status = RunStatus::Lost;
        }
        let is_here = self.run_tip(layout::PRIVATE_RUNS, id)?.is_some();
        Ok(ShownRun { run, steps, is_here, is_elsewhere, damaged: damaged.iter().map(ToString::to_string).collect() })
    }

    /// What happened in a run, the newest first.
    ///
    /// # Errors
    /// As for [`shown_run`](Self::shown_run).
    pub fn run_events(&self, id: &RunId) -> Result<Vec<RunEvent>, Error> {
        let tip = self.run_tip(layout::RUNS, id)?.ok_or_else(|| no_run(id.as_str()))?;
        Ok(self.repository.run_events(&tip, MOST_EVENTS)?)
    }

    /// What is kept of a run in this clone alone, by its path; `None` where there is none.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn kept_of_run(&self, id: &RunId, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some(tip) = self.run_tip(layout::PRIVATE_RUNS, id)? else { return Ok(None) };
        Ok(self.repository.read_private(&tip, path)?)
    }

    /// A tree that is kept of a run in this clone alone; `None` where there is none.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn tree_of_run(&self, id: &RunId, path: &str) -> Result<Option<Oid>, Error> {
        let Some(tip) = self.run_tip(layout::PRIVATE_RUNS, id)? else { return Ok(None) };
        Ok(self.repository.private_tree(&tip, path)?)
    }

    /// All files in a folder of what this clone alone keeps of a run, by their path from there.
    ///
    /// # Errors
    /// When one can't be read.
    pub fn files_of_run(&self, id: &RunId, folder: &str) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let Some(tip) = self.run_tip(layout::PRIVATE_RUNS, id)? else { return Ok(Vec::new()) };
        Ok(self.repository.private_files(&tip, folder)?)
    }

    /// The names of what is kept in a folder of what this clone alone keeps of a run.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn names_of_run(&self, id: &RunId, folder: &str) -> Result<Vec<String>, Error> {
        let Some(tip) = self.run_tip(layout::PRIVATE_RUNS, id)? else { return Ok(Vec::new()) };
        Ok(self.repository.private_names(&tip, folder)?)
    }

    /// The root of the work tree.
    ///
    /// # Errors
    /// When there is none.
    pub fn root(&self) -> Result<PathBuf, Error> {
        self.repository.work_tree().ok_or_else(|| {
            Error::usage(
                "this repository has no work tree",
                "go to one of it: `git worktree list` shows those there are",
            )
        })
    }

    /// The instance that runs this command, where that is one, without registering anybody.
    ///
    /// # Errors
    /// When one is named that never was here.
    pub fn who_is_it(&self) -> Result<Option<InstanceId>, Error> {
        let snapshot = self.snapshot()?;
        Ok(self.asking(&snapshot)?.instance().cloned())
    }

    /// The file in which the ledger of runs is kept, from the root, where the repository wants that.
    ///
    /// # Errors
    /// When the configuration is invalid.
    pub fn ledger_file(&self) -> Result<Option<String>, Error> {
        Ok(match self.configured()? {
            Configured::Approved(declared) => declared.config.ledger.map(|ledger| ledger.value),
            Configured::Waiting(_) | Configured::Nothing => None,
        })
    }

    /// Writes the ledger.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write_ledger(&self, file: &Path, text: &str) -> Result<(), Error> {
        let path = crate::base::path::RepoPath::from_bytes(file.as_os_str().as_encoded_bytes());
        let path = path.map_err(|error| Error::usage(error.to_string(), "name another file as the ledger"))?;
        self.exclude(&path)?;
        self.save(&path, text.as_bytes())
    }

    /// The folder of the files of a run that are no part of its record: logs, and documents for agents.
    pub fn run_folder(&self, id: &RunId) -> PathBuf {
        self.repository.common_dir().join("aio").join("runs").join(id.as_str())
    }

    /// The same, made.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn make_run_folder(&self, id: &RunId) -> Result<PathBuf, Error> {
        let folder = self.run_folder(id);
        let failed = Error::file(format!("the folder of {id} can't be made"));
        self.repository.sharing().make_folders(&folder).map_err(failed)?;
        Ok(folder)
    }

    /// Whether the process that drives a run is there. One that can't be judged, in another container perhaps, is.
    fn is_driven(&self, run: &Run) -> bool {
        let goes_on = matches!(run.status, RunStatus::Running | RunStatus::Compensating);
        let is_there = |mark| process::aliveness(mark) != Aliveness::Dead;
        goes_on && run.driver.process.as_ref().is_none_or(is_there)
    }

    fn driver(&self) -> Result<Driver, Error> {
        Ok(Driver { clone: self.clone_id()?.clone(), process: process::own_mark() })
    }

    fn run_tip(&self, folder: &str, id: &RunId) -> Result<Option<Oid>, Error> {
        Ok(self.refs().read(&format!("{folder}{id}")).map_err(StoreError::from)?)
    }
}

fn no_run(named: &str) -> Error {
    Error::not_found(
        format!("there is no run {}", text::one_line(named, 60)),
        "`git aio run list` shows those there are",
    )
}
