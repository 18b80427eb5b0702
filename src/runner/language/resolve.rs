//! Holding a workflow together: every name leads to something that is above it, and every condition reads values that have a
//! type. What is read is needed: it need not be said twice.

use super::{
    Library, LoadError, MAX_FILE, Withheld,
    cap::{Beyond, Cap},
    file::{File, Reader, Written, WrittenAction},
    inputs,
    names::Kind,
    plain::{wrong_in, wrong_in_scope},
    read::{Around, Reads, Visible},
    template::{Data, Text},
    workflow::{Action, Compensate, Job, Step, Task, Workflow},
};
use crate::base::{
    text,
    toml::{At, Mistake, Source},
};
use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    rc::Rc,
    sync::Arc,
};

/// The most workflows inside of each other.
const MAX_NESTING: usize = 5;

/// The workflow of this name, with all that it calls.
///
/// # Errors
/// When there is none, or something is wrong in it.
pub fn load(name: &str, library: &dyn Library) -> Result<Arc<Workflow>, LoadError> {
    Loader { library, loaded: RefCell::default() }.load(name, &mut Vec::new())
}

struct Loader<'l> {
    library: &'l dyn Library,
    loaded: RefCell<HashMap<String, Arc<Workflow>>>,
}

impl Loader<'_> {
    fn load(&self, name: &str, within: &mut Vec<String>) -> Result<Arc<Workflow>, LoadError> {
        if let Some(known) = self.loaded.borrow().get(name) {
            return Ok(Arc::clone(known));
        }
        let unusable = |why: String| LoadError::Unusable { name: name.to_owned(), why };
        let withheld = |withheld| match withheld {
            Withheld::NotApproved(why) => LoadError::NotApproved { name: name.to_owned(), why },
            Withheld::Unreadable(file, why) => LoadError::Unreadable { file, why },
        };
        let Some((file, text)) = self.library.workflow(name).map_err(withheld)? else {
            let names = self.library.names();
            let nearest = text::nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
            return Err(LoadError::Unknown { name: text::one_line(name, 60), nearest });
        };
        if text.len() > MAX_FILE {
            return Err(unusable(format!("it has more than {MAX_FILE} bytes")));
        }
        let source = Source::new(&text);
        let include = |path: &str| self.library.include(name, path);
        let mistake = |mistake| LoadError::Mistake { file: file.clone(), mistake };
        let read = Reader { source: &source, include: &include }.read().map_err(mistake)?;
        within.push(name.to_owned());
        let cap = Cap::of(&read.scope);
        let resolver = Resolver { loader: self, source: &source, file: &file, within: RefCell::new(within), cap };
        let resolved = resolver.workflow(name, read);
        let workflow = Arc::new(resolved?);
        self.loaded.borrow_mut().insert(name.to_owned(), Arc::clone(&workflow));
        Ok(workflow)
    }
}

struct Resolver<'r, 'l> {
    loader: &'r Loader<'l>,
    source: &'r Source<'r>,
    file: &'r str,
    within: RefCell<&'r mut Vec<String>>,
    /// What its steps may write at most.
    cap: Cap,
}

/// Which names there are where something stands, and what was read so far.
struct Level<'a> {
    ids: &'a mut BTreeSet<String>,
    around: Around<'a>,
}

impl Resolver<'_, '_> {
    fn workflow(&self, name: &str, file: File) -> Result<Workflow, LoadError> {
        let File { about, on, inputs, vars, limits, scope, result, steps } = file;
        let mut workflow = Workflow {
            name: name.to_owned(),
            file: self.file.to_owned(),
            about,
            on,
            inputs,
            vars,
            limits,
            scope,
            result,
            steps: Vec::new(),
        };
        let around = Around::of(&workflow);
        self.can_be(wrong_in_scope(&workflow.scope.0))?;
        for text in &workflow.scope.0 {
            self.check(text, &around, &mut Reads::default())?;
        }
        let (steps, _) = self.block(steps, Level { ids: &mut BTreeSet::new(), around: around.clone() })?;
        if let Some(result) = &workflow.result {
            let around = Around { visible: visible(&steps, &around), ..around.clone() };
            self.check(result, &around, &mut Reads::default())?;
        }
        drop(around);
        workflow.steps = steps;
        self.within.borrow_mut().pop();
        Ok(workflow)
    }

