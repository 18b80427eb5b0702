//! The plan of a workflow: what waits for what, who is asked, what is written, and where each step works.
//!
//! All of it follows from the file alone. A step that writes by itself works here; steps that write at the same time get a
//! work tree each, since one's half-written file would break the other's check.

mod show;

use super::{
    language::{
        Surroundings,
        resolve::texts_of_job,
        template::{Text, Texts},
        workflow::{Action, Job, Step, Task, Workflow, count},
    },
    work::{CALLER, Isolation},
};
use crate::base::toml::Mistake;
use std::collections::HashMap;

/// A plan.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the workflow is called.
    pub name: String,
    /// Its steps, those inside of others after them.
    pub steps: Vec<Planned>,
    /// Where steps work, by their place.
    pub isolation: HashMap<String, Isolation>,
    /// The most steps at once.
    pub max_parallel: usize,
    /// Whether files of the repository are changed, or results saved.
    pub has_effects: bool,
}

/// A step of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// Its name, with those it is inside of: `refine/write`.
    pub place: String,
    /// Where it stands in its file, from 1.
    pub line: usize,
    /// What it is: `prompt`, `run`, `ask`, `workflow`, `block`.
    pub kind: &'static str,
    /// The steps it waits for, but for those that these wait for.
    pub needs: Vec<String>,
    /// Whether it is skipped where something does not hold: that, as it is written.
    pub condition: Option<String>,
    /// Whether it is done for items.
    pub is_many: bool,
    /// The most rounds of it.
    pub rounds: Option<u32>,
    /// Who is asked, as it is written.
    pub agents: Vec<String>,
    /// What it may write, as it is written.
    pub scope: Vec<String>,
    /// Where it works, if it writes.
    pub isolation: Option<Isolation>,
    /// What it does, in a line: its command, its question, the workflow that it runs.
    pub does: Option<String>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{mistake}")]
pub struct PlanError {
    /// The file of the workflow.
    pub file: String,
    /// What is wrong, and where.
    pub mistake: Mistake,
}

/// The plan of a workflow.
///
/// # Errors
/// When steps that may run together would write their results into one file.
pub fn plan(workflow: &Workflow) -> Result<Plan, PlanError> {
    let mut planner = Planner { file: &workflow.file, steps: Vec::new(), isolation: HashMap::new() };
    planner.list(&workflow.steps, "", false)?;
    let max_parallel = workflow.limits.max_parallel.unwrap_or(super::dispatch::MAX_PARALLEL);
    let has_effects = workflow.steps.iter().any(|step| writes(step) || saves(step));
    let Planner { steps, isolation, .. } = planner;
    Ok(Plan { name: workflow.name.clone(), steps, isolation, max_parallel, has_effects })
}

/// Whether all agents and all checks that are named are known.
///
/// # Errors
/// The first that is not.
pub fn check_names(workflow: &Workflow, surroundings: &dyn Surroundings) -> Result<(), PlanError> {
    let mut open: Vec<(&str, &Step)> = workflow.steps.iter().map(|step| (&workflow.file[..], step)).collect();
    while let Some((file, step)) = open.pop() {
        match &step.action {
            Action::Work(job) => {
                for word in agents(job).iter().filter(|text| text.is_plain()) {
                    surroundings.who(word.source()).map_err(|message| PlanError {
                        file: file.to_owned(),
                        mistake: step.at.mistake(format!("the step {}: {message}", step.id)),
                    })?;
                }
                for text in job.verify.iter().flat_map(|verify| &verify.0).filter(|text| text.is_plain()) {
                    let Some(name) = text.source().strip_prefix('@') else { continue };
                    surroundings.check(name).map_err(|message| PlanError {
                        file: file.to_owned(),
                        mistake: text.at.mistake(format!("the step {}: {message}", step.id)),
                    })?;
                }
            }
            Action::Block { steps, .. } => open.extend(steps.iter().map(|step| (file, step))),
            Action::Call { workflow, .. } => open.extend(workflow.steps.iter().map(|step| (&workflow.file[..], step))),
            Action::Ask { .. } => {}
        }
    }
    Ok(())
}

struct Planner<'w> {
    file: &'w str,
    steps: Vec<Planned>,
    isolation: HashMap<String, Isolation>,
}

/// For each step of a list those that have certainly ended before it, and those it waits for itself.
struct Before(Vec<Vec<u64>>, Vec<Vec<usize>>);

