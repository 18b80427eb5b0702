//! Going on with a run that another clone began: what of it somebody here has to have seen, and the files that its steps have
//! changed over there.

use super::{
    Library,
    half_landed::with_files_held,
    texts::{Kept, Texts, kept},
};
use crate::{
    base::{
        id::{RunId, StepPath},
        oid::Oid,
        path::RepoPath,
        text,
    },
    model::run::Step,
    ops::{Error, Private, Session},
    runner::{
        dispatch::Recorded,
        journal::{self, Heard},
        landed, landing,
        recorder::{Recorder, When},
        step::Holding,
    },
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How many takings-over this clone has brought the files here for, among what is kept of a run.
const BROUGHT: &str = "spec/brought";

/// How the record tells of a taking-over.
const TAKEN: &str = "taken over from the clone ";

/// What a run would do here that another clone has begun, in lines for a person: its workflows, in full where they are not
/// what they are here, and whatever these read of what was said over there, any of which may be a command. Nothing of it is
/// cut.
///
/// # Errors
/// When what it was asked for is not here, and when it isn't known what a step came to that has ended.
pub fn shown_to_person(session: &Session, id: &RunId, library: &dyn Library) -> Result<String, Error> {
    let Kept { order, texts, .. } = kept(session, id)?;
    let shown = session.shown_run(id)?;
    let mut out = texts_shown(&texts, library);
    out += &format!("it runs {}", told("", &order.name.clone().into()));
    for (name, value) in &order.inputs {
        out += &format!("  {} ={}", whole_line(name), told("    ", value));
    }
    if let Some((event, details)) = &order.event {
        out += &format!("for the event{}", told("  ", &event.clone().into()));
        out += &details.iter().map(|details| format!("  details ={}", told("    ", details))).collect::<String>();
    }
    if order.consents {
        out += "and is checked by what the project here seems to be checked by\n";
    }
    for Heard { step, what, value } in journal::heard(session, id, &shown.steps)? {
        if !is_nothing(&value) {
            out += &format!("  {step} {what}{}", told("    ", &value));
        }
    }
    let (landing, landed) = (landing::all(session, id)?, landed::all(session, id)?);
    let attempts = shown.steps.iter().flat_map(|step| &step.attempts);
    let of_blocks = landing.iter().flat_map(|noted| &noted.files).chain(landed.iter().flat_map(|landed| &landed.files));
    let files: BTreeSet<&RepoPath> = attempts.flat_map(|attempt| &attempt.files).chain(of_blocks).collect();
    if !files.is_empty() {
        let files: Vec<String> = files.into_iter().map(ToString::to_string).collect();
        out += &format!("it brings these files here, see `git aio run diff {id}`:{}", told("  ", &files.into()));
    }
    Ok(out)
}

/// The texts of workflows, with all that they include, where anything of these is not what is approved here.
fn texts_shown(texts: &Texts, library: &dyn Library) -> String {
    let mut out = String::new();
    for (name, (file, text)) in &texts.workflows {
        let is_ours = library.workflow(name).ok().flatten().is_some_and(|(_, ours)| ours == *text);
        let includes = || texts.includes.get(name).into_iter().flatten();
        // What a workflow includes is approved with it, and not by itself.
        if is_ours && includes().all(|(path, text)| library.include(name, path).ok().as_ref() == Some(text)) {
            out += &format!("the workflow {}, as it is here\n", whole_line(name));
            continue;
        }
        out += &format!("{}, which is not what is approved here:{}", whole_line(file), indented("  ", text));
        for (path, text) in includes() {
            out += &format!("{}, which it includes:{}", whole_line(path), indented("  ", text));
        }
    }
    out
}

/// A value: a text that is one line after what stands before it, anything else below that.
fn told(indent: &str, value: &Value) -> String {
    match value {
        Value::String(text) if !text.contains('\n') => format!(" {}\n", whole_line(text)),
        Value::String(text) => indented(indent, text),
        value => indented(indent, &serde_json::to_string_pretty(value).unwrap_or_default()),
    }
}

/// A text below what stands before it. None of its lines looks like one of ours.
fn indented(indent: &str, text: &str) -> String {
    let lines = text::block(text, usize::MAX);
    lines.lines().fold("\n".to_owned(), |out, line| out + indent + "| " + line + "\n")
}

fn whole_line(text: &str) -> String {
    text::one_line(text, usize::MAX)
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        _ => false,
    }
}