    /// Steps, and the ids of steps outside of them that they read.
    fn block(&self, written: Vec<Written>, level: Level<'_>) -> Result<(Vec<Step>, BTreeSet<String>), LoadError> {
        let own: Vec<String> = written.iter().map(|step| step.id.value.clone()).collect();
        let (mut steps, mut outer): (Vec<Step>, _) = (Vec::with_capacity(written.len()), BTreeSet::new());
        // Everything above can be read, so that what is visible grows with the steps.
        let mut around = Around { siblings: &own, ..level.around.clone() };
        for step in written {
            let (id, written_needs) = (step.id.clone(), step.needs.clone());
            if !level.ids.insert(id.value.clone()) {
                return Err(self.wrong(id.mistake(format!("there are two steps called '{}'", id.value))));
            }
            let mut reads = Reads::default();
            let mut step = self.step(step, &around, level.ids, &mut reads)?;
            let index = steps.len();
            let position = |name: &str| own[..index].iter().position(|known| known == name);
            let mut needs: BTreeSet<usize> = match written_needs {
                None => (0..index).collect(),
                Some(named) => named.iter().map(|name| self.need(name, &own, index)).collect::<Result<_, _>>()?,
            };
            for name in reads.steps {
                match position(&name) {
                    Some(above) => drop(needs.insert(above)),
                    None => drop(outer.insert(name)),
                }
            }
            step.needs = needs.into_iter().collect();
            around.visible.push(Rc::new(Visible::of(&step)));
            steps.push(step);
        }
        Ok((steps, outer))
    }

    fn need(&self, name: &At<String>, own: &[String], index: usize) -> Result<usize, LoadError> {
        match own.iter().position(|known| *known == name.value) {
            Some(above) if above < index => Ok(above),
            Some(_) => Err(self
                .wrong(name.mistake(format!("'{}' is not above this step: a step can only need what is", name.value)))),
            None => {
                let told = format!("there is no step '{}' in this list", name.value);
                Err(self.wrong(name.mistake(told).meaning(&name.value, own[..index].iter().map(String::as_str))))
            }
        }
    }

    fn step(
        &self,
        written: Written,
        around: &Around<'_>,
        ids: &mut BTreeSet<String>,
        reads: &mut Reads,
    ) -> Result<Step, LoadError> {
        let Written { id, at, action, flow, .. } = written;
        if let Some(condition) = &flow.condition {
            self.check(condition, &around.for_condition(), reads)?;
        }
        for text in flow.for_each.iter().flat_map(|each| each.texts()) {
            self.check(text, &around.for_condition(), reads)?;
        }
        let inner = Around { has_item: around.has_item || flow.for_each.is_some(), ..around.clone() };
        let action = match action {
            WrittenAction::Work(job) => {
                self.job(&job, &inner, reads)?;
                Action::Work(job)
            }
            WrittenAction::Ask { question, shape } => {
                self.check(&question, &inner, reads)?;
                Action::Ask { question, shape }
            }
            WrittenAction::Call { workflow, with } => {
                let called = self.called(&workflow)?;
                for text in with.iter().flat_map(|(_, data)| data.texts()) {
                    self.check(text, &inner, reads)?;
                }
                self.fits(&workflow, &called, &with)?;
                if let Some(Beyond { step, text }) = self.cap.beyond_in(&called.steps) {
                    let told = format!(
                        "the step {step} of the workflow {} writes {}, which is not within the scope at the top: {}",
                        called.name,
                        text.source(),
                        self.cap.told()
                    );
                    return Err(self.wrong(workflow.mistake(told)));
                }
                let with = with.into_iter().map(|(name, data)| (name.value, data)).collect();
                Action::Call { workflow: called, with }
            }
            WrittenAction::Block { steps, repeat, result, is_isolated } => {
                let repeats = repeat.is_some();
                let round = written_round(&steps, repeats, &inner);
                let level = Level { ids, around: Around { round, repeats: inner.repeats || repeats, ..inner.clone() } };
                let (steps, outer) = self.block(steps, level)?;
                reads.steps.extend(outer);
                let inside =
                    Around { visible: visible(&steps, &inner), repeats: inner.repeats || repeats, ..inner.clone() };
                let mut ends = Reads::default();
                if let Some(repeat) = &repeat {
                    self.check(&repeat.until, &inside.for_condition(), &mut ends)?;
                }
                if let Some(result) = &result {
                    self.check(result, &inside, &mut ends)?;
                }
                reads.steps.extend(ends.steps.into_iter().filter(|name| steps.iter().all(|step| step.id != *name)));
                Action::Block { steps, repeat, result, is_isolated }
            }
        };
        if let Some(Compensate::Job { job, .. }) = &flow.compensate {
            self.job(job, &Around { has_self: true, ..inner.clone() }, reads)?;
        }
        self.repeated_prev(&action)?;
        Ok(Step { id: id.value, at, action, needs: Vec::new(), flow })
    }

