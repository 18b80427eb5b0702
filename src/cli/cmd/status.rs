use super::Context;
use crate::{
    base::world::Time,
    cli::{
        exit::Exit,
        format,
        json::{Claim, Damage, Handoff, Hub, Instance, StatusAnswer, TaskCounts},
        ui::{BOLD, DIM, ODD},
    },
    model::claim::Holder,
    ops::{Session, check::Seen, status::Status, sync::HubState, task::Overview},
};
use std::io::{self, Write};

/// Show who is here, what they hold, and what waits
///
/// Where a hub is named, it also shows what the hub has not been sent, when it was last in step, and why the last sync
/// failed if it did. A claim that the hub has not confirmed is tentative; one that another clone was granted first is
/// lost.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        let status = session.status()?;
        cx.tell_notices(&session);
        cx.ui.answer(|| json(&status), |out| human(out, &session, &status))?;
        cx.warn_of_damage(&status.damaged);
        Ok(Exit::Done)
    }
}

fn json(status: &Status) -> StatusAnswer {
    StatusAnswer::new(
        status.me.as_ref().map(ToString::to_string),
        status.project.clone(),
        status.instances.iter().map(Instance::new).collect(),
        status.claims.iter().map(Claim::seen).collect(),
        status.handoffs.iter().map(Handoff::new).collect(),
        status.lost.iter().map(Claim::lost).collect(),
        status.damaged.iter().map(|d| Damage { path: d.path.clone(), reason: d.reason.clone() }).collect(),
        status.hub.as_ref().map(Hub::new),
        TaskCounts::new(&status.tasks),
    )
}

fn human(out: &mut dyn Write, session: &Session, status: &Status) -> io::Result<()> {
    let now = session.now();
    if !status.exists {
        return writeln!(out, "{}: nothing is coordinated here yet; begin with `git aio init`", status.project);
    }
    let operations = format::count(usize::try_from(status.seq).unwrap_or(usize::MAX), "operation");
    writeln!(out, "{BOLD}{}{BOLD:#} {DIM}after {operations}{DIM:#}", status.project)?;
    if let Some(state) = &status.hub {
        hub(out, state, now)?;
    }
    for known in &status.instances {
        let me = if status.me.as_ref() == Some(&known.instance.id) { " (you)" } else { "" };
        writeln!(out, "\n{}{me}", format::instance(known, now))?;
        let mine = |seen: &&Seen| seen.claim.is_held_by(&known.instance.id);
        claims(out, status.claims.iter().filter(mine), now)?;
        let lost = status.lost_to_others.iter().filter(|(loser, _)| *loser == known.instance.id);
        lost.into_iter().try_for_each(|(_, ended)| writeln!(out, "  {}", format::lost_to_other(ended, now)))?;
    }
    if status.instances.is_empty() {
        writeln!(out, "\nnobody is registered")?;
    }
    for handoff in &status.handoffs {
        writeln!(out, "\n{}", format::handoff(handoff, now))?;
        let held = |seen: &&Seen| matches!(&seen.claim.holder, Holder::Handoff(id) if *id == handoff.id);
        claims(out, status.claims.iter().filter(held), now)?;
    }
    tasks(out, &status.tasks, now)?;
    let orphans: Vec<&Seen> = status.claims.iter().filter(|seen| is_orphan(seen, status)).collect();
    if !orphans.is_empty() {
        writeln!(out, "\n{ODD}claims of holders who are gone{ODD:#}")?;
        claims(out, orphans.into_iter(), now)?;
    }
    Ok(())
}

/// What is known of the hub: `hub origin: 2 operations pending, last synced 10s ago`.
fn hub(out: &mut dyn Write, state: &HubState, now: Time) -> io::Result<()> {
    let pending = match state.pending {
        0 => "nothing pending".to_owned(),
        pending => format!("{} pending", format::count(pending as usize, "operation")),
    };
    let synced = match state.synced {
        Some(synced) => format!("last synced {}", format::ago(synced, now)),
        None => "never synced".to_owned(),
    };
    writeln!(out, "hub {}: {pending}, {synced}", format::target(&state.remote))?;
    let Some((at, reason)) = &state.failure else { return Ok(()) };
    writeln!(out, "  {ODD}the last sync failed {}{ODD:#}: {}", format::ago(*at, now), format::target(reason))
}

fn claims<'a>(out: &mut dyn Write, mut claims: impl Iterator<Item = &'a Seen>, now: Time) -> io::Result<()> {
    claims.try_for_each(|seen| writeln!(out, "  {}", format::claim(seen, now)))
}

/// How many tasks there are, and who is at which.
fn tasks(out: &mut dyn Write, tasks: &Overview, now: Time) -> io::Result<()> {
    let Overview { waiting, ready, held } = tasks;
    let all = waiting + ready + held.len();
    if all == 0 {
        return Ok(());
    }
    writeln!(out, "\n{} to be done, {ready} ready", format::count(all, "task"))?;
    held.iter().try_for_each(|task| writeln!(out, "  {}", format::task(task, now)))
}

/// Whether nobody who is listed holds the claim.
fn is_orphan(seen: &Seen, status: &Status) -> bool {
    match &seen.claim.holder {
        Holder::Instance(id) => status.instances.iter().all(|known| known.instance.id != *id),
        Holder::Handoff(id) => status.handoffs.iter().all(|handoff| handoff.id != *id),
    }
}
