//! Telling the other clones who is here: a commit of this clone alone, pushed together with the state.
//!
//! It is told at most once in a while, and never instead of the state: a host that refuses it, in whichever way, takes
//! the state all the same.

use super::{exchange::Exchange, runs::Unsent};
use crate::{
    base::oid::Oid,
    host::{
        boot::{self, Moment},
        hub::{Answer, HubError, Update, memory::Told},
    },
    model::liveness::Presence,
    ops::{Error, Session},
    store::{ClonePresence, Extent},
};
use chrono::TimeDelta;

/// After how many refusals in a row a host is taken to mean it.
const ENOUGH: u32 = 3;

/// How often the others hear of us at least before they lose patience.
const OFTEN: i32 = 4;

/// How many times as long as else a host is left in peace that refused it.
const PEACE: i32 = 20;

/// The largest number that is believed: no clone has told as often.
const MOST_TOLD: u64 = 1 << 40;

impl Session {
    /// Now, by a clock that nobody sets.
    pub(super) fn moment(&self) -> Moment {
        boot::moment(&self.env)
    }

    /// Whether the hub, which was last `told` so much, is due to be told who is here.
    pub(super) fn is_presence_due(&self, told: Option<&Told>) -> bool {
        let Some(told) = told else { return true };
        let now = self.moment();
        let times = if told.refusals >= ENOUGH { PEACE } else { 1 };
        let patience = self.settings.patience.stale_elsewhere / OFTEN;
        let interval = match patience > TimeDelta::zero() {
            // Who is told of less often than that is taken to be gone, though the clone syncs.
            true => self.settings.presence_interval.min(patience),
            false => self.settings.presence_interval,
        };
        let interval = interval.checked_mul(times).unwrap_or(TimeDelta::MAX);
        told.boot != now.boot || now.at < told.at || super::watch::seconds(now.at - told.at) >= interval
    }

    /// The instances of this clone that are there, in the state of the commit `tip`; `None` where none is on the
    /// register.
    fn who_is_here(&self, tip: &Oid) -> Result<Option<ClonePresence>, Error> {
        let snapshot = self.repository.snapshot_at(tip.clone())?;
        let instances = snapshot.instances(Extent::All, |instance| !self.is_elsewhere(instance))?.records;
        if instances.is_empty() {
            return Ok(None);
        }
        let judged = instances.into_iter().map(|instance| (self.presence(&instance), instance.id));
        let there = judged.filter(|(presence, _)| matches!(presence, Presence::Live | Presence::Idle));
        let instances = there.map(|(presence, id)| (id, presence)).collect();
        Ok(Some(ClonePresence { clone: self.clone_id()?.clone(), counter: 0, instances }))
    }
}

