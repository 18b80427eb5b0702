//! What happens in a run, for whoever watches: one closed list, a line of JSON each.

use crate::runner::work::Moment;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run stands so now.
    Run {
        /// The word.
        status: &'static str,
    },
    /// A step stands so now.
    Step {
        /// Which.
        step: String,
        /// The word.
        status: &'static str,
        /// Who does it, or did.
        agent: Option<String>,
        /// Why it failed.
        failure: Option<String>,
    },
    /// A step is done for so many items.
    Items {
        /// Which.
        step: String,
        /// How many.
        count: usize,
    },
    /// A block is done another time.
    Round {
        /// Which.
        step: String,
        /// From 1.
        iteration: u32,
    },
    /// A block has reached its goal.
    Complete {
        /// Which.
        step: String,
        /// After so many rounds.
        iterations: u32,
    },
    /// Somebody is asked.
    Asked {
        /// By which step.
        step: String,
        /// What.
        question: String,
    },
    /// A step has a result.
    Result {
        /// Which.
        step: String,
        /// What came of it.
        out: Value,
    },
    /// An item has one.
    ItemResult {
        /// The step with its number.
        step: String,
        /// The item.
        item: Value,
        /// What came of it.
        out: Value,
    },
    /// A result names issues.
    Issues {
        /// Whose.
        step: String,
        /// Them.
        issues: Value,
    },
    /// A result has a score.
    Score {
        /// Whose.
        step: String,
        /// It.
        score: Value,
    },
    /// What was done is being undone, since a step failed.
    Compensating {
        /// Why.
        error: String,
        /// Always true: how the saga of the catalog tells it.
        compensating: bool,
    },
    /// A step was undone, or could not be.
    Undone {
        /// Which.
        step: String,
        /// Why not.
        failure: Option<String>,
    },
    /// The holders of what a step wants to write, or the run as a whole.
    Blocked {
        /// Which step; empty for the run.
        step: String,
        /// They.
        holders: Vec<String>,
    },
    /// An attempt begins.
    Attempt {
        /// Of which step.
        step: String,
        /// From 1.
        attempt: u32,
        /// Whose.
        agent: String,
        /// The instance that holds the claims.
        instance: Option<String>,
    },
    /// An attempt was not usable.
    Failed {
        /// Of which step.
        step: String,
        /// From 1.
        attempt: u32,
        /// Whose.
        agent: String,
        /// In a word.
        kind: &'static str,
        /// Why.
        text: String,
    },
    /// It is tried again.
    Again {
        /// Which step.
        step: String,
        /// After so many seconds.
        seconds: f64,
    },
    /// The next agent is asked.
    Next {
        /// For which step.
        step: String,
        /// Who.
        agent: String,
    },
    /// The scope of a step is halved.
    Split {
        /// Which.
        step: String,
    },
    /// An agent does something.
    Doing {
        /// In which step.
        step: String,
        /// What.
        text: String,
    },
    /// An agent said something.
    Text {
        /// In which step.
        step: String,
        /// What.
        text: String,
    },
    /// An agent goes on, silently.
    Alive {
        /// In which step.
        step: String,
    },
    /// A document for an agent lies in a file.
    Document {
        /// For which step.
        step: String,
        /// Where.
        path: String,
    },
    /// A check begins.
    Checking {
        /// In which step.
        step: String,
        /// Its name.
        check: String,
    },
    /// A check has ended.
    Checked {
        /// In which step.
        step: String,
        /// Its name.
        check: String,
        /// How.
        outcome: &'static str,
        /// Why it was not made, or was ended.
        why: Option<String>,
    },
    /// A reviewer has judged.
    Reviewed {
        /// Which step.
        step: String,
        /// In a word.
        verdict: &'static str,
        /// In its words.
        text: String,
    },
}

impl Event {
    /// What a moment of a step is as an event.
    pub fn of(step: &str, moment: &Moment) -> Event {
        let step = step.to_owned();
        match moment.clone() {
            Moment::Status(status) => Event::Step { step, status: status.as_str(), agent: None, failure: None },
            Moment::Blocked(holders) => Event::Blocked { step, holders },
            Moment::Tries { attempt, agent, instance } => {
                Event::Attempt { step, attempt, agent, instance: instance.map(|id| id.to_string()) }
            }
            Moment::Document(path) => Event::Document { step, path: path.display().to_string() },
            Moment::Doing(text) => Event::Doing { step, text },
            Moment::Said(text) => Event::Text { step, text },
            Moment::Alive => Event::Alive { step },
            Moment::Checks(check) => Event::Checking { step, check },
            Moment::Checked(checked) => Event::Checked {
                step,
                check: checked.name.clone(),
                outcome: checked.outcome.as_str(),
                why: checked.why.clone(),
            },
            Moment::Reviewed(verdict, text) => Event::Reviewed { step, verdict: verdict.as_str(), text },
            Moment::Failed { attempt, agent, failure } => {
                Event::Failed { step, attempt, agent, kind: failure.kind.as_str(), text: failure.text }
            }
            Moment::Again { after } => Event::Again { step, seconds: seconds(after) },
            Moment::Next { agent } => Event::Next { step, agent },
            Moment::Split => Event::Split { step },
        }
    }
}

fn seconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 1000.0).round() / 1000.0
}
