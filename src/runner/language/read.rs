//! What may be read where: the closed set of names, and rule 4, by which a condition reads only what has a type.

use super::{
    names::Reading,
    shape::Form,
    template::Text,
    value::place,
    workflow::{Input, Step, Workflow},
};
use crate::base::toml::{Mistake, Source};
use serde_json::Value;
use std::{collections::BTreeSet, rc::Rc, sync::Arc};

/// What can be read of a step.
const OF_STEP: [&str; 12] =
    ["out", "ok", "ran", "status", "exit", "agent", "attempts", "files", "diff", "results", "failed", "failure"];
const OF_RUN: [&str; 4] = ["id", "files", "diff", "dir"];
const OF_EVENT: [&str; 2] = ["type", "details"];

/// A step that can be read.
#[derive(Debug, Clone)]
pub(super) struct Visible {
    id: String,
    shape: Option<Arc<Form>>,
    is_many: bool,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// Ids of steps.
    pub(super) steps: BTreeSet<String>,
}

/// Where something stands, and so what it may read.
#[derive(Debug, Clone)]
pub(super) struct Around<'a> {
    pub(super) inputs: &'a [Input],
    pub(super) vars: &'a Value,
    pub(super) has_event: bool,
    /// The steps that may be read: those above, here and around.
    pub(super) visible: Vec<Rc<Visible>>,
    /// All steps of the same list, for telling why one can't be read.
    pub(super) siblings: &'a [String],
    /// The steps whose results of the round before may be read.
    pub(super) round: Option<Vec<String>>,
    /// Whether it is done in rounds.
    pub(super) repeats: bool,
    /// Whether it is done for items.
    pub(super) has_item: bool,
    /// Whether there is a step that is undone.
    pub(super) has_self: bool,
    /// Whether it is told to an agent anew for each attempt.
    pub(super) has_attempt: bool,
    pub(super) is_condition: bool,
}

/// Why something may not be read.
#[derive(Debug)]
pub(super) struct Wrong {
    message: String,
    word: String,
    known: Vec<String>,
}

impl Wrong {
    fn new(message: impl Into<String>) -> Wrong {
        Wrong { message: message.into(), word: String::new(), known: Vec::new() }
    }

    fn unknown<'k>(message: String, word: &str, known: impl IntoIterator<Item = &'k str>) -> Wrong {
        Wrong { message, word: word.to_owned(), known: known.into_iter().map(str::to_owned).collect() }
    }

    /// With its place in the file.
    pub(super) fn told(self, source: &Source<'_>, text: &Text, at: usize) -> Mistake {
        let mistake = place(source, &text.span, text.source(), at).mistake(self.message);
        mistake.meaning(&self.word, self.known.iter().map(String::as_str))
    }
}

impl Visible {
    /// What can be read of this step.
    pub(super) fn of(step: &Step) -> Visible {
        Visible { id: step.id.clone(), shape: step.action.shape().cloned(), is_many: step.flow.for_each.is_some() }
    }

    /// Whether these keys may be read of it.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn check(&self, reading: &Reading, keys: &[String], is_condition: bool) -> Result<(), Wrong> {
        let id = &self.id;
        let Some((attribute, inner)) = keys.split_first() else {
            return Err(Wrong::new(format!("what of the step {id} is meant? There are {}", OF_STEP.join(", "))));
        };
        if !OF_STEP.contains(&attribute.as_str()) {
            let told = format!("a step has no '{attribute}'");
            return Err(Wrong::unknown(told, attribute, OF_STEP));
        }
        let is_free = matches!(&attribute[..], "out" | "results") && self.shape.is_none()
            || matches!(&attribute[..], "diff" | "failure");
        if is_condition && is_free {
            return Err(Wrong::new(format!(
                "a condition can't read {}: it is free text. Declare the output of the step {id}, and read a field of it",
                reading.path.join(".")
            )));
        }
        if attribute == "out" { self.out(reading, inner) } else { Ok(()) }
    }

    fn out(&self, reading: &Reading, keys: &[String]) -> Result<(), Wrong> {
        let name = reading.path.join(".");
        let Some(shape) = &self.shape else {
            return match keys {
                [] if !reading.is_ordered => Ok(()),
                [] => Err(Wrong::new(format!("{name} is free text, and neither larger nor smaller than anything"))),
                _ => Err(Wrong::new(format!("the step {} declares no output: what it gives is a text", self.id))),
            };
        };
        if self.is_many {
            return match keys {
                [] if !reading.is_ordered => Ok(()),
                _ => Err(Wrong::new(format!("the output of {} is a list, with one for each item", self.id))),
            };
        }
        let form = shape.at(keys).map_err(|(key, known)| {
            let told = format!("the output of {} has no '{key}'", self.id);
            Wrong::unknown(told, &key, known)
        })?;
        match reading.is_ordered && !form.is_number() {
            true => Err(Wrong::new(format!("{name} is no number, and neither larger nor smaller than anything"))),
            false => Ok(()),
        }
    }
}