impl Before {
    fn of(steps: &[Step]) -> Before {
        let words = steps.len().div_ceil(64);
        let mut before: Vec<Vec<u64>> = Vec::with_capacity(steps.len());
        let mut direct = Vec::with_capacity(steps.len());
        for step in steps {
            let (mut own, mut nearest) = (vec![0u64; words], Vec::new());
            // From the last: what the nearest waited for need not be looked at again.
            for need in step.needs.iter().rev().filter(|need| **need < before.len()) {
                if own[need / 64] & (1 << (need % 64)) == 0 {
                    own.iter_mut().zip(&before[*need]).for_each(|(own, of)| *own |= of);
                    own[need / 64] |= 1 << (need % 64);
                    nearest.insert(0, *need);
                }
            }
            before.push(own);
            direct.push(nearest);
        }
        Before(before, direct)
    }

    fn has(&self, step: usize, earlier: usize) -> bool {
        self.0[step][earlier / 64] & (1 << (earlier % 64)) != 0
    }

    /// Whether the two may be at work at the same time.
    fn together(&self, one: usize, other: usize) -> bool {
        one != other && !self.has(one.max(other), one.min(other))
    }
}

impl<'w> Planner<'w> {
    /// Steps of one list. Whether others write at the same time is known of the list as a whole.
    fn list(&mut self, steps: &'w [Step], within: &str, is_crowded: bool) -> Result<(), PlanError> {
        let before = Before::of(steps);
        self.check_saves(steps, &before)?;
        let writers: Vec<usize> = (0..steps.len()).filter(|index| writes(&steps[*index])).collect();
        for (index, step) in steps.iter().enumerate() {
            let is_crowded =
                is_crowded || is_parallel(step) || writers.iter().any(|writer| before.together(*writer, index));
            let needs = before.1[index].iter().map(|need| steps[*need].id.clone()).collect();
            self.step(step, within, is_crowded, needs)?;
        }
        Ok(())
    }

    fn step(&mut self, step: &'w Step, within: &str, is_crowded: bool, needs: Vec<String>) -> Result<(), PlanError> {
        let place = if within.is_empty() { step.id.clone() } else { format!("{within}/{}", step.id) };
        let mut planned = Planned {
            place: place.clone(),
            line: step.at.line(),
            kind: step.action.kind(),
            needs,
            condition: step.flow.condition.as_ref().map(|text| text.source().to_owned()),
            is_many: step.flow.for_each.is_some(),
            rounds: None,
            agents: Vec::new(),
            scope: Vec::new(),
            isolation: None,
            does: None,
        };
        match &step.action {
            Action::Work(job) => {
                planned.agents = agents(job).iter().map(|text| text.source().to_owned()).collect();
                planned.scope = job.scope.0.iter().map(|text| text.source().to_owned()).collect();
                if let Task::Run(line) = &job.task {
                    planned.does = Some(line.source().to_owned());
                }
                if !job.scope.0.is_empty() {
                    let own = if is_crowded { Isolation::Worktree } else { Isolation::Claims };
                    let isolation = job.isolation.unwrap_or(own);
                    self.isolation.insert(place, isolation);
                    planned.isolation = Some(isolation);
                }
                self.steps.push(planned);
            }
            Action::Ask { question, .. } => {
                planned.does = Some(question.source().to_owned());
                self.steps.push(planned);
            }
            Action::Call { workflow, .. } => {
                planned.does = Some(workflow.name.clone());
                self.steps.push(planned);
                let outer = std::mem::replace(&mut self.file, &workflow.file);
                self.list(&workflow.steps, &place, is_crowded)?;
                self.file = outer;
            }
            Action::Block { steps, repeat, is_isolated, .. } => {
                if *is_isolated {
                    self.check_isolated(step, steps)?;
                    self.isolation.insert(place.clone(), Isolation::Worktree);
                    planned.isolation = Some(Isolation::Worktree);
                }
                planned.rounds = repeat.as_ref().map(|repeat| repeat.max);
                planned.does = repeat.as_ref().map(|repeat| repeat.until.source().to_owned());
                self.steps.push(planned);
                // On a copy of their own nobody else is beside them.
                self.list(steps, &place, is_crowded && !is_isolated)?;
            }
        }
        Ok(())
    }

    /// What is done on a copy has to come to an end in one go: a copy doesn't wait for an answer.
    fn check_isolated(&self, block: &Step, steps: &[Step]) -> Result<(), PlanError> {
        for step in steps {
            let why = match &step.action {
                Action::Ask { .. } => Some("asks"),
                Action::Work(job) if agents(job).iter().any(|agent| agent.source() == CALLER) => {
                    Some("asks the caller")
                }
                Action::Block { is_isolated: true, .. } => Some("works on a copy, too"),
                Action::Block { steps, .. } => {
                    self.check_isolated(block, steps)?;
                    None
                }
                Action::Call { workflow, .. } => {
                    self.check_isolated(block, &workflow.steps)?;
                    None
                }
                Action::Work(_) => None,
            };
            if let Some(why) = why {
                let told = format!("the block {} works on a copy, and the step {} in it {why}", block.id, step.id);
                return Err(self.wrong(block, told));
            }
        }
        Ok(())
    }

