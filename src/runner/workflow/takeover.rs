//! Going on with a run that another clone began: what of it somebody here has to have seen, and the files that its steps have
//! changed over there.

use super::{Library, texts::kept};
use crate::{
    base::{id::RunId, oid::Oid, path::RepoPath, text},
    model::run::Step,
    ops::{Error, Private, Session},
    runner::{
        dispatch::Recorded,
        recorder::{Recorder, When},
    },
};
use std::collections::BTreeMap;

/// How many takings-over this clone has brought the files here for, among what is kept of a run.
const BROUGHT: &str = "spec/brought";

/// How the record tells of a taking-over.
const TAKEN: &str = "taken over from the clone ";

/// Most bytes of a text that is shown, and of an input.
const MAX_SHOWN: usize = 100 * 1024;
const MAX_INPUT: usize = 400;

/// What a run would do here that another clone has begun, in lines for a person: its workflows, in full where they are not
/// what they are here, and its inputs, which may be commands.
///
/// # Errors
/// When what it was asked for is not here.
pub fn shown_to_person(session: &Session, id: &RunId, library: &dyn Library) -> Result<String, Error> {
    let kept = kept(session, id)?;
    let mut out = String::new();
    for (name, (file, text)) in &kept.texts.workflows {
        let is_ours = library.workflow(name).ok().flatten().is_some_and(|(_, ours)| ours == *text);
        let includes = kept.texts.includes.get(name).into_iter().flatten();
        let differing: Vec<_> =
            includes.filter(|(path, text)| library.include(name, path).ok().as_ref() != Some(text)).collect();
        match is_ours && differing.is_empty() {
            true => out += &format!("the workflow {}, as it is here\n", text::one_line(name, 60)),
            false => {
                out += &format!("{}, which is not what is approved here:\n", text::one_line(file, 200));
                out += &format!("{}\n", text::block(text::head(text, MAX_SHOWN), MAX_SHOWN));
                for (path, text) in differing {
                    out += &format!("{}:\n{}\n", text::one_line(path, 200), text::block(text, MAX_SHOWN));
                }
            }
        }
    }
    for (name, value) in &kept.order.inputs {
        out += &format!("  {} = {}\n", text::one_line(name, 60), text::one_line(&value.to_string(), MAX_INPUT));
    }
    Ok(out)
}

/// Brings here what the steps of a run have changed in the clone that it was taken over from, unless that was done. To
/// do it again changes nothing.
///
/// # Errors
/// When one of them is another here.
pub(super) fn bring_over(
    session: &Session,
    recorder: &Recorder,
    recorded: &Recorded,
    steps: &[Step],
) -> Result<(), Error> {
    let id = recorder.run();
    let times = session.run_events(id)?.iter().filter(|event| event.subject.starts_with(TAKEN)).count();
    let before = session.kept_of_run(id, BROUGHT)?.and_then(|text| String::from_utf8(text).ok()?.parse().ok());
    if times <= before.unwrap_or(0) {
        return Ok(());
    }
    for ((before, after), files) in changed(recorded, steps) {
        let (before, after) = (session.capture_from_tree(&before)?, session.capture_from_tree(&after)?);
        let left = session.restore(&after, &before, &files)?.left;
        if let Some((path, why)) = left.first() {
            return Err(Error::NotAllowed {
                message: format!("what the run has changed in the other clone can't be brought here: {path}: {why}"),
                hint: Some("have these files as they were when the run began, and resume it again".into()),
            });
        }
    }
    let brought = vec![(BROUGHT.to_owned(), Private::Bytes(times.to_string().into_bytes()))];
    Ok(recorder.keep(brought, "the files are here", When::Now)?)
}

/// The files that usable attempts have changed, by what they were like before the first and after the last of these.
fn changed(recorded: &Recorded, steps: &[Step]) -> BTreeMap<(Oid, Oid), Vec<RepoPath>> {
    let is_undone = |step: &Step| recorded.undone.get(&step.path).is_some_and(Option::is_none);
    let mut ended: Vec<(u64, &Step)> = steps
        .iter()
        .filter(|step| !is_undone(step))
        .filter_map(|step| Some((recorded.ended.get(&step.path)?.order, step)))
        .collect();
    ended.sort_by_key(|(order, _)| *order);
    let usable = ended.iter().flat_map(|(_, step)| &step.attempts).filter(|attempt| attempt.failure.is_none());
    let mut ends: BTreeMap<&RepoPath, (&Oid, &Oid)> = BTreeMap::new();
    for attempt in usable {
        let (Some(before), Some(after)) = (&attempt.before, &attempt.after) else { continue };
        for file in &attempt.files {
            ends.entry(file).and_modify(|known| known.1 = after).or_insert((before, after));
        }
    }
    let mut changed: BTreeMap<(Oid, Oid), Vec<RepoPath>> = BTreeMap::new();
    for (file, (before, after)) in ends {
        changed.entry((before.clone(), after.clone())).or_default().push(file.clone());
    }
    changed
}