impl<'a> Around<'a> {
    /// What everything in a workflow may read.
    pub(super) fn of(workflow: &'a Workflow) -> Around<'a> {
        Around {
            inputs: &workflow.inputs,
            vars: &workflow.vars,
            has_event: !workflow.on.is_empty(),
            visible: Vec::new(),
            siblings: &[],
            round: None,
            repeats: false,
            has_item: false,
            has_self: false,
            has_attempt: false,
            is_condition: false,
        }
    }

    /// The same, for a condition.
    pub(super) fn for_condition(&self) -> Around<'a> {
        Around { is_condition: true, ..self.clone() }
    }

    /// Whether this may be read.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn check(&self, reading: &Reading, reads: &mut Reads) -> Result<(), Wrong> {
        let path = &reading.path;
        let second = path.get(1).map(String::as_str);
        let allowed = |is: bool, why: &str| if is { Ok(()) } else { Err(Wrong::new(why)) };
        match &path[0][..] {
            "steps" => self.step(reading, reads),
            "prev" => self.prev(reading),
            "inputs" => self.input(reading, second),
            "vars" => match (second, self.vars) {
                (Some(name), Value::Object(vars)) if !vars.contains_key(name) => Err(Wrong::unknown(
                    format!("there is no '{name}' in [vars]"),
                    name,
                    vars.keys().map(String::as_str),
                )),
                _ => Ok(()),
            },
            "item" | "index" => allowed(self.has_item, "there are no items here: the step has no for_each"),
            "iteration" => allowed(self.repeats, "there are no rounds here: the step is in no block with repeat"),
            "self" => allowed(self.has_self, "self is the step that is undone, and is known in compensate only"),
            "run" => self.one_of("a run", second, &OF_RUN),
            "event" if self.has_event && self.is_condition && second == Some("details") => {
                Err(Wrong::new("a condition can't read event.details: it is free text"))
            }
            "event" if self.has_event => self.one_of("an event", second, &OF_EVENT),
            "event" => Err(Wrong::new("there is no event: the workflow has no 'on'")),
            "attempt" | "failure" => allowed(
                self.has_attempt,
                "attempt and failure are those of an agent that tries, and known in its prompt only",
            ),
            other => {
                let known = ["steps", "prev", "inputs", "vars", "item", "index", "iteration", "run", "event"];
                Err(Wrong::unknown(format!("there is no '{other}'"), other, known))
            }
        }
    }

    fn one_of(&self, what: &str, name: Option<&str>, known: &[&str]) -> Result<(), Wrong> {
        match name {
            Some(name) if known.contains(&name) => {
                let is_free = self.is_condition && name == "diff";
                if is_free { Err(Wrong::new("a condition can't read run.diff: it is free text")) } else { Ok(()) }
            }
            Some(name) => Err(Wrong::unknown(format!("{what} has no '{name}'"), name, known.iter().copied())),
            None => Err(Wrong::new(format!("what of {what} is meant? There are {}", known.join(", ")))),
        }
    }

    fn step(&self, reading: &Reading, reads: &mut Reads) -> Result<(), Wrong> {
        let Some(id) = reading.path.get(1) else {
            return Err(Wrong::new("a step is named as in steps.review.out, and in no other way"));
        };
        let Some(visible) = self.visible.iter().rev().find(|visible| visible.id == *id) else {
            if self.siblings.contains(id) {
                return Err(Wrong::new(format!("the step {id} is not above this one: only what is can be read")));
            }
            let known = self.visible.iter().map(|visible| visible.id.as_str());
            return Err(Wrong::unknown(format!("there is no step '{id}' above"), id, known));
        };
        reads.steps.insert(id.clone());
        visible.check(reading, &reading.path[2..], self.is_condition)
    }

    /// What there was in the round before. The shapes are looked at when all steps of the block are known.
    fn prev(&self, reading: &Reading) -> Result<(), Wrong> {
        let Some(round) = &self.round else {
            return Err(Wrong::new("there is no round before: the step is in no block with repeat"));
        };
        match reading.path.get(1) {
            Some(id) if !round.contains(id) => {
                let told = format!("there is no step '{id}' in this block");
                Err(Wrong::unknown(told, id, round.iter().map(String::as_str)))
            }
            Some(_) if self.is_condition => Err(Wrong::new("a condition can't read the round before")),
            _ => Ok(()),
        }
    }

    fn input(&self, reading: &Reading, name: Option<&str>) -> Result<(), Wrong> {
        let Some(name) = name else { return Ok(()) };
        let Some(input) = self.inputs.iter().find(|input| input.name == name) else {
            let known = self.inputs.iter().map(|input| input.name.as_str());
            return Err(Wrong::unknown(format!("there is no input '{name}'"), name, known));
        };
        match reading.is_ordered && !input.default.as_ref().is_some_and(Value::is_number) {
            true => {
                Err(Wrong::new(format!("the input {name} is no number, and neither larger nor smaller than anything")))
            }
            false => Ok(()),
        }
    }
}
