//! What is done before the first step of a run: its scope is claimed, and what is known of it is made ready to go on from.

use super::{How, Ready, WorkflowError, half_landed::land_begun, keep_updated, takeover};
use crate::{
    base::id::StepPath,
    model::run::{Failure, FailureKind, Run, RunStatus, Stage, Step},
    ops::{Error, Session, verify::Interrupts},
    runner::{
        crew::{Ask, Crew, folder_of},
        delegation::Driving,
        dispatch::{Event, Given, Recorded},
        journal::{self, RunJournal},
        landing,
        language::engine::value_of,
        recorder::Recorder,
        step::{Holding, Site},
    },
};
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// How often it is tried again to claim what somebody else holds.
const AGAIN: Duration = Duration::from_millis(250);

/// A run that is recorded as driven from here, and of which nothing is done yet.
pub(super) struct Opened {
    pub root: PathBuf,
    pub recorder: Recorder,
    pub interrupts: Arc<Interrupts>,
    pub run: Run,
    pub steps: Vec<Step>,
    pub is_new: bool,
}

/// What the steps of a run are done with.
pub(super) struct Prepared {
    pub crew: Crew,
    pub journal: RunJournal,
    pub given: Given,
    /// The file of the ledger, where the repository wants one.
    pub file: Option<String>,
}

/// Makes a run ready for its first step.
#[expect(clippy::too_many_arguments, reason = "what a run needs from outside, each of its own kind")]
pub(super) fn prepare(
    session: &Session,
    ready: &Ready,
    order: super::Order,
    opened: Opened,
    how: &How,
    driving: &Driving,
    ask: Box<Ask>,
    began: &dyn Fn(&Run),
    tell: &mut dyn FnMut(&Event),
) -> Result<Prepared, WorkflowError> {
    let Opened { root, recorder, interrupts, run, mut steps, is_new } = opened;
    let id = run.id.clone();
    let names = value_of(&serde_json::json!({ "inputs": order.inputs, "vars": ready.workflow.vars }));
    let cap = ready.workflow.scope.fill(&ready.engine, &names).map_err(WorkflowError::Inputs)?;
    began(&run);
    let holding = hold(session, &recorder, &run, &cap, (order.wait.unwrap_or_default(), &interrupts), tell)?;
    let mut recorded = journal::recorded(session, &id, &steps)?;
    // By what was written down: its workflow may say something else by now.
    let blocks = landing::blocks(session, &id)?;
    if !is_new {
        // What comes back from a copy began with what was done over there before.
        takeover::bring_over(session, &recorder, &blocks, &recorded, &steps, holding.as_deref())?;
        land_begun(session, &recorder, &blocks, &mut recorded, &steps, holding.as_deref())?;
    }
    if let Some(path) = &how.resumption.rerun {
        recorded.forget(path);
    }
    if !is_new {
        begin_copies_anew(&blocks, &mut recorded, &mut steps);
    }
    if how.resumption.updated {
        recorded.forget_undone();
    }
    if how.resumption.rerun.is_some() || how.resumption.updated {
        journal::forget(&recorder, &steps, &recorded).map_err(Error::from)?;
    }
    if how.resumption.updated {
        keep_updated(&recorder, &mut recorded, &order, &ready.texts)?;
    }
    let file = session.ledger_file()?;
    let site = Site {
        root,
        acting_as: driving.acting_as.clone(),
        recorder: recorder.clone(),
        consents: order.consents,
        patience: order.wait.unwrap_or(super::PATIENCE),
        interrupts,
        keepers: Arc::default(),
        waits: Arc::default(),
        ledger: file.clone(),
        holding,
    };
    let journal = RunJournal::new(recorder, &steps);
    let crew = Crew::at(site, session, steps, &recorded, ready.plan.has_effects, ask)?.within(cap);
    let given = Given {
        id: id.clone(),
        dir: folder_of(session, &id),
        engine: Arc::clone(&ready.engine),
        inputs: order.inputs,
        event: order.event,
        isolation: ready.plan.isolation.clone(),
        max_parallel: order.max_parallel,
        recorded,
        is_updated: how.is_updated,
        is_cancelled: how.resumption.cancel,
    };
    Ok(Prepared { crew, journal, given, file })
}