impl Exchange<'_> {
    /// Tells who is here, where that is due, and of `runs`, where nothing else is to be pushed. That it can't be told is
    /// remembered, and is no failure.
    pub(super) fn tell_beside(&mut self, tip: &Oid, runs: &[Unsent]) {
        let presence = self.presence_update(tip);
        let asked: Vec<Update> = presence.iter().cloned().chain(runs.iter().map(Unsent::update)).collect();
        if asked.is_empty() {
            return;
        }
        let answers = self.hub.push(&asked);
        self.note_beside(presence.is_some(), runs, answers.as_ref().map(Vec::as_slice));
    }

    /// Pushes `state`, which is the commit `tip`, and with it `runs`, and who is here, where that is due. What the hub
    /// says of the state.
    pub(super) fn push_with_others(&mut self, state: Update, tip: &Oid, runs: &[Unsent]) -> Result<Answer, HubError> {
        let first = |answers: Vec<Answer>| answers.into_iter().next().unwrap_or(Answer::Refused("no answer".into()));
        let presence = self.presence_update(tip);
        let beside = presence.iter().cloned().chain(runs.iter().map(Unsent::update));
        let asked: Vec<Update> = std::iter::once(state.clone()).chain(beside).collect();
        match self.hub.push(&asked) {
            Ok(answers) => {
                self.note_beside(presence.is_some(), runs, Ok(answers.get(1..).unwrap_or_default()));
                Ok(first(answers))
            }
            // It may have hung up over one of these very refs. What it took nonetheless it answers to be up to date.
            Err(error @ HubError::Unreachable { .. }) if asked.len() > 1 => {
                let answer = self.hub.push(&[state]).map(first)?;
                self.note_beside(presence.is_some(), runs, Err(&error));
                Ok(answer)
            }
            Err(error) => Err(error),
        }
    }

    /// Notes what the hub says of what was pushed beside the state: who is here, where that `was_told`, and then `runs`.
    fn note_beside(&mut self, was_told: bool, runs: &[Unsent], answers: Result<&[Answer], &HubError>) {
        let answered = answers.ok().map(|answers| answers.split_at(usize::from(was_told).min(answers.len())));
        if was_told {
            self.note_presence(answered.and_then(|(told, _)| told.first()), answers.err());
        }
        let why = answers.err().map_or_else(|| "no answer".to_owned(), ToString::to_string);
        self.note_runs(runs, answered.map(|(_, runs)| runs), &why);
    }

    /// What tells who is here, where that is due. Whatever becomes of it, the next is due only after a while.
    fn presence_update(&mut self, tip: &Oid) -> Option<Update> {
        let session = self.session;
        if !session.is_presence_due(self.memory.told.as_ref()) {
            return None;
        }
        let here = session.clone_id().ok()?;
        let tracked = session.refs().read(&self.hub.tracking(&format!("presence/{here}"))).ok()?;
        let before = tracked.as_ref().and_then(|oid| session.repository.read_presence(oid).ok());
        let before = before.map(|presence| presence.counter).filter(|counter| *counter < MOST_TOLD);
        let counter = before.max(self.memory.told.as_ref().map(|told| told.counter)).unwrap_or(0).saturating_add(1);
        let Moment { boot, at } = session.moment();
        let refusals = self.memory.told.as_ref().map_or(0, |told| told.refusals);
        self.memory.told = Some(Told { boot, at, counter, refused: None, refusals });
        let presence = ClonePresence { counter, ..session.who_is_here(tip).ok()?? };
        let oid = session.repository.write_presence(&presence, session.now(), session.settings.durability).ok()?;
        Some(Update { new: Some(oid), name: self.hub.presence(here.as_str()), lease: Some(tracked) })
    }

    fn note_presence(&mut self, answer: Option<&Answer>, error: Option<&HubError>) {
        let refused = match (answer, error) {
            (Some(Answer::Taken), _) => None,
            (Some(Answer::Refused(why)), _) => Some(why.clone()),
            (None, error) => Some(error.map_or_else(|| "no answer".to_owned(), ToString::to_string)),
        };
        if refused.is_none() {
            self.memory.pushed = Some(self.session.now());
        }
        if let Some(told) = &mut self.memory.told {
            told.refusals = match answer {
                Some(Answer::Refused(_)) => told.refusals.saturating_add(1),
                Some(Answer::Taken) => 0,
                // A connection that broke says nothing of what the host allows.
                None => told.refusals,
            };
            told.refused = refused;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::{id::InstanceId, world::Time},
        host::scratch::Scratch,
        store::{Durability, MOST_NAMED},
    };
    use std::fs;

    fn session(repo: &Scratch) -> Session {
        Session::open_other(repo.git.dir(), None).expect("a session")
    }

    fn presence() -> ClonePresence {
        let id = |id: &str| -> InstanceId { id.parse().expect("an id") };
        ClonePresence {
            clone: "0123456789abcdef".parse().expect("an id"),
            counter: 7,
            instances: vec![
                (id("claude-1700000000-a3f2"), Presence::Live),
                (id("codex-1700000000-b1b1"), Presence::Idle),
            ],
        }
    }

    fn git(repo: &Scratch, args: &[&str]) -> String {
        String::from_utf8_lossy(&repo.git.run(args).expect("git")).trim().to_owned()
    }

    fn written(session: &Session, presence: &ClonePresence) -> Oid {
        session.repository.write_presence(presence, Time::default(), Durability::Unsynced).expect("written")
    }

    #[test]
    fn what_is_told_is_read_and_each_is_another_commit_without_a_parent() {
        let repo = Scratch::new();
        let session = session(&repo);
        let first = written(&session, &presence());
        let next = written(&session, &ClonePresence { counter: 8, ..presence() });
        assert_ne!(first, next);
        assert_eq!(session.repository.read_presence(&first).expect("read"), presence());
        assert_eq!(git(&repo, &["rev-list", "--parents", next.as_str()]), next.as_str());
        assert_eq!(git(&repo, &["ls-tree", "-r", "--name-only", next.as_str()]), "presence.json");
        git(&repo, &["fsck", "--strict"]);
    }

    #[test]
    fn no_more_are_named_than_are_read() {
        let repo = Scratch::new();
        let session = session(&repo);
        let longest = |n| format!("{}-100000000000-{n:08x}", "x".repeat(32)).parse().expect("an id");
        let many = (0..=MOST_NAMED).map(|n| (longest(n), Presence::Live)).collect();
        let oid = written(&session, &ClonePresence { instances: many, ..presence() });
        assert_eq!(session.repository.read_presence(&oid).expect("read").instances.len(), MOST_NAMED);
    }

    #[test]
    fn what_is_malformed_is_an_error() {
        let repo = Scratch::new();
        let session = session(&repo);
        let read = |name: &str, text: &str| {
            git(&repo, &["read-tree", "--empty"]);
            fs::write(repo.path(name), text).expect("written");
            git(&repo, &["add", "-f", name]);
            let tree = git(&repo, &["write-tree"]);
            session.repository.read_presence(&git(&repo, &["commit-tree", "-m", "x", &tree]).parse().expect("a name"))
        };
        let good = r#"{"v":1,"clone":"0123456789abcdef","counter":1,"instances":[],"more":true}"#;
        assert!(read("presence.json", good).is_ok());
        assert!(read("other.json", good).is_err());
        for bad in [
            "",
            &good.replace("\"v\":1", "\"v\":2"),
            &good.replace("0123456789abcdef", "../../../etc/cron"),
            &good.replace("[]", r#"[{"id":"\u001b[31m","state":"live"}]"#),
            &good.replace("\"counter\":1", "\"counter\":-1"),
            &format!("{good}{}", " ".repeat(64 * 1024)),
            &good.replace("true", &("[".repeat(40) + &"]".repeat(40))),
        ] {
            assert!(read("presence.json", bad).is_err(), "{bad}");
        }
        let nothing = "1".repeat(40).parse().expect("a name");
        assert!(session.repository.read_presence(&nothing).is_err());
    }
}