    /// What a round read of the round before can only be held against shapes when all steps of the block are known.
    fn repeated_prev(&self, action: &Action) -> Result<(), LoadError> {
        let Action::Block { steps, repeat: Some(_), .. } = action else { return Ok(()) };
        for text in steps.iter().flat_map(texts_of) {
            for reading in text.readings().iter().filter(|reading| reading.path[0] == "prev") {
                let Some(step) = reading.path.get(1).and_then(|id| steps.iter().find(|step| step.id == *id)) else {
                    continue;
                };
                let visible = Visible::of(step);
                visible
                    .check(reading, &reading.path[2..], false)
                    .map_err(|wrong| self.wrong(wrong.told(self.source, text, reading.at)))?;
            }
        }
        Ok(())
    }

    fn job(&self, job: &Job, around: &Around<'_>, reads: &mut Reads) -> Result<(), LoadError> {
        let prompt = match &job.task {
            Task::Prompt { text, .. } => Some(text),
            Task::Run(_) => None,
        };
        self.can_be(wrong_in(job))?;
        if let Some(text) = self.cap.beyond(job) {
            let told = format!("{} is not within the scope at the top: {}", text.source(), self.cap.told());
            return Err(self.wrong(text.at.mistake(told)));
        }
        let in_prompt = Around { has_attempt: true, ..around.clone() };
        texts_of_job(job).into_iter().try_for_each(|text| {
            let is_prompt = prompt.is_some_and(|prompt| std::ptr::eq(prompt, text));
            self.check(text, if is_prompt { &in_prompt } else { around }, reads)
        })
    }

    fn called(&self, name: &At<String>) -> Result<Arc<Workflow>, LoadError> {
        let mut within = self.within.borrow_mut();
        if within.contains(&name.value) {
            return Err(self.wrong(name.mistake(format!("the workflow {} would run itself", name.value))));
        }
        if within.len() >= MAX_NESTING {
            let told = format!("the workflow {} would be more than {MAX_NESTING} deep", name.value);
            return Err(self.wrong(name.mistake(told)));
        }
        self.loader.load(&name.value, &mut within).map_err(|error| match error {
            LoadError::Unknown { nearest, .. } => {
                self.wrong(Mistake { nearest, ..name.mistake(format!("there is no workflow '{}'", name.value)) })
            }
            other => other,
        })
    }

    /// Whether a workflow is given what it takes.
    fn fits(&self, at: &At<String>, called: &Workflow, with: &[(At<String>, Data)]) -> Result<(), LoadError> {
        for (name, data) in with {
            let Some(input) = called.inputs.iter().find(|input| input.name == name.value) else {
                let told = format!("the workflow {} has no input '{}'", called.name, name.value);
                let known = called.inputs.iter().map(|input| input.name.as_str());
                return Err(self.wrong(at.mistake(told).meaning(&name.value, known)));
            };
            if let Some(value) = data.known() {
                inputs::hold(input, &value).map_err(|told| self.wrong(name.mistake(told)))?;
            }
        }
        let missing = called
            .inputs
            .iter()
            .find(|input| input.default.is_none() && with.iter().all(|(name, _)| name.value != input.name));
        match missing {
            Some(input) => {
                Err(self.wrong(at.mistake(format!("the workflow {} needs the input {}", called.name, input.name))))
            }
            None => Ok(()),
        }
    }

