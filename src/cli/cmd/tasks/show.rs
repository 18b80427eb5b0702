//! A task, told whole.

use super::MAX_SHOWN;
use crate::{
    base::{id::TaskId, text},
    cli::{
        cmd::Context,
        exit::Exit,
        format,
        json::{Handoff, QueuedTask, TaskShownAnswer},
    },
    ops::{
        Session,
        task::{Stand, Told},
    },
};
use std::io::{self, Write};

/// Show a task: all that is said of it, who is at it, what it needs, and what came of it
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// The task; of a random id the beginning is enough
    pub(crate) id: String,
}

impl Show {
    pub(crate) fn run(self, cx: &Context, session: &Session) -> anyhow::Result<Exit> {
        let told = session.told_task(&self.id);
        cx.tell_notices(session);
        let told = told?;
        cx.ui.answer(
            || TaskShownAnswer::new(QueuedTask::new(&told.task), told.handoff.as_ref().map(Handoff::shown)),
            |out| tell(out, session, &told),
        )?;
        Ok(Exit::Done)
    }
}

/// What somebody wrote is set in, so that no line of it is read as one of ours.
fn tell(out: &mut dyn Write, session: &Session, told: &Told) -> io::Result<()> {
    let Told { task, left, handoff } = told;
    let now = session.now();
    writeln!(out, "{}", format::task(task, now))?;
    if task.short_id != task.id.as_str() {
        writeln!(out, "id       {}", format::target(task.id.as_str()))?;
    }
    if let (Some(by), Some(at)) = (&task.by, task.at) {
        let run = task.run.as_ref().map(|run| format!(", in {run}")).unwrap_or_default();
        writeln!(out, "made     by {by}, {}{run}", format::ago(at, now))?;
    }
    for path in &task.paths {
        writeln!(out, "changes  {}", format::target(&path.to_string()))?;
    }
    for need in &task.needs {
        writeln!(out, "needs    {}", needed(need, left))?;
    }
    if let Stand::Held(seen) = &task.stand {
        writeln!(out, "claim    {}", format::seen(seen, now))?;
    }
    if let Some(handoff) = handoff {
        writeln!(out, "handoff  {}", format::handoff(&handoff.handoff, now))?;
    }
    if !task.text.is_empty() {
        writeln!(out, "text\n{}", set_in(&task.text))?;
    }
    match &task.stand {
        Stand::Done(done) => match &done.result {
            Some(result) => writeln!(out, "result\n{}", set_in(result)),
            None => writeln!(out, "result   none was told"),
        },
        _ => Ok(()),
    }
}

fn needed(need: &TaskId, left: &[TaskId]) -> String {
    let stands = if left.contains(need) { "not done" } else { "done" };
    format!("{}, {stands}", format::target(need.as_str()))
}

fn set_in(words: &str) -> String {
    let words = text::block(words.trim_end(), MAX_SHOWN);
    words.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
