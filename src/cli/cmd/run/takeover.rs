//! Asking a person before a run of another clone goes on here.

use crate::{
    base::text,
    cli::{
        cmd::{Context, delegate::is_delegation},
        error::usage,
    },
    ops::{Session, run::ShownRun},
    runner::delegation::spec_of,
};

/// Has this clone drive a run of another one, whose words are not ours: what it would run here, a person has to have seen.
pub(super) fn take_over(
    cx: &Context,
    session: &Session,
    shown: &ShownRun,
    is_named: bool,
    yes: bool,
) -> anyhow::Result<bool> {
    let id = &shown.run.id;
    if !is_named {
        return Err(usage(format!("{id} is driven in another clone"), "name it, if this clone is to take it over"));
    }
    if !is_delegation(&shown.run.workflow) {
        return Err(usage(
            format!("{id} is a workflow that another clone drives, and only delegations are taken over"),
            "resume it there",
        ));
    }
    let seen = session.what_may_be_taken_over(id)?;
    let delegation = spec_of(session, id)?;
    let mut commands = session.commands_of(delegation.verify.as_deref().unwrap_or_default())?;
    if delegation.consents {
        commands.push("what the project here seems to be checked by".into());
    }
    if !commands.is_empty() {
        let commands: Vec<String> = commands.iter().map(|command| text::one_line(command, 400)).collect();
        cx.ui.say(format!("another clone wants it to be checked by\n  {}", commands.join("\n  ")));
        if let Some(why) = session.cannot_consent()? {
            cx.ui.say(format!("only a person can say yes to that, and {why}; nothing was taken over"));
            return Ok(false);
        }
        if !yes && !cx.ui.ask("Take it over, and run these here?")? {
            cx.ui.say("nothing was taken over: a person says yes by `--yes`");
            return Ok(false);
        }
    }
    session.take_over_run(id, &seen)?;
    Ok(true)
}
