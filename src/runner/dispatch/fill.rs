//! Filling in a step at the moment it begins: which names it reads, and the work that comes of it.

use super::{
    Run,
    record::Outcome,
    tree::{Frame, FrameId, Scope, Unit, UnitId},
};
use crate::{
    base::{id::StepPath, path::RepoPath},
    model::run::StepStatus,
    runner::{
        language::{
            engine::{Engine, value_of},
            filename, plain,
            resolve::{texts_of_data, texts_of_job},
            template::{Data, Text},
            workflow::{Job, Step, Task},
        },
        work::{self, Anew, Contract, Who, Work},
    },
};
use minijinja::Value;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt::Write, sync::Arc};

impl Run<'_, '_> {
    /// The names that these texts read, where a unit stands.
    pub(super) fn names(&self, id: UnitId, texts: &[&Text]) -> Value {
        let unit = &self.units[id];
        let scope = &self.frames[unit.frame].scope;
        let item = unit.item.as_ref().map(|(number, item)| (*number, value_of(item)));
        self.names_in(unit.frame, scope, item.or_else(|| scope.item.clone()), texts)
    }

    /// The same inside of a frame, when what is in it has ended.
    pub(super) fn names_inside(&self, frame: FrameId, texts: &[&Text]) -> Value {
        let scope = &self.frames[frame].scope;
        self.names_in(frame, scope, scope.item.clone(), texts)
    }

    fn names_in(&self, frame: FrameId, scope: &Scope, item: Option<(usize, Value)>, texts: &[&Text]) -> Value {
        let mut names: Vec<(&str, Value)> =
            vec![("inputs", scope.inputs.clone()), ("vars", scope.vars.clone()), ("event", scope.event.clone())];
        if let Some((number, item)) = item {
            names.extend([("item", item), ("index", Value::from(number))]);
        }
        if let Some((iteration, prev)) = &scope.round {
            names.extend([("iteration", Value::from(*iteration)), ("prev", prev.clone())]);
        }
        let mut steps = BTreeMap::new();
        for id in texts.iter().flat_map(|text| text.steps()) {
            if let Some(record) = self.record(frame, id) {
                steps.insert(id.to_owned(), record);
            }
        }
        names.push(("steps", Value::from_pairs(steps)));
        if texts.iter().any(|text| text.reads("run")) {
            names.push(("run", self.facts(texts.iter().any(|text| text.reads_of("run", "diff")))));
        }
        Value::from_pairs(names)
    }

    fn facts(&self, with_diff: bool) -> Value {
        let diff = if with_diff { self.executor.diff(&self.files) } else { String::new() };
        let facts = json!({ "id": self.given.id.as_str(), "dir": self.given.dir, "diff": diff });
        with_files(&facts, &self.files)
    }

    /// What may be read of a step of this frame, or of one around it.
    fn record(&self, frame: FrameId, id: &str) -> Option<Value> {
        let mut frame = Some(frame);
        while let Some(at) = frame {
            let Frame { by_id, units, scope, .. } = &self.frames[at];
            if let Some(index) = by_id.get(id) {
                return Some(self.units[units[*index]].record.clone());
            }
            frame = scope.outer;
        }
        None
    }

    /// The items of a step.
    pub(super) fn items(&self, id: UnitId, each: &Data) -> Result<Vec<serde_json::Value>, String> {
        let value = each.fill(self.engine(id), &self.names(id, &texts_of_data(each)))?;
        let items = value
            .try_iter()
            .map_err(|_| format!("for_each gave no list, but {}", filename::readable(value.to_string())))?;
        items.map(|item| filename::kept(&item).map_err(at("for_each"))).collect()
    }

    /// What a unit is to do, with everything in it.
    pub(super) fn work(&self, id: UnitId, job: &Job, path: StepPath, more: Option<Value>) -> Result<Work, String> {
        let engine = self.engine(id);
        let texts = texts_of_job(job);
        let names = self.names(id, &texts);
        let names = &more.map_or_else(|| Ok(names.clone()), |more| with(&names, [("self", more)]))?;
        let action = match &job.task {
            Task::Run(line) => work::Action::Run { line: line.fill(engine, names).map_err(at("run"))? },
            Task::Prompt { agents, text, avoid, accept } => {
                let words = agents.fill(engine, names).map_err(at("agent"))?;
                let agents = words.iter().map(|word| engine.surroundings.who(word)).collect::<Result<Vec<_>, _>>()?;
                if agents.contains(&Who::Caller) && self.is_in_isolated(id) {
                    return Err("it asks the caller, and a copy of the files doesn't wait for an answer".into());
                }
                let anybody = agents.is_empty().then_some(Who::Agent { tool: None, persona: None });
                let (told, anew) = told(text, engine, names)?;
                let first = told.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
                let task = work::Task {
                    title: crate::base::text::one_line(first, 100),
                    avoid: avoid.fill(engine, names).map_err(at("avoid"))?,
                    accept: accept.fill(engine, names).map_err(at("accept"))?,
                    tells_failure: text.reads("failure"),
                    text: told,
                    anew,
                };
                work::Action::Prompt { agents: agents.into_iter().chain(anybody).collect(), task }
            }
        };
        let save = job.save.as_ref().map(|save| plain::saved(&save.fill_exactly(engine, names).map_err(at("save"))?));
        let env =
            job.env.iter().map(|(name, text)| Ok((name.clone(), text.fill_exactly(engine, names).map_err(at(name))?)));
        let place = &self.units[id].place;
        Ok(Work {
            action,
            scope: job.scope.fill(engine, names).map_err(at("scope"))?,
            contract: Contract {
                shape: job.shape.clone().map(|form| form as Arc<dyn work::Shape>),
                verify: job
                    .verify
                    .as_ref()
                    .map(|verify| verify.fill(engine, names))
                    .transpose()
                    .map_err(at("verify"))?,
                review: None,
                commit: false,
            },
            retry: job.retry,
            timeout: job.timeout,
            stall: job.stall,
            isolation: job.isolation.or_else(|| self.given.isolation.get(place).copied()).unwrap_or_default(),
            save: save.transpose()?,
            env: env.collect::<Result<_, String>>()?,
            stdin: job
                .stdin
                .as_ref()
                .map(|stdin| stdin.fill_exactly(engine, names))
                .transpose()
                .map_err(at("stdin"))?,
            path,
            within: self.caps(id),
        })
    }