    fn check(&self, text: &Text, around: &Around<'_>, reads: &mut Reads) -> Result<(), LoadError> {
        for (kind, word, at) in &text.names.words {
            let known = super::engine::known(*kind);
            if !known.contains(&word.as_str()) {
                let from = text.source().get(*at..).and_then(|rest| rest.find(word.as_str())).unwrap_or(0);
                let what = match kind {
                    Kind::Filter => "filter",
                    Kind::Test => "test",
                    Kind::Function => "function",
                };
                let place = super::value::place(self.source, &text.span, text.source(), at + from);
                return Err(self.wrong(place.mistake(format!("there is no {what} '{word}'")).meaning(word, known)));
            }
        }
        if let Some((at, why)) = text.names.refused.first() {
            return Err(self.wrong(super::value::place(self.source, &text.span, text.source(), *at).mistake(*why)));
        }
        if let Some(at) = text.names.quoted.first().filter(|_| text.is_shell()) {
            let place = super::value::place(self.source, &text.span, text.source(), *at);
            return Err(self.wrong(place.mistake(
                "a value in a command is quoted already, and can't stand inside of quotes, backticks, ${}, a comment or a \
                 here-document: leave the quotes around it out",
            )));
        }
        for reading in text.readings() {
            around.check(reading, reads).map_err(|wrong| self.wrong(wrong.told(self.source, text, reading.at)))?;
        }
        Ok(())
    }

    /// Whether nothing of what may be written is surely wrong.
    fn can_be(&self, wrong: Option<(&Text, String)>) -> Result<(), LoadError> {
        wrong.map_or(Ok(()), |(text, why)| Err(self.wrong(text.at.mistake(why))))
    }

    fn wrong(&self, mistake: Mistake) -> LoadError {
        LoadError::Mistake { file: self.file.to_owned(), mistake }
    }
}

/// The ids whose results of the round before can be read.
fn written_round(steps: &[Written], repeats: bool, around: &Around<'_>) -> Option<Vec<String>> {
    if repeats { Some(steps.iter().map(|step| step.id.value.clone()).collect()) } else { around.round.clone() }
}

fn visible(steps: &[Step], around: &Around<'_>) -> Vec<Rc<Visible>> {
    around.visible.iter().cloned().chain(steps.iter().map(|step| Rc::new(Visible::of(step)))).collect()
}

/// All that is filled in for a job.
pub(in crate::runner) fn texts_of_job(job: &Job) -> Vec<&Text> {
    let mut texts: Vec<&Text> = match &job.task {
        Task::Prompt { agents, text, avoid, accept } => {
            agents.0.iter().chain([text]).chain(&avoid.0).chain(&accept.0).collect()
        }
        Task::Run(line) => vec![line],
    };
    texts.extend(job.scope.0.iter().chain(&job.stdin).chain(job.env.iter().map(|(_, text)| text)));
    texts.extend(job.verify.iter().flat_map(|verify| &verify.0).chain(&job.save));
    texts
}

/// All that is filled in for data.
pub(in crate::runner) fn texts_of_data(data: &Data) -> Vec<&Text> {
    data.texts()
}

/// All that is filled in for a step, what is inside of it too.
pub(super) fn texts_of(step: &Step) -> Vec<&Text> {
    let mut texts: Vec<&Text> = step.flow.condition.iter().collect();
    texts.extend(step.flow.for_each.iter().flat_map(|each| each.texts()));
    match &step.action {
        Action::Work(job) => texts.extend(texts_of_job(job)),
        Action::Ask { question, .. } => texts.push(question),
        Action::Call { with, .. } => texts.extend(with.iter().flat_map(|(_, data)| data.texts())),
        Action::Block { steps, repeat, result, .. } => {
            // A round inside of it has a round before of its own.
            if repeat.is_none() {
                texts.extend(steps.iter().flat_map(texts_of));
            }
            texts.extend(result);
        }
    }
    if let Some(Compensate::Job { job, .. }) = &step.flow.compensate {
        texts.extend(texts_of_job(job));
    }
    texts
}
