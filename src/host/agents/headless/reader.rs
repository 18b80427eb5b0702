//! What an agent tells while it works, a line at a time, and what that comes to at the end.

use crate::base::text::one_line;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The most bytes that an answer may have.
const MAX_RESULT: usize = 4 * 1024 * 1024;

/// What is wrong where an answer, or a line that it may have been in, was longer than is kept.
const TOO_MUCH: &str = "too much output to be kept";

/// The most characters in which it is told what an agent is doing.
const MAX_DOING: usize = 120;

/// The most denials that are kept: an agent may try again and again.
const MAX_DENIED: usize = 20;

/// What came of an errand, as far as the agent itself tells.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    /// Its answer: anybody's words.
    pub result: String,
    /// The same as JSON, where it is that: an object or an array.
    pub structured: Option<Value>,
    /// Its session, by which it can go on.
    pub session: Option<String>,
    /// What was used up.
    pub usage: Usage,
    /// What went wrong by its own account, whatever its exit code says.
    pub error: Option<String>,
    /// What it wanted to do and was not allowed.
    pub denied: Vec<String>,
    /// Whether the same errand would fail in the same way again.
    pub retry_is_useless: bool,
}

/// What was used up, as far as the CLI tells.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Tokens that were read, from a cache or not.
    pub input: Option<u64>,
    /// Those of them that came from a cache.
    pub cached: Option<u64>,
    /// Tokens that were written.
    pub output: Option<u64>,
    /// What it cost, in US dollars.
    pub cost_usd: Option<f64>,
    /// How often the model was asked.
    pub turns: Option<u64>,
}

/// How one CLI is heard: an event changes what is known, and may be something that it does.
type Hear = fn(&mut Stream, &Value) -> Option<Act>;

/// What an exit code means where it says more than that it failed, and nothing else does.
type Meaning = fn(i32) -> Option<&'static str>;

/// What is known of a run while it goes on.
#[derive(Debug, Default)]
pub(in crate::host::agents) struct Stream {
    pub(in crate::host::agents) told: Told,
    /// The message that the answer so far is part of, where it comes in parts.
    pub(in crate::host::agents) message: Option<String>,
    /// Whether something that may have been the answer was too long to be kept, and none came after it.
    is_lost: bool,
}

/// Something that an agent does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host::agents) enum Act {
    Edit(String),
    Read(String),
    Run(String),
    Search(String),
    SearchWeb(String),
    Fetch(String),
    Use(String),
}

/// Hears an agent to its end.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    kind: Kind,
    stream: Stream,
}

#[derive(Debug)]
enum Kind {
    /// Each line is an event.
    Events(Hear, Meaning),
    /// All of it is the answer.
    Text,
}

impl Reader {
    pub(super) fn of_events(dir: &Path, hear: Hear, meaning: Meaning) -> Reader {
        Reader::new(dir, Kind::Events(hear, meaning))
    }

    pub(super) fn of_text(dir: &Path) -> Reader {
        Reader::new(dir, Kind::Text)
    }

    fn new(dir: &Path, kind: Kind) -> Reader {
        Reader { dir: dir.to_owned(), kind, stream: Stream::default() }
    }

    /// Takes a line of standard output, with or without its end, and says what the agent is doing now, if that is told:
    /// one line, cleaned for a terminal.
    pub fn line(&mut self, line: &[u8]) -> Option<String> {
        let doing = match &self.kind {
            Kind::Text => {
                let line = String::from_utf8_lossy(line);
                self.stream.told.result.push_str(&line);
                Some(line.trim().to_owned()).filter(|line| !line.is_empty())
            }
            Kind::Events(hear, _) => {
                let event = serde_json::from_slice(line).ok()?;
                hear(&mut self.stream, &event).map(|act| act.words(&self.dir))
            }
        };
        self.stream.told.denied.truncate(MAX_DENIED);
        if self.stream.told.result.len() > MAX_RESULT {
            self.stream.told.result = String::new();
            self.stream.is_lost = true;
        }
        doing.map(|doing| one_line(&doing, MAX_DOING))
    }

    /// Takes note that a line was too long to be kept.
    pub fn skip(&mut self) {
        self.stream.is_lost = true;
    }

    /// All that was told, when it has ended with this exit code, or was ended.
    pub fn finish(self, exit: Option<i32>) -> Told {
        let (mut told, meaning) = match self.kind {
            Kind::Events(_, meaning) => (self.stream.told, meaning(exit.unwrap_or_default())),
            Kind::Text => (self.stream.told, None),
        };
        if self.stream.is_lost {
            told.result = String::new();
            told.error.get_or_insert_with(|| TOO_MUCH.to_owned());
        }
        if let Some(meant) = meaning {
            told.error.get_or_insert_with(|| meant.to_owned());
            told.retry_is_useless = true;
        }
        told.with_structure()
    }
}

impl Told {
    fn with_structure(mut self) -> Told {
        let text = self.result.trim();
        if self.structured.is_none() && text.starts_with(['{', '[']) {
            self.structured = serde_json::from_str(text).ok();
        }
        self
    }

    /// Notes that the model's server gave this answer, which may be one that it will give again.
    pub(in crate::host::agents) fn fail(&mut self, why: &str, status: Option<u64>) {
        self.error = Some(why.to_owned());
        self.retry_is_useless = matches!(status, Some(400 | 401 | 403 | 404 | 413));
    }
}

impl Stream {
    pub(in crate::host::agents) fn session(&mut self, event: &Value, key: &str) {
        if self.told.session.is_none() {
            self.told.session = text(&event[key]).map(str::to_owned);
        }
    }

    /// Takes a part of a message; the answer is the last message that says something.
    pub(in crate::host::agents) fn say(&mut self, part: &str, message: Option<&str>) {
        let goes_on = message.is_some() && self.message.as_deref() == message;
        if !goes_on {
            self.told.result.clear();
            self.message = message.map(str::to_owned);
        }
        self.told.result.push_str(part);
        self.is_lost &= goes_on;
    }
}

impl Act {
    fn words(&self, dir: &Path) -> String {
        let path = |path: &str| {
            let inside = Path::new(path).strip_prefix(dir).ok().filter(|inside| !inside.as_os_str().is_empty());
            inside.map_or_else(|| path.to_owned(), |inside| inside.display().to_string())
        };
        match self {
            Act::Edit(file) => format!("editing {}", path(file)),
            Act::Read(file) => format!("reading {}", path(file)),
            Act::Run(command) => format!("running {}", command.trim()),
            Act::Search(what) => format!("searching for {what}"),
            Act::SearchWeb(what) => format!("searching the web for {what}"),
            Act::Fetch(what) => format!("reading {what}"),
            Act::Use(tool) => format!("using {tool}"),
        }
    }

    /// An act that is told by a tool's name and the first of `keys` in what the tool is given; the name alone, where
    /// there is none.
    pub(in crate::host::agents) fn with(act: fn(String) -> Act, tool: &str, input: &Value, keys: &[&str]) -> Act {
        let found = keys.iter().find_map(|key| text(&input[*key]));
        found.map_or_else(|| Act::Use(tool.to_owned()), |found| act(found.to_owned()))
    }
}

/// The text that a value is, unless it is empty.
pub(in crate::host::agents) fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}
