//! A state in memory and things to try on it, for the tests of the rules.

use super::{
    apply::{Change, Outcome, apply},
    claim::{Claim, Ended, GrantRef, Holder, Mode, Origin},
    handoff::{Document, Handoff, HandoffState, WorkTreeMark},
    instance::Instance,
    op::{Action, Op, Want},
    overlap::overlaps,
    scope::Scope,
    task::{Priority, Task},
    view::View,
};
use crate::base::{
    id::{ClaimId, CloneId, HandoffId, InstanceId, OpId, TaskId, Tool},
    path::RepoPath,
    world::Time,
};
use chrono::TimeDelta;
use std::{collections::BTreeMap, convert::Infallible};

/// A state in memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Memory {
    pub(super) seq: u64,
    pub(super) instances: BTreeMap<String, Instance>,
    pub(super) claims: BTreeMap<String, Claim>,
    pub(super) ended: BTreeMap<(String, String), Ended>,
    pub(super) handoffs: BTreeMap<String, Handoff>,
    pub(super) tasks: BTreeMap<TaskId, Task>,
}

impl Memory {
    pub(super) fn with_instances(count: usize) -> Self {
        let instances = (0..count).map(|n| (id(n).to_string(), instance(n))).collect();
        Memory { seq: 1, instances, ..Memory::default() }
    }

    /// Applies an action of instance `by`; a refusal changes nothing.
    pub(super) fn act(&mut self, by: usize, action: Action) -> Outcome {
        let op =
            Op { id: OpId::random(u128::from(self.seq).to_be_bytes()), at: at(self.seq), by: Some(id(by)), action };
        let Ok(outcome) = apply(self, &op);
        if let Ok(applied) = &outcome
            && !applied.changes.is_empty()
        {
            self.seq += 1;
            applied.changes.iter().for_each(|change| self.change(change.clone()));
        }
        outcome
    }

    pub(super) fn change(&mut self, change: Change) {
        match change {
            Change::Create(..) | Change::PutNote(_) => {}
            Change::PutInstance(instance) => drop(self.instances.insert(instance.id.to_string(), instance)),
            Change::DropInstance(id) => drop(self.instances.remove(id.as_str())),
            Change::PutClaim(claim) => drop(self.claims.insert(claim.id.to_string(), claim)),
            Change::DropClaim(claim) => drop(self.claims.remove(claim.id.as_str())),
            Change::PutEnded(id, ended) => {
                self.ended.insert((id.to_string(), ended.claim.id.to_string()), ended);
            }
            Change::DropEnded(id, claim) => drop(self.ended.remove(&(id.to_string(), claim.to_string()))),
            Change::PutHandoff(handoff) => drop(self.handoffs.insert(handoff.id.to_string(), handoff)),
            Change::PutTask(task) => drop(self.tasks.insert(task.id.clone(), task)),
            Change::DropTask(id) => drop(self.tasks.remove(&id)),
        }
    }

    pub(super) fn held_by(&self, holder: &Holder) -> Vec<GrantRef> {
        self.claims.values().filter(|claim| claim.holder == *holder).map(Claim::grant_ref).collect()
    }

    /// What must hold after every operation.
    pub(super) fn check(&self) {
        let claims: Vec<&Claim> = self.claims.values().collect();
        for (at, a) in claims.iter().enumerate() {
            assert!(a.token <= self.seq, "no token is from the future");
            for b in &claims[at + 1..] {
                let apart = a.holder == b.holder || a.mode.admits(b.mode) || !overlaps(&a.scope, &b.scope, false);
                assert!(apart, "{a:?}\nand\n{b:?}");
            }
            if let Scope::Task(id) = &a.scope {
                let done = self.tasks.get(id).is_some_and(|task| task.done.is_some());
                assert!(!done, "nobody holds what is done: {a:?}");
            }
        }
    }
}

impl View for Memory {
    type Error = Infallible;

    fn folds_case(&self) -> bool {
        false
    }

    fn seq(&self) -> u64 {
        self.seq
    }

