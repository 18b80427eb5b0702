//! Changes of files, for whoever handles them: those that are asked for, without what runs have changed themselves.

use super::{Error, Session, run::ShownRun};
use crate::{
    base::{id::RunId, path::RepoPath, world::Time},
    host::{
        env::Env,
        supervise::Interrupts,
        watch_files::{WatchError, Watcher},
        world::SystemClock,
    },
    model::{
        claim::{Claim, Holder},
        echo::is_of_run,
        overlap::Overlap,
        run::RunStatus,
        scope::Scope,
        view::View as _,
    },
    store::{StoreError, layout},
};
use std::{collections::HashMap, ffi::OsString, time::Duration};

pub use crate::host::watch_files::{Changes, Seen};

/// Most runs that are asked what they have changed, the newest first.
const MOST_RUNS: usize = 200;

/// A work tree that is watched.
pub struct FileWatch {
    watcher: Watcher,
    /// What is asked for; everything where there is none.
    scopes: Vec<Overlap>,
}

impl Session {
    /// Begins to watch the work tree: the files, folders and patterns that were typed, or all of it.
    ///
    /// # Errors
    /// When there is none, something that was typed is no path in it, or the system can't watch it.
    pub fn watch_files(&self, typed: &[OsString]) -> Result<FileWatch, Error> {
        let fold = self.snapshot()?.folds_case();
        let scopes: Vec<Scope> =
            typed.iter().map(|typed| Ok(self.target(None, typed)?.scope)).collect::<Result<_, Error>>()?;
        let overlaps = || -> Vec<Overlap> { scopes.iter().map(|scope| Overlap::new(scope, fold)).collect() };
        let asked_for = overlaps();
        let wanted = move |folder: &RepoPath| {
            let folder = Scope::Directory(folder.clone());
            asked_for.is_empty() || asked_for.iter().any(|scope| scope.with(&folder))
        };
        let watcher = Watcher::begin(&self.root()?, self.git(), SystemClock::new(&Env::read()), wanted);
        let scopes = overlaps();
        Ok(FileWatch { watcher: watcher.map_err(told)?, scopes })
    }

    /// Without what runs of this clone have changed, or are changing: their agents hold it.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn without_runs(&self, mut changes: Changes) -> Result<Changes, Error> {
        let paths: Vec<RepoPath> = changes.paths.keys().cloned().collect();
        let snapshot = self.snapshot()?;
        // First, since whoever gives a claim back has written down before what it changed.
        let mut claims = snapshot.claims_covering(&paths)?;
        let mut at_work: HashMap<RunId, bool> = HashMap::new();
        let mut is_at_work = |run| *at_work.entry(run).or_insert_with_key(|run| self.is_at_work(run));
        claims.retain(|claim| run_worked_for(claim).is_some_and(&mut is_at_work));
        let held: Vec<(Time, Overlap)> =
            claims.iter().map(|claim| (claim.since, Overlap::new(&claim.scope, snapshot.folds_case()))).collect();
        let refs = self.refs();
        let names = refs.listed(&[layout::RUNS]).map_err(StoreError::from)?;
        let mut ids: Vec<RunId> =
            names.keys().filter_map(|name| name.strip_prefix(layout::RUNS)?.parse().ok()).collect();
        ids.sort_by_key(|id| std::cmp::Reverse(id.began()));
        let runs = ids.iter().take(MOST_RUNS).filter_map(|id| self.shown_run(id).ok());
        let runs: Vec<_> = runs.filter(|shown| !shown.is_elsewhere).collect();
        changes.paths.retain(|path, seen| {
            let file = Scope::File(path.clone());
            let is_held = held.iter().any(|(since, scope)| *since <= seen.last && scope.with(&file));
            !is_held && !runs.iter().any(|shown| is_of_run(&shown.run, &shown.steps, path, seen.last))
        });
        Ok(changes)
    }

    /// Whether anybody works for a run now. While it waits for an answer, or for somebody to go on with it, what it holds is
    /// changed by others. One of which nothing is known may be at work.
    fn is_at_work(&self, run: &RunId) -> bool {
        let at_work = |shown: ShownRun| matches!(shown.run.status, RunStatus::Running | RunStatus::Compensating);
        self.shown_run(run).map_or(true, at_work)
    }
}

/// The run that whoever holds a claim works for: it names that as its reason.
fn run_worked_for(claim: &Claim) -> Option<RunId> {
    let may_work = matches!(&claim.holder, Holder::Instance(id) if id.tool() != "person");
    claim.why.as_deref().filter(|_| may_work)?.parse().ok()
}

impl FileWatch {
    /// How many folders are watched at the beginning.
    pub fn folders(&self) -> usize {
        self.watcher.folders()
    }

    /// What has changed, once nothing did for as long as `quiet`. `None` when somebody interrupts.
    ///
    /// # Errors
    /// When the work tree is gone.
    pub fn next(&self, quiet: Duration, interrupts: &Interrupts) -> Result<Option<Changes>, Error> {
        loop {
            let Some(mut changes) = self.watcher.changes(quiet, &|| interrupts.count() > 0).map_err(told)? else {
                return Ok(None);
            };
            let is_meant = |path: &RepoPath| {
                let file = Scope::File(path.clone());
                self.scopes.is_empty() || self.scopes.iter().any(|scope| scope.with(&file))
            };
            changes.paths.retain(|path, _| is_meant(path));
            if !changes.paths.is_empty() || changes.is_incomplete {
                return Ok(Some(changes));
            }
        }
    }
}

fn told(error: WatchError) -> Error {
    match error {
        WatchError::Git(error) => Error::Git(error),
        WatchError::TooMany(_) => Error::usage(
            error.to_string(),
            "name fewer of them by --path; on Linux fs.inotify.max_user_watches says how many there may be",
        ),
        WatchError::Gone => Error::not_found(error.to_string(), "go to one that is there"),
        WatchError::Failed(why) => {
            Error::File { what: "the work tree can't be watched".into(), source: std::io::Error::other(why) }
        }
    }
}
