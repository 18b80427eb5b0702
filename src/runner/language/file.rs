//! Reading a workflow: what stands in the file, each thing by itself. Whether it fits together is not asked here.

use super::{
    MAX_STEPS_WRITTEN,
    include::{Included, schema_in},
    is_id,
    shape::Form,
    template::{Data, Text, Texts, Use},
    value::{events, inputs, isolates, isolation, json, json_of, limits, needs, place, positive, retry, small, vars},
    workflow::{Compensate, Flow, Input, Job, Limits, Repeat, Task},
};
use crate::{
    base::toml::{At, Entry, Mistake, Source},
    runner::work::Retry,
};
use serde_json::{Map, Value};
use std::sync::Arc;
use toml_edit::Item;

/// What can stand at the top of a workflow.
pub(super) const HEADER: [&str; 8] = ["about", "on", "inputs", "vars", "limits", "scope", "result", "step"];
/// What can stand in `[limits]`.
pub(super) const LIMITS: [&str; 4] = ["max_parallel", "max_steps", "timeout", "budget_usd"];
/// What a step does: it has exactly one of these.
pub(super) const ACTIONS: [&str; 5] = ["prompt", "run", "ask", "workflow", "step"];
/// What else can stand in every step.
const ALWAYS: [&str; 7] = ["id", "needs", "if", "for_each", "max_parallel", "allow_failure", "compensate"];
/// What can stand in a step with a prompt or a command.
const WORK: [&str; 11] =
    ["stdin", "env", "scope", "verify", "retry", "timeout", "stall", "isolate", "save", "output", "output_schema"];
const PROMPT: [&str; 3] = ["agent", "accept", "avoid"];
const BLOCK: [&str; 3] = ["repeat", "result", "isolate"];

/// A workflow as it is written.
#[derive(Debug)]
pub(super) struct File {
    pub(super) about: String,
    pub(super) on: Vec<String>,
    pub(super) inputs: Vec<Input>,
    pub(super) vars: Value,
    pub(super) limits: Limits,
    pub(super) scope: Texts,
    pub(super) result: Option<Text>,
    pub(super) steps: Vec<Written>,
}

/// A step as it is written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) id: At<String>,
    pub(super) at: At<()>,
    pub(super) needs: Option<Vec<At<String>>>,
    pub(super) action: WrittenAction,
    pub(super) flow: Flow,
}

/// What a step does, as it is written.
#[derive(Debug)]
pub(super) enum WrittenAction {
    Work(Box<Job>),
    Ask { question: Text, shape: Option<Arc<Form>> },
    Call { workflow: At<String>, with: Vec<(At<String>, Data)> },
    Block { steps: Vec<Written>, repeat: Option<Repeat>, result: Option<Text>, is_isolated: bool },
}

/// What can stand in a step with this action.
pub(super) fn keys_of(action: &str) -> Vec<&'static str> {
    let own: &[&[&str]] = match action {
        "prompt" => &[&WORK, &PROMPT],
        "run" => &[&WORK],
        "ask" => &[&["output", "output_schema"]],
        "workflow" => &[&["with"]],
        _ => &[&BLOCK],
    };
    ALWAYS
        .iter()
        .chain(own.iter().copied().flatten())
        .copied()
        .chain(ACTIONS.into_iter().filter(|a| *a == action))
        .collect()
}

/// Reads one file.
pub(super) struct Reader<'r> {
    pub(super) source: &'r Source<'r>,
    /// Texts that prompts are put together from.
    pub(super) include: &'r dyn Fn(&str) -> Result<String, String>,
}

impl<'r> Reader<'r> {
    /// What the file says.
    pub(super) fn read(&self) -> Result<File, Mistake> {
        let document = self.source.parse()?;
        let mut file = File {
            about: String::new(),
            on: Vec::new(),
            inputs: Vec::new(),
            vars: Value::Object(Map::new()),
            limits: Limits::default(),
            scope: Texts::default(),
            result: None,
            steps: Vec::new(),
        };
        for entry in Entry::root(self.source, document.as_item()).table_of(&HEADER)? {
            match entry.name {
                "about" => file.about = entry.text()?.value,
                "on" => file.on = events(entry)?,
                "inputs" => file.inputs = inputs(entry)?,
                "vars" => file.vars = vars(entry)?,
                "limits" => file.limits = limits(entry)?,
                "scope" => file.scope = self.texts(entry, Use::Text)?,
                "result" => file.result = Some(self.text(entry, Use::Expression)?),
                _ => file.steps = self.steps(entry)?,
            }
        }
        if file.steps.is_empty() {
            return Err(self.source.at(0, ()).mistake("there is no step; one is begun by [[step]]"));
        }
        Ok(file)
    }