    /// By which it is known whether the work would come out the same: all that is in it, and what it needs.
    pub(super) fn key(&self, id: UnitId, work: &Work) -> String {
        let mut all = format!("{work:?}");
        let unit = &self.units[id];
        let frame = &self.frames[unit.frame];
        for need in &frame.steps[unit.index].needs {
            if let Some(outcome) = self.units[frame.units[*need]].outcome() {
                let _ = write!(all, "\n{} {}", outcome.status, outcome.key);
            }
        }
        digest(&all)
    }
}

pub(super) fn digest(text: &str) -> String {
    crate::base::text::hex(&Sha256::digest(text.as_bytes())[..16])
}

/// Names, and a few more.
fn with<const N: usize>(names: &Value, more: [(&str, Value); N]) -> Result<Value, String> {
    let known = names.try_iter().map_err(|error| error.to_string())?;
    let known = known.map(|key| (key.to_string(), names.get_item(&key).unwrap_or_default()));
    Ok(Value::from_pairs(known.chain(more.map(|(name, value)| (name.to_owned(), value))).collect::<Vec<_>>()))
}

/// What an agent is told in its first attempt, and how that comes out in each, where the prompt says something of them.
fn told(text: &Text, engine: &Arc<Engine>, names: &Value) -> Result<(String, Option<Anew>), String> {
    if !text.reads("attempt") && !text.reads("failure") {
        return Ok((text.fill(engine, names).map_err(at("prompt"))?.trim().to_owned(), None));
    }
    let (text, engine, names) = (text.clone(), Arc::clone(engine), names.clone());
    let anew = Anew::new(move |attempt, failure| {
        let names = with(&names, [("attempt", Value::from(attempt)), ("failure", Value::from(failure))])?;
        Ok(text.fill(&engine, &names).map_err(at("prompt"))?.trim().to_owned())
    });
    Ok((anew.text(1, None)?, Some(anew)))
}

fn at(what: &str) -> impl FnOnce(String) -> String {
    move |why| format!("{what} can't be filled in: {why}")
}

/// What others may read of a unit that has ended.
pub(super) fn record(unit: &Unit<'_>, outcome: &Outcome, items: &[(serde_json::Value, Option<&Outcome>)]) -> Value {
    let result = |(item, outcome): &(serde_json::Value, Option<&Outcome>)| {
        json!({
            "item": item,
            "ok": outcome.is_some_and(Outcome::is_ok),
            "out": outcome.map(|outcome| &outcome.out),
            "status": outcome.map_or("waiting", |outcome| outcome.status.as_str()),
            "failure": outcome.and_then(failure),
        })
    };
    // An answer of an agent may be in it, so that it is a text like any other.
    fn failure(outcome: &Outcome) -> Option<&str> {
        outcome.failure.as_ref().map(|failure| failure.text.as_str())
    }
    let failed = items.iter().filter(|(_, outcome)| !outcome.is_some_and(Outcome::is_ok)).map(|(item, _)| item);
    let is_skipped_many = unit.is_many() && outcome.status == StepStatus::Skipped;
    let facts = json!({
        "out": if is_skipped_many { json!([]) } else { outcome.out.clone() },
        "ok": outcome.is_ok(),
        "ran": outcome.status != StepStatus::Skipped,
        "status": outcome.status.as_str(),
        "exit": outcome.exit,
        "agent": outcome.agent,
        "attempts": outcome.attempts,
        "diff": outcome.diff,
        "results": items.iter().map(result).collect::<Vec<_>>(),
        "failed": failed.collect::<Vec<_>>(),
        "failure": failure(outcome),
    });
    with_files(&facts, &outcome.files)
}

/// What may be read of something, with the files that it has changed.
fn with_files(facts: &serde_json::Value, files: &[RepoPath]) -> Value {
    let facts = facts.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value_of(value)));
    Value::from_pairs(facts.chain([("files".to_owned(), filename::values(files))]).collect::<Vec<_>>())
}

/// Whether somebody has to say what became of a step that was at work when its driver died.
pub(super) fn is_lost(step: &Step) -> bool {
    use crate::runner::language::workflow::Action;
    matches!(&step.action, Action::Work(job) if matches!(job.task, Task::Run(_)) && job.retry.max == 0)
}
