mod agent;
mod push;

use super::{Context, lost};
use crate::{
    cli::{error, exit::Exit, format, ui::BAD},
    ops::{
        self, Session,
        agent::Agent,
        guard::{Fence, Objection, Verdict},
    },
};
use clap::Subcommand;

/// Called by the hooks of git and of agents
#[derive(Debug, Subcommand)]
#[command(hide = true)]
pub(crate) enum Args {
    /// Judge what is about to be committed
    PreCommit,
    /// Judge what a merge is about to commit
    PreMergeCommit,
    /// Judge what is about to be pushed; git tells it on standard input
    PrePush(push::Args),
    /// Give back what was claimed for the edits that were just committed
    PostCommit,
    /// Answer a hook of Claude Code
    Claude,
    /// Answer a hook of Codex CLI
    Codex,
    /// Answer a hook of Gemini CLI
    Gemini,
    /// Answer the plugin for Amp
    Amp,
    /// Answer the plugin for OpenCode
    Opencode,
    /// Answer a hook of GitHub Copilot CLI
    Copilot,
}

/// Most objections that are told one by one.
const TOLD: usize = 20;

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let (judged, stop) = match self {
            Args::PreCommit => (judge(cx, Fence::Commit), STOP),
            Args::PreMergeCommit => (judge(cx, Fence::Merge), STOP),
            Args::PrePush(args) => (args.judge(cx), push::STOP),
            Args::PostCommit => return Ok(after_commit(cx)),
            Args::Claude => return agent::run(Agent::Claude, cx),
            Args::Codex => return agent::run(Agent::Codex, cx),
            Args::Gemini => return agent::run(Agent::Gemini, cx),
            Args::Amp => return agent::run(Agent::Amp, cx),
            Args::Opencode => return agent::run(Agent::OpenCode, cx),
            Args::Copilot => return agent::run(Agent::Copilot, cx),
        };
        match judged {
            Ok(exit) => Ok(exit),
            Err(error) if ops::bypass() => {
                cx.ui.say("git aio: fence bypassed, but that could not be recorded");
                error::report(&cx.ui, &error, ops::now());
                Ok(Exit::Done)
            }
            Err(error) => {
                // Failing open would be a fence that is off without anybody's knowing.
                error::report(&cx.ui, &error, ops::now());
                let words = format!("git aio could not judge this {}, and so it is stopped", stop.what);
                cx.ui.error(&words, Some(stop.bypass));
                Ok(Exit::Failed)
            }
        }
    }
}

const WAYS_ON: &str =
    "unstage these paths (git restore --staged <path>), wait for their holder, or ask by `git aio handoff new`";

/// What is said where a fence can't judge.
#[derive(Clone, Copy)]
struct Stop {
    what: &'static str,
    bypass: &'static str,
}

const STOP: Stop = Stop {
    what: "commit",
    bypass: "AIO_BYPASS=1 git commit … goes round this fence and is recorded; --no-verify goes round all hooks",
};

/// Answers a probe, if this is one.
fn probed(cx: &Context) -> Option<Exit> {
    let nonce = ops::probe()?;
    cx.ui.error(&format!("aio-probe {}", format::target(&nonce)), None);
    Some(Exit::Failed)
}

fn judge(cx: &Context, fence: Fence) -> anyhow::Result<Exit> {
    if let Some(exit) = probed(cx) {
        return Ok(exit);
    }
    let session = cx.session()?;
    let verdict = session.guard_commit(fence);
    cx.tell_notices(&session);
    let verdict = verdict?;
    if let Some(count) = verdict.bypassed {
        return Ok(bypassed(cx, count));
    }
    tell(cx, &session, &verdict);
    Ok(if verdict.refused.is_empty() { Exit::Done } else { Exit::Conflict })
}

/// What is done once a commit is made. It can't be stopped any more, and what fails is told and no more.
fn after_commit(cx: &Context) -> Exit {
    if let Err(error) = cx.session().and_then(|session| Ok(session.release_committed()?)) {
        error::report(&cx.ui, &error, ops::now());
    }
    Exit::Done
}

fn bypassed(cx: &Context, count: u64) -> Exit {
    cx.ui.say(format!(
        "git aio: fence bypassed for {}, and recorded",
        format::count(usize::try_from(count).unwrap_or(usize::MAX), "path")
    ));
    Exit::Done
}

fn tell(cx: &Context, session: &Session, verdict: &Verdict) {
    for objection in verdict.warned.iter().take(TOLD) {
        cx.ui.warn(describe(objection, session));
    }
    more(cx, verdict.warned.len());
    if verdict.refused.is_empty() {
        return;
    }
    for objection in verdict.refused.iter().take(TOLD) {
        let words = describe(objection, session);
        let first = if matches!(objection, Objection::Held(..)) { "already claimed: " } else { "" };
        cx.ui.error(&format!("{BAD}{first}{BAD:#}{words}"), None);
    }
    more(cx, verdict.refused.len());
    let unclaimed = verdict.refused.iter().all(|objection| matches!(objection, Objection::Unclaimed(_)));
    let handed_on = verdict.refused.iter().find_map(agent::handed_on).map(|handoff| {
        format!("{handoff} waits for whoever goes on with it: git aio handoff accept {handoff}; else {WAYS_ON}")
    });
    let hint = if unclaimed { "claim what you change first: git aio claim <path>" } else { WAYS_ON };
    cx.ui.error("commit refused", Some(handed_on.as_deref().unwrap_or(hint)));
}

fn more(cx: &Context, count: usize) {
    if count > TOLD {
        cx.ui.error(&format!("… and {} more paths", count - TOLD), None);
    }
}

fn describe(objection: &Objection, session: &Session) -> String {
    let now = session.now();
    match objection {
        Objection::Held(_, held) => format::held(held, now),
        Objection::Lost(path, ended) => {
            let (path, lost, id) = (path.to_string(), lost(session, ended), format::lost_id(ended));
            format!("{}: {lost}; claim or release it first ({id})", format::target(&path))
        }
        Objection::Unclaimed(path) => {
            format!("{} is changed but not claimed by you", format::target(&path.to_string()))
        }
        Objection::BesideScope(path) => format!(
            "{} is not in the scope of this task, which was handed to you by a run: leave it, and say in your report what \
             should be changed there",
            format::target(&path.to_string())
        ),
    }
}
