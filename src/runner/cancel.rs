//! A run is ended that nobody drives. What it did stays as it is; but a copy comes back as a whole or not at all, so that what
//! had come back of one in part goes again, and that is told.

use super::{
    commit::wait_for_left,
    delegation::{Driving, conclude, site, spec_of, watch},
    landing::{Landing, TakenBack, name_of_attempt},
    recorder::{Book, Recorder, Unrecorded, When},
    step::{Left, Site, as_it_ended, take_back},
    work::Moment,
};
use crate::{
    base::{id::RunId, path::named},
    model::run::{Failure, FailureKind, Run, RunStatus, Stage, Step, StepStatus},
    ops::{Error, Session},
};

/// Ends a run that nobody drives. What there is to say of copies that were on their way back is kept with it.
///
/// # Errors
/// When somebody drives it, or it can't be read or written.
pub fn cancel(session: &Session, id: &RunId, tell: &dyn Fn(String)) -> Result<(), Error> {
    wait_for_left(session, id, &watch()?, tell)?;
    session.cancel_run(id, |run, steps| {
        let open = steps.iter().filter(|step| !step.status.is_final());
        let said: Vec<String> =
            open.filter_map(|step| settle(session, run, step).transpose()).collect::<Result<_, _>>()?;
        Ok((!said.is_empty()).then(|| said.join("\n")))
    })
}

/// Ends a delegation that nobody drives, and takes back what its driver had begun; what is committed by then is done, and it
/// has ended by that. Tells what is left, since others hold it or it can't be written.
///
/// # Errors
/// When somebody drives it, or it can't be read or written.
pub fn cancel_delegation(
    session: &Session,
    id: &RunId,
    driving: &Driving,
    tell: &dyn Fn(Moment),
) -> Result<Option<String>, Error> {
    let delegation = spec_of(session, id)?;
    let (work, interrupts) = (delegation.work(session)?, watch()?);
    wait_for_left(session, id, &interrupts, |words| tell(Moment::Said(words)))?;
    let (root, ledger) = (session.root()?, session.ledger_file()?);
    let (recorder, recording, _, mut steps) =
        Recorder::start(&root, driving.acting_as.clone(), Book::Known(id.clone()))?;
    let site = site(&delegation, driving, root, recorder, interrupts, ledger);
    let known = steps.pop();
    let left = match known.as_ref().map(|known| (known, as_it_ended(&site, &work, known))) {
        None => Ok(Left::Nothing),
        Some((_, Some(done))) => Ok(Left::Done(Box::new(done))),
        Some((known, None)) => take_back(&site, &work, known, tell),
    };
    let concluded = match &left {
        Ok(Left::Done(done)) => conclude(&site, session, done),
        _ => cancelled(&site, session, known),
    };
    drop(site);
    drop(recording);
    concluded?;
    Ok(left.err().map(|failure| failure.text))
}

/// Records that it was cancelled.
fn cancelled(site: &Site, session: &Session, known: Option<Step>) -> Result<(), Unrecorded> {
    let now = session.now();
    if let Some(mut step) = known {
        let text = "the run was cancelled".to_owned();
        (step.status, step.ended) = (StepStatus::Failed, Some(now));
        step.failure = Some(Failure { kind: FailureKind::Reported, text });
        site.recorder.outline(step, "cancelled", When::WithNext)?;
    }
    site.recorder.change(move |run| (run.status, run.ended) = (RunStatus::Failed, Some(now)), "cancelled")
}

/// Settles what was on its way back from the copy that a step worked on when its driver was gone: all of it stays, a part
/// goes again. What became of it, where anything had come.
fn settle(session: &Session, run: &Run, step: &Step) -> Result<Option<String>, Error> {
    let name = match step.attempts.last() {
        Some(attempt) if attempt.stage == Stage::Settled => return Ok(None),
        Some(attempt) => name_of_attempt(&step.path, attempt.number),
        None => step.path.to_string(),
    };
    let Some((landing, _)) = Landing::known(session, &run.id, &name)? else { return Ok(None) };
    let (here, others) = landing.here(session)?;
    let became = match others.as_slice() {
        _ if here.is_empty() => return Ok(None),
        [] => format!("all of it is here: {}", named(&here)),
        _ => {
            let free = session.held_by_none_but(run, &here)?;
            let left = landing.unland(session, &free);
            let put_back = TakenBack::of(here, &free, left);
            let rest = put_back.rest().map(|rest| format!("; {rest}")).unwrap_or_default();
            format!("what was here of it is put back: {}{rest}", named(&put_back.gone))
        }
    };
    Ok(Some(format!("{}: its driver was gone while its copy came back, and {became}", step.path)))
}
