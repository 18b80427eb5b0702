//! How one thing follows from another: a step is begun when those it needs have ended, is done, and ends; then those that
//! wait for it are looked at.

use super::{
    Run, Told,
    event::Event,
    fill, guarded,
    record::{Answer, Change, Outcome},
    tree::{Frame, Phase, ROOT, Scope, Unit, UnitId},
};
use crate::{
    base::id::StepPath,
    model::run::{Failure, FailureKind, StepStatus},
    runner::{
        language::{
            engine::value_of,
            inputs,
            workflow::{Action, Job, Step},
        },
        work::{Done, Shape},
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
            if known.attempts > 0 {
                self.steps_begun += 1;
                self.cost += known.usage.cost.unwrap_or(0);
            }
            return self.conclude(id, known);
        }
        // What was begun before is gone on with, whatever its condition would say by now.
        let recorded = &self.given.recorded;
        let is_begun = !self.given.is_updated && (recorded.begun.contains(&path) || recorded.ended.contains_key(&path));
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
                let known = self.given.recorded.items.get(&path).filter(|_| !self.given.is_updated).cloned();
                return match known.map_or_else(|| self.items(id, each), Ok) {
                    Ok(items) => self.open_items(id, step, &path, items),
                    Err(why) => self.fail(id, FailureKind::Internal, &why),
                };
            }
        }
        self.begin_action(id, step);
    }

    fn holds(&self, id: UnitId, condition: &crate::runner::language::template::Text) -> Result<bool, String> {
        condition.value(&self.given.engine, &self.names(id, &[condition])).map(|value| value.is_true())
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
        if !self.given.recorded.items.contains_key(path) || self.given.is_updated {
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
            Action::Block { steps, repeat, .. } => {
                let mut scope = self.inner_scope(id);
                if repeat.is_some() {
                    scope.round = Some((1, minijinja::Value::from(())));
                    (self.tell)(&Event::Round { step: self.units[id].name(), iteration: 1 });
                }
                self.open_frame(id, steps, scope, 1);
            }
            Action::Call { workflow, with } => {
                let texts: Vec<_> = with.iter().flat_map(|(_, data)| data.texts()).collect();
                let names = self.names(id, &texts);
                let given = with.iter().map(|(name, data)| {
                    let value = data.fill(&self.given.engine, &names)?;
                    Ok((name.clone(), serde_json::to_value(value).map_err(|error| error.to_string())?))
                });
                let given = given.collect::<Result<serde_json::Map<_, _>, String>>();
                match given.and_then(|given| inputs::fit(workflow, given)) {
                    Ok(inputs) => {
                        let scope = Scope {
                            outer: None,
                            inputs: value_of(&Value::Object(inputs)),
                            vars: value_of(&workflow.vars),
                            event: self.frames[self.units[id].frame].scope.event.clone(),
                            item: None,
                            round: None,
                        };
                        self.units[id].cap = workflow.limits.max_parallel;
                        self.open_frame(id, &workflow.steps, scope, 1);
                    }
                    Err(why) => self.fail(id, FailureKind::Internal, &format!("{} can't be run: {why}", workflow.name)),
                }
            }
        }
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
            Action::Ask { question, .. } => self.start_asking(id, question, path, scope, tx),
            Action::Work(job) => {
                if let Err(why) = self.is_within_limits() {
                    return self.fail(id, FailureKind::Internal, &why);
                }
                match self.work(id, job, path.clone(), None) {
                    Ok(work) => self.start_work(id, step, work, scope, tx),
                    Err(why) => self.fail(id, FailureKind::Internal, &why),
                }
            }
            Action::Block { .. } | Action::Call { .. } => {}
        }
    }

    fn start_asking<'s, 'e: 's>(
        &mut self,
        id: UnitId,
        question: &'w crate::runner::language::template::Text,
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
        let question = match question.fill(&self.given.engine, &names) {
            Ok(question) => question,
            Err(why) => return self.fail(id, FailureKind::Internal, &format!("ask can't be filled in: {why}")),
        };
        self.change(Change::Began { path: path.clone(), kind: "ask", work: None, key: String::new() });
        self.change(Change::Asked { path: path.clone(), question: question.clone() });
        (self.tell)(&Event::Asked { step: path.to_string(), question: question.clone() });
        self.enter(id);
        self.is_asking = true;
        self.units[id].phase = Phase::Working;
        let (executor, stop, tx) = (self.executor, self.stop_work.clone(), tx.clone());
        scope.spawn(move || drop(tx.send(Told::Answered(id, executor.ask(&path, &question, &stop)))));
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
            return self.conclude(id, known.clone());
        }
        let answer = recorded.answers.get(&path).cloned();
        let was_begun = recorded.begun.contains(&path);
        match answer.filter(|answer| *answer != Answer::Rerun) {
            Some(answer) => return self.answered(id, answer),
            None if was_begun && fill::is_lost(step) && !recorded.answers.contains_key(&path) => {
                self.change(Change::Stands { path: path.clone(), status: StepStatus::Lost });
                let question =
                    "its driver died while it was at work, and it can't be told whether it was done".to_owned();
                (self.tell)(&Event::Asked { step: path.to_string(), question });
                self.units[id].phase = Phase::Asked;
                return;
            }
            None => {}
        }
        self.steps_begun += 1;
        self.units[id].record = minijinja::Value::from(key.as_str());
        let kind = step.action.kind();
        self.change(Change::Began { path, kind, work: Some(Box::new(work.clone())), key });
        if self.unrecorded.is_some() {
            self.units[id].phase = Phase::Ready;
            return self.ready.push_back(id);
        }
        let status = StepStatus::Running.as_str();
        (self.tell)(&Event::Step { step: work.path.to_string(), status, agent: None, failure: None });
        self.enter(id);
        self.units[id].phase = Phase::Working;
        let (executor, stop, tx) = (self.executor, self.stop_work.clone(), tx.clone());
        scope.spawn(move || {
            let tell = |moment| drop(tx.send(Told::Moment(id, moment)));
            let done = guarded(|| executor.run(&work, &tell, &stop));
            drop(tx.send(Told::Done(id, Box::new(done))));
        });
    }

    fn is_within_limits(&self) -> Result<(), String> {
        let most = self.limits.max_steps.unwrap_or(usize::MAX);
        if self.steps_begun >= most {
            return Err(format!("{most} steps were done, and no more may be: see max_steps in [limits]"));
        }
        match self.limits.budget.filter(|budget| self.cost >= *budget) {
            Some(budget) => Err(format!("the budget of {:.2} US dollars is used up", budget as f64 / 1e6)),
            None => Ok(()),
        }
    }

    /// An executor is done with a step.
    pub(super) fn done(&mut self, id: UnitId, done: Done) {
        self.cost += done.usage.cost.unwrap_or(0);
        let key = self.units[id].record.as_str().unwrap_or_default().to_owned();
        let outcome = Outcome {
            status: done.status,
            out: done.out,
            exit: done.exit,
            agent: done.attempts.last().map(|attempt| attempt.agent.clone()),
            attempts: done.attempts.len() as u32,
            files: done.files,
            diff: done.diff,
            usage: done.usage,
            failure: done.failure,
            key,
            order: 0,
        };
        match done.status {
            StepStatus::Asked => {
                if let Some(path) = self.units[id].path.clone() {
                    self.change(Change::Stands { path, status: StepStatus::Asked });
                }
                (self.tell)(&Event::Asked { step: self.units[id].name(), question: "the task is yours".into() });
                self.units[id].phase = Phase::Asked;
            }
            StepStatus::Ok => self.finish(id, outcome),
            StepStatus::Failed if !self.stop_work.is_set() => self.finish(id, outcome),
            // It was interrupted: nothing is known of it, and it is done again when the run goes on.
            _ if self.stop_work.is_set() => self.units[id].phase = Phase::Ready,
            _ => self.fail(id, FailureKind::Internal, "it came to no end"),
        }
    }

    /// Somebody answered.
    pub(super) fn answered(&mut self, id: UnitId, answer: Answer) {
        let Some(step) = self.units[id].step else { return };
        let shape = step.action.shape().cloned();
        let of_text = |text: String| match (&shape, serde_json::from_str::<Value>(&text)) {
            (None, _) => Ok(Value::String(text)),
            (Some(shape), Ok(value)) => shape.check(value),
            (Some(shape), Err(_)) => shape.check(Value::String(text)),
        };
        // Where yes or no is what was asked for, either is a good answer.
        let of_word = |word: bool| shape.as_ref().and_then(|shape| shape.check(Value::Bool(word)).ok());
        let ok = |out| Outcome { out, attempts: 1, ..Outcome::of(StepStatus::Ok) };
        match answer {
            Answer::Yes | Answer::No if let Some(out) = of_word(answer == Answer::Yes) => self.finish(id, ok(out)),
            Answer::Yes => self.finish(id, ok(Value::String("yes".into()))),
            Answer::No => self.fail(id, FailureKind::Reported, "the answer was no"),
            Answer::Text(text) => match of_text(text) {
                Ok(out) => self.finish(id, ok(out)),
                Err(why) => self.fail(id, FailureKind::Shape, &why),
            },
            Answer::Rerun => self.fail(id, FailureKind::Internal, "it was not begun, and can't be done again"),
        }
    }

    pub(super) fn fail(&mut self, id: UnitId, kind: FailureKind, text: &str) {
        self.finish(id, Outcome::failed(Failure { kind, text: text.to_owned() }));
    }

    /// A unit has come to its end, and that is written down.
    pub(super) fn finish(&mut self, id: UnitId, outcome: Outcome) {
        let outcome = self.ordered(id, outcome);
        if let Some(path) = self.units[id].path.clone()
            && self.given.recorded.ended.get(&path) != Some(&outcome)
        {
            self.change(Change::Ended { path, outcome: Box::new(outcome.clone()) });
        }
        self.conclude(id, outcome);
    }

    /// It has ended: what was done in it is undone first, where its failure goes no further.
    fn conclude(&mut self, id: UnitId, outcome: Outcome) {
        let unit = &self.units[id];
        let is_absorbed = id == ROOT || unit.allows_failure() && !unit.is_many();
        self.register_undo(id, &outcome);
        if outcome.status == StepStatus::Failed && is_absorbed && self.begin_undoing(id, &outcome) {
            return;
        }
        self.settle(id, outcome);
    }

    /// With its place in the order in which things ended; that which was written down, where it was.
    fn ordered(&mut self, id: UnitId, mut outcome: Outcome) -> Outcome {
        let known = self.units[id].path.as_ref().and_then(|path| self.given.recorded.ended.get(path));
        match known.filter(|known| !self.given.is_updated && known.status == outcome.status) {
            Some(known) => outcome.order = known.order,
            None => {
                self.order += 1;
                outcome.order = self.order;
            }
        }
        outcome
    }

    /// It has ended: what follows from that.
    pub(super) fn settle(&mut self, id: UnitId, outcome: Outcome) {
        self.tell_end(id, &outcome);
        for file in &outcome.files {
            if !self.files.contains(file) {
                self.files.push(file.clone());
            }
        }
        self.has_reached_max |= outcome.status == StepStatus::MaxIterationsReached;
        let items: Vec<_> = match &self.units[id].phase {
            Phase::Items { units, .. } => units
                .iter()
                .map(|item| &self.units[*item])
                .filter_map(|unit| unit.item.as_ref().map(|(_, item)| (item.clone(), unit.outcome())))
                .collect(),
            _ => Vec::new(),
        };
        self.units[id].record = fill::record(&self.units[id], &outcome, &items);
        let failed = outcome.status == StepStatus::Failed;
        self.units[id].phase = Phase::Ended(Box::new(outcome));
        let Some(parent) = self.units[id].parent else { return };
        if self.units[id].item.is_some() {
            self.settle_item(id, parent, failed);
            return;
        }
        self.settle_in_frame(id, failed && !self.units[id].allows_failure());
    }

    /// An item has ended. Of items that are done one after the other the next is looked at, unless this one failed.
    fn settle_item(&mut self, id: UnitId, parent: UnitId, failed: bool) {
        let Phase::Items { units, open } = &mut self.units[parent].phase else { return };
        *open -= 1;
        let next = units.iter().position(|unit| *unit == id).and_then(|at| units.get(at + 1)).copied();
        if let (Some(next), true) = (next, self.units[id].step.is_some_and(is_in_order)) {
            if failed {
                let Phase::Items { units, open } = &mut self.units[parent].phase else { return };
                *open = 0;
                let rest: Vec<UnitId> = units.iter().copied().skip_while(|unit| *unit != next).collect();
                rest.into_iter().for_each(|unit| self.units[unit].phase = Phase::Stopped);
            } else {
                self.todo.push_back(next);
            }
        }
        if matches!(self.units[parent].phase, Phase::Items { open: 0, .. }) {
            self.finish_items(parent);
        }
    }

    /// Those that wait for it are looked at; where it failed they are never begun, nor those that wait for them.
    fn settle_in_frame(&mut self, id: UnitId, is_bad: bool) {
        let frame_id = self.units[id].frame;
        let frame = &mut self.frames[frame_id];
        if is_bad {
            frame.failed = frame.failed.or(Some(id));
        }
        let mut settled = vec![(self.units[id].index, is_bad)];
        while let Some((index, is_bad)) = settled.pop() {
            frame.open -= 1;
            for waiting in frame.waiting[index].clone() {
                let unit = &mut self.units[frame.units[waiting]];
                if !matches!(unit.phase, Phase::Waiting) {
                    continue;
                }
                frame.waits[waiting] -= 1;
                if is_bad {
                    unit.phase = Phase::Stopped;
                    settled.push((waiting, true));
                } else if frame.waits[waiting] == 0 {
                    self.todo.push_back(frame.units[waiting]);
                }
            }
        }
        if frame.open == 0 {
            let owner = frame.owner;
            self.finish_frame(owner, frame_id);
        }
    }

    /// All items have ended.
    fn finish_items(&mut self, id: UnitId) {
        let Phase::Items { units, .. } = &self.units[id].phase else { return };
        let outcomes: Vec<&Outcome> = units.iter().filter_map(|item| self.units[*item].outcome()).collect();
        let usable = outcomes
            .iter()
            .filter(|outcome| matches!(outcome.status, StepStatus::Ok | StepStatus::MaxIterationsReached));
        let mut whole = Outcome {
            out: usable.map(|outcome| outcome.out.clone()).collect(),
            attempts: 1,
            key: fill::digest(&outcomes.iter().map(|outcome| outcome.key.as_str()).collect::<Vec<_>>().join(" ")),
            files: outcomes.iter().flat_map(|outcome| outcome.files.clone()).collect(),
            diff: outcomes.iter().map(|outcome| outcome.diff.as_str()).collect(),
            ..Outcome::of(StepStatus::Ok)
        };
        whole.files.dedup();
        let failed = outcomes.iter().filter(|outcome| outcome.status == StepStatus::Failed);
        if let Some(first) = failed.clone().next() {
            let kind = first.failure.as_ref().map_or(FailureKind::Internal, |failure| failure.kind);
            let told = first.failure.as_ref().map(|failure| failure.text.as_str()).unwrap_or_default();
            let text = format!("{} of {} failed: {told}", failed.count(), outcomes.len());
            whole = Outcome { status: StepStatus::Failed, failure: Some(Failure { kind, text }), ..whole };
        }
        self.finish(id, whole);
    }

    /// All steps of a frame have ended, or are never begun.
    fn finish_frame(&mut self, owner: UnitId, frame: usize) {
        let Phase::Inside { round } = self.units[owner].phase else { return };
        let inner: Vec<&Outcome> =
            self.frames[frame].units.iter().filter_map(|unit| self.units[*unit].outcome()).collect();
        let last = self.frames[frame].units.last().and_then(|unit| self.units[*unit].outcome());
        let mut whole = Outcome {
            out: last.map(|last| last.out.clone()).unwrap_or_default(),
            attempts: round,
            files: inner.iter().flat_map(|outcome| outcome.files.clone()).collect(),
            diff: inner.iter().map(|outcome| outcome.diff.as_str()).collect(),
            key: fill::digest(&inner.iter().map(|outcome| outcome.key.as_str()).collect::<Vec<_>>().join(" ")),
            ..Outcome::of(StepStatus::Ok)
        };
        whole.files.sort();
        whole.files.dedup();
        let has_reached_max = inner.iter().any(|outcome| outcome.status == StepStatus::MaxIterationsReached);
        if let Some(failed) = self.frames[frame].failed {
            let failure = self.units[failed].outcome().and_then(|outcome| outcome.failure.clone());
            let kind = failure.as_ref().map_or(FailureKind::Internal, |failure| failure.kind);
            let told = failure.map(|failure| failure.text).unwrap_or_default();
            let text =
                if owner == ROOT { told } else { format!("the step {} failed: {told}", self.units[failed].name()) };
            return self
                .finish(owner, Outcome { status: StepStatus::Failed, failure: Some(Failure { kind, text }), ..whole });
        }
        let action = self.units[owner].step.map(|step| &step.action);
        if let Some(Action::Block { steps, repeat: Some(repeat), .. }) = action {
            let names = self.names_inside(frame, &[&repeat.until]);
            match repeat.until.value(&self.given.engine, &names) {
                Err(why) => return self.fail(owner, FailureKind::Internal, &format!("until can't be told: {why}")),
                Ok(value) if value.is_true() => {
                    (self.tell)(&Event::Complete { step: self.units[owner].name(), iterations: round });
                }
                Ok(_) if round < repeat.max && !self.is_stopped() => {
                    return self.next_round(owner, frame, steps, round + 1);
                }
                Ok(_) if round < repeat.max => return,
                Ok(_) => whole.status = StepStatus::MaxIterationsReached,
            }
        } else if has_reached_max {
            whole.status = StepStatus::MaxIterationsReached;
        }
        if let Some(result) = self.result_of(owner) {
            let names = self.names_inside(frame, &[result]);
            match result.value(&self.given.engine, &names).map(|value| serde_json::to_value(value).unwrap_or_default())
            {
                Ok(out) => whole.out = out,
                Err(why) => return self.fail(owner, FailureKind::Internal, &format!("result can't be told: {why}")),
            }
        }
        self.finish(owner, whole);
    }

    fn result_of(&self, owner: UnitId) -> Option<&'w crate::runner::language::template::Text> {
        match self.units[owner].step.map(|step| &step.action) {
            Some(Action::Block { result, .. }) => result.as_ref(),
            Some(Action::Call { workflow, .. }) => workflow.result.as_ref(),
            Some(_) => None,
            None => self.workflow.result.as_ref(),
        }
    }

    fn next_round(&mut self, owner: UnitId, frame: usize, steps: &'w [Step], round: u32) {
        let before = &self.frames[frame];
        let records = before.steps.iter().zip(&before.units);
        let prev = records.map(|(step, unit)| (step.id.clone(), self.units[*unit].record.clone()));
        let scope = Scope { round: Some((round, minijinja::Value::from_pairs(prev))), ..before.scope.clone() };
        (self.tell)(&Event::Round { step: self.units[owner].name(), iteration: round });
        self.open_frame(owner, steps, scope, round);
    }

    fn tell_end(&mut self, id: UnitId, outcome: &Outcome) {
        if id == ROOT {
            return;
        }
        let step = self.units[id].name();
        if outcome.is_ok() && !outcome.out.is_null() {
            match &self.units[id].item {
                Some((_, item)) => {
                    let (item, out) = (item.clone(), outcome.out.clone());
                    (self.tell)(&Event::ItemResult { step: step.clone(), item, out });
                }
                None => (self.tell)(&Event::Result { step: step.clone(), out: outcome.out.clone() }),
            }
            if let Some(issues) = outcome.out.get("issues") {
                (self.tell)(&Event::Issues { step: step.clone(), issues: issues.clone() });
            }
            if let Some(score) = outcome.out.get("score").or_else(|| outcome.out.get("quality_score")) {
                (self.tell)(&Event::Score { step: step.clone(), score: score.clone() });
            }
        }
        let failure = outcome.failure.as_ref().map(|failure| failure.text.clone());
        (self.tell)(&Event::Step { step, status: outcome.status.as_str(), agent: outcome.agent.clone(), failure });
    }
}

/// Whether its items are done one after the other, and no more of them once one has failed.
fn is_in_order(step: &Step) -> bool {
    step.flow.max_parallel == Some(1) && !step.flow.allow_failure
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
        record: minijinja::Value::default(),
    }
}

/// The job of a step that is done by one executor.
pub(super) fn job(step: &Step) -> Option<&Job> {
    match &step.action {
        Action::Work(job) => Some(job),
        _ => None,
    }
}
