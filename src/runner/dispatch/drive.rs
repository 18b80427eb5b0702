//! The loop: it is told one thing, settles what follows from that, and begins what can be begun.

use super::{
    Ended, MAX_PARALLEL, Run, Told,
    bounds::OF_RUN,
    event::Event,
    record::Change,
    tree,
    tree::{ROOT, Scope, Unit, UnitId},
};
use crate::{
    base::id::StepPath,
    model::run::{Failure, FailureKind, RunStatus, StepStatus},
    runner::{
        language::workflow,
        work::{Done, Moment},
    },
};
use serde_json::Value;
use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
};

impl<'w> Run<'w, '_> {
    /// The run itself and its first steps.
    pub(super) fn plant(&mut self, workflow: &'w workflow::Workflow) {
        let cap = self.given.max_parallel.or(workflow.limits.max_parallel).unwrap_or(MAX_PARALLEL);
        self.units.push(Unit {
            path: None,
            place: String::new(),
            step: None,
            frame: 0,
            index: 0,
            parent: None,
            item: None,
            cap: Some(cap),
            working: 0,
            phase: tree::Phase::Waiting,
            isolated: None,
            told: None,
            record: minijinja::Value::default(),
        });
        let event = self.given.event.as_ref();
        let event = event.map(|(kind, details)| serde_json::json!({ "type": kind, "details": details }));
        let value = crate::runner::language::engine::value_of;
        let mut event = event.unwrap_or_else(|| serde_json::json!({}));
        if let Some(fields) = event.as_object_mut() {
            // What is not known is as if it weren't there, so that a template can say what stands for it.
            fields.retain(|_, field| !field.is_null());
        }
        let scope = Scope {
            outer: None,
            inputs: value(&Value::Object(self.given.inputs.clone())),
            vars: value(&workflow.vars),
            event: value(&event),
            item: None,
            round: None,
            bounds: OF_RUN,
        };
        self.open_frame(ROOT, &workflow.steps, scope, 1);
    }

    pub(super) fn drive<'s, 'e: 's>(
        &mut self,
        scope: &'s thread::Scope<'s, 'e>,
        tx: &mpsc::Sender<Told>,
        rx: &mpsc::Receiver<Told>,
    ) -> Ended
    where
        'w: 'e,
    {
        self.change(Change::Run(RunStatus::Running));
        (self.tell)(&Event::Run { status: RunStatus::Running.as_str() });
        loop {
            self.settle_all();
            if self.end_over() {
                continue;
            }
            if self.given.is_cancelled && self.at_work == 0 {
                self.cancel();
            }
            self.start_undoing(scope, tx);
            self.start_ready(scope, tx);
            self.start_landing(scope, tx);
            if self.end_over() || self.can_undo() {
                continue;
            }
            if self.at_work == 0 && self.todo.is_empty() {
                break;
            }
            match self.hear(rx) {
                Some(told) => self.take(told),
                None => self.late(),
            }
        }
        self.ended()
    }

    fn take(&mut self, told: Told) {
        match told {
            Told::Moment(id, moment) => self.moment(id, &moment),
            Told::Done(id, done) => {
                self.leave(id);
                self.done(id, *done);
            }
            Told::Isolated(id, isolated) => {
                self.leave(id);
                self.isolated(id, isolated);
            }
            Told::Landed(id, outcome, landed) => {
                self.leave(id);
                self.landed(id, *outcome, landed);
            }
            Told::Answered(id, answer) => {
                self.leave(id);
                self.is_asking = false;
                match answer {
                    Some(answer) => self.answered(id, answer),
                    None => self.units[id].phase = tree::Phase::Asked,
                }
            }
            Told::Undoing(id, moment) => {
                let name = format!("{}/{}", self.units[id].name(), crate::runner::language::UNDO);
                (self.tell)(&Event::of(&name, &moment));
            }
            Told::Undone(id, result) => {
                self.leave(id);
                self.undone(id, result);
            }
        }
    }

    fn moment(&mut self, id: UnitId, moment: &Moment) {
        if let (Moment::Status(status), Some(path)) = (moment, self.units[id].path.clone()) {
            // Whoever carries it out doesn't know what was told already.
            if self.units[id].told.replace(*status) == Some(*status) {
                return;
            }
            self.change(Change::Stands { path, status: *status });
        }
        (self.tell)(&Event::of(&self.units[id].name(), moment));
    }

    /// Begins what can be begun, in the order in which it became ready.
    fn start_ready<'s, 'e: 's>(&mut self, scope: &'s thread::Scope<'s, 'e>, tx: &mpsc::Sender<Told>)
    where
        'w: 'e,
    {
        let mut passed = VecDeque::new();
        while let Some(id) = self.ready.pop_front() {
            if !matches!(self.units[id].phase, tree::Phase::Ready) {
                continue;
            }
            if self.is_stopped() || self.units[ROOT].working >= self.units[ROOT].cap.unwrap_or(usize::MAX) {
                passed.push_back(id);
                break;
            }
            if self.is_over(id) || !self.has_room(id) {
                passed.push_back(id);
                continue;
            }
            self.start(id, scope, tx);
            // What ended at once, such as what is kept from before, may have made others ready.
            self.settle_all();
        }
        passed.append(&mut self.ready);
        self.ready = passed;
    }

    /// Whether one more may be at work wherever the unit is inside of.
    pub(super) fn has_room(&self, id: UnitId) -> bool {
        // Somebody who is asked takes no room of those who work.
        if self.units[id].kind() == "ask" {
            return !self.is_asking;
        }
        let mut above = Some(id);
        while let Some(at) = above {
            let unit = &self.units[at];
            if unit.cap.is_some_and(|cap| unit.working >= cap) {
                return false;
            }
            above = unit.parent;
        }
        true
    }

    pub(super) fn enter(&mut self, id: UnitId) {
        self.at_work += 1;
        self.count_working(id, |working| *working += 1);
    }

    pub(super) fn leave(&mut self, id: UnitId) {
        self.at_work -= 1;
        self.count_working(id, |working| *working -= 1);
    }

    fn count_working(&mut self, id: UnitId, change: fn(&mut usize)) {
        let mut above = Some(id).filter(|id| self.units[*id].kind() != "ask");
        while let Some(at) = above {
            change(&mut self.units[at].working);
            above = self.units[at].parent;
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.bounds[OF_RUN].is_stopped() || self.unrecorded.is_some() || self.given.is_cancelled
    }

    pub(super) fn change(&mut self, change: Change) {
        if self.unrecorded.is_none()
            && let Err(why) = self.journal.record(&change)
        {
            self.unrecorded = Some(why);
            self.bounds[OF_RUN].stop();
        }
    }

    fn ended(&mut self) -> Ended {
        let asked = self.units.iter().filter(|unit| matches!(unit.phase, tree::Phase::Asked));
        let asked: Vec<StepPath> = asked.filter_map(|unit| unit.path.clone()).collect();
        let outcome = self.units[ROOT].outcome().cloned();
        let status = match &outcome {
            None if self.stop.is_set() || self.unrecorded.is_some() => RunStatus::Interrupted,
            None if asked.is_empty() || self.held.is_some() => RunStatus::Interrupted,
            None => RunStatus::Waiting,
            Some(outcome) if outcome.status == StepStatus::Failed => {
                match (self.undone.is_empty(), self.undone.iter().all(|is| *is)) {
                    (true, _) => RunStatus::Failed,
                    (false, true) => RunStatus::Undone,
                    (false, false) => RunStatus::UndoFailed,
                }
            }
            Some(_) if self.has_reached_max => RunStatus::MaxIterationsReached,
            Some(_) if !self.undos.is_empty() => RunStatus::AllTransactionsComplete,
            Some(_) => RunStatus::Complete,
        };
        self.executor.close();
        self.change(Change::Run(status));
        (self.tell)(&Event::Run { status: status.as_str() });
        let failed = outcome.as_ref().and_then(|outcome| Some((self.failed_step(), outcome.failure.clone()?)));
        let held = self.held.take().map(|(id, held)| (self.units[id].name(), held));
        Ended {
            status,
            failure: failed.or(held),
            out: outcome.map(|outcome| outcome.out).unwrap_or_default(),
            asked,
            unrecorded: self.unrecorded.clone(),
        }
    }

    /// The step whose failure is that of the run.
    fn failed_step(&self) -> String {
        let mut frame = self.frames.first();
        let mut name = String::new();
        while let Some(failed) = frame.and_then(|frame| frame.failed) {
            name = self.units[failed].name();
            frame = self.frames.iter().rev().find(|inner| inner.owner == failed && inner.failed.is_some());
        }
        name
    }
}

/// What an executor comes to, whatever happens in it: the loop waits for a word of it.
pub(super) fn guarded(run: impl FnOnce() -> Done) -> Done {
    caught(run).unwrap_or_else(Done::failed)
}

/// What something comes to, or that it came to nothing by a fault of ours.
pub(super) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Failure> {
    let fault = |_| Failure { kind: FailureKind::Internal, text: "git-aio itself failed in this step".into() };
    catch_unwind(AssertUnwindSafe(run)).map_err(fault)
}
