use super::{
    Context, duration,
    emit::{Starting, handle, handlers, handlers_or_withheld, withheld},
};
use crate::{
    base::{path::RepoPath, text, world::Time},
    cli::{exit::Exit, format},
    model::echo::Echo,
    ops::{Error, Session, verify::Interrupts, watch_files::Changes},
    runner::{delegation::Driving, handlers::Handlers},
};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::{collections::BTreeMap, ffi::OsString, time::Duration};

/// Tell of files that change, so that the workflows that handle that are started
///
/// As long as it runs, what changes in this work tree is told as the event file_changed, as `git aio emit` would: once
/// nothing has changed any more for a moment, and all of it together. The details are `count`, the `paths` (1000 at most),
/// and `incomplete` where the system could not keep up. What changes while that is handled is told after it. What git
/// ignores is no change, nor is what runs have changed themselves. Where no workflow handles that any more, since one has
/// changed and is to be enabled again, that is told, and it goes on; so it is where the configuration can't be read. Ctrl-C ends it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file, a folder or a pattern to tell of; may be repeated [default: all]
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<OsString>,
    /// How long nothing may change before it is told
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "500ms")]
    debounce: Duration,
    /// How long a run and its steps wait for what somebody else holds [default: 30m for a step]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    wait: Option<Duration>,
    /// Print what happens as lines of JSON
    #[arg(long, conflicts_with = "json")]
    jsonl: bool,
}

/// The event.
const EVENT: &str = "file_changed";

/// Most paths that are told, and most bytes of them.
const MOST_PATHS: usize = 1000;
const MOST_BYTES: usize = 64 * 1024;

/// Most paths that are named in a line.
const NAMED: usize = 3;

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        cx.refuse_json("a watch has no end")?;
        let session = cx.session()?;
        session.may_emit()?;
        handlers(&session, EVENT)?;
        let interrupts = Interrupts::watch().context("can't watch for Ctrl-C")?;
        let watch = session.watch_files(&self.paths)?;
        cx.ui.say(format!("watching {}; Ctrl-C ends it", format::count(watch.folders(), "folder")));
        let driving = Driving { acting_as: cx.acting_as.clone(), wait: self.wait };
        let starting = Starting { driving, detach: false, lines: self.jsonl };
        let (mut echo, mut handled, mut kept_back) = (Echo::default(), None, BTreeMap::new());
        let mut lost = Lost::default();
        while let Some(changes) = watch.next(self.debounce, &interrupts)? {
            // What the repository and its user say may be another thing by now, and perhaps can't be read till that is mended.
            let (session, mut changes, handlers) = match look(cx, changes) {
                Ok(found) => found,
                Err(error) if is_of_nobody(&error) => return Err(error),
                Err(error) => {
                    cx.ui.warn(text::block(&format!("what has changed is not told: {error:#}"), 2000));
                    continue;
                }
            };
            if changes.paths.is_empty() && !changes.is_incomplete {
                continue;
            }
            if echo.hears(is_within(&changes, handled)) {
                cx.ui.warn(format!(
                    "{}: nothing else changes than while a change is handled, and so this is kept back till something does. Give the step that changes it a scope",
                    named(&changes)
                ));
                kept_back.append(&mut changes.paths);
                continue;
            }
            lost.tell(cx, withheld(&handlers));
            if handlers.enabled.is_empty() {
                // One of them may be enabled again.
                continue;
            }
            changes.paths.append(&mut kept_back);
            if changes.is_incomplete {
                cx.ui.warn("more has changed than the system could tell of");
            }
            if let Some(why) = &changes.unsorted {
                let why = text::one_line(why, 500);
                cx.ui.warn(format!("git can't tell what it ignores, and so that is told as well: {why}"));
            }
            cx.ui.say(format!("{EVENT}: {}", named(&changes)));
            let began = session.now();
            let details = Some(details(&changes));
            match handle(cx, &session, &handlers.enabled, (EVENT, details), &starting) {
                Ok(Exit::Interrupted) => return Ok(Exit::Interrupted),
                Ok(_) => {}
                // The next change may fare better.
                Err(error) => cx.ui.warn(text::block(&format!("{error:#}"), 2000)),
            }
            handled = Some((began, session.now()));
        }
        Ok(Exit::Interrupted)
    }
}

/// What has changed that is nobody's, and who is told of it.
fn look(cx: &Context, changes: Changes) -> anyhow::Result<(Session, Changes, Handlers)> {
    let session = cx.session()?;
    let changes = session.without_runs(changes)?;
    let handlers = handlers_or_withheld(&session, EVENT)?;
    Ok((session, changes, handlers))
}

/// Whether there is nobody any more who could be told.
fn is_of_nobody(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<Error>(), Some(Error::NotFound { .. }))
}

/// What was told last of workflows that nothing starts any more.
#[derive(Default)]
struct Lost(Vec<String>);

impl Lost {
    /// Tells of those of which that was not told already.
    fn tell(&mut self, cx: &Context, now: impl Iterator<Item = String>) {
        let now: Vec<String> = now.collect();
        now.iter().filter(|words| !self.0.contains(words)).for_each(|words| cx.ui.warn(text::block(words, 2000)));
        self.0 = now;
    }
}

/// Whether all of it has changed while the last was handled.
fn is_within(changes: &Changes, handled: Option<(Time, Time)>) -> bool {
    handled.is_some_and(|(began, ended)| changes.paths.values().all(|seen| began <= seen.first && seen.last <= ended))
}

fn details(changes: &Changes) -> Value {
    let mut bytes = 0;
    let paths = changes.paths.keys().map(RepoPath::plain).take(MOST_PATHS).take_while(|path| {
        bytes += path.len();
        bytes <= MOST_BYTES
    });
    let mut details = json!({ "count": changes.paths.len(), "paths": paths.collect::<Vec<_>>() });
    if let (true, Some(fields)) = (changes.is_incomplete, details.as_object_mut()) {
        fields.insert("incomplete".into(), true.into());
    }
    details
}

fn named(Changes { paths, .. }: &Changes) -> String {
    let first: Vec<String> = paths.keys().take(NAMED).map(|path| text::one_line(&path.to_string(), 200)).collect();
    match paths.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{}, and {more} more", first.join(", ")),
    }
}
