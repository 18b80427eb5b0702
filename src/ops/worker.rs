//! Workers: instances that a run starts, for one attempt each, and whose claims are the scope of what they do.

use super::{Error, Session, Target, claim::Terms, cleanup::departure};
use crate::{
    base::{
        id::{InstanceId, RunId, Tool},
        path::RepoPath,
        text,
    },
    host::{live::Live, process},
    model::{
        claim::{Claim, GrantRef, Holder},
        instance::{Instance, MAX_TASK, Task},
        op::Action,
        overlap::Overlap,
        scope::Scope,
        view::View as _,
    },
};
use std::ffi::OsStr;

/// An instance at work, and what it may write.
#[derive(Debug, Clone)]
pub struct Worker {
    /// The instance.
    pub id: InstanceId,
    /// Its claims: the scope.
    claims: Vec<Claim>,
    folds_case: bool,
}

impl Session {
    /// Scopes in the words of a workflow, which are from the root.
    ///
    /// # Errors
    /// When one is no path inside the repository, and no pattern.
    pub fn scopes(&self, words: &[String]) -> Result<Vec<Target>, Error> {
        words.iter().map(|word| self.target(None, OsStr::new(word))).collect()
    }

    /// Registers a worker, which lives as long as this process, and claims `scope` for it, all or none.
    ///
    /// # Errors
    /// [`Error::Held`] when somebody else holds what overlaps the scope. Then nobody is registered.
    pub fn hire(&self, tool: &str, run: &RunId, task: &str, scope: &[Target]) -> Result<Worker, Error> {
        let tool: Tool = tool.parse().map_err(|error: crate::base::id::InvalidName| {
            Error::usage(error.to_string(), "name the tool in other words in .aio/config.toml")
        })?;
        let id = self.register_worker(tool, text::head(&format!("{run}: {task}"), MAX_TASK))?;
        let terms = Terms { why: Some(run.to_string()), ..Terms::default() };
        let claims = match scope {
            [] => Ok(Vec::new()),
            scope => self.claim_now(&id, scope, &terms).map(|granted| granted.claims),
        };
        let folds_case = self.snapshot()?.folds_case();
        match claims {
            Ok(claims) => Ok(Worker { id, claims: claims.into_iter().map(|grant| grant.claim).collect(), folds_case }),
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
            task: Some(Task { text: text::one_line(task, MAX_TASK), id: None }),
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

    /// Takes a worker off the register, with its claims.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn dismiss(&self, worker: &InstanceId) -> Result<(), Error> {
        self.perform(Some(worker), |snapshot| {
            if snapshot.instance(worker)?.is_none() {
                return Ok(None);
            }
            let claims = snapshot.claims_of(&Holder::Instance(worker.clone()))?;
            Ok(Some(Action::End(vec![departure(worker.clone(), &claims, false)])))
        })?;
        // Nobody comes back as it.
        let _ = self.live.remove(worker);
        Ok(())
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

    /// Of `paths` those that a worker may not write and that nobody else holds: what is changed there counts against it.
    /// The others are somebody's work.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn strays(&self, worker: &Worker, paths: &[RepoPath]) -> Result<Vec<RepoPath>, Error> {
        let beside: Vec<RepoPath> = paths.iter().filter(|path| !worker.may_write(path)).cloned().collect();
        if beside.is_empty() {
            return Ok(beside);
        }
        let snapshot = self.snapshot()?;
        let mut theirs = snapshot.claims_covering(&beside)?;
        theirs.retain(|claim| !claim.is_held_by(&worker.id));
        let held: Vec<Overlap> = theirs.iter().map(|claim| Overlap::new(&claim.scope, snapshot.folds_case())).collect();
        let is_free = |path: &RepoPath| !held.iter().any(|held| held.with(&Scope::File(path.clone())));
        Ok(beside.into_iter().filter(is_free).collect())
    }
}

impl Worker {
    /// Whether it may write a path.
    pub fn may_write(&self, path: &RepoPath) -> bool {
        let file = Scope::File(path.clone());
        self.claims.iter().any(|claim| Overlap::new(&claim.scope, self.folds_case).with(&file))
    }

    /// Its claims, by id.
    pub fn claims(&self) -> impl Iterator<Item = String> {
        self.claims.iter().map(|claim| claim.id.to_string())
    }
}
