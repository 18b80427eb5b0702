//! What a step asks of whoever is there, and what is taken for an answer.

use super::{Answer, Stop};
use crate::runner::{language::shape::Form, work::Shape as _};
use serde_json::Value;

/// What is asked of a step whose driver is gone, where nobody can tell.
pub const LOST: &str = "its driver died while it was at work, and it can't be told whether it was done";

/// What a step asks.
#[derive(Debug)]
pub struct Asking<'q> {
    /// In words.
    pub question: &'q str,
    pub(super) shape: Option<&'q Form>,
    pub(super) stop: &'q Stop,
}

impl Asking<'_> {
    /// What the answer has to be, where not any is as good.
    pub fn wanted(&self) -> Option<String> {
        self.shape.and_then(Form::wanted)
    }

    /// The answer, if it is one. `meant` is what `words` mean where no word is wanted that is written as they are.
    ///
    /// # Errors
    /// What is wrong with it, and what it has to be.
    pub fn taken(&self, words: &str, meant: Answer) -> Result<Answer, String> {
        let Some(shape) = self.shape else { return Ok(meant) };
        taken(shape, words, meant).map_err(|why| match takes(shape) {
            Some(takes) => format!("{why}: it {takes}"),
            None => why,
        })
    }

    /// Whether nobody waits for the answer any more.
    pub fn is_over(&self) -> bool {
        self.stop.is_set()
    }
}

/// The answer, if it is of this shape.
///
/// # Errors
/// What is wrong with it, in words.
pub fn taken(shape: &Form, words: &str, meant: Answer) -> Result<Answer, String> {
    if matches!(shape, Form::Word(known) if known.iter().any(|word| word == words)) {
        return Ok(Answer::Text(words.to_owned()));
    }
    match &meant {
        Answer::Yes if shape.check(Value::Bool(true)).is_ok() => {}
        Answer::No | Answer::Rerun => {}
        Answer::Yes => drop(shape.check(Value::String(words.to_owned()))?),
        Answer::Text(text) => {
            drop(shape.check(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())))?);
        }
    }
    Ok(meant)
}

/// What a step takes for an answer, where not any is as good: `takes ship|stop; no has it fail`.
pub fn takes(shape: &Form) -> Option<String> {
    let fails = if shape.check(Value::Bool(false)).is_ok() { "" } else { "; no has it fail" };
    shape.wanted().map(|wanted| format!("takes {wanted}{fails}"))
}
