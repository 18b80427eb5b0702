//! Names of things: each its own type, valid by construction, so that a claim id is never taken for a note id and a
//! name read from somebody else's record can go into a ref path or a tree without a second look.

use super::text::hex;
use std::{fmt, str::FromStr};

/// Why a text is not a valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {kind} '{}': {reason}", crate::base::text::one_line(text, 60))]
pub struct InvalidName {
    /// What it was meant to name.
    pub kind: &'static str,
    /// The text as given.
    pub text: String,
    /// What a valid one looks like.
    pub reason: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $valid:expr, $reason:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok($name(text.to_owned()))
                } else {
                    Err(InvalidName { kind: $kind, text: text.to_owned(), reason: $reason })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The kind of program an instance is: `claude`, `codex`, `gemini`, `amp`, `person`, or any other.
    Tool,
    "tool name",
    |t| (1..=32).contains(&t.len())
        && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
        && t.as_bytes()[0].is_ascii_alphanumeric(),
    "use 1 to 32 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit"
);

name!(
    /// One running agent CLI, or a person: `claude-1707084123-a3f2` (tool, unix seconds, 4 hex digits).
    InstanceId,
    "instance id",
    |t| {
        let mut parts = t.rsplitn(3, '-');
        let hex = parts.next().is_some_and(|h| is_hex(h, 4..=8));
        let seconds = parts.next().is_some_and(|s| (1..=12).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit()));
        hex && seconds && parts.next().is_some_and(|tool| tool.parse::<Tool>().is_ok())
    },
    "it looks like claude-1707084123-a3f2 (tool, unix seconds, 4 hex digits)"
);

name!(
    /// One run of a workflow, or one delegation: `refine-1707084123-a3f2` (what is run, unix seconds, 4 hex digits).
    RunId,
    "run id",
    |t| {
        let mut parts = t.rsplitn(3, '-');
        let hex = parts.next().is_some_and(|h| is_hex(h, 4..=8));
        let seconds = parts.next().is_some_and(|s| (1..=12).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit()));
        hex && seconds && parts.next().is_some_and(is_word)
    },
    "it looks like refine-1707084123-a3f2 (what is run, unix seconds, 4 hex digits)"
);

name!(
    /// One step of a run: `review`, `fix/3` (an item), `refine/2/write` (a step of the second round of a block).
    StepPath,
    "step",
    |t| t.len() <= 200 && t.split('/').count() <= 16 && t.split('/').all(|part| {
        let is_number = !part.is_empty() && part.len() <= 6 && part.bytes().all(|b| b.is_ascii_digit());
        is_number || part.len() <= 40 && is_word(&part.replace('_', "-"))
    }),
    "it looks like review, fix/3 or refine/2/write"
);

name!(
    /// One claim: 16 random hex digits.
    ClaimId, "claim id", |t| is_hex(t, 16..=16), "it is 16 hex digits, or a prefix of one that exists"
);

name!(
    /// One note: 16 random hex digits.
    NoteId, "note id", |t| is_hex(t, 16..=16), "it is 16 hex digits"
);

name!(
    /// One handoff: `handoff-` and 12 random hex digits. The word in front lets it stand where a holder stands.
    HandoffId,
    "handoff id",
    |t| t.strip_prefix("handoff-").is_some_and(|h| is_hex(h, 12..=12)),
    "it looks like handoff-3f9a1c20b7de"
);

name!(
    /// One operation, by whichever clone: 32 random hex digits. It keeps two identical acts from becoming one commit.
    OpId, "operation id", |t| is_hex(t, 32..=32), "it is 32 hex digits"
);

name!(
    /// One clone of the repository: 16 random hex digits, kept in its git directory.
    CloneId, "clone id", |t| is_hex(t, 16..=16), "it is 16 hex digits"
);

name!(
    /// The project a store belongs to: 32 random hex digits, made with the store.
    Domain, "domain", |t| is_hex(t, 32..=32), "it is 32 hex digits"
);

name!(
    /// A task of our queue, such as `t-3f9a1c20b7de`, or an issue of somebody's tracker, such as `AI-Tools-abc`.
    TaskId,
    "task id",
    |t| (1..=128).contains(&t.len())
        && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:#@+-".contains(&b))
        && t != "." && t != "..",
    "use 1 to 128 of letters, digits and . _ : # @ + -"
);

fn is_hex(text: &str, len: std::ops::RangeInclusive<usize>) -> bool {
    len.contains(&text.len()) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Small letters, digits and `-`, a letter first.
fn is_word(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=40).contains(&text.len()) && text.bytes().all(plain) && text.as_bytes()[0].is_ascii_lowercase()
}

impl RunId {
    /// The id of a run of `name` that was begun `unix_seconds` after the epoch.
    ///
    /// # Errors
    /// When the name is none.
    pub fn new(name: &str, unix_seconds: i64, random: u16) -> Result<RunId, InvalidName> {
        format!("{name}-{}-{random:04x}", unix_seconds.max(0)).parse()
    }

    /// When it was begun, in seconds since the epoch, by the clock of the clone where that was.
    pub fn began(&self) -> u64 {
        self.0.rsplit('-').nth(1).and_then(|seconds| seconds.parse().ok()).unwrap_or_default()
    }
}

impl StepPath {
    /// A part of this step: an item of it, a round, or a step inside of it.
    ///
    /// # Errors
    /// When that is no name, or the steps are nested too deep.
    pub fn join(&self, part: impl fmt::Display) -> Result<StepPath, InvalidName> {
        format!("{self}/{part}").parse()
    }

