//! Workers: instances that a run starts, for one attempt each, and whose claims are the scope of what they do.

mod family;
mod holder;

use super::{Error, Session, Target, claim::Terms, cleanup::departure};
use crate::{
    base::{
        id::{InstanceId, RunId, Tool},
        oid::Oid,
        path::RepoPath,
        text,
    },
    host::{live::Live, process},
    model::{
        claim::{Claim, GrantRef, Holder},
        instance::{Doing, Instance, MAX_TASK},
        op::{Action, Op},
        overlap::Overlap,
        run::Run,
        scope::Scope,
        view::View as _,
    },
    store::Extent,
};
use std::ffi::OsStr;

/// An instance at work, and what it may write.
#[derive(Debug, Clone)]
pub struct Worker {
    /// The instance.
    pub id: InstanceId,
    /// Its claims: the scope.
    claims: Vec<Claim>,
    /// What of that a step may write whose run holds all of it.
    within: Option<Vec<Scope>>,
    folds_case: bool,
    /// The state of the store when it had them.
    since: Option<Oid>,
}

/// The two halves of a scope, in the words of a workflow.
pub type Halves = (Vec<String>, Vec<String>);

/// Most operations that are looked through for what others held while a worker was at work.
const MOST_OPERATIONS: usize = 10_000;

impl Session {
    /// Scopes in the words of a workflow, which are from the root.
    ///
    /// # Errors
    /// When one is no path inside the repository, and no pattern.
    pub fn scopes(&self, words: &[String]) -> Result<Vec<Target>, Error> {
        words.iter().map(|word| self.target(None, OsStr::new(word))).collect()
    }

    /// What was typed in the folder of the command, in the words of a workflow.
    ///
    /// # Errors
    /// When it is no path inside the repository and no pattern, or its name is no text.
    pub fn scope_words(&self, typed: &OsStr) -> Result<String, Error> {
        let scope = self.target(None, typed)?.scope;
        let unnamed = || Error::usage("the name of that is no text in UTF-8", "name a folder above it");
        let text = |path: &RepoPath| path.to_os().and_then(|path| path.to_str()).map(str::to_owned).ok_or_else(unnamed);
        match &scope {
            Scope::File(path) => Ok(format!("./{}", text(path)?)),
            Scope::Directory(path) if path.is_root() => Ok("./".to_owned()),
            Scope::Directory(path) => Ok(format!("./{}/", text(path)?)),
            Scope::Pattern(_) => Ok(scope.target()),
            Scope::Task(_) => Err(Error::usage("a task is no path", "name a file, a folder or a pattern")),
        }
    }

    /// The first of `scope` that is not within `cap`, both in the words of a workflow.
    ///
    /// # Errors
    /// When a word is no scope.
    pub fn beyond(&self, cap: &[String], scope: &[String]) -> Result<Option<String>, Error> {
        let fold = self.snapshot()?.folds_case();
        let allowed = self.scopes(cap)?;
        for word in scope {
            let target = self.target(None, OsStr::new(word))?;
            if !allowed.iter().any(|allowed| allowed.scope.includes(&target.scope, fold)) {
                return Ok(Some(word.clone()));
            }
        }
        Ok(None)
    }

    /// Registers a worker, which lives as long as this process, and claims `scope` for it, all or none.
    ///
    /// # Errors
    /// [`Error::Held`] when somebody else holds what overlaps the scope. Then nobody is registered.
    pub fn hire(&self, tool: &str, run: &RunId, task: &str, scope: &[Target]) -> Result<Worker, Error> {
        let tool: Tool = tool.parse().map_err(|error: crate::base::id::InvalidName| {
            Error::usage(error.to_string(), "name the tool in other words in .aio/config.toml")
        })?;
        self.look_for_others(scope)?;
        let id = self.register_worker(tool, text::head(&format!("{run}: {task}"), MAX_TASK))?;
        let terms = Terms { why: Some(run.to_string()), ..Terms::default() };
        let claims = match scope {
            [] => Ok(Vec::new()),
            scope => self.claim_now(&id, scope, &terms).map(|granted| granted.claims),
        };
        let snapshot = self.snapshot()?;
        let (folds_case, since) = (snapshot.folds_case(), snapshot.oid().cloned());
        match claims {
            Ok(claims) => {
                let claims = claims.into_iter().map(|grant| grant.claim).collect();
                Ok(Worker { id, claims, within: None, folds_case, since })
            }
            Err(error) => {
                let _ = self.dismiss(&id);
                Err(error)
            }
        }
    }

