use super::{Context, done, duration, kind_and_targets};
use crate::{
    cli::{
        error::usage,
        exit::Exit,
        format,
        json::{Claim, ClaimAnswer, Coverage},
        ui::{GOOD, ODD},
    },
    ops::{
        Kind, Session, Target,
        claim::{Grant, Granted, Terms, Waiting},
        sync::Standing,
    },
};
use chrono::TimeDelta;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{ffi::OsString, io, ops::ControlFlow, time::Duration};

/// How often it is said off a terminal that a claim still waits.
const TELL_EACH: Duration = Duration::from_secs(30);

/// Claim files, folders, patterns or tasks, all or none
///
/// Nobody else can claim what overlaps, and the fence refuses their commits to it, until you release it. What you hold
/// already you may claim again. A claim of an instance that is gone is taken over, and you are told.
///
/// Without a kind, a path that ends in a slash or is a folder means the folder, one with * ? [ or { a pattern, anything
/// else a file. A pattern without a slash matches at any depth, as in .gitignore. A path that is named like a kind is
/// written ./task.
///
/// Where a hub is named, a claim is tentative until the hub has confirmed it: another clone may turn out to have been
/// first. With --strict, or where aio.confirm is strict, the hub is asked at once, and what it doesn't confirm was not
/// claimed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Optionally file, directory, pattern or task, and then what to claim
    #[arg(value_name = "[KIND] TARGET", required = true)]
    words: Vec<OsString>,
    /// Let others hold overlapping claims that are shared too
    #[arg(long)]
    shared: bool,
    /// Wait for what somebody else holds, at most this long (10m unless said); if its holder turns out to be gone,
    /// take it over
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "10m",
          value_parser = duration)]
    wait: Option<Duration>,
    /// Claim it only if the hub confirms it
    #[arg(long)]
    strict: bool,
    /// Let it end by itself after this long (a person's claims: 8h)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    ttl: Option<Duration>,
    /// Say why; the others will read it
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

/// What is to be claimed, on which terms.
#[derive(Debug)]
pub(crate) struct Wish {
    /// The kind of all targets, where it was said.
    pub(crate) kind: Option<Kind>,
    /// The targets, as they were typed.
    pub(crate) targets: Vec<OsString>,
    pub(crate) terms: Terms,
}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let ttl = time_to_live(self.ttl)?;
        let terms = Terms { shared: self.shared, strict: self.strict, ttl, why: self.why, wait: self.wait };
        let (kind, words) = kind_and_targets(cx, self.words)?;
        if let (Some(_), Some(time)) = (terms.wait, words.last().and_then(|word| word.to_str()))
            && duration(time).is_ok()
            && words.len() > 1
        {
            return Err(usage(
                format!("'{time}' reads like how long to wait, and stands where a target does"),
                format!("write --wait={time}; a file of that name is written ./{time}"),
            ));
        }
        Wish { kind, targets: words, terms }.run(cx)
    }
}

/// How long a claim lasts, within reason.
pub(crate) fn time_to_live(given: Option<Duration>) -> anyhow::Result<Option<TimeDelta>> {
    let ttl = given.map(TimeDelta::from_std).transpose();
    let ttl = ttl.ok().filter(|ttl| ttl.is_none_or(|ttl| ttl < TimeDelta::days(36500)));
    let ttl = ttl.ok_or_else(|| usage("the time to live is longer than a century", "leave it out"))?;
    if ttl.is_some_and(|ttl| ttl < TimeDelta::seconds(1)) {
        return Err(usage("the time to live is shorter than a second", "write it like 30s, 2h or 1d"));
    }
    Ok(ttl)
}

impl Wish {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let Wish { kind, targets, terms } = self;
        let session = cx.session()?.owning(kind, &targets)?;
        session.heal_fence();
        let targets = targets.iter().map(|target| session.target(kind, target)).collect::<Result<Vec<_>, _>>()?;
        let granted = claim(cx, &session, &targets, &terms);
        cx.tell_notices(&session);
        let granted = granted?;
        for ended in &granted.taken_over {
            let from = format!("taken over from {}", ended.claim.holder);
            cx.ui.say(format!("{}: {from}, {}", format::target(&ended.claim.scope.target()), ended.reason.as_str()));
        }
        granted.claims.iter().for_each(|grant| remark(cx, grant));
        done("the claim was made", answer(cx, &session, &granted))?;
        Ok(Exit::Done)
    }
}

fn claim(cx: &Context, session: &Session, targets: &[Target], terms: &Terms) -> anyhow::Result<Granted> {
    let watched = cx.ui.is_watched() && terms.wait.is_some();
    let bar = ProgressBar::with_draw_target(
        None,
        if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
    );
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    let mut told: Option<Duration> = None;
    let granted = session.claim(targets, terms, |Waiting { held, waited }| {
        let Some(first) = held.first().filter(|_| !cx.is_given_up()) else { return ControlFlow::Break(()) };
        let line = format!("waiting: {}", format::held(first, session.now()));
        if !watched && told.is_none_or(|told| *waited >= told + TELL_EACH) {
            cx.ui.say(&line);
            told = Some(*waited);
        }
        bar.set_message(line);
        bar.tick();
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    Ok(granted?)
}

fn remark(cx: &Context, grant: &Grant) {
    let target = format::target(&grant.claim.scope.target());
    if grant.any_depth {
        cx.ui.say(format!("a pattern without a slash matches at any depth: {target}"));
    }
    if grant.absent {
        cx.ui.say(format!("{target} does not exist yet"));
    }
    if let Some(coverage) = grant.coverage {
        if coverage.covered * 2 > coverage.tracked {
            let all = format::count(coverage.tracked, "tracked file");
            cx.ui.warn(format!("{target} covers {} of {all}: claim less if you can", coverage.covered));
        } else if coverage.covered == 0 {
            cx.ui.say(format!("{target} covers no tracked file yet"));
        }
    }
}

fn answer(cx: &Context, session: &Session, granted: &Granted) -> anyhow::Result<()> {
    cx.ui.answer(
        || {
            let coverage = |grant: &Grant| {
                grant.coverage.map(|coverage| Coverage { covered: coverage.covered, tracked: coverage.tracked })
            };
            ClaimAnswer::new(
                granted.claims.iter().map(|g| Claim::standing(&g.claim, g.standing).covering(coverage(g))).collect(),
            )
        },
        |out| granted.claims.iter().try_for_each(|grant| line(out, session, grant)),
    )
}

fn line(out: &mut dyn io::Write, session: &Session, grant: &Grant) -> io::Result<()> {
    let word = if grant.held_before { "already yours" } else { "claimed" };
    let covers = grant.coverage.map(|coverage| format::count(coverage.covered, "tracked file"));
    let claim = format::granted(&grant.claim, &grant.short_id, covers.as_deref(), session.now());
    let sure = match grant.standing {
        Standing::Tentative => format!(" {ODD}(tentative: the hub has not confirmed it){ODD:#}"),
        Standing::Confirmed if session.has_hub() => " (confirmed by the hub)".to_owned(),
        Standing::Confirmed => String::new(),
    };
    writeln!(out, "{GOOD}{word}{GOOD:#} {claim}{sure}")
}