    /// Whether this is a part of `outer`, at any depth.
    pub fn is_inside(&self, outer: &StepPath) -> bool {
        self.as_str().strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl Tool {
    /// The tool name that stands for a human being.
    pub fn person() -> Tool {
        Tool("person".into())
    }

    /// The tool name that stands for a run, which holds what all of its steps may write.
    pub fn of_run() -> Tool {
        Tool("run".into())
    }

    /// Whether this is a human being rather than a program.
    pub fn is_person(&self) -> bool {
        self.0 == "person"
    }
}

impl InstanceId {
    /// The id of an instance of `tool` registered `unix_seconds` after the epoch.
    pub fn new(tool: &Tool, unix_seconds: i64, random: u16) -> InstanceId {
        InstanceId(format!("{tool}-{}-{random:04x}", unix_seconds.max(0)))
    }

    /// The tool, which the id spells out.
    pub fn tool(&self) -> &str {
        self.0.rsplitn(3, '-').nth(2).unwrap_or(&self.0)
    }
}

impl ClaimId {
    /// An id made of 8 random bytes.
    pub fn random(bytes: [u8; 8]) -> Self {
        ClaimId(hex(&bytes))
    }
}

impl ClaimId {
    /// The shortest beginning of this id that none of `others` has, at least four digits. It may be among them.
    pub fn short_among<'a>(&self, others: impl IntoIterator<Item = &'a ClaimId>) -> &str {
        short_among(&self.0, others.into_iter().map(|other| &other.0[..]), 4)
    }
}

impl TaskId {
    /// An id made of 6 random bytes.
    pub fn random(bytes: [u8; 6]) -> Self {
        TaskId(format!("t-{}", hex(&bytes)))
    }

    /// The shortest beginning of this id that none of `others` has, at least four digits, if it is a random one. It may be
    /// among them. One that somebody chose says something, and is never cut.
    pub fn short_among<'a>(&self, others: impl IntoIterator<Item = &'a TaskId>) -> &str {
        match self.is_random() {
            true => short_among(&self.0, others.into_iter().map(|other| &other.0[..]), Self::SHORTEST),
            false => &self.0,
        }
    }

    /// Whether `named` means this one: all of it, or, of a random one, a beginning as long as any that is shown.
    pub fn is_meant_by(&self, named: &str) -> bool {
        let begins = || self.is_random() && named.len() >= Self::SHORTEST && self.0.starts_with(named);
        self.0 == named || begins()
    }

    /// Least bytes by which a random one is called.
    const SHORTEST: usize = "t-0123".len();

    /// Whether it has the shape of a random one.
    fn is_random(&self) -> bool {
        self.0.strip_prefix("t-").is_some_and(|digits| is_hex(digits, 12..=12))
    }
}

/// The shortest beginning of `id` that none of `others` has, at least so many bytes.
fn short_among<'i, 'o>(id: &'i str, others: impl Iterator<Item = &'o str>, least: usize) -> &'i str {
    let shared = |other: &str| other.bytes().zip(id.bytes()).take_while(|(a, b)| a == b).count();
    let longest = others.filter(|other| *other != id).map(shared).max().unwrap_or(0);
    &id[..(longest + 1).clamp(least, id.len())]
}

impl NoteId {
    /// An id made of 8 random bytes.
    pub fn random(bytes: [u8; 8]) -> Self {
        NoteId(hex(&bytes))
    }
}

impl HandoffId {
    /// The part that tells it from others.
    pub fn digits(&self) -> &str {
        self.0.strip_prefix("handoff-").unwrap_or(&self.0)
    }

    /// An id made of 6 random bytes.
    pub fn random(bytes: [u8; 6]) -> Self {
        HandoffId(format!("handoff-{}", hex(&bytes)))
    }
}

impl OpId {
    /// An id made of 16 random bytes.
    pub fn random(bytes: [u8; 16]) -> Self {
        OpId(hex(&bytes))
    }
}

impl CloneId {
    /// An id made of 8 random bytes.
    pub fn random(bytes: [u8; 8]) -> Self {
        CloneId(hex(&bytes))
    }
}

impl Domain {
    /// A domain made of 16 random bytes.
    pub fn random(bytes: [u8; 16]) -> Self {
        Domain(hex(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_named_by_as_little_as_tells_it_from_others() {
        let ids: Vec<ClaimId> = ["0123456789abcdef", "0123456700000000", "0fff000000000000", "0fff000000000001"]
            .map(|id| id.parse().expect("an id"))
            .to_vec();
        let short: Vec<&str> = ids.iter().map(|id| id.short_among(&ids)).collect();
        assert_eq!(short, ["012345678", "012345670", "0fff000000000000", "0fff000000000001"]);
        assert_eq!(ids[0].short_among([]), "0123");
    }

    #[test]
    fn a_task_that_somebody_named_is_called_by_its_whole_name() {
        let ids: Vec<TaskId> =
            ["t-0123456789ab", "t-0123450000ab", "t-012", "AI-1"].map(|id| id.parse().expect("an id")).to_vec();
        let short: Vec<&str> = ids.iter().map(|id| id.short_among(&ids)).collect();
        assert_eq!(short, ["t-0123456", "t-0123450", "t-012", "AI-1"]);
        assert_eq!(ids[0].short_among([]), "t-0123");
        let meant = |named: &str| ids.iter().map(|id| id.is_meant_by(named)).collect::<Vec<_>>();
        assert_eq!(meant("t-0123"), [true, true, false, false]);
        assert_eq!(meant("t-012"), [false, false, true, false]);
        assert_eq!(meant("AI-"), [false; 4]);
    }
}
