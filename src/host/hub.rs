//! The hub: the repository that decides, reached by the user's own `git fetch` and `git push`.
//!
//! Never forced but where a lease is named, never with hooks, prompts or side effects (tags, FETCH_HEAD, gc,
//! submodules), and never longer than we are ready to wait. What a server says in words is for people; decisions rest
//! on the machine-readable answer for each ref, since the words differ from host to host.

pub mod memory;
mod nearby;

pub use nearby::Glance;

use super::{bounded, git::Git, install::Node};
use crate::base::oid::Oid;
use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Where the refs of ours are on the hub, unless it takes branches only.
pub const PREFIX: &str = "refs/aio";

/// The hub.
#[derive(Debug, Clone)]
pub struct Hub {
    git: Git,
    remote: String,
    place: String,
    prefix: String,
    deadline: Instant,
    /// Whether what is fetched has to be on the disk.
    durable: bool,
    /// How long there was till the deadline.
    limit: Duration,
    /// Where it lies, if that is on this machine.
    folder: Option<PathBuf>,
    /// Whether what runs said and did is kept there, too.
    private_runs: bool,
}

/// What is to be changed on the hub.
#[derive(Debug, Clone)]
pub struct Update {
    /// The new value; `None` to delete.
    pub new: Option<Oid>,
    /// The ref, by its name on the hub.
    pub name: String,
    /// Where set, the ref is moved wherever to, provided that it has this value now (`Some(None)`: that there is
    /// none). Otherwise it is only moved forward.
    pub lease: Option<Option<Oid>>,
}

/// What the hub made of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is so now.
    Taken,
    /// It is not, and why, in words. Somebody else may have been quicker.
    Refused(String),
}

/// Why the hub gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// It could not be reached, or did not let us in.
    #[error("the hub {remote} can't be reached: {reason}")]
    Unreachable {
        /// The hub.
        remote: String,
        /// What git said.
        reason: String,
    },
    /// It took longer than we wait.
    #[error("the hub {remote} did not answer within {:.0} s", .limit.as_secs_f64())]
    TimedOut {
        /// The hub.
        remote: String,
        /// How long that is.
        limit: Duration,
    },
    /// git could not be started.
    #[error("git can't be started")]
    NotStarted(#[from] io::Error),
}

impl Hub {
    /// The hub that `remote` names, a remote of this repository or a URL, with its refs below `prefix`. What is
    /// fetched from it is kept below `refs/aio-sync/<place>`. All that is done with it has to be done by `deadline`.
    pub fn new(git: Git, remote: &str, place: &str, prefix: &str, deadline: Instant) -> Hub {
        let limit = deadline.saturating_duration_since(Instant::now());
        let prefix = prefix.trim_end_matches('/').to_owned();
        let (remote, place) = (remote.into(), place.into());
        Hub { git, remote, place, prefix, limit, deadline, durable: false, folder: None, private_runs: false }
    }

    /// Where `durable`, what is fetched is on the disk when that is done: git itself leaves loose objects and refs to
    /// chance, and our own ref is moved to what came.
    #[must_use]
    pub fn durable(self, durable: bool) -> Hub {
        Hub { durable, ..self }
    }

    /// Where `kept`, what runs said and did is fetched too.
    #[must_use]
    pub fn with_private_runs(self, kept: bool) -> Hub {
        Hub { private_runs: kept, ..self }
    }

