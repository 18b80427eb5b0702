use super::{Context, kind_and_targets};
use crate::{
    base::path::RepoPath,
    cli::{
        exit::Exit,
        format,
        json::{AsOf, CheckAnswer, Checked as CheckedJson, Claim},
        ui::{BAD, GOOD, ODD},
    },
    model::claim::Mode,
    ops::{
        Kind, Session,
        check::{AsOf as SeenAsOf, Checked, Seen},
        guard::Fence,
    },
};
use anyhow::Context as _;
use std::{
    ffi::OsString,
    io::{self, Read},
};

/// Ask whether something may be changed, and who holds it
///
/// Exits with 0 if all of it is available and with 3 if somebody else holds part of it; the answer is the same either
/// way. What others hold as shared counts as held: only a claim that is shared too is free to join them. What a holder
/// who is gone still holds, or one whose time is up, is available, since the next claim takes it over.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Optionally file, directory, pattern or task, and then what to ask about
    #[arg(value_name = "[KIND] TARGET", required_unless_present_any = ["staged", "stdin"])]
    words: Vec<OsString>,
    /// Ask about what is staged
    #[arg(long, conflicts_with_all = ["words", "stdin"])]
    staged: bool,
    /// Read paths from standard input, one a line
    #[arg(long, conflicts_with = "words")]
    stdin: bool,
    /// Paths on standard input end with NUL instead
    #[arg(short = 'z', requires = "stdin", conflicts_with_all = ["words", "staged"])]
    nul: bool,
}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        if self.staged {
            let session = cx.session()?;
            let staged = session.staged(Fence::Commit)?;
            answer(cx, &session, session.check_paths(&staged)?)
        } else if self.stdin {
            let session = cx.session()?;
            let paths = read_paths(&session, self.nul)?;
            answer(cx, &session, session.check_paths(&paths)?)
        } else {
            let (kind, words) = kind_and_targets(cx, self.words)?;
            targets(cx, kind, &words)
        }
    }
}

/// Asks about targets as they were typed.
pub(crate) fn targets(cx: &Context, kind: Option<Kind>, words: &[OsString]) -> anyhow::Result<Exit> {
    let session = cx.session()?.owning(kind, words)?;
    let targets = words.iter().map(|word| session.target(kind, word)).collect::<Result<Vec<_>, _>>()?;
    answer(cx, &session, session.check(&targets)?)
}

fn answer(cx: &Context, session: &Session, (as_of, checked): (SeenAsOf, Vec<Checked>)) -> anyhow::Result<Exit> {
    cx.tell_notices(session);
    let available = checked.iter().all(|checked| checked.available);
    cx.ui.answer(
        || CheckAnswer::new(AsOf::new(&as_of), checked.iter().map(json).collect()),
        |out| checked.iter().try_for_each(|checked| line(out, session, checked)),
    )?;
    Ok(if available { Exit::Done } else { Exit::Conflict })
}

fn read_paths(session: &Session, nul: bool) -> anyhow::Result<Vec<RepoPath>> {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes).context("can't read standard input")?;
    let end = if nul { 0 } else { b'\n' };
    let given = bytes.split(|byte| *byte == end).filter(|path| !path.is_empty());
    let paths = given.map(|path| Ok(session.repo_path(os_path(path)?.as_ref())?));
    paths.collect()
}

#[cfg(unix)]
fn os_path(bytes: &[u8]) -> anyhow::Result<OsString> {
    Ok(std::os::unix::ffi::OsStringExt::from_vec(bytes.to_owned()))
}

#[cfg(not(unix))]
fn os_path(bytes: &[u8]) -> anyhow::Result<OsString> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| crate::cli::error::usage("a path is not UTF-8", "give it in UTF-8"))?;
    Ok(text.into())
}

fn json(checked: &Checked) -> CheckedJson {
    CheckedJson {
        path: checked.scope.target(),
        available: checked.available,
        claims: checked.claims.iter().map(Claim::seen).collect(),
    }
}

fn is_shared(seen: &Seen) -> bool {
    !seen.mine && seen.lost.is_none() && seen.claim.mode == Mode::Shared
}

fn line(out: &mut dyn io::Write, session: &Session, checked: &Checked) -> io::Result<()> {
    let target = format::target(&checked.scope.target());
    match (checked.available, checked.claims.as_slice()) {
        (true, []) => writeln!(out, "{GOOD}available{GOOD:#} {target}")?,
        (true, claims) if claims.iter().all(|seen| seen.mine) => writeln!(out, "{GOOD}yours{GOOD:#} {target}")?,
        (true, _) => writeln!(out, "{GOOD}available{GOOD:#} {target}")?,
        (false, claims) if claims.iter().all(|seen| seen.lost.is_some()) => writeln!(out, "{BAD}lost{BAD:#} {target}")?,
        (false, claims) if claims.iter().all(|seen| seen.fallen.is_some() || is_shared(seen)) => {
            writeln!(out, "{ODD}shared{ODD:#} {target}")?;
        }
        (false, _) => writeln!(out, "{BAD}held{BAD:#} {target}")?,
    }
    for seen in &checked.claims {
        writeln!(out, "  {}", format::seen(seen, session.now()))?;
    }
    Ok(())
}
