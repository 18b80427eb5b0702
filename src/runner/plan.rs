//! The plan of a workflow: what waits for what, who is asked, what is written, and where each step works.
//!
//! All of it follows from the file alone. A step that writes by itself works here; steps that write at the same time get a
//! work tree each, since one's half-written file would break the other's check.

use super::{
    language::{
        Surroundings,
        resolve::texts_of_job,
        template::{Text, Texts},
        workflow::{Action, Job, Step, Task, Workflow, count},
    },
    work::Isolation,
};
use std::{collections::HashMap, fmt};

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
#[error("{workflow}: line {line}: {message}")]
pub struct PlanError {
    /// The workflow.
    pub workflow: String,
    /// Where in it, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// The plan of a workflow.
///
/// # Errors
/// When steps that may run together would write their results into one file.
pub fn plan(workflow: &Workflow) -> Result<Plan, PlanError> {
    let mut planner = Planner { workflow: &workflow.name, steps: Vec::new(), isolation: HashMap::new() };
    planner.list(&workflow.steps, "", false)?;
    let max_parallel = workflow.limits.max_parallel.unwrap_or(super::dispatch::MAX_PARALLEL);
    Ok(Plan { name: workflow.name.clone(), steps: planner.steps, isolation: planner.isolation, max_parallel })
}

/// Whether all agents that are named are known.
///
/// # Errors
/// The first that is not.
pub fn check_agents(workflow: &Workflow, surroundings: &dyn Surroundings) -> Result<(), PlanError> {
    let mut open: Vec<(&str, &Step)> = workflow.steps.iter().map(|step| (&workflow.name[..], step)).collect();
    while let Some((name, step)) = open.pop() {
        match &step.action {
            Action::Work(job) => {
                for word in agents(job).iter().filter(|text| text.is_plain()) {
                    surroundings.who(word.source()).map_err(|message| PlanError {
                        workflow: name.to_owned(),
                        line: step.line,
                        message: format!("the step {}: {message}", step.id),
                    })?;
                }
            }
            Action::Block { steps, .. } => open.extend(steps.iter().map(|step| (name, step))),
            Action::Call { workflow, .. } => open.extend(workflow.steps.iter().map(|step| (&workflow.name[..], step))),
            Action::Ask { .. } => {}
        }
    }
    Ok(())
}

struct Planner<'w> {
    workflow: &'w str,
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
            line: step.line,
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
                let outer = std::mem::replace(&mut self.workflow, &workflow.name);
                self.list(&workflow.steps, &place, is_crowded)?;
                self.workflow = outer;
            }
            Action::Block { steps, repeat, .. } => {
                planned.rounds = repeat.as_ref().map(|repeat| repeat.max);
                planned.does = repeat.as_ref().map(|repeat| repeat.until.source().to_owned());
                self.steps.push(planned);
                self.list(steps, &place, is_crowded)?;
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
        PlanError { workflow: self.workflow.to_owned(), line: step.line, message }
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

fn saves_of<'s>(step: &'s Step, saves: &mut Vec<&'s Text>) {
    match &step.action {
        Action::Work(job) => saves.extend(&job.save),
        Action::Ask { .. } => {}
        Action::Call { workflow, .. } => workflow.steps.iter().for_each(|step| saves_of(step, saves)),
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

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trees = match self.worktrees() {
            0 => String::new(),
            1 => ", 1 worktree".into(),
            more => format!(", {more} worktrees"),
        };
        let count = self.len();
        let steps = if count == 1 { "step" } else { "steps" };
        writeln!(f, "{}: {count} {steps}, at most {} at once{trees}", self.name, self.max_parallel)?;
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step}"))
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LINE: usize = 70;
        let shown = |text: &str| crate::base::text::one_line(text.trim(), LINE);
        let depth = self.place.matches('/').count();
        let name = self.place.rsplit('/').next().unwrap_or(&self.place);
        write!(f, "{:indent$}{name}", "", indent = depth * 2)?;
        match (self.kind, &self.does) {
            ("prompt", _) if self.agents.is_empty() => f.write_str("  any agent")?,
            ("prompt", _) => write!(f, "  {}", shown(&self.agents.join(", then ")))?,
            ("run", Some(line)) => write!(f, "  $ {}", shown(line))?,
            ("ask", Some(question)) => write!(f, "  asks: {}", shown(question))?,
            ("workflow", Some(name)) => write!(f, "  the workflow {name}")?,
            (_, Some(until)) => write!(f, "  at most {} rounds, until {}", self.rounds.unwrap_or(1), shown(until))?,
            _ => f.write_str("  together")?,
        }
        if self.is_many {
            f.write_str("; for each item")?;
        }
        if let Some(condition) = &self.condition {
            write!(f, "; if {}", shown(condition))?;
        }
        if !self.scope.is_empty() {
            let place = if self.isolation == Some(Isolation::Worktree) { "in a worktree" } else { "here" };
            write!(f, "; writes {} {place}", shown(&self.scope.join(", ")))?;
        }
        match &self.needs[..] {
            [] => Ok(()),
            needs => write!(f, "; after {}", shown(&needs.join(", "))),
        }
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
mod tests {
    use super::*;
    use crate::runner::language::tests::loaded;
    use std::fmt::Write;

    #[test]
    fn who_writes_alone_works_here_and_who_does_not_gets_a_tree() {
        let text = "
[[step]]
id = 'a'
prompt = 'x'
scope = ['a']
[[step]]
id = 'b'
prompt = 'x'
scope = ['b']
[[step]]
id = 'c'
needs = ['a']
prompt = 'x'
scope = ['c']
[[step]]
id = 'd'
prompt = 'x'
scope = ['d']
isolate = 'worktree'
[[step]]
id = 'e'
for_each = [1, 2]
prompt = 'x'
scope = ['{{ item }}']
[[step]]
id = 'f'
prompt = 'x'
scope = ['f']
";
        let plan = plan(&loaded(text)).expect("a plan");
        let trees: Vec<_> =
            plan.steps.iter().map(|step| (&step.place[..], step.isolation == Some(Isolation::Worktree))).collect();
        assert_eq!(trees, [("a", false), ("b", true), ("c", true), ("d", true), ("e", true), ("f", false)]);
        assert_eq!(plan.steps[3].needs, ["b", "c"]);
        assert_eq!(plan.to_string().lines().next(), Some("flow: 6 steps, at most 8 at once, 4 worktrees"));
    }

    #[test]
    fn two_that_may_run_together_do_not_save_one_file() {
        let saves = |second: &str| {
            let text =
                format!("[[step]]\nid = 'a'\nrun = 'x'\nsave = 'out.md'\n[[step]]\nid = 'b'\nrun = 'x'\n{second}\n");
            plan(&loaded(&text)).map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(saves("save = 'out.md'"), Ok(()));
        assert_eq!(
            saves("save = 'out.md'\nneeds = []"),
            Err("flow: line 5: a and b may run together, and both save out.md".into())
        );
        assert_eq!(saves("save = 'other.md'\nneeds = []"), Ok(()));
        assert_eq!(
            saves("save = 'other.md'\nfor_each = [1]"),
            Err("flow: line 5: all items of b would be saved to other.md".into())
        );
        assert_eq!(saves("save = '{{ item }}.md'\nfor_each = [1]"), Ok(()));
    }

    #[test]
    fn a_thousand_steps_are_planned() {
        let mut text = String::new();
        for step in 0..1000 {
            let _ =
                writeln!(text, "[[step]]\nid = 's{step}'\nprompt = 'Do {{{{ run.id }}}}'\nscope = ['src/{step}/**']");
            if step > 0 {
                let _ = writeln!(text, "stdin = '{{{{ steps.s{}.out }}}}'", step - 1);
            }
        }
        let plan = plan(&loaded(&text)).expect("a plan");
        assert_eq!((plan.len(), plan.worktrees()), (1000, 0));
        assert_eq!(plan.steps[999].needs, ["s998"]);
    }
}
