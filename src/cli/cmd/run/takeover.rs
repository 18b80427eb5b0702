//! Asking a person before a run of another clone goes on here.

use crate::{
    base::{id::RunId, text},
    cli::{
        cmd::{Context, delegate::is_delegation},
        error::usage,
    },
    ops::{Error, Session, run::ShownRun},
    runner::{delegation::spec_of, library::Workflows, workflow::shown_to_person},
};

/// Most bytes of what a person is shown. It is never cut: of what was not seen nothing may be run.
const MAX_SHOWN: usize = 256 * 1024;

/// Has this clone drive a run of another one, whose words are not ours: what it would run here, a person has to have seen.
pub(super) fn take_over(
    cx: &Context,
    session: &Session,
    shown: &ShownRun,
    is_named: bool,
    yes: bool,
) -> anyhow::Result<()> {
    let id = &shown.run.id;
    if !is_named {
        return Err(usage(format!("{id} is driven in another clone"), "name it, if this clone is to take it over"));
    }
    let seen = session.what_may_be_taken_over(id)?;
    let (question, words) = match is_delegation(&shown.run.workflow) {
        true => ("Take it over, and run these here?", checks_of(session, id)?),
        false => ("Take it over, and go on with this here?", workflow_of(session, id)?),
    };
    if let Some(words) = words {
        if words.len() > MAX_SHOWN {
            return Err(Error::NotAllowed {
                message: format!(
                    "what {id} would do here has {} bytes, and {MAX_SHOWN} are the most to be shown",
                    words.len()
                ),
                hint: Some("resume it in the clone that drives it".into()),
            }
            .into());
        }
        cx.ui.say(words);
        if let Some(why) = session.cannot_consent()? {
            return Err(unapproved(format!("only a person can say yes to that, and {why}")));
        }
        if !yes && !cx.ui.ask(question)? {
            return Err(unapproved(format!("a person has not said yes to what {id} would do here")));
        }
    }
    session.take_over_run(id, &seen)?;
    Ok(())
}

/// That it goes on where it was, as nobody has approved what it would do.
fn unapproved(why: String) -> anyhow::Error {
    Error::NotAllowed {
        message: format!("nothing was taken over: {why}"),
        hint: Some("a person reads what is told before this, and says yes by `--yes`".into()),
    }
    .into()
}

/// The commands by which a delegation wants to be checked, if there are any.
fn checks_of(session: &Session, id: &RunId) -> anyhow::Result<Option<String>> {
    let delegation = spec_of(session, id)?;
    let mut commands = session.commands_of(delegation.verify.as_deref().unwrap_or_default())?;
    if delegation.consents {
        commands.push("what the project here seems to be checked by".into());
    }
    let commands: Vec<String> = commands.iter().map(|command| text::one_line(command, usize::MAX)).collect();
    let words = format!("another clone wants it to be checked by\n  {}", commands.join("\n  "));
    Ok((!commands.is_empty()).then_some(words))
}

/// What a workflow would do here. It runs commands, and its inputs may be some.
fn workflow_of(session: &Session, id: &RunId) -> anyhow::Result<Option<String>> {
    let library = Workflows::to_run(session.workflow_texts()?);
    let words = shown_to_person(session, id, &library)?;
    Ok(Some(format!("another clone has begun\n{}", words.trim_end())))
}