    fn register_worker(&self, tool: Tool, task: &str) -> Result<InstanceId, Error> {
        let now = self.now();
        // A worker is known by its variable alone: no session and no process of anybody else is it.
        let live = Live { process: process::own_mark(), agent: true, session: None, registered: now, ended: None };
        let instance = Instance {
            id: self.new_id(&tool, &live)?,
            clone: self.clone_id()?.clone(),
            project: self.project(),
            worktree: self.repository.worktree_name(),
            task: Some(Doing { text: text::one_line(task, MAX_TASK), id: None }),
            since: now,
            parent: self.who(&self.snapshot()?)?.instance().filter(|id| id.tool() != "person").cloned(),
            tool,
        };
        let done = self.perform(Some(&instance.id), |_| Ok(Some(Action::Register(instance.clone()))));
        if done.is_err() && !self.may_be_registered(&instance.id) {
            let _ = self.live.remove(&instance.id);
        }
        done.map(|_| instance.id)
    }

    /// Says that a worker is alive.
    pub fn beat_for(&self, worker: &InstanceId) {
        let _ = self.live.beat(worker, self.now());
    }

    /// Whether a worker has lost any of its claims: they were ended while it was silent.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn has_lost(&self, worker: &Worker) -> Result<bool, Error> {
        let snapshot = self.snapshot()?;
        for claim in &worker.claims {
            let is_same = |now: Claim| now.grant == claim.grant && now.holder == claim.holder;
            if !snapshot.claim(&claim.id)?.is_some_and(is_same) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes a worker off the register, with whoever was registered inside of its work, and with their claims.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn dismiss(&self, worker: &InstanceId) -> Result<(), Error> {
        let mut gone = Vec::new();
        self.perform(Some(worker), |snapshot| {
            gone = self.family_of(worker, snapshot)?;
            let departures = gone.iter().map(|id| {
                let claims = snapshot.claims_of(&Holder::Instance(id.clone()))?;
                Ok(departure(id.clone(), &claims, false))
            });
            let departures = departures.collect::<Result<Vec<_>, Error>>()?;
            Ok((!departures.is_empty()).then_some(Action::End(departures)))
        })?;
        // Nobody comes back as one of them.
        gone.iter().chain([worker]).for_each(|id| drop(self.live.remove(id)));
        Ok(())
    }

    /// Takes off the register whoever was at work for a run when its driver was gone, but for who holds what all of it may
    /// write. Nobody may be at work for it now.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub(super) fn dismiss_workers_of(&self, run: &Run) -> Result<(), Error> {
        // A holder that the run doesn't name was registered just before its driver was gone.
        let is_meant = |instance: &Instance| run.holder.as_ref() != Some(&instance.id) && works_for(run, instance);
        let workers = self.snapshot()?.instances(Extent::Newest, is_meant)?.records;
        workers.iter().try_for_each(|worker| self.dismiss(&worker.id))
    }

