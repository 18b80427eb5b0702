//! What a run of a workflow was asked for, and all the texts that it was made of, as they were.

use super::Order;
use crate::{
    base::id::RunId,
    ops::{Error, Private, Session},
    runner::{
        dispatch::Recorded,
        language::{Library, Withheld},
        recorder::{Recorder, When},
    },
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Where what was asked for is kept.
pub(super) const SPEC: &str = "workflow.json";

/// What is kept of an order, with all texts that it was made of.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) order: Order,
    pub(super) texts: Texts,
    /// Whether the files were read anew since it began. From then on a result counts only where its step is still the same.
    #[serde(default)]
    pub(super) is_updated: bool,
}

/// The texts of workflows, as they were.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Texts {
    /// By name: what the file is called, and the text.
    pub(super) workflows: BTreeMap<String, (String, String)>,
    /// By the workflow and the path in it.
    pub(super) includes: BTreeMap<String, BTreeMap<String, String>>,
}

/// A library that remembers what was taken out of it.
pub(super) struct Remembering<'l> {
    library: &'l dyn Library,
    texts: Mutex<Texts>,
}

impl<'l> Remembering<'l> {
    /// One that has remembered nothing yet.
    pub(super) fn of(library: &'l dyn Library) -> Remembering<'l> {
        Remembering { library, texts: Mutex::default() }
    }

    /// What was taken out.
    pub(super) fn into_texts(self) -> Texts {
        self.texts.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn texts(&self) -> MutexGuard<'_, Texts> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Library for Remembering<'_> {
    fn workflow(&self, name: &str) -> Result<Option<(String, String)>, Withheld> {
        let found = self.library.workflow(name)?;
        if let Some(found) = &found {
            self.texts().workflows.insert(name.to_owned(), found.clone());
        }
        Ok(found)
    }

    fn include(&self, workflow: &str, path: &str) -> Result<String, String> {
        let text = self.library.include(workflow, path)?;
        self.texts().includes.entry(workflow.to_owned()).or_default().insert(path.to_owned(), text.clone());
        Ok(text)
    }

    fn names(&self) -> Vec<String> {
        self.library.names()
    }
}

impl Library for Texts {
    fn workflow(&self, name: &str) -> Result<Option<(String, String)>, Withheld> {
        Ok(self.workflows.get(name).cloned())
    }

    fn include(&self, workflow: &str, path: &str) -> Result<String, String> {
        let found = self.includes.get(workflow).and_then(|includes| includes.get(path));
        found.cloned().ok_or_else(|| format!("{path} was not there when the run began"))
    }

    fn names(&self) -> Vec<String> {
        self.workflows.keys().cloned().collect()
    }
}

impl Texts {
    /// A name for all of them. Of those that come with git-aio only their own names count, so that an update of it changes
    /// nothing. Lengths are part of it, so that no text can pass for the next name.
    pub(super) fn digest(&self, is_shipped: impl Fn(&str) -> bool) -> String {
        let mut hash = Sha256::new();
        let mut add = |part: &str| {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        };
        for (name, (_, text)) in &self.workflows {
            let parts = if is_shipped(name) { ["shipped", name, ""] } else { ["own", name, text] };
            parts.into_iter().for_each(&mut add);
        }
        for (workflow, includes) in &self.includes {
            includes.iter().for_each(|(path, text)| ["include", workflow, path, text].into_iter().for_each(&mut add));
        }
        crate::base::text::hex(&hash.finalize())
    }
}

/// What a run was asked for.
pub(super) fn kept(session: &Session, id: &RunId) -> Result<Kept, Error> {
    let found = session.kept_of_run(id, &format!("spec/{SPEC}"))?;
    found.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| Error::NotFound {
        message: format!("what {id} was asked for is not in this clone"),
        hint: Some("resume it in the clone where it began".into()),
    })
}

/// Keeps the texts that were read anew, before anything is done by them: whoever goes on with the run after this driver goes
/// on with these. What steps were done for is found out anew.
pub(super) fn keep_updated(
    recorder: &Recorder,
    recorded: &mut Recorded,
    order: &Order,
    texts: &Texts,
) -> Result<(), Error> {
    let kept = Kept { order: order.clone(), texts: texts.clone(), is_updated: true };
    let spec = serde_json::to_vec(&kept).map_err(|error| Error::Failed(error.to_string()))?;
    let none = |path| (format!("items/{path}.json"), Private::Bytes(b"null".to_vec()));
    let mut entries: Vec<_> = std::mem::take(&mut recorded.items).into_keys().map(none).collect();
    entries.push((format!("spec/{SPEC}"), Private::Bytes(spec)));
    Ok(recorder.keep(entries, "the workflow as it is now", When::Now)?)
}