    /// Two steps that may run together must not write one file, nor may the items of one.
    fn check_saves(&self, steps: &[Step], before: &Before) -> Result<(), PlanError> {
        let mut by_path: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, step) in steps.iter().enumerate() {
            let mut saves = Vec::new();
            saves_of(step, &mut saves);
            for save in saves {
                let tells_items_apart = ["item", "index", "inputs", "steps"].iter().any(|name| save.reads(name));
                if is_parallel(step) && !tells_items_apart {
                    return Err(
                        self.wrong(step, format!("all items of {} would be saved to {}", step.id, save.source()))
                    );
                }
                let is_fixed = !save.reads("item") && !save.reads("index") && !save.reads("steps");
                if is_fixed {
                    by_path.entry(save.source()).or_default().push(index);
                }
            }
        }
        for (path, savers) in by_path {
            for (at, one) in savers.iter().enumerate() {
                if let Some(other) = savers[..at].iter().find(|other| before.together(*one, **other)) {
                    let told =
                        format!("{} and {} may run together, and both save {path}", steps[*other].id, steps[*one].id);
                    return Err(self.wrong(&steps[*one], told));
                }
            }
        }
        Ok(())
    }

    fn wrong(&self, step: &Step, message: String) -> PlanError {
        PlanError { file: self.file.to_owned(), mistake: step.at.mistake(message) }
    }
}

/// Whether several items of it may be at work at once.
fn is_parallel(step: &Step) -> bool {
    step.flow.for_each.is_some() && step.flow.max_parallel != Some(1)
}

/// Whether agents or commands in it write.
fn writes(step: &Step) -> bool {
    match &step.action {
        Action::Work(job) => !job.scope.0.is_empty(),
        Action::Ask { .. } => false,
        Action::Call { workflow, .. } => workflow.steps.iter().any(writes),
        Action::Block { steps, .. } => steps.iter().any(writes),
    }
}

/// Whether a result of it is saved.
fn saves(step: &Step) -> bool {
    match &step.action {
        Action::Work(job) => job.save.is_some(),
        Action::Ask { .. } => false,
        Action::Call { workflow, .. } => workflow.steps.iter().any(saves),
        Action::Block { steps, .. } => steps.iter().any(saves),
    }
}

fn saves_of<'s>(step: &'s Step, saves: &mut Vec<&'s Text>) {
    match &step.action {
        Action::Work(job) => saves.extend(&job.save),
        Action::Ask { .. } => {}
        Action::Call { workflow, .. } => {
            let mut inner = Vec::new();
            workflow.steps.iter().for_each(|step| saves_of(step, &mut inner));
            // Where that is follows from what it is given, which is known when it begins: then it is claimed.
            saves.extend(inner.into_iter().filter(|save| !save.reads("inputs")));
        }
        Action::Block { steps, .. } => steps.iter().for_each(|step| saves_of(step, saves)),
    }
}

fn agents(job: &Job) -> &[Text] {
    match &job.task {
        Task::Prompt { agents: Texts(agents), .. } => agents,
        Task::Run(_) => &[],
    }
}

impl Plan {
    /// How many steps are written down.
    pub fn len(&self) -> usize {
        self.steps.iter().filter(|step| !matches!(step.kind, "block" | "workflow")).count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// How many of them get a work tree of their own.
    pub fn worktrees(&self) -> usize {
        self.isolation.values().filter(|isolation| **isolation == Isolation::Worktree).count()
    }
}

/// Steps of which nothing above is read, so that they might begin at once.
pub fn could_start_earlier(workflow: &Workflow) -> Vec<&str> {
    let reads = |step: &Step| match &step.action {
        Action::Work(job) => texts_of_job(job).iter().any(|text| text.reads("steps") || text.reads("run")),
        _ => true,
    };
    let plain = |step: &&Step| {
        !step.needs.is_empty()
            && !writes(step)
            && step.flow.condition.is_none()
            && step.flow.for_each.is_none()
            && !reads(step)
    };
    let prompts = workflow.steps.iter().filter(|step| step.action.kind() == "prompt");
    if count(&workflow.steps) < 2 { Vec::new() } else { prompts.filter(plain).map(|step| step.id.as_str()).collect() }
}

#[cfg(test)]
mod tests;
