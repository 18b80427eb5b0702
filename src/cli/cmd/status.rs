use super::Context;
use crate::{
    cli::{
        exit::Exit,
        format,
        json::{Claim, Damage, Handoff, Instance, StatusAnswer},
        ui::{BOLD, DIM, ODD},
    },
    model::claim::Holder,
    ops::{Session, check::Seen, status::Status},
};
use std::io::{self, Write};

/// Show who is here, what they hold, and what waits
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        let status = session.status()?;
        cx.tell_notices(&session);
        cx.ui.answer(|| json(&status), |out| human(out, &session, &status))?;
        for damage in &status.damaged {
            let path = format::target(&damage.path);
            cx.ui.warn(format!("damaged record {path}: {}; see `git aio doctor`", format::target(&damage.reason)));
        }
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
        status.lost.iter().map(|ended| Claim::lost(&ended.claim)).collect(),
        status.damaged.iter().map(|d| Damage { path: d.path.clone(), reason: d.reason.clone() }).collect(),
        None,
    )
}

fn human(out: &mut dyn Write, session: &Session, status: &Status) -> io::Result<()> {
    let now = session.now();
    if !status.exists {
        return writeln!(out, "{}: nothing is coordinated here yet; begin with `git aio init`", status.project);
    }
    let operations = format::count(usize::try_from(status.seq).unwrap_or(usize::MAX), "operation");
    writeln!(out, "{BOLD}{}{BOLD:#} {DIM}after {operations}{DIM:#}", status.project)?;
    for known in &status.instances {
        let me = if status.me.as_ref() == Some(&known.instance.id) { " (you)" } else { "" };
        writeln!(out, "\n{}{me}", format::instance(known, now))?;
        let mine = |seen: &&Seen| seen.claim.is_held_by(&known.instance.id);
        claims(out, status.claims.iter().filter(mine), now)?;
    }
    if status.instances.is_empty() {
        writeln!(out, "\nnobody is registered")?;
    }
    for handoff in &status.handoffs {
        writeln!(out, "\n{}", format::handoff(handoff, now))?;
        let held = |seen: &&Seen| matches!(&seen.claim.holder, Holder::Handoff(id) if *id == handoff.id);
        claims(out, status.claims.iter().filter(held), now)?;
    }
    let orphans: Vec<&Seen> = status.claims.iter().filter(|seen| is_orphan(seen, status)).collect();
    if !orphans.is_empty() {
        writeln!(out, "\n{ODD}claims of holders who are gone{ODD:#}")?;
        claims(out, orphans.into_iter(), now)?;
    }
    Ok(())
}

fn claims<'a>(
    out: &mut dyn Write,
    mut claims: impl Iterator<Item = &'a Seen>,
    now: crate::base::world::Time,
) -> io::Result<()> {
    claims.try_for_each(|seen| writeln!(out, "  {}", format::claim(&seen.claim, &seen.short_id, now)))
}

/// Whether nobody who is listed holds the claim.
fn is_orphan(seen: &Seen, status: &Status) -> bool {
    match &seen.claim.holder {
        Holder::Instance(id) => status.instances.iter().all(|known| known.instance.id != *id),
        Holder::Handoff(id) => status.handoffs.iter().all(|handoff| handoff.id != *id),
    }
}