    /// Of `paths` those that nobody holds but a run: its workers, and what it claims as a whole.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn held_by_none_but(&self, run: &Run, paths: &[RepoPath]) -> Result<Vec<RepoPath>, Error> {
        let snapshot = self.snapshot()?;
        let own = snapshot.instances(Extent::Newest, |instance| works_for(run, instance))?.records;
        let own: Vec<&InstanceId> = own.iter().map(|instance| &instance.id).chain(&run.holder).collect();
        let mut theirs = snapshot.claims_covering(paths)?;
        theirs.retain(|claim| !own.iter().any(|own| claim.is_held_by(own)));
        Ok(beside(paths, &theirs, snapshot.folds_case()))
    }

    /// Gives back those claims of a worker that cover none of `paths`.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn release_beside(&self, worker: &Worker, paths: &[RepoPath]) -> Result<(), Error> {
        self.perform(Some(&worker.id), |snapshot| {
            let mut claims = snapshot.claims_of(&Holder::Instance(worker.id.clone()))?;
            claims.retain(|claim| {
                let overlap = Overlap::new(&claim.scope, worker.folds_case);
                !paths.iter().any(|path| overlap.with(&Scope::File(path.clone())))
            });
            let claims: Vec<GrantRef> = claims.iter().map(Claim::grant_ref).collect();
            Ok((!claims.is_empty()).then(|| Action::Release { claims, ended: Vec::new(), forced: None }))
        })?;
        Ok(())
    }

    /// Gives back those claims of a worker that overlap one of `targets`.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn release_overlapping(&self, worker: &InstanceId, targets: &[Target]) -> Result<(), Error> {
        self.perform(Some(worker), |snapshot| {
            let overlaps: Vec<Overlap> =
                targets.iter().map(|target| Overlap::new(&target.scope, snapshot.folds_case())).collect();
            let mut claims = snapshot.claims_of(&Holder::Instance(worker.clone()))?;
            claims.retain(|claim| overlaps.iter().any(|overlap| overlap.with(&claim.scope)));
            let claims: Vec<GrantRef> = claims.iter().map(Claim::grant_ref).collect();
            Ok((!claims.is_empty()).then(|| Action::Release { claims, ended: Vec::new(), forced: None }))
        })?;
        Ok(())
    }

    /// Those of `paths` that one of `targets` covers.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn covered(&self, targets: &[Target], paths: impl Iterator<Item = RepoPath>) -> Result<Vec<RepoPath>, Error> {
        let fold = self.snapshot()?.folds_case();
        let overlaps: Vec<Overlap> = targets.iter().map(|target| Overlap::new(&target.scope, fold)).collect();
        Ok(paths.filter(|path| overlaps.iter().any(|one| one.with(&Scope::File(path.clone())))).collect())
    }

    /// Those of `paths` that nobody holds but `worker` and whoever was registered inside of its work.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn not_held_by_others(&self, paths: &[RepoPath], worker: Option<&InstanceId>) -> Result<Vec<RepoPath>, Error> {
        let snapshot = self.snapshot()?;
        let mut theirs = snapshot.claims_covering(paths)?;
        if let Some(worker) = worker {
            let family = self.family_of(worker, &snapshot)?;
            theirs.retain(|claim| !claim.is_held_by(worker) && !family.iter().any(|one| claim.is_held_by(one)));
        }
        Ok(beside(paths, &theirs, snapshot.folds_case()))
    }

    /// The two halves of a scope: of its parts, or where it has one only, of the files that git knows in it. `None` for one
    /// that can't be divided.
    ///
    /// # Errors
    /// When a scope is none, or git can't be asked.
    pub fn halves(&self, scope: &[String]) -> Result<Option<Halves>, Error> {
        let parts = match scope {
            [_] => {
                let targets = self.scopes(scope)?;
                let known = self.git().run(["ls-files", "-z"])?;
                let known = known.split(|byte| *byte == 0).filter_map(|path| RepoPath::from_bytes(path).ok());
                let files = self.covered(&targets, known.filter(|path| !path.is_root()))?;
                // A name that is no text can't stand in a scope.
                let named = files.iter().filter_map(|path| Some(path.to_os()?.to_str()?.to_owned()));
                named.map(|path| format!("./{path}")).collect()
            }
            several => several.to_vec(),
        };
        Ok((parts.len() > 1).then(|| (parts[..parts.len() / 2].to_vec(), parts[parts.len() / 2..].to_vec())))
    }

    /// Of `paths` those that a worker may not write and that nobody else has held since it began: what is changed there
    /// counts against it. The others are somebody's work.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn strays(&self, worker: &Worker, paths: &[RepoPath]) -> Result<Vec<RepoPath>, Error> {
        let beside: Vec<RepoPath> = paths.iter().filter(|path| !worker.may_write(path)).cloned().collect();
        if beside.is_empty() {
            return Ok(beside);
        }
        let held = self.held_by_others_since(worker, &beside)?;
        let held: Vec<Overlap> = held.iter().map(|scope| Overlap::new(scope, worker.folds_case)).collect();
        let is_free = |path: &RepoPath| !held.iter().any(|held| held.with(&Scope::File(path.clone())));
        Ok(beside.into_iter().filter(is_free).collect())
    }

    /// What others held of `paths` when a worker began, and what they have claimed since, if they hold it still or not.
    fn held_by_others_since(&self, worker: &Worker, paths: &[RepoPath]) -> Result<Vec<Scope>, Error> {
        let snapshot = self.snapshot()?;
        let mut held = snapshot.claims_covering(paths)?;
        if let Some(since) = &worker.since {
            held.extend(self.repository.snapshot_at(since.clone())?.claims_covering(paths)?);
        }
        let (mut registered, mut claimed) = (Vec::new(), Vec::new());
        let log = snapshot.oid().map(|tip| self.repository.log(tip).take(MOST_OPERATIONS));
        for entry in log.into_iter().flatten() {
            let entry = entry?;
            if worker.since.as_ref() == Some(&entry.oid) {
                break;
            }
            match entry.op {
                Some(Op { by, action: Action::Claim { wants, .. }, .. }) => claimed.push((by, wants)),
                Some(Op { action: Action::Register(instance), .. }) => registered.push(instance),
                _ => {}
            }
        }
        // What it has others claim that it registers itself is no excuse, whether they are there still or not.
        let mut own = self.family_of(&worker.id, &snapshot)?;
        own.push(worker.id.clone());
        for instance in registered.into_iter().rev() {
            if instance.parent.is_some_and(|parent| own.contains(&parent)) {
                own.push(instance.id);
            }
        }
        held.retain(|claim| !own.iter().any(|one| claim.is_held_by(one)));
        claimed.retain(|(by, _)| by.as_ref().is_none_or(|by| !own.contains(by)));
        let scopes = held.into_iter().map(|claim| claim.scope);
        Ok(scopes.chain(claimed.into_iter().flat_map(|(_, wants)| wants).map(|want| want.scope)).collect())
    }
}

