//! The whole state as one document.

use super::{Claim, Damage, Handoff, Instance, Note, QueuedTask, SCHEMA};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// doctor --dump: the state as one document
#[derive(Debug, Serialize, JsonSchema)]
pub struct Dump {
    schema: u32,
    /// The same, as it was called before all answers had one
    #[serde(rename = "schemaVersion")]
    schema_version: u32,
    /// By id
    instances: BTreeMap<String, Instance>,
    /// Those in force, by id
    claims: BTreeMap<String, Claim>,
    /// Notes and handoffs, oldest first
    context: Vec<ContextRecord>,
    /// Claims that were lost and have not been claimed or released since, by who lost them
    lost: BTreeMap<String, Vec<Claim>>,
    /// Our own tasks, by id
    tasks: BTreeMap<String, QueuedTask>,
    damaged: Vec<Damage>,
}

/// A note or a handoff, told apart by its category.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum ContextRecord {
    /// A note
    Note(Note),
    /// A handoff
    Handoff(HandoffRecord),
}

/// A handoff among notes.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct HandoffRecord {
    /// `handoff`
    category: String,
    #[serde(flatten)]
    handoff: Box<Handoff>,
}

impl Dump {
    pub(in crate::cli) fn new(dump: &crate::ops::doctor::Dump) -> Self {
        let notes = dump.notes.iter().map(|note| (note.at, ContextRecord::Note(Note::new(note))));
        let handoffs = dump.handoffs.iter().map(|handoff| {
            let record = HandoffRecord { category: "handoff".into(), handoff: Box::new(Handoff::new(handoff)) };
            (handoff.at, ContextRecord::Handoff(record))
        });
        let mut context: Vec<_> = notes.chain(handoffs).collect();
        context.sort_by_key(|(at, _)| *at);
        let mut lost: BTreeMap<String, Vec<Claim>> = BTreeMap::new();
        for (instance, ended) in &dump.lost {
            lost.entry(instance.to_string()).or_default().push(Claim::lost(ended));
        }
        let damage = |d: &crate::ops::Damage| Damage { path: d.path.clone(), reason: d.reason.clone() };
        Dump {
            schema: SCHEMA,
            schema_version: SCHEMA,
            instances: dump
                .instances
                .iter()
                .map(|known| (known.instance.id.to_string(), Instance::new(known)))
                .collect(),
            claims: dump.claims.iter().map(|claim| (claim.id.to_string(), Claim::new(claim))).collect(),
            context: context.into_iter().map(|(_, record)| record).collect(),
            lost,
            tasks: dump.tasks.iter().map(|task| (task.id.to_string(), QueuedTask::new(task))).collect(),
            damaged: dump.damaged.iter().map(damage).collect(),
        }
    }
}