    /// The ref `name` of ours (`state`) on the hub.
    pub fn shared(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    /// Below what the refs of ours are on the hub.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The ref of the presence of one clone on the hub.
    pub fn presence(&self, clone: &str) -> String {
        format!("{}-presence/{clone}", self.prefix)
    }

    /// The ref of what a run said and did on the hub.
    pub fn private_run(&self, run: &str) -> String {
        format!("{}-local/runs/{run}", self.prefix)
    }

    /// The local ref that has what `name` was when last fetched.
    pub fn tracking(&self, name: &str) -> String {
        format!("refs/aio-sync/{}/{name}", self.place)
    }

    /// Brings what the hub has to the tracking refs, and removes those of what it no longer has. `tips` are commits
    /// of ours that it may have: their dates are so old that a negotiation would come to them last.
    ///
    /// # Errors
    /// When it can't be reached in time.
    pub fn fetch(&self, tips: &[Oid]) -> Result<(), HubError> {
        let tips = tips.iter().map(|tip| format!("--negotiation-tip={tip}")).collect();
        self.fetch_by(tips)
    }

    /// As [`fetch`](Self::fetch), for a clone that has less than its refs say: as if nothing were here.
    ///
    /// # Errors
    /// When it can't be reached in time.
    pub fn fetch_anew(&self) -> Result<(), HubError> {
        self.fetch_by(vec!["--refetch".into()])
    }

    fn fetch_by(&self, how: Vec<String>) -> Result<(), HubError> {
        let mut args: Vec<String> = [
            "fetch",
            "--quiet",
            "--prune",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--no-filter",
            "--no-show-forced-updates",
            "--refmap=",
        ]
        .map(String::from)
        .into();
        args.extend(how);
        let here = format!("refs/aio-sync/{}", self.place);
        args.extend([
            "--end-of-options".into(),
            self.remote.clone(),
            // Not all that lies there: with that git took the presence of a clone that is gone on the hub for one more
            // thing that belongs there, and pruned it never.
            format!("+{}/state*:{here}/state*", self.prefix),
            format!("+{}-presence/*:{here}/presence/*", self.prefix),
            format!("+{}/runs/*:{here}/runs/*", self.prefix),
        ]);
        if self.private_runs {
            args.push(format!("+{}-local/runs/*:{here}/local/runs/*", self.prefix));
        }
        let ran = self.run(args)?;
        match ran.status {
            Some(status) if status.success() => Ok(()),
            Some(_) => Err(self.unreachable(&ran.stderr)),
            None => Err(self.timed_out()),
        }
    }

    /// Asks for all `updates` in one push; the answers are in their order.
    ///
    /// # Errors
    /// When there is no answer: they may have been made, or not.
    pub fn push(&self, updates: &[Update]) -> Result<Vec<Answer>, HubError> {
        self.push_through(updates, None)
    }

    /// Asks for `late` as one who was overtaken: after git has looked what the hub has, and before it sends anything,
    /// `early` is pushed, of the same ref. What becomes of that is told in the answer to neither.
    ///
    /// # Errors
    /// When there is no answer, or files can't be written to `scratch`, an empty folder.
    pub fn push_overtaken(&self, late: &Update, early: &Oid, scratch: &Path) -> Result<Answer, HubError> {
        // git runs this hook at just that moment, and tells it where the push goes.
        let push = "exec git push --quiet --no-verify --no-follow-tags --no-signed --recurse-submodules=no";
        let script = format!("#!/bin/sh\n{push} --end-of-options \"$1\" {early}:{}\n", late.name);
        let hook = Node::hook(script);
        hook.write(&scratch.join("pre-push")).map_err(|error| io::Error::other(error.to_string()))?;
        let answers = self.push_through(std::slice::from_ref(late), Some(scratch))?;
        answers.into_iter().next().ok_or_else(|| self.unreachable(b""))
    }

    fn push_through(&self, updates: &[Update], hooks: Option<&Path>) -> Result<Vec<Answer>, HubError> {
        let mut args: Vec<String> =
            ["push", "--porcelain", "--no-follow-tags", "--recurse-submodules=no", "--no-signed"]
                .map(String::from)
                .into();
        if hooks.is_none() {
            args.push("--no-verify".into());
        }
        for update in updates {
            if let Some(expected) = &update.lease {
                let expected = expected.as_ref().map_or("", Oid::as_str);
                args.push(format!("--force-with-lease={}:{expected}", update.name));
            }
        }
        args.extend(["--end-of-options".into(), self.remote.clone()]);
        args.extend(
            updates.iter().map(|update| format!("{}:{}", update.new.as_ref().map_or("", Oid::as_str), update.name)),
        );
        let ran = self.run_with(hooks, args)?;
        if ran.status.is_none() {
            return Err(self.timed_out());
        }
        let told = answers(&String::from_utf8_lossy(&ran.stdout));
        let answer = |update: &Update| told.iter().find(|(name, _)| *name == update.name).map(|(_, a)| a.clone());
        // git ends well only where all was taken, whether or not its words came to us.
        let unsaid = ran.status.is_some_and(|status| status.success()).then_some(Answer::Taken);
        let answered: Option<Vec<Answer>> =
            updates.iter().map(|update| answer(update).or_else(|| unsaid.clone())).collect();
        answered.ok_or_else(|| self.unreachable(&ran.stderr))
    }

    /// The user's hooks are for the user's own pushes.
    fn run(&self, args: Vec<String>) -> Result<bounded::Ran, HubError> {
        self.run_with(None, args)
    }

    fn run_with(&self, hooks: Option<&Path>, args: Vec<String>) -> Result<bounded::Ran, HubError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let hooks = hooks.unwrap_or(Path::new(if cfg!(windows) { "NUL" } else { "/dev/null" }));
        // A server may not know options that the user's own knows.
        let mut settings = vec![format!("core.hooksPath={}", hooks.display()), "push.pushOption=".to_owned()];
        if self.durable {
            settings.push("core.fsync=committed,loose-object,reference".to_owned());
        }
        if self.remote == self.place && !self.remote.contains('=') {
            // It is one of the repository's remotes. A mirror takes no single refs.
            settings.push(format!("remote.{}.mirror=false", self.remote));
        }
        let settings = settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]);
        let args: Vec<OsString> = settings.chain(args).map(OsString::from).collect();
        let command = self.git.command(&args);
        Ok(bounded::run(command, left)?)
    }

    fn unreachable(&self, stderr: &[u8]) -> HubError {
        let said = String::from_utf8_lossy(stderr);
        // What git adds on how to get at a repository says nothing of this one.
        let advice = ["hint:", "Please make sure", "and the repository exists"];
        let line = |line: &&str| !line.trim().is_empty() && !advice.iter().any(|start| line.starts_with(start));
        let reason = said.lines().filter(line).take(3).collect::<Vec<_>>().join("; ");
        HubError::Unreachable { remote: self.name(), reason: without_secrets(&reason) }
    }

    fn timed_out(&self) -> HubError {
        HubError::TimedOut { remote: self.name(), limit: self.limit }
    }

    /// The hub by name, for people.
    pub fn name(&self) -> String {
        without_secrets(&self.remote)
    }
}

