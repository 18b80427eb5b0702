//! How far a run may go, and each workflow that is called in it: what is inside of a call is held to the limits of the
//! workflow that is called, besides those of all that the call is inside of.
//!
//! The time of a call begins when a driver begins it. When it is up, what is at work inside is ended, and once nothing is any
//! more the call has failed. It is written down before what becomes of its steps, so that whoever goes on with the run then
//! begins none of them.

use super::{
    Run, Stop, Told, fill,
    record::{Change, Outcome},
    tree::{Phase, ROOT, Unit, UnitId},
};
use crate::{
    model::run::{Failure, FailureKind},
    runner::{
        language::workflow::{Action, Limits, Step, Workflow},
        work::Cap,
    },
};
use std::{
    iter::successors,
    sync::mpsc,
    time::{Duration, Instant},
};

pub(super) type BoundsId = usize;

/// How long is waited at once where there is no end to it.
const LONG: Duration = Duration::from_secs(3600);

/// The bounds of the run itself.
pub(super) const OF_RUN: BoundsId = 0;

/// How far the run may go, or a workflow that is called in it, and how far it has gone.
pub(super) struct Bounds<'w> {
    /// The call, or the run.
    unit: UnitId,
    /// Those that it is inside of.
    outer: Option<BoundsId>,
    /// What is run, as it is called.
    name: &'w str,
    limits: Limits,
    /// What its steps may write at most; anything where nothing is said.
    cap: Vec<String>,
    /// How many steps were begun in it.
    begun: usize,
    /// What they have used, in millionths of a US dollar.
    cost: u64,
    deadline: Option<Instant>,
    /// Whether nothing more begins in it: its time is up, or it had ended before this driver.
    is_over: bool,
    /// Heard by all that is at work in it.
    stop: Stop,
}

impl<'w> Bounds<'w> {
    /// Those of a run, which is told to stop by `stop`.
    pub(super) fn of_run(workflow: &'w Workflow, limits: Limits, stop: &Stop) -> Self {
        Bounds::of(ROOT, None, workflow, limits, Vec::new(), stop)
    }

    fn of(
        unit: UnitId,
        outer: Option<BoundsId>,
        workflow: &'w Workflow,
        limits: Limits,
        cap: Vec<String>,
        stop: &Stop,
    ) -> Self {
        Bounds {
            unit,
            outer,
            name: &workflow.name,
            limits,
            cap,
            begun: 0,
            cost: 0,
            deadline: limits.timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            is_over: false,
            stop: stop.inner(),
        }
    }

    /// Has all that is at work in it end.
    pub(super) fn stop(&self) {
        self.stop.stop();
    }

    /// Whether that was said.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.is_set()
    }

    /// Why nothing more may be begun in it, if that is so.
    fn objection(&self) -> Option<String> {
        let (most, of) = (self.most(), self.whose());
        if self.begun >= most {
            return Some(format!("{most} steps{of} were done, and no more may be: see max_steps in [limits]"));
        }
        let budget = self.limits.budget.filter(|budget| self.cost >= *budget)?;
        Some(format!("the budget{of} of {} US dollars is used up", dollars(budget)))
    }

    /// Why so many items, of so many steps each at least, are too many for it, if that is so.
    fn objection_to(&self, items: usize, steps: usize) -> Option<String> {
        let (most, of) = (self.most(), self.whose());
        let left = most.saturating_sub(self.begun);
        let told =
            || format!("there are {items} items, and {left} of {most} steps{of} are left: see max_steps in [limits]");
        (items.saturating_mul(steps) > left).then(told)
    }

    fn most(&self) -> usize {
        self.limits.max_steps.unwrap_or(usize::MAX)
    }

    /// Whose they are, where they are not those of the run.
    fn whose(&self) -> String {
        if self.outer.is_some() { format!(" of the workflow {}", self.name) } else { String::new() }
    }
}

/// Millionths of a US dollar as an amount: to the cent, and further where there is more to it.
fn dollars(millionths: u64) -> String {
    let amount = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    let cents = amount.len() - 4;
    let rest = amount[cents..].trim_end_matches('0').len();
    amount[..cents + rest].to_owned()
}

/// How many steps are begun at least where these are.
fn least(steps: &[Step]) -> usize {
    let is_begun =
        |step: &&Step| step.needs.is_empty() && step.flow.condition.is_none() && step.flow.for_each.is_none();
    steps.iter().filter(is_begun).map(|step| least_of(&step.action)).sum()
}

/// The same of one.
fn least_of(action: &Action) -> usize {
    match action {
        Action::Work(_) => 1,
        Action::Ask { .. } => 0,
        Action::Call { workflow, .. } => least(&workflow.steps),
        Action::Block { steps, .. } => least(steps),
    }
}

