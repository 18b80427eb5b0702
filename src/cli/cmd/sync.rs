use super::Context;
use crate::{
    base::text,
    cli::{exit::Exit, format, json::SyncAnswer, ui::BAD},
    ops::sync::{Phase, Synced},
};
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// Bring the operations of this clone and of the others into one order, through the hub
///
/// Fetches what the other clones did, does again on top of it what this one did meanwhile, and pushes the result; where
/// somebody was quicker, again. A claim that another clone was granted first is lost: its holder is told, and the fence
/// refuses its commits on that path. The hub is the remote that `aio.remote` names; without one nothing is ever sent.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// The hub: a remote, or a URL [default: aio.remote]
    #[arg(long, value_name = "R")]
    remote: Option<String>,
    /// Give the hub what it lost of what it had taken, from what this clone has; for a person who knows what happened
    #[arg(long)]
    recover: bool,
    /// Sync as one that another command started: later, and without a word
    #[arg(long, hide = true, conflicts_with_all = ["remote", "recover"])]
    background: bool,
}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        if self.background {
            // What fails is remembered, and told where somebody reads it.
            return Ok(session.sync_in_background().map_or(Exit::Failed, |()| Exit::Done));
        }
        let bar = spinner(cx);
        let remote = self.remote.as_deref();
        let progress = &mut |phase| bar.set_message(words(phase));
        let result = if self.recover { session.recover(remote, progress) } else { session.sync(remote, progress) };
        bar.finish_and_clear();
        cx.tell_notices(&session);
        let synced = result?;
        cx.ui.answer(
            || SyncAnswer::of(&synced),
            |out| {
                let moved = [("pushed", synced.pushed), ("received", synced.received)];
                let moved = moved.into_iter().filter(|(_, count)| *count > 0);
                let moved = moved.map(|(verb, count)| format!("{verb} {}", format::count(count as usize, "operation")));
                let runs = [("sent", synced.runs_pushed), ("heard of", synced.runs_received)];
                let runs = runs.into_iter().filter(|(_, count)| *count > 0);
                let runs = runs.map(|(verb, count)| format!("{verb} {}", format::count(count as usize, "run")));
                let moved: Vec<String> = moved.chain(runs).collect();
                writeln!(out, "{}", if moved.is_empty() { "nothing new".to_owned() } else { moved.join(", ") })?;
                let now = session.now();
                synced.lost.iter().try_for_each(|(loser, ended)| {
                    writeln!(out, "{BAD}lost{BAD:#} {}", format::lost_by(loser, ended, now))
                })
            },
        )?;
        tell_of_runs(cx, &synced);
        Ok(Exit::Done)
    }
}

/// What is odd about runs, which is no reason for a sync to fail.
fn tell_of_runs(cx: &Context, synced: &Synced) {
    for run in &synced.overtaken {
        cx.ui.warn(format!("another clone has taken {run} over: what drove it here stops"));
    }
    if synced.odd_runs > 0 {
        let count = format::count(synced.odd_runs as usize, "run");
        cx.ui.warn(format!("{count} of the hub can't be read, or not as such; it was left there"));
    }
    if let Some(why) = &synced.runs_refused {
        cx.ui.warn(format!("the hub does not take what it was sent of runs: {}", text::one_line(why, 200)));
    }
}

/// Progress for whoever is watching.
pub(super) fn spinner(cx: &Context) -> ProgressBar {
    if !cx.ui.is_watched() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

pub(super) fn words(phase: Phase) -> String {
    match phase {
        Phase::Waiting => "waiting for another sync of this clone".to_owned(),
        Phase::Fetching => "fetching".to_owned(),
        Phase::Pushing(count) => format!("pushing {}", format::count(count as usize, "operation")),
        Phase::Retrying(tried) => format!("somebody was quicker, trying again ({tried})"),
    }
}
