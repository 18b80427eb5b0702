//! Beginning a step: whether it is done at all, for what, and by whom.

use super::{
    Asking, Run, Told,
    drive::guarded,
    event::Event,
    fill,
    record::{Answer, Change, Outcome},
    steps::is_in_order,
    tree::{Frame, Phase, Scope, Unit, UnitId},
};
use crate::{
    base::id::StepPath,
    model::run::{FailureKind, StepStatus},
    runner::language::{
        engine::value_of,
        filename, inputs,
        shape::Form,
        template::{Data, Text},
        workflow::{Action, Step, Workflow},
    },
};
use serde_json::Value;
use std::{sync::mpsc, thread};

impl<'w> Run<'w, '_> {
    /// Looks at all that has to be looked at.
    pub(super) fn settle_all(&mut self) {
        while let Some(id) = self.todo.pop_front() {
            if matches!(self.units[id].phase, Phase::Waiting) {
                self.begin(id);
            }
        }
    }

    /// Steps that stand together, the first of which are looked at next.
    pub(super) fn open_frame(&mut self, owner: UnitId, steps: &'w [Step], scope: Scope, round: u32) {
        let id = self.frames.len();
        let mut frame = Frame::new(owner, steps, scope);
        let repeats =
            self.units[owner].step.is_some_and(|step| matches!(&step.action, Action::Block { repeat: Some(_), .. }));
        for (index, step) in steps.iter().enumerate() {
            let base = self.units[owner].path.as_ref().map(ToString::to_string);
            let base = base.map(|base| if repeats { format!("{base}/{round}/") } else { format!("{base}/") });
            let place = &self.units[owner].place;
            let place = if place.is_empty() { step.id.clone() } else { format!("{place}/{}", step.id) };
            let path: Option<StepPath> = format!("{}{}", base.unwrap_or_default(), step.id).parse().ok();
            frame.units.push(self.units.len());
            if frame.waits[index] == 0 {
                self.todo.push_back(self.units.len());
            }
            self.units.push(unit(step, path, place, id, index, owner));
        }
        self.frames.push(frame);
        self.units[owner].phase = Phase::Inside { round };
    }

    /// A step whose needs have ended, or an item of one.
    fn begin(&mut self, id: UnitId) {
        let Some(step) = self.units[id].step else { return };
        let Some(path) = self.units[id].path.clone() else {
            return self.fail(id, FailureKind::Internal, "it is nested too deep to have a name");
        };
        if let Some(known) = self.kept(id, &path) {
            self.count_known(id, &known);
            return self.conclude(id, known);
        }
        // What was begun before is gone on with, whatever its condition would say by now.
        let recorded = &self.given.recorded;
        let is_begun = !self.given.is_updated && (recorded.begun.contains(&path) || recorded.ended.contains_key(&path));
        if self.is_over(id) && !is_begun {
            return;
        }
        if self.units[id].item.is_none() {
            match step.flow.condition.as_ref().filter(|_| !is_begun).map(|condition| self.holds(id, condition)) {
                None | Some(Ok(true)) => {}
                Some(Ok(false)) => return self.finish(id, Outcome::of(StepStatus::Skipped)),
                Some(Err(why)) => return self.fail(id, FailureKind::Internal, &format!("if can't be told: {why}")),
            }
            let is_composite =
                !matches!(step.action, Action::Work(_) | Action::Ask { .. }) || step.flow.for_each.is_some();
            if is_composite && !is_begun {
                self.change(Change::Began {
                    path: path.clone(),
                    kind: step.action.kind(),
                    work: None,
                    key: String::new(),
                });
            }
            if let Some(each) = &step.flow.for_each {
                let known = self.given.recorded.items.get(&path).cloned();
                return match known.map_or_else(|| self.items(id, each), Ok) {
                    Ok(items) => self.open_items(id, step, &path, items),
                    Err(why) => self.fail(id, FailureKind::Internal, &why),
                };
            }
        }
        self.begin_action(id, step);
    }

    fn holds(&self, id: UnitId, condition: &Text) -> Result<bool, String> {
        condition.value(self.engine(id), &self.names(id, &[condition])).map(|value| value.is_true())
    }

    /// How a step ended before this driver, where that counts.
    fn kept(&self, id: UnitId, path: &StepPath) -> Option<Outcome> {
        // Whether one is still the same is asked of what is done, and not of what that is inside of.
        if self.given.is_updated {
            return None;
        }
        let outcome = self.given.recorded.ended.get(path)?;
        // What is inside of others is looked at as well, so that it is known what there is to be undone.
        let is_single =
            matches!(self.units[id].step?.action, Action::Work(_) | Action::Ask { .. }) && !self.units[id].is_many();
        (is_single || outcome.status == StepStatus::Skipped).then(|| outcome.clone())
    }

    fn open_items(&mut self, id: UnitId, step: &'w Step, path: &StepPath, items: Vec<Value>) {
        if !self.given.recorded.items.contains_key(path) {
            if let Err(why) = self.may_begin(id, step, items.len()) {
                return self.fail(id, FailureKind::Internal, &why);
            }
            self.change(Change::Items { path: path.clone(), items: items.clone() });
        }
        (self.tell)(&Event::Items { step: path.to_string(), count: items.len() });
        let first = self.units.len();
        let (open, place, frame, index) =
            (items.len(), self.units[id].place.clone(), self.units[id].frame, self.units[id].index);
        for (number, item) in items.into_iter().enumerate() {
            let mut inner = unit(step, path.join(number + 1).ok(), place.clone(), frame, index, id);
            inner.item = Some((number + 1, item));
            if number == 0 || !is_in_order(step) {
                self.todo.push_back(self.units.len());
            }
            self.units.push(inner);
        }
        self.units[id].cap = step.flow.max_parallel;
        self.units[id].phase = Phase::Items { units: (first..first + open).collect(), open };
        if open == 0 {
            self.finish_items(id);
        }
    }

    fn begin_action(&mut self, id: UnitId, step: &'w Step) {
        match &step.action {
            Action::Work(_) | Action::Ask { .. } => {
                self.units[id].phase = Phase::Ready;
                self.ready.push_back(id);
            }
            // There has to be room for making its copy, as for all other work.
            Action::Block { .. } if self.needs_isolating(id) => {
                self.units[id].phase = Phase::Ready;
                self.ready.push_back(id);
            }
            Action::Block { .. } => match self.known_without_copy(id) {
                Some(known) => self.conclude(id, known),
                None => self.open_block(id),
            },
            Action::Call { workflow, with } => {
                if let Err(why) = self.begin_call(id, workflow, with) {
                    self.fail(id, FailureKind::Internal, &format!("{} can't be run: {why}", workflow.name));
                }
            }
        }
    }

    /// What is in a block is looked at next.
    pub(super) fn open_block(&mut self, id: UnitId) {
        let Some(Action::Block { steps, repeat, .. }) = self.units[id].step.map(|step| &step.action) else { return };
        let mut scope = self.inner_scope(id);
        if repeat.is_some() {
            scope.round = Some((1, minijinja::Value::from(())));
            (self.tell)(&Event::Round { step: self.units[id].name(), iteration: 1 });
        }
        self.open_frame(id, steps, scope, 1);
    }

    fn begin_call(&mut self, id: UnitId, workflow: &'w Workflow, with: &[(String, Data)]) -> Result<(), String> {
        let texts: Vec<_> = with.iter().flat_map(|(_, data)| data.texts()).collect();
        let names = self.names(id, &texts);
        let given = with.iter().map(|(name, data)| {
            let value = data.fill(self.engine(id), &names)?;
            Ok((name.clone(), filename::kept(&value).map_err(|why| format!("with: {name}: {why}"))?))
        });
        let given = given.collect::<Result<serde_json::Map<_, _>, String>>()?;
        let inputs = value_of(&Value::Object(inputs::fit(workflow, given)?));
        let (vars, event) = (value_of(&workflow.vars), self.frames[self.units[id].frame].scope.event.clone());
        let names = [("inputs", inputs.clone()), ("vars", vars.clone()), ("event", event.clone())];
        let cap = workflow.scope.fill(self.engine(id), &minijinja::Value::from_pairs(names));
        let cap = cap.map_err(|why| format!("scope can't be filled in: {why}"))?;
        let bounds = self.bound(id, workflow, cap);
        self.units[id].cap = workflow.limits.max_parallel;
        let scope = Scope { outer: None, inputs, vars, event, item: None, round: None, bounds };
        self.open_frame(id, &workflow.steps, scope, 1);
        Ok(())
    }

    /// The names inside of a unit.
    fn inner_scope(&self, id: UnitId) -> Scope {
        let unit = &self.units[id];
        let outer = self.frames[unit.frame].scope.clone();
        let item = unit.item.as_ref().map(|(number, item)| (*number, value_of(item)));
        Scope { outer: Some(unit.frame), item: item.or(outer.item), ..outer }
    }

    /// Hands a step over to a thread, unless it is known already how it ends.
    pub(super) fn start<'s, 'e: 's>(&mut self, id: UnitId, scope: &'s thread::Scope<'s, 'e>, tx: &mpsc::Sender<Told>)
    where
        'w: 'e,
    {
        let (Some(step), Some(path)) = (self.units[id].step, self.units[id].path.clone()) else { return };
        match &step.action {
            Action::Ask { question, shape } => self.start_asking(id, (question, shape.as_deref()), path, scope, tx),
            Action::Work(job) => match self.work(id, job, path.clone(), None) {
                Ok(work) => self.start_work(id, step, work, scope, tx),
                Err(why) => self.fail(id, FailureKind::Internal, &why),
            },
            Action::Block { .. } => self.start_isolating(id, path, scope, tx),
            Action::Call { .. } => {}
        }
    }

    fn start_asking<'s, 'e: 's>(
        &mut self,
        id: UnitId,
        (question, shape): (&'w Text, Option<&'w Form>),
        path: StepPath,
        scope: &'s thread::Scope<'s, 'e>,
        tx: &mpsc::Sender<Told>,
    ) where
        'w: 'e,
    {
        if let Some(answer) = self.given.recorded.answers.get(&path).cloned() {
            return self.answered(id, answer);
        }
        let names = self.names(id, &[question]);
        let question = match question.fill(self.engine(id), &names) {
            Ok(question) => question,
            Err(why) => return self.fail(id, FailureKind::Internal, &format!("ask can't be filled in: {why}")),
        };
        self.change(Change::Began { path: path.clone(), kind: "ask", work: None, key: String::new() });
        self.change(Change::Asked { path: path.clone(), question: question.clone() });
        (self.tell)(&Event::Asked { step: path.to_string(), question: question.clone() });
        self.enter(id);
        self.is_asking = true;
        self.units[id].phase = Phase::Working;
        let (executor, stop, tx) = (self.executor, self.stop_of(id).clone(), tx.clone());
        scope.spawn(move || {
            let asking = Asking { question: &question, shape, stop: &stop };
            drop(tx.send(Told::Answered(id, executor.ask(&path, &asking))));
        });
    }

    fn start_work<'s, 'e: 's>(
        &mut self,
        id: UnitId,
        step: &'w Step,
        work: crate::runner::work::Work,
        scope: &'s thread::Scope<'s, 'e>,
        tx: &mpsc::Sender<Told>,
    ) where
        'w: 'e,
    {
        let (path, key) = (work.path.clone(), self.key(id, &work));
        let recorded = &self.given.recorded;
        if let Some(known) = recorded.ended.get(&path).filter(|known| known.is_ok() && known.key == key) {
            let known = known.clone();
            self.count_known(id, &known);
            return self.conclude(id, known);
        }
        let answer = recorded.answers.get(&path).cloned();
        let was_begun = recorded.begun.contains(&path);
        match answer.filter(|answer| *answer != Answer::Rerun) {
            Some(answer) => return self.answered(id, answer),
            None if was_begun && fill::is_lost(step) && !recorded.answers.contains_key(&path) => {
                self.change(Change::Stands { path: path.clone(), status: StepStatus::Lost });
                let question = super::asking::LOST.to_owned();
                (self.tell)(&Event::Asked { step: path.to_string(), question });
                self.units[id].phase = Phase::Asked;
                return;
            }
            None => {}
        }
        if let Err(why) = self.is_within_limits(id) {
            return self.fail(id, FailureKind::Internal, &why);
        }
        self.count(id, 1, None);
        self.units[id].record = minijinja::Value::from(key.as_str());
        let kind = step.action.kind();
        self.change(Change::Began { path, kind, work: Some(Box::new(work.clone())), key });
        if self.unrecorded.is_some() {
            self.units[id].phase = Phase::Ready;
            return self.ready.push_back(id);
        }
        self.units[id].told = Some(StepStatus::Running);
        let status = StepStatus::Running.as_str();
        (self.tell)(&Event::Step { step: work.path.to_string(), status, agent: None, failure: None });
        self.enter(id);
        self.units[id].phase = Phase::Working;
        let (executor, stop, tx) = (self.executor, self.stop_of(id).clone(), tx.clone());
        scope.spawn(move || {
            let tell = |moment| drop(tx.send(Told::Moment(id, moment)));
            let done = guarded(|| executor.run(&work, &tell, &stop));
            drop(tx.send(Told::Done(id, Box::new(done))));
        });
    }
}

fn unit(step: &Step, path: Option<StepPath>, place: String, frame: usize, index: usize, parent: UnitId) -> Unit<'_> {
    Unit {
        path,
        place,
        step: Some(step),
        frame,
        index,
        parent: Some(parent),
        item: None,
        cap: None,
        working: 0,
        phase: Phase::Waiting,
        isolated: None,
        told: None,
        record: minijinja::Value::default(),
    }
}