    fn instance(&self, id: &InstanceId) -> Result<Option<Instance>, Infallible> {
        Ok(self.instances.get(id.as_str()).cloned())
    }

    fn claim(&self, id: &ClaimId) -> Result<Option<Claim>, Infallible> {
        Ok(self.claims.get(id.as_str()).cloned())
    }

    fn claims_near(&self, _: &Scope) -> Result<Vec<Claim>, Infallible> {
        Ok(self.claims.values().cloned().collect())
    }

    fn claims_of(&self, holder: &Holder) -> Result<Vec<Claim>, Infallible> {
        Ok(self.claims.values().filter(|claim| claim.holder == *holder).cloned().collect())
    }

    fn ended(&self, instance: &InstanceId) -> Result<Vec<Ended>, Infallible> {
        let of = self.ended.iter().filter(|((id, _), _)| id == instance.as_str());
        Ok(of.map(|(_, ended)| ended.clone()).collect())
    }

    fn handoff(&self, id: &HandoffId) -> Result<Option<Handoff>, Infallible> {
        Ok(self.handoffs.get(id.as_str()).cloned())
    }

    fn task(&self, id: &TaskId) -> Result<Option<Task>, Infallible> {
        Ok(self.tasks.get(id).cloned())
    }
}

pub(super) fn id(n: usize) -> InstanceId {
    InstanceId::new(&"codex".parse::<Tool>().expect("a tool"), 1_700_000_000, u16::try_from(n).expect("few"))
}

pub(super) fn instance(n: usize) -> Instance {
    Instance {
        id: id(n),
        tool: "codex".parse().expect("a tool"),
        clone: CloneId::random([0; 8]),
        project: "demo".into(),
        worktree: None,
        task: None,
        since: at(0),
        parent: None,
    }
}

pub(super) fn at(seconds: u64) -> Time {
    Time::default() + TimeDelta::seconds(i64::try_from(seconds).expect("soon"))
}

pub(super) fn want(n: u64, scope: &Scope, mode: Mode) -> Want {
    let id = ClaimId::random(n.to_be_bytes());
    Want { id, scope: scope.clone(), mode, origin: Origin::Explicit, until: None, why: None }
}

pub(super) fn claim_one(n: u64, scope: &Scope) -> Action {
    Action::Claim { wants: vec![want(n, scope, Mode::Exclusive)], evict: Vec::new(), lost: Vec::new() }
}

pub(super) fn handoff(n: u64, from: usize) -> Handoff {
    let [.., a, b, c, d, e, f] = n.to_be_bytes();
    Handoff {
        id: HandoffId::random([a, b, c, d, e, f]),
        document: Document::default(),
        from: id(from),
        to: None,
        at: at(0),
        state: HandoffState::Open,
        claims: Vec::new(),
        tree: WorkTreeMark::default(),
        run: None,
    }
}

pub(super) fn task(name: &str, by: usize) -> Task {
    Task {
        id: name.parse().expect("a name"),
        title: format!("do {name}"),
        text: String::new(),
        by: id(by),
        at: at(0),
        priority: Priority::default(),
        paths: Vec::new(),
        needs: Vec::new(),
        run: None,
        done: None,
    }
}

pub(super) fn file(path: &str) -> Scope {
    Scope::File(RepoPath::from_bytes(path.as_bytes()).expect("a path"))
}

/// Scopes that overlap each other in every way.
pub(super) fn scopes() -> Vec<Scope> {
    let mut scopes: Vec<Scope> = ["a", "src/a.rs", "src/b.rs", "src/deep/a.test.rs"].map(file).into();
    for (kind, target) in [
        ("directory", "src"),
        ("directory", "src/deep"),
        ("directory", "."),
        ("pattern", "*.test.rs"),
        ("pattern", "src/*.rs"),
        ("pattern", "src/{a,c}.rs"),
        ("task", "T-1"),
    ] {
        scopes.push(Scope::parse(kind, target).expect("a scope"));
    }
    scopes
}