    fn steps(&self, entry: Entry<'_>) -> Result<Vec<Written>, Mistake> {
        let tables = entry.tables()?;
        if tables.len() > MAX_STEPS_WRITTEN {
            return Err(entry.wrong(format!("there are more than {MAX_STEPS_WRITTEN} steps")));
        }
        tables.into_iter().map(|table| self.step(table)).collect()
    }

    fn step(&self, step: Entry<'_>) -> Result<Written, Mistake> {
        let entries = step.table()?;
        let id = self.id(step, &entries)?;
        let mut actions = entries.iter().filter(|entry| ACTIONS.contains(&entry.name));
        let Some(action) = actions.next() else {
            return Err(self.odd(&entries, &all_keys()).unwrap_or_else(|| {
                step.wrong(format!("the step {} does nothing: it needs one of {}", id.value, ACTIONS.join(", ")))
            }));
        };
        if let Some(second) = actions.next() {
            let told = format!("the step {} has {} and {}: a step does one thing", id.value, action.name, second.name);
            return Err(second.wrong(told));
        }
        if let Some(mistake) = self.odd(&entries, &keys_of(action.name)) {
            return Err(mistake);
        }
        let find = |name: &str| entries.iter().find(|entry| entry.name == name).copied();
        let shape = match (find("output"), find("output_schema")) {
            (Some(_), Some(schema)) => return Err(schema.wrong("a step has either output or output_schema")),
            (Some(example), None) => Some(self.shape(example)?),
            (None, schema) => schema.map(|schema| self.shape_of_file(schema)).transpose()?,
        };
        let read = match action.name {
            "ask" => WrittenAction::Ask { question: self.text(*action, Use::Text)?, shape },
            "workflow" => WrittenAction::Call { workflow: action.text()?, with: self.with(find("with"))? },
            "step" => WrittenAction::Block {
                steps: self.steps(*action)?,
                repeat: find("repeat").map(|entry| self.repeat(entry)).transpose()?,
                result: find("result").map(|entry| self.text(entry, Use::Expression)).transpose()?,
                is_isolated: find("isolate").map(isolates).transpose()?.unwrap_or(false),
            },
            _ => WrittenAction::Work(Box::new(self.job(*action, &entries, shape)?)),
        };
        let flow = self.flow(&entries, &read)?;
        let needs = find("needs").map(needs).transpose()?;
        Ok(Written { at: step.named().map(drop), id, needs, action: read, flow })
    }