impl Worker {
    /// Whether it may write a path.
    pub fn may_write(&self, path: &RepoPath) -> bool {
        let file = Scope::File(path.clone());
        let covers = |scope: &Scope| Overlap::new(scope, self.folds_case).with(&file);
        self.within.as_ref().is_none_or(|within| within.iter().any(covers))
            && self.claims.iter().any(|claim| covers(&claim.scope))
    }

    /// Its claims, by id.
    pub fn claims(&self) -> impl Iterator<Item = String> {
        self.claims.iter().map(|claim| claim.id.to_string())
    }
}

/// Whether an instance works for a run, or holds what that claims as a whole.
fn works_for(run: &Run, instance: &Instance) -> bool {
    let task = instance.task.as_ref().map(|task| task.text.as_str());
    task.is_some_and(|task| task.starts_with(&format!("{}: ", run.id)) || task == holder::task_of(&run.id))
}

/// Those of `paths` that no claim covers.
fn beside(paths: &[RepoPath], claims: &[Claim], folds_case: bool) -> Vec<RepoPath> {
    let held: Vec<Overlap> = claims.iter().map(|claim| Overlap::new(&claim.scope, folds_case)).collect();
    let is_free = |path: &&RepoPath| !held.iter().any(|held| held.with(&Scope::File((*path).clone())));
    paths.iter().filter(is_free).cloned().collect()
}
