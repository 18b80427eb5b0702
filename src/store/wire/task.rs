//! The record of a task.

use super::record::{Wire, parse, parse_opt};
use crate::{
    base::world::Time,
    model::task::{Finished, MAX_LISTED, Priority, Task, TaskPath},
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(in crate::store) struct WireTask {
    v: u64,
    id: String,
    title: String,
    text: String,
    by: String,
    at: Time,
    priority: u8,
    paths: Vec<String>,
    needs: Vec<String>,
    run: Option<String>,
    state: String,
    done: Option<WireFinished>,
}

#[derive(Serialize, Deserialize)]
struct WireFinished {
    by: String,
    at: Time,
    result: Option<String>,
    token: u64,
}

impl Wire<Task> for WireTask {
    fn from_model(t: &Task) -> Self {
        WireTask {
            v: 1,
            id: t.id.to_string(),
            title: t.title.clone(),
            text: t.text.clone(),
            by: t.by.to_string(),
            at: t.at,
            priority: t.priority.number(),
            paths: t.paths.iter().map(TaskPath::encoded).collect(),
            needs: t.needs.iter().map(ToString::to_string).collect(),
            run: t.run.as_ref().map(ToString::to_string),
            state: if t.done.is_some() { "done" } else { "open" }.into(),
            done: t.done.as_ref().map(|done| WireFinished {
                by: done.by.to_string(),
                at: done.at,
                result: done.result.clone(),
                token: done.token,
            }),
        }
    }

    fn into_model(self) -> Result<Task, String> {
        let done = match (self.state.as_str(), self.done) {
            ("open", None) => None,
            ("done", Some(WireFinished { by, at, result, token })) => {
                Some(Finished { by: parse(by)?, at, result, token })
            }
            (state, done) => return Err(format!("state {state:?} with done: {}", done.is_some())),
        };
        if self.needs.len().max(self.paths.len()) > MAX_LISTED {
            return Err(format!("it names more than {MAX_LISTED} tasks or paths"));
        }
        let priority = Priority::new(self.priority);
        Ok(Task {
            id: parse(self.id)?,
            title: self.title,
            text: self.text,
            by: parse(self.by)?,
            at: self.at,
            priority: priority
                .ok_or_else(|| format!("priority {}, and {} is the last", self.priority, Priority::LAST))?,
            paths: self
                .paths
                .iter()
                .map(|path| TaskPath::decode(path))
                .collect::<Result<_, _>>()
                .map_err(|error| error.to_string())?,
            needs: self.needs.into_iter().map(parse).collect::<Result<_, _>>()?,
            run: parse_opt(self.run)?,
            done,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_contradicts_itself_is_refused() {
        let record = |state: &str, done: &str, priority: u8| {
            let text = format!(
                r#"{{"v":1,"id":"T-1","title":"x","text":"","by":"claude-1707084123-a3f2","at":"2024-02-04T22:02:03Z",
                "priority":{priority},"paths":[],"needs":[],"run":null,"state":"{state}","done":{done}}}"#
            );
            serde_json::from_str::<WireTask>(&text).expect("the shape").into_model()
        };
        let done = r#"{"by":"claude-1707084123-a3f2","at":"2024-02-04T22:02:03Z","result":null,"token":7}"#;
        assert!(record("open", "null", 0).is_ok() && record("done", done, 4).is_ok());
        for (state, done, priority) in
            [("open", done, 2), ("done", "null", 2), ("held", "null", 2), ("open", "null", 5)]
        {
            assert!(record(state, done, priority).is_err(), "{state} {done} {priority}");
        }
    }
}