/// The answers of `git push --porcelain`, one line a ref: a sign, `from:to`, what happened, divided by tabs.
fn answers(out: &str) -> Vec<(String, Answer)> {
    let answer = |line: &str| {
        let mut parts = line.splitn(3, '\t');
        let (sign, refs, said) = (parts.next()?, parts.next()?, parts.next().unwrap_or_default());
        let to = refs.split_once(':')?.1.to_owned();
        match sign {
            " " | "+" | "-" | "*" | "=" => Some((to, Answer::Taken)),
            // The connection ended before the hub said what became of it.
            "!" if said.starts_with("[remote failure]") => None,
            "!" => Some((to, Answer::Refused(said.to_owned()))),
            _ => None,
        }
    };
    out.lines().filter_map(answer).collect()
}

/// A URL or message without the user names and passwords of the URLs in it.
pub fn without_secrets(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let end = after.find(|c: char| c == '/' || c.is_whitespace() || c == '\'' || c == '"').unwrap_or(after.len());
        let host = after[..end].rfind('@').map_or(0, |at| at + 1);
        rest = &after[host..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ref_has_its_answer_whatever_the_words() {
        let out = "To /hub\n \tabc:refs/aio/state\t1..2\n=\tabc:refs/a\t[up to date]\n!\tx:refs/b\t[rejected] (fetch first)\n\
                   !\ty:refs/c\t[remote rejected] (failed to update ref)\n-\t:refs/d\t[deleted]\nDone\n";
        let refused = |words: &str| Answer::Refused(words.into());
        let expected = [
            ("refs/aio/state", Answer::Taken),
            ("refs/a", Answer::Taken),
            ("refs/b", refused("[rejected] (fetch first)")),
            ("refs/c", refused("[remote rejected] (failed to update ref)")),
            ("refs/d", Answer::Taken),
        ];
        assert_eq!(answers(out), expected.map(|(name, answer)| (name.to_owned(), answer)));
    }

    #[test]
    fn no_secret_of_a_url_is_told() {
        assert_eq!(without_secrets("https://me:pw@host/x.git: no"), "https://host/x.git: no");
        assert_eq!(
            without_secrets("fatal: 'ssh://git@h/a' and https://t0ken@h2/b"),
            "fatal: 'ssh://h/a' and https://h2/b"
        );
        assert_eq!(without_secrets("git@host:x.git"), "git@host:x.git");
    }
}