/// Brings here what the steps of a run have changed in the clone that it was taken over from, unless that was done. To
/// do it again changes nothing. `blocks` are those that have worked on a copy, and `holding` holds what its steps write,
/// where the run says that.
///
/// # Errors
/// [`Error::Held`] when somebody else holds one of them, and when one of them is another here.
pub(super) fn bring_over(
    session: &Session,
    recorder: &Recorder,
    blocks: &BTreeSet<StepPath>,
    recorded: &Recorded,
    steps: &[Step],
    holding: Option<&Holding>,
) -> Result<(), Error> {
    let id = recorder.run();
    let times = session.run_events(id)?.iter().filter(|event| event.subject.starts_with(TAKEN)).count();
    let before = session.kept_of_run(id, BROUGHT)?.and_then(|text| String::from_utf8(text).ok()?.parse().ok());
    if times <= before.unwrap_or(0) {
        return Ok(());
    }
    let changed = ends(pieces(session, id, blocks, recorded, steps)?);
    let files: Vec<RepoPath> = changed.values().flatten().cloned().collect();
    with_files_held(session, id, holding, &files, "brings its files here", || write(session, changed))?;
    let brought = vec![(BROUGHT.to_owned(), Private::Bytes(times.to_string().into_bytes()))];
    Ok(recorder.keep(brought, "the files are here", When::Now)?)
}

/// Writes what was changed over there, which nobody else may be writing.
fn write(session: &Session, changed: BTreeMap<(Oid, Oid), Vec<RepoPath>>) -> Result<(), Error> {
    for ((before, after), files) in changed {
        let (before, after) = (session.capture_from_tree(&before)?, session.capture_from_tree(&after)?);
        let left = session.restore(&after, &before, &files)?.left;
        if let Some((path, why)) = left.first() {
            return Err(Error::NotAllowed {
                message: format!("what the run has changed in the other clone can't be brought here: {path}: {why}"),
                hint: Some("have these files as they were when the run began, and resume it again".into()),
            });
        }
    }
    Ok(())
}

/// What files were like before something was done, and what they are like by that.
type Piece = (Oid, Oid, Vec<RepoPath>);

/// What has been done, one after the other: by the usable attempts of steps, and by blocks that worked on a copy, each time
/// that it came back. What became of the copy is what counts of the steps inside of these; those that were undone since were
/// undone here.
fn pieces(
    session: &Session,
    run: &RunId,
    blocks: &BTreeSet<StepPath>,
    recorded: &Recorded,
    steps: &[Step],
) -> Result<Vec<Piece>, Error> {
    let order = |step: &Step| recorded.ended.get(&step.path).map_or(0, |outcome| outcome.order);
    let mut ended: Vec<&Step> = steps.iter().filter(|step| recorded.ended.contains_key(&step.path)).collect();
    ended.sort_by_key(|step| order(step));
    let is_undone = |step: &Step| recorded.undone.get(&step.path).is_some_and(Option::is_none);
    let come_back = |block: &StepPath| recorded.ended.get(block).filter(|outcome| outcome.is_ok());
    let (mut done, mut undone) = (Vec::new(), Vec::new());
    for landed in landed::all(session, run)? {
        let trees = landed.trees(session, run)?;
        done.extend(trees.map(|(before, after)| (landed.order, (before, after, landed.files))));
    }
    for step in ended {
        if blocks.contains(&step.path) {
            let trees = landing::trees(session, run, step.path.as_str())?;
            let landed = trees.zip(come_back(&step.path));
            done.extend(landed.map(|((before, after), outcome)| (order(step), (before, after, outcome.files.clone()))));
            continue;
        }
        match (blocks.iter().find(|block| step.path.is_inside(block)), is_undone(step)) {
            (None, false) => done.extend(of_attempts(step).map(|piece| (order(step), piece))),
            (Some(block), true) if come_back(block).is_some() => {
                undone.extend(of_attempts(step).map(|(before, after, files)| (after, before, files)));
            }
            _ => {}
        }
    }
    done.sort_by_key(|(order, _)| *order);
    // The last was undone first.
    Ok(done.into_iter().map(|(_, piece)| piece).chain(undone.into_iter().rev()).collect())
}

fn of_attempts(step: &Step) -> impl DoubleEndedIterator<Item = Piece> {
    let usable = step.attempts.iter().filter(|attempt| attempt.failure.is_none());
    usable.filter_map(|attempt| Some((attempt.before.clone()?, attempt.after.clone()?, attempt.files.clone())))
}

/// The files that have changed, by what they were like before the first and after the last of these.
fn ends(pieces: Vec<Piece>) -> BTreeMap<(Oid, Oid), Vec<RepoPath>> {
    let mut ends: BTreeMap<RepoPath, (Oid, Oid)> = BTreeMap::new();
    for (before, after, files) in pieces {
        for file in files {
            ends.entry(file)
                .and_modify(|known| known.1.clone_from(&after))
                .or_insert_with(|| (before.clone(), after.clone()));
        }
    }
    let mut changed: BTreeMap<(Oid, Oid), Vec<RepoPath>> = BTreeMap::new();
    for (file, ends) in ends {
        changed.entry(ends).or_default().push(file);
    }
    changed
}
