//! How facts look in a line for people.

use crate::{
    base::{id::InstanceId, text, world::Time},
    model::{
        claim::{Claim, EndReason, Ended, Holder, Mode, Origin, Rival},
        handoff::Handoff,
        liveness::Presence,
    },
    ops::{
        Held,
        check::Seen,
        instance::Known,
        sync::Standing,
        task::{Keeper, Queued, Stand},
    },
};
use chrono::TimeDelta;

/// Longest target or reason in a line, in characters.
const MAX: usize = 200;

/// A duration in its largest unit: `3m`, `2h`, `5d`.
pub(crate) fn span(span: TimeDelta) -> String {
    let seconds = span.num_seconds().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

/// How long is left, to the nearest unit: what was granted for two hours a moment ago has not one hour left.
fn left(left: TimeDelta) -> String {
    let half = match left.num_seconds() {
        ..60 => 0,
        60..3600 => 30,
        3600..86400 => 1800,
        _ => 43200,
    };
    span(left + TimeDelta::seconds(half))
}

/// So many of something: `1 claim`, `2 claims`.
pub(crate) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// How long ago.
pub(crate) fn ago(then: Time, now: Time) -> String {
    format!("{} ago", span(now - then))
}

/// A moment as it stands in JSON.
pub(crate) fn rfc3339(time: Time) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// Somebody's words, quoted, in one line.
pub(crate) fn quoted(words: &str) -> String {
    quoted_up_to(words, MAX)
}

/// The same, cut after `max` characters. What they quote themselves doesn't end the quotation.
pub(crate) fn quoted_up_to(words: &str, max: usize) -> String {
    let words = words.replace('\\', r"\\").replace('"', r#"\""#);
    format!("\"{}\"", text::one_line(&words, max))
}

/// A path, pattern or task id.
pub(crate) fn target(target: &str) -> String {
    text::one_line(target, MAX)
}

/// A claim without its holder: `7b3f  src/auth (directory, shared, tentative), claimed 3m ago, until …: "why"`.
pub(crate) fn claim(seen: &Seen, now: Time) -> String {
    let Seen { claim, short_id, .. } = seen;
    format!("{short_id}  {} ({}{}){}", target(&claim.scope.target()), traits(claim), tentative(seen), terms(claim, now))
}

fn tentative(seen: &Seen) -> &'static str {
    if seen.standing == Standing::Tentative { ", tentative" } else { "" }
}

/// An own claim just granted: `7b3f  src/auth (directory), 12 tracked files, for 2h more: "why"`.
pub(crate) fn granted(claim: &Claim, short_id: &str, covers: Option<&str>, now: Time) -> String {
    let covers = covers.map(|covers| format!(", {covers}")).unwrap_or_default();
    let what = format!("{short_id}  {} ({})", target(&claim.scope.target()), traits(claim));
    format!("{what}{covers}{}{}", until(claim, now), why(claim))
}

fn traits(claim: &Claim) -> String {
    let shared = if claim.mode == Mode::Shared { ", shared" } else { "" };
    let auto = if claim.origin == Origin::Auto { ", automatic" } else { "" };
    format!("{}{shared}{auto}", claim.scope.kind())
}

fn terms(claim: &Claim, now: Time) -> String {
    format!(", claimed {}{}{}", ago(claim.since, now), until(claim, now), why(claim))
}

fn until(claim: &Claim, now: Time) -> String {
    match claim.until {
        Some(until) if until <= now => ", expired".to_owned(),
        Some(until) => format!(", for {} more", left(until - now)),
        None => String::new(),
    }
}

fn why(claim: &Claim) -> String {
    claim.why.as_ref().map(|why| format!(": {}", quoted(why))).unwrap_or_default()
}

/// What is in the way: `src/auth/login.rs is held by codex-… (directory src/auth), claimed 3m ago: "why"`.
pub(crate) fn held(held: &Held, now: Time) -> String {
    let scope = &held.conflict.scope;
    let claim = &held.conflict.claim;
    let part_of = match *scope == claim.scope {
        true => String::new(),
        false => format!(" through {} {}", claim.scope.kind(), target(&claim.scope.target())),
    };
    let presence = match held.presence {
        Some(presence) if presence != Presence::Live => format!(" ({})", presence.as_str()),
        _ => String::new(),
    };
    let holder = match &claim.holder {
        Holder::Instance(id) => id.to_string(),
        Holder::Handoff(id) => format!("the open {id}"),
    };
    // Whom one can't see has to be named so that one can ask for them there.
    let (elsewhere, token, seen) = match held.elsewhere {
        true => (" of another clone", format!(", token {}", claim.token), last_seen(held.last_seen, now)),
        false => Default::default(),
    };
    let terms = format!(", claimed {}{seen}{}{}", ago(claim.since, now), until(claim, now), why(claim));
    format!("{} is held by {holder}{elsewhere}{presence}{part_of}{token}{terms}", target(&scope.target()))
}

/// When somebody was last seen, where that is known.
pub(crate) fn last_seen(seen: Option<Time>, now: Time) -> String {
    seen.map(|seen| format!(", last seen {}", ago(seen, now))).unwrap_or_default()
}

/// A claim that ended without its holder's doing, told to the holder.
pub(crate) fn lost(ended: &Ended, now: Time) -> String {
    lost_as_told_to(None, ended, now)
}

/// The same, told to another than the holder, where that is given.
pub(crate) fn lost_as_told_to(loser: Option<&InstanceId>, ended: &Ended, now: Time) -> String {
    let (whose, who) = match loser {
        None => ("your claim".to_owned(), "you"),
        Some(loser) => (format!("the claim of {loser}"), "it"),
    };
    let by = ended.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let what = target(&ended.claim.scope.target());
    let ago = ago(ended.at, now);
    let how = match ended.reason {
        EndReason::Stale => format!("was ended {ago}{by}, because {who} had not been heard of"),
        EndReason::Expired => format!("was ended {ago}{by}, because its time was up"),
        EndReason::Forced => format!("was ended {ago}{by}"),
        EndReason::Lost => match &ended.rival {
            Some(_) => format!("was lost{}", to_rival(ended, now)),
            None => format!("was lost to another clone {ago}{by}"),
        },
    };
    let why = ended.why.as_ref().map(|why| format!(": {}", quoted(why))).unwrap_or_default();
    format!("{whose} on {what} {how}{why}")
}

/// Who has what somebody lost: `codex-… of another clone: directory src, token 7, claimed 3m ago`.
pub(crate) fn rival(rival: &Rival, now: Time) -> String {
    let Rival { holder, scope, token, since } = rival;
    let held = format!("{} {}, token {token}, claimed {}", scope.kind(), target(&scope.target()), ago(*since, now));
    format!("{holder} of another clone: {held}")
}

/// What was lost to another clone: `7b3f1a2b  src/main.rs (file), lost to codex-… of another clone: …`.
pub(crate) fn lost_to_other(ended: &Ended, now: Time) -> String {
    format!("{}, lost{}", lost_claim(ended), to_rival(ended, now))
}

/// The same, told to somebody who need not have lost it: `7b3f1a2b  src/main.rs (file) of claude-… to codex-…: …`.
pub(crate) fn lost_by(loser: &InstanceId, ended: &Ended, now: Time) -> String {
    format!("{} of {loser}{}", lost_claim(ended), to_rival(ended, now))
}

fn lost_claim(ended: &Ended) -> String {
    let scope = &ended.claim.scope;
    format!("{}  {} ({})", lost_id(ended), target(&scope.target()), scope.kind())
}

fn to_rival(ended: &Ended, now: Time) -> String {
    ended.rival.as_ref().map(|rival| format!(" to {}", self::rival(rival, now))).unwrap_or_default()
}

/// The id by which a lost claim is let go of, as short as it is sure to be unique.
pub(crate) fn lost_id(ended: &Ended) -> &str {
    let id = ended.claim.id.as_str();
    id.get(..8).unwrap_or(id)
}

/// A claim with its holder, as somebody else sees it.
pub(crate) fn seen(seen: &Seen, now: Time) -> String {
    let presence = match seen.presence {
        Some(presence) if presence != Presence::Live => format!(" ({})", presence.as_str()),
        _ => String::new(),
    };
    let claim = &seen.claim;
    let what = format!("{}  {} ({}{})", seen.short_id, target(&claim.scope.target()), traits(claim), tentative(seen));
    if let Some(ended) = &seen.lost {
        let to = to_rival(ended, now);
        let end = if to.is_empty() { ":" } else { ";" };
        return format!("{what}, which you held and lost{to}{end} claim or release it first");
    }
    let holder = if seen.mine { "you".to_owned() } else { format!("{}{presence}", claim.holder) };
    let fallen = if seen.fallen.is_some() { "; the next claim takes it over" } else { "" };
    format!("{what} by {holder}{}{fallen}", terms(claim, now))
}

/// An instance: `codex-1707084123-a3f2 live elsewhere, seen 3s ago: "port the parser" [T-1]`.
pub(crate) fn instance(known: &Known, now: Time) -> String {
    let Known { instance, presence, last_seen, elsewhere } = known;
    let elsewhere = if *elsewhere { " elsewhere" } else { "" };
    let task = instance.task.as_ref().map(|task| {
        let id = task.id.as_ref().map(|id| format!(" [{id}]")).unwrap_or_default();
        format!(": {}{id}", quoted(&task.text))
    });
    let worktree = instance.worktree.as_ref().map(|name| format!(" in worktree {}", target(name)));
    format!(
        "{} {}{elsewhere}, seen {}{}{}",
        instance.id,
        presence.as_str(),
        ago(*last_seen, now),
        worktree.unwrap_or_default(),
        task.unwrap_or_default()
    )
}

/// A task in a line: `t-3f9a  held by codex-…, claimed 3m ago, token 7: "Fix the login"`.
pub(crate) fn task(task: &Queued, now: Time) -> String {
    let stand = match &task.stand {
        Stand::Ready => "ready".to_owned(),
        Stand::Waits(needs) => {
            let needs: Vec<String> = needs.iter().map(|need| target(need.as_str())).collect();
            format!("waits for {}", needs.join(", "))
        }
        Stand::Held(seen) => {
            let holder = if seen.mine { "you".to_owned() } else { seen.claim.holder.to_string() };
            let since = ago(seen.claim.since, now);
            let shared = if seen.claim.mode == Mode::Shared { ", shared" } else { "" };
            format!("held by {holder}{shared}, claimed {since}, token {}{}", seen.claim.token, tentative(seen))
        }
        Stand::Done(done) => format!("done by {} {}", done.by, ago(done.at, now)),
    };
    let priority = if task.priority == Default::default() {
        String::new()
    } else {
        format!(", priority {}", task.priority.number())
    };
    let keeper = if task.keeper == Keeper::Own { String::new() } else { format!(" [{}]", task.keeper.as_str()) };
    format!("{}  {stand}{priority}: {}{keeper}", target(&task.short_id), quoted(&task.title))
}

/// A handoff in a line.
pub(crate) fn handoff(handoff: &Handoff, now: Time) -> String {
    let to = handoff.to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default();
    let title = quoted(&handoff.document.title);
    let state = match handoff.state.settled() {
        Some(settled) => format!("{} by {}", handoff.state.as_str(), settled.by),
        None => "open".to_owned(),
    };
    format!("{} {state}, from {}{to}, {}: {title}", handoff.id, handoff.from, ago(handoff.at, now))
}
