//! The fence at the push.

use super::{Context, Stop, TOLD, bypassed, more, probed};
use crate::{
    cli::{exit::Exit, format, ui::BAD},
    ops::{
        Session,
        guard::{PushObjection, PushVerdict},
    },
};
use anyhow::Context as _;
use std::{ffi::OsString, io::Read as _};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The remote, by its name if it has one
    remote: Option<OsString>,
    /// Where it is
    url: Option<OsString>,
}

pub(super) const STOP: Stop = Stop {
    what: "push",
    bypass: "AIO_BYPASS=1 git push … goes round this fence and is recorded; --no-verify goes round the hook",
};

const LEAVE_OUT: &str = "name what to push, such as a branch, --all or --tags, in place of --mirror or a pattern; \
                         `git aio sync` takes care of refs of ours";

const SETTLE: &str = "look whether the work still fits what the others did; then claim the path again, or release what \
                      was lost (`git aio status` shows it), and push";

const SETTLE_FOR: &str = "look whether the work still fits what the others did; who lost the claim settles that by \
                          claiming or releasing it, and so can you in its name, by --as";

const ASK_HUB: &str =
    "`git aio sync` says more; `git config aio.pushOffline warn` lets a push pass while the hub is away";

impl Args {
    pub(super) fn judge(self, cx: &Context) -> anyhow::Result<Exit> {
        if let Some(exit) = probed(cx) {
            return Ok(exit);
        }
        let mut told = Vec::new();
        std::io::stdin().lock().read_to_end(&mut told).context("can't read what git is about to push")?;
        let session = cx.session()?;
        // Where a remote has no name, git gives the place in its stead.
        let remote = self.remote.or(self.url).unwrap_or_default();
        let verdict = session.guard_push(&remote.to_string_lossy(), &told);
        cx.tell_notices(&session);
        let verdict = verdict?;
        if let Some(count) = verdict.bypassed {
            return Ok(bypassed(cx, count));
        }
        tell(cx, &session, &verdict);
        Ok(match verdict.refused.as_slice() {
            [] => Exit::Done,
            refused if refused.iter().all(|objection| matches!(objection, PushObjection::Unasked(_))) => {
                Exit::NotConfirmed
            }
            _ => Exit::Conflict,
        })
    }
}

fn tell(cx: &Context, session: &Session, verdict: &PushVerdict) {
    for objection in verdict.warned.iter().take(TOLD) {
        cx.ui.warn(describe(objection, session));
    }
    more(cx, verdict.warned.len());
    let Some(first) = verdict.refused.first() else { return };
    for objection in verdict.refused.iter().take(TOLD) {
        cx.ui.error(&format!("{BAD}can't be pushed:{BAD:#} {}", describe(objection, session)), None);
    }
    more(cx, verdict.refused.len());
    let hint = match first {
        PushObjection::Private(_) | PushObjection::Rewound(_) | PushObjection::Deleted(_) => LEAVE_OUT,
        PushObjection::Unasked(_) => ASK_HUB,
        PushObjection::Lost { loser: Some(_), .. } => SETTLE_FOR,
        PushObjection::Lost { .. } | PushObjection::Held { .. } | PushObjection::Unseen(_) => SETTLE,
    };
    cx.ui.error("push refused", Some(hint));
}

fn describe(objection: &PushObjection, session: &Session) -> String {
    let now = session.now();
    let short = |commit: &crate::base::oid::Oid| commit.as_str().get(..10).unwrap_or_default().to_owned();
    match objection {
        PushObjection::Private(name) => {
            format!("{} is this clone's own, and of no use elsewhere", format::target(name))
        }
        PushObjection::Rewound(name) => {
            format!("{} would lose what others have put there", format::target(name))
        }
        PushObjection::Deleted(name) => {
            format!("{} would be deleted, with what all clones share in it", format::target(name))
        }
        PushObjection::Lost { path, commit, ended, loser } => {
            let lost = format::lost_as_told_to(loser.as_ref(), ended, now);
            format!("{} in commit {}: {lost}", format::target(&path.to_string()), short(commit))
        }
        PushObjection::Held { commit, held } => {
            format!("{}; commit {} changes it", format::held(held, now), short(commit))
        }
        PushObjection::Unasked(reason) => {
            format!("{}; claims are judged as they were last seen", crate::base::text::one_line(reason, 500))
        }
        PushObjection::Unseen(most) => {
            format!("the push has more commits than can be looked at: only the newest {most} were")
        }
    }
}
