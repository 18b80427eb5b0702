use super::Context;
use crate::{
    base::text,
    cli::{
        exit::Exit,
        json::{self, DoctorAnswer},
        ui::{BAD, GOOD, ODD},
    },
    ops::doctor::{Check, Grade},
};
use std::io::{self, Write};

/// Look whether everything is in order, and mend what isn't
///
/// Every check stands for itself, and none of them changes anything: git and the repository, the settings, the repository's own configuration, the state in
/// refs/aio/state with all its objects, its history, records and index, that no two claims contradict each other, that no
/// tasks wait for each other, what
/// is known of who is here, locks that were left behind, the hub as it is set and what came of the last sync with it,
/// and the fences, which are tried out: git is asked to run its hooks, and ours has to answer; what an agent would run
/// before an edit is run, and has to refuse (of the plugins for Amp and OpenCode, the command that they start); and where
/// an agent runs no hook that its user has not trusted, that is told. Nothing is asked of the network.
///
/// With --remote, the host of the hub is asked for everything that a sync may need, on refs made for that and removed
/// again: to create a ref, move it forward, refuse to whoever was overtaken, move it elsewhere, and delete it. What it
/// doesn't allow is told with the way on, and remembered. It exits with 7 if the hub can't be reached.
///
/// With --repair, the store goes back to its last whole state if the present one is damaged, and tells what was lost;
/// records that can't be read are set aside, the index is made anew, and of claims that contradict each other the
/// earliest stands, unless its holder is not registered. All of that is one operation, which the log shows. The fence is mended by `git aio init`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Mend the store, then look
    #[arg(long)]
    repair: bool,
    /// Try out, too, what the host of the hub allows, on refs that are removed again
    #[arg(long, value_name = "R", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    remote: Option<String>,
    /// Print the whole state as one JSON document instead
    #[arg(long, conflicts_with_all = ["repair", "remote"])]
    dump: bool,
}

/// Longest line of a finding, in characters.
const MAX_DETAIL: usize = 1000;

/// The checks whose faults a repair can mend.
const MENDABLE: [&str; 6] = ["store", "history", "records", "index", "exclusion", "reflog"];

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session_to_look()?;
        if self.dump {
            let document = serde_json::to_string_pretty(&json::Dump::new(&session.dump()?))?;
            cx.ui.print(&format!("{}\n", visible(&document)))?;
            return Ok(Exit::Done);
        }
        let mut checks = if self.repair { repair(session.repair()) } else { Vec::new() };
        checks.extend(session.doctor());
        let mut unreached = false;
        match &self.remote {
            // One that is not named is the one that the settings name.
            Some(remote) => {
                let probed = session.probe(Some(remote.as_str()).filter(|remote| !remote.is_empty()))?;
                unreached = probed.unreached;
                checks.extend(probed.checks);
            }
            None => checks.extend(session.last_probe()),
        }
        cx.tell_notices(&session);
        let ok = checks.iter().all(Check::is_ok);
        cx.ui.answer(|| answer(ok, &checks), |out| checks.iter().try_for_each(|check| line(out, check)))?;
        if !self.repair && checks.iter().any(|check| !check.is_ok() && MENDABLE.contains(&check.name)) {
            cx.ui.say("`git aio doctor --repair` mends the store");
        }
        Ok(match ok {
            true => Exit::Done,
            false if unreached => Exit::NotConfirmed,
            false => Exit::Failed,
        })
    }
}

/// What a repair did, as the first of the checks: that it failed is no reason not to look further.
fn repair(done: Result<Vec<String>, crate::ops::Error>) -> Vec<Check> {
    let check = |grade, detail| Check { name: "repair", grade, detail };
    match done {
        Err(error) => vec![check(Grade::Bad, error.to_string())],
        Ok(done) if done.is_empty() => vec![check(Grade::Good, "there was nothing to mend".into())],
        Ok(done) => done.into_iter().map(|line| check(Grade::Good, line)).collect(),
    }
}

fn answer(ok: bool, checks: &[Check]) -> DoctorAnswer {
    let check = |c: &Check| json::Check {
        name: c.name.into(),
        ok: c.is_ok(),
        warning: c.grade == Grade::Odd,
        detail: c.detail.clone(),
    };
    DoctorAnswer::new(ok, checks.iter().map(check).collect())
}

fn line(out: &mut dyn Write, check: &Check) -> io::Result<()> {
    let (style, word) = match check.grade {
        Grade::Good => (GOOD, "ok"),
        Grade::Odd => (ODD, "odd"),
        Grade::Bad => (BAD, "failed"),
    };
    let detail = text::one_line(&check.detail, MAX_DETAIL);
    writeln!(out, "{style}{word:<6}{style:#}  {:<17}  {detail}", check.name)
}

/// The same JSON with characters that a terminal acts on written as escapes, which may stand wherever they do.
fn visible(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && text::acts_on_terminal(c) {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn a_dump_says_the_same_and_moves_no_cursor() {
        let value = serde_json::json!({ "text": "a\u{9b}31m\u{202e}\u{e0041}é\n\t" });
        let shown = visible(&serde_json::to_string_pretty(&value).expect("json"));
        assert!(!shown.contains('\u{9b}') && !shown.contains('\u{202e}') && shown.contains('é'), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("json"), value);
    }
}