impl<'w> Run<'w, '_> {
    /// The bounds of a workflow that is called, whose steps may write `cap` at most.
    pub(super) fn bound(&mut self, call: UnitId, workflow: &'w Workflow, cap: Vec<String>) -> BoundsId {
        let outer = self.bounds_of(call);
        let mut bounds = Bounds::of(call, Some(outer), workflow, workflow.limits, cap, &self.bounds[outer].stop);
        bounds.is_over = self.known_end(call).is_some();
        self.bounds.push(bounds);
        self.bounds.len() - 1
    }

    fn bounds_of(&self, id: UnitId) -> BoundsId {
        self.frames.get(self.units[id].frame).map_or(OF_RUN, |frame| frame.scope.bounds)
    }

    /// Those that a unit is inside of, the innermost first.
    fn around(&self, id: UnitId) -> impl Iterator<Item = &Bounds<'w>> {
        successors(Some(self.bounds_of(id)), |at| self.bounds[*at].outer).map(|at| &self.bounds[at])
    }

    /// The word to stop, as whatever a unit has at work hears it.
    pub(super) fn stop_of(&self, id: UnitId) -> &Stop {
        &self.bounds[self.bounds_of(id)].stop
    }

    /// Whether a unit is inside of a call in which nothing more begins.
    pub(super) fn is_over(&self, id: UnitId) -> bool {
        self.around(id).any(|bounds| bounds.outer.is_some() && bounds.is_over)
    }

    /// How a unit ended before this driver, where that counts.
    pub(super) fn known(&self, id: UnitId) -> Option<&Outcome> {
        self.given.recorded.ended.get(self.units[id].path.as_ref()?).filter(|_| !self.given.is_updated)
    }

    /// How a unit ended before this driver, where nothing can come of it any more but that.
    pub(super) fn known_end(&self, id: UnitId) -> Option<Outcome> {
        let unit = &self.units[id];
        let is_call = unit.kind() == "workflow" && !unit.is_many();
        let known = self.known(id)?;
        (is_call || self.is_isolated(id) || self.is_over(id)).then(|| known.clone())
    }

    /// What the workflows that a unit is inside of let it write at most.
    pub(super) fn caps(&self, id: UnitId) -> Vec<Cap> {
        let said = self.around(id).filter(|bounds| !bounds.cap.is_empty());
        said.map(|bounds| Cap { workflow: bounds.name.to_owned(), scope: bounds.cap.clone() }).collect()
    }

    /// Counts steps that were begun, and what was used, wherever a unit is inside of.
    pub(super) fn count(&mut self, id: UnitId, steps: usize, cost: Option<u64>) {
        let mut around = Some(self.bounds_of(id));
        while let Some(at) = around {
            let bounds = &mut self.bounds[at];
            bounds.begun += steps;
            bounds.cost = bounds.cost.saturating_add(cost.unwrap_or(0));
            around = bounds.outer;
        }
    }

    /// Counts a step that was done before.
    pub(super) fn count_known(&mut self, id: UnitId, known: &Outcome) {
        if known.attempts > 0 {
            self.count(id, 1, known.usage.cost);
        }
    }

    /// Whether one more step may be begun where a unit stands.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn is_within_limits(&self, id: UnitId) -> Result<(), String> {
        self.around(id).find_map(Bounds::objection).map_or(Ok(()), Err)
    }

    /// Whether so many items of a step may be begun, so that none is in vain.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn may_begin(&self, id: UnitId, step: &Step, items: usize) -> Result<(), String> {
        let steps = least_of(&step.action);
        self.around(id).find_map(|bounds| bounds.objection_to(items, steps)).map_or(Ok(()), Err)
    }

    /// What is told next; nothing when the time of something is up first.
    pub(super) fn hear(&self, rx: &mpsc::Receiver<Told>) -> Option<Told> {
        let is_open = |bounds: &&Bounds<'_>| self.is_open(bounds) && !bounds.is_over;
        let deadline = self.bounds.iter().filter(is_open).filter_map(|bounds| bounds.deadline).min();
        loop {
            let wait = deadline.map_or(LONG, |deadline| deadline.saturating_duration_since(Instant::now()));
            match rx.recv_timeout(wait.min(LONG)) {
                Ok(told) => return Some(told),
                Err(_) if deadline.is_some_and(|deadline| Instant::now() >= deadline) => return None,
                Err(_) => {}
            }
        }
    }

    /// Of whatever has no time left, all that is at work is ended.
    pub(super) fn late(&mut self) {
        let now = Instant::now();
        for at in 0..self.bounds.len() {
            let bounds = &self.bounds[at];
            if self.is_open(bounds) && bounds.deadline.is_some_and(|deadline| now >= deadline) {
                self.bounds[at].is_over = true;
                self.bounds[at].stop();
            }
        }
    }

    fn is_open(&self, bounds: &Bounds<'_>) -> bool {
        matches!(self.units[bounds.unit].phase, Phase::Inside { .. })
    }

    /// Ends what is over, once nothing in it is at work any more: the innermost first, one at a time. Tells whether there was
    /// one.
    pub(super) fn end_over(&mut self) -> bool {
        let due = (OF_RUN..self.bounds.len()).rev().find(|at| self.is_due(&self.bounds[*at]));
        let Some(bounds) = due.map(|at| &self.bounds[at]) else { return false };
        let (id, what) = match bounds.outer {
            None => (ROOT, "run".to_owned()),
            Some(_) => (bounds.unit, format!("workflow {}", bounds.name)),
        };
        let failure = Failure { kind: FailureKind::TimedOut, text: format!("the time of the {what} was up") };
        let outcome = self.ended_with(id, Outcome::failed(failure.clone()));
        self.cut_inside(id, &failure);
        self.conclude(id, outcome);
        true
    }

    /// The end of all that is inside of something that is over.
    pub(super) fn cut_inside(&mut self, id: UnitId, failure: &Failure) {
        for inner in (0..self.units.len()).rev().filter(|inner| *inner != id) {
            if self.is_within(inner, id) {
                self.cut(inner, failure);
            }
        }
    }

    fn is_due(&self, bounds: &Bounds<'_>) -> bool {
        if !bounds.is_over || !self.is_open(bounds) {
            return false;
        }
        // Once all has to stop, only what had ended before can still come to that end.
        let may_end = match bounds.outer {
            None => !self.stop.is_set() && self.unrecorded.is_none(),
            Some(_) => !self.is_stopped() || self.known_end(bounds.unit).is_some(),
        };
        let is_at_work =
            |(id, unit): (UnitId, &Unit<'_>)| matches!(unit.phase, Phase::Working) && self.is_within(id, bounds.unit);
        may_end
            && !self.undoing.iter().any(|id| self.is_within(*id, bounds.unit))
            && !self.units.iter().enumerate().any(is_at_work)
    }

    /// The end of a unit that is inside of something that is over: one that was begun has failed, and any other never begins.
    fn cut(&mut self, id: UnitId, failure: &Failure) {
        let unit = &self.units[id];
        let is_begun = match &unit.phase {
            Phase::Ended(_) | Phase::Stopped => return,
            Phase::Waiting => false,
            // That a block is begun is written down before there is room for its copy.
            Phase::Ready => self.was_at_work(id) || unit.kind() == "block",
            Phase::Working | Phase::Asked | Phase::Items { .. } | Phase::Inside { .. } | Phase::Undoing { .. } => true,
        };
        if !is_begun {
            self.units[id].phase = Phase::Stopped;
            return;
        }
        self.end_alone(id, Outcome::failed(failure.clone()));
    }

    /// A unit comes to this end, from which nothing follows.
    pub(super) fn end_alone(&mut self, id: UnitId, outcome: Outcome) {
        let outcome = self.ended_with(id, outcome);
        self.register_undo(id, &outcome);
        self.tell_end(id, &outcome);
        self.units[id].record = fill::record(&self.units[id], &outcome, &[]);
        self.units[id].phase = Phase::Ended(Box::new(outcome));
    }

    /// Whether a step that can be begun was begun before, and came to no end.
    pub(super) fn was_at_work(&self, id: UnitId) -> bool {
        let unit = &self.units[id];
        unit.path.as_ref().is_some_and(|path| self.given.recorded.begun.contains(path))
            || unit.record.as_str().is_some()
    }

    /// Writes down how a unit ended, unless that is known.
    pub(super) fn ended_with(&mut self, id: UnitId, outcome: Outcome) -> Outcome {
        let outcome = self.known_end(id).unwrap_or(outcome);
        let outcome = self.let_go_of_isolated(id, outcome);
        self.written(id, outcome)
    }

    /// Writes that down.
    pub(super) fn written(&mut self, id: UnitId, outcome: Outcome) -> Outcome {
        let outcome = self.ordered(id, outcome);
        if let Some(path) = self.units[id].path.clone()
            && self.given.recorded.ended.get(&path) != Some(&outcome)
        {
            self.change(Change::Ended { path, outcome: Box::new(outcome.clone()) });
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::dollars;

    #[test]
    fn an_amount_is_told_as_it_is() {
        for (millionths, told) in [(25_000, "0.025"), (2_500_000, "2.50"), (3_000_000, "3.00"), (1, "0.000001")] {
            assert_eq!(dollars(millionths), told);
        }
    }
}