/// Has the run hold what its workflow may write, where that says so, and writes down by whom. What somebody else holds is
/// waited for, as long as `patience` says.
fn hold(
    session: &Session,
    recorder: &Recorder,
    run: &Run,
    cap: &[String],
    (patience, interrupts): (Duration, &Interrupts),
    tell: &mut dyn FnMut(&Event),
) -> Result<Option<Arc<Holding>>, Error> {
    if cap.is_empty() {
        return Ok(None);
    }
    let (scope, asked, mut told) = (session.scopes(cap)?, Instant::now(), String::new());
    let holder = loop {
        match session.hold_for_run(run, &scope) {
            Err(held @ Error::Held(_)) if asked.elapsed() < patience && interrupts.count() == 0 => {
                let words = held.to_string();
                if words != told {
                    tell(&Event::Blocked { step: String::new(), holders: vec![words.clone()] });
                    let why = format!("it waits for its scope: {words}");
                    recorder.change(|run| run.why = Some(why), "it waits for its scope")?;
                    told = words;
                }
                thread::sleep(AGAIN.min(patience.saturating_sub(asked.elapsed())));
            }
            held => break held?,
        }
    };
    if run.holder.as_ref() != Some(&holder.id) || !told.is_empty() {
        let id = holder.id.clone();
        let named = recorder.change(move |run| (run.holder, run.why) = (Some(id), None), "its scope is claimed");
        if let Err(error) = named {
            // Nobody would find it again.
            let _ = session.dismiss(&holder.id);
            return Err(error.into());
        }
    }
    Ok(Some(Arc::new(Holding::of(holder))))
}

/// Writes down that a run can't begin, or not go on now, and why. One that never began holds nothing any more; one that can
/// be gone on with holds on. Where none of its steps has begun, that somebody holds its scope is the same as at its start.
pub(super) fn refused(
    session: &Session,
    recorder: &Recorder,
    is_unbegun: bool,
    is_stopped: bool,
    error: WorkflowError,
) -> WorkflowError {
    let has_no_step = || session.shown_run(recorder.run()).is_ok_and(|shown| shown.steps.is_empty());
    let status = match &error {
        _ if is_stopped => RunStatus::Interrupted,
        WorkflowError::Other(Error::Held(_)) if is_unbegun || has_no_step() => RunStatus::Refused,
        _ if is_unbegun => RunStatus::Failed,
        _ => RunStatus::Interrupted,
    };
    let (ended, why) = (status.is_final().then(crate::ops::now), error.to_string());
    let change = move |run: &mut Run| (run.status, run.ended, run.why) = (status, ended, Some(why));
    let _ = recorder.change(change, format!("{status}: {error}"));
    if is_unbegun || status.is_unbegun() {
        let _ = session.release_run(recorder.run());
    }
    error
}

/// What was done on a copy that did not come back has gone with it, and is done anew.
fn begin_copies_anew(blocks: &BTreeSet<StepPath>, recorded: &mut Recorded, steps: &mut [Step]) {
    let blocks: Vec<StepPath> = blocks.intersection(&recorded.begun).cloned().collect();
    for block in blocks {
        recorded.forget_inside(&block);
        let inside = steps.iter_mut().filter(|step| step.path.is_inside(&block));
        for last in inside.filter_map(|step| step.attempts.last_mut()) {
            last.stage = Stage::Settled;
            let text = "its copy was gone before it came back".to_owned();
            last.failure.get_or_insert(Failure { kind: FailureKind::Lost, text });
        }
    }
}