    fn id(&self, step: Entry<'_>, entries: &[Entry<'_>]) -> Result<At<String>, Mistake> {
        let Some(entry) = entries.iter().find(|entry| entry.name == "id") else {
            return Err(self.odd(entries, &all_keys()).unwrap_or_else(|| step.wrong("the step has no id")));
        };
        let id = entry.text()?;
        match is_id(&id.value) && id.value != super::UNDO {
            true => Ok(id),
            false => Err(id.mistake(format!("'{}' can't be the id of a step: {}", id.value, super::ID))),
        }
    }

    /// The first key that there is none of.
    fn odd(&self, entries: &[Entry<'_>], known: &[&str]) -> Option<Mistake> {
        let odd = entries.iter().find(|entry| !known.contains(&entry.name))?;
        let action = entries.iter().find(|entry| ACTIONS.contains(&entry.name));
        Some(match action {
            Some(action) if all_keys().contains(&odd.name) => {
                let what = if action.name == "step" { "steps inside of it" } else { action.name };
                odd.wrong(format!("a step with {what} can't have '{}'", odd.name))
            }
            _ => odd.wrong(format!("there is no key '{}' of a step", odd.name)).meaning(odd.name, all_keys()),
        })
    }

    fn flow(&self, entries: &[Entry<'_>], action: &WrittenAction) -> Result<Flow, Mistake> {
        let mut flow = Flow::default();
        for entry in entries {
            match entry.name {
                "if" => flow.condition = Some(self.text(*entry, Use::Expression)?),
                "for_each" => flow.for_each = Some(self.for_each(*entry)?),
                "max_parallel" => flow.max_parallel = Some(small(entry.number()?)),
                "allow_failure" => flow.allow_failure = entry.boolean()?,
                "compensate" => flow.compensate = Some(self.compensate(*entry, action)?),
                _ => {}
            }
        }
        let repeats = matches!(action, WrittenAction::Block { repeat: Some(_), .. });
        let find = |name: &str| entries.iter().find(|entry| entry.name == name);
        match (find("for_each"), find("max_parallel")) {
            (Some(each), _) if repeats => {
                Err(each.wrong("a step can't have for_each and repeat: put one of them in a step inside of it"))
            }
            (None, Some(most)) => Err(most.wrong("max_parallel is for a step with for_each")),
            _ => Ok(flow),
        }
    }

    /// An expression, or a list.
    fn for_each(&self, entry: Entry<'_>) -> Result<Data, Mistake> {
        match entry.item() {
            Some(item) if item.is_str() => Ok(Data::Text(self.text(entry, Use::Expression)?)),
            _ => match self.data(entry)? {
                list @ Data::List(_) => Ok(list),
                _ => Err(entry.wrong("for_each has to be a list, or an expression that gives one")),
            },
        }
    }

    fn repeat(&self, entry: Entry<'_>) -> Result<Repeat, Mistake> {
        let (mut until, mut max) = (None, 5);
        for key in entry.table_of(&["until", "max"])? {
            match key.name {
                "until" => until = Some(self.text(key, Use::Expression)?),
                _ => max = small(key.number()?) as u32,
            }
        }
        let until = until.ok_or_else(|| entry.wrong("repeat has no until"))?;
        Ok(Repeat { until, max })
    }

    fn compensate(&self, entry: Entry<'_>, action: &WrittenAction) -> Result<Compensate, Mistake> {
        if !entry.is_table() {
            let word = entry.text()?;
            let has_scope = matches!(action, WrittenAction::Work(job) if !job.scope.0.is_empty() || job.save.is_some());
            return match &word.value[..] {
                "revert" if has_scope => Ok(Compensate::Revert),
                "revert" => Err(word.mistake("only a step with a scope, or a file that it saves, can be reverted")),
                other => Err(word
                    .mistake(format!("compensate has to be \"revert\" or {{ run = … }}, and is '{other}'"))
                    .meaning(other, ["revert"])),
            };
        }
        let entries = entry.table_of(&["run", "prompt", "agent", "scope", "after"])?;
        let find = |name: &str| entries.iter().find(|entry| entry.name == name).copied();
        let from_start = match find("after").map(|after| after.text()).transpose()? {
            None => false,
            Some(after) if after.value == "start" => true,
            Some(after) => return Err(after.mistake("after has to be \"start\"").meaning(&after.value, ["start"])),
        };
        let action = match (find("run"), find("prompt")) {
            (Some(run), None) => run,
            (None, Some(prompt)) => prompt,
            _ => return Err(entry.wrong("compensate has to have either run or prompt")),
        };
        Ok(Compensate::Job { job: Box::new(self.job(action, &entries, None)?), from_start })
    }

    fn job(&self, action: Entry<'_>, entries: &[Entry<'_>], shape: Option<Arc<Form>>) -> Result<Job, Mistake> {
        let texts = |name: &str, uses| match entries.iter().find(|entry| entry.name == name) {
            Some(entry) => self.texts(*entry, uses).map(Some),
            None => Ok(None),
        };
        let task = match action.name {
            "prompt" => Task::Prompt {
                agents: texts("agent", Use::Text)?.unwrap_or_default(),
                text: self.text(action, Use::Text)?,
                avoid: texts("avoid", Use::Text)?.unwrap_or_default(),
                accept: texts("accept", Use::Text)?.unwrap_or_default(),
            },
            _ => Task::Run(self.text(action, Use::Shell)?),
        };
        let mut job = Job {
            task,
            scope: texts("scope", Use::Text)?.unwrap_or_default(),
            stdin: None,
            env: Vec::new(),
            verify: texts("verify", Use::Shell)?,
            retry: Retry::default(),
            timeout: None,
            stall: None,
            isolation: None,
            save: None,
            shape,
        };
        for entry in entries {
            match entry.name {
                "stdin" => job.stdin = Some(self.text(*entry, Use::Text)?),
                "save" => job.save = Some(self.text(*entry, Use::Text)?),
                "env" => job.env = self.env(*entry)?,
                "retry" => job.retry = retry(*entry)?,
                "timeout" => job.timeout = Some(positive(*entry)?),
                "stall" => job.stall = Some(positive(*entry)?),
                "isolate" => job.isolation = Some(isolation(*entry)?),
                _ => {}
            }
        }
        Ok(job)
    }

    fn env(&self, entry: Entry<'_>) -> Result<Vec<(String, Text)>, Mistake> {
        entry.table()?.into_iter().map(|entry| Ok((entry.name.to_owned(), self.text(entry, Use::Text)?))).collect()
    }

    fn with(&self, entry: Option<Entry<'_>>) -> Result<Vec<(At<String>, Data)>, Mistake> {
        let entries = entry.map(Entry::table).transpose()?.unwrap_or_default();
        entries.into_iter().map(|entry| Ok((entry.named(), self.data(entry)?))).collect()
    }

    fn shape(&self, entry: Entry<'_>) -> Result<Arc<Form>, Mistake> {
        Form::parse(&json(entry)?).map(Arc::new).map_err(|(word, why)| self.at_word(&entry, &word).mistake(why))
    }

    /// The shape that a file of the folder of the workflow says.
    fn shape_of_file(&self, entry: Entry<'_>) -> Result<Arc<Form>, Mistake> {
        let path = entry.text()?;
        let schema = schema_in(&path.value, self.include).and_then(|schema| Form::of_schema(&schema));
        schema.map(Arc::new).map_err(|why| path.mistake(format!("{}: {why}", path.value)))
    }

    /// Where a word stands in a value.
    fn at_word(&self, entry: &Entry<'_>, word: &str) -> At<()> {
        let span = entry.span();
        let raw = self.source.text().get(span.clone()).unwrap_or_default();
        let offset = if word.is_empty() { None } else { raw.find(word) };
        self.source.at(span.start + offset.unwrap_or(0), ())
    }

    fn texts(&self, entry: Entry<'_>, uses: Use) -> Result<Texts, Mistake> {
        let list = match entry.item() {
            Some(Item::Value(toml_edit::Value::Array(list))) => list,
            _ => return Ok(Texts(vec![self.text(entry, uses)?])),
        };
        let texts = list.iter().map(|value| {
            let span = value.span().unwrap_or_else(|| entry.span());
            let wrong = || {
                self.source.at(span.start, ()).mistake(format!("what is in the list {} has to be texts", entry.name))
            };
            self.parse(value.as_str().ok_or_else(wrong)?, uses, span.clone())
        });
        texts.collect::<Result<_, _>>().map(Texts)
    }

    fn text(&self, entry: Entry<'_>, uses: Use) -> Result<Text, Mistake> {
        let text = entry.text()?;
        self.parse(&text.value, uses, entry.span())
    }

    fn parse(&self, text: &str, uses: Use, span: std::ops::Range<usize>) -> Result<Text, Mistake> {
        let included =
            Included::of(text, self.include).map_err(|(at, why)| place(self.source, &span, text, at).mistake(why))?;
        let at = |at: usize| place(self.source, &span, &included.text, at);
        let text = Text::parse(&included.text, uses, span.clone());
        let text = text.map_err(|(byte, why)| at(byte).mistake(format!("this can't be filled in: {why}")))?;
        Ok(text.placed(at(0)))
    }

    fn data(&self, entry: Entry<'_>) -> Result<Data, Mistake> {
        let Some(item) = entry.item() else { return Err(entry.wrong("this has to be a value")) };
        self.data_of(item.clone().into_value().map_err(|_| entry.wrong("this has to be a value"))?, &entry)
    }

    fn data_of(&self, value: toml_edit::Value, entry: &Entry<'_>) -> Result<Data, Mistake> {
        use toml_edit::Value as Toml;
        let span = value.span().unwrap_or_else(|| entry.span());
        Ok(match value {
            Toml::String(text) => Data::Text(self.parse(text.value(), Use::Text, span)?),
            Toml::Array(list) => {
                Data::List(list.into_iter().map(|value| self.data_of(value, entry)).collect::<Result<_, _>>()?)
            }
            Toml::InlineTable(table) => {
                let entries = table.into_iter().map(|(key, value)| Ok((key.to_string(), self.data_of(value, entry)?)));
                Data::Table(entries.collect::<Result<_, Mistake>>()?)
            }
            plain => Data::Plain(json_of(&plain)),
        })
    }
}

fn all_keys() -> Vec<&'static str> {
    let all = ACTIONS.iter().flat_map(|action| keys_of(action));
    all.fold(Vec::new(), |mut keys, key| {
        if !keys.contains(&key) {
            keys.push(key);
        }
        keys
    })
}
