//! The steps of a run as they are at a moment: units that are done once each, and frames in which they stand together.

use super::{bounds::BoundsId, isolated::Isolated, record::Outcome};
use crate::{base::id::StepPath, model::run::StepStatus, runner::language::workflow::Step};
use minijinja::Value;
use std::collections::HashMap;

pub(super) type UnitId = usize;
pub(super) type FrameId = usize;

/// The run itself.
pub(super) const ROOT: UnitId = 0;

/// Something that is done once: a step, an item of one, or the run itself.
pub(super) struct Unit<'w> {
    /// `None` is the run itself.
    pub(super) path: Option<StepPath>,
    /// The step with those it is inside of, without numbers: what a plan knows it by.
    pub(super) place: String,
    pub(super) step: Option<&'w Step>,
    /// The list it stands in.
    pub(super) frame: FrameId,
    pub(super) index: usize,
    pub(super) parent: Option<UnitId>,
    /// Which item it is for, from 1, and the item.
    pub(super) item: Option<(usize, serde_json::Value)>,
    /// The most of what is inside of it that may be at work at once.
    pub(super) cap: Option<usize>,
    /// How much of it is.
    pub(super) working: usize,
    pub(super) phase: Phase,
    /// What its steps work on, where that is a copy.
    pub(super) isolated: Option<Isolated>,
    /// How it was last told to stand.
    pub(super) told: Option<StepStatus>,
    /// What others may read of it, once it has ended.
    pub(super) record: Value,
}

/// Where a unit stands.
pub(super) enum Phase {
    /// What it needs has not ended.
    Waiting,
    /// It can be begun as soon as there is room.
    Ready,
    /// An executor has it.
    Working,
    /// Somebody is asked.
    Asked,
    /// Its items are being done.
    Items { units: Vec<UnitId>, open: usize },
    /// What is inside of it is being done.
    Inside { round: u32 },
    /// What was done in it is being undone.
    Undoing { outcome: Box<Outcome>, left: Vec<UnitId> },
    /// It has ended.
    Ended(Box<Outcome>),
    /// What it needs has failed: it is never begun.
    Stopped,
}

/// Steps that stand together: those of a workflow, or of one round of a block.
pub(super) struct Frame<'w> {
    pub(super) owner: UnitId,
    pub(super) steps: &'w [Step],
    pub(super) units: Vec<UnitId>,
    /// By id, where in the list a step is.
    pub(super) by_id: HashMap<&'w str, usize>,
    /// How many steps each still waits for.
    pub(super) waits: Vec<usize>,
    /// Who waits for each.
    pub(super) waiting: Vec<Vec<usize>>,
    pub(super) open: usize,
    /// The first that failed.
    pub(super) failed: Option<UnitId>,
    pub(super) scope: Scope,
}

/// Which names there are in a frame, and how far what is in it may go.
#[derive(Clone)]
pub(super) struct Scope {
    /// The frame around it, whose steps may be read as well.
    pub(super) outer: Option<FrameId>,
    pub(super) inputs: Value,
    pub(super) vars: Value,
    pub(super) event: Value,
    pub(super) item: Option<(usize, Value)>,
    pub(super) round: Option<(u32, Value)>,
    pub(super) bounds: BoundsId,
}

impl<'w> Frame<'w> {
    pub(super) fn new(owner: UnitId, steps: &'w [Step], scope: Scope) -> Self {
        let mut waiting = vec![Vec::new(); steps.len()];
        for (index, step) in steps.iter().enumerate() {
            step.needs.iter().for_each(|need| waiting[*need].push(index));
        }
        Frame {
            owner,
            steps,
            units: Vec::new(),
            by_id: steps.iter().enumerate().map(|(index, step)| (step.id.as_str(), index)).collect(),
            waits: steps.iter().map(|step| step.needs.len()).collect(),
            waiting,
            open: steps.len(),
            failed: None,
            scope,
        }
    }
}

impl Unit<'_> {
    /// How it ended, if it has.
    pub(super) fn outcome(&self) -> Option<&Outcome> {
        match &self.phase {
            Phase::Ended(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Whether its failure stops what needs it.
    pub(super) fn allows_failure(&self) -> bool {
        self.step.is_some_and(|step| step.flow.allow_failure)
    }

    /// Whether it stands for all items of a step.
    pub(super) fn is_many(&self) -> bool {
        self.item.is_none() && self.step.is_some_and(|step| step.flow.for_each.is_some())
    }

    /// What it does.
    pub(super) fn kind(&self) -> &'static str {
        self.step.map_or("workflow", |step| step.action.kind())
    }

    /// Its name, for whoever watches.
    pub(super) fn name(&self) -> String {
        self.path.as_ref().map(ToString::to_string).unwrap_or_default()
    }
}
